/* request_index.c - the table REQUESTS and the newest responses in memory.
 *
 * The memory holds, of each slice, the responses above its `base`: those of committed transactions
 * only, since the numbers of others are given again. */
#include "store/request_index.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/memory.h"
#include "store/key.h"
#include "store/response_values.h"

enum { SPAN = REQUEST_SLICES * REQUEST_STEP }; /* responses until a slice is put again */

typedef struct {
    hash_t request;
    uint64_t number;
} entry_t;

typedef struct {
    size_t count, room;
    entry_t *entries;
} list_t;

typedef struct {
    uint64_t base; /* what is up to here is in the table, and was forgotten */
    list_t newer;  /* in order of number; no request twice */
} slice_t;

typedef struct {
    pthread_mutex_t mutex; /* guards upto and slices */
    uint64_t upto;         /* the last response that was added */
    slice_t slices[REQUEST_SLICES];
    uint64_t first; /* that the write transaction added, 0: none; of its thread alone */
} request_index_t;

/* --- which slice, up to where ----------------------------------------------------------------- */

static size_t slice_of(hash_t request) {
    return request.bytes[0] * (size_t)REQUEST_SLICES >> 8; /* neighbours in the table */
}

/* The slice that is put with this response. */
static size_t slice_at(uint64_t number) {
    return number / REQUEST_STEP % REQUEST_SLICES;
}

uint64_t request_index_bound(hash_t request, uint64_t last) {
    uint64_t steps = last / REQUEST_STEP;
    /* a power of two: wrapping around does not matter */
    uint64_t since = (steps - slice_of(request)) % REQUEST_SLICES;
    return since > steps ? 0 : (steps - since) * REQUEST_STEP;
}

/* --- responses in their order ----------------------------------------------------------------- */

/* Returns false to stop. */
typedef bool visit_t(void *context, hash_t request, uint64_t number);

/* Those numbered above `after`, up to `upto`. */
static void walk_responses(store_txn_t *txn, uint64_t after, uint64_t upto, visit_t *visit,
                           void *context) {
    uint8_t from[8];
    key_put_u64(from, after + 1);
    store_walk_t walk = {.from = from, .from_size = sizeof from};
    while (after < upto && store_walk_next(txn, TABLE_RESPONSES, &walk)) {
        response_record_t record;
        if (walk.key.size != 8 || !response_decode(walk.value.data, walk.value.size, &record))
            store_damaged(txn, TABLE_RESPONSES, "a response that cannot be read");
        after = key_get_u64(walk.key.data);
        if (after > upto || !visit(context, record.request, after))
            break;
    }
    store_walk_end(&walk);
}

/* --- memory ----------------------------------------------------------------------------------- */

static void *index_create(void) {
    request_index_t *index = MEMORY_NEW(request_index_t);
    pthread_mutex_init(&index->mutex, NULL);
    return index;
}

static void index_forget(void *kept) {
    request_index_t *index = kept;
    index->first = 0;
    pthread_mutex_lock(&index->mutex);
    index->upto = 0;
    for (size_t i = 0; i < REQUEST_SLICES; i++) {
        free(index->slices[i].newer.entries);
        index->slices[i] = (slice_t){0};
    }
    pthread_mutex_unlock(&index->mutex);
}

static bool index_before_commit(store_txn_t *txn, void *kept, error_info_t *error) {
    (void)txn;
    (void)error;
    request_index_t *index = kept;
    index->first = 0;
    return true;
}

static void index_free(void *kept) {
    request_index_t *index = kept;
    index_forget(index);
    pthread_mutex_destroy(&index->mutex);
    free(index);
}

const env_tenant_t request_index_tenant = {.create = index_create,
                                           .forget = index_forget,
                                           .before_commit = index_before_commit,
                                           .free = index_free};

static void list_add(list_t *list, hash_t request, uint64_t number) {
    if (list->count == list->room) {
        list->room = list->room ? 2 * list->room : 16;
        list->entries = memory_resize(list->entries, list->room, sizeof *list->entries);
    }
    list->entries[list->count++] = (entry_t){request, number};
}

/* NULL: not there. */
static const entry_t *slice_find(const slice_t *slice, hash_t request) {
    uint64_t wanted[2], there[2];
    memcpy(wanted, request.bytes, HASH_SIZE);
    for (size_t i = 0; i < slice->newer.count; i++) {
        memcpy(there, slice->newer.entries[i].request.bytes, HASH_SIZE);
        if (there[0] == wanted[0] && there[1] == wanted[1])
            return &slice->newer.entries[i];
    }
    return NULL;
}

static void slice_forget(slice_t *slice, uint64_t base) {
    list_t *newer = &slice->newer;
    size_t old = 0;
    while (old < newer->count && newer->entries[old].number <= base)
        old++;
    slice->base = base;
    newer->count -= old;
    if (old > 0)
        memmove(newer->entries, newer->entries + old, newer->count * sizeof *newer->entries);
}

