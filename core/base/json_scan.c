/* json_scan.c - passes over a string of JSON text. */
#include "core/base/json_scan.h"

#include <string.h>

/* memchr looks at many bytes at once, and most strings have few quotes and backslashes. */
const char *json_string_end(const char *at, const char *end) {
    const char *quote = at;
    while (at < end) {
        if (quote <= at && !(quote = memchr(at, '"', (size_t)(end - at))))
            quote = end;
        const char *backslash = memchr(at, '\\', (size_t)(quote - at));
        if (!backslash)
            return quote < end ? quote + 1 : end;
        at = end - backslash > 1 ? backslash + 2 : end;
        if (quote < at)
            quote = at; /* it was escaped */
    }
    return end;
}
