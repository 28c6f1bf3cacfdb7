/* wrap.h - text in lines that fit a terminal. Pure. */
#ifndef GLIA_BASE_WRAP_H
#define GLIA_BASE_WRAP_H

#include "core/base/buffer.h"

enum { WRAP_WIDTH = 100 };

/* Appends the words of `text` in lines of at most WRAP_WIDTH columns that begin with `indent`
 * spaces; the first begins at column `at`. A newline of the text begins a line; spaces behind it
 * indent it further. Ends with a newline. */
void wrap_write(buffer_t *out, const char *text, size_t at, size_t indent);

#endif
