/* test_loop.c - clock, timers, executors, signals and watches on libuv. */
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/base/memory.h"
#include "core/runtime/loop.h"

typedef struct {
    loop_t *loop;
    clock_port_t *clock;
} world_t;

static int setup(void **state) {
    world_t *world = MEMORY_NEW(world_t);
    error_info_t error;
    world->loop = loop_create(&error);
    assert_non_null(world->loop);
    world->clock = loop_clock(world->loop);
    *state = world;
    return 0;
}

static int teardown(void **state) {
    world_t *world = *state;
    loop_free(world->loop);
    free(world);
    return 0;
}

/* --- clock and timers ------------------------------------------------------------------------- */

static void clocks_go_forward(void **state) {
    world_t *world = *state;
    int64_t before = clock_now(world->clock);
    assert_true(before > 0);
    while (clock_now(world->clock) == before) /* fresh on every call: this ends */
        continue;
    assert_true(clock_now(world->clock) > before);
    assert_true(clock_utc(world->clock) > 1600000000 * CLOCK_SECOND);
    assert_true(clock_era(world->clock) != 0 && clock_era(world->clock) == clock_era(world->clock));
}

typedef struct {
    clock_port_t *clock;
    clock_timer_t *timer;
    int64_t at;
    unsigned fired;
    unsigned *order; /* a shared counter */
    unsigned place;
} alarm_t;

static void alarm_fired(void *context) {
    alarm_t *alarm = context;
    assert_true(clock_now(alarm->clock) >= alarm->at);
    alarm->fired++;
    if (alarm->order)
        alarm->place = (*alarm->order)++;
}

static void alarm_start(alarm_t *alarm, clock_port_t *clock, int64_t at) {
    alarm->clock = clock;
    alarm->at = at;
    if (!alarm->timer)
        alarm->timer = clock_timer_create(clock, alarm_fired, alarm);
    clock_timer_start(clock, alarm->timer, at);
}

static void timers_fire_once_in_order_and_never_early(void **state) {
    world_t *world = *state;
    enum { COUNT = 50, PAST = 10 };
    alarm_t alarms[COUNT] = {{0}};
    unsigned order = 0;
    int64_t start = clock_now(world->clock);
    for (size_t i = 0; i < COUNT; i++) {
        alarms[i].order = &order;
        /* Some in the past, the others every 1.37 ms, which no libuv timer can hit. */
        alarm_start(&alarms[i], world->clock,
                    i < PAST ? start - (int64_t)i : start + (int64_t)i * 1370);
    }
    bool in_time = clock_now(world->clock) < alarms[PAST].at;
    for (size_t i = 0; i < COUNT; i++)
        assert_int_equal(alarms[i].fired, 0); /* not inside start */
    loop_run(world->loop);
    for (size_t i = 0; i < COUNT; i++) {
        assert_int_equal(alarms[i].fired, 1);
        assert_true(alarms[i].place == i || !in_time);
        clock_timer_free(world->clock, alarms[i].timer);
    }
}

static void timers_stop_and_restart(void **state) {
    world_t *world = *state;
    alarm_t stopped = {0}, soon_stopped = {0}, moved = {0}, freed = {0};
    int64_t start = clock_now(world->clock);
    alarm_start(&stopped, world->clock, start + 1000);
    clock_timer_stop(world->clock, stopped.timer);
    alarm_start(&soon_stopped, world->clock, start - 1000);
    clock_timer_stop(world->clock, soon_stopped.timer);
    alarm_start(&moved, world->clock, start - 1000);
    alarm_start(&moved, world->clock, start + CLOCK_MINUTE);
    alarm_start(&moved, world->clock, start + 5000); /* assertion in alarm_fired: not before */
    alarm_start(&freed, world->clock, start);
    clock_timer_free(world->clock, freed.timer);
    clock_timer_free(world->clock, NULL);
    loop_run(world->loop); /* returns: a stopped timer keeps nothing alive */
    assert_int_equal(stopped.fired + soon_stopped.fired + freed.fired, 0);
    assert_int_equal(moved.fired, 1);
    clock_timer_free(world->clock, stopped.timer);
    clock_timer_free(world->clock, soon_stopped.timer);
    clock_timer_free(world->clock, moved.timer);
}

typedef struct {
    clock_port_t *clock;
    clock_timer_t *self;
    clock_timer_t *victim;
} killer_t;

static void killer_fired(void *context) {
    killer_t *killer = context;
    clock_timer_free(killer->clock, killer->self);
    clock_timer_free(killer->clock, killer->victim);
}

