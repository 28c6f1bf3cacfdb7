/* test_env.c - opening, locks, schema versions, rows and walks. (Growth: test_env_growth.c;
 * failures: test_env_failure.c.) */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sys/wait.h>

#include "core/base/rng.h"
#include "store/env_private.h"
#include "store/key.h"
#include "test/unit/store_dir.h"

static void assert_refused(const char *path, store_mode_t mode, error_class_t class_,
                           const char *text) {
    error_info_t error = {0};
    store_t *store = store_open(path, mode, NULL, &error);
    if (store)
        fail_msg("%s was opened", path);
    assert_int_equal(error.class_, class_);
    if (!strstr(error.message, text))
        fail_msg("\"%s\" does not say \"%s\"", error.message, text);
}

/* The exit status of `child` in a process of its own. */
static int in_child(int (*child)(void *), void *context) {
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0)
        _exit(child(context));
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* --- opening ---------------------------------------------------------------------------------- */

static void test_no_store(void **state) {
    (void)state;
    char *path = store_dir_make();
    char *missing = memory_format("%s/missing", path);
    assert_refused(missing, STORE_READ, ERROR_CONFIG, "; `glia run` makes one");
    assert_refused(path, STORE_READ, ERROR_CONFIG, "no store at ");
    assert_refused("", STORE_WRITE, ERROR_CONFIG, "no name");
    free(missing);
    store_dir_remove(path);
}

static void test_file_in_the_way(void **state) {
    (void)state;
    char *path = store_dir_make();
    char *file = memory_format("%s/file", path), *below = memory_format("%s/file/store", path);
    FILE *stream = fopen(file, "w");
    assert_non_null(stream);
    fclose(stream);
    assert_refused(file, STORE_WRITE, ERROR_CONFIG, "there is a file of that name");
    assert_refused(file, STORE_READ, ERROR_CONFIG, "there is a file of that name");
    assert_refused(below, STORE_WRITE, ERROR_CONFIG, "there is a file of that name");
    free(file);
    free(below);
    store_dir_remove(path);
}

static void test_junk_is_no_store(void **state) {
    (void)state;
    char *path = store_dir_make();
    char *file = memory_format("%s/data.mdb", path);
    FILE *stream = fopen(file, "w");
    assert_non_null(stream);
    for (int i = 0; i < 3000; i++)
        fputs("this is not it\n", stream);
    fclose(stream);
    assert_refused(path, STORE_WRITE, ERROR_CONFIG, "not a store of glia");
    assert_refused(path, STORE_READ, ERROR_CONFIG, "not a store of glia");
    free(file);
    store_dir_remove(path);
}

/* Root may write anywhere, so it becomes somebody who may not. */
static int open_as_nobody(void *context) {
    error_info_t error = {0};
    if (geteuid() == 0 && (setgid(65534) != 0 || setuid(65534) != 0))
        return 2;
    store_t *store = store_open(context, STORE_WRITE, NULL, &error);
    bool refused = !store && error.class_ == ERROR_CONFIG && strstr(error.message, "may write");
    store_close(store);
    return refused ? 0 : 1;
}

typedef struct {
    const char *path;
    int reads[2], ends[2]; /* pipes: it reads; it may end */
} silent_reader_t;

/* Without permission to say so, one reads only what nobody writes: 1; refused: 0. */
static int read_as_nobody(void *context) {
    silent_reader_t *reader = context;
    error_info_t error = {0};
    char byte = 0;
    close(reader->ends[1]);
    if (geteuid() == 0 && (setgid(65534) != 0 || setuid(65534) != 0))
        return 2;
    store_t *store = store_open(reader->path, STORE_READ, NULL, &error);
    if (!store)
        return error.class_ == ERROR_CONFIG && strstr(error.message, "say that they read") ? 0 : 3;
    store_txn_t *txn = store_read_begin(store, &error);
    bool good = txn && store_count(txn, TABLE_META) == 3 &&
                write(reader->reads[1], &byte, 1) == 1 && read(reader->ends[0], &byte, 1) == 0;
    store_read_end(txn);
    store_close(store);
    return good ? 1 : 4;
}

