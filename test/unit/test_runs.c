/* test_runs.c - runs, their names and their texts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "store/runs.h"
#include "test/unit/store_dir.h"

static bool apply_put(store_txn_t *txn, void *context, error_info_t *error) {
    return runs_put(txn, context, error);
}

static uint32_t put(store_t *store, const char *name, int64_t started) {
    run_info_t run = {.name = (char *)(uintptr_t)name,
                      .state = RUN_RUNNING,
                      .program = "0.2.0",
                      .started_utc = started};
    store_dir_write(store, apply_put, &run);
    return run.number;
}

static void test_everything_comes_back(void **state) {
    store_dir_t *fixture = *state;
    struct run_set sets[] = {{"puzzles", hash_bytes("p", 1), 12},
                             {"l5", hash_bytes("q", 1), UINT32_MAX}};
    struct run_template templates[] = {
        {.name = "original", .hash = hash_bytes("o", 1), .identity = hash_bytes("i", 1)}};
    run_info_t run = {.name = "overnight-3",
                      .state = RUN_PAUSED,
                      .state_note = "cap total: $0.12 missing",
                      .snapshot = hash_bytes("s", 1),
                      .program = "0.2.0",
                      .created_utc = 1,
                      .started_utc = 2,
                      .ended_utc = 3,
                      .busy = 4,
                      .starts = 5,
                      .lag_p99 = 6,
                      .set_count = 2,
                      .sets = sets,
                      .template_count = 1,
                      .templates = templates};
    store_dir_write(fixture->store, apply_put, &run);
    assert_int_equal(run.number, 1);
    store_txn_t *txn = store_dir_read(fixture->store);
    run_info_t read;
    assert_true(runs_get(txn, 1, &read));
    assert_int_equal(read.number, 1);
    assert_string_equal(read.name, "overnight-3");
    assert_int_equal(read.state, RUN_PAUSED);
    assert_string_equal(read.state_note, "cap total: $0.12 missing");
    assert_true(hash_equal(read.snapshot, run.snapshot));
    assert_string_equal(read.program, "0.2.0");
    assert_true(read.created_utc == 1 && read.started_utc == 2 && read.ended_utc == 3 &&
                read.busy == 4);
    assert_true(read.starts == 5 && read.lag_p99 == 6 && read.set_count == 2 &&
                read.template_count == 1);
    assert_string_equal(read.sets[1].name, "l5");
    assert_int_equal(read.sets[1].count, UINT32_MAX);
    assert_true(hash_equal(read.sets[0].content, sets[0].content));
    assert_string_equal(read.templates[0].name, "original");
    assert_true(hash_equal(read.templates[0].hash, templates[0].hash));
    assert_true(hash_equal(read.templates[0].identity, templates[0].identity));
    run_info_clear(&read);
    assert_null(read.sets);
    store_read_end(txn);
    assert_string_equal(run_state_name(RUN_INTERRUPTED), "interrupted");
}

static void assert_found(store_t *store, const char *name, uint32_t number) {
    run_info_t run;
    store_txn_t *txn = store_dir_read(store);
    assert_int_equal(runs_find(txn, name, &run), number != 0);
    assert_int_equal(run.number, number);
    run_info_clear(&run);
    store_read_end(txn);
}

static void test_finding(void **state) {
    store_dir_t *fixture = *state;
    assert_found(fixture->store, NULL, 0);
    assert_found(fixture->store, "a", 0);
    assert_found(fixture->store, "", 0);
    assert_int_equal(put(fixture->store, "a", 0), 1);
    assert_int_equal(put(fixture->store, "b", 0), 2);
    assert_found(fixture->store, NULL, 2);
    assert_int_equal(put(fixture->store, "c", 50), 3);
    assert_int_equal(put(fixture->store, "d", 70), 4);
    assert_int_equal(put(fixture->store, "e", 60), 5);
    assert_found(fixture->store, "a", 1);
    assert_found(fixture->store, "e", 5);
    assert_found(fixture->store, NULL, 4);
}

static void test_names(void **state) {
    store_dir_t *fixture = *state;
    put(fixture->store, "a", 0);
    put(fixture->store, "b", 0);
    run_info_t run = {.name = "a"};
    error_info_t error = {0};
    assert_false(store_write(fixture->store, apply_put, &run, &error)); /* taken */
    assert_int_equal(error.class_, ERROR_CONFIG);
    run.number = 2;
    assert_false(store_write(fixture->store, apply_put, &run, &error));
    run.name = "renamed";
    store_dir_write(fixture->store, apply_put, &run);
    store_dir_write(fixture->store, apply_put, &run);
    assert_found(fixture->store, "b", 0);
    assert_found(fixture->store, "renamed", 2);
    assert_int_equal(put(fixture->store, "b", 0), 3);
    char longest[513];
    memset(longest, 'x', sizeof longest - 1);
    longest[512] = '\0';
    run = (run_info_t){.name = longest};
    assert_false(store_write(fixture->store, apply_put, &run, &error));
    run.name = NULL;
    assert_false(store_write(fixture->store, apply_put, &run, &error));
    assert_int_equal(error.class_, ERROR_CONFIG);
    run = (run_info_t){.name = "z", .number = 9};
    assert_false(store_write(fixture->store, apply_put, &run, &error));
    assert_int_equal(error.class_, ERROR_BUG);
}

