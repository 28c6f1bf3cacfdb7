/* test_ledger.c - every transition of an attempt, and a property test: whatever the sequence, a
 * simple model of the ledger, the balances and ledger_check agree. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "actors/sweep/stage.h"
#include "core/base/rng.h"
#include "store/ledger.h"
#include "test/unit/store_dir.h"

static const int64_t start = INT64_C(1700000000000000);

static attempt_t reservation(uint32_t run, int64_t worst) {
    attempt_t attempt = {.state = ATTEMPT_RESERVED,
                         .run = run,
                         .stage = STAGE_EXPLAIN,
                         .day = 19675,
                         .request = hash_bytes("request", 7),
                         .job = hash_bytes("job", 3),
                         .worst_case = {worst},
                         .input_bound = 1000,
                         .output_maximum = 60,
                         .rate_charge = 310,
                         .reserved_utc = start,
                         .reserved_now = 77,
                         .era = UINT32_MAX,
                         .tries = 2};
    snprintf(attempt.model, sizeof attempt.model, "gpt-4o");
    snprintf(attempt.endpoint, sizeof attempt.endpoint, "openai");
    return attempt;
}

/* --- steps ------------------------------------------------------------------------------------ */

typedef enum { STEP_RESERVE, STEP_END, STEP_RECOVER, STEP_RELEASE } step_kind_t;

typedef struct {
    step_kind_t kind;
    attempt_t attempt;
    uint64_t number; /* to release */
    uint32_t run;
    const char *reason;
    uint64_t count;
    money_t amount;
} step_t;

static bool apply_step(store_txn_t *txn, void *context, error_info_t *error) {
    step_t *step = context;
    switch (step->kind) {
    case STEP_RESERVE: return ledger_reserve(txn, &step->attempt, error);
    case STEP_END: return ledger_end(txn, &step->attempt, error);
    case STEP_RECOVER: return ledger_recover(txn, start + 5, &step->count, &step->amount, error);
    case STEP_RELEASE:
        return ledger_release(txn, step->number, step->run, start + 9, step->reason, &step->count,
                              &step->amount, error);
    }
    return false;
}

static attempt_t reserve(store_t *store, uint32_t run, int64_t worst) {
    step_t step = {.kind = STEP_RESERVE, .attempt = reservation(run, worst)};
    store_dir_write(store, apply_step, &step);
    return step.attempt;
}

static bool try_end(store_t *store, attempt_t attempt, attempt_state_t state, int64_t cost,
                    error_info_t *error) {
    step_t step = {.kind = STEP_END, .attempt = attempt};
    step.attempt.state = state;
    step.attempt.cost.pico = cost;
    step.attempt.finished_utc = start + 3;
    step.attempt.prompt_tokens = 900;
    step.attempt.cached_tokens = 128;
    step.attempt.completion_tokens = 40;
    step.attempt.reasoning_tokens = 8;
    snprintf(step.attempt.verdict, sizeof step.attempt.verdict, "answer");
    return store_write(store, apply_step, &step, error);
}

static void end(store_t *store, attempt_t attempt, attempt_state_t state, int64_t cost) {
    error_info_t error = {0};
    if (!try_end(store, attempt, state, cost, &error))
        fail_msg("%s", error.message);
}

static attempt_t stored(store_t *store, uint64_t number) {
    attempt_t attempt;
    store_txn_t *txn = store_dir_read(store);
    assert_true(ledger_attempt_get(txn, number, &attempt));
    store_read_end(txn);
    return attempt;
}

static bool sum_balance(void *context, uint32_t run, int32_t day, job_stage_t stage,
                        const char *model, const balance_t *balance) {
    (void)run, (void)day, (void)stage, (void)model;
    balance_add(context, balance);
    return true;
}

static balance_t total(store_t *store, uint32_t run) {
    balance_t sum = {0};
    store_txn_t *txn = store_dir_read(store);
    ledger_balances(txn, run, sum_balance, &sum);
    store_read_end(txn);
    return sum;
}

