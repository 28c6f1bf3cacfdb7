/* scenario_draw.c - what a seed decides: the sweep, the endpoints, the caps, the weather, and what
 * befalls a start. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/memory.h"
#include "test/rehearsal/material.h"
#include "test/rehearsal/scenario_private.h"

enum { SHAPES = 64 };
static const char *const provider_names[] = {"a", "b", "c"};

bool scenario_chance(scenario_t *s, unsigned percent) {
    return rng_below(&s->rng, 100) < percent;
}

int64_t scenario_between(scenario_t *s, int64_t least, int64_t most) {
    return least + (int64_t)rng_below(&s->rng, (uint64_t)(most - least) + 1);
}

/* --- the sweep -------------------------------------------------------------------------------- */

static bool one_in(rng_t *rng, unsigned n) {
    return rng_below(rng, n) == 0;
}

/* A list of formats for TOML, of at most `most`, at least one. */
static void append_formats(buffer_t *text, rng_t *rng, unsigned most) {
    static const char *const names[] = {"original", "summary", "highlight", "highlight_summary",
                                        "avhs"};
    unsigned first = (unsigned)rng_below(rng, 5), count = 1 + (unsigned)rng_below(rng, most);
    for (unsigned i = 0; i < count; i++)
        buffer_append_format(text, "%s\"%s\"", i ? ", " : "[", names[(first + i) % 5]);
    buffer_append_text(text, "]\n");
}

static void append_models(buffer_t *text) {
    static const struct {
        const char *name, *price;
    } models[] = {{"chat", "{ input = 0.50, cached_input = 0.25, output = 1.50 }"},
                  {"other", "{ input = 0.30, cached_input = 0.40, output = 1.10 }"},
                  {"text", "{ input = 0.40, output = 2.00 }"},
                  {"embedding", "{ input = 0.02, output = 0.0 }"}};
    for (size_t i = 0; i < sizeof models / sizeof *models; i++)
        buffer_append_format(
            text, "[models.%s]\nendpoints = [\"a\"]\ncontext_tokens = 16384\nprice = %s\n",
            models[i].name, models[i].price);
}

static void append_simulations(buffer_t *text, rng_t *rng) {
    static const char *const calibrations[] = {"none", "none", "none", "linear", "percentile"};
    if (one_in(rng, 10))
        return;
    bool echo = rng_below(rng, 3) > 0;
    buffer_append_format(text, "[simulate]\nmodel = \"%s\"\nmode = \"%s\"\n",
                         echo ? "text" : "chat", echo ? "echo" : "repeat");
    if (!echo && one_in(rng, 3))
        buffer_append_text(text, "top_logprobs = 0\n");
    buffer_append_format(text, "[score]\ncalibration = \"%s\"\n", calibrations[rng_below(rng, 5)]);
}

void sweep_shape_draw(uint64_t number, sweep_shape_t *shape) {
    rng_t rng = rng_create(number + 7000);
    *shape = (sweep_shape_t){.number = number, .shipped = one_in(&rng, 20)};
    int64_t neurons = 1 + (int64_t)rng_below(&rng, shape->shipped ? 2 : 4);
    bool two_sets = one_in(&rng, 6), two_models = one_in(&rng, 6);
    buffer_t text = BUFFER_EMPTY;
    buffer_append_format(
        &text, "[run]\nname = \"rehearsal\"\n[budget]\ntotal_usd = 100\ndoubts_usd = 100\n"
               "[store]\nmin_free_mb = 0\n[endpoints.a]\nbase_url = \"http://a.test/v1\"\n");
    append_models(&text);
    buffer_append_format(&text, "[sets.puzzles]\nsource = \"puzzles:\"\nlimit = %lld\n",
                         (long long)neurons);
    if (two_sets) { /* the same neurons: what both ask for is bought once */
        buffer_append_text(
            &text, "[sets.again]\nsource = \"puzzles:\"\nlimit = 2\nsamples = 2\nformats = ");
        append_formats(&text, &rng, 1);
    }
    buffer_append_format(&text, "[explain]\nmodels = [\"chat\"%s]\nsamples = %d\n",
                         two_models ? ", \"other\"" : "",
                         two_models        ? 1
                         : one_in(&rng, 4) ? 2
                         : one_in(&rng, 8) ? 3
                                           : 1);
    buffer_append_text(&text, "formats = ");
    append_formats(&text, &rng, two_models || two_sets ? 2 : 3);
    append_simulations(&text, &rng);
    if (!one_in(&rng, 8))
        buffer_append_format(&text, "[adacs]\nmodel = \"embedding\"\n%s",
                             one_in(&rng, 6) ? "dimensions = 4\n" : "");
    shape->config = memory_copy_string(buffer_text(&text));
    buffer_free(&text);
}

