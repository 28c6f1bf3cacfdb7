/* neuron_json_entry.c - one entry (puzzle, record set, published neuron record) from JSON to
 * a neuron record. */
#include "core/neuron/neuron_json_entry.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/buffer.h"
#include "core/base/memory.h"
#include "core/base/text.h"

enum { SHOWN_KEY = 100 }; /* bytes of a member's name in an error */

static void spell(const neuron_json_place_t *place, buffer_t *out) {
    if (!place)
        return;
    spell(place->up, out);
    if (!place->key) {
        buffer_append_format(out, "[%zu]", place->index);
        return;
    }
    size_t length = strlen(place->key);
    buffer_append_text(out, place->up ? "." : "");
    buffer_append(out, place->key,
                  text_utf8_valid_prefix(place->key, length < SHOWN_KEY ? length : SHOWN_KEY));
}

bool neuron_json_refuse(const neuron_json_source_t *source, const neuron_json_place_t *place,
                        const char *what) {
    buffer_t text = BUFFER_EMPTY;
    if (source->line)
        buffer_append_format(&text, "%s:%zu: ", source->name, source->line);
    else
        buffer_append_format(&text, "%s: ", source->name);
    spell(place, &text);
    error_set(source->error, ERROR_CONFIG, "%s%s%s", buffer_text(&text), place ? ": " : "", what);
    buffer_free(&text);
    return false;
}

static bool refuse_count(const neuron_json_source_t *source, const neuron_json_place_t *place,
                         size_t count, const char *things, int most, const char *fix) {
    char *what = memory_format("%zu %s; at most %d are taken: %s", count, things, most, fix);
    neuron_json_refuse(source, place, what);
    free(what);
    return false;
}

/* --- activation records ----------------------------------------------------------------------- */

static bool take_token(const neuron_json_source_t *source, const neuron_json_place_t *place,
                       const json_value_t *value, token_t *token) {
    const char *bytes = json_as_string(value, &token->length);
    if (!bytes || token->length == 0)
        return neuron_json_refuse(source, place, "a token is a non-empty string");
    token->bytes = memory_copy(bytes, token->length);
    return true;
}

/* The float32 nearest to a decimal. The shortest decimal that stands for FLT_MAX lies a
 * little above it, so the limit is where rounding goes to infinity: half a unit in the
 * last place beyond. */
static bool to_float(double number, float *nearest) {
    static const double ROUNDS_TO_INFINITY = 0x1.ffffffp127;
    if (!(fabs(number) < ROUNDS_TO_INFINITY)) /* NaN fails the comparison too */
        return false;
    *nearest = fabs(number) > (double)FLT_MAX ? copysignf(FLT_MAX, number < 0 ? -1.0F : 1.0F)
                                              : (float)number;
    return true;
}

static bool take_activation(const neuron_json_source_t *source, const neuron_json_place_t *place,
                            const json_value_t *value, float *activation) {
    double number = 0;
    return (json_as_number(value, &number) && to_float(number, activation)) ||
           neuron_json_refuse(source, place, "an activation is a finite number");
}

/* Room for the tokens of `array`, if their number is sound. */
static bool open_record(const neuron_json_source_t *source, const neuron_json_place_t *place,
                        const json_value_t *array, activation_record_t *record) {
    size_t count = json_count(array);
    if (!json_is(array, JSON_KIND_ARRAY) || count == 0)
        return neuron_json_refuse(source, place, "must be a non-empty array");
    if (count > NEURON_MAX_TOKENS)
        return refuse_count(source, place, count, "tokens in one record", NEURON_MAX_TOKENS,
                            "split the record");
    record->tokens = MEMORY_NEW_ARRAY(count, token_t);
    record->activations = MEMORY_NEW_ARRAY(count, float);
    record->count = count;
    return true;
}

typedef bool take_record_t(const neuron_json_source_t *source, const neuron_json_place_t *place,
                           const json_value_t *value, activation_record_t *record);

