/* provider.c - weather, strict windows and the bill of scripted providers. */
#include "test/rehearsal/provider.h"

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
    provider_script_t script;
    weather_t *weather; /* [weather_count] */
    size_t weather_count;
    arrival_t *arrivals; /* [arrival_count] served, from the window's first on */
    size_t first, arrival_count, arrival_room;
    int64_t window_tokens; /* of arrivals [first, arrival_count) */
    int64_t served_tokens;
    int64_t hush_from, hush_until; /* the last wish for silence */
} provider_t;

typedef struct {
    char *model;
    price_t price;
} priced_t;

struct provider_set {
    world_t *world;
    rng_t rng;
    provider_delivery_t *delivered;
    void *context;
    int64_t grace;
    http_port_t *port;
    size_t count, price_count;
    provider_t *providers; /* [count] */
    priced_t *prices;      /* [price_count] */
    provider_totals_t totals;
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

/* --- weather ---------------------------------------------------------------------------------- */

/* The fault that strikes now among [from, to], FAULT_COUNT if none does. */
static fault_t strike(provider_set_t *set, const provider_t *provider, fault_t from, fault_t to,
                      bool probe) {
    int64_t now = world_now(set->world);
    for (size_t i = 0; i < provider->weather_count; i++) {
        const weather_t *weather = &provider->weather[i];
        if (weather->fault < from || weather->fault > to || now < weather->from ||
            now >= weather->until)
            continue;
        if (probe && fault_changes_answers(weather->fault) && !weather->probes_too)
            continue;
        if (rng_unit(&set->rng) >= weather->share)
            continue;
        return weather->fault;
    }
    return FAULT_COUNT;
}

static provider_t *provider_at(provider_set_t *set, const char *url) {
    for (size_t i = 0; i < set->count; i++)
        if (text_starts_with(url, set->providers[i].script.base_url))
            return &set->providers[i];
    return NULL;
}

static provider_t *provider_named(const provider_set_t *set, const char *name) {
    for (size_t i = 0; i < set->count; i++)
        if (strcmp(set->providers[i].script.name, name) == 0)
            return &set->providers[i];
    fprintf(stderr, "rehearsal: no provider %s\n", name);
    abort();
}

static void dial(void *context, const scripted_request_t *request, scripted_line_t *line) {
    provider_set_t *set = context;
    provider_t *provider = provider_at(set, request->url);
    if (!provider) {
        line->kind = LINE_REFUSED;
        return;
    }
    uint64_t transit = (uint64_t)provider->script.transit + 1;
    *line = (scripted_line_t){
        .connect = (int64_t)rng_below(&set->rng, transit) / 2,
        .upload = (int64_t)rng_below(&set->rng, transit) / 2,
        .orphaned = rng_below(&set->rng, 2) == 0,
    };
    fault_t fault = strike(set, provider, FAULT_REFUSED, FAULT_RESET_DURING, false);
    if (fault == FAULT_COUNT)
        return;
    set->totals.faults[fault]++;
    static const line_kind_t kinds[] = {[FAULT_REFUSED] = LINE_REFUSED,
                                        [FAULT_UNREACHABLE] = LINE_UNREACHABLE,
                                        [FAULT_RESET_BEFORE] = LINE_UNREAD,
                                        [FAULT_RESET_DURING] = LINE_DURING};
    line->kind = kinds[fault];
}

/* --- limits ----------------------------------------------------------------------------------- */

static bool within_limits(provider_t *provider, int64_t now, int64_t tokens) {
    while (provider->first < provider->arrival_count &&
           provider->arrivals[provider->first].at <= now - CLOCK_MINUTE)
        provider->window_tokens -= provider->arrivals[provider->first++].tokens;
    int64_t requests = (int64_t)(provider->arrival_count - provider->first) + 1;
    const provider_script_t *script = &provider->script;
    size_t second = script->per_second > 0 ? (size_t)script->per_second : 0;
    if (second > 0 && provider->arrival_count >= second &&
        provider->arrivals[provider->arrival_count - second].at > now - CLOCK_SECOND)
        return false;
    if ((script->rpm > 0 && requests > script->rpm) ||
        (script->tpm > 0 && provider->window_tokens + tokens > script->tpm))
        return false;
    if (provider->arrival_count == provider->arrival_room) {
        provider->arrival_room = provider->arrival_room ? 2 * provider->arrival_room : 256;
        provider->arrivals =
            memory_resize(provider->arrivals, provider->arrival_room, sizeof(arrival_t));
    }
    provider->arrivals[provider->arrival_count++] = (arrival_t){.at = now, .tokens = tokens};
    provider->window_tokens += tokens;
    provider->served_tokens += tokens;
    return true;
}

/* --- the bill --------------------------------------------------------------------------------- */

static int64_t cost_of(const price_t *price, int64_t prompt, int64_t cached, int64_t completion) {
    return (prompt - cached) * price->input.pico + cached * price->cached_input.pico +
           completion * price->output.pico;
}

static void charge(provider_set_t *set, const asked_request_t *asked, const llm_usage_t *usage) {
    set->totals.billed++;
    for (size_t i = 0; i < set->price_count; i++) {
        const price_t *price = &set->prices[i].price;
        if (strcmp(set->prices[i].model, asked->model) != 0)
            continue;
        int64_t cost =
            cost_of(price, usage->prompt_tokens, usage->cached_tokens, usage->completion_tokens);
        int64_t dearer = price->input.pico > price->cached_input.pico ? price->input.pico
                                                                      : price->cached_input.pico;
        int64_t output = asked->kind == LLM_EMBEDDING ? 0 : asked->parameters.max_output_tokens;
        int64_t most = tokens_input_bound(&asked->request) * dearer + output * price->output.pico;
        set->totals.bill.pico += cost;
        if (cost > most)
            set->totals.bill_over_bound.pico += cost - most;
    }
}

/* --- silence ---------------------------------------------------------------------------------- */

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
static void received(void *context, const scripted_request_t *request,
                     const scripted_reply_t *reply) {
    provider_set_t *set = context;
    provider_t *provider = provider_at(set, request->url);
    int64_t now = world_now(set->world),
            until = reply->silence == INT64_MAX ? INT64_MAX : now + reply->silence;
    if (now + set->grace >= until || until <= provider->hush_until)
        return;
    provider->hush_from = now + set->grace;
    provider->hush_until = until;
}

/* --- answers ---------------------------------------------------------------------------------- */

static void reply_error(scripted_reply_t *reply, int status, const char *code, const char *field) {
    reply->status = status;
    buffer_append_format(
        &reply->body, "{\"error\":{\"message\":\"scripted %s\",\"type\":\"%s\",\"code\":\"%s\"}}",
        code, code, code);
    snprintf(reply->field, sizeof reply->field, "%s", field ? field : "");
}

/* Statuses that refuse work. Whether the provider charges for it is drawn where nobody can know. */
static bool reply_status(provider_set_t *set, fault_t fault, scripted_reply_t *reply,
                         bool *billed) {
    bool coin = rng_below(&set->rng, 2) == 0;
    *billed = false;
    switch (fault) {
    case FAULT_STATUS_408: reply_error(reply, 408, "timeout", NULL); break;
    case FAULT_STATUS_409: reply_error(reply, 409, "conflict", NULL); break;
    case FAULT_STATUS_500: reply_error(reply, 500, "server_error", NULL); break;
    case FAULT_STATUS_503: reply_error(reply, 503, "overloaded", "Retry-After: 7"); break;
    case FAULT_TEAPOT: reply_error(reply, 418, "teapot", NULL); break;
    case FAULT_STATUS_429: reply_error(reply, 429, "slow_down", NULL); return true;
    case FAULT_STATUS_429_AFTER:
        reply_error(reply, 429, "rate_limit_exceeded", "retry-after-ms: 2500");
        return true;
    case FAULT_STATUS_429_DATE:
        reply_error(reply, 429, "rate_limit_exceeded",
                    "Retry-After: Sun, 22 Nov 2026 23:59:59 GMT");
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
        buffer_append_text(
            body, "{\"error\":{\"message\":\"scripted failure\",\"code\":\"server_error\"}}");
        break;
    case FAULT_WRONG_TYPE:
        snprintf(reply->field, sizeof reply->field, "Content-Type: text/plain");
        break;
    case FAULT_OVERSIZED:
        while (body->length <= OVERSIZED_BYTES)
            buffer_append_text(body,
                               "                                                                ");
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

static int64_t think_time(provider_set_t *set, const provider_t *provider) {
    double share = 0.5 + rng_unit(&set->rng);
    if (rng_below(&set->rng, 20) == 0)
        share *= 10;
    return (int64_t)((double)provider->script.think * share);
}

/* A small request that tests a provider; other answers to it than on a fine day would
 * end the rehearsal. */
static bool is_probe(const asked_request_t *asked) {
    return (asked->prompt && strcmp(asked->prompt, "one two three") == 0) ||
           (asked->messages.count == 1 &&
            strcmp(asked->messages.messages[0].content, "one two three") == 0) ||
           (asked->input_count == 1 && strcmp(asked->inputs[0], "one two three") == 0);
}

static void answer(provider_set_t *set, provider_t *provider, const asked_request_t *asked,
                   bool probe, scripted_reply_t *reply) {
    int64_t tokens = tokens_rate_charge(&asked->request);
    fault_t fault = strike(set, provider, FAULT_RESET_AFTER, FAULT_MISALIGNED, probe);
    llm_usage_t usage;
    bool billed;
    if (!within_limits(provider, world_now(set->world), tokens)) {
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
    provider_answer(asked, answer_kind(fault), &reply->body, &usage);
    charge(set, asked, &usage);
    spoil(fault, reply);
}

static void serve(void *context, const scripted_request_t *request, scripted_reply_t *reply) {
    provider_set_t *set = context;
    provider_t *provider = provider_at(set, request->url);
    asked_request_t asked;
    set->totals.arrivals++;
    int64_t now = world_now(set->world);
    bool unwelcome = now > provider->hush_from && now < provider->hush_until;
    set->totals.disobeyed += unwelcome;
    *reply =
        (scripted_reply_t){.status = 200, .think = think_time(set, provider), .download = 2000};
    bool read = asked_request_read(request->url, request->body, &asked);
    bool probe = read && is_probe(&asked);
    delivery_t delivery = {.provider = provider->script.name,
                           .base_url = provider->script.base_url,
                           .probe = probe,
                           .unwelcome = unwelcome,
                           .asked = read ? &asked : NULL};
    if (set->delivered)
        set->delivered(set->context, &delivery);
    if (read)
        answer(set, provider, &asked, probe, reply);
    else
        reply_error(reply, 400, "invalid_request_error", NULL);
    asked_request_clear(&asked);
}

/* --- the set ---------------------------------------------------------------------------------- */

provider_set_t *provider_set_create(world_t *world, uint64_t seed, provider_delivery_t *delivered,
                                    void *context) {
    provider_set_t *set = MEMORY_NEW(provider_set_t);
    *set = (provider_set_t){
        .world = world, .rng = rng_create(seed), .delivered = delivered, .context = context};
    return set;
}

void provider_set_free(provider_set_t *set) {
    for (size_t i = 0; i < set->count; i++) {
        free(set->providers[i].weather);
        free(set->providers[i].arrivals);
    }
    for (size_t i = 0; i < set->price_count; i++)
        free(set->prices[i].model);
    free(set->providers);
    free(set->prices);
    free(set);
}

void provider_add(provider_set_t *set, const provider_script_t *script) {
    set->providers = memory_resize(set->providers, set->count + 1, sizeof(provider_t));
    set->providers[set->count++] = (provider_t){.script = *script};
}

void provider_limit(provider_set_t *set, const char *name, int64_t rpm, int64_t tpm) {
    provider_script_t *script = &provider_named(set, name)->script;
    script->rpm = rpm;
    script->tpm = tpm;
}

void provider_latency(provider_set_t *set, const char *name, int64_t think, int64_t transit) {
    provider_script_t *script = &provider_named(set, name)->script;
    script->think = think;
    script->transit = transit;
}

void provider_weather(provider_set_t *set, const char *name, weather_t weather) {
    for (size_t i = 0; i < set->count; i++) {
        provider_t *provider = &set->providers[i];
        if (name && strcmp(provider->script.name, name) != 0)
            continue;
        provider->weather =
            memory_resize(provider->weather, provider->weather_count + 1, sizeof(weather_t));
        provider->weather[provider->weather_count++] = weather;
    }
}

void provider_clear_weather(provider_set_t *set) {
    for (size_t i = 0; i < set->count; i++)
        set->providers[i].weather_count = 0;
}

void provider_price(provider_set_t *set, const char *model, price_t price) {
    size_t i = 0;
    while (i < set->price_count && strcmp(set->prices[i].model, model) != 0)
        i++;
    if (i == set->price_count) {
        set->prices = memory_resize(set->prices, set->price_count + 1, sizeof(priced_t));
        set->prices[set->price_count++].model = memory_copy_string(model);
    }
    set->prices[i].price = price;
}

void provider_grace(provider_set_t *set, int64_t grace) {
    set->grace = grace;
}

http_port_t *provider_open(provider_set_t *set) {
    scripted_peer_t peer = {.dial = dial, .serve = serve, .received = received, .context = set};
    return set->port = http_scripted_create(set->world, &peer);
}

void provider_close(provider_set_t *set) {
    if (set->port)
        http_scripted_free(set->port);
    set->port = NULL;
    for (size_t i = 0; i < set->count; i++)
        set->providers[i].hush_from = set->providers[i].hush_until = 0;
}

const provider_totals_t *provider_totals(const provider_set_t *set) {
    return &set->totals;
}

int64_t provider_served_tokens(const provider_set_t *set, const char *name) {
    return provider_named(set, name)->served_tokens;
}
