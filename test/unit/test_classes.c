/* Word classes: which tokens are in them, when a neuron is selective for one, when an
 * explanation names one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <math.h>

#include "core/base/buffer.h"
#include "core/base/embedded.h"
#include "core/base/json.h"
#include "core/base/memory.h"
#include "tools/report/classes.h"
#include "tools/standin/traits.h"

static const char example[] =
    "{\"version\": 1, \"classes\": ["
    "{\"name\": \"colours\", \"kind\": \"words\", \"keywords\": [\"colour\", \"color\"], "
    "\"values\": [\"red\", \"green\", \"blue\", \"scarlet\"]},"
    "{\"name\": \"digits\", \"kind\": \"characters\", \"keywords\": [\"number\"], \"values\": "
    "[\"0123456789\"]},"
    "{\"name\": \"breaks\", \"kind\": \"breaks\", \"keywords\": [\"line break\"], \"values\": []},"
    "{\"name\": \"capitals\", \"kind\": \"capitals\", \"keywords\": [\"capital*\"], \"values\": "
    "[]},"
    "{\"name\": \"first\", \"kind\": \"first\", \"keywords\": [\"begin* of sentence\"], "
    "\"values\": []},"
    "{\"name\": \"after_comma\", \"kind\": \"after\", \"keywords\": [\"after comma\"], \"values\": "
    "[\",\"]},"
    "{\"name\": \"after_not\", \"kind\": \"after\", \"keywords\": [\"after negat*\"], \"values\": "
    "[\"not\"]},"
    "{\"name\": \"in_quotes\", \"kind\": \"within\", \"keywords\": [\"inside quot*\"], \"values\": "
    "[\"\\\"\", \"\\\"\"]},"
    "{\"name\": \"in_brackets\", \"kind\": \"within\", \"keywords\": [\"inside bracket\"], "
    "\"values\": [\"(\", \")\"]},"
    "{\"name\": \"commas\", \"kind\": \"characters\", \"keywords\": [\"comma\"], \"values\": "
    "[\",\"]}"
    "]}";
enum {
    COLOURS,
    DIGITS,
    BREAKS,
    CAPITALS,
    FIRST,
    AFTER_COMMA,
    AFTER_NOT,
    IN_QUOTES,
    IN_BRACKETS,
    COMMAS,
    ALL
};

static word_classes_t *parse(const char *json) {
    error_info_t error = {0};
    return classes_parse(json, strlen(json), &error);
}

static int setup(void **state) {
    *state = parse(example);
    return *state ? 0 : -1;
}

static int teardown(void **state) {
    classes_free(*state);
    return 0;
}

/* A record of tokens that are separated by '/'; a token with '*' in front is active. */
static activation_record_t record_of(const char *text) {
    activation_record_t record = {.tokens = MEMORY_NEW_ARRAY(64, token_t),
                                  .activations = MEMORY_NEW_ARRAY(64, float)};
    for (const char *at = text; *at != '\0';) {
        bool active = *at == '*';
        at += active;
        size_t length = strcspn(at, "/");
        record.tokens[record.count] = (token_t){memory_copy(at, length), length};
        record.activations[record.count++] = active ? 2.0F : 0.0F;
        at += length;
        at += *at == '/';
    }
    return record;
}

/* The active tokens of the text are those that are in the class. */
static void check(const word_classes_t *classes, size_t class_, const char *text) {
    activation_record_t record = record_of(text);
    class_set_t sets[64];
    classes_of_record(classes, &record, sets);
    for (size_t i = 0; i < record.count; i++)
        if (class_set_has(&sets[i], class_) != (record.activations[i] > 1))
            fail_msg("\"%s\": token %zu, \"%s\"", text, i, record.tokens[i].bytes);
    activation_record_free(&record);
}

static void membership(void **state) {
    const word_classes_t *classes = *state;
    check(classes, COLOURS, "*Red/ herring/,*green/ and/* scar/*let/ /*blue");
    check(classes, COLOURS, " redden/ in/fra/red/2/* blue_");
    check(classes, DIGITS, "*19/*84/ or/* 7/ 7th/ x/7a");
    check(classes, DIGITS, "a/ /\n");
    check(classes, BREAKS, "a/*\n/ b/*\n  /c/ ");
    check(classes, COMMAS, "a/*,/* ,/,\"/ b");
    check(classes, CAPITALS, "So/ said/* Ann/*a/./ Then/ B/ left/* Rome/./ \"/No/\n/Well");
    check(classes, FIRST, "So/ said/ Anna/./* Then/ B/!/ \"/*No/,/ she/\n/*Wel/*l");
    check(classes, FIRST, "a/<|endoftext|>/*B/ c");
    check(classes, AFTER_COMMA, "a/,/* b/*b/ c/ ,/*d/,/ (/e");
    check(classes, AFTER_NOT, " Not/* he/, /not/* me/ knot/ me");
    check(classes, IN_QUOTES, "\"/*Yes/,/* sir/,\"/ he/ said/./ \"/*No/!\"/ x");
    check(classes, IN_QUOTES, "it/!\"/ he/ said");
    check(classes, IN_BRACKETS, "a/ (/*b/* c/)/ d/ (/*e/<|endoftext|>/f");
}

