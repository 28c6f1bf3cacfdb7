/* stage.c - the way of a job through a stage: build, buy, derive, write. */
#include "actors/stage.h"

#include <stdlib.h>
#include <string.h>

#include "actors/batch_line.h"
#include "core/base/memory.h"
#include "store/responses.h"

typedef struct {
    actor_t *self, *director, *pool;
    stage_options_t options;
    const stage_steps_t *steps;
} stage_t;

/* One trip to a worker. */
typedef struct {
    stage_t *stage;
    ticket_t *ticket;
    bool has_answer; /* derive from ticket->body; else build first */
    stage_built_t built;
    stage_product_t product;
} stage_work_t;

void stage_product_clear(stage_product_t *product) {
    buffer_free(&product->result);
    for (size_t i = 0; i < product->vector_count; i++)
        free(product->vectors[i].values);
    free(product->vectors);
    *product = (stage_product_t){0};
}

static void work_free(void *pointer) {
    stage_work_t *work = pointer;
    ticket_free(work->ticket);
    stage_product_clear(&work->product);
    free(work);
}

void stage_product_add_vector(stage_product_t *product, hash_t key, float *values, size_t dimensions) {
    product->vectors = memory_resize(product->vectors, product->vector_count + 1, sizeof *product->vectors);
    product->vectors[product->vector_count++] = (struct write_vector){key, values, dimensions};
}

/* --- on a worker ------------------------------------------------------------------------------------------ */

stage_built_t stage_build(const stage_options_t *options, const stage_steps_t *steps, store_txn_t *txn,
                          ticket_t *ticket, stage_product_t *product, uint64_t *stored) {
    *stored = 0;
    stage_built_t built = steps->build(options, txn, ticket, product);
    if (built == STAGE_BUILT_REQUEST) {
        request_finish(&ticket->request, sweep_settings(options->sweep));
        *stored = response_find(txn, ticket->request.id);
    }
    return built;
}

static void derive(stage_work_t *work, store_txn_t *txn, const char *body, size_t length) {
    const stage_t *stage = work->stage;
    bool ok = stage->steps->derive(&stage->options, txn, work->ticket, body, length, &work->product);
    work->built = ok ? STAGE_BUILT_RESULT : STAGE_BUILT_FAILURE;
}

/* A request whose response is stored is never sent again: its result is derived from what is there. */
static void derive_from_store(stage_work_t *work, store_txn_t *txn, uint64_t response) {
    buffer_t body = BUFFER_EMPTY;
    error_info_t error;
    if (response_get(txn, response, &body, NULL, &error)) {
        derive(work, txn, body.data, body.length);
    } else {
        job_fail(work->ticket->job, true, "trimmed", "%s", error.message);
        work->built = STAGE_BUILT_FAILURE;
    }
    buffer_free(&body);
}

/* What a probe found missing may be there now: it is asked once more, as the next sample. Returns its stored response.
 */
static uint64_t probe_again(stage_work_t *work, store_txn_t *txn) {
    ticket_t *ticket = work->ticket;
    ticket->job->outcome = OUTCOME_NONE;
    ticket->job->trouble = (job_trouble_t){0};
    ticket->request.sample++;
    request_finish(&ticket->request, sweep_settings(work->stage->options.sweep));
    work->built = STAGE_BUILT_REQUEST;
    uint64_t response = response_find(txn, ticket->request.id);
    if (response)
        derive_from_store(work, txn, response);
    return response;
}

static void work_run(void *context) {
    stage_work_t *work = context;
    stage_t *stage = work->stage;
    ticket_t *ticket = work->ticket;
    error_info_t error;
    store_txn_t *txn = store_read_begin(stage->options.store, &error);
    if (!txn) {
        job_fail(ticket->job, false, "store", "%s", error.message);
        work->built = STAGE_BUILT_FAILURE;
        return;
    }
    if (work->has_answer) {
        derive(work, txn, ticket->body.data, ticket->body.length);
    } else {
        uint64_t response;
        work->built = stage_build(&stage->options, stage->steps, txn, ticket, &work->product, &response);
        if (work->built == STAGE_BUILT_REQUEST && response)
            derive_from_store(work, txn, response);
        while (work->built == STAGE_BUILT_FAILURE && response && ticket->job->stage == STAGE_PROBE)
            response = probe_again(work, txn);
    }
    store_read_end(txn);
}

/* --- on the loop ------------------------------------------------------------------------------------------ */

static void work_done(void *context) {
    stage_work_t *work = context;
    actor_tell(work->stage->self, work->stage->self, MSG_WORKED, 0, work, work_free);
}

