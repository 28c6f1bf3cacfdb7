/* client_pool.c - queues, pacing and places: when an attempt starts. (client_attempt.c: what becomes of it.) */
#include "actors/client_pool.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "actors/client_private.h"
#include "core/base/memory.h"

/* Between the grant of a place and the request's arrival at the provider; see limiter.h. */
static const int64_t WINDOW_MARGIN = CLOCK_SECOND / 2;
/* Attempts that began earlier are over, and no window knows them. */
static const int64_t HOUR = 60 * CLOCK_MINUTE;

static lane_t *lane_at(client_pool_t *pool, size_t model, size_t endpoint) {
    return &pool->lanes[model * pool->options.settings->endpoint_count + endpoint];
}

lane_t *client_pool_lane(client_pool_t *pool, const ticket_t *ticket) {
    return lane_at(pool, ticket->request.model, ticket->endpoint);
}

static int64_t charge_at(const client_pool_t *pool, const ticket_t *ticket, size_t endpoint) {
    return request_charge(&ticket->request, &pool->options.settings->endpoints[endpoint]);
}

/* --- queues --------------------------------------------------------------------------------------------- */

/* Tickets wait in the order of their jobs: one that was refused by a cap, or has to be tried again, does not lose its
 * turn to those that came after it. */
void client_pool_enqueue(client_pool_t *pool, ticket_t *ticket) {
    ticket_queue_t *queue = &pool->queues[ticket->request.model];
    ticket_t *before = queue->last;
    if (before && before->job->turn > ticket->job->turn)
        for (before = NULL; (before ? before->next : queue->first)->job->turn < ticket->job->turn;)
            before = before ? before->next : queue->first;
    ticket->next = before ? before->next : queue->first;
    if (before)
        before->next = ticket;
    else
        queue->first = ticket;
    if (!ticket->next)
        queue->last = ticket;
    pool->waiting++;
}

void client_pool_append(ticket_queue_t *queue, ticket_t *ticket) {
    ticket->next = NULL;
    if (queue->last)
        queue->last->next = ticket;
    else
        queue->first = ticket;
    queue->last = ticket;
}

ticket_t *client_pool_unlink(ticket_queue_t *queue, ticket_t *before) {
    ticket_t *ticket = before ? before->next : queue->first;
    if (before)
        before->next = ticket->next;
    else
        queue->first = ticket->next;
    if (queue->last == ticket)
        queue->last = before;
    ticket->next = NULL;
    return ticket;
}

static ticket_t *unlink_after(client_pool_t *pool, ticket_queue_t *queue, ticket_t *before) {
    pool->waiting--;
    return client_pool_unlink(queue, before);
}

/* --- which endpoint, and when ----------------------------------------------------------------------------- */

/* Grants beyond the places: as many as become free while a reservation is made durable (Little's law), so that no place
 * stands empty for want of a commit. None where an exchange takes long enough. At most as many as there are places: a
 * crash leaves each of them in doubt. */
static int64_t places_with_ahead(const place_t *place, int64_t places) {
    if (place->exchange_time == 0)
        return places;
    int64_t ahead = (int64_t)((__int128)places * place->reserve_time / place->exchange_time);
    return places + (ahead < places ? ahead : places);
}

static bool has_room(const place_t *place, const lane_t *lane, int64_t place_most, int64_t lane_most) {
    return place->in_flight + place->reserved < places_with_ahead(place, place_most) &&
           (lane_most == 0 || lane->in_flight + lane->reserved < places_with_ahead(place, lane_most));
}

