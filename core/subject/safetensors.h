/* safetensors.h - tensors in safetensors files: model.safetensors, or shards that
 * model.safetensors.index.json lists.
 *
 * A file is an 8-byte little-endian length, a JSON header of that length ("name": {"dtype",
 * "shape", "data_offsets"}), and the data. The bytes are untrusted: the header is at most
 * SAFETENSORS_MAX_HEADER long; every tensor's dtype is known, its shape times the width of the
 * dtype is the length of its data, its data lies in the file, no two share a byte, none is left
 * over, and no name comes twice. What the numbers mean is the caller's to check. Nothing is copied:
 * tensors point into the files, which must stay open.
 */
#ifndef GLIA_SUBJECT_SAFETENSORS_H
#define GLIA_SUBJECT_SAFETENSORS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/error.h"
#include "core/subject/subject_files.h"

enum {
    SAFETENSORS_MAX_HEADER = 8 << 20, /* bytes, of a header and of an index; GPT-2 XL has 60 kB */
    SAFETENSORS_MAX_RANK = 8,
    SAFETENSORS_MAX_NAME = 256,
};

/* Those that a weight can have, and all others: legal in a file (masks are often U8),
 * of no use here. */
typedef enum {
    SAFETENSORS_F32,
    SAFETENSORS_F16,
    SAFETENSORS_BF16,
    SAFETENSORS_OTHER
} safetensors_dtype_t;

typedef struct {
    char *name; /* as in the file; printable, at most SAFETENSORS_MAX_NAME bytes */
    char *file; /* of subject_files_get() */
    safetensors_dtype_t dtype;
    char dtype_name[12];
    size_t rank;
    size_t shape[SAFETENSORS_MAX_RANK];
    size_t count;        /* elements: the product of the shape */
    const uint8_t *data; /* little-endian, of any alignment */
    size_t size;         /* bytes */
} safetensors_tensor_t;

typedef struct safetensors safetensors_t;

/* Reads the headers of model.safetensors or, where there is no such file, of the shards in its
 * index. Blocks. Errors (CONFIG) name the file and the tensor. */
safetensors_t *safetensors_open(subject_files_t *files, error_info_t *error);
/* One file in memory; `name` is used in messages. Bytes of any alignment. */
safetensors_t *safetensors_parse(const uint8_t *bytes, size_t length, const char *name,
                                 error_info_t *error);
void safetensors_close(safetensors_t *tensors); /* NULL is allowed; the files stay open */

size_t safetensors_count(const safetensors_t *tensors);
/* sorted by name */
const safetensors_tensor_t *safetensors_at(const safetensors_t *tensors, size_t index);
/* NULL: not there */
const safetensors_tensor_t *safetensors_find(const safetensors_t *tensors, const char *name);

/* The elements as float32 where they lie, if they are F32 and aligned; else NULL. */
const float *safetensors_in_place(const safetensors_tensor_t *tensor);
/* Converts all elements (exactly: every F16 and BF16 is a float32) to `out` [count]. F32,
 * F16, BF16 only. */
void safetensors_convert(const safetensors_tensor_t *tensor, float *out);

#endif
