/* test_archivist.c - group commits, full disks, and that nothing is acknowledged
 * before its time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "actors/archivist.h"
#include "store/responses.h"
#include "test/unit/actor_fixture.h"
#include "test/unit/store_dir.h"

enum { RUN = 7, BATCH = 512 }; /* BATCH: writes in one transaction at most (archivist.c) */
static const int64_t PAUSE = 2 * CLOCK_SECOND;

typedef struct {
    fixture_t *fixture;
    store_t *store;
    held_t *committer;
    played_t *actor, *director; /* actor: who writes */
    actor_t *archivist;
    bool full;      /* commits fail */
    int fatal;      /* how often the archivist gave up */
    buffer_t order; /* the names of the marks that were applied, committed or not */
} scene_t;

static store_fate_t at_commit(void *context, store_point_t point) {
    const scene_t *scene = context;
    return scene->full && point == STORE_BEFORE_COMMIT ? STORE_FAIL : STORE_GO_ON;
}

static void on_fatal(void *context, const error_info_t *error) {
    scene_t *scene = context;
    scene->fatal++;
    assert_true(error->class_ != ERROR_RETRYABLE && error->message[0]);
}

static scene_t *begin(keep_raw_t keep_raw, int64_t min_free) {
    scene_t *scene = MEMORY_NEW(scene_t);
    scene->fixture = fixture_create();
    scene->store = fixture_store(scene->fixture);
    store_set_hook(scene->store, at_commit, scene);
    scene->committer = held_create(scene->fixture);
    scene->actor = played_create(scene->fixture, "accountant");
    scene->director = played_create(scene->fixture, "director");
    archivist_options_t options = {.store = scene->store,
                                   .committer = held_executor(scene->committer),
                                   .log = scene->fixture->log,
                                   .keep_raw = keep_raw,
                                   .min_free = min_free};
    scene->archivist = archivist_create(scene->fixture->scheduler, &options, 0, on_fatal, scene);
    archivist_set_director(scene->archivist, scene->director->actor);
    return scene;
}

static void end(scene_t *scene) {
    fixture_free(scene->fixture);
    buffer_free(&scene->order);
    free(scene);
}

/* --- writes ----------------------------------------------------------------------------------- */

static void tell(scene_t *scene, write_t *write) {
    played_tell(scene->actor, scene->archivist, MSG_WRITE, write, write_free);
    fixture_settle(scene->fixture);
}

typedef struct {
    scene_t *scene;
    char name[8];
    bool refused; /* the store does not take it, for a reason that stays */
} mark_t;

static bool apply_mark(store_txn_t *txn, void *context, error_info_t *error) {
    const mark_t *mark = context;
    if (mark->refused)
        return error_set(error, ERROR_FATAL, "damaged");
    buffer_append_format(&mark->scene->order, "%s ", mark->name);
    return store_put(txn, TABLE_META, mark->name, strlen(mark->name), "x", 1, error);
}

static write_t *mark_create(scene_t *scene, const char *name, bool refused) {
    mark_t *mark = MEMORY_NEW(mark_t);
    mark->scene = scene;
    mark->refused = refused;
    snprintf(mark->name, sizeof mark->name, "%s", name);
    write_t *write = write_create(WRITE_APPLY, scene->actor->actor, mark, free);
    write->apply = apply_mark;
    return write;
}

static void tell_mark(scene_t *scene, const char *name) {
    tell(scene, mark_create(scene, name, false));
}

static bool is_stored(scene_t *scene, const char *name) {
    store_txn_t *txn = store_dir_read(scene->store);
    store_bytes_t value;
    bool found = store_get(txn, TABLE_META, name, strlen(name), &value);
    store_read_end(txn);
    return found;
}

/* The oldest write that came back is the mark of that name. */
static void assert_acknowledged(scene_t *scene, const char *name) {
    write_t *write = played_take(scene->actor, MSG_WRITTEN);
    assert_int_equal(write->kind, WRITE_APPLY);
    assert_string_equal(((mark_t *)write->context)->name, name);
    write_free(write);
}

