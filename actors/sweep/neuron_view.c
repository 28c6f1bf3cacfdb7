/* neuron_view.c - a neuron's record, splits and baseline, each read once. */
#include "actors/sweep/neuron_view.h"

#include <stdlib.h>

#include "store/records.h"

bool neuron_view_open(neuron_view_t *view, const sweep_t *sweep, store_txn_t *txn,
                      const chain_t *chain, error_info_t *error) {
    *view = (neuron_view_t){.sweep = sweep, .set = chain->set, .index = chain->neuron};
    return sweep_neuron(sweep, txn, chain, &view->hash, &view->id) ||
           error_set(error, ERROR_FATAL, "set %s of the run has no neuron number %u; see glia fsck",
                     sweep_settings(sweep)->sets[chain->set].name, chain->neuron);
}

bool neuron_view_is_of(const neuron_view_t *view, const chain_t *chain) {
    return view->id && view->set == chain->set && view->index == chain->neuron;
}

void neuron_view_clear(neuron_view_t *view) {
    neuron_split_free(&view->valid);
    neuron_split_free(&view->calibration);
    neuron_record_free(view->record);
    free(view->id);
    free(view->baseline);
    *view = (neuron_view_t){0};
}

const neuron_record_t *neuron_view_record(neuron_view_t *view, store_txn_t *txn,
                                          error_info_t *error) {
    if (!view->has_read) {
        view->has_read = true;
        view->record = records_get(txn, view->hash, &view->error);
        if (view->record)
            sweep_score_records(view->sweep, view->record, &view->valid, &view->calibration);
    }
    if (!view->record && error)
        *error = view->error;
    return view->record;
}

size_t neuron_view_scored(neuron_view_t *view, store_txn_t *txn) {
    bool scored = neuron_view_record(view, txn, NULL) && view->valid.count > 0;
    return scored ? view->valid.count + view->calibration.count : 0;
}

const activation_record_t *neuron_view_scored_record(const neuron_view_t *view, size_t i) {
    return i < view->valid.count ? view->valid.records[i]
                                 : view->calibration.records[i - view->valid.count];
}

const char *neuron_view_baseline(neuron_view_t *view, store_txn_t *txn) {
    if (!view->has_baseline) {
        view->has_baseline = true;
        chain_t chain = {.set = view->set, .neuron = view->index};
        if (neuron_view_record(view, txn, NULL))
            view->baseline = sweep_baseline(view->sweep, txn, &chain, view->hash, view->record);
    }
    return view->baseline;
}
