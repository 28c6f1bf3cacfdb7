/* test_wire.c - request bodies byte for byte, and what the identity of a request depends on. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <string.h>

#include "core/base/buffer.h"
#include "core/llm/message.h"
#include "core/llm/wire.h"

static const llm_parameters_t PLAIN = {.temperature = NAN, .top_p = NAN, .max_output_tokens = 60};

static void assert_body(const llm_request_t *request, const char *model, const char *expected) {
    buffer_t body = BUFFER_EMPTY;
    llm_request_write(request, model, &body);
    assert_string_equal(buffer_text(&body), expected);
    buffer_free(&body);
}

static message_list_t two_messages(void) {
    message_list_t list = {0};
    message_list_add(&list, "system", "Be brief.", 9);
    message_list_add(&list, "user", "a\n\"b\"", 5);
    return list;
}

static llm_request_t chat_of(const message_list_t *messages) {
    return (llm_request_t){
        .kind = LLM_CHAT, .lineage = "gpt-4", .messages = messages, .parameters = PLAIN};
}

static llm_request_t completion_of(const char *prompt) {
    return (llm_request_t){.kind = LLM_COMPLETION,
                           .lineage = "davinci",
                           .prompt = prompt,
                           .prompt_length = strlen(prompt),
                           .parameters = PLAIN};
}

static llm_request_t embedding_of(const char *const *inputs, size_t count) {
    return (llm_request_t){
        .kind = LLM_EMBEDDING, .lineage = "ada", .inputs = inputs, .input_count = count};
}

/* --- messages --------------------------------------------------------------------------------- */

static void message_list_copies_and_counts(void **state) {
    (void)state;
    char content[] = "abc\0def";
    message_list_t list = {0};
    message_list_add(&list, "user", content, 7);
    message_list_add(&list, "assistant", "", 0);
    content[0] = 'X';
    assert_int_equal(list.count, 2);
    assert_memory_equal(list.messages[0].content, "abc\0def\0", 8);
    assert_int_equal(message_list_bytes(&list), 7);
    message_list_clear(&list);
    assert_int_equal(list.count, 0);
    assert_int_equal(message_list_bytes(&list), 0);
    message_list_add(&list, "user", "again", 5);
    assert_int_equal(message_list_bytes(&list), 5);
    message_list_clear(&list);
}

/* --- bodies ----------------------------------------------------------------------------------- */

static void chat_body(void **state) {
    (void)state;
    message_list_t messages = two_messages();
    llm_request_t request = chat_of(&messages);
    assert_body(
        &request, "gpt-4-0613",
        "{\"model\":\"gpt-4-0613\",\"messages\":[{\"role\":\"system\",\"content\":\"Be brief.\"},"
        "{\"role\":\"user\",\"content\":\"a\\n\\\"b\\\"\"}],\"max_tokens\":60}");
    request.parameters = (llm_parameters_t){.temperature = 1,
                                            .top_p = 0.5,
                                            .max_output_tokens = 0,
                                            .modern_maximum = true,
                                            .logprobs = true,
                                            .top_logprobs = 15,
                                            .echo = true,
                                            .dimensions = 7};
    request.sample = 3;
    assert_body(
        &request, "o3",
        "{\"model\":\"o3\",\"messages\":[{\"role\":\"system\",\"content\":\"Be brief.\"},"
        "{\"role\":\"user\",\"content\":\"a\\n\\\"b\\\"\"}],\"temperature\":1,\"top_p\":0.5,"
        "\"max_completion_tokens\":0,\"logprobs\":true,\"top_logprobs\":15}");
    message_list_clear(&messages);
}

static void completion_body(void **state) {
    (void)state;
    llm_request_t request = completion_of("tab\there");
    assert_body(&request, "m", "{\"model\":\"m\",\"prompt\":\"tab\\there\",\"max_tokens\":60}");
    request.parameters.max_output_tokens = 0;
    request.parameters.echo = true;
    request.parameters.logprobs = true;
    request.parameters.top_logprobs = 15;
    request.parameters.temperature = 0;
    assert_body(&request, "m",
                "{\"model\":\"m\",\"prompt\":\"tab\\there\",\"temperature\":0,\"max_tokens\":0,"
                "\"echo\":true,"
                "\"logprobs\":15}");
}

static void embedding_body(void **state) {
    (void)state;
    const char *inputs[] = {"one", "two"};
    llm_request_t request = embedding_of(inputs, 2);
    assert_body(&request, "e",
                "{\"model\":\"e\",\"input\":[\"one\",\"two\"],\"encoding_format\":\"float\"}");
    request.parameters.dimensions = 256;
    request.parameters.max_output_tokens = 5;
    assert_body(&request, "e",
                "{\"model\":\"e\",\"input\":[\"one\",\"two\"],\"encoding_format\":\"float\","
                "\"dimensions\":256}");
}

static void paths(void **state) {
    (void)state;
    assert_string_equal(llm_request_path(LLM_CHAT), "/chat/completions");
    assert_string_equal(llm_request_path(LLM_COMPLETION), "/completions");
    assert_string_equal(llm_request_path(LLM_EMBEDDING), "/embeddings");
}

/* --- identity --------------------------------------------------------------------------------- */

