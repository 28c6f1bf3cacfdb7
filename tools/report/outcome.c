/* outcome.c - chains to what the store holds of them. */
#include "tools/report/outcome.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "store/journal.h"
#include "store/records.h"

enum { CHAINS_A_TRANSACTION = 1000 };

/* The neuron of the last chain: chains of one neuron follow each other. */
typedef struct {
    bool loaded;
    uint32_t set, index;
    hash_t hash;
    char *id;
    neuron_record_t *record;
    split_list_t valid, calibration;
    char *baseline;
} neuron_view_t;

typedef struct {
    const sweep_t *sweep;
    uint32_t run;
    neuron_view_t view;
} walk_t;

const char *result_state_name(result_state_t state) {
    switch (state) {
    case RESULT_UNWANTED: return "unwanted";
    case RESULT_MISSING: return "missing";
    case RESULT_FAILED: return "failed";
    case RESULT_DONE: return "done";
    }
    return "missing";
}

result_state_t result_of_job(store_txn_t *txn, uint32_t run, hash_t job, const void **result, size_t *size) {
    job_entry_t entry = journal_get(txn, job);
    *result = entry.result;
    *size = entry.result_size;
    if (entry.state == JOB_DONE)
        return RESULT_DONE;
    job_failure_t failure;
    if (entry.state == JOB_ABSENT || !journal_failure_get(txn, run, job, &failure))
        return RESULT_MISSING;
    result_state_t state = failure.terminal ? RESULT_FAILED : RESULT_MISSING;
    job_failure_clear(&failure);
    return state;
}

/* --- the neuron ---------------------------------------------------------------------------------------- */

static void view_clear(neuron_view_t *view) {
    neuron_split_free(&view->valid);
    neuron_split_free(&view->calibration);
    neuron_record_free(view->record);
    free(view->id);
    free(view->baseline);
    *view = (neuron_view_t){0};
}

static bool view_load(walk_t *walk, store_txn_t *txn, const chain_t *chain, error_info_t *error) {
    neuron_view_t *view = &walk->view;
    if (view->loaded && view->set == chain->set && view->index == chain->neuron)
        return true;
    view_clear(view);
    const settings_t *settings = sweep_settings(walk->sweep);
    if (!sweep_neuron(walk->sweep, txn, chain, &view->hash, &view->id))
        return error_set(error, ERROR_FATAL, "set %s of the run has no neuron number %u; see glia fsck",
                         settings->sets[chain->set].name, chain->neuron);
    view->record = records_get(txn, view->hash, error);
    if (!view->record)
        return false;
    view->set = chain->set;
    view->index = chain->neuron;
    if (settings->simulate)
        sweep_score_records(walk->sweep, view->record, &view->valid, &view->calibration);
    if (settings->adacs)
        view->baseline = sweep_baseline(walk->sweep, txn, chain, view->hash, view->record);
    view->loaded = true;
    return true;
}

/* --- one chain ----------------------------------------------------------------------------------------- */

/* A score has no failure of its own where one of its simulations has. */
static bool any_simulation_failed(const walk_t *walk, store_txn_t *txn, const char *explanation) {
    const neuron_view_t *view = &walk->view;
    for (size_t i = 0; i < view->valid.count + view->calibration.count; i++) {
        const activation_record_t *record =
            i < view->valid.count ? view->valid.records[i] : view->calibration.records[i - view->valid.count];
        const void *result;
        size_t size;
        if (result_of_job(txn, walk->run, sweep_simulate_job(walk->sweep, explanation, record), &result, &size) ==
            RESULT_FAILED)
            return true;
    }
    return false;
}

