/* histogram.h - counts of microseconds in fixed memory (loop lag, latencies). Pure.
 *
 * Log-linear: values below 16 are exact, above that there are 16 buckets a power of two, so that a
 * quantile is never too low and at most 1/16 too high.
 */
#ifndef GLIA_RUNTIME_HISTOGRAM_H
#define GLIA_RUNTIME_HISTOGRAM_H

#include <stdint.h>

enum {
    HISTOGRAM_SUB_BITS = 4,
    HISTOGRAM_BUCKETS = (64 - HISTOGRAM_SUB_BITS + 1) << HISTOGRAM_SUB_BITS
};

/* All zero: empty. */
typedef struct {
    uint64_t samples;
    uint64_t counts[HISTOGRAM_BUCKETS];
} histogram_t;

void histogram_add(histogram_t *histogram, int64_t value); /* below 0 counts as 0 */
/* Quantile q in [0, 1] (clamped), as the largest value of its bucket; 0 while empty. */
int64_t histogram_quantile(const histogram_t *histogram, double q);

#endif
