/* recorder_progress.h - how a recording gets on, for people: rate and time left, a line on the
 * terminal or now and then one in a log, and when the store is to hear of it. Takes timestamps
 * (monotonic microseconds); has no clock.
 */
#ifndef GLIA_ACTORS_RECORDER_PROGRESS_H
#define GLIA_ACTORS_RECORDER_PROGRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store/recordings.h"

typedef struct {
    bool terminal;                                  /* one line that is written over */
    int64_t quiet;                                  /* else: microseconds between two lines */
    void (*write)(void *context, const char *text); /* NULL: nobody looks */
    void *context;
    int64_t shown_at, told_at;
    int64_t rate_at;    /* since when the rate is counted */
    uint64_t rate_from; /* what was done then */
    bool line_open;     /* a line on the terminal has no end yet */
} recorder_progress_t;

/* Counts the rate anew, so that no pause is in it. */
void recorder_progress_count(recorder_progress_t *progress, int64_t now, uint64_t done);
/* Fills in rate and ETA of a pass over excerpts of `length` tokens. */
void recorder_progress_rate(const recorder_progress_t *progress, int64_t now, size_t length,
                            recording_progress_t *standing);
/* Writes the line if it is time for one. `last`: the terminal's line gets its end. */
void recorder_progress_show(recorder_progress_t *progress, int64_t now,
                            const recording_progress_t *standing, bool last);
/* Whether it is time to write it to the store. True: told_at is now. */
bool recorder_progress_tells(recorder_progress_t *progress, int64_t now);

#endif