static void timers_may_be_freed_while_firing(void **state) {
    world_t *world = *state;
    const int64_t delays[] = {-1, 2000}; /* due at once, and by way of libuv */
    for (size_t i = 0; i < 2; i++) {
        int64_t at = clock_now(world->clock) + delays[i];
        killer_t killer = {.clock = world->clock};
        alarm_t victim = {0};
        killer.self = clock_timer_create(world->clock, killer_fired, &killer);
        clock_timer_start(world->clock, killer.self, at);
        alarm_start(&victim, world->clock, at); /* due in the same turn, after the killer */
        killer.victim = victim.timer;
        bool same_turn = delays[i] < 0 || clock_now(world->clock) < at;
        loop_run(world->loop);
        assert_true(victim.fired == 0 || !same_turn);
    }
}

typedef struct {
    world_t *world;
    clock_timer_t *timer;
    int pipe[2];
    loop_watch_t *watch;
    unsigned turns;
    bool read;
} busy_t;

static void busy_turn(void *context) {
    busy_t *busy = context;
    if (busy->turns++ == 3)
        assert_int_equal(write(busy->pipe[1], "x", 1), 1);
    assert_true(busy->turns < 100000);
    if (!busy->read)
        clock_timer_start(busy->world->clock, busy->timer, clock_now(busy->world->clock));
}

static void busy_readable(void *context, int fd, int events) {
    busy_t *busy = context;
    assert_int_equal(events, LOOP_READABLE);
    assert_int_equal(fd, busy->pipe[0]);
    busy->read = true;
    loop_watch_set(busy->watch, 0);
}

/* As the actors' scheduler does: a timer that is always due must not keep input from being seen. */
static void timer_that_restarts_itself_starves_nothing(void **state) {
    busy_t busy = {.world = *state};
    assert_int_equal(pipe(busy.pipe), 0);
    busy.watch = loop_watch_create(busy.world->loop, busy.pipe[0], busy_readable, &busy);
    assert_non_null(busy.watch);
    loop_watch_set(busy.watch, LOOP_READABLE);
    busy.timer = clock_timer_create(busy.world->clock, busy_turn, &busy);
    clock_timer_start(busy.world->clock, busy.timer, 0);
    loop_run(busy.world->loop);
    assert_true(busy.read);
    loop_watch_free(busy.watch);
    close(busy.pipe[0]);
    close(busy.pipe[1]);
    clock_timer_free(busy.world->clock, busy.timer);
}

static void stop_fired(void *context) {
    loop_stop(context);
}

static void stop_returns_and_run_resumes(void **state) {
    world_t *world = *state;
    alarm_t later = {0};
    clock_timer_t *stop = clock_timer_create(world->clock, stop_fired, world->loop);
    clock_timer_start(world->clock, stop, clock_now(world->clock));
    alarm_start(&later, world->clock, clock_now(world->clock) + 50 * 1000);
    loop_run(world->loop);
    assert_int_equal(later.fired, 0);
    loop_run(world->loop);
    assert_int_equal(later.fired, 1);
    clock_timer_free(world->clock, stop);
    clock_timer_free(world->clock, later.timer);
}

/* --- executors -------------------------------------------------------------------------------- */

enum { JOBS = 200 };
typedef struct {
    executor_t *executor;
    pthread_t loop_thread;
    bool inside_submit;
    unsigned worked; /* the worker's until all is done, as are the next two */
    bool on_loop_thread;
    unsigned order[JOBS];
    unsigned done;
} batch_t;
typedef struct {
    batch_t *batch;
    unsigned index;
} job_t;

static void job_work(void *context) {
    job_t *job = context;
    job->batch->on_loop_thread |= pthread_equal(pthread_self(), job->batch->loop_thread) != 0;
    job->batch->order[job->batch->worked++] = job->index; /* one thread: no lock needed */
}

static void job_done(void *context) {
    job_t *job = context;
    batch_t *batch = job->batch;
    assert_true(pthread_equal(pthread_self(), batch->loop_thread));
    assert_false(batch->inside_submit);
    assert_int_equal(job->index, batch->done);
    batch->done++;
}

static void submit_all(batch_t *batch, job_t jobs[JOBS]) {
    batch->loop_thread = pthread_self();
    for (unsigned i = 0; i < JOBS; i++) {
        jobs[i] = (job_t){batch, i};
        batch->inside_submit = true;
        executor_submit(batch->executor, job_work, job_done, &jobs[i]);
        batch->inside_submit = false;
    }
}

