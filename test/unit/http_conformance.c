/* http_conformance.c - the cases of http_conformance.h. */
#include "test/unit/http_conformance.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/memory.h"

static const int64_t SHORT = 150 * 1000; /* a timeout that is meant to strike */
static const int64_t LONG = 60 * CLOCK_SECOND;
enum { BODY_MAXIMUM = 256 * 1024 };

char http_behaviour_byte(size_t index) {
    return (char)('a' + index % 26);
}

/* One exchange as a case sees it. */
typedef struct {
    http_peer_t *peer;
    http_exchange_t *exchange;
    bool inside_call; /* submit or cancel is on the stack */
    unsigned calls;   /* of done */
    http_response_t response;
} asked_t;

static void exchange_done(void *context, http_response_t *response) {
    asked_t *asked = context;
    assert_false(asked->inside_call);
    asked->calls++;
    assert_int_equal(asked->calls, 1);
    asked->response = *response; /* takes over all memory; buffer_take() is the way for the body */
    asked->response.body.data = buffer_take(&response->body);
    response->fields = (http_fields_t){0};
}

static http_request_t request_for(http_peer_t *peer, const char *body) {
    static const char *const HEADERS[] = {"Authorization: Bearer sk-very-secret",
                                          "Content-Type: application/json"};
    return (http_request_t){
        .method = body ? "POST" : "GET",
        .url = peer->url(peer),
        .headers = HEADERS,
        .header_count = 2,
        .body = body,
        .body_length = body ? strlen(body) : 0,
        .connect_timeout = LONG,
        .total_timeout = LONG,
        .maximum_body = BODY_MAXIMUM,
    };
}

static void ask(asked_t *asked, http_peer_t *peer, const http_request_t *request) {
    *asked = (asked_t){.peer = peer, .inside_call = true};
    asked->exchange = http_submit(peer->port, request, exchange_done, asked);
    assert_non_null(asked->exchange);
    asked->inside_call = false;
}

static void cancel(asked_t *asked) {
    asked->inside_call = true;
    http_cancel(asked->peer->port, asked->exchange);
    asked->inside_call = false;
}

/* Runs to the end and checks what holds for every exchange. */
static void expect_done(http_peer_t *peer, asked_t *asked, http_outcome_t outcome) {
    peer->run_until_idle(peer);
    assert_int_equal(asked->calls, 1);
    assert_string_equal(http_outcome_name(asked->response.outcome), http_outcome_name(outcome));
    assert_null(strstr(asked->response.detail, "sk-very-secret"));
    assert_true((outcome == HTTP_COMPLETE) == (asked->response.detail[0] == '\0'));
    assert_true(outcome != HTTP_REFUSED || !asked->response.sent);
    assert_true(asked->response.status == 0 || asked->response.sent);
}

static void ask_and_expect(asked_t *asked, http_peer_t *peer, const char *body,
                           http_outcome_t outcome) {
    http_request_t request = request_for(peer, body);
    ask(asked, peer, &request);
    expect_done(peer, asked, outcome);
}

static void expect_pattern(const asked_t *asked, size_t size) {
    assert_int_equal(asked->response.body.length, size);
    for (size_t i = 0; i < size; i++)
        assert_int_equal(asked->response.body.data[i], http_behaviour_byte(i));
}

static void set(http_peer_t *peer, http_behaviour_kind_t kind, size_t size) {
    peer->set_behaviour(peer, (http_behaviour_t){.kind = kind, .size = size});
}

/* --- answers ---------------------------------------------------------------------------------- */

static void get_is_answered(void **state) {
    http_peer_t *peer = *state;
    asked_t asked;
    set(peer, PEER_RESPOND, 1000);
    ask_and_expect(&asked, peer, NULL, HTTP_COMPLETE);
    assert_int_equal(asked.response.status, 200);
    assert_true(asked.response.sent);
    expect_pattern(&asked, 1000);
    assert_string_equal(asked.response.fields.content_type, "text/plain");
    assert_null(asked.response.fields.retry_after);
    assert_int_equal(peer->delivered(peer), 1);
    http_response_clear(&asked.response);
}

