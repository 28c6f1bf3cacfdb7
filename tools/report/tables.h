/* tables.h - the tables of a report; those of money serve status and ledger too. */
#ifndef GLIA_TOOLS_REPORT_TABLES_H
#define GLIA_TOOLS_REPORT_TABLES_H

#include "store/ledger.h"
#include "tools/report/ratings.h"
#include "tools/report/table.h"
#include "tools/report/tally.h"

/* Adds the tables of results. `study` may be NULL. Pure. */
void tables_add_results(const settings_t *settings, const tally_list_t *tallies,
                        const ratings_t *study, report_t *report);
/* Adds costs (of `neurons` in all), times, doubts and failures of the run. */
void tables_add_costs(store_txn_t *txn, const run_info_t *run, const settings_t *settings,
                      const stage_table_t *stages, uint64_t neurons, report_t *report);

/* A sum of balances in a row: the columns, and their cells [TABLES_BALANCE_COLUMNS]. */
enum { TABLES_BALANCE_COLUMNS = 9, TABLES_MONEY_DECIMALS = 6 };
void tables_add_balance_columns(table_t *table);
void tables_fill_balance(cell_t *cells, const balance_t *balance);

/* Failures by stage and class, with an example of each. The caller owns it. */
table_t *tables_failures(store_txn_t *txn, uint32_t run, const stage_table_t *stages);

#endif
