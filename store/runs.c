/* runs.c - the tables RUNS, RUN_NAMES and BLOBS. */
#include "store/runs.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/memory.h"
#include "core/base/pack.h"
#include "store/env_private.h"
#include "store/frame.h"
#include "store/key.h"
#include "store/runs_private.h"

enum {
    RUN_VALUE_VERSION = 1,
    RUN_ITEMS = 14,
    SET_ITEMS = 3,
    TEMPLATE_ITEMS = 3,
};

const char *run_state_name(run_state_t state) {
    switch (state) {
    case RUN_NEW: return "new";
    case RUN_RUNNING: return "running";
    case RUN_DONE: return "done";
    case RUN_PAUSED: return "paused";
    case RUN_INTERRUPTED: return "interrupted";
    }
    return "?";
}

/* --- values ----------------------------------------------------------------------------------- */

static void run_encode(const run_info_t *run, buffer_t *out) {
    pack_array(out, RUN_ITEMS);
    pack_integer(out, RUN_VALUE_VERSION);
    pack_text(out, run->name);
    pack_integer(out, run->state);
    pack_text(out, run->state_note);
    pack_hash(out, run->snapshot);
    pack_text(out, run->program);
    pack_integer(out, run->created_utc);
    pack_integer(out, run->started_utc);
    pack_integer(out, run->ended_utc);
    pack_integer(out, run->busy);
    pack_integer(out, run->starts);
    pack_integer(out, run->lag_p99 > INT64_MAX ? INT64_MAX : (int64_t)run->lag_p99);
    pack_array(out, run->set_count);
    for (size_t i = 0; i < run->set_count; i++) {
        pack_array(out, SET_ITEMS);
        pack_text(out, run->sets[i].name);
        pack_hash(out, run->sets[i].content);
        pack_integer(out, run->sets[i].count);
    }
    pack_array(out, run->template_count);
    for (size_t i = 0; i < run->template_count; i++) {
        pack_array(out, TEMPLATE_ITEMS);
        pack_text(out, run->templates[i].name);
        pack_hash(out, run->templates[i].hash);
        pack_hash(out, run->templates[i].identity);
    }
}

static bool read_sets(pack_reader_t *reader, run_info_t *run) {
    bool good = true;
    run->set_count = pack_read_array(reader);
    run->sets = MEMORY_NEW_ARRAY(run->set_count + 1, struct run_set);
    for (size_t i = 0; i < run->set_count && !pack_reader_failed(reader); i++) {
        good = pack_read_array(reader) == SET_ITEMS && good;
        run->sets[i].name = pack_read_text(reader);
        run->sets[i].content = pack_read_hash(reader);
        int64_t count = pack_read_integer(reader);
        good = good && run->sets[i].name && count >= 0 && count <= UINT32_MAX;
        run->sets[i].count = (uint32_t)count;
    }
    return good;
}

static bool read_templates(pack_reader_t *reader, run_info_t *run) {
    bool good = true;
    run->template_count = pack_read_array(reader);
    run->templates = MEMORY_NEW_ARRAY(run->template_count + 1, struct run_template);
    for (size_t i = 0; i < run->template_count && !pack_reader_failed(reader); i++) {
        good = pack_read_array(reader) == TEMPLATE_ITEMS && good;
        run->templates[i].name = pack_read_text(reader);
        run->templates[i].hash = pack_read_hash(reader);
        run->templates[i].identity = pack_read_hash(reader);
        good = good && run->templates[i].name;
    }
    return good;
}

bool runs_decode(const void *bytes, size_t size, uint32_t number, run_info_t *run) {
    *run = (run_info_t){.number = number};
    pack_reader_t *reader = pack_reader_open(bytes, size);
    bool good =
        pack_read_array(reader) == RUN_ITEMS && pack_read_integer(reader) == RUN_VALUE_VERSION;
    run->name = pack_read_text(reader);
    int64_t state = pack_read_integer(reader);
    run->state_note = pack_read_text(reader);
    run->snapshot = pack_read_hash(reader);
    run->program = pack_read_text(reader);
    run->created_utc = pack_read_integer(reader);
    run->started_utc = pack_read_integer(reader);
    run->ended_utc = pack_read_integer(reader);
    run->busy = pack_read_integer(reader);
    int64_t starts = pack_read_integer(reader);
    int64_t lag = pack_read_integer(reader);
    good = good && state >= RUN_NEW && state <= RUN_INTERRUPTED && starts >= 0 &&
           starts <= UINT32_MAX && lag >= 0 && run->name;
    good = good && read_sets(reader, run) && read_templates(reader, run);
    if (!pack_reader_close(reader) || !good) {
        run_info_clear(run);
        return false;
    }
    run->state = (run_state_t)state;
    run->starts = (uint32_t)starts;
    run->lag_p99 = (uint64_t)lag;
    return true;
}

void run_info_clear(run_info_t *run) {
    for (size_t i = 0; run->sets && i < run->set_count; i++)
        free(run->sets[i].name);
    for (size_t i = 0; run->templates && i < run->template_count; i++)
        free(run->templates[i].name);
    free(run->name);
    free(run->state_note);
    free(run->program);
    free(run->sets);
    free(run->templates);
    *run = (run_info_t){0};
}

/* --- runs ------------------------------------------------------------------------------------- */

bool runs_get(store_txn_t *txn, uint32_t number, run_info_t *run) {
    uint8_t key[4];
    key_put_u32(key, number);
    store_bytes_t value;
    *run = (run_info_t){0};
    if (!store_get(txn, TABLE_RUNS, key, sizeof key, &value))
        return false;
    if (!runs_decode(value.data, value.size, number, run))
        store_damaged(txn, TABLE_RUNS, "a run that cannot be read");
    return true;
}

