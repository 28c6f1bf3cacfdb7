/* score.h - how well simulated activations match real ones.
 *
 * A neuron is scored over all of its valid records together: the simulated and the real
 * activations of each record are concatenated, in the same order, into two arrays [count]. Pure
 * functions; nothing blocks. A score that is not defined is NaN, never a number; who shows scores
 * counts such cases.
 *
 * Scale: simulators predict 0..10, real activations are what the subject model computes. The
 * correlation does not see the difference. The other two scores do, and mean something only after a
 * calibration (fitted on the calibration records, never on the records that are scored) or where
 * both sides have one scale, as in puzzles.
 */
#ifndef GLIA_NEURON_SCORE_H
#define GLIA_NEURON_SCORE_H

#include <stdbool.h>
#include <stddef.h>

typedef struct {
    double correlation; /* Pearson, -1..1; NaN if count < 2 or either side is constant */
    double rsquared;    /* 1 - mean((r - p)^2) / mean(r^2), r real, p simulated: 1 is perfect, 0 is
                           as good as predicting 0 everywhere, and there is no lower end; NaN if all
                           real ones are 0 */
    double absdev;      /* 1 - mean|r - p| / mean|r|; NaN if all real ones are 0 */
} score_t;

/* All three scores of [count] pairs. A value that is not finite on either side makes all of them
 * NaN, as does count 0.
 */
score_t score_compute(const double *simulated, const double *real, size_t count);

typedef enum {
    SCORE_CALIBRATION_NONE,   /* values as simulated */
    SCORE_CALIBRATION_LINEAR, /* slope * value + intercept */
    /* the real value at the percentile that the value has among the simulated ones */
    SCORE_CALIBRATION_PERCENTILE,
} score_calibration_kind_t;

/* A fitted calibration. Members are for reading. */
typedef struct {
    score_calibration_kind_t kind;
    double slope;      /* LINEAR */
    double intercept;  /* LINEAR */
    size_t count;      /* PERCENTILE: values in each of the two arrays */
    double *simulated; /* PERCENTILE: [count], ascending, owned */
    double *real;      /* PERCENTILE: [count], ascending, owned */
} score_calibration_t;

/* Fits on the [count] pairs of the calibration records. NONE needs no pairs. LINEAR is the
 * least-squares line of real on simulated. PERCENTILE keeps both sides, each sorted on its own: a
 * monotone map that gives simulated values the distribution of the real ones. Returns false, with
 * an empty calibration, where the fit is not defined: LINEAR with fewer than 2 pairs or constant
 * simulated values, PERCENTILE without pairs, either with a value that is not finite. After success
 * the caller releases with score_calibration_clear; the arrays given are not kept. */
bool score_calibration_fit(score_calibration_t *calibration, score_calibration_kind_t kind,
                           const double *simulated, const double *real, size_t count);

/* out[i] = calibrated values[i], for [count] finite values; `out` may be `values`. PERCENTILE: a
 * value between two order statistics lies at the interpolated position between theirs, one that
 * occurs several times at the middle of its positions, one beyond the ends at the end; the result
 * is the real value at that position, interpolated linearly. Costs O(log n) a value. */
void score_calibration_apply(const score_calibration_t *calibration, const double *values,
                             double *out, size_t count);

void score_calibration_clear(score_calibration_t *calibration); /* releases; NONE afterwards */

#endif
