/* estimate.c - every job of a sweep that is to be done: its request rendered and counted. */
#include "actors/sweep/estimate.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/memory.h"
#include "store/responses.h"

/* What stands for an explanation that does not exist yet. */
static const char typical_explanation[] =
    "words and phrases that share a meaning or a place in the sentence";

/* Ids of jobs and of requests: a job that serves several chains is carried out once, and what two
 * jobs ask alike is asked once. */
typedef struct {
    size_t count, room; /* a power of two; at most half of it is used */
    uint64_t *ids;      /* [room] 0: free */
} id_set_t;

typedef struct {
    const settings_t *settings;
    const sweep_t *sweep;
    look_options_t look;
    estimate_sums_t *sums;
    /* that were counted: a text is a job once, a record for each chain that it serves */
    id_set_t texts;
    id_set_t jobs, requests; /* that are to be done */
} plan_t;

/* True: it was not among them. */
static bool id_set_add(id_set_t *set, hash_t id) {
    uint64_t key = hash_low64(id) | 1;
    if (2 * set->count >= set->room) {
        id_set_t larger = {.room = set->room ? 2 * set->room : 1024};
        larger.ids = MEMORY_NEW_ARRAY(larger.room, uint64_t);
        for (size_t i = 0; i < set->room; i++) {
            size_t at = (size_t)(set->ids[i] >> 1);
            while (set->ids[i] && larger.ids[at & (larger.room - 1)])
                at++;
            if (set->ids[i])
                larger.ids[at & (larger.room - 1)] = set->ids[i];
        }
        larger.count = set->count;
        free(set->ids);
        *set = larger;
    }
    size_t at = (size_t)(key >> 1);
    for (; set->ids[at & (set->room - 1)]; at++)
        if (set->ids[at & (set->room - 1)] == key)
            return false;
    set->ids[at & (set->room - 1)] = key;
    set->count++;
    return true;
}

/* --- one request ------------------------------------------------------------------------------ */

/* What stays of an answer whose raw response is trimmed: rows of the request and the attempt,
 * and the result. */
static double disk_of_result(const settings_t *settings, const request_t *request) {
    enum { ROWS = 600, TOKENS = 64, DIMENSIONS = 1536 };
    if (request->kind != LLM_EMBEDDING)
        return ROWS + TOKENS * sizeof(double);
    return ROWS +
           sizeof(float) * (double)(settings->dimensions ? settings->dimensions : DIMENSIONS);
}

/* An answer of an `echo` carries every prompt token with its alternatives; others are short.
 * Measured sizes after compression are about an eighth for logprobs. */
static double disk_of(const settings_t *settings, const stage_t *stage, const request_t *request,
                      double input, double output) {
    double text = 800 + 4 * output;
    if (settings->keep_raw == KEEP_EXPLANATIONS && stage->trims)
        return disk_of_result(settings, request);
    if (request->kind == LLM_EMBEDDING)
        text = 12.0 * 1536 * (double)request->input_count;
    if (request->parameters.logprobs)
        text += (request->parameters.echo ? input : output) *
                (60 + 26.0 * request->parameters.top_logprobs) / 8;
    return text + 600;
}

static double typical_output(const stage_t *stage, const request_t *request) {
    double output = (double)request->output_maximum;
    if (stage->typical_output > 0)
        output = fmin(output, (double)stage->typical_output);
    if (stage->typical_share > 0 && request->kind == LLM_CHAT)
        output *= stage->typical_share;
    return output;
}

static void add_request(plan_t *plan, const stage_t *stage, const request_t *request) {
    const settings_t *settings = plan->settings;
    const model_settings_t *model = &settings->models[request->model];
    double input = (double)request_input_estimate(request, settings),
           output = typical_output(stage, request);
    estimate_sums_t *all = plan->sums;
    estimate_t *sums[] = {&all->stages[stage->number], &all->models[request->model],
                          &all->cells[(size_t)stage->number * all->model_count + request->model]};
    for (size_t i = 0; i < 3; i++) {
        sums[i]->requests++;
        sums[i]->input_tokens += input;
        sums[i]->output_tokens += output;
        sums[i]->expected += money_to_dollars(model->price.input) * input +
                             money_to_dollars(model->price.output) * output;
        sums[i]->worst = money_add(sums[i]->worst, request->worst_case);
        sums[i]->charge += (double)request->charge_estimate;
        sums[i]->disk += disk_of(settings, stage, request, input, output);
    }
}

