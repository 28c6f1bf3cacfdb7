/* test_json_text.c - members where they stand, and texts without their whitespace. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/json_text.h"
#include "core/base/memory.h"

static json_span_t span(const char *text) {
    return (json_span_t){text, strlen(text)};
}

static void expect(json_span_t got, const char *wanted) {
    assert_int_equal(got.length, strlen(wanted));
    assert_memory_equal(got.text, wanted, got.length);
}

static void test_members(void **state) {
    (void)state;
    json_members_t members = json_members(span(
        " { \"a\" : 1 , \"b\\\"}\":\"x,}\\\\\" ,\"c\":{\"d\":[1,{\"e\":\"]\"}]},\"f\": null } "));
    const char *wanted[][2] = {{"\"a\"", "1"},
                               {"\"b\\\"}\"", "\"x,}\\\\\""},
                               {"\"c\"", "{\"d\":[1,{\"e\":\"]\"}]}"},
                               {"\"f\"", "null"}};
    for (size_t i = 0; i < 4; i++) {
        assert_true(json_members_next(&members));
        expect(members.key, wanted[i][0]);
        expect(members.value, wanted[i][1]);
    }
    assert_false(json_members_next(&members));
    assert_false(json_members_next(&members));
    const char *none[] = {"", "{}", " [1,2] ", "1", "\"{\"", "{", "{\"a\"", "{\"a\" 1}"};
    for (size_t i = 0; i < sizeof none / sizeof none[0]; i++) {
        members = json_members(span(none[i]));
        assert_false(json_members_next(&members));
    }
}

static void test_keys(void **state) {
    (void)state;
    assert_true(json_key_is(span("\"model\""), "model"));
    assert_true(json_key_is(span("\"mo\\u0064el\""), "model"));
    assert_false(json_key_is(span("\"models\""), "model"));
    assert_false(json_key_is(span("\"mode\""), "model"));
    assert_false(json_key_is(span("\""), ""));
}

static void test_compact(void **state) {
    (void)state;
    const char *texts[][2] = {
        {" { \"a b\" :\n [ 1 ,\t2.50, \" x \\\" \\\\\" ] }\r\n",
         "{\"a b\":[1,2.50,\" x \\\" \\\\\"]}"},
        {"", ""},
        {"\"torn \\", "\"torn \\"},
    };
    for (size_t i = 0; i < 3; i++) {
        /* At the very end of what is allocated, so that a sanitizer sees a byte too much. */
        char *text = malloc(strlen(texts[i][0]) + 1);
        memcpy(text, texts[i][0], strlen(texts[i][0]) + 1);
        buffer_t out = BUFFER_EMPTY;
        assert_true(json_write_compact(&out, text, strlen(text)));
        assert_string_equal(buffer_text(&out), texts[i][1]);
        buffer_free(&out);
        free(text);
    }
    buffer_t small = {.maximum = 4};
    assert_true(buffer_append_text(&small, "x"));
    assert_false(json_write_compact(&small, "[1, 2]", 6));
    assert_string_equal(buffer_text(&small), "x");
    buffer_free(&small);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_members),
        cmocka_unit_test(test_keys),
        cmocka_unit_test(test_compact),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
