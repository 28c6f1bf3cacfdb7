/* run.h - the whole cast, wired: one run over a store, behind ports. `glia run` gives it the real
 * ports, the rehearsals their own; nothing below this header knows which.
 */
#ifndef GLIA_ACTORS_RUN_H
#define GLIA_ACTORS_RUN_H

#include "actors/archivist.h"
#include "actors/director.h"
#include "actors/reporter.h"
#include "core/net/http.h"

typedef struct {
    clock_port_t *clock;
    http_port_t *http;
    executor_t *workers;   /* any number of threads */
    executor_t *committer; /* one thread, for the archivist */
    store_t *store;        /* STORE_WRITE; its open attempts were recovered (ledger_recover) */
    log_t *log;
} ports_t;

typedef struct {
    const settings_t *settings;
    const stage_table_t *stages; /* the rows that its jobs are of */
    const run_info_t *run;       /* stored, its sets fixed */
    job_source_t source;         /* none: the config's sweep. Taken, whatever the result */
    bool terminal;               /* how progress is shown, see reporter.h */
    int64_t quiet;
    void (*write)(void *context, const char *text);
    void *write_context;
    director_finished_t *finished; /* called once */
    archivist_fatal_t *fatal;      /* the store cannot be written any more: stop at once */
    void *context;
} run_options_t;

typedef struct run run_t;

/* Builds everything and starts it at the loop's next turn. NULL with *error set: bad templates,
 * unreadable store. */
run_t *run_create(const ports_t *ports, const run_options_t *options, error_info_t *error);
/* As the first Ctrl-C. */
void run_interrupt(run_t *run);
/* After `finished`, or at any time in order to leave at once; workers and committer have
 * nothing under way. */
void run_free(run_t *run);
scheduler_t *run_scheduler(run_t *run); /* for tests */

#endif
