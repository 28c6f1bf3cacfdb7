/* index.c - the neurons of a run in memory. */
#include "tools/viewer/index.h"

#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "actors/sweep/chain_look.h"
#include "core/base/memory.h"
#include "core/base/rng.h"
#include "core/base/stats.h"

enum { NEURONS_A_TRANSACTION = 128, IDS_A_TRANSACTION = 4096 };

struct neuron_index {
    const sweep_t *sweep;
    stages_measured_t measured;
    uint32_t run;
    size_t cursor; /* of neuron_index_step alone */
    pthread_mutex_t mutex;
    size_t count;           /* fixed */
    index_entry_t *entries; /* [count], guarded */
    size_t seen;            /* guarded, as is the rng */
    rng_t rng;
};

static index_entry_t empty_entry(const chain_t *chain, uint64_t first) {
    index_entry_t entry = {
        .first = first, .end = first, .set = chain->set, .number = chain->neuron};
    entry.layer = entry.index = -1;
    entry.best = entry.spread = NAN;
    for (size_t m = 0; m < STAGES_MEASURED; m++)
        for (int f = 0; f < PROMPT_FORMAT_COUNT; f++)
            entry.values[m][f] = NAN;
    return entry;
}

static bool read_id(const neuron_index_t *index, store_txn_t *txn, index_entry_t *entry,
                    error_info_t *error) {
    int layer, neuron, end = 0;
    hash_t record;
    chain_t chain = sweep_chain(index->sweep, entry->first);
    if (!sweep_neuron(index->sweep, txn, &chain, &record, &entry->id))
        return error_set(error, ERROR_FATAL,
                         "set %s of the run has no neuron number %u; see glia fsck",
                         sweep_settings(index->sweep)->sets[chain.set].name, chain.neuron);
    if (sscanf(entry->id, "%d:%d%n", &layer, &neuron, &end) == 2 && entry->id[end] == '\0') {
        entry->layer = layer;
        entry->index = neuron;
    }
    return true;
}

static bool read_ids(neuron_index_t *index, store_t *store, error_info_t *error) {
    bool good = true;
    for (size_t first = 0; good && first < index->count; first += IDS_A_TRANSACTION) {
        store_txn_t *txn = store_read_begin(store, error);
        good = txn != NULL;
        for (size_t i = first; good && i < index->count && i < first + IDS_A_TRANSACTION; i++)
            good = read_id(index, txn, &index->entries[i], error);
        if (txn)
            store_read_end(txn);
    }
    return good;
}

neuron_index_t *neuron_index_create(const sweep_t *sweep, uint32_t run, store_t *store,
                                    error_info_t *error) {
    neuron_index_t *index = MEMORY_NEW(neuron_index_t);
    index->sweep = sweep;
    index->measured = stages_measured(sweep_stages(sweep));
    index->run = run;
    index->rng = rng_create((uint64_t)sweep_settings(sweep)->seed);
    pthread_mutex_init(&index->mutex, NULL);
    index->entries = MEMORY_NEW_ARRAY(sweep_neuron_count(sweep) + 1, index_entry_t);
    uint64_t chains = sweep_chain_count(sweep);
    for (uint64_t i = 0; i < chains; i++) {
        chain_t chain = sweep_chain(sweep, i);
        index_entry_t *last = index->count ? &index->entries[index->count - 1] : NULL;
        if (!last || last->set != chain.set || last->number != chain.neuron) {
            last = &index->entries[index->count++];
            *last = empty_entry(&chain, i);
        }
        last->end = i + 1;
    }
    if (read_ids(index, store, error))
        return index;
    neuron_index_free(index);
    return NULL;
}

void neuron_index_free(neuron_index_t *index) {
    if (!index)
        return;
    for (size_t i = 0; i < index->count; i++)
        free(index->entries[i].id);
    free(index->entries);
    pthread_mutex_destroy(&index->mutex);
    free(index);
}

const stages_measured_t *neuron_index_measured(const neuron_index_t *index) {
    return &index->measured;
}

/* --- one neuron, from the store --------------------------------------------------------------- */

typedef struct {
    index_entry_t *entry;
    double sums[STAGES_MEASURED][PROMPT_FORMAT_COUNT];
    size_t counts[STAGES_MEASURED][PROMPT_FORMAT_COUNT];
    size_t open; /* chains of which something may still come */
} sums_t;

static void add_chain(sums_t *sums, const stages_measured_t *rows, const chain_look_t *look) {
    const chain_job_t *explain = chain_look_find(look, STAGE_EXPLAIN);
    sums->entry->explained += explain->state == CHAIN_DONE;
    sums->entry->failed += explain->state == CHAIN_FAILED;
    sums->open += chain_look_is_open(look);
    for (size_t m = 0; m < rows->count; m++) {
        double value = chain_look_measured(look, rows->rows[m]->number).values[0];
        if (isnan(value))
            continue;
        sums->sums[m][look->chain.format] += value;
        sums->counts[m][look->chain.format]++;
    }
}

