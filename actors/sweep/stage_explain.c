/* stage_explain.c - explanations: a neuron's train records become messages, an answer becomes
 * an explanation. */
#include "actors/sweep/results.h"
#include "actors/sweep/stage.h"
#include "prompts/explain.h"
#include "store/records.h"

/* Renders with as few few-shot examples left out as the model's context asks for. False: too long
 * even without any. */
static bool render_to_fit(const settings_t *settings, const template_t *template,
                          const split_list_t *records, double threshold, request_t *request) {
    const model_settings_t *model = &settings->models[request->model];
    int64_t output = settings->explain_output;
    size_t examples = explain_example_count(template);
    for (size_t dropped = 0; dropped <= examples; dropped++) {
        message_list_clear(&request->messages);
        explain_messages(template, records, threshold, dropped, &request->messages);
        request->dropped = (int64_t)dropped;
        if (request_input_estimate(request, settings) + output <= model->context_tokens)
            return true;
    }
    return false;
}

static stage_built_t build(const stage_context_t *context, store_txn_t *txn, job_t *job,
                           request_t *request, stage_product_t *product) {
    (void)product;
    const settings_t *settings = sweep_settings(context->sweep);
    const model_settings_t *model = &settings->models[job->model];
    error_info_t error;
    double threshold;
    neuron_record_t *read = context->neuron ? NULL : records_get(txn, job->neuron, &error);
    const neuron_record_t *neuron = context->neuron ? context->neuron : read;
    if (!neuron) {
        job_fail(job, true, "records", "%s", error.message);
        return STAGE_BUILT_FAILURE;
    }
    split_list_t train = neuron_split(neuron, SPLIT_TRAIN);
    stage_built_t built = STAGE_BUILT_FAILURE;
    request_begin(request, settings, LLM_CHAT, job->model);
    if (train.count == 0)
        job_fail(job, true, "records", "%s has no activation records to explain from", neuron->id);
    else if (!neuron_threshold(neuron, &threshold))
        job_fail(job, true, "records",
                 "%s has no quantile boundaries; give its record set a threshold", neuron->id);
    else if (!render_to_fit(settings, sweep_explain_template(context->sweep, job->chain.format),
                            &train, threshold, request))
        job_fail(
            job, true, "context",
            "the prompt needs more than context_tokens = %lld of %s even without few-shot examples",
            (long long)model->context_tokens, model->name);
    else
        built = STAGE_BUILT_REQUEST;
    request->sample = job->chain.sample;
    request->parameters = (llm_parameters_t){.temperature = settings->temperature,
                                             .top_p = settings->top_p,
                                             .max_output_tokens = settings->explain_output};
    neuron_split_free(&train);
    neuron_record_free(read);
    return built;
}

static bool derive(const stage_context_t *context, store_txn_t *txn, job_t *job,
                   const request_t *request, stage_answer_t *given, stage_product_t *product) {
    (void)context;
    (void)txn;
    const char *body = buffer_text(given->body);
    size_t length = given->body->length;
    llm_answer_t answer = {0};
    llm_usage_t usage;
    error_info_t error;
    explain_result_t result = {.dropped = request->dropped, .request = request->id};
    bool ok = llm_answer_parse(LLM_CHAT, body, length, &answer, &error) &&
              explain_parse(&answer, &result.text, &error);
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

static bool decode(const void *bytes, size_t size, stage_result_t *result) {
    explain_result_t explained;
    *result = (stage_result_t){.version = result_version(bytes, size)};
    if (!explain_result_decode(bytes, size, &explained))
        return false;
    result->request = explained.request;
    explain_result_clear(&explained);
    return true;
}

static hash_t identify(const sweep_t *sweep, const stage_subject_t *subject) {
    return sweep_explain_job(sweep, subject->chain, subject->neuron);
}

static bool is_wanted(const settings_t *settings) {
    return !settings->batch;
}

const stage_t stage_explain = {
    .number = STAGE_EXPLAIN,
    .name = "explain",
    .actor = "formatter",
    .scope = SCOPE_CHAIN,
    .role = ROLE_EXPLAINER,
    .needs = STAGE_NONE,
    .is_wanted = is_wanted,
    .identify = identify,
    .build = build,
    .derive = derive,
    .typical_output = 20,
    .version = EXPLAIN_RESULT_VERSION,
    .decode = decode,
};
