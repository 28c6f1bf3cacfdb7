/* test_fsck.c - a whole store passes; every damage that is planted in it is found, by a line that
 * names it, and none ends the program. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <inttypes.h>
#include <math.h>

#include "actors/sweep/stage.h"
#include "core/base/rng.h"
#include "store/fsck.h"
#include "store/key.h"
#include "store/problems.h"
#include "store/values.h"
#include "test/unit/store_dir.h"

static hash_t hash_of(const char *text) {
    return hash_bytes(text, strlen(text));
}

/* --- a whole store ---------------------------------------------------------------------------- */

static neuron_record_t *sample_neuron(const char *id) {
    neuron_record_t *neuron = MEMORY_NEW(neuron_record_t);
    activation_record_t *record = MEMORY_NEW(activation_record_t);
    *record = (activation_record_t){1, MEMORY_NEW(token_t), MEMORY_NEW(float)};
    record->tokens[0] = (token_t){memory_copy_string("sea"), 3};
    *neuron = (neuron_record_t){.source = NEURON_SOURCE_RECORDS,
                                .id = memory_copy_string(id),
                                .layer = -1,
                                .index = -1,
                                .threshold = NAN,
                                .baseline_score = NAN,
                                .top = {1, record}};
    return neuron;
}

static bool put_records(store_txn_t *txn, error_info_t *error) {
    neuron_record_t *neurons[] = {sample_neuron("one"), sample_neuron("two")};
    neuron_list_t list = {2, neurons};
    record_set_t set;
    assert_true(records_set_put(txn, "set", "test", &list, &set, error));
    neuron_record_free(neurons[0]);
    neuron_record_free(neurons[1]);
    run_info_t run = {.name = "night", .program = "0"};
    struct run_set of_run = {"set", set.content, set.count};
    struct run_template template = {.name = "original"};
    records_set_clear(&set);
    assert_true(blob_put(txn, "a = 1\n", 6, &run.snapshot, error));
    assert_true(blob_put(txn, "text", 4, &template.hash, error));
    run.set_count = run.template_count = 1;
    run.sets = &of_run;
    run.templates = &template;
    assert_true(runs_put(txn, &run, error));
    return baseline_put(txn, "gpt2", 5, 131, "colours", 0.5, error);
}

static void put_response(store_txn_t *txn, attempt_t *attempt, error_info_t *error) {
    const hash_t keys[] = {hash_of("embedded")};
    const float floats[] = {1, 2};
    buffer_t packed = BUFFER_EMPTY;
    response_pack("{\"answer\": 42}", 14, &packed);
    assert_true(response_put(txn, attempt->request, attempt->number, &packed, keys, 1,
                             &attempt->response, error));
    assert_true(embedding_put(txn, keys[0], floats, 2, error));
    uint8_t number[8]; /* this early the table need not have it, but may */
    key_put_u64(number, attempt->response);
    assert_true(store_put(txn, TABLE_REQUESTS, attempt->request.bytes, HASH_SIZE, number,
                          sizeof number, error));
    buffer_free(&packed);
}

/* Attempts 1 settled, 2 doubt with a response, 3 void, 4 open, 5 doubt without one, 6 released. */
static bool put_money(store_txn_t *txn, error_info_t *error) {
    const attempt_state_t ends[] = {ATTEMPT_SETTLED,  ATTEMPT_DOUBT, ATTEMPT_VOID,
                                    ATTEMPT_RESERVED, ATTEMPT_DOUBT, ATTEMPT_DOUBT};
    for (int i = 0; i < 6; i++) {
        attempt_t attempt = {
            .run = 1, .stage = STAGE_EXPLAIN, .day = 20000, .worst_case = {100 + i}};
        attempt.request = hash_bytes(&i, sizeof i);
        memcpy(attempt.model, "gpt-4o", 7);
        assert_true(ledger_reserve(txn, &attempt, error));
        attempt.state = ends[i];
        attempt.cost.pico = 50;
        if (i < 2)
            put_response(txn, &attempt, error);
        assert_true(ends[i] == ATTEMPT_RESERVED || ledger_end(txn, &attempt, error));
    }
    uint64_t count;
    money_t amount;
    return ledger_release(txn, 6, 0, 7, "why not", &count, &amount, error);
}

