/* test_director.c - probes, the window, and every way in which a run ends. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "actors/director.h"
#include "core/base/memory.h"
#include "test/unit/actor_fixture.h"

/* --- a source of jobs that the test fills ----------------------------------------------------- */

typedef struct {
    fixture_t *fixture;
    job_stage_t stage;      /* of the jobs to come */
    size_t probes, ready;   /* jobs to give */
    size_t failed;          /* jobs, as it counts them */
    bool waiting, finished; /* what it says of itself */
    error_class_t fails;    /* the next step, with this class; NONE: it does not */
    /* what it saw */
    bool stepping; /* by a worker: nobody else may call */
    size_t steps, most, ended;
    bool idle, freed;
} source_t;

static job_t *take_jobs(source_t *source, size_t count, job_stage_t stage) {
    job_t *jobs = NULL, **tail = &jobs;
    for (; count > 0; count--) {
        *tail = fixture_job(source->fixture, stage);
        tail = &(*tail)->next;
    }
    return jobs;
}

static bool source_step(void *state, store_txn_t *txn, size_t most, bool idle, job_t **jobs,
                        error_info_t *error) {
    source_t *source = state;
    assert_non_null(txn);
    source->steps++;
    source->most = most;
    source->idle = idle;
    size_t count = source->ready < most ? source->ready : most;
    source->ready -= count;
    *jobs = take_jobs(source, count, source->stage);
    return source->fails == ERROR_NONE || error_set(error, source->fails, "the step failed");
}

static void source_job_ended(void *state, const job_t *job) {
    source_t *source = state;
    assert_false(source->stepping);
    assert_true(job->outcome != OUTCOME_NONE);
    source->ended++;
}

static bool source_is_waiting(const void *state) {
    const source_t *source = state;
    assert_false(source->stepping);
    return source->waiting;
}

static bool source_is_finished(const void *state) {
    const source_t *source = state;
    assert_false(source->stepping);
    return source->finished;
}

static void source_fill_facts(const void *state, facts_t *facts) {
    const source_t *source = state;
    assert_false(source->stepping);
    facts->stages[STAGE_EXPLAIN].done = source->ended;
    facts->stages[STAGE_EXPLAIN].failed = source->failed;
}

static job_t *source_probes(const void *state) {
    source_t *source = (source_t *)(uintptr_t)state;
    return take_jobs(source, source->probes, STAGE_PROBE);
}

static void source_free(void *state) {
    ((source_t *)state)->freed = true;
}

static const job_source_steps_t steps = {
    .step = source_step,
    .job_ended = source_job_ended,
    .is_waiting = source_is_waiting,
    .is_finished = source_is_finished,
    .fill_facts = source_fill_facts,
    .probes = source_probes,
    .free = source_free,
};

/* --- the scene -------------------------------------------------------------------------------- */

typedef struct {
    fixture_t *fixture;
    source_t source;
    held_t *workers;
    played_t *stage, *other, *pool; /* `other` does simulations, `stage` all else */
    actor_t *director;
    int finished;
    run_outcome_t outcome;
} scene_t;

static void on_finished(void *context, const run_outcome_t *outcome) {
    scene_t *scene = context;
    scene->finished++;
    scene->outcome = *outcome;
}

/* A window of 3. */
static scene_t *begin(size_t probes, size_t ready) {
    scene_t *scene = MEMORY_NEW(scene_t);
    fixture_t *fixture = scene->fixture = fixture_create();
    scene->source =
        (source_t){.fixture = fixture, .stage = STAGE_EXPLAIN, .probes = probes, .ready = ready};
    scene->workers = held_create(fixture);
    scene->stage = played_create(fixture, "stage");
    scene->other = played_create(fixture, "simulator");
    scene->pool = played_create(fixture, "client_pool");
    director_options_t options = {
        .settings = fixture_settings(fixture, "run.window=3", "run.outage_wait_minutes=30", NULL),
        .source = {&steps, &scene->source},
        .store = fixture_store(fixture),
        .workers = held_executor(scene->workers),
        .log = fixture->log,
        .finished = on_finished,
        .context = scene};
    scene->director = director_create(fixture->scheduler, &options, 0);
    actor_t *stages[JOB_STAGES];
    for (int i = 0; i < JOB_STAGES; i++)
        stages[i] = i == STAGE_SIMULATE ? scene->other->actor : scene->stage->actor;
    director_connect(scene->director, stages, scene->pool->actor);
    fixture_settle(fixture);
    return scene;
}

