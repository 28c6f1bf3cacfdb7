/* formatter.c - explanations: neuron records become messages, answers become explanations. Also the probes
 * (small requests that show whether an endpoint has what a mode needs). */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "actors/probe.h"
#include "actors/results.h"
#include "actors/stage.h"
#include "core/base/memory.h"
#include "prompts/explain.h"
#include "store/records.h"

/* Renders with as few few-shot examples left out as the model's context asks for. False: too long even without any. */
static bool render_to_fit(const settings_t *settings, const template_t *template, const split_list_t *records,
                          double threshold, ticket_t *ticket) {
    const model_settings_t *model = &settings->models[ticket->request.model];
    int64_t output = settings->explain_output;
    size_t examples = explain_example_count(template);
    for (size_t dropped = 0; dropped <= examples; dropped++) {
        message_list_clear(&ticket->request.messages);
        explain_messages(template, records, threshold, dropped, &ticket->request.messages);
        ticket->request.dropped = (int64_t)dropped;
        if (request_input_estimate(&ticket->request, settings) + output <= model->context_tokens)
            return true;
    }
    return false;
}

static stage_built_t build_explain(const stage_options_t *options, store_txn_t *txn, ticket_t *ticket) {
    const settings_t *settings = sweep_settings(options->sweep);
    job_t *job = ticket->job;
    const model_settings_t *model = &settings->models[job->model];
    error_info_t error;
    double threshold;
    neuron_record_t *read = options->neuron ? NULL : records_get(txn, job->neuron, &error);
    const neuron_record_t *neuron = options->neuron ? options->neuron : read;
    if (!neuron) {
        job_fail(job, true, "records", "%s", error.message);
        return STAGE_BUILT_FAILURE;
    }
    split_list_t train = neuron_split(neuron, SPLIT_TRAIN);
    stage_built_t built = STAGE_BUILT_FAILURE;
    request_begin(&ticket->request, settings, LLM_CHAT, job->model);
    if (train.count == 0)
        job_fail(job, true, "records", "%s has no activation records to explain from", neuron->id);
    else if (!neuron_threshold(neuron, &threshold))
        job_fail(job, true, "records", "%s has no quantile boundaries; give its record set a threshold", neuron->id);
    else if (!render_to_fit(settings, sweep_explain_template(options->sweep, job->chain.format), &train, threshold,
                            ticket))
        job_fail(job, true, "context",
                 "the prompt needs more than context_tokens = %lld of %s even without few-shot examples",
                 (long long)model->context_tokens, model->name);
    else
        built = STAGE_BUILT_REQUEST;
    ticket->request.sample = job->chain.sample;
    ticket->request.parameters = (llm_parameters_t){
        .temperature = settings->temperature, .top_p = settings->top_p, .max_output_tokens = settings->explain_output};
    neuron_split_free(&train);
    neuron_record_free(read);
    return built;
}

static bool derive_explain(ticket_t *ticket, const char *body, size_t length, stage_product_t *product) {
    job_t *job = ticket->job;
    llm_answer_t answer = {0};
    llm_usage_t usage;
    error_info_t error;
    explain_result_t result = {.dropped = ticket->request.dropped, .request = ticket->request.id};
    bool ok = llm_answer_parse(LLM_CHAT, body, length, &answer, &error) && explain_parse(&answer, &result.text, &error);
    llm_usage_read(body, length, &usage);
    result.prompt_tokens = usage.present ? usage.prompt_tokens : -1;
    result.completion_tokens = usage.present ? usage.completion_tokens : -1;
    if (ok)
        explain_result_encode(&result, &product->result);
    else
        job_fail(job, true, "parse", "%s", error.message);
    explain_result_clear(&result);
    llm_answer_clear(&answer);
    return ok;
}

static stage_built_t formatter_build(const stage_options_t *options, store_txn_t *txn, ticket_t *ticket,
                                     stage_product_t *product) {
    (void)product;
    if (ticket->job->stage == STAGE_PROBE)
        return probe_build(sweep_settings(options->sweep), ticket);
    return build_explain(options, txn, ticket);
}

static bool formatter_derive(const stage_options_t *options, store_txn_t *txn, ticket_t *ticket, const char *body,
                             size_t length, stage_product_t *product) {
    (void)txn;
    if (ticket->job->stage == STAGE_PROBE)
        return probe_derive(sweep_settings(options->sweep), ticket, body, length);
    return derive_explain(ticket, body, length, product);
}

const stage_steps_t formatter_steps = {formatter_build, formatter_derive, false};

static const actor_definition_t formatter_definition = {
    .name = "formatter", .kinds = STAGE_KINDS, .mailbox = 1024, .receive = stage_receive, .free = stage_free};

actor_t *formatter_create(scheduler_t *scheduler, const stage_options_t *options, size_t mailbox) {
    return stage_create(scheduler, &formatter_definition, options, &formatter_steps, mailbox);
}
