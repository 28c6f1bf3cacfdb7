/* json_write.c - writing JSON text into a buffer. (Reading: json.c.) */
#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/json.h"
#include "core/base/memory.h"
#include "core/base/text.h"

/* Takes back what a writer appended before it met the maximum. */
static bool undo(buffer_t *buffer, size_t mark) {
    buffer->length = mark;
    if (buffer->data)
        buffer->data[mark] = '\0';
    return false;
}

static bool write_escape(buffer_t *buffer, unsigned char byte) {
    switch (byte) {
    case '"': return buffer_append_text(buffer, "\\\"");
    case '\\': return buffer_append_text(buffer, "\\\\");
    case '\n': return buffer_append_text(buffer, "\\n");
    case '\r': return buffer_append_text(buffer, "\\r");
    case '\t': return buffer_append_text(buffer, "\\t");
    case '\b': return buffer_append_text(buffer, "\\b");
    case '\f': return buffer_append_text(buffer, "\\f");
    default: return buffer_append_format(buffer, "\\u%04x", (unsigned)byte);
    }
}

/* How many bytes at `bytes`, sixteen at a time, are ASCII that can be copied as it is. */
static size_t plain_words(const char *bytes, size_t length) {
    typedef uint8_t vector_t __attribute__((vector_size(16)));
    size_t i = 0;
    for (vector_t chunk; length - i >= sizeof chunk; i += sizeof chunk) {
        memcpy(&chunk, bytes + i, sizeof chunk);
        vector_t special =
            (vector_t)((chunk < 0x20) | (chunk >= 0x80) | (chunk == '"') | (chunk == '\\'));
        uint64_t halves[2];
        memcpy(halves, &special, sizeof halves);
        if (halves[0] | halves[1])
            break;
    }
    return i;
}

/* How many bytes at `bytes` can be copied as they are. */
static size_t plain_run(const char *bytes, size_t length) {
    size_t i = 0;
    while (i < length) {
        i += plain_words(bytes + i, length - i);
        if (i == length)
            break;
        unsigned char byte = (unsigned char)bytes[i];
        if (byte < 0x20 || byte == '"' || byte == '\\')
            break;
        uint32_t character;
        size_t step = byte < 0x80 ? 1 : text_utf8_decode(bytes + i, length - i, &character);
        if (step == 0)
            break;
        i += step;
    }
    return i;
}

bool json_write_string(buffer_t *buffer, const char *bytes, size_t length) {
    size_t mark = buffer->length;
    bool done = buffer_append_char(buffer, '"');
    size_t i = 0;
    while (done && i < length) {
        size_t run = plain_run(bytes + i, length - i);
        done = buffer_append(buffer, bytes + i, run);
        i += run;
        if (!done || i == length)
            break;
        if ((unsigned char)bytes[i] < 0x80) {
            done = write_escape(buffer, (unsigned char)bytes[i]);
            i++;
        } else {
            done = buffer_append_text(buffer, "\xEF\xBF\xBD");
            i += text_utf8_invalid_run(bytes + i, length - i);
        }
    }
    return (done && buffer_append_char(buffer, '"')) || undo(buffer, mark);
}

bool json_write_text(buffer_t *buffer, const char *text) {
    return !text ? buffer_append_text(buffer, "null")
                 : json_write_string(buffer, text, strlen(text));
}

/* Lays out [-]digits * 10^(exponent - digits + 1) the way a person would: 0.001, 120, 1.5e-7. */
static void lay_out(char out[64], bool negative, const char *digits, int count, int exponent) {
    const char *sign = negative ? "-" : "";
    if (exponent < -5 || exponent > 16)
        snprintf(out, 64, "%s%c%s%.*se%+d", sign, digits[0], count > 1 ? "." : "", count - 1,
                 digits + 1, exponent);
    else if (exponent < 0)
        snprintf(out, 64, "%s0.%.*s%.*s", sign, -exponent - 1, "00000", count, digits);
    else if (count <= exponent + 1)
        snprintf(out, 64, "%s%.*s%.*s", sign, count, digits, exponent + 1 - count,
                 "0000000000000000");
    else
        snprintf(out, 64, "%s%.*s.%.*s", sign, exponent + 1, digits, count - exponent - 1,
                 digits + exponent + 1);
}

/* Takes "-1.2345000e-07" apart; only its digits are used, so that a locale's decimal
 * point does no harm. */
static void normalise(char out[64], const char *scientific) {
    char digits[32];
    int count = 0;
    const char *at = scientific + (scientific[0] == '-');
    for (; *at != 'e'; at++)
        if (*at >= '0' && *at <= '9')
            digits[count++] = *at;
    while (count > 1 && digits[count - 1] == '0')
        count--;
    lay_out(out, scientific[0] == '-', digits, count, atoi(at + 1));
}

/* Integers below 2^53 are exact, and by far the most common numbers. -0 is not one: "-0" would be
 * read as the integer 0. */
static bool write_whole(buffer_t *buffer, double number) {
    return buffer_append_format(buffer, "%" PRId64, (int64_t)number);
}

