/* records.c - finds and reads the records of a prompt. */
#define _GNU_SOURCE /* memmem */
#include "tools/standin/records.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/memory.h"

/* A stretch of the prompt. */
typedef struct {
    const char *at;
    const char *end;
} span_t;

static const char opening[] = "<start>";

static const char *find(span_t span, const char *what) {
    return span.at < span.end ? memmem(span.at, (size_t)(span.end - span.at), what, strlen(what))
                              : NULL;
}

/* --- values --- */

/* Reads "unknown" or 0..10 at the start of the span. False: neither. */
static bool read_value(span_t span, size_t *size, int *value) {
    static const char unknown[] = "unknown";
    size_t left = (size_t)(span.end - span.at);
    if (left >= strlen(unknown) && memcmp(span.at, unknown, strlen(unknown)) == 0) {
        *size = strlen(unknown);
        *value = -1;
        return true;
    }
    size_t digits = 0;
    int number = 0;
    while (digits < left && digits < 2 && span.at[digits] >= '0' && span.at[digits] <= '9')
        number = number * 10 + (span.at[digits++] - '0');
    *size = digits;
    *value = number;
    return digits > 0 && number <= 10;
}

/* The next tab that is followed by a value and `separator` or the end; a token may
 * hold tabs itself. */
static const char *find_value(span_t span, char separator, size_t *size, int *value) {
    while (span.at < span.end && (span.at = memchr(span.at, '\t', (size_t)(span.end - span.at)))) {
        span_t behind = {span.at + 1, span.end};
        if (read_value(behind, size, value) &&
            (behind.at + *size == span.end || behind.at[*size] == separator))
            return span.at;
        span.at++;
    }
    return NULL;
}

/* --- records of lines --- */

/* `open`: the prompt ends here, so that a tab at the end asks for a value. */
static void read_lines(span_t body, const char *text, bool open, standin_record_t *record) {
    size_t size;
    int value;
    const char *tab;
    record->lines = true;
    while ((tab = find_value(body, '\n', &size, &value))) {
        standin_piece_t *piece =
            standin_passage_add(&record->passage, body.at, (size_t)(tab - body.at), 0);
        piece->unknown = value < 0;
        piece->mark = value > 0 ? value / 10.0 : 0;
        piece->value_offset = (size_t)(tab + 1 - text);
        record->unknowns += piece->unknown;
        body.at = tab + 1 + size;
        body.at += body.at < body.end; /* the newline */
    }
    if (open && body.at < body.end && body.end[-1] == '\t') {
        standin_piece_t *piece =
            standin_passage_add(&record->passage, body.at, (size_t)(body.end - 1 - body.at), 0);
        piece->unknown = true;
        piece->value_offset = (size_t)(body.end - text);
        record->unknowns++;
        record->open = true;
    }
}

/* --- records of text --- */

/* Calls for every item of the list in order; `value` is 10 where the list has none. */
static bool next_item(span_t *list, span_t *item, int *value) {
    size_t size;
    *value = 10;
    if (list->at >= list->end)
        return false;
    const char *tab = find_value(*list, ',', &size, value);
    item->at = list->at;
    if (tab) {
        item->end = tab;
        list->at = tab + 1 + size + 1;
        return true;
    }
    const char *comma = memchr(list->at, ',', (size_t)(list->end - list->at));
    if (comma == list->at) { /* a comma is itself the token: an empty item, then one more */
        item->end = comma + 1;
        list->at = comma + 2;
        return true;
    }
    item->end = comma ? comma : list->end;
    list->at = comma ? comma + 1 : list->end;
    return true;
}

static bool is_word_byte(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (unsigned char)c >= 0x80;
}

