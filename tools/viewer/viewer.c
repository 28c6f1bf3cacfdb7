/* viewer.c - routes, headers, the gate in front of them, and following the run. */
#include "tools/viewer/viewer.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/embedded.h"
#include "core/base/memory.h"
#include "core/base/numbers.h"
#include "core/base/text.h"
#include "tools/viewer/call.h"

enum {
    MAXIMUM_BODY = 64 << 10,
    THREADS = 4,
    CONNECTIONS = 256,
    GRACE = 200000, /* microseconds */
    EVENT_INTERVAL = 1000000,
    STEP_NEURONS = 2000,
    PATH_SIZE = 512,
};

struct viewer {
    viewer_options_t options;
    gate_t gate;
    http_server_t *server;
    pthread_mutex_t mutex;
    view_t *view; /* guarded; NULL: the study alone is served */
    /* of viewer_refresh alone */
    bool behind; /* a pass over the index is under way */
    uint64_t jobs, failures;
    bool jobs_known;
};

static view_t *current_view(viewer_t *viewer) {
    pthread_mutex_lock(&viewer->mutex);
    view_t *view = viewer->view ? view_hold(viewer->view) : NULL;
    pthread_mutex_unlock(&viewer->mutex);
    return view;
}

/* --- what handlers share ---------------------------------------------------------------------- */

void call_refuse(call_t *call, int status, const char *format, ...) {
    char text[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    call->response->status = status;
    buffer_clear(&call->response->body);
    field_open(&call->response->body, NULL, '{');
    field_text(&call->response->body, "error", text);
    field_close(&call->response->body, '}');
}

bool call_number(const call_t *call, const char *name, double *value) {
    const char *text = http_server_query(call->request, name);
    return text && number_parse(text, value);
}

bool call_integer(const call_t *call, const char *name, int64_t *value) {
    double number;
    if (!call_number(call, name, &number) || number < -1e15 || number > 1e15)
        return false;
    *value = (int64_t)number;
    return true;
}

bool call_set(call_t *call, int64_t *set) {
    const char *name = http_server_query(call->request, "set");
    *set = -1;
    if (!name || !*name)
        return true;
    const settings_t *settings = call->view->settings;
    for (size_t i = 0; i < settings->set_count; i++)
        if (strcmp(settings->sets[i].name, name) == 0) {
            *set = (int64_t)i;
            return true;
        }
    call_refuse(call, 404, "run %s has no set \"%.100s\"", call->view->run.name, name);
    return false;
}

/* --- pages and files -------------------------------------------------------------------------- */

static void answer_file(call_t *call, const char *name) {
    static const struct kind {
        const char *ending, *type;
    } kinds[] = {
        {".html", "text/html; charset=utf-8"},
        {".css", "text/css; charset=utf-8"},
        {".js", "text/javascript; charset=utf-8"},
        {".svg", "image/svg+xml"},
    };
    char path[PATH_SIZE];
    embedded_file_t file;
    snprintf(path, sizeof path, "tools/viewer/pages/%s", name);
    if (!embedded_find(path, &file)) {
        call->response->status = 404;
        http_server_add_field(call->response, "Content-Type", "text/plain; charset=utf-8");
        buffer_append_text(&call->response->body, "There is no such page.\n");
        return;
    }
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (text_ends_with(name, kinds[i].ending))
            http_server_add_field(call->response, "Content-Type", "%s", kinds[i].type);
    buffer_append(&call->response->body, file.data, file.size);
}

static void answer_asset(call_t *call) {
    answer_file(call, call->rest);
}

/* --- routes ----------------------------------------------------------------------------------- */

typedef struct {
    const char *path; /* ends in '/': a prefix, or exactly it for "/" */
    const char *page; /* a page; NULL: `handle` */
    void (*handle)(call_t *call);
    bool study; /* served with --study-only as well */
} route_t;

static const route_t routes[] = {
    {"/assets/", NULL, answer_asset, true},
    {"/study", "study.html", NULL, true},
    {"/study/", "study.html", NULL, true},
    {"/api/study/", NULL, api_study, true},
    {"/", "run.html", NULL, false},
    {"/neurons", "neurons.html", NULL, false},
    {"/compare", "compare.html", NULL, false},
    {"/neuron/", "neuron.html", NULL, false},
    {"/puzzle/", "neuron.html", NULL, false},
    {"/record/", "neuron.html", NULL, false},
    {"/api/run", NULL, api_run, false},
    {"/api/rates", NULL, api_rates, false},
    {"/api/neurons", NULL, api_neurons, false},
    {"/api/neuron", NULL, api_neuron, false},
    {"/api/exchange", NULL, api_exchange, false},
    {"/api/compare", NULL, api_compare, false},
    {"/api/good", NULL, api_good, false},
};

static const route_t *find_route(const viewer_t *viewer, call_t *call) {
    for (size_t i = 0; i < sizeof routes / sizeof routes[0]; i++) {
        const route_t *route = &routes[i];
        size_t length = strlen(route->path);
        bool prefix = length > 1 && route->path[length - 1] == '/';
        if (prefix ? strncmp(call->request->path, route->path, length) != 0
                   : strcmp(call->request->path, route->path) != 0)
            continue;
        call->rest = call->request->path + length;
        return viewer->options.store || route->study ? route : NULL;
    }
    return NULL;
}

/* --- server-sent events: the status of the run whenever it changed ---------------------------- */

static bool write_event(viewer_t *viewer, buffer_t *out) {
    error_info_t error;
    view_t *view = current_view(viewer);
    buffer_append_text(out, "data: ");
    bool good = api_write_run(viewer->options.store, view, out, &error);
    if (!good) {
        buffer_clear(out);
        buffer_append_text(out, ": the store cannot be read now");
    }
    buffer_append_text(out, "\n\n");
    view_release(view);
    return true;
}

static bool next_event(void *context, http_server_request_t *request, buffer_t *out) {
    (void)request;
    return write_event(context, out);
}

static void answer_events(viewer_t *viewer, call_t *call) {
    http_server_response_t *response = call->response;
    http_server_add_field(response, "Content-Type", "text/event-stream");
    write_event(viewer, &response->body);
    response->ending = HTTP_ENDING_STREAM;
    response->stream = next_event;
    response->stream_context = viewer;
    response->stream_interval = EVENT_INTERVAL;
}

/* --- one request ------------------------------------------------------------------------------ */

static void add_security_fields(http_server_response_t *response) {
    static const char *const fields[][2] = {
        {"Content-Security-Policy",
         "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src "
         "'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"},
        {"X-Content-Type-Options", "nosniff"},
        {"X-Frame-Options", "DENY"},
        {"Referrer-Policy", "no-referrer"},
        {"Cross-Origin-Opener-Policy", "same-origin"},
        {"Cross-Origin-Resource-Policy", "same-origin"},
        {"Cache-Control", "no-store"},
    };
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++)
        http_server_add_field(response, fields[i][0], "%s", fields[i][1]);
}

