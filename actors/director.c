/* director.c - the run's state, the window of jobs in flight, and how it ends. */
#include "actors/director.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/memory.h"

/* After outage_wait with answers in hand: how often it is looked whether the disk took them. */
static const int64_t DISK_AGAIN = CLOCK_MINUTE;

/* PROBING --director_go_on: the last probe ended--> RUNNING --finish_work: all is done--> FINISHED
 *    |                                                 |                                    ^  ^
 *    '-------------------------------------------------'--stop: an interrupt, a standstill, |  |
 *                                                         |     a probe or step that failed |  |
 *                                                         v                                 |  |
 *                                                      STOPPING --director_go_on: nothing --'  |
 *                                                                 is in flight                 |
 *    any, with jobs in flight --on_tick: the disk stays full-----------------------------------'
 */
typedef enum {
    DIRECTOR_PROBING,
    DIRECTOR_RUNNING,
    DIRECTOR_STOPPING,
    DIRECTOR_FINISHED
} director_state_t;

typedef struct {
    actor_t *self, *pool;
    actor_t *stages[JOB_STAGES];
    director_options_t options;
    director_state_t state;
    job_source_t source;
    facts_t facts;       /* what the source knew after the last step */
    uint64_t dispatched; /* jobs given to the stages, ever */
    size_t in_flight;    /* jobs with the stages */
    size_t probes;       /* in flight */
    size_t held_by_pool; /* in flight, in a standstill that the pool told of; 0: none */
    stall_t stall;
    /* The source looks for jobs. While it does, it is the worker's, and so are jobs,
     * failed and error. */
    struct {
        bool under_way;
        size_t most;
        bool idle;
        job_t *jobs; /* found */
        bool failed;
        error_info_t error;
    } step;
    job_t *ended; /* JOB_DONE that came while a step was under way */
    run_outcome_t outcome;
    clock_timer_t *disk_timer;
    disk_t disk;
} director_t;

static void director_go_on(director_t *director);

/* As of the last step, but for what is in flight. */
static void fill_facts(const director_t *director, facts_t *facts) {
    *facts = director->facts;
    facts->from = FACTS_DIRECTOR;
}

/* --- how it ends ------------------------------------------------------------------------------ */

static void finish(director_t *director) {
    if (director->state == DIRECTOR_FINISHED)
        return;
    director->state = DIRECTOR_FINISHED;
    clock_timer_stop(actor_clock(director->self), director->disk_timer);
    fill_facts(director, &director->outcome.facts);
    director->options.finished(director->options.context, &director->outcome);
}

/* The first reason to stop is the one that is told. */
static void stop(director_t *director, run_end_t end, const char *message) {
    if (director->state == DIRECTOR_STOPPING || director->state == DIRECTOR_FINISHED)
        return;
    director->state = DIRECTOR_STOPPING;
    director->outcome.end = end;
    snprintf(director->outcome.message, sizeof director->outcome.message, "%s", message);
    actor_tell(director->pool, director->self, MSG_STOP, 0, NULL, NULL);
}

static void finish_work(director_t *director) {
    run_outcome_t *outcome = &director->outcome;
    uint64_t failed = 0;
    for (int stage = 0; stage < JOB_STAGES; stage++)
        failed += director->facts.stages[stage].failed;
    outcome->failed = failed > outcome->retryable ? failed - outcome->retryable : 0;
    if (outcome->retryable > 0) {
        outcome->end = END_RETRYABLE;
        snprintf(outcome->message, sizeof outcome->message,
                 "%llu jobs failed for now; run again to try them once more",
                 (unsigned long long)outcome->retryable);
    } else if (failed > 0) {
        outcome->end = END_FAILURES;
        snprintf(outcome->message, sizeof outcome->message,
                 "done, but %llu jobs failed and will not be tried again unless asked for "
                 "(--retry-failed); see `glia status`",
                 (unsigned long long)failed);
    } else {
        outcome->end = END_DONE;
    }
    finish(director);
}

