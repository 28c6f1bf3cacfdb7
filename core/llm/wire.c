/* wire.c - requests: their identity and their JSON bodies. Answers are read in wire_answer.c. */
#include "core/llm/wire.h"

#include <math.h>
#include <string.h>

#include "core/base/json.h"

enum { CANONICAL_FORM_VERSION = 1 };

static void identify_asked(hash_builder_t *builder, const llm_request_t *request) {
    switch (request->kind) {
    case LLM_CHAT:
        hash_builder_add_integer(builder, (int64_t)request->messages->count);
        for (size_t i = 0; i < request->messages->count; i++) {
            const message_t *message = &request->messages->messages[i];
            hash_builder_add_text(builder, message->role);
            hash_builder_add_bytes(builder, message->content, message->length);
        }
        break;
    case LLM_COMPLETION:
        hash_builder_add_bytes(builder, request->prompt, request->prompt_length);
        break;
    case LLM_EMBEDDING:
        hash_builder_add_integer(builder, (int64_t)request->input_count);
        for (size_t i = 0; i < request->input_count; i++)
            hash_builder_add_text(builder, request->inputs[i]);
        break;
    }
}

/* A parameter that the kind does not send has no part in what is asked, so it has none
 * in the identity. */
static void identify_parameters(hash_builder_t *builder, llm_kind_t kind,
                                const llm_parameters_t *parameters) {
    bool generates = kind != LLM_EMBEDDING;
    bool logprobs = generates && parameters->logprobs;
    hash_builder_add_number(builder, generates ? parameters->temperature : NAN);
    hash_builder_add_number(builder, generates ? parameters->top_p : NAN);
    hash_builder_add_integer(builder, generates ? parameters->max_output_tokens : 0);
    hash_builder_add_integer(builder, logprobs);
    hash_builder_add_integer(builder, logprobs ? parameters->top_logprobs : 0);
    hash_builder_add_integer(builder, kind == LLM_COMPLETION && parameters->echo);
    hash_builder_add_integer(builder, generates ? 0 : parameters->dimensions);
}

hash_t llm_request_identity(const llm_request_t *request) {
    hash_builder_t *builder = hash_builder_create("request");
    hash_builder_add_integer(builder, CANONICAL_FORM_VERSION);
    hash_builder_add_integer(builder, request->kind);
    hash_builder_add_text(builder, request->lineage);
    identify_asked(builder, request);
    identify_parameters(builder, request->kind, &request->parameters);
    hash_builder_add_integer(builder, request->sample);
    return hash_builder_finish(builder);
}

const char *llm_request_path(llm_kind_t kind) {
    switch (kind) {
    case LLM_CHAT: return "/chat/completions";
    case LLM_COMPLETION: return "/completions";
    case LLM_EMBEDDING: break;
    }
    return "/embeddings";
}

/* Every member but the first ("model") is preceded by a comma. */
static void write_key(buffer_t *body, const char *key) {
    buffer_append_char(body, ',');
    json_write_text(body, key);
    buffer_append_char(body, ':');
}

static void write_integer_member(buffer_t *body, const char *key, int64_t value) {
    write_key(body, key);
    json_write_integer(body, value);
}

static void write_true_member(buffer_t *body, const char *key) {
    write_key(body, key);
    buffer_append_text(body, "true");
}

static void write_sampling(buffer_t *body, const llm_parameters_t *parameters) {
    if (!isnan(parameters->temperature)) {
        write_key(body, "temperature");
        json_write_number(body, parameters->temperature);
    }
    if (!isnan(parameters->top_p)) {
        write_key(body, "top_p");
        json_write_number(body, parameters->top_p);
    }
}

static void write_chat(buffer_t *body, const llm_request_t *request) {
    const llm_parameters_t *parameters = &request->parameters;
    write_key(body, "messages");
    buffer_append_char(body, '[');
    for (size_t i = 0; i < request->messages->count; i++) {
        const message_t *message = &request->messages->messages[i];
        buffer_append_text(body, i ? ",{\"role\":" : "{\"role\":");
        json_write_text(body, message->role);
        buffer_append_text(body, ",\"content\":");
        json_write_string(body, message->content, message->length);
        buffer_append_char(body, '}');
    }
    buffer_append_char(body, ']');
    write_sampling(body, parameters);
    /* Always written: the reservation of the attempt counts on it. */
    write_integer_member(body, parameters->modern_maximum ? "max_completion_tokens" : "max_tokens",
                         parameters->max_output_tokens);
    if (parameters->logprobs) {
        write_true_member(body, "logprobs");
        write_integer_member(body, "top_logprobs", parameters->top_logprobs);
    }
}

static void write_completion(buffer_t *body, const llm_request_t *request) {
    const llm_parameters_t *parameters = &request->parameters;
    write_key(body, "prompt");
    json_write_string(body, request->prompt, request->prompt_length);
    write_sampling(body, parameters);
    write_integer_member(body, "max_tokens", parameters->max_output_tokens);
    if (parameters->echo)
        write_true_member(body, "echo");
    if (parameters->logprobs)
        write_integer_member(body, "logprobs", parameters->top_logprobs);
}

static void write_embedding(buffer_t *body, const llm_request_t *request) {
    write_key(body, "input");
    buffer_append_char(body, '[');
    for (size_t i = 0; i < request->input_count; i++) {
        if (i)
            buffer_append_char(body, ',');
        json_write_string(body, request->inputs[i], strlen(request->inputs[i]));
    }
    buffer_append_char(body, ']');
    write_key(body, "encoding_format");
    json_write_text(body, "float");
    if (request->parameters.dimensions > 0)
        write_integer_member(body, "dimensions", request->parameters.dimensions);
}

void llm_request_write(const llm_request_t *request, const char *model, buffer_t *body) {
    buffer_append_text(body, "{\"model\":");
    json_write_text(body, model);
    switch (request->kind) {
    case LLM_CHAT: write_chat(body, request); break;
    case LLM_COMPLETION: write_completion(body, request); break;
    case LLM_EMBEDDING: write_embedding(body, request); break;
    }
    buffer_append_char(body, '}');
}
