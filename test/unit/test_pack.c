/* Tests of pack.h: round trips, and that no cut, changed or lying bytes get past the reader. */
/* clang-format off */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/pack.h"
#include "core/base/rng.h"
#include "test/unit/death.h"

static const int64_t integers[] = {0,
                                   1,
                                   -1,
                                   127,
                                   128,
                                   -32,
                                   -33,
                                   -128,
                                   -129,
                                   255,
                                   256,
                                   65535,
                                   65536,
                                   -32768,
                                   -32769,
                                   INT32_MAX,
                                   INT32_MIN,
                                   UINT32_MAX,
                                   INT64_C(1) << 32,
                                   INT64_MAX,
                                   INT64_MIN};
enum { INTEGER_COUNT = sizeof integers / sizeof integers[0] };

static const float floats[] = {0.0F, -1.5F, 3.0e38F, 1e-45F};

static void write_sample(buffer_t *out) {
    pack_array(out, 12);
    pack_integer(out, 1);
    pack_array(out, INTEGER_COUNT);
    for (size_t i = 0; i < INTEGER_COUNT; i++)
        pack_integer(out, integers[i]);
    pack_number(out, -0.25);
    pack_boolean(out, true);
    pack_string(out, "a\0b", 3);
    pack_text(out, NULL);
    pack_text(out, "glia");
    pack_binary(out, "\xff\x00", 2);
    pack_hash(out, hash_bytes("x", 1));
    pack_floats(out, floats, 4);
    pack_array(out, 0);
    pack_floats(out, NULL, 0);
}

/* Reads as a decoder does: straight on, whatever fails. Returns whether the bytes were whole. */
static bool read_sample(const void *bytes, size_t length, bool check) {
    pack_reader_t *reader = pack_reader_open(bytes, length);
    size_t count = pack_read_array(reader);
    int64_t version = pack_read_integer(reader);
    size_t integer_count = pack_read_array(reader);
    bool same = true;
    for (size_t i = 0; i < integer_count; i++) {
        int64_t value = pack_read_integer(reader);
        same = same && i < INTEGER_COUNT && value == integers[i];
    }
    double number = pack_read_number(reader);
    bool boolean = pack_read_boolean(reader);
    size_t string_length;
    const char *string = pack_read_string(reader, &string_length);
    bool string_same = string_length == 3 && memcmp(string, "a\0b", 3) == 0;
    char *nothing = pack_read_text(reader);
    char *text = pack_read_text(reader);
    size_t binary_length;
    const void *binary = pack_read_binary(reader, &binary_length);
    bool binary_same = binary_length == 2 && memcmp(binary, "\xff\x00", 2) == 0;
    hash_t hash = pack_read_hash(reader);
    size_t float_count;
    float *values = pack_read_floats(reader, &float_count);
    size_t empty = pack_read_array(reader);
    size_t no_count;
    float *none = pack_read_floats(reader, &no_count);
    if (check) {
        assert_false(pack_reader_failed(reader));
        assert_int_equal(count, 12);
        assert_int_equal(version, 1);
        assert_int_equal(integer_count, INTEGER_COUNT);
        assert_true(same);
        assert_true(number == -0.25);
        assert_true(boolean);
        assert_true(string_same);
        assert_null(nothing);
        assert_string_equal(text, "glia");
        assert_true(binary_same);
        assert_true(hash_equal(hash, hash_bytes("x", 1)));
        assert_int_equal(float_count, 4);
        assert_memory_equal(values, floats, sizeof floats);
        assert_int_equal(empty, 0);
        assert_null(none);
        assert_int_equal(no_count, 0);
    }
    free(nothing);
    free(text);
    free(values);
    free(none);
    return pack_reader_close(reader);
}

static void round_trip(void **state) {
    (void)state;
    buffer_t out = BUFFER_EMPTY;
    write_sample(&out);
    assert_true(read_sample(out.data, out.length, true));
    buffer_free(&out);
}

/* Copies into memory of exactly the length, so that a sanitizer sees a read past it. */
static bool read_copy(const char *bytes, size_t length) {
    char *copy = malloc(length == 0 ? 1 : length);
    memcpy(copy, bytes, length);
    bool whole = read_sample(copy, length, false);
    free(copy);
    return whole;
}

