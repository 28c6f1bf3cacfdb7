/* layout.h - the small pieces that prompts are put together from. Private to prompts/. */
#ifndef GLIA_PROMPTS_LAYOUT_H
#define GLIA_PROMPTS_LAYOUT_H

#include <stdbool.h>
#include <stddef.h>

#include "core/base/buffer.h"
#include "core/llm/message.h"
#include "core/neuron/neuron.h"

enum { LAYOUT_MAX_VALUE = 10 };

/* What stands for "{n}", "{letter}" and "{explanation}" in a template's text. */
typedef struct {
    size_t neuron;           /* from 1 */
    size_t excerpt;          /* from 0: A, B, ... Z, AA, AB, ... */
    const char *explanation; /* NULL: "{explanation}" stays as it is */
} layout_fill_t;

/* Appends a template's text; braces around any other word stay. What is filled in is not
 * looked at again. */
void layout_append_filled(buffer_t *out, const char *text, const layout_fill_t *fill);

/* The published discretization, 0..10; 0 if `maximum` (of the block) is not positive. The published
 * code works on the decimals of a JSON file as doubles, where 9 of 10 is 9 and 0.57 of 1.9 is 2;
 * float32 gives other results when 10 * activation / maximum is all but whole. There, numbers that
 * have a decimal of 6 digits (every such decimal survives float32) are taken to be that decimal;
 * any other float32 was a float32 in the file too, and is exact. */
int layout_discretize(float activation, float maximum);

/* How a record's lines show tokens: as they are, or so that each takes exactly one line. */
typedef enum { LAYOUT_RAW, LAYOUT_VISIBLE } layout_tokens_t;

/* The token as shown, always valid UTF-8. */
void layout_append_token(buffer_t *out, const token_t *token, layout_tokens_t form);

enum { LAYOUT_UNKNOWN = -1, LAYOUT_OMITTED = -2 }; /* values: "unknown", no line at all */

/* Appends "<start>\n", lines "token\tvalue" joined by "\n", "\n<end>\n". values[count]: 0..10 or
 * one of the above; NULL: all unknown. */
void layout_append_record(buffer_t *out, const token_t *tokens, size_t count, const int *values,
                          layout_tokens_t form);

/* Moves what was put together into a message or behind what is in `out`, as valid UTF-8 (each run
 * of other bytes becomes one U+FFFD), and releases `raw`. False, and `out` as it was, if the
 * maximum of `out` would be passed. */
bool layout_deliver(buffer_t *raw, buffer_t *out);
void layout_deliver_message(buffer_t *raw, const char *role, message_list_t *out);

#endif
