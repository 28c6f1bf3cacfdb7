/* test_env_imagine.c - what is imagined is what a write would do, and leaves nothing: against real
 * writes with drawn operations, beside a writer, with tenants, and when it fails. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <sys/wait.h>

#include "core/base/buffer.h"
#include "core/base/rng.h"
#include "store/key.h"
#include "store/ledger.h"
#include "store/responses.h"
#include "test/unit/store_dir.h"

enum { ROUNDS = 400, LETTERS = 7, KEY_BYTES = 3, TABLES = 3 };

static const store_table_t tables[TABLES] = {TABLE_JOBS, TABLE_SETS, TABLE_ATTEMPTS};

static void check_imagined(store_t *store, store_apply_t *apply, void *context) {
    error_info_t error = {0};
    if (!store_imagine(store, apply, context, &error))
        fail_msg("%s", error.message);
}

/* --- drawn operations ------------------------------------------------------------------------- */

/* A transaction: its operations follow from the seed, all that the store answers is said. */
typedef struct {
    uint64_t seed;
    size_t operations;
    rng_t rng;
    buffer_t said;
} play_t;

static size_t draw_key(rng_t *rng, uint8_t key[KEY_BYTES]) {
    size_t size = 1 + rng_below(rng, KEY_BYTES);
    for (size_t i = 0; i < size; i++)
        key[i] = (uint8_t)(1 + rng_below(rng, LETTERS) * 40);
    return size;
}

static void say(play_t *play, const char *what, store_bytes_t bytes) {
    buffer_append_format(&play->said, "%s", what);
    for (size_t i = 0; i < bytes.size; i++)
        buffer_append_format(&play->said, "%02x", ((const uint8_t *)bytes.data)[i]);
}

static void play_put(play_t *play, store_txn_t *txn, store_table_t table) {
    uint8_t key[KEY_BYTES], value[4];
    size_t key_size = draw_key(&play->rng, key), size = rng_below(&play->rng, sizeof value + 1);
    key_put_u32(value, (uint32_t)rng_next(&play->rng));
    bool good = store_put(txn, table, key, key_size, value, size, NULL);
    buffer_append_format(&play->said, "put %d", good);
}

/* Behind the last key or, one time of a thousand, perhaps not. */
static void play_append(play_t *play, store_txn_t *txn, store_table_t table) {
    uint8_t key[KEY_MAXIMUM + 1];
    store_walk_t walk = {.backward = true};
    size_t size = draw_key(&play->rng, key);
    bool any = store_walk_next(txn, table, &walk);
    if (any && rng_below(&play->rng, 1000) > 0) {
        size = walk.key.size;
        memcpy(key, walk.key.data, size);
        if (++key[size - 1] == 0) {
            key[size - 1] = UINT8_MAX;
            key[size++] = 1;
        }
    }
    store_walk_end(&walk);
    bool good = store_append(txn, table, key, size, "end", 3, NULL);
    buffer_append_format(&play->said, "append %d", good);
}

static void play_delete(play_t *play, store_txn_t *txn, store_table_t table) {
    uint8_t key[KEY_BYTES];
    size_t size = draw_key(&play->rng, key);
    buffer_append_format(&play->said, "delete %d", store_delete(txn, table, key, size, NULL));
}

static void play_get(play_t *play, store_txn_t *txn, store_table_t table) {
    uint8_t key[KEY_BYTES];
    store_bytes_t value;
    size_t size = draw_key(&play->rng, key);
    bool there = store_get(txn, table, key, size, &value);
    say(play, there ? "get" : "get nothing", value);
}

static void play_walk(play_t *play, store_txn_t *txn, store_table_t table) {
    uint8_t from[KEY_BYTES];
    store_walk_t walk = {.backward = rng_below(&play->rng, 2) == 1};
    if (rng_below(&play->rng, 4) > 0) {
        walk.from = from;
        walk.from_size = draw_key(&play->rng, from);
        walk.prefix_size = rng_below(&play->rng, walk.from_size + 1);
    }
    size_t most = rng_below(&play->rng, 3) == 0 ? rng_below(&play->rng, 5) : SIZE_MAX;
    buffer_append_format(&play->said, "walk");
    for (size_t i = 0; i < most && store_walk_next(txn, table, &walk); i++) {
        say(play, " ", walk.key);
        say(play, ":", walk.value);
    }
    store_walk_end(&walk);
}

