/* http_scripted.c - the steps of an exchange, its deadlines, and connections that are kept. */
#include "test/rehearsal/http_scripted.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/memory.h"

enum { MOST_HEADERS = 64 << 10 };

typedef struct scripted scripted_t;

typedef struct connection {
    unsigned number, served;
    struct connection *next;
} connection_t;

typedef enum { STEP_ASKED, STEP_CONNECTING, STEP_SENDING, STEP_WAITING, STEP_RECEIVING } step_t;

struct http_exchange {
    scripted_t *port;
    step_t step;
    char *method, *url;
    char **headers;
    size_t header_count;
    buffer_t body;
    int64_t connect_timeout, idle_timeout, end; /* end: of the total timeout */
    size_t maximum_body;
    const char *refusal;
    bool sent, cancelled;
    connection_t *connection;
    scripted_line_t line;
    scripted_reply_t reply;
    int64_t natural;      /* when the present step ends by itself; INT64_MAX: never */
    world_event_t *event; /* the end of the step, natural or not */
    http_done_t *done;
    void *context;
    http_exchange_t *next;
};

struct scripted {
    http_port_t port; /* first member */
    world_t *world;
    scripted_peer_t peer;
    http_exchange_t *exchanges;
    connection_t *idle;
    unsigned connections, open;
};

/* --- connections ------------------------------------------------------------------------------ */

static void take_connection(http_exchange_t *exchange) {
    scripted_t *port = exchange->port;
    connection_t *connection = port->idle;
    if (connection) {
        port->idle = connection->next;
    } else {
        connection = MEMORY_NEW(connection_t);
        connection->number = ++port->connections;
        port->open++;
    }
    exchange->connection = connection;
}

static void leave_connection(http_exchange_t *exchange, bool keep) {
    scripted_t *port = exchange->port;
    connection_t *connection = exchange->connection;
    exchange->connection = NULL;
    if (!connection)
        return;
    if (keep) {
        connection->next = port->idle;
        port->idle = connection;
    } else {
        port->open--;
        free(connection);
    }
}

static scripted_request_t request_of(const http_exchange_t *exchange) {
    return (scripted_request_t){
        .method = exchange->method,
        .url = exchange->url,
        .headers = exchange->headers,
        .header_count = exchange->header_count,
        .body = &exchange->body,
        .connection = exchange->connection ? exchange->connection->number : 0,
        .served = exchange->connection ? exchange->connection->served : 0,
    };
}

/* --- the end of an exchange ------------------------------------------------------------------- */

static void exchange_free(http_exchange_t *exchange) {
    for (size_t i = 0; i < exchange->header_count; i++)
        free(exchange->headers[i]);
    free(exchange->headers);
    free(exchange->method);
    free(exchange->url);
    buffer_free(&exchange->body);
    buffer_free(&exchange->reply.body);
    free(exchange);
}

static void finish(http_exchange_t *exchange, http_outcome_t outcome, const char *detail) {
    scripted_t *port = exchange->port;
    http_exchange_t **link = &port->exchanges;
    while (*link != exchange)
        link = &(*link)->next;
    *link = exchange->next;
    if (exchange->event)
        world_cancel(port->world, exchange->event);
    leave_connection(exchange, outcome == HTTP_COMPLETE && !exchange->reply.closes);
    http_response_t response = {.outcome = outcome, .sent = exchange->sent};
    if (exchange->step == STEP_RECEIVING && exchange->reply.kind != REPLY_GARBAGE)
        response.status = exchange->reply.status;
    if (outcome == HTTP_COMPLETE) {
        scripted_request_t request = request_of(exchange);
        if (port->peer.received)
            port->peer.received(port->peer.context, &request, &exchange->reply);
        response.body = exchange->reply.body;
        exchange->reply.body = BUFFER_EMPTY;
        const char *line = exchange->reply.headers ? exchange->reply.headers : "";
        for (const char *end; *line && (end = strstr(line, "\r\n")); line = end + 2)
            http_fields_read(&response.fields, line, (size_t)(end - line));
        http_fields_read(&response.fields, exchange->reply.field, strlen(exchange->reply.field));
    }
    http_detail_set(&response, detail);
    exchange->done(exchange->context, &response);
    http_response_clear(&response);
    exchange_free(exchange);
}

