/* neuron_names.c - readers of lists of layers and neurons. */
#include "actors/sweep/neuron_names.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "core/base/buffer.h"
#include "core/base/csv.h"
#include "core/base/json.h"
#include "core/base/memory.h"
#include "core/base/numbers.h"

static bool parse_index(const char *text, size_t length, int32_t *index) {
    uint64_t value;
    if (!number_parse_whole(text, length, INT32_MAX, &value))
        return false;
    *index = (int32_t)value;
    return true;
}

bool neuron_name_parse(const char *text, size_t length, neuron_name_t *name) {
    const char *colon = memchr(text, ':', length);
    if (!colon)
        return false;
    size_t before = (size_t)(colon - text);
    return parse_index(text, before, &name->layer) &&
           parse_index(colon + 1, length - before - 1, &name->index);
}

static bool add_name(neuron_name_list_t *list, size_t *capacity, neuron_name_t name) {
    if (list->count == NEURON_NAMES_MAX)
        return false;
    if (list->count == *capacity) {
        *capacity = *capacity ? 2 * *capacity : 64;
        list->names = memory_resize(list->names, *capacity, sizeof *list->names);
    }
    list->names[list->count++] = name;
    return true;
}

static int compare_names(const void *a, const void *b) {
    const neuron_name_t *x = a, *y = b;
    if (x->layer != y->layer)
        return x->layer < y->layer ? -1 : 1;
    return (x->index > y->index) - (x->index < y->index);
}

/* Finds a name that stands twice. */
static bool check_twice(const neuron_name_list_t *list, error_info_t *error) {
    neuron_name_t *sorted = memory_copy(list->names, list->count * sizeof *sorted);
    qsort(sorted, list->count, sizeof *sorted, compare_names);
    bool good = true;
    for (size_t i = 1; good && i < list->count; i++)
        if (compare_names(&sorted[i - 1], &sorted[i]) == 0)
            good = error_set(error, ERROR_USAGE, "neuron %d:%d is named twice", sorted[i].layer,
                             sorted[i].index);
    free(sorted);
    return good;
}

/* --- from a file ------------------------------------------------------------------------------ */

static bool find_column(const char *const *fields, size_t count, const char *name, size_t *column) {
    for (*column = 0; *column < count; ++*column)
        if (!strcasecmp(fields[*column], name))
            return true;
    return false;
}

static bool read_rows(csv_t *csv, const char *path, neuron_name_list_t *list, error_info_t *error) {
    size_t count, layer, neuron, capacity = 0;
    const char *const *fields;
    csv_result_t result = csv_next(csv, &count, &fields, error);
    if (result == CSV_END ||
        (result == CSV_RECORD && (!find_column(fields, count, "layer", &layer) ||
                                  !find_column(fields, count, "neuron", &neuron))))
        return error_set(error, ERROR_CONFIG,
                         "%s:1: the header must name the columns layer and neuron", path);
    while (result == CSV_RECORD && (result = csv_next(csv, &count, &fields, error)) == CSV_RECORD) {
        neuron_name_t name;
        if (count <= layer || count <= neuron ||
            !parse_index(fields[layer], strlen(fields[layer]), &name.layer) ||
            !parse_index(fields[neuron], strlen(fields[neuron]), &name.index))
            return error_set(error, ERROR_CONFIG, "%s:%zu: layer and neuron must be whole numbers",
                             path, csv_line(csv));
        if (!add_name(list, &capacity, name))
            return error_set(error, ERROR_CONFIG, "%s: more than %d neurons", path,
                             NEURON_NAMES_MAX);
    }
    if (result == CSV_END && list->count == 0)
        return error_set(error, ERROR_CONFIG, "%s: it names no neuron", path);
    return result == CSV_END;
}

static bool read_member(const json_value_t *line, const char *key, int32_t *index) {
    int64_t value;
    if (!json_as_integer(json_get(line, key), &value) || value < 0 || value > INT32_MAX)
        return false;
    *index = (int32_t)value;
    return true;
}

