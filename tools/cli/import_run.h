/* import_run.h - what a run of the store explained, as baselines for another.
 * Private to import_*.c. */
#ifndef GLIA_TOOLS_CLI_IMPORT_RUN_H
#define GLIA_TOOLS_CLI_IMPORT_RUN_H

#include "actors/sweep/neuron_names.h"
#include "core/base/error.h"
#include "store/env.h"

typedef struct {
    size_t count;
    struct import_explained {
        neuron_name_t name;
        char *text;   /* owned */
        double score; /* NaN: none, or undefined */
    } * explained;    /* [count] */
} import_run_t;

/* `what`: "NAME" or "NAME/FORMAT"; without a format `original`, or the first that the run has.
 * Neurons of subject models only; of each the first explainer's first sample, where it is done.
 * Errors: USAGE, no such run or format. The caller releases with import_run_clear, also after
 * failure. Blocks for the disk. */
bool import_run_collect(store_t *store, const char *what, import_run_t *list, error_info_t *error);
void import_run_clear(import_run_t *list);

#endif
