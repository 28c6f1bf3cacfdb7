/* import.h - what the kinds of `glia import` share. Each file one kind; cmd_import.c chooses. */
#ifndef GLIA_TOOLS_CLI_IMPORT_H
#define GLIA_TOOLS_CLI_IMPORT_H

#include "actors/sweep/neuron_names.h"
#include "tools/cli/command.h"
#include "tools/cli/fetch.h"

enum {
    IMPORT_BATCH = 256,     /* neurons or explanations a transaction */
    IMPORT_MAX_BASE = 2048, /* bytes of a base URL */
    IMPORT_NAMED = 5,       /* of what is missing, so many are named */
};

/* Each imports what options->arguments [1..] name into `store` and appends what it did to `out`
 * (text, or JSON with --json). Prints progress of long downloads to standard error. Blocks. */
bool import_neurons(store_t *store, const option_list_t *options, buffer_t *out,
                    error_info_t *error);
bool import_puzzles(store_t *store, const option_list_t *options, buffer_t *out,
                    error_info_t *error);
bool import_explanations(store_t *store, const option_list_t *options, buffer_t *out,
                         error_info_t *error);

/* --- shared by them (import_shared.c) --------------------------------------------------------- */

/* Whether the argument is the base of a public HTTP layout. */
bool import_is_url(const char *argument);
/* Errors (USAGE): too long, with user and password or a query (which would be
 * stored), not http(s). */
bool import_check_base(const char *base, error_info_t *error);
/* "<base>/<folder>/L/N<ending>"; owned by the caller. */
char *import_url(const char *base, const char *folder, neuron_name_t name, const char *ending);
/* The name of a set or collection: --<option>, checked. NULL: USAGE, missing, empty or with a "/"
 * at its end (those are glia's own). */
const char *import_target(const option_list_t *options, const char *option, error_info_t *error);

/* Names of neurons that are not there, for one error at the end. */
typedef struct {
    uint64_t count;
    buffer_t names; /* of the first IMPORT_NAMED */
} import_missing_t;
void import_note_missing(import_missing_t *missing, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* True: nothing is missing. False: CONFIG, naming what is, after everything else was
 * imported. Releases. */
bool import_check_missing(import_missing_t *missing, error_info_t *error);
/* A line on standard error, for who waits. */
void import_show_progress(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