static void every_truncation_fails(void **state) {
    (void)state;
    buffer_t out = BUFFER_EMPTY;
    write_sample(&out);
    for (size_t length = 0; length < out.length; length++)
        assert_false(read_copy(out.data, length));
    assert_true(read_copy(out.data, out.length));
    buffer_append_char(&out, '\xc0');
    assert_false(read_copy(out.data, out.length)); /* bytes behind the end */
    buffer_free(&out);
}

static void random_damage_is_survived(void **state) {
    (void)state;
    buffer_t out = BUFFER_EMPTY;
    write_sample(&out);
    rng_t rng = rng_create(99);
    for (int round = 0; round < 50000; round++) {
        char copy[1024];
        memcpy(copy, out.data, out.length);
        for (uint64_t i = 0; i <= rng_below(&rng, 4); i++)
            copy[rng_below(&rng, out.length)] = (char)rng_next(&rng);
        read_copy(copy, (size_t)rng_below(&rng, out.length + 1));
    }
    buffer_free(&out);
}

static void counts_are_not_trusted(void **state) {
    (void)state;
    static const struct {
        const char *bytes;
        size_t length;
    } lies[] = {
        {"\xdd\xff\xff\xff\xff", 5},     {"\xdc\xff\xff", 3}, {"\x9f", 1},
        {"\xdd\x00\x00\x00\x05\xc0", 6}, {"\xdc\x00", 2},     {"\x92\xc0", 2},
    };
    for (size_t i = 0; i < sizeof lies / sizeof lies[0]; i++) {
        pack_reader_t *reader = pack_reader_open(lies[i].bytes, lies[i].length);
        assert_int_equal(pack_read_array(reader), 0);
        assert_true(pack_reader_failed(reader));
        assert_false(pack_reader_close(reader));
    }
    static const char huge_string[] = "\x91\xdb\xff\xff\xff\xff"
                                      "abc";
    pack_reader_t *reader = pack_reader_open(huge_string, sizeof huge_string - 1);
    assert_int_equal(pack_read_array(reader), 1);
    assert_null(pack_read_text(reader));
    assert_true(pack_reader_failed(reader));
    pack_reader_close(reader);
}

/* After the first mismatch every read gives zero, even of items that are there. */
static void failure_is_for_good(void **state) {
    (void)state;
    buffer_t out = BUFFER_EMPTY;
    pack_array(&out, 3);
    pack_text(&out, "no integer");
    pack_integer(&out, 5);
    pack_text(&out, "x");
    pack_reader_t *reader = pack_reader_open(out.data, out.length);
    size_t length = 9;
    assert_int_equal(pack_read_array(reader), 3);
    assert_int_equal(pack_read_integer(reader), 0);
    assert_true(pack_reader_failed(reader));
    assert_int_equal(pack_read_integer(reader), 0);
    assert_true(pack_read_number(reader) == 0);
    assert_false(pack_read_boolean(reader));
    assert_string_equal(pack_read_string(reader, &length), "");
    assert_int_equal(length, 0);
    assert_null(pack_read_text(reader));
    pack_read_binary(reader, &length);
    assert_true(hash_is_zero(pack_read_hash(reader)));
    assert_null(pack_read_floats(reader, &length));
    assert_int_equal(pack_read_array(reader), 0);
    assert_false(pack_reader_close(reader));
    buffer_free(&out);
}

static void borders_of_arrays_hold(void **state) {
    (void)state;
    buffer_t out = BUFFER_EMPTY;
    pack_array(&out, 2);
    pack_array(&out, 2);
    pack_integer(&out, 1);
    pack_integer(&out, 2);
    pack_integer(&out, 3);
    pack_reader_t *reader = pack_reader_open(out.data, out.length);
    assert_int_equal(pack_read_array(reader), 2);
    assert_int_equal(pack_read_array(reader), 2);
    for (int i = 1; i <= 3; i++)
        assert_int_equal(pack_read_integer(reader), i);
    assert_false(pack_reader_failed(reader));
    assert_int_equal(pack_read_integer(reader), 0); /* past the outermost array */
    assert_false(pack_reader_close(reader));

    reader = pack_reader_open(out.data, out.length); /* not read to its end */
    pack_read_array(reader);
    pack_read_array(reader);
    pack_read_integer(reader);
    assert_false(pack_reader_close(reader));
    assert_false(pack_reader_close(pack_reader_open(out.data, out.length)));

    reader = pack_reader_open("\x05", 1); /* no array around it */
    assert_int_equal(pack_read_integer(reader), 0);
    assert_false(pack_reader_close(reader));
    reader = pack_reader_open("\x90", 1);
    assert_int_equal(pack_read_array(reader), 0);
    assert_true(pack_reader_close(reader));
    reader = pack_reader_open("\x90\x90", 2); /* a second value */
    pack_read_array(reader);
    pack_read_array(reader);
    assert_false(pack_reader_close(reader));
    buffer_free(&out);
}

