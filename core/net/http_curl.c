/* http_curl.c - the http port on libcurl multi (socket action). (http_curl_easy.c: libcurl's
 * side of one exchange.)
 *
 * An exchange is WAITING (for a turn of the loop that has not started its share yet), RUNNING
 * (known to curl_multi), then FINISHED (its outcome stands, it waits in `finished`), then gone.
 * `done` is called from two places only, a socket or timer event of the loop and http_curl_free,
 * after curl returned; so a `done` may submit and cancel as it likes.
 *
 *   RUNNING --curl reports it--> FINISHED        (collect, after every call that can complete one)
 *   WAITING or RUNNING --http_cancel--> FINISHED (CANCELLED; what curl completed is collected)
 *   WAITING --cannot be sent--> FINISHED         (REFUSED)
 */
#include "core/net/http_curl.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/base/memory.h"
#include "core/net/http_curl_private.h"

enum {
    CONNECTIONS_KEPT = 1024, /* idle connections, when max_connections sets no limit */
    NUDGE = 50 * 1000,       /* microseconds, see nudge_fired */
    /* curl sends all that it was given in one call, each in some 20 us: no turn takes long */
    STARTS_A_TURN = 32,
};

typedef struct {
    http_exchange_t *first;
    http_exchange_t *last;
} exchange_list_t;

/* A socket that curl wants to be watched, or wanted to: an idle connection stays watched, for
 * reading, until it is closed, so that using it again costs no system call. Sockets that are no
 * connections (a resolver's, those on which connecting failed) are closed without a word, and go
 * when curl drops them. */
typedef struct watched {
    http_curl_t *port;
    loop_watch_t *watch;
    curl_socket_t fd;
    int events;
    int local_port;     /* 0: not looked up yet */
    bool is_connection; /* a request went out on it */
    bool idle;          /* curl has no interest in it at present */
} watched_t;

struct http_curl {
    http_port_t port; /* first member */
    loop_t *loop;
    clock_port_t *clock;
    CURLM *multi;
    clock_timer_t *curl_timer; /* what curl asked for */
    int64_t curl_due;          /* when it fires; INT64_MAX: never */
    clock_timer_t *later;      /* due while something is finished that no event will deliver */
    clock_timer_t *turn;       /* due in the next turn of the loop while `started` is not 0 */
    int started;               /* in this turn */
    exchange_list_t waiting;
    exchange_list_t running;
    exchange_list_t finished;
    clock_timer_t *nudge; /* running while `nudged_running` is not 0 */
    size_t nudged_running;
    watched_t **watched; /* [watched_room] by descriptor; NULL: none */
    size_t watched_room;
    watched_t *firing; /* the socket whose event is being handled; NULL once curl dropped it */
    easy_pool_t pool;
};

/* HTTP/2 of libcurl before 8.1.0 needs care: see nudge_fired, and http_curl_easy.c
 * for plain http://. */
bool http_curl_http2_is_sound(void) {
    return curl_version_info(CURLVERSION_NOW)->version_num >= 0x080100;
}

/* --- small parts ------------------------------------------------------------------------------ */

static void list_append(exchange_list_t *list, http_exchange_t *exchange) {
    exchange->next = NULL;
    exchange->previous = list->last;
    if (list->last)
        list->last->next = exchange;
    else
        list->first = exchange;
    list->last = exchange;
}

static void list_remove(exchange_list_t *list, http_exchange_t *exchange) {
    if (exchange->previous)
        exchange->previous->next = exchange->next;
    else
        list->first = exchange->next;
    if (exchange->next)
        exchange->next->previous = exchange->previous;
    else
        list->last = exchange->previous;
}

/* --- sockets ---------------------------------------------------------------------------------- */

static watched_t *watched_find(const http_curl_t *port, curl_socket_t fd) {
    return fd >= 0 && (size_t)fd < port->watched_room ? port->watched[fd] : NULL;
}

