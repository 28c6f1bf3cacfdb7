/* Tests of error.h: cutting, cleaning, prefixes, names and exit codes. */
/* clang-format off */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */

#include <string.h>

#include "core/base/error.h"
#include "core/base/text.h"

static void sets_class_and_message(void **state) {
    (void)state;
    error_info_t error = {0};
    assert_false(error_set(&error, ERROR_CONFIG, "%s:%d: wrong", "config.toml", 12));
    assert_int_equal(error.class_, ERROR_CONFIG);
    assert_string_equal(error.message, "config.toml:12: wrong");
    assert_false(error_set(NULL, ERROR_BUG, "nobody listens"));
    assert_false(error_prefix(NULL, "nobody listens"));
}

static void makes_one_clean_line(void **state) {
    (void)state;
    error_info_t error;
    error_set(&error, ERROR_FATAL,
              "a\nb\tc\x1b[31m d\xff"
              "e \xc3\xa9 \xed\xa0\x80");
    assert_string_equal(error.message, "a b c [31m d?e \xc3\xa9 ???");
}

/* Whatever the place of the cut, the message is the longest prefix of whole characters. */
static void cuts_at_a_character(void **state) {
    (void)state;
    static const char *const characters[] = {"x", "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x98\x80"};
    for (size_t c = 0; c < 4; c++)
        for (size_t lead = 0; lead < 5; lead++) {
            char text[2 * ERROR_MESSAGE_SIZE] = "aaaaa";
            size_t length = lead;
            while (length + 4 < sizeof text) {
                strcpy(text + length, characters[c]);
                length += strlen(characters[c]);
            }
            error_info_t error;
            error_set(&error, ERROR_FATAL, "%s", text);
            size_t got = strlen(error.message);
            size_t size = strlen(characters[c]);
            assert_int_equal(got, lead + (ERROR_MESSAGE_SIZE - 1 - lead) / size * size);
            assert_int_equal(text_utf8_valid_prefix(error.message, got), got);
            assert_memory_equal(error.message, text, got);
        }
}

static void prefixes(void **state) {
    (void)state;
    error_info_t error;
    error_set(&error, ERROR_RETRYABLE, "disk full");
    assert_false(error_prefix(&error, "store %s", "/tmp/x"));
    assert_string_equal(error.message, "store /tmp/x: disk full");
    assert_int_equal(error.class_, ERROR_RETRYABLE);

    char longest[ERROR_MESSAGE_SIZE];
    memset(longest, 'y', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    error_prefix(&error, "%s", longest);
    assert_int_equal(strlen(error.message), ERROR_MESSAGE_SIZE - 1);
    assert_memory_equal(error.message, longest, ERROR_MESSAGE_SIZE - 1);
    error_set(&error, ERROR_FATAL, "%s", longest);
    error_prefix(&error, "%s", longest);
    assert_int_equal(strlen(error.message), ERROR_MESSAGE_SIZE - 1);
}

static void takes_its_own_message(void **state) {
    (void)state;
    error_info_t error;
    error_set(&error, ERROR_FATAL, "inner");
    error_set(&error, ERROR_CONFIG, "outer: %s", error.message);
    assert_string_equal(error.message, "outer: inner");
}

static void names_and_codes(void **state) {
    (void)state;
    assert_string_equal(error_class_name(ERROR_NONE), "none");
    assert_string_equal(error_class_name(ERROR_RETRYABLE), "retryable");
    assert_string_equal(error_class_name((error_class_t)99), "unknown");
    assert_int_equal(error_exit_code(ERROR_NONE), 0);
    assert_int_equal(error_exit_code(ERROR_USAGE), 2);
    assert_int_equal(error_exit_code(ERROR_CONFIG), 2);
    assert_int_equal(error_exit_code(ERROR_RETRYABLE), 4);
    assert_int_equal(error_exit_code(ERROR_FATAL), 1);
    assert_int_equal(error_exit_code(ERROR_BUG), 1);
    assert_int_equal(error_exit_code((error_class_t)99), 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sets_class_and_message), cmocka_unit_test(makes_one_clean_line),
        cmocka_unit_test(cuts_at_a_character),    cmocka_unit_test(prefixes),
        cmocka_unit_test(takes_its_own_message),  cmocka_unit_test(names_and_codes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
