/* report.c - puts a report together. */
#include "tools/report/report.h"

#include <stdlib.h>
#include <string.h>

#include "actors/sweep/draw.h"
#include "actors/sweep/stage.h"
#include "core/base/memory.h"
#include "core/base/text.h"
#include "store/progress.h"
#include "tools/report/beside.h"
#include "tools/report/plots.h"
#include "tools/report/tables.h"

/* Names the models whose answers come from the stand-in; all of them: none by name. */
static void add_standin_line(const settings_t *settings, report_t *report) {
    buffer_t names = BUFFER_EMPTY;
    size_t used = 0, fake = 0;
    for (size_t i = 0; i < settings->model_count; i++) {
        if (!settings_uses_model(settings, i))
            continue;
        used++;
        if (!text_starts_with(settings->models[i].lineage, "standin:"))
            continue;
        buffer_append_format(&names, "%s%s", fake ? ", " : "", settings->models[i].name);
        fake++;
    }
    report->standin = fake > 0;
    if (fake > 0 && fake == used)
        report_add_line(report, "The answers are the offline stand-in's, not a language model's.");
    else if (fake > 0)
        report_add_line(report,
                        "The answers of %s are the offline stand-in's, not a language model's.",
                        buffer_text(&names));
    buffer_free(&names);
}

static void append_missing(buffer_t *out, const progress_t *progress, const char *what) {
    if (progress->missing)
        buffer_append_format(out, "%s%llu of %llu %s", out->length ? ", " : "",
                             (unsigned long long)progress->missing,
                             (unsigned long long)progress->wanted, what);
}

static void add_missing_line(const tally_list_t *tallies, report_t *report) {
    progress_t explain, measured[STAGES_MEASURED];
    tally_progress(tallies, &explain, measured);
    buffer_t missing = BUFFER_EMPTY;
    append_missing(&missing, &explain, "explanations");
    for (size_t i = 0; i < tallies->measured.count; i++)
        append_missing(&missing, &measured[i], tallies->measured.rows[i]->telling->noun);
    if (missing.length)
        report_add_line(report, "Unfinished: %s are missing; `glia run` goes on.",
                        buffer_text(&missing));
    buffer_free(&missing);
}

/* Which neurons the numbers are about. */
static void add_sets(store_txn_t *txn, const run_info_t *run, const settings_t *settings,
                     report_t *report) {
    table_t *table = table_create("sets", "Neuron sets");
    table_add_column(table, "set", "set", CELL_TEXT, 0, COLUMN_PLAIN);
    table_add_column(table, "source", "source", CELL_TEXT, 0, COLUMN_PLAIN);
    table_add_column(table, "selection", "which", CELL_TEXT, 0, COLUMN_PLAIN);
    table_add_column(table, "neurons", "neurons", CELL_COUNT, 0, COLUMN_PLAIN);
    table_add_column(table, "layers", "layers", CELL_TEXT, 0, COLUMN_PLAIN);
    table_add_column(table, "lacking", "none of layer", CELL_TEXT, 0, COLUMN_PLAIN);
    table_add_column(table, "short", "too few of layer", CELL_TEXT, 0, COLUMN_PLAIN);
    for (size_t i = 0; i < settings->set_count; i++) {
        const set_settings_t *set = &settings->sets[i];
        draw_layers_t layers;
        cell_t *row = table_add_row(table);
        char *what = draw_describe(set);
        draw_layers(txn, set, run->sets[i].content, run->sets[i].count, &layers);
        char *range = layers.last < 0 ? NULL : memory_format("%d-%d", layers.first, layers.last);
        row[0] = cell_text(set->name);
        row[1] = cell_text(set->source);
        row[2] = cell_text(what);
        row[3] = cell_count(layers.neurons);
        row[4] = cell_text(range);
        row[5] = cell_text(layers.lacking);
        row[6] = cell_text(layers.short_of);
        draw_layers_clear(&layers);
        free(range);
        free(what);
    }
    table_add_note(table, "`glia export set NAME` lists the neurons of a set");
    report_add_result(report, table);
}

static bool add_stored(store_t *store, const run_info_t *run, const sweep_t *sweep,
                       const report_options_t *options, report_t *report, error_info_t *error) {
    const settings_t *settings = sweep_settings(sweep);
    const stage_table_t *stages = sweep_stages(sweep);
    uint64_t neurons = sweep_neuron_count(sweep);
    store_txn_t *txn = store_read_begin(store, error);
    if (!txn)
        return false;
    add_sets(txn, run, settings, report);
    tables_add_costs(txn, run, settings, stages, neurons, report);
    bool good =
        !options->beside_paper || beside_add_costs(txn, run, stages, neurons, report, error);
    store_read_end(txn);
    return good;
}

bool report_build(store_t *store, const run_info_t *run, const settings_t *settings,
                  const stage_table_t *stages, const report_options_t *options, report_t *report,
                  error_info_t *error) {
    *report = (report_t){0};
    sweep_t *sweep = sweep_create_snapshot(settings, run, stages, error);
    if (!sweep)
        return false;
    tally_list_t tallies;
    bool good = tally_collect(store, sweep, run->number, &tallies, error);
    if (good) {
        report->title = memory_format("Run %s", run->name);
        report->run = memory_copy_string(run->name);
        char holder[PROGRESS_HOLDER_SIZE];
        report->state =
            memory_copy_string(progress_state_name(store_directory(store), run, holder));
        add_standin_line(settings, report);
        add_missing_line(&tallies, report);
        tables_add_results(settings, &tallies, options->study, report);
        plots_add(settings, &tallies, report);
        good = !options->beside_paper || beside_add_results(settings, &tallies, report, error);
        tally_clear(&tallies);
        good = good && add_stored(store, run, sweep, options, report, error);
    }
    sweep_free(sweep);
    if (!good)
        report_clear(report);
    return good;
}
