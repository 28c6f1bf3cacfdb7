/* accountant.h - the caps: an attempt gets money set aside, durably, or it does not start.
 *
 * For every cap that applies (run total, model, UTC day of the run, store, and the cap on doubts):
 *     settled + doubts + reserved + worst case of this attempt <= cap
 * is checked before RESERVED is sent, against balances that were read from the store at start and
 * follow every commit. REFUSED names the cap and what is missing. Money that comes free (a
 * settlement below its worst case) is announced with FREED.
 */
#ifndef GLIA_ACTORS_ACCOUNTANT_H
#define GLIA_ACTORS_ACCOUNTANT_H

#include "actors/messages.h"

typedef struct {
    const settings_t *settings;
    store_t *store;
    uint32_t run;
    actor_t *archivist;
    log_t *log;
} accountant_options_t;

/* Reads the balances of the run and of the store (before the loop runs: it may block). NULL with
 * *error set on failure.
 */
actor_t *accountant_create(scheduler_t *scheduler, const accountant_options_t *options,
                           size_t mailbox, error_info_t *error);
void accountant_set_pool(actor_t *accountant_actor, actor_t *pool);

#endif
