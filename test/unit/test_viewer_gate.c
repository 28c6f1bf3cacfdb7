/* test_viewer_gate.c - who may ask the viewer for what. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tools/viewer/gate.h"

#define TOKEN "0123456789abcdefX"

static const char *const further[] = {"lab.example"};
static const gate_t local = {.address = "127.0.0.1", .port = 8321};
static const gate_t guarded = {
    .address = "0.0.0.0", .port = 8321, .token = TOKEN, .hosts = further, .host_count = 1};
static const gate_request_t plain = {.method = "GET", .path = "/", .host = "127.0.0.1:8321"};

static int status(const gate_t *gate, gate_request_t request) {
    return gate_judge(gate, &request).status;
}

#define WITH(...) \
    ((gate_request_t){.method = "GET", .path = "/", .host = "127.0.0.1:8321", __VA_ARGS__})

static void own_names_are_let_in(void **state) {
    (void)state;
    static const char *const good[] = {"127.0.0.1:8321", "localhost:8321", "LOCALHOST:8321"};
    static const char *const bad[] = {
        "evil.example",    "evil.example:8321",   "127.0.0.1", "127.0.0.1:8322",
        "localhost:83210", "localhost.evil:8321", "",          "lab.example:8321"};
    assert_int_equal(status(&local, plain), 0);
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        gate_request_t request = plain;
        request.host = good[i];
        assert_int_equal(status(&local, request), 0);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        gate_request_t request = plain;
        request.host = bad[i];
        assert_int_equal(status(&local, request), 421);
    }
    gate_request_t nameless = plain;
    nameless.host = NULL;
    assert_int_equal(status(&local, nameless), 421);
}

static void foreign_origins_are_turned_away(void **state) {
    (void)state;
    assert_int_equal(status(&local, WITH(.origin = "http://127.0.0.1:8321")), 0);
    assert_int_equal(status(&local, WITH(.origin = "http://evil.example")), 403);
    assert_int_equal(status(&local, WITH(.origin = "https://127.0.0.1:8321")), 403);
    assert_int_equal(status(&local, WITH(.origin = "null")), 403);
}

static gate_request_t post(const char *path, const char *origin, const char *type) {
    gate_request_t request = plain;
    request.method = "POST";
    request.path = path;
    request.origin = origin;
    request.content_type = type;
    return request;
}

static void only_answers_are_posted(void **state) {
    (void)state;
    static const char own[] = "http://127.0.0.1:8321";
    assert_int_equal(status(&local, post("/api/study/anna/1", own, "application/json")), 0);
    assert_int_equal(status(&local, post("/api/study/anna/1", NULL, "application/json")), 403);
    assert_int_equal(status(&local, post("/api/study/anna/1", own, "text/plain")), 415);
    assert_int_equal(status(&local, post("/api/study/anna/1", own, NULL)), 415);
    assert_int_equal(status(&local, post("/api/run", own, "application/json")), 405);
    static const char *const methods[] = {"PUT", "DELETE", "OPTIONS", "TRACE", "PATCH", "CONNECT"};
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++) {
        gate_request_t request = plain;
        request.method = methods[i];
        assert_int_equal(status(&local, request), 405);
    }
    gate_request_t head = plain;
    head.method = "HEAD";
    assert_int_equal(status(&local, head), 0);
}

static void the_token_is_asked_for(void **state) {
    (void)state;
    assert_int_equal(status(&guarded, plain), 401);
    assert_int_equal(status(&guarded, WITH(.cookie = "a=b; " GATE_COOKIE "=" TOKEN "; c=d")), 0);
    assert_int_equal(status(&guarded, WITH(.cookie = GATE_COOKIE "=" TOKEN "Y")), 401);
    assert_int_equal(status(&guarded, WITH(.cookie = GATE_COOKIE "=")), 401);
    assert_int_equal(status(&guarded, WITH(.cookie = "x" GATE_COOKIE "=" TOKEN)), 401);
    assert_int_equal(status(&guarded, WITH(.authorization = "Bearer " TOKEN)), 0);
    assert_int_equal(status(&guarded, WITH(.authorization = "Bearer x")), 401);
    gate_request_t request = WITH(.query_token = TOKEN);
    gate_verdict_t verdict = gate_judge(&guarded, &request);
    assert_int_equal(verdict.status, 0);
    assert_true(verdict.by_query);
    assert_int_equal(status(&guarded, WITH(.query_token = "0123456789abcdef")), 401);
    gate_request_t elsewhere = WITH(.query_token = TOKEN);
    elsewhere.host = "evil.example:8321";
    assert_int_equal(status(&guarded, elsewhere), 421);
    elsewhere.host = "lab.example:8321";
    assert_int_equal(status(&guarded, elsewhere), 0);
}

static void loopback_is_known(void **state) {
    (void)state;
    assert_true(gate_is_loopback("127.0.0.1"));
    assert_true(gate_is_loopback("127.9.9.9"));
    assert_false(gate_is_loopback("0.0.0.0"));
    assert_false(gate_is_loopback("192.168.1.127"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(own_names_are_let_in),
        cmocka_unit_test(foreign_origins_are_turned_away),
        cmocka_unit_test(only_answers_are_posted),
        cmocka_unit_test(the_token_is_asked_for),
        cmocka_unit_test(loopback_is_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
