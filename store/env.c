/* env.c - opening and closing an environment, tables as sorted maps of bytes, walks. Transactions
 * are in env_map.c; these two are the only files that include lmdb.h.
 *
 * MDB_NOMEMINIT is left off on purpose: without it LMDB clears the pages that it writes, so that no
 * memory of this process (keys, headers) gets into the file. */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <lmdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/memory.h"
#include "store/env_overlay.h"
#include "store/env_private.h"
#include "store/key.h"

enum {
    INITIAL_MAP = 16 << 20,
    SMALLEST_MAP = 64 << 10,
    READERS = 512,
};

typedef struct {
    MDB_cursor *cursor;
    size_t prefix_size;
    uint8_t prefix[KEY_MAXIMUM];
    /* In an imagined transaction, what comes next: */
    const env_row_t *row; /* in the overlay; NULL: nothing */
    int code;             /* LMDB's of the step in the table below it, which led to: */
    MDB_val key, value;
} walk_state_t;

static const char *const table_names[TABLE_COUNT] = {
#define TABLE_NAME(name, text) text,
    STORE_TABLE_MAP(TABLE_NAME)
#undef TABLE_NAME
};

const char *store_table_name(store_table_t table) {
    return table_names[table];
}

/* --- errors ----------------------------------------------------------------------------------- */

static bool refuse_full(const store_t *store, int code, const char *doing, error_info_t *error) {
    return error_set(error, ERROR_RETRYABLE,
                     "store %s: %s: no space left on its disk (%s); free some. Nothing was "
                     "written, nothing is lost",
                     store->directory, doing, strerror(code));
}

static error_class_t class_of(int code) {
    switch (code) {
    case ENOMEM:
    case EAGAIN:
    case EINTR:
    case EMFILE:
    case ENFILE: return ERROR_RETRYABLE;
    case EACCES:
    case EPERM:
    case EROFS:
    case ENOTDIR: return ERROR_CONFIG;
    case EINVAL:
    case MDB_KEYEXIST:
    case MDB_BAD_VALSIZE:
    case MDB_BAD_TXN:
    case MDB_BAD_DBI:
    case MDB_BAD_RSLOT: return ERROR_BUG;
    default: return ERROR_FATAL;
    }
}

bool env_error(const store_t *store, int code, const char *doing, error_info_t *error) {
    const char *where = store->directory;
    switch (code) {
    case ENOSPC:
    case EDQUOT: return refuse_full(store, code, doing, error);
    case EFBIG:
        return error_set(error, ERROR_RETRYABLE,
                         "store %s: %s: its file may not grow further (%s): raise the limit "
                         "(ulimit -f) or free space; nothing was written, nothing is lost",
                         where, doing, strerror(code));
    /* LMDB also says this of a write that was cut short, as the last one on a full disk is */
    case EIO:
        return error_set(
            error, ERROR_RETRYABLE,
            "store %s: %s: the disk did not take it (%s): full, or failing? Nothing was committed",
            where, doing, strerror(code));
    case ENOMEM:
        return error_set(error, ERROR_RETRYABLE,
                         "store %s: %s: not enough address space for its map (ulimit -v)", where,
                         doing);
    case MDB_READERS_FULL:
        return error_set(error, ERROR_RETRYABLE,
                         "store %s: %s: more than %d readers at once; end some", where, doing,
                         READERS);
    case MDB_PANIC:
        return error_set(error, ERROR_RETRYABLE,
                         "store %s: %s: it is recovering from a failed write; try again", where,
                         doing);
    case MDB_TXN_FULL:
        return error_set(error, ERROR_FATAL,
                         "store %s: %s: too much for one transaction; write it in parts", where,
                         doing);
    case MDB_CORRUPTED:
    case MDB_PAGE_NOTFOUND:
        return error_set(error, ERROR_FATAL,
                         "store %s: %s: data.mdb is damaged (%s); restore it from a copy", where,
                         doing, mdb_strerror(code));
    case MDB_INVALID:
    case MDB_VERSION_MISMATCH:
    case MDB_INCOMPATIBLE:
        return error_set(error, ERROR_CONFIG, "store %s: %s: data.mdb is not a store of glia (%s)",
                         where, doing, mdb_strerror(code));
    default:
        return error_set(error, class_of(code), "store %s: %s: %s", where, doing,
                         mdb_strerror(code));
    }
}

