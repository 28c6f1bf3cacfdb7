/* http_server.c - libmicrohttpd's epoll threads, and one thread that wakes delayed requests. */
#define _GNU_SOURCE /* POLLRDHUP */
#include "core/net/http_server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <microhttpd.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "core/base/memory.h"

enum { MICROSECONDS = 1000000, HANG_CHECK = 50000, IDLE_SECONDS = 600, DROP_PATIENCE = 1000000 };

/* A request goes READING -> (WAITING ->)* ANSWERING; MHD reports the end of it in any state. */
typedef enum { CALL_READING, CALL_WAITING, CALL_ANSWERING } call_state_t;

typedef struct {
    http_server_request_t request; /* first: callbacks see this part */
    http_server_t *server;
    struct MHD_Connection *connection;
    call_state_t state;
    buffer_t body;
    bool too_large;
    bool handled;
    http_server_response_t response;
    int64_t due;        /* while in the heap */
    bool drip_rested;   /* the pause of a drip or a stream is over */
    size_t stream_sent; /* bytes of response.body, which holds a stream's present piece */
} call_t;

struct http_server {
    struct MHD_Daemon *daemon;
    http_server_callbacks_t callbacks;
    size_t maximum_body;
    uint16_t port;
    pthread_t timer;
    pthread_mutex_t mutex;
    pthread_cond_t changed; /* heap, live or hurry */
    /* suspended calls, earliest due first; guarded by mutex, as all below */
    call_t **heap;
    size_t heap_count;
    size_t heap_capacity;
    size_t live;  /* calls that began and are not over */
    bool closing; /* requests that begin now are reset */
    bool hurry;   /* stopping and out of grace: nothing waits any more, everything is dropped */
    bool stopped; /* the timer thread shall end */
};

static int64_t now_microseconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * MICROSECONDS + now.tv_nsec / 1000;
}

/* --- the heap of suspended calls (mutex held) --- */

static void heap_swap(http_server_t *server, size_t a, size_t b) {
    call_t *held = server->heap[a];
    server->heap[a] = server->heap[b];
    server->heap[b] = held;
}

static void heap_push(http_server_t *server, call_t *call) {
    if (server->heap_count == server->heap_capacity) {
        server->heap_capacity = server->heap_capacity ? 2 * server->heap_capacity : 64;
        server->heap = memory_resize(server->heap, server->heap_capacity, sizeof *server->heap);
    }
    size_t i = server->heap_count++;
    server->heap[i] = call;
    for (; i > 0 && server->heap[i]->due < server->heap[(i - 1) / 2]->due; i = (i - 1) / 2)
        heap_swap(server, i, (i - 1) / 2);
}

static call_t *heap_pop(http_server_t *server) {
    call_t *first = server->heap[0];
    server->heap[0] = server->heap[--server->heap_count];
    for (size_t i = 0;;) {
        size_t least = i;
        for (size_t child = 2 * i + 1; child <= 2 * i + 2 && child < server->heap_count; child++)
            if (server->heap[child]->due < server->heap[least]->due)
                least = child;
        if (least == i)
            return first;
        heap_swap(server, i, least);
        i = least;
    }
}

/* Suspends the call until `delay` has passed. False, and nothing is done, when the server is
 * out of patience. */
static bool call_wait(call_t *call, int64_t delay) {
    http_server_t *server = call->server;
    pthread_mutex_lock(&server->mutex);
    bool allowed = !server->hurry;
    if (allowed) {
        MHD_suspend_connection(call->connection);
        call->due = now_microseconds() + delay;
        heap_push(server, call);
        if (server->heap[0] == call)
            pthread_cond_broadcast(&server->changed);
    }
    pthread_mutex_unlock(&server->mutex);
    return allowed;
}

