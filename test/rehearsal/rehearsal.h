/* rehearsal.h - glia started, stopped, crashed and started again in a world, until its sweep is
 * done; and the promises of test/README.md, checked after every event.
 *
 * What one start of glia is, is what `glia run` does: settings_load, store_open, prepare_take_up,
 * run_create, the end recorded. The ports are those of the rehearsal (world.h, provider.h, the
 * store's commit hook). A broken promise does not stop the rehearsal; it is written down once, and
 * the rehearsal tells at the end.
 */
#ifndef GLIA_TEST_REHEARSAL_H
#define GLIA_TEST_REHEARSAL_H

#include "actors/run.h"
#include "test/rehearsal/provider.h"
#include "test/rehearsal/world.h"

typedef struct rehearsal rehearsal_t;

typedef struct {
    uint64_t seed;
    const char *config;     /* TOML; endpoints are added with provider_add and must have its URLs */
    int64_t utc;            /* at dusk, microseconds; 0: 2026-11-22 20:00 */
    int64_t slowest_work;   /* microseconds, at most, of work and of its notification; 0: 3 ms */
    int64_t slowest_commit; /* of a commit; 0: 3 ms */
    int64_t downtime;       /* between two starts, at most; 0: 5 s */
    size_t initial_map;     /* of the store; 0: its own */
} rehearsal_options_t;

rehearsal_t *rehearsal_create(const rehearsal_options_t *options);
void rehearsal_free(rehearsal_t *rehearsal); /* removes the store and what is in its home */
/* A directory of the rehearsal's own, for files beside the store. */
const char *rehearsal_home(const rehearsal_t *rehearsal);
world_t *rehearsal_world(rehearsal_t *rehearsal);
provider_set_t *rehearsal_providers(rehearsal_t *rehearsal);
/* "key=value" for the starts to come, as --set; the last of a key wins. */
void rehearsal_set(rehearsal_t *rehearsal, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* A provider that never fails or limits, named as in rehearsal_config(). */
void rehearsal_add_provider(rehearsal_t *rehearsal, const char *name, int64_t rpm, int64_t tpm);

/* What befalls one start. All zero: nothing. */
typedef struct {
    uint64_t crash_commit;          /* at its k-th commit, from 1 (the take-up is the first) */
    bool after;                     /* just after it, else just before */
    int64_t crash_in;               /* microseconds from the start, between commits */
    int64_t interrupt_in;           /* Ctrl-C */
    int64_t leave_in;               /* the second one: leave at once */
    uint64_t full_from, full_count; /* commits at which the disk is full */
    int64_t step_in, step_by;       /* the UTC clock steps */
    size_t largest_map;             /* bytes that the store may have in this start; 0: any number */
    bool low_disk;                  /* less free space than store.min_free_mb */
    /* failed jobs are taken up again, as by `glia run --retry-failed` */
    bool retry_failed;
} doom_t;

/* What befell a rehearsal so far, over all starts. */
typedef struct {
    uint64_t commits, failed_commits;
    uint64_t crashes_before, crashes_after, crashes_between; /* commits */
    uint64_t signals, second_signals;
    uint64_t steps, midnights; /* of the UTC clock, while glia ran */
} rehearsal_befallen_t;
const rehearsal_befallen_t *rehearsal_befallen(const rehearsal_t *rehearsal);
uint64_t rehearsal_store_bytes(const rehearsal_t *rehearsal); /* the store's file */

typedef enum {
    REHEARSAL_FINISHED, /* the run reported its end: rehearsal_outcome() */
    REHEARSAL_CRASHED,
    REHEARSAL_REFUSED, /* glia did not start: rehearsal_error() */
    REHEARSAL_STUCK,   /* no end in sight; a broken promise */
} rehearsal_end_t;

/* One start of glia, to its end. */
rehearsal_end_t rehearsal_start(rehearsal_t *rehearsal, const doom_t *doom);
const run_outcome_t *rehearsal_outcome(const rehearsal_t *rehearsal);
const char *rehearsal_error(const rehearsal_t *rehearsal);
uint64_t rehearsal_commits(const rehearsal_t *rehearsal); /* of the last start */
/* Starts again, without doom, until DONE or FAILURES, at most `most` times. */
rehearsal_end_t rehearsal_finish(rehearsal_t *rehearsal, int most);

/* Releases all doubts, as `glia ledger release`. */
void rehearsal_release(rehearsal_t *rehearsal);

/* The run as the store has it. */
typedef struct {
    money_t settled, doubts, reserved, released;
    money_t largest; /* worst case of any attempt */
    uint64_t attempts, failures, responses;
    int64_t prompt_tokens;
} rehearsal_books_t;
rehearsal_books_t rehearsal_books(rehearsal_t *rehearsal);
/* Settled + doubts + reserved of the run on the UTC day of `utc`. */
money_t rehearsal_charged_on(rehearsal_t *rehearsal, int64_t utc);

/* What holds at the end: the provider's bill, fsck, no open attempts. */
void rehearsal_check_end(rehearsal_t *rehearsal);
/* Appends every result (jobs that are done, embeddings), in a form that two rehearsals can
 * be compared by. */
void rehearsal_results(rehearsal_t *rehearsal, buffer_t *out);
/* Every line of `part` stands in `whole`. */
bool rehearsal_results_within(const buffer_t *part, const buffer_t *whole);
/* "" if every promise held so far. */
const char *rehearsal_problems(const rehearsal_t *rehearsal);
/* Writes down a broken promise. */
void rehearsal_complain(rehearsal_t *rehearsal, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* A config: `neurons` shipped puzzles, the formats given (TOML list), `mode` echo or repeat; chat,
 * text and embedding models at endpoints "a" (and "b", if `two`). The caller frees. */
char *rehearsal_config(int neurons, const char *formats, const char *mode, bool two);

/* A readable trace on standard error, if TRACE is set in the environment. */
void rehearsal_trace(rehearsal_t *rehearsal, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
