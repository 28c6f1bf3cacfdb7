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
    experiment_t *experiment;
    run_info_t run;
    run_outcome_t outcome;
    bool finished, interrupted, broken;
    int recording; /* exit code of the record stage */
    error_info_t fatal;
} night_t;

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
    night_t *night = context;
    night->outcome = *outcome;
    night->finished = true;
    loop_stop(night->loop);
}

static void on_fatal(void *context, const error_info_t *error) {
    night_t *night = context;
    night->fatal = *error;
    night->broken = true;
    loop_stop(night->loop);
}

/* First: stop taking work, finish what is in flight. Second: leave at once; the store is consistent at every instant.
 */
static void on_signal(void *context, int signal_number) {
    night_t *night = context;
    if (night->interrupted) {
        fprintf(stderr,
                "\nglia: left at once; attempts in flight stand as doubts until they are released (glia ledger)\n");
        standin_process_stop(night->standin);
        _exit(EXIT_INTERRUPTED);
    }
    night->interrupted = true;
    fprintf(stderr, "\nglia: %s: finishing what is in flight (again: leave at once)\n",
            signal_number == SIGTERM ? "SIGTERM" : "Ctrl-C");
    experiment_interrupt(night->experiment);
}

static bool take_up(night_t *night, prepare_taken_t *taken, error_info_t *error) {
    prepare_taken_t t = {0};
    bool ok = prepare_take_up(night->settings, night->store, night->options->retry_failed,
                              clock_utc(loop_clock(night->loop)), &night->run, &t, error);
    char amount[MONEY_TEXT_SIZE];
    if (ok && t.recovered > 0)
        log_line(night->log, LOG_WARN,
                 "%llu attempts were in flight when the last run ended; they stay charged at worst case (%s) as "
                 "doubts; see `glia ledger`",
                 (unsigned long long)t.recovered, money_format(t.recovered_amount, 6, amount));
    if (!ok)
        return false;
    char *holder = memory_format("run %s", night->run.name);
    store_set_holder(night->store, holder);
    free(holder);
    *taken = t;
    return true;
}

/* The first stage of a run whose sets are recorded. Its exit code is the run's where it is not done. */
static bool record(night_t *night, error_info_t *error) {
    if (night->settings->batch || !settings_records(night->settings))
        return true;
    record_how_t how = {.quiet = night->options->quiet, .plain = night->options->plain};
    bool recorded;
    record_subject_t *subject = record_subject_open(night->settings, error);
    night->recording = subject ? EXIT_DONE : error_exit_code(error->class_);
    if (subject) {
        store_set_holder(night->store, "recording");
        night->settings->subject.recording = record_subject_identity(subject);
        night->recording = record_stage(night->store, subject, &how, &recorded, error);
    }
    record_subject_free(subject);
    return night->recording == EXIT_DONE;
}

static bool start_standin(night_t *night, error_info_t *error) {
    for (size_t i = 0; i < night->settings->endpoint_count; i++) {
        endpoint_settings_t *endpoint = &night->settings->endpoints[i];
        if (!endpoint->standin)
            continue;
        if (!night->standin && !(night->standin = standin_process_start(error)))
            return false;
        endpoint->base_url = standin_process_url(night->standin);
    }
    return true;
}

static bool open_ports(night_t *night, error_info_t *error) {
    night->workers = loop_executor_create(night->loop, WORKERS, error);
    night->committer = night->workers ? loop_executor_create(night->loop, 1, error) : NULL;
    night->http = night->committer ? http_curl_create(night->loop, 0, error) : NULL;
    return night->http != NULL;
}

static bool open_store(night_t *night, error_info_t *error) {
    night->log = log_create(night->options->verbose ? LOG_DEBUG : LOG_INFO, write_log, NULL);
    settings_hide_secrets(night->settings, night->log);
    night->store = store_open(night->settings->store_path, STORE_WRITE, NULL, error);
    night->loop = night->store ? loop_create(error) : NULL;
    return night->loop != NULL;
}

