/* few_shot.c - reads the worked examples of a template from JSON. */
#include "prompts/few_shot.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/json.h"
#include "core/base/memory.h"

/* Where in which file the reader is, for errors. */
typedef struct {
    const char *file;
    size_t example;
    size_t record;
    error_info_t *error;
} place_t;

static bool refuse(const place_t *place, const char *what) {
    return error_set(place->error, ERROR_CONFIG, "%s: [%zu].records[%zu]: %s", place->file,
                     place->example, place->record, what);
}

static bool read_token(const json_value_t *value, token_t *token) {
    size_t length = 0;
    const char *bytes = json_as_string(value, &length);
    if (!bytes || length == 0)
        return false;
    *token = (token_t){memory_copy(bytes, length), length};
    return true;
}

static bool read_activation(const json_value_t *value, float *activation) {
    double number = 0;
    if (!json_as_number(value, &number))
        return false;
    *activation = (float)number;
    return isfinite(*activation);
}

static bool read_record(const json_value_t *object, const place_t *place,
                        activation_record_t *record) {
    const json_value_t *tokens = json_get(object, "tokens");
    const json_value_t *activations = json_get(object, "activations");
    size_t count = json_count(tokens);
    if (!json_is(tokens, JSON_KIND_ARRAY) || !json_is(activations, JSON_KIND_ARRAY))
        return refuse(place, "needs arrays \"tokens\" and \"activations\"");
    if (count == 0 || count > NEURON_MAX_TOKENS || json_count(activations) != count)
        return refuse(place, "needs as many activations as tokens, and at least one, at most 8192");
    record->tokens = MEMORY_NEW_ARRAY(count, token_t);
    record->activations = MEMORY_NEW_ARRAY(count, float);
    record->count = count;
    for (size_t i = 0; i < count; i++) {
        if (!read_token(json_at(tokens, i), &record->tokens[i]))
            return refuse(place, "a token is not a string, or empty");
        if (!read_activation(json_at(activations, i), &record->activations[i]))
            return refuse(place, "an activation is not a finite number");
    }
    return true;
}

static bool read_first_revealed(const json_value_t *indices, place_t *place,
                                few_shot_example_t *example) {
    if (json_is(indices, JSON_KIND_NULL))
        return true;
    size_t count = example->records.count;
    if (!json_is(indices, JSON_KIND_ARRAY) || json_count(indices) != count)
        return refuse(place, "first_revealed_activation_indices needs one index per record");
    for (size_t i = 0; i < count; i++) {
        int64_t index = -1;
        place->record = i;
        if (!json_as_integer(json_at(indices, i), &index) || index < 0 ||
            (uint64_t)index > example->records.records[i].count)
            return refuse(place, "the first revealed index is not an index of the record");
        example->first_revealed[i] = (size_t)index;
    }
    return true;
}

static bool read_example(const json_value_t *object, place_t *place, few_shot_example_t *example) {
    size_t length = 0;
    const char *explanation = json_as_string(json_get(object, "explanation"), &length);
    const json_value_t *records = json_get(object, "records");
    size_t count = json_count(records);
    if (!explanation || length == 0 || strlen(explanation) != length)
        return refuse(place, "the example needs an \"explanation\", a string");
    if (!json_is(records, JSON_KIND_ARRAY) || count == 0 || count > FEW_SHOT_MAX_RECORDS)
        return refuse(place, "the example needs \"records\", an array of 1 to 64");
    example->explanation = memory_copy_string(explanation);
    example->records = (record_list_t){count, MEMORY_NEW_ARRAY(count, activation_record_t)};
    example->first_revealed = MEMORY_NEW_ARRAY(count, size_t);
    example->view = (split_list_t){count, MEMORY_NEW_ARRAY(count, const activation_record_t *)};
    for (size_t i = 0; i < count; i++) {
        place->record = i;
        example->view.records[i] = &example->records.records[i];
        if (!read_record(json_at(records, i), place, &example->records.records[i]))
            return false;
    }
    return read_first_revealed(json_get(object, "first_revealed_activation_indices"), place,
                               example);
}

