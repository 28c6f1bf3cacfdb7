/* test_env_growth.c - maps that grow: under readers in threads, under readers in other processes,
 * up to limits; readers that are too many or dead. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "core/base/rng.h"
#include "store/env_private.h"
#include "store/key.h"
#include "test/unit/store_dir.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define LIMITS_MEMORY 0 /* a sanitizer needs terabytes of address space */
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define LIMITS_MEMORY 0
#endif
#endif
#ifndef LIMITS_MEMORY
#define LIMITS_MEMORY 1
#endif

enum { VALUE = 2000, MIB = 1 << 20 };

static const store_options_t tiny = {.no_sync = true, .initial_map = 64 << 10};

/* --- rows that tell a reader whether its view is whole ---------------------------------------- */

typedef struct {
    uint64_t first;
    uint64_t count;
    uint64_t calls; /* of apply */
} batch_t;

/* Appends rows number first.. to LEDGER and says in META how many there are now. */
static bool put_batch(store_txn_t *txn, void *context, error_info_t *error) {
    batch_t *batch = context;
    uint8_t value[VALUE], key[8];
    batch->calls++;
    for (uint64_t i = 0; i < batch->count; i++) {
        memset(value, (int)((batch->first + i) & 0xFF), sizeof value);
        key_put_u64(key, batch->first + i);
        if (!store_append(txn, TABLE_LEDGER, key, sizeof key, value, sizeof value, error))
            return false;
    }
    key_put_u64(key, batch->first + batch->count - 1);
    return store_put(txn, TABLE_META, "rows", 4, key, sizeof key, error);
}

/* The number of rows, or UINT64_MAX if what is seen is not one state. */
static uint64_t whole_view(store_txn_t *txn) {
    store_bytes_t value;
    uint64_t said = store_get(txn, TABLE_META, "rows", 4, &value) ? key_get_u64(value.data) : 0;
    uint64_t seen = 0;
    store_walk_t walk = {0};
    while (store_walk_next(txn, TABLE_LEDGER, &walk)) {
        const uint8_t *bytes = walk.value.data;
        seen++;
        if (key_get_u64(walk.key.data) != seen || walk.value.size != VALUE ||
            bytes[0] != (seen & 0xFF) || bytes[VALUE - 1] != (seen & 0xFF))
            return UINT64_MAX;
    }
    return said == seen && seen == store_count(txn, TABLE_LEDGER) ? seen : UINT64_MAX;
}

/* --- growth ----------------------------------------------------------------------------------- */

typedef struct {
    store_t *store;
    atomic_bool stop;
    atomic_int views, torn;
    bool nested;
} watch_t;

static void *watch(void *context) {
    watch_t *watch = context;
    while (!atomic_load(&watch->stop)) {
        store_txn_t *txn = store_read_begin(watch->store, NULL);
        /* A thread that reads already gets a second view at any time, also while the
         * map waits to grow. */
        store_txn_t *second = watch->nested && txn ? store_read_begin(watch->store, NULL) : NULL;
        bool good = txn && whole_view(txn) != UINT64_MAX;
        if (watch->nested) {
            good = good && second && whole_view(second) >= whole_view(txn);
            store_read_end(second);
        }
        store_read_end(txn);
        atomic_fetch_add(&watch->views, 1);
        atomic_fetch_add(&watch->torn, !good);
    }
    return NULL;
}

static void test_growth_under_readers(void **state) {
    (void)state;
    enum { READERS = 6, BATCH = 100, ROWS = 10000 }; /* 20 MB: from 64 KiB to 16 MiB to 32 MiB */
    char *path = store_dir_make();
    store_t *store = store_open(path, STORE_WRITE, &tiny, NULL);
    assert_non_null(store);
    watch_t watches[READERS];
    pthread_t threads[READERS];
    for (int i = 0; i < READERS; i++) {
        watches[i] = (watch_t){.store = store, .nested = i % 2 == 1};
        assert_int_equal(pthread_create(&threads[i], NULL, watch, &watches[i]), 0);
    }
    uint64_t again = 0;
    for (uint64_t first = 1; first < ROWS; first += BATCH) {
        batch_t batch = {.first = first, .count = BATCH};
        store_dir_write(store, put_batch, &batch);
        again += batch.calls - 1;
    }
    for (int i = 0; i < READERS; i++) {
        atomic_store(&watches[i].stop, true);
        pthread_join(threads[i], NULL);
        assert_int_equal(atomic_load(&watches[i].torn), 0);
    }
    assert_true(again >= 2);
    store_txn_t *txn = store_dir_read(store);
    assert_int_equal(whole_view(txn), ROWS);
    store_read_end(txn);
    store_close(store);
    store = store_dir_open(path, STORE_WRITE);
    batch_t more = {.first = ROWS + 1, .count = BATCH};
    store_dir_write(store, put_batch, &more);
    store_close(store);
    store_dir_remove(path);
}

