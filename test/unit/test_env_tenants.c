/* test_env_tenants.c - what a tenant of the store is told, and when. Every call is a letter in
 * `told`: c create, a apply (the test's own write), b before_commit, g forget, f free. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "store/env_private.h"
#include "test/unit/store_dir.h"

enum { LARGE = 100 << 10 }; /* more than the smallest map holds */

/* --- a tenant that says what it is told ------------------------------------------------------- */

static struct {
    char told[64];
    bool refuses; /* in before_commit */
    size_t value; /* bytes of the row that before_commit puts; 0: none */
    /* whether the tenant behind it in the list was told of this commit before it */
    bool other_begun;
} tenant;

static int kept; /* what it keeps is only an address here */

static void tell(char call) {
    size_t length = strlen(tenant.told);
    assert_true(length + 1 < sizeof tenant.told);
    tenant.told[length] = call;
    tenant.told[length + 1] = '\0';
}

static void expect_told(const char *expected) {
    assert_string_equal(tenant.told, expected);
    tenant.told[0] = '\0';
}

static void *create(void) {
    tell('c');
    return &kept;
}

static void forget(void *mine) {
    assert_ptr_equal(mine, &kept);
    tell('g');
}

static const env_tenant_t told_tenant;

static bool before_commit(store_txn_t *txn, void *mine, error_info_t *error) {
    assert_ptr_equal(mine, &kept);
    assert_ptr_equal(env_kept(txn, &told_tenant), &kept);
    assert_true(txn->writes);
    assert_false(tenant.other_begun);
    tell('b');
    if (tenant.refuses)
        return error_set(error, ERROR_FATAL, "not this one");
    char *value = memory_new(tenant.value + 1, 1);
    bool good =
        tenant.value == 0 || store_put(txn, TABLE_META, "tenant", 6, value, tenant.value, error);
    free(value);
    return good;
}

static void free_kept(void *mine) {
    assert_ptr_equal(mine, &kept);
    tell('f');
}

static const env_tenant_t told_tenant = {
    .create = create, .forget = forget, .before_commit = before_commit, .free = free_kept};

static bool other_before_commit(store_txn_t *txn, void *mine, error_info_t *error) {
    (void)txn;
    (void)error;
    assert_null(mine);
    tenant.other_begun = true;
    return true;
}

/* Does without what it does not need. */
static const env_tenant_t other_tenant = {.before_commit = other_before_commit};
static const env_tenant_t silent_tenant = {0};

static const env_tenant_t *const tenants[] = {&silent_tenant, &told_tenant, &other_tenant};
static const env_schema_t schema = {.version = 1, .tenants = tenants, .tenant_count = 3};

static store_t *open_with_tenants(const char *path, store_mode_t mode, error_info_t *error) {
    const store_options_t options = {.no_sync = true, .initial_map = 64 << 10};
    return env_open_schema(path, mode, &options, &schema, error);
}

/* --- writes ----------------------------------------------------------------------------------- */

typedef struct {
    size_t size; /* bytes of a row of its own */
    bool fails;
} write_t;

static bool apply(store_txn_t *txn, void *context, error_info_t *error) {
    const write_t *write = context;
    tell('a');
    tenant.other_begun = false;
    char *value = memory_new(write->size + 1, 1);
    bool good = store_put(txn, TABLE_META, "test", 4, value, write->size, error);
    free(value);
    return good && (!write->fails || error_set(error, ERROR_FATAL, "not this time"));
}

static bool write_row(store_t *store, size_t size, bool fails) {
    write_t write = {.size = size, .fails = fails};
    error_info_t error = {0};
    return store_write(store, apply, &write, &error);
}

/* Bytes of a row of META; -1: not there. */
static long size_of(store_t *store, const char *key) {
    store_txn_t *txn = store_dir_read(store);
    store_bytes_t value;
    long size = store_get(txn, TABLE_META, key, strlen(key), &value) ? (long)value.size : -1;
    store_read_end(txn);
    return size;
}

typedef struct {
    char *path;
    store_t *store;
} fixture_t;

static int setup(void **state) {
    fixture_t *fixture = MEMORY_NEW(fixture_t);
    error_info_t error = {0};
    memset(&tenant, 0, sizeof tenant);
    fixture->path = store_dir_make();
    fixture->store = open_with_tenants(fixture->path, STORE_WRITE, &error);
    assert_non_null(fixture->store);
    expect_told("cb"); /* the schema's own transaction */
    *state = fixture;
    return 0;
}

