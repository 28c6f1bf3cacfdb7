/* raw_gzip.h - gzip of a run of one letter, made by hand, so that tests can compress
 * 1000:1 without zlib. */
#ifndef GLIA_TEST_RAW_GZIP_H
#define GLIA_TEST_RAW_GZIP_H

#include <stddef.h>

#include "core/base/buffer.h"

/* Appends a gzip member (RFC 1952) that decodes to `size` times 'a'. */
void raw_gzip_append(buffer_t *out, size_t size);

#endif
