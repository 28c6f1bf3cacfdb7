/* corpus_stream.h - the bytes of a file, unpacked: plain, gzip, zstd, standard input or memory
 * (wraps zlib and zstd).
 *
 * A name that ends in .gz or .zst says what is in it; for standard input the first bytes do.
 * Several gzip members or zstd frames one behind the other are one text. Memory is a chunk and the
 * window of the packer, 128 MiB at most.
 */
#ifndef GLIA_SUBJECT_CORPUS_STREAM_H
#define GLIA_SUBJECT_CORPUS_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/error.h"

typedef struct corpus_stream corpus_stream_t;

/* "-" is standard input. The caller owns the result. Errors (CONFIG): no such file, a
 * directory, not readable. */
corpus_stream_t *corpus_stream_open(const char *path, error_info_t *error);
/* bytes [length] stay the caller's and must outlive the result; `name` as a path. Never NULL. */
corpus_stream_t *corpus_stream_open_memory(const char *name, const uint8_t *bytes, size_t length);
void corpus_stream_close(corpus_stream_t *stream); /* NULL is fine */

/* Up to `room` >= 1 unpacked bytes into out; *got 0: the end. Blocks. Errors (CONFIG): not
 * readable, damaged, cut short; each names the path. */
bool corpus_stream_read(corpus_stream_t *stream, char *out, size_t room, size_t *got,
                        error_info_t *error);
/* Bytes of the file that were read so far, as they are packed. */
uint64_t corpus_stream_position(const corpus_stream_t *stream);

#endif
