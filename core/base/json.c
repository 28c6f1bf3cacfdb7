/* json.c - reading JSON: simdjson builds the tree (json_dom.h), jansson says where a text that is
 * no JSON goes wrong. The only file that includes jansson.h. (Writing: json_write.c.) */
#include "core/base/json.h"

#include <jansson.h>
#include <math.h>
#include <string.h>

#include "core/base/json_dom.h"
#include "core/base/json_prepare.h"

/* --- what is wrong, and where ----------------------------------------------------------------- */

typedef struct {
    const char *name;
    size_t line; /* the number of the text's first line */
} place_t;

static bool refuse_at(place_t place, const char *text, size_t offset, const char *what,
                      error_info_t *error) {
    size_t line = place.line;
    size_t column = 0;
    for (size_t i = 0; i < offset; i++)
        if (text[i] == '\n') {
            line++;
            column = 0;
        } else {
            column += ((unsigned char)text[i] & 0xC0) != 0x80;
        }
    return error_set(error, ERROR_CONFIG, "%s:%zu:%zu: %s", place.name, line, column, what);
}

static void refuse_parse(const json_prepared_t *prepared, const char *text, size_t length,
                         place_t place, json_error_t *failure, error_info_t *error) {
    if (prepared->edit_count == 0 || failure->position < 0) {
        error_set(error, ERROR_CONFIG, "%s:%zu:%d: %s", place.name,
                  place.line + (size_t)failure->line - 1, failure->column, failure->text);
        return;
    }
    char *quoted = strstr(failure->text, " near '\"\\u0000"); /* our rewriting is nothing to show */
    if (quoted)
        *quoted = '\0';
    size_t offset = json_prepare_origin(prepared, (size_t)failure->position);
    refuse_at(place, text, offset < length ? offset : length, failure->text, error);
}

/* simdjson says only that a text is no JSON; jansson reads it again for line, column and reason. */
static void explain_refusal(const json_prepared_t *prepared, const char *text, size_t length,
                            place_t place, error_info_t *error) {
    json_error_t failure;
    json_t *root = json_loadb(prepared->length == 0 ? "" : prepared->text, prepared->length,
                              JSON_REJECT_DUPLICATES | JSON_DECODE_ANY | JSON_ALLOW_NUL, &failure);
    if (!root)
        refuse_parse(prepared, text, length, place, &failure, error);
    else
        error_set(error, ERROR_CONFIG, "%s: not valid JSON", place.name);
    json_decref(root);
}

static json_value_t *parse_at(const char *text, size_t length, place_t place, unsigned flags,
                              error_info_t *error) {
    /* Nearly every text can be read as it is; the others are prepared, or explained. */
    json_value_t *plain = length == 0 ? NULL : json_dom_parse(text, length, false);
    if (plain)
        return plain;
    json_prepared_t prepared;
    json_prepare(&prepared, text, length, flags);
    json_value_t *root = NULL;
    if (prepared.refusal) {
        refuse_at(place, text, prepared.refused_at + 1, prepared.refusal, error);
    } else {
        root = json_dom_parse(prepared.length == 0 ? "" : prepared.text, prepared.length,
                              prepared.marked);
        if (!root)
            explain_refusal(&prepared, text, length, place, error);
    }
    json_prepare_free(&prepared);
    return root;
}

json_value_t *json_parse(const char *text, size_t length, const char *name, unsigned flags,
                         error_info_t *error) {
    return parse_at(text, length, (place_t){name, 1}, flags, error);
}

json_value_t *json_parse_line(const char *text, size_t length, const char *name, uint64_t line,
                              error_info_t *error) {
    return parse_at(text, length, (place_t){name, line}, JSON_PLAIN, error);
}

void json_free(json_value_t *root) {
    json_dom_free(root);
}

/* --- looking into a tree ---------------------------------------------------------------------- */

json_kind_t json_kind(const json_value_t *value) {
    return !value ? JSON_KIND_NULL : value->kind;
}

bool json_is(const json_value_t *value, json_kind_t kind) {
    return json_kind(value) == kind;
}

static const json_value_t *member(const json_value_t *object, const char *key, size_t length) {
    for (size_t i = 0; json_is(object, JSON_KIND_OBJECT) && i < object->count; i++) {
        const json_value_t *child = &object->children[i];
        if (child->key_length == length && memcmp(child->key, key, length) == 0)
            return &object->children[i];
    }
    return NULL;
}

const json_value_t *json_get(const json_value_t *object, const char *key) {
    return member(object, key, strlen(key));
}

/* The index that a path segment spells; false if it is none. */
static bool segment_index(const char *segment, size_t length, size_t *index) {
    size_t value = 0;
    for (size_t i = 0; i < length; i++) {
        if (segment[i] < '0' || segment[i] > '9' || i > 17)
            return false;
        value = value * 10 + (size_t)(segment[i] - '0');
    }
    *index = value;
    return length > 0;
}

const json_value_t *json_path(const json_value_t *value, const char *path) {
    while (value) {
        size_t length = strcspn(path, ".");
        size_t index;
        if (!json_is(value, JSON_KIND_ARRAY))
            value = member(value, path, length);
        else if (segment_index(path, length, &index))
            value = json_at(value, index);
        else
            value = NULL;
        if (path[length] == '\0')
            break;
        path += length + 1;
    }
    return value;
}

size_t json_count(const json_value_t *value) {
    return json_is(value, JSON_KIND_ARRAY) || json_is(value, JSON_KIND_OBJECT) ? value->count : 0;
}

const json_value_t *json_at(const json_value_t *array, size_t index) {
    return json_is(array, JSON_KIND_ARRAY) && index < array->count ? &array->children[index] : NULL;
}

const json_value_t *json_member(const json_value_t *object, size_t index, const char **key) {
    const json_value_t *found = json_is(object, JSON_KIND_OBJECT) && index < object->count
                                    ? &object->children[index]
                                    : NULL;
    if (key)
        *key = !found ? NULL : found->key;
    return found;
}

const char *json_member_name(const json_value_t *member_value, size_t *length) {
    if (length)
        *length = !member_value ? 0 : member_value->key_length;
    return !member_value ? NULL : member_value->key;
}

json_iterator_t json_iterate(const json_value_t *object) {
    return (json_iterator_t){.object = object};
}

bool json_next(json_iterator_t *iterator, const char **key, const json_value_t **value) {
    const json_value_t *found = json_member(iterator->object, iterator->index, key);
    if (!found)
        return false;
    iterator->index++;
    if (value)
        *value = found;
    return true;
}

/* --- values ----------------------------------------------------------------------------------- */

const char *json_as_string(const json_value_t *value, size_t *length) {
    bool is_string = json_is(value, JSON_KIND_STRING);
    if (length)
        *length = is_string ? value->count : 0;
    return is_string ? value->string : NULL;
}

bool json_as_number(const json_value_t *value, double *number) {
    if (!json_is(value, JSON_KIND_NUMBER))
        return false;
    *number = value->number;
    return true;
}

bool json_as_integer(const json_value_t *value, int64_t *integer) {
    if (!json_is(value, JSON_KIND_NUMBER))
        return false;
    if (value->is_integer) {
        *integer = value->integer;
        return true;
    }
    double real = value->number;
    if (!(real >= -0x1p63 && real < 0x1p63) || real != floor(real))
        return false;
    *integer = (int64_t)real;
    return true;
}

bool json_as_boolean(const json_value_t *value, bool *boolean) {
    if (!json_is(value, JSON_KIND_BOOLEAN))
        return false;
    *boolean = value->boolean;
    return true;
}