static int call_socket(const call_t *call) {
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(call->connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    return info ? info->connect_fd : -1;
}

static bool client_has_left(const call_t *call) {
    struct pollfd poll_for = {.fd = call_socket(call), .events = POLLRDHUP};
    return poll(&poll_for, 1, 0) > 0 &&
           (poll_for.revents & (POLLRDHUP | POLLHUP | POLLERR | POLLNVAL)) != 0;
}

static void *timer_main(void *argument) {
    http_server_t *server = argument;
    pthread_mutex_lock(&server->mutex);
    while (!server->stopped) {
        int64_t now = now_microseconds();
        if (server->heap_count == 0) {
            pthread_cond_wait(&server->changed, &server->mutex);
        } else if (!server->hurry && server->heap[0]->due > now) {
            int64_t due = server->heap[0]->due;
            struct timespec until = {.tv_sec = due / MICROSECONDS,
                                     .tv_nsec = due % MICROSECONDS * 1000};
            pthread_cond_timedwait(&server->changed, &server->mutex, &until);
        } else {
            call_t *call = heap_pop(server);
            if (call->response.ending == HTTP_ENDING_HANG && !server->hurry &&
                !client_has_left(call)) {
                call->due = now + HANG_CHECK;
                heap_push(server, call);
            } else {
                MHD_resume_connection(call->connection);
                if (server->heap_count == 0)
                    pthread_cond_broadcast(&server->changed);
            }
        }
    }
    pthread_mutex_unlock(&server->mutex);
    return NULL;
}

/* --- answering --- */

void http_server_add_field(http_server_response_t *response, const char *name, const char *format,
                           ...) {
    char value[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(value, sizeof value, format, arguments);
    va_end(arguments);
    buffer_append(&response->fields, name, strlen(name) + 1);
    buffer_append(&response->fields, value, strlen(value) + 1);
}

/* Resets the connection now: MHD would say an orderly goodbye first, which clients take for an
 * empty answer. Dissolving the socket's connection (RFC 793 ABORT) sends RST; MHD then closes a
 * socket that leads nowhere. */
static enum MHD_Result call_reset(call_t *call) {
    struct linger abrupt = {.l_onoff = 1, .l_linger = 0};
    struct sockaddr nobody = {.sa_family = AF_UNSPEC};
    int fd = call_socket(call);
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &abrupt, sizeof abrupt);
    connect(fd, &nobody, sizeof nobody);
    return MHD_NO;
}

static ssize_t body_copy(const call_t *call, uint64_t position, char *out, size_t count) {
    memcpy(out, call->response.body.data + position, count);
    return (ssize_t)count;
}

static ssize_t read_cut_body(void *context, uint64_t position, char *out, size_t maximum) {
    const call_t *call = context;
    if (position >= call->response.cut_at)
        return MHD_CONTENT_READER_END_WITH_ERROR;
    size_t left = call->response.cut_at - (size_t)position;
    return body_copy(call, position, out, left < maximum ? left : maximum);
}

static ssize_t read_dripped_body(void *context, uint64_t position, char *out, size_t maximum) {
    call_t *call = context;
    const http_server_response_t *response = &call->response;
    if (position >= response->body.length)
        return MHD_CONTENT_READER_END_OF_STREAM;
    if (position > 0 && !call->drip_rested) {
        call->drip_rested = true;
        return call_wait(call, response->drip_interval) ? 0 : MHD_CONTENT_READER_END_WITH_ERROR;
    }
    call->drip_rested = false;
    size_t left = response->body.length - (size_t)position;
    size_t piece = response->body.length / (response->drip_pieces ? response->drip_pieces : 1) + 1;
    if (piece > left)
        piece = left;
    return body_copy(call, position, out, piece < maximum ? piece : maximum);
}

/* One piece after another, each asked for when the one before is sent and the pause is over. */
static ssize_t read_stream(void *context, uint64_t position, char *out, size_t maximum) {
    (void)position;
    call_t *call = context;
    http_server_response_t *response = &call->response;
    if (call->stream_sent == response->body.length) {
        if (!call->drip_rested) {
            call->drip_rested = true;
            return call_wait(call, response->stream_interval) ? 0
                                                              : MHD_CONTENT_READER_END_OF_STREAM;
        }
        buffer_clear(&response->body);
        call->stream_sent = 0;
        if (!response->stream(response->stream_context, &call->request, &response->body))
            return MHD_CONTENT_READER_END_OF_STREAM;
        call->drip_rested = false;
        if (response->body.length == 0)
            return read_stream(context, position, out, maximum);
    }
    size_t left = response->body.length - call->stream_sent;
    size_t count = left < maximum ? left : maximum;
    memcpy(out, response->body.data + call->stream_sent, count);
    call->stream_sent += count;
    return (ssize_t)count;
}

static struct MHD_Response *make_response(call_t *call) {
    http_server_response_t *response = &call->response;
    size_t length = response->body.length;
    if (response->ending == HTTP_ENDING_CUT && response->cut_at < length)
        return MHD_create_response_from_callback(length, 64 * 1024, read_cut_body, call, NULL);
    if (response->ending == HTTP_ENDING_DRIP && length > 0)
        return MHD_create_response_from_callback(length, 64 * 1024, read_dripped_body, call, NULL);
    if (response->ending == HTTP_ENDING_STREAM)
        return MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, 64 * 1024, read_stream, call,
                                                 NULL);
    return MHD_create_response_from_buffer_with_free_callback(length, buffer_take(&response->body),
                                                              free);
}

