/* test_ratings.c - ratings of people: the file, its faults, and its two tables
 * worked out by hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <string.h>

#include "tools/report/ratings.h"

/* Two raters on the overlap 1:2, one of them on 3:4 too. Columns stand in another order
 * than the viewer's. */
static const char RATINGS[] = "rater,set,layer,neuron,format,overlap,best,rating\n"
                              "ann,s,1,2,original,1,0,1\nann,s,1,2,summary,1,1,5\n"
                              "bob,s,1,2,original,1,1,3\nbob,s,1,2,summary,1,0,3\n"
                              "bob,s,3,4,summary,0,1,4\nbob,s,3,4,original,0,0,2\n";

static void assert_near(double got, double wanted) {
    if (!(fabs(got - wanted) < 1e-12))
        fail_msg("%.17g instead of %.17g", got, wanted);
}

static void makes_tables(void **state) {
    (void)state;
    ratings_t study;
    error_info_t error;
    report_t report = {0};
    assert_true(ratings_parse(RATINGS, strlen(RATINGS), "study.csv", &study, &error));
    assert_int_equal(study.rater_count, 2);
    assert_int_equal(study.page_count, 2);
    ratings_add_tables(&study, &report);
    const table_t *ratings = report.results[0], *tests = report.results[1];
    assert_int_equal(ratings->row_count, 2);
    assert_int_equal(table_cell(ratings, 0, 1)->whole, 3);
    assert_near(table_cell(ratings, 0, 2)->number, 2);
    assert_near(table_cell(ratings, 0, 2)->spread, 1 / sqrt(3));
    assert_near(table_cell(ratings, 0, 4)->number, 1.0 / 3);
    assert_near(table_cell(ratings, 1, 2)->number, 4);
    assert_near(table_cell(ratings, 1, 4)->number, 2.0 / 3);
    assert_int_equal(table_cell(tests, 0, 2)->whole, 2); /* 3:4 is no overlap */
    /* Ratings 1-3 and 5-3: n(1) = n(5) = 1, n(3) = 2. Distances: 1-3 and 3-5 (1 + 2 -
     * 1.5)^2, 1-5 (4 - 1)^2. Observed 2 * 2.25; expected (2 * 2.25 + 2 * 2.25 + 9) / 3 = 6;
     * alpha = 1 - 4.5 / 6. */
    assert_near(table_cell(tests, 0, 3)->number, 0.25);
    assert_near(table_cell(tests, 0, 4)->number, 1.0 / 3); /* 1 and 2 against 1.5 */
    assert_int_equal(table_cell(tests, 0, 5)->whole, 1);
    assert_near(table_cell(tests, 0, 6)->number, erfc(sqrt(1.0 / 6)));
    assert_string_equal(tests->notes[1], "raters: ann, bob");
    double means[PROMPT_FORMAT_COUNT];
    ratings_means(&study, means);
    assert_near(means[PROMPT_SUMMARY], 4);
    assert_true(isnan(means[PROMPT_AVHS]));
    report_clear(&report);
    ratings_clear(&study);
}

static void names_faults(void **state) {
    (void)state;
#define HEAD "rater,set,layer,neuron,overlap,format,rating,best\n"
    static const char *const faults[][2] = {
        {"", "s.csv: it is empty"},
        {"rater,set\n", "s.csv:1: the header has no column \"layer\"; a study has rater, set, "
                        "layer, neuron, overlap, format, rating, best"},
        {HEAD, "s.csv: it holds no ratings"},
        {HEAD "a,s,1,2,1,original,6,0\n", "s.csv:2: rating \"6\" is no number from 1 to 5"},
        {HEAD "a,s,1,2,1,original,,0\n", "s.csv:2: rating \"\" is no number from 1 to 5"},
        {HEAD "a,s,1,2,1,original,1,2\n", "s.csv:2: best \"2\" is no number from 0 to 1"},
        {HEAD "a,s,1,2,x,original,1,1\n", "s.csv:2: overlap \"x\" is neither 0 nor 1"},
        {HEAD "a,s,1,2,1,other,1,1\n", "s.csv:2: \"other\" is no prompt format"},
        {HEAD ",s,1,2,1,avhs,1,1\n", "s.csv:2: the row has no rater"},
        {HEAD "a,s,1,2,1,avhs,1\n", "s.csv:2: 7 fields, the header has 8"},
        {HEAD "a,s,1,2,1,avhs,1,1\nb,s,1,2,1,avhs,1,1\na,s,1,2,1,avhs,2,0\n",
         "s.csv: rater a rated avhs of s/1:2 twice"},
    };
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
        ratings_t study;
        error_info_t error;
        assert_false(ratings_parse(faults[i][0], strlen(faults[i][0]), "s.csv", &study, &error));
        assert_string_equal(error.message, faults[i][1]);
        assert_int_equal(study.row_count, 0);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(makes_tables),
        cmocka_unit_test(names_faults),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
