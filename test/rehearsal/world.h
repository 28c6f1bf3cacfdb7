/* world.h - virtual time: one seeded queue of events behind the clock and executor ports.
 *
 * Nothing happens but by popping the earliest event; between events no time passes, at an event the
 * clock jumps to it. Events of the same instant come in an order drawn from the seed, so that
 * nobody can rely on one. The same seed and the same calls give the same rehearsal, event by event.
 */
#ifndef GLIA_TEST_WORLD_H
#define GLIA_TEST_WORLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/rng.h"
#include "core/runtime/clock.h"
#include "core/runtime/executor.h"

typedef struct world world_t;

/* `utc`: what the UTC clock shows at first, microseconds. */
world_t *world_create(uint64_t seed, int64_t utc);
void world_free(world_t *world); /* executors and timers have been freed */
clock_port_t *world_clock(world_t *world);
int64_t world_now(const world_t *world); /* monotonic */
rng_t *world_rng(world_t *world);
/* Steps the UTC clock. */
void world_step_utc(world_t *world, int64_t by);
/* Nobody is at home: time passes without an event (events that were due come late). */
void world_sleep(world_t *world, int64_t duration);
/* 0 to `most` microseconds, drawn. */
int64_t world_draw(world_t *world, int64_t most);

/* One event at monotonic time `at`. Returned so that it can be taken back before it fires; then, or
 * when it fires, it is gone. */
typedef struct world_event world_event_t;
world_event_t *world_schedule(world_t *world, int64_t at, clock_fire_t *fire, void *context);
void world_cancel(world_t *world, world_event_t *event);

typedef enum {
    WORLD_STOPPED, /* by world_stop */
    WORLD_EMPTY,   /* no event is left */
    WORLD_LIMIT,   /* so many events, or so late, and no end */
} world_end_t;

/* Called after each event. */
typedef void world_watch_t(void *context);
void world_set_watch(world_t *world, world_watch_t *watch, void *context);
world_end_t world_run(world_t *world, uint64_t most_events, int64_t until);
/* Makes world_run return after the present event. */
void world_stop(world_t *world);
uint64_t world_events(const world_t *world); /* so far */

/* SHUFFLED: each work is done at a time of its own within `slowest` microseconds, as by many
 * threads. FIFO: one after the other in order of submission, as by one thread. `done` comes as an
 * event of its own, later. */
typedef enum { WORLD_SHUFFLED, WORLD_FIFO } world_order_t;
executor_t *world_executor_create(world_t *world, world_order_t order, int64_t slowest);
/* Work that was not done yet is done now, and all its `done` are called, as
 * loop_executor_free does. */
void world_executor_free(executor_t *executor);

#endif
