/* mind.h - what the stand-in thinks of a prompt: explains marked tokens, simulates an explanation,
 * embeds. Pure: the same prompt, temperature and seed give the same answer. May be used by many
 * threads at once. */
#ifndef GLIA_STANDIN_MIND_H
#define GLIA_STANDIN_MIND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/buffer.h"
#include "core/base/error.h"
#include "core/llm/message.h"

typedef struct standin_mind standin_mind_t;

/* A place in a text where a value from 0 to 10 stands or is to stand: in its alternatives the model
 * spreads its belief over "0".."10" with mean `score`. */
typedef struct {
    size_t offset; /* bytes before it */
    double score;
} standin_spot_t;

/* A text and its spots in order of offset. */
typedef struct {
    buffer_t text;
    standin_spot_t *spots; /* owned */
    size_t spot_count;
} standin_thought_t;

/* `lexicon` is the text of lexicon.txt. Errors (CONFIG) name the line. */
standin_mind_t *standin_mind_create(const char *lexicon, size_t length, error_info_t *error);
void standin_mind_free(standin_mind_t *mind);

/* Answers a conversation: an explanation of the marked records in its last user message, or the
 * simulated values of the records there, or a word about what the stand-in can do. The caller
 * clears *thought. */
void standin_mind_answer(const standin_mind_t *mind, const message_list_t *messages,
                         double temperature, uint64_t seed, standin_thought_t *thought);
/* Finds the spots of a prompt itself: every "unknown" behind a tab in its record blocks.
 * Leaves `text` empty. */
void standin_mind_echo(const standin_mind_t *mind, const char *prompt, size_t length,
                       standin_thought_t *thought);
/* Writes a unit vector [dimensions]. */
void standin_mind_embed(const standin_mind_t *mind, const char *text, size_t length,
                        size_t dimensions, float *vector);
void standin_thought_clear(standin_thought_t *thought);

enum { STANDIN_VALUES = 11 };
/* The belief behind a score: probabilities of 0..10, sum 1, mean `score`, peaked at it. */
void standin_belief(double score, double probabilities[STANDIN_VALUES]);

#endif
