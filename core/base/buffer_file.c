/* buffer_file.c - whole files into and out of a buffer. (Memory: buffer.c.) */
#define _XOPEN_SOURCE 700 /* realpath */
#include "core/base/buffer.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/memory.h"

enum { CHUNK = 65536, TEMPORARY_TRIES = 100 };

static error_class_t class_of(int code) {
    switch (code) {
    case EIO: return ERROR_FATAL;
    case ENOSPC:
    case EDQUOT:
    case EMFILE:
    case ENFILE: return ERROR_RETRYABLE;
    default: return ERROR_CONFIG;
    }
}

static bool refuse_large(const char *path, size_t maximum, error_info_t *error) {
    return error_set(error, ERROR_CONFIG, "%s: larger than %zu bytes, the most that is read", path,
                     maximum);
}

static bool read_all(buffer_t *buffer, int file, const char *path, size_t maximum,
                     error_info_t *error) {
    char *chunk = memory_resize(NULL, CHUNK, 1);
    bool done = false;
    for (;;) {
        ssize_t got = read(file, chunk, CHUNK);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0) {
            error_set(error, ERROR_CONFIG, "%s: cannot read: %s", path, strerror(errno));
            break;
        }
        if (got == 0) {
            done = true;
            break;
        }
        if ((size_t)got > maximum - buffer->length || !buffer_append(buffer, chunk, (size_t)got)) {
            refuse_large(
                path, buffer->maximum != 0 && buffer->maximum < maximum ? buffer->maximum : maximum,
                error);
            break;
        }
    }
    free(chunk);
    return done;
}

bool buffer_read_file(buffer_t *buffer, const char *path, size_t maximum, error_info_t *error) {
    size_t limit = maximum == 0 ? SIZE_MAX : maximum;
    buffer_clear(buffer);
    int file = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (file < 0)
        return error_set(error, ERROR_CONFIG, "%s: cannot open: %s", path, strerror(errno));
    struct stat status;
    bool done = false;
    if (fstat(file, &status) != 0)
        error_set(error, ERROR_CONFIG, "%s: cannot read: %s", path, strerror(errno));
    else if (S_ISDIR(status.st_mode))
        error_set(error, ERROR_CONFIG, "%s: is a directory; give a file", path);
    else if (S_ISREG(status.st_mode) && (uintmax_t)status.st_size > limit)
        refuse_large(path, limit, error);
    else
        done = read_all(buffer, file, path, limit, error);
    close(file);
    if (!done)
        buffer_free(buffer);
    return done;
}

static bool write_all(int file, const char *bytes, size_t length) {
    while (length > 0) {
        ssize_t put = write(file, bytes, length);
        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0)
            return false;
        bytes += put;
        length -= (size_t)put;
    }
    return true;
}

static bool refuse_write(const char *path, int code, error_info_t *error) {
    return error_set(error, class_of(code), "%s: cannot write: %s", path, strerror(code));
}

/* For what cannot be replaced by a rename: /dev/stdout, a pipe. */
static bool write_in_place(const buffer_t *buffer, const char *path, error_info_t *error) {
    int file = open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
    if (file < 0)
        return refuse_write(path, errno, error);
    bool done = write_all(file, buffer_text(buffer), buffer->length);
    int code = errno;
    if (close(file) != 0 && done) {
        code = errno;
        done = false;
    }
    return done || refuse_write(path, code, error);
}

/* A new file beside `path`; its name is owned by the caller. A name left by a crash
 * is stepped over. */
static int open_temporary(const char *path, mode_t mode, char **name) {
    for (int i = 0; i < TEMPORARY_TRIES; i++) {
        *name = memory_format("%s.%ld-%d.tmp", path, (long)getpid(), i);
        int file = open(*name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
        if (file >= 0 || errno != EEXIST)
            return file;
        free(*name);
    }
    *name = NULL;
    errno = EEXIST;
    return -1;
}

/* The rename itself is durable only once the directory is. Some file systems cannot
 * sync one: EINVAL. */
static bool sync_directory_of(const char *path) {
    const char *slash = strrchr(path, '/');
    char *directory = !slash          ? memory_copy_string(".")
                      : slash == path ? memory_copy_string("/")
                                      : memory_copy(path, (size_t)(slash - path));
    int file = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    free(directory);
    if (file < 0)
        return errno == EACCES; /* a directory may be writable and not readable */
    bool done = fsync(file) == 0 || errno == EINVAL;
    int code = errno;
    close(file);
    errno = code;
    return done;
}

static bool replace_file(const buffer_t *buffer, const char *path, const struct stat *old,
                         error_info_t *error) {
    char *temporary;
    int file = open_temporary(path, 0666, &temporary);
    if (file < 0) {
        int code = errno;
        free(temporary);
        return refuse_write(path, code, error);
    }
    bool done = write_all(file, buffer_text(buffer), buffer->length) &&
                (!old || fchmod(file, old->st_mode & 07777) == 0) && fsync(file) == 0;
    int code = errno;
    if (close(file) != 0 && done) {
        code = errno;
        done = false;
    }
    if (done && rename(temporary, path) != 0) {
        code = errno;
        done = false;
    }
    if (!done) {
        unlink(temporary);
        free(temporary);
        return refuse_write(path, code, error);
    }
    free(temporary);
    return sync_directory_of(path) || refuse_write(path, errno, error);
}

bool buffer_write_file(const buffer_t *buffer, const char *path, error_info_t *error) {
    struct stat status;
    if (stat(path, &status) != 0) {
        if (errno != ENOENT)
            return refuse_write(path, errno, error);
        return replace_file(buffer, path, NULL, error);
    }
    if (S_ISDIR(status.st_mode))
        return error_set(error, ERROR_CONFIG, "%s: is a directory; give a file", path);
    if (!S_ISREG(status.st_mode))
        return write_in_place(buffer, path, error);
    /* A symbolic link stays one: what it points to is replaced. */
    char *target = realpath(path, NULL);
    if (!target)
        return refuse_write(path, errno, error);
    bool done = replace_file(buffer, target, &status, error);
    free(target);
    return done;
}