/* What becomes of such a reader beside a writer, or beside none: then nobody can become one. */
static int check_silent_reader(const char *path, bool written) {
    silent_reader_t reader = {.path = path};
    char byte;
    store_t *store = written ? store_dir_open(path, STORE_WRITE) : NULL;
    assert_true(pipe(reader.reads) == 0 && pipe(reader.ends) == 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0)
        _exit(read_as_nobody(&reader));
    close(reader.reads[1]);
    if (read(reader.reads[0], &byte, 1) == 1)
        assert_refused(path, STORE_WRITE, ERROR_CONFIG, geteuid() == 0 ? "in use by" : "may write");
    close(reader.ends[1]);
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    close(reader.reads[0]);
    close(reader.ends[0]);
    store_close(store);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}

static void test_directory_that_may_not_be_written(void **state) {
    (void)state;
    char *path = store_dir_make();
    store_close(store_dir_open(path, STORE_WRITE));
    char *inside = memory_format("%s/holder", path);
    assert_int_equal(chmod(inside, 0444), 0);
    assert_int_equal(chmod(path, 0555), 0);
    assert_int_equal(in_child(open_as_nobody, path), 0);
    assert_int_equal(check_silent_reader(path, false), 1);
    if (geteuid() == 0) /* who may write */
        assert_int_equal(check_silent_reader(path, true), 0);
    char *below = memory_format("%s/new", path);
    assert_int_equal(in_child(open_as_nobody, below), 0);
    assert_int_equal(chmod(path, 0755), 0);
    free(inside);
    free(below);
    store_dir_remove(path);
}

static void test_reopen_keeps_everything(void **state) {
    (void)state;
    char *base = store_dir_make();
    char *path = memory_format("%s/deep/er/", base);
    store_t *store = store_dir_open(path, STORE_WRITE);
    assert_string_equal(store_directory(store), path);
    assert_true(store_free_space(store) > 0 && store_free_space(store) != UINT64_MAX);
    store_dir_row_t row = {
        .table = TABLE_JOBS, .key = "key", .value = "value", .key_size = 3, .size = 5};
    store_dir_write(store, store_dir_put_row, &row);
    store_close(store);
    for (int mode = STORE_READ; mode <= STORE_WRITE; mode++) {
        store = store_dir_open(path, (store_mode_t)mode);
        store_txn_t *txn = store_dir_read(store);
        store_bytes_t value;
        assert_true(store_get(txn, TABLE_JOBS, "key", 3, &value));
        assert_int_equal(value.size, 5);
        assert_memory_equal(value.data, "value", 5);
        assert_int_equal(store_count(txn, TABLE_META), 3);
        store_read_end(txn);
        store_close(store);
    }
    free(path);
    store_dir_remove(base);
}

static void test_network_file_systems(void **state) {
    (void)state;
    assert_string_equal(env_network_name(0x6969), "NFS");
    assert_string_equal(env_network_name(0xFF534D42), "CIFS");
    assert_string_equal(env_network_name(0x517B), "SMB");
    assert_string_equal(env_network_name(0xFE534D42), "SMB2");
    assert_string_equal(env_network_name(0x01021997), "9p");
    assert_string_equal(env_network_name(0x65735546), "FUSE");
    assert_string_equal(env_network_name(0x00C36400), "Ceph");
    assert_string_equal(env_network_name(0x5346414F), "AFS");
    const uint64_t local[] = {0xEF53,     0x01021994, 0x58465342, 0x9123683E,
                              0x794C7630, 0xF2F52010, 0x2FC12FC1, 0};
    for (size_t i = 0; i < sizeof local / sizeof local[0]; i++)
        assert_null(env_network_name(local[i])); /* ext4, tmpfs, xfs, btrfs, overlay, f2fs, zfs */
}

/* --- one writer ------------------------------------------------------------------------------- */

