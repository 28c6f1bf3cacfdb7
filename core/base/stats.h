/* stats.h - the arithmetic of the tables. Undefined results are NaN and are
 * counted, never made 0. */
#ifndef GLIA_BASE_STATS_H
#define GLIA_BASE_STATS_H

#include <stddef.h>

double stats_mean(const double *values, size_t count); /* NaN if count is 0 */
/* n - 1 in the denominator; NaN if count < 2 */
double stats_variance(const double *values, size_t count);
double stats_standard_error(const double *values, size_t count); /* sqrt(variance / count) */
/* Pearson correlation; NaN if count < 2 or either side is constant. Two-pass. */
double stats_correlation(const double *a, const double *b, size_t count);
/* Linear interpolation between order statistics (R type 7); sorts a copy. q in [0, 1]. */
double stats_quantile(const double *values, size_t count, double q);
/* ranks[i]: 1 for the largest value; ties share the average rank; NaN values rank NaN
 * and do not count. */
void stats_rank_descending(const double *values, size_t count, double *ranks);
/* Standard error of the mean where values of one cluster go together (samples of one puzzle):
 * sqrt(G / (G - 1) * sum over clusters of (sum of deviations)^2) / count, G clusters. clusters[i]
 * names the cluster of values[i]; those of a cluster follow each other. NaN with fewer than two
 * clusters; the plain standard error if every value is its own. */
double stats_clustered_error(const double *values, const size_t *clusters, size_t count);
/* Holm's (1979) step-down correction of p-values [count]: adjusted[i] <= a keeps the chance of any
 * false finding of the family below a. NaN stays NaN and does not count. */
void stats_holm(const double *p, size_t count, double *adjusted);
/* Pearson's statistic of counts against equal shares; `count` - 1 degrees of freedom. NaN if
 * there is nothing. */
double stats_chi_squared_uniform(const double *observed, size_t count);
/* The chance of a chi-squared variable with `freedom` > 0 degrees of freedom to be at least
 * `statistic`: the upper regularised incomplete gamma function Q(freedom / 2, statistic / 2),
 * to about 10^-12. */
double stats_chi_squared_tail(double statistic, double freedom);

#endif
