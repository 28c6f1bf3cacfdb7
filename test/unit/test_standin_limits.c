/* test_standin_limits.c - the stand-in's strict window, its faults and its latencies. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "core/base/json.h"
#include "core/base/rng.h"
#include "tools/standin/faults.h"
#include "tools/standin/limits.h"

enum { TRIES = 20000, RPM = 50, TPM = 20000 };
static const int64_t SECOND = 1000000, MINUTE = 60 * 1000000;

static void test_no_minute_holds_more_than_the_limits(void **state) {
    (void)state;
    standin_limits_t *limits = standin_limits_create(RPM, TPM, 0);
    rng_t rng = rng_create(1);
    static int64_t times[TRIES], tokens[TRIES];
    size_t admitted = 0, first = 0;
    int64_t now = 0, held = 0;
    for (int i = 0; i < TRIES; i++) {
        now += (int64_t)rng_below(&rng, 2 * (uint64_t)SECOND);
        int64_t charge = 1 + (int64_t)rng_below(&rng, 1500);
        standin_verdict_t verdict = standin_limits_take(limits, now, charge);
        while (first < admitted && times[first] <= now - MINUTE)
            held -= tokens[first++];
        bool fits = admitted - first < RPM && held + charge <= TPM;
        assert_int_equal(verdict.broken == LIMIT_NONE, fits);
        if (fits) {
            times[admitted] = now;
            tokens[admitted++] = charge;
            held += charge;
        }
        assert_int_equal(verdict.requests_left, RPM - (int64_t)(admitted - first));
        assert_int_equal(verdict.tokens_left, TPM - held);
    }
    assert_true(admitted > TRIES / 10 && admitted < TRIES);
    standin_limits_free(limits);
}

static void test_retry_after_is_exact(void **state) {
    (void)state;
    standin_limits_t *limits = standin_limits_create(3, 100, 0);
    assert_int_equal(standin_limits_take(limits, 0, 60).broken, LIMIT_NONE);
    assert_int_equal(standin_limits_take(limits, 10 * SECOND, 30).broken, LIMIT_NONE);
    standin_verdict_t verdict = standin_limits_take(limits, 20 * SECOND, 20);
    assert_int_equal(verdict.broken, LIMIT_TOKENS);
    assert_int_equal(verdict.retry_after, 40 * SECOND);
    assert_int_equal(standin_limits_take(limits, 60 * SECOND - 1, 20).broken, LIMIT_TOKENS);
    assert_int_equal(standin_limits_take(limits, 60 * SECOND, 20).broken, LIMIT_NONE);
    assert_int_equal(standin_limits_take(limits, 61 * SECOND, 1).broken, LIMIT_NONE);
    verdict = standin_limits_take(limits, 62 * SECOND, 1);
    assert_int_equal(verdict.broken, LIMIT_REQUESTS);
    assert_int_equal(verdict.retry_after, 8 * SECOND);
    assert_int_equal(verdict.requests_reset, 59 * SECOND);
    standin_limits_free(limits);
}

static void test_a_request_over_the_whole_limit_never_fits(void **state) {
    (void)state;
    standin_limits_t *limits = standin_limits_create(0, 100, 0);
    assert_int_equal(standin_limits_take(limits, 0, 101).broken, LIMIT_TOO_LARGE);
    assert_int_equal(standin_limits_take(limits, 0, 100).broken, LIMIT_NONE);
    standin_limits_free(limits);
}

static void test_concurrency_counts_what_runs(void **state) {
    (void)state;
    standin_limits_t *limits = standin_limits_create(0, 0, 2);
    assert_int_equal(standin_limits_take(limits, 0, 1).broken, LIMIT_NONE);
    assert_int_equal(standin_limits_take(limits, 0, 1).broken, LIMIT_NONE);
    assert_int_equal(standin_limits_take(limits, 0, 1).broken, LIMIT_CONCURRENCY);
    standin_limits_release(limits);
    assert_int_equal(standin_limits_take(limits, 0, 1).broken, LIMIT_NONE);
    standin_limits_free(limits);
}

/* --- faults ----------------------------------------------------------------------------------- */

