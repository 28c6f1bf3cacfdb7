/* draw_layers.c - which layers a set has neurons of, and which it lacks. */
#include <stdlib.h>
#include <string.h>

#include "actors/sweep/draw.h"
#include "actors/sweep/neuron_names.h"
#include "core/base/memory.h"

/* Neurons of each layer [NEURON_NAMES_MAX_LAYERS], and the last layer that has one. */
static uint32_t *count_layers(store_txn_t *txn, hash_t content, uint32_t count,
                              draw_layers_t *layers) {
    uint32_t *counts = MEMORY_NEW_ARRAY(NEURON_NAMES_MAX_LAYERS, uint32_t);
    for (uint32_t i = 0; i < count; i++) {
        hash_t neuron;
        char *id = NULL;
        neuron_name_t name;
        if (records_set_member(txn, content, i, &neuron, &id) &&
            neuron_name_parse(id, strlen(id), &name) && name.layer < NEURON_NAMES_MAX_LAYERS) {
            counts[name.layer]++;
            layers->first =
                layers->first < 0 || name.layer < layers->first ? name.layer : layers->first;
            layers->last = name.layer > layers->last ? name.layer : layers->last;
        }
        free(id);
    }
    return counts;
}

static char *take_text(buffer_t *text) {
    char *result = text->length ? memory_copy(text->data, text->length) : NULL;
    buffer_free(text);
    return result;
}

void draw_layers(store_txn_t *txn, const set_settings_t *set, hash_t content, uint32_t count,
                 draw_layers_t *layers) {
    *layers = (draw_layers_t){.neurons = count, .first = -1, .last = -1};
    uint32_t *counts = count_layers(txn, content, count, layers);
    bool by_layer = set->select == SELECT_TOP_PER_LAYER ||
                    ((set->select == SELECT_RANDOM || set->select == SELECT_RANDOM_INTERPRETABLE) &&
                     set->count == 0);
    buffer_t lacking = BUFFER_EMPTY, short_of = BUFFER_EMPTY;
    for (int32_t layer = 0; layer <= layers->last; layer++)
        if (counts[layer] == 0)
            buffer_append_format(&lacking, "%s%d", lacking.length ? ", " : "", layer);
        else if (by_layer && counts[layer] < set->per_layer)
            buffer_append_format(&short_of, "%s%d (%u of %lld)", short_of.length ? ", " : "", layer,
                                 counts[layer], (long long)set->per_layer);
    layers->lacking = take_text(&lacking);
    layers->short_of = take_text(&short_of);
    free(counts);
}

void draw_layers_clear(draw_layers_t *layers) {
    free(layers->lacking);
    free(layers->short_of);
    *layers = (draw_layers_t){0};
}
