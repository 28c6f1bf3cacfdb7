/* test_rehearsal_outage.c - every endpoint is down for an hour: the run waits, and not one job
 * fails. Down for longer than run.outage_wait: it pauses, and goes on when it is started again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "test/rehearsal/rehearsal.h"

static const int64_t HOUR = 60 * CLOCK_MINUTE;

static rehearsal_t *make_night(char **config, bool two) {
    *config = rehearsal_config(2, "[\"original\", \"summary\", \"avhs\"]", "echo", two);
    rehearsal_options_t options = {.seed = 5, .config = *config};
    rehearsal_t *rehearsal = rehearsal_create(&options);
    rehearsal_add_provider(rehearsal, "a", 0, 0);
    if (two)
        rehearsal_add_provider(rehearsal, "b", 0, 0);
    return rehearsal;
}

static void end_night(rehearsal_t *rehearsal, char *config) {
    rehearsal_check_end(rehearsal);
    if (*rehearsal_problems(rehearsal))
        fail_msg("%s", rehearsal_problems(rehearsal));
    rehearsal_free(rehearsal);
    free(config);
}

/* From 3 s to one hour later. */
static void hour_of(fault_t fault, double share) {
    char *config;
    rehearsal_t *rehearsal = make_night(&config, true);
    provider_weather(rehearsal_providers(rehearsal), NULL,
                     provider_fault(fault, 3 * CLOCK_SECOND, 3 * CLOCK_SECOND + HOUR, share));
    assert_int_equal(rehearsal_start(rehearsal, NULL), REHEARSAL_FINISHED);
    assert_int_equal(rehearsal_outcome(rehearsal)->end, END_DONE);
    assert_int_equal(rehearsal_books(rehearsal).failures, 0);
    assert_true(world_now(rehearsal_world(rehearsal)) > HOUR);
    /* Half-open probes only: the outage itself is not paid for with hundreds of attempts. */
    assert_true(provider_totals(rehearsal_providers(rehearsal))->faults[fault] < 150);
    end_night(rehearsal, config);
}

static void hour_without_connections(void **state) {
    (void)state;
    hour_of(FAULT_REFUSED, 1);
}

static void hour_of_silence(void **state) {
    (void)state;
    hour_of(FAULT_UNREACHABLE, 1);
}

static void hour_of_resets(void **state) {
    (void)state;
    hour_of(FAULT_RESET_AFTER, 1);
}

static void hour_of_errors(void **state) {
    (void)state;
    hour_of(FAULT_STATUS_500, 1);
}

static void hour_of_hanging(void **state) {
    (void)state;
    hour_of(FAULT_HANG, 1);
}

static void outage_from_the_first_request_on(void **state) {
    (void)state;
    char *config;
    rehearsal_t *rehearsal = make_night(&config, false);
    provider_weather(rehearsal_providers(rehearsal), NULL,
                     provider_fault(FAULT_REFUSED, 0, HOUR, 1));
    assert_int_equal(rehearsal_start(rehearsal, NULL), REHEARSAL_FINISHED);
    assert_int_equal(rehearsal_outcome(rehearsal)->end, END_DONE);
    assert_int_equal(rehearsal_books(rehearsal).failures, 0);
    end_night(rehearsal, config);
}

/* One of two endpoints is down: the other does it all, without waiting. */
static void one_endpoint_down(void **state) {
    (void)state;
    char *config;
    rehearsal_t *rehearsal = make_night(&config, true);
    provider_weather(rehearsal_providers(rehearsal), "a",
                     provider_fault(FAULT_STATUS_500, 2 * CLOCK_SECOND, HOUR, 1));
    assert_int_equal(rehearsal_start(rehearsal, NULL), REHEARSAL_FINISHED);
    assert_int_equal(rehearsal_outcome(rehearsal)->end, END_DONE);
    assert_int_equal(rehearsal_books(rehearsal).failures, 0);
    assert_true(world_now(rehearsal_world(rehearsal)) < HOUR / 6);
    end_night(rehearsal, config);
}

