/* planner_source.c - the planner as the director's source of jobs, and what can be said of a sweep's totals. */
#include <stdlib.h>

#include "actors/planner.h"
#include "actors/probe.h"
#include "core/base/memory.h"

typedef struct {
    const sweep_t *sweep;
    planner_t *planner;
} planner_source_t;

static bool step(void *state, store_txn_t *txn, size_t most, bool idle, job_t **jobs, error_info_t *error) {
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

/* Totals that are not known yet are estimated from the chains that are finished. */
static void fill_facts(const void *state, facts_t *facts) {
    const planner_source_t *source = state;
    const planner_counts_t *counts = planner_counts(source->planner);
    uint64_t chains = sweep_chain_count(source->sweep), finished = counts->chains_finished;
    facts->total_is_estimate = finished < chains;
    for (int stage = 0; stage < STAGE_COUNT; stage++) {
        facts->stages[stage].done = counts->stages[stage].done;
        facts->stages[stage].failed = counts->stages[stage].failed;
        uint64_t over = counts->stages[stage].done + counts->stages[stage].failed;
        double share = finished ? (double)over / (double)finished : 0;
        if (stage == STAGE_SCORE)
            share = finished ? (double)counts->chains_scored / (double)finished : 0;
        if (stage == STAGE_ADACS)
            share = finished ? (double)counts->chains_compared / (double)finished : 0;
        if (stage == STAGE_SIMULATE && counts->stages[STAGE_EXPLAIN].done)
            share = (double)over / (double)counts->stages[STAGE_EXPLAIN].done;
        uint64_t estimate = (uint64_t)(share * (double)chains + 0.5);
        facts->stages[stage].total = stage == STAGE_EXPLAIN                  ? chains
                                     : finished >= chains || estimate < over ? over
                                                                             : estimate;
    }
}

static job_t *probes(const void *state) {
    return probe_jobs(sweep_settings(((const planner_source_t *)state)->sweep));
}

static void release(void *state) {
    planner_source_t *source = state;
    planner_free(source->planner);
    free(source);
}

job_source_t planner_source(const sweep_t *sweep, uint32_t run) {
    static const job_source_steps_t steps = {step, job_ended, is_waiting, is_finished, fill_facts, probes, release};
    planner_source_t *source = MEMORY_NEW(planner_source_t);
    source->sweep = sweep;
    source->planner = planner_create(sweep, run, (size_t)sweep_settings(sweep)->window);
    return (job_source_t){&steps, source};
}
