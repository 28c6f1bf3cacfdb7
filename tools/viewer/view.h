/* view.h - the run that is looked at: its row, settings and index, as of one start of the run.
 * Shared by requests, so it is counted: a run that is started anew gets a new view, the old one
 * goes when the last request that holds it is over.
 */
#ifndef GLIA_TOOLS_VIEWER_VIEW_H
#define GLIA_TOOLS_VIEWER_VIEW_H

#include <stdatomic.h>

#include "actors/sweep/snapshot.h"
#include "actors/sweep/stage.h"
#include "actors/sweep/sweep.h"
#include "store/env.h"
#include "store/runs.h"
#include "tools/viewer/index.h"

typedef struct {
    run_info_t run;
    settings_t *settings;
    const stage_table_t *stages;
    sweep_t *sweep;     /* job ids; NULL: the run is a batch, it has no neurons */
    sweep_t *rendering; /* with templates; NULL: they cannot be read, `no_rendering` says why */
    error_info_t no_rendering;
    neuron_index_t *index; /* NULL with the sweep */
    atomic_int holders;
} view_t;

/* Of the run of that name (NULL: the one that was started last); `stages`: the rows that its jobs
 * are of. Held once. NULL with *error set. */
view_t *view_load(store_t *store, const char *run, const stage_table_t *stages,
                  error_info_t *error);
view_t *view_hold(view_t *view);
void view_release(view_t *view); /* NULL is fine */
/* Whether the run was started or ended since, or another one is the last: time to load it again. */
bool view_is_outdated(const view_t *view, store_t *store, const char *run);

#endif
