/* results.c - msgpack forms of the results. */
#include "actors/sweep/results.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/memory.h"
#include "core/base/pack.h"

int64_t result_version(const void *bytes, size_t size) {
    pack_reader_t *reader = pack_reader_open(bytes, size);
    bool good = pack_read_array(reader) > 0;
    int64_t version = pack_read_integer(reader);
    good = good && !pack_reader_failed(reader) && version > 0;
    pack_reader_close(reader);
    return good ? version : 0;
}

/* Opens an array of `members` whose first is `version`. NULL: it is no such one. */
static pack_reader_t *open_result(const void *bytes, size_t size, size_t members, int64_t version) {
    pack_reader_t *reader = pack_reader_open(bytes, size);
    if (pack_read_array(reader) == members && pack_read_integer(reader) == version)
        return reader;
    pack_reader_close(reader);
    return NULL;
}

void explain_result_encode(const explain_result_t *result, buffer_t *out) {
    pack_array(out, 6);
    pack_integer(out, EXPLAIN_RESULT_VERSION);
    pack_text(out, result->text);
    pack_integer(out, result->prompt_tokens);
    pack_integer(out, result->completion_tokens);
    pack_integer(out, result->dropped);
    pack_hash(out, result->request);
}

bool explain_result_decode(const void *bytes, size_t size, explain_result_t *result) {
    *result = (explain_result_t){0};
    pack_reader_t *reader = open_result(bytes, size, 6, EXPLAIN_RESULT_VERSION);
    if (!reader)
        return false;
    result->text = pack_read_text(reader);
    result->prompt_tokens = pack_read_integer(reader);
    result->completion_tokens = pack_read_integer(reader);
    result->dropped = pack_read_integer(reader);
    result->request = pack_read_hash(reader);
    if (pack_reader_close(reader) && result->text)
        return true;
    explain_result_clear(result);
    return false;
}

void explain_result_clear(explain_result_t *result) {
    free(result->text);
    *result = (explain_result_t){0};
}

void simulate_result_encode(const simulate_result_t *result, buffer_t *out) {
    pack_array(out, 7);
    pack_integer(out, SIMULATE_RESULT_VERSION);
    pack_binary(out, result->expected, result->count * sizeof(double));
    pack_integer(out, result->unseen);
    pack_integer(out, result->dropped);
    pack_integer(out, result->prompt_tokens);
    pack_integer(out, result->completion_tokens);
    pack_hash(out, result->request);
}

bool simulate_result_decode(const void *bytes, size_t size, simulate_result_t *result) {
    *result = (simulate_result_t){0};
    pack_reader_t *reader = open_result(bytes, size, 7, SIMULATE_RESULT_VERSION);
    if (!reader)
        return false;
    size_t length;
    const void *values = pack_read_binary(reader, &length);
    result->count = length / sizeof(double);
    result->expected = memory_copy(values ? values : "", result->count * sizeof(double));
    result->unseen = pack_read_integer(reader);
    result->dropped = pack_read_integer(reader);
    result->prompt_tokens = pack_read_integer(reader);
    result->completion_tokens = pack_read_integer(reader);
    result->request = pack_read_hash(reader);
    if (pack_reader_close(reader) && length % sizeof(double) == 0)
        return true;
    simulate_result_clear(result);
    return false;
}

void simulate_result_clear(simulate_result_t *result) {
    free(result->expected);
    *result = (simulate_result_t){0};
}

void score_result_encode(const score_result_t *result, buffer_t *out) {
    pack_array(out, 6);
    pack_integer(out, SCORE_RESULT_VERSION);
    pack_number(out, result->score.correlation);
    pack_number(out, result->score.rsquared);
    pack_number(out, result->score.absdev);
    pack_integer(out, result->records);
    pack_integer(out, result->tokens);
}

bool score_result_decode(const void *bytes, size_t size, score_result_t *result) {
    *result = (score_result_t){0};
    pack_reader_t *reader = open_result(bytes, size, 6, SCORE_RESULT_VERSION);
    if (!reader)
        return false;
    result->score.correlation = pack_read_number(reader);
    result->score.rsquared = pack_read_number(reader);
    result->score.absdev = pack_read_number(reader);
    result->records = pack_read_integer(reader);
    result->tokens = pack_read_integer(reader);
    return pack_reader_close(reader);
}

void adacs_result_encode(double cosine, buffer_t *out) {
    pack_array(out, 2);
    pack_integer(out, ADACS_RESULT_VERSION);
    pack_number(out, cosine);
}

bool adacs_result_decode(const void *bytes, size_t size, double *cosine) {
    pack_reader_t *reader = open_result(bytes, size, 2, ADACS_RESULT_VERSION);
    if (!reader)
        return false;
    *cosine = pack_read_number(reader);
    return pack_reader_close(reader);
}
