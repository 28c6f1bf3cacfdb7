/* loop.c - the ports clock, executor, signals and readiness on libuv. The one file
 * that includes uv.h.
 *
 * Who keeps uv_run alive: a started timer (its uv_timer_t, or the idle handle behind `soon`), an
 * active watch, an executor's watch while work is outstanding among them (watches_hold). The lag
 * probe, signals and idle executors are unreferenced.
 */
#include "core/runtime/loop.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>
#include <uv.h>

#include "core/base/buffer.h"
#include "core/base/hash.h"
#include "core/base/memory.h"
#include "core/runtime/histogram.h"
#include "core/runtime/loop_watches.h"

enum {
    LAG_PERIOD_MS = 20,
    WORKER_NICE = 5,
    /* more turns than any close callback needs; past it a handle was never freed */
    CLOSE_TURNS = 1000,
    THREADS_MAXIMUM = 64,
};

/* A circular list with a sentinel; a link that points to itself is on no list. */
typedef struct link {
    struct link *next;
    struct link *previous;
} link_t;

struct loop {
    clock_port_t clock; /* first member: a clock_port_t of this loop is the loop */
    uint32_t era;       /* of the clock */
    uv_loop_t uv;
    uv_timer_t lag_timer;
    uv_idle_t soon_idle; /* active while `soon` holds a timer, so that the turn does not wait */
    link_t soon;         /* timers that were due when they were started, in order of start */
    link_t firing;       /* those of this turn; a timer that is restarted now waits for the next */
    uint64_t lag_due;    /* loop time, milliseconds */
    watches_t *watches;
    uv_poll_t watches_poll;   /* on the descriptor of `watches` */
    uv_prepare_t before_wait; /* unreferenced */
    histogram_t lag;
};

/* --- lists ------------------------------------------------------------------------------------ */

static void link_clear(link_t *link) {
    link->next = link;
    link->previous = link;
}

static bool link_alone(const link_t *link) {
    return link->next == link;
}

static void link_remove(link_t *link) {
    link->previous->next = link->next;
    link->next->previous = link->previous;
    link_clear(link);
}

static void link_append(link_t *list, link_t *link) {
    link->previous = list->previous;
    link->next = list;
    list->previous->next = link;
    list->previous = link;
}

/* Moves all of `from` behind what is in `to`. */
static void link_splice(link_t *to, link_t *from) {
    if (link_alone(from))
        return;
    from->next->previous = to->previous;
    to->previous->next = from->next;
    from->previous->next = to;
    to->previous = from->previous;
    link_clear(from);
}

/* --- clock and timers ------------------------------------------------------------------------- */

struct clock_timer {
    uv_timer_t uv; /* first member: the handle is the timer */
    link_t soon;
    clock_fire_t *fire;
    void *context;
    int64_t at;
};

static int64_t now_microseconds(void) {
    return (int64_t)(uv_hrtime() / 1000);
}

static int64_t clock_now_uv(clock_port_t *clock) {
    (void)clock;
    return now_microseconds();
}

int64_t loop_utc(void) {
    struct timespec now;
    if (clock_gettime(CLOCK_REALTIME, &now) != 0)
        abort(); /* cannot fail for CLOCK_REALTIME */
    return (int64_t)now.tv_sec * CLOCK_SECOND + now.tv_nsec / 1000;
}

static int64_t clock_utc_real(clock_port_t *clock) {
    (void)clock;
    return loop_utc();
}

static uint32_t clock_era_boot(clock_port_t *clock) {
    return ((loop_t *)clock)->era;
}

/* Of the boot's random id (Linux). */
static uint32_t read_era(void) {
    static const char path[] = "/proc/sys/kernel/random/boot_id";
    buffer_t id = BUFFER_EMPTY;
    error_info_t error;
    uint32_t era = 0;
    if (buffer_read_file(&id, path, 4096, &error))
        era = (uint32_t)hash_low64(hash_bytes(id.data, id.length));
    buffer_free(&id);
    return era;
}

static clock_timer_t *timer_create_uv(clock_port_t *clock, clock_fire_t *fire, void *context) {
    loop_t *loop = (loop_t *)clock;
    clock_timer_t *timer = MEMORY_NEW(clock_timer_t);
    uv_timer_init(&loop->uv, &timer->uv);
    link_clear(&timer->soon);
    timer->fire = fire;
    timer->context = context;
    return timer;
}