static bool remember(void *context, hash_t request, uint64_t number) {
    request_index_t *index = context;
    slice_t *slice = &index->slices[slice_of(request)];
    if (!slice_find(slice, request))
        list_add(&slice->newer, request, number);
    index->upto = number;
    if (number % REQUEST_STEP == 0)
        slice_forget(&index->slices[slice_at(number)], number);
    return true;
}

/* The first response that this transaction added; 0: none. */
static uint64_t first_added(const request_index_t *index, const store_txn_t *txn) {
    return txn->writes ? index->first : 0;
}

/* Adds what is committed and not yet there; returns the last response that is committed in
 * the eyes of `txn`. */
static uint64_t catch_up(request_index_t *index, store_txn_t *txn) {
    uint64_t first = first_added(index, txn);
    uint64_t last = first ? first - 1 : store_last_number(txn, TABLE_RESPONSES);
    uint64_t known = last > SPAN ? last - SPAN : 0; /* up to here all is in the table */
    if (index->upto < known) {
        for (size_t i = 0; i < REQUEST_SLICES; i++)
            slice_forget(&index->slices[i], known);
        index->upto = known;
    }
    if (index->upto < last)
        walk_responses(txn, index->upto, last, remember, index);
    return last;
}

/* --- looking up ------------------------------------------------------------------------------- */

typedef struct {
    hash_t request;
    uint64_t number; /* 0: not found yet */
} search_t;

static bool compare(void *context, hash_t request, uint64_t number) {
    search_t *search = context;
    if (hash_equal(request, search->request))
        search->number = number;
    return search->number == 0;
}

static uint64_t find_new(request_index_t *index, store_txn_t *txn, hash_t request) {
    uint64_t committed = catch_up(index, txn);
    const slice_t *slice = &index->slices[slice_of(request)];
    search_t search = {.request = request};
    if (slice->base > request_index_bound(request, committed)) { /* an old snapshot */
        walk_responses(txn, request_index_bound(request, committed), committed, compare, &search);
    } else {
        const entry_t *entry = slice_find(slice, request);
        search.number = entry && entry->number <= committed ? entry->number : 0;
    }
    if (search.number == 0 && first_added(index, txn))
        walk_responses(txn, committed, UINT64_MAX, compare, &search); /* of this transaction */
    return search.number;
}

uint64_t request_index_find(store_txn_t *txn, hash_t request) {
    store_bytes_t value;
    if (store_get(txn, TABLE_REQUESTS, request.bytes, HASH_SIZE, &value)) {
        /* Not knowing whether a request was answered must not end in paying for it again. */
        if (value.size != 8 || key_get_u64(value.data) == 0)
            store_damaged(txn, TABLE_REQUESTS, "a value that is no response's number");
        return key_get_u64(value.data);
    }
    request_index_t *index = env_kept(txn, &request_index_tenant);
    pthread_mutex_lock(&index->mutex);
    uint64_t number = find_new(index, txn, request);
    pthread_mutex_unlock(&index->mutex);
    return number;
}

/* --- putting a slice -------------------------------------------------------------------------- */

typedef struct {
    size_t slice;
    list_t rows;
} collection_t;

static bool collect(void *context, hash_t request, uint64_t number) {
    collection_t *collection = context;
    if (slice_of(request) == collection->slice)
        list_add(&collection->rows, request, number);
    return true;
}

static int by_request(const void *a, const void *b) {
    const entry_t *left = a, *right = b;
    int order = hash_compare(left->request, right->request);
    return order ? order : (left->number > right->number) - (left->number < right->number);
}

/* A request's first response stays. */
static bool put_rows(store_txn_t *txn, const list_t *rows, error_info_t *error) {
    bool good = true;
    if (rows->count)
        qsort(rows->entries, rows->count, sizeof *rows->entries, by_request);
    for (size_t i = 0; good && i < rows->count; i++) {
        const entry_t *entry = &rows->entries[i];
        store_bytes_t old;
        uint8_t value[8];
        key_put_u64(value, entry->number);
        good = store_get(txn, TABLE_REQUESTS, entry->request.bytes, HASH_SIZE, &old) ||
               store_put(txn, TABLE_REQUESTS, entry->request.bytes, HASH_SIZE, value, sizeof value,
                         error);
    }
    return good;
}

bool request_index_added(store_txn_t *txn, uint64_t number, error_info_t *error) {
    request_index_t *index = env_kept(txn, &request_index_tenant);
    if (!index->first)
        index->first = number;
    if (number % REQUEST_STEP != 0)
        return true;
    collection_t collection = {.slice = slice_at(number)};
    pthread_mutex_lock(&index->mutex);
    uint64_t committed = catch_up(index, txn);
    const list_t *newer = &index->slices[collection.slice].newer;
    for (size_t i = 0; i < newer->count; i++)
        list_add(&collection.rows, newer->entries[i].request, newer->entries[i].number);
    pthread_mutex_unlock(&index->mutex);
    walk_responses(txn, committed, number, collect, &collection);
    bool good = put_rows(txn, &collection.rows, error);
    free(collection.rows.entries);
    return good;
}