static void assert_money(store_t *store, uint32_t run, int64_t settled, int64_t doubts,
                         int64_t reserved) {
    balance_t sum = total(store, run);
    assert_int_equal(sum.settled.pico, settled);
    assert_int_equal(sum.doubts.pico, doubts);
    assert_int_equal(sum.reserved.pico, reserved);
}

static void assert_sound(store_t *store) {
    buffer_t lines = BUFFER_EMPTY;
    store_txn_t *txn = store_dir_read(store);
    if (ledger_check(txn, &lines) != 0)
        fail_msg("%s", buffer_text(&lines));
    store_read_end(txn);
    buffer_free(&lines);
}

/* --- transitions ------------------------------------------------------------------------------ */

static void test_reserve(void **state) {
    store_dir_t *fixture = *state;
    attempt_t made = reserve(fixture->store, 3, 500);
    assert_int_equal(made.number, 1);
    assert_int_equal(reserve(fixture->store, 3, 70).number, 2);
    assert_int_equal(reserve(fixture->store, 4, 0).number, 3);
    attempt_t read = stored(fixture->store, 1);
    assert_int_equal(read.number, 1);
    assert_int_equal(read.state, ATTEMPT_RESERVED);
    assert_int_equal(read.run, 3);
    assert_int_equal(read.stage, STAGE_EXPLAIN);
    assert_int_equal(read.day, 19675);
    assert_string_equal(read.model, "gpt-4o");
    assert_string_equal(read.endpoint, "openai");
    assert_true(hash_equal(read.request, hash_bytes("request", 7)) &&
                hash_equal(read.job, hash_bytes("job", 3)));
    assert_int_equal(read.worst_case.pico, 500);
    assert_int_equal(read.input_bound, 1000);
    assert_int_equal(read.output_maximum, 60);
    assert_int_equal(read.rate_charge, 310);
    assert_int_equal(read.reserved_utc, start);
    assert_int_equal(read.reserved_now, 77);
    assert_int_equal(read.era, UINT32_MAX);
    assert_int_equal(read.tries, 2);
    assert_money(fixture->store, 3, 0, 0, 570);
    assert_int_equal(total(fixture->store, 0).attempts, 3);
    assert_sound(fixture->store);
}

static bool reserve_in_vain(store_txn_t *txn, void *context, error_info_t *error) {
    attempt_t attempt = reservation(3, 500);
    return ledger_reserve(txn, &attempt, error) &&
           (*(bool *)context || error_set(error, ERROR_FATAL, "not this time"));
}

static store_fate_t fail_commit(void *context, store_point_t point) {
    (void)context;
    return point == STORE_BEFORE_COMMIT ? STORE_FAIL : STORE_GO_ON;
}

/* The balance that a transaction held back goes with it, whether its function
 * failed or its commit. */
static void test_nothing_stays_of_what_failed(void **state) {
    store_dir_t *fixture = *state;
    for (int i = 0; i < 2; i++) {
        bool commits = i == 1;
        error_info_t error = {0};
        store_set_hook(fixture->store, fail_commit, NULL);
        assert_false(store_write(fixture->store, reserve_in_vain, &commits, &error));
        store_set_hook(fixture->store, NULL, NULL);
        assert_money(fixture->store, 3, 0, 0, i * 70);
        reserve(fixture->store, 3, 70);
        assert_money(fixture->store, 3, 0, 0, (i + 1) * 70);
        assert_sound(fixture->store);
    }
}

static void test_not_a_reservation(void **state) {
    store_dir_t *fixture = *state;
    for (int i = 0; i < 3; i++) {
        step_t step = {.kind = STEP_RESERVE, .attempt = reservation(1, i == 0 ? -1 : 10)};
        error_info_t error = {0};
        step.attempt.state = i == 1 ? ATTEMPT_DOUBT : ATTEMPT_RESERVED;
        step.attempt.stage = i == 2 ? JOB_STAGES : STAGE_EMBED;
        assert_false(store_write(fixture->store, apply_step, &step, &error));
        assert_int_equal(error.class_, ERROR_BUG);
    }
    assert_int_equal(total(fixture->store, 0).attempts, 0);
}

