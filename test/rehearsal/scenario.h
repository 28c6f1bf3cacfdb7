/* scenario.h - whole rehearsals drawn from seeds: sweep, endpoints, weather, crashes, signals, full
 * disks, caps that are raised, prices, limits and templates that change, midnights; each carried to
 * its end, and held against an undisturbed rehearsal of the same sweep. */
#ifndef GLIA_TEST_SCENARIO_H
#define GLIA_TEST_SCENARIO_H

#include "test/rehearsal/rehearsal.h"

/* What is counted, apart from the faults of providers. */
#define SCENARIO_MAP(ROW)                                                   \
    ROW(NIGHTS, "rehearsals")                                               \
    ROW(STARTS, "starts")                                                   \
    ROW(EVENTS, "events")                                                   \
    ROW(ATTEMPTS, "attempts")                                               \
    ROW(COMMITS, "commits")                                                 \
    ROW(MANY_ENDPOINTS, "rehearsals with two or three endpoints")           \
    ROW(COMPARED, "rehearsals with the same results as an undisturbed one") \
    ROW(CRASHES_BEFORE, "crashes before a commit")                          \
    ROW(CRASHES_AFTER, "crashes after a commit")                            \
    ROW(CRASHES_BETWEEN, "crashes between commits")                         \
    ROW(SIGNALS, "first signals")                                           \
    ROW(SECOND_SIGNALS, "second signals")                                   \
    ROW(FAILED_COMMITS, "commits that failed (no space left)")              \
    ROW(SMALL_MAPS, "starts with a map that may not grow")                  \
    ROW(GROWN_MAPS, "rehearsals with a map that grew")                      \
    ROW(LOW_DISKS, "starts on a disk below its minimum")                    \
    ROW(CLOCK_STEPS, "steps of the clock")                                  \
    ROW(MIDNIGHTS, "midnights")                                             \
    ROW(CAP_PAUSES, "pauses at a cap")                                      \
    ROW(WORLD_PAUSES, "pauses by the world")                                \
    ROW(RELEASES, "releases of doubts")                                     \
    ROW(NEW_PRICES, "restarts with other prices")                           \
    ROW(NEW_LIMITS, "restarts with other limits")                           \
    ROW(NEW_TEMPLATES, "restarts with other templates")                     \
    ROW(RETRIES_OF_FAILED, "restarts that take up failed jobs")             \
    ROW(OUTAGES, "outages of every endpoint, half an hour and longer")      \
    ROW(QUOTAS_RESTORED, "rehearsals done after a quota was exhausted and restored")

typedef enum {
#define SCENARIO_ENUM(name, text) SCENARIO_##name,
    SCENARIO_MAP(SCENARIO_ENUM)
#undef SCENARIO_ENUM
        SCENARIO_COUNT
} scenario_count_t;
const char *scenario_count_name(scenario_count_t count);

typedef struct {
    uint64_t counts[SCENARIO_COUNT];
    uint64_t faults[FAULT_COUNT];
} scenario_totals_t;

/* Results of undisturbed rehearsals, made when first wanted. */
typedef struct scenario_cache scenario_cache_t;
scenario_cache_t *scenario_cache_create(void);
void scenario_cache_free(scenario_cache_t *cache);

/* Runs the rehearsal of `seed`, adds to *totals, and appends to `problems` what was not as
 * promised. True: all was well. */
bool scenario_run(uint64_t seed, scenario_cache_t *cache, scenario_totals_t *totals,
                  buffer_t *problems);

#endif
