/* json.h - reading JSON documents and writing JSON text (simdjson reads; jansson says where
 * a text goes wrong).
 *
 * Reading: a document is parsed at once and owned by its root; values borrowed from it live as long
 * as the root. Duplicate keys, invalid UTF-8, depth over 512, trailing bytes are errors with line
 * and column; so is half of a surrogate pair. Integers that leave 64 bits are read as doubles.
 * Numbers that overflow a double are refused unless `JSON_ALLOW_NONFINITE` is set, under which they
 * are infinities and the bare words NaN, Infinity and -Infinity (which Python writes) are numbers
 * too. (How that is done: json_prepare.h.)
 *
 * Writing: functions that append to a buffer; the caller writes the punctuation.
 */
#ifndef GLIA_BASE_JSON_H
#define GLIA_BASE_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/buffer.h"
#include "core/base/error.h"

typedef struct json_value json_value_t; /* opaque: json_dom.h */

typedef enum {
    JSON_KIND_NULL,
    JSON_KIND_BOOLEAN,
    JSON_KIND_NUMBER,
    JSON_KIND_STRING,
    JSON_KIND_ARRAY,
    JSON_KIND_OBJECT
} json_kind_t;
enum { JSON_PLAIN = 0, JSON_ALLOW_NONFINITE = 1 };

/* The caller owns the root: json_free(). Errors (CONFIG): "name:line:column: what". */
json_value_t *json_parse(const char *text, size_t length, const char *name, unsigned flags,
                         error_info_t *error);
/* The same for a line of a file of JSON lines: errors count from `line`, its number. */
json_value_t *json_parse_line(const char *text, size_t length, const char *name, uint64_t line,
                              error_info_t *error);
void json_free(json_value_t *root);

json_kind_t json_kind(const json_value_t *value); /* NULL counts as JSON null */
bool json_is(const json_value_t *value, json_kind_t kind);
/* NULL: absent or no object */
const json_value_t *json_get(const json_value_t *object, const char *key);
/* Dotted path with array indices: "choices.0.message.content". */
const json_value_t *json_path(const json_value_t *value, const char *path);
/* elements of an array, members of an object, else 0 */
size_t json_count(const json_value_t *value);
const json_value_t *json_at(const json_value_t *array, size_t index);
/* Member `index` of an object in the order of the text. */
const json_value_t *json_member(const json_value_t *object, size_t index, const char **key);
/* The key that a member was found under, with its length: a key may hold NUL bytes (\u0000), which
 * no key that is asked for by json_get() does. NULL if `member` is not one. */
const char *json_member_name(const json_value_t *member, size_t *length);

/* All members of an object in the order of the text, each in constant time:
 *     json_iterator_t members = json_iterate(object);
 *     while (json_next(&members, &key, &value)) ...
 * An iterator holds no memory. Anything but an object has no members. */
typedef struct {
    const json_value_t *object;
    size_t index; /* of the next member */
} json_iterator_t;
json_iterator_t json_iterate(const json_value_t *object);
bool json_next(json_iterator_t *iterator, const char **key, const json_value_t **value);

/* NULL if it is not a string; UTF-8, terminated. `length` may be NULL; a string may hold NUL
 * bytes (\u0000). */
const char *json_as_string(const json_value_t *value, size_t *length);
bool json_as_number(const json_value_t *value, double *number); /* false: not a number */
/* 3.0 and 1e3 too; false: no integer that fits */
bool json_as_integer(const json_value_t *value, int64_t *integer);
bool json_as_boolean(const json_value_t *value, bool *boolean);

/* All of these return false, and leave the buffer as it was, when its maximum would be passed. */

/* Appends a JSON string in quotes. Bytes that are not UTF-8 become U+FFFD, so that what goes over
 * the wire is valid (as many as Python's errors="replace" makes). Above U+001F only '"' and '\\'
 * are escaped: what goes to a terminal goes through text_append_harmless() (text.h). */
bool json_write_string(buffer_t *buffer, const char *bytes, size_t length);
bool json_write_text(buffer_t *buffer, const char *text); /* NULL writes null */
/* Shortest decimal that reads back as the same double (or float32); NaN and
 * infinities write null. */
bool json_write_number(buffer_t *buffer, double number);
bool json_write_float(buffer_t *buffer, float number);
bool json_write_integer(buffer_t *buffer, int64_t integer);
/* A parsed value again, compact, members in the order of the text (or sorted by key). */
bool json_write_value(buffer_t *buffer, const json_value_t *value, bool sorted);

#endif
