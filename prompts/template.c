/* template.c - loads templates: which keys each layout has, where files come from, identity. */
#include "prompts/template.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/buffer.h"
#include "core/base/config.h"
#include "core/base/embedded.h"
#include "core/base/json.h"
#include "core/base/memory.h"

enum { TEMPLATE_MAX_FILE = 1 << 20 };

struct template {
    int layout;
    char *texts[TEMPLATE_TEXT_COUNT]; /* never NULL */
    double few_shot_threshold;
    double repeat_below;
    few_shot_list_t examples;
};

static const char *const text_keys[TEMPLATE_TEXT_COUNT] = {
#define TEMPLATE_TEXT_KEY(name, key) [TEMPLATE_##name] = (key),
    TEMPLATE_TEXT_MAP(TEMPLATE_TEXT_KEY)
#undef TEMPLATE_TEXT_KEY
};

/* --- the keys --------------------------------------------------------------------------------- */

#define LAYOUT_BIT(layout) (1u << (layout))
enum {
    IN_ORIGINAL = LAYOUT_BIT(PROMPT_ORIGINAL),
    IN_LISTS =
        LAYOUT_BIT(PROMPT_SUMMARY) | LAYOUT_BIT(PROMPT_HIGHLIGHT_SUMMARY) | LAYOUT_BIT(PROMPT_AVHS),
    IN_EXCERPTS = IN_LISTS | LAYOUT_BIT(PROMPT_HIGHLIGHT),
    IN_THRESHOLDS = IN_EXCERPTS & ~LAYOUT_BIT(PROMPT_AVHS),
    IN_ECHO = LAYOUT_BIT(TEMPLATE_SIMULATE_ECHO),
    IN_SIMULATE = IN_ECHO | LAYOUT_BIT(TEMPLATE_SIMULATE_REPEAT),
    IN_ALL = IN_ORIGINAL | IN_EXCERPTS | IN_SIMULATE,
    IN_CHAT = IN_ALL & ~IN_ECHO,
};

#define ROLES "system|developer|user|assistant"

static const struct {
    unsigned layouts;
    config_row_t row;
} keys[] = {
    {IN_ALL,
     {"layout", CONFIG_CHOICE, "!", 0, 0, NULL, "the layout; the name of the file without .toml"}},
    {IN_ALL, {"system", CONFIG_STRING, "!", 0, 0, NULL, "instructions; \"\": none"}},
    {IN_CHAT,
     {"system_role", CONFIG_CHOICE, "\"system\"", 0, 0, ROLES, "role of the instructions"}},
    {IN_CHAT, {"user_role", CONFIG_CHOICE, "\"user\"", 0, 0, ROLES, "role of the questions"}},
    {IN_CHAT,
     {"assistant_role", CONFIG_CHOICE, "\"assistant\"", 0, 0, ROLES,
      "role of the few-shot answers"}},
    {IN_ALL,
     {"neuron_header", CONFIG_STRING, "!", 0, 0, NULL,
      "before a neuron's records; {n}, {explanation}"}},
    {IN_ALL, {"neuron_suffix", CONFIG_STRING, "\"\"", 0, 0, NULL, "after a neuron's records; {n}"}},
    {IN_SIMULATE,
     {"last_neuron_header", CONFIG_STRING, NULL, 0, 0, NULL,
      "the header of the neuron asked about"}},
    {IN_SIMULATE,
     {"last_neuron_suffix", CONFIG_STRING, NULL, 0, 0, NULL,
      "the suffix of the neuron asked about"}},
    {IN_EXCERPTS,
     {"excerpt_header", CONFIG_STRING, "!", 0, 0, NULL, "before an excerpt; {letter}"}},
    {IN_LISTS,
     {"tokens_header", CONFIG_STRING, "!", 0, 0, NULL,
      "before the highly activating tokens; {letter}"}},
    {IN_CHAT, {"assistant_prefix", CONFIG_STRING, "\"\"", 0, 0, NULL, "before a few-shot answer"}},
    {IN_CHAT, {"assistant_suffix", CONFIG_STRING, "\"\"", 0, 0, NULL, "after a few-shot answer"}},
    {IN_ORIGINAL,
     {"repeat_nonzero", CONFIG_BOOLEAN, "false", 0, 0, NULL,
      "repeat the tokens with a value over 0"}},
    {IN_ORIGINAL,
     {"repeat_header", CONFIG_STRING, "\"\"", 0, 0, NULL, "before the repetition; {n}"}},
    {IN_ORIGINAL,
     {"repeat_below", CONFIG_NUMBER, "0.2", 0, 1, NULL, "repeat if their share is below this"}},
    {IN_ALL,
     {"few_shot", CONFIG_STRING, "\"\"", 0, 0, NULL,
      "file of examples in the same directory; \"\": none"}},
    {IN_THRESHOLDS,
     {"few_shot_threshold", CONFIG_NUMBER, "1.0", 0, 0, NULL, "the examples' own threshold"}},
};

