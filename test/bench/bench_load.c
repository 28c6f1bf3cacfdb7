/* bench_load.c - the ceiling of a server: the same request over and over, nothing looked at but
 * where an answer ends.
 *
 *   bench_load PORT REQUESTS CONNECTIONS BODY_BYTES
 *
 * One thread, epoll. All answers have to be as long as the first one. Prints requests per second.
 */
#define _GNU_SOURCE /* memmem */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { CONNECTIONS_MAXIMUM = 1024, BODY_MAXIMUM = 1 << 20, ANSWER_MAXIMUM = 64 * 1024 };

typedef struct {
    int fd;
    size_t got; /* bytes of the present answer */
} connection_t;

static char *request;
static size_t request_length, answer_length;

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

static void fail(const char *what) {
    perror(what);
    exit(1);
}

static void make_request(size_t body) {
    request = malloc(body + 256);
    if (!request)
        fail("memory");
    int head = sprintf(
        request, "POST /v1/chat/completions HTTP/1.1\r\nHost: bench\r\nContent-Length: %zu\r\n\r\n",
        body);
    memset(request + head, 'x', body);
    request_length = (size_t)head + body;
}

static void send_request(const connection_t *connection) {
    for (size_t sent = 0; sent < request_length;) {
        ssize_t length = write(connection->fd, request + sent, request_length - sent);
        if (length <= 0)
            fail("write");
        sent += (size_t)length;
    }
}

static void open_connection(connection_t *connection, int poll, int port) {
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((unsigned short)port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int on = 1;
    connection->fd = socket(AF_INET, SOCK_STREAM, 0);
    connection->got = 0;
    if (connect(connection->fd, (struct sockaddr *)&address, sizeof address) != 0)
        fail("connect");
    setsockopt(connection->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = connection};
    if (epoll_ctl(poll, EPOLL_CTL_ADD, connection->fd, &event) != 0)
        fail("epoll_ctl");
}

/* How long the server's answer is, head and body. */
static void learn_answer(connection_t *connection) {
    static char answer[ANSWER_MAXIMUM + 1];
    size_t got = 0;
    send_request(connection);
    while (!answer_length || got < answer_length) {
        ssize_t length = read(connection->fd, answer + got, ANSWER_MAXIMUM - got);
        if (length <= 0)
            fail("read");
        got += (size_t)length;
        const char *end = memmem(answer, got, "\r\n\r\n", 4),
                   *field = strstr(answer, "Content-Length:");
        if (end && field)
            answer_length = (size_t)(end - answer) + 4 + strtoul(field + 15, NULL, 10);
    }
}

int main(int argc, char **argv) {
    static connection_t connections[CONNECTIONS_MAXIMUM];
    static char sink[ANSWER_MAXIMUM];
    long port = argc == 5 ? atol(argv[1]) : 0, total = argc == 5 ? atol(argv[2]) : 0;
    long count = argc == 5 ? atol(argv[3]) : 0, body = argc == 5 ? atol(argv[4]) : 0;
    if (port < 1 || count < 1 || count > CONNECTIONS_MAXIMUM || body < 0 || body > BODY_MAXIMUM ||
        total < count) {
        fprintf(stderr, "usage: bench_load PORT REQUESTS CONNECTIONS BODY_BYTES\n");
        return 2;
    }
    int poll = epoll_create1(0);
    make_request((size_t)body);
    for (long i = 0; i < count; i++)
        open_connection(&connections[i], poll, (int)port);
    learn_answer(&connections[0]);
    double start = now();
    long sent = count, done = 0;
    for (long i = 0; i < count; i++)
        send_request(&connections[i]);
    while (done < total) {
        struct epoll_event events[CONNECTIONS_MAXIMUM];
        int ready = epoll_wait(poll, events, CONNECTIONS_MAXIMUM, 10000);
        if (ready <= 0)
            fail("epoll_wait");
        for (int i = 0; i < ready; i++) {
            connection_t *connection = events[i].data.ptr;
            ssize_t length = read(connection->fd, sink, sizeof sink);
            if (length <= 0)
                fail("read");
            connection->got += (size_t)length;
            if (connection->got < answer_length)
                continue;
            connection->got = 0;
            done++;
            if (sent < total) {
                send_request(connection);
                sent++;
            }
        }
    }
    printf("%.0f\n", (double)total / (now() - start));
    return 0;
}
