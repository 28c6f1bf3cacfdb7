/* api_exchange.c - the exact messages of one request and what came back: rendered anew by the code
 * that a run renders with, and held against the identity under which the answer is stored. */
#include <stdlib.h>
#include <string.h>

#include "actors/sweep/outcome.h"
#include "actors/sweep/results.h"
#include "actors/sweep/stage.h"
#include "core/base/memory.h"
#include "core/base/text.h"
#include "store/responses.h"
#include "tools/viewer/call.h"

enum { BODY_SHOWN = 256 << 10 };

typedef struct {
    call_t *call;
    int64_t record; /* -1: the explanation */
} ask_t;

static void write_request(const request_t *request, buffer_t *out) {
    field_open(out, "messages", '[');
    for (size_t i = 0; i < request->messages.count; i++) {
        field_open(out, NULL, '{');
        field_text(out, "role", request->messages.messages[i].role);
        field_bytes(out, "content", request->messages.messages[i].content,
                    request->messages.messages[i].length);
        field_close(out, '}');
    }
    if (request->prompt.length > 0) {
        field_open(out, NULL, '{');
        field_text(out, "role", "prompt");
        field_bytes(out, "content", request->prompt.data, request->prompt.length);
        field_close(out, '}');
    }
    field_close(out, ']');
    field_number(out, "temperature", request->parameters.temperature);
    field_integer(out, "max_output_tokens", request->parameters.max_output_tokens);
    field_integer(out, "examples_dropped", request->dropped);
}

static void write_answer(store_txn_t *txn, hash_t request, buffer_t *out) {
    response_info_t info;
    error_info_t error;
    buffer_t body = BUFFER_EMPTY;
    uint64_t number = response_find(txn, request);
    char hash[HASH_TEXT_SIZE];
    hash_to_text(request, hash);
    field_text(out, "request", hash);
    if (!number || !response_get(txn, number, NULL, &info, &error)) {
        field_text(out, "answer", NULL);
        return;
    }
    attempt_t attempt;
    if (ledger_attempt_get(txn, info.attempt, &attempt)) {
        char time[32];
        field_text(out, "endpoint", attempt.endpoint);
        field_text(out, "model", attempt.model);
        field_money(out, "cost_usd", attempt.cost);
        field_integer(out, "prompt_tokens", attempt.prompt_tokens);
        field_integer(out, "completion_tokens", attempt.completion_tokens);
        field_text(out, "answered", text_format_time(attempt.finished_utc, time));
    }
    field_integer(out, "answer_bytes", (int64_t)info.body_size);
    if (response_get(txn, number, &body, NULL, &error))
        field_bytes(out, "answer", buffer_text(&body),
                    body.length < BODY_SHOWN ? body.length : BODY_SHOWN);
    else
        field_text(out, "answer_missing", error.message);
    buffer_free(&body);
}

/* The job whose question is meant; NULL: there is none, or it has no result yet. */
static const chain_job_t *find_job(const outcome_t *outcome, int64_t record) {
    const chain_job_t *job = record < 0
                                 ? chain_look_find(outcome->look, STAGE_EXPLAIN)
                                 : outcome_of_record(outcome, STAGE_SIMULATE, (size_t)record);
    return job && job->state == CHAIN_DONE ? job : NULL;
}

/* Renders it anew; false: the request is another one by now. */
static bool write_rendered(const view_t *view, store_txn_t *txn, const outcome_t *outcome,
                           const chain_job_t *of, buffer_t *out) {
    stage_context_t context = {view->rendering, outcome->record};
    stage_product_t product = {0};
    request_t request = {0};
    job_t *job = chain_look_job(outcome->look, of, NULL);
    bool same = of->stage->build(&context, txn, job, &request, &product) == STAGE_BUILT_REQUEST;
    if (same) {
        request_finish(&request, view->settings);
        same = hash_equal(request.id, of->result.request);
    }
    if (same)
        write_request(&request, out);
    stage_product_clear(&product);
    request_clear(&request);
    job_free(job);
    return same;
}

static bool take_chain(void *context, store_txn_t *txn, const outcome_t *outcome,
                       error_info_t *error) {
    (void)error;
    const ask_t *ask = context;
    const view_t *view = ask->call->view;
    buffer_t *out = &ask->call->response->body;
    const chain_job_t *job =
        ask->record >= (int64_t)outcome->valid->count ? NULL : find_job(outcome, ask->record);
    if (!job) {
        call_refuse(ask->call, 404, "there is no answer to this question yet");
        return true;
    }
    field_open(out, NULL, '{');
    if (!view->rendering || !write_rendered(view, txn, outcome, job, out))
        field_text(out, "messages_missing",
                   view->rendering ? "the templates are not those that this was asked with any more"
                                   : view->no_rendering.message);
    write_answer(txn, job->result.request, out);
    field_close(out, '}');
    return true;
}

void api_exchange(call_t *call) {
    int64_t chain = -1;
    ask_t ask = {.call = call, .record = -1};
    error_info_t error;
    call_integer(call, "chain", &chain);
    call_integer(call, "record", &ask.record);
    if (!call->view->sweep || chain < 0 ||
        (uint64_t)chain >= sweep_chain_count(call->view->sweep)) {
        call_refuse(call, 404, "there is no such chain");
        return;
    }
    outcomes_t which = {.run = call->view->run.number,
                        .depth = LOOK_EACH,
                        .first = (uint64_t)chain,
                        .end = (uint64_t)chain + 1};
    if (!outcomes_walk(call->store, call->view->sweep, &which, take_chain, &ask, &error))
        call_refuse(call, 503, "%s", error.message);
}
