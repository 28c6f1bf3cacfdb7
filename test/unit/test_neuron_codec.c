/* test_neuron_codec.c - the canonical form: round trips, one form for equal records, and bytes
 * that no encoder wrote.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/memory.h"
#include "core/base/pack.h"
#include "core/neuron/neuron_codec.h"

static activation_record_t record_of(size_t count, const char *const *tokens,
                                     const float *activations) {
    activation_record_t record = {.count = count,
                                  .tokens = MEMORY_NEW_ARRAY(count, token_t),
                                  .activations =
                                      memory_copy(activations, count * sizeof *activations)};
    for (size_t i = 0; i < count; i++)
        record.tokens[i] =
            (token_t){.bytes = memory_copy_string(tokens[i]), .length = strlen(tokens[i])};
    return record;
}

static record_list_t list_of(activation_record_t first, activation_record_t second) {
    record_list_t list = {.count = 2, .records = MEMORY_NEW_ARRAY(2, activation_record_t)};
    list.records[0] = first;
    list.records[1] = second;
    return list;
}

/* A record with everything: half a character, a NUL, extreme floats. */
static neuron_record_t *sample_neuron(void) {
    const char *tokens[] = {"a", "\xe2\x82", "\n\t", " b"};
    const float some[] = {0, 1.5F, -0.17F, FLT_MAX}, others[] = {FLT_TRUE_MIN, 2};
    neuron_record_t *neuron = MEMORY_NEW(neuron_record_t);
    *neuron = (neuron_record_t){.source = NEURON_SOURCE_SUBJECT,
                                .id = memory_copy_string("5:131"),
                                .layer = 5,
                                .index = 131,
                                .has_quantiles = true,
                                .quantiles = {0.5, 1, 2, 3.25},
                                .mean = 0.25,
                                .variance = NAN,
                                .skewness = -1,
                                .kurtosis = 7,
                                .threshold = NAN,
                                .explanation = memory_copy_string("caf\xc3\xa9 words"),
                                .baseline_score = 0.5};
    neuron->top = list_of(record_of(4, tokens, some), record_of(2, tokens, others));
    neuron->random = list_of(record_of(1, tokens, others), record_of(2, tokens + 2, some));
    neuron->bands[4] = list_of(record_of(1, tokens, some), record_of(1, tokens, others));
    free(neuron->top.records[0].tokens[0].bytes);
    neuron->top.records[0].tokens[0] = (token_t){.bytes = memory_copy("\0x", 2), .length = 2};
    return neuron;
}

static buffer_t encoded(const neuron_record_t *neuron) {
    buffer_t bytes = BUFFER_EMPTY;
    neuron_codec_encode(neuron, &bytes);
    return bytes;
}

static void assert_same_bytes(const neuron_record_t *a, const neuron_record_t *b, bool same) {
    buffer_t left = encoded(a), right = encoded(b);
    assert_int_equal(left.length == right.length && memcmp(left.data, right.data, left.length) == 0,
                     same);
    assert_int_equal(hash_equal(neuron_codec_hash(a), neuron_codec_hash(b)), same);
    buffer_free(&left);
    buffer_free(&right);
}

static void assert_refused(const buffer_t *bytes) {
    error_info_t error = {0};
    assert_null(neuron_codec_decode(bytes->data, bytes->length, &error));
    assert_int_equal(error.class_, ERROR_FATAL);
    assert_true(error.message[0] != '\0');
}

/* --- round trips ------------------------------------------------------------------------------ */

static void round_trip(void **state) {
    (void)state;
    neuron_record_t *neuron = sample_neuron();
    buffer_t bytes = encoded(neuron);
    error_info_t error = {0};
    neuron_record_t *read = neuron_codec_decode(bytes.data, bytes.length, &error);
    assert_non_null(read);
    assert_int_equal(read->source, NEURON_SOURCE_SUBJECT);
    assert_string_equal(read->id, "5:131");
    assert_int_equal(read->layer, 5);
    assert_int_equal(read->index, 131);
    assert_int_equal(read->top.count, 2);
    assert_int_equal(read->random.count, 2);
    assert_int_equal(read->bands[0].count, 0);
    assert_int_equal(read->bands[4].count, 2);
    const activation_record_t *record = &read->top.records[0];
    assert_int_equal(record->count, 4);
    assert_int_equal(record->tokens[0].length, 2);
    assert_memory_equal(record->tokens[0].bytes, "\0x\0", 3);
    assert_string_equal(record->tokens[1].bytes, "\xe2\x82");
    assert_memory_equal(record->activations, neuron->top.records[0].activations, 4 * sizeof(float));
    assert_true(read->has_quantiles);
    assert_true(read->quantiles[3] == 3.25);
    assert_true(read->mean == 0.25 && isnan(read->variance) && read->kurtosis == 7 &&
                isnan(read->threshold));
    assert_string_equal(read->explanation, "caf\xc3\xa9 words");
    assert_true(read->baseline_score == 0.5);
    assert_same_bytes(neuron, read, true);
    buffer_free(&bytes);
    neuron_record_free(read);
    neuron_record_free(neuron);
}

