/* attempt.h - one attempt at the http port: from a ticket's request to what came back, read and
 * packed.
 *
 * Knows nothing of queues, limits, breakers or money. Whoever sends hears of each attempt by one
 * callback, on the loop thread: once an event, with all that is new.
 *
 *   SENT --last byte, or none will come--> OVER --> READ --> WHOLE
 *
 * OVER comes from the http port, and READ with it unless the body is long: then a worker reads it,
 * lest the loop stall. An answer is packed on a worker, too. So OVER comes alone, or with READ, or
 * with READ and WHOLE; the rest follows from a worker, once at most.
 */
#ifndef GLIA_ACTORS_POOL_ATTEMPT_H
#define GLIA_ACTORS_POOL_ATTEMPT_H

#include "actors/messages.h"
#include "core/net/http.h"
#include "core/runtime/executor.h"

enum {
    ATTEMPT_OVER = 1, /* the exchange is over */
    ATTEMPT_READ = 2, /* the ticket's outcome is filled in, but for `packed` */
    /* an answer is packed. The ticket is the callee's again; else it is borrowed */
    ATTEMPT_WHOLE = 4,
};
typedef void attempt_news_t(void *context, ticket_t *ticket, unsigned news);

typedef struct {
    const settings_t *settings;
    http_port_t *http;
    executor_t *workers;
    clock_port_t *clock;
    log_t *log; /* whose secrets are removed from what an endpoint says */
    attempt_news_t *news;
    void *context;
} attempt_options_t;

/* Where attempts are made from: addresses and keys of all endpoints, and the exchanges under way.
 */
typedef struct attempt_desk attempt_desk_t;

attempt_desk_t *attempt_desk_create(const attempt_options_t *options);
/* With the tickets of exchanges under way, of which no news comes. Work has come back from the
 * workers before. */
void attempt_desk_free(attempt_desk_t *desk);
/* Sends ticket->request to ticket->endpoint; sets sent_at. The desk has the ticket until it is
 * WHOLE. */
void attempt_send(attempt_desk_t *desk, ticket_t *ticket);
/* Exchanges that are not OVER. */
size_t attempt_count(const attempt_desk_t *desk);
/* Cancels all of them; their news follow. */
void attempt_cancel_all(attempt_desk_t *desk);

#endif
