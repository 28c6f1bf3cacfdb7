/* client_pool.c - the actor: from queues to endpoints, and what becomes of a ticket after each
 * attempt. */
#include "actors/pool/client_pool.h"

#include <stdio.h>
#include <stdlib.h>

#include "actors/pool/attempt.h"
#include "actors/pool/queue.h"
#include "actors/pool/restore.h"
#include "core/base/memory.h"
#include "core/base/rng.h"

typedef struct {
    actor_t *self, *director;
    client_pool_options_t options;
    rng_t rng;
    clock_timer_t *timer, *drain_timer;
    int64_t wake;           /* when `timer` fires; INT64_MAX: it is stopped */
    endpoint_t **endpoints; /* [endpoint_count] */
    ticket_queue_t *ready;  /* [endpoint_count] READY, at that endpoint */
    ticket_queue_t *queues; /* [model_count] WAITING, for that model */
    size_t first_queue;     /* is served first; another each time, so that none is always last */
    attempt_desk_t *desk;
    size_t held[TICKET_STATES]; /* tickets in each state; OUTSIDE: not counted */
    size_t stalled;             /* tickets of the standstill that the director knows of; 0: none */
    bool stopping;
    const char *wrong; /* a transition that should not be, for client_pool_broken */
    uint64_t attempts, answers, retries;
} client_pool_t;

static int64_t pool_now(const client_pool_t *pool) {
    return clock_now(actor_clock(pool->self));
}

static const model_settings_t *model_of(const client_pool_t *pool, const ticket_t *ticket) {
    return &pool->options.settings->models[ticket->request.model];
}

static int64_t charge_at(const client_pool_t *pool, const ticket_t *ticket, size_t endpoint) {
    return request_charge(&ticket->request, &pool->options.settings->endpoints[endpoint]);
}

/* --- a ticket's state --- */

/* The arrows of client_pool.h: from which states each is entered. */
#define FROM(state) (1u << TICKET_##state)
static const unsigned ENTERED_FROM[TICKET_STATES] = {
    [TICKET_OUTSIDE] = FROM(WAITING) | FROM(RESERVING) | FROM(SETTLING),
    [TICKET_WAITING] = FROM(OUTSIDE) | FROM(RESERVING) | FROM(SETTLING),
    [TICKET_RESERVING] = FROM(WAITING),
    [TICKET_READY] = FROM(RESERVING),
    [TICKET_IN_FLIGHT] = FROM(READY),
    [TICKET_READING] = FROM(IN_FLIGHT),
    [TICKET_SETTLING] = FROM(READY) | FROM(READING),
};
#undef FROM

/* The one place that sets a ticket's state. */
static void enter(client_pool_t *pool, ticket_t *ticket, ticket_state_t state) {
    if (!(ENTERED_FROM[state] >> ticket->state & 1))
        pool->wrong = "a ticket went a way that is not drawn";
    if (ticket->state != TICKET_OUTSIDE)
        pool->held[ticket->state]--;
    if (state != TICKET_OUTSIDE)
        pool->held[state]++;
    ticket->state = state;
}

static size_t waiting(const client_pool_t *pool) {
    return pool->held[TICKET_WAITING];
}

/* Tickets whose attempt is under way, from its grant until its end is durable. */
static size_t busy(const client_pool_t *pool) {
    size_t count = 0;
    for (int state = TICKET_RESERVING; state < TICKET_STATES; state++)
        count += pool->held[state];
    return count;
}

static void enqueue(client_pool_t *pool, ticket_t *ticket) {
    enter(pool, ticket, TICKET_WAITING);
    queue_insert(&pool->queues[ticket->request.model], ticket);
}

static void tell_owner(client_pool_t *pool, ticket_t *ticket, message_kind_t kind) {
    if (ticket->state != TICKET_OUTSIDE)
        enter(pool, ticket, TICKET_OUTSIDE);
    actor_tell(ticket->owner, pool->self, (int)kind, 0, ticket, ticket_free);
}

/* To its owner, not done and not failed. */
static void hand_back(client_pool_t *pool, ticket_t *ticket) {
    ticket->job->outcome = OUTCOME_HANDED_BACK;
    tell_owner(pool, ticket, MSG_RETURNED);
}

