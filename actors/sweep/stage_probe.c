/* stage_probe.c - small requests that show whether an endpoint has what a mode needs. */
#include "actors/sweep/probe.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "actors/sweep/stage.h"
#include "core/base/json.h"
#include "core/base/memory.h"
#include "core/base/text.h"

enum { PROBE_VERSION = 1 };
static const char probe_text[] = "one two three";

static const char *const needs[] = {"chat", "completions with echo and logprobs", "embeddings"};

static bool needs_kind(const settings_t *settings, size_t model, llm_kind_t kind) {
    bool simulates = settings->simulate && settings->simulator == model;
    switch (kind) {
    case LLM_COMPLETION: return simulates && settings->mode == SIMULATE_ECHO;
    case LLM_EMBEDDING: return settings->adacs && settings->embedder == model;
    case LLM_CHAT: break;
    }
    if (simulates && settings->mode == SIMULATE_REPEAT)
        return true;
    for (size_t i = 0; i < settings->set_count; i++)
        for (size_t j = 0; j < settings->sets[i].explainer_count; j++)
            if (settings->sets[i].explainers[j] == model)
                return true;
    return false;
}

job_t *probe_jobs(const settings_t *settings) {
    job_t *first = NULL, **tail = &first;
    for (size_t m = 0; m < settings->model_count; m++)
        for (size_t i = 0; i < settings->models[m].endpoint_count; i++)
            for (int kind = LLM_CHAT; kind <= LLM_EMBEDDING; kind++) {
                if (!needs_kind(settings, m, (llm_kind_t)kind))
                    continue;
                const endpoint_settings_t *endpoint =
                    &settings->endpoints[settings->models[m].endpoints[i]];
                job_t *job = MEMORY_NEW(job_t);
                job->stage = STAGE_PROBE;
                job->model = m;
                job->endpoint = settings->models[m].endpoints[i];
                job->probe = (llm_kind_t)kind;
                job->label = memory_format("%s at %s for %s", settings->models[m].name,
                                           endpoint->name, needs[kind]);
                hash_builder_t *builder = hash_builder_create("job probe");
                hash_builder_add_integer(builder, PROBE_VERSION);
                hash_builder_add_text(builder, endpoint->name);
                hash_builder_add_text(builder, endpoint->standin ? "standin:" : endpoint->base_url);
                hash_builder_add_text(builder, settings->models[m].lineage);
                hash_builder_add_text(builder, settings->models[m].wire_name);
                hash_builder_add_integer(builder, kind);
                job->id = hash_builder_finish(builder);
                *tail = job;
                tail = &job->next;
            }
    return first;
}

static stage_built_t build(const stage_context_t *context, store_txn_t *txn, job_t *job,
                           request_t *request, stage_product_t *product) {
    (void)txn;
    (void)product;
    const settings_t *settings = sweep_settings(context->sweep);
    const endpoint_settings_t *endpoint = &settings->endpoints[job->endpoint];
    request_begin(request, settings, job->probe, job->model);
    /* What one endpoint answers says nothing about another: where it is is part of
     * whose answer it is. */
    free(request->lineage);
    request->lineage = memory_format(
        "probe %s %s %s %s", endpoint->name, endpoint->standin ? "standin:" : endpoint->base_url,
        settings->models[job->model].lineage, settings->models[job->model].wire_name);
    request->parameters =
        (llm_parameters_t){.temperature = NAN, .top_p = NAN, .max_output_tokens = 16};
    switch (job->probe) {
    case LLM_CHAT:
        message_list_add(&request->messages, "user", probe_text, strlen(probe_text));
        break;
    case LLM_COMPLETION:
        buffer_append_text(&request->prompt, probe_text);
        request->parameters.max_output_tokens = 1;
        request->parameters.echo = request->parameters.logprobs = true;
        request->parameters.top_logprobs = settings->top_logprobs;
        break;
    case LLM_EMBEDDING: request_add_input(request, probe_text, job->id); break;
    }
    return STAGE_BUILT_REQUEST;
}

static bool derive_echo(job_t *job, const char *body, size_t length, const char *endpoint) {
    llm_answer_t answer = {0};
    error_info_t error;
    bool ok = llm_answer_parse(LLM_COMPLETION, body, length, &answer, &error);
    if (!ok)
        job_fail(job, true, "probe", "%s: %s", endpoint, error.message);
    bool echoed = ok && answer.text_length >= strlen(probe_text) &&
                  strncmp(answer.text, probe_text, strlen(probe_text)) == 0;
    if (ok && !echoed)
        job_fail(job, true, "probe",
                 "%s does not echo the prompt, which simulate.mode = \"echo\" needs; use mode = "
                 "\"repeat\"",
                 endpoint);
    size_t shown = 0;
    for (size_t i = 1; i < answer.token_count; i++)
        shown += answer.tokens[i].has_logprob && answer.tokens[i].top_count > 0;
    if (echoed && (answer.token_count < 2 || shown + 1 < answer.token_count)) {
        ok = false;
        job_fail(job, true, "probe",
                 "%s gives no logprobs for the tokens of the prompt, which simulate.mode = "
                 "\"echo\" needs; use mode = \"repeat\"",
                 endpoint);
    }
    llm_answer_clear(&answer);
    return ok && echoed;
}

/* The stand-in says who it is; under a real model's lineage its answers would mix
 * with that model's. */
static bool unmask(job_t *job, const char *body, size_t length, const char *endpoint,
                   const char *lineage) {
    json_value_t *root = json_parse(body, length, "probe", JSON_PLAIN, NULL);
    const char *fingerprint = json_as_string(json_get(root, "system_fingerprint"), NULL);
    bool mixed = fingerprint && strcmp(fingerprint, "glia-standin") == 0 &&
                 !text_starts_with(lineage, "standin");
    json_free(root);
    if (mixed)
        job_fail(job, true, "probe",
                 "%s is the stand-in, but its model's lineage is \"%s\"; set lineage = "
                 "\"standin-%s\" for it",
                 endpoint, lineage, lineage);
    return !mixed;
}

static bool derive(const stage_context_t *context, store_txn_t *txn, job_t *job,
                   const request_t *request, stage_answer_t *given, stage_product_t *product) {
    (void)txn;
    (void)request;
    (void)product;
    const settings_t *settings = sweep_settings(context->sweep);
    const char *body = buffer_text(given->body);
    size_t length = given->body->length;
    const char *endpoint = settings->endpoints[job->endpoint].name;
    error_info_t error;
    if (!unmask(job, body, length, endpoint, settings->models[job->model].lineage))
        return false;
    if (job->probe == LLM_COMPLETION)
        return derive_echo(job, body, length, endpoint);
    bool ok;
    if (job->probe == LLM_EMBEDDING) {
        size_t dimensions;
        float *vector = llm_embedding_parse(body, length, 1, &dimensions, &error);
        ok = vector != NULL;
        free(vector);
    } else {
        llm_answer_t answer = {0};
        ok = llm_answer_parse(LLM_CHAT, body, length, &answer, &error);
        llm_answer_clear(&answer);
    }
    if (!ok)
        job_fail(job, true, "probe", "%s: %s", endpoint, error.message);
    return ok;
}

static bool is_wanted(const settings_t *settings) {
    return !settings->batch;
}

const stage_t stage_probe = {
    .number = STAGE_PROBE,
    .name = "probe",
    .actor = "formatter",
    .scope = SCOPE_ENDPOINT,
    .role = ROLE_OF_JOB,
    .needs = STAGE_NONE,
    .is_wanted = is_wanted,
    .build = build,
    .derive = derive,
};
