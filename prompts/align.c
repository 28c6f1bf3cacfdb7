/* align.c - where the tokens of an answer's logprobs stand in its text. */
#include "prompts/align.h"

#include <stdint.h>
#include <string.h>

#include "core/base/text.h"

enum {
    MAX_SPECIAL = 8,         /* begin or end markers that are not in the text */
    MAX_CHARACTER_BYTES = 4, /* of UTF-8 */
};

static bool matches(const llm_answer_t *answer, const llm_token_t *token, size_t at) {
    return token->length <= answer->text_length - at &&
           memcmp(answer->text + at, token->bytes, token->length) == 0;
}

static bool contains(const llm_token_t *token, const char *bytes) {
    size_t length = strlen(bytes);
    for (size_t i = 0; i + length <= token->length; i++)
        if (memcmp(token->bytes + i, bytes, length) == 0)
            return true;
    return false;
}

/* Shows half a character in one of the ways that servers have. */
static bool is_partial(const llm_token_t *token) {
    return text_utf8_valid_prefix(token->bytes, token->length) < token->length ||
           contains(token, "\xEF\xBF\xBD") ||
           (token->length > 8 && memcmp(token->bytes, "bytes:\\x", 8) == 0);
}

/* --- by offsets ------------------------------------------------------------------------------- */

/* The byte positions of the offsets, which count characters; false if they go back
 * or past the end. */
static bool convert_offsets(const llm_answer_t *answer, size_t *starts) {
    size_t at = 0;
    int64_t characters = 0;
    for (size_t i = 0; i < answer->token_count; i++) {
        uint32_t character;
        while (characters < answer->tokens[i].text_offset && at < answer->text_length) {
            size_t size = text_utf8_decode(answer->text + at, answer->text_length - at, &character);
            at += size > 0 ? size : 1;
            characters++;
        }
        if (characters != answer->tokens[i].text_offset)
            return false;
        starts[i] = at;
    }
    starts[answer->token_count] = answer->text_length;
    return true;
}

static bool align_by_offsets(const llm_answer_t *answer, size_t *starts) {
    if (!convert_offsets(answer, starts))
        return false;
    for (size_t i = 0; i < answer->token_count; i++) {
        const llm_token_t *token = &answer->tokens[i];
        bool whole =
            matches(answer, token, starts[i]) && starts[i] + token->length == starts[i + 1];
        if (!whole && !is_partial(token))
            return false;
    }
    return true;
}

/* --- one after the other ---------------------------------------------------------------------- */

/* Where tokens[next] and the one after it both stand, at most `reach` bytes from `at`;
 * SIZE_MAX: nowhere. */
static size_t find_again(const llm_answer_t *answer, size_t next, size_t at, size_t reach) {
    if (next == answer->token_count)
        return answer->text_length - at <= reach ? answer->text_length : SIZE_MAX;
    const llm_token_t *first = &answer->tokens[next];
    for (size_t end = at + reach; at <= end && at <= answer->text_length; at++) {
        if (!matches(answer, first, at))
            continue;
        const llm_token_t *second = next + 1 < answer->token_count ? first + 1 : NULL;
        if (!second || is_partial(second) || matches(answer, second, at + first->length))
            return at;
    }
    return SIZE_MAX;
}

/* Takes the run of partial tokens at *index together: the last one covers all that
 * the run covers. */
static bool skip_partial(const llm_answer_t *answer, size_t *index, size_t *at, size_t *starts) {
    size_t reach = 0, next = *index;
    for (; next < answer->token_count && is_partial(&answer->tokens[next]); next++) {
        reach += answer->tokens[next].length + MAX_CHARACTER_BYTES;
        starts[next] = *at;
    }
    size_t found = next > *index ? find_again(answer, next, *at, reach) : SIZE_MAX;
    if (found == SIZE_MAX)
        return false;
    *index = next;
    *at = found;
    return true;
}

/* How many tokens at the front are markers that the text does not have. */
static size_t skip_special(const llm_answer_t *answer, size_t *starts) {
    size_t index = 0;
    while (index < answer->token_count && index < MAX_SPECIAL &&
           !matches(answer, &answer->tokens[index], 0) && !is_partial(&answer->tokens[index]))
        starts[index++] = 0;
    return index;
}

static bool align_in_turn(const llm_answer_t *answer, size_t *starts, size_t *failed) {
    size_t at = 0, index = skip_special(answer, starts);
    while (index < answer->token_count && at < answer->text_length) {
        *failed = index;
        if (matches(answer, &answer->tokens[index], at)) {
            starts[index] = at;
            at += answer->tokens[index++].length;
        } else if (!skip_partial(answer, &index, &at, starts)) {
            return false;
        }
    }
    *failed = index;
    if (at < answer->text_length || answer->token_count - index > MAX_SPECIAL)
        return false;
    for (; index <= answer->token_count; index++)
        starts[index] = answer->text_length;
    return true;
}

bool align_tokens(const llm_answer_t *answer, size_t *starts, error_info_t *error) {
    size_t failed = 0;
    if (align_by_offsets(answer, starts) || align_in_turn(answer, starts, &failed))
        return true;
    return error_set(error, ERROR_FATAL,
                     "the logprobs do not line up with the text at token %zu of %zu", failed,
                     answer->token_count);
}
