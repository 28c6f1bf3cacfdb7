/* accountant.c - reservations against every cap, settlements, and what is free. */
#include "actors/accountant.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/memory.h"
#include "core/base/text.h"

/* What counts against a cap. */
typedef struct {
    money_t charged; /* settled + doubts */
    money_t reserved;
    money_t at_start; /* what was charged before this start */
} charge_t;

enum { DAYS = 8 }; /* days with open reservations, or touched lately */

/* Where an attempt is that has money set aside:
 *
 *   on_reserve --> RESERVING --on_written--> GRANTED --on_ended--> ENDING --on_written--> settled
 *
 * RESERVING and ENDING are with the archivist, GRANTED is with the client_pool. */
typedef enum { PHASE_RESERVING, PHASE_GRANTED, PHASE_ENDING, PHASE_COUNT } phase_t;

typedef struct {
    actor_t *self, *pool;
    accountant_options_t options;
    charge_t total, store;
    money_t settled, doubts;
    charge_t *models; /* [model_count] */
    /* What is set aside a second time, by where the attempts are rather than by cap: a step that
     * one of the two forgets makes them differ. For accountant_broken alone. */
    struct {
        int64_t attempts;
        money_t worst_cases;
    } phases[PHASE_COUNT];
    money_t overrun; /* by how much settlements came above their worst cases, in this start */
    struct {
        int32_t day;
        charge_t charge;
    } days[DAYS];
    size_t parked;       /* REFUSED since the last FREED */
    int32_t waiting_day; /* whose midnight was last said to be waited for */
} accountant_t;

static money_t charge_sum(const charge_t *charge) {
    return money_add(charge->charged, charge->reserved);
}

static void enter(accountant_t *accountant, phase_t phase, const ticket_t *ticket) {
    accountant->phases[phase].attempts++;
    accountant->phases[phase].worst_cases =
        money_add(accountant->phases[phase].worst_cases, ticket->attempt.worst_case);
}

static void leave(accountant_t *accountant, phase_t phase, const ticket_t *ticket) {
    accountant->phases[phase].attempts--;
    accountant->phases[phase].worst_cases =
        money_subtract(accountant->phases[phase].worst_cases, ticket->attempt.worst_case);
}

/* The balance of a day of this run. The oldest that nothing is reserved of makes room. */
static charge_t *day_charge(accountant_t *accountant, int32_t day) {
    size_t oldest = 0;
    for (size_t i = 0; i < DAYS; i++) {
        if (accountant->days[i].day == day)
            return &accountant->days[i].charge;
        bool open = accountant->days[i].charge.reserved.pico > 0;
        bool oldest_open = accountant->days[oldest].charge.reserved.pico > 0;
        if (open != oldest_open ? oldest_open
                                : accountant->days[i].day < accountant->days[oldest].day)
            oldest = i;
    }
    accountant->days[oldest].day = day;
    accountant->days[oldest].charge = (charge_t){0};
    return &accountant->days[oldest].charge;
}

/* --- start: what the store says --------------------------------------------------------------- */

static void start_with(charge_t *charge, money_t charged) {
    charge->charged = charge->at_start = money_add(charge->charged, charged);
}

static bool add_balance(void *context, uint32_t run, int32_t day, job_stage_t stage,
                        const char *model, const balance_t *balance) {
    (void)stage;
    accountant_t *accountant = context;
    const settings_t *settings = accountant->options.settings;
    money_t charged = money_add(balance->settled, balance->doubts);
    start_with(&accountant->store, charged);
    if (run != accountant->options.run)
        return true;
    start_with(&accountant->total, charged);
    accountant->settled = money_add(accountant->settled, balance->settled);
    accountant->doubts = money_add(accountant->doubts, balance->doubts);
    for (size_t i = 0; i < settings->model_count; i++)
        if (strcmp(settings->models[i].name, model) == 0)
            start_with(&accountant->models[i], charged);
    int32_t today = text_day_of(clock_utc(actor_clock(accountant->self)));
    if (day > today - DAYS)
        start_with(day_charge(accountant, day), charged);
    return true;
}

/* --- caps ------------------------------------------------------------------------------------- */

/* A cap that stands in the way; the first one found. */
typedef struct {
    char name[192];
    money_t cap, used, missing;
    bool hopeless; /* one request alone is more than the cap */
    bool daily;
} obstacle_t;

