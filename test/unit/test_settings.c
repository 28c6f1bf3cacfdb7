/* test_settings.c - what a config says, and everything it can say wrong: the exact line that
 * the user reads. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "actors/sweep/settings.h"
#include "core/base/memory.h"

/* Line numbers count: messages name them. */
static const char BASE[] = "[budget]\n"                              /* 1 */
                           "total_usd = 10\n"                        /* 2 */
                           "[endpoints.api]\n"                       /* 3 */
                           "base_url = \"http://127.0.0.1:9/v1\"\n"  /* 4 */
                           "[models.chat]\n"                         /* 5 */
                           "endpoints = [\"api\"]\n"                 /* 6 */
                           "price = { input = 0.5, output = 1.5 }\n" /* 7 */
                           "[models.embed]\n"                        /* 8 */
                           "endpoints = [\"api\"]\n"                 /* 9 */
                           "price = { input = 0.02, output = 0 }\n"  /* 10 */
                           "[sets.puzzles]\n"                        /* 11 */
                           "source = \"puzzles:\"\n"                 /* 12 */
                           "[explain]\n"                             /* 13 */
                           "models = [\"chat\"]\n"                   /* 14 */
                           "[simulate]\n"                            /* 15 */
                           "model = \"chat\"\n"                      /* 16 */
                           "[adacs]\n"                               /* 17 */
                           "model = \"embed\"\n";                    /* 18 */

/* BASE with `from` replaced by `to`; owned. */
static char *replaced(const char *from, const char *to) {
    const char *at = strstr(BASE, from);
    assert_non_null(at);
    return memory_format("%.*s%s%s", (int)(at - BASE), BASE, to, at + strlen(from));
}

static settings_t *load(const char *text, bool offline, error_info_t *error) {
    return settings_load(text, strlen(text), "config.toml", NULL, 0, offline, error);
}

static settings_t *load_good(const char *from, const char *to) {
    error_info_t error = {0};
    char *text = replaced(from, to);
    settings_t *settings = load(text, false, &error);
    if (!settings)
        fail_msg("%s", error.message);
    free(text);
    return settings;
}

static void assert_refused(const char *from, const char *to, const char *message) {
    error_info_t error = {0};
    char *text = replaced(from, to);
    settings_t *settings = load(text, false, &error);
    free(text);
    if (settings)
        fail_msg("was taken, instead of: %s", message);
    assert_string_equal(error.message, message);
    assert_int_equal(error.class_, ERROR_CONFIG);
}

static void refuses_keys(void **state) {
    (void)state;
    assert_refused("total_usd", "totl_usd",
                   "config.toml:2: budget.totl_usd: unknown key; did you mean budget.total_usd?");
    assert_refused("[budget]", "[bugdet]",
                   "config.toml:1: bugdet: unknown table; did you mean budget?");
    assert_refused("total_usd = 10", "",
                   "config.toml: budget.total_usd: missing; add it (cap of the run in dollars: "
                   "settled + doubts + reserved never pass it)");
    assert_refused("base_url = \"http://127.0.0.1:9/v1\"", "",
                   "config.toml:3: endpoints.api.base_url: missing; add it (e.g. "
                   "https://api.openai.com/v1; \"standin:\" starts the offline stand-in)");
    assert_refused(
        "source = \"puzzles:\"", "",
        "config.toml:11: sets.puzzles.source: missing; add it (\"puzzles:\" (shipped), \"record:\" "
        "(recorded), \"store:NAME\" "
        "(imported), or a JSON or JSONL file of records)");
    assert_refused("[explain]", "[explain]\ntemperature = \"hot\"",
                   "config.toml:14: explain.temperature: is a string; expected a number");
    assert_refused("models = [\"chat\"]", "models = \"chat\"",
                   "config.toml:14: explain.models: is a string; expected a list of strings");
    assert_refused("[explain]", "[explain]\nformats = [\"orginal\"]",
                   "config.toml:14: explain.formats: element 1: \"orginal\" is not one of "
                   "original, summary, highlight, highlight_summary, avhs; did you mean original?");
}

static void refuses_limits(void **state) {
    (void)state;
    assert_refused("[models.chat]", "rpm = 0\n[models.chat]",
                   "config.toml:5: endpoints.api.rpm: 0 is out of range; expected 1 to 1000000000");
    assert_refused(
        "[models.chat]", "tpm = -5\n[models.chat]",
        "config.toml:5: endpoints.api.tpm: -5 is out of range; expected 1 to 1000000000000");
    assert_refused(
        "[models.chat]", "concurrency = 0\n[models.chat]",
        "config.toml:5: endpoints.api.concurrency: 0 is out of range; expected 1 to 4096");
    assert_refused("[explain]", "[explain]\nsamples = 0",
                   "config.toml:14: explain.samples: 0 is out of range; expected 1 to 10000");
    assert_refused("[explain]", "[explain]\ntemperature = nan",
                   "config.toml:14: explain.temperature: is not a finite number");
    assert_refused("[simulate]", "[simulate]\nmode = \"echo\"\ntop_logprobs = 0",
                   "config.toml:17: simulate.top_logprobs: echo reads expected values from "
                   "logprobs; ask for at least 1");
}

