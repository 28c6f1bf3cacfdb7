/* gpt2.c - the forward pass, top to bottom. Shapes: n tokens = excerpts * length, d =
 * width, m = neurons. */
#include "core/subject/gpt2.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/matrix.h"
#include "core/base/memory.h"
#include "core/subject/gpt2_private.h"
#include "core/subject/kernels.h"

enum { MAX_BATCH_TOKENS = 1 << 24 };

struct gpt2_batch {
    size_t excerpts, length;
    size_t size;        /* bytes */
    float *residual;    /* [n][d] */
    float *normed;      /* [n][d]: a layer norm's result, and then what the heads gathered */
    float *attend;      /* [n][3 * d]: queries, keys, values */
    float *scores;      /* [length][length]: of one head */
    float *activations; /* [n][m] */
};

static float *take(gpt2_batch_t *batch, size_t rows, size_t columns) {
    float *matrix = memory_new(rows * columns, sizeof *matrix);
    batch->size += rows * columns * sizeof *matrix;
    return matrix;
}

gpt2_batch_t *gpt2_batch_create(const gpt2_t *model, size_t excerpts, size_t length,
                                error_info_t *error) {
    const gpt2_shape_t *shape = &model->shape;
    if (length == 0 || length > shape->context) {
        error_set(error, ERROR_CONFIG,
                  "excerpts of %zu tokens do not fit the model; it takes 1 to %zu", length,
                  shape->context);
        return NULL;
    }
    if (excerpts == 0 || excerpts > MAX_BATCH_TOKENS / length) {
        error_set(error, ERROR_CONFIG,
                  "a batch of %zu excerpts of %zu tokens is not of 1 to %d tokens", excerpts,
                  length, (int)MAX_BATCH_TOKENS);
        return NULL;
    }
    size_t n = excerpts * length;
    gpt2_batch_t *batch = MEMORY_NEW(gpt2_batch_t);
    *batch = (gpt2_batch_t){.excerpts = excerpts, .length = length, .size = sizeof *batch};
    batch->residual = take(batch, n, shape->width);
    batch->normed = take(batch, n, shape->width);
    batch->attend = take(batch, n, 3 * shape->width);
    batch->scores = take(batch, length, length);
    batch->activations = take(batch, n, shape->neurons);
    return batch;
}

void gpt2_batch_free(gpt2_batch_t *batch) {
    if (!batch)
        return;
    free(batch->residual);
    free(batch->normed);
    free(batch->attend);
    free(batch->scores);
    free(batch->activations);
    free(batch);
}

size_t gpt2_batch_memory(const gpt2_batch_t *batch) {
    return batch->size;
}

/* out [n][columns] = in [n][rows] matrix [rows][columns] + bias [columns] */
static void project(const float *in, size_t n, size_t rows, const float *matrix, const float *bias,
                    size_t columns, float *out) {
    kernel_fill_rows(out, n, columns, bias); /* OpenBLAS passes over `out` beforehand in any case */
    matrix_multiply(n, columns, rows, 1, in, rows, matrix, columns, false, true, out, columns);
}

/* out [n][columns] += in [n][rows] matrix [rows][columns] + bias [columns] */
static void project_onto(const float *in, size_t n, size_t rows, const float *matrix,
                         const float *bias, size_t columns, float *out) {
    kernel_add_rows(out, n, columns, bias);
    matrix_multiply(n, columns, rows, 1, in, rows, matrix, columns, false, true, out, columns);
}

/* residual [n][d]: each token's embedding plus that of its position in the excerpt. */
static void embed(const gpt2_t *model, gpt2_batch_t *batch, const uint32_t *tokens) {
    size_t d = model->shape.width;
    for (size_t i = 0; i < batch->excerpts * batch->length; i++) {
        if (tokens[i] >= model->shape.vocabulary)
            abort(); /* the caller checked the vocabulary, or it is a bug; reading on is worse */
        kernel_sum(model->token_embedding + tokens[i] * d,
                   model->position_embedding + i % batch->length * d, d, batch->residual + i * d);
    }
}

/* From attend [n][3 * d] to normed [n][d]: each head (d / heads columns of each of the three)
 * of each excerpt. */
static void attention(const gpt2_t *model, const gpt2_layer_t *layer, gpt2_batch_t *batch) {
    size_t d = model->shape.width, size = d / model->shape.heads, length = batch->length;
    for (size_t e = 0; e < batch->excerpts; e++) {
        for (size_t h = 0; h < model->shape.heads; h++) {
            /* [length][size], rows 3 * d apart */
            const float *query = batch->attend + e * length * 3 * d + h * size;
            const float *key = query + d, *value = query + 2 * d; /* likewise */
            /* [length][size], rows d apart */
            float *gathered = batch->normed + e * length * d + h * size;
            matrix_multiply(length, length, size, layer->attention_scale, query, 3 * d, key, 3 * d,
                            true, false, batch->scores, length);
            kernel_causal_softmax(batch->scores, length);
            matrix_multiply(length, size, length, 1, batch->scores, length, value, 3 * d, false,
                            false, gathered, d);
        }
    }
}

bool gpt2_forward(const gpt2_t *model, gpt2_batch_t *batch, const uint32_t *tokens,
                  gpt2_visit_fn *visit, void *context, error_info_t *error) {
    size_t n = batch->excerpts * batch->length, d = model->shape.width, m = model->shape.neurons;
    float epsilon = (float)model->shape.epsilon;
    float *x = batch->residual;          /* [n][d] */
    float *normed = batch->normed;       /* [n][d] */
    float *neurons = batch->activations; /* [n][m] */

    if (model->tensors)
        abort(); /* a bug: not converted */
    embed(model, batch, tokens);
    for (size_t l = 0; l < model->shape.layers; l++) {
        const gpt2_layer_t *layer = &model->layers[l];

        kernel_layer_norm(x, n, d, layer->norm_1_gain, layer->norm_1_bias, epsilon, normed);
        project(normed, n, d, layer->attend, layer->attend_bias, 3 * d, batch->attend);
        attention(model, layer, batch);
        project_onto(normed, n, d, layer->merge, layer->merge_bias, d, x);

        kernel_layer_norm(x, n, d, layer->norm_2_gain, layer->norm_2_bias, epsilon, normed);
        project(normed, n, d, layer->up, layer->up_bias, m, neurons);
        bool finite = model->shape.gelu == GPT2_GELU_NEW ? kernel_gelu_new(neurons, n * m)
                                                         : kernel_gelu(neurons, n * m);
        if (!finite)
            return error_set(error, ERROR_FATAL,
                             "layer %zu has an activation that is NaN or infinite: the model's "
                             "weights are too large",
                             l);
        visit(context, l, neurons);

        if (l + 1 < model->shape.layers)
            project_onto(neurons, n, m, layer->down, layer->down_bias, d, x);
    }
    return true;
}