/* A write of an attempt; the ticket owns the attempt, as the accountant has it. */
static write_t *attempt_write(scene_t *scene, write_kind_t kind, ticket_t *ticket) {
    write_t *write = write_create(kind, scene->actor->actor, ticket, ticket_free);
    write->attempt = &ticket->attempt;
    return write;
}

static ticket_t *attempt_create(scene_t *scene) {
    ticket_t *ticket = fixture_ticket(scene->fixture, 0, 500);
    ticket->attempt = (attempt_t){.run = RUN,
                                  .stage = STAGE_EXPLAIN,
                                  .day = 20000,
                                  .model = "chat",
                                  .endpoint = "a",
                                  .request = ticket->request.id,
                                  .job = ticket->job->id,
                                  .worst_case = ticket->request.worst_case,
                                  .reserved_utc = clock_utc(scene->fixture->clock)};
    return ticket;
}

static void tell_reservation(scene_t *scene) {
    tell(scene, attempt_write(scene, WRITE_RESERVE, attempt_create(scene)));
}

/* Whoever has submitted something gets it worked and told, until nothing is left. */
static void commit_all(scene_t *scene) {
    while (held_waiting(scene->committer)) {
        held_work(scene->committer);
        held_done(scene->committer);
    }
}

static void assert_counts(const scene_t *scene, uint64_t commits, uint64_t writes) {
    uint64_t have_commits, have_writes;
    archivist_counts(scene->archivist, &have_commits, &have_writes);
    assert_int_equal(have_commits, commits);
    assert_int_equal(have_writes, writes);
}

/* --- group commit ----------------------------------------------------------------------------- */

static void test_a_write_goes_back_after_its_commit(void **state) {
    (void)state;
    scene_t *scene = begin(KEEP_ALL, 0);
    tell_mark(scene, "a");
    assert_false(is_stored(scene, "a"));
    held_work(scene->committer);
    assert_true(is_stored(scene, "a"));
    fixture_settle(scene->fixture);
    played_assert(scene->actor, ""); /* the loop has not heard of it */
    held_done(scene->committer);
    assert_acknowledged(scene, "a");
    write_t *nobody_waits = mark_create(scene, "b", false);
    nobody_waits->reply_to = NULL;
    tell(scene, nobody_waits);
    commit_all(scene);
    assert_true(is_stored(scene, "b"));
    played_assert(scene->actor, "");
    played_assert(scene->director, "");
    assert_counts(scene, 2, 2);
    end(scene);
}

static void test_all_that_waits_is_one_commit(void **state) {
    (void)state;
    scene_t *scene = begin(KEEP_ALL, 0);
    tell_mark(scene, "a");
    tell_mark(scene, "b");
    tell_mark(scene, "c");
    /* the next is submitted before it is needed */
    assert_int_equal(held_waiting(scene->committer), 2);
    held_work(scene->committer);
    tell_mark(scene, "d"); /* too late for the first */
    held_work(scene->committer);
    assert_true(is_stored(scene, "d"));
    held_done(scene->committer);
    assert_acknowledged(scene, "a");
    assert_acknowledged(scene, "b");
    assert_acknowledged(scene, "c");
    played_assert(scene->actor, "");
    held_done(scene->committer);
    assert_acknowledged(scene, "d");
    commit_all(scene);
    assert_counts(scene, 2, 4);
    assert_string_equal(buffer_text(&scene->order), "a b c d ");
    end(scene);
}

static void test_a_commit_has_a_largest_size(void **state) {
    (void)state;
    scene_t *scene = begin(KEEP_ALL, 0);
    for (int i = 0; i < 3 * BATCH + 1; i++) {
        char name[16];
        snprintf(name, sizeof name, "%d", i);
        tell_mark(scene, name);
    }
    static const size_t sizes[] = {BATCH, BATCH, BATCH, 1};
    for (size_t i = 0, next = 0; i < 4; i++) {
        held_work(scene->committer);
        held_done(scene->committer);
        assert_int_equal(played_count(scene->actor, MSG_WRITTEN), sizes[i]);
        for (size_t end_of = next + sizes[i]; next < end_of; next++) {
            char name[16];
            snprintf(name, sizeof name, "%zu", next);
            assert_acknowledged(scene, name);
        }
    }
    commit_all(scene);
    assert_counts(scene, 4, 3 * BATCH + 1);
    end(scene);
}

