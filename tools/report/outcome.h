/* outcome.h - what became of each chain of a run, read from the store. Shared by report and export.
 *
 * FAILED is what a run gave up on for good; what will be tried again, and what nobody tried yet, is MISSING.
 */
#ifndef GLIA_TOOLS_REPORT_OUTCOME_H
#define GLIA_TOOLS_REPORT_OUTCOME_H

#include "actors/results.h"
#include "actors/sweep.h"
#include "store/env.h"

typedef enum {
    RESULT_UNWANTED, /* the chain gets no such result: nothing to score on, nothing to compare with */
    RESULT_MISSING,
    RESULT_FAILED, /* it, or what it is made from */
    RESULT_DONE,
} result_state_t;
const char *result_state_name(result_state_t state);

typedef struct {
    uint64_t number; /* of the chain */
    chain_t chain;
    const char *id; /* of the neuron */
    hash_t neuron;
    const neuron_record_t *record;
    const split_list_t *valid;       /* records that the score is made from */
    const split_list_t *calibration; /* records that it is calibrated on */
    const char *baseline;            /* what the explanation is compared with; NULL: nothing */
    result_state_t explained, scored, compared;
    explain_result_t explanation; /* if explained is DONE */
    score_result_t score;         /* if scored is DONE; NaN: undefined */
    double adacs;                 /* if compared is DONE; NaN: undefined */
} outcome_t;

/* Everything in `outcome` is borrowed and valid until the visit returns; it may read through `txn`. False with *error
 * set stops the walk. */
typedef bool outcome_visit_t(void *context, store_txn_t *txn, const outcome_t *outcome, error_info_t *error);

/* Visits every chain of the sweep, in order, with a new read transaction every thousand chains. `run`: whose failures
 * count. Memory does not grow with the sweep. Blocks for the disk. */
bool outcomes_walk(store_t *store, const sweep_t *sweep, uint32_t run, outcome_visit_t *visit, void *context,
                   error_info_t *error);

/* The same for chains [first, end) alone. */
bool outcomes_walk_range(store_t *store, const sweep_t *sweep, uint32_t run, uint64_t first, uint64_t end,
                         outcome_visit_t *visit, void *context, error_info_t *error);

/* The state of one job of the run. DONE: *result is its entry, borrowed from the transaction. */
result_state_t result_of_job(store_txn_t *txn, uint32_t run, hash_t job, const void **result, size_t *size);

#endif
