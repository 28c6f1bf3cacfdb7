/* test_simulate.c - predictions from the answers of many kinds of servers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/memory.h"
#include "prompts/simulate.h"

static token_t tokens[] = {{(char[]){"big"}, 3}, {(char[]){" dog"}, 4}};

static void assert_near(double actual, double expected, double tolerance) {
    if (!(fabs(actual - expected) <= tolerance))
        fail_msg("%.17g is not %.17g", actual, expected);
}

/* --- answers made by hand --------------------------------------------------------------------- */

/* A token of logprobs with its alternatives. */
typedef struct {
    const char *bytes;
    struct {
        const char *bytes;
        double probability;
    } top[4];
    int64_t offset; /* 0: where it stands; else this, -1 for offset 0 */
} piece_t;

static void add_piece(llm_answer_t *answer, const piece_t *piece, int64_t offset) {
    llm_token_t *token = &answer->tokens[answer->token_count++];
    token->bytes = memory_copy_string(piece->bytes);
    token->length = strlen(piece->bytes);
    token->text_offset = piece->offset == 0 ? offset : piece->offset < 0 ? 0 : piece->offset;
    token->has_logprob = true;
    token->logprob = log(0.5);
    token->top = MEMORY_NEW_ARRAY(4, struct llm_alternative);
    for (size_t i = 0; i < 4 && piece->top[i].bytes; i++)
        token->top[token->top_count++] =
            (struct llm_alternative){.bytes = memory_copy_string(piece->top[i].bytes),
                                     .length = strlen(piece->top[i].bytes),
                                     .logprob = log(piece->top[i].probability)};
}

/* `text` NULL: what the pieces make together. Offsets count characters of the pieces. */
static llm_answer_t make_answer(const char *text, const piece_t *pieces, size_t count) {
    llm_answer_t answer = {.tokens = MEMORY_NEW_ARRAY(count, llm_token_t)};
    buffer_t joined = BUFFER_EMPTY;
    int64_t offset = 0;
    for (size_t i = 0; i < count; i++) {
        add_piece(&answer, &pieces[i], offset);
        buffer_append_text(&joined, pieces[i].bytes);
        for (const char *c = pieces[i].bytes; *c != '\0'; c++)
            offset += ((unsigned char)*c & 0xC0) != 0x80;
    }
    answer.text = text ? memory_copy_string(text) : memory_copy_string(buffer_text(&joined));
    answer.text_length = strlen(answer.text);
    buffer_free(&joined);
    return answer;
}

#define COUNT(array) (sizeof(array) / sizeof(array)[0])
#define HALVES                     \
    {                              \
        {"2", 0.3}, {"10", 0.3}, { \
            "unknown", 0.4         \
        }                          \
    } /* mean 6 */
#define FOUR           \
    {                  \
        {"4", 0.01}, { \
            " 9", 0.5  \
        }              \
    } /* mean 4 */

static void check_echo(const char *text, const piece_t *pieces, size_t count, double first,
                       double second) {
    llm_answer_t answer = make_answer(text, pieces, count);
    double expected[2] = {-1, -1};
    size_t unseen = 7;
    error_info_t error = {0};
    if (!simulate_echo_parse(&answer, tokens, 2, expected, &unseen, &error))
        fail_msg("%s", error.message);
    assert_near(expected[0], first, 1e-12);
    assert_near(expected[1], second, 1e-12);
    assert_int_equal(unseen, 0);
    llm_answer_clear(&answer);
}

static void refuse_echo(const char *text, const piece_t *pieces, size_t count,
                        const char *message) {
    llm_answer_t answer = make_answer(text, pieces, count);
    double expected[2];
    error_info_t error = {0};
    assert_false(simulate_echo_parse(&answer, tokens, 2, expected, NULL, &error));
    assert_int_equal(error.class_, ERROR_FATAL);
    if (!strstr(error.message, message))
        fail_msg("\"%s\" does not say \"%s\"", error.message, message);
    llm_answer_clear(&answer);
}

/* --- echo ------------------------------------------------------------------------------------- */

static const piece_t PLAIN[] = {{.bytes = "<start>\nbig"},
                                {.bytes = "\t"},
                                {.bytes = "unknown", .top = HALVES},
                                {.bytes = "\n"},
                                {.bytes = " dog"},
                                {.bytes = "\t"},
                                {.bytes = "unknown", .top = FOUR},
                                {.bytes = "\n<end>\n"}};

