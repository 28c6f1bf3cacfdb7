/* embed.h - hashed n-grams as a vector. Pure. */
#ifndef GLIA_STANDIN_EMBED_H
#define GLIA_STANDIN_EMBED_H

#include <stddef.h>

#include "tools/standin/lexicon.h"

/* Writes a unit vector [dimensions]: words, their runs of three letters, and the lexicon classes
 * that they belong to or name, each at a hashed place with a hashed sign. Texts that mean similar
 * things by the lexicon come near each other.
 */
void standin_embed(const standin_lexicon_t *lexicon, const char *text, size_t length,
                   size_t dimensions, float *vector);

#endif
