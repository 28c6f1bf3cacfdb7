/* test_explain.c - the layouts of the prompt formats, whole conversations, and an
 * explainer's answer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "prompts/explain.h"
#include "prompts/layout.h"

/* Two records; the first is "big dog, ok" in four tokens. */
static token_t first_tokens[] = {
    {(char[]){"big"}, 3}, {(char[]){" dog"}, 4}, {(char[]){","}, 1}, {(char[]){" ok"}, 3}};
static float first_activations[] = {0.5F, 4, -2, 1};
static token_t second_tokens[] = {{(char[]){"cat"}, 3}, {(char[]){"\n"}, 1}};
static float second_activations[] = {-1, 2};
static const activation_record_t FIRST = {4, first_tokens, first_activations};
static const activation_record_t SECOND = {2, second_tokens, second_activations};

static const activation_record_t *both[] = {&FIRST, &SECOND};
static const split_list_t BOTH = {2, both};

static const char WORDS[] = "neuron_header = \"N{n}:\"\nneuron_suffix = \"?{n}\"\n";
static const char EXCERPTS[] = "excerpt_header = \"{letter})\"\n";
static const char LISTS[] = "tokens_header = \"{letter}=\"\n";

/* A template of few words, with or without the program's examples. */
static template_t *make_template(const char *name, const char *more) {
    prompt_format_t format;
    assert_true(prompt_format_from_name(name, &format));
    buffer_t text = BUFFER_EMPTY;
    buffer_append_format(&text, "layout = \"%s\"\nsystem = \"S\"\n%s%s%s%s", name, WORDS,
                         format == PROMPT_ORIGINAL ? "" : EXCERPTS,
                         format == PROMPT_ORIGINAL || format == PROMPT_HIGHLIGHT ? "" : LISTS,
                         more);
    error_info_t error = {0};
    template_t *template =
        template_parse(NULL, name, "test.toml", buffer_text(&text), text.length, &error);
    if (!template)
        fail_msg("%s", error.message);
    buffer_free(&text);
    return template;
}

static void check_body(const char *name, const split_list_t *records, double threshold,
                       const char *expected) {
    template_t *template = make_template(name, "");
    buffer_t body = BUFFER_EMPTY;
    assert_true(explain_body(template, records, threshold, &body));
    assert_string_equal(buffer_text(&body), expected);
    buffer_free(&body);
    template_free(template);
}

/* --- values ----------------------------------------------------------------------------------- */

static void test_values_agree_with_decimals_as_doubles(void **state) {
    (void)state;
    for (int top = 1; top <= 600; top++)
        for (int of = 0; of <= top; of++) {
            double exact = floor(10 * (of / 100.0) / (top / 100.0));
            int value = layout_discretize((float)(of / 100.0), (float)(top / 100.0));
            if (value != (int)fmin(10, exact))
                fail_msg("%d/100 of %d/100 gives %d, not %g", of, top, value, exact);
        }
}

static void test_values_of_float32_are_exact(void **state) {
    (void)state;
    for (int i = 0; i < 100000; i++) {
        float top = nextafterf(0.1F, 1) + (float)i * 1e-6F;
        assert_int_equal(layout_discretize(top / 2, top), 5);
        assert_int_equal(layout_discretize(nextafterf(top / 2, 0), top), 4);
        assert_int_equal(layout_discretize(top, top), 10);
    }
}

static void test_values_without_a_positive_maximum_are_zero(void **state) {
    (void)state;
    assert_int_equal(layout_discretize(1, 0), 0);
    assert_int_equal(layout_discretize(-1, -1), 0);
    assert_int_equal(layout_discretize(-1, 1), 0);
    assert_int_equal(layout_discretize(2, 1), 10);
    first_activations[1] = first_activations[3] = second_activations[1] = first_activations[0] = -1;
    check_body("original", &(split_list_t){1, both}, 1,
               "\n<start>\nbig\t0\n dog\t0\n,\t0\n ok\t0\n<end>\n");
    first_activations[0] = 0.5F;
    first_activations[1] = 4;
    first_activations[3] = 1;
    second_activations[1] = 2;
}

