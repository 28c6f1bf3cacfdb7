/* tokenizer.c - the stand-in's own pieces of text. */
#include "tools/standin/tokenizer.h"

#include <stdbool.h>
#include <string.h>

#include "core/base/memory.h"

enum { WHOLE_WORD = 8, WORD_PIECE = 6, DIGITS = 3, SAME_MARK = 4, SPACES = 8 };

static bool is_letter(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (unsigned char)c >= 0x80;
}

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

static bool is_break(char c) {
    return c == '\t' || c == '\n' || c == '\r';
}

/* Whether a byte continues a UTF-8 character. */
static bool is_inner_byte(char c) {
    return ((unsigned char)c & 0xC0) == 0x80;
}

/* Bytes of the next piece of a word: all of it, or WORD_PIECE characters of a long one. */
static size_t letters_length(const char *at, size_t left) {
    size_t characters = 0, piece = 0, i = 0;
    for (; i < left && is_letter(at[i]); i++) {
        if (is_inner_byte(at[i]) && i > 0)
            continue;
        if (characters == WORD_PIECE)
            piece = i;
        characters++;
        if (characters > WHOLE_WORD)
            return piece;
    }
    return i;
}

static size_t contraction_length(const char *at, size_t left) {
    static const char *const endings[] = {"'re", "'ve", "'ll", "'s", "'t", "'m", "'d"};
    for (size_t i = 0; i < sizeof endings / sizeof endings[0]; i++) {
        size_t length = strlen(endings[i]);
        if (left >= length && memcmp(at, endings[i], length) == 0 &&
            (left == length || !is_letter(at[length])))
            return length;
    }
    return 0;
}

static size_t piece_length(const char *at, size_t left) {
    if (is_letter(at[0]))
        return letters_length(at, left);
    size_t length = contraction_length(at, left);
    if (length > 0)
        return length;
    bool digit = is_digit(at[0]);
    for (length = 1; length < left && length < (digit ? (size_t)DIGITS : (size_t)SAME_MARK);
         length++)
        if (digit ? !is_digit(at[length]) : at[length] != at[0])
            break;
    return length;
}

static size_t next_length(const char *at, size_t left) {
    if (is_break(at[0]))
        return 1;
    size_t spaces = 0;
    while (spaces < left && spaces < SPACES && at[spaces] == ' ')
        spaces++;
    if (spaces == left || spaces == SPACES)
        return spaces;
    if (spaces > 0 && is_break(at[spaces]))
        return spaces;
    if (spaces > 1)
        return spaces - 1;
    return spaces + piece_length(at + spaces, left - spaces);
}

standin_token_t *standin_tokenize(const char *text, size_t length, size_t *count) {
    standin_token_t *tokens = NULL;
    size_t capacity = 0, characters = 0;
    *count = 0;
    for (size_t offset = 0; offset < length;) {
        size_t piece = next_length(text + offset, length - offset);
        if (*count == capacity) {
            capacity = capacity ? 2 * capacity : length / 4 + 16;
            tokens = memory_resize(tokens, capacity, sizeof *tokens);
        }
        tokens[(*count)++] = (standin_token_t){.bytes = text + offset,
                                               .length = piece,
                                               .offset = offset,
                                               .character_offset = characters};
        for (size_t i = offset; i < offset + piece; i++)
            characters += !is_inner_byte(text[i]);
        offset += piece;
    }
    return tokens;
}

size_t standin_token_count(const char *text, size_t length) {
    size_t count = 0;
    for (size_t offset = 0; offset < length; count++)
        offset += next_length(text + offset, length - offset);
    return count;
}
