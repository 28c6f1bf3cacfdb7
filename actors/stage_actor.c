/* stage_actor.c - the way of a job: build, buy, derive, write. */
#include "actors/stage_actor.h"

#include <stdlib.h>
#include <string.h>

#include "actors/sweep/batch_line.h"
#include "core/base/memory.h"
#include "store/responses.h"

typedef struct {
    actor_t *self, *director, *pool;
    stage_actor_options_t options;
    actor_definition_t definition;
} stage_actor_t;

/* One trip to a worker. */
typedef struct {
    stage_actor_t *actor;
    const stage_t *stage; /* of the job */
    ticket_t *ticket;
    bool has_answer; /* derive from ticket->outcome.body; else build first */
    stage_built_t built;
    stage_product_t product;
} stage_work_t;

static void work_free(void *pointer) {
    stage_work_t *work = pointer;
    ticket_free(work->ticket);
    stage_product_clear(&work->product);
    free(work);
}

/* --- on a worker ------------------------------------------------------------------------------ */

/* *stored: the response of a request that was built, 0 if there is none. */
static void build(stage_work_t *work, store_txn_t *txn, uint64_t *stored) {
    ticket_t *ticket = work->ticket;
    stage_context_t context = {.sweep = work->actor->options.sweep};
    *stored = 0;
    work->built = work->stage->build(&context, txn, ticket->job, &ticket->request, &work->product);
    if (work->built != STAGE_BUILT_REQUEST)
        return;
    request_finish(&ticket->request, sweep_settings(context.sweep));
    *stored = response_find(txn, ticket->request.id);
}

static void derive(stage_work_t *work, store_txn_t *txn, buffer_t *body) {
    ticket_t *ticket = work->ticket;
    stage_context_t context = {.sweep = work->actor->options.sweep};
    stage_answer_t answer = {body, ticket->attempt.response};
    bool ok =
        work->stage->derive(&context, txn, ticket->job, &ticket->request, &answer, &work->product);
    work->built = ok ? STAGE_BUILT_RESULT : STAGE_BUILT_FAILURE;
}

/* A request whose response is stored is never sent again: its result is derived
 * from what is there. */
static void derive_from_store(stage_work_t *work, store_txn_t *txn, uint64_t response) {
    buffer_t body = BUFFER_EMPTY;
    error_info_t error;
    if (response_get(txn, response, &body, NULL, &error)) {
        derive(work, txn, &body);
    } else {
        job_fail(work->ticket->job, true, "trimmed", "%s", error.message);
        work->built = STAGE_BUILT_FAILURE;
    }
    buffer_free(&body);
}

/* What a probe found missing may be there now: it is asked once more, as the next sample. Returns
 * its stored response.
 */
static uint64_t probe_again(stage_work_t *work, store_txn_t *txn) {
    ticket_t *ticket = work->ticket;
    ticket->job->outcome = OUTCOME_NONE;
    ticket->job->trouble = (job_trouble_t){0};
    ticket->request.sample++;
    request_finish(&ticket->request, sweep_settings(work->actor->options.sweep));
    work->built = STAGE_BUILT_REQUEST;
    uint64_t response = response_find(txn, ticket->request.id);
    if (response)
        derive_from_store(work, txn, response);
    return response;
}

static void work_run(void *context) {
    stage_work_t *work = context;
    stage_actor_t *actor = work->actor;
    ticket_t *ticket = work->ticket;
    error_info_t error;
    store_txn_t *txn = store_read_begin(actor->options.store, &error);
    if (!txn) {
        job_fail(ticket->job, false, "store", "%s", error.message);
        work->built = STAGE_BUILT_FAILURE;
        return;
    }
    if (work->has_answer) {
        derive(work, txn, &ticket->outcome.body);
    } else {
        uint64_t response;
        build(work, txn, &response);
        if (work->built == STAGE_BUILT_REQUEST && response)
            derive_from_store(work, txn, response);
        while (work->built == STAGE_BUILT_FAILURE && response &&
               work->stage->scope == SCOPE_ENDPOINT)
            response = probe_again(work, txn);
    }
    store_read_end(txn);
}

/* --- on the loop ------------------------------------------------------------------------------ */

static void work_done(void *context) {
    stage_work_t *work = context;
    actor_tell(work->actor->self, work->actor->self, MSG_WORKED, 0, work, work_free);
}

static const stage_t *row_of(const stage_actor_t *actor, const ticket_t *ticket) {
    return stage_find(sweep_stages(actor->options.sweep), ticket->job->stage);
}

static void submit(stage_actor_t *actor, ticket_t *ticket, bool has_answer) {
    stage_work_t *work = MEMORY_NEW(stage_work_t);
    *work = (stage_work_t){
        .actor = actor, .stage = row_of(actor, ticket), .ticket = ticket, .has_answer = has_answer};
    executor_submit(actor->options.workers, work_run, work_done, work);
}

static void on_worked(stage_actor_t *actor, stage_work_t *work);

