/* simulate_prompt.c - builds what a simulator is asked. (Its answers: simulate_parse.c.) */
#include <stdlib.h>

#include "core/base/memory.h"
#include "prompts/layout.h"
#include "prompts/simulate.h"

static void expect_layout(const template_t *template, int layout) {
    if (template_layout(template) != layout)
        abort(); /* a bug of the caller */
}

/* The values of an example's record, "unknown" before `first_revealed`. The caller frees. */
static int *reveal_values(const activation_record_t *record, float maximum, size_t first_revealed) {
    int *values = MEMORY_NEW_ARRAY(record->count, int);
    for (size_t i = 0; i < record->count; i++)
        values[i] = i < first_revealed ? LAYOUT_UNKNOWN
                                       : layout_discretize(record->activations[i], maximum);
    return values;
}

typedef enum { SHOW_VALUES, SHOW_LATE_VALUES, SHOW_NO_VALUES } show_t;

static void append_example(const few_shot_example_t *example, show_t show, layout_tokens_t form,
                           buffer_t *out) {
    float maximum = neuron_max_activation(&example->view);
    for (size_t i = 0; i < example->records.count; i++) {
        const activation_record_t *record = &example->records.records[i];
        size_t first_revealed = show == SHOW_LATE_VALUES ? example->first_revealed[i] : 0;
        int *values =
            show == SHOW_NO_VALUES ? NULL : reveal_values(record, maximum, first_revealed);
        layout_append_record(out, record->tokens, record->count, values, form);
        free(values);
    }
}

size_t simulate_example_count(const template_t *template) {
    return template_examples(template)->count;
}

static size_t kept_from(const template_t *template, size_t dropped) {
    size_t count = simulate_example_count(template);
    return dropped < count ? dropped : count;
}

/* --- echo and per_token ----------------------------------------------------------------------- */

/* Everything before the last neuron's block. */
static void append_echo_start(const template_t *template, const char *explanation, size_t dropped,
                              buffer_t *out) {
    const few_shot_list_t *examples = template_examples(template);
    layout_fill_t fill = {.neuron = 1};
    expect_layout(template, TEMPLATE_SIMULATE_ECHO);
    buffer_append_text(out, template_text(template, TEMPLATE_SYSTEM));
    for (size_t i = kept_from(template, dropped); i < examples->count; i++, fill.neuron++) {
        fill.explanation = examples->examples[i].explanation;
        layout_append_filled(out, template_text(template, TEMPLATE_NEURON_HEADER), &fill);
        append_example(&examples->examples[i], SHOW_LATE_VALUES, LAYOUT_RAW, out);
        layout_append_filled(out, template_text(template, TEMPLATE_NEURON_SUFFIX), &fill);
    }
    fill.explanation = explanation;
    layout_append_filled(out, template_text(template, TEMPLATE_LAST_NEURON_HEADER), &fill);
}

bool simulate_echo_prompt(const template_t *template, const char *explanation, size_t dropped,
                          const token_t *tokens, size_t count, buffer_t *prompt) {
    size_t kept = simulate_example_count(template) - kept_from(template, dropped);
    layout_fill_t fill = {.neuron = kept + 1, .explanation = explanation};
    buffer_t text = BUFFER_EMPTY;
    append_echo_start(template, explanation, dropped, &text);
    layout_append_record(&text, tokens, count, NULL, LAYOUT_RAW);
    layout_append_filled(&text, template_text(template, TEMPLATE_LAST_NEURON_SUFFIX), &fill);
    return layout_deliver(&text, prompt);
}

bool simulate_token_prompt(const template_t *template, const char *explanation, size_t dropped,
                           const token_t *tokens, size_t index, buffer_t *prompt) {
    buffer_t text = BUFFER_EMPTY;
    append_echo_start(template, explanation, dropped, &text);
    buffer_append_text(&text, "<start>\n");
    for (size_t i = 0; i < index; i++) {
        layout_append_token(&text, &tokens[i], LAYOUT_RAW);
        buffer_append_text(&text, "\tunknown\n");
    }
    layout_append_token(&text, &tokens[index], LAYOUT_RAW);
    buffer_append_char(&text, '\t');
    return layout_deliver(&text, prompt);
}

/* --- repeat ----------------------------------------------------------------------------------- */

static void add_example(const template_t *template, const few_shot_example_t *example,
                        layout_fill_t *fill, message_list_t *out) {
    buffer_t text = BUFFER_EMPTY;
    fill->explanation = example->explanation;
    layout_append_filled(&text, template_text(template, TEMPLATE_NEURON_HEADER), fill);
    append_example(example, SHOW_NO_VALUES, LAYOUT_VISIBLE, &text);
    layout_append_filled(&text, template_text(template, TEMPLATE_NEURON_SUFFIX), fill);
    layout_deliver_message(&text, template_text(template, TEMPLATE_USER_ROLE), out);
    layout_append_filled(&text, template_text(template, TEMPLATE_ASSISTANT_PREFIX), fill);
    append_example(example, SHOW_VALUES, LAYOUT_VISIBLE, &text);
    layout_append_filled(&text, template_text(template, TEMPLATE_ASSISTANT_SUFFIX), fill);
    layout_deliver_message(&text, template_text(template, TEMPLATE_ASSISTANT_ROLE), out);
}

void simulate_repeat_messages(const template_t *template, const char *explanation, size_t dropped,
                              const token_t *tokens, size_t count, message_list_t *out) {
    const few_shot_list_t *examples = template_examples(template);
    layout_fill_t fill = {.neuron = 1};
    buffer_t text = BUFFER_EMPTY;
    expect_layout(template, TEMPLATE_SIMULATE_REPEAT);
    buffer_append_text(&text, template_text(template, TEMPLATE_SYSTEM));
    if (text.length > 0)
        layout_deliver_message(&text, template_text(template, TEMPLATE_SYSTEM_ROLE), out);
    for (size_t i = kept_from(template, dropped); i < examples->count; i++, fill.neuron++)
        add_example(template, &examples->examples[i], &fill, out);
    fill.explanation = explanation;
    layout_append_filled(&text, template_text(template, TEMPLATE_LAST_NEURON_HEADER), &fill);
    layout_append_record(&text, tokens, count, NULL, LAYOUT_VISIBLE);
    layout_append_filled(&text, template_text(template, TEMPLATE_LAST_NEURON_SUFFIX), &fill);
    layout_deliver_message(&text, template_text(template, TEMPLATE_USER_ROLE), out);
}