static void tell_ended(client_pool_t *pool, ticket_t *ticket) {
    enter(pool, ticket, TICKET_SETTLING);
    actor_tell(pool->options.accountant, pool->self, MSG_ENDED, 0, ticket, ticket_free);
}

/* --- from a grant to the request's sending --- */

static void ask_for_reservation(client_pool_t *pool, ticket_t *ticket, size_t endpoint,
                                int64_t now) {
    int64_t charge = charge_at(pool, ticket, endpoint);
    ticket->endpoint = endpoint;
    ticket->grant = endpoint_grant(pool->endpoints[endpoint], ticket->request.model, charge, now);
    ticket->refusal.until = 0;
    enter(pool, ticket, TICKET_RESERVING);
    actor_tell(pool->options.accountant, pool->self, MSG_RESERVE, 0, ticket, ticket_free);
}

/* The grant is void, and so is what was reserved. */
static void lapse(client_pool_t *pool, ticket_t *ticket) {
    ticket->outcome =
        (attempt_outcome_t){.verdict = RETRY_CANCELLED, .never_sent = true, .retry_after = -1};
    endpoint_give_back(pool->endpoints[ticket->endpoint], &ticket->grant);
    tell_ended(pool, ticket);
}

static void start_attempt(client_pool_t *pool, ticket_t *ticket, int64_t now) {
    endpoint_start(pool->endpoints[ticket->endpoint], &ticket->grant, now);
    pool->attempts++;
    if (ticket->attempts++ > 0)
        pool->retries++;
    enter(pool, ticket, TICKET_IN_FLIGHT);
    attempt_send(pool->desk, ticket);
}

/* Sends what has a slot now; returns when the windows let the next one of those that came late,
 * INT64_MAX: an event decides. */
static int64_t start_ready(client_pool_t *pool, size_t e, int64_t now) {
    endpoint_t *endpoint = pool->endpoints[e];
    ticket_queue_t *ready = &pool->ready[e];
    int64_t earliest = INT64_MAX;
    for (ticket_t *before = NULL, *ticket; (ticket = queue_after(ready, before));) {
        if (pool->stopping || endpoint_has_lapsed(endpoint, &ticket->grant, now)) {
            lapse(pool, queue_unlink(ready, before));
            continue;
        }
        if (endpoint_is_full(endpoint))
            break;
        int64_t at = endpoint_start_at(endpoint, &ticket->grant, now);
        if (at <= now) {
            start_attempt(pool, queue_unlink(ready, before), now);
            continue;
        }
        earliest = at < earliest ? at : earliest;
        before = ticket;
    }
    return earliest;
}

/* --- which endpoint, and when --- */

/* It may be asked for this ticket at all, however long that takes. */
static bool may_take(const client_pool_t *pool, size_t endpoint, const ticket_t *ticket) {
    if (ticket->pinned != ANY_ENDPOINT && (size_t)ticket->pinned != endpoint)
        return false;
    return endpoint_fits(pool->endpoints[endpoint], ticket->request.model,
                         charge_at(pool, ticket, endpoint));
}

/* No endpoint could ever take it. */
static bool never_fits(const client_pool_t *pool, const ticket_t *ticket) {
    const model_settings_t *model = model_of(pool, ticket);
    for (size_t i = 0; i < model->endpoint_count; i++)
        if (may_take(pool, model->endpoints[i], ticket))
            return false;
    return true;
}

/* The first endpoint at which the ticket may start now, else SIZE_MAX and in *when the earliest
 * known time; *shut: all that may take it are shut. */
static size_t choose_endpoint(client_pool_t *pool, const ticket_t *ticket, int64_t now,
                              int64_t *when, bool *shut) {
    const model_settings_t *model = model_of(pool, ticket);
    *when = INT64_MAX;
    *shut = true;
    for (size_t i = 0; i < model->endpoint_count; i++) {
        size_t e = model->endpoints[i];
        if (!may_take(pool, e, ticket))
            continue;
        int64_t at = endpoint_ready_at(pool->endpoints[e], ticket->request.model,
                                       charge_at(pool, ticket, e), now);
        if (at <= now)
            return e;
        *when = at < *when ? at : *when;
        *shut = *shut && endpoint_state(pool->endpoints[e]) == BREAKER_SHUT;
    }
    return SIZE_MAX;
}

