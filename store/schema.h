/* schema.h - every table of the store, its key layout and what it holds. Bump SCHEMA_VERSION with
 * any change and add a migration.
 *
 * Integers in keys are big-endian (key.h; signed ones with the sign bit turned over), so that byte
 * order is number order. Values are msgpack arrays whose first element is the version of that
 * value, unless said otherwise: u32 and u64 are plain integers as in keys. Numbers (of runs,
 * responses, attempts, entries) are one more than the last key: nothing that has one is ever
 * deleted, so that a crash can neither lose nor repeat one. Tables marked (hot) are written for
 * every attempt and have sequential keys; lookups by hash go through small tables beside them.
 *
 * Versions: 2 added BATCH_LINES; 3 added EXCERPTS, RECORDINGS and PIECES, and neuron records that
 * share excerpts; 4 adds rows to REQUESTS by slices (request_index.h).
 */
#ifndef GLIA_STORE_SCHEMA_H
#define GLIA_STORE_SCHEMA_H

enum { SCHEMA_VERSION = 4 };

/* Tables by their names in LMDB:
 *
 *   name         key                               value
 *   meta         text                              schema version, program, created; a run's
 *                                                  progress; a study and its answers
 *   runs         u32 run                           runs.h: run_info_t
 *   run_names    name                              u32 run
 *   blobs        hash of the text                  zstd frame: config snapshots, templates
 *   set_names    set name                          content hash, count, where it came from
 *   sets         content hash, u32 index           neuron hash, id
 *   neurons      neuron hash                       zstd frame: records.c
 *   baselines    name, NUL, i32 layer, i32 index   explanation, score
 *   jobs         job id                            journal.h: job_entry_t
 *   failures     u32 run, job id                   journal.h: job_failure_t
 *   requests     request id                        u64 response
 *   responses    u64 response (hot)                responses.h
 *   embed_links  embedding key                     u64 response, u32 index
 *   embeddings   embedding key                     raw float32[dimensions], little-endian
 *   attempts     u64 attempt (hot)                 ledger.h: attempt_t
 *   open         u64 attempt                       empty: reserved, not yet settled
 *   doubts       u64 attempt                       empty: charged at worst case, unreleased
 *   ledger       u64 entry (hot)                   ledger.h: ledger_entry_t
 *   balances     u32 run, i32 day, u8 stage, model  ledger.h: balance_t
 *   batch_lines  u32 run, u64 line (hot)           batch_lines.h: batch_row_t
 *   excerpts     hash of all excerpts, u32 number  recordings.h: tokens of an excerpt
 *   recordings   recording                         recordings.h: recording_t
 *   pieces       recording, u32 piece, u8 slot     raw bytes; hash in recording_t
 */
#define STORE_TABLE_MAP(ROW)        \
    ROW(META, "meta")               \
    ROW(RUNS, "runs")               \
    ROW(RUN_NAMES, "run_names")     \
    ROW(BLOBS, "blobs")             \
    ROW(SET_NAMES, "set_names")     \
    ROW(SETS, "sets")               \
    ROW(NEURONS, "neurons")         \
    ROW(BASELINES, "baselines")     \
    ROW(JOBS, "jobs")               \
    ROW(FAILURES, "failures")       \
    ROW(REQUESTS, "requests")       \
    ROW(RESPONSES, "responses")     \
    ROW(EMBED_LINKS, "embed_links") \
    ROW(EMBEDDINGS, "embeddings")   \
    ROW(ATTEMPTS, "attempts")       \
    ROW(OPEN, "open")               \
    ROW(DOUBTS, "doubts")           \
    ROW(LEDGER, "ledger")           \
    ROW(BALANCES, "balances")       \
    ROW(BATCH_LINES, "batch_lines") \
    ROW(EXCERPTS, "excerpts")       \
    ROW(RECORDINGS, "recordings")   \
    ROW(PIECES, "pieces")

typedef enum {
#define STORE_TABLE_ENUM(name, text) TABLE_##name,
    STORE_TABLE_MAP(STORE_TABLE_ENUM)
#undef STORE_TABLE_ENUM
        TABLE_COUNT
} store_table_t;

#endif
