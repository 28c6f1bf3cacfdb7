/* json.c - reports as JSON. */
#include "core/base/json.h"

#include <string.h>

#include "core/base/text.h"
#include "tools/report/render.h"

static void write_member(buffer_t *out, const char *comma, const char *key, const char *text) {
    buffer_append_text(out, comma);
    json_write_text(out, key);
    buffer_append_char(out, ':');
    json_write_text(out, text);
}

static void write_cell(const cell_t *cell, buffer_t *out) {
    char text[64];
    switch (cell->kind) {
    case CELL_NONE: buffer_append_text(out, "null"); break;
    case CELL_TEXT: json_write_text(out, cell->text); break;
    case CELL_COUNT: json_write_integer(out, cell->whole); break;
    case CELL_NUMBER:
    case CELL_DURATION: json_write_number(out, cell->number); break;
    case CELL_MEAN:
        buffer_append_text(out, "{\"mean\":");
        json_write_number(out, cell->number);
        buffer_append_text(out, ",\"se\":");
        json_write_number(out, cell->spread);
        buffer_append_text(out, ",\"n\":");
        json_write_integer(out, cell->whole);
        buffer_append_char(out, '}');
        break;
    case CELL_MONEY: cell_write_dollars((money_t){cell->whole}, out); break;
    case CELL_TIME: json_write_text(out, text_format_time(cell->whole, text)); break;
    }
}

void render_rows_json(const table_t *table, buffer_t *out) {
    buffer_append_char(out, '[');
    for (size_t r = 0; r < table->row_count; r++) {
        buffer_append_text(out, r ? ",{" : "{");
        for (size_t c = 0; c < table->column_count; c++) {
            buffer_append_text(out, c ? "," : "");
            json_write_text(out, table->columns[c].key);
            buffer_append_char(out, ':');
            write_cell(table_cell(table, r, c), out);
        }
        buffer_append_char(out, '}');
    }
    buffer_append_char(out, ']');
}

static void write_texts(char *const *texts, size_t count, buffer_t *out) {
    buffer_append_char(out, '[');
    for (size_t i = 0; i < count; i++) {
        buffer_append_text(out, i ? "," : "");
        json_write_text(out, texts[i]);
    }
    buffer_append_char(out, ']');
}

static void write_table(const table_t *table, buffer_t *out) {
    write_member(out, "{", "key", table->key);
    write_member(out, ",", "title", table->title);
    buffer_append_text(out, ",\"group\":{");
    for (size_t i = 0; i < table->group_count; i++)
        write_member(out, i ? "," : "", table->groups[i].name, table->groups[i].value);
    buffer_append_text(out, "},\"columns\":[");
    for (size_t i = 0; i < table->column_count; i++) {
        write_member(out, i ? ",{" : "{", "key", table->columns[i].key);
        write_member(out, ",", "label", table->columns[i].label);
        buffer_append_char(out, '}');
    }
    buffer_append_text(out, "],\n  \"rows\":");
    render_rows_json(table, out);
    buffer_append_text(out, ",\"notes\":");
    write_texts(table->notes, table->note_count, out);
    buffer_append_char(out, '}');
}

static void write_tables(const char *name, table_t *const *tables, size_t count, buffer_t *out) {
    buffer_append_format(out, ",\n\"%s\":[", name);
    for (size_t i = 0; i < count; i++) {
        buffer_append_text(out, i ? ",\n " : "\n ");
        write_table(tables[i], out);
    }
    buffer_append_text(out, "]");
}

void render_json(const report_t *report, buffer_t *out) {
    write_member(out, "{", "run", report->run);
    write_member(out, ",", "state", report->state);
    buffer_append_format(out, ",\"standin\":%s,\"lines\":", report->standin ? "true" : "false");
    write_texts(report->lines, report->line_count, out);
    write_tables("results", report->results, report->result_count, out);
    write_tables("costs", report->costs, report->cost_count, out);
    buffer_append_text(out, "}\n");
}
