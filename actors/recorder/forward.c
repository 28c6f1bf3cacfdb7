/* forward.c - a batch through the model. */
#include "actors/recorder/forward.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/memory.h"

struct forward {
    const gpt2_t *model;
    const excerpts_t *excerpts;
    neuron_stats_t *stats;
    size_t token_count;
    uint32_t *tokens; /* [batch][length] */
    gpt2_batch_t *work;
    neuron_stats_batch_t *sums;
};

forward_t *forward_create(const gpt2_t *model, const excerpts_t *excerpts, neuron_stats_t *stats,
                          size_t batch, error_info_t *error) {
    gpt2_batch_t *work = gpt2_batch_create(model, batch, excerpts->length, error);
    if (!work)
        return NULL;
    forward_t *forward = MEMORY_NEW(forward_t);
    *forward = (forward_t){
        .model = model,
        .excerpts = excerpts,
        .stats = stats,
        .token_count = batch * excerpts->length,
        .tokens = MEMORY_NEW_ARRAY(batch * excerpts->length, uint32_t),
        .work = work,
        .sums = neuron_stats_batch_create(stats, batch),
    };
    return forward;
}

void forward_free(forward_t *forward) {
    if (!forward)
        return;
    gpt2_batch_free(forward->work);
    neuron_stats_batch_free(forward->sums);
    free(forward->tokens);
    free(forward);
}

bool forward_run(forward_t *forward, const uint32_t *numbers, size_t count, error_info_t *error) {
    size_t length = forward->excerpts->length;
    memset(forward->tokens, 0, forward->token_count * sizeof *forward->tokens);
    for (size_t i = 0; i < count; i++)
        memcpy(forward->tokens + i * length, forward->excerpts->tokens + numbers[i] * length,
               length * sizeof *forward->tokens);
    neuron_stats_batch_start(forward->sums, numbers, count);
    return gpt2_forward(forward->model, forward->work, forward->tokens, neuron_stats_visit,
                        forward->sums, error);
}

void forward_merge(forward_t *forward) {
    neuron_stats_merge(forward->stats, forward->sums);
}
