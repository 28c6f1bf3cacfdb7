/* test_gpt2.c - the forward pass against PyTorch's numbers (test/data/gpt2_reference, made by
 * dump.py there), what an activation may depend on, and model files that are wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/buffer.h"
#include "core/base/embedded.h"
#include "core/base/memory.h"
#include "core/subject/gpt2.h"
#include "core/subject/safetensors.h"

#define DATA "test/data/gpt2_reference/"

/* --- parity --------------------------------------------------------------------------------------
 */

typedef struct {
    const gpt2_shape_t *shape;
    const safetensors_t *reference;
    size_t tokens, stride, layers_seen;
    double worst; /* |difference| over what is allowed */
} parity_t;

static void compare_layer(void *context, size_t layer, const float *activations) {
    parity_t *parity = context;
    char name[32];
    snprintf(name, sizeof name, "activations.%zu", layer);
    const safetensors_tensor_t *tensor = safetensors_find(parity->reference, name);
    assert_non_null(tensor);
    assert_int_equal(layer, parity->layers_seen++);
    size_t columns = (parity->shape->neurons + parity->stride - 1) / parity->stride;
    assert_int_equal(tensor->count, parity->tokens * columns);
    float *expected = memory_new(tensor->count, sizeof *expected);
    safetensors_convert(tensor, expected);
    for (size_t t = 0; t < parity->tokens; t++)
        for (size_t c = 0; c < columns; c++) {
            double want = (double)expected[t * columns + c];
            double got = (double)activations[t * parity->shape->neurons + c * parity->stride];
            double share = fabs(got - want) / (1e-5 + 1e-4 * fabs(want));
            parity->worst = share > parity->worst || isnan(share) ? share : parity->worst;
        }
    free(expected);
}

static void hold_against(const char *directory, const char *reference_directory,
                         const char *reference_name) {
    error_info_t error = {0};
    subject_files_t *files = subject_files_open(directory, &error);
    subject_files_t *reference_files = subject_files_open(reference_directory, &error);
    gpt2_t *model = gpt2_load(files, NULL, &error);
    if (!model)
        fail_msg("%s", error.message);
    const uint8_t *bytes;
    size_t length;
    assert_true(subject_files_need(reference_files, reference_name, &bytes, &length, &error));
    safetensors_t *reference = safetensors_parse(bytes, length, reference_name, &error);
    assert_non_null(reference);
    const safetensors_tensor_t *tokens = safetensors_find(reference, "tokens");
    const safetensors_tensor_t *stride = safetensors_find(reference, "stride");
    assert_true(tokens->rank == 2 && strcmp(tokens->dtype_name, "I32") == 0 && stride->count == 1);
    gpt2_batch_t *batch = gpt2_batch_create(model, tokens->shape[0], tokens->shape[1], &error);
    assert_non_null(batch);
    uint32_t *ids = memory_copy(tokens->data, tokens->size);
    parity_t parity = {
        .shape = gpt2_shape(model), .reference = reference, .tokens = tokens->count, .worst = 0};
    memcpy(&parity.stride, stride->data, 4);
    assert_true(gpt2_forward(model, batch, ids, compare_layer, &parity, &error));
    assert_int_equal(parity.layers_seen, gpt2_shape(model)->layers);
    print_message("%s: largest difference %.3f of what is allowed\n", directory, parity.worst);
    assert_true(parity.worst <= 1);
    free(ids);
    gpt2_batch_free(batch);
    gpt2_free(model);
    safetensors_close(reference);
    subject_files_close(reference_files);
    subject_files_close(files);
}

static void random_models_match_pytorch(void **state) {
    (void)state;
    hold_against(DATA "new_f32", DATA "new_f32", "reference.safetensors");
    hold_against(DATA "exact_f16", DATA "exact_f16", "reference.safetensors");
    hold_against(DATA "new_bf16", DATA "new_bf16", "reference.safetensors");
}

/* trained.safetensors: dump.py tools/subject test/data/gpt2_reference/trained.safetensors 2 64 4. A
 * program without a subject of its own has none to hold against it. */
static void the_trained_model_matches_pytorch(void **state) {
    (void)state;
    embedded_file_t file;
    if (!embedded_find("tools/subject/model.safetensors", &file))
        skip();
    hold_against(SUBJECT_FILES_EMBEDDED, DATA, "trained.safetensors");
}

/* --- what an activation depends on ---------------------------------------------------------------
 */

