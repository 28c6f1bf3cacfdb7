/* stats.c - means, correlation, quantiles and ranks. NaN stands for "undefined". */
#include "core/base/stats.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/memory.h"

double stats_mean(const double *values, size_t count) {
    double sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += values[i];
    return count == 0 ? (double)NAN : sum / (double)count;
}

double stats_variance(const double *values, size_t count) {
    if (count < 2)
        return (double)NAN;
    double mean = stats_mean(values, count);
    double sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += (values[i] - mean) * (values[i] - mean);
    return sum / (double)(count - 1);
}

double stats_standard_error(const double *values, size_t count) {
    return sqrt(stats_variance(values, count) / (double)count);
}

/* Compared with each other, not with the mean: the mean of equal values may be
 * off by a rounding. */
static bool is_constant(const double *values, size_t count) {
    for (size_t i = 1; i < count; i++)
        if (values[i] != values[0])
            return false;
    return true;
}

double stats_correlation(const double *a, const double *b, size_t count) {
    if (count < 2 || is_constant(a, count) || is_constant(b, count))
        return (double)NAN;
    double mean_a = stats_mean(a, count);
    double mean_b = stats_mean(b, count);
    double square_a = 0;
    double square_b = 0;
    double product = 0;
    for (size_t i = 0; i < count; i++) {
        double off_a = a[i] - mean_a;
        double off_b = b[i] - mean_b;
        square_a += off_a * off_a;
        square_b += off_b * off_b;
        product += off_a * off_b;
    }
    double correlation = product / (sqrt(square_a) * sqrt(square_b));
    /* Rounding may carry it past the ends. NaN stays NaN; squares that underflow to 0 leave
     * nothing defined. */
    if (!isfinite(correlation))
        return (double)NAN;
    return correlation > 1 ? 1 : correlation < -1 ? -1 : correlation;
}

static int compare_numbers(const void *a, const void *b) {
    double x = *(const double *)a;
    double y = *(const double *)b;
    return (x > y) - (x < y);
}

double stats_quantile(const double *values, size_t count, double q) {
    if (count == 0 || !(q >= 0 && q <= 1))
        return (double)NAN;
    for (size_t i = 0; i < count; i++)
        if (isnan(values[i]))
            return (double)NAN;
    double *sorted = MEMORY_NEW_ARRAY(count, double);
    memcpy(sorted, values, count * sizeof sorted[0]);
    qsort(sorted, count, sizeof sorted[0], compare_numbers);
    double position = q * (double)(count - 1);
    size_t below = (size_t)position;
    double fraction = position - (double)below;
    double quantile = sorted[below];
    /* equal infinities have no difference */
    if (fraction > 0 && sorted[below + 1] != sorted[below])
        quantile += fraction * (sorted[below + 1] - sorted[below]);
    free(sorted);
    return quantile;
}

typedef struct {
    double value;
    size_t index;
} ranked_t;

static int compare_descending(const void *a, const void *b) {
    return compare_numbers(&((const ranked_t *)b)->value, &((const ranked_t *)a)->value);
}

void stats_rank_descending(const double *values, size_t count, double *ranks) {
    ranked_t *sorted = MEMORY_NEW_ARRAY(count, ranked_t);
    size_t ranked = 0;
    for (size_t i = 0; i < count; i++) {
        ranks[i] = (double)NAN;
        if (!isnan(values[i]))
            sorted[ranked++] = (ranked_t){.value = values[i], .index = i};
    }
    qsort(sorted, ranked, sizeof sorted[0], compare_descending);
    size_t first = 0;
    while (first < ranked) {
        size_t past = first + 1;
        while (past < ranked && sorted[past].value == sorted[first].value)
            past++;
        for (size_t i = first; i < past; i++) {
            /* the mean of first + 1 .. past */
            ranks[sorted[i].index] = (double)(first + 1 + past) / 2;
        }
        first = past;
    }
    free(sorted);
}

double stats_clustered_error(const double *values, const size_t *clusters, size_t count) {
    double mean = stats_mean(values, count);
    double square = 0;
    size_t cluster_count = 0;
    for (size_t i = 0; i < count;) {
        double sum = 0;
        size_t cluster = clusters[i];
        for (; i < count && clusters[i] == cluster; i++)
            sum += values[i] - mean;
        square += sum * sum;
        cluster_count++;
    }
    if (cluster_count < 2)
        return (double)NAN;
    double groups = (double)cluster_count;
    return sqrt(groups / (groups - 1) * square) / (double)count;
}

void stats_holm(const double *p, size_t count, double *adjusted) {
    ranked_t *sorted = MEMORY_NEW_ARRAY(count + 1, ranked_t);
    size_t family = 0;
    for (size_t i = 0; i < count; i++) {
        adjusted[i] = (double)NAN;
        if (!isnan(p[i]))
            sorted[family++] = (ranked_t){.value = p[i], .index = i};
    }
    qsort(sorted, family, sizeof sorted[0], compare_descending);
    double most = 0;
    for (size_t i = family; i-- > 0;) { /* the smallest first */
        double scaled = sorted[i].value * (double)(i + 1);
        most = scaled > most ? scaled : most;
        adjusted[sorted[i].index] = most < 1 ? most : 1;
    }
    free(sorted);
}

double stats_chi_squared_uniform(const double *observed, size_t count) {
    double expected = stats_mean(observed, count), statistic = 0;
    for (size_t i = 0; i < count; i++)
        statistic += (observed[i] - expected) * (observed[i] - expected);
    return expected > 0 ? statistic / expected : (double)NAN;
}

/* Series (below a + 1) and continued fraction (above), as in Abramowitz and Stegun
 * 6.5.29 and 6.5.31. */
static double gamma_upper(double a, double x) {
    double scale = exp(-x + a * log(x) - lgamma(a));
    if (x < a + 1) {
        double term = 1 / a, sum = term;
        for (double n = a + 1; term > sum * 1e-16; n++) {
            term *= x / n;
            sum += term;
        }
        return 1 - sum * scale;
    }
    double b = x + 1 - a, c = 1e300, d = 1 / b, fraction = d;
    for (int i = 1; i < 10000; i++) {
        double top = -i * (i - a);
        b += 2;
        d = 1 / (top * d + b);
        c = b + top / c;
        fraction *= c * d;
        if (fabs(c * d - 1) < 1e-15)
            break;
    }
    return scale * fraction;
}

double stats_chi_squared_tail(double statistic, double freedom) {
    if (isnan(statistic) || !(freedom > 0))
        return (double)NAN;
    return statistic <= 0 ? 1 : gamma_upper(freedom / 2, statistic / 2);
}
