/* Tests of config.h: values, defaults, names with dots, the snapshot, and the exact text
 * of every refusal. */
/* clang-format off */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */

#include <stdio.h>
#include <stdlib.h>

#include "core/base/rng.h"
#include "test/unit/config_rows.h"
#include "test/unit/death.h"

static const char sample[] = "# a run\n"
                             "budget.total_usd = 0.15\n"
                             "[run]\n"
                             "name = \"caf\\u00e9\"\n"
                             "mode = \"repeat\"\n"
                             "samples = 3\n"
                             "temperature = 0\n"
                             "retry = false\n"
                             "formats = [\"summary\", \"original\"]\n"
                             "quantiles = [0.5, 1]\n"
                             "[endpoints.local]\n"
                             "url = \"http://127.0.0.1\"\n"
                             "[endpoints.\"api.x.org\"]\n"
                             "url = \"https://api.x.org\"\n"
                             "rpm = 500\n"
                             "[models.\"gpt-4.1-mini\".price]\n"
                             "input = 4e-7\n"
                             "output = \"0.0000016\"\n"
                             "[aliases]\n"
                             "\"a.b\" = \"c\"\n";

static config_t *load(const char *text) {
    return load_with(text, NULL, 0);
}

static void values(void **state) {
    (void)state;
    config_t *config = load(sample);
    assert_true(config_money(config, "budget.total_usd").pico == INT64_C(150000000000));
    assert_string_equal(config_string(config, "run.name"), "caf\xc3\xa9");
    assert_string_equal(config_string(config, "run.mode"), "repeat");
    assert_int_equal(config_integer(config, "run.samples"), 3);
    assert_true(config_number(config, "run.temperature") == 0);
    assert_false(config_boolean(config, "run.retry"));
    const char *const *strings;
    assert_int_equal(config_strings(config, "run.formats", &strings), 2);
    assert_string_equal(strings[0], "summary");
    assert_string_equal(strings[1], "original");
    const double *numbers;
    assert_int_equal(config_numbers(config, "run.quantiles", &numbers), 2);
    assert_true(numbers[0] == 0.5 && numbers[1] == 1);
    config_free(config);
    config_free(NULL);
}

static void defaults(void **state) {
    (void)state;
    config_t *config = load("budget.total_usd = 1\nendpoints.x.url = \"u\"\n");
    assert_true(config_money(config, "budget.daily_usd").pico == INT64_C(2500000000000));
    assert_string_equal(config_string(config, "run.name"), "night");
    assert_null(config_string(config, "run.note"));
    assert_int_equal(config_integer(config, "run.samples"), 1);
    assert_int_equal(config_integer(config, "run.seed"), 0);
    assert_true(config_number(config, "run.temperature") == 1);
    assert_true(isnan(config_number(config, "run.threshold")));
    assert_true(config_boolean(config, "run.retry"));
    assert_int_equal(config_money(config, "models.any.price.input").pico, 0);
    assert_int_equal(config_integer(config, "endpoints.x.rpm"), 60);
    assert_int_equal(config_integer(config, "endpoints.not.there.rpm"), 60);
    const char *const *strings;
    assert_int_equal(config_strings(config, "run.formats", &strings), 1);
    assert_string_equal(strings[0], "original");
    const double *numbers;
    assert_int_equal(config_numbers(config, "run.quantiles", &numbers), 0);
    config_free(config);
}

static void names_with_dots(void **state) {
    (void)state;
    config_t *config = load(sample);
    assert_true(config_money(config, "models.gpt-4.1-mini.price.input").pico == 400000);
    assert_true(config_money(config, "models.gpt-4.1-mini.price.output").pico == 1600000);
    assert_int_equal(config_integer(config, "endpoints.api.x.org.rpm"), 500);
    assert_int_equal(config_integer(config, "endpoints.local.rpm"), 60);
    assert_string_equal(config_string(config, "aliases.a.b"), "c");
    /* the row without `*` wins */
    assert_string_equal(config_string(config, "aliases.default"), "a");
    const char *const *names;
    assert_int_equal(config_names(config, "endpoints", &names), 2);
    assert_string_equal(names[0], "api.x.org");
    assert_string_equal(names[1], "local");
    assert_int_equal(config_names(config, "models", &names), 1);
    assert_string_equal(names[0], "gpt-4.1-mini");
    assert_int_equal(config_names(config, "aliases", &names), 1);
    assert_string_equal(names[0], "a.b");
    assert_int_equal(config_names(config, "run", &names), 0);
    assert_int_equal(config_names(config, "models.gpt-4.1-mini", &names), 0);
    config_free(config);
}

