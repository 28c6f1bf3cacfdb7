/* per_thousand.c - what 1,000 neurons were to cost, and what they cost. */
#include "tools/report/per_thousand.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "actors/sweep/estimate.h"
#include "core/base/memory.h"
#include "tools/report/spend.h"
#include "tools/report/tables.h"

/* --- wall time -------------------------------------------------------------------------------- */

typedef struct {
    job_stage_t stage;
    char model[LEDGER_MODEL_SIZE];
    int64_t from, to; /* microseconds UTC */
} span_t;

typedef struct {
    uint32_t run;
    size_t count;
    span_t *spans;
} span_list_t;

/* What a crash left open has no end of its own. */
static bool take_attempt(void *context, const attempt_t *attempt) {
    span_list_t *list = context;
    if (attempt->run != list->run || attempt->state == ATTEMPT_RESERVED ||
        !strcmp(attempt->verdict, "crash") || attempt->finished_utc < attempt->reserved_utc)
        return true;
    if (list->count % 1024 == 0)
        list->spans = memory_resize(list->spans, list->count + 1024, sizeof *list->spans);
    span_t *span = &list->spans[list->count++];
    *span = (span_t){
        .stage = attempt->stage, .from = attempt->reserved_utc, .to = attempt->finished_utc};
    memcpy(span->model, attempt->model, sizeof span->model);
    return true;
}

static int compare_spans(const void *a, const void *b) {
    const span_t *x = a, *y = b;
    return (x->from > y->from) - (x->from < y->from);
}

/* Seconds in which at least one attempt was under way; `model` NULL: of any stage and model. */
static double covered(const span_list_t *list, job_stage_t stage, const char *model) {
    int64_t total = 0, until = INT64_MIN;
    for (size_t i = 0; i < list->count; i++) {
        const span_t *span = &list->spans[i];
        if (model && (span->stage != stage || strcmp(span->model, model) != 0))
            continue;
        if (span->to > until) {
            total += span->to - (span->from > until ? span->from : until);
            until = span->to;
        }
    }
    return (double)total / 1e6;
}

typedef struct {
    const settings_t *settings;
    const stage_table_t *stages;
    const estimate_sums_t *sums; /* NULL: nothing is expected */
    span_list_t spans;
    double expected_scale, real_scale; /* to 1,000 neurons */
    table_t *table;
} build_t;

/* --- expected --------------------------------------------------------------------------------- */

/* Whether the prompts are still those of the run. */
static bool same_templates(const sweep_t *sweep, const run_info_t *run) {
    for (size_t i = 0; i < run->template_count; i++) {
        prompt_format_t format;
        const template_t *template = prompt_format_from_name(run->templates[i].name, &format)
                                         ? sweep_explain_template(sweep, format)
                                         : sweep_simulate_template(sweep);
        if (!template || !hash_equal(template_hash(template), run->templates[i].identity))
            return false;
    }
    return true;
}

/* False: the run's templates are no longer there. */
static bool expect(store_txn_t *txn, const run_info_t *run, const build_t *b, uint64_t neurons,
                   estimate_sums_t *sums) {
    error_info_t error;
    sweep_t *sweep = sweep_create(b->settings, run, b->stages, &error);
    estimate_options_t options = {.as_of = LOOK_EMPTY,
                                  .stride = (uint32_t)(1 + (neurons - 1) / PER_THOUSAND_NEURONS)};
    bool good = sweep && same_templates(sweep, run) &&
                estimate_sweep(sweep, txn, run->number, &options, sums, &error);
    sweep_free(sweep);
    return good && sums->neurons > 0;
}

/* --- the table -------------------------------------------------------------------------------- */

static cell_t dollars(double amount) {
    return cell_money((money_t){(int64_t)llround(amount * 1e12)});
}

static void add_row(const build_t *b, const char *stage, const char *model,
                    const estimate_t *expected, const balance_t *real, double seconds) {
    cell_t *row = table_add_row(b->table);
    row[0] = cell_text(stage);
    row[1] = cell_text(model);
    if (expected) {
        row[2] = cell_count((uint64_t)llround(b->expected_scale * (double)expected->requests));
        row[4] = cell_count((uint64_t)llround(b->expected_scale *
                                              (expected->input_tokens + expected->output_tokens)));
        row[6] = dollars(b->expected_scale * expected->expected);
    }
    row[3] = cell_count((uint64_t)llround(b->real_scale * (double)real->attempts));
    row[5] = cell_count(
        (uint64_t)llround(b->real_scale * (double)(real->prompt_tokens + real->completion_tokens)));
    row[7] = dollars(b->real_scale * money_to_dollars(real->settled));
    row[9] = cell_duration(b->real_scale * seconds);
}

