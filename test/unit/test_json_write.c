/* Tests of json.h, writing: escapes, invalid bytes, shortest numbers, and a hard maximum. */
/* clang-format off */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/json.h"
#include "core/base/rng.h"

static void assert_string(const char *bytes, size_t length, const char *expected) {
    buffer_t out = BUFFER_EMPTY;
    assert_true(json_write_string(&out, bytes, length));
    assert_string_equal(buffer_text(&out), expected);
    buffer_free(&out);
}

static void strings(void **state) {
    (void)state;
    assert_string("", 0, "\"\"");
    assert_string("a\"b\\c/\n\r\t\b\f\x01\x1f\x7f", 14,
                  "\"a\\\"b\\\\c/\\n\\r\\t\\b\\f\\u0001\\u001f\x7f\"");
    assert_string("\0x", 2, "\"\\u0000x\"");
    assert_string("\xc3\xa9\xf0\x9f\x98\x80", 6, "\"\xc3\xa9\xf0\x9f\x98\x80\"");
    assert_string("\xe2\x80|\xff\xff|\xed\xa0\x80|\xf0\x9f\x98", 13,
                  "\"\xef\xbf\xbd|\xef\xbf\xbd\xef\xbf\xbd|\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd|"
                  "\xef\xbf\xbd\"");
    buffer_t out = BUFFER_EMPTY;
    assert_true(json_write_text(&out, NULL));
    assert_true(json_write_text(&out, "x"));
    assert_string_equal(buffer_text(&out), "null\"x\"");
    buffer_free(&out);
}

/* Any bytes at all give JSON that reads back, and valid ones read back as they were. */
static void random_strings(void **state) {
    (void)state;
    rng_t rng = rng_create(8);
    for (int round = 0; round < 20000; round++) {
        char bytes[40];
        size_t length = (size_t)rng_below(&rng, sizeof bytes);
        bool ascii = rng_below(&rng, 2) == 0;
        for (size_t i = 0; i < length; i++)
            bytes[i] = (char)rng_below(&rng, ascii ? 128 : 256);
        buffer_t out = BUFFER_EMPTY;
        assert_true(json_write_string(&out, bytes, length));
        error_info_t error;
        json_value_t *root = json_parse(out.data, out.length, "x", JSON_PLAIN, &error);
        assert_non_null(root);
        size_t back_length;
        const char *back = json_as_string(root, &back_length);
        if (ascii) {
            assert_int_equal(back_length, length);
            assert_memory_equal(back, bytes, length);
        }
        json_free(root);
        buffer_free(&out);
    }
}

static void assert_number(double number, const char *expected) {
    buffer_t out = BUFFER_EMPTY;
    assert_true(json_write_number(&out, number));
    assert_string_equal(buffer_text(&out), expected);
    buffer_free(&out);
}

static void numbers(void **state) {
    (void)state;
    assert_number(0, "0");
    assert_number(-0.0, "-0.0");
    assert_number(1, "1");
    assert_number(-100, "-100");
    assert_number(0.1, "0.1");
    assert_number(0.15, "0.15");
    assert_number(1.0 / 3, "0.3333333333333333");
    assert_number(0.1 + 0.2, "0.30000000000000004");
    assert_number(123456.789, "123456.789");
    assert_number(1e15, "1000000000000000");
    assert_number(1e16, "10000000000000000");
    assert_number(1e17, "1e+17");
    assert_number(1.5e300, "1.5e+300");
    assert_number(0.00001, "0.00001");
    assert_number(0.000001, "1e-6");
    assert_number(1.25e-7, "1.25e-7");
    assert_number(9007199254740993.0, "9007199254740992");
    assert_number(DBL_MAX, "1.7976931348623157e+308");
    assert_number(DBL_MIN, "2.2250738585072014e-308");
    assert_number(5e-324, "5e-324");
    assert_number((double)NAN, "null");
    assert_number((double)INFINITY, "null");
    assert_number(-(double)INFINITY, "null");
}

static void assert_float(float number, const char *expected) {
    buffer_t out = BUFFER_EMPTY;
    assert_true(json_write_float(&out, number));
    assert_string_equal(buffer_text(&out), expected);
    buffer_free(&out);
}

static void floats(void **state) {
    (void)state;
    assert_float(0.1F, "0.1");
    assert_float(3.14159274F, "3.1415927");
    assert_float(16777216.0F, "16777216");
    assert_float(33554432.0F, "33554432");
    assert_float(1e10F, "10000000000");
    assert_float(1e20F, "1e+20");
    assert_float(-2.5F, "-2.5");
    assert_float(-0.0F, "-0.0");
    assert_float(FLT_MAX, "3.4028235e+38");
    assert_float(FLT_MIN, "1.1754944e-38");
    assert_float(1e-45F, "1e-45");
    assert_float((float)NAN, "null");
    assert_float(-(float)INFINITY, "null");
}

