/* scenario.c - drives a drawn rehearsal to its end: the user, who looks at what the run
 * says and goes on. */
#include "test/rehearsal/scenario.h"

#include <stdlib.h>
#include <string.h>

#include "test/rehearsal/scenario_private.h"

enum { MOST_STARTS = 120, SMALL_MAP = 128 << 10 };

const char *scenario_count_name(scenario_count_t count) {
    static const char *const names[] = {
#define SCENARIO_NAME(name, text) text,
        SCENARIO_MAP(SCENARIO_NAME)
#undef SCENARIO_NAME
    };
    return names[count];
}

/* --- the user --------------------------------------------------------------------------------- */

static double raise(int64_t *cap, int64_t scale) {
    *cap += *cap / 2 + 1500 * scale;
    return (double)*cap / 1e6;
}

/* A pause means that the next request does not fit, not that money lies idle. It may be larger than
 * any that was asked so far, but not ten times. */
static void check_used_up(rehearsal_t *rehearsal, int64_t cap) {
    rehearsal_books_t books = rehearsal_books(rehearsal);
    int64_t charged = books.settled.pico + books.doubts.pico + books.reserved.pico,
            left = cap * 1000000 - charged;
    if (books.largest.pico > 0 && left > 10 * books.largest.pico)
        rehearsal_complain(
            rehearsal,
            "paused at budget.total_usd with $%.6f left, the largest request costs at most $%.6f",
            (double)left / 1e12, (double)books.largest.pico / 1e12);
}

static void pause_at_cap(scenario_t *s, rehearsal_t *rehearsal, const char *message,
                         scenario_totals_t *totals) {
    totals->counts[SCENARIO_CAP_PAUSES]++;
    if (strstr(message, "budget.total_usd")) {
        check_used_up(rehearsal, s->total);
        rehearsal_set(rehearsal, "budget.total_usd=%.6f", raise(&s->total, s->scale));
    } else if (strstr(message, "budget.models"))
        rehearsal_set(rehearsal, "budget.models.chat=%.6f", raise(&s->model, s->scale));
    else if (strstr(message, "budget.store_usd"))
        rehearsal_set(rehearsal, "budget.store_usd=%.6f", raise(&s->store, s->scale));
    else if (strstr(message, "budget.daily_usd") && scenario_chance(s, 50))
        rehearsal_set(rehearsal, "budget.daily_usd=%.6f", raise(&s->daily, s->scale));
    else if (strstr(message, "budget.daily_usd"))
        world_sleep(rehearsal_world(rehearsal), 24 * 60 * CLOCK_MINUTE);
    else if (strstr(message, "budget.doubts_usd") && scenario_chance(s, 50))
        rehearsal_set(rehearsal, "budget.doubts_usd=100");
    else if (strstr(message, "budget.doubts_usd")) {
        rehearsal_release(rehearsal);
        totals->counts[SCENARIO_RELEASES]++;
    } else {
        rehearsal_complain(rehearsal, "paused at a cap that nobody set: %s", message);
    }
}

static void provider_mends_all(scenario_t *s, rehearsal_t *rehearsal) {
    provider_clear_weather(rehearsal_providers(rehearsal));
    s->cleared = true;
}

/* A probe, or a cap smaller than a request. False: nothing of this rehearsal can be the reason. */
static bool mend_config(scenario_t *s, rehearsal_t *rehearsal, const char *message,
                        scenario_totals_t *totals) {
    if (strstr(message, "smaller than one request"))
        pause_at_cap(s, rehearsal, message, totals);
    else if (s->other_answers)
        provider_mends_all(s, rehearsal);
    else
        return false;
    return true;
}

/* False: the rehearsal is over. */
static bool go_on(scenario_t *s, rehearsal_t *rehearsal, rehearsal_end_t end, int start,
                  scenario_totals_t *totals) {
    const run_outcome_t *outcome = rehearsal_outcome(rehearsal);
    if (end == REHEARSAL_CRASHED)
        return true;
    if (end == REHEARSAL_STUCK)
        return false;
    if (end == REHEARSAL_REFUSED) {
        if (strstr(rehearsal_error(rehearsal), "no space left") ||
            strstr(rehearsal_error(rehearsal), "largest map"))
            return true;
        rehearsal_complain(rehearsal, "glia does not start: %s", rehearsal_error(rehearsal));
        return false;
    }
    switch (outcome->end) {
    case END_DONE:
    case END_FAILURES: return false;
    case END_CAP: pause_at_cap(s, rehearsal, outcome->message, totals); return true;
    case END_CONFIG:
        if (mend_config(s, rehearsal, outcome->message, totals))
            return true;
        rehearsal_complain(rehearsal, "the config cannot work: %s", outcome->message);
        return false;
    case END_WORLD:
        totals->counts[SCENARIO_WORLD_PAUSES]++;
        world_sleep(rehearsal_world(rehearsal), scenario_between(s, 1, 3600) * CLOCK_SECOND);
        if (start > 10)
            provider_mends_all(s, rehearsal);
        return true;
    case END_RETRYABLE:
        if (start > 10)
            provider_mends_all(s, rehearsal);
        return true;
    case END_INTERRUPTED: return true;
    case END_INTERNAL: break;
    }
    rehearsal_complain(rehearsal, "end %d: %s", (int)outcome->end, outcome->message);
    return false;
}

/* --- the rehearsal ---------------------------------------------------------------------------- */

