/* test_limiter.c - no window holds more than it may, and no limit is wasted; seeded
 * random arrivals. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "core/base/memory.h"
#include "core/base/rng.h"
#include "core/net/limiter.h"
#include "core/runtime/clock.h"

static const int64_t MARGIN = 100 * 1000;

typedef struct {
    int64_t at;
    int64_t tokens;
} grant_t;

typedef struct {
    grant_t *grants;
    size_t count;
    size_t capacity;
    int64_t rpm;
    int64_t tpm;
} history_t;

static void history_add(history_t *history, int64_t at, int64_t tokens) {
    if (history->count == history->capacity) {
        history->capacity = history->capacity ? history->capacity * 2 : 1024;
        history->grants =
            memory_resize(history->grants, history->capacity, sizeof *history->grants);
    }
    history->grants[history->count++] = (grant_t){.at = at, .tokens = tokens};
}

/* Every window of `span` that begins with a grant (no other can hold more), over all pairs. */
static void check_windows(const history_t *history, int64_t span) {
    for (size_t i = 0; i < history->count; i++) {
        int64_t requests = 0;
        int64_t tokens = 0;
        for (size_t j = i;
             j < history->count && history->grants[j].at < history->grants[i].at + span; j++) {
            requests++;
            tokens += history->grants[j].tokens;
        }
        assert_true(history->rpm == 0 || requests <= history->rpm);
        assert_true(history->tpm == 0 || tokens <= history->tpm);
    }
}

static void check_spread(const history_t *history) {
    for (size_t i = 1; i < history->count; i++) {
        int64_t gap = history->grants[i].at - history->grants[i - 1].at;
        assert_true(history->rpm == 0 || gap * history->rpm >= CLOCK_MINUTE);
        assert_true(history->tpm == 0 ||
                    gap * history->tpm >= history->grants[i - 1].tokens * CLOCK_MINUTE);
    }
}

/* Asks until it may go; time only moves to what the limiter named. */
static int64_t take(limiter_t *limiter, history_t *history, int64_t now, int64_t tokens) {
    int64_t ready = limiter_ready_at(limiter, now, tokens);
    assert_true(ready >= now);
    if (ready == INT64_MAX)
        return now;
    assert_true(limiter_ready_at(limiter, ready, tokens) == ready);
    limiter_take(limiter, ready, tokens);
    history_add(history, ready, tokens);
    return ready;
}

/* A new process knows the grants of the last two minutes, in no particular order. */
static limiter_t *restart(limiter_t *limiter, const history_t *history, rng_t *rng) {
    limiter_free(limiter);
    limiter_t *fresh = limiter_create(history->rpm, history->tpm, MARGIN);
    size_t first = history->count;
    while (first > 0 && history->grants[first - 1].at >
                            history->grants[history->count - 1].at - 2 * CLOCK_MINUTE)
        first--;
    size_t count = history->count - first;
    size_t *order = MEMORY_NEW_ARRAY(count + 1, size_t);
    for (size_t i = 0; i < count; i++)
        order[i] = first + i;
    rng_shuffle(rng, order, count);
    for (size_t i = 0; i < count; i++)
        limiter_restore(fresh, history->grants[order[i]].at, history->grants[order[i]].tokens);
    free(order);
    return fresh;
}

static void random_night(uint64_t seed) {
    rng_t rng = rng_create(seed);
    history_t history = {
        .rpm = rng_below(&rng, 4) == 0 ? 0 : 1 + (int64_t)rng_below(&rng, 200),
        .tpm = rng_below(&rng, 4) == 0 ? 0 : 1 + (int64_t)rng_below(&rng, 100000),
    };
    uint64_t largest = 1 + rng_below(&rng, 20000);
    uint64_t pause = 1 + rng_below(&rng, 5 * (uint64_t)CLOCK_SECOND);
    limiter_t *limiter = limiter_create(history.rpm, history.tpm, MARGIN);
    int64_t now = 1 + (int64_t)rng_below(&rng, 1000000);
    for (int i = 0; i < 600; i++) {
        now += rng_below(&rng, 3) ? 0 : (int64_t)rng_below(&rng, pause);
        now = take(limiter, &history, now, (int64_t)rng_below(&rng, largest));
        if (rng_below(&rng, 150) == 0)
            limiter = restart(limiter, &history, &rng);
        if (rng_below(&rng, 300) == 0)
            now += CLOCK_MINUTE * 2;
    }
    check_windows(&history, CLOCK_MINUTE);
    check_windows(&history, CLOCK_MINUTE + MARGIN);
    check_spread(&history);
    /* Each arrives up to MARGIN after its grant: still no window of a minute that
     * holds too much. */
    for (size_t i = 0; i < history.count; i++)
        history.grants[i].at += (int64_t)rng_below(&rng, (uint64_t)MARGIN);
    for (size_t i = 1; i < history.count; i++)
        for (size_t j = i; j > 0 && history.grants[j].at < history.grants[j - 1].at; j--) {
            grant_t swap = history.grants[j];
            history.grants[j] = history.grants[j - 1];
            history.grants[j - 1] = swap;
        }
    check_windows(&history, CLOCK_MINUTE);
    free(history.grants);
    limiter_free(limiter);
}

