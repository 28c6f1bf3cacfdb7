/* hash.c - content addresses on top of XXH3-128. The only file that includes xxhash.h.
 *
 * Canonical bytes of a list of parts, each a tag and then:
 *   'b' 8-byte length, bytes    't' 8-byte length, text    'n' nothing (a NULL text)
 *   'i' 8 bytes, two's complement    'd' 8 bytes, IEEE 754    'h' 16 bytes
 * Integers are little-endian. The first part is the domain, as text. */
#include "core/base/hash.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "core/base/buffer.h"
#include "core/base/memory.h"

struct hash_builder {
    buffer_t bytes;
};

hash_t hash_bytes(const void *bytes, size_t length) {
    XXH128_canonical_t canonical;
    XXH128_canonicalFromHash(&canonical, XXH3_128bits(length == 0 ? "" : bytes, length));
    hash_t hash;
    _Static_assert(sizeof canonical.digest == HASH_SIZE, "XXH3-128 is 16 bytes");
    memcpy(hash.bytes, canonical.digest, HASH_SIZE);
    return hash;
}

int hash_compare(hash_t a, hash_t b) {
    return memcmp(a.bytes, b.bytes, HASH_SIZE);
}

bool hash_equal(hash_t a, hash_t b) {
    return hash_compare(a, b) == 0;
}

bool hash_is_zero(hash_t hash) {
    return hash_equal(hash, (hash_t){{0}});
}

uint64_t hash_low64(hash_t hash) {
    uint64_t value = 0;
    for (size_t i = HASH_SIZE - 8; i < HASH_SIZE; i++)
        value = value << 8 | hash.bytes[i];
    return value;
}

void hash_to_text(hash_t hash, char text[HASH_TEXT_SIZE]) {
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < HASH_SIZE; i++) {
        text[2 * i] = digits[hash.bytes[i] >> 4];
        text[2 * i + 1] = digits[hash.bytes[i] & 15];
    }
    text[HASH_TEXT_SIZE - 1] = '\0';
}

static int digit_value(char c) {
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool hash_from_text(const char *text, hash_t *hash) {
    hash_t result;
    for (size_t i = 0; i < HASH_SIZE; i++) {
        int high = digit_value(text[2 * i]);
        int low = high < 0 ? -1 : digit_value(text[2 * i + 1]);
        if (low < 0)
            return false;
        result.bytes[i] = (uint8_t)(high << 4 | low);
    }
    if (text[HASH_TEXT_SIZE - 1] != '\0')
        return false;
    *hash = result;
    return true;
}

static void append_tag(hash_builder_t *builder, char tag) {
    if (!buffer_append_char(&builder->bytes, tag))
        abort(); /* the buffer has no maximum: only a length past SIZE_MAX comes here */
}

static void append_word(hash_builder_t *builder, uint64_t word) {
    uint8_t bytes[8];
    for (size_t i = 0; i < 8; i++)
        bytes[i] = (uint8_t)(word >> (8 * i));
    if (!buffer_append(&builder->bytes, bytes, sizeof bytes))
        abort();
}

static void append_run(hash_builder_t *builder, char tag, const void *bytes, size_t length) {
    append_tag(builder, tag);
    append_word(builder, length);
    if (!buffer_append(&builder->bytes, bytes, length))
        abort();
}

hash_builder_t *hash_builder_create(const char *domain) {
    hash_builder_t *builder = MEMORY_NEW(hash_builder_t);
    hash_builder_add_text(builder, domain);
    return builder;
}

void hash_builder_add_bytes(hash_builder_t *builder, const void *bytes, size_t length) {
    append_run(builder, 'b', bytes, length);
}

void hash_builder_add_text(hash_builder_t *builder, const char *text) {
    if (!text)
        append_tag(builder, 'n');
    else
        append_run(builder, 't', text, strlen(text));
}

void hash_builder_add_integer(hash_builder_t *builder, int64_t value) {
    append_tag(builder, 'i');
    append_word(builder, (uint64_t)value);
}

void hash_builder_add_number(hash_builder_t *builder, double value) {
    uint64_t bits = UINT64_C(0x7FF8000000000000);
    if (!isnan(value)) {
        double canonical = value + 0.0; /* -0 + 0 is +0 in the default rounding mode */
        memcpy(&bits, &canonical, sizeof bits);
    }
    append_tag(builder, 'd');
    append_word(builder, bits);
}

void hash_builder_add_hash(hash_builder_t *builder, hash_t hash) {
    append_tag(builder, 'h');
    if (!buffer_append(&builder->bytes, hash.bytes, HASH_SIZE))
        abort();
}

hash_t hash_builder_finish(hash_builder_t *builder) {
    hash_t hash = hash_bytes(buffer_text(&builder->bytes), builder->bytes.length);
    buffer_free(&builder->bytes);
    free(builder);
    return hash;
}