static void end(scene_t *scene) {
    fixture_free(scene->fixture);
    assert_true(scene->source.freed);
    free(scene);
}

/* --- steps ------------------------------------------------------------------------------------ */

/* The step under way, from the worker's side, and back. */
static void step(scene_t *scene) {
    held_work(scene->workers);
    scene->source.stepping = false;
    held_done(scene->workers);
}

static job_t *take_job(scene_t *scene) {
    return played_take(scene->stage, MSG_JOB);
}

static void done(scene_t *scene, job_t *job, job_outcome_t outcome) {
    job->outcome = outcome;
    played_tell(scene->stage, scene->director, MSG_JOB_DONE, job, job_free);
    fixture_settle(scene->fixture);
}

static void failed(scene_t *scene, job_t *job, bool terminal) {
    job_fail(job, terminal, "server", "it broke");
    done(scene, job, OUTCOME_FAILED);
}

static void tell(scene_t *scene, int kind, void *payload) {
    played_tell(scene->pool, scene->director, kind, payload, free);
    fixture_settle(scene->fixture);
}

static void stall(scene_t *scene, stall_kind_t kind, size_t tickets) {
    stall_t *told = MEMORY_NEW(stall_t);
    *told = (stall_t){.kind = kind, .tickets = tickets, .message = "nothing moves"};
    tell(scene, MSG_STALLED, told);
}

static void disk(scene_t *scene, bool failing, size_t answers) {
    disk_t *told = MEMORY_NEW(disk_t);
    *told = (disk_t){.failing = failing, .answers = answers, .message = "no space left"};
    tell(scene, MSG_DISK, told);
}

static void assert_finished(const scene_t *scene, run_end_t how, const char *message) {
    assert_int_equal(scene->finished, 1);
    assert_int_equal(scene->outcome.end, how);
    assert_string_equal(scene->outcome.message, message);
}

/* --- to the last job -------------------------------------------------------------------------- */

static void test_a_run_ends_when_its_source_has(void **state) {
    (void)state;
    scene_t *scene = begin(0, 2);
    /* without probes it looks for jobs at once */
    assert_int_equal(held_waiting(scene->workers), 1);
    step(scene);
    assert_int_equal(scene->source.most, 3);
    assert_true(scene->source.idle);
    job_t *first = take_job(scene), *second = take_job(scene);
    assert_int_equal(first->order, 0);
    assert_int_equal(second->order, 1);
    scene->source.stage = STAGE_SIMULATE;
    scene->source.ready = 1;
    step(scene);
    assert_int_equal(scene->source.most, 1);
    assert_false(scene->source.idle);
    job_t *third = played_take(scene->other, MSG_JOB); /* to the stage that does it */
    scene->source.finished = true;
    done(scene, first, OUTCOME_DONE);
    done(scene, second, OUTCOME_DONE);
    assert_int_equal(scene->finished, 0);
    done(scene, third, OUTCOME_DONE);
    assert_finished(scene, END_DONE, "");
    assert_int_equal(scene->source.ended, 3);
    assert_int_equal(scene->outcome.facts.from, FACTS_DIRECTOR);
    assert_int_equal(held_waiting(scene->workers), 0);
    played_assert(scene->pool, "");
    end(scene);
}

static void test_nothing_to_do_is_done(void **state) {
    (void)state;
    scene_t *scene = begin(0, 0);
    scene->source.finished = true;
    step(scene);
    assert_finished(scene, END_DONE, "");
    end(scene);
}

static void test_no_more_jobs_than_the_window(void **state) {
    (void)state;
    scene_t *scene = begin(0, 10);
    step(scene);
    assert_int_equal(played_count(scene->stage, MSG_JOB), 3);
    assert_int_equal(held_waiting(scene->workers), 0); /* full */
    job_t *jobs[3] = {take_job(scene), take_job(scene), take_job(scene)};
    scene->source.waiting = true;
    done(scene, jobs[0], OUTCOME_DONE);
    done(scene, jobs[1], OUTCOME_DONE);
    /* a step would find nothing before something ends */
    assert_int_equal(held_waiting(scene->workers), 0);
    scene->source.waiting = false;
    done(scene, jobs[2], OUTCOME_DONE);
    step(scene);
    assert_int_equal(scene->source.most, 3);
    assert_int_equal(played_count(scene->stage, MSG_JOB), 3);
    end(scene);
}

