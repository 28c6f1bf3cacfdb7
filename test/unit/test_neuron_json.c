/* test_neuron_json.c - the forms that neuron records come in, and what is refused,
 * with its place. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/json.h"
#include "core/neuron/neuron_codec.h"
#include "core/neuron/neuron_json.h"

static const char PUZZLES[] =
    "{\n"
    " \"days\": {\"name\": \"days\", \"explanation\": \"days of the week\", \"sentences\": [\n"
    "   [\"On\", [\" Monday\", 9], \" it\"], [[\" Fri\", 4.5], [\"day\", -1]]],\n"
    "  \"false_explanations\": [\"months\"]},\n"
    " \"sentences\": {\"name\": \"sentences\", \"explanation\": \"x\", \"kind\": \"words\",\n"
    "  \"sentences\": [[\"a\"]], \"score_sentences\": [[[\"b\", 1]], [\"c\"]]}\n"
    "}\n";

static const char PUBLISHED[] = "{\"dataclass_name\":\"NeuronRecord\",\"neuron_id\":{\"dataclass_"
                                "name\":\"NeuronId\",\"layer_index\":5,"
                                "\"neuron_index\":131},\"random_sample\":[{\"dataclass_name\":"
                                "\"ActivationRecord\",\"tokens\":[\" the\",\"\\u0000\"],"
                                "\"activations\":[-0.17,1e-3]}],\"random_sample_by_quantile\":[[],["
                                "],[{\"tokens\":[\"q\"],\"activations\":[2]}],[],"
                                "[]],"
                                "\"quantile_boundaries\":[null,0.25,1.5,2.5,3.75,null],\"mean\":0."
                                "125,\"variance\":NaN,\"skewness\":null,"
                                "\"kurtosis\":Infinity,\"most_positive_activation_records\":[{"
                                "\"tokens\":[\"A\",\"\\u00e9\"],\"activations\":[3,0."
                                "1]},"
                                "{\"tokens\":[\"B\"],\"activations\":[2.5]}]}";

static const char RECORD_SET[] =
    "{\"id\":\"five\",\"threshold\":0.5,\"explanation\":\"fives\",\"records\":[{\"tokens\":"
    "[\"5\"],\"activations\":[1]}],\"score_records\":[{\"tokens\":[\"6\"],\"activations\":[0]}]}";

static neuron_list_t parse(const char *text) {
    neuron_list_t list;
    error_info_t error = {0};
    if (!neuron_json_parse(text, strlen(text), "file", &list, &error))
        fail_msg("%s", error.message);
    return list;
}

static void parse_fails(const char *text, size_t length, const char *said) {
    neuron_list_t list;
    error_info_t error = {0};
    if (neuron_json_parse(text, length, "file", &list, &error))
        fail_msg("taken: %.200s", text);
    assert_int_equal(error.class_, ERROR_CONFIG);
    if (!strstr(error.message, said))
        fail_msg("\"%s\" does not say \"%s\"", error.message, said);
    assert_int_equal(list.count, 0);
    assert_null(list.neurons);
    assert_false(neuron_json_parse(text, length, "file", &list, NULL));
}

static void assert_record(const activation_record_t *record, const char *tokens,
                          const float *activations) {
    buffer_t joined = BUFFER_EMPTY;
    for (size_t i = 0; i < record->count; i++) {
        buffer_append(&joined, record->tokens[i].bytes, record->tokens[i].length);
        buffer_append_char(&joined, '|');
    }
    assert_string_equal(buffer_text(&joined), tokens);
    for (size_t i = 0; i < record->count; i++)
        assert_true(record->activations[i] == activations[i]);
    buffer_free(&joined);
}

/* --- the forms -------------------------------------------------------------------------------- */

static void puzzles(void **state) {
    (void)state;
    neuron_list_t list = parse(PUZZLES);
    assert_int_equal(list.count, 2);
    const neuron_record_t *days = list.neurons[0], *other = list.neurons[1];
    assert_int_equal(days->source, NEURON_SOURCE_PUZZLE);
    assert_string_equal(days->id, "days");
    assert_int_equal(days->layer, -1);
    assert_string_equal(days->explanation, "days of the week");
    assert_int_equal(days->top.count, 2);
    assert_int_equal(days->random.count, 0);
    assert_record(&days->top.records[0], "On| Monday| it|", (float[]){0, 9, 0});
    assert_record(&days->top.records[1], " Fri|day|", (float[]){4.5F, -1});
    assert_false(days->has_quantiles);
    assert_true(isnan(days->threshold) && isnan(days->mean) && isnan(days->baseline_score));
    assert_string_equal(other->id, "sentences"); /* a puzzle's name may be any word */
    assert_int_equal(other->random.count, 2);
    assert_record(&other->random.records[0], "b|", (float[]){1});
    neuron_list_free(&list);
    assert_int_equal(list.count, 0);
}