/* When `ticket` could start at `endpoint`: now, a later time, or INT64_MAX (an event decides). */
static int64_t ready_at(client_pool_t *pool, const ticket_t *ticket, size_t endpoint, int64_t now) {
    const settings_t *settings = pool->options.settings;
    place_t *place = &pool->places[endpoint];
    lane_t *lane = lane_at(pool, ticket->request.model, endpoint);
    if (place->breaker.state == BREAKER_SHUT)
        return INT64_MAX;
    if (!breaker_allows(&place->breaker, now))
        return place->breaker.state == BREAKER_OPEN ? place->breaker.until : INT64_MAX;
    if (!has_room(place, lane, settings->endpoints[endpoint].concurrency,
                  settings->models[ticket->request.model].concurrency))
        return INT64_MAX;
    int64_t charge = charge_at(pool, ticket, endpoint);
    int64_t a = limiter_ready_at(place->limiter, now, charge);
    int64_t b = limiter_ready_at(lane->limiter, now, charge);
    return a > b ? a : b;
}

/* The first endpoint at which the ticket may start now, else SIZE_MAX and in *when the earliest known time. */
static size_t choose_endpoint(client_pool_t *pool, const ticket_t *ticket, int64_t now, int64_t *when) {
    const model_settings_t *model = &pool->options.settings->models[ticket->request.model];
    *when = INT64_MAX;
    for (size_t i = 0; i < model->endpoint_count; i++) {
        size_t endpoint = model->endpoints[i];
        if (ticket->pinned != ANY_ENDPOINT && (size_t)ticket->pinned != endpoint)
            continue;
        int64_t at = ready_at(pool, ticket, endpoint, now);
        if (at <= now)
            return endpoint;
        if (at < *when)
            *when = at;
    }
    return SIZE_MAX;
}

static void ask_for_reservation(client_pool_t *pool, ticket_t *ticket, size_t endpoint, int64_t now) {
    place_t *place = &pool->places[endpoint];
    lane_t *lane = lane_at(pool, ticket->request.model, endpoint);
    int64_t charge = charge_at(pool, ticket, endpoint);
    limiter_take(place->limiter, now, charge);
    limiter_take(lane->limiter, now, charge);
    ticket->probing = place->breaker.state == BREAKER_HALF_OPEN;
    breaker_started(&place->breaker);
    place->reserved++;
    lane->reserved++;
    ticket->endpoint = endpoint;
    ticket->parked = false;
    ticket->granted_at = now;
    pool->busy++;
    actor_tell(pool->options.accountant, pool->self, MSG_RESERVE, 0, ticket, ticket_free);
}

void client_pool_release_grant(client_pool_t *pool, const ticket_t *ticket) {
    pool->places[ticket->endpoint].reserved--;
    client_pool_lane(pool, ticket)->reserved--;
}

/* A ticket that no endpoint could ever take, however long it waits. */
static bool never_fits(client_pool_t *pool, const ticket_t *ticket) {
    const settings_t *settings = pool->options.settings;
    const model_settings_t *model = &settings->models[ticket->request.model];
    for (size_t i = 0; i < model->endpoint_count; i++) {
        size_t endpoint = model->endpoints[i];
        int64_t charge = charge_at(pool, ticket, endpoint);
        int64_t tpm = settings->endpoints[endpoint].tpm;
        if ((tpm == 0 || charge <= tpm) && (model->tpm == 0 || charge <= model->tpm))
            return false;
    }
    return true;
}

/* Starts what may start in one queue; returns the earliest time at which more may. A ticket that has to wait for the
 * windows keeps its turn: those behind it wait too. One that waits for its own reasons does not. */
static int64_t pump_queue(client_pool_t *pool, ticket_queue_t *queue, int64_t now) {
    int64_t earliest = INT64_MAX, when;
    ticket_t *before = NULL;
    while (before ? before->next : queue->first) {
        ticket_t *ticket = before ? before->next : queue->first;
        int64_t own = ticket->parked ? ticket->parked_until : ticket->not_before;
        if (own > now) {
            earliest = own < earliest ? own : earliest;
            before = ticket;
            continue;
        }
        size_t endpoint = choose_endpoint(pool, ticket, now, &when);
        if (endpoint == SIZE_MAX) {
            earliest = when < earliest ? when : earliest;
            if (ticket->pinned == ANY_ENDPOINT)
                break;
            before = ticket;
            continue;
        }
        ask_for_reservation(pool, unlink_after(pool, queue, before), endpoint, now);
    }
    return earliest;
}