static void timer_stop_uv(clock_port_t *clock, clock_timer_t *timer) {
    loop_t *loop = (loop_t *)clock;
    uv_timer_stop(&timer->uv);
    link_remove(&timer->soon);
    if (link_alone(&loop->soon) && link_alone(&loop->firing))
        uv_idle_stop(&loop->soon_idle);
}

static void timer_wait(clock_timer_t *timer);

static void timer_expired(uv_timer_t *handle) {
    clock_timer_t *timer = (clock_timer_t *)handle;
    if (now_microseconds() < timer->at)
        timer_wait(timer); /* never early, whatever the resolution of libuv's own clock */
    else
        timer->fire(timer->context);
}

/* libuv's loop time is the monotonic clock in whole milliseconds and may be stale within a
 * turn. A uv timer of `due - loop time` expires at loop time `due`, stale or not; `due` is
 * `at` rounded up. */
static void timer_wait(clock_timer_t *timer) {
    uv_update_time(timer->uv.loop);
    uint64_t due = ((uint64_t)timer->at + 999) / 1000;
    uint64_t current = uv_now(timer->uv.loop);
    uv_timer_start(&timer->uv, timer_expired, due > current ? due - current : 1, 0);
}

/* libuv runs a timer that is due within the very pass that started it, so that one which restarts
 * itself would starve all input. Timers that are due already therefore go through an idle handle:
 * a batch a turn. */
static void soon_turn(uv_idle_t *idle) {
    loop_t *loop = idle->data;
    link_splice(&loop->firing, &loop->soon);
    while (!link_alone(&loop->firing)) {
        link_t *link = loop->firing.next;
        link_remove(link);
        clock_timer_t *timer =
            (clock_timer_t *)(void *)((char *)link - offsetof(clock_timer_t, soon));
        timer->fire(timer->context);
    }
    if (link_alone(&loop->soon))
        uv_idle_stop(idle);
}

static void timer_start_uv(clock_port_t *clock, clock_timer_t *timer, int64_t at) {
    loop_t *loop = (loop_t *)clock;
    uv_timer_stop(&timer->uv);
    link_remove(&timer->soon);
    timer->at = at;
    if (at > now_microseconds()) {
        timer_wait(timer);
        return;
    }
    link_append(&loop->soon, &timer->soon);
    uv_idle_start(&loop->soon_idle, soon_turn);
}

static void timer_closed(uv_handle_t *handle) {
    free(handle);
}

static void timer_free_uv(clock_port_t *clock, clock_timer_t *timer) {
    timer_stop_uv(clock, timer);
    uv_close((uv_handle_t *)&timer->uv, timer_closed);
}

clock_port_t *loop_clock(loop_t *loop) {
    return &loop->clock;
}

/* --- lag -------------------------------------------------------------------------------------- */

static void lag_probe(uv_timer_t *handle);

static void lag_start(loop_t *loop) {
    uv_update_time(&loop->uv);
    loop->lag_due = uv_now(&loop->uv) + LAG_PERIOD_MS;
    uv_timer_start(&loop->lag_timer, lag_probe, LAG_PERIOD_MS, 0);
}

static void lag_probe(uv_timer_t *handle) {
    loop_t *loop = handle->data;
    histogram_add(&loop->lag, now_microseconds() - (int64_t)loop->lag_due * 1000);
    lag_start(loop);
}

int64_t loop_lag_quantile(loop_t *loop, double q) {
    return histogram_quantile(&loop->lag, q);
}

uint64_t loop_lag_samples(loop_t *loop) {
    return loop->lag.samples;
}

/* --- watches ---------------------------------------------------------------------------------- */

/* The loop waits for the whole set as for one descriptor, which keeps it alive while
 * anything in it is set. */
static void watches_hold(void *context, bool active) {
    loop_t *loop = context;
    if (active)
        uv_ref((uv_handle_t *)&loop->watches_poll);
    else
        uv_unref((uv_handle_t *)&loop->watches_poll);
}

static void watches_ready(uv_poll_t *handle, int status, int events) {
    (void)status, (void)events;
    loop_t *loop = handle->data;
    watches_dispatch(loop->watches);
}

/* The last thing before the loop waits. */
static void before_wait(uv_prepare_t *handle) {
    loop_t *loop = handle->data;
    watches_apply(loop->watches);
}

