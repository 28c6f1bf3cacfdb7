/* text.c - visible bytes, closest names, and numbers and times as people read them. */
#include "core/base/text.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/memory.h"

/* Characters that turn the direction of what follows: text could be shown in another order
 * than it is read in. */
static bool turns_direction(uint32_t character) {
    return character == 0x061C || character == 0x200E || character == 0x200F ||
           (character >= 0x202A && character <= 0x202E) ||
           (character >= 0x2066 && character <= 0x2069);
}

static bool is_late_control(uint32_t character) {
    return character >= 0x7F && character < 0xA0;
}

static void append_one_line_character(buffer_t *out, const char *bytes, size_t size,
                                      uint32_t character, bool escape) {
    if (character == '\n')
        buffer_append_text(out, "\\n");
    else if (character == '\t')
        buffer_append_text(out, "\\t");
    else if (character == '\r')
        buffer_append_text(out, "\\r");
    else if (escape || character < 0x20 || is_late_control(character) || character == 0x2028 ||
             character == 0x2029)
        for (size_t i = 0; i < size; i++)
            buffer_append_format(out, "\\x%02X", (unsigned)(unsigned char)bytes[i]);
    else
        buffer_append(out, bytes, size);
}

static void append_one_line(buffer_t *out, const char *bytes, size_t length, bool directions) {
    size_t i = 0;
    while (i < length) {
        uint32_t character;
        size_t step = text_utf8_decode(bytes + i, length - i, &character);
        if (step == 0) {
            buffer_append_format(out, "\\x%02X", (unsigned)(unsigned char)bytes[i]);
            step = 1;
        } else {
            append_one_line_character(out, bytes + i, step, character,
                                      directions && turns_direction(character));
        }
        i += step;
    }
}

void text_append_one_line(buffer_t *out, const char *bytes, size_t length) {
    append_one_line(out, bytes, length, false);
}

void text_append_visible(buffer_t *out, const char *bytes, size_t length) {
    append_one_line(out, bytes, length, true);
}

/* The length of an escape sequence at bytes[0] that sets colours and nothing else, or 0. */
static size_t colour_sequence(const char *bytes, size_t length) {
    size_t i = 2;
    if (length < 3 || bytes[0] != 0x1B || bytes[1] != '[')
        return 0;
    while (i < length && ((bytes[i] >= '0' && bytes[i] <= '9') || bytes[i] == ';'))
        i++;
    return i < length && bytes[i] == 'm' ? i + 1 : 0;
}

void text_append_harmless(buffer_t *out, const char *bytes, size_t length) {
    size_t i = 0;
    while (i < length) {
        uint32_t character;
        size_t colour = colour_sequence(bytes + i, length - i);
        size_t step = colour ? colour : text_utf8_decode(bytes + i, length - i, &character);
        if (step == 0) {
            buffer_append_text(out, "\xEF\xBF\xBD");
            step = text_utf8_invalid_run(bytes + i, length - i);
        } else if (!colour && ((character < 0x20 && character != '\n' && character != '\t') ||
                               is_late_control(character) || turns_direction(character))) {
            buffer_append_format(out, "\\u%04X", (unsigned)character);
        } else {
            buffer_append(out, bytes + i, step);
        }
        i += step;
    }
}

