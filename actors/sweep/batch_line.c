/* batch_line.c - what a line of a Batch-API file asks. (What is written about it:
 * batch_output.c.) */
#include "actors/sweep/batch_line.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/json.h"
#include "core/base/json_text.h"
#include "core/base/memory.h"

enum { IDENTITY_VERSION = 1 };
static const int64_t OUTPUT_MOST = INT64_C(1) << 30; /* tokens a request: no amount overflows */

/* A line while it is read. */
typedef struct {
    const settings_t *settings;
    batch_line_t *line;
    const json_value_t *body;
    json_span_t span; /* of the body */
    bool has_maximum;
    int64_t maximum; /* of one answer */
    int64_t answers; /* a completion has one for each of its prompts */
} reading_t;

void batch_line_free(batch_line_t *line) {
    if (!line)
        return;
    free(line->custom_id);
    free(line->trouble);
    buffer_free(&line->body);
    buffer_free(&line->answer);
    free(line);
}

hash_t batch_line_raw(const char *text, size_t length, uint64_t size) {
    if (size == length)
        return hash_bytes(text, length);
    hash_builder_t *builder = hash_builder_create("cut line");
    hash_builder_add_hash(builder, hash_bytes(text, length));
    hash_builder_add_integer(builder, (int64_t)size);
    return hash_builder_finish(builder);
}

hash_t batch_settings_hash(const settings_t *settings) {
    hash_builder_t *builder = hash_builder_create("batch settings");
    hash_builder_add_integer(builder, IDENTITY_VERSION);
    for (size_t i = 0; i < settings->model_count; i++) {
        hash_builder_add_text(builder, settings->models[i].name);
        hash_builder_add_text(builder, settings->models[i].lineage);
        hash_builder_add_integer(builder, settings->models[i].max_output_tokens);
    }
    return hash_builder_finish(builder);
}