/* One line of JSONL; a blank one is none. */
static bool read_line(const char *text, size_t length, neuron_name_list_t *list, size_t *capacity,
                      error_info_t *error) {
    size_t blank = 0;
    while (blank < length && strchr(" \t\r", text[blank]) && text[blank])
        blank++;
    if (blank == length)
        return true;
    json_value_t *line = json_parse(text, length, "line", JSON_ALLOW_NONFINITE, error);
    neuron_name_t name;
    bool good =
        line &&
        ((read_member(line, "layer", &name.layer) && read_member(line, "neuron", &name.index)) ||
         error_set(error, ERROR_CONFIG, "layer and neuron must be whole numbers"));
    json_free(line);
    return good && (add_name(list, capacity, name) ||
                    error_set(error, ERROR_CONFIG, "more than %d neurons", NEURON_NAMES_MAX));
}

static bool read_lines(const char *text, size_t length, const char *path, neuron_name_list_t *list,
                       error_info_t *error) {
    size_t number = 1, capacity = 0;
    for (const char *at = text, *end = text + length; at < end; number++) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        size_t size = newline ? (size_t)(newline - at) : (size_t)(end - at);
        if (!read_line(at, size, list, &capacity, error))
            return error_prefix(error, "%s:%zu", path, number);
        at += size + (newline != NULL);
    }
    return true;
}

static bool read_file(const char *path, neuron_name_list_t *list, error_info_t *error) {
    buffer_t text = BUFFER_EMPTY;
    if (!buffer_read_file(&text, path, CSV_MAX_FILE, error))
        return false;
    const char *at = buffer_text(&text);
    bool good;
    if (at[strspn(at, " \t\r\n")] == '{') {
        good = read_lines(at, text.length, path, list, error);
    } else {
        csv_t *csv = csv_open(at, text.length, path);
        good = read_rows(csv, path, list, error);
        csv_close(csv);
    }
    buffer_free(&text);
    return good;
}

/* --- from the command line -------------------------------------------------------------------- */

static bool read_text(const char *text, neuron_name_list_t *list, error_info_t *error) {
    size_t capacity = 0;
    for (const char *at = text;;) {
        size_t length = strcspn(at, ",");
        neuron_name_t name;
        if (!neuron_name_parse(at, length, &name))
            return error_set(error, ERROR_USAGE,
                             "--neurons: \"%.*s\" is no LAYER:NEURON, as in 5:131", (int)length,
                             at);
        add_name(list, &capacity, name);
        if (!at[length])
            return true;
        at += length + 1;
    }
}

bool neuron_names_parse(const char *text, neuron_name_list_t *list, error_info_t *error) {
    *list = (neuron_name_list_t){0};
    bool good = text[0] == '@' ? read_file(text + 1, list, error) : read_text(text, list, error);
    if (good && check_twice(list, error))
        return true;
    free(list->names);
    *list = (neuron_name_list_t){0};
    return false;
}

static bool add_layers(layer_list_t *list, int32_t first, int32_t last, error_info_t *error) {
    for (int32_t layer = first; layer <= last; layer++) {
        for (size_t i = 0; i < list->count; i++)
            if (list->layers[i] == layer)
                return error_set(error, ERROR_USAGE, "--layers: layer %d is named twice", layer);
        if (list->count == NEURON_NAMES_MAX_LAYERS)
            return error_set(error, ERROR_USAGE, "--layers: more than %d layers",
                             NEURON_NAMES_MAX_LAYERS);
        list->layers = memory_resize(list->layers, list->count + 1, sizeof *list->layers);
        list->layers[list->count++] = layer;
    }
    return true;
}

static bool read_layers(const char *text, layer_list_t *list, error_info_t *error) {
    for (const char *at = text;;) {
        size_t length = strcspn(at, ","), before = strcspn(at, "-,");
        int32_t first, last;
        bool good = parse_index(at, before, &first);
        last = first;
        if (good && before < length)
            good = parse_index(at + before + 1, length - before - 1, &last) && first <= last;
        if (!good || last == INT32_MAX)
            return error_set(error, ERROR_USAGE,
                             "--layers: \"%.*s\" is no layer and no range of layers, as in 0-3,7",
                             (int)length, at);
        if (!add_layers(list, first, last, error))
            return false;
        if (!at[length])
            return true;
        at += length + 1;
    }
}

bool neuron_layers_parse(const char *text, layer_list_t *list, error_info_t *error) {
    *list = (layer_list_t){0};
    if (read_layers(text, list, error))
        return true;
    free(list->layers);
    *list = (layer_list_t){0};
    return false;
}
