/* fuzz_config.c - libFuzzer entry: a config file, or (first byte odd) a --set assignment. What is
 * accepted must give the same snapshot after loading its snapshot. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const config_row_t rows[] = {
    {"a.money", CONFIG_MONEY, "1.5", 0, 0, NULL, NULL},
    {"a.text", CONFIG_STRING, NULL, 0, 0, NULL, NULL},
    {"a.choice", CONFIG_CHOICE, "\"x\"", 0, 0, "x|yy", NULL},
    {"a.whole", CONFIG_INTEGER, "3", 1, 9, NULL, NULL},
    {"a.number", CONFIG_NUMBER, NULL, 0, 0, NULL, NULL},
    {"a.flag", CONFIG_BOOLEAN, "true", 0, 0, NULL, NULL},
    {"a.list", CONFIG_STRING_LIST, "[]", 0, 0, NULL, NULL},
    {"a.numbers", CONFIG_NUMBER_LIST, "[]", 0, 0, NULL, NULL},
    {"n.*.b", CONFIG_STRING, "\"d\"", 0, 0, NULL, NULL},
    {"n.*.c.d", CONFIG_MONEY, NULL, 0, 0, NULL, NULL},
    {"s.*", CONFIG_NUMBER, NULL, 0, 0, NULL, NULL},
};
enum { ROW_COUNT = sizeof rows / sizeof rows[0] };

static void expect(bool condition) {
    if (!condition)
        abort();
}

static void ask(const config_t *config) {
    const char *const *strings;
    const double *numbers;
    config_money(config, "a.money");
    config_string(config, "a.text");
    config_string(config, "a.choice");
    expect(config_integer(config, "a.whole") >= 1);
    config_number(config, "a.number");
    config_boolean(config, "a.flag");
    config_strings(config, "a.list", &strings);
    config_numbers(config, "a.numbers", &numbers);
    size_t count = config_names(config, "n", &strings);
    for (size_t i = 0; i < count; i++) {
        expect(i == 0 || strcmp(strings[i - 1], strings[i]) < 0);
        buffer_t key = BUFFER_EMPTY;
        buffer_append_format(&key, "n.%s.b", strings[i]);
        expect(config_string(config, buffer_text(&key)) != NULL);
        buffer_free(&key);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    buffer_t assignment = BUFFER_EMPTY;
    error_info_t error = {0};
    bool set = size > 0 && (data[0] & 1) != 0;
    if (size > 0)
        buffer_append(&assignment, data + 1, size - 1);
    const char *text = buffer_text(&assignment);
    config_t *config =
        set ? config_load("", 0, "fuzz", &text, 1, rows, ROW_COUNT, &error)
            : config_load(text, assignment.length, "fuzz", NULL, 0, rows, ROW_COUNT, &error);
    buffer_free(&assignment);
    if (!config) {
        expect(error.class_ == ERROR_CONFIG && error.message[0] != '\0');
        return 0;
    }
    ask(config);
    buffer_t dump = BUFFER_EMPTY;
    buffer_t again = BUFFER_EMPTY;
    config_dump(config, &dump);
    config_free(config);
    config = config_load(buffer_text(&dump), dump.length, "dump", NULL, 0, rows, ROW_COUNT, &error);
    expect(config != NULL);
    ask(config);
    config_dump(config, &again);
    expect(strcmp(buffer_text(&dump), buffer_text(&again)) == 0);
    config_free(config);
    buffer_free(&again);
    buffer_free(&dump);
    return 0;
}
