/* money.h - amounts of US dollars as whole picodollars (10^-12 USD).
 *
 * A struct, so that no amount is mixed up with a count. Range about +-9.2 million dollars; every
 * operation that would overflow aborts (the amounts of a run are checked when they enter). No
 * floating point touches an amount: prices are parsed from decimal text.
 */
#ifndef GLIA_BASE_MONEY_H
#define GLIA_BASE_MONEY_H

#include <stdbool.h>
#include <stdint.h>

typedef struct {
    int64_t pico;
} money_t;

#define MONEY_ZERO ((money_t){0})
enum { MONEY_TEXT_SIZE = 32 };

/* Decimal dollars: "12", "0.5", "1e-3", "$2.50". Digits below 10^-12 are refused, as are negative
 * amounts, amounts over 1,000,000 and anything else that is not a number. */
bool money_parse(const char *text, money_t *amount);
money_t money_add(money_t a, money_t b);
money_t money_subtract(money_t a, money_t b); /* may go below zero */
money_t money_multiply(money_t price, uint64_t count);
int money_compare(money_t a, money_t b); /* -1, 0, 1 */
/* "$1.234567": `decimals` 0..12 places after the point, rounded up (towards +infinity), so that
 * what is printed as spent is never less than what was. */
const char *money_format(money_t amount, int decimals, char text[MONEY_TEXT_SIZE]);
/* Only for display, ratios and estimates. */
double money_to_dollars(money_t amount);

#endif
