/* journal.c - the tables JOBS and FAILURES. */
#include "store/journal.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/memory.h"
#include "core/base/pack.h"
#include "store/journal_private.h"
#include "store/key.h"

enum {
    JOB_VALUE_VERSION = 1,
    JOB_ITEMS = 4,
    FAILURE_VALUE_VERSION = 1,
    FAILURE_ITEMS = 10,
    FAILURE_KEY_SIZE = 4 + HASH_SIZE,
    FORGET_BATCH = 4096,
};

/* --- values ----------------------------------------------------------------------------------- */

/* Version, state and stage, with which a job's value begins. */
static bool read_head(pack_reader_t *reader, job_entry_t *entry) {
    bool good =
        pack_read_array(reader) == JOB_ITEMS && pack_read_integer(reader) == JOB_VALUE_VERSION;
    int64_t state = pack_read_integer(reader);
    int64_t stage = pack_read_integer(reader);
    good = good && !pack_reader_failed(reader) && state > JOB_ABSENT &&
           state <= JOB_FAILED_TERMINAL && stage >= 0 && stage < JOB_STAGES;
    *entry = good ? (job_entry_t){.state = (job_state_t)state, .stage = (job_stage_t)stage}
                  : (job_entry_t){0};
    return good;
}

bool journal_job_decode(const void *bytes, size_t size, job_entry_t *entry) {
    pack_reader_t *reader = pack_reader_open(bytes, size);
    bool good = read_head(reader, entry);
    entry->result = pack_read_binary(reader, &entry->result_size);
    good =
        pack_reader_close(reader) && good && (entry->state == JOB_DONE || entry->result_size == 0);
    if (!good)
        *entry = (job_entry_t){0};
    return good;
}

static bool put_job(store_txn_t *txn, hash_t job, job_state_t state, job_stage_t stage,
                    const void *result, size_t size, error_info_t *error) {
    if (stage >= JOB_STAGES)
        return error_set(error, ERROR_BUG, "journal: %d is no stage", (int)stage);
    buffer_t value = BUFFER_EMPTY;
    pack_array(&value, JOB_ITEMS);
    pack_integer(&value, JOB_VALUE_VERSION);
    pack_integer(&value, state);
    pack_integer(&value, stage);
    pack_binary(&value, result, size);
    bool good = store_put(txn, TABLE_JOBS, job.bytes, HASH_SIZE, value.data, value.length, error);
    buffer_free(&value);
    return good;
}

static void failure_encode(const job_failure_t *failure, buffer_t *out) {
    pack_array(out, FAILURE_ITEMS);
    pack_integer(out, FAILURE_VALUE_VERSION);
    pack_integer(out, failure->stage);
    pack_boolean(out, failure->terminal);
    pack_text(out, failure->verdict);
    pack_integer(out, failure->status);
    pack_text(out, failure->code);
    pack_text(out, failure->message);
    pack_text(out, failure->label);
    pack_integer(out, failure->utc);
    pack_integer(out, failure->tries);
}

bool journal_failure_decode(const void *bytes, size_t size, uint32_t run, job_failure_t *failure) {
    *failure = (job_failure_t){.run = run};
    pack_reader_t *reader = pack_reader_open(bytes, size);
    bool good = pack_read_array(reader) == FAILURE_ITEMS &&
                pack_read_integer(reader) == FAILURE_VALUE_VERSION;
    int64_t stage = pack_read_integer(reader);
    failure->terminal = pack_read_boolean(reader);
    failure->verdict = pack_read_text(reader);
    int64_t status = pack_read_integer(reader);
    failure->code = pack_read_text(reader);
    failure->message = pack_read_text(reader);
    failure->label = pack_read_text(reader);
    failure->utc = pack_read_integer(reader);
    failure->tries = pack_read_integer(reader);
    good = pack_reader_close(reader) && good && stage >= 0 && stage < JOB_STAGES && status >= 0 &&
           status <= INT32_MAX;
    if (!good) {
        job_failure_clear(failure);
        return false;
    }
    failure->stage = (job_stage_t)stage;
    failure->status = (int)status;
    return true;
}

void job_failure_clear(job_failure_t *failure) {
    free(failure->verdict);
    free(failure->code);
    free(failure->message);
    free(failure->label);
    *failure = (job_failure_t){0};
}

static void failure_key(uint8_t key[FAILURE_KEY_SIZE], uint32_t run, hash_t job) {
    memcpy(key_put_u32(key, run), job.bytes, HASH_SIZE);
}

/* --- jobs ------------------------------------------------------------------------------------- */

/* A damaged entry counts as absent: the job is done again from what is stored, at no
 * cost. fsck names it. */
job_entry_t journal_get(store_txn_t *txn, hash_t job) {
    job_entry_t entry = {0};
    store_bytes_t value;
    if (store_get(txn, TABLE_JOBS, job.bytes, HASH_SIZE, &value))
        journal_job_decode(value.data, value.size, &entry);
    return entry;
}