_Noreturn static void die(const store_t *store, store_table_t table, const char *what) {
    fprintf(stderr,
            "glia: store %s, table `%s`: %s. The store is damaged: see `glia fsck`, or restore it "
            "from a copy.\n",
            store->directory, table_names[table], what);
    abort();
}

_Noreturn void store_damaged(const store_txn_t *txn, store_table_t table, const char *what) {
    die(txn->store, table, what);
}

static void die_of_assert(MDB_env *env, const char *message) {
    const store_t *store = mdb_env_get_userctx(env);
    fprintf(stderr, "glia: store %s: %s. The store is damaged: restore it from a copy.\n",
            !store ? "" : store->directory, message);
    abort();
}

/* --- opening and closing ---------------------------------------------------------------------- */

static size_t first_map(const store_t *store) {
    size_t size = store->options.initial_map == 0 ? INITIAL_MAP : store->options.initial_map;
    if (store->options.largest_map != 0 && size > store->options.largest_map)
        size = store->options.largest_map;
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    return ((size < SMALLEST_MAP ? SMALLEST_MAP : size) + page - 1) / page * page;
}

/* `map` 0: what the file says. */
static int open_with_map(store_t *store, size_t map) {
    int code = mdb_env_create(&store->env);
    if (code != 0) {
        store->env = NULL;
        return code;
    }
    unsigned flags = MDB_NOTLS;
    flags |= store->mode == STORE_READ ? MDB_RDONLY : 0;
    flags |= store->options.no_sync ? MDB_NOSYNC : 0;
    flags |= store->place.silent ? MDB_NOLOCK : 0;
    code = mdb_env_set_maxdbs(store->env, TABLE_COUNT);
    code = code != 0 ? code : mdb_env_set_maxreaders(store->env, READERS);
    if (code == 0 && map != 0)
        code = mdb_env_set_mapsize(store->env, map);
    if (code == 0)
        code = mdb_env_open(store->env, store->directory, flags, 0666);
    if (code != 0) {
        env_lmdb_close(store);
        return code;
    }
    mdb_env_set_userctx(store->env, store);
    mdb_env_set_assert(store->env, die_of_assert);
    mdb_reader_check(store->env, NULL);
    return 0;
}

int env_lmdb_open(store_t *store) {
    struct stat status;
    bool fresh =
        fstatat(store->place.directory, "data.mdb", &status, 0) != 0 || status.st_size == 0;
    int code = open_with_map(store, fresh ? first_map(store) : 0);
    if (code == ENOMEM && !fresh) {
        /* The file may be much smaller than the map that it was last written with. LMDB raises a
         * map that is too small.
         */
        code = open_with_map(store, SMALLEST_MAP);
    }
    return code;
}

void env_lmdb_close(store_t *store) {
    if (store->env) {
        mdb_env_close(store->env);
        store->env = NULL;
    }
}

bool env_table_open(store_txn_t *txn, store_table_t table, bool create, bool *found,
                    error_info_t *error) {
    MDB_dbi handle;
    int code = mdb_dbi_open(txn->txn, table_names[table], create ? MDB_CREATE : 0, &handle);
    *found = code == 0;
    if (code == 0) {
        txn->store->tables[table] = handle;
        return true;
    }
    if (code == MDB_NOTFOUND)
        return true;
    txn->failed = txn->failed != 0 ? txn->failed : code;
    return env_error(txn->store, code, "open", error);
}

uint64_t env_table_total(store_txn_t *txn) {
    MDB_dbi handle;
    MDB_stat stat;
    if (mdb_dbi_open(txn->txn, NULL, 0, &handle) != 0 || mdb_stat(txn->txn, handle, &stat) != 0)
        return 0;
    return stat.ms_entries;
}

typedef struct {
    const env_schema_t *schema;
    int64_t created;
} prepare_t;

static bool prepare(store_txn_t *txn, void *context, error_info_t *error) {
    const prepare_t *what = context;
    return env_schema_prepare(txn, what->schema, what->created, error);
}

