/* study_store.h - a study that is kept: what is rated, by whom, and every answer, in
 * a store of its own.
 *
 * The directory holds an environment of store/env.h, so that a rater's answer never waits for a
 * run, and a study can be moved, kept or thrown away alone. It copies what it shows: the neurons'
 * records (NEURONS) and the explanations' texts. In META: "study" (the definition) and "answer:"
 * u32 rater u32 neuron (big-endian), both packed.
 */
#ifndef GLIA_TOOLS_VIEWER_STUDY_STORE_H
#define GLIA_TOOLS_VIEWER_STUDY_STORE_H

#include "core/base/buffer.h"
#include "core/base/hash.h"
#include "core/neuron/neuron.h"
#include "store/env.h"
#include "tools/viewer/study.h"

/* One neuron to rate. */
typedef struct {
    char *set, *id;
    int32_t layer, index; /* -1: none */
    hash_t neuron;
    char **texts; /* [explanation_count] of the study, in the order of its formats */
} study_item_t;

typedef struct {
    uint64_t seed;
    double overlap;
    bool merge; /* identical texts are shown once */
    size_t rater_count;
    char **raters; /* codes */
    size_t format_count;
    char **formats; /* names: what explanation i of every neuron is */
    size_t item_count;
    study_item_t *items;
} study_definition_t;

typedef struct {
    int64_t utc; /* microseconds */
    size_t count;
    int ratings[STUDY_MOST_EXPLANATIONS]; /* of explanation i, 1..5 */
    /* explanation; with `merge` the first of those that share its text */
    size_t best;
} study_answer_t;

typedef struct study study_t;

/* Makes a new study: copies the definition; `records` [item_count] are the neurons'. Errors
 * (CONFIG): there is a study in the directory already, it cannot be written. */
study_t *study_create(const char *directory, const study_definition_t *definition,
                      const neuron_record_t *const *records, error_info_t *error);
/* Opens one that is there; `write`: to take answers. Errors (CONFIG): no study there, in use. */
study_t *study_open(const char *directory, bool write, error_info_t *error);
bool study_exists(const char *directory);
void study_close(study_t *study); /* NULL is fine */
const study_definition_t *study_definition(const study_t *study);
void study_definition_clear(study_definition_t *definition);

/* False: no such code. */
bool study_find_rater(const study_t *study, const char *code, size_t *rater);
/* owned by the caller */
neuron_record_t *study_record(const study_t *study, size_t item, error_info_t *error);
/* False: not answered. */
bool study_answer_get(const study_t *study, size_t rater, size_t item, study_answer_t *answer,
                      error_info_t *error);
/* Durable when it returns; a later answer replaces an earlier one. Blocks for the disk. */
bool study_answer_put(study_t *study, size_t rater, size_t item, const study_answer_t *answer,
                      error_info_t *error);

/* Appends all answers as CSV: rater,set,layer,neuron,overlap,format,rating,best, one row per rater,
 * neuron and format in the order raters, neurons, formats. `neuron` is the index, or the id where
 * there is no layer; overlap and best are 0 or 1, but a best choice that `merge` gave to m
 * identical texts is 1/m for each of them. */
bool study_export(const study_t *study, buffer_t *out, error_info_t *error);

#endif
