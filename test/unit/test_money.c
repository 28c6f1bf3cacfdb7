/* Tests of money.h: exact decimal text, rounding up, and that overflow aborts. */
/* clang-format off */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/base/money.h"
#include "core/base/rng.h"
#include "test/unit/death.h"

static void parses_exactly(void **state) {
    (void)state;
    static const struct {
        const char *text;
        int64_t pico;
    } cases[] = {
        {"0", 0},
        {"12", INT64_C(12000000000000)},
        {"0.5", INT64_C(500000000000)},
        {"1e-3", INT64_C(1000000000)},
        {"$2.50", INT64_C(2500000000000)},
        {"0.15", INT64_C(150000000000)},
        {"0.000000000001", 1},
        {"1e-12", 1},
        {"1E-12", 1},
        {"100e-14", 1},
        {"0.00000000000100000", 1},
        {".25", INT64_C(250000000000)},
        {"3.", INT64_C(3000000000000)},
        {"1e+2", INT64_C(100000000000000)},
        {"0e999999999999999999999", 0},
        {"0.0000000000000000000000000", 0},
        {"0000000000000000000000000000007", INT64_C(7000000000000)},
        {"1000000", INT64_C(1000000000000000000)},
        {"1e6", INT64_C(1000000000000000000)},
        {"999999.999999999999", INT64_C(999999999999999999)},
        {"0.000000000000000000000000000001e30", INT64_C(1000000000000)},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        money_t amount = {-1};
        if (!money_parse(cases[i].text, &amount) || amount.pico != cases[i].pico)
            fail_msg("%s gives %" PRId64, cases[i].text, amount.pico);
    }
}

static void refuses(void **state) {
    (void)state;
    static const char *const wrong[] = {
        "",
        "$",
        ".",
        "$.",
        "-1",
        "-0",
        "+1",
        "1 ",
        " 1",
        "1,000",
        "1_000",
        "1e",
        "1e-",
        "1e+",
        "e5",
        "0x10",
        "nan",
        "inf",
        "1.2.3",
        "$$1",
        "1$",
        "one",
        "1e-13",
        "1.0000000000001",
        "1000000.000000000001",
        "1000001",
        "1e7",
        "1e400",
        "1e-400",
        "9223372036854775808",
        "18446744073709551616",
        "99999999999999999999",
        "1e9999999999999999999",
        "0.1234567890123",
        "1 USD",
        "1\n",
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        money_t amount = {77};
        if (money_parse(wrong[i], &amount))
            fail_msg("\"%s\" is taken as %" PRId64, wrong[i], amount.pico);
        assert_int_equal(amount.pico, 77);
    }
}

static void formats_rounded_up(void **state) {
    (void)state;
    static const struct {
        int64_t pico;
        int decimals;
        const char *text;
    } cases[] = {
        {0, 0, "$0"},
        {0, 2, "$0.00"},
        {1, 2, "$0.01"},
        {1, 0, "$1"},
        {1, 12, "$0.000000000001"},
        {INT64_C(1234567000000), 6, "$1.234567"},
        {INT64_C(1234567000001), 6, "$1.234568"},
        {INT64_C(1990000000000), 2, "$1.99"},
        {INT64_C(1990000000001), 2, "$2.00"},
        {INT64_C(999999999999), 3, "$1.000"},
        {-1, 2, "$0.00"},
        {INT64_C(-1500000000000), 0, "-$1"},
        {INT64_C(-1239000000000), 2, "-$1.23"},
        {INT64_C(-50000000000), 1, "$0.0"},
        {INT64_MAX, 12, "$9223372.036854775807"},
        {INT64_MAX, 0, "$9223373"},
        {INT64_MIN, 12, "-$9223372.036854775808"},
        {INT64_MIN, 0, "-$9223372"},
        {1, -5, "$1"},
        {1, 99, "$0.000000000001"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[MONEY_TEXT_SIZE];
        assert_string_equal(money_format((money_t){cases[i].pico}, cases[i].decimals, text),
                            cases[i].text);
    }
}

/* What is printed with all places is what was parsed, and with fewer places never less. */
static void round_trips(void **state) {
    (void)state;
    rng_t rng = rng_create(20);
    for (int i = 0; i < 20000; i++) {
        money_t amount = {
            (int64_t)(rng_below(&rng, UINT64_C(1000000000000000001)) >> rng_below(&rng, 60))};
        char text[MONEY_TEXT_SIZE];
        money_t back;
        assert_true(money_parse(money_format(amount, 12, text), &back));
        assert_true(back.pico == amount.pico);
        if (amount.pico < INT64_C(999999000000000000)) {
            assert_true(money_parse(money_format(amount, (int)rng_below(&rng, 13), text), &back));
            assert_true(back.pico >= amount.pico);
        }
    }
}

static void arithmetic(void **state) {
    (void)state;
    money_t a = {5};
    money_t b = {7};
    assert_int_equal(money_add(a, b).pico, 12);
    assert_int_equal(money_subtract(a, b).pico, -2);
    assert_int_equal(money_multiply(b, 6).pico, 42);
    assert_int_equal(money_multiply(MONEY_ZERO, UINT64_MAX).pico, 0);
    assert_int_equal(money_compare(a, b), -1);
    assert_int_equal(money_compare(b, a), 1);
    assert_int_equal(money_compare(a, a), 0);
    assert_int_equal(money_compare((money_t){INT64_MIN}, (money_t){INT64_MAX}), -1);
    assert_true(money_to_dollars((money_t){INT64_C(1500000000000)}) == 1.5);
    assert_true(money_add((money_t){INT64_MAX - 1}, (money_t){1}).pico == INT64_MAX);
}

static void add_overflow(void) {
    money_add((money_t){INT64_MAX}, (money_t){1});
}

static void subtract_overflow(void) {
    money_subtract((money_t){INT64_MIN}, (money_t){1});
}

static void multiply_overflow(void) {
    money_multiply((money_t){2}, UINT64_MAX / 2);
}

static void multiply_count_overflow(void) {
    money_multiply((money_t){-1}, UINT64_C(1) << 63 | 1);
}

static void overflow_aborts(void **state) {
    (void)state;
    assert_true(dies(add_overflow));
    assert_true(dies(subtract_overflow));
    assert_true(dies(multiply_overflow));
    assert_true(dies(multiply_count_overflow));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parses_exactly),     cmocka_unit_test(refuses),
        cmocka_unit_test(formats_rounded_up), cmocka_unit_test(round_trips),
        cmocka_unit_test(arithmetic),         cmocka_unit_test(overflow_aborts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
