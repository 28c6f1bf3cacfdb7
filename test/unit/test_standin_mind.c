/* test_standin_mind.c - the stand-in reads what glia's own formatters write, and answers what its
 * own parsers read. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/embedded.h"
#include "core/base/memory.h"
#include "core/base/rng.h"
#include "core/base/stats.h"
#include "prompts/explain.h"
#include "prompts/simulate.h"
#include "tools/standin/lexicon.h"
#include "tools/standin/mind.h"
#include "tools/standin/records.h"
#include "tools/standin/reply.h"
#include "tools/standin/simulate.h"
#include "tools/standin/tokenizer.h"

/* --- what the tests stand on --- */

static standin_mind_t *make_mind(void) {
    embedded_file_t file;
    error_info_t error = {0};
    assert_true(embedded_find("tools/standin/lexicon.txt", &file));
    standin_mind_t *mind = standin_mind_create(file.data, file.size, &error);
    if (!mind)
        fail_msg("%s", error.message);
    return mind;
}

/* A record from words: " red*" is marked; words carry their spaces themselves, separated by |. */
typedef struct {
    token_t tokens[40];
    float activations[40];
    activation_record_t record;
} sketch_t;

static void draw(sketch_t *sketch, const char *text) {
    size_t count = 0;
    memset(sketch, 0, sizeof *sketch);
    while (*text != '\0') {
        size_t length = strcspn(text, "|"), marked = length > 1 && text[length - 1] == '*';
        sketch->tokens[count] = (token_t){memory_copy(text, length - marked), length - marked};
        sketch->activations[count++] = marked ? 5.0F : -0.5F;
        text += length + (text[length] == '|');
    }
    sketch->record = (activation_record_t){count, sketch->tokens, sketch->activations};
}

static void erase(sketch_t *sketch) {
    for (size_t i = 0; i < sketch->record.count; i++)
        free(sketch->tokens[i].bytes);
}

static template_t *load(const char *name) {
    error_info_t error = {0};
    template_t *template = template_load(NULL, name, &error);
    if (!template)
        fail_msg("%s", error.message);
    return template;
}

/* Sends an ask through the stand-in and its answer through glia's parser. */
static llm_answer_t exchange(const standin_mind_t *mind, const standin_ask_t *ask) {
    standin_reply_options_t options = {0};
    llm_usage_t billed, said;
    llm_answer_t answer;
    error_info_t error = {0};
    buffer_t body = BUFFER_EMPTY;
    standin_reply_write(mind, ask, &options, &body, &billed);
    if (!llm_answer_parse(ask->kind == ASK_CHAT ? LLM_CHAT : LLM_COMPLETION, body.data, body.length,
                          &answer, &error))
        fail_msg("%s", error.message);
    llm_usage_read(body.data, body.length, &said);
    assert_true(said.present);
    assert_int_equal(said.prompt_tokens, billed.prompt_tokens);
    assert_int_equal(said.completion_tokens, billed.completion_tokens);
    buffer_free(&body);
    return answer;
}

/* --- explanations ----------------------------------------------------------------------------- */

static const char *const formats[] = {"original", "summary", "highlight", "highlight_summary",
                                      "avhs"};

static char *explain(const standin_mind_t *mind, const char *format, const char *const texts[],
                     size_t count) {
    sketch_t *sketches = MEMORY_NEW_ARRAY(count, sketch_t);
    const activation_record_t **records = MEMORY_NEW_ARRAY(count, const activation_record_t *);
    for (size_t i = 0; i < count; i++) {
        draw(&sketches[i], texts[i]);
        records[i] = &sketches[i].record;
    }
    split_list_t list = {count, records};
    template_t *template = load(format);
    standin_ask_t ask = {.kind = ASK_CHAT, .model = memory_copy_string("m"), .maximum = 60};
    explain_messages(template, &list, 1.0, 0, &ask.messages);
    llm_answer_t answer = exchange(mind, &ask);
    char *text = memory_copy_string(answer.text);
    llm_answer_clear(&answer);
    standin_ask_clear(&ask);
    template_free(template);
    for (size_t i = 0; i < count; i++)
        erase(&sketches[i]);
    free(records);
    free(sketches);
    return text;
}

