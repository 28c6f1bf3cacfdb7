/* agreement.c - Krippendorff's alpha from the matrix of coincidences. */
#include "core/base/agreement.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

#include "core/base/memory.h"

/* The distinct ratings, and how often each pair of them stands in one unit. */
typedef struct {
    size_t count;
    double *values;       /* [count], ascending */
    double *coincidences; /* [count][count] */
    double *marginals;    /* [count] */
    double total;
} coincidence_t;

static int compare_numbers(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void find_values(const double *ratings, size_t length, coincidence_t *c) {
    c->values = MEMORY_NEW_ARRAY(length + 1, double);
    size_t rated = 0;
    for (size_t i = 0; i < length; i++)
        if (!isnan(ratings[i]))
            c->values[rated++] = ratings[i];
    qsort(c->values, rated, sizeof(double), compare_numbers);
    for (size_t i = 0; i < rated; i++)
        if (i == 0 || c->values[i] != c->values[i - 1])
            c->values[c->count++] = c->values[i];
}

static size_t place_of(const coincidence_t *c, double rating) {
    size_t i = 0;
    while (c->values[i] != rating)
        i++;
    return i;
}

/* Each pair of ratings of a unit counts 1 / (ratings of the unit - 1). */
static void add_unit(const double *unit, size_t raters, coincidence_t *c) {
    size_t rated = 0;
    for (size_t i = 0; i < raters; i++)
        rated += isnan(unit[i]) ? 0 : 1;
    if (rated < 2)
        return;
    for (size_t i = 0; i < raters; i++)
        for (size_t j = 0; j < raters; j++) {
            if (i == j || isnan(unit[i]) || isnan(unit[j]))
                continue;
            double weight = 1 / (double)(rated - 1);
            size_t row = place_of(c, unit[i]);
            c->coincidences[row * c->count + place_of(c, unit[j])] += weight;
            c->marginals[row] += weight;
            c->total += weight;
        }
}

static double distance(const coincidence_t *c, size_t a, size_t b, agreement_metric_t metric) {
    double off = c->values[b] - c->values[a];
    if (metric == AGREEMENT_NOMINAL)
        return a != b;
    if (metric == AGREEMENT_INTERVAL)
        return off * off;
    double between = -(c->marginals[a] + c->marginals[b]) / 2;
    for (size_t i = a; i <= b; i++)
        between += c->marginals[i];
    return between * between;
}

double agreement_alpha(const double *ratings, size_t units, size_t raters,
                       agreement_metric_t metric) {
    coincidence_t c = {0};
    find_values(ratings, units * raters, &c);
    c.coincidences = MEMORY_NEW_ARRAY(c.count * c.count + 1, double);
    c.marginals = MEMORY_NEW_ARRAY(c.count + 1, double);
    for (size_t i = 0; i < units; i++)
        add_unit(ratings + i * raters, raters, &c);
    double observed = 0, expected = 0;
    for (size_t a = 0; a < c.count; a++)
        for (size_t b = a + 1; b < c.count; b++) {
            double far = distance(&c, a, b, metric);
            observed += c.coincidences[a * c.count + b] * far;
            expected += c.marginals[a] * c.marginals[b] * far;
        }
    double alpha = expected > 0 ? 1 - (c.total - 1) * observed / expected : (double)NAN;
    free(c.values);
    free(c.coincidences);
    free(c.marginals);
    return alpha;
}
