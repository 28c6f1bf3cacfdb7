/* config_dump.c - a configuration with its defaults as flat TOML lines. */
#include <stdlib.h>
#include <string.h>

#include "core/base/config_internal.h"
#include "core/base/json.h"
#include "core/base/memory.h"

typedef struct {
    char **lines;
    size_t count;
    size_t capacity;
} lines_t;

static void add_line(lines_t *lines, char *const *segments, size_t count, const char *value) {
    buffer_t line = BUFFER_EMPTY;
    config_append_key(&line, segments, count);
    buffer_append_format(&line, " = %s\n", value);
    if (lines->count == lines->capacity) {
        lines->capacity = lines->capacity == 0 ? 64 : lines->capacity * 2;
        lines->lines = memory_resize(lines->lines, lines->capacity, sizeof lines->lines[0]);
    }
    lines->lines[lines->count++] = buffer_take(&line);
}

/* In quotes: exact for any amount, which a TOML float is not. */
static void append_money(buffer_t *out, money_t amount) {
    char text[MONEY_TEXT_SIZE];
    money_format(amount, 12, text);
    size_t length = strlen(text);
    while (text[length - 1] == '0' && text[length - 2] != '.')
        text[--length] = '\0';
    config_append_string(out, text + 1); /* without the $ */
}

static void append_raw(buffer_t *out, const config_value_t *value) {
    switch (value->kind) {
    case CONFIG_KIND_STRING: config_append_string(out, value->string); break;
    case CONFIG_KIND_INTEGER: json_write_integer(out, value->integer); break;
    case CONFIG_KIND_FLOAT: json_write_number(out, value->number); break;
    case CONFIG_KIND_BOOLEAN: buffer_append_text(out, value->boolean ? "true" : "false"); break;
    case CONFIG_KIND_LIST:
        buffer_append_char(out, '[');
        for (size_t i = 0; i < value->count; i++) {
            buffer_append_text(out, i == 0 ? "" : ", ");
            append_raw(out, &value->elements[i]);
        }
        buffer_append_char(out, ']');
        break;
    case CONFIG_KIND_DATE: /* no row takes one */
    case CONFIG_KIND_TABLE: break;
    }
}

static void add_typed(lines_t *lines, const config_row_t *row, char *const *segments, size_t count,
                      const config_typed_t *typed) {
    buffer_t value = BUFFER_EMPTY;
    if (row->type == CONFIG_MONEY)
        append_money(&value, typed->money);
    else
        append_raw(&value, &typed->raw);
    add_line(lines, segments, count, buffer_text(&value));
    buffer_free(&value);
}

static bool has_value(const config_t *config, char *const *segments, size_t count) {
    char *flat = config_join(segments, count);
    bool has = false;
    for (size_t i = 0; i < config->entry_count && !has; i++)
        has = config->entries[i].row && strcmp(config->entries[i].flat, flat) == 0;
    free(flat);
    return has;
}

/* The row's default in one table (the first `depth` segments of `table`), unless the
 * user wrote the key. */
static void add_default(lines_t *lines, const config_t *config, size_t row, char *const *table,
                        size_t depth) {
    const config_pattern_t *pattern = &config->patterns[row];
    char **segments = MEMORY_NEW_ARRAY(pattern->segment_count, char *);
    for (size_t i = 0; i < pattern->segment_count; i++)
        segments[i] = i < depth ? table[i] : (char *)pattern->segments[i];
    if (!has_value(config, segments, pattern->segment_count))
        add_typed(lines, &config->rows[row], segments, pattern->segment_count, &pattern->fallback);
    free(segments);
}

static void add_defaults(lines_t *lines, const config_t *config) {
    for (size_t row = 0; row < config->row_count; row++) {
        const config_pattern_t *pattern = &config->patterns[row];
        if (!pattern->has_default)
            continue;
        size_t depth = pattern->segment_count; /* segments up to the last `*` */
        while (depth > 0 && strcmp(pattern->segments[depth - 1], "*") != 0)
            depth--;
        if (depth == 0)
            add_default(lines, config, row, NULL, 0);
        for (size_t i = 0; depth > 0 && depth < pattern->segment_count && i < config->entry_count;
             i++) {
            const config_entry_t *entry = &config->entries[i];
            if (entry->segment_count == depth &&
                config_pattern_fits(pattern, entry->segments, depth))
                add_default(lines, config, row, entry->segments, depth);
        }
    }
}

/* A table below which no line stands would be gone after loading again, and its name with it. */
static void add_empty_tables(lines_t *lines, const config_t *config) {
    size_t count = lines->count;
    for (size_t i = 0; i < config->entry_count; i++) {
        const config_entry_t *entry = &config->entries[i];
        if (entry->typed.raw.kind != CONFIG_KIND_TABLE)
            continue;
        buffer_t key = BUFFER_EMPTY;
        config_append_key(&key, entry->segments, entry->segment_count);
        buffer_append_char(&key, '.');
        bool filled = false;
        for (size_t j = 0; j < count && !filled; j++)
            filled = strncmp(lines->lines[j], buffer_text(&key), key.length) == 0;
        for (size_t j = 0; j < config->entry_count && !filled; j++) {
            const config_entry_t *other = &config->entries[j];
            filled = other->segment_count > entry->segment_count &&
                     other->typed.raw.kind == CONFIG_KIND_TABLE &&
                     strncmp(other->flat, entry->flat, strlen(entry->flat)) == 0 &&
                     other->flat[strlen(entry->flat)] == '.';
        }
        if (!filled)
            add_line(lines, entry->segments, entry->segment_count, "{}");
        buffer_free(&key);
    }
}

static int compare_lines(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

void config_dump(const config_t *config, buffer_t *out) {
    lines_t lines = {0};
    for (size_t i = 0; i < config->entry_count; i++) {
        const config_entry_t *entry = &config->entries[i];
        if (entry->row)
            add_typed(&lines, entry->row, entry->segments, entry->segment_count, &entry->typed);
    }
    add_defaults(&lines, config);
    add_empty_tables(&lines, config);
    if (lines.count > 1)
        qsort(lines.lines, lines.count, sizeof lines.lines[0], compare_lines);
    for (size_t i = 0; i < lines.count; i++) {
        buffer_append_text(out, lines.lines[i]);
        free(lines.lines[i]);
    }
    free(lines.lines);
}