static void test_settle(void **state) {
    store_dir_t *fixture = *state;
    attempt_t attempt = reserve(fixture->store, 1, 500);
    attempt.response = 7;
    end(fixture->store, attempt, ATTEMPT_SETTLED, 123);
    attempt_t read = stored(fixture->store, 1);
    assert_int_equal(read.state, ATTEMPT_SETTLED);
    assert_int_equal(read.cost.pico, 123);
    assert_int_equal(read.response, 7);
    assert_int_equal(read.finished_utc, start + 3);
    assert_int_equal(read.reasoning_tokens, 8);
    assert_string_equal(read.verdict, "answer");
    assert_false(read.over_bound);
    assert_money(fixture->store, 1, 123, 0, 0);
    balance_t sum = total(fixture->store, 1);
    assert_int_equal(sum.answers, 1);
    assert_int_equal(sum.prompt_tokens, 900);
    assert_int_equal(sum.cached_tokens, 128);
    assert_int_equal(sum.completion_tokens, 40);
    assert_sound(fixture->store);
}

/* An endpoint that charged more than its bound, and one that claims nonsense:
 * kept, never refused. */
static void test_over_bound(void **state) {
    store_dir_t *fixture = *state;
    end(fixture->store, reserve(fixture->store, 1, 500), ATTEMPT_SETTLED, 501);
    assert_true(stored(fixture->store, 1).over_bound);
    assert_money(fixture->store, 1, 501, 0, 0);
    step_t step = {.kind = STEP_END, .attempt = reserve(fixture->store, 1, 500)};
    step.attempt.state = ATTEMPT_SETTLED;
    step.attempt.prompt_tokens = INT64_MAX;
    step.attempt.completion_tokens = -5;
    store_dir_write(fixture->store, apply_step, &step);
    step.attempt = reserve(fixture->store, 1, 500);
    step.attempt.state = ATTEMPT_SETTLED;
    step.attempt.prompt_tokens = INT64_MAX;
    store_dir_write(fixture->store, apply_step, &step);
    assert_sound(fixture->store);
}

static void test_void_and_doubt(void **state) {
    store_dir_t *fixture = *state;
    end(fixture->store, reserve(fixture->store, 1, 500), ATTEMPT_VOID, 99);
    assert_int_equal(stored(fixture->store, 1).cost.pico, 0);
    assert_money(fixture->store, 1, 0, 0, 0);
    attempt_t doubt = reserve(fixture->store, 1, 300);
    end(fixture->store, doubt, ATTEMPT_DOUBT, 1);
    assert_int_equal(stored(fixture->store, 2).cost.pico, 300);
    assert_money(fixture->store, 1, 0, 300, 0);
    assert_int_equal(total(fixture->store, 1).answers, 0);
    assert_int_equal(total(fixture->store, 1).prompt_tokens, 0);
    attempt_t answered = reserve(fixture->store, 1, 200);
    answered.response = 4;
    end(fixture->store, answered, ATTEMPT_DOUBT, 0);
    assert_int_equal(total(fixture->store, 1).answers, 1);
    assert_int_equal(total(fixture->store, 1).prompt_tokens, 900);
    assert_sound(fixture->store);
}

static void assert_bug(store_t *store, attempt_t attempt, attempt_state_t to, int64_t cost) {
    error_info_t error = {0};
    assert_false(try_end(store, attempt, to, cost, &error));
    assert_int_equal(error.class_, ERROR_BUG);
}

static void test_no_other_transitions(void **state) {
    store_dir_t *fixture = *state;
    store_t *store = fixture->store;
    const attempt_state_t ends[] = {ATTEMPT_SETTLED, ATTEMPT_VOID, ATTEMPT_DOUBT};
    for (size_t i = 0; i < 3; i++) {
        attempt_t attempt = reserve(store, 1, 500);
        assert_bug(store, attempt, ATTEMPT_RESERVED, 0);
        assert_bug(store, attempt, ATTEMPT_RELEASED, 0);
        assert_bug(store, attempt, ATTEMPT_SETTLED, -1);
        attempt_t mixed = attempt;
        mixed.request = hash_bytes("another", 7);
        assert_bug(store, mixed, ends[i], 5);
        mixed = attempt;
        mixed.worst_case.pico++;
        assert_bug(store, mixed, ends[i], 5);
        end(store, attempt, ends[i], 5);
        for (size_t again = 0; again < 3; again++)
            assert_bug(store, attempt, ends[again], 5);
    }
    attempt_t missing = reserve(store, 1, 1);
    missing.number = 77;
    assert_bug(store, missing, ATTEMPT_SETTLED, 1);
    assert_sound(store);
}

