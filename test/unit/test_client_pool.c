/* test_client_pool.c - the pool alone: accountant, director, owner and http port are
 * played by the test. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "actors/pool/client_pool.h"
#include "core/base/memory.h"
#include "test/unit/actor_fixture.h"

enum { CHAT, TEXT = 2 }; /* models, by name */
static const int64_t MILLI = 1000;
#define ANSWER "{\"choices\":[],\"usage\":{\"prompt_tokens\":10,\"completion_tokens\":5}}"

/* --- the http port: an exchange waits until the test says what becomes of it --- */

typedef struct asked {
    char name[16]; /* "3@a": the order of its job, and where */
    http_done_t *done;
    void *context;
    bool cancelled;
    struct asked *next;
} asked_t;

typedef struct {
    http_port_t port; /* first member */
    asked_t *first;   /* under way, the oldest first */
} played_port_t;

static http_exchange_t *port_submit(http_port_t *port, const http_request_t *request,
                                    http_done_t *done, void *context) {
    asked_t *asked = MEMORY_NEW(asked_t), **link = &((played_port_t *)port)->first;
    *asked = (asked_t){.done = done, .context = context};
    snprintf(asked->name, sizeof asked->name, "%.*s@%c", (int)request->body_length, request->body,
             request->url[strlen("http://")]);
    while (*link)
        link = &(*link)->next;
    *link = asked;
    return (http_exchange_t *)asked;
}

static void port_cancel(http_port_t *port, http_exchange_t *exchange) {
    (void)port;
    ((asked_t *)exchange)->cancelled = true;
}

/* --- the pool and its neighbours --- */

typedef struct {
    fixture_t *fixture;
    played_port_t port;
    played_t *accountant, *director, *owner;
    actor_t *pool;
    /* the accountant keeps these for the test; else it grants and settles at once */
    bool holds_reserve, holds_ended;
} pool_test_t;

static bool accountant_answers(played_t *played, actor_message_t *message) {
    pool_test_t *test = played->context;
    int reply = message->kind == MSG_RESERVE && !test->holds_reserve ? MSG_RESERVED
                : message->kind == MSG_ENDED && !test->holds_ended   ? MSG_SETTLED
                                                                     : 0;
    if (!reply)
        return false;
    played_tell(played, test->pool, reply, message->payload, ticket_free);
    message->payload = NULL;
    return true;
}

static int setup(void **state) {
    pool_test_t *test = MEMORY_NEW(pool_test_t);
    test->fixture = fixture_create();
    test->port.port = (http_port_t){.submit = port_submit, .cancel = port_cancel};
    *state = test;
    return 0;
}

static int teardown(void **state) {
    pool_test_t *test = *state;
    fixture_free(test->fixture);
    while (test->port.first) {
        asked_t *asked = test->port.first;
        test->port.first = asked->next;
        free(asked);
    }
    free(test);
    return 0;
}

static void create(pool_test_t *test, const settings_t *settings) {
    fixture_t *fixture = test->fixture;
    error_info_t error = {0};
    test->accountant = played_create(fixture, "accountant");
    test->accountant->answer = accountant_answers;
    test->accountant->context = test;
    test->director = played_create(fixture, "director");
    test->owner = played_create(fixture, "formatter");
    client_pool_options_t options = {
        .settings = settings,
        .store = fixture_store(fixture),
        .http = &test->port.port,
        .workers = fixture_executor(fixture, WORLD_SHUFFLED, 0),
        .accountant = test->accountant->actor,
        .log = fixture->log,
        .seed = 1,
    };
    test->pool = client_pool_create(fixture->scheduler, &options, 0, &error);
    assert_non_null(test->pool);
    client_pool_set_director(test->pool, test->director->actor);
}

/* A ticket whose job has this order, charged so many tokens. */
static ticket_t *make(pool_test_t *test, uint64_t order, size_t model, int64_t charge) {
    ticket_t *ticket = fixture_ticket(test->fixture, model, 1);
    ticket->job->order = order;
    ticket->owner = test->owner->actor;
    ticket->request.charge_estimate = charge;
    buffer_append_format(&ticket->request.written, "%llu", (unsigned long long)order);
    return ticket;
}

