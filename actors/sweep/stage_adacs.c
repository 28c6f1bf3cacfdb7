/* stage_adacs.c - AdaCS: how near the embeddings of an explanation and of its baseline are. */
#include <stdlib.h>

#include "actors/sweep/results.h"
#include "actors/sweep/stage.h"
#include "core/base/matrix.h"
#include "core/base/memory.h"
#include "store/responses.h"

/* An aligned copy; NULL: not there. */
static float *load_embedding(const stage_context_t *context, store_txn_t *txn, const char *text,
                             size_t *dimensions) {
    store_bytes_t bytes;
    if (!embedding_get(txn, sweep_embed_job(context->sweep, text), &bytes))
        return NULL;
    *dimensions = bytes.size / sizeof(float);
    return memory_copy(bytes.data, bytes.size);
}

static stage_built_t build(const stage_context_t *context, store_txn_t *txn, job_t *job,
                           request_t *request, stage_product_t *product) {
    (void)request;
    size_t a_count = 0, b_count = 0;
    float *a = load_embedding(context, txn, job->explanation, &a_count);
    float *b = load_embedding(context, txn, job->baseline, &b_count);
    stage_built_t built = STAGE_BUILT_FAILURE;
    if (!a || !b) {
        job_fail(job, false, "store", "an embedding that AdaCS needs is not in the store");
    } else if (a_count != b_count) {
        job_fail(job, true, "parse", "the embeddings have %zu and %zu dimensions", a_count,
                 b_count);
    } else {
        adacs_result_encode(matrix_cosine(a, b, a_count), &product->result);
        built = STAGE_BUILT_RESULT;
    }
    free(a);
    free(b);
    return built;
}

static bool decode(const void *bytes, size_t size, stage_result_t *result) {
    *result = (stage_result_t){.version = result_version(bytes, size)};
    return adacs_result_decode(bytes, size, &result->values[0]);
}

static hash_t identify(const sweep_t *sweep, const stage_subject_t *subject) {
    return sweep_adacs_job(sweep, subject->explanation, subject->baseline);
}

static bool is_wanted(const settings_t *settings) {
    return settings->adacs;
}

static const stage_telling_t telling = {
    .measures = {{.key = "adacs", .label = "AdaCS"}},
    .done = "compared",
    .has_members = true,
    .noun = "AdaCS values",
    .table = {.key = "adacs",
              .title = "AdaCS to the baseline explanation",
              .note = "mean cosine similarity of embeddings ± standard error"},
    .truth = {.key = "puzzles",
              .title = "AdaCS to the truth of puzzles",
              .note = "mean cosine similarity of embeddings ± standard error over puzzles and "
                      "samples; SE by puzzle: samples of one puzzle go together"},
    .average = "AdaCS, averaged over neuron sets",
};

const stage_t stage_adacs = {
    .number = STAGE_ADACS,
    .name = "adacs",
    .actor = "scorer",
    .scope = SCOPE_CHAIN,
    .role = ROLE_NONE,
    .needs = STAGE_EMBED,
    .about = ABOUT_BASELINE,
    .is_wanted = is_wanted,
    .identify = identify,
    .build = build,
    .version = ADACS_RESULT_VERSION,
    .decode = decode,
    .telling = &telling,
};