/* Where a listed token most likely stands: whole words first. */
static const char *place_item(span_t body, span_t item) {
    size_t size = (size_t)(item.end - item.at);
    const char *anywhere = NULL;
    for (span_t rest = body; size > 0 && rest.at + size <= rest.end; rest.at++) {
        const char *found = memmem(rest.at, (size_t)(rest.end - rest.at), item.at, size);
        if (!found)
            break;
        bool whole =
            found + size == body.end || !is_word_byte(item.end[-1]) || !is_word_byte(found[size]);
        if (whole)
            return found;
        anywhere = anywhere ? anywhere : found;
        rest.at = found;
    }
    return anywhere;
}

/* Text whose marked tokens are known from a list only. */
static void read_listed(span_t body, span_t list, standin_record_t *record) {
    span_t item;
    int value;
    while (next_item(&list, &item, &value)) {
        const char *found = place_item(body, item);
        if (!found)
            continue;
        standin_passage_add_text(&record->passage, body.at, (size_t)(found - body.at));
        standin_passage_add(&record->passage, found, (size_t)(item.end - item.at), value / 10.0);
        body.at = found + (item.end - item.at);
    }
    standin_passage_add_text(&record->passage, body.at, (size_t)(body.end - body.at));
}

/* Text with brackets; values, where a list has them, come in the same order. */
static void read_bracketed(span_t body, span_t list, standin_record_t *record) {
    span_t item;
    int value;
    while (body.at < body.end) {
        const char *open = find(body, "[");
        const char *close = open ? find((span_t){open + 2, body.end}, "]") : NULL;
        if (!close)
            break;
        standin_passage_add_text(&record->passage, body.at, (size_t)(open - body.at));
        if (!next_item(&list, &item, &value))
            value = 10;
        standin_passage_add(&record->passage, open + 1, (size_t)(close - open) - 1, value / 10.0);
        body.at = close + 1;
    }
    standin_passage_add_text(&record->passage, body.at, (size_t)(body.end - body.at));
}

/* The list in the text behind a record: what follows the first colon, on its line or the next. */
static span_t find_list(span_t behind) {
    const char *colon = find(behind, ":");
    if (!colon)
        return (span_t){NULL, NULL};
    span_t list = {colon + 1, behind.end};
    if (list.at < list.end && *list.at == '\n')
        list.at++;
    const char *newline = find(list, "\n");
    if (newline)
        list.end = newline;
    return list;
}

/* Whether brackets mark tokens: a list, if there is one, must begin with what the
 * first brackets hold. */
static bool brackets_mark(span_t body, span_t list) {
    const char *open = find(body, "[");
    span_t item;
    int value;
    if (!open || !find((span_t){open, body.end}, "]"))
        return false;
    if (!next_item(&list, &item, &value))
        return true;
    size_t size = (size_t)(item.end - item.at);
    return (size_t)(body.end - open) > size + 1 && memcmp(open + 1, item.at, size) == 0;
}

static void read_text(span_t body, span_t behind, standin_record_t *record) {
    span_t list = find_list(behind);
    bool named = list.at && list.end > list.at && list.end < behind.end;
    if (!named)
        list.end = list.at;
    if (brackets_mark(body, list))
        read_bracketed(body, list, record);
    else
        read_listed(body, list, record);
}

/* --- the prompt --- */

/* The text behind the last colon line of `before`: "...: explanation". */
static void read_explanation(span_t before, standin_record_t *record) {
    static const char preamble[] = "the main thing this neuron does is find";
    for (const char *end = before.end; end > before.at;) {
        const char *line = end;
        while (line > before.at && line[-1] != '\n')
            line--;
        const char *colon = find((span_t){line, end}, ": ");
        if (colon && strspn(colon + 1, " \t\r") < (size_t)(end - colon - 1)) {
            span_t rest = {colon + 1, end};
            const char *known = find(rest, preamble);
            const char *special = find(rest, "<|");
            rest.at = known ? known + strlen(preamble) : rest.at;
            rest.end = special && special > rest.at ? special : rest.end;
            record->explanation = rest.at;
            record->explanation_length = (size_t)(rest.end - rest.at);
            return;
        }
        end = line > before.at ? line - 1 : before.at;
    }
}