static bool play(store_txn_t *txn, void *context, error_info_t *error) {
    play_t *play = context;
    play->rng = rng_create(play->seed);
    buffer_clear(&play->said);
    for (size_t i = 0; i < play->operations; i++) {
        store_table_t table = tables[rng_below(&play->rng, TABLES)];
        switch (rng_below(&play->rng, 8)) {
        case 0:
        case 1: play_put(play, txn, table); break;
        case 2: play_append(play, txn, table); break;
        case 3:
        case 4: play_delete(play, txn, table); break;
        case 5: play_get(play, txn, table); break;
        case 6: play_walk(play, txn, table); break;
        default: buffer_append_format(&play->said, "count %d", (int)store_count(txn, table));
        }
        buffer_append_char(&play->said, '\n');
    }
    return rng_below(&play->rng, 10) > 0 || error_set(error, ERROR_CONFIG, "given up");
}

static void read_data(const char *path, buffer_t *data) {
    char *file = memory_format("%s/data.mdb", path);
    error_info_t error = {0};
    if (!buffer_read_file(data, file, 0, &error))
        fail_msg("%s", error.message);
    free(file);
}

/* Imagined first, then written: the same is said, line by line, and imagining has changed no
 * byte of the file. */
static void check_round(store_dir_t *fixture, uint64_t seed, size_t operations) {
    play_t imagined = {.seed = seed, .operations = operations}, written = imagined;
    error_info_t error = {0}, other = {0};
    buffer_t before = BUFFER_EMPTY, after = BUFFER_EMPTY;
    read_data(fixture->path, &before);
    bool good = store_imagine(fixture->store, play, &imagined, &error);
    read_data(fixture->path, &after);
    assert_int_equal(before.length, after.length);
    assert_memory_equal(before.data, after.data, before.length);
    assert_int_equal(store_write(fixture->store, play, &written, &other), good);
    const char *a = buffer_text(&imagined.said), *b = buffer_text(&written.said);
    for (size_t line = 0; *a || *b; line++) {
        size_t length = strcspn(a, "\n") + 1;
        if (strncmp(a, b, length) != 0)
            fail_msg("seed %d, operation %zu: imagined %.200s\nwritten %.200s", (int)seed, line, a,
                     b);
        a += length;
        b += length;
    }
    assert_string_equal(error.message, other.message);
    assert_int_equal(error.class_, other.class_);
    buffer_free(&before);
    buffer_free(&after);
    buffer_free(&imagined.said);
    buffer_free(&written.said);
}

static void test_as_written(void **state) {
    for (uint64_t seed = 0; seed < ROUNDS; seed++)
        check_round(*state, seed, 1 + seed % 150);
    check_round(*state, ROUNDS, 3000);
}

/* --- many rows -------------------------------------------------------------------------------- */

enum { MANY = 50000 };

static bool put_many(store_txn_t *txn, void *context, error_info_t *error) {
    (void)context;
    uint8_t key[12], low[4];
    for (uint32_t i = 0; i < MANY; i++) { /* odd ones in a drawn order, then all */
        uint32_t number = i * 7919 % MANY;
        key_put_u64(key_put_u32(key, number), number);
        if (number % 2 == 1)
            assert_true(store_put(txn, TABLE_SETS, key, sizeof key, key, 4, error));
    }
    for (uint32_t i = 0; i < MANY; i += 2) {
        key_put_u64(key_put_u32(key, i), i);
        assert_true(store_put(txn, TABLE_SETS, key, sizeof key, key, 4, error));
    }
    assert_int_equal(store_count(txn, TABLE_SETS), MANY);
    store_walk_t walk = {0};
    for (uint32_t i = 0; i < MANY; i++) {
        key_put_u32(low, i);
        assert_true(store_walk_next(txn, TABLE_SETS, &walk));
        assert_memory_equal(walk.key.data, low, sizeof low);
        assert_memory_equal(walk.value.data, low, sizeof low);
    }
    assert_false(store_walk_next(txn, TABLE_SETS, &walk));
    return true;
}