/* --- stalls --------------------------------------------------------------------------------------------- */

/* Why a waiting ticket cannot start without outside help; false: it can, some time. */
static bool ticket_is_stuck(client_pool_t *pool, const ticket_t *ticket, int64_t now, stall_t *stall) {
    const settings_t *settings = pool->options.settings;
    const model_settings_t *model = &settings->models[ticket->request.model];
    if (ticket->parked && ticket->parked_until == INT64_MAX) {
        stall->kind = ticket->hopeless ? STALL_CONFIG : STALL_CAP;
        snprintf(stall->message, sizeof stall->message, "%s", ticket->refusal);
        return true;
    }
    for (size_t i = 0; i < model->endpoint_count; i++) {
        size_t endpoint = model->endpoints[i];
        if (ticket->pinned != ANY_ENDPOINT && (size_t)ticket->pinned != endpoint)
            continue;
        const place_t *place = &pool->places[endpoint];
        bool out = (place->breaker.down_since != 0 && now - place->breaker.down_since >= settings->outage_wait) ||
                   place->blocked_until - now > settings->outage_wait;
        if (place->breaker.state != BREAKER_SHUT && !out)
            return false;
        stall->kind = STALL_WORLD;
        snprintf(stall->message, sizeof stall->message, "%s %s: %s", settings->endpoints[endpoint].name,
                 place->breaker.state == BREAKER_SHUT ? "is shut" : "has been down too long", place->trouble);
    }
    return true;
}

/* Tells the director when the pool comes to a standstill, when what stands still grows, and when it is over. */
static void check_stall(client_pool_t *pool, int64_t now) {
    stall_t found = {0}, one = {0};
    bool stuck = pool->busy == 0 && pool->waiting > 0 && !pool->stopping;
    for (size_t m = 0; stuck && m < pool->options.settings->model_count; m++)
        for (const ticket_t *ticket = pool->queues[m].first; stuck && ticket; ticket = ticket->next) {
            stuck = ticket_is_stuck(pool, ticket, now, &one);
            size_t tickets = found.tickets + 1;
            if (tickets == 1 || one.kind == STALL_CONFIG)
                found = one;
            found.tickets = tickets;
        }
    if (!stuck)
        found = (stall_t){0};
    if (found.tickets == pool->stalled)
        return;
    pool->stalled = found.tickets;
    actor_tell(pool->director, pool->self, MSG_STALLED, 0, memory_copy(&found, sizeof found), free);
}

/* When an outage will have lasted too long, so that check_stall looks again. */
static int64_t next_outage_end(const client_pool_t *pool) {
    int64_t earliest = INT64_MAX;
    for (size_t i = 0; i < pool->options.settings->endpoint_count; i++) {
        int64_t since = pool->places[i].breaker.down_since;
        if (since && since + pool->options.settings->outage_wait < earliest)
            earliest = since + pool->options.settings->outage_wait;
    }
    return earliest;
}

void client_pool_pump(client_pool_t *pool) {
    clock_port_t *clock = actor_clock(pool->self);
    int64_t now = clock_now(clock), earliest = INT64_MAX;
    size_t models = pool->options.settings->model_count;
    for (size_t e = 0; e < pool->options.settings->endpoint_count; e++) {
        int64_t when = client_pool_start_ready(pool, e);
        earliest = when < earliest ? when : earliest;
    }
    for (size_t n = 0; n < models && !pool->stopping; n++) {
        int64_t when = pump_queue(pool, &pool->queues[(pool->turn + n) % models], now);
        earliest = when < earliest ? when : earliest;
    }
    pool->turn = (pool->turn + 1) % models;
    int64_t end = pool->waiting ? next_outage_end(pool) : INT64_MAX;
    if (end > now && end < earliest)
        earliest = end;
    if (earliest != INT64_MAX)
        clock_timer_start(clock, pool->timer, earliest);
    else
        clock_timer_stop(clock, pool->timer);
    check_stall(pool, now);
}

