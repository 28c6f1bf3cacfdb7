/* outcome.c - chains to what the store holds of them. */
#include "actors/sweep/outcome.h"

#include <math.h>
#include <stdlib.h>

enum { CHAINS_A_TRANSACTION = 1000 };

typedef struct {
    look_options_t options;
    neuron_view_t view; /* of the last chain: chains of one neuron follow each other */
    chain_look_t look;
} walk_t;

static bool open_view(walk_t *walk, store_txn_t *txn, const chain_t *chain, error_info_t *error) {
    if (!neuron_view_is_of(&walk->view, chain)) {
        neuron_view_clear(&walk->view);
        if (!neuron_view_open(&walk->view, walk->options.sweep, txn, chain, error))
            return false;
    }
    return neuron_view_record(&walk->view, txn, error) != NULL;
}

static chain_state_t state_of(const chain_look_t *look, job_stage_t stage) {
    const chain_job_t *job = chain_look_find(look, stage);
    return job ? job->state : CHAIN_UNWANTED;
}

static void fill_in(walk_t *walk, store_txn_t *txn, outcome_t *outcome) {
    const chain_look_t *look = &walk->look;
    const settings_t *settings = sweep_settings(walk->options.sweep);
    outcome->id = walk->view.id;
    outcome->neuron = walk->view.hash;
    outcome->record = walk->view.record;
    outcome->valid = &walk->view.valid;
    outcome->calibration = &walk->view.calibration;
    outcome->baseline = settings->adacs ? neuron_view_baseline(&walk->view, txn) : NULL;
    outcome->look = look;
    outcome->explanation = &look->explanation;
    outcome->explained = state_of(look, STAGE_EXPLAIN);
    outcome->scored = state_of(look, STAGE_SCORE);
    outcome->compared = state_of(look, STAGE_ADACS);
    outcome->adacs = NAN;
    outcome->score.score = (score_t){.correlation = NAN, .rsquared = NAN, .absdev = NAN};
    const chain_job_t *score = chain_look_find(look, STAGE_SCORE),
                      *adacs = chain_look_find(look, STAGE_ADACS);
    if (outcome->scored == CHAIN_DONE)
        score_result_decode(score->bytes.data, score->bytes.size, &outcome->score);
    if (outcome->compared == CHAIN_DONE)
        adacs_result_decode(adacs->bytes.data, adacs->bytes.size, &outcome->adacs);
}

static bool walk_some(walk_t *walk, store_txn_t *txn, uint64_t first, uint64_t end,
                      outcome_visit_t *visit, void *context, error_info_t *error) {
    bool good = true;
    for (uint64_t i = first; good && i < end; i++) {
        outcome_t outcome = {.number = i, .chain = sweep_chain(walk->options.sweep, i)};
        good = open_view(walk, txn, &outcome.chain, error);
        if (!good)
            break;
        chain_look(&walk->look, &walk->options, txn, &walk->view, &outcome.chain);
        fill_in(walk, txn, &outcome);
        good = visit(context, txn, &outcome, error);
    }
    return good;
}

bool outcomes_walk(store_t *store, const sweep_t *sweep, const outcomes_t *which,
                   outcome_visit_t *visit, void *context, error_info_t *error) {
    walk_t walk = {.options = {sweep, which->run, LOOK_NEXT_START, which->depth}};
    uint64_t first = which->first,
             end = first == 0 && which->end == 0 ? sweep_chain_count(sweep) : which->end;
    bool good = true;
    while (good && first < end) {
        uint64_t until = end - first < CHAINS_A_TRANSACTION ? end : first + CHAINS_A_TRANSACTION;
        store_txn_t *txn = store_read_begin(store, error);
        good = txn && walk_some(&walk, txn, first, until, visit, context, error);
        if (txn)
            store_read_end(txn);
        first = until;
    }
    chain_look_clear(&walk.look);
    neuron_view_clear(&walk.view);
    return good;
}

const chain_job_t *outcome_of_record(const outcome_t *outcome, job_stage_t stage, size_t i) {
    for (size_t k = 0; k < outcome->look->count; k++) {
        const chain_job_t *job = &outcome->look->jobs[k];
        if (job->stage->number == stage && job->record == i && job->jobs == 1)
            return job;
    }
    return NULL;
}
