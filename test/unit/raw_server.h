/* raw_server.h - a server on 127.0.0.1 that behaves as badly as it is told (test
 * help, no test itself).
 *
 * One thread, raw sockets, any number of connections up to a bound. It keeps HTTP/1.1 connections
 * open and counts what was delivered, so that a test can tell one delivery from two.
 */
#ifndef GLIA_TEST_RAW_SERVER_H
#define GLIA_TEST_RAW_SERVER_H

#include "test/unit/http_conformance.h"

typedef struct raw_server raw_server_t;

raw_server_t *raw_server_start(void); /* listens on a free port; aborts if it cannot */
void raw_server_stop(raw_server_t *server);

/* Thread-safe. The behaviour holds for requests (for CLOSE_UNREAD: connections) that
 * come from now on. */
void raw_server_set(raw_server_t *server, http_behaviour_t behaviour);
const char *raw_server_url(raw_server_t *server);
unsigned raw_server_delivered(raw_server_t *server);
unsigned raw_server_connections(raw_server_t *server);
unsigned raw_server_open_connections(raw_server_t *server);
void raw_server_last_request(raw_server_t *server, buffer_t *out);

#endif
