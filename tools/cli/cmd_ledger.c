/* cmd_ledger.c - `glia ledger`: where the money went; and `glia ledger release`. */
#include <stdlib.h>
#include <string.h>

#include "actors/sweep/stage.h"
#include "core/base/json.h"
#include "core/base/memory.h"
#include "core/base/numbers.h"
#include "core/base/text.h"
#include "core/runtime/loop.h"
#include "tools/cli/command.h"
#include "tools/cli/output.h"
#include "tools/report/render.h"
#include "tools/report/spend.h"
#include "tools/report/tables.h"

/* The ways to add up. */
static const struct view {
    const char *name, *title;
    unsigned by;
} views[] = {
    {"run", "By run", SPEND_BY_RUN},
    {"model", "By model", SPEND_BY_MODEL},
    {"stage", "By stage", SPEND_BY_STAGE},
    {"day", "By day (UTC, of the reservation)", SPEND_BY_DAY},
};
enum { VIEW_COUNT = sizeof views / sizeof views[0] };

/* --- tables ----------------------------------------------------------------------------------- */

static cell_t name_cell(store_txn_t *txn, const struct view *view, const spend_row_t *row) {
    char day[16];
    run_info_t run;
    switch (view->by) {
    case SPEND_BY_RUN:
        if (runs_get(txn, row->run, &run)) {
            cell_t cell = cell_text(run.name);
            run_info_clear(&run);
            return cell;
        }
        return (cell_t){0};
    case SPEND_BY_MODEL: return cell_text(row->model);
    case SPEND_BY_STAGE: return cell_text(stage_name(&stages_shipped, row->stage));
    default: return cell_text(text_format_day(row->day, day));
    }
}

static table_t *sums_table(store_txn_t *txn, uint32_t run, const struct view *view) {
    table_t *table = table_create(view->name, view->title);
    table_add_column(table, view->name, view->name, CELL_TEXT, 0, COLUMN_PLAIN);
    tables_add_balance_columns(table);
    spend_list_t list;
    spend_collect(txn, run, view->by, &list);
    for (size_t i = 0; i < list.count; i++) {
        cell_t *row = table_add_row(table);
        row[0] = name_cell(txn, view, &list.rows[i]);
        tables_fill_balance(row + 1, &list.rows[i].balance);
    }
    spend_clear(&list);
    return table;
}

typedef struct {
    uint32_t run; /* 0: all */
    int64_t now;
    table_t *table;
} attempts_t;

static bool take_attempt(void *context, const attempt_t *attempt) {
    attempts_t *attempts = context;
    if (attempts->run && attempt->run != attempts->run)
        return true;
    double age = (double)(attempts->now - attempt->reserved_utc) / 1e6;
    char *number = memory_format("%llu", (unsigned long long)attempt->number);
    cell_t *row = table_add_row(attempts->table);
    row[0] = cell_text(number);
    row[1] = cell_duration(age > 0 ? age : 0);
    row[2] = cell_text(stage_name(&stages_shipped, attempt->stage));
    row[3] = cell_text(attempt->model);
    row[4] = cell_text(attempt->endpoint);
    row[5] = cell_money(attempt->worst_case);
    row[6] = attempt->state == ATTEMPT_RESERVED ? (cell_t){0} : cell_text(attempt->verdict);
    row[7] = attempt->status ? cell_count((uint64_t)attempt->status) : (cell_t){0};
    row[8] = *attempt->message ? cell_text(attempt->message) : (cell_t){0};
    free(number);
    return true;
}

static table_t *attempts_table(store_txn_t *txn, uint32_t run, int64_t now, bool doubts) {
    table_t *table =
        doubts ? table_create("doubts", "Doubts: charged at worst case until they are released")
               : table_create("reservations", "Reservations: attempts without an end so far");
    table_add_column(table, "attempt", "attempt", CELL_TEXT, 0, COLUMN_PLAIN);
    table_add_column(table, "age_s", "age", CELL_DURATION, 0, COLUMN_PLAIN);
    table_add_column(table, "stage", "stage", CELL_TEXT, 0, COLUMN_PLAIN);
    table_add_column(table, "model", "model", CELL_TEXT, 0, COLUMN_PLAIN);
    table_add_column(table, "endpoint", "endpoint", CELL_TEXT, 0, COLUMN_DETAIL);
    table_add_column(table, "amount_usd", "amount", CELL_MONEY, TABLES_MONEY_DECIMALS,
                     COLUMN_PLAIN);
    table_add_column(table, "verdict", "why", CELL_TEXT, 0, doubts ? COLUMN_PLAIN : COLUMN_DETAIL);
    table_add_column(table, "status", "status", CELL_COUNT, 0, COLUMN_DETAIL);
    table_add_column(table, "message", "message", CELL_TEXT, 0,
                     doubts ? COLUMN_PLAIN : COLUMN_DETAIL);
    attempts_t attempts = {.run = run, .now = now, .table = table};
    (doubts ? ledger_doubts : ledger_open_attempts)(txn, take_attempt, &attempts);
    return table;
}

