/* records.c - the tables NEURONS and BASELINES. (Sets: records_set.c.)
 *
 * The content of a neuron record's frame is its neuron_codec.h bytes or, if it shares excerpts,
 * [version, hash of the excerpts, [number, ...], the same bytes with a blank for every token]. */
#include "store/records.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/memory.h"
#include "core/base/pack.h"
#include "core/neuron/neuron_codec.h"
#include "store/env_private.h"
#include "store/frame.h"
#include "store/key.h"
#include "store/recordings.h"
#include "store/records_private.h"

enum {
    SHARED_VALUE_VERSION = 1,
    SHARED_ITEMS = 4, /* an array of another length than neuron_codec.h's */
    BASELINE_VALUE_VERSION = 1,
    BASELINE_ITEMS = 3,
    BASELINE_NAME_MAXIMUM = KEY_MAXIMUM - 9,
};

/* --- neuron records --------------------------------------------------------------------------- */

bool records_put(store_txn_t *txn, const neuron_record_t *neuron, hash_t *hash,
                 error_info_t *error) {
    store_bytes_t old;
    *hash = neuron_codec_hash(neuron);
    if (store_get(txn, TABLE_NEURONS, hash->bytes, HASH_SIZE, &old))
        return true;
    buffer_t bytes = BUFFER_EMPTY, frame = BUFFER_EMPTY;
    neuron_codec_encode(neuron, &bytes);
    frame_pack(bytes.data, bytes.length, FRAME_PLAIN, &frame);
    bool good =
        store_put(txn, TABLE_NEURONS, hash->bytes, HASH_SIZE, frame.data, frame.length, error);
    buffer_free(&bytes);
    buffer_free(&frame);
    return good;
}

/* The lists of a record, in the order in which the excerpts of shared ones are numbered. */
enum { LISTS = 2 + NEURON_BANDS };

static size_t lists_of(const neuron_record_t *neuron, const record_list_t *lists[LISTS]) {
    size_t records = 0;
    lists[0] = &neuron->top;
    lists[1] = &neuron->random;
    for (size_t i = 0; i < NEURON_BANDS; i++)
        lists[2 + i] = &neuron->bands[i];
    for (size_t i = 0; i < LISTS; i++)
        records += lists[i]->count;
    return records;
}

/* The record with a blank in place of every token: what a frame makes next to nothing of. Its
 * tokens are borrowed. */
static neuron_record_t *blank_copy(const neuron_record_t *neuron) {
    static char blank[] = " ";
    neuron_record_t *copy = memory_copy(neuron, sizeof *neuron);
    record_list_t *lists[LISTS];
    lists_of(copy, (const record_list_t **)lists);
    for (size_t i = 0; i < LISTS; i++) {
        lists[i]->records =
            memory_copy(lists[i]->records, lists[i]->count * sizeof *lists[i]->records);
        for (size_t j = 0; j < lists[i]->count; j++) {
            activation_record_t *record = &lists[i]->records[j];
            record->tokens = MEMORY_NEW_ARRAY(record->count, token_t);
            for (size_t k = 0; k < record->count; k++)
                record->tokens[k] = (token_t){blank, 1};
        }
    }
    return copy;
}

static void blank_free(neuron_record_t *copy) {
    const record_list_t *lists[LISTS];
    lists_of(copy, lists);
    for (size_t i = 0; i < LISTS; i++) {
        for (size_t j = 0; j < lists[i]->count; j++)
            free(lists[i]->records[j].tokens);
        free(lists[i]->records);
    }
    free(copy);
}

void records_pack_shared(const neuron_record_t *neuron, hash_t excerpts, const uint32_t *numbers,
                         hash_t *hash, buffer_t *value) {
    const record_list_t *lists[LISTS];
    size_t records = lists_of(neuron, lists);
    neuron_record_t *blank = blank_copy(neuron);
    buffer_t bytes = BUFFER_EMPTY, content = BUFFER_EMPTY;
    neuron_codec_encode(blank, &bytes);
    pack_array(&content, SHARED_ITEMS);
    pack_integer(&content, SHARED_VALUE_VERSION);
    pack_hash(&content, excerpts);
    pack_array(&content, records);
    for (size_t i = 0; i < records; i++)
        pack_integer(&content, numbers[i]);
    pack_binary(&content, bytes.data, bytes.length);
    frame_pack(content.data, content.length, FRAME_PLAIN, value);
    *hash = neuron_codec_hash(neuron);
    blank_free(blank);
    buffer_free(&bytes);
    buffer_free(&content);
}

