/* memory.h - allocation that does not return NULL.
 *
 * Running out of memory is not something that a caller can mend: the store is consistent at every
 * instant, so the program says so on standard error and aborts; the next start resumes.
 * Everything from here is released with free().
 */
#ifndef GLIA_BASE_MEMORY_H
#define GLIA_BASE_MEMORY_H

#include <stddef.h>

/* `count` zeroed objects of `size` bytes; a product that overflows aborts. Never NULL. */
void *memory_new(size_t count, size_t size);
/* realloc; new bytes are not zeroed. Never NULL unless the product is 0. */
void *memory_resize(void *old, size_t count, size_t size);
char *memory_copy_string(const char *text);          /* NULL stays NULL */
void *memory_copy(const void *bytes, size_t length); /* one NUL byte is added behind */
char *memory_format(const char *format, ...) __attribute__((format(printf, 1, 2)));

#define MEMORY_NEW(type)              ((type *)memory_new(1, sizeof(type)))
#define MEMORY_NEW_ARRAY(count, type) ((type *)memory_new((count), sizeof(type)))

#endif
