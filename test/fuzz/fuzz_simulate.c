/* fuzz_simulate.c - simulators' answers: as JSON bodies, and as tokens and alternatives
 * cut from the input.
 *
 * First byte: bit 0 echo or repeat, bit 1 body or pieces. A prediction that is given must be a
 * number from 0 to 10.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/memory.h"
#include "prompts/explain.h"
#include "prompts/simulate.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static token_t tokens[] = {{(char[]){"a"}, 1}, {(char[]){"\n\t"}, 2}, {(char[]){"\xE2\x80"}, 2}};
enum { COUNT = 3, MAX_PIECES = 64 };

static void check(const double *expected, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (!(expected[i] >= 0 && expected[i] <= 10))
            abort();
}

static void parse(const llm_answer_t *answer, bool echo) {
    double expected[COUNT];
    char *text = NULL;
    error_info_t error;
    size_t unseen = 0;
    if (echo ? simulate_echo_parse(answer, tokens, COUNT, expected, &unseen, &error)
             : simulate_repeat_parse(answer, tokens, COUNT, expected, &error))
        check(expected, COUNT);
    if (simulate_token_parse(answer, expected, &unseen, &error))
        check(expected, 1);
    if (explain_parse(answer, &text, &error) && text[0] == '\0')
        abort();
    free(text);
}

/* Pieces: length, number of alternatives and offset in a byte each, then the bytes; an alternative
 * repeats the front of the piece and adds a digit. The text is a record that fits, with some pieces
 * or all of it around. */
static void cut_token(const uint8_t **data, size_t *size, int64_t offset, llm_token_t *token) {
    size_t length = (*data)[0] % 16, top = (*data)[1] % 4;
    length = length > *size - 3 ? *size - 3 : length;
    token->bytes = memory_copy(*data + 3, length);
    token->length = length;
    token->text_offset = (*data)[2] == 0 ? offset : (*data)[2] - 1;
    token->has_logprob = ((*data)[1] & 8) != 0;
    token->logprob = -(double)(*data)[1];
    token->top = MEMORY_NEW_ARRAY(top, struct llm_alternative);
    for (; token->top_count < top; token->top_count++) {
        size_t kept = token->top_count < length ? token->top_count : 0;
        struct llm_alternative *alternative = &token->top[token->top_count];
        alternative->bytes = memory_new(kept + 2, 1);
        memcpy(alternative->bytes, *data + 3, kept);
        alternative->bytes[kept] = (char)('0' + (*data)[1] % 11);
        alternative->length = kept + 1;
        alternative->logprob = -(double)(*data)[0];
    }
    *data += 3 + length;
    *size -= 3 + length;
}

static void parse_pieces(const uint8_t *data, size_t size, bool echo) {
    static const char ECHO[] = "<start>\na\tunknown\n\n\t\tunknown\n\xEF\xBF\xBD\tunknown\n<end>\n";
    static const char REPEAT[] = "<start>\na\t1\n\\n\\t\t10\n\\xE2\\x80\t3\n<end>\n";
    llm_answer_t answer = {.tokens = MEMORY_NEW_ARRAY(MAX_PIECES, llm_token_t)};
    buffer_t text = BUFFER_EMPTY;
    buffer_append_text(&text, echo ? ECHO : REPEAT);
    int64_t offset = 0;
    while (size > 3 && answer.token_count < MAX_PIECES) {
        llm_token_t *token = &answer.tokens[answer.token_count++];
        cut_token(&data, &size, offset, token);
        offset += (int64_t)token->length;
    }
    if (size > 0 && (data[0] & 1)) {
        buffer_clear(&text);
        for (size_t i = 0; i < answer.token_count; i++)
            buffer_append(&text, answer.tokens[i].bytes, answer.tokens[i].length);
    }
    answer.text_length = text.length;
    answer.text = buffer_take(&text);
    parse(&answer, echo);
    llm_answer_clear(&answer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size == 0)
        return 0;
    bool echo = data[0] & 1;
    if (data[0] & 2) {
        parse_pieces(data + 1, size - 1, echo);
        return 0;
    }
    llm_answer_t answer;
    error_info_t error;
    if (llm_answer_parse(echo ? LLM_COMPLETION : LLM_CHAT, (const char *)data + 1, size - 1,
                         &answer, &error)) {
        parse(&answer, echo);
        llm_answer_clear(&answer);
    }
    return 0;
}
