/* value_sketch.c - sorted runs of columns: sorting networks over rows, merges that keep
 * every second value.
 *
 * A plane of so many rows is [strips][rows][STRIP]: what is sorted together lies together. Rows
 * that lay side by side would be a whole number of pages apart in many models, so that a column of
 * them fits no cache. */
#include "core/subject/value_sketch.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/memory.h"

/* STRIP columns are sorted together: 64 bytes, a cache line of each row. */
enum {
    STRIP = VALUE_SKETCH_STRIP,
    LEAST_RUN = 64,
    LARGEST_RUN = 1 << 16,
    MOST_LEVELS = VALUE_SKETCH_PLANES - 2
};
static const double EXACT_FROM = 0.99;
static const double RANK_ERROR = 0.0095;

struct value_sketch {
    size_t columns, strips;
    size_t strip; /* STRIP */
    uint64_t expected, count;
    bool exact;
    size_t run, levels, tail; /* rows */
    /* [strips][run][STRIP]: the last `count` mod `run` rows; exact: all */
    float *input;
    /* likewise, sorted, of weight 2^i; in use if bit i of count / run is set */
    float *level[MOST_LEVELS];
    float *greatest; /* [strips][tail][STRIP] sorted */
    float *scratch;  /* [2 * run][STRIP] */
};

/* --- how large -------------------------------------------------------------------------------- */

/* Merging two runs of weight w moves the rank of a value by w up or down or not at all, down where
 * the even values stay and up where the odd ones do. With alternation no more than half of the
 * merges of a level, rounded up, err to the same side. A value that is picked stands for at most
 * 2^levels ranks. */
uint64_t value_sketch_bound(uint64_t rows, size_t k) {
    uint64_t runs = rows / k, bound = 0, weight = 1;
    for (; runs > 1; runs /= 2, weight *= 2)
        bound += weight * ((runs / 2 + 1) / 2);
    return bound + weight;
}

static size_t run_for(uint64_t rows) {
    size_t run = LEAST_RUN;
    while (run < LARGEST_RUN && (double)value_sketch_bound(rows, run) > RANK_ERROR * (double)rows)
        run *= 2;
    return run;
}

static size_t tail_for(uint64_t rows, size_t run) {
    size_t tail = run;
    while ((double)tail < (1 - EXACT_FROM) * (double)rows + 1)
        tail *= 2;
    return tail;
}

static size_t levels_for(uint64_t rows, size_t run) {
    size_t levels = 0;
    while (rows / run >> levels)
        levels++;
    return levels;
}

size_t value_sketch_bytes_a_column(uint64_t rows) {
    if (rows <= VALUE_SKETCH_EXACT)
        return (size_t)rows * sizeof(float);
    size_t run = run_for(rows);
    return (run * (1 + levels_for(rows, run)) + tail_for(rows, run)) * sizeof(float);
}

static float *plane(const value_sketch_t *sketch, size_t rows) {
    return MEMORY_NEW_ARRAY(sketch->strips * rows * STRIP + 1, float);
}

value_sketch_t *value_sketch_create(size_t columns, uint64_t rows) {
    value_sketch_t *sketch = MEMORY_NEW(value_sketch_t);
    sketch->columns = columns;
    sketch->strip = STRIP;
    sketch->strips = (columns + STRIP - 1) / STRIP;
    sketch->expected = rows;
    sketch->exact = rows <= VALUE_SKETCH_EXACT;
    sketch->run = sketch->exact ? (size_t)rows : run_for(rows);
    sketch->input = plane(sketch, sketch->run);
    if (sketch->exact)
        return sketch;
    sketch->levels = levels_for(rows, sketch->run);
    sketch->tail = tail_for(rows, sketch->run);
    for (size_t i = 0; i < sketch->levels; i++)
        sketch->level[i] = plane(sketch, sketch->run);
    sketch->greatest = plane(sketch, sketch->tail);
    for (size_t i = 0; i < sketch->strips * sketch->tail * STRIP; i++)
        sketch->greatest[i] = -INFINITY;
    sketch->scratch = MEMORY_NEW_ARRAY(2 * sketch->run * STRIP, float);
    return sketch;
}

void value_sketch_free(value_sketch_t *sketch) {
    if (!sketch)
        return;
    for (size_t i = 0; i < sketch->levels; i++)
        free(sketch->level[i]);
    free(sketch->input);
    free(sketch->greatest);
    free(sketch->scratch);
    free(sketch);
}

/* --- sorting networks (Batcher 1968), each comparator over STRIP columns ---------------------- */

/* Compiled for wide vectors and for plain ones; minima and maxima are the same in both. */
#define BODY static inline __attribute__((always_inline))

/* Compilers make vectors of this loop as long as they do not know how short it may be. */
BODY void order(float *restrict low, float *restrict high, size_t count) {
    for (size_t i = 0; i < count; i++) {
        float a = low[i], b = high[i];
        low[i] = a < b ? a : b;
        high[i] = a < b ? b : a;
    }
}

