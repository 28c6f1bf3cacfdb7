/* plot.c - SVG, mark by mark. */
#include "tools/report/plot.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/base/text.h"
#include "tools/report/markup.h"

/* Colours apart by hue and by lightness, readable on white and on near black. */
static const char STYLE[] =
    "<style>\n"
    ".gp{--i:#1b1f24;--s:#57606a;--l:#d0d7de;--c0:#57606a;--c1:#1f6fd1;--c2:#b8500a;--c3:#7a3fc4;--"
    "c4:#13794a;"
    "font:13px system-ui,sans-serif;fill:var(--i)}\n"
    "@media "
    "(prefers-color-scheme:dark){.gp{--i:#e6edf3;--s:#9198a1;--l:#30363d;--c0:#a8b0ba;--c1:#6cb0ff;"
    "--c2:#ff9d57;--c3:#c39bff;--c4:#5bd394}}\n"
    ".gp .s{fill:var(--s)} .gp .g{stroke:var(--l);fill:none} .gp "
    ".r{stroke:var(--s);stroke-dasharray:3 3;fill:none}\n"
    ".gp .c0{--c:var(--c0)} .gp .c1{--c:var(--c1)} .gp .c2{--c:var(--c2)} .gp .c3{--c:var(--c3)} "
    ".gp .c4{--c:var(--c4)}\n"
    ".gp .m{fill:var(--c);fill-opacity:.6;stroke:var(--c)} .gp .b{fill:var(--c);fill-opacity:.75} "
    ".gp .w{stroke:var(--c);stroke-width:2;fill:none}\n"
    "</style>\n";

void plot_begin(buffer_t *out, int height, const char *title) {
    buffer_append_format(out,
                         "<svg class=\"gp\" role=\"img\" viewBox=\"0 0 %d %d\" "
                         "width=\"%d\" height=\"%d\">\n<title>",
                         PLOT_WIDTH, height, PLOT_WIDTH, height);
    markup_append(title, out);
    buffer_append_text(out, "</title>\n");
    buffer_append_text(out, STYLE);
}

void plot_write_alone(const char *svg, buffer_t *out) {
    buffer_append_text(out, "<svg xmlns=\"http://www.w3.org/2000/svg\"");
    buffer_append_text(out, svg + strlen("<svg"));
}

void plot_end(buffer_t *out) {
    buffer_append_text(out, "</svg>\n");
}

void plot_pad(double *from, double *to) {
    double room = (*to - *from) * 0.05;
    if (!(room > 0))
        room = fabs(*to) > 0 ? fabs(*to) * 0.1 : 0.5;
    *from -= room;
    *to += room;
}

static double place_x(const plot_t *plot, double x) {
    return plot->left + (x - plot->x_from) / (plot->x_to - plot->x_from) * plot->width;
}

static double place_y(const plot_t *plot, double y) {
    return plot->top + plot->height -
           (y - plot->y_from) / (plot->y_to - plot->y_from) * plot->height;
}

/* --- axes ------------------------------------------------------------------------------------- */

/* 1, 2 or 5 times a power of ten that is no smaller than `finest`, for at most eight ticks. */
static double step_of(double from, double to, double finest, int *decimals) {
    double least = fmax((to - from) / 8, finest), power = pow(10, floor(log10(least)));
    double step = least <= power       ? power
                  : least <= 2 * power ? 2 * power
                  : least <= 5 * power ? 5 * power
                                       : 10 * power;
    double digits = ceil(-log10(step) - 1e-9);
    *decimals = digits > 0 ? (int)digits : 0;
    return step;
}

static void write_tick(double value, double step, int decimals, char text[32]) {
    if (fabs(value) < step / 1e6)
        value = 0; /* no -0 */
    snprintf(text, 32, "%.*f", decimals, value);
}

void plot_text(const plot_t *plot, double x, double y, plot_anchor_t anchor, bool soft,
               const char *text) {
    static const char *const anchors[] = {"start", "middle", "end"};
    buffer_append_format(plot->out, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\"%s>", x, y,
                         anchors[anchor], soft ? " class=\"s\"" : "");
    markup_append(text, plot->out);
    buffer_append_text(plot->out, "</text>\n");
}

static void grid_line(const plot_t *plot, double x1, double y1, double x2, double y2) {
    buffer_append_format(plot->out, "<path class=\"g\" d=\"M%.1f %.1fL%.1f %.1f\"/>\n", x1, y1, x2,
                         y2);
}