/* --- planning --------------------------------------------------------------------------------- */

static void plan_work(void *context) {
    director_t *director = context;
    store_txn_t *txn = store_read_begin(director->options.store, &director->step.error);
    director->step.failed = !txn;
    if (!txn)
        return;
    director->step.failed = !director->source.steps->step(
        director->source.state, txn, director->step.most, director->step.idle, &director->step.jobs,
        &director->step.error);
    store_read_end(txn);
}

static void plan_done(void *context) {
    director_t *director = context;
    actor_tell(director->self, director->self, MSG_PLANNED, 0, NULL, NULL);
}

static void dispatch(director_t *director, job_t *job) {
    director->in_flight++;
    director->probes += job->stage == STAGE_PROBE;
    job->order = director->dispatched++;
    actor_tell(director->stages[job->stage], director->self, MSG_JOB, 0, job, job_free);
}

static void free_jobs(job_t *job) {
    while (job) {
        job_t *next = job->next;
        job_free(job);
        job = next;
    }
}

static bool is_waiting(const director_t *director) {
    return director->source.steps->is_waiting(director->source.state);
}

static bool is_finished(const director_t *director) {
    return director->source.steps->is_finished(director->source.state);
}

static run_end_t end_of(error_class_t class_) {
    return class_ == ERROR_RETRYABLE ? END_WORLD
           : class_ == ERROR_CONFIG  ? END_CONFIG
                                     : END_INTERNAL;
}

static void on_planned(director_t *director) {
    director->step.under_way = false;
    director->source.steps->fill_facts(director->source.state, &director->facts);
    job_t *job = director->step.jobs;
    director->step.jobs = NULL;
    if (director->step.failed)
        stop(director, end_of(director->step.error.class_), director->step.error.message);
    if (director->state != DIRECTOR_RUNNING) {
        free_jobs(job);
        job = NULL;
    }
    bool found = job != NULL;
    while (job) {
        job_t *next = job->next;
        job->next = NULL;
        dispatch(director, job);
        job = next;
    }
    while (director->ended) {
        job_t *next = director->ended->next;
        director->source.steps->job_ended(director->source.state, director->ended);
        job_free(director->ended);
        director->ended = next;
        found = true;
    }
    if (director->state == DIRECTOR_RUNNING && !found && director->step.idle &&
        is_waiting(director) && !is_finished(director))
        stop(director, END_INTERNAL, "bug: jobs wait, but nothing is in flight");
    director_go_on(director);
}

/* Room in the window, and something to look at. */
static bool can_plan(const director_t *director) {
    size_t window = (size_t)director->options.settings->window;
    if (director->step.under_way || is_finished(director))
        return false;
    return director->in_flight == 0 || (director->in_flight < window && !is_waiting(director));
}

static void plan(director_t *director) {
    director->step.under_way = true;
    director->step.most = (size_t)director->options.settings->window - director->in_flight;
    director->step.idle = director->in_flight == 0;
    executor_submit(director->options.workers, plan_work, plan_done, director);
}

/* Called after everything that may have changed something. */
static void director_go_on(director_t *director) {
    if (director->state == DIRECTOR_PROBING && director->in_flight == 0)
        director->state = DIRECTOR_RUNNING;
    if (director->state == DIRECTOR_RUNNING) {
        if (can_plan(director))
            plan(director);
        else if (!director->step.under_way && director->in_flight == 0)
            finish_work(director);
    }
    bool standstill = director->held_by_pool > 0 && director->in_flight == director->held_by_pool &&
                      !director->step.under_way;
    if (standstill &&
        (director->state == DIRECTOR_RUNNING || director->state == DIRECTOR_PROBING)) {
        run_end_t end = director->stall.kind == STALL_CAP      ? END_CAP
                        : director->stall.kind == STALL_CONFIG ? END_CONFIG
                                                               : END_WORLD;
        stop(director, end, director->stall.message);
    }
    if (director->state == DIRECTOR_STOPPING && director->in_flight == 0 &&
        !director->step.under_way)
        finish(director);
}