static void look_at_score(const walk_t *walk, store_txn_t *txn, outcome_t *outcome) {
    if (walk->view.valid.count == 0 || outcome->explained != RESULT_DONE) {
        outcome->scored = walk->view.valid.count == 0 ? RESULT_UNWANTED : outcome->explained;
        return;
    }
    const char *explanation = outcome->explanation.text;
    const void *result;
    size_t size;
    hash_t job = sweep_score_job(walk->sweep, explanation, outcome->neuron);
    outcome->scored = result_of_job(txn, walk->run, job, &result, &size);
    if (outcome->scored == RESULT_DONE && !score_result_decode(result, size, &outcome->score))
        outcome->scored = RESULT_MISSING; /* an older form: derived again by the next run */
    if (outcome->scored == RESULT_MISSING && any_simulation_failed(walk, txn, explanation))
        outcome->scored = RESULT_FAILED;
}

static void look_at_adacs(const walk_t *walk, store_txn_t *txn, outcome_t *outcome) {
    const char *baseline = walk->view.baseline;
    if (!baseline || outcome->explained != RESULT_DONE) {
        outcome->compared = baseline ? outcome->explained : RESULT_UNWANTED;
        return;
    }
    const void *result;
    size_t size;
    const char *texts[2] = {outcome->explanation.text, baseline};
    outcome->compared = result_of_job(txn, walk->run, sweep_adacs_job(walk->sweep, texts[0], texts[1]), &result, &size);
    if (outcome->compared == RESULT_DONE && !adacs_result_decode(result, size, &outcome->adacs))
        outcome->compared = RESULT_MISSING;
    for (int i = 0; i < 2 && outcome->compared == RESULT_MISSING; i++)
        if (result_of_job(txn, walk->run, sweep_embed_job(walk->sweep, texts[i]), &result, &size) == RESULT_FAILED)
            outcome->compared = RESULT_FAILED;
}

static bool look_at_chain(walk_t *walk, store_txn_t *txn, outcome_t *outcome, error_info_t *error) {
    neuron_view_t *view = &walk->view;
    if (!view_load(walk, txn, &outcome->chain, error))
        return false;
    outcome->id = view->id;
    outcome->neuron = view->hash;
    outcome->record = view->record;
    outcome->valid = &view->valid;
    outcome->calibration = &view->calibration;
    outcome->baseline = view->baseline;
    outcome->adacs = NAN;
    outcome->score.score = (score_t){NAN, NAN, NAN};
    const void *result;
    size_t size;
    hash_t job = sweep_explain_job(walk->sweep, &outcome->chain, view->hash);
    outcome->explained = result_of_job(txn, walk->run, job, &result, &size);
    if (outcome->explained == RESULT_DONE && !explain_result_decode(result, size, &outcome->explanation))
        outcome->explained = RESULT_MISSING;
    look_at_score(walk, txn, outcome);
    look_at_adacs(walk, txn, outcome);
    return true;
}

static bool walk_some(walk_t *walk, store_txn_t *txn, uint64_t first, uint64_t end, outcome_visit_t *visit,
                      void *context, error_info_t *error) {
    bool good = true;
    for (uint64_t i = first; good && i < end; i++) {
        outcome_t outcome = {.number = i, .chain = sweep_chain(walk->sweep, i)};
        good = look_at_chain(walk, txn, &outcome, error) && visit(context, txn, &outcome, error);
        explain_result_clear(&outcome.explanation);
    }
    return good;
}

bool outcomes_walk(store_t *store, const sweep_t *sweep, uint32_t run, outcome_visit_t *visit, void *context,
                   error_info_t *error) {
    return outcomes_walk_range(store, sweep, run, 0, sweep_chain_count(sweep), visit, context, error);
}

bool outcomes_walk_range(store_t *store, const sweep_t *sweep, uint32_t run, uint64_t first, uint64_t end,
                         outcome_visit_t *visit, void *context, error_info_t *error) {
    walk_t walk = {.sweep = sweep, .run = run};
    bool good = true;
    while (good && first < end) {
        uint64_t until = end - first < CHAINS_A_TRANSACTION ? end : first + CHAINS_A_TRANSACTION;
        store_txn_t *txn = store_read_begin(store, error);
        good = txn && walk_some(&walk, txn, first, until, visit, context, error);
        if (txn)
            store_read_end(txn);
        first = until;
    }
    view_clear(&walk.view);
    return good;
}
