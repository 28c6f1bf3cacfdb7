/* neuron_stats_result.c - a neuron's record from what was kept, and the state as pieces. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/memory.h"
#include "core/subject/neuron_stats_private.h"

/* --- a neuron --------------------------------------------------------------------------------- */

static void add_record(record_list_t *list, const float *values, size_t length) {
    activation_record_t *record = &list->records[list->count++];
    record->count = length;
    record->activations = memory_copy(values, length * sizeof *values);
}

static void take_moments(const neuron_stats_t *stats, size_t number, neuron_record_t *neuron) {
    double n = (double)stats->options.excerpts * (double)stats->options.length,
           power[ACTIVATION_POWERS];
    for (size_t p = 0; p < ACTIVATION_POWERS; p++)
        power[p] = stats->sums[p * stats->total + number] / n;
    double m = power[0], variance = power[1] - m * m;
    neuron->mean = m;
    neuron->variance = variance > 0 ? variance : 0;
    /* A neuron that is as good as constant has no shape: what is left is rounding. */
    bool shaped = variance > 1e-12 * power[1];
    double third = power[2] - 3 * m * power[1] + 2 * m * m * m;
    double fourth = power[3] - 4 * m * power[2] + 6 * m * m * power[1] - 3 * m * m * m * m;
    neuron->skewness = shaped ? third / (variance * sqrt(variance)) : (double)NAN;
    neuron->kurtosis = shaped ? fourth / (variance * variance) : (double)NAN;
    neuron->has_above_zero = true;
    neuron->above_zero = (double)stats->above[number] / n;
}

static bool holds(const uint32_t *numbers, size_t count, uint32_t excerpt) {
    for (size_t i = 0; i < count; i++)
        if (numbers[i] == excerpt)
            return true;
    return false;
}

static const float *top_values(const neuron_stats_t *stats, size_t number, size_t place) {
    size_t top = stats->options.top;
    return stats->top_values +
           (number * top + stats->top_slot[number * top + place]) * stats->options.length;
}

/* A drawn list [size] at `at`; returns how many there are. */
static size_t take_drawn(const neuron_stats_t *stats, size_t at, size_t size, record_list_t *list,
                         uint32_t *numbers) {
    size_t length = stats->options.length, count = 0;
    list->records = MEMORY_NEW_ARRAY(size + 1, activation_record_t);
    for (; count < size && stats->drawn_excerpt[at + count] != NO_EXCERPT; count++) {
        numbers[count] = stats->drawn_excerpt[at + count];
        add_record(list, stats->drawn_values + (at + stats->drawn_slot[at + count]) * length,
                   length);
    }
    return count;
}

static size_t fill_band(const neuron_stats_t *stats, size_t number, size_t band, size_t count,
                        record_list_t *list, uint32_t *numbers) {
    const neuron_stats_options_t *o = &stats->options;
    for (size_t i = 0; i < o->top && count < o->band; i++) {
        size_t at = number * o->top + i;
        if (stats->top_excerpt[at] == NO_EXCERPT || holds(numbers, count, stats->top_excerpt[at]) ||
            neuron_stats_band(stats, number, stats->top_maximum[at]) != band)
            continue;
        numbers[count++] = stats->top_excerpt[at];
        add_record(list, top_values(stats, number, i), o->length);
    }
    return count;
}

static void find_name(const neuron_stats_t *stats, size_t number, neuron_record_t *neuron) {
    size_t layer = 0;
    while (stats->first[layer + 1] <= number)
        layer++;
    neuron->source = NEURON_SOURCE_SUBJECT;
    neuron->layer = (int32_t)layer;
    neuron->index = (int32_t)stats->chosen[layer][number - stats->first[layer]];
    neuron->id = memory_format("%d:%d", neuron->layer, neuron->index);
}

