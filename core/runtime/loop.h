/* loop.h - the real world's loop: libuv behind glia's ports. loop.c is the one file
 * that includes uv.h.
 *
 * One loop, one thread. It provides the clock, executors, signals, and readiness of file
 * descriptors (for http_curl). Timers have a resolution of 1 ms and are never early. Handles
 * outlive requests: every free here defers the release to libuv's close callback.
 */
#ifndef GLIA_RUNTIME_LOOP_H
#define GLIA_RUNTIME_LOOP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/error.h"
#include "core/runtime/clock.h"
#include "core/runtime/executor.h"

typedef struct loop loop_t;

loop_t *loop_create(error_info_t *error);
/* Runs until loop_stop() or nothing is left to wait for: no started timer, no outstanding work of
 * an executor, no watch that is set. May be called again. */
void loop_run(loop_t *loop);
/* Makes loop_run return after the current turn. Loop thread only. */
void loop_stop(loop_t *loop);
/* All timers, watches, executors and signals must have been freed. Blocks for the
 * close callbacks. */
void loop_free(loop_t *loop);

clock_port_t *loop_clock(loop_t *loop); /* lives as long as the loop */
/* The clock of the system, UTC, microseconds; for those who have no loop. */
int64_t loop_utc(void);

/* `threads` workers of their own (1..64), FIFO; submit on the loop thread only: what a turn of the
 * loop submits is handed over together, when it ends. free waits for running work; work that has
 * not begun is run too, and all its `done` are called before free returns. */
executor_t *loop_executor_create(loop_t *loop, unsigned threads, error_info_t *error);
void loop_executor_free(executor_t *executor);

/* One signal (SIGINT, SIGTERM, ...) as a callback on the loop thread; does not keep the loop alive.
 * NULL: the signal cannot be caught (SIGKILL). */
typedef struct loop_signal loop_signal_t;
typedef void loop_signal_fire_t(void *context, int signal_number);
loop_signal_t *loop_signal_create(loop_t *loop, int signal_number, loop_signal_fire_t *fire,
                                  void *context);
void loop_signal_free(loop_signal_t *signal);

/* Readiness of a file descriptor. `events`: LOOP_READABLE | LOOP_WRITABLE; `fire` gets what is
 * ready, or LOOP_BROKEN alone on an error condition of the fd (a refused connect, a reset); the
 * watch is then stopped until it is set again. A watch that is set keeps the loop alive, unless set
 * with LOOP_UNHELD as well. Does not own `fd`. */
enum { LOOP_READABLE = 1, LOOP_WRITABLE = 2, LOOP_BROKEN = 4, LOOP_UNHELD = 8 };
typedef struct loop_watch loop_watch_t;
typedef void loop_watch_fire_t(void *context, int fd, int events);
loop_watch_t *loop_watch_create(loop_t *loop, int fd, loop_watch_fire_t *fire,
                                void *context);       /* NULL: cannot poll fd */
void loop_watch_set(loop_watch_t *watch, int events); /* 0 stops */
void loop_watch_free(loop_watch_t *watch);            /* the fd may be closed right after */

/* How late the loop is: a probe timer every 20 ms while loop_run runs, its lateness in a histogram.
 * Quantile q in [0,1] of the lateness so far, in microseconds; 0 before the first probe. */
int64_t loop_lag_quantile(loop_t *loop, double q);
uint64_t loop_lag_samples(loop_t *loop);

#endif