static bool note_entry(void *context, uint64_t number, const ledger_entry_t *entry) {
    buffer_append_format(context, "%d %d:%d:%d:%s ", (int)number, (int)entry->attempt,
                         (int)entry->kind, (int)entry->amount.pico,
                         !entry->reason ? "" : entry->reason);
    return number < 7;
}

static void test_recover_and_release(void **state) {
    store_dir_t *fixture = *state;
    store_t *store = fixture->store;
    reserve(store, 1, 100);
    end(store, reserve(store, 1, 200), ATTEMPT_SETTLED, 5);
    reserve(store, 2, 400);
    step_t recover = {.kind = STEP_RECOVER};
    store_dir_write(store, apply_step, &recover);
    assert_int_equal(recover.count, 2);
    assert_int_equal(recover.amount.pico, 500);
    assert_string_equal(stored(store, 1).verdict, "crash");
    assert_int_equal(stored(store, 3).state, ATTEMPT_DOUBT);
    assert_money(store, 0, 5, 500, 0);
    store_dir_write(store, apply_step, &recover);
    assert_int_equal(recover.count, 0);

    step_t release = {.kind = STEP_RELEASE, .number = 2, .reason = "the bill says so"};
    error_info_t error = {0};
    assert_false(store_write(store, apply_step, &release, &error));
    assert_int_equal(error.class_, ERROR_USAGE);
    assert_non_null(strstr(error.message, "attempt 2 is no doubt but settled"));
    release.number = 99;
    assert_false(store_write(store, apply_step, &release, &error));
    assert_int_equal(error.class_, ERROR_USAGE);
    release.number = 0;
    release.run = 9;
    store_dir_write(store, apply_step, &release);
    assert_int_equal(release.count, 0);
    release.run = 2;
    store_dir_write(store, apply_step, &release);
    assert_int_equal(release.count, 1);
    assert_int_equal(release.amount.pico, 400);
    assert_money(store, 2, 0, 0, 0);
    assert_money(store, 1, 5, 100, 0);
    release.number = 1;
    store_dir_write(store, apply_step, &release);
    assert_int_equal(stored(store, 1).state, ATTEMPT_RELEASED);
    assert_money(store, 0, 5, 0, 0);
    assert_false(store_write(store, apply_step, &release, &error));
    assert_sound(store);

    buffer_t entries = BUFFER_EMPTY;
    store_txn_t *txn = store_dir_read(store);
    ledger_entries(txn, note_entry, &entries);
    store_read_end(txn);
    assert_string_equal(buffer_text(&entries),
                        "1 1:0:100: 2 2:0:200: 3 2:1:5: 4 3:0:400: 5 1:3:100:crash "
                        "6 3:3:400:crash 7 3:4:400:the bill says so ");
    buffer_free(&entries);
}

/* --- walks ------------------------------------------------------------------------------------ */

typedef struct {
    uint64_t numbers[16];
    size_t count, limit;
} seen_t;

static bool note_attempt(void *context, const attempt_t *attempt) {
    seen_t *seen = context;
    seen->numbers[seen->count++] = attempt->number;
    return seen->count != seen->limit;
}

static void assert_seen(const seen_t *seen, size_t count, const uint64_t *numbers) {
    assert_int_equal(seen->count, count);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(seen->numbers[i], numbers[i]);
}

