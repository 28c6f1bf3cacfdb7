/* line_file.h - files of lines, of any size: read one by one, and added to so that a crash
 * tears one line at most.
 *
 * Neither holds more of its file in memory than a chunk, a line, or what was added since the last
 * flush. Both block.
 */
#ifndef GLIA_BASE_LINE_FILE_H
#define GLIA_BASE_LINE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/error.h"

/* --- reading ---------------------------------------------------------------------------------- */

typedef struct line_reader line_reader_t;

/* Borrowed from the reader until the next call. */
typedef struct {
    const char *text; /* without the line's end ("\n" or "\r\n"); not terminated */
    size_t length;    /* of `text`: the line's, or `maximum` if it is longer */
    uint64_t number;  /* from 1 */
    uint64_t size;    /* of the whole line, without its end */
} line_t;

typedef enum { LINE_READ, LINE_END, LINE_ERROR } line_result_t;

/* `maximum`: bytes of a line that are kept; the rest of a longer one is skipped. Errors (CONFIG):
 * no such file, not readable, a directory. The caller owns the result. */
line_reader_t *line_reader_open(const char *path, size_t maximum, error_info_t *error);
void line_reader_close(line_reader_t *reader); /* NULL is fine */
/* The next line; a last one without an end counts. LINE_ERROR: *error is set (CONFIG). */
line_result_t line_reader_next(line_reader_t *reader, line_t *line, error_info_t *error);
/* How far the reader has come, 0 to 1; 0 if the file's size is not known (a pipe). */
double line_reader_share(const line_reader_t *reader);

/* --- adding ----------------------------------------------------------------------------------- */

typedef struct line_adder line_adder_t;

/* Opens or creates a regular file to add to. A last line without an end is what a crash left: the
 * next write cuts it off. *lines: how many whole ones there are. `start`: what the first line has
 * to start with, so that no other file is added to. Errors: CONFIG (cannot be opened, no regular
 * file, another start), RETRYABLE (no room). The caller owns the result. */
line_adder_t *line_adder_open(const char *path, const char *start, uint64_t *lines,
                              error_info_t *error);
void line_adder_close(line_adder_t *adder); /* what was not flushed is dropped; NULL is fine */
/* Takes a line (without its end), which flush writes. */
void line_adder_add(line_adder_t *adder, const char *text, size_t length);
size_t line_adder_pending(const line_adder_t *adder); /* bytes taken and not yet written */
/* Writes what was taken. After a failure (RETRYABLE: no room, CONFIG, FATAL: I/O) it may
 * be called again. */
bool line_adder_flush(line_adder_t *adder, error_info_t *error);
/* Flushes, and waits for the disk. */
bool line_adder_sync(line_adder_t *adder, error_info_t *error);
/* Empties the file. */
bool line_adder_empty(line_adder_t *adder, error_info_t *error);

#endif
