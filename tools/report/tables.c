/* tables.c - tallies to the tables of results. */
#include "tools/report/tables.h"

#include <math.h>
#include <stdlib.h>

#include "core/base/memory.h"
#include "core/base/stats.h"
#include "tools/report/class_table.h"
#include "tools/report/paired.h"

enum { SCORE_DECIMALS = 3, TOKEN_DECIMALS = 1, RANK_DECIMALS = 1 };

static const char *plural(uint64_t count) {
    return count == 1 ? "" : "s";
}

/* --- one table of one (set, explainer) -------------------------------------------------------- */

/* The table, with its group and the column of formats. */
static table_t *begin_table(const settings_t *settings, const tally_group_t *group, const char *key,
                            const char *title) {
    const char *set = settings->sets[group->set].name;
    const char *explainer = settings->models[group->explainer].name;
    table_t *table = table_create(key, title);
    table_set_caption(table, "%s, explained by %s", set, explainer);
    table_add_group(table, "set", set);
    table_add_group(table, "explainer", explainer);
    table_add_column(table, "format", "format", CELL_TEXT, 0, COLUMN_PLAIN);
    return table;
}

static cell_t mean_of(const sample_t *sample) {
    return cell_mean(sample->values, sample->count);
}

static cell_t ratio_of(const sample_t *sample, const sample_t *original) {
    return cell_number(stats_mean(sample->values, sample->count) /
                       stats_mean(original->values, original->count));
}

static table_t *tokens_table(const settings_t *settings, const tally_group_t *group) {
    table_t *table = begin_table(settings, group, "tokens", "Tokens per explanation prompt");
    table_add_column(table, "chains", "chains", CELL_COUNT, 0, COLUMN_PLAIN);
    table_add_column(table, "explained", "explained", CELL_COUNT, 0, COLUMN_PLAIN);
    table_add_column(table, "failed", "failed", CELL_COUNT, 0, COLUMN_PLAIN);
    table_add_column(table, "missing", "missing", CELL_COUNT, 0, COLUMN_PLAIN);
    table_add_column(table, "prompt_tokens", "prompt tokens", CELL_MEAN, TOKEN_DECIMALS,
                     COLUMN_PLAIN);
    table_add_column(table, "ratio", "ratio", CELL_NUMBER, 3, COLUMN_PLAIN);
    table_add_column(table, "total_tokens", "with answer", CELL_MEAN, TOKEN_DECIMALS, COLUMN_PLAIN);
    table_add_column(table, "total_ratio", "ratio with answer", CELL_NUMBER, 3, COLUMN_DETAIL);
    const tally_t *original = &group->formats[PROMPT_ORIGINAL];
    uint64_t uncounted = 0, shortened = 0;
    for (int f = 0; f < PROMPT_FORMAT_COUNT; f++) {
        const tally_t *tally = &group->formats[f];
        if (!settings->sets[group->set].formats[f])
            continue;
        cell_t *row = table_add_row(table);
        row[0] = cell_text(prompt_format_name((prompt_format_t)f));
        row[1] = cell_count(tally->explain.wanted);
        row[2] = cell_count(tally->explain.done);
        row[3] = cell_count(tally->explain.failed);
        row[4] = cell_count(tally->explain.missing);
        row[5] = mean_of(&tally->prompt_tokens);
        row[6] = ratio_of(&tally->prompt_tokens, &original->prompt_tokens);
        row[7] = mean_of(&tally->total_tokens);
        row[8] = ratio_of(&tally->total_tokens, &original->total_tokens);
        uncounted += tally->uncounted;
        shortened += tally->shortened;
    }
    table_add_note(table, "mean ± standard error; ratio: prompt tokens to those of original");
    if (uncounted)
        table_add_note(table, "the API did not count the tokens of %llu answer%s",
                       (unsigned long long)uncounted, plural(uncounted));
    if (shortened)
        table_add_note(table, "%llu prompt%s left out few-shot examples to fit the model's context",
                       (unsigned long long)shortened, plural(shortened));
    return table;
}