/* --- layouts ---------------------------------------------------------------------------------- */

static void test_layouts(void **state) {
    (void)state;
    check_body("original", &BOTH, 1,
               "\n<start>\nbig\t1\n dog\t10\n,\t0\n ok\t2\n<end>\n<start>\ncat\t0\n\n\t5\n<end>\n");
    check_body("summary", &BOTH, 0.4,
               "\nA)<start>big dog, ok<end> \nA=big, dog, ok\nB)<start>cat\n<end> \nB=\n\n");
    check_body("highlight", &BOTH, 0.4,
               "\nA)<start>[big][ dog],[ ok]<end> \nB)<start>cat[\n]<end> \n");
    check_body("highlight_summary", &BOTH, 3,
               "\nA)<start>big[ dog], ok<end> \nA= dog\nB)<start>cat\n<end> \nB=\n");
    check_body("avhs", &BOTH, 3,
               "\nA)<start>[big][ dog],[ ok]<end> \nA=big\t1, dog\t10, "
               "ok\t2\nB)<start>cat[\n]<end> \nB=\n\t5\n");
    check_body("original", &(split_list_t){0, NULL}, 1, "\n");
}

static void test_an_activation_at_the_threshold_is_not_marked(void **state) {
    (void)state;
    check_body("highlight", &(split_list_t){1, both}, 1, "\nA)<start>big[ dog], ok<end> \n");
    float saved = first_activations[3];
    first_activations[3] = 0.3F; /* a little over the double 0.3 */
    check_body("highlight", &(split_list_t){1, both}, 0.3, "\nA)<start>[big][ dog], ok<end> \n");
    first_activations[3] = saved;
}

static void test_halves_of_a_character(void **state) {
    (void)state;
    token_t tokens[] = {{(char[]){"\xE2\x80"}, 2}, {(char[]){"\x99t"}, 2}};
    float activations[] = {0, 2};
    activation_record_t record = {2, tokens, activations};
    const activation_record_t *list[] = {&record};
    split_list_t records = {1, list};
    check_body("summary", &records, 1, "\nA)<start>\xE2\x80\x99t<end> \nA=\xEF\xBF\xBDt\n");
    check_body("highlight", &records, 1, "\nA)<start>\xEF\xBF\xBD[\xEF\xBF\xBDt]<end> \n");
    check_body("original", &records, 1, "\n<start>\n\xEF\xBF\xBD\t0\n\xEF\xBF\xBDt\t10\n<end>\n");
}

static void test_letters_and_braces(void **state) {
    (void)state;
    static const struct {
        size_t index;
        const char *letters;
    } cases[] = {{0, "A"},   {25, "Z"},   {26, "AA"},  {27, "AB"},
                 {52, "BA"}, {701, "ZZ"}, {702, "AAA"}};
    buffer_t out = BUFFER_EMPTY;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        buffer_clear(&out);
        layout_append_filled(&out, "{letter}", &(layout_fill_t){.excerpt = cases[i].index});
        assert_string_equal(buffer_text(&out), cases[i].letters);
    }
    buffer_clear(&out);
    layout_append_filled(&out, "{{n}} {x} {letter {n}{explanation}{",
                         &(layout_fill_t){.neuron = 12});
    assert_string_equal(buffer_text(&out), "{12} {x} {letter 12{explanation}{");
    buffer_clear(&out);
    layout_append_filled(&out, "{n}{explanation}",
                         &(layout_fill_t){.neuron = 1, .explanation = "{n}{letter}"});
    assert_string_equal(buffer_text(&out), "1{n}{letter}");
    buffer_free(&out);
}

