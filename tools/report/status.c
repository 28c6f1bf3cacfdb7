/* status.c - how a run stands, gathered and as JSON. */
#include "tools/report/status.h"

#include "core/base/json.h"
#include "core/base/text.h"
#include "core/runtime/loop.h"
#include "tools/report/render.h"
#include "tools/report/spend.h"
#include "tools/report/tables.h"

bool status_gather_recording(store_t *store, status_recording_t *recording, error_info_t *error) {
    *recording = (status_recording_t){0};
    store_txn_t *txn = store_read_begin(store, error);
    if (!txn)
        return false;
    recording->there = recording_progress_get(txn, &recording->progress);
    store_read_end(txn);
    recording->live = recording->there &&
                      progress_writer_lives(store_directory(store), recording->holder) &&
                      text_ends_with(recording->holder, ": recording");
    return true;
}

void status_recording_clear(status_recording_t *recording) {
    recording_progress_clear(&recording->progress);
    *recording = (status_recording_t){0};
}

bool status_gather(store_t *store, const run_info_t *run, const settings_t *settings,
                   const stage_table_t *stages, status_t *status, error_info_t *error) {
    *status = (status_t){.run = run, .settings = settings};
    store_txn_t *txn = store_read_begin(store, error);
    if (!txn)
        return false;
    spend_list_t spend;
    spend_collect(txn, run->number, 0, &spend);
    status->balance = spend_total(&spend);
    spend_clear(&spend);
    status->failures = tables_failures(txn, run->number, stages);
    status->has_progress = progress_read(txn, run->number, &status->progress);
    store_read_end(txn);
    if (!status_gather_recording(store, &status->recording, error)) {
        status_clear(status);
        return false;
    }
    status->state = progress_state_name(store_directory(store), run, status->holder);
    status->live = *status->holder != '\0';
    status->now = loop_utc();
    return true;
}

void status_clear(status_t *status) {
    table_free(status->failures);
    progress_clear(&status->progress);
    status_recording_clear(&status->recording);
    *status = (status_t){0};
}

static void write_time(buffer_t *out, const char *key, int64_t utc) {
    char text[32];
    buffer_append_format(out, ",\"%s\":", key);
    json_write_text(out, utc ? text_format_time(utc, text) : NULL);
}

static void write_money(buffer_t *out, const char *key, money_t amount) {
    buffer_append_format(out, ",\"%s\":", key);
    cell_write_dollars(amount, out);
}

static void write_number(buffer_t *out, const char *key, double number) {
    buffer_append_format(out, ",\"%s\":", key);
    json_write_number(out, number);
}

const char *status_step_name(recording_step_t step) {
    static const char *const names[] = {"first pass", "second pass", "storing"};
    return names[step];
}

void status_write_recording_json(const status_recording_t *recording, buffer_t *out) {
    if (!recording->there) {
        buffer_append_text(out, "null");
        return;
    }
    const recording_progress_t *progress = &recording->progress;
    char id[HASH_TEXT_SIZE];
    hash_to_text(progress->id, id);
    buffer_append_format(out, "{\"recording\":\"%s\",\"about\":", id);
    json_write_text(out, progress->about);
    buffer_append_format(out, ",\"live\":%s,\"step\":", recording->live ? "true" : "false");
    json_write_text(out, status_step_name(progress->step));
    buffer_append_format(out, ",\"done\":%llu,\"total\":%llu", (unsigned long long)progress->done,
                         (unsigned long long)progress->total);
    write_time(out, "as_of", progress->utc);
    write_number(out, "tokens_per_second", progress->rate);
    write_number(out, "eta_s", progress->eta);
    buffer_append_char(out, '}');
}

static void write_progress(const progress_record_t *progress, buffer_t *out) {
    buffer_append_text(out, ",\"progress\":{\"stages\":{");
    for (size_t i = 0; i < progress->stage_count; i++) {
        const struct progress_stage *stage = &progress->stages[i];
        buffer_append_text(out, i ? "," : "");
        json_write_text(out, stage->name);
        buffer_append_format(out, ":{\"done\":%lld,\"total\":%lld,\"failed\":%lld}",
                             (long long)stage->done, (long long)stage->total,
                             (long long)stage->failed);
    }
    buffer_append_char(out, '}');
    write_time(out, "as_of", progress->utc);
    write_number(out, "requests_per_second", progress->requests_per_second);
    write_number(out, "tokens_per_minute", progress->tokens_per_minute);
    write_number(out, "token_limit", progress->token_limit);
    write_number(out, "eta_s", progress->eta);
    buffer_append_char(out, '}');
}

void status_write_json(const status_t *status, buffer_t *out) {
    const run_info_t *run = status->run;
    buffer_append_text(out, "{\"run\":");
    json_write_text(out, run->name);
    buffer_append_text(out, ",\"state\":");
    json_write_text(out, status->state);
    buffer_append_text(out, ",\"note\":");
    json_write_text(out, run->state_note);
    buffer_append_format(out, ",\"live\":%s,\"holder\":", status->live ? "true" : "false");
    json_write_text(out, status->live ? status->holder : NULL);
    write_time(out, "created", run->created_utc);
    write_time(out, "started", run->started_utc);
    write_time(out, "ended", run->ended_utc);
    buffer_append_format(out, ",\"starts\":%u", run->starts);
    write_number(out, "busy_s", (double)run->busy / 1e6);
    write_money(out, "settled_usd", status->balance.settled);
    write_money(out, "doubts_usd", status->balance.doubts);
    write_money(out, "reserved_usd", status->balance.reserved);
    write_money(out, "cap_usd", status->settings->cap_total);
    buffer_append_format(out, ",\"attempts\":%lld", (long long)status->balance.attempts);
    if (status->has_progress)
        write_progress(&status->progress, out);
    else
        buffer_append_text(out, ",\"progress\":null");
    buffer_append_text(out, ",\"recording\":");
    status_write_recording_json(&status->recording, out);
    buffer_append_text(out, ",\"failures\":");
    render_rows_json(status->failures, out);
    buffer_append_char(out, '}');
}
