/* test_card.c - a neuron's card: what is marked, coloured and counted, and that nothing raw
 * reaches a terminal. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <string.h>

#include "core/base/json.h"
#include "core/base/memory.h"
#include "core/base/wrap.h"
#include "tools/cli/card.h"

/* "\xE2" and "\x82\xAC" are the parts of a euro sign; the last token would colour a terminal,
 * "\xC2\x9B" too. */
static token_t tokens[] = {{(char[]){" the"}, 4}, {(char[]){"\n"}, 1},
                           {(char[]){"\xE2"}, 1}, {(char[]){"\x82\xAC"}, 2},
                           {(char[]){" cat"}, 4}, {(char[]){"\x1b[31m\xC2\x9B\x7F"}, 8}};
enum { TOKENS = sizeof tokens / sizeof tokens[0] };
static float strong[TOKENS] = {0, 2.5f, 0, 1, 10, -1}, weak[TOKENS] = {0, 0, 0, 0, 1, 0};
static activation_record_t strong_records[] = {{TOKENS, tokens, strong}, {TOKENS, tokens, weak}};
static activation_record_t weak_record = {TOKENS, tokens, weak};

static neuron_record_t neuron(void) {
    neuron_record_t made = {.source = NEURON_SOURCE_SUBJECT,
                            .layer = 5,
                            .index = 131,
                            .top = {2, strong_records},
                            .random = {1, &weak_record},
                            .has_quantiles = true,
                            .quantiles = {0.5, 1, 2, 4},
                            .mean = 0.25,
                            .variance = 2,
                            .skewness = NAN,
                            .kurtosis = 9,
                            .has_above_zero = true,
                            .above_zero = 0.125,
                            .threshold = NAN};
    made.bands[4] = (record_list_t){1, strong_records};
    made.bands[0] = (record_list_t){1, &weak_record};
    return made;
}

/* The text; static: valid until the next call. */
static const char *card_text(const card_t *card, card_options_t options) {
    static buffer_t out;
    buffer_clear(&out);
    card_write_text(card, &options, &out);
    return buffer_text(&out);
}

static const card_options_t plain = {.most = 5};

static void marks_what_is_above_the_threshold(void **state) {
    (void)state;
    neuron_record_t record = neuron();
    card_t card = {.run = "night", .set = "gpt2", .id = "5:131", .record = &record};
    const char *text = card_text(&card, plain);
    assert_non_null(strstr(text,
                           "neuron 5:131 of set gpt2, run night\n"
                           "mean 0.25, variance 2, kurtosis 9, above zero 12.5 %\n"
                           "quantiles 0.5 at 0.5, 0.9 at 1, 0.99 at 2, 0.999 at 4\n"
                           "highest activation 10; marked are [tokens] above 1, the threshold;"));
    assert_non_null(
        strstr(text, "\ntop\n        10   the[\\n]\\xE2\\x82\\xAC[ cat]\\x1B[31m\\xC2\\x9B\\x7F\n"
                     "         1   the\\n\\xE2\\x82\\xAC cat\\x1B[31m\\xC2\\x9B\\x7F\n"));
    assert_non_null(strstr(text, "\nabove quantile 0.999 (4)\n"));
    assert_non_null(strstr(text, "\nbelow quantile 0.5 (0.5)\n"));
    assert_non_null(strstr(text, "\nrandom\n"));
    assert_non_null(strstr(text, "\nexplanations, 0 of 0 so far\n"));
    text = card_text(&card, (card_options_t){.most = 1});
    assert_non_null(strstr(text, "\ntop, 1 of 2\n"));
    record.has_quantiles = false;
    assert_non_null(strstr(card_text(&card, plain), "marked are [tokens] above 5, half of it"));
}

static void colours_from_zero_to_the_highest(void **state) {
    (void)state;
    neuron_record_t record = neuron();
    card_t card = {.run = "night", .set = "gpt2", .id = "5:131", .record = &record};
    const char *text = card_text(&card, (card_options_t){.most = 5, .colour = true});
    assert_non_null(strstr(
        text, "10   the\x1b[38;5;16;48;5;228m\\n\x1b[0m\\xE2\x1b[38;5;16;48;5;230m\\x82\\xAC\x1b[0m"
              "\x1b[38;5;16;48;5;196m cat\x1b[0m\\x1B[31m\\xC2\\x9B\\x7F\n"));
    for (const char *at = strchr(text, '\x1b'); at; at = strchr(at + 1, '\x1b')) /* ours alone */
        assert_true(!strncmp(at, "\x1b[0m", 4) || !strncmp(at, "\x1b[38;5;16;48;5;", 15));
}