job_state_t journal_state(store_txn_t *txn, hash_t job) {
    job_entry_t entry = {0};
    store_bytes_t value;
    if (store_get(txn, TABLE_JOBS, job.bytes, HASH_SIZE, &value)) {
        pack_reader_t *reader = pack_reader_open(value.data, value.size);
        read_head(reader, &entry);
        pack_reader_close(reader);
    }
    return entry.state;
}

bool journal_put_done(store_txn_t *txn, uint32_t run, hash_t job, job_stage_t stage,
                      const void *result, size_t size, error_info_t *error) {
    uint8_t key[FAILURE_KEY_SIZE];
    failure_key(key, run, job);
    return put_job(txn, job, JOB_DONE, stage, result, size, error) &&
           store_delete(txn, TABLE_FAILURES, key, sizeof key, error);
}

bool journal_put_failed(store_txn_t *txn, hash_t job, const job_failure_t *failure,
                        error_info_t *error) {
    job_state_t state = failure->terminal ? JOB_FAILED_TERMINAL : JOB_FAILED_RETRYABLE;
    uint8_t key[FAILURE_KEY_SIZE];
    failure_key(key, failure->run, job);
    if (!put_job(txn, job, state, failure->stage, "", 0, error))
        return false;
    buffer_t value = BUFFER_EMPTY;
    failure_encode(failure, &value);
    bool good = store_put(txn, TABLE_FAILURES, key, sizeof key, value.data, value.length, error);
    buffer_free(&value);
    return good;
}

/* --- failures --------------------------------------------------------------------------------- */

static hash_t key_job(store_bytes_t key) {
    hash_t job;
    memcpy(job.bytes, (const uint8_t *)key.data + 4, HASH_SIZE);
    return job;
}

bool journal_forget_failure(store_txn_t *txn, uint32_t run, hash_t job, error_info_t *error) {
    uint8_t key[FAILURE_KEY_SIZE];
    failure_key(key, run, job);
    store_bytes_t failure;
    if (!store_get(txn, TABLE_FAILURES, key, sizeof key, &failure))
        return true;
    job_state_t state = journal_state(txn, job);
    bool failed = state == JOB_FAILED_RETRYABLE || state == JOB_FAILED_TERMINAL;
    return (!failed || store_delete(txn, TABLE_JOBS, job.bytes, HASH_SIZE, error)) &&
           store_delete(txn, TABLE_FAILURES, key, sizeof key, error);
}

/* Up to FORGET_BATCH jobs of the run from `first` on that are to be forgotten; what is walked is
 * not changed meanwhile. *first becomes the last one seen; *more: the run has further failures. */
static size_t collect(store_txn_t *txn, uint32_t run, bool terminal_too, hash_t *first, bool *more,
                      hash_t *jobs) {
    uint8_t from[FAILURE_KEY_SIZE];
    failure_key(from, run, *first);
    store_walk_t walk = {.from = from, .from_size = sizeof from, .prefix_size = 4};
    size_t count = 0;
    *more = false;
    while (store_walk_next(txn, TABLE_FAILURES, &walk)) {
        job_failure_t failure;
        if (count == FORGET_BATCH) {
            *more = true;
            store_walk_end(&walk);
            break;
        }
        if (walk.key.size != FAILURE_KEY_SIZE ||
            !journal_failure_decode(walk.value.data, walk.value.size, run, &failure))
            continue; /* fsck names it */
        *first = key_job(walk.key);
        if (terminal_too || !failure.terminal)
            jobs[count++] = *first;
        job_failure_clear(&failure);
    }
    return count;
}

bool journal_forget_failures(store_txn_t *txn, uint32_t run, bool terminal_too, uint64_t *count,
                             error_info_t *error) {
    hash_t *jobs = MEMORY_NEW_ARRAY(FORGET_BATCH, hash_t);
    hash_t first = {{0}};
    bool good = true, more = true;
    *count = 0;
    while (good && more) {
        size_t found = collect(txn, run, terminal_too, &first, &more, jobs);
        for (size_t i = 0; good && i < found; i++) {
            good = journal_forget_failure(txn, run, jobs[i], error);
            *count += good;
        }
    }
    free(jobs);
    return good;
}

void journal_failures(store_txn_t *txn, uint32_t run, journal_failure_visit_t *visit,
                      void *context) {
    uint8_t from[4];
    key_put_u32(from, run);
    store_walk_t walk = {.from = from, .from_size = sizeof from, .prefix_size = sizeof from};
    while (store_walk_next(txn, TABLE_FAILURES, &walk)) {
        job_failure_t failure;
        if (walk.key.size != FAILURE_KEY_SIZE ||
            !journal_failure_decode(walk.value.data, walk.value.size, run, &failure))
            continue;
        bool go_on = visit(context, key_job(walk.key), &failure);
        job_failure_clear(&failure);
        if (!go_on) {
            store_walk_end(&walk);
            return;
        }
    }
}

bool journal_failure_get(store_txn_t *txn, uint32_t run, hash_t job, job_failure_t *failure) {
    uint8_t key[FAILURE_KEY_SIZE];
    failure_key(key, run, job);
    store_bytes_t value;
    *failure = (job_failure_t){0};
    return store_get(txn, TABLE_FAILURES, key, sizeof key, &value) &&
           journal_failure_decode(value.data, value.size, run, failure);
}