enum { KEY_COUNT = sizeof keys / sizeof keys[0] };

static bool has_key(int layout, const char *key) {
    for (size_t i = 0; i < KEY_COUNT; i++)
        if (strcmp(keys[i].row.key, key) == 0)
            return (keys[i].layouts & LAYOUT_BIT(layout)) != 0;
    return false;
}

/* The rows of one layout; the only choice for `layout` is the template's own name. */
static size_t select_rows(int layout, const char *name, config_row_t rows[KEY_COUNT]) {
    size_t count = 0;
    for (size_t i = 0; i < KEY_COUNT; i++) {
        if (!(keys[i].layouts & LAYOUT_BIT(layout)))
            continue;
        rows[count] = keys[i].row;
        if (strcmp(keys[i].row.key, "layout") == 0)
            rows[count].choices = name;
        count++;
    }
    return count;
}

static int find_layout(const char *name) {
    prompt_format_t format;
    if (prompt_format_from_name(name, &format))
        return (int)format;
    if (strcmp(name, "simulate_echo") == 0)
        return TEMPLATE_SIMULATE_ECHO;
    return strcmp(name, "simulate_repeat") == 0 ? TEMPLATE_SIMULATE_REPEAT : -1;
}

/* --- files ------------------------------------------------------------------------------------ */

/* Text of a file of the directory, or of the program. `label` is what errors call it; both buffers
 * are the caller's. */
static bool read_source(const char *directory, const char *file, size_t maximum, buffer_t *text,
                        buffer_t *label, error_info_t *error) {
    if (directory) {
        buffer_append_format(label, "%s/%s", directory, file);
        if (access(buffer_text(label), F_OK) == 0)
            return buffer_read_file(text, buffer_text(label), maximum, error);
        if (errno != ENOENT)
            return error_set(error, ERROR_CONFIG, "%s: cannot be reached: %s", buffer_text(label),
                             strerror(errno));
        buffer_clear(label);
    }
    buffer_append_format(label, "prompts/%s", file);
    embedded_file_t embedded;
    if (!embedded_find(buffer_text(label), &embedded))
        return error_set(error, ERROR_CONFIG,
                         "%s is neither in the directory of prompts%s%s nor a part of the program",
                         file, directory ? " " : "", directory ? directory : "");
    return buffer_append(text, embedded.data, embedded.size);
}

static bool load_examples(const char *directory, const char *file, few_shot_list_t *list,
                          error_info_t *error) {
    buffer_t text = BUFFER_EMPTY, label = BUFFER_EMPTY;
    bool done = read_source(directory, file, FEW_SHOT_MAX_FILE, &text, &label, error) &&
                few_shot_parse(buffer_text(&text), text.length, buffer_text(&label), list, error);
    buffer_free(&text);
    buffer_free(&label);
    return done;
}

/* --- a template ------------------------------------------------------------------------------- */

static void take_texts(const config_t *config, template_t *template) {
    for (int i = 0; i < TEMPLATE_TEXT_COUNT; i++) {
        const char *text =
            has_key(template->layout, text_keys[i]) ? config_string(config, text_keys[i]) : "";
        if (!text && i == TEMPLATE_LAST_NEURON_HEADER)
            text = config_string(config, text_keys[TEMPLATE_NEURON_HEADER]);
        if (!text && i == TEMPLATE_LAST_NEURON_SUFFIX)
            text = config_string(config, text_keys[TEMPLATE_NEURON_SUFFIX]);
        template->texts[i] = memory_copy_string(text ? text : "");
    }
}

/* A simulator that is not told the explanation would be paid for nothing. */
static bool check_explanation(const config_t *config, const template_t *template,
                              template_text_t text, error_info_t *error) {
    if (!(IN_SIMULATE & LAYOUT_BIT(template->layout)) ||
        strstr(template->texts[text], "{explanation}"))
        return true;
    return config_refuse(config, text_keys[text], error,
                         "needs {explanation} where the explanation goes");
}