/* A source is not thread-safe: what ends during a step is told to it after the step. */
static void test_jobs_that_end_during_a_step_wait_for_it(void **state) {
    (void)state;
    scene_t *scene = begin(0, 2);
    step(scene);
    job_t *first = take_job(scene), *second = take_job(scene);
    assert_int_equal(held_waiting(scene->workers), 1);
    scene->source.stepping = true;
    scene->source.waiting = true;
    done(scene, first, OUTCOME_DONE);
    done(scene, second, OUTCOME_DONE);
    assert_int_equal(scene->source.ended, 0);
    step(scene);
    assert_int_equal(scene->source.ended, 2);
    assert_int_equal(held_waiting(scene->workers), 1); /* and then there may be something new */
    end(scene);
}

static void test_failures_decide_how_a_run_is_done(void **state) {
    (void)state;
    const struct {
        size_t terminal, for_now; /* jobs that fail now */
        size_t counted;           /* failed jobs that the source knows of, of earlier starts too */
        run_end_t end;
        const char *message;
    } rows[] = {
        {0, 1, 1, END_RETRYABLE, "1 jobs failed for now; run again to try them once more"},
        {1, 1, 5, END_RETRYABLE, "1 jobs failed for now; run again to try them once more"},
        {1, 0, 1, END_FAILURES,
         "done, but 1 jobs failed and will not be tried again unless asked for (--retry-failed); "
         "see `glia status`"},
        {0, 0, 4, END_FAILURES,
         "done, but 4 jobs failed and will not be tried again unless asked for (--retry-failed); "
         "see `glia status`"},
        {0, 0, 0, END_DONE, ""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        scene_t *scene = begin(0, 2);
        step(scene);
        job_t *jobs[2] = {take_job(scene), take_job(scene)};
        for (size_t j = 0; j < 2; j++)
            if (j < rows[i].terminal + rows[i].for_now)
                failed(scene, jobs[j], j < rows[i].terminal);
            else
                done(scene, jobs[j], OUTCOME_DONE);
        scene->source.failed = rows[i].counted;
        scene->source.finished = true;
        step(scene);
        assert_finished(scene, rows[i].end, rows[i].message);
        assert_int_equal(scene->outcome.retryable, rows[i].for_now);
        assert_int_equal(scene->outcome.failed, rows[i].counted - rows[i].for_now);
        end(scene);
    }
}

/* --- probes ----------------------------------------------------------------------------------- */

static void test_probes_come_before_everything(void **state) {
    (void)state;
    scene_t *scene = begin(4, 1); /* more than the window: each has to pass */
    assert_int_equal(held_waiting(scene->workers), 0);
    job_t *probes[4];
    for (size_t i = 0; i < 4; i++)
        probes[i] = take_job(scene);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(held_waiting(scene->workers), 0);
        done(scene, probes[i], OUTCOME_DONE);
    }
    assert_int_equal(scene->source.ended, 0); /* probes are none of the source's */
    step(scene);
    job_t *job = take_job(scene);
    assert_int_equal(job->order, 4);
    job_free(job);
    played_assert(scene->pool, "");
    end(scene);
}

static void test_a_failed_probe_stops_the_run_before_its_work(void **state) {
    (void)state;
    for (int terminal = 0; terminal < 2; terminal++) {
        scene_t *scene = begin(3, 1);
        job_t *probes[3] = {take_job(scene), take_job(scene), take_job(scene)};
        char message[128];
        snprintf(message, sizeof message, "probe of %s failed: it broke", probes[0]->label);
        failed(scene, probes[0], terminal);
        played_assert(scene->pool, "STOP");
        failed(scene, probes[1], !terminal); /* the first reason is the one that is told */
        done(scene, probes[2], OUTCOME_HANDED_BACK);
        assert_finished(scene, terminal ? END_CONFIG : END_WORLD, message);
        assert_int_equal(scene->source.steps, 0);
        played_assert(scene->pool, "STOP");
        end(scene);
    }
}

/* --- stopping --------------------------------------------------------------------------------- */