static void test_walks(void **state) {
    store_dir_t *fixture = *state;
    const int64_t minute = INT64_C(60000000);
    /* in minutes; the clock steps back by ten between the third and the fourth */
    const int64_t times[] = {0, 100, 110, 101, 111, 112};
    for (size_t i = 0; i < 6; i++) {
        step_t step = {.kind = STEP_RESERVE, .attempt = reservation(1, 10)};
        step.attempt.reserved_utc = start + times[i] * minute;
        store_dir_write(fixture->store, apply_step, &step);
        if (i % 2 == 1)
            end(fixture->store, step.attempt, ATTEMPT_DOUBT, 0);
    }
    store_txn_t *txn = store_dir_read(fixture->store);
    seen_t seen = {0};
    ledger_attempts_since(txn, start + 105 * minute, note_attempt, &seen);
    assert_seen(&seen, 3, (uint64_t[]){6, 5, 3});
    seen = (seen_t){.limit = 2};
    ledger_attempts_since(txn, INT64_MIN, note_attempt, &seen);
    assert_seen(&seen, 2, (uint64_t[]){6, 5});
    seen = (seen_t){0};
    ledger_attempts_since(txn, start, note_attempt, &seen);
    assert_int_equal(seen.count, 6);
    seen = (seen_t){0};
    ledger_open_attempts(txn, note_attempt, &seen);
    assert_seen(&seen, 3, (uint64_t[]){1, 3, 5});
    seen = (seen_t){.limit = 2};
    ledger_doubts(txn, note_attempt, &seen);
    assert_seen(&seen, 2, (uint64_t[]){2, 4});
    store_read_end(txn);
}

/* --- the property test ------------------------------------------------------------------------ */

enum { STEPS = 600, RUNS = 3 };

typedef struct {
    attempt_t attempts[STEPS + 1]; /* by number */
    uint64_t count;
} model_t;

static uint64_t pick(rng_t *rng, const model_t *model, attempt_state_t state) {
    uint64_t offset = rng_below(rng, model->count + 1);
    for (uint64_t i = 0; i < model->count; i++) {
        uint64_t number = (i + offset) % model->count + 1;
        if (model->attempts[number].state == state)
            return number;
    }
    return 0;
}

static void random_reserve(rng_t *rng, store_t *store, model_t *model) {
    static const char *const models[] = {"gpt-4o", "gpt-4o-mini", "m"};
    step_t step = {.kind = STEP_RESERVE,
                   .attempt = reservation(1 + (uint32_t)rng_below(rng, RUNS),
                                          (int64_t)rng_below(rng, 1000000))};
    step.attempt.day = (int32_t)rng_below(rng, 3) - 1;
    step.attempt.stage = (job_stage_t)rng_below(rng, JOB_STAGES);
    snprintf(step.attempt.model, sizeof step.attempt.model, "%s", models[rng_below(rng, 3)]);
    store_dir_write(store, apply_step, &step);
    assert_int_equal(step.attempt.number, model->count + 1);
    model->attempts[++model->count] = step.attempt;
}

static void random_end(rng_t *rng, store_t *store, model_t *model) {
    uint64_t number = pick(rng, model, ATTEMPT_RESERVED);
    if (number == 0)
        return;
    attempt_t *attempt = &model->attempts[number];
    attempt_state_t to = (attempt_state_t)(ATTEMPT_SETTLED + rng_below(rng, 3));
    int64_t cost = (int64_t)rng_below(rng, (uint64_t)attempt->worst_case.pico + 2);
    attempt->response = to != ATTEMPT_VOID && rng_below(rng, 2) == 1 ? number : 0;
    end(store, *attempt, to, cost);
    attempt->state = to;
    attempt->cost.pico = to == ATTEMPT_SETTLED ? cost
                         : to == ATTEMPT_DOUBT ? attempt->worst_case.pico
                                               : 0;
}

static void random_release(rng_t *rng, store_t *store, model_t *model) {
    step_t step = {.kind = STEP_RELEASE, .reason = "why not"};
    bool one = rng_below(rng, 4) != 0;
    step.number = one ? pick(rng, model, ATTEMPT_DOUBT) : 0;
    step.run = (uint32_t)rng_below(rng, RUNS + 1);
    if (one && step.number == 0)
        return;
    store_dir_write(store, apply_step, &step);
    uint64_t count = 0;
    for (uint64_t i = 1; i <= model->count; i++) {
        attempt_t *attempt = &model->attempts[i];
        bool meant = one ? i == step.number : step.run == 0 || attempt->run == step.run;
        if (meant && attempt->state == ATTEMPT_DOUBT) {
            attempt->state = ATTEMPT_RELEASED;
            count++;
        }
    }
    assert_int_equal(step.count, count);
}