static void published_record(void **state) {
    (void)state;
    neuron_list_t list = parse(PUBLISHED);
    assert_int_equal(list.count, 1);
    const neuron_record_t *neuron = list.neurons[0];
    assert_int_equal(neuron->source, NEURON_SOURCE_SUBJECT);
    assert_string_equal(neuron->id, "5:131");
    assert_int_equal(neuron->layer, 5);
    assert_int_equal(neuron->index, 131);
    assert_int_equal(neuron->top.count, 2);
    assert_record(&neuron->top.records[0], "A|\xc3\xa9|", (float[]){3, 0.1F});
    assert_int_equal(neuron->random.records[0].tokens[1].length, 1);
    assert_int_equal(neuron->random.records[0].tokens[1].bytes[0], 0);
    assert_int_equal(neuron->bands[1].count, 0);
    assert_int_equal(neuron->bands[2].count, 1);
    assert_true(neuron->has_quantiles);
    assert_true(neuron->quantiles[0] == 0.25 && neuron->quantiles[1] == 1.5 &&
                neuron->quantiles[3] == 3.75);
    assert_true(neuron->mean == 0.125);
    assert_true(isnan(neuron->variance) && isnan(neuron->skewness) && isnan(neuron->kurtosis));
    neuron_list_free(&list);
    list = parse("{\"most_positive_activation_records\":[],\"neuron_id\":{\"neuron_index\":0,"
                 "\"layer_index\":11}}");
    assert_string_equal(list.neurons[0]->id, "11:0");
    assert_false(list.neurons[0]->has_quantiles);
    assert_int_equal(list.neurons[0]->top.count, 0);
    neuron_list_free(&list);
    list = parse("{\"neuron_id\":{\"neuron_index\":0,\"layer_index\":1},\"most_positive_activation_"
                 "records\":[],"
                 "\"quantile_boundaries\":[0.5,0.5,1,2],\"random_sample\":null,\"random_sample_by_"
                 "quantile\":null}");
    assert_true(list.neurons[0]->quantiles[2] == 1); /* four alone */
    neuron_list_free(&list);
    list = parse("{\"neuron_id\":{\"neuron_index\":0,\"layer_index\":1},\"most_positive_activation_"
                 "records\":[],"
                 "\"quantile_boundaries\":[null,NaN,NaN,null,NaN,null]}");
    assert_false(list.neurons[0]->has_quantiles);
    neuron_list_free(&list);
}

static void record_sets(void **state) {
    (void)state;
    neuron_list_t list = parse(RECORD_SET);
    assert_int_equal(list.count, 1);
    assert_int_equal(list.neurons[0]->source, NEURON_SOURCE_RECORDS);
    assert_string_equal(list.neurons[0]->id, "five");
    assert_true(list.neurons[0]->threshold == 0.5);
    assert_string_equal(list.neurons[0]->explanation, "fives");
    assert_record(&list.neurons[0]->random.records[0], "6|", (float[]){0});
    neuron_list_free(&list);
    list = parse("[{\"id\":\"b\",\"records\":[{\"tokens\":[\"x\"],\"activations\":[1]}]},"
                 "{\"id\":\"a\",\"records\":[{\"tokens\":[\"x\"],\"activations\":[1]}]}]");
    assert_int_equal(list.count, 2);
    assert_string_equal(list.neurons[0]->id, "b"); /* in the order of the text */
    assert_null(list.neurons[0]->explanation);
    neuron_list_free(&list);
}

static void lines(void **state) {
    (void)state;
    buffer_t text = BUFFER_EMPTY;
    buffer_append_format(
        &text,
        "\r\n%s\r\n\n   \n%s\n{\"name\":\"p\",\"explanation\":\"e\",\"sentences\":[[\"s\"]]}",
        RECORD_SET, PUBLISHED);
    neuron_list_t list = parse(buffer_text(&text));
    assert_int_equal(list.count, 3);
    assert_string_equal(list.neurons[0]->id, "five");
    assert_string_equal(list.neurons[1]->id, "5:131");
    assert_int_equal(list.neurons[2]->source, NEURON_SOURCE_PUZZLE);
    neuron_list_free(&list);
    buffer_free(&text);
}

