/* test_parity.c - byte parity with the published prompts, and equal predictions.
 *
 * The reference data is public and no part of the project: it is read from $GLIA_SHARED (default
 * ../shared), and the templates that reproduce its wording are written to a temporary directory
 * from its own texts. Without it the tests skip.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/json.h"
#include "core/base/memory.h"
#include "prompts/explain.h"
#include "prompts/simulate.h"

enum { MAX_REFERENCE = 64 << 20, PUZZLES = 19 };

/* --- the reference ---------------------------------------------------------------------------- */

/* NULL, and the test is to skip, if the file is not there. */
static json_value_t *read_reference(const char *name) {
    const char *shared = getenv("GLIA_SHARED");
    char *path = memory_format("%s/data/reference/%s", shared ? shared : "../shared", name);
    json_value_t *root = NULL;
    error_info_t error = {0};
    if (access(path, F_OK) != 0) {
        print_message("skipped: no reference data at %s (set GLIA_SHARED)\n", path);
    } else {
        buffer_t text = BUFFER_EMPTY;
        assert_true(buffer_read_file(&text, path, MAX_REFERENCE, &error));
        root = json_parse(text.data, text.length, path, JSON_PLAIN, &error);
        if (!root)
            fail_msg("%s", error.message);
        buffer_free(&text);
    }
    free(path);
    return root;
}

static const char *string_at(const json_value_t *value, const char *path) {
    const char *string = json_as_string(json_path(value, path), NULL);
    if (!string)
        fail_msg("the reference has no %s", path);
    return string;
}

/* Byte for byte: one puzzle has a token that is a NUL. */
static void check_text(const char *actual, size_t length, const json_value_t *value,
                       const char *path) {
    size_t expected_length = 0;
    const char *expected = json_as_string(json_path(value, path), &expected_length);
    assert_non_null(expected);
    size_t at = 0;
    while (at < length && at < expected_length && actual[at] == expected[at])
        at++;
    if (at < length || at < expected_length)
        fail_msg("%s: byte %zu differs (of %zu, expected %zu): \"%.40s\", expected \"%.40s\"", path,
                 at, length, expected_length, actual + at, expected + at);
}

static token_t *read_tokens(const json_value_t *array, size_t *count) {
    *count = json_count(array);
    token_t *tokens = MEMORY_NEW_ARRAY(*count, token_t);
    for (size_t i = 0; i < *count; i++) {
        const char *bytes = json_as_string(json_at(array, i), &tokens[i].length);
        tokens[i].bytes = memory_copy(bytes, tokens[i].length);
    }
    return tokens;
}

static void free_tokens(token_t *tokens, size_t count) {
    for (size_t i = 0; i < count; i++)
        free(tokens[i].bytes);
    free(tokens);
}

static split_list_t read_records(const json_value_t *array) {
    split_list_t list = {json_count(array),
                         MEMORY_NEW_ARRAY(json_count(array), const activation_record_t *)};
    for (size_t i = 0; i < list.count; i++) {
        activation_record_t *record = MEMORY_NEW(activation_record_t);
        const json_value_t *activations = json_get(json_at(array, i), "activations");
        record->tokens = read_tokens(json_get(json_at(array, i), "tokens"), &record->count);
        record->activations = MEMORY_NEW_ARRAY(record->count, float);
        for (size_t j = 0; j < record->count; j++) {
            double number = NAN;
            assert_true(json_as_number(json_at(activations, j), &number));
            record->activations[j] = (float)number;
        }
        list.records[i] = record;
    }
    return list;
}

static void free_records(split_list_t *list) {
    for (size_t i = 0; i < list->count; i++) {
        activation_record_t record = *list->records[i];
        free_tokens(record.tokens, record.count);
        free(record.activations);
        free((void *)(uintptr_t)list->records[i]);
    }
    free(list->records);
}

/* --- templates from the reference's texts ----------------------------------------------------- */

static char directory[] = "/tmp/glia-parity-XXXXXX";

static int make_directory(void **state) {
    (void)state;
    memcpy(directory + strlen(directory) - 6, "XXXXXX", 6);
    return mkdtemp(directory) ? 0 : -1;
}