static void sum_up(const sums_t *sums) {
    index_entry_t *entry = sums->entry;
    float least = NAN;
    entry->best = NAN;
    for (size_t m = 0; m < STAGES_MEASURED; m++)
        for (int f = 0; f < PROMPT_FORMAT_COUNT; f++)
            entry->values[m][f] =
                (float)(sums->counts[m][f] ? sums->sums[m][f] / (double)sums->counts[m][f]
                                           : (double)NAN);
    for (int f = 0; f < PROMPT_FORMAT_COUNT; f++) {
        entry->best = fmaxf(entry->best, entry->values[0][f]); /* of a number and NaN: the number */
        least = fminf(least, entry->values[0][f]);
    }
    entry->spread = entry->best - least;
    entry->settled = sums->open == 0;
}

static bool look_at_neuron(const neuron_index_t *index, store_txn_t *txn, index_entry_t *entry,
                           error_info_t *error) {
    /* No further: the records of neurons that nothing is explained of are not read for a list. */
    look_options_t options = {
        .sweep = index->sweep, .run = index->run, .as_of = LOOK_NEXT_START, .depth = LOOK_NEXT};
    sums_t sums = {.entry = entry};
    chain_look_t look = {0};
    neuron_view_t view;
    chain_t chain = sweep_chain(index->sweep, entry->first);
    bool good = neuron_view_open(&view, index->sweep, txn, &chain, error);
    entry->explained = entry->failed = 0;
    for (uint64_t i = entry->first; good && i < entry->end; i++) {
        chain = sweep_chain(index->sweep, i);
        chain_look(&look, &options, txn, &view, &chain);
        add_chain(&sums, &index->measured, &look);
    }
    if (good)
        sum_up(&sums);
    chain_look_clear(&look);
    neuron_view_clear(&view);
    return good;
}

/* The next neurons that are not settled, at most NEURONS_A_TRANSACTION, in one read transaction. */
static bool step_once(neuron_index_t *index, store_t *store, size_t most, size_t *looked,
                      error_info_t *error) {
    store_txn_t *txn = store_read_begin(store, error);
    bool good = txn != NULL;
    for (*looked = 0; good && *looked < most && index->cursor < index->count; index->cursor++) {
        index_entry_t entry = index->entries[index->cursor]; /* this thread alone writes them */
        if (entry.settled)
            continue;
        good = look_at_neuron(index, txn, &entry, error);
        pthread_mutex_lock(&index->mutex);
        index->seen += !entry.seen;
        entry.seen = true;
        index->entries[index->cursor] = entry;
        pthread_mutex_unlock(&index->mutex);
        ++*looked;
    }
    if (txn)
        store_read_end(txn);
    return good;
}

bool neuron_index_step(neuron_index_t *index, store_t *store, size_t most, bool *finished,
                       error_info_t *error) {
    bool good = true;
    size_t looked;
    for (size_t done = 0; good && done < most && index->cursor < index->count; done += looked) {
        size_t left = most - done;
        good = step_once(index, store, left < NEURONS_A_TRANSACTION ? left : NEURONS_A_TRANSACTION,
                         &looked, error);
    }
    *finished = index->cursor == index->count;
    if (*finished || !good)
        index->cursor = 0;
    return good;
}

/* --- queries ---------------------------------------------------------------------------------- */

typedef struct {
    double key; /* NaN: none */
    uint32_t position;
} ranked_t;

static int compare_ranked(const void *a, const void *b) {
    const ranked_t *x = a, *y = b;
    if (isnan(x->key) != isnan(y->key))
        return isnan(x->key) ? 1 : -1;
    if (x->key < y->key || x->key > y->key)
        return x->key < y->key ? -1 : 1;
    return x->position < y->position ? -1 : x->position > y->position;
}

static double best_of(const float *values) {
    double best = NAN;
    for (int f = 0; f < PROMPT_FORMAT_COUNT; f++)
        if (!isnan(values[f]) && !(best >= (double)values[f]))
            best = (double)values[f];
    return best;
}

static double sort_key(const index_query_t *query, const index_entry_t *entry, size_t position) {
    const float *values = entry->values[query->row];
    double key = (double)position;
    switch (query->sort) {
    case INDEX_BY_ORDER: break;
    case INDEX_BY_LAYER:
        key = entry->layer < 0 ? (double)NAN : entry->layer * 1e10 + entry->index;
        break;
    case INDEX_BY_SPREAD: key = (double)entry->spread; break;
    case INDEX_BY_MEASURE:
        key = query->format < 0 ? best_of(values) : (double)values[query->format];
        break;
    }
    return query->descending ? -key : key;
}

