/* client_attempt.c - one attempt: sent, classified, settled, and then answered, tried again or given up. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "actors/client_private.h"
#include "core/base/memory.h"
#include "store/responses.h"

enum { LONG_BODY = 16 << 10 };
/* A grant that is older at the start counts in the windows a second time. */
static const int64_t LATE_START = CLOCK_SECOND / 20;

void client_pool_hand_back(client_pool_t *pool, ticket_t *ticket) {
    ticket->job->outcome = OUTCOME_HANDED_BACK;
    actor_tell(ticket->owner, pool->self, MSG_RETURNED, 0, ticket, ticket_free);
}

static void flight_done(void *context, http_response_t *response);

static void send_request(client_pool_t *pool, ticket_t *ticket) {
    const settings_t *settings = pool->options.settings;
    const endpoint_settings_t *endpoint = &settings->endpoints[ticket->endpoint];
    buffer_t made = BUFFER_EMPTY;
    const buffer_t *body = request_body(&ticket->request, settings, &made);
    const place_t *place = &pool->places[ticket->endpoint];
    const char *headers[] = {"Content-Type: application/json", place->authorization};
    http_request_t http = {
        .method = "POST",
        .url = place->urls[ticket->request.kind],
        .headers = headers,
        .header_count = place->authorization ? 2 : 1,
        .body = body->data,
        .body_length = body->length,
        .connect_timeout = endpoint->connect_timeout,
        .total_timeout = endpoint->total_timeout,
        .idle_timeout = endpoint->idle_timeout,
        .maximum_body = (size_t)endpoint->maximum_body,
        .ca_file = endpoint->ca_file,
        .http2 = endpoint->http2,
    };
    flight_t *flight = MEMORY_NEW(flight_t);
    *flight = (flight_t){.pool = pool, .ticket = ticket, .next = pool->flights};
    ticket->sent_at = clock_now(actor_clock(pool->self));
    pool->flights = flight;
    flight->exchange = http_submit(pool->options.http, &http, flight_done, flight);
    buffer_free(&made);
}

static void learn(int64_t *average, int64_t sample) {
    *average = *average == 0 ? sample : *average + (sample - *average) / 8;
    if (*average <= 0)
        *average = 1;
}

/* The grant lapses: the endpoint went down or asked to wait meanwhile, or the run stops. What was reserved is void. */
static void give_back(client_pool_t *pool, ticket_t *ticket) {
    ticket->verdict = RETRY_CANCELLED;
    ticket->never_sent = true;
    ticket->retry_after = -1;
    client_pool_release_grant(pool, ticket);
    if (ticket->probing)
        breaker_abandoned(&pool->places[ticket->endpoint].breaker);
    actor_tell(pool->options.accountant, pool->self, MSG_ENDED, 0, ticket, ticket_free);
}

static bool is_late(const ticket_t *ticket, int64_t now) {
    return now - ticket->granted_at > LATE_START;
}

/* A grant that is used late is taken again: what was granted over minutes may not start all at once. */
static int64_t late_start_at(client_pool_t *pool, const ticket_t *ticket, int64_t now) {
    int64_t charge = ticket->attempt.rate_charge;
    int64_t a = limiter_ready_at(pool->places[ticket->endpoint].limiter, now, charge);
    int64_t b = limiter_ready_at(client_pool_lane(pool, ticket)->limiter, now, charge);
    return a > b ? a : b;
}

static void start_attempt(client_pool_t *pool, ticket_t *ticket, int64_t now) {
    place_t *place = &pool->places[ticket->endpoint];
    lane_t *lane = client_pool_lane(pool, ticket);
    if (is_late(ticket, now)) {
        limiter_take(place->limiter, now, ticket->attempt.rate_charge);
        limiter_take(lane->limiter, now, ticket->attempt.rate_charge);
    }
    client_pool_release_grant(pool, ticket);
    place->in_flight++;
    lane->in_flight++;
    pool->attempts++;
    if (ticket->attempts++ > 0)
        pool->retries++;
    ticket->usage = (llm_usage_t){0};
    send_request(pool, ticket);
}

static bool has_lapsed(const client_pool_t *pool, const ticket_t *ticket, int64_t now) {
    const place_t *place = &pool->places[ticket->endpoint];
    return pool->stopping || (place->breaker.state != BREAKER_CLOSED && !ticket->probing) || place->blocked_until > now;
}

