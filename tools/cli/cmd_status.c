/* cmd_status.c - `glia status`: how a run stands, also while it is live. */
#include <math.h>
#include <string.h>

#include "core/base/text.h"
#include "core/runtime/loop.h"
#include "tools/cli/command.h"
#include "tools/cli/output.h"
#include "tools/report/render.h"
#include "tools/report/status.h"
#include "tools/report/tables.h"

/* --- for people ------------------------------------------------------------------------------- */

static void write_head(const status_t *status, buffer_t *out) {
    char text[32];
    const run_info_t *run = status->run;
    buffer_append_format(out, "run %s: %s", run->name, status->state);
    if (run->state_note && *run->state_note)
        buffer_append_format(out, " (%s)", run->state_note);
    if (!strcmp(status->state, "crashed"))
        buffer_append_text(out,
                           " (its process ended without a word; `glia run` goes on from there)");
    buffer_append_char(out, '\n');
    if (status->live)
        buffer_append_format(out, "held by %s\n", status->holder);
    buffer_append_format(out, "started %s", text_format_time(run->started_utc, text));
    if (run->ended_utc && !status->live)
        buffer_append_format(out, ", ended %s", text_format_time(run->ended_utc, text));
    buffer_append_format(out, ", starts %u\n", run->starts);
}

static void write_stages(const progress_record_t *progress, buffer_t *out) {
    table_t *table = table_create("stages", "Stages");
    table_add_column(table, "stage", "stage", CELL_TEXT, 0, COLUMN_PLAIN);
    table_add_column(table, "done", "done", CELL_COUNT, 0, COLUMN_PLAIN);
    table_add_column(table, "total", "total", CELL_COUNT, 0, COLUMN_PLAIN);
    table_add_column(table, "failed", "failed", CELL_COUNT, 0, COLUMN_PLAIN);
    for (size_t i = 0; i < progress->stage_count; i++) {
        const struct progress_stage *stage = &progress->stages[i];
        cell_t *row = table_add_row(table);
        row[0] = cell_text(stage->name);
        row[1] = cell_count((uint64_t)stage->done);
        row[2] = stage->total > 0 ? cell_count((uint64_t)stage->total) : (cell_t){0};
        row[3] = cell_count((uint64_t)stage->failed);
    }
    buffer_append_char(out, '\n');
    render_table_text(table, out);
    table_free(table);
}

static void write_rates(const status_t *status, buffer_t *out) {
    const progress_record_t *progress = &status->progress;
    char count[32];
    buffer_append_format(out, "\nrate    %.1f requests/s, %s tokens/min",
                         progress->requests_per_second,
                         text_format_count((uint64_t)(progress->tokens_per_minute + 0.5), count));
    if (!isnan(progress->token_limit))
        buffer_append_format(out, " of %s",
                             text_format_count((uint64_t)progress->token_limit, count));
    buffer_append_text(out, "\nleft    ");
    buffer_append_text(out, isnan(progress->eta) ? "not known yet"
                                                 : text_format_duration(progress->eta, count));
    double age = (double)(status->now - progress->utc) / 1e6;
    buffer_append_format(out, "\nas of   %s ago\n", text_format_duration(age > 0 ? age : 0, count));
}

static void write_spend(const status_t *status, buffer_t *out) {
    const balance_t *balance = &status->balance;
    char settled[MONEY_TEXT_SIZE], doubts[MONEY_TEXT_SIZE], reserved[MONEY_TEXT_SIZE],
        cap[MONEY_TEXT_SIZE];
    buffer_append_format(out, "\nspend   %s settled, %s in doubt, %s reserved, cap %s\n",
                         money_format(balance->settled, TABLES_MONEY_DECIMALS, settled),
                         money_format(balance->doubts, TABLES_MONEY_DECIMALS, doubts),
                         money_format(balance->reserved, TABLES_MONEY_DECIMALS, reserved),
                         money_format(status->settings->cap_total, 2, cap));
}

