/* bench_server.c - the cheapest endpoint that is still one: answers every POST with the same
 * chat answer of one KB.
 *
 *   bench_server PORT_FILE MAX_SECONDS
 *
 * One thread, epoll, keep-alive, loopback only. It looks at a request only for where it ends
 * (Content-Length), so that what is measured is the client. Writes its port to PORT_FILE;
 * `GET /stats` tells how many requests and connections there were. Ends when its standard input
 * does, or after MAX_SECONDS.
 */
#define _GNU_SOURCE /* accept4, memmem */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { HEAD_MAXIMUM = 16 * 1024, EVENTS = 256, READ_AT_ONCE = 64 * 1024, PEERS_MAXIMUM = 4096 };

/* A connection: the head of the request that is being read, then how much of its body
 * is still to come. */
typedef struct {
    int fd;
    bool in_body, is_get;
    size_t head_length;
    size_t body_left;
    char head[HEAD_MAXIMUM];
} peer_t;

typedef struct {
    int poll, listener;
    size_t answer_length, peers;
    unsigned long requests, connections;
    char answer[4096];
} server_t;

static const char filler[] =
    "Words and phrases that have to do with water and with what stands beside it: rivers, "
    "harbours, quays, ferries and the people who work there. ";

static void make_answer(server_t *server) {
    char body[2048], text[512] = "";
    for (int i = 0; i < 3; i++)
        strncat(text, filler, sizeof text - strlen(text) - 1);
    int length = snprintf(
        body, sizeof body,
        "{\n  \"id\": \"chatcmpl-bench0123456789abcdefghijklm\",\n  \"object\": "
        "\"chat.completion\",\n"
        "  \"created\": 1700000000,\n  \"model\": \"bench\",\n  \"choices\": [\n    {\n      "
        "\"index\": 0,\n"
        "      \"message\": {\n        \"role\": \"assistant\",\n        \"content\": \"%s\",\n"
        "        \"refusal\": null\n      },\n      \"logprobs\": null,\n      \"finish_reason\": "
        "\"stop\"\n    }\n  ],\n"
        "  \"usage\": {\n    \"prompt_tokens\": 300,\n    \"completion_tokens\": 75,\n    "
        "\"total_tokens\": 375,\n"
        "    \"prompt_tokens_details\": {\n      \"cached_tokens\": 0\n    },\n"
        "    \"completion_tokens_details\": {\n      \"reasoning_tokens\": 0\n    }\n  },\n"
        "  \"service_tier\": \"default\",\n  \"system_fingerprint\": \"fp_0123456789\"\n}\n",
        text);
    server->answer_length = (size_t)snprintf(
        server->answer, sizeof server->answer,
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", length,
        body);
}

static void peer_close(server_t *server, peer_t *peer) {
    close(peer->fd);
    free(peer);
    server->peers--;
}

/* Answers are far smaller than a socket's buffer; one that does not fit is a client
 * that does not read. */
static bool answer(server_t *server, const peer_t *peer) {
    char stats[256], body[128];
    if (!peer->is_get) {
        server->requests++;
        return write(peer->fd, server->answer, server->answer_length) ==
               (ssize_t)server->answer_length;
    }
    int length = snprintf(body, sizeof body, "{\"requests\":%lu,\"connections\":%lu}",
                          server->requests, server->connections);
    int size = snprintf(stats, sizeof stats, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s",
                        length, body);
    return write(peer->fd, stats, (size_t)size) == size;
}

static size_t content_length(const char *head, size_t length) {
    static const char name[] = "\r\ncontent-length:";
    for (const char *at = head; (at = memchr(at, '\r', length - (size_t)(at - head))); at++)
        if ((size_t)(head + length - at) > sizeof name &&
            strncasecmp(at, name, sizeof name - 1) == 0)
            return strtoul(at + sizeof name - 1, NULL, 10);
    return 0;
}

