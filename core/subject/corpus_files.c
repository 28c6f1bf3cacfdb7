/* corpus_files.c - walking through files and directories. */
#include "core/subject/corpus_files.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "core/base/memory.h"
#include "core/base/text.h"
#include "core/subject/corpus.h"

static bool check_name(const char *path, error_info_t *error) {
    static const char *const foreign[] = {".xz",      ".bz2",   ".lz4", ".br",     ".zip",
                                          ".7z",      ".tar",   ".tgz", ".tar.gz", ".tar.zst",
                                          ".parquet", ".arrow", ".npy", ".pdf"};
    for (size_t i = 0; i < sizeof foreign / sizeof foreign[0]; i++)
        if (text_ends_with(path, foreign[i]))
            return error_set(
                error, ERROR_CONFIG,
                "%s: a corpus is text or JSON lines, plain or packed as .gz or .zst; %s is neither",
                path, foreign[i]);
    return true;
}

/* Takes `path` over. */
static bool add(corpus_files_t *files, char *path, uint64_t size, bool unsized,
                error_info_t *error) {
    if (!check_name(path, error) ||
        (files->count == CORPUS_MAX_FILES &&
         !error_set(error, ERROR_CONFIG, "%s: the corpus has more than %d files", path,
                    CORPUS_MAX_FILES))) {
        free(path);
        return false;
    }
    if (files->count == files->capacity) {
        files->capacity = files->capacity ? 2 * files->capacity : 16;
        files->files = memory_resize(files->files, files->capacity, sizeof *files->files);
    }
    files->files[files->count++] = (corpus_file_t){path, size, unsized};
    return true;
}

typedef struct {
    char **names; /* [count] */
    size_t count, capacity;
} names_t;

static int compare_names(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static bool read_names(const char *path, names_t *names, error_info_t *error) {
    DIR *directory = opendir(path);
    if (!directory)
        return error_set(error, ERROR_CONFIG, "%s: cannot read the directory: %s", path,
                         strerror(errno));
    const struct dirent *entry;
    while ((entry = readdir(directory)) && names->count <= CORPUS_MAX_FILES) {
        if (entry->d_name[0] == '.')
            continue;
        if (names->count == names->capacity) {
            names->capacity = names->capacity ? 2 * names->capacity : 64;
            names->names = memory_resize(names->names, names->capacity, sizeof *names->names);
        }
        names->names[names->count++] = memory_copy_string(entry->d_name);
    }
    closedir(directory);
    if (names->count > 0)
        qsort(names->names, names->count, sizeof *names->names, compare_names);
    return true;
}

static bool add_path(corpus_files_t *files, const char *path, int depth, error_info_t *error);

static bool add_directory(corpus_files_t *files, const char *path, int depth, error_info_t *error) {
    if (depth == CORPUS_MAX_DEPTH)
        return error_set(error, ERROR_CONFIG,
                         "%s: more than %d directories in each other; is a link going round?", path,
                         CORPUS_MAX_DEPTH);
    names_t names = {0};
    bool good = read_names(path, &names, error);
    for (size_t i = 0; i < names.count; i++) {
        char *child =
            memory_format(text_ends_with(path, "/") ? "%s%s" : "%s/%s", path, names.names[i]);
        good = good && add_path(files, child, depth + 1, error);
        free(child);
        free(names.names[i]);
    }
    free(names.names);
    return good;
}

static bool add_path(corpus_files_t *files, const char *path, int depth, error_info_t *error) {
    struct stat status;
    if (stat(path, &status) != 0)
        return error_set(error, ERROR_CONFIG, "%s: %s", path, strerror(errno));
    if (S_ISDIR(status.st_mode))
        return add_directory(files, path, depth, error);
    /* A pipe may be named; one that lies about in a directory would only hang. */
    if (!S_ISREG(status.st_mode) && depth > 0)
        return true;
    bool sized = S_ISREG(status.st_mode);
    return add(files, memory_copy_string(path), sized ? (uint64_t)status.st_size : 0, !sized,
               error);
}

bool corpus_files_list(const char *const *paths, size_t count, corpus_files_t *files,
                       error_info_t *error) {
    *files = (corpus_files_t){0};
    bool good = true, input = false;
    for (size_t i = 0; i < count && good; i++) {
        bool is_input = !strcmp(paths[i], "-");
        if (is_input && input)
            good = error_set(error, ERROR_CONFIG, "the corpus names standard input (\"-\") twice");
        else if (is_input || !strcmp(paths[i], CORPUS_EMBEDDED))
            good = add(files, memory_copy_string(paths[i]), 0, is_input, error);
        else
            good = add_path(files, paths[i], 0, error);
        input |= is_input;
    }
    if (good && files->count == 0)
        good = error_set(error, ERROR_CONFIG,
                         count == 0 ? "no corpus is named" : "%s: no file of a corpus is in it",
                         count == 0 ? "" : paths[0]);
    if (!good)
        corpus_files_clear(files);
    return good;
}

void corpus_files_clear(corpus_files_t *files) {
    for (size_t i = 0; i < files->count; i++)
        free(files->files[i].path);
    free(files->files);
    *files = (corpus_files_t){0};
}