static void post_arrives_as_it_was_given(void **state) {
    http_peer_t *peer = *state;
    asked_t asked;
    buffer_t seen = BUFFER_EMPTY;
    set(peer, PEER_RESPOND, 10);
    ask_and_expect(&asked, peer, "{\"prompt\": \"hello\"}", HTTP_COMPLETE);
    peer->last_request(peer, &seen);
    assert_int_equal(strncmp(buffer_text(&seen), "POST ", 5), 0);
    assert_non_null(strstr(buffer_text(&seen), "\r\nAuthorization: Bearer sk-very-secret\r\n"));
    assert_non_null(strstr(buffer_text(&seen), "\r\nContent-Type: application/json\r\n"));
    assert_null(strstr(buffer_text(&seen), "Expect:"));
    assert_string_equal(strstr(buffer_text(&seen), "\r\n\r\n") + 4, "{\"prompt\": \"hello\"}");
    buffer_free(&seen);
    http_response_clear(&asked.response);
}

static void large_post_arrives_whole(void **state) {
    http_peer_t *peer = *state;
    asked_t asked;
    enum { SIZE = 3 * 1000 * 1000 };
    char *body = memory_new(SIZE + 1, 1);
    for (size_t i = 0; i < SIZE; i++)
        body[i] = http_behaviour_byte(i);
    buffer_t seen = BUFFER_EMPTY;
    set(peer, PEER_RESPOND, 10);
    ask_and_expect(&asked, peer, body, HTTP_COMPLETE);
    peer->last_request(peer, &seen);
    const char *end = strstr(buffer_text(&seen), "\r\n\r\n");
    assert_non_null(end);
    assert_null(strstr(buffer_text(&seen), "Expect:")); /* which libcurl adds to large bodies */
    assert_int_equal(strcmp(end + 4, body), 0);
    free(body);
    buffer_free(&seen);
    http_response_clear(&asked.response);
}

static void empty_post_and_empty_answer(void **state) {
    http_peer_t *peer = *state;
    asked_t asked;
    set(peer, PEER_RESPOND, 0);
    ask_and_expect(&asked, peer, "", HTTP_COMPLETE);
    assert_int_equal(asked.response.body.length, 0);
    assert_true(asked.response.sent);
    assert_int_equal(peer->delivered(peer), 1);
    http_response_clear(&asked.response);
}

static void chunked_and_gzip_are_decoded(void **state) {
    http_peer_t *peer = *state;
    asked_t asked;
    set(peer, PEER_RESPOND_CHUNKED, 12345);
    ask_and_expect(&asked, peer, "{}", HTTP_COMPLETE);
    expect_pattern(&asked, 12345);
    assert_null(asked.response.fields.request_id); /* that one stands in the trailer */
    http_response_clear(&asked.response);
    set(peer, PEER_RESPOND_GZIP, 100000);
    ask_and_expect(&asked, peer, "{}", HTTP_COMPLETE);
    assert_int_equal(asked.response.body.length, 100000);
    for (size_t i = 0; i < 100000; i++)
        assert_int_equal(asked.response.body.data[i], 'a');
    http_response_clear(&asked.response);
}

static void every_status_completes(void **state) {
    http_peer_t *peer = *state;
    static const int STATUSES[] = {200, 201, 302, 400, 401, 404, 408, 429, 500, 503, 529};
    for (size_t i = 0; i < sizeof STATUSES / sizeof *STATUSES; i++) {
        asked_t asked;
        peer->set_behaviour(peer, (http_behaviour_t){
                                      .kind = PEER_RESPOND,
                                      .status = STATUSES[i],
                                      .size = 20,
                                      .headers = "Location: /elsewhere\r\nRetry-After: 7 \r\n"
                                                 "retry-after-MS:1500\r\nX-REQUEST-ID: req_1\r\n",
                                  });
        ask_and_expect(&asked, peer, "{}", HTTP_COMPLETE);
        assert_int_equal(asked.response.status, STATUSES[i]);
        assert_string_equal(asked.response.fields.retry_after, "7");
        assert_string_equal(asked.response.fields.retry_after_ms, "1500");
        assert_string_equal(asked.response.fields.request_id, "req_1");
        assert_int_equal(asked.response.body.length, 20);
        assert_int_equal(peer->delivered(peer), i + 1);
        http_response_clear(&asked.response);
    }
}

