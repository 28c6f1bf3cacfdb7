/* plot.h - a small writer of SVG: frames with axes, marks, legends. Pure: the same calls
 * give the same bytes.
 *
 * A drawing goes into a page as it is, or into a file of its own (plot_write_alone): no scripts, no
 * references, colours for light and dark by media query. Texts are escaped. Coordinates of marks
 * are values of the data; the frame maps them.
 */
#ifndef GLIA_TOOLS_REPORT_PLOT_H
#define GLIA_TOOLS_REPORT_PLOT_H

#include <stdbool.h>
#include <stddef.h>

#include "core/base/buffer.h"

enum { PLOT_WIDTH = 760, PLOT_COLOURS = 5 };

typedef struct {
    buffer_t *out;
    double left, top, width, height; /* of the frame, in pixels */
    double x_from, x_to, y_from, y_to;
} plot_t;

/* Begins a drawing PLOT_WIDTH wide. `title`: what it shows, for those who cannot see it. */
void plot_begin(buffer_t *out, int height, const char *title);
void plot_end(buffer_t *out);
/* A finished drawing as a file: with the name space that a page does not need. */
void plot_write_alone(const char *svg, buffer_t *out);

/* Makes a range that is empty (or of one value) one with room, and others a little larger. */
void plot_pad(double *from, double *to);

/* Axes with lines, ticks at round numbers and a label. */
void plot_axis_x(const plot_t *plot, const char *label);
void plot_axis_y(const plot_t *plot, const char *label);
/* The same of what is counted: no ticks between whole numbers. */
void plot_axis_x_whole(const plot_t *plot, const char *label);

typedef enum { PLOT_START, PLOT_MIDDLE, PLOT_END } plot_anchor_t;
/* In pixels; soft: of less weight. */
void plot_text(const plot_t *plot, double x, double y, plot_anchor_t anchor, bool soft,
               const char *text);

/* Marks; each colour (0 .. PLOT_COLOURS - 1) has a shape of its own. */
void plot_point(const plot_t *plot, double x, double y, size_t colour);
void plot_line(const plot_t *plot, double x1, double y1, double x2, double y2, size_t colour);
/* A rectangle between two corners. */
void plot_bar(const plot_t *plot, double x1, double y1, double x2, double y2, size_t colour);
/* A thin line that marks a value (0) from top to bottom. */
void plot_rule_x(const plot_t *plot, double x);
/* Connects [count] points; values that are NaN make a gap. */
void plot_path(const plot_t *plot, const double *x, const double *y, size_t count, size_t colour);
/* One entry of a legend, in pixels; returns where the next may start. */
double plot_legend(const plot_t *plot, double x, double y, size_t colour, const char *text);

#endif
