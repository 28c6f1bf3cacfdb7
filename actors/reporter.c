/* reporter.c - the live block, the plain lines, the stored progress record. */
#include "actors/reporter.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/memory.h"
#include "core/base/text.h"
#include "store/progress.h"

static const int64_t ASK_EVERY = CLOCK_SECOND;
static const int64_t STORE_EVERY = 3 * CLOCK_SECOND;
enum { RATE_POINTS = 32 };

typedef struct {
    actor_t *self;
    reporter_options_t options;
    clock_timer_t *timer;
    facts_t facts; /* merged */
    struct {
        int64_t at;
        uint64_t answers, work;
    } points[RATE_POINTS]; /* a ring, one a second */
    size_t point_count;
    int64_t last_line, last_store;
    int lines_drawn;
    bool writing; /* a progress record is with the archivist */
} reporter_t;

/* --- rates ------------------------------------------------------------------------------------ */

/* Chains' jobs that are over, and those that will be: what the ETA goes by. */
static void work_of(const facts_t *facts, uint64_t *done, uint64_t *total) {
    *done = *total = 0;
    for (int i = 0; i < FACT_STAGES; i++) {
        *done += facts->stages[i].done + facts->stages[i].failed;
        *total += facts->stages[i].total;
    }
}

static void add_point(reporter_t *reporter, int64_t now) {
    uint64_t done, total;
    work_of(&reporter->facts, &done, &total);
    size_t i = reporter->point_count++ % RATE_POINTS;
    reporter->points[i].at = now;
    reporter->points[i].answers = reporter->facts.answers;
    reporter->points[i].work = done;
}

/* Answers and jobs a second over the last half minute. */
static void rates(const reporter_t *reporter, double *answers, double *work) {
    *answers = *work = 0;
    if (reporter->point_count < 2)
        return;
    size_t newest = (reporter->point_count - 1) % RATE_POINTS;
    size_t oldest = reporter->point_count > RATE_POINTS ? reporter->point_count % RATE_POINTS : 0;
    double span = (double)(reporter->points[newest].at - reporter->points[oldest].at) / 1e6;
    if (span <= 0)
        return;
    *answers = (double)(reporter->points[newest].answers - reporter->points[oldest].answers) / span;
    *work = (double)(reporter->points[newest].work - reporter->points[oldest].work) / span;
}

static double eta_seconds(const reporter_t *reporter, double work_rate) {
    uint64_t done, total;
    work_of(&reporter->facts, &done, &total);
    if (total > done && work_rate <= 0)
        return -1;
    return total > done ? (double)(total - done) / work_rate : 0;
}

/* --- showing ---------------------------------------------------------------------------------- */

void reporter_stages_append(const stage_table_t *stages, const facts_t *facts, buffer_t *out) {
    size_t before = out->length;
    for (size_t i = 0; i < stages->count; i++) {
        const stage_t *stage = stages->rows[i];
        uint64_t done = facts->stages[stage->number].done,
                 total = facts->stages[stage->number].total;
        uint64_t failed = facts->stages[stage->number].failed;
        if (!stage_is_counted(stage) || (total == 0 && done == 0))
            continue;
        bool known = stage->scope == SCOPE_CHAIN && stage->needs == STAGE_NONE;
        buffer_append_format(out, "%s%s %llu/%s%llu", out->length > before ? "  " : "", stage->name,
                             (unsigned long long)done,
                             facts->total_is_estimate && !known ? "~" : "",
                             (unsigned long long)total);
        if (failed)
            buffer_append_format(out, " (%llu failed)", (unsigned long long)failed);
    }
}

static void append_rates(const reporter_t *reporter, buffer_t *out) {
    const facts_t *facts = &reporter->facts;
    double answers, work;
    char text[32];
    rates(reporter, &answers, &work);
    buffer_append_format(out, "%.1f requests/s  %.0f tokens/min", answers,
                         facts->tokens_per_minute);
    if (facts->token_limit)
        buffer_append_format(out, " of %lld", (long long)facts->token_limit);
    buffer_append_format(out, "  %zu in flight", facts->in_flight);
    double eta = eta_seconds(reporter, work);
    buffer_append_format(out, "  ETA %s", eta < 0 ? "?" : text_format_duration(eta, text));
}

