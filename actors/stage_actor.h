/* stage_actor.h - the actors that carry jobs out: formatter, simulator, scorer, batcher. They
 * differ in the rows of sweep/stage.h whose jobs come to them, and in nothing else.
 *
 *   JOB -> build (on a worker) -> a request whose response is stored? -> derive (same worker) ->
 *                              WRITE result -> a request to buy -> TICKET ... ANSWERED -> derive
 *                              (on a worker) -> WRITE result -> no request needed -> WRITE result
 *   a failure at any step -> WRITE failure
 *   WRITTEN -> JOB_DONE to the director
 */
#ifndef GLIA_ACTORS_STAGE_ACTOR_H
#define GLIA_ACTORS_STAGE_ACTOR_H

#include "actors/messages.h"
#include "core/runtime/executor.h"

typedef struct {
    const sweep_t *sweep; /* whose table of stages the jobs are of */
    store_t *store;
    uint32_t run;
    executor_t *workers;
    actor_t *archivist;
    log_t *log;
} stage_actor_options_t;

/* `name`: as rows give it (stage_t.actor); static. */
actor_t *stage_actor_create(scheduler_t *scheduler, const char *name,
                            const stage_actor_options_t *options, size_t mailbox);
void stage_actor_connect(actor_t *stage_actor, actor_t *director, actor_t *pool);

#endif
