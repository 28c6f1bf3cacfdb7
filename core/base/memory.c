/* memory.c - allocation that aborts instead of returning NULL. */
#include "core/base/memory.h"

#include <malloc.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SMALL = 1024 }; /* bytes */

static _Noreturn void out_of_memory(size_t count, size_t size) {
    fprintf(stderr, "glia: out of memory (%zu objects of %zu bytes); start again with more memory, the run resumes\n",
            count, size);
    abort();
}

void *memory_new(size_t count, size_t size) {
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes)) {
        out_of_memory(count, size);
    }
    /* glibc's calloc passes by the cache of small pieces that each thread has; an empty object still has an address. */
    void *memory = bytes > SMALL ? calloc(count, size) : realloc(NULL, bytes == 0 ? 1 : bytes);
    if (memory == NULL) {
        out_of_memory(count, size);
    }
    if (bytes <= SMALL) {
        memset(memory, 0, bytes);
    }
    return memory;
}

void *memory_resize(void *old, size_t count, size_t size) {
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes)) {
        out_of_memory(count, size);
    }
    if (bytes == 0) {
        free(old);
        return NULL;
    }
    void *memory = realloc(old, bytes);
    if (memory == NULL) {
        out_of_memory(count, size);
    }
    return memory;
}

char *memory_copy_string(const char *text) {
    return text == NULL ? NULL : memory_copy(text, strlen(text));
}

void *memory_copy(const void *bytes, size_t length) {
    if (length == SIZE_MAX) {
        out_of_memory(length, 1);
    }
    char *copy = memory_resize(NULL, length + 1, 1);
    if (length > 0) {
        memcpy(copy, bytes, length);
    }
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

void memory_keep_freed(void) {
    enum { KEPT = 16 << 20, STEP = 1 << 20 };
    (void)mallopt(M_TRIM_THRESHOLD, KEPT);
    (void)mallopt(M_TOP_PAD, STEP);
}
