/* raw_gzip.c - deflate (RFC 1951) with fixed codes: one literal, then matches of distance 1. */
#include "test/unit/raw_gzip.h"

#include <stdint.h>

typedef struct {
    buffer_t *out;
    unsigned bits;
    unsigned count;
} bit_writer_t;

static void write_bit(bit_writer_t *writer, unsigned bit) {
    writer->bits |= bit << writer->count++;
    if (writer->count == 8) {
        buffer_append_char(writer->out, (char)writer->bits);
        writer->bits = writer->count = 0;
    }
}

/* Huffman codes go most significant bit first. */
static void write_code(bit_writer_t *writer, unsigned code, unsigned length) {
    while (length-- > 0)
        write_bit(writer, code >> length & 1);
}

static void write_little(buffer_t *out, uint32_t value) {
    for (int i = 0; i < 4; i++)
        buffer_append_char(out, (char)(value >> (8 * i) & 0xff));
}

static uint32_t crc_of_letters(size_t size) {
    uint32_t crc = 0xffffffff;
    for (size_t i = 0; i < size; i++) {
        crc ^= 'a';
        for (int bit = 0; bit < 8; bit++)
            crc = (crc >> 1) ^ (crc & 1 ? 0xedb88320 : 0);
    }
    return ~crc;
}

void raw_gzip_append(buffer_t *out, size_t size) {
    static const char HEAD[10] = {0x1f, (char)0x8b, 8, 0, 0, 0, 0, 0, 0, 3};
    bit_writer_t writer = {.out = out};
    size_t left = size;
    buffer_append(out, HEAD, sizeof HEAD);
    write_bit(&writer, 1); /* the last block */
    write_bit(&writer, 1); /* fixed codes: 01, low bit first */
    write_bit(&writer, 0);
    if (left > 0) {
        write_code(&writer, 0x30 + 'a', 8);
        left--;
    }
    for (; left >= 258; left -= 258) {
        write_code(&writer, 0xc0 + 285 - 280, 8); /* length 258 */
        write_code(&writer, 0, 5);                /* distance 1 */
    }
    for (; left > 0; left--)
        write_code(&writer, 0x30 + 'a', 8);
    write_code(&writer, 0, 7); /* end of block */
    while (writer.count != 0)
        write_bit(&writer, 0);
    write_little(out, crc_of_letters(size));
    write_little(out, (uint32_t)size);
}
