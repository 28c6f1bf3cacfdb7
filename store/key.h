/* key.h - integers in keys and in plain values: big-endian, so that byte order is number order.
 *
 * Signed integers have their sign bit turned over, for the same reason. All inline: a
 * few byte moves each.
 */
#ifndef GLIA_STORE_KEY_H
#define GLIA_STORE_KEY_H

#include <stddef.h>
#include <stdint.h>

enum { KEY_MAXIMUM = 511 }; /* LMDB's; a key has at least one byte */

/* Each writes its bytes at `out` and returns the byte after them. */
static inline uint8_t *key_put_u32(uint8_t *out, uint32_t value) {
    for (int shift = 24; shift >= 0; shift -= 8)
        *out++ = (uint8_t)(value >> shift & 0xFF);
    return out;
}

static inline uint8_t *key_put_u64(uint8_t *out, uint64_t value) {
    return key_put_u32(key_put_u32(out, (uint32_t)(value >> 32)), (uint32_t)(value & UINT32_MAX));
}

static inline uint8_t *key_put_i32(uint8_t *out, int32_t value) {
    return key_put_u32(out, (uint32_t)value ^ UINT32_C(0x80000000));
}

/* Each reads at `bytes`, which need no alignment. */
static inline uint32_t key_get_u32(const void *bytes) {
    const uint8_t *b = bytes;
    return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | (uint32_t)b[3];
}

static inline uint64_t key_get_u64(const void *bytes) {
    return (uint64_t)key_get_u32(bytes) << 32 | key_get_u32((const uint8_t *)bytes + 4);
}

static inline int32_t key_get_i32(const void *bytes) {
    return (int32_t)(key_get_u32(bytes) ^ UINT32_C(0x80000000));
}

#endif
