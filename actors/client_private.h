/* client_private.h - what client_pool.c and client_attempt.c share. */
#ifndef GLIA_ACTORS_CLIENT_PRIVATE_H
#define GLIA_ACTORS_CLIENT_PRIVATE_H

#include "actors/client_pool.h"
#include "core/base/rng.h"
#include "core/net/breaker.h"
#include "core/net/limiter.h"

typedef struct {
    ticket_t *first, *last;
} ticket_queue_t;

enum { KINDS = LLM_EMBEDDING + 1 };

/* An endpoint. */
typedef struct {
    char *urls[KINDS];
    char *authorization; /* header; NULL: none */
    limiter_t *limiter;
    breaker_t breaker;
    int64_t in_flight;     /* attempts that are sent and not over: places taken */
    int64_t reserved;      /* tickets that have their grant and are not sent yet */
    ticket_queue_t ready;  /* of them, those whose reservation is durable: they wait for a place */
    int64_t reserve_time;  /* microseconds from the grant until the reservation was durable, smoothed */
    int64_t exchange_time; /* microseconds of an exchange, smoothed; 0: none yet */
    int64_t blocked_until; /* monotonic: Retry-After */
    char trouble[256];     /* the last failure that was the endpoint's */
} place_t;

/* A model at an endpoint. */
typedef struct {
    limiter_t *limiter;
    int64_t in_flight, reserved; /* as above */
} lane_t;

typedef struct client_pool client_pool_t;

/* An exchange under way. */
typedef struct flight {
    client_pool_t *pool;
    ticket_t *ticket;
    http_exchange_t *exchange;
    http_response_t response; /* once it is over */
    struct flight *next;
} flight_t;

struct client_pool {
    actor_t *self, *director;
    client_pool_options_t options;
    rng_t rng;
    clock_timer_t *timer, *drain_timer;
    place_t *places;        /* [endpoint_count] */
    lane_t *lanes;          /* [model_count][endpoint_count] */
    ticket_queue_t *queues; /* [model_count] */
    flight_t *flights;
    size_t waiting; /* tickets in queues */
    size_t busy;    /* tickets reserving, in flight or settling */
    size_t turn;    /* queue that is served first */
    size_t stalled; /* tickets of the standstill that the director knows of; 0: none */
    bool stopping;
    uint64_t attempts, answers, retries;
};

void client_pool_enqueue(client_pool_t *pool, ticket_t *ticket);
void client_pool_pump(client_pool_t *pool);
lane_t *client_pool_lane(client_pool_t *pool, const ticket_t *ticket);
void client_pool_append(ticket_queue_t *queue, ticket_t *ticket);
/* Takes the one behind `before` (NULL: the first) out. */
ticket_t *client_pool_unlink(ticket_queue_t *queue, ticket_t *before);
/* It has a place or was given back: the grant is used up. */
void client_pool_release_grant(client_pool_t *pool, const ticket_t *ticket);
/* To its owner, not done and not failed. */
void client_pool_hand_back(client_pool_t *pool, ticket_t *ticket);
/* The reservation is durable: sends it as soon as there is a place, or gives it back. */
void client_pool_reserved(client_pool_t *pool, ticket_t *ticket);
/* Sends what has a place now; returns when the windows let the next one of those that came late, INT64_MAX: an event
 * decides. */
int64_t client_pool_start_ready(client_pool_t *pool, size_t endpoint);
/* The exchange is over and was read: settle it. Takes the flight. */
void client_pool_attempt_ended(client_pool_t *pool, flight_t *flight);
void client_flight_free(void *flight); /* with its ticket */
/* The end of the attempt is durable. */
void client_pool_settled(client_pool_t *pool, ticket_t *ticket);

#endif
