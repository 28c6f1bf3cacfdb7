/* test_tokens.c - token bounds, estimates and charges, by hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <string.h>

#include "core/llm/message.h"
#include "core/llm/tokens.h"

static llm_request_t chat_of(const message_list_t *messages, int64_t maximum) {
    return (llm_request_t){.kind = LLM_CHAT,
                           .lineage = "m",
                           .messages = messages,
                           .parameters = {.max_output_tokens = maximum}};
}

static void chat(void **state) {
    (void)state;
    message_list_t messages = {0};
    llm_request_t request = chat_of(&messages, 60);
    assert_int_equal(tokens_input_bound(&request), 16);
    assert_int_equal(tokens_input_estimate(&request, 4), 0);
    assert_int_equal(tokens_rate_charge(&request), 60);
    message_list_add(&messages, "system", "123456789", 9);
    message_list_add(&messages, "user", "\xe2\x82\xac", 3); /* bytes count, not characters */
    assert_int_equal(tokens_input_bound(&request), 12 + 2 * 16 + 16);
    assert_int_equal(tokens_input_estimate(&request, 4), 3 + 2 * 4);
    assert_int_equal(tokens_input_estimate(&request, 3.9), 4 + 2 * 4); /* rounded up */
    assert_int_equal(tokens_rate_charge(&request), 12 / 4 + 60);
    request.parameters.max_output_tokens = 0;
    assert_int_equal(tokens_rate_charge(&request), 3);
    message_list_clear(&messages);
    assert_int_equal(tokens_rate_charge(&request), 1); /* at least 1 */
}

static void completion(void **state) {
    (void)state;
    llm_request_t request = {
        .kind = LLM_COMPLETION, .lineage = "m", .prompt = "a\0bcd", .prompt_length = 5};
    assert_int_equal(tokens_input_bound(&request), 5 + 16 + 16);
    assert_int_equal(tokens_input_estimate(&request, 2), 3 + 4);
    assert_int_equal(tokens_rate_charge(&request), 1);
    request.parameters.max_output_tokens = 7;
    assert_int_equal(tokens_rate_charge(&request), 8);
}

static void embedding(void **state) {
    (void)state;
    const char *inputs[] = {"four", "", "seventeen bytes.."};
    llm_request_t request = {
        .kind = LLM_EMBEDDING, .lineage = "m", .inputs = inputs, .input_count = 3};
    assert_int_equal(tokens_input_bound(&request), 21 + 3 * 16 + 16);
    assert_int_equal(tokens_input_estimate(&request, 4), 6 + 3 * 4);
    request.parameters.max_output_tokens = 1000; /* an embedding has no output */
    assert_int_equal(tokens_rate_charge(&request), 5);
}

/* A ratio that makes no sense gives one token a byte, never a division by zero. */
static void senseless_ratio(void **state) {
    (void)state;
    llm_request_t request = {
        .kind = LLM_COMPLETION, .lineage = "m", .prompt = "12345", .prompt_length = 5};
    const double ratios[] = {0, -1, 0.001, (double)NAN};
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(tokens_input_estimate(&request, ratios[i]), 5 + 4);
    assert_int_equal(tokens_input_estimate(&request, (double)INFINITY), 0 + 4);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(chat),
        cmocka_unit_test(completion),
        cmocka_unit_test(embedding),
        cmocka_unit_test(senseless_ratio),
    };
    return cmocka_run_group_tests_name("tokens", tests, NULL, NULL);
}
