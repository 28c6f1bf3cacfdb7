/* costs.c - the tables of money, times, doubts and failures: what depends on how the run went. */
#include <stdlib.h>
#include <string.h>

#include "actors/sweep/stage.h"
#include "core/base/memory.h"
#include "tools/report/per_thousand.h"
#include "tools/report/spend.h"
#include "tools/report/tables.h"

void tables_add_balance_columns(table_t *table) {
    table_add_column(table, "attempts", "attempts", CELL_COUNT, 0, COLUMN_PLAIN);
    table_add_column(table, "answers", "answers", CELL_COUNT, 0, COLUMN_DETAIL);
    table_add_column(table, "prompt_tokens", "prompt tok.", CELL_COUNT, 0, COLUMN_PLAIN);
    table_add_column(table, "cached_tokens", "cached tok.", CELL_COUNT, 0, COLUMN_DETAIL);
    table_add_column(table, "completion_tokens", "output tok.", CELL_COUNT, 0, COLUMN_PLAIN);
    table_add_column(table, "reasoning_tokens", "reasoning tok.", CELL_COUNT, 0, COLUMN_DETAIL);
    table_add_column(table, "settled_usd", "settled", CELL_MONEY, TABLES_MONEY_DECIMALS,
                     COLUMN_PLAIN);
    table_add_column(table, "doubts_usd", "doubts", CELL_MONEY, TABLES_MONEY_DECIMALS,
                     COLUMN_PLAIN);
    table_add_column(table, "reserved_usd", "reserved", CELL_MONEY, TABLES_MONEY_DECIMALS,
                     COLUMN_PLAIN);
}

void tables_fill_balance(cell_t *cells, const balance_t *balance) {
    cells[0] = cell_count((uint64_t)balance->attempts);
    cells[1] = cell_count((uint64_t)balance->answers);
    cells[2] = cell_count((uint64_t)balance->prompt_tokens);
    cells[3] = cell_count((uint64_t)balance->cached_tokens);
    cells[4] = cell_count((uint64_t)balance->completion_tokens);
    cells[5] = cell_count((uint64_t)balance->reasoning_tokens);
    cells[6] = cell_money(balance->settled);
    cells[7] = cell_money(balance->doubts);
    cells[8] = cell_money(balance->reserved);
}

static table_t *costs_table(store_txn_t *txn, uint32_t run, const stage_table_t *stages) {
    table_t *table = table_create("costs", "Costs by stage and model");
    table_add_column(table, "stage", "stage", CELL_TEXT, 0, COLUMN_PLAIN);
    table_add_column(table, "model", "model", CELL_TEXT, 0, COLUMN_PLAIN);
    tables_add_balance_columns(table);
    spend_list_t list;
    spend_collect(txn, run, SPEND_BY_STAGE | SPEND_BY_MODEL, &list);
    for (size_t i = 0; i < list.count; i++) {
        cell_t *row = table_add_row(table);
        row[0] = cell_text(stage_name(stages, list.rows[i].stage));
        row[1] = cell_text(list.rows[i].model);
        tables_fill_balance(row + 2, &list.rows[i].balance);
    }
    if (list.count > 0) {
        balance_t total = spend_total(&list);
        cell_t *row = table_add_row(table);
        row[0] = cell_text("total");
        row[1] = cell_text("");
        tables_fill_balance(row + 2, &total);
    }
    table_add_note(
        table, "settled: what answers cost; doubts: worst case of attempts without a known end");
    spend_clear(&list);
    return table;
}

static table_t *times_table(const run_info_t *run) {
    table_t *table = table_create("times", "Times");
    table_add_column(table, "created", "created (UTC)", CELL_TIME, 0, COLUMN_PLAIN);
    table_add_column(table, "started", "last start", CELL_TIME, 0, COLUMN_PLAIN);
    table_add_column(table, "ended", "last end", CELL_TIME, 0, COLUMN_PLAIN);
    table_add_column(table, "starts", "starts", CELL_COUNT, 0, COLUMN_PLAIN);
    table_add_column(table, "busy_s", "busy", CELL_DURATION, 0, COLUMN_PLAIN);
    table_add_column(table, "loop_lag_p99_ms", "lag p99 (ms)", CELL_NUMBER, 1, COLUMN_PLAIN);
    cell_t *row = table_add_row(table);
    row[0] = cell_time(run->created_utc);
    row[1] = cell_time(run->started_utc);
    row[2] = cell_time(run->ended_utc);
    row[3] = cell_count(run->starts);
    row[4] = cell_duration((double)run->busy / 1e6);
    row[5] = cell_number((double)run->lag_p99 / 1e3);
    table_add_note(table, "busy: over all starts; lag: of the loop, in the last start");
    return table;
}

/* --- doubts ----------------------------------------------------------------------------------- */

