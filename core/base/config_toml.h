/* config_toml.h - TOML text as a flat list of nodes; private to config*.c. The C face of toml++. */
#ifndef GLIA_BASE_CONFIG_TOML_H
#define GLIA_BASE_CONFIG_TOML_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum {
    CONFIG_KIND_STRING,
    CONFIG_KIND_INTEGER,
    CONFIG_KIND_FLOAT,
    CONFIG_KIND_BOOLEAN,
    CONFIG_KIND_DATE, /* any of TOML's dates and times; no row takes one, so it has no value */
    CONFIG_KIND_LIST,
    CONFIG_KIND_TABLE,
} config_kind_t;

typedef struct config_value {
    config_kind_t kind;
    char *string; /* STRING: UTF-8, terminated; may hold NUL bytes */
    size_t length;
    int64_t integer;
    double number; /* FLOAT */
    bool boolean;
    struct config_value *elements; /* LIST; a table in a list has kind TABLE and nothing else */
    size_t count;
} config_value_t;

typedef struct {
    char **segments; /* the key, part by part; no part holds a NUL byte */
    size_t segment_count;
    int line;
    config_value_t value;
} config_node_t;

/* Every table (before what is in it) and every value, table by table. */
typedef struct {
    config_node_t *nodes;
    size_t count;
    size_t capacity;
} config_nodes_t;

typedef struct {
    int line;
    char message[512];
} config_failure_t;

/* Appends what the text holds. On failure says why; the list may have grown and must be freed as
 * ever. Text that is nested more than 32 brackets or 32 dots of one key deep is refused, which
 * bounds recursion. */
bool config_toml_parse(const char *text, size_t length, config_nodes_t *list,
                       config_failure_t *failure);
void config_toml_free(config_nodes_t *list);
void config_node_free(config_node_t *node);
void config_value_free(config_value_t *value); /* what it owns, not itself */

#ifdef __cplusplus
}
#endif

#endif
