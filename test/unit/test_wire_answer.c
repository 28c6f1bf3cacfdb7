/* test_wire_answer.c - answers of endpoints, friendly and hostile. */
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
#include "core/base/json.h"
#include "core/llm/wire.h"

static const char CHAT[] = "{\"id\":\"x\",\"object\":\"chat.completion\",\"model\":\"gpt-4\","
                           "\"choices\":[{\"index\":0,\"message\":{\"role\":"
                           "\"assistant\",\"content\":\"caf\\u00e9\",\"refusal\":null},"
                           "\"logprobs\":{\"content\":[{\"token\":\"caf\","
                           "\"logprob\":"
                           "-0.25,\"bytes\":[99,97,102],\"top_logprobs\":[{\"token\":\"caf\","
                           "\"logprob\":-0.25,\"bytes\":[99,97,102]},{"
                           "\"token\":"
                           "\"\\ufffd\",\"logprob\":-2.5,\"bytes\":[195]}]},{\"token\":\"\\u00e9\","
                           "\"logprob\":0,\"bytes\":null,\"top_"
                           "logprobs\":[]}]"
                           "},\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":11,"
                           "\"completion_tokens\":2,\"total_tokens\":13,"
                           "\"prompt_tokens_details\":{\"cached_tokens\":4},\"completion_tokens_"
                           "details\":{\"reasoning_tokens\":1}}}";

static const char ECHO[] = "{\"choices\":[{\"text\":\"a\\t3\",\"index\":0,\"logprobs\":{\"tokens\":"
                           "[\"a\",\"\\t\",\"3\"],\"token_logprobs\":["
                           "null,"
                           "-0.5,-1.25],\"top_logprobs\":[null,{\"\\t\":-0.5},{\"3\":-1.25,\"10\":-"
                           "0.75,\"0\":-Infinity}],\"text_offset\":[0,"
                           "1,2]},"
                           "\"finish_reason\":\"length\"}],\"usage\":{\"prompt_tokens\":3,"
                           "\"completion_tokens\":0,\"total_tokens\":3}}";

static const char EMBEDDINGS[] = "{\"object\":\"list\",\"data\":[{\"object\":\"embedding\","
                                 "\"index\":1,\"embedding\":[0.5,-2]},{\"object\":"
                                 "\"embedding\","
                                 "\"index\":0,\"embedding\":[1e-3,4]}],\"model\":\"e\",\"usage\":{"
                                 "\"prompt_tokens\":8,\"total_tokens\":8}}";

static void parse_fails(llm_kind_t kind, const char *body, const char *said) {
    llm_answer_t answer;
    error_info_t error = {0};
    assert_false(llm_answer_parse(kind, body, strlen(body), &answer, &error));
    assert_int_equal(error.class_, ERROR_FATAL);
    if (!strstr(error.message, said))
        fail_msg("\"%s\" does not say \"%s\"", error.message, said);
    assert_null(answer.text);
    assert_null(answer.tokens);
    assert_int_equal(answer.token_count, 0);
    /* an error is not asked for */
    assert_false(llm_answer_parse(kind, body, strlen(body), &answer, NULL));
}

static llm_answer_t parse(llm_kind_t kind, const char *body) {
    llm_answer_t answer;
    error_info_t error = {0};
    if (!llm_answer_parse(kind, body, strlen(body), &answer, &error))
        fail_msg("%s", error.message);
    return answer;
}

/* --- answers ---------------------------------------------------------------------------------- */

