/* config_check.c - one value against its row: type, range, choices. */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/config_internal.h"
#include "core/base/json.h"
#include "core/base/memory.h"
#include "core/base/text.h"

static const char *kind_name(config_kind_t kind) {
    switch (kind) {
    case CONFIG_KIND_STRING: return "a string";
    case CONFIG_KIND_INTEGER: return "an integer";
    case CONFIG_KIND_FLOAT: return "a float";
    case CONFIG_KIND_BOOLEAN: return "a boolean";
    case CONFIG_KIND_DATE: return "a date or time";
    case CONFIG_KIND_LIST: return "a list";
    case CONFIG_KIND_TABLE: return "a table";
    }
    return "something else";
}

static bool refuse_kind(const config_value_t *value, const char *expected, buffer_t *what) {
    buffer_append_format(what, "is %s; expected %s", kind_name(value->kind), expected);
    return false;
}

/* "a|b|c" as names; the caller frees *text and the array. */
static const char **split_choices(const char *choices, char **text, size_t *count) {
    *text = memory_copy_string(choices);
    *count = 1;
    for (const char *at = choices; *at != '\0'; at++)
        *count += *at == '|';
    const char **names = MEMORY_NEW_ARRAY(*count, const char *);
    char *at = *text;
    for (size_t i = 0; i < *count; i++) {
        names[i] = at;
        at += strcspn(at, "|");
        *at++ = '\0';
    }
    return names;
}

static bool check_choice(const char *choices, const char *string, buffer_t *what) {
    char *text;
    size_t count;
    const char **names = split_choices(choices, &text, &count);
    bool found = false;
    for (size_t i = 0; i < count && !found; i++)
        found = strcmp(names[i], string) == 0;
    if (!found) {
        config_append_string(what, string);
        buffer_append_text(what, " is not one of ");
        for (size_t i = 0; i < count; i++)
            buffer_append_format(what, "%s%s", i == 0 ? "" : ", ", names[i]);
        const char *closest = text_closest(string, names, count);
        if (closest)
            buffer_append_format(what, "; did you mean %s?", closest);
    }
    free(names);
    free(text);
    return found;
}

static bool check_string(const config_row_t *row, const config_value_t *value, buffer_t *what) {
    if (value->kind != CONFIG_KIND_STRING)
        return refuse_kind(value, "a string in quotes", what);
    if (strlen(value->string) != value->length) {
        buffer_append_text(what, "holds a NUL character; take it out");
        return false;
    }
    return !row->choices || check_choice(row->choices, value->string, what);
}

static bool check_range(const config_row_t *row, double number, buffer_t *what) {
    bool ranged = row->minimum != 0 || row->maximum != 0;
    if (!ranged || (number >= row->minimum && number <= row->maximum))
        return true;
    json_write_number(what, number);
    buffer_append_text(what, " is out of range; expected ");
    if (isinf(row->maximum)) {
        buffer_append_text(what, "at least ");
        json_write_number(what, row->minimum);
    } else if (isinf(row->minimum)) {
        buffer_append_text(what, "at most ");
        json_write_number(what, row->maximum);
    } else {
        json_write_number(what, row->minimum);
        buffer_append_text(what, " to ");
        json_write_number(what, row->maximum);
    }
    return false;
}

static bool check_integer(const config_row_t *row, const config_value_t *value, buffer_t *what) {
    if (value->kind != CONFIG_KIND_INTEGER)
        return refuse_kind(value, "an integer", what);
    return check_range(row, (double)value->integer, what);
}

static bool check_number(const config_row_t *row, const config_value_t *value, double *number,
                         buffer_t *what) {
    if (value->kind != CONFIG_KIND_INTEGER && value->kind != CONFIG_KIND_FLOAT)
        return refuse_kind(value, "a number", what);
    *number = value->kind == CONFIG_KIND_INTEGER ? (double)value->integer : value->number;
    if (!isfinite(*number)) {
        buffer_append_text(what, "is not a finite number");
        return false;
    }
    return check_range(row, *number, what);
}

/* A double keeps 15 digits; with more, what it holds need not be what was written. */
static bool has_exact_digits(const char *number) {
    size_t digits = 0;
    bool leading = true;
    for (; *number != '\0' && *number != 'e'; number++) {
        leading = leading && (*number < '1' || *number > '9');
        digits += !leading && *number != '.';
    }
    return digits <= 15;
}

static bool check_money(config_typed_t *typed, buffer_t *what) {
    const config_value_t *value = &typed->raw;
    buffer_t text = BUFFER_EMPTY;
    bool done = true;
    if (value->kind == CONFIG_KIND_STRING) {
        buffer_append_text(&text, value->string);
        done = strlen(value->string) == value->length;
    } else if (value->kind == CONFIG_KIND_INTEGER) {
        json_write_integer(&text, value->integer);
    } else if (value->kind == CONFIG_KIND_FLOAT) {
        json_write_number(&text, value->number);
        if (!has_exact_digits(buffer_text(&text))) {
            buffer_append_text(
                what, "has more digits than a TOML number keeps; write the amount in quotes");
            buffer_free(&text);
            return false;
        }
    } else {
        return refuse_kind(value, "dollars, as a number or a string", what);
    }
    done = done && money_parse(buffer_text(&text), &typed->money);
    if (!done) {
        config_append_string(what, buffer_text(&text));
        buffer_append_text(
            what, " is not an amount of dollars; expected 0 to 1000000, at most 12 decimals");
    }
    buffer_free(&text);
    return done;
}

static bool check_list(const config_row_t *row, config_typed_t *typed, buffer_t *what) {
    const config_value_t *value = &typed->raw;
    bool strings = row->type == CONFIG_STRING_LIST;
    if (value->kind != CONFIG_KIND_LIST)
        return refuse_kind(value, strings ? "a list of strings" : "a list of numbers", what);
    if (strings)
        typed->strings = MEMORY_NEW_ARRAY(value->count, const char *);
    else
        typed->numbers = MEMORY_NEW_ARRAY(value->count, double);
    for (size_t i = 0; i < value->count; i++) {
        buffer_t member = BUFFER_EMPTY;
        bool done = strings ? check_string(row, &value->elements[i], &member)
                            : check_number(row, &value->elements[i], &typed->numbers[i], &member);
        if (!done)
            buffer_append_format(what, "element %zu: %s", i + 1, buffer_text(&member));
        else if (strings)
            typed->strings[i] = value->elements[i].string;
        buffer_free(&member);
        if (!done)
            return false;
    }
    return true;
}

bool config_check_value(const config_row_t *row, config_typed_t *typed, buffer_t *what) {
    const config_value_t *value = &typed->raw;
    double number = 0;
    switch (row->type) {
    case CONFIG_STRING:
    case CONFIG_CHOICE: return check_string(row, value, what);
    case CONFIG_INTEGER: return check_integer(row, value, what);
    case CONFIG_NUMBER: return check_number(row, value, &number, what);
    case CONFIG_BOOLEAN:
        return value->kind == CONFIG_KIND_BOOLEAN || refuse_kind(value, "true or false", what);
    case CONFIG_MONEY: return check_money(typed, what);
    case CONFIG_STRING_LIST:
    case CONFIG_NUMBER_LIST: return check_list(row, typed, what);
    }
    return false;
}

void config_typed_free(config_typed_t *typed) {
    free(typed->strings);
    free(typed->numbers);
    config_value_free(&typed->raw);
    *typed = (config_typed_t){0};
}
