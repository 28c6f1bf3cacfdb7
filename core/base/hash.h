/* hash.h - 128-bit content addresses (XXH3-128 of a canonical byte string).
 *
 * Identities in glia are hashes of typed, length-prefixed parts, so that no two different lists of
 * parts have the same canonical bytes. XXH3 is not meant against an attacker who makes collisions
 * on purpose; an identity only ever guards the user's own money and results against mix-ups.
 */
#ifndef GLIA_BASE_HASH_H
#define GLIA_BASE_HASH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { HASH_SIZE = 16, HASH_TEXT_SIZE = 33 };

typedef struct {
    uint8_t bytes[HASH_SIZE]; /* canonical big-endian form, as stored */
} hash_t;

hash_t hash_bytes(const void *bytes, size_t length);
bool hash_equal(hash_t a, hash_t b);
int hash_compare(hash_t a, hash_t b);                      /* as memcmp */
bool hash_is_zero(hash_t hash);                            /* the all-zero value means "none" */
uint64_t hash_low64(hash_t hash);                          /* for hash tables and seeds */
void hash_to_text(hash_t hash, char text[HASH_TEXT_SIZE]); /* 32 lower-case hex digits */
bool hash_from_text(const char *text, hash_t *hash);

/* A list of parts, collected in memory and hashed at the end. */
typedef struct hash_builder hash_builder_t;
hash_builder_t *hash_builder_create(const char *domain); /* domain: what is identified, "request" */
void hash_builder_add_bytes(hash_builder_t *builder, const void *bytes, size_t length);
void hash_builder_add_text(hash_builder_t *builder, const char *text); /* NULL differs from "" */
void hash_builder_add_integer(hash_builder_t *builder, int64_t value);
void hash_builder_add_number(hash_builder_t *builder, double value); /* -0 is 0; NaN is one value */
void hash_builder_add_hash(hash_builder_t *builder, hash_t hash);
hash_t hash_builder_finish(hash_builder_t *builder); /* releases the builder */

#endif
