/* pass.h - one pass over a list of excerpts: batches of a fixed shape are taken, come back in any
 * order, and are merged one at a time in the order in which they were taken. Data alone: who takes
 * does the work.
 *
 *   FREE --pass_take()--> RUNNING --pass_ran()--> READY --pass_take_merge()--> MERGING
 *   MERGING --pass_merged()--> FREE
 *   RUNNING --pass_ran(), it was not good--> FAILED: nothing behind it is ever merged
 */
#ifndef GLIA_ACTORS_RECORDER_PASS_H
#define GLIA_ACTORS_RECORDER_PASS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum { SLOT_FREE, SLOT_RUNNING, SLOT_READY, SLOT_FAILED, SLOT_MERGING } slot_state_t;

typedef struct {
    slot_state_t state;
    uint64_t number;          /* of the batch in this pass */
    const uint32_t *excerpts; /* [count], borrowed from the pass's list */
    size_t count;
} slot_t;

typedef struct {
    bool second;                     /* pass, of two */
    size_t batch;                    /* excerpts; the last batch may have fewer */
    const uint32_t *list;            /* [count]: what the pass goes over; borrowed */
    size_t count;                    /* excerpts in it */
    size_t next, merged;             /* excerpts before it were taken; are merged */
    uint64_t next_batch, next_merge; /* numbers */
    size_t slot_count;
    slot_t *slots; /* [slot_count] */
} pass_t;

/* Before the first pass; pass_clear() ends it. slot_count, batch >= 1. */
void pass_create(pass_t *pass, size_t slot_count, size_t batch);
void pass_clear(pass_t *pass); /* a zeroed one is fine */
/* A pass of which `merged` excerpts are done. No slot is under way. */
void pass_start(pass_t *pass, bool second, const uint32_t *list, size_t count, size_t merged);

/* The next batch; NULL: no slot is free, or all excerpts were taken. */
slot_t *pass_take(pass_t *pass);
void pass_ran(slot_t *slot, bool good);
/* The batch that is to be merged now; NULL: it is not READY, or another is being merged. */
slot_t *pass_take_merge(pass_t *pass);
void pass_merged(pass_t *pass, slot_t *slot);

bool pass_has_more(const pass_t *pass);  /* there are excerpts that were not taken */
size_t pass_running(const pass_t *pass); /* slots */
size_t pass_merging(const pass_t *pass); /* slots; 0 or 1 */

/* NULL, or what does not hold. */
const char *pass_broken(const pass_t *pass);

#endif
