/* fuzz_pack.c - libFuzzer entry: the first bytes say in which order what is read from the rest. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/pack.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void expect(bool condition) {
    if (!condition)
        abort();
}

static uint8_t touched; /* written so that the compiler must read what a reader lends */

static void touch(const void *bytes, size_t length) {
    for (size_t i = 0; i < length; i++)
        touched = (uint8_t)(touched + ((const uint8_t *)bytes)[i]);
}

static void read_one(pack_reader_t *reader, unsigned what, size_t size) {
    size_t length;
    char *text;
    float *values;
    switch (what) {
    case 0: expect(pack_read_array(reader) <= size); break;
    case 1: pack_read_integer(reader); break;
    case 2: pack_read_number(reader); break;
    case 3: pack_read_boolean(reader); break;
    case 4: touch(pack_read_string(reader, &length), 0); break;
    case 5:
        text = pack_read_text(reader);
        touch(text, !text ? 0 : strlen(text));
        free(text);
        break;
    case 6:
        values = pack_read_floats(reader, &length);
        touch(values, length * sizeof values[0]);
        free(values);
        break;
    default: {
        const void *bytes = pack_read_binary(reader, &length);
        expect(length <= size);
        touch(bytes, length);
    }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    enum { ORDERS = 8 };
    if (size < ORDERS)
        return 0;
    pack_reader_t *reader = pack_reader_open(data + ORDERS, size - ORDERS);
    for (size_t i = 0; i < 2 * (size_t)ORDERS; i++) {
        unsigned what = i % 2 == 0 ? data[i / 2] & 7U : data[i / 2] >> 4 & 7U;
        bool failed = pack_reader_failed(reader);
        read_one(reader, what, size);
        expect(!failed || pack_reader_failed(reader));
    }
    bool failed = pack_reader_failed(reader);
    expect(!(pack_reader_close(reader) && failed));
    return 0;
}