typedef struct {
    size_t size;
    uint64_t calls;
} big_t;

static bool put_big(store_txn_t *txn, void *context, error_info_t *error);

static void *write_big(void *context) {
    big_t big = {.size = MIB};
    store_dir_write(context, put_big, &big);
    return NULL;
}

static bool growth_waits(store_t *store) {
    pthread_mutex_lock(&store->gate);
    bool waits = store->exclusive;
    pthread_mutex_unlock(&store->gate);
    return waits;
}

/* While the map waits for this thread's view to end, the thread gets another one: waiting
 * would be for ever. */
static void test_second_view_while_growth_waits(void **state) {
    (void)state;
    char *path = store_dir_make();
    store_t *store = store_open(path, STORE_WRITE, &tiny, NULL);
    store_txn_t *first = store_dir_read(store);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, write_big, store), 0);
    while (!growth_waits(store))
        sched_yield();
    store_txn_t *second = store_dir_read(store);
    assert_int_equal(store_count(second, TABLE_RESPONSES), 0);
    store_read_end(first);
    store_read_end(second);
    pthread_join(thread, NULL);
    first = store_dir_read(store);
    assert_int_equal(store_count(first, TABLE_RESPONSES), 1);
    store_read_end(first);
    store_close(store);
    store_dir_remove(path);
}

static bool put_big(store_txn_t *txn, void *context, error_info_t *error) {
    big_t *big = context;
    char *value = memory_new(big->size, 1);
    big->calls++;
    bool good = store_put(txn, TABLE_RESPONSES, "big", 3, value, big->size, error);
    free(value);
    return good;
}

static void test_one_value_larger_than_the_map(void **state) {
    (void)state;
    char *path = store_dir_make();
    store_t *store = store_open(path, STORE_WRITE, &tiny, NULL);
    assert_non_null(store);
    big_t big = {.size = 50 * MIB};
    store_dir_write(store, put_big, &big);
    assert_int_equal(big.calls, 4); /* 64 KiB, then 16, 32 and 64 MiB */
    store_txn_t *txn = store_dir_read(store);
    store_bytes_t value;
    assert_true(store_get(txn, TABLE_RESPONSES, "big", 3, &value));
    assert_int_equal(value.size, 50 * MIB);
    store_read_end(txn);
    store_close(store);
    store_dir_remove(path);
}

static void test_largest_map(void **state) {
    (void)state;
    char *path = store_dir_make();
    store_options_t options = {.no_sync = true, .initial_map = 8 * MIB, .largest_map = 2 * MIB};
    store_t *store = store_open(path, STORE_WRITE, &options, NULL);
    assert_non_null(store);
    error_info_t error = {0};
    big_t big = {.size = 4 * MIB};
    assert_false(store_write(store, put_big, &big, &error));
    assert_int_equal(error.class_, ERROR_RETRYABLE);
    assert_non_null(strstr(error.message, "is full: 2097152 bytes are the most"));
    assert_int_equal(big.calls, 1);
    batch_t batch = {.first = 1, .count = 100};
    store_dir_write(store, put_batch, &batch); /* what fits still goes in */
    store_close(store);
    options = (store_options_t){.no_sync = true, .largest_map = 21 * MIB};
    store = store_open(path, STORE_WRITE, &options, NULL);
    store_dir_write(store, put_big, &big); /* 2, 18 MiB */
    big.size = 20 * MIB;
    assert_false(store_write(store, put_big, &big, &error));
    store_close(store);
    store_dir_remove(path);
}

static bool read_and_grow(store_txn_t *txn, void *context, error_info_t *error) {
    store_txn_t **forgotten = context;
    if (!*forgotten) {
        *forgotten = store_read_begin(txn->store, NULL);
        assert_non_null(*forgotten);
    }
    big_t big = {.size = MIB};
    return put_big(txn, &big, error);
}