static void smallest_record(void **state) {
    (void)state;
    neuron_record_t *neuron = MEMORY_NEW(neuron_record_t);
    *neuron = (neuron_record_t){.source = NEURON_SOURCE_PUZZLE,
                                .id = memory_copy_string("x"),
                                .layer = -1,
                                .index = -1,
                                .threshold = NAN};
    buffer_t bytes = encoded(neuron);
    neuron_record_t *read = neuron_codec_decode(bytes.data, bytes.length, NULL);
    assert_non_null(read);
    assert_false(read->has_quantiles);
    assert_null(read->explanation);
    assert_int_equal(read->layer, -1);
    buffer_free(&bytes);
    neuron_record_free(read);
    neuron_record_free(neuron);
}

static void appends_behind_what_is_there(void **state) {
    (void)state;
    neuron_record_t *neuron = sample_neuron();
    buffer_t bytes = BUFFER_EMPTY, alone = encoded(neuron);
    buffer_append_text(&bytes, "before");
    neuron_codec_encode(neuron, &bytes);
    assert_int_equal(bytes.length, alone.length + 6);
    assert_memory_equal(bytes.data + 6, alone.data, alone.length);
    buffer_free(&bytes);
    buffer_free(&alone);
    neuron_record_free(neuron);
}

/* --- equality --------------------------------------------------------------------------------- */

static void equal_records_have_equal_bytes(void **state) {
    (void)state;
    neuron_record_t *a = sample_neuron(), *b = sample_neuron();
    assert_same_bytes(a, b, true);
    b->variance = -(double)NAN; /* one NaN is as good as another */
    b->top.records[0].activations[0] = -0.0F;
    a->mean = 0;
    b->mean = -0.0;
    assert_same_bytes(a, b, true);
    a->has_quantiles = b->has_quantiles = false;
    b->quantiles[0] = 99; /* not there, so it does not count */
    assert_same_bytes(a, b, true);
    neuron_record_free(a);
    neuron_record_free(b);
}

enum { CHANGES = 14 };

/* Makes one member different. */
static void change(neuron_record_t *neuron, int which) {
    switch (which) {
    case 0: neuron->source = NEURON_SOURCE_RECORDS; break;
    case 1: neuron->id[0] = '6'; break;
    case 2: neuron->layer = 6; break;
    case 3: neuron->index = 132; break;
    case 4: neuron->top.records[1].tokens[0].bytes[0] = 'A'; break;
    case 5: neuron->random.records[1].activations[1] = 3; break;
    case 6: neuron->bands[4].records[0].activations[0] = 1; break;
    case 7: neuron->has_quantiles = false; break;
    case 8: neuron->quantiles[3] = 3.5; break;
    case 9: neuron->kurtosis = NAN; break;
    case 10: neuron->threshold = 1; break;
    case 11: neuron->explanation[0] = 'C'; break;
    case 12: neuron->baseline_score = 0.25; break;
    case 13: /* the same lists, in other places */
        neuron->bands[3] = neuron->bands[4];
        neuron->bands[4] = (record_list_t){0};
        break;
    default: fail();
    }
}

static void every_member_counts(void **state) {
    (void)state;
    for (int i = 0; i < CHANGES; i++) {
        neuron_record_t *a = sample_neuron(), *b = sample_neuron();
        change(b, i);
        assert_same_bytes(a, b, false);
        neuron_record_free(a);
        neuron_record_free(b);
    }
}

/* --- bytes that no encoder wrote -------------------------------------------------------------- */

static void truncation_and_trailing_bytes(void **state) {
    (void)state;
    neuron_record_t *neuron = sample_neuron();
    buffer_t bytes = encoded(neuron);
    for (size_t length = 0; length < bytes.length; length++) {
        buffer_t cut = BUFFER_EMPTY;
        cut.data = malloc(length ? length : 1); /* no byte behind: the sanitizer sees an overrun */
        cut.length = length;
        assert_non_null(cut.data);
        memcpy(cut.data, bytes.data, length);
        assert_refused(&cut);
        free(cut.data);
    }
    buffer_append_char(&bytes, 0);
    assert_refused(&bytes);
    buffer_free(&bytes);
    neuron_record_free(neuron);
}

