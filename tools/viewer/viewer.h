/* viewer.h - the web pages: what is served, and to whom. Requests come on the HTTP server's
 * threads; what changes over time (the run, its index) is brought up to date by viewer_refresh on
 * the thread that started it.
 */
#ifndef GLIA_TOOLS_VIEWER_VIEWER_H
#define GLIA_TOOLS_VIEWER_VIEWER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "actors/sweep/stage.h"
#include "core/base/error.h"
#include "store/env.h"
#include "tools/viewer/gate.h"
#include "tools/viewer/study_store.h"

typedef struct viewer viewer_t;

typedef struct {
    const char *run;             /* name; NULL: the one that was started last; borrowed */
    const stage_table_t *stages; /* the rows that a run's jobs are of; borrowed */
    store_t *store;              /* NULL: the study alone is served */
    study_t *study;              /* NULL: there is none */
    const char *address;
    uint16_t port; /* 0: any free one */
    const char *token;
    const char *const *hosts;
    size_t host_count;
} viewer_options_t;

/* Starts serving. Errors: the port is taken; the run cannot be found or read. */
viewer_t *viewer_start(const viewer_options_t *options, error_info_t *error);
uint16_t viewer_port(const viewer_t *viewer);
/* Follows the run: a bounded step, for about a tenth of a second. `changed`: there may be
 * more to do at once. */
bool viewer_refresh(viewer_t *viewer);
void viewer_stop(viewer_t *viewer);

#endif
