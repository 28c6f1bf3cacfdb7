/* carry_out.h - what `run` and `batch` share: a run with the real ports, carried out until it is
 * done or paused. */
#ifndef GLIA_TOOLS_CLI_CARRY_OUT_H
#define GLIA_TOOLS_CLI_CARRY_OUT_H

#include "actors/run.h"
#include "tools/cli/command.h"
#include "tools/cli/prepare.h"

typedef struct {
    bool retry_failed, plain, quiet, verbose;
    const char *see; /* where the results are, for the last line: "`glia report`" */
    /* Once the run was taken up: makes the source of its jobs. NULL: the config's sweep. */
    bool (*open)(void *context, const settings_t *settings, const run_info_t *run,
                 const prepare_taken_t *taken, job_source_t *source, error_info_t *error);
    /* After the run, however it ended, if the store is sound. May be NULL. */
    bool (*close)(void *context, store_t *store, error_info_t *error);
    void *context;
} carry_out_options_t;

/* Opens the store, takes the run up, carries it out, and says on stderr how it ended. First Ctrl-C:
 * finishes what is in flight; second: leaves the process. Returns the exit code; *error as for a
 * command's run. Takes the settings. */
int carry_out(const carry_out_options_t *options, settings_t *settings, error_info_t *error);

#endif
