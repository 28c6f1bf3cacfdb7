/* http_conformance.h - one suite of cases that every implementation of the http port passes.
 *
 * The suite drives a port against a peer whose behaviour it scripts. test_http_curl.c gives
 * it libcurl and raw_server.h; the rehearsals give it their scripted endpoints under the
 * virtual clock. Nothing here sleeps or looks at a real clock: waiting is done with timers of
 * the port's own clock.
 */
#ifndef GLIA_TEST_HTTP_CONFORMANCE_H
#define GLIA_TEST_HTTP_CONFORMANCE_H

#include <stdbool.h>
#include <stddef.h>

#include "core/base/buffer.h"
#include "core/net/http.h"
#include "core/runtime/clock.h"

/* What the peer does with each request from now on. "Reads" means: head and whole body, which
 * counts as one delivery.
 */
typedef enum {
    PEER_RESPOND,         /* answers with a body of known length; keeps the connection */
    PEER_RESPOND_CHUNKED, /* the same in chunks of unknown total, with a trailer */
    PEER_RESPOND_GZIP,    /* the same, compressed; `size` counts the decoded bytes */
    /* a 103 with a Retry-After before the answer: not to be taken for it */
    PEER_RESPOND_INTERIM,
    PEER_CLOSE_AFTER_ANSWER, /* answers, then closes the connection without having said so */
    PEER_CLOSE_UNREAD,       /* accepts the connection and closes it */
    PEER_CLOSE_UNANSWERED,   /* reads, closes */
    /* answers the first request of each connection; reads the second, closes */
    PEER_CLOSE_SECOND,
    PEER_CLOSE_SECOND_EARLY, /* the same, but closes at the first byte of the second: no delivery */
    PEER_CUT_LENGTH,         /* sends half of the body that it announced, closes */
    PEER_CUT_CHUNKED,        /* sends a chunk, closes without the last one */
    PEER_CUT_HEAD,           /* sends a status line and half a header, closes */
    PEER_HANG,               /* reads, never answers */
    PEER_DRIP,               /* reads, answers at a byte every few milliseconds, without end */
    PEER_LONG_HEADERS,       /* answers with `size` bytes of headers in many lines */
    PEER_LONG_HEADER_LINE,   /* answers with `size` bytes of header in one line */
    PEER_GARBAGE,            /* answers with bytes that are not HTTP, closes */
    PEER_REFUSE,             /* url() names a port where nobody listens */
    PEER_UNREACHABLE,        /* url() names an address where connecting never ends */
} http_behaviour_kind_t;

typedef struct {
    http_behaviour_kind_t kind;
    int status; /* 0: 200 */
    /* bytes of the body; byte i is http_behaviour_byte(i), under GZIP always 'a' */
    size_t size;
    /* whole lines "Name: value\r\n" that the answer carries besides its own, or NULL; static */
    const char *headers;
} http_behaviour_t;

char http_behaviour_byte(size_t index);

/* A port and its peer. The implementation of the tests embeds this as its first member. */
typedef struct http_peer http_peer_t;
struct http_peer {
    http_port_t *port;
    clock_port_t *clock;
    int64_t idle_timeout; /* the shortest that the port can do, microseconds */
    void (*set_behaviour)(http_peer_t *peer, http_behaviour_t behaviour);
    /* for the behaviour that is set; valid until the next set_behaviour */
    const char *(*url)(http_peer_t *peer);
    unsigned (*delivered)(http_peer_t *peer);   /* requests that were read, so far */
    unsigned (*connections)(http_peer_t *peer); /* connections that were accepted, so far */
    /* of these, not yet closed by the peer or seen closed */
    unsigned (*open_connections)(http_peer_t *peer);
    /* Appends head and body of the last delivered request: "POST /path ...\r\nName:
     * value\r\n...\r\n\r\nbody". */
    void (*last_request)(http_peer_t *peer, buffer_t *out);
    void (*run_until_idle)(http_peer_t *peer); /* until no timer, no exchange, nothing is left */
};

/* Runs every case as a cmocka group; result as of cmocka_run_group_tests. `setup` puts a
 * fresh http_peer_t * into *state for each case, `teardown` releases it. Both as in
 * cmocka: 0 is success. */
int http_conformance_run(const char *group, int (*setup)(void **state),
                         int (*teardown)(void **state));

#endif
