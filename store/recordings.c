/* recordings.c - the tables RECORDINGS, PIECES and EXCERPTS. */
#include "store/recordings.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/memory.h"
#include "core/base/pack.h"
#include "store/env_private.h"
#include "store/key.h"
#include "store/recordings_private.h"

enum {
    RECORDING_VALUE_VERSION = 1,
    RECORDING_ITEMS = 12,
    PIECE_ITEMS = 3,
    PROGRESS_VALUE_VERSION = 1,
    PROGRESS_ITEMS = 9,
    EXCERPT_VALUE_VERSION = 1,
    EXCERPT_ITEMS = 2,
};

/* --- how far it is ---------------------------------------------------------------------------- */

static bool decode_pieces(pack_reader_t *reader, recording_t *recording) {
    size_t count = pack_read_array(reader);
    recording->pieces = MEMORY_NEW_ARRAY(count + 1, recording_piece_t);
    for (size_t i = 0; i < count; i++) {
        recording_piece_t *piece = &recording->pieces[recording->piece_count++];
        if (pack_read_array(reader) != PIECE_ITEMS)
            return false;
        int64_t id = pack_read_integer(reader), slot = pack_read_integer(reader);
        piece->hash = pack_read_hash(reader);
        if (id < 0 || id > UINT32_MAX || slot < 0 || slot > 1)
            return false;
        piece->id = (uint32_t)id;
        piece->slot = (uint8_t)slot;
    }
    return true;
}

static bool read_u32(pack_reader_t *reader, uint32_t *value) {
    int64_t number = pack_read_integer(reader);
    *value = (uint32_t)number;
    return number >= 0 && number <= UINT32_MAX;
}

bool recording_decode(const void *bytes, size_t size, recording_t *recording) {
    *recording = (recording_t){0};
    pack_reader_t *reader = pack_reader_open(bytes, size);
    bool good = pack_read_array(reader) == RECORDING_ITEMS &&
                pack_read_integer(reader) == RECORDING_VALUE_VERSION;
    recording->done = pack_read_boolean(reader);
    recording->sampling = pack_read_boolean(reader);
    int64_t merged = pack_read_integer(reader);
    recording->merged = (uint64_t)merged;
    recording->core = pack_read_text(reader);
    recording->about = pack_read_text(reader);
    good = good && merged >= 0 && recording->core && recording->about;
    good = read_u32(reader, &recording->layers) && good;
    good = read_u32(reader, &recording->width) && good;
    recording->excerpts = pack_read_hash(reader);
    recording->set = pack_read_hash(reader);
    good = read_u32(reader, &recording->neurons) && good;
    good = decode_pieces(reader, recording) && good;
    good = pack_reader_close(reader) && good && (!recording->done || recording->neurons > 0);
    if (!good)
        recording_clear(recording);
    return good;
}

bool recording_get(store_txn_t *txn, hash_t id, recording_t *recording) {
    store_bytes_t value;
    *recording = (recording_t){0};
    if (!store_get(txn, TABLE_RECORDINGS, id.bytes, HASH_SIZE, &value))
        return false;
    if (!recording_decode(value.data, value.size, recording))
        store_damaged(txn, TABLE_RECORDINGS, "a recording that cannot be read");
    return true;
}

bool recording_put(store_txn_t *txn, hash_t id, const recording_t *recording, error_info_t *error) {
    buffer_t value = BUFFER_EMPTY;
    pack_array(&value, RECORDING_ITEMS);
    pack_integer(&value, RECORDING_VALUE_VERSION);
    pack_boolean(&value, recording->done);
    pack_boolean(&value, recording->sampling);
    pack_integer(&value, (int64_t)recording->merged);
    pack_text(&value, recording->core);
    pack_text(&value, recording->about);
    pack_integer(&value, recording->layers);
    pack_integer(&value, recording->width);
    pack_hash(&value, recording->excerpts);
    pack_hash(&value, recording->set);
    pack_integer(&value, recording->neurons);
    pack_array(&value, recording->piece_count);
    for (size_t i = 0; i < recording->piece_count; i++) {
        pack_array(&value, PIECE_ITEMS);
        pack_integer(&value, recording->pieces[i].id);
        pack_integer(&value, recording->pieces[i].slot);
        pack_hash(&value, recording->pieces[i].hash);
    }
    bool good =
        store_put(txn, TABLE_RECORDINGS, id.bytes, HASH_SIZE, value.data, value.length, error);
    buffer_free(&value);
    return good;
}

