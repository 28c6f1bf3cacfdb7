/* test_env_failure.c - the crash hook, disks that fail or are full, damage. pwrite(2), writev(2)
 * and fdatasync(2), with which LMDB writes, are replaced here by ones that can be told to fail
 * at the Nth call. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>

#include "store/env_private.h"
#include "store/key.h"
#include "test/unit/store_dir.h"

enum { META_PAGES = 8192 }; /* bytes at the beginning of data.mdb */

/* --- faults ----------------------------------------------------------------------------------- */

static struct {
    int after; /* calls that still succeed; below 0: no faults */
    int count; /* calls that fail then */
    int code;
    bool meta;  /* only writes of the meta pages count; the first that fails is in the file all the
                 * same, like a page in  memory that the disk then did not take */
    int failed; /* so far */
} faults = {.after = -1};

static void set_faults(int after, int count, int code, bool meta) {
    faults.after = after;
    faults.count = count;
    faults.code = code;
    faults.meta = meta;
    faults.failed = 0;
}

static void no_faults(void) {
    faults.after = -1;
}

static bool next_fails(bool meta) {
    if (faults.after < 0 || (faults.meta && !meta))
        return false;
    if (faults.after > 0) {
        faults.after--;
        return false;
    }
    return faults.failed < faults.count && ++faults.failed > 0;
}

/* Under their names in libc, whatever unistd.h makes of them. */
ssize_t fault_pwrite(int file, const void *bytes, size_t size, off_t at) __asm__("pwrite");
ssize_t fault_writev(int file, const struct iovec *parts, int count) __asm__("writev");
int fault_fdatasync(int file) __asm__("fdatasync");

ssize_t fault_pwrite(int file, const void *bytes, size_t size, off_t at) {
    bool fails = next_fails(at < META_PAGES);
    ssize_t result = fails && !(faults.meta && faults.failed == 1)
                         ? -1
                         : (ssize_t)syscall(SYS_pwrite64, file, bytes, size, at);
    if (fails) {
        errno = faults.code;
        result = -1;
    }
    return result;
}

ssize_t fault_writev(int file, const struct iovec *parts, int count) {
    if (next_fails(false)) {
        errno = faults.code;
        return -1;
    }
    return (ssize_t)syscall(SYS_writev, file, parts, count);
}

int fault_fdatasync(int file) {
    if (next_fails(false)) {
        errno = faults.code;
        return -1;
    }
    return (int)syscall(SYS_fdatasync, file);
}

/* --- a store with numbers --------------------------------------------------------------------- */

static store_t *open_synced(const char *path) {
    error_info_t error = {0};
    store_t *store = store_open(path, STORE_WRITE, NULL, &error);
    if (!store)
        fail_msg("%s", error.message);
    return store;
}

/* Puts number *context with a value of several pages. */
static bool put_number(store_txn_t *txn, void *context, error_info_t *error) {
    uint8_t key[8], value[9000];
    key_put_u64(key, *(const uint64_t *)context);
    memset(value, 7, sizeof value);
    return store_append(txn, TABLE_LEDGER, key, sizeof key, value, sizeof value, error);
}

static uint64_t last_number(store_t *store) {
    store_txn_t *txn = store_dir_read(store);
    store_walk_t walk = {.backward = true};
    uint64_t last = store_walk_next(txn, TABLE_LEDGER, &walk) ? key_get_u64(walk.key.data) : 0;
    store_walk_end(&walk);
    assert_int_equal(store_count(txn, TABLE_LEDGER), last);
    store_read_end(txn);
    return last;
}

/* Fails every write of a commit in turn, until one goes through undisturbed. Returns the number of
 * commits that failed.
 */
static int fail_each_write(store_t *store, int count, int code, uint64_t *number) {
    for (int after = 0;; after++) {
        error_info_t error = {0};
        set_faults(after, count, code, false);
        bool done = store_write(store, put_number, number, &error);
        int failed = faults.failed;
        no_faults();
        if (done) {
            assert_int_equal(failed, 0);
            (*number)++;
            return after;
        }
        assert_true(failed > 0);
        assert_int_equal(error.class_, ERROR_RETRYABLE);
        assert_int_equal(last_number(store), *number - 1);
        store_dir_write(store, put_number, number);
        assert_int_equal(last_number(store), *number);
        (*number)++;
    }
}

static void test_every_write_fails_once(void **state) {
    (void)state;
    char *path = store_dir_make();
    store_t *store = open_synced(path);
    uint64_t number = 1;
    const int codes[] = {ENOSPC, EDQUOT, EIO, EFBIG};
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        for (int count = 1; count <= 2; count++) {
            /* data pages, the sync, the meta page; with a count of 2 the meta page cannot be
             * put back either */
            assert_true(fail_each_write(store, count, codes[i], &number) >= 3);
        }
    }
    store_close(store);
    store = open_synced(path);
    assert_int_equal(last_number(store), number - 1);
    store_close(store);
    store_dir_remove(path);
}

