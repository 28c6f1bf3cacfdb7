/* align.h - where the tokens of an answer's logprobs stand in its text. Private to prompts/. */
#ifndef GLIA_PROMPTS_ALIGN_H
#define GLIA_PROMPTS_ALIGN_H

#include <stdbool.h>
#include <stddef.h>

#include "core/base/error.h"
#include "core/llm/wire.h"

/* Sets starts[token_count + 1] so that token i covers the bytes starts[i] to starts[i + 1] (none,
 * for a special token that is not in the text). Taken from the character offsets of the answer if
 * every token is found where they say; else from the tokens one after the other, as servers shift
 * the offsets by a begin marker, or count what stands for half a character. A token that shows half
 * a character (bytes that are not UTF-8, U+FFFD, "bytes:\x..") matches what stands there. Error
 * (FATAL): some token is not in the text where it should be. */
bool align_tokens(const llm_answer_t *answer, size_t *starts, error_info_t *error);

#endif
