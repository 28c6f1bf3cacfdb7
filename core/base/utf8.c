/* utf8.c - one character at a time. */
#include "core/base/utf8.h"

#include <stdbool.h>

static bool is_continuation(char byte) {
    return ((unsigned char)byte & 0xC0) == 0x80;
}

size_t text_utf8_decode(const char *bytes, size_t length, uint32_t *character) {
    if (length == 0)
        return 0;
    uint32_t lead = (unsigned char)bytes[0];
    if (lead < 0x80) {
        *character = lead;
        return 1;
    }
    size_t size = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
    if (lead < 0xC2 || lead > 0xF4 || length < size)
        return 0;
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    uint32_t value = lead & (0x7FU >> size);
    for (size_t i = 1; i < size; i++) {
        if (!is_continuation(bytes[i]))
            return 0;
        value = value << 6 | ((unsigned char)bytes[i] & 0x3FU);
    }
    if (value < least[size] || value > 0x10FFFF || (value >= 0xD800 && value <= 0xDFFF))
        return 0;
    *character = value;
    return size;
}

size_t text_utf8_invalid_run(const char *bytes, size_t length) {
    if (length == 0)
        return 0;
    uint32_t lead = (unsigned char)bytes[0];
    size_t size = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
    if (lead < 0xC2 || lead > 0xF4 || length < 2)
        return 1;
    /* The second byte's range is narrower after some leads: overlong forms,
     * surrogates, past 10FFFF. */
    uint32_t second = (unsigned char)bytes[1];
    uint32_t low = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
    uint32_t high = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
    if (second < low || second > high)
        return 1;
    size_t run = 2;
    while (run < size && run < length && is_continuation(bytes[run]))
        run++;
    return run;
}

size_t text_utf8_valid_prefix(const char *bytes, size_t length) {
    size_t i = 0;
    while (i < length) {
        uint32_t character;
        size_t step = text_utf8_decode(bytes + i, length - i, &character);
        if (step == 0)
            return i;
        i += step;
    }
    return i;
}

size_t text_utf8_encode(uint32_t character, char out[4]) {
    if (character > 0x10FFFF || (character >= 0xD800 && character <= 0xDFFF))
        character = 0xFFFD;
    if (character < 0x80) {
        out[0] = (char)character;
        return 1;
    }
    size_t size = character < 0x800 ? 2 : character < 0x10000 ? 3 : 4;
    static const uint32_t lead[] = {0, 0, 0xC0, 0xE0, 0xF0};
    for (size_t i = size; i-- > 1; character >>= 6)
        out[i] = (char)(0x80 | (character & 0x3F));
    out[0] = (char)(lead[size] | character);
    return size;
}