static rehearsal_t *make_night(scenario_t *s) {
    rehearsal_options_t options = {.seed = s->seed,
                                   .config = s->shape.config,
                                   .slowest_commit = s->slowest_commit,
                                   .slowest_work = s->slowest_work,
                                   .downtime = s->small_map ? 1000 : 0,
                                   .initial_map = s->small_map ? SMALL_MAP : 0};
    if (s->daily) /* some minutes before midnight, or some seconds */
        options.utc = INT64_C(1795391400) * CLOCK_SECOND;
    if (s->near_midnight)
        options.utc =
            INT64_C(1795392000) * CLOCK_SECOND - scenario_between(s, 1, 30) * CLOCK_SECOND;
    return rehearsal_create(&options);
}

static void run_starts(scenario_t *s, rehearsal_t *rehearsal, scenario_totals_t *totals) {
    bool more = true;
    int start = 0;
    for (; more && start < MOST_STARTS; start++) {
        doom_t doom = scenario_draw_doom(s, start, totals);
        totals->counts[SCENARIO_STARTS]++;
        s->starts++;
        if (start == 0 || scenario_chance(s, 30))
            scenario_turn_knobs(s, rehearsal, start == 0, totals);
        scenario_use_material(&s->shape, rehearsal, s->explain, s->simulate);
        s->used[s->explain][s->simulate] = true;
        rehearsal_end_t end = rehearsal_start(rehearsal, &doom);
        /* the next start would forget them */
        if (s->lonely_outage && rehearsal_books(rehearsal).failures > 0)
            rehearsal_complain(rehearsal, "an outage failed %llu jobs",
                               (unsigned long long)rehearsal_books(rehearsal).failures);
        more = go_on(s, rehearsal, end, start, totals);
    }
    if (more)
        rehearsal_complain(rehearsal, "no end after %d starts: %s", MOST_STARTS,
                           rehearsal_outcome(rehearsal)->message);
}

/* An outage is not paid for with hundreds of attempts: what is in flight when it comes, at each
 * start, and now and then one to see whether it is over. */
static void check_outage(const scenario_t *s, rehearsal_t *rehearsal) {
    uint64_t faults = provider_totals(rehearsal_providers(rehearsal))->faults[s->outage_fault];
    uint64_t most = s->endpoints * (20 * s->starts + 2 * (uint64_t)(s->outage / CLOCK_MINUTE));
    if (faults > most)
        rehearsal_complain(rehearsal, "an outage of %lld minutes was met %llu times in %llu starts",
                           (long long)(s->outage / CLOCK_MINUTE), (unsigned long long)faults,
                           (unsigned long long)s->starts);
}

static void check_end(const scenario_t *s, rehearsal_t *rehearsal, scenario_cache_t *cache,
                      scenario_totals_t *totals) {
    rehearsal_check_end(rehearsal);
    if (provider_totals(rehearsal_providers(rehearsal))->violations > 0)
        rehearsal_complain(
            rehearsal, "%llu requests above the limits",
            (unsigned long long)provider_totals(rehearsal_providers(rehearsal))->violations);
    if (s->lonely_outage)
        check_outage(s, rehearsal);
    if (*rehearsal_problems(rehearsal))
        return;
    if (!s->other_answers) {
        scenario_compare(s, rehearsal, cache);
        totals->counts[SCENARIO_COMPARED]++;
    }
    totals->counts[SCENARIO_QUOTAS_RESTORED] +=
        provider_totals(rehearsal_providers(rehearsal))->faults[FAULT_QUOTA] > 0 && !s->cleared;
}

static void collect(const scenario_t *s, scenario_totals_t *totals, rehearsal_t *rehearsal) {
    const provider_totals_t *provider = provider_totals(rehearsal_providers(rehearsal));
    const rehearsal_befallen_t *befallen = rehearsal_befallen(rehearsal);
    const struct {
        scenario_count_t count;
        uint64_t add;
    } rows[] = {
        {SCENARIO_NIGHTS, 1},
        {SCENARIO_EVENTS, world_events(rehearsal_world(rehearsal))},
        {SCENARIO_ATTEMPTS, rehearsal_books(rehearsal).attempts},
        {SCENARIO_MANY_ENDPOINTS, s->endpoints > 1},
        {SCENARIO_COMMITS, befallen->commits},
        {SCENARIO_CRASHES_BEFORE, befallen->crashes_before},
        {SCENARIO_CRASHES_AFTER, befallen->crashes_after},
        {SCENARIO_CRASHES_BETWEEN, befallen->crashes_between},
        {SCENARIO_SIGNALS, befallen->signals},
        {SCENARIO_SECOND_SIGNALS, befallen->second_signals},
        {SCENARIO_FAILED_COMMITS, befallen->failed_commits},
        {SCENARIO_CLOCK_STEPS, befallen->steps},
        {SCENARIO_MIDNIGHTS, befallen->midnights},
        {SCENARIO_GROWN_MAPS, s->small_map && rehearsal_store_bytes(rehearsal) > SMALL_MAP},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        totals->counts[rows[i].count] += rows[i].add;
    for (int i = 0; i < FAULT_COUNT; i++)
        totals->faults[i] += provider->faults[i];
}

bool scenario_run(uint64_t seed, scenario_cache_t *cache, scenario_totals_t *totals,
                  buffer_t *problems) {
    scenario_t s = {.seed = seed};
    scenario_draw(&s);
    rehearsal_t *rehearsal = make_night(&s);
    scenario_draw_endpoints(&s, rehearsal);
    scenario_draw_settings(&s, rehearsal);
    scenario_draw_weather(&s, rehearsal, totals);
    run_starts(&s, rehearsal, totals);
    check_end(&s, rehearsal, cache, totals);
    collect(&s, totals, rehearsal);
    bool good = !*rehearsal_problems(rehearsal);
    buffer_append_text(problems, rehearsal_problems(rehearsal));
    rehearsal_free(rehearsal);
    sweep_shape_free(&s.shape);
    return good;
}
