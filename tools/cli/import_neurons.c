/* import_neurons.c - neuron records from files and directories; all of `glia import neurons` and
 * `glia import puzzles`.
 */
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "core/base/json.h"
#include "core/base/memory.h"
#include "core/base/numbers.h"
#include "tools/cli/import_set.h"

/* --- plain files ------------------------------------------------------------------------------ */

static bool import_file(import_t *import, const char *path, error_info_t *error) {
    neuron_list_t list;
    bool good = neuron_json_read(path, &list, error);
    for (size_t i = 0; good && i < list.count; i++) {
        if (!import_is_wanted(import, list.neurons[i]))
            continue;
        good = import_add_neuron(import, list.neurons[i], error);
        list.neurons[i] = NULL;
    }
    neuron_list_free(&list);
    return good;
}

/* --- directories of {layer}/{neuron}.json ----------------------------------------------------- */

static int compare_numbers(const void *a, const void *b) {
    int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;
    return (x > y) - (x < y);
}

/* The entries "<number><ending>" of a directory, sorted; owned by the caller. */
static bool list_numbers(const char *path, const char *ending, int32_t **numbers, size_t *count,
                         error_info_t *error) {
    *numbers = NULL;
    *count = 0;
    DIR *directory = opendir(path);
    if (!directory)
        return error_set(error, ERROR_CONFIG, "%s: cannot read the directory: %s", path,
                         strerror(errno));
    size_t capacity = 0;
    for (struct dirent *entry = readdir(directory); entry; entry = readdir(directory)) {
        uint64_t number;
        size_t digits = strspn(entry->d_name, "0123456789");
        if (strcmp(entry->d_name + digits, ending) != 0 ||
            !number_parse_whole(entry->d_name, digits, INT32_MAX, &number))
            continue;
        if (*count == capacity) {
            capacity = capacity ? 2 * capacity : 64;
            *numbers = memory_resize(*numbers, capacity, sizeof **numbers);
        }
        (*numbers)[(*count)++] = (int32_t)number;
    }
    closedir(directory);
    if (*count > 1)
        qsort(*numbers, *count, sizeof **numbers, compare_numbers);
    return true;
}

static bool import_named_file(import_t *import, const char *directory, neuron_name_t name,
                              error_info_t *error) {
    if (import_is_known(import, name)) {
        import->skipped++;
        return true;
    }
    char *path = memory_format("%s/%d/%d.json", directory, name.layer, name.index);
    neuron_list_t list;
    neuron_record_t *neuron = NULL;
    if (neuron_json_read(path, &list, error))
        neuron = import_single(&list, name, path, error);
    free(path);
    return neuron && import_add_neuron(import, neuron, error);
}

static bool import_layer(import_t *import, const char *directory, int32_t layer,
                         error_info_t *error) {
    char *path = memory_format("%s/%d", directory, layer);
    int32_t *indices;
    size_t count;
    bool good = list_numbers(path, ".json", &indices, &count, error);
    free(path);
    if (good && count == 0)
        import_note_missing(&import->missing, "layer %d", layer);
    for (size_t i = 0; good && i < count; i++)
        good = import_named_file(import, directory,
                                 (neuron_name_t){.layer = layer, .index = indices[i]}, error);
    free(indices);
    return good;
}

static bool file_exists(const char *directory, neuron_name_t name) {
    struct stat status;
    char *path = memory_format("%s/%d/%d.json", directory, name.layer, name.index);
    bool exists = stat(path, &status) == 0;
    free(path);
    return exists;
}

static bool import_directory_names(import_t *import, const char *directory, error_info_t *error) {
    bool good = true;
    for (size_t i = 0; good && i < import->names.count; i++) {
        neuron_name_t name = import->names.names[i];
        import->found[i] =
            import->found[i] || import_is_known(import, name) || file_exists(directory, name);
        if (import->found[i])
            good = import_named_file(import, directory, name, error);
    }
    return good;
}

/* A copy of the public layout may be named by its base. */
static char *layers_directory(const char *path) {
    struct stat status;
    char *inner = memory_format("%s/collated-activations", path);
    if (stat(inner, &status) == 0 && S_ISDIR(status.st_mode))
        return inner;
    free(inner);
    return memory_copy_string(path);
}

static bool import_directory_layers(import_t *import, const char *directory, error_info_t *error) {
    int32_t *layers;
    size_t count;
    bool good = list_numbers(directory, "", &layers, &count, error);
    if (good && count == 0)
        good = error_set(error, ERROR_CONFIG, "%s: it holds no files LAYER/NEURON.json", directory);
    for (size_t i = 0; good && i < import->layers.count; i++)
        if (!bsearch(&import->layers.layers[i], layers, count, sizeof *layers, compare_numbers))
            import_note_missing(&import->missing, "layer %d", import->layers.layers[i]);
    for (size_t i = 0; good && i < count; i++)
        if (import_is_wanted_layer(import, layers[i]))
            good = import_layer(import, directory, layers[i], error);
    free(layers);
    return good;
}

