/* api_run.c - the page of a run: how it stands, what it spent of each cap, its rates over time. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/memory.h"
#include "core/base/text.h"
#include "core/runtime/loop.h"
#include "store/ledger.h"
#include "tools/report/spend.h"
#include "tools/report/status.h"
#include "tools/viewer/call.h"

/* --- spend against caps ----------------------------------------------------------------------- */

static money_t charged(const balance_t *balance) {
    return money_add(balance->settled, money_add(balance->doubts, balance->reserved));
}

static void write_cap(buffer_t *out, const char *name, money_t used, money_t cap) {
    field_open(out, NULL, '{');
    field_text(out, "name", name);
    field_money(out, "used_usd", used);
    field_money(out, "cap_usd", cap);
    field_close(out, '}');
}

static money_t sum_of(store_txn_t *txn, uint32_t run, unsigned by, int32_t day, const char *model) {
    spend_list_t list;
    money_t sum = MONEY_ZERO;
    spend_collect(txn, run, by, &list);
    for (size_t i = 0; i < list.count; i++)
        if ((!(by & SPEND_BY_DAY) || list.rows[i].day == day) &&
            (!(by & SPEND_BY_MODEL) || strcmp(list.rows[i].model, model) == 0))
            sum = money_add(sum, charged(&list.rows[i].balance));
    spend_clear(&list);
    return sum;
}

static void write_caps(store_txn_t *txn, const view_t *view, const status_t *status,
                       buffer_t *out) {
    const settings_t *settings = view->settings;
    uint32_t run = view->run.number;
    field_open(out, "caps", '[');
    write_cap(out, "run", charged(&status->balance), settings->cap_total);
    if (settings->has_cap_doubts)
        write_cap(out, "doubts", status->balance.doubts, settings->cap_doubts);
    if (settings->has_cap_daily)
        write_cap(out, "today (UTC)",
                  sum_of(txn, run, SPEND_BY_DAY, text_day_of(status->now), NULL),
                  settings->cap_daily);
    if (settings->has_cap_store)
        write_cap(out, "store", sum_of(txn, 0, 0, 0, NULL), settings->cap_store);
    for (size_t i = 0; i < settings->model_count; i++)
        if (settings->models[i].capped)
            write_cap(out, settings->models[i].name,
                      sum_of(txn, run, SPEND_BY_MODEL, 0, settings->models[i].name),
                      settings->models[i].cap);
    field_close(out, ']');
}

/* --- how it stands ---------------------------------------------------------------------------- */

bool api_write_run(store_t *store, const view_t *view, buffer_t *out, error_info_t *error) {
    status_t status;
    if (!status_gather(store, &view->run, view->settings, view->stages, &status, error))
        return false;
    store_txn_t *txn = store_read_begin(store, error);
    if (txn) {
        field_open(out, NULL, '{');
        write_caps(txn, view, &status, out);
        buffer_append_text(out, ",\"status\":");
        status_write_json(&status, out);
        field_close(out, '}');
        store_read_end(txn);
    }
    status_clear(&status);
    return txn != NULL;
}

void api_run(call_t *call) {
    error_info_t error;
    if (!api_write_run(call->store, call->view, &call->response->body, &error))
        call_refuse(call, 503, "%s", error.message);
}

/* --- rates over time: from the attempts of the run's last hour of work ------------------------ */

enum { BINS = 60, MOST_ATTEMPTS = 30000 };
static const int64_t HOUR = (int64_t)3600 * 1000000;

typedef struct {
    uint32_t run;
    size_t count;
    struct done {
        int64_t utc;
        int64_t tokens;
    } * attempts; /* newest first */
} history_t;

static bool take_attempt(void *context, const attempt_t *attempt) {
    history_t *history = context;
    if (attempt->run != history->run || !attempt->finished_utc)
        return true;
    history->attempts[history->count++] =
        (struct done){.utc = attempt->finished_utc,
                      .tokens = attempt->prompt_tokens + attempt->completion_tokens};
    return history->count < MOST_ATTEMPTS;
}

static void write_bins(const history_t *history, int64_t first, int64_t width, buffer_t *out) {
    double requests[BINS] = {0}, tokens[BINS] = {0};
    for (size_t i = 0; i < history->count; i++) {
        int64_t bin = (history->attempts[i].utc - first) / width;
        if (bin < 0 || bin >= BINS)
            continue;
        requests[bin]++;
        tokens[bin] += (double)history->attempts[i].tokens;
    }
    double seconds = (double)width / 1e6;
    field_open(out, "requests_per_second", '[');
    for (size_t i = 0; i < BINS; i++)
        field_number(out, NULL, requests[i] / seconds);
    field_close(out, ']');
    field_open(out, "tokens_per_minute", '[');
    for (size_t i = 0; i < BINS; i++)
        field_number(out, NULL, tokens[i] * 60 / seconds);
    field_close(out, ']');
}

void api_rates(call_t *call) {
    error_info_t error;
    store_txn_t *txn = store_read_begin(call->store, &error);
    if (!txn) {
        call_refuse(call, 503, "%s", error.message);
        return;
    }
    run_info_t now;
    bool known = runs_get(txn, call->view->run.number, &now);
    history_t history = {.run = call->view->run.number,
                         .attempts = MEMORY_NEW_ARRAY(MOST_ATTEMPTS, struct done)};
    bool ended = known && now.state != RUN_RUNNING && now.ended_utc;
    int64_t last = ended ? now.ended_utc : loop_utc();
    ledger_attempts_since(txn, last - HOUR, take_attempt, &history);
    store_read_end(txn);
    if (known)
        run_info_clear(&now);
    int64_t first = last, newest = 0;
    for (size_t i = 0; i < history.count; i++) {
        first = history.attempts[i].utc < first ? history.attempts[i].utc : first;
        newest = history.attempts[i].utc > newest ? history.attempts[i].utc : newest;
    }
    if (ended && history.count > 0)
        last = newest;
    first = last - first > HOUR ? last - HOUR : first;
    int64_t width = (last - first) / BINS + 1;
    buffer_t *out = &call->response->body;
    field_open(out, NULL, '{');
    field_integer(out, "attempts", (int64_t)history.count);
    field_number(out, "first_s", (double)first / 1e6);
    field_number(out, "width_s", (double)width / 1e6);
    write_bins(&history, first, width, out);
    field_close(out, '}');
    free(history.attempts);
}
