/* paired.c - paired differences and what they are worth. */
#include "tools/report/paired.h"

#include <math.h>
#include <stdlib.h>

#include "core/base/hash.h"
#include "core/base/memory.h"
#include "core/base/resample.h"
#include "core/base/stats.h"

enum { DECIMALS = 3, P_DECIMALS = 4 };

paired_means_t paired_means(const sample_t *sample) {
    paired_means_t means = {0, MEMORY_NEW_ARRAY(sample->count + 1, size_t),
                            MEMORY_NEW_ARRAY(sample->count + 1, double)};
    for (size_t i = 0; i < sample->count;) {
        size_t first = i;
        while (i < sample->count && sample->neurons[i] == sample->neurons[first])
            i++;
        means.neurons[means.count] = sample->neurons[first];
        means.values[means.count++] = stats_mean(sample->values + first, i - first);
    }
    return means;
}

void paired_means_clear(paired_means_t *means) {
    free(means->neurons);
    free(means->values);
    *means = (paired_means_t){0};
}

size_t paired_differences(const paired_means_t *format, const paired_means_t *original,
                          double *differences) {
    size_t count = 0;
    for (size_t i = 0, j = 0; i < format->count && j < original->count;)
        if (format->neurons[i] < original->neurons[j])
            i++;
        else if (format->neurons[i] > original->neurons[j])
            j++;
        else
            differences[count++] = format->values[i++] - original->values[j++];
    return count;
}

uint64_t paired_seed(const settings_t *settings, const tally_group_t *group, const char *measure,
                     prompt_format_t format) {
    hash_builder_t *builder = hash_builder_create("paired difference");
    hash_builder_add_integer(builder, settings->seed);
    hash_builder_add_text(builder, settings->sets[group->set].name);
    hash_builder_add_text(builder, settings->models[group->explainer].name);
    hash_builder_add_text(builder, measure);
    hash_builder_add_integer(builder, format);
    return hash_low64(hash_builder_finish(builder));
}

/* First measures of a measured row. */
static const sample_t *sample_of(const tally_t *tally, size_t row) {
    return &tally->measured[row].samples[0];
}

enum { COLUMN_P = 6 };

static void add_row(const settings_t *settings, const tally_group_t *group, const char *measure,
                    prompt_format_t format, const sample_t *sample, const paired_means_t *original,
                    table_t *table, double *p) {
    paired_means_t means = paired_means(sample);
    double *differences = MEMORY_NEW_ARRAY(means.count + 1, double), low, high;
    size_t count = paired_differences(&means, original, differences);
    uint64_t seed = paired_seed(settings, group, measure, format);
    resample_interval(differences, count, PAIRED_LEVEL, seed, &low, &high);
    *p = resample_sign_test(differences, count, seed);
    cell_t *row = table_add_row(table);
    row[0] = cell_text(measure);
    row[1] = cell_text(prompt_format_name(format));
    row[2] = cell_count(count);
    row[3] = cell_mean(differences, count);
    row[4] = cell_number(low);
    row[5] = cell_number(high);
    row[COLUMN_P] = cell_number(*p);
    free(differences);
    paired_means_clear(&means);
}

/* The formats of one measure are one family. */
static void add_measure(const settings_t *settings, const tally_list_t *tallies,
                        const tally_group_t *group, size_t row, table_t *table) {
    const char *measure = tallies->measured.rows[row]->telling->measures[0].label;
    const sample_t *sample = sample_of(&group->formats[PROMPT_ORIGINAL], row);
    if (sample->count == 0)
        return;
    paired_means_t original = paired_means(sample);
    double p[PROMPT_FORMAT_COUNT], adjusted[PROMPT_FORMAT_COUNT];
    size_t rows = 0, first = table->row_count;
    for (int f = 0; f < PROMPT_FORMAT_COUNT; f++) {
        sample = sample_of(&group->formats[f], row);
        if (f != PROMPT_ORIGINAL && sample->count > 0)
            add_row(settings, group, measure, (prompt_format_t)f, sample, &original, table,
                    &p[rows++]);
    }
    stats_holm(p, rows, adjusted);
    for (size_t i = 0; i < rows; i++)
        table->cells[(first + i) * table->column_count + COLUMN_P + 1] = cell_number(adjusted[i]);
    paired_means_clear(&original);
}

