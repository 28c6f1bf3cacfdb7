/* request.c - requests: begun, finished, written, freed. */
#include "actors/sweep/request.h"

#include <stdlib.h>

#include "core/base/memory.h"
#include "core/llm/tokens.h"

void request_begin(request_t *request, const settings_t *settings, llm_kind_t kind, size_t model) {
    request->kind = kind;
    request->model = model;
    request->lineage = memory_copy_string(settings->models[model].lineage);
}

void request_add_input(request_t *request, const char *text, hash_t key) {
    size_t count = request->input_count++;
    request->inputs = memory_resize(request->inputs, count + 1, sizeof *request->inputs);
    request->keys = memory_resize(request->keys, count + 1, sizeof *request->keys);
    request->inputs[count] = memory_copy_string(text);
    request->keys[count] = key;
}

void request_clear(request_t *request) {
    free(request->lineage);
    message_list_clear(&request->messages);
    buffer_free(&request->prompt);
    for (size_t i = 0; i < request->input_count; i++)
        free(request->inputs[i]);
    free(request->inputs);
    free(request->keys);
    buffer_free(&request->written);
    *request = (request_t){0};
}

/* As the wire takes it; borrows everything. */
static llm_request_t view(const request_t *request) {
    return (llm_request_t){
        .kind = request->kind,
        .lineage = request->lineage,
        .messages = &request->messages,
        .prompt = buffer_text(&request->prompt),
        .prompt_length = request->prompt.length,
        .inputs = (const char *const *)request->inputs,
        .input_count = request->input_count,
        .parameters = request->parameters,
        .sample = request->sample,
    };
}

static void size_made(request_t *request) {
    llm_request_t made = view(request);
    request->id = llm_request_identity(&made);
    request->input_bound = tokens_input_bound(&made);
    request->output_maximum =
        request->kind == LLM_EMBEDDING ? 0 : request->parameters.max_output_tokens;
    request->charge_estimate = tokens_rate_charge(&made);
}

static void size_written(request_t *request) {
    request->input_bound = tokens_body_bound(request->written.length);
    request->charge_estimate = tokens_body_charge(request->written.length, request->output_maximum);
}

void request_finish(request_t *request, const settings_t *settings) {
    if (request->written.length > 0)
        size_written(request);
    else
        size_made(request);
    request->charge_bound = request->input_bound + request->output_maximum;
    request->worst_case = price_worst_case(&settings->models[request->model].price,
                                           request->input_bound, request->output_maximum);
}

int64_t request_input_estimate(const request_t *request, const settings_t *settings) {
    llm_request_t made = view(request);
    return tokens_input_estimate(&made, settings->models[request->model].bytes_per_token);
}

int64_t request_charge(const request_t *request, const endpoint_settings_t *endpoint) {
    return endpoint->charge_bound ? request->charge_bound : request->charge_estimate;
}

const buffer_t *request_body(const request_t *request, const settings_t *settings, buffer_t *made) {
    if (request->written.length > 0)
        return &request->written;
    llm_request_t asked = view(request);
    asked.parameters.modern_maximum = settings->models[request->model].modern_maximum;
    llm_request_write(&asked, settings->models[request->model].wire_name, made);
    return made;
}
