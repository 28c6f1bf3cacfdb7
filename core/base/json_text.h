/* json_text.h - JSON handled as bytes: members where they stand, whitespace taken out. For texts
 * that json_parse() has taken (or would take): nothing is checked here, though no text makes these
 * functions read past its end.
 */
#ifndef GLIA_BASE_JSON_TEXT_H
#define GLIA_BASE_JSON_TEXT_H

#include <stdbool.h>
#include <stddef.h>

#include "core/base/buffer.h"

/* Bytes of the text; borrowed. */
typedef struct {
    const char *text;
    size_t length;
} json_span_t;

/* The members of an object in the order of the text:
 *     json_members_t members = json_members(object);
 *     while (json_members_next(&members)) ... members.key (with its quotes), members.value
 * Anything but an object has no members. */
typedef struct {
    json_span_t key, value;
    const char *at, *end;
} json_members_t;
json_members_t json_members(json_span_t object);
bool json_members_next(json_members_t *members);
/* Whether a key, as the text has it, means `name`. */
bool json_key_is(json_span_t key, const char *name);

/* Appends the text without the whitespace between its parts: one line, otherwise byte for byte.
 * False, with the buffer as it was, when its maximum would be passed. */
bool json_write_compact(buffer_t *buffer, const char *text, size_t length);

#endif