static void send(pool_test_t *test, ticket_t *ticket) {
    played_tell(test->owner, test->pool, MSG_TICKET, ticket, ticket_free);
    fixture_settle(test->fixture);
}

/* Tickets of orders `from` to `to`, for the chat model. */
static void buy(pool_test_t *test, uint64_t from, uint64_t to) {
    for (uint64_t order = from; order <= to; order++)
        send(test, make(test, order, CHAT, 10));
}

static void pass(pool_test_t *test, int64_t duration) {
    fixture_pass(test->fixture, duration);
}

/* What is under way at the port, the oldest first: "1@a 2@b". */
static void assert_asked(const pool_test_t *test, const char *expected) {
    char names[512] = "";
    for (const asked_t *asked = test->port.first; asked; asked = asked->next)
        snprintf(names + strlen(names), sizeof names - strlen(names), "%s%s", *names ? " " : "",
                 asked->name);
    assert_string_equal(names, expected);
}

/* What becomes of one that is under way. A little later: longer than a reservation takes, so that
 * no grant goes ahead where a test does not mean it. */
static void end_with(pool_test_t *test, const char *name, http_response_t response) {
    pass(test, MILLI);
    asked_t **link = &test->port.first;
    while (*link && strcmp((*link)->name, name) != 0)
        link = &(*link)->next;
    if (!*link)
        fail_msg("%s is not under way", name);
    asked_t *asked = *link;
    *link = asked->next;
    response.sent = true;
    asked->done(asked->context, &response);
    http_response_clear(&response);
    free(asked);
    fixture_settle(test->fixture);
}

static void end(pool_test_t *test, const char *name, int status, const char *body) {
    http_response_t response = {.outcome = HTTP_COMPLETE, .status = status};
    buffer_append_text(&response.body, body);
    end_with(test, name, response);
}

static void end_after(pool_test_t *test, const char *name, int status, const char *retry_after_ms) {
    http_response_t response = {.outcome = HTTP_COMPLETE, .status = status};
    response.fields.retry_after_ms = memory_copy_string(retry_after_ms);
    end_with(test, name, response);
}

static void answer(pool_test_t *test, const char *name) {
    end(test, name, 200, ANSWER);
}

static void tell_pool(pool_test_t *test, played_t *from, int kind, ticket_t *ticket) {
    played_tell(from, test->pool, kind, ticket, ticket ? ticket_free : NULL);
    fixture_settle(test->fixture);
}

static ticket_t *take(played_t *played, int kind, uint64_t order) {
    ticket_t *ticket = played_take(played, kind);
    assert_int_equal(ticket->job->order, order);
    return ticket;
}

static void refuse(pool_test_t *test, uint64_t order, int64_t until) {
    ticket_t *ticket = take(test->accountant, MSG_RESERVE, order);
    ticket->refusal = (refusal_t){.until = until, .message = "the cap is reached"};
    tell_pool(test, test->accountant, MSG_REFUSED, ticket);
}

static void assert_returned(pool_test_t *test, uint64_t order, job_outcome_t outcome,
                            const char *verdict) {
    ticket_t *ticket = take(test->owner, MSG_RETURNED, order);
    assert_int_equal(ticket->job->outcome, outcome);
    assert_string_equal(ticket->job->trouble.verdict, verdict);
    assert_int_equal(ticket->state, TICKET_OUTSIDE);
    ticket_free(ticket);
}

static void assert_stalled(pool_test_t *test, size_t tickets, stall_kind_t kind,
                           const char *message) {
    stall_t *stall = played_take(test->director, MSG_STALLED);
    assert_int_equal(stall->tickets, tickets);
    assert_int_equal(stall->kind, kind);
    assert_string_equal(stall->message, message);
    free(stall);
}

/* --- order --- */

