/* night.h - a night: glia started, stopped, crashed and started again in a world, until its sweep is done; and the
 * promises of test/README.md, checked after every event.
 *
 * What one start of glia is, is what `glia run` does: settings_load, store_open, prepare_take_up, experiment_create,
 * the end recorded. The ports are those of the rehearsal (world.h, provider.h, the store's commit hook). A broken
 * promise does not stop the night; it is written down once, and the night tells at the end.
 */
#ifndef GLIA_TEST_NIGHT_H
#define GLIA_TEST_NIGHT_H

#include "actors/experiment.h"
#include "test/rehearsal/provider.h"
#include "test/rehearsal/world.h"

typedef struct night night_t;

typedef struct {
    uint64_t seed;
    const char *config;     /* TOML; endpoints are added with provider_add and must have its URLs */
    int64_t utc;            /* at dusk, microseconds; 0: 2026-11-22 20:00 */
    int64_t slowest_work;   /* microseconds, at most, of work and of its notification; 0: 3 ms */
    int64_t slowest_commit; /* of a commit; 0: 3 ms */
    int64_t downtime;       /* between two starts, at most; 0: 5 s */
    size_t initial_map;     /* of the store; 0: its own */
} night_options_t;

night_t *night_create(const night_options_t *options);
void night_free(night_t *night); /* removes the store and what is in its home */
/* A directory of the night's own, for files beside the store. */
const char *night_home(const night_t *night);
world_t *night_world(night_t *night);
provider_set_t *night_providers(night_t *night);
/* "key=value" for the starts to come, as --set; the last of a key wins. */
void night_set(night_t *night, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* A provider that never fails or limits, named as in night_config(). */
void night_add_provider(night_t *night, const char *name, int64_t rpm, int64_t tpm);

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
    bool retry_failed;              /* failed jobs are taken up again, as by `glia run --retry-failed` */
} doom_t;

/* What befell a night so far, over all starts. */
typedef struct {
    uint64_t commits, failed_commits;
    uint64_t crashes_before, crashes_after, crashes_between; /* commits */
    uint64_t signals, second_signals;
    uint64_t steps, midnights; /* of the UTC clock, while glia ran */
} night_befallen_t;
const night_befallen_t *night_befallen(const night_t *night);
uint64_t night_store_bytes(const night_t *night); /* the store's file */

typedef enum {
    NIGHT_FINISHED, /* the run reported its end: night_outcome() */
    NIGHT_CRASHED,
    NIGHT_REFUSED, /* glia did not start: night_error() */
    NIGHT_STUCK,   /* no end in sight; a broken promise */
} night_end_t;

/* One start of glia, to its end. */
night_end_t night_start(night_t *night, const doom_t *doom);
const run_outcome_t *night_outcome(const night_t *night);
const char *night_error(const night_t *night);
uint64_t night_commits(const night_t *night); /* of the last start */
/* Starts again, without doom, until DONE or FAILURES, at most `most` times. */
night_end_t night_finish(night_t *night, int most);

/* Releases all doubts, as `glia ledger release`. */
void night_release(night_t *night);

/* The run as the store has it. */
typedef struct {
    money_t settled, doubts, reserved, released;
    money_t largest; /* worst case of any attempt */
    uint64_t attempts, failures, responses;
    int64_t prompt_tokens;
} night_books_t;
night_books_t night_books(night_t *night);
/* Settled + doubts + reserved of the run on the UTC day of `utc`. */
money_t night_charged_on(night_t *night, int64_t utc);

/* What holds at the end: the provider's bill, fsck, no open attempts. */
void night_check_end(night_t *night);
/* Appends every result (jobs that are done, embeddings), in a form that two nights can be compared by. */
void night_results(night_t *night, buffer_t *out);
/* Every line of `part` stands in `whole`. */
bool night_results_within(const buffer_t *part, const buffer_t *whole);
/* "" if every promise held so far. */
const char *night_problems(const night_t *night);
/* Writes down a broken promise. */
void night_complain(night_t *night, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* A config: `neurons` shipped puzzles, the formats given (TOML list), `mode` echo or repeat; chat, text and embedding
 * models at endpoints "a" (and "b", if `two`). The caller frees. */
char *night_config(int neurons, const char *formats, const char *mode, bool two);

/* A readable trace on standard error, if TRACE is set in the environment. */
void night_trace(night_t *night, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
