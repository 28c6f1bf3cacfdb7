/* recordings_private.h - the values of RECORDINGS, PIECES and EXCERPTS; see values.h. */
#ifndef GLIA_STORE_RECORDINGS_PRIVATE_H
#define GLIA_STORE_RECORDINGS_PRIVATE_H

#include "store/recordings.h"

enum { PIECE_KEY_SIZE = HASH_SIZE + 5, EXCERPT_KEY_SIZE = HASH_SIZE + 4 };
/* owned: recording_clear */
bool recording_decode(const void *bytes, size_t size, recording_t *recording);
/* owned likewise */
bool recording_progress_decode(const void *bytes, size_t size, recording_progress_t *progress);
/* tokens: [*count], owned, with their bytes: excerpt_tokens_free. */
bool excerpt_decode(const void *bytes, size_t size, token_t **tokens, size_t *count);

#endif
