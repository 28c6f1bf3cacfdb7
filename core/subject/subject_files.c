/* subject_files.c - mapping the files of a subject model. */
#include "core/subject/subject_files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/memory.h"
#include "core/base/text.h"

/* Where the Makefile finds what it embeds. */
#define EMBEDDED_FOLDER "tools/subject/"

typedef struct mapped_file {
    struct mapped_file *next;
    char *name;
    void *bytes;
    size_t length; /* >= 1: an empty file is not mapped */
} mapped_file_t;

struct subject_files {
    char *directory;              /* NULL: in the program or in memory */
    const embedded_file_t *files; /* [count], or NULL: in the program */
    size_t count;
    mapped_file_t *mapped;
};

static const uint8_t no_bytes[1];

static bool has_embedded(void) {
    embedded_file_t file;
    for (size_t i = 0; embedded_at(i, &file); i++)
        if (text_starts_with(file.name, EMBEDDED_FOLDER))
            return true;
    return false;
}

subject_files_t *subject_files_open(const char *directory, error_info_t *error) {
    if (directory && strcmp(directory, SUBJECT_FILES_EMBEDDED) == 0)
        directory = NULL;
    if (!directory && !has_embedded()) {
        error_set(error, ERROR_CONFIG,
                  "this build of glia has no subject model of its own; name a model directory in "
                  "subject.model");
        return NULL;
    }
    struct stat status;
    if (directory && stat(directory, &status) != 0) {
        error_set(error, ERROR_CONFIG,
                  "%s: %s; subject.model names a directory with config.json and model.safetensors",
                  directory, strerror(errno));
        return NULL;
    }
    if (directory && !S_ISDIR(status.st_mode)) {
        error_set(
            error, ERROR_CONFIG,
            "%s is not a directory; subject.model names the directory that holds config.json and "
            "model.safetensors",
            directory);
        return NULL;
    }
    subject_files_t *files = MEMORY_NEW(subject_files_t);
    files->directory = memory_copy_string(directory);
    return files;
}

subject_files_t *subject_files_of(const embedded_file_t *list, size_t count) {
    static const embedded_file_t none[1];
    subject_files_t *files = MEMORY_NEW(subject_files_t);
    files->files = count == 0 ? none : list;
    files->count = count;
    return files;
}

static void unmap(mapped_file_t *file) {
    munmap(file->bytes, file->length);
    free(file->name);
    free(file);
}

void subject_files_close(subject_files_t *files) {
    if (!files)
        return;
    while (files->mapped) {
        mapped_file_t *file = files->mapped;
        files->mapped = file->next;
        unmap(file);
    }
    free(files->directory);
    free(files);
}

char *subject_files_path(const subject_files_t *files, const char *name) {
    return files->directory ? memory_format("%s/%s", files->directory, name)
                            : memory_format(SUBJECT_FILES_EMBEDDED "%s", name);
}

static bool find_in_memory(const subject_files_t *files, const char *name, const uint8_t **bytes,
                           size_t *length) {
    embedded_file_t file;
    bool found = false;
    if (!files->files) {
        char *path = memory_format(EMBEDDED_FOLDER "%s", name);
        found = embedded_find(path, &file);
        free(path);
    }
    for (size_t i = 0; i < files->count && !found; i++) {
        file = files->files[i];
        found = strcmp(file.name, name) == 0;
    }
    if (found) {
        *bytes = (const uint8_t *)file.data;
        *length = file.size;
    }
    return found;
}

/* `path` is open as `descriptor`; leaves it open. */
static bool map_file(subject_files_t *files, const char *name, const char *path, int descriptor,
                     const uint8_t **bytes, size_t *length, error_info_t *error) {
    struct stat status;
    if (fstat(descriptor, &status) != 0)
        return error_set(error, ERROR_CONFIG, "%s: %s", path, strerror(errno));
    if (!S_ISREG(status.st_mode))
        return error_set(error, ERROR_CONFIG, "%s is not a regular file", path);
    if (status.st_size == 0) {
        *bytes = no_bytes;
        *length = 0;
        return true;
    }
    size_t size = (size_t)status.st_size;
    void *memory = mmap(NULL, size, PROT_READ, MAP_PRIVATE, descriptor, 0);
    if (memory == MAP_FAILED)
        return error_set(error, ERROR_CONFIG, "%s: %zu bytes cannot be mapped: %s", path, size,
                         strerror(errno));
    mapped_file_t *file = MEMORY_NEW(mapped_file_t);
    *file = (mapped_file_t){files->mapped, memory_copy_string(name), memory, size};
    files->mapped = file;
    *bytes = memory;
    *length = size;
    return true;
}

bool subject_files_get(subject_files_t *files, const char *name, const uint8_t **bytes,
                       size_t *length, error_info_t *error) {
    error->class_ = ERROR_NONE;
    if (*name == '\0' || strchr(name, '/') || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
        return error_set(error, ERROR_CONFIG,
                         "'%.200s' is no name of a file in the model's directory", name);
    if (!files->directory)
        return find_in_memory(files, name, bytes, length);
    for (const mapped_file_t *file = files->mapped; file; file = file->next)
        if (strcmp(file->name, name) == 0) {
            *bytes = file->bytes;
            *length = file->length;
            return true;
        }
    char *path = subject_files_path(files, name);
    /* Non-blocking: a pipe of that name must not hold the program up before it is refused. */
    int descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    bool got = descriptor >= 0 && map_file(files, name, path, descriptor, bytes, length, error);
    if (descriptor < 0 && errno != ENOENT)
        error_set(error, ERROR_CONFIG, "%s: %s", path, strerror(errno));
    if (descriptor >= 0)
        close(descriptor);
    free(path);
    return got;
}

bool subject_files_need(subject_files_t *files, const char *name, const uint8_t **bytes,
                        size_t *length, error_info_t *error) {
    if (subject_files_get(files, name, bytes, length, error))
        return true;
    if (error->class_ == ERROR_NONE) {
        char *path = subject_files_path(files, name);
        error_set(error, ERROR_CONFIG, "%s is not there; a model directory holds it", path);
        free(path);
    }
    return false;
}

void subject_files_release(subject_files_t *files, const char *name) {
    for (mapped_file_t **link = &files->mapped; *link; link = &(*link)->next) {
        mapped_file_t *file = *link;
        if (strcmp(file->name, name) == 0) {
            *link = file->next;
            unmap(file);
            return;
        }
    }
}
