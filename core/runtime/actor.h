/* actor.h - actors, their mailboxes and the scheduler that gives them turns.
 *
 * An actor is a const definition and a private state. All actors of a scheduler live on the loop
 * thread; a turn is short and never blocks. The scheduler takes turns round robin, at most
 * ACTOR_BATCH messages of one mailbox at a time, so that a busy actor cannot starve the others.
 *
 * Messages are small structs owned by exactly one party. actor_send takes ownership on success and
 * leaves it with the sender on failure. A mailbox is bounded: what its actor is willing to hold is
 * written in its definition, and senders keep below it by demand (credits), so that a refused send
 * is a sender's broken promise. Nothing is dropped, ever, but by scheduler_free (after a crash in a
 * rehearsal, or at exit).
 */
#ifndef GLIA_RUNTIME_ACTOR_H
#define GLIA_RUNTIME_ACTOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/runtime/clock.h"

enum { ACTOR_BATCH = 32 };

typedef struct scheduler scheduler_t;
typedef struct actor actor_t;

typedef struct actor_message {
    int kind;             /* of the application's enum; 0..63 */
    actor_t *sender;      /* NULL: from outside (a port's callback) */
    uint64_t correlation; /* free for the protocol; replies copy it */
    /* owned by the message until the receiver takes it (sets it NULL) */
    void *payload;
    /* how to free a payload that nobody took; NULL: nothing to free */
    void (*release)(void *payload);
    struct actor_message *next; /* the mailbox's */
} actor_message_t;

typedef struct {
    const char *name;
    uint64_t kinds; /* bit k set: takes messages of kind k; sending another is a bug and aborts */
    size_t mailbox; /* messages it holds at most */
    void (*start)(actor_t *self, void *state);
    /* Takes what it wants out of `message`; the scheduler releases the rest. */
    void (*receive)(actor_t *self, void *state, actor_message_t *message);
    void (*free)(void *state); /* releases everything; must work in any state, without sending */
    /* The invariant: what must hold of the state between messages, and of the state alone. NULL
     * if it holds, else what does not: a short text, static or in memory of the state. Cheap: no
     * I/O, no walk over what grows with the work. NULL member: nothing is promised. See
     * actor_broken(). */
    const char *(*broken)(const void *state);
} actor_definition_t;

#define ACTOR_KIND(kind) (UINT64_C(1) << (kind))

scheduler_t *scheduler_create(clock_port_t *clock);
/* Frees all actors (in reverse order of creation) and the messages they still hold. */
void scheduler_free(scheduler_t *scheduler);
/* Called after each message that was received; for tests that check promises and invariants. */
typedef void scheduler_watch_t(void *context, const actor_t *actor, int kind);
void scheduler_set_watch(scheduler_t *scheduler, scheduler_watch_t *watch, void *context);
/* Messages delivered so far. */
uint64_t scheduler_delivered(const scheduler_t *scheduler);

/* `state` now belongs to the actor. `mailbox` overrides the definition's capacity unless 0. `start`
 * is called at the first turn. */
actor_t *actor_create(scheduler_t *scheduler, const actor_definition_t *definition, void *state,
                      size_t mailbox);
const char *actor_name(const actor_t *actor);
/* for the module that defines the actor, and nobody else */
void *actor_state(const actor_t *actor);
clock_port_t *actor_clock(const actor_t *actor);
/* Asks the actor's invariant: NULL, or what does not hold. Between messages only. A build with
 * GLIA_CHECKS (the Makefile defines it for sanitizers) asks after each start and each message, and
 * aborts if something is broken. */
const char *actor_broken(const actor_t *actor);

/* True: the message is the receiver's. False: the mailbox is full and `payload` is
 * still the caller's. */
bool actor_send(actor_t *to, actor_t *sender, int kind, uint64_t correlation, void *payload,
                void (*release)(void *payload));
/* For protocols whose credits make a full mailbox impossible: aborts, naming both, if it is
 * full all the same. */
void actor_tell(actor_t *to, actor_t *sender, int kind, uint64_t correlation, void *payload,
                void (*release)(void *payload));

#endif