void recording_clear(recording_t *recording) {
    free(recording->core);
    free(recording->about);
    free(recording->pieces);
    *recording = (recording_t){0};
}

bool recording_find_done(store_txn_t *txn, hash_t id, recording_t *recording) {
    if (!recording_get(txn, id, recording))
        return false;
    if (recording->done)
        return true;
    recording_clear(recording);
    return false;
}

/* --- what it says of itself ------------------------------------------------------------------- */

void recording_progress_encode(const recording_progress_t *progress, buffer_t *out) {
    pack_array(out, PROGRESS_ITEMS);
    pack_integer(out, PROGRESS_VALUE_VERSION);
    pack_hash(out, progress->id);
    pack_integer(out, progress->utc);
    pack_text(out, progress->about);
    pack_integer(out, (int64_t)progress->step);
    pack_integer(out, (int64_t)progress->done);
    pack_integer(out, (int64_t)progress->total);
    pack_number(out, progress->rate);
    pack_number(out, progress->eta);
}

bool recording_progress_decode(const void *bytes, size_t size, recording_progress_t *progress) {
    *progress = (recording_progress_t){0};
    pack_reader_t *reader = pack_reader_open(bytes, size);
    bool good = pack_read_array(reader) == PROGRESS_ITEMS &&
                pack_read_integer(reader) == PROGRESS_VALUE_VERSION;
    progress->id = pack_read_hash(reader);
    progress->utc = pack_read_integer(reader);
    progress->about = pack_read_text(reader);
    int64_t step = pack_read_integer(reader), done = pack_read_integer(reader),
            total = pack_read_integer(reader);
    progress->rate = pack_read_number(reader);
    progress->eta = pack_read_number(reader);
    good = pack_reader_close(reader) && good && progress->about && step >= 0 &&
           step <= RECORDING_STORING && done >= 0 && total >= done;
    if (!good) {
        recording_progress_clear(progress);
        return false;
    }
    progress->step = (recording_step_t)step;
    progress->done = (uint64_t)done;
    progress->total = (uint64_t)total;
    return true;
}

bool recording_progress_get(store_txn_t *txn, recording_progress_t *progress) {
    store_bytes_t value;
    *progress = (recording_progress_t){0};
    return store_get(txn, TABLE_META, RECORDING_PROGRESS_KEY, strlen(RECORDING_PROGRESS_KEY),
                     &value) &&
           recording_progress_decode(value.data, value.size, progress);
}

bool recording_progress_drop(store_txn_t *txn, error_info_t *error) {
    return store_delete(txn, TABLE_META, RECORDING_PROGRESS_KEY, strlen(RECORDING_PROGRESS_KEY),
                        error);
}

void recording_progress_clear(recording_progress_t *progress) {
    free(progress->about);
    *progress = (recording_progress_t){0};
}

/* --- pieces ----------------------------------------------------------------------------------- */

static void piece_key(uint8_t key[PIECE_KEY_SIZE], hash_t id, const recording_piece_t *piece) {
    memcpy(key, id.bytes, HASH_SIZE);
    key_put_u32(key + HASH_SIZE, piece->id);
    key[HASH_SIZE + 4] = piece->slot;
}

bool recording_piece_get(store_txn_t *txn, hash_t id, const recording_piece_t *piece,
                         store_bytes_t *bytes) {
    uint8_t key[PIECE_KEY_SIZE];
    piece_key(key, id, piece);
    return store_get(txn, TABLE_PIECES, key, sizeof key, bytes);
}

