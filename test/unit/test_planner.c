/* test_planner.c - the walk over a sweep, step by step: the test plays who carries jobs out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "actors/planner.h"
#include "actors/sweep/results.h"
#include "core/base/memory.h"
#include "store/journal.h"
#include "store/records.h"
#include "store/responses.h"
#include "test/unit/store_dir.h"

enum { RUN = 1, SLOTS = 4, MANY = 100 };

static const char CONFIG[] =
    "[budget]\ntotal_usd = 1\n"
    "[endpoints.here]\nbase_url = \"standin:\"\n"
    "[models.chat]\nendpoints = [\"here\"]\nprice = { input = 1, output = 1 }\n"
    "context_tokens = 100000\nmax_output_tokens = 4000\n"
    "[models.embed]\nendpoints = [\"here\"]\nprice = { input = 1, output = 0 }\n"
    "[sets.p]\nsource = \"store:p\"\n"
    "[explain]\nmodels = [\"chat\"]\nformats = [\"original\", \"summary\"]\n"
    "[simulate]\nmodel = \"chat\"\nmode = \"repeat\"\n"
    "[adacs]\nmodel = \"embed\"\nbatch = 3\n";

/* Two neurons, with two records and one to score on, and the same truth. */
static const char PUZZLES[] =
    "[{\"name\": \"a\", \"explanation\": \"truth\", \"false_explanations\": [],  \"sentences\": "
    "[[[\"x\", 1], \"y\"]], \"score_sentences\": [[[\"x\", 1], \"z\"], [\"w\", [\"v\", 3]]]}, "
    "{\"name\": \"b\", \"explanation\": \"truth\", \"false_explanations\": [],  \"sentences\": "
    "[[[\"m\", 2], \"n\"]], \"score_sentences\": [[[\"u\", 1], \"z\"]]}]";

typedef struct {
    char *path;
    store_t *store;
    settings_t *settings;
    run_info_t run;
    sweep_t *sweep;
    planner_t *planner;
    bool same_explanations; /* all chains of a neuron get the same one */
    job_t *jobs;            /* found, and not ended */
} scene_t;

static bool put_set(store_txn_t *txn, void *context, error_info_t *error) {
    scene_t *scene = context;
    neuron_list_t list;
    record_set_t set;
    assert_true(neuron_json_parse(PUZZLES, strlen(PUZZLES), "puzzles", &list, error));
    assert_true(records_set_put(txn, "p", "a test", &list, &set, error));
    free(scene->run.sets[0].name);
    scene->run.sets[0] = (struct run_set){memory_copy_string("p"), set.content, set.count};
    neuron_list_free(&list);
    records_set_clear(&set);
    return true;
}

static scene_t *begin(void) {
    scene_t *scene = MEMORY_NEW(scene_t);
    error_info_t error = {0};
    scene->path = store_dir_make();
    scene->store = store_dir_open(scene->path, STORE_WRITE);
    scene->settings = settings_load(CONFIG, strlen(CONFIG), "config", NULL, 0, true, &error);
    assert_non_null(scene->settings);
    scene->run = (run_info_t){
        .name = memory_copy_string("run"), .set_count = 1, .sets = MEMORY_NEW(struct run_set)};
    store_dir_write(scene->store, put_set, scene);
    scene->sweep = sweep_create(scene->settings, &scene->run, &stages_shipped, &error);
    assert_non_null(scene->sweep);
    scene->planner = planner_create(scene->sweep, RUN, SLOTS);
    return scene;
}

static void end(scene_t *scene) {
    while (scene->jobs) {
        job_t *job = scene->jobs;
        scene->jobs = job->next;
        job_free(job);
    }
    planner_free(scene->planner);
    sweep_free(scene->sweep);
    settings_free(scene->settings);
    run_info_clear(&scene->run);
    store_close(scene->store);
    store_dir_remove(scene->path);
    free(scene);
}

static void check(const scene_t *scene) {
    const char *broken = planner_broken(scene->planner);
    if (broken)
        fail_msg("%s", broken);
}

/* How many it found; they stand at the end of scene->jobs. */
static size_t step(scene_t *scene, size_t most, bool idle) {
    store_txn_t *txn = store_dir_read(scene->store);
    size_t found = planner_step(scene->planner, txn, most, idle, &scene->jobs);
    store_read_end(txn);
    check(scene);
    assert_true(found <= most);
    return found;
}

