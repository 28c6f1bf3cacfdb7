/* Tests of stats.h: textbook values, and NaN wherever a result is undefined. */
/* clang-format off */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */

#include <float.h>
#include <math.h>
#include <string.h>

#include "core/base/rng.h"
#include "core/base/stats.h"

#define NOT_A_NUMBER ((double)NAN)

static void assert_close(double a, double b) {
    if (!(fabs(a - b) <= 1e-12 * fmax(1, fabs(b))))
        fail_msg("%.17g is not %.17g", a, b);
}

static void means_and_variances(void **state) {
    (void)state;
    const double values[] = {2, 4, 4, 4, 5, 5, 7, 9};
    assert_close(stats_mean(values, 8), 5);
    assert_close(stats_variance(values, 8), 32.0 / 7);
    assert_close(stats_standard_error(values, 8), sqrt(4.0 / 7));
    assert_true(isnan(stats_mean(values, 0)));
    assert_true(isnan(stats_variance(values, 1)));
    assert_true(isnan(stats_standard_error(values, 1)));
    assert_true(isnan(stats_standard_error(values, 0)));
    const double far[] = {1e9 + 4, 1e9 + 7, 1e9 + 13, 1e9 + 16}; /* a one-pass formula loses this */
    assert_close(stats_variance(far, 4), 30);
}

static void correlations(void **state) {
    (void)state;
    const double a[] = {1, 2, 3, 4, 5};
    const double b[] = {2, 4, 6, 8, 10};
    const double c[] = {5, 4, 3, 2, 1};
    const double d[] = {2, 1, 4, 3, 5};
    assert_close(stats_correlation(a, b, 5), 1);
    assert_close(stats_correlation(a, c, 5), -1);
    assert_close(stats_correlation(a, d, 5), 0.8);
    assert_true(stats_correlation(a, b, 5) <= 1);
}

static void undefined_correlations(void **state) {
    (void)state;
    const double a[] = {1, 2, 3};
    const double zero[] = {0, 0, 0};
    const double tenth[] = {0.1, 0.1, 0.1}; /* their mean is not 0.1 */
    const double missing[] = {1, NOT_A_NUMBER, 3};
    const double huge[] = {1, 2, (double)INFINITY};
    assert_true(isnan(stats_correlation(a, zero, 3)));
    assert_true(isnan(stats_correlation(zero, a, 3)));
    assert_true(isnan(stats_correlation(a, tenth, 3)));
    assert_true(isnan(stats_correlation(tenth, a, 3)));
    assert_true(isnan(stats_correlation(a, missing, 3)));
    assert_true(isnan(stats_correlation(a, huge, 3)));
    assert_true(isnan(stats_correlation(a, a, 1)));
    assert_true(isnan(stats_correlation(a, a, 0)));
    const double missing_all[] = {NOT_A_NUMBER, NOT_A_NUMBER, NOT_A_NUMBER};
    assert_true(isnan(stats_correlation(missing_all, a, 3)));
}

static void quantiles(void **state) {
    (void)state;
    const double values[] = {7, 1, 3, 10}; /* sorted: 1 3 7 10 */
    assert_close(stats_quantile(values, 4, 0), 1);
    assert_close(stats_quantile(values, 4, 1), 10);
    assert_close(stats_quantile(values, 4, 0.5), 5);
    assert_close(stats_quantile(values, 4, 0.25), 2.5);
    assert_close(stats_quantile(values, 4, 0.9), 9.1);
    assert_close(stats_quantile(values, 1, 0.9), 7);
    assert_true(isnan(stats_quantile(values, 0, 0.5)));
    assert_true(isnan(stats_quantile(values, 4, -0.1)));
    assert_true(isnan(stats_quantile(values, 4, 1.1)));
    assert_true(isnan(stats_quantile(values, 4, NOT_A_NUMBER)));
    const double missing[] = {1, NOT_A_NUMBER};
    assert_true(isnan(stats_quantile(missing, 2, 0.5)));
    const double infinite[] = {(double)INFINITY, (double)INFINITY};
    assert_true(isinf(stats_quantile(infinite, 2, 0.3)));
    assert_true(values[0] == 7 && values[3] == 10); /* a copy was sorted */
    rng_t rng = rng_create(1);
    double many[101];
    for (size_t i = 0; i < 101; i++)
        many[i] = (double)i;
    for (size_t i = 101; i > 1; i--) {
        size_t j = rng_below(&rng, i);
        double swap = many[i - 1];
        many[i - 1] = many[j];
        many[j] = swap;
    }
    for (int q = 0; q <= 100; q++)
        assert_close(stats_quantile(many, 101, q / 100.0), q);
}

