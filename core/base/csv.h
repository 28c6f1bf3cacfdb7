/* csv.h - comma-separated values as in RFC 4180: reading untrusted files, and writing. Pure.
 *
 * Reading: fields are separated by commas, records by LF or CRLF; a field in double quotes may hold
 * both, and quotes doubled. A byte order mark at the start and lines without any byte are skipped.
 * Errors (CONFIG) name file and line: "set.csv:3: ...": a quote inside a field that does not begin
 * with one, bytes behind a closing quote, a quote that is never closed, a NUL byte, bytes that are
 * not UTF-8, more than CSV_MAX_FIELDS fields or CSV_MAX_RECORD bytes in a record.
 */
#ifndef GLIA_BASE_CSV_H
#define GLIA_BASE_CSV_H

#include <stdbool.h>
#include <stddef.h>

#include "core/base/buffer.h"
#include "core/base/error.h"

enum { CSV_MAX_FIELDS = 256, CSV_MAX_RECORD = 4 << 20, CSV_MAX_FILE = 1 << 30 };

typedef enum { CSV_RECORD, CSV_END, CSV_ERROR } csv_result_t;

typedef struct csv csv_t;

/* Text and name are borrowed and must outlive the reader. Never NULL. */
csv_t *csv_open(const char *text, size_t length, const char *name);
void csv_close(csv_t *csv); /* NULL is fine */
/* The next record: *fields [*count] are strings borrowed until the next call. After CSV_END or
 * CSV_ERROR there is nothing more. */
csv_result_t csv_next(csv_t *csv, size_t *count, const char *const **fields, error_info_t *error);
/* The line on which the last record began, from 1. */
size_t csv_line(const csv_t *csv);

/* Appends a field, in quotes if it needs them; bytes that are not UTF-8 become U+FFFD. The caller
 * writes commas and newlines. */
void csv_write_field(buffer_t *out, const char *bytes, size_t length);
void csv_write_text(buffer_t *out, const char *text); /* NULL: an empty field */

#endif