/* A mark of the layout; before a tab it would be a token. */
static const char *find_mark(span_t span, const char *mark) {
    const char *found = find(span, mark);
    while (found && found + strlen(mark) < span.end && found[strlen(mark)] == '\t')
        found = find((span_t){found + 1, span.end}, mark);
    return found;
}

/* The next record: what stands between its marks, and where to go on. A mark that is opened twice
 * counts the last time. Without a closing mark the prompt ends inside the record: `open`. */
static bool next_body(span_t *rest, span_t *body, bool *open) {
    const char *start = find_mark(*rest, opening);
    if (!start)
        return false;
    body->at = start + strlen(opening);
    const char *closing = body->at < rest->end && *body->at == '\n' ? "\n<end>" : "<end>";
    const char *end = find_mark((span_t){body->at, rest->end}, closing);
    *open = !end;
    body->end = end ? end : rest->end;
    rest->at = end ? end + strlen(closing) : rest->end;
    while ((start = find_mark(*body, opening)))
        body->at = start + strlen(opening);
    return true;
}

static void add_record(const standin_lexicon_t *lexicon, standin_records_t *records, span_t whole,
                       span_t before, span_t body, bool open, const char *text) {
    records->records =
        memory_resize(records->records, records->count + 1, sizeof *records->records);
    standin_record_t *record = &records->records[records->count];
    *record = (standin_record_t){0};
    if (records->count > 0) {
        record->explanation = record[-1].explanation;
        record->explanation_length = record[-1].explanation_length;
    }
    records->count++;
    read_explanation(before, record);
    bool lines = body.at < whole.end && *body.at == '\n';
    if (lines) {
        body.at += body.at < body.end;
        read_lines(body, text, open, record);
    } else {
        span_t behind = {body.end, whole.end};
        const char *next = find(behind, opening);
        behind.end = next ? next : whole.end;
        read_text(body, behind, record);
    }
    /* Who looks for what marked lines share reads line by line, and misses what a word in
     * pieces would say. */
    standin_passage_finish(&record->passage, lexicon, !lines || record->unknowns > 0);
}

/* Whether `repeat` holds just the marked pieces of `full`. */
static bool repeats(const standin_record_t *full, const standin_record_t *repeat) {
    size_t next = 0;
    if (!full->lines || !repeat->lines)
        return false;
    for (size_t i = 0; i < full->passage.piece_count; i++) {
        const standin_piece_t *piece = &full->passage.pieces[i];
        if (piece->mark <= 0)
            continue;
        if (next == repeat->passage.piece_count)
            return false;
        const standin_piece_t *other = &repeat->passage.pieces[next++];
        if (other->length != piece->length ||
            memcmp(other->bytes, piece->bytes, piece->length) != 0)
            return false;
    }
    return next == repeat->passage.piece_count;
}

static void drop_repeats(standin_records_t *records) {
    size_t half = records->count / 2;
    if (half == 0 || records->count % 2 != 0)
        return;
    for (size_t i = 0; i < half; i++)
        if (!repeats(&records->records[i], &records->records[half + i]))
            return;
    for (size_t i = half; i < records->count; i++)
        standin_passage_clear(&records->records[i].passage);
    records->count = half;
}

void standin_records_read(const standin_lexicon_t *lexicon, const char *text, size_t length,
                          standin_records_t *records) {
    *records = (standin_records_t){0};
    span_t whole = {text, text + length}, before = {text, text}, rest = whole, body;
    bool open;
    while (next_body(&rest, &body, &open)) {
        before.end = body.at - strlen(opening);
        add_record(lexicon, records, whole, before, body, open, text);
        before.at = rest.at;
    }
    drop_repeats(records);
}

void standin_records_clear(standin_records_t *records) {
    for (size_t i = 0; i < records->count; i++)
        standin_passage_clear(&records->records[i].passage);
    free(records->records);
    *records = (standin_records_t){0};
}
