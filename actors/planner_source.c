/* planner_source.c - the planner as the director's source of jobs, and what can be said of a
 * sweep's totals. */
#include <stdlib.h>

#include "actors/planner.h"
#include "actors/sweep/probe.h"
#include "core/base/memory.h"

typedef struct {
    const sweep_t *sweep;
    planner_t *planner;
} planner_source_t;

static bool step(void *state, store_txn_t *txn, size_t most, bool idle, job_t **jobs,
                 error_info_t *error) {
    (void)error;
    planner_source_t *source = state;
    planner_step(source->planner, txn, most, idle, jobs);
    return true;
}

static void job_ended(void *state, const job_t *job) {
    planner_job_ended(((planner_source_t *)state)->planner, job);
}

static bool is_waiting(const void *state) {
    return planner_is_waiting(((const planner_source_t *)state)->planner);
}

static bool is_finished(const void *state) {
    return planner_is_finished(((const planner_source_t *)state)->planner);
}

/* Jobs of a stage that there will be: those of chains that are finished, scaled to all chains. */
static uint64_t total_of(const sweep_t *sweep, const planner_counts_t *counts, const stage_t *stage,
                         uint64_t explained) {
    uint64_t over = counts->stages[stage->number].done + counts->stages[stage->number].failed;
    uint64_t chains = sweep_chain_count(sweep), finished = counts->chains_finished;
    double share = finished ? (double)counts->stages[stage->number].chains / (double)finished : 0;
    if (stage->scope == SCOPE_CHAIN && stage->needs == STAGE_NONE)
        return chains;
    if (stage->scope == SCOPE_RECORD)
        share = explained  ? (double)over / (double)explained
                : finished ? (double)over / (double)finished
                           : 0;
    uint64_t estimate = (uint64_t)(share * (double)chains + 0.5);
    return finished >= chains || estimate < over ? over : estimate;
}

static void fill_facts(const void *state, facts_t *facts) {
    const planner_source_t *source = state;
    const planner_counts_t *counts = planner_counts(source->planner);
    const stage_table_t *table = sweep_stages(source->sweep);
    facts->total_is_estimate = counts->chains_finished < sweep_chain_count(source->sweep);
    uint64_t explained = 0;
    for (size_t i = 0; i < table->count; i++)
        if (table->rows[i]->scope == SCOPE_CHAIN && table->rows[i]->needs == STAGE_NONE)
            explained = counts->stages[table->rows[i]->number].done;
    for (size_t i = 0; i < table->count; i++) {
        const stage_t *stage = table->rows[i];
        if (!stage_is_counted(stage) || stage->scope == SCOPE_LINE)
            continue;
        facts->stages[stage->number].done = counts->stages[stage->number].done;
        facts->stages[stage->number].failed = counts->stages[stage->number].failed;
        facts->stages[stage->number].total = total_of(source->sweep, counts, stage, explained);
    }
}

static job_t *probes(const void *state) {
    return probe_jobs(sweep_settings(((const planner_source_t *)state)->sweep));
}

static const char *broken(const void *state) {
    return planner_broken(((const planner_source_t *)state)->planner);
}

static void release(void *state) {
    planner_source_t *source = state;
    planner_free(source->planner);
    free(source);
}

job_source_t planner_source(const sweep_t *sweep, uint32_t run) {
    static const job_source_steps_t steps = {
        .step = step,
        .job_ended = job_ended,
        .is_waiting = is_waiting,
        .is_finished = is_finished,
        .fill_facts = fill_facts,
        .probes = probes,
        .broken = broken,
        .free = release,
    };
    planner_source_t *source = MEMORY_NEW(planner_source_t);
    source->sweep = sweep;
    source->planner = planner_create(sweep, run, (size_t)sweep_settings(sweep)->window);
    return (job_source_t){&steps, source};
}
