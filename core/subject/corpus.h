/* corpus.h - excerpts of a corpus: texts read, encoded, joined and cut into runs of
 * tokens of one length.
 *
 * The documents of a corpus are, in order of the paths: each text file; each line of a file of JSON
 * lines (.jsonl, .ndjson), its text field. Files may be packed (.gz, .zst). Empty ones are left
 * out. Their tokens, with <|endoftext|> between two documents, are one long sequence, cut into
 * windows 0, 1, 2 ... of `length` tokens; what is left at the end is dropped. Excerpts are windows.
 *
 * Memory: a chunk, or the longest pre-token or JSON line (at most CORPUS_MAX_TEXT bytes, times
 * about 60 while it is encoded), and the excerpts twice.
 */
#ifndef GLIA_SUBJECT_CORPUS_H
#define GLIA_SUBJECT_CORPUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/error.h"
#include "core/base/hash.h"
#include "core/subject/tokenizer.h"

/* The path of the corpus that is part of the program. */
#define CORPUS_EMBEDDED "corpus:"

enum {
    CORPUS_MAX_LENGTH = 1 << 16, /* tokens of an excerpt */
    CORPUS_MAX_TEXT =
        64 << 20 /* bytes of a JSON line; of a run of a text that no pre-token ends in */
};

typedef enum {
    CORPUS_BY_NAME, /* .jsonl and .ndjson are JSON lines, all else, and standard input, is text */
    CORPUS_TEXT,
    CORPUS_JSON_LINES
} corpus_format_t;

/* How far it is; what is pointed to is valid during the call. */
typedef struct {
    const char *path;                 /* of the file that is read */
    uint64_t bytes_read, bytes_total; /* of all files, as they are packed; total 0: not known */
    uint64_t documents, tokens, windows;
} corpus_progress_t;

typedef struct {
    size_t length;  /* tokens of an excerpt, 1 .. CORPUS_MAX_LENGTH */
    uint64_t count; /* how many at most, >= 1 */
    bool in_order;  /* the first windows; else a uniform sample of all, drawn with the seed */
    uint64_t seed;
    corpus_format_t format;
    const char *text_field; /* of a JSON line; NULL: "text" */
    /* Called every few hundred KB of text, in the caller's thread. False: stop. May be NULL. */
    bool (*progress)(void *context, const corpus_progress_t *progress);
    void *context;
} corpus_options_t;

typedef struct {
    size_t count, length; /* count: as many as were asked for, or all windows if there are fewer */
    uint32_t *tokens;     /* [count][length], in the order of the corpus */
    uint64_t *windows;    /* [count], ascending: which windows they are */
    /* what was read: in order, reading ends with the last excerpt */
    uint64_t documents, corpus_tokens, corpus_windows;
    hash_t identity; /* of count, length and tokens */
} excerpts_t;
void excerpts_clear(excerpts_t *excerpts);

/* Paths: files, directories (corpus_files.h), "-" for standard input, "corpus:". The sample is
 * the `count` windows with the smallest hashes of (seed, window number): it depends on the seed
 * and the number of windows only, and one pass finds it. The caller clears *excerpts after
 * success. Blocks as long as it takes; for an executor. Errors: CONFIG, each naming path and
 * line: what corpus_files.h and corpus_stream.h name; a line that is no JSON object, too long
 * or without the text field; a run of CORPUS_MAX_TEXT bytes without a break; no text at all;
 * less than one excerpt; several documents and a tokenizer without <|endoftext|>. RETRYABLE:
 * stopped by `progress`. */
bool corpus_draw(const char *const *paths, size_t path_count, const tokenizer_t *tokenizer,
                 const corpus_options_t *options, excerpts_t *excerpts, error_info_t *error);

#endif
