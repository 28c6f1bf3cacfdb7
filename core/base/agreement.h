/* agreement.h - how far raters agree: Krippendorff's alpha (Krippendorff 2011, "Computing
 * Krippendorff's Alpha-Reliability"). Pure. */
#ifndef GLIA_BASE_AGREEMENT_H
#define GLIA_BASE_AGREEMENT_H

#include <stddef.h>

/* How far two ratings are from each other. */
typedef enum {
    AGREEMENT_NOMINAL,  /* the same or not */
    AGREEMENT_ORDINAL,  /* how many ratings lie between them: only their order counts */
    AGREEMENT_INTERVAL, /* the square of their difference */
} agreement_metric_t;

/* 1 - observed / expected disagreement of ratings [units][raters], NaN where a rater did not rate a
 * unit. 1: perfect; 0: as by chance. Units with fewer than two ratings do not count. NaN: none is
 * left, or all ratings are the same. */
double agreement_alpha(const double *ratings, size_t units, size_t raters,
                       agreement_metric_t metric);

#endif
