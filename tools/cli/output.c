/* output.c - writing to standard output and to files, with every failure seen. */
#include "tools/cli/output.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/memory.h"
#include "core/base/text.h"

struct output {
    int file;
    char *path;      /* NULL: standard output */
    char *temporary; /* NULL: written in place (a pipe, a device) */
    bool left;       /* the reader is gone */
    bool terminal;   /* what models wrote must not steer it */
};

static bool refuse(const output_t *output, int code, error_info_t *error) {
    return error_set(
        error, code == ENOSPC || code == EDQUOT || code == EIO ? ERROR_RETRYABLE : ERROR_CONFIG,
        "%s: cannot write: %s", output->path ? output->path : "standard output", strerror(code));
}

static void release(output_t *output) {
    free(output->path);
    free(output->temporary);
    free(output);
}

output_t *output_open(const char *path, error_info_t *error) {
    output_t *output = MEMORY_NEW(output_t);
    output->file = STDOUT_FILENO;
    if (!path || !strcmp(path, "-")) {
        output->terminal = isatty(STDOUT_FILENO) == 1;
        return output;
    }
    output->path = memory_copy_string(path);
    struct stat status;
    if (stat(path, &status) != 0 || S_ISREG(status.st_mode))
        output->temporary = memory_format("%s.%ld.tmp", path, (long)getpid());
    output->file = open(output->temporary ? output->temporary : path,
                        O_WRONLY | O_CLOEXEC | (output->temporary ? O_CREAT | O_TRUNC : 0), 0666);
    if (output->file >= 0)
        return output;
    refuse(output, errno, error);
    release(output);
    return NULL;
}

static bool put(output_t *output, const buffer_t *text, error_info_t *error) {
    const char *bytes = buffer_text(text);
    size_t left = output->left ? 0 : text->length;
    while (left > 0) {
        ssize_t written = write(output->file, bytes, left);
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0 && errno == EPIPE && !output->path) {
            output->left = true;
            break;
        }
        if (written < 0)
            return refuse(output, errno, error);
        bytes += written;
        left -= (size_t)written;
    }
    return true;
}

bool output_write(output_t *output, buffer_t *text, error_info_t *error) {
    bool good;
    if (output->terminal) {
        buffer_t harmless = BUFFER_EMPTY;
        text_append_harmless(&harmless, buffer_text(text), text->length);
        good = put(output, &harmless, error);
        buffer_free(&harmless);
    } else {
        good = put(output, text, error);
    }
    if (good)
        buffer_clear(text);
    return good;
}

bool output_close(output_t *output, bool keep, error_info_t *error) {
    bool good = true;
    if (output->temporary)
        good = !keep || fsync(output->file) == 0 || refuse(output, errno, error);
    if (output->path && close(output->file) != 0 && keep && good)
        good = refuse(output, errno, error);
    if (output->temporary && keep && good && rename(output->temporary, output->path) != 0)
        good = refuse(output, errno, error);
    if (output->temporary && (!keep || !good))
        unlink(output->temporary);
    release(output);
    return good;
}

bool output_print(buffer_t *text, error_info_t *error) {
    output_t *output = output_open(NULL, error);
    bool good = output_write(output, text, error);
    return output_close(output, good, good ? error : NULL) && good;
}

int output_finish(buffer_t *text, error_info_t *error) {
    bool good = output_print(text, error);
    buffer_free(text);
    return good ? 0 : error_exit_code(error->class_);
}