static void interim_answer_is_not_the_answer(void **state) {
    http_peer_t *peer = *state;
    asked_t asked;
    set(peer, PEER_RESPOND_INTERIM, 50);
    ask_and_expect(&asked, peer, "{}", HTTP_COMPLETE);
    assert_int_equal(asked.response.status, 200);
    assert_null(asked.response.fields.retry_after);
    expect_pattern(&asked, 50);
    http_response_clear(&asked.response);
}

/* --- connections and deliveries --------------------------------------------------------------- */

static void connection_is_used_again(void **state) {
    http_peer_t *peer = *state;
    asked_t asked;
    set(peer, PEER_RESPOND, 100);
    for (unsigned i = 1; i <= 3; i++) {
        ask_and_expect(&asked, peer, "{}", HTTP_COMPLETE);
        assert_int_equal(peer->delivered(peer), i);
        http_response_clear(&asked.response);
    }
    assert_int_equal(peer->connections(peer), 1);
}

/* The case that all of this is about: libcurl would send the second request again on a
 * fresh connection. */
static void second_request_is_delivered_once(void **state, const char *body) {
    http_peer_t *peer = *state;
    asked_t asked;
    set(peer, PEER_CLOSE_SECOND, 100);
    ask_and_expect(&asked, peer, body, HTTP_COMPLETE);
    http_response_clear(&asked.response);
    ask_and_expect(&asked, peer, body, HTTP_BROKEN);
    assert_true(asked.response.sent);
    assert_int_equal(asked.response.status, 0);
    assert_int_equal(peer->delivered(peer), 2);
    http_response_clear(&asked.response);
    /* The port is none the worse for it. */
    set(peer, PEER_RESPOND, 100);
    ask_and_expect(&asked, peer, body, HTTP_COMPLETE);
    assert_int_equal(peer->delivered(peer), 3);
    http_response_clear(&asked.response);
}

static void post_is_delivered_once(void **state) {
    second_request_is_delivered_once(state, "{\"n\": 1}");
}

static void empty_post_is_delivered_once(void **state) {
    second_request_is_delivered_once(state, "");
}

static void get_is_delivered_once(void **state) {
    second_request_is_delivered_once(state, NULL);
}

/* Closed at its first byte: sending once more or giving up are both right, two
 * deliveries are not. */
static void early_close_is_harmless(void **state) {
    http_peer_t *peer = *state;
    asked_t asked;
    set(peer, PEER_CLOSE_SECOND_EARLY, 100);
    ask_and_expect(&asked, peer, "{}", HTTP_COMPLETE);
    http_response_clear(&asked.response);
    http_request_t request = request_for(peer, "{}");
    ask(&asked, peer, &request);
    peer->run_until_idle(peer);
    assert_int_equal(asked.calls, 1);
    assert_true(asked.response.outcome == HTTP_COMPLETE || asked.response.outcome == HTTP_BROKEN);
    assert_int_equal(peer->delivered(peer), asked.response.outcome == HTTP_COMPLETE ? 2 : 1);
    http_response_clear(&asked.response);
}

/* Waits with the port's own clock until `count(peer)` has a value, then calls `then`. */
typedef struct {
    http_peer_t *peer;
    clock_timer_t *timer;
    unsigned (*count)(http_peer_t *peer);
    unsigned value;
    void (*then)(void *context);
    void *context;
} wait_t;

