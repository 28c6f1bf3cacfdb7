/* explain.h - what an explainer is asked, and what it answers. Pure functions.
 *
 * Layouts (a block is the records of one neuron; "{...}" are texts of the template):
 *   original           "\n", then per record "<start>\n", lines "token\tvalue" joined by "\n",
 *                      "\n<end>\n"
 *   summary            "\n", then per record {excerpt_header} "<start>" text "<end> \n"
 *                      {tokens_header}, the marked tokens joined by ",", "\n"
 *   highlight          the same without the list, each marked token in "[ ]", one by one
 *   highlight_summary  the same with both
 *   avhs               as highlight_summary; list items are "token\tvalue"
 * A token is marked if its activation is above the threshold, in avhs if its value is above 0.
 * Values are discretized: min(10, floor(10 * max(0, activation) / maximum)) over the block's
 * maximum, all 0 if that is not positive.
 *
 * A message is always valid UTF-8: a run of bytes that is not (half a character between two
 * brackets) becomes one U+FFFD.
 */
#ifndef GLIA_PROMPTS_EXPLAIN_H
#define GLIA_PROMPTS_EXPLAIN_H

#include <stdbool.h>
#include <stddef.h>

#include "core/base/buffer.h"
#include "core/base/error.h"
#include "core/llm/message.h"
#include "core/llm/wire.h"
#include "core/neuron/neuron.h"
#include "prompts/template.h"

/* Appends the block of activation records alone, by the layout of a prompt format's template (any
 * other template is a bug: aborts). Both sides of `activation > threshold` are taken as float32,
 * the precision of a record, so that a threshold equal to an activation never marks it. False, and
 * `body` as it was, if its maximum would be passed. */
bool explain_body(const template_t *template, const split_list_t *records, double threshold,
                  buffer_t *body);

/* Appends the whole conversation: system text (left out if empty), a user and an assistant message
 * per few-shot example, and the user message about `records`. The first `dropped` examples are left
 * out (all, if there are fewer); neurons are numbered from 1 over what is left. */
void explain_messages(const template_t *template, const split_list_t *records, double threshold,
                      size_t dropped, message_list_t *out);
size_t explain_example_count(const template_t *template);

/* The explanation in an answer: as returned, but for ASCII whitespace at both ends. The caller owns
 * *text. Errors (FATAL): a refusal, an empty answer, a NUL byte. */
bool explain_parse(const llm_answer_t *answer, char **text, error_info_t *error);

#endif
