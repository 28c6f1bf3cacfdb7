/* corpus.c - from the paths of a corpus to excerpts: documents, their tokens, what joins them. */
#include "core/subject/corpus.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/buffer.h"
#include "core/base/json.h"
#include "core/base/memory.h"
#include "core/base/text.h"
#include "core/subject/corpus_files.h"
#include "core/subject/corpus_sample.h"
#include "core/subject/corpus_stream.h"

enum { CHUNK = 256 << 10 };
static const char EMBEDDED_NAME[] = "corpus.jsonl.zst";

typedef struct {
    const tokenizer_t *tokenizer;
    const corpus_options_t *options;
    corpus_files_t files;
    subject_files_t *shipped; /* NULL until "corpus:" is read */
    corpus_sample_t *sample;
    const char *path; /* of the file that is read, for messages */
    corpus_stream_t *stream;
    buffer_t text; /* read and not yet encoded */
    token_list_t list;
    uint64_t documents, bytes_before, bytes_total;
    bool unsized;        /* the size of a file is not known */
    uint64_t unreported; /* bytes of text since the last call of options->progress */
    error_info_t *error;
} reader_t;

/* --- tokens ----------------------------------------------------------------------------------- */

/* A document with a first byte begins. */
static bool begin_document(reader_t *reader) {
    uint32_t end = 0;
    if (reader->documents++ == 0)
        return true;
    if (!tokenizer_end_of_text(reader->tokenizer, &end))
        return error_set(
            reader->error, ERROR_CONFIG,
            "%s: documents are joined by <|endoftext|>, and the tokenizer has no such token",
            reader->path);
    corpus_sample_add(reader->sample, &end, 1);
    return true;
}

/* Encodes the text, or its front, and hands the tokens on; *taken: bytes. */
static bool encode(reader_t *reader, const char *text, size_t length, bool whole, size_t *taken) {
    reader->list.count = 0;
    bool good =
        whole ? tokenizer_encode(reader->tokenizer, text, length, &reader->list, reader->error)
              : tokenizer_encode_front(reader->tokenizer, text, length, &reader->list, taken,
                                       reader->error);
    if (whole)
        *taken = length;
    if (good)
        corpus_sample_add(reader->sample, reader->list.ids, reader->list.count);
    return good || error_prefix(reader->error, "%s", reader->path);
}

static bool report(reader_t *reader, size_t bytes) {
    reader->unreported += bytes;
    if (!reader->options->progress || reader->unreported < CHUNK)
        return true;
    reader->unreported = 0;
    corpus_progress_t progress = {
        .path = reader->path,
        .bytes_read = reader->bytes_before + corpus_stream_position(reader->stream),
        .bytes_total = reader->unsized ? 0 : reader->bytes_total,
        .documents = reader->documents,
        .tokens = corpus_sample_tokens(reader->sample),
        .windows = corpus_sample_windows(reader->sample),
    };
    return reader->options->progress(reader->options->context, &progress) ||
           error_set(reader->error, ERROR_RETRYABLE, "stopped while reading %s", reader->path);
}

/* --- text ------------------------------------------------------------------------------------- */

/* Reads `most` bytes or less behind what is there; *got 0: the end. */
static bool read_more(reader_t *reader, size_t most, size_t *got) {
    buffer_t *text = &reader->text;
    if (text->capacity - text->length < most + 1) {
        text->capacity = text->length + most + 1;
        text->data = memory_resize(text->data, text->capacity, 1);
    }
    if (!corpus_stream_read(reader->stream, text->data + text->length, most, got, reader->error))
        return false;
    text->length += *got;
    return true;
}

static void drop_front(buffer_t *text, size_t bytes) {
    if (bytes == 0)
        return;
    memmove(text->data, text->data + bytes, text->length - bytes);
    text->length -= bytes;
}

/* Collects until there is `enough`, or the end. */
static bool read_until(reader_t *reader, size_t enough, bool *ended) {
    while (!*ended && reader->text.length < enough) {
        size_t got;
        if (!read_more(reader, enough - reader->text.length, &got) || !report(reader, got))
            return false;
        *ended = got == 0;
    }
    return true;
}

/* One document, encoded as it comes in. What no pre-token ended in is looked at again only when
 * it has doubled. */