static void test_an_interrupt_waits_for_what_is_in_flight(void **state) {
    (void)state;
    scene_t *scene = begin(0, 1);
    step(scene);
    job_t *job = take_job(scene);
    scene->source.ready = 2; /* found by a step that is under way when the signal comes: dropped */
    tell(scene, MSG_INTERRUPT, NULL);
    played_assert(scene->pool, "STOP");
    tell(scene, MSG_INTERRUPT, NULL);
    played_assert(scene->pool, "STOP");
    done(scene, job, OUTCOME_DONE);
    assert_int_equal(scene->finished, 0); /* the step is not back */
    step(scene);
    played_assert(scene->stage, "");
    assert_finished(scene, END_INTERRUPTED, "interrupted; run again to go on");
    assert_int_equal(scene->source.ended, 1);
    tell(scene, MSG_INTERRUPT, NULL);
    assert_int_equal(scene->finished, 1);
    end(scene);
}

static void test_a_step_that_fails_stops_the_run(void **state) {
    (void)state;
    const struct {
        error_class_t fails;
        run_end_t end;
    } rows[] = {
        {ERROR_RETRYABLE, END_WORLD}, {ERROR_CONFIG, END_CONFIG}, {ERROR_FATAL, END_INTERNAL}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        scene_t *scene = begin(0, 1);
        step(scene);
        job_t *job = take_job(scene);
        scene->source.ready = 1; /* what was found before it failed is not given out */
        scene->source.fails = rows[i].fails;
        step(scene);
        played_assert(scene->stage, "");
        played_assert(scene->pool, "STOP");
        done(scene, job, OUTCOME_HANDED_BACK);
        assert_finished(scene, rows[i].end, "the step failed");
        end(scene);
    }
}

static void test_jobs_that_wait_for_nothing_are_a_bug(void **state) {
    (void)state;
    scene_t *scene = begin(0, 0);
    scene->source.waiting = true;
    step(scene);
    assert_finished(scene, END_INTERNAL, "bug: jobs wait, but nothing is in flight");
    end(scene);
}

/* --- standstill ------------------------------------------------------------------------------- */

static void test_a_standstill_is_when_the_pool_holds_all(void **state) {
    (void)state;
    const struct {
        stall_kind_t kind;
        run_end_t end;
    } rows[] = {{STALL_CAP, END_CAP}, {STALL_WORLD, END_WORLD}, {STALL_CONFIG, END_CONFIG}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        scene_t *scene = begin(0, 3);
        step(scene);
        job_t *jobs[3] = {take_job(scene), take_job(scene), take_job(scene)};
        stall(scene, rows[i].kind, 2);
        played_assert(scene->pool, ""); /* the third is elsewhere, and may set it going */
        scene->source.waiting = true;
        done(scene, jobs[2], OUTCOME_DONE);
        played_assert(scene->pool, "STOP");
        done(scene, jobs[0], OUTCOME_HANDED_BACK);
        done(scene, jobs[1], OUTCOME_HANDED_BACK);
        assert_finished(scene, rows[i].end, "nothing moves");
        end(scene);
    }
}

static void test_a_standstill_may_pass(void **state) {
    (void)state;
    scene_t *scene = begin(0, 2);
    step(scene);
    job_t *first = take_job(scene), *second = take_job(scene);
    stall(scene, STALL_CAP, 1);
    stall(scene, STALL_CAP, 0);
    scene->source.waiting = true;
    done(scene, first, OUTCOME_DONE);
    step(scene);
    played_assert(scene->pool, "");
    stall(scene, STALL_WORLD, 1);
    played_assert(scene->pool, "STOP");
    done(scene, second, OUTCOME_HANDED_BACK);
    assert_finished(scene, END_WORLD, "nothing moves");
    end(scene);
}

/* A step may find jobs that can go where others cannot. */
static void test_a_standstill_waits_for_a_step(void **state) {
    (void)state;
    scene_t *scene = begin(0, 1);
    step(scene);
    job_t *job = take_job(scene);
    stall(scene, STALL_CAP, 1);
    played_assert(scene->pool, "");
    scene->source.waiting = true;
    step(scene);
    played_assert(scene->pool, "STOP");
    done(scene, job, OUTCOME_HANDED_BACK);
    assert_finished(scene, END_CAP, "nothing moves");
    end(scene);
}

