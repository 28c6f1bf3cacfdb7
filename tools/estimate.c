/* estimate.c - every request of a sweep, rendered and counted. */
#include "tools/estimate.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "actors/results.h"
#include "actors/stage.h"
#include "core/base/memory.h"
#include "prompts/explain.h"
#include "store/records.h"
#include "store/responses.h"

/* What stands for an explanation that does not exist yet. */
static const char typical_explanation[] = "words and phrases that share a meaning or a place in the sentence";
enum { TYPICAL_OUTPUT = 20 };

typedef struct {
    const settings_t *settings;
    const sweep_t *sweep;
    stage_options_t stage;
    bool fresh;
    estimate_sums_t *sums;
} plan_t;

/* --- one request ---------------------------------------------------------------------------------------- */

/* What stays of an answer whose raw response is trimmed: rows of the request and the attempt, and the result. */
static double disk_of_result(const settings_t *settings, const ticket_t *ticket) {
    enum { ROWS = 600, TOKENS = 64, DIMENSIONS = 1536 };
    if (ticket->request.kind != LLM_EMBEDDING)
        return ROWS + TOKENS * sizeof(double);
    return ROWS + sizeof(float) * (double)(settings->dimensions ? settings->dimensions : DIMENSIONS);
}

/* An answer of an `echo` carries every prompt token with its alternatives; others are short. Measured sizes after
 * compression are about an eighth for logprobs. */
static double disk_of(const settings_t *settings, const ticket_t *ticket, double input, double output) {
    double text = 800 + 4 * output;
    if (settings->keep_raw == KEEP_EXPLANATIONS && ticket->job->stage != STAGE_EXPLAIN)
        return disk_of_result(settings, ticket);
    if (ticket->request.kind == LLM_EMBEDDING)
        text = 12.0 * 1536 * (double)ticket->request.input_count;
    if (ticket->request.parameters.logprobs)
        text += (ticket->request.parameters.echo ? input : output) *
                (60 + 26.0 * ticket->request.parameters.top_logprobs) / 8;
    return text + 600;
}

static void add_request(plan_t *plan, const ticket_t *ticket) {
    const settings_t *settings = plan->settings;
    const model_settings_t *model = &settings->models[ticket->request.model];
    double input = (double)request_input_estimate(&ticket->request, settings);
    double output = (double)ticket->request.output_maximum;
    if (ticket->job->stage == STAGE_EXPLAIN)
        output = fmin(output, TYPICAL_OUTPUT);
    else if (ticket->job->stage == STAGE_SIMULATE && settings->mode == SIMULATE_REPEAT)
        output *= 0.6;
    estimate_sums_t *all = plan->sums;
    estimate_t *sums[] = {&all->stages[ticket->job->stage], &all->models[ticket->request.model],
                          &all->cells[(size_t)ticket->job->stage * all->model_count + ticket->request.model]};
    for (size_t i = 0; i < 3; i++) {
        sums[i]->requests++;
        sums[i]->input_tokens += input;
        sums[i]->output_tokens += output;
        sums[i]->expected +=
            money_to_dollars(model->price.input) * input + money_to_dollars(model->price.output) * output;
        sums[i]->worst = money_add(sums[i]->worst, ticket->request.worst_case);
        sums[i]->charge += (double)ticket->request.charge_estimate;
        sums[i]->disk += disk_of(settings, ticket, input, output);
    }
}

static void plan_job(plan_t *plan, store_txn_t *txn, job_t *job, const stage_steps_t *steps) {
    ticket_t ticket = {.job = job, .pinned = ANY_ENDPOINT};
    stage_product_t product = {0};
    uint64_t stored;
    stage_built_t built = stage_build(&plan->stage, steps, txn, &ticket, &product, &stored);
    if (built == STAGE_BUILT_REQUEST && stored && !plan->fresh)
        plan->sums->stages[job->stage].stored++;
    else if (built == STAGE_BUILT_REQUEST)
        add_request(plan, &ticket);
    else if (built == STAGE_BUILT_FAILURE && plan->sums->too_long++ == 0)
        snprintf(plan->sums->first_trouble, sizeof plan->sums->first_trouble, "%s", job->trouble.message);
    plan->sums->dropped += ticket.request.dropped > 0;
    ticket.job = NULL;
    stage_product_clear(&product);
    request_clear(&ticket.request);
}

