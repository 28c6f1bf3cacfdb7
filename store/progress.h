/* progress.h - the record that a live run keeps of itself for others, and whether one is live.
 *
 * It is kept in META under progress_key(), packed: [1, utc, n, n x [stage, done, total, failed],
 * requests/s, tokens/min, token limit | nil, settled, doubts, reserved, cap, eta seconds | -1]. The
 * reporter (actors/reporter.h) writes it every few seconds.
 */
#ifndef GLIA_STORE_PROGRESS_H
#define GLIA_STORE_PROGRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/buffer.h"
#include "core/base/money.h"
#include "store/env.h"
#include "store/runs.h"

enum { PROGRESS_MAX_STAGES = 32 };

typedef struct {
    int64_t utc; /* when it was written, microseconds */
    size_t stage_count;
    struct progress_stage {
        char *name;                  /* owned */
        int64_t done, total, failed; /* total 0: not known yet */
    } stages[PROGRESS_MAX_STAGES];
    double requests_per_second, tokens_per_minute;
    double token_limit; /* tokens a minute; NaN: none */
    money_t settled, doubts, reserved, cap;
    double eta; /* seconds; NaN: not known */
} progress_record_t;

/* False: there is none, or none that this program understands; *progress is empty then. After
 * success the caller releases with progress_clear. */
bool progress_read(store_txn_t *txn, uint32_t run, progress_record_t *progress);
/* The key of a run's record in META; owned by the caller. */
char *progress_key(uint32_t run);
/* Adds a stage to a record (after PROGRESS_MAX_STAGES: none); a copy of the name is kept. */
void progress_add_stage(progress_record_t *progress, const char *name, int64_t done, int64_t total,
                        int64_t failed);
/* Appends the stored form. */
void progress_encode(const progress_record_t *progress, buffer_t *out);
bool progress_decode(const void *bytes, size_t size, progress_record_t *progress);
void progress_clear(progress_record_t *progress);

/* Whether some process has the store open for writing; what it says of itself ("process 17 on
 * host: run night") goes to `holder`. Reads the file `holder` of the store and asks for its
 * lock; takes none. */
enum { PROGRESS_HOLDER_SIZE = 512 };
bool progress_writer_lives(const char *directory, char holder[PROGRESS_HOLDER_SIZE]);
/* How the run stands, for people and programs: its state, but "crashed" where it says that it
 * is running and no process is at work on it. `holder` says what holds the store: "" unless
 * the run is live. */
const char *progress_state_name(const char *directory, const run_info_t *run,
                                char holder[PROGRESS_HOLDER_SIZE]);

#endif