static void an_answer_goes_to_its_owner(void **state) {
    pool_test_t *test = *state;
    create(test, fixture_settings(test->fixture, NULL));
    buy(test, 1, 1);
    answer(test, "1@a");
    ticket_t *ticket = take(test->owner, MSG_ANSWERED, 1);
    assert_int_equal(ticket->outcome.verdict, RETRY_ANSWER);
    assert_int_equal(ticket->outcome.status, 200);
    assert_int_equal(ticket->outcome.usage.completion_tokens, 5);
    assert_string_equal(buffer_text(&ticket->outcome.body), ANSWER);
    assert_true(ticket->outcome.packed.length > 0);
    ticket_free(ticket);
    played_assert(test->director, "");
}

static void a_refused_ticket_keeps_its_order(void **state) {
    pool_test_t *test = *state;
    create(test, fixture_settings(test->fixture, "endpoints.a.concurrency=1",
                                  "models.chat.endpoints=[\"a\"]", NULL));
    test->holds_reserve = true;
    buy(test, 1, 3);
    refuse(test, 1, INT64_MAX);
    /* one that waits for money holds up nobody */
    ticket_t *second = take(test->accountant, MSG_RESERVE, 2);
    tell_pool(test, test->accountant, MSG_FREED, NULL);
    tell_pool(test, test->accountant, MSG_RESERVED, second);
    answer(test, "2@a");
    ticket_t *first = take(test->accountant, MSG_RESERVE, 1);
    tell_pool(test, test->accountant, MSG_RESERVED, first);
    assert_asked(test, "1@a");
}

static void a_ticket_that_is_tried_again_keeps_its_order(void **state) {
    pool_test_t *test = *state;
    create(test, fixture_settings(test->fixture, "endpoints.a.concurrency=1",
                                  "models.chat.endpoints=[\"a\"]", NULL));
    buy(test, 1, 4);
    end(test, "1@a", 500, "");
    assert_asked(test, "2@a"); /* while the first one pauses */
    pass(test, CLOCK_SECOND);
    assert_asked(test, "2@a");
    answer(test, "2@a");
    assert_asked(test, "1@a");
    answer(test, "1@a");
    assert_asked(test, "3@a");
}

static void late_jobs_go_behind(void **state) {
    pool_test_t *test = *state;
    create(test, fixture_settings(test->fixture, "endpoints.a.concurrency=1",
                                  "models.chat.endpoints=[\"a\"]", NULL));
    buy(test, 9, 9);
    buy(test, 5, 6);
    buy(test, 2, 2);
    answer(test, "9@a");
    assert_asked(test, "2@a");
    answer(test, "2@a");
    assert_asked(test, "5@a");
}

static void models_go_in_turn(void **state) {
    pool_test_t *test = *state;
    create(test, fixture_settings(test->fixture, "endpoints.a.concurrency=1",
                                  "models.chat.endpoints=[\"a\"]", "models.text.endpoints=[\"a\"]",
                                  NULL));
    for (uint64_t order = 1; order <= 6; order++)
        send(test, make(test, order, order <= 3 ? CHAT : TEXT, 10));
    size_t texts = 0;
    for (int i = 0; i < 3; i++) {
        char name[16];
        snprintf(name, sizeof name, "%s", test->port.first->name);
        texts += name[0] >= '4';
        answer(test, name);
    }
    assert_true(texts > 0); /* a model with many tickets does not keep another waiting */
}

/* --- endpoints --- */

static void endpoints_are_asked_in_order_of_preference(void **state) {
    pool_test_t *test = *state;
    create(test, fixture_settings(test->fixture, "endpoints.a.concurrency=1",
                                  "endpoints.b.concurrency=2", NULL));
    buy(test, 1, 4);
    assert_asked(test, "1@a 2@b 3@b");
    answer(test, "2@b");
    assert_asked(test, "1@a 3@b 4@b");
    buy(test, 5, 5);
    answer(test, "1@a");
    assert_asked(test, "3@b 4@b 5@a");
}

