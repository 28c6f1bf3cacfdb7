/* raw_server.c - the badly behaved server of raw_server.h: one thread around poll(). */
#include "test/unit/raw_server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/base/memory.h"
#include "test/unit/raw_gzip.h"

enum {
    CONNECTIONS = 256,
    REQUEST_MAXIMUM = 8 * 1024 * 1024,
    DRIP_MS = 5,
    FILLERS = 8, /* connections that fill the backlog of the unreachable listener */
};

typedef struct {
    int fd; /* -1: free */
    buffer_t in;
    buffer_t out;
    size_t out_sent;
    unsigned answered;
    bool close_when_sent;
    bool deaf; /* reads on, answers no more */
    bool dripping;
} connection_t;

struct raw_server {
    pthread_t thread;
    int listener;
    int closed_port; /* was bound once, then closed */
    int stuck_listener;
    int fillers[FILLERS];
    int wake[2];
    connection_t connections[CONNECTIONS]; /* the thread's own */
    char url[64];                          /* the test's own */
    pthread_mutex_t mutex;                 /* guards the rest */
    http_behaviour_t behaviour;
    bool stop;
    unsigned delivered;
    unsigned accepted;
    unsigned open;
    buffer_t last_request;
};

static void must(bool good, const char *what) {
    if (!good) {
        perror(what);
        abort();
    }
}

static int listen_on_loopback(int backlog, int *port) {
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    must(fd >= 0, "socket");
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    must(bind(fd, (struct sockaddr *)&address, sizeof address) == 0, "bind");
    must(listen(fd, backlog) == 0, "listen");
    must(getsockname(fd, (struct sockaddr *)&address, &length) == 0, "getsockname");
    must(fcntl(fd, F_SETFL, O_NONBLOCK) == 0, "fcntl");
    *port = ntohs(address.sin_port);
    return fd;
}

static int port_of(int fd) {
    struct sockaddr_in address;
    socklen_t length = sizeof address;
    must(getsockname(fd, (struct sockaddr *)&address, &length) == 0, "getsockname");
    return ntohs(address.sin_port);
}

/* --- answers ---------------------------------------------------------------------------------- */

static void append_body(buffer_t *out, size_t from, size_t to) {
    for (size_t i = from; i < to; i++)
        buffer_append_char(out, http_behaviour_byte(i));
}

static void append_head(buffer_t *out, const http_behaviour_t *behaviour) {
    int status = behaviour->status ? behaviour->status : 200;
    buffer_append_format(out, "HTTP/1.1 %d Scripted\r\nContent-Type: text/plain\r\n%s", status,
                         behaviour->headers ? behaviour->headers : "");
}

static void append_with_length(buffer_t *out, const http_behaviour_t *behaviour, size_t sent) {
    append_head(out, behaviour);
    buffer_append_format(out, "Content-Length: %zu\r\n\r\n", behaviour->size);
    append_body(out, 0, sent);
}

static void append_chunked(buffer_t *out, const http_behaviour_t *behaviour, bool whole) {
    enum { CHUNK = 1000 };
    append_head(out, behaviour);
    buffer_append_text(out, "Transfer-Encoding: chunked\r\n\r\n");
    for (size_t at = 0; at < behaviour->size; at += CHUNK) {
        size_t end = at + CHUNK < behaviour->size ? at + CHUNK : behaviour->size;
        buffer_append_format(out, "%zx\r\n", end - at);
        append_body(out, at, end);
        buffer_append_text(out, "\r\n");
    }
    if (whole)
        buffer_append_text(out, "0\r\nX-Request-Id: in-a-trailer\r\n\r\n");
}

static void append_gzip(buffer_t *out, const http_behaviour_t *behaviour) {
    buffer_t body = BUFFER_EMPTY;
    raw_gzip_append(&body, behaviour->size);
    append_head(out, behaviour);
    buffer_append_format(out, "Content-Encoding: gzip\r\nContent-Length: %zu\r\n\r\n", body.length);
    buffer_append(out, body.data, body.length);
    buffer_free(&body);
}