static void test_predictions_are_means(void **state) {
    (void)state;
    check_echo(NULL, PLAIN, COUNT(PLAIN), 6, 4);
    static const piece_t IMPOSSIBLE[] = {
        {.bytes = "<start>\nbig\t"},
        {.bytes = "unknown", .top = {{"2", 0.3}, {"10", 0.3}, {"7", 0}}},
        {.bytes = "\n dog\t"},
        {.bytes = "unknown", .top = {{"4\n", 0.1}, {"4", 0.1}, {"7", 0.2}}}};
    check_echo(NULL, IMPOSSIBLE, COUNT(IMPOSSIBLE), 6, 5.5);
}

static void test_tokens_may_be_cut_anywhere(void **state) {
    (void)state;
    static const piece_t JOINED[] = {
        {.bytes = "<start>\nb"},
        {.bytes = "ig\tunknown", .top = {{"ig\t2", 0.3}, {"ig\t10", 0.3}, {"2", 0.9}}},
        {.bytes = "\n dog"},
        {.bytes = "\tunknown\n<end>", .top = {{"\t4", 0.1}, {"\t 9", 0.1}}}};
    check_echo(NULL, JOINED, COUNT(JOINED), 6, 4);
    static const piece_t SPLIT[] = {{.bytes = "<start>\nbig\t"},
                                    {.bytes = "unk", .top = HALVES},
                                    {.bytes = "nown", .top = {{"9", 0.9}}},
                                    {.bytes = "\n dog\t"},
                                    {.bytes = "u", .top = FOUR},
                                    {.bytes = "nknown"},
                                    {.bytes = "\n<end>"}};
    check_echo(NULL, SPLIT, COUNT(SPLIT), 6, 4);
}

static void test_the_last_record_counts(void **state) {
    (void)state;
    piece_t twice[2 * COUNT(PLAIN)];
    memcpy(twice, PLAIN, sizeof PLAIN);
    memcpy(twice + COUNT(PLAIN), PLAIN, sizeof PLAIN);
    twice[2].top[0].bytes = "10";
    check_echo(NULL, twice, COUNT(twice), 6, 4);
}

static void test_tokens_with_tabs_newlines_and_layout_words(void **state) {
    (void)state;
    token_t odd[] = {{(char[]){"\tunknown\n"}, 9}, {(char[]){"<start>\n"}, 8}};
    piece_t pieces[] = {{.bytes = "<start>\n\tunknown\n"},   {.bytes = "\t"},
                        {.bytes = "unknown", .top = FOUR},   {.bytes = "\n<start>\n\t"},
                        {.bytes = "unknown", .top = HALVES}, {.bytes = "\n<end>\n"}};
    llm_answer_t answer = make_answer(NULL, pieces, COUNT(pieces));
    double expected[2];
    assert_true(simulate_echo_parse(&answer, odd, 2, expected, NULL, NULL));
    assert_near(expected[0], 4, 1e-12);
    assert_near(expected[1], 6, 1e-12);
    llm_answer_clear(&answer);
}

static void test_offsets_count_characters(void **state) {
    (void)state;
    static const piece_t PIECES[] = {{.bytes = "caf\xC3\xA9 \xF0\x9F\x98\x80 <start>\nbig\t"},
                                     {.bytes = "unknown", .top = HALVES},
                                     {.bytes = "\n dog\t"},
                                     {.bytes = "unknown", .top = FOUR},
                                     {.bytes = "\n"}};
    check_echo(NULL, PIECES, COUNT(PIECES), 6, 4);
}

static void test_half_characters_and_special_tokens(void **state) {
    (void)state;
    static const char TEXT[] =
        "\xE2\x80\x99 x\xF0\x9F\x98\x80<start>\nbig\tunknown\n dog\tunknown\n<end>\n";
    /* As replacement characters whose offsets count too much, behind a begin marker and
     * before an end marker. */
    static const piece_t REPLACED[] = {{.bytes = "<s>"},
                                       {.bytes = "\xEF\xBF\xBD"},
                                       {.bytes = "\xEF\xBF\xBD"},
                                       {.bytes = " x\xEF\xBF\xBD"},
                                       {.bytes = "\xEF\xBF\xBD"},
                                       {.bytes = "\xEF\xBF\xBD"},
                                       {.bytes = "<start>\n"},
                                       {.bytes = "big\t"},
                                       {.bytes = "unknown", .top = HALVES},
                                       {.bytes = "\n dog\t"},
                                       {.bytes = "unknown", .top = FOUR},
                                       {.bytes = "\n<end>\n"},
                                       {.bytes = "</s>"}};
    check_echo(TEXT, REPLACED, COUNT(REPLACED), 6, 4);
    /* As bytes, at right offsets. */
    static const piece_t ESCAPED[] = {{.bytes = "bytes:\\xE2\\x80"},
                                      {.bytes = "bytes:\\x99", .offset = -1},
                                      {.bytes = " x", .offset = 1},
                                      {.bytes = "\xF0\x9F", .offset = 3},
                                      {.bytes = "\x98\x80", .offset = 3},
                                      {.bytes = "<start>\nbig\t", .offset = 4},
                                      {.bytes = "unknown", .top = HALVES, .offset = 16},
                                      {.bytes = "\n dog\t", .offset = 23},
                                      {.bytes = "unknown", .top = FOUR, .offset = 29},
                                      {.bytes = "\n<end>\n", .offset = 36}};
    check_echo(TEXT, ESCAPED, COUNT(ESCAPED), 6, 4);
}