/* --- messages ------------------------------------------------------------------------------------------- */

static void on_ticket(client_pool_t *pool, ticket_t *ticket) {
    if (pool->stopping) {
        client_pool_hand_back(pool, ticket);
        return;
    }
    if (never_fits(pool, ticket)) {
        job_fail(ticket->job, true, "bound",
                 "one request is charged %lld tokens, more than tpm of every endpoint of %s; raise tpm",
                 (long long)ticket->request.charge_estimate,
                 pool->options.settings->models[ticket->request.model].name);
        actor_tell(ticket->owner, pool->self, MSG_RETURNED, 0, ticket, ticket_free);
        return;
    }
    client_pool_enqueue(pool, ticket);
    client_pool_pump(pool);
}

static void on_refused(client_pool_t *pool, ticket_t *ticket) {
    pool->busy--;
    client_pool_release_grant(pool, ticket);
    breaker_abandoned(&pool->places[ticket->endpoint].breaker);
    if (pool->stopping) {
        client_pool_hand_back(pool, ticket);
        client_pool_pump(pool);
        return;
    }
    client_pool_enqueue(pool, ticket);
    client_pool_pump(pool);
}

static void on_freed(client_pool_t *pool) {
    for (size_t m = 0; m < pool->options.settings->model_count; m++)
        for (ticket_t *ticket = pool->queues[m].first; ticket; ticket = ticket->next)
            ticket->parked = false;
    client_pool_pump(pool);
}

/* Hands back what has not started; what is in flight is awaited (up to run.drain) or cancelled. */
static void on_stop(client_pool_t *pool) {
    pool->stopping = true;
    for (size_t m = 0; m < pool->options.settings->model_count; m++)
        while (pool->queues[m].first)
            client_pool_hand_back(pool, unlink_after(pool, &pool->queues[m], NULL));
    for (size_t e = 0; e < pool->options.settings->endpoint_count; e++)
        client_pool_start_ready(pool, e);
    clock_port_t *clock = actor_clock(pool->self);
    clock_timer_start(clock, pool->drain_timer, clock_now(clock) + pool->options.settings->drain);
}

static void on_ask(client_pool_t *pool, actor_t *reporter) {
    const settings_t *settings = pool->options.settings;
    int64_t now = clock_now(actor_clock(pool->self));
    facts_t *facts = MEMORY_NEW(facts_t);
    facts->from = FACTS_POOL;
    facts->attempts = pool->attempts;
    facts->answers = pool->answers;
    facts->retries = pool->retries;
    for (size_t i = 0; i < settings->endpoint_count; i++) {
        place_t *place = &pool->places[i];
        int64_t requests, tokens;
        limiter_usage(place->limiter, now, &requests, &tokens);
        facts->tokens_per_minute += (double)tokens;
        facts->token_limit += settings->endpoints[i].tpm;
        facts->in_flight += (size_t)place->in_flight;
        if (place->breaker.state != BREAKER_CLOSED)
            snprintf(facts->trouble, sizeof facts->trouble, "%s is %s: %.150s", settings->endpoints[i].name,
                     breaker_state_name(place->breaker.state), place->trouble);
    }
    if (!actor_send(reporter, pool->self, MSG_FACTS, 0, facts, free))
        free(facts);
}

