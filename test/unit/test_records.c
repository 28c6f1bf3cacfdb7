/* test_records.c - neuron records, sets of them, baselines. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>

#include "core/neuron/neuron_codec.h"
#include "store/records.h"
#include "store/runs.h"
#include "test/unit/store_dir.h"

/* A record set of one record with two tokens, told apart by `activation`. */
static neuron_record_t *neuron(const char *id, float activation) {
    neuron_record_t *made = MEMORY_NEW(neuron_record_t);
    *made = (neuron_record_t){.source = NEURON_SOURCE_RECORDS,
                              .id = memory_copy_string(id),
                              .layer = -1,
                              .index = -1,
                              .mean = NAN,
                              .variance = NAN,
                              .skewness = NAN,
                              .kurtosis = NAN,
                              .threshold = NAN,
                              .baseline_score = NAN};
    activation_record_t *record = MEMORY_NEW(activation_record_t);
    *record = (activation_record_t){2, MEMORY_NEW_ARRAY(2, token_t), MEMORY_NEW_ARRAY(2, float)};
    for (size_t i = 0; i < 2; i++) {
        record->tokens[i] = (token_t){memory_copy_string(i == 0 ? " the" : " sea"), 4};
        record->activations[i] = (float)i * activation;
    }
    made->top = (record_list_t){1, record};
    return made;
}

typedef struct {
    const char *name;
    bool merge;
    neuron_list_t list;
    record_set_t set;
} put_t;

static bool apply_put(store_txn_t *txn, void *context, error_info_t *error) {
    put_t *put = context;
    records_set_clear(&put->set); /* the map may have grown */
    return (put->merge ? records_set_merge : records_set_put)(txn, put->name, "a test", &put->list,
                                                              &put->set, error);
}

/* ids: one letter each; values: the activation of each, a digit. Returns the content. */
static hash_t put_set(store_t *store, const char *name, bool merge, const char *ids,
                      const char *values) {
    size_t count = strlen(ids);
    put_t put = {
        .name = name, .merge = merge, .list = {count, MEMORY_NEW_ARRAY(count, neuron_record_t *)}};
    for (size_t i = 0; i < count; i++)
        put.list.neurons[i] = neuron((char[]){ids[i], '\0'}, (float)(values[i] - '0'));
    store_dir_write(store, apply_put, &put);
    hash_t content = put.set.content;
    assert_string_equal(put.set.origin, "a test");
    records_set_clear(&put.set);
    neuron_list_free(&put.list);
    return content;
}

static void assert_set(store_t *store, const char *name, const char *ids, const char *values) {
    store_txn_t *txn = store_dir_read(store);
    record_set_t set;
    assert_true(records_set_find(txn, name, &set));
    assert_int_equal(set.count, strlen(ids));
    for (uint32_t i = 0; i < set.count; i++) {
        hash_t hash;
        char *id;
        error_info_t error = {0};
        assert_true(records_set_member(txn, set.content, i, &hash, &id));
        assert_true(id[0] == ids[i] && id[1] == '\0');
        neuron_record_t *record = records_get(txn, hash, &error);
        assert_non_null(record);
        assert_string_equal(record->id, id);
        assert_float_equal(record->top.records[0].activations[1], (float)(values[i] - '0'), 0);
        assert_true(hash_equal(neuron_codec_hash(record), hash));
        neuron_record_free(record);
        free(id);
    }
    hash_t hash;
    assert_false(records_set_member(txn, set.content, set.count, &hash, NULL));
    records_set_clear(&set);
    store_read_end(txn);
}

static uint64_t rows(store_t *store, store_table_t table) {
    store_txn_t *txn = store_dir_read(store);
    uint64_t count = store_count(txn, table);
    store_read_end(txn);
    return count;
}

static void test_sets(void **state) {
    store_dir_t *fixture = *state;
    hash_t first = put_set(fixture->store, "s", false, "cab", "312");
    assert_set(fixture->store, "s", "cab", "312");
    assert_true(hash_equal(put_set(fixture->store, "t", false, "cab", "312"), first));
    assert_int_equal(rows(fixture->store, TABLE_SETS), 3);
    /* the order counts */
    assert_false(hash_equal(put_set(fixture->store, "t", false, "cba", "321"), first));
    assert_false(hash_equal(put_set(fixture->store, "t", false, "cab", "313"), first));
    assert_set(fixture->store, "s", "cab", "312");
    assert_set(fixture->store, "t", "cab", "313");
    store_txn_t *txn = store_dir_read(fixture->store);
    record_set_t set;
    assert_false(records_set_find(txn, "u", &set));
    assert_false(records_set_find(txn, "", &set));
    store_read_end(txn);
}