/* A recording at its first checkpoint, of one piece. */
static bool put_recording(store_txn_t *txn, error_info_t *error) {
    recording_piece_t piece = {.id = 7, .slot = 1, .hash = hash_bytes("piece", 5)};
    recording_t recording = {
        .core = "Haswell", .about = "one", .layers = 1, .width = 1, .piece_count = 1};
    recording.pieces = &piece;
    token_t token = {"sea", 3};
    return recording_piece_put(txn, hash_of("recording"), &piece, "piece", 5, error) &&
           recording_put(txn, hash_of("recording"), &recording, error) &&
           excerpt_put(txn, hash_of("excerpts"), 0, &token, 1, error);
}

static bool put_all(store_txn_t *txn, void *context, error_info_t *error) {
    (void)context;
    job_failure_t failure = {
        .run = 1, .stage = STAGE_SCORE, .verdict = "parse", .message = "no number"};
    assert_true(journal_put_done(txn, 1, hash_of("done"), STAGE_EXPLAIN, "r", 1, error));
    assert_true(journal_put_failed(txn, hash_of("failed"), &failure, error));
    batch_row_t line = {
        .response = 1, .raw = hash_of("line"), .custom_id = "a", .custom_id_length = 1};
    return batch_line_put(txn, 1, 0, &line, error) && put_records(txn, error) &&
           put_recording(txn, error) && put_money(txn, error);
}

static int setup(void **state) {
    store_dir_setup(state);
    store_dir_write(((store_dir_t *)*state)->store, put_all, NULL);
    return 0;
}

static fsck_report_t report_of(store_t *store) {
    fsck_report_t report;
    error_info_t error = {0};
    if (!fsck_run(store, &report, &error))
        fail_msg("%s", error.message);
    return report;
}

static void test_a_whole_store(void **state) {
    store_dir_t *fixture = *state;
    fsck_report_t report = report_of(fixture->store);
    assert_string_equal(buffer_text(&report.lines), "");
    assert_int_equal(report.problems, 0);
    uint64_t rows = 0;
    store_txn_t *txn = store_dir_read(fixture->store);
    for (int table = 0; table < TABLE_COUNT; table++) {
        uint64_t count = store_count(txn, (store_table_t)table);
        assert_true(count > 0); /* so that below every table can be damaged */
        rows += count;
    }
    store_read_end(txn);
    assert_int_equal(report.records, rows);
    fsck_report_clear(&report);
}

/* --- planted damage --------------------------------------------------------------------------- */

/* A fresh store for each damage: `damage` changes it, then a line must say `text`. */
typedef struct {
    const char *name;
    bool (*damage)(store_txn_t *txn, error_info_t *error);
    const char *text;
} damage_t;

static bool put_at(store_txn_t *txn, store_table_t table, uint64_t number, const buffer_t *value,
                   error_info_t *error) {
    uint8_t key[8];
    key_put_u64(key, number);
    return store_put(txn, table, key, sizeof key, !value ? "" : value->data,
                     !value ? 0 : value->length, error);
}

static bool delete_at(store_txn_t *txn, store_table_t table, uint64_t number, error_info_t *error) {
    uint8_t key[8];
    key_put_u64(key, number);
    return store_delete(txn, table, key, sizeof key, error);
}

static bool put_attempt(store_txn_t *txn, const attempt_t *attempt, error_info_t *error) {
    buffer_t value = BUFFER_EMPTY;
    ledger_attempt_encode(attempt, &value);
    bool good = put_at(txn, TABLE_ATTEMPTS, attempt->number, &value, error);
    buffer_free(&value);
    return good;
}

static attempt_t attempt_at(store_txn_t *txn, uint64_t number) {
    attempt_t attempt;
    assert_true(ledger_attempt_get(txn, number, &attempt));
    return attempt;
}

static bool put_entry(store_txn_t *txn, uint64_t number, ledger_kind_t kind, uint64_t attempt,
                      int64_t amount, error_info_t *error) {
    ledger_entry_t entry = {kind, attempt, {amount}, 0, NULL};
    buffer_t value = BUFFER_EMPTY;
    ledger_entry_encode(&entry, &value);
    bool good = put_at(txn, TABLE_LEDGER, number, &value, error);
    buffer_free(&value);
    return good;
}

static bool cost_over_worst_case(store_txn_t *txn, error_info_t *error) {
    attempt_t attempt = attempt_at(txn, 1);
    attempt.cost.pico = 1000;
    return put_attempt(txn, &attempt, error);
}