static int forgotten;

static void count_forget(void *kept) {
    (void)kept;
    forgotten++;
}

static store_t *open_with_tenant(const char *path) {
    static const env_tenant_t tenant = {.forget = count_forget};
    static const env_tenant_t *const tenants[] = {&tenant};
    static const env_schema_t schema = {
        .version = SCHEMA_VERSION, .tenants = tenants, .tenant_count = 1};
    error_info_t error = {0};
    store_t *store = env_open_schema(path, STORE_WRITE, NULL, &schema, &error);
    assert_non_null(store);
    return store;
}

/* The meta page is in the file though its write failed, and could not be put back: the
 * transaction is there. It counts as committed once another commit has gone through; if that
 * fails too, the store is given up. A tenant forgets all the same, since readers may have seen
 * what was not there to stay. */
static void test_commit_that_failed_and_is_there(void **state) {
    (void)state;
    char *path = store_dir_make();
    store_t *store = open_with_tenant(path);
    uint64_t number = 1;
    store_dir_write(store, put_number, &number);
    number++;
    error_info_t error = {0};
    assert_int_equal(forgotten, 0);
    set_faults(0, 2, EIO, true);
    assert_true(store_write(store, put_number, &number, &error));
    assert_int_equal(faults.failed, 2);
    assert_int_equal(forgotten, 1);
    no_faults();
    assert_int_equal(last_number(store), number);
    number++;
    store_dir_write(store, put_number, &number);
    number++;
    set_faults(0, 1000, EIO, true);
    assert_false(store_write(store, put_number, &number, &error));
    assert_true(faults.failed >= 3);
    no_faults();
    assert_int_equal(error.class_, ERROR_FATAL);
    assert_null(store_read_begin(store, &error));
    assert_int_equal(error.class_, ERROR_FATAL);
    assert_false(store_write(store, put_number, &number, &error));
    store_close(store);
    store = open_synced(path); /* whatever became of the last one, the others are there */
    assert_true(last_number(store) == number || last_number(store) == number - 1);
    store_close(store);
    store_dir_remove(path);
}

/* --- full disks ------------------------------------------------------------------------------- */

/* Puts numbers until it does not go on; that must be for want of space, and nothing of the last
 * one may be there. */
static uint64_t fill(store_t *store, uint64_t number) {
    error_info_t error = {0};
    while (store_write(store, put_number, &number, &error))
        number++;
    assert_int_equal(error.class_, ERROR_RETRYABLE);
    assert_non_null(strstr(error.message, "othing"));
    assert_int_equal(last_number(store), number - 1);
    return number;
}

static void test_full_tmpfs(void **state) {
    (void)state;
    char *path = store_dir_make();
    if (mount("none", path, "tmpfs", 0, "size=1m") != 0) {
        store_dir_remove(path);
        skip(); /* not root */
    }
    char *ballast = memory_format("%s/ballast", path), *directory = memory_format("%s/store", path);
    int file = open(ballast, O_CREAT | O_RDWR, 0600);
    assert_true(file >= 0);
    assert_int_equal(posix_fallocate(file, 0, 200000), 0);
    close(file);
    store_t *store = open_synced(directory);
    uint64_t number = fill(store, 1);
    assert_true(number > 20);
    error_info_t error = {0};
    for (int i = 0; i < 3; i++)
        assert_false(store_write(store, put_number, &number, &error));
    assert_true(store_free_space(store) < 65536);
    assert_int_equal(unlink(ballast), 0);
    store_dir_write(store, put_number, &number);
    assert_int_equal(last_number(store), number);
    store_close(store);
    store = store_dir_open(directory, STORE_WRITE);
    assert_int_equal(last_number(store), number);
    store_close(store);
    store_dir_empty(path);
    umount2(path, MNT_DETACH);
    free(ballast);
    free(directory);
    store_dir_remove(path);
}

static void test_limited_file_size(void **state) {
    (void)state;
    char *path = store_dir_make();
    store_t *store = store_dir_open(path, STORE_WRITE);
    struct rlimit old, low;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    low = (struct rlimit){500000, old.rlim_max};
    void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &low), 0);
    uint64_t number = fill(store, 1);
    assert_true(number > 10);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
    signal(SIGXFSZ, handler);
    store_dir_write(store, put_number, &number);
    assert_int_equal(last_number(store), number);
    store_close(store);
    store_dir_remove(path);
}

/* --- the hook --------------------------------------------------------------------------------- */

typedef struct {
    store_point_t at;
    store_fate_t fate;
    int before, after;
} plan_t;

