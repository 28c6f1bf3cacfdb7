/* test_breaker.c - every transition that breaker.h draws, and those that it does not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/net/breaker.h"
#include "core/runtime/clock.h"

static breaker_t opened_at(int64_t now) {
    breaker_t breaker;
    breaker_init(&breaker);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(breaker.state, BREAKER_CLOSED);
        assert_true(breaker_allows(&breaker, now));
        breaker_started(&breaker);
        breaker_failed(&breaker, now);
    }
    assert_int_equal(breaker.state, BREAKER_OPEN);
    return breaker;
}

static void five_failures_in_a_row_open_it(void **state) {
    (void)state;
    breaker_t breaker;
    breaker_init(&breaker);
    for (int round = 0; round < 3; round++) { /* four and a success, again and again, do not */
        for (int i = 0; i < 4; i++)
            breaker_failed(&breaker, 100);
        breaker_succeeded(&breaker, 100);
        assert_int_equal(breaker.state, BREAKER_CLOSED);
    }
    breaker = opened_at(100);
    assert_int_equal(breaker.down_since, 100);
    assert_false(breaker_allows(&breaker, 100 + 5 * CLOCK_SECOND - 1));
    assert_int_equal(breaker.state, BREAKER_OPEN);
}

static void after_the_pause_one_attempt_probes(void **state) {
    (void)state;
    breaker_t breaker = opened_at(100);
    int64_t later = 100 + 5 * CLOCK_SECOND;
    assert_true(breaker_allows(&breaker, later));
    assert_int_equal(breaker.state, BREAKER_HALF_OPEN);
    assert_true(breaker_allows(&breaker, later)); /* asking is not starting */
    breaker_started(&breaker);
    assert_false(breaker_allows(&breaker, later + CLOCK_MINUTE));
    breaker_abandoned(&breaker);
    assert_true(breaker_allows(&breaker, later)); /* the next one probes */
    breaker_started(&breaker);
    breaker_succeeded(&breaker, later);
    assert_int_equal(breaker.state, BREAKER_CLOSED);
    assert_int_equal(breaker.down_since, 0);
    assert_true(breaker_allows(&breaker, later));
}

static void the_pause_doubles_up_to_two_minutes(void **state) {
    (void)state;
    breaker_t breaker = opened_at(100);
    static const int64_t SECONDS[] = {10, 20, 40, 80, 120, 120};
    int64_t now = breaker.until;
    for (size_t i = 0; i < sizeof SECONDS / sizeof *SECONDS; i++) {
        assert_true(breaker_allows(&breaker, now));
        breaker_started(&breaker);
        breaker_failed(&breaker, now);
        assert_int_equal(breaker.state, BREAKER_OPEN);
        assert_int_equal(breaker.until - now, SECONDS[i] * CLOCK_SECOND);
        assert_int_equal(breaker.down_since, 100);
        now = breaker.until;
    }
    assert_true(breaker_allows(&breaker, now));
    breaker_started(&breaker);
    breaker_succeeded(&breaker, now);
    breaker = opened_at(now); /* and begins anew */
    assert_int_equal(breaker.until - now, 5 * CLOCK_SECOND);
}

static void late_reports_change_nothing(void **state) {
    (void)state;
    breaker_t breaker = opened_at(100);
    int64_t until = breaker.until;
    breaker_failed(&breaker, 200);
    breaker_succeeded(&breaker, 200);
    assert_int_equal(breaker.state, BREAKER_OPEN);
    assert_int_equal(breaker.until, until);
    assert_true(breaker_allows(&breaker, until));
    breaker_failed(&breaker, until); /* before the probe started: not the probe's */
    assert_int_equal(breaker.state, BREAKER_HALF_OPEN);
}

/* An answer to what was sent before the failures began does not end their row, nor an outage. */
static void late_answers_do_not_hide_an_outage(void **state) {
    (void)state;
    breaker_t breaker;
    breaker_init(&breaker);
    for (int i = 0; i < 5; i++) {
        breaker_failed(&breaker, 100 + i);
        breaker_succeeded(&breaker, 99);
    }
    assert_int_equal(breaker.state, BREAKER_OPEN);
    assert_true(breaker_allows(&breaker, breaker.until));
    breaker_started(&breaker);
    breaker_succeeded(&breaker, 99);
    assert_int_equal(breaker.state, BREAKER_HALF_OPEN);
    breaker_succeeded(&breaker, breaker.until);
    assert_int_equal(breaker.state, BREAKER_CLOSED);
    breaker_failed(&breaker, 300);
    breaker_succeeded(&breaker, 300);
    assert_int_equal(breaker.failures, 0);
}

static void shut_stays_shut(void **state) {
    (void)state;
    breaker_t breakers[2];
    breaker_init(&breakers[0]);
    breakers[1] = opened_at(50);
    for (int i = 0; i < 2; i++) {
        breaker_shut(&breakers[i], 100);
        breaker_succeeded(&breakers[i], 200);
        breaker_failed(&breakers[i], 200);
        breaker_started(&breakers[i]);
        breaker_abandoned(&breakers[i]);
        assert_int_equal(breakers[i].state, BREAKER_SHUT);
        assert_false(breaker_allows(&breakers[i], INT64_MAX));
        assert_int_equal(breakers[i].down_since, i == 0 ? 100 : 50);
    }
}

static void states_have_names(void **state) {
    (void)state;
    assert_string_equal(breaker_state_name(BREAKER_CLOSED), "closed");
    assert_string_equal(breaker_state_name(BREAKER_OPEN), "open");
    assert_string_equal(breaker_state_name(BREAKER_HALF_OPEN), "half_open");
    assert_string_equal(breaker_state_name(BREAKER_SHUT), "shut");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(five_failures_in_a_row_open_it),
        cmocka_unit_test(after_the_pause_one_attempt_probes),
        cmocka_unit_test(the_pause_doubles_up_to_two_minutes),
        cmocka_unit_test(late_reports_change_nothing),
        cmocka_unit_test(late_answers_do_not_hide_an_outage),
        cmocka_unit_test(shut_stays_shut),
        cmocka_unit_test(states_have_names),
    };
    return cmocka_run_group_tests_name("breaker", tests, NULL, NULL);
}