static bool state_changed(store_txn_t *txn, error_info_t *error) {
    attempt_t attempt = attempt_at(txn, 3);
    attempt.state = ATTEMPT_SETTLED;
    return put_attempt(txn, &attempt, error);
}

static bool huge_amounts(store_txn_t *txn, error_info_t *error) {
    attempt_t attempt = attempt_at(txn, 4), another = attempt_at(txn, 5);
    attempt.worst_case.pico = another.worst_case.pico = another.cost.pico = INT64_MAX;
    return put_attempt(txn, &attempt, error) && put_attempt(txn, &another, error) &&
           put_entry(txn, 13, LEDGER_RESERVE, 4, INT64_MAX, error);
}

static bool attempt_missing(store_txn_t *txn, error_info_t *error) {
    return delete_at(txn, TABLE_ATTEMPTS, 3, error);
}

static bool open_missing(store_txn_t *txn, error_info_t *error) {
    return delete_at(txn, TABLE_OPEN, 4, error);
}

static bool open_too_many(store_txn_t *txn, error_info_t *error) {
    return put_at(txn, TABLE_OPEN, 77, NULL, error);
}

static bool doubt_missing(store_txn_t *txn, error_info_t *error) {
    return delete_at(txn, TABLE_DOUBTS, 5, error);
}

static bool doubt_of_settled(store_txn_t *txn, error_info_t *error) {
    return put_at(txn, TABLE_DOUBTS, 1, NULL, error);
}

static bool entry_twice(store_txn_t *txn, error_info_t *error) {
    return put_entry(txn, 13, LEDGER_SETTLE, 1, 50, error);
}

static bool entry_of_nothing(store_txn_t *txn, error_info_t *error) {
    return put_entry(txn, 13, LEDGER_SETTLE, 99, 50, error);
}

static bool entry_amount(store_txn_t *txn, error_info_t *error) {
    return put_entry(txn, 2, LEDGER_SETTLE, 1, 51, error);
}

static bool entry_missing(store_txn_t *txn, error_info_t *error) {
    return delete_at(txn, TABLE_LEDGER, 2, error);
}

static bool last_entry_missing(store_txn_t *txn, error_info_t *error) {
    return delete_at(txn, TABLE_LEDGER, 12, error);
}

static bool balance_changed(store_txn_t *txn, error_info_t *error) {
    uint8_t key[BALANCE_KEY_SIZE];
    size_t size = ledger_balance_key(key, 1, 20000, STAGE_EXPLAIN, "gpt-4o");
    balance_t balance = {
        .settled = {49}, .doubts = {205}, .reserved = {103}, .attempts = 6, .answers = 2};
    buffer_t value = BUFFER_EMPTY;
    ledger_balance_encode(&balance, &value);
    bool good = store_put(txn, TABLE_BALANCES, key, size, value.data, value.length, error);
    buffer_free(&value);
    return good;
}

static bool balance_missing(store_txn_t *txn, error_info_t *error) {
    uint8_t key[BALANCE_KEY_SIZE];
    return store_delete(txn, TABLE_BALANCES, key,
                        ledger_balance_key(key, 1, 20000, STAGE_EXPLAIN, "gpt-4o"), error);
}

static bool balance_of_nobody(store_txn_t *txn, error_info_t *error) {
    uint8_t key[BALANCE_KEY_SIZE];
    balance_t balance = {.attempts = 1};
    buffer_t value = BUFFER_EMPTY;
    ledger_balance_encode(&balance, &value);
    bool good =
        store_put(txn, TABLE_BALANCES, key, ledger_balance_key(key, 9, -1, STAGE_EMBED, "m"),
                  value.data, value.length, error);
    buffer_free(&value);
    return good;
}

static bool request_of_another(store_txn_t *txn, error_info_t *error) {
    uint8_t value[8];
    key_put_u64(value, 1);
    return store_put(txn, TABLE_REQUESTS, hash_of("other").bytes, HASH_SIZE, value, sizeof value,
                     error);
}

static bool request_of_nothing(store_txn_t *txn, error_info_t *error) {
    uint8_t value[8];
    key_put_u64(value, 1234);
    return store_put(txn, TABLE_REQUESTS, hash_of("other").bytes, HASH_SIZE, value, sizeof value,
                     error);
}