/* --- refusals --------------------------------------------------------------------------------- */

static void refused(const char *text, const char *said) {
    parse_fails(text, strlen(text), said);
}

static void refused_record(const char *record, const char *said) {
    char text[1024], place[256];
    snprintf(text, sizeof text,
             "{\"id\":\"x\",\"records\":[{\"tokens\":[\"t\"],\"activations\":[0]},%s]}", record);
    snprintf(place, sizeof place, "file: records[1]%s", said);
    refused(text, place);
}

static void refused_records(void **state) {
    (void)state;
    refused_record("7", ".tokens: must be a non-empty array");
    refused_record("{\"tokens\":[],\"activations\":[]}", ".tokens: must be a non-empty array");
    refused_record("{\"tokens\":[\"a\"]}", ".activations: must be an array as long as tokens");
    refused_record("{\"tokens\":[\"a\"],\"activations\":[1,2]}",
                   ".activations: must be an array as long as tokens");
    refused_record("{\"tokens\":[\"a\",\"\"],\"activations\":[1,2]}",
                   ".tokens[1]: a token is a non-empty string");
    refused_record("{\"tokens\":[\"a\",5],\"activations\":[1,2]}",
                   ".tokens[1]: a token is a non-empty string");
    refused_record("{\"tokens\":[\"a\"],\"activations\":[NaN]}",
                   ".activations[0]: an activation is a finite number");
    refused_record("{\"tokens\":[\"a\"],\"activations\":[-Infinity]}",
                   ".activations[0]: an activation");
    refused_record("{\"tokens\":[\"a\"],\"activations\":[1e39]}", ".activations[0]: an activation");
    refused_record("{\"tokens\":[\"a\"],\"activations\":[null]}", ".activations[0]: an activation");
}

static void refused_entries(void **state) {
    (void)state;
    refused("", "file:1");
    refused("  \n ", "file:");
    refused("{}", "file: is no puzzle");
    refused("[]", "file: holds no");
    refused("7", "is no puzzle");
    refused("[7]", "file: [0]: is no puzzle");
    refused("{\"a\":{}}", "file: a: is no puzzle");
    refused("{\"records\":[]}", "file: id: must be a non-empty string");
    refused("{\"id\":\"\",\"records\":[]}", "id: must be a non-empty string");
    refused("{\"id\":\"a\\u0000b\",\"records\":[]}", "id: holds a NUL");
    refused("{\"id\":\"x\",\"records\":[]}", "records: must not be empty");
    refused("{\"id\":\"x\",\"threshold\":\"1\",\"records\":[]}", "threshold: must be a number");
    refused("{\"p\":{\"sentences\":[[\"a\"]],\"explanation\":\"e\"}}",
            "p.name: must be a non-empty string");
    refused("{\"p\":{\"name\":\"q\",\"sentences\":[[\"a\"]],\"explanation\":\"e\"}}",
            "p.name: differs");
    refused("{\"p\":{\"name\":\"p\",\"sentences\":[[\"a\"]]}}", "p.explanation: is missing");
    refused("{\"p\":{\"name\":\"p\",\"sentences\":[],\"explanation\":\"e\"}}",
            "p.sentences: must not be empty");
    refused("{\"p\":{\"name\":\"p\",\"sentences\":[[\"a\"],[[\"b\"]]],\"explanation\":\"e\"}}",
            "p.sentences[1][0]: must be a token or a pair");
    refused("{\"p\":{\"name\":\"p\",\"sentences\":[[]],\"explanation\":\"e\"}}",
            "p.sentences[0]: must be a non-empty");
    refused("{\"p\":{\"name\":\"p\",\"sentences\":[[[\"a\",\"1\"]]],\"explanation\":\"e\"}}",
            "p.sentences[0][0]: an activation");
    /* no UTF-8 */
    refused("{\"id\":\"x\",\"records\":[{\"tokens\":[\"\xff\"],\"activations\":[1]}]}", "file:1:");
    refused("{\"id\":\"x\",\"id\":\"x\"}", "file:1:");
}

