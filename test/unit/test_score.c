/* test_score.c - scores and calibrations against values worked out by hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>

#include "core/neuron/score.h"

static const double CLOSE = 1e-12;

static void assert_close(double a, double b) {
    if (!(fabs(a - b) <= CLOSE))
        fail_msg("%.17g is not %.17g", a, b);
}

static void perfect_and_zero(void **state) {
    (void)state;
    const double real[] = {0, 1, 2, 5}, zeros[] = {0, 0, 0, 0};
    score_t score = score_compute(real, real, 4);
    assert_close(score.correlation, 1);
    assert_close(score.rsquared, 1);
    assert_close(score.absdev, 1);
    /* a constant has no correlation; the other two are 0 by definition */
    score = score_compute(zeros, real, 4);
    assert_true(isnan(score.correlation));
    assert_close(score.rsquared, 0);
    assert_close(score.absdev, 0);
}

/* s = 1 2 3, r = 2 0 4: means 2 and 2; covariance 0.. = (-1)(0) + 0 + (1)(2) = 2; variances 2 and
 * 8: 2 / 4 = 0.5. errors 1 -2 1: squares 6 of 20, sizes 4 of 6. */
static void by_hand(void **state) {
    (void)state;
    const double simulated[] = {1, 2, 3}, real[] = {2, 0, 4};
    score_t score = score_compute(simulated, real, 3);
    assert_close(score.correlation, 0.5);
    assert_close(score.rsquared, 1 - 6.0 / 20.0);
    assert_close(score.absdev, 1 - 4.0 / 6.0);
    /* the two sides are not alike: 6 of 14, 4 of 6 */
    score = score_compute(real, simulated, 3);
    assert_close(score.correlation, 0.5);
    assert_close(score.rsquared, 1 - 6.0 / 14.0);
    assert_close(score.absdev, 1 - 4.0 / 6.0);
    const double opposite[] = {-2, 0, -4};
    score = score_compute(opposite, real, 3);
    assert_close(score.correlation, -1);
    assert_close(score.rsquared, -3);
    assert_close(score.absdev, -1);
}

static void undefined_is_nan(void **state) {
    (void)state;
    const double simulated[] = {1, 2, 3}, zeros[] = {0, 0, 0}, constant[] = {4, 4, 4};
    score_t score = score_compute(simulated, zeros, 3);
    assert_true(isnan(score.correlation));
    assert_true(isnan(score.rsquared));
    assert_true(isnan(score.absdev));
    score = score_compute(simulated, constant, 3);
    assert_true(isnan(score.correlation));
    assert_close(score.rsquared, 1 - 14.0 / 48.0);
    score = score_compute(simulated, simulated, 0);
    assert_true(isnan(score.correlation) && isnan(score.rsquared) && isnan(score.absdev));
    score = score_compute(simulated, constant, 1);
    assert_true(isnan(score.correlation));
    assert_close(score.absdev, 1 - 3.0 / 4.0);
    const double broken[] = {1, (double)NAN, 3}, infinite[] = {1, 2, (double)INFINITY};
    score = score_compute(broken, simulated, 3);
    assert_true(isnan(score.correlation) && isnan(score.rsquared) && isnan(score.absdev));
    score = score_compute(simulated, infinite, 3);
    assert_true(isnan(score.correlation) && isnan(score.rsquared) && isnan(score.absdev));
}

/* --- calibration ------------------------------------------------------------------------------ */

static void assert_applied(const score_calibration_t *calibration, double value, double expected) {
    double out = NAN;
    score_calibration_apply(calibration, &value, &out, 1);
    assert_close(out, expected);
}

static void no_calibration(void **state) {
    (void)state;
    score_calibration_t calibration;
    assert_true(score_calibration_fit(&calibration, SCORE_CALIBRATION_NONE, NULL, NULL, 0));
    assert_applied(&calibration, 3.25, 3.25);
    score_calibration_clear(&calibration);
}

/* s = 0 1 2, r = 1 3 8: means 1 and 4; covariance 3 + 0 + 4 = 7, variance 2; slope
 * 3.5, intercept 0.5. */
static void linear_by_hand(void **state) {
    (void)state;
    const double simulated[] = {0, 1, 2}, real[] = {1, 3, 8};
    score_calibration_t calibration;
    assert_true(score_calibration_fit(&calibration, SCORE_CALIBRATION_LINEAR, simulated, real, 3));
    assert_close(calibration.slope, 3.5);
    assert_close(calibration.intercept, 0.5);
    assert_applied(&calibration, 10, 35.5);
    double values[] = {0, -1};
    score_calibration_apply(&calibration, values, values, 2); /* in place */
    assert_close(values[0], 0.5);
    assert_close(values[1], -3);
    score_calibration_clear(&calibration);
}

