/* neuron.c - splits, threshold and maximum of a neuron record; releasing one. */
#include "core/neuron/neuron.h"

#include <math.h>
#include <stdlib.h>

#include "core/base/memory.h"

enum {
    SPLIT_TOP = 20, /* records of each kind that the splits are made from */
    SPLIT_RANDOM = 15,
    TOP_STRIDE = 4,
    RANDOM_STRIDE = 3,
    QUANTILE_THRESHOLD = 1, /* the 0.9 boundary */
};

static const double PUZZLE_THRESHOLD = 1.0;

/* Appends records first, first + stride, ... of the first `limit`. */
static void take_records(split_list_t *split, const record_list_t *list, size_t first,
                         size_t stride, size_t limit) {
    size_t end = list->count < limit ? list->count : limit;
    for (size_t i = first; i < end; i += stride)
        split->records[split->count++] = &list->records[i];
}

static void split_subject(split_list_t *split, const neuron_record_t *neuron, split_t which) {
    take_records(split, &neuron->top, (size_t)which, TOP_STRIDE, SPLIT_TOP);
    if (which != SPLIT_TRAIN)
        take_records(split, &neuron->random, (size_t)which - 1, RANDOM_STRIDE, SPLIT_RANDOM);
}

split_list_t neuron_split(const neuron_record_t *neuron, split_t which) {
    split_list_t split = {.records = MEMORY_NEW_ARRAY(neuron->top.count + neuron->random.count + 1,
                                                      const activation_record_t *)};
    if (neuron->source == NEURON_SOURCE_SUBJECT)
        split_subject(&split, neuron, which);
    else if (which == SPLIT_TRAIN)
        take_records(&split, &neuron->top, 0, 1, neuron->top.count);
    else if (which == SPLIT_VALID)
        take_records(&split, &neuron->random, 0, 1, neuron->random.count);
    return split;
}

void neuron_split_free(split_list_t *list) {
    free(list->records);
    *list = (split_list_t){0};
}

bool neuron_threshold(const neuron_record_t *neuron, double *threshold) {
    *threshold = neuron->threshold;
    if (isnan(*threshold) && neuron->has_quantiles)
        *threshold = neuron->quantiles[QUANTILE_THRESHOLD];
    if (isnan(*threshold) && neuron->source != NEURON_SOURCE_SUBJECT)
        *threshold = PUZZLE_THRESHOLD;
    return !isnan(*threshold);
}

float neuron_max_activation(const split_list_t *list) {
    bool any = false;
    float maximum = 0;
    for (size_t i = 0; i < list->count; i++) {
        const activation_record_t *record = list->records[i];
        for (size_t j = 0; j < record->count; j++) {
            if (!any || record->activations[j] > maximum)
                maximum = record->activations[j];
            any = true;
        }
    }
    return maximum;
}

void activation_record_free(activation_record_t *record) {
    for (size_t i = 0; record->tokens && i < record->count; i++)
        free(record->tokens[i].bytes);
    free(record->tokens);
    free(record->activations);
    *record = (activation_record_t){0};
}

static void free_list(record_list_t *list) {
    for (size_t i = 0; i < list->count; i++)
        activation_record_free(&list->records[i]);
    free(list->records);
    *list = (record_list_t){0};
}

void neuron_record_free(neuron_record_t *neuron) {
    if (!neuron)
        return;
    free_list(&neuron->top);
    free_list(&neuron->random);
    for (size_t i = 0; i < NEURON_BANDS; i++)
        free_list(&neuron->bands[i]);
    free(neuron->id);
    free(neuron->explanation);
    free(neuron);
}
