/* journal.h - jobs: which are finished, with what result, and which failed and why.
 *
 * A job's id is a Merkle hash made by those who know the job (actors/sweep/sweep.h); the journal
 * keeps what became of it. Results are bytes to the journal: pure functions of stored responses and
 * records (actors/sweep/results.h encodes them).
 */
#ifndef GLIA_STORE_JOURNAL_H
#define GLIA_STORE_JOURNAL_H

#include "core/base/hash.h"
#include "store/env.h"

/* The number of a job's stage: a small one, fixed for ever, since it stands in values and in the
 * keys of balances. What stages there are, those know who make jobs (actors/sweep/stage.h); the
 * store only holds that it is below JOB_STAGES.
 */
typedef uint8_t job_stage_t;
enum { JOB_STAGES = 32 };

typedef enum {
    JOB_ABSENT,           /* never finished */
    JOB_DONE,             /* has a result */
    JOB_FAILED_RETRYABLE, /* the next run takes it up again */
    JOB_FAILED_TERMINAL,  /* stays until asked for (`run --retry-failed`) */
} job_state_t;

/* Borrowed from the transaction. */
typedef struct {
    job_state_t state;
    job_stage_t stage;
    const void *result; /* DONE: [result_size] bytes */
    size_t result_size;
} job_entry_t;

/* JOB_ABSENT if there is no such job. Also if its entry is damaged: it is done again from what is
 * stored, at no cost.
 */
job_entry_t journal_get(store_txn_t *txn, hash_t job);
/* Only the state; cheaper. */
job_state_t journal_state(store_txn_t *txn, hash_t job);

typedef struct {
    uint32_t run;
    job_stage_t stage;
    bool terminal;
    char *verdict; /* retry_verdict name, or "context", "parse", "records", "bound" */
    int status;    /* HTTP status of the last attempt, 0 if none */
    char *code;    /* the provider's */
    char *message; /* one line; without secrets */
    char *label;   /* "puzzles/colours highlight gpt-4 sample 0": for people */
    int64_t utc;   /* microseconds */
    int64_t tries; /* attempts made in this run */
} job_failure_t;

/* Marks the job done and removes its failure row of `run` (those of other runs tell what happened
 * there). Putting a result again is fine. `result` may be NULL if size is 0. */
bool journal_put_done(store_txn_t *txn, uint32_t run, hash_t job, job_stage_t stage,
                      const void *result, size_t size, error_info_t *error);
/* Marks the job failed and keeps `failure` under (failure->run, job). */
bool journal_put_failed(store_txn_t *txn, hash_t job, const job_failure_t *failure,
                        error_info_t *error);
/* Forgets that the job failed in `run`, if it did. */
bool journal_forget_failure(store_txn_t *txn, uint32_t run, hash_t job, error_info_t *error);
/* Forgets the failed state of all jobs that failed in `run` (terminal ones too if asked), and the
 * failures themselves; *count: how many. A job that is done by now stays done. For
 * --retry-failed. */
bool journal_forget_failures(store_txn_t *txn, uint32_t run, bool terminal_too, uint64_t *count,
                             error_info_t *error);
/* Walks the failures of a run. The callee borrows the failure; returning false stops. */
typedef bool journal_failure_visit_t(void *context, hash_t job, const job_failure_t *failure);
void journal_failures(store_txn_t *txn, uint32_t run, journal_failure_visit_t *visit,
                      void *context);
/* The failure of one job in a run; members owned: job_failure_clear. */
bool journal_failure_get(store_txn_t *txn, uint32_t run, hash_t job, job_failure_t *failure);
void job_failure_clear(job_failure_t *failure);

#endif
