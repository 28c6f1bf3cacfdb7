/* archivist.h - the only writer of a live run: its own thread, one transaction for all that waits.
 *
 * Takes WRITE; all writes that came in until a transaction begins make it up (group commit), and
 * the next one follows at once. After the commit every write goes back to its `reply_to` as
 * WRITTEN. A commit that fails because the disk is full is tried again, with all it holds, until it
 * succeeds; nothing is acknowledged or dropped meanwhile (the director hears DISK).
 */
#ifndef GLIA_ACTORS_ARCHIVIST_H
#define GLIA_ACTORS_ARCHIVIST_H

#include "actors/messages.h"
#include "core/runtime/executor.h"

typedef struct {
    store_t *store;
    executor_t *committer; /* one thread */
    log_t *log;
    keep_raw_t keep_raw;
    int64_t min_free; /* reservations wait while the disk has less than this */
} archivist_options_t;

/* `fatal` is called once if the store can no longer be written for a reason that
 * waiting does not mend. */
typedef void archivist_fatal_t(void *context, const error_info_t *error);

actor_t *archivist_create(scheduler_t *scheduler, const archivist_options_t *options,
                          size_t mailbox, archivist_fatal_t *fatal, void *context);
/* Who hears DISK. */
void archivist_set_director(actor_t *archivist_actor, actor_t *director);
/* Commits so far, and writes in them. For reports and tests. */
void archivist_counts(const actor_t *archivist_actor, uint64_t *commits, uint64_t *writes);

#endif