/* The writer would wait for itself. */
static void test_growth_with_a_forgotten_reader(void **state) {
    (void)state;
    char *path = store_dir_make();
    store_t *store = store_open(path, STORE_WRITE, &tiny, NULL);
    store_txn_t *forgotten = NULL;
    error_info_t error = {0};
    assert_false(store_write(store, read_and_grow, &forgotten, &error));
    assert_int_equal(error.class_, ERROR_BUG);
    assert_non_null(strstr(error.message, "this thread has a read transaction open"));
    store_read_end(forgotten);
    big_t big = {.size = MIB};
    store_dir_write(store, put_big, &big);
    store_close(store);
    store_dir_remove(path);
}

/* --- other processes -------------------------------------------------------------------------- */

typedef struct {
    int in, out;
} line_t;

static void say(line_t line) {
    assert_int_equal(write(line.out, "x", 1), 1);
}

static bool hear(line_t line) {
    char byte;
    return read(line.in, &byte, 1) == 1;
}

static void make_lines(line_t *parent, line_t *child) {
    int down[2], up[2];
    assert_int_equal(pipe(down), 0);
    assert_int_equal(pipe(up), 0);
    *parent = (line_t){.in = up[0], .out = down[1]};
    *child = (line_t){.in = down[0], .out = up[1]};
}

/* Reads whenever it is told to; the number of rows must be what the parent has written by then. */
static int follow(const char *path, line_t line, uint64_t batch, int rounds) {
    store_t *store = store_open(path, STORE_READ, NULL, NULL);
    if (!store)
        return 2;
    for (int round = 1; round <= rounds; round++) {
        say(line);
        if (!hear(line))
            return 3;
        store_txn_t *txn = store_read_begin(store, NULL);
        if (!txn || whole_view(txn) != batch * (uint64_t)round)
            return 4;
        store_read_end(txn);
    }
    store_close(store);
    return 0;
}

static void test_readers_of_other_processes_follow(void **state) {
    (void)state;
    enum { BATCH = 2500, ROUNDS = 12 }; /* 60 MB; the reader's first map is 64 KiB */
    char *path = store_dir_make();
    store_close(store_open(path, STORE_WRITE, &tiny, NULL));
    line_t parent, child;
    make_lines(&parent, &child);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0)
        _exit(follow(path, child, BATCH, ROUNDS));
    close(child.in);
    close(child.out); /* so that a child that died is heard */
    store_t *store = store_dir_open(path, STORE_WRITE);
    for (uint64_t round = 0; round < ROUNDS; round++) {
        assert_true(hear(parent));
        batch_t batch = {.first = round * BATCH + 1, .count = BATCH};
        store_dir_write(store, put_batch, &batch);
        say(parent);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    close(parent.in);
    close(parent.out);
    store_close(store);
    store_dir_remove(path);
}

enum { READERS_AT_MOST = 512 };

static size_t begin_all(store_t *store, store_txn_t **txns, size_t count, error_info_t *error) {
    for (size_t i = 0; i < count; i++) {
        txns[i] = store_read_begin(store, error);
        if (!txns[i])
            return i;
    }
    return count;
}

static void test_too_many_readers(void **state) {
    store_dir_t *fixture = *state;
    store_txn_t *txns[READERS_AT_MOST + 1];
    error_info_t error = {0};
    assert_int_equal(begin_all(fixture->store, txns, READERS_AT_MOST + 1, &error), READERS_AT_MOST);
    assert_int_equal(error.class_, ERROR_RETRYABLE);
    assert_non_null(strstr(error.message, "more than 512 readers"));
    for (size_t i = 0; i < READERS_AT_MOST; i++)
        store_read_end(txns[i]);
    store_read_end(store_dir_read(fixture->store));
}

/* A process that died while it read leaves its rows in LMDB's table of readers; they are cleared
 * when they are in the way. */
static void test_dead_readers_are_cleared(void **state) {
    store_dir_t *fixture = *state;
    store_read_end(store_dir_read(fixture->store)); /* so that there is a table */
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        store_txn_t *txns[READERS_AT_MOST];
        store_t *store = store_open(fixture->path, STORE_READ, NULL, NULL);
        size_t begun = !store ? 0 : begin_all(store, txns, READERS_AT_MOST, NULL);
        _exit(begun >= READERS_AT_MOST - 2 ? 0 : 1);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    store_txn_t *txns[8];
    assert_int_equal(begin_all(fixture->store, txns, 8, NULL), 8);
    for (int i = 0; i < 8; i++)
        store_read_end(txns[i]);
}

