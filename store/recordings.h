/* recordings.h - how far a recording of a subject model's neurons is, its checkpoint, and the
 * excerpts it was made from.
 *
 * A checkpoint is a list of pieces of memory. Each has two slots: a new checkpoint writes the
 * pieces that changed, in as many transactions as it likes, to the slot that the last one does not
 * use; the recording's row, which names slot and hash of every piece, is written last, and makes it
 * visible. Whatever happens before that, the last checkpoint stands.
 */
#ifndef GLIA_STORE_RECORDINGS_H
#define GLIA_STORE_RECORDINGS_H

#include "core/base/buffer.h"
#include "core/base/hash.h"
#include "core/neuron/neuron.h"
#include "store/env.h"

typedef struct {
    uint32_t id;
    uint8_t slot; /* 0 or 1 */
    hash_t hash;  /* of its bytes */
} recording_piece_t;

typedef struct {
    bool done;
    bool sampling;          /* the second pass (core/subject/neuron_stats.h) */
    uint64_t merged;        /* excerpts of this pass that are in the checkpoint */
    char *core;             /* the OpenBLAS kernels that computed it */
    char *about;            /* for people: "60000 excerpts of 64 tokens" */
    uint32_t layers, width; /* of the model; neurons of a layer */
    hash_t excerpts;        /* identity of the excerpts */
    hash_t set;             /* done: content of the set of its records (records.h) */
    uint32_t neurons;
    size_t piece_count;
    recording_piece_t *pieces; /* [piece_count]; none when done */
} recording_t;

/* `id`: everything that the result depends on, but for the kernels. False: there is none. Owned:
 * recording_clear. */
bool recording_get(store_txn_t *txn, hash_t id, recording_t *recording);
/* The same, of a recording whose records are in the store. */
bool recording_find_done(store_txn_t *txn, hash_t id, recording_t *recording);
bool recording_put(store_txn_t *txn, hash_t id, const recording_t *recording, error_info_t *error);
void recording_clear(recording_t *recording);

/* Bytes of a piece, borrowed (store_bytes_t). False: it is not there. */
bool recording_piece_get(store_txn_t *txn, hash_t id, const recording_piece_t *piece,
                         store_bytes_t *bytes);
bool recording_piece_put(store_txn_t *txn, hash_t id, const recording_piece_t *piece,
                         const void *bytes, size_t size, error_info_t *error);
bool recording_has_pieces(store_txn_t *txn, hash_t id);
/* Removes up to `most` pieces of a recording; *left: there may be more. */
bool recording_pieces_drop(store_txn_t *txn, hash_t id, size_t most, bool *left,
                           error_info_t *error);

/* What a recording says of itself every few seconds, for others (META, RECORDING_PROGRESS_KEY); one
 * a store, the last to be at work. Gone when its records are stored. */
#define RECORDING_PROGRESS_KEY "progress:recording"
typedef enum { RECORDING_FIRST_PASS, RECORDING_SECOND_PASS, RECORDING_STORING } recording_step_t;
typedef struct {
    hash_t id;
    int64_t utc; /* when it was written, microseconds */
    char *about; /* as in recording_t */
    recording_step_t step;
    uint64_t done, total; /* of this step: excerpts; STORING: neurons */
    double rate, eta;     /* tokens a second; seconds until the step ends; NaN: not known */
} recording_progress_t;
void recording_progress_encode(const recording_progress_t *progress, buffer_t *out);
/* False: there is none, or none that this program understands. Owned: recording_progress_clear. */
bool recording_progress_get(store_txn_t *txn, recording_progress_t *progress);
bool recording_progress_drop(store_txn_t *txn, error_info_t *error);
void recording_progress_clear(recording_progress_t *progress);

/* Excerpt `number` of the excerpts of that identity; stored once, shared by all records made from
 * it (records.h). */
bool excerpt_put(store_txn_t *txn, hash_t excerpts, uint32_t number, const token_t *tokens,
                 size_t count, error_info_t *error);
/* tokens: [*count], owned: excerpt_tokens_free. False: not there, or it cannot be read. */
bool excerpt_get(store_txn_t *txn, hash_t excerpts, uint32_t number, token_t **tokens,
                 size_t *count);
void excerpt_tokens_free(token_t *tokens, size_t count); /* also the tokens' bytes */

#endif