/* A transaction that is applied again finds the number that it assigned, though nothing of
 * it was committed. */
static void test_number_of_an_earlier_try(void **state) {
    store_dir_t *fixture = *state;
    put(fixture->store, "a", 0);
    run_info_t run = {.name = "b", .number = 2};
    store_dir_write(fixture->store, apply_put, &run);
    assert_int_equal(run.number, 2);
    assert_found(fixture->store, "b", 2);
}

static bool note(void *context, const run_info_t *run) {
    buffer_append_format(context, "%u:%s ", (unsigned)run->number, run->name);
    return run->number < 2;
}

static void test_all(void **state) {
    store_dir_t *fixture = *state;
    buffer_t names = BUFFER_EMPTY;
    put(fixture->store, "z", 0);
    put(fixture->store, "b", 0);
    put(fixture->store, "c", 0);
    store_txn_t *txn = store_dir_read(fixture->store);
    runs_all(txn, note, &names);
    store_read_end(txn);
    assert_string_equal(buffer_text(&names), "1:z 2:b ");
    buffer_free(&names);
}

typedef struct {
    const char *text;
    hash_t hash;
} blob_t;

static bool apply_blob(store_txn_t *txn, void *context, error_info_t *error) {
    blob_t *blob = context;
    return blob_put(txn, blob->text, strlen(blob->text), &blob->hash, error);
}

static void test_blobs(void **state) {
    store_dir_t *fixture = *state;
    blob_t some = {.text = "[endpoints.openai]\nrpm = 60\n"}, none = {.text = ""};
    store_dir_write(fixture->store, apply_blob, &some);
    store_dir_write(fixture->store, apply_blob, &some);
    store_dir_write(fixture->store, apply_blob, &none);
    store_txn_t *txn = store_dir_read(fixture->store);
    buffer_t out = BUFFER_EMPTY;
    error_info_t error = {0};
    assert_int_equal(store_count(txn, TABLE_BLOBS), 2);
    assert_true(blob_get(txn, some.hash, &out, &error));
    assert_string_equal(buffer_text(&out), some.text);
    assert_true(blob_get(txn, none.hash, &out, &error));
    assert_string_equal(buffer_text(&out), some.text);
    assert_false(blob_get(txn, hash_bytes("?", 1), &out, &error));
    assert_int_equal(error.class_, ERROR_FATAL);
    store_read_end(txn);
    buffer_free(&out);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_everything_comes_back, store_dir_setup,
                                        store_dir_teardown),
        cmocka_unit_test_setup_teardown(test_finding, store_dir_setup, store_dir_teardown),
        cmocka_unit_test_setup_teardown(test_names, store_dir_setup, store_dir_teardown),
        cmocka_unit_test_setup_teardown(test_number_of_an_earlier_try, store_dir_setup,
                                        store_dir_teardown),
        cmocka_unit_test_setup_teardown(test_all, store_dir_setup, store_dir_teardown),
        cmocka_unit_test_setup_teardown(test_blobs, store_dir_setup, store_dir_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
