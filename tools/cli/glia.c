/* glia.c - the program: a table of commands, and the one place that prints errors and
 * ends the process. */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "core/base/text.h"
#include "tools/cli/command.h"
#include "tools/cli/help.h"
#include "tools/cli/options.h"
#include "tools/cli/output.h"

extern const command_t command_run, command_record, command_batch, command_plan, command_status,
    command_report, command_import, command_export, command_prompts, command_ledger, command_tokens,
    command_fsck, command_viewer, command_show;

/* In the order in which they are used. */
static const command_t *const commands[] = {
    &command_run,     &command_record, &command_plan,   &command_status, &command_report,
    &command_show,    &command_viewer, &command_import, &command_export, &command_batch,
    &command_prompts, &command_tokens, &command_ledger, &command_fsck,
};
enum { COMMAND_COUNT = sizeof commands / sizeof commands[0] };

static const command_t *find_command(const char *name, error_info_t *error) {
    const char *names[COMMAND_COUNT + 1];
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        if (!strcmp(commands[i]->name, name))
            return commands[i];
        names[i] = commands[i]->name;
    }
    names[COMMAND_COUNT] = "help";
    const char *near = text_closest(name, names, COMMAND_COUNT + 1);
    if (near)
        error_set(error, ERROR_USAGE, "there is no command \"%s\"; did you mean \"glia %s\"?", name,
                  near);
    else
        error_set(error, ERROR_USAGE, "there is no command \"%s\"; `glia help` lists them", name);
    return NULL;
}

static int print_help(const char *topic, error_info_t *error) {
    buffer_t text = BUFFER_EMPTY;
    const command_t *command = NULL;
    if (!topic)
        help_write_overview(commands, COMMAND_COUNT, &text);
    else if (!strcmp(topic, "config"))
        help_write_config(&text);
    else if ((command = find_command(topic, error)))
        options_write_help(command, &text);
    else
        return error_exit_code(error->class_);
    return output_finish(&text, error);
}

static int run_command(const command_t *command, int argc, char **argv, error_info_t *error) {
    option_list_t options;
    if (!options_parse(command, argc, argv, &options, error))
        return error_exit_code(error->class_);
    int code = option_given(&options, "help") ? print_help(command->name, error)
                                              : command->run(&options, error);
    options_clear(&options);
    return code;
}

static int print_version(error_info_t *error) {
    buffer_t text = BUFFER_EMPTY;
    buffer_append_text(&text, "glia " GLIA_VERSION "\n");
    return output_finish(&text, error);
}

int main(int argc, char **argv) {
    /* A write to a pipe whose reader left is an error code, not the end of a run. */
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN); /* likewise a limit on file sizes */
    error_info_t error = {0};
    const char *name = argc > 1 ? argv[1] : "help";
    const command_t *command = NULL;
    int code;
    if (!strcmp(name, "--version") || !strcmp(name, "-V") || !strcmp(name, "version"))
        code = print_version(&error);
    else if (!strcmp(name, "help") || !strcmp(name, "--help") || !strcmp(name, "-h"))
        code = print_help(argc > 2 ? argv[2] : NULL, &error);
    else if ((command = find_command(name, &error)))
        code = run_command(command, argc - 2, argv + 2, &error);
    else
        code = error_exit_code(error.class_);
    /* What was tried, failed and mended on the way is no news. */
    if (code != EXIT_DONE && error.class_ != ERROR_NONE)
        fprintf(stderr, "glia%s%s: %s\n", command ? " " : "", command ? command->name : "",
                error.message);
    return code;
}
