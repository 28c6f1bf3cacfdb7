/* test_pool_endpoint.c - an endpoint's windows, breaker, slots and grants, without a clock. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "actors/pool/endpoint.h"
#include "core/runtime/clock.h"

enum { CHAT, TEXT, MODELS };
static const int64_t NOON = 1000 * CLOCK_SECOND, MILLI = 1000;

typedef struct {
    endpoint_settings_t settings;
    model_settings_t models[MODELS];
    endpoint_t *endpoint;
} endpoint_test_t;

/* Four slots, no limits. */
static int setup(void **state) {
    static endpoint_test_t test;
    test = (endpoint_test_t){.settings = {.name = "a", .concurrency = 4}};
    *state = &test;
    return 0;
}

static int teardown(void **state) {
    endpoint_free(((endpoint_test_t *)*state)->endpoint);
    return 0;
}

static endpoint_t *create(endpoint_test_t *test) {
    return test->endpoint = endpoint_create(&test->settings, test->models, MODELS);
}

static void assert_whole(const endpoint_t *endpoint) {
    const char *broken = endpoint_broken(endpoint, false);
    if (broken)
        fail_msg("%s", broken);
}

/* Granted and started at once. */
static grant_t start(endpoint_t *endpoint, size_t model, int64_t charge, int64_t now) {
    assert_int_equal(endpoint_ready_at(endpoint, model, charge, now), now);
    grant_t grant = endpoint_grant(endpoint, model, charge, now);
    assert_false(endpoint_has_lapsed(endpoint, &grant, now));
    assert_int_equal(endpoint_start_at(endpoint, &grant, now), now);
    endpoint_start(endpoint, &grant, now);
    assert_whole(endpoint);
    return grant;
}

static lesson_t lesson_of(retry_verdict_t verdict, int64_t sent_at) {
    static const retry_detail_t detail = {.code = "code", .message = "what it said"};
    return (lesson_t){.verdict = verdict, .detail = &detail, .sent_at = sent_at, .retry_after = -1};
}

static void end(endpoint_t *endpoint, const grant_t *grant, retry_verdict_t verdict,
                int64_t sent_at, int64_t now) {
    lesson_t lesson = lesson_of(verdict, sent_at);
    endpoint_over(endpoint, grant, sent_at, now);
    endpoint_learn(endpoint, grant, &lesson, now);
    assert_whole(endpoint);
}

/* One exchange from its start to its end. */
static void exchange(endpoint_t *endpoint, retry_verdict_t verdict, int64_t now) {
    grant_t grant = start(endpoint, CHAT, 10, now);
    end(endpoint, &grant, verdict, now, now);
}

static void fail_until_open(endpoint_t *endpoint, int64_t now) {
    for (int i = 0; i < 5; i++)
        exchange(endpoint, RETRY_BROKEN, now);
    assert_int_equal(endpoint_state(endpoint), BREAKER_OPEN);
}

/* --- limits --- */

static void windows_of_endpoint_and_route_both_hold(void **state) {
    endpoint_test_t *test = *state;
    test->settings.rpm = 60;
    test->models[TEXT].rpm = 6;
    endpoint_t *endpoint = create(test);
    start(endpoint, CHAT, 10, NOON);
    int64_t second = endpoint_ready_at(endpoint, CHAT, 10, NOON); /* (60 s + 0.5 s) / 60 later */
    assert_int_equal(second, NOON + 1008334);
    start(endpoint, TEXT, 10, second);
    int64_t chat = endpoint_ready_at(endpoint, CHAT, 10, second),
            text = endpoint_ready_at(endpoint, TEXT, 10, second);
    assert_int_equal(chat, second + 1008334);
    assert_int_equal(text, second + 10083334);
}

