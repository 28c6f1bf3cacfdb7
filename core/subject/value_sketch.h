/* value_sketch.h - quantiles of many columns at once, from one value a column and
 * row, in little memory.
 *
 * Rows are added one after the other; every column gets one value from each, so that one set of
 * counters serves all columns and all work is passes over whole rows, sixteen columns at a time.
 * Kept of each column:
 *   - if no more than VALUE_SKETCH_EXACT rows are expected: all values;
 *   - else the greatest values, at least a hundredth of all and one (exact quantiles from 0.99 on),
 *     and a stack of sorted runs of k values for the rest: two runs of the same weight are merged,
 *     and every second value stays, with twice the weight (Munro and Paterson 1980); which second
 *     value alternates from merge to merge, so that errors cancel. value_sketch_bound() is the
 *     greatest error of a rank that this can leave, by proof; k is the least power of two, 64 or
 *     more, that holds it under 0.0095 of all rows. A quantile q below 0.99 is off by less than
 *     0.1 * (1 - q) of the ranks for q <= 0.9.
 * For 60,000 rows that is k = 256, 8 runs and 1,024 greatest values: 13.3 kB a column.
 *
 * The same rows in the same order give the same bytes. Not thread-safe; two
 * sketches are independent.
 */
#ifndef GLIA_SUBJECT_VALUE_SKETCH_H
#define GLIA_SUBJECT_VALUE_SKETCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { VALUE_SKETCH_EXACT = 2048, VALUE_SKETCH_PLANES = 40, VALUE_SKETCH_STRIP = 16 };

typedef struct value_sketch value_sketch_t;

/* For at most `rows` (1..2^31) rows of `columns` values. */
value_sketch_t *value_sketch_create(size_t columns, uint64_t rows);
void value_sketch_free(value_sketch_t *sketch); /* NULL is fine */
/* rows: [count][columns], finite. More rows than were announced is a bug. */
void value_sketch_add(value_sketch_t *sketch, const float *rows, size_t count);
uint64_t value_sketch_rows(const value_sketch_t *sketch);
/* The values at ranks ceil(q[i] * rows) from below (at least 1) of one column; q [count] in [0, 1].
 * Needs a row. Any thread, while nobody adds. */
void value_sketch_quantiles(const value_sketch_t *sketch, size_t column, const double *q,
                            size_t count, float *out);
/* The greatest error of a rank, in ranks, for all q below the exact part; 0: all is exact. */
uint64_t value_sketch_bound(uint64_t rows, size_t k);
/* (Columns count in multiples of VALUE_SKETCH_STRIP.) */
size_t value_sketch_bytes_a_column(uint64_t rows);

/* The memory as planes, to be saved and filled in again: all that a sketch is, together with
 * value_sketch_rows(). */
typedef struct {
    float *values; /* [count] */
    size_t count;
} value_plane_t;
/* How many planes there are, of the same sizes for the same arguments of value_sketch_create(). */
size_t value_sketch_planes(value_sketch_t *sketch, value_plane_t planes[VALUE_SKETCH_PLANES]);
/* After the planes were filled in: so many rows are in them. */
void value_sketch_resume(value_sketch_t *sketch, uint64_t rows);

#endif
