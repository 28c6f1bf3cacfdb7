/* memory.c - allocation that aborts instead of returning NULL. */
#include "core/base/memory.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static _Noreturn void out_of_memory(size_t count, size_t size) {
    fprintf(stderr,
            "glia: out of memory (%zu objects of %zu bytes); start again with more memory, the run "
            "resumes\n",
            count, size);
    abort();
}

void *memory_new(size_t count, size_t size) {
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes))
        out_of_memory(count, size);
    /* an empty object still has an address */
    void *memory = bytes == 0 ? calloc(1, 1) : calloc(count, size);
    if (!memory)
        out_of_memory(count, size);
    return memory;
}

void *memory_resize(void *old, size_t count, size_t size) {
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes))
        out_of_memory(count, size);
    if (bytes == 0) {
        free(old);
        return NULL;
    }
    void *memory = realloc(old, bytes);
    if (!memory)
        out_of_memory(count, size);
    return memory;
}

char *memory_copy_string(const char *text) {
    return !text ? NULL : memory_copy(text, strlen(text));
}

void *memory_copy(const void *bytes, size_t length) {
    if (length == SIZE_MAX)
        out_of_memory(length, 1);
    char *copy = memory_resize(NULL, length + 1, 1);
    if (length > 0)
        memcpy(copy, bytes, length);
    copy[length] = '\0';
    return copy;
}

char *memory_format(const char *format, ...) {
    va_list arguments;
    va_list again;
    va_start(arguments, format);
    va_copy(again, arguments);
    int length = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    if (length < 0) {
        fprintf(stderr, "glia: bug: memory_format cannot format \"%s\"\n", format);
        abort();
    }
    char *text = memory_resize(NULL, (size_t)length + 1, 1);
    vsnprintf(text, (size_t)length + 1, format, again);
    va_end(again);
    return text;
}
