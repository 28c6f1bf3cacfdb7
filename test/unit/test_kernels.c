/* test_kernels.c - the loops of the forward pass against the formulas in double precision. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <float.h>
#include <math.h>
#include <string.h>

#include "core/base/rng.h"
#include "core/subject/kernels.h"

static float float_of(uint32_t bits) {
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* Without the cancellation of 1 + tanh. */
static double gelu_new(double x) {
    return x / (1 + exp(-2 * sqrt(2 / 3.14159265358979323846) * (x + 0.044715 * x * x * x)));
}

static double gelu(double x) {
    return 0.5 * x * erfc(-x / sqrt(2));
}

/* Every 4099th float of both signs. */
static void gelu_at_all_sizes(void **state) {
    (void)state;
    enum { BLOCK = 256 };
    float in[BLOCK], fast_new[BLOCK], fast[BLOCK];
    size_t count = 0;
    for (uint64_t bits = 0; bits <= UINT32_MAX; bits += 4099) {
        float value = float_of((uint32_t)bits);
        if (isfinite(value))
            in[count++] = value;
        if (count < BLOCK && bits + 4099 <= UINT32_MAX)
            continue;
        memcpy(fast_new, in, sizeof in);
        memcpy(fast, in, sizeof in);
        assert_true(kernel_gelu_new(fast_new, count));
        assert_true(kernel_gelu(fast, count));
        for (size_t i = 0; i < count; i++) {
            double x = (double)in[i], want_new = gelu_new(x), want = gelu(x);
            if (!(fabs((double)fast_new[i] - want_new) <= 1e-6 + 1e-6 * fabs(want_new)) ||
                !(fabs((double)fast[i] - want) <= 1e-6 + 1e-6 * fabs(want)))
                fail_msg("at %g: %g for %g, %g for %g", x, (double)fast_new[i], want_new,
                         (double)fast[i], want);
        }
        count = 0;
    }
}

static void gelu_at_the_ends(void **state) {
    (void)state;
    float values[] = {0, -0.0F, FLT_MAX, -FLT_MAX, FLT_TRUE_MIN, 1e-20F, 30, -30}, same[8];
    memcpy(same, values, sizeof same);
    assert_true(kernel_gelu_new(values, 8) && kernel_gelu(same, 8));
    const float *const both[] = {values, same};
    for (size_t i = 0; i < 2; i++) {
        assert_true(both[i][0] == 0 && both[i][1] == 0);
        assert_true(both[i][2] == FLT_MAX && both[i][3] == 0);
        assert_true(both[i][4] >= 0 && both[i][5] == 0.5e-20F && both[i][6] == 30 &&
                    fabsf(both[i][7]) < 1e-30F);
    }
}

static void what_is_not_finite_is_told(void **state) {
    (void)state;
    static const float broken[] = {NAN, INFINITY, -INFINITY};
    for (size_t at = 0; at < 37; at++)
        for (size_t i = 0; i < 3; i++) {
            float values[37] = {0}, again[37] = {0};
            values[at] = again[at] = broken[i];
            assert_false(kernel_all_finite(values, 37));
            assert_true(kernel_all_finite(values, at));
            assert_false(kernel_gelu_new(values, 37));
            assert_false(kernel_gelu(again, 37));
        }
}

static void layer_norm_by_the_formula(void **state) {
    (void)state;
    rng_t rng = rng_create(7);
    static const size_t widths[] = {1, 2, 15, 16, 17, 100, 768};
    for (size_t w = 0; w < sizeof widths / sizeof widths[0]; w++) {
        enum { ROWS = 3, MAX_COLUMNS = 768 };
        static float in[ROWS * MAX_COLUMNS], out[ROWS * MAX_COLUMNS], gain[MAX_COLUMNS],
            bias[MAX_COLUMNS];
        size_t columns = widths[w];
        for (size_t i = 0; i < columns; i++) {
            gain[i] = (float)rng_normal(&rng);
            bias[i] = (float)rng_normal(&rng);
        }
        for (size_t i = 0; i < ROWS * columns; i++)
            /* one pass over squares would lose digits here */
            in[i] = (float)(100 + rng_normal(&rng));
        kernel_layer_norm(in, ROWS, columns, gain, bias, 1e-5F, out);
        for (size_t r = 0; r < ROWS; r++) {
            double mean = 0, variance = 0;
            for (size_t i = 0; i < columns; i++)
                mean += (double)in[r * columns + i] / (double)columns;
            for (size_t i = 0; i < columns; i++)
                variance += pow((double)in[r * columns + i] - mean, 2) / (double)columns;
            for (size_t i = 0; i < columns; i++) {
                double want =
                    ((double)in[r * columns + i] - mean) / sqrt(variance + 1e-5) * (double)gain[i] +
                    (double)bias[i];
                assert_true(fabs((double)out[r * columns + i] - want) <= 1e-4 * (1 + fabs(want)));
            }
        }
    }
}

