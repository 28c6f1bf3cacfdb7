/* table.c - tables: cells in, cells out, and cells as people read them. */
#include "tools/report/table.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/memory.h"
#include "core/base/stats.h"
#include "core/base/text.h"

/* --- cells ------------------------------------------------------------------------------------ */

cell_t cell_text(const char *text) {
    return (cell_t){.kind = text ? CELL_TEXT : CELL_NONE, .text = memory_copy_string(text)};
}

cell_t cell_count(uint64_t count) {
    return (cell_t){.kind = CELL_COUNT, .whole = (int64_t)count};
}

cell_t cell_number(double number) {
    return (cell_t){.kind = isnan(number) ? CELL_NONE : CELL_NUMBER, .number = number};
}

cell_t cell_mean(const double *values, size_t count) {
    if (count == 0)
        return (cell_t){0};
    return (cell_t){.kind = CELL_MEAN,
                    .whole = (int64_t)count,
                    .number = stats_mean(values, count),
                    .spread = stats_standard_error(values, count)};
}

cell_t cell_money(money_t amount) {
    return (cell_t){.kind = CELL_MONEY, .whole = amount.pico};
}

cell_t cell_duration(double seconds) {
    return (cell_t){.kind = isnan(seconds) ? CELL_NONE : CELL_DURATION, .number = seconds};
}

cell_t cell_time(int64_t microseconds) {
    return (cell_t){.kind = microseconds ? CELL_TIME : CELL_NONE, .whole = microseconds};
}

bool cell_kind_is_number(cell_kind_t kind) {
    return kind != CELL_TEXT && kind != CELL_NONE && kind != CELL_TIME;
}

/* -0.000 is 0.000. */
static void write_decimal(double number, int decimals, buffer_t *out) {
    char text[64];
    snprintf(text, sizeof text, "%.*f", decimals, number);
    buffer_append_text(out, text[0] == '-' && strspn(text + 1, "0.") == strlen(text + 1) ? text + 1
                                                                                         : text);
}

void cell_write(const cell_t *cell, const column_t *column, buffer_t *out) {
    char text[64];
    switch (cell->kind) {
    case CELL_NONE: buffer_append_char(out, '-'); break;
    case CELL_TEXT: text_append_visible(out, cell->text, strlen(cell->text)); break;
    case CELL_COUNT: buffer_append_text(out, text_format_count((uint64_t)cell->whole, text)); break;
    case CELL_NUMBER: write_decimal(cell->number, column->decimals, out); break;
    case CELL_MEAN:
        write_decimal(cell->number, column->decimals, out);
        if (!(column->flags & COLUMN_TERSE) && !isnan(cell->spread)) {
            buffer_append_text(out, " ± ");
            write_decimal(cell->spread, column->decimals, out);
        }
        break;
    case CELL_MONEY:
        buffer_append_text(out, money_format((money_t){cell->whole}, column->decimals, text));
        break;
    case CELL_DURATION: buffer_append_text(out, text_format_duration(cell->number, text)); break;
    case CELL_TIME: buffer_append_text(out, text_format_time(cell->whole, text)); break;
    }
}

void cell_write_dollars(money_t amount, buffer_t *out) {
    char text[MONEY_TEXT_SIZE];
    money_format(amount, 12, text);
    const char *sign = text[0] == '-' ? "-" : "";
    const char *digits = strchr(text, '$') + 1;
    size_t length = strlen(digits);
    while (digits[length - 1] == '0')
        length--;
    length -= digits[length - 1] == '.';
    buffer_append_format(out, "%s%.*s", sign, (int)length, digits);
}

/* --- tables ----------------------------------------------------------------------------------- */

__attribute__((format(printf, 1, 0))) static char *format_text(const char *format,
                                                               va_list arguments) {
    char text[2048];
    vsnprintf(text, sizeof text, format, arguments);
    text[text_utf8_valid_prefix(text, strlen(text))] = '\0';
    return memory_copy_string(text);
}

/* Room for one more element. */
static void *grow(void *list, size_t count, size_t size) {
    return memory_resize(list, count + 1, size);
}

