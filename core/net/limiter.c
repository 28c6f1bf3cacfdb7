/* limiter.c - the sliding window of grants, as a ring in order of time.
 *
 * Each entry carries the sums of all grants up to itself, so what lies between two entries is one
 * subtraction. Taking, expiring and restoring from the newest or the oldest on are O(1) amortized;
 * finding out how long to wait for room is a binary search. Where there is no limit an entry is a
 * second, for display.
 */
#include "core/net/limiter.h"

#include <stdlib.h>

#include "core/base/memory.h"
#include "core/runtime/clock.h"

static const int64_t WINDOW = 60 * CLOCK_SECOND;

/* Of an entry and of all before it, back to the beginning of time; they may wrap. */
typedef struct {
    uint64_t tokens, grants;
} sums_t;

typedef struct {
    int64_t at;
    int64_t tokens;
    sums_t sums;
} entry_t;

struct limiter {
    int64_t rpm;
    int64_t tpm;
    int64_t span; /* how long an entry counts: the window and the margin */
    int64_t blocked_until;
    entry_t *ring;
    size_t capacity; /* a power of two */
    size_t first;
    size_t count;
    sums_t dropped; /* of the entry before the first */
    entry_t newest; /* the last grant, kept for its gap when the ring has dropped it */
};

static entry_t *entry_at(const limiter_t *limiter, size_t index) {
    return &limiter->ring[(limiter->first + index) & (limiter->capacity - 1)];
}

static sums_t sums_before(const limiter_t *limiter, size_t index) {
    return index == 0 ? limiter->dropped : entry_at(limiter, index - 1)->sums;
}

limiter_t *limiter_create(int64_t rpm, int64_t tpm, int64_t margin) {
    limiter_t *limiter = MEMORY_NEW(limiter_t);
    limiter->rpm = rpm;
    limiter->tpm = tpm;
    limiter->span = WINDOW + margin;
    limiter->blocked_until = INT64_MIN;
    limiter->newest.at = INT64_MIN;
    limiter->capacity = 64;
    limiter->ring = MEMORY_NEW_ARRAY(limiter->capacity, entry_t);
    return limiter;
}

void limiter_free(limiter_t *limiter) {
    if (!limiter)
        return;
    free(limiter->ring);
    free(limiter);
}

static void expire(limiter_t *limiter, int64_t now) {
    while (limiter->count > 0 && entry_at(limiter, 0)->at + limiter->span <= now) {
        limiter->dropped = entry_at(limiter, 0)->sums;
        limiter->first = (limiter->first + 1) & (limiter->capacity - 1);
        limiter->count--;
    }
}

/* ceil(span * share / limit) without overflow. */
static int64_t gap_of(const limiter_t *limiter, int64_t share, int64_t limit) {
    if (limit <= 0)
        return 0;
    return (int64_t)(((__int128)share * limiter->span + limit - 1) / limit);
}

static int64_t spread_until(const limiter_t *limiter) {
    if (limiter->newest.at == INT64_MIN)
        return INT64_MIN;
    int64_t by_requests = gap_of(limiter, 1, limiter->rpm);
    int64_t by_tokens = gap_of(limiter, limiter->newest.tokens, limiter->tpm);
    return limiter->newest.at + (by_requests > by_tokens ? by_requests : by_tokens);
}