/* Starts what may start in one queue; returns the earliest time at which more may. A ticket that
 * has to wait for the windows or a slot keeps its place: those behind it wait too. One that waits
 * for reasons of its own does not hold them up. */
static int64_t pump_queue(client_pool_t *pool, ticket_queue_t *queue, int64_t now) {
    int64_t earliest = INT64_MAX, when;
    bool shut;
    for (ticket_t *before = NULL, *ticket; (ticket = queue_after(queue, before));) {
        int64_t own = ticket->refusal.until ? ticket->refusal.until : ticket->not_before;
        if (own > now) {
            earliest = own < earliest ? own : earliest;
            before = ticket;
            continue;
        }
        size_t endpoint = choose_endpoint(pool, ticket, now, &when, &shut);
        if (endpoint != SIZE_MAX) {
            ask_for_reservation(pool, queue_unlink(queue, before), endpoint, now);
            continue;
        }
        earliest = when < earliest ? when : earliest;
        if (ticket->pinned == ANY_ENDPOINT && !shut)
            break;
        before = ticket;
    }
    return earliest;
}

/* --- stalls --- */

/* Why a waiting ticket cannot start without outside help; false: it can, some time. */
static bool ticket_is_stuck(const client_pool_t *pool, const ticket_t *ticket, int64_t now,
                            stall_t *stall) {
    const settings_t *settings = pool->options.settings;
    const model_settings_t *model = model_of(pool, ticket);
    if (ticket->refusal.until == INT64_MAX) {
        stall->kind = ticket->refusal.hopeless ? STALL_CONFIG : STALL_CAP;
        snprintf(stall->message, sizeof stall->message, "%s", ticket->refusal.message);
        return true;
    }
    for (size_t i = 0; i < model->endpoint_count; i++) {
        size_t e = model->endpoints[i];
        const endpoint_t *endpoint = pool->endpoints[e];
        if (!may_take(pool, e, ticket))
            continue;
        bool shut = endpoint_state(endpoint) == BREAKER_SHUT;
        if (!shut && !endpoint_is_out(endpoint, now, settings->outage_wait))
            return false;
        stall->kind = STALL_WORLD;
        snprintf(stall->message, sizeof stall->message, "%s %s: %s", settings->endpoints[e].name,
                 shut ? "is shut" : "has been down too long", endpoint_trouble(endpoint));
    }
    return true;
}

/* All tickets that wait, if each of them is stuck and nothing else goes on; else none. */
static stall_t find_stall(const client_pool_t *pool, int64_t now) {
    stall_t found = {0}, one = {0};
    if (busy(pool) > 0 || pool->stopping)
        return found;
    for (size_t m = 0; m < pool->options.settings->model_count; m++)
        for (const ticket_t *ticket = pool->queues[m].first; ticket; ticket = ticket->next) {
            if (!ticket_is_stuck(pool, ticket, now, &one))
                return (stall_t){0};
            if (found.tickets == 0 || one.kind == STALL_CONFIG)
                found = one;
            found.tickets = waiting(pool);
        }
    return found;
}

/* Tells the director when the pool comes to a standstill, when what stands still grows, and when it
 * is over. */
static void tell_stall(client_pool_t *pool, int64_t now) {
    stall_t found = find_stall(pool, now);
    if (found.tickets == pool->stalled)
        return;
    pool->stalled = found.tickets;
    actor_tell(pool->director, pool->self, MSG_STALLED, 0, memory_copy(&found, sizeof found), free);
}

/* --- the pump --- */

static void set_timer(client_pool_t *pool, int64_t at) {
    if (at == pool->wake)
        return;
    pool->wake = at;
    if (at == INT64_MAX)
        clock_timer_stop(actor_clock(pool->self), pool->timer);
    else
        clock_timer_start(actor_clock(pool->self), pool->timer, at);
}