static size_t count(const scene_t *scene, job_stage_t stage) {
    size_t count = 0;
    for (const job_t *job = scene->jobs; job; job = job->next)
        count += job->stage == stage;
    return count;
}

/* --- how a job ends --------------------------------------------------------------------------- */

typedef enum { END_DONE, END_FAILED, END_NOTHING } job_end_t;

typedef struct {
    const scene_t *scene;
    const job_t *job;
    job_end_t end;
} ending_t;

static void write_done(store_txn_t *txn, const scene_t *scene, const job_t *job,
                       error_info_t *error) {
    static double expected[2];
    buffer_t result = BUFFER_EMPTY;
    char *text = scene->same_explanations ? memory_copy_string("the same")
                                          : memory_format("says %s", job->label);
    const float vector[2] = {1, 2};
    switch (job->stage) {
    case STAGE_EXPLAIN: explain_result_encode(&(explain_result_t){.text = text}, &result); break;
    case STAGE_SIMULATE:
        simulate_result_encode(&(simulate_result_t){.count = 2, .expected = expected}, &result);
        break;
    case STAGE_SCORE: score_result_encode(&(score_result_t){.records = 2}, &result); break;
    case STAGE_ADACS: adacs_result_encode(0.5, &result); break;
    default: break;
    }
    for (size_t i = 0; i < job->text_count; i++)
        assert_true(embedding_put(txn, job->keys[i], vector, 2, error));
    if (job->text_count == 0)
        assert_true(
            journal_put_done(txn, RUN, job->id, job->stage, result.data, result.length, error));
    buffer_free(&result);
    free(text);
}

static bool write_end(store_txn_t *txn, void *context, error_info_t *error) {
    const ending_t *ending = context;
    job_failure_t failure = {.run = RUN,
                             .stage = ending->job->stage,
                             .terminal = true,
                             .verdict = (char[]){"parse"},
                             .message = (char[]){"as the test says"}};
    if (ending->end == END_DONE)
        write_done(txn, ending->scene, ending->job, error);
    else if (ending->end == END_FAILED)
        assert_true(journal_put_failed(txn, ending->job->id, &failure, error));
    return true;
}

static void end_first(scene_t *scene, job_end_t how) {
    job_t *job = scene->jobs;
    scene->jobs = job->next;
    store_dir_write(scene->store, write_end, &(ending_t){scene, job, how});
    planner_job_ended(scene->planner, job);
    job_free(job);
}

/* Ends all that is under way, and all that is found then, as done. */
static void finish(scene_t *scene) {
    for (int i = 0; i < MANY && !planner_is_finished(scene->planner); i++) {
        step(scene, SLOTS, scene->jobs == NULL);
        while (scene->jobs)
            end_first(scene, END_DONE);
    }
    assert_true(planner_is_finished(scene->planner));
    check(scene);
}

/* --- tests ------------------------------------------------------------------------------------ */

static void test_finds_no_more_than_asked_for_and_in_order(void **state) {
    (void)state;
    scene_t *scene = begin();
    assert_int_equal(step(scene, 1, true), 1);
    assert_int_equal(scene->jobs->stage, STAGE_EXPLAIN);
    assert_string_equal(scene->jobs->label, "p/a original chat #0");
    assert_int_equal(step(scene, 2, false), 2);
    assert_false(planner_is_waiting(scene->planner));
    assert_int_equal(step(scene, 2, false), 1); /* there are four chains, and four slots */
    assert_true(planner_is_waiting(scene->planner));
    assert_int_equal(step(scene, 2, false), 0);
    end(scene);
}

static void test_goes_on_when_what_a_chain_waits_for_is_there(void **state) {
    (void)state;
    scene_t *scene = begin();
    step(scene, 1, true);
    end_first(scene, END_DONE);
    step(scene, MANY, false);
    assert_int_equal(count(scene, STAGE_SIMULATE), 2);
    assert_int_equal(count(scene, STAGE_EXPLAIN), 3);
    assert_int_equal(count(scene, STAGE_SCORE), 0);
    assert_string_equal(scene->jobs->explanation, "says p/a original chat #0");
    finish(scene);
    const planner_counts_t *counts = planner_counts(scene->planner);
    assert_int_equal(counts->chains_finished, 4);
    assert_int_equal(counts->stages[STAGE_EXPLAIN].done, 4);
    assert_int_equal(counts->stages[STAGE_SIMULATE].done, 2 * 2 + 2 * 1);
    assert_int_equal(counts->stages[STAGE_SCORE].done, 4);
    assert_int_equal(counts->stages[STAGE_ADACS].chains, 4);
    end(scene);
}