static void one_thread_works_in_order(void **state) {
    world_t *world = *state;
    error_info_t error;
    batch_t batch = {.executor = loop_executor_create(world->loop, 1, &error)};
    job_t jobs[JOBS];
    assert_non_null(batch.executor);
    submit_all(&batch, jobs);
    loop_run(world->loop); /* outstanding work keeps it alive; the idle executor then does not */
    assert_int_equal(batch.done, JOBS);
    assert_false(batch.on_loop_thread);
    for (unsigned i = 0; i < JOBS; i++)
        assert_int_equal(batch.order[i], i);
    loop_run(world->loop);
    loop_executor_free(batch.executor);
}

static void free_finishes_all_work(void **state) {
    world_t *world = *state;
    error_info_t error;
    batch_t batch = {.executor = loop_executor_create(world->loop, 1, &error)};
    job_t jobs[JOBS];
    submit_all(&batch, jobs);
    loop_executor_free(batch.executor); /* the loop never ran */
    assert_int_equal(batch.done, JOBS);
    loop_run(world->loop);
}

static void count_work(void *context) {
    (void)context;
}

typedef struct {
    executor_t *executor;
    unsigned left;
    unsigned done;
} again_t;

static void again_done(void *context) {
    again_t *again = context;
    again->done++;
    if (again->left-- > 0)
        executor_submit(again->executor, count_work, again_done, again);
}

static void done_may_submit_even_while_freeing(void **state) {
    world_t *world = *state;
    error_info_t error;
    again_t again = {.executor = loop_executor_create(world->loop, 2, &error), .left = 20};
    executor_submit(again.executor, count_work, again_done, &again);
    loop_run(world->loop);
    assert_int_equal(again.done, 21);
    again = (again_t){.executor = again.executor, .left = 20};
    executor_submit(again.executor, count_work, again_done, &again);
    loop_executor_free(again.executor);
    assert_int_equal(again.done, 21);
}

typedef struct {
    executor_t *executor;
    unsigned done;
    bool freed;
} last_t;

static void last_done(void *context) {
    last_t *last = context;
    last->done++;
    if (!last->freed) {
        last->freed = true;
        loop_executor_free(last->executor);
        assert_int_equal(last->done, 10);
    }
}

static void executor_may_be_freed_in_done(void **state) {
    world_t *world = *state;
    error_info_t error;
    last_t last = {.executor = loop_executor_create(world->loop, 3, &error)};
    for (int i = 0; i < 10; i++)
        executor_submit(last.executor, count_work, last_done, &last);
    loop_run(world->loop);
    assert_int_equal(last.done, 10);
}

/* Each of two works waits for the other: only two threads get through. */
typedef struct {
    pthread_barrier_t *barrier;
    unsigned *done;
} meeting_t;

static void meeting_work(void *context) {
    pthread_barrier_wait(((meeting_t *)context)->barrier);
}

static void meeting_done(void *context) {
    ++*((meeting_t *)context)->done;
}

static void threads_work_at_the_same_time(void **state) {
    world_t *world = *state;
    error_info_t error;
    pthread_barrier_t barrier;
    unsigned done = 0;
    assert_int_equal(pthread_barrier_init(&barrier, NULL, 4), 0);
    meeting_t meeting = {&barrier, &done};
    executor_t *executor = loop_executor_create(world->loop, 4, &error);
    for (int i = 0; i < 40; i++)
        executor_submit(executor, meeting_work, meeting_done, &meeting);
    loop_run(world->loop);
    assert_int_equal(done, 40);
    loop_executor_free(executor);
    pthread_barrier_destroy(&barrier);
}

static void thread_counts_are_checked(void **state) {
    world_t *world = *state;
    error_info_t error;
    assert_null(loop_executor_create(world->loop, 0, &error));
    assert_int_equal(error.class_, ERROR_USAGE);
    assert_null(loop_executor_create(world->loop, 65, &error));
}

/* --- signals and watches ---------------------------------------------------------------------- */

static void signal_seen(void *context, int signal_number) {
    assert_int_equal(signal_number, SIGUSR1);
    ++*(unsigned *)context;
}

typedef struct {
    world_t *world;
    clock_timer_t *timer;
    unsigned *seen;
    bool raised;
} raiser_t;

static void raiser_fired(void *context) {
    raiser_t *raiser = context;
    if (!raiser->raised)
        assert_int_equal(raise(SIGUSR1), 0);
    raiser->raised = true;
    if (*raiser->seen == 0)
        clock_timer_start(raiser->world->clock, raiser->timer, clock_now(raiser->world->clock));
}

