/* few_shot.h - the worked examples that a prompt shows before it asks.
 *
 * The file is a JSON array of {"explanation", "records": [{"tokens", "activations"}],
 * "first_revealed_activation_indices"?}: the published form. The indices say, per record,
 * from which token on a simulation prompt shows the value instead of "unknown"; without them
 * every value is shown.
 */
#ifndef GLIA_PROMPTS_FEW_SHOT_H
#define GLIA_PROMPTS_FEW_SHOT_H

#include <stddef.h>

#include "core/base/buffer.h"
#include "core/base/error.h"
#include "core/base/hash.h"
#include "core/neuron/neuron.h"

enum {
    FEW_SHOT_MAX_EXAMPLES = 64,
    FEW_SHOT_MAX_RECORDS = 64, /* per example */
    FEW_SHOT_MAX_FILE = 4 << 20,
};

typedef struct {
    char *explanation;
    record_list_t records;
    size_t *first_revealed; /* [records.count], each 0..tokens of that record */
    split_list_t view;      /* the same records, in the form that explain.h takes */
} few_shot_example_t;

typedef struct {
    size_t count;
    few_shot_example_t *examples; /* [count], owned */
} few_shot_list_t;

/* Parses all of `text`; `name` is the file for errors. Errors (CONFIG) name the member: no array,
 * too many examples, records or tokens, unequal lengths, empty tokens, activations that are not
 * finite. The list is empty after failure. */
bool few_shot_parse(const char *text, size_t length, const char *name, few_shot_list_t *list,
                    error_info_t *error);
/* releases the members; the list is empty afterwards */
void few_shot_list_free(few_shot_list_t *list);
/* Adds everything that can reach a prompt; the bytes of the file do not matter. */
void few_shot_hash(const few_shot_list_t *list, hash_builder_t *builder);
/* Appends the list as JSON in the form that few_shot_parse takes. */
void few_shot_write(const few_shot_list_t *list, buffer_t *out);

#endif