static void refuses_caps(void **state) {
    (void)state;
    assert_refused("total_usd = 10", "total_usd = 0",
                   "config.toml:2: budget.total_usd: a cap of nothing lets nothing run; set the "
                   "dollars that may be spent");
    assert_refused("total_usd = 10", "total_usd = 10\ndaily_usd = 0",
                   "config.toml:3: budget.daily_usd: a cap of nothing lets nothing run; set the "
                   "dollars that may be spent");
    assert_refused("total_usd = 10", "total_usd = 10\nmodels = { chat = 0 }",
                   "config.toml:3: budget.models.chat: a cap of nothing lets nothing run; set the "
                   "dollars that may be spent");
    assert_refused("total_usd = 10", "total_usd = -1",
                   "config.toml:2: budget.total_usd: \"-1\" is not an amount of dollars; expected "
                   "0 to 1000000, at most 12 decimals");
    assert_refused(
        "total_usd = 10", "total_usd = 10\nmodels = { chta = 1 }",
        "config.toml:3: budget.models.chta: there is no [models.\"chta\"]; did you mean \"chat\"?");
}

static void refuses_names(void **state) {
    (void)state;
    assert_refused(
        "models = [\"chat\"]", "models = [\"chat\", \"embd\"]",
        "config.toml:14: explain.models: there is no [models.\"embd\"]; did you mean \"embed\"?");
    assert_refused("models = [\"chat\"]", "models = [\"chat\", \"chat\"]",
                   "config.toml:14: explain.models: \"chat\" stands twice; leave one out");
    assert_refused(
        "models = [\"chat\"]", "models = []",
        "config.toml:14: explain.models: the list is empty; name at least one of [models.*]");
    assert_refused(
        "[explain]", "formats = []\n[explain]",
        "config.toml:13: sets.puzzles.formats: the list is empty; name at least one prompt format");
    assert_refused("model = \"chat\"", "model = \"gpt-9\"",
                   "config.toml:16: simulate.model: there is no [models.\"gpt-9\"]; add it");
    assert_refused(
        "[models.embed]\nendpoints = [\"api\"]", "[models.embed]\nendpoints = [\"other\"]",
        "config.toml:9: models.embed.endpoints: there is no [endpoints.\"other\"]; add it");
    assert_refused("[sets.puzzles]\nsource = \"puzzles:\"", "",
                   "config.toml: no neurons are named; add a table [sets.NAME] with source = "
                   "\"puzzles:\" or a file");
    assert_refused("[models.embed]", "lineage = \"standin:x\"\n[models.embed]",
                   "config.toml:8: models.chat.lineage: lineages that start with standin: belong "
                   "to the stand-in; choose another");
}

static void refuses_endpoints(void **state) {
    (void)state;
    assert_refused("http://127.0.0.1:9/v1", "127.0.0.1:9/v1",
                   "config.toml:4: endpoints.api.base_url: \"127.0.0.1:9/v1\" is no URL; it must "
                   "start with http:// or https://, or be \"standin:\"");
    assert_refused("http://127.0.0.1:9/v1", "http://127.0.0.1:9/v1/",
                   "config.toml:4: endpoints.api.base_url: leave out the slash at the end");
    assert_refused("http://127.0.0.1:9/v1", "http://me:secret@127.0.0.1:9/v1",
                   "config.toml:4: endpoints.api.base_url: leave out user and password; name a "
                   "variable with key_env");
}

static void refuses_keys_of_endpoints(void **state) {
    (void)state;
    unsetenv("GLIA_TEST_KEY");
    assert_refused("[models.chat]", "key_env = \"GLIA_TEST_KEY\"\n[models.chat]",
                   "config.toml:5: endpoints.api.key_env: the environment variable GLIA_TEST_KEY "
                   "is not set; export it or remove key_env");
    setenv("GLIA_TEST_KEY", "sk-1234\r", 1);
    assert_refused(
        "[models.chat]", "key_env = \"GLIA_TEST_KEY\"\n[models.chat]",
        "config.toml:5: endpoints.api.key_env: the value of the environment variable GLIA_TEST_KEY "
        "holds a space or a control character, as no API key does; export it again");
    setenv("GLIA_TEST_KEY", "sk-1234", 1);
    settings_t *settings = load_good("[models.chat]", "key_env = \"GLIA_TEST_KEY\"\n[models.chat]");
    assert_string_equal(settings->endpoints[0].key, "sk-1234");
    settings_free(settings);
    unsetenv("GLIA_TEST_KEY");
}