static void test_many_rows(void **state) {
    store_dir_t *fixture = *state;
    check_imagined(fixture->store, put_many, NULL);
}

/* --- beside a writer -------------------------------------------------------------------------- */

/* A process that writes when it is told: "1" and, while the other imagines, "2". */
typedef struct {
    char *path;
    int orders[2], answers[2]; /* pipes */
} writer_t;

static bool put_row(store_txn_t *txn, void *context, error_info_t *error) {
    return store_put(txn, TABLE_JOBS, context, 1, "written", 7, error);
}

static int write_on_order(writer_t *writer) {
    char order;
    close(writer->orders[1]);
    store_t *store = store_dir_open(writer->path, STORE_WRITE);
    bool good = true;
    while (good && read(writer->orders[0], &order, 1) == 1)
        good =
            store_write(store, put_row, &order, NULL) && write(writer->answers[1], &order, 1) == 1;
    store_txn_t *txn = store_dir_read(store);
    good = good && store_count(txn, TABLE_JOBS) == 2;
    store_read_end(txn);
    store_close(store);
    return good ? 0 : 1;
}

static void give_order(writer_t *writer, char order) {
    char answer = 0;
    assert_int_equal(write(writer->orders[1], &order, 1), 1);
    assert_int_equal(read(writer->answers[0], &answer, 1), 1);
    assert_int_equal(answer, order);
}

static bool is_there(store_txn_t *txn, const char *key) {
    store_bytes_t value;
    return store_get(txn, TABLE_JOBS, key, 1, &value);
}

static bool imagine_meanwhile(store_txn_t *txn, void *context, error_info_t *error) {
    assert_true(is_there(txn, "1"));
    assert_true(store_put(txn, TABLE_JOBS, "m", 1, "", 0, error) &&
                store_delete(txn, TABLE_JOBS, "1", 1, error));
    give_order(context, '2');
    assert_true(is_there(txn, "m") && !is_there(txn, "1") && !is_there(txn, "2"));
    assert_int_equal(store_count(txn, TABLE_JOBS), 1);
    return true;
}

static bool imagine_later(store_txn_t *txn, void *context, error_info_t *error) {
    (void)context;
    (void)error;
    return is_there(txn, "1") && is_there(txn, "2") && !is_there(txn, "m");
}