/* -1: it has none. */
static int local_port_of(curl_socket_t fd) {
    struct sockaddr_storage address;
    socklen_t size = sizeof address;
    if (getsockname(fd, (struct sockaddr *)&address, &size) != 0)
        return -1;
    if (address.ss_family == AF_INET)
        return ntohs(((const struct sockaddr_in *)&address)->sin_port);
    return address.ss_family == AF_INET6 ? ntohs(((const struct sockaddr_in6 *)&address)->sin6_port)
                                         : -1;
}

/* The connected socket with this port, which is all that curl tells of the one it is about to use;
 * NULL: not known. */
static watched_t *watched_by_port(const http_curl_t *port, int local_port) {
    for (size_t fd = 0; fd < port->watched_room; fd++) {
        watched_t *watched = port->watched[fd];
        if (!watched)
            continue;
        if (watched->local_port == 0)
            watched->local_port = local_port_of(watched->fd);
        if (watched->local_port == local_port)
            return watched;
    }
    return NULL;
}

void http_curl_sends_on(http_curl_t *port, int local_port) {
    watched_t *watched = watched_by_port(port, local_port);
    if (watched)
        watched->is_connection = true;
}

/* --- the life of an exchange ------------------------------------------------------------------ */

static void exchange_finish(http_exchange_t *exchange, http_outcome_t outcome, const char *detail) {
    http_curl_t *port = exchange->port;
    http_detail_set(&exchange->response, detail); /* before curl writes over its error text */
    if (exchange->state == EXCHANGE_WAITING)
        list_remove(&port->waiting, exchange);
    if (exchange->state == EXCHANGE_RUNNING) {
        list_remove(&port->running, exchange);
        if (exchange->nudged && --port->nudged_running == 0)
            clock_timer_stop(port->clock, port->nudge);
        exchange->response.sent = easy_has_sent(exchange->easy);
        curl_multi_remove_handle(port->multi, exchange->easy->curl);
    }
    if (exchange->easy) {
        easy_give(&port->pool, exchange->easy);
        exchange->easy = NULL;
    }
    exchange->state = EXCHANGE_FINISHED;
    exchange->response.outcome = outcome;
    list_append(&port->finished, exchange);
}

static void exchange_free(http_exchange_t *exchange) {
    free(exchange->body);
    http_response_clear(&exchange->response);
    free(exchange);
}

/* Calls `done` of all that is finished. Never inside submit or cancel. */
static void port_deliver(http_curl_t *port) {
    clock_timer_stop(port->clock, port->later);
    for (http_exchange_t *exchange; (exchange = port->finished.first);) {
        list_remove(&port->finished, exchange);
        exchange->done(exchange->context, &exchange->response);
        exchange_free(exchange);
    }
}

static http_outcome_t outcome_of(const http_exchange_t *exchange, CURLcode code) {
    if (exchange->too_large)
        return HTTP_TOO_LARGE;
    switch (code) {
    case CURLE_OK:
        /* A connection that closes amid the headers is a success to libcurl. */
        return exchange->headers_whole ? HTTP_COMPLETE : HTTP_BROKEN;
    case CURLE_OPERATION_TIMEDOUT: return HTTP_TIMED_OUT;
    /* also a single header line over its own limit, which the callback never gets */
    case CURLE_OUT_OF_MEMORY:
        return exchange->deliveries > 0 && !exchange->headers_whole ? HTTP_TOO_LARGE : HTTP_BROKEN;
    default: return exchange->deliveries > 0 ? HTTP_BROKEN : HTTP_REFUSED;
    }
}

static const char *detail_of(const http_exchange_t *exchange, CURLcode code,
                             http_outcome_t outcome) {
    if (outcome == HTTP_COMPLETE)
        return "";
    if (outcome == HTTP_TOO_LARGE)
        return exchange->headers_whole ? "the body passed its maximum size"
                                       : "the headers passed 64 KiB";
    if (exchange->resend_refused)
        return "the server closed a reused connection after the request was sent";
    if (code == CURLE_OK)
        return "the connection closed amid the headers";
    const char *said = exchange->easy->error;
    return *said ? said : curl_easy_strerror(code);
}

