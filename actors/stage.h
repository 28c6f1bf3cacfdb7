/* stage.h - what formatter, simulator, scorer and batcher have in common: a job becomes a request or a result, an
 * answer becomes a result.
 *
 *   JOB -> build (on a worker) -> a request whose response is stored? -> derive (same worker) -> WRITE result
 *                              -> a request to buy -> TICKET ... ANSWERED -> derive (on a worker) -> WRITE result
 *                              -> no request needed -> WRITE result
 *   a failure at any step -> WRITE failure
 *   WRITTEN -> JOB_DONE to the director
 *
 * build and derive are pure functions of the job, the settings and what the store holds; they run on workers with a
 * read transaction of their own.
 */
#ifndef GLIA_ACTORS_STAGE_H
#define GLIA_ACTORS_STAGE_H

#include "actors/messages.h"
#include "core/runtime/executor.h"

typedef struct {
    const sweep_t *sweep;
    store_t *store;
    uint32_t run;
    executor_t *workers;
    actor_t *archivist;
    log_t *log;
    const neuron_record_t *neuron; /* that of the next jobs, where a plan has it already; NULL: build reads it */
} stage_options_t;

/* What a step makes. */
typedef struct {
    buffer_t result;     /* encoded (results.h) */
    size_t vector_count; /* EMBED: vectors to keep */
    struct write_vector *vectors;
    bool trim; /* store.keep_raw may drop the response */
} stage_product_t;

typedef enum {
    STAGE_BUILT_REQUEST, /* ticket is filled in: kind, model, texts, parameters, sample; or kind, model, written,
                            request, output_maximum */
    STAGE_BUILT_RESULT,  /* product is */
    STAGE_BUILT_FAILURE, /* job_fail was called */
} stage_built_t;

typedef struct {
    /* Fills in the ticket's request, or the product, or fails the job. */
    stage_built_t (*build)(const stage_options_t *options, store_txn_t *txn, ticket_t *ticket,
                           stage_product_t *product);
    /* Makes the product from a response body; false: job_fail was called. */
    bool (*derive)(const stage_options_t *options, store_txn_t *txn, ticket_t *ticket, const char *body, size_t length,
                   stage_product_t *product);
    /* derive takes no time worth a trip to a worker, and does not need `txn` (NULL) when ticket->attempt.response is
     * set: it runs on the loop. */
    bool derives_at_once;
} stage_steps_t;

actor_t *stage_create(scheduler_t *scheduler, const actor_definition_t *definition, const stage_options_t *options,
                      const stage_steps_t *steps, size_t mailbox);
void stage_connect(actor_t *stage, actor_t *director, actor_t *pool);

/* For the definitions of the actors. */
void stage_receive(actor_t *self, void *state, actor_message_t *message);
void stage_free(void *state);
#define STAGE_KINDS                                                                                                    \
    (ACTOR_KIND(MSG_JOB) | ACTOR_KIND(MSG_WORKED) | ACTOR_KIND(MSG_ANSWERED) | ACTOR_KIND(MSG_RETURNED) |              \
     ACTOR_KIND(MSG_WRITTEN))

/* What `plan` shares with a live stage: builds the request of ticket->job (on the calling thread) and works out
 * identity, bounds and worst case. *stored: its response is in the store already. Other results as of build. */
stage_built_t stage_build(const stage_options_t *options, const stage_steps_t *steps, store_txn_t *txn,
                          ticket_t *ticket, stage_product_t *product, uint64_t *stored);
void stage_product_clear(stage_product_t *product);
extern const stage_steps_t formatter_steps, simulator_steps, scorer_steps, batcher_steps;

/* Adds a vector to a product; takes ownership of `values`. */
void stage_product_add_vector(stage_product_t *product, hash_t key, float *values, size_t dimensions);

/* The actors. */
actor_t *formatter_create(scheduler_t *scheduler, const stage_options_t *options, size_t mailbox);
actor_t *simulator_create(scheduler_t *scheduler, const stage_options_t *options, size_t mailbox);
actor_t *scorer_create(scheduler_t *scheduler, const stage_options_t *options, size_t mailbox);
actor_t *batcher_create(scheduler_t *scheduler, const stage_options_t *options, size_t mailbox);

#endif
