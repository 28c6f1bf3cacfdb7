/* clock.h - the port for time: a monotonic clock, the UTC clock, and timers.
 *
 * Two implementations: loop.h (libuv) and the virtual clock of the rehearsals. All times are int64
 * microseconds. Monotonic times start at an arbitrary point > 0 and never go back; UTC may step.
 * Everything happens on the loop thread.
 */
#ifndef GLIA_RUNTIME_CLOCK_H
#define GLIA_RUNTIME_CLOCK_H

#include <stdint.h>

#define CLOCK_SECOND ((int64_t)1000000)
#define CLOCK_MINUTE (60 * CLOCK_SECOND)

typedef struct clock_port clock_port_t;
typedef struct clock_timer clock_timer_t;
typedef void clock_fire_t(void *context);

/* What an implementation provides; it embeds this as its first member. */
struct clock_port {
    int64_t (*now)(clock_port_t *clock);
    int64_t (*utc)(clock_port_t *clock);
    uint32_t (*era)(clock_port_t *clock);
    clock_timer_t *(*timer_create)(clock_port_t *clock, clock_fire_t *fire, void *context);
    void (*timer_start)(clock_port_t *clock, clock_timer_t *timer, int64_t at);
    void (*timer_stop)(clock_port_t *clock, clock_timer_t *timer);
    void (*timer_free)(clock_port_t *clock, clock_timer_t *timer);
};

/* Fresh on every call, never cached by a loop turn. */
static inline int64_t clock_now(clock_port_t *clock) {
    return clock->now(clock);
}
static inline int64_t clock_utc(clock_port_t *clock) {
    return clock->utc(clock);
}
/* Which monotonic times can be compared, across processes too: those of one era, that is, of one
 * boot of the machine. 0: not known, comparable to none. */
static inline uint32_t clock_era(clock_port_t *clock) {
    return clock->era(clock);
}
/* A stopped timer; `fire` is called on the loop thread, once per start, never inside start. */
static inline clock_timer_t *clock_timer_create(clock_port_t *clock, clock_fire_t *fire,
                                                void *context) {
    return clock->timer_create(clock, fire, context);
}
/* (Re)starts the timer: it fires at the first turn at or after monotonic time `at` (a
 * past time: soon). */
static inline void clock_timer_start(clock_port_t *clock, clock_timer_t *timer, int64_t at) {
    clock->timer_start(clock, timer, at);
}
static inline void clock_timer_stop(clock_port_t *clock, clock_timer_t *timer) {
    clock->timer_stop(clock, timer);
}
/* NULL is fine. The timer never fires again; may be called from inside its own `fire`. */
static inline void clock_timer_free(clock_port_t *clock, clock_timer_t *timer) {
    if (timer)
        clock->timer_free(clock, timer);
}

#endif