static bool trouble(reading_t *reading, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static bool trouble(reading_t *reading, const char *format, ...) {
    char message[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    reading->line->trouble = memory_copy_string(message);
    return false;
}

/* --- checks ----------------------------------------------------------------------------------- */

static bool check_url(reading_t *reading, const char *method, const char *url) {
    if (!method || strcmp(method, "POST") != 0)
        return trouble(reading, "method has to be \"POST\"");
    if (!url)
        return trouble(reading, "url is missing; e.g. \"/v1/chat/completions\"");
    for (int kind = LLM_CHAT; kind <= LLM_EMBEDDING; kind++)
        if (strncmp(url, "/v1", 3) == 0 &&
            strcmp(url + 3, llm_request_path((llm_kind_t)kind)) == 0) {
            reading->line->kind = (llm_kind_t)kind;
            return true;
        }
    return trouble(
        reading, "url \"%.100s\" is none of /v1/chat/completions, /v1/completions, /v1/embeddings",
        url);
}

static bool check_model(reading_t *reading) {
    const settings_t *settings = reading->settings;
    const char *name = json_as_string(json_get(reading->body, "model"), NULL);
    if (!name)
        return trouble(reading, "body.model is missing or no string");
    for (size_t i = 0; i < settings->model_count; i++)
        if (strcmp(settings->models[i].name, name) == 0) {
            reading->line->model = i;
            return true;
        }
    return trouble(
        reading,
        "model \"%.100s\" is not known; name it with --model, or as a [models.*] of the config",
        name);
}

static bool check_one(reading_t *reading, const char *key, const char *advice) {
    const json_value_t *value = json_get(reading->body, key);
    int64_t number;
    if (!value || json_is(value, JSON_KIND_NULL) ||
        (json_as_integer(value, &number) && number == 1))
        return true;
    return trouble(reading, "body.%s has to be 1: %s", key, advice);
}

/* What would cost more than the bytes of the body say. */
static bool check_bounded(reading_t *reading) {
    static const char *const unbounded[] = {"prediction", "web_search_options"};
    bool stream;
    if (json_as_boolean(json_get(reading->body, "stream"), &stream) && stream)
        return trouble(reading, "body.stream: a batch takes whole answers; leave it out");
    for (size_t i = 0; i < sizeof unbounded / sizeof unbounded[0]; i++)
        if (!json_is(json_get(reading->body, unbounded[i]), JSON_KIND_NULL))
            return trouble(reading,
                           "body.%s: its worst-case cost cannot be known beforehand; leave it out",
                           unbounded[i]);
    return check_one(reading, "n", "repeat the line for more samples") &&
           check_one(reading, "best_of", "its candidates are billed and not seen");
}

static bool check_parts(reading_t *reading) {
    const json_value_t *messages = json_get(reading->body, "messages");
    for (size_t i = 0; i < json_count(messages); i++) {
        const json_value_t *content = json_get(json_at(messages, i), "content");
        size_t parts = json_is(content, JSON_KIND_ARRAY) ? json_count(content) : 0;
        for (size_t j = 0; j < parts; j++) {
            const char *type = json_as_string(json_get(json_at(content, j), "type"), NULL);
            if (!type || (strcmp(type, "text") != 0 && strcmp(type, "refusal") != 0))
                return trouble(reading,
                               "body.messages.%zu.content.%zu is of type \"%.60s\": only the cost "
                               "of text can be known beforehand",
                               i, j, type ? type : "");
        }
    }
    return true;
}

static bool read_maximum(reading_t *reading, const char *key) {
    const json_value_t *value = json_get(reading->body, key);
    int64_t maximum;
    if (!value)
        return true;
    if (!json_as_integer(value, &maximum) || maximum < 1 || maximum > OUTPUT_MOST)
        return trouble(reading, "body.%s has to be a whole number of tokens above 0", key);
    reading->has_maximum = true;
    if (maximum > reading->maximum)
        reading->maximum = maximum;
    return true;
}

/* A completion's prompt may be several: an array of texts, or of arrays of tokens. */
static int64_t count_prompts(const reading_t *reading) {
    const json_value_t *prompt = json_get(reading->body, "prompt");
    if (reading->line->kind != LLM_COMPLETION || !json_is(prompt, JSON_KIND_ARRAY) ||
        json_count(prompt) == 0 || json_is(json_at(prompt, 0), JSON_KIND_NUMBER))
        return 1;
    return (int64_t)json_count(prompt);
}

static bool check_maximum(reading_t *reading) {
    batch_line_t *line = reading->line;
    const model_settings_t *model = &reading->settings->models[line->model];
    if (line->kind == LLM_EMBEDDING)
        return true;
    if (!read_maximum(reading, "max_tokens") || !read_maximum(reading, "max_completion_tokens"))
        return false;
    if (!reading->has_maximum && model->max_output_tokens == 0)
        return trouble(
            reading,
            "no output maximum: give body.max_tokens, --max-output-tokens, or max_output_tokens of "
            "[models.\"%.100s\"]",
            model->name);
    if (!reading->has_maximum)
        reading->maximum = model->max_output_tokens;
    reading->answers = count_prompts(reading);
    if (reading->answers > OUTPUT_MOST / reading->maximum)
        return trouble(
            reading, "body.prompt: %lld answers of up to %lld tokens are too many for one request",
            (long long)reading->answers, (long long)reading->maximum);
    line->output_maximum = reading->answers * reading->maximum;
    return true;
}

/* --- identity --------------------------------------------------------------------------------- */

/* Members whose meaning the identity has already, or that can have one value only. */
static bool is_elsewhere(const char *key) {
    static const char *const keys[] = {"model", "max_tokens", "max_completion_tokens",
                                       "n",     "best_of",    "stream"};
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
        if (strcmp(key, keys[i]) == 0)
            return true;
    return false;
}

typedef struct {
    const char *key;
    const json_value_t *value;
} member_t;

static int by_key(const void *a, const void *b) {
    return strcmp(((const member_t *)a)->key, ((const member_t *)b)->key);
}

static hash_t identify(const reading_t *reading) {
    const batch_line_t *line = reading->line;
    hash_builder_t *builder = hash_builder_create("batch body");
    hash_builder_add_integer(builder, IDENTITY_VERSION);
    hash_builder_add_integer(builder, line->kind);
    hash_builder_add_text(builder, reading->settings->models[line->model].lineage);
    hash_builder_add_integer(builder, line->output_maximum);
    member_t *members = MEMORY_NEW_ARRAY(json_count(reading->body) + 1, member_t);
    size_t count = 0;
    json_iterator_t iterator = json_iterate(reading->body);
    while (json_next(&iterator, &members[count].key, &members[count].value))
        count += !is_elsewhere(members[count].key);
    qsort(members, count, sizeof *members, by_key);
    buffer_t text = BUFFER_EMPTY;
    for (size_t i = 0; i < count; i++) {
        buffer_clear(&text);
        json_write_value(&text, members[i].value, true);
        hash_builder_add_text(builder, members[i].key);
        hash_builder_add_bytes(builder, buffer_text(&text), text.length);
    }
    buffer_free(&text);
    free(members);
    return hash_builder_finish(builder);
}

static hash_t numbered(const char *domain, hash_t identity, uint64_t sample) {
    hash_builder_t *builder = hash_builder_create(domain);
    hash_builder_add_hash(builder, identity);
    hash_builder_add_integer(builder, (int64_t)sample);
    return hash_builder_finish(builder);
}

hash_t batch_request_id(hash_t identity, uint64_t sample) {
    return numbered("batch request", identity, sample);
}

hash_t batch_job_id(hash_t identity, uint64_t sample) {
    return numbered("job batch", identity, sample);
}

/* --- the body --------------------------------------------------------------------------------- */

/* As it stands, but for the model's name and an output maximum that it lacks. */
static void write_body(const reading_t *reading) {
    batch_line_t *line = reading->line;
    const model_settings_t *model = &reading->settings->models[line->model];
    buffer_t *body = &line->body;
    const char *copied = reading->span.text;
    const char *end = copied + reading->span.length;
    json_members_t members = json_members(reading->span);
    while (strcmp(model->wire_name, model->name) != 0 && json_members_next(&members)) {
        if (!json_key_is(members.key, "model"))
            continue;
        buffer_append(body, copied, (size_t)(members.value.text - copied));
        json_write_text(body, model->wire_name);
        copied = members.value.text + members.value.length;
    }
    if (line->kind == LLM_EMBEDDING || reading->has_maximum) {
        buffer_append(body, copied, (size_t)(end - copied));
        return;
    }
    buffer_append(body, copied, (size_t)(end - 1 - copied));
    bool modern = model->modern_maximum && line->kind == LLM_CHAT;
    buffer_append_format(body, ",\"%s\":%lld}", modern ? "max_completion_tokens" : "max_tokens",
                         (long long)reading->maximum);
}

/* --- the line --------------------------------------------------------------------------------- */

static bool read_members(reading_t *reading, const json_value_t *root, json_span_t text) {
    const json_value_t *custom_id = json_get(root, "custom_id");
    size_t length;
    const char *name = json_as_string(custom_id, &length);
    if (name) {
        reading->line->custom_id = memory_copy(name, length);
        reading->line->custom_id_length = length;
    }
    if (!json_is(root, JSON_KIND_OBJECT))
        return trouble(reading, "no JSON object");
    if (!name)
        return trouble(reading, "custom_id is missing or no string");
    reading->body = json_get(root, "body");
    json_members_t members = json_members(text);
    while (json_members_next(&members))
        if (json_key_is(members.key, "body"))
            reading->span = members.value;
    if (!check_url(reading, json_as_string(json_get(root, "method"), NULL),
                   json_as_string(json_get(root, "url"), NULL)))
        return false;
    if (!json_is(reading->body, JSON_KIND_OBJECT))
        return trouble(reading, "body is missing or no object");
    return check_model(reading) && check_bounded(reading) && check_parts(reading) &&
           check_maximum(reading);
}

batch_line_t *batch_line_read(const settings_t *settings, const char *text, size_t length,
                              uint64_t size, hash_t raw) {
    batch_line_t *line = MEMORY_NEW(batch_line_t);
    reading_t reading = {.settings = settings, .line = line};
    line->raw = raw;
    line->size = length;
    error_info_t error = {0};
    json_value_t *root =
        size == length ? json_parse(text, length, "line", JSON_PLAIN, &error) : NULL;
    if (size != length)
        trouble(&reading, "longer than %d MiB", BATCH_LINE_MAXIMUM >> 20);
    else if (!root)
        trouble(&reading, "no JSON: %s", error.message);
    if (root && read_members(&reading, root, (json_span_t){text, length})) {
        line->identity = identify(&reading);
        write_body(&reading);
    } else {
        line->identity = numbered("batch line", line->raw, 0);
    }
    json_free(root);
    return line;
}

bool batch_line_record(const batch_line_t *line, store_txn_t *txn, uint32_t run,
                       error_info_t *error) {
    batch_row_t row = {
        .response = line->response,
        .raw = line->raw,
        .settings = line->settings,
        .identity = line->identity,
        .sample = line->sample,
        .custom_id = line->custom_id,
        .custom_id_length = line->custom_id_length,
    };
    return batch_line_put(txn, run, line->index, &row, error);
}
