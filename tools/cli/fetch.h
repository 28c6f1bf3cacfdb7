/* fetch.h - gets many small files over HTTP, several at a time, through the ports
 * (http_curl, loop). */
#ifndef GLIA_TOOLS_CLI_FETCH_H
#define GLIA_TOOLS_CLI_FETCH_H

#include <stdbool.h>
#include <stddef.h>

#include "core/base/buffer.h"
#include "core/base/error.h"

enum { FETCH_CONCURRENCY = 8, FETCH_TRIES = 5, FETCH_MAX_BODY = 256 << 20 };

typedef struct fetcher fetcher_t;

fetcher_t *fetcher_create(error_info_t *error);
void fetcher_free(fetcher_t *fetcher); /* NULL is fine */

/* One answer: the body of URL `index`, or `found` false where the server says that there is no such
 * file (404, 410). In the order of arrival. Returning false, with *error set, ends the fetch. */
typedef bool fetch_take_t(void *context, size_t index, bool found, const buffer_t *body,
                          error_info_t *error);

/* Gets urls [count], FETCH_CONCURRENCY at a time. Connections that fail, timeouts, 408, 429 and 5xx
 * are tried FETCH_TRIES times, with growing pauses (Retry-After is obeyed). Blocks until all have
 * arrived or one cannot be had. Errors, each naming the URL: RETRYABLE, the tries are used up;
 * CONFIG, any other status. */
bool fetcher_get(fetcher_t *fetcher, const char *const *urls, size_t count, fetch_take_t *take,
                 void *context, error_info_t *error);

#endif