static void types_are_strict(void **state) {
    (void)state;
    static const struct {
        const char *bytes;
        size_t length;
    } values[] = {
        {"\x91\xcf\x80\x00\x00\x00\x00\x00\x00\x00", 10}, /* an integer over INT64_MAX */
        {"\x91\xca\x3f\x80\x00\x00", 6},                  /* a float */
        {"\x91\xc0", 2},                                  /* nil */
        {"\x91\x80", 2},                                  /* a map */
        {"\x91\x90", 2},                                  /* an array */
        {"\x91\xd4\x01\x02", 4},                          /* an extension */
        {"\x91\xc1", 2},                                  /* no msgpack at all */
        {"\x91\xc4\x01\x02", 4},                          /* binary */
    };
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        pack_reader_t *reader = pack_reader_open(values[i].bytes, values[i].length);
        pack_read_array(reader);
        assert_int_equal(pack_read_integer(reader), 0);
        assert_true(pack_reader_failed(reader));
        pack_reader_close(reader);
    }
    pack_reader_t *reader = pack_reader_open("\x93\xca\x3f\x80\x00\x00\x07\xff", 8);
    pack_read_array(reader);
    assert_true(pack_read_number(reader) == 1.0); /* a float32, and integers, are numbers */
    assert_true(pack_read_number(reader) == 7.0);
    assert_true(pack_read_number(reader) == -1.0);
    assert_true(pack_reader_close(reader));
    reader = pack_reader_open("\x91\xc4\x03"
                              "abc",
                              6);
    size_t count = 5;
    pack_read_array(reader);
    assert_null(pack_read_floats(reader, &count)); /* 3 bytes are no float */
    assert_int_equal(count, 0);
    assert_true(pack_reader_failed(reader));
    pack_reader_close(reader);
    reader = pack_reader_open("\x91\xc4\x03"
                              "abc",
                              6);
    pack_read_array(reader);
    assert_true(hash_is_zero(pack_read_hash(reader)));
    assert_false(pack_reader_close(reader));
}

static void depth_is_limited(void **state) {
    (void)state;
    char bytes[200];
    memset(bytes, '\x91', sizeof bytes);
    pack_reader_t *reader = pack_reader_open(bytes, sizeof bytes);
    size_t depth = 0;
    while (pack_read_array(reader) == 1)
        depth++;
    assert_int_equal(depth, 32);
    assert_true(pack_reader_failed(reader));
    pack_reader_close(reader);
}

static void floats_keep_their_bits(void **state) {
    (void)state;
    float values[3] = {(float)NAN, (float)INFINITY, -0.0F};
    buffer_t out = BUFFER_EMPTY;
    pack_array(&out, 1);
    pack_floats(&out, values, 3);
    assert_memory_equal(out.data + 3 + 8, "\x00\x00\x00\x80", 4); /* little-endian -0 */
    pack_reader_t *reader = pack_reader_open(out.data, out.length);
    size_t count;
    pack_read_array(reader);
    float *back = pack_read_floats(reader, &count);
    assert_int_equal(count, 3);
    assert_memory_equal(back, values, sizeof values);
    assert_true(pack_reader_close(reader));
    free(back);
    buffer_free(&out);
}

static void pass_maximum(void) {
    buffer_t out = {.maximum = 4};
    pack_text(&out, "too long");
}

static void passing_the_maximum_aborts(void **state) {
    (void)state;
    assert_true(dies(pass_maximum));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(round_trip),
        cmocka_unit_test(every_truncation_fails),
        cmocka_unit_test(random_damage_is_survived),
        cmocka_unit_test(counts_are_not_trusted),
        cmocka_unit_test(failure_is_for_good),
        cmocka_unit_test(borders_of_arrays_hold),
        cmocka_unit_test(types_are_strict),
        cmocka_unit_test(depth_is_limited),
        cmocka_unit_test(floats_keep_their_bits),
        cmocka_unit_test(passing_the_maximum_aborts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
