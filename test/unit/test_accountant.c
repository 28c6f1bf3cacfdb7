/* test_accountant.c - what is granted, refused and set free. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "actors/accountant.h"
#include "core/base/text.h"
#include "test/unit/actor_fixture.h"
#include "test/unit/store_dir.h"

/* Money in this test is in millionths of a dollar. */
static const int64_t MILLIONTH = 1000000;
static const int64_t HOUR = 60 * CLOCK_MINUTE;
enum { CHAT, TEXT, RUN = 7, OTHER_RUN = 3 };

typedef struct {
    fixture_t *fixture;
    const settings_t *settings;
    played_t *pool, *archivist, *reporter;
    actor_t *accountant;
} scene_t;

static scene_t begin(fixture_t *fixture, const settings_t *settings) {
    scene_t scene = {.fixture = fixture, .settings = settings};
    scene.pool = played_create(fixture, "client_pool");
    scene.archivist = played_create(fixture, "archivist");
    scene.reporter = played_create(fixture, "reporter");
    accountant_options_t options = {.settings = settings,
                                    .store = fixture_store(fixture),
                                    .run = RUN,
                                    .archivist = scene.archivist->actor,
                                    .log = fixture->log};
    error_info_t error = {0};
    scene.accountant = accountant_create(fixture->scheduler, &options, 0, &error);
    if (!scene.accountant)
        fail_msg("%s", error.message);
    accountant_set_pool(scene.accountant, scene.pool->actor);
    return scene;
}

/* --- steps ------------------------------------------------------------------------------------ */

static void ask(scene_t *scene, ticket_t *ticket) {
    played_tell(scene->pool, scene->accountant, MSG_RESERVE, ticket, ticket_free);
    fixture_settle(scene->fixture);
}

/* What the accountant asked to be written is committed. */
static void commit(scene_t *scene) {
    write_t *write = played_take(scene->archivist, MSG_WRITE);
    assert_ptr_equal(write->reply_to, scene->accountant);
    played_tell(scene->archivist, scene->accountant, MSG_WRITTEN, write, write_free);
    fixture_settle(scene->fixture);
}

/* Asks for money, and gets it: the ticket comes back to the pool. */
static ticket_t *grant(scene_t *scene, size_t model, int64_t worst_case) {
    ask(scene, fixture_ticket(scene->fixture, model, worst_case));
    commit(scene);
    return played_take(scene->pool, MSG_RESERVED);
}

/* Asks for money, and is refused; the caller frees the ticket. */
static ticket_t *refused(scene_t *scene, size_t model, int64_t worst_case) {
    ask(scene, fixture_ticket(scene->fixture, model, worst_case));
    played_assert(scene->archivist, "");
    return played_take(scene->pool, MSG_REFUSED);
}

static void assert_refused(scene_t *scene, size_t model, int64_t worst_case, const char *text) {
    ticket_t *ticket = refused(scene, model, worst_case);
    if (!strstr(ticket->refusal.message, text))
        fail_msg("refused because \"%s\", not \"%s\"", ticket->refusal.message, text);
    assert_true(ticket->refusal.until > 0);
    ticket_free(ticket);
}

/* The exchange came to an end; nothing is committed yet. */
static void end(scene_t *scene, ticket_t *ticket, retry_verdict_t verdict) {
    ticket->outcome.verdict = verdict;
    played_tell(scene->pool, scene->accountant, MSG_ENDED, ticket, ticket_free);
    fixture_settle(scene->fixture);
}

/* An answer whose usage costs so much: chat has a price of 0.5 millionths an input token. */
static void answered(ticket_t *ticket, int64_t cost) {
    ticket->outcome.usage.present = true;
    ticket->outcome.usage.prompt_tokens = 2 * cost;
}

/* From the pool's RESERVED to its SETTLED. */
static void settle(scene_t *scene, ticket_t *ticket, int64_t cost) {
    answered(ticket, cost);
    end(scene, ticket, RETRY_ANSWER);
    commit(scene);
    ticket_free(played_take(scene->pool, MSG_SETTLED));
}

static void doubt(scene_t *scene, ticket_t *ticket) {
    end(scene, ticket, RETRY_TIMEOUT);
    commit(scene);
    ticket_free(played_take(scene->pool, MSG_SETTLED));
}

