/* csv.c - tables as CSV: names of columns, groups first; means in two columns; money
 * as exact dollars. */
#include "core/base/csv.h"

#include <math.h>
#include <string.h>

#include "core/base/json.h"
#include "core/base/text.h"
#include "tools/report/render.h"

static void write_names(const table_t *table, buffer_t *out) {
    const char *comma = "";
    for (size_t i = 0; i < table->group_count; i++, comma = ",") {
        buffer_append_text(out, comma);
        csv_write_text(out, table->groups[i].name);
    }
    for (size_t i = 0; i < table->column_count; i++, comma = ",") {
        buffer_append_text(out, comma);
        csv_write_text(out, table->columns[i].key);
        if (table->columns[i].kind == CELL_MEAN)
            buffer_append_format(out, ",%s_se", table->columns[i].key);
    }
    buffer_append_char(out, '\n');
}

static void write_number(double number, buffer_t *out) {
    if (!isnan(number))
        json_write_number(out, number);
}

static void write_cell(const cell_t *cell, const column_t *column, buffer_t *out) {
    char text[64];
    switch (cell->kind) {
    case CELL_NONE: break;
    case CELL_TEXT: csv_write_text(out, cell->text); break;
    case CELL_COUNT: json_write_integer(out, cell->whole); break;
    case CELL_NUMBER:
    case CELL_DURATION:
    case CELL_MEAN: write_number(cell->number, out); break;
    case CELL_MONEY: cell_write_dollars((money_t){cell->whole}, out); break;
    case CELL_TIME: buffer_append_text(out, text_format_time(cell->whole, text)); break;
    }
    if (column->kind == CELL_MEAN) {
        buffer_append_char(out, ',');
        if (cell->kind == CELL_MEAN)
            write_number(cell->spread, out);
    }
}

void render_tables_csv(const table_t *const *tables, size_t count, buffer_t *out) {
    if (count > 0)
        write_names(tables[0], out);
    for (size_t t = 0; t < count; t++)
        for (size_t r = 0; r < tables[t]->row_count; r++) {
            const char *comma = "";
            for (size_t i = 0; i < tables[t]->group_count; i++, comma = ",") {
                buffer_append_text(out, comma);
                csv_write_text(out, tables[t]->groups[i].value);
            }
            for (size_t c = 0; c < tables[t]->column_count; c++, comma = ",") {
                buffer_append_text(out, comma);
                write_cell(table_cell(tables[t], r, c), &tables[t]->columns[c], out);
            }
            buffer_append_char(out, '\n');
        }
}

static void write_list(table_t *const *tables, size_t count, buffer_t *out) {
    const table_t *const *left = (const table_t *const *)tables;
    while (count > 0) {
        size_t same = render_same_key(left, count);
        buffer_append_format(out, "# %s: %s\n", left[0]->key, left[0]->title);
        render_tables_csv(left, same, out);
        buffer_append_char(out, '\n');
        left += same;
        count -= same;
    }
}

void render_csv(const report_t *report, buffer_t *out) {
    for (size_t i = 0; i < report->line_count; i++)
        buffer_append_format(out, "# %s\n", report->lines[i]);
    write_list(report->results, report->result_count, out);
    write_list(report->costs, report->cost_count, out);
}
