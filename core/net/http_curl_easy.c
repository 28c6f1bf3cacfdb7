/* http_curl_easy.c - libcurl's side of one exchange: a handle with its options, and
 * what it calls back. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "core/base/memory.h"
#include "core/net/http_curl_private.h"

enum {
    HEADERS_MAXIMUM = 64 * 1024,
    /* idle handles kept; setting one up costs more than an exchange's bookkeeping */
    POOL_MAXIMUM = 256,
    /* seconds; common servers close after 5 (uvicorn, node): stay clear of that race */
    IDLE_CONNECTION = 3,
    /* curl allocates its buffer (64 KiB by default) for every request through TLS */
    SMALL_UPLOAD = 16 << 10,
    TCP_PROBE_AFTER = 60, /* seconds of silence; answers take minutes, NATs forget sooner */
};

/* Options are set on fresh handles only and of types that curl checks at compile time: failing is a
 * bug here, or an old libcurl. */
#define SET(curl, option, value)                                     \
    do {                                                             \
        if (curl_easy_setopt((curl), (option), (value)) != CURLE_OK) \
            abort();                                                 \
    } while (0)

/* --- what curl calls back --------------------------------------------------------------------- */

static long bytes_sent(const easy_t *easy) {
    long bytes = 0;
    curl_easy_getinfo(easy->curl, CURLINFO_REQUEST_SIZE, &bytes);
    return bytes;
}

bool easy_has_sent(const easy_t *easy) {
    const http_exchange_t *exchange = easy->exchange;
    return exchange->deliveries > 0 &&
           (exchange->body_length == 0 || bytes_sent(easy) > exchange->sent_before);
}

/* Before each sending, libcurl's own resend on a fresh connection included. That one goes through
 * only if the peer cannot have any of the request: it has a body, and curl has not sent a byte. */
static int about_to_send(void *context, char *peer, char *local, int peer_port, int local_port) {
    (void)peer, (void)local, (void)peer_port;
    easy_t *easy = context;
    http_exchange_t *exchange = easy->exchange;
    if (exchange->deliveries == 0)
        exchange->sent_before = bytes_sent(easy);
    if (easy_has_sent(easy)) {
        exchange->deliveries++;
        exchange->resend_refused = true;
        return CURL_PREREQFUNC_ABORT;
    }
    exchange->deliveries++;
    http_curl_sends_on(exchange->port, local_port);
    return CURL_PREREQFUNC_OK;
}

static size_t has_header(char *line, size_t size, size_t count, void *context) {
    http_exchange_t *exchange = ((easy_t *)context)->exchange;
    http_response_t *response = &exchange->response;
    size_t length = size * count;
    exchange->header_bytes += length;
    if (exchange->header_bytes > HEADERS_MAXIMUM) {
        exchange->too_large = true;
        return length + 1; /* not `length`: curl gives up */
    }
    if (exchange->headers_whole)
        return length; /* a trailer */
    if (length >= 5 && memcmp(line, "HTTP/", 5) == 0) {
        /* 1xx responses come before the one that counts */
        response->status = http_status_read(line, length);
        http_fields_clear(&response->fields);
    } else if (line[0] == '\r' || line[0] == '\n') {
        exchange->headers_whole = response->status >= 200;
    } else {
        http_fields_read(&response->fields, line, length);
    }
    return length;
}

static size_t has_body(char *bytes, size_t size, size_t count, void *context) {
    http_exchange_t *exchange = ((easy_t *)context)->exchange;
    size_t length = size * count;
    if (buffer_append(&exchange->response.body, bytes, length))
        return length;
    exchange->too_large = true;
    return length + 1;
}

/* --- options ---------------------------------------------------------------------------------- */

static long milliseconds_of(int64_t microseconds) {
    return microseconds < 1000 ? 1 : (long)((microseconds + 999) / 1000);
}

