/* selection.c - texts to neurons. */
#include "actors/sweep/selection.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/memory.h"
#include "core/base/rng.h"
#include "core/base/text.h"

typedef struct {
    size_t layers, neurons;
    const bool *available;
    uint64_t seed;
    bool *chosen;
} selection_t;

static bool is_available(const selection_t *s, size_t at) {
    return !s->available || s->available[at];
}

static void choose_layer(const selection_t *s, size_t layer) {
    for (size_t at = layer * s->neurons; at < (layer + 1) * s->neurons; at++)
        s->chosen[at] = s->chosen[at] || is_available(s, at);
}

static void choose_random(const selection_t *s, size_t most) {
    size_t *places = MEMORY_NEW_ARRAY(s->neurons, size_t);
    for (size_t layer = 0; layer < s->layers; layer++) {
        rng_t rng = rng_create(s->seed);
        rng_t own = rng_fork(&rng, layer);
        size_t count = 0;
        for (size_t at = layer * s->neurons; at < (layer + 1) * s->neurons; at++)
            if (is_available(s, at))
                places[count++] = at;
        rng_shuffle(&own, places, count);
        for (size_t i = 0; i < count && i < most; i++)
            s->chosen[places[i]] = true;
    }
    free(places);
}

/* A number and nothing behind it. */
static bool read_number(const char *text, unsigned *number) {
    char rest;
    return *text >= '0' && *text <= '9' && strlen(text) < 10 &&
           sscanf(text, "%u%c", number, &rest) == 1;
}

static bool read_pair(const char *text, unsigned *layer, unsigned *neuron) {
    const char *colon = strchr(text, ':');
    char first[16];
    if (!colon || colon - text >= (long)sizeof first)
        return false;
    snprintf(first, sizeof first, "%.*s", (int)(colon - text), text);
    return read_number(first, layer) && read_number(colon + 1, neuron);
}

static bool choose(const selection_t *s, const char *text, error_info_t *error) {
    unsigned a, b;
    if (!strcmp(text, "all")) {
        for (size_t layer = 0; layer < s->layers; layer++)
            choose_layer(s, layer);
    } else if (text_starts_with(text, "layer:") && read_number(text + 6, &a)) {
        if (a >= s->layers)
            return error_set(error, ERROR_CONFIG, "\"%s\": the layers are 0 to %zu", text,
                             s->layers - 1);
        choose_layer(s, a);
    } else if (text_starts_with(text, "random:") && read_number(text + 7, &a) && a > 0) {
        choose_random(s, a);
    } else if (read_pair(text, &a, &b)) {
        if (a >= s->layers || b >= s->neurons)
            return error_set(error, ERROR_CONFIG,
                             "\"%s\": the layers are 0 to %zu, the neurons of each 0 to %zu", text,
                             s->layers - 1, s->neurons - 1);
        if (!is_available(s, a * s->neurons + b))
            return error_set(error, ERROR_CONFIG,
                             "\"%s\": that neuron is not recorded; add it to record.neurons", text);
        s->chosen[a * s->neurons + b] = true;
    } else {
        return error_set(
            error, ERROR_CONFIG,
            "\"%s\": neurons are \"all\", LAYER:NEURON, layer:LAYER or random:SO_MANY_PER_LAYER",
            text);
    }
    return true;
}

bool selection_choose(const char *const *texts, size_t count, size_t layers, size_t neurons,
                      const bool *available, uint64_t seed, bool *chosen, error_info_t *error) {
    selection_t s = {.layers = layers,
                     .neurons = neurons,
                     .available = available,
                     .seed = seed,
                     .chosen = chosen};
    memset(chosen, 0, layers * neurons * sizeof *chosen);
    for (size_t i = 0; i < count; i++)
        if (!choose(&s, texts[i], error))
            return false;
    for (size_t at = 0; at < layers * neurons; at++)
        if (chosen[at])
            return true;
    return error_set(error, ERROR_CONFIG, "no neuron is chosen");
}
