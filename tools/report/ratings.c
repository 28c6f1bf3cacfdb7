/* ratings.c - ratings of people, and how far they agree. */
#include "tools/report/ratings.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "core/base/agreement.h"
#include "core/base/csv.h"
#include "core/base/memory.h"
#include "core/base/numbers.h"
#include "core/base/stats.h"

enum { RATER, SET, LAYER, NEURON, OVERLAP, FORMAT, RATING, BEST, COLUMNS };
static const char *const column_names[COLUMNS] = {"rater",   "set",    "layer",  "neuron",
                                                  "overlap", "format", "rating", "best"};
enum { MOST_RATERS = 100, MOST_ROWS = 50000, MOST_NAMED = 12, DECIMALS = 3 };

/* --- the file --------------------------------------------------------------------------------- */

static bool read_header(const char *name, size_t count, const char *const *fields,
                        size_t places[COLUMNS], error_info_t *error) {
    for (size_t c = 0; c < COLUMNS; c++) {
        places[c] = SIZE_MAX;
        for (size_t i = 0; i < count; i++)
            if (!strcasecmp(fields[i], column_names[c]))
                places[c] = i;
        if (places[c] == SIZE_MAX)
            return error_set(error, ERROR_CONFIG,
                             "%s:1: the header has no column \"%s\"; a study has rater, set, "
                             "layer, neuron, overlap, format, rating, best",
                             name, column_names[c]);
    }
    return true;
}

/* The place of a text in a list, to which it is added if it is new. */
static size_t intern(char ***list, size_t *count, const char *text) {
    for (size_t i = *count; i-- > 0;)
        if (!strcmp((*list)[i], text))
            return i;
    *list = memory_resize(*list, *count + 1, sizeof(char *));
    (*list)[*count] = memory_copy_string(text);
    return (*count)++;
}

static bool read_numbers(const char *const field[COLUMNS], rating_row_t *row, error_info_t *error) {
    double overlap;
    if (!number_parse(field[RATING], &row->rating) || row->rating < 1 || row->rating > 5)
        return error_set(error, ERROR_CONFIG, "rating \"%.20s\" is no number from 1 to 5",
                         field[RATING]);
    if (!number_parse(field[BEST], &row->best) || row->best < 0 || row->best > 1)
        return error_set(error, ERROR_CONFIG, "best \"%.20s\" is no number from 0 to 1",
                         field[BEST]);
    if (!number_parse(field[OVERLAP], &overlap) || (overlap != 0 && overlap != 1))
        return error_set(error, ERROR_CONFIG, "overlap \"%.20s\" is neither 0 nor 1",
                         field[OVERLAP]);
    row->overlap = overlap == 1;
    return prompt_format_from_name(field[FORMAT], &row->format) ||
           error_set(error, ERROR_CONFIG, "\"%.40s\" is no prompt format", field[FORMAT]);
}

static bool read_row(ratings_t *study, const char *const field[COLUMNS], error_info_t *error) {
    rating_row_t row;
    if (!*field[RATER])
        return error_set(error, ERROR_CONFIG, "the row has no rater");
    if (!read_numbers(field, &row, error))
        return false;
    row.rater = intern(&study->raters, &study->rater_count, field[RATER]);
    char *page = memory_format("%s/%s:%s", field[SET], field[LAYER], field[NEURON]);
    row.page = intern(&study->pages, &study->page_count, page);
    free(page);
    if (study->rater_count > MOST_RATERS || study->row_count == MOST_ROWS)
        return error_set(error, ERROR_CONFIG, "more than %d raters or %d rows", MOST_RATERS,
                         MOST_ROWS);
    if (study->row_count % 64 == 0)
        study->rows = memory_resize(study->rows, study->row_count + 64, sizeof *study->rows);
    study->rows[study->row_count++] = row;
    return true;
}

static int compare_rows(const void *a, const void *b) {
    const rating_row_t *x = a, *y = b;
    if (x->page != y->page)
        return x->page < y->page ? -1 : 1;
    if (x->rater != y->rater)
        return x->rater < y->rater ? -1 : 1;
    return (x->format > y->format) - (x->format < y->format);
}

/* Rows in order of page, rater and format, so that the order of the file does not
 * matter; none twice. */
