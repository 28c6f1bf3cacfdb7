/* endpoint.c - weather, strict windows and the bill of scripted endpoints. */
#include "test/rehearsal/endpoint.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/memory.h"
#include "core/base/text.h"
#include "core/llm/tokens.h"

enum { OVERSIZED_BYTES = 3 << 20 };

typedef struct {
    int64_t at, tokens;
} arrival_t;

typedef struct {
    endpoint_script_t script;
    weather_t *weather; /* [weather_count] */
    size_t weather_count;
    arrival_t *arrivals; /* [arrival_count] served, from the window's first on */
    size_t first, arrival_count, arrival_room;
    int64_t window_tokens; /* of arrivals [first, arrival_count) */
    int64_t served_tokens;
    int64_t hush_from, hush_until; /* the last wish for silence */
} endpoint_t;

typedef struct {
    char *model;
    price_t price;
} priced_t;

struct endpoint_set {
    world_t *world;
    rng_t rng;
    endpoint_delivery_t *delivered;
    void *context;
    int64_t grace;
    http_port_t *port;
    size_t count, price_count;
    endpoint_t *endpoints; /* [count] */
    priced_t *prices;      /* [price_count] */
    endpoint_totals_t totals;
};

static const struct {
    const char *name;
    bool changes_answers;
} faults[FAULT_COUNT] = {
#define FAULT_ROW(name, text, other) [FAULT_##name] = {text, other},
    FAULT_MAP(FAULT_ROW)
#undef FAULT_ROW
};

const char *fault_name(fault_t fault) {
    return faults[fault].name;
}

bool fault_changes_answers(fault_t fault) {
    return faults[fault].changes_answers;
}

/* --- weather ---------------------------------------------------------------------------------------------- */

/* The fault that strikes now among [from, to], FAULT_COUNT if none does. */
static fault_t strike(endpoint_set_t *set, const endpoint_t *endpoint, fault_t from, fault_t to, bool probe) {
    int64_t now = world_now(set->world);
    for (size_t i = 0; i < endpoint->weather_count; i++) {
        const weather_t *weather = &endpoint->weather[i];
        if (weather->fault < from || weather->fault > to || now < weather->from || now >= weather->until)
            continue;
        if (probe && fault_changes_answers(weather->fault) && !weather->probes_too)
            continue;
        if (rng_unit(&set->rng) >= weather->share)
            continue;
        return weather->fault;
    }
    return FAULT_COUNT;
}

static endpoint_t *endpoint_at(endpoint_set_t *set, const char *url) {
    for (size_t i = 0; i < set->count; i++)
        if (text_starts_with(url, set->endpoints[i].script.base_url))
            return &set->endpoints[i];
    return NULL;
}

static endpoint_t *endpoint_named(const endpoint_set_t *set, const char *name) {
    for (size_t i = 0; i < set->count; i++)
        if (strcmp(set->endpoints[i].script.name, name) == 0)
            return &set->endpoints[i];
    fprintf(stderr, "rehearsal: no endpoint %s\n", name);
    abort();
}

static void dial(void *context, const scripted_request_t *request, scripted_line_t *line) {
    endpoint_set_t *set = context;
    endpoint_t *endpoint = endpoint_at(set, request->url);
    if (!endpoint) {
        line->kind = LINE_REFUSED;
        return;
    }
    uint64_t transit = (uint64_t)endpoint->script.transit + 1;
    *line = (scripted_line_t){
        .connect = (int64_t)rng_below(&set->rng, transit) / 2,
        .upload = (int64_t)rng_below(&set->rng, transit) / 2,
        .orphaned = rng_below(&set->rng, 2) == 0,
    };
    fault_t fault = strike(set, endpoint, FAULT_REFUSED, FAULT_RESET_DURING, false);
    if (fault == FAULT_COUNT)
        return;
    set->totals.faults[fault]++;
    static const line_kind_t kinds[] = {[FAULT_REFUSED] = LINE_REFUSED,
                                        [FAULT_UNREACHABLE] = LINE_UNREACHABLE,
                                        [FAULT_RESET_BEFORE] = LINE_UNREAD,
                                        [FAULT_RESET_DURING] = LINE_DURING};
    line->kind = kinds[fault];
}

/* --- limits ----------------------------------------------------------------------------------------------- */

