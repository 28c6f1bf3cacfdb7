/* snapshot.c - finds a run in the store, and names those that are there if it is not. */
#include "actors/sweep/snapshot.h"

#include <stdlib.h>

#include "core/base/buffer.h"
#include "core/base/memory.h"

enum { MOST_RUNS_NAMED = 10 };

typedef struct {
    size_t count;
    char *names[MOST_RUNS_NAMED];
    buffer_t list;
} run_names_t;

static bool name_run(void *context, const run_info_t *run) {
    run_names_t *names = context;
    buffer_append_format(&names->list, "%s%s", names->count ? ", " : "", run->name);
    names->names[names->count++] = memory_copy_string(run->name);
    return names->count < MOST_RUNS_NAMED;
}

static bool refuse_run(store_t *store, store_txn_t *txn, const char *name, error_info_t *error) {
    run_names_t names = {0};
    runs_all(txn, name_run, &names);
    const char *directory = store_directory(store);
    if (names.count == 0)
        error_set(error, ERROR_CONFIG, "store %s has no run yet; `glia run` makes one", directory);
    else
        error_set(error, ERROR_USAGE, "store %s has no run \"%s\"; it has: %s", directory,
                  name ? name : "", buffer_text(&names.list));
    for (size_t i = 0; i < names.count; i++)
        free(names.names[i]);
    buffer_free(&names.list);
    return false;
}

static bool load_snapshot(store_txn_t *txn, const run_info_t *run, settings_t **settings,
                          error_info_t *error) {
    buffer_t text = BUFFER_EMPTY;
    char *name = memory_format("config of run %s", run->name);
    *settings = NULL;
    /* A run without sets is a batch. */
    if (blob_get(txn, run->snapshot, &text, error))
        *settings =
            run->set_count > 0
                ? settings_load(buffer_text(&text), text.length, name, NULL, 0, true, error)
                : settings_load_batch(buffer_text(&text), text.length, name, NULL, 0, true, error);
    free(name);
    buffer_free(&text);
    return *settings != NULL;
}

bool snapshot_find_run(store_t *store, const char *name, run_info_t *run, settings_t **settings,
                       error_info_t *error) {
    store_txn_t *txn = store_read_begin(store, error);
    if (!txn)
        return false;
    *run = (run_info_t){0};
    bool good = runs_find(txn, name, run) || refuse_run(store, txn, name, error);
    if (good && settings && !load_snapshot(txn, run, settings, error)) {
        run_info_clear(run);
        good = false;
    }
    store_read_end(txn);
    return good;
}