static card_t explained(const neuron_record_t *record) {
    card_t card = {.run = "night",
                   .set = "s\x1b",
                   .id = "5:131\a",
                   .record = record,
                   .baseline = "known\x1b words"};
    card.measured = stages_measured(&stages_shipped);
    card.explanations = MEMORY_NEW_ARRAY(4, card_explanation_t);
    for (size_t i = 0; i < 4; i++)
        card.explanations[card.explanation_count++] =
            (card_explanation_t){.format = "avhs", .explainer = "m", .sample = (uint32_t)i};
    card_explanation_t *done = card.explanations;
    *done = (card_explanation_t){
        .format = "original",
        .explainer = "m",
        .explained = CHAIN_DONE,
        .text = memory_copy_string("cats\nand\x1b]0;evil\a \xC2\x9B"
                                   "31m\x7F"),
        .measured = {{.state = CHAIN_DONE, .values = {0.5, 0.25}}, {.state = CHAIN_ABSENT}}};
    done[1].explained = CHAIN_ABSENT;
    done[2].explained = CHAIN_FAILED;
    done[3].explained = done[3].measured[0].state = CHAIN_DONE;
    done[3].measured[0].values[0] = NAN;
    done[3].text = memory_copy_string("dogs");
    return card;
}

static void shows_explanations_as_far_as_they_are(void **state) {
    (void)state;
    neuron_record_t record = neuron();
    card_t card = explained(&record);
    assert_non_null(strstr(card_text(&card, plain),
                           "\nexplanations, 2 of 4 so far\n"
                           "  original, m #0, score 0.500, AdaCS missing\n"
                           "    cats\\nand\\x1B]0;evil\\x07 \\xC2\\x9B31m\\x7F\n"
                           "  avhs, m #1: missing\n"
                           "  avhs, m #2: failed\n"
                           "  avhs, m #3, score undefined\n"
                           "    dogs\n"
                           "  the baseline\n    known\\x1B words\n"));
    card_clear(&card);
    assert_null(card.explanations);
}

static void assert_harmless(const char *text) {
    for (const unsigned char *at = (const unsigned char *)text; *at; at++) {
        assert_true((*at >= 0x20 && *at != 0x7F) || *at == '\n');
        assert_false(at[0] == 0xC2 && at[1] >= 0x80 && at[1] < 0xA0);
    }
}

static void nothing_raw_reaches_a_terminal(void **state) {
    (void)state;
    neuron_record_t record = neuron();
    card_t card = explained(&record);
    assert_harmless(card_text(&card, plain));
    buffer_t json = BUFFER_EMPTY;
    card_write_json(&card, 5, &json);
    assert_harmless(buffer_text(&json));
    json_value_t *root = json_parse(buffer_text(&json), json.length, "card", JSON_PLAIN, NULL);
    assert_non_null(root);
    assert_string_equal(json_as_string(json_path(root, "explanations.0.text"), NULL),
                        card.explanations[0].text);
    assert_string_equal(json_as_string(json_path(root, "groups.0.excerpts.0.tokens.5"), NULL),
                        tokens[5].bytes);
    assert_int_equal(json_count(json_path(root, "groups.0.excerpts.0.tokens.3")), 2);
    assert_int_equal(json_count(json_get(root, "groups")), 4);
    assert_true(json_is(json_get(root, "skewness"), JSON_KIND_NULL));
    double number;
    assert_true(json_as_number(json_get(root, "maximum"), &number) && number == 10);
    json_free(root);
    buffer_free(&json);
    card_clear(&card);
}

static void breaks_lines_between_tokens(void **state) {
    (void)state;
    static char word[] = " word";
    static token_t words[60];
    static float values[60];
    for (size_t i = 0; i < 60; i++)
        words[i] = (token_t){word, 5};
    values[59] = 3;
    activation_record_t record = {60, words, values};
    neuron_record_t puzzle = {.source = NEURON_SOURCE_PUZZLE,
                              .layer = -1,
                              .index = -1,
                              .top = {1, &record},
                              .mean = NAN,
                              .variance = NAN,
                              .skewness = NAN,
                              .kurtosis = NAN,
                              .threshold = NAN};
    card_t card = {.run = "r", .set = "s", .id = "words", .record = &puzzle};
    const char *text = card_text(&card, plain);
    assert_non_null(strstr(text, "puzzle words of set s, run r\nstatistics not known\n"));
    assert_non_null(strstr(text, "\nto explain from\n"));
    size_t found = 0;
    for (const char *at = strstr(text, " word"); at; at = strstr(at + 1, " word"))
        found++;
    assert_int_equal(found, 60 + 1); /* and the one in the head */
    while (*text) {
        size_t length = strcspn(text, "\n");
        assert_true(length <= WRAP_WIDTH);
        text += length + 1;
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(marks_what_is_above_the_threshold),
        cmocka_unit_test(colours_from_zero_to_the_highest),
        cmocka_unit_test(shows_explanations_as_far_as_they_are),
        cmocka_unit_test(nothing_raw_reaches_a_terminal),
        cmocka_unit_test(breaks_lines_between_tokens),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