bool text_starts_with(const char *text, const char *prefix) {
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

bool text_ends_with(const char *text, const char *suffix) {
    size_t length = strlen(text);
    size_t wanted = strlen(suffix);
    return length >= wanted && memcmp(text + length - wanted, suffix, wanted) == 0;
}

static size_t smaller(size_t a, size_t b) {
    return a < b ? a : b;
}

/* Insertions, deletions, replacements and swaps of neighbours that turn a into b; `rows`
 * holds 3 (b + 1). */
static size_t edit_distance(const char *a, size_t a_length, const char *b, size_t b_length,
                            size_t *rows) {
    size_t width = b_length + 1;
    size_t *before = rows;
    size_t *last = rows + width;
    size_t *row = rows + 2 * width;
    for (size_t j = 0; j < width; j++)
        last[j] = j;
    for (size_t i = 1; i <= a_length; i++) {
        row[0] = i;
        for (size_t j = 1; j < width; j++) {
            size_t best = smaller(last[j] + 1, row[j - 1] + 1);
            best = smaller(best, last[j - 1] + (a[i - 1] != b[j - 1]));
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                best = smaller(best, before[j - 2] + 1);
            row[j] = best;
        }
        size_t *free_row = before;
        before = last;
        last = row;
        row = free_row;
    }
    return last[b_length];
}

const char *text_closest(const char *word, const char *const *names, size_t count) {
    enum { LONGEST = 512 }; /* the work is a product of lengths; nobody mistypes longer names */
    size_t length = strlen(word);
    size_t limit = length / 3;
    if (length > LONGEST || limit == 0)
        return NULL;
    const char *closest = NULL;
    size_t *rows = MEMORY_NEW_ARRAY(3 * (length + limit + 1), size_t);
    for (size_t i = 0; i < count; i++) {
        size_t name_length = strlen(names[i]);
        if (name_length > length + limit || name_length + limit < length)
            continue;
        size_t distance = edit_distance(word, length, names[i], name_length, rows);
        if (distance <= limit) {
            closest = names[i];
            if (distance == 0)
                break;
            limit = distance - 1; /* the first of equally close names stays */
        }
    }
    free(rows);
    return closest;
}

const char *text_format_count(uint64_t count, char out[32]) {
    char digits[24];
    int length = snprintf(digits, sizeof digits, "%" PRIu64, count);
    size_t to = 0;
    for (int i = 0; i < length; i++) {
        if (i > 0 && (length - i) % 3 == 0)
            out[to++] = ',';
        out[to++] = digits[i];
    }
    out[to] = '\0';
    return out;
}

const char *text_format_duration(double seconds, char out[32]) {
    if (isnan(seconds) || seconds < 0 || seconds > 1e12) {
        snprintf(out, 32, "unknown");
        return out;
    }
    if (seconds < 9.95) {
        snprintf(out, 32, "%.1f s", seconds);
        return out;
    }
    /* Rounded once, to the unit that is shown last, so that 59.7 s is "1 min 00 s". */
    uint64_t whole = (uint64_t)(seconds + 0.5);
    uint64_t minutes = (uint64_t)(seconds / 60 + 0.5);
    uint64_t hours = (uint64_t)(seconds / 3600 + 0.5);
    if (whole < 60)
        snprintf(out, 32, "%" PRIu64 " s", whole);
    else if (whole < 3600)
        snprintf(out, 32, "%" PRIu64 " min %02" PRIu64 " s", whole / 60, whole % 60);
    else if (minutes < UINT64_C(48) * 60)
        snprintf(out, 32, "%" PRIu64 " h %02" PRIu64 " min", minutes / 60, minutes % 60);
    else
        snprintf(out, 32, "%" PRIu64 " d %02" PRIu64 " h", hours / 24, hours % 24);
    return out;
}

const char *text_format_size(uint64_t bytes, char out[32]) {
    static const char *const units[] = {"B", "kB", "MB", "GB", "TB", "PB", "EB"};
    size_t unit = 0;
    double value = (double)bytes;
    while (value >= (unit == 0 ? 1000 : 999.95)) {
        value /= 1000;
        unit++;
    }
    snprintf(out, 32, unit == 0 ? "%.0f %s" : "%.1f %s", value, units[unit]);
    return out;
}

static int64_t floor_divide(int64_t a, int64_t b) {
    return a / b - (a % b < 0);
}

int32_t text_day_of(int64_t microseconds) {
    return (int32_t)floor_divide(microseconds, INT64_C(86400000000));
}

/* Proleptic Gregorian calendar; the algorithm is civil_from_days of Howard Hinnant,
 * "chrono-Compatible Low-Level Date Algorithms": years begin on 1 March, so that a leap day is the
 * last of its year. */
const char *text_format_day(int32_t day, char out[16]) {
    int64_t shifted = (int64_t)day + 719468;
    int64_t era = floor_divide(shifted, 146097);
    int64_t day_of_era = shifted - era * 146097;
    int64_t year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t month_index = (5 * day_of_year + 2) / 153;
    int64_t day_of_month = day_of_year - (153 * month_index + 2) / 5 + 1;
    int64_t month = month_index < 10 ? month_index + 3 : month_index - 9;
    int64_t year = year_of_era + era * 400 + (month <= 2);
    snprintf(out, 16, "%04d-%02u-%02u", (int)year, (unsigned)month % 100U,
             (unsigned)day_of_month % 100U);
    return out;
}

const char *text_format_time(int64_t microseconds, char out[32]) {
    int32_t day = text_day_of(microseconds);
    int64_t second = floor_divide(microseconds, 1000000) - (int64_t)day * 86400;
    char date[16];
    snprintf(out, 32, "%.15sT%02u:%02u:%02uZ", text_format_day(day, date),
             (unsigned)(second / 3600) % 100U, (unsigned)(second / 60) % 60U,
             (unsigned)second % 60U);
    return out;
}

void text_copy(char *out, size_t size, const char *text) {
    size_t length = strnlen(text, size - 1);
    memcpy(out, text, length);
    out[length] = '\0';
}
