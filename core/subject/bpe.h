/* bpe.h - byte pair encoding of one pre-token: merge rules, and the procedure that applies them.
 *
 * The procedure is GPT-2's: find the pair of neighbours with the lowest rank, join all of its
 * occurrences from left to right, repeat until no neighbours have a rule. Done with linked symbols
 * and a heap, so that n symbols cost O(n log n) whatever they are.
 */
#ifndef GLIA_SUBJECT_BPE_H
#define GLIA_SUBJECT_BPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct bpe bpe_t; /* after the last bpe_add(): immutable, any thread */

bpe_t *bpe_create(size_t rules); /* how many are expected */
void bpe_free(bpe_t *bpe);       /* NULL is fine */
/* Tokens `left` and `right` side by side become `merged`. `rank` < UINT32_MAX. A pair that is there
 * already takes the later rank, as in the dictionaries of other implementations. */
void bpe_add(bpe_t *bpe, uint32_t left, uint32_t right, uint32_t rank, uint32_t merged);

/* Memory that is used again from one pre-token to the next; {0} to begin with. One
 * thread at a time. */
typedef struct {
    struct bpe_symbol *symbols;
    uint64_t *heap;
    uint32_t *fresh; /* starts of pairs that came up while pairs of one rank were joined */
    size_t symbol_capacity, heap_capacity, heap_count, fresh_capacity, fresh_count;
    /* pairs that were looked up or taken from the heap, over all calls: what the time is made of */
    uint64_t steps;
} bpe_work_t;
void bpe_work_clear(bpe_work_t *work); /* releases */

/* Joins ids [count] in place; returns how many are left. `count` < 2^31. Takes 40 bytes
 * of `work` an id. */
size_t bpe_merge(const bpe_t *bpe, bpe_work_t *work, uint32_t *ids, size_t count);

#endif
