/* wire.h - the OpenAI-compatible wire format: request bodies out, answers in. Pure functions.
 *
 * The identity of a request (llm_request_identity) is made from what is asked,
 * never from these bytes.
 */
#ifndef GLIA_LLM_WIRE_H
#define GLIA_LLM_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/buffer.h"
#include "core/base/error.h"
#include "core/base/hash.h"
#include "core/base/json.h"
#include "core/llm/message.h"

/* bytes of a body that the parsers take; longer ones are refused */
enum { LLM_MAX_ANSWER = 128 * 1024 * 1024 };

typedef enum { LLM_CHAT, LLM_COMPLETION, LLM_EMBEDDING } llm_kind_t;

/* max_output_tokens is always written, since the reservation of an attempt counts on it. An echo of
 * the prompt alone is 0 to vLLM; llama-cpp-python takes 0 for "no limit", so an echo that must be
 * bounded there asks for 1. */
typedef struct {
    double temperature; /* NaN: left out of the body, the API's default */
    double top_p;       /* NaN: left out */
    /* chat: max_tokens or max_completion_tokens; completions: max_tokens */
    int64_t max_output_tokens;
    /* chat: max_completion_tokens (reasoning models) it is; not part of identity */
    bool modern_maximum;
    /* chat: logprobs + top_logprobs; completions: logprobs = top_logprobs */
    bool logprobs;
    int top_logprobs;   /* 0..20 */
    bool echo;          /* completions only */
    int64_t dimensions; /* embeddings; 0: left out */
} llm_parameters_t;

/* What is asked. Exactly one of messages / prompt / inputs is used, by kind.
 * Members are borrowed. */
typedef struct {
    llm_kind_t kind;
    const char *lineage;
    const message_list_t *messages; /* CHAT */
    const char *prompt;             /* COMPLETION */
    size_t prompt_length;
    const char *const *inputs; /* EMBEDDING, [input_count] texts */
    size_t input_count;
    llm_parameters_t parameters;
    int64_t sample; /* 0, 1, ...: distinguishes repeated questions; never sent */
} llm_request_t;

/* Hash of (canonical form version 1, kind, lineage, messages | prompt | inputs, sampling
 * parameters, sample). A parameter that the kind does not send (dimensions of a chat, top_logprobs
 * without logprobs) has no part in it. */
hash_t llm_request_identity(const llm_request_t *request);
/* "/chat/completions", "/completions", "/embeddings": to be put behind the base URL. */
const char *llm_request_path(llm_kind_t kind);
/* Appends the JSON body; `model` is the endpoint's own name for the model. n is always 1 and not
 * written. Embeddings ask for encoding_format "float". */
void llm_request_write(const llm_request_t *request, const char *model, buffer_t *body);

/* Money-relevant part of an answer. Cached tokens are a part of prompt tokens, reasoning tokens a
 * part of completion tokens. `present` is false, and all counts 0, when usage is missing, partial,
 * negative or absurd (over 2^31). completion_tokens may be absent from an answer without choices
 * (embeddings). Where total_tokens says more than prompt + completion, the rest is counted as
 * completion: some providers keep reasoning tokens out of completion_tokens and bill them. */
typedef struct {
    bool present;
    int64_t prompt_tokens;
    int64_t cached_tokens; /* usage.prompt_tokens_details.cached_tokens; clamped to prompt_tokens */
    int64_t completion_tokens;
    /* usage.completion_tokens_details.reasoning_tokens; clamped to completion_tokens */
    int64_t reasoning_tokens;
} llm_usage_t;

/* Reads `usage` from a response body (any kind). Never fails. */
void llm_usage_read(const char *body, size_t length, llm_usage_t *usage);
/* The same from a body that was parsed; NULL: none. */
void llm_usage_of(const json_value_t *root, llm_usage_t *usage);

typedef struct {
    char *text; /* owned: message content or completion text ("" for a null content) */
    size_t text_length;
    char *finish_reason; /* owned; may be NULL */
    char *refusal;       /* owned; NULL unless the model refused */
    size_t token_count;  /* with logprobs: tokens of the choice; else 0 */
    struct llm_token *tokens;
} llm_answer_t;

/* A token that could have stood in the place of another. */
typedef struct llm_alternative {
    char *bytes; /* owned */
    size_t length;
    double logprob;
} llm_alternative_t;

/* One token of a choice's logprobs. */
typedef struct llm_token {
    char *bytes; /* owned; from `bytes` where given, else the token string */
    size_t length;
    int64_t text_offset; /* completions: character (code point) offset into the text; chat, or not
                            given: -1. Not checked against the text */
    bool has_logprob;    /* false: null (first token of an echo) */
    /* at most 0 (give or take 0.001, as servers round); -infinity is possible, NaN is not */
    double logprob;
    size_t top_count;
    llm_alternative_t *top; /* [top_count], in the order of the text */
} llm_token_t;

/* Parses a chat or completion answer: choices[0]. Errors (FATAL) say what is missing; a reader of
 * logprobs checks token_count itself. Misaligned arrays (tokens, token_logprobs, top_logprobs,
 * text_offset of different lengths) are an error; top_logprobs and text_offset may be null or
 * absent as a whole. The answer is empty after failure; after success the caller releases it with
 * llm_answer_clear. */
bool llm_answer_parse(llm_kind_t kind, const char *body, size_t length, llm_answer_t *answer,
                      error_info_t *error);
void llm_answer_clear(llm_answer_t *answer);

/* Parses an embeddings answer of `expected` inputs: row-major [expected][*dimensions] float32,
 * owned by the caller (free()). Rows are placed by `index`. Errors: wrong count, missing or
 * repeated index, unequal or zero dimensions, a number that is not finite. */
float *llm_embedding_parse(const char *body, size_t length, size_t expected, size_t *dimensions,
                           error_info_t *error);

#endif
