/* test_template.c - templates: keys, where files come from, identity. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "prompts/template.h"

static const char *const NAMES[] = {"original",          "summary", "highlight",
                                    "highlight_summary", "avhs",    "simulate_echo",
                                    "simulate_repeat"};
enum { NAME_COUNT = sizeof NAMES / sizeof NAMES[0] };

static const char SUMMARY[] =
    "layout = \"summary\"\nsystem = \"S\"\nneuron_header = \"H\"\nexcerpt_header = \"E\"\n"
    "tokens_header = \"T\"\n";
static const char EXAMPLES[] =
    "[{\"explanation\": \"e\", \"records\": [{\"tokens\": [\"a\"], \"activations\": [1]}]}]";

static template_t *parse(const char *directory, const char *name, const char *text,
                         error_info_t *error) {
    return template_parse(directory, name, "test.toml", text, strlen(text), error);
}

static hash_t hash_as(const char *directory, const char *name, const char *text) {
    error_info_t error;
    template_t *template = parse(directory, name, text, &error);
    assert_non_null(template);
    hash_t hash = template_hash(template);
    template_free(template);
    return hash;
}

static hash_t hash_of(const char *directory, const char *text) {
    return hash_as(directory, "summary", text);
}

/* --- a directory of files --------------------------------------------------------------------- */

static char directory[] = "/tmp/glia-template-XXXXXX";

static void path_of(const char *file, char path[128]) {
    snprintf(path, 128, "%s/%s", directory, file);
}

static void write_file(const char *file, const char *text) {
    char path[128];
    path_of(file, path);
    FILE *out = fopen(path, "w");
    assert_non_null(out);
    fputs(text, out);
    assert_int_equal(fclose(out), 0);
}

static void remove_file(const char *file) {
    char path[128];
    path_of(file, path);
    unlink(path);
}

static int make_directory(void **state) {
    (void)state;
    memcpy(directory + strlen(directory) - 6, "XXXXXX", 6);
    return mkdtemp(directory) ? 0 : -1;
}

static int remove_directory(void **state) {
    (void)state;
    remove_file("summary.toml");
    remove_file("few.json");
    remove_file("few_shot_explain.json");
    return rmdir(directory);
}

/* --- tests ------------------------------------------------------------------------------------ */

static void test_every_embedded_template_loads(void **state) {
    (void)state;
    hash_t hashes[NAME_COUNT];
    for (size_t i = 0; i < NAME_COUNT; i++) {
        error_info_t error = {0};
        template_t *template = template_load(NULL, NAMES[i], &error);
        assert_string_equal(error.message, "");
        assert_non_null(template);
        assert_int_equal(template_layout(template), (int)i);
        assert_true(template_examples(template)->count > 0);
        assert_true(strlen(template_text(template, TEMPLATE_SYSTEM)) > 0);
        assert_true(strstr(template_text(template, TEMPLATE_NEURON_HEADER), "{n}") != NULL);
        hashes[i] = template_hash(template);
        for (size_t j = 0; j < i; j++)
            assert_false(hash_equal(hashes[i], hashes[j]));
        template_free(template);
    }
}

static void test_format_names_round_trip(void **state) {
    (void)state;
    for (int i = 0; i < PROMPT_FORMAT_COUNT; i++) {
        prompt_format_t format = PROMPT_FORMAT_COUNT;
        assert_true(prompt_format_from_name(prompt_format_name((prompt_format_t)i), &format));
        assert_int_equal(format, i);
        assert_string_equal(prompt_format_name((prompt_format_t)i), NAMES[i]);
    }
    prompt_format_t format = PROMPT_AVHS;
    assert_false(prompt_format_from_name("simulate_echo", &format));
    assert_int_equal(format, PROMPT_AVHS);
    assert_null(prompt_format_name(PROMPT_FORMAT_COUNT));
}

