/* chain_look.h - what became of each job of a chain: the one account that planner, estimate,
 * report, exports and viewer read. Nothing else looks a job up.
 *
 * A look goes through the rows of the sweep's stages (stage.h) and reads the store through the
 * caller's transaction:
 *
 *   UNWANTED  the chain gets no such job (nothing to score on, nothing to compare with), or all
 *             that it was for is
 * there ABSENT    it can be done now: all that it needs is there, and its own result is not WAITING
 *                 something that it
 * needs is still to be done DONE      its result is there FAILED it failed, in this run; or what it
 *                                     needs did.
 * Another run's failure is ABSENT: this one tries afresh
 *
 * A result that is stored in an older form is ABSENT if it can be derived anew at no cost: its
 * response is still whole or, where nobody is asked, all that it is made from is there. Else it is
 * DONE, and read by the old decoder. One that cannot be read is ABSENT, as damage is.
 */
#ifndef GLIA_ACTORS_SWEEP_CHAIN_LOOK_H
#define GLIA_ACTORS_SWEEP_CHAIN_LOOK_H

#include "actors/sweep/neuron_view.h"
#include "actors/sweep/results.h"
#include "actors/sweep/stage.h"

typedef enum {
    CHAIN_UNWANTED,
    CHAIN_ABSENT,
    CHAIN_WAITING,
    CHAIN_DONE,
    CHAIN_FAILED
} chain_state_t;
/* "unwanted", "missing" (ABSENT and WAITING), "done", "failed": as exports name it. */
const char *chain_state_name(chain_state_t state);

/* As of when. */
typedef enum {
    LOOK_NOW,        /* of a live run: what failed for now stays failed until the next start */
    LOOK_NEXT_START, /* as the next start finds it: what failed for now is ABSENT */
    LOOK_RETRY,      /* the same with --retry-failed: all that failed is ABSENT */
    LOOK_EMPTY,      /* as if the store held no results */
} look_as_of_t;

/* How far. What a done job was made from is not looked up, but for EACH: one entry
 * stands for all of it. */
typedef enum {
    /* as far as there is something to do: nothing behind an explanation that is not there */
    LOOK_NEXT,
    LOOK_ALL,
    LOOK_EACH, /* every job by itself */
} look_depth_t;

typedef struct {
    const sweep_t *sweep;
    uint32_t run; /* whose failures count */
    look_as_of_t as_of;
    look_depth_t depth;
} look_options_t;

typedef struct {
    const stage_t *stage;
    chain_state_t state;
    /* zero: not known before the explanation is there, or an entry for several */
    hash_t id;
    uint64_t jobs;      /* that the entry stands for: 1, or all that a done one was made from */
    size_t record;      /* SCOPE_RECORD: valid records, then calibration records */
    const char *text;   /* SCOPE_TEXT: borrowed from the look or its view; NULL: not known yet */
    bool failed_itself; /* FAILED: not only what it needs */
    /* DONE: as stored; borrowed from the transaction. An entry for several: none */
    store_bytes_t bytes;
    stage_result_t result; /* DONE: decoded, where the stage has a decoder; likewise */
} chain_job_t;

/* Zeroed before the first look; may be used for one look after the other. */
typedef struct {
    const look_options_t *options;
    chain_t chain;
    neuron_view_t *view; /* borrowed */
    size_t count, capacity;
    /* [count] in the order of the table, of a stage in that of records or texts; owned */
    chain_job_t *jobs;
    bool explained;               /* the explanation is known: stored, or foreseen */
    explain_result_t explanation; /* if explained; owned */
} chain_look_t;

/* Looks at a chain of the view's neuron; borrows options and view until the next look. Blocks for
 * the disk. A neuron whose record cannot be read has nothing to score on: those to whom that
 * matters ask neuron_view_record. */
void chain_look(chain_look_t *look, const look_options_t *options, store_txn_t *txn,
                neuron_view_t *view, const chain_t *chain);
/* The same where the explanation is ABSENT, and its response, which is stored, will say `foreseen`:
 * so that what follows from it is known by id. */
void chain_look_foreseeing(chain_look_t *look, const look_options_t *options, store_txn_t *txn,
                           neuron_view_t *view, const chain_t *chain, const char *foreseen);
void chain_look_clear(chain_look_t *look);

/* The chain's job of a stage with SCOPE_CHAIN; NULL: the table has no such row, or the look did
 * not come to it. */
const chain_job_t *chain_look_find(const chain_look_t *look, job_stage_t stage);
/* What a stage that measures something (stages_measured) came to. */
typedef struct {
    chain_state_t state;           /* UNWANTED also where the look did not come to it */
    double values[STAGE_MEASURES]; /* NaN: undefined, not DONE, or no such measure */
    int64_t counts[STAGE_COUNTS];  /* -1: not DONE, or no such count */
} chain_measured_t;
chain_measured_t chain_look_measured(const chain_look_t *look, job_stage_t stage);
/* Something of the chain is ABSENT or WAITING. */
bool chain_look_is_open(const chain_look_t *look);
/* A job to be carried out, owned by the caller (job_free). Of a text: to be embedded alone.
 * `explanation`: stands for one that is not there yet; may be NULL if it is. */
job_t *chain_look_job(const chain_look_t *look, const chain_job_t *of, const char *explanation);

#endif
