/* test_rehearsal_caps.c - caps stop a run before they are passed, say what is missing, and let it
 * go on when raised. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/text.h"
#include "test/rehearsal/rehearsal.h"

static const int64_t DAY = 24 * 60 * CLOCK_MINUTE;
enum { CONCURRENCY = 8 };

typedef struct {
    char *config;
    buffer_t results;
    rehearsal_books_t books; /* of the undisturbed rehearsal */
} reference_t;

static rehearsal_t *make_night(const reference_t *reference) {
    rehearsal_options_t options = {.seed = 7, .config = reference->config};
    rehearsal_t *rehearsal = rehearsal_create(&options);
    rehearsal_add_provider(rehearsal, "a", 0, 0);
    return rehearsal;
}

static int setup(void **state) {
    reference_t *reference = calloc(1, sizeof *reference);
    reference->config = rehearsal_config(2, "[\"original\", \"summary\", \"avhs\"]", "echo", false);
    rehearsal_t *rehearsal = make_night(reference);
    rehearsal_finish(rehearsal, 1);
    reference->books = rehearsal_books(rehearsal);
    rehearsal_results(rehearsal, &reference->results);
    rehearsal_free(rehearsal);
    *state = reference;
    return 0;
}

static int teardown(void **state) {
    reference_t *reference = *state;
    free(reference->config);
    buffer_free(&reference->results);
    free(reference);
    return 0;
}

/* The rehearsal is done, with the results of the undisturbed one, and every promise held. */
static void expect_done(rehearsal_t *rehearsal, const reference_t *reference) {
    buffer_t results = BUFFER_EMPTY;
    assert_int_equal(rehearsal_outcome(rehearsal)->end, END_DONE);
    rehearsal_check_end(rehearsal);
    if (*rehearsal_problems(rehearsal))
        fail_msg("%s", rehearsal_problems(rehearsal));
    rehearsal_results(rehearsal, &results);
    assert_true(results.length == reference->results.length &&
                memcmp(results.data, reference->results.data, results.length) == 0);
    buffer_free(&results);
    rehearsal_free(rehearsal);
}

static void expect_pause(rehearsal_t *rehearsal, const char *cap) {
    assert_int_equal(rehearsal_start(rehearsal, NULL), REHEARSAL_FINISHED);
    assert_int_equal(rehearsal_outcome(rehearsal)->end, END_CAP);
    if (!strstr(rehearsal_outcome(rehearsal)->message, cap) ||
        !strstr(rehearsal_outcome(rehearsal)->message, "more"))
        fail_msg("%s", rehearsal_outcome(rehearsal)->message);
    assert_int_equal(rehearsal_books(rehearsal).reserved.pico, 0);
}

static double dollars(money_t amount) {
    return (double)amount.pico / 1e12;
}

/* A pause means that the next request does not fit, not that money lies idle. */
static void expect_used_up(const rehearsal_t *rehearsal, money_t charged, money_t cap,
                           money_t largest) {
    (void)rehearsal;
    assert_true(charged.pico <= cap.pico);
    assert_true(charged.pico + largest.pico > cap.pico);
}

static void total_cap_pauses_and_goes_on(void **state) {
    const reference_t *reference = *state;
    rehearsal_t *rehearsal = make_night(reference);
    int64_t cap = reference->books.settled.pico / 3;
    for (int i = 0; i < 3; i++, cap += reference->books.settled.pico / 4) {
        rehearsal_set(rehearsal, "budget.total_usd=%.12f", (double)cap / 1e12);
        expect_pause(rehearsal, "budget.total_usd");
        rehearsal_books_t books = rehearsal_books(rehearsal);
        expect_used_up(rehearsal, books.settled, (money_t){cap}, reference->books.largest);
    }
    rehearsal_set(rehearsal, "budget.total_usd=50");
    rehearsal_finish(rehearsal, 1);
    expect_done(rehearsal, reference);
}

/* Money that a settlement frees is used: a cap of what the rehearsal costs and one request
 * more is enough. */
static void cap_of_what_it_costs_is_enough(void **state) {
    const reference_t *reference = *state;
    rehearsal_t *rehearsal = make_night(reference);
    money_t cap = {reference->books.settled.pico + reference->books.largest.pico};
    rehearsal_set(rehearsal, "budget.total_usd=%.12f", dollars(cap));
    rehearsal_finish(rehearsal, 1);
    expect_done(rehearsal, reference);
}

static void model_cap_pauses_and_goes_on(void **state) {
    const reference_t *reference = *state;
    rehearsal_t *rehearsal = make_night(reference);
    rehearsal_set(rehearsal, "budget.models.text=%.12f", dollars(reference->books.settled) / 3);
    expect_pause(rehearsal, "budget.models.\"text\"");
    rehearsal_set(rehearsal, "budget.models.text=50");
    rehearsal_finish(rehearsal, 1);
    expect_done(rehearsal, reference);
}

static void store_cap_pauses_and_goes_on(void **state) {
    const reference_t *reference = *state;
    rehearsal_t *rehearsal = make_night(reference);
    rehearsal_set(rehearsal, "budget.store_usd=%.12f", dollars(reference->books.settled) / 3);
    expect_pause(rehearsal, "budget.store_usd");
    /* Another run of the same store finds the cap used up. */
    rehearsal_set(rehearsal, "run.name=another");
    expect_pause(rehearsal, "budget.store_usd");
    rehearsal_set(rehearsal, "budget.store_usd=50");
    rehearsal_finish(rehearsal, 1);
    expect_done(rehearsal, reference);
}

