/* response_values.c - the forms of values of RESPONSES and EMBED_LINKS. */
#include "store/response_values.h"

#include "core/base/pack.h"
#include "store/key.h"

enum { RESPONSE_VALUE_VERSION = 1, RESPONSE_ITEMS = 7 };

bool response_decode(const void *bytes, size_t size, response_record_t *record) {
    *record = (response_record_t){0};
    pack_reader_t *reader = pack_reader_open(bytes, size);
    bool good = pack_read_array(reader) == RESPONSE_ITEMS &&
                pack_read_integer(reader) == RESPONSE_VALUE_VERSION;
    record->request = pack_read_hash(reader);
    int64_t attempt = pack_read_integer(reader);
    int64_t body_size = pack_read_integer(reader);
    int64_t dictionary = pack_read_integer(reader);
    record->trimmed = pack_read_boolean(reader);
    record->frame = pack_read_binary(reader, &record->frame_size);
    good = pack_reader_close(reader) && good && attempt >= 0 && body_size >= 0 &&
           body_size <= RESPONSE_BODY_MAXIMUM &&
           (dictionary == FRAME_PLAIN || dictionary == FRAME_RESPONSES) &&
           record->trimmed == (record->frame_size == 0);
    record->attempt = (uint64_t)attempt;
    record->body_size = (size_t)body_size;
    record->dictionary = dictionary == FRAME_RESPONSES ? FRAME_RESPONSES : FRAME_PLAIN;
    return good;
}

void response_encode(const response_record_t *record, buffer_t *out) {
    pack_array(out, RESPONSE_ITEMS);
    pack_integer(out, RESPONSE_VALUE_VERSION);
    pack_hash(out, record->request);
    pack_integer(out, (int64_t)record->attempt);
    pack_integer(out, (int64_t)record->body_size);
    pack_integer(out, record->dictionary);
    pack_boolean(out, record->trimmed);
    pack_binary(out, record->frame, record->frame_size);
}

bool response_unpack(const response_record_t *record, buffer_t *body) {
    size_t before = body->length;
    return !record->trimmed &&
           frame_unpack(record->frame, record->frame_size, record->dictionary, record->body_size,
                        body) &&
           body->length - before == record->body_size;
}

bool embed_link_decode(const void *bytes, size_t size, uint64_t *response, uint32_t *index) {
    if (size != EMBED_LINK_SIZE)
        return false;
    *response = key_get_u64(bytes);
    *index = key_get_u32((const uint8_t *)bytes + 8);
    return *response != 0;
}
