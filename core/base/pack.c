/* pack.c - stored values as msgpack. The only file that includes msgpack.h.
 *
 * Writing is msgpack-c's. Reading goes one item at a time: array headers are read here, because
 * msgpack-c would allocate whatever count they claim; every other item goes through msgpack-c,
 * which then allocates nothing. */
#include "core/base/pack.h"

#include <msgpack.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/memory.h"

enum { DEPTH_LIMIT = 32 };

struct pack_reader {
    const char *bytes;
    size_t length;
    size_t at;
    size_t left[DEPTH_LIMIT]; /* items that each open array still has; the outermost first */
    size_t depth;             /* arrays that are open */
    bool started;             /* the outermost array was opened */
    bool failed;
    msgpack_zone zone;
};

/* --- writing ---------------------------------------------------------------------------------- */

static int write_bytes(void *context, const char *bytes, size_t length) {
    if (!buffer_append(context, bytes, length)) {
        fprintf(stderr, "glia: bug: a packed value passes the maximum of its buffer\n");
        abort();
    }
    return 0;
}

static msgpack_packer packer_of(buffer_t *out) {
    msgpack_packer packer;
    msgpack_packer_init(&packer, out, write_bytes);
    return packer;
}

/* msgpack counts in 32 bits; msgpack-c would cut a larger count silently. */
static void check_count(size_t count) {
    if (count > UINT32_MAX) {
        fprintf(stderr, "glia: bug: %zu items or bytes do not fit one msgpack item\n", count);
        abort();
    }
}

void pack_array(buffer_t *out, size_t count) {
    check_count(count);
    msgpack_packer packer = packer_of(out);
    msgpack_pack_array(&packer, count);
}

void pack_integer(buffer_t *out, int64_t value) {
    msgpack_packer packer = packer_of(out);
    msgpack_pack_int64(&packer, value);
}

void pack_number(buffer_t *out, double value) {
    msgpack_packer packer = packer_of(out);
    msgpack_pack_double(&packer, value);
}

void pack_boolean(buffer_t *out, bool value) {
    msgpack_packer packer = packer_of(out);
    if (value)
        msgpack_pack_true(&packer);
    else
        msgpack_pack_false(&packer);
}

void pack_string(buffer_t *out, const char *bytes, size_t length) {
    check_count(length);
    msgpack_packer packer = packer_of(out);
    msgpack_pack_str(&packer, length);
    write_bytes(out, bytes, length);
}

void pack_text(buffer_t *out, const char *text) {
    if (text) {
        pack_string(out, text, strlen(text));
        return;
    }
    msgpack_packer packer = packer_of(out);
    msgpack_pack_nil(&packer);
}

void pack_binary(buffer_t *out, const void *bytes, size_t length) {
    check_count(length);
    msgpack_packer packer = packer_of(out);
    msgpack_pack_bin(&packer, length);
    write_bytes(out, bytes, length);
}

void pack_hash(buffer_t *out, hash_t hash) {
    pack_binary(out, hash.bytes, HASH_SIZE);
}

void pack_floats(buffer_t *out, const float *values, size_t count) {
    check_count(count);
    check_count(count * 4);
    msgpack_packer packer = packer_of(out);
    msgpack_pack_bin(&packer, count * 4);
    for (size_t i = 0; i < count; i++) {
        uint32_t bits;
        memcpy(&bits, &values[i], sizeof bits);
        const char bytes[4] = {(char)(bits & 0xFF), (char)(bits >> 8 & 0xFF),
                               (char)(bits >> 16 & 0xFF), (char)(bits >> 24)};
        write_bytes(out, bytes, sizeof bytes);
    }
}

/* --- reading ---------------------------------------------------------------------------------- */

pack_reader_t *pack_reader_open(const void *bytes, size_t length) {
    pack_reader_t *reader = MEMORY_NEW(pack_reader_t);
    reader->bytes = bytes;
    reader->length = length;
    if (!msgpack_zone_init(&reader->zone, 16))
        abort(); /* out of memory */
    return reader;
}

/* An item was read: it counts in its array, and arrays that are now complete close. */
static void count_item(pack_reader_t *reader) {
    if (reader->depth > 0)
        reader->left[reader->depth - 1]--;
    while (reader->depth > 0 && reader->left[reader->depth - 1] == 0)
        reader->depth--;
}

static bool fail(pack_reader_t *reader) {
    reader->failed = true;
    return false;
}

/* Bytes of the array header at `at` with its count; 0 if there is none. */
static size_t array_header(const pack_reader_t *reader, size_t *count) {
    size_t rest = reader->length - reader->at;
    const unsigned char *bytes = (const unsigned char *)reader->bytes + reader->at;
    if (rest == 0)
        return 0;
    if ((bytes[0] & 0xF0) == 0x90) {
        *count = bytes[0] & 0x0F;
        return 1;
    }
    size_t size = bytes[0] == 0xDC ? 3 : bytes[0] == 0xDD ? 5 : 0;
    if (rest < size)
        return 0;
    *count = 0;
    for (size_t i = 1; i < size; i++)
        *count = *count << 8 | bytes[i];
    return size;
}