static void pauses_by_the_world(fault_t fault, int64_t until, int64_t at_most) {
    char *config;
    rehearsal_t *rehearsal = make_night(&config, false);
    rehearsal_set(rehearsal, "run.outage_wait_minutes=30");
    provider_weather(rehearsal_providers(rehearsal), NULL,
                     provider_fault(fault, 3 * CLOCK_SECOND, until, 1));
    assert_int_equal(rehearsal_start(rehearsal, NULL), REHEARSAL_FINISHED);
    assert_int_equal(rehearsal_outcome(rehearsal)->end, END_WORLD);
    assert_non_null(strstr(rehearsal_outcome(rehearsal)->message, "a "));
    assert_int_equal(rehearsal_books(rehearsal).failures, 0);
    assert_true(world_now(rehearsal_world(rehearsal)) < at_most);
    /* Still so: it says so again, without having lost anything. */
    assert_int_equal(rehearsal_start(rehearsal, NULL), REHEARSAL_FINISHED);
    assert_int_equal(rehearsal_outcome(rehearsal)->end, END_WORLD);
    world_sleep(rehearsal_world(rehearsal), until);
    assert_int_equal(rehearsal_finish(rehearsal, 1), REHEARSAL_FINISHED);
    assert_int_equal(rehearsal_outcome(rehearsal)->end, END_DONE);
    assert_int_equal(rehearsal_books(rehearsal).failures, 0);
    end_night(rehearsal, config);
}

static void longer_outage_pauses(void **state) {
    (void)state;
    pauses_by_the_world(FAULT_REFUSED, 5 * HOUR, 40 * CLOCK_MINUTE);
}

static void exhausted_quota_pauses_at_once(void **state) {
    (void)state;
    pauses_by_the_world(FAULT_QUOTA, 5 * HOUR, CLOCK_MINUTE);
}

static void wrong_key_pauses_at_once(void **state) {
    (void)state;
    pauses_by_the_world(FAULT_CREDENTIALS, 5 * HOUR, CLOCK_MINUTE);
}

static void enormous_retry_after_pauses(void **state) {
    (void)state;
    pauses_by_the_world(FAULT_STATUS_429_ENORMOUS, 5 * HOUR, CLOCK_MINUTE);
}

/* One of two endpoints asks for a day of silence: the other takes over what was refused, too. */
static void long_wait_at_one_endpoint(void **state) {
    (void)state;
    char *config;
    rehearsal_t *rehearsal = make_night(&config, true);
    provider_weather(rehearsal_providers(rehearsal), "a",
                     provider_fault(FAULT_STATUS_429_ENORMOUS, 2 * CLOCK_SECOND, INT64_MAX, 1));
    assert_int_equal(rehearsal_start(rehearsal, NULL), REHEARSAL_FINISHED);
    assert_int_equal(rehearsal_outcome(rehearsal)->end, END_DONE);
    assert_true(world_now(rehearsal_world(rehearsal)) < HOUR / 6);
    end_night(rehearsal, config);
}

/* An endpoint that reports more than it may is stopped and named. */
static void usage_above_the_bound_stops(void **state) {
    (void)state;
    char *config;
    rehearsal_t *rehearsal = make_night(&config, false);
    provider_weather(rehearsal_providers(rehearsal), NULL,
                     provider_fault(FAULT_OVER_BOUND, 2 * CLOCK_SECOND, HOUR, 0.3));
    assert_int_equal(rehearsal_start(rehearsal, NULL), REHEARSAL_FINISHED);
    assert_int_equal(rehearsal_outcome(rehearsal)->end, END_WORLD);
    if (!strstr(rehearsal_outcome(rehearsal)->message, "a is shut") ||
        !strstr(rehearsal_outcome(rehearsal)->message, "set aside"))
        fail_msg("%s", rehearsal_outcome(rehearsal)->message);
    world_sleep(rehearsal_world(rehearsal), HOUR);
    rehearsal_finish(rehearsal, 1);
    assert_int_equal(rehearsal_outcome(rehearsal)->end, END_DONE);
    end_night(rehearsal, config);
}

/* An endpoint that lacks what a mode needs is refused before anything is paid for,
 * until it is mended. */
static void mended_endpoint_passes_its_probe(void **state) {
    (void)state;
    char *config;
    rehearsal_t *rehearsal = make_night(&config, false);
    provider_weather(
        rehearsal_providers(rehearsal), NULL,
        (weather_t){
            .fault = FAULT_NO_LOGPROBS, .until = INT64_MAX, .share = 1, .probes_too = true});
    for (int i = 0; i < 2; i++) {
        assert_int_equal(rehearsal_start(rehearsal, NULL), REHEARSAL_FINISHED);
        assert_int_equal(rehearsal_outcome(rehearsal)->end, END_CONFIG);
        assert_non_null(strstr(rehearsal_outcome(rehearsal)->message, "no logprobs"));
    }
    assert_in_range(rehearsal_books(rehearsal).attempts, 3,
                    4); /* one for each model, and one more to see if it still is so */
    provider_clear_weather(rehearsal_providers(rehearsal));
    assert_int_equal(rehearsal_start(rehearsal, NULL), REHEARSAL_FINISHED);
    assert_int_equal(rehearsal_outcome(rehearsal)->end, END_DONE);
    end_night(rehearsal, config);
}