/* rows: [count][strip], bitonic in each column; sorted afterwards. `count` is a power of two. */
BODY void sort_bitonic(float *rows, size_t count, size_t strip) {
    for (size_t distance = count / 2; distance > 0; distance /= 2)
        for (size_t block = 0; block < count; block += 2 * distance)
            order(rows + block * strip, rows + (block + distance) * strip, distance * strip);
}

/* Both halves of rows [count][strip] are sorted; the whole is, afterwards. */
BODY void merge_halves(float *rows, size_t count, size_t strip) {
    for (size_t i = 0; i < count / 2; i++)
        order(rows + i * strip, rows + (count - 1 - i) * strip, strip);
    sort_bitonic(rows, count / 2, strip);
    sort_bitonic(rows + count / 2 * strip, count / 2, strip);
}

BODY void sort_rows(float *rows, size_t count, size_t strip) {
    for (size_t size = 2; size <= count; size *= 2)
        for (size_t block = 0; block < count; block += size)
            merge_halves(rows + block * strip, size, strip);
}

/* --- a full run ------------------------------------------------------------------------------- */

/* The greatest [tail][STRIP] of the kept ones and the sorted run [count][STRIP]: the larger of the
 * i-th smallest kept and the i-th largest new value are a bitonic list of them. */
BODY void update_greatest(float *restrict kept, size_t tail, const float *restrict run,
                          size_t count, size_t strip) {
    for (size_t i = 0; i < count; i++) {
        float *restrict row = kept + i * strip;
        const float *restrict other = run + (count - 1 - i) * strip;
        for (size_t j = 0; j < strip; j++)
            row[j] = row[j] < other[j] ? other[j] : row[j];
    }
    sort_bitonic(kept, tail, strip);
}

/* `runs`: how many full runs came before this one. What was waiting is used up. */
BODY void fold_strip(const value_sketch_t *sketch, size_t strip, uint64_t runs) {
    size_t count = sketch->run;
    float *run = sketch->input + strip * count * STRIP, *both = sketch->scratch;
    sort_rows(run, count, sketch->strip);
    update_greatest(sketch->greatest + strip * sketch->tail * STRIP, sketch->tail, run, count,
                    sketch->strip);
    size_t level = 0;
    for (; runs >> level & 1; level++) {
        /* alternates from merge to merge of this level */
        size_t odd = (size_t)((runs + 1) >> (level + 1)) & 1;
        memcpy(both, sketch->level[level] + strip * count * STRIP, count * STRIP * sizeof *run);
        memcpy(both + count * STRIP, run, count * STRIP * sizeof *run);
        merge_halves(both, 2 * count, sketch->strip);
        for (size_t i = 0; i < count; i++)
            memcpy(run + i * STRIP, both + (2 * i + odd) * STRIP, STRIP * sizeof *run);
    }
    memcpy(sketch->level[level] + strip * count * STRIP, run, count * STRIP * sizeof *run);
}

BODY void fold_all(const value_sketch_t *sketch, uint64_t runs) {
    for (size_t strip = 0; strip < sketch->strips; strip++)
        fold_strip(sketch, strip, runs);
}

static void fold_plain(const value_sketch_t *sketch, uint64_t runs) {
    fold_all(sketch, runs);
}

#ifdef __x86_64__
__attribute__((target("avx2"))) static void fold_wide(const value_sketch_t *sketch, uint64_t runs) {
    fold_all(sketch, runs);
}
static int has_wide(void) {
    return __builtin_cpu_supports("avx2");
}
#else
static void fold_wide(const value_sketch_t *sketch, uint64_t runs) {
    fold_all(sketch, runs);
}
static int has_wide(void) {
    return 0;
}
#endif

/* Puts rows [count][columns] behind the `at` that wait. */
static void take_in(value_sketch_t *sketch, size_t at, const float *rows, size_t count) {
    for (size_t strip = 0; strip < sketch->strips; strip++) {
        size_t column = strip * STRIP;
        size_t width = sketch->columns - column < STRIP ? sketch->columns - column : STRIP;
        float *out = sketch->input + (strip * sketch->run + at) * STRIP;
        for (size_t i = 0; i < count; i++)
            memcpy(out + i * STRIP, rows + i * sketch->columns + column, width * sizeof *out);
    }
}

void value_sketch_add(value_sketch_t *sketch, const float *rows, size_t count) {
    assert(count <= sketch->expected - sketch->count);
    while (count > 0) {
        size_t at = sketch->exact ? (size_t)sketch->count : (size_t)(sketch->count % sketch->run);
        size_t now = count < sketch->run - at ? count : sketch->run - at;
        take_in(sketch, at, rows, now);
        sketch->count += now;
        rows += now * sketch->columns;
        count -= now;
        if (!sketch->exact && sketch->count % sketch->run == 0)
            (has_wide() ? fold_wide : fold_plain)(sketch, sketch->count / sketch->run - 1);
    }
}

