/* selection.h - which neurons of a model are meant: the lists of texts of record.neurons
 * and sets.*.neurons.
 *
 *   "all"        every neuron             "layer:5"    those of a layer
 *   "5:131"      one                      "random:16"  so many of each layer, drawn with the seed
 */
#ifndef GLIA_ACTORS_SWEEP_SELECTION_H
#define GLIA_ACTORS_SWEEP_SELECTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/error.h"

/* Marks in chosen [layers * neurons] what the texts mean, among those that are available (NULL:
 * all); "random:" draws among these. Errors (CONFIG), to be prefixed with the key: no such form, a
 * layer or neuron that the model does not have or that is not available, nothing chosen. */
bool selection_choose(const char *const *texts, size_t count, size_t layers, size_t neurons,
                      const bool *available, uint64_t seed, bool *chosen, error_info_t *error);

#endif