static bool read_text(reader_t *reader) {
    bool ended = false;
    bool begun = false;
    size_t enough = CHUNK, taken;
    uint64_t offset = 0;
    while (!ended && !corpus_sample_is_done(reader->sample)) {
        if (!read_until(reader, enough, &ended))
            return false;
        if (!begun && reader->text.length > 0 && !begin_document(reader))
            return false;
        begun |= reader->text.length > 0;
        if (!encode(reader, buffer_text(&reader->text), reader->text.length, ended, &taken))
            return false;
        if (taken == 0 && reader->text.length >= CORPUS_MAX_TEXT)
            return error_set(
                reader->error, ERROR_CONFIG,
                "%s: %d bytes from byte %llu on are one run without a break: this is no text",
                reader->path, CORPUS_MAX_TEXT, (unsigned long long)offset);
        drop_front(&reader->text, taken);
        offset += taken;
        enough = reader->text.length < CHUNK / 2 ? CHUNK : 2 * reader->text.length;
        enough = enough < CORPUS_MAX_TEXT ? enough : CORPUS_MAX_TEXT;
    }
    return true;
}

/* --- JSON lines ------------------------------------------------------------------------------- */

static bool is_blank(const char *line, size_t length) {
    for (size_t i = 0; i < length; i++)
        if (line[i] != ' ' && line[i] != '\t' && line[i] != '\r')
            return false;
    return true;
}

static bool take_line(reader_t *reader, const char *line, size_t length, uint64_t number) {
    if (is_blank(line, length))
        return true;
    json_value_t *value = json_parse_line(line, length, reader->path, number, reader->error);
    if (!value)
        return false;
    const char *field = reader->options->text_field ? reader->options->text_field : "text";
    const json_value_t *member = json_get(value, field);
    size_t size = 0, taken;
    const char *text = json_as_string(member, &size);
    bool good = true;
    if (!json_is(value, JSON_KIND_OBJECT))
        good = error_set(reader->error, ERROR_CONFIG, "%s:%llu: a line has to be a JSON object",
                         reader->path, (unsigned long long)number);
    else if (!text)
        good = error_set(reader->error, ERROR_CONFIG,
                         member ? "%s:%llu: \"%.80s\" has to be a string"
                                : "%s:%llu: there is no text field \"%.80s\"",
                         reader->path, (unsigned long long)number, field);
    else if (size > 0)
        good = begin_document(reader) && encode(reader, text, size, true, &taken);
    json_free(value);
    return good;
}

/* The whole lines in reader->text, and the last without an end if the file is over. `looked`: how
 * much is known to hold no line's end. */
static bool take_lines(reader_t *reader, bool ended, size_t looked, uint64_t *number) {
    buffer_t *text = &reader->text;
    size_t start = 0;
    while (start < text->length && !corpus_sample_is_done(reader->sample)) {
        size_t from = start > looked ? start : looked;
        const char *end = memchr(text->data + from, '\n', text->length - from);
        if (!end && !ended)
            break;
        size_t length = (end ? (size_t)(end - text->data) : text->length) - start;
        if (!take_line(reader, text->data + start, length, ++*number) || !report(reader, 0))
            return false;
        start += length + (end != NULL);
    }
    drop_front(text, start);
    return true;
}

static bool read_lines(reader_t *reader) {
    bool ended = false;
    uint64_t number = 0;
    while (!ended && !corpus_sample_is_done(reader->sample)) {
        size_t looked = reader->text.length, got;
        if (!read_more(reader, CHUNK, &got) || !report(reader, got))
            return false;
        ended = got == 0;
        if (reader->text.length > 0 && !take_lines(reader, ended, looked, &number))
            return false;
        if (reader->text.length > CORPUS_MAX_TEXT)
            return error_set(reader->error, ERROR_CONFIG, "%s:%llu: a line may have %d bytes",
                             reader->path, (unsigned long long)number + 1, CORPUS_MAX_TEXT);
    }
    return true;
}

/* --- files ------------------------------------------------------------------------------------ */

static bool names_lines(const char *path) {
    static const char *const endings[] = {".jsonl",     ".ndjson",    ".jsonl.gz",
                                          ".ndjson.gz", ".jsonl.zst", ".ndjson.zst"};
    for (size_t i = 0; i < sizeof endings / sizeof endings[0]; i++)
        if (text_ends_with(path, endings[i]))
            return true;
    return false;
}

