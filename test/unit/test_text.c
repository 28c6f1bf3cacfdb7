/* Tests of text.h: UTF-8 at its edges, closest names, and numbers and times as people read them. */
/* clang-format off */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/base/rng.h"
#include "core/base/text.h"

/* Every code point there and back; surrogates and what lies past the last are no characters. */
static void every_character(void **state) {
    (void)state;
    for (uint32_t c = 0; c <= 0x110005; c++) {
        char bytes[5] = {0};
        size_t size = text_utf8_encode(c, bytes);
        uint32_t back = 0;
        assert_int_equal(text_utf8_decode(bytes, size, &back), size);
        bool is_character = c <= 0x10FFFF && (c < 0xD800 || c > 0xDFFF);
        assert_int_equal(back, is_character ? c : 0xFFFD);
        assert_int_equal(text_utf8_decode(bytes, size - 1, &back), 0); /* cut */
    }
}

static void refuses_invalid(void **state) {
    (void)state;
    static const struct {
        const char *bytes;
        size_t run; /* as Python's errors="replace" */
    } cases[] = {
        {"\x80", 1},
        {"\xbf\xbf", 1},
        {"\xc0\x80", 1},
        {"\xc1\xbf", 1},
        {"\xc3", 1},
        {"\xc3(", 1},
        {"\xe0\x80\x80", 1},
        {"\xe0\x9f\xbf", 1},
        {"\xe2\x82", 2},
        {"\xe2\x82(", 2},
        {"\xed\xa0\x80", 1},
        {"\xf0\x8f\xbf\xbf", 1},
        {"\xf0\x9f", 2},
        {"\xf0\x9f\x98", 3},
        {"\xf0\x9f\x98(", 3},
        {"\xf4\x90\x80\x80", 1},
        {"\xf5\x80\x80\x80", 1},
        {"\xfe", 1},
        {"\xff\xff", 1},
    };
    uint32_t character;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        size_t length = strlen(cases[i].bytes);
        assert_int_equal(text_utf8_decode(cases[i].bytes, length, &character), 0);
        assert_int_equal(text_utf8_valid_prefix(cases[i].bytes, length), 0);
        assert_int_equal(text_utf8_invalid_run(cases[i].bytes, length), cases[i].run);
    }
    assert_int_equal(text_utf8_decode("", 0, &character), 0);
    assert_int_equal(text_utf8_invalid_run("", 0), 0);
    assert_int_equal(text_utf8_valid_prefix("a\xc3\xa9\xe2\x82", 5), 3);
    assert_int_equal(text_utf8_valid_prefix("a\0b", 3), 3);
}

static void visible(void **state) {
    (void)state;
    buffer_t out = BUFFER_EMPTY;
    text_append_visible(
        &out, "a\nb\tc\rd\0\x1b\x7f \xc3\xa9\xff\xc2\x85\xe2\x80\xa8\xf0\x9f\x98\x80\\", 24);
    assert_string_equal(buffer_text(&out),
                        "a\\nb\\tc\\rd\\x00\\x1B\\x7F \xc3\xa9\\xFF\\xC2\\x85\\xE2\\x80\\xA8"
                        "\xf0\x9f\x98\x80\\");
    /* U+202E, U+2066, U+200F and U+061C turn the direction of writing; Hebrew itself stays. */
    static const char turned[] = "a\xe2\x80\xae"
                                 "b\xe2\x81\xa6\xe2\x80\x8f\xd8\x9c\xd7\x90\n";
    buffer_clear(&out);
    text_append_visible(&out, turned, strlen(turned));
    assert_string_equal(buffer_text(&out),
                        "a\\xE2\\x80\\xAEb\\xE2\\x81\\xA6\\xE2\\x80\\x8F\\xD8\\x9C\xd7\x90\\n");
    buffer_clear(&out);
    text_append_one_line(&out, turned, strlen(turned));
    assert_string_equal(buffer_text(&out), "a\xe2\x80\xae"
                                           "b\xe2\x81\xa6\xe2\x80\x8f\xd8\x9c\xd7\x90\\n");
    buffer_free(&out);
}