typedef struct {
    char model[LEDGER_MODEL_SIZE], verdict[32];
    uint64_t count;
    money_t amount;
} doubt_class_t;

typedef struct {
    uint32_t run;
    size_t count;
    doubt_class_t *classes;
} doubt_list_t;

static int compare_doubts(const void *a, const void *b) {
    const doubt_class_t *x = a, *y = b;
    int model = strcmp(x->model, y->model);
    return model ? model : strcmp(x->verdict, y->verdict);
}

static bool take_doubt(void *context, const attempt_t *attempt) {
    doubt_list_t *list = context;
    if (attempt->run != list->run)
        return true;
    size_t i = 0;
    while (i < list->count && (strcmp(list->classes[i].model, attempt->model) ||
                               strcmp(list->classes[i].verdict, attempt->verdict)))
        i++;
    if (i == list->count) {
        list->classes = memory_resize(list->classes, list->count + 1, sizeof *list->classes);
        doubt_class_t *added = &list->classes[list->count++];
        *added = (doubt_class_t){0};
        memcpy(added->model, attempt->model, sizeof added->model);
        memcpy(added->verdict, attempt->verdict, sizeof added->verdict);
    }
    list->classes[i].count++;
    list->classes[i].amount = money_add(list->classes[i].amount, attempt->cost);
    return true;
}

/* NULL: there is no doubt. */
static table_t *doubts_table(store_txn_t *txn, uint32_t run) {
    doubt_list_t list = {.run = run};
    ledger_doubts(txn, take_doubt, &list);
    if (list.count == 0)
        return NULL;
    qsort(list.classes, list.count, sizeof *list.classes, compare_doubts);
    table_t *table = table_create("doubts", "Doubts");
    table_add_column(table, "model", "model", CELL_TEXT, 0, COLUMN_PLAIN);
    table_add_column(table, "verdict", "why", CELL_TEXT, 0, COLUMN_PLAIN);
    table_add_column(table, "attempts", "attempts", CELL_COUNT, 0, COLUMN_PLAIN);
    table_add_column(table, "charged_usd", "charged", CELL_MONEY, TABLES_MONEY_DECIMALS,
                     COLUMN_PLAIN);
    for (size_t i = 0; i < list.count; i++) {
        cell_t *row = table_add_row(table);
        row[0] = cell_text(list.classes[i].model);
        row[1] = cell_text(list.classes[i].verdict);
        row[2] = cell_count(list.classes[i].count);
        row[3] = cell_money(list.classes[i].amount);
    }
    table_add_note(
        table, "`glia ledger` lists them one by one; `glia ledger release` gives the money back");
    free(list.classes);
    return table;
}

/* --- failures --------------------------------------------------------------------------------- */

table_t *tables_failures(store_txn_t *txn, uint32_t run, const stage_table_t *stages) {
    table_t *table = table_create("failures", "Failures by class");
    table_add_column(table, "stage", "stage", CELL_TEXT, 0, COLUMN_PLAIN);
    table_add_column(table, "class", "class", CELL_TEXT, 0, COLUMN_PLAIN);
    table_add_column(table, "retried", "retried", CELL_TEXT, 0, COLUMN_PLAIN);
    table_add_column(table, "jobs", "jobs", CELL_COUNT, 0, COLUMN_PLAIN);
    table_add_column(table, "example", "for example", CELL_TEXT, 0, COLUMN_PLAIN);
    failure_list_t list;
    failures_collect(txn, run, &list);
    for (size_t i = 0; i < list.count; i++) {
        const failure_class_t *failure = &list.classes[i];
        char *example = memory_format("%s: %s", failure->label ? failure->label : "?",
                                      failure->message ? failure->message : "");
        cell_t *row = table_add_row(table);
        row[0] = cell_text(stage_name(stages, failure->stage));
        row[1] = cell_text(failure->verdict);
        row[2] = cell_text(failure->terminal ? "no" : "next run");
        row[3] = cell_count(failure->count);
        row[4] = cell_text(example);
        free(example);
    }
    if (list.terminal)
        table_add_note(table, "`glia run --retry-failed` takes up those that are not retried");
    failures_clear(&list);
    return table;
}

void tables_add_costs(store_txn_t *txn, const run_info_t *run, const settings_t *settings,
                      const stage_table_t *stages, uint64_t neurons, report_t *report) {
    report_add_cost(report, costs_table(txn, run->number, stages));
    report_add_cost(report, times_table(run));
    per_thousand_add_table(txn, run, settings, stages, neurons, report);
    table_t *doubts = doubts_table(txn, run->number);
    if (doubts)
        report_add_cost(report, doubts);
    table_t *failures = tables_failures(txn, run->number, stages);
    if (failures->row_count > 0)
        report_add_cost(report, failures);
    else
        table_free(failures);
}
