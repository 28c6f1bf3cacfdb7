/* service.c - routes, and the life of a request to a model. */
#include "tools/standin/service.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/base/embedded.h"
#include "core/base/json.h"
#include "core/base/memory.h"
#include "core/base/text.h"
#include "tools/standin/ask.h"
#include "tools/standin/faults.h"
#include "tools/standin/ledger.h"
#include "tools/standin/limits.h"
#include "tools/standin/models.h"
#include "tools/standin/reply.h"

enum { DRIP_PIECES = 20, DRIP_INTERVAL = 100000 };

struct standin_service {
    const standin_options_t *options;
    standin_mind_t *mind;
    standin_models_t *models;
    pthread_mutex_t mutex; /* guards what follows */
    standin_faults_t *faults;
    standin_limits_t *limits;
    standin_ledger_t *ledger;
    uint64_t sequence;
};

/* A request to a model, from its headers to its end. */
typedef struct {
    uint64_t sequence;
    standin_fault_t fault;
    int64_t latency;
    bool admitted;       /* counts as running */
    const char *outcome; /* a literal */
} visit_t;

typedef struct {
    standin_service_t *service;
    visit_t *visit; /* NULL unless the path is a model's */
    http_server_request_t *request;
    http_server_response_t *response;
    const char *rest; /* of the path, behind a route's prefix */
} call_t;

typedef void handle_t(call_t *call);

typedef struct {
    const char *method;
    const char *path; /* ends in '/': a prefix */
    handle_t *handle;
} route_t;

static int64_t now_microseconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* --- answering --- */

static void answer_json(call_t *call, int status) {
    call->response->status = status;
    http_server_add_field(call->response, "Content-Type", "application/json");
}

static void answer_refusal(call_t *call, const standin_refusal_t *refusal, const char *outcome) {
    answer_json(call, refusal->status);
    standin_refusal_write(refusal, &call->response->body);
    if (call->visit)
        call->visit->outcome = outcome;
}

static void answer_retry(call_t *call, int64_t retry_after) {
    http_server_add_field(call->response, "Retry-After", "%lld",
                          (long long)((retry_after + 999999) / 1000000));
    http_server_add_field(call->response, "retry-after-ms", "%lld",
                          (long long)((retry_after + 999) / 1000));
}

/* A duration as OpenAI writes it: 20ms, 1.5s, 6m0s. */
static void add_duration(http_server_response_t *response, const char *name, int64_t microseconds) {
    int64_t milliseconds = (microseconds + 999) / 1000;
    if (milliseconds < 1000)
        http_server_add_field(response, name, "%lldms", (long long)milliseconds);
    else if (milliseconds < 60000)
        http_server_add_field(response, name, "%gs", (double)milliseconds / 1000);
    else
        http_server_add_field(response, name, "%lldm%gs", (long long)(milliseconds / 60000),
                              (double)(milliseconds % 60000) / 1000);
}

static void add_limits(http_server_response_t *response, const standin_verdict_t *verdict) {
    if (verdict->request_limit > 0) {
        http_server_add_field(response, "x-ratelimit-limit-requests", "%lld",
                              (long long)verdict->request_limit);
        http_server_add_field(response, "x-ratelimit-remaining-requests", "%lld",
                              (long long)verdict->requests_left);
        add_duration(response, "x-ratelimit-reset-requests", verdict->requests_reset);
    }
    if (verdict->token_limit > 0) {
        http_server_add_field(response, "x-ratelimit-limit-tokens", "%lld",
                              (long long)verdict->token_limit);
        http_server_add_field(response, "x-ratelimit-remaining-tokens", "%lld",
                              (long long)verdict->tokens_left);
        add_duration(response, "x-ratelimit-reset-tokens", verdict->tokens_reset);
    }
}

/* --- a request to a model --- */

