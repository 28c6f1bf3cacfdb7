/* test_value_sketch.c - the ranks of quantiles are as near as promised, in every order of rows;
 * planes carry on. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/memory.h"
#include "core/base/rng.h"
#include "core/subject/value_sketch.h"

enum { COLUMNS = 9 };

static int compare(const void *a, const void *b) {
    float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

/* One column for each order and shape. */
static void fill(float *row, size_t i, size_t rows, rng_t *rng) {
    float u = (float)rng_unit(rng);
    row[0] = u;
    row[1] = (float)i;
    row[2] = (float)(rows - i);
    row[3] = (float)(i % 2 ? i : rows - i);
    row[4] = u < 0.97f ? 0.0f : u; /* almost all the same */
    row[5] = (float)rng_normal(rng);
    row[6] = 3.0f;
    row[7] = (float)(i % 257) + u;             /* a period near that of the runs */
    row[8] = i * 10 < rows * 9 ? -u : 100 + u; /* what comes last is what counts */
}

/* How far `value` is from the rank that q stands for, 0 if one of its ranks is. */
static double rank_error(const float *sorted, size_t rows, float value, double q) {
    size_t below = 0, up_to = 0;
    while (below < rows && sorted[below] < value)
        below++;
    for (up_to = below; up_to < rows && sorted[up_to] <= value;)
        up_to++;
    assert_true(up_to > below); /* it is one of the values */
    double rank = ceil(q * (double)rows - 1e-9);
    rank = rank < 1 ? 1 : rank;
    return rank < (double)below + 1 ? (double)below + 1 - rank
           : rank > (double)up_to   ? rank - (double)up_to
                                    : 0;
}

static void check_rows(size_t rows) {
    static const double quantiles[] = {0, 0.5, 0.9, 0.99, 0.999, 1};
    /* rows at a time: no divisor of a run */
    enum { QUANTILES = sizeof quantiles / sizeof quantiles[0], MANY = 37 };
    float many[MANY * COLUMNS], found[QUANTILES];
    value_sketch_t *sketch = value_sketch_create(COLUMNS, rows);
    float *columns[COLUMNS];
    for (size_t c = 0; c < COLUMNS; c++)
        columns[c] = MEMORY_NEW_ARRAY(rows, float);
    rng_t rng = rng_create(rows);
    for (size_t i = 0; i < rows; i++) {
        float row[COLUMNS];
        fill(row, i, rows, &rng);
        for (size_t c = 0; c < COLUMNS; c++)
            columns[c][i] = many[i % MANY * COLUMNS + c] = row[c];
        if (i % MANY == MANY - 1 || i + 1 == rows)
            value_sketch_add(sketch, many, i % MANY + 1);
    }
    for (size_t c = 0; c < COLUMNS; c++) {
        qsort(columns[c], rows, sizeof(float), compare);
        value_sketch_quantiles(sketch, c, quantiles, QUANTILES, found);
        for (size_t i = 1; i < QUANTILES; i++) {
            double q = quantiles[i];
            double error = rank_error(columns[c], rows, found[i], q);
            if (rows <= VALUE_SKETCH_EXACT || q >= 0.99)
                assert_true(error == 0);
            assert_true(error == 0 || error < 0.1 * (1 - q) * (double)rows);
        }
        free(columns[c]);
    }
    value_sketch_free(sketch);
}

static void test_ranks(void **state) {
    (void)state;
    static const size_t rows[] = {1, 2, 19, 1000, 2048, 2049, 5000, 16384, 60000, 250001};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        check_rows(rows[i]);
}

/* The bound that the header proves holds what is promised, whatever the values. */
static void test_bound(void **state) {
    (void)state;
    assert_int_equal(value_sketch_bytes_a_column(60000), (256 * 9 + 1024) * 4);
    for (uint64_t rows = VALUE_SKETCH_EXACT + 1; rows < 2000000; rows += 1 + rows / 7) {
        size_t k = 64;
        while ((double)value_sketch_bound(rows, k) > 0.0095 * (double)rows)
            k *= 2;
        assert_true(value_sketch_bytes_a_column(rows) <=
                    4 * (k * 40 + (size_t)(0.021 * (double)rows) + 2 * k));
        assert_true((double)value_sketch_bound(rows, k) < 0.1 * (1 - 0.9) * (double)rows);
    }
}

/* A sketch that is copied out in the middle and goes on elsewhere ends with the same bytes. */
static void test_resume(void **state) {
    (void)state;
    static const size_t rows[] = {700, 9000};
    for (size_t n = 0; n < 2; n++) {
        value_sketch_t *whole = value_sketch_create(COLUMNS, rows[n]),
                       *first = value_sketch_create(COLUMNS, rows[n]);
        value_sketch_t *second = value_sketch_create(COLUMNS, rows[n]);
        rng_t rng = rng_create(1);
        for (size_t i = 0; i < rows[n]; i++) {
            float row[COLUMNS];
            value_plane_t from[VALUE_SKETCH_PLANES], to[VALUE_SKETCH_PLANES];
            fill(row, i, rows[n], &rng);
            value_sketch_add(whole, row, 1);
            value_sketch_add(i < 555 ? first : second, row, 1);
            size_t count = i == 554 ? value_sketch_planes(first, from) : 0;
            if (count)
                assert_int_equal(value_sketch_planes(second, to), count);
            for (size_t p = 0; p < count; p++)
                memcpy(to[p].values, from[p].values, from[p].count * sizeof(float));
            if (count)
                value_sketch_resume(second, 555);
        }
        value_plane_t a[VALUE_SKETCH_PLANES], b[VALUE_SKETCH_PLANES];
        size_t count = value_sketch_planes(whole, a);
        assert_int_equal(value_sketch_planes(second, b), count);
        for (size_t p = 0; p < count; p++)
            assert_memory_equal(a[p].values, b[p].values, a[p].count * sizeof(float));
        assert_int_equal(value_sketch_rows(second), rows[n]);
        value_sketch_free(whole);
        value_sketch_free(first);
        value_sketch_free(second);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ranks),
        cmocka_unit_test(test_bound),
        cmocka_unit_test(test_resume),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
