/* cmd_run.c - `glia run`: plan, resume, carry out until done or paused. */
#include "tools/cli/carry_out.h"

static int run_command(const option_list_t *options, error_info_t *error) {
    carry_out_options_t how = {
        .retry_failed = option_given(options, "retry-failed"),
        .plain = option_given(options, "plain"),
        .quiet = option_given(options, "quiet"),
        .verbose = option_given(options, "verbose"),
        .see = "`glia report`",
    };
    settings_t *settings = command_settings(options, false, error);
    return settings ? carry_out(&how, settings, error) : error_exit_code(error->class_);
}

static const option_t run_options[] = {
    OPTION_CONFIG,
    OPTION_SET,
    OPTION_STORE,
    {"run", 0, "NAME",
     "name of the run (default: run.name of the config); the same name resumes it", false},
    {"retry-failed", 0, NULL, "try jobs again that failed terminally in this run", false},
    {"plain", 0, NULL, "plain lines instead of the live block, on a terminal too", false},
    {"quiet", 'q', NULL, "show no progress", false},
    {"verbose", 'v', NULL, "say why each failed job failed", false},
    OPTION_HELP,
    {0},
};

const command_t command_run = {
    .name = "run",
    .usage = "[options]",
    .summary = "carry out a config's sweep until it is done or paused; run again to resume",
    .details = "Exit codes: 0 done, 2 the config cannot work, 3 paused at a cap, 4 paused by the "
               "world (quota,\n"
               "credentials, outage, disk) or jobs failed for now, 5 done with terminally failed "
               "jobs, 130 interrupted.\n"
               "3, 4 and 130 go on where they stopped when the command is given again.",
    .options = run_options,
    .run = run_command,
};