static void set_limits(CURL *curl, const http_request_t *request) {
    SET(curl, CURLOPT_CONNECTTIMEOUT_MS, milliseconds_of(request->connect_timeout));
    SET(curl, CURLOPT_TIMEOUT_MS, milliseconds_of(request->total_timeout));
    if (request->idle_timeout > 0) {
        SET(curl, CURLOPT_LOW_SPEED_LIMIT, 1L);
        SET(curl, CURLOPT_LOW_SPEED_TIME, (milliseconds_of(request->idle_timeout) + 999) / 1000);
    }
    SET(curl, CURLOPT_MAXAGE_CONN, (long)IDLE_CONNECTION);
    SET(curl, CURLOPT_TCP_KEEPALIVE, 1L);
    SET(curl, CURLOPT_TCP_KEEPIDLE, (long)TCP_PROBE_AFTER);
    SET(curl, CURLOPT_TCP_KEEPINTVL, (long)TCP_PROBE_AFTER);
    SET(curl, CURLOPT_UPLOAD_BUFFERSIZE, (long)SMALL_UPLOAD);
    SET(curl, CURLOPT_NOSIGNAL, 1L);
    /* else giving up on a slow resolver blocks the loop until it answers */
    SET(curl, CURLOPT_QUICK_EXIT, 1L);
}