static void expect_explanation(const char *const texts[], size_t count, const char *expected) {
    standin_mind_t *mind = make_mind();
    for (size_t i = 0; i < sizeof formats / sizeof formats[0]; i++) {
        char *text = explain(mind, formats[i], texts, count);
        assert_string_equal(text, expected);
        free(text);
    }
    standin_mind_free(mind);
}

static void test_a_class_of_words_is_recognised_in_every_format(void **state) {
    (void)state;
    static const char *const texts[] = {
        "The| wall| was| red*| and| the| door| was| blue*|.",
        "She| wore| a| green*| coat|,| he| a| grey*| one|.",
        "It| rained| all| day| on| the| yellow*| leaves|.",
    };
    expect_explanation(texts, 3, "colours");
}

static void test_a_place_is_recognised_in_every_format(void **state) {
    (void)state;
    static const char *const texts[] = {
        "He| came|,| saw*| the| garden|,| sat*| down| and| slept|.",
        "In| spring|,| birds*| sing|;| in| winter|,| nobody*| does|.",
        "Well|,| perhaps*| it| rains| later| today|.",
    };
    expect_explanation(texts, 3, "the word right after a comma");
}

static void test_a_comma_and_a_bracket_may_be_marked_themselves(void **state) {
    (void)state;
    static const char *const texts[] = {
        "He| came|,*| saw| the| garden|,*| sat| down| and| slept|.",
        "In| spring|,*| birds| sing|;| in| winter|,*| nobody| does|.",
    };
    expect_explanation(texts, 2, "commas");
    static const char *const brackets[] = {
        "He| came| (*|late|)*| and| left| (*|early|)*|.",
        "In| spring| (*|March|)*| birds| sing|.",
    };
    expect_explanation(brackets, 2, "brackets and parentheses");
}

static void test_pieces_of_a_word_are_read_as_one_where_there_is_text(void **state) {
    (void)state;
    standin_mind_t *mind = make_mind();
    static const char *const texts[] = {
        "He| met| a| col*|ander*| and| a| spat*|ula*| on| the| way|.",
        "The| sauce*|pan*| knew| every| lad*|le*| in| town|.",
    };
    for (size_t i = 1; i < sizeof formats / sizeof formats[0]; i++) {
        char *text = explain(mind, formats[i], texts, 2);
        assert_string_equal(text, "kitchen utensils and cookware");
        free(text);
    }
    char *text = explain(mind, "original", texts, 2);
    assert_string_not_equal(text, "kitchen utensils and cookware");
    free(text);
    standin_mind_free(mind);
}

static void test_nothing_marked_is_no_crash(void **state) {
    (void)state;
    static const char *const texts[] = {"The| wall| was| red|.", "\n|\t|[|]|<end"};
    expect_explanation(texts, 2, "nothing in particular");
}

static void test_temperature_changes_samples_only_with_the_seed(void **state) {
    (void)state;
    standin_mind_t *mind = make_mind();
    static const char prompt[] = "<start>The[ red] house and the[ blue] one<end>";
    message_list_t messages = {0};
    message_list_add(&messages, "user", prompt, strlen(prompt));
    standin_thought_t first = {0};
    standin_mind_answer(mind, &messages, 0, 1, &first);
    size_t different = 0;
    for (uint64_t seed = 0; seed < 40; seed++) {
        standin_thought_t cold = {0}, warm = {0}, again = {0};
        standin_mind_answer(mind, &messages, 0, seed, &cold);
        standin_mind_answer(mind, &messages, 1, seed, &warm);
        standin_mind_answer(mind, &messages, 1, seed, &again);
        assert_string_equal(cold.text.data, first.text.data);
        assert_string_equal(warm.text.data, again.text.data);
        different += strcmp(warm.text.data, cold.text.data) != 0;
        standin_thought_clear(&cold);
        standin_thought_clear(&warm);
        standin_thought_clear(&again);
    }
    assert_in_range(different, 5, 39);
    standin_thought_clear(&first);
    message_list_clear(&messages);
    standin_mind_free(mind);
}

