/* fuzz_tokenizer_files.c - the files of a tokenizer, as bytes. The first byte says which:
 * tokenizer.json, vocab.json, or merges.txt beside a good vocab.json. What loads encodes all byte
 * values and gives them back. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/json.h"
#include "core/base/text.h"
#include "core/subject/tokenizer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(int promise) {
    if (!promise)
        abort();
}

/* The 256 bytes, and a few tokens for merges to make. */
static void write_vocabulary(buffer_t *out) {
    static const char *const more[] = {"aa", "aaa", "aaaa", "ab", "ba", "aba", "abab"};
    int next = 256;
    buffer_append_char(out, '{');
    for (int byte = 0; byte < 256; byte++) {
        int printable =
            (byte >= '!' && byte <= '~') || (byte >= 0xA1 && byte <= 0xAC) || byte >= 0xAE;
        char character[4];
        size_t length = text_utf8_encode((uint32_t)(printable ? byte : next++), character);
        json_write_string(out, character, length);
        buffer_append_format(out, ":%d,", byte);
    }
    for (size_t i = 0; i < sizeof more / sizeof more[0]; i++)
        buffer_append_format(out, "%s\"%s\":%zu", i ? "," : "", more[i], 256 + i);
    buffer_append_char(out, '}');
}

static void use(const tokenizer_t *tokenizer) {
    char text[512 + 64];
    for (int i = 0; i < 256; i++)
        text[i] = text[511 - i] = (char)i;
    memset(text + 512, 'a', 64);
    token_list_t list = {0};
    buffer_t decoded = BUFFER_EMPTY;
    check(tokenizer_encode(tokenizer, text, sizeof text, &list, NULL));
    for (size_t i = 0; i < list.count; i++)
        check(list.ids[i] < tokenizer_size(tokenizer));
    check(tokenizer_decode(tokenizer, list.ids, list.count, &decoded));
    check(decoded.length == sizeof text && !memcmp(decoded.data, text, sizeof text));
    uint32_t end;
    check(!tokenizer_end_of_text(tokenizer, &end) || end < tokenizer_size(tokenizer));
    buffer_free(&decoded);
    token_list_clear(&list);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size == 0)
        return 0;
    buffer_t vocabulary = BUFFER_EMPTY;
    write_vocabulary(&vocabulary);
    const char *text = (const char *)data + 1;
    embedded_file_t list[2] = {{.name = "tokenizer.json", .data = text, .size = size - 1},
                               {.name = "merges.txt", .data = "a a\n", .size = 4}};
    if (data[0] % 3 == 1)
        list[0].name = "vocab.json";
    if (data[0] % 3 == 2) {
        list[0] = (embedded_file_t){
            .name = "vocab.json", .data = vocabulary.data, .size = vocabulary.length};
        list[1] = (embedded_file_t){.name = "merges.txt", .data = text, .size = size - 1};
    }
    subject_files_t *files = subject_files_of(list, 2);
    error_info_t error = {0};
    tokenizer_t *tokenizer = tokenizer_load(files, &error);
    subject_files_close(files);
    check(tokenizer ? 1 : error.class_ == ERROR_CONFIG && error.message[0] != '\0');
    if (tokenizer)
        use(tokenizer);
    tokenizer_free(tokenizer);
    buffer_free(&vocabulary);
    return 0;
}