static void test_right_offsets_need_no_guess(void **state) {
    (void)state;
    /* The tab that is joined to half a character could be any of the four, if it were not
     * for the offsets. */
    static const char TEXT[] = "\xE2\x80\x99\t\t\t\t<start>\nbig\tunknown\n dog\tunknown\n<end>\n";
    piece_t pieces[] = {{.bytes = "\xEF\xBF\xBD"},
                        {.bytes = "\xEF\xBF\xBD\t", .offset = -1},
                        {.bytes = "\t", .offset = 2},
                        {.bytes = "\t", .offset = 3},
                        {.bytes = "\t<start>\nbig\t", .offset = 4},
                        {.bytes = "unknown", .top = HALVES, .offset = 17},
                        {.bytes = "\n dog\t", .offset = 24},
                        {.bytes = "unknown", .top = FOUR, .offset = 30},
                        {.bytes = "\n<end>\n", .offset = 37}};
    check_echo(TEXT, pieces, COUNT(pieces), 6, 4);
    pieces[2].offset = 5;
    refuse_echo(TEXT, pieces, COUNT(pieces), "do not line up");
}

static void test_an_echo_without_logprobs_is_refused(void **state) {
    (void)state;
    static const char TEXT[] = "<start>\nbig\tunknown\n dog\tunknown\n<end>\n";
    refuse_echo(TEXT, PLAIN, 0, "no logprobs");
    piece_t pieces[COUNT(PLAIN)];
    memcpy(pieces, PLAIN, sizeof PLAIN);
    pieces[6].top[0].bytes = NULL;
    refuse_echo(NULL, pieces, COUNT(pieces), "no top_logprobs for token 2");
    refuse_echo(TEXT, PLAIN, 3, "do not line up");
}

static void test_misaligned_logprobs_are_refused(void **state) {
    (void)state;
    static const char TEXT[] = "<start>\nbig\tunknown\n dog\tunknown\n<end>\n";
    piece_t pieces[COUNT(PLAIN)];
    memcpy(pieces, PLAIN, sizeof PLAIN);
    pieces[4].bytes = " cat";
    refuse_echo(TEXT, pieces, COUNT(pieces), "do not line up");
    refuse_echo("<start>\nbig\tunknown\n cat\tunknown\n<end>\n", PLAIN, COUNT(PLAIN),
                "does not have the record");
    refuse_echo("", PLAIN, COUNT(PLAIN), "does not have the record");
    memcpy(pieces, PLAIN, sizeof PLAIN);
    /* offsets that are wrong do not matter if the tokens make the text */
    pieces[4].offset = INT64_MAX;
    check_echo(TEXT, pieces, COUNT(pieces), 6, 4);
}

static void test_a_place_without_value_is_zero_and_counted(void **state) {
    (void)state;
    piece_t pieces[COUNT(PLAIN)];
    memcpy(pieces, PLAIN, sizeof PLAIN);
    pieces[2].top[0].bytes = pieces[2].top[1].bytes = "unknown";
    llm_answer_t answer = make_answer(NULL, pieces, COUNT(pieces));
    double expected[2];
    size_t unseen = 0;
    assert_true(simulate_echo_parse(&answer, tokens, 2, expected, &unseen, NULL));
    assert_near(expected[0], 0, 0);
    assert_near(expected[1], 4, 1e-12);
    assert_int_equal(unseen, 1);
    llm_answer_clear(&answer);
    pieces[6].top[0].bytes = "11";
    refuse_echo(NULL, pieces, COUNT(pieces), "none of the record's 2 tokens");
}