/* --- one chain ------------------------------------------------------------------------------------------- */

static void plan_simulations(plan_t *plan, store_txn_t *txn, const chain_t *chain, hash_t hash,
                             const neuron_record_t *neuron, const char *explanation) {
    split_list_t valid, calibration;
    sweep_score_records(plan->sweep, neuron, &valid, &calibration);
    for (size_t i = 0; i < valid.count + calibration.count; i++) {
        const activation_record_t *record = i < valid.count ? valid.records[i] : calibration.records[i - valid.count];
        plan->sums->stages[STAGE_SIMULATE].jobs++;
        if (explanation && journal_state(txn, sweep_simulate_job(plan->sweep, explanation, record)) == JOB_DONE) {
            plan->sums->stages[STAGE_SIMULATE].done++;
            continue;
        }
        job_t job = {
            .stage = STAGE_SIMULATE, .chain = *chain, .neuron = hash, .record = i, .model = plan->settings->simulator};
        job.explanation = (char *)(uintptr_t)(explanation ? explanation : typical_explanation);
        plan_job(plan, txn, &job, &simulator_steps);
    }
    if (valid.count > 0) {
        plan->sums->stages[STAGE_SCORE].jobs++;
        plan->sums->stages[STAGE_SCORE].done +=
            explanation && journal_state(txn, sweep_score_job(plan->sweep, explanation, hash)) == JOB_DONE;
    }
    neuron_split_free(&valid);
    neuron_split_free(&calibration);
}

static void plan_embedding(plan_t *plan, store_txn_t *txn, const chain_t *chain, const char *text, bool known) {
    store_bytes_t floats;
    hash_t key = sweep_embed_job(plan->sweep, text);
    plan->sums->stages[STAGE_EMBED].jobs++;
    if (known && !plan->fresh && embedding_get(txn, key, &floats)) {
        plan->sums->stages[STAGE_EMBED].done++;
        return;
    }
    char *texts[] = {(char *)(uintptr_t)text};
    job_t job = {.stage = STAGE_EMBED,
                 .chain = *chain,
                 .model = plan->settings->embedder,
                 .text_count = 1,
                 .texts = texts,
                 .keys = &key};
    job.id = key;
    plan_job(plan, txn, &job, &scorer_steps);
}

static void plan_chain(plan_t *plan, store_txn_t *txn, const chain_t *chain, hash_t hash, const neuron_record_t *neuron,
                       bool first_of_neuron) {
    explain_result_t explained = {0};
    job_entry_t entry = journal_get(txn, sweep_explain_job(plan->sweep, chain, hash));
    plan->sums->stages[STAGE_EXPLAIN].jobs++;
    bool known =
        !plan->fresh && entry.state == JOB_DONE && explain_result_decode(entry.result, entry.result_size, &explained);
    plan->sums->stages[STAGE_EXPLAIN].done += known;
    if (!known) {
        job_t job = {.stage = STAGE_EXPLAIN, .chain = *chain, .neuron = hash, .model = chain->explainer};
        plan_job(plan, txn, &job, &formatter_steps);
    }
    if (plan->settings->simulate)
        plan_simulations(plan, txn, chain, hash, neuron, known ? explained.text : NULL);
    char *baseline = plan->settings->adacs ? sweep_baseline(plan->sweep, txn, chain, hash, neuron) : NULL;
    if (baseline) {
        plan_embedding(plan, txn, chain, known ? explained.text : typical_explanation, known);
        if (first_of_neuron)
            plan_embedding(plan, txn, chain, baseline, true);
        plan->sums->stages[STAGE_ADACS].jobs++;
        plan->sums->stages[STAGE_ADACS].done +=
            known && journal_state(txn, sweep_adacs_job(plan->sweep, explained.text, baseline)) == JOB_DONE;
    }
    free(baseline);
    explain_result_clear(&explained);
}