static void harmless(void **state) {
    (void)state;
    buffer_t out = BUFFER_EMPTY;
    static const char text[] =
        "{\"a\":\"\\u001b\x7f\xc2\x9b"
        "31m\xe2\x80\xae\"}\n\x1b[38;5;16mred\x1b[0m\t\x1b[2J\x1b]0;x\x07\r\x9b\x1b[3";
    text_append_harmless(&out, text, strlen(text));
    assert_string_equal(buffer_text(&out),
                        "{\"a\":\"\\u001b\\u007F\\u009B31m\\u202E\"}\n\x1b[38;5;16mred\x1b[0m\t"
                        "\\u001B[2J\\u001B]0;x\\u0007\\u000D\xef\xbf\xbd\\u001B[3");
    buffer_free(&out);
}

static void display_width(void **state) {
    (void)state;
    assert_int_equal(text_display_width(""), 0);
    assert_int_equal(text_display_width("glia"), 4);
    assert_int_equal(text_display_width("caf\xc3\xa9"), 4);
    assert_int_equal(text_display_width("cafe\xcc\x81"), 4);             /* combining acute */
    assert_int_equal(text_display_width("\xe6\xbc\xa2\xe5\xad\x97"), 4); /* CJK */
    assert_int_equal(text_display_width("\xed\x95\x9c"), 2);             /* Hangul */
    /* halfwidth, fullwidth */
    assert_int_equal(text_display_width("\xef\xbd\xb1\xef\xbc\xa1"), 3);
    assert_int_equal(text_display_width("\xf0\x9f\x98\x80"), 2);         /* emoji */
    assert_int_equal(text_display_width("\xe2\x80\x8b\xe2\x80\x8d"), 0); /* zero width */
    /* Greek, Cyrillic, box */
    assert_int_equal(text_display_width("\xce\xb1\xd0\x96\xe2\x94\x80"), 3);
    /* two replacement characters */
    assert_int_equal(text_display_width("\xff\xe2\x82"), 2);
}

static void prefixes_and_suffixes(void **state) {
    (void)state;
    assert_true(text_starts_with("glia.c", "glia"));
    assert_true(text_starts_with("x", ""));
    assert_false(text_starts_with("gl", "glia"));
    assert_true(text_ends_with("glia.c", ".c"));
    assert_true(text_ends_with("x", ""));
    assert_false(text_ends_with("c", ".c"));
}