static void assert_stands(scene_t *scene, int64_t settled, int64_t doubts, int64_t reserved) {
    played_tell(scene->reporter, scene->accountant, MSG_ASK, NULL, NULL);
    fixture_settle(scene->fixture);
    facts_t *facts = played_take(scene->reporter, MSG_FACTS);
    assert_int_equal(facts->from, FACTS_ACCOUNTANT);
    assert_int_equal(facts->settled.pico, settled * MILLIONTH);
    assert_int_equal(facts->doubts.pico, doubts * MILLIONTH);
    assert_int_equal(facts->reserved.pico, reserved * MILLIONTH);
    assert_int_equal(facts->cap.pico, scene->settings->cap_total.pico);
    free(facts);
}

/* An attempt that the store has from an earlier start: a doubt, or settled at its worst case. */
typedef struct {
    uint32_t run;
    const char *model;
    int64_t worst_case, utc;
    attempt_state_t state;
} past_t;

static bool write_past(store_txn_t *txn, void *context, error_info_t *error) {
    const past_t *past = context;
    attempt_t attempt = {.run = past->run,
                         .stage = STAGE_EXPLAIN,
                         .day = text_day_of(past->utc),
                         .request = hash_bytes("past", 4),
                         .job = hash_bytes("past", 4),
                         .worst_case = {past->worst_case * MILLIONTH},
                         .reserved_utc = past->utc};
    text_copy(attempt.model, sizeof attempt.model, past->model);
    if (!ledger_reserve(txn, &attempt, error))
        return false;
    attempt.state = past->state;
    attempt.cost = attempt.worst_case;
    return ledger_end(txn, &attempt, error);
}

static void remember(fixture_t *fixture, past_t past) {
    if (past.utc == 0)
        past.utc = clock_utc(fixture->clock);
    store_dir_write(fixture_store(fixture), write_past, &past);
}

/* --- an attempt's way ------------------------------------------------------------------------- */

static void test_nothing_starts_before_its_reservation_is_durable(void **state) {
    (void)state;
    fixture_t *fixture = fixture_create();
    scene_t scene = begin(fixture, fixture_settings(fixture, NULL));
    ticket_t *ticket = fixture_ticket(fixture, CHAT, 500);
    ticket->request.charge_estimate = 350;
    ticket->attempts = 2;
    ask(&scene, ticket);
    played_assert(scene.pool, "");
    assert_stands(&scene, 0, 0, 500); /* counted at once: the next to ask must find it */
    write_t *write = played_take(scene.archivist, MSG_WRITE);
    assert_int_equal(write->kind, WRITE_RESERVE);
    const attempt_t *attempt = write->attempt;
    assert_int_equal(attempt->state, ATTEMPT_RESERVED);
    assert_int_equal(attempt->run, RUN);
    assert_int_equal(attempt->stage, STAGE_EXPLAIN);
    assert_int_equal(attempt->day, text_day_of(clock_utc(fixture->clock)));
    assert_string_equal(attempt->model, "chat");
    assert_string_equal(attempt->endpoint, "a");
    assert_true(hash_equal(attempt->request, ticket->request.id));
    assert_true(hash_equal(attempt->job, ticket->job->id));
    assert_int_equal(attempt->worst_case.pico, 500 * MILLIONTH);
    assert_int_equal(attempt->rate_charge, 350);
    assert_int_equal(attempt->reserved_utc, clock_utc(fixture->clock));
    assert_int_equal(attempt->tries, 2);
    played_tell(scene.archivist, scene.accountant, MSG_WRITTEN, write, write_free);
    fixture_settle(fixture);
    ticket_free(played_take(scene.pool, MSG_RESERVED));
    fixture_free(fixture);
}

static void test_an_answer_and_its_settlement_are_one_write(void **state) {
    (void)state;
    fixture_t *fixture = fixture_create();
    scene_t scene = begin(fixture, fixture_settings(fixture, NULL));
    ticket_t *ticket = grant(&scene, CHAT, 500);
    buffer_append_text(&ticket->outcome.packed, "packed");
    request_add_input(&ticket->request, "a text", hash_bytes("second", 6));
    fixture_pass(fixture, CLOCK_SECOND);
    answered(ticket, 200);
    end(&scene, ticket, RETRY_ANSWER);
    played_assert(scene.pool, ""); /* nobody has the answer before it is stored */
    assert_stands(&scene, 0, 0, 500);
    write_t *write = played_take(scene.archivist, MSG_WRITE);
    assert_int_equal(write->kind, WRITE_END);
    assert_int_equal(write->attempt->state, ATTEMPT_SETTLED);
    assert_int_equal(write->attempt->cost.pico, 200 * MILLIONTH);
    assert_int_equal(write->attempt->prompt_tokens, 400);
    assert_false(write->attempt->over_bound);
    assert_string_equal(write->attempt->verdict, "answer");
    assert_int_equal(write->attempt->finished_utc, write->attempt->reserved_utc + CLOCK_SECOND);
    assert_string_equal(buffer_text(&write->packed), "packed");
    assert_int_equal(write->embed_count, 1);
    assert_true(hash_equal(write->embed_keys[0], hash_bytes("second", 6)));
    played_tell(scene.archivist, scene.accountant, MSG_WRITTEN, write, write_free);
    fixture_settle(fixture);
    ticket_free(played_take(scene.pool, MSG_SETTLED));
    assert_stands(&scene, 200, 0, 0);
    fixture_free(fixture);
}