/* Takes every completion out of curl. To be called after every call that can complete something. */
static void port_collect(http_curl_t *port) {
    int left;
    for (CURLMsg *message; (message = curl_multi_info_read(port->multi, &left));) {
        if (message->msg != CURLMSG_DONE)
            continue;
        CURLcode code = message->data.result; /* remove_handle invalidates the message */
        easy_t *easy = NULL;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&easy);
        http_exchange_t *exchange = easy->exchange;
        http_outcome_t outcome = outcome_of(exchange, code);
        exchange_finish(exchange, outcome, detail_of(exchange, code, outcome));
    }
}

static void port_act(http_curl_t *port, curl_socket_t fd, int mask) {
    int running;
    CURLMcode code = curl_multi_socket_action(port->multi, fd, mask, &running);
    port_collect(port);
    /* curl will not go on with these; nothing may be left without completion */
    if (code != CURLM_OK)
        while (port->running.first) {
            http_exchange_t *exchange = port->running.first;
            exchange_finish(exchange, exchange->deliveries > 0 ? HTTP_BROKEN : HTTP_REFUSED,
                            curl_multi_strerror(code));
        }
}

/* --- events of the loop ----------------------------------------------------------------------- */

static void curl_timer_fired(void *context) {
    http_curl_t *port = context;
    port->curl_due = INT64_MAX;
    port_act(port, CURL_SOCKET_TIMEOUT, 0);
    port_deliver(port);
}

static void later_fired(void *context) {
    port_deliver(context);
}

static void watch_fired(void *context, int fd, int events) {
    watched_t *watched = context;
    http_curl_t *port = watched->port;
    int mask = (events & LOOP_READABLE ? CURL_CSELECT_IN : 0) |
               (events & LOOP_WRITABLE ? CURL_CSELECT_OUT : 0);
    if (events & LOOP_BROKEN)
        mask = CURL_CSELECT_IN | CURL_CSELECT_OUT | CURL_CSELECT_ERR;
    /* the peer closes, or talks unasked: curl finds out before it uses the connection again */
    if (watched->idle) {
        loop_watch_set(watched->watch, 0);
        return;
    }
    port->firing = watched;
    port_act(port, fd, mask);
    /* The watch stopped itself; what had arrived before the error may need more than one round. */
    if ((events & LOOP_BROKEN) && port->firing)
        loop_watch_set(watched->watch, watched->events);
    port->firing = NULL;
    port_deliver(port);
}

/* libcurl before 8.1.0 loses HTTP/2 wake-ups: data that was read for one stream while another was
 * served, or with headers over 32 KiB, lies in its buffers, nothing more comes from the socket, and
 * an answer that is there ends as a timeout. So no streams share a connection (http_curl_create),
 * and each socket is said to be readable now and then, which is harmless if it is not. */
static void nudge_fired(void *context) {
    http_curl_t *port = context;
    for (size_t fd = 0; fd < port->watched_room; fd++)
        if (port->watched[fd] && !port->watched[fd]->idle)
            port_act(port, (curl_socket_t)fd, CURL_CSELECT_IN);
    if (port->nudged_running > 0)
        clock_timer_start(port->clock, port->nudge, clock_now(port->clock) + NUDGE);
    port_deliver(port);
}

static watched_t *watched_create(http_curl_t *port, curl_socket_t fd) {
    if ((size_t)fd >= port->watched_room) {
        size_t room = (size_t)fd + 64;
        port->watched = memory_resize(port->watched, room, sizeof(watched_t *));
        memset(port->watched + port->watched_room, 0,
               (room - port->watched_room) * sizeof(watched_t *));
        port->watched_room = room;
    }
    watched_t *watched = MEMORY_NEW(watched_t);
    watched->port = port;
    watched->fd = fd;
    watched->watch = loop_watch_create(port->loop, fd, watch_fired, watched);
    if (!watched->watch)
        /* a socket can be polled, and curl takes the old one back before it opens another */
        abort();
    port->watched[fd] = watched;
    return watched;
}

