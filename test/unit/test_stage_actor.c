/* test_stage_actor.c - the way of a job, with rows that the test makes: build and derive do
 * as they are told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "actors/stage_actor.h"
#include "core/base/memory.h"
#include "store/responses.h"
#include "test/unit/actor_fixture.h"
#include "test/unit/store_dir.h"

enum { RUN = 3, ASKED = 20, AT_ONCE = 21, PROBED = 22 };

/* --- rows ------------------------------------------------------------------------------------- */

/* By the job's label: "request", "result", "failure"; by the body: "bad" cannot be derived from. */
static stage_built_t build(const stage_context_t *context, store_txn_t *txn, job_t *job,
                           request_t *request, stage_product_t *product) {
    assert_non_null(txn);
    if (!strcmp(job->label, "result")) {
        buffer_append_text(&product->result, "built");
        return STAGE_BUILT_RESULT;
    }
    if (!strcmp(job->label, "failure")) {
        job_fail(job, true, "records", "nothing to build from");
        return STAGE_BUILT_FAILURE;
    }
    request_begin(request, sweep_settings(context->sweep), LLM_CHAT, job->model);
    message_list_add(&request->messages, "user", "question", 8);
    request->parameters = (llm_parameters_t){.temperature = 0, .top_p = 1, .max_output_tokens = 10};
    return STAGE_BUILT_REQUEST;
}

static bool derive(const stage_context_t *context, store_txn_t *txn, job_t *job,
                   const request_t *request, stage_answer_t *answer, stage_product_t *product) {
    (void)context;
    assert_true(txn || job->stage == AT_ONCE);
    assert_false(hash_is_zero(request->id));
    const char *body = buffer_text(answer->body);
    if (!strcmp(body, "bad")) {
        job_fail(job, true, "parse", "cannot be read");
        return false;
    }
    buffer_append_format(&product->result, "derived from %s", body);
    return true;
}

static bool is_wanted(const settings_t *settings) {
    (void)settings;
    return true;
}

#define ROW(number_, name_, scope_)                                                            \
    .number = number_, .name = name_, .actor = "tested", .scope = scope_, .needs = STAGE_NONE, \
    .is_wanted = is_wanted, .build = build, .derive = derive
static const stage_t asked = {ROW(ASKED, "asked", SCOPE_CHAIN), .role = ROLE_EXPLAINER,
                              .trims = true};
static const stage_t at_once = {ROW(AT_ONCE, "at once", SCOPE_LINE), .role = ROLE_OF_JOB,
                                .derives_at_once = true};
static const stage_t probed = {ROW(PROBED, "probed", SCOPE_ENDPOINT), .role = ROLE_OF_JOB};
static const stage_t *const rows[] = {&asked, &at_once, &probed};
static const stage_table_t table = {3, rows};

/* --- the scene -------------------------------------------------------------------------------- */

typedef struct {
    fixture_t *fixture;
    played_t *director, *pool, *archivist;
    sweep_t *sweep;
    actor_t *actor;
} scene_t;

static scene_t begin(void) {
    scene_t scene = {.fixture = fixture_create()};
    error_info_t error = {0};
    const settings_t *settings = fixture_settings(scene.fixture, NULL);
    run_info_t run = {.name = (char[]){"run"}, .set_count = settings->set_count};
    run.sets = MEMORY_NEW_ARRAY(settings->set_count, struct run_set);
    for (size_t i = 0; i < settings->set_count; i++)
        run.sets[i].name = (char *)(uintptr_t)settings->sets[i].name;
    scene.sweep = sweep_create(settings, &run, &table, &error);
    assert_non_null(scene.sweep);
    free(run.sets);
    scene.director = played_create(scene.fixture, "director");
    scene.pool = played_create(scene.fixture, "client_pool");
    scene.archivist = played_create(scene.fixture, "archivist");
    stage_actor_options_t options = {.sweep = scene.sweep,
                                     .store = fixture_store(scene.fixture),
                                     .run = RUN,
                                     .workers = fixture_executor(scene.fixture, WORLD_SHUFFLED, 0),
                                     .archivist = scene.archivist->actor,
                                     .log = scene.fixture->log};
    scene.actor = stage_actor_create(scene.fixture->scheduler, "tested", &options, 0);
    stage_actor_connect(scene.actor, scene.director->actor, scene.pool->actor);
    return scene;
}

