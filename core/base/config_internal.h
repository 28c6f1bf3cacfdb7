/* config_internal.h - what config.c (loading, getters), config_key.c (keys and rows),
 * config_check.c (values) and config_dump.c share. */
#ifndef GLIA_BASE_CONFIG_INTERNAL_H
#define GLIA_BASE_CONFIG_INTERNAL_H

#include "core/base/config.h"
#include "core/base/config_toml.h"

/* A value as TOML has it and, once checked against a row, as the getters give it. */
typedef struct {
    config_value_t raw;
    money_t money;        /* MONEY */
    const char **strings; /* STRING_LIST: raw.count of them, borrowed from `raw` */
    double *numbers;      /* NUMBER_LIST: raw.count of them */
} config_typed_t;

/* A key that the user wrote, or a table. */
typedef struct {
    char **segments;
    size_t segment_count;
    char *flat;              /* the segments with dots between: what getters are asked for */
    int line;                /* 0: from --set */
    char *origin;            /* the --set assignment; NULL: from the file */
    const config_row_t *row; /* NULL: a table */
    config_typed_t typed;
} config_entry_t;

/* A row's key, split at its dots, and its default. */
typedef struct {
    char *text; /* the segments, each terminated */
    const char **segments;
    size_t segment_count;
    bool has_default;
    config_typed_t fallback;
} config_pattern_t;

/* A name that stands at a `*`, and the table in which it does. */
typedef struct {
    char *table; /* flat */
    char *name;
} config_name_t;

struct config {
    char *name;
    const config_row_t *rows;
    config_pattern_t *patterns; /* one a row */
    size_t row_count;
    config_entry_t *entries; /* sorted by `flat` once loaded */
    size_t entry_count;
    size_t entry_capacity;
    config_name_t *names;   /* sorted by table, then name */
    const char **name_list; /* name_list[i] is names[i].name */
    size_t name_count;
};

/* --- config_key.c: keys and rows --- */

/* Whether the first `count` segments fit the first `count` of the row. */
bool config_pattern_fits(const config_pattern_t *pattern, char *const *segments, size_t count);
/* The row of exactly these segments; with the fewest `*` if several fit; NULL: none. */
const config_row_t *config_row_of(const config_t *config, char *const *segments, size_t count);
/* Whether these segments are a table of some row. */
bool config_is_table(const config_t *config, char *const *segments, size_t count);
/* Ways in which a flat key (names as they are, dots and all) fits a row, counted up to 2; *segments
 * (owned, may be NULL if not wanted) is the first way, valid if the result is not 0. */
size_t config_pattern_split(const config_pattern_t *pattern, const char *flat, char ***segments);
void config_segments_free(char **segments, size_t count);
char *config_join(char *const *segments, size_t count); /* with dots, as they are; owned */
/* As TOML spells it: parts that are no bare keys in quotes. */
void config_append_key(buffer_t *out, char *const *segments, size_t count);
void config_append_string(buffer_t *out, const char *text);
/* Appends what is wrong with an entry that fits no row, and the fix. */
void config_explain_unknown(const config_t *config, const config_entry_t *entry, buffer_t *what);

/* --- config_check.c: values --- */

/* Converts typed->raw to what the row wants; on failure appends what is wrong with it. */
bool config_check_value(const config_row_t *row, config_typed_t *typed, buffer_t *what);
void config_typed_free(config_typed_t *typed);

/* --- config_set.c: --set --- */

/* Adds the entries of one assignment, replacing those that are there. */
bool config_apply_assignment(config_t *config, const char *assignment, error_info_t *error);

/* --- config.c --- */

/* Moves a node into a new entry, which is not checked yet. Takes over what the node owns. */
config_entry_t *config_add_entry(config_t *config, config_node_t *node, const char *origin);
/* As config_refuse(), for an entry. */
bool config_refuse_entry(const config_t *config, const config_entry_t *entry, const char *what,
                         error_info_t *error);

#endif