/* Ctrl-C while every attempt hangs: they are awaited for run.drain_seconds, then
 * they are doubts. */
static void ctrl_c_does_not_wait_for_ever(void **state) {
    (void)state;
    char *config;
    rehearsal_t *rehearsal = make_night(&config, false);
    rehearsal_set(rehearsal, "run.drain_seconds=5");
    provider_weather(rehearsal_providers(rehearsal), NULL,
                     provider_fault(FAULT_HANG, 2 * CLOCK_SECOND, HOUR, 1));
    doom_t doom = {.interrupt_in = 6 * CLOCK_SECOND};
    assert_int_equal(rehearsal_start(rehearsal, &doom), REHEARSAL_FINISHED);
    assert_int_equal(rehearsal_outcome(rehearsal)->end, END_INTERRUPTED);
    assert_true(world_now(rehearsal_world(rehearsal)) < 20 * CLOCK_SECOND);
    assert_true(rehearsal_books(rehearsal).doubts.pico > 0);
    assert_int_equal(rehearsal_books(rehearsal).failures, 0);
    world_sleep(rehearsal_world(rehearsal), HOUR);
    rehearsal_finish(rehearsal, 1);
    assert_int_equal(rehearsal_outcome(rehearsal)->end, END_DONE);
    end_night(rehearsal, config);
}

/* Less free space than store.min_free_mb: nothing is reserved; what is in flight is stored. */
static void disk_below_its_minimum_pauses(void **state) {
    (void)state;
    char *config;
    rehearsal_t *rehearsal = make_night(&config, false);
    doom_t doom = {.interrupt_in = 2 * CLOCK_SECOND};
    rehearsal_start(rehearsal, &doom);
    assert_int_equal(rehearsal_outcome(rehearsal)->end, END_INTERRUPTED);
    rehearsal_books_t books = rehearsal_books(rehearsal);
    rehearsal_set(rehearsal, "run.outage_wait_minutes=30");
    rehearsal_set(rehearsal, "store.min_free_mb=1000000");
    assert_int_equal(rehearsal_start(rehearsal, NULL), REHEARSAL_FINISHED);
    assert_int_equal(rehearsal_outcome(rehearsal)->end, END_WORLD);
    assert_int_equal(rehearsal_books(rehearsal).attempts, books.attempts);
    assert_true(world_now(rehearsal_world(rehearsal)) > HOUR / 2);
    rehearsal_set(rehearsal, "store.min_free_mb=0");
    rehearsal_finish(rehearsal, 1);
    assert_int_equal(rehearsal_books(rehearsal).failures, 0);
    end_night(rehearsal, config);
}

/* No commit goes through for ten minutes; then all goes on. */
static void full_disk_is_a_pause(void **state) {
    (void)state;
    for (uint64_t from = 2; from < 60; from += 3) {
        char *config;
        rehearsal_t *rehearsal = make_night(&config, false);
        doom_t doom = {.full_from = from, .full_count = 300};
        assert_int_equal(rehearsal_start(rehearsal, &doom), REHEARSAL_FINISHED);
        assert_int_equal(rehearsal_outcome(rehearsal)->end, END_DONE);
        assert_int_equal(rehearsal_books(rehearsal).failures, 0);
        assert_int_equal(rehearsal_books(rehearsal).doubts.pico, 0);
        assert_true(world_now(rehearsal_world(rehearsal)) > HOUR / 6);
        end_night(rehearsal, config);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hour_without_connections),
        cmocka_unit_test(hour_of_silence),
        cmocka_unit_test(hour_of_resets),
        cmocka_unit_test(hour_of_errors),
        cmocka_unit_test(hour_of_hanging),
        cmocka_unit_test(outage_from_the_first_request_on),
        cmocka_unit_test(one_endpoint_down),
        cmocka_unit_test(longer_outage_pauses),
        cmocka_unit_test(exhausted_quota_pauses_at_once),
        cmocka_unit_test(wrong_key_pauses_at_once),
        cmocka_unit_test(enormous_retry_after_pauses),
        cmocka_unit_test(long_wait_at_one_endpoint),
        cmocka_unit_test(usage_above_the_bound_stops),
        cmocka_unit_test(ctrl_c_does_not_wait_for_ever),
        cmocka_unit_test(mended_endpoint_passes_its_probe),
        cmocka_unit_test(disk_below_its_minimum_pauses),
        cmocka_unit_test(full_disk_is_a_pause),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