/* What may have been served stays charged at its worst case, unless no byte of it left. */
static void test_what_each_end_costs(void **state) {
    (void)state;
    for (retry_verdict_t verdict = 0; verdict < RETRY_VERDICT_COUNT; verdict++)
        for (int never_sent = 0; never_sent < 2; never_sent++) {
            fixture_t *fixture = fixture_create();
            scene_t scene = begin(fixture, fixture_settings(fixture, NULL));
            ticket_t *ticket = grant(&scene, CHAT, 500);
            ticket->outcome.never_sent = never_sent;
            buffer_append_text(&ticket->outcome.packed, "body"); /* kept only if it is an answer */
            end(&scene, ticket, verdict);
            write_t *write = scene.archivist->first->payload;
            bool is_free = never_sent || retry_verdict_is_free(verdict);
            assert_int_equal(write->attempt->state, is_free ? ATTEMPT_VOID : ATTEMPT_DOUBT);
            assert_int_equal(write->attempt->cost.pico, is_free ? 0 : 500 * MILLIONTH);
            assert_string_equal(write->attempt->verdict, retry_verdict_name(verdict));
            assert_int_equal(write->packed.length, verdict == RETRY_ANSWER ? 4 : 0);
            commit(&scene);
            assert_stands(&scene, 0, is_free ? 0 : 500, 0);
            fixture_free(fixture);
        }
}

static void test_usage_above_what_was_set_aside_is_charged_and_said(void **state) {
    (void)state;
    fixture_t *fixture = fixture_create();
    scene_t scene = begin(fixture, fixture_settings(fixture, "budget.total_usd=0.001", NULL));
    ticket_t *dear = grant(&scene, CHAT, 500), *other = grant(&scene, CHAT, 500);
    answered(dear, 800); /* 1,600 tokens, the bound being 1,000 */
    end(&scene, dear, RETRY_ANSWER);
    commit(&scene);
    dear = played_take(scene.pool, MSG_SETTLED);
    assert_true(dear->attempt.over_bound);
    ticket_free(dear);
    /* above the cap, by no choice of ours; nothing more is granted */
    assert_stands(&scene, 800, 0, 500);
    assert_refused(&scene, CHAT, 1, "budget.total_usd");
    settle(&scene, other, 500);
    played_take(scene.pool, MSG_FREED);
    assert_refused(&scene, CHAT, 1, "budget.total_usd");
    fixture_free(fixture);
}

static void test_what_an_endpoint_says_is_redacted(void **state) {
    (void)state;
    fixture_t *fixture = fixture_create();
    scene_t scene = begin(fixture, fixture_settings(fixture, NULL));
    log_add_secret(fixture->log, "sk-secret");
    ticket_t *ticket = grant(&scene, CHAT, 500);
    text_copy(ticket->outcome.detail.code, sizeof ticket->outcome.detail.code, "invalid_api_key");
    text_copy(ticket->outcome.detail.message, sizeof ticket->outcome.detail.message,
              "no such key: sk-secret");
    end(&scene, ticket, RETRY_CREDENTIALS);
    write_t *write = scene.archivist->first->payload;
    assert_string_equal(write->attempt->code, "invalid_api_key");
    assert_non_null(strstr(write->attempt->message, "no such key"));
    assert_null(strstr(write->attempt->message, "sk-secret"));
    fixture_free(fixture);
}

/* --- caps ------------------------------------------------------------------------------------- */