static bool check_rows(ratings_t *study, const char *name, error_info_t *error) {
    if (study->row_count == 0)
        return error_set(error, ERROR_CONFIG, "%s: it holds no ratings", name);
    qsort(study->rows, study->row_count, sizeof *study->rows, compare_rows);
    for (size_t i = 1; i < study->row_count; i++)
        if (compare_rows(&study->rows[i - 1], &study->rows[i]) == 0)
            return error_set(error, ERROR_CONFIG, "%s: rater %s rated %s of %s twice", name,
                             study->raters[study->rows[i].rater],
                             prompt_format_name(study->rows[i].format),
                             study->pages[study->rows[i].page]);
    return true;
}

static bool read_rows(ratings_t *study, csv_t *csv, const char *name, error_info_t *error) {
    size_t width, count, places[COLUMNS];
    const char *const *fields;
    csv_result_t result = csv_next(csv, &width, &fields, error);
    if (result == CSV_END)
        return error_set(error, ERROR_CONFIG, "%s: it is empty", name);
    if (result == CSV_ERROR || !read_header(name, width, fields, places, error))
        return false;
    while ((result = csv_next(csv, &count, &fields, error)) == CSV_RECORD) {
        const char *field[COLUMNS];
        for (size_t c = 0; count == width && c < COLUMNS; c++)
            field[c] = fields[places[c]];
        if (count != width)
            return error_set(error, ERROR_CONFIG, "%s:%zu: %zu fields, the header has %zu", name,
                             csv_line(csv), count, width);
        if (!read_row(study, field, error))
            return error_prefix(error, "%s:%zu", name, csv_line(csv));
    }
    return result == CSV_END && check_rows(study, name, error);
}

bool ratings_parse(const char *text, size_t length, const char *name, ratings_t *study,
                   error_info_t *error) {
    *study = (ratings_t){0};
    csv_t *csv = csv_open(text, length, name);
    bool good = read_rows(study, csv, name, error);
    csv_close(csv);
    if (!good)
        ratings_clear(study);
    return good;
}

bool ratings_read(const char *path, ratings_t *study, error_info_t *error) {
    buffer_t text = BUFFER_EMPTY;
    *study = (ratings_t){0};
    bool good = buffer_read_file(&text, path, CSV_MAX_FILE, error) &&
                ratings_parse(buffer_text(&text), text.length, path, study, error);
    buffer_free(&text);
    return good;
}

void ratings_clear(ratings_t *study) {
    for (size_t i = 0; i < study->rater_count; i++)
        free(study->raters[i]);
    for (size_t i = 0; i < study->page_count; i++)
        free(study->pages[i]);
    free(study->raters);
    free(study->pages);
    free(study->rows);
    *study = (ratings_t){0};
}

/* --- the tables ------------------------------------------------------------------------------- */

/* The ratings of one format; the result is how many, *best how much of the choices it got. */
static size_t ratings_of(const ratings_t *study, prompt_format_t format, double *ratings,
                         double *best) {
    size_t count = 0;
    *best = 0;
    for (size_t i = 0; i < study->row_count; i++) {
        if (study->rows[i].format != format)
            continue;
        ratings[count++] = study->rows[i].rating;
        *best += study->rows[i].best;
    }
    return count;
}

void ratings_means(const ratings_t *study, double means[PROMPT_FORMAT_COUNT]) {
    double *ratings = MEMORY_NEW_ARRAY(study->row_count + 1, double), best;
    for (int f = 0; f < PROMPT_FORMAT_COUNT; f++)
        means[f] = stats_mean(ratings, ratings_of(study, (prompt_format_t)f, ratings, &best));
    free(ratings);
}

static table_t *ratings_table(const ratings_t *study, double choices[PROMPT_FORMAT_COUNT],
                              size_t *choice_count) {
    table_t *table = table_create("study", "Human study");
    table_add_column(table, "format", "format", CELL_TEXT, 0, COLUMN_PLAIN);
    table_add_column(table, "ratings", "ratings", CELL_COUNT, 0, COLUMN_PLAIN);
    table_add_column(table, "rating", "rating (1-5)", CELL_MEAN, DECIMALS, COLUMN_PLAIN);
    table_add_column(table, "best", "best", CELL_NUMBER, 1, COLUMN_PLAIN);
    table_add_column(table, "best_share", "share of best", CELL_NUMBER, DECIMALS, COLUMN_PLAIN);
    double *ratings = MEMORY_NEW_ARRAY(study->row_count + 1, double), total = 0, best;
    for (size_t i = 0; i < study->row_count; i++)
        total += study->rows[i].best;
    for (int f = 0; f < PROMPT_FORMAT_COUNT; f++) {
        size_t count = ratings_of(study, (prompt_format_t)f, ratings, &best);
        if (count == 0)
            continue;
        choices[(*choice_count)++] = best;
        cell_t *row = table_add_row(table);
        row[0] = cell_text(prompt_format_name((prompt_format_t)f));
        row[1] = cell_count(count);
        row[2] = cell_mean(ratings, count);
        row[3] = cell_number(best);
        row[4] = cell_number(total > 0 ? best / total : (double)NAN);
    }
    table_add_note(
        table,
        "mean rating ± standard error; share of the raters' choices of the best explanation");
    free(ratings);
    return table;
}

