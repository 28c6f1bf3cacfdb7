/* recorder_private.h - the recorder's state, shared by recorder.c (passes, messages) and recorder_store.c (checkpoints,
 * records). */
#ifndef GLIA_ACTORS_RECORDER_PRIVATE_H
#define GLIA_ACTORS_RECORDER_PRIVATE_H

#include "actors/recorder.h"
#include "store/records.h"

typedef enum { RECORDER_PASSING, RECORDER_SAVING, RECORDER_STORING, RECORDER_FINISHED } recorder_state_t;

/* FREE -> RUNNING (a worker's) -> READY -> MERGING (a worker's) -> FREE */
typedef enum { SLOT_FREE, SLOT_RUNNING, SLOT_READY, SLOT_MERGING } slot_state_t;

typedef struct {
    struct recorder *recorder;
    slot_state_t state;
    uint64_t number;          /* of the batch in this pass */
    size_t count;             /* excerpts */
    const uint32_t *excerpts; /* [count] */
    uint32_t *tokens;         /* [batch][length] */
    gpt2_batch_t *work;
    neuron_stats_batch_t *sums;
    bool failed;
    error_info_t error;
} slot_t;

typedef struct recorder {
    actor_t *self;
    recorder_options_t options;
    recorder_state_t state;
    recording_t recording; /* as the store has it */
    size_t batch;          /* excerpts */
    uint32_t *all;         /* [excerpts] 0, 1, ... */
    const uint32_t *list;  /* [count]: what this pass goes over */
    size_t count, next;
    uint64_t next_batch, next_merge; /* numbers */
    size_t slot_count;
    slot_t *slots;
    bool merging, interrupted, failed;
    error_info_t error;
    clock_timer_t *timer;
    int64_t saved_at, shown_at, rate_at, timed_at; /* monotonic */
    int64_t told_at;                               /* progress was stored */
    bool telling;                                  /* it is with the archivist */
    size_t merged;                                 /* excerpts of this pass; what workers do not write meanwhile */
    bool second;                                   /* pass; likewise */
    uint64_t passed;                               /* excerpts that were merged since timed_at */
    size_t rate_from;                              /* excerpts of this pass that were merged at rate_at */
    bool line_open;                                /* a line on the terminal has no end yet */
    /* SAVING */
    neuron_stats_piece_t *pieces;
    recording_t next_recording;
    size_t piece_count, pieces_seen;
    bool named; /* the row is on its way */
    /* STORING */
    size_t excerpts_stored, neurons_stored;
    char **ids;     /* [neurons] */
    hash_t *hashes; /* [neurons] */
    bool set_named;
} recorder_t;

void recorder_finish(recorder_t *recorder, recorder_end_t end, const error_info_t *error);
void recorder_fail(recorder_t *recorder, const error_info_t *error);
/* Nothing is under way: from PASSING to SAVING; back by recorder_saved(). */
void recorder_save(recorder_t *recorder);
void recorder_saved(recorder_t *recorder);
void recorder_store(recorder_t *recorder);
/* A worker came back, or a write did, in SAVING or STORING. */
void recorder_store_worked(recorder_t *recorder, void *context);
void recorder_store_written(recorder_t *recorder, write_t *write);
void recorder_store_clear(recorder_t *recorder);
/* Fills the fresh statistics from the checkpoint. */
bool recorder_load(recorder_t *recorder, error_info_t *error);
/* Adds the time since the last call to that of the state that is now ending. */
void recorder_time(recorder_t *recorder);
void recorder_show(recorder_t *recorder, bool last);

#endif
