/* stages.c - the table of the stages that glia comes with, and what can be asked of any table. */
#include <stdlib.h>

#include "actors/sweep/stage.h"
#include "core/base/memory.h"

extern const stage_t stage_probe, stage_explain, stage_simulate, stage_score, stage_embed,
    stage_adacs, stage_batch;

static const stage_t *const rows[] = {
    &stage_probe, &stage_explain, &stage_simulate, &stage_score,
    &stage_embed, &stage_adacs,   &stage_batch,
};
const stage_table_t stages_shipped = {sizeof rows / sizeof rows[0], rows};

const stage_t *stage_find(const stage_table_t *table, job_stage_t number) {
    for (size_t i = 0; i < table->count; i++)
        if (table->rows[i]->number == number)
            return table->rows[i];
    return NULL;
}

const char *stage_name(const stage_table_t *table, job_stage_t number) {
    const stage_t *stage = stage_find(table, number);
    return stage ? stage->name : "?";
}

bool stage_is_counted(const stage_t *stage) {
    return stage->scope == SCOPE_CHAIN || stage->scope == SCOPE_RECORD ||
           stage->scope == SCOPE_LINE;
}

stages_measured_t stages_measured(const stage_table_t *table) {
    stages_measured_t measured = {0};
    for (size_t i = 0; i < table->count && measured.count < STAGES_MEASURED; i++)
        if (table->rows[i]->telling)
            measured.rows[measured.count++] = table->rows[i];
    return measured;
}

size_t stages_measured_index(const stages_measured_t *measured, job_stage_t number) {
    for (size_t i = 0; i < measured->count; i++)
        if (measured->rows[i]->number == number)
            return i;
    return SIZE_MAX;
}

size_t stage_model(const stage_t *stage, const settings_t *settings, const chain_t *chain) {
    switch (stage->role) {
    case ROLE_EXPLAINER: return chain->explainer;
    case ROLE_SIMULATOR: return settings->simulator;
    case ROLE_EMBEDDER: return settings->embedder;
    case ROLE_NONE:
    case ROLE_OF_JOB: break;
    }
    return 0;
}

void stage_product_add_vector(stage_product_t *product, hash_t key, float *values,
                              size_t dimensions) {
    product->vectors =
        memory_resize(product->vectors, product->vector_count + 1, sizeof *product->vectors);
    product->vectors[product->vector_count++] = (struct stage_vector){key, values, dimensions};
}

void stage_product_clear(stage_product_t *product) {
    buffer_free(&product->result);
    for (size_t i = 0; i < product->vector_count; i++)
        free(product->vectors[i].values);
    free(product->vectors);
    *product = (stage_product_t){0};
}
