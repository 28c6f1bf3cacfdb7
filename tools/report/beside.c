/* beside.c - the paper's figures, format by format, next to the run's. */
#include "tools/report/beside.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "actors/sweep/stage.h"
#include "core/base/embedded.h"
#include "core/base/json.h"
#include "core/base/memory.h"
#include "core/base/stats.h"
#include "core/base/text.h"
#include "tools/report/spend.h"

static json_value_t *load(error_info_t *error) {
    embedded_file_t file;
    if (!embedded_find("tools/report/paper.json", &file)) {
        error_set(error, ERROR_BUG, "the published figures are not part of this program");
        return NULL;
    }
    return json_parse(file.data, file.size, file.name, JSON_PLAIN, error);
}

static const char *text_at(const json_value_t *value, const char *path) {
    const char *text = json_as_string(json_path(value, path), NULL);
    return text ? text : "";
}

static double number_at(const json_value_t *value, const char *path) {
    double number;
    return json_as_number(json_path(value, path), &number) ? number : (double)NAN;
}

/* --- the set-ups ------------------------------------------------------------------------------ */

/* Two rows: what the paper had and what the run has. */
static void add_setup(table_t *table, const json_value_t *paper, const char *key, const char *what,
                      buffer_t *own) {
    char *path = memory_format("setup.%s", key);
    for (int side = 0; side < 2; side++) {
        cell_t *row = table_add_row(table);
        row[0] = cell_text(what);
        row[1] = cell_text(side ? "this run" : "paper");
        row[2] = cell_text(side ? buffer_text(own) : text_at(paper, path));
    }
    free(path);
    buffer_clear(own);
}

static void name_models(const settings_t *s, bool explainers, buffer_t *out) {
    for (size_t m = 0; m < s->model_count; m++) {
        bool used = !explainers && s->adacs && s->embedder == m;
        for (size_t i = 0; explainers && i < s->set_count; i++)
            for (size_t e = 0; e < s->sets[i].explainer_count; e++)
                used = used || s->sets[i].explainers[e] == m;
        if (used)
            buffer_append_format(out, "%s%s", out->length ? ", " : "", s->models[m].name);
    }
    if (out->length == 0)
        buffer_append_text(out, "none");
}

static void write_simulation(const settings_t *s, buffer_t *out) {
    static const char *const calibrations[] = {"uncalibrated", "linear calibration",
                                               "percentile calibration"};
    if (s->simulate)
        buffer_append_format(out, "%s, %s, by %s", s->mode == SIMULATE_ECHO ? "echo" : "repeat",
                             calibrations[s->calibration], s->models[s->simulator].name);
    else
        buffer_append_text(out, "none");
}

/* Where neurons come from, each once: the model that was recorded, or a source. */
static void name_sources(const settings_t *s, buffer_t *out) {
    for (size_t i = 0; i < s->set_count; i++) {
        bool before = false;
        for (size_t j = 0; j < i; j++)
            before = before || !strcmp(s->sets[j].source, s->sets[i].source);
        if (!before)
            buffer_append_format(out, "%s%s%s", out->length ? ", " : "",
                                 s->sets[i].recorded ? "recorded from " : "",
                                 s->sets[i].recorded ? s->subject.model : s->sets[i].source);
    }
}

/* By the explanations that the set's first explainer should have written. */
static uint64_t neurons_of(const settings_t *s, const tally_list_t *tallies, size_t set) {
    for (size_t i = 0; i < tallies->count; i++)
        for (int f = 0; tallies->groups[i].set == set && f < PROMPT_FORMAT_COUNT; f++)
            if (s->sets[set].formats[f])
                return tallies->groups[i].formats[f].explain.wanted /
                       (uint64_t)s->sets[set].samples;
    return 0;
}

