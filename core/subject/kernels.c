/* kernels.c - vectorisable loops. Each is written once, as a body that is inlined into versions for
 * any x86-64, for AVX2 and for AVX-512, and chosen when it runs. The Makefile compiles this file
 * with -O3, which has the loops vectorised, and -ffp-contract=off, without which a compiler may
 * round a*b+c once instead of twice. */
#include "core/subject/kernels.h"

#include <math.h>
#include <string.h>

/* Numbers and bits; both compilers make these free. */
static inline uint32_t bits_of(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static inline float float_of(uint32_t bits) {
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

#define BODY static inline __attribute__((always_inline))

#ifdef __x86_64__
#define AVX2       __attribute__((target("avx2")))
#define AVX512     __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl")))
#define HAS_AVX2() __builtin_cpu_supports("avx2")
#define HAS_AVX512()                                                             \
    (__builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") && \
     __builtin_cpu_supports("avx512vl"))
#else
#define AVX2
#define AVX512
#define HAS_AVX2()   0
#define HAS_AVX512() 0
#endif

/* Defines `name` as a choice between the versions of `name`_body. */
#define KERNEL(type, name, parameters, arguments)                           \
    static type name##_plain parameters {                                   \
        return name##_body arguments;                                       \
    }                                                                       \
    AVX2 static type name##_avx2 parameters {                               \
        return name##_body arguments;                                       \
    }                                                                       \
    AVX512 static type name##_avx512 parameters {                           \
        return name##_body arguments;                                       \
    }                                                                       \
    type name parameters {                                                  \
        if (HAS_AVX512())                                                   \
            return name##_avx512 arguments;                                 \
        return HAS_AVX2() ? name##_avx2 arguments : name##_plain arguments; \
    }

/* --- exp and gelu --------------------------------------------------------------------------------
 */

/* exp(y) for y in [-87, 88], relative error below 2e-7; y outside of it counts as its nearest end.
 * With n the integer nearest to y / ln 2 and r = y - n ln 2, |r| <= 0.35: exp(y) = 2^n exp(r), and
 * exp(r) by its Taylor polynomial of degree 7 (the next term is below 6e-9). ln 2 in two parts, the
 * first with trailing zeros, so that n times it is exact (Cody and Waite 1980). Adding 1.5 * 2^23
 * rounds to an integer and leaves it in the low bits. */
BODY float exponential(float y) {
    const float shift = 12582912.0f;
    y = y < -87.0f ? -87.0f : y;
    y = y > 88.0f ? 88.0f : y;
    float shifted = y * 1.44269504f + shift;
    float n = shifted - shift;
    float r = (y - n * 0.693359375f) + n * 2.12194440e-4f;
    float p = 1.0f / 5040;
    p = p * r + 1.0f / 720;
    p = p * r + 1.0f / 120;
    p = p * r + 1.0f / 24;
    p = p * r + 1.0f / 6;
    p = p * r + 0.5f;
    p = p * r + 1.0f;
    p = p * r + 1.0f;
    return float_of(bits_of(p) + (bits_of(shifted) << 23));
}

/* x/2 (1 + tanh u) = x / (1 + exp(-2u)), without the cancellation of the former
 * where u is negative. */
BODY float gelu_new(float x) {
    const float twice_root = 1.59576912f; /* 2 sqrt(2 / pi) */
    float u = twice_root * (x + 0.044715f * x * x * x);
    float y = x / (1.0f + exponential(-u));
    return x < -30.0f ? -0.0f : y; /* where the exponential was cut off */
}

/* With z = |x| / sqrt 2: x/2 (1 + erf z) for x >= 0, x/2 erfc z for x < 0; erfc by Abramowitz and
 * Stegun 7.1.26, which is within 1.5e-7. */
BODY float gelu_exact(float x) {
    float size = x < 0 ? -x : x;
    float z = size * 0.707106781f;
    float t = 1.0f / (1.0f + 0.3275911f * z);
    float p = 1.061405429f;
    p = p * t - 1.453152027f;
    p = p * t + 1.421413741f;
    p = p * t - 0.284496736f;
    p = p * t + 0.254829592f;
    float half_complement = 0.5f * (p * t * exponential(-z * z)); /* erfc(z) / 2 */
    /* where the exponential was cut off */
    half_complement = size > 13.0f ? 0.0f : half_complement;
    return x < 0 ? x * half_complement : x - x * half_complement;
}

BODY uint32_t is_not_finite(float value) {
    return (bits_of(value) & 0x7f800000u) == 0x7f800000u;
}

BODY bool kernel_gelu_new_body(float *values, size_t count) {
    uint32_t broken = 0;
    for (size_t i = 0; i < count; i++) {
        broken |= is_not_finite(values[i]);
        values[i] = gelu_new(values[i]);
    }
    return broken == 0;
}
KERNEL(bool, kernel_gelu_new, (float *values, size_t count), (values, count))

BODY bool kernel_gelu_body(float *values, size_t count) {
    uint32_t broken = 0;
    for (size_t i = 0; i < count; i++) {
        broken |= is_not_finite(values[i]);
        values[i] = gelu_exact(values[i]);
    }
    return broken == 0;
}
KERNEL(bool, kernel_gelu, (float *values, size_t count), (values, count))

/* --- rows ----------------------------------------------------------------------------------------
 */

BODY float lanes_total(const float lanes[KERNEL_LANES]) {
    float total = 0;
    for (size_t i = 0; i < KERNEL_LANES / 2; i++)
        total += lanes[i] + lanes[i + KERNEL_LANES / 2];
    return total;
}

