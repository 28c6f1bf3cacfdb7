/* test_csv.c - comma-separated values: RFC 4180, hostile files, and back again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "core/base/csv.h"
#include "core/base/memory.h"
#include "core/base/rng.h"

/* Every record in brackets, fields separated by |, or the error. */
static char *read_bytes(const char *text, size_t length) {
    csv_t *csv = csv_open(text, length, "f.csv");
    buffer_t out = BUFFER_EMPTY;
    error_info_t error = {0};
    size_t count;
    const char *const *fields;
    csv_result_t result;
    while ((result = csv_next(csv, &count, &fields, &error)) == CSV_RECORD) {
        buffer_append_format(&out, "%zu[", csv_line(csv));
        for (size_t i = 0; i < count; i++)
            buffer_append_format(&out, "%s%s", i ? "|" : "", fields[i]);
        buffer_append_char(&out, ']');
    }
    if (result == CSV_ERROR) {
        assert_int_equal(error.class_, ERROR_CONFIG);
        buffer_append_text(&out, error.message);
    }
    assert_int_equal(csv_next(csv, &count, &fields, &error), CSV_END);
    csv_close(csv);
    return buffer_take(&out);
}

static void assert_read(const char *text, const char *expected) {
    char *got = read_bytes(text, strlen(text));
    assert_string_equal(got, expected);
    free(got);
}

static void reads_records(void **state) {
    (void)state;
    assert_read("", "");
    assert_read("a,b\n1,2\n", "1[a|b]2[1|2]");
    assert_read("a,b\r\n1,2", "1[a|b]2[1|2]");
    assert_read("a,,\n,\n", "1[a||]2[|]");
    assert_read("\xEF\xBB\xBF"
                "a\n",
                "1[a]");
    assert_read("a\n\n\r\nb\n", "1[a]4[b]");
    assert_read(" a , b \n", "1[ a | b ]");
}

static void reads_quotes(void **state) {
    (void)state;
    assert_read("\"a\",\"b,c\",\"d\"\"e\"\n", "1[a|b,c|d\"e]");
    assert_read("\"\"\n", "1[]");
    assert_read("\"\",\"\"\n", "1[|]");
    assert_read("x,\"two\nlines\r\n\"\ny\n", "1[x|two\nlines\r\n]4[y]");
    assert_read("\"\"\"\"", "1[\"]");
}

static void refuses(void **state) {
    (void)state;
    assert_read("a\nb\"c\n",
                "1[a]f.csv:2: a quote inside a field; put the field in quotes and double it");
    assert_read("a\n\"b\"c\n",
                "1[a]f.csv:2: bytes behind a closing quote; double a quote inside a field");
    assert_read("a\n\n\"b\nc\n", "1[a]f.csv:3: a quote that is never closed");
    assert_read("a\rb\n", "f.csv:1: a carriage return inside a field; put the field in quotes");
    assert_read("a\xFF\n", "f.csv:1: bytes that are not UTF-8; convert the file");
    char *got = read_bytes("a\0b\n", 4);
    assert_string_equal(got, "f.csv:1: a NUL byte; is it a text file?");
    free(got);
}

static void limits(void **state) {
    (void)state;
    char commas[CSV_MAX_FIELDS + 2];
    memset(commas, ',', sizeof commas);
    commas[CSV_MAX_FIELDS] = '\0';
    assert_read(commas, "f.csv:1: more than 256 fields");
    commas[CSV_MAX_FIELDS - 1] = '\0';
    char *got = read_bytes(commas, strlen(commas));
    assert_true(strlen(got) > CSV_MAX_FIELDS);
    free(got);
    char *large = memory_new(CSV_MAX_RECORD + 2, 1);
    memset(large, 'x', CSV_MAX_RECORD + 1);
    assert_read(large, "f.csv:1: a record of more than 4194304 bytes; is a quote not closed?");
    free(large);
}

static void writes_fields(void **state) {
    (void)state;
    buffer_t out = BUFFER_EMPTY;
    csv_write_text(&out, "plain");
    csv_write_text(&out, NULL);
    buffer_append_char(&out, ';');
    csv_write_text(&out, " led by a space");
    csv_write_text(&out, "a \"b\"");
    csv_write_field(&out, "x\xFFy,\xE2\x82", 6);
    assert_string_equal(buffer_text(&out),
                        "plain;\" led by a space\"\"a \"\"b\"\"\"\"x\xEF\xBF\xBDy,\xEF\xBF\xBD\"");
    buffer_free(&out);
}

/* Any valid text comes back as it was. */
static void goes_there_and_back(void **state) {
    (void)state;
    static const char *const pieces[] = {"a", ",",        "\"",   "\n",  "\r",
                                         " ", "\xC3\xA9", "\"\"", "\r\n"};
    rng_t rng = rng_create(7);
    for (int round = 0; round < 2000; round++) {
        buffer_t fields[3] = {BUFFER_EMPTY, BUFFER_EMPTY, BUFFER_EMPTY}, line = BUFFER_EMPTY;
        for (int f = 0; f < 3; f++) {
            /* a record of nothing but nothing would be no record */
            buffer_append_text(&fields[f], f == 0 ? "x" : "");
            for (uint64_t n = rng_below(&rng, 6); n > 0; n--)
                buffer_append_text(&fields[f],
                                   pieces[rng_below(&rng, sizeof pieces / sizeof *pieces)]);
            if (f)
                buffer_append_char(&line, ',');
            csv_write_field(&line, buffer_text(&fields[f]), fields[f].length);
        }
        buffer_append_char(&line, '\n');
        csv_t *csv = csv_open(line.data, line.length, "f.csv");
        size_t count;
        const char *const *read;
        assert_int_equal(csv_next(csv, &count, &read, NULL), CSV_RECORD);
        assert_int_equal(count, 3);
        for (int f = 0; f < 3; f++) {
            assert_string_equal(read[f], buffer_text(&fields[f]));
            buffer_free(&fields[f]);
        }
        assert_int_equal(csv_next(csv, &count, &read, NULL), CSV_END);
        csv_close(csv);
        buffer_free(&line);
    }
}

/* Whatever the bytes are, it comes to an end. */
static void survives_noise(void **state) {
    (void)state;
    rng_t rng = rng_create(11);
    static const char alphabet[] = "ab,,\"\"\n\r\xFF\xC3\xA9";
    for (int round = 0; round < 5000; round++) {
        char text[24];
        size_t length = rng_below(&rng, sizeof text);
        for (size_t i = 0; i < length; i++)
            text[i] = alphabet[rng_below(&rng, sizeof alphabet)]; /* also its NUL */
        char *exact = memory_new(length + 1, 1);
        memcpy(exact, text, length);
        char *copy = memory_resize(NULL, length ? length : 1, 1); /* no byte behind it */
        memcpy(copy, exact, length);
        free(read_bytes(copy, length));
        free(copy);
        free(exact);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_records),  cmocka_unit_test(reads_quotes),
        cmocka_unit_test(refuses),        cmocka_unit_test(limits),
        cmocka_unit_test(writes_fields),  cmocka_unit_test(goes_there_and_back),
        cmocka_unit_test(survives_noise),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
