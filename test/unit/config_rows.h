/* config_rows.h - the table of keys that the tests of config.h use. Include after cmocka.h. */
#ifndef GLIA_TEST_CONFIG_ROWS_H
#define GLIA_TEST_CONFIG_ROWS_H

#include <math.h>
#include <string.h>

#include "core/base/config.h"

static const config_row_t rows[] = {
    {"budget.total_usd", CONFIG_MONEY, "!", 0, 0, NULL, "most that the run may cost"},
    {"budget.daily_usd", CONFIG_MONEY, "2.5", 0, 0, NULL, "most that a UTC day may cost"},
    {"run.name", CONFIG_STRING, "\"night\"", 0, 0, NULL, "name of the run"},
    {"run.note", CONFIG_STRING, NULL, 0, 0, NULL, "free text"},
    {"run.mode", CONFIG_CHOICE, "\"echo\"", 0, 0, "echo|per_token|repeat", "simulation mode"},
    {"run.samples", CONFIG_INTEGER, "1", 1, 100, NULL, "explanations per neuron"},
    {"run.seed", CONFIG_INTEGER, NULL, 0, 0, NULL, "seed of the run"},
    {"run.temperature", CONFIG_NUMBER, "1.0", 0, 2, NULL, "sampling temperature"},
    {"run.threshold", CONFIG_NUMBER, NULL, 0, 0, NULL, "activation threshold"},
    {"run.retry", CONFIG_BOOLEAN, "true", 0, 0, NULL, "retry failures"},
    {"run.formats", CONFIG_STRING_LIST, "[\"original\"]", 0, 0, "original|summary|highlight",
     "prompt formats"},
    {"run.quantiles", CONFIG_NUMBER_LIST, "[]", 0, 1, NULL, "quantiles"},
    {"endpoints.*.url", CONFIG_STRING, "!", 0, 0, NULL, "base URL"},
    {"endpoints.*.rpm", CONFIG_INTEGER, "60", 1, INFINITY, NULL, "requests per minute"},
    {"models.*.endpoint", CONFIG_STRING, NULL, 0, 0, NULL, "where the model is served"},
    {"models.*.price.input", CONFIG_MONEY, NULL, 0, 0, NULL, "per token"},
    {"models.*.price.output", CONFIG_MONEY, NULL, 0, 0, NULL, "per token"},
    {"aliases.*", CONFIG_STRING, NULL, 0, 0, NULL, "another name"},
    {"aliases.default", CONFIG_CHOICE, "\"a\"", 0, 0, "a|b", "the default alias"},
};
enum { ROW_COUNT = sizeof rows / sizeof rows[0] };

static inline config_t *load_with(const char *text, const char *const *assignments, size_t count) {
    error_info_t error = {0};
    config_t *config =
        config_load(text, strlen(text), "config.toml", assignments, count, rows, ROW_COUNT, &error);
    if (!config)
        fail_msg("%s", error.message);
    return config;
}

static inline void assert_load_refused(const char *text, const char *const *assignments,
                                       size_t count, const char *message) {
    error_info_t error = {0};
    config_t *config =
        config_load(text, strlen(text), "config.toml", assignments, count, rows, ROW_COUNT, &error);
    assert_null(config);
    assert_string_equal(error.message, message);
    assert_int_equal(error.class_, ERROR_CONFIG);
}

#endif