static bool read_list(const json_value_t *root, const char *name, few_shot_list_t *list,
                      error_info_t *error) {
    size_t count = json_count(root);
    if (!json_is(root, JSON_KIND_ARRAY) || count > FEW_SHOT_MAX_EXAMPLES)
        return error_set(error, ERROR_CONFIG, "%s: needs an array of at most %d examples", name,
                         FEW_SHOT_MAX_EXAMPLES);
    list->examples = MEMORY_NEW_ARRAY(count, few_shot_example_t);
    list->count = count;
    for (size_t i = 0; i < count; i++) {
        place_t place = {.file = name, .example = i, .error = error};
        if (!read_example(json_at(root, i), &place, &list->examples[i]))
            return false;
    }
    return true;
}

bool few_shot_parse(const char *text, size_t length, const char *name, few_shot_list_t *list,
                    error_info_t *error) {
    *list = (few_shot_list_t){0};
    json_value_t *root = json_parse(text, length, name, JSON_PLAIN, error);
    if (!root)
        return false;
    bool done = read_list(root, name, list, error);
    json_free(root);
    if (!done)
        few_shot_list_free(list);
    return done;
}

void few_shot_list_free(few_shot_list_t *list) {
    for (size_t i = 0; i < list->count; i++) {
        few_shot_example_t *example = &list->examples[i];
        for (size_t j = 0; j < example->records.count; j++)
            activation_record_free(&example->records.records[j]);
        free(example->records.records);
        free(example->first_revealed);
        free(example->view.records);
        free(example->explanation);
    }
    free(list->examples);
    *list = (few_shot_list_t){0};
}

static void hash_record(const activation_record_t *record, size_t first_revealed,
                        hash_builder_t *builder) {
    hash_builder_add_integer(builder, (int64_t)first_revealed);
    hash_builder_add_integer(builder, (int64_t)record->count);
    for (size_t i = 0; i < record->count; i++) {
        hash_builder_add_bytes(builder, record->tokens[i].bytes, record->tokens[i].length);
        hash_builder_add_number(builder, (double)record->activations[i]);
    }
}

void few_shot_hash(const few_shot_list_t *list, hash_builder_t *builder) {
    hash_builder_add_integer(builder, (int64_t)list->count);
    for (size_t i = 0; i < list->count; i++) {
        const few_shot_example_t *example = &list->examples[i];
        hash_builder_add_text(builder, example->explanation);
        hash_builder_add_integer(builder, (int64_t)example->records.count);
        for (size_t j = 0; j < example->records.count; j++)
            hash_record(&example->records.records[j], example->first_revealed[j], builder);
    }
}

static void write_record(const activation_record_t *record, buffer_t *out) {
    buffer_append_text(out, "{\"tokens\":");
    for (size_t i = 0; i < record->count; i++) {
        buffer_append_char(out, i ? ',' : '[');
        json_write_string(out, record->tokens[i].bytes, record->tokens[i].length);
    }
    buffer_append_text(out, "],\"activations\":");
    for (size_t i = 0; i < record->count; i++) {
        buffer_append_char(out, i ? ',' : '[');
        json_write_float(out, record->activations[i]);
    }
    buffer_append_text(out, "]}");
}

void few_shot_write(const few_shot_list_t *list, buffer_t *out) {
    buffer_append_char(out, '[');
    for (size_t i = 0; i < list->count; i++) {
        const few_shot_example_t *example = &list->examples[i];
        buffer_append_text(out, i ? ",\n{\"explanation\":" : "\n{\"explanation\":");
        json_write_text(out, example->explanation);
        buffer_append_text(out, ",\"records\":");
        for (size_t j = 0; j < example->records.count; j++) {
            buffer_append_char(out, j ? ',' : '[');
            write_record(&example->records.records[j], out);
        }
        buffer_append_text(out, "],\"first_revealed_activation_indices\":");
        for (size_t j = 0; j < example->records.count; j++) {
            buffer_append_char(out, j ? ',' : '[');
            json_write_integer(out, (int64_t)example->first_revealed[j]);
        }
        buffer_append_text(out, "]}");
    }
    buffer_append_char(out, ']');
}
