/* env.h - the store's LMDB environment: opening, transactions, tables as sorted maps of bytes.
 * env.c (with env_map.c) is the only place that includes lmdb.h.
 *
 * One directory, one environment (data.mdb, lock.mdb), beside it `holder`, locked (fcntl) by the
 * one process that may write, holding its process id, host and run for the message a second one
 * gets. A process opens a store once at a time, for reading too: LMDB's locks belong to the
 * process. After fork() only the parent may go on.
 *
 * Threads: a transaction stays on the thread that began it. Up to 512 read transactions in all
 * processes together; one write transaction at a time, by the process that holds the writer's lock.
 * Read transactions are short: while one is open the map cannot grow and old pages cannot be
 * reused. A thread with an open read transaction must not call store_write, nor a thread in
 * store_write again (both are refused: BUG): it could wait for itself. A thread may have several
 * read transactions.
 *
 * The map starts small and grows by itself: when a write does not fit, the transaction is aborted,
 * the readers of this process are waited for, the map is doubled and the work applied again.
 * Readers of other processes meet MDB_MAP_RESIZED and follow; both happen inside these functions.
 */
#ifndef GLIA_STORE_ENV_H
#define GLIA_STORE_ENV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/error.h"
#include "store/schema.h"

typedef struct store store_t;
typedef struct store_txn store_txn_t;

typedef enum {
    STORE_READ,  /* must exist; any number of processes */
    STORE_WRITE, /* created if absent; one process. Stale readers are cleared. */
} store_mode_t;

typedef struct {
    bool no_sync; /* rehearsals only: do not wait for the disk */
    /* bytes; 0: 16 MiB. For a new store; one that exists says itself how large it was */
    size_t initial_map;
    /* bytes; 0: no limit. A store that would pass it fails with RETRYABLE, as on a full disk */
    size_t largest_map;
} store_options_t;

/* Errors: CONFIG for a directory that cannot be created or written, a network file system (NFS,
 * CIFS, SMB, 9p, FUSE sshfs...), a store of a newer glia, a store in use (names the holder's
 * process id and run), no store (READ); RETRYABLE for a full disk. An older store is migrated in
 * one transaction (WRITE) or refused with the fix (READ). options may be NULL. */
store_t *store_open(const char *directory, store_mode_t mode, const store_options_t *options,
                    error_info_t *error);
void store_close(store_t *store); /* all transactions have ended; NULL is fine */
const char *store_directory(const store_t *store);
/* Writes what the second process will be told ("run overnight-3"); WRITE mode only. */
void store_set_holder(store_t *store, const char *what);
/* Free bytes of the file system the store is on; UINT64_MAX if unknown. */
uint64_t store_free_space(const store_t *store);

/* A consistent view; never blocks on the writer (only on a growing map). NULL on failure: RETRYABLE
 * (too many readers, no address space), FATAL (the store was lost or has crashed). */
store_txn_t *store_read_begin(store_t *store, error_info_t *error);
void store_read_end(store_txn_t *txn);

/* Runs `apply` in a write transaction and commits durably. `apply` may be called again from the
 * start when the map had to grow, so it must have no effect but on the transaction (and on memory
 * that it sets each time). If apply returns false (having set *error), or a put in it failed,
 * nothing is committed. Errors: RETRYABLE (ENOSPC, EDQUOT, EFBIG, EIO, the largest map: nothing
 * was committed, the same may be tried again), FATAL (corruption; a disk that fails so that what
 * became of the transaction is not known: this store_t is of no further use), BUG (see threads).
 * A program must ignore SIGXFSZ, or a limit on file sizes kills it. Blocks for the disk: not on
 * the loop thread. */
typedef bool store_apply_t(store_txn_t *txn, void *context, error_info_t *error);
bool store_write(store_t *store, store_apply_t *apply, void *context, error_info_t *error);

/* Runs `apply` as store_write would, once, on a consistent view: what it puts, appends and deletes
 * is seen by the rest of `apply` and is then forgotten. For asking what a write would lead to. In
 * both modes and beside any writer: no lock is taken and no row changed. Returns what `apply`
 * returned. Errors beside those of `apply`: BUG for a put in it that failed, and on a thread that
 * is in store_write or store_imagine; those of store_read_begin.
 *
 * Memory: a copy of each key and value that is put, and about 100 bytes. The view is a read
 * transaction for as long as `apply` runs: until then no writer can use old pages again, its file
 * grows instead, and one in this process waits if its map must grow. Seconds are fine, hours are
 * not. What modules of store/ keep in memory is made anew for it: the first lookup of a request
 * reads up to 16,384 responses. */
bool store_imagine(store_t *store, store_apply_t *apply, void *context, error_info_t *error);

/* --- one transaction -------------------------------------------------------------------------- */

typedef struct {
    /* borrowed from the map: valid until the transaction ends or, in apply, until the next put */
    const void *data;
    size_t size;
} store_bytes_t;

/* False: there is no such key. Damage makes the process abort after a message: a store that
 * lies cannot be worked with. The modules of store/ do the same for values that they cannot
 * read, where they have no error to return and going on could cost money; fsck_run reads such a
 * store to its end. */
bool store_get(store_txn_t *txn, store_table_t table, const void *key, size_t key_size,
               store_bytes_t *value);
/* In apply only (of store_write or store_imagine). False with *error set (never ignore it). Keys
 * have 1..511 bytes. */
bool store_put(store_txn_t *txn, store_table_t table, const void *key, size_t key_size,
               const void *value, size_t size, error_info_t *error);
/* For keys that grow: must be greater than every key in the table (MDB_APPEND). */
bool store_append(store_txn_t *txn, store_table_t table, const void *key, size_t key_size,
                  const void *value, size_t size, error_info_t *error);
/* True also when there was no such key. */
bool store_delete(store_txn_t *txn, store_table_t table, const void *key, size_t key_size,
                  error_info_t *error);
uint64_t store_count(store_txn_t *txn, store_table_t table);

/* In order of keys. Start with a zeroed walk; `from` NULL: from the first (or last, backwards) key.
 *   store_walk_t walk = {0};
 *   while (store_walk_next(txn, table, &walk)) ... walk.key, walk.value
 *   store_walk_end(&walk);
 * The walk ends itself when it returns false, and must be ended before its transaction. In apply,
 * nothing is changed in the table that is walked: collect the keys first. */
typedef struct {
    /* first key >= from (forward), last key <= from (backward); read at the first call only */
    const void *from;
    size_t from_size;
    /* stop at the first key that differs from `from` in these bytes; 0: no prefix */
    size_t prefix_size;
    bool backward;
    store_bytes_t key, value;
    void *cursor;
} store_walk_t;
bool store_walk_next(store_txn_t *txn, store_table_t table, store_walk_t *walk);
void store_walk_end(store_walk_t *walk);

/* --- rehearsal: the commit port --------------------------------------------------------------- */

typedef enum { STORE_BEFORE_COMMIT, STORE_AFTER_COMMIT } store_point_t;
typedef enum { STORE_GO_ON, STORE_FAIL, STORE_CRASH } store_fate_t;
/* Called inside store_write around every commit. FAIL (before commit only): nothing is committed,
 * store_write returns a RETRYABLE error "no space left". CRASH: the power goes; the transaction is
 * dropped (before) or kept (after), and every later call on this store_t but store_close fails. The
 * hook runs on the thread that writes and must not call the store. */
typedef store_fate_t store_hook_t(void *context, store_point_t point);
void store_set_hook(store_t *store, store_hook_t *hook, void *context);
bool store_has_crashed(const store_t *store);

#endif