static void test_faults_come_as_often_as_asked_and_again_with_the_same_seed(void **state) {
    (void)state;
    standin_faults_t *faults = standin_faults_create(7), *again = standin_faults_create(7);
    const char *const wanted[] = {"status500=0.1", "reset_after=0.25"};
    for (size_t i = 0; i < 2; i++) {
        assert_true(standin_faults_set(faults, wanted[i], NULL));
        assert_true(standin_faults_set(again, wanted[i], NULL));
    }
    int seen[FAULT_COUNT] = {0};
    for (uint64_t i = 1; i <= 10000; i++) {
        standin_fault_t fault = standin_faults_draw(faults, i);
        seen[fault]++;
        assert_int_equal(standin_faults_draw(again, i), fault);
    }
    assert_in_range(seen[FAULT_STATUS500], 900, 1100);
    assert_in_range(seen[FAULT_RESET_AFTER], 2350, 2650);
    assert_int_equal(seen[FAULT_NONE] + seen[FAULT_STATUS500] + seen[FAULT_RESET_AFTER], 10000);
    standin_faults_free(faults);
    standin_faults_free(again);
}

static bool update(standin_faults_t *faults, const char *text, error_info_t *error) {
    json_value_t *root = json_parse(text, strlen(text), "test", JSON_PLAIN, error);
    bool good = root && standin_faults_update(faults, root, error);
    json_free(root);
    return good;
}

static void test_a_count_ends_the_faults(void **state) {
    (void)state;
    standin_faults_t *faults = standin_faults_create(0);
    assert_true(update(faults, "{\"garbage\": 1, \"count\": 2}", NULL));
    assert_int_equal(standin_faults_draw(faults, 1), FAULT_GARBAGE);
    assert_int_equal(standin_faults_draw(faults, 2), FAULT_GARBAGE);
    assert_int_equal(standin_faults_draw(faults, 3), FAULT_NONE);
    assert_true(update(faults, "{\"count\": null}", NULL));
    assert_int_equal(standin_faults_draw(faults, 4), FAULT_GARBAGE);
    standin_faults_free(faults);
}

static void test_a_wrong_update_changes_nothing(void **state) {
    (void)state;
    static const char *const wrong[] = {
        "[]",
        "{\"garbage\": 1, \"empty\": 0.5}",
        "{\"empty\": 0.5, \"statos500\": 0.1}",
        "{\"empty\": \"often\"}",
        "{\"empty\": 0.5, \"latency\": \"slow\"}",
        "{\"empty\": 0.5, \"count\": -1}",
        "{\"all\": 0.5}",
    };
    standin_faults_t *faults = standin_faults_create(0);
    error_info_t error;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_false(update(faults, wrong[i], &error));
    assert_false(standin_faults_set(faults, "statos500=0.1", &error));
    assert_non_null(strstr(error.message, "did you mean 'status500'"));
    for (uint64_t i = 0; i < 1000; i++)
        assert_int_equal(standin_faults_draw(faults, i), FAULT_NONE);
    standin_faults_free(faults);
}

static void test_latencies_have_the_shape_that_was_asked_for(void **state) {
    (void)state;
    standin_faults_t *faults = standin_faults_create(3);
    assert_true(standin_faults_set_latency(faults, "uniform:10,20", NULL));
    for (uint64_t i = 0; i < 1000; i++)
        assert_in_range(standin_faults_latency(faults, i), 10000, 20000);
    assert_true(standin_faults_set_latency(faults, "lognormal:100,0.5", NULL));
    int below = 0;
    for (uint64_t i = 0; i < 10000; i++)
        below += standin_faults_latency(faults, i) < 100000;
    assert_in_range(below, 4800, 5200);
    assert_true(standin_faults_set_latency(faults, "fixed:1.5", NULL));
    assert_int_equal(standin_faults_latency(faults, 5), 1500);
    static const char *const wrong[] = {"",          "fixed",         "fixed:",    "fixed:-1",
                                        "fixed:1,2", "uniform:20,10", "normal:1,2"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_false(standin_faults_set_latency(faults, wrong[i], NULL));
    standin_faults_free(faults);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_minute_holds_more_than_the_limits),
        cmocka_unit_test(test_retry_after_is_exact),
        cmocka_unit_test(test_a_request_over_the_whole_limit_never_fits),
        cmocka_unit_test(test_concurrency_counts_what_runs),
        cmocka_unit_test(test_faults_come_as_often_as_asked_and_again_with_the_same_seed),
        cmocka_unit_test(test_a_count_ends_the_faults),
        cmocka_unit_test(test_a_wrong_update_changes_nothing),
        cmocka_unit_test(test_latencies_have_the_shape_that_was_asked_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
