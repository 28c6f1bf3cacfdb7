/* restore.h - the windows at a start: what was sent in the last minute counts, whoever sent it.
 */
#ifndef GLIA_ACTORS_POOL_RESTORE_H
#define GLIA_ACTORS_POOL_RESTORE_H

#include "actors/pool/endpoint.h"
#include "core/runtime/clock.h"
#include "store/env.h"

/* Puts the store's attempts of the last minute into the windows of endpoints [endpoint_count of the
 * settings]; of any run, since limits do not know runs. Reads the store, if there is any limit.
 * False with *error set: it cannot be read. */
bool restore_windows(endpoint_t *const *endpoints, const settings_t *settings, store_t *store,
                     clock_port_t *clock, error_info_t *error);

#endif