static int remove_directory(void **state) {
    (void)state;
    static const char *const FILES[] = {
        "original.toml", "summary.toml",       "highlight.toml", "highlight_summary.toml",
        "avhs.toml",     "simulate_echo.toml", "few.json"};
    for (size_t i = 0; i < sizeof FILES / sizeof FILES[0]; i++) {
        char *path = memory_format("%s/%s", directory, FILES[i]);
        unlink(path);
        free(path);
    }
    return rmdir(directory);
}

static void write_file(const buffer_t *text, const char *name) {
    char *path = memory_format("%s/%s", directory, name);
    assert_true(buffer_write_file(text, path, NULL));
    free(path);
}

/* A TOML basic string is written like a JSON one. `number` becomes {n} wherever it stands as
 * "euron <number>". */
static void put_text(buffer_t *toml, const char *key, const char *from, const char *to,
                     unsigned number) {
    char numbered[16];
    snprintf(numbered, sizeof numbered, "euron %u", number);
    buffer_t text = BUFFER_EMPTY;
    while (from < to) {
        size_t length = strlen(numbered);
        if ((size_t)(to - from) >= length && strncmp(from, numbered, length) == 0) {
            buffer_append_text(&text, "euron {n}");
            from += length;
        } else {
            buffer_append_char(&text, *from++);
        }
    }
    buffer_append_format(toml, "%s = ", key);
    json_write_string(toml, buffer_text(&text), text.length);
    buffer_append_char(toml, '\n');
    buffer_free(&text);
}

/* Start of the last occurrence; fails if there is none. */
static const char *find_last(const char *text, const char *part) {
    const char *found = NULL;
    for (const char *at = strstr(text, part); at; at = strstr(at + 1, part))
        found = at;
    if (!found)
        fail_msg("the reference's text does not have \"%s\"", part);
    return found;
}

static void put_original(buffer_t *toml, const char *user) {
    const char *start = strstr(user, "\n<start>");
    const char *end = strstr(user, "<end>\n\n") + 6;
    put_text(toml, "neuron_header", user, start, 1);
    put_text(toml, "repeat_header", end, strstr(end, "\n<start>"), 1);
    buffer_append_text(toml, "repeat_nonzero = true\n");
}

/* user = header, "\n", excerpt header (an empty line and a line), "<start>" ... "<end> \n",
 * tokens header, ... */
static void put_excerpts(buffer_t *toml, const char *user, bool list) {
    const char *start = strstr(user, "<start>");
    const char *header = start - 1;
    while (header[-1] != '\n')
        header--;
    header--; /* the empty line before it belongs to it, the newline before that to the layout */
    assert_memory_equal(header - 1, "\n\n", 2);
    put_text(toml, "neuron_header", user, header - 1, 1);
    char *lettered = memory_copy(header, (size_t)(start - header));
    char *letter = lettered + (find_last(lettered, "A:") - lettered);
    char *text = memory_format("%.*s{letter}%s", (int)(letter - lettered), lettered, letter + 1);
    put_text(toml, "excerpt_header", text, text + strlen(text), 1);
    free(lettered);
    free(text);
    if (list) {
        const char *tokens = strstr(start, "<end> \n") + 7;
        put_text(toml, "tokens_header", tokens, strchr(tokens + 1, '\n') + 1, 1);
    }
}

static template_t *make_explain_template(const json_value_t *messages, const char *explanation,
                                         int format) {
    const char *name = prompt_format_name((prompt_format_t)format);
    const char *system = string_at(messages, "0.content");
    const char *user = string_at(messages, "1.content");
    const char *assistant = string_at(messages, "2.content");
    const char *found = find_last(assistant, explanation);
    buffer_t toml = BUFFER_EMPTY;
    buffer_append_format(&toml, "layout = \"%s\"\nfew_shot = \"few.json\"\n", name);
    put_text(&toml, "system", system, system + strlen(system), 0);
    put_text(&toml, "neuron_suffix", find_last(user, "\n"), user + strlen(user), 1);
    put_text(&toml, "assistant_prefix", assistant, found, 1);
    put_text(&toml, "assistant_suffix", found + strlen(explanation), assistant + strlen(assistant),
             1);
    if (format == PROMPT_ORIGINAL)
        put_original(&toml, user);
    else
        put_excerpts(&toml, user, format != PROMPT_HIGHLIGHT);
    char *file = memory_format("%s.toml", name);
    write_file(&toml, file);
    free(file);
    buffer_free(&toml);
    error_info_t error = {0};
    template_t *template = template_load(directory, name, &error);
    if (!template)
        fail_msg("%s", error.message);
    return template;
}

