/* Tests of hash.h: known digests, text form, and that no two lists of parts collide
 * by construction. */
/* clang-format off */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */

#include <math.h>
#include <string.h>

#include "core/base/hash.h"

static void known_digests(void **state) {
    (void)state;
    char text[HASH_TEXT_SIZE];
    hash_to_text(hash_bytes("", 0), text); /* the published value of XXH3-128 of nothing */
    assert_string_equal(text, "99aa06d3014798d86001c324468d497f");
    hash_to_text(hash_bytes(NULL, 0), text);
    assert_string_equal(text, "99aa06d3014798d86001c324468d497f");
    assert_true(hash_low64(hash_bytes("", 0)) == UINT64_C(0x6001c324468d497f));
}

static void text_form(void **state) {
    (void)state;
    hash_t hash = hash_bytes("glia", 4);
    hash_t back = {{0}};
    char text[HASH_TEXT_SIZE];
    hash_to_text(hash, text);
    assert_int_equal(strlen(text), 32);
    assert_true(hash_from_text(text, &back));
    assert_true(hash_equal(hash, back));
    static const char *const wrong[] = {
        "",
        "99aa06d3014798d86001c324468d497",
        "99aa06d3014798d86001c324468d497f0",
        "99AA06D3014798D86001C324468D497F",
        "99aa06d3014798d86001c324468d497g",
        " 99aa06d3014798d86001c324468d497",
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        assert_false(hash_from_text(wrong[i], &back));
        assert_true(hash_equal(hash, back)); /* untouched */
    }
}

static void compares(void **state) {
    (void)state;
    hash_t zero = {{0}};
    hash_t first = {{1}};
    hash_t last = {{0}};
    last.bytes[HASH_SIZE - 1] = 1;
    assert_true(hash_is_zero(zero));
    assert_false(hash_is_zero(first));
    assert_false(hash_is_zero(last));
    assert_true(hash_compare(zero, last) < 0);
    assert_true(hash_compare(first, last) > 0);
    assert_int_equal(hash_compare(first, first), 0);
}

enum { LIST_COUNT = 19 };

/* Lists that differ only in a type, a border between parts, or a kind of nothing. */
static hash_t list(size_t which) {
    hash_builder_t *builder = hash_builder_create(which == 0 ? "job" : "request");
    switch (which) {
    case 0:
    case 1: break;
    case 2: hash_builder_add_text(builder, "ab"); break;
    case 3: hash_builder_add_bytes(builder, "ab", 2); break;
    case 4:
        hash_builder_add_text(builder, "a");
        hash_builder_add_text(builder, "b");
        break;
    case 5: hash_builder_add_text(builder, NULL); break;
    case 6: hash_builder_add_text(builder, ""); break;
    case 7: hash_builder_add_bytes(builder, NULL, 0); break;
    case 8: hash_builder_add_integer(builder, 1); break;
    case 9: hash_builder_add_number(builder, 1); break;
    case 10: hash_builder_add_integer(builder, -1); break;
    case 11: hash_builder_add_integer(builder, INT64_MIN); break;
    case 12: hash_builder_add_number(builder, 0); break;
    case 13: hash_builder_add_integer(builder, 0); break;
    case 14: hash_builder_add_number(builder, (double)NAN); break;
    case 15: hash_builder_add_number(builder, (double)INFINITY); break;
    case 16: hash_builder_add_hash(builder, (hash_t){{0}}); break;
    case 17: hash_builder_add_bytes(builder, (hash_t){{0}}.bytes, HASH_SIZE); break;
    case 18:
        hash_builder_add_text(builder, "b");
        hash_builder_add_text(builder, "a");
        break;
    default: fail();
    }
    return hash_builder_finish(builder);
}

static void lists_differ(void **state) {
    (void)state;
    for (size_t i = 0; i < LIST_COUNT; i++)
        for (size_t j = 0; j < LIST_COUNT; j++)
            assert_int_equal(hash_equal(list(i), list(j)), i == j);
}

static hash_t of_number(double value) {
    hash_builder_t *builder = hash_builder_create("n");
    hash_builder_add_number(builder, value);
    return hash_builder_finish(builder);
}

static void numbers_are_canonical(void **state) {
    (void)state;
    assert_true(hash_equal(of_number(0.0), of_number(-0.0)));
    uint64_t bits = UINT64_C(0xFFF8000000000123);
    double other_nan;
    memcpy(&other_nan, &bits, sizeof other_nan);
    assert_true(hash_equal(of_number((double)NAN), of_number(other_nan)));
    assert_false(hash_equal(of_number(1.0), of_number(nextafter(1.0, 2.0))));
}

/* Identities are in stores: the canonical bytes must never change. */
static void identity_is_frozen(void **state) {
    (void)state;
    hash_builder_t *builder = hash_builder_create("request");
    hash_builder_add_text(builder, "gpt-4.1-mini");
    hash_builder_add_text(builder, NULL);
    hash_builder_add_bytes(builder, "\x00\xff", 2);
    hash_builder_add_integer(builder, -5);
    hash_builder_add_number(builder, 0.5);
    hash_builder_add_hash(builder, hash_bytes("x", 1));
    hash_t hash = hash_builder_finish(builder);
    static const char canonical[] = "t\7\0\0\0\0\0\0\0request"
                                    "t\14\0\0\0\0\0\0\0gpt-4.1-mini"
                                    "n"
                                    "b\2\0\0\0\0\0\0\0\0\377"
                                    "i\373\377\377\377\377\377\377\377"
                                    "d\0\0\0\0\0\0\340\77"
                                    "h";
    char bytes[sizeof canonical - 1 + HASH_SIZE];
    memcpy(bytes, canonical, sizeof canonical - 1);
    memcpy(bytes + sizeof canonical - 1, hash_bytes("x", 1).bytes, HASH_SIZE);
    assert_true(hash_equal(hash, hash_bytes(bytes, sizeof bytes)));
    char text[HASH_TEXT_SIZE];
    hash_to_text(hash, text);
    assert_string_equal(text, "5a88ee5532ab529db0db9f449d74dbf7");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_digests),
        cmocka_unit_test(text_form),
        cmocka_unit_test(compares),
        cmocka_unit_test(lists_differ),
        cmocka_unit_test(numbers_are_canonical),
        cmocka_unit_test(identity_is_frozen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
