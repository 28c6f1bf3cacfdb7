/* pack.h - the msgpack encoding of everything in the store (wraps msgpack-c).
 *
 * A stored value is one msgpack array whose first element is its version. Writers append elements
 * in order; readers take them in the same order. Floats in bulk travel as one binary of
 * little-endian float32. A reader never reads past its bytes and never trusts a count: any mismatch
 * makes the reader fail for good, and every later read returns a zero value, so that a decoder
 * checks once, at its end, with pack_reader_close(). Arrays nest at most 32 deep; maps and
 * extensions are refused.
 *
 * Writers abort if the buffer's maximum is passed, or an item has more than 2^32 - 1 bytes
 * or elements (bugs).
 */
#ifndef GLIA_BASE_PACK_H
#define GLIA_BASE_PACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/buffer.h"
#include "core/base/hash.h"

void pack_array(buffer_t *out, size_t count); /* the next `count` items are its elements */
void pack_integer(buffer_t *out, int64_t value);
void pack_number(buffer_t *out, double value);
void pack_boolean(buffer_t *out, bool value);
void pack_string(buffer_t *out, const char *bytes, size_t length);
void pack_text(buffer_t *out, const char *text); /* NULL packs nil */
void pack_binary(buffer_t *out, const void *bytes, size_t length);
void pack_hash(buffer_t *out, hash_t hash); /* binary of 16 */
void pack_floats(buffer_t *out, const float *values, size_t count);

typedef struct pack_reader pack_reader_t;
/* The bytes are borrowed and must outlive the reader. Never NULL. */
pack_reader_t *pack_reader_open(const void *bytes, size_t length);
size_t pack_read_array(pack_reader_t *reader); /* element count (<= remaining bytes); descends */
int64_t pack_read_integer(pack_reader_t *reader);
double pack_read_number(pack_reader_t *reader); /* integers are taken too */
bool pack_read_boolean(pack_reader_t *reader);
/* Borrowed bytes (not terminated), "" with length 0 on failure or nil. */
const char *pack_read_string(pack_reader_t *reader, size_t *length);
char *pack_read_text(pack_reader_t *reader); /* owned copy; NULL for nil or failure */
const void *pack_read_binary(pack_reader_t *reader, size_t *length);
hash_t pack_read_hash(pack_reader_t *reader);
float *pack_read_floats(pack_reader_t *reader, size_t *count); /* owned; NULL if count is 0 */
bool pack_reader_failed(const pack_reader_t *reader);
/* Releases. True if no read failed, the outermost array was read to its end and no
 * byte follows it. */
bool pack_reader_close(pack_reader_t *reader);

#endif
