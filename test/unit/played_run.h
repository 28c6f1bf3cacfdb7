/* played_run.h - a run of a sweep in which the planner is real and everybody else is played:
 * jobs are carried out one after the other, in a drawn order, answers are those of the
 * rehearsals' providers. */
#ifndef GLIA_TEST_UNIT_PLAYED_RUN_H
#define GLIA_TEST_UNIT_PLAYED_RUN_H

#include "actors/sweep/stage.h"
#include "core/base/rng.h"

/* What became of one job. */
typedef struct {
    hash_t id;
    job_stage_t stage;
    bool bought; /* its answer was not stored yet */
} played_job_t;

typedef struct {
    store_t *store;
    const sweep_t *sweep;
    uint32_t run;
    rng_t *rng;
    /* may change a result before it is stored; NULL: nobody does */
    void (*remake)(const job_t *job, buffer_t *result);
    size_t count;
    played_job_t *jobs; /* [count] in the order in which they ended; owned: played_run_clear */
} played_run_t;

/* Forgets failures as a start does, then plays to the end; adds to the jobs. Fails the test if a
 * job cannot be built.
 */
void played_run(played_run_t *played, bool retry_failed);
void played_run_clear(played_run_t *played);
/* NULL: the job was not carried out. */
const played_job_t *played_run_find(const played_run_t *played, hash_t id);

/* What the job's stage makes of it; false: it needs no answer, or cannot be built. */
bool played_request(const sweep_t *sweep, store_txn_t *txn, job_t *job, request_t *request,
                    stage_product_t *product);
/* Stores the answer to a request; the result is its number. */
uint64_t played_response(const sweep_t *sweep, store_txn_t *txn, const request_t *request);

#endif
