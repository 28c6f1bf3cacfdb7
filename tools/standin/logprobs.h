/* logprobs.h - the two shapes of logprobs in responses. Pure.
 *
 * At a spot the alternatives are "0".."10" by belief. Elsewhere they are made up, a function of
 * token and place: glia reads values only, but a body should have the size and shape of a real one.
 */
#ifndef GLIA_STANDIN_LOGPROBS_H
#define GLIA_STANDIN_LOGPROBS_H

#include <stdbool.h>
#include <stddef.h>

#include "core/base/buffer.h"
#include "tools/standin/mind.h"
#include "tools/standin/tokenizer.h"

/* {"content": [{token, logprob, bytes, top_logprobs: [{token, logprob, bytes} x top]}],
 * "refusal": null} */
void standin_logprobs_chat(const standin_token_t *tokens, size_t count,
                           const standin_thought_t *thought, size_t top, buffer_t *out);
/* {"tokens", "token_logprobs", "top_logprobs", "text_offset"}; the token itself comes on top of the
 * `top` alternatives where it is not among them. `echoed`: the first token has null logprobs, as
 * nothing stands before it. */
void standin_logprobs_completion(const standin_token_t *tokens, size_t count,
                                 const standin_thought_t *thought, size_t top, bool echoed,
                                 buffer_t *out);

#endif