static void wait_looks(void *context) {
    wait_t *wait = context;
    clock_port_t *clock = wait->peer->clock;
    if (wait->count(wait->peer) != wait->value) {
        clock_timer_start(clock, wait->timer, clock_now(clock) + 1000);
        return;
    }
    clock_timer_free(clock, wait->timer);
    if (wait->then)
        wait->then(wait->context);
    free(wait);
}

static void when(http_peer_t *peer, unsigned (*count)(http_peer_t *), unsigned value,
                 void (*then)(void *), void *context) {
    wait_t *wait = MEMORY_NEW(wait_t);
    *wait =
        (wait_t){.peer = peer, .count = count, .value = value, .then = then, .context = context};
    wait->timer = clock_timer_create(peer->clock, wait_looks, wait);
    clock_timer_start(peer->clock, wait->timer, clock_now(peer->clock));
}

static void idle_connection_that_was_closed_is_replaced(void **state) {
    http_peer_t *peer = *state;
    asked_t asked;
    set(peer, PEER_CLOSE_AFTER_ANSWER, 100);
    for (unsigned i = 1; i <= 2; i++) {
        ask_and_expect(&asked, peer, "{}", HTTP_COMPLETE);
        http_response_clear(&asked.response);
        when(peer, peer->open_connections, 0, NULL, NULL);
        peer->run_until_idle(peer);
        assert_int_equal(peer->delivered(peer), i);
        assert_int_equal(peer->connections(peer), i);
    }
}

static void of_a_hundred_none_is_lost(void **state) {
    http_peer_t *peer = *state;
    enum { COUNT = 100 };
    asked_t *asked = MEMORY_NEW_ARRAY(COUNT, asked_t);
    set(peer, PEER_RESPOND, 3000);
    http_request_t request = request_for(peer, "{}");
    for (size_t i = 0; i < COUNT; i++)
        ask(&asked[i], peer, &request);
    for (size_t i = 0; i < COUNT; i++) {
        expect_done(peer, &asked[i], HTTP_COMPLETE);
        expect_pattern(&asked[i], 3000);
        http_response_clear(&asked[i].response);
    }
    assert_int_equal(peer->delivered(peer), COUNT);
    free(asked);
}

typedef struct {
    http_peer_t *peer;
    unsigned left;
    unsigned done;
} chain_t;

static void chain_next(void *context, http_response_t *response) {
    chain_t *chain = context;
    assert_int_equal(response->outcome, HTTP_COMPLETE);
    chain->done++;
    http_request_t request = request_for(chain->peer, "{}");
    if (chain->left-- > 0)
        http_submit(chain->peer->port, &request, chain_next, chain);
}

static void done_may_submit(void **state) {
    http_peer_t *peer = *state;
    chain_t chain = {.peer = peer, .left = 20};
    set(peer, PEER_RESPOND, 100);
    http_request_t request = request_for(peer, "{}");
    http_submit(peer->port, &request, chain_next, &chain);
    peer->run_until_idle(peer);
    assert_int_equal(chain.done, 21);
    assert_int_equal(peer->delivered(peer), 21);
    assert_int_equal(peer->connections(peer), 1);
}

/* --- failures --------------------------------------------------------------------------------- */

static void refused_when_nobody_listens(void **state) {
    http_peer_t *peer = *state;
    asked_t asked;
    set(peer, PEER_REFUSE, 0);
    ask_and_expect(&asked, peer, "{}", HTTP_REFUSED);
    assert_int_equal(asked.response.status, 0);
    http_response_clear(&asked.response);
    ask_and_expect(&asked, peer, NULL, HTTP_REFUSED);
    http_response_clear(&asked.response);
    assert_int_equal(peer->delivered(peer), 0);
}