static void test_beside_a_writer(void **state) {
    (void)state;
    writer_t writer = {.path = store_dir_make()};
    assert_int_equal(pipe(writer.orders), 0);
    assert_int_equal(pipe(writer.answers), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0)
        _exit(write_on_order(&writer));
    close(writer.orders[0]);
    give_order(&writer, '1');
    store_t *store = store_dir_open(writer.path, STORE_READ);
    check_imagined(store, imagine_meanwhile, &writer);
    check_imagined(store, imagine_later, NULL);
    store_close(store);
    int status;
    close(writer.orders[1]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    close(writer.answers[0]);
    close(writer.answers[1]);
    store_dir_remove(writer.path);
}

/* --- tenants ---------------------------------------------------------------------------------- */

static buffer_t packed;

static bool put_response(store_txn_t *txn, const char *request, error_info_t *error) {
    uint64_t number;
    hash_t id = hash_bytes(request, strlen(request));
    return response_put(txn, id, 1, &packed, NULL, 0, &number, error) && number == 1 &&
           response_find(txn, id) == 1;
}

static uint64_t find(store_txn_t *txn, const char *request) {
    return response_find(txn, hash_bytes(request, strlen(request)));
}

static bool reserve(store_txn_t *txn, int64_t amount, error_info_t *error) {
    attempt_t attempt = {
        .run = 1, .state = ATTEMPT_RESERVED, .stage = 1, .model = "m", .worst_case = {amount}};
    return ledger_reserve(txn, &attempt, error);
}

static bool add_reserved(void *context, uint32_t run, int32_t day, job_stage_t stage,
                         const char *model, const balance_t *balance) {
    (void)run, (void)day, (void)stage, (void)model;
    money_t *sum = context;
    *sum = money_add(*sum, balance->reserved);
    return true;
}

/* Picodollars. */
static int64_t reserved(store_txn_t *txn) {
    money_t sum = MONEY_ZERO;
    ledger_balances(txn, 1, add_reserved, &sum);
    return sum.pico;
}

static bool imagine_tenants(store_txn_t *txn, void *context, error_info_t *error) {
    (void)context;
    assert_int_equal(find(txn, "written"), 0);
    assert_true(put_response(txn, "imagined", error) && reserve(txn, 5, error));
    assert_true(reserved(txn) == 5);
    return true;
}

static void *imagine_in_thread(void *store) {
    check_imagined(store, imagine_tenants, NULL);
    return NULL;
}

/* A write goes on while another thread imagines; neither sees anything of the other. */
static bool write_tenants(store_txn_t *txn, void *context, error_info_t *error) {
    pthread_t thread;
    assert_true(put_response(txn, "written", error) && reserve(txn, 3, error));
    assert_int_equal(pthread_create(&thread, NULL, imagine_in_thread, context), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_true(find(txn, "written") == 1 && find(txn, "imagined") == 0);
    assert_true(reserved(txn) == 3);
    return true;
}

static void test_tenants(void **state) {
    store_dir_t *fixture = *state;
    response_pack("{}", 2, &packed);
    imagine_in_thread(fixture->store);
    store_dir_write(fixture->store, write_tenants, fixture->store);
    store_txn_t *txn = store_dir_read(fixture->store);
    assert_true(find(txn, "written") == 1 && find(txn, "imagined") == 0);
    assert_true(reserved(txn) == 3);
    store_read_end(txn);
    buffer_free(&packed);
}

/* --- what is refused -------------------------------------------------------------------------- */

static bool put_good(store_txn_t *txn, void *context, error_info_t *error) {
    (void)context;
    return store_put(txn, TABLE_JOBS, "good", 4, "", 0, error);
}

static bool imagines(store_txn_t *txn, void *context, error_info_t *error) {
    (void)txn;
    return store_imagine(context, put_good, NULL, error);
}

static bool writes(store_txn_t *txn, void *context, error_info_t *error) {
    (void)txn;
    return store_write(context, put_good, NULL, error);
}

/* Does not look at what became of its put. */
static bool careless(store_txn_t *txn, void *context, error_info_t *error) {
    put_good(txn, context, error);
    store_put(txn, TABLE_JOBS, "", 0, "", 0, NULL);
    assert_int_equal(store_count(txn, TABLE_JOBS), 0); /* nothing works from here on */
    return true;
}

static bool give_up(store_txn_t *txn, void *context, error_info_t *error) {
    put_good(txn, context, error);
    return error_set(error, ERROR_CONFIG, "given up");
}

static void test_what_is_refused(void **state) {
    store_dir_t *fixture = *state;
    store_t *store = fixture->store;
    const struct {
        bool (*call)(store_t *store, store_apply_t *apply, void *context, error_info_t *error);
        store_apply_t *apply;
        error_class_t class_;
        const char *text;
    } cases[] = {
        {store_imagine, imagines, ERROR_BUG, "store_imagine on a thread that is in store_imagine"},
        {store_imagine, writes, ERROR_BUG, "store_write on a thread that has a read"},
        {store_write, imagines, ERROR_BUG, "store_imagine on a thread that is in store_write"},
        {store_imagine, careless, ERROR_BUG, "write"},
        {store_imagine, give_up, ERROR_CONFIG, "given up"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        error_info_t error = {0};
        assert_false(cases[i].call(store, cases[i].apply, store, &error));
        assert_int_equal(error.class_, cases[i].class_);
        assert_non_null(strstr(error.message, cases[i].text));
        check_imagined(store, put_good, NULL);
        store_txn_t *txn = store_dir_read(store);
        assert_int_equal(store_count(txn, TABLE_JOBS), 0);
        store_read_end(txn);
    }
    store_dir_write(store, put_good, NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_as_written, store_dir_setup, store_dir_teardown),
        cmocka_unit_test_setup_teardown(test_many_rows, store_dir_setup, store_dir_teardown),
        cmocka_unit_test(test_beside_a_writer),
        cmocka_unit_test_setup_teardown(test_tenants, store_dir_setup, store_dir_teardown),
        cmocka_unit_test_setup_teardown(test_what_is_refused, store_dir_setup, store_dir_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
