/* batcher.c - lines of a batch: the body is ready (batch_line.h), the answer is taken as it is. */
#include "actors/batch_line.h"
#include "actors/stage.h"
#include "store/responses.h"

static stage_built_t batcher_build(const stage_options_t *options, store_txn_t *txn, ticket_t *ticket,
                                   stage_product_t *product) {
    (void)options;
    (void)txn;
    (void)product;
    job_t *job = ticket->job;
    batch_line_t *line = job->line;
    if (line->trouble) {
        job_fail(job, true, "invalid_line", "%s", line->trouble);
        return STAGE_BUILT_FAILURE;
    }
    ticket->request.kind = line->kind;
    ticket->request.model = job->model;
    ticket->request.written = line->body;
    line->body = BUFFER_EMPTY;
    ticket->request.id = batch_request_id(line->identity, line->sample);
    ticket->request.output_maximum = line->output_maximum;
    return STAGE_BUILT_REQUEST;
}

/* Only an answer that is a whole JSON object comes here; what it says is the user's business. */
static bool batcher_derive(const stage_options_t *options, store_txn_t *txn, ticket_t *ticket, const char *body,
                           size_t length, stage_product_t *product) {
    (void)options, (void)body, (void)length, (void)product;
    uint64_t bought = ticket->attempt.response;
    batch_line_t *line = ticket->job->line;
    line->response = bought ? bought : response_find(txn, ticket->request.id);
    line->answer = ticket->body;
    ticket->body = BUFFER_EMPTY;
    return true;
}

const stage_steps_t batcher_steps = {batcher_build, batcher_derive, true};

static const actor_definition_t batcher_definition = {
    .name = "batcher", .kinds = STAGE_KINDS, .mailbox = 1024, .receive = stage_receive, .free = stage_free};

actor_t *batcher_create(scheduler_t *scheduler, const stage_options_t *options, size_t mailbox) {
    return stage_create(scheduler, &batcher_definition, options, &batcher_steps, mailbox);
}
