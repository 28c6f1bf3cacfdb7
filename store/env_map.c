/* env_map.c - transactions, the gate that readers pass and growth closes, commits and what may go
 * wrong with them. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* MAP_ANONYMOUS, MAP_NORESERVE */
#endif

#include <assert.h>
#include <errno.h>
#include <lmdb.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/base/memory.h"
#include "store/env_overlay.h"
#include "store/env_private.h"

enum {
    GROWTH = 16 << 20,        /* the map at least grows by this */
    READER_CHECK_EVERY = 256, /* commits */
};

typedef enum { WRITE_DONE, WRITE_FAILED, WRITE_AGAIN } write_result_t;

/* --- the gate --------------------------------------------------------------------------------- */

void env_gate_create(store_t *store) {
    pthread_mutex_init(&store->gate, NULL);
    pthread_cond_init(&store->gate_changed, NULL);
}

void env_gate_destroy(store_t *store) {
    assert(!store->open && !store->writing);
    pthread_cond_destroy(&store->gate_changed);
    pthread_mutex_destroy(&store->gate);
}

static void gate_wait(store_t *store) {
    pthread_cond_wait(&store->gate_changed, &store->gate);
}

/* Whether the calling thread has a read transaction open. With the gate's mutex. */
static bool reads_here(const store_t *store) {
    for (const store_txn_t *txn = store->open; txn; txn = txn->next)
        if (pthread_equal(txn->thread, pthread_self()))
            return true;
    return false;
}

static void gate_enter(store_txn_t *txn) {
    store_t *store = txn->store;
    pthread_mutex_lock(&store->gate);
    /* Who reads already goes in: the one that waits for exclusion waits for this thread. */
    while (store->exclusive && !reads_here(store))
        gate_wait(store);
    txn->previous = NULL;
    txn->next = store->open;
    if (txn->next)
        txn->next->previous = txn;
    store->open = txn;
    pthread_mutex_unlock(&store->gate);
}

static void gate_leave(store_txn_t *txn) {
    store_t *store = txn->store;
    pthread_mutex_lock(&store->gate);
    if (txn->previous)
        txn->previous->next = txn->next;
    else
        store->open = txn->next;
    if (txn->next)
        txn->next->previous = txn->previous;
    pthread_cond_broadcast(&store->gate_changed);
    pthread_mutex_unlock(&store->gate);
}

/* From true until gate_open(): no read transaction of this store. */
static bool gate_close(store_t *store, error_info_t *error) {
    pthread_mutex_lock(&store->gate);
    if (reads_here(store)) {
        pthread_mutex_unlock(&store->gate);
        return error_set(error, ERROR_BUG,
                         "store %s: its map must grow, but this thread has a read transaction open",
                         store->directory);
    }
    while (store->exclusive)
        gate_wait(store);
    store->exclusive = true;
    while (store->open)
        gate_wait(store);
    pthread_mutex_unlock(&store->gate);
    return true;
}

static void gate_open(store_t *store) {
    pthread_mutex_lock(&store->gate);
    store->exclusive = false;
    pthread_cond_broadcast(&store->gate_changed);
    pthread_mutex_unlock(&store->gate);
}

static void gate_mark(store_t *store, bool *flag) {
    pthread_mutex_lock(&store->gate);
    *flag = true;
    pthread_mutex_unlock(&store->gate);
}

static bool usable(store_t *store, error_info_t *error) {
    pthread_mutex_lock(&store->gate);
    bool crashed = store->crashed;
    bool broken = store->broken;
    pthread_mutex_unlock(&store->gate);
    if (crashed)
        return error_set(error, ERROR_FATAL, "store %s: the power went (rehearsal)",
                         store->directory);
    return !broken ||
           error_set(error, ERROR_FATAL,
                     "store %s was lost after a failure of the disk or of memory; start glia again",
                     store->directory);
}

/* --- the map ---------------------------------------------------------------------------------- */

/* With the gate closed and no write transaction. LMDB lets go of the old map before it has the new
 * one, and cannot go on without; so it is first seen whether there is address space for both.
 * Returns LMDB's code. */
