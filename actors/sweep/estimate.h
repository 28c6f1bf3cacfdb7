/* estimate.h - what a sweep takes: jobs, tokens, cost, disk. Shared by `plan` (what is left to do)
 * and `report` (what all of it was expected to take). Sends nothing.
 */
#ifndef GLIA_ACTORS_SWEEP_ESTIMATE_H
#define GLIA_ACTORS_SWEEP_ESTIMATE_H

#include "actors/sweep/chain_look.h"

typedef struct {
    /* stored: the answer is there, only the result has to be derived */
    uint64_t jobs, done, stored;
    /* jobs that failed for good; not those that only wait for such a one */
    uint64_t failed;
    uint64_t requests; /* to buy */
    double input_tokens, output_tokens;
    double expected; /* dollars */
    money_t worst;
    double charge; /* tokens against tokens/min */
    double disk;   /* bytes */
} estimate_t;

typedef struct {
    size_t model_count;
    estimate_t stages[JOB_STAGES]; /* by number */
    estimate_t *models;            /* [model_count] */
    estimate_t *cells;             /* [JOB_STAGES][model_count] */
    uint64_t too_long;             /* jobs whose prompt does not fit */
    uint64_t dropped;              /* prompts that lose few-shot examples */
    uint64_t chains, neurons;
    char first_trouble[512]; /* of the first that is too long */
} estimate_sums_t;

typedef struct {
    /* LOOK_NEXT_START, LOOK_RETRY; or LOOK_EMPTY: every request counts, stored or not */
    look_as_of_t as_of;
    /* only every so many-th neuron of each set is looked at, from the first on; 0: all */
    uint32_t stride;
} estimate_options_t;

/* Adds up what chain_look.h says of every chain: renders the prompts of every chain that is looked
 * at (sweep_create, not of a snapshot) within one transaction. Errors: damage in the store. The
 * caller releases with estimate_clear, also after failure. */
bool estimate_sweep(const sweep_t *sweep, store_txn_t *txn, uint32_t run,
                    const estimate_options_t *options, estimate_sums_t *sums, error_info_t *error);
void estimate_clear(estimate_sums_t *sums);
/* Sums over all stages; jobs are not added up. */
estimate_t estimate_total(const estimate_sums_t *sums);
/* Hours at the limits of the endpoint that each model prefers; endpoints work side by side.
 * *slowest: the endpoint that takes longest, NULL if no limit is set. */
double estimate_hours(const settings_t *settings, const estimate_sums_t *sums,
                      const char **slowest);

#endif