static void refused_published(void **state) {
    (void)state;
    static const char *const cases[][2] = {
        {"\"most_positive_activation_records\":null",
         "most_positive_activation_records: must be an array"},
        {"\"x\":1", "most_positive_activation_records: must be an array"},
        {"\"most_positive_activation_records\":[],\"mean\":\"0\"", "mean: must be a number"},
        {"\"most_positive_activation_records\":[],\"random_sample\":7",
         "random_sample: must be an array"},
        {"\"most_positive_activation_records\":[],\"random_sample_by_quantile\":[[],[]]",
         "5 lists"},
        {"\"most_positive_activation_records\":[],\"random_sample_by_quantile\":[[],[],[7],[],[]]",
         "random_sample_by_quantile[2][0].tokens"},
        {"\"most_positive_activation_records\":[],\"quantile_boundaries\":[1,2,3]",
         "four boundaries"},
        {"\"most_positive_activation_records\":[],\"quantile_boundaries\":[0,1,2,3,4,5]",
         "must be null"},
        {"\"most_positive_activation_records\":[],\"quantile_boundaries\":[1,2,3,2.5]",
         "must not fall"},
        {"\"most_positive_activation_records\":[],\"quantile_boundaries\":[1,2,NaN,4]",
         "all or none"},
        {"\"most_positive_activation_records\":[],\"quantile_boundaries\":[1,2,\"3\",4]",
         "hold numbers"},
    };
    char text[512];
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        snprintf(text, sizeof text, "{\"neuron_id\":{\"layer_index\":0,\"neuron_index\":1},%s}",
                 cases[i][0]);
        refused(text, cases[i][1]);
    }
    static const char *const ids[] = {"{}", "{\"layer_index\":0}",
                                      "{\"layer_index\":-1,\"neuron_index\":1}",
                                      "{\"layer_index\":0.5,\"neuron_index\":1}",
                                      "{\"layer_index\":0,\"neuron_index\":2147483648}"};
    for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++) {
        snprintf(text, sizeof text, "{\"neuron_id\":%s,\"most_positive_activation_records\":[]}",
                 ids[i]);
        refused(text, "file: neuron_id: must have layer_index and neuron_index");
    }
}

static void refused_lines(void **state) {
    (void)state;
    char text[2048];
    snprintf(text, sizeof text,
             "%s\n\n{\"id\":\"six\",\"records\":[{\"tokens\":[\"a\"],\"activations\":[\"\"]}]}\n",
             RECORD_SET);
    refused(text, "file:3: records[0].activations[0]: an activation is a finite number");
    snprintf(text, sizeof text, "%s\n{\"id\":\"six\",}\n", RECORD_SET);
    refused(text, "file:2:1");
    snprintf(text, sizeof text, "%s\n[]\n", RECORD_SET);
    refused(text, "file:2: is no puzzle");
    snprintf(text, sizeof text, "%s\n%s\n", RECORD_SET, RECORD_SET);
    refused(text, "file:2: the id five is there twice");
    snprintf(text, sizeof text, "[%s,%s]", RECORD_SET, RECORD_SET);
    refused(text, "file: the id five is there twice (entry 2)");
}

static void append_records(buffer_t *text, size_t records, size_t tokens) {
    buffer_append_text(text, "{\"id\":\"x\",\"records\":[");
    for (size_t i = 0; i < records; i++) {
        buffer_append_text(text, i ? ",{\"tokens\":[" : "{\"tokens\":[");
        for (size_t j = 0; j < tokens; j++)
            buffer_append_text(text, j ? ",\"t\"" : "\"t\"");
        buffer_append_text(text, "],\"activations\":[");
        for (size_t j = 0; j < tokens; j++)
            buffer_append_text(text, j ? ",0" : "0");
        buffer_append_text(text, "]}");
    }
    buffer_append_text(text, "]}");
}

static void limits(void **state) {
    (void)state;
    buffer_t text = BUFFER_EMPTY;
    append_records(&text, 1, NEURON_MAX_TOKENS);
    neuron_list_t list = parse(buffer_text(&text));
    assert_int_equal(list.neurons[0]->top.records[0].count, NEURON_MAX_TOKENS);
    neuron_list_free(&list);
    buffer_clear(&text);
    append_records(&text, 1, 1000000);
    refused(buffer_text(&text),
            "file: records[0].tokens: 1000000 tokens in one record; at most 8192 are taken: split");
    buffer_clear(&text);
    append_records(&text, NEURON_MAX_RECORDS + 1, 1);
    refused(buffer_text(&text), "file: records: 4097 records; at most 4096");
    buffer_free(&text);
    error_info_t error = {0};
    /* not read at all */
    assert_false(neuron_json_parse("", (size_t)NEURON_JSON_MAX_BYTES + 1, "big", &list, &error));
    assert_non_null(strstr(error.message, "big: larger than 1 GiB"));
    assert_false(neuron_json_read("/nonexistent/records.json", &list, &error));
    assert_non_null(strstr(error.message, "/nonexistent/records.json"));
}