static void a_charge_above_a_limit_never_fits(void **state) {
    endpoint_test_t *test = *state;
    test->settings.tpm = 1000;
    test->models[TEXT].tpm = 100;
    endpoint_t *endpoint = create(test);
    assert_true(endpoint_fits(endpoint, CHAT, 1000));
    assert_false(endpoint_fits(endpoint, CHAT, 1001));
    assert_true(endpoint_fits(endpoint, TEXT, 100));
    assert_false(endpoint_fits(endpoint, TEXT, 101));
}

static void attempts_of_before_count(void **state) {
    endpoint_test_t *test = *state;
    test->settings.tpm = 1000;
    test->models[TEXT].rpm = 1;
    endpoint_t *endpoint = create(test);
    endpoint_restore(endpoint, SIZE_MAX, NOON - 20 * CLOCK_SECOND, 300);
    endpoint_restore(endpoint, TEXT, NOON - 30 * CLOCK_SECOND, 600);
    assert_int_equal(endpoint_ready_at(endpoint, CHAT, 100, NOON), NOON);
    assert_int_equal(endpoint_ready_at(endpoint, CHAT, 101, NOON), NOON + 30500 * MILLI);
    assert_int_equal(endpoint_ready_at(endpoint, TEXT, 1, NOON), NOON + 30500 * MILLI);
    int64_t requests, tokens;
    endpoint_usage(endpoint, NOON, &requests, &tokens);
    assert_int_equal(requests, 2);
    assert_int_equal(tokens, 900);
}

/* --- slots and grants --- */

static void slots_are_of_endpoint_and_route(void **state) {
    endpoint_test_t *test = *state;
    test->models[TEXT].concurrency = 1;
    endpoint_t *endpoint = create(test);
    grant_t text = start(endpoint, TEXT, 1, NOON);
    assert_int_equal(endpoint_ready_at(endpoint, TEXT, 1, NOON), INT64_MAX);
    grant_t chat = start(endpoint, CHAT, 1, NOON);
    for (int i = 0; i < 2; i++)
        start(endpoint, CHAT, 1, NOON);
    assert_true(endpoint_is_full(endpoint));
    assert_int_equal(endpoint_ready_at(endpoint, CHAT, 1, NOON), INT64_MAX);
    assert_int_equal(endpoint_in_flight(endpoint), 4);
    endpoint_over(endpoint, &text, NOON, NOON + CLOCK_SECOND);
    assert_false(endpoint_is_full(endpoint));
    assert_int_equal(endpoint_ready_at(endpoint, TEXT, 1, NOON), NOON);
    endpoint_over(endpoint, &chat, NOON, NOON + CLOCK_SECOND);
    assert_int_equal(endpoint_in_flight(endpoint), 2);
    assert_whole(endpoint);
}

static void a_grant_is_room_taken_until_it_is_given_back(void **state) {
    endpoint_test_t *test = *state;
    test->settings.concurrency = 1;
    endpoint_t *endpoint = create(test);
    grant_t grant = endpoint_grant(endpoint, CHAT, 1, NOON);
    assert_int_equal(endpoint_grants(endpoint), 1);
    assert_int_equal(endpoint_ready_at(endpoint, TEXT, 1, NOON), INT64_MAX);
    endpoint_give_back(endpoint, &grant);
    assert_int_equal(endpoint_grants(endpoint), 0);
    assert_int_equal(endpoint_ready_at(endpoint, TEXT, 1, NOON), NOON);
    assert_whole(endpoint);
}

/* How many grants can be taken at once, beyond what is in flight. */
static int grants_at_once(endpoint_t *endpoint, int64_t now) {
    int count = 0;
    for (; endpoint_ready_at(endpoint, CHAT, 1, now) == now; count++)
        endpoint_grant(endpoint, CHAT, 1, now);
    assert_whole(endpoint);
    return count;
}

