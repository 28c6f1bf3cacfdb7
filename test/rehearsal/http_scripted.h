/* http_scripted.h - the http port in virtual time: exchanges whose every step a peer decides.
 *
 *   asked -> CONNECTING -> SENDING -> WAITING -> RECEIVING -> done
 *
 * The peer is asked twice: how the connection fares (dial), and, when a whole request has arrived,
 * what is answered (serve). A call of serve is one delivery. This file keeps connections alive,
 * enforces timeouts and maximum sizes and says whether anything was sent, as http_curl does; both
 * pass test/unit/http_conformance.h.
 */
#ifndef GLIA_TEST_HTTP_SCRIPTED_H
#define GLIA_TEST_HTTP_SCRIPTED_H

#include "core/net/http.h"
#include "test/rehearsal/world.h"

/* A request as the peer sees it; borrowed. */
typedef struct {
    const char *method, *url;
    char *const *headers; /* [header_count] "Name: value" */
    size_t header_count;
    const buffer_t *body;
    unsigned connection; /* its number, from 1 */
    unsigned served;     /* requests that this connection carried before */
} scripted_request_t;

typedef enum {
    LINE_GOOD,
    LINE_REFUSED,     /* nobody listens */
    LINE_UNREACHABLE, /* connecting never ends */
    LINE_UNREAD,      /* the connection breaks before a byte is sent */
    LINE_DURING,      /* it breaks while the request is sent; it is not delivered */
} line_kind_t;

typedef struct {
    line_kind_t kind;
    int64_t connect; /* microseconds until a new connection stands (or is refused) */
    int64_t upload;  /* from there to the arrival of the whole request */
    bool orphaned;   /* delivered although it is cancelled while it is sent */
} scripted_line_t;

typedef enum {
    REPLY_WHOLE,
    REPLY_NONE,     /* the connection breaks */
    REPLY_HANGS,    /* no byte ever comes */
    REPLY_DRIPS,    /* bytes come without end */
    REPLY_CUT_HEAD, /* it breaks within the headers */
    REPLY_CUT_BODY, /* it breaks within the body */
    REPLY_GARBAGE,  /* no HTTP */
} reply_kind_t;

typedef struct {
    reply_kind_t kind;
    int64_t think;    /* microseconds to the first byte */
    int64_t download; /* from the first to the last */
    int status;
    size_t header_bytes; /* of all header lines; 0: few */
    const char *headers; /* lines "Name: value\r\n"; static */
    char field[96];      /* one more, "Name: value" or "" */
    bool closes;         /* the connection is closed after the answer */
    int64_t silence;     /* the peer's own: for how long the answer asks for silence */
    buffer_t body;       /* taken over */
} scripted_reply_t;

typedef struct {
    void (*dial)(void *context, const scripted_request_t *request, scripted_line_t *line);
    void (*serve)(void *context, const scripted_request_t *request, scripted_reply_t *reply);
    /* A whole answer has reached the client. May be NULL. */
    void (*received)(void *context, const scripted_request_t *request,
                     const scripted_reply_t *reply);
    void *context;
} scripted_peer_t;

http_port_t *http_scripted_create(world_t *world, const scripted_peer_t *peer);
/* All exchanges under way end as CANCELLED (their `done` is called), as http_curl_free has it. */
void http_scripted_free(http_port_t *port);
unsigned http_scripted_connections(const http_port_t *port); /* accepted so far */
unsigned http_scripted_open(const http_port_t *port);        /* not closed yet */

#endif
