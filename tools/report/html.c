/* html.c - reports as one page of HTML. The page asks for nothing else: no scripts, no
 * fonts, no images. */
#include <string.h>

#include "core/base/text.h"
#include "tools/report/markup.h"
#include "tools/report/render.h"

static const char HEAD[] =
    "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
    "<meta name=\"color-scheme\" content=\"light dark\">\n"
    "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src "
    "'unsafe-inline'\">\n"
    "<style>\n"
    ":root { --ink: #1b1f24; --soft: #57606a; --paper: #ffffff; --line: #d0d7de; --stripe: "
    "#f6f8fa; --warn: #fff3c4; }\n"
    "@media (prefers-color-scheme: dark) {\n"
    "  :root { --ink: #e6edf3; --soft: #9198a1; --paper: #0d1117; --line: #30363d; --stripe: "
    "#161b22; --warn: #3d2e00; }\n"
    "}\n"
    "body { font: 16px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper); "
    "max-width: 70rem;\n"
    "       margin: 2rem auto; padding: 0 1rem; }\n"
    "h1 small { color: var(--soft); font-weight: normal; }\n"
    "nav ul { columns: 20rem; column-gap: 2rem; padding-left: 1.25rem; margin: 1rem 0; }\n"
    "a { color: inherit; text-decoration-color: var(--soft); }\n"
    ".line { background: var(--warn); padding: .5rem .75rem; border-radius: .25rem; }\n"
    ".wide { overflow-x: auto; }\n"
    "table { border-collapse: collapse; margin: .5rem 0; font-variant-numeric: tabular-nums; }\n"
    "caption { text-align: left; color: var(--soft); padding: .25rem 0; }\n"
    "th, td { padding: .25rem .75rem; border-bottom: 1px solid var(--line); text-align: left; "
    "vertical-align: top;\n"
    "         white-space: nowrap; }\n"
    "td:last-child { white-space: normal; overflow-wrap: anywhere; }\n"
    "th { background: var(--stripe); }\n"
    ".n { text-align: right; }\n"
    "figure { margin: 1rem 0; overflow-x: auto; }\n"
    "figure svg { max-width: 100%; height: auto; }\n"
    "figcaption { color: var(--soft); }\n"
    ".note { color: var(--soft); font-size: .875rem; margin: .25rem 0; }\n"
    "</style>\n";

static void append_element(const char *open, const char *text, const char *close, buffer_t *out) {
    buffer_append_text(out, open);
    markup_append(text, out);
    buffer_append_text(out, close);
}

static void write_table(const table_t *table, buffer_t *out) {
    buffer_append_text(out, "<div class=\"wide\"><table>\n");
    if (table->caption)
        append_element("<caption>", table->caption, "</caption>\n", out);
    buffer_append_text(out, "<thead><tr>");
    for (size_t c = 0; c < table->column_count; c++)
        append_element(cell_kind_is_number(table->columns[c].kind)
                           ? "<th scope=\"col\" class=\"n\">"
                           : "<th scope=\"col\">",
                       table->columns[c].label, "</th>", out);
    buffer_append_text(out, "</tr></thead>\n<tbody>\n");
    for (size_t r = 0; r < table->row_count; r++) {
        buffer_append_text(out, "<tr>");
        for (size_t c = 0; c < table->column_count; c++) {
            buffer_t text = BUFFER_EMPTY;
            cell_write(table_cell(table, r, c), &table->columns[c], &text);
            append_element(cell_kind_is_number(table->columns[c].kind) ? "<td class=\"n\">"
                                                                       : "<td>",
                           buffer_text(&text), "</td>", out);
            buffer_free(&text);
        }
        buffer_append_text(out, "</tr>\n");
    }
    buffer_append_text(out, "</tbody></table></div>\n");
}

static void write_tables(table_t *const *tables, size_t count, int level, buffer_t *out) {
    const table_t *const *left = (const table_t *const *)tables;
    while (count > 0) {
        size_t same = render_same_key(left, count);
        buffer_append_format(out, "<section id=\"%s\">\n<h%d>", left[0]->key, level);
        markup_append(left[0]->title, out);
        buffer_append_format(out, "</h%d>\n", level);
        for (size_t i = 0; i < same; i++) {
            write_table(left[i], out);
            for (size_t n = i + 1 < same ? 1 : 0; n < left[i]->note_count; n++)
                append_element("<p class=\"note\">", left[i]->notes[n], "</p>\n", out);
        }
        buffer_append_text(out, "</section>\n");
        left += same;
        count -= same;
    }
}

static void write_plots(const report_t *report, buffer_t *out) {
    if (report->plot_count > 0)
        buffer_append_text(out, "<section id=\"plots\">\n<h2>Plots</h2>\n");
    for (size_t i = 0; i < report->plot_count; i++) {
        append_element("<figure>\n<figcaption>", report->plots[i].title, "</figcaption>\n", out);
        buffer_append_text(out, report->plots[i].svg);
        buffer_append_text(out, "</figure>\n");
    }
    if (report->plot_count > 0)
        buffer_append_text(out, "</section>\n");
}

/* --- contents --------------------------------------------------------------------------------- */

static void write_link(const char *id, const char *title, buffer_t *out) {
    buffer_append_format(out, "<li><a href=\"#%s\">", id);
    append_element("", title, "</a></li>\n", out);
}

static void write_links(table_t *const *tables, size_t count, buffer_t *out) {
    const table_t *const *left = (const table_t *const *)tables;
    for (size_t i = 0; i < count; i += render_same_key(left + i, count - i))
        write_link(left[i]->key, left[i]->title, out);
}

static void write_contents(const report_t *report, buffer_t *out) {
    buffer_append_text(out, "<nav aria-label=\"Contents\"><ul>\n");
    write_links(report->results, report->result_count, out);
    if (report->plot_count > 0)
        write_link("plots", "Plots", out);
    write_links(report->costs, report->cost_count, out);
    buffer_append_text(out, "</ul></nav>\n");
}

void render_html(const report_t *report, buffer_t *out) {
    buffer_append_text(out,
                       "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n");
    buffer_append_text(out, HEAD);
    append_element("<title>glia: ", report->title, "</title>\n</head>\n<body>\n", out);
    append_element("<h1>", report->title, " ", out);
    append_element("<small>", report->state, "</small></h1>\n", out);
    for (size_t i = 0; i < report->line_count; i++)
        append_element("<p class=\"line\">", report->lines[i], "</p>\n", out);
    write_contents(report, out);
    write_tables(report->results, report->result_count, 2, out);
    write_plots(report, out);
    if (report->cost_count > 0) {
        buffer_append_text(out, "<h2>Costs, times and doubts</h2>\n");
        write_tables(report->costs, report->cost_count, 3, out);
    }
    buffer_append_text(out, "</body>\n</html>\n");
}