static enum MHD_Result call_answer(call_t *call) {
    http_server_response_t *response = &call->response;
    call->state = CALL_ANSWERING;
    struct MHD_Response *made = make_response(call);
    if (!made)
        return MHD_NO;
    const char *at = response->fields.data;
    for (const char *end = at + response->fields.length; at && at < end;) {
        const char *value = at + strlen(at) + 1;
        MHD_add_response_header(made, at, value);
        at = value + strlen(value) + 1;
    }
    enum MHD_Result queued = MHD_queue_response(call->connection, (unsigned)response->status, made);
    MHD_destroy_response(made);
    return queued;
}

static void handle_request(call_t *call) {
    http_server_t *server = call->server;
    call->handled = true;
    call->request.body = buffer_text(&call->body);
    call->request.body_length = call->body.length;
    if (call->too_large) {
        call->response.status = MHD_HTTP_CONTENT_TOO_LARGE;
        http_server_add_field(&call->response, "Content-Type", "text/plain");
        buffer_append_format(&call->response.body, "The request is larger than %zu bytes.\n",
                             server->maximum_body);
    } else {
        server->callbacks.handle(server->callbacks.context, &call->request, &call->response);
    }
}

/* The request is whole, or its pause is over. */
static enum MHD_Result call_proceed(call_t *call) {
    int64_t pause = 0;
    if (!call->handled) {
        handle_request(call);
        pause = call->response.ending == HTTP_ENDING_HANG ? HANG_CHECK : call->response.delay;
    }
    if (pause > 0) {
        call->state = CALL_WAITING;
        return call_wait(call, pause) ? MHD_YES : call_reset(call);
    }
    if (call->response.ending == HTTP_ENDING_RESET || call->response.ending == HTTP_ENDING_HANG)
        return call_reset(call);
    return call_answer(call);
}

/* --- MHD's callbacks --- */

static void call_free(call_t *call) {
    buffer_free(&call->body);
    buffer_free(&call->response.fields);
    buffer_free(&call->response.body);
    free(call);
}

static void count_down(http_server_t *server) {
    pthread_mutex_lock(&server->mutex);
    if (--server->live == 0)
        pthread_cond_broadcast(&server->changed);
    pthread_mutex_unlock(&server->mutex);
}

