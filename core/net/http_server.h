/* http_server.h - a small HTTP/1.1 server (wraps GNU libmicrohttpd), on loopback
 * unless told otherwise.
 *
 * The server gives every whole request to one callback, which fills in a response. A response may
 * be sent later, may go on without an end (server-sent events), and may be ruined on purpose:
 * what a test of a client needs from a server. None of these holds up other requests. The
 * callbacks run on the server's own threads (`threads` of them, so several at once if it is
 * over 1) and should not block.
 */
#ifndef GLIA_NET_HTTP_SERVER_H
#define GLIA_NET_HTTP_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/buffer.h"
#include "core/base/error.h"

typedef struct http_server http_server_t;

/* One request. Borrowed by the callbacks; the same object for all callbacks of one request. */
typedef struct {
    const char *method; /* "GET" */
    const char *path;   /* "/v1/models", percent-decoded, without the query */
    const char *body;   /* never NULL; followed by a NUL; empty in `begin` */
    size_t body_length;
    void *tag; /* the callbacks' own; NULL at first */
} http_server_request_t;

/* Value of a header field (name in any case) or of a query parameter; NULL if absent. Valid as long
 * as the request. */
const char *http_server_header(const http_server_request_t *request, const char *name);
const char *http_server_query(const http_server_request_t *request, const char *name);

typedef enum {
    HTTP_ENDING_WHOLE, /* as it should be */
    /* the connection closes after `cut_at` bytes of the body; Content-Length promises all */
    HTTP_ENDING_CUT,
    HTTP_ENDING_RESET, /* nothing is sent; the connection is reset (RST) */
    HTTP_ENDING_HANG,  /* nothing is sent; lasts until the client leaves or the server stops */
    HTTP_ENDING_DRIP,  /* the body comes in `drip_pieces` pieces, `drip_interval` apart */
    /* after `body` comes what `stream` appends, asked every `stream_interval` until it says no */
    HTTP_ENDING_STREAM,
} http_server_ending_t;

/* Appends the next piece (or nothing, this time) to `out`, which is empty; false: that was the
 * last. Runs on the server's threads, never twice at once for one request; `request` is the one
 * that is answered. */
typedef bool http_server_stream_t(void *context, http_server_request_t *request, buffer_t *out);

/* Zeroed before `handle` fills it in; the server owns what it holds afterwards. */
typedef struct {
    int status;      /* 100..599; required unless nothing is sent */
    buffer_t fields; /* filled by http_server_add_field() */
    buffer_t body;
    int64_t delay; /* microseconds before the first byte */
    http_server_ending_t ending;
    size_t cut_at;
    size_t drip_pieces;
    int64_t drip_interval; /* microseconds */
    http_server_stream_t *stream;
    void *stream_context;
    int64_t stream_interval; /* microseconds */
} http_server_response_t;

/* Adds a header field; the value is formatted as printf does. */
void http_server_add_field(http_server_response_t *response, const char *name, const char *format,
                           ...) __attribute__((format(printf, 3, 4)));

typedef struct {
    /* Headers are here, the body is not. False: the connection is reset at once, and no other
     * callback follows. May be NULL. */
    bool (*begin)(void *context, http_server_request_t *request);
    /* The request is whole. */
    void (*handle)(void *context, http_server_request_t *request, http_server_response_t *response);
    /* The request is over; called once for every request that began. `delivered`: a whole response
     * was handed to the system. May be NULL. */
    void (*done)(void *context, http_server_request_t *request, bool delivered);
    void *context;
} http_server_callbacks_t;

typedef struct {
    const char *address; /* IPv4, "0.0.0.0" for all of this machine's; NULL: 127.0.0.1 */
    uint16_t port;       /* 0: any free one */
    size_t maximum_body; /* larger requests are answered 413 without reaching `handle` */
    unsigned threads;    /* 0 means 1 */
    unsigned maximum_connections;
    const char *certificate; /* PEM texts, both or none: HTTPS */
    const char *key;
} http_server_options_t;

/* Binds the address and starts serving. Errors (CONFIG): no such address; the port is taken; the
 * certificate is bad. */
http_server_t *http_server_start(const http_server_options_t *options,
                                 const http_server_callbacks_t *callbacks, error_info_t *error);
uint16_t http_server_port(const http_server_t *server);
/* Resets new requests, waits up to `grace` microseconds for requests that have begun, drops the
 * rest, releases the server. Blocks. No callback runs afterwards. */
void http_server_stop(http_server_t *server, int64_t grace);

#endif