static neuron_record_t *neuron_of(const char *top, size_t tops, const char *other, size_t others) {
    neuron_record_t *neuron = MEMORY_NEW(neuron_record_t);
    neuron->threshold = 1;
    neuron->top.records = MEMORY_NEW_ARRAY(tops, activation_record_t);
    neuron->random.records = MEMORY_NEW_ARRAY(others, activation_record_t);
    for (; neuron->top.count < tops; neuron->top.count++)
        neuron->top.records[neuron->top.count] = record_of(top);
    for (; neuron->random.count < others; neuron->random.count++)
        neuron->random.records[neuron->random.count] = record_of(other);
    return neuron;
}

static bool selects(const word_classes_t *classes, const char *top, size_t tops, const char *other,
                    size_t others, class_choice_t *choice) {
    neuron_record_t *neuron = neuron_of(top, tops, other, others);
    bool selected = classes_select(classes, neuron, choice);
    neuron_record_free(neuron);
    return selected;
}

static void selection(void **state) {
    const word_classes_t *classes = *state;
    const char *mixed = "the/ red/ fox/ and/ the/ cat/,/ a/ b/ c";
    class_choice_t choice;
    assert_true(selects(classes, "a/* red/* blue/ b/* green", 5, mixed, 5, &choice));
    assert_int_equal(choice.class_, COLOURS);
    assert_int_equal(choice.active, 15);
    assert_int_equal(choice.members, 15);
    assert_float_equal(choice.base, 0.1, 1e-12);
    /* 4 of 5 are enough, 3 of 4 are not */
    assert_true(selects(classes, "a/* red/* blue/* b/* green/* red", 5, mixed, 5, &choice));
    assert_int_equal(choice.members, 20);
    assert_false(selects(classes, "a/* red/* blue/* b/* green", 5, mixed, 5, &choice));
    /* two different colours are no class */
    assert_false(selects(classes, "a/* red/* blue/ b/* red", 5, mixed, 5, &choice));
    /* too few records, too few tokens */
    assert_false(selects(classes, "a/* red/* blue/ b/* green", 4, mixed, 5, &choice));
    assert_false(selects(classes, "* 7", 9, mixed, 5, &choice));
    assert_true(selects(classes, "* 7", 10, mixed, 5, &choice));
    assert_int_equal(choice.class_, DIGITS);
    assert_float_equal(choice.base, 0.01, 1e-12);
    /* no more than elsewhere */
    assert_false(selects(classes, "a/* red/* blue/ b/* green", 5, "red/ blue/ a", 5, &choice));
    /* nothing to compare with; no threshold */
    assert_false(selects(classes, "a/* red/* blue/ b/* green", 5, "", 0, &choice));
    /* of two classes that fit, the rarer one tells more */
    assert_true(selects(classes, ",/* red/,/* blue/ b/,/* green", 5,
                        "a/,/ b/,/ c/,/ d/ red/ x/ x/ x/ x", 5, &choice));
    assert_int_equal(choice.class_, COLOURS);
}

static void selection_needs_a_threshold(void **state) {
    class_choice_t choice;
    neuron_record_t *neuron = neuron_of("a/* red/* blue/ b/* green", 5, "a/ b", 5);
    neuron->threshold = NAN;
    assert_false(classes_select(*state, neuron, &choice));
    neuron_record_free(neuron);
}

static void check_named(const word_classes_t *classes, const char *explanation, size_t class_) {
    class_set_t set = classes_named(classes, explanation);
    for (size_t i = 0; i < ALL; i++)
        if (class_set_has(&set, i) != (i == class_))
            fail_msg("\"%s\": %s", explanation, classes_name(classes, i));
}

static void names(void **state) {
    check_named(*state, "names of colours", COLOURS);
    check_named(*state, "Color words.", COLOURS);
    check_named(*state, "Colorado, discolour", ALL);
    check_named(*state, "the word at the beginning of a sentence", FIRST);
    check_named(*state, "Capitalised names", CAPITALS);
    check_named(*state, "words right after a comma", AFTER_COMMA);
    check_named(*state, "commas", COMMAS);
    check_named(*state, "words that stand inside the quotation marks", IN_QUOTES);
    check_named(*state, "the word right after a number", ALL);
    check_named(*state, "numbers", DIGITS);
    check_named(*state, "line breaks", BREAKS);
    check_named(*state, "line", ALL);
    check_named(*state, "", ALL);
}

