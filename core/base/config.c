/* config.c - loading a configuration, and the getters. (Keys: config_key.c, values: config_check.c,
 * --set: config_set.c, snapshot: config_dump.c.) */
#include "core/base/config.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/config_internal.h"
#include "core/base/memory.h"

static _Noreturn void bug(const char *key, const char *what) {
    fprintf(stderr, "glia: bug: config key \"%s\" %s\n", key, what);
    abort();
}

/* --- rows ------------------------------------------------------------------------------------- */

static void load_fallback(const config_row_t *row, config_pattern_t *pattern) {
    if (!row->fallback || strcmp(row->fallback, "!") == 0)
        return;
    char *text = memory_format("v = %s", row->fallback);
    config_nodes_t nodes = {0};
    config_failure_t failure = {0};
    buffer_t what = BUFFER_EMPTY;
    if (!config_toml_parse(text, strlen(text), &nodes, &failure) || nodes.count != 1)
        bug(row->key, "has a default that is no TOML value");
    pattern->fallback.raw = nodes.nodes[0].value;
    nodes.nodes[0].value = (config_value_t){0};
    if (!config_check_value(row, &pattern->fallback, &what))
        bug(row->key, buffer_text(&what));
    pattern->has_default = true;
    buffer_free(&what);
    config_toml_free(&nodes);
    free(text);
}

static void load_rows(config_t *config, const config_row_t *rows, size_t row_count) {
    config->rows = rows;
    config->row_count = row_count;
    config->patterns = MEMORY_NEW_ARRAY(row_count, config_pattern_t);
    for (size_t i = 0; i < row_count; i++) {
        config_pattern_t *pattern = &config->patterns[i];
        pattern->text = memory_copy_string(rows[i].key);
        pattern->segment_count = 1;
        for (const char *at = rows[i].key; *at != '\0'; at++)
            pattern->segment_count += *at == '.';
        pattern->segments = MEMORY_NEW_ARRAY(pattern->segment_count, const char *);
        char *at = pattern->text;
        for (size_t j = 0; j < pattern->segment_count; j++) {
            pattern->segments[j] = at;
            at += strcspn(at, ".");
            *at++ = '\0';
        }
        load_fallback(&rows[i], pattern);
    }
}

/* --- entries ---------------------------------------------------------------------------------- */

config_entry_t *config_add_entry(config_t *config, config_node_t *node, const char *origin) {
    if (config->entry_count == config->entry_capacity) {
        config->entry_capacity = config->entry_capacity == 0 ? 64 : config->entry_capacity * 2;
        config->entries =
            memory_resize(config->entries, config->entry_capacity, sizeof config->entries[0]);
    }
    config_entry_t *entry = &config->entries[config->entry_count++];
    *entry = (config_entry_t){
        .segments = node->segments, .segment_count = node->segment_count, .line = node->line};
    entry->flat = config_join(node->segments, node->segment_count);
    entry->origin = memory_copy_string(origin);
    entry->typed.raw = node->value;
    *node = (config_node_t){0};
    return entry;
}

bool config_refuse_entry(const config_t *config, const config_entry_t *entry, const char *what,
                         error_info_t *error) {
    if (entry->origin)
        return error_set(error, ERROR_CONFIG, "--set %s: %s", entry->origin, what);
    buffer_t key = BUFFER_EMPTY;
    config_append_key(&key, entry->segments, entry->segment_count);
    error_set(error, ERROR_CONFIG, "%s:%d: %s: %s", config->name, entry->line, buffer_text(&key),
              what);
    buffer_free(&key);
    return false;
}

/* In the order of the file, what came from --set last, a table before what is in it. */
static int compare_places(const void *a, const void *b) {
    const config_entry_t *x = a;
    const config_entry_t *y = b;
    if ((x->origin == NULL) != (y->origin == NULL))
        return !x->origin ? -1 : 1;
    if (x->line != y->line)
        return x->line < y->line ? -1 : 1;
    if (x->segment_count != y->segment_count)
        return x->segment_count < y->segment_count ? -1 : 1;
    return strcmp(x->flat, y->flat);
}

