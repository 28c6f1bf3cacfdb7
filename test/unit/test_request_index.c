/* test_request_index.c - which response a request has: against a model, over restarts, failed
 * transactions, old snapshots and threads; and that the table has what its bound says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>

#include "core/base/rng.h"
#include "store/fsck.h"
#include "store/key.h"
#include "store/request_index.h"
#include "store/responses.h"
#include "test/unit/store_dir.h"

enum { RESPONSES = 40000, REQUESTS = 30000, CYCLE = REQUEST_SLICES * REQUEST_STEP };

static buffer_t packed; /* any body */

static hash_t request_of(uint64_t i) {
    return hash_bytes(&i, sizeof i);
}

/* Responses to drawn requests, some of them asked again; what each should be answered by. */
typedef struct {
    rng_t rng;
    uint64_t last;
    uint64_t first[REQUESTS]; /* the first response of each; 0: none */
} model_t;

typedef struct {
    model_t *model;
    size_t count;
    bool fails, looks;
} put_t;

static void look(store_txn_t *txn, const model_t *model, uint64_t request) {
    assert_int_equal(response_find(txn, request_of(request)), model->first[request]);
}

static bool apply_puts(store_txn_t *txn, void *context, error_info_t *error) {
    const put_t *put = context;
    model_t *model = put->model;
    for (size_t i = 0; i < put->count; i++) {
        uint64_t request = rng_below(&model->rng, REQUESTS), number;
        assert_true(response_put(txn, request_of(request), 1, &packed, NULL, 0, &number, error));
        assert_int_equal(number, ++model->last);
        if (!model->first[request])
            model->first[request] = number;
        if (put->looks) {
            look(txn, model, request);
            look(txn, model, rng_below(&model->rng, REQUESTS));
        }
    }
    return !put->fails || error_set(error, ERROR_FATAL, "not this time");
}

static void put_some(store_t *store, model_t *model, size_t most) {
    put_t put = {.model = model, .count = 1 + (size_t)rng_below(&model->rng, most)};
    put.looks = rng_below(&model->rng, 4) == 0;
    put.fails = rng_below(&model->rng, 4) == 0;
    model_t *before = NULL;
    if (put.fails)
        before = memory_copy(model, sizeof *model);
    error_info_t error = {0};
    assert_int_equal(store_write(store, apply_puts, &put, &error), !put.fails);
    if (put.fails) {
        before->rng = model->rng;
        *model = *before;
    }
    free(before);
}

static void test_as_the_model_says(void **state) {
    store_dir_t *fixture = *state;
    model_t *model = MEMORY_NEW(model_t);
    model->rng = rng_create(7);
    while (model->last < RESPONSES) {
        put_some(fixture->store, model, rng_below(&model->rng, 10) ? 60 : 1500);
        if (rng_below(&model->rng, 3) == 0) {
            store_txn_t *txn = store_dir_read(fixture->store);
            for (int i = 0; i < 20; i++)
                look(txn, model, rng_below(&model->rng, REQUESTS));
            store_read_end(txn);
        }
        if (rng_below(&model->rng, 40) == 0) {
            store_close(fixture->store);
            fixture->store = store_dir_open(fixture->path, STORE_WRITE);
        }
    }
    store_txn_t *txn = store_dir_read(fixture->store);
    uint64_t must = 0;
    for (uint64_t i = 0; i < REQUESTS; i++) {
        look(txn, model, i);
        must +=
            model->first[i] && model->first[i] <= request_index_bound(request_of(i), model->last);
    }
    assert_int_equal(store_count(txn, TABLE_REQUESTS), must);
    assert_true(must > RESPONSES / 3);
    store_read_end(txn);
    free(model);
}

typedef struct {
    store_t *store;
    model_t *model;
    uint64_t count;
} more_t;