static void signals_arrive_and_keep_nothing_alive(void **state) {
    world_t *world = *state;
    unsigned seen = 0;
    assert_null(loop_signal_create(world->loop, SIGKILL, signal_seen, &seen));
    loop_signal_t *caught = loop_signal_create(world->loop, SIGUSR1, signal_seen, &seen);
    assert_non_null(caught);
    loop_run(world->loop); /* returns */
    raiser_t raiser = {.world = world, .seen = &seen};
    raiser.timer = clock_timer_create(world->clock, raiser_fired, &raiser);
    clock_timer_start(world->clock, raiser.timer, 0);
    loop_run(world->loop);
    assert_int_equal(seen, 1);
    clock_timer_free(world->clock, raiser.timer);
    loop_signal_free(caught);
    loop_signal_free(NULL);
}

typedef struct {
    loop_watch_t *watch;
    int events;
    unsigned fired;
} ready_t;

static void ready_once(void *context, int fd, int events) {
    (void)fd;
    ready_t *ready = context;
    ready->events = events;
    ready->fired++;
    loop_watch_set(ready->watch, 0);
}

static void watches_report_readiness(void **state) {
    world_t *world = *state;
    int ends[2];
    ready_t reader = {0}, writer = {0};
    assert_int_equal(pipe(ends), 0);
    reader.watch = loop_watch_create(world->loop, ends[0], ready_once, &reader);
    writer.watch = loop_watch_create(world->loop, ends[1], ready_once, &writer);
    assert_null(loop_watch_create(world->loop, -1, ready_once, NULL));
    loop_run(world->loop); /* not set yet: returns */
    loop_watch_set(writer.watch, LOOP_WRITABLE);
    loop_run(world->loop);
    assert_int_equal(writer.events, LOOP_WRITABLE);
    assert_int_equal(write(ends[1], "x", 1), 1);
    loop_watch_set(reader.watch, LOOP_READABLE);
    loop_run(world->loop);
    assert_int_equal(reader.events, LOOP_READABLE);
    /* The reading end goes: an error condition at the writing end, more than once if asked. */
    loop_watch_free(reader.watch);
    close(ends[0]);
    for (unsigned i = 2; i <= 3; i++) {
        loop_watch_set(writer.watch, LOOP_WRITABLE);
        loop_run(world->loop);
        assert_int_equal(writer.events, LOOP_BROKEN);
        assert_int_equal(writer.fired, i);
    }
    loop_watch_free(writer.watch);
    loop_watch_free(NULL);
    close(ends[1]);
}

/* --- lag -------------------------------------------------------------------------------------- */

static void hog_fired(void *context) {
    clock_port_t *clock = context;
    for (int64_t end = clock_now(clock) + 100 * 1000; clock_now(clock) < end;)
        continue;
}

static void lag_is_measured(void **state) {
    world_t *world = *state;
    assert_int_equal(loop_lag_quantile(world->loop, 0.99), 0);
    assert_int_equal(loop_lag_samples(world->loop), 0);
    clock_timer_t *hog = clock_timer_create(world->clock, hog_fired, world->clock);
    alarm_t end = {0};
    clock_timer_start(world->clock, hog, clock_now(world->clock));
    do { /* once, unless the machine is so busy that the alarm is late as well */
        alarm_start(&end, world->clock, clock_now(world->clock) + 200 * 1000);
        loop_run(world->loop);
    } while (loop_lag_samples(world->loop) < 2);
    /* the probe was due 20 ms into the 100 */
    assert_true(loop_lag_quantile(world->loop, 1) >= 80 * 1000);
    assert_true(loop_lag_quantile(world->loop, 0) <= loop_lag_quantile(world->loop, 1));
    clock_timer_free(world->clock, hog);
    clock_timer_free(world->clock, end.timer);
}

int main(void) {
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        CASE(clocks_go_forward),
        CASE(timers_fire_once_in_order_and_never_early),
        CASE(timers_stop_and_restart),
        CASE(timers_may_be_freed_while_firing),
        CASE(timer_that_restarts_itself_starves_nothing),
        CASE(stop_returns_and_run_resumes),
        CASE(one_thread_works_in_order),
        CASE(free_finishes_all_work),
        CASE(done_may_submit_even_while_freeing),
        CASE(executor_may_be_freed_in_done),
        CASE(threads_work_at_the_same_time),
        CASE(thread_counts_are_checked),
        CASE(signals_arrive_and_keep_nothing_alive),
        CASE(watches_report_readiness),
        CASE(lag_is_measured),
    };
#undef CASE
    return cmocka_run_group_tests_name("loop", tests, NULL, NULL);
}
