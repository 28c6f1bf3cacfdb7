/* wrap.c - breaks lines at spaces. */
#include "core/base/wrap.h"

#include <string.h>

/* One line of the text, whose own indent its continuations keep. */
static void write_line(buffer_t *out, const char *text, size_t length, size_t at, size_t indent) {
    size_t own = 0;
    while (own < length && text[own] == ' ')
        own++;
    indent += own;
    bool begun = false; /* the line of the output has a word */
    for (size_t i = own; i < length;) {
        const char *space = memchr(text + i, ' ', length - i);
        size_t word = space ? (size_t)(space - text) - i : length - i;
        if (begun && at + 1 + word > WRAP_WIDTH) {
            buffer_append_char(out, '\n');
            at = 0;
            begun = false;
        }
        if (!begun && at < indent) {
            buffer_append_format(out, "%*s", (int)(indent - at), "");
            at = indent;
        }
        buffer_append_format(out, "%s%.*s", begun ? " " : "", (int)word, text + i);
        at += word + begun;
        begun = true;
        i += word + 1;
    }
    buffer_append_char(out, '\n');
}

void wrap_write(buffer_t *out, const char *text, size_t at, size_t indent) {
    for (;; at = 0) {
        size_t length = strcspn(text, "\n");
        write_line(out, text, length, at, indent);
        if (!text[length])
            return;
        text += length + 1;
    }
}
