/* How often explanations name the class of their neuron: counts, chance and the table,
 * worked out by hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <math.h>

#include "core/base/buffer.h"
#include "core/base/memory.h"
#include "tools/report/class_table.h"
#include "tools/report/render.h"

static const char example[] =
    "{\"classes\": ["
    "{\"name\": \"colours\", \"kind\": \"words\", \"keywords\": [\"colour\"], \"values\": "
    "[\"red\"]},"
    "{\"name\": \"birds\", \"kind\": \"words\", \"keywords\": [\"bird\"], \"values\": [\"owl\"]},"
    "{\"name\": \"fish\", \"kind\": \"words\", \"keywords\": [\"fish\"], \"values\": [\"eel\"]}]}";
enum { COLOURS, BIRDS, FISH };

static word_classes_t *parse(void) {
    error_info_t error = {0};
    word_classes_t *classes = classes_parse(example, strlen(example), &error);
    assert_non_null(classes);
    return classes;
}

static void add(class_tally_t *tally, const word_classes_t *classes, size_t class_,
                const char *explanation) {
    class_choice_t choice = {.class_ = class_};
    class_tally_add(tally, classes, &choice, explanation);
}

static void fill(class_tally_t *tally, const word_classes_t *classes) {
    add(tally, classes, COLOURS, "names of colours");
    add(tally, classes, COLOURS, "birds");
    add(tally, classes, BIRDS, "birds and colours");
    add(tally, classes, FISH, "something");
    add(tally, classes, FISH, NULL);                  /* not explained */
    class_tally_add(tally, classes, NULL, "colours"); /* not selective */
    class_tally_add(tally, classes, NULL, NULL);
}

static void counts_what_is_named(void **state) {
    (void)state;
    word_classes_t *classes = parse();
    class_tally_t tally = {0};
    assert_true(isnan(class_tally_by_chance(&tally)));
    fill(&tally, classes);
    assert_int_equal(tally.neurons, 5);
    assert_int_equal(tally.selective, 5);
    assert_int_equal(tally.count, 4);
    assert_int_equal(class_tally_named(&tally), 2);
    /* of three others: colours 1, colours 2, birds 1, fish 0 */
    assert_float_equal(class_tally_by_chance(&tally), 4.0 / 3, 1e-12);
    class_tally_clear(&tally);
    classes_free(classes);
}

static void shows_a_table(void **state) {
    (void)state;
    word_classes_t *classes = parse();
    set_settings_t set = {.name = (char *)"s",
                          .formats = {[PROMPT_SUMMARY] = true, [PROMPT_AVHS] = true}};
    model_settings_t model = {.name = (char *)"m"};
    settings_t settings = {.sets = &set, .set_count = 1, .models = &model, .model_count = 1};
    tally_group_t group = {0};
    tally_list_t list = {.count = 1, .groups = &group};
    report_t report = {0};
    class_tables_add(&settings, &list, classes, &report);
    class_tables_add(&settings, &list, NULL, &report);
    assert_int_equal(report.result_count, 0);
    fill(&group.formats[PROMPT_SUMMARY].classes, classes);
    class_tables_add(&settings, &list, classes, &report);
    assert_int_equal(report.result_count, 1);
    const table_t *table = report.results[0];
    assert_int_equal(table->row_count, 2);
    assert_string_equal(table_cell(table, 0, 0)->text, "summary");
    static const int64_t wholes[] = {5, 5, 4, 2};
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(table_cell(table, 0, 1 + i)->whole, wholes[i]);
    assert_float_equal(table_cell(table, 0, 5)->number, 0.5, 1e-12);
    assert_float_equal(table_cell(table, 0, 6)->number, 1.0 / 3, 1e-12);
    assert_int_equal(table_cell(table, 1, 3)->whole, 0);
    assert_int_equal(table_cell(table, 1, 5)->kind, CELL_NONE);
    assert_int_equal(table_cell(table, 1, 6)->kind, CELL_NONE);
    assert_string_equal(table->notes[1], "neurons by class: colours 2, birds 1, fish 1");
    report_clear(&report);
    class_tally_clear(&group.formats[PROMPT_SUMMARY].classes);
    classes_free(classes);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_what_is_named),
        cmocka_unit_test(shows_a_table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