static void append_long_headers(buffer_t *out, const http_behaviour_t *behaviour, size_t line) {
    append_head(out, behaviour);
    for (size_t at = 0; at < behaviour->size; at += line) {
        buffer_append_text(out, "X-Filler: ");
        for (size_t i = 12; i < line; i++)
            buffer_append_char(out, 'f');
        buffer_append_text(out, "\r\n");
    }
    buffer_append_text(out, "Content-Length: 0\r\n\r\n");
}

static void answer(connection_t *connection, const http_behaviour_t *behaviour) {
    buffer_t *out = &connection->out;
    unsigned before = connection->answered++;
    switch (behaviour->kind) {
    case PEER_RESPOND_CHUNKED: append_chunked(out, behaviour, true); return;
    case PEER_RESPOND_GZIP: append_gzip(out, behaviour); return;
    case PEER_RESPOND_INTERIM:
        buffer_append_text(out, "HTTP/1.1 103 Early Hints\r\nRetry-After: 99\r\n\r\n");
        append_with_length(out, behaviour, behaviour->size);
        return;
    case PEER_CLOSE_SECOND:
        if (before > 0)
            connection->close_when_sent = true;
        else
            append_with_length(out, behaviour, behaviour->size);
        return;
    case PEER_CLOSE_UNANSWERED: connection->close_when_sent = true; return;
    case PEER_CUT_LENGTH:
        append_with_length(out, behaviour, behaviour->size / 2);
        connection->close_when_sent = true;
        return;
    case PEER_CUT_CHUNKED:
        append_chunked(out, behaviour, false);
        connection->close_when_sent = true;
        return;
    case PEER_CUT_HEAD:
        buffer_append_text(out, "HTTP/1.1 200 Scripted\r\nContent-Type: text/pl");
        connection->close_when_sent = true;
        return;
    case PEER_HANG: connection->deaf = true; return;
    case PEER_DRIP:
        append_head(out, behaviour);
        buffer_append_text(out, "Content-Length: 1000000\r\n\r\n");
        connection->deaf = connection->dripping = true;
        return;
    case PEER_LONG_HEADERS: append_long_headers(out, behaviour, 1000); return;
    case PEER_LONG_HEADER_LINE: append_long_headers(out, behaviour, behaviour->size); return;
    case PEER_GARBAGE:
        buffer_append_text(out, "\x01\x02 this is not HTTP at all\r\n\r\n");
        connection->close_when_sent = true;
        return;
    case PEER_CLOSE_AFTER_ANSWER:
        connection->close_when_sent = true;
        append_with_length(out, behaviour, behaviour->size);
        return;
    case PEER_RESPOND:
    case PEER_CLOSE_SECOND_EARLY:
    case PEER_CLOSE_UNREAD:
    case PEER_REFUSE:
    case PEER_UNREACHABLE: append_with_length(out, behaviour, behaviour->size); return;
    }
}

/* --- connections ------------------------------------------------------------------------------ */

static http_behaviour_t current_behaviour(raw_server_t *server) {
    pthread_mutex_lock(&server->mutex);
    http_behaviour_t behaviour = server->behaviour;
    pthread_mutex_unlock(&server->mutex);
    return behaviour;
}

static void connection_close(raw_server_t *server, connection_t *connection) {
    close(connection->fd);
    buffer_free(&connection->in);
    buffer_free(&connection->out);
    *connection = (connection_t){.fd = -1};
    pthread_mutex_lock(&server->mutex);
    server->open--; /* after close(): who sees the number fall can rely on the FIN being out */
    pthread_mutex_unlock(&server->mutex);
}

static void connection_accept(raw_server_t *server) {
    int fd = accept(server->listener, NULL, NULL);
    if (fd < 0)
        return;
    must(fcntl(fd, F_SETFL, O_NONBLOCK) == 0, "fcntl");
    pthread_mutex_lock(&server->mutex);
    server->accepted++;
    server->open++;
    bool unread = server->behaviour.kind == PEER_CLOSE_UNREAD;
    pthread_mutex_unlock(&server->mutex);
    connection_t *place = NULL;
    for (size_t i = 0; i < CONNECTIONS && !place; i++)
        if (server->connections[i].fd < 0)
            place = &server->connections[i];
    must(place != NULL, "too many connections");
    *place = (connection_t){.fd = fd, .in.maximum = REQUEST_MAXIMUM};
    if (unread)
        connection_close(server, place);
}

