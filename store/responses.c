/* responses.c - the tables RESPONSES, EMBED_LINKS and EMBEDDINGS. (REQUESTS: request_index.c.) */
#include "store/responses.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/memory.h"
#include "core/base/pack.h"
#include "store/env_private.h"
#include "store/frame.h"
#include "store/key.h"
#include "store/request_index.h"
#include "store/response_values.h"

/* --- responses -------------------------------------------------------------------------------- */

void response_pack(const void *body, size_t size, buffer_t *packed) {
    frame_pack(body, size, FRAME_RESPONSES, packed);
}

static bool put_links(store_txn_t *txn, uint64_t number, const hash_t *keys, size_t count,
                      error_info_t *error) {
    for (size_t i = 0; i < count; i++) {
        store_bytes_t old;
        uint8_t value[EMBED_LINK_SIZE];
        key_put_u32(key_put_u64(value, number), (uint32_t)i);
        if (!store_get(txn, TABLE_EMBED_LINKS, keys[i].bytes, HASH_SIZE, &old) &&
            !store_put(txn, TABLE_EMBED_LINKS, keys[i].bytes, HASH_SIZE, value, sizeof value,
                       error))
            return false;
    }
    return true;
}

bool response_put(store_txn_t *txn, hash_t request, uint64_t attempt, const buffer_t *packed,
                  const hash_t *embed_keys, size_t embed_count, uint64_t *number,
                  error_info_t *error) {
    *number = 0;
    size_t body_size;
    if (!frame_content_size(packed->data, packed->length, &body_size) ||
        body_size > RESPONSE_BODY_MAXIMUM)
        return error_set(
            error, ERROR_BUG,
            "response_put: the bytes of attempt %" PRIu64 " are none of response_pack's", attempt);
    uint64_t next = store_last_number(txn, TABLE_RESPONSES) + 1;
    response_record_t record = {.request = request,
                                .attempt = attempt,
                                .body_size = body_size,
                                .dictionary = FRAME_RESPONSES,
                                .frame = packed->data,
                                .frame_size = packed->length};
    uint8_t key[8];
    key_put_u64(key, next);
    buffer_t value = BUFFER_EMPTY;
    response_encode(&record, &value);
    bool good =
        store_append(txn, TABLE_RESPONSES, key, sizeof key, value.data, value.length, error);
    buffer_free(&value);
    good = good && request_index_added(txn, next, error) &&
           put_links(txn, next, embed_keys, embed_count, error);
    *number = good ? next : 0;
    return good;
}

uint64_t response_find(store_txn_t *txn, hash_t request) {
    return request_index_find(txn, request);
}

static bool get_record(store_txn_t *txn, uint64_t number, response_record_t *record,
                       error_info_t *error) {
    uint8_t key[8];
    key_put_u64(key, number);
    store_bytes_t value;
    if (!store_get(txn, TABLE_RESPONSES, key, sizeof key, &value))
        return error_set(error, ERROR_FATAL, "store %s has no response %" PRIu64,
                         txn->store->directory, number);
    return response_decode(value.data, value.size, record) ||
           error_set(error, ERROR_FATAL,
                     "store %s: response %" PRIu64 " is damaged; see `glia fsck`",
                     txn->store->directory, number);
}

bool response_get(store_txn_t *txn, uint64_t number, buffer_t *body, response_info_t *info,
                  error_info_t *error) {
    response_record_t record;
    if (!get_record(txn, number, &record, error))
        return false;
    if (info)
        *info = (response_info_t){.request = record.request,
                                  .attempt = record.attempt,
                                  .body_size = record.body_size,
                                  .stored_size = record.frame_size,
                                  .trimmed = record.trimmed};
    if (!body)
        return true;
    if (record.trimmed)
        return error_set(error, ERROR_FATAL,
                         "store %s: the body of response %" PRIu64
                         " was not kept (store.keep_raw); its results are there",
                         txn->store->directory, number);
    return response_unpack(&record, body) ||
           error_set(error, ERROR_FATAL,
                     "store %s: the body of response %" PRIu64 " is damaged; see `glia fsck`",
                     txn->store->directory, number);
}

bool response_trim(store_txn_t *txn, uint64_t number, error_info_t *error) {
    response_record_t record;
    if (!get_record(txn, number, &record, error))
        return false;
    if (record.trimmed)
        return true;
    record.trimmed = true;
    record.frame = "";
    record.frame_size = 0;
    uint8_t key[8];
    key_put_u64(key, number);
    buffer_t value = BUFFER_EMPTY;
    response_encode(&record, &value);
    bool good = store_put(txn, TABLE_RESPONSES, key, sizeof key, value.data, value.length, error);
    buffer_free(&value);
    return good;
}

/* --- embeddings ------------------------------------------------------------------------------- */

bool embedding_link(store_txn_t *txn, hash_t key, uint64_t *response, uint32_t *index) {
    store_bytes_t value;
    *response = 0;
    *index = 0;
    if (!store_get(txn, TABLE_EMBED_LINKS, key.bytes, HASH_SIZE, &value))
        return false;
    if (!embed_link_decode(value.data, value.size, response, index))
        store_damaged(txn, TABLE_EMBED_LINKS, "a value that is no link to a response");
    return true;
}

bool embedding_get(store_txn_t *txn, hash_t key, store_bytes_t *floats) {
    return store_get(txn, TABLE_EMBEDDINGS, key.bytes, HASH_SIZE, floats);
}

bool embedding_put(store_txn_t *txn, hash_t key, const float *values, size_t dimensions,
                   error_info_t *error) {
    uint8_t *bytes = memory_new(dimensions, 4);
    for (size_t i = 0; i < dimensions; i++) {
        uint32_t bits;
        memcpy(&bits, &values[i], sizeof bits);
        for (size_t b = 0; b < 4; b++)
            bytes[4 * i + b] = (uint8_t)(bits >> (8 * b) & 0xFF);
    }
    bool good =
        store_put(txn, TABLE_EMBEDDINGS, key.bytes, HASH_SIZE, bytes, 4 * dimensions, error);
    free(bytes);
    return good;
}