static void answer_quota(call_t *call) {
    standin_refusal_t refusal;
    standin_refuse(&refusal, 429, "insufficient_quota", NULL, "insufficient_quota",
                   "You exceeded your current quota, please check your plan and billing details.");
    answer_refusal(call, &refusal, standin_fault_name(FAULT_QUOTA));
}

static void answer_500(call_t *call) {
    standin_refusal_t refusal;
    standin_refuse(&refusal, 500, "server_error", NULL, NULL,
                   "The server had an error while processing your request. Sorry about that!");
    answer_refusal(call, &refusal, standin_fault_name(call->visit->fault));
}

/* Faults that come before any work. True: one came. */
static bool fault_before(call_t *call) {
    standin_refusal_t refusal;
    visit_t *visit = call->visit;
    if (visit->fault == FAULT_NONE || standin_fault_billed(visit->fault))
        return false;
    const char *outcome = visit->outcome = standin_fault_name(visit->fault);
    call->response->delay = visit->latency;
    if (visit->fault == FAULT_STATUS500) {
        answer_500(call);
    } else if (visit->fault == FAULT_STATUS503) {
        standin_refuse(
            &refusal, 503, "server_error", NULL, NULL,
            "That model is currently overloaded with other requests. You can retry your request.");
        answer_refusal(call, &refusal, outcome);
    } else if (visit->fault == FAULT_STATUS429) {
        standin_refuse(&refusal, 429, "requests", NULL, "rate_limit_exceeded",
                       "Rate limit reached; try again in 1s.");
        answer_retry(call, 1000000);
        answer_refusal(call, &refusal, outcome);
    } else if (visit->fault == FAULT_QUOTA) {
        answer_quota(call);
    } else {
        call->response->ending = HTTP_ENDING_HANG;
    }
    return true;
}

static void answer_over_limit(call_t *call, const standin_verdict_t *verdict, int64_t charge) {
    static const char *const names[] = {"", "requests per min (RPM)", "tokens per min (TPM)",
                                        "tokens per min (TPM)", "concurrent requests"};
    standin_refusal_t refusal;
    bool tokens = verdict->broken == LIMIT_TOKENS || verdict->broken == LIMIT_TOO_LARGE;
    int64_t limit = tokens ? verdict->token_limit : verdict->request_limit;
    if (verdict->broken == LIMIT_CONCURRENCY)
        limit = call->service->options->concurrency;
    standin_refuse(&refusal, 429, tokens ? "tokens" : "requests", NULL, "rate_limit_exceeded",
                   "%s on %s: Limit %lld, Requested %lld. Please try again in %.3fs.",
                   verdict->broken == LIMIT_TOO_LARGE ? "Request too large" : "Rate limit reached",
                   names[verdict->broken], (long long)limit, (long long)(tokens ? charge : 1),
                   (double)verdict->retry_after / 1e6);
    answer_retry(call, verdict->retry_after);
    answer_refusal(call, &refusal, "rate_limited");
}

/* Checks model, quota and limits of a well-formed request. True: it is admitted. */
static bool admit(call_t *call, const standin_ask_t *ask, price_t *price) {
    standin_service_t *service = call->service;
    standin_refusal_t refusal;
    if (!standin_models_find(service->models, ask->model, price)) {
        standin_refuse(&refusal, 404, "invalid_request_error", NULL, "model_not_found",
                       "The model `%.200s` does not exist or you do not have access to it.",
                       ask->model);
        answer_refusal(call, &refusal, "refused");
        return false;
    }
    int64_t charge = standin_ask_charge(ask);
    money_t quota = service->options->quota;
    pthread_mutex_lock(&service->mutex);
    bool spent = quota.pico > 0 && money_compare(standin_ledger_total(service->ledger), quota) >= 0;
    standin_verdict_t verdict = {0};
    if (!spent)
        verdict = standin_limits_take(service->limits, now_microseconds(), charge);
    pthread_mutex_unlock(&service->mutex);
    add_limits(call->response, &verdict);
    if (spent)
        answer_quota(call);
    else if (verdict.broken != LIMIT_NONE)
        answer_over_limit(call, &verdict, charge);
    return call->visit->admitted = !spent && verdict.broken == LIMIT_NONE;
}

