/* breaker.h - the state of one endpoint: up, down, probing, or shut for good.
 * Pure: takes timestamps.
 *
 *   CLOSED --5 failures of the endpoint in a row--> OPEN --after a pause--> HALF_OPEN (one attempt)
 *   HALF_OPEN --success--> CLOSED;  HALF_OPEN --failure--> OPEN with a doubled pause (5 s .. 2 min)
 *   any --breaker_shut (401, 403, no quota)--> SHUT, until the next run
 *
 * What attempts from before the opening report while it is OPEN (or HALF_OPEN before the
 * probe) changes nothing.
 */
#ifndef GLIA_NET_BREAKER_H
#define GLIA_NET_BREAKER_H

#include <stdbool.h>
#include <stdint.h>

typedef enum { BREAKER_CLOSED, BREAKER_OPEN, BREAKER_HALF_OPEN, BREAKER_SHUT } breaker_state_t;

typedef struct {
    breaker_state_t state;
    int failures;          /* in a row, while CLOSED */
    int64_t failing_since; /* the first of them; INT64_MIN: the last thing heard is a success */
    bool probing;          /* HALF_OPEN: its one attempt is under way */
    int64_t pause;         /* microseconds, of the last opening */
    int64_t until;         /* OPEN: when it becomes HALF_OPEN */
    int64_t down_since;    /* when it left CLOSED; 0 while CLOSED */
} breaker_t;

void breaker_init(breaker_t *breaker);
/* Whether an attempt may start now; moves OPEN to HALF_OPEN when its time has come. */
bool breaker_allows(breaker_t *breaker, int64_t now);
/* An attempt starts (in HALF_OPEN: it is the probe). */
void breaker_started(breaker_t *breaker);
/* The endpoint answered, even if with a 4xx, an attempt that was sent at `sent`. Nothing is
 * learned if the row of failures began after that: an answer may be minutes late, and the endpoint
 * down meanwhile. */
void breaker_succeeded(breaker_t *breaker, int64_t sent);
void breaker_failed(breaker_t *breaker, int64_t now); /* connect errors, resets, timeouts, 5xx */
/* The attempt ended without telling anything about the endpoint (cancelled by us). */
void breaker_abandoned(breaker_t *breaker);
void breaker_shut(breaker_t *breaker, int64_t now);
const char *breaker_state_name(breaker_state_t state);

#endif
