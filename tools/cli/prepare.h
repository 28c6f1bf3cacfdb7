/* prepare.h - what `run` does before anything is asked: records into the store, the run's row.
 * `plan` imagines the same (store_imagine) and writes nothing. */
#ifndef GLIA_TOOLS_CLI_PREPARE_H
#define GLIA_TOOLS_CLI_PREPARE_H

#include "actors/sweep/settings.h"
#include "actors/sweep/sweep.h"
#include "core/base/money.h"
#include "store/env.h"
#include "store/runs.h"

/* What has to be read before the store is touched: records files, templates. Errors (CONFIG): a
 * missing or bad file. Borrows settings. Blocks. */
typedef struct prepare prepare_t;
prepare_t *prepare_create(const settings_t *settings, error_info_t *error);
void prepare_free(prepare_t *prepare);

/* Sets of records that are not recorded yet are taken as empty from now on, for a plan. */
void prepare_allow_unrecorded(prepare_t *prepare);

/* Finds or makes the run of settings->run_name, puts each set's records into the store (a
 * "store:NAME" set must be there, and the recording subject.recording of a "record:" set), draws
 * and fixes the sets, takes the snapshot of config and templates, and writes the run's row as
 * started at `utc` (microseconds). May be called again; *run is what the last call made:
 * run_info_clear. Errors (CONFIG): an imported set that is not there, neurons that are drawn or
 * listed and have no record. */
bool prepare_apply(const prepare_t *prepare, store_txn_t *txn, int64_t utc, run_info_t *run,
                   error_info_t *error);

/* What taking up a run found. */
typedef struct {
    uint64_t recovered; /* attempts that a crash left open: doubts now */
    money_t recovered_amount;
    uint64_t forgotten; /* failures that are tried again */
} prepare_taken_t;

/* Takes up the run in one transaction: attempts that a crash left open become doubts,
 * prepare_apply, failures that may be tried again (`retry_failed`: all) are forgotten. Blocks. *run
 * as of prepare_apply. */
bool prepare_take_up(const settings_t *settings, store_t *store, bool retry_failed, int64_t utc,
                     run_info_t *run, prepare_taken_t *taken, error_info_t *error);

/* Replaces the row of a run, and its progress record (reporter.h). */
bool prepare_save_run(store_t *store, run_info_t *run, const buffer_t *progress,
                      error_info_t *error);

#endif
