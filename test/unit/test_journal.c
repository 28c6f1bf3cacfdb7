/* test_journal.c - what became of jobs, and what became of their failures. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "actors/sweep/stage.h"
#include "store/journal.h"
#include "test/unit/store_dir.h"

static hash_t job(uint32_t number) {
    return hash_bytes(&number, sizeof number);
}

static job_failure_t failure_of(uint32_t run, uint32_t number, bool terminal) {
    return (job_failure_t){.run = run,
                           .stage = STAGE_SIMULATE,
                           .terminal = terminal,
                           .verdict = "server",
                           .status = 503,
                           .code = NULL,
                           .message = "the endpoint is overloaded",
                           .label = "puzzles/colours highlight gpt-4 sample 0",
                           .utc = 1700000000000000 + number,
                           .tries = 4};
}

static bool put_done(store_txn_t *txn, void *context, error_info_t *error) {
    (void)context;
    assert_true(journal_put_done(txn, 1, job(1), STAGE_EXPLAIN, "result", 6, error));
    assert_true(journal_put_done(txn, 1, job(1), STAGE_EXPLAIN, "result", 6, error));
    assert_true(journal_put_done(txn, 1, job(2), STAGE_ADACS, NULL, 0, error));
    error_info_t bug = {0};
    assert_false(journal_put_done(txn, 1, job(3), JOB_STAGES, "", 0, &bug));
    assert_int_equal(bug.class_, ERROR_BUG);
    return true;
}

static void test_done(void **state) {
    store_dir_t *fixture = *state;
    store_dir_write(fixture->store, put_done, NULL);
    store_txn_t *txn = store_dir_read(fixture->store);
    job_entry_t entry = journal_get(txn, job(1));
    assert_int_equal(entry.state, JOB_DONE);
    assert_int_equal(entry.stage, STAGE_EXPLAIN);
    assert_int_equal(entry.result_size, 6);
    assert_memory_equal(entry.result, "result", 6);
    entry = journal_get(txn, job(2));
    assert_int_equal(entry.state, JOB_DONE);
    assert_int_equal(entry.result_size, 0);
    assert_int_equal(journal_get(txn, job(3)).state, JOB_ABSENT);
    assert_int_equal(journal_state(txn, job(1)), JOB_DONE);
    assert_int_equal(journal_state(txn, job(3)), JOB_ABSENT);
    store_read_end(txn);
}

/* Jobs 1 to 3 fail in run 1 (the second for good), job 1 in run 2 as well. */
static bool put_failures(store_txn_t *txn, void *context, error_info_t *error) {
    (void)context;
    for (uint32_t i = 1; i <= 3; i++) {
        job_failure_t failure = failure_of(1, i, i == 2);
        assert_true(journal_put_failed(txn, job(i), &failure, error));
    }
    job_failure_t other = failure_of(2, 1, false);
    return journal_put_failed(txn, job(1), &other, error);
}

typedef struct {
    int count, terminal, limit;
} tally_t;

static bool count_failure(void *context, hash_t id, const job_failure_t *failure) {
    tally_t *tally = context;
    uint32_t number = (uint32_t)(failure->utc - 1700000000000000);
    assert_true(hash_equal(id, job(number)));
    assert_string_equal(failure->verdict, "server");
    assert_string_equal(failure->message, "the endpoint is overloaded");
    assert_string_equal(failure->label, "puzzles/colours highlight gpt-4 sample 0");
    assert_null(failure->code);
    assert_int_equal(failure->status, 503);
    assert_int_equal(failure->tries, 4);
    assert_int_equal(failure->stage, STAGE_SIMULATE);
    tally->terminal += failure->terminal;
    return ++tally->count != tally->limit;
}

static void assert_failures(store_t *store, uint32_t run, int count, int terminal) {
    tally_t tally = {0};
    store_txn_t *txn = store_dir_read(store);
    journal_failures(txn, run, count_failure, &tally);
    store_read_end(txn);
    assert_int_equal(tally.count, count);
    assert_int_equal(tally.terminal, terminal);
}

static void assert_state(store_t *store, uint32_t number, job_state_t expected) {
    store_txn_t *txn = store_dir_read(store);
    assert_int_equal(journal_state(txn, job(number)), expected);
    assert_int_equal(journal_get(txn, job(number)).state, expected);
    store_read_end(txn);
}

static void test_failures(void **state) {
    store_dir_t *fixture = *state;
    store_dir_write(fixture->store, put_failures, NULL);
    assert_failures(fixture->store, 1, 3, 1);
    assert_failures(fixture->store, 2, 1, 0);
    assert_failures(fixture->store, 3, 0, 0);
    assert_state(fixture->store, 1, JOB_FAILED_RETRYABLE);
    assert_state(fixture->store, 2, JOB_FAILED_TERMINAL);
    store_txn_t *txn = store_dir_read(fixture->store);
    job_failure_t failure;
    assert_true(journal_failure_get(txn, 1, job(2), &failure));
    assert_true(failure.terminal);
    assert_int_equal(failure.run, 1);
    job_failure_clear(&failure);
    assert_null(failure.message);
    assert_false(journal_failure_get(txn, 2, job(2), &failure));
    tally_t first = {.limit = 1};
    journal_failures(txn, 1, count_failure, &first);
    assert_int_equal(first.count, 1);
    store_read_end(txn);
}