/* {tokens, activations} */
static bool take_record(const neuron_json_source_t *source, const neuron_json_place_t *place,
                        const json_value_t *value, activation_record_t *record) {
    neuron_json_place_t at_tokens = {place, "tokens", 0},
                        at_activations = {place, "activations", 0};
    const json_value_t *tokens = json_get(value, "tokens"),
                       *activations = json_get(value, "activations");
    if (!open_record(source, &at_tokens, tokens, record))
        return false;
    if (!json_is(activations, JSON_KIND_ARRAY) || json_count(activations) != record->count)
        return neuron_json_refuse(source, &at_activations, "must be an array as long as tokens");
    for (size_t i = 0; i < record->count; i++) {
        neuron_json_place_t at_token = {&at_tokens, NULL, i},
                            at_activation = {&at_activations, NULL, i};
        if (!take_token(source, &at_token, json_at(tokens, i), &record->tokens[i]) ||
            !take_activation(source, &at_activation, json_at(activations, i),
                             &record->activations[i]))
            return false;
    }
    return true;
}

/* A sentence of a puzzle: tokens and [token, activation] pairs. */
static bool take_sentence(const neuron_json_source_t *source, const neuron_json_place_t *place,
                          const json_value_t *value, activation_record_t *record) {
    if (!open_record(source, place, value, record))
        return false;
    for (size_t i = 0; i < record->count; i++) {
        neuron_json_place_t at = {place, NULL, i};
        const json_value_t *item = json_at(value, i);
        bool pair = json_is(item, JSON_KIND_ARRAY);
        if (pair && json_count(item) != 2)
            return neuron_json_refuse(source, &at, "must be a token or a pair [token, activation]");
        if (!take_token(source, &at, pair ? json_at(item, 0) : item, &record->tokens[i]) ||
            (pair && !take_activation(source, &at, json_at(item, 1), &record->activations[i])))
            return false;
    }
    return true;
}

static bool take_list(const neuron_json_source_t *source, const neuron_json_place_t *place,
                      const json_value_t *array, take_record_t *take, record_list_t *list) {
    size_t count = json_count(array);
    if (!json_is(array, JSON_KIND_ARRAY))
        return neuron_json_refuse(source, place, "must be an array");
    if (count > NEURON_MAX_RECORDS)
        return refuse_count(source, place, count, "records", NEURON_MAX_RECORDS, "leave some out");
    list->records = MEMORY_NEW_ARRAY(count, activation_record_t);
    while (list->count < count) {
        neuron_json_place_t at = {place, NULL, list->count};
        const json_value_t *item = json_at(array, list->count);
        /* counted: what was read of it is released */
        if (!take(source, &at, item, &list->records[list->count++]))
            return false;
    }
    return true;
}

/* A list member; one that is absent or null is refused if `required`, else left empty. */
static bool take_list_member(const neuron_json_source_t *source, const neuron_json_place_t *place,
                             const json_value_t *object, const char *key, bool required,
                             take_record_t *take, record_list_t *list) {
    neuron_json_place_t at = {place, key, 0};
    const json_value_t *array = json_get(object, key);
    if (!required && json_is(array, JSON_KIND_NULL))
        return true;
    return take_list(source, &at, array, take, list);
}

/* --- the other members ------------------------------------------------------------------------ */

/* Owned text of a member; absent or null leaves NULL. */
static bool take_text(const neuron_json_source_t *source, const neuron_json_place_t *place,
                      const json_value_t *object, const char *key, char **text) {
    neuron_json_place_t at = {place, key, 0};
    const json_value_t *value = json_get(object, key);
    size_t length = 0;
    const char *bytes = json_as_string(value, &length);
    if (!bytes)
        return json_is(value, JSON_KIND_NULL) ||
               neuron_json_refuse(source, &at, "must be a string");
    if (strlen(bytes) != length)
        return neuron_json_refuse(source, &at, "holds a NUL character");
    *text = memory_copy(bytes, length);
    return true;
}

/* A statistic; absent, null or not finite leaves NaN: not known. */
static bool take_statistic(const neuron_json_source_t *source, const neuron_json_place_t *place,
                           const json_value_t *object, const char *key, double *number) {
    neuron_json_place_t at = {place, key, 0};
    const json_value_t *value = json_get(object, key);
    *number = NAN;
    if (json_is(value, JSON_KIND_NULL))
        return true;
    if (!json_as_number(value, number))
        return neuron_json_refuse(source, &at, "must be a number");
    if (!isfinite(*number))
        *number = NAN;
    return true;
}

/* threshold, explanation, baseline_score: each may be missing. */
static bool take_known(const neuron_json_source_t *source, const neuron_json_place_t *place,
                       const json_value_t *object, neuron_record_t *neuron) {
    return take_statistic(source, place, object, "threshold", &neuron->threshold) &&
           take_statistic(source, place, object, "baseline_score", &neuron->baseline_score) &&
           take_text(source, place, object, "explanation", &neuron->explanation);
}