/* Sorted: simulated 1 2 4 8, real 0 10 20 40. */
static void percentile_by_hand(void **state) {
    (void)state;
    const double simulated[] = {4, 1, 8, 2}, real[] = {40, 0, 10, 20};
    score_calibration_t calibration;
    assert_true(
        score_calibration_fit(&calibration, SCORE_CALIBRATION_PERCENTILE, simulated, real, 4));
    assert_applied(&calibration, 1, 0);
    assert_applied(&calibration, 2, 10);
    assert_applied(&calibration, 3, 15); /* half way between positions 1 and 2 */
    assert_applied(&calibration, 5, 25); /* a quarter of the way between 2 and 3 */
    assert_applied(&calibration, 8, 40);
    assert_applied(&calibration, -5, 0); /* beyond the ends */
    assert_applied(&calibration, 99, 40);
    score_calibration_clear(&calibration);
    assert_int_equal(calibration.kind, SCORE_CALIBRATION_NONE);
}

/* Simulators often say 0. Sorted: simulated 0 0 0 6, real 1 2 3 9. */
static void percentile_of_ties(void **state) {
    (void)state;
    const double simulated[] = {0, 0, 6, 0}, real[] = {9, 2, 1, 3};
    score_calibration_t calibration;
    assert_true(
        score_calibration_fit(&calibration, SCORE_CALIBRATION_PERCENTILE, simulated, real, 4));
    assert_applied(&calibration, 0, 2); /* the middle of positions 0, 1, 2 */
    assert_applied(&calibration, 6, 9);
    assert_applied(&calibration, 3, 6); /* half way between positions 2 and 3 */
    score_calibration_clear(&calibration);
    const double twice[] = {5, 5}, pair[] = {1, 4};
    assert_true(score_calibration_fit(&calibration, SCORE_CALIBRATION_PERCENTILE, twice, pair, 2));
    assert_applied(&calibration, 5, 2.5);
    assert_applied(&calibration, 4, 1);
    assert_applied(&calibration, 6, 4);
    score_calibration_clear(&calibration);
    assert_true(score_calibration_fit(&calibration, SCORE_CALIBRATION_PERCENTILE, twice, pair, 1));
    assert_applied(&calibration, 7, 1);
    score_calibration_clear(&calibration);
}

static void percentile_is_monotone(void **state) {
    (void)state;
    const double simulated[] = {0, 0, 0.5, 3, 3, 3, 7, 10, 10},
                 real[] = {0.1, -0.2, 0, 0, 5, 2, 2, 1, 9};
    score_calibration_t calibration;
    assert_true(
        score_calibration_fit(&calibration, SCORE_CALIBRATION_PERCENTILE, simulated, real, 9));
    double last = -1;
    for (int i = -10; i < 120; i++) {
        double value = i / 10.0, out = 0;
        score_calibration_apply(&calibration, &value, &out, 1);
        assert_true(out >= last);
        assert_true(out >= -0.2 && out <= 9);
        last = out;
    }
    score_calibration_clear(&calibration);
}

static void assert_undefined(score_calibration_kind_t kind, const double *simulated,
                             const double *real, size_t count) {
    score_calibration_t calibration;
    assert_false(score_calibration_fit(&calibration, kind, simulated, real, count));
    assert_int_equal(calibration.kind, SCORE_CALIBRATION_NONE);
    assert_null(calibration.simulated);
    assert_null(calibration.real);
    score_calibration_clear(&calibration);
}

static void undefined_calibrations(void **state) {
    (void)state;
    const double constant[] = {0.1, 0.1, 0.1}, values[] = {1, 2, 3}, broken[] = {1, (double)NAN, 3};
    assert_undefined(SCORE_CALIBRATION_LINEAR, constant, values, 3);
    assert_undefined(SCORE_CALIBRATION_LINEAR, values, values, 1);
    assert_undefined(SCORE_CALIBRATION_LINEAR, values, values, 0);
    assert_undefined(SCORE_CALIBRATION_LINEAR, broken, values, 3);
    assert_undefined(SCORE_CALIBRATION_LINEAR, values, broken, 3);
    assert_undefined(SCORE_CALIBRATION_PERCENTILE, values, values, 0);
    assert_undefined(SCORE_CALIBRATION_PERCENTILE, values, broken, 3);
    score_calibration_t calibration;
    assert_true(score_calibration_fit(&calibration, SCORE_CALIBRATION_LINEAR, values, constant, 3));
    assert_close(calibration.slope, 0);
    assert_close(calibration.intercept, 0.1);
    score_calibration_clear(&calibration);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(perfect_and_zero),       cmocka_unit_test(by_hand),
        cmocka_unit_test(undefined_is_nan),       cmocka_unit_test(no_calibration),
        cmocka_unit_test(linear_by_hand),         cmocka_unit_test(percentile_by_hand),
        cmocka_unit_test(percentile_of_ties),     cmocka_unit_test(percentile_is_monotone),
        cmocka_unit_test(undefined_calibrations),
    };
    return cmocka_run_group_tests_name("score", tests, NULL, NULL);
}
