/* retry.h - what a failed exchange means, and how long to wait. Pure.
 */
#ifndef GLIA_NET_RETRY_H
#define GLIA_NET_RETRY_H

#include <stdbool.h>
#include <stdint.h>

#include "core/base/json.h"
#include "core/base/rng.h"
#include "core/net/http.h"

/* One row a verdict: enum, name, does it cost nothing for certain?, is the job tried again?, does
 * it count against the endpoint? */
#define RETRY_VERDICT_MAP(ROW)                                                                    \
    ROW(ANSWER, "answer", false, false, false)       /* 200, whole, JSON object */                \
    ROW(CONNECT, "connect", true, true, true)        /* nothing was sent */                       \
    ROW(BROKEN, "broken", false, true, true)         /* reset, cut, not HTTP */                   \
    ROW(TIMEOUT, "timeout", false, true, true)       /* also 408 */                               \
    ROW(CONFLICT, "conflict", false, true, false)    /* 409 */                                    \
    ROW(RATE_LIMIT, "rate_limit", true, true, false) /* 429 */                                    \
    ROW(SERVER, "server", false, true, true)         /* 5xx */                                    \
    ROW(GARBLED, "garbled", false, true, false)      /* 200 whose body is no usable JSON */       \
    ROW(OVERSIZED, "oversized", false, false, false) /* passed the maximum size */                \
    ROW(QUOTA, "quota", true, true,                                                               \
        false) /* 402, insufficient_quota and kin: shuts the endpoint */                          \
    ROW(CREDENTIALS, "credentials", true, true, false) /* 401, 403: shuts the endpoint */         \
    ROW(REJECTED, "rejected", true, false, false)      /* 400, 404: terminal */                   \
    ROW(UNEXPECTED, "unexpected", false, false, false) /* any other status: terminal, in doubt */ \
    ROW(CANCELLED, "cancelled", false, true, false)    /* by us; costs nothing only if not sent */

typedef enum {
#define RETRY_VERDICT_ENUM(name, text, free_, again, endpoint) RETRY_##name,
    RETRY_VERDICT_MAP(RETRY_VERDICT_ENUM)
#undef RETRY_VERDICT_ENUM
        RETRY_VERDICT_COUNT
} retry_verdict_t;

const char *retry_verdict_name(retry_verdict_t verdict);
bool retry_verdict_from_name(const char *name, retry_verdict_t *verdict);
bool retry_verdict_is_free(retry_verdict_t verdict); /* without `sent`, every verdict is free */
bool retry_verdict_tries_again(retry_verdict_t verdict);
bool retry_verdict_blames_endpoint(retry_verdict_t verdict);

typedef struct {
    char code[64];     /* the provider's error.code or error.type, "" if none */
    char message[384]; /* the provider's error.message or the transport's detail; one line */
} retry_detail_t;

/* Classifies a completed exchange; reads the error object {"error":{"message","type","code"}} (or
 * error as text) of the body. Quota kin: insufficient_quota, billing_hard_limit_reached,
 * billing_not_active, insufficient_credits, access_terminated. A 200 is ANSWER if its body is one
 * whole JSON object without an "error" member. */
retry_verdict_t retry_classify(const http_response_t *response, retry_detail_t *detail);
/* The same; the document of an ANSWER goes to *answer, for json_free(). NULL under
 * any other verdict. */
retry_verdict_t retry_read(const http_response_t *response, retry_detail_t *detail,
                           json_value_t **answer);

/* Retry-After as microseconds from now, -1 if absent or not understood: `retry-after-ms` first,
 * then seconds (fractions allowed) or an HTTP date against `utc_now`. Clamped to [0, 24 h]. */
int64_t retry_after(const http_fields_t *fields, int64_t utc_now);

/* Full-jitter exponential backoff: uniform in [b/2, b] with b = min(1 s * 2^tries, 60
 * s); tries >= 0. */
int64_t retry_backoff(rng_t *rng, int tries);

#endif
