/* corpus_sample.h - which windows of a token sequence become excerpts; private to corpus*.c. */
#ifndef GLIA_SUBJECT_CORPUS_SAMPLE_H
#define GLIA_SUBJECT_CORPUS_SAMPLE_H

#include "core/subject/corpus.h"

typedef struct corpus_sample corpus_sample_t;

corpus_sample_t *corpus_sample_create(const corpus_options_t *options);
void corpus_sample_free(corpus_sample_t *sample); /* NULL is fine */
/* The next tokens of the sequence. */
void corpus_sample_add(corpus_sample_t *sample, const uint32_t *tokens, size_t count);
/* Nothing that follows can change the result. */
bool corpus_sample_is_done(const corpus_sample_t *sample);
uint64_t corpus_sample_tokens(const corpus_sample_t *sample);
uint64_t corpus_sample_windows(const corpus_sample_t *sample);
/* Fills in count, length, tokens, windows, corpus_tokens, corpus_windows and identity. */
void corpus_sample_finish(corpus_sample_t *sample, excerpts_t *excerpts);

#endif
