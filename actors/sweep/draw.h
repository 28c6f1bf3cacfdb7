/* draw.h - which neurons a set of the config works on: drawn with the run's seed, chosen
 * by score, or listed.
 *
 * random, random_interpretable: `per_layer` of each layer, or `count` in all; a smaller draw of one
 * seed is part of a larger one. top, top_per_layer: by score, best first (top) or layer by layer.
 * list: in the order of the file. Others are in order of layer and neuron. Scores are those of the
 * set's baseline collection, else of the records' own baselines.
 */
#ifndef GLIA_ACTORS_SWEEP_DRAW_H
#define GLIA_ACTORS_SWEEP_DRAW_H

#include "actors/sweep/settings.h"
#include "store/records.h"

typedef struct {
    int32_t layer, index;
    double score;  /* of its baseline; NaN: none */
    hash_t record; /* zero: there is no record */
} drawn_t;

typedef struct {
    size_t count;
    drawn_t *neurons; /* [count]; owned */
} draw_t;

/* Chooses out of `population` (each neuron once, in any order). Pure. The caller frees
 * drawn->neurons. */
void draw_choose(const set_settings_t *set, int64_t seed, const draw_t *population, draw_t *drawn);

/* Draws a set. `source`: the records that `random`, and scores without a collection, are drawn
 * from; NULL: the collection is. Errors (CONFIG): nothing to draw from, a list that cannot be read.
 * The caller frees drawn->neurons. */
bool draw_list(store_txn_t *txn, const set_settings_t *set, int64_t seed,
               const record_set_t *source, draw_t *drawn, error_info_t *error);
/* The same for a run: every neuron gets its record out of `source`. Errors (CONFIG): neurons that
 * have none there, named, with how to get them. */
bool draw_set(store_txn_t *txn, const set_settings_t *set, int64_t seed, const record_set_t *source,
              draw_t *drawn, error_info_t *error);

/* What was asked for, in words: "random, 20 a layer", "all", "top 12, of layer:3";
 * owned by the caller. */
char *draw_describe(const set_settings_t *set);
/* The name under which the store keeps a run's drawn set: of everything that the draw depends
 * on. `recording`: what a recorded set is of; unused for others. Errors (CONFIG): the list
 * cannot be read. */
bool draw_name(const set_settings_t *set, const char *run, int64_t seed, hash_t recording,
               char **name, error_info_t *error);

/* Layers of a set as people read them. */
typedef struct {
    uint32_t neurons;
    int32_t first, last; /* -1: none is of a subject model */
    /* layers between 0 and `last` that have no neuron, "31, 40"; NULL: none; owned */
    char *lacking;
    char *short_of; /* layers with fewer than asked for, "3 (12 of 20)"; NULL: none; owned */
} draw_layers_t;
void draw_layers(store_txn_t *txn, const set_settings_t *set, hash_t content, uint32_t count,
                 draw_layers_t *layers);
void draw_layers_clear(draw_layers_t *layers);

#endif