/* Starts all that may start now, and sees to it that what may start later does. After every event.
 */
static void pump(client_pool_t *pool) {
    const settings_t *settings = pool->options.settings;
    int64_t now = pool_now(pool), earliest = INT64_MAX, at;
    for (size_t e = 0; e < settings->endpoint_count; e++)
        if ((at = start_ready(pool, e, now)) < earliest)
            earliest = at;
    for (size_t n = 0; n < settings->model_count; n++)
        if ((at = pump_queue(pool, &pool->queues[(pool->first_queue + n) % settings->model_count],
                             now)) < earliest)
            earliest = at;
    pool->first_queue = (pool->first_queue + 1) % settings->model_count;
    /* An outage that has lasted too long may be a standstill. */
    for (size_t e = 0; e < settings->endpoint_count && waiting(pool) > 0; e++) {
        at = endpoint_outage_end(pool->endpoints[e], settings->outage_wait);
        if (at > now && at < earliest)
            earliest = at;
    }
    set_timer(pool, earliest);
    tell_stall(pool, now);
}

static void pump_fire(void *context) {
    client_pool_t *pool = context;
    pool->wake = INT64_MAX;
    actor_tell(pool->self, pool->self, MSG_TICK, 0, NULL, NULL);
}

/* --- what an attempt came to --- */

/* Usage above what was set aside: the endpoint does not keep the output maximum, and is not asked
 * again in this run. */
static bool is_over_bound(client_pool_t *pool, ticket_t *ticket) {
    const llm_usage_t *usage = &ticket->outcome.usage;
    const request_t *request = &ticket->request;
    retry_detail_t *detail = &ticket->outcome.detail;
    if (ticket->outcome.verdict != RETRY_ANSWER || !usage->present)
        return false;
    if (usage->prompt_tokens <= request->input_bound &&
        usage->completion_tokens <= request->output_maximum)
        return false;
    snprintf(detail->message, sizeof detail->message,
             "reported %lld prompt and %lld completion tokens, more than the %lld and %lld that "
             "were set aside",
             (long long)usage->prompt_tokens, (long long)usage->completion_tokens,
             (long long)request->input_bound, (long long)request->output_maximum);
    log_line(pool->options.log, LOG_ERROR, "%s %s; it is not asked again in this run",
             pool->options.settings->endpoints[ticket->endpoint].name, detail->message);
    return true;
}

static void learn(client_pool_t *pool, ticket_t *ticket) {
    lesson_t lesson = {
        .verdict = ticket->outcome.verdict,
        .detail = &ticket->outcome.detail,
        .sent_at = ticket->sent_at,
        .retry_after = ticket->outcome.retry_after,
        .over_bound = is_over_bound(pool, ticket),
    };
    pool->answers += lesson.verdict == RETRY_ANSWER;
    endpoint_learn(pool->endpoints[ticket->endpoint], &ticket->grant, &lesson, pool_now(pool));
}

/* The slot is free with the last byte. What the endpoint says by a short body counts before the
 * next request starts. Work that comes back from a worker starts nothing itself: ports may be
 * closed by then. */
static void on_news(void *context, ticket_t *ticket, unsigned news) {
    client_pool_t *pool = context;
    endpoint_t *endpoint = pool->endpoints[ticket->endpoint];
    if (news & ATTEMPT_OVER) {
        endpoint_over(endpoint, &ticket->grant, ticket->sent_at, pool_now(pool));
        enter(pool, ticket, TICKET_READING);
    }
    if (news & ATTEMPT_READ)
        learn(pool, ticket);
    if (news & ATTEMPT_WHOLE)
        tell_ended(pool, ticket);
    if (news & ATTEMPT_OVER)
        pump(pool);
    else if (news & ATTEMPT_READ)
        actor_tell(pool->self, pool->self, MSG_TICK, 0, NULL, NULL);
}

