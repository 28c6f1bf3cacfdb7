/* template.h - the words of a prompt: a TOML file and the few-shot examples that it names.
 *
 * The C code of this folder knows layouts (how tokens, brackets, values and separators are put
 * together); every word that is sent to a model stands in a template. prompts/README.md documents
 * each key.
 */
#ifndef GLIA_PROMPTS_TEMPLATE_H
#define GLIA_PROMPTS_TEMPLATE_H

#include <stdbool.h>
#include <stddef.h>

#include "core/base/buffer.h"
#include "core/base/error.h"
#include "core/base/hash.h"
#include "prompts/few_shot.h"
#include "prompts/formats.h"

/* The layouts: the prompt formats under their own numbers, then the simulations. */
typedef enum {
    TEMPLATE_SIMULATE_ECHO = PROMPT_FORMAT_COUNT, /* also the per_token mode */
    TEMPLATE_SIMULATE_REPEAT,
    TEMPLATE_LAYOUT_COUNT
} template_layout_t;

/* The texts of a template: enum and TOML key. A text that a file leaves out, or that its layout has
 * no use for, is "". */
#define TEMPLATE_TEXT_MAP(ROW)                    \
    ROW(SYSTEM, "system")                         \
    ROW(SYSTEM_ROLE, "system_role")               \
    ROW(USER_ROLE, "user_role")                   \
    ROW(ASSISTANT_ROLE, "assistant_role")         \
    ROW(NEURON_HEADER, "neuron_header")           \
    ROW(NEURON_SUFFIX, "neuron_suffix")           \
    ROW(LAST_NEURON_HEADER, "last_neuron_header") \
    ROW(LAST_NEURON_SUFFIX, "last_neuron_suffix") \
    ROW(EXCERPT_HEADER, "excerpt_header")         \
    ROW(TOKENS_HEADER, "tokens_header")           \
    ROW(ASSISTANT_PREFIX, "assistant_prefix")     \
    ROW(ASSISTANT_SUFFIX, "assistant_suffix")     \
    ROW(REPEAT_HEADER, "repeat_header")

typedef enum {
#define TEMPLATE_TEXT_ENUM(name, key) TEMPLATE_##name,
    TEMPLATE_TEXT_MAP(TEMPLATE_TEXT_ENUM)
#undef TEMPLATE_TEXT_ENUM
        TEMPLATE_TEXT_COUNT
} template_text_t;

typedef struct template template_t; /* immutable once loaded; may be shared by threads */

/* Loads `name` ("original", "summary", "highlight", "highlight_summary", "avhs", "simulate_echo" or
 * "simulate_repeat"): <directory>/<name>.toml if it is there, else the file embedded in the
 * program; `directory` may be NULL. The few-shot file that it names is looked for in the same two
 * places. Blocks on disk reads. Errors (USAGE): no such name; (CONFIG): a directory, file, key or
 * value that is missing or wrong, named with file and line. The caller frees with template_free. */
template_t *template_load(const char *directory, const char *name, error_info_t *error);
/* The same from TOML text; `file` is what errors call it. The few-shot file comes from `directory`
 * or the program. */
template_t *template_parse(const char *directory, const char *name, const char *file,
                           const char *text, size_t length, error_info_t *error);
void template_free(template_t *template); /* NULL is fine */

/* Identity: a hash over layout, texts, numbers and few-shot content; not over a file's bytes, so
 * that comments and the order of keys do not matter. */
hash_t template_hash(const template_t *template);
/* Appends all that the hash is over, few-shot examples included, as one JSON object: what a
 * run keeps of it. */
void template_write(const template_t *template, buffer_t *out);

/* A prompt_format_t or a template_layout_t. */
int template_layout(const template_t *template);
/* borrowed, never NULL */
const char *template_text(const template_t *template, template_text_t text);
const few_shot_list_t *template_examples(const template_t *template);
double template_few_shot_threshold(const template_t *template);
/* The share of tokens with a discretized value over 0 below which `original` repeats these
 * tokens; 0: never. */
double template_repeat_below(const template_t *template);

#endif
