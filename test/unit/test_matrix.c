/* test_matrix.c - cosine similarity by hand, at the ends of float32, and across block borders. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <float.h>
#include <math.h>

#include "core/base/matrix.h"

static void by_hand(void **state) {
    (void)state;
    const float a[] = {3, 4}, b[] = {4, 3}, c[] = {-4, 3}, d[] = {-6, -8};
    assert_true(fabs(matrix_cosine(a, b, 2) - 24.0 / 25.0) < 1e-15);
    assert_true(matrix_cosine(a, c, 2) == 0);
    assert_true(matrix_cosine(a, d, 2) == -1);
    assert_true(matrix_cosine(a, a, 2) == 1);
    assert_true(matrix_cosine(a, b, 1) == 1);
}

static void undefined_is_nan(void **state) {
    (void)state;
    const float a[] = {3, 4}, zero[] = {0, 0}, broken[] = {(float)NAN, 1}, infinite[] = {(float)INFINITY, 1};
    assert_true(isnan(matrix_cosine(a, zero, 2)));
    assert_true(isnan(matrix_cosine(zero, a, 2)));
    assert_true(isnan(matrix_cosine(a, a, 0)));
    assert_true(isnan(matrix_cosine(a, broken, 2)));
    assert_true(isnan(matrix_cosine(infinite, a, 2)));
    assert_true(isnan(matrix_cosine(infinite, infinite, 2)));
}

static void extremes(void **state) {
    (void)state;
    const float huge[] = {FLT_MAX, FLT_MAX, 0}, tiny[] = {FLT_TRUE_MIN, 0, FLT_TRUE_MIN};
    assert_true(matrix_cosine(huge, huge, 3) == 1);
    assert_true(matrix_cosine(tiny, tiny, 3) == 1);
    assert_true(fabs(matrix_cosine(huge, tiny, 3) - 0.5) < 1e-15);
}

/* Longer than one block of the implementation; the last one is not whole. */
static void long_vectors(void **state) {
    (void)state;
    enum { COUNT = 5000 };
    static float a[COUNT], b[COUNT];
    double product = 0, left = 0, right = 0;
    for (int i = 0; i < COUNT; i++) {
        a[i] = (float)((i * 37) % 101) - 50;
        b[i] = (float)((i * 53) % 89) - 40;
        product += (double)a[i] * (double)b[i];
        left += (double)a[i] * (double)a[i];
        right += (double)b[i] * (double)b[i];
    }
    assert_true(fabs(matrix_cosine(a, b, COUNT) - product / sqrt(left) / sqrt(right)) < 1e-14);
    a[COUNT - 1] += 1000; /* the last one counts */
    assert_true(fabs(matrix_cosine(a, b, COUNT) - product / sqrt(left) / sqrt(right)) > 1e-6);
}

static void one_thread_gives_the_same(void **state) {
    (void)state;
    const float a[] = {3, 4, 5, 6, 7}, b[] = {4, 3, -1, 0, 2};
    double before = matrix_cosine(a, b, 5);
    matrix_single_thread();
    matrix_single_thread();
    assert_true(matrix_cosine(a, b, 5) == before);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(by_hand),      cmocka_unit_test(undefined_is_nan),          cmocka_unit_test(extremes),
        cmocka_unit_test(long_vectors), cmocka_unit_test(one_thread_gives_the_same),
    };
    return cmocka_run_group_tests_name("matrix", tests, NULL, NULL);
}
