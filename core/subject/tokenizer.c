/* tokenizer.c - text to token ids: GPT-2's pre-tokens (wraps PCRE2), then byte pair encoding. */
#define PCRE2_CODE_UNIT_WIDTH 8

#include "core/subject/tokenizer.h"

#include <pcre2.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/memory.h"
#include "core/base/text.h"
#include "core/subject/tokenizer_private.h"

/* The Unicode property White_Space, written out: PCRE2's own \s has U+180E too, which is none
 * since Unicode 6.3. */
#define SPACE                                                                                   \
    "\\x{9}-\\x{d}\\x{20}\\x{85}\\x{a0}\\x{1680}\\x{2000}-\\x{200a}\\x{2028}\\x{2029}\\x{202f}" \
    "\\x{205f}\\x{3000}"
static const char PATTERN[] = "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^" SPACE
                              "\\p{L}\\p{N}]+|[" SPACE "]+(?![^" SPACE "])|[" SPACE "]+";

/* What may stand behind a pre-token and have a say in its end: one character of at most 4 bytes
 * (the rest of a contraction and a space with the character behind it are no longer). */
enum { LOOKAHEAD = 4 };

bool tokenizer_prepare_pattern(tokenizer_t *tokenizer, error_info_t *error) {
    int code;
    PCRE2_SIZE offset;
    pcre2_code *pattern = pcre2_compile((PCRE2_SPTR)PATTERN, PCRE2_ZERO_TERMINATED,
                                        PCRE2_UTF | PCRE2_ANCHORED, &code, &offset, NULL);
    if (!pattern)
        return error_set(error, ERROR_BUG,
                         "PCRE2 refuses the tokenizer's pattern (error %d at %zu)", code, offset);
    /* Where there is no JIT compiler, PCRE2 interprets. */
    (void)pcre2_jit_compile(pattern, PCRE2_JIT_COMPLETE);
    tokenizer->pattern = pattern;
    return true;
}

void tokenizer_free(tokenizer_t *tokenizer) {
    if (!tokenizer)
        return;
    pcre2_code_free(tokenizer->pattern);
    bpe_free(tokenizer->bpe);
    free(tokenizer->bytes);
    free(tokenizer->starts);
    free(tokenizer);
}

/* --- what is known of tokens ------------------------------------------------------------------ */

size_t tokenizer_size(const tokenizer_t *tokenizer) {
    return tokenizer->size;
}

bool tokenizer_end_of_text(const tokenizer_t *tokenizer, uint32_t *id) {
    if (tokenizer->has_end_of_text)
        *id = tokenizer->end_of_text;
    return tokenizer->has_end_of_text;
}

const char *tokenizer_token(const tokenizer_t *tokenizer, uint32_t id, size_t *length) {
    *length = tokenizer->starts[id + 1] - tokenizer->starts[id] - 1;
    return tokenizer->bytes + tokenizer->starts[id];
}

hash_t tokenizer_identity(const tokenizer_t *tokenizer) {
    return tokenizer->identity;
}

bool tokenizer_decode(const tokenizer_t *tokenizer, const uint32_t *ids, size_t count,
                      buffer_t *out) {
    size_t before = out->length;
    for (size_t i = 0; i < count; i++) {
        size_t length;
        const char *bytes = tokenizer_token(tokenizer, ids[i], &length);
        if (!buffer_append(out, bytes, length)) {
            out->length = before;
            if (out->data)
                out->data[before] = '\0';
            return false;
        }
    }
    return true;
}

/* --- lists ------------------------------------------------------------------------------------ */

static void reserve(token_list_t *list, size_t more) {
    if (list->capacity - list->count >= more)
        return;
    size_t capacity = list->capacity ? list->capacity : 64;
    while (capacity - list->count < more)
        capacity *= 2;
    list->ids = memory_resize(list->ids, capacity, sizeof *list->ids);
    list->capacity = capacity;
}

void token_list_add(token_list_t *list, uint32_t id) {
    reserve(list, 1);
    list->ids[list->count++] = id;
}

void token_list_clear(token_list_t *list) {
    free(list->ids);
    *list = (token_list_t){0};
}

/* --- encoding --------------------------------------------------------------------------------- */