static void test_probes_can_stand_still(void **state) {
    (void)state;
    scene_t *scene = begin(1, 1);
    job_t *probe = take_job(scene);
    stall(scene, STALL_CONFIG, 1);
    played_assert(scene->pool, "STOP");
    done(scene, probe, OUTCOME_HANDED_BACK);
    assert_finished(scene, END_CONFIG, "nothing moves");
    end(scene);
}

/* --- the disk --------------------------------------------------------------------------------- */

static void test_a_disk_that_stays_full_is_left_with_jobs_in_flight(void **state) {
    (void)state;
    scene_t *scene = begin(0, 3);
    step(scene);
    disk(scene, true, 0);
    fixture_pass(scene->fixture, 20 * CLOCK_MINUTE);
    disk(scene, true, 0); /* told again at each try: the time counts from the first */
    fixture_pass(scene->fixture, 10 * CLOCK_MINUTE - 1);
    assert_int_equal(scene->finished, 0);
    fixture_pass(scene->fixture, 1);
    assert_finished(scene, END_WORLD, "the store cannot be written: no space left");
    done(scene, take_job(scene), OUTCOME_DONE); /* what still comes is taken, and changes nothing */
    disk(scene, false, 0);
    assert_int_equal(scene->finished, 1);
    end(scene);
}

static void test_answers_in_hand_are_not_left(void **state) {
    (void)state;
    scene_t *scene = begin(0, 3);
    step(scene);
    disk(scene, true, 2);
    fixture_pass(scene->fixture, 300 * CLOCK_MINUTE);
    assert_int_equal(scene->finished, 0);
    disk(scene, true, 0);
    fixture_pass(scene->fixture, CLOCK_MINUTE);
    assert_finished(scene, END_WORLD, "the store cannot be written: no space left");
    end(scene);
}

static void test_a_disk_with_room_again_is_forgotten(void **state) {
    (void)state;
    scene_t *scene = begin(0, 3);
    step(scene);
    disk(scene, true, 0);
    fixture_pass(scene->fixture, 29 * CLOCK_MINUTE);
    disk(scene, false, 0);
    fixture_pass(scene->fixture, 29 * CLOCK_MINUTE);
    disk(scene, true, 0); /* another time of need */
    fixture_pass(scene->fixture, 29 * CLOCK_MINUTE);
    assert_int_equal(scene->finished, 0);
    fixture_pass(scene->fixture, CLOCK_MINUTE);
    assert_int_equal(scene->finished, 1);
    end(scene);
}

/* --- how it stands ---------------------------------------------------------------------------- */

static void test_facts_are_those_of_the_last_step(void **state) {
    (void)state;
    scene_t *scene = begin(0, 1);
    scene->source.failed = 3;
    step(scene);
    scene->source.failed = 4;
    tell(scene, MSG_ASK, NULL);
    facts_t *facts = played_take(scene->pool, MSG_FACTS); /* to whoever asks */
    assert_int_equal(facts->from, FACTS_DIRECTOR);
    assert_int_equal(facts->stages[STAGE_EXPLAIN].failed, 3);
    free(facts);
    end(scene);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_run_ends_when_its_source_has),
        cmocka_unit_test(test_nothing_to_do_is_done),
        cmocka_unit_test(test_no_more_jobs_than_the_window),
        cmocka_unit_test(test_jobs_that_end_during_a_step_wait_for_it),
        cmocka_unit_test(test_failures_decide_how_a_run_is_done),
        cmocka_unit_test(test_probes_come_before_everything),
        cmocka_unit_test(test_a_failed_probe_stops_the_run_before_its_work),
        cmocka_unit_test(test_an_interrupt_waits_for_what_is_in_flight),
        cmocka_unit_test(test_a_step_that_fails_stops_the_run),
        cmocka_unit_test(test_jobs_that_wait_for_nothing_are_a_bug),
        cmocka_unit_test(test_a_standstill_is_when_the_pool_holds_all),
        cmocka_unit_test(test_a_standstill_may_pass),
        cmocka_unit_test(test_a_standstill_waits_for_a_step),
        cmocka_unit_test(test_probes_can_stand_still),
        cmocka_unit_test(test_a_disk_that_stays_full_is_left_with_jobs_in_flight),
        cmocka_unit_test(test_answers_in_hand_are_not_left),
        cmocka_unit_test(test_a_disk_with_room_again_is_forgotten),
        cmocka_unit_test(test_facts_are_those_of_the_last_step),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
