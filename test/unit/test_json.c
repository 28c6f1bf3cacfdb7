/* Tests of json.h, reading: limits, errors with places, integers, and non-finite numbers
 * beside strings. */
/* clang-format off */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/json.h"
#include "core/base/rng.h"

static json_value_t *parse(const char *text, unsigned flags) {
    error_info_t error = {0};
    json_value_t *root = json_parse(text, strlen(text), "test.json", flags, &error);
    if (!root)
        fail_msg("%s: %s", text, error.message);
    return root;
}

static void assert_refused(const char *text, size_t length, unsigned flags, const char *message) {
    error_info_t error = {0};
    json_value_t *root = json_parse(text, length, "test.json", flags, &error);
    assert_null(root);
    assert_int_equal(error.class_, ERROR_CONFIG);
    assert_string_equal(error.message, message);
}

static void reads_values(void **state) {
    (void)state;
    json_value_t *root =
        parse("{\"a\": [1, 2.5, \"x\", true, false, null, {}], \"b\": {\"c.d\": -3}}", JSON_PLAIN);
    const json_value_t *a = json_get(root, "a");
    assert_int_equal(json_count(root), 2);
    assert_int_equal(json_count(a), 7);
    static const json_kind_t kinds[] = {JSON_KIND_NUMBER,  JSON_KIND_NUMBER,  JSON_KIND_STRING,
                                        JSON_KIND_BOOLEAN, JSON_KIND_BOOLEAN, JSON_KIND_NULL,
                                        JSON_KIND_OBJECT};
    for (size_t i = 0; i < 7; i++) {
        assert_int_equal(json_kind(json_at(a, i)), kinds[i]);
        assert_true(json_is(json_at(a, i), kinds[i]));
    }
    assert_null(json_at(a, 7));
    assert_null(json_at(root, 0));
    assert_null(json_get(a, "a"));
    assert_null(json_get(root, "c"));
    assert_null(json_get(NULL, "c"));
    assert_int_equal(json_count(json_at(a, 0)), 0);
    assert_int_equal(json_count(NULL), 0);
    assert_int_equal(json_kind(NULL), JSON_KIND_NULL);
    bool boolean = false;
    assert_true(json_as_boolean(json_at(a, 3), &boolean));
    assert_true(boolean);
    assert_true(json_as_boolean(json_at(a, 4), &boolean));
    assert_false(boolean);
    assert_false(json_as_boolean(json_at(a, 0), &boolean));
    assert_false(json_as_boolean(NULL, &boolean));
    assert_null(json_as_string(json_at(a, 0), NULL));
    json_free(root);
    json_free(NULL);
}

static void paths(void **state) {
    (void)state;
    json_value_t *root = parse(
        "{\"choices\":[{\"message\":{\"content\":\"hi\"}}],\"0\":{\"1\":2},\"\":{\"\":3}}", 0);
    assert_string_equal(json_as_string(json_path(root, "choices.0.message.content"), NULL), "hi");
    double number;
    /* digits name members of objects too */
    assert_true(json_as_number(json_path(root, "0.1"), &number));
    assert_true(number == 2);
    assert_true(json_as_number(json_path(root, "."), &number));
    assert_true(number == 3);
    static const char *const absent[] = {"choices.1",
                                         "choices.x",
                                         "choices.",
                                         "choices.0.message.content.x",
                                         "choices.00000000000000000000000",
                                         "choices.-1",
                                         "message"};
    for (size_t i = 0; i < sizeof absent / sizeof absent[0]; i++)
        assert_null(json_path(root, absent[i]));
    assert_null(json_path(NULL, "a"));
    json_free(root);
}

static void counts_lines_of_a_file(void **state) {
    (void)state;
    error_info_t error = {0};
    json_value_t *root = json_parse_line("[1]", 3, "f.jsonl", 12, &error);
    assert_true(json_is(root, JSON_KIND_ARRAY));
    json_free(root);
    assert_null(json_parse_line("[1,]", 4, "f.jsonl", 12, &error));
    assert_memory_equal(error.message, "f.jsonl:12:4: ", 14);
    assert_null(json_parse_line("[\"\\ud800\"]", 10, "f.jsonl", 7, &error));
    assert_memory_equal(error.message, "f.jsonl:7:", 10);
}