static int watches_start(loop_t *loop) {
    int status = uv_poll_init(&loop->uv, &loop->watches_poll, watches_descriptor(loop->watches));
    if (status != 0)
        return status; /* out of memory: the handle was not made */
    loop->watches_poll.data = loop->before_wait.data = loop;
    uv_prepare_init(&loop->uv, &loop->before_wait);
    uv_prepare_start(&loop->before_wait, before_wait);
    uv_unref((uv_handle_t *)&loop->before_wait);
    status = uv_poll_start(&loop->watches_poll, UV_READABLE, watches_ready);
    uv_unref((uv_handle_t *)&loop->watches_poll);
    return status;
}

loop_watch_t *loop_watch_create(loop_t *loop, int fd, loop_watch_fire_t *fire, void *context) {
    return watches_add(loop->watches, fd, fire, context);
}

void loop_watch_set(loop_watch_t *watch, int events) {
    watches_set(watch, events);
}

void loop_watch_free(loop_watch_t *watch) {
    if (watch)
        watches_remove(watch);
}

/* --- the loop --------------------------------------------------------------------------------- */

loop_t *loop_create(error_info_t *error) {
    loop_t *loop = MEMORY_NEW(loop_t);
    loop->watches = watches_create(watches_hold, loop);
    int status = loop->watches ? uv_loop_init(&loop->uv) : UV_EMFILE;
    if (status != 0) {
        error_set(error, ERROR_RETRYABLE,
                  "cannot create an event loop: %s; check the limits on open files",
                  uv_strerror(status));
        watches_free(loop->watches);
        free(loop);
        return NULL;
    }
    loop->clock = (clock_port_t){
        .now = clock_now_uv,
        .utc = clock_utc_real,
        .era = clock_era_boot,
        .timer_create = timer_create_uv,
        .timer_start = timer_start_uv,
        .timer_stop = timer_stop_uv,
        .timer_free = timer_free_uv,
    };
    loop->era = read_era();
    link_clear(&loop->soon);
    link_clear(&loop->firing);
    uv_idle_init(&loop->uv, &loop->soon_idle);
    loop->soon_idle.data = loop;
    uv_timer_init(&loop->uv, &loop->lag_timer);
    loop->lag_timer.data = loop;
    uv_unref((uv_handle_t *)&loop->lag_timer);
    if (watches_start(loop) != 0)
        abort(); /* epoll can be polled, nothing else can fail */
    return loop;
}

void loop_run(loop_t *loop) {
    lag_start(loop); /* time spent outside of loop_run is not lag */
    uv_run(&loop->uv, UV_RUN_DEFAULT);
    uv_timer_stop(&loop->lag_timer);
}

void loop_stop(loop_t *loop) {
    uv_stop(&loop->uv);
}

void loop_free(loop_t *loop) {
    uv_close((uv_handle_t *)&loop->soon_idle, NULL);
    uv_close((uv_handle_t *)&loop->lag_timer, NULL);
    uv_close((uv_handle_t *)&loop->watches_poll, NULL);
    uv_close((uv_handle_t *)&loop->before_wait, NULL);
    for (int turn = 0; uv_loop_close(&loop->uv) != 0; turn++) {
        if (turn == CLOSE_TURNS)
            abort(); /* a timer, watch, executor or signal was not freed */
        uv_run(&loop->uv, UV_RUN_NOWAIT);
    }
    watches_free(loop->watches);
    free(loop);
}

/* --- executors -------------------------------------------------------------------------------- */

typedef struct task {
    struct task *next;
    executor_work_t *work;
    executor_done_t *done;
    void *context;
} task_t;

typedef struct {
    task_t *first;
    task_t *last;
} task_queue_t;

typedef struct {
    executor_t port;          /* first member */
    loop_watch_t *wake;       /* on `wake_fd`; held while work is outstanding */
    int wake_fd;              /* an eventfd: the loop's turn to look at `finished` */
    uv_prepare_t before_wait; /* active while `submitted` holds a task */
    size_t outstanding;       /* loop thread only: submitted, `done` not called yet */
    /* loop thread only: of this turn, handed over before the loop waits */
    task_queue_t submitted;
    size_t submitted_count;
    task_queue_t delivering; /* loop thread only */
    unsigned thread_count;
    uv_thread_t threads[THREADS_MAXIMUM];
    uv_mutex_t mutex; /* guards the rest */
    uv_cond_t work_ready;
    uv_cond_t work_finished; /* only loop_executor_free waits for it */
    task_queue_t waiting;
    task_queue_t finished;
    size_t idle; /* threads that wait for work */
    bool stopping;
} loop_executor_t;

