/* records_private.h - the values of NEURONS, SETS, SET_NAMES and BASELINES; see values.h. */
#ifndef GLIA_STORE_RECORDS_PRIVATE_H
#define GLIA_STORE_RECORDS_PRIVATE_H

#include "store/records.h"

/* bytes of one neuron record's encoding */
enum { NEURON_MAXIMUM = 1 << 30 };
/* owned: records_set_clear */
bool records_set_decode(const void *bytes, size_t size, record_set_t *set);
/* `id` may be NULL if it is not wanted; else owned. */
bool records_member_decode(const void *bytes, size_t size, hash_t *neuron, char **id);
/* `txn`: where shared excerpts are; NULL: records that share excerpts are checked as far as they
 * go, and are then false. The neuron is owned. */
bool records_neuron_decode(store_txn_t *txn, const void *bytes, size_t size,
                           neuron_record_t **neuron, hash_t *hash);
/* The hash of the set's members as they are stored; false: one is missing. */
bool records_set_hash(store_txn_t *txn, const record_set_t *set, hash_t *content);
bool baseline_decode(const void *bytes, size_t size, char **explanation, double *score); /* owned */

#endif
