/* records.h - neuron records, named sets of them, imported baselines. */
#ifndef GLIA_STORE_RECORDS_H
#define GLIA_STORE_RECORDS_H

#include "core/base/hash.h"
#include "core/neuron/neuron.h"
#include "core/neuron/neuron_json.h"
#include "store/env.h"

/* Stores the record if it is new; its hash is its identity. */
bool records_put(store_txn_t *txn, const neuron_record_t *neuron, hash_t *hash,
                 error_info_t *error);
/* The same for a record whose tokens are those of stored excerpts (recordings.h), which are then
 * not stored again: record i of its lists (top, random, bands, one behind the other) is of excerpt
 * numbers[i] of `excerpts`. The record's hash and what records_get() gives do not depend on how it
 * is stored. records_pack_shared() makes the value, on any thread; records_put_packed() stores it.
 * The excerpts have to be in the store before the record is read. */
void records_pack_shared(const neuron_record_t *neuron, hash_t excerpts, const uint32_t *numbers,
                         hash_t *hash, buffer_t *value);
bool records_put_packed(store_txn_t *txn, hash_t hash, const buffer_t *value, error_info_t *error);
/* Owned by the caller: neuron_record_free. NULL: FATAL, not there or damaged. */
neuron_record_t *records_get(store_txn_t *txn, hash_t hash, error_info_t *error);

/* A set is an ordered, immutable list; its content hash covers ids and record hashes. A name points
 * to its newest content; an older one stays as long as a run (runs.h) or another name has it. */
typedef struct {
    hash_t content;
    uint32_t count;
    char *origin; /* "builtin puzzles", a file, a URL; owned: records_set_clear */
} record_set_t;

/* Stores the records and points the name to them. `set` is filled in anew (records_set_clear;
 * what it held is not looked at). Errors (CONFIG): an id stands twice, no records, a name not of
 * 1 to 511 bytes. */
bool records_set_put(store_txn_t *txn, const char *name, const char *origin,
                     const neuron_list_t *neurons, record_set_t *set, error_info_t *error);
/* Adds to (or replaces by id in) the set of that name: an import in several goes. */
bool records_set_merge(store_txn_t *txn, const char *name, const char *origin,
                       const neuron_list_t *neurons, record_set_t *set, error_info_t *error);
/* The same as records_set_put with records that the store has: their hashes and ids [count]. */
bool records_set_put_members(store_txn_t *txn, const char *name, const char *origin,
                             const hash_t *neurons, const char *const *ids, size_t count,
                             record_set_t *set, error_info_t *error);
/* false: no such name */
bool records_set_find(store_txn_t *txn, const char *name, record_set_t *set);
void records_set_clear(record_set_t *set);
/* Member `index` < count of a set's content: record hash and id (owned; may be NULL if not wanted).
 * False: there is none. */
bool records_set_member(store_txn_t *txn, hash_t content, uint32_t index, hash_t *neuron,
                        char **id);
typedef bool records_set_visit_t(void *context, const char *name, const record_set_t *set);
void records_sets(store_txn_t *txn, records_set_visit_t *visit, void *context);

/* Baseline explanations by (name of the collection, layer, index). */
bool baseline_put(store_txn_t *txn, const char *name, int32_t layer, int32_t index,
                  const char *explanation, double score, error_info_t *error);
bool baseline_get(store_txn_t *txn, const char *name, int32_t layer, int32_t index,
                  char **explanation, double *score); /* explanation owned */
uint64_t baseline_count(store_txn_t *txn, const char *name);
/* Walks a collection in order of layer and index; the callee borrows the explanation. score NaN:
 * none. False stops. */
typedef bool baseline_visit_t(void *context, int32_t layer, int32_t index, const char *explanation,
                              double score);
void baseline_all(store_txn_t *txn, const char *name, baseline_visit_t *visit, void *context);

#endif
