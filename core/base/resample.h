/* resample.h - intervals and p-values by resampling. Pure: the same values and seed give the same
 * numbers everywhere.
 *
 * Values are the differences of pairs, one for each independent unit (a neuron). NaN among them is
 * a bug of the caller: what is undefined is left out, and counted, before.
 */
#ifndef GLIA_BASE_RESAMPLE_H
#define GLIA_BASE_RESAMPLE_H

#include <stddef.h>
#include <stdint.h>

enum {
    /* of a bootstrap or a drawn permutation test; fewer for very many values */
    RESAMPLE_ROUNDS = 10000,
    RESAMPLE_EXACT_MAXIMUM = 16, /* values up to which all 2^n signs are tried */
};

/* How many rounds `count` values get: RESAMPLE_ROUNDS, but for very many values as many as draw
 * 10^8 values, and never fewer than 1,000. */
size_t resample_rounds(size_t count);

/* Percentile bootstrap (Efron 1979) of the mean: the interval that holds `level` (0.95) of the
 * means of resamples drawn with replacement. NaN, NaN if count < 2. */
void resample_interval(const double *values, size_t count, double level, uint64_t seed, double *low,
                       double *high);

/* Two-sided p-value of "the values are as likely to be of the other sign" (Fisher
 * 1935): the share of assignments of signs whose mean is at least as far from 0. All of
 * them up to RESAMPLE_EXACT_MAXIMUM values, else (1 + hits) / (1 + rounds) of drawn
 * ones. NaN if count is 0. */
double resample_sign_test(const double *values, size_t count, uint64_t seed);

#endif