static void on_answered(stage_actor_t *actor, ticket_t *ticket) {
    const stage_t *stage = row_of(actor, ticket);
    if (!stage->derives_at_once) {
        submit(actor, ticket, true);
        return;
    }
    stage_work_t work = {.actor = actor, .stage = stage, .ticket = ticket, .has_answer = true};
    derive(&work, NULL, &ticket->outcome.body);
    on_worked(actor, &work);
    stage_product_clear(&work.product);
}

static void job_done(stage_actor_t *actor, ticket_t *ticket) {
    job_t *job = ticket->job;
    ticket->job = NULL;
    ticket_free(ticket);
    actor_tell(actor->director, actor->self, MSG_JOB_DONE, 0, job, job_free);
}

static void write_outcome(stage_actor_t *actor, ticket_t *ticket, write_kind_t kind,
                          stage_product_t *product) {
    write_t *write = write_create(kind, actor->self, ticket, ticket_free);
    write->run = actor->options.run;
    write->job = ticket->job;
    write->utc = clock_utc(actor_clock(actor->self));
    if (product) {
        write->result = product->result;
        write->vectors = product->vectors;
        write->vector_count = product->vector_count;
        write->trim = row_of(actor, ticket)->trims ? ticket->request.id : (hash_t){{0}};
        *product = (stage_product_t){0};
    }
    actor_tell(actor->options.archivist, actor->self, MSG_WRITE, 0, write, write_free);
}

static void on_failure(stage_actor_t *actor, ticket_t *ticket) {
    job_t *job = ticket->job;
    if (!job->label && job->line)
        job->label = memory_format("line %llu", (unsigned long long)job->line->number);
    log_redact(actor->options.log, job->trouble.message);
    /* A line that cannot be used is the user's to mend, and is named. */
    bool named = job->line && job->line->trouble;
    log_line(actor->options.log, named ? LOG_WARN : LOG_DEBUG, "%s %s: %s: %s",
             row_of(actor, ticket)->name, job->label, job->trouble.verdict, job->trouble.message);
    write_outcome(actor, ticket, WRITE_FAILURE, NULL);
}

static void on_worked(stage_actor_t *actor, stage_work_t *work) {
    ticket_t *ticket = work->ticket;
    work->ticket = NULL;
    switch (work->built) {
    case STAGE_BUILT_REQUEST:
        ticket->owner = actor->self;
        actor_tell(actor->pool, actor->self, MSG_TICKET, 0, ticket, ticket_free);
        break;
    case STAGE_BUILT_RESULT:
        ticket->job->outcome = OUTCOME_DONE;
        write_outcome(actor, ticket, WRITE_RESULT, &work->product);
        break;
    case STAGE_BUILT_FAILURE: on_failure(actor, ticket); break;
    }
}

static void stage_actor_receive(actor_t *self, void *state, actor_message_t *message) {
    (void)self;
    stage_actor_t *actor = state;
    void *payload = message->payload;
    switch (message->kind) {
    case MSG_JOB: {
        ticket_t *ticket = MEMORY_NEW(ticket_t);
        ticket->job = payload;
        bool pinned = row_of(actor, ticket)->scope == SCOPE_ENDPOINT;
        ticket->pinned = pinned ? (int)ticket->job->endpoint : ANY_ENDPOINT;
        message->payload = NULL;
        submit(actor, ticket, false);
        break;
    }
    case MSG_WORKED: on_worked(actor, payload); break;
    case MSG_ANSWERED:
        message->payload = NULL;
        on_answered(actor, payload);
        break;
    case MSG_RETURNED:
        message->payload = NULL;
        if (((ticket_t *)payload)->job->outcome == OUTCOME_FAILED)
            on_failure(actor, payload);
        else
            job_done(actor, payload);
        break;
    case MSG_WRITTEN: {
        write_t *write = payload;
        ticket_t *ticket = write->context;
        write->context = NULL;
        job_done(actor, ticket);
        break;
    }
    default: break;
    }
}

static void stage_actor_free(void *state) {
    free(state);
}

actor_t *stage_actor_create(scheduler_t *scheduler, const char *name,
                            const stage_actor_options_t *options, size_t mailbox) {
    stage_actor_t *actor = MEMORY_NEW(stage_actor_t);
    actor->options = *options;
    actor->definition = (actor_definition_t){
        .name = name,
        .kinds = ACTOR_KIND(MSG_JOB) | ACTOR_KIND(MSG_WORKED) | ACTOR_KIND(MSG_ANSWERED) |
                 ACTOR_KIND(MSG_RETURNED) | ACTOR_KIND(MSG_WRITTEN),
        .mailbox = 1024,
        .receive = stage_actor_receive,
        .free = stage_actor_free,
    };
    actor->self = actor_create(scheduler, &actor->definition, actor, mailbox);
    return actor->self;
}

void stage_actor_connect(actor_t *stage_actor, actor_t *director, actor_t *pool) {
    stage_actor_t *actor = actor_state(stage_actor);
    actor->director = director;
    actor->pool = pool;
}