void sweep_shape_free(sweep_shape_t *shape) {
    free(shape->config);
}

void scenario_use_material(const sweep_shape_t *shape, rehearsal_t *rehearsal, unsigned explain,
                           unsigned simulate) {
    if (shape->shipped)
        return;
    const char *home = rehearsal_home(rehearsal);
    material_write_records(home);
    material_write_prompts(home, explain, simulate);
    rehearsal_set(rehearsal, "explain.templates=%s", home);
    rehearsal_set(rehearsal, "sets.puzzles.source=%s/records.json", home);
    if (strstr(shape->config, "[sets.again]"))
        rehearsal_set(rehearsal, "sets.again.source=%s/records.json", home);
}

/* --- the rehearsal ---------------------------------------------------------------------------- */

void scenario_draw(scenario_t *s) {
    s->rng = rng_create(s->seed);
    sweep_shape_draw(rng_below(&s->rng, SHAPES), &s->shape);
    s->scale = s->shape.shipped ? 8 : 1;
    s->endpoints = scenario_chance(s, 60) ? 1 : scenario_chance(s, 75) ? 2 : 3;
    s->small_map = scenario_chance(s, 30);
    s->other_answers = scenario_chance(s, 30);
    s->near_midnight = scenario_chance(s, 25);
    s->total = scenario_chance(s, 25) ? s->scale * scenario_between(s, 400, 8000) : 0;
    s->wait_midnight = scenario_chance(s, 50);
    /* Days are slow to wait out: they must not be many. */
    s->daily = scenario_chance(s, 15)
                   ? s->scale * scenario_between(s, s->wait_midnight ? 5000 : 700, 12000)
                   : 0;
    s->model = scenario_chance(s, 15) ? s->scale * scenario_between(s, 500, 8000) : 0;
    s->store = scenario_chance(s, 10) ? s->scale * scenario_between(s, 500, 10000) : 0;
    s->slowest_commit = scenario_chance(s, 30)  ? 200000
                        : scenario_chance(s, 5) ? CLOCK_SECOND
                                                : 5000;
    s->slowest_work = scenario_chance(s, 20) ? CLOCK_SECOND : 3000;
    s->crash = scenario_chance(s, 60) ? (unsigned)scenario_between(s, 30, 95) : 0;
    s->interrupt = scenario_chance(s, 30) ? (unsigned)scenario_between(s, 10, 60) : 0;
    s->full = scenario_chance(s, 25) ? (unsigned)scenario_between(s, 10, 60) : 0;
    s->step = scenario_chance(s, 15) ? 40 : 0;
    s->lonely_outage = scenario_chance(s, 4);
    if (s->lonely_outage)
        s->crash = s->interrupt = s->full = s->step = 0;
}

/* Limits of endpoint number i, at the provider and in the config. */
static void draw_limits(scenario_t *s, rehearsal_t *rehearsal, size_t i) {
    enum { NONE = 1000000000 };
    const char *name = provider_names[i];
    int64_t rpm = scenario_chance(s, 70) ? scenario_between(s, 60, 600) : 0;
    int64_t tpm = scenario_chance(s, 50) ? s->scale * scenario_between(s, 2000, 40000) : 0;
    if (rpm && scenario_chance(s, 50)) /* so few that even a short rehearsal fills windows */
        rpm /= 10;
    rehearsal_set(rehearsal, "endpoints.%s.rpm=%lld", name, (long long)(rpm ? rpm : NONE));
    rehearsal_set(rehearsal, "endpoints.%s.tpm=%lld", name, (long long)(tpm ? tpm : NONE));
    provider_limit(rehearsal_providers(rehearsal), name, rpm, tpm);
}