static void test_a_job_of_several_chains_is_done_once(void **state) {
    (void)state;
    scene_t *scene = begin();
    scene->same_explanations = true;
    step(scene, SLOTS, true);
    while (scene->jobs)
        end_first(scene, END_DONE);
    step(scene, MANY, false);
    /* of each neuron's records, not of each chain's */
    assert_int_equal(count(scene, STAGE_SIMULATE), 2 + 1);
    finish(scene);
    assert_int_equal(planner_counts(scene->planner)->stages[STAGE_SIMULATE].done, 2 * 2 + 2 * 1);
    end(scene);
}

static void test_texts_wait_until_a_request_is_full_or_nothing_else_is_to_do(void **state) {
    (void)state;
    scene_t *scene = begin();
    step(scene, 1, true);
    end_first(scene, END_DONE);
    step(scene, 3, false); /* the simulations, and the next explanation: two texts wait */
    assert_int_equal(count(scene, STAGE_EMBED), 0);
    end_first(scene, END_DONE);
    end_first(scene, END_DONE);
    end_first(scene, END_DONE);
    step(scene, MANY, false);
    /* the second chain's explanation fills it; the truth is one text */
    assert_int_equal(count(scene, STAGE_EMBED), 1);
    for (const job_t *job = scene->jobs; job; job = job->next)
        if (job->stage == STAGE_EMBED)
            assert_int_equal(job->text_count, 3);
    finish(scene);
    end(scene);
}

static void test_what_was_handed_back_is_found_again(void **state) {
    (void)state;
    scene_t *scene = begin();
    step(scene, SLOTS, true);
    hash_t id = scene->jobs->id;
    end_first(scene, END_NOTHING);
    assert_int_equal(step(scene, MANY, false), 1);
    bool found = false;
    for (const job_t *job = scene->jobs; job; job = job->next)
        found = found || hash_equal(job->id, id);
    assert_true(found);
    finish(scene);
    end(scene);
}

static void test_a_failure_ends_what_needs_it_only(void **state) {
    (void)state;
    scene_t *scene = begin();
    step(scene, SLOTS, true);
    end_first(scene, END_FAILED); /* an explanation */
    while (scene->jobs)
        end_first(scene, END_DONE);
    step(scene, 1, false);
    assert_int_equal(scene->jobs->stage, STAGE_SIMULATE);
    end_first(scene, END_FAILED);
    finish(scene);
    const planner_counts_t *counts = planner_counts(scene->planner);
    assert_int_equal(counts->stages[STAGE_EXPLAIN].failed, 1);
    assert_int_equal(counts->stages[STAGE_SIMULATE].failed, 1);
    assert_int_equal(counts->stages[STAGE_SCORE].failed, 1);
    assert_int_equal(counts->stages[STAGE_SCORE].done, 2);
    assert_int_equal(counts->stages[STAGE_ADACS].done, 3);
    end(scene);
}

static void test_a_new_start_looks_everything_up(void **state) {
    (void)state;
    scene_t *scene = begin();
    step(scene, SLOTS, true);
    while (scene->jobs)
        end_first(scene, END_DONE);
    planner_free(scene->planner); /* a crash: nothing of it was kept elsewhere */
    scene->planner = planner_create(scene->sweep, RUN, SLOTS);
    step(scene, MANY, true);
    assert_int_equal(count(scene, STAGE_EXPLAIN), 0);
    assert_int_equal(count(scene, STAGE_SIMULATE), 2 * 2 + 2 * 1);
    finish(scene);
    planner_free(scene->planner);
    scene->planner = planner_create(scene->sweep, RUN, SLOTS);
    assert_int_equal(step(scene, MANY, true), 0);
    assert_true(planner_is_finished(scene->planner));
    end(scene);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_finds_no_more_than_asked_for_and_in_order),
        cmocka_unit_test(test_goes_on_when_what_a_chain_waits_for_is_there),
        cmocka_unit_test(test_a_job_of_several_chains_is_done_once),
        cmocka_unit_test(test_texts_wait_until_a_request_is_full_or_nothing_else_is_to_do),
        cmocka_unit_test(test_what_was_handed_back_is_found_again),
        cmocka_unit_test(test_a_failure_ends_what_needs_it_only),
        cmocka_unit_test(test_a_new_start_looks_everything_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