static void refuse_plainly(http_server_response_t *response, int status, const char *why) {
    response->status = status;
    http_server_add_field(response, "Content-Type", "text/plain; charset=utf-8");
    if (status == 405)
        http_server_add_field(response, "Allow", "GET, HEAD");
    if (status == 401)
        http_server_add_field(response, "WWW-Authenticate", "Bearer");
    buffer_append_text(&response->body, why);
    buffer_append_char(&response->body, '\n');
}

/* The token moves from the address, which gets around, to a cookie. */
static void welcome(const viewer_t *viewer, const http_server_request_t *request,
                    http_server_response_t *response) {
    response->status = 303;
    http_server_add_field(response, "Set-Cookie",
                          GATE_COOKIE "=%s; Path=/; HttpOnly; SameSite=Strict",
                          viewer->options.token);
    bool plain =
        request->path[0] == '/' && request->path[1] != '/' && !strpbrk(request->path, "\\\r\n");
    http_server_add_field(response, "Location", "%s", plain ? request->path : "/");
}

static void answer(viewer_t *viewer, call_t *call) {
    const route_t *route = find_route(viewer, call);
    call->response->status = 200;
    if (viewer->options.store && strcmp(call->request->path, "/api/run/events") == 0) {
        answer_events(viewer, call);
        return;
    }
    if (!route) {
        answer_file(call, "");
        return;
    }
    if (route->page) {
        answer_file(call, route->page);
        return;
    }
    route->handle(call);
    if (call->response->fields.length == 0 || route->handle != answer_asset)
        http_server_add_field(call->response, "Content-Type", "application/json");
}