static bool prepare_store(store_t *store, const env_schema_t *schema, error_info_t *error) {
    prepare_t what = {schema, env_place_time(&store->place)};
    if (store->mode == STORE_WRITE)
        return store_write(store, prepare, &what, error) &&
               (store->options.no_sync || env_place_sync(&store->place, store->directory, error));
    store_txn_t *txn = store_read_begin(store, error);
    if (!txn)
        return false;
    if (!prepare(txn, &what, error)) {
        store_read_end(txn);
        return false;
    }
    return env_read_keep(txn, error);
}

store_t *env_open_schema(const char *directory, store_mode_t mode, const store_options_t *options,
                         const env_schema_t *schema, error_info_t *error) {
    store_t *store = MEMORY_NEW(store_t);
    store->directory = memory_copy_string(directory);
    store->mode = mode;
    if (options)
        store->options = *options;
    env_gate_create(store);
    assert(schema->tenant_count <= ENV_TENANTS_MAXIMUM);
    store->tenants = schema->tenants;
    store->tenant_count = schema->tenant_count;
    env_tenants_create(store, store->kept);
    if (env_place_open(&store->place, directory, mode, error)) {
        int code = env_lmdb_open(store);
        if (code == ENOENT && mode == STORE_READ)
            error_set(error, ERROR_CONFIG, "no store at %s; `glia run` makes one", directory);
        else if (code != 0)
            env_error(store, code, "open", error);
        else if (prepare_store(store, schema, error))
            return store;
    }
    store_close(store);
    return NULL;
}

void store_close(store_t *store) {
    if (!store)
        return;
    env_lmdb_close(store);
    env_place_close(&store->place);
    env_gate_destroy(store);
    env_tenants_free(store, store->kept);
    free(store->directory);
    free(store);
}

const char *store_directory(const store_t *store) {
    return store->directory;
}

void store_set_holder(store_t *store, const char *what) {
    if (store->place.writer)
        env_place_set_holder(&store->place, what);
}

/* --- tables ----------------------------------------------------------------------------------- */

static store_bytes_t bytes_of(MDB_val value) {
    return (store_bytes_t){value.mv_data, value.mv_size};
}

static MDB_val value_of(store_bytes_t bytes) {
    return (MDB_val){bytes.size, (void *)(uintptr_t)bytes.data};
}

bool store_get(store_txn_t *txn, store_table_t table, const void *key, size_t key_size,
               store_bytes_t *value) {
    *value = (store_bytes_t){NULL, 0};
    if (key_size < 1 || key_size > KEY_MAXIMUM || txn->failed != 0)
        return false;
    if (txn->overlay) {
        const env_row_t *row =
            env_overlay_find(txn->overlay, table, (store_bytes_t){key, key_size});
        if (row) {
            *value = row->value;
            return row->value.data != NULL;
        }
    }
    MDB_val k = {key_size, (void *)(uintptr_t)key}, v;
    int code = mdb_get(txn->txn, txn->store->tables[table], &k, &v);
    if (code == MDB_NOTFOUND)
        return false;
    if (code != 0)
        die(txn->store, table, mdb_strerror(code));
    *value = (store_bytes_t){v.mv_data, v.mv_size};
    return true;
}

/* Every change goes through here, so that a transaction in which one failed is not committed. */
static bool changed(store_txn_t *txn, store_table_t table, int code, error_info_t *error) {
    if (code == 0)
        return true;
    txn->failed = txn->failed != 0 ? txn->failed : code;
    char doing[64];
    snprintf(doing, sizeof doing, "write to `%s`", table_names[table]);
    return env_error(txn->store, code, doing, error);
}

static bool is_above_all(store_txn_t *txn, store_table_t table, MDB_val key) {
    store_walk_t walk = {.backward = true};
    bool above =
        !store_walk_next(txn, table, &walk) || env_key_compare(bytes_of(key), walk.key) > 0;
    store_walk_end(&walk);
    return above;
}