static bool within_limits(endpoint_t *endpoint, int64_t now, int64_t tokens) {
    while (endpoint->first < endpoint->arrival_count && endpoint->arrivals[endpoint->first].at <= now - CLOCK_MINUTE)
        endpoint->window_tokens -= endpoint->arrivals[endpoint->first++].tokens;
    int64_t requests = (int64_t)(endpoint->arrival_count - endpoint->first) + 1;
    const endpoint_script_t *script = &endpoint->script;
    size_t second = script->per_second > 0 ? (size_t)script->per_second : 0;
    if (second > 0 && endpoint->arrival_count >= second &&
        endpoint->arrivals[endpoint->arrival_count - second].at > now - CLOCK_SECOND)
        return false;
    if ((script->rpm > 0 && requests > script->rpm) ||
        (script->tpm > 0 && endpoint->window_tokens + tokens > script->tpm))
        return false;
    if (endpoint->arrival_count == endpoint->arrival_room) {
        endpoint->arrival_room = endpoint->arrival_room ? 2 * endpoint->arrival_room : 256;
        endpoint->arrivals = memory_resize(endpoint->arrivals, endpoint->arrival_room, sizeof(arrival_t));
    }
    endpoint->arrivals[endpoint->arrival_count++] = (arrival_t){now, tokens};
    endpoint->window_tokens += tokens;
    endpoint->served_tokens += tokens;
    return true;
}

/* --- the bill --------------------------------------------------------------------------------------------- */

static int64_t cost_of(const price_t *price, int64_t prompt, int64_t cached, int64_t completion) {
    return (prompt - cached) * price->input.pico + cached * price->cached_input.pico + completion * price->output.pico;
}

static void charge(endpoint_set_t *set, const asked_request_t *asked, const llm_usage_t *usage) {
    set->totals.billed++;
    for (size_t i = 0; i < set->price_count; i++) {
        const price_t *price = &set->prices[i].price;
        if (strcmp(set->prices[i].model, asked->model) != 0)
            continue;
        int64_t cost = cost_of(price, usage->prompt_tokens, usage->cached_tokens, usage->completion_tokens);
        int64_t dearer = price->input.pico > price->cached_input.pico ? price->input.pico : price->cached_input.pico;
        int64_t output = asked->kind == LLM_EMBEDDING ? 0 : asked->parameters.max_output_tokens;
        int64_t most = tokens_input_bound(&asked->request) * dearer + output * price->output.pico;
        set->totals.bill.pico += cost;
        if (cost > most)
            set->totals.bill_over_bound.pico += cost - most;
    }
}

/* --- silence ---------------------------------------------------------------------------------------------- */

/* For how long an answer asks for silence. */
static int64_t silence_of(fault_t fault) {
    switch (fault) {
    case FAULT_STATUS_503: return 7 * CLOCK_SECOND;
    case FAULT_STATUS_429_AFTER: return 2500000;
    case FAULT_STATUS_429_ENORMOUS: return 24 * 60 * CLOCK_MINUTE; /* WAIT_MAXIMUM of retry.c */
    case FAULT_QUOTA:
    case FAULT_CREDENTIALS:
    case FAULT_OVER_BOUND: return INT64_MAX;
    default: return 0;
    }
}

/* From the moment when the client has it (and a while for what is under way). */
static void received(void *context, const scripted_request_t *request, const scripted_reply_t *reply) {
    endpoint_set_t *set = context;
    endpoint_t *endpoint = endpoint_at(set, request->url);
    int64_t now = world_now(set->world), until = reply->silence == INT64_MAX ? INT64_MAX : now + reply->silence;
    if (now + set->grace >= until || until <= endpoint->hush_until)
        return;
    endpoint->hush_from = now + set->grace;
    endpoint->hush_until = until;
}

/* --- answers ---------------------------------------------------------------------------------------------- */

static void reply_error(scripted_reply_t *reply, int status, const char *code, const char *field) {
    reply->status = status;
    buffer_append_format(&reply->body, "{\"error\":{\"message\":\"scripted %s\",\"type\":\"%s\",\"code\":\"%s\"}}",
                         code, code, code);
    snprintf(reply->field, sizeof reply->field, "%s", field ? field : "");
}

/* Statuses that refuse work. Whether the provider charges for it is drawn where nobody can know. */
static bool reply_status(endpoint_set_t *set, fault_t fault, scripted_reply_t *reply, bool *billed) {
    bool coin = rng_below(&set->rng, 2) == 0;
    *billed = false;
    switch (fault) {
    case FAULT_STATUS_408: reply_error(reply, 408, "timeout", NULL); break;
    case FAULT_STATUS_409: reply_error(reply, 409, "conflict", NULL); break;
    case FAULT_STATUS_500: reply_error(reply, 500, "server_error", NULL); break;
    case FAULT_STATUS_503: reply_error(reply, 503, "overloaded", "Retry-After: 7"); break;
    case FAULT_TEAPOT: reply_error(reply, 418, "teapot", NULL); break;
    case FAULT_STATUS_429: reply_error(reply, 429, "slow_down", NULL); return true;
    case FAULT_STATUS_429_AFTER: reply_error(reply, 429, "rate_limit_exceeded", "retry-after-ms: 2500"); return true;
    case FAULT_STATUS_429_DATE:
        reply_error(reply, 429, "rate_limit_exceeded", "Retry-After: Sun, 22 Nov 2026 23:59:59 GMT");
        return true;
    case FAULT_STATUS_429_WRONG:
        reply_error(reply, 429, "rate_limit_exceeded", "Retry-After: as soon as you like");
        return true;
    case FAULT_STATUS_429_ENORMOUS:
        reply_error(reply, 429, "rate_limit_exceeded", "Retry-After: 99999999999999");
        return true;
    case FAULT_QUOTA: reply_error(reply, 429, "insufficient_quota", NULL); return true;
    case FAULT_CREDENTIALS: reply_error(reply, 401, "invalid_api_key", NULL); return true;
    case FAULT_REJECTED: reply_error(reply, 400, "invalid_request_error", NULL); return true;
    default: return false;
    }
    *billed = coin;
    return true;
}