static gpt2_t *load(const char *directory, const char *gelu, subject_files_t **files) {
    error_info_t error = {0};
    *files = subject_files_open(directory, &error);
    gpt2_t *model = gpt2_load(*files, gelu, &error);
    if (!model)
        fail_msg("%s", error.message);
    return model;
}

typedef struct {
    size_t size;
    float *all; /* [layers][size] */
} copy_t;

static void copy_layer(void *context, size_t layer, const float *activations) {
    copy_t *copy = context;
    memcpy(copy->all + layer * copy->size, activations, copy->size * sizeof *activations);
}

enum { EXCERPTS = 3, LENGTH = 11, TOKENS = EXCERPTS * LENGTH };

static copy_t run(const gpt2_t *model, const uint32_t tokens[TOKENS]) {
    error_info_t error = {0};
    const gpt2_shape_t *shape = gpt2_shape(model);
    copy_t copy = {TOKENS * shape->neurons,
                   memory_new(shape->layers * TOKENS * shape->neurons, sizeof(float))};
    gpt2_batch_t *batch = gpt2_batch_create(model, EXCERPTS, LENGTH, &error);
    assert_true(gpt2_forward(model, batch, tokens, copy_layer, &copy, &error));
    gpt2_batch_free(batch);
    return copy;
}

/* How many of the layers' rows of token t differ in any bit. */
static size_t rows_changed(const gpt2_shape_t *shape, copy_t a, copy_t b, size_t t) {
    size_t changed = 0, row = shape->neurons;
    for (size_t l = 0; l < shape->layers; l++)
        changed += memcmp(a.all + l * a.size + t * row, b.all + l * b.size + t * row,
                          row * sizeof(float)) != 0;
    return changed;
}

static void only_what_came_before_counts(void **state) {
    (void)state;
    subject_files_t *files;
    gpt2_t *model = load(DATA "new_f32", NULL, &files);
    const gpt2_shape_t *shape = gpt2_shape(model);
    uint32_t tokens[TOKENS];
    for (uint32_t i = 0; i < TOKENS; i++)
        tokens[i] = i * 7 % 61;
    copy_t before = run(model, tokens), again = run(model, tokens);
    enum { CHANGED = LENGTH + 4 };
    tokens[CHANGED]++; /* of the middle excerpt */
    copy_t after = run(model, tokens);
    for (size_t t = 0; t < TOKENS; t++) {
        assert_int_equal(rows_changed(shape, before, again, t), 0);
        bool reached = t >= CHANGED && t < 2 * LENGTH;
        size_t changed = rows_changed(shape, before, after, t);
        if (t == CHANGED)
            assert_int_equal(changed, shape->layers);
        else if (reached)
            assert_true(changed >= shape->layers - 1);
        else
            assert_int_equal(changed, 0);
    }
    free(before.all);
    free(again.all);
    free(after.all);
    gpt2_free(model);
    subject_files_close(files);
}

static void gelu_can_be_chosen(void **state) {
    (void)state;
    subject_files_t *files, *chosen_files;
    gpt2_t *model = load(DATA "new_f32", NULL, &files),
           *chosen = load(DATA "new_f32", "gelu", &chosen_files);
    assert_int_equal(gpt2_shape(model)->gelu, GPT2_GELU_NEW);
    assert_int_equal(gpt2_shape(chosen)->gelu, GPT2_GELU);
    assert_false(hash_equal(gpt2_identity(model), gpt2_identity(chosen)));
    uint32_t tokens[TOKENS] = {0};
    copy_t a = run(model, tokens), b = run(chosen, tokens);
    assert_true(rows_changed(gpt2_shape(model), a, b, 0) > 0);
    assert_true(fabsf(a.all[0] - b.all[0]) < 0.01F);
    free(a.all);
    free(b.all);
    gpt2_free(model);
    gpt2_free(chosen);
    subject_files_close(files);
    subject_files_close(chosen_files);
}

static void memory_is_told(void **state) {
    (void)state;
    subject_files_t *files;
    size_t mapped;
    gpt2_t *model = load(DATA "new_f32", NULL, &files);
    assert_int_equal(gpt2_memory(model, &mapped), 0); /* aligned F32 is used where it lies */
    const gpt2_shape_t *shape = gpt2_shape(model);
    assert_true(mapped > shape->layers * shape->width * shape->neurons * sizeof(float));
    gpt2_free(model);
    subject_files_close(files);
    model = load(DATA "new_bf16", NULL, &files);
    size_t memory = gpt2_memory(model, &mapped);
    assert_true(memory > 0);
    assert_int_equal(mapped, 0);
    /* What is opened only is checked and known, and takes none. */
    subject_files_t *others = subject_files_open(DATA "new_bf16", NULL);
    gpt2_t *opened = gpt2_open(others, NULL, NULL);
    assert_int_equal(gpt2_memory(opened, &mapped), 0);
    assert_true(hash_equal(gpt2_identity(opened), gpt2_identity(model)));
    gpt2_convert(opened);
    gpt2_convert(opened);
    assert_int_equal(gpt2_memory(opened, &mapped), memory);
    gpt2_free(opened);
    subject_files_close(others);
    gpt2_free(model);
    subject_files_close(files);
}