static void bill(call_t *call, const standin_ask_t *ask, const price_t *price,
                 const llm_usage_t *usage) {
    static const char *const paths[] = {"/v1/chat/completions", "/v1/completions",
                                        "/v1/embeddings"};
    standin_service_t *service = call->service;
    call->visit->outcome =
        call->visit->fault == FAULT_NONE ? "ok" : standin_fault_name(call->visit->fault);
    standin_bill_t line = {.sequence = call->visit->sequence,
                           .hash = ask->hash,
                           .model = ask->model,
                           .path = paths[ask->kind],
                           .outcome = call->visit->outcome,
                           .usage = *usage,
                           .cost = price_of_usage(price, usage)};
    pthread_mutex_lock(&service->mutex);
    standin_ledger_bill(service->ledger, &line);
    pthread_mutex_unlock(&service->mutex);
}

/* Faults of an answer that is done and billed. */
static void fault_after(call_t *call) {
    http_server_response_t *response = call->response;
    switch (call->visit->fault) {
    case FAULT_STATUS500_AFTER:
        buffer_clear(&response->body);
        buffer_clear(&response->fields);
        answer_500(call);
        break;
    case FAULT_RESET_AFTER: response->ending = HTTP_ENDING_RESET; break;
    case FAULT_HANG: response->ending = HTTP_ENDING_HANG; break;
    case FAULT_TRUNCATE:
        response->ending = HTTP_ENDING_CUT;
        response->cut_at = response->body.length / 2;
        break;
    case FAULT_GARBAGE:
        buffer_clear(&response->body);
        buffer_append_text(&response->body,
                           "<html><body>upstream said: \xff\xfe{\"choices\":[</body></html>\n");
        break;
    case FAULT_EMPTY: buffer_clear(&response->body); break;
    case FAULT_SLOW:
        response->ending = HTTP_ENDING_DRIP;
        response->drip_pieces = DRIP_PIECES;
        response->drip_interval = DRIP_INTERVAL;
        break;
    default: break; /* the others are in the body already */
    }
}

static void work(call_t *call, const standin_ask_t *ask, const price_t *price) {
    const standin_options_t *options = call->service->options;
    standin_fault_t fault = call->visit->fault;
    standin_reply_options_t spoil = {.cached_share = options->cached_share,
                                     .no_usage = fault == FAULT_NO_USAGE,
                                     .no_logprobs =
                                         options->no_logprobs || fault == FAULT_NO_LOGPROBS,
                                     .bad_type = fault == FAULT_BAD_TYPE};
    llm_usage_t usage;
    standin_reply_write(call->service->mind, ask, &spoil, &call->response->body, &usage);
    bill(call, ask, price, &usage);
    answer_json(call, 200);
    call->response->delay = call->visit->latency;
    fault_after(call);
}

static void ask_model(call_t *call, standin_ask_kind_t kind) {
    standin_refusal_t refusal;
    standin_ask_t ask;
    price_t price;
    if (fault_before(call))
        return;
    bool good =
        standin_ask_read(kind, call->request->body, call->request->body_length, &ask, &refusal);
    if (good && ask.echo && call->service->options->no_echo)
        good = standin_refuse(
            &refusal, 400, "invalid_request_error", NULL, NULL,
            "Setting 'echo' and 'logprobs' at the same time is not supported for this model.");
    if (!good)
        answer_refusal(call, &refusal, "refused");
    else if (admit(call, &ask, &price))
        work(call, &ask, &price);
    standin_ask_clear(&ask);
}

static void handle_chat(call_t *call) {
    ask_model(call, ASK_CHAT);
}

static void handle_completion(call_t *call) {
    ask_model(call, ASK_COMPLETION);
}

