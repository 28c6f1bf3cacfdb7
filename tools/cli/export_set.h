/* export_set.h - `glia export set NAME`: the neurons of a set, to be frozen as a list. Private
 * to cmd_export.c. */
#ifndef GLIA_TOOLS_CLI_EXPORT_SET_H
#define GLIA_TOOLS_CLI_EXPORT_SET_H

#include "tools/cli/command.h"

/* Lines {layer, neuron, score, explanation} (null where there is none), or CSV, in the order of the
 * set: those of a run's set as they were drawn, or (--draw) what the config would draw, for which
 * no records are needed. Neurons that are not of a subject model have an id alone. Writes to --out
 * or standard output. */
bool export_set(const option_list_t *options, bool csv, error_info_t *error);

#endif
