/* numbers.c - strict readers of numbers. */
#include "core/base/numbers.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

bool number_parse(const char *text, double *number) {
    if (!*text || strspn(text, "0123456789+-.eE") != strlen(text))
        return false;
    char *end;
    double value = strtod(text, &end);
    if (*end || !isfinite(value))
        return false;
    *number = value;
    return true;
}

bool number_parse_whole(const char *text, size_t length, uint64_t maximum, uint64_t *number) {
    uint64_t value = 0;
    for (size_t i = 0; i < length; i++) {
        if (text[i] < '0' || text[i] > '9')
            return false;
        uint64_t digit = (uint64_t)(text[i] - '0');
        if (digit > maximum || value > (maximum - digit) / 10)
            return false;
        value = value * 10 + digit;
    }
    if (length == 0)
        return false;
    *number = value;
    return true;
}