static void watched_free(watched_t *watched) {
    http_curl_t *port = watched->port;
    if (port->firing == watched)
        port->firing = NULL;
    port->watched[watched->fd] = NULL;
    loop_watch_free(watched->watch);
    free(watched);
}

int http_curl_closes_socket(void *context, curl_socket_t fd) {
    http_curl_t *port = context;
    watched_t *watched = watched_find(port, fd);
    if (watched)
        watched_free(watched);
    return close(fd);
}

static int curl_wants_socket(CURL *easy, curl_socket_t fd, int what, void *context,
                             void *assigned) {
    (void)easy, (void)assigned;
    http_curl_t *port = context;
    watched_t *watched = watched_find(port, fd);
    if (what == CURL_POLL_REMOVE) {
        if (watched && watched->is_connection) {
            watched->idle = true;
            loop_watch_set(watched->watch, LOOP_READABLE | LOOP_UNHELD);
        } else if (watched) {
            watched_free(watched);
        }
        return 0;
    }
    if (!watched)
        watched = watched_create(port, fd);
    watched->idle = false;
    watched->events =
        (what & CURL_POLL_IN ? LOOP_READABLE : 0) | (what & CURL_POLL_OUT ? LOOP_WRITABLE : 0);
    loop_watch_set(watched->watch, watched->events);
    return 0;
}

static int curl_wants_timer(CURLM *multi, long milliseconds, void *context) {
    (void)multi;
    http_curl_t *port = context;
    int64_t now = clock_now(port->clock);
    if (milliseconds >= 0 && port->curl_due <= now)
        /* about to fire, and curl asks anew then; to start it again would put it off for a turn */
        return 0;
    port->curl_due = milliseconds < 0 ? INT64_MAX : now + (int64_t)milliseconds * 1000;
    if (milliseconds < 0)
        clock_timer_stop(port->clock, port->curl_timer);
    else
        clock_timer_start(port->clock, port->curl_timer, port->curl_due);
    return 0;
}

/* --- submit and cancel ------------------------------------------------------------------------ */

/* WAITING until now. */
static void exchange_start(http_exchange_t *exchange) {
    http_curl_t *port = exchange->port;
    if (port->started++ == 0)
        clock_timer_start(port->clock, port->turn, clock_now(port->clock));
    if (curl_multi_add_handle(port->multi, exchange->easy->curl) != CURLM_OK) {
        exchange_finish(exchange, HTTP_REFUSED, "libcurl does not take the request");
        return;
    }
    list_remove(&port->waiting, exchange);
    list_append(&port->running, exchange);
    exchange->state = EXCHANGE_RUNNING;
    if (exchange->nudged && port->nudged_running++ == 0)
        clock_timer_start(port->clock, port->nudge, clock_now(port->clock) + NUDGE);
}

/* All that wait, as far as this turn's share goes. */
static void start_waiting(http_curl_t *port) {
    while (port->waiting.first && port->started < STARTS_A_TURN)
        exchange_start(port->waiting.first);
}

static void deliver_later(http_curl_t *port) {
    if (port->finished.first)
        clock_timer_start(port->clock, port->later, clock_now(port->clock));
}

static void turn_fired(void *context) {
    http_curl_t *port = context;
    port->started = 0;
    start_waiting(port);
    deliver_later(port);
}