static void assert_same(const llm_request_t *a, const llm_request_t *b) {
    assert_true(hash_equal(llm_request_identity(a), llm_request_identity(b)));
}

static void assert_other(const llm_request_t *a, const llm_request_t *b) {
    assert_false(hash_equal(llm_request_identity(a), llm_request_identity(b)));
}

/* The identities of all requests of all stores in the world stand on this: a change is a new
 * canonical form version. */
static void identity_is_frozen(void **state) {
    (void)state;
    message_list_t messages = two_messages();
    llm_request_t request = chat_of(&messages);
    request.parameters.temperature = 1;
    request.parameters.top_p = 1;
    char text[HASH_TEXT_SIZE];
    hash_to_text(llm_request_identity(&request), text);
    assert_string_equal(text, "f6f9c2b9339f9cc6c2c59a2ba11a5e72");
    llm_request_t completion = completion_of("What?");
    hash_to_text(llm_request_identity(&completion), text);
    assert_string_equal(text, "994c7cd0c27799cc6039124ab436b62a");
    const char *inputs[] = {"one", "two"};
    llm_request_t embedding = embedding_of(inputs, 2);
    hash_to_text(llm_request_identity(&embedding), text);
    assert_string_equal(text, "475f4296c13a6ac71c99e80d07afd049");
    message_list_clear(&messages);
}

static void identity_sees_what_is_asked(void **state) {
    (void)state;
    message_list_t messages = two_messages();
    llm_request_t request = chat_of(&messages), other = request;
    assert_same(&request, &other);
    other.lineage = "gpt-4o";
    assert_other(&request, &other);
    other = request;
    other.sample = 1;
    assert_other(&request, &other);
    other = request;
    other.parameters.temperature = 0;
    assert_other(&request, &other); /* "left out" is not 0 */
    other = request;
    other.parameters.top_p = 1;
    assert_other(&request, &other);
    other = request;
    other.parameters.max_output_tokens = 61;
    assert_other(&request, &other);
    other = request;
    other.parameters.logprobs = true;
    assert_other(&request, &other);
    llm_request_t more = other;
    more.parameters.top_logprobs = 5;
    assert_other(&other, &more);
    message_list_clear(&messages);
}

static void identity_sees_order_and_borders(void **state) {
    (void)state;
    message_list_t messages = two_messages(), swapped = {0}, shifted = {0}, joined = {0};
    message_list_add(&swapped, "user", "a\n\"b\"", 5);
    message_list_add(&swapped, "system", "Be brief.", 9);
    message_list_add(&shifted, "system", "Be brief.a", 10);
    message_list_add(&shifted, "user", "\n\"b\"", 4);
    message_list_add(&joined, "system", "Be brief.usera\n\"b\"", 18);
    llm_request_t request = chat_of(&messages), a = chat_of(&swapped), b = chat_of(&shifted),
                  c = chat_of(&joined);
    assert_other(&request, &a);
    assert_other(&request, &b);
    assert_other(&request, &c);
    message_list_clear(&messages);
    message_list_clear(&swapped);
    message_list_clear(&shifted);
    message_list_clear(&joined);
    const char *inputs[] = {"one", "two"}, *reversed[] = {"two", "one"}, *split[] = {"on", "etwo"};
    llm_request_t embedding = embedding_of(inputs, 2), d = embedding_of(reversed, 2),
                  e = embedding_of(split, 2);
    llm_request_t f = embedding_of(inputs, 1);
    assert_other(&embedding, &d);
    assert_other(&embedding, &e);
    assert_other(&embedding, &f);
    llm_request_t same_words = completion_of("one");
    same_words.lineage = f.lineage;
    assert_other(&f, &same_words);
}

static void identity_does_not_see_how_it_is_sent(void **state) {
    (void)state;
    message_list_t messages = two_messages();
    llm_request_t request = chat_of(&messages), other = request;
    other.parameters.modern_maximum = true;
    assert_same(&request, &other);
    other = request;
    other.parameters.echo = true; /* of completions only */
    other.parameters.dimensions = 3;
    other.parameters.top_logprobs = 9; /* without logprobs */
    assert_same(&request, &other);
    const char *inputs[] = {"one"};
    llm_request_t embedding = embedding_of(inputs, 1), warm = embedding;
    warm.parameters.temperature = 1;
    warm.parameters.max_output_tokens = 99;
    assert_same(&embedding, &warm);
    warm.parameters.dimensions = 99;
    assert_other(&embedding, &warm);
    llm_request_t completion = completion_of("x"), echo = completion;
    echo.parameters.echo = true;
    assert_other(&completion, &echo);
    message_list_clear(&messages);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(message_list_copies_and_counts),
        cmocka_unit_test(chat_body),
        cmocka_unit_test(completion_body),
        cmocka_unit_test(embedding_body),
        cmocka_unit_test(paths),
        cmocka_unit_test(identity_is_frozen),
        cmocka_unit_test(identity_sees_what_is_asked),
        cmocka_unit_test(identity_sees_order_and_borders),
        cmocka_unit_test(identity_does_not_see_how_it_is_sent),
    };
    return cmocka_run_group_tests_name("wire", tests, NULL, NULL);
}