static void members_in_order(void **state) {
    (void)state;
    json_value_t *root = parse("{\"z\":0,\"a\":1,\"m\":2}", JSON_PLAIN);
    static const char *const keys[] = {"z", "a", "m"};
    json_iterator_t members = json_iterate(root);
    const char *key;
    const json_value_t *value;
    for (int64_t i = 0; i < 3; i++) {
        int64_t number = -1;
        assert_true(json_next(&members, &key, &value));
        assert_string_equal(key, keys[i]);
        assert_true(json_as_integer(value, &number));
        assert_int_equal(number, i);
        assert_ptr_equal(json_member(root, (size_t)i, &key), value);
        assert_string_equal(key, keys[i]);
    }
    assert_false(json_next(&members, &key, &value));
    assert_false(json_next(&members, NULL, NULL));
    assert_null(json_member(root, 3, &key));
    assert_null(key);
    members = json_iterate(NULL);
    assert_false(json_next(&members, &key, &value));
    members = json_iterate(json_get(root, "z"));
    assert_false(json_next(&members, &key, &value));
    json_free(root);
}

static void numbers(void **state) {
    (void)state;
    json_value_t *root = parse(
        "[9223372036854775807, -9223372036854775808, 9223372036854775808, -9223372036854775809,"
        "12345678901234567890, 3.0, 1e3, 2.5, 1e300, -0, 1e-400, 0.1]",
        JSON_PLAIN);
    int64_t integer = 0;
    double number = 0;
    assert_true(json_as_integer(json_at(root, 0), &integer) && integer == INT64_MAX);
    assert_true(json_as_integer(json_at(root, 1), &integer) && integer == INT64_MIN);
    assert_false(json_as_integer(json_at(root, 2), &integer));
    assert_true(json_as_number(json_at(root, 2), &number) && number == 0x1p63);
    assert_true(json_as_number(json_at(root, 3), &number) && number == -0x1p63);
    /* as a double it is -2^63, which fits */
    assert_true(json_as_integer(json_at(root, 3), &integer));
    assert_true(json_as_number(json_at(root, 4), &number) && number == 12345678901234567890.0);
    assert_true(json_as_integer(json_at(root, 5), &integer) && integer == 3);
    assert_true(json_as_integer(json_at(root, 6), &integer) && integer == 1000);
    assert_false(json_as_integer(json_at(root, 7), &integer));
    assert_false(json_as_integer(json_at(root, 8), &integer));
    assert_true(json_as_number(json_at(root, 10), &number) && number == 0);
    assert_true(json_as_number(json_at(root, 11), &number) && number == 0.1);
    assert_false(json_as_integer(NULL, &integer));
    assert_false(json_as_number(NULL, &number));
    json_free(root);
}

static void any_root(void **state) {
    (void)state;
    static const char *const roots[] = {
        "1", "\"x\"", "null", "true", " [] ", "{}\n", "-12345678901234567890123"};
    for (size_t i = 0; i < sizeof roots / sizeof roots[0]; i++) {
        json_free(parse(roots[i], JSON_PLAIN));
        json_free(parse(roots[i], JSON_ALLOW_NONFINITE));
    }
}

static void strings_with_nul(void **state) {
    (void)state;
    for (unsigned flags = 0; flags <= JSON_ALLOW_NONFINITE; flags++) {
        json_value_t *root = parse("[\"a\\u0000b\", \"\\u0000\", \"\\ud83d\\ude00\\\\\"]", flags);
        size_t length;
        assert_memory_equal(json_as_string(json_at(root, 0), &length), "a\0b", 4);
        assert_int_equal(length, 3);
        assert_memory_equal(json_as_string(json_at(root, 1), &length), "\0", 2);
        assert_int_equal(length, 1);
        assert_string_equal(json_as_string(json_at(root, 2), &length), "\xf0\x9f\x98\x80\\");
        json_free(root);
    }
}

