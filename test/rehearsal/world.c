/* world.c - the heap of events, the virtual clock and its timers, inline executors. */
#include "test/rehearsal/world.h"

#include <assert.h>
#include <stdlib.h>

#include "core/base/memory.h"

struct world_event {
    int64_t at;
    uint64_t order; /* among events of one instant */
    size_t place;   /* in the heap */
    clock_fire_t *fire;
    void *context;
};

struct world {
    clock_port_t clock; /* first member */
    rng_t rng;
    int64_t now, utc_offset;
    world_event_t **heap; /* [count], the earliest first */
    size_t count, room;
    bool stopped;
    uint64_t events;
    world_watch_t *watch;
    void *watch_context;
};

struct clock_timer {
    world_t *world;
    clock_fire_t *fire;
    void *context;
    world_event_t *event; /* NULL: stopped */
};

/* --- the heap --------------------------------------------------------------------------------- */

static bool earlier(const world_event_t *a, const world_event_t *b) {
    return a->at != b->at ? a->at < b->at : a->order < b->order;
}

static void put(world_t *world, size_t place, world_event_t *event) {
    world->heap[place] = event;
    event->place = place;
}

static void sift_up(world_t *world, size_t place, world_event_t *event) {
    while (place > 0 && earlier(event, world->heap[(place - 1) / 2])) {
        put(world, place, world->heap[(place - 1) / 2]);
        place = (place - 1) / 2;
    }
    put(world, place, event);
}

static void sift_down(world_t *world, size_t place, world_event_t *event) {
    for (;;) {
        size_t child = 2 * place + 1;
        if (child + 1 < world->count && earlier(world->heap[child + 1], world->heap[child]))
            child++;
        if (child >= world->count || !earlier(world->heap[child], event))
            break;
        put(world, place, world->heap[child]);
        place = child;
    }
    put(world, place, event);
}

static void unlink_event(world_t *world, world_event_t *event) {
    size_t place = event->place;
    world_event_t *last = world->heap[--world->count];
    if (last == event)
        return;
    if (place > 0 && earlier(last, world->heap[(place - 1) / 2]))
        sift_up(world, place, last);
    else
        sift_down(world, place, last);
}

world_event_t *world_schedule(world_t *world, int64_t at, clock_fire_t *fire, void *context) {
    world_event_t *event = MEMORY_NEW(world_event_t);
    *event = (world_event_t){.at = at > world->now ? at : world->now,
                             .order = rng_next(&world->rng),
                             .fire = fire,
                             .context = context};
    if (world->count == world->room) {
        world->room = world->room ? 2 * world->room : 64;
        world->heap = memory_resize(world->heap, world->room, sizeof(world_event_t *));
    }
    sift_up(world, world->count++, event);
    return event;
}

void world_cancel(world_t *world, world_event_t *event) {
    unlink_event(world, event);
    free(event);
}

/* --- the clock -------------------------------------------------------------------------------- */

static world_t *world_of(clock_port_t *clock) {
    return (world_t *)clock;
}

static int64_t clock_port_now(clock_port_t *clock) {
    return world_of(clock)->now;
}

static int64_t clock_port_utc(clock_port_t *clock) {
    return world_of(clock)->now + world_of(clock)->utc_offset;
}

/* The machine is never booted again: a crash is one of the process. */
static uint32_t clock_port_era(clock_port_t *clock) {
    (void)clock;
    return 1;
}

static clock_timer_t *timer_create(clock_port_t *clock, clock_fire_t *fire, void *context) {
    clock_timer_t *timer = MEMORY_NEW(clock_timer_t);
    *timer = (clock_timer_t){.world = world_of(clock), .fire = fire, .context = context};
    return timer;
}

static void timer_fires(void *context) {
    clock_timer_t *timer = context;
    timer->event = NULL;
    timer->fire(timer->context);
}

static void timer_stop(clock_port_t *clock, clock_timer_t *timer) {
    if (timer->event)
        world_cancel(world_of(clock), timer->event);
    timer->event = NULL;
}

static void timer_start(clock_port_t *clock, clock_timer_t *timer, int64_t at) {
    timer_stop(clock, timer);
    timer->event = world_schedule(world_of(clock), at, timer_fires, timer);
}

static void timer_free(clock_port_t *clock, clock_timer_t *timer) {
    timer_stop(clock, timer);
    free(timer);
}

/* --- the world -------------------------------------------------------------------------------- */