/* How many of the oldest entries have to leave before `tokens` more fit under tpm. */
static size_t leavers_for_tokens(const limiter_t *limiter, int64_t tokens) {
    if (limiter->tpm <= 0)
        return 0;
    uint64_t newest = sums_before(limiter, limiter->count).tokens;
    size_t low = 0;
    size_t high = limiter->count; /* with no entry left, anything up to tpm fits */
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (newest - sums_before(limiter, middle).tokens + (uint64_t)tokens <=
            (uint64_t)limiter->tpm)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

int64_t limiter_ready_at(limiter_t *limiter, int64_t now, int64_t tokens) {
    if (limiter->tpm > 0 && tokens > limiter->tpm)
        return INT64_MAX;
    expire(limiter, now);
    int64_t ready = now > limiter->blocked_until ? now : limiter->blocked_until;
    int64_t spread = spread_until(limiter);
    if (spread > ready)
        ready = spread;
    size_t leavers = leavers_for_tokens(limiter, tokens > 0 ? tokens : 0);
    if (limiter->rpm > 0 && limiter->count >= (size_t)limiter->rpm) {
        size_t by_requests = limiter->count - (size_t)limiter->rpm + 1;
        leavers = leavers > by_requests ? leavers : by_requests;
    }
    if (leavers > 0 && entry_at(limiter, leavers - 1)->at + limiter->span > ready)
        ready = entry_at(limiter, leavers - 1)->at + limiter->span;
    return ready;
}

static void grow(limiter_t *limiter) {
    entry_t *ring = MEMORY_NEW_ARRAY(limiter->capacity * 2, entry_t);
    for (size_t i = 0; i < limiter->count; i++)
        ring[i] = *entry_at(limiter, i);
    free(limiter->ring);
    limiter->ring = ring;
    limiter->capacity *= 2;
    limiter->first = 0;
}

static bool is_limited(const limiter_t *limiter) {
    return limiter->rpm > 0 || limiter->tpm > 0;
}

static int64_t second_of(int64_t at) {
    int64_t rest = at % CLOCK_SECOND;
    return at - (rest < 0 ? rest + CLOCK_SECOND : rest);
}

/* Older than all that is there. */
static void insert_first(limiter_t *limiter, int64_t at, int64_t tokens) {
    limiter->first = (limiter->first - 1) & (limiter->capacity - 1);
    limiter->count++;
    *entry_at(limiter, 0) = (entry_t){.at = at, .tokens = tokens, .sums = limiter->dropped};
    limiter->dropped.tokens -= (uint64_t)tokens;
    limiter->dropped.grants--;
}

/* Behind all that is not younger. */
static void insert_behind(limiter_t *limiter, int64_t at, int64_t tokens) {
    size_t index = limiter->count;
    for (; index > 0 && entry_at(limiter, index - 1)->at > at; index--) {
        entry_at(limiter, index - 1)->sums.tokens += (uint64_t)tokens;
        entry_at(limiter, index - 1)->sums.grants++;
    }
    entry_t *same = index > 0 ? entry_at(limiter, index - 1) : NULL;
    if (same && same->at == at && !is_limited(limiter)) {
        same->tokens += tokens;
        same->sums.tokens += (uint64_t)tokens;
        same->sums.grants++;
        return;
    }
    sums_t before = sums_before(limiter, index);
    for (size_t i = limiter->count++; i > index; i--)
        *entry_at(limiter, i) = *entry_at(limiter, i - 1);
    *entry_at(limiter, index) = (entry_t){
        .at = at, .tokens = tokens, .sums = {before.tokens + (uint64_t)tokens, before.grants + 1}};
}

static void insert(limiter_t *limiter, int64_t at, int64_t tokens) {
    if (limiter->count == limiter->capacity)
        grow(limiter);
    if (!is_limited(limiter))
        at = second_of(at);
    if (limiter->count > 0 && at < entry_at(limiter, 0)->at)
        insert_first(limiter, at, tokens);
    else
        insert_behind(limiter, at, tokens);
    if (at > limiter->newest.at || (at == limiter->newest.at && tokens > limiter->newest.tokens))
        limiter->newest = (entry_t){.at = at, .tokens = tokens};
}

void limiter_take(limiter_t *limiter, int64_t now, int64_t tokens) {
    expire(limiter, now);
    insert(limiter, now, tokens > 0 ? tokens : 0);
}

void limiter_restore(limiter_t *limiter, int64_t at, int64_t tokens) {
    insert(limiter, at, tokens > 0 ? tokens : 0);
}

void limiter_block(limiter_t *limiter, int64_t until) {
    if (until > limiter->blocked_until)
        limiter->blocked_until = until;
}

void limiter_usage(const limiter_t *limiter, int64_t now, int64_t *requests, int64_t *tokens) {
    size_t low = 0;
    size_t high = limiter->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (entry_at(limiter, middle)->at > now - WINDOW)
            high = middle;
        else
            low = middle + 1;
    }
    sums_t until = sums_before(limiter, limiter->count), before = sums_before(limiter, low);
    *requests = (int64_t)(until.grants - before.grants);
    *tokens = (int64_t)(until.tokens - before.tokens);
}
