/* test_http_curl.c - http_curl passes the conformance suite, and what only it has to do. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/memory.h"
#include "core/net/http_curl.h"
#include "test/unit/http_conformance.h"
#include "test/unit/raw_server.h"

enum { CONNECTIONS = 8 };

typedef struct {
    http_peer_t peer; /* first member */
    loop_t *loop;
    raw_server_t *server;
} curl_peer_t;

static raw_server_t *server_of(http_peer_t *peer) {
    return ((curl_peer_t *)peer)->server;
}

static void peer_set(http_peer_t *peer, http_behaviour_t behaviour) {
    raw_server_set(server_of(peer), behaviour);
}
static const char *peer_url(http_peer_t *peer) {
    return raw_server_url(server_of(peer));
}
static unsigned peer_delivered(http_peer_t *peer) {
    return raw_server_delivered(server_of(peer));
}
static unsigned peer_connections(http_peer_t *peer) {
    return raw_server_connections(server_of(peer));
}
static unsigned peer_open(http_peer_t *peer) {
    return raw_server_open_connections(server_of(peer));
}
static void peer_last_request(http_peer_t *peer, buffer_t *out) {
    raw_server_last_request(server_of(peer), out);
}
static void peer_run(http_peer_t *peer) {
    loop_run(((curl_peer_t *)peer)->loop);
}

static int setup(void **state) {
    curl_peer_t *peer = MEMORY_NEW(curl_peer_t);
    error_info_t error;
    peer->loop = loop_create(&error);
    assert_non_null(peer->loop);
    peer->server = raw_server_start();
    peer->peer = (http_peer_t){
        .port = http_curl_create(peer->loop, CONNECTIONS, &error),
        .clock = loop_clock(peer->loop),
        .idle_timeout = CLOCK_SECOND,
        .set_behaviour = peer_set,
        .url = peer_url,
        .delivered = peer_delivered,
        .connections = peer_connections,
        .open_connections = peer_open,
        .last_request = peer_last_request,
        .run_until_idle = peer_run,
    };
    assert_non_null(peer->peer.port);
    *state = peer;
    return 0;
}

static int teardown(void **state) {
    curl_peer_t *peer = *state;
    if (peer->peer.port)
        http_curl_free(peer->peer.port);
    loop_free(peer->loop);
    raw_server_stop(peer->server);
    free(peer);
    return 0;
}

/* --- curl's own ------------------------------------------------------------------------------- */

typedef struct {
    unsigned calls;
    http_outcome_t outcome;
    bool sent;
    char detail[256];
} seen_t;

static void see(void *context, http_response_t *response) {
    seen_t *seen = context;
    seen->calls++;
    seen->outcome = response->outcome;
    seen->sent = response->sent;
    memcpy(seen->detail, response->detail, sizeof seen->detail);
}

static http_request_t post_to(const char *url) {
    return (http_request_t){
        .method = "POST",
        .url = url,
        .body = "{}",
        .body_length = 2,
        .connect_timeout = 60 * CLOCK_SECOND,
        .total_timeout = 60 * CLOCK_SECOND,
        .maximum_body = 1000,
    };
}

static void free_completes_what_is_under_way(void **state) {
    curl_peer_t *peer = *state;
    seen_t seen[3 * CONNECTIONS] = {{0}}; /* some wait for a connection */
    raw_server_set(peer->server, (http_behaviour_t){.kind = PEER_HANG});
    http_request_t request = post_to(raw_server_url(peer->server));
    for (size_t i = 0; i < 3 * CONNECTIONS; i++)
        http_submit(peer->peer.port, &request, see, &seen[i]);
    http_curl_free(peer->peer.port);
    peer->peer.port = NULL;
    for (size_t i = 0; i < 3 * CONNECTIONS; i++) {
        assert_int_equal(seen[i].calls, 1);
        assert_int_equal(seen[i].outcome, HTTP_CANCELLED);
    }
    loop_run(peer->loop);
}

