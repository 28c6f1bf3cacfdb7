/* checkpoint.h - a checkpoint of a recording, while it is made: which pieces of the statistics are
 * not as the last one has them, in groups of a few megabytes, and the row that makes them visible
 * (store/recordings.h). Whose writes they are in, and when, is the caller's. Nobody visits or
 * merges while there is one.
 */
#ifndef GLIA_ACTORS_RECORDER_CHECKPOINT_H
#define GLIA_ACTORS_RECORDER_CHECKPOINT_H

#include "core/subject/neuron_stats.h"
#include "store/recordings.h"

typedef struct checkpoint checkpoint_t;

/* Fills fresh statistics from the checkpoint that the store has of the recording, if there is one.
 * Blocks for the disk. Errors: FATAL, it is damaged; what store_read_begin() says. */
bool checkpoint_load(store_t *store, hash_t id, const recording_t *recording, neuron_stats_t *stats,
                     error_info_t *error);

/* Of what `stats` are now. `last`: as the store has the recording; borrowed until
 * checkpoint_keep(). */
checkpoint_t *checkpoint_create(hash_t id, const recording_t *last, neuron_stats_t *stats);
void checkpoint_free(checkpoint_t *checkpoint); /* NULL is fine */

/* Looks for the next group of pieces that changed; there may be none. Hashes megabytes: for a
 * worker. */
void checkpoint_look(checkpoint_t *checkpoint);
bool checkpoint_has_more(const checkpoint_t *checkpoint);      /* pieces that nobody looked at */
size_t checkpoint_group_bytes(const checkpoint_t *checkpoint); /* of that group's pieces */
/* store_apply_t, `context` is the checkpoint: that group; the row, which comes last. */
bool checkpoint_put_group(store_txn_t *txn, void *context, error_info_t *error);
bool checkpoint_put_row(store_txn_t *txn, void *context, error_info_t *error);
/* The row is stored: *last is as it says, and the checkpoint is gone. */
void checkpoint_keep(checkpoint_t *checkpoint, recording_t *last);

/* A copy with strings and pieces of its own. */
void checkpoint_copy_recording(recording_t *to, const recording_t *from);

#endif
