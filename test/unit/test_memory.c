/* Tests of memory.h: zeroing, copies, and that a product that overflows aborts. */
/* clang-format off */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */

#include <stdlib.h>
#include <string.h>

#include "core/base/memory.h"
#include "test/unit/death.h"

static void new_is_zeroed_and_never_null(void **state) {
    (void)state;
    unsigned char *bytes = memory_new(1000, 3);
    for (size_t i = 0; i < 3000; i++)
        assert_int_equal(bytes[i], 0);
    free(bytes);
    void *empty = memory_new(0, 8);
    assert_non_null(empty);
    free(empty);
    empty = memory_new(8, 0);
    assert_non_null(empty);
    free(empty);
    uint64_t *numbers = MEMORY_NEW_ARRAY(4, uint64_t);
    assert_int_equal(numbers[3], 0);
    free(numbers);
}

static void resize_keeps_bytes(void **state) {
    (void)state;
    char *text = memory_resize(NULL, 4, 1);
    memcpy(text, "abc", 4);
    text = memory_resize(text, 100000, 1);
    assert_string_equal(text, "abc");
    assert_null(memory_resize(text, 0, 1));
    assert_null(memory_resize(NULL, 0, 0));
}

static void copies(void **state) {
    (void)state;
    assert_null(memory_copy_string(NULL));
    char *text = memory_copy_string("glia");
    assert_string_equal(text, "glia");
    free(text);
    char *bytes = memory_copy("a\0b", 3);
    assert_memory_equal(bytes, "a\0b", 4);
    free(bytes);
    bytes = memory_copy(NULL, 0);
    assert_string_equal(bytes, "");
    free(bytes);
    text = memory_format("%s-%05d", "x", 42);
    assert_string_equal(text, "x-00042");
    free(text);
    text = memory_format("%*s", 5000, "y");
    assert_int_equal(strlen(text), 5000);
    free(text);
}

static void new_overflow(void) {
    free(memory_new(SIZE_MAX / 2, 3));
}

static void resize_overflow(void) {
    free(memory_resize(NULL, SIZE_MAX / 2, 3));
}

static void copy_overflow(void) {
    free(memory_copy("x", SIZE_MAX));
}

static void overflow_aborts(void **state) {
    (void)state;
    assert_true(dies(new_overflow));
    assert_true(dies(resize_overflow));
    assert_true(dies(copy_overflow));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(new_is_zeroed_and_never_null),
        cmocka_unit_test(resize_keeps_bytes),
        cmocka_unit_test(copies),
        cmocka_unit_test(overflow_aborts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
