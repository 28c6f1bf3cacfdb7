/* call.h - one request to the viewer on its way through a handler. Private to the viewer. */
#ifndef GLIA_TOOLS_VIEWER_CALL_H
#define GLIA_TOOLS_VIEWER_CALL_H

#include "core/net/http_server.h"
#include "tools/viewer/fields.h"
#include "tools/viewer/study_store.h"
#include "tools/viewer/view.h"

typedef struct {
    http_server_request_t *request;
    http_server_response_t *response;
    const char *rest; /* of the path, behind the route's prefix */
    store_t *store;   /* with `view`: NULL when only the study is served */
    view_t *view;
    study_t *study; /* NULL: there is none */
} call_t;

/* A handler of JSON appends to response->body, or refuses. The answer is 200 unless it
 * says otherwise. */
void call_refuse(call_t *call, int status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* A query parameter; false: absent or no such number, *value untouched. */
bool call_integer(const call_t *call, const char *name, int64_t *value);
bool call_number(const call_t *call, const char *name, double *value);
/* The index of ?set=NAME: -1 if absent; false (refused): no such set. */
bool call_set(call_t *call, int64_t *set);

void api_run(call_t *call);
void api_rates(call_t *call);
void api_neurons(call_t *call);
void api_compare(call_t *call);
void api_good(call_t *call);
void api_neuron(call_t *call);
void api_exchange(call_t *call);
void api_study(call_t *call);

/* {url, set, id, layer, neuron, best, spread, scores, adacs, explained, failed} */
void api_write_entry(const view_t *view, const index_entry_t *entry, buffer_t *out);
/* The status of a run with its caps, one object. */
bool api_write_run(store_t *store, const view_t *view, buffer_t *out, error_info_t *error);

#endif
