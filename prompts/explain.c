/* explain.c - builds the messages for an explainer and reads its answer. */
#include "prompts/explain.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/memory.h"
#include "prompts/layout.h"

/* --- original --------------------------------------------------------------------------------- */

static void append_lines(const split_list_t *records, bool nonzero_only, buffer_t *out) {
    float maximum = neuron_max_activation(records);
    buffer_append_char(out, '\n');
    for (size_t i = 0; i < records->count; i++) {
        const activation_record_t *record = records->records[i];
        int *values = MEMORY_NEW_ARRAY(record->count, int);
        for (size_t j = 0; j < record->count; j++) {
            values[j] = layout_discretize(record->activations[j], maximum);
            values[j] = nonzero_only && values[j] == 0 ? LAYOUT_OMITTED : values[j];
        }
        layout_append_record(out, record->tokens, record->count, values, LAYOUT_RAW);
        free(values);
    }
}

/* Share of tokens whose value is over 0; 1 if there are no tokens. */
static double nonzero_share(const split_list_t *records) {
    float maximum = neuron_max_activation(records);
    size_t nonzero = 0, total = 0;
    for (size_t i = 0; i < records->count; i++) {
        const activation_record_t *record = records->records[i];
        for (size_t j = 0; j < record->count; j++)
            nonzero += layout_discretize(record->activations[j], maximum) > 0;
        total += record->count;
    }
    return total == 0 ? 1 : (double)nonzero / (double)total;
}

/* --- excerpts --------------------------------------------------------------------------------- */

typedef struct {
    const template_t *template;
    bool brackets, list, values;
    double threshold;
    float maximum;
    layout_fill_t fill;
} excerpt_style_t;

static bool is_marked(const excerpt_style_t *style, float activation) {
    return style->values ? layout_discretize(activation, style->maximum) > 0
                         : activation > (float)style->threshold;
}

static void append_text(const excerpt_style_t *style, const activation_record_t *record,
                        buffer_t *out) {
    for (size_t i = 0; i < record->count; i++) {
        bool bracket = style->brackets && is_marked(style, record->activations[i]);
        buffer_append_text(out, bracket ? "[" : "");
        buffer_append(out, record->tokens[i].bytes, record->tokens[i].length);
        buffer_append_text(out, bracket ? "]" : "");
    }
}

static void append_list(const excerpt_style_t *style, const activation_record_t *record,
                        buffer_t *out) {
    const char *separator = "";
    for (size_t i = 0; i < record->count; i++) {
        if (!is_marked(style, record->activations[i]))
            continue;
        buffer_append_text(out, separator);
        buffer_append(out, record->tokens[i].bytes, record->tokens[i].length);
        if (style->values)
            buffer_append_format(out, "\t%d",
                                 layout_discretize(record->activations[i], style->maximum));
        separator = ",";
    }
}

static void append_excerpts(excerpt_style_t *style, const split_list_t *records, buffer_t *out) {
    buffer_append_char(out, '\n');
    for (size_t i = 0; i < records->count; i++) {
        style->fill.excerpt = i;
        layout_append_filled(out, template_text(style->template, TEMPLATE_EXCERPT_HEADER),
                             &style->fill);
        buffer_append_text(out, "<start>");
        append_text(style, records->records[i], out);
        buffer_append_text(out, "<end> \n");
        if (style->list) {
            layout_append_filled(out, template_text(style->template, TEMPLATE_TOKENS_HEADER),
                                 &style->fill);
            append_list(style, records->records[i], out);
            buffer_append_char(out, '\n');
        }
    }
}

/* --- prompts ---------------------------------------------------------------------------------- */

static void append_body(const template_t *template, const split_list_t *records, double threshold,
                        size_t neuron, buffer_t *out) {
    int layout = template_layout(template);
    excerpt_style_t style = {
        .template = template,
        .brackets = layout != PROMPT_SUMMARY,
        .list = layout != PROMPT_HIGHLIGHT,
        .values = layout == PROMPT_AVHS,
        .threshold = threshold,
        .maximum = neuron_max_activation(records),
        .fill = {.neuron = neuron},
    };
    if (layout >= PROMPT_FORMAT_COUNT)
        abort(); /* a simulation's template: a bug of the caller */
    if (layout == PROMPT_ORIGINAL)
        append_lines(records, false, out);
    else
        append_excerpts(&style, records, out);
}

static void append_question(const template_t *template, const split_list_t *records,
                            double threshold, size_t neuron, buffer_t *out) {
    layout_fill_t fill = {.neuron = neuron};
    layout_append_filled(out, template_text(template, TEMPLATE_NEURON_HEADER), &fill);
    append_body(template, records, threshold, neuron, out);
    if (template_repeat_below(template) > 0 &&
        nonzero_share(records) < template_repeat_below(template)) {
        layout_append_filled(out, template_text(template, TEMPLATE_REPEAT_HEADER), &fill);
        append_lines(records, true, out);
    }
    layout_append_filled(out, template_text(template, TEMPLATE_NEURON_SUFFIX), &fill);
}

bool explain_body(const template_t *template, const split_list_t *records, double threshold,
                  buffer_t *body) {
    buffer_t text = BUFFER_EMPTY;
    append_body(template, records, threshold, 1, &text);
    return layout_deliver(&text, body);
}

void explain_messages(const template_t *template, const split_list_t *records, double threshold,
                      size_t dropped, message_list_t *out) {
    const few_shot_list_t *examples = template_examples(template);
    const char *user = template_text(template, TEMPLATE_USER_ROLE);
    buffer_t text = BUFFER_EMPTY;
    layout_fill_t fill = {.neuron = 1};
    buffer_append_text(&text, template_text(template, TEMPLATE_SYSTEM));
    if (text.length > 0)
        layout_deliver_message(&text, template_text(template, TEMPLATE_SYSTEM_ROLE), out);
    for (size_t i = dropped; i < examples->count; i++, fill.neuron++) {
        const few_shot_example_t *example = &examples->examples[i];
        append_question(template, &example->view, template_few_shot_threshold(template),
                        fill.neuron, &text);
        layout_deliver_message(&text, user, out);
        layout_append_filled(&text, template_text(template, TEMPLATE_ASSISTANT_PREFIX), &fill);
        buffer_append_text(&text, example->explanation);
        layout_append_filled(&text, template_text(template, TEMPLATE_ASSISTANT_SUFFIX), &fill);
        layout_deliver_message(&text, template_text(template, TEMPLATE_ASSISTANT_ROLE), out);
    }
    append_question(template, records, threshold, fill.neuron, &text);
    layout_deliver_message(&text, user, out);
}

size_t explain_example_count(const template_t *template) {
    return template_examples(template)->count;
}

/* --- the answer ------------------------------------------------------------------------------- */

bool explain_parse(const llm_answer_t *answer, char **text, error_info_t *error) {
    static const char SPACE[] = " \t\n\v\f\r";
    *text = NULL;
    if (answer->refusal)
        return error_set(error, ERROR_FATAL, "the explainer refused: %s", answer->refusal);
    if (strlen(answer->text) != answer->text_length)
        return error_set(error, ERROR_FATAL, "the explanation holds a NUL byte");
    const char *from = answer->text + strspn(answer->text, SPACE);
    size_t length = strlen(from);
    while (length > 0 && strchr(SPACE, from[length - 1]))
        length--;
    if (length == 0)
        return error_set(error, ERROR_FATAL, "the explanation is empty (finish_reason %s)",
                         answer->finish_reason ? answer->finish_reason : "not given");
    *text = memory_copy(from, length);
    return true;
}
