/* command.h - a subcommand a file: each cmd_*.c defines one const command_t, and glia.c lists them.
 */
#ifndef GLIA_TOOLS_CLI_COMMAND_H
#define GLIA_TOOLS_CLI_COMMAND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "actors/sweep/settings.h"
#include "core/base/error.h"
#include "store/env.h"
#include "store/runs.h"

/* Exit codes of the program. */
enum {
    EXIT_DONE = 0,
    EXIT_INTERNAL = 1,
    EXIT_USAGE = 2,
    EXIT_AT_CAP = 3,
    EXIT_BY_WORLD = 4,
    EXIT_WITH_FAILURES = 5,
    EXIT_INTERRUPTED = 130
};

/* One row an option; the last row has a NULL name. */
typedef struct {
    const char *name;  /* "config" for --config */
    char letter;       /* 'c' for -c, 0: none */
    const char *value; /* what the value is called in --help ("FILE"); NULL: a switch */
    const char *help;
    bool repeats; /* may be given more than once */
} option_t;

/* What was parsed. */
typedef struct {
    size_t count;
    struct option_value {
        const option_t *option;
        const char *value;
    } * values;
    size_t argument_count;
    char **arguments;     /* what is no option; borrowed from argv */
    const char **scratch; /* [count], for option_all() */
} option_list_t;

typedef struct {
    const char *name;
    const char *usage;   /* "[options] FILE..." */
    const char *summary; /* one line for `glia help` */
    const char *details; /* paragraphs for --help, or NULL */
    const option_t *options;
    size_t least_arguments, most_arguments;
    /* Returns an exit code; on failure fills in *error (printed by glia.c as "glia NAME:
     * message") and returns error_exit_code. What is more to a code than an error (5: failed
     * jobs) leaves *error alone. */
    int (*run)(const option_list_t *options, error_info_t *error);
} command_t;

/* NULL: not given. */
const char *option_get(const option_list_t *options, const char *name);
bool option_given(const option_list_t *options, const char *name);
/* All values of a repeatable option; *values is borrowed until the next call with the same list. */
size_t option_all(const option_list_t *options, const char *name, const char *const **values);

/* Rows that many commands share. */
#define OPTION_CONFIG \
    { "config", 'c', "FILE", "config file (default: ./config.toml, else the shipped one)", false }
#define OPTION_SET \
    { "set", 's', "KEY=VALUE", "override one key of the config; may be repeated", true }
#define OPTION_STORE \
    { "store", 0, "DIR", "the store (default: store.path of the config)", false }
#define OPTION_RUN \
    { "run", 0, "NAME", "the run (default: the one started last)", false }
#define OPTION_JSON \
    { "json", 0, NULL, "print JSON", false }
#define OPTION_HELP \
    { "help", 'h', NULL, "print this help", false }

/* The config as --config and --set say; a missing ./config.toml means the shipped one. --store and
 * --run are applied as assignments. `offline`: as settings_load. NULL with *error set on failure.
 * The caller owns: settings_free. */
settings_t *command_settings(const option_list_t *options, bool offline, error_info_t *error);
/* key = "value" as TOML, owned by the caller: so that no path is taken for a number or a list. */
char *command_assignment(const char *key, const char *value);
/* The text of --config, of ./config.toml or of the shipped config, and what errors
 * call it (owned). */
bool command_read_config(const option_list_t *options, buffer_t *text, char **name,
                         error_info_t *error);
/* The directory of --store, else of the config; owned by the caller. NULL with *error set: the
 * config is wrong. */
char *command_store_path(const option_list_t *options, error_info_t *error);
/* Opens the store of --store, else of the config, for reading. The caller owns: store_close. */
store_t *command_open_store(const option_list_t *options, error_info_t *error);
/* The same for writing; `what` is what a second process is told ("import"). `create`: makes it if
 * it is not there. */
store_t *command_open_store_to_write(const option_list_t *options, const char *what, bool create,
                                     error_info_t *error);
/* Finds the run of --run or the last one, and loads the settings from its snapshot. The
 * caller owns both after success: run_info_clear, settings_free. `settings` may be NULL: they
 * are not loaded. */
bool command_find_run(store_t *store, const option_list_t *options, run_info_t *run,
                      settings_t **settings, error_info_t *error);
/* Puts `class_` and text into *error; returns the exit code that goes with it:
 * `return command_fail(...)`. */
int command_fail(error_info_t *error, error_class_t class_, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
