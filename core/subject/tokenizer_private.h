/* tokenizer_private.h - what tokenizer.c (encoding) and tokenizer_load.c (files) share. */
#ifndef GLIA_SUBJECT_TOKENIZER_PRIVATE_H
#define GLIA_SUBJECT_TOKENIZER_PRIVATE_H

#include "core/subject/bpe.h"
#include "core/subject/tokenizer.h"

struct tokenizer {
    size_t size;
    char *bytes;      /* of all tokens, each followed by a NUL */
    uint32_t *starts; /* [size + 1], into `bytes` */
    uint32_t byte_ids[256];
    bool has_end_of_text;
    uint32_t end_of_text;
    bpe_t *bpe;
    hash_t identity;
    void *pattern; /* pcre2_code */
};

/* Compiles GPT-2's pattern. */
bool tokenizer_prepare_pattern(tokenizer_t *tokenizer, error_info_t *error);
/* As tokenizer_encode; *steps: bpe_work_t.steps, for tests that bound the work. */
bool tokenizer_encode_counted(const tokenizer_t *tokenizer, const char *text, size_t length,
                              token_list_t *out, uint64_t *steps, error_info_t *error);

#endif