static void *put_more(void *context) {
    const more_t *more = context;
    for (uint64_t end = more->model->last + more->count; more->model->last < end;) {
        put_some(more->store, more->model, 200);
        store_txn_t *txn = store_dir_read(more->store);
        look(txn, more->model, rng_below(&more->model->rng, REQUESTS));
        store_read_end(txn);
    }
    return NULL;
}

/* Seen from before, while others write and look, nothing of what came later is there: not of
 * a few responses, which memory has beside the older ones, nor of many, for which it has let
 * the older ones go. */
static void test_old_snapshot(void **state) {
    store_dir_t *fixture = *state;
    model_t *model = MEMORY_NEW(model_t);
    model->rng = rng_create(8);
    while (model->last < 5000)
        put_some(fixture->store, model, 200);
    model_t *then = memory_copy(model, sizeof *model);
    store_txn_t *txn = store_dir_read(fixture->store);
    /* few: the map cannot grow while this reads */
    const uint64_t counts[] = {100, 20 * REQUEST_STEP};
    for (size_t turn = 0; turn < 2; turn++) {
        pthread_t thread;
        more_t more = {fixture->store, model, counts[turn]};
        assert_int_equal(pthread_create(&thread, NULL, put_more, &more), 0);
        for (uint64_t i = 0; i < 200; i++)
            look(txn, then, i);
        pthread_join(thread, NULL);
        for (uint64_t i = 0; i < (turn ? 200 : REQUESTS); i++)
            look(txn, then, i);
    }
    store_read_end(txn);
    txn = store_dir_read(fixture->store);
    for (uint64_t i = 0; i < REQUESTS; i++)
        look(txn, model, i);
    store_read_end(txn);
    free(then);
    free(model);
}

static void test_bound(void **state) {
    (void)state;
    for (uint64_t i = 0; i < 200; i++) {
        hash_t request = request_of(i);
        uint64_t before = 0;
        for (uint64_t last = 0; last < 3 * CYCLE; last += i % 2 ? 1 : REQUEST_STEP) {
            uint64_t bound = request_index_bound(request, last);
            assert_true(bound <= last && bound % REQUEST_STEP == 0 && bound >= before);
            assert_true(last < CYCLE || bound + CYCLE > last);
            assert_true(bound == 0 ||
                        bound / REQUEST_STEP % REQUEST_SLICES == (size_t)request.bytes[0] / 4);
            before = bound;
        }
    }
}

static void test_fsck_misses_a_row(void **state) {
    store_dir_t *fixture = *state;
    model_t *model = MEMORY_NEW(model_t);
    model->rng = rng_create(9);
    while (model->last < CYCLE)
        put_some(fixture->store, model, 400);
    uint64_t request = 0;
    while (!model->first[request] ||
           model->first[request] > request_index_bound(request_of(request), model->last))
        request++;
    char missing[64];
    snprintf(missing, sizeof missing, "response %llu: its request is not there",
             (unsigned long long)model->first[request]);
    for (int turn = 0; turn < 2; turn++) {
        fsck_report_t report;
        error_info_t error;
        /* these responses have no attempts */
        assert_true(fsck_run(fixture->store, &report, &error));
        assert_int_equal(strstr(buffer_text(&report.lines), missing) != NULL, turn == 1);
        fsck_report_clear(&report);
        hash_t key = request_of(request);
        store_dir_row_t row = {.table = TABLE_REQUESTS, .key = key.bytes, .key_size = HASH_SIZE};
        if (turn == 0)
            store_dir_write(fixture->store, store_dir_delete_row, &row);
    }
    free(model);
}

int main(void) {
    response_pack("{}", 2, &packed);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_as_the_model_says, store_dir_setup,
                                        store_dir_teardown),
        cmocka_unit_test_setup_teardown(test_old_snapshot, store_dir_setup, store_dir_teardown),
        cmocka_unit_test(test_bound),
        cmocka_unit_test_setup_teardown(test_fsck_misses_a_row, store_dir_setup,
                                        store_dir_teardown),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    buffer_free(&packed);
    return failed;
}
