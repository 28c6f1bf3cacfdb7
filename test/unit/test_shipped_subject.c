/* The subject model that is part of the program loads, fits its tokenizer, and says something. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/subject/gpt2.h"
#include "core/subject/tokenizer.h"

enum { LENGTH = 24 };

typedef struct {
    size_t layers, neurons, active;
} seen_t;

static void see(void *context, size_t layer, const float *activations) {
    seen_t *seen = context;
    assert_int_equal(layer, seen->layers++);
    for (size_t i = 0; i < LENGTH * seen->neurons; i++)
        seen->active += activations[i] > 1;
}

static void the_shipped_subject_runs(void **state) {
    (void)state;
    static const char text[] = "The red owl watched a trout in the river. On Monday, Anna Berg "
                               "said nothing about the cat, the wolf and the horse.";
    error_info_t error = {0};
    subject_files_t *files = subject_files_open(NULL, &error);
    assert_non_null(files);
    gpt2_t *model = gpt2_load(files, NULL, &error);
    tokenizer_t *tokenizer = tokenizer_load(files, &error);
    assert_non_null(model);
    assert_non_null(tokenizer);
    assert_true(gpt2_check_vocabulary(model, tokenizer_size(tokenizer), &error));
    uint32_t end;
    assert_true(tokenizer_end_of_text(tokenizer, &end));
    const gpt2_shape_t *shape = gpt2_shape(model);
    assert_int_equal(shape->layers, 3);
    assert_int_equal(shape->vocabulary, tokenizer_size(tokenizer));
    assert_int_equal(shape->gelu, GPT2_GELU_NEW);

    token_list_t tokens = {0};
    assert_true(tokenizer_encode(tokenizer, text, strlen(text), &tokens, &error));
    /* most words are one token */
    assert_true(tokens.count >= LENGTH && tokens.count <= 2 * LENGTH);
    gpt2_batch_t *batch = gpt2_batch_create(model, 1, LENGTH, &error);
    assert_non_null(batch);
    seen_t seen = {.neurons = shape->neurons};
    assert_true(gpt2_forward(model, batch, tokens.ids, see, &seen, &error));
    assert_int_equal(seen.layers, shape->layers);
    /* learned: some neurons answer, most do not */
    assert_in_range(seen.active, 1, LENGTH * shape->neurons * shape->layers / 5);
    gpt2_batch_free(batch);
    token_list_clear(&tokens);
    tokenizer_free(tokenizer);
    gpt2_free(model);
    subject_files_close(files);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_shipped_subject_runs)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