/* The length of the first whole request in `in`, 0 if it is not whole yet. */
static size_t request_length(const buffer_t *in) {
    const char *text = buffer_text(in);
    const char *end = strstr(text, "\r\n\r\n");
    if (!end)
        return 0;
    const char *field = strstr(text, "Content-Length:");
    size_t body = field && field < end ? (size_t)strtoul(field + 15, NULL, 10) : 0;
    size_t total = (size_t)(end - text) + 4 + body;
    return in->length >= total ? total : 0;
}

static void connection_requests(raw_server_t *server, connection_t *connection) {
    for (size_t length; !connection->deaf && (length = request_length(&connection->in)) > 0;) {
        pthread_mutex_lock(&server->mutex);
        http_behaviour_t behaviour = server->behaviour;
        server->delivered++;
        buffer_clear(&server->last_request);
        buffer_append(&server->last_request, connection->in.data, length);
        pthread_mutex_unlock(&server->mutex);
        buffer_t rest = {.maximum = REQUEST_MAXIMUM};
        buffer_append(&rest, connection->in.data + length, connection->in.length - length);
        buffer_free(&connection->in);
        connection->in = rest;
        answer(connection, &behaviour);
    }
}

static void connection_read(raw_server_t *server, connection_t *connection) {
    char bytes[65536];
    if (connection->answered > 0 && current_behaviour(server).kind == PEER_CLOSE_SECOND_EARLY) {
        connection_close(server, connection);
        return;
    }
    ssize_t got = recv(connection->fd, bytes, sizeof bytes, 0);
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (got <= 0 || !buffer_append(&connection->in, bytes, (size_t)got)) {
        connection_close(server, connection);
        return;
    }
    connection_requests(server, connection);
}

static void connection_write(raw_server_t *server, connection_t *connection) {
    size_t left = connection->out.length - connection->out_sent;
    if (left > 0) {
        ssize_t sent =
            send(connection->fd, connection->out.data + connection->out_sent, left, MSG_NOSIGNAL);
        if (sent < 0 && errno != EAGAIN && errno != EINTR) {
            connection_close(server, connection);
            return;
        }
        connection->out_sent += sent > 0 ? (size_t)sent : 0;
    }
    if (connection->out_sent == connection->out.length && connection->close_when_sent)
        connection_close(server, connection);
}

/* --- the thread ------------------------------------------------------------------------------- */

static bool dripping(const raw_server_t *server) {
    for (size_t i = 0; i < CONNECTIONS; i++)
        if (server->connections[i].fd >= 0 && server->connections[i].dripping)
            return true;
    return false;
}

static void drip(raw_server_t *server) {
    for (size_t i = 0; i < CONNECTIONS; i++)
        if (server->connections[i].fd >= 0 && server->connections[i].dripping)
            buffer_append_char(&server->connections[i].out, 'd');
}

static void one_round(raw_server_t *server) {
    struct pollfd polls[CONNECTIONS + 2];
    size_t owners[CONNECTIONS + 2];
    nfds_t count = 2;
    polls[0] = (struct pollfd){.fd = server->wake[0], .events = POLLIN};
    polls[1] = (struct pollfd){.fd = server->listener, .events = POLLIN};
    for (size_t i = 0; i < CONNECTIONS; i++) {
        connection_t *connection = &server->connections[i];
        if (connection->fd < 0)
            continue;
        bool more = connection->out_sent < connection->out.length || connection->close_when_sent;
        owners[count] = i;
        polls[count++] =
            (struct pollfd){.fd = connection->fd, .events = (short)(POLLIN | (more ? POLLOUT : 0))};
    }
    int ready = poll(polls, count, dripping(server) ? DRIP_MS : -1);
    must(ready >= 0 || errno == EINTR, "poll");
    if (ready == 0)
        drip(server);
    for (nfds_t i = 2; i < count && ready > 0; i++) {
        connection_t *connection = &server->connections[owners[i]];
        if (polls[i].revents & (POLLIN | POLLHUP | POLLERR))
            connection_read(server, connection);
        if (connection->fd >= 0 && (polls[i].revents & POLLOUT))
            connection_write(server, connection);
    }
    if (ready > 0 && (polls[1].revents & POLLIN))
        connection_accept(server);
}

