/* neuron_json_entry.h - one entry of a neuron JSON text; private to neuron_json*.c. */
#ifndef GLIA_NEURON_NEURON_JSON_ENTRY_H
#define GLIA_NEURON_NEURON_JSON_ENTRY_H

#include <stdbool.h>
#include <stddef.h>

#include "core/base/error.h"
#include "core/base/json.h"
#include "core/neuron/neuron.h"

/* Where in an entry: a chain of members on the stack, spelled out only when
 * something is refused. */
typedef struct neuron_json_place {
    const struct neuron_json_place *up; /* NULL: the outermost value */
    const char *key;                    /* NULL: element `index` of an array */
    size_t index;
} neuron_json_place_t;

/* What the entry is read from, for errors. */
typedef struct {
    const char *name; /* of the file */
    size_t line;      /* JSONL: of the entry; 0: the text is one document */
    error_info_t *error;
} neuron_json_source_t;

/* Sets the error "file:line: path: what" (CONFIG). Returns false. A NULL place is the
 * outermost value. */
bool neuron_json_refuse(const neuron_json_source_t *source, const neuron_json_place_t *place,
                        const char *what);

/* By its members and their types, as in an object of puzzles any word may be a puzzle's name. */
bool neuron_json_is_entry(const json_value_t *value);
bool neuron_json_is_puzzle(const json_value_t *value);

/* The caller owns the record; NULL after a refusal. */
neuron_record_t *neuron_json_entry(const neuron_json_source_t *source,
                                   const neuron_json_place_t *place, const json_value_t *entry);

#endif
