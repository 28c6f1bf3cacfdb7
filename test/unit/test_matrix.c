/* test_matrix.c - cosine similarity by hand, at the ends of float32, and across block borders. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <float.h>
#include <math.h>
#include <stdlib.h>

#include "core/base/matrix.h"
#include "core/base/memory.h"

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
    const float a[] = {3, 4}, zero[] = {0, 0}, broken[] = {(float)NAN, 1},
                infinite[] = {(float)INFINITY, 1};
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

static size_t threads(void) {
    size_t count = 0;
    DIR *tasks = opendir("/proc/self/task");
    assert_non_null(tasks);
    for (const struct dirent *task; (task = readdir(tasks));)
        count += task->d_name[0] != '.';
    closedir(tasks);
    return count;
}

static void computes_on_this_thread_only(void **state) {
    (void)state;
    enum { SIDE = 256 };
    size_t before = threads();
    float *a = MEMORY_NEW_ARRAY(SIDE * SIDE, float), *c = MEMORY_NEW_ARRAY(SIDE * SIDE, float);
    matrix_multiply(SIDE, SIDE, SIDE, 1, a, SIDE, a, SIDE, false, false, c, SIDE);
    assert_int_equal(threads(), before); /* not even threads that wait */
    free(a);
    free(c);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(by_hand),
        cmocka_unit_test(undefined_is_nan),
        cmocka_unit_test(extremes),
        cmocka_unit_test(long_vectors),
        cmocka_unit_test(computes_on_this_thread_only),
    };
    return cmocka_run_group_tests_name("matrix", tests, NULL, NULL);
}
