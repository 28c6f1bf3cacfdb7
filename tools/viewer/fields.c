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

/* --- what a chain was measured by ------------------------------------------------------------- */

void field_measured_states(buffer_t *out, const stages_measured_t *rows,
                           const chain_measured_t *measured) {
    for (size_t m = 0; m < rows->count; m++)
        if (rows->rows[m]->telling->has_members)
            field_text(out, rows->rows[m]->telling->done, chain_state_name(measured[m].state));
}

static void write_values(buffer_t *out, const stage_telling_t *telling, const double *values,
                         size_t most) {
    for (size_t i = 0; i < most && telling->measures[i].key; i++)
        if (!telling->measures[i].is_aside)
            field_number(out, telling->measures[i].key, values[i]);
}

void field_measured_values(buffer_t *out, const stages_measured_t *rows,
                           const chain_measured_t *measured, size_t most) {
    for (size_t m = 0; m < rows->count; m++)
        if (rows->rows[m]->telling->has_members)
            write_values(out, rows->rows[m]->telling, measured[m].values, most);
}

size_t field_measures_count(const stages_measured_t *rows) {
    size_t count = 0;
    for (size_t m = 0; m < rows->count; m++)
        count += !rows->rows[m]->telling->has_members;
    return count;
}

void field_measures(buffer_t *out, const stages_measured_t *rows,
                    const chain_measured_t *measured) {
    if (field_measures_count(rows) == 0)
        return;
    field_open(out, "measures", '[');
    for (size_t m = 0; m < rows->count; m++) {
        const stage_telling_t *telling = rows->rows[m]->telling;
        if (telling->has_members)
            continue;
        field_open(out, NULL, '{');
        field_text(out, "stage", rows->rows[m]->name);
        field_text(out, "label", telling->measures[0].label);
        field_text(out, "state", chain_state_name(measured[m].state));
        field_open(out, "values", '{');
        write_values(out, telling, measured[m].values, STAGE_MEASURES);
        field_close(out, '}');
        field_close(out, '}');
    }
    field_close(out, ']');
}