/* {median of the time to an answer, most of the way there}: near, usual, far and slow */
static const int64_t latencies[][2] = {
    {15000, 2000}, {400000, 40000}, {400000, 40000}, {1500000, 250000}};

void scenario_draw_endpoints(scenario_t *s, rehearsal_t *rehearsal) {
    buffer_t names = BUFFER_EMPTY;
    for (size_t i = 0; i < s->endpoints; i++) {
        const char *name = provider_names[i];
        size_t usual = sizeof latencies / sizeof *latencies - 1;
        const int64_t *latency =
            latencies[rng_below(&s->rng, s->lonely_outage ? usual : usual + 1)];
        rehearsal_add_provider(rehearsal, name, 0, 0);
        provider_latency(rehearsal_providers(rehearsal), name, latency[0], latency[1]);
        rehearsal_set(rehearsal, "endpoints.%s.base_url=http://%s.test/v1", name, name);
        rehearsal_set(rehearsal, "endpoints.%s.timeout_s=%lld", name,
                      (long long)scenario_between(s, 15, 30));
        rehearsal_set(rehearsal, "endpoints.%s.idle_timeout_s=%lld", name,
                      (long long)scenario_between(s, 0, 15));
        rehearsal_set(rehearsal, "endpoints.%s.max_response_mb=2", name);
        if (scenario_chance(s, 20))
            rehearsal_set(rehearsal, "endpoints.%s.tpm_charge=bound", name);
        buffer_append_format(&names, "%s\"%s\"", i ? ", " : "", name);
        s->limited[i] = scenario_chance(s, i == 0 ? 55 : 25);
        if (s->limited[i])
            draw_limits(s, rehearsal, i);
    }
    static const char *const models[] = {"chat", "other", "text", "embedding"};
    for (size_t i = 0; i < sizeof models / sizeof *models; i++)
        rehearsal_set(rehearsal, "models.%s.endpoints=[%s]", models[i], buffer_text(&names));
    buffer_free(&names);
}

static void set_cap(rehearsal_t *rehearsal, const char *key, int64_t micro) {
    if (micro)
        rehearsal_set(rehearsal, "%s=%.6f", key, (double)micro / 1e6);
}

/* Everything of a config that does not change results. */
void scenario_draw_settings(scenario_t *s, rehearsal_t *rehearsal) {
    rehearsal_set(rehearsal, "run.seed=%llu", (unsigned long long)(s->seed % 1000));
    rehearsal_set(rehearsal, "run.outage_wait_minutes=%lld", (long long)scenario_between(s, 5, 40));
    rehearsal_set(rehearsal, "run.drain_seconds=%lld", (long long)scenario_between(s, 0, 30));
    if (scenario_chance(s, 20))
        rehearsal_set(rehearsal, "models.chat.rpm=%lld", (long long)scenario_between(s, 100, 600));
    if (scenario_chance(s, 20))
        rehearsal_set(rehearsal, "models.text.concurrency=%lld",
                      (long long)scenario_between(s, 1, 4));
    set_cap(rehearsal, "budget.total_usd", s->total);
    set_cap(rehearsal, "budget.daily_usd", s->daily);
    set_cap(rehearsal, "budget.models.chat", s->model);
    set_cap(rehearsal, "budget.store_usd", s->store);
    if (s->daily && s->wait_midnight)
        rehearsal_set(rehearsal, "budget.on_daily_cap=wait");
    if (!s->total && scenario_chance(s, 20))
        set_cap(rehearsal, "budget.doubts_usd", s->scale * scenario_between(s, 250, 4000));
}

/* --- weather ---------------------------------------------------------------------------------- */

static void add_weather(rehearsal_t *rehearsal, const char *name, weather_t weather) {
    provider_weather(rehearsal_providers(rehearsal), name, weather);
    rehearsal_trace(rehearsal, "weather at %s: %s from %.0f s to %.0f s, %.2f%s",
                    name ? name : "all", fault_name(weather.fault), (double)weather.from / 1e6,
                    (double)weather.until / 1e6, weather.share,
                    weather.probes_too ? ", probes too" : "");
}

