/* config_set.c - "--set key=value": which key is meant, what the value is, and what it replaces. */
#include <stdlib.h>
#include <string.h>

#include "core/base/config_internal.h"
#include "core/base/memory.h"
#include "core/base/text.h"

typedef struct {
    const char *text; /* "key=value" */
    char *key;
    char *value;
    char **segments; /* the key once it is understood */
    size_t segment_count;
} assignment_t;

static char *trimmed(const char *text, size_t length) {
    while (length > 0 && strchr(" \t\r\n", text[0])) {
        text++;
        length--;
    }
    while (length > 0 && strchr(" \t\r\n", text[length - 1]))
        length--;
    return memory_copy(text, length);
}

static bool refuse(const assignment_t *assignment, const char *what, error_info_t *error) {
    return error_set(error, ERROR_CONFIG, "--set %s: %s", assignment->text, what);
}

/* Splits at the first = outside of quotes. */
static bool split_assignment(assignment_t *assignment, error_info_t *error) {
    char quote = '\0';
    const char *at = assignment->text;
    for (; *at != '\0' && (quote != '\0' || *at != '='); at++)
        if (quote == '"' && *at == '\\' && at[1] != '\0')
            at++;
        else if (quote != '\0')
            quote = *at == quote ? '\0' : quote;
        else if (*at == '"' || *at == '\'')
            quote = *at;
    if (*at != '=')
        return refuse(assignment, "has no \"=\"; write key=value", error);
    assignment->key = trimmed(assignment->text, (size_t)(at - assignment->text));
    assignment->value = trimmed(at + 1, strlen(at + 1));
    return true;
}

/* Reads the key as TOML's dotted key. */
static bool parse_key(const char *key, char ***segments, size_t *count) {
    if (strpbrk(key, "\r\n"))
        return false;
    char *text = memory_format("%s = 0", key);
    config_nodes_t nodes = {0};
    config_failure_t failure;
    bool done = config_toml_parse(text, strlen(text), &nodes, &failure);
    /* The tables of the key come first, the value last; anything else was not one key. */
    done = done && nodes.count > 0 && nodes.nodes[nodes.count - 1].segment_count == nodes.count &&
           nodes.nodes[nodes.count - 1].value.kind == CONFIG_KIND_INTEGER;
    if (done) {
        config_node_t *last = &nodes.nodes[nodes.count - 1];
        *segments = last->segments;
        *count = last->segment_count;
        last->segments = NULL;
        last->segment_count = 0;
    }
    config_toml_free(&nodes);
    free(text);
    return done;
}

/* The one row, and the one way, in which the key fits without quotes around its names. */
static bool split_key(const config_t *config, assignment_t *assignment, bool *ambiguous) {
    *ambiguous = false;
    for (size_t i = 0; i < config->row_count; i++) {
        char **segments = NULL;
        size_t ways = config_pattern_split(&config->patterns[i], assignment->key, &segments);
        if (ways == 0)
            continue;
        if (ways > 1 || assignment->segments) {
            config_segments_free(segments, config->patterns[i].segment_count);
            *ambiguous = true;
            return false;
        }
        assignment->segments = segments;
        assignment->segment_count = config->patterns[i].segment_count;
    }
    return assignment->segments != NULL;
}

static bool resolve_key(const config_t *config, assignment_t *assignment, error_info_t *error) {
    char **segments = NULL;
    size_t count = 0;
    bool parsed = parse_key(assignment->key, &segments, &count);
    if (parsed &&
        (config_row_of(config, segments, count) || config_is_table(config, segments, count))) {
        assignment->segments = segments;
        assignment->segment_count = count;
        return true;
    }
    bool ambiguous;
    bool split = split_key(config, assignment, &ambiguous);
    if (!split && !ambiguous && parsed) {
        assignment->segments = segments; /* the check of all entries says what is known */
        assignment->segment_count = count;
        return true;
    }
    config_segments_free(segments, count);
    if (ambiguous)
        return refuse(assignment, "the key can be read in several ways; put the name in quotes",
                      error);
    return split ||
           refuse(assignment,
                  "has no key; write table.key=value, names with special characters in quotes",
                  error);
}

static config_value_t string_value(const char *text) {
    config_value_t value = {.kind = CONFIG_KIND_STRING, .length = strlen(text)};
    value.string = memory_copy_string(text);
    return value;
}

