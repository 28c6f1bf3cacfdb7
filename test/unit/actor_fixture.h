/* actor_fixture.h - for unit tests of actors: one actor alone, in virtual time, its neighbours
 * played by the test.
 *
 *     fixture_t *fixture = fixture_create();
 *     played_t *pool = played_create(fixture, "client_pool");
 *     ...create the actor on fixture->scheduler, with what it needs from below...
 *     played_tell(pool, actor, MSG_RESERVE, ticket, ticket_free);
 *     fixture_settle(fixture);
 *     played_assert(archivist, "WRITE");
 *     write_t *write = played_take(archivist, MSG_WRITE);
 *     ...
 *     fixture_free(fixture);
 *
 * Time stands still but in fixture_pass. The invariant of whoever receives a message is asked after
 * it, and the test fails if it is broken. What happens in one instant comes in an order drawn from
 * a seed: no test may rely on one, but for messages from one actor to another, which keep theirs.
 * Include after cmocka.h.
 */
#ifndef GLIA_TEST_ACTOR_FIXTURE_H
#define GLIA_TEST_ACTOR_FIXTURE_H

#include "actors/messages.h"
#include "core/runtime/executor.h"
#include "test/rehearsal/world.h"

typedef struct fixture fixture_t;
typedef struct played played_t;

/* --- what is around the actor ----------------------------------------------------------------- */

struct fixture {
    world_t *world;
    clock_port_t *clock;
    scheduler_t *scheduler;
    log_t *log;      /* of level INFO, into `lines` */
    buffer_t lines;  /* each with its end of line */
    uint64_t made;   /* tickets and jobs, so that each has an id of its own */
    char *directory; /* the store's; NULL: none was asked for */
    store_t *store;
    struct fixture_part *parts; /* executors and settings */
};

/* At noon, UTC, of 2026-11-22. */
fixture_t *fixture_create(void);
/* Executors, then all actors, then the rest; removes the store. */
void fixture_free(fixture_t *fixture);
/* Lets everything happen that is due now, and what follows from it now. */
void fixture_settle(fixture_t *fixture);
/* Lets time pass, microseconds, with all that is due on the way; ends as fixture_settle. */
void fixture_pass(fixture_t *fixture, int64_t duration);
/* An empty store, open for writing; the same one each time. Commits are not synced. */
store_t *fixture_store(fixture_t *fixture);
/* A config with two endpoints (a, b), models "chat", "text" and "embedding" in this order (each at
 * both endpoints, with a price), the shipped puzzles as its set and a cap of $100. Then
 * "key=value", as --set; end with NULL. The fixture owns it. */
const settings_t *fixture_settings(fixture_t *fixture, ...) __attribute__((sentinel));
/* A job with an id and a label of its own. */
job_t *fixture_job(fixture_t *fixture, job_stage_t stage);
/* A ticket for an explanation by model number `model`, at endpoint 0: a request and a job of its
 * own. `worst_case` in millionths of a dollar. */
ticket_t *fixture_ticket(fixture_t *fixture, size_t model, int64_t worst_case);

/* --- neighbours ------------------------------------------------------------------------------- */

/* Takes every kind of message and keeps it until the test takes it. */
struct played {
    actor_t *actor;
    /* Called with each message first. True: it is dealt with, and not kept. NULL: all are kept. */
    bool (*answer)(played_t *played, actor_message_t *message);
    void *context; /* the test's, for `answer` */
    fixture_t *fixture;
    actor_definition_t definition;
    actor_message_t *first; /* kept, the oldest first */
};

/* The scheduler frees it. */
played_t *played_create(fixture_t *fixture, const char *name);
/* A message from it; the payload is the receiver's. */
void played_tell(played_t *played, actor_t *to, int kind, void *payload,
                 void (*release)(void *payload));
/* The kept messages, oldest first, are exactly these: "RESERVED FREED", "" for none. */
#define played_assert(played, kinds) played_assert_at(played, kinds, __FILE__, __LINE__)
void played_assert_at(const played_t *played, const char *kinds, const char *file, int line);
/* How many of a kind are kept. */
size_t played_count(const played_t *played, int kind);
/* The payload of the oldest kept message, which must be of that kind; it is the test's now. */
#define played_take(played, kind) played_take_at(played, kind, __FILE__, __LINE__)
void *played_take_at(played_t *played, int kind, const char *file, int line);
/* Forgets all that is kept. */
void played_clear(played_t *played);

/* --- executors -------------------------------------------------------------------------------- */

/* Of the world: see world.h. `slowest` in microseconds; 0: all in the same instant. */
executor_t *fixture_executor(fixture_t *fixture, world_order_t order, int64_t slowest);

/* One that waits for the test at every step, in order of submission. */
typedef struct held held_t;
held_t *held_create(fixture_t *fixture);
executor_t *held_executor(held_t *held);
/* Submitted, and not worked yet; worked, and not said to be done yet. */
size_t held_waiting(const held_t *held);
size_t held_worked(const held_t *held);
/* The oldest that waits is worked. */
void held_work(held_t *held);
/* The oldest that is worked is said to be done; the fixture settles. */
void held_done(held_t *held);

#endif