/* --- one job ---------------------------------------------------------------------------------- */

/* What a stored answer will say, where it is an explanation. *product is as derive makes it. */
static bool foresee(const stage_context_t *context, store_txn_t *txn, const stage_t *stage,
                    job_t *job, const request_t *request, uint64_t response,
                    stage_product_t *product) {
    buffer_t body = BUFFER_EMPTY;
    error_info_t error;
    stage_answer_t answer = {&body, response};
    bool good = response_get(txn, response, &body, NULL, &error) &&
                stage->derive(context, txn, job, request, &answer, product);
    buffer_free(&body);
    return good;
}

static void note_trouble(plan_t *plan, const job_t *job) {
    if (plan->sums->too_long++ == 0)
        snprintf(plan->sums->first_trouble, sizeof plan->sums->first_trouble, "%s",
                 job->trouble.message);
}

/* Counts the request of a job that is to be done. False: it will fail. *derived (NULL: not wanted):
 * its result, where the answer is stored. */
static bool plan_job(plan_t *plan, store_txn_t *txn, const chain_look_t *look,
                     const chain_job_t *of, stage_product_t *derived) {
    const stage_t *stage = of->stage;
    stage_context_t context = {plan->sweep, neuron_view_record(look->view, txn, NULL)};
    stage_product_t product = {0};
    request_t request = {0};
    job_t *job = chain_look_job(look, of, typical_explanation);
    stage_built_t built = stage->build(&context, txn, job, &request, &product);
    bool good = built != STAGE_BUILT_FAILURE;
    if (built == STAGE_BUILT_REQUEST) {
        request_finish(&request, plan->settings);
        uint64_t response = plan->look.as_of == LOOK_EMPTY ? 0 : response_find(txn, request.id);
        bool asked = !response && !hash_is_zero(of->id) && !id_set_add(&plan->requests, request.id);
        if (response || asked)
            plan->sums->stages[stage->number].stored++;
        else
            add_request(plan, stage, &request);
        good = !response || !derived ||
               foresee(&context, txn, stage, job, &request, response, derived);
    } else if (!good) {
        note_trouble(plan, job);
    }
    plan->sums->dropped += request.dropped > 0;
    stage_product_clear(&product);
    request_clear(&request);
    job_free(job);
    return good;
}

/* --- one chain -------------------------------------------------------------------------------- */

/* The explanation, where it is still to come: looks again with what a stored answer says. False: it
 * will fail, and nothing follows from it. */
static bool plan_explanation(plan_t *plan, store_txn_t *txn, chain_look_t *look) {
    stage_product_t derived = {0};
    explain_result_t foreseen;
    chain_t chain = look->chain;
    bool good = !id_set_add(&plan->jobs, look->jobs[0].id) ||
                plan_job(plan, txn, look, &look->jobs[0], &derived);
    if (good && derived.result.length > 0 &&
        explain_result_decode(derived.result.data, derived.result.length, &foreseen)) {
        chain_look_foreseeing(look, &plan->look, txn, look->view, &chain, foreseen.text);
        explain_result_clear(&foreseen);
    }
    stage_product_clear(&derived);
    return good;
}

static void plan_rest(plan_t *plan, store_txn_t *txn, const chain_look_t *look,
                      const chain_job_t *job) {
    const stage_t *stage = job->stage;
    estimate_t *sums = &plan->sums->stages[stage->number];
    bool known = !hash_is_zero(job->id),
         to_do = job->state == CHAIN_ABSENT || job->state == CHAIN_WAITING;
    if (job->state == CHAIN_UNWANTED)
        return;
    if (stage->scope != SCOPE_TEXT || !known || id_set_add(&plan->texts, job->id)) {
        sums->jobs++;
        sums->done += job->state == CHAIN_DONE;
        sums->failed += job->state == CHAIN_FAILED && job->failed_itself;
    }
    if (to_do && stage->role != ROLE_NONE && (!known || id_set_add(&plan->jobs, job->id)))
        plan_job(plan, txn, look, job, NULL);
}

