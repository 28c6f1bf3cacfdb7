/* csv.c - the reader is a small state machine over one record at a time. */
#include "core/base/csv.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/memory.h"
#include "core/base/text.h"

struct csv {
    const char *at, *end;
    const char *name;
    size_t line;   /* of `at` */
    size_t record; /* line on which the record began */
    bool ended;
    buffer_t bytes; /* fields of the record, each followed by a NUL */
    size_t count;
    size_t starts[CSV_MAX_FIELDS]; /* offsets in `bytes` */
    const char *fields[CSV_MAX_FIELDS];
};

csv_t *csv_open(const char *text, size_t length, const char *name) {
    csv_t *csv = MEMORY_NEW(csv_t);
    csv->at = text;
    csv->end = text + length;
    csv->name = name;
    csv->line = 1;
    csv->bytes.maximum = CSV_MAX_RECORD;
    if (length >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0)
        csv->at += 3;
    return csv;
}

void csv_close(csv_t *csv) {
    if (!csv)
        return;
    buffer_free(&csv->bytes);
    free(csv);
}

size_t csv_line(const csv_t *csv) {
    return csv->record;
}

static bool refuse(const csv_t *csv, error_info_t *error, const char *what) {
    return error_set(error, ERROR_CONFIG, "%s:%zu: %s", csv->name, csv->line, what);
}

static bool refuse_long(const csv_t *csv, error_info_t *error) {
    return error_set(error, ERROR_CONFIG,
                     "%s:%zu: a record of more than %d bytes; is a quote not closed?", csv->name,
                     csv->record, CSV_MAX_RECORD);
}

/* Appends plain bytes up to one of `stops` or the end of the text. */
static bool take_run(csv_t *csv, const char *stops, error_info_t *error) {
    const char *from = csv->at;
    while (csv->at < csv->end && *csv->at && !strchr(stops, *csv->at)) {
        csv->line += *csv->at == '\n';
        csv->at++;
    }
    size_t length = (size_t)(csv->at - from);
    if (csv->at < csv->end && !*csv->at)
        return refuse(csv, error, "a NUL byte; is it a text file?");
    if (text_utf8_valid_prefix(from, length) != length)
        return refuse(csv, error, "bytes that are not UTF-8; convert the file");
    return buffer_append(&csv->bytes, from, length) || refuse_long(csv, error);
}

static bool at_end_of_field(const csv_t *csv) {
    if (csv->at == csv->end || *csv->at == ',' || *csv->at == '\n')
        return true;
    return *csv->at == '\r' && (csv->at + 1 == csv->end || csv->at[1] == '\n');
}

static bool take_quoted(csv_t *csv, error_info_t *error) {
    size_t line = csv->line;
    csv->at++;
    for (;;) {
        if (!take_run(csv, "\"", error))
            return false;
        if (csv->at == csv->end)
            return error_set(error, ERROR_CONFIG, "%s:%zu: a quote that is never closed", csv->name,
                             line);
        csv->at++;
        if (csv->at == csv->end || *csv->at != '"')
            break;
        csv->at++;
        if (!buffer_append_char(&csv->bytes, '"'))
            return refuse_long(csv, error);
    }
    return at_end_of_field(csv) ||
           refuse(csv, error, "bytes behind a closing quote; double a quote inside a field");
}

static bool take_plain(csv_t *csv, error_info_t *error) {
    if (!take_run(csv, ",\r\n\"", error))
        return false;
    if (csv->at < csv->end && *csv->at == '"')
        return refuse(csv, error, "a quote inside a field; put the field in quotes and double it");
    return at_end_of_field(csv) ||
           refuse(csv, error, "a carriage return inside a field; put the field in quotes");
}

static bool take_field(csv_t *csv, error_info_t *error) {
    if (csv->count == CSV_MAX_FIELDS)
        return error_set(error, ERROR_CONFIG, "%s:%zu: more than %d fields", csv->name, csv->line,
                         CSV_MAX_FIELDS);
    csv->starts[csv->count++] = csv->bytes.length;
    bool quoted = csv->at < csv->end && *csv->at == '"';
    if (!(quoted ? take_quoted(csv, error) : take_plain(csv, error)))
        return false;
    return buffer_append_char(&csv->bytes, '\0') || refuse_long(csv, error);
}

/* Past the newline that ends a record. */
static void end_line(csv_t *csv) {
    if (csv->at < csv->end && *csv->at == '\r')
        csv->at++;
    if (csv->at < csv->end && *csv->at == '\n') {
        csv->at++;
        csv->line++;
    }
}

static bool take_record(csv_t *csv, error_info_t *error) {
    csv->record = csv->line;
    csv->count = 0;
    buffer_clear(&csv->bytes);
    for (;;) {
        if (!take_field(csv, error))
            return false;
        if (csv->at == csv->end || *csv->at != ',')
            break;
        csv->at++;
    }
    end_line(csv);
    return true;
}

csv_result_t csv_next(csv_t *csv, size_t *count, const char *const **fields, error_info_t *error) {
    while (csv->at < csv->end && (*csv->at == '\n' || (*csv->at == '\r' && at_end_of_field(csv))))
        end_line(csv);
    if (csv->ended || csv->at == csv->end) {
        csv->ended = true;
        return CSV_END;
    }
    if (!take_record(csv, error)) {
        csv->ended = true;
        return CSV_ERROR;
    }
    for (size_t i = 0; i < csv->count; i++)
        csv->fields[i] = csv->bytes.data + csv->starts[i];
    *count = csv->count;
    *fields = csv->fields;
    return CSV_RECORD;
}

/* --- writing ---------------------------------------------------------------------------------- */

static void write_valid(buffer_t *out, const char *bytes, size_t length) {
    while (length > 0) {
        size_t valid = text_utf8_valid_prefix(bytes, length);
        buffer_append(out, bytes, valid);
        if (valid == length)
            return;
        buffer_append_text(out, "\xEF\xBF\xBD");
        valid += text_utf8_invalid_run(bytes + valid, length - valid);
        bytes += valid;
        length -= valid;
    }
}

void csv_write_field(buffer_t *out, const char *bytes, size_t length) {
    bool quoted = length > 0 && (bytes[0] == ' ' || bytes[length - 1] == ' ');
    for (size_t i = 0; i < length && !quoted; i++)
        quoted = bytes[i] == ',' || bytes[i] == '"' || bytes[i] == '\n' || bytes[i] == '\r';
    if (!quoted) {
        write_valid(out, bytes, length);
        return;
    }
    buffer_append_char(out, '"');
    for (size_t i = 0; i < length;) {
        const char *quote = memchr(bytes + i, '"', length - i);
        size_t run = quote ? (size_t)(quote - bytes) + 1 - i : length - i;
        write_valid(out, bytes + i, run);
        if (quote)
            buffer_append_char(out, '"');
        i += run;
    }
    buffer_append_char(out, '"');
}

void csv_write_text(buffer_t *out, const char *text) {
    if (text)
        csv_write_field(out, text, strlen(text));
}