static int write_elsewhere(void *context) {
    char needle[64];
    snprintf(needle, sizeof needle, "process %ld on ", (long)getppid());
    error_info_t error = {0};
    store_t *store = store_open(context, STORE_WRITE, NULL, &error);
    bool good = !store && error.class_ == ERROR_CONFIG && strstr(error.message, needle) &&
                strstr(error.message, "run overnight-3");
    store = store_open(context, STORE_READ, NULL, &error);
    good = good && store;
    store_close(store);
    return good ? 0 : 1;
}

static void test_second_writer(void **state) {
    (void)state;
    char *path = store_dir_make();
    store_t *store = store_dir_open(path, STORE_WRITE);
    store_set_holder(store, "run\novernight-3");
    assert_refused(path, STORE_WRITE, ERROR_CONFIG, "run overnight-3");
    /* LMDB does not bear two environments on one directory in a process: the second would take the
     * first one's locks.
     */
    assert_refused(path, STORE_READ, ERROR_BUG, "has it open already");
    assert_int_equal(in_child(write_elsewhere, path), 0);
    store_dir_row_t row = {
        .table = TABLE_JOBS, .key = "key", .value = "value", .key_size = 3, .size = 5};
    store_dir_write(store, store_dir_put_row, &row);
    store_close(store);
    store = store_dir_open(path, STORE_READ);
    assert_refused(path, STORE_READ, ERROR_BUG, "has it open already");
    store_close(store);
    store_dir_remove(path);
}

/* The lock goes with store_close, though a forked child still has the file open. */
static void test_lock_ends_with_close(void **state) {
    (void)state;
    char *path = store_dir_make();
    store_t *store = store_dir_open(path, STORE_WRITE);
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        char byte;
        close(ends[1]);
        _exit(read(ends[0], &byte, 1) == 0 ? 0 : 1);
    }
    store_close(store);
    store_close(store_dir_open(path, STORE_WRITE));
    close(ends[0]);
    close(ends[1]);
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    store_dir_remove(path);
}

/* --- rows ------------------------------------------------------------------------------------- */

static bool put_rows(store_txn_t *txn, void *context, error_info_t *error) {
    (void)context;
    store_bytes_t value;
    uint8_t longest[KEY_MAXIMUM + 1] = {1};
    assert_true(store_put(txn, TABLE_JOBS, "a", 1, "1", 1, error));
    assert_true(store_put(txn, TABLE_JOBS, "a", 1, "22", 2, error));
    assert_true(store_get(txn, TABLE_JOBS, "a", 1, &value));
    assert_int_equal(value.size, 2);
    assert_true(store_put(txn, TABLE_JOBS, "b", 1, NULL, 0, error));
    assert_true(store_get(txn, TABLE_JOBS, "b", 1, &value));
    assert_int_equal(value.size, 0);
    assert_true(store_put(txn, TABLE_JOBS, longest, KEY_MAXIMUM, "x", 1, error));
    assert_true(store_delete(txn, TABLE_JOBS, "a", 1, error));
    assert_true(store_delete(txn, TABLE_JOBS, "a", 1, error));
    assert_true(store_delete(txn, TABLE_JOBS, "", 0, error));
    assert_false(store_get(txn, TABLE_JOBS, "a", 1, &value));
    assert_false(store_get(txn, TABLE_JOBS, "", 0, &value));
    assert_false(store_get(txn, TABLE_JOBS, longest, KEY_MAXIMUM + 1, &value));
    assert_true(store_append(txn, TABLE_ATTEMPTS, "1", 1, "x", 1, error));
    assert_true(store_append(txn, TABLE_ATTEMPTS, "2", 1, "x", 1, error));
    assert_int_equal(store_count(txn, TABLE_JOBS), 2);
    return true;
}

static void test_rows(void **state) {
    store_dir_t *fixture = *state;
    store_dir_write(fixture->store, put_rows, NULL);
}

