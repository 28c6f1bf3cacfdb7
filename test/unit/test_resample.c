/* Tests of resample.h: p-values counted by hand, intervals against theory, and the same numbers
 * from the same seed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>

#include "core/base/resample.h"
#include "core/base/rng.h"
#include "core/base/stats.h"

static void counts_all_signs(void **state) {
    (void)state;
    const double same[] = {1, 2, 3, 4, 5};
    /* only all plus and all minus are as far */
    assert_true(resample_sign_test(same, 5, 1) == 2.0 / 32);
    /* sums: 4 6 0 2 and their negatives; 4 and 6 are as far */
    const double mixed[] = {3, -1, 2};
    assert_true(resample_sign_test(mixed, 3, 1) == 4.0 / 8);
    const double tenths[] = {0.1, 0.2, 0.3, -0.3}; /* 0.3 by any order of adding */
    assert_true(resample_sign_test(tenths, 4, 1) == 12.0 / 16);
    const double zero[] = {0, 0};
    assert_true(resample_sign_test(zero, 2, 1) == 1);
    assert_true(isnan(resample_sign_test(same, 0, 1)));
}

/* Darwin's 15 pairs of crossed and self-fertilised maize, in eighths of an inch, to which Fisher
 * applied the test: 863 of 2^15 = 32,768 assignments have a sum of 314 or more, and twice as many
 * are as far on either side. */
static void fisher(void **state) {
    (void)state;
    const double darwin[] = {49, -67, 8, 16, 6, 23, 28, 41, 14, 29, 56, 24, 75, 60, -48};
    assert_true(resample_sign_test(darwin, 15, 1) == 1726.0 / 32768);
}

static void draws_signs(void **state) {
    (void)state;
    double values[40];
    rng_t rng = rng_create(3);
    for (size_t i = 0; i < 40; i++)
        values[i] = rng_normal(&rng);
    double first = resample_sign_test(values, 40, 7);
    assert_true(first == resample_sign_test(values, 40, 7));
    double t = stats_mean(values, 40) / stats_standard_error(values, 40);
    assert_true(fabs(first - erfc(fabs(t) / sqrt(2))) < 0.02); /* the normal approximation */
    for (size_t i = 0; i < 40; i++)
        values[i] = fabs(values[i]) + 1;
    assert_true(resample_sign_test(values, 40, 7) == 1.0 / (1 + RESAMPLE_ROUNDS));
}

static void bounds_means(void **state) {
    (void)state;
    double values[400], low, high, again_low, again_high;
    rng_t rng = rng_create(5);
    for (size_t i = 0; i < 400; i++)
        values[i] = 2 + rng_normal(&rng);
    resample_interval(values, 400, 0.95, 11, &low, &high);
    double mean = stats_mean(values, 400), error = stats_standard_error(values, 400);
    assert_true(fabs(low - (mean - 1.96 * error)) < 0.1 * error);
    assert_true(fabs(high - (mean + 1.96 * error)) < 0.1 * error);
    resample_interval(values, 400, 0.95, 11, &again_low, &again_high);
    assert_true(low == again_low && high == again_high);
    const double one[] = {1}, equal[] = {3, 3, 3};
    resample_interval(one, 1, 0.95, 1, &low, &high);
    assert_true(isnan(low) && isnan(high));
    resample_interval(equal, 3, 0.95, 1, &low, &high);
    assert_true(low == 3 && high == 3);
}

static void bounds_its_work(void **state) {
    (void)state;
    assert_int_equal(resample_rounds(1), RESAMPLE_ROUNDS);
    assert_int_equal(resample_rounds(10000), RESAMPLE_ROUNDS);
    assert_int_equal(resample_rounds(50000), 2000);
    assert_int_equal(resample_rounds(100000000), 1000);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_all_signs), cmocka_unit_test(fisher),
        cmocka_unit_test(draws_signs),      cmocka_unit_test(bounds_means),
        cmocka_unit_test(bounds_its_work),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