static void deliver(http_exchange_t *exchange) {
    scripted_request_t request = request_of(exchange);
    exchange->port->peer.serve(exchange->port->peer.context, &request, &exchange->reply);
    exchange->connection->served++;
}

/* Given up from this side; what was on its way may arrive all the same. */
static void abandon(http_exchange_t *exchange, http_outcome_t outcome, const char *detail) {
    if (exchange->step == STEP_SENDING && exchange->line.kind == LINE_GOOD &&
        exchange->line.orphaned)
        deliver(exchange);
    finish(exchange, outcome, detail);
}

/* --- steps ------------------------------------------------------------------------------------ */

static void step_fires(void *context);

static int64_t after(int64_t now, int64_t duration) {
    return duration == INT64_MAX ? INT64_MAX : now + duration;
}

/* Enters a step that lasts `duration`, or less where a timeout says so. */
static void enter(http_exchange_t *exchange, step_t step, int64_t duration) {
    world_t *world = exchange->port->world;
    int64_t now = world_now(world), limit = exchange->end;
    exchange->step = step;
    exchange->natural = after(now, duration);
    if (step == STEP_CONNECTING && now + exchange->connect_timeout < limit)
        limit = now + exchange->connect_timeout;
    bool moves = step == STEP_RECEIVING && exchange->reply.kind == REPLY_DRIPS;
    if (step != STEP_CONNECTING && !moves && exchange->idle_timeout > 0 &&
        now + exchange->idle_timeout < limit)
        limit = now + exchange->idle_timeout;
    exchange->event = world_schedule(world, exchange->natural < limit ? exchange->natural : limit,
                                     step_fires, exchange);
}

static void start(http_exchange_t *exchange) {
    bool kept = exchange->port->idle != NULL;
    if (exchange->refusal) {
        finish(exchange, HTTP_REFUSED, exchange->refusal);
        return;
    }
    take_connection(exchange);
    scripted_request_t request = request_of(exchange);
    exchange->port->peer.dial(exchange->port->peer.context, &request, &exchange->line);
    bool never = exchange->line.kind == LINE_UNREACHABLE;
    bool fresh = !kept || never || exchange->line.kind == LINE_REFUSED;
    enter(exchange, STEP_CONNECTING, never ? INT64_MAX : fresh ? exchange->line.connect : 0);
}

static void connected(http_exchange_t *exchange) {
    if (exchange->line.kind == LINE_REFUSED) {
        finish(exchange, HTTP_REFUSED, "connection refused (rehearsal)");
    } else if (exchange->line.kind == LINE_UNREAD) {
        finish(exchange, HTTP_BROKEN,
               "the connection was closed before anything was sent (rehearsal)");
    } else {
        exchange->sent = true;
        enter(exchange, STEP_SENDING, exchange->line.upload);
    }
}

static void sent(http_exchange_t *exchange) {
    if (exchange->line.kind == LINE_DURING) {
        finish(exchange, HTTP_BROKEN,
               "the connection was reset while the request was sent (rehearsal)");
        return;
    }
    deliver(exchange);
    enter(exchange, STEP_WAITING,
          exchange->reply.kind == REPLY_HANGS ? INT64_MAX : exchange->reply.think);
}

static void received(http_exchange_t *exchange) {
    switch (exchange->reply.kind) {
    case REPLY_WHOLE: finish(exchange, HTTP_COMPLETE, ""); break;
    case REPLY_GARBAGE:
        finish(exchange, HTTP_BROKEN, "the peer does not speak HTTP (rehearsal)");
        break;
    default: finish(exchange, HTTP_BROKEN, "the answer was cut (rehearsal)"); break;
    }
}