/* What mdb_put (`value.data` NULL: mdb_del) would do, in memory. */
static int imagine(store_txn_t *txn, store_table_t table, MDB_val key, store_bytes_t value,
                   unsigned flags) {
    MDB_val below;
    if ((flags & MDB_APPEND) && !is_above_all(txn, table, key))
        return MDB_KEYEXIST;
    int code = mdb_get(txn->txn, txn->store->tables[table], &key, &below);
    if (code != 0 && code != MDB_NOTFOUND)
        return code;
    env_overlay_put(txn->overlay, table, bytes_of(key), value, code == 0);
    return 0;
}

static int put(store_txn_t *txn, store_table_t table, const void *key, size_t key_size,
               const void *value, size_t size, unsigned flags) {
    if (!txn->writes)
        return EACCES;
    if (txn->failed != 0)
        return txn->failed;
    if (key_size < 1 || key_size > KEY_MAXIMUM)
        return MDB_BAD_VALSIZE;
    MDB_val k = {key_size, (void *)(uintptr_t)key};
    MDB_val v = {size, size == 0 ? "" : (void *)(uintptr_t)value};
    return txn->overlay ? imagine(txn, table, k, bytes_of(v), flags)
                        : mdb_put(txn->txn, txn->store->tables[table], &k, &v, flags);
}

bool store_put(store_txn_t *txn, store_table_t table, const void *key, size_t key_size,
               const void *value, size_t size, error_info_t *error) {
    return changed(txn, table, put(txn, table, key, key_size, value, size, 0), error);
}

bool store_append(store_txn_t *txn, store_table_t table, const void *key, size_t key_size,
                  const void *value, size_t size, error_info_t *error) {
    return changed(txn, table, put(txn, table, key, key_size, value, size, MDB_APPEND), error);
}

bool store_delete(store_txn_t *txn, store_table_t table, const void *key, size_t key_size,
                  error_info_t *error) {
    int code = txn->writes ? txn->failed : EACCES;
    if (code == 0 && key_size >= 1 && key_size <= KEY_MAXIMUM) {
        MDB_val k = {key_size, (void *)(uintptr_t)key};
        code = txn->overlay ? imagine(txn, table, k, (store_bytes_t){NULL, 0}, 0)
                            : mdb_del(txn->txn, txn->store->tables[table], &k, NULL);
        code = code == MDB_NOTFOUND ? 0 : code;
    }
    return changed(txn, table, code, error);
}

uint64_t store_count(store_txn_t *txn, store_table_t table) {
    MDB_stat stat;
    if (txn->failed != 0)
        return 0;
    int code = mdb_stat(txn->txn, txn->store->tables[table], &stat);
    if (code != 0)
        die(txn->store, table, mdb_strerror(code));
    return stat.ms_entries + (txn->overlay ? (uint64_t)env_overlay_more(txn->overlay, table) : 0);
}

/* --- walks ------------------------------------------------------------------------------------ */

/* The first step of a walk backwards from a key: the last key that is not above it. */
static int seek_backward(MDB_cursor *cursor, MDB_val *key, MDB_val *value) {
    MDB_val from = *key;
    int code = mdb_cursor_get(cursor, key, value, MDB_SET_RANGE);
    if (code == MDB_NOTFOUND)
        return mdb_cursor_get(cursor, key, value, MDB_LAST);
    if (code == 0 &&
        (key->mv_size != from.mv_size || memcmp(key->mv_data, from.mv_data, from.mv_size) != 0))
        return mdb_cursor_get(cursor, key, value, MDB_PREV);
    return code;
}

static int walk_begin(store_txn_t *txn, store_table_t table, store_walk_t *walk, MDB_val *key,
                      MDB_val *value) {
    walk_state_t *state = MEMORY_NEW(walk_state_t);
    walk->cursor = state;
    int code = mdb_cursor_open(txn->txn, txn->store->tables[table], &state->cursor);
    if (code != 0) {
        state->cursor = NULL;
        return code;
    }
    if (!walk->from || walk->from_size == 0)
        return mdb_cursor_get(state->cursor, key, value, walk->backward ? MDB_LAST : MDB_FIRST);
    size_t size = walk->from_size < KEY_MAXIMUM ? walk->from_size : KEY_MAXIMUM;
    state->prefix_size = walk->prefix_size < size ? walk->prefix_size : size;
    memcpy(state->prefix, walk->from, state->prefix_size);
    *key = (MDB_val){size, (void *)(uintptr_t)walk->from};
    return walk->backward ? seek_backward(state->cursor, key, value)
                          : mdb_cursor_get(state->cursor, key, value, MDB_SET_RANGE);
}

