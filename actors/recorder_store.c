/* recorder_store.c - checkpoints, piece by piece, and the records when all is done, group by group; one write at a
 * time, so that others' writes get their turn between two. */
#include <stdlib.h>
#include <string.h>

#include "actors/recorder_private.h"
#include "core/base/memory.h"

enum {
    GROUP_BYTES = 8 << 20, /* of pieces in a write */
    GROUP_PIECES = 64,
    GROUP_NEURONS = 64,
    GROUP_EXCERPTS = 1024,
};

static void copy_recording(recording_t *to, const recording_t *from) {
    *to = *from;
    to->core = memory_copy_string(from->core);
    to->about = memory_copy_string(from->about);
    to->pieces = memory_copy(from->pieces ? (const void *)from->pieces : "",
                             from->pieces ? from->piece_count * sizeof *from->pieces : 0);
}

static void send_write(recorder_t *recorder, store_apply_t *apply, void *context, void (*release)(void *)) {
    write_t *write = write_create(WRITE_APPLY, recorder->self, context, release);
    write->apply = apply;
    actor_tell(recorder->options.archivist, recorder->self, MSG_WRITE, 0, write, write_free);
}

static void work_done(recorder_t *recorder, void *context) {
    actor_tell(recorder->self, recorder->self, MSG_WORKED, 0, context, NULL);
}

/* --- going on ------------------------------------------------------------------------------------------------ */

static bool load_pieces(recorder_t *recorder, store_txn_t *txn) {
    size_t count;
    neuron_stats_piece_t *pieces = neuron_stats_pieces(recorder->options.stats, &count);
    bool good = count == recorder->recording.piece_count;
    for (size_t i = 0; good && i < count; i++) {
        const recording_piece_t *kept = &recorder->recording.pieces[i];
        store_bytes_t bytes;
        good = kept->id == pieces[i].id && recording_piece_get(txn, recorder->options.id, kept, &bytes) &&
               bytes.size == pieces[i].size && hash_equal(hash_bytes(bytes.data, bytes.size), kept->hash);
        if (good)
            memcpy(pieces[i].bytes, bytes.data, bytes.size);
    }
    free(pieces);
    return good;
}

bool recorder_load(recorder_t *recorder, error_info_t *error) {
    const recorder_options_t *o = &recorder->options;
    copy_recording(&recorder->recording, o->recording);
    if (recorder->recording.piece_count == 0)
        return true;
    store_txn_t *txn = store_read_begin(o->store, error);
    if (!txn)
        return false;
    bool good = neuron_stats_resume(o->stats, recorder->recording.sampling, (size_t)recorder->recording.merged) &&
                load_pieces(recorder, txn);
    store_read_end(txn);
    return good ||
           error_set(error, ERROR_FATAL, "store %s: the checkpoint of the recording is damaged; see `glia fsck`",
                     store_directory(o->store));
}

/* --- a checkpoint --------------------------------------------------------------------------------------------- */

typedef struct {
    recorder_t *recorder;
    size_t count, indices[GROUP_PIECES]; /* of pieces that changed */
    size_t bytes;
} group_t;

/* Where the last checkpoint has the piece; NULL: nowhere. The list ascends. */
static const recording_piece_t *find_old(const recording_t *old, uint32_t id) {
    size_t low = 0, high = old->piece_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (old->pieces[middle].id < id)
            low = middle + 1;
        else
            high = middle;
    }
    return low < old->piece_count && old->pieces[low].id == id ? &old->pieces[low] : NULL;
}

/* On a worker: the next pieces that are not as the last checkpoint has them. */
static void look_work(void *context) {
    group_t *group = context;
    recorder_t *recorder = group->recorder;
    while (recorder->pieces_seen < recorder->piece_count && group->count < GROUP_PIECES && group->bytes < GROUP_BYTES) {
        size_t i = recorder->pieces_seen++;
        const neuron_stats_piece_t *piece = &recorder->pieces[i];
        recording_piece_t *next = &recorder->next_recording.pieces[i];
        const recording_piece_t *old = find_old(&recorder->recording, piece->id);
        *next = (recording_piece_t){piece->id, old ? old->slot : 0, hash_bytes(piece->bytes, piece->size)};
        if (old && hash_equal(old->hash, next->hash))
            continue;
        next->slot = old ? !old->slot : 0;
        group->indices[group->count++] = i;
        group->bytes += piece->size;
    }
}

static void look_done(void *context) {
    group_t *group = context;
    work_done(group->recorder, group);
}

static bool apply_pieces(store_txn_t *txn, void *context, error_info_t *error) {
    const group_t *group = context;
    const recorder_t *recorder = group->recorder;
    for (size_t i = 0; i < group->count; i++) {
        size_t at = group->indices[i];
        if (!recording_piece_put(txn, recorder->options.id, &recorder->next_recording.pieces[at],
                                 recorder->pieces[at].bytes, recorder->pieces[at].size, error))
            return false;
    }
    return true;
}