uint64_t value_sketch_rows(const value_sketch_t *sketch) {
    return sketch->count;
}

/* --- reading ---------------------------------------------------------------------------------- */

typedef struct {
    float value;
    uint64_t weight;
} item_t;

static int compare_items(const void *a, const void *b) {
    float x = ((const item_t *)a)->value, y = ((const item_t *)b)->value;
    return (x > y) - (x < y);
}

/* Puts the first `rows` values of a column behind items [count]; returns how many
 * there are then. */
static size_t gather(const float *values, size_t plane_rows, size_t rows, size_t column,
                     uint64_t weight, item_t *items, size_t count) {
    const float *strip = values + column / STRIP * plane_rows * STRIP + column % STRIP;
    for (size_t i = 0; i < rows; i++)
        items[count + i] = (item_t){.value = strip[i * STRIP], .weight = weight};
    return count + rows;
}

/* items [middle] and items + middle [count - middle] are sorted; all of them are, afterwards.
 * scratch: [middle] */
static void merge_items(item_t *items, size_t middle, size_t count, item_t *scratch) {
    memcpy(scratch, items, middle * sizeof *items);
    for (size_t a = 0, b = middle, out = 0; a < middle; out++)
        items[out] = b < count && items[b].value < scratch[a].value ? items[b++] : scratch[a++];
}

/* Of sorted items: the smallest value up to which the weights reach `rank`. */
static float value_at(const item_t *items, size_t count, uint64_t rank) {
    uint64_t sum = 0;
    for (size_t i = 0; i < count; i++) {
        sum += items[i].weight;
        if (sum >= rank)
            return items[i].value;
    }
    return items[count - 1].value;
}

void value_sketch_quantiles(const value_sketch_t *sketch, size_t column, const double *q,
                            size_t count, float *out) {
    assert(sketch->count > 0);
    size_t waiting = sketch->exact ? (size_t)sketch->count : (size_t)(sketch->count % sketch->run);
    size_t most = waiting + sketch->tail + sketch->levels * sketch->run;
    item_t *all = MEMORY_NEW_ARRAY(most + 1, item_t),
           *greatest = MEMORY_NEW_ARRAY(most + 1, item_t);
    item_t *scratch = MEMORY_NEW_ARRAY(most + 1, item_t);
    size_t all_count = gather(sketch->input, sketch->run, waiting, column, 1, all, 0),
           greatest_count = waiting;
    qsort(all, waiting, sizeof *all, compare_items);
    if (!sketch->exact) {
        memcpy(greatest, all, waiting * sizeof *all);
        greatest_count =
            gather(sketch->greatest, sketch->tail, sketch->tail, column, 1, greatest, waiting);
        merge_items(greatest, waiting, greatest_count, scratch);
    }
    for (size_t i = 0; i < sketch->levels; i++) {
        if (!(sketch->count / sketch->run >> i & 1))
            continue;
        size_t middle = all_count;
        all_count = gather(sketch->level[i], sketch->run, sketch->run, column, UINT64_C(1) << i,
                           all, middle);
        merge_items(all, middle, all_count, scratch);
    }
    for (size_t i = 0; i < count; i++) {
        double place = ceil(q[i] * (double)sketch->count - 1e-9);
        uint64_t rank = place < 1                       ? 1
                        : place > (double)sketch->count ? sketch->count
                                                        : (uint64_t)place;
        uint64_t from_above = sketch->count - rank + 1;
        /* The -inf that stand for values which are not there yet have the lowest ranks. */
        out[i] = sketch->exact || from_above > sketch->tail
                     ? value_at(all, all_count, rank)
                     : greatest[greatest_count - from_above].value;
    }
    free(all);
    free(greatest);
    free(scratch);
}

/* --- saving ----------------------------------------------------------------------------------- */

static value_plane_t as_plane(const value_sketch_t *sketch, float *values, size_t rows) {
    return (value_plane_t){values, sketch->strips * rows * STRIP};
}

size_t value_sketch_planes(value_sketch_t *sketch, value_plane_t planes[VALUE_SKETCH_PLANES]) {
    size_t count = 0;
    planes[count++] = as_plane(sketch, sketch->input, sketch->run);
    if (!sketch->exact)
        planes[count++] = as_plane(sketch, sketch->greatest, sketch->tail);
    for (size_t i = 0; i < sketch->levels; i++)
        planes[count++] = as_plane(sketch, sketch->level[i], sketch->run);
    return count;
}

void value_sketch_resume(value_sketch_t *sketch, uint64_t rows) {
    assert(rows <= sketch->expected);
    sketch->count = rows;
}