static void plan_chain(plan_t *plan, store_txn_t *txn, neuron_view_t *view, const chain_t *chain,
                       chain_look_t *look) {
    chain_look(look, &plan->look, txn, view, chain);
    const chain_job_t *explain = &look->jobs[0];
    estimate_t *sums = &plan->sums->stages[explain->stage->number];
    sums->jobs++;
    sums->done += explain->state == CHAIN_DONE;
    sums->failed += explain->state == CHAIN_FAILED;
    if (explain->state == CHAIN_ABSENT && !plan_explanation(plan, txn, look))
        return;
    for (size_t i = 1; i < look->count; i++)
        plan_rest(plan, txn, look, &look->jobs[i]);
}

static bool plan_sweep(plan_t *plan, store_txn_t *txn, uint32_t stride, error_info_t *error) {
    neuron_view_t view = {0};
    chain_look_t look = {0};
    bool ok = true;
    uint64_t count = sweep_chain_count(plan->sweep);
    for (uint64_t i = 0; ok && i < count; i++) {
        chain_t chain = sweep_chain(plan->sweep, i);
        if (stride > 0 && chain.neuron % stride != 0)
            continue;
        if (!neuron_view_is_of(&view, &chain)) {
            neuron_view_clear(&view);
            ok = neuron_view_open(&view, plan->sweep, txn, &chain, error) &&
                 neuron_view_record(&view, txn, error);
            plan->sums->neurons++;
        }
        if (ok)
            plan_chain(plan, txn, &view, &chain, &look);
        plan->sums->chains++;
    }
    chain_look_clear(&look);
    neuron_view_clear(&view);
    return ok;
}

/* Texts were looked at one by one; a request carries as many as adacs.batch says. */
static void batch_texts(const settings_t *settings, const stage_t *stage, estimate_sums_t *sums) {
    size_t model = settings->embedder;
    estimate_t *all = &sums->stages[stage->number];
    uint64_t texts = all->requests, batch = (uint64_t)settings->embed_batch,
             requests = (texts + batch - 1) / batch;
    sums->models[model].requests -= texts - requests;
    sums->cells[stage->number * sums->model_count + model].requests = requests;
    all->requests = requests;
}

bool estimate_sweep(const sweep_t *sweep, store_txn_t *txn, uint32_t run,
                    const estimate_options_t *options, estimate_sums_t *sums, error_info_t *error) {
    const settings_t *settings = sweep_settings(sweep);
    *sums = (estimate_sums_t){.model_count = settings->model_count};
    sums->models = MEMORY_NEW_ARRAY(settings->model_count + 1, estimate_t);
    sums->cells = MEMORY_NEW_ARRAY(settings->model_count * JOB_STAGES + 1, estimate_t);
    plan_t plan = {.settings = settings, .sweep = sweep, .sums = sums};
    plan.look =
        (look_options_t){.sweep = sweep, .run = run, .as_of = options->as_of, .depth = LOOK_EACH};
    bool ok = plan_sweep(&plan, txn, options->stride, error);
    const stage_table_t *table = sweep_stages(sweep);
    for (size_t i = 0; i < table->count; i++)
        if (table->rows[i]->scope == SCOPE_TEXT && table->rows[i]->is_wanted(settings))
            batch_texts(settings, table->rows[i], sums);
    free(plan.texts.ids);
    free(plan.jobs.ids);
    free(plan.requests.ids);
    return ok;
}

void estimate_clear(estimate_sums_t *sums) {
    free(sums->models);
    free(sums->cells);
    *sums = (estimate_sums_t){0};
}

double estimate_hours(const settings_t *settings, const estimate_sums_t *sums,
                      const char **slowest) {
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
    for (int i = 0; i < JOB_STAGES; i++) {
        total.requests += sums->stages[i].requests;
        total.input_tokens += sums->stages[i].input_tokens;
        total.output_tokens += sums->stages[i].output_tokens;
        total.expected += sums->stages[i].expected;
        total.worst = money_add(total.worst, sums->stages[i].worst);
        total.disk += sums->stages[i].disk;
    }
    return total;
}