bool records_put_packed(store_txn_t *txn, hash_t hash, const buffer_t *value, error_info_t *error) {
    store_bytes_t old;
    return store_get(txn, TABLE_NEURONS, hash.bytes, HASH_SIZE, &old) ||
           store_put(txn, TABLE_NEURONS, hash.bytes, HASH_SIZE, value->data, value->length, error);
}

/* The tokens of excerpt `number` in place of the blanks. */
static bool fill_tokens(store_txn_t *txn, hash_t excerpts, int64_t number,
                        activation_record_t *record) {
    token_t *tokens;
    size_t count;
    if (number < 0 || number >= UINT32_MAX || !txn ||
        !excerpt_get(txn, excerpts, (uint32_t)number, &tokens, &count))
        return false;
    if (count != record->count) {
        excerpt_tokens_free(tokens, count);
        return false;
    }
    excerpt_tokens_free(record->tokens, record->count);
    record->tokens = tokens;
    return true;
}

static neuron_record_t *decode_shared(store_txn_t *txn, const buffer_t *content) {
    pack_reader_t *reader = pack_reader_open(content->data, content->length);
    bool good = pack_read_array(reader) == SHARED_ITEMS &&
                pack_read_integer(reader) == SHARED_VALUE_VERSION;
    hash_t excerpts = pack_read_hash(reader);
    size_t count = pack_read_array(reader), length = 0;
    int64_t *numbers = MEMORY_NEW_ARRAY(count + 1, int64_t);
    for (size_t i = 0; i < count; i++)
        numbers[i] = pack_read_integer(reader);
    const void *bytes = pack_read_binary(reader, &length);
    good = pack_reader_close(reader) && good;
    neuron_record_t *neuron = good ? neuron_codec_decode(bytes, length, NULL) : NULL;
    if (neuron) {
        const record_list_t *lists[LISTS];
        good = lists_of(neuron, lists) == count;
        for (size_t i = 0, n = 0; good && i < LISTS; i++)
            for (size_t j = 0; good && j < lists[i]->count; j++)
                good = fill_tokens(txn, excerpts, numbers[n++], &lists[i]->records[j]);
    }
    free(numbers);
    if (good)
        return neuron;
    neuron_record_free(neuron);
    return NULL;
}

static bool is_shared(const buffer_t *content) {
    pack_reader_t *reader = pack_reader_open(content->data, content->length);
    bool shared = pack_read_array(reader) == SHARED_ITEMS;
    pack_reader_close(reader);
    return shared;
}

bool records_neuron_decode(store_txn_t *txn, const void *bytes, size_t size,
                           neuron_record_t **neuron, hash_t *hash) {
    buffer_t content = BUFFER_EMPTY;
    *neuron = NULL;
    if (frame_unpack(bytes, size, FRAME_PLAIN, NEURON_MAXIMUM, &content))
        *neuron = is_shared(&content) ? decode_shared(txn, &content)
                                      : neuron_codec_decode(content.data, content.length, NULL);
    buffer_free(&content);
    if (*neuron)
        *hash = neuron_codec_hash(*neuron);
    return *neuron != NULL;
}

neuron_record_t *records_get(store_txn_t *txn, hash_t hash, error_info_t *error) {
    char text[HASH_TEXT_SIZE];
    hash_to_text(hash, text);
    store_bytes_t value;
    if (!store_get(txn, TABLE_NEURONS, hash.bytes, HASH_SIZE, &value)) {
        error_set(error, ERROR_FATAL, "store %s has no neuron record %s", txn->store->directory,
                  text);
        return NULL;
    }
    neuron_record_t *neuron;
    hash_t found;
    if (!records_neuron_decode(txn, value.data, value.size, &neuron, &found) ||
        !hash_equal(found, hash)) {
        error_set(error, ERROR_FATAL, "store %s: neuron record %s is damaged; import it again",
                  txn->store->directory, text);
        neuron_record_free(neuron);
        return NULL;
    }
    return neuron;
}