static int compare_keys(const void *a, const void *b) {
    return strcmp(((const config_entry_t *)a)->flat, ((const config_entry_t *)b)->flat);
}

static void sort_entries(config_t *config, int (*compare)(const void *, const void *)) {
    if (config->entry_count > 1)
        qsort(config->entries, config->entry_count, sizeof config->entries[0], compare);
}

static bool check_entry(const config_t *config, config_entry_t *entry, error_info_t *error) {
    buffer_t what = BUFFER_EMPTY;
    bool table = entry->typed.raw.kind == CONFIG_KIND_TABLE;
    bool done = true;
    if (table && config_is_table(config, entry->segments, entry->segment_count))
        return true;
    entry->row = config_row_of(config, entry->segments, entry->segment_count);
    if (entry->row) {
        done = config_check_value(entry->row, &entry->typed, &what);
    } else {
        config_explain_unknown(config, entry, &what);
        done = false;
    }
    if (!done)
        config_refuse_entry(config, entry, buffer_text(&what), error);
    buffer_free(&what);
    return done;
}

static bool check_entries(config_t *config, error_info_t *error) {
    sort_entries(config, compare_places);
    for (size_t i = 0; i < config->entry_count; i++)
        if (!check_entry(config, &config->entries[i], error))
            return false;
    sort_entries(config, compare_keys);
    return true;
}

/* The value, else the table, of a flat key. Of several entries that are spelled alike (the table
 * endpoints."x.url" and the key endpoints.x.url) at most one is a value. */