static void give_up(client_pool_t *pool, ticket_t *ticket, bool terminal) {
    const attempt_outcome_t *outcome = &ticket->outcome;
    job_t *job = ticket->job;
    job_fail(job, terminal, retry_verdict_name(outcome->verdict), "%s", outcome->detail.message);
    job->trouble.status = outcome->status;
    job->trouble.tries = ticket->attempts;
    snprintf(job->trouble.code, sizeof job->trouble.code, "%s", outcome->detail.code);
    tell_owner(pool, ticket, MSG_RETURNED);
}

static void try_again(client_pool_t *pool, ticket_t *ticket) {
    const attempt_outcome_t *outcome = &ticket->outcome;
    bool outage = ticket->grant.probing ||
                  endpoint_state(pool->endpoints[ticket->endpoint]) != BREAKER_CLOSED;
    if (outcome->verdict == RETRY_CANCELLED) { /* it lapsed, and goes back to where it was */
        enqueue(pool, ticket);
        return;
    }
    if (!outage && ++ticket->tries >= pool->options.settings->max_tries) {
        give_up(pool, ticket, false);
        return;
    }
    int64_t pause = retry_backoff(&pool->rng, ticket->tries > 0 ? ticket->tries - 1 : 0);
    /* Where the endpoint is blocked, another one may take the ticket sooner. */
    if (outcome->retry_after > pause && !endpoint_heeds(outcome->verdict, outcome->retry_after))
        pause = outcome->retry_after;
    if (outage)
        pause = 0; /* the breaker says when */
    ticket->not_before = pool_now(pool) + pause;
    enqueue(pool, ticket);
}

/* --- messages --- */

static void on_ticket(client_pool_t *pool, ticket_t *ticket) {
    if (pool->stopping) {
        hand_back(pool, ticket);
    } else if (never_fits(pool, ticket)) {
        job_fail(
            ticket->job, true, "bound",
            "one request is charged %lld tokens, more than tpm of every endpoint of %s; raise tpm",
            (long long)ticket->request.charge_estimate, model_of(pool, ticket)->name);
        tell_owner(pool, ticket, MSG_RETURNED);
    } else {
        enqueue(pool, ticket);
    }
}

static void on_reserved(client_pool_t *pool, ticket_t *ticket) {
    endpoint_reserved(pool->endpoints[ticket->endpoint], &ticket->grant, pool_now(pool));
    enter(pool, ticket, TICKET_READY);
    queue_insert(&pool->ready[ticket->endpoint], ticket);
}

static void on_refused(client_pool_t *pool, ticket_t *ticket) {
    endpoint_give_back(pool->endpoints[ticket->endpoint], &ticket->grant);
    if (pool->stopping)
        hand_back(pool, ticket);
    else
        enqueue(pool, ticket);
}

/* The end of the attempt is durable. */
static void on_settled(client_pool_t *pool, ticket_t *ticket) {
    retry_verdict_t verdict = ticket->outcome.verdict;
    if (verdict == RETRY_ANSWER)
        tell_owner(pool, ticket, MSG_ANSWERED);
    else if (!retry_verdict_tries_again(verdict))
        give_up(pool, ticket, true);
    else if (pool->stopping)
        hand_back(pool, ticket);
    else
        try_again(pool, ticket);
}

static void on_freed(client_pool_t *pool) {
    for (size_t m = 0; m < pool->options.settings->model_count; m++)
        for (ticket_t *ticket = pool->queues[m].first; ticket; ticket = ticket->next)
            ticket->refusal.until = 0;
}

/* Hands back what has no grant; grants lapse; what is in flight is awaited (up to run.drain) or
 * cancelled. */
static void on_stop(client_pool_t *pool) {
    pool->stopping = true;
    for (size_t m = 0; m < pool->options.settings->model_count; m++)
        while (pool->queues[m].first)
            hand_back(pool, queue_unlink(&pool->queues[m], NULL));
    clock_timer_start(actor_clock(pool->self), pool->drain_timer,
                      pool_now(pool) + pool->options.settings->drain);
}

/* The wait for attempts in flight is over: their outcome is unknown, and is recorded as doubt. */
static void drain_fire(void *context) {
    attempt_cancel_all(((client_pool_t *)context)->desk);
}