static int step(store_txn_t *txn, store_table_t table, store_walk_t *walk, MDB_val *key,
                MDB_val *value) {
    if (!walk->cursor)
        return walk_begin(txn, table, walk, key, value);
    walk_state_t *state = walk->cursor;
    return mdb_cursor_get(state->cursor, key, value, walk->backward ? MDB_PREV : MDB_NEXT);
}

/* Both ways to the first row begin in step(), since that is where the walk's state comes from. */
static walk_state_t *begin_imagined(store_txn_t *txn, store_table_t table, store_walk_t *walk) {
    MDB_val key = {0}, value = {0};
    int code = step(txn, table, walk, &key, &value);
    walk_state_t *state = walk->cursor;
    state->code = code;
    state->key = key;
    state->value = value;
    size_t size = walk->from_size < KEY_MAXIMUM ? walk->from_size : KEY_MAXIMUM;
    store_bytes_t from = {size ? walk->from : NULL, size};
    state->row = env_overlay_seek(txn->overlay, table, from, walk->backward);
    return state;
}

/* Whether the overlay's row is next (< 0), the one below it is (> 0), or both are
 * of one key (0). */
static int compare_next(const walk_state_t *state, bool backward) {
    if (state->code != 0 || !state->row)
        return state->row ? -1 : 1;
    int order = env_key_compare(state->row->key, bytes_of(state->key));
    return backward ? -order : order;
}

/* The next row of the table with the overlay on it. */
static int step_imagined(store_txn_t *txn, store_table_t table, store_walk_t *walk, MDB_val *key,
                         MDB_val *value) {
    walk_state_t *state = walk->cursor ? walk->cursor : begin_imagined(txn, table, walk);
    while (state->code == 0 || (state->code == MDB_NOTFOUND && state->row)) {
        int order = compare_next(state, walk->backward);
        const env_row_t *row = order <= 0 ? state->row : NULL;
        *key = row ? value_of(row->key) : state->key;
        *value = row ? value_of(row->value) : state->value;
        if (order >= 0)
            state->code = step(txn, table, walk, &state->key, &state->value);
        if (row)
            state->row = env_overlay_next(txn->overlay, table, row, walk->backward);
        if (!row || row->value.data)
            return 0;
    }
    return state->code;
}

bool store_walk_next(store_txn_t *txn, store_table_t table, store_walk_t *walk) {
    MDB_val key, value;
    int code = MDB_NOTFOUND; /* of a transaction that failed, nothing will be committed */
    if (txn->failed == 0)
        code = (txn->overlay ? step_imagined : step)(txn, table, walk, &key, &value);
    if (code != 0 && code != MDB_NOTFOUND)
        die(txn->store, table, mdb_strerror(code));
    const walk_state_t *state = walk->cursor;
    if (code == MDB_NOTFOUND || key.mv_size < state->prefix_size ||
        memcmp(key.mv_data, state->prefix, state->prefix_size) != 0) {
        store_walk_end(walk);
        return false;
    }
    walk->key = (store_bytes_t){key.mv_data, key.mv_size};
    walk->value = (store_bytes_t){value.mv_data, value.mv_size};
    return true;
}

void store_walk_end(store_walk_t *walk) {
    walk_state_t *state = walk->cursor;
    if (state && state->cursor)
        mdb_cursor_close(state->cursor);
    free(state);
    walk->cursor = NULL;
}

uint64_t store_last_number(store_txn_t *txn, store_table_t table) {
    store_walk_t walk = {.backward = true};
    if (!store_walk_next(txn, table, &walk))
        return 0;
    if (walk.key.size != 8)
        store_damaged(txn, table, "a key that is no number");
    uint64_t number = key_get_u64(walk.key.data);
    store_walk_end(&walk);
    return number;
}