static bool take_quantiles(const neuron_json_source_t *source, const neuron_json_place_t *place,
                           const json_value_t *object, neuron_record_t *neuron) {
    neuron_json_place_t at = {place, "quantile_boundaries", 0};
    const json_value_t *array = json_get(object, at.key);
    if (json_is(array, JSON_KIND_NULL))
        return true;
    size_t count = json_count(array), first = count == NEURON_QUANTILES + 2 ? 1 : 0;
    if (!json_is(array, JSON_KIND_ARRAY) || (count != NEURON_QUANTILES && first == 0))
        return neuron_json_refuse(
            source, &at,
            "must be four boundaries (0.5, 0.9, 0.99, 0.999), alone or between two nulls");
    if (first && (!json_is(json_at(array, 0), JSON_KIND_NULL) ||
                  !json_is(json_at(array, count - 1), JSON_KIND_NULL)))
        return neuron_json_refuse(source, &at,
                                  "the first and the last of six boundaries must be null");
    size_t known = 0;
    for (size_t i = 0; i < NEURON_QUANTILES; i++) {
        const json_value_t *value = json_at(array, first + i);
        double number = NAN;
        if (!json_is(value, JSON_KIND_NULL) && !json_as_number(value, &number))
            return neuron_json_refuse(source, &at, "must hold numbers");
        known += isfinite(number) != 0;
        neuron->quantiles[i] = number;
        if (i > 0 && number < neuron->quantiles[i - 1])
            return neuron_json_refuse(source, &at, "must not fall from one to the next");
    }
    neuron->has_quantiles = known == NEURON_QUANTILES;
    return known == 0 || neuron->has_quantiles ||
           neuron_json_refuse(source, &at, "must be known all or none");
}

static bool take_bands(const neuron_json_source_t *source, const neuron_json_place_t *place,
                       const json_value_t *object, neuron_record_t *neuron) {
    neuron_json_place_t at = {place, "random_sample_by_quantile", 0};
    const json_value_t *array = json_get(object, at.key);
    if (json_is(array, JSON_KIND_NULL))
        return true;
    if (!json_is(array, JSON_KIND_ARRAY) || json_count(array) != NEURON_BANDS)
        return neuron_json_refuse(source, &at, "must be an array of 5 lists of records");
    for (size_t i = 0; i < NEURON_BANDS; i++) {
        neuron_json_place_t at_band = {&at, NULL, i};
        if (!take_list(source, &at_band, json_at(array, i), take_record, &neuron->bands[i]))
            return false;
    }
    return true;
}

static bool take_above_zero(const neuron_json_source_t *source, const neuron_json_place_t *place,
                            const json_value_t *entry, neuron_record_t *neuron) {
    double above_zero = NAN;
    if (!take_statistic(source, place, entry, "above_zero", &above_zero))
        return false;
    neuron->has_above_zero = !isnan(above_zero);
    neuron->above_zero = neuron->has_above_zero ? above_zero : 0;
    return true;
}

/* --- entries ---------------------------------------------------------------------------------- */

static bool fill_published(const neuron_json_source_t *source, const neuron_json_place_t *place,
                           const json_value_t *entry, neuron_record_t *neuron) {
    neuron_json_place_t at = {place, "neuron_id", 0};
    int64_t layer = -1, index = -1;
    if (!json_as_integer(json_path(entry, "neuron_id.layer_index"), &layer) ||
        !json_as_integer(json_path(entry, "neuron_id.neuron_index"), &index) || layer < 0 ||
        layer > INT32_MAX || index < 0 || index > INT32_MAX)
        return neuron_json_refuse(source, &at,
                                  "must have layer_index and neuron_index, whole numbers from 0");
    neuron->source = NEURON_SOURCE_SUBJECT;
    neuron->layer = (int32_t)layer;
    neuron->index = (int32_t)index;
    neuron->id = memory_format("%d:%d", neuron->layer, neuron->index);
    return take_list_member(source, place, entry, "most_positive_activation_records", true,
                            take_record, &neuron->top) &&
           take_list_member(source, place, entry, "random_sample", false, take_record,
                            &neuron->random) &&
           take_bands(source, place, entry, neuron) &&
           take_quantiles(source, place, entry, neuron) &&
           take_statistic(source, place, entry, "mean", &neuron->mean) &&
           take_statistic(source, place, entry, "variance", &neuron->variance) &&
           take_statistic(source, place, entry, "skewness", &neuron->skewness) &&
           take_statistic(source, place, entry, "kurtosis", &neuron->kurtosis) &&
           take_above_zero(source, place, entry, neuron) &&
           take_known(source, place, entry, neuron);
}