/* --- showing ---------------------------------------------------------------------------------- */

static void write_table(const table_t *table, bool json, buffer_t *out) {
    if (json) {
        buffer_append_format(out, "%s\"%s%s\":", out->length ? ",\n" : "{",
                             table->column_count == 1 + TABLES_BALANCE_COLUMNS ? "by_" : "",
                             table->key);
        render_rows_json(table, out);
        return;
    }
    buffer_append_format(out, "%s%s\n", out->length ? "\n" : "", table->title);
    render_table_text(table, out);
}

static void write_ledger(store_txn_t *txn, uint32_t run, const struct view *only, bool json,
                         buffer_t *out) {
    int64_t now = loop_utc();
    for (size_t i = 0; i < VIEW_COUNT; i++) {
        if (only && only != &views[i])
            continue;
        table_t *table = sums_table(txn, run, &views[i]);
        write_table(table, json, out);
        table_free(table);
    }
    for (int doubts = 0; doubts < 2; doubts++) {
        table_t *table = attempts_table(txn, run, now, doubts);
        if (json || table->row_count > 0)
            write_table(table, json, out);
        table_free(table);
    }
    if (json)
        buffer_append_text(out, "}\n");
}

static bool find_view(const option_list_t *options, const struct view **view, error_info_t *error) {
    const char *name = option_get(options, "by");
    *view = NULL;
    if (!name)
        return true;
    for (size_t i = 0; i < VIEW_COUNT; i++)
        if (!strcmp(views[i].name, name))
            *view = &views[i];
    return *view ||
           error_set(error, ERROR_USAGE, "--by %s: it is one of run, model, stage, day", name);
}

/* The number of the run of --run; 0 without it. */
static bool find_run(store_t *store, const option_list_t *options, uint32_t *number,
                     error_info_t *error) {
    *number = 0;
    if (!option_given(options, "run"))
        return true;
    run_info_t run;
    if (!command_find_run(store, options, &run, NULL, error))
        return false;
    *number = run.number;
    run_info_clear(&run);
    return true;
}

static bool show(const option_list_t *options, error_info_t *error) {
    const struct view *view;
    uint32_t run;
    if (!find_view(options, &view, error))
        return false;
    store_t *store = command_open_store(options, error);
    if (!store)
        return false;
    store_txn_t *txn = NULL;
    bool good = find_run(store, options, &run, error) && (txn = store_read_begin(store, error));
    if (good) {
        buffer_t out = BUFFER_EMPTY;
        write_ledger(txn, run, view, option_given(options, "json"), &out);
        store_read_end(txn);
        good = output_print(&out, error);
        buffer_free(&out);
    }
    store_close(store);
    return good;
}

/* --- releasing -------------------------------------------------------------------------------- */

typedef struct {
    const option_list_t *options;
    size_t number_count;
    uint64_t *numbers; /* none: all of the run */
    uint32_t run;      /* 0: every run's */
    const char *reason;
    int64_t utc;
    /* set by apply */
    uint64_t count;
    money_t amount;
} release_t;

static bool apply_release(store_txn_t *txn, void *context, error_info_t *error) {
    release_t *release = context;
    release->count = 0;
    release->amount = MONEY_ZERO;
    size_t steps = release->number_count ? release->number_count : 1;
    uint64_t crashed;
    money_t charged;
    /* What a crash left reserved is in doubt too. */
    if (!ledger_recover(txn, release->utc, &crashed, &charged, error))
        return false;
    for (size_t i = 0; i < steps; i++) {
        uint64_t count = 0;
        money_t amount = MONEY_ZERO;
        if (!ledger_release(txn, release->number_count ? release->numbers[i] : 0, release->run,
                            release->utc, release->reason, &count, &amount, error))
            return false;
        release->count += count;
        release->amount = money_add(release->amount, amount);
    }
    return true;
}

