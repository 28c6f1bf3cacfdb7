/* test_prices.c - prices to the picodollar, what an attempt costs, and the shipped list. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "core/base/buffer.h"
#include "core/llm/prices.h"

static const char LIST[] =
    "[models.\"gpt-4.1\"]\ninput = 2.00\ncached_input = 0.5\noutput = \"8\"\nas_of = "
    "\"2025-04-14\"\n"
    "source = \"s\"\n"
    "[models.ada]\ninput = 0.10\noutput = 0\nas_of = \"2023-07-01\"\nsource = \"s\"\n";

static price_list_t *parse(const char *text) {
    error_info_t error = {0};
    price_list_t *list = price_list_parse(text, strlen(text), "prices.toml", &error);
    if (!list)
        fail_msg("%s", error.message);
    return list;
}

static void parse_fails(const char *text, const char *said) {
    error_info_t error = {0};
    assert_null(price_list_parse(text, strlen(text), "prices.toml", &error));
    assert_int_equal(error.class_, ERROR_CONFIG);
    assert_non_null(strstr(error.message, "prices.toml"));
    if (!strstr(error.message, said))
        fail_msg("\"%s\" does not say \"%s\"", error.message, said);
}

static void assert_price(price_t price, int64_t input, int64_t cached, int64_t output) {
    assert_int_equal(price.input.pico, input);
    assert_int_equal(price.cached_input.pico, cached);
    assert_int_equal(price.output.pico, output);
}

/* --- one price -------------------------------------------------------------------------------- */

static void per_million(void **state) {
    (void)state;
    money_t price = {.pico = 7};
    assert_true(price_per_million_parse("0.15", &price));
    assert_int_equal(price.pico, 150000); /* $0.15 / 10^6 = 1.5 * 10^-7 dollars */
    assert_true(price_per_million_parse("30", &price));
    assert_int_equal(price.pico, 30000000);
    assert_true(price_per_million_parse("0.0028", &price));
    assert_int_equal(price.pico, 2800);
    assert_true(price_per_million_parse("0.000001", &price)); /* the finest: a picodollar a token */
    assert_int_equal(price.pico, 1);
    assert_true(price_per_million_parse("1000", &price));
    assert_int_equal(price.pico, 1000000000);
    assert_true(price_per_million_parse("0", &price));
    assert_int_equal(price.pico, 0);
    price.pico = 7;
    static const char *const broken[] = {"0.0000015", "0.0000001", "1000.000001", "1000000",
                                         "-1",        "",          "free",        "1 "};
    for (size_t i = 0; i < sizeof broken / sizeof broken[0]; i++) {
        assert_false(price_per_million_parse(broken[i], &price));
        assert_int_equal(price.pico, 7);
    }
}

/* gpt-4.1: 2, 0.5 and 8 micro-dollars a token. */
static void costs(void **state) {
    (void)state;
    const price_t price = {.input = {2000000}, .cached_input = {500000}, .output = {8000000}};
    assert_int_equal(price_worst_case(&price, 1000, 60).pico,
                     1000 * INT64_C(2000000) + 60 * INT64_C(8000000));
    assert_int_equal(price_worst_case(&price, 0, 0).pico, 0);
    assert_int_equal(price_worst_case(&price, -5, -5).pico, 0);
    llm_usage_t usage = {.present = true,
                         .prompt_tokens = 1000,
                         .cached_tokens = 400,
                         .completion_tokens = 50,
                         .reasoning_tokens = 45};
    assert_int_equal(price_of_usage(&price, &usage).pico,
                     600 * INT64_C(2000000) + 400 * INT64_C(500000) + 50 * INT64_C(8000000));
    usage.cached_tokens = 5000; /* never more than were sent */
    assert_int_equal(price_of_usage(&price, &usage).pico,
                     1000 * INT64_C(500000) + 50 * INT64_C(8000000));
    const price_t odd = {.input = {1},
                         .cached_input = {3},
                         /* a cache that costs more than it saves: the worst case knows */
                         .output = {0}};
    assert_int_equal(price_worst_case(&odd, 10, 10).pico, 30);
}

/* No usage within its own bound costs more than was reserved; the largest usage at the largest
 * price is an amount. */
static void worst_case_is_worst(void **state) {
    (void)state;
    const price_t price = {.input = {2000000}, .cached_input = {500000}, .output = {8000000}};
    money_t reserved = price_worst_case(&price, 500, 60);
    for (int64_t prompt = 0; prompt <= 500; prompt += 25)
        for (int64_t cached = 0; cached <= prompt; cached += 25)
            for (int64_t completion = 0; completion <= 60; completion += 20) {
                llm_usage_t usage = {.present = true,
                                     .prompt_tokens = prompt,
                                     .cached_tokens = cached,
                                     .completion_tokens = completion};
                assert_true(money_compare(price_of_usage(&price, &usage), reserved) <= 0);
            }
    const price_t dearest = {
        .input = {1000000000}, .cached_input = {1000000000}, .output = {1000000000}};
    llm_usage_t most = {
        .present = true, .prompt_tokens = INT64_C(1) << 31, .completion_tokens = INT64_C(1) << 31};
    assert_true(price_of_usage(&dearest, &most).pico > 0);
}

/* --- lists ------------------------------------------------------------------------------------ */