static void bad_files(void **state) {
    (void)state;
    static const char *const bad[] = {
        "{}",
        "[",
        "{\"classes\": 1}",
        "{\"classes\": [{}]}",
        "{\"classes\": [{\"name\": \"a\", \"kind\": \"sound\", \"keywords\": [\"a\"], \"values\": "
        "[\"a\"]}]}",
        "{\"classes\": [{\"name\": \"a\", \"kind\": \"words\", \"keywords\": [], \"values\": "
        "[\"a\"]}]}",
        "{\"classes\": [{\"name\": \"a\", \"kind\": \"words\", \"keywords\": [\"a  b\"], "
        "\"values\": [\"a\"]}]}",
        "{\"classes\": [{\"name\": \"a\", \"kind\": \"words\", \"keywords\": [\"a\"], \"values\": "
        "[\"\"]}]}",
        "{\"classes\": [{\"name\": \"a\", \"kind\": \"within\", \"keywords\": [\"a\"], \"values\": "
        "[\"(\"]}]}",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        error_info_t error = {0};
        assert_null(classes_parse(bad[i], strlen(bad[i]), &error));
        assert_int_equal(error.class_, ERROR_CONFIG);
    }
}

/* --- what the stand-in can say ---------------------------------------------------------------- */

/* How many of the words are in the lexicon's class. */
static size_t covered(const standin_lexicon_t *lexicon, size_t class_, const json_value_t *words) {
    size_t count = 0;
    for (size_t i = 0; i < json_count(words); i++) {
        size_t length;
        const char *word = json_as_string(json_at(words, i), &length);
        count += standin_classes_have(standin_lexicon_look_up(lexicon, word, length), class_);
    }
    return count;
}

static bool names_class(const word_classes_t *classes, size_t class_, const char *phrase) {
    class_set_t set = classes_named(classes, phrase);
    return class_set_has(&set, class_);
}

static bool trait_names(const word_classes_t *classes, const standin_lexicon_t *lexicon,
                        size_t class_, const standin_trait_t *trait) {
    buffer_t phrase = BUFFER_EMPTY;
    standin_trait_say(trait, lexicon, 0, &phrase);
    bool named = names_class(classes, class_, buffer_text(&phrase));
    buffer_free(&phrase);
    return named;
}

static bool rule_names(const word_classes_t *classes, const standin_lexicon_t *lexicon,
                       size_t class_) {
    bool named = false;
    for (size_t i = 0; i < standin_rule_count() && !named; i++) {
        standin_trait_t trait = standin_trait_of_rule(i);
        named = trait_names(classes, lexicon, class_, &trait);
    }
    for (size_t i = 0; i < standin_lexicon_count(lexicon) && !named; i++) {
        standin_trait_t trait = standin_trait_of_class(TRAIT_AFTER_CLASS, i);
        named = trait_names(classes, lexicon, class_, &trait);
    }
    return named;
}

/* Every class of the shipped corpus can be said by the stand-in: a class of its lexicon has nine
 * tenths of the words and a phrase that names the class, or one of its rules does. */
static void the_stand_in_has_words_for_every_class(void **state) {
    (void)state;
    embedded_file_t file, words;
    error_info_t error = {0};
    assert_true(embedded_find("tools/subject/classes.json", &file));
    assert_true(embedded_find("tools/standin/lexicon.txt", &words));
    word_classes_t *classes = classes_parse(file.data, file.size, &error);
    assert_non_null(classes);
    standin_lexicon_t *lexicon = standin_lexicon_create(words.data, words.size, &error);
    assert_non_null(lexicon);
    json_value_t *root = json_parse(file.data, file.size, "classes.json", JSON_PLAIN, &error);
    const json_value_t *list = json_get(root, "classes");
    assert_int_equal(classes_count(classes), json_count(list));
    for (size_t i = 0; i < classes_count(classes); i++) {
        const json_value_t *values = json_get(json_at(list, i), "values");
        bool said = rule_names(classes, lexicon, i);
        for (size_t c = 0; c < standin_lexicon_count(lexicon) && !said; c++)
            said = 10 * covered(lexicon, c, values) >= 9 * json_count(values) &&
                   names_class(classes, i, standin_lexicon_phrase(lexicon, c, 0));
        if (!said)
            fail_msg("the stand-in has no words for the class %s", classes_name(classes, i));
    }
    json_free(root);
    standin_lexicon_free(lexicon);
    classes_free(classes);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(membership, setup, teardown),
        cmocka_unit_test_setup_teardown(selection, setup, teardown),
        cmocka_unit_test_setup_teardown(selection_needs_a_threshold, setup, teardown),
        cmocka_unit_test_setup_teardown(names, setup, teardown),
        cmocka_unit_test(bad_files),
        cmocka_unit_test(the_stand_in_has_words_for_every_class),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