static void grants_go_ahead_as_far_as_reservations_take(void **state) {
    static const struct {
        int64_t reserve, exchange; /* milliseconds */
        int grants;                /* with four slots */
    } rows[] = {{10, 1000, 4}, {10, 40, 5}, {10, 20, 6}, {10, 10, 8}, {100, 10, 8}};
    endpoint_test_t *test = *state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        endpoint_t *endpoint = create(test);
        grant_t grant = endpoint_grant(endpoint, CHAT, 1, NOON);
        int64_t sent = NOON + rows[i].reserve * MILLI, over = sent + rows[i].exchange * MILLI;
        endpoint_reserved(endpoint, &grant, sent);
        endpoint_start(endpoint, &grant, sent);
        end(endpoint, &grant, RETRY_ANSWER, sent, over);
        assert_int_equal(grants_at_once(endpoint, over), rows[i].grants);
        endpoint_free(endpoint);
        test->endpoint = NULL;
    }
}

static void a_grant_ahead_waits_for_a_slot_of_its_route(void **state) {
    endpoint_test_t *test = *state;
    test->models[TEXT].concurrency = 1;
    endpoint_t *endpoint = create(test);
    grant_t first = endpoint_grant(endpoint, TEXT, 1, NOON);
    endpoint_reserved(endpoint, &first, NOON + MILLI);
    endpoint_start(endpoint, &first, NOON + MILLI);
    end(endpoint, &first, RETRY_ANSWER, NOON + MILLI, NOON + 2 * MILLI);
    first = start(endpoint, TEXT, 1, NOON + 2 * MILLI);
    assert_int_equal(endpoint_ready_at(endpoint, TEXT, 1, NOON + 2 * MILLI), NOON + 2 * MILLI);
    grant_t ahead = endpoint_grant(endpoint, TEXT, 1, NOON + 2 * MILLI);
    assert_int_equal(endpoint_start_at(endpoint, &ahead, NOON + 2 * MILLI), INT64_MAX);
    endpoint_over(endpoint, &first, NOON + 2 * MILLI, NOON + 3 * MILLI);
    assert_int_equal(endpoint_start_at(endpoint, &ahead, NOON + 3 * MILLI), NOON + 3 * MILLI);
}

static void no_grant_goes_ahead_before_an_exchange_is_known(void **state) {
    endpoint_t *endpoint = create(*state);
    grant_t grant = endpoint_grant(endpoint, CHAT, 1, NOON);
    endpoint_reserved(endpoint, &grant, NOON + CLOCK_SECOND);
    assert_int_equal(grants_at_once(endpoint, NOON + CLOCK_SECOND), 3);
}

static void a_late_grant_finds_room_in_the_windows_again(void **state) {
    endpoint_test_t *test = *state;
    test->settings.rpm = 60;
    endpoint_t *endpoint = create(test);
    grant_t first = endpoint_grant(endpoint, CHAT, 1, NOON);
    int64_t second_at = endpoint_ready_at(endpoint, CHAT, 1, NOON);
    grant_t second = endpoint_grant(endpoint, CHAT, 1, second_at);
    int64_t late = second_at + 10 * CLOCK_SECOND;
    assert_int_equal(endpoint_start_at(endpoint, &first, late), late);
    endpoint_start(endpoint, &first, late);
    int64_t at = endpoint_start_at(endpoint, &second, late);
    assert_int_equal(at, late + 1008334);
    endpoint_start(endpoint, &second, at);
    int64_t requests, tokens;
    endpoint_usage(endpoint, at, &requests, &tokens);
    assert_int_equal(requests, 4); /* each counts twice */
    assert_whole(endpoint);
}

static void a_grant_that_is_used_in_time_counts_once(void **state) {
    endpoint_test_t *test = *state;
    test->settings.rpm = 60;
    endpoint_t *endpoint = create(test);
    grant_t grant = endpoint_grant(endpoint, CHAT, 7, NOON);
    assert_int_equal(endpoint_start_at(endpoint, &grant, NOON + 50 * MILLI), NOON + 50 * MILLI);
    endpoint_start(endpoint, &grant, NOON + 50 * MILLI);
    int64_t requests, tokens;
    endpoint_usage(endpoint, NOON + CLOCK_SECOND, &requests, &tokens);
    assert_int_equal(requests, 1);
    assert_int_equal(tokens, 7);
}