/* --- baselines -------------------------------------------------------------------------------- */

/* The size of the key; 0: the name is empty or too long. */
static size_t baseline_key(uint8_t key[KEY_MAXIMUM], const char *name, int32_t layer,
                           int32_t index) {
    size_t length = strlen(name);
    if (length == 0 || length > BASELINE_NAME_MAXIMUM)
        return 0;
    memcpy(key, name, length + 1);
    return (size_t)(key_put_i32(key_put_i32(key + length + 1, layer), index) - key);
}

bool baseline_put(store_txn_t *txn, const char *name, int32_t layer, int32_t index,
                  const char *explanation, double score, error_info_t *error) {
    uint8_t key[KEY_MAXIMUM];
    size_t key_size = baseline_key(key, name, layer, index);
    if (key_size == 0)
        return error_set(error, ERROR_CONFIG, "baselines \"%.40s\": a name has 1 to %d bytes", name,
                         BASELINE_NAME_MAXIMUM);
    buffer_t value = BUFFER_EMPTY;
    pack_array(&value, BASELINE_ITEMS);
    pack_integer(&value, BASELINE_VALUE_VERSION);
    pack_text(&value, explanation);
    pack_number(&value, score);
    bool good = store_put(txn, TABLE_BASELINES, key, key_size, value.data, value.length, error);
    buffer_free(&value);
    return good;
}

bool baseline_decode(const void *bytes, size_t size, char **explanation, double *score) {
    pack_reader_t *reader = pack_reader_open(bytes, size);
    bool good = pack_read_array(reader) == BASELINE_ITEMS &&
                pack_read_integer(reader) == BASELINE_VALUE_VERSION;
    *explanation = pack_read_text(reader);
    *score = pack_read_number(reader);
    if (!pack_reader_close(reader) || !good || !*explanation) {
        free(*explanation);
        *explanation = NULL;
        return false;
    }
    return true;
}

bool baseline_get(store_txn_t *txn, const char *name, int32_t layer, int32_t index,
                  char **explanation, double *score) {
    uint8_t key[KEY_MAXIMUM];
    size_t key_size = baseline_key(key, name, layer, index);
    store_bytes_t value;
    *explanation = NULL;
    *score = 0;
    if (!store_get(txn, TABLE_BASELINES, key, key_size, &value))
        return false;
    if (!baseline_decode(value.data, value.size, explanation, score))
        store_damaged(txn, TABLE_BASELINES, "a baseline that cannot be read");
    return true;
}

uint64_t baseline_count(store_txn_t *txn, const char *name) {
    uint8_t key[KEY_MAXIMUM];
    size_t key_size = baseline_key(key, name, INT32_MIN, INT32_MIN);
    if (key_size == 0)
        return 0;
    store_walk_t walk = {.from = key, .from_size = key_size, .prefix_size = strlen(name) + 1};
    uint64_t count = 0;
    while (store_walk_next(txn, TABLE_BASELINES, &walk))
        count++;
    return count;
}

void baseline_all(store_txn_t *txn, const char *name, baseline_visit_t *visit, void *context) {
    uint8_t key[KEY_MAXIMUM];
    size_t key_size = baseline_key(key, name, INT32_MIN, INT32_MIN);
    if (key_size == 0)
        return;
    store_walk_t walk = {.from = key, .from_size = key_size, .prefix_size = strlen(name) + 1};
    bool go_on = true;
    while (go_on && store_walk_next(txn, TABLE_BASELINES, &walk)) {
        const uint8_t *place = (const uint8_t *)walk.key.data + strlen(name) + 1;
        char *explanation;
        double score;
        if (walk.key.size != key_size ||
            !baseline_decode(walk.value.data, walk.value.size, &explanation, &score))
            store_damaged(txn, TABLE_BASELINES, "a baseline that cannot be read");
        go_on = visit(context, key_get_i32(place), key_get_i32(place + 4), explanation, score);
        free(explanation);
    }
    if (!go_on)
        store_walk_end(&walk);
}