static bool import_directory(import_t *import, const char *path, error_info_t *error) {
    char *directory = layers_directory(path);
    bool good = import->names.count ? import_directory_names(import, directory, error)
                                    : import_directory_layers(import, directory, error);
    free(directory);
    return good;
}

/* --- all of it -------------------------------------------------------------------------------- */

static bool import_argument(import_t *import, const char *argument, error_info_t *error) {
    struct stat status;
    import->origin = argument;
    bool good;
    if (import_is_url(argument))
        good = import_base(import, argument, error);
    else if (stat(argument, &status) == 0 && S_ISDIR(status.st_mode))
        good = import_directory(import, argument, error);
    else
        good = import_file(import, argument, error);
    error_info_t ignored;
    return import_commit(import, good ? error : &ignored) && good;
}

static void write_result(const import_t *import, bool json, buffer_t *out) {
    unsigned long long imported = import->imported, skipped = import->skipped;
    if (json) {
        buffer_append_text(out, "{\"set\":");
        json_write_text(out, import->set);
        buffer_append_format(out, ",\"imported\":%llu,\"skipped\":%llu,\"count\":%u}\n", imported,
                             skipped, import->content.count);
        return;
    }
    buffer_append_format(out, "set %s: %llu imported", import->set, imported);
    if (skipped)
        buffer_append_format(out, ", %llu skipped (the set has them)", skipped);
    buffer_append_format(out, "; it holds %u\n", import->content.count);
}

static bool carry_out(import_t *import, const option_list_t *options, error_info_t *error) {
    bool good = import_set_begin(import, options, error);
    for (size_t i = 1; good && i < options->argument_count; i++)
        good = import_argument(import, options->arguments[i], error);
    for (size_t i = 0; good && i < import->names.count; i++)
        if (!import->found[i])
            import_note_missing(&import->missing, "%d:%d", import->names.names[i].layer,
                                import->names.names[i].index);
    return good;
}

bool import_neurons(store_t *store, const option_list_t *options, buffer_t *out,
                    error_info_t *error) {
    import_t import = {.store = store, .refresh = option_given(options, "refresh")};
    import.set = import_target(options, "set", error);
    bool good = import.set && carry_out(&import, options, error);
    if (good && import.imported + import.skipped > 0)
        write_result(&import, option_given(options, "json"), out);
    else if (good && import.missing.count == 0)
        good = error_set(error, ERROR_CONFIG, "there is no neuron to import in what was named");
    good = good && import_check_missing(&import.missing, error);
    import_set_clear(&import);
    return good;
}

/* --- puzzles ---------------------------------------------------------------------------------- */

typedef struct {
    const char *set, *path;
    neuron_list_t list;
    record_set_t content;
} puzzles_t;

static bool apply_puzzles(store_txn_t *txn, void *context, error_info_t *error) {
    puzzles_t *puzzles = context;
    records_set_clear(&puzzles->content);
    return records_set_put(txn, puzzles->set, puzzles->path, &puzzles->list, &puzzles->content,
                           error);
}

static bool check_puzzles(const puzzles_t *puzzles, error_info_t *error) {
    for (size_t i = 0; i < puzzles->list.count; i++)
        if (puzzles->list.neurons[i]->source != NEURON_SOURCE_PUZZLE)
            return error_set(error, ERROR_CONFIG,
                             "%s: %s is no puzzle; `glia import neurons` takes other records",
                             puzzles->path, puzzles->list.neurons[i]->id);
    return true;
}

bool import_puzzles(store_t *store, const option_list_t *options, buffer_t *out,
                    error_info_t *error) {
    puzzles_t puzzles = {.set = import_target(options, "set", error),
                         .path = options->arguments[1]};
    if (options->argument_count > 2)
        return error_set(error, ERROR_USAGE, "a set of puzzles is one file; put them together");
    bool good = puzzles.set && neuron_json_read(puzzles.path, &puzzles.list, error) &&
                check_puzzles(&puzzles, error) &&
                store_write(store, apply_puzzles, &puzzles, error);
    if (good) {
        import_t import = {
            .set = puzzles.set, .imported = puzzles.list.count, .content = puzzles.content};
        write_result(&import, option_given(options, "json"), out);
    }
    neuron_list_free(&puzzles.list);
    records_set_clear(&puzzles.content);
    return good;
}
