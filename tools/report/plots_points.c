/* plots_points.c - one measure against another. */
#include <math.h>
#include <stdlib.h>

#include "core/base/memory.h"
#include "core/base/stats.h"
#include "tools/report/plots.h"

enum {
    LEFT = 60,
    RIGHT = 30,
    TOP = 50,
    HEIGHT = 320,
    BOTTOM = 50,
    MOST_POINTS = 3000,
    MOST_LAYERS = 1000
};

static plot_t begin(buffer_t *out, const char *title) {
    plot_begin(out, TOP + HEIGHT + BOTTOM, title);
    return (plot_t){.out = out,
                    .left = LEFT,
                    .top = TOP,
                    .width = PLOT_WIDTH - LEFT - RIGHT,
                    .height = HEIGHT,
                    .x_from = 0,
                    .x_to = 1,
                    .y_from = 0,
                    .y_to = 1};
}

static void include(double value, double *from, double *to) {
    *from = fmin(*from, value);
    *to = fmax(*to, value);
}

/* --- AdaCS against score ---------------------------------------------------------------------- */

static bool has_both(const point_t *point) {
    return !isnan(point->score) && !isnan(point->adacs);
}

bool plots_draw_adacs(const plots_subject_t *subject, const char *title, buffer_t *out) {
    const tally_group_t *group = subject->group;
    double x_from = INFINITY, x_to = -INFINITY, y_from = INFINITY, y_to = -INFINITY;
    size_t count = 0;
    for (int f = 0; f < PROMPT_FORMAT_COUNT; f++)
        for (size_t i = 0; i < group->formats[f].points.count; i++) {
            const point_t *point = &group->formats[f].points.points[i];
            if (!has_both(point))
                continue;
            include(point->score, &x_from, &x_to);
            include(point->adacs, &y_from, &y_to);
            count++;
        }
    if (count < 2)
        return false;
    plot_pad(&x_from, &x_to);
    plot_pad(&y_from, &y_to);
    plot_t plot = begin(out, title);
    plot.x_from = x_from;
    plot.x_to = x_to;
    plot.y_from = y_from;
    plot.y_to = y_to;
    plot_axis_x(&plot, "score (correlation)");
    plot_axis_y(&plot, "AdaCS");
    /* of very many, every so many-th is drawn */
    size_t stride = 1 + (count - 1) / MOST_POINTS, seen = 0;
    for (int f = 0; f < PROMPT_FORMAT_COUNT; f++)
        for (size_t i = 0; i < group->formats[f].points.count; i++) {
            const point_t *point = &group->formats[f].points.points[i];
            if (has_both(point) && seen++ % stride == 0)
                plot_point(&plot, point->score, point->adacs, (size_t)f);
        }
    plots_write_legend(&plot, subject->settings, group, 18);
    plot_end(out);
    return true;
}

/* --- price against score ---------------------------------------------------------------------- */

/* Mean price of an explanation in thousandths of a dollar, at the config's prices and without
 * caching; NaN: not known.
 */
static double price_of(const settings_t *settings, const tally_group_t *group,
                       const tally_t *tally) {
    const price_t *price = &settings->models[group->explainer].price;
    double prompt = stats_mean(tally->prompt_tokens.values, tally->prompt_tokens.count);
    double total = stats_mean(tally->total_tokens.values, tally->total_tokens.count);
    return 1000 * (prompt * money_to_dollars(price->input) +
                   (total - prompt) * money_to_dollars(price->output));
}

static const sample_t *scores_of(const plots_subject_t *subject, int format) {
    return tally_sample(subject->tallies, &subject->group->formats[format], STAGE_SCORE);
}