static void test_faint_and_impossible_values(void **state) {
    (void)state;
    llm_answer_t answer = make_answer(NULL, PLAIN, COUNT(PLAIN));
    double expected[2];
    size_t unseen = 0;
    answer.tokens[2].top[0].logprob = answer.tokens[2].top[1].logprob = -2000; /* exp() gives 0 */
    /* how servers write "impossible" */
    answer.tokens[6].top[0].logprob = -9999;
    assert_true(simulate_echo_parse(&answer, tokens, 2, expected, &unseen, NULL));
    assert_near(expected[0], 6, 1e-12);
    assert_near(expected[1], 0, 0);
    assert_int_equal(unseen, 1);
    llm_answer_clear(&answer);
}

static void test_one_token_a_request(void **state) {
    (void)state;
    static const piece_t PIECES[] = {{.bytes = "7", .top = {{"7", 0.5}, {"3", 0.5}}},
                                     {.bytes = "\n"}};
    llm_answer_t answer = make_answer(NULL, PIECES, COUNT(PIECES));
    double expected = -1;
    size_t unseen = 7;
    assert_true(simulate_token_parse(&answer, &expected, &unseen, NULL));
    assert_near(expected, 5, 1e-12);
    assert_int_equal(unseen, 0);
    answer.tokens[0].top[0].bytes[0] = answer.tokens[0].top[1].bytes[0] = 'x';
    assert_true(simulate_token_parse(&answer, &expected, &unseen, NULL));
    assert_near(expected, 0, 0);
    assert_int_equal(unseen, 1);
    llm_answer_clear(&answer);
    error_info_t error = {0};
    assert_false(simulate_token_parse(&answer, &expected, &unseen, &error));
    assert_int_equal(error.class_, ERROR_FATAL);
}

/* --- repeat ----------------------------------------------------------------------------------- */

static void check_repeat(llm_answer_t answer, double first, double second) {
    double expected[2] = {-1, -1};
    error_info_t error = {0};
    if (!simulate_repeat_parse(&answer, tokens, 2, expected, &error))
        fail_msg("%s", error.message);
    assert_near(expected[0], first, 1e-12);
    assert_near(expected[1], second, 1e-12);
    llm_answer_clear(&answer);
}

static void refuse_repeat(llm_answer_t answer, const char *message) {
    double expected[2];
    error_info_t error = {0};
    assert_false(simulate_repeat_parse(&answer, tokens, 2, expected, &error));
    assert_int_equal(error.class_, ERROR_FATAL);
    if (!strstr(error.message, message))
        fail_msg("\"%s\" does not say \"%s\"", error.message, message);
    llm_answer_clear(&answer);
}

static void test_replies_that_match(void **state) {
    (void)state;
    static const char *const REPLIES[] = {
        "<start>\nbig\t0\n dog\t10\n<end>",
        "Sure:\n```\n <start>\nbig\t0\n dog\t10\n<end> \n```\nDone.",
        "<start>\r\nbig\t0 \r\n dog\t10\r\n<end>\r\n",
        ("I see <start>.\n<start>\nbig\tunknown\n dog\tunknown\n<end>\n<start>\nbig\t0\n "
         "dog\t10\n<end>\n<start>\nbig\t3\n dog\t3\n<end>"),
    };
    for (size_t i = 0; i < COUNT(REPLIES); i++)
        check_repeat(make_answer(REPLIES[i], NULL, 0), 0, 10);
}

static void test_replies_that_do_not_match(void **state) {
    (void)state;
    static const struct {
        const char *reply, *message;
    } cases[] = {
        {"", "no line <start>"},
        {"big\t0\n dog\t10", "no line <start>"},
        {"<start>\n", "token 1 of 2, \"big\""},
        {"<start>\nbig\t0\ndog\t10\n<end>", "token 2 of 2, \" dog\""},
        {"<start>\nbig 0\n dog\t10\n<end>", "token 1 of 2"},
        {"<start>\nbig\t0\n\n dog\t10\n<end>", "token 2 of 2"},
        {"<start>\nbig\t11\n dog\t10\n<end>", "token 1 of 2"},
        {"<start>\nbig\t-1\n dog\t10\n<end>", "token 1 of 2"},
        {"<start>\nbig\t1.5\n dog\t10\n<end>", "token 1 of 2"},
        {"<start>\nbig\t\n dog\t10\n<end>", "token 1 of 2"},
        {"<start>\nbig\tunknown\n dog\tunknown\n<end>", "token 1 of 2"},
        {"<start>\nbig\t0\n dog\t10", "no line <end>"},
        {"<start>\nbig\t0\n dog\t10\n cat\t1\n<end>", "no line <end>"},
    };
    for (size_t i = 0; i < COUNT(cases); i++)
        refuse_repeat(make_answer(cases[i].reply, NULL, 0), cases[i].message);
    llm_answer_t refused = make_answer("<start>\nbig\t0\n dog\t10\n<end>", NULL, 0);
    refused.refusal = memory_copy_string("no");
    refuse_repeat(refused, "refused");
}

