/* Tests of config.h: --set assignments, their keys, values, precedence and refusals. */
/* clang-format off */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */

#include "test/unit/config_rows.h"

#define TOTAL "budget.total_usd = 1\n"

static config_t *set(const char *text, const char *assignment) {
    return load_with(text, &assignment, 1);
}

static void assert_set_refused(const char *assignment, const char *message) {
    assert_load_refused(TOTAL, &assignment, 1, message);
}

static void sets_values(void **state) {
    (void)state;
    config_t *config = set("", "budget.total_usd=$5");
    assert_true(config_money(config, "budget.total_usd").pico == INT64_C(5000000000000));
    config_free(config);
    config = set(TOTAL, " run.samples = 7 # seven");
    assert_int_equal(config_integer(config, "run.samples"), 7);
    config_free(config);
    config = set(TOTAL, "run.formats=[\"summary\", \"highlight\"]");
    const char *const *strings;
    assert_int_equal(config_strings(config, "run.formats", &strings), 2);
    config_free(config);
    config = set(TOTAL, "run.retry=false");
    assert_false(config_boolean(config, "run.retry"));
    config_free(config);
    config = set(TOTAL, "budget.total_usd=\"2.25\"");
    assert_true(config_money(config, "budget.total_usd").pico == INT64_C(2250000000000));
    config_free(config);
}

