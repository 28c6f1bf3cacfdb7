/* ask.c - reads request bodies. */
#include "tools/standin/ask.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/json.h"
#include "core/base/memory.h"

enum {
    CHAT_MAXIMUM = 4096,     /* output tokens when the body names none */
    COMPLETION_MAXIMUM = 16, /* as OpenAI's default */
    TOP_MAXIMUM = 20,
    INPUT_MAXIMUM = 2048,
    DIMENSIONS = 256,
    DIMENSIONS_MAXIMUM = 4096,
};

bool standin_refuse(standin_refusal_t *refusal, int status, const char *type, const char *param,
                    const char *code, const char *format, ...) {
    *refusal = (standin_refusal_t){.status = status, .type = type, .param = param, .code = code};
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(refusal->message, sizeof refusal->message, format, arguments);
    va_end(arguments);
    return false;
}

void standin_refusal_write(const standin_refusal_t *refusal, buffer_t *out) {
    buffer_append_text(out, "{\"error\":{\"message\":");
    json_write_text(out, refusal->message);
    buffer_append_text(out, ",\"type\":");
    json_write_text(out, refusal->type);
    buffer_append_text(out, ",\"param\":");
    json_write_text(out, refusal->param);
    buffer_append_text(out, ",\"code\":");
    json_write_text(out, refusal->code);
    buffer_append_text(out, "}}\n");
}

static bool invalid(standin_refusal_t *refusal, const char *param, const char *what) {
    return standin_refuse(refusal, 400, "invalid_request_error", param, NULL,
                          "Invalid value for '%s': %s.", param, what);
}

/* Reads an optional number in a range; absent and null leave *number alone. */
static bool read_number(const json_value_t *root, const char *name, double low, double high,
                        double *number, standin_refusal_t *refusal) {
    const json_value_t *value = json_get(root, name);
    if (json_is(value, JSON_KIND_NULL))
        return true;
    double read;
    char what[80];
    if (!json_as_number(value, &read) || !(read >= low && read <= high)) {
        snprintf(what, sizeof what, "it must be a number from %g to %g", low, high);
        return invalid(refusal, name, what);
    }
    *number = read;
    return true;
}

static bool read_count(const json_value_t *root, const char *name, int64_t low, int64_t high,
                       int64_t *count, standin_refusal_t *refusal) {
    double number = (double)*count;
    if (!read_number(root, name, (double)low, (double)high, &number, refusal))
        return false;
    if (number != floor(number))
        return invalid(refusal, name, "it must be an integer");
    *count = (int64_t)number;
    return true;
}

static bool read_flag(const json_value_t *root, const char *name, bool *flag,
                      standin_refusal_t *refusal) {
    const json_value_t *value = json_get(root, name);
    return json_is(value, JSON_KIND_NULL) || json_as_boolean(value, flag) ||
           invalid(refusal, name, "it must be a boolean");
}

/* The content of a message: a string, or parts of type "text". */
static bool read_content(const json_value_t *content, buffer_t *text) {
    size_t length;
    const char *whole = json_as_string(content, &length);
    if (whole)
        return buffer_append(text, whole, length);
    for (size_t i = 0; i < json_count(content); i++) {
        const char *part = json_as_string(json_get(json_at(content, i), "text"), &length);
        if (!part)
            return false;
        buffer_append(text, part, length);
    }
    return json_is(content, JSON_KIND_ARRAY);
}

static bool is_role(const char *role) {
    static const char *const roles[] = {"system", "developer", "user", "assistant"};
    for (size_t i = 0; role && i < sizeof roles / sizeof roles[0]; i++)
        if (strcmp(role, roles[i]) == 0)
            return true;
    return false;
}

static bool read_messages(const json_value_t *root, standin_ask_t *ask,
                          standin_refusal_t *refusal) {
    const json_value_t *messages = json_get(root, "messages");
    if (!json_is(messages, JSON_KIND_ARRAY) || json_count(messages) == 0)
        return invalid(refusal, "messages", "it must be an array with at least one message");
    for (size_t i = 0; i < json_count(messages); i++) {
        const json_value_t *message = json_at(messages, i);
        const char *role = json_as_string(json_get(message, "role"), NULL);
        buffer_t text = BUFFER_EMPTY;
        bool readable = read_content(json_get(message, "content"), &text);
        if (readable && is_role(role))
            message_list_add(&ask->messages, role, buffer_text(&text), text.length);
        buffer_free(&text);
        if (!is_role(role))
            return invalid(refusal, "messages",
                           "a role must be system, developer, user or assistant");
        if (!readable)
            return invalid(refusal, "messages",
                           "a content must be a string or an array of text parts");
    }
    return true;
}

static bool read_chat(const json_value_t *root, standin_ask_t *ask, standin_refusal_t *refusal) {
    int64_t top = 0;
    ask->maximum = CHAT_MAXIMUM;
    if (!read_messages(root, ask, refusal) ||
        !read_count(root, "max_tokens", 1, 1 << 20, &ask->maximum, refusal) ||
        !read_count(root, "max_completion_tokens", 1, 1 << 20, &ask->maximum, refusal) ||
        !read_flag(root, "logprobs", &ask->logprobs, refusal) ||
        !read_count(root, "top_logprobs", 0, TOP_MAXIMUM, &top, refusal))
        return false;
    if (top > 0 && !ask->logprobs)
        return invalid(refusal, "top_logprobs", "it is allowed only when 'logprobs' is true");
    ask->top_logprobs = (size_t)top;
    return true;
}

