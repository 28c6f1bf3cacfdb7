/* checkpoint.c - which pieces changed, and how they are stored and found again. */
#include "actors/recorder/checkpoint.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/memory.h"

enum { GROUP_BYTES = 8 << 20, GROUP_PIECES = 64 };

struct checkpoint {
    hash_t id;
    const recording_t *last;
    recording_t next;                                     /* the row */
    neuron_stats_piece_t *pieces;                         /* [next.piece_count] */
    size_t seen;                                          /* pieces */
    size_t group_count, group[GROUP_PIECES], group_bytes; /* indices of pieces */
};

void checkpoint_copy_recording(recording_t *to, const recording_t *from) {
    *to = *from;
    to->core = memory_copy_string(from->core);
    to->about = memory_copy_string(from->about);
    to->pieces = memory_copy(from->pieces ? (const void *)from->pieces : "",
                             from->pieces ? from->piece_count * sizeof *from->pieces : 0);
}

/* --- going on -------------------------------------------------------------------------------- */

static bool load_pieces(store_txn_t *txn, hash_t id, const recording_t *recording,
                        neuron_stats_t *stats) {
    size_t count;
    neuron_stats_piece_t *pieces = neuron_stats_pieces(stats, &count);
    bool good = count == recording->piece_count;
    for (size_t i = 0; good && i < count; i++) {
        const recording_piece_t *kept = &recording->pieces[i];
        store_bytes_t bytes;
        good = kept->id == pieces[i].id && recording_piece_get(txn, id, kept, &bytes) &&
               bytes.size == pieces[i].size &&
               hash_equal(hash_bytes(bytes.data, bytes.size), kept->hash);
        if (good)
            memcpy(pieces[i].bytes, bytes.data, bytes.size);
    }
    free(pieces);
    return good;
}

bool checkpoint_load(store_t *store, hash_t id, const recording_t *recording, neuron_stats_t *stats,
                     error_info_t *error) {
    if (recording->piece_count == 0)
        return true;
    store_txn_t *txn = store_read_begin(store, error);
    if (!txn)
        return false;
    bool good = neuron_stats_resume(stats, recording->sampling, (size_t)recording->merged) &&
                load_pieces(txn, id, recording, stats);
    store_read_end(txn);
    return good ||
           error_set(error, ERROR_FATAL,
                     "store %s: the checkpoint of the recording is damaged; see `glia fsck`",
                     store_directory(store));
}

/* --- a new one ------------------------------------------------------------------------------- */

checkpoint_t *checkpoint_create(hash_t id, const recording_t *last, neuron_stats_t *stats) {
    checkpoint_t *checkpoint = MEMORY_NEW(checkpoint_t);
    checkpoint->id = id;
    checkpoint->last = last;
    recording_t *next = &checkpoint->next;
    checkpoint_copy_recording(next, last);
    checkpoint->pieces = neuron_stats_pieces(stats, &next->piece_count);
    free(next->pieces);
    next->pieces = MEMORY_NEW_ARRAY(next->piece_count + 1, recording_piece_t);
    next->sampling = neuron_stats_sampling(stats);
    next->merged = neuron_stats_merged(stats);
    return checkpoint;
}

void checkpoint_free(checkpoint_t *checkpoint) {
    if (!checkpoint)
        return;
    recording_clear(&checkpoint->next);
    free(checkpoint->pieces);
    free(checkpoint);
}

/* Where the last checkpoint has the piece; NULL: nowhere. The list ascends. */
static const recording_piece_t *find_last(const recording_t *last, uint32_t id) {
    size_t low = 0, high = last->piece_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (last->pieces[middle].id < id)
            low = middle + 1;
        else
            high = middle;
    }
    return low < last->piece_count && last->pieces[low].id == id ? &last->pieces[low] : NULL;
}

/* Says where the piece will be. False: there it is, as it is. */
static bool has_changed(checkpoint_t *checkpoint, size_t index) {
    const neuron_stats_piece_t *piece = &checkpoint->pieces[index];
    const recording_piece_t *last = find_last(checkpoint->last, piece->id);
    recording_piece_t *next = &checkpoint->next.pieces[index];
    *next = (recording_piece_t){.id = piece->id, .hash = hash_bytes(piece->bytes, piece->size)};
    bool changed = !last || !hash_equal(last->hash, next->hash);
    next->slot = !last ? 0 : changed ? !last->slot : last->slot;
    return changed;
}

void checkpoint_look(checkpoint_t *checkpoint) {
    checkpoint->group_count = checkpoint->group_bytes = 0;
    while (checkpoint_has_more(checkpoint) && checkpoint->group_count < GROUP_PIECES &&
           checkpoint->group_bytes < GROUP_BYTES) {
        size_t index = checkpoint->seen++;
        if (!has_changed(checkpoint, index))
            continue;
        checkpoint->group[checkpoint->group_count++] = index;
        checkpoint->group_bytes += checkpoint->pieces[index].size;
    }
}

bool checkpoint_has_more(const checkpoint_t *checkpoint) {
    return checkpoint->seen < checkpoint->next.piece_count;
}

size_t checkpoint_group_bytes(const checkpoint_t *checkpoint) {
    return checkpoint->group_bytes;
}

bool checkpoint_put_group(store_txn_t *txn, void *context, error_info_t *error) {
    const checkpoint_t *checkpoint = context;
    for (size_t i = 0; i < checkpoint->group_count; i++) {
        size_t at = checkpoint->group[i];
        if (!recording_piece_put(txn, checkpoint->id, &checkpoint->next.pieces[at],
                                 checkpoint->pieces[at].bytes, checkpoint->pieces[at].size, error))
            return false;
    }
    return true;
}

bool checkpoint_put_row(store_txn_t *txn, void *context, error_info_t *error) {
    const checkpoint_t *checkpoint = context;
    return recording_put(txn, checkpoint->id, &checkpoint->next, error);
}

void checkpoint_keep(checkpoint_t *checkpoint, recording_t *last) {
    recording_clear(last);
    *last = checkpoint->next;
    checkpoint->next = (recording_t){0};
    checkpoint_free(checkpoint);
}
