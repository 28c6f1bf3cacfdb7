/* faults.c - draws of faults and latencies. */
#include "tools/standin/faults.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/memory.h"
#include "core/base/rng.h"
#include "core/base/text.h"

enum { LATENCY_TEXT = 64 };

typedef enum { LATENCY_FIXED, LATENCY_UNIFORM, LATENCY_LOGNORMAL } latency_shape_t;

typedef struct {
    latency_shape_t shape;
    double first, second; /* milliseconds; low and high, or median and sigma */
    char text[LATENCY_TEXT];
} latency_t;

struct standin_faults {
    uint64_t seed;
    double probability[FAULT_COUNT];
    bool counted;
    int64_t left; /* if counted */
    latency_t latency;
};

static const struct {
    const char *name;
    bool billed;
    const char *help;
} rows[] = {
#define STANDIN_FAULT_ROW(name, text, billed, help) {text, billed, help},
    STANDIN_FAULT_MAP(STANDIN_FAULT_ROW)
#undef STANDIN_FAULT_ROW
};

const char *standin_fault_name(standin_fault_t fault) {
    return rows[fault].name;
}

const char *standin_fault_help(standin_fault_t fault) {
    return rows[fault].help;
}

bool standin_fault_billed(standin_fault_t fault) {
    return rows[fault].billed;
}

standin_faults_t *standin_faults_create(uint64_t seed) {
    standin_faults_t *faults = MEMORY_NEW(standin_faults_t);
    faults->seed = seed;
    snprintf(faults->latency.text, sizeof faults->latency.text, "fixed:0");
    return faults;
}

void standin_faults_free(standin_faults_t *faults) {
    free(faults);
}

/* FAULT_COUNT if there is none of that name. */
static standin_fault_t find_fault(const char *name, error_info_t *error) {
    const char *names[FAULT_COUNT - 1];
    for (int i = FAULT_NONE + 1; i < FAULT_COUNT; i++) {
        if (strcmp(rows[i].name, name) == 0)
            return (standin_fault_t)i;
        names[i - 1] = rows[i].name;
    }
    const char *closest = text_closest(name, names, FAULT_COUNT - 1);
    error_set(error, ERROR_USAGE, "there is no fault '%s'%s%s%s; glia-standin --help lists them",
              name, closest ? " (did you mean '" : "", closest ? closest : "",
              closest ? "'?)" : "");
    return FAULT_COUNT;
}

static bool check_sum(const double *probability, error_info_t *error) {
    double sum = 0;
    for (int i = 0; i < FAULT_COUNT; i++)
        sum += probability[i];
    return sum <= 1 + 1e-9 ||
           error_set(error, ERROR_USAGE,
                     "the probabilities of faults sum to %g; at most one can happen to a request",
                     sum);
}

static bool set_probability(double *probability, const char *name, double value,
                            error_info_t *error) {
    standin_fault_t fault = find_fault(name, error);
    if (fault == FAULT_COUNT)
        return false;
    if (!(value >= 0 && value <= 1))
        return error_set(error, ERROR_USAGE, "fault '%s': a probability is a number from 0 to 1",
                         name);
    probability[fault] = value;
    return true;
}

bool standin_faults_set(standin_faults_t *faults, const char *assignment, error_info_t *error) {
    const char *equals = strchr(assignment, '=');
    char name[32], *end = NULL;
    if (!equals || equals == assignment || (size_t)(equals - assignment) >= sizeof name)
        return error_set(error, ERROR_USAGE, "'%s' is not KIND=PROBABILITY", assignment);
    snprintf(name, sizeof name, "%.*s", (int)(equals - assignment), assignment);
    double value = strtod(equals + 1, &end);
    if (end == equals + 1 || *end != '\0')
        value = -1;
    return set_probability(faults->probability, name, value, error) &&
           check_sum(faults->probability, error);
}

/* Numbers "a" or "a,b" behind the colon. */
static bool read_numbers(const char *text, int wanted, double *first, double *second) {
    char *end;
    *first = strtod(text, &end);
    if (end == text || !(*first >= 0 && *first <= 1e9))
        return false;
    if (wanted == 1)
        return *end == '\0';
    if (*end != ',')
        return false;
    text = end + 1;
    *second = strtod(text, &end);
    return end != text && *end == '\0' && *second >= 0 && *second <= 1e9;
}

