/* endpoint.c - windows, breaker and slots of an endpoint and of its routes. */
#include "actors/pool/endpoint.h"

#include <stdio.h>
#include <stdlib.h>

#include "core/base/memory.h"
#include "core/net/limiter.h"
#include "core/runtime/clock.h"

/* Between the grant and the request's arrival at the provider; see limiter.h. */
static const int64_t WINDOW_MARGIN = CLOCK_SECOND / 2;
/* A grant that is older at the start counts in the windows a second time. */
static const int64_t LATE_START = CLOCK_SECOND / 20;

/* A model at this endpoint. */
typedef struct {
    int64_t concurrency; /* 0: no limit of its own */
    int64_t tpm;
    limiter_t *limiter;
    int64_t in_flight, reserved;
} route_t;

struct endpoint {
    const endpoint_settings_t *settings;
    limiter_t *limiter;
    breaker_t breaker;
    int64_t in_flight;     /* slots that are taken */
    int64_t reserved;      /* grants that are neither started nor given back */
    int64_t reserve_time;  /* from the grant until the reservation was durable, smoothed */
    int64_t exchange_time; /* smoothed; 0: none yet */
    int64_t blocked_until; /* Retry-After */
    char trouble[256];
    size_t route_count;
    route_t *routes; /* [route_count], by model */
};

endpoint_t *endpoint_create(const endpoint_settings_t *settings, const model_settings_t *models,
                            size_t model_count) {
    endpoint_t *endpoint = MEMORY_NEW(endpoint_t);
    endpoint->settings = settings;
    endpoint->limiter = limiter_create(settings->rpm, settings->tpm, WINDOW_MARGIN);
    breaker_init(&endpoint->breaker);
    endpoint->route_count = model_count;
    endpoint->routes = MEMORY_NEW_ARRAY(model_count + 1, route_t);
    for (size_t m = 0; m < model_count; m++)
        endpoint->routes[m] = (route_t){
            .concurrency = models[m].concurrency,
            .tpm = models[m].tpm,
            .limiter = limiter_create(models[m].rpm, models[m].tpm, WINDOW_MARGIN),
        };
    return endpoint;
}

void endpoint_free(endpoint_t *endpoint) {
    if (!endpoint)
        return;
    for (size_t m = 0; m < endpoint->route_count; m++)
        limiter_free(endpoint->routes[m].limiter);
    free(endpoint->routes);
    limiter_free(endpoint->limiter);
    free(endpoint);
}

void endpoint_restore(endpoint_t *endpoint, size_t model, int64_t at, int64_t charge) {
    limiter_restore(endpoint->limiter, at, charge);
    if (model < endpoint->route_count)
        limiter_restore(endpoint->routes[model].limiter, at, charge);
}

/* --- when --- */

static bool is_within(int64_t charge, int64_t tpm) {
    return tpm == 0 || charge <= tpm;
}

bool endpoint_fits(const endpoint_t *endpoint, size_t model, int64_t charge) {
    return is_within(charge, endpoint->settings->tpm) &&
           is_within(charge, endpoint->routes[model].tpm);
}

static int64_t windows_at(const endpoint_t *endpoint, size_t model, int64_t charge, int64_t now) {
    int64_t of_endpoint = limiter_ready_at(endpoint->limiter, now, charge);
    int64_t of_route = limiter_ready_at(endpoint->routes[model].limiter, now, charge);
    return of_endpoint > of_route ? of_endpoint : of_route;
}

static void take_windows(endpoint_t *endpoint, size_t model, int64_t charge, int64_t now) {
    limiter_take(endpoint->limiter, now, charge);
    limiter_take(endpoint->routes[model].limiter, now, charge);
}

static int64_t slots_with_ahead(const endpoint_t *endpoint, int64_t slots) {
    if (endpoint->exchange_time == 0)
        return slots;
    int64_t ahead = (int64_t)((__int128)slots * endpoint->reserve_time / endpoint->exchange_time);
    return slots + (ahead < slots ? ahead : slots);
}

