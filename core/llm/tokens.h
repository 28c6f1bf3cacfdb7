/* tokens.h - bounds and estimates of token counts where the model's own tokenizer is
 * not at hand. Pure.
 *
 * Bytes are those of the contents, before JSON escapes them. A prompt counts as one message, and so
 * does each input of an embedding.
 */
#ifndef GLIA_LLM_TOKENS_H
#define GLIA_LLM_TOKENS_H

#include <stddef.h>
#include <stdint.h>

#include "core/llm/wire.h"

/* Upper bound of the input tokens: a byte-level tokenizer never makes more tokens than bytes; plus
 * 16 a message for roles and separators, plus 16 a request. */
int64_t tokens_input_bound(const llm_request_t *request);
/* Best guess for plans and context checks: bytes / bytes_per_token, rounded up, plus 4 a message. A
 * ratio below 1 (a token has at least a byte) or NaN counts as 1. */
int64_t tokens_input_estimate(const llm_request_t *request, double bytes_per_token);
/* What providers charge against tokens/min: bytes / 4 + output maximum (embeddings have none), at
 * least 1. The division rounds down. */
int64_t tokens_rate_charge(const llm_request_t *request);

/* The same for a JSON body that was written by somebody else. Every token comes from some of its
 * bytes, as long as it refers to nothing outside of it (images, files, searches); plus 16 for what
 * the model's own template adds. */
int64_t tokens_body_bound(size_t bytes);
int64_t tokens_body_charge(size_t bytes, int64_t output_maximum);

#endif
