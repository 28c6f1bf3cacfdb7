/* fuzz_answer.c - an endpoint's answer of any kind, as bytes. The first byte chooses how many
 * embeddings are expected.
 */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>

#include "core/llm/wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(int promise) {
    if (!promise)
        abort();
}

static void check_token(const llm_token_t *token) {
    check(token->bytes && token->bytes[token->length] == '\0');
    check(!isnan(token->logprob) && token->logprob < 1 && token->text_offset >= -1);
    for (size_t i = 0; i < token->top_count; i++)
        check(token->top[i].bytes && token->top[i].bytes[token->top[i].length] == '\0' &&
              token->top[i].logprob < 1);
}

static void try_answer(llm_kind_t kind, const char *body, size_t length) {
    llm_answer_t answer;
    if (llm_answer_parse(kind, body, length, &answer, NULL)) {
        check(answer.text && answer.text[answer.text_length] == '\0');
        for (size_t i = 0; i < answer.token_count; i++)
            check_token(&answer.tokens[i]);
    } else {
        check(!answer.text && !answer.tokens && answer.token_count == 0);
    }
    llm_answer_clear(&answer);
}

static void try_embedding(const char *body, size_t length, size_t expected) {
    size_t dimensions = 0;
    error_info_t error = {0};
    float *rows = llm_embedding_parse(body, length, expected, &dimensions, &error);
    check((rows != NULL) == (dimensions > 0));
    check(rows || error.class_ == ERROR_FATAL);
    for (size_t i = 0; rows && i < expected * dimensions; i++)
        check(isfinite(rows[i]) != 0);
    free(rows);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size == 0)
        return 0;
    const char *body = (const char *)data + 1;
    size_t length = size - 1;
    llm_usage_t usage;
    llm_usage_read(body, length, &usage);
    check(usage.prompt_tokens >= 0 && usage.cached_tokens <= usage.prompt_tokens);
    check(usage.completion_tokens >= 0 && usage.reasoning_tokens <= usage.completion_tokens);
    try_answer(LLM_CHAT, body, length);
    try_answer(LLM_COMPLETION, body, length);
    try_embedding(body, length, data[0]);
    return 0;
}
