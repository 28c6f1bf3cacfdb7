/* director.h - carries a run from its first probe to its last job.
 *
 *   PROBING --all probes fine--> RUNNING --source finished--> FINISHED
 *      |                            |
 *      '---probe failed, interrupt, standstill, disk---> STOPPING --nothing in flight--> FINISHED
 *
 * Keeps at most run.window jobs in flight and asks its source (on a worker) for more whenever it
 * has room. STOPPING takes no new work; the client_pool hands back what has not started. FINISHED
 * reports the outcome, once.
 */
#ifndef GLIA_ACTORS_DIRECTOR_H
#define GLIA_ACTORS_DIRECTOR_H

#include "actors/job_source.h"
#include "core/runtime/executor.h"

typedef enum {
    END_DONE,      /* everything is done */
    END_FAILURES,  /* done, with terminally failed jobs */
    END_RETRYABLE, /* done but for jobs that failed for now */
    END_CAP,       /* paused at a cap */
    END_WORLD,     /* paused: quota, credentials, outage, disk */
    END_CONFIG,    /* a probe or a cap says that the config cannot work */
    END_INTERRUPTED,
    END_INTERNAL,
} run_end_t;

typedef struct {
    run_end_t end;
    char message[1024]; /* what a person is told; "" for DONE */
    uint64_t failed;    /* jobs, terminally */
    uint64_t retryable; /* jobs, for now */
    facts_t facts;      /* the director's part, as it ended */
} run_outcome_t;

typedef void director_finished_t(void *context, const run_outcome_t *outcome);

typedef struct {
    const settings_t *settings;
    job_source_t source; /* the director owns it */
    store_t *store;
    executor_t *workers;
    log_t *log;
    director_finished_t *finished; /* on the loop thread, once */
    void *context;
} director_options_t;

actor_t *director_create(scheduler_t *scheduler, const director_options_t *options, size_t mailbox);
/* `stages`: who does the jobs of each stage, by number. */
void director_connect(actor_t *director, actor_t *const stages[JOB_STAGES], actor_t *pool);

#endif
