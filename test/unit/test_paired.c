/* test_paired.c - paired differences and averages over sets, worked out by hand; the
 * arithmetic of the paper. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/csv.h"
#include "core/base/memory.h"
#include "core/base/numbers.h"
#include "core/base/stats.h"
#include "tools/report/paired.h"
#include "tools/report/tables.h"

enum { SCORE, ADACS }; /* the measured rows that glia comes with, in their order */

static const char CONFIG[] =
    "[budget]\ntotal_usd = 1\n"
    "[endpoints.here]\nbase_url = \"standin:\"\n"
    "[models.chat]\nendpoints = [\"here\"]\nprice = { input = 1, output = 1 }\n"
    "[sets.a]\nsource = \"store:a\"\n[sets.b]\nsource = \"store:b\"\n"
    "[explain]\nmodels = [\"chat\"]\n";

static settings_t *load(void) {
    error_info_t error;
    settings_t *settings = settings_load(CONFIG, strlen(CONFIG), "config", NULL, 0, true, &error);
    if (!settings)
        fail_msg("%s", error.message);
    return settings;
}

static void assert_near(double got, double wanted) {
    if (!(fabs(got - wanted) < 1e-12))
        fail_msg("%.17g instead of %.17g", got, wanted);
}

static const table_t *find(const report_t *report, const char *key) {
    for (size_t i = 0; i < report->result_count; i++)
        if (strcmp(report->results[i]->key, key) == 0)
            return report->results[i];
    fail_msg("no table %s", key);
    return NULL;
}

static double number(const table_t *table, size_t row, const char *column) {
    for (size_t c = 0; c < table->column_count; c++)
        if (strcmp(table->columns[c].key, column) == 0)
            return table_cell(table, row, c)->number;
    fail_msg("no column %s", column);
    return 0;
}

/* Neuron 0 has two samples, neuron 1 lacks the format, neuron 3 lacks original. */
static double original[] = {0.2, 0.4, 0.5, 0.1}, summary[] = {0.5, 0.7, 0.2, 0.9},
              avhs[] = {0.4, 0.5, 0.1};
static size_t original_of[] = {0, 0, 1, 2}, summary_of[] = {0, 0, 2, 3}, avhs_of[] = {0, 1, 2};

static void pairs_neurons(void **state) {
    (void)state;
    settings_t *settings = load();
    tally_group_t group = {.set = 0};
    group.formats[PROMPT_ORIGINAL].measured[SCORE].samples[0] =
        (sample_t){.count = 4, .capacity = 4, .values = original, .neurons = original_of};
    group.formats[PROMPT_SUMMARY].measured[SCORE].samples[0] =
        (sample_t){.count = 4, .capacity = 4, .values = summary, .neurons = summary_of};
    group.formats[PROMPT_AVHS].measured[SCORE].samples[0] =
        (sample_t){.count = 3, .capacity = 3, .values = avhs, .neurons = avhs_of};
    report_t report = {0};
    paired_add_tables(settings, &(tally_list_t){stages_measured(&stages_shipped), 1, &group, NULL},
                      &report);
    const table_t *table = find(&report, "paired");
    assert_int_equal(table->row_count, 2);
    /* summary: 0.6 - 0.3 and 0.2 - 0.1; two of four assignments of signs are as far. */
    assert_string_equal(table_cell(table, 0, 1)->text, "summary");
    assert_int_equal(table_cell(table, 0, 2)->whole, 2);
    assert_near(number(table, 0, "difference"), 0.2);
    assert_near(table_cell(table, 0, 3)->spread, 0.1);
    assert_near(number(table, 0, "low"), 0.1);
    assert_near(number(table, 0, "high"), 0.3);
    assert_near(number(table, 0, "p"), 0.5);
    assert_near(number(table, 0, "p_holm"), 1);
    /* avhs: 0.4 - 0.3, 0.5 - 0.5, 0.1 - 0.1; four of eight. */
    assert_int_equal(table_cell(table, 1, 2)->whole, 3);
    assert_near(number(table, 1, "difference"), 0.1 / 3);
    assert_near(number(table, 1, "p"), 1);
    report_clear(&report);
    settings_free(settings);
}

