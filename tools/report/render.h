/* render.h - a report as text, Markdown, CSV, JSON or HTML. Pure; a file a form.
 *
 * Everything that came from a model or an endpoint is written as text, never as markup. The bytes
 * depend on the report alone.
 */
#ifndef GLIA_TOOLS_REPORT_RENDER_H
#define GLIA_TOOLS_REPORT_RENDER_H

#include "tools/report/table.h"

enum { RENDER_WIDTH = 100 }; /* columns of a terminal */

/* For terminals: columns lined up, in RENDER_WIDTH columns unless a table needs more. */
void render_text(const report_t *report, buffer_t *out);
void render_markdown(const report_t *report, buffer_t *out);
/* All tables, one after another, with a line "# key: title" before each key and an empty
 * line behind it. */
void render_csv(const report_t *report, buffer_t *out);
/* One object: {run, state, standin, lines, results: [table], costs: [table]}; a table is {key,
 * title, group, columns, rows, notes}, a row an object by column key, a mean {mean, se, n}, money
 * exact dollars. Ends with a newline. */
void render_json(const report_t *report, buffer_t *out);
/* One page that needs nothing else: no scripts, no external requests; light or dark as the
 * reader's system is. */
void render_html(const report_t *report, buffer_t *out);

/* One table as text, without its title. */
void render_table_text(const table_t *table, buffer_t *out);
/* The rows of tables [count] of one key, under one header line. RFC 4180. */
void render_tables_csv(const table_t *const *tables, size_t count, buffer_t *out);
/* The rows of one table: a JSON array of objects. */
void render_rows_json(const table_t *table, buffer_t *out);
/* How many of tables [count], from the first on, have its key. */
size_t render_same_key(const table_t *const *tables, size_t count);

#endif