static void write_examples(const json_value_t *messages) {
    buffer_t few = BUFFER_EMPTY;
    json_write_value(&few, json_get(messages, "few_shot_examples"), false);
    write_file(&few, "few.json");
    buffer_free(&few);
}

static template_t *make_format_template(const json_value_t *published, int format) {
    char *path =
        memory_format("messages.%s.0.messages", prompt_format_name((prompt_format_t)format));
    const json_value_t *messages = json_path(published, path);
    free(path);
    write_examples(published);
    return make_explain_template(messages, string_at(published, "few_shot_examples.0.explanation"),
                                 format);
}

/* --- explanations ----------------------------------------------------------------------------- */

static void test_bodies(void **state) {
    (void)state;
    json_value_t *puzzles = read_reference("puzzle_bodies.json");
    json_value_t *published = read_reference("published_messages.json");
    if (!puzzles || !published)
        skip();
    assert_int_equal(json_count(puzzles), PUZZLES);
    for (int format = 0; format < PROMPT_FORMAT_COUNT; format++) {
        template_t *template = make_format_template(published, format);
        char *path = memory_format("bodies.%s%s", prompt_format_name((prompt_format_t)format),
                                   format == PROMPT_ORIGINAL ? ".all" : "");
        for (size_t i = 0; i < PUZZLES; i++) {
            const json_value_t *puzzle = json_at(puzzles, i);
            split_list_t records = read_records(json_get(puzzle, "records"));
            double threshold = NAN;
            assert_true(json_as_number(json_get(puzzle, "cutoff"), &threshold));
            buffer_t body = BUFFER_EMPTY;
            assert_true(explain_body(template, &records, threshold, &body));
            check_text(buffer_text(&body), body.length, puzzle, path);
            buffer_free(&body);
            free_records(&records);
        }
        free(path);
        template_free(template);
    }
    json_free(puzzles);
    json_free(published);
}

static const json_value_t *find_puzzle(const json_value_t *list, const char *id) {
    for (size_t i = 0; i < json_count(list); i++)
        if (strcmp(string_at(json_at(list, i), "id"), id) == 0)
            return json_at(list, i);
    fail_msg("the reference has no puzzle %s", id);
    return NULL;
}

static void check_messages(const message_list_t *list, const json_value_t *expected) {
    assert_int_equal(list->count, json_count(expected));
    for (size_t i = 0; i < list->count; i++) {
        assert_string_equal(list->messages[i].role, string_at(json_at(expected, i), "role"));
        check_text(list->messages[i].content, list->messages[i].length, json_at(expected, i),
                   "content");
    }
}

static void test_messages(void **state) {
    (void)state;
    json_value_t *puzzles = read_reference("puzzle_bodies.json");
    json_value_t *published = read_reference("published_messages.json");
    if (!puzzles || !published)
        skip();
    for (int format = 0; format < PROMPT_FORMAT_COUNT; format++) {
        template_t *template = make_format_template(published, format);
        const json_value_t *all =
            json_get(json_get(published, "messages"), prompt_format_name((prompt_format_t)format));
        assert_int_equal(json_count(all), PUZZLES);
        for (size_t i = 0; i < PUZZLES; i++) {
            const json_value_t *puzzle = find_puzzle(puzzles, string_at(json_at(all, i), "id"));
            split_list_t records = read_records(json_get(puzzle, "records"));
            message_list_t list = {0};
            explain_messages(template, &records, 1.0, 0, &list);
            check_messages(&list, json_get(json_at(all, i), "messages"));
            message_list_clear(&list);
            free_records(&records);
        }
        template_free(template);
    }
    json_free(puzzles);
    json_free(published);
}

/* --- simulations ------------------------------------------------------------------------------ */

/* `text` from..to with the explanation in it as {explanation}. */
static void put_header(buffer_t *toml, const char *key, const char *from, const char *to,
                       const char *explanation, unsigned number) {
    char *part = memory_copy(from, (size_t)(to - from));
    const char *found = find_last(part, explanation);
    char *text = memory_format("%.*s{explanation}%s", (int)(found - part), part,
                               found + strlen(explanation));
    put_text(toml, key, text, text + strlen(text), number);
    free(text);
    free(part);
}