static http_exchange_t *http_curl_submit(http_port_t *http, const http_request_t *request,
                                         http_done_t *done, void *context) {
    http_curl_t *port = (http_curl_t *)http;
    http_exchange_t *exchange = MEMORY_NEW(http_exchange_t);
    exchange->port = port;
    exchange->done = done;
    exchange->context = context;
    exchange->body =
        memory_copy(request->body ? request->body : "", request->body ? request->body_length : 0);
    exchange->body_length = request->body ? request->body_length : 0;
    exchange->response.body.maximum = request->maximum_body;
    exchange->nudged = request->http2 && !http_curl_http2_is_sound();
    list_append(&port->waiting, exchange);
    const char *refusal = http_request_refusal(request);
    exchange->easy = refusal ? NULL : easy_take(&port->pool, request, exchange);
    if (exchange->easy)
        start_waiting(port);
    else
        exchange_finish(exchange, HTTP_REFUSED,
                        refusal ? refusal : "libcurl does not take the request");
    port_collect(port);
    deliver_later(port);
    return exchange;
}

static void http_curl_cancel(http_port_t *http, http_exchange_t *exchange) {
    http_curl_t *port = (http_curl_t *)http;
    port_collect(port); /* what has arrived whole is not thrown away */
    if (exchange->state != EXCHANGE_FINISHED)
        exchange_finish(exchange, HTTP_CANCELLED, "cancelled");
    deliver_later(port);
}

/* --- the port --------------------------------------------------------------------------------- */

http_port_t *http_curl_create(loop_t *loop, long max_connections, error_info_t *error) {
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        error_set(error, ERROR_FATAL,
                  "libcurl cannot be set up; check its installation and that of OpenSSL");
        return NULL;
    }
    http_curl_t *port = MEMORY_NEW(http_curl_t);
    port->port.submit = http_curl_submit;
    port->port.cancel = http_curl_cancel;
    port->loop = loop;
    port->clock = loop_clock(loop);
    port->curl_due = INT64_MAX;
    port->multi = curl_multi_init();
    if (!port->multi) {
        error_set(error, ERROR_RETRYABLE,
                  "libcurl cannot be set up: out of memory or of open files");
        free(port);
        curl_global_cleanup();
        return NULL;
    }
    port->curl_timer = clock_timer_create(port->clock, curl_timer_fired, port);
    port->nudge = clock_timer_create(port->clock, nudge_fired, port);
    port->later = clock_timer_create(port->clock, later_fired, port);
    port->turn = clock_timer_create(port->clock, turn_fired, port);
    long kept = max_connections > 0 ? max_connections : CONNECTIONS_KEPT;
    curl_multi_setopt(port->multi, CURLMOPT_SOCKETFUNCTION, curl_wants_socket);
    curl_multi_setopt(port->multi, CURLMOPT_SOCKETDATA, port);
    curl_multi_setopt(port->multi, CURLMOPT_TIMERFUNCTION, curl_wants_timer);
    curl_multi_setopt(port->multi, CURLMOPT_TIMERDATA, port);
    curl_multi_setopt(port->multi, CURLMOPT_PIPELINING,
                      http_curl_http2_is_sound() ? CURLPIPE_MULTIPLEX : CURLPIPE_NOTHING);
    curl_multi_setopt(port->multi, CURLMOPT_MAXCONNECTS, kept);
    curl_multi_setopt(port->multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, max_connections);
    return &port->port;
}

void http_curl_free(http_port_t *http) {
    http_curl_t *port = (http_curl_t *)http;
    /* a `done` may submit again */
    while (port->waiting.first || port->running.first || port->finished.first) {
        port_collect(port);
        while (port->waiting.first)
            exchange_finish(port->waiting.first, HTTP_CANCELLED, "cancelled: the program stops");
        while (port->running.first)
            exchange_finish(port->running.first, HTTP_CANCELLED, "cancelled: the program stops");
        port_deliver(port);
    }
    easy_pool_clear(&port->pool);
    curl_multi_cleanup(port->multi);
    for (size_t fd = 0; fd < port->watched_room; fd++)
        if (port->watched[fd])
            watched_free(port->watched[fd]);
    free(port->watched);
    clock_timer_free(port->clock, port->curl_timer);
    clock_timer_free(port->clock, port->nudge);
    clock_timer_free(port->clock, port->later);
    clock_timer_free(port->clock, port->turn);
    free(port);
    curl_global_cleanup();
}