static void add_progress_columns(table_t *table) {
    table_add_column(table, "undefined", "undefined", CELL_COUNT, 0, COLUMN_PLAIN);
    table_add_column(table, "failed", "failed", CELL_COUNT, 0, COLUMN_PLAIN);
    table_add_column(table, "missing", "missing", CELL_COUNT, 0, COLUMN_PLAIN);
}

static void fill_progress(cell_t *cells, const progress_t *progress) {
    cells[0] = cell_count(progress->undefined);
    cells[1] = cell_count(progress->failed);
    cells[2] = cell_count(progress->missing);
}

/* Whether it is the table of puzzles, where the stage has one of its own for them. */
static bool is_of_truth(const stage_telling_t *telling, const tally_group_t *group) {
    return group->truth && telling->truth.key;
}

static size_t add_measured_columns(table_t *table, const stage_telling_t *telling, bool truth) {
    table_add_column(table, "chains", "chains", CELL_COUNT, 0, COLUMN_PLAIN);
    table_add_column(table, telling->done, telling->done, CELL_COUNT, 0, COLUMN_PLAIN);
    size_t measures = 0;
    for (; measures < STAGE_MEASURES && telling->measures[measures].key; measures++) {
        const stage_measure_t *measure = &telling->measures[measures];
        table_add_column(table, measure->key, measure->label, CELL_MEAN, SCORE_DECIMALS,
                         measure->is_terse ? COLUMN_TERSE : COLUMN_PLAIN);
    }
    if (truth) {
        char *key = memory_format("%s_clustered_se", telling->measures[0].key);
        table_add_column(table, key, "SE by puzzle", CELL_NUMBER, SCORE_DECIMALS, COLUMN_PLAIN);
        free(key);
    }
    add_progress_columns(table);
    return measures;
}

/* Of the list's measured row `m`. NULL: nothing of the group is measured so. */
static table_t *measured_table(const settings_t *settings, const tally_list_t *tallies,
                               const tally_group_t *group, size_t m) {
    const stage_telling_t *telling = tallies->measured.rows[m]->telling;
    bool truth = is_of_truth(telling, group);
    const stage_heading_t *heading = truth ? &telling->truth : &telling->table;
    table_t *table = begin_table(settings, group, heading->key, heading->title);
    size_t measures = add_measured_columns(table, telling, truth);
    uint64_t wanted = 0;
    for (int f = 0; f < PROMPT_FORMAT_COUNT; f++) {
        const tally_measured_t *tally = &group->formats[f].measured[m];
        const sample_t *first = &tally->samples[0];
        if (!settings->sets[group->set].formats[f])
            continue;
        cell_t *row = table_add_row(table);
        *row++ = cell_text(prompt_format_name((prompt_format_t)f));
        *row++ = cell_count(tally->progress.wanted);
        *row++ = cell_count(tally->progress.done);
        for (size_t i = 0; i < measures; i++)
            *row++ = mean_of(&tally->samples[i]);
        if (truth)
            *row++ =
                cell_number(stats_clustered_error(first->values, first->neurons, first->count));
        fill_progress(row, &tally->progress);
        wanted += tally->progress.wanted;
    }
    table_add_note(table, "%s", heading->note);
    if (wanted > 0)
        return table;
    table_free(table);
    return NULL;
}

/* --- ranks ------------------------------------------------------------------------------------ */

enum { RANK_COLUMNS = 3 }; /* before the formats */

/* Adds the ranks of one evaluation, if at least two formats have a value. */
static void add_evaluation(const char *set, const char *explainer, const char *measure,
                           const double means[PROMPT_FORMAT_COUNT],
                           sample_t ranks[PROMPT_FORMAT_COUNT], table_t *table) {
    double ranked[PROMPT_FORMAT_COUNT];
    size_t valued = 0;
    for (int f = 0; f < PROMPT_FORMAT_COUNT; f++)
        valued += isnan(means[f]) ? 0 : 1;
    if (valued < 2)
        return;
    stats_rank_descending(means, PROMPT_FORMAT_COUNT, ranked);
    cell_t *row = table_add_row(table);
    row[0] = cell_text(set);
    row[1] = cell_text(explainer);
    row[2] = cell_text(measure);
    for (int f = 0; f < PROMPT_FORMAT_COUNT; f++) {
        row[RANK_COLUMNS + f] = cell_number(ranked[f]);
        if (isnan(ranked[f]))
            continue;
        ranks[f].values = memory_resize(ranks[f].values, ranks[f].count + 1, sizeof(double));
        ranks[f].values[ranks[f].count++] = ranked[f];
    }
}

