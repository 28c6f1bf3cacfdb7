/* api_exchange.c - the exact messages of one request and what came back: rendered anew by the code that a run renders
 * with, and held against the identity under which the answer is stored. */
#include <stdlib.h>
#include <string.h>

#include "actors/results.h"
#include "actors/stage.h"
#include "core/base/memory.h"
#include "core/base/text.h"
#include "store/responses.h"
#include "tools/report/outcome.h"
#include "tools/viewer/call.h"

enum { BODY_SHOWN = 256 << 10 };

typedef struct {
    call_t *call;
    int64_t record; /* -1: the explanation */
} ask_t;

static void write_request(const ticket_t *ticket, buffer_t *out) {
    field_open(out, "messages", '[');
    for (size_t i = 0; i < ticket->request.messages.count; i++) {
        field_open(out, NULL, '{');
        field_text(out, "role", ticket->request.messages.messages[i].role);
        field_bytes(out, "content", ticket->request.messages.messages[i].content, ticket->request.messages.messages[i].length);
        field_close(out, '}');
    }
    if (ticket->request.prompt.length > 0) {
        field_open(out, NULL, '{');
        field_text(out, "role", "prompt");
        field_bytes(out, "content", ticket->request.prompt.data, ticket->request.prompt.length);
        field_close(out, '}');
    }
    field_close(out, ']');
    field_number(out, "temperature", ticket->request.parameters.temperature);
    field_integer(out, "max_output_tokens", ticket->request.parameters.max_output_tokens);
    field_integer(out, "examples_dropped", ticket->request.dropped);
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
        field_bytes(out, "answer", buffer_text(&body), body.length < BODY_SHOWN ? body.length : BODY_SHOWN);
    else
        field_text(out, "answer_missing", error.message);
    buffer_free(&body);
}

/* The identity under which the answer to the question is stored; false: there is none yet. */
static bool stored_request(const view_t *view, store_txn_t *txn, const outcome_t *outcome, int64_t record,
                           hash_t *request) {
    if (record < 0) {
        *request = outcome->explanation.request;
        return true;
    }
    const void *bytes;
    size_t size;
    simulate_result_t result = {0};
    hash_t job = sweep_simulate_job(view->sweep, outcome->explanation.text, outcome->valid->records[record]);
    bool done = result_of_job(txn, view->run.number, job, &bytes, &size) == RESULT_DONE &&
                simulate_result_decode(bytes, size, &result);
    *request = result.request;
    simulate_result_clear(&result);
    return done;
}

static bool take_chain(void *context, store_txn_t *txn, const outcome_t *outcome, error_info_t *error) {
    (void)error;
    const ask_t *ask = context;
    const view_t *view = ask->call->view;
    buffer_t *out = &ask->call->response->body;
    hash_t request;
    if (outcome->explained != RESULT_DONE || ask->record >= (int64_t)outcome->valid->count ||
        !stored_request(view, txn, outcome, ask->record, &request)) {
        call_refuse(ask->call, 404, "there is no answer to this question yet");
        return true;
    }
    field_open(out, NULL, '{');
    bool same = false;
    if (view->rendering) {
        bool explain = ask->record < 0;
        ticket_t *ticket = MEMORY_NEW(ticket_t);
        ticket->job = MEMORY_NEW(job_t);
        ticket->job->stage = explain ? STAGE_EXPLAIN : STAGE_SIMULATE;
        ticket->job->chain = outcome->chain;
        ticket->job->neuron = outcome->neuron;
        ticket->job->record = explain ? 0 : (size_t)ask->record;
        ticket->job->explanation = memory_copy_string(outcome->explanation.text);
        ticket->job->model = explain ? outcome->chain.explainer : view->settings->simulator;
        stage_options_t options = {.sweep = view->rendering, .store = ask->call->store, .run = view->run.number};
        stage_product_t product = {0};
        uint64_t stored;
        if (stage_build(&options, explain ? &formatter_steps : &simulator_steps, txn, ticket, &product, &stored) ==
                STAGE_BUILT_REQUEST &&
            hash_equal(ticket->request.id, request)) {
            same = true;
            write_request(ticket, out);
        }
        stage_product_clear(&product);
        ticket_free(ticket);
    }
    if (!same)
        field_text(out, "messages_missing",
                   view->rendering ? "the templates are not those that this was asked with any more"
                                   : view->no_rendering.message);
    write_answer(txn, request, out);
    field_close(out, '}');
    return true;
}

void api_exchange(call_t *call) {
    int64_t chain = -1;
    ask_t ask = {.call = call, .record = -1};
    error_info_t error;
    call_integer(call, "chain", &chain);
    call_integer(call, "record", &ask.record);
    if (!call->view->sweep || chain < 0 || (uint64_t)chain >= sweep_chain_count(call->view->sweep)) {
        call_refuse(call, 404, "there is no such chain");
        return;
    }
    if (!outcomes_walk_range(call->store, call->view->sweep, call->view->run.number, (uint64_t)chain,
                             (uint64_t)chain + 1, take_chain, &ask, &error))
        call_refuse(call, 503, "%s", error.message);
}
