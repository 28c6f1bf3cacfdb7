/* tiny_tokenizer.h - tokenizers in memory, for tests: the 256 bytes, what some merges make of
 * them, <|endoftext|>. */
#ifndef GLIA_TEST_TINY_TOKENIZER_H
#define GLIA_TEST_TINY_TOKENIZER_H

#include "core/subject/tokenizer.h"

/* Ids: bytes 0 .. 255, then merges in their order, then <|endoftext|>. `merges`: "a b", in the
 * alphabet of GPT-2's files; the last is NULL. Aborts on failure. */
tokenizer_t *tiny_tokenizer(const char *const *merges);
/* The text of its files, for tests that spoil them. */
void tiny_vocabulary(const char *const *merges, buffer_t *out);
void tiny_merges(const char *const *merges, buffer_t *out);
/* How GPT-2's files write a byte. */
void tiny_append_byte(buffer_t *out, unsigned char byte);

#endif
