/* table.h - what a report is made of: typed cells in rows, under named columns, in
 * tables with notes. Pure.
 *
 * Who computes fills in tables; who renders (render.h) needs to know nothing of experiments. A cell
 * that has no value is CELL_NONE, shown as "-", null or nothing, never as 0.
 */
#ifndef GLIA_TOOLS_REPORT_TABLE_H
#define GLIA_TOOLS_REPORT_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/buffer.h"
#include "core/base/money.h"

typedef enum {
    CELL_NONE,
    CELL_TEXT,
    CELL_COUNT,    /* a whole number */
    CELL_NUMBER,   /* a double, with the column's decimals */
    CELL_MEAN,     /* mean, standard error and how many values */
    CELL_MONEY,    /* shown with the column's decimals, rounded up; exact in JSON and CSV */
    CELL_DURATION, /* seconds */
    CELL_TIME,     /* UTC, microseconds */
} cell_kind_t;

typedef struct {
    cell_kind_t kind;
    char *text;    /* TEXT: owned by the table */
    int64_t whole; /* COUNT; MONEY: picodollars; TIME; MEAN: the number of values */
    double number; /* NUMBER, DURATION; MEAN: the mean */
    double spread; /* MEAN: its standard error; NaN: not defined (fewer than 2 values) */
} cell_t;

cell_t cell_text(const char *text); /* copies; NULL gives CELL_NONE */
cell_t cell_count(uint64_t count);
cell_t cell_number(double number);                    /* NaN gives CELL_NONE */
cell_t cell_mean(const double *values, size_t count); /* no values: CELL_NONE */
cell_t cell_money(money_t amount);
cell_t cell_duration(double seconds);
cell_t cell_time(int64_t microseconds); /* 0 gives CELL_NONE */

enum {
    COLUMN_PLAIN = 0,
    COLUMN_TERSE = 1,  /* a mean without its standard error where people read it */
    COLUMN_DETAIL = 2, /* in CSV, JSON and HTML only: there is no room for it in 100 columns */
    COLUMN_WHOLE = 4,  /* the last one: the text form breaks it into lines, where others are cut */
};

typedef struct {
    char *key;   /* name in CSV and JSON: "score"; of a mean in CSV also "score_se" */
    char *label; /* name for people */
    cell_kind_t kind;
    int decimals; /* NUMBER, MEAN, MONEY */
    unsigned flags;
} column_t;

typedef struct {
    char *name, *value;
} table_group_t;

typedef struct {
    char *key;     /* "scores": tables of one key have the same columns and make one CSV file */
    char *title;   /* "Scores" */
    char *caption; /* what tells it from others of its key, for people; NULL: nothing */
    size_t group_count;
    /* the same for programs: {"set", "puzzles"}; leading columns of the CSV */
    table_group_t *groups;
    size_t column_count;
    column_t *columns;
    size_t row_count;
    cell_t *cells; /* [row_count][column_count] */
    size_t note_count;
    char **notes; /* the first explains the columns: said once for all tables of a key */
} table_t;

table_t *table_create(const char *key, const char *title);
void table_free(table_t *table); /* NULL is fine */
void table_set_caption(table_t *table, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void table_add_group(table_t *table, const char *name, const char *value);
/* All columns come before the first row. */
void table_add_column(table_t *table, const char *key, const char *label, cell_kind_t kind,
                      int decimals, unsigned flags);
/* An empty row [column_count], valid until the next one is added. */
cell_t *table_add_row(table_t *table);
void table_add_note(table_t *table, const char *format, ...) __attribute__((format(printf, 2, 3)));
const cell_t *table_cell(const table_t *table, size_t row, size_t column);

/* Appends the cell as people read it: "0.413 ± 0.012", "$1.2346", "2 h 05 min", "-". Text is one
 * line (text.h, visible). */
void cell_write(const cell_t *cell, const column_t *column, buffer_t *out);
/* Dollars as a decimal number, exact to the picodollar: "0.00015". */
void cell_write_dollars(money_t amount, buffer_t *out);
/* Whether a column of the kind is set flush right. */
bool cell_kind_is_number(cell_kind_t kind);

/* A drawing: SVG that may stand in a page or in a file of its own. */
typedef struct {
    char *key;   /* "plot_scores" */
    char *title; /* "Distribution of scores: puzzles, explained by gpt-4" */
    char *svg;
} plot_entry_t;

/* A whole report: what stands on top, the tables of results (the same bytes given the same
 * responses), and those of costs, times and doubts. */
typedef struct {
    char *title; /* "Run default" */
    char *run, *state;
    bool standin; /* an answer of the stand-in is in it */
    size_t line_count;
    char **lines; /* what a reader has to know first */
    size_t result_count;
    table_t **results;
    size_t plot_count;
    plot_entry_t *plots; /* of results */
    size_t cost_count;
    table_t **costs;
} report_t;

void report_add_line(report_t *report, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* takes the table */
void report_add_result(report_t *report, table_t *table);
/* takes the table */
void report_add_cost(report_t *report, table_t *table);
/* empties the buffer */
void report_add_plot(report_t *report, const char *key, const char *title, buffer_t *svg);
void report_clear(report_t *report);

#endif
