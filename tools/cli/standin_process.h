/* standin_process.h - the stand-in that a config's base_url = "standin:" asks for:
 * started, found, ended. */
#ifndef GLIA_TOOLS_CLI_STANDIN_PROCESS_H
#define GLIA_TOOLS_CLI_STANDIN_PROCESS_H

#include <stdbool.h>

#include "core/base/error.h"

typedef struct standin_process standin_process_t;

/* Starts glia-standin (beside this program, else from PATH) on a free port of 127.0.0.1 and waits
 * until it listens. It ends with this process, whatever happens to it. Errors (CONFIG): not found,
 * did not start. Blocks up to ten seconds.
 */
standin_process_t *standin_process_start(error_info_t *error);
const char *standin_process_url(const standin_process_t *process); /* "http://127.0.0.1:PORT/v1" */
void standin_process_stop(standin_process_t *process);             /* NULL is fine */

#endif