/* --- wrong files ---------------------------------------------------------------------------------
 */

typedef struct {
    buffer_t config, weights;
} parts_t;

static int setup_parts(void **state) {
    parts_t *parts = MEMORY_NEW(parts_t);
    assert_true(buffer_read_file(&parts->config, DATA "new_f32/config.json", 0, NULL));
    assert_true(buffer_read_file(&parts->weights, DATA "new_f32/model.safetensors", 0, NULL));
    *state = parts;
    return 0;
}

static int teardown_parts(void **state) {
    parts_t *parts = *state;
    buffer_free(&parts->config);
    buffer_free(&parts->weights);
    free(parts);
    return 0;
}

static gpt2_t *load_parts(const parts_t *parts, const char *gelu, subject_files_t **files,
                          error_info_t *error) {
    static embedded_file_t list[2]; /* outlives the model */
    list[0] = (embedded_file_t){
        .name = "config.json", .data = buffer_text(&parts->config), .size = parts->config.length};
    list[1] = (embedded_file_t){.name = "model.safetensors",
                                .data = buffer_text(&parts->weights),
                                .size = parts->weights.length};
    *files = subject_files_of(list, 2);
    return gpt2_load(*files, gelu, error);
}

static void refused_with(const parts_t *parts, const char *a, const char *b) {
    error_info_t error = {0};
    subject_files_t *files;
    gpt2_t *model = load_parts(parts, NULL, &files, &error);
    assert_null(model);
    assert_int_equal(error.class_, ERROR_CONFIG);
    if (!strstr(error.message, a) || !strstr(error.message, b))
        fail_msg("'%s' does not name '%s' and '%s'", error.message, a, b);
    subject_files_close(files);
}

/* Replaces text by text of the same length. */
static void overwrite(buffer_t *buffer, const char *old, const char *new) {
    assert_int_equal(strlen(old), strlen(new));
    for (size_t i = 0; i + strlen(old) <= buffer->length; i++)
        if (memcmp(buffer->data + i, old, strlen(old)) == 0) {
            memcpy(buffer->data + i, new, strlen(new));
            return;
        }
    fail_msg("no '%s'", old);
}

static void set_config(parts_t *parts, const char *text) {
    buffer_clear(&parts->config);
    assert_true(buffer_append_text(&parts->config, text));
}

static float *weights_of(parts_t *parts, const char *name) {
    safetensors_t *tensors = safetensors_parse((const uint8_t *)parts->weights.data,
                                               parts->weights.length, "weights", NULL);
    assert_non_null(tensors);
    const safetensors_tensor_t *tensor = safetensors_find(tensors, name);
    size_t offset = (size_t)(tensor->data - (const uint8_t *)parts->weights.data);
    safetensors_close(tensors);
    return (float *)(void *)(parts->weights.data + offset);
}

static void weights_that_are_not_finite(void **state) {
    parts_t *parts = *state;
    float *weights = weights_of(parts, "h.1.mlp.c_fc.weight"), kept = weights[77];
    weights[77] = NAN;
    refused_with(parts, "h.1.mlp.c_fc.weight", "model.safetensors");
    weights[77] = -INFINITY;
    refused_with(parts, "h.1.mlp.c_fc.weight", "NaN or infinite");
    weights[77] = kept;
    weights_of(parts, "wpe.weight")[0] = NAN;
    refused_with(parts, "wpe.weight", "NaN");
}

static void what_is_not_needed_may_be_broken(void **state) {
    parts_t *parts = *state;
    weights_of(parts, "h.2.mlp.c_proj.weight")[0] = NAN;
    weights_of(parts, "ln_f.bias")[0] = NAN;
    error_info_t error = {0};
    subject_files_t *files;
    gpt2_t *model = load_parts(parts, NULL, &files, &error);
    assert_non_null(model);
    gpt2_free(model);
    subject_files_close(files);
}

static void ignore_layer(void *context, size_t layer, const float *activations) {
    (void)activations;
    *(size_t *)context = layer + 1;
}

