/* json_prepare.c - the pass over JSON text that rewrites what jansson cannot read. */
#include "core/base/json_prepare.h"

#include <errno.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/json.h"
#include "core/base/json_scan.h"
#include "core/base/memory.h"

typedef struct {
    json_prepared_t *prepared;
    const char *text;
    size_t length;
    size_t at;     /* next byte to look at */
    size_t copied; /* bytes of `text` that are in `rewritten` */
    size_t depth;
    bool nonfinite;
} scan_t;

static void must(bool appended) {
    if (!appended)
        abort(); /* the buffer has no maximum: only a length past SIZE_MAX comes here */
}

/* Puts `replacement` in the place of the `taken` bytes at `start`. */
static void edit(scan_t *scan, size_t start, size_t taken, const char *replacement) {
    json_prepared_t *prepared = scan->prepared;
    must(buffer_append(&prepared->rewritten, scan->text + scan->copied, start - scan->copied));
    must(buffer_append_text(&prepared->rewritten, replacement));
    scan->copied = start + taken;
    if (prepared->edit_count == prepared->edit_capacity) {
        prepared->edit_capacity = prepared->edit_capacity == 0 ? 16 : prepared->edit_capacity * 2;
        prepared->edits =
            memory_resize(prepared->edits, prepared->edit_capacity, sizeof prepared->edits[0]);
    }
    json_edit_t next = {
        .at = prepared->rewritten.length, .added = strlen(replacement), .taken = taken};
    if (prepared->edit_count > 0) {
        next.added += prepared->edits[prepared->edit_count - 1].added;
        next.taken += prepared->edits[prepared->edit_count - 1].taken;
    }
    prepared->edits[prepared->edit_count++] = next;
}

static bool word_at(const scan_t *scan, size_t at, const char *word) {
    size_t length = strlen(word);
    if (scan->length - at < length || memcmp(scan->text + at, word, length) != 0)
        return false;
    char next = at + length < scan->length ? scan->text[at + length] : ' ';
    return strchr(" \t\r\n,]}", next) && next != '\0';
}

static void mark(scan_t *scan, size_t length, const char *replacement) {
    edit(scan, scan->at, length, replacement);
    scan->prepared->marked = true;
    scan->at += length;
}

/* Stands on the opening quote; leaves `at` behind the closing one. */
static void pass_string(scan_t *scan) {
    size_t at = scan->at + 1;
    if (scan->nonfinite && scan->length - at >= 6 && memcmp(scan->text + at, "\\u0000", 6) == 0) {
        edit(scan, at, 0, "\\u0000");
        scan->prepared->marked = true;
    }
    const char *end = scan->text + scan->length;
    scan->at = (size_t)(json_string_end(scan->text + at, end) - scan->text);
}

static double value_of(const char *number, size_t length) {
    char *copy = memory_copy(number, length);
    double value = strtod(copy, NULL);
    free(copy);
    return value;
}

static bool fits_integer(const char *number, size_t length) {
    enum { LONGEST = 20 }; /* "-9223372036854775808" */
    if (length > LONGEST)
        return false;
    char copy[LONGEST + 1];
    memcpy(copy, number, length);
    copy[length] = '\0';
    errno = 0;
    (void)strtoll(copy, NULL, 10);
    return errno == 0;
}

/* Stands on a digit or a minus. */
static void pass_number(scan_t *scan) {
    const char *number = scan->text + scan->at;
    size_t rest = scan->length - scan->at;
    size_t length = 1;
    bool integer = true;
    bool exponent = false;
    while (length < rest && number[length] != '\0' && strchr("0123456789+-.eE", number[length])) {
        integer = integer && number[length] >= '0' && number[length] <= '9';
        exponent = exponent || number[length] == 'e' || number[length] == 'E';
        length++;
    }
    if (scan->nonfinite && (exponent || length > 300)) {
        double value = value_of(number, length);
        if (isinf(value)) {
            mark(scan, length, value > 0 ? "\"\\u0000I\"" : "\"\\u0000M\"");
            return;
        }
    }
    scan->at += length;
    if (integer && length >= 19 && !fits_integer(number, length))
        edit(scan, scan->at, 0, ".0");
}

static void refuse(scan_t *scan, const char *why) {
    scan->prepared->refusal = why;
    scan->prepared->refused_at = scan->at;
}

static void pass_open(scan_t *scan) {
    if (++scan->depth > JSON_DEPTH_LIMIT)
        refuse(scan, "nested deeper than 512 levels");
    scan->at++;
}

static void pass_one(scan_t *scan) {
    switch (scan->text[scan->at]) {
    case '"': pass_string(scan); return;
    case '\0': refuse(scan, "a NUL byte"); return;
    case '[':
    case '{': pass_open(scan); return;
    case ']':
    case '}':
        scan->depth -= scan->depth > 0;
        scan->at++;
        return;
    case 'N':
        if (scan->nonfinite && word_at(scan, scan->at, "NaN")) {
            mark(scan, 3, "\"\\u0000N\"");
            return;
        }
        scan->at++;
        return;
    case 'I':
        if (scan->nonfinite && word_at(scan, scan->at, "Infinity")) {
            mark(scan, 8, "\"\\u0000I\"");
            return;
        }
        scan->at++;
        return;
    case '-':
        if (scan->nonfinite && word_at(scan, scan->at, "-Infinity")) {
            mark(scan, 9, "\"\\u0000M\"");
            return;
        }
        pass_number(scan);
        return;
    default:
        if (scan->text[scan->at] >= '0' && scan->text[scan->at] <= '9')
            pass_number(scan);
        else
            scan->at++;
    }
}

void json_prepare(json_prepared_t *prepared, const char *text, size_t length, unsigned flags) {
    *prepared = (json_prepared_t){.text = text, .length = length};
    scan_t scan = {.prepared = prepared, .text = text, .length = length};
    scan.nonfinite = (flags & JSON_ALLOW_NONFINITE) != 0;
    while (scan.at < length && !prepared->refusal)
        pass_one(&scan);
    if (prepared->edit_count > 0 && !prepared->refusal) {
        must(buffer_append(&prepared->rewritten, text + scan.copied, length - scan.copied));
        prepared->text = buffer_text(&prepared->rewritten);
        prepared->length = prepared->rewritten.length;
    }
}

void json_prepare_free(json_prepared_t *prepared) {
    buffer_free(&prepared->rewritten);
    free(prepared->edits);
}

size_t json_prepare_origin(const json_prepared_t *prepared, size_t offset) {
    size_t low = 0; /* edits before `low` end at or before the offset */
    size_t high = prepared->edit_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (prepared->edits[middle].at <= offset)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == 0)
        return offset;
    return offset - prepared->edits[low - 1].added + prepared->edits[low - 1].taken;
}