/* --- address space ---------------------------------------------------------------------------- */

static size_t address_space(void) {
    size_t pages = 0;
    FILE *stream = fopen("/proc/self/statm", "r");
    if (!stream || fscanf(stream, "%zu", &pages) != 1)
        pages = 0;
    if (stream)
        fclose(stream);
    return pages * (size_t)sysconf(_SC_PAGESIZE);
}

/* With 40 MiB to spare the map can grow from 64 KiB to 16 MiB to 32 MiB, but not to 64; then it
 * still is what it was.
 */
static int grow_within_limit(const char *path) {
    size_t limit = address_space() + (size_t)40 * MIB;
    struct rlimit rlimit = {limit, limit};
    if (setrlimit(RLIMIT_AS, &rlimit) != 0)
        return 2;
    store_t *store = store_open(path, STORE_WRITE, &tiny, NULL);
    if (!store)
        return 3;
    error_info_t error = {0};
    batch_t batch = {.first = 1, .count = 500};
    while (store_write(store, put_batch, &batch, &error))
        batch.first += batch.count;
    if (error.class_ != ERROR_RETRYABLE || !strstr(error.message, "address space") ||
        batch.first < 8000) {
        fprintf(stderr, "%llu: %s\n", (unsigned long long)batch.first, error.message);
        return 4;
    }
    store_txn_t *txn = store_read_begin(store, &error);
    if (!txn || whole_view(txn) != batch.first - 1)
        return 5;
    store_read_end(txn);
    store_close(store);
    return 0;
}

/* The file says that it was mapped with 512 MiB; it needs but a few of them. */
static int open_within_limit(const char *path) {
    size_t limit = address_space() + (size_t)100 * MIB;
    struct rlimit rlimit = {limit, limit};
    if (setrlimit(RLIMIT_AS, &rlimit) != 0)
        return 2;
    store_t *store = store_open(path, STORE_WRITE, NULL, NULL);
    batch_t batch = {.first = 1, .count = 500};
    bool good = store && store_write(store, put_batch, &batch, NULL);
    store_close(store);
    return good ? 0 : 3;
}

static void in_child(int (*child)(const char *), const char *path) {
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0)
        _exit(child(path));
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

static void test_limited_address_space(void **state) {
    (void)state;
    if (!LIMITS_MEMORY)
        skip();
    char *path = store_dir_make();
    in_child(grow_within_limit, path);
    store_dir_empty(path);
    store_options_t roomy = {.no_sync = true, .initial_map = (size_t)512 * MIB};
    store_close(store_open(path, STORE_WRITE, &roomy, NULL));
    in_child(open_within_limit, path);
    store_dir_remove(path);
}

/* --- a million -----------------------------------------------------------------------------------
 */

enum { MILLION = 1000000 };

static bool put_million(store_txn_t *txn, void *context, error_info_t *error) {
    (void)context;
    for (uint64_t i = 1; i <= MILLION; i++) {
        uint8_t key[8];
        key_put_u64(key, i);
        if (!store_append(txn, TABLE_LEDGER, key, sizeof key, key, sizeof key, error))
            return false;
    }
    return true;
}

static void test_a_million_entries(void **state) {
    store_dir_t *fixture = *state;
    store_dir_write(fixture->store, put_million, NULL);
    store_txn_t *txn = store_dir_read(fixture->store);
    store_walk_t walk = {0};
    uint64_t seen = 0;
    while (store_walk_next(txn, TABLE_LEDGER, &walk)) {
        seen++;
        if (key_get_u64(walk.key.data) != seen)
            fail();
    }
    assert_int_equal(seen, MILLION);
    store_read_end(txn);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_growth_under_readers),
        cmocka_unit_test(test_second_view_while_growth_waits),
        cmocka_unit_test(test_one_value_larger_than_the_map),
        cmocka_unit_test(test_largest_map),
        cmocka_unit_test(test_growth_with_a_forgotten_reader),
        cmocka_unit_test(test_readers_of_other_processes_follow),
        cmocka_unit_test_setup_teardown(test_too_many_readers, store_dir_setup, store_dir_teardown),
        cmocka_unit_test_setup_teardown(test_dead_readers_are_cleared, store_dir_setup,
                                        store_dir_teardown),
        cmocka_unit_test(test_limited_address_space),
        cmocka_unit_test_setup_teardown(test_a_million_entries, store_dir_setup,
                                        store_dir_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