static void test_a_body_past_the_maximum_is_refused(void **state) {
    (void)state;
    template_t *template = make_template("original", "");
    buffer_t body = {.maximum = 60};
    buffer_append_text(&body, "kept");
    assert_false(explain_body(template, &BOTH, 1, &body));
    assert_string_equal(buffer_text(&body), "kept");
    buffer_free(&body);
    template_free(template);
}

/* --- conversations ---------------------------------------------------------------------------- */

static void test_a_conversation_numbers_the_kept_examples(void **state) {
    (void)state;
    template_t *template = make_template(
        "highlight", "assistant_prefix = \"<\"\nassistant_suffix = \"{n}>\"\n"
                     "user_role = \"developer\"\nfew_shot = \"few_shot_explain.json\"\n");
    size_t examples = explain_example_count(template);
    assert_true(examples >= 2);
    for (size_t dropped = 0; dropped <= examples + 1; dropped++) {
        size_t kept = dropped < examples ? examples - dropped : 0;
        message_list_t list = {0};
        explain_messages(template, &BOTH, 3, dropped, &list);
        assert_int_equal(list.count, 2 + 2 * kept);
        assert_string_equal(list.messages[0].role, "system");
        assert_string_equal(list.messages[0].content, "S");
        for (size_t i = 0; i < kept; i++) {
            char header[32], answer[256];
            snprintf(header, sizeof header, "N%zu:\nA)", i + 1);
            const few_shot_example_t *example = &template_examples(template)->examples[dropped + i];
            snprintf(answer, sizeof answer, "<%s%zu>", example->explanation, i + 1);
            assert_string_equal(list.messages[1 + 2 * i].role, "developer");
            assert_memory_equal(list.messages[1 + 2 * i].content, header, strlen(header));
            assert_string_equal(list.messages[2 + 2 * i].role, "assistant");
            assert_string_equal(list.messages[2 + 2 * i].content, answer);
        }
        char last[256];
        snprintf(last, sizeof last,
                 "N%zu:\nA)<start>big[ dog], ok<end> \nB)<start>cat\n<end> \n?%zu", kept + 1,
                 kept + 1);
        assert_string_equal(list.messages[list.count - 1].content, last);
        message_list_clear(&list);
    }
    template_free(template);
}

static void test_examples_have_their_own_threshold(void **state) {
    (void)state;
    message_list_t lists[2] = {0};
    for (int i = 0; i < 2; i++) {
        template_t *template = make_template(
            "highlight", i ? "few_shot = \"few_shot_explain.json\"\nfew_shot_threshold = 1e9\n"
                           : "few_shot = \"few_shot_explain.json\"\n");
        explain_messages(template, &BOTH, 3, 0, &lists[i]);
        template_free(template);
    }
    assert_non_null(strchr(lists[0].messages[1].content, '['));
    assert_null(strchr(lists[1].messages[1].content, '['));
    size_t last = lists[0].count - 1;
    assert_string_equal(lists[0].messages[last].content, lists[1].messages[last].content);
    message_list_clear(&lists[0]);
    message_list_clear(&lists[1]);
}

static void check_original(const char *more, const split_list_t *records, const char *expected) {
    template_t *template = make_template("original", more);
    message_list_t list = {0};
    explain_messages(template, records, 1, 0, &list);
    assert_int_equal(list.count, 2);
    assert_string_equal(list.messages[1].content, expected);
    message_list_clear(&list);
    template_free(template);
}

