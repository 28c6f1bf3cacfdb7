/* command.c - what subcommands share: finding the config, the store and the run. */
#include "tools/cli/command.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "actors/sweep/snapshot.h"
#include "core/base/embedded.h"
#include "core/base/json.h"
#include "core/base/memory.h"
#include "core/base/text.h"

enum { CONFIG_MAXIMUM = 4 << 20 };

static const char *const DEFAULT_CONFIG = "config.toml";

/* --- the config ------------------------------------------------------------------------------- */

/* JSON's escapes are TOML's. */
char *command_assignment(const char *key, const char *value) {
    buffer_t text = BUFFER_EMPTY;
    buffer_append_format(&text, "%s=", key);
    json_write_text(&text, value);
    return buffer_take(&text);
}

bool command_read_config(const option_list_t *options, buffer_t *text, char **name,
                         error_info_t *error) {
    const char *path = option_get(options, "config");
    if (path || access(DEFAULT_CONFIG, F_OK) == 0) {
        *name = memory_copy_string(path ? path : DEFAULT_CONFIG);
        if (buffer_read_file(text, *name, CONFIG_MAXIMUM, error))
            return true;
        free(*name);
        return false;
    }
    embedded_file_t shipped;
    if (!embedded_find(DEFAULT_CONFIG, &shipped))
        return error_set(error, ERROR_BUG,
                         "the default config is not part of this program; name one with --config");
    buffer_append(text, shipped.data, shipped.size);
    *name = memory_copy_string("config.toml (shipped)");
    return true;
}

settings_t *command_settings(const option_list_t *options, bool offline, error_info_t *error) {
    buffer_t text = BUFFER_EMPTY;
    char *name = NULL;
    if (!command_read_config(options, &text, &name, error))
        return NULL;
    const char **assignments = MEMORY_NEW_ARRAY(options->count + 2, const char *);
    size_t count = 0;
    /* A --set that does not repeat is the command's own ("import --set NAME"). */
    for (size_t i = 0; i < options->count; i++)
        if (!strcmp(options->values[i].option->name, "set") && options->values[i].option->repeats)
            assignments[count++] = options->values[i].value;
    const char *store = option_get(options, "store");
    const char *run = option_get(options, "run");
    char *owned[2] = {store ? command_assignment("store.path", store) : NULL,
                      run ? command_assignment("run.name", run) : NULL};
    for (size_t i = 0; i < 2; i++)
        if (owned[i])
            assignments[count++] = owned[i];
    settings_t *settings =
        settings_load(buffer_text(&text), text.length, name, assignments, count, offline, error);
    free(assignments);
    free(owned[0]);
    free(owned[1]);
    free(name);
    buffer_free(&text);
    return settings;
}

/* --- the store -------------------------------------------------------------------------------- */

/* The directory of the store: owned; NULL with *error set. */
char *command_store_path(const option_list_t *options, error_info_t *error) {
    const char *path = option_get(options, "store");
    if (path)
        return memory_copy_string(path);
    settings_t *settings = command_settings(options, true, error);
    char *copy = settings ? memory_copy_string(settings->store_path) : NULL;
    settings_free(settings);
    return copy;
}

store_t *command_open_store(const option_list_t *options, error_info_t *error) {
    char *path = command_store_path(options, error);
    store_t *store = path ? store_open(path, STORE_READ, NULL, error) : NULL;
    free(path);
    return store;
}

store_t *command_open_store_to_write(const option_list_t *options, const char *what, bool create,
                                     error_info_t *error) {
    store_t *store = NULL;
    if (!create) {
        store = command_open_store(options, error);
        if (!store)
            return NULL;
        store_close(store);
    }
    char *path = command_store_path(options, error);
    store = path ? store_open(path, STORE_WRITE, NULL, error) : NULL;
    free(path);
    if (store)
        store_set_holder(store, what);
    return store;
}

/* --- the run ---------------------------------------------------------------------------------- */

bool command_find_run(store_t *store, const option_list_t *options, run_info_t *run,
                      settings_t **settings, error_info_t *error) {
    return snapshot_find_run(store, option_get(options, "run"), run, settings, error);
}

/* --- small things ----------------------------------------------------------------------------- */

int command_fail(error_info_t *error, error_class_t class_, const char *format, ...) {
    char text[ERROR_MESSAGE_SIZE];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    error_set(error, class_, "%s", text);
    return error_exit_code(class_);
}