/* --- a full disk ------------------------------------------------------------------------------ */

static void assert_disk(scene_t *scene, bool failing, size_t answers) {
    disk_t *disk = played_take(scene->director, MSG_DISK);
    assert_int_equal(disk->failing, failing);
    assert_int_equal(disk->answers, answers);
    assert_int_equal(disk->message[0] != '\0', failing);
    free(disk);
}

static void test_a_full_disk_is_waited_for(void **state) {
    (void)state;
    scene_t *scene = begin(KEEP_ALL, 0);
    scene->full = true;
    tell_mark(scene, "a");
    write_t *answer = mark_create(scene, "b", false);
    buffer_append_text(&answer->packed, "what an endpoint said");
    tell(scene, answer);
    held_work(scene->committer);
    tell_mark(scene, "c");
    held_work(scene->committer); /* submitted behind the failure: does nothing */
    held_done(scene->committer);
    played_assert(scene->director, ""); /* not before the committer is at rest */
    held_done(scene->committer);
    assert_disk(scene, true, 1);
    tell_mark(scene, "d");
    fixture_pass(scene->fixture, PAUSE - 1);
    assert_int_equal(held_waiting(scene->committer), 0);
    fixture_pass(scene->fixture, 1);
    commit_all(scene);
    assert_disk(scene, true, 1); /* each time anew: the number of answers may have changed */
    played_assert(scene->actor, "");
    assert_counts(scene, 0, 0);
    scene->full = false;
    buffer_clear(&scene->order);
    fixture_pass(scene->fixture, PAUSE);
    commit_all(scene);
    assert_disk(scene, false, 0);
    played_assert(scene->director, "");
    assert_string_equal(buffer_text(&scene->order), "a b c d ");
    for (const char *name = "a\0b\0c\0d\0"; *name; name += 2)
        assert_acknowledged(scene, name);
    assert_int_equal(scene->fatal, 0);
    end(scene);
}

/* Below store.min_free_mb nothing new is begun, and what is paid is stored all the same. */
static void test_low_space_puts_reservations_behind(void **state) {
    (void)state;
    scene_t *scene = begin(KEEP_ALL, INT64_MAX);
    tell_mark(scene, "a");
    commit_all(scene);
    assert_acknowledged(scene, "a");
    played_assert(scene->director, ""); /* it takes a reservation to need room */
    tell_reservation(scene);
    tell_mark(scene, "b");
    held_work(scene->committer); /* fails */
    tell_reservation(scene);
    tell_mark(scene, "c");
    held_work(scene->committer);
    held_done(scene->committer);
    held_done(scene->committer);
    assert_disk(scene, true, 0);
    commit_all(scene); /* at once, without a pause: b; then the reservations, with c among them */
    assert_acknowledged(scene, "b");
    assert_acknowledged(scene, "c");
    played_assert(scene->actor, "");
    assert_string_equal(buffer_text(&scene->order), "a b c ");
    while (played_count(scene->director, MSG_DISK))
        assert_disk(scene, true, 0); /* never "mended", whatever is written meanwhile */
    tell_mark(scene, "d");
    assert_int_equal(held_waiting(scene->committer), 0); /* it pauses */
    /* one for the reservations, one for what came behind them */
    for (int pause = 0; pause < 2; pause++) {
        fixture_pass(scene->fixture, PAUSE);
        commit_all(scene);
    }
    assert_acknowledged(scene, "d");
    played_assert(scene->actor, "");
    end(scene);
}

/* --- for good --------------------------------------------------------------------------------- */