static void softmax_sees_no_future(void **state) {
    (void)state;
    rng_t rng = rng_create(8);
    enum { SIZE = 37 };
    float scores[SIZE * SIZE], kept[SIZE * SIZE];
    for (size_t i = 0; i < (size_t)SIZE * SIZE; i++)
        kept[i] = scores[i] = (float)(20 * rng_normal(&rng));
    scores[5 * SIZE + 2] = kept[5 * SIZE + 2] = 1e30F; /* one that takes all */
    scores[3 * SIZE + 30] = NAN;                       /* of the future */
    kernel_causal_softmax(scores, SIZE);
    for (size_t r = 0; r < SIZE; r++) {
        double total = 0, maximum = -INFINITY;
        for (size_t i = 0; i <= r; i++)
            maximum = fmax(maximum, (double)kept[r * SIZE + i]);
        for (size_t i = 0; i <= r; i++)
            total += exp((double)kept[r * SIZE + i] - maximum);
        for (size_t i = 0; i < SIZE; i++) {
            double want = i > r ? 0 : exp((double)kept[r * SIZE + i] - maximum) / total;
            assert_true(fabs((double)scores[r * SIZE + i] - want) <= 1e-5 * want + 1e-30);
        }
    }
}

static void halves_convert_exactly(void **state) {
    (void)state;
    static uint8_t in[2 * 65536 + 1];
    static float out[65536];
    for (uint32_t i = 0; i < 65536; i++) {
        in[2 * i + 1] = (uint8_t)i; /* at an odd address */
        in[2 * i + 2] = (uint8_t)(i >> 8);
    }
    kernel_convert_f16(in + 1, 65536, out);
    for (uint32_t i = 0; i < 65536; i++) {
        double fraction = i & 0x3ff, sign = (i & 0x8000) != 0 ? -1 : 1;
        int exponent = (int)((i >> 10) & 31);
        double want = exponent == 0 ? ldexp(fraction, -24) : ldexp(1024 + fraction, exponent - 25);
        if (exponent == 31)
            assert_true(fraction == 0 ? (double)out[i] == sign * INFINITY : isnan(out[i]));
        else
            assert_true((double)out[i] == sign * want && (signbit(out[i]) != 0) == (sign < 0));
    }
    kernel_convert_bf16(in + 1, 65536, out);
    for (uint32_t i = 0; i < 65536; i++) {
        float want = float_of(i << 16);
        assert_true(isnan(want) ? isnan(out[i]) : memcmp(&want, &out[i], sizeof want) == 0);
    }
}

static void rows(void **state) {
    (void)state;
    const float row[] = {1, 2, 3};
    float out[6] = {9, 9, 9, 9, 9, 9}, total[3];
    kernel_fill_rows(out, 2, 3, row);
    kernel_add_rows(out, 2, 3, row);
    kernel_sum(out + 3, row, 3, total);
    assert_true(out[0] == 2 && out[2] == 6 && out[3] == 2 && out[5] == 6);
    assert_true(total[0] == 3 && total[2] == 9);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gelu_at_all_sizes),
        cmocka_unit_test(gelu_at_the_ends),
        cmocka_unit_test(what_is_not_finite_is_told),
        cmocka_unit_test(layer_norm_by_the_formula),
        cmocka_unit_test(softmax_sees_no_future),
        cmocka_unit_test(halves_convert_exactly),
        cmocka_unit_test(rows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
