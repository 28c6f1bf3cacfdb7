/* neuron.h - what glia knows about a neuron: the types that all parts share.
 *
 * A `neuron_record_t` covers neurons of a subject model, imported ones and puzzles alike. It is
 * immutable once built; its identity is the hash of its canonical encoding (neuron_codec.h).
 */
#ifndef GLIA_NEURON_NEURON_H
#define GLIA_NEURON_NEURON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Tokens are bytes: one may be a part of a UTF-8 character or hold any control character. */
typedef struct {
    char *bytes;   /* terminated by a NUL that does not count */
    size_t length; /* >= 1 */
} token_t;

typedef struct {
    size_t count;       /* tokens; 1..NEURON_MAX_TOKENS */
    token_t *tokens;    /* [count] */
    float *activations; /* [count], finite */
} activation_record_t;

typedef enum {
    NEURON_SOURCE_SUBJECT, /* layer:index of a subject model */
    NEURON_SOURCE_PUZZLE,
    NEURON_SOURCE_RECORDS, /* a bare record set from a file */
} neuron_source_t;

enum {
    NEURON_QUANTILES = 4, /* 0.5, 0.9, 0.99, 0.999 */
    NEURON_BANDS = 5,
    NEURON_MAX_TOKENS = 8192,  /* per activation record */
    NEURON_MAX_RECORDS = 4096, /* per list */
};

typedef struct {
    size_t count;
    activation_record_t *records; /* [count] */
} record_list_t;

typedef struct {
    neuron_source_t source;
    /* "5:131", a puzzle's name, or the id in a records file; unique in its set */
    char *id;
    int32_t layer; /* -1 unless SUBJECT */
    int32_t index; /* -1 unless SUBJECT */
    /* most positive first; for PUZZLE and RECORDS: the records to explain from */
    record_list_t top;
    record_list_t random; /* for PUZZLE: the held-back records to score on, if there are any */
    record_list_t bands[NEURON_BANDS];
    bool has_quantiles;
    /* boundaries at 0.5, 0.9, 0.99, 0.999; of record maxima in ours */
    double quantiles[NEURON_QUANTILES];
    double mean, variance, skewness, kurtosis; /* NaN: not known */
    bool has_above_zero;
    double above_zero;     /* fraction of tokens whose activation is above 0 */
    double threshold;      /* NaN: derive (neuron_threshold) */
    char *explanation;     /* the truth (PUZZLE) or the baseline (imported), or NULL */
    double baseline_score; /* of the baseline explanation, NaN: none */
} neuron_record_t;

/* Which records serve which purpose; indices only, the records stay where they are. */
typedef enum { SPLIT_TRAIN, SPLIT_CALIBRATION, SPLIT_VALID, SPLIT_TEST } split_t;

typedef struct {
    size_t count;
    const activation_record_t **records; /* [count], borrowed from the neuron record */
} split_list_t;

/* The records of one split, in order (the published layout): SUBJECT, from the first 20 top and 15
 * random records: top index i mod 4 = 0 train, 1 calibration, 2 valid, 3 test; random i mod 3 = 0
 * calibration, 1 valid, 2 test; calibration/valid/test list top then random. PUZZLE and RECORDS:
 * train is `top`, valid is `random`; the others are empty. The caller frees with
 * neuron_split_free. */
split_list_t neuron_split(const neuron_record_t *neuron, split_t split);
void neuron_split_free(split_list_t *list);

/* The activation above which a token counts as highly activating: `threshold` if set, else the 0.9
 * quantile boundary, else (no boundaries) 1.0 for puzzles and bare record sets, and NaN with
 * `false` for neurons of a subject model. */
bool neuron_threshold(const neuron_record_t *neuron, double *threshold);

/* Largest activation over the records of a list; 0 if there are none. */
float neuron_max_activation(const split_list_t *list);

void activation_record_free(activation_record_t *record);
void neuron_record_free(neuron_record_t *neuron); /* also frees `neuron` itself; NULL is fine */

#endif