static void chat_with_logprobs(void **state) {
    (void)state;
    llm_answer_t answer = parse(LLM_CHAT, CHAT);
    assert_string_equal(answer.text, "caf\xc3\xa9");
    assert_int_equal(answer.text_length, 5);
    assert_string_equal(answer.finish_reason, "stop");
    assert_null(answer.refusal);
    assert_int_equal(answer.token_count, 2);
    assert_string_equal(answer.tokens[0].bytes, "caf");
    assert_true(answer.tokens[0].has_logprob);
    assert_true(answer.tokens[0].logprob == -0.25);
    assert_int_equal(answer.tokens[0].text_offset, -1);
    assert_int_equal(answer.tokens[0].top_count, 2);
    assert_int_equal(answer.tokens[0].top[1].length, 1); /* the byte, not U+FFFD */
    assert_string_equal(answer.tokens[0].top[1].bytes, "\xc3");
    assert_true(answer.tokens[0].top[1].logprob == -2.5);
    assert_string_equal(answer.tokens[1].bytes, "\xc3\xa9"); /* bytes null: the token */
    assert_int_equal(answer.tokens[1].top_count, 0);
    llm_answer_clear(&answer);
    assert_int_equal(answer.token_count, 0);
    assert_null(answer.text);
}

static void echo_with_logprobs(void **state) {
    (void)state;
    llm_answer_t answer = parse(LLM_COMPLETION, ECHO);
    assert_string_equal(answer.text, "a\t3");
    assert_string_equal(answer.finish_reason, "length");
    assert_int_equal(answer.token_count, 3);
    assert_false(answer.tokens[0].has_logprob);
    assert_int_equal(answer.tokens[0].top_count, 0);
    assert_true(answer.tokens[2].has_logprob);
    assert_true(answer.tokens[2].logprob == -1.25);
    assert_int_equal(answer.tokens[2].text_offset, 2);
    assert_int_equal(answer.tokens[2].top_count, 3);
    assert_string_equal(answer.tokens[2].top[1].bytes, "10"); /* in the order of the text */
    assert_true(isinf(answer.tokens[2].top[2].logprob));
    llm_answer_clear(&answer);
}

static void answers_without_logprobs(void **state) {
    (void)state;
    llm_answer_t answer =
        parse(LLM_CHAT, "{\"choices\":[{\"message\":{\"content\":null},\"logprobs\":null}]}");
    assert_string_equal(answer.text, "");
    assert_int_equal(answer.text_length, 0);
    assert_null(answer.finish_reason);
    assert_int_equal(answer.token_count, 0);
    llm_answer_clear(&answer);
    answer =
        parse(LLM_CHAT,
              "{\"choices\":[{\"message\":{\"content\":\"a\\u0000b\"},\"finish_reason\":null}]}");
    assert_int_equal(answer.text_length, 3);
    assert_memory_equal(answer.text, "a\0b\0", 4);
    llm_answer_clear(&answer);
    answer = parse(
        LLM_CHAT,
        "{\"choices\":[{\"message\":{\"refusal\":\"I cannot.\"},\"logprobs\":{\"content\":null,"
        "\"refusal\":[]}}]}");
    assert_string_equal(answer.text, "");
    assert_string_equal(answer.refusal, "I cannot.");
    llm_answer_clear(&answer);
    /* llama.cpp's server answers text completions in the chat's form; offsets may be
     * absent as a whole */
    answer = parse(
        LLM_COMPLETION,
        "{\"choices\":[{\"text\":\"9\",\"logprobs\":{\"content\":[{\"token\":\"9\",\"logprob\":"
        "-0.1}]}}]}");
    assert_int_equal(answer.token_count, 1);
    llm_answer_clear(&answer);
    answer = parse(
        LLM_COMPLETION,
        "{\"choices\":[{\"text\":\"9\",\"logprobs\":{\"tokens\":[\"9\"],\"token_logprobs\":[-0.1],"
        "\"top_logprobs\":null}}]}");
    assert_int_equal(answer.tokens[0].text_offset, -1);
    assert_int_equal(answer.tokens[0].top_count, 0);
    llm_answer_clear(&answer);
}

