/* recorder.h - streams excerpts through the subject model and leaves a neuron record of each chosen
 * neuron in the store.
 *
 *   first pass --> second pass --> records into the store --> finished
 *      ^  |           ^  |
 *      |  v           |  v
 *     a checkpoint, when one is due or before it stops for an interrupt
 *
 * (Every state and what leads from one to the next: recorder.c.) Batches of a fixed shape go to the
 * workers, as many at a time as there are workers and one more; what they summed up is merged in
 * order of the batches (pass.h, core/subject/neuron_stats.h), so that the result does not depend on
 * workers. A checkpoint waits until no batch is under way, and goes to the archivist in pieces of a
 * few megabytes (checkpoint.h); workers pause meanwhile. Records are stored in groups; the last
 * transaction names their set (storing.h). Every write goes through the archivist, which tries
 * again while the disk is full.
 */
#ifndef GLIA_ACTORS_RECORDER_RECORDER_H
#define GLIA_ACTORS_RECORDER_RECORDER_H

#include "actors/messages.h"
#include "core/runtime/executor.h"
#include "core/subject/corpus.h"
#include "core/subject/gpt2.h"
#include "core/subject/neuron_stats.h"
#include "core/subject/tokenizer.h"
#include "store/recordings.h"

/* Tokens of a batch, in whole excerpts (one at least): its shape is part of what the numbers depend
 * on. */
enum { RECORDER_BATCH_TOKENS = 512 };
size_t recorder_batch_excerpts(size_t length);

/* How long this process was at what. */
typedef struct {
    /* microseconds of the first and second pass, without checkpoints */
    int64_t passing[2];
    uint64_t excerpts[2]; /* that went through the model meanwhile */
    /* microseconds: of checkpoints; of excerpts and records */
    int64_t saving, storing;
    uint64_t checkpoints, checkpoint_bytes; /* how many; what all of them wrote */
} recorder_times_t;

typedef enum { RECORDER_DONE, RECORDER_INTERRUPTED, RECORDER_FAILED } recorder_end_t;
typedef void recorder_finished_t(void *context, recorder_end_t end, const error_info_t *error);

typedef struct {
    store_t *store; /* where the checkpoint is, to go on from */
    executor_t *workers;
    size_t worker_count;
    actor_t *archivist;
    const gpt2_t *model;
    const tokenizer_t *tokenizer;
    const excerpts_t *excerpts;
    /* fresh; the recorder's for as long as it lives, freed by the caller */
    neuron_stats_t *stats;
    hash_t id; /* of the recording */
    /* as it is in the store, or a fresh one; borrowed during create */
    const recording_t *recording;
    const char *set_name, *origin;                  /* what the set of records is called */
    int64_t checkpoint;                             /* microseconds between two */
    bool terminal;                                  /* progress is one line that is written over */
    int64_t quiet;                                  /* else: microseconds between two lines */
    void (*write)(void *context, const char *text); /* NULL: no progress */
    /* the caller's, zeroed; complete when it finished */
    recorder_times_t *times;
    recorder_finished_t *finished; /* once, on the loop thread */
    void *context;
} recorder_options_t;

/* Reads the checkpoint. NULL: FATAL, it is damaged; CONFIG, the batch does not fit the model. All
 * that options names stays the caller's and outlives the actor. */
actor_t *recorder_create(scheduler_t *scheduler, const recorder_options_t *options,
                         error_info_t *error);
/* Saves a checkpoint, then finishes; while records are stored, finishes without. */
void recorder_interrupt(actor_t *recorder);

/* Which state it is in, as people call it; for tests. */
const char *recorder_state_name(const actor_t *recorder);

#endif