static void pool_receive(actor_t *self, void *state, actor_message_t *message) {
    (void)self;
    client_pool_t *pool = state;
    void *payload = message->payload;
    switch (message->kind) {
    case MSG_TICKET:
        message->payload = NULL;
        on_ticket(pool, payload);
        break;
    case MSG_RESERVED:
        message->payload = NULL;
        client_pool_reserved(pool, payload);
        break;
    case MSG_REFUSED:
        message->payload = NULL;
        on_refused(pool, payload);
        break;
    case MSG_SETTLED:
        message->payload = NULL;
        client_pool_settled(pool, payload);
        break;
    case MSG_WORKED:
        message->payload = NULL;
        client_pool_attempt_ended(pool, payload);
        break;
    case MSG_FREED: on_freed(pool); break;
    case MSG_STOP: on_stop(pool); break;
    case MSG_TICK: client_pool_pump(pool); break;
    case MSG_ASK: on_ask(pool, message->sender); break;
    default: break;
    }
}

static void pump_fire(void *context) {
    client_pool_t *pool = context;
    actor_tell(pool->self, pool->self, MSG_TICK, 0, NULL, NULL);
}

/* The wait for attempts in flight is over: their outcome is unknown, and is recorded as doubt. */
static void drain_fire(void *context) {
    client_pool_t *pool = context;
    for (flight_t *flight = pool->flights; flight; flight = flight->next)
        http_cancel(pool->options.http, flight->exchange);
}

typedef struct {
    client_pool_t *pool;
    int64_t now, utc;
    uint32_t era;
} restoring_t;

/* How long ago it was reserved: on the monotonic clock if it is the same one, since UTC may have stepped. */
static int64_t begun_ago(const restoring_t *restoring, const attempt_t *attempt) {
    bool same_clock = attempt->era && attempt->era == restoring->era;
    return same_clock ? restoring->now - attempt->reserved_now : restoring->utc - attempt->reserved_utc;
}

/* How long ago it was over, which is the least that it can be since it was sent; just now, if UTC stepped meanwhile. */
static int64_t ended_ago(const restoring_t *restoring, const attempt_t *attempt) {
    int64_t begun = begun_ago(restoring, attempt), took = attempt->finished_utc - attempt->reserved_utc;
    return took >= 0 && took < begun ? begun - took : 0;
}

/* The newest first. False: this one, and so all before it, are too old to matter. */
static bool restore_attempt(void *context, const attempt_t *attempt) {
    const restoring_t *restoring = context;
    client_pool_t *pool = restoring->pool;
    const settings_t *settings = pool->options.settings;
    int64_t age = ended_ago(restoring, attempt);
    for (size_t e = 0; age < 2 * CLOCK_MINUTE && e < settings->endpoint_count; e++) {
        if (strcmp(settings->endpoints[e].name, attempt->endpoint) != 0)
            continue;
        limiter_restore(pool->places[e].limiter, restoring->now - age, attempt->rate_charge);
        for (size_t m = 0; m < settings->model_count; m++)
            if (strcmp(settings->models[m].name, attempt->model) == 0)
                limiter_restore(lane_at(pool, m, e)->limiter, restoring->now - age, attempt->rate_charge);
    }
    return begun_ago(restoring, attempt) < HOUR;
}

static void restore_windows(client_pool_t *pool, store_txn_t *txn) {
    clock_port_t *clock = actor_clock(pool->self);
    restoring_t restoring = {pool, clock_now(clock), clock_utc(clock), clock_era(clock)};
    ledger_attempts_since(txn, INT64_MIN, restore_attempt, &restoring);
}

