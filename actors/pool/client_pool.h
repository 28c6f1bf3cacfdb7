/* client_pool.h - attempts: which request goes to which endpoint, when, and what a failure means.
 *
 * Tickets wait in one queue a model, in the order of their jobs; a ticket that is tried again waits
 * where it stands until its time comes. An attempt starts when, at one of the model's endpoints (in
 * order of preference),
 *   - the breaker lets it, concurrency has room (of the endpoint, and of the route, which is the
 *     model there),
 *   - the sliding windows of the endpoint and of the route admit it, and
 *   - the accountant has reserved its worst case, durably.
 * Windows are filled at start with the attempts of the last minute that the store knows.
 *
 * A ticket's life here (ticket->state; no other transitions, client_pool.c has them as a table):
 *
 *   OUTSIDE --- TICKET from its stage -----------------------------> WAITING
 *   WAITING --- a grant: an endpoint lets it start now ------------> RESERVING
 *   WAITING --- STOP: handed back ---------------------------------> OUTSIDE
 *   RESERVING --- RESERVED: the reservation is durable ------------> READY
 *   RESERVING --- REFUSED by a cap --------------------------------> WAITING
 *   RESERVING --- REFUSED while the run stops: handed back --------> OUTSIDE
 *   READY --- a slot is free: it is sent --------------------------> IN_FLIGHT
 *   READY --- the grant lapsed: nothing was sent ------------------> SETTLING
 *   IN_FLIGHT --- the exchange is over ----------------------------> READING
 *   READING --- what came is read, and packed ---------------------> SETTLING
 *   SETTLING --- SETTLED: to be tried again -----------------------> WAITING
 *   SETTLING --- SETTLED: ANSWERED, or RETURNED as failed ---------> OUTSIDE
 *
 * After each message and each exchange that is over the pool looks once for all that may start.
 *
 * When no ticket can start without outside help (caps, every endpoint shut, an outage longer than
 * run.outage_wait) and nothing is in flight, the director hears STALLED, and again (with no
 * tickets) when that is over.
 */
#ifndef GLIA_ACTORS_POOL_CLIENT_POOL_H
#define GLIA_ACTORS_POOL_CLIENT_POOL_H

#include "actors/messages.h"
#include "core/net/http.h"
#include "core/runtime/executor.h"

typedef struct {
    const settings_t *settings;
    store_t *store;
    http_port_t *http;
    executor_t *workers;
    actor_t *accountant;
    log_t *log;
    uint64_t seed;
} client_pool_options_t;

/* Reads the last minute's attempts (before the loop runs: it may block). NULL with *error set on
 * failure. */
actor_t *client_pool_create(scheduler_t *scheduler, const client_pool_options_t *options,
                            size_t mailbox, error_info_t *error);
void client_pool_set_director(actor_t *pool_actor, actor_t *director);

#endif
