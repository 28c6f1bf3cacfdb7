/* messages.h - the one header that all actors share: jobs, tickets, writes, and who
 * sends what to whom.
 *
 *   director --JOB--> formatter | simulator | scorer            a job to do (bounded by the window)
 *   stage    --TICKET--> client_pool                            a request to buy
 *   client_pool --RESERVE--> accountant                         pacing lets it now
 *   accountant --WRITE--> archivist --WRITTEN--> accountant     the reservation is durable
 *   accountant --RESERVED | REFUSED--> client_pool              go, or wait (which cap, until when)
 *   client_pool --ENDED--> accountant --WRITE/WRITTEN--> archivist   one commit: answer, settlement
 *   accountant --SETTLED--> client_pool                         durable: answer, retry or give up
 *   client_pool --ANSWERED | RETURNED--> stage
 *   stage    --WRITE/WRITTEN--> archivist                       the result, or the failure
 *   stage    --JOB_DONE--> director
 *
 * Reservations are taken last, when pacing lets the attempt start, so that a crash leaves few
 * reservations open. Every payload has one owner, who travels with it: a ticket owns its job, a
 * write owns its context.
 */
#ifndef GLIA_ACTORS_MESSAGES_H
#define GLIA_ACTORS_MESSAGES_H

#include "actors/pool/endpoint.h"
#include "actors/sweep/stage.h"
#include "core/net/retry.h"
#include "core/runtime/actor.h"
#include "store/env.h"

typedef enum {
    MSG_JOB,       /* job_t */
    MSG_WORKED,    /* an actor's own: work that it sent to the executor came back */
    MSG_TICKET,    /* ticket_t */
    MSG_RESERVE,   /* ticket_t */
    MSG_RESERVED,  /* ticket_t */
    MSG_REFUSED,   /* ticket_t: a cap stands in the way */
    MSG_FREED,     /* nothing: money was freed, refused tickets may ask again */
    MSG_ENDED,     /* ticket_t */
    MSG_SETTLED,   /* ticket_t */
    MSG_ANSWERED,  /* ticket_t */
    MSG_RETURNED,  /* ticket_t: failed for good, or handed back when the run stops */
    MSG_WRITE,     /* write_t */
    MSG_WRITTEN,   /* write_t */
    MSG_COMMITTED, /* the archivist's own: a batch came back */
    MSG_JOB_DONE,  /* job_t */
    MSG_STALLED,   /* stall_t: client_pool to director: nothing can start without outside help */
    MSG_DISK,      /* disk_t: archivist to director: commits fail */
    MSG_PLANNED,   /* the director's own: a planning step came back */
    MSG_INTERRUPT, /* nothing: from outside: stop taking work, finish what is in flight */
    MSG_STOP,      /* nothing: director to client_pool: hand back what has not started */
    MSG_TICK,      /* an actor's own timer */
    MSG_ASK,       /* reporter to all: say how you stand */
    MSG_FACTS,     /* facts_t */
} message_kind_t;

/* --- tickets: a request on its way ------------------------------------------------------------ */

enum { ANY_ENDPOINT = -1 };

/* Where a ticket stands with the client_pool; pool/client_pool.h draws which may follow which. */
typedef enum {
    TICKET_OUTSIDE,   /* with its stage, or on its way there */
    TICKET_WAITING,   /* in the queue of its model */
    TICKET_RESERVING, /* it has its grant; the accountant makes a reservation */
    TICKET_READY,     /* the reservation is durable; it waits for a slot */
    TICKET_IN_FLIGHT, /* it has a slot: its exchange is under way */
    TICKET_READING,   /* the exchange is over; what came is read and packed */
    TICKET_SETTLING,  /* the accountant writes how the attempt ended */
    TICKET_STATES
} ticket_state_t;

/* Why the accountant refused a reservation. */
typedef struct {
    int64_t until; /* monotonic; INT64_MAX: until money is freed; 0: nothing was refused */
    bool hopeless; /* the cap is smaller than this one request */
    char message[512];
} refusal_t;

/* What an attempt came to. Filled in by pool/attempt.h, or by the pool for one that
 * was never sent. */
