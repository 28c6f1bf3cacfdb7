/* loop_watches.c - changes are collected in a list and applied before the loop waits; events go by
 * number, so that one for a watch that an earlier `fire` freed finds nobody. */
#include "core/runtime/loop_watches.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "core/base/memory.h"

enum { EVENTS_AT_ONCE = 64 };

struct loop_watch {
    watches_t *watches;
    int fd;
    size_t slot;         /* its place in watches->slots */
    uint32_t generation; /* how often that slot was taken before */
    int wanted, told;    /* LOOP_READABLE | LOOP_WRITABLE; what is set, and what the kernel knows */
    bool holds;          /* counted in watches->active */
    bool changed;        /* in watches->changed */
    loop_watch_t *next;  /* there */
    loop_watch_fire_t *fire;
    void *context;
};

typedef struct {
    loop_watch_t *watch; /* NULL: free */
    uint32_t generation;
} slot_t;

struct watches {
    int epoll;
    size_t active; /* how many are set and hold the loop */
    void (*hold)(void *context, bool active);
    void *hold_context;
    slot_t *slots;
    size_t slot_count;
    loop_watch_t *changed;
};

watches_t *watches_create(void (*hold)(void *context, bool active), void *context) {
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    if (epoll < 0)
        return NULL;
    watches_t *watches = MEMORY_NEW(watches_t);
    watches->epoll = epoll;
    watches->hold = hold;
    watches->hold_context = context;
    return watches;
}

void watches_free(watches_t *watches) {
    if (!watches)
        return;
    close(watches->epoll);
    free(watches->slots);
    free(watches);
}

int watches_descriptor(const watches_t *watches) {
    return watches->epoll;
}

static size_t free_slot(watches_t *watches) {
    for (size_t i = 0; i < watches->slot_count; i++)
        if (!watches->slots[i].watch)
            return i;
    size_t count = watches->slot_count ? watches->slot_count * 2 : 16;
    watches->slots = memory_resize(watches->slots, count, sizeof *watches->slots);
    for (size_t i = watches->slot_count; i < count; i++)
        watches->slots[i] = (slot_t){0};
    size_t slot = watches->slot_count;
    watches->slot_count = count;
    return slot;
}

static struct epoll_event event_of(const loop_watch_t *watch) {
    struct epoll_event event = {0};
    event.events = (watch->wanted & LOOP_READABLE ? (uint32_t)EPOLLIN : 0) |
                   (watch->wanted & LOOP_WRITABLE ? (uint32_t)EPOLLOUT : 0);
    event.data.u64 = (uint64_t)watch->generation << 32 | (uint32_t)watch->slot;
    return event;
}

/* A descriptor that epoll does not take is found out here, not when it is set. */
static bool can_watch(const watches_t *watches, int fd) {
    struct epoll_event none = {0};
    return epoll_ctl(watches->epoll, EPOLL_CTL_ADD, fd, &none) == 0 &&
           epoll_ctl(watches->epoll, EPOLL_CTL_DEL, fd, &none) == 0;
}

loop_watch_t *watches_add(watches_t *watches, int fd, loop_watch_fire_t *fire, void *context) {
    if (!can_watch(watches, fd))
        return NULL;
    loop_watch_t *watch = MEMORY_NEW(loop_watch_t);
    watch->watches = watches;
    watch->fd = fd;
    watch->fire = fire;
    watch->context = context;
    watch->slot = free_slot(watches);
    slot_t *slot = &watches->slots[watch->slot];
    slot->watch = watch;
    watch->generation = slot->generation++;
    return watch;
}

void watches_set(loop_watch_t *watch, int events) {
    watches_t *watches = watch->watches;
    size_t before = watches->active;
    bool holds = events != 0 && !(events & LOOP_UNHELD);
    watches->active = before + holds - watch->holds;
    watch->holds = holds;
    watch->wanted = events & ~LOOP_UNHELD;
    if ((before > 0) != (watches->active > 0))
        watches->hold(watches->hold_context, watches->active > 0);
    if (watch->changed)
        return;
    watch->changed = true;
    watch->next = watches->changed;
    watches->changed = watch;
}

static void apply(loop_watch_t *watch) {
    if (watch->wanted == watch->told)
        return;
    struct epoll_event event = event_of(watch);
    int change = watch->wanted == 0 ? EPOLL_CTL_DEL
                 : watch->told == 0 ? EPOLL_CTL_ADD
                                    : EPOLL_CTL_MOD;
    watch->told = watch->wanted;
    if (epoll_ctl(watch->watches->epoll, change, watch->fd, &event) != 0 && change != EPOLL_CTL_DEL)
        abort(); /* it could be watched when it was added, and is open as long as it is watched */
}

void watches_apply(watches_t *watches) {
    while (watches->changed) {
        loop_watch_t *watch = watches->changed;
        watches->changed = watch->next;
        watch->changed = false;
        apply(watch);
    }
}

void watches_remove(loop_watch_t *watch) {
    watches_t *watches = watch->watches;
    watches_set(watch, 0);
    loop_watch_t **link = &watches->changed;
    while (*link != watch)
        link = &(*link)->next;
    *link = watch->next;
    /* at once: the descriptor may be closed, and its number be another one's, right after */
    apply(watch);
    watches->slots[watch->slot].watch = NULL;
    free(watch);
}

/* Like poll(): a hang-up is what was asked for, so that reading or writing shows it. */
static void dispatch(loop_watch_t *watch, uint32_t events) {
    int ready = (events & EPOLLIN ? LOOP_READABLE : 0) | (events & EPOLLOUT ? LOOP_WRITABLE : 0);
    if (events & EPOLLHUP)
        ready |= watch->wanted;
    if (watch->wanted == 0)
        return; /* stopped by an earlier one of these events */
    if (events & EPOLLERR) {
        watches_set(watch, 0);
        watch->fire(watch->context, watch->fd, LOOP_BROKEN);
    } else if (ready & watch->wanted) {
        watch->fire(watch->context, watch->fd, ready & watch->wanted);
    }
}

void watches_dispatch(watches_t *watches) {
    struct epoll_event events[EVENTS_AT_ONCE];
    int count = epoll_wait(watches->epoll, events, EVENTS_AT_ONCE, 0);
    for (int i = 0; i < count; i++) {
        size_t slot = (uint32_t)events[i].data.u64;
        loop_watch_t *watch = watches->slots[slot].watch;
        if (watch && watch->generation == events[i].data.u64 >> 32)
            dispatch(watch, events[i].events);
    }
}
