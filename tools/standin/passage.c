/* passage.c - joins pieces into units and finds out where these stand. */
#include "tools/standin/passage.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/hash.h"
#include "core/base/memory.h"
#include "tools/standin/tokenizer.h"

enum { NEAR = 3 };

static bool is_letter(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (unsigned char)c >= 0x80;
}

static bool is_capital(char c) {
    return c >= 'A' && c <= 'Z';
}

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

standin_piece_t *standin_passage_add(standin_passage_t *passage, const char *bytes, size_t length,
                                     double mark) {
    if (passage->piece_count == passage->piece_capacity) {
        passage->piece_capacity = passage->piece_capacity ? 2 * passage->piece_capacity : 64;
        passage->pieces =
            memory_resize(passage->pieces, passage->piece_capacity, sizeof *passage->pieces);
    }
    standin_piece_t *piece = &passage->pieces[passage->piece_count++];
    *piece = (standin_piece_t){.bytes = bytes, .length = length, .mark = mark};
    return piece;
}

void standin_passage_add_text(standin_passage_t *passage, const char *bytes, size_t length) {
    size_t count;
    standin_token_t *tokens = standin_tokenize(bytes, length, &count);
    for (size_t i = 0; i < count; i++)
        standin_passage_add(passage, tokens[i].bytes, tokens[i].length, 0);
    free(tokens);
}

/* --- units --- */

static standin_unit_kind_t piece_kind(const standin_piece_t *piece) {
    bool digit = false, mark = false;
    for (size_t i = 0; i < piece->length; i++) {
        if (is_letter(piece->bytes[i]))
            return UNIT_WORD;
        digit = digit || is_digit(piece->bytes[i]);
        mark = mark || !strchr(" \t\r\n", piece->bytes[i]);
    }
    return digit ? UNIT_NUMBER : mark ? UNIT_MARK : UNIT_BREAK;
}

/* Whether a piece goes on with the word or number that ends before it. */
static bool continues(const standin_piece_t *before, const standin_piece_t *piece,
                      standin_unit_kind_t kind) {
    char last = before->bytes[before->length - 1], first = piece->bytes[0];
    if (kind == UNIT_WORD)
        return is_letter(last) && is_letter(first);
    return kind == UNIT_NUMBER && is_digit(last) && is_digit(first);
}

static standin_unit_t *add_unit(standin_passage_t *passage, standin_unit_kind_t kind,
                                size_t piece) {
    standin_unit_t *unit = &passage->units[passage->unit_count++];
    *unit = (standin_unit_t){.kind = kind, .first_piece = piece};
    return unit;
}

static bool kept(standin_unit_kind_t kind, char c, bool apostrophe) {
    if (kind == UNIT_WORD)
        return is_letter(c) || is_digit(c) || (apostrophe && c == '\'');
    if (kind == UNIT_NUMBER)
        return is_digit(c) || c == '.' || c == ',';
    return c != ' ';
}

/* Spells a unit out of its pieces. */
static void spell(standin_passage_t *passage, standin_unit_t *unit) {
    const standin_piece_t *first = &passage->pieces[unit->first_piece];
    buffer_t word = BUFFER_EMPTY;
    size_t capitals = 0, letters = 0;
    unit->contraction = unit->kind == UNIT_WORD && first->bytes[0] == '\'' && first->length <= 3;
    for (size_t i = 0; i < unit->piece_count; i++) {
        for (size_t j = 0; j < first[i].length; j++) {
            char c = first[i].bytes[j];
            if (!kept(unit->kind, c, unit->contraction))
                continue;
            if (is_letter(c) && letters++ == 0)
                unit->capital = is_capital(c);
            capitals += is_capital(c);
            buffer_append_char(&word, (char)(is_capital(c) ? c + ('a' - 'A') : c));
        }
        if (first[i].mark > unit->mark)
            unit->mark = first[i].mark;
    }
    unit->shouted = letters > 1 && capitals == letters;
    unit->length = word.length;
    unit->word = buffer_take(&word);
    unit->hash = hash_low64(hash_bytes(unit->word, unit->length));
    standin_stem(unit->word, unit->length, unit->stem);
}

static bool has(const standin_unit_t *unit, const char *any) {
    return unit->kind == UNIT_MARK && strpbrk(unit->word, any);
}

static bool is_quote(const standin_unit_t *unit) {
    return unit->kind == UNIT_MARK &&
           (strpbrk(unit->word, "\"") || strstr(unit->word, "\xe2\x80\x9c") ||
            strstr(unit->word, "\xe2\x80\x9d"));
}

/* A curly quote is made of bytes over 0x7F, which count as letters: a unit of nothing
 * else is a mark. */
static void demote_quotes(standin_unit_t *unit) {
    if (unit->kind == UNIT_WORD && unit->length >= 3 && strncmp(unit->word, "\xe2\x80", 2) == 0)
        unit->kind = UNIT_MARK;
}

static void place_units(standin_passage_t *passage) {
    size_t order = 0, quote = 0;
    bool in_quotes = false, quote_seen = false;
    int parentheses = 0;
    standin_unit_t *last_word = NULL;
    for (size_t i = 0; i < passage->unit_count; i++) {
        standin_unit_t *unit = &passage->units[i];
        if (is_quote(unit)) {
            in_quotes = !in_quotes;
            quote = i;
            quote_seen = true;
            for (size_t j = i > NEAR ? i - NEAR : 0; j < i; j++)
                passage->units[j].near_quotes = true;
        }
        parentheses += has(unit, "(") ? 1 : 0;
        unit->order = order;
        unit->in_quotes = in_quotes && !is_quote(unit);
        unit->near_quotes = quote_seen && i - quote <= NEAR;
        unit->in_parentheses = parentheses > 0 && unit->kind <= UNIT_NUMBER;
        parentheses -= has(unit, ")") && parentheses > 0 ? 1 : 0;
        if (has(unit, ".!?") && last_word)
            last_word->closes_sentence = true;
        if (has(unit, ".!?") ||
            (unit->kind == UNIT_BREAK && memchr(unit->word, '\n', unit->length))) {
            order = 0;
            last_word = NULL;
        } else if (unit->kind <= UNIT_NUMBER) {
            order += !unit->contraction;
            last_word = unit;
        }
    }
}

void standin_passage_finish(standin_passage_t *passage, const standin_lexicon_t *lexicon,
                            bool join) {
    passage->units = MEMORY_NEW_ARRAY(passage->piece_count + 1, standin_unit_t);
    standin_unit_t *unit = NULL;
    for (size_t i = 0; i < passage->piece_count; i++) {
        standin_piece_t *piece = &passage->pieces[i];
        standin_unit_kind_t kind = piece->length > 0 ? piece_kind(piece) : UNIT_BREAK;
        bool joined = join && unit && unit->kind == kind && piece->length > 0 &&
                      piece[-1].length > 0 && continues(&piece[-1], piece, kind);
        if (!joined)
            unit = add_unit(passage, kind, i);
        unit->piece_count++;
        piece->unit = passage->unit_count - 1;
    }
    for (size_t i = 0; i < passage->unit_count; i++) {
        unit = &passage->units[i];
        spell(passage, unit);
        demote_quotes(unit);
        unit->classes = standin_lexicon_look_up(lexicon, unit->word, unit->length);
        passage->marked += unit->mark;
    }
    place_units(passage);
}

void standin_passage_clear(standin_passage_t *passage) {
    for (size_t i = 0; i < passage->unit_count; i++)
        free(passage->units[i].word);
    free(passage->units);
    free(passage->pieces);
    *passage = (standin_passage_t){0};
}
