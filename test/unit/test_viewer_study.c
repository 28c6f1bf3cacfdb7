/* test_viewer_study.c - the study's rules (dealing, order, names, identical texts) and the
 * study as it is kept. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "core/base/memory.h"
#include "store_dir.h"
#include "tools/viewer/study_store.h"

enum { ITEMS = 50, RATERS = 4 };

/* How many raters get each neuron, with how many pages a rater. */
static void deal_all(uint64_t seed, double overlap, size_t counts[ITEMS], size_t pages[RATERS]) {
    size_t order[ITEMS];
    memset(counts, 0, ITEMS * sizeof *counts);
    for (size_t r = 0; r < RATERS; r++) {
        pages[r] = study_deal(seed, ITEMS, RATERS, overlap, r, order);
        for (size_t i = 0; i < pages[r]; i++) {
            assert_true(order[i] < ITEMS);
            counts[order[i]]++;
        }
    }
}

static void overlap_goes_to_all_and_the_rest_is_dealt_out(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed < 20; seed++) {
        size_t counts[ITEMS], pages[RATERS], shared = 0;
        deal_all(seed, 0.3, counts, pages);
        for (size_t i = 0; i < ITEMS; i++) {
            assert_true(counts[i] == 1 || counts[i] == RATERS);
            shared += counts[i] == RATERS;
        }
        assert_int_equal(shared, 15);
        size_t least = ITEMS, most = 0;
        for (size_t r = 0; r < RATERS; r++) {
            least = pages[r] < least ? pages[r] : least;
            most = pages[r] > most ? pages[r] : most;
        }
        assert_true(most - least <= 1);
    }
}

static void overlap_may_be_nothing_or_all(void **state) {
    (void)state;
    size_t counts[ITEMS], pages[RATERS];
    deal_all(7, 0, counts, pages);
    for (size_t i = 0; i < ITEMS; i++)
        assert_int_equal(counts[i], 1);
    deal_all(7, 1, counts, pages);
    for (size_t i = 0; i < ITEMS; i++)
        assert_int_equal(counts[i], RATERS);
    assert_int_equal(study_shared(10, 0.25), 3);
    assert_int_equal(study_shared(0, 1), 0);
}

static void dealing_follows_the_seed(void **state) {
    (void)state;
    size_t first[ITEMS], again[ITEMS], other[ITEMS];
    size_t count = study_deal(11, ITEMS, RATERS, 0.5, 2, first);
    assert_int_equal(study_deal(11, ITEMS, RATERS, 0.5, 2, again), count);
    assert_memory_equal(first, again, count * sizeof *first);
    study_deal(12, ITEMS, RATERS, 0.5, 2, other);
    assert_memory_not_equal(first, other, count * sizeof *first);
}

/* Every explanation stands in every place about equally often, over neurons and over raters. */
static void order_is_random_for_each_rater_and_neuron(void **state) {
    (void)state;
    enum { COUNT = 5, NEURONS = 400 };
    size_t places[COUNT][COUNT] = {{0}}, same = 0;
    for (size_t rater = 0; rater < 2; rater++)
        for (size_t item = 0; item < NEURONS; item++) {
            size_t order[COUNT], other[COUNT], seen = 0;
            study_order(3, rater, item, COUNT, order);
            study_order(3, rater + 1, item, COUNT, other);
            same += memcmp(order, other, sizeof order) == 0;
            for (size_t i = 0; i < COUNT; i++) {
                places[order[i]][i]++;
                seen |= (size_t)1 << order[i];
            }
            assert_int_equal(seen, (1 << COUNT) - 1);
        }
    assert_true(same < 40); /* 800 of 1 in 120 by chance: about 7 */
    for (size_t e = 0; e < COUNT; e++)
        for (size_t i = 0; i < COUNT; i++)
            assert_in_range(places[e][i], 110, 210); /* 160 expected, sd 11 */
}

/* A name tells neither the explanation nor, without the seed, anything else; no
 * two are the same. */