static bool line_of_nothing(store_txn_t *txn, error_info_t *error) {
    batch_row_t line = {.response = 1234, .raw = hash_of("line")};
    return batch_line_put(txn, 1, 1, &line, error);
}

static bool response_missing(store_txn_t *txn, error_info_t *error) {
    return delete_at(txn, TABLE_RESPONSES, 1, error);
}

static bool response_of_void(store_txn_t *txn, error_info_t *error) {
    buffer_t packed = BUFFER_EMPTY;
    uint64_t number;
    response_pack("x", 1, &packed);
    bool good = response_put(txn, attempt_at(txn, 3).request, 3, &packed, NULL, 0, &number, error);
    buffer_free(&packed);
    return good;
}

/* One bit of the body, which the frame's checksum sees. */
static bool body_bit(store_txn_t *txn, error_info_t *error) {
    uint8_t key[8];
    key_put_u64(key, 2);
    store_bytes_t value;
    assert_true(store_get(txn, TABLE_RESPONSES, key, sizeof key, &value));
    buffer_t copy = BUFFER_EMPTY;
    buffer_append(&copy, value.data, value.size);
    copy.data[copy.length - 6] = (char)(copy.data[copy.length - 6] ^ 4);
    bool good = put_at(txn, TABLE_RESPONSES, 2, &copy, error);
    buffer_free(&copy);
    return good;
}

static bool answered_by_another(store_txn_t *txn, error_info_t *error) {
    attempt_t attempt = attempt_at(txn, 1);
    attempt.response = 2;
    return put_attempt(txn, &attempt, error);
}

static bool made_another_request(store_txn_t *txn, error_info_t *error) {
    attempt_t attempt = attempt_at(txn, 1);
    attempt.request = hash_of("other");
    return put_attempt(txn, &attempt, error);
}

static bool link_to_nothing(store_txn_t *txn, error_info_t *error) {
    uint8_t value[12] = {0};
    value[7] = 99;
    return store_put(txn, TABLE_EMBED_LINKS, hash_of("e").bytes, HASH_SIZE, value, sizeof value,
                     error);
}

static bool odd_embedding(store_txn_t *txn, error_info_t *error) {
    return store_put(txn, TABLE_EMBEDDINGS, hash_of("e").bytes, HASH_SIZE, "12345", 5, error);
}

/* The first row of a table, copied under another key or taken away. */
static bool first_row(store_txn_t *txn, store_table_t table, const void *new_key, size_t new_size,
                      error_info_t *error) {
    store_walk_t walk = {0};
    assert_true(store_walk_next(txn, table, &walk));
    buffer_t key = BUFFER_EMPTY, value = BUFFER_EMPTY;
    buffer_append(&key, walk.key.data, walk.key.size);
    buffer_append(&value, walk.value.data, walk.value.size);
    store_walk_end(&walk);
    bool good = !new_key
                    ? store_delete(txn, table, key.data, key.length, error)
                    : store_put(txn, table, new_key, new_size, value.data, value.length, error);
    buffer_free(&key);
    buffer_free(&value);
    return good;
}

static bool neuron_missing(store_txn_t *txn, error_info_t *error) {
    return first_row(txn, TABLE_NEURONS, NULL, 0, error);
}

static bool neuron_of_another_hash(store_txn_t *txn, error_info_t *error) {
    return first_row(txn, TABLE_NEURONS, hash_of("n").bytes, HASH_SIZE, error);
}

static bool member_missing(store_txn_t *txn, error_info_t *error) {
    return first_row(txn, TABLE_SETS, NULL, 0, error);
}

/* The second member is the first one again. */
static bool members_mixed_up(store_txn_t *txn, error_info_t *error) {
    record_set_t set;
    uint8_t key[HASH_SIZE + 4];
    assert_true(records_set_find(txn, "set", &set));
    memcpy(key, set.content.bytes, HASH_SIZE);
    key_put_u32(key + HASH_SIZE, 1);
    records_set_clear(&set);
    return first_row(txn, TABLE_SETS, key, sizeof key, error);
}

static bool blob_missing(store_txn_t *txn, error_info_t *error) {
    return store_delete(txn, TABLE_BLOBS, hash_of("a = 1\n").bytes, HASH_SIZE, error);
}

static bool template_missing(store_txn_t *txn, error_info_t *error) {
    return store_delete(txn, TABLE_BLOBS, hash_of("text").bytes, HASH_SIZE, error);
}