/* Takes bytes of a head; returns how many, SIZE_MAX: no request that it knows. */
static size_t take_head(peer_t *peer, const char *bytes, size_t length) {
    size_t before = peer->head_length, room = HEAD_MAXIMUM - before;
    size_t copied = length < room ? length : room;
    memcpy(peer->head + before, bytes, copied);
    peer->head_length += copied;
    const char *end = memmem(peer->head, peer->head_length, "\r\n\r\n", 4);
    if (!end)
        return copied < length ? SIZE_MAX : copied;
    size_t head = (size_t)(end - peer->head) + 4;
    peer->is_get = memcmp(peer->head, "GET ", 4) == 0;
    peer->body_left = content_length(peer->head, head);
    peer->in_body = true;
    peer->head_length = 0;
    return head - before;
}

static bool take(server_t *server, peer_t *peer, const char *bytes, size_t length) {
    for (;;) {
        if (!peer->in_body) {
            size_t taken = take_head(peer, bytes, length);
            if (taken == SIZE_MAX)
                return false;
            bytes += taken;
            length -= taken;
        }
        if (!peer->in_body)
            return true;
        size_t taken = length < peer->body_left ? length : peer->body_left;
        bytes += taken;
        length -= taken;
        peer->body_left -= taken;
        if (peer->body_left > 0)
            return true;
        peer->in_body = false;
        if (!answer(server, peer))
            return false;
        if (length == 0)
            return true;
    }
}

static void peer_readable(server_t *server, peer_t *peer) {
    char bytes[READ_AT_ONCE];
    ssize_t length = read(peer->fd, bytes, sizeof bytes);
    if (length < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (length <= 0 || !take(server, peer, bytes, (size_t)length))
        peer_close(server, peer);
}

static void peer_accept(server_t *server) {
    int fd = accept4(server->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0)
        return;
    int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    peer_t *peer = server->peers < PEERS_MAXIMUM ? calloc(1, sizeof *peer) : NULL;
    if (!peer) {
        close(fd);
        return;
    }
    peer->fd = fd;
    server->peers++;
    server->connections++;
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = peer};
    if (epoll_ctl(server->poll, EPOLL_CTL_ADD, fd, &event) != 0)
        peer_close(server, peer);
}

static bool server_listen(server_t *server, const char *port_file) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    server->listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    server->poll = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event listen_event = {.events = EPOLLIN, .data.ptr = server};
    struct epoll_event end_event = {.events = EPOLLIN, .data.ptr = NULL};
    if (bind(server->listener, (struct sockaddr *)&address, size) != 0 ||
        listen(server->listener, 1024) != 0 ||
        getsockname(server->listener, (struct sockaddr *)&address, &size) != 0 ||
        epoll_ctl(server->poll, EPOLL_CTL_ADD, server->listener, &listen_event) != 0 ||
        epoll_ctl(server->poll, EPOLL_CTL_ADD, STDIN_FILENO, &end_event) != 0)
        return false;
    FILE *file = fopen(port_file, "w");
    return file && fprintf(file, "%d\n", ntohs(address.sin_port)) > 0 && fclose(file) == 0;
}

static void serve(server_t *server, time_t seconds) {
    struct epoll_event events[EVENTS];
    time_t end = time(NULL) + seconds;
    while (time(NULL) < end) {
        int count = epoll_wait(server->poll, events, EVENTS, 1000);
        for (int i = 0; i < count; i++) {
            char byte;
            if (events[i].data.ptr == server)
                peer_accept(server);
            else if (events[i].data.ptr)
                peer_readable(server, events[i].data.ptr);
            else if (read(STDIN_FILENO, &byte, 1) <= 0)
                return;
        }
    }
}

int main(int argc, char **argv) {
    static server_t server;
    if (argc != 3) {
        fprintf(stderr,
                "usage: bench_server PORT_FILE MAX_SECONDS < a pipe that ends when it shall end\n");
        return 2;
    }
    make_answer(&server);
    if (!server_listen(&server, argv[1])) {
        perror("bench_server");
        return 1;
    }
    serve(&server, strtol(argv[2], NULL, 10));
    return 0;
}
