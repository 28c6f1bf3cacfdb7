/* cmd_fsck.c - `glia fsck`: verifies a store.
 *
 * LMDB trusts its pages: a damaged one can make it crash. So the store is read by a child process,
 * whose crash is a finding like any other.
 */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/base/json.h"
#include "core/base/text.h"
#include "store/fsck.h"
#include "tools/cli/command.h"
#include "tools/cli/output.h"

static void write_json(const fsck_report_t *report, buffer_t *out) {
    buffer_append_format(out, "{\"records\":%llu,\"problems\":%llu,\"lines\":[",
                         (unsigned long long)report->records, (unsigned long long)report->problems);
    const char *at = buffer_text(&report->lines);
    for (bool first = true; *at; first = false) {
        size_t length = 0;
        while (at[length] && at[length] != '\n')
            length++;
        buffer_append_text(out, first ? "" : ",");
        json_write_string(out, at, length);
        at += length + (at[length] == '\n');
    }
    buffer_append_text(out, "]}\n");
}

static void write_text(const fsck_report_t *report, const char *directory, buffer_t *out) {
    char records[32], problems[32];
    buffer_append_text(out, buffer_text(&report->lines));
    buffer_append_format(out, "store %s: %s records read, %s problem%s\n", directory,
                         text_format_count(report->records, records),
                         text_format_count(report->problems, problems),
                         report->problems == 1 ? "" : "s");
}

static int check(const option_list_t *options, error_info_t *error) {
    store_t *store = command_open_store(options, error);
    if (!store)
        return error_exit_code(error->class_);
    fsck_report_t report = {0};
    buffer_t out = BUFFER_EMPTY;
    bool good = fsck_run(store, &report, error);
    if (good && option_given(options, "json"))
        write_json(&report, &out);
    else if (good)
        write_text(&report, store_directory(store), &out);
    good = good && output_print(&out, error);
    int code = !good ? error_exit_code(error->class_) : report.problems ? EXIT_INTERNAL : EXIT_DONE;
    buffer_free(&out);
    fsck_report_clear(&report);
    store_close(store);
    return code;
}

/* The exit code of the child, or what its end by a signal says of the store. */
static int wait_for(pid_t child, const char *directory, error_info_t *error) {
    int status = 0;
    if (waitpid(child, &status, 0) < 0)
        return command_fail(error, ERROR_FATAL, "cannot wait for the process that reads the store");
    if (WIFEXITED(status))
        return WEXITSTATUS(status);
    int number = WTERMSIG(status);
    bool crash = number == SIGSEGV || number == SIGBUS || number == SIGABRT || number == SIGFPE ||
                 number == SIGILL;
    return command_fail(error, ERROR_FATAL,
                        crash ? "store %s is damaged: reading it through crashes the database "
                                "(%s); go back to a copy, or export what can still be read"
                              : "reading store %s was ended (%s)",
                        directory, strsignal(number));
}

static int run(const option_list_t *options, error_info_t *error) {
    char *directory = command_store_path(options, error);
    if (!directory)
        return error_exit_code(error->class_);
    /* before the store is opened: that reads it, too, and LMDB must not cross a fork */
    pid_t child = fork();
    int code;
    if (child > 0) {
        code = wait_for(child, directory, error);
    } else if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        code = check(options, error); /* main() prints and ends, for the child too */
    } else {
        code = command_fail(error, ERROR_RETRYABLE, "cannot start a process that reads the store");
    }
    free(directory);
    return code;
}

static const option_t table[] = {
    OPTION_STORE, OPTION_CONFIG, OPTION_JSON, OPTION_HELP, {0},
};

const command_t command_fsck = {
    .name = "fsck",
    .usage = "[--store DIR] [--json]",
    .summary = "verify a store: every record and every ledger equation",
    .details = "Prints a line a problem, and ends with exit code 1 if there is any. Changes "
               "nothing; works while a run is live.",
    .options = table,
    .run = run,
};