static bool read_completion(const json_value_t *root, standin_ask_t *ask,
                            standin_refusal_t *refusal) {
    const json_value_t *prompt = json_get(root, "prompt");
    if (json_is(prompt, JSON_KIND_ARRAY) && json_count(prompt) == 1)
        prompt = json_at(prompt, 0);
    size_t length;
    const char *text = json_as_string(prompt, &length);
    if (!text)
        return invalid(refusal, "prompt", "the stand-in takes one string");
    message_list_add(&ask->messages, "user", text, length);
    int64_t top = 0;
    ask->maximum = COMPLETION_MAXIMUM;
    if (!read_count(root, "max_tokens", 0, 1 << 20, &ask->maximum, refusal) ||
        !read_count(root, "logprobs", 0, TOP_MAXIMUM, &top, refusal) ||
        !read_flag(root, "echo", &ask->echo, refusal))
        return false;
    ask->logprobs = !json_is(json_get(root, "logprobs"), JSON_KIND_NULL);
    ask->top_logprobs = (size_t)top;
    return true;
}

static bool read_input(const json_value_t *input, standin_ask_t *ask, standin_refusal_t *refusal) {
    size_t length;
    const char *text = json_as_string(input, &length);
    if (!text)
        return invalid(refusal, "input", "the stand-in takes a string or an array of strings");
    if (length == 0)
        return invalid(refusal, "input", "an input must not be empty");
    message_list_add(&ask->inputs, "input", text, length);
    return true;
}

static bool read_embedding(const json_value_t *root, standin_ask_t *ask,
                           standin_refusal_t *refusal) {
    const json_value_t *input = json_get(root, "input");
    if (!json_is(input, JSON_KIND_ARRAY)) {
        if (!read_input(input, ask, refusal))
            return false;
    } else if (json_count(input) == 0 || json_count(input) > INPUT_MAXIMUM) {
        return invalid(refusal, "input", "the array must have 1 to 2048 items");
    }
    for (size_t i = 0; json_is(input, JSON_KIND_ARRAY) && i < json_count(input); i++)
        if (!read_input(json_at(input, i), ask, refusal))
            return false;
    int64_t dimensions = DIMENSIONS;
    if (!read_count(root, "dimensions", 1, DIMENSIONS_MAXIMUM, &dimensions, refusal))
        return false;
    ask->dimensions = (size_t)dimensions;
    const json_value_t *encoding = json_get(root, "encoding_format");
    const char *format =
        json_is(encoding, JSON_KIND_NULL) ? "float" : json_as_string(encoding, NULL);
    if (!format || (strcmp(format, "float") != 0 && strcmp(format, "base64") != 0))
        return invalid(refusal, "encoding_format", "it must be \"float\" or \"base64\"");
    ask->base64 = strcmp(format, "base64") == 0;
    return true;
}

/* What all kinds have in common. */
static bool read_common(const json_value_t *root, standin_ask_t *ask, standin_refusal_t *refusal) {
    const char *model = json_as_string(json_get(root, "model"), NULL);
    if (!model || model[0] == '\0')
        return standin_refuse(refusal, 400, "invalid_request_error", NULL, NULL,
                              "you must provide a model parameter");
    ask->model = memory_copy_string(model);
    int64_t choices = 1;
    bool stream = false;
    double top_p = 1;
    ask->temperature = 1;
    if (!read_number(root, "temperature", 0, 2, &ask->temperature, refusal) ||
        !read_number(root, "top_p", 0, 1, &top_p, refusal) ||
        !read_flag(root, "stream", &stream, refusal))
        return false;
    if (!read_count(root, "n", 1, 1, &choices, refusal))
        return invalid(refusal, "n", "the stand-in gives one choice a request");
    return !stream || invalid(refusal, "stream", "the stand-in does not stream");
}

bool standin_ask_read(standin_ask_kind_t kind, const char *body, size_t length, standin_ask_t *ask,
                      standin_refusal_t *refusal) {
    *ask = (standin_ask_t){.kind = kind, .hash = hash_bytes(body, length)};
    error_info_t error;
    json_value_t *root = json_parse(body, length, "body", JSON_PLAIN, &error);
    if (!json_is(root, JSON_KIND_OBJECT)) {
        standin_refuse(refusal, 400, "invalid_request_error", NULL, NULL,
                       "We could not parse the JSON body of your request. (%s)",
                       root ? "It is not an object" : error.message);
        json_free(root);
        return false;
    }
    bool good = read_common(root, ask, refusal);
    if (good && kind == ASK_CHAT)
        good = read_chat(root, ask, refusal);
    else if (good && kind == ASK_COMPLETION)
        good = read_completion(root, ask, refusal);
    else if (good)
        good = read_embedding(root, ask, refusal);
    json_free(root);
    return good;
}

void standin_ask_clear(standin_ask_t *ask) {
    free(ask->model);
    message_list_clear(&ask->messages);
    message_list_clear(&ask->inputs);
    *ask = (standin_ask_t){0};
}

int64_t standin_ask_charge(const standin_ask_t *ask) {
    size_t bytes = message_list_bytes(&ask->messages) + message_list_bytes(&ask->inputs);
    int64_t charge = (int64_t)(bytes / 4) + ask->maximum;
    return charge > 0 ? charge : 1;
}
