/* report.h - the tables of a run, computed from the store and the sweep.
 *
 * Results (per neuron set and explainer, a row a prompt format): tokens a prompt, scores,
 * AdaCS, and ranks over all of them. They depend on stored responses and records alone, so that
 * they are the same bytes however often the run was interrupted. Costs, times, doubts and
 * failures stand apart.
 *
 *   tally.c    chains to numbers      tables.c   numbers to the tables of results
 *   costs.c    the tables of costs    report.c   what stands on top, and all of it together
 */
#ifndef GLIA_TOOLS_REPORT_REPORT_H
#define GLIA_TOOLS_REPORT_REPORT_H

#include "actors/sweep/stage.h"
#include "store/env.h"
#include "store/runs.h"
#include "tools/report/ratings.h"
#include "tools/report/table.h"

typedef struct {
    const ratings_t *study; /* ratings of people, or NULL */
    bool beside_paper;      /* adds published figures beside the run's */
} report_options_t;

/* Computes everything; `stages`: the rows that the run's jobs are of. Takes memory for a few
 * numbers a chain. The caller releases with report_clear; the report is empty after failure.
 * Blocks for the disk. */
bool report_build(store_t *store, const run_info_t *run, const settings_t *settings,
                  const stage_table_t *stages, const report_options_t *options, report_t *report,
                  error_info_t *error);

#endif