static void no_window_holds_too_much(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= 300; seed++)
        random_night(seed);
}

/* The earliest time by the definition, tried at every moment at which something can change. */
static int64_t ready_by_definition(const history_t *history, int64_t now, int64_t tokens) {
    int64_t best = INT64_MAX;
    int64_t spread = 0;
    if (history->count > 0) {
        const grant_t *last = &history->grants[history->count - 1];
        int64_t by_requests =
            history->rpm ? ((CLOCK_MINUTE + MARGIN) + history->rpm - 1) / history->rpm : 0;
        int64_t by_tokens =
            history->tpm
                ? (last->tokens * (CLOCK_MINUTE + MARGIN) + history->tpm - 1) / history->tpm
                : 0;
        spread = last->at + (by_requests > by_tokens ? by_requests : by_tokens);
    }
    int64_t least = now > spread ? now : spread;
    for (size_t i = 0; i <= history->count; i++) {
        int64_t t = i == history->count ? least : history->grants[i].at + CLOCK_MINUTE + MARGIN;
        if (t < least || t >= best)
            continue;
        int64_t requests = 1;
        int64_t sum = tokens;
        for (size_t j = 0; j < history->count; j++)
            if (history->grants[j].at + CLOCK_MINUTE + MARGIN > t) {
                requests++;
                sum += history->grants[j].tokens;
            }
        if ((history->rpm == 0 || requests <= history->rpm) &&
            (history->tpm == 0 || sum <= history->tpm))
            best = t;
    }
    return best;
}

static void the_answer_is_the_earliest(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= 100; seed++) {
        rng_t rng = rng_create(seed);
        history_t history = {.rpm = 1 + (int64_t)rng_below(&rng, 60),
                             .tpm = 1 + (int64_t)rng_below(&rng, 1000)};
        limiter_t *limiter = limiter_create(history.rpm, history.tpm, MARGIN);
        int64_t now = 1;
        for (int i = 0; i < 150; i++) {
            int64_t tokens =
                (int64_t)rng_below(&rng, rng_below(&rng, 4) ? 20 : (uint64_t)history.tpm + 1);
            assert_true(limiter_ready_at(limiter, now, tokens) ==
                        ready_by_definition(&history, now, tokens));
            now = take(limiter, &history, now, tokens) + (int64_t)rng_below(&rng, 200 * 1000);
        }
        free(history.grants);
        limiter_free(limiter);
    }
}

/* --- throughput ------------------------------------------------------------------------------- */

typedef struct {
    int64_t rpm;
    int64_t tpm;
    int64_t least; /* tokens a request */
    int64_t most;
    bool restarting;
} load_t;

/* What the spread alone asks between a grant and the next, in microseconds. */
static double gap_of(const load_t *load, int64_t tokens) {
    double by_requests = load->rpm ? (double)CLOCK_MINUTE / (double)load->rpm : 0;
    double by_tokens = load->tpm ? (double)tokens * (double)CLOCK_MINUTE / (double)load->tpm : 0;
    return by_requests > by_tokens ? by_requests : by_tokens;
}

/* Ten minutes with a request always waiting: at least 99 % of what the limits allow goes through.
 * With one limit that is its share; with two, where now this one and now that one holds back, the
 * time that the gaps account for. */
static void saturate(const load_t *load) {
    enum { MINUTES = 10 };
    history_t history = {.rpm = load->rpm, .tpm = load->tpm};
    rng_t rng = rng_create(11);
    limiter_t *limiter = limiter_create(load->rpm, load->tpm, MARGIN);
    double sum = 0;
    double gaps = 0;
    const int64_t start = CLOCK_SECOND;
    for (int64_t now = start; now < start + MINUTES * CLOCK_MINUTE;) {
        int64_t tokens =
            load->least + (int64_t)rng_below(&rng, (uint64_t)(load->most - load->least) + 1);
        now = take(limiter, &history, now, tokens);
        sum += (double)tokens;
        gaps += gap_of(load, tokens);
        if (load->restarting && history.count % 997 == 0)
            limiter = restart(limiter, &history, &rng);
    }
    double used = gaps / (double)(MINUTES * CLOCK_MINUTE);
    print_message(
        "rpm %lld, tpm %lld: %.2f %% of the time accounted for, %.2f %% of rpm, %.2f %% of tpm\n",
        (long long)load->rpm, (long long)load->tpm, 100 * used,
        load->rpm ? 100 * (double)history.count / (double)(load->rpm * MINUTES) : 0,
        load->tpm ? 100 * sum / (double)(load->tpm * MINUTES) : 0);
    assert_true(used >= 0.99);
    assert_true(load->tpm || (double)history.count >= 0.99 * (double)(load->rpm * MINUTES));
    assert_true(load->rpm || sum >= 0.99 * (double)(load->tpm * MINUTES));
    if (history.count < 6000)
        check_windows(&history, CLOCK_MINUTE + MARGIN);
    check_spread(&history);
    free(history.grants);
    limiter_free(limiter);
}

