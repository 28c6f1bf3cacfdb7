/* attempt.c - a request is sent, its response read and packed. */
#include "actors/pool/attempt.h"

#include <stdlib.h>

#include "core/base/memory.h"
#include "store/responses.h"

enum { LONG_BODY = 16 << 10, KINDS = LLM_EMBEDDING + 1 };

/* An endpoint, as HTTP sees it. */
typedef struct {
    char *urls[KINDS];
    char *authorization; /* header; NULL: none */
} address_t;

/* An exchange, until what came of it is whole. */
typedef struct exchange {
    attempt_desk_t *desk;
    ticket_t *ticket;
    http_exchange_t *http;
    http_response_t response; /* once it is over */
    struct exchange *next;    /* while it is not */
} exchange_t;

struct attempt_desk {
    attempt_options_t options;
    address_t *addresses; /* [endpoint_count] */
    exchange_t *under_way;
    size_t count; /* of them */
};

attempt_desk_t *attempt_desk_create(const attempt_options_t *options) {
    const settings_t *settings = options->settings;
    attempt_desk_t *desk = MEMORY_NEW(attempt_desk_t);
    desk->options = *options;
    desk->addresses = MEMORY_NEW_ARRAY(settings->endpoint_count + 1, address_t);
    for (size_t e = 0; e < settings->endpoint_count; e++) {
        const endpoint_settings_t *endpoint = &settings->endpoints[e];
        address_t *address = &desk->addresses[e];
        for (int kind = 0; kind < KINDS; kind++)
            address->urls[kind] =
                memory_format("%s%s", endpoint->base_url, llm_request_path((llm_kind_t)kind));
        if (endpoint->key)
            address->authorization = memory_format("Authorization: Bearer %s", endpoint->key);
    }
    return desk;
}

static void exchange_free(exchange_t *exchange) {
    http_response_clear(&exchange->response);
    free(exchange);
}

void attempt_desk_free(attempt_desk_t *desk) {
    while (desk->under_way) {
        exchange_t *exchange = desk->under_way;
        desk->under_way = exchange->next;
        ticket_free(exchange->ticket);
        exchange_free(exchange);
    }
    for (size_t e = 0; e < desk->options.settings->endpoint_count; e++) {
        free(desk->addresses[e].authorization);
        for (int kind = 0; kind < KINDS; kind++)
            free(desk->addresses[e].urls[kind]);
    }
    free(desk->addresses);
    free(desk);
}

size_t attempt_count(const attempt_desk_t *desk) {
    return desk->count;
}

void attempt_cancel_all(attempt_desk_t *desk) {
    for (exchange_t *exchange = desk->under_way; exchange; exchange = exchange->next)
        http_cancel(desk->options.http, exchange->http);
}

/* --- what came --- */

static void tell(const exchange_t *exchange, unsigned news) {
    const attempt_options_t *options = &exchange->desk->options;
    options->news(options->context, exchange->ticket, news);
}

/* What an exchange was, by its bytes alone. */
static void read_response(exchange_t *exchange) {
    attempt_outcome_t *outcome = &exchange->ticket->outcome;
    http_response_t *response = &exchange->response;
    json_value_t *answer;
    outcome->verdict = retry_read(response, &outcome->detail, &answer);
    if (!response->sent && outcome->verdict != RETRY_ANSWER && outcome->verdict != RETRY_CANCELLED)
        outcome->verdict = RETRY_CONNECT;
    if (outcome->verdict == RETRY_ANSWER) {
        llm_usage_of(answer, &outcome->usage);
        outcome->body = response->body;
        response->body = BUFFER_EMPTY;
    }
    json_free(answer);
}

/* And by the rest, which is the loop's to ask. */
static void complete(exchange_t *exchange) {
    const attempt_options_t *options = &exchange->desk->options;
    attempt_outcome_t *outcome = &exchange->ticket->outcome;
    const http_response_t *response = &exchange->response;
    outcome->status = response->status;
    outcome->never_sent = !response->sent;
    outcome->retry_after = retry_after(&response->fields, clock_utc(options->clock));
    log_redact(options->log, outcome->detail.message);
    log_redact(options->log, outcome->detail.code);
}

static void pack(attempt_outcome_t *outcome) {
    if (outcome->verdict == RETRY_ANSWER)
        response_pack(outcome->body.data, outcome->body.length, &outcome->packed);
}

static void pack_work(void *context) {
    pack(&((exchange_t *)context)->ticket->outcome);
}

static void pack_done(void *context) {
    tell(context, ATTEMPT_WHOLE);
    exchange_free(context);
}

static void read_work(void *context) {
    exchange_t *exchange = context;
    read_response(exchange);
    pack(&exchange->ticket->outcome);
}

static void read_done(void *context) {
    complete(context);
    tell(context, ATTEMPT_READ | ATTEMPT_WHOLE);
    exchange_free(context);
}

static void exchange_done(void *context, http_response_t *response) {
    exchange_t *exchange = context, **link = &exchange->desk->under_way;
    executor_t *workers = exchange->desk->options.workers;
    while (*link != exchange)
        link = &(*link)->next;
    *link = exchange->next;
    exchange->desk->count--;
    exchange->response = *response;
    *response = (http_response_t){0};
    if (exchange->response.body.length > LONG_BODY) {
        executor_submit(workers, read_work, read_done, exchange);
        tell(exchange, ATTEMPT_OVER);
        return;
    }
    read_response(exchange);
    complete(exchange);
    if (exchange->ticket->outcome.verdict == RETRY_ANSWER) {
        executor_submit(workers, pack_work, pack_done, exchange);
        tell(exchange, ATTEMPT_OVER | ATTEMPT_READ);
        return;
    }
    tell(exchange, ATTEMPT_OVER | ATTEMPT_READ | ATTEMPT_WHOLE);
    exchange_free(exchange);
}

/* --- sending --- */

void attempt_send(attempt_desk_t *desk, ticket_t *ticket) {
    const attempt_options_t *options = &desk->options;
    const endpoint_settings_t *endpoint = &options->settings->endpoints[ticket->endpoint];
    const address_t *address = &desk->addresses[ticket->endpoint];
    buffer_t made = BUFFER_EMPTY;
    const buffer_t *body = request_body(&ticket->request, options->settings, &made);
    const char *headers[] = {"Content-Type: application/json", address->authorization};
    http_request_t request = {
        .method = "POST",
        .url = address->urls[ticket->request.kind],
        .headers = headers,
        .header_count = address->authorization ? 2 : 1,
        .body = body->data,
        .body_length = body->length,
        .connect_timeout = endpoint->connect_timeout,
        .total_timeout = endpoint->total_timeout,
        .idle_timeout = endpoint->idle_timeout,
        .maximum_body = (size_t)endpoint->maximum_body,
        .ca_file = endpoint->ca_file,
        .http2 = endpoint->http2,
    };
    exchange_t *exchange = MEMORY_NEW(exchange_t);
    *exchange = (exchange_t){.desk = desk, .ticket = ticket, .next = desk->under_way};
    desk->under_way = exchange;
    desk->count++;
    ticket->outcome = (attempt_outcome_t){.retry_after = -1};
    ticket->sent_at = clock_now(options->clock);
    exchange->http = http_submit(options->http, &request, exchange_done, exchange);
    buffer_free(&made);
}
