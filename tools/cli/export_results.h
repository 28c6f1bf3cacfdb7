/* export_results.h - explanations, scores, simulations and records of a run, a line each.
 *
 * In the order of the chains, from stored results alone: the same bytes whatever
 * the night was like.
 */
#ifndef GLIA_TOOLS_CLI_EXPORT_RESULTS_H
#define GLIA_TOOLS_CLI_EXPORT_RESULTS_H

#include "actors/sweep/outcome.h"

typedef enum {
    EXPORT_EXPLANATIONS,
    EXPORT_SCORES,
    EXPORT_SIMULATIONS,
    EXPORT_RECORDS,
    EXPORT_KINDS
} export_kind_t;
const char *export_kind_name(export_kind_t kind);

typedef struct {
    export_kind_t kind;
    bool csv;         /* else JSONL; not of records */
    const char *set;  /* only this one; NULL: all */
    const char *path; /* a file, which appears when it is complete; NULL or "-": standard output */
} export_wish_t;

/* Scores have columns for every stage that measures something. Blocks for the disk. Errors: damage;
 * the file cannot be written. */
bool export_results(store_t *store, const sweep_t *sweep, uint32_t run, const export_wish_t *wish,
                    error_info_t *error);

#endif