neuron_record_t *neuron_stats_neuron(const neuron_stats_t *stats, size_t number,
                                     uint32_t **numbers) {
    const neuron_stats_options_t *o = &stats->options;
    size_t size = o->random + NEURON_BANDS * o->band, at = number * size, count = 0;
    neuron_record_t *neuron = MEMORY_NEW(neuron_record_t);
    find_name(stats, number, neuron);
    *numbers = MEMORY_NEW_ARRAY(o->top + size + 1, uint32_t);
    neuron->top.records = MEMORY_NEW_ARRAY(o->top + 1, activation_record_t);
    for (size_t i = number * o->top;
         i < (number + 1) * o->top && stats->top_excerpt[i] != NO_EXCERPT; i++) {
        (*numbers)[count++] = stats->top_excerpt[i];
        add_record(&neuron->top, top_values(stats, number, i % o->top), o->length);
    }
    count += take_drawn(stats, at, o->random, &neuron->random, *numbers + count);
    for (size_t band = 0; band < NEURON_BANDS; band++) {
        size_t got = take_drawn(stats, at + o->random + band * o->band, o->band,
                                &neuron->bands[band], *numbers + count);
        count += fill_band(stats, number, band, got, &neuron->bands[band], *numbers + count);
    }
    neuron->has_quantiles = true;
    for (size_t q = 0; q < NEURON_QUANTILES; q++)
        neuron->quantiles[q] = (double)stats->boundaries[number * NEURON_QUANTILES + q];
    take_moments(stats, number, neuron);
    neuron->threshold = (double)NAN;
    neuron->baseline_score = (double)NAN;
    return neuron;
}

/* --- pieces ----------------------------------------------------------------------------------- */

typedef struct {
    neuron_stats_piece_t *pieces;
    size_t count, capacity;
} list_t;

/* Plane p has ids from p * 2^24 on. */
static void add_plane(list_t *list, uint32_t plane, void *bytes, size_t size) {
    for (size_t from = 0; from < size; from += NEURON_STATS_PIECE) {
        if (list->count == list->capacity) {
            list->capacity = list->capacity ? 2 * list->capacity : 64;
            list->pieces = memory_resize(list->pieces, list->capacity, sizeof *list->pieces);
        }
        list->pieces[list->count++] = (neuron_stats_piece_t){
            .id = plane << 24 | (uint32_t)(from / NEURON_STATS_PIECE),
            .bytes = (char *)bytes + from,
            .size = size - from < NEURON_STATS_PIECE ? size - from : NEURON_STATS_PIECE,
        };
    }
}

enum {
    PLANE_SUMS,
    PLANE_ABOVE,
    PLANE_TOP,
    PLANE_DRAWN = PLANE_TOP + 5,
    PLANE_SKETCH = PLANE_DRAWN + 5
};

neuron_stats_piece_t *neuron_stats_pieces(neuron_stats_t *stats, size_t *count) {
    const neuron_stats_options_t *o = &stats->options;
    list_t list = {0};
    size_t n = stats->total, kept = n * o->top, drawn = n * (o->random + NEURON_BANDS * o->band);
    add_plane(&list, PLANE_SUMS, stats->sums, ACTIVATION_POWERS * n * sizeof(double));
    add_plane(&list, PLANE_ABOVE, stats->above, n * sizeof(uint64_t));
    add_plane(&list, PLANE_TOP, stats->top_maximum, kept * sizeof(float));
    add_plane(&list, PLANE_TOP + 1, stats->top_excerpt, kept * sizeof(uint32_t));
    add_plane(&list, PLANE_TOP + 2, stats->top_values, kept * o->length * sizeof(float));
    add_plane(&list, PLANE_TOP + 3, stats->top_slot, kept * sizeof(uint16_t));
    add_plane(&list, PLANE_TOP + 4, stats->least, n * sizeof(float));
    if (stats->sampling) {
        add_plane(&list, PLANE_DRAWN, stats->boundaries, n * NEURON_QUANTILES * sizeof(float));
        add_plane(&list, PLANE_DRAWN + 1, stats->drawn_hash, drawn * sizeof(uint64_t));
        add_plane(&list, PLANE_DRAWN + 2, stats->drawn_excerpt, drawn * sizeof(uint32_t));
        add_plane(&list, PLANE_DRAWN + 3, stats->drawn_values, drawn * o->length * sizeof(float));
        add_plane(&list, PLANE_DRAWN + 4, stats->drawn_slot, drawn * sizeof(uint16_t));
    } else {
        value_plane_t planes[VALUE_SKETCH_PLANES];
        size_t plane_count = value_sketch_planes(stats->sketch, planes);
        for (size_t i = 0; i < plane_count; i++)
            add_plane(&list, PLANE_SKETCH + (uint32_t)i, planes[i].values,
                      planes[i].count * sizeof(float));
    }
    *count = list.count;
    return list.pieces;
}
