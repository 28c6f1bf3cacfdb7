/* status.h - how a run stands: its row, the ledger, and the record that a live one keeps of itself.
 * What `glia status` and the viewer's page of a run show.
 */
#ifndef GLIA_TOOLS_REPORT_STATUS_H
#define GLIA_TOOLS_REPORT_STATUS_H

#include "actors/sweep/stage.h"
#include "store/ledger.h"
#include "store/progress.h"
#include "store/recordings.h"
#include "tools/report/table.h"

/* A recording that is under way, or was when its process ended. */
typedef struct {
    bool there, live;
    char holder[PROGRESS_HOLDER_SIZE];
    recording_progress_t progress;
} status_recording_t;
bool status_gather_recording(store_t *store, status_recording_t *recording, error_info_t *error);
void status_recording_clear(status_recording_t *recording);
/* Appends one JSON object, or null. */
void status_write_recording_json(const status_recording_t *recording, buffer_t *out);
const char *status_step_name(recording_step_t step);

typedef struct {
    const run_info_t *run;
    const settings_t *settings;
    bool live; /* a process is at work on this run */
    char holder[PROGRESS_HOLDER_SIZE];
    /* for people and programs: a run that was killed says it is running, and is not */
    const char *state;
    bool has_progress;
    progress_record_t progress;
    balance_t balance;
    table_t *failures;
    status_recording_t recording;
    int64_t now; /* UTC, microseconds */
} status_t;

/* Reads in one read transaction. Borrows run and settings. After success the caller
 * releases: status_clear. */
bool status_gather(store_t *store, const run_info_t *run, const settings_t *settings,
                   const stage_table_t *stages, status_t *status, error_info_t *error);
void status_clear(status_t *status);
/* Appends one JSON object, without a newline. */
void status_write_json(const status_t *status, buffer_t *out);

#endif