static void random_recover(store_t *store, model_t *model) {
    step_t step = {.kind = STEP_RECOVER};
    store_dir_write(store, apply_step, &step);
    for (uint64_t i = 1; i <= model->count; i++) {
        attempt_t *attempt = &model->attempts[i];
        step.count -= attempt->state == ATTEMPT_RESERVED;
        attempt->state = attempt->state == ATTEMPT_RESERVED ? ATTEMPT_DOUBT : attempt->state;
    }
    assert_int_equal(step.count, 0);
}

static void assert_as_model(store_t *store, const model_t *model) {
    for (uint32_t run = 0; run <= RUNS; run++) {
        int64_t settled = 0, doubts = 0, reserved = 0, attempts = 0, answers = 0;
        for (uint64_t i = 1; i <= model->count; i++) {
            const attempt_t *attempt = &model->attempts[i];
            bool counts = run == 0 || attempt->run == run;
            bool doubt = attempt->state == ATTEMPT_DOUBT;
            attempts += counts;
            settled += counts && attempt->state == ATTEMPT_SETTLED ? attempt->cost.pico : 0;
            doubts += counts && doubt ? attempt->worst_case.pico : 0;
            reserved += counts && attempt->state == ATTEMPT_RESERVED ? attempt->worst_case.pico : 0;
            answers +=
                counts && (attempt->state == ATTEMPT_SETTLED || (doubt && attempt->response != 0));
        }
        assert_money(store, run, settled, doubts, reserved);
        balance_t sum = total(store, run);
        assert_int_equal(sum.attempts, attempts);
        assert_int_equal(sum.answers, answers);
        assert_int_equal(sum.prompt_tokens, 900 * answers);
        assert_int_equal(sum.completion_tokens, 40 * answers);
    }
}

static void test_random_sequences(void **state) {
    store_dir_t *fixture = *state;
    model_t *model = MEMORY_NEW(model_t);
    rng_t rng = rng_create(20261122);
    for (int i = 0; i < STEPS; i++) {
        uint64_t what = rng_below(&rng, 100);
        if (what < 50)
            random_reserve(&rng, fixture->store, model);
        else if (what < 85)
            random_end(&rng, fixture->store, model);
        else if (what < 98)
            random_release(&rng, fixture->store, model);
        else
            random_recover(fixture->store, model);
        if (i % 10 == 0) {
            assert_as_model(fixture->store, model);
            assert_sound(fixture->store);
        }
    }
    assert_as_model(fixture->store, model);
    assert_sound(fixture->store);
    free(model);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_reserve, store_dir_setup, store_dir_teardown),
        cmocka_unit_test_setup_teardown(test_nothing_stays_of_what_failed, store_dir_setup,
                                        store_dir_teardown),
        cmocka_unit_test_setup_teardown(test_not_a_reservation, store_dir_setup,
                                        store_dir_teardown),
        cmocka_unit_test_setup_teardown(test_settle, store_dir_setup, store_dir_teardown),
        cmocka_unit_test_setup_teardown(test_over_bound, store_dir_setup, store_dir_teardown),
        cmocka_unit_test_setup_teardown(test_void_and_doubt, store_dir_setup, store_dir_teardown),
        cmocka_unit_test_setup_teardown(test_no_other_transitions, store_dir_setup,
                                        store_dir_teardown),
        cmocka_unit_test_setup_teardown(test_recover_and_release, store_dir_setup,
                                        store_dir_teardown),
        cmocka_unit_test_setup_teardown(test_walks, store_dir_setup, store_dir_teardown),
        cmocka_unit_test_setup_teardown(test_random_sequences, store_dir_setup, store_dir_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