static bool append_out_of_order(store_txn_t *txn, void *context, error_info_t *error) {
    (void)context;
    return store_append(txn, TABLE_ATTEMPTS, "2", 1, "", 0, error) &&
           store_append(txn, TABLE_ATTEMPTS, "1", 1, "", 0, error);
}

static bool put_long_key(store_txn_t *txn, void *context, error_info_t *error) {
    (void)context;
    uint8_t key[KEY_MAXIMUM + 1] = {0};
    return store_put(txn, TABLE_JOBS, key, sizeof key, "", 0, error);
}

/* As above, but does not look. */
static bool careless(store_txn_t *txn, void *context, error_info_t *error) {
    store_bytes_t value;
    bool put = store_put(txn, TABLE_JOBS, "kept", 4, "", 0, error);
    put = put_long_key(txn, context, NULL) && put;
    assert_false(store_get(txn, TABLE_JOBS, "kept", 4, &value)); /* nothing works from here on */
    assert_false(store_put(txn, TABLE_JOBS, "more", 4, "", 0, NULL));
    store_walk_t walk = {0};
    assert_false(store_walk_next(txn, TABLE_JOBS, &walk));
    assert_int_equal(store_count(txn, TABLE_JOBS), 0);
    return true;
}

static bool give_up(store_txn_t *txn, void *context, error_info_t *error) {
    (void)context;
    assert_true(store_put(txn, TABLE_JOBS, "kept", 4, "", 0, error));
    return error_set(error, ERROR_CONFIG, "given up");
}

static bool nested(store_txn_t *txn, void *context, error_info_t *error) {
    (void)txn;
    return store_write(context, put_rows, NULL, error);
}

static void test_what_is_not_committed(void **state) {
    store_dir_t *fixture = *state;
    store_apply_t *const applies[] = {append_out_of_order, put_long_key, careless, nested, give_up};
    for (size_t i = 0; i < sizeof applies / sizeof applies[0]; i++) {
        error_info_t error = {0};
        assert_false(store_write(fixture->store, applies[i], fixture->store, &error));
        assert_int_equal(error.class_, applies[i] == give_up ? ERROR_CONFIG : ERROR_BUG);
        store_txn_t *txn = store_dir_read(fixture->store);
        assert_int_equal(store_count(txn, TABLE_JOBS) + store_count(txn, TABLE_ATTEMPTS), 0);
        /* a thread that reads may not write, and a reader's transaction takes no rows */
        assert_false(store_write(fixture->store, put_rows, NULL, &error));
        assert_int_equal(error.class_, ERROR_BUG);
        store_read_end(txn);
    }
    store_dir_write(fixture->store, put_rows, NULL);
}

static void test_reader_cannot_write(void **state) {
    store_dir_t *fixture = *state;
    store_close(fixture->store);
    fixture->store = store_dir_open(fixture->path, STORE_READ);
    error_info_t error = {0};
    assert_false(store_write(fixture->store, put_rows, NULL, &error));
    assert_int_equal(error.class_, ERROR_BUG);
    store_set_holder(fixture->store, "nobody"); /* nothing happens */
}

/* --- walks ------------------------------------------------------------------------------------ */

enum { WALKED = 300, KEY_BYTES = 3 };

typedef struct {
    uint8_t key[WALKED][KEY_BYTES];
    size_t count;
} keys_t;

static int compare(const void *a, const void *b) {
    return memcmp(a, b, KEY_BYTES);
}

/* Distinct keys over a small alphabet, sorted, so that prefixes and ties are common. */
static void make_keys(rng_t *rng, keys_t *keys) {
    for (size_t i = 0; i < WALKED; i++)
        for (size_t b = 0; b < KEY_BYTES; b++)
            keys->key[i][b] = (uint8_t)(rng_below(rng, 12) * 23);
    qsort(keys->key, WALKED, KEY_BYTES, compare);
    for (size_t i = 0; i < WALKED; i++)
        if (keys->count == 0 || compare(keys->key[keys->count - 1], keys->key[i]) != 0)
            memmove(keys->key[keys->count++], keys->key[i], KEY_BYTES);
}

