/* env_overlay.c - a skip list of rows for each table: they come in any order (ids are hashes). */
#include "store/env_overlay.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/memory.h"
#include "core/base/rng.h"

enum { LEVELS = 12 }; /* each has a quarter of the rows of the one under it */

typedef struct {
    env_row_t *first[LEVELS];
    int64_t more;
} list_t;

struct env_overlay {
    list_t lists[TABLE_COUNT];
    rng_t rng; /* draws how many levels a row is in */
};

int env_key_compare(store_bytes_t a, store_bytes_t b) {
    size_t shorter = a.size < b.size ? a.size : b.size;
    int order = memcmp(a.data, b.data, shorter);
    return order ? order : (a.size > b.size) - (a.size < b.size);
}

env_overlay_t *env_overlay_create(void) {
    env_overlay_t *overlay = MEMORY_NEW(env_overlay_t);
    overlay->rng = rng_create(0);
    return overlay;
}

void env_overlay_free(env_overlay_t *overlay) {
    for (int table = 0; table < TABLE_COUNT; table++)
        for (env_row_t *row = overlay->lists[table].first[0], *next; row; row = next) {
            next = row->next[0];
            free((void *)(uintptr_t)row->key.data);
            free((void *)(uintptr_t)row->value.data);
            free(row);
        }
    free(overlay);
}

/* The last row whose key is < `key` (data NULL: the last of all); NULL: none. links[i] is where
 * level i leads on from there. */
static env_row_t *last_before(list_t *list, store_bytes_t key, env_row_t **links[LEVELS]) {
    env_row_t *last = NULL;
    for (int level = LEVELS - 1; level >= 0; level--) {
        links[level] = last ? &last->next[level] : &list->first[level];
        while (*links[level] && (!key.data || env_key_compare((*links[level])->key, key) < 0)) {
            last = *links[level];
            links[level] = &last->next[level];
        }
    }
    return last;
}

/* The row of `key`; NULL: there is none. */
static env_row_t *at(env_row_t **links[LEVELS], store_bytes_t key) {
    env_row_t *row = *links[0];
    return row && key.data && env_key_compare(row->key, key) == 0 ? row : NULL;
}

static store_bytes_t copy(store_bytes_t bytes) {
    return (store_bytes_t){bytes.data ? memory_copy(bytes.data, bytes.size) : NULL, bytes.size};
}

static env_row_t *insert(env_overlay_t *overlay, env_row_t **links[LEVELS], store_bytes_t key) {
    int levels = 1;
    while (levels < LEVELS && rng_below(&overlay->rng, 4) == 0)
        levels++;
    env_row_t *row = memory_new(1, sizeof *row + (size_t)levels * sizeof(env_row_t *));
    row->key = copy(key);
    for (int level = 0; level < levels; level++) {
        row->next[level] = *links[level];
        *links[level] = row;
    }
    return row;
}

void env_overlay_put(env_overlay_t *overlay, store_table_t table, store_bytes_t key,
                     store_bytes_t value, bool below) {
    list_t *list = &overlay->lists[table];
    env_row_t **links[LEVELS];
    last_before(list, key, links);
    env_row_t *row = at(links, key);
    bool before = row ? row->value.data != NULL : below;
    if (!row)
        row = insert(overlay, links, key);
    void *old = (void *)(uintptr_t)row->value.data;
    row->value = copy(value); /* perhaps of the old one */
    free(old);
    list->more += (value.data != NULL) - before;
}

const env_row_t *env_overlay_find(env_overlay_t *overlay, store_table_t table, store_bytes_t key) {
    env_row_t **links[LEVELS];
    last_before(&overlay->lists[table], key, links);
    return at(links, key);
}

const env_row_t *env_overlay_seek(env_overlay_t *overlay, store_table_t table, store_bytes_t key,
                                  bool backward) {
    list_t *list = &overlay->lists[table];
    env_row_t **links[LEVELS];
    if (!key.data && !backward)
        return list->first[0];
    const env_row_t *before = last_before(list, key, links), *row = at(links, key);
    return row ? row : backward ? before : *links[0];
}

const env_row_t *env_overlay_next(env_overlay_t *overlay, store_table_t table, const env_row_t *row,
                                  bool backward) {
    env_row_t **links[LEVELS];
    return backward ? last_before(&overlay->lists[table], row->key, links) : row->next[0];
}

int64_t env_overlay_more(const env_overlay_t *overlay, store_table_t table) {
    return overlay->lists[table].more;
}
