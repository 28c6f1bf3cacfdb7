/* test_options.c - command lines: what is taken, what is refused and in which words, and --help. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "core/base/wrap.h"
#include "tools/cli/options.h"

static const option_t table[] = {
    {"format", 'f', "FORM", "text or json", false},
    {"set", 's', "KEY=VALUE", "override one key", true},
    {"verbose", 'v', NULL, "say more", false},
    {"out", 0, "FILE", "where to", false},
    OPTION_HELP,
    {0},
};

static const command_t command = {
    .name = "try",
    .usage = "FILE...",
    .summary = "what is tried",
    .details = "First.\n  Second, indented.",
    .options = table,
    .least_arguments = 1,
    .most_arguments = 2,
};

typedef struct {
    int argc;
    char *argv[8];
} line_t;

#define LINE(...) ((line_t){sizeof((char *[]){__VA_ARGS__}) / sizeof(char *), {__VA_ARGS__}})

static option_list_t parse(line_t line) {
    option_list_t list;
    error_info_t error = {0};
    if (!options_parse(&command, line.argc, line.argv, &list, &error))
        fail_msg("%s", error.message);
    return list;
}

static void assert_refused(line_t line, const char *message) {
    option_list_t list;
    error_info_t error = {0};
    assert_false(options_parse(&command, line.argc, line.argv, &list, &error));
    assert_string_equal(error.message, message);
    assert_int_equal(error.class_, ERROR_USAGE);
    assert_int_equal(list.count, 0);
    assert_null(list.values);
}

static void takes_every_spelling(void **state) {
    (void)state;
    option_list_t list = parse(LINE("--format", "json", "a", "--out=x=y", "-v", "b"));
    assert_string_equal(option_get(&list, "format"), "json");
    assert_string_equal(option_get(&list, "out"), "x=y");
    assert_true(option_given(&list, "verbose"));
    assert_null(option_get(&list, "verbose"));
    assert_int_equal(list.argument_count, 2);
    assert_string_equal(list.arguments[0], "a");
    assert_string_equal(list.arguments[1], "b");
    options_clear(&list);
    list = parse(LINE("-f", "json", "-sa=1", "-s", "b=2", "x"));
    assert_string_equal(option_get(&list, "format"), "json");
    const char *const *values;
    assert_int_equal(option_all(&list, "set", &values), 2);
    assert_string_equal(values[0], "a=1");
    assert_string_equal(values[1], "b=2");
    assert_int_equal(option_all(&list, "out", &values), 0);
    assert_false(option_given(&list, "out"));
    assert_null(option_get(&list, "no-such-option"));
    options_clear(&list);
}

static void takes_values_that_look_like_options(void **state) {
    (void)state;
    option_list_t list = parse(LINE("--out", "--format", "--", "-v", "--out"));
    assert_string_equal(option_get(&list, "out"), "--format");
    assert_false(option_given(&list, "verbose"));
    assert_int_equal(list.argument_count, 2);
    assert_string_equal(list.arguments[1], "--out");
    options_clear(&list);
    list = parse(LINE("--out=", "-"));
    assert_string_equal(option_get(&list, "out"), "");
    assert_string_equal(list.arguments[0], "-");
    options_clear(&list);
}

static void refuses_options(void **state) {
    (void)state;
    assert_refused(LINE("--fromat", "x"), "there is no option --fromat; did you mean --format?");
    assert_refused(LINE("--fromat=x"), "there is no option --fromat; did you mean --format?");
    assert_refused(LINE("--zzzzzz"), "there is no option --zzzzzz; see glia try --help");
    assert_refused(LINE("--form", "x"), "there is no option --form; see glia try --help");
    assert_refused(LINE("-x"), "there is no option -x; see glia try --help");
    assert_refused(LINE("a", "--out"), "--out needs a value: --out FILE");
    assert_refused(LINE("a", "-f"), "-f needs a value: -f FORM");
    assert_refused(LINE("--verbose=1"), "--verbose takes no value; write --verbose alone");
    assert_refused(LINE("-v1"), "-v takes no value; write -v alone");
    assert_refused(LINE("--out", "a", "--out", "b", "c"), "--out is given twice; leave one out");
}

static void counts_arguments(void **state) {
    (void)state;
    assert_refused(LINE("-v"), "an argument is missing; usage: glia try FILE...");
    assert_refused(LINE("a", "b", "c"), "\"c\" is one argument too many; usage: glia try FILE...");
    option_list_t list = parse(LINE("--help", "a", "b", "c")); /* who asks for help gets it */
    assert_true(option_given(&list, "help"));
    options_clear(&list);
}

static void writes_help(void **state) {
    (void)state;
    buffer_t out = BUFFER_EMPTY;
    options_write_help(&command, &out);
    assert_string_equal(buffer_text(&out), "usage: glia try FILE...\n"
                                           "\n"
                                           "what is tried\n"
                                           "\n"
                                           "First.\n"
                                           "  Second, indented.\n"
                                           "\n"
                                           "options:\n"
                                           "  -f, --format FORM     text or json\n"
                                           "  -s, --set KEY=VALUE   override one key\n"
                                           "  -v, --verbose         say more\n"
                                           "      --out FILE        where to\n"
                                           "  -h, --help            print this help\n");
    buffer_free(&out);
}

static void wraps(void **state) {
    (void)state;
    char text[400] = "";
    for (int i = 0; i < 30; i++)
        strcat(text, i ? " word-long" : "word-long");
    buffer_t out = BUFFER_EMPTY;
    wrap_write(&out, text, 4, 4);
    for (const char *line = buffer_text(&out); *line; line = strchr(line, '\n') + 1)
        assert_true(strcspn(line, "\n") <= WRAP_WIDTH);
    assert_non_null(strstr(buffer_text(&out), "\n    word-long"));
    buffer_free(&out);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_every_spelling),
        cmocka_unit_test(takes_values_that_look_like_options),
        cmocka_unit_test(refuses_options),
        cmocka_unit_test(counts_arguments),
        cmocka_unit_test(writes_help),
        cmocka_unit_test(wraps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
