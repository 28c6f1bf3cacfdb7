/* resample.c - bootstrap and permutation. */
#include "core/base/resample.h"

#include <math.h>
#include <stdlib.h>

#include "core/base/memory.h"
#include "core/base/rng.h"
#include "core/base/stats.h"

static const size_t MOST_DRAWS = 100000000, FEWEST_ROUNDS = 1000;

size_t resample_rounds(size_t count) {
    size_t rounds = count == 0 ? RESAMPLE_ROUNDS : MOST_DRAWS / count;
    return rounds > RESAMPLE_ROUNDS ? RESAMPLE_ROUNDS
           : rounds < FEWEST_ROUNDS ? FEWEST_ROUNDS
                                    : rounds;
}

void resample_interval(const double *values, size_t count, double level, uint64_t seed, double *low,
                       double *high) {
    *low = *high = (double)NAN;
    if (count < 2)
        return;
    rng_t rng = rng_create(seed);
    size_t rounds = resample_rounds(count);
    double *means = MEMORY_NEW_ARRAY(rounds, double);
    for (size_t r = 0; r < rounds; r++) {
        double sum = 0;
        for (size_t i = 0; i < count; i++)
            sum += values[rng_below(&rng, count)];
        means[r] = sum / (double)count;
    }
    *low = stats_quantile(means, rounds, (1 - level) / 2);
    *high = stats_quantile(means, rounds, (1 + level) / 2);
    free(means);
}

/* Sums of the same numbers in another order differ in their last bits; those are no difference. */
static double slack_of(const double *values, size_t count) {
    double total = 0;
    for (size_t i = 0; i < count; i++)
        total += fabs(values[i]);
    return total * 1e-12;
}

static double exact(const double *values, size_t count, double bound) {
    size_t hits = 0, assignments = (size_t)1 << count;
    for (size_t signs = 0; signs < assignments; signs++) {
        double sum = 0;
        for (size_t i = 0; i < count; i++)
            sum += signs >> i & 1 ? -values[i] : values[i];
        hits += fabs(sum) >= bound ? 1 : 0;
    }
    return (double)hits / (double)assignments;
}

static double drawn(const double *values, size_t count, double bound, uint64_t seed) {
    rng_t rng = rng_create(seed);
    size_t hits = 0, rounds = resample_rounds(count);
    for (size_t r = 0; r < rounds; r++) {
        double sum = 0;
        uint64_t signs = 0;
        for (size_t i = 0; i < count; i++, signs >>= 1) {
            if (i % 64 == 0)
                signs = rng_next(&rng);
            sum += signs & 1 ? -values[i] : values[i];
        }
        hits += fabs(sum) >= bound ? 1 : 0;
    }
    return (double)(1 + hits) / (double)(1 + rounds);
}

double resample_sign_test(const double *values, size_t count, uint64_t seed) {
    if (count == 0)
        return (double)NAN;
    double sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += values[i];
    double bound = fabs(sum) - slack_of(values, count);
    return count <= RESAMPLE_EXACT_MAXIMUM ? exact(values, count, bound)
                                           : drawn(values, count, bound, seed);
}