static corpus_stream_t *open_shipped(reader_t *reader) {
    const uint8_t *bytes;
    size_t length;
    error_info_t ignored;
    if (!reader->shipped)
        reader->shipped = subject_files_open(NULL, &ignored);
    if (reader->shipped &&
        subject_files_get(reader->shipped, EMBEDDED_NAME, &bytes, &length, &ignored)) {
        reader->bytes_total += length;
        return corpus_stream_open_memory(EMBEDDED_NAME, bytes, length);
    }
    error_set(reader->error, ERROR_CONFIG,
              "this build of glia has no corpus of its own (\"%s\"); name a file", CORPUS_EMBEDDED);
    return NULL;
}

static bool read_file(reader_t *reader, const char *path) {
    bool shipped = !strcmp(path, CORPUS_EMBEDDED);
    corpus_format_t format = reader->options->format;
    if (format == CORPUS_BY_NAME || shipped)
        format = names_lines(shipped ? EMBEDDED_NAME : path) ? CORPUS_JSON_LINES : CORPUS_TEXT;
    reader->path = !strcmp(path, "-") ? "standard input" : path;
    reader->stream = shipped ? open_shipped(reader) : corpus_stream_open(path, reader->error);
    if (!reader->stream)
        return false;
    reader->text.length = 0;
    bool good = format == CORPUS_TEXT ? read_text(reader) : read_lines(reader);
    reader->bytes_before += corpus_stream_position(reader->stream);
    corpus_stream_close(reader->stream);
    reader->stream = NULL;
    return good;
}

static bool read_files(reader_t *reader) {
    for (size_t i = 0; i < reader->files.count; i++) {
        reader->bytes_total += reader->files.files[i].size;
        reader->unsized |= reader->files.files[i].unsized;
    }
    for (size_t i = 0; i < reader->files.count && !corpus_sample_is_done(reader->sample); i++)
        if (!read_file(reader, reader->files.files[i].path))
            return false;
    return true;
}

static bool check_enough(const reader_t *reader) {
    const char *first = reader->files.files[0].path;
    const char *more = reader->files.count > 1 ? " and the others" : "";
    unsigned long long tokens = corpus_sample_tokens(reader->sample);
    if (tokens == 0)
        return error_set(reader->error, ERROR_CONFIG,
                         "the corpus is empty: there is no text in %s%s", first, more);
    return corpus_sample_windows(reader->sample) > 0 ||
           error_set(
               reader->error, ERROR_CONFIG,
               "the corpus is shorter than one excerpt: %s%s: %llu tokens, and an excerpt has %zu",
               first, more, tokens, reader->options->length);
}

static bool check_options(const corpus_options_t *options, error_info_t *error) {
    if (options->length < 1 || options->length > CORPUS_MAX_LENGTH)
        return error_set(error, ERROR_CONFIG, "an excerpt of %zu tokens: 1 to %d are possible",
                         options->length, CORPUS_MAX_LENGTH);
    return options->count >= 1 ||
           error_set(error, ERROR_CONFIG,
                     "no excerpt is asked for; the count has to be at least 1");
}

bool corpus_draw(const char *const *paths, size_t path_count, const tokenizer_t *tokenizer,
                 const corpus_options_t *options, excerpts_t *excerpts, error_info_t *error) {
    *excerpts = (excerpts_t){0};
    reader_t reader = {.tokenizer = tokenizer, .options = options, .error = error};
    if (!check_options(options, error) ||
        !corpus_files_list(paths, path_count, &reader.files, error))
        return false;
    reader.sample = corpus_sample_create(options);
    bool good = read_files(&reader) && check_enough(&reader);
    if (good) {
        corpus_sample_finish(reader.sample, excerpts);
        excerpts->documents = reader.documents;
    }
    corpus_sample_free(reader.sample);
    subject_files_close(reader.shipped);
    corpus_files_clear(&reader.files);
    token_list_clear(&reader.list);
    buffer_free(&reader.text);
    return good;
}

void excerpts_clear(excerpts_t *excerpts) {
    free(excerpts->tokens);
    free(excerpts->windows);
    *excerpts = (excerpts_t){0};
}