/* What happens to a good answer on its way. */
static void spoil(fault_t fault, scripted_reply_t *reply) {
    buffer_t *body = &reply->body;
    switch (fault) {
    case FAULT_RESET_AFTER: reply->kind = REPLY_NONE; break;
    case FAULT_CUT_HEAD: reply->kind = REPLY_CUT_HEAD; break;
    case FAULT_CUT_BODY: reply->kind = REPLY_CUT_BODY; break;
    case FAULT_NOT_HTTP: reply->kind = REPLY_GARBAGE; break;
    case FAULT_HANG: reply->kind = REPLY_HANGS; break;
    case FAULT_DRIP: reply->kind = REPLY_DRIPS; break;
    case FAULT_MALFORMED: body->data[body->length / 2] = '\0'; break;
    case FAULT_TRUNCATED: body->data[body->length /= 2] = '\0'; break;
    case FAULT_EMPTY: buffer_clear(body); break;
    case FAULT_DOUBLED: {
        char *copy = memory_copy(body->data, body->length);
        buffer_append(body, copy, body->length);
        free(copy);
        break;
    }
    case FAULT_HTML:
        buffer_clear(body);
        buffer_append_text(body, "<html><body>Welcome to the hotel's network.</body></html>");
        snprintf(reply->field, sizeof reply->field, "Content-Type: text/html");
        break;
    case FAULT_ERROR_IN_200:
        buffer_clear(body);
        buffer_append_text(body, "{\"error\":{\"message\":\"scripted failure\",\"code\":\"server_error\"}}");
        break;
    case FAULT_WRONG_TYPE: snprintf(reply->field, sizeof reply->field, "Content-Type: text/plain"); break;
    case FAULT_OVERSIZED:
        while (body->length <= OVERSIZED_BYTES)
            buffer_append_text(body, "                                                                ");
        break;
    default: break;
    }
}

static answer_kind_t answer_kind(fault_t fault) {
    switch (fault) {
    case FAULT_NO_USAGE: return ANSWER_NO_USAGE;
    case FAULT_OVER_BOUND: return ANSWER_OVER_BOUND;
    case FAULT_NO_LOGPROBS: return ANSWER_NO_LOGPROBS;
    case FAULT_MISALIGNED: return ANSWER_MISALIGNED;
    default: return ANSWER_FINE;
    }
}

static int64_t think_time(endpoint_set_t *set, const endpoint_t *endpoint) {
    double share = 0.5 + rng_unit(&set->rng);
    if (rng_below(&set->rng, 20) == 0)
        share *= 10;
    return (int64_t)((double)endpoint->script.think * share);
}

/* A small request that tests an endpoint; other answers to it than on a fine day would end the night. */
static bool is_probe(const asked_request_t *asked) {
    return (asked->prompt && strcmp(asked->prompt, "one two three") == 0) ||
           (asked->messages.count == 1 && strcmp(asked->messages.messages[0].content, "one two three") == 0) ||
           (asked->input_count == 1 && strcmp(asked->inputs[0], "one two three") == 0);
}

static void answer(endpoint_set_t *set, endpoint_t *endpoint, const asked_request_t *asked, bool probe,
                   scripted_reply_t *reply) {
    int64_t tokens = tokens_rate_charge(&asked->request);
    fault_t fault = strike(set, endpoint, FAULT_RESET_AFTER, FAULT_MISALIGNED, probe);
    llm_usage_t usage;
    bool billed;
    if (!within_limits(endpoint, world_now(set->world), tokens)) {
        set->totals.violations++;
        reply_error(reply, 429, "rate_limit_exceeded", "retry-after-ms: 1000");
        return;
    }
    if (fault != FAULT_COUNT)
        set->totals.faults[fault]++;
    reply->silence = silence_of(fault);
    if (reply_status(set, fault, reply, &billed)) {
        if (billed)
            charge(set, asked, &(llm_usage_t){.prompt_tokens = 3});
        return;
    }
    snprintf(reply->field, sizeof reply->field, "Content-Type: application/json");
    endpoint_answer(asked, answer_kind(fault), &reply->body, &usage);
    charge(set, asked, &usage);
    spoil(fault, reply);
}

