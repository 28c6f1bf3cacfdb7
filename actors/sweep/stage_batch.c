/* stage_batch.c - lines of a batch: the body is ready (batch_line.h), the answer is
 * taken as it is. */
#include "actors/sweep/batch_line.h"
#include "actors/sweep/stage.h"
#include "store/responses.h"

static stage_built_t build(const stage_context_t *context, store_txn_t *txn, job_t *job,
                           request_t *request, stage_product_t *product) {
    (void)txn;
    (void)product;
    batch_line_t *line = job->line;
    if (line->trouble) {
        job_fail(job, true, "invalid_line", "%s", line->trouble);
        return STAGE_BUILT_FAILURE;
    }
    request_begin(request, sweep_settings(context->sweep), line->kind, job->model);
    request->written = line->body;
    line->body = BUFFER_EMPTY;
    request->id = batch_request_id(line->identity, line->sample);
    request->output_maximum = line->output_maximum;
    return STAGE_BUILT_REQUEST;
}

/* Only an answer that is a whole JSON object comes here; what it says is the user's business. */
static bool derive(const stage_context_t *context, store_txn_t *txn, job_t *job,
                   const request_t *request, stage_answer_t *answer, stage_product_t *product) {
    (void)context;
    (void)product;
    batch_line_t *line = job->line;
    line->response = answer->response ? answer->response : response_find(txn, request->id);
    line->answer = *answer->body;
    *answer->body = BUFFER_EMPTY;
    return true;
}

static bool is_wanted(const settings_t *settings) {
    return settings->batch;
}

const stage_t stage_batch = {
    .number = STAGE_BATCH,
    .name = "batch",
    .actor = "batcher",
    .scope = SCOPE_LINE,
    .role = ROLE_OF_JOB,
    .needs = STAGE_NONE,
    .is_wanted = is_wanted,
    .build = build,
    .derive = derive,
    .derives_at_once = true,
};
