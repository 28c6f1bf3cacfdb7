/* fuzz_template.c - template files and few-shot files. The first byte of the input says which. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "prompts/explain.h"
#include "prompts/simulate.h"

static const char *const NAMES[] = {"original",          "summary", "highlight",
                                    "highlight_summary", "avhs",    "simulate_echo",
                                    "simulate_repeat"};
enum { NAME_COUNT = sizeof NAMES / sizeof NAMES[0] };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static token_t tokens[] = {{(char[]){"a"}, 1}, {(char[]){" b"}, 2}};
static float activations[] = {0, 2};
static const activation_record_t RECORD = {2, tokens, activations};

/* A template that loads must also be usable. */
static void use(const template_t *template) {
    const activation_record_t *list[] = {&RECORD};
    split_list_t records = {1, list};
    message_list_t messages = {0};
    buffer_t prompt = {.maximum = 1 << 20};
    switch (template_layout(template)) {
    case TEMPLATE_SIMULATE_ECHO:
        simulate_echo_prompt(template, "letters", 0, tokens, 2, &prompt);
        break;
    case TEMPLATE_SIMULATE_REPEAT:
        simulate_repeat_messages(template, "letters", 0, tokens, 2, &messages);
        break;
    default: explain_messages(template, &records, 1, 0, &messages);
    }
    (void)template_hash(template);
    message_list_clear(&messages);
    buffer_free(&prompt);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size == 0)
        return 0;
    const char *text = (const char *)data + 1;
    error_info_t error = {0};
    if (data[0] < NAME_COUNT) {
        template_t *template =
            template_parse(NULL, NAMES[data[0]], "fuzz.toml", text, size - 1, &error);
        if (template)
            use(template);
        else if (error.class_ != ERROR_CONFIG)
            abort();
        template_free(template);
        return 0;
    }
    few_shot_list_t list;
    if (!few_shot_parse(text, size - 1, "fuzz.json", &list, &error) && error.class_ != ERROR_CONFIG)
        abort();
    few_shot_list_free(&list);
    return 0;
}