static void test_a_cap_is_used_to_its_last_millionth(void **state) {
    (void)state;
    static const char *const caps[] = {"budget.total_usd", "budget.models.chat", "budget.store_usd",
                                       "budget.daily_usd"};
    for (size_t i = 0; i < sizeof caps / sizeof caps[0]; i++) {
        fixture_t *fixture = fixture_create();
        char assignment[64];
        snprintf(assignment, sizeof assignment, "%s=0.001", caps[i]);
        scene_t scene =
            begin(fixture, fixture_settings(fixture, assignment, "budget.doubts_usd=1", NULL));
        ticket_t *settled = grant(&scene, CHAT, 400), *doubted = grant(&scene, CHAT, 300);
        settle(&scene, settled, 200); /* 200 charged, 300 reserved */
        doubt(&scene, doubted);       /* 500 charged */
        ticket_t *reserved = grant(&scene, CHAT, 499);
        assert_refused(&scene, CHAT, 2,
                       strcmp(caps[i], "budget.models.chat") ? caps[i] : "budget.models.\"chat\"");
        ticket_t *last = grant(&scene, CHAT, 1);
        assert_refused(&scene, CHAT, 1, "the next request needs $0.000001 more");
        assert_stands(&scene, 200, 300, 500);
        settle(&scene, reserved, 499);
        played_take(scene.pool, MSG_FREED);
        settle(&scene, last, 1);
        assert_refused(&scene, CHAT, 1, "is reached: $0.001000 are spent, in doubt or reserved");
        fixture_free(fixture);
    }
}

static void test_a_models_cap_is_that_models_alone(void **state) {
    (void)state;
    fixture_t *fixture = fixture_create();
    remember(fixture,
             (past_t){.run = RUN, .model = "chat", .worst_case = 600, .state = ATTEMPT_SETTLED});
    remember(
        fixture,
        (past_t){.run = OTHER_RUN, .model = "chat", .worst_case = 600, .state = ATTEMPT_SETTLED});
    remember(fixture,
             (past_t){.run = RUN, .model = "text", .worst_case = 600, .state = ATTEMPT_SETTLED});
    scene_t scene = begin(fixture, fixture_settings(fixture, "budget.models.chat=0.001", NULL));
    assert_refused(&scene, CHAT, 401, "budget.models.\"chat\"");
    ticket_free(grant(&scene, CHAT, 400));
    ticket_free(grant(&scene, TEXT, 5000));
    fixture_free(fixture);
}

static void test_the_stores_cap_spans_runs_and_days(void **state) {
    (void)state;
    fixture_t *fixture = fixture_create();
    int64_t long_ago = clock_utc(fixture->clock) - 400 * 24 * HOUR;
    remember(fixture, (past_t){.run = OTHER_RUN,
                               .model = "chat",
                               .worst_case = 300,
                               .utc = long_ago,
                               .state = ATTEMPT_SETTLED});
    remember(fixture, (past_t){.run = OTHER_RUN,
                               .model = "a model of once",
                               .worst_case = 300,
                               .state = ATTEMPT_DOUBT});
    remember(fixture, (past_t){.run = RUN,
                               .model = "a model of once",
                               .worst_case = 300,
                               .state = ATTEMPT_SETTLED});
    scene_t scene = begin(fixture, fixture_settings(fixture, "budget.store_usd=0.001",
                                                    "budget.total_usd=0.001", NULL));
    assert_stands(&scene, 300, 0, 0);
    assert_refused(&scene, CHAT, 101, "budget.store_usd");
    ticket_free(grant(&scene, CHAT, 100));
    fixture_free(fixture);
}

static void test_a_cap_that_was_lowered_grants_nothing(void **state) {
    (void)state;
    fixture_t *fixture = fixture_create();
    remember(fixture,
             (past_t){.run = RUN, .model = "chat", .worst_case = 5000, .state = ATTEMPT_SETTLED});
    scene_t scene = begin(fixture, fixture_settings(fixture, "budget.total_usd=0.001", NULL));
    assert_stands(&scene, 5000, 0, 0);
    assert_refused(&scene, CHAT, 1, "budget.total_usd");
    fixture_free(fixture);
}

static void test_one_request_above_a_cap_is_hopeless(void **state) {
    (void)state;
    fixture_t *fixture = fixture_create();
    scene_t scene = begin(fixture, fixture_settings(fixture, "budget.total_usd=0.001", NULL));
    ticket_t *ticket = refused(&scene, CHAT, 1001);
    assert_true(ticket->refusal.hopeless);
    assert_string_equal(ticket->refusal.message,
                        "budget.total_usd = $0.001000 is smaller than one request ($0.001001 at "
                        "worst); raise it");
    ticket_free(ticket);
    ticket_free(grant(&scene, CHAT, 600));
    ticket = refused(&scene, CHAT, 600);
    assert_false(ticket->refusal.hopeless);
    assert_true(ticket->refusal.until == INT64_MAX);
    ticket_free(ticket);
    fixture_free(fixture);
}