static void handle_embedding(call_t *call) {
    ask_model(call, ASK_EMBEDDING);
}

/* --- other routes --- */

static void handle_models(call_t *call) {
    answer_json(call, 200);
    standin_models_write(call->service->models, NULL, &call->response->body);
}

static void handle_model(call_t *call) {
    price_t price;
    standin_refusal_t refusal;
    if (standin_models_find(call->service->models, call->rest, &price)) {
        answer_json(call, 200);
        standin_models_write(call->service->models, call->rest, &call->response->body);
        return;
    }
    standin_refuse(&refusal, 404, "invalid_request_error", "model", "model_not_found",
                   "The model '%.200s' does not exist", call->rest);
    answer_refusal(call, &refusal, "refused");
}

static void handle_health(call_t *call) {
    answer_json(call, 200);
    buffer_append_text(&call->response->body, "{\"status\":\"ok\"}\n");
}

static void handle_ledger(call_t *call) {
    const char *skip = http_server_query(call->request, "skip");
    answer_json(call, 200);
    pthread_mutex_lock(&call->service->mutex);
    standin_ledger_write(call->service->ledger, skip ? (size_t)strtoull(skip, NULL, 10) : 0,
                         &call->response->body);
    pthread_mutex_unlock(&call->service->mutex);
}

static void handle_show_faults(call_t *call) {
    answer_json(call, 200);
    pthread_mutex_lock(&call->service->mutex);
    standin_faults_write(call->service->faults, &call->response->body);
    pthread_mutex_unlock(&call->service->mutex);
}

static void handle_set_faults(call_t *call) {
    error_info_t error;
    standin_refusal_t refusal;
    json_value_t *root =
        json_parse(call->request->body, call->request->body_length, "body", JSON_PLAIN, &error);
    pthread_mutex_lock(&call->service->mutex);
    bool good = root && standin_faults_update(call->service->faults, root, &error);
    pthread_mutex_unlock(&call->service->mutex);
    json_free(root);
    if (good) {
        handle_show_faults(call);
        return;
    }
    standin_refuse(&refusal, 400, "invalid_request_error", NULL, NULL, "%.480s", error.message);
    answer_refusal(call, &refusal, "refused");
}

static const route_t routes[] = {
    {"POST", "/v1/chat/completions", handle_chat},
    {"POST", "/v1/completions", handle_completion},
    {"POST", "/v1/embeddings", handle_embedding},
    {"GET", "/v1/models", handle_models},
    {"GET", "/v1/models/", handle_model},
    {"GET", "/_standin/health", handle_health},
    {"GET", "/_standin/ledger", handle_ledger},
    {"GET", "/_standin/faults", handle_show_faults},
    {"POST", "/_standin/faults", handle_set_faults},
};

/* --- the callbacks --- */

bool standin_service_begin(void *context, http_server_request_t *request) {
    standin_service_t *service = context;
    if (strcmp(request->method, "POST") != 0 || !text_starts_with(request->path, "/v1/"))
        return true;
    visit_t *visit = MEMORY_NEW(visit_t);
    visit->outcome = "refused";
    pthread_mutex_lock(&service->mutex);
    visit->sequence = ++service->sequence;
    visit->fault = standin_faults_draw(service->faults, visit->sequence);
    visit->latency = standin_faults_latency(service->faults, visit->sequence);
    bool dropped = visit->fault == FAULT_RESET_BEFORE;
    if (dropped)
        standin_ledger_count(service->ledger, standin_fault_name(visit->fault));
    pthread_mutex_unlock(&service->mutex);
    request->tag = visit;
    if (dropped)
        free(visit);
    return !dropped;
}

static bool authorized(const call_t *call) {
    const char *key = call->service->options->key;
    const char *given = http_server_header(call->request, "Authorization");
    return !key || !text_starts_with(call->request->path, "/v1/") ||
           (given && text_starts_with(given, "Bearer ") &&
            strcmp(given + strlen("Bearer "), key) == 0);
}

