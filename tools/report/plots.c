/* plots.c - distributions and paired differences, and all of the drawings together. */
#include "tools/report/plots.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/base/memory.h"
#include "core/base/resample.h"
#include "core/base/stats.h"
#include "tools/report/paired.h"

enum { BINS = 25, ROW = 46, LEFT = 150, RIGHT = 130, TOP = 30, BOTTOM = 50 };

void plots_write_legend(const plot_t *plot, const settings_t *settings, const tally_group_t *group,
                        double y) {
    double x = plot->left;
    for (int f = 0; f < PROMPT_FORMAT_COUNT; f++)
        if (settings->sets[group->set].formats[f])
            x = plot_legend(plot, x, y, (size_t)f, prompt_format_name((prompt_format_t)f));
}

/* --- distributions ---------------------------------------------------------------------------- */

typedef struct {
    size_t rows, most; /* formats that have values; the fullest bin */
    double from;       /* of the axis, which ends at 1 */
} spread_t;

static size_t bin_of(double value, double from) {
    double place = (value - from) / (1 - from) * BINS;
    return place >= BINS ? BINS - 1 : place < 0 ? 0 : (size_t)place;
}

static void count_bins(const sample_t *sample, double from, size_t bins[BINS]) {
    for (size_t b = 0; b < BINS; b++)
        bins[b] = 0;
    for (size_t i = 0; i < sample->count; i++)
        bins[bin_of(sample->values[i], from)]++;
}

static spread_t spread_of(const tally_group_t *group, size_t row) {
    spread_t spread = {.from = 0};
    for (int f = 0; f < PROMPT_FORMAT_COUNT; f++) {
        const sample_t *sample = &group->formats[f].measured[row].samples[0];
        spread.rows += sample->count > 0 ? 1 : 0;
        for (size_t i = 0; i < sample->count; i++)
            if (sample->values[i] < spread.from)
                spread.from = floor(sample->values[i] * 5) / 5;
    }
    for (int f = 0; f < PROMPT_FORMAT_COUNT; f++) {
        size_t bins[BINS];
        count_bins(&group->formats[f].measured[row].samples[0], spread.from, bins);
        for (size_t b = 0; b < BINS; b++)
            spread.most = bins[b] > spread.most ? bins[b] : spread.most;
    }
    return spread;
}

static void draw_row(plot_t *plot, const spread_t *spread, const sample_t *sample, size_t format) {
    size_t bins[BINS];
    count_bins(sample, spread->from, bins);
    plot->y_from = 0;
    plot->y_to = (double)spread->most;
    for (size_t b = 0; b < BINS; b++) {
        double width = (1 - spread->from) / BINS, at = spread->from + (double)b * width;
        if (bins[b])
            plot_bar(plot, at + width * 0.05, 0, at + width * 0.95, (double)bins[b], format);
    }
    double mean = stats_mean(sample->values, sample->count),
           error = stats_standard_error(sample->values, sample->count);
    plot_line(plot, mean, 0, mean, plot->y_to, format);
    char text[64];
    snprintf(text, sizeof text, isnan(error) ? "%.3f" : "%.3f ± %.3f", mean, error);
    double middle = plot->top + plot->height / 2 + 4;
    plot_text(plot, LEFT - 8, middle, PLOT_END, false, prompt_format_name((prompt_format_t)format));
    plot_text(plot, PLOT_WIDTH - RIGHT + 10, middle, PLOT_START, false, text);
}

static bool draw_distribution(const plots_subject_t *subject, const char *title, buffer_t *out) {
    const tally_group_t *group = subject->group;
    spread_t spread = spread_of(group, subject->row);
    if (spread.rows == 0)
        return false;
    double height = (double)spread.rows * ROW;
    plot_begin(out, (int)height + TOP + BOTTOM, title);
    plot_t plot = {.out = out,
                   .left = LEFT,
                   .top = TOP,
                   .width = PLOT_WIDTH - LEFT - RIGHT,
                   .height = height,
                   .x_from = spread.from,
                   .x_to = 1,
                   .y_from = 0,
                   .y_to = 1};
    plot_axis_x(&plot, subject->tallies->measured.rows[subject->row]->telling->plot.axis);
    plot_t row = plot;
    row.height = ROW - 8;
    for (size_t f = 0; f < PROMPT_FORMAT_COUNT; f++) {
        const sample_t *sample = &group->formats[f].measured[subject->row].samples[0];
        if (sample->count == 0)
            continue;
        draw_row(&row, &spread, sample, f);
        row.top += ROW;
    }
    plot_end(out);
    return true;
}

/* --- paired differences ----------------------------------------------------------------------- */