static bool put_keys(store_txn_t *txn, void *context, error_info_t *error) {
    const keys_t *keys = context;
    for (size_t i = 0; i < keys->count; i++)
        assert_true(store_append(txn, TABLE_SETS, keys->key[i], KEY_BYTES, keys->key[i], 1, error));
    return true;
}

static bool expected(const keys_t *keys, size_t i, const uint8_t *from, const store_walk_t *how) {
    int order = !how->from ? 0 : memcmp(keys->key[i], from, KEY_BYTES);
    return (how->backward ? order <= 0 : order >= 0) &&
           memcmp(keys->key[i], from, how->prefix_size) == 0;
}

static void check_walk(store_txn_t *txn, const keys_t *keys, const uint8_t *from,
                       store_walk_t how) {
    store_walk_t walk = how;
    for (size_t n = 0; n < keys->count; n++) {
        size_t i = how.backward ? keys->count - 1 - n : n;
        if (expected(keys, i, from, &how)) {
            assert_true(store_walk_next(txn, TABLE_SETS, &walk));
            assert_int_equal(walk.key.size, KEY_BYTES);
            assert_memory_equal(walk.key.data, keys->key[i], KEY_BYTES);
            assert_memory_equal(walk.value.data, keys->key[i], 1);
        }
    }
    assert_false(store_walk_next(txn, TABLE_SETS, &walk));
}

static void test_walks(void **state) {
    store_dir_t *fixture = *state;
    rng_t rng = rng_create(7);
    keys_t keys = {.count = 0};
    make_keys(&rng, &keys);
    store_dir_write(fixture->store, put_keys, &keys);
    store_txn_t *txn = store_dir_read(fixture->store);
    uint8_t none[KEY_BYTES] = {0};
    check_walk(txn, &keys, none, (store_walk_t){0});
    check_walk(txn, &keys, none, (store_walk_t){.backward = true});
    for (int round = 0; round < 2000; round++) {
        uint8_t from[KEY_BYTES];
        for (size_t b = 0; b < KEY_BYTES; b++)
            from[b] =
                (uint8_t)(rng_below(&rng, 12) * 23 + (round % 3 == 0 ? rng_below(&rng, 3) : 0));
        check_walk(txn, &keys, from,
                   (store_walk_t){.from = from,
                                  .from_size = KEY_BYTES,
                                  .prefix_size = rng_below(&rng, KEY_BYTES + 1),
                                  .backward = rng_below(&rng, 2) == 1});
    }
    store_walk_t early = {0};
    assert_true(store_walk_next(txn, TABLE_SETS, &early));
    store_walk_end(&early);
    store_walk_end(&early);
    store_walk_t empty = {.from = none, .from_size = KEY_BYTES, .backward = true};
    assert_false(store_walk_next(txn, TABLE_JOBS, &empty));
    store_read_end(txn);
}

/* --- schema ----------------------------------------------------------------------------------- */

static bool to_two(store_txn_t *txn, error_info_t *error) {
    return store_put(txn, TABLE_JOBS, "two", 3, "2", 1, error);
}

static bool to_three(store_txn_t *txn, error_info_t *error) {
    store_bytes_t value;
    assert_true(store_get(txn, TABLE_JOBS, "two", 3, &value));
    return store_put(txn, TABLE_JOBS, "three", 5, "3", 1, error);
}

static bool to_nowhere(store_txn_t *txn, error_info_t *error) {
    assert_true(to_three(txn, error));
    return error_set(error, ERROR_FATAL, "no way");
}

static const env_migration_t steps[] = {{2, to_three}, {1, to_two}};
static const env_migration_t broken_steps[] = {{1, to_two}, {2, to_nowhere}};