static void truncation(void **state) {
    (void)state;
    static const char *const texts[] = {PUZZLES, PUBLISHED, RECORD_SET};
    for (size_t i = 0; i < 3; i++) {
        size_t whole = strlen(texts[i]) - (i == 0 ? 1 : 0); /* without the newline at the end */
        for (size_t length = 0; length < whole; length++) {
            char *cut = malloc(length ? length : 1);
            assert_non_null(cut);
            memcpy(cut, texts[i], length);
            neuron_list_t list;
            assert_false(neuron_json_parse(cut, length, "cut", &list, NULL));
            free(cut);
        }
    }
}

/* --- writing ---------------------------------------------------------------------------------- */

static void published_form_is_written(void **state) {
    (void)state;
    neuron_list_t list = parse(PUBLISHED);
    buffer_t text = BUFFER_EMPTY;
    assert_true(neuron_json_write(list.neurons[0], &text));
    assert_string_equal(
        buffer_text(&text),
        "{\"dataclass_name\":\"NeuronRecord\",\"neuron_id\":{\"dataclass_name\":\"NeuronId\","
        "\"layer_index\":5,"
        "\"neuron_index\":131},\"random_sample\":[{\"dataclass_name\":\"ActivationRecord\","
        "\"tokens\":[\" the\",\"\\u0000\"],"
        "\"activations\":[-0.17,0.001]}],\"random_sample_by_quantile\":[[],[],[{\"dataclass_name\":"
        "\"ActivationRecord\","
        "\"tokens\":[\"q\"],\"activations\":[2]}],[],[]],\"quantile_boundaries\":[null,0.25,1.5,2."
        "5,3.75,null],"
        "\"mean\":0.125,\"variance\":null,\"skewness\":null,\"kurtosis\":null,\"most_positive_"
        "activation_records\":["
        "{\"dataclass_name\":\"ActivationRecord\",\"tokens\":[\"A\",\"\xc3\xa9\"],\"activations\":["
        "3,0.1]},"
        "{\"dataclass_name\":\"ActivationRecord\",\"tokens\":[\"B\"],\"activations\":[2.5]}]}");
    buffer_free(&text);
    neuron_list_free(&list);
}

/* Written and read again, a record has the identity that it had. */
static void assert_round_trip(const neuron_record_t *neuron) {
    buffer_t text = BUFFER_EMPTY;
    assert_true(neuron_json_write(neuron, &text));
    assert_null(strchr(buffer_text(&text), '\n'));
    neuron_list_t again = parse(buffer_text(&text));
    assert_int_equal(again.count, 1);
    assert_true(hash_equal(neuron_codec_hash(neuron), neuron_codec_hash(again.neurons[0])));
    neuron_list_free(&again);
    buffer_free(&text);
}

static void round_trips(void **state) {
    (void)state;
    neuron_list_t list = parse(PUBLISHED);
    neuron_record_t *neuron = list.neurons[0];
    neuron->top.records[0].activations[0] = FLT_TRUE_MIN;
    neuron->top.records[0].activations[1] = -FLT_MAX;
    neuron->random.records[0].activations[0] = 1.0F / 3;
    assert_round_trip(neuron);
    neuron->threshold = 1.0 / 3;
    neuron->baseline_score = -0.125;
    neuron->explanation = malloc(4);
    assert_non_null(neuron->explanation);
    memcpy(neuron->explanation, "\"e\"", 4);
    assert_round_trip(neuron);
    neuron_list_free(&list);
    list = parse(RECORD_SET);
    assert_round_trip(list.neurons[0]);
    neuron_list_free(&list);
}