static void broken_answers(void **state) {
    (void)state;
    parse_fails(LLM_CHAT, "", "answer");
    parse_fails(LLM_CHAT, "null", "not a JSON object");
    parse_fails(LLM_CHAT, "[]", "not a JSON object");
    parse_fails(LLM_CHAT, "{}", "no choices");
    parse_fails(LLM_CHAT, "{\"choices\":[]}", "no choices");
    parse_fails(LLM_CHAT, "{\"choices\":[null]}", "no choices");
    parse_fails(LLM_CHAT, "{\"error\":{\"message\":\"out of quota\"}}",
                "the endpoint says: out of quota");
    parse_fails(LLM_CHAT, "{\"choices\":[{\"text\":\"x\"}]}", "message");
    parse_fails(LLM_CHAT, "{\"choices\":[{\"message\":{}}]}", "no content");
    parse_fails(LLM_CHAT, "{\"choices\":[{\"message\":{\"content\":7}}]}", "not a string");
    parse_fails(LLM_COMPLETION, "{\"choices\":[{\"message\":{\"content\":\"x\"}}]}", "no text");
    parse_fails(LLM_CHAT, "{\"choices\":[{\"message\":{\"content\":\"x\"},\"logprobs\":[]}]}",
                "logprobs");
    parse_fails(LLM_CHAT, "{\"choices\":[{\"message\":{\"content\":\"x\"},\"logprobs\":{}}]}",
                "logprobs");
}

static void broken_chat_logprobs(void **state) {
    (void)state;
    static const char *const entries[] = {
        "{}",
        "7",
        "{\"token\":\"a\",\"bytes\":[256],\"logprob\":-1}",
        "{\"token\":\"a\",\"bytes\":[-1],\"logprob\":-1}",
        "{\"token\":\"a\",\"bytes\":[97.5],\"logprob\":-1}",
        "{\"token\":\"a\",\"bytes\":\"a\",\"logprob\":-1}",
        "{\"token\":\"a\",\"logprob\":\"-1\"}",
        "{\"token\":\"a\",\"logprob\":0.5}",
        "{\"token\":\"a\",\"logprob\":NaN}",
        "{\"token\":\"a\",\"logprob\":Infinity}",
        "{\"token\":\"a\",\"logprob\":-1,\"top_logprobs\":{}}",
        ("{\"token\":\"a\",\"logprob\":-1,\"top_logprobs\":[{\"token\":\"a\",\"logprob\":-1},"
         "{\"token\":\"b\"}]}"),
        "{\"token\":\"a\",\"logprob\":-1,\"top_logprobs\":[{\"logprob\":-1}]}",
    };
    for (size_t i = 0; i < sizeof entries / sizeof entries[0]; i++) {
        char body[512];
        snprintf(body, sizeof body,
                 "{\"choices\":[{\"message\":{\"content\":\"x\"},\"logprobs\":{\"content\":[{"
                 "\"token\":\"ok\","
                 "\"logprob\":-1,"
                 "\"top_logprobs\":[{\"token\":\"ok\",\"logprob\":-1}]},%s]}}]}",
                 entries[i]);
        parse_fails(LLM_CHAT, body, "logprobs.content[1]");
    }
}

