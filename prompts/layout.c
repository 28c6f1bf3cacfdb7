/* layout.c - the small pieces that prompts are put together from. */
#include "prompts/layout.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/text.h"

static const char REPLACEMENT[] = "\xEF\xBF\xBD"; /* U+FFFD */

/* --- a template's text ------------------------------------------------------------------------ */

static void append_letter(buffer_t *out, size_t index) {
    char letters[16];
    size_t at = sizeof letters;
    for (size_t rest = index + 1; rest > 0 && at > 0; rest = (rest - 1) / 26)
        letters[--at] = (char)('A' + (rest - 1) % 26);
    buffer_append(out, letters + at, sizeof letters - at);
}

/* The length of the placeholder at `text`, 0 if there is none. */
static size_t append_placeholder(buffer_t *out, const char *text, const layout_fill_t *fill) {
    if (text_starts_with(text, "{n}")) {
        buffer_append_format(out, "%zu", fill->neuron);
        return 3;
    }
    if (text_starts_with(text, "{letter}")) {
        append_letter(out, fill->excerpt);
        return 8;
    }
    if (fill->explanation && text_starts_with(text, "{explanation}")) {
        buffer_append_text(out, fill->explanation);
        return 13;
    }
    return 0;
}

void layout_append_filled(buffer_t *out, const char *text, const layout_fill_t *fill) {
    for (const char *at = text; *at != '\0';) {
        size_t plain = strcspn(at, "{");
        buffer_append(out, at, plain);
        at += plain;
        size_t taken = append_placeholder(out, at, fill);
        if (taken == 0 && *at == '{') {
            buffer_append_char(out, '{');
            taken = 1;
        }
        at += taken;
    }
}

/* --- values ----------------------------------------------------------------------------------- */

static bool read_as_decimal(float number, double *decimal) {
    char text[32];
    snprintf(text, sizeof text, "%.*g", FLT_DIG, (double)number);
    *decimal = strtod(text, NULL);
    return (float)*decimal == number;
}

int layout_discretize(float activation, float maximum) {
    if (!(activation > 0) || !(maximum > 0))
        return 0;
    /* well over 10 times the relative error of two float32 */
    static const double NEARLY_WHOLE = 1e-5;
    double value = LAYOUT_MAX_VALUE * (double)activation / (double)maximum;
    double of = 0, top = 0;
    if (fabs(value - round(value)) < NEARLY_WHOLE && read_as_decimal(activation, &of) &&
        read_as_decimal(maximum, &top))
        value = LAYOUT_MAX_VALUE * of / top;
    return value >= LAYOUT_MAX_VALUE ? LAYOUT_MAX_VALUE : (int)floor(value);
}

/* --- records ---------------------------------------------------------------------------------- */

static void append_clean(buffer_t *out, const char *bytes, size_t length) {
    uint32_t character;
    for (size_t at = 0; at < length;) {
        size_t valid = text_utf8_valid_prefix(bytes + at, length - at);
        buffer_append(out, bytes + at, valid);
        at += valid;
        if (at < length)
            buffer_append_text(out, REPLACEMENT);
        while (at < length && text_utf8_decode(bytes + at, length - at, &character) == 0)
            at++;
    }
}

void layout_append_token(buffer_t *out, const token_t *token, layout_tokens_t form) {
    if (form == LAYOUT_VISIBLE)
        text_append_one_line(out, token->bytes, token->length);
    else
        append_clean(out, token->bytes, token->length);
}

void layout_append_record(buffer_t *out, const token_t *tokens, size_t count, const int *values,
                          layout_tokens_t form) {
    const char *separator = "";
    buffer_append_text(out, "<start>\n");
    for (size_t i = 0; i < count; i++) {
        int value = values ? values[i] : LAYOUT_UNKNOWN;
        if (value == LAYOUT_OMITTED)
            continue;
        buffer_append_text(out, separator);
        layout_append_token(out, &tokens[i], form);
        if (value == LAYOUT_UNKNOWN)
            buffer_append_text(out, "\tunknown");
        else
            buffer_append_format(out, "\t%d", value);
        separator = "\n";
    }
    buffer_append_text(out, "\n<end>\n");
}

bool layout_deliver(buffer_t *raw, buffer_t *out) {
    buffer_t clean = BUFFER_EMPTY;
    append_clean(&clean, buffer_text(raw), raw->length);
    bool fits = buffer_append(out, buffer_text(&clean), clean.length);
    buffer_free(&clean);
    buffer_free(raw);
    return fits;
}

void layout_deliver_message(buffer_t *raw, const char *role, message_list_t *out) {
    buffer_t clean = BUFFER_EMPTY;
    layout_deliver(raw, &clean);
    message_list_add(out, role, buffer_text(&clean), clean.length);
    buffer_free(&clean);
}