static void test_wrong_templates_are_refused(void **state) {
    (void)state;
    static const struct {
        const char *name, *text, *expected;
    } cases[] = {
        {"summary", "layout = \"summary\"\n", "system"},
        {"summary", "layout = \"avhs\"\nsystem = \"\"\n", "test.toml:1"},
        {"summary", "layout = \"summary\"\nsystem = \"\"\nneuron_heade = \"\"\n", "test.toml:3"},
        {"summary", "layout = \"summary\"\nsystem = 3\n", "test.toml:2"},
        {"original",
         "layout = \"original\"\nsystem = \"\"\nneuron_header = \"\"\ntokens_header = \"\"\n",
         "test.toml:4"},
        {"original",
         "layout = \"original\"\nsystem = \"\"\nneuron_header = \"\"\nrepeat_below = 2\n",
         "test.toml:4"},
        {"simulate_echo", "layout = \"simulate_echo\"\nsystem = \"\"\nneuron_header = \"no\"\n",
         "{explanation}"},
        {"simulate_echo",
         "layout = \"simulate_echo\"\nsystem = \"\"\nneuron_header = \"{explanation}\"\n"
         "last_neuron_header = \"\"\n",
         "last_neuron_header"},
        {"simulate_echo",
         "layout = \"simulate_echo\"\nsystem = \"\"\nneuron_header = \"{explanation}\"\n"
         "system_role = \"user\"\n",
         "system_role"},
        {"simulate_repeat",
         "layout = \"simulate_repeat\"\nsystem = \"\"\nneuron_header = \"{explanation}\"\n"
         "few_shot = \"../few.json\"\n",
         "few_shot"},
        {"original",
         "layout = \"original\"\nsystem = \"\"\nneuron_header = \"\"\nfew_shot = \"a/few.json\"\n",
         "give no path"},
        {"simulate_repeat",
         "layout = \"simulate_repeat\"\nsystem = \"\"\nneuron_header = \"{explanation}\"\n"
         "few_shot = \"none.json\"\n",
         "none.json"},
        {"simulate_repeat",
         "layout = \"simulate_repeat\"\nsystem = \"\"\nneuron_header = \"{explanation}\"\n"
         "user_role = \"tool\"\n",
         "user_role"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        error_info_t error = {0};
        assert_null(parse(NULL, cases[i].name, cases[i].text, &error));
        assert_int_equal(error.class_, ERROR_CONFIG);
        if (!strstr(error.message, cases[i].expected))
            fail_msg("\"%s\" does not name %s", error.message, cases[i].expected);
    }
}

static void test_an_unknown_name_is_a_usage_error(void **state) {
    (void)state;
    error_info_t error = {0};
    assert_null(template_load(NULL, "simulate", &error));
    assert_int_equal(error.class_, ERROR_USAGE);
    assert_null(template_load(NULL, "../original", &error));
    assert_int_equal(error.class_, ERROR_USAGE);
}

static void test_the_last_neuron_takes_header_and_suffix_of_the_others(void **state) {
    (void)state;
    error_info_t error;
    template_t *template =
        parse(NULL, "simulate_echo",
              "layout = \"simulate_echo\"\nsystem = \"\"\nneuron_header = \"{n}{explanation}\"\n"
              "neuron_suffix = \"s\"\n",
              &error);
    assert_non_null(template);
    assert_string_equal(template_text(template, TEMPLATE_LAST_NEURON_HEADER), "{n}{explanation}");
    assert_string_equal(template_text(template, TEMPLATE_LAST_NEURON_SUFFIX), "s");
    assert_string_equal(template_text(template, TEMPLATE_TOKENS_HEADER), "");
    template_free(template);
    template =
        parse(NULL, "simulate_echo",
              "layout = \"simulate_echo\"\nsystem = \"\"\nneuron_header = \"{n}{explanation}\"\n"
              "neuron_suffix = \"s\"\nlast_neuron_suffix = \"\"\n",
              &error);
    assert_non_null(template);
    assert_string_equal(template_text(template, TEMPLATE_LAST_NEURON_SUFFIX), "");
    template_free(template);
}

static void test_a_directory_goes_before_the_program(void **state) {
    (void)state;
    error_info_t error;
    hash_t original[2];
    for (int i = 0; i < 2; i++) {
        template_t *template = template_load(i ? directory : NULL, "summary", &error);
        assert_non_null(template);
        original[i] = template_hash(template);
        template_free(template);
    }
    assert_true(hash_equal(original[0], original[1])); /* nothing in the directory yet */
    write_file("summary.toml", SUMMARY);
    template_t *template = template_load(directory, "summary", &error);
    assert_non_null(template);
    assert_string_equal(template_text(template, TEMPLATE_SYSTEM), "S");
    assert_int_equal(template_examples(template)->count, 0);
    template_free(template);
    remove_file("summary.toml");
    write_file("few_shot_explain.json", EXAMPLES); /* examples alone can be replaced */
    template = template_load(directory, "summary", &error);
    assert_non_null(template);
    assert_int_equal(template_examples(template)->count, 1);
    assert_false(hash_equal(template_hash(template), original[0]));
    template_free(template);
}

static void test_errors_name_the_file_of_the_directory(void **state) {
    (void)state;
    error_info_t error = {0};
    assert_null(template_load("/nonexistent/prompts", "summary", &error));
    assert_int_equal(error.class_, ERROR_CONFIG);
    assert_non_null(strstr(error.message, "/nonexistent/prompts"));
    write_file("summary.toml", "layout = \"summary\"\nsystme = \"\"\n");
    assert_null(template_load(directory, "summary", &error));
    assert_non_null(strstr(error.message, directory));
    assert_non_null(strstr(error.message, "summary.toml:2"));
    write_file(
        "summary.toml",
        "layout = \"summary\"\nsystem = \"S\"\nneuron_header = \"H\"\nexcerpt_header = \"E\"\n"
        "tokens_header = \"T\"\nfew_shot = \"few.json\"\n");
    write_file("few.json", "[{}]");
    assert_null(template_load(directory, "summary", &error));
    assert_non_null(strstr(error.message, "few.json"));
}

static void test_identity_is_content_not_bytes(void **state) {
    (void)state;
    hash_t hash = hash_of(NULL, SUMMARY);
    assert_true(hash_equal(
        hash, hash_of(NULL, "# a comment\ntokens_header = \"T\"\nexcerpt_header = 'E'\n"
                            "neuron_header = \"H\"\nsystem = \"S\"\nlayout = \"summary\"\n")));
    static const char *const CHANGES[] = {
        "neuron_suffix = \"x\"",     "system_role = \"developer\"",
        "user_role = \"developer\"", "assistant_role = \"user\"",
        "assistant_prefix = \"x\"",  "assistant_suffix = \"x\"",
        "few_shot_threshold = 2",    "few_shot = \"few_shot_explain.json\""};
    for (size_t i = 0; i < sizeof CHANGES / sizeof CHANGES[0]; i++) {
        char text[512];
        snprintf(text, sizeof text, "%s%s\n", SUMMARY, CHANGES[i]);
        assert_false(hash_equal(hash, hash_of(NULL, text)));
    }
}

static void test_identity_has_layout_and_numbers(void **state) {
    (void)state;
    static const char WORDS[] = "system = \"\"\nneuron_header = \"{explanation}\"\n";
    static const char *const TEMPLATES[][2] = {
        {"simulate_repeat", ""},
        {"original", ""},
        {"original", "repeat_nonzero = true\n"},
        {"original", "repeat_nonzero = true\nrepeat_below = 0.3\n"},
        {"summary", "excerpt_header = \"E\"\ntokens_header = \"T\"\n"},
        {"highlight_summary", "excerpt_header = \"E\"\ntokens_header = \"T\"\n"},
    };
    enum { COUNT = sizeof TEMPLATES / sizeof TEMPLATES[0] };
    hash_t hashes[COUNT];
    for (size_t i = 0; i < COUNT; i++) {
        char text[512];
        snprintf(text, sizeof text, "layout = \"%s\"\n%s%s", TEMPLATES[i][0], WORDS,
                 TEMPLATES[i][1]);
        hashes[i] = hash_as(NULL, TEMPLATES[i][0], text);
        for (size_t j = 0; j < i; j++)
            assert_false(hash_equal(hashes[i], hashes[j]));
    }
}

static void test_identity_has_the_examples(void **state) {
    (void)state;
    static const char *const LISTS[] = {
        "[{\"explanation\":\"e\",\"records\":[{\"tokens\":[\"a\",\"b\"],\"activations\":[1,2]}]}]",
        "[{\"explanation\":\"f\",\"records\":[{\"tokens\":[\"a\",\"b\"],\"activations\":[1,2]}]}]",
        "[{\"explanation\":\"e\",\"records\":[{\"tokens\":[\"a\",\"c\"],\"activations\":[1,2]}]}]",
        "[{\"explanation\":\"e\",\"records\":[{\"tokens\":[\"a\",\"b\"],\"activations\":[1,3]}]}]",
        ("[{\"explanation\":\"e\",\"first_revealed_activation_indices\":[1],"
         "\"records\":[{\"tokens\":[\"a\",\"b\"],\"activations\":[1,2]}]}]"),
        "[]",
    };
    enum { COUNT = sizeof LISTS / sizeof LISTS[0] };
    hash_t hashes[COUNT];
    char text[512];
    snprintf(text, sizeof text, "%sfew_shot = \"few.json\"\n", SUMMARY);
    for (size_t i = 0; i < COUNT; i++) {
        write_file("few.json", LISTS[i]);
        hashes[i] = hash_of(directory, text);
        for (size_t j = 0; j < i; j++)
            assert_false(hash_equal(hashes[i], hashes[j]));
    }
    write_file("few.json",
               "[ {\"records\": [{\"activations\": [1.0, 2.0], \"tokens\": [\"a\", \"b\"]}], "
               "\"first_revealed_activation_indices\": [0], \"explanation\": \"e\"} ]");
    assert_true(hash_equal(hashes[0], hash_of(directory, text)));
}

static void test_broken_examples_are_refused(void **state) {
    (void)state;
    static const char *const LISTS[] = {
        "{}",
        "[{}]",
        "[{\"explanation\":\"\",\"records\":[{\"tokens\":[\"a\"],\"activations\":[1]}]}]",
        "[{\"explanation\":\"e\",\"records\":[]}]",
        "[{\"explanation\":\"e\",\"records\":[{\"tokens\":[],\"activations\":[]}]}]",
        "[{\"explanation\":\"e\",\"records\":[{\"tokens\":[\"a\",\"b\"],\"activations\":[1]}]}]",
        "[{\"explanation\":\"e\",\"records\":[{\"tokens\":[\"a\",\"\"],\"activations\":[1,2]}]}]",
        "[{\"explanation\":\"e\",\"records\":[{\"tokens\":[\"a\",2],\"activations\":[1,2]}]}]",
        "[{\"explanation\":\"e\",\"records\":[{\"tokens\":[\"a\"],\"activations\":[1e300]}]}]",
        "[{\"explanation\":\"e\",\"records\":[{\"tokens\":[\"a\"],\"activations\":[NaN]}]}]",
        "[{\"explanation\":\"e\",\"records\":[{\"tokens\":[\"a\"],\"activations\":[null]}]}]",
        ("[{\"explanation\":\"e\",\"first_revealed_activation_indices\":[2],"
         "\"records\":[{\"tokens\":[\"a\"],\"activations\":[1]}]}]"),
        ("[{\"explanation\":\"e\",\"first_revealed_activation_indices\":[0,0],"
         "\"records\":[{\"tokens\":[\"a\"],\"activations\":[1]}]}]"),
    };
    for (size_t i = 0; i < sizeof LISTS / sizeof LISTS[0]; i++) {
        error_info_t error = {0};
        few_shot_list_t list;
        assert_false(few_shot_parse(LISTS[i], strlen(LISTS[i]), "few.json", &list, &error));
        assert_int_equal(error.class_, ERROR_CONFIG);
        assert_non_null(strstr(error.message, "few.json"));
        assert_int_equal(list.count, 0);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_embedded_template_loads),
        cmocka_unit_test(test_format_names_round_trip),
        cmocka_unit_test(test_wrong_templates_are_refused),
        cmocka_unit_test(test_an_unknown_name_is_a_usage_error),
        cmocka_unit_test(test_the_last_neuron_takes_header_and_suffix_of_the_others),
        cmocka_unit_test_setup_teardown(test_a_directory_goes_before_the_program, make_directory,
                                        remove_directory),
        cmocka_unit_test_setup_teardown(test_errors_name_the_file_of_the_directory, make_directory,
                                        remove_directory),
        cmocka_unit_test(test_identity_is_content_not_bytes),
        cmocka_unit_test(test_identity_has_layout_and_numbers),
        cmocka_unit_test_setup_teardown(test_identity_has_the_examples, make_directory,
                                        remove_directory),
        cmocka_unit_test(test_broken_examples_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
