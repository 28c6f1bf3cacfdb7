/* rehearsal_private.h - what rehearsal.c and rehearsal_check.c share. */
#ifndef GLIA_TEST_REHEARSAL_PRIVATE_H
#define GLIA_TEST_REHEARSAL_PRIVATE_H

#include "store/runs.h"
#include "test/rehearsal/rehearsal.h"

enum { ASSIGNMENTS = 128, REQUEST_BUCKETS = 4096 };

/* What became of one request, by its identity. */
typedef struct request_fate {
    hash_t request;
    uint64_t attempts; /* durably reserved */
    uint64_t arrivals;
    struct request_fate *next;
} request_fate_t;

struct rehearsal {
    rehearsal_options_t options;
    world_t *world;
    provider_set_t *providers;
    char *home, *directory; /* the latter is the store's, in the former */
    char *assignments[ASSIGNMENTS];
    size_t assignment_count;
    bool tracing;
    /* one start */
    settings_t *settings;
    store_t *store;
    log_t *log;
    run_info_t run;
    executor_t *workers, *committer;
    run_t *live;
    actor_t *inspector, *accountant;
    const doom_t *doom;
    bool dead, finished, broken;
    bool committed;   /* by the event that is being handled */
    bool final_facts; /* the accountant was asked after the end */
    uint64_t commits;
    rehearsal_books_t books;    /* at its beginning */
    uint64_t granted, answered; /* messages RESERVED and ANSWERED */
    run_outcome_t outcome;
    error_info_t error;
    /* over all starts */
    int starts;
    request_fate_t *fates[REQUEST_BUCKETS];
    uint64_t last_attempt;
    money_t largest, released;
    rehearsal_befallen_t befallen;
    int32_t day; /* of the UTC clock, at the last event */
    uint64_t problem_count;
    buffer_t problems;
};

/* After an event with a commit in it. */
void rehearsal_check_commit(rehearsal_t *rehearsal);
void rehearsal_check_delivery(rehearsal_t *rehearsal, const delivery_t *delivery);
void rehearsal_check_facts(rehearsal_t *rehearsal, const facts_t *facts);
/* An actor was told that a reservation, or an answer, is durable. */
void rehearsal_check_acknowledged(rehearsal_t *rehearsal, int kind);
void rehearsal_forget_fates(rehearsal_t *rehearsal);

#endif
