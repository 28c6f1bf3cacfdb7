/* test_rehearsal_caps.c - caps stop a run before they are passed, say what is missing, and let it go on when raised. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/text.h"
#include "test/rehearsal/night.h"

static const int64_t DAY = 24 * 60 * CLOCK_MINUTE;
enum { CONCURRENCY = 8 };

typedef struct {
    char *config;
    buffer_t results;
    night_books_t books; /* of the undisturbed night */
} reference_t;

static night_t *make_night(const reference_t *reference) {
    night_options_t options = {.seed = 7, .config = reference->config};
    night_t *night = night_create(&options);
    night_add_provider(night, "a", 0, 0);
    return night;
}

static int setup(void **state) {
    reference_t *reference = calloc(1, sizeof *reference);
    reference->config = night_config(2, "[\"original\", \"summary\", \"avhs\"]", "echo", false);
    night_t *night = make_night(reference);
    night_finish(night, 1);
    reference->books = night_books(night);
    night_results(night, &reference->results);
    night_free(night);
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

/* The night is done, with the results of the undisturbed one, and every promise held. */
static void expect_done(night_t *night, const reference_t *reference) {
    buffer_t results = BUFFER_EMPTY;
    assert_int_equal(night_outcome(night)->end, END_DONE);
    night_check_end(night);
    if (*night_problems(night))
        fail_msg("%s", night_problems(night));
    night_results(night, &results);
    assert_true(results.length == reference->results.length &&
                memcmp(results.data, reference->results.data, results.length) == 0);
    buffer_free(&results);
    night_free(night);
}

static void expect_pause(night_t *night, const char *cap) {
    assert_int_equal(night_start(night, NULL), NIGHT_FINISHED);
    assert_int_equal(night_outcome(night)->end, END_CAP);
    if (!strstr(night_outcome(night)->message, cap) || !strstr(night_outcome(night)->message, "more"))
        fail_msg("%s", night_outcome(night)->message);
    assert_int_equal(night_books(night).reserved.pico, 0);
}

static double dollars(money_t amount) {
    return (double)amount.pico / 1e12;
}

/* A pause means that the next request does not fit, not that money lies idle. */
static void expect_used_up(const night_t *night, money_t charged, money_t cap, money_t largest) {
    (void)night;
    assert_true(charged.pico <= cap.pico);
    assert_true(charged.pico + largest.pico > cap.pico);
}

static void total_cap_pauses_and_goes_on(void **state) {
    const reference_t *reference = *state;
    night_t *night = make_night(reference);
    int64_t cap = reference->books.settled.pico / 3;
    for (int i = 0; i < 3; i++, cap += reference->books.settled.pico / 4) {
        night_set(night, "budget.total_usd=%.12f", (double)cap / 1e12);
        expect_pause(night, "budget.total_usd");
        night_books_t books = night_books(night);
        expect_used_up(night, books.settled, (money_t){cap}, reference->books.largest);
    }
    night_set(night, "budget.total_usd=50");
    night_finish(night, 1);
    expect_done(night, reference);
}

/* Money that a settlement frees is used: a cap of what the night costs and one request more is enough. */
static void cap_of_what_it_costs_is_enough(void **state) {
    const reference_t *reference = *state;
    night_t *night = make_night(reference);
    money_t cap = {reference->books.settled.pico + reference->books.largest.pico};
    night_set(night, "budget.total_usd=%.12f", dollars(cap));
    night_finish(night, 1);
    expect_done(night, reference);
}

static void model_cap_pauses_and_goes_on(void **state) {
    const reference_t *reference = *state;
    night_t *night = make_night(reference);
    night_set(night, "budget.models.text=%.12f", dollars(reference->books.settled) / 3);
    expect_pause(night, "budget.models.\"text\"");
    night_set(night, "budget.models.text=50");
    night_finish(night, 1);
    expect_done(night, reference);
}

static void store_cap_pauses_and_goes_on(void **state) {
    const reference_t *reference = *state;
    night_t *night = make_night(reference);
    night_set(night, "budget.store_usd=%.12f", dollars(reference->books.settled) / 3);
    expect_pause(night, "budget.store_usd");
    /* Another run of the same store finds the cap used up. */
    night_set(night, "run.name=another");
    expect_pause(night, "budget.store_usd");
    night_set(night, "budget.store_usd=50");
    night_finish(night, 1);
    expect_done(night, reference);
}

static void daily_cap_pauses_until_the_next_day(void **state) {
    const reference_t *reference = *state;
    night_t *night = make_night(reference);
    money_t cap = {reference->books.settled.pico * 45 / 100};
    night_set(night, "budget.daily_usd=%.12f", dollars(cap));
    for (int day = 0; day < 2; day++) {
        expect_pause(night, "budget.daily_usd");
        expect_used_up(night, night_charged_on(night, clock_utc(world_clock(night_world(night)))), cap,
                       reference->books.largest);
        world_sleep(night_world(night), DAY);
    }
    night_finish(night, 1);
    expect_done(night, reference);
}

static void daily_cap_waits_for_midnight(void **state) {
    const reference_t *reference = *state;
    night_t *night = make_night(reference);
    night_set(night, "budget.daily_usd=%.12f", dollars(reference->books.settled) * 0.6);
    night_set(night, "budget.on_daily_cap=wait");
    int32_t day = text_day_of(clock_utc(world_clock(night_world(night))));
    assert_int_equal(night_start(night, NULL), NIGHT_FINISHED);
    assert_int_equal(text_day_of(clock_utc(world_clock(night_world(night)))), day + 1);
    expect_done(night, reference);
}

static void crash_leaves_doubts_that_count(void **state) {
    const reference_t *reference = *state;
    night_t *night = make_night(reference);
    doom_t doom = {.crash_in = 4 * CLOCK_SECOND};
    assert_int_equal(night_start(night, &doom), NIGHT_CRASHED);
    night_set(night, "budget.doubts_usd=%.12f", dollars(reference->books.largest));
    expect_pause(night, "budget.doubts_usd");
    night_books_t books = night_books(night);
    assert_true(books.doubts.pico > 0);
    night_release(night);
    night_finish(night, 1);
    expect_done(night, reference);
}

/* A flaky night stops at the cap of doubts, not at that of the budget. */
static void doubts_have_a_cap_of_their_own(void **state) {
    const reference_t *reference = *state;
    night_t *night = make_night(reference);
    int64_t cap = reference->books.largest.pico * 3;
    night_set(night, "run.max_tries=100");
    night_set(night, "budget.doubts_usd=%.12f", (double)cap / 1e12);
    provider_weather(night_providers(night), NULL, provider_fault(FAULT_TRUNCATED, 2 * CLOCK_SECOND, INT64_MAX, 1));
    expect_pause(night, "budget.doubts_usd");
    /* What was in flight when the cap was reached may come on top. */
    assert_true(night_books(night).doubts.pico <= cap + CONCURRENCY * reference->books.largest.pico);
    provider_clear_weather(night_providers(night));
    night_set(night, "budget.doubts_usd=50");
    night_finish(night, 1);
    expect_done(night, reference);
}

static void cap_below_one_request(night_t *night, const reference_t *reference, const char *cap) {
    assert_int_equal(night_start(night, NULL), NIGHT_FINISHED);
    assert_int_equal(night_outcome(night)->end, END_CONFIG);
    if (!strstr(night_outcome(night)->message, cap) ||
        !strstr(night_outcome(night)->message, "smaller than one request"))
        fail_msg("%s", night_outcome(night)->message);
    night_set(night, "%s=50", cap);
    night_finish(night, 1);
    expect_done(night, reference);
}

static void cap_smaller_than_a_probe(void **state) {
    night_t *night = make_night(*state);
    night_set(night, "budget.total_usd=0.000000001");
    cap_below_one_request(night, *state, "budget.total_usd");
}

/* The probes fit; no explanation does, whatever else is spent. */
static void cap_smaller_than_an_explanation(void **state) {
    night_t *night = make_night(*state);
    night_set(night, "budget.total_usd=0.0002");
    cap_below_one_request(night, *state, "budget.total_usd");
}

static void daily_cap_smaller_than_one_request(void **state) {
    night_t *night = make_night(*state);
    night_set(night, "budget.daily_usd=0.0002");
    night_set(night, "budget.on_daily_cap=wait");
    cap_below_one_request(night, *state, "budget.daily_usd");
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