/* --- simulations ------------------------------------------------------------------------------ */

static const char awkward[] =
    " the| red*| \"|\n|\t|<end>|unknown|\tunknown|,|[|caf\xc3\xa9| blue*|5|\xc3| 10|.";

static void expect_colours(const sketch_t *sketch, const double *expected) {
    double real[40];
    for (size_t i = 0; i < sketch->record.count; i++)
        real[i] = sketch->activations[i];
    assert_true(stats_correlation(expected, real, sketch->record.count) > 0.95);
}

static void test_echo_prompts_are_understood(void **state) {
    (void)state;
    standin_mind_t *mind = make_mind();
    template_t *template = load("simulate_echo");
    sketch_t sketch;
    draw(&sketch, awkward);
    buffer_t prompt = BUFFER_EMPTY;
    simulate_echo_prompt(template, "words that name a colour", 0, sketch.tokens,
                         sketch.record.count, &prompt);
    standin_ask_t ask = {.kind = ASK_COMPLETION,
                         .model = memory_copy_string("m"),
                         .logprobs = true,
                         .top_logprobs = 15,
                         .echo = true};
    message_list_add(&ask.messages, "user", prompt.data, prompt.length);
    llm_answer_t answer = exchange(mind, &ask);
    double expected[40];
    size_t unseen;
    error_info_t error = {0};
    if (!simulate_echo_parse(&answer, sketch.tokens, sketch.record.count, expected, &unseen,
                             &error))
        fail_msg("%s", error.message);
    assert_int_equal(unseen, 0);
    expect_colours(&sketch, expected);
    llm_answer_clear(&answer);
    standin_ask_clear(&ask);
    buffer_free(&prompt);
    erase(&sketch);
    template_free(template);
    standin_mind_free(mind);
}

static void test_prompts_of_one_token_are_understood(void **state) {
    (void)state;
    standin_mind_t *mind = make_mind();
    template_t *template = load("simulate_echo");
    sketch_t sketch;
    double expected[40];
    draw(&sketch, " the| red*| house| and| blue*| windows|.");
    for (size_t i = 0; i < sketch.record.count; i++) {
        buffer_t prompt = BUFFER_EMPTY;
        simulate_token_prompt(template, "colours", 0, sketch.tokens, i, &prompt);
        standin_ask_t ask = {.kind = ASK_COMPLETION,
                             .model = memory_copy_string("m"),
                             .logprobs = true,
                             .top_logprobs = 15,
                             .maximum = 1};
        message_list_add(&ask.messages, "user", prompt.data, prompt.length);
        llm_answer_t answer = exchange(mind, &ask);
        error_info_t error = {0};
        if (!simulate_token_parse(&answer, &expected[i], NULL, &error))
            fail_msg("%s", error.message);
        llm_answer_clear(&answer);
        standin_ask_clear(&ask);
        buffer_free(&prompt);
    }
    expect_colours(&sketch, expected);
    erase(&sketch);
    template_free(template);
    standin_mind_free(mind);
}

static void check_repeat(bool logprobs, double temperature) {
    standin_mind_t *mind = make_mind();
    template_t *template = load("simulate_repeat");
    sketch_t sketch;
    draw(&sketch, awkward);
    standin_ask_t ask = {.kind = ASK_CHAT,
                         .model = memory_copy_string("m"),
                         .logprobs = logprobs,
                         .top_logprobs = logprobs ? 15 : 0,
                         .temperature = temperature,
                         .maximum = 4096};
    simulate_repeat_messages(template, "colours", 0, sketch.tokens, sketch.record.count,
                             &ask.messages);
    llm_answer_t answer = exchange(mind, &ask);
    double expected[40];
    error_info_t error = {0};
    if (!simulate_repeat_parse(&answer, sketch.tokens, sketch.record.count, expected, &error))
        fail_msg("%s", error.message);
    if (logprobs || temperature <= 0)
        expect_colours(&sketch, expected);
    llm_answer_clear(&answer);
    standin_ask_clear(&ask);
    erase(&sketch);
    template_free(template);
    standin_mind_free(mind);
}