static bool apply_recording(store_txn_t *txn, void *context, error_info_t *error) {
    const recorder_t *recorder = context;
    return recording_put(txn, recorder->options.id, &recorder->next_recording, error);
}

static void look_further(recorder_t *recorder) {
    group_t *group = MEMORY_NEW(group_t);
    group->recorder = recorder;
    executor_submit(recorder->options.workers, look_work, look_done, group);
}

void recorder_save(recorder_t *recorder) {
    neuron_stats_t *stats = recorder->options.stats;
    recorder_time(recorder);
    recorder->state = RECORDER_SAVING;
    recorder->named = false;
    recorder->pieces_seen = 0;
    recorder->pieces = neuron_stats_pieces(stats, &recorder->piece_count);
    copy_recording(&recorder->next_recording, &recorder->recording);
    free(recorder->next_recording.pieces);
    recorder->next_recording.pieces = MEMORY_NEW_ARRAY(recorder->piece_count + 1, recording_piece_t);
    recorder->next_recording.piece_count = recorder->piece_count;
    recorder->next_recording.sampling = neuron_stats_sampling(stats);
    recorder->next_recording.merged = neuron_stats_merged(stats);
    look_further(recorder);
}

static void saved_piece(recorder_t *recorder) {
    if (recorder->named) {
        recording_clear(&recorder->recording);
        recorder->recording = recorder->next_recording;
        recorder->next_recording = (recording_t){0};
        free(recorder->pieces);
        recorder->pieces = NULL;
        recorder_saved(recorder);
    } else if (recorder->pieces_seen < recorder->piece_count) {
        look_further(recorder);
    } else {
        recorder->named = true;
        send_write(recorder, apply_recording, recorder, NULL);
    }
}

/* --- the records ------------------------------------------------------------------------------------------------ */

typedef struct {
    recorder_t *recorder;
    size_t from, count;
    buffer_t values[GROUP_NEURONS];
} records_t;

static void free_records(void *context) {
    records_t *records = context;
    for (size_t i = 0; i < GROUP_NEURONS; i++)
        buffer_free(&records->values[i]);
    free(records);
}

/* Tokens of an excerpt; their bytes are the tokenizer's. */
static token_t *borrow_tokens(const recorder_t *recorder, size_t excerpt) {
    size_t length = recorder->options.excerpts->length;
    const uint32_t *ids = recorder->options.excerpts->tokens + excerpt * length;
    token_t *tokens = MEMORY_NEW_ARRAY(length, token_t);
    for (size_t i = 0; i < length; i++)
        tokens[i].bytes = (char *)(uintptr_t)tokenizer_token(recorder->options.tokenizer, ids[i], &tokens[i].length);
    return tokens;
}

static void lend_tokens(const recorder_t *recorder, record_list_t *list, const uint32_t **numbers, bool take_back) {
    for (size_t i = 0; i < list->count; i++) {
        if (take_back) {
            free(list->records[i].tokens);
            list->records[i].tokens = NULL;
            list->records[i].count = 0;
        } else {
            list->records[i].tokens = borrow_tokens(recorder, *(*numbers)++);
        }
    }
}

static void lend_all(const recorder_t *recorder, neuron_record_t *neuron, const uint32_t *numbers, bool take_back) {
    lend_tokens(recorder, &neuron->top, &numbers, take_back);
    lend_tokens(recorder, &neuron->random, &numbers, take_back);
    for (size_t i = 0; i < NEURON_BANDS; i++)
        lend_tokens(recorder, &neuron->bands[i], &numbers, take_back);
}

static void pack_work(void *context) {
    records_t *records = context;
    recorder_t *recorder = records->recorder;
    for (size_t i = 0; i < records->count; i++) {
        size_t number = records->from + i;
        uint32_t *numbers;
        neuron_record_t *neuron = neuron_stats_neuron(recorder->options.stats, number, &numbers);
        lend_all(recorder, neuron, numbers, false);
        records_pack_shared(neuron, recorder->recording.excerpts, numbers, &recorder->hashes[number],
                            &records->values[i]);
        recorder->ids[number] = memory_copy_string(neuron->id);
        lend_all(recorder, neuron, numbers, true);
        neuron_record_free(neuron);
        free(numbers);
    }
}

static void pack_done(void *context) {
    records_t *records = context;
    work_done(records->recorder, records);
}

static bool apply_records(store_txn_t *txn, void *context, error_info_t *error) {
    const records_t *records = context;
    for (size_t i = 0; i < records->count; i++)
        if (!records_put_packed(txn, records->recorder->hashes[records->from + i], &records->values[i], error))
            return false;
    return true;
}

