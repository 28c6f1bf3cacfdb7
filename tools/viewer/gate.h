/* gate.h - who may ask the viewer for what. Pure: one decision from the parts of a request.
 *
 * Rules, in this order:
 *   1. Host names this server (a page elsewhere that points its own name here is turned away): 421.
 *   2. An Origin, where there is one, is this server's own; a POST must have one: 403.
 *   3. GET and HEAD; POST for the answers of the study alone: 405.
 *   4. With a token: it stands in the query, the cookie or the Authorization header: 401.
 */
#ifndef GLIA_TOOLS_VIEWER_GATE_H
#define GLIA_TOOLS_VIEWER_GATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { GATE_TOKEN_LEAST = 16 }; /* characters */
#define GATE_COOKIE "glia-viewer"

typedef struct {
    const char *address; /* that the server is bound to */
    uint16_t port;
    const char *token;        /* NULL: none is asked for */
    const char *const *hosts; /* further names of this machine, [host_count] */
    size_t host_count;
} gate_t;

/* What is absent is NULL. */
typedef struct {
    const char *method, *path, *host, *origin, *content_type;
    const char *query_token, *cookie, *authorization;
} gate_request_t;

typedef struct {
    int status;      /* 0: let in; else the HTTP status to refuse with */
    const char *why; /* one line, with `status` */
    /* the token came in the query: keep it in a cookie and drop it from the address */
    bool by_query;
} gate_verdict_t;

gate_verdict_t gate_judge(const gate_t *gate, const gate_request_t *request);
/* Whether an address is this machine's loopback. */
bool gate_is_loopback(const char *address);
/* The prefix of the paths that take a POST. */
#define GATE_ANSWERS "/api/study/"

#endif