bool plots_draw_price(const plots_subject_t *subject, const char *title, buffer_t *out) {
    const tally_group_t *group = subject->group;
    double prices[PROMPT_FORMAT_COUNT], y_from = INFINITY, y_to = -INFINITY, x_to = 0;
    size_t count = 0;
    for (int f = 0; f < PROMPT_FORMAT_COUNT; f++) {
        const sample_t *scores = scores_of(subject, f);
        prices[f] = scores->count > 0 ? price_of(subject->settings, group, &group->formats[f])
                                      : (double)NAN;
        if (isnan(prices[f]))
            continue;
        double mean = stats_mean(scores->values, scores->count);
        double error = stats_standard_error(scores->values, scores->count);
        include(mean - (isnan(error) ? 0 : error), &y_from, &y_to);
        include(mean + (isnan(error) ? 0 : error), &y_from, &y_to);
        x_to = fmax(x_to, prices[f]);
        count++;
    }
    if (count < 2 || !(x_to > 0))
        return false;
    plot_pad(&y_from, &y_to);
    plot_t plot = begin(out, title);
    plot.x_to = 1.08 * x_to;
    plot.y_from = y_from;
    plot.y_to = y_to;
    plot_axis_x(&plot, "price of an explanation (thousandths of a dollar)");
    plot_axis_y(&plot, "mean score ± standard error");
    for (int f = 0; f < PROMPT_FORMAT_COUNT; f++) {
        const sample_t *scores = scores_of(subject, f);
        double mean = stats_mean(scores->values, scores->count);
        double error = stats_standard_error(scores->values, scores->count);
        if (isnan(prices[f]))
            continue;
        if (!isnan(error))
            plot_line(&plot, prices[f], mean - error, prices[f], mean + error, (size_t)f);
        plot_point(&plot, prices[f], mean, (size_t)f);
    }
    plots_write_legend(&plot, subject->settings, group, 18);
    plot_end(out);
    return true;
}

/* --- score by layer --------------------------------------------------------------------------- */

/* Mean score of each layer [layers]; NaN: the layer has none. The result is how many have. */
static size_t layer_means(const points_t *points, size_t layers, double *means) {
    double *counts = MEMORY_NEW_ARRAY(layers, double);
    size_t valued = 0;
    for (size_t i = 0; i < layers; i++)
        means[i] = 0;
    for (size_t i = 0; i < points->count; i++) {
        const point_t *point = &points->points[i];
        if (point->layer < 0 || (size_t)point->layer >= layers || isnan(point->score))
            continue;
        means[point->layer] += point->score;
        counts[point->layer]++;
    }
    for (size_t i = 0; i < layers; i++) {
        means[i] = counts[i] > 0 ? means[i] / counts[i] : (double)NAN;
        valued += counts[i] > 0 ? 1 : 0;
    }
    free(counts);
    return valued;
}

static size_t layers_of(const tally_group_t *group) {
    size_t layers = 0;
    for (int f = 0; f < PROMPT_FORMAT_COUNT; f++)
        for (size_t i = 0; i < group->formats[f].points.count; i++) {
            int32_t layer = group->formats[f].points.points[i].layer;
            if (layer >= 0 && layer < MOST_LAYERS && (size_t)layer >= layers)
                layers = (size_t)layer + 1;
        }
    return layers;
}

bool plots_draw_layers(const plots_subject_t *subject, const char *title, buffer_t *out) {
    const tally_group_t *group = subject->group;
    size_t layers = layers_of(group), most = 0;
    double *means = MEMORY_NEW_ARRAY(layers * PROMPT_FORMAT_COUNT + 1, double),
           *x = MEMORY_NEW_ARRAY(layers + 1, double);
    double from = INFINITY, to = -INFINITY;
    for (size_t i = 0; i < layers; i++)
        x[i] = (double)i;
    for (size_t f = 0; f < PROMPT_FORMAT_COUNT; f++) {
        size_t valued = layer_means(&group->formats[f].points, layers, means + f * layers);
        most = valued > most ? valued : most;
    }
    for (size_t i = 0; i < layers * PROMPT_FORMAT_COUNT; i++)
        if (!isnan(means[i]))
            include(means[i], &from, &to);
    if (most > 1) {
        plot_pad(&from, &to);
        plot_t plot = begin(out, title);
        plot.x_from = -0.3;
        plot.x_to = (double)layers - 0.7;
        plot.y_from = from;
        plot.y_to = to;
        plot_axis_x_whole(&plot, "layer");
        plot_axis_y(&plot, "mean score");
        for (size_t f = 0; f < PROMPT_FORMAT_COUNT; f++)
            plot_path(&plot, x, means + f * layers, layers, f);
        plots_write_legend(&plot, subject->settings, group, 18);
        plot_end(out);
    }
    free(means);
    free(x);
    return most > 1;
}
