/* markup.c - the five characters that mean something in markup. */
#include "tools/report/markup.h"

void markup_append(const char *text, buffer_t *out) {
    for (const char *at = text; *at; at++)
        switch (*at) {
        case '&': buffer_append_text(out, "&amp;"); break;
        case '<': buffer_append_text(out, "&lt;"); break;
        case '>': buffer_append_text(out, "&gt;"); break;
        case '"': buffer_append_text(out, "&quot;"); break;
        case '\'': buffer_append_text(out, "&#39;"); break;
        default: buffer_append_char(out, *at);
        }
}