static bool take_id(const neuron_json_source_t *source, const neuron_json_place_t *place,
                    const json_value_t *entry, const char *key, neuron_record_t *neuron) {
    neuron_json_place_t at = {place, key, 0};
    if (!take_text(source, place, entry, key, &neuron->id))
        return false;
    return (neuron->id && neuron->id[0]) ||
           neuron_json_refuse(source, &at, "must be a non-empty string");
}

static bool require_records(const neuron_json_source_t *source, const neuron_json_place_t *place,
                            const char *key, const neuron_record_t *neuron) {
    neuron_json_place_t at = {place, key, 0};
    return neuron->top.count > 0 || neuron_json_refuse(source, &at, "must not be empty");
}

static bool fill_record_set(const neuron_json_source_t *source, const neuron_json_place_t *place,
                            const json_value_t *entry, neuron_record_t *neuron) {
    neuron->source = NEURON_SOURCE_RECORDS;
    return take_id(source, place, entry, "id", neuron) &&
           take_known(source, place, entry, neuron) &&
           take_list_member(source, place, entry, "records", true, take_record, &neuron->top) &&
           require_records(source, place, "records", neuron) &&
           take_list_member(source, place, entry, "score_records", false, take_record,
                            &neuron->random);
}

static bool fill_puzzle(const neuron_json_source_t *source, const neuron_json_place_t *place,
                        const json_value_t *entry, neuron_record_t *neuron) {
    neuron_json_place_t at = {place, "explanation", 0};
    neuron->source = NEURON_SOURCE_PUZZLE;
    if (!take_id(source, place, entry, "name", neuron) ||
        !take_text(source, place, entry, "explanation", &neuron->explanation))
        return false;
    if (!neuron->explanation)
        return neuron_json_refuse(source, &at, "is missing: a puzzle has a known answer");
    return take_list_member(source, place, entry, "sentences", true, take_sentence, &neuron->top) &&
           require_records(source, place, "sentences", neuron) &&
           take_list_member(source, place, entry, "score_sentences", false, take_sentence,
                            &neuron->random);
}

typedef bool fill_t(const neuron_json_source_t *source, const neuron_json_place_t *place,
                    const json_value_t *entry, neuron_record_t *neuron);

/* The kind of an entry by its members, NULL if it is none. By the type of a member too: in an
 * object of puzzles, any word may be a puzzle's name. */
static fill_t *kind_of(const json_value_t *entry) {
    const json_value_t *id = json_get(entry, "neuron_id");
    if (json_is(id, JSON_KIND_OBJECT) && !json_get(id, "sentences"))
        return fill_published;
    if (json_is(json_get(entry, "records"), JSON_KIND_ARRAY))
        return fill_record_set;
    if (json_is(json_get(entry, "sentences"), JSON_KIND_ARRAY))
        return fill_puzzle;
    return NULL;
}

bool neuron_json_is_entry(const json_value_t *value) {
    return kind_of(value) != NULL;
}

bool neuron_json_is_puzzle(const json_value_t *value) {
    return kind_of(value) == fill_puzzle;
}

neuron_record_t *neuron_json_entry(const neuron_json_source_t *source,
                                   const neuron_json_place_t *place, const json_value_t *entry) {
    fill_t *fill = kind_of(entry);
    if (!fill) {
        neuron_json_refuse(source, place,
                           "is no puzzle (name, sentences), record set (id, records) or neuron "
                           "record (neuron_id)");
        return NULL;
    }
    neuron_record_t *neuron = MEMORY_NEW(neuron_record_t);
    neuron->layer = neuron->index = -1;
    neuron->mean = neuron->variance = neuron->skewness = neuron->kurtosis = NAN;
    neuron->threshold = neuron->baseline_score = NAN;
    if (fill(source, place, entry, neuron))
        return neuron;
    neuron_record_free(neuron);
    return NULL;
}