typedef struct {
    retry_verdict_t verdict;
    int status;
    bool never_sent;     /* no byte left: free, whatever the verdict */
    int64_t retry_after; /* microseconds, -1: none said */
    retry_detail_t detail;
    llm_usage_t usage; /* of an ANSWER */
    buffer_t body;     /* of an ANSWER, until it is stored */
    buffer_t packed;   /* the same as the store takes it, until it is written */
} attempt_outcome_t;

typedef struct ticket {
    job_t *job;
    actor_t *owner; /* the stage that gets the answer */
    int pinned;     /* endpoint index, or ANY_ENDPOINT */
    request_t request;
    /* What has become of it so far. */
    ticket_state_t state;
    int tries;          /* that count */
    int64_t attempts;   /* all */
    int64_t not_before; /* monotonic; when it may be tried (again) */
    refusal_t refusal;
    /* The attempt under way, or the last one. */
    size_t endpoint;
    grant_t grant;
    int64_t sent_at; /* monotonic */
    attempt_t attempt;
    attempt_outcome_t outcome;
    struct ticket *next;
} ticket_t;

void ticket_free(void *ticket); /* with its job; NULL is fine */

/* --- writes ----------------------------------------------------------------------------------- */

typedef enum {
    WRITE_RESERVE,
    WRITE_END,
    WRITE_RESULT,
    WRITE_FAILURE,
    WRITE_META,
    WRITE_APPLY
} write_kind_t;

typedef struct write {
    write_kind_t kind;
    actor_t *reply_to; /* gets WRITTEN with this write; NULL: nobody, the archivist frees it */
    void *context;     /* owned by the write until somebody takes it (sets it NULL) */
    void (*release_context)(void *context);
    /* RESERVE, END */
    attempt_t *attempt; /* borrowed from the context; the commit sets number and response */
    buffer_t packed;    /* END with a response: its body as stored; else empty */
    size_t embed_count;
    const hash_t *embed_keys; /* [embed_count], borrowed from the context */
    /* RESULT, FAILURE */
    uint32_t run;
    const job_t *job; /* borrowed from the context */
    buffer_t result;  /* encoded */
    /* request whose stored body may go (store.keep_raw); zero: none */
    hash_t trim;
    size_t vector_count;          /* EMBED */
    struct stage_vector *vectors; /* [vector_count], owned */
    int64_t utc;
    /* META */
    char *key; /* owned; value is `result` */
    /* APPLY: called with the context in the transaction, on the archivist's thread; as
     * env.h's store_apply_t */
    store_apply_t *apply;
    struct write *next;
} write_t;

write_t *write_create(write_kind_t kind, actor_t *reply_to, void *context,
                      void (*release_context)(void *));
void write_free(void *write); /* with its context; NULL is fine */

/* --- small payloads --------------------------------------------------------------------------- */

typedef enum { STALL_CAP, STALL_WORLD, STALL_CONFIG } stall_kind_t;

typedef struct {
    stall_kind_t kind;
    size_t tickets; /* held by the pool, all of them blocked; 0: no longer so */
    char message[640];
} stall_t;

typedef struct {
    bool failing;
    size_t answers; /* held in memory until the disk takes them */
    char message[256];
} disk_t;

enum { FACT_STAGES = JOB_STAGES };

/* How the run stands. Each actor fills in its part and sets the bit of who it is. */
typedef struct {
    unsigned from; /* FACTS_* */
    struct {
        uint64_t done, total, failed; /* total 0: not known yet */
    } stages[FACT_STAGES];
    bool total_is_estimate;
    money_t settled, doubts, reserved, cap;
    double requests_per_second, tokens_per_minute;
    int64_t token_limit; /* per minute over all endpoints in use, 0: none */
    uint64_t attempts, answers, retries;
    size_t in_flight;
    char trouble[256]; /* what holds the pool up, "" if nothing does */
} facts_t;
enum { FACTS_DIRECTOR = 1, FACTS_ACCOUNTANT = 2, FACTS_POOL = 4, FACTS_ALL = 7 };

#endif