static template_t *make_echo_template(const json_value_t *published, const json_value_t *first) {
    const char *prompt = string_at(first, "prompt");
    const char *one = strstr(prompt, "Neuron 1\n"), *two = strstr(prompt, "Neuron 2\n");
    const char *last = strstr(prompt, "Neuron 4\n");
    /* ends with the first example's suffix */
    char *before = memory_copy(prompt, (size_t)(two - prompt));
    const char *end = find_last(before, "<end>\n") + 6;
    const char *last_end = find_last(prompt, "<end>\n") + 6;
    buffer_t toml = BUFFER_EMPTY;
    buffer_append_text(&toml, "layout = \"simulate_echo\"\nfew_shot = \"few.json\"\n");
    put_text(&toml, "system", prompt, one, 0);
    put_header(&toml, "neuron_header", one, strstr(one, "<start>"),
               string_at(published, "few_shot_examples.0.explanation"), 1);
    put_header(&toml, "last_neuron_header", last, strstr(last, "<start>"),
               string_at(first, "explanation"), 4);
    put_text(&toml, "neuron_suffix", end, before + strlen(before), 1);
    put_text(&toml, "last_neuron_suffix", last_end, last_end + strlen(last_end), 4);
    free(before);
    write_file(&toml, "simulate_echo.toml");
    write_examples(published);
    buffer_free(&toml);
    error_info_t error = {0};
    template_t *template = template_load(directory, "simulate_echo", &error);
    if (!template)
        fail_msg("%s", error.message);
    return template;
}

/* Returns how many places of the case no value had a probability at. */
static size_t check_case(const template_t *template, const json_value_t *item) {
    size_t count = 0, unseen = 0;
    token_t *tokens = read_tokens(json_get(item, "tokens"), &count);
    buffer_t prompt = BUFFER_EMPTY, body = BUFFER_EMPTY;
    assert_true(
        simulate_echo_prompt(template, string_at(item, "explanation"), 0, tokens, count, &prompt));
    check_text(buffer_text(&prompt), prompt.length, item, "prompt");

    json_write_value(&body, json_get(item, "response"), false);
    llm_answer_t answer;
    error_info_t error = {0};
    if (!llm_answer_parse(LLM_COMPLETION, body.data, body.length, &answer, &error))
        fail_msg("%s", error.message);
    double *expected = MEMORY_NEW_ARRAY(count, double);
    if (!simulate_echo_parse(&answer, tokens, count, expected, &unseen, &error))
        fail_msg("%s: %s", string_at(item, "id"), error.message);
    const json_value_t *published = json_get(item, "expected_activations");
    assert_int_equal(json_count(published), count);
    for (size_t i = 0; i < count; i++) {
        double number = NAN;
        assert_true(json_as_number(json_at(published, i), &number));
        if (!(fabs(number - expected[i]) <= 1e-9))
            fail_msg("%s: token %zu: %.17g, not %.17g", string_at(item, "id"), i, expected[i],
                     number);
    }
    free(expected);
    llm_answer_clear(&answer);
    buffer_free(&body);
    buffer_free(&prompt);
    free_tokens(tokens, count);
    return unseen;
}

static void test_simulations(void **state) {
    (void)state;
    json_value_t *simulations = read_reference("published_simulations.json");
    json_value_t *published = read_reference("published_messages.json");
    if (!simulations || !published)
        skip();
    const json_value_t *cases = json_get(simulations, "cases");
    assert_int_equal(json_count(cases), PUZZLES);
    template_t *template = make_echo_template(published, json_at(cases, 0));
    size_t unseen = 0;
    for (size_t i = 0; i < PUZZLES; i++)
        unseen += check_case(template, json_at(cases, i));
    /* where the reference has 0 because only "unknown" had a probability */
    assert_int_equal(unseen, 3);
    template_free(template);
    json_free(simulations);
    json_free(published);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_bodies, make_directory, remove_directory),
        cmocka_unit_test_setup_teardown(test_messages, make_directory, remove_directory),
        cmocka_unit_test_setup_teardown(test_simulations, make_directory, remove_directory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
