/* markdown.c - reports as Markdown (tables as GitHub and pandoc read them). */
#include <string.h>

#include "core/base/text.h"
#include "tools/report/render.h"

/* Text that is not markup: what could begin some is escaped. */
static void append_escaped(const char *text, buffer_t *out) {
    for (const char *at = text; *at; at++) {
        if (strchr("\\`*_[]<>|#&~", *at))
            buffer_append_char(out, '\\');
        buffer_append_char(out, *at);
    }
}

static void append_cell(const cell_t *cell, const column_t *column, buffer_t *out) {
    buffer_t text = BUFFER_EMPTY;
    cell_write(cell, column, &text);
    append_escaped(buffer_text(&text), out);
    buffer_free(&text);
}

static void write_table(const table_t *table, buffer_t *out) {
    buffer_append_char(out, '|');
    for (size_t c = 0; c < table->column_count; c++) {
        if (table->columns[c].flags & COLUMN_DETAIL)
            continue;
        buffer_append_char(out, ' ');
        append_escaped(table->columns[c].label, out);
        buffer_append_text(out, " |");
    }
    buffer_append_text(out, "\n|");
    for (size_t c = 0; c < table->column_count; c++)
        if (!(table->columns[c].flags & COLUMN_DETAIL))
            buffer_append_text(out,
                               cell_kind_is_number(table->columns[c].kind) ? " ---: |" : " --- |");
    buffer_append_char(out, '\n');
    for (size_t r = 0; r < table->row_count; r++) {
        buffer_append_char(out, '|');
        for (size_t c = 0; c < table->column_count; c++) {
            if (table->columns[c].flags & COLUMN_DETAIL)
                continue;
            buffer_append_char(out, ' ');
            append_cell(table_cell(table, r, c), &table->columns[c], out);
            buffer_append_text(out, " |");
        }
        buffer_append_char(out, '\n');
    }
}

static void write_tables(table_t *const *tables, size_t count, const char *heading, buffer_t *out) {
    const table_t *const *left = (const table_t *const *)tables;
    while (count > 0) {
        size_t same = render_same_key(left, count);
        buffer_append_format(out, "\n%s ", heading);
        append_escaped(left[0]->title, out);
        buffer_append_char(out, '\n');
        for (size_t i = 0; i < same; i++) {
            buffer_append_char(out, '\n');
            if (left[i]->caption) {
                append_escaped(left[i]->caption, out);
                buffer_append_text(out, ":\n\n");
            }
            write_table(left[i], out);
            for (size_t n = i + 1 < same ? 1 : 0; n < left[i]->note_count; n++) {
                buffer_append_char(out, '\n');
                append_escaped(left[i]->notes[n], out);
                buffer_append_char(out, '\n');
            }
        }
        left += same;
        count -= same;
    }
}

void render_markdown(const report_t *report, buffer_t *out) {
    buffer_append_text(out, "# ");
    append_escaped(report->title, out);
    buffer_append_format(out, " (%s)\n", report->state);
    for (size_t i = 0; i < report->line_count; i++) {
        buffer_append_text(out, "\n> ");
        append_escaped(report->lines[i], out);
        buffer_append_char(out, '\n');
    }
    write_tables(report->results, report->result_count, "##", out);
    if (report->cost_count > 0) {
        buffer_append_text(out, "\n## Costs, times and doubts\n");
        write_tables(report->costs, report->cost_count, "###", out);
    }
}