static store_fate_t hook(void *context, store_point_t point) {
    plan_t *plan = context;
    plan->before += point == STORE_BEFORE_COMMIT;
    plan->after += point == STORE_AFTER_COMMIT;
    return point == plan->at ? plan->fate : STORE_GO_ON;
}

static void test_hook_lets_go_on_or_fails(void **state) {
    store_dir_t *fixture = *state;
    plan_t plan = {.at = STORE_BEFORE_COMMIT, .fate = STORE_GO_ON};
    uint64_t number = 1;
    error_info_t error = {0};
    store_set_hook(fixture->store, hook, &plan);
    store_dir_write(fixture->store, put_number, &number);
    assert_int_equal(plan.before, 1);
    assert_int_equal(plan.after, 1);
    plan.fate = STORE_FAIL;
    number = 2;
    assert_false(store_write(fixture->store, put_number, &number, &error));
    assert_int_equal(error.class_, ERROR_RETRYABLE);
    assert_non_null(strstr(error.message, "no space left"));
    assert_int_equal(last_number(fixture->store), 1);
    assert_int_equal(plan.after, 1);
    assert_false(store_has_crashed(fixture->store));
    store_set_hook(fixture->store, NULL, NULL);
    store_dir_write(fixture->store, put_number, &number);
}

static void check_crash(store_dir_t *fixture, store_point_t point, uint64_t expected) {
    plan_t plan = {.at = point, .fate = STORE_CRASH};
    uint64_t number = last_number(fixture->store) + 1;
    error_info_t error = {0};
    store_set_hook(fixture->store, hook, &plan);
    assert_false(store_write(fixture->store, put_number, &number, &error));
    assert_int_equal(error.class_, ERROR_FATAL);
    assert_true(store_has_crashed(fixture->store));
    assert_false(store_write(fixture->store, put_number, &number, &error));
    assert_null(store_read_begin(fixture->store, &error));
    assert_int_equal(plan.before, 1);
    store_close(fixture->store);
    fixture->store = store_dir_open(fixture->path, STORE_WRITE);
    assert_false(store_has_crashed(fixture->store));
    assert_int_equal(last_number(fixture->store), expected);
}

static void test_hook_crashes(void **state) {
    check_crash(*state, STORE_BEFORE_COMMIT, 0);
    check_crash(*state, STORE_AFTER_COMMIT, 1);
    check_crash(*state, STORE_BEFORE_COMMIT, 1);
    check_crash(*state, STORE_AFTER_COMMIT, 2);
}

/* --- damage ----------------------------------------------------------------------------------- */

/* Clears all pages but the two meta pages of data.mdb, as a file system may that
 * lost a file's end. */
static void clear_pages(const char *path) {
    char *name = memory_format("%s/data.mdb", path);
    FILE *file = fopen(name, "r+b");
    assert_non_null(file);
    assert_int_equal(fseek(file, 0, SEEK_END), 0);
    long size = ftell(file);
    assert_int_equal(fseek(file, META_PAGES, SEEK_SET), 0);
    for (long at = META_PAGES; at < size; at++)
        fputc(0, file);
    fclose(file);
    free(name);
}

/* A store that lies: refused when it is opened, or the program ends with a message;
 * never an answer. */
static void test_damaged_pages(void **state) {
    (void)state;
    char *path = store_dir_make();
    store_t *store = store_dir_open(path, STORE_WRITE);
    uint64_t number = 1;
    store_dir_write(store, put_number, &number);
    store_close(store);
    clear_pages(path);
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        signal(SIGABRT, SIG_DFL);
        dup2(ends[1], STDERR_FILENO);
        error_info_t error = {0};
        store = store_open(path, STORE_READ, NULL, &error);
        dprintf(STDERR_FILENO, "%s\n", error.message);
        _exit(!store ? 0 : 1);
    }
    close(ends[1]);
    char text[2048] = "";
    size_t used = 0;
    for (ssize_t got = 1; got > 0 && used<sizeof text - 1; used += got> 0 ? (size_t)got : 0)
        got = read(ends[0], text + used, sizeof text - 1 - used);
    close(ends[0]);
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true((WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT) || status == 0);
    assert_non_null(strstr(text, path));
    assert_non_null(strstr(text, "restore it from a copy"));
    store_dir_remove(path);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_write_fails_once),
        cmocka_unit_test(test_commit_that_failed_and_is_there),
        cmocka_unit_test(test_full_tmpfs),
        cmocka_unit_test(test_limited_file_size),
        cmocka_unit_test_setup_teardown(test_hook_lets_go_on_or_fails, store_dir_setup,
                                        store_dir_teardown),
        cmocka_unit_test_setup_teardown(test_hook_crashes, store_dir_setup, store_dir_teardown),
        cmocka_unit_test(test_damaged_pages),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
