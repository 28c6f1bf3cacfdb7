/* http_curl_private.h - what http_curl.c (the port) and http_curl_easy.c (libcurl's side of one
 * exchange) share. The one file that includes curl/curl.h. */
#ifndef GLIA_NET_HTTP_CURL_PRIVATE_H
#define GLIA_NET_HTTP_CURL_PRIVATE_H

#include <curl/curl.h>

#include "core/net/http_curl.h"

typedef struct http_curl http_curl_t;
typedef enum { EXCHANGE_WAITING, EXCHANGE_RUNNING, EXCHANGE_FINISHED } exchange_state_t;

/* A handle of libcurl with all options set for requests like one; most are like the one before. */
typedef struct easy {
    struct easy *next; /* in the pool */
    CURL *curl;
    http_request_t like; /* its strings are the handle's own; no body */
    struct curl_slist *headers;
    http_exchange_t *exchange; /* which uses it now */
    char error[CURL_ERROR_SIZE];
} easy_t;

typedef struct {
    easy_t *first; /* idle, the last one used first */
    size_t count;
} easy_pool_t;

struct http_exchange {
    http_exchange_t *next; /* in port->running or port->finished */
    http_exchange_t *previous;
    exchange_state_t state;
    http_curl_t *port;
    easy_t *easy; /* while RUNNING */
    char *body;
    size_t body_length;
    unsigned deliveries; /* how often curl was about to send the request */
    long sent_before;    /* bytes that curl had sent before the first of them: to a proxy */
    size_t header_bytes;
    bool headers_whole; /* the blank line behind a final status was seen */
    bool nudged;
    bool too_large;
    bool resend_refused;
    http_done_t *done;
    void *context;
    http_response_t response;
};

/* A handle that is set up for the request, `exchange` and its body; NULL: out of memory, or curl
 * does not take the URL.
 */
easy_t *easy_take(easy_pool_t *pool, const http_request_t *request, http_exchange_t *exchange);
/* Of an exchange that curl has no more. */
void easy_give(easy_pool_t *pool, easy_t *easy);
void easy_pool_clear(easy_pool_t *pool);
/* Whether a byte of the request went out, as far as it matters: of one without body, whether
 * it was about to. */
bool easy_has_sent(const easy_t *easy);

/* A request is about to go out on the socket with this port: it is a connection. */
void http_curl_sends_on(http_curl_t *port, int local_port);
/* For CURLOPT_CLOSESOCKETFUNCTION; the context is the port. */
int http_curl_closes_socket(void *port, curl_socket_t fd);
bool http_curl_http2_is_sound(void);

#endif