static enum MHD_Result call_begin(http_server_t *server, struct MHD_Connection *connection,
                                  const char *url, const char *method, void **slot) {
    call_t *call = MEMORY_NEW(call_t);
    call->server = server;
    call->connection = connection;
    call->body.maximum = server->maximum_body;
    call->request.method = method;
    call->request.path = url;
    call->request.body = "";
    pthread_mutex_lock(&server->mutex);
    bool closing = server->closing;
    server->live += !closing;
    pthread_mutex_unlock(&server->mutex);
    if (closing || (server->callbacks.begin &&
                    !server->callbacks.begin(server->callbacks.context, &call->request))) {
        if (!closing)
            count_down(server);
        enum MHD_Result refused = call_reset(call);
        call_free(call);
        return refused;
    }
    *slot = call;
    return MHD_YES;
}

/* Whether the headers announce more than fits: nobody has to read that. */
static bool announces_too_much(const call_t *call) {
    const char *length = MHD_lookup_connection_value(call->connection, MHD_HEADER_KIND,
                                                     MHD_HTTP_HEADER_CONTENT_LENGTH);
    return length && strtoull(length, NULL, 10) > call->server->maximum_body;
}

static enum MHD_Result on_access(void *context, struct MHD_Connection *connection, const char *url,
                                 const char *method, const char *version, const char *upload,
                                 size_t *upload_size, void **slot) {
    (void)version;
    call_t *call = *slot;
    if (!call) {
        enum MHD_Result begun = call_begin(context, connection, url, method, slot);
        call = *slot;
        if (!call || !announces_too_much(call))
            return begun;
        call->too_large = true;
        return call_proceed(call);
    }
    if (*upload_size > 0) {
        /* What does not fit is read and thrown away: once the body has begun, an answer must
         * follow its end. */
        if (!call->too_large && !buffer_append(&call->body, upload, *upload_size))
            call->too_large = true;
        *upload_size = 0;
        return MHD_YES;
    }
    return call_proceed(call);
}

static void on_completed(void *context, struct MHD_Connection *connection, void **slot,
                         enum MHD_RequestTerminationCode code) {
    (void)connection;
    http_server_t *server = context;
    call_t *call = *slot;
    if (!call)
        return;
    *slot = NULL;
    if (server->callbacks.done)
        server->callbacks.done(server->callbacks.context, &call->request,
                               code == MHD_REQUEST_TERMINATED_COMPLETED_OK &&
                                   call->state == CALL_ANSWERING);
    call_free(call);
    count_down(server);
}

const char *http_server_header(const http_server_request_t *request, const char *name) {
    return MHD_lookup_connection_value(((const call_t *)request)->connection, MHD_HEADER_KIND,
                                       name);
}

const char *http_server_query(const http_server_request_t *request, const char *name) {
    return MHD_lookup_connection_value(((const call_t *)request)->connection, MHD_GET_ARGUMENT_KIND,
                                       name);
}

/* --- start and stop --- */

/* -1 with *error set. */
static int listen_on(const char *host, uint16_t port, error_info_t *error) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    if (inet_pton(AF_INET, host, &address.sin_addr) != 1) {
        error_set(error, ERROR_CONFIG,
                  "\"%s\" is no IPv4 address; 0.0.0.0 stands for all of this machine's", host);
        return -1;
    }
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int yes = 1;
    if (listener >= 0 && setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) == 0 &&
        bind(listener, (struct sockaddr *)&address, sizeof address) == 0 &&
        listen(listener, 1024) == 0)
        return listener;
    error_set(error, ERROR_CONFIG, "cannot listen on %s:%u: %s; choose another port, or 0 for any",
              host, (unsigned)port, strerror(errno));
    if (listener >= 0)
        close(listener);
    return -1;
}