static void a_pinned_ticket_waits_for_its_endpoint_alone(void **state) {
    pool_test_t *test = *state;
    create(test, fixture_settings(test->fixture, "endpoints.b.concurrency=1", NULL));
    for (uint64_t order = 1; order <= 2; order++) {
        ticket_t *pinned = make(test, order, CHAT, 10);
        pinned->pinned = 1;
        send(test, pinned);
    }
    buy(test, 3, 3);
    assert_asked(test, "1@b 3@a"); /* the second one waits, and holds up nobody */
    answer(test, "1@b");
    assert_asked(test, "3@a 2@b");
}

static void a_route_has_slots_of_its_own(void **state) {
    pool_test_t *test = *state;
    create(test, fixture_settings(test->fixture, "models.chat.concurrency=1",
                                  "models.chat.endpoints=[\"a\"]", NULL));
    buy(test, 1, 2);
    send(test, make(test, 3, TEXT, 10));
    assert_asked(test, "1@a 3@a");
}

static void a_ticket_that_never_fits_is_returned(void **state) {
    pool_test_t *test = *state;
    create(test,
           fixture_settings(test->fixture, "endpoints.a.tpm=1000", "endpoints.b.tpm=500", NULL));
    send(test, make(test, 1, CHAT, 1001));
    assert_returned(test, 1, OUTCOME_FAILED, "bound");
    ticket_t *pinned = make(test, 2, CHAT, 501);
    pinned->pinned = 1;
    send(test, pinned);
    assert_returned(test, 2, OUTCOME_FAILED, "bound");
    send(test, make(test, 3, CHAT, 501));
    assert_asked(test, "3@a");
}

static void what_only_a_shut_endpoint_could_take_holds_up_nobody(void **state) {
    pool_test_t *test = *state;
    create(test, fixture_settings(test->fixture, "endpoints.a.tpm=1000", NULL));
    send(test, make(test, 1, CHAT, 1001));
    end(test, "1@b", 401, "");
    assert_stalled(test, 1, STALL_WORLD, "b is shut: credentials: HTTP 401");
    send(test, make(test, 2, CHAT, 10));
    assert_asked(test, "2@a");
    assert_stalled(test, 0, STALL_CAP, "");
    answer(test, "2@a");
    assert_stalled(test, 1, STALL_WORLD, "b is shut: credentials: HTTP 401");
}

/* --- pacing --- */

static void limits_are_kept(void **state) {
    pool_test_t *test = *state;
    create(test, fixture_settings(test->fixture, "endpoints.a.rpm=60",
                                  "models.chat.endpoints=[\"a\"]", NULL));
    buy(test, 1, 3);
    assert_asked(test, "1@a");
    pass(test, 1008 * MILLI);
    assert_asked(test, "1@a");
    pass(test, MILLI);
    assert_asked(test, "1@a 2@a");
    pass(test, 1009 * MILLI);
    assert_asked(test, "1@a 2@a 3@a");
}

static void who_asks_for_silence_gets_it(void **state) {
    pool_test_t *test = *state;
    create(test, fixture_settings(test->fixture, "models.text.endpoints=[\"a\"]", NULL));
    buy(test, 1, 1);
    end_after(test, "1@a", 429, "30000");
    send(test, make(test, 2, TEXT, 10));
    assert_asked(test, "");
    pass(test, CLOCK_SECOND);
    assert_asked(test, "1@b"); /* another endpoint is asked sooner */
    pass(test, 28900 * MILLI);
    assert_asked(test, "1@b");
    pass(test, 100 * MILLI);
    assert_asked(test, "1@b 2@a");
}

static void a_long_silence_is_a_standstill(void **state) {
    pool_test_t *test = *state;
    create(test, fixture_settings(test->fixture, "models.chat.endpoints=[\"a\"]",
                                  "run.outage_wait_minutes=2", NULL));
    buy(test, 1, 1);
    end_after(test, "1@a", 429, "180000");
    assert_stalled(test, 1, STALL_WORLD,
                   "a has been down too long: asked to wait 180 s (rate_limit)");
    pass(test, 180 * CLOCK_SECOND);
    assert_asked(test, "1@a");
}