static bool has_room(const endpoint_t *endpoint, const route_t *route) {
    int64_t slots = slots_with_ahead(endpoint, endpoint->settings->concurrency);
    if (endpoint->in_flight + endpoint->reserved >= slots)
        return false;
    return route->concurrency == 0 ||
           route->in_flight + route->reserved < slots_with_ahead(endpoint, route->concurrency);
}

int64_t endpoint_ready_at(endpoint_t *endpoint, size_t model, int64_t charge, int64_t now) {
    breaker_t *breaker = &endpoint->breaker;
    if (breaker->state == BREAKER_SHUT)
        return INT64_MAX;
    if (!breaker_allows(breaker, now))
        return breaker->state == BREAKER_OPEN ? breaker->until : INT64_MAX;
    if (!has_room(endpoint, &endpoint->routes[model]))
        return INT64_MAX;
    return windows_at(endpoint, model, charge, now);
}

/* --- grants and slots --- */

grant_t endpoint_grant(endpoint_t *endpoint, size_t model, int64_t charge, int64_t now) {
    grant_t grant = {.model = model, .charge = charge, .at = now};
    grant.probing = endpoint->breaker.state == BREAKER_HALF_OPEN;
    breaker_started(&endpoint->breaker);
    take_windows(endpoint, model, charge, now);
    endpoint->reserved++;
    endpoint->routes[model].reserved++;
    return grant;
}

static void learn_time(int64_t *average, int64_t sample) {
    *average = *average == 0 ? sample : *average + (sample - *average) / 8;
    if (*average <= 0)
        *average = 1;
}

void endpoint_reserved(endpoint_t *endpoint, const grant_t *grant, int64_t now) {
    learn_time(&endpoint->reserve_time, now - grant->at);
}

bool endpoint_has_lapsed(const endpoint_t *endpoint, const grant_t *grant, int64_t now) {
    bool down = endpoint->breaker.state != BREAKER_CLOSED && !grant->probing;
    return down || endpoint->blocked_until > now;
}

bool endpoint_is_full(const endpoint_t *endpoint) {
    return endpoint->in_flight >= endpoint->settings->concurrency;
}

static bool is_late(const grant_t *grant, int64_t now) {
    return now - grant->at > LATE_START;
}

int64_t endpoint_start_at(endpoint_t *endpoint, const grant_t *grant, int64_t now) {
    const route_t *route = &endpoint->routes[grant->model];
    if (endpoint_is_full(endpoint) ||
        (route->concurrency > 0 && route->in_flight >= route->concurrency))
        return INT64_MAX;
    return is_late(grant, now) ? windows_at(endpoint, grant->model, grant->charge, now) : now;
}

static void use_up(endpoint_t *endpoint, const grant_t *grant) {
    endpoint->reserved--;
    endpoint->routes[grant->model].reserved--;
}

void endpoint_start(endpoint_t *endpoint, const grant_t *grant, int64_t now) {
    if (is_late(grant, now))
        take_windows(endpoint, grant->model, grant->charge, now);
    use_up(endpoint, grant);
    endpoint->in_flight++;
    endpoint->routes[grant->model].in_flight++;
}

/* Only the probe's own end lets another attempt probe. */
static void abandon(endpoint_t *endpoint, const grant_t *grant) {
    if (grant->probing)
        breaker_abandoned(&endpoint->breaker);
}

void endpoint_give_back(endpoint_t *endpoint, const grant_t *grant) {
    use_up(endpoint, grant);
    abandon(endpoint, grant);
}

void endpoint_over(endpoint_t *endpoint, const grant_t *grant, int64_t sent_at, int64_t now) {
    endpoint->in_flight--;
    endpoint->routes[grant->model].in_flight--;
    learn_time(&endpoint->exchange_time, now - sent_at);
}

/* --- what is learned --- */

bool endpoint_heeds(retry_verdict_t verdict, int64_t retry_after) {
    return retry_after >= 0 && (verdict == RETRY_RATE_LIMIT || verdict == RETRY_SERVER);
}

