/* faults.h - what goes wrong on purpose, and how long answers take. The caller serializes.
 *
 * Draws are functions of (seed, number of the request), so that a run of requests in the same order
 * meets the same faults. */
#ifndef GLIA_STANDIN_FAULTS_H
#define GLIA_STANDIN_FAULTS_H

#include <stdbool.h>
#include <stdint.h>

#include "core/base/buffer.h"
#include "core/base/error.h"
#include "core/base/json.h"

/* A row: enum, name, whether the request is done and billed all the same, what happens. */
/* clang-format off */
#define STANDIN_FAULT_MAP(ROW)                                                                     \
    ROW(NONE, "none", true, "")                                                                    \
    ROW(RESET_BEFORE, "reset_before", false, "the connection is reset before the body is read")    \
    ROW(STATUS500, "status500", false, "answered 500, not done")                                   \
    ROW(STATUS503, "status503", false, "answered 503, not done")                                   \
    ROW(STATUS429, "status429", false, "answered 429 rate_limit_exceeded with Retry-After")        \
    ROW(QUOTA, "quota", false, "answered 429 insufficient_quota")                                  \
    ROW(HANG_BEFORE, "hang_before", false, "not done, never answered")                             \
    ROW(STATUS500_AFTER, "status500_after", true, "done and billed, but answered 500")             \
    ROW(RESET_AFTER, "reset_after", true, "done and billed, but the connection is reset")          \
    ROW(HANG, "hang", true, "done and billed, but never answered")                                 \
    ROW(TRUNCATE, "truncate", true, "200 with a body that is cut off")                             \
    ROW(GARBAGE, "garbage", true, "200 with a body that is not JSON")                              \
    ROW(EMPTY, "empty", true, "200 with an empty body")                                            \
    ROW(SLOW, "slow", true, "200 with a body in drips, over two seconds")                          \
    ROW(NO_USAGE, "no_usage", true, "200 without usage")                                           \
    ROW(NO_LOGPROBS, "no_logprobs", true, "200 without the logprobs that were asked for")          \
    ROW(BAD_TYPE, "bad_type", true, "200 with an object where an array should be")
/* clang-format on */

typedef enum {
#define STANDIN_FAULT_ENUM(name, text, billed, help) FAULT_##name,
    STANDIN_FAULT_MAP(STANDIN_FAULT_ENUM)
#undef STANDIN_FAULT_ENUM
        FAULT_COUNT
} standin_fault_t;

const char *standin_fault_name(standin_fault_t fault);
const char *standin_fault_help(standin_fault_t fault);
bool standin_fault_billed(standin_fault_t fault);

typedef struct standin_faults standin_faults_t;

standin_faults_t *standin_faults_create(uint64_t seed);
void standin_faults_free(standin_faults_t *faults);
/* "KIND=PROBABILITY". Errors (USAGE): unknown kind, no probability, more than 1 in sum. */
bool standin_faults_set(standin_faults_t *faults, const char *assignment, error_info_t *error);
/* "fixed:MS", "uniform:LOW,HIGH", "lognormal:MEDIAN,SIGMA" (milliseconds; sigma of the
 * natural logarithm). */
bool standin_faults_set_latency(standin_faults_t *faults, const char *latency, error_info_t *error);
/* An object of KIND: probability; "all": probability of each kind that is not named; "latency":
 * text; "count": the next so many faults happen, then none (null: no end). Changes nothing if
 * anything in it is wrong. */
bool standin_faults_update(standin_faults_t *faults, const json_value_t *object,
                           error_info_t *error);
/* Appends the same as JSON. */
void standin_faults_write(const standin_faults_t *faults, buffer_t *out);

/* For request number `sequence`; uses up one of "count". */
standin_fault_t standin_faults_draw(standin_faults_t *faults, uint64_t sequence);
/* Microseconds. */
int64_t standin_faults_latency(const standin_faults_t *faults, uint64_t sequence);

#endif