/* 0: no run of that name. */
static uint32_t number_of(store_txn_t *txn, const char *name) {
    store_bytes_t value;
    if (!store_get(txn, TABLE_RUN_NAMES, name, strlen(name), &value))
        return 0;
    if (value.size != 4 || key_get_u32(value.data) == 0)
        store_damaged(txn, TABLE_RUN_NAMES, "a value that is no run's number");
    return key_get_u32(value.data);
}

typedef struct {
    uint32_t number;
    int64_t started;
} latest_t;

static bool visit_latest(void *context, const run_info_t *run) {
    latest_t *latest = context;
    if (latest->number == 0 || run->started_utc >= latest->started)
        *latest = (latest_t){.number = run->number, .started = run->started_utc};
    return true;
}

bool runs_find(store_txn_t *txn, const char *name, run_info_t *run) {
    uint32_t number;
    if (name) {
        number = number_of(txn, name);
    } else {
        latest_t latest = {0};
        runs_all(txn, visit_latest, &latest);
        number = latest.number;
    }
    *run = (run_info_t){0};
    return number != 0 && runs_get(txn, number, run);
}

static uint32_t last_run(store_txn_t *txn) {
    store_walk_t walk = {.backward = true};
    if (!store_walk_next(txn, TABLE_RUNS, &walk))
        return 0;
    if (walk.key.size != 4)
        store_damaged(txn, TABLE_RUNS, "a key that is no number");
    uint32_t number = key_get_u32(walk.key.data);
    store_walk_end(&walk);
    return number;
}

/* Of a run that is there: its old name goes if it has another now. A number that is not there yet
 * can be the one that was assigned when this transaction was tried before. */
static bool drop_old_name(store_txn_t *txn, const run_info_t *run, error_info_t *error) {
    run_info_t old;
    if (!runs_get(txn, run->number, &old))
        return run->number == last_run(txn) + 1 ||
               error_set(error, ERROR_BUG, "there is no run %" PRIu32, run->number);
    bool good = strcmp(old.name, run->name) == 0 ||
                store_delete(txn, TABLE_RUN_NAMES, old.name, strlen(old.name), error);
    run_info_clear(&old);
    return good;
}

bool runs_put(store_txn_t *txn, run_info_t *run, error_info_t *error) {
    size_t length = !run->name ? 0 : strlen(run->name);
    if (length == 0 || length > KEY_MAXIMUM)
        return error_set(error, ERROR_CONFIG, "run \"%.40s\": a name has 1 to %d bytes",
                         !run->name ? "" : run->name, KEY_MAXIMUM);
    uint32_t holder = number_of(txn, run->name);
    if (holder != 0 && holder != run->number)
        return error_set(error, ERROR_CONFIG, "there is a run \"%s\" already; choose another name",
                         run->name);
    if (run->number != 0 && !drop_old_name(txn, run, error))
        return false;
    uint32_t number = run->number != 0 ? run->number : last_run(txn) + 1;
    uint8_t key[4];
    key_put_u32(key, number);
    buffer_t value = BUFFER_EMPTY;
    run_encode(run, &value);
    bool good = store_put(txn, TABLE_RUNS, key, sizeof key, value.data, value.length, error) &&
                store_put(txn, TABLE_RUN_NAMES, run->name, length, key, sizeof key, error);
    buffer_free(&value);
    if (good)
        run->number = number;
    return good;
}

void runs_all(store_txn_t *txn, runs_visit_t *visit, void *context) {
    store_walk_t walk = {0};
    while (store_walk_next(txn, TABLE_RUNS, &walk)) {
        run_info_t run = {0};
        if (walk.key.size != 4 ||
            !runs_decode(walk.value.data, walk.value.size, key_get_u32(walk.key.data), &run))
            store_damaged(txn, TABLE_RUNS, "a run that cannot be read");
        bool go_on = visit(context, &run);
        run_info_clear(&run);
        if (!go_on) {
            store_walk_end(&walk);
            return;
        }
    }
}

/* --- blobs ------------------------------------------------------------------------------------ */

bool blob_put(store_txn_t *txn, const void *bytes, size_t size, hash_t *hash, error_info_t *error) {
    store_bytes_t old;
    if (size > BLOB_MAXIMUM)
        return error_set(error, ERROR_CONFIG, "a text of %zu bytes is too long to keep with a run",
                         size);
    *hash = hash_bytes(bytes, size);
    if (store_get(txn, TABLE_BLOBS, hash->bytes, HASH_SIZE, &old))
        return true;
    buffer_t frame = BUFFER_EMPTY;
    frame_pack(bytes, size, FRAME_PLAIN, &frame);
    bool good =
        store_put(txn, TABLE_BLOBS, hash->bytes, HASH_SIZE, frame.data, frame.length, error);
    buffer_free(&frame);
    return good;
}

bool blob_get(store_txn_t *txn, hash_t hash, buffer_t *out, error_info_t *error) {
    char text[HASH_TEXT_SIZE];
    hash_to_text(hash, text);
    store_bytes_t value;
    if (!store_get(txn, TABLE_BLOBS, hash.bytes, HASH_SIZE, &value))
        return error_set(error, ERROR_FATAL, "store %s has no text %s", txn->store->directory,
                         text);
    return frame_unpack(value.data, value.size, FRAME_PLAIN, BLOB_MAXIMUM, out) ||
           error_set(error, ERROR_FATAL, "store %s: text %s is damaged; see `glia fsck`",
                     txn->store->directory, text);
}
