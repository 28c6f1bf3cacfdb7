/* tokenizer.h - GPT-2's byte-level byte pair encoding: text of any bytes to token ids and back.
 *
 * Files, in the layout of Hugging Face: vocab.json and merges.txt or, if one of these is missing,
 * tokenizer.json. All of it is untrusted: sizes are limited, and errors name file and line or key.
 *
 * Text is split into pre-tokens by GPT-2's pattern (contractions, letters, numbers, other
 * characters, white space; by PCRE2), the bytes of each are joined by the merge rules (bpe.h).
 * Every byte has a token, so there is no text that cannot be encoded, and the bytes of the tokens
 * side by side are the text again. Where the text is not UTF-8 it is split: a longest run of bytes
 * that belong to no valid character is a pre-token of its own, and what stands before and behind it
 * is encoded as if it stood alone.
 */
#ifndef GLIA_SUBJECT_TOKENIZER_H
#define GLIA_SUBJECT_TOKENIZER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/buffer.h"
#include "core/base/error.h"
#include "core/base/hash.h"
#include "core/subject/subject_files.h"

enum {
    TOKENIZER_MAX_FILE = 64 << 20,      /* bytes of vocab.json, merges.txt, tokenizer.json */
    TOKENIZER_MAX_TOKENS = 1 << 20,     /* also of merge rules */
    TOKENIZER_MAX_TOKEN_BYTES = 1 << 16 /* of one token */
};

typedef struct tokenizer tokenizer_t; /* immutable after load: any thread */

/* Token ids that grow; {0} to begin with. */
typedef struct {
    uint32_t *ids; /* [count] */
    size_t count, capacity;
} token_list_t;
void token_list_add(token_list_t *list, uint32_t id);
void token_list_clear(token_list_t *list); /* releases; empty and usable again */

/* The caller owns the result and may close the files. Errors (CONFIG): no tokenizer files, a
 * file too large, no JSON, an id that is no number, given twice or leaves a gap, no token for a
 * byte, a merge of or into something that is no token, a tokenizer.json of another kind than
 * GPT-2's. Blocks. */
tokenizer_t *tokenizer_load(subject_files_t *files, error_info_t *error);
void tokenizer_free(tokenizer_t *tokenizer); /* NULL is fine */

size_t tokenizer_size(const tokenizer_t *tokenizer); /* ids are 0 .. size - 1 */
/* The id of <|endoftext|>; false if there is none. */
bool tokenizer_end_of_text(const tokenizer_t *tokenizer, uint32_t *id);
/* The bytes of a token, `id` < size; borrowed, terminated. They may be a part of a UTF-8 character:
 * text_append_visible() shows such. */
const char *tokenizer_token(const tokenizer_t *tokenizer, uint32_t id, size_t *length);
/* What the encoding depends on: equal hashes, equal ids for every text. */
hash_t tokenizer_identity(const tokenizer_t *tokenizer);

/* Appends the ids of `text` to `out`. Special tokens are not recognised: "<|endoftext|>" in a
 * text is seven tokens of GPT-2. Time is n log n in the longest pre-token and linear otherwise;
 * memory for a pre-token is 44 bytes a byte. Errors (`out` is as it was): CONFIG, 2 GiB or more;
 * BUG, PCRE2 failed. */
bool tokenizer_encode(const tokenizer_t *tokenizer, const char *text, size_t length,
                      token_list_t *out, error_info_t *error);
/* The same for the beginning of a text that goes on: encodes whole pre-tokens that nothing
 * behind `length` can change. *taken: their bytes, possibly 0; the rest is to be given again,
 * with more behind it. */
bool tokenizer_encode_front(const tokenizer_t *tokenizer, const char *text, size_t length,
                            token_list_t *out, size_t *taken, error_info_t *error);
/* Appends the bytes of ids [count], each < size. False, with `out` as it was, when its maximum
 * would be passed. */
bool tokenizer_decode(const tokenizer_t *tokenizer, const uint32_t *ids, size_t count,
                      buffer_t *out);

#endif