/* --- messages --------------------------------------------------------------------------------- */

static void on_probe_done(director_t *director, const job_t *job) {
    if (job->outcome != OUTCOME_FAILED)
        return;
    char message[1024];
    snprintf(message, sizeof message, "probe of %s failed: %s", job->label, job->trouble.message);
    stop(director, job->trouble.terminal ? END_CONFIG : END_WORLD, message);
}

static void on_job_done(director_t *director, job_t *job) {
    director->in_flight--;
    director->probes -= job->stage == STAGE_PROBE;
    if (job->outcome == OUTCOME_FAILED && !job->trouble.terminal)
        director->outcome.retryable++;
    if (job->stage == STAGE_PROBE) {
        on_probe_done(director, job);
        job_free(job);
    } else if (director->step.under_way) {
        job->next = director->ended;
        director->ended = job;
    } else {
        director->source.steps->job_ended(director->source.state, job);
        job_free(job);
    }
    director_go_on(director);
}

/* The disk has been full for as long as an outage is waited out, and no answer is held: leave, to
 * be resumed. With answers in hand the run stays, however long it takes. */
static void disk_fire(void *context) {
    director_t *director = context;
    actor_tell(director->self, director->self, MSG_TICK, 0, NULL, NULL);
}

static void on_tick(director_t *director) {
    if (!director->disk.failing || director->state == DIRECTOR_FINISHED)
        return;
    if (director->disk.answers > 0) {
        clock_port_t *clock = actor_clock(director->self);
        clock_timer_start(clock, director->disk_timer, clock_now(clock) + DISK_AGAIN);
        return;
    }
    director->outcome.end = END_WORLD;
    snprintf(director->outcome.message, sizeof director->outcome.message,
             "the store cannot be written: %s", director->disk.message);
    finish(director);
}

static void on_disk(director_t *director, const disk_t *disk) {
    clock_port_t *clock = actor_clock(director->self);
    if (disk->failing && !director->disk.failing)
        clock_timer_start(clock, director->disk_timer,
                          clock_now(clock) + director->options.settings->outage_wait);
    if (!disk->failing)
        clock_timer_stop(clock, director->disk_timer);
    director->disk = *disk;
}

static void on_ask(director_t *director, actor_t *reporter) {
    facts_t *facts = MEMORY_NEW(facts_t);
    fill_facts(director, facts);
    if (!actor_send(reporter, director->self, MSG_FACTS, 0, facts, free))
        free(facts);
}

/* --- what holds between messages -------------------------------------------------------------- */

/* RUNNING may not miss that there is room: nobody would come back to it. */
static const char *state_broken(const director_t *director) {
    bool busy = director->in_flight > 0 || director->step.under_way;
    switch (director->state) {
    case DIRECTOR_PROBING:
        if (director->step.under_way || director->probes == 0 ||
            director->in_flight > director->probes)
            return "it probes with something else than probes in flight";
        break;
    case DIRECTOR_RUNNING:
        if (director->probes > 0)
            return "it runs before the last probe ended";
        if (!busy || can_plan(director))
            return "there is room for more jobs, and nobody looks for them";
        break;
    case DIRECTOR_STOPPING:
        if (!busy)
            return "nothing is in flight, and it does not finish";
        break;
    case DIRECTOR_FINISHED:
        if (busy && director->outcome.end != END_WORLD) /* a disk that stays full */
            return "it finished with jobs in flight";
        break;
    }
    return NULL;
}

