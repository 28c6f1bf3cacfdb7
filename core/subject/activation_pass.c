/* activation_pass.c - the pass, compiled for wide vectors and for plain ones.
 *
 * A strip of neurons keeps its sums in the first-level cache while all tokens go by; a token's part
 * of a strip is four cache lines side by side. The loops over a strip have a constant length and
 * independent turns, so compilers make vectors of them; ISO C forbids them to fuse or reorder, so
 * that every variant gives the same bits. */
#include "core/subject/activation_pass.h"

#include <math.h>
#include <string.h>

enum { STRIP = 64 };

typedef struct {
    double sums[ACTIVATION_POWERS][STRIP];
    float maxima[STRIP];
    int32_t above[STRIP];
} strip_t;

static inline __attribute__((always_inline)) void take_token(strip_t *restrict strip,
                                                             const float *restrict x) {
    for (size_t i = 0; i < STRIP; i++) {
        double a = (double)x[i], square = a * a;
        strip->sums[0][i] += a;
        strip->sums[1][i] += square;
        strip->sums[2][i] += square * a;
        strip->sums[3][i] += square * square;
    }
    for (size_t i = 0; i < STRIP; i++)
        strip->maxima[i] = x[i] > strip->maxima[i] ? x[i] : strip->maxima[i];
    for (size_t i = 0; i < STRIP; i++)
        strip->above[i] += x[i] > 0.0f;
}

typedef struct {
    const float *activations;
    size_t excerpts, length, neurons, stride;
    double *sums;
    int32_t *above;
    float *maxima;
} pass_t;

static inline __attribute__((always_inline)) void pass_strip(const pass_t *pass, size_t first,
                                                             size_t width) {
    strip_t strip;
    float padded[STRIP] = {0};
    memset(&strip, 0, sizeof strip);
    for (size_t e = 0; e < pass->excerpts; e++) {
        for (size_t i = 0; i < STRIP; i++)
            strip.maxima[i] = -INFINITY;
        for (size_t t = e * pass->length; t < (e + 1) * pass->length; t++) {
            const float *x = pass->activations + t * pass->neurons + first;
            if (width < STRIP)
                x = memcpy(padded, x, width * sizeof *x);
            take_token(&strip, x);
        }
        memcpy(pass->maxima + e * pass->stride + first, strip.maxima, width * sizeof(float));
    }
    for (size_t p = 0; p < ACTIVATION_POWERS; p++)
        memcpy(pass->sums + p * pass->stride + first, strip.sums[p], width * sizeof(double));
    memcpy(pass->above + first, strip.above, width * sizeof(int32_t));
}

static inline __attribute__((always_inline)) void pass_all(const pass_t *pass) {
    for (size_t first = 0; first < pass->neurons; first += STRIP)
        pass_strip(pass, first, pass->neurons - first < STRIP ? pass->neurons - first : STRIP);
}

static inline __attribute__((always_inline)) void maxima_all(const pass_t *pass) {
    for (size_t e = 0; e < pass->excerpts; e++) {
        const float *x = pass->activations + e * pass->length * pass->neurons;
        float *restrict maxima = pass->maxima + e * pass->stride;
        memcpy(maxima, x, pass->neurons * sizeof *x);
        for (size_t t = 1; t < pass->length; t++) {
            const float *restrict row = x + t * pass->neurons;
            size_t i = 0;
            for (; i + STRIP <= pass->neurons; i += STRIP)
                for (size_t j = i; j < i + STRIP; j++)
                    maxima[j] = row[j] > maxima[j] ? row[j] : maxima[j];
            for (; i < pass->neurons; i++)
                maxima[i] = row[i] > maxima[i] ? row[i] : maxima[i];
        }
    }
}

static void pass_plain(const pass_t *pass) {
    pass->sums ? pass_all(pass) : maxima_all(pass);
}

#ifdef __x86_64__
__attribute__((target("avx2"))) static void pass_wide(const pass_t *pass) {
    pass->sums ? pass_all(pass) : maxima_all(pass);
}
__attribute__((target("avx512f"))) static void pass_widest(const pass_t *pass) {
    pass->sums ? pass_all(pass) : maxima_all(pass);
}
static void run(const pass_t *pass) {
    (__builtin_cpu_supports("avx512f") ? pass_widest
     : __builtin_cpu_supports("avx2")  ? pass_wide
                                       : pass_plain)(pass);
}
#else
static void run(const pass_t *pass) {
    pass_plain(pass);
}
#endif

void activation_pass(const float *activations, size_t excerpts, size_t length, size_t neurons,
                     size_t stride, double *sums, int32_t *above, float *maxima) {
    pass_t pass = {.activations = activations,
                   .excerpts = excerpts,
                   .length = length,
                   .neurons = neurons,
                   .stride = stride,
                   .sums = sums,
                   .above = above,
                   .maxima = maxima};
    run(&pass);
}

void activation_maxima(const float *activations, size_t excerpts, size_t length, size_t neurons,
                       size_t stride, float *maxima) {
    pass_t pass = {.activations = activations,
                   .excerpts = excerpts,
                   .length = length,
                   .neurons = neurons,
                   .stride = stride,
                   .maxima = maxima};
    run(&pass);
}