static void test_merge(void **state) {
    store_dir_t *fixture = *state;
    put_set(fixture->store, "s", true, "mf", "12");
    assert_set(fixture->store, "s", "mf", "12");
    put_set(fixture->store, "s", true, "afz", "345");
    assert_set(fixture->store, "s", "mfaz", "1435");
    put_set(fixture->store, "s", true, "m", "9");
    assert_set(fixture->store, "s", "mfaz", "9435");
    hash_t before = put_set(fixture->store, "s", true, "za", "53");
    assert_set(fixture->store, "s", "mfaz", "9435");
    assert_true(hash_equal(before, put_set(fixture->store, "whole", false, "mfaz", "9435")));
}

typedef struct {
    run_info_t run;
    struct run_set set;
} uses_t;

static bool put_run(store_txn_t *txn, void *context, error_info_t *error) {
    uses_t *uses = context;
    uses->run = (run_info_t){.name = "night", .program = "0", .set_count = 1, .sets = &uses->set};
    return runs_put(txn, &uses->run, error);
}

/* An import in many goes leaves one list; a list that a run or another name has stays. */
static void test_contents_that_nobody_has_go(void **state) {
    store_dir_t *fixture = *state;
    char ids[] = "abcdefghij", values[] = "0123456789";
    for (size_t i = 0; i < 10; i++) {
        put_set(fixture->store, "s", true, (char[]){ids[i], '\0'}, (char[]){values[i], '\0'});
        assert_int_equal(rows(fixture->store, TABLE_SETS), i + 1);
    }
    hash_t used = put_set(fixture->store, "s", true, "a", "5");
    uses_t uses = {.set = {"s", used, 10}};
    store_dir_write(fixture->store, put_run, &uses);
    put_set(fixture->store, "s", true, "a", "6");
    assert_int_equal(rows(fixture->store, TABLE_SETS), 20);
    put_set(fixture->store, "t", false, "x", "1");
    put_set(fixture->store, "u", false, "x", "1");
    put_set(fixture->store, "t", false, "y", "1");
    assert_int_equal(rows(fixture->store, TABLE_SETS), 22);
    assert_set(fixture->store, "u", "x", "1");
    put_set(fixture->store, "u", false, "y", "1");
    assert_int_equal(rows(fixture->store, TABLE_SETS), 21);
}

static void assert_refused(store_t *store, const char *name, size_t count, const char *text) {
    neuron_record_t *same[2] = {neuron("a", 1), neuron("a", 2)};
    put_t put = {.name = name, .list = {count, same}};
    for (int merge = 0; merge <= 1; merge++) {
        error_info_t error = {0};
        put.merge = merge == 1;
        assert_false(store_write(store, apply_put, &put, &error));
        assert_int_equal(error.class_, ERROR_CONFIG);
        assert_non_null(strstr(error.message, text));
        assert_null(put.set.origin);
    }
    neuron_record_free(same[0]);
    neuron_record_free(same[1]);
}

static void test_refused_sets(void **state) {
    store_dir_t *fixture = *state;
    char longest[513];
    memset(longest, 'x', sizeof longest - 1);
    longest[512] = '\0';
    assert_refused(fixture->store, "s", 2, "the id \"a\" stands in it twice");
    assert_refused(fixture->store, "s", 0, "no records");
    assert_refused(fixture->store, "", 1, "1 to 511 bytes");
    assert_refused(fixture->store, longest, 1, "1 to 511 bytes");
    assert_int_equal(rows(fixture->store, TABLE_NEURONS), 0);
}

static bool count_set(void *context, const char *name, const record_set_t *set) {
    buffer_append_format(context, "%s:%u ", name, (unsigned)set->count);
    return strcmp(name, "t") != 0;
}