/* Stages and models that were planned or paid. */
static void add_rows(const build_t *b, const spend_list_t *list) {
    for (int stage = 0; stage < JOB_STAGES; stage++)
        for (size_t m = 0; m < b->settings->model_count; m++) {
            const char *model = b->settings->models[m].name;
            const estimate_t *expected =
                b->sums ? &b->sums->cells[(size_t)stage * b->settings->model_count + m] : NULL;
            const balance_t *real = NULL, nothing = {0};
            for (size_t i = 0; i < list->count; i++)
                if ((int)list->rows[i].stage == stage && !strcmp(list->rows[i].model, model))
                    real = &list->rows[i].balance;
            if (real || (expected && expected->requests > 0))
                add_row(b, stage_name(b->stages, (job_stage_t)stage), model, expected,
                        real ? real : &nothing, covered(&b->spans, (job_stage_t)stage, model));
        }
}

static void add_columns(table_t *table) {
    table_add_column(table, "stage", "stage", CELL_TEXT, 0, COLUMN_PLAIN);
    table_add_column(table, "model", "model", CELL_TEXT, 0, COLUMN_PLAIN);
    table_add_column(table, "expected_requests", "requests expected", CELL_COUNT, 0, COLUMN_DETAIL);
    table_add_column(table, "attempts", "attempts", CELL_COUNT, 0, COLUMN_DETAIL);
    table_add_column(table, "expected_tokens", "tokens exp.", CELL_COUNT, 0, COLUMN_PLAIN);
    table_add_column(table, "tokens", "tokens", CELL_COUNT, 0, COLUMN_PLAIN);
    table_add_column(table, "expected_usd", "expected", CELL_MONEY, 4, COLUMN_PLAIN);
    table_add_column(table, "settled_usd", "settled", CELL_MONEY, 4, COLUMN_PLAIN);
    table_add_column(table, "expected_s", "at the limits", CELL_DURATION, 0, COLUMN_PLAIN);
    table_add_column(table, "wall_s", "wall time", CELL_DURATION, 0, COLUMN_PLAIN);
}

void per_thousand_add_table(store_txn_t *txn, const run_info_t *run, const settings_t *settings,
                            const stage_table_t *stages, uint64_t neurons, report_t *report) {
    if (neurons == 0)
        return;
    estimate_sums_t sums = {0};
    build_t b = {.settings = settings, .stages = stages, .spans = {.run = run->number}};
    bool expected = expect(txn, run, &b, neurons, &sums);
    b.sums = expected ? &sums : NULL;
    b.real_scale = 1000 / (double)neurons;
    b.expected_scale = expected ? 1000 / (double)sums.neurons : 0;
    ledger_attempts_since(txn, run->created_utc, take_attempt, &b.spans);
    if (b.spans.count > 0)
        qsort(b.spans.spans, b.spans.count, sizeof *b.spans.spans, compare_spans);
    b.table = table_create("per_1000", "Cost and time per 1,000 neurons: expected beside real");
    add_columns(b.table);
    spend_list_t list;
    spend_collect(txn, run->number, SPEND_BY_STAGE | SPEND_BY_MODEL, &list);
    add_rows(&b, &list);
    balance_t real = spend_total(&list);
    estimate_t total = estimate_total(&sums);
    add_row(&b, "total", "", expected ? &total : NULL, &real, covered(&b.spans, STAGE_PROBE, NULL));
    const char *slowest = NULL;
    double hours = expected ? estimate_hours(settings, &sums, &slowest) : 0;
    if (slowest)
        b.table->cells[b.table->row_count * b.table->column_count - 2] =
            cell_duration(b.expected_scale * hours * 3600);
    table_add_note(
        b.table,
        "expected: as `glia plan` counts it, as if nothing were stored, from %llu of %llu neurons; "
        "settled: this run's answers; wall time: an attempt was under way",
        (unsigned long long)sums.neurons, (unsigned long long)neurons);
    if (!expected)
        table_add_note(
            b.table,
            "nothing is expected: the prompt templates of the run are no longer those in place");
    report_add_cost(report, b.table);
    spend_clear(&list);
    estimate_clear(&sums);
    free(b.spans.spans);
}
