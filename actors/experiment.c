/* experiment.c - creates the actors, tells them of each other, sizes their mailboxes. */
#include "actors/experiment.h"

#include <stdlib.h>
#include <string.h>

#include "actors/accountant.h"
#include "actors/planner.h"
#include "actors/pool/client_pool.h"
#include "actors/stage_actor.h"
#include "core/base/memory.h"

struct experiment {
    scheduler_t *scheduler;
    sweep_t *sweep;
    job_source_t source; /* until the director has it */
    actor_t *director;
};

/* Every job in flight is in at most one mailbox, as at most one message; what is left is room for small news. */
static size_t mailbox_for(const settings_t *settings) {
    return (size_t)settings->window * 2 + 256;
}

/* One actor for each name that the rows give; stages[number of a row] is the one that carries its jobs out. */
static void create_stage_actors(scheduler_t *scheduler, const stage_actor_options_t *options, size_t mailbox,
                                actor_t *stages[JOB_STAGES]) {
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

static bool build(experiment_t *experiment, const ports_t *ports, const experiment_options_t *options,
                  error_info_t *error) {
    const settings_t *settings = options->settings;
    size_t mailbox = mailbox_for(settings);
    uint32_t run = options->run->number;
    experiment->sweep = sweep_create(settings, options->run, options->stages, error);
    if (!experiment->sweep)
        return false;
    scheduler_t *scheduler = experiment->scheduler = scheduler_create(ports->clock);
    archivist_options_t archivist_options = {ports->store, ports->committer, ports->log, settings->keep_raw,
                                             settings->min_free};
    actor_t *archivist = archivist_create(scheduler, &archivist_options, mailbox, options->fatal, options->context);
    accountant_options_t accountant_options = {settings, ports->store, run, archivist, ports->log};
    actor_t *accountant = accountant_create(scheduler, &accountant_options, mailbox, error);
    if (!accountant)
        return false;
    client_pool_options_t pool_options = {
        settings, ports->store, ports->http, ports->workers, accountant, ports->log, (uint64_t)settings->seed};
    actor_t *pool = client_pool_create(scheduler, &pool_options, mailbox, error);
    if (!pool)
        return false;
    stage_actor_options_t stage_options = {.sweep = experiment->sweep,
                                           .store = ports->store,
                                           .run = run,
                                           .workers = ports->workers,
                                           .archivist = archivist,
                                           .log = ports->log};
    actor_t *stages[JOB_STAGES] = {NULL};
    create_stage_actors(scheduler, &stage_options, mailbox, stages);
    if (!experiment->source.steps)
        experiment->source = planner_source(experiment->sweep, run);
    director_options_t director_options = {settings,   experiment->source, ports->store,    ports->workers,
                                           ports->log, options->finished,  options->context};
    experiment->source.steps = NULL;
    actor_t *director = experiment->director = director_create(scheduler, &director_options, mailbox);
    reporter_options_t reporter_options = {
        director,           accountant,        pool,           archivist,      options->stages,       run,
        options->run->name, options->terminal, options->quiet, options->write, options->write_context};
    reporter_create(scheduler, &reporter_options, 0);
    archivist_set_director(archivist, director);
    accountant_set_pool(accountant, pool);
    client_pool_set_director(pool, director);
    for (int i = 0; i < JOB_STAGES; i++)
        if (stages[i])
            stage_actor_connect(stages[i], director, pool);
    director_connect(director, stages, pool);
    return true;
}

experiment_t *experiment_create(const ports_t *ports, const experiment_options_t *options, error_info_t *error) {
    experiment_t *experiment = MEMORY_NEW(experiment_t);
    experiment->source = options->source;
    if (build(experiment, ports, options, error))
        return experiment;
    experiment_free(experiment);
    return NULL;
}

void experiment_interrupt(experiment_t *experiment) {
    (void)actor_send(experiment->director, NULL, MSG_INTERRUPT, 0, NULL, NULL);
}

void experiment_free(experiment_t *experiment) {
    if (!experiment)
        return;
    if (experiment->source.steps)
        experiment->source.steps->free(experiment->source.state);
    scheduler_free(experiment->scheduler);
    sweep_free(experiment->sweep);
    free(experiment);
}

scheduler_t *experiment_scheduler(experiment_t *experiment) {
    return experiment->scheduler;
}
