/* json_prepare.h - what JSON text goes through before jansson sees it; private to json.c.
 *
 * jansson reads neither NaN nor integers that leave 64 bits nor numbers that overflow a double. One
 * linear pass finds them outside of strings and rewrites them:
 *   - an integer that does not fit int64_t gets ".0" behind it, so that it is read as a double;
 *   - under JSON_ALLOW_NONFINITE, NaN, Infinity, -Infinity and overflowing numbers become the
 *     strings "\u0000N", "\u0000I", "\u0000M", and every string that begins with \u0000 gets
 *     another \u0000 before it, so that the two can never be confused. json.c translates both
 *     back after parsing.
 * The pass also enforces the limit on depth, and refuses NUL bytes outside of strings, which
 * jansson (2.14) skips when they follow a number. Text that needs no change is not copied. */
#ifndef GLIA_BASE_JSON_PREPARE_H
#define GLIA_BASE_JSON_PREPARE_H

#include <stdbool.h>
#include <stddef.h>

#include "core/base/buffer.h"

enum { JSON_DEPTH_LIMIT = 512 };

typedef struct {
    size_t at;    /* offset in the rewritten text where the edit ends */
    size_t added; /* bytes that all edits up to here have added ... */
    size_t taken; /* ... and taken away */
} json_edit_t;

typedef struct {
    const char *text; /* the text for jansson: the caller's, or `rewritten` */
    size_t length;
    buffer_t rewritten;
    json_edit_t *edits;
    size_t edit_count;
    size_t edit_capacity;
    bool marked;         /* some string begins with \u0000 and must be translated back */
    const char *refusal; /* not NULL: why the text is refused; then nothing else counts, and ... */
    size_t refused_at;   /* ... this offset in the caller's text is the byte that is too much */
} json_prepared_t;

/* The caller's text is borrowed until json_prepare_free(). */
void json_prepare(json_prepared_t *prepared, const char *text, size_t length, unsigned flags);
void json_prepare_free(json_prepared_t *prepared);
/* The offset in the caller's text that an offset in the prepared text stands for. */
size_t json_prepare_origin(const json_prepared_t *prepared, size_t offset);

#endif
