/* endpoint.h - the account of one endpoint: when a request may start there, its slots, and what was
 * learned of it.
 *
 * Pure: takes timestamps (microseconds, monotonic), has no clock, sends nothing, asks nobody. It
 * holds the endpoint's sliding windows, breaker and slots of concurrency, and those of each route,
 * which is a model at this endpoint.
 *
 *   ready_at -> grant -> reserved -> start_at -> start -> over -> learn
 *                 |         '--lapsed--> give_back
 *                 '--refused by a cap--> give_back
 *
 * A grant is taken before its reservation is made durable, and a slot only when the request is
 * sent. So more may be granted than there are slots: as many as become free while a reservation is
 * made durable (Little's law), so that no slot stands empty for want of a commit. None where an
 * exchange takes long enough; at most as many as there are slots, since a crash leaves each of them
 * in doubt.
 */
#ifndef GLIA_ACTORS_POOL_ENDPOINT_H
#define GLIA_ACTORS_POOL_ENDPOINT_H

#include "actors/sweep/settings.h"
#include "core/net/breaker.h"
#include "core/net/retry.h"

typedef struct endpoint endpoint_t;

/* The leave to start a request; its holder returns it by start or give_back, once. */
typedef struct {
    size_t model;
    int64_t charge; /* tokens against tokens/min */
    int64_t at;
    bool probing; /* the one attempt of a half-open breaker */
} grant_t;

/* What an exchange tells about the endpoint. */
typedef struct {
    retry_verdict_t verdict;
    const retry_detail_t *detail;
    int64_t sent_at;
    int64_t retry_after; /* microseconds; -1: none said */
    bool over_bound;     /* it reports more tokens than were set aside: it does not keep the output
                            maximum */
} lesson_t;

/* Settings are borrowed; models [model_count], of which those that are never asked here cost
 * nothing. */
endpoint_t *endpoint_create(const endpoint_settings_t *settings, const model_settings_t *models,
                            size_t model_count);
void endpoint_free(endpoint_t *endpoint); /* NULL is fine */
/* An attempt from before this start, which counts in the windows at time `at`. `model` SIZE_MAX: of
 * a model that is no longer known. The newest first is fastest. */
void endpoint_restore(endpoint_t *endpoint, size_t model, int64_t at, int64_t charge);

/* False: the charge alone is more than a limit in tokens/min, of the endpoint or of the model. */
bool endpoint_fits(const endpoint_t *endpoint, size_t model, int64_t charge);
/* When a grant can be taken: `now`, a later time, or INT64_MAX (not before something happens).
 * Opens a breaker half whose time has come. */
int64_t endpoint_ready_at(endpoint_t *endpoint, size_t model, int64_t charge, int64_t now);
/* Takes it; ready_at was `now`. */
grant_t endpoint_grant(endpoint_t *endpoint, size_t model, int64_t charge, int64_t now);
/* The grant's reservation is durable. */
void endpoint_reserved(endpoint_t *endpoint, const grant_t *grant, int64_t now);
/* The grant is void: the endpoint went down or asked to wait meanwhile. It has to be given back. */
bool endpoint_has_lapsed(const endpoint_t *endpoint, const grant_t *grant, int64_t now);
/* No slot is free. */
bool endpoint_is_full(const endpoint_t *endpoint);
/* When a request with its grant may be sent, as ready_at. A grant that is used late has to find
 * room in the windows again: what was granted over minutes may not start all at once. */
int64_t endpoint_start_at(endpoint_t *endpoint, const grant_t *grant, int64_t now);
/* Sends: a slot is taken for the grant; start_at was `now`. */
void endpoint_start(endpoint_t *endpoint, const grant_t *grant, int64_t now);
void endpoint_give_back(endpoint_t *endpoint, const grant_t *grant);
/* The exchange is over: its slot is free. */
void endpoint_over(endpoint_t *endpoint, const grant_t *grant, int64_t sent_at, int64_t now);
/* Then, as soon as it was read: breaker and windows learn what it was. */
void endpoint_learn(endpoint_t *endpoint, const grant_t *grant, const lesson_t *lesson,
                    int64_t now);
/* A Retry-After under this verdict is meant for whoever asks at the endpoint, not for the one
 * request alone. */
bool endpoint_heeds(retry_verdict_t verdict, int64_t retry_after);

breaker_state_t endpoint_state(const endpoint_t *endpoint);
/* It has been down, or is asked to wait, for so long that nobody should wait for it. */
bool endpoint_is_out(const endpoint_t *endpoint, int64_t now, int64_t outage_wait);
/* When an outage that is under way will have lasted so long; INT64_MAX: there is none. */
int64_t endpoint_outage_end(const endpoint_t *endpoint, int64_t outage_wait);
/* The last failure that was the endpoint's, for people; "": none. */
const char *endpoint_trouble(const endpoint_t *endpoint);
/* Requests and tokens of the last 60 s. */
void endpoint_usage(const endpoint_t *endpoint, int64_t now, int64_t *requests, int64_t *tokens);
/* Slots that are taken; grants that are neither started nor given back. */
size_t endpoint_in_flight(const endpoint_t *endpoint);
size_t endpoint_grants(const endpoint_t *endpoint);
/* What must always hold and does not, or NULL. `idle`: no attempt of any ticket is under way. */
const char *endpoint_broken(const endpoint_t *endpoint, bool idle);

#endif