static void overflow_names_the_layer(void **state) {
    parts_t *parts = *state;
    weights_of(parts, "h.1.mlp.c_fc.bias")[3] = 3e38F;
    weights_of(parts, "h.1.mlp.c_fc.weight")[3] = 3e38F;
    error_info_t error = {0};
    subject_files_t *files;
    gpt2_t *model = load_parts(parts, NULL, &files, &error);
    assert_non_null(model);
    gpt2_batch_t *batch = gpt2_batch_create(model, EXCERPTS, LENGTH, &error);
    uint32_t tokens[TOKENS] = {0};
    for (uint32_t i = 0; i < TOKENS; i++)
        tokens[i] = i;
    size_t seen = 0;
    assert_false(gpt2_forward(model, batch, tokens, ignore_layer, &seen, &error));
    assert_int_equal(error.class_, ERROR_FATAL);
    assert_non_null(strstr(error.message, "layer 1"));
    assert_int_equal(seen, 1);
    gpt2_batch_free(batch);
    gpt2_free(model);
    subject_files_close(files);
}

static void weights_that_do_not_fit(void **state) {
    parts_t *parts = *state;
    overwrite(&parts->weights, "\"h.1.ln_2.bias\"", "\"h.1.ln_2.vias\"");
    refused_with(parts, "h.1.ln_2.bias", "model.safetensors");
    overwrite(&parts->weights, "\"h.1.ln_2.vias\"", "\"h.1.ln_2.bias\"");
    overwrite(&parts->weights, "[32, 128]", "[128, 32]");
    refused_with(parts, "h.0.mlp.c_fc.weight", "[128, 32]; config.json makes it [32, 128]");
    overwrite(&parts->weights, "[128, 32]", "[32, 128]");
    overwrite(&parts->weights, "{\"dtype\": \"F32\"", "{\"dtype\": \"I32\"");
    refused_with(parts, "wte.weight", "neither F32, F16 nor BF16");
    overwrite(&parts->weights, "{\"dtype\": \"I32\"", "{\"dtype\": \"F16\"");
    refused_with(parts, "wte.weight", "data_offsets");
    overwrite(&parts->weights, "{\"dtype\": \"F16\"", "{\"dtype\": \"F32\"");
    parts->weights.length -= 1;
    refused_with(parts, "model.safetensors", "cut short");
    parts->weights.length = 100;
    refused_with(parts, "model.safetensors", "cut short");
    parts->weights.length = 0;
    refused_with(parts, "model.safetensors", "cut short");
}

#define GOOD_CONFIG                                                            \
    "\"n_embd\": 32, \"n_head\": 2, \"n_positions\": 24, \"vocab_size\": 61, " \
    "\"activation_function\": \"gelu\""

