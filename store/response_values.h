/* response_values.h - the forms of the values of RESPONSES and EMBED_LINKS, under responses.c and
 * request_index.c. For the decoders see also values.h.
 */
#ifndef GLIA_STORE_RESPONSE_VALUES_H
#define GLIA_STORE_RESPONSE_VALUES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/buffer.h"
#include "core/base/hash.h"
#include "store/frame.h"

enum { RESPONSE_BODY_MAXIMUM = 1 << 30, EMBED_LINK_SIZE = 12 };

typedef struct {
    hash_t request;
    uint64_t attempt;
    size_t body_size;
    frame_dictionary_t dictionary;
    bool trimmed;
    const void *frame; /* borrowed */
    size_t frame_size;
} response_record_t;

void response_encode(const response_record_t *record, buffer_t *out);
bool response_decode(const void *bytes, size_t size, response_record_t *record);
/* Appends the body; false if it is trimmed or damaged. */
bool response_unpack(const response_record_t *record, buffer_t *body);
bool embed_link_decode(const void *bytes, size_t size, uint64_t *response, uint32_t *index);

#endif
