/* view.c - the run that is looked at. */
#include "tools/viewer/view.h"

#include <stdlib.h>

#include "core/base/memory.h"

static bool load_sweep(view_t *view, store_t *store, error_info_t *error) {
    if (view->run.set_count == 0)
        return true;
    view->sweep = sweep_create_snapshot(view->settings, &view->run, view->stages, error);
    if (!view->sweep)
        return false;
    view->rendering = sweep_create(view->settings, &view->run, view->stages, &view->no_rendering);
    view->index = neuron_index_create(view->sweep, view->run.number, store, error);
    return view->index != NULL;
}

view_t *view_load(store_t *store, const char *run, const stage_table_t *stages,
                  error_info_t *error) {
    view_t *view = MEMORY_NEW(view_t);
    view->stages = stages;
    atomic_init(&view->holders, 1);
    if (!snapshot_find_run(store, run, &view->run, &view->settings, error)) {
        free(view);
        return NULL;
    }
    if (load_sweep(view, store, error))
        return view;
    view_release(view);
    return NULL;
}

view_t *view_hold(view_t *view) {
    atomic_fetch_add(&view->holders, 1);
    return view;
}

void view_release(view_t *view) {
    if (!view || atomic_fetch_sub(&view->holders, 1) != 1)
        return;
    neuron_index_free(view->index);
    sweep_free(view->rendering);
    sweep_free(view->sweep);
    settings_free(view->settings);
    run_info_clear(&view->run);
    free(view);
}

bool view_is_outdated(const view_t *view, store_t *store, const char *run) {
    error_info_t error;
    run_info_t now;
    if (!snapshot_find_run(store, run, &now, NULL, &error))
        return false;
    bool outdated = now.number != view->run.number || now.started_utc != view->run.started_utc ||
                    now.state != view->run.state || !hash_equal(now.snapshot, view->run.snapshot);
    run_info_clear(&now);
    return outdated;
}
