/* scenario_private.h - what scenario.c, scenario_draw.c and scenario_compare.c share. */
#ifndef GLIA_TEST_SCENARIO_PRIVATE_H
#define GLIA_TEST_SCENARIO_PRIVATE_H

#include "test/rehearsal/scenario.h"

enum { EDITIONS = 2 };

/* A sweep: all that results depend on. Drawn from its number alone, so that rehearsals share
 * undisturbed ones. */
typedef struct {
    uint64_t number;
    char *config; /* TOML; every model at "a" */
    bool shipped; /* the shipped puzzles and templates, else material.h's */
} sweep_shape_t;
void sweep_shape_draw(uint64_t number, sweep_shape_t *shape);
void sweep_shape_free(sweep_shape_t *shape);

typedef struct {
    uint64_t seed;
    rng_t rng;
    sweep_shape_t shape;
    unsigned explain, simulate;    /* editions of the templates */
    bool used[EDITIONS][EDITIONS]; /* by some start */
    size_t endpoints;              /* a, b, c */
    /* faults that make other results than an undisturbed rehearsal's */
    bool other_answers;
    bool near_midnight, small_map;
    int64_t total, daily, model, store; /* caps in micro-dollars; 0: none */
    bool wait_midnight;
    bool limited[3]; /* the endpoint has limits */
    int64_t slowest_commit, slowest_work;
    int64_t scale;      /* what things cost, next to rehearsals of small material */
    bool cleared;       /* the provider has mended all */
    bool lonely_outage; /* nothing but an outage of every endpoint goes wrong */
    fault_t outage_fault;
    int64_t outage; /* how long; 0: none */
    uint64_t starts;
    /* how often, of 100 starts */
    unsigned crash, interrupt, full, step;
} scenario_t;

bool scenario_chance(scenario_t *s, unsigned percent);
int64_t scenario_between(scenario_t *s, int64_t least, int64_t most);

void scenario_draw(scenario_t *s);
/* Of the rehearsal, once. */
void scenario_draw_endpoints(scenario_t *s, rehearsal_t *rehearsal);
void scenario_draw_settings(scenario_t *s, rehearsal_t *rehearsal);
void scenario_draw_weather(scenario_t *s, rehearsal_t *rehearsal, scenario_totals_t *totals);
/* What a user, or a provider, may change between two starts. */
void scenario_turn_knobs(scenario_t *s, rehearsal_t *rehearsal, bool first,
                         scenario_totals_t *totals);
/* What befalls start number `start`, from 0. */
doom_t scenario_draw_doom(scenario_t *s, int start, scenario_totals_t *totals);

/* Writes what `shape` needs beside the store of `rehearsal`, in these editions. */
void scenario_use_material(const sweep_shape_t *shape, rehearsal_t *rehearsal, unsigned explain,
                           unsigned simulate);

/* Complains if the rehearsal has a result that no undisturbed rehearsal of an edition it used has,
 * or lacks one that an undisturbed rehearsal of its last edition has. */
void scenario_compare(const scenario_t *s, rehearsal_t *rehearsal, scenario_cache_t *cache);

#endif
