/* neuron_stats.h - what is kept of every neuron while excerpts go through the subject model.
 *
 * Two passes. The first goes over all excerpts and keeps, of each chosen neuron:
 *   - the `top` records of greatest maximum, with their activations (ties: the lower
 *     excerpt number); exact;
 *   - sums of the first four powers and the tokens above zero; exact but for the rounding of
 *     doubles, in fixed order;
 *   - a sketch (value_sketch.h) of the record maxima, or (`of_tokens`) of the activation of one
 *     token of each excerpt, whose place is drawn with the seed, for the boundaries at 0.5,
 *     0.9, 0.99 and 0.999.
 * The second goes over a random sample of the excerpts (NEURON_STATS_SAMPLE of them, or all if
 * there are fewer) and keeps `random` records, and `band` records of each quantile band: band b
 * holds the records whose maximum is above boundary b - 1 and not above boundary b. Which ones
 * is decided by a hash of (seed, layer, neuron, excerpt), so that each is a uniform sample
 * without replacement, the neurons' samples are independent, and nothing depends on order. A
 * band of which the sample has too few is filled up from the top records; the highest band
 * usually is. One pass is not enough: which band a record is in is known at the end only, and
 * its activations are gone by then.
 *
 * Results depend on the excerpts and the options alone, not on the number of workers: every batch
 * is summed up by itself (neuron_stats_visit, any thread), and batches are merged in order
 * (neuron_stats_merge).
 *
 * Memory of one neuron: neuron_stats_bytes(). With 60,000 excerpts of 64 tokens, top = random = 20,
 * band = 5: 18.7 kB in the first pass (sketch 13.3, top 5.4), 17.5 kB in the second (the sketch is
 * gone by then); 5.7 GB for the 307,200 neurons of GPT-2 XL.
 */
#ifndef GLIA_SUBJECT_NEURON_STATS_H
#define GLIA_SUBJECT_NEURON_STATS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/neuron/neuron.h"

enum { NEURON_STATS_SAMPLE = 1024, NEURON_STATS_MOST_KEPT = 1024 };

typedef struct {
    size_t layers, neurons; /* of the model: layers, neurons of a layer */
    /* [layers]: chosen neurons of each layer; borrowed during create */
    size_t *counts;
    const uint32_t *const *chosen; /* [layers][counts]: ascending; borrowed during create */
    size_t excerpts, length;       /* how many excerpts there are; tokens of one */
    /* records to keep, each at most NEURON_STATS_MOST_KEPT; top >= 1 */
    size_t top, random, band;
    bool of_tokens;
    uint64_t seed;
} neuron_stats_options_t;

typedef struct neuron_stats neuron_stats_t;
typedef struct neuron_stats_batch neuron_stats_batch_t;

neuron_stats_t *neuron_stats_create(const neuron_stats_options_t *options);
void neuron_stats_free(neuron_stats_t *stats);          /* its batches first; NULL is fine */
size_t neuron_stats_count(const neuron_stats_t *stats); /* chosen neurons of all layers */
/* The larger of both passes, for one neuron. */
size_t neuron_stats_bytes(const neuron_stats_options_t *options);

/* --- one batch; for one thread at a time ------------------------------------------------------ */

/* A batch of at most `excerpts` excerpts. */
neuron_stats_batch_t *neuron_stats_batch_create(neuron_stats_t *stats, size_t excerpts);
void neuron_stats_batch_free(neuron_stats_batch_t *batch);
/* Starts over: the batch holds the excerpts of these numbers (count 1..excerpts; borrowed until
 * the next start). */
void neuron_stats_batch_start(neuron_stats_batch_t *batch, const uint32_t *excerpts, size_t count);
/* A gpt2_visit_fn, `context` is the batch: sums up a layer [>= count * length][neurons], and keeps
 * records of it. Several threads may do this with batches of their own. */
void neuron_stats_visit(void *context, size_t layer, const float *activations);

/* --- all batches ------------------------------------------------------------------------------ */

/* Adds a batch of which all layers were visited; in order of the batches. One thread;
 * others may visit. */
void neuron_stats_merge(neuron_stats_t *stats, const neuron_stats_batch_t *batch);
/* Excerpts that were merged, in this pass. */
size_t neuron_stats_merged(const neuron_stats_t *stats);

/* From the first pass to the second: fixes the boundaries and lets the sketch go. Nobody visits
 * meanwhile. `excerpts` (borrowed from stats) [count] are those to go over, ascending. May be
 * called again: does nothing but tell them. */
void neuron_stats_sample(neuron_stats_t *stats, const uint32_t **excerpts, size_t *count);
bool neuron_stats_sampling(const neuron_stats_t *stats);

/* --- what came out ---------------------------------------------------------------------------- */

/* Of chosen neuron `number` (0.. in order of layer and neuron), after both passes: a record as in
 * neuron.h without tokens; record i of a list is of the excerpt numbers[i], and the lists (top,
 * random, bands) follow each other in `numbers` (owned by the caller, as the neuron:
 * neuron_record_free). */
neuron_record_t *neuron_stats_neuron(const neuron_stats_t *stats, size_t number,
                                     uint32_t **numbers);

/* --- saving and going on ---------------------------------------------------------------------- */

/* The state between two merges as pieces of memory: to be copied out and, in another process
 * with the same options, back in. `id` names a piece for good. The pieces change when the
 * second pass begins. */
typedef struct {
    uint32_t id;
    void *bytes;
    size_t size; /* at most NEURON_STATS_PIECE */
} neuron_stats_piece_t;
enum { NEURON_STATS_PIECE = 1 << 20 };
/* [*count], freed by the caller with free(). Nobody visits or merges until the pieces were used. */
neuron_stats_piece_t *neuron_stats_pieces(neuron_stats_t *stats, size_t *count);
/* A new `stats` becomes one that has merged so many excerpts of this pass; then its pieces are to
 * be filled in. False: there are not so many. */
bool neuron_stats_resume(neuron_stats_t *stats, bool sampling, size_t merged);

#endif