static void averages_sets(void **state) {
    (void)state;
    settings_t *settings = load();
    double first[] = {0.1, 0.3}, second[] = {0.5, 0.7, 0.6, 0.6}, third[] = {9, 9};
    size_t neurons[] = {0, 1, 2, 3};
    tally_group_t groups[3] = {{.set = 0}, {.set = 1}, {.set = 1, .truth = true}};
    groups[0].formats[PROMPT_SUMMARY].measured[ADACS].samples[0] =
        (sample_t){.count = 2, .capacity = 2, .values = first, .neurons = neurons};
    groups[1].formats[PROMPT_SUMMARY].measured[ADACS].samples[0] =
        (sample_t){.count = 4, .capacity = 4, .values = second, .neurons = neurons};
    groups[2].formats[PROMPT_SUMMARY].measured[ADACS].samples[0] =
        (sample_t){.count = 2, .capacity = 2, .values = third, .neurons = neurons};
    report_t report = {0};
    paired_add_averages(settings,
                        &(tally_list_t){stages_measured(&stages_shipped), 3, groups, NULL}, ADACS,
                        &report);
    assert_int_equal(report.result_count, 1);
    const table_t *table = find(&report, "adacs_average");
    assert_int_equal(table->row_count, 1);
    assert_int_equal(table_cell(table, 0, 1)->whole, 2);
    assert_int_equal(table_cell(table, 0, 2)->whole, 6);
    assert_near(number(table, 0, "pooled"), 2.8 / 6);
    assert_near(number(table, 0, "plain"), 0.4);
    /* Standard errors of the sets: 0.1, and sqrt(0.02 / 3 / 4). */
    assert_near(table_cell(table, 0, 4)->spread, sqrt(0.01 + 0.02 / 12) / 2);
    report_clear(&report);
    paired_add_averages(settings,
                        &(tally_list_t){stages_measured(&stages_shipped), 1, groups, NULL}, ADACS,
                        &report);
    assert_int_equal(report.result_count, 0); /* one set is no average */
    settings_free(settings);
}

/* --- the paper's figures ---------------------------------------------------------------------- */

static double rounded(double value, int decimals) {
    return round(value * pow(10, decimals)) / pow(10, decimals);
}

/* The paper says that its formats take 1.72 to 2.64 times fewer tokens; its means are 2338, 959,
 * 886, 1032, 1360. */
static void ratios_of_table_1(void **state) {
    (void)state;
    settings_t *settings = load();
    double tokens[PROMPT_FORMAT_COUNT] = {2338, 959, 886, 1032, 1360};
    static const double times[PROMPT_FORMAT_COUNT] = {1, 2.44, 2.64, 2.27, 1.72};
    size_t neuron = 0;
    tally_group_t group = {.set = 0};
    for (int f = 0; f < PROMPT_FORMAT_COUNT; f++)
        group.formats[f].total_tokens =
            (sample_t){.count = 1, .capacity = 1, .values = &tokens[f], .neurons = &neuron};
    report_t report = {0};
    tables_add_results(settings, &(tally_list_t){stages_measured(&stages_shipped), 1, &group, NULL},
                       NULL, &report);
    const table_t *table = find(&report, "tokens");
    for (size_t f = 0; f < PROMPT_FORMAT_COUNT; f++)
        assert_near(rounded(1 / number(table, f, "total_ratio"), 2), times[f]);
    report_clear(&report);
    settings_free(settings);
}

/* Columns Original to AVHS of a published CSV of five neurons into the samples. False: the
 * file is not there. */
