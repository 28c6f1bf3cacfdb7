/* buffer.h - a growing run of bytes with a hard maximum.
 *
 * Everything that a peer can make grow is kept in a buffer with a maximum. The bytes are always
 * followed by a NUL that does not count, so `data` of a text buffer is a C string.
 */
#ifndef GLIA_BASE_BUFFER_H
#define GLIA_BASE_BUFFER_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "core/base/error.h"

typedef struct {
    char *data;      /* NULL while nothing was appended */
    size_t length;   /* bytes used */
    size_t capacity; /* bytes allocated */
    size_t maximum;  /* length never passes this; 0: no limit */
} buffer_t;

#define BUFFER_EMPTY ((buffer_t){0})

/* All of these return false, and leave the buffer as it was, when the maximum would be passed. */
static inline bool buffer_append(buffer_t *buffer, const void *bytes, size_t length);
static inline bool buffer_append_char(buffer_t *buffer, char c);
bool buffer_append_text(buffer_t *buffer, const char *text);
bool buffer_append_format(buffer_t *buffer, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

const char *buffer_text(const buffer_t *buffer); /* "" while empty; valid until the next append */
void buffer_clear(buffer_t *buffer);             /* length 0, keeps the memory */
/* releases; the buffer is empty and usable again */
void buffer_free(buffer_t *buffer);
/* the caller owns the bytes (never NULL); buffer empty */
char *buffer_take(buffer_t *buffer);

/* Reads a whole regular file or pipe (/dev/stdin) of at most `maximum` bytes (0: no limit of its
 * own) into a buffer, which is emptied first and is empty after a failure. The buffer's own
 * maximum holds as well. Blocks. Errors (CONFIG): no such file, not readable, a directory, too
 * large; each names `path`. */
bool buffer_read_file(buffer_t *buffer, const char *path, size_t maximum, error_info_t *error);
/* Writes to `path` by way of a temporary file beside it, fsync, rename and fsync of the directory:
 * after a crash there is the old file or the new one, whole. A file that is there keeps its mode, a
 * symbolic link stays one; what is no regular file (/dev/stdout, a pipe) is written to directly.
 * Blocks. Errors: CONFIG (no such directory, no permission, a directory), RETRYABLE (disk full, too
 * many open files), FATAL (I/O error); each names `path`. */
bool buffer_write_file(const buffer_t *buffer, const char *path, error_info_t *error);

/* private: what did not fit */
bool buffer_append_growing(buffer_t *buffer, const void *bytes, size_t length);

static inline bool buffer_append(buffer_t *buffer, const void *bytes, size_t length) {
    if (length == 0 || length >= buffer->capacity - buffer->length)
        return buffer_append_growing(buffer, bytes, length);
    memcpy(buffer->data + buffer->length, bytes, length);
    buffer->length += length;
    buffer->data[buffer->length] = '\0';
    return true;
}

static inline bool buffer_append_char(buffer_t *buffer, char c) {
    return buffer_append(buffer, &c, 1);
}

#endif
