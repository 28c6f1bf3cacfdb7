/* test_rehearsal_faults.c - rehearsals drawn from seeds, with everything that can go wrong.
 *
 *   SEEDS=1000 FIRST=1 test_rehearsal_faults  rehearsals of the seeds 1 to 1000
 *   SEED=17 TRACE=1 test_rehearsal_faults     one rehearsal, told event by event
 *   PROCESSES=2 ...                           side by side
 *   FAILURES=1 ...                            stops at the first rehearsal that breaks a promise
 *                                             (else at the tenth)
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/types.h>
#include <unistd.h>

#include <cmocka.h>

#include "test/rehearsal/scenario.h"

enum { SEEDS = 1000, MOST_FAILURES = 10, MOST_PROCESSES = 64 };

static uint64_t from_environment(const char *name, uint64_t fallback) {
    const char *text = getenv(name);
    return text && *text ? strtoull(text, NULL, 10) : fallback;
}

static void print_totals(const scenario_totals_t *t) {
    for (int i = 0; i < SCENARIO_COUNT; i++)
        printf("%12llu  %s\n", (unsigned long long)t->counts[i],
               scenario_count_name((scenario_count_t)i));
    printf("faults:\n");
    for (int i = 0; i < FAULT_COUNT; i++)
        printf("%12llu  %s\n", (unsigned long long)t->faults[i], fault_name((fault_t)i));
}

/* Every `step`th seed from `first` on, below `end`. Returns how many rehearsals broke a promise. */
static uint64_t run_nights(uint64_t first, uint64_t end, uint64_t step, scenario_totals_t *totals) {
    uint64_t most_failures = from_environment("FAILURES", MOST_FAILURES), failures = 0;
    scenario_cache_t *cache = scenario_cache_create();
    for (uint64_t seed = first; seed < end && failures < most_failures; seed += step) {
        buffer_t problems = BUFFER_EMPTY;
        if (!scenario_run(seed, cache, totals, &problems)) {
            failures++;
            print_message("seed %llu:\n%sreplay: SEED=%llu TRACE=1 "
                          "build/test/rehearsal/test_rehearsal_faults\n",
                          (unsigned long long)seed, buffer_text(&problems),
                          (unsigned long long)seed);
        }
        buffer_free(&problems);
    }
    scenario_cache_free(cache);
    return failures;
}

typedef struct {
    scenario_totals_t totals;
    uint64_t failures;
} part_t;

/* A process that runs its part of the seeds and writes a part_t into the pipe that is returned. */
static int start_process(uint64_t first, uint64_t end, uint64_t step) {
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    fflush(stdout);
    pid_t process = fork();
    assert_true(process >= 0);
    if (process > 0) {
        close(ends[1]);
        return ends[0];
    }
    part_t part = {0};
    part.failures = run_nights(first, end, step, &part.totals);
    fflush(stdout);
    fflush(stderr);
    /* less than PIPE_BUF: at once */
    _exit(write(ends[1], &part, sizeof part) == (ssize_t)sizeof part ? 0 : 1);
}

static void add_part(int from, part_t *sum) {
    part_t part;
    assert_int_equal(read(from, &part, sizeof part), sizeof part); /* else the process has died */
    close(from);
    for (int i = 0; i < SCENARIO_COUNT; i++)
        sum->totals.counts[i] += part.totals.counts[i];
    for (int i = 0; i < FAULT_COUNT; i++)
        sum->totals.faults[i] += part.totals.faults[i];
    sum->failures += part.failures;
}

static void every_rehearsal_keeps_the_promises(void **state) {
    (void)state;
    bool one = getenv("SEED") != NULL;
    uint64_t first = from_environment("SEED", from_environment("FIRST", 1));
    uint64_t end = first + (one ? 1 : from_environment("SEEDS", SEEDS));
    uint64_t processes = from_environment("PROCESSES", 1);
    int pipes[MOST_PROCESSES];
    part_t sum = {0};
    assert_in_range(processes, 1, MOST_PROCESSES);
    for (uint64_t i = 1; i < processes; i++)
        pipes[i] = start_process(first + i, end, processes);
    sum.failures = run_nights(first, end, processes, &sum.totals);
    for (uint64_t i = 1; i < processes; i++)
        add_part(pipes[i], &sum);
    print_totals(&sum.totals);
    assert_int_equal(sum.failures, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_rehearsal_keeps_the_promises),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