/* Alpha over explanations that two raters or more have rated; *units gets their number. */
static double agreement(const ratings_t *study, size_t *units) {
    double *ratings =
        MEMORY_NEW_ARRAY(study->page_count * PROMPT_FORMAT_COUNT * study->rater_count + 1, double);
    size_t *rated = MEMORY_NEW_ARRAY(study->page_count * PROMPT_FORMAT_COUNT + 1, size_t);
    for (size_t i = 0; i < study->page_count * PROMPT_FORMAT_COUNT * study->rater_count; i++)
        ratings[i] = (double)NAN;
    for (size_t i = 0; i < study->row_count; i++) {
        const rating_row_t *row = &study->rows[i];
        size_t unit = row->page * PROMPT_FORMAT_COUNT + (size_t)row->format;
        if (!row->overlap)
            continue;
        ratings[unit * study->rater_count + row->rater] = row->rating;
        rated[unit]++;
    }
    *units = 0;
    for (size_t i = 0; i < study->page_count * PROMPT_FORMAT_COUNT; i++)
        *units += rated[i] > 1 ? 1 : 0;
    double alpha = agreement_alpha(ratings, study->page_count * PROMPT_FORMAT_COUNT,
                                   study->rater_count, AGREEMENT_ORDINAL);
    free(ratings);
    free(rated);
    return alpha;
}

/* Who rated: codes say as much as raters and their hosts wanted known, also that
 * they are no people. */
static void name_raters(const ratings_t *study, table_t *table) {
    buffer_t names = BUFFER_EMPTY;
    for (size_t i = 0; i < study->rater_count && i < MOST_NAMED; i++)
        buffer_append_format(&names, "%s%s", i ? ", " : "", study->raters[i]);
    if (study->rater_count > MOST_NAMED)
        buffer_append_format(&names, " and %zu more", study->rater_count - MOST_NAMED);
    table_add_note(table, "raters: %s", buffer_text(&names));
    buffer_free(&names);
}

void ratings_add_tables(const ratings_t *study, report_t *report) {
    double choices[PROMPT_FORMAT_COUNT];
    size_t choice_count = 0, units;
    report_add_result(report, ratings_table(study, choices, &choice_count));
    table_t *table = table_create("study_tests", "Human study: agreement and choices");
    table_add_column(table, "raters", "raters", CELL_COUNT, 0, COLUMN_PLAIN);
    table_add_column(table, "neurons", "neurons", CELL_COUNT, 0, COLUMN_PLAIN);
    table_add_column(table, "overlap", "explanations of several raters", CELL_COUNT, 0,
                     COLUMN_PLAIN);
    table_add_column(table, "alpha", "alpha", CELL_NUMBER, DECIMALS, COLUMN_PLAIN);
    table_add_column(table, "chi_squared", "chi-squared", CELL_NUMBER, DECIMALS, COLUMN_PLAIN);
    table_add_column(table, "freedom", "df", CELL_COUNT, 0, COLUMN_PLAIN);
    table_add_column(table, "p", "p", CELL_NUMBER, 4, COLUMN_PLAIN);
    double statistic = stats_chi_squared_uniform(choices, choice_count);
    cell_t *row = table_add_row(table);
    row[3] = cell_number(agreement(study, &units));
    row[0] = cell_count(study->rater_count);
    row[1] = cell_count(study->page_count);
    row[2] = cell_count(units);
    row[4] = cell_number(statistic);
    row[5] = cell_count(choice_count - 1);
    row[6] = cell_number(stats_chi_squared_tail(statistic, (double)(choice_count - 1)));
    table_add_note(
        table,
        "alpha: Krippendorff's, of ordinal ratings, over the explanations that all raters got; "
        "chi-squared: the choices of the best explanation against equal shares");
    name_raters(study, table);
    report_add_result(report, table);
}