/* Doubts that exist count, not reservations that may become doubts. */
static void test_doubts_have_a_cap_of_their_own(void **state) {
    (void)state;
    fixture_t *fixture = fixture_create();
    scene_t scene = begin(fixture, fixture_settings(fixture, "budget.doubts_usd=0.001", NULL));
    ticket_t *first = grant(&scene, CHAT, 800), *second = grant(&scene, CHAT, 800),
             *third = grant(&scene, CHAT, 800);
    doubt(&scene, first);
    assert_refused(&scene, CHAT, 201, "budget.doubts_usd");
    ticket_free(grant(&scene, CHAT, 200));
    doubt(&scene, second); /* passed, by what was in flight */
    played_take(scene.pool, MSG_FREED);
    assert_stands(&scene, 0, 1600, 1000);
    assert_refused(&scene, CHAT, 1, "`glia ledger release`");
    ticket_free(grant(&scene, CHAT, 0)); /* what costs nothing cannot add a doubt */
    settle(&scene, third, 100);
    fixture_free(fixture);
}

static void test_the_first_doubt_needs_no_room(void **state) {
    (void)state;
    fixture_t *fixture = fixture_create();
    scene_t scene = begin(fixture, fixture_settings(fixture, "budget.doubts_usd=0.001", NULL));
    doubt(&scene, grant(&scene, CHAT, 2000));
    assert_refused(&scene, CHAT, 2000, "budget.doubts_usd");
    fixture_free(fixture);
}

static void test_doubts_of_earlier_starts_count(void **state) {
    (void)state;
    fixture_t *fixture = fixture_create();
    remember(fixture,
             (past_t){.run = RUN, .model = "chat", .worst_case = 800, .state = ATTEMPT_DOUBT});
    scene_t scene = begin(fixture, fixture_settings(fixture, "budget.doubts_usd=0.001", NULL));
    assert_stands(&scene, 0, 800, 0);
    assert_refused(&scene, CHAT, 201, "budget.doubts_usd");
    fixture_free(fixture);
}

/* --- days ------------------------------------------------------------------------------------- */

static void test_midnight_gives_a_new_day(void **state) {
    (void)state;
    fixture_t *fixture = fixture_create();
    remember(fixture,
             (past_t){.run = RUN, .model = "chat", .worst_case = 300, .state = ATTEMPT_SETTLED});
    remember(fixture, (past_t){.run = RUN,
                               .model = "chat",
                               .worst_case = 900,
                               .utc = clock_utc(fixture->clock) - 24 * HOUR,
                               .state = ATTEMPT_SETTLED});
    scene_t scene = begin(fixture, fixture_settings(fixture, "budget.daily_usd=0.001", NULL));
    ticket_t *evening = grant(&scene, CHAT, 700);
    ticket_t *ticket = refused(&scene, CHAT, 1);
    assert_true(ticket->refusal.until == INT64_MAX); /* on_daily_cap = "pause" */
    ticket_free(ticket);
    fixture_pass(fixture, 12 * HOUR - 1);
    assert_refused(&scene, CHAT, 1, "budget.daily_usd");
    fixture_pass(fixture, 1);
    ticket_t *morning = grant(&scene, CHAT, 600);
    settle(&scene, evening, 700); /* counts against its own day, whenever it ends */
    played_take(scene.pool, MSG_FREED);
    assert_refused(&scene, CHAT, 401, "budget.daily_usd");
    ticket_free(grant(&scene, CHAT, 400));
    settle(&scene, morning, 100);
    played_take(scene.pool, MSG_FREED);
    ticket_free(grant(&scene, CHAT, 500));
    fixture_free(fixture);
}

static size_t lines_with(const fixture_t *fixture, const char *text) {
    size_t count = 0;
    for (const char *at = buffer_text(&fixture->lines); (at = strstr(at, text)); at++)
        count++;
    return count;
}

