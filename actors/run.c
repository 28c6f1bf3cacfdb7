/* run.c - creates the actors, tells them of each other, sizes their mailboxes. */
#include "actors/run.h"

#include <stdlib.h>
#include <string.h>

#include "actors/accountant.h"
#include "actors/planner.h"
#include "actors/pool/client_pool.h"
#include "actors/stage_actor.h"
#include "core/base/memory.h"

struct run {
    scheduler_t *scheduler;
    sweep_t *sweep;
    job_source_t source; /* until the director has it */
    actor_t *director;
};

/* Every job in flight is in at most one mailbox, as at most one message; what is left is room
 * for small news. */
static size_t mailbox_for(const settings_t *settings) {
    return (size_t)settings->window * 2 + 256;
}

/* One actor for each name that the rows give; stages[number of a row] is the one that
 * carries its jobs out. */
static void create_stage_actors(scheduler_t *scheduler, const stage_actor_options_t *options,
                                size_t mailbox, actor_t *stages[JOB_STAGES]) {
    const stage_table_t *table = sweep_stages(options->sweep);
    for (size_t i = 0; i < table->count; i++) {
        actor_t **actor = &stages[table->rows[i]->number];
        for (size_t k = 0; k < i && !*actor; k++)
            if (!strcmp(table->rows[k]->actor, table->rows[i]->actor))
                *actor = stages[table->rows[k]->number];
        if (!*actor)
            *actor = stage_actor_create(scheduler, table->rows[i]->actor, options, mailbox);
    }
}

/* What the archivist, the accountant and the pool need is made before them; they hear of each
 * other afterwards. */
typedef struct {
    actor_t *archivist, *accountant, *pool;
    actor_t *stages[JOB_STAGES];
} cast_t;

/* Those below the director. */
static bool create_cast(run_t *run, const ports_t *ports, const run_options_t *options,
                        size_t mailbox, cast_t *cast, error_info_t *error) {
    const settings_t *settings = options->settings;
    archivist_options_t archivist = {
        .store = ports->store,
        .committer = ports->committer,
        .log = ports->log,
        .keep_raw = settings->keep_raw,
        .min_free = settings->min_free,
    };
    cast->archivist =
        archivist_create(run->scheduler, &archivist, mailbox, options->fatal, options->context);
    accountant_options_t accountant = {
        .settings = settings,
        .store = ports->store,
        .run = options->run->number,
        .archivist = cast->archivist,
        .log = ports->log,
    };
    cast->accountant = accountant_create(run->scheduler, &accountant, mailbox, error);
    if (!cast->accountant)
        return false;
    client_pool_options_t pool = {
        .settings = settings,
        .store = ports->store,
        .http = ports->http,
        .workers = ports->workers,
        .accountant = cast->accountant,
        .log = ports->log,
        .seed = (uint64_t)settings->seed,
    };
    cast->pool = client_pool_create(run->scheduler, &pool, mailbox, error);
    if (!cast->pool)
        return false;
    stage_actor_options_t stage = {
        .sweep = run->sweep,
        .store = ports->store,
        .run = options->run->number,
        .workers = ports->workers,
        .archivist = cast->archivist,
        .log = ports->log,
    };
    create_stage_actors(run->scheduler, &stage, mailbox, cast->stages);
    return true;
}

static void create_director(run_t *run, const ports_t *ports, const run_options_t *options,
                            size_t mailbox) {
    if (!run->source.steps)
        run->source = planner_source(run->sweep, options->run->number);
    director_options_t director = {
        .settings = options->settings,
        .source = run->source,
        .store = ports->store,
        .workers = ports->workers,
        .log = ports->log,
        .finished = options->finished,
        .context = options->context,
    };
    run->source.steps = NULL;
    run->director = director_create(run->scheduler, &director, mailbox);
}

static void create_reporter(const run_t *run, const run_options_t *options, const cast_t *cast) {
    reporter_options_t reporter = {
        .director = run->director,
        .accountant = cast->accountant,
        .pool = cast->pool,
        .archivist = cast->archivist,
        .stages = options->stages,
        .run = options->run->number,
        .run_name = options->run->name,
        .terminal = options->terminal,
        .quiet = options->quiet,
        .write = options->write,
        .context = options->write_context,
    };
    reporter_create(run->scheduler, &reporter, 0);
}

static void introduce(const run_t *run, const cast_t *cast) {
    archivist_set_director(cast->archivist, run->director);
    accountant_set_pool(cast->accountant, cast->pool);
    client_pool_set_director(cast->pool, run->director);
    for (int i = 0; i < JOB_STAGES; i++)
        if (cast->stages[i])
            stage_actor_connect(cast->stages[i], run->director, cast->pool);
    director_connect(run->director, cast->stages, cast->pool);
}

static bool build(run_t *run, const ports_t *ports, const run_options_t *options,
                  error_info_t *error) {
    cast_t cast = {0};
    size_t mailbox = mailbox_for(options->settings);
    run->sweep = sweep_create(options->settings, options->run, options->stages, error);
    if (!run->sweep)
        return false;
    run->scheduler = scheduler_create(ports->clock);
    if (!create_cast(run, ports, options, mailbox, &cast, error))
        return false;
    create_director(run, ports, options, mailbox);
    create_reporter(run, options, &cast);
    introduce(run, &cast);
    return true;
}

run_t *run_create(const ports_t *ports, const run_options_t *options, error_info_t *error) {
    run_t *run = MEMORY_NEW(run_t);
    run->source = options->source;
    if (build(run, ports, options, error))
        return run;
    run_free(run);
    return NULL;
}

void run_interrupt(run_t *run) {
    (void)actor_send(run->director, NULL, MSG_INTERRUPT, 0, NULL, NULL);
}

void run_free(run_t *run) {
    if (!run)
        return;
    if (run->source.steps)
        run->source.steps->free(run->source.state);
    scheduler_free(run->scheduler);
    sweep_free(run->sweep);
    free(run);
}

scheduler_t *run_scheduler(run_t *run) {
    return run->scheduler;
}
