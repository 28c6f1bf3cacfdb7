/* prices.c - price lists and the cost of attempts, in whole picodollars. */
#include "core/llm/prices.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/config.h"
#include "core/base/memory.h"

enum { TOKENS_PER_PRICE = 1000000 };

/* $1,000 per million tokens: 2^31 prompt and 2^31 completion tokens, the most that usage may say,
 * still fit money_t. */
static const int64_t HIGHEST_PER_TOKEN = INT64_C(1000000000);

typedef struct {
    char *model;
    char *as_of;
    price_t price;
} entry_t;

struct price_list {
    size_t count;
    entry_t *entries; /* [count], by model */
};

static const config_row_t ROWS[] = {
    {.key = "models.*.input",
     .type = CONFIG_MONEY,
     .fallback = "!",
     .help = "dollars per million prompt tokens"},
    {.key = "models.*.cached_input",
     .type = CONFIG_MONEY,
     .help = "the same for tokens from the provider's cache"},
    {.key = "models.*.output",
     .type = CONFIG_MONEY,
     .fallback = "!",
     .help = "dollars per million completion tokens"},
    {.key = "models.*.as_of",
     .type = CONFIG_STRING,
     .fallback = "!",
     .help = "day on which the price held"},
    {.key = "models.*.source",
     .type = CONFIG_STRING,
     .fallback = "!",
     .help = "where the price was read"},
};

static bool divide_exactly(money_t per_million, money_t *per_token) {
    money_t quotient = {.pico = per_million.pico / TOKENS_PER_PRICE};
    if (per_million.pico % TOKENS_PER_PRICE != 0 || quotient.pico > HIGHEST_PER_TOKEN)
        return false;
    *per_token = quotient;
    return true;
}

bool price_per_million_parse(const char *text, money_t *per_token) {
    money_t per_million = MONEY_ZERO;
    return money_parse(text, &per_million) && divide_exactly(per_million, per_token);
}

/* --- lists ------------------------------------------------------------------------------------ */

static char *key_of(const char *model, const char *member) {
    return memory_format("models.%s.%s", model, member);
}

static bool read_price(const config_t *config, const char *model, const char *member,
                       money_t *per_token, error_info_t *error) {
    char *key = key_of(model, member);
    bool done = divide_exactly(config_money(config, key), per_token) ||
                config_refuse(config, key, error,
                              "must be at most $1,000 per million tokens, in whole $0.000001");
    free(key);
    return done;
}

/* "2023-07-01" */
static bool is_day(const char *text) {
    static const char SHAPE[] = "0000-00-00";
    if (strlen(text) != sizeof SHAPE - 1)
        return false;
    for (size_t i = 0; SHAPE[i]; i++)
        if (SHAPE[i] == '0' ? text[i] < '0' || text[i] > '9' : text[i] != SHAPE[i])
            return false;
    return true;
}

static bool read_as_of(const config_t *config, entry_t *entry, error_info_t *error) {
    char *key = key_of(entry->model, "as_of");
    const char *as_of = config_string(config, key);
    bool done =
        is_day(as_of) || config_refuse(config, key, error, "must be a day such as 2023-07-01");
    if (done)
        entry->as_of = memory_copy_string(as_of);
    free(key);
    return done;
}

static bool read_cached(const config_t *config, entry_t *entry, error_info_t *error) {
    char *key = key_of(entry->model, "cached_input");
    price_t *price = &entry->price;
    bool done = true;
    if (!config_has(config, key))
        price->cached_input = price->input;
    else if (!read_price(config, entry->model, "cached_input", &price->cached_input, error))
        done = false;
    else if (money_compare(price->cached_input, price->input) > 0)
        done = config_refuse(config, key, error, "must not be more than input");
    free(key);
    return done;
}

static bool read_entry(const config_t *config, entry_t *entry, error_info_t *error) {
    return read_price(config, entry->model, "input", &entry->price.input, error) &&
           read_cached(config, entry, error) &&
           read_price(config, entry->model, "output", &entry->price.output, error) &&
           read_as_of(config, entry, error);
}

price_list_t *price_list_parse(const char *text, size_t length, const char *name,
                               error_info_t *error) {
    config_t *config =
        config_load(text, length, name, NULL, 0, ROWS, sizeof ROWS / sizeof ROWS[0], error);
    if (!config)
        return NULL;
    const char *const *names = NULL;
    size_t count = config_names(config, "models", &names);
    price_list_t *list = MEMORY_NEW(price_list_t);
    list->entries = MEMORY_NEW_ARRAY(count, entry_t);
    bool done = true;
    while (done && list->count < count) {
        entry_t *entry = &list->entries[list->count];
        entry->model = memory_copy_string(names[list->count++]);
        done = read_entry(config, entry, error);
    }
    config_free(config);
    if (done)
        return list;
    price_list_free(list);
    return NULL;
}

void price_list_free(price_list_t *list) {
    if (!list)
        return;
    for (size_t i = 0; i < list->count; i++) {
        free(list->entries[i].model);
        free(list->entries[i].as_of);
    }
    free(list->entries);
    free(list);
}

static int compare_model(const void *model, const void *entry) {
    return strcmp(model, ((const entry_t *)entry)->model);
}

bool price_list_find(const price_list_t *list, const char *model, price_t *price,
                     const char **as_of) {
    const entry_t *entry =
        bsearch(model, list->entries, list->count, sizeof *list->entries, compare_model);
    if (!entry)
        return false;
    *price = entry->price;
    *as_of = entry->as_of;
    return true;
}

bool price_list_at(const price_list_t *list, size_t i, const char **model, price_t *price,
                   const char **as_of) {
    if (i >= list->count)
        return false;
    *model = list->entries[i].model;
    *price = list->entries[i].price;
    *as_of = list->entries[i].as_of;
    return true;
}

/* --- costs ------------------------------------------------------------------------------------ */

static money_t cost_of(money_t per_token, int64_t tokens) {
    return money_multiply(per_token, tokens > 0 ? (uint64_t)tokens : 0);
}

money_t price_worst_case(const price_t *price, int64_t input_bound, int64_t output_maximum) {
    money_t dearer =
        money_compare(price->input, price->cached_input) > 0 ? price->input : price->cached_input;
    return money_add(cost_of(dearer, input_bound), cost_of(price->output, output_maximum));
}

money_t price_of_usage(const price_t *price, const llm_usage_t *usage) {
    int64_t cached =
        usage->cached_tokens < usage->prompt_tokens ? usage->cached_tokens : usage->prompt_tokens;
    money_t fresh = cost_of(price->input, usage->prompt_tokens - cached);
    money_t input = money_add(fresh, cost_of(price->cached_input, cached));
    return money_add(input, cost_of(price->output, usage->completion_tokens));
}
