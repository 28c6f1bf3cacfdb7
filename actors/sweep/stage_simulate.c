/* stage_simulate.c - simulations: an explanation and a record become a request, logprobs become
 * expected activations.
 */
#include <math.h>
#include <stdlib.h>

#include "actors/sweep/results.h"
#include "actors/sweep/stage.h"
#include "core/base/memory.h"
#include "prompts/simulate.h"
#include "store/records.h"

/* The neuron and the one record of it that the job is about. */
typedef struct {
    const neuron_record_t *neuron;
    neuron_record_t *read; /* NULL: it was there already */
    split_list_t valid, calibration;
    const activation_record_t *record;
} subject_t;

static bool subject_open(const stage_context_t *context, store_txn_t *txn, job_t *job,
                         subject_t *subject) {
    error_info_t error;
    *subject = (subject_t){0};
    subject->read = context->neuron ? NULL : records_get(txn, job->neuron, &error);
    subject->neuron = context->neuron ? context->neuron : subject->read;
    if (!subject->neuron) {
        job_fail(job, true, "records", "%s", error.message);
        return false;
    }
    sweep_score_records(context->sweep, subject->neuron, &subject->valid, &subject->calibration);
    size_t i = job->record;
    subject->record = i < subject->valid.count
                          ? subject->valid.records[i]
                          : subject->calibration.records[i - subject->valid.count];
    return true;
}

static void subject_close(subject_t *subject) {
    neuron_split_free(&subject->valid);
    neuron_split_free(&subject->calibration);
    neuron_record_free(subject->read);
}

/* Room for a reply that repeats every token with a value: the bytes that are shown, a token each at
 * worst for short ones, with the lines around them. */
static int64_t repeat_output(const model_settings_t *model, const activation_record_t *record) {
    int64_t tokens = 32;
    for (size_t i = 0; i < record->count; i++)
        tokens += 6 + (int64_t)((double)record->tokens[i].length / 2);
    return model->max_output_tokens > 0 && tokens > model->max_output_tokens
               ? model->max_output_tokens
               : tokens;
}

/* Writes the request with as few few-shot examples left out as the model's context asks for. False:
 * too long even without any; *need tells how long. */
static bool write_to_fit(const stage_context_t *context, const activation_record_t *record,
                         const char *explanation, request_t *request, int64_t *need) {
    const settings_t *settings = sweep_settings(context->sweep);
    const model_settings_t *model = &settings->models[request->model];
    const template_t *template = sweep_simulate_template(context->sweep);
    for (size_t dropped = 0; dropped <= simulate_example_count(template); dropped++) {
        buffer_clear(&request->prompt);
        message_list_clear(&request->messages);
        if (request->kind == LLM_COMPLETION)
            simulate_echo_prompt(template, explanation, dropped, record->tokens, record->count,
                                 &request->prompt);
        else
            simulate_repeat_messages(template, explanation, dropped, record->tokens, record->count,
                                     &request->messages);
        *need = request_input_estimate(request, settings) + request->parameters.max_output_tokens;
        request->dropped = (int64_t)dropped;
        if (*need <= model->context_tokens)
            return true;
    }
    return false;
}

static stage_built_t build(const stage_context_t *context, store_txn_t *txn, job_t *job,
                           request_t *request, stage_product_t *product) {
    (void)product;
    const settings_t *settings = sweep_settings(context->sweep);
    const model_settings_t *model = &settings->models[job->model];
    subject_t subject;
    if (!subject_open(context, txn, job, &subject))
        return STAGE_BUILT_FAILURE;
    bool echo = settings->mode == SIMULATE_ECHO;
    request_begin(request, settings, echo ? LLM_COMPLETION : LLM_CHAT, job->model);
    request->parameters = (llm_parameters_t){
        .temperature = settings->simulate_temperature,
        .top_p = NAN,
        .max_output_tokens = echo ? 1 : repeat_output(model, subject.record),
        .echo = echo,
        .logprobs = settings->top_logprobs > 0,
        .top_logprobs = settings->top_logprobs,
    };
    int64_t need = 0;
    bool fits = write_to_fit(context, subject.record, job->explanation, request, &need);
    if (!fits)
        job_fail(job, true, "context",
                 "the simulation of record %zu needs about %lld tokens even without few-shot "
                 "examples, more than context_tokens = %lld of %s",
                 job->record, (long long)need, (long long)model->context_tokens, model->name);
    subject_close(&subject);
    return fits ? STAGE_BUILT_REQUEST : STAGE_BUILT_FAILURE;
}

static bool derive(const stage_context_t *context, store_txn_t *txn, job_t *job,
                   const request_t *request, stage_answer_t *given, stage_product_t *product) {
    const char *body = buffer_text(given->body);
    size_t length = given->body->length;
    const settings_t *settings = sweep_settings(context->sweep);
    subject_t subject;
    if (!subject_open(context, txn, job, &subject))
        return false;
    bool echo = settings->mode == SIMULATE_ECHO;
    llm_answer_t answer = {0};
    llm_usage_t usage;
    error_info_t error;
    size_t unseen = 0;
    simulate_result_t result = {
        .count = subject.record->count, .dropped = request->dropped, .request = request->id};
    result.expected = MEMORY_NEW_ARRAY(result.count, double);
    llm_usage_read(body, length, &usage);
    result.prompt_tokens = usage.present ? usage.prompt_tokens : -1;
    result.completion_tokens = usage.present ? usage.completion_tokens : -1;
    bool ok = llm_answer_parse(echo ? LLM_COMPLETION : LLM_CHAT, body, length, &answer, &error) &&
              (echo ? simulate_echo_parse(&answer, subject.record->tokens, result.count,
                                          result.expected, &unseen, &error)
                    : simulate_repeat_parse(&answer, subject.record->tokens, result.count,
                                            result.expected, &error));
    result.unseen = (int64_t)unseen;
    if (ok)
        simulate_result_encode(&result, &product->result);
    else
        job_fail(job, true, "parse", "%s", error.message);
    simulate_result_clear(&result);
    llm_answer_clear(&answer);
    subject_close(&subject);
    return ok;
}

static bool decode(const void *bytes, size_t size, stage_result_t *result) {
    simulate_result_t simulated;
    *result = (stage_result_t){.version = result_version(bytes, size)};
    if (!simulate_result_decode(bytes, size, &simulated))
        return false;
    result->request = simulated.request;
    simulate_result_clear(&simulated);
    return true;
}

static hash_t identify(const sweep_t *sweep, const stage_subject_t *subject) {
    return sweep_simulate_job(sweep, subject->explanation, subject->record);
}

static bool is_wanted(const settings_t *settings) {
    return settings->simulate;
}

const stage_t stage_simulate = {
    .number = STAGE_SIMULATE,
    .name = "simulate",
    .actor = "simulator",
    .scope = SCOPE_RECORD,
    .role = ROLE_SIMULATOR,
    .needs = STAGE_EXPLAIN,
    .about = ABOUT_RECORDS,
    .is_wanted = is_wanted,
    .identify = identify,
    .build = build,
    .derive = derive,
    .trims = true,
    .typical_share = 0.6,
    .version = SIMULATE_RESULT_VERSION,
    .decode = decode,
};