static void names_are_opaque_and_differ(void **state) {
    (void)state;
    char names[2][3][4][STUDY_NAME_SIZE];
    for (size_t r = 0; r < 2; r++)
        for (size_t item = 0; item < 3; item++)
            for (size_t place = 0; place < 4; place++) {
                study_name(5, r, item, place, names[r][item][place]);
                assert_int_equal(strspn(names[r][item][place], "0123456789abcdef"),
                                 STUDY_NAME_SIZE - 1);
            }
    const char(*all)[STUDY_NAME_SIZE] = (const char(*)[STUDY_NAME_SIZE])names;
    for (size_t i = 0; i < 24; i++)
        for (size_t k = 0; k < i; k++)
            assert_string_not_equal(all[i], all[k]);
    char other[STUDY_NAME_SIZE];
    study_name(6, 0, 0, 0, other);
    assert_string_not_equal(other, all[0]);
}

static void identical_texts_make_groups(void **state) {
    (void)state;
    const char *const texts[] = {"birds", "trees", "birds", "Birds", "trees", "birds"};
    const size_t expected[] = {0, 1, 0, 3, 1, 0};
    size_t groups[6];
    assert_int_equal(study_group(texts, 6, groups), 3);
    assert_memory_equal(groups, expected, sizeof expected);
}

static void codes_fit_an_address(void **state) {
    (void)state;
    assert_true(study_code_is_valid("Anna-7_b"));
    assert_false(study_code_is_valid(""));
    assert_false(study_code_is_valid("a/b"));
    assert_false(study_code_is_valid("a b"));
    assert_false(study_code_is_valid("\xC3\xA9"));
    char code[66];
    memset(code, 'a', sizeof code);
    code[65] = '\0';
    assert_false(study_code_is_valid(code));
    code[64] = '\0';
    assert_true(study_code_is_valid(code));
}

/* --- kept ------------------------------------------------------------------------------------- */

static char *formats[] = {"original", "summary", "avhs"};
static char *raters[] = {"anna", "ben"};
static char *texts[2][3] = {{"birds", "trees", "birds"}, {"one, \"two\"", "b", "c"}};

static neuron_record_t *make_neuron(const char *id) {
    neuron_record_t *neuron = MEMORY_NEW(neuron_record_t);
    neuron->source = NEURON_SOURCE_RECORDS;
    neuron->id = memory_copy_string(id);
    neuron->layer = neuron->index = -1;
    neuron->top.count = 1;
    neuron->top.records = MEMORY_NEW(activation_record_t);
    neuron->top.records[0].count = 1;
    neuron->top.records[0].tokens = MEMORY_NEW(token_t);
    neuron->top.records[0].tokens[0] = (token_t){memory_copy_string("a"), 1};
    neuron->top.records[0].activations = MEMORY_NEW(float);
    return neuron;
}

static study_t *make_study(const char *path, bool merge, error_info_t *error) {
    study_item_t items[2] = {
        {.set = "s", .id = "5:7", .layer = 5, .index = 7, .texts = texts[0]},
        {.set = "s", .id = "x,y", .layer = -1, .index = -1, .texts = texts[1]}};
    study_definition_t definition = {.seed = 9,
                                     .overlap = 1,
                                     .merge = merge,
                                     .rater_count = 2,
                                     .raters = raters,
                                     .format_count = 3,
                                     .formats = formats,
                                     .item_count = 2,
                                     .items = items};
    neuron_record_t *records[2] = {make_neuron("5:7"), make_neuron("x,y")};
    study_t *study =
        study_create(path, &definition, (const neuron_record_t *const *)records, error);
    neuron_record_free(records[0]);
    neuron_record_free(records[1]);
    return study;
}

