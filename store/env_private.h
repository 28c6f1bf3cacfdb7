/* env_private.h - what the files of the environment share. For env*.c, for the modules of store/
 * where they meet damage (store_damaged) or are tenants, for open.c, which puts a store together,
 * and for tests of what store_open() hides.
 *
 * Who holds what in env_map.c:
 *   - `gate` guards `open`, `exclusive`, `writing`, `writer`, `crashed` and `broken`;
 *   - a read transaction is in the list `open` from before it begins until after it ends;
 *   - whoever set `exclusive` waits until `open` is empty, then may remap or reopen the
 *     environment; new read transactions wait meanwhile, so that readers cannot starve
 *     the growing writer;
 *   - `writing` admits one write transaction; only its holder sets `env`, the map and `tables`, and
 *     for that it has the gate exclusively too (in READ mode: whoever has the gate exclusively).
 */
#ifndef GLIA_STORE_ENV_PRIVATE_H
#define GLIA_STORE_ENV_PRIVATE_H

#include <pthread.h>

#include "store/env.h"

struct MDB_env;
struct MDB_txn;

/* --- env_place.c: the directory, its locks, its file system ----------------------------------- */

typedef struct {
    int directory; /* file descriptors; -1: none */
    int holder;    /* -1 also on a read-only file system, where nobody writes */
    bool writer;   /* holds the writer's lock */
    bool silent;   /* a reader that may not say that it reads, and keeps writers out instead */
} env_place_t;

/* Makes the directory (WRITE), refuses network file systems, takes the locks. On failure
 * everything is closed. */
bool env_place_open(env_place_t *place, const char *directory, store_mode_t mode,
                    error_info_t *error);
void env_place_close(env_place_t *place);
void env_place_set_holder(const env_place_t *place, const char *what);
/* Makes the names of the files in the directory, and of the directory, durable. */
bool env_place_sync(const env_place_t *place, const char *directory, error_info_t *error);
/* Microseconds: when the holder's file was last written, by the file system's clock. */
int64_t env_place_time(const env_place_t *place);
/* The name of a network file system by the f_type of statfs(2), or NULL for one
 * that is not. Pure. */
const char *env_network_name(uint64_t type);

/* --- env_tenants.c: what modules keep in memory ----------------------------------------------- */

/* A tenant is a module of store/ that keeps something in memory beside its tables, once for each
 * store that is open. The environment calls it and does not know it: an env_schema_t names the
 * tenants. What is NULL is not called. store_imagine() has the tenants keep something of its own
 * for as long as it runs: it calls `create` before and `free` after it and, since nothing is
 * committed, neither `before_commit` nor `forget`. So a tenant need not know of it.
 *
 * `before_commit` and `forget` run on a thread that is in store_write, so never two of them at
 * once: what only they and `apply` touch needs no lock. What read transactions use too needs one of
 * the tenant's own. */
typedef struct {
    /* Returns what is kept; not NULL. In store_open, before the first transaction, for reading and
     * for writing; in store_imagine, on any thread. */
    void *(*create)(void);
    /* What is kept must follow from committed rows alone again: a write transaction was not
     * committed (`apply` or a put failed, the map must grow, the disk did not take it), or the
     * environment was opened again, so that what was thought committed may not be. The transaction
     * has ended; read transactions of other threads may be open unless the environment was opened
     * again. May be called several times, or for nothing. Does not call the store. */
    void (*forget)(void *kept);
    /* After `apply` has succeeded, in its transaction and on its thread, in the order of the list:
     * puts the rows that it held back, and lets go of what belongs to this transaction. Reads and
     * puts, begins no transaction. False, with *error set: nothing is committed. If nothing is
     * committed for another reason, `forget` is next. */
    bool (*before_commit)(store_txn_t *txn, void *kept, error_info_t *error);
    /* In store_close, or in a store_open that failed, when no transaction is left; at the end of
     * store_imagine. Once for each `create`. */
    void (*free)(void *kept);
} env_tenant_t;

enum { ENV_TENANTS_MAXIMUM = 4 };

/* What a tenant keeps that this transaction may see; the tenant is one of the schema's. No lock, a
 * few comparisons. */
void *env_kept(const store_txn_t *txn, const env_tenant_t *tenant);

