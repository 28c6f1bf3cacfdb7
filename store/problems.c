/* problems.c - see problems.h. */
#include "store/problems.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/base/text.h"

enum { LINE_SIZE = 1024 };

void problems_add(problems_t *problems, const char *format, ...) {
    if (problems->count++ >= PROBLEMS_WRITTEN)
        return;
    char line[LINE_SIZE];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    /* Names come from values that may be damaged. */
    text_append_visible(problems->lines, line, strlen(line));
    buffer_append_char(problems->lines, '\n');
}