static void dispatch(call_t *call) {
    standin_refusal_t refusal;
    bool path_known = false;
    for (size_t i = 0; i < sizeof routes / sizeof routes[0]; i++) {
        size_t length = strlen(routes[i].path);
        bool prefix = routes[i].path[length - 1] == '/';
        if (prefix ? !text_starts_with(call->request->path, routes[i].path)
                   : strcmp(call->request->path, routes[i].path) != 0)
            continue;
        path_known = true;
        if (strcmp(call->request->method, routes[i].method) == 0) {
            call->rest = call->request->path + length;
            routes[i].handle(call);
            return;
        }
    }
    standin_refuse(&refusal, path_known ? 405 : 404, "invalid_request_error", NULL,
                   path_known ? NULL : "unknown_url",
                   path_known ? "Not allowed to %s on %.200s." : "Unknown request URL: %s %.200s.",
                   call->request->method, call->request->path);
    answer_refusal(call, &refusal, "refused");
}

void standin_service_handle(void *context, http_server_request_t *request,
                            http_server_response_t *response) {
    call_t call = {context, request->tag, request, response, ""};
    if (call.visit)
        http_server_add_field(response, "x-request-id", "req_%016llx",
                              (unsigned long long)call.visit->sequence);
    if (authorized(&call)) {
        dispatch(&call);
        return;
    }
    standin_refusal_t refusal;
    standin_refuse(&refusal, 401, "invalid_request_error", NULL, "invalid_api_key",
                   "Incorrect API key provided.");
    answer_refusal(&call, &refusal, "unauthorized");
}

void standin_service_done(void *context, http_server_request_t *request, bool delivered) {
    standin_service_t *service = context;
    visit_t *visit = request->tag;
    if (!visit)
        return;
    bool lost = visit->fault == FAULT_NONE && !delivered;
    pthread_mutex_lock(&service->mutex);
    standin_ledger_count(service->ledger, lost ? "client_gone" : visit->outcome);
    if (visit->admitted)
        standin_limits_release(service->limits);
    pthread_mutex_unlock(&service->mutex);
    free(visit);
}

/* --- life --- */

static bool configure(standin_service_t *service, const standin_options_t *options,
                      error_info_t *error) {
    embedded_file_t lexicon;
    service->models = standin_models_create();
    for (size_t i = 0; i < options->prices.count; i++)
        if (!standin_models_price(service->models, options->prices.items[i], error))
            return false;
    if (options->models && !standin_models_restrict(service->models, options->models, error))
        return false;
    service->faults = standin_faults_create(options->seed);
    for (size_t i = 0; i < options->faults.count; i++)
        if (!standin_faults_set(service->faults, options->faults.items[i], error))
            return false;
    if (!standin_faults_set_latency(service->faults, options->latency, error))
        return false;
    service->limits = standin_limits_create(options->requests_per_minute,
                                            options->tokens_per_minute, options->concurrency);
    if (!embedded_find("tools/standin/lexicon.txt", &lexicon))
        return error_set(error, ERROR_BUG, "the lexicon is not part of this program");
    return (service->mind = standin_mind_create(lexicon.data, lexicon.size, error)) &&
           (service->ledger = standin_ledger_open(options->ledger, error));
}

standin_service_t *standin_service_create(const standin_options_t *options, error_info_t *error) {
    standin_service_t *service = MEMORY_NEW(standin_service_t);
    service->options = options;
    pthread_mutex_init(&service->mutex, NULL);
    if (configure(service, options, error))
        return service;
    standin_service_free(service);
    return NULL;
}

void standin_service_free(standin_service_t *service) {
    if (!service)
        return;
    standin_ledger_close(service->ledger);
    standin_limits_free(service->limits);
    standin_faults_free(service->faults);
    standin_models_free(service->models);
    standin_mind_free(service->mind);
    pthread_mutex_destroy(&service->mutex);
    free(service);
}