/* Any one byte changed: refused, or another valid record whose bytes are exactly these. */
static void flipped_bytes(void **state) {
    (void)state;
    neuron_record_t *neuron = sample_neuron();
    buffer_t bytes = encoded(neuron);
    for (size_t i = 0; i < bytes.length; i++)
        for (unsigned bit = 0; bit < 8; bit++) {
            bytes.data[i] = (char)((unsigned char)bytes.data[i] ^ (1U << bit));
            neuron_record_t *read = neuron_codec_decode(bytes.data, bytes.length, NULL);
            if (read) {
                buffer_t again = encoded(read);
                assert_int_equal(again.length, bytes.length);
                assert_memory_equal(again.data, bytes.data, bytes.length);
                buffer_free(&again);
                neuron_record_free(read);
            }
            bytes.data[i] = (char)((unsigned char)bytes.data[i] ^ (1U << bit));
        }
    buffer_free(&bytes);
    neuron_record_free(neuron);
}

enum { BREAKS = 9 };

/* Makes the record one that breaks a promise of neuron.h. */
static void break_promise(neuron_record_t *neuron, int which) {
    switch (which) {
    case 0: neuron->layer = -1; break;
    case 1: neuron->index = -7; break;
    case 2: neuron->id[0] = '\0'; break;
    case 3: neuron->top.records[0].activations[1] = (float)INFINITY; break;
    case 4: neuron->top.records[0].activations[1] = (float)NAN; break;
    case 5: neuron->top.records[0].tokens[1].length = 0; break;
    case 6: neuron->source = NEURON_SOURCE_PUZZLE; break; /* with a layer */
    case 7: neuron->source = (neuron_source_t)3; break;
    case 8: activation_record_free(&neuron->random.records[0]); break; /* no tokens */
    default: fail();
    }
}

static void broken_promises(void **state) {
    (void)state;
    for (int i = 0; i < BREAKS; i++) {
        neuron_record_t *neuron = sample_neuron();
        break_promise(neuron, i);
        buffer_t bytes = encoded(neuron);
        assert_refused(&bytes);
        buffer_free(&bytes);
        neuron_record_free(neuron);
    }
}

static void limits(void **state) {
    (void)state;
    enum { MANY = NEURON_MAX_TOKENS + 1 };
    const char **tokens = MEMORY_NEW_ARRAY(MANY, const char *);
    float *activations = MEMORY_NEW_ARRAY(MANY, float);
    for (size_t i = 0; i < MANY; i++)
        tokens[i] = "t";
    for (size_t count = NEURON_MAX_TOKENS; count <= MANY; count++) {
        neuron_record_t *neuron = sample_neuron();
        activation_record_free(&neuron->top.records[0]);
        neuron->top.records[0] = record_of(count, tokens, activations);
        buffer_t bytes = encoded(neuron);
        neuron_record_t *read = neuron_codec_decode(bytes.data, bytes.length, NULL);
        assert_int_equal(read != NULL, count <= NEURON_MAX_TOKENS);
        neuron_record_free(read);
        buffer_free(&bytes);
        neuron_record_free(neuron);
    }
    free(tokens);
    free(activations);
}

static void another_version_is_named(void **state) {
    (void)state;
    buffer_t bytes = BUFFER_EMPTY;
    pack_array(&bytes, 2);
    pack_integer(&bytes, 77);
    pack_integer(&bytes, 0);
    error_info_t error = {0};
    assert_null(neuron_codec_decode(bytes.data, bytes.length, &error));
    assert_non_null(strstr(error.message, "version 77"));
    buffer_free(&bytes);
}

/* The identities of all stored records stand on this: a change is a new version of the codec. */
static void form_is_frozen(void **state) {
    (void)state;
    neuron_record_t *neuron = sample_neuron();
    char text[HASH_TEXT_SIZE];
    hash_to_text(neuron_codec_hash(neuron), text);
    assert_string_equal(text, "e65264cac08c12a710b62213c965edb3");
    neuron_record_free(neuron);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(round_trip),
        cmocka_unit_test(smallest_record),
        cmocka_unit_test(appends_behind_what_is_there),
        cmocka_unit_test(equal_records_have_equal_bytes),
        cmocka_unit_test(every_member_counts),
        cmocka_unit_test(truncation_and_trailing_bytes),
        cmocka_unit_test(flipped_bytes),
        cmocka_unit_test(broken_promises),
        cmocka_unit_test(limits),
        cmocka_unit_test(another_version_is_named),
        cmocka_unit_test(form_is_frozen),
    };
    return cmocka_run_group_tests_name("neuron_codec", tests, NULL, NULL);
}
