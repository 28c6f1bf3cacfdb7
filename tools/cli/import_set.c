/* import_set.c - a batch at a time into the store, each in one transaction. */
#include "tools/cli/import_set.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/memory.h"

/* --- what is wanted --------------------------------------------------------------------------- */

static int compare_ids(const void *a, const void *b) {
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static bool load_known(import_t *import, error_info_t *error) {
    store_txn_t *txn = store_read_begin(import->store, error);
    if (!txn)
        return false;
    record_set_t set;
    if (records_set_find(txn, import->set, &set)) {
        import->known = MEMORY_NEW_ARRAY((size_t)set.count + 1, char *);
        hash_t neuron;
        for (uint32_t i = 0; i < set.count; i++)
            if (records_set_member(txn, set.content, i, &neuron,
                                   &import->known[import->known_count]))
                import->known_count++;
        qsort(import->known, import->known_count, sizeof *import->known, compare_ids);
    }
    import->content = set;
    store_read_end(txn);
    return true;
}

bool import_is_known(const import_t *import, neuron_name_t name) {
    if (import->refresh || import->known_count == 0)
        return false;
    char *id = memory_format("%d:%d", name.layer, name.index);
    bool known = bsearch(&id, import->known, import->known_count, sizeof *import->known,
                         compare_ids) != NULL;
    free(id);
    return known;
}

bool import_is_wanted_layer(const import_t *import, int32_t layer) {
    bool wanted = import->layers.count == 0;
    for (size_t i = 0; i < import->layers.count && !wanted; i++)
        wanted = import->layers.layers[i] == layer;
    return wanted;
}

/* For neurons out of plain files, which may be anything. */
bool import_is_wanted(import_t *import, const neuron_record_t *neuron) {
    if (import->layers.count == 0 && import->names.count == 0)
        return true;
    bool wanted = import->names.count == 0 && import_is_wanted_layer(import, neuron->layer);
    for (size_t i = 0; i < import->names.count && !wanted; i++)
        if (import->names.names[i].layer == neuron->layer &&
            import->names.names[i].index == neuron->index)
            wanted = import->found[i] = true;
    return wanted && neuron->source == NEURON_SOURCE_SUBJECT;
}

static bool read_selection(import_t *import, const option_list_t *options, error_info_t *error) {
    const char *layers = option_get(options, "layers"), *names = option_get(options, "neurons");
    if (layers && names)
        return error_set(error, ERROR_USAGE, "give --layers or --neurons, not both");
    if (layers && !neuron_layers_parse(layers, &import->layers, error))
        return false;
    if (names && !neuron_names_parse(names, &import->names, error))
        return false;
    import->found = MEMORY_NEW_ARRAY(import->names.count + 1, bool);
    return true;
}

bool import_set_begin(import_t *import, const option_list_t *options, error_info_t *error) {
    import->batch.neurons = MEMORY_NEW_ARRAY(IMPORT_BATCH, neuron_record_t *);
    return read_selection(import, options, error) && load_known(import, error);
}

/* --- into the store --------------------------------------------------------------------------- */

static bool apply_batch(store_txn_t *txn, void *context, error_info_t *error) {
    import_t *import = context;
    records_set_clear(&import->content);
    return records_set_merge(txn, import->set, import->origin, &import->batch, &import->content,
                             error);
}

static void clear_batch(import_t *import) {
    for (size_t i = 0; i < import->batch.count; i++)
        neuron_record_free(import->batch.neurons[i]);
    import->batch.count = 0;
}

bool import_commit(import_t *import, error_info_t *error) {
    if (import->batch.count == 0)
        return true;
    if (!store_write(import->store, apply_batch, import, error))
        return false;
    import->imported += import->batch.count;
    clear_batch(import);
    return true;
}

/* Takes the neuron, also on failure. */
bool import_add_neuron(import_t *import, neuron_record_t *neuron, error_info_t *error) {
    bool full = import->batch.count == IMPORT_BATCH;
    /* The later of two with one id replaces the earlier, which cannot be in the
     * same transaction. */
    for (size_t i = 0; i < import->batch.count && !full; i++)
        full = !strcmp(import->batch.neurons[i]->id, neuron->id);
    if (full && !import_commit(import, error)) {
        neuron_record_free(neuron);
        return false;
    }
    import->batch.neurons[import->batch.count++] = neuron;
    return true;
}

/* The one neuron of a file that is named after it. Takes the list. */
neuron_record_t *import_single(neuron_list_t *list, neuron_name_t name, const char *where,
                               error_info_t *error) {
    neuron_record_t *neuron = list->count == 1 ? list->neurons[0] : NULL;
    if (neuron && neuron->layer == name.layer && neuron->index == name.index) {
        list->count = 0;
    } else {
        error_set(error, ERROR_CONFIG, "%s: it holds %s%s, not neuron %d:%d", where,
                  neuron ? "" : "several records", neuron ? neuron->id : "", name.layer,
                  name.index);
        neuron = NULL;
    }
    neuron_list_free(list);
    return neuron;
}

void import_set_clear(import_t *import) {
    clear_batch(import);
    buffer_free(&import->missing.names);
    fetcher_free(import->fetcher);
    for (size_t i = 0; i < import->known_count; i++)
        free(import->known[i]);
    free(import->known);
    free(import->batch.neurons);
    free(import->layers.layers);
    free(import->names.names);
    free(import->found);
    records_set_clear(&import->content);
}