static void takes_no_key_offline(void **state) {
    (void)state;
    error_info_t error = {0};
    unsetenv("GLIA_TEST_KEY");
    char *text = replaced("[models.chat]", "key_env = \"GLIA_TEST_KEY\"\n[models.chat]");
    settings_t *settings = load(text, true, &error);
    assert_non_null(settings);
    assert_null(settings->endpoints[0].key);
    settings_free(settings);
    free(text);
}

static void refuses_prices(void **state) {
    (void)state;
    assert_refused(
        "price = { input = 0.5, output = 1.5 }", "",
        "config.toml: models.chat.price.input: no price is known for this model; set price.input "
        "and price.output (dollars per million tokens), or budget.unpriced = \"allow\"");
    assert_refused("price = { input = 0.5, output = 1.5 }", "price = { output = 1.5 }",
                   "config.toml: models.chat.price.input: missing, though another price of the "
                   "model is given; add it");
    assert_refused("price = { input = 0.5, output = 1.5 }", "price = { input = 0.5 }",
                   "config.toml: models.chat.price.output: missing, though the input has a price; "
                   "add it (0 for a model that only embeds)");
    assert_refused("input = 0.5,", "input = 0.5000001,",
                   "config.toml:7: models.chat.price.input: finer than 10^-6 dollars per million "
                   "tokens; round it up");
    assert_refused("input = 0.5,", "input = 1001,",
                   "config.toml:7: models.chat.price.input: more than $1,000 per million tokens; "
                   "prices are per million tokens");
}

static void reads_prices(void **state) {
    (void)state;
    settings_t *settings = load_good("input = 0.5,", "input = 0.5, cached_input = 0.125,");
    const model_settings_t *chat = &settings->models[0];
    assert_string_equal(chat->name, "chat");
    assert_true(chat->priced);
    assert_int_equal(chat->price.input.pico, 500000);
    assert_int_equal(chat->price.cached_input.pico, 125000);
    assert_int_equal(chat->price.output.pico, 1500000);
    /* not given: as the input */
    assert_int_equal(settings->models[1].price.cached_input.pico, 20000);
    settings_free(settings);
    settings = load_good("price = { input = 0.5, output = 1.5 }", "wire_name = \"gpt-4o-mini\"");
    /* from the shipped list, by the name that goes over the wire */
    assert_true(settings->models[0].priced);
    settings_free(settings);
    settings = load_good(
        "total_usd = 10\n[endpoints.api]\nbase_url = \"http://127.0.0.1:9/v1\"\n[models.chat]\n"
        "endpoints = [\"api\"]\nprice = { input = 0.5, output = 1.5 }",
        "total_usd = 10\nunpriced = \"allow\"\n[endpoints.api]\nbase_url = "
        "\"http://127.0.0.1:9/v1\"\n[models.chat]\nendpoints = [\"api\"]");
    assert_false(settings->models[0].priced);
    assert_int_equal(settings->models[0].price.output.pico, 0);
    settings_free(settings);
}

static void keeps_the_standin_apart(void **state) {
    (void)state;
    settings_t *settings = load_good("http://127.0.0.1:9/v1", "standin:");
    assert_true(settings->endpoints[0].standin);
    assert_string_equal(settings->models[0].lineage, "standin:chat");
    settings_free(settings);
    settings = load_good("[models.embed]", "lineage = \"mine\"\n[models.embed]");
    assert_string_equal(settings->models[0].lineage, "mine");
    assert_string_equal(settings->models[1].lineage, "embed");
    settings_free(settings);
}

static void reads_sets(void **state) {
    (void)state;
    settings_t *settings = load_good(
        "[explain]", "formats = [\"avhs\"]\nsamples = 3\nlimit = 7\n[sets.a]\nsource = "
                     "\"store:x\"\nbaseline = \"nv\"\nexplainers = [\"embed\"]\n[explain]\nsamples "
                     "= 2\nformats = [\"summary\", \"original\"]");
    assert_int_equal(settings->set_count, 2);
    const set_settings_t *a = &settings->sets[0], *puzzles = &settings->sets[1];
    assert_string_equal(a->name, "a");
    assert_string_equal(a->baseline, "nv");
    assert_int_equal(a->samples, 2);
    assert_true(a->formats[PROMPT_ORIGINAL] && a->formats[PROMPT_SUMMARY] &&
                !a->formats[PROMPT_AVHS]);
    assert_int_equal(a->explainer_count, 1);
    assert_int_equal(a->explainers[0], 1);
    assert_int_equal(puzzles->samples, 3);
    assert_int_equal(puzzles->limit, 7);
    assert_true(puzzles->formats[PROMPT_AVHS] && !puzzles->formats[PROMPT_ORIGINAL]);
    assert_true(settings_uses_model(settings, 0) && settings_uses_model(settings, 1));
    settings_free(settings);
}

