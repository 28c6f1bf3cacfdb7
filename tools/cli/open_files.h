/* open_files.h - whether this process may open as many files as its connections need.
 *
 * A connection is an open file. Where the limit is lower, connections fail as if the endpoint were
 * down, at 3 am and under load first; so it is looked at before money is spent.
 */
#ifndef GLIA_TOOLS_CLI_OPEN_FILES_H
#define GLIA_TOOLS_CLI_OPEN_FILES_H

#include "actors/sweep/settings.h"

/* Raises this process's soft limit, as far as the hard one allows, to what the concurrency of all
 * endpoints needs beside store, loop and terminal. False: CONFIG; the hard limit is below that;
 * *error names both numbers and the fix.
 */
bool open_files_allow(const settings_t *settings, error_info_t *error);

#endif
