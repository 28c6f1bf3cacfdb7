/* paired.h - each prompt format against `original` on the same neurons. Pure.
 * Private to report/. */
#ifndef GLIA_TOOLS_REPORT_PAIRED_H
#define GLIA_TOOLS_REPORT_PAIRED_H

#include "tools/report/table.h"
#include "tools/report/tally.h"

#define PAIRED_LEVEL 0.95 /* of the intervals */

/* Means over each neuron's samples. */
typedef struct {
    size_t count;
    size_t *neurons; /* [count] indices in the set, ascending */
    double *values;  /* [count] */
} paired_means_t;

paired_means_t paired_means(const sample_t *sample);
void paired_means_clear(paired_means_t *means);
/* Of neurons that both have: differences [min of the counts] get format - original; the
 * result is how many. */
size_t paired_differences(const paired_means_t *format, const paired_means_t *original,
                          double *differences);

/* The seed of one comparison: of the run's seed and of what is compared. */
uint64_t paired_seed(const settings_t *settings, const tally_group_t *group, const char *measure,
                     prompt_format_t format);

/* Adds a table of differences for each (set, explainer) that has `original` and another format: of
 * each measured row, with intervals and corrected p-values (resample.h). */
void paired_add_tables(const settings_t *settings, const tally_list_t *tallies, report_t *report);
/* Adds, for each explainer with values in two neuron sets or more, averages over them: pooled and
 * plain. Of the measured row with this index. */
void paired_add_averages(const settings_t *settings, const tally_list_t *tallies, size_t row,
                         report_t *report);

#endif