static const config_entry_t *find_entry(const config_t *config, const char *flat) {
    size_t low = 0;
    size_t high = config->entry_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (strcmp(config->entries[middle].flat, flat) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    const config_entry_t *found = NULL;
    for (; low < config->entry_count && strcmp(config->entries[low].flat, flat) == 0; low++)
        found = !found || config->entries[low].row ? &config->entries[low] : found;
    return found;
}

static const config_entry_t *find_value(const config_t *config, const char *flat) {
    const config_entry_t *entry = find_entry(config, flat);
    return entry && entry->row ? entry : NULL;
}

/* --- required keys ---------------------------------------------------------------------------- */

static void refuse_missing(const config_t *config, size_t row, const char *key,
                           error_info_t *error) {
    const char *help = config->rows[row].help;
    error_set(error, ERROR_CONFIG, "%s: missing; add it (%s)", key,
              !help ? "it is required" : help);
}

/* Whether the row's key stands below `table`, which is the row's table with names for its `*`. */
static bool check_required_in(const config_t *config, size_t row, const config_entry_t *table,
                              error_info_t *error) {
    const config_pattern_t *pattern = &config->patterns[row];
    size_t depth = table->segment_count;
    char **segments = MEMORY_NEW_ARRAY(pattern->segment_count, char *);
    for (size_t i = 0; i < pattern->segment_count; i++)
        segments[i] = i < depth ? table->segments[i] : (char *)pattern->segments[i];
    char *flat = config_join(segments, pattern->segment_count);
    bool found = find_value(config, flat) != NULL;
    if (!found) {
        buffer_t key = BUFFER_EMPTY;
        config_append_key(&key, segments, pattern->segment_count);
        refuse_missing(config, row, buffer_text(&key), error);
        if (table->origin)
            error_prefix(error, "--set %s", table->origin);
        else
            error_prefix(error, "%s:%d", config->name, table->line);
        buffer_free(&key);
    }
    free(flat);
    free(segments);
    return found;
}

static bool check_required(const config_t *config, error_info_t *error) {
    for (size_t row = 0; row < config->row_count; row++) {
        const config_pattern_t *pattern = &config->patterns[row];
        if (!config->rows[row].fallback || strcmp(config->rows[row].fallback, "!") != 0)
            continue;
        size_t depth = pattern->segment_count; /* segments up to the last `*` */
        while (depth > 0 && strcmp(pattern->segments[depth - 1], "*") != 0)
            depth--;
        if (depth == 0 && !find_value(config, config->rows[row].key)) {
            refuse_missing(config, row, config->rows[row].key, error);
            return error_prefix(error, "%s", config->name);
        }
        for (size_t i = 0; depth > 0 && i < config->entry_count; i++) {
            const config_entry_t *entry = &config->entries[i];
            if (entry->segment_count == depth &&
                config_pattern_fits(pattern, entry->segments, depth) &&
                !check_required_in(config, row, entry, error))
                return false;
        }
    }
    return true;
}

/* --- names ------------------------------------------------------------------------------------ */

static int compare_names(const void *a, const void *b) {
    const config_name_t *x = a;
    const config_name_t *y = b;
    int order = strcmp(x->table, y->table);
    return order != 0 ? order : strcmp(x->name, y->name);
}

static bool is_name(const config_t *config, const config_entry_t *entry) {
    size_t last = entry->segment_count - 1;
    for (size_t i = 0; i < config->row_count; i++) {
        const config_pattern_t *pattern = &config->patterns[i];
        if (config_pattern_fits(pattern, entry->segments, entry->segment_count) &&
            strcmp(pattern->segments[last], "*") == 0)
            return true;
    }
    return false;
}

/* Each table is an entry of its own, so every name is the last segment of exactly one entry. */
static void collect_names(config_t *config) {
    config->names = MEMORY_NEW_ARRAY(config->entry_count, config_name_t);
    for (size_t i = 0; i < config->entry_count; i++) {
        const config_entry_t *entry = &config->entries[i];
        if (is_name(config, entry)) {
            config_name_t *name = &config->names[config->name_count++];
            name->table = config_join(entry->segments, entry->segment_count - 1);
            name->name = entry->segments[entry->segment_count - 1];
        }
    }
    if (config->name_count > 1)
        qsort(config->names, config->name_count, sizeof config->names[0], compare_names);
    config->name_list = MEMORY_NEW_ARRAY(config->name_count, const char *);
    for (size_t i = 0; i < config->name_count; i++)
        config->name_list[i] = config->names[i].name;
}

size_t config_names(const config_t *config, const char *table, const char *const **names) {
    size_t first = 0;
    while (first < config->name_count && strcmp(config->names[first].table, table) != 0)
        first++;
    size_t count = 0;
    while (first + count < config->name_count &&
           strcmp(config->names[first + count].table, table) == 0)
        count++;
    *names = config->name_list + first;
    return count;
}

/* --- load and free ---------------------------------------------------------------------------- */

static bool load_text(config_t *config, const char *text, size_t length, error_info_t *error) {
    config_nodes_t nodes = {0};
    config_failure_t failure;
    bool done = config_toml_parse(text, length, &nodes, &failure);
    if (!done)
        error_set(error, ERROR_CONFIG, "%s:%d: %s", config->name, failure.line, failure.message);
    for (size_t i = 0; done && i < nodes.count; i++)
        config_add_entry(config, &nodes.nodes[i], NULL);
    config_toml_free(&nodes);
    return done;
}

config_t *config_load(const char *text, size_t length, const char *name,
                      const char *const *assignments, size_t assignment_count,
                      const config_row_t *rows, size_t row_count, error_info_t *error) {
    config_t *config = MEMORY_NEW(config_t);
    config->name = memory_copy_string(name);
    load_rows(config, rows, row_count);
    bool done = load_text(config, text, length, error);
    for (size_t i = 0; done && i < assignment_count; i++)
        done = config_apply_assignment(config, assignments[i], error);
    if (!done || !check_entries(config, error) || !check_required(config, error)) {
        config_free(config);
        return NULL;
    }
    collect_names(config);
    return config;
}

void config_free(config_t *config) {
    if (!config)
        return;
    for (size_t i = 0; i < config->name_count; i++)
        free(config->names[i].table);
    for (size_t i = 0; i < config->entry_count; i++) {
        config_entry_t *entry = &config->entries[i];
        config_segments_free(entry->segments, entry->segment_count);
        free(entry->flat);
        free(entry->origin);
        config_typed_free(&entry->typed);
    }
    for (size_t i = 0; i < config->row_count; i++) {
        free(config->patterns[i].text);
        free(config->patterns[i].segments);
        config_typed_free(&config->patterns[i].fallback);
    }
    free(config->name_list);
    free(config->names);
    free(config->entries);
    free(config->patterns);
    free(config->name);
    free(config);
}

/* --- getters ---------------------------------------------------------------------------------- */

/* The row that a key which the user did not write belongs to: the one with the
 * most literal text. */
static size_t row_of_key(const config_t *config, const char *key) {
    size_t best = config->row_count;
    size_t best_length = 0;
    for (size_t i = 0; i < config->row_count; i++) {
        size_t length = strlen(config->rows[i].key);
        if ((best == config->row_count || length > best_length) &&
            config_pattern_split(&config->patterns[i], key, NULL) > 0) {
            best = i;
            best_length = length;
        }
    }
    if (best == config->row_count)
        bug(key, "has no row");
    return best;
}

/* The checked value or default, NULL if there is neither; a row of another type is a
 * bug of the caller. */
static const config_typed_t *lookup(const config_t *config, const char *key, config_type_t type,
                                    config_type_t other) {
    const config_entry_t *entry = find_value(config, key);
    size_t row = entry ? (size_t)(entry->row - config->rows) : row_of_key(config, key);
    if (config->rows[row].type != type && config->rows[row].type != other)
        bug(key, "is asked for as another type than its row has");
    if (entry)
        return &entry->typed;
    return config->patterns[row].has_default ? &config->patterns[row].fallback : NULL;
}

bool config_has(const config_t *config, const char *key) {
    return find_entry(config, key) != NULL;
}

int config_line(const config_t *config, const char *key) {
    const config_entry_t *entry = find_entry(config, key);
    return !entry ? 0 : entry->line;
}

const char *config_string(const config_t *config, const char *key) {
    const config_typed_t *typed = lookup(config, key, CONFIG_STRING, CONFIG_CHOICE);
    return !typed ? NULL : typed->raw.string;
}

int64_t config_integer(const config_t *config, const char *key) {
    const config_typed_t *typed = lookup(config, key, CONFIG_INTEGER, CONFIG_INTEGER);
    return !typed ? 0 : typed->raw.integer;
}

double config_number(const config_t *config, const char *key) {
    const config_typed_t *typed = lookup(config, key, CONFIG_NUMBER, CONFIG_NUMBER);
    if (!typed)
        return (double)NAN;
    return typed->raw.kind == CONFIG_KIND_INTEGER ? (double)typed->raw.integer : typed->raw.number;
}

bool config_boolean(const config_t *config, const char *key) {
    const config_typed_t *typed = lookup(config, key, CONFIG_BOOLEAN, CONFIG_BOOLEAN);
    return typed && typed->raw.boolean;
}

money_t config_money(const config_t *config, const char *key) {
    const config_typed_t *typed = lookup(config, key, CONFIG_MONEY, CONFIG_MONEY);
    return !typed ? MONEY_ZERO : typed->money;
}

size_t config_strings(const config_t *config, const char *key, const char *const **strings) {
    const config_typed_t *typed = lookup(config, key, CONFIG_STRING_LIST, CONFIG_STRING_LIST);
    *strings = !typed ? NULL : typed->strings;
    return !typed ? 0 : typed->raw.count;
}

size_t config_numbers(const config_t *config, const char *key, const double **numbers) {
    const config_typed_t *typed = lookup(config, key, CONFIG_NUMBER_LIST, CONFIG_NUMBER_LIST);
    *numbers = !typed ? NULL : typed->numbers;
    return !typed ? 0 : typed->raw.count;
}

bool config_refuse(const config_t *config, const char *key, error_info_t *error, const char *format,
                   ...) {
    char what[ERROR_MESSAGE_SIZE];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(what, sizeof what, format, arguments);
    va_end(arguments);
    const config_entry_t *entry = find_entry(config, key);
    if (entry)
        return config_refuse_entry(config, entry, what, error);
    return error_set(error, ERROR_CONFIG, "%s: %s: %s", config->name, key, what);
}
