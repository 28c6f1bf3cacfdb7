/* neuron_codec.c - neuron records as msgpack: one array, version first, members in the
 * order of the struct.
 *
 *   [version, source, id, layer, index, top, random, [band x5], [quantile x4] or [],
 *    [mean, variance, skewness, kurtosis], threshold, explanation | nil, baseline_score,
 *    above_zero]
 *
 * A list is an array of records; a record is [[token, ...], activations]; a token is a binary.
 *
 * Version 1 is without the last member: records of which it is not known, so that their bytes
 * stay what they were.
 *
 * Canonical: all NaN are one NaN and -0 is 0, so that records that are equal have equal bytes. The
 * decoder holds its input to that by encoding again what it read.
 */
#include "core/neuron/neuron_codec.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/memory.h"
#include "core/base/pack.h"

enum { CODEC_VERSION = 2, CODEC_MEMBERS = 14, RECORD_MEMBERS = 2, MOMENTS = 4 };

/* --- encoding --------------------------------------------------------------------------------- */

static void encode_number(buffer_t *out, double value) {
    pack_number(out, isnan(value) ? (double)NAN : value + 0.0); /* -0 + 0 is 0 */
}

static void encode_activations(buffer_t *out, const activation_record_t *record) {
    float *canonical = MEMORY_NEW_ARRAY(record->count, float);
    for (size_t i = 0; i < record->count; i++)
        canonical[i] = record->activations[i] + 0.0f;
    pack_floats(out, canonical, record->count);
    free(canonical);
}

static void encode_list(buffer_t *out, const record_list_t *list) {
    pack_array(out, list->count);
    for (size_t i = 0; i < list->count; i++) {
        const activation_record_t *record = &list->records[i];
        pack_array(out, RECORD_MEMBERS);
        pack_array(out, record->count);
        for (size_t j = 0; j < record->count; j++)
            pack_binary(out, record->tokens[j].bytes, record->tokens[j].length);
        encode_activations(out, record);
    }
}

static void encode_quantiles(buffer_t *out, const neuron_record_t *neuron) {
    pack_array(out, neuron->has_quantiles ? NEURON_QUANTILES : 0);
    for (size_t i = 0; neuron->has_quantiles && i < NEURON_QUANTILES; i++)
        encode_number(out, neuron->quantiles[i]);
}

void neuron_codec_encode(const neuron_record_t *neuron, buffer_t *out) {
    bool last = neuron->has_above_zero;
    pack_array(out, last ? CODEC_MEMBERS : CODEC_MEMBERS - 1);
    pack_integer(out, last ? CODEC_VERSION : CODEC_VERSION - 1);
    pack_integer(out, neuron->source);
    pack_text(out, neuron->id);
    pack_integer(out, neuron->layer);
    pack_integer(out, neuron->index);
    encode_list(out, &neuron->top);
    encode_list(out, &neuron->random);
    pack_array(out, NEURON_BANDS);
    for (size_t i = 0; i < NEURON_BANDS; i++)
        encode_list(out, &neuron->bands[i]);
    encode_quantiles(out, neuron);
    pack_array(out, MOMENTS);
    encode_number(out, neuron->mean);
    encode_number(out, neuron->variance);
    encode_number(out, neuron->skewness);
    encode_number(out, neuron->kurtosis);
    encode_number(out, neuron->threshold);
    pack_text(out, neuron->explanation);
    encode_number(out, neuron->baseline_score);
    if (last)
        encode_number(out, neuron->above_zero);
}

hash_t neuron_codec_hash(const neuron_record_t *neuron) {
    buffer_t bytes = BUFFER_EMPTY;
    neuron_codec_encode(neuron, &bytes);
    hash_t hash = hash_bytes(bytes.data, bytes.length);
    buffer_free(&bytes);
    return hash;
}

/* --- decoding --------------------------------------------------------------------------------- */

static bool decode_activations(pack_reader_t *reader, activation_record_t *record) {
    size_t count = 0;
    record->activations = pack_read_floats(reader, &count);
    if (!record->activations || count != record->count)
        return false;
    for (size_t i = 0; i < count; i++)
        if (!isfinite(record->activations[i]))
            return false;
    return true;
}