static bool fits(const index_query_t *query, const index_entry_t *entry) {
    return (query->set < 0 || entry->set == query->set) &&
           (query->layer < 0 || entry->layer == query->layer) &&
           (isnan(query->least) || (double)entry->best >= query->least) &&
           (isnan(query->most) || (double)entry->best <= query->most) &&
           (!query->text || !*query->text || strstr(entry->id, query->text));
}

void neuron_index_query(neuron_index_t *index, const index_query_t *query, index_page_t *page) {
    *page = (index_page_t){.total = index->count};
    ranked_t *ranked = MEMORY_NEW_ARRAY(index->count + 1, ranked_t);
    pthread_mutex_lock(&index->mutex);
    page->seen = index->seen;
    for (size_t i = 0; i < index->count; i++)
        if (fits(query, &index->entries[i]))
            ranked[page->matches++] =
                (ranked_t){.key = sort_key(query, &index->entries[i], i), .position = (uint32_t)i};
    if (query->sort != INDEX_BY_ORDER || query->descending)
        qsort(ranked, page->matches, sizeof *ranked, compare_ranked);
    size_t from = query->from < page->matches ? query->from : page->matches;
    page->count = page->matches - from < query->count ? page->matches - from : query->count;
    page->entries = MEMORY_NEW_ARRAY(page->count + 1, index_entry_t);
    for (size_t i = 0; i < page->count; i++)
        page->entries[i] = index->entries[ranked[from + i].position];
    pthread_mutex_unlock(&index->mutex);
    free(ranked);
}

void index_page_clear(index_page_t *page) {
    free(page->entries);
    *page = (index_page_t){0};
}

bool neuron_index_find(neuron_index_t *index, int64_t set, const char *id, int32_t layer,
                       int32_t neuron, index_entry_t *entry, size_t *position) {
    bool found = false;
    pthread_mutex_lock(&index->mutex);
    for (size_t i = 0; !found && i < index->count; i++) {
        const index_entry_t *at = &index->entries[i];
        found = (set < 0 || at->set == set) &&
                (id ? strcmp(at->id, id) == 0
                    : at->layer == layer && at->index == neuron && layer >= 0);
        if (found) {
            *entry = *at;
            *position = i;
        }
    }
    pthread_mutex_unlock(&index->mutex);
    return found;
}

bool neuron_index_at(neuron_index_t *index, size_t position, index_entry_t *entry) {
    if (position >= index->count)
        return false;
    pthread_mutex_lock(&index->mutex);
    *entry = index->entries[position];
    pthread_mutex_unlock(&index->mutex);
    return true;
}

bool neuron_index_good(neuron_index_t *index, index_entry_t *entry) {
    index_query_t query = {.set = -1, .layer = -1, .least = -1, .most = NAN, .count = 0};
    index_page_t page;
    neuron_index_query(index, &query, &page); /* how many have a score */
    size_t scored = page.matches;
    index_page_clear(&page);
    if (scored == 0)
        return false;
    pthread_mutex_lock(&index->mutex);
    query.from = (size_t)rng_below(&index->rng, (scored + 9) / 10);
    pthread_mutex_unlock(&index->mutex);
    query.count = 1;
    query.sort = INDEX_BY_MEASURE; /* of the first row */
    query.format = -1;
    query.descending = true;
    neuron_index_query(index, &query, &page);
    bool found = page.count == 1;
    if (found)
        *entry = page.entries[0];
    index_page_clear(&page);
    return found;
}

/* --- summaries -------------------------------------------------------------------------------- */

void neuron_index_summary(neuron_index_t *index, int64_t set,
                          index_summary_t summary[PROMPT_FORMAT_COUNT]) {
    double *values = MEMORY_NEW_ARRAY(index->count + 1, double);
    pthread_mutex_lock(&index->mutex);
    for (int f = 0; f < PROMPT_FORMAT_COUNT; f++) {
        summary[f] = (index_summary_t){0};
        for (size_t m = 0; m < index->measured.count; m++) {
            size_t count = 0;
            for (size_t i = 0; i < index->count; i++) {
                const index_entry_t *entry = &index->entries[i];
                if ((set >= 0 && entry->set != set) || isnan(entry->values[m][f]))
                    continue;
                values[count++] = (double)entry->values[m][f];
                summary[f].wins += m == 0 && entry->values[m][f] >= entry->best;
            }
            summary[f].measured[m].count = count;
            summary[f].measured[m].mean = stats_mean(values, count);
            summary[f].measured[m].error = stats_standard_error(values, count);
        }
    }
    pthread_mutex_unlock(&index->mutex);
    free(values);
}
