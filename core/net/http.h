/* http.h - the port for HTTP exchanges: one request, one completion.
 *
 * Two implementations: http_curl.h (libcurl multi on the loop) and the scripted endpoints of the
 * rehearsals; both pass test/unit/http_conformance.h.
 *
 * One exchange is at most one delivery: an implementation never sends a request a second time by
 * itself, whatever happens to the connection.
 */
#ifndef GLIA_NET_HTTP_H
#define GLIA_NET_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/buffer.h"

typedef enum {
    HTTP_COMPLETE, /* a whole response of any status arrived */
    /* no connection: resolve, connect, proxy or TLS handshake failed; nothing was sent */
    HTTP_REFUSED,
    /* the connection broke, or the response was cut or not HTTP, after sending began */
    HTTP_BROKEN,
    HTTP_TIMED_OUT, /* connect, total or no-progress limit */
    HTTP_TOO_LARGE, /* headers or body passed their maximum */
    HTTP_CANCELLED, /* http_cancel() */
} http_outcome_t;

typedef struct {
    const char *method;         /* "GET" or "POST" */
    const char *url;            /* http:// or https:// */
    const char *const *headers; /* "Name: value" */
    size_t header_count;
    const char *body; /* for POST */
    size_t body_length;
    int64_t connect_timeout; /* microseconds, > 0 */
    int64_t total_timeout;   /* microseconds, > 0 */
    /* no byte either way for so long; 0: none; whole seconds in http_curl */
    int64_t idle_timeout;
    size_t maximum_body; /* decoded bytes, > 0 */
    const char *ca_file; /* NULL: the system's */
    bool http2;          /* negotiate HTTP/2 (TLS), or prior knowledge (plain http://) */
} http_request_t;

/* The header fields that glia reads; NULL if absent. */
typedef struct {
    char *content_type;
    char *retry_after;
    char *retry_after_ms;
    char *request_id; /* x-request-id */
} http_fields_t;

typedef struct {
    http_outcome_t outcome;
    int status; /* 0 unless a status line arrived */
    bool sent;  /* the request may have reached the peer: a byte of its body (of its head, if it has
                 * no  body) may have left this machine */
    buffer_t body; /* decoded; complete only under HTTP_COMPLETE; buffer_take() may move it out */
    http_fields_t fields;
    char detail[256]; /* for people: what failed; never holds headers that were sent */
} http_response_t;

typedef struct http_port http_port_t;
typedef struct http_exchange http_exchange_t;
/* Called exactly once an exchange, on the loop thread, never inside submit or cancel. The response
 * is the callee's to read until it returns. */
typedef void http_done_t(void *context, http_response_t *response);

/* What an implementation provides; it embeds this as its first member. */
struct http_port {
    http_exchange_t *(*submit)(http_port_t *port, const http_request_t *request, http_done_t *done,
                               void *context);
    void (*cancel)(http_port_t *port, http_exchange_t *exchange);
};

/* Copies what it needs of the request. Never NULL: a request that cannot be sent
 * completes with REFUSED. */
static inline http_exchange_t *http_submit(http_port_t *port, const http_request_t *request,
                                           http_done_t *done, void *context) {
    return port->submit(port, request, done, context);
}
/* May be called any time before `done`, more than once; `done` follows with CANCELLED or with what
 * had already arrived. */
static inline void http_cancel(http_port_t *port, http_exchange_t *exchange) {
    port->cancel(port, exchange);
}

/* For implementations and tests. */
/* releases members; the response is all zero */
void http_response_clear(http_response_t *response);
/* One printable line, cut at a character; the text may quote the peer. */
void http_detail_set(http_response_t *response, const char *text);
void http_fields_clear(http_fields_t *fields);
/* Takes over one header line "Name: value" if it is one of those that glia reads; the last of a
 * name wins. Values are cut to 256 bytes; what is not printable ASCII becomes `?`. */
void http_fields_read(http_fields_t *fields, const char *line, size_t length);
/* The status of a line "HTTP/1.1 200 OK"; 0 if it holds none. */
int http_status_read(const char *line, size_t length);
/* Whether the host of the URL is this machine: no proxy is meant for it, whatever the
 * environment says. */
bool http_url_is_loopback(const char *url);
/* NULL, or why such a request is never sent (it completes with REFUSED). Never names a header. */
const char *http_request_refusal(const http_request_t *request);
const char *http_outcome_name(http_outcome_t outcome);

#endif