static bool over(obstacle_t *obstacle, const char *name, money_t cap, money_t used,
                 money_t wanted) {
    money_t sum = money_add(used, wanted);
    if (money_compare(sum, cap) <= 0)
        return false;
    snprintf(obstacle->name, sizeof obstacle->name, "%s", name);
    obstacle->cap = cap;
    obstacle->used = used;
    obstacle->missing = money_subtract(sum, cap);
    obstacle->hopeless = money_compare(wanted, cap) > 0;
    return true;
}

static bool find_obstacle(accountant_t *accountant, const ticket_t *ticket, int32_t day,
                          obstacle_t *obstacle) {
    const settings_t *settings = accountant->options.settings;
    const model_settings_t *model = &settings->models[ticket->request.model];
    money_t wanted = ticket->request.worst_case;
    char name[192];
    *obstacle = (obstacle_t){0};
    if (over(obstacle, "budget.total_usd", settings->cap_total, charge_sum(&accountant->total),
             wanted))
        return true;
    if (model->capped) {
        snprintf(name, sizeof name, "budget.models.\"%s\"", model->name);
        if (over(obstacle, name, model->cap, charge_sum(&accountant->models[ticket->request.model]),
                 wanted))
            return true;
    }
    if (settings->has_cap_store && over(obstacle, "budget.store_usd", settings->cap_store,
                                        charge_sum(&accountant->store), wanted))
        return true;
    /* Every reservation may end as a doubt; what counts is whether doubts alone have
     * eaten their share. */
    if (settings->has_cap_doubts && wanted.pico > 0 && accountant->doubts.pico > 0 &&
        over(obstacle, "budget.doubts_usd", settings->cap_doubts, accountant->doubts, wanted))
        return true;
    if (settings->has_cap_daily && over(obstacle, "budget.daily_usd", settings->cap_daily,
                                        charge_sum(day_charge(accountant, day)), wanted)) {
        obstacle->daily = true;
        return true;
    }
    return false;
}

static void reserve_in_memory(accountant_t *accountant, const ticket_t *ticket, int sign) {
    money_t amount = {sign * ticket->attempt.worst_case.pico};
    charge_t *charges[] = {&accountant->total, &accountant->store,
                           &accountant->models[ticket->request.model],
                           day_charge(accountant, ticket->attempt.day)};
    for (size_t i = 0; i < sizeof charges / sizeof charges[0]; i++)
        charges[i]->reserved = money_add(charges[i]->reserved, amount);
}

static void charge_in_memory(accountant_t *accountant, const ticket_t *ticket) {
    money_t cost = ticket->attempt.cost;
    charge_t *charges[] = {&accountant->total, &accountant->store,
                           &accountant->models[ticket->request.model],
                           day_charge(accountant, ticket->attempt.day)};
    for (size_t i = 0; i < sizeof charges / sizeof charges[0]; i++)
        charges[i]->charged = money_add(charges[i]->charged, cost);
    if (money_compare(cost, ticket->attempt.worst_case) > 0)
        accountant->overrun =
            money_add(accountant->overrun, money_subtract(cost, ticket->attempt.worst_case));
    if (ticket->attempt.state == ATTEMPT_DOUBT)
        accountant->doubts = money_add(accountant->doubts, cost);
    else
        accountant->settled = money_add(accountant->settled, cost);
}

/* Once a day, when nothing is reserved whose settlement could make room. */
static void say_waiting(accountant_t *accountant, const ticket_t *ticket, int32_t day) {
    if (accountant->waiting_day == day || day_charge(accountant, day)->reserved.pico > 0)
        return;
    accountant->waiting_day = day;
    log_line(accountant->options.log, LOG_INFO,
             "%s; waiting for midnight UTC (budget.on_daily_cap)", ticket->refusal.message);
}