static bool is_small_whole(double number) {
    return fabs(number) < 1e15 && number == floor(number) && !(number == 0 && signbit(number));
}

bool json_write_number(buffer_t *buffer, double number) {
    if (!isfinite(number))
        return buffer_append_text(buffer, "null");
    if (is_small_whole(number))
        return write_whole(buffer, number);
    if (number == 0)
        return buffer_append_text(buffer, "-0.0");
    char scientific[48];
    /* A decimal of up to DBL_DIG digits survives the way through a double, so fewer need not be
     * tried; a subnormal has fewer good digits. */
    for (int digits = fabs(number) < DBL_MIN ? 1 : DBL_DIG; digits <= DBL_DECIMAL_DIG; digits++) {
        snprintf(scientific, sizeof scientific, "%.*e", digits - 1, number);
        if (strtod(scientific, NULL) == number)
            break;
    }
    char text[64];
    normalise(text, scientific);
    return buffer_append_text(buffer, text);
}

bool json_write_float(buffer_t *buffer, float number) {
    if (!isfinite(number))
        return buffer_append_text(buffer, "null");
    if (is_small_whole((double)number) && fabsf(number) < 16777216.0F)
        return write_whole(buffer, (double)number);
    if (number == 0)
        return buffer_append_text(buffer, "-0.0");
    char scientific[48];
    for (int digits = fabsf(number) < FLT_MIN ? 1 : FLT_DIG; digits <= FLT_DECIMAL_DIG; digits++) {
        snprintf(scientific, sizeof scientific, "%.*e", digits - 1, (double)number);
        if (strtof(scientific, NULL) == number)
            break;
    }
    char text[64];
    normalise(text, scientific);
    return buffer_append_text(buffer, text);
}

bool json_write_integer(buffer_t *buffer, int64_t integer) {
    return buffer_append_format(buffer, "%" PRId64, integer);
}

typedef struct {
    const char *key;
    const json_value_t *value;
} member_t;

static int compare_members(const void *a, const void *b) {
    size_t a_length, b_length;
    const char *a_name = json_member_name(((const member_t *)a)->value, &a_length);
    const char *b_name = json_member_name(((const member_t *)b)->value, &b_length);
    int order = memcmp(a_name, b_name, a_length < b_length ? a_length : b_length);
    return order != 0 ? order : (a_length > b_length) - (a_length < b_length);
}

static bool write_object(buffer_t *buffer, const json_value_t *value, bool sorted) {
    size_t count = json_count(value);
    member_t *members = MEMORY_NEW_ARRAY(count, member_t);
    json_iterator_t iterator = json_iterate(value);
    for (size_t i = 0; i < count && json_next(&iterator, &members[i].key, &members[i].value); i++) {
    }
    if (sorted && count > 1)
        qsort(members, count, sizeof members[0], compare_members);
    bool done = buffer_append_char(buffer, '{');
    for (size_t i = 0; done && i < count; i++) {
        size_t length;
        const char *name = json_member_name(members[i].value, &length);
        done = (i == 0 || buffer_append_char(buffer, ',')) &&
               json_write_string(buffer, name, length) && buffer_append_char(buffer, ':') &&
               json_write_value(buffer, members[i].value, sorted);
    }
    free(members);
    return done && buffer_append_char(buffer, '}');
}

static bool write_array(buffer_t *buffer, const json_value_t *value, bool sorted) {
    size_t count = json_count(value);
    bool done = buffer_append_char(buffer, '[');
    for (size_t i = 0; done && i < count; i++)
        done = (i == 0 || buffer_append_char(buffer, ',')) &&
               json_write_value(buffer, json_at(value, i), sorted);
    return done && buffer_append_char(buffer, ']');
}

static bool write_number_value(buffer_t *buffer, const json_value_t *value) {
    double number = 0;
    int64_t integer = 0;
    json_as_number(value, &number);
    /* -0.0 is an integer to json_as_integer(), which would lose its sign. */
    if (!(number == 0 && signbit(number)) && json_as_integer(value, &integer))
        return json_write_integer(buffer, integer);
    return json_write_number(buffer, number);
}

static bool write_boolean(buffer_t *buffer, const json_value_t *value) {
    bool boolean = false;
    json_as_boolean(value, &boolean);
    return buffer_append_text(buffer, boolean ? "true" : "false");
}

bool json_write_value(buffer_t *buffer, const json_value_t *value, bool sorted) {
    size_t mark = buffer->length;
    size_t length;
    const char *string;
    bool done = false;
    switch (json_kind(value)) {
    case JSON_KIND_NULL: done = buffer_append_text(buffer, "null"); break;
    case JSON_KIND_BOOLEAN: done = write_boolean(buffer, value); break;
    case JSON_KIND_NUMBER: done = write_number_value(buffer, value); break;
    case JSON_KIND_STRING:
        string = json_as_string(value, &length);
        done = json_write_string(buffer, string, length);
        break;
    case JSON_KIND_ARRAY: done = write_array(buffer, value, sorted); break;
    case JSON_KIND_OBJECT: done = write_object(buffer, value, sorted); break;
    }
    return done || undo(buffer, mark);
}