static bool fill_template(const config_t *config, const char *directory, template_t *template,
                          error_info_t *error) {
    take_texts(config, template);
    if (has_key(template->layout, "repeat_nonzero") && config_boolean(config, "repeat_nonzero"))
        template->repeat_below = config_number(config, "repeat_below");
    template->few_shot_threshold = has_key(template->layout, "few_shot_threshold")
                                       ? config_number(config, "few_shot_threshold")
                                       : 0;
    if (!check_explanation(config, template, TEMPLATE_NEURON_HEADER, error) ||
        !check_explanation(config, template, TEMPLATE_LAST_NEURON_HEADER, error))
        return false;
    const char *file = config_string(config, "few_shot");
    if (strchr(file, '/') || file[0] == '.')
        return config_refuse(config, "few_shot", error,
                             "names a file of the same directory; give no path");
    return file[0] == '\0' || load_examples(directory, file, &template->examples, error);
}

template_t *template_parse(const char *directory, const char *name, const char *file,
                           const char *text, size_t length, error_info_t *error) {
    int layout = find_layout(name);
    if (layout < 0) {
        error_set(error, ERROR_USAGE,
                  "no prompt is called %s; there are original, summary, highlight, "
                  "highlight_summary, avhs, simulate_echo and simulate_repeat",
                  name);
        return NULL;
    }
    config_row_t rows[KEY_COUNT];
    size_t count = select_rows(layout, name, rows);
    config_t *config = config_load(text, length, file, NULL, 0, rows, count, error);
    if (!config)
        return NULL;
    template_t *template = MEMORY_NEW(template_t);
    template->layout = layout;
    bool done = fill_template(config, directory, template, error);
    config_free(config);
    if (!done) {
        template_free(template);
        return NULL;
    }
    return template;
}

template_t *template_load(const char *directory, const char *name, error_info_t *error) {
    if (directory && access(directory, R_OK | X_OK) != 0) {
        error_set(error, ERROR_CONFIG, "the directory of prompts %s cannot be read: %s", directory,
                  strerror(errno));
        return NULL;
    }
    if (find_layout(name) < 0)
        return template_parse(directory, name, name, "", 0, error);
    buffer_t file = BUFFER_EMPTY, text = BUFFER_EMPTY, label = BUFFER_EMPTY;
    buffer_append_format(&file, "%s.toml", name);
    template_t *template = NULL;
    if (read_source(directory, buffer_text(&file), TEMPLATE_MAX_FILE, &text, &label, error))
        template = template_parse(directory, name, buffer_text(&label), buffer_text(&text),
                                  text.length, error);
    buffer_free(&file);
    buffer_free(&text);
    buffer_free(&label);
    return template;
}

void template_free(template_t *template) {
    if (!template)
        return;
    for (int i = 0; i < TEMPLATE_TEXT_COUNT; i++)
        free(template->texts[i]);
    few_shot_list_free(&template->examples);
    free(template);
}

hash_t template_hash(const template_t *template) {
    hash_builder_t *builder = hash_builder_create("template");
    hash_builder_add_integer(builder, template->layout);
    for (int i = 0; i < TEMPLATE_TEXT_COUNT; i++) {
        hash_builder_add_text(builder, text_keys[i]);
        hash_builder_add_text(builder, template->texts[i]);
    }
    hash_builder_add_number(builder, template->few_shot_threshold);
    hash_builder_add_number(builder, template->repeat_below);
    few_shot_hash(&template->examples, builder);
    return hash_builder_finish(builder);
}

void template_write(const template_t *template, buffer_t *out) {
    buffer_append_format(out, "{\"layout\":%d", template->layout);
    for (int i = 0; i < TEMPLATE_TEXT_COUNT; i++) {
        buffer_append_format(out, ",\n\"%s\":", text_keys[i]);
        json_write_text(out, template->texts[i]);
    }
    buffer_append_text(out, ",\n\"few_shot_threshold\":");
    json_write_number(out, template->few_shot_threshold);
    buffer_append_text(out, ",\n\"repeat_below\":");
    json_write_number(out, template->repeat_below);
    buffer_append_text(out, ",\n\"few_shot\":");
    few_shot_write(&template->examples, out);
    buffer_append_text(out, "}\n");
}

int template_layout(const template_t *template) {
    return template->layout;
}

const char *template_text(const template_t *template, template_text_t text) {
    return template->texts[text];
}

const few_shot_list_t *template_examples(const template_t *template) {
    return &template->examples;
}

double template_few_shot_threshold(const template_t *template) {
    return template->few_shot_threshold;
}

double template_repeat_below(const template_t *template) {
    return template->repeat_below;
}