bool recording_piece_put(store_txn_t *txn, hash_t id, const recording_piece_t *piece,
                         const void *bytes, size_t size, error_info_t *error) {
    uint8_t key[PIECE_KEY_SIZE];
    piece_key(key, id, piece);
    return store_put(txn, TABLE_PIECES, key, sizeof key, bytes, size, error);
}

bool recording_has_pieces(store_txn_t *txn, hash_t id) {
    store_walk_t walk = {.from = id.bytes, .from_size = HASH_SIZE, .prefix_size = HASH_SIZE};
    bool has = store_walk_next(txn, TABLE_PIECES, &walk);
    store_walk_end(&walk);
    return has;
}

bool recording_pieces_drop(store_txn_t *txn, hash_t id, size_t most, bool *left,
                           error_info_t *error) {
    uint8_t(*keys)[PIECE_KEY_SIZE] = memory_new(most + 1, sizeof *keys);
    size_t count = 0;
    store_walk_t walk = {.from = id.bytes, .from_size = HASH_SIZE, .prefix_size = HASH_SIZE};
    while (count < most && store_walk_next(txn, TABLE_PIECES, &walk))
        if (walk.key.size == PIECE_KEY_SIZE)
            memcpy(keys[count++], walk.key.data, PIECE_KEY_SIZE);
    store_walk_end(&walk);
    *left = count == most;
    bool good = true;
    for (size_t i = 0; good && i < count; i++)
        good = store_delete(txn, TABLE_PIECES, keys[i], PIECE_KEY_SIZE, error);
    free(keys);
    return good;
}

/* --- excerpts --------------------------------------------------------------------------------- */

static void excerpt_key(uint8_t key[EXCERPT_KEY_SIZE], hash_t excerpts, uint32_t number) {
    memcpy(key, excerpts.bytes, HASH_SIZE);
    key_put_u32(key + HASH_SIZE, number);
}

bool excerpt_put(store_txn_t *txn, hash_t excerpts, uint32_t number, const token_t *tokens,
                 size_t count, error_info_t *error) {
    uint8_t key[EXCERPT_KEY_SIZE];
    excerpt_key(key, excerpts, number);
    buffer_t value = BUFFER_EMPTY;
    pack_array(&value, EXCERPT_ITEMS);
    pack_integer(&value, EXCERPT_VALUE_VERSION);
    pack_array(&value, count);
    for (size_t i = 0; i < count; i++)
        pack_binary(&value, tokens[i].bytes, tokens[i].length);
    bool good = store_put(txn, TABLE_EXCERPTS, key, sizeof key, value.data, value.length, error);
    buffer_free(&value);
    return good;
}

void excerpt_tokens_free(token_t *tokens, size_t count) {
    for (size_t i = 0; i < count; i++)
        free(tokens[i].bytes);
    free(tokens);
}

bool excerpt_decode(const void *bytes, size_t size, token_t **tokens, size_t *count) {
    pack_reader_t *reader = pack_reader_open(bytes, size);
    bool good = pack_read_array(reader) == EXCERPT_ITEMS &&
                pack_read_integer(reader) == EXCERPT_VALUE_VERSION;
    size_t announced = pack_read_array(reader);
    good = good && announced > 0 && announced <= NEURON_MAX_TOKENS;
    *tokens = MEMORY_NEW_ARRAY(good ? announced : 1, token_t);
    *count = 0;
    while (good && *count < announced) {
        size_t length = 0;
        const void *token = pack_read_binary(reader, &length);
        good = token && length > 0;
        if (good)
            (*tokens)[(*count)++] = (token_t){memory_copy(token, length), length};
    }
    good = pack_reader_close(reader) && good;
    if (!good) {
        excerpt_tokens_free(*tokens, *count);
        *tokens = NULL;
        *count = 0;
    }
    return good;
}

bool excerpt_get(store_txn_t *txn, hash_t excerpts, uint32_t number, token_t **tokens,
                 size_t *count) {
    uint8_t key[EXCERPT_KEY_SIZE];
    excerpt_key(key, excerpts, number);
    store_bytes_t value;
    return store_get(txn, TABLE_EXCERPTS, key, sizeof key, &value) &&
           excerpt_decode(value.data, value.size, tokens, count);
}