static void a_breaker_opens_and_one_probe_closes_it(void **state) {
    pool_test_t *test = *state;
    create(test, fixture_settings(test->fixture, "models.chat.endpoints=[\"a\"]", NULL));
    buy(test, 1, 5);
    static const char *const names[] = {"1@a", "2@a", "3@a", "4@a", "5@a"};
    for (int i = 0; i < 5; i++)
        end(test, names[i], 500, "");
    pass(test, 4900 * MILLI);
    assert_asked(test, "");
    pass(test, 100 * MILLI);
    assert_asked(test, "1@a");
    end(test, "1@a", 500, "");
    pass(test, 9900 * MILLI); /* twice as long */
    assert_asked(test, "");
    pass(test, 100 * MILLI);
    assert_asked(test, "1@a");
    answer(test, "1@a");
    assert_asked(test, "2@a 3@a 4@a 5@a");
    played_assert(test->director, "");
}

static void a_wrong_key_shuts_an_endpoint(void **state) {
    pool_test_t *test = *state;
    create(test, fixture_settings(test->fixture, NULL));
    buy(test, 1, 1);
    end(test, "1@a", 401, "");
    pass(test, CLOCK_SECOND);
    assert_asked(test, "1@b");
    end(test, "1@b", 403, "");
    assert_stalled(test, 1, STALL_WORLD, "b is shut: credentials: HTTP 403");
}

static void usage_above_the_bound_shuts_an_endpoint(void **state) {
    pool_test_t *test = *state;
    create(test, fixture_settings(test->fixture, "endpoints.a.concurrency=2", NULL));
    buy(test, 1, 3);
    assert_asked(test, "1@a 2@a 3@b");
    end(test, "1@a", 200, "{\"usage\":{\"prompt_tokens\":10,\"completion_tokens\":101}}");
    ticket_free(take(test->owner, MSG_ANSWERED, 1)); /* it is paid, and so it is used */
    buy(test, 4, 4);
    assert_asked(test, "2@a 3@b 4@b");
    assert_non_null(strstr(buffer_text(&test->fixture->lines),
                           "a reported 10 prompt and 101 completion tokens"));
}

/* --- reservations --- */

static void a_late_grant_waits_for_the_windows_again(void **state) {
    pool_test_t *test = *state;
    create(test, fixture_settings(test->fixture, "endpoints.a.rpm=60",
                                  "models.chat.endpoints=[\"a\"]", NULL));
    test->holds_reserve = true;
    buy(test, 1, 2);
    pass(test, 10 * CLOCK_SECOND);
    ticket_t *first = take(test->accountant, MSG_RESERVE, 1),
             *second = take(test->accountant, MSG_RESERVE, 2);
    tell_pool(test, test->accountant, MSG_RESERVED, second);
    tell_pool(test, test->accountant, MSG_RESERVED, first);
    assert_asked(test, "2@a");
    pass(test, 1008 * MILLI);
    assert_asked(test, "2@a");
    pass(test, MILLI);
    assert_asked(test, "2@a 1@a");
}

static void grants_go_ahead_of_slots(void **state) {
    pool_test_t *test = *state;
    create(test, fixture_settings(test->fixture, "endpoints.a.concurrency=1",
                                  "models.chat.endpoints=[\"a\"]", NULL));
    test->holds_reserve = true;
    buy(test, 1, 4);
    played_assert(test->accountant, "RESERVE");
    pass(test, 200 * MILLI);
    tell_pool(test, test->accountant, MSG_RESERVED, take(test->accountant, MSG_RESERVE, 1));
    pass(test, 100 * MILLI);
    answer(test, "1@a"); /* an exchange takes no longer than a reservation */
    played_assert(test->accountant, "RESERVE RESERVE");
    tell_pool(test, test->accountant, MSG_RESERVED, take(test->accountant, MSG_RESERVE, 2));
    tell_pool(test, test->accountant, MSG_RESERVED, take(test->accountant, MSG_RESERVE, 3));
    assert_asked(test, "2@a");
    answer(test, "2@a");
    assert_asked(test, "3@a");
}