static void set_transport(CURL *curl, const http_request_t *request) {
    bool tls = strncasecmp(request->url, "https:", 6) == 0;
    long http2 = tls ? CURL_HTTP_VERSION_2TLS : CURL_HTTP_VERSION_2_PRIOR_KNOWLEDGE;
    SET(curl, CURLOPT_HTTP_VERSION, request->http2 ? http2 : (long)CURL_HTTP_VERSION_1_1);
    /* a second request on the connection would fail */
    if (request->http2 && !tls && !http_curl_http2_is_sound()) {
        SET(curl, CURLOPT_FRESH_CONNECT, 1L);
        SET(curl, CURLOPT_FORBID_REUSE, 1L);
    }
    SET(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    SET(curl, CURLOPT_FOLLOWLOCATION, 0L);
    SET(curl, CURLOPT_ACCEPT_ENCODING, "gzip");
    SET(curl, CURLOPT_USERAGENT, "glia/" GLIA_VERSION);
    SET(curl, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L); /* of a proxy */
    if (http_url_is_loopback(request->url))
        SET(curl, CURLOPT_PROXY, "");
    if (request->ca_file)
        SET(curl, CURLOPT_CAINFO, request->ca_file);
}

static void set_callbacks(easy_t *easy) {
    SET(easy->curl, CURLOPT_PRIVATE, (char *)easy);
    SET(easy->curl, CURLOPT_CLOSESOCKETFUNCTION, http_curl_closes_socket);
    SET(easy->curl, CURLOPT_CLOSESOCKETDATA, easy->exchange->port);
    SET(easy->curl, CURLOPT_ERRORBUFFER, easy->error);
    SET(easy->curl, CURLOPT_PREREQFUNCTION, about_to_send);
    SET(easy->curl, CURLOPT_PREREQDATA, easy);
    SET(easy->curl, CURLOPT_HEADERFUNCTION, has_header);
    SET(easy->curl, CURLOPT_HEADERDATA, easy);
    SET(easy->curl, CURLOPT_WRITEFUNCTION, has_body);
    SET(easy->curl, CURLOPT_WRITEDATA, easy);
}

static bool is_post(const http_request_t *request) {
    return strcmp(request->method, "POST") == 0;
}

static bool set_headers(easy_t *easy) {
    /* never wait for "100 Continue" */
    struct curl_slist *list = curl_slist_append(NULL, "Expect:");
    for (size_t i = 0; list && i < easy->like.header_count; i++) {
        struct curl_slist *longer = curl_slist_append(list, easy->like.headers[i]);
        if (!longer)
            curl_slist_free_all(list);
        list = longer;
    }
    easy->headers = list;
    SET(easy->curl, CURLOPT_HTTPHEADER, list);
    return list != NULL;
}

static bool set_up(easy_t *easy) {
    set_limits(easy->curl, &easy->like);
    set_transport(easy->curl, &easy->like);
    set_callbacks(easy);
    if (is_post(&easy->like))
        SET(easy->curl, CURLOPT_POST, 1L);
    else
        SET(easy->curl, CURLOPT_HTTPGET, 1L);
    return set_headers(easy) &&
           curl_easy_setopt(easy->curl, CURLOPT_URL, easy->like.url) == CURLE_OK;
}

/* --- handles ---------------------------------------------------------------------------------- */

static bool same_text(const char *a, const char *b) {
    return a == b || (a && b && strcmp(a, b) == 0);
}

/* But for the body and what libcurl does not see. */
static bool is_alike(const http_request_t *a, const http_request_t *b) {
    bool alike = a->connect_timeout == b->connect_timeout && a->total_timeout == b->total_timeout &&
                 a->idle_timeout == b->idle_timeout && a->http2 == b->http2 &&
                 a->header_count == b->header_count && same_text(a->method, b->method) &&
                 same_text(a->url, b->url) && same_text(a->ca_file, b->ca_file);
    for (size_t i = 0; alike && i < a->header_count; i++)
        alike = same_text(a->headers[i], b->headers[i]);
    return alike;
}

static void copy_request(http_request_t *to, const http_request_t *from) {
    *to = *from;
    to->body = NULL;
    to->body_length = 0;
    to->method = memory_copy_string(from->method);
    to->url = memory_copy_string(from->url);
    to->ca_file = from->ca_file ? memory_copy_string(from->ca_file) : NULL;
    const char **headers = MEMORY_NEW_ARRAY(from->header_count + 1, const char *);
    for (size_t i = 0; i < from->header_count; i++)
        headers[i] = memory_copy_string(from->headers[i]);
    to->headers = headers;
}

static void free_text(const char *text) {
    free((void *)(uintptr_t)text);
}

static void clear_request(http_request_t *request) {
    free_text(request->method);
    free_text(request->url);
    free_text(request->ca_file);
    for (size_t i = 0; i < request->header_count; i++)
        free_text(request->headers[i]);
    free((void *)(uintptr_t)request->headers);
}

static void easy_free(easy_t *easy) {
    curl_easy_cleanup(easy->curl);
    curl_slist_free_all(easy->headers);
    clear_request(&easy->like);
    free(easy);
}

static easy_t *easy_create(const http_request_t *request, http_exchange_t *exchange) {
    CURL *curl = curl_easy_init();
    if (!curl)
        return NULL;
    easy_t *easy = MEMORY_NEW(easy_t);
    easy->curl = curl;
    easy->exchange = exchange;
    copy_request(&easy->like, request);
    if (set_up(easy))
        return easy;
    easy_free(easy);
    return NULL;
}

/* Out of the pool, if it has one like it. */
static easy_t *easy_find(easy_pool_t *pool, const http_request_t *request) {
    for (easy_t **link = &pool->first; *link; link = &(*link)->next) {
        easy_t *easy = *link;
        if (!is_alike(&easy->like, request))
            continue;
        *link = easy->next;
        pool->count--;
        return easy;
    }
    return NULL;
}

easy_t *easy_take(easy_pool_t *pool, const http_request_t *request, http_exchange_t *exchange) {
    easy_t *easy = easy_find(pool, request);
    if (!easy)
        easy = easy_create(request, exchange);
    if (!easy)
        return NULL;
    easy->exchange = exchange;
    easy->error[0] = '\0';
    if (is_post(request)) { /* the body stays where it is until the exchange is over */
        SET(easy->curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)exchange->body_length);
        SET(easy->curl, CURLOPT_POSTFIELDS, exchange->body);
    }
    return easy;
}

void easy_give(easy_pool_t *pool, easy_t *easy) {
    easy->exchange = NULL;
    if (pool->count == POOL_MAXIMUM) {
        easy_free(easy);
        return;
    }
    easy->next = pool->first;
    pool->first = easy;
    pool->count++;
}

void easy_pool_clear(easy_pool_t *pool) {
    while (pool->first) {
        easy_t *next = pool->first->next;
        easy_free(pool->first);
        pool->first = next;
    }
    pool->count = 0;
}