static void chooses_sets(void **state) {
    (void)state;
#define MORE_SETS                                                                   \
    "[sets.a]\nsource = \"store:x\"\nexplainers = [\"embed\"]\n[sets.b]\nsource = " \
    "\"store:y\"\n[explain]"
    const char *const assignments[] = {"run.sets=[\"puzzles\", \"b\"]"};
    error_info_t error = {0};
    char *text = replaced("[explain]", MORE_SETS);
    settings_t *settings =
        settings_load(text, strlen(text), "config.toml", assignments, 1, false, &error);
    free(text);
    assert_non_null(settings);
    assert_int_equal(settings->set_count, 2);
    assert_string_equal(settings->sets[0].name, "b");
    assert_string_equal(settings->sets[1].name, "puzzles");
    settings_free(settings);
    assert_refused(
        "[budget]", "run.sets = [\"puzzle\"]\n[budget]",
        "config.toml:1: run.sets: there is no [sets.\"puzzle\"]; did you mean \"puzzles\"?");
    assert_refused("[budget]", "run.sets = []\n[budget]",
                   "config.toml:1: run.sets: the list is empty; name at least one of [sets.*]");
}

static void defaults_the_doubts(void **state) {
    (void)state;
    settings_t *settings = load_good("total_usd = 10", "total_usd = 10");
    assert_int_equal(settings->cap_doubts.pico, INT64_C(2000000000000));
    assert_false(settings->has_cap_daily);
    settings_free(settings);
    settings = load_good("total_usd = 10", "total_usd = 10\ndoubts_usd = 0\ndaily_usd = \"0.25\"");
    assert_int_equal(settings->cap_doubts.pico, 0); /* pause at the first */
    assert_int_equal(settings->cap_daily.pico, INT64_C(250000000000));
    settings_free(settings);
}

/* A run's snapshot gives the same settings, and the same snapshot, again. */
static void survives_its_snapshot(void **state) {
    (void)state;
    settings_t *settings = load_good("[explain]", "limit = 7\n[explain]\ntemperature = 0.3");
    buffer_t first = BUFFER_EMPTY, second = BUFFER_EMPTY;
    error_info_t error = {0};
    config_dump(settings->config, &first);
    settings_t *again =
        settings_load(first.data, first.length, "config of run x", NULL, 0, true, &error);
    if (!again)
        fail_msg("%s", error.message);
    config_dump(again->config, &second);
    assert_string_equal(buffer_text(&first), buffer_text(&second));
    assert_int_equal(again->sets[0].limit, 7);
    assert_true(fabs(again->temperature - 0.3) == 0);
    settings_free(again);
    settings_free(settings);
    buffer_free(&first);
    buffer_free(&second);
}

static void collect(void *context, log_level_t level, const char *line) {
    (void)level;
    buffer_append_text(context, line);
}

static void hides_secrets(void **state) {
    (void)state;
    setenv("GLIA_TEST_KEY", "sk-very-secret", 1);
    settings_t *settings = load_good("[models.chat]", "key_env = \"GLIA_TEST_KEY\"\n[models.chat]");
    buffer_t lines = BUFFER_EMPTY, dump = BUFFER_EMPTY;
    log_t *log = log_create(LOG_DEBUG, collect, &lines);
    settings_hide_secrets(settings, log);
    log_line(log, LOG_INFO, "Authorization: Bearer sk-very-secret");
    assert_null(strstr(buffer_text(&lines), "sk-very-secret"));
    config_dump(settings->config, &dump);
    assert_null(strstr(buffer_text(&dump), "sk-very-secret"));
    log_free(log);
    settings_free(settings);
    buffer_free(&lines);
    buffer_free(&dump);
    unsetenv("GLIA_TEST_KEY");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refuses_keys),         cmocka_unit_test(refuses_limits),
        cmocka_unit_test(refuses_caps),         cmocka_unit_test(refuses_names),
        cmocka_unit_test(refuses_endpoints),    cmocka_unit_test(refuses_keys_of_endpoints),
        cmocka_unit_test(takes_no_key_offline), cmocka_unit_test(refuses_prices),
        cmocka_unit_test(reads_prices),         cmocka_unit_test(keeps_the_standin_apart),
        cmocka_unit_test(reads_sets),           cmocka_unit_test(chooses_sets),
        cmocka_unit_test(defaults_the_doubts),  cmocka_unit_test(survives_its_snapshot),
        cmocka_unit_test(hides_secrets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
