/* runs.h - runs: a name, a snapshot of the config, templates and program version,
 * and how it stands. */
#ifndef GLIA_STORE_RUNS_H
#define GLIA_STORE_RUNS_H

#include "core/base/buffer.h"
#include "core/base/hash.h"
#include "store/env.h"

typedef enum { RUN_NEW, RUN_RUNNING, RUN_DONE, RUN_PAUSED, RUN_INTERRUPTED } run_state_t;
const char *run_state_name(run_state_t state);

typedef struct {
    uint32_t number; /* from 1 */
    char *name;
    run_state_t state;
    char *state_note;                            /* "cap total: $0.12 missing", or NULL */
    hash_t snapshot;                             /* blob: canonical config (config_dump) */
    char *program;                               /* version of glia */
    int64_t created_utc, started_utc, ended_utc; /* microseconds; last start and end */
    int64_t busy;                                /* microseconds spent running, over all starts */
    uint32_t starts;
    uint64_t lag_p99; /* microseconds, of the last start */
    size_t set_count; /* the sets the run works on, fixed at its last start */
    struct run_set {
        char *name;
        hash_t content;
        uint32_t count;
    } * sets; /* [set_count] */
    size_t template_count;
    struct run_template {
        char *name;
        hash_t hash;     /* blob: its text */
        hash_t identity; /* template_hash: part of job ids */
    } * templates;       /* [template_count] */
} run_info_t;

/* Finds by name, or (name NULL) the one started last. Owned: run_info_clear. */
bool runs_find(store_txn_t *txn, const char *name, run_info_t *run);
bool runs_get(store_txn_t *txn, uint32_t number, run_info_t *run);
/* number 0: a new run (assigns it); else replaces, under a new name too. The number that would be
 * next is taken for a new run as well, so that a transaction that is applied again finds what it
 * assigned. Errors (CONFIG): the name is another run's, or not of 1 to 511 bytes. */
bool runs_put(store_txn_t *txn, run_info_t *run, error_info_t *error);
typedef bool runs_visit_t(void *context, const run_info_t *run);
void runs_all(store_txn_t *txn, runs_visit_t *visit, void *context);
void run_info_clear(run_info_t *run);

/* Texts by content, of at most 256 MiB. */
bool blob_put(store_txn_t *txn, const void *bytes, size_t size, hash_t *hash, error_info_t *error);
bool blob_get(store_txn_t *txn, hash_t hash, buffer_t *out, error_info_t *error);

#endif
