/* histogram.c - counts of microseconds in logarithmic buckets. */
#include "core/runtime/histogram.h"

#include <stddef.h>

static const uint64_t SUB = (uint64_t)1 << HISTOGRAM_SUB_BITS;

static size_t bucket_of(uint64_t value) {
    if (value < SUB)
        return (size_t)value;
    unsigned top = 63U - (unsigned)__builtin_clzll(value);
    unsigned shift = top - HISTOGRAM_SUB_BITS;
    return ((size_t)(shift + 1) << HISTOGRAM_SUB_BITS) + (size_t)((value >> shift) - SUB);
}

/* The largest value that falls into the bucket. */
static uint64_t bucket_top(size_t bucket) {
    if (bucket < SUB)
        return bucket;
    unsigned shift = (unsigned)(bucket >> HISTOGRAM_SUB_BITS) - 1;
    uint64_t base = (uint64_t)(bucket & (SUB - 1)) + SUB;
    return (base << shift) + (((uint64_t)1 << shift) - 1);
}

void histogram_add(histogram_t *histogram, int64_t value) {
    histogram->counts[bucket_of(value > 0 ? (uint64_t)value : 0)]++;
    histogram->samples++;
}

int64_t histogram_quantile(const histogram_t *histogram, double q) {
    if (histogram->samples == 0)
        return 0;
    double bounded = q < 0 ? 0 : q > 1 ? 1 : q;
    uint64_t rank = (uint64_t)(bounded * (double)(histogram->samples - 1));
    uint64_t seen = 0;
    for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
        seen += histogram->counts[i];
        if (seen > rank)
            return (int64_t)bucket_top(i);
    }
    return INT64_MAX;
}