static void a_study_is_kept_whole(void **state) {
    (void)state;
    error_info_t error = {0};
    char *path = store_dir_make(), *directory = memory_format("%s/study", path);
    study_answer_t answer = {.utc = 5, .count = 3, .ratings = {1, 5, 3}, .best = 1}, read;
    assert_false(study_exists(directory));
    study_t *study = make_study(directory, false, &error);
    assert_non_null(study);
    assert_true(study_answer_put(study, 1, 0, &answer, &error));
    study_close(study);
    assert_true(study_exists(directory));
    assert_null(make_study(directory, false, &error)); /* never over one that is there */
    assert_non_null(strstr(error.message, "already"));
    study = study_open(directory, true, &error);
    assert_non_null(study);
    size_t rater;
    assert_true(study_find_rater(study, "ben", &rater));
    assert_int_equal(rater, 1);
    assert_false(study_find_rater(study, "carl", &rater));
    assert_true(study_answer_get(study, 1, 0, &read, &error));
    assert_int_equal(read.best, 1);
    assert_int_equal(read.ratings[1], 5);
    assert_false(study_answer_get(study, 0, 0, &read, &error));
    neuron_record_t *record = study_record(study, 1, &error);
    assert_string_equal(record->id, "x,y");
    neuron_record_free(record);
    assert_string_equal(study_definition(study)->items[0].texts[1], "trees");
    study_close(study);
    free(directory);
    store_dir_remove(path);
}

static void check_export(bool merge, const char *expected) {
    error_info_t error = {0};
    char *path = store_dir_make(), *directory = memory_format("%s/study", path);
    study_t *study = make_study(directory, merge, &error);
    study_answer_t first = {.count = 3, .ratings = {4, 2, 4}, .best = 0};
    study_answer_t second = {.count = 3, .ratings = {1, 2, 3}, .best = 2};
    assert_true(study_answer_put(study, 0, 0, &first, &error));
    assert_true(study_answer_put(study, 1, 1, &second, &error));
    buffer_t rows = BUFFER_EMPTY;
    assert_true(study_export(study, &rows, &error));
    assert_string_equal(buffer_text(&rows), expected);
    buffer_free(&rows);
    study_close(study);
    free(directory);
    store_dir_remove(path);
}

static void export_has_a_row_for_each_format(void **state) {
    (void)state;
    check_export(false, "rater,set,layer,neuron,overlap,format,rating,best\n"
                        "anna,s,5,7,1,original,4,1\n"
                        "anna,s,5,7,1,summary,2,0\n"
                        "anna,s,5,7,1,avhs,4,0\n"
                        "ben,s,,\"x,y\",1,original,1,0\n"
                        "ben,s,,\"x,y\",1,summary,2,0\n"
                        "ben,s,,\"x,y\",1,avhs,3,1\n");
}

static void merged_texts_share_the_credit(void **state) {
    (void)state;
    check_export(true, "rater,set,layer,neuron,overlap,format,rating,best\n"
                       "anna,s,5,7,1,original,4,0.5\n"
                       "anna,s,5,7,1,summary,2,0\n"
                       "anna,s,5,7,1,avhs,4,0.5\n"
                       "ben,s,,\"x,y\",1,original,1,0\n"
                       "ben,s,,\"x,y\",1,summary,2,0\n"
                       "ben,s,,\"x,y\",1,avhs,3,1\n");
}

static void a_store_without_a_study_is_refused(void **state) {
    (void)state;
    error_info_t error = {0};
    char *path = store_dir_make();
    store_close(store_dir_open(path, STORE_WRITE));
    assert_null(study_open(path, true, &error));
    assert_int_equal(error.class_, ERROR_CONFIG);
    store_dir_remove(path);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(overlap_goes_to_all_and_the_rest_is_dealt_out),
        cmocka_unit_test(overlap_may_be_nothing_or_all),
        cmocka_unit_test(dealing_follows_the_seed),
        cmocka_unit_test(order_is_random_for_each_rater_and_neuron),
        cmocka_unit_test(names_are_opaque_and_differ),
        cmocka_unit_test(identical_texts_make_groups),
        cmocka_unit_test(codes_fit_an_address),
        cmocka_unit_test(a_study_is_kept_whole),
        cmocka_unit_test(export_has_a_row_for_each_format),
        cmocka_unit_test(merged_texts_share_the_credit),
        cmocka_unit_test(a_store_without_a_study_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