static void closest_names(void **state) {
    (void)state;
    static const char *const names[] = {"budget.total_usd", "budget.daily_usd", "echo", "repeat",
                                        "per_token"};
    assert_string_equal(text_closest("budget.totl_usd", names, 5), "budget.total_usd");
    /* two neighbours swapped: one edit */
    assert_string_equal(text_closest("ehco", names, 5), "echo");
    assert_string_equal(text_closest("repeet", names, 5), "repeat");
    assert_string_equal(text_closest("pertoken", names, 5), "per_token");
    assert_string_equal(text_closest("echo", names, 5), "echo");
    assert_null(text_closest("xyz", names, 5));
    assert_null(text_closest("eco!", names + 3, 2));
    assert_null(text_closest("", names, 5));
    assert_null(text_closest("ab", names, 5));
    assert_null(text_closest("echo", names, 0));
    static const char *const equals[] = {"cart", "card"};
    /* the first of equally close ones */
    assert_string_equal(text_closest("carx", equals, 2), "cart");
    char longest[10000];
    memset(longest, 'a', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    const char *const one[] = {longest};
    assert_null(text_closest(longest, one, 1)); /* no quadratic work on a hostile name */
    assert_null(text_closest("echo", one, 1));
}

static void distance_limit_is_a_third(void **state) {
    (void)state;
    static const char *const names[] = {"abcdef"};
    assert_non_null(text_closest("abcdxx", names, 1)); /* 2 of 6 */
    assert_null(text_closest("abcxxx", names, 1));     /* 3 of 6 */
    assert_non_null(text_closest("abcdefgh", names, 1));
    assert_null(text_closest("abcdefghi!", names, 1));
}

static void counts_and_sizes(void **state) {
    (void)state;
    char out[32];
    assert_string_equal(text_format_count(0, out), "0");
    assert_string_equal(text_format_count(999, out), "999");
    assert_string_equal(text_format_count(1000, out), "1,000");
    assert_string_equal(text_format_count(1234567, out), "1,234,567");
    assert_string_equal(text_format_count(UINT64_MAX, out), "18,446,744,073,709,551,615");
    assert_string_equal(text_format_size(0, out), "0 B");
    assert_string_equal(text_format_size(999, out), "999 B");
    assert_string_equal(text_format_size(1000, out), "1.0 kB");
    assert_string_equal(text_format_size(12345678, out), "12.3 MB");
    assert_string_equal(text_format_size(999949, out), "999.9 kB");
    assert_string_equal(text_format_size(999950, out), "1.0 MB");
    assert_string_equal(text_format_size(UINT64_MAX, out), "18.4 EB");
}

static void durations(void **state) {
    (void)state;
    static const struct {
        double seconds;
        const char *text;
    } cases[] = {
        {0, "0.0 s"},           {0.44, "0.4 s"},      {9.94, "9.9 s"},         {9.96, "10 s"},
        {41.2, "41 s"},         {59.4, "59 s"},       {59.7, "1 min 00 s"},    {185, "3 min 05 s"},
        {3599.6, "1 h 00 min"}, {7500, "2 h 05 min"}, {172000, "47 h 47 min"}, {172800, "2 d 00 h"},
        {360000, "4 d 04 h"},   {-1, "unknown"},      {1e300, "unknown"},
    };
    char out[32];
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_string_equal(text_format_duration(cases[i].seconds, out), cases[i].text);
    assert_string_equal(text_format_duration((double)NAN, out), "unknown");
    assert_string_equal(text_format_duration((double)INFINITY, out), "unknown");
}

static void days_and_times(void **state) {
    (void)state;
    char out[32];
    char day[16];
    const int64_t second = 1000000;
    assert_int_equal(text_day_of(0), 0);
    assert_int_equal(text_day_of(-1), -1);
    assert_int_equal(text_day_of(86400 * second - 1), 0);
    assert_int_equal(text_day_of(86400 * second), 1);
    assert_int_equal(text_day_of(-86400 * second), -1);
    assert_int_equal(text_day_of(-86400 * second - 1), -2);
    assert_string_equal(text_format_day(0, day), "1970-01-01");
    assert_string_equal(text_format_day(-1, day), "1969-12-31");
    assert_string_equal(text_format_day(11016, day), "2000-02-29");
    assert_string_equal(text_format_day(11017, day), "2000-03-01");
    assert_string_equal(text_format_day(47540, day), "2100-02-28");
    assert_string_equal(text_format_day(47541, day), "2100-03-01");
    assert_string_equal(text_format_day(20779, day), "2026-11-22");
    assert_string_equal(text_format_day(-719528, day), "0000-01-01");
    assert_string_equal(text_format_day(INT32_MAX, day), "5881580-07-11");
    assert_string_equal(text_format_day(INT32_MIN, day), "-5877641-06-23");
    assert_string_equal(text_format_time(0, out), "1970-01-01T00:00:00Z");
    assert_string_equal(text_format_time(INT64_C(1795335350999999), out), "2026-11-22T08:15:50Z");
    assert_string_equal(text_format_time(-1, out), "1969-12-31T23:59:59Z");
    assert_string_equal(text_format_time(INT64_MAX, out), "294247-01-10T04:00:54Z");
    assert_string_equal(text_format_time(INT64_MIN, out), "-290308-12-21T19:59:05Z");
}

/* Days one by one over eight centuries against a calendar that counts. */
static void calendar(void **state) {
    (void)state;
    int year = 1600;
    int month = 1;
    int day = 1;
    for (int32_t i = -135140; i < 160000; i++) {
        char expected[64];
        char got[16];
        snprintf(expected, sizeof expected, "%04d-%02d-%02d", year, month, day);
        assert_string_equal(text_format_day(i, got), expected);
        static const int lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
        bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
        if (++day > lengths[month - 1] + (month == 2 && leap)) {
            day = 1;
            month = month % 12 + 1;
            year += month == 1;
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_character),  cmocka_unit_test(refuses_invalid),
        cmocka_unit_test(visible),          cmocka_unit_test(harmless),
        cmocka_unit_test(display_width),    cmocka_unit_test(prefixes_and_suffixes),
        cmocka_unit_test(closest_names),    cmocka_unit_test(distance_limit_is_a_third),
        cmocka_unit_test(counts_and_sizes), cmocka_unit_test(durations),
        cmocka_unit_test(days_and_times),   cmocka_unit_test(calendar),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