static void ranks(void **state) {
    (void)state;
    const double values[] = {0.5, NOT_A_NUMBER, 0.9, 0.5, -1, 0.9, 0.9};
    const double expected[] = {4.5, NOT_A_NUMBER, 2, 4.5, 6, 2, 2};
    double got[7];
    stats_rank_descending(values, 7, got);
    for (size_t i = 0; i < 7; i++)
        if (isnan(expected[i]))
            assert_true(isnan(got[i]));
        else
            assert_close(got[i], expected[i]);
    const double none[] = {NOT_A_NUMBER};
    stats_rank_descending(none, 1, got);
    assert_true(isnan(got[0]));
    stats_rank_descending(NULL, 0, got);
}

static void clusters_values(void **state) {
    (void)state;
    /* Two clusters around 3: deviations -2 and -1 (sum -3), then 1 and 2 (sum 3):
     * sqrt(2 / 1 * 18) / 4. */
    const double values[] = {1, 2, 4, 5};
    const size_t pairs[] = {7, 7, 9, 9}, own[] = {0, 1, 2, 3}, one[] = {1, 1, 1, 1};
    assert_close(stats_clustered_error(values, pairs, 4), 1.5);
    assert_close(stats_clustered_error(values, own, 4), stats_standard_error(values, 4));
    assert_true(isnan(stats_clustered_error(values, one, 4)));
    assert_true(isnan(stats_clustered_error(values, own, 0)));
}

static void corrects_by_holm(void **state) {
    (void)state;
    const double p[] = {0.01, 0.04, NOT_A_NUMBER, 0.03, 0.005};
    /* 3 * 0.01, not below 2 * 0.03, -, 2 *, 4 * */
    const double expected[] = {0.03, 0.06, NOT_A_NUMBER, 0.06, 0.02};
    double got[5];
    stats_holm(p, 5, got);
    for (size_t i = 0; i < 5; i++)
        if (isnan(expected[i]))
            assert_true(isnan(got[i]));
        else
            assert_close(got[i], expected[i]);
    const double large[] = {0.6, 0.7};
    stats_holm(large, 2, got);
    assert_close(got[0], 1);
    assert_close(got[1], 1);
}

static void chi_squared(void **state) {
    (void)state;
    /* a textbook's loaded die: 13.4 at 5 degrees of freedom */
    const double dice[] = {5, 8, 9, 8, 10, 20};
    assert_close(stats_chi_squared_uniform(dice, 6), 13.4);
    assert_true(fabs(stats_chi_squared_tail(13.4, 5) - 0.0199) < 1e-4);
    const double none[] = {0, 0};
    assert_true(isnan(stats_chi_squared_uniform(none, 2)));
    /* Critical values of printed tables; two degrees of freedom have exp(-x / 2). */
    assert_true(fabs(stats_chi_squared_tail(3.841459, 1) - 0.05) < 1e-7);
    assert_true(fabs(stats_chi_squared_tail(9.487729, 4) - 0.05) < 1e-7);
    assert_true(fabs(stats_chi_squared_tail(29.588298, 10) - 0.001) < 1e-8);
    for (double x = 0.1; x < 60; x *= 1.7)
        assert_close(stats_chi_squared_tail(x, 2), exp(-x / 2));
    assert_close(stats_chi_squared_tail(0, 3), 1);
    assert_true(isnan(stats_chi_squared_tail(1, 0)));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(means_and_variances),
        cmocka_unit_test(correlations),
        cmocka_unit_test(undefined_correlations),
        cmocka_unit_test(quantiles),
        cmocka_unit_test(ranks),
        cmocka_unit_test(clusters_values),
        cmocka_unit_test(corrects_by_holm),
        cmocka_unit_test(chi_squared),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
