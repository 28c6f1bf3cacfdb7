/* outcome.h - a walk over the chains of a run: what became of each, for those who read results
 * (report, exports, viewer).
 *
 * States are those of chain_look.h, as the next start of the run would find them.
 */
#ifndef GLIA_ACTORS_SWEEP_OUTCOME_H
#define GLIA_ACTORS_SWEEP_OUTCOME_H

#include "actors/sweep/chain_look.h"

typedef struct {
    uint64_t number; /* of the chain */
    chain_t chain;
    const char *id; /* of the neuron */
    hash_t neuron;
    const neuron_record_t *record;
    const split_list_t *valid;       /* records that the score is made from */
    const split_list_t *calibration; /* records that it is calibrated on */
    const char *baseline;            /* what the explanation is compared with; NULL: nothing */
    const chain_look_t *look;        /* every job */
    chain_state_t explained, scored, compared;
    const explain_result_t *explanation; /* if explained is DONE */
    score_result_t score;                /* if scored is DONE; NaN: undefined */
    double adacs;                        /* if compared is DONE; NaN: undefined */
} outcome_t;

/* Everything in `outcome` is borrowed and valid until the visit returns; it may read through `txn`.
 * False with *error set stops the walk. */
typedef bool outcome_visit_t(void *context, store_txn_t *txn, const outcome_t *outcome,
                             error_info_t *error);

typedef struct {
    uint32_t run;        /* whose failures count */
    look_depth_t depth;  /* LOOK_ALL; LOOK_EACH: also simulations that a score was made from */
    uint64_t first, end; /* chains [first, end) alone; both 0: all */
} outcomes_t;

/* Visits chains of the sweep, in order, with a new read transaction every thousand chains. Memory
 * does not grow with the sweep. Blocks for the disk. Errors (FATAL): damage. */
bool outcomes_walk(store_t *store, const sweep_t *sweep, const outcomes_t *which,
                   outcome_visit_t *visit, void *context, error_info_t *error);

/* The job of a stage with SCOPE_RECORD for record i (valid, then calibration ones); needs
 * LOOK_EACH. NULL: there is none. */
const chain_job_t *outcome_of_record(const outcome_t *outcome, job_stage_t stage, size_t i);

#endif