/* Hours in which nothing goes: an outage of all, or a quota that is exhausted and
 * later restored. */
static void draw_spells(scenario_t *s, rehearsal_t *rehearsal, scenario_totals_t *totals) {
    static const fault_t outages[] = {FAULT_REFUSED, FAULT_UNREACHABLE, FAULT_STATUS_503,
                                      FAULT_RESET_AFTER};
    int64_t from = CLOCK_SECOND + scenario_between(s, 0, 10) * CLOCK_SECOND;
    if (s->lonely_outage || scenario_chance(s, 4)) {
        s->outage_fault = outages[rng_below(&s->rng, sizeof outages / sizeof *outages)];
        s->outage = scenario_between(s, 30, 90) * CLOCK_MINUTE;
        add_weather(rehearsal, NULL, provider_fault(s->outage_fault, from, from + s->outage, 1));
        totals->counts[SCENARIO_OUTAGES]++;
    }
    if (!s->lonely_outage && scenario_chance(s, 6))
        add_weather(rehearsal, scenario_chance(s, 60) ? NULL : "a",
                    provider_fault(FAULT_QUOTA, from,
                                   from + scenario_between(s, 1, 120) * CLOCK_MINUTE, 1));
}

/* Among those that change answers in half of the cases, in rehearsals that may have them. */
static fault_t draw_fault(scenario_t *s) {
    bool other = s->other_answers && scenario_chance(s, 50);
    for (;;) {
        fault_t fault = (fault_t)rng_below(&s->rng, FAULT_COUNT);
        if (fault_changes_answers(fault) == other)
            return fault;
    }
}

void scenario_draw_weather(scenario_t *s, rehearsal_t *rehearsal, scenario_totals_t *totals) {
    draw_spells(s, rehearsal, totals);
    size_t kinds = s->lonely_outage ? 0 : (size_t)scenario_between(s, 0, 7);
    for (size_t i = 0; i < kinds; i++) {
        fault_t fault = draw_fault(s);
        bool storm = scenario_chance(s, 40); /* else drizzle */
        int64_t from = storm ? scenario_between(s, 0, 60) * CLOCK_SECOND : 0;
        int64_t duration =
            scenario_between(s, 5, scenario_chance(s, 20) ? 4000 : 120) * CLOCK_SECOND;
        weather_t weather = {.fault = fault,
                             .from = from,
                             .until = storm ? from + duration : INT64_MAX,
                             .share =
                                 storm ? 0.5 + rng_unit(&s->rng) / 2 : rng_unit(&s->rng) * 0.15,
                             .probes_too = scenario_chance(s, 10)};
        if (weather.share > 0.95)
            weather.share = 1;
        size_t at = (size_t)rng_below(&s->rng, s->endpoints + 1);
        add_weather(rehearsal, at < s->endpoints ? provider_names[at] : NULL, weather);
    }
}

/* --- between starts --------------------------------------------------------------------------- */

static void draw_price(scenario_t *s, rehearsal_t *rehearsal, const char *model, int64_t least,
                       int64_t most) {
    rehearsal_set(rehearsal, "models.%s.price.input=%.2f", model,
                  (double)scenario_between(s, least, most) / 100);
    rehearsal_set(rehearsal, "models.%s.price.cached_input=%.2f", model,
                  (double)scenario_between(s, least / 2, most) / 100);
    rehearsal_set(rehearsal, "models.%s.price.output=%.2f", model,
                  (double)scenario_between(s, 2 * least, 4 * most) / 100);
}

