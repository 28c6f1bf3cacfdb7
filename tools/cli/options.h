/* options.h - command lines parsed by a command's table of options (command.h), and --help
 * written from it. Pure.
 *
 * Taken: --name value, --name=value, --name (a switch), -c value, -cvalue; options and arguments in
 * any order; what stands behind "--" is an argument, as is "-". A name is written out in full.
 */
#ifndef GLIA_TOOLS_CLI_OPTIONS_H
#define GLIA_TOOLS_CLI_OPTIONS_H

#include "core/base/buffer.h"
#include "tools/cli/command.h"

/* Parses argv[0..argc), without program and command. Errors (USAGE): an option that the command
 * lacks (naming the closest), a value that is missing or too much, an option given twice that
 * does not repeat, too few or too many arguments (unless --help is given). The list is empty
 * after failure; after success the caller releases it with options_clear. Strings are borrowed
 * from argv and the table. */
bool options_parse(const command_t *command, int argc, char **argv, option_list_t *list,
                   error_info_t *error);
void options_clear(option_list_t *list);

/* Appends what --help prints: usage, summary, details, one paragraph an option. Lines have at
 * most 100 columns. */
void options_write_help(const command_t *command, buffer_t *out);
#endif