typedef struct {
    const tokenizer_t *tokenizer;
    pcre2_match_data *match;
    bpe_work_t work;
    token_list_t *out;
    size_t limit; /* a pre-token that ends behind it is left alone, and all that follows */
} encoder_t;

static void encode_pre_token(encoder_t *encoder, const char *bytes, size_t length) {
    token_list_t *out = encoder->out;
    reserve(out, length);
    uint32_t *ids = out->ids + out->count;
    for (size_t i = 0; i < length; i++)
        ids[i] = encoder->tokenizer->byte_ids[(unsigned char)bytes[i]];
    out->count += bpe_merge(encoder->tokenizer->bpe, &encoder->work, ids, length);
}

/* text[*at, end) is UTF-8, and alone. Leaves *at before the first pre-token that passes the limit,
 * else at the end. */
static bool encode_valid(encoder_t *encoder, const char *text, size_t *at, size_t end,
                         error_info_t *error) {
    while (*at < end) {
        int found = pcre2_match(encoder->tokenizer->pattern, (PCRE2_SPTR)text, end, *at,
                                PCRE2_NO_UTF_CHECK, encoder->match, NULL);
        size_t stop = found > 0 ? pcre2_get_ovector_pointer(encoder->match)[1] : 0;
        if (stop <= *at)
            return error_set(error, ERROR_BUG, "PCRE2 failed on a text at byte %zu (error %d)", *at,
                             found);
        if (stop > encoder->limit)
            return true;
        encode_pre_token(encoder, text + *at, stop - *at);
        *at = stop;
    }
    return true;
}

static size_t invalid_run(const char *bytes, size_t length) {
    uint32_t character;
    size_t run = 0;
    while (run < length && text_utf8_decode(bytes + run, length - run, &character) == 0)
        run++;
    return run;
}

static bool encode_all(encoder_t *encoder, const char *text, size_t length, size_t *taken,
                       error_info_t *error) {
    size_t at = 0;
    for (;;) {
        size_t valid = at + text_utf8_valid_prefix(text + at, length - at);
        if (!encode_valid(encoder, text, &at, valid, error))
            return false;
        size_t run = at == valid ? invalid_run(text + at, length - at) : 0;
        if (run == 0 || at + run > encoder->limit)
            break;
        encode_pre_token(encoder, text + at, run);
        at += run;
    }
    *taken = at;
    return true;
}

static bool encode(const tokenizer_t *tokenizer, const char *text, size_t length, size_t limit,
                   token_list_t *out, size_t *taken, uint64_t *steps, error_info_t *error) {
    if (steps)
        *steps = 0;
    *taken = 0;
    if (length > INT32_MAX)
        return error_set(error, ERROR_CONFIG,
                         "a text of %zu bytes is too long to be encoded at once (2 GiB)", length);
    if (length == 0)
        return true;
    encoder_t encoder = {.tokenizer = tokenizer, .out = out, .limit = limit};
    encoder.match = pcre2_match_data_create(1, NULL);
    if (!encoder.match)
        return error_set(error, ERROR_RETRYABLE, "no memory for PCRE2");
    size_t before = out->count;
    bool good = encode_all(&encoder, text, length, taken, error);
    if (!good)
        out->count = before;
    if (steps)
        *steps = encoder.work.steps;
    pcre2_match_data_free(encoder.match);
    bpe_work_clear(&encoder.work);
    return good;
}

bool tokenizer_encode(const tokenizer_t *tokenizer, const char *text, size_t length,
                      token_list_t *out, error_info_t *error) {
    size_t taken;
    return encode(tokenizer, text, length, length, out, &taken, NULL, error);
}

bool tokenizer_encode_front(const tokenizer_t *tokenizer, const char *text, size_t length,
                            token_list_t *out, size_t *taken, error_info_t *error) {
    return encode(tokenizer, text, length, length > LOOKAHEAD ? length - LOOKAHEAD : 0, out, taken,
                  NULL, error);
}

bool tokenizer_encode_counted(const tokenizer_t *tokenizer, const char *text, size_t length,
                              token_list_t *out, uint64_t *steps, error_info_t *error) {
    size_t taken;
    return encode(tokenizer, text, length, length, out, &taken, steps, error);
}