static struct MHD_Daemon *start_daemon(http_server_t *server, const http_server_options_t *options,
                                       int listener) {
    struct MHD_OptionItem tls[] = {
        {MHD_OPTION_HTTPS_MEM_CERT, 0, (void *)(uintptr_t)options->certificate},
        {MHD_OPTION_HTTPS_MEM_KEY, 0, (void *)(uintptr_t)options->key},
        {MHD_OPTION_END, 0, NULL},
    };
    bool secure = options->certificate && options->key;
    unsigned flags = MHD_USE_EPOLL_INTERNAL_THREAD | MHD_USE_ITC | MHD_ALLOW_SUSPEND_RESUME;
    return MHD_start_daemon(
        flags | (secure ? MHD_USE_TLS : 0), 0, NULL, NULL, on_access, server,
        MHD_OPTION_LISTEN_SOCKET, listener, MHD_OPTION_NOTIFY_COMPLETED, on_completed, server,
        MHD_OPTION_THREAD_POOL_SIZE, options->threads > 1 ? options->threads : 0u,
        MHD_OPTION_CONNECTION_LIMIT, options->maximum_connections, MHD_OPTION_CONNECTION_TIMEOUT,
        (unsigned)IDLE_SECONDS, MHD_OPTION_ARRAY, secure ? tls : tls + 2, MHD_OPTION_END);
}

static void free_server(http_server_t *server) {
    pthread_cond_destroy(&server->changed);
    pthread_mutex_destroy(&server->mutex);
    free(server->heap);
    free(server);
}

http_server_t *http_server_start(const http_server_options_t *options,
                                 const http_server_callbacks_t *callbacks, error_info_t *error) {
    int listener =
        listen_on(options->address ? options->address : "127.0.0.1", options->port, error);
    if (listener < 0)
        return NULL;
    struct sockaddr_in bound = {0};
    socklen_t bound_length = sizeof bound;
    getsockname(listener, (struct sockaddr *)&bound, &bound_length);

    http_server_t *server = MEMORY_NEW(http_server_t);
    server->callbacks = *callbacks;
    server->maximum_body = options->maximum_body;
    server->port = ntohs(bound.sin_port);
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&server->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    pthread_mutex_init(&server->mutex, NULL);
    server->daemon = start_daemon(server, options, listener);
    if (!server->daemon) {
        close(listener);
        free_server(server);
        error_set(error, ERROR_CONFIG, "the HTTP server does not start on port %u%s",
                  (unsigned)ntohs(bound.sin_port),
                  options->certificate
                      ? "; check that certificate and key are PEM files that belong together"
                      : "");
        return NULL;
    }
    if (pthread_create(&server->timer, NULL, timer_main, server) != 0)
        abort();
    return server;
}

uint16_t http_server_port(const http_server_t *server) {
    return server->port;
}

/* Waits until no request is under way, at most so long. Mutex held. */
static void wait_until_idle(http_server_t *server, int64_t patience) {
    int64_t due = now_microseconds() + patience;
    struct timespec until = {.tv_sec = due / MICROSECONDS, .tv_nsec = due % MICROSECONDS * 1000};
    while (server->live > 0 &&
           pthread_cond_timedwait(&server->changed, &server->mutex, &until) == 0)
        ;
}

/* MHD_quiesce_daemon() is of no use here: in 0.9.75 it and the epoll threads may both take the
 * listening socket out of epoll, and the second one aborts the program. */
void http_server_stop(http_server_t *server, int64_t grace) {
    pthread_mutex_lock(&server->mutex);
    server->closing = true;
    wait_until_idle(server, grace);
    /* the timer thread now resumes whatever is suspended, and nothing suspends again */
    server->hurry = true;
    pthread_cond_broadcast(&server->changed);
    wait_until_idle(server, DROP_PATIENCE);
    while (server->heap_count > 0)
        pthread_cond_wait(&server->changed, &server->mutex);
    server->stopped = true;
    pthread_cond_broadcast(&server->changed);
    pthread_mutex_unlock(&server->mutex);
    pthread_join(server->timer, NULL);
    MHD_stop_daemon(server->daemon);
    free_server(server);
}
