/* responses.h - raw answers, stored before anyone parses them, found by the
 * identity of the request.
 *
 * A body is kept as one zstd frame made with a small shared dictionary
 * (store/response_dictionary.txt, embedded; its version stands in the record), which is what makes
 * one-kilobyte answers compress at all.
 */
#ifndef GLIA_STORE_RESPONSES_H
#define GLIA_STORE_RESPONSES_H

#include "core/base/buffer.h"
#include "core/base/hash.h"
#include "store/env.h"

typedef struct {
    hash_t request;
    uint64_t attempt;
    size_t body_size;   /* decoded */
    size_t stored_size; /* of the frame */
    bool trimmed;       /* the body was removed by store.keep_raw; results stay */
} response_info_t;

/* Compression is CPU work and happens before the transaction: response_pack makes the bytes that
 * response_put stores.
 */
void response_pack(const void *body, size_t size, buffer_t *packed);
/* Stores a packed body under the next number. If the request already has a response the new one is
 * kept too, but the first stays the answer. embed_keys [embed_count]: writes EMBED_LINKS key i ->
 * (number, i) for keys not linked yet. */
bool response_put(store_txn_t *txn, hash_t request, uint64_t attempt, const buffer_t *packed,
                  const hash_t *embed_keys, size_t embed_count, uint64_t *number,
                  error_info_t *error);
/* 0: the request has no response. */
uint64_t response_find(store_txn_t *txn, hash_t request);
/* The decoded body is appended to `body` (a maximum of 1 GiB holds). FATAL error: no such response,
 * trimmed, damaged. info may be NULL. `body` NULL: only info is wanted, at the cost of a lookup;
 * trimmed is no error then. */
bool response_get(store_txn_t *txn, uint64_t number, buffer_t *body, response_info_t *info,
                  error_info_t *error);
/* Drops the body, keeps the record (so the request is never sent again). Trimming twice is fine. */
bool response_trim(store_txn_t *txn, uint64_t number, error_info_t *error);

/* Embeddings: the key is a hash of (lineage, dimensions, text) made by the caller. */
/* false: never answered */
bool embedding_link(store_txn_t *txn, hash_t key, uint64_t *response, uint32_t *index);
/* borrowed float32[size/4], maybe unaligned */
bool embedding_get(store_txn_t *txn, hash_t key, store_bytes_t *floats);
bool embedding_put(store_txn_t *txn, hash_t key, const float *values, size_t dimensions,
                   error_info_t *error);

#endif