static void task_push(task_queue_t *queue, task_t *task) {
    task->next = NULL;
    if (queue->last)
        queue->last->next = task;
    else
        queue->first = task;
    queue->last = task;
}

static task_t *task_pop(task_queue_t *queue) {
    task_t *task = queue->first;
    if (task) {
        queue->first = task->next;
        if (!queue->first)
            queue->last = NULL;
    }
    return task;
}

static void executor_thread(void *argument) {
    /* Workers give way to the loop thread when there are more of them than cores (on Linux this is
     * the thread's own).
     */
    (void)setpriority(PRIO_PROCESS, 0, WORKER_NICE);
    loop_executor_t *executor = argument;
    uv_mutex_lock(&executor->mutex);
    for (;;) {
        task_t *task = task_pop(&executor->waiting);
        if (!task) {
            if (executor->stopping)
                break;
            executor->idle++;
            uv_cond_wait(&executor->work_ready, &executor->mutex);
            executor->idle--;
            continue;
        }
        uv_mutex_unlock(&executor->mutex);
        task->work(task->context);
        uv_mutex_lock(&executor->mutex);
        bool was_empty = !executor->finished.first;
        task_push(&executor->finished, task);
        uv_cond_signal(&executor->work_finished);
        if (!was_empty)
            continue;
        /* One wake-up a batch: the loop takes all of `finished` at once. With the lock open, or it
         * would run into it.
         */
        uv_mutex_unlock(&executor->mutex);
        uint64_t one = 1;
        if (write(executor->wake_fd, &one, sizeof one) != (ssize_t)sizeof one)
            abort(); /* the counter cannot be full */
        uv_mutex_lock(&executor->mutex);
    }
    uv_mutex_unlock(&executor->mutex);
}

/* All of a turn's tasks under one lock; threads are woken when it is open, or they
 * would run into it. */
static void executor_hand_over(loop_executor_t *executor) {
    if (executor->submitted_count == 0)
        return;
    uv_mutex_lock(&executor->mutex);
    if (executor->waiting.last)
        executor->waiting.last->next = executor->submitted.first;
    else
        executor->waiting.first = executor->submitted.first;
    executor->waiting.last = executor->submitted.last;
    size_t wake =
        executor->idle < executor->submitted_count ? executor->idle : executor->submitted_count;
    uv_mutex_unlock(&executor->mutex);
    executor->submitted = (task_queue_t){0};
    executor->submitted_count = 0;
    for (size_t i = 0; i < wake; i++)
        uv_cond_signal(&executor->work_ready);
    uv_prepare_stop(&executor->before_wait);
}

static void executor_before_wait(uv_prepare_t *handle) {
    executor_hand_over(handle->data);
}

static void executor_submit_uv(executor_t *port, executor_work_t *work, executor_done_t *done,
                               void *context) {
    loop_executor_t *executor = (loop_executor_t *)port;
    task_t *task = MEMORY_NEW(task_t);
    task->work = work;
    task->done = done;
    task->context = context;
    if (executor->outstanding++ == 0)
        loop_watch_set(executor->wake, LOOP_READABLE);
    task_push(&executor->submitted, task);
    if (executor->submitted_count++ == 0)
        uv_prepare_start(&executor->before_wait, executor_before_wait);
}

/* The batch is a member, not a local: a `done` may free the executor, which then
 * delivers the rest. */
static void executor_deliver(loop_executor_t *executor) {
    for (task_t *task; (task = task_pop(&executor->delivering));) {
        if (--executor->outstanding == 0)
            loop_watch_set(executor->wake, LOOP_READABLE | LOOP_UNHELD);
        executor_done_t *done = task->done;
        void *context = task->context;
        free(task);
        done(context);
    }
}

static void executor_take(loop_executor_t *executor, bool wait) {
    executor_hand_over(executor);
    uv_mutex_lock(&executor->mutex);
    while (wait && !executor->finished.first)
        uv_cond_wait(&executor->work_finished, &executor->mutex);
    for (task_t *task; (task = task_pop(&executor->finished));)
        task_push(&executor->delivering, task);
    uv_mutex_unlock(&executor->mutex);
}

