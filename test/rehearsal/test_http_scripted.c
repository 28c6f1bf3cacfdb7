/* test_http_scripted.c - the scripted http port passes the suite that http_curl passes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/memory.h"
#include "test/rehearsal/http_scripted.h"
#include "test/unit/http_conformance.h"

typedef struct {
    http_peer_t peer; /* first member */
    world_t *world;
    http_behaviour_t behaviour;
    unsigned delivered;
    buffer_t last;
} scripted_peer_test_t;

static scripted_peer_test_t *test_of(http_peer_t *peer) {
    return (scripted_peer_test_t *)peer;
}

static void dial(void *context, const scripted_request_t *request, scripted_line_t *line) {
    const scripted_peer_test_t *test = context;
    *line = (scripted_line_t){.connect = 300, .upload = 200};
    switch (test->behaviour.kind) {
    case PEER_REFUSE: line->kind = LINE_REFUSED; break;
    case PEER_UNREACHABLE: line->kind = LINE_UNREACHABLE; break;
    case PEER_CLOSE_UNREAD: line->kind = LINE_UNREAD; break;
    case PEER_CLOSE_SECOND_EARLY: line->kind = request->served > 0 ? LINE_DURING : LINE_GOOD; break;
    default: break;
    }
}

static reply_kind_t reply_kind(http_behaviour_kind_t kind, unsigned served) {
    switch (kind) {
    case PEER_CLOSE_UNANSWERED: return REPLY_NONE;
    case PEER_CLOSE_SECOND: return served > 0 ? REPLY_NONE : REPLY_WHOLE;
    case PEER_CUT_LENGTH:
    case PEER_CUT_CHUNKED: return REPLY_CUT_BODY;
    case PEER_CUT_HEAD: return REPLY_CUT_HEAD;
    case PEER_HANG: return REPLY_HANGS;
    case PEER_DRIP: return REPLY_DRIPS;
    case PEER_GARBAGE: return REPLY_GARBAGE;
    default: return REPLY_WHOLE;
    }
}

static void serve(void *context, const scripted_request_t *request, scripted_reply_t *reply) {
    scripted_peer_test_t *test = context;
    const http_behaviour_t *behaviour = &test->behaviour;
    bool headers = behaviour->kind == PEER_LONG_HEADERS || behaviour->kind == PEER_LONG_HEADER_LINE;
    test->delivered++;
    buffer_clear(&test->last);
    buffer_append_format(&test->last, "%s /path HTTP/1.1\r\n", request->method);
    for (size_t i = 0; i < request->header_count; i++)
        buffer_append_format(&test->last, "%s\r\n", request->headers[i]);
    buffer_append_text(&test->last, "\r\n");
    buffer_append(&test->last, request->body->data, request->body->length);
    *reply = (scripted_reply_t){
        .kind = reply_kind(behaviour->kind, request->served),
        .think = 1000,
        .download = 500,
        .status = behaviour->status ? behaviour->status : 200,
        .headers = behaviour->headers,
        .field = "Content-Type: text/plain",
        .header_bytes = headers ? behaviour->size : 0,
        .closes = behaviour->kind == PEER_CLOSE_AFTER_ANSWER,
    };
    for (size_t i = 0; !headers && i < behaviour->size; i++)
        buffer_append_char(&reply->body,
                           behaviour->kind == PEER_RESPOND_GZIP ? 'a' : http_behaviour_byte(i));
}

static void peer_set(http_peer_t *peer, http_behaviour_t behaviour) {
    test_of(peer)->behaviour = behaviour;
}
static const char *peer_url(http_peer_t *peer) {
    (void)peer;
    return "http://scripted.test/path";
}
static unsigned peer_delivered(http_peer_t *peer) {
    return test_of(peer)->delivered;
}
static unsigned peer_connections(http_peer_t *peer) {
    return http_scripted_connections(peer->port);
}
static unsigned peer_open(http_peer_t *peer) {
    return http_scripted_open(peer->port);
}
static void peer_last_request(http_peer_t *peer, buffer_t *out) {
    buffer_append(out, test_of(peer)->last.data, test_of(peer)->last.length);
}
static void peer_run(http_peer_t *peer) {
    assert_int_equal(world_run(test_of(peer)->world, 1000000, INT64_MAX), WORLD_EMPTY);
}

static int setup(void **state) {
    scripted_peer_test_t *test = MEMORY_NEW(scripted_peer_test_t);
    test->world = world_create(1, 0);
    scripted_peer_t peer = {.dial = dial, .serve = serve, .context = test};
    test->peer = (http_peer_t){
        .port = http_scripted_create(test->world, &peer),
        .clock = world_clock(test->world),
        .idle_timeout = CLOCK_SECOND / 10,
        .set_behaviour = peer_set,
        .url = peer_url,
        .delivered = peer_delivered,
        .connections = peer_connections,
        .open_connections = peer_open,
        .last_request = peer_last_request,
        .run_until_idle = peer_run,
    };
    *state = test;
    return 0;
}

static int teardown(void **state) {
    scripted_peer_test_t *test = *state;
    http_scripted_free(test->peer.port);
    world_free(test->world);
    buffer_free(&test->last);
    free(test);
    return 0;
}

int main(void) {
    return http_conformance_run("http_scripted", setup, teardown);
}