static void write_recording(const status_recording_t *recording, int64_t now, buffer_t *out) {
    const recording_progress_t *progress = &recording->progress;
    if (!recording->there)
        return;
    char done[32], total[32], text[32];
    double age = (double)(now - progress->utc) / 1e6;
    buffer_append_format(out, "recording %s\n", progress->about);
    buffer_append_format(out, "%s: %s of %s %s", status_step_name(progress->step),
                         text_format_count(progress->done, done),
                         text_format_count(progress->total, total),
                         progress->step == RECORDING_STORING ? "neurons" : "excerpts");
    if (progress->step != RECORDING_STORING)
        buffer_append_format(out, ", %s tokens/s, ",
                             text_format_count((uint64_t)progress->rate, done));
    if (progress->step != RECORDING_STORING)
        buffer_append_format(out, "left %s",
                             isnan(progress->eta) ? "not known yet"
                                                  : text_format_duration(progress->eta, text));
    buffer_append_format(out, ", as of %s ago\n", text_format_duration(age > 0 ? age : 0, text));
    if (recording->live)
        buffer_append_format(out, "held by %s\n", recording->holder);
    else
        buffer_append_text(out, "no process is at work on it; the same command goes on with it\n");
}

static void write_text(const status_t *status, buffer_t *out) {
    write_recording(&status->recording, status->now, out);
    if (status->recording.there)
        buffer_append_char(out, '\n');
    write_head(status, out);
    if (status->has_progress)
        write_stages(&status->progress, out);
    write_spend(status, out);
    if (status->live && status->has_progress)
        write_rates(status, out);
    if (status->failures->row_count > 0) {
        buffer_append_text(out, "\nfailures\n");
        render_table_text(status->failures, out);
    }
}

/* A store may have a recording and no run yet. */
static int print_recording(const status_recording_t *recording, bool json, error_info_t *error) {
    buffer_t out = BUFFER_EMPTY;
    if (json) {
        buffer_append_text(&out, "{\"run\":null,\"recording\":");
        status_write_recording_json(recording, &out);
        buffer_append_text(&out, "}\n");
    } else {
        write_recording(recording, loop_utc(), &out);
    }
    return output_finish(&out, error);
}

/* --- the command ------------------------------------------------------------------------------ */

/* Releases the status. */
static bool print(status_t *status, bool json, error_info_t *error) {
    buffer_t out = BUFFER_EMPTY;
    (json ? status_write_json : write_text)(status, &out);
    if (json)
        buffer_append_char(&out, '\n');
    bool good = output_print(&out, error);
    buffer_free(&out);
    status_clear(status);
    return good;
}

static int run(const option_list_t *options, error_info_t *error) {
    store_t *store = command_open_store(options, error);
    if (!store)
        return error_exit_code(error->class_);
    run_info_t run_info;
    settings_t *settings;
    status_t status;
    bool good = command_find_run(store, options, &run_info, &settings, error);
    status_recording_t recording;
    if (!good && !option_given(options, "run") &&
        status_gather_recording(store, &recording, NULL)) {
        int code = recording.there
                       ? print_recording(&recording, option_given(options, "json"), error)
                       : -1;
        status_recording_clear(&recording);
        if (code >= 0) {
            store_close(store);
            return code;
        }
    }
    if (good) {
        good = status_gather(store, &run_info, settings, &stages_shipped, &status, error);
        if (good)
            good = print(&status, option_given(options, "json"), error);
        settings_free(settings);
        run_info_clear(&run_info);
    }
    store_close(store);
    return good ? EXIT_DONE : error_exit_code(error->class_);
}

static const option_t table[] = {
    OPTION_RUN, OPTION_STORE, OPTION_CONFIG, OPTION_JSON, OPTION_HELP, {0},
};

const command_t command_status = {
    .name = "status",
    .usage = "[--run NAME] [--json]",
    .summary = "progress, spend, rates, failures and time left of a run or recording; works while "
               "it is live",
    .options = table,
    .run = run,
};
