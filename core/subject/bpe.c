/* bpe.c - merge rules in a hash table; neighbours in a linked list; pairs that can be
 * joined in a heap. */
#include "core/subject/bpe.h"

#include <stdlib.h>

#include "core/base/memory.h"

static const uint32_t NONE = UINT32_MAX;

/* --- rules ------------------------------------------------------------------------------------ */

typedef struct {
    uint32_t left, right;
    uint32_t rank; /* NONE: the slot is free */
    uint32_t merged;
} rule_t;

struct bpe {
    rule_t *slots; /* [mask + 1], open addressing, at most half full */
    size_t mask;
    size_t count;
};

static size_t slot_of(const bpe_t *bpe, uint32_t left, uint32_t right) {
    uint64_t mixed = ((uint64_t)left << 32 | right) * 0x9E3779B97F4A7C15U;
    return (size_t)(mixed ^ mixed >> 32) & bpe->mask;
}

/* The slot of the pair, or the free one where it belongs. */
static rule_t *find_slot(const bpe_t *bpe, uint32_t left, uint32_t right) {
    size_t at = slot_of(bpe, left, right);
    while (bpe->slots[at].rank != NONE &&
           (bpe->slots[at].left != left || bpe->slots[at].right != right))
        at = (at + 1) & bpe->mask;
    return &bpe->slots[at];
}

static void make_slots(bpe_t *bpe, size_t slots) {
    bpe->slots = MEMORY_NEW_ARRAY(slots, rule_t);
    bpe->mask = slots - 1;
    for (size_t i = 0; i < slots; i++)
        bpe->slots[i].rank = NONE;
}

bpe_t *bpe_create(size_t rules) {
    bpe_t *bpe = MEMORY_NEW(bpe_t);
    size_t slots = 16;
    while (slots < 2 * rules)
        slots *= 2;
    make_slots(bpe, slots);
    return bpe;
}

void bpe_free(bpe_t *bpe) {
    if (!bpe)
        return;
    free(bpe->slots);
    free(bpe);
}

static void grow(bpe_t *bpe) {
    rule_t *old = bpe->slots;
    size_t slots = bpe->mask + 1;
    make_slots(bpe, 2 * slots);
    for (size_t i = 0; i < slots; i++)
        if (old[i].rank != NONE)
            *find_slot(bpe, old[i].left, old[i].right) = old[i];
    free(old);
}

void bpe_add(bpe_t *bpe, uint32_t left, uint32_t right, uint32_t rank, uint32_t merged) {
    if (2 * (bpe->count + 1) > bpe->mask + 1)
        grow(bpe);
    rule_t *slot = find_slot(bpe, left, right);
    bpe->count += slot->rank == NONE;
    *slot = (rule_t){.left = left, .right = right, .rank = rank, .merged = merged};
}

/* --- the procedure ---------------------------------------------------------------------------- */

/* Place i of the pre-token. A symbol that was joined to the one on its left is gone: its rank
 * is NONE for good. */
struct bpe_symbol {
    uint32_t id, previous, next; /* places; NONE at the ends */
    uint32_t rank, merged;       /* of the pair that begins here; NONE: no rule */
};

void bpe_work_clear(bpe_work_t *work) {
    free(work->symbols);
    free(work->heap);
    free(work->fresh);
    *work = (bpe_work_t){0};
}

static void look_up(const bpe_t *bpe, bpe_work_t *work, uint32_t at) {
    struct bpe_symbol *symbol = &work->symbols[at];
    symbol->rank = NONE;
    if (symbol->next == NONE)
        return;
    const rule_t *rule = find_slot(bpe, symbol->id, work->symbols[symbol->next].id);
    symbol->rank = rule->rank;
    symbol->merged = rule->merged;
    work->steps++;
}

