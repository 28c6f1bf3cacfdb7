/* output.h - where a command's result goes: standard output, or a file that appears
 * whole or not at all. */
#ifndef GLIA_TOOLS_CLI_OUTPUT_H
#define GLIA_TOOLS_CLI_OUTPUT_H

#include "core/base/buffer.h"
#include "core/base/error.h"

typedef struct output output_t;

/* `path` NULL or "-": standard output. Else a temporary file beside `path`, which output_close()
 * renames. NULL: CONFIG, it cannot be written. */
output_t *output_open(const char *path, error_info_t *error);
/* Writes the text and empties it; on a terminal what would steer it is made visible
 * (text_append_harmless). A reader that left (`| head`) is no error: what follows is dropped.
 * Errors: RETRYABLE, no space left; CONFIG. Blocks. */
bool output_write(output_t *output, buffer_t *text, error_info_t *error);
/* Releases. `keep`: the file takes its name; else, and on failure, nothing is left of it. True:
 * everything was written.
 */
bool output_close(output_t *output, bool keep, error_info_t *error);

/* Standard output, in one go. */
bool output_print(buffer_t *text, error_info_t *error);
/* The same, ending a command: the exit code for what was printed. Releases the text. */
int output_finish(buffer_t *text, error_info_t *error);

#endif
