/* export_records.h - `glia export records --out DIR`: a file a neuron, as they are published.
 * Private to cmd_export.c.
 */
#ifndef GLIA_TOOLS_CLI_EXPORT_RECORDS_H
#define GLIA_TOOLS_CLI_EXPORT_RECORDS_H

#include "tools/cli/command.h"

/* Whether --out and --format ask for files: `--format files`, or no --format and an --out that is
 * neither "-" nor ends in ".jsonl". */
bool export_records_as_files(const option_list_t *options);

/* Writes DIRECTORY/LAYER/NEURON.json for every neuron of the run's sets (of `set` alone unless it
 * is NULL) in the form of neuron_json_write and a newline. Each file appears whole or not at all.
 * The directory is made if it is not there, its parent is not; in one that is, files of the same
 * names are replaced and all others stay. A neuron that several sets have is one file. Blocks for
 * the disk. False with *error set: USAGE, an id that is not "LAYER:NEURON" or a neuron of which two
 * sets have different records: nothing is written; USAGE, a puzzle or bare record set with an id
 * that looks like one; CONFIG, RETRYABLE: the disk; FATAL: the store. After these the files before
 * stay, and the same call again goes over all of them.
 */
bool export_records(store_t *store, const run_info_t *run, const char *set, const char *directory,
                    error_info_t *error);

#endif