static bool read_published(const char *name, double values[PROMPT_FORMAT_COUNT][5]) {
    char *path = memory_format("../shared/data/paper/%s", name);
    buffer_t text = BUFFER_EMPTY;
    bool there = buffer_read_file(&text, path, 0, NULL);
    csv_t *csv = there ? csv_open(buffer_text(&text), text.length, name) : NULL;
    const char *const *fields;
    size_t count;
    for (size_t row = 0; there && csv_next(csv, &count, &fields, NULL) == CSV_RECORD; row++)
        for (size_t f = 0; row > 0 && f < PROMPT_FORMAT_COUNT; f++)
            assert_true(number_parse(fields[count - PROMPT_FORMAT_COUNT + f], &values[f][row - 1]));
    csv_close(csv);
    buffer_free(&text);
    free(path);
    return there;
}

static size_t five[] = {0, 1, 2, 3, 4};

static void means_of_five_neurons(void **state) {
    (void)state;
    double tokens[PROMPT_FORMAT_COUNT][5], scores[PROMPT_FORMAT_COUNT][5],
        cosines[PROMPT_FORMAT_COUNT][5];
    if (!read_published("test_neurons_tokens.csv", tokens) ||
        !read_published("test_neurons_results_score.csv", scores) ||
        !read_published("test_neurons_results_adaCS.csv", cosines)) {
        print_message("../shared/data/paper is not here: skipped\n");
        skip();
    }
    settings_t *settings = load();
    tally_group_t group = {.set = 0};
    for (int f = 0; f < PROMPT_FORMAT_COUNT; f++) {
        group.formats[f].total_tokens =
            (sample_t){.count = 5, .capacity = 5, .values = tokens[f], .neurons = five};
        group.formats[f].measured[SCORE].samples[0] =
            (sample_t){.count = 5, .capacity = 5, .values = scores[f], .neurons = five};
        group.formats[f].measured[ADACS].samples[0] =
            (sample_t){.count = 5, .capacity = 5, .values = cosines[f], .neurons = five};
        group.formats[f].measured[SCORE].progress.wanted =
            group.formats[f].measured[ADACS].progress.wanted = 5;
    }
    report_t report = {0};
    tables_add_results(settings, &(tally_list_t){stages_measured(&stages_shipped), 1, &group, NULL},
                       NULL, &report);
    static const double mean_tokens[] = {2376.6, 963.2, 885, 1022.4, 1269.6};
    static const double mean_scores[] = {0.196, 0.278, 0.262, 0.238, 0.236};
    static const double score_ranks[] = {5, 1, 2, 3, 4}, cosine_ranks[] = {5, 3, 2, 1, 4};
    static const double mean_cosines[] = {0.8444, 0.8692, 0.8712, 0.8810, 0.8456};
    for (size_t f = 0; f < PROMPT_FORMAT_COUNT; f++) {
        assert_near(number(find(&report, "tokens"), f, "total_tokens"), mean_tokens[f]);
        assert_near(number(find(&report, "scores"), f, "score"), mean_scores[f]);
        assert_near(rounded(number(find(&report, "adacs"), f, "adacs"), 4), mean_cosines[f]);
        const char *name = prompt_format_name((prompt_format_t)f);
        assert_near(number(find(&report, "ranks"), 0, name), score_ranks[f]);
        assert_near(number(find(&report, "ranks"), 1, name), cosine_ranks[f]);
        assert_near(number(find(&report, "ranks"), 2, name),
                    (score_ranks[f] + cosine_ranks[f]) / 2);
    }
    /* All five neurons score higher by highlight than by original: 2 of 32. */
    assert_near(number(find(&report, "paired"), 1, "p"), 2.0 / 32);
    report_clear(&report);
    settings_free(settings);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pairs_neurons),
        cmocka_unit_test(averages_sets),
        cmocka_unit_test(ratios_of_table_1),
        cmocka_unit_test(means_of_five_neurons),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
