/* scorer.c - scores from simulations; embeddings, and AdaCS from embeddings. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "actors/results.h"
#include "actors/stage.h"
#include "core/base/json.h"
#include "core/base/matrix.h"
#include "core/base/memory.h"
#include "store/records.h"
#include "store/responses.h"

/* --- score -------------------------------------------------------------------------------------------------- */

typedef struct {
    double *simulated, *real;
    size_t count;
} pairs_t;

static bool add_record(const stage_options_t *options, store_txn_t *txn, const job_t *job,
                       const activation_record_t *record, pairs_t *pairs) {
    job_entry_t entry = journal_get(txn, sweep_simulate_job(options->sweep, job->explanation, record));
    simulate_result_t simulation;
    if (entry.state != JOB_DONE || !simulate_result_decode(entry.result, entry.result_size, &simulation))
        return false;
    bool ok = simulation.count == record->count;
    size_t count = pairs->count + (ok ? record->count : 0);
    pairs->simulated = memory_resize(pairs->simulated, count + 1, sizeof(double));
    pairs->real = memory_resize(pairs->real, count + 1, sizeof(double));
    for (size_t i = 0; ok && i < record->count; i++) {
        pairs->simulated[pairs->count] = simulation.expected[i];
        pairs->real[pairs->count++] = record->activations[i];
    }
    simulate_result_clear(&simulation);
    return ok;
}

static bool collect(const stage_options_t *options, store_txn_t *txn, const job_t *job, const split_list_t *records,
                    pairs_t *pairs) {
    for (size_t i = 0; i < records->count; i++)
        if (!add_record(options, txn, job, records->records[i], pairs))
            return false;
    return true;
}

static bool score_pairs(const settings_t *settings, pairs_t *valid, const pairs_t *fit, score_t *score) {
    score_calibration_t calibration;
    *score = (score_t){NAN, NAN, NAN};
    if (!score_calibration_fit(&calibration, settings->calibration, fit->simulated, fit->real, fit->count))
        return false; /* an undefined calibration makes undefined scores */
    score_calibration_apply(&calibration, valid->simulated, valid->simulated, valid->count);
    *score = score_compute(valid->simulated, valid->real, valid->count);
    score_calibration_clear(&calibration);
    return true;
}

static stage_built_t build_score(const stage_options_t *options, store_txn_t *txn, job_t *job,
                                 stage_product_t *product) {
    error_info_t error;
    neuron_record_t *neuron = records_get(txn, job->neuron, &error);
    if (!neuron) {
        job_fail(job, true, "records", "%s", error.message);
        return STAGE_BUILT_FAILURE;
    }
    split_list_t valid, calibration;
    sweep_score_records(options->sweep, neuron, &valid, &calibration);
    pairs_t valid_pairs = {0}, fit_pairs = {0};
    bool ok = collect(options, txn, job, &valid, &valid_pairs) && collect(options, txn, job, &calibration, &fit_pairs);
    if (ok) {
        score_result_t result = {.records = (int64_t)valid.count, .tokens = (int64_t)valid_pairs.count};
        score_pairs(sweep_settings(options->sweep), &valid_pairs, &fit_pairs, &result.score);
        score_result_encode(&result, &product->result);
    } else {
        job_fail(job, false, "store", "a simulation that the score needs is not in the store");
    }
    free(valid_pairs.simulated);
    free(valid_pairs.real);
    free(fit_pairs.simulated);
    free(fit_pairs.real);
    neuron_split_free(&valid);
    neuron_split_free(&calibration);
    neuron_record_free(neuron);
    return ok ? STAGE_BUILT_RESULT : STAGE_BUILT_FAILURE;
}

/* --- AdaCS --------------------------------------------------------------------------------------------------- */

/* An aligned copy; NULL: not there. */
static float *load_embedding(const stage_options_t *options, store_txn_t *txn, const char *text, size_t *dimensions) {
    store_bytes_t bytes;
    if (!embedding_get(txn, sweep_embed_job(options->sweep, text), &bytes))
        return NULL;
    *dimensions = bytes.size / sizeof(float);
    return memory_copy(bytes.data, bytes.size);
}

