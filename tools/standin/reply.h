/* reply.h - response bodies of the OpenAI-compatible interface. Pure. */
#ifndef GLIA_STANDIN_REPLY_H
#define GLIA_STANDIN_REPLY_H

#include <stdbool.h>
#include <stdint.h>

#include "core/base/buffer.h"
#include "core/llm/wire.h"
#include "tools/standin/ask.h"
#include "tools/standin/mind.h"

/* What is left out or spoilt on purpose. */
typedef struct {
    double cached_share; /* 0..1 of the prompt tokens are said to come from a cache */
    bool no_usage;
    bool no_logprobs;
    bool bad_type; /* "choices" or "data" is an object instead of an array */
} standin_reply_options_t;

/* Answers: appends the body, sets *usage to what is to be billed (also if it is left
 * out of the body). */
void standin_reply_write(const standin_mind_t *mind, const standin_ask_t *ask,
                         const standin_reply_options_t *options, buffer_t *body,
                         llm_usage_t *usage);

#endif
