/* simulate.h - what a simulator is asked, and the activations that its answer
 * predicts. Pure functions.
 *
 * Three modes:
 *   echo       one completion request; every token's value is written as "unknown", and the model's
 *              probabilities of "0".."10" in the place of each "unknown" are read from
 *              the echoed logprobs
 *   per_token  one completion request a token: the echo prompt, cut after the token's tab
 *   repeat     one chat request; the model repeats the tokens with values
 *
 * A prediction is the mean of 0..10 under the probabilities of those values that the API shows,
 * scaled to sum 1. A place at which the API shows probabilities, but none of a value, is predicted
 * 0, as in the published code, and counted in `unseen`; an echo with nothing but such places is an
 * error, as are missing and misaligned logprobs.
 */
#ifndef GLIA_PROMPTS_SIMULATE_H
#define GLIA_PROMPTS_SIMULATE_H

#include <stdbool.h>
#include <stddef.h>

#include "core/base/buffer.h"
#include "core/base/error.h"
#include "core/llm/message.h"
#include "core/llm/wire.h"
#include "core/neuron/neuron.h"
#include "prompts/template.h"

/* Grow whenever the same template, explanation and tokens give another prompt, and whenever the
 * same answer gives other activations than before: parts of job ids. */
enum { SIMULATE_FORMATTER_VERSION = 1, SIMULATE_PARSER_VERSION = 1 };

/* In all three, the first `dropped` few-shot examples are left out (all, if there are fewer), and
 * neurons are numbered from 1 over what is left. */
size_t simulate_example_count(const template_t *template);

/* Appends the completion prompt for one record: {system}, per few-shot example {neuron_header}
 * block {neuron_suffix}, then {last_neuron_header} block {last_neuron_suffix}. A block is, per
 * record, "<start>\n", lines "token\tvalue" joined by "\n", "\n<end>\n"; the value is "unknown"
 * before an example's first revealed index and everywhere in the last block. Tokens are written
 * raw, with bytes that are not UTF-8 as U+FFFD. False, and `prompt` as it was, if its maximum
 * would be passed. */
bool simulate_echo_prompt(const template_t *template, const char *explanation, size_t dropped,
                          const token_t *tokens, size_t count, buffer_t *prompt);
/* Reads expected[count], each 0..10, from an answer to that prompt with echo and logprobs. Tokens
 * of the answer may be cut anywhere (an "unknown" in pieces or joined to its tab; a character in
 * pieces), and special tokens may stand before the text. `unseen` may be NULL. Errors (FATAL): no
 * logprobs, logprobs that do not line up with the text, a text without the record, no value at any
 * place. `expected` is undefined after failure. */
bool simulate_echo_parse(const llm_answer_t *answer, const token_t *tokens, size_t count,
                         double *expected, size_t *unseen, error_info_t *error);

/* Appends the echo prompt up to and with the tab behind tokens[index]; `tokens` has more than
 * `index` elements. False, and `prompt` as it was, if its maximum would be passed. */
bool simulate_token_prompt(const template_t *template, const char *explanation, size_t dropped,
                           const token_t *tokens, size_t index, buffer_t *prompt);
/* Reads one prediction from the first token of an answer to it (max_tokens 1,
 * logprobs, no echo). */
bool simulate_token_parse(const llm_answer_t *answer, double *expected, size_t *unseen,
                          error_info_t *error);

/* Appends the conversation: system text (left out if empty), per few-shot example a user message
 * {neuron_header} block of "token\tunknown" {neuron_suffix} and an assistant message
 * {assistant_prefix} block of "token\tvalue" {assistant_suffix}, and the last user message
 * {last_neuron_header} block {last_neuron_suffix}. Tokens are written as text_append_visible does
 * (a newline as \n, a tab as \t, other controls and bytes that are not UTF-8 as \xNN), so that each
 * takes exactly one line. */
void simulate_repeat_messages(const template_t *template, const char *explanation, size_t dropped,
                              const token_t *tokens, size_t count, message_list_t *out);
/* Reads expected[count] from a reply: anything, a line "<start>", for each token in order a line of
 * the token exactly as it was shown, a tab and an integer 0..10, a line "<end>", anything. The
 * first "<start>" that is followed by all this counts. With logprobs a prediction is the mean over
 * the alternatives of the value's token, where the token itself stands for the value that is
 * written ("10" in two tokens); without, the integer. Errors (FATAL): a refusal, a reply that does
 * not match (naming the first token that fails), logprobs that do not line up with the reply. */
bool simulate_repeat_parse(const llm_answer_t *answer, const token_t *tokens, size_t count,
                           double *expected, error_info_t *error);

#endif