static void refuse(accountant_t *accountant, ticket_t *ticket, const obstacle_t *obstacle) {
    clock_port_t *clock = actor_clock(accountant->self);
    char cap[MONEY_TEXT_SIZE], used[MONEY_TEXT_SIZE], missing[MONEY_TEXT_SIZE],
        wanted[MONEY_TEXT_SIZE];
    money_format(obstacle->cap, 6, cap);
    money_format(obstacle->used, 6, used);
    money_format(obstacle->missing, 6, missing);
    money_format(ticket->request.worst_case, 6, wanted);
    refusal_t *refusal = &ticket->refusal;
    refusal->until = INT64_MAX;
    bool hopeless = refusal->hopeless = obstacle->hopeless;
    if (hopeless)
        snprintf(refusal->message, sizeof refusal->message,
                 "%s = %s is smaller than one request (%s at worst); raise it", obstacle->name, cap,
                 wanted);
    else
        snprintf(refusal->message, sizeof refusal->message,
                 "%s = %s is reached: %s are spent, in doubt or reserved; the next request needs "
                 "%s more%s",
                 obstacle->name, cap, used, missing,
                 strcmp(obstacle->name, "budget.doubts_usd") == 0
                     ? " (see `glia ledger`, `glia ledger release`)"
                     : "");
    if (obstacle->daily && !hopeless && accountant->options.settings->on_daily_cap == DAILY_WAIT) {
        int64_t utc = clock_utc(clock);
        int64_t midnight = ((int64_t)text_day_of(utc) + 1) * 86400 * CLOCK_SECOND;
        refusal->until = clock_now(clock) + (midnight - utc);
        say_waiting(accountant, ticket, text_day_of(utc));
    }
    accountant->parked++;
    actor_tell(accountant->pool, accountant->self, MSG_REFUSED, 0, ticket, ticket_free);
}

/* --- one attempt ------------------------------------------------------------------------------ */

static void send_write(accountant_t *accountant, write_kind_t kind, ticket_t *ticket) {
    write_t *write = write_create(kind, accountant->self, ticket, ticket_free);
    write->attempt = &ticket->attempt;
    if (kind == WRITE_END && ticket->outcome.verdict == RETRY_ANSWER) {
        write->packed = ticket->outcome.packed;
        ticket->outcome.packed = BUFFER_EMPTY;
        write->embed_count = ticket->request.input_count;
        write->embed_keys = ticket->request.keys;
    }
    actor_tell(accountant->options.archivist, accountant->self, MSG_WRITE, 0, write, write_free);
}

static void on_reserve(accountant_t *accountant, ticket_t *ticket) {
    const settings_t *settings = accountant->options.settings;
    int64_t utc = clock_utc(actor_clock(accountant->self));
    int32_t day = text_day_of(utc);
    obstacle_t obstacle;
    if (find_obstacle(accountant, ticket, day, &obstacle)) {
        refuse(accountant, ticket, &obstacle);
        return;
    }
    const endpoint_settings_t *endpoint = &settings->endpoints[ticket->endpoint];
    attempt_t *attempt = &ticket->attempt;
    *attempt = (attempt_t){
        .state = ATTEMPT_RESERVED,
        .run = accountant->options.run,
        .stage = ticket->job->stage,
        .day = day,
        .request = ticket->request.id,
        .job = ticket->job->id,
        .worst_case = ticket->request.worst_case,
        .input_bound = ticket->request.input_bound,
        .output_maximum = ticket->request.output_maximum,
        .rate_charge = request_charge(&ticket->request, endpoint),
        .reserved_utc = utc,
        .reserved_now = clock_now(actor_clock(accountant->self)),
        .era = clock_era(actor_clock(accountant->self)),
        .tries = (int32_t)ticket->attempts,
    };
    text_copy(attempt->model, sizeof attempt->model, settings->models[ticket->request.model].name);
    text_copy(attempt->endpoint, sizeof attempt->endpoint, endpoint->name);
    reserve_in_memory(accountant, ticket, 1);
    enter(accountant, PHASE_RESERVING, ticket);
    send_write(accountant, WRITE_RESERVE, ticket);
}