world_t *world_create(uint64_t seed, int64_t utc) {
    world_t *world = MEMORY_NEW(world_t);
    world->clock = (clock_port_t){clock_port_now, clock_port_utc, clock_port_era, timer_create,
                                  timer_start,    timer_stop,     timer_free};
    world->rng = rng_create(seed);
    world->now = CLOCK_SECOND;
    world->utc_offset = utc - world->now;
    return world;
}

void world_free(world_t *world) {
    assert(world->count == 0);
    free(world->heap);
    free(world);
}

clock_port_t *world_clock(world_t *world) {
    return &world->clock;
}

int64_t world_now(const world_t *world) {
    return world->now;
}

rng_t *world_rng(world_t *world) {
    return &world->rng;
}

void world_step_utc(world_t *world, int64_t by) {
    world->utc_offset += by;
}

void world_sleep(world_t *world, int64_t duration) {
    world->now += duration;
}

int64_t world_draw(world_t *world, int64_t most) {
    return (int64_t)rng_below(&world->rng, (uint64_t)most + 1);
}

void world_set_watch(world_t *world, world_watch_t *watch, void *context) {
    world->watch = watch;
    world->watch_context = context;
}

world_end_t world_run(world_t *world, uint64_t most_events, int64_t until) {
    world->stopped = false;
    for (uint64_t n = 0; world->count > 0; n++) {
        world_event_t *event = world->heap[0];
        if (n >= most_events || event->at > until)
            return WORLD_LIMIT;
        unlink_event(world, event);
        if (event->at > world->now)
            world->now = event->at;
        clock_fire_t *fire = event->fire;
        void *context = event->context;
        free(event);
        world->events++;
        fire(context);
        if (world->watch)
            world->watch(world->watch_context);
        if (world->stopped)
            return WORLD_STOPPED;
    }
    return WORLD_EMPTY;
}

void world_stop(world_t *world) {
    world->stopped = true;
}

uint64_t world_events(const world_t *world) {
    return world->events;
}

/* --- executors -------------------------------------------------------------------------------- */

typedef struct inline_executor inline_executor_t;

/* Its event is the work, then the done. */
typedef struct task {
    inline_executor_t *executor;
    executor_work_t *work;
    executor_done_t *done;
    void *context;
    bool worked;
    world_event_t *event; /* NULL: waits for the one before it (FIFO) */
    struct task *next;
} task_t;

struct inline_executor {
    executor_t port; /* first member */
    world_t *world;
    world_order_t order;
    int64_t slowest;
    task_t *first, **last; /* in order of submission */
};

static void task_fires(void *context);

static void schedule_task(task_t *task) {
    world_t *world = task->executor->world;
    task->event = world_schedule(world, world->now + world_draw(world, task->executor->slowest),
                                 task_fires, task);
}

static void unlink_task(task_t *task) {
    inline_executor_t *executor = task->executor;
    task_t **link = &executor->first;
    while (*link != task)
        link = &(*link)->next;
    *link = task->next;
    if (executor->last == &task->next)
        executor->last = link;
}

static void task_fires(void *context) {
    task_t *task = context;
    inline_executor_t *executor = task->executor;
    task->event = NULL;
    if (!task->worked) {
        task->worked = true;
        task->work(task->context);
        schedule_task(task);
        return;
    }
    unlink_task(task);
    if (executor->order == WORLD_FIFO && executor->first)
        schedule_task(executor->first);
    task->done(task->context);
    free(task);
}

static void submit(executor_t *port, executor_work_t *work, executor_done_t *done, void *context) {
    inline_executor_t *executor = (inline_executor_t *)port;
    task_t *task = MEMORY_NEW(task_t);
    *task = (task_t){.executor = executor, .work = work, .done = done, .context = context};
    bool alone = !executor->first;
    *executor->last = task;
    executor->last = &task->next;
    if (executor->order == WORLD_SHUFFLED || alone)
        schedule_task(task);
}

executor_t *world_executor_create(world_t *world, world_order_t order, int64_t slowest) {
    inline_executor_t *executor = MEMORY_NEW(inline_executor_t);
    *executor =
        (inline_executor_t){.port = {submit}, .world = world, .order = order, .slowest = slowest};
    executor->last = &executor->first;
    return &executor->port;
}

void world_executor_free(executor_t *port) {
    inline_executor_t *executor = (inline_executor_t *)port;
    while (executor->first) {
        task_t *task = executor->first;
        unlink_task(task);
        if (task->event)
            world_cancel(executor->world, task->event);
        if (!task->worked)
            task->work(task->context);
        task->done(task->context);
        free(task);
    }
    free(executor);
}
