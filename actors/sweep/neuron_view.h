/* neuron_view.h - the neuron of a chain as those see it who look at the chain: its record, what of
 * it is scored on, what its explanations are compared with. Read when first asked for, since a
 * chain that is finished needs none of it.
 *
 * Chains of one neuron follow each other and share a view. Reads through the caller's transaction;
 * nothing that a view holds is borrowed from one.
 */
#ifndef GLIA_ACTORS_SWEEP_NEURON_VIEW_H
#define GLIA_ACTORS_SWEEP_NEURON_VIEW_H

#include "actors/sweep/sweep.h"

typedef struct {
    const sweep_t *sweep;
    uint32_t set, index;
    hash_t hash; /* of the record */
    char *id;    /* owned */
    /* below: by the functions, which read when they are first called */
    bool has_read;
    neuron_record_t *record; /* owned; NULL: not read yet, or it cannot be */
    error_info_t error;      /* why it cannot be */
    split_list_t valid, calibration;
    bool has_baseline;
    char *baseline; /* owned */
} neuron_view_t;

/* False: the set has no neuron of that number, which is damage; *error says so. The caller
 * releases: neuron_view_clear.
 */
bool neuron_view_open(neuron_view_t *view, const sweep_t *sweep, store_txn_t *txn,
                      const chain_t *chain, error_info_t *error);
bool neuron_view_is_of(const neuron_view_t *view, const chain_t *chain);
void neuron_view_clear(neuron_view_t *view);

/* NULL: the store lacks it, or it is damaged, as *error (which may be NULL) says. */
const neuron_record_t *neuron_view_record(neuron_view_t *view, store_txn_t *txn,
                                          error_info_t *error);
/* Records that the neuron's score is made from, valid ones first, then those that it is calibrated
 * on. 0: it gets none.
 */
size_t neuron_view_scored(neuron_view_t *view, store_txn_t *txn);
const activation_record_t *neuron_view_scored_record(const neuron_view_t *view, size_t i);
/* NULL: nothing. */
const char *neuron_view_baseline(neuron_view_t *view, store_txn_t *txn);

#endif