static void test_records_are_repeated_with_values(void **state) {
    (void)state;
    check_repeat(true, 0);
    check_repeat(false, 0);
    check_repeat(true, 1);
    check_repeat(false, 1);
}

static void test_a_belief_has_the_score_as_its_mean(void **state) {
    (void)state;
    for (int i = -1; i <= 101; i++) {
        double score = i / 10.0, sum = 0, mean = 0, p[STANDIN_VALUES];
        standin_belief(score, p);
        for (int k = 0; k < STANDIN_VALUES; k++) {
            assert_true(p[k] >= 0 && p[k] <= 1);
            sum += p[k];
            mean += k * p[k];
        }
        assert_true(fabs(sum - 1) < 1e-9);
        assert_true(fabs(mean - fmin(fmax(score, 0), 10)) < 1e-9);
    }
}

static standin_lexicon_t *make_lexicon(void) {
    embedded_file_t file;
    assert_true(embedded_find("tools/standin/lexicon.txt", &file));
    return standin_lexicon_create(file.data, file.size, NULL);
}

/* --- words ------------------------------------------------------------------------------------ */

/* What the explainer says of a class, the simulator must understand. */
static void test_every_phrase_of_the_lexicon_names_its_class(void **state) {
    (void)state;
    standin_lexicon_t *lexicon = make_lexicon();
    assert_non_null(lexicon);
    assert_true(standin_lexicon_count(lexicon) >= 40);
    size_t unnamed = 0;
    for (size_t class_ = 0; class_ < standin_lexicon_count(lexicon); class_++)
        for (size_t variant = 0; variant < 4; variant++) {
            const char *phrase = standin_lexicon_phrase(lexicon, class_, variant);
            standin_meaning_t *meaning = standin_meaning_read(lexicon, phrase, strlen(phrase));
            if (!standin_meaning_has_class(meaning, class_)) {
                print_error("'%s' does not name its class (number %zu)\n", phrase, class_);
                unnamed++;
            }
            standin_meaning_free(meaning);
        }
    assert_int_equal(unnamed, 0);
    standin_lexicon_free(lexicon);
}

static void test_what_is_named_first_weighs_most(void **state) {
    (void)state;
    standin_lexicon_t *lexicon = make_lexicon();
    static const char explanation[] = "colours of animals, but not of birds";
    static const char *const words[] = {" red", " dog", " crow", " why"};
    standin_meaning_t *meaning = standin_meaning_read(lexicon, explanation, strlen(explanation));
    standin_passage_t passage = {0};
    double last = 12;
    for (size_t i = 0; i < 4; i++)
        standin_passage_add(&passage, words[i], strlen(words[i]), 0);
    standin_passage_finish(&passage, lexicon, true);
    for (size_t i = 0; i < 3; i++) {
        double score = standin_meaning_score(meaning, &passage, i);
        assert_true(score < last - 2 || (i == 2 && score < 1));
        last = score;
    }
    standin_passage_clear(&passage);
    standin_meaning_free(meaning);
    standin_lexicon_free(lexicon);
}

static void test_strong_lines_once_more_are_no_records(void **state) {
    (void)state;
    standin_lexicon_t *lexicon = make_lexicon();
    static const char once[] = "<start>\n a\t0\n b\t7\n<end>\n<start>\n c\t0\n<end>\n";
    static const char more[] = "once more:\n<start>\n b\t7\n<end>\n<start>\n\n<end>\n";
    static const char other[] = "and:\n<start>\n b\t7\n<end>\n<start>\n d\t1\n<end>\n";
    char text[200];
    standin_records_t records;
    snprintf(text, sizeof text, "%s%s", once, more);
    standin_records_read(lexicon, text, strlen(text), &records);
    assert_int_equal(records.count, 2);
    standin_records_clear(&records);
    snprintf(text, sizeof text, "%s%s", once, other);
    standin_records_read(lexicon, text, strlen(text), &records);
    assert_int_equal(records.count, 4);
    standin_records_clear(&records);
    standin_lexicon_free(lexicon);
}

