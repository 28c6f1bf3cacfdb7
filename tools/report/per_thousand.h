/* per_thousand.h - cost and wall time per 1,000 neurons by stage and model: expected beside real.
 * Private to report/.
 */
#ifndef GLIA_TOOLS_REPORT_PER_THOUSAND_H
#define GLIA_TOOLS_REPORT_PER_THOUSAND_H

#include "actors/sweep/stage.h"
#include "store/env.h"
#include "store/runs.h"
#include "tools/report/table.h"

/* What the answers cost, from the ledger; what `plan` expects, from the prompts of at most
 * PER_THOUSAND_NEURONS neurons or so as if nothing were stored; wall time: how long a stage
 * had an attempt under way. Adds the table to the costs, unless the run has no neurons.
 * Blocks for the disk. */
enum { PER_THOUSAND_NEURONS = 200 };
void per_thousand_add_table(store_txn_t *txn, const run_info_t *run, const settings_t *settings,
                            const stage_table_t *stages, uint64_t neurons, report_t *report);

#endif