static void test_what_waiting_does_not_mend_is_fatal_once(void **state) {
    (void)state;
    scene_t *scene = begin(KEEP_ALL, 0);
    tell_mark(scene, "a");
    tell(scene, mark_create(scene, "b", true));
    commit_all(scene);
    assert_int_equal(scene->fatal, 1);
    assert_false(is_stored(scene, "a")); /* one transaction */
    tell_mark(scene, "c");
    fixture_pass(scene->fixture, 10 * PAUSE);
    assert_int_equal(held_waiting(scene->committer), 0);
    assert_int_equal(scene->fatal, 1);
    played_assert(scene->actor, "");
    played_assert(scene->director, "");
    end(scene);
}

/* Left at any moment: all writes are released (the sanitizers look). */
static void test_it_can_be_left_with_writes_of_every_kind_of_wait(void **state) {
    (void)state;
    for (int moment = 0; moment < 5; moment++) {
        scene_t *scene = begin(KEEP_ALL, 0);
        scene->full = true;
        tell_mark(scene, "a");
        tell_mark(scene, "b");
        for (int step = 0; step < moment; step++)
            (step % 2 ? held_done : held_work)(scene->committer);
        played_tell(scene->actor, scene->archivist, MSG_WRITE, mark_create(scene, "c", false),
                    write_free);
        end(scene);
    }
}

/* --- what is written -------------------------------------------------------------------------- */

static void test_an_attempt_from_reservation_to_response(void **state) {
    (void)state;
    scene_t *scene = begin(KEEP_ALL, 0);
    ticket_t *ticket = attempt_create(scene);
    tell(scene, attempt_write(scene, WRITE_RESERVE, ticket));
    commit_all(scene);
    write_t *write = played_take(scene->actor, MSG_WRITTEN);
    assert_int_equal(write->attempt->number, 1);
    write->context = NULL;
    write_free(write);
    ticket->attempt.state = ATTEMPT_SETTLED;
    ticket->attempt.cost = (money_t){300};
    write = attempt_write(scene, WRITE_END, ticket);
    response_pack("{\"answer\":1}", 12, &write->packed);
    tell(scene, write);
    commit_all(scene);
    write = played_take(scene->actor, MSG_WRITTEN);
    assert_int_equal(write->attempt->response, 1);
    store_txn_t *txn = store_dir_read(scene->store);
    attempt_t stored;
    assert_true(ledger_attempt_get(txn, 1, &stored));
    assert_int_equal(stored.state, ATTEMPT_SETTLED);
    assert_int_equal(stored.response, 1);
    buffer_t body = BUFFER_EMPTY;
    error_info_t error;
    assert_int_equal(response_find(txn, ticket->request.id), 1);
    assert_true(response_get(txn, 1, &body, NULL, &error));
    assert_string_equal(buffer_text(&body), "{\"answer\":1}");
    buffer_free(&body);
    store_read_end(txn);
    write_free(write);
    end(scene);
}

/* A result of `stage` for a job of its own, made from the answer to `trim`. */
static write_t *result_write(scene_t *scene, job_stage_t stage, hash_t trim) {
    job_t *job = fixture_job(scene->fixture, stage);
    write_t *write = write_create(WRITE_RESULT, scene->actor->actor, job, job_free);
    write->run = RUN;
    write->job = job;
    write->trim = trim;
    return write;
}

static void test_results_and_failures_reach_the_journal(void **state) {
    (void)state;
    scene_t *scene = begin(KEEP_ALL, 0);
    write_t *result = result_write(scene, STAGE_EXPLAIN, (hash_t){0});
    buffer_append_text(&result->result, "result");
    hash_t done = result->job->id;
    job_t *job = fixture_job(scene->fixture, STAGE_SIMULATE);
    hash_t failed = job->id;
    job_fail(job, true, "parse", "no JSON");
    write_t *failure = write_create(WRITE_FAILURE, scene->actor->actor, job, job_free);
    failure->run = RUN;
    failure->job = job;
    tell(scene, result);
    tell(scene, failure);
    commit_all(scene);
    store_txn_t *txn = store_dir_read(scene->store);
    job_entry_t entry = journal_get(txn, done);
    assert_int_equal(entry.state, JOB_DONE);
    assert_memory_equal(entry.result, "result", 6);
    assert_int_equal(journal_state(txn, failed), JOB_FAILED_TERMINAL);
    job_failure_t row = {0};
    assert_true(journal_failure_get(txn, RUN, failed, &row));
    assert_string_equal(row.message, "no JSON");
    job_failure_clear(&row);
    store_read_end(txn);
    end(scene);
}