int64_t client_pool_start_ready(client_pool_t *pool, size_t endpoint) {
    const settings_t *settings = pool->options.settings;
    place_t *place = &pool->places[endpoint];
    int64_t now = clock_now(actor_clock(pool->self)), earliest = INT64_MAX;
    for (ticket_t *before = NULL; (before ? before->next : place->ready.first);) {
        ticket_t *ticket = before ? before->next : place->ready.first;
        int64_t lane_most = settings->models[ticket->request.model].concurrency;
        if (has_lapsed(pool, ticket, now)) {
            give_back(pool, client_pool_unlink(&place->ready, before));
            continue;
        }
        if (place->in_flight >= settings->endpoints[endpoint].concurrency)
            break;
        bool waits = lane_most > 0 && client_pool_lane(pool, ticket)->in_flight >= lane_most;
        int64_t at = !waits && is_late(ticket, now) ? late_start_at(pool, ticket, now) : now;
        if (at > now && at < earliest)
            earliest = at;
        if (waits || at > now)
            before = ticket;
        else
            start_attempt(pool, client_pool_unlink(&place->ready, before), now);
    }
    return earliest;
}

void client_pool_reserved(client_pool_t *pool, ticket_t *ticket) {
    place_t *place = &pool->places[ticket->endpoint];
    learn(&place->reserve_time, clock_now(actor_clock(pool->self)) - ticket->granted_at);
    client_pool_append(&place->ready, ticket);
    if (client_pool_start_ready(pool, ticket->endpoint) != INT64_MAX)
        client_pool_pump(pool);
}

/* Its Retry-After is meant for whoever asks there. */
static bool blocks_endpoint(const ticket_t *ticket) {
    return ticket->retry_after >= 0 && (ticket->verdict == RETRY_RATE_LIMIT || ticket->verdict == RETRY_SERVER);
}

/* What the endpoint's breaker and windows learn from an exchange. */
static void teach(client_pool_t *pool, const ticket_t *ticket) {
    place_t *place = &pool->places[ticket->endpoint];
    int64_t now = clock_now(actor_clock(pool->self));
    if (ticket->verdict == RETRY_CANCELLED)
        breaker_abandoned(&place->breaker);
    else if (retry_verdict_blames_endpoint(ticket->verdict))
        breaker_failed(&place->breaker, now);
    else
        breaker_succeeded(&place->breaker, ticket->sent_at);
    if (ticket->verdict == RETRY_QUOTA || ticket->verdict == RETRY_CREDENTIALS || ticket->attempt.over_bound)
        breaker_shut(&place->breaker, now);
    if (blocks_endpoint(ticket)) {
        limiter_block(place->limiter, now + ticket->retry_after);
        if (now + ticket->retry_after > place->blocked_until)
            place->blocked_until = now + ticket->retry_after;
        snprintf(place->trouble, sizeof place->trouble, "asked to wait %lld s (%s)",
                 (long long)(ticket->retry_after / CLOCK_SECOND), retry_verdict_name(ticket->verdict));
    }
    /* Not by answers that were under way when it was shut. */
    bool failed = (ticket->verdict != RETRY_ANSWER && ticket->verdict != RETRY_CANCELLED) || ticket->attempt.over_bound;
    if (place->breaker.state != BREAKER_CLOSED && failed)
        snprintf(place->trouble, sizeof place->trouble, "%s%s%s: %.180s", retry_verdict_name(ticket->verdict),
                 ticket->detail.code[0] ? " " : "", ticket->detail.code, ticket->detail.message);
}

/* Usage above what was set aside: the endpoint does not keep the output maximum, and is not asked again in this run. */
static void check_bound(client_pool_t *pool, ticket_t *ticket) {
    const llm_usage_t *usage = &ticket->usage;
    if (ticket->verdict != RETRY_ANSWER || !usage->present)
        return;
    if (usage->prompt_tokens <= ticket->request.input_bound &&
        usage->completion_tokens <= ticket->request.output_maximum)
        return;
    ticket->attempt.over_bound = true;
    snprintf(ticket->detail.message, sizeof ticket->detail.message,
             "reported %lld prompt and %lld completion tokens, more than the %lld and %lld that were set aside",
             (long long)usage->prompt_tokens, (long long)usage->completion_tokens,
             (long long)ticket->request.input_bound, (long long)ticket->request.output_maximum);
    log_line(pool->options.log, LOG_ERROR, "%s %s; it is not asked again in this run",
             pool->options.settings->endpoints[ticket->endpoint].name, ticket->detail.message);
}

/* What an exchange was, by its bytes alone. */
static void read_response(flight_t *flight) {
    ticket_t *ticket = flight->ticket;
    http_response_t *response = &flight->response;
    json_value_t *answer;
    ticket->verdict = retry_read(response, &ticket->detail, &answer);
    if (!response->sent && ticket->verdict != RETRY_ANSWER && ticket->verdict != RETRY_CANCELLED)
        ticket->verdict = RETRY_CONNECT;
    if (ticket->verdict == RETRY_ANSWER)
        llm_usage_of(answer, &ticket->usage);
    json_free(answer);
}

static void flight_free(flight_t *flight) {
    http_response_clear(&flight->response);
    free(flight);
}