static void *server_thread(void *argument) {
    raw_server_t *server = argument;
    for (;;) {
        pthread_mutex_lock(&server->mutex);
        bool stop = server->stop;
        pthread_mutex_unlock(&server->mutex);
        if (stop)
            return NULL;
        one_round(server);
    }
}

/* --- for the tests ---------------------------------------------------------------------------- */

/* A listener that accepts nothing and whose backlog is full: Linux drops what else
 * wants to connect. */
static void make_unreachable(raw_server_t *server) {
    int port;
    server->stuck_listener = listen_on_loopback(0, &port);
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                                  .sin_port = htons((uint16_t)port)};
    for (int i = 0; i < FILLERS; i++) {
        server->fillers[i] = socket(AF_INET, SOCK_STREAM, 0);
        must(server->fillers[i] >= 0, "socket");
        must(fcntl(server->fillers[i], F_SETFL, O_NONBLOCK) == 0, "fcntl");
        int status = connect(server->fillers[i], (struct sockaddr *)&address, sizeof address);
        must(status == 0 || errno == EINPROGRESS, "connect");
    }
}

raw_server_t *raw_server_start(void) {
    raw_server_t *server = MEMORY_NEW(raw_server_t);
    int port;
    server->listener = listen_on_loopback(CONNECTIONS, &port);
    close(listen_on_loopback(1, &server->closed_port));
    make_unreachable(server);
    must(pipe(server->wake) == 0, "pipe");
    for (size_t i = 0; i < CONNECTIONS; i++)
        server->connections[i].fd = -1;
    must(pthread_mutex_init(&server->mutex, NULL) == 0, "pthread_mutex_init");
    must(pthread_create(&server->thread, NULL, server_thread, server) == 0, "pthread_create");
    return server;
}

void raw_server_stop(raw_server_t *server) {
    pthread_mutex_lock(&server->mutex);
    server->stop = true;
    pthread_mutex_unlock(&server->mutex);
    must(write(server->wake[1], "", 1) == 1, "write");
    must(pthread_join(server->thread, NULL) == 0, "pthread_join");
    for (size_t i = 0; i < CONNECTIONS; i++)
        if (server->connections[i].fd >= 0)
            connection_close(server, &server->connections[i]);
    for (int i = 0; i < FILLERS; i++)
        close(server->fillers[i]);
    close(server->stuck_listener);
    close(server->listener);
    close(server->wake[0]);
    close(server->wake[1]);
    buffer_free(&server->last_request);
    pthread_mutex_destroy(&server->mutex);
    free(server);
}

void raw_server_set(raw_server_t *server, http_behaviour_t behaviour) {
    pthread_mutex_lock(&server->mutex);
    server->behaviour = behaviour;
    pthread_mutex_unlock(&server->mutex);
    int port = behaviour.kind == PEER_REFUSE        ? server->closed_port
               : behaviour.kind == PEER_UNREACHABLE ? port_of(server->stuck_listener)
                                                    : port_of(server->listener);
    snprintf(server->url, sizeof server->url, "http://127.0.0.1:%d/v1/test", port);
}

const char *raw_server_url(raw_server_t *server) {
    return server->url;
}

static unsigned read_count(raw_server_t *server, const unsigned *count) {
    pthread_mutex_lock(&server->mutex);
    unsigned value = *count;
    pthread_mutex_unlock(&server->mutex);
    return value;
}

unsigned raw_server_delivered(raw_server_t *server) {
    return read_count(server, &server->delivered);
}

unsigned raw_server_connections(raw_server_t *server) {
    return read_count(server, &server->accepted);
}

unsigned raw_server_open_connections(raw_server_t *server) {
    return read_count(server, &server->open);
}

void raw_server_last_request(raw_server_t *server, buffer_t *out) {
    pthread_mutex_lock(&server->mutex);
    buffer_append(out, server->last_request.data, server->last_request.length);
    pthread_mutex_unlock(&server->mutex);
}