/* What the exchange came to: decided here, in one place, from verdict and usage. */
static void close_attempt(accountant_t *accountant, ticket_t *ticket) {
    attempt_t *attempt = &ticket->attempt;
    const attempt_outcome_t *outcome = &ticket->outcome;
    const model_settings_t *model = &accountant->options.settings->models[ticket->request.model];
    attempt->finished_utc = clock_utc(actor_clock(accountant->self));
    attempt->status = outcome->status;
    text_copy(attempt->verdict, sizeof attempt->verdict, retry_verdict_name(outcome->verdict));
    text_copy(attempt->code, sizeof attempt->code, outcome->detail.code);
    text_copy(attempt->message, sizeof attempt->message, outcome->detail.message);
    log_redact(accountant->options.log, attempt->message);
    if (outcome->verdict == RETRY_ANSWER && outcome->usage.present) {
        attempt->state = ATTEMPT_SETTLED;
        attempt->prompt_tokens = outcome->usage.prompt_tokens;
        attempt->cached_tokens = outcome->usage.cached_tokens;
        attempt->completion_tokens = outcome->usage.completion_tokens;
        attempt->reasoning_tokens = outcome->usage.reasoning_tokens;
        attempt->cost = price_of_usage(&model->price, &outcome->usage);
        attempt->over_bound = outcome->usage.prompt_tokens > attempt->input_bound ||
                              outcome->usage.completion_tokens > attempt->output_maximum;
        return;
    }
    /* An answer without usage is stored, and its cost stays in doubt. */
    bool is_free = outcome->never_sent || retry_verdict_is_free(outcome->verdict);
    attempt->state = is_free ? ATTEMPT_VOID : ATTEMPT_DOUBT;
    attempt->cost = is_free ? MONEY_ZERO : attempt->worst_case;
}

static void on_ended(accountant_t *accountant, ticket_t *ticket) {
    close_attempt(accountant, ticket);
    leave(accountant, PHASE_GRANTED, ticket);
    enter(accountant, PHASE_ENDING, ticket);
    send_write(accountant, WRITE_END, ticket);
}

static void on_written(accountant_t *accountant, write_t *write) {
    ticket_t *ticket = write->context;
    write->context = NULL;
    if (write->kind == WRITE_RESERVE) {
        leave(accountant, PHASE_RESERVING, ticket);
        enter(accountant, PHASE_GRANTED, ticket);
        actor_tell(accountant->pool, accountant->self, MSG_RESERVED, 0, ticket, ticket_free);
        return;
    }
    leave(accountant, PHASE_ENDING, ticket);
    reserve_in_memory(accountant, ticket, -1);
    charge_in_memory(accountant, ticket);
    actor_tell(accountant->pool, accountant->self, MSG_SETTLED, 0, ticket, ticket_free);
    if (accountant->parked > 0) {
        accountant->parked = 0;
        actor_tell(accountant->pool, accountant->self, MSG_FREED, 0, NULL, NULL);
    }
}

/* --- what holds between messages -------------------------------------------------------------- */

static bool is_negative(const charge_t *charge) {
    return charge->charged.pico < 0 || charge->reserved.pico < 0;
}

/* A cap that was lowered below what is charged stays passed, with nothing reserved; and what a
 * settlement costs is not ours to choose. */
static bool is_above(const accountant_t *accountant, const charge_t *charge, bool capped,
                     money_t cap) {
    money_t most = money_compare(charge->at_start, cap) > 0 ? charge->at_start : cap;
    return capped && money_compare(charge_sum(charge), money_add(most, accountant->overrun)) > 0;
}

static const char *phases_broken(const accountant_t *accountant) {
    money_t sum = MONEY_ZERO;
    for (size_t i = 0; i < PHASE_COUNT; i++) {
        if (accountant->phases[i].attempts < 0)
            return "an attempt was settled, ended or told of that had not come so far";
        if (accountant->phases[i].attempts == 0 && accountant->phases[i].worst_cases.pico != 0)
            return "no attempt is there, but its worst case";
        sum = money_add(sum, accountant->phases[i].worst_cases);
    }
    if (money_compare(sum, accountant->total.reserved) != 0)
        return "what is reserved is not the worst cases of the attempts under way";
    return NULL;
}

static const char *models_broken(const accountant_t *accountant) {
    const settings_t *settings = accountant->options.settings;
    charge_t sum = {0};
    for (size_t i = 0; i < settings->model_count; i++) {
        const charge_t *charge = &accountant->models[i];
        if (is_negative(charge))
            return "a model's balance is below nothing";
        if (is_above(accountant, charge, settings->models[i].capped, settings->models[i].cap))
            return "a model is granted more than its cap";
        sum.charged = money_add(sum.charged, charge->charged);
        sum.reserved = money_add(sum.reserved, charge->reserved);
    }
    if (money_compare(sum.reserved, accountant->total.reserved) != 0)
        return "what the models reserve is not what the run reserves";
    if (money_compare(sum.charged, accountant->total.charged) > 0) /* less: models of once */
        return "the models are charged more than the run";
    return NULL;
}