static void append_money(const reporter_t *reporter, buffer_t *out) {
    const facts_t *facts = &reporter->facts;
    char settled[MONEY_TEXT_SIZE], doubts[MONEY_TEXT_SIZE], reserved[MONEY_TEXT_SIZE],
        cap[MONEY_TEXT_SIZE];
    buffer_append_format(out, "spent %s of %s", money_format(facts->settled, 4, settled),
                         money_format(facts->cap, 2, cap));
    if (facts->doubts.pico)
        buffer_append_format(out, "  in doubt %s", money_format(facts->doubts, 4, doubts));
    if (facts->reserved.pico)
        buffer_append_format(out, "  reserved %s", money_format(facts->reserved, 4, reserved));
    if (facts->retries)
        buffer_append_format(out, "  %llu retries", (unsigned long long)facts->retries);
    if (facts->trouble[0])
        buffer_append_format(out, "  [%s]", facts->trouble);
}

static void draw_block(reporter_t *reporter) {
    buffer_t stages = BUFFER_EMPTY, rate = BUFFER_EMPTY, money = BUFFER_EMPTY, out = BUFFER_EMPTY;
    reporter_stages_append(reporter->options.stages, &reporter->facts, &stages);
    append_rates(reporter, &rate);
    append_money(reporter, &money);
    if (reporter->lines_drawn)
        buffer_append_format(&out, "\x1b[%dA", reporter->lines_drawn);
    const char *lines[] = {buffer_text(&stages), buffer_text(&rate), buffer_text(&money)};
    for (size_t i = 0; i < 3; i++)
        buffer_append_format(&out, "\r\x1b[2K%s%.150s\n", i ? "  " : "", lines[i]);
    reporter->lines_drawn = 3;
    reporter->options.write(reporter->options.context, buffer_text(&out));
    buffer_free(&stages);
    buffer_free(&rate);
    buffer_free(&money);
    buffer_free(&out);
}

static void write_line(reporter_t *reporter) {
    buffer_t out = BUFFER_EMPTY;
    reporter_stages_append(reporter->options.stages, &reporter->facts, &out);
    buffer_append_text(&out, out.length ? " | " : "");
    append_rates(reporter, &out);
    buffer_append_text(&out, " | ");
    append_money(reporter, &out);
    buffer_append_text(&out, "\n");
    reporter->options.write(reporter->options.context, buffer_text(&out));
    buffer_free(&out);
}

static void show(reporter_t *reporter, int64_t now) {
    if (!reporter->options.write)
        return;
    if (reporter->options.terminal) {
        draw_block(reporter);
    } else if (now - reporter->last_line >= reporter->options.quiet) {
        reporter->last_line = now;
        write_line(reporter);
    }
}

/* --- the stored record ------------------------------------------------------------------------ */

/* A batch's stage is told of a batch only. */
static bool is_told(const stage_t *stage, const facts_t *facts) {
    return stage_is_counted(stage) &&
           (stage->scope != SCOPE_LINE || facts->stages[stage->number].total > 0);
}

void reporter_progress_encode(const stage_table_t *stages, const facts_t *facts, int64_t utc,
                              double requests_per_second, double eta, buffer_t *out) {
    progress_record_t progress = {
        .utc = utc,
        .requests_per_second = requests_per_second,
        .tokens_per_minute = facts->tokens_per_minute,
        .token_limit = facts->token_limit ? (double)facts->token_limit : NAN,
        .settled = facts->settled,
        .doubts = facts->doubts,
        .reserved = facts->reserved,
        .cap = facts->cap,
        .eta = eta < 0 ? NAN : eta,
    };
    for (size_t i = 0; i < stages->count; i++) {
        const stage_t *stage = stages->rows[i];
        if (is_told(stage, facts))
            progress_add_stage(&progress, stage->name, (int64_t)facts->stages[stage->number].done,
                               (int64_t)facts->stages[stage->number].total,
                               (int64_t)facts->stages[stage->number].failed);
    }
    progress_encode(&progress, out);
    progress_clear(&progress);
}