static void end(scene_t *scene) {
    fixture_free(scene->fixture);
    sweep_free(scene->sweep);
}

static void give(scene_t *scene, job_stage_t stage, const char *label) {
    job_t *job = fixture_job(scene->fixture, stage);
    free(job->label);
    job->label = memory_copy_string(label);
    job->endpoint = 1;
    played_tell(scene->director, scene->actor, MSG_JOB, job, job_free);
    fixture_settle(scene->fixture);
}

/* The write under way is durable; what the director then hears. */
static job_t *written(scene_t *scene, write_t *write) {
    played_assert(scene->director, "");
    played_tell(scene->archivist, scene->actor, MSG_WRITTEN, write, write_free);
    fixture_settle(scene->fixture);
    return played_take(scene->director, MSG_JOB_DONE);
}

static void answer(scene_t *scene, ticket_t *ticket, const char *body) {
    buffer_append_text(&ticket->outcome.body, body);
    ticket->attempt.response = 7;
    played_tell(scene->pool, scene->actor, MSG_ANSWERED, ticket, ticket_free);
    fixture_settle(scene->fixture);
}

typedef struct {
    hash_t request;
    const char *body;
} stored_t;

static bool put_response(store_txn_t *txn, void *context, error_info_t *error) {
    const stored_t *stored = context;
    buffer_t packed = BUFFER_EMPTY;
    uint64_t number;
    response_pack(stored->body, strlen(stored->body), &packed);
    bool good = response_put(txn, stored->request, 1, &packed, NULL, 0, &number, error);
    buffer_free(&packed);
    return good;
}

/* Stores `body` as the answer to what a job of the stage asks, with the sample number `sample`. */
static void store_answer(scene_t *scene, job_stage_t stage, int64_t sample, const char *body) {
    request_t request = {0};
    stage_product_t product = {0};
    stage_context_t context = {.sweep = scene->sweep};
    job_t *job = fixture_job(scene->fixture, stage);
    store_txn_t *txn = store_dir_read(fixture_store(scene->fixture));
    assert_int_equal(build(&context, txn, job, &request, &product), STAGE_BUILT_REQUEST);
    store_read_end(txn);
    request.sample = sample;
    request_finish(&request, sweep_settings(scene->sweep));
    store_dir_write(fixture_store(scene->fixture), put_response, &(stored_t){request.id, body});
    request_clear(&request);
    job_free(job);
}

/* --- tests ------------------------------------------------------------------------------------ */

static void test_what_needs_no_answer_is_written_at_once(void **state) {
    (void)state;
    scene_t scene = begin();
    give(&scene, ASKED, "result");
    played_assert(scene.pool, "");
    write_t *write = played_take(scene.archivist, MSG_WRITE);
    assert_int_equal(write->kind, WRITE_RESULT);
    assert_int_equal(write->run, RUN);
    assert_string_equal(buffer_text(&write->result), "built");
    job_t *job = written(&scene, write);
    assert_int_equal(job->outcome, OUTCOME_DONE);
    job_free(job);
    end(&scene);
}

static void test_a_question_is_bought_and_its_answer_derived_from(void **state) {
    (void)state;
    scene_t scene = begin();
    give(&scene, ASKED, "request");
    ticket_t *ticket = played_take(scene.pool, MSG_TICKET);
    assert_ptr_equal(ticket->owner, scene.actor);
    assert_int_equal(ticket->pinned, ANY_ENDPOINT);
    assert_true(ticket->request.worst_case.pico > 0);
    hash_t asked_for = ticket->request.id;
    played_assert(scene.archivist, "");
    answer(&scene, ticket, "body");
    write_t *write = played_take(scene.archivist, MSG_WRITE);
    assert_int_equal(write->kind, WRITE_RESULT);
    assert_string_equal(buffer_text(&write->result), "derived from body");
    assert_true(hash_equal(write->trim, asked_for)); /* the row says that the body may go */
    job_free(written(&scene, write));
    end(&scene);
}