static void list_by_name_and_number(void **state) {
    (void)state;
    price_list_t *list = parse(LIST);
    price_t price;
    const char *as_of = NULL, *model = NULL;
    assert_true(price_list_find(list, "gpt-4.1", &price, &as_of));
    assert_price(price, 2000000, 500000, 8000000);
    assert_string_equal(as_of, "2025-04-14");
    assert_true(price_list_find(list, "ada", &price, &as_of));
    /* without a cached price, a cached token costs as any */
    assert_price(price, 100000, 100000, 0);
    assert_false(price_list_find(list, "gpt-4", &price, &as_of)); /* exact names only */
    assert_false(price_list_find(list, "", &price, &as_of));
    assert_true(price_list_at(list, 0, &model, &price, &as_of));
    assert_string_equal(model, "ada");
    assert_true(price_list_at(list, 1, &model, &price, &as_of));
    assert_string_equal(model, "gpt-4.1");
    assert_price(price, 2000000, 500000, 8000000);
    assert_false(price_list_at(list, 2, &model, &price, &as_of));
    price_list_free(list);
    list = parse("");
    assert_false(price_list_find(list, "ada", &price, &as_of));
    price_list_free(list);
    price_list_free(NULL);
}

static void broken_lists(void **state) {
    (void)state;
    static const struct {
        const char *members, *said;
    } cases[] = {
        {"output = 1\nas_of = \"2023-07-01\"\nsource = \"s\"", "models.m.input"},
        {"input = 1\nas_of = \"2023-07-01\"\nsource = \"s\"", "models.m.output"},
        {"input = 1\noutput = 1\nsource = \"s\"", "models.m.as_of"},
        {"input = 1\noutput = 1\nas_of = \"2023-07-01\"", "models.m.source"},
        {"input = 1\noutput = 1\nas_of = \"July\"\nsource = \"s\"", "must be a day"},
        {"input = 1\noutput = 1\nas_of = \"2023-07-1x\"\nsource = \"s\"", "must be a day"},
        {"input = 1\noutput = 0.0000015\nas_of = \"2023-07-01\"\nsource = \"s\"",
         "models.m.output"},
        {"input = 1\noutput = 2000\nas_of = \"2023-07-01\"\nsource = \"s\"", "at most $1,000"},
        {"input = 1\noutput = -1\nas_of = \"2023-07-01\"\nsource = \"s\"", "models.m.output"},
        {"input = 1\ncached_input = 1.5\noutput = 1\nas_of = \"2023-07-01\"\nsource = \"s\"",
         "models.m.cached_input"},
        {"input = 1\noutptu = 1\nas_of = \"2023-07-01\"\nsource = \"s\"", "outptu"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[256];
        snprintf(text, sizeof text, "[models.m]\n%s\n", cases[i].members);
        parse_fails(text, cases[i].said);
    }
    parse_fails("[models", "");
    parse_fails("[model.m]\ninput = 1\n", "model");
}

/* --- the shipped list ------------------------------------------------------------------------- */

static price_list_t *shipped(void) {
    buffer_t text = BUFFER_EMPTY;
    error_info_t error = {0};
    if (!buffer_read_file(&text, "core/llm/prices.toml", 1 << 20, &error))
        fail_msg("%s", error.message);
    price_list_t *list = parse(buffer_text(&text));
    buffer_free(&text);
    return list;
}

static void assert_shipped(const price_list_t *list, const char *model, const char *input,
                           const char *cached, const char *output, const char *year) {
    price_t price;
    money_t expected[3];
    const char *as_of = NULL;
    if (!price_list_find(list, model, &price, &as_of))
        fail_msg("%s has no price", model);
    assert_true(price_per_million_parse(input, &expected[0]));
    assert_true(price_per_million_parse(cached, &expected[1]));
    assert_true(price_per_million_parse(output, &expected[2]));
    assert_price(price, expected[0].pico, expected[1].pico, expected[2].pico);
    assert_memory_equal(as_of, year, strlen(year));
}

static void models_of_the_paper(void **state) {
    (void)state;
    price_list_t *list = shipped();
    assert_shipped(list, "gpt-3.5-turbo", "1.50", "1.50", "2.00", "2023-07");
    assert_shipped(list, "gpt-4", "30", "30", "60", "20");
    assert_shipped(list, "text-embedding-ada-002", "0.10", "0.10", "0", "20");
    assert_shipped(list, "text-davinci-003", "20", "20", "20", "2023-07");
    assert_shipped(list, "davinci", "20", "20", "20", "2023-07");
    price_list_free(list);
}

static void models_of_today(void **state) {
    (void)state;
    price_list_t *list = shipped();
    assert_shipped(list, "gpt-4o", "2.50", "1.25", "10", "202");
    assert_shipped(list, "gpt-4o-mini", "0.15", "0.075", "0.60", "202");
    assert_shipped(list, "gpt-4.1-nano", "0.10", "0.025", "0.40", "202");
    assert_shipped(list, "text-embedding-3-small", "0.02", "0.02", "0", "202");
    static const char *const families[] = {"gpt-4.1", "gpt-5",     "o3",       "claude-sonnet",
                                           "gemini-", "deepseek-", "mistral-", "text-embedding-3"};
    price_t price;
    const char *as_of = NULL, *model = NULL;
    for (size_t i = 0; i < sizeof families / sizeof families[0]; i++) {
        bool found = false;
        for (size_t j = 0; !found && price_list_at(list, j, &model, &price, &as_of); j++)
            found = strncmp(model, families[i], strlen(families[i])) == 0;
        if (!found)
            fail_msg("no %s model has a price", families[i]);
    }
    for (size_t j = 0; price_list_at(list, j, &model, &price, &as_of); j++)
        assert_true(price.input.pico > 0 && money_compare(price.cached_input, price.input) <= 0);
    price_list_free(list);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(per_million),         cmocka_unit_test(costs),
        cmocka_unit_test(worst_case_is_worst), cmocka_unit_test(list_by_name_and_number),
        cmocka_unit_test(broken_lists),        cmocka_unit_test(models_of_the_paper),
        cmocka_unit_test(models_of_today),
    };
    return cmocka_run_group_tests_name("prices", tests, NULL, NULL);
}
