/* prices.h - what a model's tokens cost. Data: prices.toml (public list prices with their dates); a
 * config's own override them. */
#ifndef GLIA_LLM_PRICES_H
#define GLIA_LLM_PRICES_H

#include <stdbool.h>
#include <stdint.h>

#include "core/base/error.h"
#include "core/base/money.h"
#include "core/llm/wire.h"

/* Dollars per million tokens divided by a million, i.e. picodollars a token: exact
 * for list prices. */
typedef struct {
    money_t input;        /* a prompt token */
    money_t cached_input; /* a prompt token served from the provider's cache; <= input */
    money_t output;       /* a completion token */
} price_t;

/* A price per million tokens as decimal text ("0.15") to the price of one token. Refused (false,
 * *per_token as it was): what is no amount, what is finer than a picodollar a token, more than
 * $1,000 per million (so that no usage that llm_usage_read lets through can overflow an amount). */
bool price_per_million_parse(const char *text, money_t *per_token);

typedef struct price_list price_list_t;
/* Parses a price list (TOML: [models."name"] input = , cached_input = , output = , as_of =
 * "2023-07-01", source = ), prices in dollars per million tokens. cached_input may be missing: then
 * it is input. Errors (CONFIG) name file, line and key. The caller owns the result. */
price_list_t *price_list_parse(const char *text, size_t length, const char *name,
                               error_info_t *error);
void price_list_free(price_list_t *list); /* NULL is fine */
/* The shipped price of a model by its exact name; `as_of` (borrowed) is the date of
 * the list price. */
bool price_list_find(const price_list_t *list, const char *model, price_t *price,
                     const char **as_of);
/* Number i in order of name; false past the end. */
bool price_list_at(const price_list_t *list, size_t i, const char **model, price_t *price,
                   const char **as_of);

/* Worst case of an attempt: every prompt token at the higher of input and cached_input. */
money_t price_worst_case(const price_t *price, int64_t input_bound, int64_t output_maximum);
/* What an answer cost: (prompt - cached) * input + cached * cached_input + completion * output.
 * Reasoning tokens are inside completion tokens and not charged again. */
money_t price_of_usage(const price_t *price, const llm_usage_t *usage);

#endif
