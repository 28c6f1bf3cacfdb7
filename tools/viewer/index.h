/* index.h - every neuron of a run with what its formats scored, in memory, so that
 * lists answer at once.
 *
 * Built by one thread in steps, each in short read transactions; queries come from any thread at
 * any time and see what is known by then. A neuron of which nothing more can come is not looked at
 * again, so that following a live run costs what is new. About 250 bytes a neuron.
 */
#ifndef GLIA_TOOLS_VIEWER_INDEX_H
#define GLIA_TOOLS_VIEWER_INDEX_H

#include "actors/sweep/stage.h"
#include "store/env.h"

typedef struct {
    uint64_t first, end;  /* its chains */
    uint32_t set, number; /* index in the settings' sets, and in the set */
    int32_t layer, index; /* -1: not a neuron of a subject model */
    char *id;             /* borrowed from the index */
    /* First measures of the index's measured rows: means over explainers and samples; NaN: none. */
    float values[STAGES_MEASURED][PROMPT_FORMAT_COUNT];
    /* of the first row's: the highest, and how far the lowest is below it; NaN: none */
    float best, spread;
    uint32_t explained, failed; /* chains */
    bool seen;                  /* looked at least once */
    bool settled;               /* nothing more can come */
} index_entry_t;

typedef struct neuron_index neuron_index_t;

/* Reads which neurons there are, not yet what became of them. Borrows the sweep. `run`: whose
 * failures count. NULL: the store cannot be read. */
neuron_index_t *neuron_index_create(const sweep_t *sweep, uint32_t run, store_t *store,
                                    error_info_t *error);
void neuron_index_free(neuron_index_t *index);
/* What its values are of: the rows of the sweep's table. */
const stages_measured_t *neuron_index_measured(const neuron_index_t *index);
/* Reads on over up to `most` neurons that are not settled. *finished: the end was reached, the next
 * call begins anew. False: the store could not be read. One thread at a time. */
bool neuron_index_step(neuron_index_t *index, store_t *store, size_t most, bool *finished,
                       error_info_t *error);

typedef enum { INDEX_BY_ORDER, INDEX_BY_LAYER, INDEX_BY_SPREAD, INDEX_BY_MEASURE } index_sort_t;

typedef struct {
    int64_t set;        /* -1: any */
    int64_t layer;      /* -1: any */
    const char *text;   /* part of the id; NULL or "": any */
    double least, most; /* of the best value of the first row; NaN: any */
    index_sort_t sort;
    size_t row;      /* MEASURE: by this one of the measured rows, */
    int format;      /* of this format alone; -1: the best */
    bool descending; /* what has no value comes last either way */
    size_t from, count;
} index_query_t;

typedef struct {
    size_t total, matches; /* neurons in all; of them chosen */
    size_t seen;           /* read at least once */
    size_t count;
    index_entry_t *entries; /* [count], from `from` on; owned */
} index_page_t;

void neuron_index_query(neuron_index_t *index, const index_query_t *query, index_page_t *page);
void index_page_clear(index_page_t *page);

/* By id (NULL: by layer and index) in a set (-1: the first that has it). `position`: its
 * place in the index. */
bool neuron_index_find(neuron_index_t *index, int64_t set, const char *id, int32_t layer,
                       int32_t neuron, index_entry_t *entry, size_t *position);
bool neuron_index_at(neuron_index_t *index, size_t position, index_entry_t *entry);
/* One of the best tenth, another each time. False: nothing has a value of the first row yet. */
bool neuron_index_good(neuron_index_t *index, index_entry_t *entry);

/* One format over the neurons of a set: means of neurons' means. */
typedef struct {
    struct {
        size_t count;
        double mean, error; /* NaN: none */
    } measured[STAGES_MEASURED];
    size_t wins; /* neurons where it has the best value of the first row, ties for all that tie */
} index_summary_t;
void neuron_index_summary(neuron_index_t *index, int64_t set,
                          index_summary_t summary[PROMPT_FORMAT_COUNT]);

#endif
