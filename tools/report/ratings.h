/* ratings.h - the human study: what raters said, out of the CSV that the viewer exports.
 *
 * Columns, in any order: rater, set, layer, neuron, overlap (1: all raters got this neuron),
 * format, rating (1 to 5), best (1: the rater's one choice; shares where identical texts were shown
 * once; else 0). A row for each rater, neuron and format.
 */
#ifndef GLIA_TOOLS_REPORT_RATINGS_H
#define GLIA_TOOLS_REPORT_RATINGS_H

#include "core/base/error.h"
#include "prompts/formats.h"
#include "tools/report/table.h"

typedef struct {
    size_t rater; /* index in ratings_t.raters */
    size_t page;  /* neurons are numbered in order of their first row */
    bool overlap;
    prompt_format_t format;
    double rating; /* 1..5 */
    double best;   /* 0..1 */
} rating_row_t;

typedef struct {
    size_t rater_count, page_count, row_count;
    char **raters;      /* [rater_count] codes */
    char **pages;       /* [page_count] "set/layer:neuron" */
    rating_row_t *rows; /* [row_count] */
} ratings_t;

/* Errors (CONFIG) name file and line: a column that is missing, a value out of range, a row that
 * stands twice, no rows. The caller releases with ratings_clear; empty after failure. */
bool ratings_parse(const char *text, size_t length, const char *name, ratings_t *study,
                   error_info_t *error);
bool ratings_read(const char *path, ratings_t *study, error_info_t *error);
void ratings_clear(ratings_t *study);

/* Mean ratings and shares chosen best, a row a format; and agreement and the test of the choices.
 * Adds two tables. */
void ratings_add_tables(const ratings_t *study, report_t *report);
/* Mean rating of each format; NaN: not rated. */
void ratings_means(const ratings_t *study, double means[PROMPT_FORMAT_COUNT]);

#endif