/* NULL: there is nothing to compare. */
static table_t *paired_table(const settings_t *settings, const tally_list_t *tallies,
                             const tally_group_t *group) {
    const char *set = settings->sets[group->set].name,
               *explainer = settings->models[group->explainer].name;
    table_t *table =
        table_create("paired", "Each prompt format against original, on the same neurons");
    table_set_caption(table, "%s, explained by %s", set, explainer);
    table_add_group(table, "set", set);
    table_add_group(table, "explainer", explainer);
    table_add_column(table, "measure", "by", CELL_TEXT, 0, COLUMN_PLAIN);
    table_add_column(table, "format", "format", CELL_TEXT, 0, COLUMN_PLAIN);
    table_add_column(table, "neurons", "neurons", CELL_COUNT, 0, COLUMN_PLAIN);
    table_add_column(table, "difference", "difference", CELL_MEAN, DECIMALS, COLUMN_PLAIN);
    table_add_column(table, "low", "95 % from", CELL_NUMBER, DECIMALS, COLUMN_PLAIN);
    table_add_column(table, "high", "to", CELL_NUMBER, DECIMALS, COLUMN_PLAIN);
    table_add_column(table, "p", "p", CELL_NUMBER, P_DECIMALS, COLUMN_PLAIN);
    table_add_column(table, "p_holm", "p (Holm)", CELL_NUMBER, P_DECIMALS, COLUMN_PLAIN);
    for (size_t row = 0; row < tallies->measured.count; row++)
        add_measure(settings, tallies, group, row, table);
    table_add_note(
        table,
        "mean difference ± standard error (samples of a neuron are averaged first), bootstrap "
        "interval, p-value of a sign-flip permutation test, and corrected over the formats");
    if (table->row_count > 0)
        return table;
    table_free(table);
    return NULL;
}

/* --- averages over sets ----------------------------------------------------------------------- */

/* Both averages of one explainer and format over the neuron sets that have values. */
static void add_average(const tally_list_t *tallies, size_t explainer, prompt_format_t format,
                        size_t row, table_t *table) {
    sample_t pooled = {0};
    size_t sets = 0;
    double sum = 0, variance = 0;
    for (size_t i = 0; i < tallies->count; i++) {
        const sample_t *sample = sample_of(&tallies->groups[i].formats[format], row);
        if (tallies->groups[i].explainer != explainer || tallies->groups[i].truth ||
            sample->count == 0)
            continue;
        pooled.values = memory_resize(pooled.values, pooled.count + sample->count, sizeof(double));
        for (size_t j = 0; j < sample->count; j++)
            pooled.values[pooled.count++] = sample->values[j];
        double error = stats_standard_error(sample->values, sample->count);
        sum += stats_mean(sample->values, sample->count);
        variance += error * error;
        sets++;
    }
    if (sets > 0) {
        double count = (double)sets;
        cell_t *cells = table_add_row(table);
        cells[0] = cell_text(prompt_format_name(format));
        cells[1] = cell_count(sets);
        cells[2] = cell_count(pooled.count);
        cells[3] = cell_mean(pooled.values, pooled.count);
        cells[4] = (cell_t){.kind = CELL_MEAN,
                            .whole = (int64_t)sets,
                            .number = sum / count,
                            .spread = sqrt(variance) / count};
    }
    free(pooled.values);
}

/* How many neuron sets the explainer has values for. */
static size_t sets_of(const tally_list_t *tallies, size_t explainer, size_t row) {
    size_t sets = 0;
    for (size_t i = 0; i < tallies->count; i++) {
        size_t values = 0;
        for (int f = 0; f < PROMPT_FORMAT_COUNT; f++)
            values += sample_of(&tallies->groups[i].formats[f], row)->count;
        sets += tallies->groups[i].explainer == explainer && !tallies->groups[i].truth && values > 0
                    ? 1
                    : 0;
    }
    return sets;
}

void paired_add_averages(const settings_t *settings, const tally_list_t *tallies, size_t row,
                         report_t *report) {
    const stage_telling_t *telling = tallies->measured.rows[row]->telling;
    for (size_t e = 0; e < settings->model_count; e++) {
        if (sets_of(tallies, e, row) < 2)
            continue;
        char *key = memory_format("%s_average", telling->table.key);
        table_t *table = table_create(key, telling->average);
        free(key);
        table_set_caption(table, "explained by %s", settings->models[e].name);
        table_add_group(table, "explainer", settings->models[e].name);
        table_add_column(table, "format", "format", CELL_TEXT, 0, COLUMN_PLAIN);
        table_add_column(table, "sets", "sets", CELL_COUNT, 0, COLUMN_PLAIN);
        table_add_column(table, "values", "values", CELL_COUNT, 0, COLUMN_PLAIN);
        table_add_column(table, "pooled", "pooled", CELL_MEAN, DECIMALS, COLUMN_PLAIN);
        table_add_column(table, "plain", "mean of sets", CELL_MEAN, DECIMALS, COLUMN_PLAIN);
        for (int f = 0; f < PROMPT_FORMAT_COUNT; f++)
            add_average(tallies, e, (prompt_format_t)f, row, table);
        table_add_note(table,
                       "pooled: all values together (as the paper's averages); mean of sets: each "
                       "set counts the same; ± standard error; puzzles are not counted");
        report_add_result(report, table);
    }
}

void paired_add_tables(const settings_t *settings, const tally_list_t *tallies, report_t *report) {
    for (size_t i = 0; i < tallies->count; i++) {
        table_t *table = paired_table(settings, tallies, &tallies->groups[i]);
        if (table)
            report_add_result(report, table);
    }
}
