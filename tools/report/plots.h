/* plots.h - the drawings of a report. Pure; of results alone, so that they are the same bytes given
 * the same responses.
 *
 *   plots.c         for each (neuron set, explainer): distributions of scores, paired differences,
 *                   of all measured rows
 *   plots_points.c  AdaCS against score, price against score, score by layer: about these two
 *                   stages, by their names
 */
#ifndef GLIA_TOOLS_REPORT_PLOTS_H
#define GLIA_TOOLS_REPORT_PLOTS_H

#include "tools/report/plot.h"
#include "tools/report/table.h"
#include "tools/report/tally.h"

/* Adds every drawing that there are values for. */
void plots_add(const settings_t *settings, const tally_list_t *tallies, report_t *report);

/* --- private to plots*.c ---------------------------------------------------------------------- */

/* What a drawing is of. */
typedef struct {
    const settings_t *settings;
    const tally_list_t *tallies;
    const tally_group_t *group;
    size_t row; /* of the list's measured rows, where it is about one */
} plots_subject_t;

/* Appends the drawing to the buffer; false: there is nothing to draw. */
typedef bool plots_draw_t(const plots_subject_t *subject, const char *title, buffer_t *out);
plots_draw_t plots_draw_adacs, plots_draw_price, plots_draw_layers;

/* One entry for each format of the set, in one line. */
void plots_write_legend(const plot_t *plot, const settings_t *settings, const tally_group_t *group,
                        double y);

#endif