size_t pack_read_array(pack_reader_t *reader) {
    size_t count = 0;
    if (reader->failed || (reader->started && reader->depth == 0)) {
        fail(reader);
        return 0;
    }
    size_t header = array_header(reader, &count);
    /* Each item takes at least a byte: a larger count is a lie. */
    if (header == 0 || count > reader->length - reader->at - header) {
        fail(reader);
        return 0;
    }
    if (reader->depth > 0)
        reader->left[reader->depth - 1]--;
    if (reader->depth == DEPTH_LIMIT) {
        fail(reader);
        return 0;
    }
    reader->at += header;
    reader->started = true;
    reader->left[reader->depth++] = count + 1; /* one more, which count_item() takes off at once */
    count_item(reader);
    return count;
}

/* Takes the next item that is no container. */
static bool next_item(pack_reader_t *reader, msgpack_object *item) {
    if (reader->failed || reader->depth == 0 || reader->at >= reader->length)
        return fail(reader);
    unsigned char lead = (unsigned char)reader->bytes[reader->at];
    bool container = (lead >= 0x80 && lead <= 0x9F) || (lead >= 0xDC && lead <= 0xDF);
    bool extension = (lead >= 0xC7 && lead <= 0xC9) || (lead >= 0xD4 && lead <= 0xD8);
    if (container || extension)
        return fail(reader);
    size_t used = 0;
    msgpack_unpack_return result = msgpack_unpack(
        reader->bytes + reader->at, reader->length - reader->at, &used, &reader->zone, item);
    if ((result != MSGPACK_UNPACK_SUCCESS && result != MSGPACK_UNPACK_EXTRA_BYTES) || used == 0)
        return fail(reader);
    reader->at += used;
    count_item(reader);
    return true;
}

int64_t pack_read_integer(pack_reader_t *reader) {
    msgpack_object item;
    if (!next_item(reader, &item))
        return 0;
    if (item.type == MSGPACK_OBJECT_NEGATIVE_INTEGER)
        return item.via.i64;
    if (item.type == MSGPACK_OBJECT_POSITIVE_INTEGER && item.via.u64 <= INT64_MAX)
        return (int64_t)item.via.u64;
    fail(reader);
    return 0;
}

double pack_read_number(pack_reader_t *reader) {
    msgpack_object item;
    if (!next_item(reader, &item))
        return 0;
    switch (item.type) {
    case MSGPACK_OBJECT_FLOAT32:
    case MSGPACK_OBJECT_FLOAT64: return item.via.f64;
    case MSGPACK_OBJECT_POSITIVE_INTEGER: return (double)item.via.u64;
    case MSGPACK_OBJECT_NEGATIVE_INTEGER: return (double)item.via.i64;
    default: fail(reader); return 0;
    }
}

bool pack_read_boolean(pack_reader_t *reader) {
    msgpack_object item;
    if (!next_item(reader, &item))
        return false;
    if (item.type != MSGPACK_OBJECT_BOOLEAN)
        return fail(reader);
    return item.via.boolean;
}

/* NULL: nil or failure. */
static const char *read_string(pack_reader_t *reader, size_t *length) {
    msgpack_object item;
    *length = 0;
    if (!next_item(reader, &item) || item.type == MSGPACK_OBJECT_NIL)
        return NULL;
    if (item.type != MSGPACK_OBJECT_STR) {
        fail(reader);
        return NULL;
    }
    *length = item.via.str.size;
    return item.via.str.size == 0 ? "" : item.via.str.ptr;
}

const char *pack_read_string(pack_reader_t *reader, size_t *length) {
    const char *string = read_string(reader, length);
    return !string ? "" : string;
}

char *pack_read_text(pack_reader_t *reader) {
    size_t length;
    const char *string = read_string(reader, &length);
    return !string ? NULL : memory_copy(string, length);
}

const void *pack_read_binary(pack_reader_t *reader, size_t *length) {
    msgpack_object item;
    *length = 0;
    if (!next_item(reader, &item))
        return "";
    if (item.type != MSGPACK_OBJECT_BIN) {
        fail(reader);
        return "";
    }
    *length = item.via.bin.size;
    return item.via.bin.size == 0 ? "" : item.via.bin.ptr;
}

hash_t pack_read_hash(pack_reader_t *reader) {
    hash_t hash = {{0}};
    size_t length;
    const void *bytes = pack_read_binary(reader, &length);
    if (length == HASH_SIZE)
        memcpy(hash.bytes, bytes, HASH_SIZE);
    else
        fail(reader);
    return hash;
}

float *pack_read_floats(pack_reader_t *reader, size_t *count) {
    size_t length;
    const unsigned char *bytes = pack_read_binary(reader, &length);
    *count = 0;
    if (length % 4 != 0) {
        fail(reader);
        return NULL;
    }
    if (length == 0)
        return NULL;
    *count = length / 4;
    float *values = MEMORY_NEW_ARRAY(*count, float);
    for (size_t i = 0; i < *count; i++, bytes += 4) {
        uint32_t bits = (uint32_t)bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 |
                        (uint32_t)bytes[3] << 24;
        memcpy(&values[i], &bits, sizeof bits);
    }
    return values;
}

bool pack_reader_failed(const pack_reader_t *reader) {
    return reader->failed;
}

bool pack_reader_close(pack_reader_t *reader) {
    bool complete =
        !reader->failed && reader->started && reader->depth == 0 && reader->at == reader->length;
    msgpack_zone_destroy(&reader->zone);
    free(reader);
    return complete;
}