static void on_ask(client_pool_t *pool, actor_t *reporter) {
    const settings_t *settings = pool->options.settings;
    int64_t now = pool_now(pool);
    facts_t *facts = MEMORY_NEW(facts_t);
    facts->from = FACTS_POOL;
    facts->attempts = pool->attempts;
    facts->answers = pool->answers;
    facts->retries = pool->retries;
    for (size_t e = 0; e < settings->endpoint_count; e++) {
        const endpoint_t *endpoint = pool->endpoints[e];
        int64_t requests, tokens;
        endpoint_usage(endpoint, now, &requests, &tokens);
        facts->tokens_per_minute += (double)tokens;
        facts->token_limit += settings->endpoints[e].tpm;
        facts->in_flight += endpoint_in_flight(endpoint);
        breaker_state_t state = endpoint_state(endpoint);
        if (state != BREAKER_CLOSED)
            snprintf(facts->trouble, sizeof facts->trouble, "%s is %s: %.150s",
                     settings->endpoints[e].name, breaker_state_name(state),
                     endpoint_trouble(endpoint));
    }
    if (!actor_send(reporter, pool->self, MSG_FACTS, 0, facts, free))
        free(facts);
}

static void pool_receive(actor_t *self, void *state, actor_message_t *message) {
    (void)self;
    client_pool_t *pool = state;
    void *payload = message->payload; /* a ticket, or nothing */
    message->payload = NULL;
    switch (message->kind) {
    case MSG_TICKET: on_ticket(pool, payload); break;
    case MSG_RESERVED: on_reserved(pool, payload); break;
    case MSG_REFUSED: on_refused(pool, payload); break;
    case MSG_SETTLED: on_settled(pool, payload); break;
    case MSG_FREED: on_freed(pool); break;
    case MSG_STOP: on_stop(pool); break;
    case MSG_ASK: on_ask(pool, message->sender); break;
    case MSG_TICK: break; /* the pump's own */
    default: break;
    }
    pump(pool);
}

/* --- what must hold between messages --- */

static const char *queues_broken(const client_pool_t *pool) {
    const settings_t *settings = pool->options.settings;
    const char *broken = NULL;
    size_t queued = 0, ready = 0;
    for (size_t m = 0; m < settings->model_count && !broken; m++) {
        broken = queue_broken(&pool->queues[m], TICKET_WAITING);
        queued += pool->queues[m].count;
        for (const ticket_t *ticket = pool->queues[m].first; ticket && !broken;
             ticket = ticket->next)
            broken = ticket->request.model == m ? NULL : "a ticket waits in another model's queue";
    }
    for (size_t e = 0; e < settings->endpoint_count && !broken; e++) {
        broken = queue_broken(&pool->ready[e], TICKET_READY);
        ready += pool->ready[e].count;
        for (const ticket_t *ticket = pool->ready[e].first; ticket && !broken;
             ticket = ticket->next)
            broken = ticket->endpoint == e ? NULL : "a ticket is ready at another endpoint";
    }
    if (!broken && queued != pool->held[TICKET_WAITING])
        broken = "tickets that wait are not those in the queues";
    if (!broken && ready != pool->held[TICKET_READY])
        broken = "tickets that are ready are not those of the endpoints";
    return broken;
}

static const char *endpoints_broken(const client_pool_t *pool) {
    const char *broken = NULL;
    size_t grants = 0, in_flight = 0;
    for (size_t e = 0; e < pool->options.settings->endpoint_count && !broken; e++) {
        broken = endpoint_broken(pool->endpoints[e], busy(pool) == 0);
        grants += endpoint_grants(pool->endpoints[e]);
        in_flight += endpoint_in_flight(pool->endpoints[e]);
        if (!broken && pool->ready[e].count > endpoint_grants(pool->endpoints[e]))
            broken = "an endpoint has more tickets ready than grants";
    }
    if (!broken && grants != pool->held[TICKET_RESERVING] + pool->held[TICKET_READY])
        broken = "grants are not those of the tickets that are reserving or ready";
    if (!broken && in_flight != pool->held[TICKET_IN_FLIGHT])
        broken = "slots taken are not those of the tickets in flight";
    if (!broken && in_flight != attempt_count(pool->desk))
        broken = "tickets in flight are not the exchanges under way";
    return broken;
}