void scenario_turn_knobs(scenario_t *s, rehearsal_t *rehearsal, bool first,
                         scenario_totals_t *totals) {
    rehearsal_set(rehearsal, "run.window=%lld", (long long)scenario_between(s, 2, 64));
    /* An outage may fail a job that has fewer tries than open the breakers of all
     * endpoints, 5 each. */
    int64_t tries = s->lonely_outage ? 5 * (int64_t)s->endpoints + 1 : scenario_between(s, 2, 9);
    rehearsal_set(rehearsal, "run.max_tries=%lld", (long long)tries);
    for (size_t i = 0; i < s->endpoints; i++)
        rehearsal_set(rehearsal, "endpoints.%s.concurrency=%lld", provider_names[i],
                      (long long)scenario_between(s, 1, 16));
    if (strstr(s->shape.config, "[adacs]"))
        rehearsal_set(rehearsal, "adacs.batch=%lld", (long long)scenario_between(s, 1, 10));
    rehearsal_set(rehearsal, "store.keep_raw=%s", scenario_chance(s, 20) ? "explanations" : "all");
    if (first)
        return;
    if (scenario_chance(s, 50)) {
        draw_price(s, rehearsal, "chat", 30, 60);
        draw_price(s, rehearsal, "text", 20, 60);
        rehearsal_set(rehearsal, "models.embedding.price.input=%.2f",
                      (double)scenario_between(s, 1, 4) / 100);
        totals->counts[SCENARIO_NEW_PRICES]++;
    }
    for (size_t i = 0; i < s->endpoints; i++)
        if (s->limited[i] && scenario_chance(s, 50)) {
            draw_limits(s, rehearsal, i);
            totals->counts[SCENARIO_NEW_LIMITS]++;
        }
    if (!s->shape.shipped && scenario_chance(s, 12)) {
        s->explain = (unsigned)rng_below(&s->rng, EDITIONS);
        s->simulate = (unsigned)rng_below(&s->rng, EDITIONS);
        totals->counts[SCENARIO_NEW_TEMPLATES]++;
    }
}

/* A crash: at a commit, or between two. */
static void draw_crash(scenario_t *s, doom_t *doom) {
    if (scenario_chance(s, 60))
        doom->crash_commit = (uint64_t)scenario_between(s, 1, scenario_chance(s, 30) ? 10 : 200);
    else
        doom->crash_in = scenario_between(s, 1, (scenario_chance(s, 50) ? 40 : 5) * CLOCK_SECOND);
    doom->after = scenario_chance(s, 50);
}

/* Commits that fail, a map that may not grow, a disk that is nearly full. */
static void draw_disk(scenario_t *s, doom_t *doom) {
    if (scenario_chance(s, 60)) {
        doom->full_from = (uint64_t)scenario_between(s, 2, 100);
        doom->full_count = (uint64_t)scenario_between(s, 1, scenario_chance(s, 20) ? 600 : 20);
    } else if (scenario_chance(s, 50)) {
        doom->largest_map = (size_t)scenario_between(s, 20, 60) * 16384;
    } else {
        doom->low_disk = true;
    }
}

/* Rarer from start to start, so that the rehearsal ends. */
doom_t scenario_draw_doom(scenario_t *s, int start, scenario_totals_t *totals) {
    doom_t doom = {0};
    unsigned fade = start < 20 ? 100 : start < 40 ? 30 : 0;
    if (scenario_chance(s, s->crash * fade / 100))
        draw_crash(s, &doom);
    if (scenario_chance(s, s->interrupt * fade / 100)) {
        doom.interrupt_in = scenario_between(s, 1, 20 * CLOCK_SECOND);
        if (scenario_chance(s, 50))
            doom.leave_in = doom.interrupt_in + scenario_between(s, 1, 2 * CLOCK_SECOND);
    }
    if (scenario_chance(s, s->full * fade / 100))
        draw_disk(s, &doom);
    if (scenario_chance(s, s->step * fade / 100)) {
        doom.step_in = scenario_between(s, 1, 20 * CLOCK_SECOND);
        doom.step_by = scenario_between(s, -7200, 7200) * CLOCK_SECOND;
    }
    doom.retry_failed = start > 0 && scenario_chance(s, 10);
    totals->counts[SCENARIO_RETRIES_OF_FAILED] += doom.retry_failed;
    totals->counts[SCENARIO_SMALL_MAPS] += doom.largest_map > 0;
    totals->counts[SCENARIO_LOW_DISKS] += doom.low_disk;
    return doom;
}
