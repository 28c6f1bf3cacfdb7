/* planner.h - which jobs can be done now: the director's lazy walk over the sweep.
 *
 * Holds a bounded number of active chains (slots) and a cursor. Everything it knows of results it
 * looks up in the store, so a restart is the same as a first start. A job that another chain has
 * under way is waited for, not done twice. Not thread-safe: the director hands it to the executor
 * for a step and touches it only in between.
 */
#ifndef GLIA_ACTORS_PLANNER_H
#define GLIA_ACTORS_PLANNER_H

#include "actors/job_source.h"

typedef struct planner planner_t;

typedef struct {
    struct {
        uint64_t done, failed; /* jobs that are over, counted once for each chain that they serve */
        /* of the finished chains, those that have such jobs: for estimates of totals */
        uint64_t chains;
    } stages[JOB_STAGES]; /* by number; those that are counted (stage_is_counted) */
    uint64_t chains_finished;
} planner_counts_t;

/* `slots`: active chains at most; `run`: whose failures count. Borrows the sweep. */
planner_t *planner_create(const sweep_t *sweep, uint32_t run, size_t slots);
void planner_free(planner_t *planner);

/* Finds up to `most` jobs that can be done now and registers them as under way; appends to *jobs (a
 * list by `next`, owned by the caller). `idle`: nothing else is under way, so embeddings that wait
 * to fill a request go now. Reads the store through `txn`. */
size_t planner_step(planner_t *planner, store_txn_t *txn, size_t most, bool idle, job_t **jobs);
/* A job ended (any outcome): those who wait for it look at the store again at the next step. */
void planner_job_ended(planner_t *planner, const job_t *job);
/* Nothing is left to look at before some job ends. */
bool planner_is_waiting(const planner_t *planner);
/* All chains are finished. */
bool planner_is_finished(const planner_t *planner);
const planner_counts_t *planner_counts(const planner_t *planner);
/* What must hold between steps; NULL if it does. */
const char *planner_broken(const planner_t *planner);

/* A planner of its own for the director, with the sweep's probes and run.window slots.
 * Borrows the sweep. */
job_source_t planner_source(const sweep_t *sweep, uint32_t run);

#endif