/* The value as TOML, its nodes' keys below "v". */
static bool parse_toml(const char *value, config_nodes_t *nodes, config_failure_t *failure) {
    *failure = (config_failure_t){.message = "is more than one value"};
    char *text = memory_format("v = %s", value);
    bool done = config_toml_parse(text, strlen(text), nodes, failure);
    for (size_t i = 0; done && i < nodes->count; i++)
        done = strcmp(nodes->nodes[i].segments[0], "v") == 0;
    free(text);
    return done;
}

/* Where a string is wanted, anything without quotes is taken as it stands: --set
 * run.name=2026. Elsewhere what is no TOML is a bare word, unless it begins like one of TOML's
 * brackets or quotes. */
static bool parse_value(const config_t *config, const assignment_t *assignment,
                        config_nodes_t *nodes, error_info_t *error) {
    const config_row_t *row =
        config_row_of(config, assignment->segments, assignment->segment_count);
    bool wants_string = row && (row->type == CONFIG_STRING || row->type == CONFIG_CHOICE);
    char first = assignment->value[0];
    bool quoted = first == '"' || first == '\'';
    if (quoted || (!wants_string && first != '\0')) {
        config_failure_t failure;
        if (parse_toml(assignment->value, nodes, &failure))
            return true;
        if (quoted || first == '[' || first == '{')
            return refuse(assignment, failure.message, error);
    }
    config_toml_free(nodes);
    nodes->nodes = MEMORY_NEW(config_node_t);
    nodes->count = nodes->capacity = 1;
    nodes->nodes[0].value = string_value(assignment->value);
    return true;
}

/* Gives the node the assignment's key in the place of its "v". */
static void move_below(config_node_t *node, const assignment_t *assignment) {
    size_t below = node->segment_count > 0 ? node->segment_count - 1 : 0;
    size_t count = assignment->segment_count + below;
    char **segments = MEMORY_NEW_ARRAY(count, char *);
    for (size_t i = 0; i < count; i++)
        segments[i] = memory_copy_string(i < assignment->segment_count
                                             ? assignment->segments[i]
                                             : node->segments[i - assignment->segment_count + 1]);
    config_segments_free(node->segments, node->segment_count);
    node->segments = segments;
    node->segment_count = count;
    node->line = 0;
}

static bool same_key(const config_entry_t *entry, char *const *segments, size_t count) {
    if (entry->segment_count != count)
        return false;
    for (size_t i = 0; i < count; i++)
        if (strcmp(entry->segments[i], segments[i]) != 0)
            return false;
    return true;
}

static config_entry_t *find_entry(const config_t *config, char *const *segments, size_t count) {
    for (size_t i = 0; i < config->entry_count; i++)
        if (same_key(&config->entries[i], segments, count))
            return &config->entries[i];
    return NULL;
}

static void replace_or_add(config_t *config, config_node_t *node, const char *origin) {
    config_entry_t *entry = find_entry(config, node->segments, node->segment_count);
    if (!entry) {
        config_add_entry(config, node, origin);
        return;
    }
    config_value_free(&entry->typed.raw);
    entry->typed.raw = node->value;
    node->value = (config_value_t){0};
    config_node_free(node);
    entry->line = 0;
    free(entry->origin);
    entry->origin = memory_copy_string(origin);
}

/* The tables that the key implies, as a file would have them. */
static void add_tables(config_t *config, const assignment_t *assignment) {
    for (size_t depth = 1; depth < assignment->segment_count; depth++) {
        if (find_entry(config, assignment->segments, depth))
            continue;
        config_node_t node = {.segment_count = depth, .value = {.kind = CONFIG_KIND_TABLE}};
        node.segments = MEMORY_NEW_ARRAY(depth, char *);
        for (size_t i = 0; i < depth; i++)
            node.segments[i] = memory_copy_string(assignment->segments[i]);
        config_add_entry(config, &node, assignment->text);
    }
}

bool config_apply_assignment(config_t *config, const char *text, error_info_t *error) {
    assignment_t assignment = {.text = text};
    if (text_utf8_valid_prefix(text, strlen(text)) != strlen(text))
        return refuse(&assignment, "is not UTF-8", error);
    config_nodes_t nodes = {0};
    bool done = split_assignment(&assignment, error) && resolve_key(config, &assignment, error) &&
                parse_value(config, &assignment, &nodes, error);
    if (done) {
        add_tables(config, &assignment);
        for (size_t i = 0; i < nodes.count; i++) {
            move_below(&nodes.nodes[i], &assignment);
            replace_or_add(config, &nodes.nodes[i], text);
        }
        nodes.count = 0;
    }
    config_toml_free(&nodes);
    config_segments_free(assignment.segments, assignment.segment_count);
    free(assignment.key);
    free(assignment.value);
    return done;
}