static void test_midnight_is_waited_for_if_so_configured(void **state) {
    (void)state;
    fixture_t *fixture = fixture_create();
    scene_t scene = begin(fixture, fixture_settings(fixture, "budget.daily_usd=0.001",
                                                    "budget.on_daily_cap=\"wait\"", NULL));
    ticket_t *open = grant(&scene, CHAT, 1000);
    fixture_pass(fixture, 2 * HOUR);
    ticket_t *ticket = refused(&scene, CHAT, 500);
    assert_int_equal(ticket->refusal.until - clock_now(fixture->clock), 10 * HOUR);
    ticket_free(ticket);
    /* a settlement may still make room */
    assert_int_equal(lines_with(fixture, "waiting for midnight"), 0);
    settle(&scene, open, 1000);
    played_take(scene.pool, MSG_FREED);
    ticket_free(refused(&scene, CHAT, 500));
    ticket_free(refused(&scene, CHAT, 500));
    assert_int_equal(lines_with(fixture, "waiting for midnight"), 1); /* once a day */
    ticket = refused(&scene, CHAT, 1001);
    /* no day is long enough */
    assert_true(ticket->refusal.hopeless && ticket->refusal.until == INT64_MAX);
    ticket_free(ticket);
    fixture_pass(fixture, 10 * HOUR);
    ticket_free(grant(&scene, CHAT, 1000));
    fixture_free(fixture);
}

/* A disk may be full for longer than a week, and the clock be set. */
static void test_a_day_with_open_reservations_is_not_forgotten(void **state) {
    (void)state;
    fixture_t *fixture = fixture_create();
    scene_t scene = begin(fixture, fixture_settings(fixture, "budget.daily_usd=0.001", NULL));
    ticket_t *open = grant(&scene, CHAT, 1000);
    for (int day = 0; day < 20; day++) {
        fixture_pass(fixture, 24 * HOUR);
        settle(&scene, grant(&scene, CHAT, 700), 700);
    }
    world_step_utc(fixture->world, -20 * 24 * HOUR);
    assert_refused(&scene, CHAT, 1, "budget.daily_usd");
    settle(&scene, open, 999);
    played_take(scene.pool, MSG_FREED);
    ticket_free(grant(&scene, CHAT, 1));
    fixture_free(fixture);
}

/* --- what comes free -------------------------------------------------------------------------- */

static void test_freed_money_is_announced_once_to_those_who_were_refused(void **state) {
    (void)state;
    fixture_t *fixture = fixture_create();
    scene_t scene = begin(fixture, fixture_settings(fixture, "budget.total_usd=0.001", NULL));
    ticket_t *tickets[4];
    for (size_t i = 0; i < 4; i++)
        tickets[i] = grant(&scene, CHAT, 250);
    settle(&scene, tickets[0], 250);
    played_assert(scene.pool, ""); /* nobody was refused */
    assert_refused(&scene, CHAT, 250, "budget.total_usd");
    assert_refused(&scene, CHAT, 250, "budget.total_usd");
    settle(&scene, tickets[1], 100);
    played_assert(scene.pool, "FREED");
    played_clear(scene.pool);
    settle(&scene, tickets[2], 100);
    played_assert(scene.pool, "");
    ticket_free(grant(&scene, CHAT, 300)); /* 450 charged, 250 reserved */
    assert_refused(&scene, CHAT, 1, "budget.total_usd");
    /* nothing came free, but who asks again is told why it has to wait now */
    doubt(&scene, tickets[3]);
    played_assert(scene.pool, "FREED");
    fixture_free(fixture);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_starts_before_its_reservation_is_durable),
        cmocka_unit_test(test_an_answer_and_its_settlement_are_one_write),
        cmocka_unit_test(test_what_each_end_costs),
        cmocka_unit_test(test_usage_above_what_was_set_aside_is_charged_and_said),
        cmocka_unit_test(test_what_an_endpoint_says_is_redacted),
        cmocka_unit_test(test_a_cap_is_used_to_its_last_millionth),
        cmocka_unit_test(test_a_models_cap_is_that_models_alone),
        cmocka_unit_test(test_the_stores_cap_spans_runs_and_days),
        cmocka_unit_test(test_a_cap_that_was_lowered_grants_nothing),
        cmocka_unit_test(test_one_request_above_a_cap_is_hopeless),
        cmocka_unit_test(test_doubts_have_a_cap_of_their_own),
        cmocka_unit_test(test_the_first_doubt_needs_no_room),
        cmocka_unit_test(test_doubts_of_earlier_starts_count),
        cmocka_unit_test(test_midnight_gives_a_new_day),
        cmocka_unit_test(test_midnight_is_waited_for_if_so_configured),
        cmocka_unit_test(test_a_day_with_open_reservations_is_not_forgotten),
        cmocka_unit_test(test_freed_money_is_announced_once_to_those_who_were_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