static void test_all_sets(void **state) {
    store_dir_t *fixture = *state;
    put_set(fixture->store, "t", false, "x", "1");
    put_set(fixture->store, "s", false, "xy", "11");
    put_set(fixture->store, "u", false, "x", "1");
    buffer_t names = BUFFER_EMPTY;
    store_txn_t *txn = store_dir_read(fixture->store);
    records_sets(txn, count_set, &names);
    store_read_end(txn);
    assert_string_equal(buffer_text(&names), "s:2 t:1 ");
    buffer_free(&names);
}

static void test_damaged_record(void **state) {
    store_dir_t *fixture = *state;
    hash_t hash = hash_bytes("x", 1);
    store_txn_t *txn = store_dir_read(fixture->store);
    error_info_t error = {0};
    assert_null(records_get(txn, hash, &error));
    assert_int_equal(error.class_, ERROR_FATAL);
    store_read_end(txn);
    store_dir_row_t row = {.table = TABLE_NEURONS,
                           .key = hash.bytes,
                           .value = "junk",
                           .key_size = HASH_SIZE,
                           .size = 4};
    store_dir_write(fixture->store, store_dir_put_row, &row);
    txn = store_dir_read(fixture->store);
    assert_null(records_get(txn, hash, &error));
    assert_int_equal(error.class_, ERROR_FATAL);
    assert_non_null(strstr(error.message, "is damaged"));
    store_read_end(txn);
}

/* --- baselines -----------------------------------------------------------------------------------
 */

static bool put_baselines(store_txn_t *txn, void *context, error_info_t *error) {
    (void)context;
    char longest[504];
    memset(longest, 'x', sizeof longest - 1);
    longest[503] = '\0';
    error_info_t refused = {0};
    assert_false(baseline_put(txn, longest, 0, 0, "e", 0, &refused));
    assert_int_equal(refused.class_, ERROR_CONFIG);
    longest[502] = '\0';
    assert_true(baseline_put(txn, longest, 0, 0, "e", 0, error));
    assert_false(baseline_put(txn, "", 0, 0, "e", 0, &refused));
    assert_true(baseline_put(txn, "gpt2", 5, 131, "colours", 0.25, error));
    assert_true(baseline_put(txn, "gpt2", 5, 131, "words for colours", 0.5, error));
    assert_true(baseline_put(txn, "gpt2", -1, INT32_MAX, "", NAN, error));
    return baseline_put(txn, "gpt2-xl", 5, 131, "other", 0, error);
}

static void test_baselines(void **state) {
    store_dir_t *fixture = *state;
    store_dir_write(fixture->store, put_baselines, NULL);
    store_txn_t *txn = store_dir_read(fixture->store);
    char *explanation;
    double score;
    assert_true(baseline_get(txn, "gpt2", 5, 131, &explanation, &score));
    assert_string_equal(explanation, "words for colours");
    assert_float_equal(score, 0.5, 0);
    free(explanation);
    assert_true(baseline_get(txn, "gpt2", -1, INT32_MAX, &explanation, &score));
    assert_string_equal(explanation, "");
    assert_true(isnan(score));
    free(explanation);
    assert_false(baseline_get(txn, "gpt2", 131, 5, &explanation, &score));
    assert_null(explanation);
    assert_int_equal(baseline_count(txn, "gpt2"), 2);
    assert_int_equal(baseline_count(txn, "gpt2-xl"), 1);
    assert_int_equal(baseline_count(txn, "gpt"), 0);
    assert_int_equal(baseline_count(txn, ""), 0);
    store_read_end(txn);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_sets, store_dir_setup, store_dir_teardown),
        cmocka_unit_test_setup_teardown(test_merge, store_dir_setup, store_dir_teardown),
        cmocka_unit_test_setup_teardown(test_contents_that_nobody_has_go, store_dir_setup,
                                        store_dir_teardown),
        cmocka_unit_test_setup_teardown(test_refused_sets, store_dir_setup, store_dir_teardown),
        cmocka_unit_test_setup_teardown(test_all_sets, store_dir_setup, store_dir_teardown),
        cmocka_unit_test_setup_teardown(test_damaged_record, store_dir_setup, store_dir_teardown),
        cmocka_unit_test_setup_teardown(test_baselines, store_dir_setup, store_dir_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