typedef struct {
    const char *measure;
    prompt_format_t format;
    double mean, low, high;
} difference_t;

/* Adds the differences of one measured row that have an interval; the result is how many. */
static size_t add_differences(const plots_subject_t *subject, size_t row,
                              difference_t *differences) {
    const tally_group_t *group = subject->group;
    const char *measure = subject->tallies->measured.rows[row]->telling->measures[0].label;
    size_t count = 0;
    paired_means_t original =
        paired_means(&group->formats[PROMPT_ORIGINAL].measured[row].samples[0]);
    for (int f = 0; f < PROMPT_FORMAT_COUNT; f++) {
        paired_means_t means = paired_means(&group->formats[f].measured[row].samples[0]);
        double *values = MEMORY_NEW_ARRAY(means.count + 1, double);
        size_t pairs = f == PROMPT_ORIGINAL ? 0 : paired_differences(&means, &original, values);
        if (pairs > 1) {
            difference_t *added = &differences[count++];
            *added = (difference_t){.measure = measure,
                                    .format = (prompt_format_t)f,
                                    .mean = stats_mean(values, pairs),
                                    .low = 0,
                                    .high = 0};
            resample_interval(values, pairs, PAIRED_LEVEL,
                              paired_seed(subject->settings, group, measure, (prompt_format_t)f),
                              &added->low, &added->high);
        }
        free(values);
        paired_means_clear(&means);
    }
    paired_means_clear(&original);
    return count;
}

static bool draw_paired(const plots_subject_t *subject, const char *title, buffer_t *out) {
    difference_t rows[STAGES_MEASURED * PROMPT_FORMAT_COUNT];
    size_t count = 0;
    for (size_t m = 0; m < subject->tallies->measured.count; m++)
        count += add_differences(subject, m, rows + count);
    if (count == 0)
        return false;
    double from = 0, to = 0;
    for (size_t i = 0; i < count; i++) {
        from = fmin(from, rows[i].low);
        to = fmax(to, rows[i].high);
    }
    plot_pad(&from, &to);
    double height = (double)count * 26;
    plot_begin(out, (int)height + TOP + BOTTOM, title);
    plot_t plot = {.out = out,
                   .left = LEFT + 60,
                   .top = TOP,
                   .width = PLOT_WIDTH - LEFT - 60 - 40,
                   .height = height,
                   .x_from = from,
                   .x_to = to,
                   .y_from = 0,
                   .y_to = (double)count};
    plot_axis_x(&plot, "difference to original, with a 95 % interval");
    plot_rule_x(&plot, 0);
    for (size_t i = 0; i < count; i++) {
        double y = (double)(count - i) - 0.5;
        size_t colour = (size_t)rows[i].format;
        plot_line(&plot, rows[i].low, y, rows[i].high, y, colour);
        plot_point(&plot, rows[i].mean, y, colour);
        char text[64];
        snprintf(text, sizeof text, "%s: %s", rows[i].measure, prompt_format_name(rows[i].format));
        plot_text(&plot, plot.left - 8, TOP + ((double)i + 0.5) * 26 + 4, PLOT_END, false, text);
    }
    plot_end(out);
    return true;
}

/* --- all of them ------------------------------------------------------------------------------ */

/* One drawing for each (set, explainer) that has values. */
static void add_plots(plots_subject_t *subject, const char *key, const char *what,
                      plots_draw_t *draw, report_t *report) {
    const settings_t *settings = subject->settings;
    for (size_t i = 0; i < subject->tallies->count; i++) {
        subject->group = &subject->tallies->groups[i];
        char *title =
            memory_format("%s: %s, explained by %s", what, settings->sets[subject->group->set].name,
                          settings->models[subject->group->explainer].name);
        buffer_t svg = BUFFER_EMPTY;
        if (draw(subject, title, &svg))
            report_add_plot(report, key, title, &svg);
        buffer_free(&svg);
        free(title);
    }
}

void plots_add(const settings_t *settings, const tally_list_t *tallies, report_t *report) {
    plots_subject_t subject = {.settings = settings, .tallies = tallies};
    for (; subject.row < tallies->measured.count; subject.row++) {
        const struct stage_plot *plot = &tallies->measured.rows[subject.row]->telling->plot;
        if (plot->key)
            add_plots(&subject, plot->key, plot->title, draw_distribution, report);
    }
    add_plots(&subject, "plot_paired", "Each prompt format against original", draw_paired, report);
    add_plots(&subject, "plot_adacs", "AdaCS against score", plots_draw_adacs, report);
    add_plots(&subject, "plot_price", "Price of an explanation against score", plots_draw_price,
              report);
    add_plots(&subject, "plot_layers", "Score by layer", plots_draw_layers, report);
}
