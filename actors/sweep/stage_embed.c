/* stage_embed.c - texts become vectors, several to a request. */
#include <math.h>
#include <stdlib.h>

#include "actors/sweep/stage.h"
#include "core/base/json.h"
#include "core/base/memory.h"
#include "store/responses.h"

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
    stage_product_add_vector(
        product, key, memory_copy(rows + (size_t)index * dimensions, dimensions * sizeof(float)),
        dimensions);
    free(rows);
    return true;
}

static stage_built_t build(const stage_context_t *context, store_txn_t *txn, job_t *job,
                           request_t *request, stage_product_t *product) {
    const settings_t *settings = sweep_settings(context->sweep);
    request_begin(request, settings, LLM_EMBEDDING, job->model);
    request->parameters =
        (llm_parameters_t){.temperature = NAN, .top_p = NAN, .dimensions = settings->dimensions};
    for (size_t i = 0; i < job->text_count; i++) {
        store_bytes_t floats;
        if (!embedding_get(txn, job->keys[i], &floats) &&
            !derive_linked(txn, job->keys[i], product))
            request_add_input(request, job->texts[i], job->keys[i]);
    }
    return request->input_count > 0 ? STAGE_BUILT_REQUEST : STAGE_BUILT_RESULT;
}

static bool derive(const stage_context_t *context, store_txn_t *txn, job_t *job,
                   const request_t *request, stage_answer_t *given, stage_product_t *product) {
    (void)context;
    (void)txn;
    size_t dimensions;
    error_info_t error;
    float *rows = llm_embedding_parse(buffer_text(given->body), given->body->length,
                                      request->input_count, &dimensions, &error);
    if (!rows) {
        job_fail(job, true, "parse", "%s", error.message);
        return false;
    }
    for (size_t i = 0; i < request->input_count; i++)
        stage_product_add_vector(product, request->keys[i],
                                 memory_copy(rows + i * dimensions, dimensions * sizeof(float)),
                                 dimensions);
    free(rows);
    return true;
}

static hash_t identify(const sweep_t *sweep, const stage_subject_t *subject) {
    return sweep_embed_job(sweep, subject->text);
}

static bool is_wanted(const settings_t *settings) {
    return settings->adacs;
}

const stage_t stage_embed = {
    .number = STAGE_EMBED,
    .name = "embed",
    .actor = "scorer",
    .scope = SCOPE_TEXT,
    .role = ROLE_EMBEDDER,
    .needs = STAGE_EXPLAIN,
    .about = ABOUT_BASELINE,
    .is_wanted = is_wanted,
    .identify = identify,
    .build = build,
    .derive = derive,
    .trims = true,
    .keeps_vectors = true,
};