static void what_cannot_be_sent_is_refused(void **state) {
    http_peer_t *peer = *state;
    asked_t asked;
    set(peer, PEER_RESPOND, 10);
    const char *const bad_header[] = {"X-Key: sk-very-secret\r\nHost: elsewhere"};
    http_request_t good = request_for(peer, "{}");
    http_request_t bad[4] = {good, good, good, good};
    bad[0].url = "ftp://127.0.0.1/";
    bad[1].url = "http://:bad:url:/";
    bad[2].method = "DELETE";
    bad[3].headers = bad_header;
    bad[3].header_count = 1;
    for (size_t i = 0; i < 4; i++) {
        ask(&asked, peer, &bad[i]);
        expect_done(peer, &asked, HTTP_REFUSED);
        http_response_clear(&asked.response);
    }
    assert_int_equal(peer->delivered(peer), 0);
}

static void broken_connections(void **state) {
    http_peer_t *peer = *state;
    static const struct {
        http_behaviour_kind_t kind;
        int status;
        unsigned delivered;
    } ROWS[] = {
        {PEER_CLOSE_UNREAD, 0, 0},  {PEER_CLOSE_UNANSWERED, 0, 1}, {PEER_CUT_LENGTH, 200, 1},
        {PEER_CUT_CHUNKED, 200, 1}, {PEER_CUT_HEAD, 200, 1},       {PEER_GARBAGE, 0, 1},
    };
    for (int post = 0; post < 2; post++)
        for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
            asked_t asked;
            unsigned before = peer->delivered(peer);
            set(peer, ROWS[i].kind, 5000);
            ask_and_expect(&asked, peer, post ? "{}" : NULL, HTTP_BROKEN);
            assert_int_equal(asked.response.status, ROWS[i].status);
            assert_int_equal(peer->delivered(peer), before + ROWS[i].delivered);
            assert_true(asked.response.sent || ROWS[i].delivered == 0);
            http_response_clear(&asked.response);
        }
}

static void sizes_are_capped(void **state) {
    http_peer_t *peer = *state;
    static const struct {
        http_behaviour_kind_t kind;
        size_t size;
    } TOO_LARGE[] = {
        {PEER_RESPOND, BODY_MAXIMUM + 1},      {PEER_RESPOND_CHUNKED, BODY_MAXIMUM + 1},
        {PEER_RESPOND_GZIP, BODY_MAXIMUM + 1}, {PEER_RESPOND_GZIP, 50 * 1000 * 1000},
        {PEER_LONG_HEADERS, 70 * 1000},        {PEER_LONG_HEADER_LINE, 70 * 1000},
        {PEER_LONG_HEADER_LINE, 1000 * 1000},
    };
    asked_t asked;
    for (size_t i = 0; i < sizeof TOO_LARGE / sizeof *TOO_LARGE; i++) {
        set(peer, TOO_LARGE[i].kind, TOO_LARGE[i].size);
        ask_and_expect(&asked, peer, "{}", HTTP_TOO_LARGE);
        assert_true(asked.response.sent);
        assert_true(asked.response.body.length <= BODY_MAXIMUM);
        http_response_clear(&asked.response);
    }
    static const http_behaviour_kind_t FIT[] = {PEER_RESPOND, PEER_RESPOND_CHUNKED,
                                                PEER_RESPOND_GZIP};
    for (size_t i = 0; i < sizeof FIT / sizeof *FIT; i++) {
        set(peer, FIT[i], BODY_MAXIMUM);
        ask_and_expect(&asked, peer, "{}", HTTP_COMPLETE);
        assert_int_equal(asked.response.body.length, BODY_MAXIMUM);
        http_response_clear(&asked.response);
    }
    set(peer, PEER_LONG_HEADERS, 60 * 1000);
    ask_and_expect(&asked, peer, "{}", HTTP_COMPLETE);
    http_response_clear(&asked.response);
}

/* --- timeouts --------------------------------------------------------------------------------- */

static void times_out(http_peer_t *peer, const http_request_t *request, int64_t least, bool sent) {
    asked_t asked;
    int64_t start = clock_now(peer->clock);
    ask(&asked, peer, request);
    expect_done(peer, &asked, HTTP_TIMED_OUT);
    /* Never early, but that libcurl truncates a difference of times to milliseconds towards zero:
     * up to one of them where a second ends in between. Late is the machine's affair. */
    assert_true(clock_now(peer->clock) - start > least - CLOCK_SECOND / 1000);
    assert_int_equal(asked.response.sent, sent);
    http_response_clear(&asked.response);
}