static bool read_numbers(release_t *release, error_info_t *error) {
    const option_list_t *options = release->options;
    bool all = option_given(options, "all");
    release->number_count = options->argument_count - 1;
    if (all == (release->number_count > 0))
        return error_set(
            error, ERROR_USAGE,
            all ? "give numbers of attempts or --all, not both"
                : "name the attempts to release, as `glia ledger` lists them, or --all");
    for (size_t i = 0; i < release->number_count; i++) {
        const char *text = options->arguments[i + 1];
        if (!number_parse_whole(text, strlen(text), UINT64_MAX, &release->numbers[i]) ||
            release->numbers[i] == 0)
            return error_set(error, ERROR_USAGE,
                             "\"%s\" is no number of an attempt; `glia ledger` lists them", text);
        for (size_t j = 0; j < i; j++)
            if (release->numbers[j] == release->numbers[i])
                return error_set(error, ERROR_USAGE, "attempt %s is named twice", text);
    }
    return true;
}

static bool print_released(const release_t *release, error_info_t *error) {
    buffer_t out = BUFFER_EMPTY;
    char amount[MONEY_TEXT_SIZE];
    if (option_given(release->options, "json")) {
        buffer_append_format(
            &out, "{\"released\":%llu,\"amount_usd\":", (unsigned long long)release->count);
        cell_write_dollars(release->amount, &out);
        buffer_append_text(&out, "}\n");
    } else {
        buffer_append_format(&out, "released %llu doubt%s, %s\n",
                             (unsigned long long)release->count, release->count == 1 ? "" : "s",
                             money_format(release->amount, TABLES_MONEY_DECIMALS, amount));
    }
    bool good = output_print(&out, error);
    buffer_free(&out);
    return good;
}

static bool release_doubts(const option_list_t *options, error_info_t *error) {
    release_t release = {.options = options, .reason = option_get(options, "reason")};
    if (!release.reason || !*release.reason)
        return error_set(error, ERROR_USAGE,
                         "--reason TEXT is missing: why these attempts cost nothing; it is kept");
    release.numbers = MEMORY_NEW_ARRAY(options->argument_count + 1, uint64_t);
    store_t *store = NULL;
    bool good = read_numbers(&release, error) &&
                (store = command_open_store_to_write(options, "ledger release", false, error)) &&
                find_run(store, options, &release.run, error);
    release.utc = loop_utc();
    good = good && store_write(store, apply_release, &release, error) &&
           print_released(&release, error);
    store_close(store);
    free(release.numbers);
    return good;
}

/* --- the command ------------------------------------------------------------------------------ */

static bool carry_out(const option_list_t *options, error_info_t *error) {
    if (options->argument_count == 0) {
        if (option_given(options, "all") || option_given(options, "reason"))
            return error_set(error, ERROR_USAGE,
                             "--all and --reason belong to `glia ledger release`");
        return show(options, error);
    }
    if (!strcmp(options->arguments[0], "release"))
        return release_doubts(options, error);
    return error_set(error, ERROR_USAGE,
                     "\"%s\" is nothing that the ledger does; did you mean `glia ledger release`?",
                     options->arguments[0]);
}

static int run(const option_list_t *options, error_info_t *error) {
    return carry_out(options, error) ? EXIT_DONE : error_exit_code(error->class_);
}

static const option_t table[] = {
    {"by", 'b', "WHAT", "only one table: run, model, stage or day", false},
    {"run", 0, "NAME", "only this run (default: all)", false},
    {"all", 0, NULL, "release: every doubt (of --run)", false},
    {"reason", 0, "TEXT", "release: why; it is kept in the ledger", false},
    OPTION_STORE,
    OPTION_CONFIG,
    OPTION_JSON,
    OPTION_HELP,
    {0},
};

const command_t command_ledger = {
    .name = "ledger",
    .usage =
        "[release NUMBER...|--all --reason TEXT] [--by run|model|stage|day] [--run NAME] [--json]",
    .summary = "money by run, model, stage and day; reservations and doubts; `ledger release`",
    .details =
        "An attempt that may have reached its endpoint and has no complete answer stays charged at "
        "worst case, as a doubt. `glia ledger release` takes doubts back, once you know (from the "
        "provider's own bill) that they cost nothing. It is refused while a run is live.",
    .options = table,
    .most_arguments = 10000,
    .run = run,
};