static void store_progress(reporter_t *reporter, int64_t now) {
    if (reporter->writing || now - reporter->last_store < STORE_EVERY)
        return;
    reporter->writing = true;
    reporter->last_store = now;
    write_t *write = write_create(WRITE_META, reporter->self, NULL, NULL);
    double answers, work;
    rates(reporter, &answers, &work);
    write->key = progress_key(reporter->options.run);
    reporter_progress_encode(reporter->options.stages, &reporter->facts,
                             clock_utc(actor_clock(reporter->self)), answers,
                             eta_seconds(reporter, work), &write->result);
    if (!actor_send(reporter->options.archivist, reporter->self, MSG_WRITE, 0, write, write_free)) {
        write_free(write);
        reporter->writing = false;
    }
}

/* --- messages --------------------------------------------------------------------------------- */

static void merge(facts_t *facts, const facts_t *part) {
    facts->from |= part->from;
    if (part->from & FACTS_DIRECTOR) {
        memcpy(facts->stages, part->stages, sizeof facts->stages);
        facts->total_is_estimate = part->total_is_estimate;
    }
    if (part->from & FACTS_ACCOUNTANT) {
        facts->settled = part->settled;
        facts->doubts = part->doubts;
        facts->reserved = part->reserved;
        facts->cap = part->cap;
    }
    if (part->from & FACTS_POOL) {
        facts->tokens_per_minute = part->tokens_per_minute;
        facts->token_limit = part->token_limit;
        facts->attempts = part->attempts;
        facts->answers = part->answers;
        facts->retries = part->retries;
        facts->in_flight = part->in_flight;
        memcpy(facts->trouble, part->trouble, sizeof facts->trouble);
    }
}

static void on_facts(reporter_t *reporter, const facts_t *part) {
    merge(&reporter->facts, part);
    if (reporter->facts.from != FACTS_ALL)
        return;
    reporter->facts.from = 0;
    int64_t now = clock_now(actor_clock(reporter->self));
    add_point(reporter, now);
    show(reporter, now);
    store_progress(reporter, now);
}

static void on_tick(reporter_t *reporter) {
    actor_t *asked[] = {reporter->options.director, reporter->options.accountant,
                        reporter->options.pool};
    for (size_t i = 0; i < sizeof asked / sizeof asked[0]; i++)
        /* a busy one is asked again in a second */
        (void)actor_send(asked[i], reporter->self, MSG_ASK, 0, NULL, NULL);
    clock_port_t *clock = actor_clock(reporter->self);
    clock_timer_start(clock, reporter->timer, clock_now(clock) + ASK_EVERY);
}

static void reporter_receive(actor_t *self, void *state, actor_message_t *message) {
    (void)self;
    reporter_t *reporter = state;
    switch (message->kind) {
    case MSG_TICK: on_tick(reporter); break;
    case MSG_FACTS: on_facts(reporter, message->payload); break;
    case MSG_WRITTEN: reporter->writing = false; break;
    default: break;
    }
}

static void tick_fire(void *context) {
    reporter_t *reporter = context;
    (void)actor_send(reporter->self, reporter->self, MSG_TICK, 0, NULL, NULL);
}

static void reporter_start(actor_t *self, void *state) {
    reporter_t *reporter = state;
    clock_port_t *clock = actor_clock(self);
    reporter->timer = clock_timer_create(clock, tick_fire, reporter);
    reporter->last_line = reporter->last_store = clock_now(clock);
    clock_timer_start(clock, reporter->timer, clock_now(clock) + ASK_EVERY / 5);
}

static void reporter_free(void *state) {
    reporter_t *reporter = state;
    clock_timer_free(actor_clock(reporter->self), reporter->timer);
    free(reporter);
}

static const actor_definition_t reporter_definition = {
    .name = "reporter",
    .kinds = ACTOR_KIND(MSG_TICK) | ACTOR_KIND(MSG_FACTS) | ACTOR_KIND(MSG_WRITTEN),
    .mailbox = 64,
    .start = reporter_start,
    .receive = reporter_receive,
    .free = reporter_free,
};

actor_t *reporter_create(scheduler_t *scheduler, const reporter_options_t *options,
                         size_t mailbox) {
    reporter_t *reporter = MEMORY_NEW(reporter_t);
    reporter->options = *options;
    reporter->self = actor_create(scheduler, &reporter_definition, reporter, mailbox);
    return reporter->self;
}
