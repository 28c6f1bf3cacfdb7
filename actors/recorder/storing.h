/* storing.h - the records of a recording that is complete, on their way into the store: groups of
 * excerpts, groups of neurons, the set that names them, and then the pieces of the checkpoint,
 * which go. One group at a time, each in a write of the caller's. Stored again, all of it is the
 * same, so that an interrupted one may begin anew.
 */
#ifndef GLIA_ACTORS_RECORDER_STORING_H
#define GLIA_ACTORS_RECORDER_STORING_H

#include "core/subject/corpus.h"
#include "core/subject/neuron_stats.h"
#include "core/subject/tokenizer.h"
#include "store/recordings.h"

typedef struct storing storing_t;

typedef struct {
    const tokenizer_t *tokenizer;
    const excerpts_t *excerpts;
    const neuron_stats_t *stats;   /* both passes are done */
    hash_t id;                     /* of the recording */
    const recording_t *recording;  /* as the store has it, or has to */
    const char *set_name, *origin; /* what the set of records is called */
} storing_options_t;

/* All that the options name outlives it. */
storing_t *storing_create(const storing_options_t *options);
void storing_free(storing_t *storing); /* NULL is fine */

size_t storing_excerpts_left(const storing_t *storing);
size_t storing_neurons_left(const storing_t *storing);
size_t storing_neurons_stored(const storing_t *storing);

/* store_apply_t, `context` is the storing: the next excerpts; then, once it is committed,
 * storing_excerpts_stored(). */
bool storing_put_excerpts(store_txn_t *txn, void *context, error_info_t *error);
void storing_excerpts_stored(storing_t *storing);
/* Makes the values of the next neurons. Computes: for a worker. */
void storing_pack(storing_t *storing);
/* Those; then, once it is committed, storing_records_stored(). */
bool storing_put_records(store_txn_t *txn, void *context, error_info_t *error);
void storing_records_stored(storing_t *storing);
/* The set, the recording's last row, and no progress any more; all excerpts and records are stored.
 */
bool storing_put_set(store_txn_t *txn, void *context, error_info_t *error);
/* A few pieces of the checkpoint; again, until storing_has_dropped(). */
bool storing_drop(store_txn_t *txn, void *context, error_info_t *error);
bool storing_has_dropped(const storing_t *storing);

#endif
