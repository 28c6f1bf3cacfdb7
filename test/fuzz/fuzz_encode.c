/* fuzz_encode.c - any bytes as a text. They come back from their tokens, and a text that is encoded
 * in parts has the tokens of the whole; the first byte says how long the parts are. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/json.h"
#include "core/base/memory.h"
#include "core/base/text.h"
#include "core/subject/tokenizer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(int promise) {
    if (!promise)
        abort();
}

/* The 256 bytes, and merges of all that a small text is likely to hold: pairs of
 * the first of them. */
static tokenizer_t *make(void) {
    buffer_t vocabulary = BUFFER_EMPTY, merges = BUFFER_EMPTY;
    char characters[256][5] = {{0}};
    int next = 256;
    buffer_append_char(&vocabulary, '{');
    for (int byte = 0; byte < 256; byte++) {
        int printable =
            (byte >= '!' && byte <= '~') || (byte >= 0xA1 && byte <= 0xAC) || byte >= 0xAE;
        size_t length = text_utf8_encode((uint32_t)(printable ? byte : next++), characters[byte]);
        buffer_append_char(&vocabulary, byte ? ',' : ' ');
        json_write_string(&vocabulary, characters[byte], length);
        buffer_append_format(&vocabulary, ":%d", byte);
    }
    static const unsigned char joined[] = {' ',  'a',  '\'', 'r',  'e',  '1', '\n',
                                           0xC3, 0xA9, 0xE2, 0x80, 0xF0, 0x9F};
    int id = 256;
    for (size_t i = 0; i < sizeof joined; i++)
        for (size_t k = 0; k < sizeof joined; k++) {
            const char *left = characters[joined[i]], *right = characters[joined[k]];
            buffer_append_format(&vocabulary, ",\"%s%s\":%d", left, right, id++);
            buffer_append_format(&merges, "%s %s\n", left, right);
        }
    buffer_append_char(&vocabulary, '}');
    embedded_file_t list[] = {
        {.name = "vocab.json", .data = vocabulary.data, .size = vocabulary.length},
        {.name = "merges.txt", .data = merges.data, .size = merges.length}};
    subject_files_t *files = subject_files_of(list, 2);
    tokenizer_t *tokenizer = tokenizer_load(files, NULL);
    check(tokenizer != NULL);
    subject_files_close(files);
    buffer_free(&vocabulary);
    buffer_free(&merges);
    return tokenizer;
}

static void encode_in_parts(const tokenizer_t *tokenizer, const char *text, size_t length,
                            size_t part, token_list_t *out) {
    size_t at = 0, taken;
    for (size_t end = part; end < length; end += part, at += taken) {
        char *copy = memory_copy(text + at, end - at);
        check(tokenizer_encode_front(tokenizer, copy, end - at, out, &taken, NULL));
        check(taken <= end - at);
        free(copy);
    }
    check(tokenizer_encode(tokenizer, text + at, length - at, out, NULL));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static tokenizer_t *tokenizer;
    if (!tokenizer)
        tokenizer = make();
    if (size < 2)
        return 0;
    const char *text = (const char *)data + 1;
    size_t length = size - 1;
    token_list_t whole = {0}, parts = {0};
    buffer_t decoded = BUFFER_EMPTY;
    check(tokenizer_encode(tokenizer, text, length, &whole, NULL));
    check(tokenizer_decode(tokenizer, whole.ids, whole.count, &decoded));
    check(decoded.length == length && !memcmp(decoded.data, text, length));
    encode_in_parts(tokenizer, text, length, 1 + data[0], &parts);
    check(parts.count == whole.count &&
          !memcmp(parts.ids, whole.ids, whole.count * sizeof *whole.ids));
    buffer_free(&decoded);
    token_list_clear(&whole);
    token_list_clear(&parts);
    return 0;
}
