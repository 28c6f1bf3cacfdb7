/* text.h - bytes as people and terminals read them, and small text chores. (UTF-8
 * itself: utf8.h.) */
#ifndef GLIA_BASE_TEXT_H
#define GLIA_BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/buffer.h"
#include "core/base/utf8.h"

/* Appends `bytes` so that a terminal or a line-based file shows them as one line and in the order
 * they stand in: newline, tab and other controls as \n, \t, \xNN; bytes that are not UTF-8, and
 * what turns the direction of writing (U+202E and its like), as \xNN. */
void text_append_visible(buffer_t *out, const char *bytes, size_t length);
/* The same with directions left alone: for what a model reads. */
void text_append_one_line(buffer_t *out, const char *bytes, size_t length);
/* Appends text of several lines for a terminal: what steers one (controls but newline, tab and
 * colours; DEL, U+0080 to U+009F; directions) as \uNNNN, which is the same to a reader of JSON;
 * bytes that are not UTF-8 as U+FFFD. */
void text_append_harmless(buffer_t *out, const char *bytes, size_t length);
/* Columns on a terminal (combining marks 0, wide CJK and emoji 2). */
size_t text_display_width(const char *text);
bool text_starts_with(const char *text, const char *prefix);
bool text_ends_with(const char *text, const char *suffix);
/* The closest of `count` names to `word` (edit distance at most 1/3 of its length), or NULL. */
const char *text_closest(const char *word, const char *const *names, size_t count);
/* "1,234,567" */
const char *text_format_count(uint64_t count, char out[32]);
/* "2 h 05 min", "41 s" */
const char *text_format_duration(double seconds, char out[32]);
/* "12.3 MB" (10^6) */
const char *text_format_size(uint64_t bytes, char out[32]);
/* Days since 1970-01-01 of a UTC time in microseconds, and back to "2026-11-22". */
int32_t text_day_of(int64_t microseconds);
const char *text_format_day(int32_t day, char out[16]);
/* "2026-11-22T08:15:50Z" */
const char *text_format_time(int64_t microseconds, char out[32]);

/* Copies as much as fits, terminated; what "%s" of snprintf does, at a tenth of its
 * cost. `size` > 0. */
void text_copy(char *out, size_t size, const char *text);

#endif
