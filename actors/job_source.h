/* job_source.h - where the director's jobs come from: the planner (a sweep) or a batch (a
 * file of requests).
 *
 * A source is not thread-safe. The director hands it to the executor for `step` and calls the
 * others on the loop thread, only between steps.
 */
#ifndef GLIA_ACTORS_JOB_SOURCE_H
#define GLIA_ACTORS_JOB_SOURCE_H

#include "actors/messages.h"

typedef struct {
    /* Finds up to `most` jobs that can be done now; appends to *jobs (a list by `next`, owned
     * by the caller, also after failure). `idle`: nothing else is under way. Reads the store
     * through `txn`; may block. False: *error is set, and the run is to stop (RETRYABLE:
     * paused by the world). */
    bool (*step)(void *state, store_txn_t *txn, size_t most, bool idle, job_t **jobs,
                 error_info_t *error);
    /* A job ended (any outcome). */
    void (*job_ended)(void *state, const job_t *job);
    /* A step would find nothing before some job ends. */
    bool (*is_waiting)(const void *state);
    bool (*is_finished)(const void *state);
    /* Fills in what is known of the stages, and of their totals. */
    void (*fill_facts)(const void *state, facts_t *facts);
    /* Jobs that come before all others, and that must not fail; a list by `next`, owned by the
     * caller. NULL: none. */
    job_t *(*probes)(const void *state);
    /* What must hold between steps: NULL if it does, else what does not (actor.h). NULL:
     * nothing to check. */
    const char *(*broken)(const void *state);
    void (*free)(void *state);
} job_source_steps_t;

typedef struct {
    const job_source_steps_t *steps; /* NULL: none */
    void *state;                     /* owned by whoever has the source */
} job_source_t;

#endif
