/* storing.c - excerpts and records, group by group, so that others' writes get their turn between
 * two. */
#include "actors/recorder/storing.h"

#include <stdlib.h>

#include "core/base/memory.h"
#include "store/records.h"

enum { GROUP_EXCERPTS = 1024, GROUP_NEURONS = 64, GROUP_PIECES = 64 };

struct storing {
    storing_options_t options;
    size_t neuron_count;
    size_t excerpts_stored, neurons_stored;
    char **ids;     /* [neuron_count]; those that are packed */
    hash_t *hashes; /* [neuron_count]; likewise */
    buffer_t values[GROUP_NEURONS];
    bool pieces_left; /* set by each storing_drop() */
};

static size_t at_most(size_t left, size_t group) {
    return left < group ? left : group;
}

storing_t *storing_create(const storing_options_t *options) {
    size_t count = neuron_stats_count(options->stats);
    storing_t *storing = MEMORY_NEW(storing_t);
    *storing = (storing_t){
        .options = *options,
        .neuron_count = count,
        .ids = MEMORY_NEW_ARRAY(count + 1, char *),
        .hashes = MEMORY_NEW_ARRAY(count + 1, hash_t),
        .pieces_left = true,
    };
    return storing;
}

static void free_values(storing_t *storing) {
    for (size_t i = 0; i < GROUP_NEURONS; i++)
        buffer_free(&storing->values[i]);
}

void storing_free(storing_t *storing) {
    if (!storing)
        return;
    for (size_t i = 0; i < storing->neuron_count; i++)
        free(storing->ids[i]);
    free(storing->ids);
    free(storing->hashes);
    free_values(storing);
    free(storing);
}

/* --- excerpts -------------------------------------------------------------------------------- */

/* Tokens of an excerpt; their bytes are the tokenizer's. */
static token_t *borrow_tokens(const storing_t *storing, size_t excerpt) {
    size_t length = storing->options.excerpts->length;
    const uint32_t *ids = storing->options.excerpts->tokens + excerpt * length;
    token_t *tokens = MEMORY_NEW_ARRAY(length, token_t);
    for (size_t i = 0; i < length; i++)
        tokens[i].bytes = (char *)(uintptr_t)tokenizer_token(storing->options.tokenizer, ids[i],
                                                             &tokens[i].length);
    return tokens;
}

size_t storing_excerpts_left(const storing_t *storing) {
    return storing->options.excerpts->count - storing->excerpts_stored;
}

bool storing_put_excerpts(store_txn_t *txn, void *context, error_info_t *error) {
    const storing_t *storing = context;
    const storing_options_t *o = &storing->options;
    bool good = true;
    for (size_t i = 0; good && i < at_most(storing_excerpts_left(storing), GROUP_EXCERPTS); i++) {
        size_t number = storing->excerpts_stored + i;
        token_t *tokens = borrow_tokens(storing, number);
        good = excerpt_put(txn, o->recording->excerpts, (uint32_t)number, tokens,
                           o->excerpts->length, error);
        free(tokens);
    }
    return good;
}

void storing_excerpts_stored(storing_t *storing) {
    storing->excerpts_stored += at_most(storing_excerpts_left(storing), GROUP_EXCERPTS);
}

/* --- records --------------------------------------------------------------------------------- */

size_t storing_neurons_left(const storing_t *storing) {
    return storing->neuron_count - storing->neurons_stored;
}

size_t storing_neurons_stored(const storing_t *storing) {
    return storing->neurons_stored;
}

static void lend_tokens(const storing_t *storing, record_list_t *list, const uint32_t **numbers,
                        bool take_back) {
    for (size_t i = 0; i < list->count; i++)
        if (take_back) {
            free(list->records[i].tokens);
            list->records[i].tokens = NULL;
            list->records[i].count = 0;
        } else {
            list->records[i].tokens = borrow_tokens(storing, *(*numbers)++);
        }
}

static void lend_all(const storing_t *storing, neuron_record_t *neuron, const uint32_t *numbers,
                     bool take_back) {
    lend_tokens(storing, &neuron->top, &numbers, take_back);
    lend_tokens(storing, &neuron->random, &numbers, take_back);
    for (size_t i = 0; i < NEURON_BANDS; i++)
        lend_tokens(storing, &neuron->bands[i], &numbers, take_back);
}

void storing_pack(storing_t *storing) {
    const storing_options_t *o = &storing->options;
    for (size_t i = 0; i < at_most(storing_neurons_left(storing), GROUP_NEURONS); i++) {
        size_t number = storing->neurons_stored + i;
        uint32_t *excerpts;
        neuron_record_t *neuron = neuron_stats_neuron(o->stats, number, &excerpts);
        lend_all(storing, neuron, excerpts, false);
        records_pack_shared(neuron, o->recording->excerpts, excerpts, &storing->hashes[number],
                            &storing->values[i]);
        storing->ids[number] = memory_copy_string(neuron->id);
        lend_all(storing, neuron, excerpts, true);
        neuron_record_free(neuron);
        free(excerpts);
    }
}

bool storing_put_records(store_txn_t *txn, void *context, error_info_t *error) {
    const storing_t *storing = context;
    const hash_t *hashes = storing->hashes + storing->neurons_stored;
    for (size_t i = 0; i < at_most(storing_neurons_left(storing), GROUP_NEURONS); i++)
        if (!records_put_packed(txn, hashes[i], &storing->values[i], error))
            return false;
    return true;
}

void storing_records_stored(storing_t *storing) {
    storing->neurons_stored += at_most(storing_neurons_left(storing), GROUP_NEURONS);
    free_values(storing);
}

/* --- the end --------------------------------------------------------------------------------- */

bool storing_put_set(store_txn_t *txn, void *context, error_info_t *error) {
    const storing_t *storing = context;
    const storing_options_t *o = &storing->options;
    record_set_t set;
    if (!records_set_put_members(txn, o->set_name, o->origin, storing->hashes,
                                 (const char *const *)storing->ids, storing->neuron_count, &set,
                                 error))
        return false;
    recording_t done = *o->recording;
    done.done = true;
    done.set = set.content;
    done.neurons = set.count;
    done.pieces = NULL;
    done.piece_count = 0;
    records_set_clear(&set);
    return recording_put(txn, o->id, &done, error) && recording_progress_drop(txn, error);
}

bool storing_drop(store_txn_t *txn, void *context, error_info_t *error) {
    storing_t *storing = context;
    return recording_pieces_drop(txn, storing->options.id, GROUP_PIECES, &storing->pieces_left,
                                 error);
}

bool storing_has_dropped(const storing_t *storing) {
    return !storing->pieces_left;
}
