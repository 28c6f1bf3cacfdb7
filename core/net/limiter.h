/* limiter.h - exact pacing: a sliding 60-second window of requests and charged
 * tokens, spread evenly.
 *
 * Pure: takes timestamps, has no clock. No window of 60 s holds more than `rpm` grants or `tpm`
 * charged tokens. An entry stays in the window for 60 s + `margin` (jitter between grant and
 * arrival). Grants are at least (60 s + margin) / rpm apart (and a grant of n tokens is followed by
 * a gap of n * (60 s + margin) / tpm), so there is no burst at the start, the window never holds a
 * full minute's grants up, and limits that providers enforce by the second hold too. With a margin
 * of half a second 99.2 % of a limit can be used. A limit of 0 means none.
 */
#ifndef GLIA_NET_LIMITER_H
#define GLIA_NET_LIMITER_H

#include <stdbool.h>
#include <stdint.h>

typedef struct limiter limiter_t;

limiter_t *limiter_create(int64_t rpm, int64_t tpm, int64_t margin);
void limiter_free(limiter_t *limiter);
/* The earliest time >= now at which a request charged `tokens` may go; `now` itself: it may go now.
 * A request charged more than tpm by itself is never admissible: returns INT64_MAX. */
int64_t limiter_ready_at(limiter_t *limiter, int64_t now, int64_t tokens);
/* Takes a grant at time `now`; ready_at(now, tokens) was `now`. */
void limiter_take(limiter_t *limiter, int64_t now, int64_t tokens);
/* Puts an earlier grant (from before a restart) into the window; any order, `at` may be in the
 * past. O(1) in order of time, forward or backward; else O(grants in the window). */
void limiter_restore(limiter_t *limiter, int64_t at, int64_t tokens);
/* Nothing may go before `until` (Retry-After); never shortens. */
void limiter_block(limiter_t *limiter, int64_t until);
/* Requests and tokens in the 60 s before now, for display; without limits, counted
 * by whole seconds. */
void limiter_usage(const limiter_t *limiter, int64_t now, int64_t *requests, int64_t *tokens);

#endif
