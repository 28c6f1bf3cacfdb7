/* results.h - the results of jobs, as the journal keeps them. Each is a pure function of stored
 * responses and records. Decoders take bytes that the store gave; members marked owned are released
 * by the matching clear. */
#ifndef GLIA_ACTORS_SWEEP_RESULTS_H
#define GLIA_ACTORS_SWEEP_RESULTS_H

#include "core/base/buffer.h"
#include "core/base/hash.h"
#include "core/neuron/score.h"
#include "store/env.h"

/* The forms that are made today. The decoders read these and every older one. */
enum {
    EXPLAIN_RESULT_VERSION = 1,
    SIMULATE_RESULT_VERSION = 1,
    SCORE_RESULT_VERSION = 1,
    ADACS_RESULT_VERSION = 1
};
/* The form that a result is stored in; 0: it is no result. */
int64_t result_version(const void *bytes, size_t size);

typedef struct {
    char *text;                /* owned: the explanation */
    int64_t prompt_tokens;     /* what the API counted; -1: it did not say */
    int64_t completion_tokens; /* -1: it did not say */
    int64_t dropped;           /* few-shot examples left out to fit the context */
    hash_t request;            /* where the response is found */
} explain_result_t;
void explain_result_encode(const explain_result_t *result, buffer_t *out);
bool explain_result_decode(const void *bytes, size_t size, explain_result_t *result);
void explain_result_clear(explain_result_t *result);

typedef struct {
    size_t count;
    double *expected; /* owned, [count] one a token, 0..10 */
    int64_t unseen;   /* places at which the API showed no value (echo) */
    int64_t dropped;  /* few-shot examples left out to fit the context */
    int64_t prompt_tokens, completion_tokens;
    hash_t request;
} simulate_result_t;
void simulate_result_encode(const simulate_result_t *result, buffer_t *out);
bool simulate_result_decode(const void *bytes, size_t size, simulate_result_t *result);
void simulate_result_clear(simulate_result_t *result);

typedef struct {
    score_t score;   /* NaN: undefined */
    int64_t records; /* valid records */
    int64_t tokens;  /* in them */
} score_result_t;
void score_result_encode(const score_result_t *result, buffer_t *out);
bool score_result_decode(const void *bytes, size_t size, score_result_t *result);

/* AdaCS: one number, NaN if an embedding is zero. */
void adacs_result_encode(double cosine, buffer_t *out);
bool adacs_result_decode(const void *bytes, size_t size, double *cosine);

#endif
