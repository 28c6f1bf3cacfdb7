/* played_run.c - stage actor, pool and archivist, played by one loop. */
#include "test/unit/played_run.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#include "actors/planner.h"
#include "core/base/memory.h"
#include "store/journal.h"
#include "store/responses.h"
#include "test/rehearsal/provider_answer.h"
#include "test/unit/store_dir.h"

enum { STEPS_MOST = 10000 }; /* a planner that gets no further fails the test */

typedef struct {
    played_run_t *played;
    job_t *job;
} carry_t;

bool played_request(const sweep_t *sweep, store_txn_t *txn, job_t *job, request_t *request,
                    stage_product_t *product) {
    stage_context_t context = {.sweep = sweep};
    const stage_t *stage = stage_find(sweep_stages(sweep), job->stage);
    if (stage->build(&context, txn, job, request, product) != STAGE_BUILT_REQUEST)
        return false;
    request_finish(request, sweep_settings(sweep));
    return true;
}

uint64_t played_response(const sweep_t *sweep, store_txn_t *txn, const request_t *request) {
    buffer_t made = BUFFER_EMPTY, body = BUFFER_EMPTY, packed = BUFFER_EMPTY;
    asked_request_t asked;
    llm_usage_t usage;
    uint64_t number;
    error_info_t error;
    const buffer_t *sent = request_body(request, sweep_settings(sweep), &made);
    assert_true(asked_request_read(llm_request_path(request->kind), sent, &asked));
    provider_answer(&asked, ANSWER_FINE, &body, &usage);
    response_pack(body.data, body.length, &packed);
    assert_true(response_put(txn, request->id, 1, &packed, NULL, 0, &number, &error));
    asked_request_clear(&asked);
    buffer_free(&made);
    buffer_free(&body);
    buffer_free(&packed);
    return number;
}

static void put_product(const played_run_t *played, store_txn_t *txn, const job_t *job,
                        stage_product_t *product) {
    error_info_t error;
    for (size_t i = 0; i < product->vector_count; i++)
        assert_true(embedding_put(txn, product->vectors[i].key, product->vectors[i].values,
                                  product->vectors[i].dimensions, &error));
    for (size_t i = 0; i < job->text_count; i++)
        assert_true(journal_put_done(txn, played->run, job->keys[i], job->stage, "", 0, &error));
    if (job->text_count > 0)
        return;
    if (played->remake)
        played->remake(job, &product->result);
    assert_true(journal_put_done(txn, played->run, job->id, job->stage, product->result.data,
                                 product->result.length, &error));
}

static void put_failure(const played_run_t *played, store_txn_t *txn, const job_t *job) {
    job_failure_t failure = {.run = played->run,
                             .stage = job->stage,
                             .terminal = true,
                             .verdict = (char[]){"parse"},
                             .message = (char[]){"played"}};
    error_info_t error;
    assert_true(journal_put_failed(txn, job->id, &failure, &error));
}

static bool carry_out(store_txn_t *txn, void *context, error_info_t *error) {
    carry_t *carry = context;
    played_run_t *played = carry->played;
    job_t *job = carry->job;
    const stage_t *stage = stage_find(sweep_stages(played->sweep), job->stage);
    stage_context_t steps = {.sweep = played->sweep};
    request_t request = {0};
    stage_product_t product = {0};
    played_job_t *done = &played->jobs[played->count++];
    *done = (played_job_t){.id = job->id, .stage = job->stage};
    bool good = true;
    if (played_request(played->sweep, txn, job, &request, &product)) {
        buffer_t body = BUFFER_EMPTY;
        uint64_t response = response_find(txn, request.id);
        done->bought = response == 0;
        if (done->bought)
            response = played_response(played->sweep, txn, &request);
        stage_answer_t given = {&body, response};
        good = response_get(txn, response, &body, NULL, error) && /* not if it was trimmed */
               stage->derive(&steps, txn, job, &request, &given, &product);
        buffer_free(&body);
    } else if (job->outcome == OUTCOME_FAILED) {
        fail_msg("%s", job->trouble.message);
    }
    if (good)
        put_product(played, txn, job, &product);
    else
        put_failure(played, txn, job);
    request_clear(&request);
    stage_product_clear(&product);
    return true;
}

static void end_some_job(played_run_t *played, planner_t *planner, job_t **jobs) {
    size_t count = 0;
    for (job_t *job = *jobs; job; job = job->next)
        count++;
    job_t **link = jobs;
    for (size_t i = rng_below(played->rng, count); i > 0; i--)
        link = &(*link)->next;
    job_t *job = *link;
    *link = job->next;
    job->next = NULL;
    carry_t carry = {played, job};
    played->jobs = memory_resize(played->jobs, played->count + 1, sizeof *played->jobs);
    store_dir_write(played->store, carry_out, &carry);
    planner_job_ended(planner, job);
    job_free(job);
}

typedef struct {
    uint32_t run;
    bool terminal;
} forget_t;

static bool forget(store_txn_t *txn, void *context, error_info_t *error) {
    const forget_t *what = context;
    uint64_t count;
    return journal_forget_failures(txn, what->run, what->terminal, &count, error);
}

void played_run(played_run_t *played, bool retry_failed) {
    error_info_t error;
    store_dir_write(played->store, forget, &(forget_t){played->run, retry_failed});
    planner_t *planner = planner_create(played->sweep, played->run, 3);
    job_t *jobs = NULL;
    for (int steps = 0; !planner_is_finished(planner); steps++) {
        assert_true(steps < STEPS_MOST);
        store_txn_t *txn = store_read_begin(played->store, &error);
        planner_step(planner, txn, 4, jobs == NULL, &jobs);
        store_read_end(txn);
        if (jobs)
            end_some_job(played, planner, &jobs);
    }
    assert_null(jobs);
    planner_free(planner);
}

void played_run_clear(played_run_t *played) {
    free(played->jobs);
    played->jobs = NULL;
    played->count = 0;
}

const played_job_t *played_run_find(const played_run_t *played, hash_t id) {
    for (size_t i = 0; i < played->count; i++)
        if (hash_equal(played->jobs[i].id, id))
            return &played->jobs[i];
    return NULL;
}
