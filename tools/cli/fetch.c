/* fetch.c - a fixed number of slots, each fetching one URL after another.
 *
 * A slot is IDLE (no URL left for it), BUSY (an exchange is under way) or PAUSED (its timer runs,
 * then it tries again).
 *   IDLE --start_next--> BUSY --answer--> BUSY with the next URL, or IDLE
 *   BUSY --failed, tries left--> PAUSED --timer--> BUSY
 *   any --the fetch failed--> IDLE (after the cancelled exchange came back)
 */
#include "tools/cli/fetch.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/memory.h"
#include "core/base/rng.h"
#include "core/net/http_curl.h"
#include "core/net/retry.h"
#include "core/runtime/loop.h"

typedef enum { SLOT_IDLE, SLOT_BUSY, SLOT_PAUSED } slot_state_t;

typedef struct {
    fetcher_t *fetcher;
    slot_state_t state;
    size_t index; /* of the URL */
    int tries;
    http_exchange_t *exchange;
    clock_timer_t *timer;
} slot_t;

struct fetcher {
    loop_t *loop;
    http_port_t *http;
    rng_t rng;
    slot_t slots[FETCH_CONCURRENCY];
    /* the fetch under way */
    const char *const *urls;
    size_t count, next;
    fetch_take_t *take;
    void *context;
    bool failed;
    error_info_t *error;
};

static void resume(void *context);

fetcher_t *fetcher_create(error_info_t *error) {
    fetcher_t *fetcher = MEMORY_NEW(fetcher_t);
    fetcher->loop = loop_create(error);
    fetcher->http =
        fetcher->loop ? http_curl_create(fetcher->loop, FETCH_CONCURRENCY, error) : NULL;
    if (!fetcher->http) {
        fetcher_free(fetcher);
        return NULL;
    }
    clock_port_t *clock = loop_clock(fetcher->loop);
    fetcher->rng = rng_create((uint64_t)clock_utc(clock)); /* only spreads pauses */
    for (size_t i = 0; i < FETCH_CONCURRENCY; i++)
        fetcher->slots[i] = (slot_t){
            .fetcher = fetcher, .timer = clock_timer_create(clock, resume, &fetcher->slots[i])};
    return fetcher;
}

void fetcher_free(fetcher_t *fetcher) {
    if (!fetcher)
        return;
    for (size_t i = 0; i < FETCH_CONCURRENCY && fetcher->http; i++)
        clock_timer_free(loop_clock(fetcher->loop), fetcher->slots[i].timer);
    if (fetcher->http)
        http_curl_free(fetcher->http);
    if (fetcher->loop)
        loop_free(fetcher->loop);
    free(fetcher);
}

/* --- one slot --------------------------------------------------------------------------------- */

static void submit(slot_t *slot);

static void start_next(slot_t *slot) {
    fetcher_t *fetcher = slot->fetcher;
    slot->state = SLOT_IDLE;
    slot->exchange = NULL;
    if (!fetcher->failed && fetcher->next < fetcher->count) {
        slot->index = fetcher->next++;
        slot->tries = 0;
        submit(slot);
        return;
    }
    for (size_t i = 0; i < FETCH_CONCURRENCY; i++)
        if (fetcher->slots[i].state != SLOT_IDLE)
            return;
    loop_stop(fetcher->loop);
}

/* Ends the fetch: the others are called back, and come to rest one by one. *error is set. */
static void fail(slot_t *slot) {
    fetcher_t *fetcher = slot->fetcher;
    fetcher->failed = true;
    for (size_t i = 0; i < FETCH_CONCURRENCY; i++) {
        slot_t *other = &fetcher->slots[i];
        if (other != slot && other->state == SLOT_BUSY)
            http_cancel(fetcher->http, other->exchange);
        if (other->state == SLOT_PAUSED) {
            clock_timer_stop(loop_clock(fetcher->loop), other->timer);
            other->state = SLOT_IDLE;
        }
    }
}

static bool may_try_again(const http_response_t *response) {
    switch (response->outcome) {
    case HTTP_COMPLETE:
        return response->status == 408 || response->status == 429 || response->status >= 500;
    case HTTP_REFUSED:
    case HTTP_BROKEN:
    case HTTP_TIMED_OUT: return true;
    case HTTP_TOO_LARGE:
    case HTTP_CANCELLED: return false;
    }
    return false;
}

static void pause_slot(slot_t *slot, const http_response_t *response) {
    clock_port_t *clock = loop_clock(slot->fetcher->loop);
    int64_t pause = retry_backoff(&slot->fetcher->rng, slot->tries);
    int64_t asked = retry_after(&response->fields, clock_utc(clock));
    slot->state = SLOT_PAUSED;
    slot->tries++;
    clock_timer_start(clock, slot->timer, clock_now(clock) + (asked > pause ? asked : pause));
}

static void refuse(slot_t *slot, const http_response_t *response) {
    fetcher_t *fetcher = slot->fetcher;
    const char *url = fetcher->urls[slot->index];
    bool again = may_try_again(response);
    if (response->outcome == HTTP_COMPLETE)
        error_set(fetcher->error, again ? ERROR_RETRYABLE : ERROR_CONFIG,
                  "%s: the server answers with status %d%s", url, response->status,
                  again ? "; run the same command again to go on" : "");
    else
        error_set(fetcher->error, again ? ERROR_RETRYABLE : ERROR_CONFIG, "%s: %s%s%s%s", url,
                  http_outcome_name(response->outcome), *response->detail ? ": " : "",
                  response->detail, again ? "; run the same command again to go on" : "");
    fail(slot);
}

static void answered(void *context, http_response_t *response) {
    slot_t *slot = context;
    fetcher_t *fetcher = slot->fetcher;
    bool complete = response->outcome == HTTP_COMPLETE;
    bool absent = complete && (response->status == 404 || response->status == 410);
    if (fetcher->failed) {
        /* called back */
    } else if (absent || (complete && response->status == 200)) {
        if (!fetcher->take(fetcher->context, slot->index, !absent, &response->body, fetcher->error))
            fail(slot);
    } else if (may_try_again(response) && slot->tries + 1 < FETCH_TRIES) {
        pause_slot(slot, response);
        return;
    } else {
        refuse(slot, response);
    }
    start_next(slot);
}

static void submit(slot_t *slot) {
    fetcher_t *fetcher = slot->fetcher;
    http_request_t request = {
        .method = "GET",
        .url = fetcher->urls[slot->index],
        .connect_timeout = 20 * CLOCK_SECOND,
        .total_timeout = 10 * CLOCK_MINUTE,
        .idle_timeout = 60 * CLOCK_SECOND,
        .maximum_body = FETCH_MAX_BODY,
    };
    slot->state = SLOT_BUSY;
    slot->exchange = http_submit(fetcher->http, &request, answered, slot);
}

static void resume(void *context) {
    submit(context);
}

bool fetcher_get(fetcher_t *fetcher, const char *const *urls, size_t count, fetch_take_t *take,
                 void *context, error_info_t *error) {
    error_info_t ignored = {0};
    fetcher->urls = urls;
    fetcher->count = count;
    fetcher->next = 0;
    fetcher->take = take;
    fetcher->context = context;
    fetcher->failed = false;
    fetcher->error = error ? error : &ignored;
    if (count == 0)
        return true;
    for (size_t i = 0; i < FETCH_CONCURRENCY && fetcher->next < count; i++)
        start_next(&fetcher->slots[i]);
    loop_run(fetcher->loop);
    return !fetcher->failed;
}