/* The table endpoints."x.url" and the value endpoints.x.url are spelled alike. */
static void alike_spellings(void **state) {
    (void)state;
    config_t *config = load("budget.total_usd = 1\n[endpoints.\"x.url\"]\nurl = "
                            "\"outer\"\n[endpoints.x]\nurl = \"inner\"\n");
    assert_string_equal(config_string(config, "endpoints.x.url"), "inner");
    assert_string_equal(config_string(config, "endpoints.x.url.url"), "outer");
    assert_int_equal(config_line(config, "endpoints.x.url"), 5);
    config_free(config);
    assert_load_refused(
        "budget.total_usd = 1\n[endpoints.\"x.url\"]\nurl = \"outer\"\n[endpoints.x]\n", NULL, 0,
        "config.toml:4: endpoints.x.url: missing; add it (base URL)");
}

/* toml++ 3.3 itself has undefined behaviour on these. */
static void characters_past_ascii(void **state) {
    (void)state;
    config_t *config = load("budget.total_usd = 1 #\xc3\xa9\nrun.note = \"\"\"a\\\n  "
                            "\xc3\xa9\xe3\x81\x82\xf0\x9f\x98\x80\"\"\"\n");
    assert_string_equal(config_string(config, "run.note"), "a\xc3\xa9\xe3\x81\x82\xf0\x9f\x98\x80");
    config_free(config);
}

static void lines_and_presence(void **state) {
    (void)state;
    config_t *config = load(sample);
    assert_int_equal(config_line(config, "budget.total_usd"), 2);
    assert_int_equal(config_line(config, "run.samples"), 6);
    assert_int_equal(config_line(config, "models.gpt-4.1-mini.price.output"), 18);
    assert_int_equal(config_line(config, "endpoints.local"), 11);
    assert_int_equal(config_line(config, "run.seed"), 0);
    assert_true(config_has(config, "run.samples"));
    assert_true(config_has(config, "endpoints.local"));
    assert_false(config_has(config, "run.seed"));
    assert_false(config_has(config, "endpoints.local.rpm"));
    config_free(config);
}

static void refuse_for_the_caller(void **state) {
    (void)state;
    config_t *config = load(sample);
    error_info_t error;
    assert_false(config_refuse(config, "run.samples", &error, "is %d; take %d", 3, 4));
    assert_string_equal(error.message, "config.toml:6: run.samples: is 3; take 4");
    assert_int_equal(error.class_, ERROR_CONFIG);
    config_refuse(config, "models.gpt-4.1-mini.price.input", &error, "too high");
    assert_string_equal(error.message,
                        "config.toml:17: models.\"gpt-4.1-mini\".price.input: too high");
    config_refuse(config, "run.seed", &error, "is needed");
    assert_string_equal(error.message, "config.toml: run.seed: is needed");
    config_free(config);
}

#define TOTAL "budget.total_usd = 1\n"

/* A config and what its refusal says. */
typedef struct {
    const char *text;
    const char *message;
} refusal_t;

static void assert_refusals(const refusal_t *refusals, size_t count) {
    for (size_t i = 0; i < count; i++)
        assert_load_refused(refusals[i].text, NULL, 0, refusals[i].message);
}

