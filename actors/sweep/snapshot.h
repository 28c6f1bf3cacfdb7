/* snapshot.h - a run of the store, with the settings that it was started with: its
 * snapshot of the config. */
#ifndef GLIA_ACTORS_SWEEP_SNAPSHOT_H
#define GLIA_ACTORS_SWEEP_SNAPSHOT_H

#include "actors/sweep/settings.h"
#include "store/env.h"
#include "store/runs.h"

/* Finds a run by name (NULL: the one that was started last), and loads the settings from its
 * snapshot. The caller owns both after success: run_info_clear, settings_free. `settings` may be
 * NULL: they are not loaded. Errors (CONFIG, USAGE): there is no run, or none of this name;
 * others are named. */
bool snapshot_find_run(store_t *store, const char *name, run_info_t *run, settings_t **settings,
                       error_info_t *error);

#endif