static void pool_free(void *state) {
    client_pool_t *pool = state;
    clock_port_t *clock = actor_clock(pool->self);
    const settings_t *settings = pool->options.settings;
    clock_timer_free(clock, pool->timer);
    clock_timer_free(clock, pool->drain_timer);
    for (size_t m = 0; m < settings->model_count; m++)
        while (pool->queues[m].first)
            ticket_free(unlink_after(pool, &pool->queues[m], NULL));
    while (pool->flights) {
        flight_t *flight = pool->flights;
        pool->flights = flight->next;
        client_flight_free(flight);
    }
    for (size_t i = 0; i < settings->endpoint_count; i++) {
        while (pool->places[i].ready.first)
            ticket_free(client_pool_unlink(&pool->places[i].ready, NULL));
        limiter_free(pool->places[i].limiter);
        free(pool->places[i].authorization);
        for (int kind = 0; kind < KINDS; kind++)
            free(pool->places[i].urls[kind]);
    }
    for (size_t i = 0; i < settings->endpoint_count * settings->model_count; i++)
        limiter_free(pool->lanes[i].limiter);
    free(pool->places);
    free(pool->lanes);
    free(pool->queues);
    free(pool);
}

static const actor_definition_t pool_definition = {
    .name = "client_pool",
    .kinds = ACTOR_KIND(MSG_TICKET) | ACTOR_KIND(MSG_RESERVED) | ACTOR_KIND(MSG_REFUSED) | ACTOR_KIND(MSG_SETTLED) |
             ACTOR_KIND(MSG_WORKED) | ACTOR_KIND(MSG_FREED) | ACTOR_KIND(MSG_STOP) | ACTOR_KIND(MSG_TICK) |
             ACTOR_KIND(MSG_ASK),
    .mailbox = 1024,
    .receive = pool_receive,
    .free = pool_free,
};

static bool is_paced(const settings_t *settings) {
    bool paced = false;
    for (size_t e = 0; e < settings->endpoint_count; e++)
        paced = paced || settings->endpoints[e].rpm > 0 || settings->endpoints[e].tpm > 0;
    for (size_t m = 0; m < settings->model_count; m++)
        paced = paced || settings->models[m].rpm > 0 || settings->models[m].tpm > 0;
    return paced;
}

actor_t *client_pool_create(scheduler_t *scheduler, const client_pool_options_t *options, size_t mailbox,
                            error_info_t *error) {
    const settings_t *settings = options->settings;
    client_pool_t *pool = MEMORY_NEW(client_pool_t);
    pool->options = *options;
    pool->rng = rng_create(options->seed);
    pool->places = MEMORY_NEW_ARRAY(settings->endpoint_count + 1, place_t);
    pool->lanes = MEMORY_NEW_ARRAY(settings->endpoint_count * settings->model_count + 1, lane_t);
    pool->queues = MEMORY_NEW_ARRAY(settings->model_count + 1, ticket_queue_t);
    pool->self = actor_create(scheduler, &pool_definition, pool, mailbox);
    clock_port_t *clock = actor_clock(pool->self);
    pool->timer = clock_timer_create(clock, pump_fire, pool);
    pool->drain_timer = clock_timer_create(clock, drain_fire, pool);
    for (size_t e = 0; e < settings->endpoint_count; e++) {
        const endpoint_settings_t *endpoint = &settings->endpoints[e];
        pool->places[e].limiter = limiter_create(endpoint->rpm, endpoint->tpm, WINDOW_MARGIN);
        breaker_init(&pool->places[e].breaker);
        for (int kind = 0; kind < KINDS; kind++)
            pool->places[e].urls[kind] = memory_format("%s%s", endpoint->base_url, llm_request_path((llm_kind_t)kind));
        if (endpoint->key)
            pool->places[e].authorization = memory_format("Authorization: Bearer %s", endpoint->key);
        for (size_t m = 0; m < settings->model_count; m++)
            lane_at(pool, m, e)->limiter =
                limiter_create(settings->models[m].rpm, settings->models[m].tpm, WINDOW_MARGIN);
    }
    if (!is_paced(settings))
        return pool->self;
    store_txn_t *txn = store_read_begin(options->store, error);
    if (!txn)
        return NULL; /* the scheduler owns the actor */
    restore_windows(pool, txn);
    store_read_end(txn);
    return pool->self;
}

void client_pool_set_director(actor_t *pool_actor, actor_t *director) {
    ((client_pool_t *)actor_state(pool_actor))->director = director;
}
