/* beside.h - published figures beside a run's own. Private to report/.
 *
 * The figures are data (paper.json, part of the program): means by prompt format, costs per
 * 1,000 neurons, the set-up. What is not published as numbers is not there, and the tables
 * say which those are.
 */
#ifndef GLIA_TOOLS_REPORT_BESIDE_H
#define GLIA_TOOLS_REPORT_BESIDE_H

#include "core/base/error.h"
#include "store/env.h"
#include "store/runs.h"
#include "tools/report/table.h"
#include "tools/report/tally.h"

/* Adds tables of how the set-ups differ, and of figures by format: the published and the run's,
 * absolute and relative to `original`. Pure. Errors (BUG): the file is not part of the program, or
 * not as it has to be. */
bool beside_add_results(const settings_t *settings, const tally_list_t *tallies, report_t *report,
                        error_info_t *error);
/* The same for costs per 1,000 neurons: of all explainers and formats of the run, as settled. */
bool beside_add_costs(store_txn_t *txn, const run_info_t *run, const stage_table_t *stages,
                      uint64_t neurons, report_t *report, error_info_t *error);

#endif
