/* class_table.h - the table of how often explanations name their neuron's class.
 * Private to report/. */
#ifndef GLIA_TOOLS_REPORT_CLASS_TABLE_H
#define GLIA_TOOLS_REPORT_CLASS_TABLE_H

#include "tools/report/table.h"
#include "tools/report/tally.h"

/* Adds a table for each (set, explainer) that has explained neurons that are selective for a class.
 * `classes` may be NULL: adds nothing. */
void class_tables_add(const settings_t *settings, const tally_list_t *tallies,
                      const word_classes_t *classes, report_t *report);

#endif