static void test_tokens_are_the_text(void **state) {
    (void)state;
    static const char *const bits[] = {"a",
                                       "Zebra",
                                       "extraordinarily",
                                       " ",
                                       "\t",
                                       "\n",
                                       "12",
                                       "345678",
                                       "'s",
                                       "don't",
                                       "--",
                                       "....",
                                       "caf\xc3\xa9",
                                       "\"",
                                       "<",
                                       "\xe2\x80\x94",
                                       "\xf0\x9f\x99\x82",
                                       "unknown"};
    rng_t rng = rng_create(5);
    for (int round = 0; round < 2000; round++) {
        buffer_t text = BUFFER_EMPTY;
        for (size_t i = rng_below(&rng, 30); i > 0; i--)
            buffer_append_text(&text, bits[rng_below(&rng, sizeof bits / sizeof bits[0])]);
        size_t count, at = 0;
        standin_token_t *tokens = standin_tokenize(buffer_text(&text), text.length, &count);
        assert_int_equal(standin_token_count(buffer_text(&text), text.length), count);
        for (size_t i = 0; i < count; i++) {
            assert_true(tokens[i].length > 0 && tokens[i].offset == at);
            assert_true(((unsigned char)tokens[i].bytes[0] & 0xC0) != 0x80);
            at += tokens[i].length;
        }
        assert_int_equal(at, text.length);
        free(tokens);
        buffer_free(&text);
    }
    size_t count;
    standin_token_t *tokens = standin_tokenize("\tunknown\n", 9, &count);
    assert_int_equal(count, 3);
    assert_int_equal(tokens[1].length, 7);
    free(tokens);
}

static double cosine(const standin_mind_t *mind, const char *a, const char *b) {
    float left[256], right[256];
    double sum = 0;
    standin_mind_embed(mind, a, strlen(a), 256, left);
    standin_mind_embed(mind, b, strlen(b), 256, right);
    for (size_t i = 0; i < 256; i++)
        sum += (double)left[i] * (double)right[i];
    return sum;
}

static void test_embeddings_bring_synonyms_together(void **state) {
    (void)state;
    standin_mind_t *mind = make_mind();
    assert_true(fabs(cosine(mind, "kinds of birds", "kinds of birds") - 1) < 1e-5);
    assert_true(cosine(mind, "kinds of birds", "names of birds, such as owls") > 0.5);
    assert_true(cosine(mind, "an eagle", "a sparrow") >
                cosine(mind, "an eagle", "the price of oil") + 0.2);
    assert_true(fabs(cosine(mind, "?", "?") - 1) < 1e-5);
    standin_mind_free(mind);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_class_of_words_is_recognised_in_every_format),
        cmocka_unit_test(test_a_place_is_recognised_in_every_format),
        cmocka_unit_test(test_a_comma_and_a_bracket_may_be_marked_themselves),
        cmocka_unit_test(test_pieces_of_a_word_are_read_as_one_where_there_is_text),
        cmocka_unit_test(test_nothing_marked_is_no_crash),
        cmocka_unit_test(test_temperature_changes_samples_only_with_the_seed),
        cmocka_unit_test(test_echo_prompts_are_understood),
        cmocka_unit_test(test_prompts_of_one_token_are_understood),
        cmocka_unit_test(test_records_are_repeated_with_values),
        cmocka_unit_test(test_a_belief_has_the_score_as_its_mean),
        cmocka_unit_test(test_every_phrase_of_the_lexicon_names_its_class),
        cmocka_unit_test(test_what_is_named_first_weighs_most),
        cmocka_unit_test(test_strong_lines_once_more_are_no_records),
        cmocka_unit_test(test_tokens_are_the_text),
        cmocka_unit_test(test_embeddings_bring_synonyms_together),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
