/* problems.h - lines about what is wrong with a store, of which only so many are written out. */
#ifndef GLIA_STORE_PROBLEMS_H
#define GLIA_STORE_PROBLEMS_H

#include <stdint.h>

#include "core/base/buffer.h"

enum { PROBLEMS_WRITTEN = 1000 };

typedef struct {
    uint64_t count;
    buffer_t *lines; /* borrowed */
} problems_t;

/* Counts one more; the line gets its newline here. */
void problems_add(problems_t *problems, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