static void errors_name_the_place(void **state) {
    (void)state;
    static const struct {
        const char *text;
        const char *message;
    } cases[] = {
        {"", "test.json:1:0: unexpected token near end of file"},
        {"[1,\n 2,\n  x]", "test.json:3:3: invalid token near 'x'"},
        {"{\"a\":1,\"b\":2,\"a\":3}", "test.json:1:16: duplicate object key near '\"a\"'"},
        {"[1] 2", "test.json:1:5: end of file expected near '2'"},
        {"[1", "test.json:1:2: ']' expected near end of file"},
        {"[1e400]", "test.json:1:6: real number overflow near '1e400'"},
        {"[NaN]", "test.json:1:4: invalid token near 'NaN'"},
        {"[Infinity]", "test.json:1:9: invalid token near 'Infinity'"},
        {"[-Infinity]", "test.json:1:2: invalid token near '-'"},
        {"[\"\\ud800\"]", "test.json:1:9: invalid Unicode '\\uD800' near '\"\\ud800\"'"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_refused(cases[i].text, strlen(cases[i].text), JSON_PLAIN, cases[i].message);
    assert_refused("[\"\xff\"]", 5, JSON_PLAIN,
                   "test.json:1:2: unable to decode byte 0xff near '\"'");
    error_info_t error;
    /* jansson 2.14 alone takes this one */
    assert_refused("[1\0]", 4, JSON_PLAIN, "test.json:1:3: a NUL byte");
    assert_refused("[1]\0", 4, JSON_PLAIN, "test.json:1:4: a NUL byte");
    assert_null(json_parse("[\"\0\"]", 5, "x", JSON_PLAIN, &error));
    assert_null(json_parse(NULL, 0, "x", JSON_PLAIN, &error));
    assert_null(json_parse("[\"\xed\xa0\x80\"]", 7, "x", JSON_PLAIN, &error));
    assert_null(json_parse("[\"\xc0\x80\"]", 6, "x", JSON_PLAIN, NULL));
}

/* The places in the caller's text are told, not those in the rewritten one. */
static void rewriting_keeps_places(void **state) {
    (void)state;
    const char *text = "[NaN, -Infinity,\n 12345678901234567890,\xc3\xa9]";
    assert_refused(text, strlen(text), JSON_ALLOW_NONFINITE,
                   "test.json:2:23: invalid token near '\xc3\xa9'");
    text = "[12345678901234567890, 12345678901234567890, x]";
    assert_refused(text, strlen(text), JSON_PLAIN, "test.json:1:46: invalid token near 'x'");
    text = "[1 NaN]";
    assert_refused(text, strlen(text), JSON_ALLOW_NONFINITE, "test.json:1:6: ']' expected");
}

static void depth_is_limited(void **state) {
    (void)state;
    char text[2 * 513 + 1] = {0};
    memset(text, '[', 512);
    memset(text + 512, ']', 512);
    json_free(parse(text, JSON_PLAIN));
    memset(text, '[', 513);
    memset(text + 513, ']', 513);
    assert_refused(text, 1026, JSON_PLAIN, "test.json:1:513: nested deeper than 512 levels");
    char *brackets = malloc(1000000);
    memset(brackets, '[', 1000000);
    assert_refused(brackets, 1000000, JSON_PLAIN, "test.json:1:513: nested deeper than 512 levels");
    free(brackets);
    char in_string[2000];
    memset(in_string, '[', sizeof in_string);
    in_string[0] = '"';
    in_string[1998] = '"';
    in_string[1999] = '\0';
    json_free(parse(in_string, JSON_PLAIN)); /* brackets in strings do not nest */
}

static void nonfinite_numbers(void **state) {
    (void)state;
    json_value_t *root = parse(
        "{\"n\":NaN,\"a\":[Infinity,-Infinity , 1e400,-1e400,NaN\n],\"o\":{\"x\":NaN},\"i\":1}",
        JSON_ALLOW_NONFINITE);
    double number = 0;
    int64_t integer = 0;
    assert_true(json_is(json_get(root, "n"), JSON_KIND_NUMBER));
    assert_true(json_as_number(json_get(root, "n"), &number) && isnan(number));
    assert_false(json_as_integer(json_get(root, "n"), &integer));
    static const double expected[] = {(double)INFINITY, -(double)INFINITY, (double)INFINITY,
                                      -(double)INFINITY};
    for (size_t i = 0; i < 4; i++) {
        assert_true(json_as_number(json_at(json_get(root, "a"), i), &number));
        assert_true(number == expected[i]);
        assert_false(json_as_integer(json_at(json_get(root, "a"), i), &integer));
    }
    assert_true(json_as_number(json_path(root, "o.x"), &number) && isnan(number));
    assert_true(json_as_integer(json_get(root, "i"), &integer) && integer == 1);
    buffer_t out = BUFFER_EMPTY;
    assert_true(json_write_value(&out, root, false));
    assert_string_equal(buffer_text(&out),
                        "{\"n\":null,\"a\":[null,null,null,null,null],\"o\":{\"x\":null},\"i\":1}");
    buffer_free(&out);
    json_free(root);
    root = parse(" NaN ", JSON_ALLOW_NONFINITE);
    assert_true(json_as_number(root, &number) && isnan(number));
    json_free(root);
    error_info_t error;
    static const char *const wrong[] = {"[NaNx]",    "[nan]",   "[-NaN]",      "[+Infinity]",
                                        "[Infinit]", "{NaN:1}", "[--Infinity]"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_null(json_parse(wrong[i], strlen(wrong[i]), "x", JSON_ALLOW_NONFINITE, &error));
    char digits[402] = {0};
    memset(digits, '9', 401);
    root = parse(digits, JSON_ALLOW_NONFINITE);
    assert_true(json_as_number(root, &number) && isinf(number));
    json_free(root);
    assert_null(json_parse(digits, 401, "x", JSON_PLAIN, &error));
}

/* What looks like a non-finite number, or like its stand-in, stays a string. */
static void nonfinite_leaves_strings_alone(void **state) {
    (void)state;
    static const char text[] = "{\"NaN\":\"NaN\",\"s\":[\"-Infinity, "
                               "NaN\",\"\\\"NaN\",\"\\u0000N\",\"\\u0000I\",\"\\u0000M\","
                               "\"\\u0000\\u0000N\",\"\\u0000\",\"\\\\\",NaN,\"1e400\",\"N\"]}";
    json_value_t *root = parse(text, JSON_ALLOW_NONFINITE);
    assert_string_equal(json_as_string(json_get(root, "NaN"), NULL), "NaN");
    static const struct {
        const char *bytes;
        size_t length;
    } expected[] = {{"-Infinity, NaN", 14},
                    {"\"NaN", 4},
                    {"\0N", 2},
                    {"\0I", 2},
                    {"\0M", 2},
                    {"\0\0N", 3},
                    {"\0", 1},
                    {"\\", 1},
                    {NULL, 0},
                    {"1e400", 5},
                    {"N", 1}};
    for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++) {
        size_t length;
        const char *string = json_as_string(
            json_path(json_get(root, "s"), (char[]){(char)('0' + i % 10), '\0'}), &length);
        if (i == 10)
            string = json_as_string(json_at(json_get(root, "s"), 10), &length);
        if (!expected[i].bytes) {
            assert_null(string);
            assert_true(json_is(json_at(json_get(root, "s"), i), JSON_KIND_NUMBER));
        } else {
            assert_int_equal(length, expected[i].length);
            assert_memory_equal(string, expected[i].bytes, length);
        }
    }
    json_free(root);
    root = parse("\"\\u0000N\"", JSON_ALLOW_NONFINITE);
    size_t length;
    assert_memory_equal(json_as_string(root, &length), "\0N", 2);
    assert_int_equal(length, 2);
    json_free(root);
}

/* Damaged text never crashes, whatever the flags, and what is accepted can be written
 * and read again. */
static void random_damage_is_survived(void **state) {
    (void)state;
    static const char seed[] = "{\"a\":[1,2.5e-3,NaN,-Infinity,\"\\u0000N\\n\"],\"b\":{\"c\":null,"
                               "\"d\":true},\"e\":12345678901234567890}";
    static const char spice[] = "{}[]\",:\\0123456789eE+-.NaInfityu \n\xff\xc3";
    rng_t rng = rng_create(5);
    size_t accepted = 0;
    for (int round = 0; round < 30000; round++) {
        char text[sizeof seed];
        size_t length = (size_t)rng_below(&rng, sizeof seed);
        memcpy(text, seed, sizeof seed);
        length = rng_below(&rng, 3) == 0 ? length : sizeof seed - 1;
        for (uint64_t i = 0; length > 0 && i < 1 + rng_below(&rng, 3); i++)
            text[rng_below(&rng, length)] = spice[rng_below(&rng, sizeof spice - 1)];
        char *copy = malloc(length == 0 ? 1 : length);
        memcpy(copy, text, length);
        error_info_t error;
        json_value_t *root = json_parse(copy, length, "x", (unsigned)round & 1U, &error);
        free(copy);
        if (root) {
            accepted++;
            buffer_t out = BUFFER_EMPTY;
            assert_true(json_write_value(&out, root, (round & 2) != 0));
            json_free(root);
            root = json_parse(out.data, out.length, "x", JSON_PLAIN, &error);
            assert_non_null(root);
            json_free(root);
            buffer_free(&out);
        }
    }
    assert_true(accepted > 1000);
}

/* A member list that is walked with json_next() takes linear time: with json_member()
 * this would not end. */
static void large_objects(void **state) {
    (void)state;
    buffer_t text = BUFFER_EMPTY;
    buffer_append_char(&text, '{');
    for (int i = 0; i < 300000; i++)
        buffer_append_format(&text, "%s\"key%d\":NaN", i == 0 ? "" : ",", i);
    buffer_append_char(&text, '}');
    error_info_t error;
    json_value_t *root = json_parse(text.data, text.length, "x", JSON_ALLOW_NONFINITE, &error);
    assert_non_null(root);
    json_iterator_t members = json_iterate(root);
    const char *key;
    const json_value_t *value;
    int count = 0;
    while (json_next(&members, &key, &value)) {
        char expected[32];
        snprintf(expected, sizeof expected, "key%d", count++);
        assert_string_equal(key, expected);
        assert_true(json_is(value, JSON_KIND_NUMBER));
    }
    assert_int_equal(count, 300000);
    json_free(root);
    buffer_free(&text);
}

/* Tokens are keys in logprobs, and a token may be a NUL byte. */
static void keys_with_nul(void **state) {
    (void)state;
    const char text[] = "{\"a\\u0000b\":1,\"a\\u0000c\":2,\"\\u0000\":3}";
    error_info_t error;
    json_value_t *root = json_parse(text, strlen(text), "test.json", JSON_PLAIN, &error);
    assert_non_null(root);
    assert_null(json_get(root, "a"));
    assert_null(json_get(root, ""));
    size_t length = 0;
    const char *name = json_member_name(json_member(root, 1, NULL), &length);
    assert_int_equal(length, 3);
    assert_memory_equal(name, "a\0c", 3);
    assert_null(json_member_name(NULL, &length));
    buffer_t out = BUFFER_EMPTY;
    assert_true(json_write_value(&out, root, true));
    assert_string_equal(buffer_text(&out), "{\"\\u0000\":3,\"a\\u0000b\":1,\"a\\u0000c\":2}");
    buffer_free(&out);
    json_free(root);
    const char bare[] = "{\"\\u0000\":NaN,\"\\u0000x\":\"\\u0000\"}";
    root = json_parse(bare, strlen(bare), "test.json", JSON_ALLOW_NONFINITE, &error);
    assert_non_null(root);
    json_member_name(json_member(root, 0, NULL), &length);
    assert_int_equal(length, 1);
    json_member_name(json_member(root, 1, NULL), &length);
    assert_int_equal(length, 2);
    json_free(root);
    const char twins[] = "{\"a\\u0000b\":1,\"a\\u0000b\":2}";
    assert_null(json_parse(twins, strlen(twins), "test.json", JSON_PLAIN, &error));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_values),
        cmocka_unit_test(paths),
        cmocka_unit_test(counts_lines_of_a_file),
        cmocka_unit_test(members_in_order),
        cmocka_unit_test(numbers),
        cmocka_unit_test(any_root),
        cmocka_unit_test(strings_with_nul),
        cmocka_unit_test(errors_name_the_place),
        cmocka_unit_test(rewriting_keeps_places),
        cmocka_unit_test(depth_is_limited),
        cmocka_unit_test(nonfinite_numbers),
        cmocka_unit_test(nonfinite_leaves_strings_alone),
        cmocka_unit_test(random_damage_is_survived),
        cmocka_unit_test(large_objects),
        cmocka_unit_test(keys_with_nul),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