static void a_grant_lapses_when_its_endpoint_shuts(void **state) {
    pool_test_t *test = *state;
    create(test, fixture_settings(test->fixture, NULL));
    buy(test, 1, 1);
    test->holds_reserve = test->holds_ended = true;
    buy(test, 2, 2);
    ticket_t *granted = take(test->accountant, MSG_RESERVE, 2);
    assert_int_equal(granted->endpoint, 0);
    end(test, "1@a", 401, "");
    ticket_t *ended = take(test->accountant, MSG_ENDED, 1);
    tell_pool(test, test->accountant, MSG_RESERVED, granted);
    granted = take(test->accountant, MSG_ENDED, 2);
    assert_int_equal(granted->outcome.verdict, RETRY_CANCELLED);
    assert_true(granted->outcome.never_sent);
    tell_pool(test, test->accountant, MSG_SETTLED, granted);
    tell_pool(test, test->accountant, MSG_SETTLED, ended);
    granted = take(test->accountant, MSG_RESERVE, 2);
    assert_int_equal(granted->endpoint, 1);
    ticket_free(granted);
}

static void a_grant_lapses_when_its_endpoint_asks_for_silence(void **state) {
    pool_test_t *test = *state;
    create(test, fixture_settings(test->fixture, NULL));
    buy(test, 1, 1);
    test->holds_reserve = true;
    buy(test, 2, 2);
    end_after(test, "1@a", 429, "30000");
    tell_pool(test, test->accountant, MSG_RESERVED, take(test->accountant, MSG_RESERVE, 2));
    /* at once, elsewhere: it was not tried */
    ticket_t *ticket = take(test->accountant, MSG_RESERVE, 2);
    assert_int_equal(ticket->endpoint, 1);
    assert_int_equal(ticket->tries, 0);
    assert_int_equal(ticket->attempts, 0);
    ticket_free(ticket);
}

/* --- what a failure means --- */

static void a_job_is_given_up_after_its_tries(void **state) {
    pool_test_t *test = *state;
    create(test, fixture_settings(test->fixture, "models.chat.endpoints=[\"a\"]", "run.max_tries=2",
                                  NULL));
    buy(test, 1, 1);
    end(test, "1@a", 500, "{\"error\":{\"message\":\"no\",\"code\":\"busy\"}}");
    pass(test, CLOCK_SECOND);
    end(test, "1@a", 500, "{\"error\":{\"message\":\"no\",\"code\":\"busy\"}}");
    ticket_t *ticket = take(test->owner, MSG_RETURNED, 1);
    const job_trouble_t *trouble = &ticket->job->trouble;
    assert_false(trouble->terminal);
    assert_string_equal(trouble->verdict, "server");
    assert_string_equal(trouble->code, "busy");
    assert_string_equal(trouble->message, "no");
    assert_int_equal(trouble->status, 500);
    assert_int_equal(trouble->tries, 2);
    ticket_free(ticket);
}

static void a_rejected_request_is_not_tried_again(void **state) {
    pool_test_t *test = *state;
    create(test, fixture_settings(test->fixture, NULL));
    buy(test, 1, 1);
    end(test, "1@a", 400, "{\"error\":{\"message\":\"too long\"}}");
    ticket_t *ticket = take(test->owner, MSG_RETURNED, 1);
    assert_true(ticket->job->trouble.terminal);
    assert_string_equal(ticket->job->trouble.message, "too long");
    ticket_free(ticket);
}