/* Where a string is wanted no shell quotes within quotes are needed. */
static void strings_need_no_quotes(void **state) {
    (void)state;
    static const struct {
        const char *assignment;
        const char *value;
    } cases[] = {
        {"run.name=night two", "night two"},
        {"run.name=2026", "2026"},
        {"run.name=\"quoted # x\"", "quoted # x"},
        {"run.name='single'", "single"},
        {"run.name=", ""},
        {"run.name= a=b ", "a=b"},
        {"run.name=[x]", "[x]"},
        {"run.name=true", "true"},
        {"run.name=gpt#4", "gpt#4"},
        {"run.name=2026-11-22", "2026-11-22"},
        {"run.name=\"\\u00e9\"", "\xc3\xa9"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        config_t *config = set(TOTAL, cases[i].assignment);
        assert_string_equal(config_string(config, "run.name"), cases[i].value);
        assert_int_equal(config_line(config, "run.name"), 0);
        assert_true(config_has(config, "run.name"));
        config_free(config);
    }
}

static void names_with_dots(void **state) {
    (void)state;
    static const char *const spellings[] = {
        "models.\"gpt-4.1-mini\".price.input=0.5",
        "models.gpt-4.1-mini.price.input=0.5",
        "models.'gpt-4.1-mini'.price.\"input\" = 0.5",
        "models.gpt-4.1-mini.price.input=\"0.5\"",
    };
    for (size_t i = 0; i < sizeof spellings / sizeof spellings[0]; i++) {
        config_t *config =
            set(TOTAL "[models.\"gpt-4.1-mini\".price]\ninput = 4\noutput = 5\n", spellings[i]);
        assert_true(config_money(config, "models.gpt-4.1-mini.price.input").pico ==
                    INT64_C(500000000000));
        assert_true(config_money(config, "models.gpt-4.1-mini.price.output").pico ==
                    INT64_C(5000000000000));
        const char *const *names;
        assert_int_equal(config_names(config, "models", &names), 1);
        assert_string_equal(names[0], "gpt-4.1-mini");
        config_free(config);
    }
    config_t *config = set(TOTAL, "models.meta/llama-3.1:free.endpoint=x");
    assert_string_equal(config_string(config, "models.meta/llama-3.1:free.endpoint"), "x");
    config_free(config);
    config = set(TOTAL, "endpoints.\"a=b\".url=c=d");
    assert_string_equal(config_string(config, "endpoints.a=b.url"), "c=d");
    config_free(config);
}

static void precedence(void **state) {
    (void)state;
    static const char *const assignments[] = {"run.samples=2", "run.samples=3", "run.name=x"};
    config_t *config = load_with(TOTAL "[run]\nsamples = 9\nmode = \"repeat\"\n", assignments, 3);
    assert_int_equal(config_integer(config, "run.samples"), 3);
    assert_string_equal(config_string(config, "run.mode"), "repeat");
    assert_int_equal(config_line(config, "run.samples"), 0);
    assert_int_equal(config_line(config, "run.mode"), 4);
    error_info_t error;
    assert_false(config_refuse(config, "run.samples", &error, "no"));
    assert_string_equal(error.message, "--set run.samples=3: no");
    config_free(config);
    /* A bad value that is replaced is not there any more. */
    config = set(TOTAL "run.samples = \"many\"\n", "run.samples=4");
    assert_int_equal(config_integer(config, "run.samples"), 4);
    config_free(config);
}

static void inline_tables(void **state) {
    (void)state;
    config_t *config =
        set(TOTAL "[endpoints.a]\nurl = \"old\"\nrpm = 7\n", "endpoints.a={url = \"new\"}");
    assert_string_equal(config_string(config, "endpoints.a.url"), "new");
    assert_int_equal(config_integer(config, "endpoints.a.rpm"), 7);
    config_free(config);
    config = set(TOTAL, "endpoints={\"b.c\" = {url = \"x\", rpm = 8}}");
    assert_int_equal(config_integer(config, "endpoints.b.c.rpm"), 8);
    const char *const *names;
    assert_int_equal(config_names(config, "endpoints", &names), 1);
    config_free(config);
}

static void refusals(void **state) {
    (void)state;
    assert_set_refused("budget.totl_usd=5",
                       "--set budget.totl_usd=5: unknown key; did you mean budget.total_usd?");
    assert_set_refused("run.samples=0",
                       "--set run.samples=0: 0 is out of range; expected 1 to 100");
    assert_set_refused("run.samples=many",
                       "--set run.samples=many: is a string; expected an integer");
    assert_set_refused("run.samples=", "--set run.samples=: is a string; expected an integer");
    assert_set_refused(
        "run.mode=ecko",
        "--set run.mode=ecko: \"ecko\" is not one of echo, per_token, repeat; did you "
        "mean echo?");
    assert_set_refused("run.name", "--set run.name: has no \"=\"; write key=value");
    assert_set_refused("", "--set : has no \"=\"; write key=value");
    assert_set_refused(
        "=5",
        "--set =5: has no key; write table.key=value, names with special characters in quotes");
    assert_set_refused(
        "a b=5",
        "--set a b=5: has no key; write table.key=value, names with special characters in quotes");
    assert_set_refused("run=5", "--set run=5: is a value; expected a table");
    assert_set_refused("endpoints.x.rpm=5",
                       "--set endpoints.x.rpm=5: endpoints.x.url: missing; add it (base URL)");
    assert_set_refused("run.samples=1\nb=2",
                       "--set run.samples=1 b=2: is a string; expected an integer");
    assert_set_refused("run.quantiles=[1]\nx=[2]",
                       "--set run.quantiles=[1] x=[2]: is more than one value");
    assert_set_refused("run.name=caf\xe9", "--set run.name=caf?: is not UTF-8");
    assert_set_refused("models.x\xe9.endpoint=y", "--set models.x?.endpoint=y: is not UTF-8");
    const char *broken = "run.formats=[\"original\"";
    error_info_t error;
    assert_null(config_load(TOTAL, strlen(TOTAL), "c", &broken, 1, rows, ROW_COUNT, &error));
    assert_non_null(strstr(error.message, "--set run.formats=[\"original\": Error while parsing"));
}

static void ambiguous_keys(void **state) {
    (void)state;
    static const config_row_t two[] = {
        {"m.*.x.*", CONFIG_INTEGER, NULL, 0, 0, NULL, NULL},
        {"m.*", CONFIG_INTEGER, NULL, 0, 0, NULL, NULL},
    };
    error_info_t error;
    const char *assignment = "m.a.b.x.c=1";
    assert_null(config_load("", 0, "c", &assignment, 1, two, 2, &error));
    assert_string_equal(
        error.message,
        "--set m.a.b.x.c=1: the key can be read in several ways; put the name in quotes");
    assignment = "m.\"a.b\".x.c=1";
    config_t *config = config_load("", 0, "c", &assignment, 1, two, 2, &error);
    assert_non_null(config);
    assert_int_equal(config_integer(config, "m.a.b.x.c"), 1);
    config_free(config);
    assignment = "m.a.x.b.x.c=1"; /* one row, two ways */
    assert_null(config_load("", 0, "c", &assignment, 1, two, 1, &error));
    assert_string_equal(
        error.message,
        "--set m.a.x.b.x.c=1: the key can be read in several ways; put the name in quotes");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sets_values),     cmocka_unit_test(strings_need_no_quotes),
        cmocka_unit_test(names_with_dots), cmocka_unit_test(precedence),
        cmocka_unit_test(inline_tables),   cmocka_unit_test(refusals),
        cmocka_unit_test(ambiguous_keys),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