static size_t excerpts_of_write(const recorder_t *recorder) {
    size_t left = recorder->options.excerpts->count - recorder->excerpts_stored;
    return left < GROUP_EXCERPTS ? left : GROUP_EXCERPTS;
}

static bool apply_excerpts(store_txn_t *txn, void *context, error_info_t *error) {
    const recorder_t *recorder = context;
    bool good = true;
    for (size_t i = 0; good && i < excerpts_of_write(recorder); i++) {
        size_t number = recorder->excerpts_stored + i;
        token_t *tokens = borrow_tokens(recorder, number);
        good = excerpt_put(txn, recorder->recording.excerpts, (uint32_t)number, tokens,
                           recorder->options.excerpts->length, error);
        free(tokens);
    }
    return good;
}

static bool apply_set(store_txn_t *txn, void *context, error_info_t *error) {
    const recorder_t *recorder = context;
    record_set_t set;
    size_t count = neuron_stats_count(recorder->options.stats);
    if (!records_set_put_members(txn, recorder->options.set_name, recorder->options.origin, recorder->hashes,
                                 (const char *const *)recorder->ids, count, &set, error))
        return false;
    recording_t done = recorder->recording;
    done.done = true;
    done.set = set.content;
    done.neurons = set.count;
    done.pieces = NULL;
    done.piece_count = 0;
    records_set_clear(&set);
    return recording_put(txn, recorder->options.id, &done, error) && recording_progress_drop(txn, error);
}

typedef struct {
    hash_t id;
    bool left;
} drop_t;

static bool apply_drop(store_txn_t *txn, void *context, error_info_t *error) {
    drop_t *drop = context;
    return recording_pieces_drop(txn, drop->id, GROUP_PIECES, &drop->left, error);
}

static void drop_further(recorder_t *recorder) {
    drop_t *drop = MEMORY_NEW(drop_t);
    drop->id = recorder->options.id;
    send_write(recorder, apply_drop, drop, free);
}

static void store_further(recorder_t *recorder) {
    size_t count = neuron_stats_count(recorder->options.stats);
    if (recorder->interrupted) {
        recorder_finish(recorder, RECORDER_INTERRUPTED, NULL);
    } else if (recorder->excerpts_stored < recorder->options.excerpts->count) {
        send_write(recorder, apply_excerpts, recorder, NULL);
    } else if (recorder->neurons_stored < count) {
        records_t *records = MEMORY_NEW(records_t);
        records->recorder = recorder;
        records->from = recorder->neurons_stored;
        records->count = count - records->from < GROUP_NEURONS ? count - records->from : GROUP_NEURONS;
        executor_submit(recorder->options.workers, pack_work, pack_done, records);
    } else {
        recorder->set_named = true;
        send_write(recorder, apply_set, recorder, NULL);
    }
}

void recorder_store(recorder_t *recorder) {
    size_t count = neuron_stats_count(recorder->options.stats);
    recorder->state = RECORDER_STORING;
    recorder->ids = MEMORY_NEW_ARRAY(count + 1, char *);
    recorder->hashes = MEMORY_NEW_ARRAY(count + 1, hash_t);
    store_further(recorder);
}

static void stored(recorder_t *recorder, const write_t *write) {
    if (write->apply == apply_excerpts)
        recorder->excerpts_stored += excerpts_of_write(recorder);
    else if (write->apply == apply_records)
        recorder->neurons_stored += ((const records_t *)write->context)->count;
    if (!recorder->set_named) {
        store_further(recorder);
    } else if (write->apply == apply_set || ((const drop_t *)write->context)->left) {
        drop_further(recorder);
    } else {
        recorder_finish(recorder, RECORDER_DONE, NULL);
    }
}

/* --- both ------------------------------------------------------------------------------------------------------- */

void recorder_store_worked(recorder_t *recorder, void *context) {
    if (recorder->state == RECORDER_STORING) {
        send_write(recorder, apply_records, context, free_records);
    } else {
        recorder->options.times->checkpoint_bytes += ((const group_t *)context)->bytes;
        send_write(recorder, apply_pieces, context, free);
    }
}

void recorder_store_written(recorder_t *recorder, write_t *write) {
    if (recorder->state == RECORDER_STORING)
        stored(recorder, write);
    else if (recorder->state == RECORDER_SAVING)
        saved_piece(recorder);
}

void recorder_store_clear(recorder_t *recorder) {
    for (size_t i = 0; recorder->ids && i < neuron_stats_count(recorder->options.stats); i++)
        free(recorder->ids[i]);
    free(recorder->ids);
    free(recorder->hashes);
    free(recorder->pieces);
    recording_clear(&recorder->next_recording);
    recording_clear(&recorder->recording);
}
