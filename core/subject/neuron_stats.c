/* neuron_stats.c - the two passes, and what is kept of each neuron. (What comes out:
 * neuron_stats_result.c.) */
#include "core/subject/neuron_stats.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/memory.h"
#include "core/subject/neuron_stats_private.h"

uint64_t neuron_stats_mix(uint64_t a, uint64_t b) {
    uint64_t x = a + UINT64_C(0x9E3779B97F4A7C15) * (b + 1);
    x = (x ^ x >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    x = (x ^ x >> 27) * UINT64_C(0x94D049BB133111EB);
    return x ^ x >> 31;
}

/* --- making one ------------------------------------------------------------------------------- */

static size_t list_records(const neuron_stats_options_t *o) {
    return o->random + NEURON_BANDS * o->band;
}

size_t neuron_stats_bytes(const neuron_stats_options_t *o) {
    size_t record = o->length * sizeof(float);
    size_t always = o->top * (record + 10) + ACTIVATION_POWERS * sizeof(double) + sizeof(uint64_t) +
                    sizeof(float);
    size_t first = always + value_sketch_bytes_a_column(o->excerpts);
    size_t second = always + list_records(o) * (record + 14) + NEURON_QUANTILES * sizeof(float);
    return first > second ? first : second;
}

static void take_choice(neuron_stats_t *stats, const neuron_stats_options_t *o) {
    stats->chosen = MEMORY_NEW_ARRAY(o->layers + 1, uint32_t *);
    stats->first = MEMORY_NEW_ARRAY(o->layers + 1, size_t);
    stats->locks = MEMORY_NEW_ARRAY(o->layers + 1, pthread_mutex_t);
    for (size_t i = 0; i < o->layers; i++) {
        pthread_mutex_init(&stats->locks[i], NULL);
        stats->chosen[i] = MEMORY_NEW_ARRAY(o->counts[i] + 1, uint32_t);
        if (o->counts[i])
            memcpy(stats->chosen[i], o->chosen[i], o->counts[i] * sizeof(uint32_t));
        stats->first[i + 1] = stats->first[i] + o->counts[i];
    }
    stats->total = stats->first[o->layers];
}

typedef struct {
    uint64_t priority;
    uint32_t excerpt;
} draw_t;

static int compare_draws(const void *a, const void *b) {
    const draw_t *x = a, *y = b;
    return x->priority != y->priority ? (x->priority > y->priority) - (x->priority < y->priority)
                                      : (x->excerpt > y->excerpt) - (x->excerpt < y->excerpt);
}

static int compare_numbers(const void *a, const void *b) {
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static void draw_sample(neuron_stats_t *stats) {
    size_t excerpts = stats->options.excerpts;
    draw_t *draws = MEMORY_NEW_ARRAY(excerpts, draw_t);
    for (size_t i = 0; i < excerpts; i++)
        draws[i] = (draw_t){.priority =
                                neuron_stats_mix(stats->options.seed ^ UINT64_C(0x53616D706C65), i),
                            .excerpt = (uint32_t)i};
    qsort(draws, excerpts, sizeof *draws, compare_draws);
    stats->sample_count = excerpts < NEURON_STATS_SAMPLE ? excerpts : NEURON_STATS_SAMPLE;
    if (list_records(&stats->options) == 0)
        stats->sample_count = 0;
    stats->sample = MEMORY_NEW_ARRAY(stats->sample_count + 1, uint32_t);
    for (size_t i = 0; i < stats->sample_count; i++)
        stats->sample[i] = draws[i].excerpt;
    qsort(stats->sample, stats->sample_count, sizeof *stats->sample, compare_numbers);
    free(draws);
}

neuron_stats_t *neuron_stats_create(const neuron_stats_options_t *options) {
    neuron_stats_t *stats = MEMORY_NEW(neuron_stats_t);
    stats->options = *options;
    take_choice(stats, options);
    stats->options.counts = NULL;
    stats->options.chosen = NULL;
    size_t kept = stats->total * options->top;
    stats->sums = MEMORY_NEW_ARRAY(ACTIVATION_POWERS * stats->total + 1, double);
    stats->above = MEMORY_NEW_ARRAY(stats->total + 1, uint64_t);
    stats->sketch = value_sketch_create(stats->total, options->excerpts);
    stats->least = MEMORY_NEW_ARRAY(stats->total + 1, float);
    stats->top_slot = MEMORY_NEW_ARRAY(kept + 1, uint16_t);
    stats->top_maximum = MEMORY_NEW_ARRAY(kept + 1, float);
    stats->top_excerpt = MEMORY_NEW_ARRAY(kept + 1, uint32_t);
    stats->top_values = MEMORY_NEW_ARRAY(kept * options->length + 1, float);
    for (size_t i = 0; i < kept; i++) {
        stats->top_maximum[i] = -INFINITY;
        stats->top_excerpt[i] = NO_EXCERPT;
        stats->top_slot[i] = (uint16_t)(i % options->top);
    }
    for (size_t i = 0; i < stats->total; i++)
        stats->least[i] = -INFINITY;
    draw_sample(stats);
    return stats;
}

void neuron_stats_free(neuron_stats_t *stats) {
    if (!stats)
        return;
    for (size_t i = 0; i < stats->options.layers; i++) {
        pthread_mutex_destroy(&stats->locks[i]);
        free(stats->chosen[i]);
    }
    void *const owned[] = {
        stats->chosen,      stats->first,         stats->locks,      stats->sums,
        stats->above,       stats->least,         stats->top_slot,   stats->top_maximum,
        stats->top_excerpt, stats->top_values,    stats->sample,     stats->boundaries,
        stats->drawn_hash,  stats->drawn_excerpt, stats->drawn_slot, stats->drawn_values};
    for (size_t i = 0; i < sizeof owned / sizeof owned[0]; i++)
        free(owned[i]);
    value_sketch_free(stats->sketch);
    free(stats);
}

size_t neuron_stats_count(const neuron_stats_t *stats) {
    return stats->total;
}

/* --- one batch -------------------------------------------------------------------------------- */

struct neuron_stats_batch {
    neuron_stats_t *stats;
    size_t most, count;
    const uint32_t *excerpts; /* [count] */
    double *sums;             /* [ACTIVATION_POWERS][total] */
    int32_t *above;           /* [total] */
    float *maxima;            /* [most][total] */
    /* [most][total]: what goes into the sketch, if that is not the maxima */
    float *values;
    /* [most * length][neurons]: the chosen columns, where not all are chosen */
    float *picked;
};

neuron_stats_batch_t *neuron_stats_batch_create(neuron_stats_t *stats, size_t excerpts) {
    neuron_stats_batch_t *batch = MEMORY_NEW(neuron_stats_batch_t);
    const neuron_stats_options_t *o = &stats->options;
    batch->stats = stats;
    batch->most = excerpts;
    batch->sums = MEMORY_NEW_ARRAY(ACTIVATION_POWERS * stats->total + 1, double);
    batch->above = MEMORY_NEW_ARRAY(stats->total + 1, int32_t);
    batch->maxima = MEMORY_NEW_ARRAY(excerpts * stats->total + 1, float);
    batch->values = o->of_tokens ? MEMORY_NEW_ARRAY(excerpts * stats->total + 1, float) : NULL;
    if (stats->total < o->layers * o->neurons)
        batch->picked = MEMORY_NEW_ARRAY(excerpts * o->length * o->neurons, float);
    return batch;
}

void neuron_stats_batch_free(neuron_stats_batch_t *batch) {
    if (!batch)
        return;
    free(batch->sums);
    free(batch->above);
    free(batch->maxima);
    free(batch->values);
    free(batch->picked);
    free(batch);
}

void neuron_stats_batch_start(neuron_stats_batch_t *batch, const uint32_t *excerpts, size_t count) {
    assert(count >= 1 && count <= batch->most);
    batch->excerpts = excerpts;
    batch->count = count;
}

/* The chosen columns side by side: [tokens][chosen]. */
static const float *pick(neuron_stats_batch_t *batch, size_t layer, const float *activations) {
    const neuron_stats_t *stats = batch->stats;
    size_t neurons = stats->options.neurons, chosen = stats->first[layer + 1] - stats->first[layer];
    if (chosen == neurons)
        return activations;
    for (size_t t = 0; t < batch->count * stats->options.length; t++)
        for (size_t i = 0; i < chosen; i++)
            batch->picked[t * chosen + i] = activations[t * neurons + stats->chosen[layer][i]];
    return batch->picked;
}

static void copy_record(const float *column, size_t stride, size_t length, float *out) {
    for (size_t i = 0; i < length; i++)
        out[i] = column[i * stride];
}

/* `column` [length] with `stride`: the record. Those that are kept stand in order, the best first;
 * their activations stay where they are. */
static void keep_top(neuron_stats_t *stats, size_t number, uint32_t excerpt, float maximum,
                     const float *column, size_t stride) {
    size_t top = stats->options.top, length = stats->options.length;
    float *maxima = stats->top_maximum + number * top;
    uint32_t *excerpts = stats->top_excerpt + number * top;
    uint16_t *slots = stats->top_slot + number * top, slot = slots[top - 1];
    size_t at = top;
    while (at > 0 &&
           (maximum > maxima[at - 1] || (maximum == maxima[at - 1] && excerpt < excerpts[at - 1])))
        at--;
    if (at == top)
        return;
    size_t behind = top - 1 - at;
    memmove(maxima + at + 1, maxima + at, behind * sizeof *maxima);
    memmove(excerpts + at + 1, excerpts + at, behind * sizeof *excerpts);
    memmove(slots + at + 1, slots + at, behind * sizeof *slots);
    maxima[at] = maximum;
    excerpts[at] = excerpt;
    slots[at] = slot;
    stats->least[number] = maxima[top - 1];
    copy_record(column, stride, length, stats->top_values + (number * top + slot) * length);
}

/* Most records are kept by no neuron near: a look at BLOCK of them at once. */
static void keep_tops(neuron_stats_t *stats, size_t first, size_t count, uint32_t excerpt,
                      const float *maxima, const float *activations) {
    enum { BLOCK = 64 };
    const float *least = stats->least + first;
    for (size_t from = 0; from < count; from += BLOCK) {
        size_t end = count - from < BLOCK ? count : from + BLOCK;
        int any = 0;
        for (size_t i = from; i < end; i++)
            any |= maxima[i] >= least[i];
        for (size_t i = from; any && i < end; i++)
            if (maxima[i] >= least[i])
                keep_top(stats, first + i, excerpt, maxima[i], activations + i, count);
    }
}

static void visit_first(neuron_stats_batch_t *batch, size_t layer, const float *activations) {
    neuron_stats_t *stats = batch->stats;
    size_t first = stats->first[layer], chosen = stats->first[layer + 1] - first;
    size_t length = stats->options.length;
    activation_pass(activations, batch->count, length, chosen, stats->total, batch->sums + first,
                    batch->above + first, batch->maxima + first);
    for (size_t e = 0; batch->values && e < batch->count; e++) {
        size_t place = (size_t)(neuron_stats_mix(stats->options.seed ^ UINT64_C(0x546F6B656E),
                                                 batch->excerpts[e]) %
                                length);
        memcpy(batch->values + e * stats->total + first,
               activations + (e * length + place) * chosen, chosen * sizeof(float));
    }
    /* What is kept does not depend on the order in which batches come here. */
    pthread_mutex_lock(&stats->locks[layer]);
    for (size_t e = 0; e < batch->count; e++)
        keep_tops(stats, first, chosen, batch->excerpts[e],
                  batch->maxima + e * stats->total + first, activations + e * length * chosen);
    pthread_mutex_unlock(&stats->locks[layer]);
}

/* Keeps the records of the least hashes of a list [size], in order. */
static void keep_drawn(neuron_stats_t *stats, size_t at, size_t size, uint64_t hash,
                       uint32_t excerpt, const float *column, size_t stride) {
    size_t length = stats->options.length, i = size;
    uint64_t *hashes = stats->drawn_hash + at;
    uint32_t *excerpts = stats->drawn_excerpt + at;
    uint16_t *slots = stats->drawn_slot + at, slot = size ? slots[size - 1] : 0;
    while (i > 0 && (hash < hashes[i - 1] || excerpts[i - 1] == NO_EXCERPT))
        i--;
    if (i == size)
        return;
    memmove(hashes + i + 1, hashes + i, (size - 1 - i) * sizeof *hashes);
    memmove(excerpts + i + 1, excerpts + i, (size - 1 - i) * sizeof *excerpts);
    memmove(slots + i + 1, slots + i, (size - 1 - i) * sizeof *slots);
    hashes[i] = hash;
    excerpts[i] = excerpt;
    slots[i] = slot;
    copy_record(column, stride, length, stats->drawn_values + (at + slot) * length);
}

size_t neuron_stats_band(const neuron_stats_t *stats, size_t number, float maximum) {
    const float *boundaries = stats->boundaries + number * NEURON_QUANTILES;
    size_t band = 0;
    while (band < NEURON_QUANTILES && maximum > boundaries[band])
        band++;
    return band;
}

static void visit_second(neuron_stats_batch_t *batch, size_t layer, const float *activations) {
    neuron_stats_t *stats = batch->stats;
    const neuron_stats_options_t *o = &stats->options;
    size_t first = stats->first[layer], chosen = stats->first[layer + 1] - first,
           size = list_records(o);
    activation_maxima(activations, batch->count, o->length, chosen, stats->total,
                      batch->maxima + first);
    pthread_mutex_lock(&stats->locks[layer]);
    for (size_t i = 0; i < chosen; i++) {
        uint64_t neuron =
            neuron_stats_mix(o->seed, (uint64_t)layer << 32 | stats->chosen[layer][i]);
        size_t at = (first + i) * size;
        for (size_t e = 0; e < batch->count; e++) {
            const float *column = activations + e * o->length * chosen + i;
            uint64_t hash = neuron_stats_mix(neuron, batch->excerpts[e]);
            size_t band =
                neuron_stats_band(stats, first + i, batch->maxima[e * stats->total + first + i]);
            keep_drawn(stats, at, o->random, hash, batch->excerpts[e], column, chosen);
            /* Another hash: otherwise the bands' samples would be the random ones again. */
            keep_drawn(stats, at + o->random + band * o->band, o->band, neuron_stats_mix(hash, 1),
                       batch->excerpts[e], column, chosen);
        }
    }
    pthread_mutex_unlock(&stats->locks[layer]);
}

void neuron_stats_visit(void *context, size_t layer, const float *activations) {
    neuron_stats_batch_t *batch = context;
    if (batch->stats->first[layer] == batch->stats->first[layer + 1])
        return;
    const float *columns = pick(batch, layer, activations);
    (batch->stats->sampling ? visit_second : visit_first)(batch, layer, columns);
}

/* --- all batches ------------------------------------------------------------------------------ */

void neuron_stats_merge(neuron_stats_t *stats, const neuron_stats_batch_t *batch) {
    stats->merged += batch->count;
    if (stats->sampling)
        return;
    for (size_t i = 0; i < ACTIVATION_POWERS * stats->total; i++)
        stats->sums[i] += batch->sums[i];
    for (size_t i = 0; i < stats->total; i++)
        stats->above[i] += (uint64_t)batch->above[i];
    value_sketch_add(stats->sketch, batch->values ? batch->values : batch->maxima, batch->count);
}

size_t neuron_stats_merged(const neuron_stats_t *stats) {
    return stats->merged;
}

bool neuron_stats_sampling(const neuron_stats_t *stats) {
    return stats->sampling;
}

/* Memory for the second pass; the boundaries are not filled in. */
static void begin_sampling(neuron_stats_t *stats) {
    const neuron_stats_options_t *o = &stats->options;
    size_t size = list_records(o), drawn = stats->total * size;
    stats->boundaries = MEMORY_NEW_ARRAY(stats->total * NEURON_QUANTILES + 1, float);
    stats->drawn_hash = MEMORY_NEW_ARRAY(drawn + 1, uint64_t);
    stats->drawn_excerpt = MEMORY_NEW_ARRAY(drawn + 1, uint32_t);
    stats->drawn_slot = MEMORY_NEW_ARRAY(drawn + 1, uint16_t);
    stats->drawn_values = MEMORY_NEW_ARRAY(drawn * o->length + 1, float);
    for (size_t i = 0; i < drawn; i++) {
        size_t in_list = i % size;
        stats->drawn_excerpt[i] = NO_EXCERPT;
        stats->drawn_slot[i] =
            (uint16_t)(in_list < o->random ? in_list : (in_list - o->random) % o->band);
    }
    stats->sampling = true;
    stats->merged = 0;
}

void neuron_stats_sample(neuron_stats_t *stats, const uint32_t **excerpts, size_t *count) {
    static const double quantiles[NEURON_QUANTILES] = {0.5, 0.9, 0.99, 0.999};
    *excerpts = stats->sample;
    *count = stats->sample_count;
    if (stats->sampling)
        return;
    begin_sampling(stats);
    for (size_t i = 0; i < stats->total; i++)
        value_sketch_quantiles(stats->sketch, i, quantiles, NEURON_QUANTILES,
                               stats->boundaries + i * NEURON_QUANTILES);
    value_sketch_free(stats->sketch);
    stats->sketch = NULL;
}

/* --- going on --------------------------------------------------------------------------------- */

bool neuron_stats_resume(neuron_stats_t *stats, bool sampling, size_t merged) {
    if (merged > (sampling ? stats->sample_count : stats->options.excerpts))
        return false;
    if (sampling) {
        begin_sampling(stats);
        value_sketch_free(stats->sketch);
        stats->sketch = NULL;
    } else {
        value_sketch_resume(stats->sketch, merged);
    }
    stats->merged = merged;
    return true;
}
