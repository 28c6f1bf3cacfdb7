/* buffer.c - the growing run of bytes in memory. (Files: buffer_file.c.) */
#include "core/base/buffer.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/memory.h"

enum { SMALLEST = 256 }; /* bytes: most values that are packed fit */

/* Makes room for `more` bytes and the NUL behind them; false if the maximum would be passed. */
static bool reserve(buffer_t *buffer, size_t more) {
    size_t needed;
    if (__builtin_add_overflow(buffer->length, more, &needed) || needed == SIZE_MAX)
        return false;
    if (buffer->maximum != 0 && needed > buffer->maximum)
        return false;
    if (needed < buffer->capacity)
        return true;
    size_t capacity = buffer->capacity < SMALLEST ? SMALLEST : buffer->capacity;
    while (capacity <= needed)
        if (__builtin_mul_overflow(capacity, 2, &capacity))
            capacity = needed + 1;
    if (buffer->maximum != 0 && capacity > buffer->maximum && needed <= buffer->maximum)
        capacity = buffer->maximum == SIZE_MAX ? SIZE_MAX : buffer->maximum + 1;
    buffer->data = memory_resize(buffer->data, capacity, 1);
    buffer->capacity = capacity;
    return true;
}

bool buffer_append_growing(buffer_t *buffer, const void *bytes, size_t length) {
    if (length == 0)
        return true;
    if (!reserve(buffer, length))
        return false;
    memcpy(buffer->data + buffer->length, bytes, length);
    buffer->length += length;
    buffer->data[buffer->length] = '\0';
    return true;
}

bool buffer_append_text(buffer_t *buffer, const char *text) {
    return buffer_append(buffer, text, strlen(text));
}

bool buffer_append_format(buffer_t *buffer, const char *format, ...) {
    char small[256];
    va_list arguments;
    va_list again;
    va_start(arguments, format);
    va_copy(again, arguments);
    int written = vsnprintf(small, sizeof small, format, arguments);
    va_end(arguments);
    if (written < 0) {
        fprintf(stderr, "glia: bug: buffer_append_format cannot format \"%s\"\n", format);
        abort();
    }
    size_t length = (size_t)written;
    bool done = true;
    if (length < sizeof small) {
        done = buffer_append(buffer, small, length);
    } else if (reserve(buffer, length)) {
        vsnprintf(buffer->data + buffer->length, length + 1, format, again);
        buffer->length += length;
    } else {
        done = false;
    }
    va_end(again);
    return done;
}

const char *buffer_text(const buffer_t *buffer) {
    return !buffer->data ? "" : buffer->data;
}

void buffer_clear(buffer_t *buffer) {
    buffer->length = 0;
    if (buffer->data)
        buffer->data[0] = '\0';
}

void buffer_free(buffer_t *buffer) {
    free(buffer->data);
    buffer->data = NULL;
    buffer->length = 0;
    buffer->capacity = 0;
}

char *buffer_take(buffer_t *buffer) {
    char *data = !buffer->data ? memory_copy("", 0) : buffer->data;
    buffer->data = NULL;
    buffer->length = 0;
    buffer->capacity = 0;
    return data;
}