static void handle(void *context, http_server_request_t *request,
                   http_server_response_t *response) {
    viewer_t *viewer = context;
    gate_request_t asked = {
        .method = request->method,
        .path = request->path,
        .host = http_server_header(request, "Host"),
        .origin = http_server_header(request, "Origin"),
        .content_type = http_server_header(request, "Content-Type"),
        .query_token = http_server_query(request, "token"),
        .cookie = http_server_header(request, "Cookie"),
        .authorization = http_server_header(request, "Authorization"),
    };
    gate_verdict_t verdict = gate_judge(&viewer->gate, &asked);
    if (verdict.status) {
        refuse_plainly(response, verdict.status, verdict.why);
    } else if (verdict.by_query) {
        welcome(viewer, request, response);
    } else {
        call_t call = {.request = request,
                       .response = response,
                       .store = viewer->options.store,
                       .view = current_view(viewer),
                       .study = viewer->options.study};
        answer(viewer, &call);
        view_release(call.view);
    }
    add_security_fields(response);
}

/* --- start, follow, stop ---------------------------------------------------------------------- */

viewer_t *viewer_start(const viewer_options_t *options, error_info_t *error) {
    viewer_t *viewer = MEMORY_NEW(viewer_t);
    viewer->options = *options;
    pthread_mutex_init(&viewer->mutex, NULL);
    viewer->gate = (gate_t){.address = options->address,
                            .port = options->port,
                            .token = options->token,
                            .hosts = options->hosts,
                            .host_count = options->host_count};
    bool good = true;
    if (options->store) {
        viewer->view = view_load(options->store, options->run, options->stages, error);
        good = viewer->view != NULL;
        viewer->behind = true;
    }
    http_server_callbacks_t callbacks = {.handle = handle, .context = viewer};
    http_server_options_t http = {.address = options->address,
                                  .port = options->port,
                                  .maximum_body = MAXIMUM_BODY,
                                  .threads = THREADS,
                                  .maximum_connections = CONNECTIONS};
    http_server_t *server = good ? http_server_start(&http, &callbacks, error) : NULL;
    if (!server) {
        viewer_stop(viewer);
        return NULL;
    }
    viewer->server = server;
    viewer->gate.port = http_server_port(server);
    return viewer;
}

uint16_t viewer_port(const viewer_t *viewer) {
    return http_server_port(viewer->server);
}

/* Whether anything that the index shows may have changed since the last time this was asked. */
static bool store_changed(viewer_t *viewer) {
    error_info_t error;
    store_txn_t *txn = store_read_begin(viewer->options.store, &error);
    if (!txn)
        return false;
    uint64_t jobs = store_count(txn, TABLE_JOBS), failures = store_count(txn, TABLE_FAILURES);
    store_read_end(txn);
    bool changed = !viewer->jobs_known || jobs != viewer->jobs || failures != viewer->failures;
    viewer->jobs_known = true;
    viewer->jobs = jobs;
    viewer->failures = failures;
    return changed;
}

static void replace_view(viewer_t *viewer) {
    error_info_t error;
    view_t *fresh =
        view_load(viewer->options.store, viewer->options.run, viewer->options.stages, &error);
    if (!fresh)
        return;
    pthread_mutex_lock(&viewer->mutex);
    view_t *old = viewer->view;
    viewer->view = fresh;
    pthread_mutex_unlock(&viewer->mutex);
    view_release(old);
    viewer->behind = true;
}

bool viewer_refresh(viewer_t *viewer) {
    if (!viewer->options.store)
        return false;
    if (!viewer->behind) {
        if (view_is_outdated(viewer->view, viewer->options.store, viewer->options.run))
            replace_view(viewer);
        viewer->behind = store_changed(viewer) || viewer->behind;
    }
    if (!viewer->behind || !viewer->view->index)
        return false;
    error_info_t error;
    bool finished = true;
    neuron_index_step(viewer->view->index, viewer->options.store, STEP_NEURONS, &finished, &error);
    viewer->behind = !finished;
    return viewer->behind;
}

void viewer_stop(viewer_t *viewer) {
    if (viewer->server)
        http_server_stop(viewer->server, GRACE);
    view_release(viewer->view);
    pthread_mutex_destroy(&viewer->mutex);
    free(viewer);
}