table_t *table_create(const char *key, const char *title) {
    table_t *table = MEMORY_NEW(table_t);
    table->key = memory_copy_string(key);
    table->title = memory_copy_string(title);
    return table;
}

void table_free(table_t *table) {
    if (!table)
        return;
    for (size_t i = 0; i < table->group_count; i++) {
        free(table->groups[i].name);
        free(table->groups[i].value);
    }
    for (size_t i = 0; i < table->column_count; i++) {
        free(table->columns[i].key);
        free(table->columns[i].label);
    }
    for (size_t i = 0; i < table->row_count * table->column_count; i++)
        free(table->cells[i].text);
    for (size_t i = 0; i < table->note_count; i++)
        free(table->notes[i]);
    free(table->groups);
    free(table->columns);
    free(table->cells);
    free(table->notes);
    free(table->key);
    free(table->title);
    free(table->caption);
    free(table);
}

void table_set_caption(table_t *table, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    free(table->caption);
    table->caption = format_text(format, arguments);
    va_end(arguments);
}

void table_add_group(table_t *table, const char *name, const char *value) {
    table->groups = grow(table->groups, table->group_count, sizeof *table->groups);
    table->groups[table->group_count++] =
        (table_group_t){.name = memory_copy_string(name), .value = memory_copy_string(value)};
}

void table_add_column(table_t *table, const char *key, const char *label, cell_kind_t kind,
                      int decimals, unsigned flags) {
    table->columns = grow(table->columns, table->column_count, sizeof *table->columns);
    table->columns[table->column_count++] = (column_t){.key = memory_copy_string(key),
                                                       .label = memory_copy_string(label),
                                                       .kind = kind,
                                                       .decimals = decimals,
                                                       .flags = flags};
}

cell_t *table_add_row(table_t *table) {
    table->cells =
        memory_resize(table->cells, (table->row_count + 1) * table->column_count, sizeof(cell_t));
    cell_t *row = table->cells + table->row_count * table->column_count;
    for (size_t i = 0; i < table->column_count; i++)
        row[i] = (cell_t){0};
    table->row_count++;
    return row;
}

void table_add_note(table_t *table, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    table->notes = grow(table->notes, table->note_count, sizeof *table->notes);
    table->notes[table->note_count++] = format_text(format, arguments);
    va_end(arguments);
}

const cell_t *table_cell(const table_t *table, size_t row, size_t column) {
    return &table->cells[row * table->column_count + column];
}

/* --- reports ---------------------------------------------------------------------------------- */

void report_add_line(report_t *report, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    report->lines = grow(report->lines, report->line_count, sizeof *report->lines);
    report->lines[report->line_count++] = format_text(format, arguments);
    va_end(arguments);
}

void report_add_result(report_t *report, table_t *table) {
    report->results = grow(report->results, report->result_count, sizeof *report->results);
    report->results[report->result_count++] = table;
}

void report_add_cost(report_t *report, table_t *table) {
    report->costs = grow(report->costs, report->cost_count, sizeof *report->costs);
    report->costs[report->cost_count++] = table;
}

void report_add_plot(report_t *report, const char *key, const char *title, buffer_t *svg) {
    report->plots = grow(report->plots, report->plot_count, sizeof *report->plots);
    report->plots[report->plot_count++] =
        (plot_entry_t){.key = memory_copy_string(key),
                       .title = memory_copy_string(title),
                       .svg = memory_copy(svg->data, svg->length)};
    buffer_clear(svg);
}

void report_clear(report_t *report) {
    for (size_t i = 0; i < report->plot_count; i++) {
        free(report->plots[i].key);
        free(report->plots[i].title);
        free(report->plots[i].svg);
    }
    free(report->plots);
    for (size_t i = 0; i < report->line_count; i++)
        free(report->lines[i]);
    for (size_t i = 0; i < report->result_count; i++)
        table_free(report->results[i]);
    for (size_t i = 0; i < report->cost_count; i++)
        table_free(report->costs[i]);
    free(report->lines);
    free(report->results);
    free(report->costs);
    free(report->title);
    free(report->run);
    free(report->state);
    *report = (report_t){0};
}