static void serve(void *context, const scripted_request_t *request, scripted_reply_t *reply) {
    endpoint_set_t *set = context;
    endpoint_t *endpoint = endpoint_at(set, request->url);
    asked_request_t asked;
    set->totals.arrivals++;
    int64_t now = world_now(set->world);
    bool unwelcome = now > endpoint->hush_from && now < endpoint->hush_until;
    set->totals.disobeyed += unwelcome;
    *reply = (scripted_reply_t){.status = 200, .think = think_time(set, endpoint), .download = 2000};
    bool read = asked_request_read(request->url, request->body, &asked);
    bool probe = read && is_probe(&asked);
    delivery_t delivery = {endpoint->script.name, endpoint->script.base_url, probe, unwelcome, read ? &asked : NULL};
    if (set->delivered)
        set->delivered(set->context, &delivery);
    if (read)
        answer(set, endpoint, &asked, probe, reply);
    else
        reply_error(reply, 400, "invalid_request_error", NULL);
    asked_request_clear(&asked);
}

/* --- the set ---------------------------------------------------------------------------------------------- */

endpoint_set_t *endpoint_set_create(world_t *world, uint64_t seed, endpoint_delivery_t *delivered, void *context) {
    endpoint_set_t *set = MEMORY_NEW(endpoint_set_t);
    *set = (endpoint_set_t){.world = world, .rng = rng_create(seed), .delivered = delivered, .context = context};
    return set;
}

void endpoint_set_free(endpoint_set_t *set) {
    for (size_t i = 0; i < set->count; i++) {
        free(set->endpoints[i].weather);
        free(set->endpoints[i].arrivals);
    }
    for (size_t i = 0; i < set->price_count; i++)
        free(set->prices[i].model);
    free(set->endpoints);
    free(set->prices);
    free(set);
}

void endpoint_add(endpoint_set_t *set, const endpoint_script_t *script) {
    set->endpoints = memory_resize(set->endpoints, set->count + 1, sizeof(endpoint_t));
    set->endpoints[set->count++] = (endpoint_t){.script = *script};
}

void endpoint_limit(endpoint_set_t *set, const char *name, int64_t rpm, int64_t tpm) {
    endpoint_script_t *script = &endpoint_named(set, name)->script;
    script->rpm = rpm;
    script->tpm = tpm;
}

void endpoint_latency(endpoint_set_t *set, const char *name, int64_t think, int64_t transit) {
    endpoint_script_t *script = &endpoint_named(set, name)->script;
    script->think = think;
    script->transit = transit;
}

void endpoint_weather(endpoint_set_t *set, const char *name, weather_t weather) {
    for (size_t i = 0; i < set->count; i++) {
        endpoint_t *endpoint = &set->endpoints[i];
        if (name && strcmp(endpoint->script.name, name) != 0)
            continue;
        endpoint->weather = memory_resize(endpoint->weather, endpoint->weather_count + 1, sizeof(weather_t));
        endpoint->weather[endpoint->weather_count++] = weather;
    }
}

void endpoint_clear_weather(endpoint_set_t *set) {
    for (size_t i = 0; i < set->count; i++)
        set->endpoints[i].weather_count = 0;
}

void endpoint_price(endpoint_set_t *set, const char *model, price_t price) {
    size_t i = 0;
    while (i < set->price_count && strcmp(set->prices[i].model, model) != 0)
        i++;
    if (i == set->price_count) {
        set->prices = memory_resize(set->prices, set->price_count + 1, sizeof(priced_t));
        set->prices[set->price_count++].model = memory_copy_string(model);
    }
    set->prices[i].price = price;
}

void endpoint_grace(endpoint_set_t *set, int64_t grace) {
    set->grace = grace;
}

http_port_t *endpoint_open(endpoint_set_t *set) {
    scripted_peer_t peer = {dial, serve, received, set};
    return set->port = http_scripted_create(set->world, &peer);
}

void endpoint_close(endpoint_set_t *set) {
    if (set->port)
        http_scripted_free(set->port);
    set->port = NULL;
    for (size_t i = 0; i < set->count; i++)
        set->endpoints[i].hush_from = set->endpoints[i].hush_until = 0;
}

const endpoint_totals_t *endpoint_totals(const endpoint_set_t *set) {
    return &set->totals;
}

int64_t endpoint_served_tokens(const endpoint_set_t *set, const char *name) {
    return endpoint_named(set, name)->served_tokens;
}
