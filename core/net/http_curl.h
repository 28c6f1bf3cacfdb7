/* http_curl.h - the http port on libcurl multi (socket action) and the loop.
 *
 * HTTP/1.1 with keep-alive or HTTP/2, at most `max_connections` connections (0: no limit); gzip;
 * TLS verified; proxy from the environment (https_proxy, http_proxy in lower case only,
 * all_proxy, no_proxy) except for loopback addresses; no redirects; no cookies; headers of a
 * response up to 64 KiB.
 *
 * HTTP/2: libcurl before 8.1.0 (Debian 12) loses wake-ups when streams share a connection; there
 * each exchange in flight has a connection of its own, as with HTTP/1.1, and plain http:// with
 * http2 a fresh one each time.
 *
 * One delivery: libcurl sends a request again when a reused connection dies. Here it may do so
 * only while not a byte of a request was sent (never, for a request without body); else the
 * exchange ends as BROKEN. Connections that were idle for more than a few seconds are not reused,
 * so that this is rare.
 */
#ifndef GLIA_NET_HTTP_CURL_H
#define GLIA_NET_HTTP_CURL_H

#include "core/net/http.h"
#include "core/runtime/loop.h"

http_port_t *http_curl_create(loop_t *loop, long max_connections, error_info_t *error);
/* Cancels what is under way (their `done` are called with CANCELLED, or with what had arrived) and
 * releases everything. Not from inside a `done`. */
void http_curl_free(http_port_t *port);

#endif