static bool finish_one(store_txn_t *txn, void *context, error_info_t *error) {
    (void)context;
    return journal_put_done(txn, 1, job(1), STAGE_SIMULATE, "r", 1, error);
}

static void test_done_after_failure(void **state) {
    store_dir_t *fixture = *state;
    store_dir_write(fixture->store, put_failures, NULL);
    store_dir_write(fixture->store, finish_one, NULL);
    assert_state(fixture->store, 1, JOB_DONE);
    assert_failures(fixture->store, 1, 2, 1);
    assert_failures(fixture->store, 2, 1, 0); /* what happened in the other run stays */
}

typedef struct {
    uint32_t run;
    bool terminal_too;
    uint64_t count;
} forget_t;

static bool forget(store_txn_t *txn, void *context, error_info_t *error) {
    forget_t *what = context;
    return journal_forget_failures(txn, what->run, what->terminal_too, &what->count, error);
}

static void test_forget(void **state) {
    store_dir_t *fixture = *state;
    store_dir_write(fixture->store, put_failures, NULL);
    forget_t what = {1, false, 99};
    store_dir_write(fixture->store, forget, &what);
    assert_int_equal(what.count, 2);
    assert_state(fixture->store, 1, JOB_ABSENT);
    assert_state(fixture->store, 2, JOB_FAILED_TERMINAL);
    assert_failures(fixture->store, 1, 1, 1);
    assert_failures(fixture->store, 2, 1, 0);
    what.terminal_too = true;
    store_dir_write(fixture->store, forget, &what);
    assert_int_equal(what.count, 1);
    assert_state(fixture->store, 2, JOB_ABSENT);
    store_dir_write(fixture->store, finish_one, NULL);
    what.run = 2;
    store_dir_write(fixture->store, forget, &what);
    assert_int_equal(what.count, 1);
    assert_state(fixture->store, 1, JOB_DONE); /* done by now: only the failure is forgotten */
    store_dir_write(fixture->store, forget, &what);
    assert_int_equal(what.count, 0);
}

enum { MANY = 10000 };

/* In three runs, so that the one in the middle has neighbours; every fifth for good. */
static bool put_many(store_txn_t *txn, void *context, error_info_t *error) {
    (void)context;
    for (uint32_t i = 0; i < MANY; i++)
        for (uint32_t run = 1; run <= 3; run++) {
            job_failure_t failure = failure_of(run, i, i % 5 == 0);
            if (!journal_put_failed(txn, job(i), &failure, error))
                return false;
        }
    return true;
}

/* More than one batch of journal_forget_failures. */
static void test_forget_many(void **state) {
    store_dir_t *fixture = *state;
    store_dir_write(fixture->store, put_many, NULL);
    forget_t what = {2, false, 0};
    store_dir_write(fixture->store, forget, &what);
    assert_int_equal(what.count, MANY / 5 * 4);
    assert_failures(fixture->store, 2, MANY / 5, MANY / 5);
    what.terminal_too = true;
    store_dir_write(fixture->store, forget, &what);
    assert_int_equal(what.count, MANY / 5);
    assert_failures(fixture->store, 2, 0, 0);
    assert_failures(fixture->store, 1, MANY, MANY / 5);
    assert_failures(fixture->store, 3, MANY, MANY / 5);
}

static void test_damaged_entry_counts_as_absent(void **state) {
    store_dir_t *fixture = *state;
    hash_t id = job(1);
    store_dir_row_t row = {.table = TABLE_JOBS,
                           .key = id.bytes,
                           .value = "\x94\x01\x01",
                           .key_size = HASH_SIZE,
                           .size = 3};
    store_dir_write(fixture->store, store_dir_put_row, &row);
    store_txn_t *txn = store_dir_read(fixture->store);
    assert_int_equal(journal_get(txn, id).state, JOB_ABSENT);
    assert_int_equal(journal_state(txn, id), JOB_ABSENT);
    store_read_end(txn);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_done, store_dir_setup, store_dir_teardown),
        cmocka_unit_test_setup_teardown(test_failures, store_dir_setup, store_dir_teardown),
        cmocka_unit_test_setup_teardown(test_done_after_failure, store_dir_setup,
                                        store_dir_teardown),
        cmocka_unit_test_setup_teardown(test_forget, store_dir_setup, store_dir_teardown),
        cmocka_unit_test_setup_teardown(test_forget_many, store_dir_setup, store_dir_teardown),
        cmocka_unit_test_setup_teardown(test_damaged_entry_counts_as_absent, store_dir_setup,
                                        store_dir_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