static bool decode_record(pack_reader_t *reader, activation_record_t *record) {
    if (pack_read_array(reader) != RECORD_MEMBERS)
        return false;
    size_t count = pack_read_array(reader);
    if (count == 0 || count > NEURON_MAX_TOKENS)
        return false;
    record->tokens = MEMORY_NEW_ARRAY(count, token_t);
    record->count = count;
    for (size_t i = 0; i < count; i++) {
        size_t length = 0;
        const void *bytes = pack_read_binary(reader, &length);
        if (!bytes || length == 0)
            return false;
        record->tokens[i] = (token_t){.bytes = memory_copy(bytes, length), .length = length};
    }
    return decode_activations(reader, record);
}

static bool decode_list(pack_reader_t *reader, record_list_t *list) {
    size_t count = pack_read_array(reader);
    if (pack_reader_failed(reader) || count > NEURON_MAX_RECORDS)
        return false;
    list->records = MEMORY_NEW_ARRAY(count, activation_record_t);
    while (list->count < count)
        /* counted first: a part is released too */
        if (!decode_record(reader, &list->records[list->count++]))
            return false;
    return true;
}

static bool decode_identity(pack_reader_t *reader, neuron_record_t *neuron) {
    int64_t source = pack_read_integer(reader);
    neuron->id = pack_read_text(reader);
    int64_t layer = pack_read_integer(reader);
    int64_t index = pack_read_integer(reader);
    int64_t least = source == NEURON_SOURCE_SUBJECT ? 0 : -1;
    int64_t most = source == NEURON_SOURCE_SUBJECT ? INT32_MAX : -1;
    if (source < NEURON_SOURCE_SUBJECT || source > NEURON_SOURCE_RECORDS || !neuron->id ||
        !neuron->id[0] || layer < least || layer > most || index < least || index > most)
        return false;
    neuron->source = (neuron_source_t)source;
    neuron->layer = (int32_t)layer;
    neuron->index = (int32_t)index;
    return true;
}

static bool decode_lists(pack_reader_t *reader, neuron_record_t *neuron) {
    if (!decode_list(reader, &neuron->top) || !decode_list(reader, &neuron->random) ||
        pack_read_array(reader) != NEURON_BANDS)
        return false;
    for (size_t i = 0; i < NEURON_BANDS; i++)
        if (!decode_list(reader, &neuron->bands[i]))
            return false;
    return true;
}

static bool decode_statistics(pack_reader_t *reader, neuron_record_t *neuron) {
    size_t quantiles = pack_read_array(reader);
    if (quantiles != 0 && quantiles != NEURON_QUANTILES)
        return false;
    neuron->has_quantiles = quantiles != 0;
    for (size_t i = 0; i < quantiles; i++)
        neuron->quantiles[i] = pack_read_number(reader);
    if (pack_read_array(reader) != MOMENTS)
        return false;
    neuron->mean = pack_read_number(reader);
    neuron->variance = pack_read_number(reader);
    neuron->skewness = pack_read_number(reader);
    neuron->kurtosis = pack_read_number(reader);
    neuron->threshold = pack_read_number(reader);
    neuron->explanation = pack_read_text(reader);
    neuron->baseline_score = pack_read_number(reader);
    if (neuron->has_above_zero)
        neuron->above_zero = pack_read_number(reader);
    return true;
}

/* Whether the encoder would have written exactly these bytes. */
static bool is_canonical(const neuron_record_t *neuron, const void *bytes, size_t length) {
    buffer_t again = BUFFER_EMPTY;
    neuron_codec_encode(neuron, &again);
    bool same = again.length == length && memcmp(again.data, bytes, length) == 0;
    buffer_free(&again);
    return same;
}

neuron_record_t *neuron_codec_decode(const void *bytes, size_t length, error_info_t *error) {
    neuron_record_t *neuron = MEMORY_NEW(neuron_record_t);
    pack_reader_t *reader = pack_reader_open(bytes, length);
    size_t members = pack_read_array(reader);
    int64_t version = pack_read_integer(reader);
    bool known = version >= 1 && version <= CODEC_VERSION &&
                 members == CODEC_MEMBERS - (size_t)(CODEC_VERSION - version);
    neuron->has_above_zero = version == CODEC_VERSION;
    bool whole = known && decode_identity(reader, neuron) && decode_lists(reader, neuron) &&
                 decode_statistics(reader, neuron);
    whole = pack_reader_close(reader) && whole && is_canonical(neuron, bytes, length);
    if (whole)
        return neuron;
    neuron_record_free(neuron);
    if (known)
        error_set(error, ERROR_FATAL, "a stored neuron record of %zu bytes is damaged", length);
    else
        error_set(error, ERROR_FATAL,
                  "a stored neuron record is of version %lld; this glia reads version %d",
                  (long long)version, CODEC_VERSION);
    return NULL;
}