/* Walks the queues: they hold a window of jobs at most. */
static const char *client_pool_broken(const void *state) {
    const client_pool_t *pool = state;
    const char *broken = pool->wrong;
    if (!broken)
        broken = queues_broken(pool);
    if (!broken)
        broken = endpoints_broken(pool);
    if (broken)
        return broken;
    if (pool->stopping && (pool->held[TICKET_WAITING] > 0 || pool->held[TICKET_READY] > 0))
        return "tickets wait or are ready although the run stops";
    if (pool->stalled > 0 && (busy(pool) > 0 || pool->stalled != waiting(pool)))
        return "the standstill that was told is not what is";
    if (busy(pool) == 0 && waiting(pool) > 0 && pool->stalled == 0 && pool->wake == INT64_MAX)
        return "tickets wait for nothing that will ever happen";
    return NULL;
}

/* --- the beginning and the end --- */

static void queue_free(ticket_queue_t *queue) {
    while (queue->first)
        ticket_free(queue_unlink(queue, NULL));
}

static void pool_free(void *state) {
    client_pool_t *pool = state;
    clock_port_t *clock = actor_clock(pool->self);
    clock_timer_free(clock, pool->timer);
    clock_timer_free(clock, pool->drain_timer);
    attempt_desk_free(pool->desk);
    for (size_t m = 0; m < pool->options.settings->model_count; m++)
        queue_free(&pool->queues[m]);
    for (size_t e = 0; e < pool->options.settings->endpoint_count; e++) {
        queue_free(&pool->ready[e]);
        endpoint_free(pool->endpoints[e]);
    }
    free(pool->queues);
    free(pool->ready);
    free(pool->endpoints);
    free(pool);
}

static const actor_definition_t pool_definition = {
    .name = "client_pool",
    .kinds = ACTOR_KIND(MSG_TICKET) | ACTOR_KIND(MSG_RESERVED) | ACTOR_KIND(MSG_REFUSED) |
             ACTOR_KIND(MSG_SETTLED) | ACTOR_KIND(MSG_FREED) | ACTOR_KIND(MSG_STOP) |
             ACTOR_KIND(MSG_TICK) | ACTOR_KIND(MSG_ASK),
    .mailbox = 1024,
    .receive = pool_receive,
    .free = pool_free,
    .broken = client_pool_broken,
};

actor_t *client_pool_create(scheduler_t *scheduler, const client_pool_options_t *options,
                            size_t mailbox, error_info_t *error) {
    const settings_t *settings = options->settings;
    client_pool_t *pool = MEMORY_NEW(client_pool_t);
    pool->options = *options;
    pool->rng = rng_create(options->seed);
    pool->wake = INT64_MAX;
    pool->endpoints = MEMORY_NEW_ARRAY(settings->endpoint_count + 1, endpoint_t *);
    pool->ready = MEMORY_NEW_ARRAY(settings->endpoint_count + 1, ticket_queue_t);
    pool->queues = MEMORY_NEW_ARRAY(settings->model_count + 1, ticket_queue_t);
    pool->self = actor_create(scheduler, &pool_definition, pool, mailbox);
    clock_port_t *clock = actor_clock(pool->self);
    pool->timer = clock_timer_create(clock, pump_fire, pool);
    pool->drain_timer = clock_timer_create(clock, drain_fire, pool);
    attempt_options_t attempts = {
        .settings = settings,
        .http = options->http,
        .workers = options->workers,
        .clock = clock,
        .log = options->log,
        .news = on_news,
        .context = pool,
    };
    pool->desk = attempt_desk_create(&attempts);
    for (size_t e = 0; e < settings->endpoint_count; e++)
        pool->endpoints[e] =
            endpoint_create(&settings->endpoints[e], settings->models, settings->model_count);
    bool good = restore_windows(pool->endpoints, settings, options->store, clock, error);
    return good ? pool->self : NULL; /* the scheduler owns the actor */
}

void client_pool_set_director(actor_t *pool_actor, actor_t *director) {
    ((client_pool_t *)actor_state(pool_actor))->director = director;
}
