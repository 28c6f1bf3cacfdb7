/* batch_lines.c - the table BATCH_LINES. */
#include "store/batch_lines.h"

#include "core/base/pack.h"
#include "store/batch_lines_private.h"
#include "store/key.h"

enum { BATCH_LINE_FIRST = 1, BATCH_LINE_VERSION = 2, BATCH_LINE_ITEMS = 8 };

bool batch_line_decode(const void *bytes, size_t size, batch_row_t *row) {
    *row = (batch_row_t){0};
    pack_reader_t *reader = pack_reader_open(bytes, size);
    bool good = pack_read_array(reader) == BATCH_LINE_ITEMS;
    int64_t version = pack_read_integer(reader);
    if (version == BATCH_LINE_FIRST)
        row->done = pack_read_boolean(reader);
    else
        row->response = (uint64_t)pack_read_integer(reader);
    row->done = row->done || row->response > 0;
    good = good && (version == BATCH_LINE_FIRST || version == BATCH_LINE_VERSION) &&
           row->response <= INT64_MAX;
    row->raw = pack_read_hash(reader);
    row->settings = pack_read_hash(reader);
    row->identity = pack_read_hash(reader);
    int64_t sample = pack_read_integer(reader);
    bool named = pack_read_boolean(reader);
    const char *custom_id = pack_read_string(reader, &row->custom_id_length);
    row->custom_id = named ? custom_id : NULL;
    row->sample = (uint64_t)sample;
    return pack_reader_close(reader) && good && sample >= 0;
}

static void put_key(uint8_t key[BATCH_LINE_KEY_SIZE], uint32_t run, uint64_t line) {
    key_put_u64(key_put_u32(key, run), line);
}

bool batch_line_put(store_txn_t *txn, uint32_t run, uint64_t line, const batch_row_t *row,
                    error_info_t *error) {
    uint8_t key[BATCH_LINE_KEY_SIZE];
    put_key(key, run, line);
    buffer_t value = BUFFER_EMPTY;
    pack_array(&value, BATCH_LINE_ITEMS);
    pack_integer(&value, BATCH_LINE_VERSION);
    pack_integer(&value, (int64_t)row->response);
    pack_hash(&value, row->raw);
    pack_hash(&value, row->settings);
    pack_hash(&value, row->identity);
    pack_integer(&value, (int64_t)row->sample);
    pack_boolean(&value, row->custom_id != NULL);
    pack_string(&value, row->custom_id ? row->custom_id : "", row->custom_id_length);
    bool good = store_put(txn, TABLE_BATCH_LINES, key, sizeof key, value.data, value.length, error);
    buffer_free(&value);
    return good;
}

bool batch_line_get(store_txn_t *txn, uint32_t run, uint64_t line, batch_row_t *row) {
    uint8_t key[BATCH_LINE_KEY_SIZE];
    put_key(key, run, line);
    store_bytes_t value;
    return store_get(txn, TABLE_BATCH_LINES, key, sizeof key, &value) &&
           batch_line_decode(value.data, value.size, row);
}