static void teach_breaker(endpoint_t *endpoint, const grant_t *grant, const lesson_t *lesson,
                          int64_t now) {
    breaker_t *breaker = &endpoint->breaker;
    if (lesson->verdict == RETRY_CANCELLED)
        abandon(endpoint, grant);
    else if (retry_verdict_blames_endpoint(lesson->verdict))
        breaker_failed(breaker, now);
    else
        breaker_succeeded(breaker, lesson->sent_at);
    if (lesson->verdict == RETRY_QUOTA || lesson->verdict == RETRY_CREDENTIALS ||
        lesson->over_bound)
        breaker_shut(breaker, now);
}

static void block(endpoint_t *endpoint, const lesson_t *lesson, int64_t now) {
    int64_t until = now + lesson->retry_after;
    limiter_block(endpoint->limiter, until);
    if (until > endpoint->blocked_until)
        endpoint->blocked_until = until;
    snprintf(endpoint->trouble, sizeof endpoint->trouble, "asked to wait %lld s (%s)",
             (long long)(lesson->retry_after / CLOCK_SECOND), retry_verdict_name(lesson->verdict));
}

void endpoint_learn(endpoint_t *endpoint, const grant_t *grant, const lesson_t *lesson,
                    int64_t now) {
    teach_breaker(endpoint, grant, lesson, now);
    if (endpoint_heeds(lesson->verdict, lesson->retry_after))
        block(endpoint, lesson, now);
    /* Answers that were under way when it was shut say nothing of why. */
    bool failed = lesson->over_bound ||
                  (lesson->verdict != RETRY_ANSWER && lesson->verdict != RETRY_CANCELLED);
    const retry_detail_t *detail = lesson->detail;
    if (endpoint->breaker.state != BREAKER_CLOSED && failed)
        snprintf(endpoint->trouble, sizeof endpoint->trouble, "%s%s%s: %.180s",
                 retry_verdict_name(lesson->verdict), detail->code[0] ? " " : "", detail->code,
                 detail->message);
}

/* --- how it stands --- */

breaker_state_t endpoint_state(const endpoint_t *endpoint) {
    return endpoint->breaker.state;
}

bool endpoint_is_out(const endpoint_t *endpoint, int64_t now, int64_t outage_wait) {
    return endpoint_outage_end(endpoint, outage_wait) <= now ||
           endpoint->blocked_until - now > outage_wait;
}

int64_t endpoint_outage_end(const endpoint_t *endpoint, int64_t outage_wait) {
    int64_t since = endpoint->breaker.down_since;
    return since ? since + outage_wait : INT64_MAX;
}

const char *endpoint_trouble(const endpoint_t *endpoint) {
    return endpoint->trouble;
}

void endpoint_usage(const endpoint_t *endpoint, int64_t now, int64_t *requests, int64_t *tokens) {
    limiter_usage(endpoint->limiter, now, requests, tokens);
}

size_t endpoint_in_flight(const endpoint_t *endpoint) {
    return (size_t)endpoint->in_flight;
}

size_t endpoint_grants(const endpoint_t *endpoint) {
    return (size_t)endpoint->reserved;
}

const char *endpoint_broken(const endpoint_t *endpoint, bool idle) {
    int64_t in_flight = 0, reserved = 0;
    for (size_t m = 0; m < endpoint->route_count; m++) {
        const route_t *route = &endpoint->routes[m];
        if (route->in_flight < 0 || route->reserved < 0)
            return "a route has fewer than no slots or grants";
        if (route->concurrency > 0 && route->in_flight > route->concurrency)
            return "a route has more slots taken than it has";
        if (route->concurrency > 0 && route->in_flight + route->reserved > 2 * route->concurrency)
            return "a route has more granted than twice its slots";
        in_flight += route->in_flight;
        reserved += route->reserved;
    }
    if (in_flight != endpoint->in_flight || reserved != endpoint->reserved)
        return "an endpoint's slots or grants are not those of its routes";
    if (in_flight > endpoint->settings->concurrency)
        return "an endpoint has more slots taken than it has";
    if (in_flight + reserved > 2 * endpoint->settings->concurrency)
        return "an endpoint has more granted than twice its slots";
    if (endpoint->breaker.probing && idle)
        return "a breaker waits for a probe that nobody makes";
    return NULL;
}
