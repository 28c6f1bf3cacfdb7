/* help.h - the pages of `glia help` that belong to no single command. Pure. */
#ifndef GLIA_TOOLS_CLI_HELP_H
#define GLIA_TOOLS_CLI_HELP_H

#include "core/base/buffer.h"
#include "tools/cli/command.h"

/* Every command with its summary, and the exit codes. */
void help_write_overview(const command_t *const *commands, size_t count, buffer_t *out);
/* Every key of the config: type, range or choices, default, what it does. */
void help_write_config(buffer_t *out);

#endif
