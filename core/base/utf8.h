/* utf8.h - characters of UTF-8: found, decoded, encoded. It needs nothing else, so that error.c can
 * use it too. Pure functions. */
#ifndef GLIA_BASE_UTF8_H
#define GLIA_BASE_UTF8_H

#include <stddef.h>
#include <stdint.h>

/* The length of the longest prefix of whole, valid UTF-8 characters (`length` if all is valid). */
size_t text_utf8_valid_prefix(const char *bytes, size_t length);
/* Decodes the character at bytes[0]; returns its length in bytes, 0 if it is not valid. */
size_t text_utf8_decode(const char *bytes, size_t length, uint32_t *character);
/* Of bytes that text_utf8_decode() refuses: how many of them one U+FFFD stands for (the
 * "maximal subpart" of the Unicode standard, chapter 3.9, as in Python and browsers); at least
 * 1 unless `length` is 0. */
size_t text_utf8_invalid_run(const char *bytes, size_t length);
/* Encodes; returns 1..4. What is no character (a surrogate, past 10FFFF) is encoded as U+FFFD. */
size_t text_utf8_encode(uint32_t character, char out[4]);

#endif
