/* tally.h - what became of the chains of each (neuron set, explainer, prompt format).
 * Private to report/. */
#ifndef GLIA_TOOLS_REPORT_TALLY_H
#define GLIA_TOOLS_REPORT_TALLY_H

#include "actors/sweep/outcome.h"
#include "actors/sweep/sweep.h"
#include "tools/report/class_tally.h"

/* Values in order of chain. */
typedef struct {
    size_t count, capacity;
    double *values;
    size_t *neurons; /* [count] index of each value's neuron in the set: never falls */
} sample_t;

/* What one chain came to, for drawings of one measure against another: they are about scores
 * and AdaCS alone. */
typedef struct {
    int32_t layer;       /* -1: not of a subject model */
    double score, adacs; /* NaN: none, or undefined */
} point_t;

typedef struct {
    size_t count, capacity;
    point_t *points;
} points_t;

/* One kind of result of a tally's chains: wanted = done + undefined + failed + missing. */
typedef struct {
    uint64_t wanted, done, undefined, failed, missing;
} progress_t;

/* The results of one stage that measures something. */
typedef struct {
    progress_t progress;
    sample_t samples[STAGE_MEASURES]; /* values that are not undefined, by measure */
} tally_measured_t;

typedef struct {
    progress_t explain;
    tally_measured_t measured[STAGES_MEASURED]; /* by the rows of the list */
    /* of explanation prompts, where the API counted them */
    sample_t prompt_tokens, total_tokens;
    uint64_t uncounted; /* explanations whose tokens it did not count */
    uint64_t shortened; /* prompts that left out few-shot examples */
    points_t points;    /* of chains with a score or an AdaCS */
    /* nothing unless the set was recorded from the shipped subject on its corpus */
    class_tally_t classes;
} tally_t;

/* One (set, explainer): a tally for each prompt format. */
typedef struct {
    uint32_t set, explainer; /* indices in the settings */
    bool truth;              /* explanations are compared with puzzles' truths */
    tally_t formats[PROMPT_FORMAT_COUNT];
} tally_group_t;

typedef struct {
    stages_measured_t measured; /* of the sweep's table */
    size_t count;
    tally_group_t *groups; /* [count], set by set, explainers in the order of the config; owned */
    /* those of the shipped corpus; NULL: no set was recorded on it; owned */
    word_classes_t *classes;
} tally_list_t;

/* Walks all chains of the run. The list is empty after failure; else the caller releases
 * with tally_clear. */
bool tally_collect(store_t *store, const sweep_t *sweep, uint32_t run, tally_list_t *list,
                   error_info_t *error);
void tally_clear(tally_list_t *list);
/* Sums over everything. */
void tally_progress(const tally_list_t *list, progress_t *explain,
                    progress_t measured[STAGES_MEASURED]);
/* First measures of the stage, for those that are about one: empty if the sweep's table
 * has no such row. */
const sample_t *tally_sample(const tally_list_t *list, const tally_t *tally, job_stage_t stage);

#endif