static void draw_axis_x(const plot_t *plot, const char *label, double finest) {
    int decimals;
    double step = step_of(plot->x_from, plot->x_to, finest, &decimals),
           bottom = plot->top + plot->height;
    for (double tick = ceil(plot->x_from / step) * step; tick <= plot->x_to + step / 1e6;
         tick += step) {
        char text[32];
        write_tick(tick, step, decimals, text);
        grid_line(plot, place_x(plot, tick), plot->top, place_x(plot, tick), bottom);
        plot_text(plot, place_x(plot, tick), bottom + 16, PLOT_MIDDLE, true, text);
    }
    plot_text(plot, plot->left + plot->width / 2, bottom + 34, PLOT_MIDDLE, false, label);
}

void plot_axis_x(const plot_t *plot, const char *label) {
    draw_axis_x(plot, label, 0);
}

void plot_axis_x_whole(const plot_t *plot, const char *label) {
    draw_axis_x(plot, label, 1);
}

void plot_axis_y(const plot_t *plot, const char *label) {
    int decimals;
    double step = step_of(plot->y_from, plot->y_to, 0, &decimals);
    for (double tick = ceil(plot->y_from / step) * step; tick <= plot->y_to + step / 1e6;
         tick += step) {
        char text[32];
        write_tick(tick, step, decimals, text);
        grid_line(plot, plot->left, place_y(plot, tick), plot->left + plot->width,
                  place_y(plot, tick));
        plot_text(plot, plot->left - 6, place_y(plot, tick) + 4, PLOT_END, true, text);
    }
    plot_text(plot, plot->left - 40, plot->top - 8, PLOT_START, false, label);
}

/* --- marks ------------------------------------------------------------------------------------ */

void plot_point(const plot_t *plot, double x, double y, size_t colour) {
    /* Circle, square, triangle, diamond, triangle upside down; relative to the middle. */
    static const char *const shapes[PLOT_COLOURS] = {
        "m-3.5 0a3.5 3.5 0 1 0 7 0a3.5 3.5 0 1 0 -7 0", "m-3 -3h6v6h-6z", "m0 -4l4 7h-8z",
        "m0 -4.5l4.5 4.5l-4.5 4.5l-4.5 -4.5z", "m0 4l4 -7h-8z"};
    buffer_append_format(plot->out, "<path class=\"m c%zu\" d=\"M%.1f %.1f%s\"/>\n", colour,
                         place_x(plot, x), place_y(plot, y), shapes[colour]);
}

void plot_line(const plot_t *plot, double x1, double y1, double x2, double y2, size_t colour) {
    buffer_append_format(plot->out, "<path class=\"w c%zu\" d=\"M%.1f %.1fL%.1f %.1f\"/>\n", colour,
                         place_x(plot, x1), place_y(plot, y1), place_x(plot, x2),
                         place_y(plot, y2));
}

void plot_bar(const plot_t *plot, double x1, double y1, double x2, double y2, size_t colour) {
    double left = place_x(plot, x1), top = place_y(plot, y2);
    buffer_append_format(
        plot->out,
        "<rect class=\"b c%zu\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\"/>\n", colour,
        left, top, place_x(plot, x2) - left, place_y(plot, y1) - top);
}

void plot_rule_x(const plot_t *plot, double x) {
    buffer_append_format(plot->out, "<path class=\"r\" d=\"M%.1f %.1fV%.1f\"/>\n", place_x(plot, x),
                         plot->top, plot->top + plot->height);
}

void plot_path(const plot_t *plot, const double *x, const double *y, size_t count, size_t colour) {
    buffer_append_format(plot->out, "<path class=\"w c%zu\" d=\"", colour);
    bool down = false;
    for (size_t i = 0; i < count; i++) {
        if (isnan(y[i])) {
            down = false;
            continue;
        }
        buffer_append_format(plot->out, "%s%.1f %.1f", down ? "L" : "M", place_x(plot, x[i]),
                             place_y(plot, y[i]));
        down = true;
    }
    buffer_append_text(plot->out, "\"/>\n");
    for (size_t i = 0; i < count; i++)
        if (!isnan(y[i]))
            plot_point(plot, x[i], y[i], colour);
}

double plot_legend(const plot_t *plot, double x, double y, size_t colour, const char *text) {
    plot_t pixels = *plot;
    pixels.left = pixels.top = pixels.x_from = pixels.y_from = 0;
    pixels.width = pixels.x_to = pixels.height = pixels.y_to = 1000;
    plot_point(&pixels, x + 5, 1000 - (y - 4), colour);
    plot_text(plot, x + 15, y, PLOT_START, false, text);
    return x + 35 + 7.2 * (double)text_display_width(text);
}
