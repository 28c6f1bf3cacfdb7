/* neuron_json_write.c - neuron records as JSON: the published form for neurons of a subject model,
 * else a record set.
 *
 * The published form names each object's class in `dataclass_name`, as the files of the published
 * pipeline do, so that its own loader takes ours.
 */
#include "core/neuron/neuron_json.h"

#include <math.h>

#include "core/base/json.h"

/* A text in which `'` stands for `"`. */
static bool put(buffer_t *out, const char *text) {
    for (; *text; text++)
        if (!buffer_append_char(out, *text == '\'' ? '"' : *text))
            return false;
    return true;
}

static bool write_tokens(const activation_record_t *record, buffer_t *out) {
    bool done = put(out, "'tokens':[");
    for (size_t i = 0; done && i < record->count; i++)
        done = (i == 0 || put(out, ",")) &&
               json_write_string(out, record->tokens[i].bytes, record->tokens[i].length);
    return done && put(out, "]");
}

static bool write_activations(const activation_record_t *record, buffer_t *out) {
    bool done = put(out, "'activations':[");
    for (size_t i = 0; done && i < record->count; i++)
        done = (i == 0 || put(out, ",")) && json_write_float(out, record->activations[i]);
    return done && put(out, "]");
}

/* `published`: with dataclass_name. */
static bool write_list(const record_list_t *list, bool published, buffer_t *out) {
    bool done = put(out, "[");
    for (size_t i = 0; done && i < list->count; i++) {
        const activation_record_t *record = &list->records[i];
        done = put(out, i ? ",{" : "{") &&
               (!published || put(out, "'dataclass_name':'ActivationRecord',")) &&
               write_tokens(record, out) && put(out, ",") && write_activations(record, out) &&
               put(out, "}");
    }
    return done && put(out, "]");
}

static bool write_number_member(const char *key, double value, buffer_t *out) {
    return put(out, key) && json_write_number(out, value);
}

/* threshold, explanation and baseline score, each only if it is known; each behind a comma. */
static bool write_known(const neuron_record_t *neuron, double threshold, buffer_t *out) {
    return (isnan(threshold) || write_number_member(",'threshold':", threshold, out)) &&
           (!neuron->explanation ||
            (put(out, ",'explanation':") && json_write_text(out, neuron->explanation))) &&
           (isnan(neuron->baseline_score) ||
            write_number_member(",'baseline_score':", neuron->baseline_score, out));
}

static bool write_quantiles(const neuron_record_t *neuron, buffer_t *out) {
    if (!neuron->has_quantiles)
        return true;
    bool done = put(out, ",'quantile_boundaries':[null");
    for (size_t i = 0; done && i < NEURON_QUANTILES; i++)
        done = put(out, ",") && json_write_number(out, neuron->quantiles[i]);
    return done && put(out, ",null]");
}

static bool write_bands(const neuron_record_t *neuron, buffer_t *out) {
    bool done = put(out, ",'random_sample_by_quantile':[");
    for (size_t i = 0; done && i < NEURON_BANDS; i++)
        done = (i == 0 || put(out, ",")) && write_list(&neuron->bands[i], true, out);
    return done && put(out, "]");
}

static bool write_published(const neuron_record_t *neuron, buffer_t *out) {
    return put(out, "{'dataclass_name':'NeuronRecord','neuron_id':{'dataclass_name':'NeuronId','"
                    "layer_index':") &&
           json_write_integer(out, neuron->layer) && put(out, ",'neuron_index':") &&
           json_write_integer(out, neuron->index) && put(out, "},'random_sample':") &&
           write_list(&neuron->random, true, out) && write_bands(neuron, out) &&
           write_quantiles(neuron, out) && write_number_member(",'mean':", neuron->mean, out) &&
           write_number_member(",'variance':", neuron->variance, out) &&
           write_number_member(",'skewness':", neuron->skewness, out) &&
           write_number_member(",'kurtosis':", neuron->kurtosis, out) &&
           (!neuron->has_above_zero ||
            write_number_member(",'above_zero':", neuron->above_zero, out)) &&
           put(out, ",'most_positive_activation_records':") &&
           write_list(&neuron->top, true, out) && write_known(neuron, neuron->threshold, out) &&
           put(out, "}");
}

static bool write_record_set(const neuron_record_t *neuron, buffer_t *out) {
    double threshold = NAN;
    if (!neuron_threshold(neuron, &threshold))
        threshold = NAN;
    return put(out, "{'id':") && json_write_text(out, neuron->id) &&
           write_known(neuron, threshold, out) && put(out, ",'records':") &&
           write_list(&neuron->top, false, out) &&
           (neuron->random.count == 0 ||
            (put(out, ",'score_records':") && write_list(&neuron->random, false, out))) &&
           put(out, "}");
}

bool neuron_json_write(const neuron_record_t *neuron, buffer_t *out) {
    return neuron->source == NEURON_SOURCE_SUBJECT ? write_published(neuron, out)
                                                   : write_record_set(neuron, out);
}
