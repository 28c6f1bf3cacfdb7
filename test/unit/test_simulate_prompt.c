/* test_simulate_prompt.c - what a simulator is asked. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "core/base/text.h"
#include "prompts/simulate.h"

static token_t tokens[] = {{(char[]){"big"}, 3}, {(char[]){" dog"}, 4}};

static template_t *make_template(const char *name, const char *more) {
    buffer_t text = BUFFER_EMPTY;
    buffer_append_format(
        &text, "layout = \"%s\"\nsystem = \"S\"\nneuron_header = \"N{n}: {explanation}\\n\"\n%s",
        name, more);
    error_info_t error = {0};
    template_t *template =
        template_parse(NULL, name, "test.toml", buffer_text(&text), text.length, &error);
    if (!template)
        fail_msg("%s", error.message);
    buffer_free(&text);
    return template;
}

static void test_the_echo_prompt(void **state) {
    (void)state;
    template_t *template =
        make_template("simulate_echo", "neuron_suffix = \"!\"\nlast_neuron_suffix = \"?{n}\"\n");
    buffer_t prompt = BUFFER_EMPTY;
    assert_true(simulate_echo_prompt(template, "dogs {n}", 0, tokens, 2, &prompt));
    assert_string_equal(buffer_text(&prompt),
                        "SN1: dogs {n}\n<start>\nbig\tunknown\n dog\tunknown\n<end>\n?1");
    buffer_free(&prompt);
    template_free(template);
}

static void test_examples_show_values_late(void **state) {
    (void)state;
    template_t *template = make_template(
        "simulate_echo", "few_shot = \"few_shot_explain.json\"\nneuron_suffix = \"!\"\n");
    const few_shot_list_t *examples = template_examples(template);
    const few_shot_example_t *example = &examples->examples[0];
    buffer_t prompt = BUFFER_EMPTY;
    assert_true(simulate_echo_prompt(template, "dogs", 0, tokens, 2, &prompt));
    assert_true(example->first_revealed[0] > 0 &&
                example->first_revealed[0] < example->records.records[0].count);
    const char *line = strstr(buffer_text(&prompt), "<start>\n") + 8;
    for (size_t i = 0; i < example->records.records[0].count; i++) {
        const token_t *token = &example->records.records[0].tokens[i];
        assert_memory_equal(line, token->bytes, token->length);
        line += token->length;
        assert_int_equal(strncmp(line, "\tunknown\n", 9) == 0, i < example->first_revealed[0]);
        line = strchr(line, '\n') + 1;
    }
    assert_memory_equal(line, "<end>\n", 6);
    char last[32];
    snprintf(last, sizeof last, "!N%zu: dogs\n<start>", examples->count + 1);
    assert_non_null(strstr(buffer_text(&prompt), last));
    buffer_free(&prompt);
    template_free(template);
}

static void test_token_prompts_are_starts_of_the_echo_prompt(void **state) {
    (void)state;
    template_t *template = make_template("simulate_echo", "few_shot = \"few_shot_explain.json\"\n");
    buffer_t echo = BUFFER_EMPTY;
    assert_true(simulate_echo_prompt(template, "dogs", 0, tokens, 2, &echo));
    for (size_t i = 0; i < 2; i++) {
        buffer_t prompt = BUFFER_EMPTY;
        assert_true(simulate_token_prompt(template, "dogs", 0, tokens, i, &prompt));
        assert_true(text_starts_with(buffer_text(&echo), buffer_text(&prompt)));
        assert_true(text_ends_with(buffer_text(&prompt),
                                   i == 0 ? "<start>\nbig\t" : "big\tunknown\n dog\t"));
        buffer_free(&prompt);
    }
    buffer_free(&echo);
    template_free(template);
}

static void test_a_prompt_past_the_maximum_is_refused(void **state) {
    (void)state;
    template_t *template = make_template("simulate_echo", "");
    buffer_t prompt = {.maximum = 20};
    assert_false(simulate_echo_prompt(template, "dogs", 0, tokens, 2, &prompt));
    assert_false(simulate_token_prompt(template, "dogs", 0, tokens, 1, &prompt));
    assert_int_equal(prompt.length, 0);
    buffer_free(&prompt);
    template_free(template);
}

static void test_the_repeat_conversation(void **state) {
    (void)state;
    token_t odd[] = {{(char[]){"\n"}, 1}, {(char[]){"a\tb"}, 3}, {(char[]){"\xE2\x80"}, 2}};
    template_t *template = make_template(
        "simulate_repeat", "neuron_suffix = \"?\"\nassistant_prefix = \"A{n} \"\n"
                           "assistant_suffix = \"!\"\nfew_shot = \"few_shot_explain.json\"\n");
    size_t examples = template_examples(template)->count;
    message_list_t list = {0};
    simulate_repeat_messages(template, "odd", 0, odd, 3, &list);
    assert_int_equal(list.count, 2 + 2 * examples);
    assert_string_equal(list.messages[0].role, "system");
    assert_null(strstr(list.messages[2].content, "unknown"));
    assert_memory_equal(list.messages[2].content, "A1 <start>\n", 11);
    assert_true(text_ends_with(list.messages[2].content, "<end>\n!"));
    char last[128];
    snprintf(last, sizeof last,
             "N%zu: odd\n<start>\n\\n\tunknown\na\\tb\tunknown\n\\xE2\\x80\tunknown\n<end>\n?",
             examples + 1);
    assert_string_equal(list.messages[list.count - 1].content, last);
    message_list_clear(&list);
    template_free(template);
}

static void test_examples_are_dropped_from_the_first(void **state) {
    (void)state;
    template_t *template = make_template("simulate_echo", "few_shot = \"few_shot_explain.json\"\n");
    const few_shot_list_t *examples = template_examples(template);
    size_t count = simulate_example_count(template);
    buffer_t prompt = BUFFER_EMPTY, none = BUFFER_EMPTY, more = BUFFER_EMPTY;
    assert_int_equal(count, examples->count);
    assert_true(simulate_echo_prompt(template, "dogs", 1, tokens, 2, &prompt));
    assert_null(strstr(buffer_text(&prompt), examples->examples[0].explanation));
    assert_non_null(strstr(buffer_text(&prompt), examples->examples[1].explanation));
    char last[32];
    snprintf(last, sizeof last, "N%zu: dogs\n", count);
    assert_non_null(strstr(buffer_text(&prompt), last));
    assert_true(simulate_echo_prompt(template, "dogs", count, tokens, 2, &none));
    assert_string_equal(buffer_text(&none),
                        "SN1: dogs\n<start>\nbig\tunknown\n dog\tunknown\n<end>\n");
    assert_true(simulate_echo_prompt(template, "dogs", count + 7, tokens, 2, &more));
    assert_string_equal(buffer_text(&more), buffer_text(&none));
    buffer_free(&prompt);
    buffer_free(&none);
    buffer_free(&more);
    template_free(template);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_echo_prompt),
        cmocka_unit_test(test_examples_show_values_late),
        cmocka_unit_test(test_examples_are_dropped_from_the_first),
        cmocka_unit_test(test_token_prompts_are_starts_of_the_echo_prompt),
        cmocka_unit_test(test_a_prompt_past_the_maximum_is_refused),
        cmocka_unit_test(test_the_repeat_conversation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
