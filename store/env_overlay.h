/* env_overlay.h - rows in memory that lie over the tables: what an imagined transaction put.
 *
 * For env*.c. An overlay knows nothing of LMDB: whoever reads looks here first and at the table
 * below after that. A row stays where it is until the overlay is freed, and its value until that
 * key is put or deleted again. One thread.
 */
#ifndef GLIA_STORE_ENV_OVERLAY_H
#define GLIA_STORE_ENV_OVERLAY_H

#include "store/env.h"

typedef struct env_overlay env_overlay_t;

typedef struct env_row {
    store_bytes_t key;
    store_bytes_t value;    /* data NULL: the key is deleted */
    struct env_row *next[]; /* the overlay's own */
} env_row_t;

env_overlay_t *env_overlay_create(void);
void env_overlay_free(env_overlay_t *overlay);

/* Copies both. `value.data` NULL: deletes the key. `below`: whether the table below has it. As all
 * of these in O(log rows). */
void env_overlay_put(env_overlay_t *overlay, store_table_t table, store_bytes_t key,
                     store_bytes_t value, bool below);
/* NULL: nothing is said of this key. */
const env_row_t *env_overlay_find(env_overlay_t *overlay, store_table_t table, store_bytes_t key);
/* The first row whose key is >= `key` (backward: the last that is <= `key`), NULL: none.
 * `key.data` NULL: the first row of all (the last). Deleted ones are among them. */
const env_row_t *env_overlay_seek(env_overlay_t *overlay, store_table_t table, store_bytes_t key,
                                  bool backward);
/* The row behind `row` (backward: the one before it); NULL: none. */
const env_row_t *env_overlay_next(env_overlay_t *overlay, store_table_t table, const env_row_t *row,
                                  bool backward);
/* How many rows the table has more than the one below; negative: fewer. */
int64_t env_overlay_more(const env_overlay_t *overlay, store_table_t table);

/* The order of keys, which is LMDB's: as bytes, and the shorter first. < 0, 0, > 0. */
int env_key_compare(store_bytes_t a, store_bytes_t b);

#endif
