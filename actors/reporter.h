/* reporter.h - counts and shows how a run stands.
 *
 * Every second it asks director, accountant and client_pool for facts. On a terminal it redraws one
 * live block; elsewhere it writes a plain line at most every `quiet` interval. Every few seconds it
 * stores a progress record for `glia status` (store/progress.h).
 */
#ifndef GLIA_ACTORS_REPORTER_H
#define GLIA_ACTORS_REPORTER_H

#include "actors/messages.h"

typedef struct {
    actor_t *director, *accountant, *pool, *archivist;
    const stage_table_t *stages;
    uint32_t run;
    const char *run_name;
    bool terminal;                                  /* a live block (ANSI), else plain lines */
    int64_t quiet;                                  /* microseconds between plain lines */
    void (*write)(void *context, const char *text); /* NULL: shows nothing */
    void *context;
} reporter_options_t;

/* "explain 95/140  simulate 198/~292 (2 failed)": the stages that have jobs; ~ marks an estimate.
 *                  */
void reporter_stages_append(const stage_table_t *stages, const facts_t *facts, buffer_t *out);

/* The progress record of a run (store/progress.h), appended. `eta` in seconds, -1: unknown. */
void reporter_progress_encode(const stage_table_t *stages, const facts_t *facts, int64_t utc,
                              double requests_per_second, double eta, buffer_t *out);

actor_t *reporter_create(scheduler_t *scheduler, const reporter_options_t *options, size_t mailbox);

#endif
