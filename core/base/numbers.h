/* numbers.h - numbers as people type them on a command line or in a table. Pure. */
#ifndef GLIA_BASE_NUMBERS_H
#define GLIA_BASE_NUMBERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The whole text as a finite decimal number ("0.5", "-1e3"; no spaces, no hex, no locale).
 * False: it is none. */
bool number_parse(const char *text, double *number);
/* Decimal digits alone, at most `maximum`. */
bool number_parse_whole(const char *text, size_t length, uint64_t maximum, uint64_t *number);

#endif