static void broken_completion_logprobs(void **state) {
    (void)state;
    static const char *const cases[][2] = {
        {"\"tokens\":[\"a\"]", "no token_logprobs"},
        {"\"tokens\":[\"a\"],\"token_logprobs\":[]",
         "differ in length: 1 tokens, 0 token_logprobs"},
        {"\"tokens\":[\"a\"],\"token_logprobs\":[-1,-2]", "differ in length"},
        {"\"tokens\":[\"a\"],\"token_logprobs\":[-1],\"top_logprobs\":[]", "differ in length"},
        {"\"tokens\":[\"a\"],\"token_logprobs\":[-1],\"text_offset\":[0,1]", "differ in length"},
        {"\"tokens\":[\"a\"],\"token_logprobs\":[-1],\"text_offset\":{}", "differ in length"},
        {"\"tokens\":[\"a\",7],\"token_logprobs\":[-1,-1]", "tokens[1]"},
        {"\"tokens\":[\"a\"],\"token_logprobs\":[1]", "token_logprobs[0]"},
        {"\"tokens\":[\"a\"],\"token_logprobs\":[-1],\"top_logprobs\":[{\"a\":-1,\"b\":null}]",
         "top_logprobs[0]"},
        {"\"tokens\":[\"a\"],\"token_logprobs\":[-1],\"top_logprobs\":[[-1]]", "top_logprobs[0]"},
        {"\"tokens\":[\"a\"],\"token_logprobs\":[-1],\"text_offset\":[-1]", "text_offset[0]"},
        {"\"tokens\":[\"a\"],\"token_logprobs\":[-1],\"text_offset\":[99999999999]",
         "text_offset[0]"},
        {"\"tokens\":[\"a\"],\"token_logprobs\":[-1],\"text_offset\":[null]", "text_offset[0]"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char body[512];
        snprintf(body, sizeof body, "{\"choices\":[{\"text\":\"x\",\"logprobs\":{%s}}]}",
                 cases[i][0]);
        parse_fails(LLM_COMPLETION, body, cases[i][1]);
    }
}

/* A body that was cut anywhere is refused by every reader, and none of them reads past its end. */
static void truncation(void **state) {
    (void)state;
    static const char *const bodies[] = {CHAT, ECHO, EMBEDDINGS};
    for (size_t i = 0; i < 3; i++) {
        for (size_t length = 0; length < strlen(bodies[i]); length++) {
            /* no NUL behind: the sanitizer sees an overrun */
            char *cut = malloc(length ? length : 1);
            assert_non_null(cut);
            memcpy(cut, bodies[i], length);
            llm_answer_t answer;
            llm_usage_t usage;
            size_t dimensions = 9;
            assert_false(llm_answer_parse(LLM_CHAT, cut, length, &answer, NULL));
            assert_false(llm_answer_parse(LLM_COMPLETION, cut, length, &answer, NULL));
            assert_null(llm_embedding_parse(cut, length, 2, &dimensions, NULL));
            assert_int_equal(dimensions, 0);
            llm_usage_read(cut, length, &usage);
            assert_false(usage.present);
            free(cut);
        }
    }
}

/* --- usage ------------------------------------------------------------------------------------ */

static llm_usage_t usage_of(const char *usage) {
    char body[512];
    snprintf(body, sizeof body, "{\"choices\":[],\"usage\":%s}", usage);
    llm_usage_t read;
    memset(&read, 0x55, sizeof read);
    llm_usage_read(body, strlen(body), &read);
    return read;
}

static void assert_usage(llm_usage_t usage, int64_t prompt, int64_t cached, int64_t completion,
                         int64_t reasoning) {
    assert_true(usage.present);
    assert_int_equal(usage.prompt_tokens, prompt);
    assert_int_equal(usage.cached_tokens, cached);
    assert_int_equal(usage.completion_tokens, completion);
    assert_int_equal(usage.reasoning_tokens, reasoning);
}

static void usage_that_is_there(void **state) {
    (void)state;
    llm_usage_t usage;
    llm_usage_read(CHAT, strlen(CHAT), &usage);
    assert_usage(usage, 11, 4, 2, 1);
    llm_usage_read(ECHO, strlen(ECHO), &usage);
    assert_usage(usage, 3, 0, 0, 0);
    llm_usage_read(EMBEDDINGS, strlen(EMBEDDINGS), &usage);
    assert_usage(usage, 8, 0, 0, 0);
    assert_usage(usage_of("{\"prompt_tokens\":5,\"completion_tokens\":6}"), 5, 0, 6, 0);
    assert_usage(
        usage_of("{\"prompt_tokens\":5,\"completion_tokens\":6,\"prompt_tokens_details\":null,"
                 "\"completion_tokens_details\":{\"reasoning_tokens\":null}}"),
        5, 0, 6, 0);
    /* more cached than sent, more reasoning than written: clamped */
    assert_usage(usage_of("{\"prompt_tokens\":5,\"completion_tokens\":6,\"prompt_tokens_details\":{"
                          "\"cached_tokens\":50},"
                          "\"completion_tokens_details\":{\"reasoning_tokens\":60}}"),
                 5, 5, 6, 6);
    /* reasoning kept out of completion_tokens shows in the total only, and is billed */
    assert_usage(usage_of("{\"prompt_tokens\":5,\"completion_tokens\":6,\"total_tokens\":100,"
                          "\"completion_tokens_details\":{\"reasoning_tokens\":89}}"),
                 5, 0, 95, 89);
    assert_usage(usage_of("{\"prompt_tokens\":5,\"completion_tokens\":6,\"total_tokens\":3}"), 5, 0,
                 6, 0);
    assert_usage(usage_of("{\"prompt_tokens\":2147483648,\"completion_tokens\":0}"), 2147483648, 0,
                 0, 0);
}

static void usage_that_is_not(void **state) {
    (void)state;
    static const char *const broken[] = {
        "null",
        "[]",
        "{}",
        "{\"prompt_tokens\":5}",
        "{\"completion_tokens\":5}",
        "{\"prompt_tokens\":null,\"completion_tokens\":5}",
        "{\"prompt_tokens\":5,\"completion_tokens\":null}",
        "{\"prompt_tokens\":-1,\"completion_tokens\":5}",
        "{\"prompt_tokens\":5,\"completion_tokens\":-5}",
        "{\"prompt_tokens\":5.5,\"completion_tokens\":5}",
        "{\"prompt_tokens\":\"5\",\"completion_tokens\":5}",
        "{\"prompt_tokens\":2147483649,\"completion_tokens\":5}",
        "{\"prompt_tokens\":5,\"completion_tokens\":1e300}",
        "{\"prompt_tokens\":5,\"completion_tokens\":99999999999999999999}",
        "{\"prompt_tokens\":5,\"completion_tokens\":5,\"total_tokens\":-10}",
        "{\"prompt_tokens\":5,\"completion_tokens\":5,\"prompt_tokens_details\":{\"cached_tokens\":"
        "-1}}",
        "{\"prompt_tokens\":5,\"completion_tokens\":5,\"completion_tokens_details\":{\"reasoning_"
        "tokens\":\"x\"}}",
    };
    for (size_t i = 0; i < sizeof broken / sizeof broken[0]; i++) {
        llm_usage_t usage = usage_of(broken[i]);
        if (usage.present)
            fail_msg("%s was taken", broken[i]);
        assert_int_equal(usage.prompt_tokens, 0);
        assert_int_equal(usage.completion_tokens, 0);
    }
    llm_usage_t usage;
    llm_usage_read("{\"choices\":[]}", 14, &usage);
    assert_false(usage.present);
    llm_usage_read("not json", 8, &usage);
    assert_false(usage.present);
    llm_usage_read(NULL, 0, &usage);
    assert_false(usage.present);
}

/* --- embeddings ------------------------------------------------------------------------------- */

static void embeddings_by_index(void **state) {
    (void)state;
    size_t dimensions = 0;
    error_info_t error = {0};
    float *rows = llm_embedding_parse(EMBEDDINGS, strlen(EMBEDDINGS), 2, &dimensions, &error);
    assert_non_null(rows);
    assert_int_equal(dimensions, 2);
    const float expected[] = {1e-3F, 4, 0.5F, -2};
    assert_memory_equal(rows, expected, sizeof expected);
    free(rows);
}

static void broken_embeddings(void **state) {
    (void)state;
    static const struct {
        const char *data;
        size_t expected;
        const char *said;
    } cases[] = {
        {"null", 1, "no data"},
        {"{}", 1, "no data"},
        {"[]", 0, "0 embeddings"},
        {"[]", 1, "0 embeddings; 1 inputs"},
        {"[{\"index\":0,\"embedding\":[1]},{\"index\":1,\"embedding\":[1]}]", 1,
         "2 embeddings; 1 inputs"},
        {"[{\"index\":0,\"embedding\":[1]},{\"index\":0,\"embedding\":[1]}]", 2,
         "index 0 is repeated"},
        {"[{\"index\":0,\"embedding\":[1]},{\"index\":2,\"embedding\":[1]}]", 2, "index 2"},
        {"[{\"index\":-1,\"embedding\":[1]}]", 1, "index -1"},
        {"[{\"embedding\":[1]}]", 1, "no index"},
        {"[{\"index\":0.5,\"embedding\":[1]}]", 1, "no index"},
        {"[7]", 1, "no index"},
        {"[{\"index\":0}]", 1, "not an array"},
        {"[{\"index\":0,\"embedding\":\"AAAA\"}]", 1, "encoding_format float"},
        {"[{\"index\":0,\"embedding\":[]}]", 1, "is empty"},
        {"[{\"index\":0,\"embedding\":[1,2]},{\"index\":1,\"embedding\":[1]}]", 2,
         "1 dimensions; others have 2"},
        {"[{\"index\":0,\"embedding\":[1,null]}]", 1, "input 0"},
        {"[{\"index\":0,\"embedding\":[1,NaN]}]", 1, "finite"},
        {"[{\"index\":0,\"embedding\":[-Infinity]}]", 1, "finite"},
        {"[{\"index\":0,\"embedding\":[1e39]}]", 1, "finite"}, /* no float32 */
        {"[{\"index\":0,\"embedding\":[1e999]}]", 1, "finite"},
        {"[{\"index\":0,\"embedding\":[[1]]}]", 1, "finite"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char body[256];
        snprintf(body, sizeof body, "{\"data\":%s}", cases[i].data);
        size_t dimensions = 9;
        error_info_t error = {0};
        assert_null(
            llm_embedding_parse(body, strlen(body), cases[i].expected, &dimensions, &error));
        assert_int_equal(dimensions, 0);
        assert_int_equal(error.class_, ERROR_FATAL);
        if (!strstr(error.message, cases[i].said))
            fail_msg("%s: \"%s\" does not say \"%s\"", body, error.message, cases[i].said);
    }
}

/* --- the published responses ------------------------------------------------------------------ */

static void check_published(const json_value_t *entry) {
    buffer_t body = BUFFER_EMPTY;
    size_t prompt_length = 0;
    const char *prompt = json_as_string(json_get(entry, "prompt"), &prompt_length);
    json_write_value(&body, json_get(entry, "response"), false);
    llm_answer_t answer = parse(LLM_COMPLETION, buffer_text(&body));
    assert_int_equal(answer.text_length, prompt_length);
    assert_memory_equal(answer.text, prompt, prompt_length);
    assert_int_equal(answer.token_count,
                     json_count(json_path(entry, "response.choices.0.logprobs.tokens")));
    size_t length = 0;
    for (size_t i = 0; i < answer.token_count; i++)
        length += answer.tokens[i].length;
    assert_int_equal(length, prompt_length);
    llm_answer_clear(&answer);
    buffer_free(&body);
}

static void published_simulations(void **state) {
    (void)state;
    static const char PATH[] = "../shared/data/reference/published_simulations.json";
    buffer_t text = BUFFER_EMPTY;
    error_info_t error = {0};
    if (!buffer_read_file(&text, PATH, 1 << 26, &error)) {
        print_message("skipped: %s is not there\n", PATH);
        skip();
    }
    json_value_t *root = json_parse(buffer_text(&text), text.length, PATH, JSON_PLAIN, &error);
    const json_value_t *cases = json_get(root, "cases");
    assert_true(json_count(cases) > 0);
    for (size_t i = 0; i < json_count(cases); i++)
        check_published(json_at(cases, i));
    json_free(root);
    buffer_free(&text);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(chat_with_logprobs),
        cmocka_unit_test(echo_with_logprobs),
        cmocka_unit_test(answers_without_logprobs),
        cmocka_unit_test(broken_answers),
        cmocka_unit_test(broken_chat_logprobs),
        cmocka_unit_test(broken_completion_logprobs),
        cmocka_unit_test(truncation),
        cmocka_unit_test(usage_that_is_there),
        cmocka_unit_test(usage_that_is_not),
        cmocka_unit_test(embeddings_by_index),
        cmocka_unit_test(broken_embeddings),
        cmocka_unit_test(published_simulations),
    };
    return cmocka_run_group_tests_name("wire_answer", tests, NULL, NULL);
}
