/* cmd_viewer.c - `glia viewer`: the web pages of a store, and the blinded study. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/memory.h"
#include "core/base/numbers.h"
#include "core/runtime/loop.h"
#include "tools/cli/command.h"
#include "tools/cli/output.h"
#include "tools/viewer/study_make.h"
#include "tools/viewer/viewer.h"

enum { PORT_DEFAULT = 8321, TOKEN_MOST = 256, REST = 9 };
static const double OVERLAP_DEFAULT = 0.2;

typedef struct {
    loop_t *loop;
    clock_timer_t *timer;
    viewer_t *viewer;
    int64_t busy; /* microseconds of the pass over the index that is under way */
} serve_t;

/* --- the loop: follows the run, without a pause while a pass is under way --------------------- */

/* A second between two passes; more where they are long, so that following takes a tenth of a
 * processor at most: the run that is looked at may have no more than two. */

static void follow(void *context) {
    serve_t *serve = context;
    clock_port_t *clock = loop_clock(serve->loop);
    int64_t begun = clock_now(clock);
    bool more = viewer_refresh(serve->viewer);
    int64_t now = clock_now(clock), rest = 1000;
    serve->busy += now - begun;
    if (!more) {
        rest = REST * serve->busy > CLOCK_SECOND ? REST * serve->busy : CLOCK_SECOND;
        serve->busy = 0;
    }
    clock_timer_start(clock, serve->timer, now + rest);
}

static void stop(void *context, int signal_number) {
    (void)signal_number;
    loop_stop(((serve_t *)context)->loop);
}

static bool say_where(const viewer_options_t *options, uint16_t port, const char *port_file,
                      error_info_t *error) {
    buffer_t text = BUFFER_EMPTY;
    bool good = true;
    if (port_file) {
        buffer_append_format(&text, "%u\n", (unsigned)port);
        good = buffer_write_file(&text, port_file, error);
        buffer_clear(&text);
    }
    const char *host = strcmp(options->address, "0.0.0.0") == 0
                           ? (options->host_count ? options->hosts[0] : "127.0.0.1")
                           : options->address;
    if (options->store)
        buffer_append_format(&text, "http://%s:%u/\n", host, (unsigned)port);
    const study_definition_t *study = options->study ? study_definition(options->study) : NULL;
    for (size_t i = 0; study && i < study->rater_count; i++)
        buffer_append_format(&text, "http://%s:%u/study/%s\n", host, (unsigned)port,
                             study->raters[i]);
    buffer_append_format(&text, "%sCtrl-C ends it.\n",
                         options->token ? "Add ?token=... the first time. " : "");
    good = good && output_print(&text, error);
    buffer_free(&text);
    fflush(stdout);
    return good;
}

static bool serve(const viewer_options_t *options, const char *port_file, error_info_t *error) {
    serve_t serve = {.loop = loop_create(error)};
    if (!serve.loop)
        return false;
    serve.viewer = viewer_start(options, error);
    bool good = serve.viewer && say_where(options, viewer_port(serve.viewer), port_file, error);
    if (good) {
        loop_signal_t *signals[2] = {loop_signal_create(serve.loop, SIGINT, stop, &serve),
                                     loop_signal_create(serve.loop, SIGTERM, stop, &serve)};
        serve.timer = clock_timer_create(loop_clock(serve.loop), follow, &serve);
        follow(&serve);
        loop_run(serve.loop);
        clock_timer_free(loop_clock(serve.loop), serve.timer);
        loop_signal_free(signals[0]);
        loop_signal_free(signals[1]);
    }
    if (serve.viewer)
        viewer_stop(serve.viewer);
    loop_free(serve.loop);
    return good;
}

/* --- options ---------------------------------------------------------------------------------- */