static table_t *setup_table(const json_value_t *paper, const settings_t *s,
                            const tally_list_t *tallies) {
    table_t *table = table_create("beside_setup", "The paper's set-up and this run's");
    buffer_t own = BUFFER_EMPTY;
    table_add_column(table, "what", "what", CELL_TEXT, 0, COLUMN_PLAIN);
    table_add_column(table, "whose", "whose", CELL_TEXT, 0, COLUMN_PLAIN);
    table_add_column(table, "value", "value", CELL_TEXT, 0, COLUMN_WHOLE);
    name_sources(s, &own);
    add_setup(table, paper, "subject", "subject model", &own);
    for (size_t i = 0; i < s->set_count; i++)
        buffer_append_format(&own, "%s%s: %llu", i ? ", " : "", s->sets[i].name,
                             (unsigned long long)neurons_of(s, tallies, i));
    add_setup(table, paper, "neurons", "neuron sets", &own);
    name_models(s, true, &own);
    add_setup(table, paper, "explainers", "explainers", &own);
    for (size_t i = 0; i < s->set_count; i++)
        buffer_append_format(&own, "%s%lld", i ? ", " : "", (long long)s->sets[i].samples);
    add_setup(table, paper, "samples", "samples of each set", &own);
    buffer_append_format(&own, "temperature %g, top_p %g, at most %lld output tokens",
                         s->temperature, s->top_p, (long long)s->explain_output);
    add_setup(table, paper, "sampling", "sampling", &own);
    write_simulation(s, &own);
    add_setup(table, paper, "simulation", "simulation", &own);
    name_models(s, false, &own);
    add_setup(table, paper, "embedder", "embedder", &own);
    buffer_append_text(&own, s->template_directory ? s->template_directory : "glia's own wording");
    add_setup(table, paper, "prompts", "prompts", &own);
    table_add_note(table, "%s", text_at(paper, "source"));
    buffer_free(&own);
    return table;
}

/* --- figures by format ------------------------------------------------------------------------ */

/* What the paper measured. */
static const sample_t *sample_of(const tally_list_t *tallies, const tally_t *tally,
                                 const char *key) {
    if (!strcmp(key, "total_tokens"))
        return &tally->total_tokens;
    return tally_sample(tallies, tally, !strcmp(key, "score") ? STAGE_SCORE : STAGE_ADACS);
}

/* One published list of means against those of one (set, explainer). */
static void add_figure(const json_value_t *figure, const settings_t *settings,
                       const tally_list_t *tallies, const tally_group_t *group, table_t *table) {
    const char *key = text_at(figure, "key");
    double published = number_at(figure, "values.original"), own = (double)NAN;
    for (int f = 0; f < PROMPT_FORMAT_COUNT; f++) {
        const sample_t *sample = sample_of(tallies, &group->formats[f], key);
        char *path = memory_format("values.%s", prompt_format_name((prompt_format_t)f));
        double theirs = number_at(figure, path), ours = stats_mean(sample->values, sample->count);
        free(path);
        if (f == PROMPT_ORIGINAL)
            own = ours;
        if (isnan(ours))
            continue;
        cell_t *row = table_add_row(table);
        row[0] = cell_text(settings->sets[group->set].name);
        row[1] = cell_text(settings->models[group->explainer].name);
        row[2] = cell_text(prompt_format_name((prompt_format_t)f));
        row[3] = cell_number(theirs);
        row[4] = cell_mean(sample->values, sample->count);
        row[5] = cell_number(theirs / published);
        row[6] = cell_number(ours / own);
    }
}