static void unknown_keys_are_refused(void **state) {
    (void)state;
    static const refusal_t refusals[] = {
        {"\n\n[budget]\n\ntotl_usd = 5",
         "config.toml:5: budget.totl_usd: unknown key; did you mean budget.total_usd?"},
        {TOTAL "[budgte]\ntotal_usd = 5",
         "config.toml:2: budgte: unknown table; did you mean budget?"},
        {"total_usd = 5", "config.toml:1: total_usd: unknown key; did you mean budget.total_usd?"},
        {"budget.xyz = 5",
         "config.toml:1: budget.xyz: unknown key; known here: total_usd, daily_usd"},
        {"zzz = 5",
         "config.toml:1: zzz: unknown key; known here: budget, run, endpoints, models, aliases"},
        {TOTAL "models.\"a.b\".price.inptu = 5",
         "config.toml:2: models.\"a.b\".price.inptu: unknown key; did you mean "
         "models.\"a.b\".price.input?"},
        {TOTAL "[models.m.prices]",
         "config.toml:2: models.m.prices: unknown table; did you mean models.m.price?"},
        {TOTAL "run.name.x = 1",
         "config.toml:2: run.name: is a table; expected a string in quotes"},
        {TOTAL "endpoints.\"\".url = 'x'",
         "config.toml:2: endpoints.\"\": unknown table; known here: *"},
    };
    assert_refusals(refusals, sizeof refusals / sizeof *refusals);
}

static void wrong_types_are_refused(void **state) {
    (void)state;
    static const refusal_t refusals[] = {
        {"run = 5", "config.toml:1: run: is a value; expected a table"},
        {"[[run]]\nname = 'x'", "config.toml:1: run: is a value; expected a table"},
        {"run.name = 5", "config.toml:1: run.name: is an integer; expected a string in quotes"},
        {"run.name = 2026-11-22",
         "config.toml:1: run.name: is a date or time; expected a string in quotes"},
        {"run.name = \"a\\u0000b\"", "config.toml:1: run.name: holds a NUL character; take it out"},
        {"run.samples = \"5\"", "config.toml:1: run.samples: is a string; expected an integer"},
        {"run.samples = 5.0", "config.toml:1: run.samples: is a float; expected an integer"},
        {"run.temperature = true",
         "config.toml:1: run.temperature: is a boolean; expected a number"},
        {"run.threshold = nan", "config.toml:1: run.threshold: is not a finite number"},
        {"run.threshold = -inf", "config.toml:1: run.threshold: is not a finite number"},
        {"run.retry = 1", "config.toml:1: run.retry: is an integer; expected true or false"},
        {"run.formats = \"original\"",
         "config.toml:1: run.formats: is a string; expected a list of strings"},
        {"run.quantiles = 1",
         "config.toml:1: run.quantiles: is an integer; expected a list of numbers"},
        {"run.quantiles = [0, \"x\"]",
         "config.toml:1: run.quantiles: element 2: is a string; expected a number"},
        {"run.formats = [[\"original\"]]",
         "config.toml:1: run.formats: element 1: is a list; expected a string in quotes"},
        {"run.formats = [{a = 1}]",
         "config.toml:1: run.formats: element 1: is a table; expected a string in quotes"},
        {"budget.total_usd = true", "config.toml:1: budget.total_usd: is a boolean; expected "
                                    "dollars, as a number or a string"},
    };
    assert_refusals(refusals, sizeof refusals / sizeof *refusals);
}

static void values_out_of_range_are_refused(void **state) {
    (void)state;
    static const refusal_t refusals[] = {
        {"run.samples = 0", "config.toml:1: run.samples: 0 is out of range; expected 1 to 100"},
        {"run.samples = 101", "config.toml:1: run.samples: 101 is out of range; expected 1 to 100"},
        {"run.temperature = 2.1",
         "config.toml:1: run.temperature: 2.1 is out of range; expected 0 to 2"},
        {"run.quantiles = [0.1, 1.5]",
         "config.toml:1: run.quantiles: element 2: 1.5 is out of range; expected 0 to 1"},
        {"endpoints.x = {url = '', rpm = 0}",
         "config.toml:1: endpoints.x.rpm: 0 is out of range; expected at least 1"},
        {"run.mode = \"ech\"", "config.toml:1: run.mode: \"ech\" is not one of echo, per_token, "
                               "repeat; did you mean echo?"},
        /* not aliases.* */
        {"aliases.default = \"c\"", "config.toml:1: aliases.default: \"c\" is not one of a, b"},
        {"run.mode = \"a\\nb\"",
         "config.toml:1: run.mode: \"a\\nb\" is not one of echo, per_token, repeat"},
        {"run.formats = [\"original\", \"sumary\"]",
         "config.toml:1: run.formats: element 2: \"sumary\" is not one of "
         "original, summary, highlight; did you mean summary?"},
    };
    assert_refusals(refusals, sizeof refusals / sizeof *refusals);
}

