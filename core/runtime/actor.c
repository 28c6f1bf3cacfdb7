/* actor.c - mailboxes and round-robin turns on the loop thread. */
#include "core/runtime/actor.h"

#include <stdio.h>
#include <stdlib.h>

#include "core/base/memory.h"

struct actor {
    const actor_definition_t *definition;
    void *state;
    scheduler_t *scheduler;
    actor_message_t *first, *last;
    size_t held, capacity;
    bool started, ready; /* ready: in the run queue */
    actor_t *next_ready;
    actor_t *next; /* all actors, newest first */
};

struct scheduler {
    clock_port_t *clock;
    clock_timer_t *timer;
    actor_t *all;
    actor_t *ready_first, *ready_last;
    bool armed;
    uint64_t delivered;
    scheduler_watch_t *watch;
    void *watch_context;
};

/* Whether the scheduler itself asks every invariant. */
#ifdef GLIA_CHECKS
enum { CHECKS = true };
#else
enum { CHECKS = false };
#endif

enum { AT_START = -1 }; /* in place of a message's kind */

/* A timer callback runs at most this many actor turns before other events of the
 * loop get theirs. */
enum { TURNS_A_TICK = 8 };

static void scheduler_arm(scheduler_t *scheduler) {
    if (scheduler->armed)
        return;
    scheduler->armed = true;
    clock_timer_start(scheduler->clock, scheduler->timer, clock_now(scheduler->clock));
}

static void scheduler_make_ready(actor_t *actor) {
    scheduler_t *scheduler = actor->scheduler;
    if (actor->ready)
        return;
    actor->ready = true;
    actor->next_ready = NULL;
    if (scheduler->ready_last)
        scheduler->ready_last->next_ready = actor;
    else
        scheduler->ready_first = actor;
    scheduler->ready_last = actor;
    scheduler_arm(scheduler);
}

static void message_free(actor_message_t *message) {
    if (message->payload && message->release)
        message->release(message->payload);
    free(message);
}

/* One that is broken goes no further: what it would write next is not to be trusted. */
static void actor_check(const actor_t *actor, int kind) {
    const char *broken = CHECKS ? actor_broken(actor) : NULL;
    if (!broken)
        return;
    if (kind == AT_START)
        fprintf(stderr, "glia: bug: invariant of the %s at its start: %s\n", actor_name(actor),
                broken);
    else
        fprintf(stderr, "glia: bug: invariant of the %s after kind %d: %s\n", actor_name(actor),
                kind, broken);
    abort();
}

static void actor_turn(actor_t *actor) {
    scheduler_t *scheduler = actor->scheduler;
    if (!actor->started) {
        actor->started = true;
        if (actor->definition->start)
            actor->definition->start(actor, actor->state);
        actor_check(actor, AT_START);
    }
    for (int i = 0; i < ACTOR_BATCH && actor->first; i++) {
        actor_message_t *message = actor->first;
        actor->first = message->next;
        if (!actor->first)
            actor->last = NULL;
        actor->held--;
        int kind = message->kind;
        actor->definition->receive(actor, actor->state, message);
        message_free(message);
        scheduler->delivered++;
        actor_check(actor, kind);
        if (scheduler->watch)
            scheduler->watch(scheduler->watch_context, actor, kind);
    }
    if (actor->first)
        scheduler_make_ready(actor);
}

static void scheduler_tick(void *context) {
    scheduler_t *scheduler = context;
    scheduler->armed = false;
    for (int turns = 0; scheduler->ready_first && turns < TURNS_A_TICK; turns++) {
        actor_t *actor = scheduler->ready_first;
        scheduler->ready_first = actor->next_ready;
        if (!scheduler->ready_first)
            scheduler->ready_last = NULL;
        actor->ready = false;
        actor_turn(actor);
    }
    if (scheduler->ready_first)
        scheduler_arm(scheduler);
}

scheduler_t *scheduler_create(clock_port_t *clock) {
    scheduler_t *scheduler = MEMORY_NEW(scheduler_t);
    scheduler->clock = clock;
    scheduler->timer = clock_timer_create(clock, scheduler_tick, scheduler);
    return scheduler;
}

void scheduler_free(scheduler_t *scheduler) {
    if (!scheduler)
        return;
    clock_timer_free(scheduler->clock, scheduler->timer);
    for (actor_t *actor = scheduler->all; actor; actor = actor->next)
        while (actor->first) {
            actor_message_t *message = actor->first;
            actor->first = message->next;
            message_free(message);
        }
    while (scheduler->all) {
        actor_t *actor = scheduler->all;
        scheduler->all = actor->next;
        if (actor->definition->free)
            actor->definition->free(actor->state);
        free(actor);
    }
    free(scheduler);
}

void scheduler_set_watch(scheduler_t *scheduler, scheduler_watch_t *watch, void *context) {
    scheduler->watch = watch;
    scheduler->watch_context = context;
}

uint64_t scheduler_delivered(const scheduler_t *scheduler) {
    return scheduler->delivered;
}

actor_t *actor_create(scheduler_t *scheduler, const actor_definition_t *definition, void *state,
                      size_t mailbox) {
    actor_t *actor = MEMORY_NEW(actor_t);
    actor->definition = definition;
    actor->state = state;
    actor->scheduler = scheduler;
    actor->capacity = mailbox ? mailbox : definition->mailbox;
    actor->next = scheduler->all;
    scheduler->all = actor;
    scheduler_make_ready(actor);
    return actor;
}

const char *actor_name(const actor_t *actor) {
    return actor->definition->name;
}

void *actor_state(const actor_t *actor) {
    return actor->state;
}

const char *actor_broken(const actor_t *actor) {
    return actor->definition->broken ? actor->definition->broken(actor->state) : NULL;
}

clock_port_t *actor_clock(const actor_t *actor) {
    return actor->scheduler->clock;
}

bool actor_send(actor_t *to, actor_t *sender, int kind, uint64_t correlation, void *payload,
                void (*release)(void *payload)) {
    if (!(to->definition->kinds & ACTOR_KIND(kind))) {
        fprintf(stderr, "glia: bug: %s does not take messages of kind %d\n", to->definition->name,
                kind);
        abort();
    }
    if (to->held >= to->capacity)
        return false;
    actor_message_t *message = MEMORY_NEW(actor_message_t);
    *message = (actor_message_t){kind, sender, correlation, payload, release, NULL};
    if (to->last)
        to->last->next = message;
    else
        to->first = message;
    to->last = message;
    to->held++;
    scheduler_make_ready(to);
    return true;
}

void actor_tell(actor_t *to, actor_t *sender, int kind, uint64_t correlation, void *payload,
                void (*release)(void *payload)) {
    if (actor_send(to, sender, kind, correlation, payload, release))
        return;
    fprintf(stderr, "glia: bug: the mailbox of %s (%zu) is full; %s sent kind %d\n",
            to->definition->name, to->capacity, sender ? sender->definition->name : "a port", kind);
    abort();
}