static int set_map(store_t *store, size_t old, size_t size) {
    if (size > old) {
        void *trial =
            mmap(NULL, size - old, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (trial == MAP_FAILED)
            return ENOMEM;
        munmap(trial, size - old);
    }
    int code = mdb_env_set_mapsize(store->env, size);
    if (code != 0)
        gate_mark(store, &store->broken);
    return code;
}

/* Doubles the map, by GROWTH at least, up to the largest; if there is no address space for that,
 * by GROWTH only. */
static bool map_grow(store_t *store, error_info_t *error) {
    MDB_envinfo info;
    mdb_env_info(store->env, &info);
    size_t old = info.me_mapsize;
    size_t largest = store->options.largest_map;
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t size = old < GROWTH ? old + GROWTH : 2 * old;
    size_t least = old + GROWTH;
    if (largest != 0 && size > largest) {
        size = largest / page * page;
        least = least < size ? least : size;
    }
    if (size <= old)
        return error_set(error, ERROR_RETRYABLE,
                         "store %s is full: %zu bytes are the most that it may have; raise that. "
                         "Nothing was written, nothing is lost",
                         store->directory, largest);
    if (!gate_close(store, error))
        return false;
    int code = set_map(store, old, size);
    if (code == ENOMEM && usable(store, NULL) && least < size)
        code = set_map(store, old, least);
    gate_open(store);
    return code == 0 || env_error(store, code, "grow", error);
}

/* Another process has written more than this one has mapped. */
static bool map_follow(store_t *store, error_info_t *error) {
    if (!gate_close(store, error))
        return false;
    MDB_envinfo info;
    MDB_stat stat;
    mdb_env_info(store->env, &info);
    mdb_env_stat(store->env, &stat);
    size_t needed = (info.me_last_pgno + 1) * (size_t)stat.ms_psize;
    int code = 0;
    if (needed > info.me_mapsize) { /* else another thread was here first */
        size_t roomy = needed > 2 * info.me_mapsize ? needed : 2 * info.me_mapsize;
        code = set_map(store, info.me_mapsize, roomy);
        if (code == ENOMEM && usable(store, NULL))
            code = set_map(store, info.me_mapsize, needed);
    }
    gate_open(store);
    return code == 0 || env_error(store, code, "follow its growth", error);
}

/* --- reading ---------------------------------------------------------------------------------- */

store_txn_t *store_read_begin(store_t *store, error_info_t *error) {
    store_txn_t *txn = MEMORY_NEW(store_txn_t);
    txn->store = store;
    txn->kept = store->kept;
    txn->thread = pthread_self();
    gate_enter(txn);
    bool cleared = false;
    while (usable(store, error)) {
        int code = mdb_txn_begin(store->env, NULL, MDB_RDONLY, &txn->txn);
        if (code == 0)
            return txn;
        if (code == MDB_MAP_RESIZED) {
            gate_leave(txn);
            if (!map_follow(store, error)) {
                free(txn);
                return NULL;
            }
            gate_enter(txn);
        } else if (code == MDB_READERS_FULL && !cleared) {
            mdb_reader_check(store->env, NULL);
            cleared = true;
        } else {
            env_error(store, code, "read", error);
            break;
        }
    }
    gate_leave(txn);
    free(txn);
    return NULL;
}

void store_read_end(store_txn_t *txn) {
    mdb_txn_abort(txn->txn);
    gate_leave(txn);
    free(txn);
}

bool env_read_keep(store_txn_t *txn, error_info_t *error) {
    store_t *store = txn->store;
    int code = mdb_txn_commit(txn->txn);
    gate_leave(txn);
    free(txn);
    return code == 0 || env_error(store, code, "open", error);
}

/* --- after a failed commit -------------------------------------------------------------------- */

static int open_tables_again(store_t *store) {
    store_txn_t txn = {.store = store};
    int code = mdb_txn_begin(store->env, NULL, MDB_RDONLY, &txn.txn);
    if (code != 0)
        return code;
    for (int table = 0; table < TABLE_COUNT; table++) {
        bool found;
        if (!env_table_open(&txn, (store_table_t)table, false, &found, NULL) || !found) {
            mdb_txn_abort(txn.txn);
            return MDB_CORRUPTED;
        }
    }
    return mdb_txn_commit(txn.txn);
}

/* A commit that changes as good as nothing, to see whether the disk takes one again. */
static int commit_trial(store_t *store) {
    MDB_txn *txn;
    int code = mdb_txn_begin(store->env, NULL, 0, &txn);
    if (code != 0)
        return code;
    MDB_val key = {sizeof "trial" - 1, "trial"}, value = {0, ""};
    code = mdb_put(txn, store->tables[TABLE_META], &key, &value, 0);
    if (code != 0) {
        mdb_txn_abort(txn);
        return code;
    }
    return mdb_txn_commit(txn);
}

/* LMDB gives an environment up when the very last write of a commit, that of the meta page, fails.
 * It tries to put the old page back, but when that fails too, the transaction is there after all
 * for whoever opens the file. Then it is committed if one more commit goes through (which syncs the
 * pages of both), and unknown if not. True: the transaction is durable. False: it is not there, or
 * (store broken) nobody knows. */
static bool reopen(store_t *store, size_t txn_id, error_info_t *error) {
    if (!gate_close(store, error)) {
        gate_mark(store, &store->broken);
        return false;
    }
    env_lmdb_close(store);
    env_tenants_forget(store); /* what was thought committed may not be */
    int code = env_lmdb_open(store);
    code = code != 0 ? code : open_tables_again(store);
    bool kept = false;
    if (code == 0) {
        MDB_envinfo info;
        mdb_env_info(store->env, &info);
        kept = info.me_last_txnid >= txn_id;
        code = kept ? commit_trial(store) : 0;
    }
    if (code != 0) {
        gate_mark(store, &store->broken);
        kept = false;
        env_error(store, code, "open again after a failed write", error);
        if (error)
            error->class_ = ERROR_FATAL;
    }
    gate_open(store);
    return kept;
}

static write_result_t commit_failed(store_t *store, int code, size_t txn_id, error_info_t *error) {
    if (code == MDB_MAP_FULL)
        return map_grow(store, error) ? WRITE_AGAIN : WRITE_FAILED;
    env_error(store, code, "commit", error);
    MDB_txn *trial;
    int state = mdb_txn_begin(store->env, NULL, 0, &trial);
    if (state == 0) {
        mdb_txn_abort(trial);
        return WRITE_FAILED;
    }
    return reopen(store, txn_id, error) ? WRITE_DONE : WRITE_FAILED;
}

/* --- writing ---------------------------------------------------------------------------------- */

static bool write_enter(store_t *store, error_info_t *error) {
    if (store->mode != STORE_WRITE)
        return error_set(error, ERROR_BUG, "store %s was opened for reading only",
                         store->directory);
    pthread_mutex_lock(&store->gate);
    bool nested = store->writing && pthread_equal(store->writer, pthread_self());
    bool reads = reads_here(store);
    while (!nested && !reads && store->writing)
        gate_wait(store);
    if (!nested && !reads) {
        store->writing = true;
        store->writer = pthread_self();
    }
    pthread_mutex_unlock(&store->gate);
    if (nested || reads)
        return error_set(error, ERROR_BUG,
                         "store %s: store_write on a thread that has a %s transaction open",
                         store->directory, nested ? "write" : "read");
    return true;
}

static void write_leave(store_t *store) {
    pthread_mutex_lock(&store->gate);
    store->writing = false;
    pthread_cond_broadcast(&store->gate_changed);
    pthread_mutex_unlock(&store->gate);
}

static store_fate_t fate_at(store_t *store, store_point_t point, error_info_t *error) {
    store_fate_t fate = !store->hook ? STORE_GO_ON : store->hook(store->hook_context, point);
    if (fate == STORE_CRASH) {
        gate_mark(store, &store->crashed);
        usable(store, error);
    } else if (fate == STORE_FAIL) {
        error_set(error, ERROR_RETRYABLE, "store %s: commit: no space left on its disk (rehearsal)",
                  store->directory);
    }
    return fate;
}

static write_result_t commit(store_t *store, store_txn_t *txn, error_info_t *error) {
    if (fate_at(store, STORE_BEFORE_COMMIT, error) != STORE_GO_ON) {
        mdb_txn_abort(txn->txn);
        return WRITE_FAILED;
    }
    size_t txn_id = mdb_txn_id(txn->txn);
    int code = mdb_txn_commit(txn->txn); /* frees it, whatever the result */
    if (code != 0) {
        write_result_t result = commit_failed(store, code, txn_id, error);
        if (result != WRITE_DONE)
            return result;
    }
    if (++store->commits % READER_CHECK_EVERY == 0)
        mdb_reader_check(store->env, NULL);
    return fate_at(store, STORE_AFTER_COMMIT, error) == STORE_CRASH ? WRITE_FAILED : WRITE_DONE;
}

static write_result_t write_once(store_t *store, store_apply_t *apply, void *context,
                                 error_info_t *error) {
    store_txn_t txn = {
        .store = store, .writes = true, .kept = store->kept, .thread = pthread_self()};
    if (!usable(store, error))
        return WRITE_FAILED;
    int code = mdb_txn_begin(store->env, NULL, 0, &txn.txn);
    if (code == MDB_MAP_RESIZED)
        return map_follow(store, error) ? WRITE_AGAIN : WRITE_FAILED;
    if (code != 0) {
        env_error(store, code, "write", error);
        return WRITE_FAILED;
    }
    bool applied = apply(&txn, context, error) && env_tenants_before_commit(&txn, error);
    if (applied && txn.failed == 0)
        return commit(store, &txn, error);
    mdb_txn_abort(txn.txn);
    if (txn.failed == MDB_MAP_FULL)
        return map_grow(store, error) ? WRITE_AGAIN : WRITE_FAILED;
    if (applied) /* apply did not look at the result of a put */
        env_error(store, txn.failed, "write", error);
    return WRITE_FAILED;
}

bool store_write(store_t *store, store_apply_t *apply, void *context, error_info_t *error) {
    if (!write_enter(store, error))
        return false;
    write_result_t result;
    do {
        result = write_once(store, apply, context, error);
        if (result != WRITE_DONE)
            env_tenants_forget(store);
    } while (result == WRITE_AGAIN);
    write_leave(store);
    return result == WRITE_DONE;
}

/* --- imagining -------------------------------------------------------------------------------- */

/* Whether the calling thread is in store_imagine. With the gate's mutex. */
static bool imagines_here(const store_t *store) {
    for (const store_txn_t *txn = store->open; txn; txn = txn->next)
        if (pthread_equal(txn->thread, pthread_self()) && txn->overlay)
            return true;
    return false;
}

static bool refuse_nested(store_t *store, error_info_t *error) {
    pthread_mutex_lock(&store->gate);
    bool writes = store->writing && pthread_equal(store->writer, pthread_self());
    bool nested = writes || imagines_here(store);
    pthread_mutex_unlock(&store->gate);
    return nested &&
           !error_set(error, ERROR_BUG, "store %s: store_imagine on a thread that is in store_%s",
                      store->directory, writes ? "write" : "imagine");
}

bool store_imagine(store_t *store, store_apply_t *apply, void *context, error_info_t *error) {
    store_txn_t *txn = refuse_nested(store, error) ? NULL : store_read_begin(store, error);
    if (!txn)
        return false;
    void *kept[ENV_TENANTS_MAXIMUM];
    env_tenants_create(store, kept);
    txn->kept = kept;
    txn->overlay = env_overlay_create();
    txn->writes = true;
    bool good = apply(txn, context, error);
    if (good && txn->failed != 0) /* apply did not look at the result of a put */
        good = env_error(store, txn->failed, "write", error);
    env_overlay_free(txn->overlay);
    env_tenants_free(store, kept);
    store_read_end(txn);
    return good;
}

/* --- rehearsal -------------------------------------------------------------------------------- */

void store_set_hook(store_t *store, store_hook_t *hook, void *context) {
    store->hook = hook;
    store->hook_context = context;
}

bool store_has_crashed(const store_t *store) {
    store_t *mutable = (store_t *)(uintptr_t)store; /* only its mutex */
    pthread_mutex_lock(&mutable->gate);
    bool crashed = store->crashed;
    pthread_mutex_unlock(&mutable->gate);
    return crashed;
}