static void connections_are_capped(void **state) {
    curl_peer_t *peer = *state;
    seen_t seen[3 * CONNECTIONS] = {{0}};
    raw_server_set(peer->server, (http_behaviour_t){.kind = PEER_RESPOND, .size = 10});
    http_request_t request = post_to(raw_server_url(peer->server));
    for (size_t i = 0; i < 3 * CONNECTIONS; i++)
        http_submit(peer->peer.port, &request, see, &seen[i]);
    loop_run(peer->loop);
    for (size_t i = 0; i < 3 * CONNECTIONS; i++)
        assert_int_equal(seen[i].calls, 1);
    assert_true(raw_server_connections(peer->server) <= CONNECTIONS);
}

/* The plain server answers a TLS hello with something else. Nothing of the request was sent. */
static void failed_handshake_is_refused(void **state) {
    curl_peer_t *peer = *state;
    seen_t seen = {0};
    raw_server_set(peer->server, (http_behaviour_t){.kind = PEER_CLOSE_UNREAD});
    char *url = memory_format("https%s", strchr(raw_server_url(peer->server), ':'));
    http_request_t request = post_to(url);
    http_submit(peer->peer.port, &request, see, &seen);
    loop_run(peer->loop);
    assert_int_equal(seen.calls, 1);
    assert_int_equal(seen.outcome, HTTP_REFUSED);
    assert_false(seen.sent);
    free(url);
}

static void missing_ca_file_is_refused(void **state) {
    curl_peer_t *peer = *state;
    seen_t seen = {0};
    raw_server_set(peer->server, (http_behaviour_t){.kind = PEER_HANG});
    char *url = memory_format("https%s", strchr(raw_server_url(peer->server), ':'));
    http_request_t request = post_to(url);
    request.ca_file = "/nonexistent/ca.pem";
    http_submit(peer->peer.port, &request, see, &seen);
    loop_run(peer->loop);
    assert_int_equal(seen.outcome, HTTP_REFUSED);
    assert_non_null(strstr(seen.detail, "/nonexistent/ca.pem"));
    free(url);
}

/* The environment names a proxy where nobody listens. */
static void proxy_is_for_others_only(void **state) {
    curl_peer_t *peer = *state;
    seen_t seen = {0};
    raw_server_set(peer->server, (http_behaviour_t){.kind = PEER_REFUSE});
    char *proxy = memory_copy_string(raw_server_url(peer->server));
    setenv("http_proxy", proxy, 1);
    raw_server_set(peer->server, (http_behaviour_t){.kind = PEER_RESPOND});
    http_request_t near = post_to(raw_server_url(peer->server));
    http_submit(peer->peer.port, &near, see, &seen);
    loop_run(peer->loop);
    assert_int_equal(seen.outcome, HTTP_COMPLETE);
    http_request_t far = post_to("http://glia.invalid/"); /* never resolved: the proxy is asked */
    http_submit(peer->peer.port, &far, see, &seen);
    loop_run(peer->loop);
    assert_int_equal(seen.outcome, HTTP_REFUSED);
    assert_non_null(strstr(seen.detail, "127.0.0.1"));
    unsetenv("http_proxy");
    free(proxy);
}

int main(void) {
    unsetenv("http_proxy");
    unsetenv("all_proxy");
    unsetenv("ALL_PROXY");
    unsetenv("no_proxy");
    unsetenv("NO_PROXY");
    const struct CMUnitTest own[] = {
        cmocka_unit_test_setup_teardown(free_completes_what_is_under_way, setup, teardown),
        cmocka_unit_test_setup_teardown(connections_are_capped, setup, teardown),
        cmocka_unit_test_setup_teardown(failed_handshake_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(missing_ca_file_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(proxy_is_for_others_only, setup, teardown),
    };
    int failures = http_conformance_run("http_curl conformance", setup, teardown);
    return failures + cmocka_run_group_tests_name("http_curl", own, NULL, NULL);
}
