/* cmd_tokens.c - `glia tokens`: text from standard input as the subject model's tokens. */
#include <stdlib.h>
#include <string.h>

#include "core/base/json.h"
#include "core/base/line_file.h"
#include "core/base/memory.h"
#include "core/base/text.h"
#include "core/subject/tokenizer.h"
#include "tools/cli/command.h"
#include "tools/cli/output.h"

enum { LINE_MAXIMUM = 64 << 20, WRITE_AT = 1 << 16 };

static const char INPUT[] = "standard input";

typedef struct {
    const tokenizer_t *tokenizer;
    bool json;
    token_list_t list;
    buffer_t out;
    output_t *output;
} work_t;

/* A JSON string without the characters that some readers of lines take for the end of one: U+0085,
 * U+2028, U+2029. */
static void write_string(buffer_t *out, const char *text, size_t length) {
    buffer_t plain = BUFFER_EMPTY;
    json_write_string(&plain, text, length);
    size_t done = 0;
    for (size_t i = 0; i < plain.length;) {
        uint32_t character = 0;
        size_t step = text_utf8_decode(plain.data + i, plain.length - i, &character);
        if (character == 0x85 || character == 0x2028 || character == 0x2029) {
            buffer_append(out, plain.data + done, i - done);
            buffer_append_format(out, "\\u%04x", character);
            done = i + step;
        }
        i += step ? step : 1;
    }
    buffer_append(out, plain.data + done, plain.length - done);
    buffer_free(&plain);
}

static void write_json(work_t *work, const char *text, size_t length) {
    buffer_append_text(&work->out, "{\"text\":");
    write_string(&work->out, text, length);
    buffer_append_text(&work->out, ",\"ids\":[");
    for (size_t i = 0; i < work->list.count; i++) {
        buffer_append_text(&work->out, i ? "," : "");
        json_write_integer(&work->out, work->list.ids[i]);
    }
    buffer_append_text(&work->out, "]}\n");
}

/* What is no whole character is shown as \xNN. */
static void write_text(work_t *work) {
    for (size_t i = 0; i < work->list.count; i++) {
        size_t length;
        const char *bytes = tokenizer_token(work->tokenizer, work->list.ids[i], &length);
        buffer_append_format(&work->out, "%s%u \"", i ? "  " : "", work->list.ids[i]);
        text_append_visible(&work->out, bytes, length);
        buffer_append_char(&work->out, '"');
    }
    buffer_append_char(&work->out, '\n');
}

static bool is_blank(const line_t *line) {
    for (size_t i = 0; i < line->length; i++)
        if (line->text[i] != ' ' && line->text[i] != '\t')
            return false;
    return true;
}

static bool encode_line(work_t *work, const line_t *line, error_info_t *error) {
    unsigned long long number = line->number;
    if (line->size > LINE_MAXIMUM)
        return error_set(error, ERROR_CONFIG, "%s:%llu: %llu bytes; a line may have %d", INPUT,
                         number, (unsigned long long)line->size, LINE_MAXIMUM);
    json_value_t *value = json_parse_line(line->text, line->length, INPUT, number, error);
    if (!value)
        return false;
    size_t length = 0;
    const char *text = json_as_string(value, &length);
    bool good =
        text || error_set(error, ERROR_CONFIG, "%s:%llu: a line has to be a JSON string: \"...\"",
                          INPUT, number);
    work->list.count = 0;
    good = good && tokenizer_encode(work->tokenizer, text, length, &work->list, error);
    if (good && work->json)
        write_json(work, text, length);
    else if (good)
        write_text(work);
    json_free(value);
    return good && (work->out.length < WRITE_AT || output_write(work->output, &work->out, error));
}

/* What stands before a bad line is printed. */
static bool encode_lines(work_t *work, line_reader_t *input, error_info_t *error) {
    line_t line;
    line_result_t result;
    bool good = true;
    while (good && (result = line_reader_next(input, &line, error)) != LINE_END)
        good = result == LINE_READ && (is_blank(&line) || encode_line(work, &line, error));
    error_info_t write_error = {0};
    if (output_write(work->output, &work->out, &write_error))
        return good;
    if (good)
        *error = write_error;
    return false;
}

static tokenizer_t *load(const option_list_t *options, error_info_t *error) {
    const char *directory = option_get(options, "subject");
    subject_files_t *files =
        subject_files_open(directory ? directory : SUBJECT_FILES_EMBEDDED, error);
    tokenizer_t *tokenizer = files ? tokenizer_load(files, error) : NULL;
    subject_files_close(files);
    return tokenizer;
}

static int run(const option_list_t *options, error_info_t *error) {
    tokenizer_t *tokenizer = load(options, error);
    if (!tokenizer)
        return error_exit_code(error->class_);
    work_t work = {.tokenizer = tokenizer,
                   .json = option_given(options, "json"),
                   .output = output_open(NULL, error)};
    line_reader_t *input = work.output ? line_reader_open("/dev/stdin", LINE_MAXIMUM, error) : NULL;
    bool good = input && encode_lines(&work, input, error);
    line_reader_close(input);
    if (work.output && !output_close(work.output, good, good ? error : NULL))
        good = false;
    token_list_clear(&work.list);
    buffer_free(&work.out);
    tokenizer_free(tokenizer);
    return good ? EXIT_DONE : error_exit_code(error->class_);
}

static const option_t table[] = {
    {"subject", 0, "DIR",
     "a directory with vocab.json and merges.txt, or tokenizer.json (default: \"subject:\", the "
     "shipped subject model)",
     false},
    {"json", 0, NULL, "print {\"text\":...,\"ids\":[...]} a line", false},
    OPTION_HELP,
    {0},
};

const command_t command_tokens = {
    .name = "tokens",
    .usage = "[--subject DIR] [--json] < LINES",
    .summary = "show text as the tokens of the subject model",
    .details = "Reads JSON strings, one a line, on standard input and prints the tokens of each on "
               "a line: id and text. Bytes of a token that are no whole UTF-8 character are shown "
               "as \\xNN. Special tokens are not recognised in the text: \"<|endoftext|>\" is "
               "taken letter by letter. Blank lines are skipped; a line that is no JSON string "
               "ends the command and is named by its number.",
    .options = table,
    .run = run,
};
