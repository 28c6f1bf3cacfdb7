/* config.h - TOML configuration checked against a table of keys (wraps toml++ in config_toml.cc).
 *
 * A program states every key it knows in a table of rows. Loading reads a file, applies --set
 * assignments, then checks everything: an unknown key (with the closest known one), a wrong type, a
 * value out of range, a missing required key are CONFIG errors "file:line: key: what; fix".
 *     config.toml:12: budget.totl_usd: unknown key; did you mean budget.total_usd?
 * The first thing that is wrong is told, in the order of the file.
 *
 * A `*` in a row's key stands for one user-chosen name: "endpoints.*.rpm". In a file a name with
 * dots stands in quotes (models."gpt-4.1-mini".price.input). A key that is handed to a function
 * below has the name as it is between the dots: "models.gpt-4.1-mini.price.input"; the rows say
 * which part of it is the name.
 */
#ifndef GLIA_BASE_CONFIG_H
#define GLIA_BASE_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/buffer.h"
#include "core/base/error.h"
#include "core/base/money.h"

typedef enum {
    CONFIG_STRING,
    CONFIG_CHOICE, /* a string, one of `choices` (separated by |) */
    CONFIG_INTEGER,
    CONFIG_NUMBER, /* TOML float or integer */
    CONFIG_BOOLEAN,
    CONFIG_MONEY,       /* dollars: TOML number or string, read exactly as decimal text */
    CONFIG_STRING_LIST, /* an array of strings; with `choices`, each one of them */
    CONFIG_NUMBER_LIST,
} config_type_t;

typedef struct {
    const char *key; /* "budget.total_usd", "models.*.price.input" */
    config_type_t type;
    /* default as TOML text ("1.0", "\"echo\"", "[]"); NULL: no default; "!": required */
    const char *fallback;
    double minimum; /* for INTEGER, NUMBER and list members; both 0: no range */
    double maximum;
    const char *choices;
    const char *help; /* one line, for `glia help config` */
} config_row_t;

typedef struct config config_t;

/* `name` is what errors call the text ("config.toml"). Rows must outlive the config; the text need
 * not. A default that does not fit its own row aborts (a bug).
 *
 * `assignments` are "key=value" strings (errors name "--set key=value"); a later one wins over an
 * earlier one and over the text. The key is a TOML dotted key; without quotes, a name with dots is
 * understood as long as the key fits the rows in one way only. The value is TOML; where a STRING or
 * CHOICE is wanted anything without quotes is taken as it stands, elsewhere what is no TOML is
 * taken as a string (--set budget.total_usd=$5). An inline table adds to the table that is there.
 *
 * MONEY: a TOML number of more than 15 digits is refused, because TOML's floats would change it;
 * such an amount is written as a string. Text nested over 32 brackets, or a key of over 32
 * parts, is refused.
 *
 * The caller owns the result: config_free(). NULL: error (CONFIG). */
config_t *config_load(const char *text, size_t length, const char *name,
                      const char *const *assignments, size_t assignment_count,
                      const config_row_t *rows, size_t row_count, error_info_t *error);
void config_free(config_t *config);

/* The names that stand at the `*` below `table` ("endpoints"), sorted bytewise; borrowed. */
size_t config_names(const config_t *config, const char *table, const char *const **names);
/* Whether the key, or table, was written by the user (not only defaulted). */
bool config_has(const config_t *config, const char *key);
/* Line of the key, or table, in the file, 0 if it came from --set or a default. */
int config_line(const config_t *config, const char *key);

/* Values, or the row's default. A key without value and default gives NULL, 0, NaN, false, zero or
 * an empty list. Strings and lists are borrowed. Asking for a key that has no row, or for another
 * type than the row has, aborts (a bug). config_string() is for STRING and CHOICE. An absent
 * INTEGER is 0, an absent NUMBER is NaN. */
const char *config_string(const config_t *config, const char *key);
int64_t config_integer(const config_t *config, const char *key);
double config_number(const config_t *config, const char *key);
bool config_boolean(const config_t *config, const char *key);
money_t config_money(const config_t *config, const char *key);
size_t config_strings(const config_t *config, const char *key, const char *const **strings);
size_t config_numbers(const config_t *config, const char *key, const double **numbers);

/* Sets *error to "name:line: key: what" ("--set key=value: what" if it came from there) for checks
 * that the caller makes itself. Returns false. */
bool config_refuse(const config_t *config, const char *key, error_info_t *error, const char *format,
                   ...) __attribute__((format(printf, 4, 5)));
/* Every key that has a value or a default, sorted, as flat TOML lines "a.b.c = value": the snapshot
 * of a run; loading it again gives the same config, and dumping that the same bytes. Amounts of
 * money stand in quotes. */
void config_dump(const config_t *config, buffer_t *out);

#endif
