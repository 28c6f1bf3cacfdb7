/* store_dir.h - for tests of the store: a directory of their own below TMPDIR (or /tmp), removed
 * with all that is in it; short ways to open, read and write. A test that fails leaves its
 * directory behind. */
#ifndef GLIA_TEST_STORE_DIR_H
#define GLIA_TEST_STORE_DIR_H

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/memory.h"
#include "store/env.h"

static inline char *store_dir_make(void) {
    const char *base = getenv("TMPDIR");
    char *path = memory_format("%s/glia-store-XXXXXX", !base || *base == '\0' ? "/tmp" : base);
    assert_non_null(mkdtemp(path));
    return path;
}

static inline void store_dir_empty(const char *path) {
    DIR *directory = opendir(path);
    assert_non_null(directory);
    for (struct dirent *entry = readdir(directory); entry; entry = readdir(directory)) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        char *child = memory_format("%s/%s", path, entry->d_name);
        struct stat status;
        if (lstat(child, &status) == 0 && S_ISDIR(status.st_mode)) {
            store_dir_empty(child);
            rmdir(child);
        } else {
            unlink(child);
        }
        free(child);
    }
    closedir(directory);
}

/* Also releases the path. */
static inline void store_dir_remove(char *path) {
    store_dir_empty(path);
    assert_int_equal(rmdir(path), 0);
    free(path);
}

static inline store_t *store_dir_open(const char *path, store_mode_t mode) {
    error_info_t error = {0};
    store_options_t options = {.no_sync = true};
    store_t *store = store_open(path, mode, &options, &error);
    if (!store)
        fail_msg("%s", error.message);
    return store;
}

static inline void store_dir_write(store_t *store, store_apply_t *apply, void *context) {
    error_info_t error = {0};
    if (!store_write(store, apply, context, &error))
        fail_msg("%s", error.message);
}

static inline store_txn_t *store_dir_read(store_t *store) {
    error_info_t error = {0};
    store_txn_t *txn = store_read_begin(store, &error);
    if (!txn)
        fail_msg("%s", error.message);
    return txn;
}

/* A test's fixture: a directory and a store in it that is open for writing. */
typedef struct {
    char *path;
    store_t *store;
} store_dir_t;

static inline int store_dir_setup(void **state) {
    store_dir_t *fixture = MEMORY_NEW(store_dir_t);
    fixture->path = store_dir_make();
    fixture->store = store_dir_open(fixture->path, STORE_WRITE);
    *state = fixture;
    return 0;
}

static inline int store_dir_teardown(void **state) {
    store_dir_t *fixture = *state;
    store_close(fixture->store);
    store_dir_remove(fixture->path);
    free(fixture);
    return 0;
}

/* Writes one raw row, as damage is planted. */
typedef struct {
    store_table_t table;
    const void *key, *value;
    size_t key_size, size;
} store_dir_row_t;

static inline bool store_dir_put_row(store_txn_t *txn, void *context, error_info_t *error) {
    const store_dir_row_t *row = context;
    return store_put(txn, row->table, row->key, row->key_size, row->value, row->size, error);
}

static inline bool store_dir_delete_row(store_txn_t *txn, void *context, error_info_t *error) {
    const store_dir_row_t *row = context;
    return store_delete(txn, row->table, row->key, row->key_size, error);
}

#endif
