/* simulate.h - predicts from an explanation where a neuron reacts. Pure. */
#ifndef GLIA_STANDIN_SIMULATE_H
#define GLIA_STANDIN_SIMULATE_H

#include <stdbool.h>
#include <stddef.h>

#include "tools/standin/lexicon.h"
#include "tools/standin/passage.h"

/* What an explanation says, as far as the stand-in understands it. */
typedef struct standin_meaning standin_meaning_t;

standin_meaning_t *standin_meaning_read(const standin_lexicon_t *lexicon, const char *explanation,
                                        size_t length);
void standin_meaning_free(standin_meaning_t *meaning);
/* Whether it is about a class of words, before anything else. */
bool standin_meaning_has_class(const standin_meaning_t *meaning, size_t class_);
/* 0..10 for a piece of the passage. */
double standin_meaning_score(const standin_meaning_t *meaning, const standin_passage_t *passage,
                             size_t piece);

#endif