/* --- what is learned --- */

static void a_wish_for_silence_holds_all_back(void **state) {
    endpoint_t *endpoint = create(*state);
    grant_t asked = start(endpoint, CHAT, 1, NOON),
            waiting = endpoint_grant(endpoint, TEXT, 1, NOON);
    lesson_t lesson = lesson_of(RETRY_RATE_LIMIT, NOON);
    lesson.retry_after = 30 * CLOCK_SECOND;
    endpoint_over(endpoint, &asked, NOON, NOON);
    endpoint_learn(endpoint, &asked, &lesson, NOON);
    assert_true(endpoint_has_lapsed(endpoint, &waiting, NOON));
    assert_int_equal(endpoint_ready_at(endpoint, TEXT, 1, NOON), NOON + 30 * CLOCK_SECOND);
    assert_int_equal(endpoint_state(endpoint), BREAKER_CLOSED);
    assert_string_equal(endpoint_trouble(endpoint), "asked to wait 30 s (rate_limit)");
    assert_false(endpoint_is_out(endpoint, NOON, CLOCK_MINUTE));
    assert_true(endpoint_is_out(endpoint, NOON, 29 * CLOCK_SECOND));
    lesson.retry_after = CLOCK_SECOND; /* a shorter one changes nothing */
    endpoint_learn(endpoint, &asked, &lesson, NOON);
    assert_int_equal(endpoint_ready_at(endpoint, TEXT, 1, NOON), NOON + 30 * CLOCK_SECOND);
    assert_false(endpoint_has_lapsed(endpoint, &waiting, NOON + 30 * CLOCK_SECOND));
}

static void only_some_verdicts_speak_for_all(void **state) {
    (void)state;
    assert_true(endpoint_heeds(RETRY_RATE_LIMIT, 0));
    assert_true(endpoint_heeds(RETRY_SERVER, CLOCK_SECOND));
    assert_false(endpoint_heeds(RETRY_RATE_LIMIT, -1));
    assert_false(endpoint_heeds(RETRY_CONFLICT, CLOCK_SECOND));
    assert_false(endpoint_heeds(RETRY_ANSWER, CLOCK_SECOND));
}

static void failures_open_it_and_a_probe_mends_it(void **state) {
    endpoint_t *endpoint = create(*state);
    grant_t old = endpoint_grant(endpoint, CHAT, 1, NOON);
    fail_until_open(endpoint, NOON);
    assert_true(endpoint_has_lapsed(endpoint, &old, NOON));
    assert_string_equal(endpoint_trouble(endpoint), "broken code: what it said");
    int64_t half = NOON + 5 * CLOCK_SECOND;
    assert_int_equal(endpoint_ready_at(endpoint, CHAT, 1, NOON), half);
    assert_int_equal(endpoint_ready_at(endpoint, CHAT, 1, half), half);
    assert_true(endpoint_has_lapsed(endpoint, &old, half));
    grant_t probe = start(endpoint, CHAT, 1, half);
    assert_true(probe.probing);
    assert_int_equal(endpoint_ready_at(endpoint, CHAT, 1, half), INT64_MAX);
    /* it answers, even if not as we like */
    end(endpoint, &probe, RETRY_REJECTED, half, half + CLOCK_SECOND);
    assert_int_equal(endpoint_state(endpoint), BREAKER_CLOSED);
    assert_int_equal(endpoint_outage_end(endpoint, CLOCK_MINUTE), INT64_MAX);
}

static void an_outage_ends_some_time(void **state) {
    endpoint_t *endpoint = create(*state);
    fail_until_open(endpoint, NOON);
    assert_int_equal(endpoint_outage_end(endpoint, CLOCK_MINUTE), NOON + CLOCK_MINUTE);
    assert_false(endpoint_is_out(endpoint, NOON + CLOCK_MINUTE - 1, CLOCK_MINUTE));
    assert_true(endpoint_is_out(endpoint, NOON + CLOCK_MINUTE, CLOCK_MINUTE));
}

