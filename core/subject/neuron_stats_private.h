/* neuron_stats_private.h - the state, shared by neuron_stats.c (the passes) and
 * neuron_stats_result.c (what comes out).
 */
#ifndef GLIA_SUBJECT_NEURON_STATS_PRIVATE_H
#define GLIA_SUBJECT_NEURON_STATS_PRIVATE_H

#include <pthread.h>

#include "core/subject/activation_pass.h"
#include "core/subject/neuron_stats.h"
#include "core/subject/value_sketch.h"

#define NO_EXCERPT UINT32_MAX

struct neuron_stats {
    neuron_stats_options_t options; /* counts and chosen NULL */
    size_t total;                   /* chosen neurons */
    uint32_t **chosen;              /* [layers][first[layer + 1] - first[layer]] */
    size_t *first;                  /* [layers + 1]: number of a layer's first chosen neuron */
    pthread_mutex_t *locks;         /* [layers]: of the kept records of a layer */
    bool sampling;
    size_t merged;
    /* first pass */
    double *sums;    /* [ACTIVATION_POWERS][total] */
    uint64_t *above; /* [total] */
    value_sketch_t *sketch;
    float *least;          /* [total]: the last of top_maximum */
    float *top_maximum;    /* [total][top] */
    uint32_t *top_excerpt; /* [total][top] */
    uint16_t *top_slot;    /* [total][top]: where in top_values of the neuron the record is */
    float *top_values;     /* [total][top][length] */
    /* second pass; a list is random, then the bands: size = random + NEURON_BANDS * band */
    size_t sample_count;
    uint32_t *sample;        /* [sample_count] */
    float *boundaries;       /* [total][NEURON_QUANTILES] */
    uint64_t *drawn_hash;    /* [total][size] */
    uint32_t *drawn_excerpt; /* [total][size]; NO_EXCERPT: none */
    uint16_t *drawn_slot;    /* [total][size]: where in the list's part of drawn_values */
    float *drawn_values;     /* [total][size][length] */
};

uint64_t neuron_stats_mix(uint64_t a, uint64_t b);
/* The band of a record with this maximum. */
size_t neuron_stats_band(const neuron_stats_t *stats, size_t number, float maximum);

#endif
