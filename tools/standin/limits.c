/* limits.c - a queue of what was admitted in the last 60 seconds. */
#include "tools/standin/limits.h"

#include <stdlib.h>

#include "core/base/memory.h"

static const int64_t window = 60 * 1000000LL;

typedef struct {
    int64_t time;
    int64_t tokens;
} admission_t;

struct standin_limits {
    int64_t requests_per_minute, tokens_per_minute, concurrency;
    int64_t running;
    admission_t *queue; /* [capacity], a ring; oldest at `first` */
    size_t first, count, capacity;
    int64_t tokens; /* sum over the queue */
};

standin_limits_t *standin_limits_create(int64_t requests_per_minute, int64_t tokens_per_minute,
                                        int64_t concurrency) {
    standin_limits_t *limits = MEMORY_NEW(standin_limits_t);
    limits->requests_per_minute = requests_per_minute;
    limits->tokens_per_minute = tokens_per_minute;
    limits->concurrency = concurrency;
    return limits;
}

void standin_limits_free(standin_limits_t *limits) {
    if (!limits)
        return;
    free(limits->queue);
    free(limits);
}

static admission_t *at(const standin_limits_t *limits, size_t i) {
    return &limits->queue[(limits->first + i) % limits->capacity];
}

/* An admission counts for the 60 seconds after it: at exactly 60 seconds it is out. */
static void forget_old(standin_limits_t *limits, int64_t now) {
    while (limits->count > 0 && at(limits, 0)->time <= now - window) {
        limits->tokens -= at(limits, 0)->tokens;
        limits->first = (limits->first + 1) % limits->capacity;
        limits->count--;
    }
}

static void remember(standin_limits_t *limits, int64_t now, int64_t tokens) {
    if (limits->count == limits->capacity) {
        size_t capacity = limits->capacity ? 2 * limits->capacity : 64;
        admission_t *queue = MEMORY_NEW_ARRAY(capacity, admission_t);
        for (size_t i = 0; i < limits->count; i++)
            queue[i] = *at(limits, i);
        free(limits->queue);
        limits->queue = queue;
        limits->capacity = capacity;
        limits->first = 0;
    }
    limits->count++;
    *at(limits, limits->count - 1) = (admission_t){.time = now, .tokens = tokens};
    limits->tokens += tokens;
}

/* Until `tokens` more fit. */
static int64_t wait_for_tokens(const standin_limits_t *limits, int64_t now, int64_t tokens) {
    int64_t held = limits->tokens;
    for (size_t i = 0; i < limits->count; i++) {
        held -= at(limits, i)->tokens;
        if (held + tokens <= limits->tokens_per_minute)
            return at(limits, i)->time + window - now;
    }
    return window;
}

static void judge(const standin_limits_t *limits, int64_t now, int64_t tokens,
                  standin_verdict_t *verdict) {
    if (limits->requests_per_minute > 0 &&
        (int64_t)limits->count + 1 > limits->requests_per_minute) {
        verdict->broken = LIMIT_REQUESTS;
        verdict->retry_after =
            at(limits, limits->count - (size_t)limits->requests_per_minute)->time + window - now;
    }
    if (limits->tokens_per_minute > 0 && limits->tokens + tokens > limits->tokens_per_minute) {
        int64_t wait = wait_for_tokens(limits, now, tokens);
        if (wait > verdict->retry_after) {
            verdict->broken = tokens > limits->tokens_per_minute ? LIMIT_TOO_LARGE : LIMIT_TOKENS;
            verdict->retry_after = wait;
        }
    }
    if (verdict->broken == LIMIT_NONE && limits->concurrency > 0 &&
        limits->running + 1 > limits->concurrency) {
        verdict->broken = LIMIT_CONCURRENCY;
        verdict->retry_after = 100000;
    }
}

standin_verdict_t standin_limits_take(standin_limits_t *limits, int64_t now, int64_t tokens) {
    standin_verdict_t verdict = {0};
    forget_old(limits, now);
    judge(limits, now, tokens, &verdict);
    if (verdict.broken == LIMIT_NONE) {
        limits->running++;
        if (limits->requests_per_minute > 0 || limits->tokens_per_minute > 0)
            remember(limits, now, tokens);
    }
    int64_t reset = limits->count > 0 ? at(limits, limits->count - 1)->time + window - now : 0;
    if (limits->requests_per_minute > 0) {
        verdict.request_limit = limits->requests_per_minute;
        verdict.requests_left = limits->requests_per_minute - (int64_t)limits->count;
        verdict.requests_reset = reset;
    }
    if (limits->tokens_per_minute > 0) {
        verdict.token_limit = limits->tokens_per_minute;
        verdict.tokens_left = limits->tokens_per_minute - limits->tokens;
        verdict.tokens_reset = reset;
    }
    return verdict;
}

void standin_limits_release(standin_limits_t *limits) {
    limits->running--;
}