static void test_embeddings_are_done_by_text(void **state) {
    (void)state;
    scene_t *scene = begin(KEEP_ALL, 0);
    write_t *write = result_write(scene, STAGE_EMBED, (hash_t){0});
    job_t *job = write->context;
    job->text_count = 2;
    job->texts = MEMORY_NEW_ARRAY(2, char *);
    job->keys = MEMORY_NEW_ARRAY(2, hash_t);
    job->keys[0] = job->id;
    job->keys[1] = hash_bytes("second", 6);
    hash_t second = job->keys[1];
    write->vector_count = 1;
    write->vectors = MEMORY_NEW_ARRAY(1, struct stage_vector);
    write->vectors[0].key = second;
    write->vectors[0].dimensions = 2;
    write->vectors[0].values = MEMORY_NEW_ARRAY(2, float);
    hash_t first = job->id;
    tell(scene, write);
    commit_all(scene);
    store_txn_t *txn = store_dir_read(scene->store);
    assert_int_equal(journal_state(txn, first), JOB_DONE);
    assert_int_equal(journal_state(txn, second), JOB_DONE);
    store_bytes_t floats;
    assert_true(embedding_get(txn, second, &floats));
    assert_int_equal(floats.size, 2 * sizeof(float));
    store_read_end(txn);
    end(scene);
}

/* With the result goes the body that it was made from, unless all bodies are kept. */
static void test_bodies_are_kept_as_configured(void **state) {
    (void)state;
    for (int i = 0; i < 2; i++) {
        keep_raw_t keep = i ? KEEP_EXPLANATIONS : KEEP_ALL;
        scene_t *scene = begin(keep, 0);
        ticket_t *ticket = attempt_create(scene);
        hash_t request = ticket->request.id;
        tell(scene, attempt_write(scene, WRITE_RESERVE, ticket));
        commit_all(scene);
        write_t *write = played_take(scene->actor, MSG_WRITTEN);
        write->context = NULL;
        write_free(write);
        ticket->attempt.state = ATTEMPT_DOUBT;
        write = attempt_write(scene, WRITE_END, ticket);
        response_pack("{}", 2, &write->packed);
        tell(scene, write);
        tell(scene, result_write(scene, STAGE_SIMULATE, request));
        /* no such response: fine */
        tell(scene, result_write(scene, STAGE_SIMULATE, hash_bytes("nothing", 7)));
        commit_all(scene);
        assert_counts(scene, 2, 4);
        store_txn_t *txn = store_dir_read(scene->store);
        response_info_t info;
        error_info_t error;
        assert_true(response_get(txn, response_find(txn, request), NULL, &info, &error));
        assert_int_equal(info.trimmed, keep == KEEP_EXPLANATIONS);
        store_read_end(txn);
        end(scene);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_write_goes_back_after_its_commit),
        cmocka_unit_test(test_all_that_waits_is_one_commit),
        cmocka_unit_test(test_a_commit_has_a_largest_size),
        cmocka_unit_test(test_a_full_disk_is_waited_for),
        cmocka_unit_test(test_low_space_puts_reservations_behind),
        cmocka_unit_test(test_what_waiting_does_not_mend_is_fatal_once),
        cmocka_unit_test(test_it_can_be_left_with_writes_of_every_kind_of_wait),
        cmocka_unit_test(test_an_attempt_from_reservation_to_response),
        cmocka_unit_test(test_results_and_failures_reach_the_journal),
        cmocka_unit_test(test_embeddings_are_done_by_text),
        cmocka_unit_test(test_bodies_are_kept_as_configured),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
