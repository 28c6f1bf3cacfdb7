/* test_neuron_names.c - layers, neurons and numbers as people type them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "actors/sweep/neuron_names.h"
#include "core/base/buffer.h"
#include "core/base/numbers.h"
#include "test/unit/store_dir.h"

static void reads_numbers(void **state) {
    (void)state;
    double number = 7;
    assert_true(number_parse("0.5", &number) && number == 0.5);
    assert_true(number_parse("-1e3", &number) && number == -1000);
    static const char *const bad[] = {"",    " 1",    "1 ",  "0x10", "nan",
                                      "inf", "1e999", "1,5", "--1",  "1e"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(number_parse(bad[i], &number));
    assert_true(number == -1000);
    uint64_t whole;
    assert_true(number_parse_whole("18446744073709551615", 20, UINT64_MAX, &whole) &&
                whole == UINT64_MAX);
    assert_false(number_parse_whole("18446744073709551616", 20, UINT64_MAX, &whole));
    assert_true(number_parse_whole("10", 2, 10, &whole) && whole == 10);
    assert_false(number_parse_whole("11", 2, 10, &whole));
    assert_false(number_parse_whole("", 0, 10, &whole));
    assert_false(number_parse_whole("-1", 2, 10, &whole));
}

static void assert_names_refused(const char *text, const char *message) {
    neuron_name_list_t list;
    error_info_t error = {0};
    assert_false(neuron_names_parse(text, &list, &error));
    assert_null(list.names);
    assert_string_equal(error.message, message);
}

static void reads_names(void **state) {
    (void)state;
    neuron_name_list_t list;
    error_info_t error = {0};
    assert_true(neuron_names_parse("5:131,0:7", &list, &error));
    assert_int_equal(list.count, 2);
    assert_int_equal(list.names[0].layer, 5);
    assert_int_equal(list.names[0].index, 131);
    assert_int_equal(list.names[1].index, 7);
    free(list.names);
    assert_names_refused("5:131,", "--neurons: \"\" is no LAYER:NEURON, as in 5:131");
    assert_names_refused("5", "--neurons: \"5\" is no LAYER:NEURON, as in 5:131");
    assert_names_refused("1:2:3", "--neurons: \"1:2:3\" is no LAYER:NEURON, as in 5:131");
    assert_names_refused("1:-2", "--neurons: \"1:-2\" is no LAYER:NEURON, as in 5:131");
    assert_names_refused("1:2,1:3,1:2", "neuron 1:2 is named twice");
    assert_names_refused("1:99999999999",
                         "--neurons: \"1:99999999999\" is no LAYER:NEURON, as in 5:131");
}

static void reads_names_from_a_file(void **state) {
    (void)state;
    char *directory = store_dir_make();
    char *path = memory_format("%s/list.csv", directory), *at = memory_format("@%s", path);
    buffer_t text = BUFFER_EMPTY;
    neuron_name_list_t list;
    error_info_t error = {0};
    buffer_append_text(&text, "score,Neuron,layer\n0.5,286,0\n,3,47\n");
    assert_true(buffer_write_file(&text, path, &error));
    assert_true(neuron_names_parse(at, &list, &error));
    assert_int_equal(list.count, 2);
    assert_int_equal(list.names[1].layer, 47);
    assert_int_equal(list.names[1].index, 3);
    free(list.names);
    buffer_append_text(&text, "1,x,2\n");
    assert_true(buffer_write_file(&text, path, &error));
    char *message = memory_format("%s:4: layer and neuron must be whole numbers", path);
    assert_names_refused(at, message);
    buffer_clear(&text);
    buffer_append_text(&text, "layer;neuron\n");
    assert_true(buffer_write_file(&text, path, &error));
    free(message);
    message = memory_format("%s:1: the header must name the columns layer and neuron", path);
    assert_names_refused(at, message);
    free(message);
    buffer_free(&text);
    free(at);
    free(path);
    store_dir_remove(directory);
}

static void reads_layers(void **state) {
    (void)state;
    layer_list_t list;
    error_info_t error = {0};
    assert_true(neuron_layers_parse("7,0-2", &list, &error));
    assert_int_equal(list.count, 4);
    assert_int_equal(list.layers[0], 7);
    assert_int_equal(list.layers[3], 2);
    free(list.layers);
    static const char *const bad[] = {"",   "1,",         "3-1",   "a",           "1-",
                                      "-1", "0-99999999", "1,0-2", "1-2147483647"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_false(neuron_layers_parse(bad[i], &list, &error));
        assert_null(list.layers);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_numbers),
        cmocka_unit_test(reads_names),
        cmocka_unit_test(reads_names_from_a_file),
        cmocka_unit_test(reads_layers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
