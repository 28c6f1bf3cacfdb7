/* fields.c - JSON put together member by member. */
#include "tools/viewer/fields.h"

#include <string.h>

#include "core/base/json.h"
#include "core/base/text.h"
#include "tools/report/table.h"

static void begin(buffer_t *out, const char *key) {
    char last = out->length > 0 ? out->data[out->length - 1] : '[';
    if (last != '{' && last != '[' && last != '\n' && last != ' ')
        buffer_append_char(out, ',');
    if (key) {
        json_write_text(out, key);
        buffer_append_char(out, ':');
    }
}

void field_open(buffer_t *out, const char *key, char bracket) {
    begin(out, key);
    buffer_append_char(out, bracket);
}

void field_close(buffer_t *out, char bracket) {
    buffer_append_char(out, bracket);
}

void field_text(buffer_t *out, const char *key, const char *text) {
    begin(out, key);
    json_write_text(out, text);
}

void field_bytes(buffer_t *out, const char *key, const char *bytes, size_t length) {
    begin(out, key);
    json_write_string(out, bytes, length);
}

void field_integer(buffer_t *out, const char *key, int64_t value) {
    begin(out, key);
    json_write_integer(out, value);
}

void field_count(buffer_t *out, const char *key, int64_t value) {
    if (value < 0)
        field_text(out, key, NULL);
    else
        field_integer(out, key, value);
}

void field_number(buffer_t *out, const char *key, double value) {
    begin(out, key);
    json_write_number(out, value);
}

void field_money(buffer_t *out, const char *key, money_t amount) {
    begin(out, key);
    cell_write_dollars(amount, out);
}

void field_boolean(buffer_t *out, const char *key, bool value) {
    begin(out, key);
    buffer_append_text(out, value ? "true" : "false");
}

static void write_token(buffer_t *out, const token_t *token) {
    if (text_utf8_valid_prefix(token->bytes, token->length) == token->length) {
        field_bytes(out, NULL, token->bytes, token->length);
        return;
    }
    field_open(out, NULL, '[');
    for (size_t i = 0; i < token->length; i++)
        field_integer(out, NULL, (unsigned char)token->bytes[i]);
    field_close(out, ']');
}

void field_tokens(buffer_t *out, const char *key, const activation_record_t *record) {
    field_open(out, key, '[');
    for (size_t i = 0; i < record->count; i++)
        write_token(out, &record->tokens[i]);
    field_close(out, ']');
}

void field_activations(buffer_t *out, const char *key, const activation_record_t *record) {
    field_open(out, key, '[');
    for (size_t i = 0; i < record->count; i++) {
        begin(out, NULL);
        json_write_float(out, record->activations[i]);
    }
    field_close(out, ']');
}
