/* frame.h - compressed bytes in the store: one zstd frame with its content's size and a
 * checksum (wraps zstd).
 *
 * With FRAME_RESPONSES the frame refers to store/response_dictionary.txt, the first version of
 * which is never to change: bodies that were packed with it cannot be read without it. A better
 * dictionary becomes a further row here, and gets the next number.
 */
#ifndef GLIA_STORE_FRAME_H
#define GLIA_STORE_FRAME_H

#include <stdbool.h>
#include <stddef.h>

#include "core/base/buffer.h"

/* Numbers are stored. */
typedef enum { FRAME_PLAIN = 0, FRAME_RESPONSES = 1 } frame_dictionary_t;

/* Appends the frame of `size` bytes to `out`. The same bytes give the same frame. */
void frame_pack(const void *bytes, size_t size, frame_dictionary_t dictionary, buffer_t *out);

/* Appends the content to `out`. False, with `out` as it was: no whole and undamaged frame, one made
 * with another dictionary, a content over `maximum` bytes or over what `out` may hold. */
bool frame_unpack(const void *frame, size_t size, frame_dictionary_t dictionary, size_t maximum,
                  buffer_t *out);
/* The size of the content as the frame states it; false: no frame. */
bool frame_content_size(const void *frame, size_t size, size_t *content);

#endif