static void submit(stage_t *stage, ticket_t *ticket, bool has_answer) {
    stage_work_t *work = MEMORY_NEW(stage_work_t);
    work->stage = stage;
    work->ticket = ticket;
    work->has_answer = has_answer;
    executor_submit(stage->options.workers, work_run, work_done, work);
}

static void on_worked(stage_t *stage, stage_work_t *work);

static void on_answered(stage_t *stage, ticket_t *ticket) {
    if (!stage->steps->derives_at_once) {
        submit(stage, ticket, true);
        return;
    }
    stage_work_t work = {.stage = stage, .ticket = ticket, .has_answer = true};
    derive(&work, NULL, ticket->body.data, ticket->body.length);
    on_worked(stage, &work);
    stage_product_clear(&work.product);
}

static void job_done(stage_t *stage, ticket_t *ticket) {
    job_t *job = ticket->job;
    ticket->job = NULL;
    ticket_free(ticket);
    actor_tell(stage->director, stage->self, MSG_JOB_DONE, 0, job, job_free);
}

static void write_outcome(stage_t *stage, ticket_t *ticket, write_kind_t kind, stage_product_t *product) {
    write_t *write = write_create(kind, stage->self, ticket, ticket_free);
    write->run = stage->options.run;
    write->job = ticket->job;
    write->utc = clock_utc(actor_clock(stage->self));
    if (product) {
        write->result = product->result;
        write->vectors = product->vectors;
        write->vector_count = product->vector_count;
        write->trim = product->trim ? ticket->request.id : (hash_t){{0}};
        *product = (stage_product_t){0};
    }
    actor_tell(stage->options.archivist, stage->self, MSG_WRITE, 0, write, write_free);
}

static void on_failure(stage_t *stage, ticket_t *ticket) {
    job_t *job = ticket->job;
    if (!job->label && job->line)
        job->label = memory_format("line %llu", (unsigned long long)job->line->number);
    log_redact(stage->options.log, job->trouble.message);
    /* A line that cannot be used is the user's to mend, and is named. */
    bool named = job->line && job->line->trouble;
    log_line(stage->options.log, named ? LOG_WARN : LOG_DEBUG, "%s %s: %s: %s", job_stage_name(job->stage), job->label,
             job->trouble.verdict, job->trouble.message);
    write_outcome(stage, ticket, WRITE_FAILURE, NULL);
}

static void on_worked(stage_t *stage, stage_work_t *work) {
    ticket_t *ticket = work->ticket;
    work->ticket = NULL;
    switch (work->built) {
    case STAGE_BUILT_REQUEST:
        ticket->owner = stage->self;
        ticket->retry_after = -1;
        actor_tell(stage->pool, stage->self, MSG_TICKET, 0, ticket, ticket_free);
        break;
    case STAGE_BUILT_RESULT:
        ticket->job->outcome = OUTCOME_DONE;
        write_outcome(stage, ticket, WRITE_RESULT, &work->product);
        break;
    case STAGE_BUILT_FAILURE: on_failure(stage, ticket); break;
    }
}

void stage_receive(actor_t *self, void *state, actor_message_t *message) {
    (void)self;
    stage_t *stage = state;
    void *payload = message->payload;
    switch (message->kind) {
    case MSG_JOB: {
        ticket_t *ticket = MEMORY_NEW(ticket_t);
        ticket->job = payload;
        ticket->pinned = ANY_ENDPOINT;
        message->payload = NULL;
        submit(stage, ticket, false);
        break;
    }
    case MSG_WORKED: on_worked(stage, payload); break;
    case MSG_ANSWERED:
        message->payload = NULL;
        on_answered(stage, payload);
        break;
    case MSG_RETURNED:
        message->payload = NULL;
        if (((ticket_t *)payload)->job->outcome == OUTCOME_FAILED)
            on_failure(stage, payload);
        else
            job_done(stage, payload);
        break;
    case MSG_WRITTEN: {
        write_t *write = payload;
        ticket_t *ticket = write->context;
        write->context = NULL;
        job_done(stage, ticket);
        break;
    }
    default: break;
    }
}

void stage_free(void *state) {
    free(state);
}

actor_t *stage_create(scheduler_t *scheduler, const actor_definition_t *definition, const stage_options_t *options,
                      const stage_steps_t *steps, size_t mailbox) {
    stage_t *stage = MEMORY_NEW(stage_t);
    stage->options = *options;
    stage->steps = steps;
    stage->self = actor_create(scheduler, definition, stage, mailbox);
    return stage->self;
}

void stage_connect(actor_t *actor, actor_t *director, actor_t *pool) {
    stage_t *stage = actor_state(actor);
    stage->director = director;
    stage->pool = pool;
}
