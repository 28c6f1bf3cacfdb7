/* import_shared.c - bases, names and what is missing. */
#include "tools/cli/import.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/base/memory.h"
#include "core/base/text.h"

bool import_is_url(const char *argument) {
    return strstr(argument, "://") != NULL;
}

bool import_check_base(const char *base, error_info_t *error) {
    if (!text_starts_with(base, "http://") && !text_starts_with(base, "https://"))
        return error_set(error, ERROR_USAGE, "%s: a base URL starts with http:// or https://",
                         base);
    if (strlen(base) > IMPORT_MAX_BASE)
        return error_set(error, ERROR_USAGE, "the base URL has more than %d bytes",
                         IMPORT_MAX_BASE);
    if (strpbrk(base, "@?# "))
        return error_set(
            error, ERROR_USAGE,
            "leave user, password, query and fragment out of the base URL: it is kept in "
            "the store as the origin of the set");
    return true;
}

char *import_url(const char *base, const char *folder, neuron_name_t name, const char *ending) {
    size_t length = strlen(base);
    while (length > 0 && base[length - 1] == '/')
        length--;
    return memory_format("%.*s/%s/%d/%d%s", (int)length, base, folder, name.layer, name.index,
                         ending);
}

const char *import_target(const option_list_t *options, const char *option, error_info_t *error) {
    const char *name = option_get(options, option);
    if (!name || !*name)
        error_set(error, ERROR_USAGE, "--%s NAME is missing: what to call it in the store", option);
    else if (text_ends_with(name, "/"))
        error_set(error, ERROR_USAGE, "--%s %s: names with a slash at the end are glia's own",
                  option, name);
    else if (text_utf8_valid_prefix(name, strlen(name)) != strlen(name) || strlen(name) > 200)
        error_set(error, ERROR_USAGE, "--%s: a name is UTF-8 and has at most 200 bytes", option);
    else
        return name;
    return NULL;
}

void import_note_missing(import_missing_t *missing, const char *format, ...) {
    char text[256];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (missing->count < IMPORT_NAMED)
        buffer_append_format(&missing->names, "%s%s", missing->count ? ", " : "", text);
    missing->count++;
}

bool import_check_missing(import_missing_t *missing, error_info_t *error) {
    uint64_t count = missing->count;
    if (count > 0)
        error_set(error, ERROR_CONFIG, "not there: %s%s (%llu in all); the rest was imported",
                  buffer_text(&missing->names), count > IMPORT_NAMED ? ", ..." : "",
                  (unsigned long long)count);
    buffer_free(&missing->names);
    missing->count = 0;
    return count == 0;
}

void import_show_progress(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
}
