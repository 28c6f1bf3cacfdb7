/* limits.h - requests and tokens per minute over a strict sliding window, and requests at a time.
 * Time comes in as a parameter; the caller serializes. */
#ifndef GLIA_STANDIN_LIMITS_H
#define GLIA_STANDIN_LIMITS_H

#include <stdbool.h>
#include <stdint.h>

typedef struct standin_limits standin_limits_t;

typedef enum {
    LIMIT_NONE,        /* admitted */
    LIMIT_REQUESTS,    /* requests per minute */
    LIMIT_TOKENS,      /* tokens per minute */
    LIMIT_TOO_LARGE,   /* more tokens than a minute may ever hold */
    LIMIT_CONCURRENCY, /* requests at a time */
} standin_limit_t;

/* What a response's x-ratelimit-* headers say. A limit of 0 is no limit, and its
 * other numbers are 0. */
typedef struct {
    standin_limit_t broken;
    /* microseconds until the same request could be admitted */
    int64_t retry_after;
    /* reset: microseconds until the whole limit is free */
    int64_t request_limit, requests_left, requests_reset;
    int64_t token_limit, tokens_left, tokens_reset;
} standin_verdict_t;

/* 0 means no limit. Never NULL. */
standin_limits_t *standin_limits_create(int64_t requests_per_minute, int64_t tokens_per_minute,
                                        int64_t concurrency);
void standin_limits_free(standin_limits_t *limits);
/* Admits a request of `tokens` at `now` (microseconds, never decreasing), or says why not. No 60
 * seconds hold more than the limits; a request that is not admitted does not count. */
standin_verdict_t standin_limits_take(standin_limits_t *limits, int64_t now, int64_t tokens);
/* An admitted request is over. */
void standin_limits_release(standin_limits_t *limits);

#endif