static bool plan_sweep(plan_t *plan, store_txn_t *txn, uint32_t stride, error_info_t *error) {
    hash_t last = {{0}};
    neuron_record_t *neuron = NULL;
    bool ok = true;
    uint32_t last_set = UINT32_MAX;
    uint64_t count = sweep_chain_count(plan->sweep);
    for (uint64_t i = 0; ok && i < count; i++) {
        chain_t chain = sweep_chain(plan->sweep, i);
        if (stride > 0 && chain.neuron % stride != 0)
            continue;
        hash_t hash;
        ok = sweep_neuron(plan->sweep, txn, &chain, &hash, NULL);
        bool fresh = !neuron || !hash_equal(hash, last) || chain.set != last_set;
        if (ok && fresh) {
            neuron_record_free(neuron);
            neuron = records_get(txn, hash, error);
            ok = neuron != NULL;
            last = hash;
            last_set = chain.set;
            plan->sums->neurons++;
        }
        plan->stage.neuron = neuron;
        if (ok)
            plan_chain(plan, txn, &chain, hash, neuron, fresh);
        plan->sums->chains++;
    }
    neuron_record_free(neuron);
    return ok;
}

/* Embeddings were looked at one by one; a request carries as many texts as adacs.batch says. */
static void batch_embeddings(const settings_t *settings, estimate_sums_t *sums) {
    if (!settings->adacs)
        return;
    estimate_t *embedder = &sums->models[settings->embedder], *stage = &sums->stages[STAGE_EMBED];
    uint64_t texts = stage->requests, batch = (uint64_t)settings->embed_batch, requests = (texts + batch - 1) / batch;
    embedder->requests -= texts - requests;
    sums->cells[STAGE_EMBED * sums->model_count + settings->embedder].requests = requests;
    stage->requests = requests;
}

bool estimate_sweep(const sweep_t *sweep, store_txn_t *txn, uint32_t run, const estimate_options_t *options,
                    estimate_sums_t *sums, error_info_t *error) {
    const settings_t *settings = sweep_settings(sweep);
    *sums = (estimate_sums_t){.model_count = settings->model_count};
    sums->models = MEMORY_NEW_ARRAY(settings->model_count + 1, estimate_t);
    sums->cells = MEMORY_NEW_ARRAY(settings->model_count * STAGE_COUNT + 1, estimate_t);
    plan_t plan = {.settings = settings, .sweep = sweep, .fresh = options->fresh, .sums = sums};
    plan.stage = (stage_options_t){.sweep = sweep, .run = run};
    bool ok = plan_sweep(&plan, txn, options->stride, error);
    batch_embeddings(settings, sums);
    return ok;
}

void estimate_clear(estimate_sums_t *sums) {
    free(sums->models);
    free(sums->cells);
    *sums = (estimate_sums_t){0};
}

double estimate_hours(const settings_t *settings, const estimate_sums_t *sums, const char **slowest) {
    const settings_t *s = settings;
    double longest = 0;
    *slowest = NULL;
    for (size_t e = 0; e < s->endpoint_count; e++) {
        double requests = 0, charge = 0;
        for (size_t m = 0; m < s->model_count; m++) {
            if (s->models[m].endpoint_count == 0 || s->models[m].endpoints[0] != e)
                continue;
            requests += (double)sums->models[m].requests;
            charge += sums->models[m].charge;
        }
        double minutes = s->endpoints[e].rpm ? requests / (double)s->endpoints[e].rpm : 0;
        if (s->endpoints[e].tpm && charge / (double)s->endpoints[e].tpm > minutes)
            minutes = charge / (double)s->endpoints[e].tpm;
        if (minutes / 60 > longest) {
            longest = minutes / 60;
            *slowest = s->endpoints[e].name;
        }
    }
    return longest;
}

estimate_t estimate_total(const estimate_sums_t *sums) {
    estimate_t total = {0};
    for (int i = 0; i < STAGE_COUNT; i++) {
        total.requests += sums->stages[i].requests;
        total.input_tokens += sums->stages[i].input_tokens;
        total.output_tokens += sums->stages[i].output_tokens;
        total.expected += sums->stages[i].expected;
        total.worst = money_add(total.worst, sums->stages[i].worst);
        total.disk += sums->stages[i].disk;
    }
    return total;
}
