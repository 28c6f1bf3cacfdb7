/* carry_out.c - a run with the real ports, from the open store to its exit code. */
#include "tools/cli/carry_out.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/base/memory.h"
#include "core/base/text.h"
#include "core/net/http_curl.h"
#include "core/runtime/loop.h"
#include "tools/cli/command.h"
#include "tools/cli/open_files.h"
#include "tools/cli/prepare.h"
#include "tools/cli/record_stage.h"
#include "tools/cli/standin_process.h"

enum { WORKERS = 2 };

/* Everything that a live run holds. */
typedef struct {
    const carry_out_options_t *options;
    settings_t *settings;
    log_t *log;
    store_t *store;
    standin_process_t *standin;
    loop_t *loop;
    executor_t *workers, *committer;
    http_port_t *http;
    loop_signal_t *signals[2];
    run_t *live;
    run_info_t run;
    run_outcome_t outcome;
    bool finished, interrupted, broken;
    int recording; /* exit code of the record stage */
    error_info_t fatal;
} process_t;

static void write_log(void *context, log_level_t level, const char *line) {
    (void)context;
    fprintf(stderr, "glia: %s%s\n", level == LOG_ERROR ? "error: " : "", line);
}

static void write_progress(void *context, const char *text) {
    (void)context;
    fputs(text, stderr);
    fflush(stderr);
}

static void on_finished(void *context, const run_outcome_t *outcome) {
    process_t *process = context;
    process->outcome = *outcome;
    process->finished = true;
    loop_stop(process->loop);
}

static void on_fatal(void *context, const error_info_t *error) {
    process_t *process = context;
    process->fatal = *error;
    process->broken = true;
    loop_stop(process->loop);
}

/* First: stop taking work, finish what is in flight. Second: leave at once; the store is
 * consistent at every instant.
 */
static void on_signal(void *context, int signal_number) {
    process_t *process = context;
    if (process->interrupted) {
        fprintf(stderr, "\nglia: left at once; attempts in flight stand as doubts until they are "
                        "released (glia ledger)\n");
        standin_process_stop(process->standin);
        _exit(EXIT_INTERRUPTED);
    }
    process->interrupted = true;
    fprintf(stderr, "\nglia: %s: finishing what is in flight (again: leave at once)\n",
            signal_number == SIGTERM ? "SIGTERM" : "Ctrl-C");
    run_interrupt(process->live);
}

static bool take_up(process_t *process, prepare_taken_t *taken, error_info_t *error) {
    prepare_taken_t t = {0};
    bool ok = prepare_take_up(process->settings, process->store, process->options->retry_failed,
                              clock_utc(loop_clock(process->loop)), &process->run, &t, error);
    char amount[MONEY_TEXT_SIZE];
    if (ok && t.recovered > 0)
        log_line(process->log, LOG_WARN,
                 "%llu attempts were in flight when the last run ended; they stay charged at worst "
                 "case (%s) as doubts; see `glia ledger`",
                 (unsigned long long)t.recovered, money_format(t.recovered_amount, 6, amount));
    if (!ok)
        return false;
    char *holder = memory_format("run %s", process->run.name);
    store_set_holder(process->store, holder);
    free(holder);
    *taken = t;
    return true;
}

/* The first stage of a run whose sets are recorded. Its exit code is the run's where
 * it is not done. */
static bool record(process_t *process, error_info_t *error) {
    if (process->settings->batch || !settings_records(process->settings))
        return true;
    record_how_t how = {.quiet = process->options->quiet, .plain = process->options->plain};
    bool recorded;
    record_subject_t *subject = record_subject_open(process->settings, error);
    process->recording = subject ? EXIT_DONE : error_exit_code(error->class_);
    if (subject) {
        store_set_holder(process->store, "recording");
        process->settings->subject.recording = record_subject_identity(subject);
        process->recording = record_stage(process->store, subject, &how, &recorded, error);
    }
    record_subject_free(subject);
    return process->recording == EXIT_DONE;
}

static bool start_standin(process_t *process, error_info_t *error) {
    for (size_t i = 0; i < process->settings->endpoint_count; i++) {
        endpoint_settings_t *endpoint = &process->settings->endpoints[i];
        if (!endpoint->standin)
            continue;
        if (!process->standin && !(process->standin = standin_process_start(error)))
            return false;
        endpoint->base_url = standin_process_url(process->standin);
    }
    return true;
}

static bool open_ports(process_t *process, error_info_t *error) {
    process->workers = loop_executor_create(process->loop, WORKERS, error);
    process->committer = process->workers ? loop_executor_create(process->loop, 1, error) : NULL;
    process->http = process->committer ? http_curl_create(process->loop, 0, error) : NULL;
    return process->http != NULL;
}

static bool open_store(process_t *process, error_info_t *error) {
    process->log = log_create(process->options->verbose ? LOG_DEBUG : LOG_INFO, write_log, NULL);
    settings_hide_secrets(process->settings, process->log);
    process->store = store_open(process->settings->store_path, STORE_WRITE, NULL, error);
    process->loop = process->store ? loop_create(error) : NULL;
    return process->loop != NULL;
}