static void executor_wake(void *context, int fd, int events) {
    (void)events;
    loop_executor_t *executor = context;
    uint64_t count;
    if (read(fd, &count, sizeof count) < 0 && errno != EAGAIN)
        abort(); /* an eventfd of our own */
    executor_take(executor, false);
    executor_deliver(executor);
}

static void executor_closed(uv_handle_t *handle) {
    loop_executor_t *executor = handle->data;
    uv_mutex_destroy(&executor->mutex);
    uv_cond_destroy(&executor->work_ready);
    uv_cond_destroy(&executor->work_finished);
    free(executor);
}

void loop_executor_free(executor_t *port) {
    loop_executor_t *executor = (loop_executor_t *)port;
    executor_deliver(executor);
    while (executor->outstanding > 0) { /* also what a `done` submits meanwhile */
        executor_take(executor, true);
        executor_deliver(executor);
    }
    uv_mutex_lock(&executor->mutex);
    executor->stopping = true;
    uv_cond_broadcast(&executor->work_ready);
    uv_mutex_unlock(&executor->mutex);
    for (unsigned i = 0; i < executor->thread_count; i++)
        uv_thread_join(&executor->threads[i]);
    loop_watch_free(executor->wake);
    close(executor->wake_fd);
    uv_close((uv_handle_t *)&executor->before_wait, executor_closed);
}

executor_t *loop_executor_create(loop_t *loop, unsigned threads, error_info_t *error) {
    if (threads < 1 || threads > THREADS_MAXIMUM) {
        error_set(error, ERROR_USAGE, "an executor has 1 to %d threads, not %u", THREADS_MAXIMUM,
                  threads);
        return NULL;
    }
    loop_executor_t *executor = MEMORY_NEW(loop_executor_t);
    executor->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    executor->wake = loop_watch_create(loop, executor->wake_fd, executor_wake, executor);
    if (!executor->wake) {
        error_set(error, ERROR_RETRYABLE,
                  "cannot create an executor; check the limits on open files");
        if (executor->wake_fd >= 0)
            close(executor->wake_fd);
        free(executor);
        return NULL;
    }
    executor->port.submit = executor_submit_uv;
    executor->before_wait.data = executor;
    uv_prepare_init(&loop->uv, &executor->before_wait);
    if (uv_mutex_init(&executor->mutex) != 0 || uv_cond_init(&executor->work_ready) != 0 ||
        uv_cond_init(&executor->work_finished) != 0)
        abort(); /* Linux: cannot fail */
    for (; executor->thread_count < threads; executor->thread_count++) {
        int status =
            uv_thread_create(&executor->threads[executor->thread_count], executor_thread, executor);
        if (status != 0) {
            error_set(error, ERROR_RETRYABLE,
                      "cannot start worker thread %u of %u: %s; check the limits on processes",
                      executor->thread_count + 1, threads, uv_strerror(status));
            loop_executor_free(&executor->port);
            return NULL;
        }
    }
    return &executor->port;
}

/* --- signals ---------------------------------------------------------------------------------- */

struct loop_signal {
    uv_signal_t uv; /* first member */
    loop_signal_fire_t *fire;
    void *context;
};

static void signal_fired(uv_signal_t *handle, int signal_number) {
    loop_signal_t *signal = (loop_signal_t *)handle;
    signal->fire(signal->context, signal_number);
}

static void signal_closed(uv_handle_t *handle) {
    free(handle);
}

loop_signal_t *loop_signal_create(loop_t *loop, int signal_number, loop_signal_fire_t *fire,
                                  void *context) {
    loop_signal_t *signal = MEMORY_NEW(loop_signal_t);
    signal->fire = fire;
    signal->context = context;
    if (uv_signal_init(&loop->uv, &signal->uv) != 0) {
        free(signal);
        return NULL;
    }
    uv_unref((uv_handle_t *)&signal->uv);
    if (uv_signal_start(&signal->uv, signal_fired, signal_number) != 0) {
        loop_signal_free(signal);
        return NULL;
    }
    return signal;
}

void loop_signal_free(loop_signal_t *signal) {
    if (signal)
        uv_close((uv_handle_t *)&signal->uv, signal_closed);
}