static stage_built_t build_adacs(const stage_options_t *options, store_txn_t *txn, job_t *job,
                                 stage_product_t *product) {
    size_t a_count = 0, b_count = 0;
    float *a = load_embedding(options, txn, job->explanation, &a_count);
    float *b = load_embedding(options, txn, job->baseline, &b_count);
    stage_built_t built = STAGE_BUILT_FAILURE;
    if (!a || !b) {
        job_fail(job, false, "store", "an embedding that AdaCS needs is not in the store");
    } else if (a_count != b_count) {
        job_fail(job, true, "parse", "the embeddings have %zu and %zu dimensions", a_count, b_count);
    } else {
        adacs_result_encode(matrix_cosine(a, b, a_count), &product->result);
        built = STAGE_BUILT_RESULT;
    }
    free(a);
    free(b);
    return built;
}

/* --- embeddings ---------------------------------------------------------------------------------------------- */

/* A text whose answer is stored, but whose vector was not written before the run stopped. */
static bool derive_linked(store_txn_t *txn, hash_t key, stage_product_t *product) {
    uint64_t response;
    uint32_t index;
    if (!embedding_link(txn, key, &response, &index))
        return false;
    buffer_t body = BUFFER_EMPTY;
    size_t dimensions = 0;
    float *rows = NULL;
    if (response_get(txn, response, &body, NULL, NULL)) {
        json_value_t *root = json_parse(body.data, body.length, "embeddings", JSON_PLAIN, NULL);
        size_t count = json_count(json_get(root, "data"));
        json_free(root);
        if (index < count)
            rows = llm_embedding_parse(body.data, body.length, count, &dimensions, NULL);
    }
    buffer_free(&body);
    if (!rows)
        return false;
    stage_product_add_vector(product, key, memory_copy(rows + (size_t)index * dimensions, dimensions * sizeof(float)),
                             dimensions);
    free(rows);
    return true;
}

static stage_built_t build_embed(const stage_options_t *options, store_txn_t *txn, ticket_t *ticket,
                                 stage_product_t *product) {
    const settings_t *settings = sweep_settings(options->sweep);
    job_t *job = ticket->job;
    request_begin(&ticket->request, settings, LLM_EMBEDDING, job->model);
    ticket->request.parameters =
        (llm_parameters_t){.temperature = NAN, .top_p = NAN, .dimensions = settings->dimensions};
    for (size_t i = 0; i < job->text_count; i++) {
        store_bytes_t floats;
        if (!embedding_get(txn, job->keys[i], &floats) && !derive_linked(txn, job->keys[i], product))
            request_add_input(&ticket->request, job->texts[i], job->keys[i]);
    }
    return ticket->request.input_count > 0 ? STAGE_BUILT_REQUEST : STAGE_BUILT_RESULT;
}

static bool derive_embed(ticket_t *ticket, const char *body, size_t length, stage_product_t *product) {
    size_t dimensions;
    error_info_t error;
    float *rows = llm_embedding_parse(body, length, ticket->request.input_count, &dimensions, &error);
    if (!rows) {
        job_fail(ticket->job, true, "parse", "%s", error.message);
        return false;
    }
    for (size_t i = 0; i < ticket->request.input_count; i++)
        stage_product_add_vector(product, ticket->request.keys[i],
                                 memory_copy(rows + i * dimensions, dimensions * sizeof(float)), dimensions);
    product->trim = true;
    free(rows);
    return true;
}

static stage_built_t scorer_build(const stage_options_t *options, store_txn_t *txn, ticket_t *ticket,
                                  stage_product_t *product) {
    switch (ticket->job->stage) {
    case STAGE_SCORE: return build_score(options, txn, ticket->job, product);
    case STAGE_ADACS: return build_adacs(options, txn, ticket->job, product);
    default: return build_embed(options, txn, ticket, product);
    }
}

static bool scorer_derive(const stage_options_t *options, store_txn_t *txn, ticket_t *ticket, const char *body,
                          size_t length, stage_product_t *product) {
    (void)options;
    (void)txn;
    return derive_embed(ticket, body, length, product);
}

const stage_steps_t scorer_steps = {scorer_build, scorer_derive, false};

static const actor_definition_t scorer_definition = {
    .name = "scorer", .kinds = STAGE_KINDS, .mailbox = 1024, .receive = stage_receive, .free = stage_free};

actor_t *scorer_create(scheduler_t *scheduler, const stage_options_t *options, size_t mailbox) {
    return stage_create(scheduler, &scorer_definition, options, &scorer_steps, mailbox);
}