/* Random bits, in all magnitudes, read back as the same bits. */
static void random_numbers_round_trip(void **state) {
    (void)state;
    rng_t rng = rng_create(9);
    for (int round = 0; round < 100000; round++) {
        uint64_t bits = rng_next(&rng);
        double number;
        memcpy(&number, &bits, sizeof number);
        uint32_t small_bits = (uint32_t)rng_next(&rng);
        float small;
        memcpy(&small, &small_bits, sizeof small);
        buffer_t out = BUFFER_EMPTY;
        if (isfinite(number)) {
            json_write_number(&out, number);
            double back = strtod(buffer_text(&out), NULL);
            assert_memory_equal(&back, &number, sizeof back);
            assert_true(out.length <= 25);
        }
        buffer_clear(&out);
        if (isfinite(small)) {
            json_write_float(&out, small);
            float back = strtof(buffer_text(&out), NULL);
            assert_memory_equal(&back, &small, sizeof back);
            assert_true(out.length <= 20);
        }
        buffer_free(&out);
    }
}

/* Shortest: of the numbers with few digits each is written with just these. */
static void few_digits_stay_few(void **state) {
    (void)state;
    for (int i = 1; i < 100000; i++) {
        char expected[32];
        buffer_t out = BUFFER_EMPTY;
        snprintf(expected, sizeof expected, "%d.%05d", i / 100000, i % 100000);
        while (expected[strlen(expected) - 1] == '0')
            expected[strlen(expected) - 1] = '\0';
        json_write_float(&out, (float)i / 100000.0F);
        assert_string_equal(buffer_text(&out), expected);
        buffer_clear(&out);
        json_write_number(&out, (double)i / 100000.0);
        assert_string_equal(buffer_text(&out), expected);
        buffer_free(&out);
    }
}

static void values(void **state) {
    (void)state;
    static const char text[] = "{ \"z\" : [1, -0.0, 1e2, 2.5, \"\\u00e9\\u0000\"], \"a\" : "
                               "{\"y\":null, \"b\":true}, \"\":{} }";
    error_info_t error;
    json_value_t *root = json_parse(text, sizeof text - 1, "x", JSON_PLAIN, &error);
    buffer_t out = BUFFER_EMPTY;
    assert_true(json_write_value(&out, root, false));
    assert_string_equal(
        buffer_text(&out),
        "{\"z\":[1,-0.0,100,2.5,\"\xc3\xa9\\u0000\"],\"a\":{\"y\":null,\"b\":true},\"\":{}}");
    buffer_clear(&out);
    assert_true(json_write_value(&out, root, true));
    assert_string_equal(
        buffer_text(&out),
        "{\"\":{},\"a\":{\"b\":true,\"y\":null},\"z\":[1,-0.0,100,2.5,\"\xc3\xa9\\u0000\"]}");
    buffer_clear(&out);
    assert_true(json_write_value(&out, NULL, false));
    assert_true(json_write_integer(&out, INT64_MIN));
    assert_string_equal(buffer_text(&out), "null-9223372036854775808");
    buffer_free(&out);
    json_free(root);
}

/* At every maximum a writer either writes all or leaves the buffer as it was. */
static void maximum_is_all_or_nothing(void **state) {
    (void)state;
    static const char text[] = "{\"a\":[1,\"x\\n\",2.5],\"b\":{\"c\":false}}";
    error_info_t error;
    json_value_t *root = json_parse(text, sizeof text - 1, "x", JSON_PLAIN, &error);
    for (size_t maximum = 1; maximum < 60; maximum++) {
        buffer_t out = {.maximum = maximum};
        bool fits = maximum >= sizeof text - 1 + 1;
        buffer_append_char(&out, '>');
        assert_int_equal(json_write_value(&out, root, false), fits);
        assert_int_equal(out.length, fits ? sizeof text : 1);
        assert_int_equal(buffer_text(&out)[out.length], 0);
        buffer_clear(&out);
        assert_int_equal(json_write_string(&out, "a\nb", 3), maximum >= 6);
        assert_int_equal(out.length, maximum >= 6 ? 6 : 0);
        buffer_free(&out);
    }
    json_free(root);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(strings),
        cmocka_unit_test(random_strings),
        cmocka_unit_test(numbers),
        cmocka_unit_test(floats),
        cmocka_unit_test(random_numbers_round_trip),
        cmocka_unit_test(few_digits_stay_few),
        cmocka_unit_test(values),
        cmocka_unit_test(maximum_is_all_or_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
