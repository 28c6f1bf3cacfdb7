/* fields.h - JSON objects and arrays put together member by member. A comma goes before whatever
 * follows a value. */
#ifndef GLIA_TOOLS_VIEWER_FIELDS_H
#define GLIA_TOOLS_VIEWER_FIELDS_H

#include <stdbool.h>
#include <stdint.h>

#include "actors/sweep/chain_look.h"
#include "core/base/buffer.h"
#include "core/base/money.h"
#include "core/neuron/neuron.h"

/* `key` NULL: an element of an array. */
void field_open(buffer_t *out, const char *key, char bracket);     /* '{' or '[' */
void field_close(buffer_t *out, char bracket);                     /* '}' or ']' */
void field_text(buffer_t *out, const char *key, const char *text); /* NULL: null */
void field_bytes(buffer_t *out, const char *key, const char *bytes, size_t length);
void field_integer(buffer_t *out, const char *key, int64_t value);
void field_count(buffer_t *out, const char *key, int64_t value);  /* below 0: null */
void field_number(buffer_t *out, const char *key, double value);  /* NaN: null */
void field_money(buffer_t *out, const char *key, money_t amount); /* dollars */
void field_boolean(buffer_t *out, const char *key, bool value);
/* Tokens as an array: a string where the bytes are UTF-8, else an array of numbers, so that
 * fragments can be shown. */
void field_tokens(buffer_t *out, const char *key, const activation_record_t *record);
void field_activations(buffer_t *out, const char *key, const activation_record_t *record);

/* --- what a chain was measured by: measured[rows->count] -------------------------------------- */

/* The states of rows that have members of their own: "scored": "done". */
void field_measured_states(buffer_t *out, const stages_measured_t *rows,
                           const chain_measured_t *measured);
/* Their values: at most the first `most` measures of each, and none that stand aside. */
void field_measured_values(buffer_t *out, const stages_measured_t *rows,
                           const chain_measured_t *measured, size_t most);
/* "measures": [{stage, label, state, values: {KEY: number}}] of all other rows; nothing if
 * there are none. */
void field_measures(buffer_t *out, const stages_measured_t *rows, const chain_measured_t *measured);
/* How many rows have no members of their own. */
size_t field_measures_count(const stages_measured_t *rows);

#endif
