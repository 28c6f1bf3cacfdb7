/* service.h - everything behind the routes: who may ask, what goes wrong, who pays.
 *
 * The callbacks are those of core/net/http_server.h, with the service as their context; they may
 * run on many threads at once. */
#ifndef GLIA_STANDIN_SERVICE_H
#define GLIA_STANDIN_SERVICE_H

#include "core/base/error.h"
#include "core/net/http_server.h"
#include "tools/standin/options.h"

typedef struct standin_service standin_service_t;

/* Options are borrowed until free. Errors (USAGE, CONFIG) name the option or file. */
standin_service_t *standin_service_create(const standin_options_t *options, error_info_t *error);
void standin_service_free(standin_service_t *service);

bool standin_service_begin(void *service, http_server_request_t *request);
void standin_service_handle(void *service, http_server_request_t *request,
                            http_server_response_t *response);
void standin_service_done(void *service, http_server_request_t *request, bool delivered);

#endif