static void connect_timeout_strikes(void **state) {
    http_peer_t *peer = *state;
    set(peer, PEER_UNREACHABLE, 0);
    http_request_t request = request_for(peer, "{}");
    request.connect_timeout = SHORT;
    times_out(peer, &request, SHORT, false);
    assert_int_equal(peer->delivered(peer), 0);
}

static void total_timeout_strikes(void **state) {
    http_peer_t *peer = *state;
    static const http_behaviour_kind_t KINDS[] = {PEER_HANG, PEER_DRIP};
    for (size_t i = 0; i < 2; i++) {
        set(peer, KINDS[i], 0);
        http_request_t request = request_for(peer, "{}");
        request.total_timeout = SHORT;
        times_out(peer, &request, SHORT, true);
        assert_true(peer->delivered(peer) <= i + 1);
    }
}

static void idle_timeout_strikes(void **state) {
    http_peer_t *peer = *state;
    set(peer, PEER_HANG, 0);
    http_request_t request = request_for(peer, "{}");
    request.idle_timeout = peer->idle_timeout;
    times_out(peer, &request, peer->idle_timeout, true);
    assert_true(peer->delivered(peer) <= 1);
}

/* --- cancelling ------------------------------------------------------------------------------- */

static void cancel_at_once(void **state) {
    http_peer_t *peer = *state;
    asked_t asked;
    set(peer, PEER_RESPOND, 100);
    http_request_t request = request_for(peer, "{}");
    ask(&asked, peer, &request);
    cancel(&asked);
    assert_int_equal(asked.calls, 0);
    cancel(&asked);
    expect_done(peer, &asked, HTTP_CANCELLED);
    assert_false(asked.response.sent);
    assert_int_equal(peer->delivered(peer), 0);
    http_response_clear(&asked.response);
}

static void cancel_twice(void *context) {
    cancel(context);
    cancel(context);
}

static void cancel_while_waiting(void **state) {
    http_peer_t *peer = *state;
    static const http_behaviour_kind_t KINDS[] = {PEER_HANG, PEER_DRIP};
    for (unsigned i = 0; i < 2; i++) {
        asked_t asked;
        set(peer, KINDS[i], 0);
        http_request_t request = request_for(peer, "{}");
        ask(&asked, peer, &request);
        when(peer, peer->delivered, i + 1, cancel_twice, &asked);
        expect_done(peer, &asked, HTTP_CANCELLED);
        assert_true(asked.response.sent);
        assert_int_equal(peer->delivered(peer), i + 1);
        http_response_clear(&asked.response);
    }
}

typedef struct {
    asked_t other;
    http_request_t request;
} passing_t;

static void ask_and_cancel(void *context) {
    passing_t *passing = context;
    ask(&passing->other, passing->other.peer, &passing->request);
    cancel(&passing->other);
}

/* The timeout of one exchange is not lost when another comes and goes. */
static void timeout_strikes_after_a_cancel(void **state) {
    http_peer_t *peer = *state;
    asked_t asked;
    set(peer, PEER_HANG, 0);
    http_request_t request = request_for(peer, "{}");
    passing_t passing = {.other = {.peer = peer}, .request = request};
    request.total_timeout = SHORT;
    ask(&asked, peer, &request);
    when(peer, peer->delivered, 1, ask_and_cancel, &passing);
    expect_done(peer, &asked, HTTP_TIMED_OUT);
    expect_done(peer, &passing.other, HTTP_CANCELLED);
    http_response_clear(&asked.response);
    http_response_clear(&passing.other.response);
}