/* A puzzle becomes a record set, which has no threshold of its own: the puzzle's goes with it. */
static void puzzle_becomes_a_record_set(void **state) {
    (void)state;
    neuron_list_t list = parse(PUZZLES);
    buffer_t text = BUFFER_EMPTY;
    assert_true(neuron_json_write(list.neurons[1], &text));
    assert_string_equal(
        buffer_text(&text),
        "{\"id\":\"sentences\",\"threshold\":1,\"explanation\":\"x\",\"records\":["
        "{\"tokens\":[\"a\"],\"activations\":[0]}],\"score_records\":[{\"tokens\":[\"b\"],"
        "\"activations\":[1]},{\"tokens\":[\"c\"],\"activations\":[0]}]}");
    neuron_list_t again = parse(buffer_text(&text));
    assert_int_equal(again.neurons[0]->source, NEURON_SOURCE_RECORDS);
    double threshold = 0;
    assert_true(neuron_threshold(again.neurons[0], &threshold));
    assert_true(threshold == 1);
    neuron_list_free(&again);
    buffer_free(&text);
    buffer_t small = {.maximum = 40};
    assert_false(neuron_json_write(list.neurons[1], &small));
    buffer_free(&small);
    neuron_list_free(&list);
}

static void half_a_character_is_written_as_replacement(void **state) {
    (void)state;
    neuron_list_t list = parse(RECORD_SET);
    list.neurons[0]->top.records[0].tokens[0].bytes[0] = (char)0xe2;
    buffer_t text = BUFFER_EMPTY;
    assert_true(neuron_json_write(list.neurons[0], &text));
    assert_non_null(strstr(buffer_text(&text), "\"tokens\":[\"\xef\xbf\xbd\"]"));
    buffer_free(&text);
    neuron_list_free(&list);
}

/* --- the public puzzles ----------------------------------------------------------------------- */

static void check_sentence(const json_value_t *sentence, const activation_record_t *record) {
    assert_int_equal(json_count(sentence), record->count);
    for (size_t i = 0; i < record->count; i++) {
        const json_value_t *item = json_at(sentence, i);
        double activation = 0;
        json_as_number(json_at(item, 1), &activation); /* stays 0 for a bare token */
        const char *token =
            json_as_string(json_is(item, JSON_KIND_ARRAY) ? json_at(item, 0) : item, NULL);
        assert_string_equal(record->tokens[i].bytes, token);
        assert_true((double)record->activations[i] == activation);
    }
}

static void public_puzzles(void **state) {
    (void)state;
    static const char PATH[] = "../shared/data/puzzles.json";
    buffer_t text = BUFFER_EMPTY;
    error_info_t error = {0};
    if (!buffer_read_file(&text, PATH, 1 << 24, &error)) {
        print_message("skipped: %s is not there\n", PATH);
        skip();
    }
    json_value_t *root = json_parse(buffer_text(&text), text.length, PATH, JSON_PLAIN, &error);
    neuron_list_t list;
    assert_true(neuron_json_read(PATH, &list, &error));
    assert_int_equal(list.count, 19);
    for (size_t i = 0; i < list.count; i++) {
        const char *name = NULL;
        const json_value_t *puzzle = json_member(root, i, &name),
                           *sentences = json_get(puzzle, "sentences");
        assert_string_equal(list.neurons[i]->id, name);
        assert_string_equal(list.neurons[i]->explanation,
                            json_as_string(json_get(puzzle, "explanation"), NULL));
        assert_int_equal(list.neurons[i]->top.count, json_count(sentences));
        for (size_t j = 0; j < json_count(sentences); j++)
            check_sentence(json_at(sentences, j), &list.neurons[i]->top.records[j]);
    }
    neuron_list_free(&list);
    json_free(root);
    buffer_free(&text);
}

static void shipped_puzzles(void **state) {
    (void)state;
    neuron_list_t list;
    error_info_t error = {0};
    if (!neuron_json_read("prompts/puzzles.json", &list, &error))
        fail_msg("%s", error.message);
    assert_true(list.count > 0);
    neuron_list_free(&list);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(puzzles),
        cmocka_unit_test(published_record),
        cmocka_unit_test(record_sets),
        cmocka_unit_test(lines),
        cmocka_unit_test(refused_records),
        cmocka_unit_test(refused_entries),
        cmocka_unit_test(refused_published),
        cmocka_unit_test(refused_lines),
        cmocka_unit_test(limits),
        cmocka_unit_test(truncation),
        cmocka_unit_test(published_form_is_written),
        cmocka_unit_test(round_trips),
        cmocka_unit_test(puzzle_becomes_a_record_set),
        cmocka_unit_test(half_a_character_is_written_as_replacement),
        cmocka_unit_test(public_puzzles),
        cmocka_unit_test(shipped_puzzles),
    };
    return cmocka_run_group_tests_name("neuron_json", tests, NULL, NULL);
}