static void saturation_uses_the_limit(void **state) {
    (void)state;
    static const load_t LOADS[] = {
        {60, 0, 0, 0, false},
        {500, 0, 10, 3000, true},
        {3500, 0, 0, 0, false},
        {0, 90000, 300, 300, false},
        {0, 2000000, 100, 3000, true},
        {0, 90000, 50, 250, false},
        {500, 90000, 100, 100, true},
        {500, 200000, 300, 700, true},
        {500, 90000, 10, 500, true},
        {500, 90000, 300, 700, true},
        {10000, 2000000, 500, 1500, false},
    };
    for (size_t i = 0; i < sizeof LOADS / sizeof *LOADS; i++)
        saturate(&LOADS[i]);
}

static void no_limit_is_no_wait(void **state) {
    (void)state;
    limiter_t *limiter = limiter_create(0, 0, MARGIN);
    for (int i = 0; i < 10000; i++) {
        assert_true(limiter_ready_at(limiter, 5, 1000000) == 5);
        limiter_take(limiter, 5, 1000000);
    }
    limiter_free(limiter);
    limiter_free(NULL);
}

/* --- the rest --------------------------------------------------------------------------------- */

static void too_large_is_never(void **state) {
    (void)state;
    limiter_t *limiter = limiter_create(10, 1000, 0);
    assert_true(limiter_ready_at(limiter, 5, 1001) == INT64_MAX);
    assert_true(limiter_ready_at(limiter, 5, 1000) == 5);
    limiter_take(limiter, 5, 1000);
    assert_true(limiter_ready_at(limiter, 6, 1) == 5 + CLOCK_MINUTE);
    limiter_free(limiter);
    limiter = limiter_create(1, INT64_MAX, 0); /* no overflow */
    limiter_take(limiter, 5, INT64_MAX);
    assert_true(limiter_ready_at(limiter, 6, 1) == 5 + CLOCK_MINUTE);
    limiter_free(limiter);
}

static void block_delays_and_never_shortens(void **state) {
    (void)state;
    limiter_t *limiter = limiter_create(60, 0, 0);
    limiter_block(limiter, 100);
    limiter_block(limiter, 50);
    assert_true(limiter_ready_at(limiter, 10, 1) == 100);
    assert_true(limiter_ready_at(limiter, 101, 1) == 101);
    limiter_take(limiter, 101, 1);
    limiter_block(limiter, 102);
    assert_true(limiter_ready_at(limiter, 101, 1) == 101 + CLOCK_SECOND);
    limiter_free(limiter);
}

static void usage_counts_the_last_minute(void **state) {
    (void)state;
    limiter_t *limiter = limiter_create(60, 6000, MARGIN);
    int64_t requests, tokens;
    for (int64_t i = 0; i < 120; i++)
        limiter_take(limiter, CLOCK_SECOND * (i + 1), i);
    limiter_usage(limiter, 120 * CLOCK_SECOND, &requests, &tokens);
    assert_int_equal(requests, 60);
    assert_int_equal(tokens, (60 + 119) * 60 / 2);
    limiter_usage(limiter, 1000 * CLOCK_SECOND, &requests, &tokens);
    assert_int_equal(requests, 0);
    assert_int_equal(tokens, 0);
    limiter_free(limiter);
}

/* In any order of restoring, and by whole seconds where nothing is limited. */
static void usage_is_restored(void **state) {
    (void)state;
    static const int64_t limits[][2] = {{60, 0}, {0, 100000}, {0, 0}};
    static const size_t orders[][5] = {{0, 1, 2, 3, 4}, {4, 3, 2, 1, 0}, {2, 4, 0, 3, 1}};
    static const int64_t at[] = {-90 * CLOCK_SECOND, -20 * CLOCK_SECOND - 1, 0, 0,
                                 30 * CLOCK_SECOND};
    for (size_t i = 0; i < 9; i++) {
        limiter_t *limiter = limiter_create(limits[i / 3][0], limits[i / 3][1], MARGIN);
        int64_t requests, tokens;
        for (size_t n = 0; n < 5; n++)
            limiter_restore(limiter, at[orders[i % 3][n]], 1 << orders[i % 3][n]);
        limiter_usage(limiter, 30 * CLOCK_SECOND, &requests, &tokens);
        assert_int_equal(requests, 4);
        assert_int_equal(tokens, 2 + 4 + 8 + 16);
        limiter_usage(limiter, 45 * CLOCK_SECOND, &requests, &tokens);
        assert_int_equal(requests, 3);
        assert_int_equal(tokens, 4 + 8 + 16);
        limiter_free(limiter);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_window_holds_too_much),
        cmocka_unit_test(the_answer_is_the_earliest),
        cmocka_unit_test(saturation_uses_the_limit),
        cmocka_unit_test(no_limit_is_no_wait),
        cmocka_unit_test(too_large_is_never),
        cmocka_unit_test(block_delays_and_never_shortens),
        cmocka_unit_test(usage_counts_the_last_minute),
        cmocka_unit_test(usage_is_restored),
    };
    return cmocka_run_group_tests_name("limiter", tests, NULL, NULL);
}
