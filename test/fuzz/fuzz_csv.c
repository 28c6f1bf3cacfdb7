/* fuzz_csv.c - a CSV file, as bytes. What is read is written and read again: the same fields. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/csv.h"
#include "core/base/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(int promise) {
    if (!promise)
        abort();
}

static void check_again(const char *const *fields, size_t count) {
    buffer_t line = BUFFER_EMPTY;
    for (size_t i = 0; i < count; i++) {
        check(text_utf8_valid_prefix(fields[i], strlen(fields[i])) == strlen(fields[i]));
        if (i)
            buffer_append_char(&line, ',');
        csv_write_text(&line, fields[i]);
    }
    buffer_append_char(&line, '\n');
    csv_t *csv = csv_open(line.data, line.length, "again");
    size_t again;
    const char *const *read;
    csv_result_t result = csv_next(csv, &again, &read, NULL);
    /* One empty field is an empty line, which is none; a byte order mark at the
     * start is not read. */
    if (line.length > 1 && strncmp(line.data, "\xEF\xBB\xBF", 3) != 0) {
        check(result == CSV_RECORD && again == count);
        for (size_t i = 0; i < count; i++)
            check(!strcmp(read[i], fields[i]));
    }
    csv_close(csv);
    buffer_free(&line);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    csv_t *csv = csv_open((const char *)data, size, "fuzz");
    size_t count, line = 0;
    const char *const *fields;
    error_info_t error;
    csv_result_t result;
    while ((result = csv_next(csv, &count, &fields, &error)) == CSV_RECORD) {
        check(count >= 1 && count <= CSV_MAX_FIELDS && csv_line(csv) > line);
        line = csv_line(csv);
        check_again(fields, count);
    }
    check(csv_next(csv, &count, &fields, &error) == CSV_END);
    csv_close(csv);
    return 0;
}
