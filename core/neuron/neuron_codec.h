/* neuron_codec.h - the canonical msgpack form of a neuron record, as stored; its hash is the
 * record's identity. */
#ifndef GLIA_NEURON_NEURON_CODEC_H
#define GLIA_NEURON_NEURON_CODEC_H

#include "core/base/buffer.h"
#include "core/base/error.h"
#include "core/base/hash.h"
#include "core/neuron/neuron.h"

/* Appends the encoding. Two records are equal in every member exactly if their bytes are. */
void neuron_codec_encode(const neuron_record_t *neuron, buffer_t *out);
/* The caller frees the result with neuron_record_free; NULL with a FATAL error on bytes that no
 * encoder wrote (fuzzed). */
neuron_record_t *neuron_codec_decode(const void *bytes, size_t length, error_info_t *error);
hash_t neuron_codec_hash(const neuron_record_t *neuron);

#endif