static bool read_token(const char *path, char token[TOKEN_MOST + 1], error_info_t *error) {
    buffer_t text = BUFFER_EMPTY;
    if (!buffer_read_file(&text, path, TOKEN_MOST, error))
        return false;
    size_t length = strcspn(buffer_text(&text), "\r\n");
    memcpy(token, buffer_text(&text), length);
    token[length] = '\0';
    buffer_free(&text);
    if (length >= GATE_TOKEN_LEAST &&
        strspn(token, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") == length)
        return true;
    return error_set(error, ERROR_CONFIG,
                     "%s: a token has at least %d characters of a-z A-Z 0-9 - _ on one line", path,
                     GATE_TOKEN_LEAST);
}

static bool read_where(const option_list_t *options, viewer_options_t *viewer,
                       char token[TOKEN_MOST + 1], error_info_t *error) {
    viewer->address = option_get(options, "address");
    viewer->address = viewer->address ? viewer->address : "127.0.0.1";
    viewer->host_count = option_all(options, "host", &viewer->hosts);
    uint64_t port = PORT_DEFAULT;
    const char *text = option_get(options, "port");
    if (text && !number_parse_whole(text, strlen(text), UINT16_MAX, &port))
        return error_set(error, ERROR_USAGE, "--port %s: it is 0 (any free one) to 65535", text);
    viewer->port = (uint16_t)port;
    const char *file = option_get(options, "token-file");
    if (file) {
        viewer->token = token;
        return read_token(file, token, error);
    }
    if (gate_is_loopback(viewer->address))
        return true;
    return error_set(error, ERROR_USAGE,
                     "--address %s: others can reach it, so it needs --token-file FILE, a file "
                     "with a secret of %d or more letters and digits",
                     viewer->address, GATE_TOKEN_LEAST);
}

static bool read_wish(const option_list_t *options, study_wish_t *wish, error_info_t *error) {
    const char *neurons = option_get(options, "study-neurons"),
               *overlap = option_get(options, "overlap");
    uint64_t count = 0;
    *wish = (study_wish_t){.raters = option_get(options, "raters"),
                           .set = option_get(options, "study-set"),
                           .overlap = OVERLAP_DEFAULT,
                           .merge = option_given(options, "merge")};
    if (neurons &&
        (!number_parse_whole(neurons, strlen(neurons), UINT32_MAX, &count) || count == 0))
        return error_set(error, ERROR_USAGE, "--study-neurons %s: it is a count from 1 on",
                         neurons);
    wish->neurons = (size_t)count;
    if (overlap &&
        (!number_parse(overlap, &wish->overlap) || wish->overlap < 0 || wish->overlap > 1))
        return error_set(error, ERROR_USAGE, "--overlap %s: it is a share from 0 to 1", overlap);
    return true;
}

/* --- what is served --------------------------------------------------------------------------- */

static study_t *make_study(const option_list_t *options, store_t *store, const char *directory,
                           error_info_t *error) {
    study_wish_t wish;
    size_t skipped;
    if (!read_wish(options, &wish, error))
        return NULL;
    view_t *view = view_load(store, option_get(options, "run"), &stages_shipped, error);
    if (!view)
        return NULL;
    study_t *study = NULL;
    if (!view->sweep)
        error_set(error, ERROR_USAGE, "run %s is a batch: it has nothing to rate", view->run.name);
    else
        study = study_make(directory, store, view, &wish, &skipped, error);
    if (study && skipped)
        fprintf(stderr, "glia viewer: %zu neurons lack an explanation and are not in the study\n",
                skipped);
    view_release(view);
    return study;
}

/* The study of --study, or the one beside the store's data; made anew if there are --raters. NULL
 * is fine unless *error is set: there is none. */
static study_t *find_study(const option_list_t *options, store_t *store, error_info_t *error) {
    const char *named = option_get(options, "study");
    char *directory =
        named ? memory_copy_string(named) : memory_format("%s/study", store_directory(store));
    study_t *study = NULL;
    if (option_given(options, "raters"))
        study = make_study(options, store, directory, error);
    else if (named || study_exists(directory) || option_given(options, "study-only"))
        study = study_open(directory, true, error);
    free(directory);
    return study;
}

static int run(const option_list_t *options, error_info_t *error) {
    char token[TOKEN_MOST + 1];
    viewer_options_t viewer = {.run = option_get(options, "run"), .stages = &stages_shipped};
    error_info_t trouble = {0};
    if (!read_where(options, &viewer, token, error))
        return error_exit_code(error->class_);
    bool alone = option_given(options, "study-only");
    store_t *store = NULL;
    /* With --study-only --study DIR the store is not even opened. */
    if (!alone || option_given(options, "raters") || !option_given(options, "study"))
        store = command_open_store(options, &trouble);
    if (trouble.class_ == ERROR_NONE)
        viewer.study = find_study(options, store, &trouble);
    if (trouble.class_ == ERROR_NONE) {
        viewer.store = alone ? NULL : store;
        serve(&viewer, option_get(options, "port-file"), &trouble);
    }
    study_close(viewer.study);
    store_close(store);
    if (trouble.class_ == ERROR_NONE)
        return EXIT_DONE;
    *error = trouble;
    return error_exit_code(error->class_);
}

static const option_t table[] = {
    {"port", 'p', "PORT", "listen there (default 8321; 0: any free one)", false},
    {"port-file", 0, "FILE", "write the port there once pages are served", false},
    {"address", 'a', "IP",
     "listen on this IPv4 address (default 127.0.0.1); any but 127.* needs --token-file", false},
    {"token-file", 0, "FILE",
     "a file with the secret that visitors need: ?token=... once, then a cookie", false},
    {"host", 0, "NAME", "a further name under which this machine is visited; may be repeated",
     true},
    {"study", 0, "DIR", "the directory of the study (default: study in the store's)", false},
    {"study-only", 0, NULL, "serve the study and nothing else", false},
    {"raters", 0, "CODE,CODE", "make the study, for raters with these codes", false},
    {"study-set", 0, "NAME", "making it: the neuron set (default: the run's first)", false},
    {"study-neurons", 0, "N",
     "making it: so many neurons, drawn with the run's seed (default: all)", false},
    {"overlap", 0, "SHARE",
     "making it: the share of neurons that all raters get, 0 to 1 (default 0.2)", false},
    {"merge", 0, NULL, "making it: show identical explanations once; all of them get the rating",
     false},
    OPTION_RUN,
    OPTION_STORE,
    OPTION_CONFIG,
    OPTION_HELP,
    {0},
};

const command_t command_viewer = {
    .name = "viewer",
    .usage = "[--port PORT] [--run NAME] [--raters CODE,CODE] [--study-only]",
    .summary =
        "web pages of a run and its neurons, and the blinded study; also while the run is live",
    .details = "Reads the store and cannot start or spend anything. With --raters a study is made "
               "from the explanations that are there; each rater opens /study/CODE. Without, a "
               "study that is there goes on. `glia export study` writes its answers.",
    .options = table,
    .run = run,
};