static void configs_that_make_no_sense(void **state) {
    parts_t *parts = *state;
    static const char *const wrong[][2] = {
        {"", "config.json"},
        {"[]", "not a JSON object"},
        {"{" GOOD_CONFIG "}", "n_layer"},
        {"{\"n_layer\": 0, " GOOD_CONFIG "}", "n_layer"},
        {"{\"n_layer\": -1, " GOOD_CONFIG "}", "n_layer"},
        {"{\"n_layer\": 1e18, " GOOD_CONFIG "}", "n_layer"},
        {"{\"n_layer\": \"3\", " GOOD_CONFIG "}", "n_layer"},
        {"{\"n_layer\": 3.5, " GOOD_CONFIG "}", "n_layer"},
        {"{\"n_layer\": 3, \"n_inner\": 99999999, " GOOD_CONFIG "}", "n_inner"},
        {"{\"n_layer\": 3, \"layer_norm_epsilon\": 0, " GOOD_CONFIG "}", "layer_norm_epsilon"},
        {"{\"n_layer\": 3, \"scale_attn_weights\": 1, " GOOD_CONFIG "}", "scale_attn_weights"},
        {"{\"n_layer\": 3, \"model_type\": \"llama\", " GOOD_CONFIG "}", "llama"},
        {"{\"n_layer\": 4, " GOOD_CONFIG "}", "h.3.ln_1.weight"},
        {"{\"n_layer\": 3, \"n_embd\": 32, \"n_head\": 3, \"n_positions\": 24, \"vocab_size\": 61}",
         "n_head"},
        {"{\"n_layer\": 3, \"n_embd\": 32, \"n_head\": 2, \"n_positions\": 24, \"vocab_size\": 62, "
         "\"activation_function\": \"gelu\"}",
         "wte.weight"},
        {"{\"n_layer\": 3, \"n_embd\": 32, \"n_head\": 2, \"n_ctx\": 24, \"vocab_size\": 61, "
         "\"activation_function\": \"relu\"}",
         "relu"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        set_config(parts, wrong[i][0]);
        refused_with(parts, wrong[i][1], "");
    }
    set_config(parts, "{\"n_layer\": 3, " GOOD_CONFIG "}");
    error_info_t error = {0};
    subject_files_t *files;
    assert_null(load_parts(parts, "swish", &files, &error));
    assert_non_null(strstr(error.message, "swish"));
    subject_files_close(files);
    gpt2_t *model = load_parts(parts, NULL, &files, &error);
    assert_non_null(model);
    assert_int_equal(gpt2_shape(model)->neurons, 128);
    gpt2_free(model);
    subject_files_close(files);
}

static void unaligned_weights_are_copied(void **state) {
    parts_t *parts = *state;
    error_info_t error = {0};
    subject_files_t *files, *moved_files;
    gpt2_t *model = load_parts(parts, NULL, &files, &error);
    buffer_t moved = BUFFER_EMPTY;
    assert_true(buffer_append_char(&moved, 'x') &&
                buffer_append(&moved, parts->weights.data, parts->weights.length));
    embedded_file_t list[] = {
        {.name = "config.json", .data = parts->config.data, .size = parts->config.length},
        {.name = "model.safetensors", .data = moved.data + 1, .size = parts->weights.length}};
    moved_files = subject_files_of(list, 2);
    gpt2_t *copied = gpt2_load(moved_files, NULL, &error);
    assert_non_null(copied);
    size_t mapped;
    assert_true(gpt2_memory(copied, &mapped) > 0);
    assert_int_equal(mapped, 0);
    assert_true(hash_equal(gpt2_identity(model), gpt2_identity(copied)));
    gpt2_free(model);
    gpt2_free(copied);
    subject_files_close(files);
    subject_files_close(moved_files);
    buffer_free(&moved);
}

static void every_weight_is_in_the_identity(void **state) {
    parts_t *parts = *state;
    error_info_t error = {0};
    subject_files_t *files;
    gpt2_t *model = load_parts(parts, NULL, &files, &error);
    hash_t before = gpt2_identity(model);
    gpt2_free(model);
    subject_files_close(files);
    weights_of(parts, "h.2.mlp.c_fc.bias")[127] += 1;
    model = load_parts(parts, NULL, &files, &error);
    assert_false(hash_equal(before, gpt2_identity(model)));
    gpt2_free(model);
    subject_files_close(files);
}

static void limits_of_a_batch(void **state) {
    (void)state;
    subject_files_t *files;
    gpt2_t *model = load(DATA "new_f32", NULL, &files);
    static const size_t wrong[][2] = {{0, 5}, {1, 0}, {1, 25}, {SIZE_MAX, 24}, {1 << 24, 2}};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        error_info_t error = {0};
        assert_null(gpt2_batch_create(model, wrong[i][0], wrong[i][1], &error));
        assert_int_equal(error.class_, ERROR_CONFIG);
    }
    gpt2_batch_t *batch = gpt2_batch_create(model, 2, 24, NULL);
    assert_true(gpt2_batch_memory(batch) >= (size_t)48 * (32 + 32 + 96 + 128) * sizeof(float));
    gpt2_batch_free(batch);
    error_info_t error = {0};
    assert_true(gpt2_check_vocabulary(model, 61, &error));
    assert_true(gpt2_check_vocabulary(model, 58, &error)); /* padded embeddings */
    assert_false(gpt2_check_vocabulary(model, 62, &error));
    assert_non_null(strstr(error.message, "62 tokens"));
    gpt2_free(model);
    subject_files_close(files);
}

int main(void) {
#define WITH_PARTS(test) cmocka_unit_test_setup_teardown(test, setup_parts, teardown_parts)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_models_match_pytorch),
        cmocka_unit_test(the_trained_model_matches_pytorch),
        cmocka_unit_test(only_what_came_before_counts),
        cmocka_unit_test(gelu_can_be_chosen),
        cmocka_unit_test(memory_is_told),
        WITH_PARTS(weights_that_are_not_finite),
        WITH_PARTS(what_is_not_needed_may_be_broken),
        WITH_PARTS(overflow_names_the_layer),
        WITH_PARTS(weights_that_do_not_fit),
        WITH_PARTS(configs_that_make_no_sense),
        WITH_PARTS(unaligned_weights_are_copied),
        WITH_PARTS(every_weight_is_in_the_identity),
        cmocka_unit_test(limits_of_a_batch),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