static void amounts_that_are_none_are_refused(void **state) {
    (void)state;
    static const refusal_t refusals[] = {
        {"budget.total_usd = -1",
         "config.toml:1: budget.total_usd: \"-1\" is not an amount of dollars; expected 0 to "
         "1000000, at most 12 decimals"},
        {"budget.total_usd = 1e-13",
         "config.toml:1: budget.total_usd: \"1e-13\" is not an amount of dollars; expected "
         "0 to 1000000, at most 12 decimals"},
        {"budget.total_usd = \"five\"",
         "config.toml:1: budget.total_usd: \"five\" is not an amount of dollars; "
         "expected 0 to 1000000, at most 12 decimals"},
        {"budget.total_usd = 123456.1234567891",
         "config.toml:1: budget.total_usd: has more digits than a TOML number keeps; write the "
         "amount in quotes"},
    };
    assert_refusals(refusals, sizeof refusals / sizeof *refusals);
}

static void missing_keys_are_refused(void **state) {
    (void)state;
    static const refusal_t refusals[] = {
        {"", "config.toml: budget.total_usd: missing; add it (most that the run may cost)"},
        {TOTAL "[endpoints.\"a b\"]\nrpm = 5",
         "config.toml:2: endpoints.\"a b\".url: missing; add it (base URL)"},
        {TOTAL "[endpoints]\n[endpoints.y]\nurl=''\n[endpoints.x]",
         "config.toml:5: endpoints.x.url: missing; add it (base URL)"},
    };
    assert_refusals(refusals, sizeof refusals / sizeof *refusals);
}

/* Of several faults the first in the file is told, whatever its kind and the order of names. */
static void first_fault_first(void **state) {
    (void)state;
    assert_load_refused("run.samples = 0\nbudget.aaa = 1\n", NULL, 0,
                        "config.toml:1: run.samples: 0 is out of range; expected 1 to 100");
    assert_load_refused("budget.total_usd = 1\nrun.zzz = 1\nrun.samples = 0\n", NULL, 0,
                        "config.toml:2: run.zzz: unknown key; known here: name, note, mode, "
                        "samples, seed, temperature, threshold, retry, formats, quantiles");
}

