/* test_histogram.c - quantiles of logarithmic buckets against exact ones. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "core/base/memory.h"
#include "core/base/rng.h"
#include "core/runtime/histogram.h"

static int compare(const void *a, const void *b) {
    int64_t left = *(const int64_t *)a;
    int64_t right = *(const int64_t *)b;
    return (left > right) - (left < right);
}

static void quantiles_are_close_and_never_low(void **state) {
    (void)state;
    enum { COUNT = 5000 };
    histogram_t *histogram = MEMORY_NEW(histogram_t);
    int64_t *values = MEMORY_NEW_ARRAY(COUNT, int64_t);
    rng_t rng = rng_create(7);
    assert_int_equal(histogram_quantile(histogram, 0.5), 0);
    for (size_t i = 0; i < COUNT; i++) {
        values[i] = (int64_t)(rng_next(&rng) >> (1 + rng_below(&rng, 63))); /* every magnitude */
        histogram_add(histogram, values[i]);
    }
    qsort(values, COUNT, sizeof *values, compare);
    for (int step = -1; step <= 101; step++) {
        double q = step / 100.0;
        double clamped = q < 0 ? 0 : q > 1 ? 1 : q;
        int64_t exact = values[(size_t)(clamped * (COUNT - 1))];
        int64_t found = histogram_quantile(histogram, q);
        assert_true(found >= exact);
        assert_true(found - exact <= exact / 16);
    }
    assert_int_equal(histogram->samples, COUNT);
    free(values);
    free(histogram);
}

static void extremes_have_a_bucket(void **state) {
    (void)state;
    histogram_t *histogram = MEMORY_NEW(histogram_t);
    histogram_add(histogram, INT64_MIN);
    assert_int_equal(histogram_quantile(histogram, 1), 0);
    histogram_add(histogram, INT64_MAX);
    assert_true(histogram_quantile(histogram, 1) == INT64_MAX);
    free(histogram);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(quantiles_are_close_and_never_low),
        cmocka_unit_test(extremes_have_a_bucket),
    };
    return cmocka_run_group_tests_name("histogram", tests, NULL, NULL);
}
