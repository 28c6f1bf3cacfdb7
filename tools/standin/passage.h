/* passage.h - a record as the stand-in sees it: pieces (tokens) that make up units (words, numbers,
 * punctuation). Pure.
 */
#ifndef GLIA_STANDIN_PASSAGE_H
#define GLIA_STANDIN_PASSAGE_H

#include <stdbool.h>
#include <stddef.h>

#include "tools/standin/lexicon.h"

typedef struct {
    const char *bytes; /* borrowed from the prompt */
    size_t length;
    double mark;         /* 0: the neuron is silent, up to 1 */
    bool unknown;        /* its value is to be predicted */
    size_t value_offset; /* of its value in the prompt; 0 if it has none */
    size_t unit;         /* which one it belongs to */
} standin_piece_t;

typedef enum { UNIT_WORD, UNIT_NUMBER, UNIT_MARK, UNIT_BREAK } standin_unit_kind_t;

typedef struct {
    /* owned, lower case: letters and digits of a word, all characters of a mark but spaces */
    char *word;
    size_t length;
    uint64_t hash; /* of word */
    char stem[STEM_SIZE];
    standin_unit_kind_t kind;
    standin_classes_t classes;
    double mark; /* the highest of its pieces */
    size_t first_piece, piece_count;
    size_t order;          /* 0: first word of its sentence, 1: second, ... */
    bool capital, shouted; /* first letter, all (of at least two) letters are capitals */
    bool contraction;      /* 's, 're and the like */
    bool closes_sentence;  /* last word before . ! or ? */
    bool in_quotes, near_quotes, in_parentheses;
} standin_unit_t;

typedef struct {
    standin_piece_t *pieces;
    size_t piece_count, piece_capacity;
    standin_unit_t *units;
    size_t unit_count;
    double marked; /* sum of the units' marks */
} standin_passage_t;

/* Adds a piece; `value_offset` and `unknown` may be set in the result. */
standin_piece_t *standin_passage_add(standin_passage_t *passage, const char *bytes, size_t length,
                                     double mark);
/* Adds plain text without marks, cut by the tokenizer. */
void standin_passage_add_text(standin_passage_t *passage, const char *bytes, size_t length);
/* Makes the units once all pieces are there. `join`: pieces that touch make up one word; else
 * each is read alone. */
void standin_passage_finish(standin_passage_t *passage, const standin_lexicon_t *lexicon,
                            bool join);
void standin_passage_clear(standin_passage_t *passage);

#endif
