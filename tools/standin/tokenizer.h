/* tokenizer.h - cuts text into GPT-like pieces; the stand-in counts, bills and scores these. Pure.
 *
 * Pieces, one after the other, are the text. A piece is a tab or a line end; up to three digits; a
 * mark of punctuation (up to four of the same); an English contraction ('s, 're); or letters, words
 * of more than eight being cut every six. One space before a piece belongs to it; further spaces
 * are a piece of their own. A character is never cut.
 */
#ifndef GLIA_STANDIN_TOKENIZER_H
#define GLIA_STANDIN_TOKENIZER_H

#include <stddef.h>

typedef struct {
    const char *bytes; /* borrowed from the text */
    size_t length;
    size_t offset;           /* bytes before it */
    size_t character_offset; /* characters (code points) before it */
} standin_token_t;

/* All pieces of `text`; the caller frees. *count 0 gives NULL. */
standin_token_t *standin_tokenize(const char *text, size_t length, size_t *count);
size_t standin_token_count(const char *text, size_t length);

#endif