static void daily_cap_pauses_until_the_next_day(void **state) {
    const reference_t *reference = *state;
    rehearsal_t *rehearsal = make_night(reference);
    money_t cap = {reference->books.settled.pico * 45 / 100};
    rehearsal_set(rehearsal, "budget.daily_usd=%.12f", dollars(cap));
    for (int day = 0; day < 2; day++) {
        expect_pause(rehearsal, "budget.daily_usd");
        expect_used_up(
            rehearsal,
            rehearsal_charged_on(rehearsal, clock_utc(world_clock(rehearsal_world(rehearsal)))),
            cap, reference->books.largest);
        world_sleep(rehearsal_world(rehearsal), DAY);
    }
    rehearsal_finish(rehearsal, 1);
    expect_done(rehearsal, reference);
}

static void daily_cap_waits_for_midnight(void **state) {
    const reference_t *reference = *state;
    rehearsal_t *rehearsal = make_night(reference);
    rehearsal_set(rehearsal, "budget.daily_usd=%.12f", dollars(reference->books.settled) * 0.6);
    rehearsal_set(rehearsal, "budget.on_daily_cap=wait");
    int32_t day = text_day_of(clock_utc(world_clock(rehearsal_world(rehearsal))));
    assert_int_equal(rehearsal_start(rehearsal, NULL), REHEARSAL_FINISHED);
    assert_int_equal(text_day_of(clock_utc(world_clock(rehearsal_world(rehearsal)))), day + 1);
    expect_done(rehearsal, reference);
}

static void crash_leaves_doubts_that_count(void **state) {
    const reference_t *reference = *state;
    rehearsal_t *rehearsal = make_night(reference);
    doom_t doom = {.crash_in = 4 * CLOCK_SECOND};
    assert_int_equal(rehearsal_start(rehearsal, &doom), REHEARSAL_CRASHED);
    rehearsal_set(rehearsal, "budget.doubts_usd=%.12f", dollars(reference->books.largest));
    expect_pause(rehearsal, "budget.doubts_usd");
    rehearsal_books_t books = rehearsal_books(rehearsal);
    assert_true(books.doubts.pico > 0);
    rehearsal_release(rehearsal);
    rehearsal_finish(rehearsal, 1);
    expect_done(rehearsal, reference);
}

/* A flaky rehearsal stops at the cap of doubts, not at that of the budget. */
static void doubts_have_a_cap_of_their_own(void **state) {
    const reference_t *reference = *state;
    rehearsal_t *rehearsal = make_night(reference);
    int64_t cap = reference->books.largest.pico * 3;
    rehearsal_set(rehearsal, "run.max_tries=100");
    rehearsal_set(rehearsal, "budget.doubts_usd=%.12f", (double)cap / 1e12);
    provider_weather(rehearsal_providers(rehearsal), NULL,
                     provider_fault(FAULT_TRUNCATED, 2 * CLOCK_SECOND, INT64_MAX, 1));
    expect_pause(rehearsal, "budget.doubts_usd");
    /* What was in flight when the cap was reached may come on top. */
    assert_true(rehearsal_books(rehearsal).doubts.pico <=
                cap + CONCURRENCY * reference->books.largest.pico);
    provider_clear_weather(rehearsal_providers(rehearsal));
    rehearsal_set(rehearsal, "budget.doubts_usd=50");
    rehearsal_finish(rehearsal, 1);
    expect_done(rehearsal, reference);
}

static void cap_below_one_request(rehearsal_t *rehearsal, const reference_t *reference,
                                  const char *cap) {
    assert_int_equal(rehearsal_start(rehearsal, NULL), REHEARSAL_FINISHED);
    assert_int_equal(rehearsal_outcome(rehearsal)->end, END_CONFIG);
    if (!strstr(rehearsal_outcome(rehearsal)->message, cap) ||
        !strstr(rehearsal_outcome(rehearsal)->message, "smaller than one request"))
        fail_msg("%s", rehearsal_outcome(rehearsal)->message);
    rehearsal_set(rehearsal, "%s=50", cap);
    rehearsal_finish(rehearsal, 1);
    expect_done(rehearsal, reference);
}

static void cap_smaller_than_a_probe(void **state) {
    rehearsal_t *rehearsal = make_night(*state);
    rehearsal_set(rehearsal, "budget.total_usd=0.000000001");
    cap_below_one_request(rehearsal, *state, "budget.total_usd");
}

/* The probes fit; no explanation does, whatever else is spent. */
static void cap_smaller_than_an_explanation(void **state) {
    rehearsal_t *rehearsal = make_night(*state);
    rehearsal_set(rehearsal, "budget.total_usd=0.0002");
    cap_below_one_request(rehearsal, *state, "budget.total_usd");
}

static void daily_cap_smaller_than_one_request(void **state) {
    rehearsal_t *rehearsal = make_night(*state);
    rehearsal_set(rehearsal, "budget.daily_usd=0.0002");
    rehearsal_set(rehearsal, "budget.on_daily_cap=wait");
    cap_below_one_request(rehearsal, *state, "budget.daily_usd");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(total_cap_pauses_and_goes_on),
        cmocka_unit_test(cap_of_what_it_costs_is_enough),
        cmocka_unit_test(model_cap_pauses_and_goes_on),
        cmocka_unit_test(store_cap_pauses_and_goes_on),
        cmocka_unit_test(daily_cap_pauses_until_the_next_day),
        cmocka_unit_test(daily_cap_waits_for_midnight),
        cmocka_unit_test(crash_leaves_doubts_that_count),
        cmocka_unit_test(doubts_have_a_cap_of_their_own),
        cmocka_unit_test(cap_smaller_than_a_probe),
        cmocka_unit_test(cap_smaller_than_an_explanation),
        cmocka_unit_test(daily_cap_smaller_than_one_request),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