static bool blob_of_another_hash(store_txn_t *txn, error_info_t *error) {
    return first_row(txn, TABLE_BLOBS, hash_of("b").bytes, HASH_SIZE, error);
}

static bool run_name_missing(store_txn_t *txn, error_info_t *error) {
    return first_row(txn, TABLE_RUN_NAMES, NULL, 0, error);
}

static bool run_of_two_names(store_txn_t *txn, error_info_t *error) {
    return first_row(txn, TABLE_RUN_NAMES, "day", 3, error);
}

static bool run_missing(store_txn_t *txn, error_info_t *error) {
    return first_row(txn, TABLE_RUNS, NULL, 0, error);
}

static const damage_t damages[] = {
    {"cost over worst case", cost_over_worst_case,
     "attempt 1 (settled): cost of 1000 pico does not fit"},
    {"state changed", state_changed, "attempt 3 is settled, but its entries say otherwise"},
    {"huge amounts", huge_amounts, "the sum of its balance overflows"},
    {"attempt missing", attempt_missing, "attempt 4 follows 2: some are missing"},
    {"open missing", open_missing, "attempt 4 is reserved but not in `open`"},
    {"open too many", open_too_many, "table `open`: attempt 77 is not there"},
    {"doubt missing", doubt_missing, "attempt 5 is doubt but not in `doubts`"},
    {"doubt of settled", doubt_of_settled, "attempt 1 is settled but is in `doubts`"},
    {"entry twice", entry_twice, "entry 13 is no step that attempt 1 could take"},
    {"entry of nothing", entry_of_nothing, "entry 13: attempt 99 is not there"},
    {"entry amount", entry_amount, "entry 2: 51 pico, but attempt 1 says 50"},
    {"entry missing", entry_missing, "entry 3 follows 1: some are missing"},
    {"last entry missing", last_entry_missing,
     "its entries sum to settled 50, doubts 310, reserved 103"},
    {"balance changed", balance_changed,
     "balance of run 1, 2024-10-04, stage 1, gpt-4o: settled 49"},
    {"balance missing", balance_missing,
     "balance of run 1, 2024-10-04, stage 1, gpt-4o is missing"},
    {"balance of nobody", balance_of_nobody, "balance of run 9, stage 4, m: no attempt has it"},
    {"request of another", request_of_another, "its response is that of another request"},
    {"request of nothing", request_of_nothing, "its response is not there"},
    {"line of nothing", line_of_nothing, "its response is not there"},
    {"response missing", response_missing, "attempt 1: its response 1 is not there"},
    {"response of void", response_of_void, "response 3: its attempt 3 is void"},
    {"answered by another", answered_by_another, "response 1: its attempt 1 names response 2"},
    {"answered by another", answered_by_another, "attempt 1: its response 2 is that of attempt 2"},
    {"made another request", made_another_request,
     "response 1: its attempt 1 made another request"},
    {"body bit", body_bit, "response 2: its body cannot be read"},
    {"link to nothing", link_to_nothing, "table `embed_links`"},
    {"odd embedding", odd_embedding, "table `embeddings`"},
    {"neuron missing", neuron_missing, "its neuron record is not there"},
    {"neuron of another hash", neuron_of_another_hash, "its record has another hash"},
    {"member missing", member_missing, "a member of this set is missing"},
    {"members mixed up", members_mixed_up, "its members have another hash"},
    {"blob missing", blob_missing, "run 1 \"night\": its config is not there"},
    {"template missing", template_missing, "its template \"original\" is not there"},
    {"blob of another hash", blob_of_another_hash, "its text has another hash"},
    {"run name missing", run_name_missing, "run 1 \"night\" cannot be found by its name"},
    {"run of two names", run_of_two_names, "points to a run of another name"},
    {"run missing", run_missing, "points to no run"},
};

static bool apply_damage(store_txn_t *txn, void *context, error_info_t *error) {
    return ((const damage_t *)context)->damage(txn, error);
}

static void test_planted_damage(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof damages / sizeof damages[0]; i++) {
        store_dir_t *fixture;
        damage_t damage = damages[i];
        setup((void **)&fixture);
        store_dir_write(fixture->store, apply_damage, &damage);
        fsck_report_t report = report_of(fixture->store);
        if (report.problems == 0 || !strstr(buffer_text(&report.lines), damage.text))
            fail_msg("%s: \"%s\" is not in:\n%s", damage.name, damage.text,
                     buffer_text(&report.lines));
        fsck_report_clear(&report);
        store_dir_teardown((void **)&fixture);
    }
}