static int teardown(void **state) {
    fixture_t *fixture = *state;
    store_close(fixture->store);
    expect_told("f");
    store_dir_remove(fixture->path);
    free(fixture);
    return 0;
}

/* --- tests ------------------------------------------------------------------------------------ */

static void test_created_and_freed_once(void **state) {
    (void)state;
    char *path = store_dir_make();
    error_info_t error = {0};
    memset(&tenant, 0, sizeof tenant);
    assert_null(open_with_tenants(path, STORE_READ, &error)); /* no store */
    expect_told("cf");
    store_t *store = open_with_tenants(path, STORE_WRITE, &error);
    assert_non_null(store);
    store_close(store);
    expect_told("cbf");
    store = open_with_tenants(path, STORE_READ, &error);
    assert_non_null(store);
    store_txn_t *txn = store_dir_read(store);
    assert_ptr_equal(env_kept(txn, &told_tenant), &kept);
    store_read_end(txn);
    assert_int_equal(size_of(store, "test"), -1);
    store_close(store);
    expect_told("cf");
    store_dir_remove(path);
}

static void test_puts_its_row_before_the_commit(void **state) {
    fixture_t *fixture = *state;
    tenant.value = 7;
    assert_true(write_row(fixture->store, 1, false));
    expect_told("ab");
    assert_true(tenant.other_begun);
    assert_int_equal(size_of(fixture->store, "test"), 1);
    assert_int_equal(size_of(fixture->store, "tenant"), 7);
    expect_told("");
}

static void test_forgets_what_was_not_applied(void **state) {
    fixture_t *fixture = *state;
    assert_false(write_row(fixture->store, 1, true));
    expect_told("ag");
    assert_int_equal(size_of(fixture->store, "test"), -1);
}

static void test_may_refuse(void **state) {
    fixture_t *fixture = *state;
    tenant.refuses = true;
    assert_false(write_row(fixture->store, 1, false));
    expect_told("abg");
    assert_false(tenant.other_begun);
    assert_int_equal(size_of(fixture->store, "test"), -1);
    tenant.refuses = false;
    assert_true(write_row(fixture->store, 1, false));
    expect_told("ab");
}

static store_fate_t fail_commit(void *context, store_point_t point) {
    (void)context;
    return point == STORE_BEFORE_COMMIT ? STORE_FAIL : STORE_GO_ON;
}

static void test_forgets_after_a_failed_commit(void **state) {
    fixture_t *fixture = *state;
    tenant.value = 7;
    store_set_hook(fixture->store, fail_commit, NULL);
    assert_false(write_row(fixture->store, 1, false));
    expect_told("abg");
    store_set_hook(fixture->store, NULL, NULL);
    assert_int_equal(size_of(fixture->store, "tenant"), -1);
    assert_true(write_row(fixture->store, 1, false));
    expect_told("ab");
}

static void test_forgets_before_the_map_grows(void **state) {
    fixture_t *fixture = *state;
    assert_true(write_row(fixture->store, LARGE, false));
    expect_told("agab");
    assert_int_equal(size_of(fixture->store, "test"), LARGE);
}

static void test_may_make_the_map_grow(void **state) {
    fixture_t *fixture = *state;
    tenant.value = LARGE;
    assert_true(write_row(fixture->store, 1, false));
    expect_told("abgab");
    assert_int_equal(size_of(fixture->store, "tenant"), LARGE);
}

/* One for itself, which no commit concerns. */
static void test_imagined(void **state) {
    fixture_t *fixture = *state;
    for (int fails = 0; fails < 2; fails++) {
        error_info_t error = {0};
        write_t write = {.size = 10, .fails = fails == 1};
        assert_int_equal(store_imagine(fixture->store, apply, &write, &error), !fails);
        expect_told("caf");
    }
    assert_int_equal(size_of(fixture->store, "test"), -1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_created_and_freed_once),
        cmocka_unit_test_setup_teardown(test_puts_its_row_before_the_commit, setup, teardown),
        cmocka_unit_test_setup_teardown(test_forgets_what_was_not_applied, setup, teardown),
        cmocka_unit_test_setup_teardown(test_may_refuse, setup, teardown),
        cmocka_unit_test_setup_teardown(test_forgets_after_a_failed_commit, setup, teardown),
        cmocka_unit_test_setup_teardown(test_forgets_before_the_map_grows, setup, teardown),
        cmocka_unit_test_setup_teardown(test_may_make_the_map_grow, setup, teardown),
        cmocka_unit_test_setup_teardown(test_imagined, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
