/* neuron_json.c - neuron records from JSON documents and JSONL. What an entry holds is read in
 * neuron_json_entry.c. */
#include "core/neuron/neuron_json.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/json.h"
#include "core/base/memory.h"
#include "core/neuron/neuron_json_entry.h"

typedef struct {
    neuron_json_source_t source;
    neuron_list_t *list;
    size_t capacity;
    size_t *lines; /* [list->count], for naming a repeated id */
} reading_t;

static void keep(reading_t *reading, neuron_record_t *neuron) {
    neuron_list_t *list = reading->list;
    if (list->count == reading->capacity) {
        reading->capacity = reading->capacity ? 2 * reading->capacity : 16;
        list->neurons = memory_resize(list->neurons, reading->capacity, sizeof(neuron_record_t *));
        reading->lines = memory_resize(reading->lines, reading->capacity, sizeof *reading->lines);
    }
    reading->lines[list->count] = reading->source.line;
    list->neurons[list->count++] = neuron;
}

static bool take_entry(reading_t *reading, const neuron_json_place_t *place,
                       const json_value_t *entry) {
    neuron_record_t *neuron = neuron_json_entry(&reading->source, place, entry);
    if (neuron)
        keep(reading, neuron);
    return neuron != NULL;
}

/* An object name -> puzzle. */
static bool take_puzzles(reading_t *reading, const json_value_t *object) {
    json_iterator_t members = json_iterate(object);
    const char *key = "";
    const json_value_t *puzzle = NULL;
    while (json_next(&members, &key, &puzzle)) {
        neuron_json_place_t at = {NULL, key, 0}, at_name = {&at, "name", 0};
        if (!neuron_json_is_puzzle(puzzle))
            return neuron_json_refuse(&reading->source, &at,
                                      "is no puzzle (name, explanation, sentences)");
        const char *name = json_as_string(json_get(puzzle, "name"), NULL);
        if (name && strcmp(name, key) != 0)
            return neuron_json_refuse(&reading->source, &at_name, "differs from the puzzle's key");
        if (!take_entry(reading, &at, puzzle))
            return false;
    }
    return true;
}

static bool take_root(reading_t *reading, const json_value_t *root) {
    if (!neuron_json_is_entry(root) && json_is(json_member(root, 0, NULL), JSON_KIND_OBJECT))
        return take_puzzles(reading, root);
    if (!json_is(root, JSON_KIND_ARRAY))
        return take_entry(reading, NULL, root);
    for (size_t i = 0; i < json_count(root); i++) {
        neuron_json_place_t at = {NULL, NULL, i};
        if (!take_entry(reading, &at, json_at(root, i)))
            return false;
    }
    return true;
}

/* --- documents and lines ---------------------------------------------------------------------- */

static bool is_blank(const char *text, size_t length) {
    for (size_t i = 0; i < length; i++)
        if (!strchr(" \t\r\n", text[i]) || text[i] == '\0')
            return false;
    return true;
}

static size_t line_length(const char *text, size_t length) {
    const char *newline = length ? memchr(text, '\n', length) : NULL;
    return newline ? (size_t)(newline - text) : length;
}

/* Puts file and line before what json_parse said about one line of JSONL (":1:column: what"). */
static void name_line(const reading_t *reading) {
    if (!reading->source.error || reading->source.line == 0)
        return;
    char *said = memory_copy_string(reading->source.error->message);
    const char *column = strncmp(said, ":1:", 3) == 0 ? said + 2 : said;
    error_set(reading->source.error, ERROR_CONFIG, "%s:%zu%s", reading->source.name,
              reading->source.line, column);
    free(said);
}

static bool take_document(reading_t *reading, const char *text, size_t length) {
    const char *name = reading->source.line ? "" : reading->source.name;
    json_value_t *root =
        json_parse(text, length, name, JSON_ALLOW_NONFINITE, reading->source.error);
    if (!root) {
        name_line(reading);
        return false;
    }
    bool done = reading->source.line ? take_entry(reading, NULL, root) : take_root(reading, root);
    json_free(root);
    return done;
}

static bool take_lines(reading_t *reading, const char *text, size_t length) {
    for (size_t at = 0; at < length;) {
        size_t line = line_length(text + at, length - at);
        reading->source.line++;
        if (!is_blank(text + at, line) && !take_document(reading, text + at, line))
            return false;
        at += line + 1;
    }
    return true;
}

/* JSONL is a text whose first line that is not blank is a whole JSON object and
 * not all there is. */
static bool is_lines(const char *text, size_t length) {
    size_t at = 0, line = line_length(text, length);
    while (at < length && is_blank(text + at, line)) {
        at += line + 1;
        line = at < length ? line_length(text + at, length - at) : 0;
    }
    if (at >= length || at + line >= length || is_blank(text + at + line, length - at - line))
        return false;
    json_value_t *first = json_parse(text + at, line, "", JSON_ALLOW_NONFINITE, NULL);
    bool object = json_is(first, JSON_KIND_OBJECT);
    json_free(first);
    return object;
}

static int compare_ids(const void *a, const void *b) {
    const neuron_record_t *left = *(neuron_record_t *const *)a,
                          *right = *(neuron_record_t *const *)b;
    return strcmp(left->id, right->id);
}

static bool check_ids(const reading_t *reading) {
    const neuron_list_t *list = reading->list;
    if (list->count == 0)
        return error_set(reading->source.error, ERROR_CONFIG,
                         "%s: holds no neuron record, record set or puzzle", reading->source.name);
    neuron_record_t **sorted = memory_copy(list->neurons, list->count * sizeof *sorted);
    qsort(sorted, list->count, sizeof *sorted, compare_ids);
    const char *repeated = NULL;
    for (size_t i = 1; !repeated && i < list->count; i++)
        if (strcmp(sorted[i - 1]->id, sorted[i]->id) == 0)
            repeated = sorted[i]->id;
    free(sorted);
    if (!repeated)
        return true;
    size_t last = list->count;
    while (strcmp(list->neurons[--last]->id, repeated) != 0) {
    }
    if (reading->lines[last])
        return error_set(reading->source.error, ERROR_CONFIG, "%s:%zu: the id %s is there twice",
                         reading->source.name, reading->lines[last], repeated);
    return error_set(reading->source.error, ERROR_CONFIG,
                     "%s: the id %s is there twice (entry %zu)", reading->source.name, repeated,
                     last + 1);
}

bool neuron_json_parse(const char *text, size_t length, const char *name, neuron_list_t *list,
                       error_info_t *error) {
    *list = (neuron_list_t){0};
    if (length > NEURON_JSON_MAX_BYTES)
        return error_set(error, ERROR_CONFIG, "%s: larger than 1 GiB; split the file", name);
    reading_t reading = {.source = {.name = name, .error = error}, .list = list};
    bool done = is_lines(text, length) ? take_lines(&reading, text, length)
                                       : take_document(&reading, text, length);
    done = done && check_ids(&reading);
    free(reading.lines);
    if (!done)
        neuron_list_free(list);
    return done;
}

bool neuron_json_read(const char *path, neuron_list_t *list, error_info_t *error) {
    *list = (neuron_list_t){0};
    buffer_t text = BUFFER_EMPTY;
    bool done = buffer_read_file(&text, path, NEURON_JSON_MAX_BYTES, error) &&
                neuron_json_parse(buffer_text(&text), text.length, path, list, error);
    buffer_free(&text);
    return done;
}

void neuron_list_free(neuron_list_t *list) {
    for (size_t i = 0; i < list->count; i++)
        neuron_record_free(list->neurons[i]);
    free(list->neurons);
    *list = (neuron_list_t){0};
}
