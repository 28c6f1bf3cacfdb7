/* study.h - the blinded study's rules: who rates which neurons, in which order, under
 * which names. Pure.
 *
 * All of it follows from the study's seed, so nothing but answers has to be kept, and a rater who
 * comes back finds the same pages. What a page gives away is nothing: explanations stand in an
 * order random per (seed, rater, neuron), and their names on the page are made from their place in
 * that order, not from what they are.
 */
#ifndef GLIA_TOOLS_VIEWER_STUDY_H
#define GLIA_TOOLS_VIEWER_STUDY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    STUDY_MOST_RATERS = 100, /* as many as a report reads (report/ratings.h) */
    STUDY_MOST_EXPLANATIONS = 16,
    STUDY_RATINGS = 5, /* 1 .. 5 */
    STUDY_NAME_SIZE = 17,
};

/* How many of `items` neurons every rater gets: overlap (0..1) of them, rounded. */
size_t study_shared(size_t items, double overlap);
/* The neurons of one rater in the rater's order: indices below `items` into order [items];
 * returns how many. The shared ones go to all, each of the rest to one; raters' numbers differ
 * by one at most. */
size_t study_deal(uint64_t seed, size_t items, size_t raters, double overlap, size_t rater,
                  size_t *order);
/* The order in which `count` explanations of a neuron are shown to a rater:
 * order[place] = explanation. */
void study_order(uint64_t seed, size_t rater, size_t item, size_t count, size_t *order);
/* What the explanation at `place` is called on the page: 16 hex digits. */
void study_name(uint64_t seed, size_t rater, size_t item, size_t place, char name[STUDY_NAME_SIZE]);
/* groups[i]: the first explanation with the text of explanation i (i itself, if none stands
 * before). Returns how many different texts there are. */
size_t study_group(const char *const *texts, size_t count, size_t *groups);
/* A code that may stand in an address: 1 to 64 of a-z A-Z 0-9 - _ */
bool study_code_is_valid(const char *code);

#endif