static const char *counts_broken(const director_t *director) {
    size_t window = (size_t)director->options.settings->window;
    if (director->in_flight > director->dispatched || director->probes > director->in_flight)
        return "more jobs ended than were given out";
    if (director->outcome.retryable > director->dispatched - director->in_flight)
        return "more jobs failed than ended";
    if (director->in_flight - director->probes > window)
        return "more jobs are in flight than the window has room for";
    if (director->step.under_way && director->in_flight + director->step.most > window)
        return "a step may find more jobs than there is room for";
    return NULL;
}

static const char *director_broken(const void *state) {
    const director_t *director = state;
    bool goes_on = director->state == DIRECTOR_PROBING || director->state == DIRECTOR_RUNNING;
    if (goes_on && (director->outcome.message[0] || director->outcome.end != END_DONE))
        return "it goes on, and has a reason to stop";
    if (goes_on && director->held_by_pool > director->in_flight)
        return "the pool holds more jobs than are in flight";
    if (!director->step.under_way && (director->step.jobs || director->ended))
        return "no step is under way, and jobs wait for its end";
    if (!director->step.under_way && director->step.failed && goes_on)
        return "a step failed, and it goes on";
    const job_source_steps_t *source = director->source.steps;
    const char *broken = counts_broken(director);
    if (!broken && !director->step.under_way && source->broken) /* a step is the worker's */
        broken = source->broken(director->source.state);
    return broken ? broken : state_broken(director);
}

static void director_receive(actor_t *self, void *state, actor_message_t *message) {
    (void)self;
    director_t *director = state;
    void *payload = message->payload;
    switch (message->kind) {
    case MSG_JOB_DONE:
        message->payload = NULL;
        on_job_done(director, payload);
        break;
    case MSG_PLANNED: on_planned(director); break;
    case MSG_STALLED:
        director->stall = *(stall_t *)payload;
        director->held_by_pool = director->stall.tickets;
        director_go_on(director);
        break;
    case MSG_DISK: on_disk(director, payload); break;
    case MSG_INTERRUPT:
        stop(director, END_INTERRUPTED, "interrupted; run again to go on");
        director_go_on(director);
        break;
    case MSG_TICK: on_tick(director); break;
    case MSG_ASK: on_ask(director, message->sender); break;
    default: break;
    }
}

static void director_start(actor_t *self, void *state) {
    director_t *director = state;
    director->disk_timer = clock_timer_create(actor_clock(self), disk_fire, director);
    job_t *probe = director->source.steps->probes(director->source.state);
    while (probe) {
        job_t *next = probe->next;
        probe->next = NULL;
        dispatch(director, probe);
        probe = next;
    }
    director_go_on(director);
}

static void director_free(void *state) {
    director_t *director = state;
    clock_timer_free(actor_clock(director->self), director->disk_timer);
    director->source.steps->free(director->source.state);
    free_jobs(director->step.jobs);
    free_jobs(director->ended);
    free(director);
}

static const actor_definition_t director_definition = {
    .name = "director",
    .kinds = ACTOR_KIND(MSG_JOB_DONE) | ACTOR_KIND(MSG_PLANNED) | ACTOR_KIND(MSG_STALLED) |
             ACTOR_KIND(MSG_DISK) | ACTOR_KIND(MSG_INTERRUPT) | ACTOR_KIND(MSG_TICK) |
             ACTOR_KIND(MSG_ASK),
    .mailbox = 1024,
    .start = director_start,
    .receive = director_receive,
    .free = director_free,
    .broken = director_broken,
};

actor_t *director_create(scheduler_t *scheduler, const director_options_t *options,
                         size_t mailbox) {
    director_t *director = MEMORY_NEW(director_t);
    director->options = *options;
    director->source = options->source;
    director->self = actor_create(scheduler, &director_definition, director, mailbox);
    return director->self;
}

void director_connect(actor_t *actor, actor_t *const stages[JOB_STAGES], actor_t *pool) {
    director_t *director = actor_state(actor);
    memcpy(director->stages, stages, sizeof director->stages);
    director->pool = pool;
}
