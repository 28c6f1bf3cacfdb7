/* formats.h - the prompt formats, by number and by name.
 *
 * The numbers are stored (in job ids and results): rows are only ever added at the end.
 */
#ifndef GLIA_PROMPTS_FORMATS_H
#define GLIA_PROMPTS_FORMATS_H

#include <stdbool.h>

/* clang-format off */
#define PROMPT_FORMAT_MAP(ROW)                                                                     \
    ROW(ORIGINAL, "original")                   /* every token with its discretized activation */  \
    ROW(SUMMARY, "summary")                     /* text, then the highly activating tokens */      \
    ROW(HIGHLIGHT, "highlight")                 /* text with [highly activating] tokens marked */  \
    ROW(HIGHLIGHT_SUMMARY, "highlight_summary") /* both */                                         \
    ROW(AVHS, "avhs")                           /* both, with activation values in the list */
/* clang-format on */

typedef enum {
#define PROMPT_FORMAT_ENUM(name, text) PROMPT_##name,
    PROMPT_FORMAT_MAP(PROMPT_FORMAT_ENUM)
#undef PROMPT_FORMAT_ENUM
        PROMPT_FORMAT_COUNT
} prompt_format_t;

/* Grows whenever the same template and records give other messages than before: part of job ids. */
enum { EXPLAIN_FORMATTER_VERSION = 1 };

/* "original", ...; NULL for a number that is none. */
const char *prompt_format_name(prompt_format_t format);
/* False, and *format untouched, if there is none of that name. */
bool prompt_format_from_name(const char *name, prompt_format_t *format);

#endif
