/* tiny_tokenizer.c - writes the files of a small tokenizer and loads them. */
#include "test/unit/tiny_tokenizer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/json.h"
#include "core/base/text.h"

void tiny_append_byte(buffer_t *out, unsigned char byte) {
    unsigned character = byte;
    if (byte <= ' ')
        character = 0x100U + byte;
    else if (byte >= 0x7F && byte <= 0xA0)
        character = 0x100U + 33 + (byte - 0x7FU);
    else if (byte == 0xAD)
        character = 0x143;
    char text[4];
    size_t length = text_utf8_encode(character, text);
    buffer_append(out, text, length);
}

void tiny_vocabulary(const char *const *merges, buffer_t *out) {
    buffer_append_char(out, '{');
    for (int byte = 0; byte < 256; byte++) {
        buffer_t name = BUFFER_EMPTY;
        tiny_append_byte(&name, (unsigned char)byte);
        json_write_string(out, name.data, name.length);
        buffer_append_format(out, ":%d,", byte);
        buffer_free(&name);
    }
    int id = 256;
    for (; *merges; merges++, id++) {
        buffer_t name = BUFFER_EMPTY;
        for (const char *at = *merges; *at; at++)
            if (*at != ' ')
                buffer_append_char(&name, *at);
        json_write_string(out, name.data, name.length);
        buffer_append_format(out, ":%d,\n", id);
        buffer_free(&name);
    }
    buffer_append_format(out, "\"<|endoftext|>\":%d}", id);
}

void tiny_merges(const char *const *merges, buffer_t *out) {
    buffer_append_text(out, "#version: 0.2\n");
    for (; *merges; merges++)
        buffer_append_format(out, "%s\n", *merges);
}

tokenizer_t *tiny_tokenizer(const char *const *merges) {
    buffer_t vocabulary = BUFFER_EMPTY, rules = BUFFER_EMPTY;
    tiny_vocabulary(merges, &vocabulary);
    tiny_merges(merges, &rules);
    embedded_file_t list[] = {
        {.name = "vocab.json", .data = vocabulary.data, .size = vocabulary.length},
        {.name = "merges.txt", .data = rules.data, .size = rules.length}};
    subject_files_t *files = subject_files_of(list, 2);
    error_info_t error = {0};
    tokenizer_t *tokenizer = tokenizer_load(files, &error);
    if (!tokenizer) {
        fprintf(stderr, "tiny tokenizer: %s\n", error.message);
        abort();
    }
    subject_files_close(files);
    buffer_free(&vocabulary);
    buffer_free(&rules);
    return tokenizer;
}