static bool set_up(process_t *process, error_info_t *error) {
    const carry_out_options_t *options = process->options;
    prepare_taken_t taken;
    job_source_t source = {0};
    if (!open_files_allow(process->settings, error) || !open_store(process, error) ||
        !record(process, error) || !take_up(process, &taken, error) ||
        (options->open && !options->open(options->context, process->settings, &process->run, &taken,
                                         &source, error)) ||
        !start_standin(process, error) || !open_ports(process, error))
        return false;
    ports_t ports = {.clock = loop_clock(process->loop),
                     .http = process->http,
                     .workers = process->workers,
                     .committer = process->committer,
                     .store = process->store,
                     .log = process->log};
    run_options_t run_options = {
        .settings = process->settings,
        .stages = &stages_shipped,
        .run = &process->run,
        .source = source,
        .terminal = isatty(STDERR_FILENO) && !options->plain,
        .quiet = 30 * CLOCK_SECOND,
        .write = options->quiet ? NULL : write_progress,
        .finished = on_finished,
        .fatal = on_fatal,
        .context = process,
    };
    process->live = run_create(&ports, &run_options, error);
    return process->live != NULL;
}

/* Nothing reaches the network or uses the source any more. */
static void stop_ports(process_t *process) {
    if (process->http)
        http_curl_free(process->http);
    if (process->workers)
        loop_executor_free(process->workers);
    if (process->committer)
        loop_executor_free(process->committer);
    process->http = NULL;
    process->workers = process->committer = NULL;
}

/* In the order that lets nothing outlive what it uses. */
static void tear_down(process_t *process) {
    for (size_t i = 0; i < 2; i++)
        if (process->signals[i])
            loop_signal_free(process->signals[i]);
    stop_ports(process);
    run_free(process->live);
    if (process->loop)
        loop_free(process->loop);
    standin_process_stop(process->standin);
    run_info_clear(&process->run);
    store_close(process->store);
    settings_free(process->settings);
    log_free(process->log);
}

static bool record_end(process_t *process, error_info_t *error) {
    run_info_t *run = &process->run;
    static const run_state_t states[] = {
        [END_DONE] = RUN_DONE,
        [END_FAILURES] = RUN_DONE,
        [END_RETRYABLE] = RUN_PAUSED,
        [END_CAP] = RUN_PAUSED,
        [END_WORLD] = RUN_PAUSED,
        [END_CONFIG] = RUN_PAUSED,
        [END_INTERRUPTED] = RUN_INTERRUPTED,
        [END_INTERNAL] = RUN_INTERRUPTED,
    };
    run->state = states[process->outcome.end];
    free(run->state_note);
    run->state_note =
        process->outcome.message[0] ? memory_copy_string(process->outcome.message) : NULL;
    run->ended_utc = clock_utc(loop_clock(process->loop));
    run->busy += run->ended_utc > run->started_utc ? run->ended_utc - run->started_utc : 0;
    run->lag_p99 = (uint64_t)loop_lag_quantile(process->loop, 0.99);
    facts_t facts = process->outcome.facts;
    facts.cap = process->settings->cap_total;
    buffer_t progress = BUFFER_EMPTY;
    reporter_progress_encode(&stages_shipped, &facts, run->ended_utc, 0,
                             process->outcome.end == END_DONE ? 0 : -1, &progress);
    bool ok = prepare_save_run(process->store, run, &progress, error);
    buffer_free(&progress);
    return ok;
}

static int exit_code(run_end_t end) {
    switch (end) {
    case END_DONE: return EXIT_DONE;
    case END_FAILURES: return EXIT_WITH_FAILURES;
    case END_CAP: return EXIT_AT_CAP;
    case END_RETRYABLE:
    case END_WORLD: return EXIT_BY_WORLD;
    case END_CONFIG: return EXIT_USAGE;
    case END_INTERRUPTED: return EXIT_INTERRUPTED;
    case END_INTERNAL: break;
    }
    return EXIT_INTERNAL;
}

static bool close_source(process_t *process, error_info_t *error) {
    const carry_out_options_t *options = process->options;
    if (!options->close)
        return true;
    stop_ports(process);
    return options->close(options->context, process->store, error);
}

static void say_end(const process_t *process) {
    const run_outcome_t *outcome = &process->outcome;
    buffer_t stages = BUFFER_EMPTY;
    reporter_stages_append(&stages_shipped, &outcome->facts, &stages);
    bool paused = outcome->end == END_CAP || outcome->end == END_WORLD;
    if (outcome->end == END_DONE)
        fprintf(stderr, "glia: run %s is done (%s); see %s\n", process->run.name,
                buffer_text(&stages), process->options->see);
    else
        fprintf(stderr, "glia: run %s: %s%s\n", process->run.name, paused ? "paused: " : "",
                outcome->message);
    buffer_free(&stages);
}

static int run_loop(process_t *process, error_info_t *error) {
    process->signals[0] = loop_signal_create(process->loop, SIGINT, on_signal, process);
    process->signals[1] = loop_signal_create(process->loop, SIGTERM, on_signal, process);
    loop_run(process->loop);
    if (process->broken) {
        *error = process->fatal;
        return EXIT_INTERNAL;
    }
    if (!process->finished) {
        error_set(error, ERROR_BUG, "the loop ended before the run did");
        return EXIT_INTERNAL;
    }
    bool closed = close_source(process, error);
    if (!record_end(process, closed ? error : NULL) || !closed)
        return error_exit_code(error->class_);
    say_end(process);
    return exit_code(process->outcome.end);
}

int carry_out(const carry_out_options_t *options, settings_t *settings, error_info_t *error) {
    process_t process = {.options = options, .settings = settings};
    int code = set_up(&process, error)  ? run_loop(&process, error)
               : process.recording != 0 ? process.recording
                                        : error_exit_code(error->class_);
    tear_down(&process);
    return code;
}