static void a_long_body_is_read_on_a_worker(void **state) {
    pool_test_t *test = *state;
    create(test, fixture_settings(test->fixture, "endpoints.a.concurrency=1",
                                  "models.chat.endpoints=[\"a\"]", NULL));
    buy(test, 1, 2);
    http_response_t response = {.outcome = HTTP_COMPLETE, .status = 200};
    buffer_append_text(&response.body,
                       "{\"usage\":{\"prompt_tokens\":10,\"completion_tokens\":5},\"text\":\"");
    while (response.body.length < 20000)
        buffer_append_text(&response.body, "a long text ");
    buffer_append_text(&response.body, "\"}");
    end_with(test, "1@a", response);
    assert_asked(test, "2@a");
    ticket_t *ticket = take(test->owner, MSG_ANSWERED, 1);
    assert_true(ticket->outcome.usage.present);
    assert_true(ticket->outcome.packed.length > 0 && ticket->outcome.body.length > 20000);
    ticket_free(ticket);
}

/* --- standstills --- */

static void a_standstill_is_told_once_and_withdrawn(void **state) {
    pool_test_t *test = *state;
    create(test, fixture_settings(test->fixture, NULL));
    test->holds_reserve = true;
    buy(test, 1, 1);
    refuse(test, 1, INT64_MAX);
    assert_stalled(test, 1, STALL_CAP, "the cap is reached");
    tell_pool(test, test->director, MSG_TICK, NULL);
    played_assert(test->director, "");
    buy(test, 2, 2); /* it may fit under the cap: no standstill while it asks */
    assert_stalled(test, 0, STALL_CAP, "");
    refuse(test, 2, INT64_MAX);
    assert_stalled(test, 2, STALL_CAP, "the cap is reached");
    tell_pool(test, test->accountant, MSG_FREED, NULL);
    assert_stalled(test, 0, STALL_CAP, "");
    played_assert(test->accountant, "RESERVE RESERVE");
}

static void who_waits_for_midnight_is_no_standstill(void **state) {
    pool_test_t *test = *state;
    create(test, fixture_settings(test->fixture, NULL));
    test->holds_reserve = true;
    buy(test, 1, 1);
    refuse(test, 1, world_now(test->fixture->world) + 3600 * CLOCK_SECOND);
    pass(test, 3599 * CLOCK_SECOND);
    played_assert(test->director, "");
    played_assert(test->accountant, "");
    pass(test, CLOCK_SECOND);
    played_assert(test->accountant, "RESERVE");
}

static void an_outage_that_lasts_is_a_standstill(void **state) {
    pool_test_t *test = *state;
    create(test, fixture_settings(test->fixture, "models.chat.endpoints=[\"a\"]",
                                  "run.outage_wait_minutes=2", NULL));
    buy(test, 1, 5);
    static const char *const names[] = {"1@a", "2@a", "3@a", "4@a", "5@a"};
    for (int i = 0; i < 5; i++)
        end(test, names[i], 500, "");
    for (int probe = 0; probe < 4; probe++) { /* after 5, 10, 20, 40 seconds */
        pass(test, (5 << probe) * CLOCK_SECOND);
        played_assert(test->director, "");
        end(test, "1@a", 500, "");
    }
    pass(test, 44995 * MILLI); /* each probe took a millisecond */
    played_assert(test->director, "");
    pass(test, MILLI);
    assert_stalled(test, 5, STALL_WORLD, "a has been down too long: server: HTTP 500");
}

/* --- the end of a run --- */

static void a_stop_hands_back_what_has_not_started(void **state) {
    pool_test_t *test = *state;
    create(test, fixture_settings(test->fixture, "endpoints.a.concurrency=3",
                                  "models.chat.endpoints=[\"a\"]", NULL));
    buy(test, 1, 1);
    test->holds_reserve = test->holds_ended = true;
    buy(test, 2, 4);
    assert_asked(test, "1@a");
    played_assert(test->accountant, "RESERVE RESERVE");
    tell_pool(test, test->director, MSG_STOP, NULL);
    assert_returned(test, 4, OUTCOME_HANDED_BACK, "");
    refuse(test, 2, INT64_MAX);
    assert_returned(test, 2, OUTCOME_HANDED_BACK, "");
    tell_pool(test, test->accountant, MSG_RESERVED, take(test->accountant, MSG_RESERVE, 3));
    ticket_t *lapsed = take(test->accountant, MSG_ENDED, 3);
    assert_true(lapsed->outcome.never_sent);
    tell_pool(test, test->accountant, MSG_SETTLED, lapsed);
    assert_returned(test, 3, OUTCOME_HANDED_BACK, "");
    buy(test, 5, 5);
    assert_returned(test, 5, OUTCOME_HANDED_BACK, "");
    assert_asked(test, "1@a");
}