BODY float row_sum(const float *row, size_t columns) {
    float lanes[KERNEL_LANES] = {0};
    size_t i = 0;
    for (; i + KERNEL_LANES <= columns; i += KERNEL_LANES)
        for (size_t j = 0; j < KERNEL_LANES; j++)
            lanes[j] += row[i + j];
    for (size_t j = 0; i + j < columns; j++)
        lanes[j] += row[i + j];
    return lanes_total(lanes);
}

BODY float row_square_sum(const float *row, size_t columns, float mean) {
    float lanes[KERNEL_LANES] = {0};
    size_t i = 0;
    for (; i + KERNEL_LANES <= columns; i += KERNEL_LANES)
        for (size_t j = 0; j < KERNEL_LANES; j++) {
            float rest = row[i + j] - mean;
            lanes[j] += rest * rest;
        }
    for (size_t j = 0; i + j < columns; j++) {
        float rest = row[i + j] - mean;
        lanes[j] += rest * rest;
    }
    return lanes_total(lanes);
}

BODY void kernel_layer_norm_body(const float *in, size_t rows, size_t columns, const float *gain,
                                 const float *bias, float epsilon, float *out) {
    for (size_t r = 0; r < rows; r++) {
        const float *row = in + r * columns;
        float mean = row_sum(row, columns) / (float)columns;
        float variance = row_square_sum(row, columns, mean) / (float)columns;
        float scale = 1.0f / sqrtf(variance + epsilon);
        for (size_t i = 0; i < columns; i++)
            out[r * columns + i] = (row[i] - mean) * scale * gain[i] + bias[i];
    }
}
KERNEL(void, kernel_layer_norm,
       (const float *in, size_t rows, size_t columns, const float *gain, const float *bias,
        float epsilon, float *out),
       (in, rows, columns, gain, bias, epsilon, out))

void kernel_fill_rows(float *out, size_t rows, size_t columns, const float *row) {
    for (size_t r = 0; r < rows; r++)
        memcpy(out + r * columns, row, columns * sizeof *row);
}

void kernel_add_rows(float *out, size_t rows, size_t columns, const float *row) {
    for (size_t r = 0; r < rows; r++)
        for (size_t i = 0; i < columns; i++)
            out[r * columns + i] += row[i];
}

void kernel_sum(const float *a, const float *b, size_t columns, float *out) {
    for (size_t i = 0; i < columns; i++)
        out[i] = a[i] + b[i];
}

BODY float row_maximum(const float *row, size_t columns) {
    float lanes[KERNEL_LANES];
    for (size_t j = 0; j < KERNEL_LANES; j++)
        lanes[j] = row[0];
    size_t i = 0;
    for (; i + KERNEL_LANES <= columns; i += KERNEL_LANES)
        for (size_t j = 0; j < KERNEL_LANES; j++)
            lanes[j] = row[i + j] > lanes[j] ? row[i + j] : lanes[j];
    for (size_t j = 0; i + j < columns; j++)
        lanes[j] = row[i + j] > lanes[j] ? row[i + j] : lanes[j];
    for (size_t j = 1; j < KERNEL_LANES; j++)
        lanes[0] = lanes[j] > lanes[0] ? lanes[j] : lanes[0];
    return lanes[0];
}

BODY void kernel_causal_softmax_body(float *scores, size_t size) {
    for (size_t r = 0; r < size; r++) {
        float *row = scores + r * size;
        size_t seen = r + 1; /* a token attends to those before it and to itself */
        float maximum = row_maximum(row, seen);
        for (size_t i = 0; i < seen; i++)
            row[i] = exponential(row[i] - maximum);
        float scale = 1.0f / row_sum(row, seen);
        for (size_t i = 0; i < seen; i++)
            row[i] *= scale;
        for (size_t i = seen; i < size; i++)
            row[i] = 0;
    }
}
KERNEL(void, kernel_causal_softmax, (float *scores, size_t size), (scores, size))

/* --- weights -------------------------------------------------------------------------------------
 */

/* IEEE 754 binary16: sign, 5 bits of exponent (bias 15), 10 of fraction. */
BODY void kernel_convert_f16_body(const uint8_t *in, size_t count, float *out) {
    for (size_t i = 0; i < count; i++) {
        uint16_t half;
        memcpy(&half, in + 2 * i, sizeof half);
        uint32_t sign = (uint32_t)(half & 0x8000u) << 16, size = half & 0x7fffu;
        uint32_t normal = (size << 13) + ((127u - 15u) << 23);
        uint32_t subnormal = bits_of((float)(int32_t)size * 0x1p-24f);
        uint32_t special = (size << 13) | 0x7f800000u;
        uint32_t bits = size < 0x0400u ? subnormal : normal;
        bits = size >= 0x7c00u ? special : bits;
        out[i] = float_of(bits | sign);
    }
}
KERNEL(void, kernel_convert_f16, (const uint8_t *in, size_t count, float *out), (in, count, out))

/* The upper half of a float32. */
BODY void kernel_convert_bf16_body(const uint8_t *in, size_t count, float *out) {
    for (size_t i = 0; i < count; i++) {
        uint16_t upper;
        memcpy(&upper, in + 2 * i, sizeof upper);
        out[i] = float_of((uint32_t)upper << 16);
    }
}
KERNEL(void, kernel_convert_bf16, (const uint8_t *in, size_t count, float *out), (in, count, out))

BODY bool kernel_all_finite_body(const float *values, size_t count) {
    uint32_t broken = 0;
    for (size_t i = 0; i < count; i++)
        broken |= is_not_finite(values[i]);
    return broken == 0;
}
KERNEL(bool, kernel_all_finite, (const float *values, size_t count), (values, count))
