/* batch_counts.c - open addressing, keys in an array of their own; 0 is an empty slot. */
#include "actors/batch/batch_counts.h"

#include <stdlib.h>

#include "core/base/memory.h"
#include "core/base/scratch.h"

enum { FIRST_SLOTS = 1024 };

typedef struct {
    const char *directory;
    size_t slots, used; /* slots: a power of 2 */
    scratch_t memory;
    uint64_t *keys;   /* [slots] */
    uint64_t *values; /* [slots]; NULL in the set */
} table_t;

struct batch_counts {
    char *directory;
    table_t seen, repeated;
};

static void table_make(table_t *table, const char *directory, size_t slots, bool valued) {
    scratch_t memory = scratch_new(directory, (valued ? 2 : 1) * slots * sizeof(uint64_t));
    uint64_t *keys = memory.bytes;
    *table = (table_t){.directory = directory,
                       .slots = slots,
                       .memory = memory,
                       .keys = keys,
                       .values = valued ? keys + slots : NULL};
}

static size_t find(const table_t *table, uint64_t key) {
    size_t slot = (size_t)key & (table->slots - 1);
    while (table->keys[slot] && table->keys[slot] != key)
        slot = (slot + 1) & (table->slots - 1);
    return slot;
}

static void grow(table_t *table) {
    table_t larger;
    table_make(&larger, table->directory, 2 * table->slots, table->values != NULL);
    for (size_t i = 0; i < table->slots; i++) {
        if (!table->keys[i])
            continue;
        size_t slot = find(&larger, table->keys[i]);
        larger.keys[slot] = table->keys[i];
        if (larger.values)
            larger.values[slot] = table->values[i];
    }
    larger.used = table->used;
    scratch_free(&table->memory);
    *table = larger;
}

/* The key's slot; *fresh: it was not there before. */
static size_t put(table_t *table, uint64_t key, bool *fresh) {
    if (table->used >= table->slots / 8 * 7)
        grow(table);
    size_t slot = find(table, key);
    *fresh = table->keys[slot] == 0;
    table->keys[slot] = key;
    table->used += *fresh;
    return slot;
}

batch_counts_t *batch_counts_create(const char *directory) {
    batch_counts_t *counts = MEMORY_NEW(batch_counts_t);
    counts->directory = memory_copy_string(directory);
    table_make(&counts->seen, counts->directory, FIRST_SLOTS, false);
    table_make(&counts->repeated, counts->directory, FIRST_SLOTS, true);
    return counts;
}

void batch_counts_free(batch_counts_t *counts) {
    if (!counts)
        return;
    scratch_free(&counts->seen.memory);
    scratch_free(&counts->repeated.memory);
    free(counts->directory);
    free(counts);
}

uint64_t batch_counts_meet(batch_counts_t *counts, hash_t identity) {
    uint64_t key = hash_low64(identity);
    bool fresh;
    key += key == 0;
    put(&counts->seen, key, &fresh);
    if (fresh)
        return 0;
    size_t slot = put(&counts->repeated, key, &fresh);
    return ++counts->repeated.values[slot];
}
