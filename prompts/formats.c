/* formats.c - the prompt formats, by number and by name. */
#include "prompts/formats.h"

#include <stddef.h>
#include <string.h>

static const char *const names[PROMPT_FORMAT_COUNT] = {
#define PROMPT_FORMAT_NAME(name, text) [PROMPT_##name] = (text),
    PROMPT_FORMAT_MAP(PROMPT_FORMAT_NAME)
#undef PROMPT_FORMAT_NAME
};

const char *prompt_format_name(prompt_format_t format) {
    return (unsigned)format < PROMPT_FORMAT_COUNT ? names[format] : NULL;
}

bool prompt_format_from_name(const char *name, prompt_format_t *format) {
    for (int i = 0; i < PROMPT_FORMAT_COUNT; i++)
        if (strcmp(name, names[i]) == 0) {
            *format = (prompt_format_t)i;
            return true;
        }
    return false;
}