static void test_rare_values_are_repeated(void **state) {
    (void)state;
    token_t tokens[5] = {{(char[]){"a"}, 1},
                         {(char[]){"b"}, 1},
                         {(char[]){"c"}, 1},
                         {(char[]){"d"}, 1},
                         {(char[]){"e"}, 1}};
    float activations[5] = {0, 0, 3, 0, 0.2F};
    activation_record_t five = {5, tokens, activations}, four = {4, tokens, activations},
                        none = {2, tokens, activations};
    const activation_record_t *list[] = {&five, &none};
    const activation_record_t *often[] = {&four};
    static const char REPEAT[] = "repeat_nonzero = true\nrepeat_header = \"+{n}\"\n";
    /* 1 of 5 is not below 0.2; 1 of 7 is, and 0.2 of 3 counts as 0. */
    check_original(REPEAT, &(split_list_t){1, list},
                   "N1:\n<start>\na\t0\nb\t0\nc\t10\nd\t0\ne\t0\n<end>\n?1");
    check_original(
        REPEAT, &(split_list_t){2, list},
        "N1:\n<start>\na\t0\nb\t0\nc\t10\nd\t0\ne\t0\n<end>\n<start>\na\t0\nb\t0\n<end>\n"
        "+1\n<start>\nc\t10\n<end>\n<start>\n\n<end>\n?1");
    check_original(
        "", &(split_list_t){2, list},
        "N1:\n<start>\na\t0\nb\t0\nc\t10\nd\t0\ne\t0\n<end>\n<start>\na\t0\nb\t0\n<end>\n?1");
    check_original("repeat_nonzero = true\nrepeat_below = 0.3\n", &(split_list_t){1, often},
                   "N1:\n<start>\na\t0\nb\t0\nc\t10\nd\t0\n<end>\n\n<start>\nc\t10\n<end>\n?1");
}

static void test_an_empty_system_text_is_no_message(void **state) {
    (void)state;
    static const char TEXT[] = "layout = \"original\"\nsystem = \"\"\nneuron_header = \"\"\n";
    template_t *template = template_parse(NULL, "original", "test.toml", TEXT, strlen(TEXT), NULL);
    message_list_t list = {0};
    explain_messages(template, &BOTH, 1, 0, &list);
    assert_int_equal(list.count, 1);
    assert_string_equal(list.messages[0].role, "user");
    message_list_clear(&list);
    template_free(template);
}

/* --- answers ---------------------------------------------------------------------------------- */

static void test_an_explanation_is_the_answer_without_outer_space(void **state) {
    (void)state;
    char *text = NULL;
    llm_answer_t answer = {.text = (char[]){" \n words about \"dogs\".\t\n"}, .text_length = 24};
    assert_int_equal(strlen(answer.text), answer.text_length);
    assert_true(explain_parse(&answer, &text, NULL));
    assert_string_equal(text, "words about \"dogs\".");
    free(text);
}

static void test_an_answer_without_explanation_is_an_error(void **state) {
    (void)state;
    llm_answer_t answers[] = {
        {.text = (char[]){""}, .text_length = 0, .finish_reason = (char[]){"length"}},
        {.text = (char[]){" \r\n\t "}, .text_length = 5},
        {.text = (char[]){"I can not"}, .text_length = 9, .refusal = (char[]){"I can not"}},
        {.text = (char[]){"a\0b"}, .text_length = 3},
    };
    for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++) {
        char *text = (char[]){"x"};
        error_info_t error = {0};
        assert_false(explain_parse(&answers[i], &text, &error));
        assert_null(text);
        assert_int_equal(error.class_, ERROR_FATAL);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values_agree_with_decimals_as_doubles),
        cmocka_unit_test(test_values_of_float32_are_exact),
        cmocka_unit_test(test_values_without_a_positive_maximum_are_zero),
        cmocka_unit_test(test_layouts),
        cmocka_unit_test(test_an_activation_at_the_threshold_is_not_marked),
        cmocka_unit_test(test_halves_of_a_character),
        cmocka_unit_test(test_letters_and_braces),
        cmocka_unit_test(test_a_body_past_the_maximum_is_refused),
        cmocka_unit_test(test_a_conversation_numbers_the_kept_examples),
        cmocka_unit_test(test_examples_have_their_own_threshold),
        cmocka_unit_test(test_rare_values_are_repeated),
        cmocka_unit_test(test_an_empty_system_text_is_no_message),
        cmocka_unit_test(test_an_explanation_is_the_answer_without_outer_space),
        cmocka_unit_test(test_an_answer_without_explanation_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
