/* money.c - picodollar arithmetic that aborts rather than wraps. */
#include "core/base/money.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PICO_DIGITS = 12, EXPONENT_LIMIT = 1000000 };
#define PICO_PER_DOLLAR INT64_C(1000000000000)
#define PARSE_MAXIMUM   (UINT64_C(1000000) * (uint64_t)PICO_PER_DOLLAR)

static _Noreturn void overflow(const char *what, int64_t a, uint64_t b) {
    fprintf(stderr, "glia: bug: money overflow in %s(%" PRId64 ", %" PRIu64 ") picodollars\n", what,
            a, b);
    abort();
}

/* A decimal as digits * 10^exponent, without trailing zeros in `digits`. */
typedef struct {
    uint64_t digits;
    int64_t exponent;
    int64_t pending_zeros; /* zeros seen behind `digits` that only count if another digit follows */
    bool any;
} decimal_t;

static bool decimal_push(decimal_t *decimal, unsigned digit) {
    decimal->any = true;
    if (digit == 0) {
        decimal->pending_zeros += decimal->digits != 0;
        return true;
    }
    for (int64_t i = 0; i <= decimal->pending_zeros; i++)
        if (__builtin_mul_overflow(decimal->digits, 10U, &decimal->digits))
            return false;
    decimal->pending_zeros = 0;
    return !__builtin_add_overflow(decimal->digits, digit, &decimal->digits);
}

static const char *parse_digits(const char *text, decimal_t *decimal) {
    int64_t places = 0;
    bool point = false;
    for (; (*text >= '0' && *text <= '9') || (*text == '.' && !point); text++) {
        if (*text == '.') {
            point = true;
            continue;
        }
        places += point;
        if (!decimal_push(decimal, (unsigned)(*text - '0')))
            return NULL;
    }
    decimal->exponent = decimal->pending_zeros - places;
    return decimal->any ? text : NULL;
}

static const char *parse_exponent(const char *text, decimal_t *decimal) {
    if (*text != 'e' && *text != 'E')
        return text;
    text++;
    bool negative = *text == '-';
    text += *text == '-' || *text == '+';
    if (*text < '0' || *text > '9')
        return NULL;
    int64_t exponent = 0;
    for (; *text >= '0' && *text <= '9'; text++)
        exponent = exponent < EXPONENT_LIMIT ? exponent * 10 + (*text - '0') : exponent;
    decimal->exponent += negative ? -exponent : exponent;
    return text;
}

bool money_parse(const char *text, money_t *amount) {
    decimal_t decimal = {0};
    const char *end = parse_digits(text + (*text == '$'), &decimal);
    end = !end ? NULL : parse_exponent(end, &decimal);
    if (!end || *end != '\0')
        return false;
    uint64_t pico = decimal.digits;
    int64_t shift = decimal.exponent + PICO_DIGITS;
    if (pico != 0 && shift < 0)
        return false; /* the last non-zero digit stands below a picodollar */
    for (int64_t i = 0; pico != 0 && i < shift; i++) {
        if (pico > PARSE_MAXIMUM)
            return false;
        pico *= 10;
    }
    if (pico > PARSE_MAXIMUM)
        return false;
    amount->pico = (int64_t)pico;
    return true;
}

money_t money_add(money_t a, money_t b) {
    money_t sum;
    if (__builtin_add_overflow(a.pico, b.pico, &sum.pico))
        overflow("money_add", a.pico, (uint64_t)b.pico);
    return sum;
}

money_t money_subtract(money_t a, money_t b) {
    money_t difference;
    if (__builtin_sub_overflow(a.pico, b.pico, &difference.pico))
        overflow("money_subtract", a.pico, (uint64_t)b.pico);
    return difference;
}

money_t money_multiply(money_t price, uint64_t count) {
    money_t product;
    if (__builtin_mul_overflow(price.pico, count, &product.pico))
        overflow("money_multiply", price.pico, count);
    return product;
}

int money_compare(money_t a, money_t b) {
    return (a.pico > b.pico) - (a.pico < b.pico);
}

const char *money_format(money_t amount, int decimals, char text[MONEY_TEXT_SIZE]) {
    int places = decimals < 0 ? 0 : decimals > PICO_DIGITS ? PICO_DIGITS : decimals;
    uint64_t unit = 1; /* picodollars in one of the last place */
    for (int i = places; i < PICO_DIGITS; i++)
        unit *= 10;
    bool negative = amount.pico < 0;
    uint64_t magnitude = negative ? 0 - (uint64_t)amount.pico : (uint64_t)amount.pico;
    /* Towards +infinity: up for what was spent, towards zero for a negative amount. */
    uint64_t units = magnitude / unit + (!negative && magnitude % unit != 0);
    char digits[24];
    int length = snprintf(digits, sizeof digits, "%0*" PRIu64, places + 1, units);
    int whole = length - places;
    char *to = text;
    if (negative && units != 0)
        *to++ = '-';
    *to++ = '$';
    memcpy(to, digits, (size_t)whole);
    to += whole;
    if (places > 0) {
        *to++ = '.';
        memcpy(to, digits + whole, (size_t)places);
        to += places;
    }
    *to = '\0';
    return text;
}

double money_to_dollars(money_t amount) {
    return (double)amount.pico / (double)PICO_PER_DOLLAR;
}
