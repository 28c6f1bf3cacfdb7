/* tokens.c - token counts from byte counts. */
#include "core/llm/tokens.h"

#include <math.h>
#include <string.h>

enum {
    BOUND_PER_MESSAGE = 16,
    BOUND_PER_REQUEST = 16,
    ESTIMATE_PER_MESSAGE = 4,
    RATE_BYTES_PER_TOKEN = 4,
};

typedef struct {
    size_t messages; /* a prompt is one message, an embedding's input too */
    size_t bytes;
} extent_t;

static extent_t extent_of(const llm_request_t *request) {
    extent_t extent = {0};
    switch (request->kind) {
    case LLM_CHAT:
        extent.messages = request->messages->count;
        extent.bytes = message_list_bytes(request->messages);
        break;
    case LLM_COMPLETION:
        extent.messages = 1;
        extent.bytes = request->prompt_length;
        break;
    case LLM_EMBEDDING:
        extent.messages = request->input_count;
        for (size_t i = 0; i < request->input_count; i++)
            extent.bytes += strlen(request->inputs[i]);
        break;
    }
    return extent;
}

int64_t tokens_input_bound(const llm_request_t *request) {
    extent_t extent = extent_of(request);
    return (int64_t)(extent.bytes + BOUND_PER_MESSAGE * extent.messages + BOUND_PER_REQUEST);
}

int64_t tokens_input_estimate(const llm_request_t *request, double bytes_per_token) {
    extent_t extent = extent_of(request);
    /* Written so that NaN takes the branch of one byte a token. */
    double divisor = bytes_per_token >= 1 ? bytes_per_token : 1;
    return (int64_t)ceil((double)extent.bytes / divisor) +
           (int64_t)(ESTIMATE_PER_MESSAGE * extent.messages);
}

int64_t tokens_rate_charge(const llm_request_t *request) {
    int64_t charge = (int64_t)(extent_of(request).bytes / RATE_BYTES_PER_TOKEN);
    if (request->kind != LLM_EMBEDDING && request->parameters.max_output_tokens > 0)
        charge += request->parameters.max_output_tokens;
    return charge > 0 ? charge : 1;
}

int64_t tokens_body_bound(size_t bytes) {
    return (int64_t)(bytes + BOUND_PER_REQUEST);
}

int64_t tokens_body_charge(size_t bytes, int64_t output_maximum) {
    int64_t charge = (int64_t)(bytes / RATE_BYTES_PER_TOKEN) + output_maximum;
    return charge > 0 ? charge : 1;
}
