/* json_text.c - a walk over JSON text that knows strings and brackets, and nothing else. */
#include "core/base/json_text.h"

#include <string.h>

#include "core/base/json.h"
#include "core/base/json_scan.h"

static bool is_space(char c) {
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static const char *skip_space(const char *at, const char *end) {
    while (at < end && is_space(*at))
        at++;
    return at;
}

static const char *skip_value(const char *at, const char *end) {
    size_t depth = 0;
    while (at < end) {
        char c = *at;
        if (c == '"') {
            at = json_string_end(at + 1, end);
        } else if (c == '{' || c == '[') {
            depth++;
            at++;
        } else if (depth > 0) {
            depth -= c == '}' || c == ']';
            at++;
        } else if (c == ',' || c == '}' || c == ']' || is_space(c)) {
            return at;
        } else {
            at++;
            continue;
        }
        if (depth == 0)
            return at;
    }
    return end;
}

json_members_t json_members(json_span_t object) {
    json_members_t members = {.at = object.text, .end = object.text + object.length};
    members.at = skip_space(members.at, members.end);
    if (members.at < members.end && *members.at == '{')
        members.at++;
    else
        members.at = members.end;
    return members;
}

bool json_members_next(json_members_t *members) {
    const char *end = members->end;
    const char *at = skip_space(members->at, end);
    if (at < end && *at == ',')
        at = skip_space(at + 1, end);
    members->at = end;
    if (at >= end || *at != '"')
        return false;
    members->key.text = at;
    at = json_string_end(at + 1, end);
    members->key.length = (size_t)(at - members->key.text);
    at = skip_space(at, end);
    if (at >= end || *at != ':')
        return false;
    at = skip_space(at + 1, end);
    members->value.text = at;
    at = skip_value(at, end);
    members->value.length = (size_t)(at - members->value.text);
    members->at = at;
    return true;
}

bool json_key_is(json_span_t key, const char *name) {
    if (key.length < 2)
        return false;
    if (!memchr(key.text, '\\', key.length))
        return strlen(name) == key.length - 2 && memcmp(key.text + 1, name, key.length - 2) == 0;
    buffer_t list = BUFFER_EMPTY;
    buffer_append_format(&list, "[%.*s]", (int)key.length, key.text);
    json_value_t *root = json_parse(list.data, list.length, "key", JSON_PLAIN, NULL);
    const char *text = json_as_string(json_at(root, 0), NULL);
    bool same = text && strcmp(text, name) == 0;
    json_free(root);
    buffer_free(&list);
    return same;
}

bool json_write_compact(buffer_t *buffer, const char *text, size_t length) {
    size_t mark = buffer->length;
    const char *at = text, *end = text + length;
    while (at < end) {
        const char *run = at;
        while (at < end && !is_space(*at))
            at = *at == '"' ? json_string_end(at + 1, end) : at + 1;
        if (!buffer_append(buffer, run, (size_t)(at - run))) {
            buffer->length = mark;
            if (buffer->data)
                buffer->data[mark] = '\0';
            return false;
        }
        at = skip_space(at, end);
    }
    return true;
}