static void pack_work(void *context) {
    ticket_t *ticket = ((flight_t *)context)->ticket;
    response_pack(ticket->body.data, ticket->body.length, &ticket->packed);
}

/* All that is known of the attempt goes to the ledger. */
static void settle(void *context) {
    flight_t *flight = context;
    client_pool_t *pool = flight->pool;
    actor_tell(pool->options.accountant, pool->self, MSG_ENDED, 0, flight->ticket, ticket_free);
    flight_free(flight);
}

void client_pool_attempt_ended(client_pool_t *pool, flight_t *flight) {
    ticket_t *ticket = flight->ticket;
    http_response_t *response = &flight->response;
    ticket->attempt.status = response->status;
    ticket->never_sent = !response->sent;
    ticket->retry_after = retry_after(&response->fields, clock_utc(actor_clock(pool->self)));
    log_redact(pool->options.log, ticket->detail.message);
    log_redact(pool->options.log, ticket->detail.code);
    if (ticket->verdict == RETRY_ANSWER) {
        ticket->body = response->body;
        response->body = BUFFER_EMPTY;
        pool->answers++;
    }
    check_bound(pool, ticket);
    teach(pool, ticket);
    if (ticket->verdict == RETRY_ANSWER)
        executor_submit(pool->options.workers, pack_work, settle, flight);
    else
        settle(flight);
    client_pool_pump(pool);
}

void client_flight_free(void *pointer) {
    flight_t *flight = pointer;
    ticket_free(flight->ticket);
    flight_free(flight);
}

static void read_work(void *context) {
    read_response(context);
}

static void read_done(void *context) {
    flight_t *flight = context;
    actor_tell(flight->pool->self, flight->pool->self, MSG_WORKED, 0, flight, client_flight_free);
}

/* The last byte is here: the place is free. What the endpoint says by it (silence, a usage above the bound) counts
 * before the next request starts; only a long body is read on a worker, lest the loop stall. */
static void flight_done(void *context, http_response_t *response) {
    flight_t *flight = context;
    client_pool_t *pool = flight->pool;
    flight_t **link = &pool->flights;
    while (*link != flight)
        link = &(*link)->next;
    *link = flight->next;
    flight->response = *response;
    *response = (http_response_t){0};
    place_t *place = &pool->places[flight->ticket->endpoint];
    place->in_flight--;
    client_pool_lane(pool, flight->ticket)->in_flight--;
    learn(&place->exchange_time, clock_now(actor_clock(pool->self)) - flight->ticket->sent_at);
    if (flight->response.body.length > LONG_BODY) {
        executor_submit(pool->options.workers, read_work, read_done, flight);
        return;
    }
    read_response(flight);
    client_pool_attempt_ended(pool, flight);
}

static void give_up(client_pool_t *pool, ticket_t *ticket, bool terminal) {
    job_t *job = ticket->job;
    job_fail(job, terminal, retry_verdict_name(ticket->verdict), "%s", ticket->detail.message);
    job->trouble.status = ticket->attempt.status;
    job->trouble.tries = ticket->attempts;
    snprintf(job->trouble.code, sizeof job->trouble.code, "%s", ticket->detail.code);
    actor_tell(ticket->owner, pool->self, MSG_RETURNED, 0, ticket, ticket_free);
}

static void try_again(client_pool_t *pool, ticket_t *ticket) {
    const place_t *place = &pool->places[ticket->endpoint];
    bool outage = ticket->probing || place->breaker.state != BREAKER_CLOSED;
    if (ticket->verdict == RETRY_CANCELLED) { /* was never sent: its turn comes again */
        client_pool_enqueue(pool, ticket);
        return;
    }
    if (!outage && ++ticket->tries >= pool->options.settings->max_tries) {
        give_up(pool, ticket, false);
        return;
    }
    int64_t pause = retry_backoff(&pool->rng, ticket->tries > 0 ? ticket->tries - 1 : 0);
    /* Where the endpoint is blocked, another one may take the ticket sooner. */
    if (ticket->retry_after > pause && !blocks_endpoint(ticket))
        pause = ticket->retry_after;
    if (outage)
        pause = 0; /* the breaker says when */
    ticket->not_before = clock_now(actor_clock(pool->self)) + pause;
    client_pool_enqueue(pool, ticket);
}

void client_pool_settled(client_pool_t *pool, ticket_t *ticket) {
    pool->busy--;
    if (ticket->verdict == RETRY_ANSWER)
        actor_tell(ticket->owner, pool->self, MSG_ANSWERED, 0, ticket, ticket_free);
    else if (!retry_verdict_tries_again(ticket->verdict))
        give_up(pool, ticket, true);
    else if (pool->stopping)
        client_pool_hand_back(pool, ticket);
    else
        try_again(pool, ticket);
    client_pool_pump(pool);
}