/* More than one turn starts: the last of them was not even begun. */
static void cancel_one_of_many(void **state) {
    http_peer_t *peer = *state;
    enum { COUNT = 80 };
    asked_t *asked = MEMORY_NEW_ARRAY(COUNT, asked_t);
    set(peer, PEER_RESPOND, 100);
    http_request_t request = request_for(peer, "{}");
    for (size_t i = 0; i < COUNT; i++)
        ask(&asked[i], peer, &request);
    cancel(&asked[COUNT - 1]);
    for (size_t i = 0; i < COUNT; i++) {
        expect_done(peer, &asked[i], i < COUNT - 1 ? HTTP_COMPLETE : HTTP_CANCELLED);
        http_response_clear(&asked[i].response);
    }
    assert_int_equal(peer->delivered(peer), COUNT - 1);
    free(asked);
}

static void cancel_a_refused_one(void **state) {
    http_peer_t *peer = *state;
    asked_t asked;
    set(peer, PEER_RESPOND, 100);
    http_request_t request = request_for(peer, "{}");
    request.url = "ftp://127.0.0.1/";
    ask(&asked, peer, &request);
    cancel(&asked);
    expect_done(peer, &asked, HTTP_REFUSED);
    http_response_clear(&asked.response);
}

/* Each `done` cancels all the others, finished or not. */
enum { CROWD = 12 };
typedef struct crowd {
    http_peer_t *peer;
    http_exchange_t *exchanges[CROWD];
    unsigned calls[CROWD];
} crowd_t;
typedef struct {
    crowd_t *crowd;
    size_t index;
} member_t;

static void member_done(void *context, http_response_t *response) {
    member_t *member = context;
    crowd_t *crowd = member->crowd;
    assert_true(response->outcome == HTTP_COMPLETE || response->outcome == HTTP_CANCELLED);
    crowd->calls[member->index]++;
    for (size_t i = 0; i < CROWD; i++)
        if (crowd->calls[i] == 0)
            http_cancel(crowd->peer->port, crowd->exchanges[i]);
}

static void done_may_cancel_others(void **state) {
    http_peer_t *peer = *state;
    crowd_t crowd = {.peer = peer};
    member_t members[CROWD];
    set(peer, PEER_RESPOND, 100);
    http_request_t request = request_for(peer, "{}");
    for (size_t i = 0; i < CROWD; i++) {
        members[i] = (member_t){&crowd, i};
        crowd.exchanges[i] = http_submit(peer->port, &request, member_done, &members[i]);
    }
    peer->run_until_idle(peer);
    for (size_t i = 0; i < CROWD; i++)
        assert_int_equal(crowd.calls[i], 1);
}

/* --- the suite -------------------------------------------------------------------------------- */

int http_conformance_run(const char *group, int (*setup)(void **state),
                         int (*teardown)(void **state)) {
#define CASE(name) \
    { #name, name, setup, teardown, NULL }
    const struct CMUnitTest cases[] = {
        CASE(get_is_answered),
        CASE(post_arrives_as_it_was_given),
        CASE(large_post_arrives_whole),
        CASE(empty_post_and_empty_answer),
        CASE(chunked_and_gzip_are_decoded),
        CASE(every_status_completes),
        CASE(interim_answer_is_not_the_answer),
        CASE(connection_is_used_again),
        CASE(post_is_delivered_once),
        CASE(empty_post_is_delivered_once),
        CASE(get_is_delivered_once),
        CASE(early_close_is_harmless),
        CASE(idle_connection_that_was_closed_is_replaced),
        CASE(of_a_hundred_none_is_lost),
        CASE(done_may_submit),
        CASE(refused_when_nobody_listens),
        CASE(what_cannot_be_sent_is_refused),
        CASE(broken_connections),
        CASE(sizes_are_capped),
        CASE(connect_timeout_strikes),
        CASE(total_timeout_strikes),
        CASE(idle_timeout_strikes),
        CASE(cancel_at_once),
        CASE(cancel_while_waiting),
        CASE(timeout_strikes_after_a_cancel),
        CASE(cancel_one_of_many),
        CASE(cancel_a_refused_one),
        CASE(done_may_cancel_others),
    };
#undef CASE
    return _cmocka_run_group_tests(group, cases, sizeof cases / sizeof *cases, NULL, NULL);
}
