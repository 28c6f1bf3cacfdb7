/* forward.h - what a worker needs to take a batch of excerpts through the model: its memory, and
 * what it summed up.
 */
#ifndef GLIA_ACTORS_RECORDER_FORWARD_H
#define GLIA_ACTORS_RECORDER_FORWARD_H

#include "core/subject/corpus.h"
#include "core/subject/gpt2.h"
#include "core/subject/neuron_stats.h"

typedef struct forward forward_t;

/* For batches of `batch` excerpts. All that is named outlives it. NULL: CONFIG, the batch does not
 * fit the model. */
forward_t *forward_create(const gpt2_t *model, const excerpts_t *excerpts, neuron_stats_t *stats,
                          size_t batch, error_info_t *error);
void forward_free(forward_t *forward); /* NULL is fine */

/* Of the excerpts with these numbers [count <= batch]; borrowed until the merge. Computes: for a
 * worker, each with a forward of its own. False: FATAL, an activation is not finite. */
bool forward_run(forward_t *forward, const uint32_t *numbers, size_t count, error_info_t *error);
/* Adds what the last run summed up to the statistics. Computes: for a worker, one at a time. */
void forward_merge(forward_t *forward);

#endif
