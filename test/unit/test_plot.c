/* test_plot.c - drawings: where marks go, what stands at axes, and that texts stay texts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <string.h>

#include "core/base/memory.h"
#include "tools/report/plots.h"

static const char CONFIG[] =
    "[budget]\ntotal_usd = 1\n"
    "[endpoints.here]\nbase_url = \"standin:\"\n"
    "[models.\"<b>\"]\nendpoints = [\"here\"]\nprice = { input = 1, output = 1 }\n"
    "[sets.s]\nsource = \"store:s\"\n"
    "[explain]\nmodels = [\"<b>\"]\nformats = [\"original\", \"summary\"]\n";

static size_t count(const char *text, const char *part) {
    size_t found = 0;
    for (const char *at = text; (at = strstr(at, part)); at++)
        found++;
    return found;
}

static void places_marks(void **state) {
    (void)state;
    buffer_t out = BUFFER_EMPTY;
    plot_t plot = {.out = &out,
                   .left = 100,
                   .top = 50,
                   .width = 200,
                   .height = 80,
                   .x_from = -1,
                   .x_to = 1,
                   .y_from = 0,
                   .y_to = 4};
    plot_point(&plot, 0, 1, 1);
    /* a quarter up from 130 */
    assert_non_null(strstr(buffer_text(&out), "class=\"m c1\" d=\"M200.0 110.0"));
    plot_bar(&plot, -1, 0, 0, 4, 2);
    assert_non_null(
        strstr(buffer_text(&out), "x=\"100.0\" y=\"50.0\" width=\"100.0\" height=\"80.0\""));
    const double x[] = {-1, 0, 1, 1}, y[] = {0, 4, NAN, 2};
    buffer_clear(&out);
    plot_path(&plot, x, y, 4, 3);
    /* NaN: a gap */
    assert_non_null(strstr(buffer_text(&out), "d=\"M100.0 130.0L200.0 50.0M300.0 90.0\""));
    assert_int_equal(count(buffer_text(&out), "class=\"m c3\""), 3);
    buffer_free(&out);
}

static void ticks_at_round_numbers(void **state) {
    (void)state;
    buffer_t out = BUFFER_EMPTY;
    plot_t plot = {.out = &out,
                   .left = 0,
                   .top = 0,
                   .width = 100,
                   .height = 100,
                   .x_from = -0.21,
                   .x_to = 0.83,
                   .y_from = 0,
                   .y_to = 47};
    plot_axis_x(&plot, "<label> & \"more\"");
    static const char *const ticks[] = {">-0.2<", ">0.0<", ">0.2<", ">0.4<", ">0.6<", ">0.8<"};
    for (size_t i = 0; i < sizeof ticks / sizeof ticks[0]; i++)
        assert_non_null(strstr(buffer_text(&out), ticks[i]));
    assert_null(strstr(buffer_text(&out), ">-0.0<"));
    assert_non_null(strstr(buffer_text(&out), "&lt;label&gt; &amp; &quot;more&quot;"));
    buffer_clear(&out);
    plot_axis_y(&plot, "y");
    assert_non_null(strstr(buffer_text(&out), ">40<"));
    assert_null(strstr(buffer_text(&out), ">50<"));
    plot.x_from = -0.3;
    plot.x_to = 2.3;
    buffer_clear(&out);
    plot_axis_x_whole(&plot, "layer");
    assert_int_equal(count(buffer_text(&out), "text-anchor=\"middle\" class=\"s\""), 3);
    assert_non_null(strstr(buffer_text(&out), ">0<"));
    assert_non_null(strstr(buffer_text(&out), ">2<"));
    plot.x_to = 47.3;
    buffer_clear(&out);
    plot_axis_x_whole(&plot, "layer");
    assert_non_null(strstr(buffer_text(&out), ">40<"));
    assert_null(strstr(buffer_text(&out), ">45<"));
    buffer_free(&out);
}

static void pads_ranges(void **state) {
    (void)state;
    double from = 2, to = 2;
    plot_pad(&from, &to);
    assert_true(from < 2 && to > 2);
    from = to = 0;
    plot_pad(&from, &to);
    assert_true(from == -0.5 && to == 0.5);
    from = 0, to = 10;
    plot_pad(&from, &to);
    assert_true(from == -0.5 && to == 10.5);
}

static void draws_what_there_is(void **state) {
    (void)state;
    error_info_t error;
    settings_t *settings = settings_load(CONFIG, strlen(CONFIG), "config", NULL, 0, true, &error);
    if (!settings)
        fail_msg("%s", error.message);
    double scores[] = {0.2, 0.4, 1.0}, tokens[] = {100, 100, 100};
    size_t neurons[] = {0, 1, 2};
    point_t points[] = {{0, 0.2, 0.5}, {0, 0.4, NAN}, {3, 1.0, 0.9}};
    tally_group_t group = {.set = 0};
    report_t report = {0};
    plots_add(settings, &(tally_list_t){stages_measured(&stages_shipped), 1, &group, NULL},
              &report);
    assert_int_equal(report.plot_count, 0);
    for (int f = 0; f < 2; f++) {
        group.formats[f].measured[0].samples[0] =
            (sample_t){.count = 3, .capacity = 3, .values = scores, .neurons = neurons};
        group.formats[f].prompt_tokens = group.formats[f].total_tokens =
            (sample_t){.count = 3, .capacity = 3, .values = tokens, .neurons = neurons};
        group.formats[f].points = (points_t){.count = 3, .capacity = 3, .points = points};
    }
    plots_add(settings, &(tally_list_t){stages_measured(&stages_shipped), 1, &group, NULL},
              &report);
    static const char *const keys[] = {"plot_scores", "plot_paired", "plot_adacs", "plot_price",
                                       "plot_layers"};
    assert_int_equal(report.plot_count, 5);
    for (size_t i = 0; i < 5; i++) {
        assert_string_equal(report.plots[i].key, keys[i]);
        assert_non_null(strstr(report.plots[i].svg, "prefers-color-scheme:dark"));
        assert_non_null(strstr(report.plots[i].svg, "&lt;b&gt;"));
        assert_null(strstr(report.plots[i].svg, "<b>"));
    }
    assert_int_equal(count(report.plots[0].svg, "class=\"b c0\""), 3); /* a bin each */
    assert_int_equal(count(report.plots[1].svg, "class=\"m c1\""), 1);
    /* two with both values, and the legend */
    assert_int_equal(count(report.plots[2].svg, "class=\"m c1\""), 3);
    /* layers 0 and 3, and the legend */
    assert_int_equal(count(report.plots[4].svg, "class=\"m c0\""), 3);
    report_clear(&report);
    settings_free(settings);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(places_marks),
        cmocka_unit_test(ticks_at_round_numbers),
        cmocka_unit_test(pads_ranges),
        cmocka_unit_test(draws_what_there_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