static const char *days_broken(const accountant_t *accountant) {
    const settings_t *settings = accountant->options.settings;
    money_t reserved = MONEY_ZERO;
    for (size_t i = 0; i < DAYS; i++) {
        const charge_t *charge = &accountant->days[i].charge;
        if (is_negative(charge))
            return "a day's balance is below nothing";
        if (is_above(accountant, charge, settings->has_cap_daily, settings->cap_daily))
            return "a day is granted more than its cap";
        reserved = money_add(reserved, charge->reserved);
        for (size_t j = 0; j < i; j++)
            if (accountant->days[i].day != 0 && accountant->days[i].day == accountant->days[j].day)
                return "a day has two balances";
    }
    if (money_compare(reserved, accountant->total.reserved) != 0)
        return "what the days reserve is not what the run reserves";
    return NULL;
}

static const char *accountant_broken(const void *state) {
    const accountant_t *accountant = state;
    const settings_t *settings = accountant->options.settings;
    const charge_t *total = &accountant->total, *store = &accountant->store;
    if (is_negative(total) || is_negative(store) || accountant->settled.pico < 0 ||
        accountant->doubts.pico < 0)
        return "a balance is below nothing";
    if (money_compare(total->charged, money_add(accountant->settled, accountant->doubts)) != 0)
        return "what is charged is not what is settled and in doubt";
    if (money_compare(store->charged, total->charged) < 0)
        return "the store is charged less than its run";
    if (money_compare(store->reserved, total->reserved) != 0) /* a store has one live run */
        return "the store reserves another sum than its run";
    if (is_above(accountant, total, true, settings->cap_total))
        return "the run is granted more than its cap";
    if (is_above(accountant, store, settings->has_cap_store, settings->cap_store))
        return "the store is granted more than its cap";
    const char *broken = phases_broken(accountant);
    if (!broken)
        broken = models_broken(accountant);
    return broken ? broken : days_broken(accountant);
}

/* --- messages --------------------------------------------------------------------------------- */

static void on_ask(accountant_t *accountant, actor_t *reporter) {
    facts_t *facts = MEMORY_NEW(facts_t);
    facts->from = FACTS_ACCOUNTANT;
    facts->settled = accountant->settled;
    facts->doubts = accountant->doubts;
    facts->reserved = accountant->total.reserved;
    facts->cap = accountant->options.settings->cap_total;
    if (!actor_send(reporter, accountant->self, MSG_FACTS, 0, facts, free))
        free(facts);
}

static void accountant_receive(actor_t *self, void *state, actor_message_t *message) {
    (void)self;
    accountant_t *accountant = state;
    void *payload = message->payload;
    switch (message->kind) {
    case MSG_RESERVE:
        message->payload = NULL;
        on_reserve(accountant, payload);
        break;
    case MSG_ENDED:
        message->payload = NULL;
        on_ended(accountant, payload);
        break;
    case MSG_WRITTEN: on_written(accountant, payload); break;
    case MSG_ASK: on_ask(accountant, message->sender); break;
    default: break;
    }
}

static void accountant_free(void *state) {
    accountant_t *accountant = state;
    free(accountant->models);
    free(accountant);
}

static const actor_definition_t accountant_definition = {
    .name = "accountant",
    .kinds = ACTOR_KIND(MSG_RESERVE) | ACTOR_KIND(MSG_ENDED) | ACTOR_KIND(MSG_WRITTEN) |
             ACTOR_KIND(MSG_ASK),
    .mailbox = 1024,
    .receive = accountant_receive,
    .free = accountant_free,
    .broken = accountant_broken,
};

actor_t *accountant_create(scheduler_t *scheduler, const accountant_options_t *options,
                           size_t mailbox, error_info_t *error) {
    accountant_t *accountant = MEMORY_NEW(accountant_t);
    accountant->options = *options;
    accountant->models = MEMORY_NEW_ARRAY(options->settings->model_count + 1, charge_t);
    accountant->self = actor_create(scheduler, &accountant_definition, accountant, mailbox);
    store_txn_t *txn = store_read_begin(options->store, error);
    if (!txn)
        return NULL; /* the scheduler owns the actor */
    ledger_balances(txn, 0, add_balance, accountant);
    store_read_end(txn);
    return accountant->self;
}

void accountant_set_pool(actor_t *accountant_actor, actor_t *pool) {
    ((accountant_t *)actor_state(accountant_actor))->pool = pool;
}
