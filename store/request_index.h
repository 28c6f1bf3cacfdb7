/* request_index.h - the table REQUESTS: which response a request has. Private to store/.
 *
 * Request ids are hashes, so that each new row lies on another page of the table: written with
 * every response, the rows would make two of three pages that a commit writes. They are therefore
 * added 256 at a time, side by side. With every REQUEST_STEP-th response the rows of one of
 * REQUEST_SLICES slices of all ids are put; which one follows from the response's number alone:
 *
 *     REQUESTS has every response n with
 *         n <= request_index_bound(id of n, number of the last response)
 *
 * request_index_find looks there; what is newer (REQUEST_STEP * REQUEST_SLICES responses at most)
 * it finds in memory, where the first lookup of a process puts it and each later one adds what came
 * since. Reading RESPONSES is all that this needs, so nothing can be lost with it; a snapshot older
 * than what memory has left reads them again, and so does the first lookup after a transaction that
 * was not committed.
 */
#ifndef GLIA_STORE_REQUEST_INDEX_H
#define GLIA_STORE_REQUEST_INDEX_H

#include "core/base/hash.h"
#include "store/env_private.h"

enum { REQUEST_SLICES = 64, REQUEST_STEP = 256 };

extern const env_tenant_t request_index_tenant;

/* 0: the request has no response. */
uint64_t request_index_find(store_txn_t *txn, hash_t request);
/* The highest number of a response of the slice of `request` that the table has, if `last` is
 * the last response. */
uint64_t request_index_bound(hash_t request, uint64_t last);
/* To be called in the transaction that appended response `number`, after it did. */
bool request_index_added(store_txn_t *txn, uint64_t number, error_info_t *error);

#endif
