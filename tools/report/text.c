/* text.c - tables for terminals. */
#include <stdlib.h>
#include <string.h>

#include "core/base/memory.h"
#include "core/base/text.h"
#include "core/base/wrap.h"
#include "tools/report/render.h"

enum { GAP = 2, LEAST_CUT = 24 };

/* The cells of a table as text, and the widths of its columns. */
typedef struct {
    size_t column_count;
    size_t *columns; /* [column_count] indices of those that are shown */
    size_t *widths;  /* [column_count] */
    char **texts;    /* [row_count + 1][column_count], the labels first */
} layout_t;

static void measure(const table_t *table, layout_t *layout) {
    layout->columns = MEMORY_NEW_ARRAY(table->column_count + 1, size_t);
    for (size_t i = 0; i < table->column_count; i++)
        if (!(table->columns[i].flags & COLUMN_DETAIL))
            layout->columns[layout->column_count++] = i;
    layout->widths = MEMORY_NEW_ARRAY(layout->column_count + 1, size_t);
    layout->texts = MEMORY_NEW_ARRAY((table->row_count + 1) * layout->column_count + 1, char *);
    for (size_t r = 0; r <= table->row_count; r++)
        for (size_t c = 0; c < layout->column_count; c++) {
            const column_t *column = &table->columns[layout->columns[c]];
            buffer_t text = BUFFER_EMPTY;
            if (r == 0)
                buffer_append_text(&text, column->label);
            else
                cell_write(table_cell(table, r - 1, layout->columns[c]), column, &text);
            size_t width = text_display_width(buffer_text(&text));
            if (width > layout->widths[c])
                layout->widths[c] = width;
            layout->texts[r * layout->column_count + c] = buffer_take(&text);
        }
}

static void release(const table_t *table, layout_t *layout) {
    for (size_t i = 0; i < (table->row_count + 1) * layout->column_count; i++)
        free(layout->texts[i]);
    free(layout->texts);
    free(layout->widths);
    free(layout->columns);
}

/* Cuts the last column, if it is text, to what the terminal has room for. */
static void fit(const table_t *table, layout_t *layout) {
    if (layout->column_count == 0)
        return;
    size_t last = layout->column_count - 1, used = 0;
    for (size_t c = 0; c < last; c++)
        used += layout->widths[c] + GAP;
    size_t room = used + LEAST_CUT < RENDER_WIDTH ? RENDER_WIDTH - used : LEAST_CUT;
    if (table->columns[layout->columns[last]].kind != CELL_TEXT || layout->widths[last] <= room)
        return;
    layout->widths[last] = room;
}

/* Appends as much of the text as `width` columns hold, with "..." in the place of the rest. */
static void append_cut(const char *text, size_t width, buffer_t *out) {
    if (text_display_width(text) <= width) {
        buffer_append_text(out, text);
        return;
    }
    size_t length = strlen(text), used = 0, at = 0;
    while (at < length) {
        uint32_t character;
        char one[8] = {0};
        size_t step = text_utf8_decode(text + at, length - at, &character);
        memcpy(one, text + at, step);
        used += text_display_width(one);
        if (step == 0 || used + 3 > width)
            break;
        at += step;
    }
    buffer_append(out, text, at);
    buffer_append_text(out, "...");
}

static void write_line(const table_t *table, const layout_t *layout, size_t row, buffer_t *out) {
    size_t pending = 0; /* spaces before the next text: none at the end of a line */
    size_t at = 0;      /* where the column begins */
    for (size_t c = 0; c < layout->column_count; c++) {
        const char *text = layout->texts[row * layout->column_count + c];
        const column_t *column = &table->columns[layout->columns[c]];
        size_t width = text_display_width(text);
        size_t pad = width < layout->widths[c] ? layout->widths[c] - width : 0;
        bool right = cell_kind_is_number(column->kind);
        buffer_append_format(out, "%*s", (int)(pending + (right ? pad : 0)), "");
        if (column->flags & COLUMN_WHOLE) {
            wrap_write(out, text, at, at);
            return;
        }
        append_cut(text, layout->widths[c], out);
        pending = GAP + (right ? 0 : pad);
        at += layout->widths[c] + GAP;
    }
    buffer_append_char(out, '\n');
}

void render_table_text(const table_t *table, buffer_t *out) {
    layout_t layout = {0};
    measure(table, &layout);
    fit(table, &layout);
    for (size_t r = 0; r <= table->row_count; r++)
        write_line(table, &layout, r, out);
    if (table->row_count == 0)
        buffer_append_text(out, "(none)\n");
    release(table, &layout);
}

size_t render_same_key(const table_t *const *tables, size_t count) {
    size_t same = 0;
    while (same < count && !strcmp(tables[same]->key, tables[0]->key))
        same++;
    return same;
}

static void append_underlined(const char *text, char line, buffer_t *out) {
    buffer_append_format(out, "%s\n", text);
    for (size_t i = text_display_width(text); i > 0; i--)
        buffer_append_char(out, line);
    buffer_append_char(out, '\n');
}

static void write_note(const char *note, buffer_t *out) {
    char *text = memory_format("(%s)", note);
    wrap_write(out, text, 0, 0);
    free(text);
}

/* Tables of one key under one title. */
static void write_tables(table_t *const *tables, size_t count, buffer_t *out) {
    const table_t *const *left = (const table_t *const *)tables;
    while (count > 0) {
        size_t same = render_same_key(left, count);
        buffer_append_char(out, '\n');
        append_underlined(left[0]->title, '-', out);
        for (size_t i = 0; i < same; i++) {
            if (left[i]->caption)
                buffer_append_format(out, "%s%s:\n", i ? "\n" : "", left[i]->caption);
            render_table_text(left[i], out);
            for (size_t n = i + 1 < same ? 1 : 0; n < left[i]->note_count; n++)
                write_note(left[i]->notes[n], out);
        }
        left += same;
        count -= same;
    }
}

void render_text(const report_t *report, buffer_t *out) {
    char *title = memory_format("%s (%s)", report->title, report->state);
    append_underlined(title, '=', out);
    free(title);
    for (size_t i = 0; i < report->line_count; i++)
        wrap_write(out, report->lines[i], 0, 0);
    write_tables(report->results, report->result_count, out);
    if (report->cost_count == 0)
        return;
    buffer_append_char(out, '\n');
    append_underlined("Costs, times and doubts", '=', out);
    write_tables(report->costs, report->cost_count, out);
}