static bool parse_latency(const char *text, latency_t *latency, error_info_t *error) {
    static const char *const names[] = {"fixed:", "uniform:", "lognormal:"};
    for (int i = 0; i < 3 && strlen(text) < LATENCY_TEXT; i++) {
        latency_t read = {.shape = (latency_shape_t)i};
        if (!text_starts_with(text, names[i]) ||
            !read_numbers(text + strlen(names[i]), i == 0 ? 1 : 2, &read.first, &read.second) ||
            (read.shape == LATENCY_UNIFORM && read.second < read.first) ||
            (read.shape == LATENCY_LOGNORMAL && read.second > 5))
            continue;
        snprintf(read.text, sizeof read.text, "%s", text);
        *latency = read;
        return true;
    }
    return error_set(error, ERROR_USAGE,
                     "latency '%s' is none of fixed:MS, uniform:LOW,HIGH, lognormal:MEDIAN,SIGMA "
                     "(milliseconds; sigma at most 5)",
                     text);
}

bool standin_faults_set_latency(standin_faults_t *faults, const char *latency,
                                error_info_t *error) {
    return parse_latency(latency, &faults->latency, error);
}

/* One member of the object, other than "all". */
static bool update_member(standin_faults_t *next, const char *key, const json_value_t *value,
                          error_info_t *error) {
    if (strcmp(key, "latency") == 0) {
        const char *text = json_as_string(value, NULL);
        return text ? standin_faults_set_latency(next, text, error)
                    : error_set(error, ERROR_USAGE, "latency must be a string");
    }
    if (strcmp(key, "count") == 0) {
        next->counted = !json_is(value, JSON_KIND_NULL);
        return !next->counted || (json_as_integer(value, &next->left) && next->left >= 0) ||
               error_set(error, ERROR_USAGE, "count must be an integer of at least 0, or null");
    }
    double probability;
    if (!json_as_number(value, &probability))
        return error_set(error, ERROR_USAGE, "fault '%s': a probability is a number from 0 to 1",
                         key);
    return set_probability(next->probability, key, probability, error);
}

bool standin_faults_update(standin_faults_t *faults, const json_value_t *object,
                           error_info_t *error) {
    standin_faults_t next = *faults;
    if (!json_is(object, JSON_KIND_OBJECT))
        return error_set(error, ERROR_USAGE,
                         "the body must be a JSON object of fault kinds and probabilities");
    const json_value_t *all = json_get(object, "all");
    double each;
    if (all) {
        if (!json_as_number(all, &each) || !(each >= 0 && each <= 1))
            return error_set(error, ERROR_USAGE, "all: a probability is a number from 0 to 1");
        for (int i = FAULT_NONE + 1; i < FAULT_COUNT; i++)
            next.probability[i] = each;
    }
    for (size_t i = 0; i < json_count(object); i++) {
        const char *key;
        const json_value_t *value = json_member(object, i, &key);
        if (strcmp(key, "all") != 0 && !update_member(&next, key, value, error))
            return false;
    }
    if (!check_sum(next.probability, error))
        return false;
    *faults = next;
    return true;
}

void standin_faults_write(const standin_faults_t *faults, buffer_t *out) {
    buffer_append_char(out, '{');
    for (int i = FAULT_NONE + 1; i < FAULT_COUNT; i++) {
        buffer_append_format(out, "\"%s\":", rows[i].name);
        json_write_number(out, faults->probability[i]);
        buffer_append_char(out, ',');
    }
    buffer_append_text(out, "\"count\":");
    if (faults->counted)
        json_write_integer(out, faults->left);
    else
        buffer_append_text(out, "null");
    buffer_append_text(out, ",\"latency\":");
    json_write_text(out, faults->latency.text);
    buffer_append_text(out, "}\n");
}

static rng_t rng_for(const standin_faults_t *faults, uint64_t sequence, uint64_t stream) {
    rng_t rng = rng_create(faults->seed ^ sequence * 0x9E3779B97F4A7C15u);
    return rng_fork(&rng, stream);
}

standin_fault_t standin_faults_draw(standin_faults_t *faults, uint64_t sequence) {
    rng_t rng = rng_for(faults, sequence, 1);
    double draw = rng_unit(&rng), sum = 0;
    if (faults->counted && faults->left == 0)
        return FAULT_NONE;
    for (int i = FAULT_NONE + 1; i < FAULT_COUNT; i++) {
        sum += faults->probability[i];
        if (faults->probability[i] > 0 && draw < sum) {
            faults->left -= faults->counted;
            return (standin_fault_t)i;
        }
    }
    return FAULT_NONE;
}

int64_t standin_faults_latency(const standin_faults_t *faults, uint64_t sequence) {
    const latency_t *latency = &faults->latency;
    rng_t rng = rng_for(faults, sequence, 2);
    double milliseconds = latency->first;
    if (latency->shape == LATENCY_UNIFORM)
        milliseconds += rng_unit(&rng) * (latency->second - latency->first);
    else if (latency->shape == LATENCY_LOGNORMAL)
        milliseconds *= exp(latency->second * rng_normal(&rng));
    return (int64_t)fmin(milliseconds * 1000, 3.6e9);
}
