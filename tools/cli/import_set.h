/* import_set.h - neuron records on their way into a set of the store. Private to import_*.c.
 *
 *   import_set.c      what is wanted, batches, commits     import_layout.c   the public HTTP layout
 *   import_neurons.c  files and directories; all of it
 */
#ifndef GLIA_TOOLS_CLI_IMPORT_SET_H
#define GLIA_TOOLS_CLI_IMPORT_SET_H

#include "core/neuron/neuron_json.h"
#include "store/records.h"
#include "tools/cli/import.h"

typedef struct {
    store_t *store;
    const char *set;
    const char *origin;
    bool refresh;             /* take again what the set has */
    layer_list_t layers;      /* empty: all */
    neuron_name_list_t names; /* empty: all */
    bool *found;              /* [names.count] */
    size_t known_count;
    char **known; /* [known_count] ids that the set had before, sorted */
    neuron_list_t batch;
    record_set_t content; /* after the last commit */
    uint64_t imported, skipped;
    import_missing_t missing;
    fetcher_t *fetcher; /* made when it is needed */
} import_t;

/* Reads --layers and --neurons, and the ids that the set has. */
bool import_set_begin(import_t *import, const option_list_t *options, error_info_t *error);
void import_set_clear(import_t *import);
/* The set has it, and it is not to be refreshed. */
bool import_is_known(const import_t *import, neuron_name_t name);
bool import_is_wanted_layer(const import_t *import, int32_t layer);
/* For neurons out of plain files, which may be anything; marks it as found. */
bool import_is_wanted(import_t *import, const neuron_record_t *neuron);
/* Takes the neuron, also on failure; commits a batch when one is full. */
bool import_add_neuron(import_t *import, neuron_record_t *neuron, error_info_t *error);
bool import_commit(import_t *import, error_info_t *error);
/* The one neuron of a file that is named after it; the caller owns it. Takes the list. NULL:
 * CONFIG, it is another. */
neuron_record_t *import_single(neuron_list_t *list, neuron_name_t name, const char *where,
                               error_info_t *error);

/* Fetches what --neurons or --layers name from <base>/collated-activations/L/N.json. */
bool import_base(import_t *import, const char *base, error_info_t *error);

#endif
