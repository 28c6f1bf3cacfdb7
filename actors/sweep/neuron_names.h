/* neuron_names.h - layers and neurons as people name them: "0-3,7", "5:131,5:132", "@list.csv". */
#ifndef GLIA_ACTORS_SWEEP_NEURON_NAMES_H
#define GLIA_ACTORS_SWEEP_NEURON_NAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/error.h"

enum { NEURON_NAMES_MAX_LAYERS = 10000, NEURON_NAMES_MAX = 10000000 };

typedef struct {
    int32_t layer, index;
} neuron_name_t;

typedef struct {
    size_t count;
    neuron_name_t *names; /* [count], in the order given; owned */
} neuron_name_list_t;

typedef struct {
    size_t count;
    int32_t *layers; /* [count], in the order given, none twice; owned */
} layer_list_t;

/* "L:N,L:N,..." or "@FILE", a CSV with columns layer and neuron or JSONL with such members. Errors:
 * USAGE; CONFIG for the file, with its line. A name given twice is an error. Released with
 * free(list->names). */
bool neuron_names_parse(const char *text, neuron_name_list_t *list, error_info_t *error);
/* "L", "L-M" and lists of them. Released with free(list->layers). */
bool neuron_layers_parse(const char *text, layer_list_t *list, error_info_t *error);
/* "L:N" and nothing else. */
bool neuron_name_parse(const char *text, size_t length, neuron_name_t *name);

#endif