static void what_is_in_flight_is_awaited(void **state) {
    pool_test_t *test = *state;
    create(test, fixture_settings(test->fixture, "run.drain_seconds=30", NULL));
    buy(test, 1, 2);
    tell_pool(test, test->director, MSG_STOP, NULL);
    pass(test, 29 * CLOCK_SECOND);
    answer(test, "1@a");
    ticket_free(take(test->owner, MSG_ANSWERED, 1));
    assert_false(test->port.first->cancelled);
    pass(test, CLOCK_SECOND);
    assert_true(test->port.first->cancelled);
    test->holds_ended = true;
    end_with(test, "2@a", (http_response_t){.outcome = HTTP_CANCELLED});
    ticket_t *ticket = take(test->accountant, MSG_ENDED, 2);
    assert_int_equal(ticket->outcome.verdict, RETRY_CANCELLED);
    assert_false(ticket->outcome.never_sent); /* it may have been served */
    tell_pool(test, test->accountant, MSG_SETTLED, ticket);
    assert_returned(test, 2, OUTCOME_HANDED_BACK, "");
}

static void it_says_how_it_stands(void **state) {
    pool_test_t *test = *state;
    create(test, fixture_settings(test->fixture, "endpoints.a.tpm=6000",
                                  "endpoints.a.concurrency=1", NULL));
    buy(test, 1, 2);
    end(test, "1@a", 401, "");
    played_tell(test->director, test->pool, MSG_ASK, NULL, NULL);
    fixture_settle(test->fixture);
    facts_t *facts = played_take(test->director, MSG_FACTS);
    assert_int_equal(facts->attempts, 3);
    assert_int_equal(facts->retries, 1);
    assert_int_equal(facts->answers, 0);
    assert_int_equal(facts->in_flight, 2);
    assert_int_equal(facts->token_limit, 6000);
    assert_string_equal(facts->trouble, "a is shut: credentials: HTTP 401");
    free(facts);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(an_answer_goes_to_its_owner),
        TEST(a_refused_ticket_keeps_its_order),
        TEST(a_ticket_that_is_tried_again_keeps_its_order),
        TEST(late_jobs_go_behind),
        TEST(models_go_in_turn),
        TEST(endpoints_are_asked_in_order_of_preference),
        TEST(a_pinned_ticket_waits_for_its_endpoint_alone),
        TEST(a_route_has_slots_of_its_own),
        TEST(a_ticket_that_never_fits_is_returned),
        TEST(what_only_a_shut_endpoint_could_take_holds_up_nobody),
        TEST(limits_are_kept),
        TEST(who_asks_for_silence_gets_it),
        TEST(a_long_silence_is_a_standstill),
        TEST(a_breaker_opens_and_one_probe_closes_it),
        TEST(a_wrong_key_shuts_an_endpoint),
        TEST(usage_above_the_bound_shuts_an_endpoint),
        TEST(a_late_grant_waits_for_the_windows_again),
        TEST(grants_go_ahead_of_slots),
        TEST(a_grant_lapses_when_its_endpoint_shuts),
        TEST(a_grant_lapses_when_its_endpoint_asks_for_silence),
        TEST(a_job_is_given_up_after_its_tries),
        TEST(a_rejected_request_is_not_tried_again),
        TEST(a_long_body_is_read_on_a_worker),
        TEST(a_standstill_is_told_once_and_withdrawn),
        TEST(who_waits_for_midnight_is_no_standstill),
        TEST(an_outage_that_lasts_is_a_standstill),
        TEST(a_stop_hands_back_what_has_not_started),
        TEST(what_is_in_flight_is_awaited),
        TEST(it_says_how_it_stands),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
