/* breaker.c - the transitions that breaker.h draws. */
#include "core/net/breaker.h"

#include <stddef.h>

#include "core/runtime/clock.h"

enum { FAILURES_TO_OPEN = 5 };
static const int64_t PAUSE_FIRST = 5 * CLOCK_SECOND;
static const int64_t PAUSE_LAST = 120 * CLOCK_SECOND;

void breaker_init(breaker_t *breaker) {
    *breaker = (breaker_t){.state = BREAKER_CLOSED, .failing_since = INT64_MIN};
}

static void open_for(breaker_t *breaker, int64_t pause, int64_t now) {
    breaker->state = BREAKER_OPEN;
    breaker->failures = 0;
    breaker->probing = false;
    breaker->pause = pause < PAUSE_LAST ? pause : PAUSE_LAST;
    breaker->until = now + breaker->pause;
    if (breaker->down_since == 0)
        breaker->down_since = now;
}

bool breaker_allows(breaker_t *breaker, int64_t now) {
    switch (breaker->state) {
    case BREAKER_CLOSED: return true;
    case BREAKER_OPEN:
        if (now < breaker->until)
            return false;
        breaker->state = BREAKER_HALF_OPEN;
        breaker->probing = false;
        return true;
    case BREAKER_HALF_OPEN: return !breaker->probing;
    case BREAKER_SHUT: return false;
    }
    return false;
}

void breaker_started(breaker_t *breaker) {
    if (breaker->state == BREAKER_HALF_OPEN)
        breaker->probing = true;
}

void breaker_succeeded(breaker_t *breaker, int64_t sent) {
    /* While OPEN it is an attempt from before: the pause is kept, the probe decides. */
    if (sent >= breaker->failing_since &&
        (breaker->state == BREAKER_CLOSED || breaker->state == BREAKER_HALF_OPEN))
        breaker_init(breaker);
}

void breaker_failed(breaker_t *breaker, int64_t now) {
    if (breaker->failing_since == INT64_MIN)
        breaker->failing_since = now;
    if (breaker->state == BREAKER_CLOSED && ++breaker->failures >= FAILURES_TO_OPEN)
        open_for(breaker, PAUSE_FIRST, now);
    else if (breaker->state == BREAKER_HALF_OPEN && breaker->probing)
        open_for(breaker, breaker->pause * 2, now);
    /* Else a late failure of an attempt that started before the breaker opened: it
     * says nothing new. */
}

void breaker_abandoned(breaker_t *breaker) {
    if (breaker->state == BREAKER_HALF_OPEN)
        breaker->probing = false;
}

void breaker_shut(breaker_t *breaker, int64_t now) {
    breaker->state = BREAKER_SHUT;
    breaker->probing = false;
    if (breaker->down_since == 0)
        breaker->down_since = now;
}

const char *breaker_state_name(breaker_state_t state) {
    switch (state) {
    case BREAKER_CLOSED: return "closed";
    case BREAKER_OPEN: return "open";
    case BREAKER_HALF_OPEN: return "half_open";
    case BREAKER_SHUT: return "shut";
    }
    return "unknown";
}