/* It used to: the probe of another one was forgotten, and a second attempt let in. */
static void a_grant_of_before_does_not_end_a_probe(void **state) {
    endpoint_t *endpoint = create(*state);
    grant_t old = endpoint_grant(endpoint, CHAT, 1, NOON);
    fail_until_open(endpoint, NOON);
    int64_t half = NOON + 5 * CLOCK_SECOND;
    start(endpoint, CHAT, 1, half);
    endpoint_give_back(endpoint, &old);
    assert_int_equal(endpoint_ready_at(endpoint, CHAT, 1, half), INT64_MAX);
}

static void a_probe_that_is_given_back_lets_another_probe(void **state) {
    endpoint_t *endpoint = create(*state);
    fail_until_open(endpoint, NOON);
    int64_t half = NOON + 5 * CLOCK_SECOND;
    assert_int_equal(endpoint_ready_at(endpoint, CHAT, 1, half), half);
    grant_t probe = endpoint_grant(endpoint, CHAT, 1, half);
    assert_int_equal(endpoint_ready_at(endpoint, CHAT, 1, half), INT64_MAX);
    assert_non_null(endpoint_broken(endpoint, true)); /* nobody probes, if nothing is under way */
    endpoint_give_back(endpoint, &probe);
    assert_null(endpoint_broken(endpoint, true));
    assert_int_equal(endpoint_ready_at(endpoint, CHAT, 1, half), half);
    probe = start(endpoint, CHAT, 1, half);
    end(endpoint, &probe, RETRY_CANCELLED, half, half);
    assert_int_equal(endpoint_ready_at(endpoint, CHAT, 1, half), half);
}

static void quota_keys_and_usage_shut_it(void **state) {
    endpoint_test_t *test = *state;
    static const retry_verdict_t verdicts[] = {RETRY_QUOTA, RETRY_CREDENTIALS, RETRY_ANSWER};
    for (size_t i = 0; i < 3; i++) {
        endpoint_t *endpoint = create(test);
        grant_t grant = start(endpoint, CHAT, 1, NOON);
        lesson_t lesson = lesson_of(verdicts[i], NOON);
        lesson.over_bound = verdicts[i] == RETRY_ANSWER;
        endpoint_learn(endpoint, &grant, &lesson, NOON);
        assert_int_equal(endpoint_state(endpoint), BREAKER_SHUT);
        assert_int_equal(endpoint_ready_at(endpoint, TEXT, 1, NOON + CLOCK_MINUTE), INT64_MAX);
        assert_non_null(strstr(endpoint_trouble(endpoint), "what it said"));
        lesson = lesson_of(RETRY_ANSWER, NOON); /* one that was under way */
        endpoint_learn(endpoint, &grant, &lesson, NOON);
        assert_int_equal(endpoint_state(endpoint), BREAKER_SHUT);
        endpoint_free(endpoint);
        test->endpoint = NULL;
    }
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(windows_of_endpoint_and_route_both_hold),
        TEST(a_charge_above_a_limit_never_fits),
        TEST(attempts_of_before_count),
        TEST(slots_are_of_endpoint_and_route),
        TEST(a_grant_is_room_taken_until_it_is_given_back),
        TEST(grants_go_ahead_as_far_as_reservations_take),
        TEST(a_grant_ahead_waits_for_a_slot_of_its_route),
        TEST(no_grant_goes_ahead_before_an_exchange_is_known),
        TEST(a_late_grant_finds_room_in_the_windows_again),
        TEST(a_grant_that_is_used_in_time_counts_once),
        TEST(a_wish_for_silence_holds_all_back),
        TEST(only_some_verdicts_speak_for_all),
        TEST(failures_open_it_and_a_probe_mends_it),
        TEST(an_outage_ends_some_time),
        TEST(a_grant_of_before_does_not_end_a_probe),
        TEST(a_probe_that_is_given_back_lets_another_probe),
        TEST(quota_keys_and_usage_shut_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