static uint64_t jobs_in(const char *path, store_mode_t mode, const env_schema_t *schema,
                        error_info_t *error) {
    store_options_t options = {.no_sync = true};
    store_t *store = env_open_schema(path, mode, &options, schema, error);
    if (!store)
        return UINT64_MAX;
    store_txn_t *txn = store_dir_read(store);
    uint64_t jobs = store_count(txn, TABLE_JOBS);
    store_read_end(txn);
    store_close(store);
    return jobs;
}

static void test_migration(void **state) {
    (void)state;
    char *path = store_dir_make();
    const env_schema_t one = {.version = 1},
                       three = {.version = 3, .migrations = steps, .count = 2};
    const env_schema_t broken = {.version = 3, .migrations = broken_steps, .count = 2};
    const env_schema_t gap = {.version = 3, .migrations = steps, .count = 1};
    error_info_t error = {0};
    assert_int_equal(jobs_in(path, STORE_WRITE, &one, &error), 0);

    assert_int_equal(jobs_in(path, STORE_READ, &three, &error), UINT64_MAX);
    assert_int_equal(error.class_, ERROR_CONFIG);
    assert_non_null(
        strstr(error.message, "older glia (schema 1, this one has 3): `glia run` migrates it"));
    assert_int_equal(jobs_in(path, STORE_WRITE, &broken, &error), UINT64_MAX);
    assert_non_null(strstr(error.message, "migration from schema 2 to 3: no way"));
    assert_int_equal(jobs_in(path, STORE_WRITE, &gap, &error), UINT64_MAX);
    assert_int_equal(error.class_, ERROR_FATAL);
    /* nothing of all that was committed */
    assert_int_equal(jobs_in(path, STORE_READ, &one, &error), 0);

    assert_int_equal(jobs_in(path, STORE_WRITE, &three, &error), 2);
    assert_int_equal(jobs_in(path, STORE_WRITE, &three, &error), 2);
    assert_int_equal(jobs_in(path, STORE_READ, &three, &error), 2);
    store_dir_remove(path);

    path = store_dir_make();
    const env_schema_t next = {.version = SCHEMA_VERSION + 1};
    assert_int_equal(jobs_in(path, STORE_WRITE, &next, &error), 0);
    char *newer = memory_format(
        "was written by a newer glia (schema %d, this one knows %d): use that version",
        SCHEMA_VERSION + 1, SCHEMA_VERSION);
    for (int mode = STORE_READ; mode <= STORE_WRITE; mode++)
        assert_refused(path, (store_mode_t)mode, ERROR_CONFIG, newer);
    free(newer);
    store_dir_remove(path);
}

/* From every schema that there was to this program's. */
static void test_own_migrations(void **state) {
    (void)state;
    for (int version = 1; version < SCHEMA_VERSION; version++) {
        char *path = store_dir_make();
        const env_schema_t old = {.version = version};
        error_info_t error = {0};
        assert_int_equal(jobs_in(path, STORE_WRITE, &old, &error), 0);
        assert_refused(path, STORE_READ, ERROR_CONFIG, "older glia");
        store_close(store_dir_open(path, STORE_WRITE));
        store_close(store_dir_open(path, STORE_READ));
        store_dir_remove(path);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_store),
        cmocka_unit_test(test_file_in_the_way),
        cmocka_unit_test(test_junk_is_no_store),
        cmocka_unit_test(test_directory_that_may_not_be_written),
        cmocka_unit_test(test_reopen_keeps_everything),
        cmocka_unit_test(test_network_file_systems),
        cmocka_unit_test(test_second_writer),
        cmocka_unit_test(test_lock_ends_with_close),
        cmocka_unit_test_setup_teardown(test_rows, store_dir_setup, store_dir_teardown),
        cmocka_unit_test_setup_teardown(test_what_is_not_committed, store_dir_setup,
                                        store_dir_teardown),
        cmocka_unit_test_setup_teardown(test_reader_cannot_write, store_dir_setup,
                                        store_dir_teardown),
        cmocka_unit_test_setup_teardown(test_walks, store_dir_setup, store_dir_teardown),
        cmocka_unit_test(test_migration),
        cmocka_unit_test(test_own_migrations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