/* --- env_schema.c: versions and migration ----------------------------------------------------- */

/* Brings a store from schema `from` to `from` + 1. */
typedef struct {
    int from;
    bool (*migrate)(store_txn_t *txn, error_info_t *error);
} env_migration_t;

typedef struct {
    int version;
    const env_migration_t *migrations; /* [count], in any order */
    size_t count;
    /* [tenant_count], at most ENV_TENANTS_MAXIMUM; lives as long as the store */
    const env_tenant_t *const *tenants;
    size_t tenant_count;
} env_schema_t;

/* Opens the tables, in a transaction that began after the environment was opened: makes them in an
 * empty one (WRITE), migrates an older store (WRITE), refuses a newer one. `created`: microseconds,
 * kept in META of a new store. */
bool env_schema_prepare(store_txn_t *txn, const env_schema_t *schema, int64_t created,
                        error_info_t *error);
/* store_open() with another schema than this program's. */
store_t *env_open_schema(const char *directory, store_mode_t mode, const store_options_t *options,
                         const env_schema_t *schema, error_info_t *error);

/* --- env.c and env_map.c: LMDB ---------------------------------------------------------------- */

struct store {
    char *directory;
    store_mode_t mode;
    store_options_t options;
    env_place_t place;
    struct MDB_env *env;
    /* LMDB's handles; the same in every environment that env_lmdb_open() makes */
    unsigned tables[TABLE_COUNT];
    pthread_mutex_t gate;
    pthread_cond_t gate_changed;
    store_txn_t *open; /* read transactions */
    bool exclusive;
    bool writing;
    pthread_t writer; /* while writing */
    bool crashed;     /* by the hook */
    bool broken;      /* the environment was lost and could not be had again */
    uint64_t commits;
    const env_tenant_t *const *tenants; /* [tenant_count] */
    size_t tenant_count;
    void *kept[ENV_TENANTS_MAXIMUM]; /* by the tenants, in their order */
    store_hook_t *hook;
    void *hook_context;
};

struct store_txn {
    store_t *store;
    struct MDB_txn *txn;
    bool writes; /* puts are taken */
    /* what they go to in store_imagine, where `txn` only reads; NULL: they go to LMDB */
    struct env_overlay *overlay;
    /* by the tenants: the store's or, in store_imagine, this transaction's own */
    void *const *kept;
    /* LMDB's code of the first put, append or delete that failed; nothing can be committed then */
    int failed;
    pthread_t thread;
    store_txn_t *next, *previous;
};

/* Opens LMDB with the store's options, without tables. Returns LMDB's code. */
int env_lmdb_open(store_t *store);
void env_lmdb_close(store_t *store);
/* Opens one table (`create`: makes it if it is not there), *found says if it is there now. */
bool env_table_open(store_txn_t *txn, store_table_t table, bool create, bool *found,
                    error_info_t *error);
/* Named databases of any name. */
uint64_t env_table_total(store_txn_t *txn);
/* Ends a read transaction so that the table handles that it opened stay. */
bool env_read_keep(store_txn_t *txn, error_info_t *error);

/* The callbacks of all tenants. `kept`: the store's, or those of an imagined transaction. */
void env_tenants_create(const store_t *store, void *kept[ENV_TENANTS_MAXIMUM]);
void env_tenants_forget(store_t *store);
bool env_tenants_before_commit(store_txn_t *txn, error_info_t *error);
void env_tenants_free(const store_t *store, void *kept[ENV_TENANTS_MAXIMUM]);

/* --- env_map.c -------------------------------------------------------------------------------- */

void env_gate_create(store_t *store);
void env_gate_destroy(store_t *store);
/* Puts the class and text for a code of LMDB or errno into *error; returns false. */
bool env_error(const store_t *store, int code, const char *doing, error_info_t *error);

/* The store lies and there is no way to say so: writes what is damaged to standard
 * error and aborts. */
_Noreturn void store_damaged(const store_txn_t *txn, store_table_t table, const char *what);
/* The number in the last key of a table whose keys are u64; 0: it is empty. Stops the program if
 * that key is none. */
uint64_t store_last_number(store_txn_t *txn, store_table_t table);
/* The name of a table in LMDB. */
const char *store_table_name(store_table_t table);

#endif
