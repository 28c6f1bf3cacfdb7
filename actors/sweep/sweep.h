/* sweep.h - what a config expands to: an ordered list of chains, and the ids of their jobs.
 *
 * A chain is one explanation's whole life: (neuron, explainer, prompt format, sample) -> explain ->
 * simulate each valid record -> score; embed -> AdaCS. Chains are numbered in a fixed order (set by
 * set in order of name; then neuron, explainer, format, sample) and computed from their number, so
 * a sweep of any size takes no memory.
 *
 * Job ids are Merkle hashes of what determines the result, and are computed without
 * rendering a prompt:
 *   explain   record, template, formatter version, lineage, sampling parameters, context, sample
 *   simulate  explanation text, the record's tokens, template, versions, mode, lineage, parameters
 *   score     explanation text, neuron record, the simulate parameters, calibration
 *   embed     lineage, dimensions, text (also the key of the embedding)
 *   adacs     the two embed ids
 * Everything here is pure or reads the store through a given transaction; it is what `run`, `plan`,
 * `report` and `export` share.
 */
#ifndef GLIA_ACTORS_SWEEP_SWEEP_H
#define GLIA_ACTORS_SWEEP_SWEEP_H

#include "actors/sweep/settings.h"
#include "core/base/hash.h"
#include "core/neuron/neuron.h"
#include "prompts/template.h"
#include "store/runs.h"

typedef struct {
    uint32_t set;       /* index in settings->sets */
    uint32_t neuron;    /* index in the set */
    uint32_t explainer; /* model index */
    prompt_format_t format;
    uint32_t sample;
} chain_t;

typedef struct sweep sweep_t; /* immutable: may be shared by threads */
struct stage_table;           /* actors/sweep/stage.h */

/* Loads the templates that the settings use. `run` gives the sets' contents as they were fixed at
 * the start of the run (run->sets; names that the settings lack are an error). `stages`: the rows
 * that its jobs are of. Borrows settings and stages, copies what it needs of run. */
sweep_t *sweep_create(const settings_t *settings, const run_info_t *run,
                      const struct stage_table *stages, error_info_t *error);
/* The same for those who only look results up: job ids by the templates as the run recorded them
 * (run->templates), whatever their files say by now; there are no templates to render with. */
sweep_t *sweep_create_snapshot(const settings_t *settings, const run_info_t *run,
                               const struct stage_table *stages, error_info_t *error);
void sweep_free(sweep_t *sweep);
const settings_t *sweep_settings(const sweep_t *sweep);
const struct stage_table *sweep_stages(const sweep_t *sweep);
const template_t *sweep_explain_template(const sweep_t *sweep,
                                         /* NULL: no set uses it, or a snapshot */
                                         prompt_format_t format);
const template_t *sweep_simulate_template(const sweep_t *sweep); /* NULL: nothing is simulated */

uint64_t sweep_chain_count(const sweep_t *sweep);
chain_t sweep_chain(const sweep_t *sweep, uint64_t number); /* number < count */
/* Neurons over all sets, and the first chain of neuron `i` (chains of one neuron
 * are consecutive). */
uint64_t sweep_neuron_count(const sweep_t *sweep);
/* The record hash of a chain's neuron (id may be NULL; else owned by the caller). */
bool sweep_neuron(const sweep_t *sweep, store_txn_t *txn, const chain_t *chain, hash_t *neuron,
                  char **id);
/* "puzzles/colours highlight gpt-4 #0", for people. Owned by the caller. */
char *sweep_label(const sweep_t *sweep, const chain_t *chain, const char *neuron_id);

hash_t sweep_explain_job(const sweep_t *sweep, const chain_t *chain, hash_t neuron);
hash_t sweep_simulate_job(const sweep_t *sweep, const char *explanation,
                          const activation_record_t *record);
hash_t sweep_score_job(const sweep_t *sweep, const char *explanation, hash_t neuron);
hash_t sweep_embed_job(const sweep_t *sweep, const char *text);
hash_t sweep_adacs_job(const sweep_t *sweep, const char *explanation, const char *baseline);

/* The text that a chain's explanation is compared with: the set's imported baseline, else the
 * record's own (a puzzle's truth); NULL if there is none. Owned by the caller. `neuron` may be
 * NULL: it is loaded if it is needed. */
char *sweep_baseline(const sweep_t *sweep, store_txn_t *txn, const chain_t *chain,
                     hash_t neuron_hash, const neuron_record_t *neuron);
/* Records that a neuron's score is made from and (calibration other than none) calibrated on; their
 * simulate jobs are those of all of them, valid first. Empty lists: the neuron gets no score. */
void sweep_score_records(const sweep_t *sweep, const neuron_record_t *neuron, split_list_t *valid,
                         split_list_t *calibration);

#endif