/* --- rows that cannot be read --------------------------------------------------------------------
 */

typedef struct {
    store_table_t table;
    rng_t *rng;
    int how;
} spoil_t;

/* Cuts off, changes a byte of, or replaces the first value of a table; or adds a row with a
 * key like no other. */
static bool spoil(store_txn_t *txn, void *context, error_info_t *error) {
    const spoil_t *what = context;
    store_walk_t walk = {0};
    if (!store_walk_next(txn, what->table, &walk))
        return true;
    buffer_t key = BUFFER_EMPTY, value = BUFFER_EMPTY;
    buffer_append(&key, walk.key.data, walk.key.size);
    buffer_append(&value, walk.value.data, walk.value.size);
    store_walk_end(&walk);
    if (value.length == 0 || what->how == 0) {
        buffer_append_text(&value, "spoil"); /* 5 bytes: no whole float either */
    } else if (what->how == 1) {
        value.length--;
    } else if (what->how == 2) {
        value.data[0] = (char)(value.data[0] ^ 0x41);
    } else {
        size_t at = (size_t)rng_below(what->rng, value.length);
        value.data[at] = (char)rng_next(what->rng);
    }
    bool good =
        what->how == 4
            ? store_put(txn, what->table, "\xff", 1, value.data, value.length, error)
            : store_put(txn, what->table, key.data, key.length, value.data, value.length, error);
    buffer_free(&key);
    buffer_free(&value);
    return good;
}

static void test_every_table_spoilt(void **state) {
    (void)state;
    for (int table = TABLE_RUNS; table < TABLE_COUNT; table++) {
        for (int how = 0; how <= 4; how++) {
            store_dir_t *fixture;
            spoil_t what = {(store_table_t)table, NULL, how};
            rng_t rng = rng_create((uint64_t)how);
            what.rng = &rng;
            /* raw floats: any will do; a set may have two names */
            bool found = how != 3 && !(how == 2 && table == TABLE_EMBEDDINGS) &&
                         !(how == 4 && table == TABLE_SET_NAMES);
            setup((void **)&fixture);
            store_dir_write(fixture->store, spoil, &what);
            fsck_report_t report = report_of(fixture->store);
            if (found && report.problems == 0)
                fail_msg("table %d, damage %d was not found", table, how);
            fsck_report_clear(&report);
            store_dir_teardown((void **)&fixture);
        }
    }
}

/* Damage upon damage in one store: whatever comes together, fsck reads on. */
static void test_random_damage(void **state) {
    store_dir_t *fixture = *state;
    rng_t rng = rng_create(5);
    for (int i = 0; i < 300; i++) {
        spoil_t what = {(store_table_t)rng_below(&rng, TABLE_COUNT), &rng, (int)rng_below(&rng, 5)};
        store_dir_write(fixture->store, spoil, &what);
        fsck_report_t report = report_of(fixture->store);
        fsck_report_clear(&report);
    }
}

static bool put_many_bad_jobs(store_txn_t *txn, void *context, error_info_t *error) {
    (void)context;
    for (uint32_t i = 0; i < 3 * PROBLEMS_WRITTEN; i++) {
        uint8_t key[4];
        key_put_u32(key, i);
        if (!store_put(txn, TABLE_JOBS, key, sizeof key, "?", 1, error))
            return false;
    }
    return true;
}

static void test_only_so_many_lines(void **state) {
    store_dir_t *fixture = *state;
    store_dir_write(fixture->store, put_many_bad_jobs, NULL);
    fsck_report_t report = report_of(fixture->store);
    size_t lines = 0;
    for (const char *c = buffer_text(&report.lines); *c != '\0'; c++)
        lines += *c == '\n';
    assert_int_equal(report.problems, 3 * PROBLEMS_WRITTEN);
    assert_int_equal(lines, PROBLEMS_WRITTEN);
    fsck_report_clear(&report);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_whole_store, setup, store_dir_teardown),
        cmocka_unit_test(test_planted_damage),
        cmocka_unit_test(test_every_table_spoilt),
        cmocka_unit_test_setup_teardown(test_random_damage, setup, store_dir_teardown),
        cmocka_unit_test_setup_teardown(test_only_so_many_lines, setup, store_dir_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