static void text_that_is_no_toml(void **state) {
    (void)state;
    static const struct {
        const char *text;
        const char *start;
    } cases[] = {
        {"a = 1\nb = = 2\n", "config.toml:2: "},
        {"budget.total_usd = 1\nbudget.total_usd = 2\n", "config.toml:2: "},
        {"[run]\n[run]\n", "config.toml:2: "},
        {"a = \"\xff\"", "config.toml:1: "},
        {"\n\na = \"open", "config.toml:3: "},
        {"\"a\\u0000b\" = 1", "config.toml:1: a key holds a NUL character"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        error_info_t error = {0};
        assert_null(config_load(cases[i].text, strlen(cases[i].text), "config.toml", NULL, 0, rows,
                                ROW_COUNT, &error));
        if (strncmp(error.message, cases[i].start, strlen(cases[i].start)) != 0)
            fail_msg("%s: %s", cases[i].text, error.message);
        assert_int_equal(error.class_, ERROR_CONFIG);
    }
    error_info_t error;
    assert_null(config_load("a\0 = 1", 6, "c", NULL, 0, rows, ROW_COUNT, &error));
    assert_null(config_load(NULL, 0, "c", NULL, 0, rows, ROW_COUNT, NULL)); /* the required key */
}

/* Deep text is refused before anything recurses on it. */
static void depth_is_limited(void **state) {
    (void)state;
    enum { LENGTH = 1000000 };
    char *text = malloc(LENGTH + 1);
    text[LENGTH] = '\0';
    for (size_t i = 0; i < LENGTH; i++)
        text[i] = i % 2 == 0 ? 'a' : '.';
    assert_load_refused(text, NULL, 0, "config.toml:1: a key of more than 32 parts");
    memcpy(text, "\na=[", 4);
    memset(text + 4, '[', LENGTH - 4);
    assert_load_refused(text, NULL, 0, "config.toml:2: nested more than 32 brackets deep");
    free(text);
    /* What stands in strings and comments, and many short keys, do not count. */
    buffer_t harmless = BUFFER_EMPTY;
    buffer_append_text(&harmless, "budget.total_usd = 1 # ");
    for (int i = 0; i < 100; i++)
        buffer_append_text(&harmless, ".[");
    buffer_append_text(&harmless, "\nrun.note = \"\"\"\n\\\"\"\" ");
    for (int i = 0; i < 100; i++)
        buffer_append_text(&harmless, ".['{");
    buffer_append_text(&harmless, "\"\"\"\"\"\nrun.name = '\\'\nrun.mode = \"echo\" # \"\n");
    for (int i = 0; i < 100; i++)
        buffer_append_format(&harmless, "endpoints.n%d.url = \"%d.x\"\n", i, i);
    config_t *config = load(buffer_text(&harmless));
    assert_string_equal(config_string(config, "run.name"), "\\");
    const char *const *names;
    assert_int_equal(config_names(config, "endpoints", &names), 100);
    config_free(config);
    buffer_free(&harmless);
}

static void snapshot(void **state) {
    (void)state;
    config_t *config = load(sample);
    buffer_t dump = BUFFER_EMPTY;
    config_dump(config, &dump);
    config_free(config);
    assert_string_equal(buffer_text(&dump), "aliases.\"a.b\" = \"c\"\n"
                                            "aliases.default = \"a\"\n"
                                            "budget.daily_usd = \"2.5\"\n"
                                            "budget.total_usd = \"0.15\"\n"
                                            "endpoints.\"api.x.org\".rpm = 500\n"
                                            "endpoints.\"api.x.org\".url = \"https://api.x.org\"\n"
                                            "endpoints.local.rpm = 60\n"
                                            "endpoints.local.url = \"http://127.0.0.1\"\n"
                                            "models.\"gpt-4.1-mini\".price.input = \"0.0000004\"\n"
                                            "models.\"gpt-4.1-mini\".price.output = \"0.0000016\"\n"
                                            "run.formats = [\"summary\", \"original\"]\n"
                                            "run.mode = \"repeat\"\n"
                                            "run.name = \"caf\xc3\xa9\"\n"
                                            "run.quantiles = [0.5, 1]\n"
                                            "run.retry = false\n"
                                            "run.samples = 3\n"
                                            "run.temperature = 0\n");
    config = load(buffer_text(&dump));
    assert_true(config_money(config, "models.gpt-4.1-mini.price.input").pico == 400000);
    buffer_t again = BUFFER_EMPTY;
    config_dump(config, &again);
    assert_string_equal(buffer_text(&again), buffer_text(&dump));
    config_free(config);
    buffer_free(&again);
    buffer_free(&dump);
}

/* Awkward strings, numbers, names and empty tables come through a snapshot. */
static void snapshot_keeps_everything(void **state) {
    (void)state;
    config_t *config =
        load("budget.total_usd = \"123456.123456789012\"\n"
             "run.note = \"a\\\"b\\\\c\\n\\t\\u0001\\u007f\\r caf\\u00e9 \\U0001F600\"\n"
             "run.threshold = 1e-7\nrun.seed = -9223372036854775808\nrun.temperature = 0.1\n"
             "models.\"we\\\"ird\\n.name\".endpoint = \"x\"\n"
             "[models.\"\\u00e9\"]\n[models.empty.price]\n[models.e2]\n");
    for (int round = 0; round < 2; round++) {
        assert_true(config_money(config, "budget.total_usd").pico == INT64_C(123456123456789012));
        assert_string_equal(config_string(config, "run.note"),
                            "a\"b\\c\n\t\x01\x7f\r caf\xc3\xa9 \xf0\x9f\x98\x80");
        assert_true(config_number(config, "run.threshold") == 1e-7);
        assert_true(config_number(config, "run.temperature") == 0.1);
        assert_true(config_integer(config, "run.seed") == INT64_MIN);
        assert_string_equal(config_string(config, "models.we\"ird\n.name.endpoint"), "x");
        const char *const *names;
        assert_int_equal(config_names(config, "models", &names), 4);
        assert_string_equal(names[0], "e2");
        assert_string_equal(names[1], "empty");
        assert_string_equal(names[2], "we\"ird\n.name");
        assert_string_equal(names[3], "\xc3\xa9");
        buffer_t dump = BUFFER_EMPTY;
        config_dump(config, &dump);
        config_free(config);
        config = load(buffer_text(&dump));
        buffer_free(&dump);
    }
    config_free(config);
}

static config_t *minimal(void) {
    error_info_t error;
    return config_load(TOTAL, strlen(TOTAL), "c", NULL, 0, rows, ROW_COUNT, &error);
}

static void ask_unknown(void) {
    config_string(minimal(), "run.nmae");
}

static void ask_wrong_type(void) {
    config_string(minimal(), "run.samples");
}

static void ask_absent_wrong_type(void) {
    config_number(minimal(), "endpoints.x.rpm");
}

static void load_bad_default(void) {
    static const config_row_t bad[] = {{"a", CONFIG_INTEGER, "7", 1, 5, NULL, NULL}};
    config_load("", 0, "c", NULL, 0, bad, 1, NULL);
}

static void load_broken_default(void) {
    static const config_row_t bad[] = {{"a", CONFIG_STRING, "bare", 0, 0, NULL, NULL}};
    config_load("", 0, "c", NULL, 0, bad, 1, NULL);
}

static void bugs_abort(void **state) {
    (void)state;
    assert_true(dies(ask_unknown));
    assert_true(dies(ask_wrong_type));
    assert_true(dies(ask_absent_wrong_type));
    assert_true(dies(load_bad_default));
    assert_true(dies(load_broken_default));
}

static void random_damage_is_survived(void **state) {
    (void)state;
    static const char spice[] = "[]{}\"'=.,#\n \\u0eE+-_abc\xff\xc3:T";
    rng_t rng = rng_create(77);
    for (int round = 0; round < 5000; round++) {
        char text[sizeof sample];
        memcpy(text, sample, sizeof sample);
        for (uint64_t i = 0; i < 1 + rng_below(&rng, 3); i++)
            text[rng_below(&rng, sizeof sample - 1)] = spice[rng_below(&rng, sizeof spice - 1)];
        error_info_t error = {0};
        config_t *config =
            config_load(text, sizeof sample - 1, "c", NULL, 0, rows, ROW_COUNT, &error);
        if (!config) {
            assert_int_equal(error.class_, ERROR_CONFIG);
            assert_true(error.message[0] != '\0');
            continue;
        }
        buffer_t dump = BUFFER_EMPTY;
        config_dump(config, &dump);
        config_free(config);
        config = load(buffer_text(&dump));
        buffer_t again = BUFFER_EMPTY;
        config_dump(config, &again);
        assert_string_equal(buffer_text(&again), buffer_text(&dump));
        config_free(config);
        buffer_free(&again);
        buffer_free(&dump);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values),
        cmocka_unit_test(defaults),
        cmocka_unit_test(names_with_dots),
        cmocka_unit_test(alike_spellings),
        cmocka_unit_test(characters_past_ascii),
        cmocka_unit_test(lines_and_presence),
        cmocka_unit_test(refuse_for_the_caller),
        cmocka_unit_test(unknown_keys_are_refused),
        cmocka_unit_test(wrong_types_are_refused),
        cmocka_unit_test(values_out_of_range_are_refused),
        cmocka_unit_test(amounts_that_are_none_are_refused),
        cmocka_unit_test(missing_keys_are_refused),
        cmocka_unit_test(first_fault_first),
        cmocka_unit_test(text_that_is_no_toml),
        cmocka_unit_test(depth_is_limited),
        cmocka_unit_test(snapshot),
        cmocka_unit_test(snapshot_keeps_everything),
        cmocka_unit_test(bugs_abort),
        cmocka_unit_test(random_damage_is_survived),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
