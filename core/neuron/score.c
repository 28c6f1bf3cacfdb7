/* score.c - the arithmetic of scores and calibrations. */
#include "core/neuron/score.h"

#include <math.h>
#include <stdlib.h>

#include "core/base/memory.h"
#include "core/base/stats.h"

static bool all_finite(const double *values, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (!isfinite(values[i]))
            return false;
    return true;
}

score_t score_compute(const double *simulated, const double *real, size_t count) {
    score_t score = {.correlation = NAN, .rsquared = NAN, .absdev = NAN};
    if (count == 0 || !all_finite(simulated, count) || !all_finite(real, count))
        return score;
    /* Both means have the same denominator, so sums do. */
    double squares = 0, square_errors = 0, sizes = 0, errors = 0;
    for (size_t i = 0; i < count; i++) {
        double error = real[i] - simulated[i];
        squares += real[i] * real[i];
        square_errors += error * error;
        sizes += fabs(real[i]);
        errors += fabs(error);
    }
    score.correlation = stats_correlation(simulated, real, count);
    if (squares > 0)
        score.rsquared = 1 - square_errors / squares;
    if (sizes > 0)
        score.absdev = 1 - errors / sizes;
    return score;
}

/* --- calibration ------------------------------------------------------------------------------ */

static bool is_constant(const double *values, size_t count) {
    for (size_t i = 1; i < count; i++)
        if (values[i] < values[0] || values[i] > values[0])
            return false;
    return true;
}

static bool fit_linear(score_calibration_t *calibration, const double *simulated,
                       const double *real, size_t count) {
    if (count < 2 || is_constant(simulated, count))
        return false;
    double mean_simulated = stats_mean(simulated, count);
    double mean_real = stats_mean(real, count);
    double covariance = 0, variance = 0;
    for (size_t i = 0; i < count; i++) {
        double deviation = simulated[i] - mean_simulated;
        covariance += deviation * (real[i] - mean_real);
        variance += deviation * deviation;
    }
    calibration->slope = covariance / variance;
    calibration->intercept = mean_real - calibration->slope * mean_simulated;
    return isfinite(calibration->slope) && isfinite(calibration->intercept);
}

static int compare_doubles(const void *a, const void *b) {
    double left = *(const double *)a, right = *(const double *)b;
    return (left > right) - (left < right);
}

static double *sorted_copy(const double *values, size_t count) {
    double *copy = memory_copy(values, count * sizeof *values);
    qsort(copy, count, sizeof *copy, compare_doubles);
    return copy;
}

bool score_calibration_fit(score_calibration_t *calibration, score_calibration_kind_t kind,
                           const double *simulated, const double *real, size_t count) {
    *calibration = (score_calibration_t){0};
    if (kind == SCORE_CALIBRATION_NONE)
        return true;
    if (!all_finite(simulated, count) || !all_finite(real, count))
        return false;
    if (kind == SCORE_CALIBRATION_LINEAR) {
        if (!fit_linear(calibration, simulated, real, count)) {
            *calibration = (score_calibration_t){0};
            return false;
        }
    } else {
        if (count == 0)
            return false;
        calibration->count = count;
        calibration->simulated = sorted_copy(simulated, count);
        calibration->real = sorted_copy(real, count);
    }
    calibration->kind = kind;
    return true;
}

/* How many of the ascending values are below `value` (or, `inclusive`, not above it). */
static size_t count_below(const double *ascending, size_t count, double value, bool inclusive) {
    size_t low = 0, high = count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (ascending[middle] < value || (inclusive && ascending[middle] <= value))
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Position of a value among ascending ones, 0..count - 1. */
static double position_of(const double *ascending, size_t count, double value) {
    size_t below = count_below(ascending, count, value, false);
    size_t through = count_below(ascending, count, value, true);
    if (through > below) /* it occurs: the middle of positions below .. through - 1 */
        return ((double)below + (double)through - 1) / 2;
    if (below == 0)
        return 0;
    if (below == count)
        return (double)(count - 1);
    double left = ascending[below - 1], right = ascending[below];
    return (double)(below - 1) + (value - left) / (right - left);
}

static double value_at(const double *ascending, size_t count, double position) {
    size_t left = (size_t)position;
    double fraction = position - (double)left;
    if (left + 1 >= count)
        return ascending[count - 1];
    return ascending[left] + fraction * (ascending[left + 1] - ascending[left]);
}

void score_calibration_apply(const score_calibration_t *calibration, const double *values,
                             double *out, size_t count) {
    for (size_t i = 0; i < count; i++) {
        switch (calibration->kind) {
        case SCORE_CALIBRATION_NONE: out[i] = values[i]; break;
        case SCORE_CALIBRATION_LINEAR:
            out[i] = calibration->slope * values[i] + calibration->intercept;
            break;
        case SCORE_CALIBRATION_PERCENTILE: {
            double position = position_of(calibration->simulated, calibration->count, values[i]);
            out[i] = value_at(calibration->real, calibration->count, position);
            break;
        }
        }
    }
}

void score_calibration_clear(score_calibration_t *calibration) {
    free(calibration->simulated);
    free(calibration->real);
    *calibration = (score_calibration_t){0};
}