/* A heap of rank << 32 | place: equal ranks come from left to right. */
static void push(bpe_work_t *work, uint32_t at) {
    if (work->symbols[at].rank == NONE)
        return;
    if (work->heap_count == work->heap_capacity) {
        work->heap_capacity = work->heap_capacity ? 2 * work->heap_capacity : 64;
        work->heap = memory_resize(work->heap, work->heap_capacity, sizeof *work->heap);
    }
    uint64_t key = (uint64_t)work->symbols[at].rank << 32 | at;
    size_t i = work->heap_count++;
    for (; i > 0 && work->heap[(i - 1) / 2] > key; i = (i - 1) / 2)
        work->heap[i] = work->heap[(i - 1) / 2];
    work->heap[i] = key;
}

static uint64_t pop(bpe_work_t *work) {
    uint64_t top = work->heap[0];
    uint64_t key = work->heap[--work->heap_count];
    size_t i = 0;
    for (size_t child = 1; child < work->heap_count; child = 2 * i + 1) {
        child += child + 1 < work->heap_count && work->heap[child + 1] < work->heap[child];
        if (work->heap[child] >= key)
            break;
        work->heap[i] = work->heap[child];
        i = child;
    }
    work->heap[i] = key;
    work->steps++;
    return top;
}

static void note_fresh(bpe_work_t *work, uint32_t at) {
    if (work->fresh_count == work->fresh_capacity) {
        work->fresh_capacity = work->fresh_capacity ? 2 * work->fresh_capacity : 64;
        work->fresh = memory_resize(work->fresh, work->fresh_capacity, sizeof *work->fresh);
    }
    work->fresh[work->fresh_count++] = at;
}

/* Joins the pair that begins at `at`. The two pairs that come up wait until all of the present
 * rank are joined. */
static void join(const bpe_t *bpe, bpe_work_t *work, uint32_t at) {
    struct bpe_symbol *left = &work->symbols[at];
    struct bpe_symbol *right = &work->symbols[left->next];
    left->id = left->merged;
    left->next = right->next;
    right->rank = NONE;
    if (left->next != NONE)
        work->symbols[left->next].previous = at;
    look_up(bpe, work, at);
    note_fresh(work, at);
    if (left->previous != NONE) {
        look_up(bpe, work, left->previous);
        note_fresh(work, left->previous);
    }
}

static void load(const bpe_t *bpe, bpe_work_t *work, const uint32_t *ids, size_t count) {
    if (work->symbol_capacity < count) {
        work->symbol_capacity = count < 64 ? 64 : count;
        work->symbols = memory_resize(work->symbols, work->symbol_capacity, sizeof *work->symbols);
    }
    for (size_t i = 0; i < count; i++)
        work->symbols[i] = (struct bpe_symbol){.id = ids[i],
                                               .previous = i ? (uint32_t)i - 1 : NONE,
                                               .next = i + 1 < count ? (uint32_t)i + 1 : NONE,
                                               .rank = NONE};
    work->heap_count = 0;
    for (uint32_t i = 0; i + 1 < count; i++) {
        look_up(bpe, work, i);
        push(work, i);
    }
}

size_t bpe_merge(const bpe_t *bpe, bpe_work_t *work, uint32_t *ids, size_t count) {
    if (count < 2)
        return count;
    load(bpe, work, ids, count);
    while (work->heap_count > 0) {
        uint32_t rank = (uint32_t)(work->heap[0] >> 32);
        work->fresh_count = 0;
        while (work->heap_count > 0 && work->heap[0] >> 32 == rank) {
            uint32_t at = (uint32_t)pop(work);
            /* Otherwise the pair is gone, or became another one. */
            if (work->symbols[at].rank == rank)
                join(bpe, work, at);
        }
        for (size_t i = 0; i < work->fresh_count; i++)
            push(work, work->fresh[i]);
    }
    size_t left = 0;
    for (uint32_t at = 0; at != NONE; at = work->symbols[at].next)
        ids[left++] = work->symbols[at].id;
    return left;
}