static table_t *figure_table(const json_value_t *figure, const settings_t *settings,
                             const tally_list_t *tallies) {
    bool tokens = !strcmp(text_at(figure, "key"), "total_tokens");
    int decimals = tokens ? 1 : 3;
    table_t *table = table_create("beside", "The paper's figures and this run's");
    table_set_caption(table, "%s; the paper's over %s", text_at(figure, "what"),
                      text_at(figure, "over"));
    table_add_group(table, "figure", text_at(figure, "what"));
    table_add_group(table, "over", text_at(figure, "over"));
    table_add_column(table, "set", "set", CELL_TEXT, 0, COLUMN_PLAIN);
    table_add_column(table, "explainer", "explainer", CELL_TEXT, 0, COLUMN_PLAIN);
    table_add_column(table, "format", "format", CELL_TEXT, 0, COLUMN_PLAIN);
    table_add_column(table, "paper", "paper", CELL_NUMBER, decimals, COLUMN_PLAIN);
    table_add_column(table, "run", "this run", CELL_MEAN, decimals, COLUMN_PLAIN);
    table_add_column(table, "paper_ratio", "ratio: paper", CELL_NUMBER, 3, COLUMN_PLAIN);
    table_add_column(table, "run_ratio", "this run", CELL_NUMBER, 3, COLUMN_PLAIN);
    for (size_t i = 0; i < tallies->count; i++)
        if (tokens || !tallies->groups[i].truth) /* those of puzzles are no neurons' */
            add_figure(figure, settings, tallies, &tallies->groups[i], table);
    table_add_note(
        table,
        "ratio: to original. The paper's tables of scores, AdaCS, ratings and ranks over whole "
        "sets stand in its text, not in its published data, and are not part of this one");
    if (table->row_count > 0)
        return table;
    table_free(table);
    return NULL;
}

bool beside_add_results(const settings_t *settings, const tally_list_t *tallies, report_t *report,
                        error_info_t *error) {
    json_value_t *paper = load(error);
    if (!paper)
        return false;
    report_add_result(report, setup_table(paper, settings, tallies));
    const json_value_t *figures = json_get(paper, "figures");
    for (size_t i = 0; i < json_count(figures); i++) {
        table_t *table = figure_table(json_at(figures, i), settings, tallies);
        if (table)
            report_add_result(report, table);
    }
    json_free(paper);
    return true;
}

/* --- costs ------------------------------------------------------------------------------------ */

static double settled(const stage_table_t *stages, const spend_list_t *list, const char *stage) {
    double sum = 0;
    for (size_t i = 0; i < list->count; i++)
        if (!strcmp(stage_name(stages, list->rows[i].stage), stage))
            sum += money_to_dollars(list->rows[i].balance.settled);
    return sum;
}

bool beside_add_costs(store_txn_t *txn, const run_info_t *run, const stage_table_t *stages,
                      uint64_t neurons, report_t *report, error_info_t *error) {
    json_value_t *paper = load(error);
    if (!paper)
        return false;
    table_t *table =
        table_create("beside_costs", "The paper's costs per 1,000 neurons and this run's");
    table_add_column(table, "what", "what", CELL_TEXT, 0, COLUMN_PLAIN);
    table_add_column(table, "paper_usd", "paper", CELL_MONEY, 2, COLUMN_PLAIN);
    table_add_column(table, "run_usd", "this run", CELL_MONEY, 4, COLUMN_PLAIN);
    spend_list_t list;
    spend_collect(txn, run->number, SPEND_BY_STAGE, &list);
    const json_value_t *costs = json_get(paper, "costs");
    for (size_t i = 0; i < json_count(costs); i++) {
        const json_value_t *cost = json_at(costs, i);
        cell_t *row = table_add_row(table);
        row[0] = cell_text(text_at(cost, "what"));
        row[1] = cell_money((money_t){llround(1e12 * number_at(cost, "usd"))});
        if (neurons > 0)
            row[2] = cell_money((money_t){llround(
                1e12 * settled(stages, &list, text_at(cost, "stage")) * 1000 / (double)neurons)});
    }
    table_add_note(
        table,
        "this run: all of its explainers, formats and samples together, what was settled over its "
        "neurons, at the config's prices");
    report_add_cost(report, table);
    spend_clear(&list);
    json_free(paper);
    return true;
}