static void test_a_stored_answer_is_not_bought_again(void **state) {
    (void)state;
    scene_t scene = begin();
    store_answer(&scene, ASKED, 0, "stored");
    give(&scene, ASKED, "request");
    played_assert(scene.pool, "");
    write_t *write = played_take(scene.archivist, MSG_WRITE);
    assert_string_equal(buffer_text(&write->result), "derived from stored");
    job_free(written(&scene, write));
    end(&scene);
}

static void test_failures_are_written_before_they_are_told(void **state) {
    (void)state;
    scene_t scene = begin();
    give(&scene, ASKED, "failure");
    write_t *write = played_take(scene.archivist, MSG_WRITE);
    assert_int_equal(write->kind, WRITE_FAILURE);
    assert_string_equal(write->job->trouble.verdict, "records");
    job_free(written(&scene, write));
    give(&scene, ASKED, "request");
    answer(&scene, played_take(scene.pool, MSG_TICKET), "bad");
    write = played_take(scene.archivist, MSG_WRITE);
    assert_int_equal(write->kind, WRITE_FAILURE);
    assert_string_equal(write->job->trouble.verdict, "parse");
    job_t *job = written(&scene, write);
    assert_int_equal(job->outcome, OUTCOME_FAILED);
    job_free(job);
    end(&scene);
}

static void test_what_the_pool_returns(void **state) {
    (void)state;
    scene_t scene = begin();
    give(&scene, ASKED, "request");
    ticket_t *ticket = played_take(scene.pool, MSG_TICKET);
    job_fail(ticket->job, false, "timeout", "no answer");
    played_tell(scene.pool, scene.actor, MSG_RETURNED, ticket, ticket_free);
    fixture_settle(scene.fixture);
    write_t *write = played_take(scene.archivist, MSG_WRITE);
    assert_int_equal(write->kind, WRITE_FAILURE);
    job_free(written(&scene, write));
    give(&scene, ASKED, "request");
    ticket = played_take(scene.pool, MSG_TICKET);
    ticket->job->outcome = OUTCOME_HANDED_BACK;
    played_tell(scene.pool, scene.actor, MSG_RETURNED, ticket, ticket_free);
    fixture_settle(scene.fixture);
    played_assert(scene.archivist, ""); /* nothing became of it: nothing to write */
    job_free(played_take(scene.director, MSG_JOB_DONE));
    end(&scene);
}

static void test_a_row_may_derive_on_the_loop(void **state) {
    (void)state;
    scene_t scene = begin();
    give(&scene, AT_ONCE, "request");
    answer(&scene, played_take(scene.pool, MSG_TICKET), "line");
    write_t *write = played_take(scene.archivist, MSG_WRITE);
    assert_string_equal(buffer_text(&write->result), "derived from line");
    assert_true(hash_is_zero(write->trim));
    job_free(written(&scene, write));
    end(&scene);
}

/* What an endpoint lacked may be there by now: an answer that failed is asked for once more, as
 * the next sample. */
static void test_a_probe_that_failed_is_asked_again(void **state) {
    (void)state;
    scene_t scene = begin();
    store_answer(&scene, PROBED, 0, "bad");
    store_answer(&scene, PROBED, 1, "bad");
    give(&scene, PROBED, "request");
    ticket_t *ticket = played_take(scene.pool, MSG_TICKET);
    assert_int_equal(ticket->request.sample, 2);
    assert_int_equal(ticket->pinned, 1);
    assert_int_equal(ticket->job->outcome, OUTCOME_NONE);
    ticket_free(ticket);
    store_answer(&scene, PROBED, 2, "fine");
    give(&scene, PROBED, "request");
    played_assert(scene.pool, "");
    write_t *write = played_take(scene.archivist, MSG_WRITE);
    assert_string_equal(buffer_text(&write->result), "derived from fine");
    job_free(written(&scene, write));
    end(&scene);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_needs_no_answer_is_written_at_once),
        cmocka_unit_test(test_a_question_is_bought_and_its_answer_derived_from),
        cmocka_unit_test(test_a_stored_answer_is_not_bought_again),
        cmocka_unit_test(test_failures_are_written_before_they_are_told),
        cmocka_unit_test(test_what_the_pool_returns),
        cmocka_unit_test(test_a_row_may_derive_on_the_loop),
        cmocka_unit_test(test_a_probe_that_failed_is_asked_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