/* NULL: there is no evaluation with two formats. */
static table_t *ranks_table(const settings_t *settings, const tally_list_t *tallies,
                            const ratings_t *study) {
    table_t *table = table_create("ranks", "Ranks of the prompt formats");
    table_add_column(table, "set", "set", CELL_TEXT, 0, COLUMN_PLAIN);
    table_add_column(table, "explainer", "explainer", CELL_TEXT, 0, COLUMN_PLAIN);
    table_add_column(table, "measure", "by", CELL_TEXT, 0, COLUMN_PLAIN);
    for (int f = 0; f < PROMPT_FORMAT_COUNT; f++) {
        const char *name = prompt_format_name((prompt_format_t)f);
        table_add_column(table, name, name, CELL_NUMBER, RANK_DECIMALS, COLUMN_PLAIN);
    }
    sample_t ranks[PROMPT_FORMAT_COUNT] = {{0}};
    for (size_t i = 0; i < tallies->count; i++) {
        const tally_group_t *group = &tallies->groups[i];
        const char *set = settings->sets[group->set].name,
                   *explainer = settings->models[group->explainer].name;
        for (size_t m = 0; m < tallies->measured.count; m++) {
            double means[PROMPT_FORMAT_COUNT];
            for (int f = 0; f < PROMPT_FORMAT_COUNT; f++) {
                const sample_t *sample = &group->formats[f].measured[m].samples[0];
                means[f] = stats_mean(sample->values, sample->count);
            }
            add_evaluation(set, explainer, tallies->measured.rows[m]->telling->measures[0].label,
                           means, ranks, table);
        }
    }
    if (study) {
        double ratings[PROMPT_FORMAT_COUNT];
        ratings_means(study, ratings);
        add_evaluation("study", "", "rating", ratings, ranks, table);
    }
    size_t evaluations = table->row_count;
    if (evaluations > 0) {
        cell_t *row = table_add_row(table);
        row[0] = cell_text("mean rank");
        row[1] = cell_text("");
        row[2] = cell_text("");
        for (int f = 0; f < PROMPT_FORMAT_COUNT; f++)
            row[RANK_COLUMNS + f] = cell_number(stats_mean(ranks[f].values, ranks[f].count));
        table_add_note(table, "1 is the best mean; ties share the average rank");
    }
    for (int f = 0; f < PROMPT_FORMAT_COUNT; f++)
        free(ranks[f].values);
    if (evaluations > 0)
        return table;
    table_free(table);
    return NULL;
}

/* --- all of them ------------------------------------------------------------------------------ */

/* Tables of one key follow each other. */
static void add_measured(const settings_t *settings, const tally_list_t *tallies, size_t m,
                         bool truth, report_t *report) {
    const stage_telling_t *telling = tallies->measured.rows[m]->telling;
    for (size_t i = 0; i < tallies->count; i++) {
        const tally_group_t *group = &tallies->groups[i];
        table_t *table = is_of_truth(telling, group) == truth
                             ? measured_table(settings, tallies, group, m)
                             : NULL;
        if (table)
            report_add_result(report, table);
    }
}

void tables_add_results(const settings_t *settings, const tally_list_t *tallies,
                        const ratings_t *study, report_t *report) {
    for (size_t i = 0; i < tallies->count; i++)
        report_add_result(report, tokens_table(settings, &tallies->groups[i]));
    for (size_t m = 0; m < tallies->measured.count; m++) {
        add_measured(settings, tallies, m, false, report);
        paired_add_averages(settings, tallies, m, report);
        add_measured(settings, tallies, m, true, report);
    }
    paired_add_tables(settings, tallies, report);
    class_tables_add(settings, tallies, tallies->classes, report);
    if (study)
        ratings_add_tables(study, report);
    table_t *ranks = ranks_table(settings, tallies, study);
    if (ranks)
        report_add_result(report, ranks);
}