static bool set_up(night_t *night, error_info_t *error) {
    const carry_out_options_t *options = night->options;
    prepare_taken_t taken;
    job_source_t source = {0};
    if (!open_files_allow(night->settings, error) || !open_store(night, error) || !record(night, error) ||
        !take_up(night, &taken, error) ||
        (options->open && !options->open(options->context, night->settings, &night->run, &taken, &source, error)) ||
        !start_standin(night, error) || !open_ports(night, error))
        return false;
    ports_t ports = {.clock = loop_clock(night->loop),
                     .http = night->http,
                     .workers = night->workers,
                     .committer = night->committer,
                     .store = night->store,
                     .log = night->log};
    experiment_options_t experiment = {
        .settings = night->settings,
        .stages = &stages_shipped,
        .run = &night->run,
        .source = source,
        .terminal = isatty(STDERR_FILENO) && !options->plain,
        .quiet = 30 * CLOCK_SECOND,
        .write = options->quiet ? NULL : write_progress,
        .finished = on_finished,
        .fatal = on_fatal,
        .context = night,
    };
    night->experiment = experiment_create(&ports, &experiment, error);
    return night->experiment != NULL;
}

/* Nothing reaches the network or uses the source any more. */
static void stop_ports(night_t *night) {
    if (night->http)
        http_curl_free(night->http);
    if (night->workers)
        loop_executor_free(night->workers);
    if (night->committer)
        loop_executor_free(night->committer);
    night->http = NULL;
    night->workers = night->committer = NULL;
}

/* In the order that lets nothing outlive what it uses. */
static void tear_down(night_t *night) {
    for (size_t i = 0; i < 2; i++)
        if (night->signals[i])
            loop_signal_free(night->signals[i]);
    stop_ports(night);
    experiment_free(night->experiment);
    if (night->loop)
        loop_free(night->loop);
    standin_process_stop(night->standin);
    run_info_clear(&night->run);
    store_close(night->store);
    settings_free(night->settings);
    log_free(night->log);
}

static bool record_end(night_t *night, error_info_t *error) {
    run_info_t *run = &night->run;
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
    run->state = states[night->outcome.end];
    free(run->state_note);
    run->state_note = night->outcome.message[0] ? memory_copy_string(night->outcome.message) : NULL;
    run->ended_utc = clock_utc(loop_clock(night->loop));
    run->busy += run->ended_utc > run->started_utc ? run->ended_utc - run->started_utc : 0;
    run->lag_p99 = (uint64_t)loop_lag_quantile(night->loop, 0.99);
    facts_t facts = night->outcome.facts;
    facts.cap = night->settings->cap_total;
    buffer_t progress = BUFFER_EMPTY;
    reporter_progress_encode(&stages_shipped, &facts, run->ended_utc, 0, night->outcome.end == END_DONE ? 0 : -1,
                             &progress);
    bool ok = prepare_save_run(night->store, run, &progress, error);
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

static bool close_source(night_t *night, error_info_t *error) {
    const carry_out_options_t *options = night->options;
    if (!options->close)
        return true;
    stop_ports(night);
    return options->close(options->context, night->store, error);
}

static void say_end(const night_t *night) {
    const run_outcome_t *outcome = &night->outcome;
    buffer_t stages = BUFFER_EMPTY;
    reporter_stages_append(&stages_shipped, &outcome->facts, &stages);
    bool paused = outcome->end == END_CAP || outcome->end == END_WORLD;
    if (outcome->end == END_DONE)
        fprintf(stderr, "glia: run %s is done (%s); see %s\n", night->run.name, buffer_text(&stages),
                night->options->see);
    else
        fprintf(stderr, "glia: run %s: %s%s\n", night->run.name, paused ? "paused: " : "", outcome->message);
    buffer_free(&stages);
}

static int run_loop(night_t *night, error_info_t *error) {
    night->signals[0] = loop_signal_create(night->loop, SIGINT, on_signal, night);
    night->signals[1] = loop_signal_create(night->loop, SIGTERM, on_signal, night);
    loop_run(night->loop);
    if (night->broken) {
        *error = night->fatal;
        return EXIT_INTERNAL;
    }
    if (!night->finished) {
        error_set(error, ERROR_BUG, "the loop ended before the run did");
        return EXIT_INTERNAL;
    }
    bool closed = close_source(night, error);
    if (!record_end(night, closed ? error : NULL) || !closed)
        return error_exit_code(error->class_);
    say_end(night);
    return exit_code(night->outcome.end);
}

int carry_out(const carry_out_options_t *options, settings_t *settings, error_info_t *error) {
    night_t night = {.options = options, .settings = settings};
    int code = set_up(&night, error)  ? run_loop(&night, error)
               : night.recording != 0 ? night.recording
                                      : error_exit_code(error->class_);
    tear_down(&night);
    return code;
}