static void test_replies_with_logprobs(void **state) {
    (void)state;
    static const piece_t PIECES[] = {{.bytes = "<start>"},
                                     {.bytes = "\nbig"},
                                     {.bytes = "\t"},
                                     {.bytes = "2", .top = {{"2", 0.2}, {"3", 0.1}, {"x", 0.5}}},
                                     {.bytes = "\n"},
                                     {.bytes = " dog\t"},
                                     {.bytes = "10", .top = {{"10", 0.3}, {"0", 0.1}}},
                                     {.bytes = "\n<end>"},
                                     {.bytes = "<eos>"}};
    check_repeat(make_answer("<start>\nbig\t2\n dog\t10\n<end>", PIECES, COUNT(PIECES)), 7.0 / 3,
                 7.5);
    /* The digits of 10 in two tokens; a value without alternatives; one that is not among them
     * (probability 0.5). */
    static const piece_t DIGITS[] = {{.bytes = "<start>\nbig\t"},
                                     {.bytes = "1", .top = {{"1", 0.3}, {"0", 0.1}}},
                                     {.bytes = "0", .top = {{"0", 0.9}}},
                                     {.bytes = "\n dog\t"},
                                     {.bytes = "7"},
                                     {.bytes = "\n<end>"}};
    check_repeat(make_answer(NULL, DIGITS, COUNT(DIGITS)), 7.5, 7);
    static const piece_t UNLISTED[] = {{.bytes = "<start>\nbig\t"},
                                       {.bytes = "8", .top = {{"2", 0.25}, {"4", 0.25}}},
                                       {.bytes = "\n dog"},
                                       {.bytes = "\t7\n", .top = {{"\t7\n", 1}}},
                                       {.bytes = "<end>"}};
    check_repeat(make_answer(NULL, UNLISTED, COUNT(UNLISTED)), 5.5, 7);
    refuse_repeat(make_answer("<start>\nbig\t2\n dog\t9\n<end>", PIECES, COUNT(PIECES)),
                  "do not line up");
}

static void test_shown_tokens_are_matched_as_shown(void **state) {
    (void)state;
    token_t odd[] = {
        {(char[]){"\n"}, 1}, {(char[]){"a\tb"}, 3}, {(char[]){"<end>"}, 5}, {(char[]){"  "}, 2}};
    double expected[4];
    llm_answer_t answer = make_answer("<start>\n\\n\t1\na\\tb\t2\n<end>\t3\n  \t4\n<end>", NULL, 0);
    assert_true(simulate_repeat_parse(&answer, odd, 4, expected, NULL));
    for (int i = 0; i < 4; i++)
        assert_near(expected[i], i + 1, 0);
    llm_answer_clear(&answer);
    answer = make_answer("<start>\n\n\t1\na\tb\t2\n<end>\t3\n  \t4\n<end>", NULL, 0);
    assert_false(simulate_repeat_parse(&answer, odd, 4, expected, NULL));
    llm_answer_clear(&answer);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_predictions_are_means),
        cmocka_unit_test(test_tokens_may_be_cut_anywhere),
        cmocka_unit_test(test_the_last_record_counts),
        cmocka_unit_test(test_tokens_with_tabs_newlines_and_layout_words),
        cmocka_unit_test(test_offsets_count_characters),
        cmocka_unit_test(test_half_characters_and_special_tokens),
        cmocka_unit_test(test_right_offsets_need_no_guess),
        cmocka_unit_test(test_an_echo_without_logprobs_is_refused),
        cmocka_unit_test(test_misaligned_logprobs_are_refused),
        cmocka_unit_test(test_a_place_without_value_is_zero_and_counted),
        cmocka_unit_test(test_faint_and_impossible_values),
        cmocka_unit_test(test_one_token_a_request),
        cmocka_unit_test(test_replies_that_match),
        cmocka_unit_test(test_replies_that_do_not_match),
        cmocka_unit_test(test_replies_with_logprobs),
        cmocka_unit_test(test_shown_tokens_are_matched_as_shown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