/* The first byte is here. */
static void answered(http_exchange_t *exchange) {
    if (exchange->reply.kind == REPLY_NONE) {
        finish(exchange, HTTP_BROKEN, "the connection was reset before the answer (rehearsal)");
        return;
    }
    bool large =
        exchange->reply.kind == REPLY_WHOLE && exchange->reply.body.length > exchange->maximum_body;
    if (exchange->reply.header_bytes > MOST_HEADERS || large) {
        exchange->step = STEP_RECEIVING;
        finish(exchange, HTTP_TOO_LARGE,
               large ? "the body is too large (rehearsal)" : "too many headers (rehearsal)");
        return;
    }
    enter(exchange, STEP_RECEIVING,
          exchange->reply.kind == REPLY_DRIPS ? INT64_MAX : exchange->reply.download);
}

static void step_fires(void *context) {
    http_exchange_t *exchange = context;
    exchange->event = NULL;
    if (exchange->cancelled) {
        abandon(exchange, HTTP_CANCELLED, "cancelled");
    } else if (exchange->step != STEP_ASKED &&
               world_now(exchange->port->world) < exchange->natural) {
        abandon(exchange, HTTP_TIMED_OUT, "timed out (rehearsal)");
    } else {
        static void (*const ends[])(http_exchange_t *) = {
            [STEP_ASKED] = start,      [STEP_CONNECTING] = connected, [STEP_SENDING] = sent,
            [STEP_WAITING] = answered, [STEP_RECEIVING] = received,
        };
        ends[exchange->step](exchange);
    }
}

/* --- the port --------------------------------------------------------------------------------- */

static const char *refusal_of(const http_request_t *request) {
    const char *refusal = http_request_refusal(request);
    return refusal || strstr(request->url, "://")[3] != ':' ? refusal : "the URL names no host";
}

static http_exchange_t *submit(http_port_t *http, const http_request_t *request, http_done_t *done,
                               void *context) {
    scripted_t *port = (scripted_t *)http;
    http_exchange_t *exchange = MEMORY_NEW(http_exchange_t);
    *exchange = (http_exchange_t){
        .port = port,
        .method = memory_copy_string(request->method),
        .url = memory_copy_string(request->url),
        .headers = MEMORY_NEW_ARRAY(request->header_count + 1, char *),
        .header_count = request->header_count,
        .connect_timeout = request->connect_timeout,
        .idle_timeout = request->idle_timeout,
        .end = world_now(port->world) + request->total_timeout,
        .maximum_body = request->maximum_body,
        .refusal = refusal_of(request),
        .done = done,
        .context = context,
        .next = port->exchanges,
    };
    for (size_t i = 0; i < request->header_count; i++)
        exchange->headers[i] = memory_copy_string(request->headers[i]);
    if (request->body)
        buffer_append(&exchange->body, request->body, request->body_length);
    port->exchanges = exchange;
    exchange->event = world_schedule(port->world, world_now(port->world), step_fires, exchange);
    return exchange;
}

static void cancel(http_port_t *http, http_exchange_t *exchange) {
    scripted_t *port = (scripted_t *)http;
    if (exchange->cancelled || exchange->refusal)
        return;
    exchange->cancelled = true;
    if (exchange->event)
        world_cancel(port->world, exchange->event);
    exchange->event = world_schedule(port->world, world_now(port->world), step_fires, exchange);
}

http_port_t *http_scripted_create(world_t *world, const scripted_peer_t *peer) {
    scripted_t *port = MEMORY_NEW(scripted_t);
    *port = (scripted_t){.port = {submit, cancel}, .world = world, .peer = *peer};
    return &port->port;
}

void http_scripted_free(http_port_t *http) {
    scripted_t *port = (scripted_t *)http;
    while (port->exchanges)
        abandon(port->exchanges, HTTP_CANCELLED, "cancelled: the port was closed");
    while (port->idle) {
        connection_t *connection = port->idle;
        port->idle = connection->next;
        free(connection);
    }
    free(port);
}

unsigned http_scripted_connections(const http_port_t *http) {
    return ((const scripted_t *)http)->connections;
}

unsigned http_scripted_open(const http_port_t *http) {
    return ((const scripted_t *)http)->open;
}
