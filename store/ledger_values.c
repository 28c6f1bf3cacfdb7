/* ledger_values.c - attempts, entries and balances as stored values; keys of balances;
 * sums of balances. */
#include <stdlib.h>
#include <string.h>

#include "core/base/pack.h"
#include "store/key.h"
#include "store/ledger_private.h"

enum {
    ATTEMPT_VALUE_FIRST = 1, /* without era and reserved_now */
    ATTEMPT_VALUE_VERSION = 2,
    ATTEMPT_ITEMS_FIRST = 27,
    ATTEMPT_ITEMS = 29,
    ENTRY_VALUE_VERSION = 1,
    ENTRY_ITEMS = 6,
    BALANCE_VALUE_VERSION = 1,
    BALANCE_ITEMS = 10,
};

const char *attempt_state_name(attempt_state_t state) {
    switch (state) {
    case ATTEMPT_RESERVED: return "reserved";
    case ATTEMPT_SETTLED: return "settled";
    case ATTEMPT_VOID: return "void";
    case ATTEMPT_DOUBT: return "doubt";
    case ATTEMPT_RELEASED: return "released";
    }
    return "?";
}

/* --- attempts --------------------------------------------------------------------------------- */

static void pack_chars(buffer_t *out, const char *text, size_t room) {
    pack_string(out, text, strnlen(text, room - 1));
}

void ledger_attempt_encode(const attempt_t *attempt, buffer_t *out) {
    pack_array(out, ATTEMPT_ITEMS);
    pack_integer(out, ATTEMPT_VALUE_VERSION);
    pack_integer(out, attempt->state);
    pack_integer(out, attempt->run);
    pack_integer(out, attempt->stage);
    pack_integer(out, attempt->day);
    pack_chars(out, attempt->model, sizeof attempt->model);
    pack_chars(out, attempt->endpoint, sizeof attempt->endpoint);
    pack_hash(out, attempt->request);
    pack_hash(out, attempt->job);
    pack_integer(out, attempt->worst_case.pico);
    pack_integer(out, attempt->input_bound);
    pack_integer(out, attempt->output_maximum);
    pack_integer(out, attempt->rate_charge);
    pack_integer(out, attempt->reserved_utc);
    pack_integer(out, attempt->tries);
    pack_integer(out, attempt->finished_utc);
    pack_integer(out, attempt->cost.pico);
    pack_integer(out, attempt->prompt_tokens);
    pack_integer(out, attempt->cached_tokens);
    pack_integer(out, attempt->completion_tokens);
    pack_integer(out, attempt->reasoning_tokens);
    pack_chars(out, attempt->verdict, sizeof attempt->verdict);
    pack_integer(out, attempt->status);
    pack_chars(out, attempt->code, sizeof attempt->code);
    pack_chars(out, attempt->message, sizeof attempt->message);
    pack_integer(out, (int64_t)attempt->response);
    pack_boolean(out, attempt->over_bound);
    pack_integer(out, attempt->era);
    pack_integer(out, attempt->reserved_now);
}

/* The bytes of a string that leaves room for its NUL. */
static bool read_chars(pack_reader_t *reader, char *text, size_t room) {
    size_t length;
    const char *bytes = pack_read_string(reader, &length);
    if (length >= room)
        return false;
    memcpy(text, bytes, length);
    text[length] = '\0';
    return true;
}

/* An integer in low..high; *good becomes false if it is not. */
static int64_t read_within(pack_reader_t *reader, int64_t low, int64_t high, bool *good) {
    int64_t value = pack_read_integer(reader);
    *good = *good && value >= low && value <= high;
    return value;
}

static bool read_reservation(pack_reader_t *reader, attempt_t *attempt) {
    bool good = true;
    attempt->state =
        (attempt_state_t)read_within(reader, ATTEMPT_RESERVED, ATTEMPT_RELEASED, &good);
    attempt->run = (uint32_t)read_within(reader, 0, UINT32_MAX, &good);
    attempt->stage = (job_stage_t)read_within(reader, 0, JOB_STAGES - 1, &good);
    attempt->day = (int32_t)read_within(reader, INT32_MIN, INT32_MAX, &good);
    good = read_chars(reader, attempt->model, sizeof attempt->model) && good;
    good = read_chars(reader, attempt->endpoint, sizeof attempt->endpoint) && good;
    attempt->request = pack_read_hash(reader);
    attempt->job = pack_read_hash(reader);
    attempt->worst_case.pico = read_within(reader, 0, INT64_MAX, &good);
    attempt->input_bound = read_within(reader, 0, INT64_MAX, &good);
    attempt->output_maximum = read_within(reader, 0, INT64_MAX, &good);
    attempt->rate_charge = read_within(reader, 0, INT64_MAX, &good);
    attempt->reserved_utc = pack_read_integer(reader);
    attempt->tries = (int32_t)read_within(reader, 0, INT32_MAX, &good);
    return good;
}

static bool read_end(pack_reader_t *reader, attempt_t *attempt) {
    bool good = true;
    attempt->finished_utc = pack_read_integer(reader);
    attempt->cost.pico = read_within(reader, 0, INT64_MAX, &good);
    attempt->prompt_tokens = read_within(reader, 0, INT64_MAX, &good);
    attempt->cached_tokens = read_within(reader, 0, INT64_MAX, &good);
    attempt->completion_tokens = read_within(reader, 0, INT64_MAX, &good);
    attempt->reasoning_tokens = read_within(reader, 0, INT64_MAX, &good);
    good = read_chars(reader, attempt->verdict, sizeof attempt->verdict) && good;
    attempt->status = (int32_t)read_within(reader, INT32_MIN, INT32_MAX, &good);
    good = read_chars(reader, attempt->code, sizeof attempt->code) && good;
    good = read_chars(reader, attempt->message, sizeof attempt->message) && good;
    attempt->response = (uint64_t)read_within(reader, 0, INT64_MAX, &good);
    attempt->over_bound = pack_read_boolean(reader);
    return good;
}

bool ledger_attempt_decode(const void *bytes, size_t size, uint64_t number, attempt_t *attempt) {
    memset(attempt, 0, sizeof *attempt);
    attempt->number = number;
    pack_reader_t *reader = pack_reader_open(bytes, size);
    size_t items = pack_read_array(reader);
    bool first = pack_read_integer(reader) == ATTEMPT_VALUE_FIRST, good = true;
    good = items == (first ? ATTEMPT_ITEMS_FIRST : ATTEMPT_ITEMS) &&
           read_reservation(reader, attempt) && read_end(reader, attempt);
    if (!first) {
        attempt->era = (uint32_t)read_within(reader, 0, UINT32_MAX, &good);
        attempt->reserved_now = pack_read_integer(reader);
    }
    return pack_reader_close(reader) && good;
}

/* --- entries ---------------------------------------------------------------------------------- */

void ledger_entry_encode(const ledger_entry_t *entry, buffer_t *out) {
    pack_array(out, ENTRY_ITEMS);
    pack_integer(out, ENTRY_VALUE_VERSION);
    pack_integer(out, entry->kind);
    pack_integer(out, (int64_t)entry->attempt);
    pack_integer(out, entry->amount.pico);
    pack_integer(out, entry->utc);
    pack_text(out, entry->reason);
}

bool ledger_entry_decode(const void *bytes, size_t size, ledger_entry_t *entry) {
    bool good = true;
    pack_reader_t *reader = pack_reader_open(bytes, size);
    bool known =
        pack_read_array(reader) == ENTRY_ITEMS && pack_read_integer(reader) == ENTRY_VALUE_VERSION;
    entry->kind = (ledger_kind_t)read_within(reader, LEDGER_RESERVE, LEDGER_RELEASE, &good);
    entry->attempt = (uint64_t)read_within(reader, 1, INT64_MAX, &good);
    entry->amount.pico = read_within(reader, 0, INT64_MAX, &good);
    entry->utc = pack_read_integer(reader);
    entry->reason = pack_read_text(reader);
    if (!pack_reader_close(reader) || !known || !good) {
        free(entry->reason);
        *entry = (ledger_entry_t){0};
        return false;
    }
    return true;
}

/* --- balances --------------------------------------------------------------------------------- */

void ledger_balance_encode(const balance_t *balance, buffer_t *out) {
    pack_array(out, BALANCE_ITEMS);
    pack_integer(out, BALANCE_VALUE_VERSION);
    pack_integer(out, balance->settled.pico);
    pack_integer(out, balance->doubts.pico);
    pack_integer(out, balance->reserved.pico);
    pack_integer(out, balance->attempts);
    pack_integer(out, balance->answers);
    pack_integer(out, balance->prompt_tokens);
    pack_integer(out, balance->cached_tokens);
    pack_integer(out, balance->completion_tokens);
    pack_integer(out, balance->reasoning_tokens);
}

bool ledger_balance_decode(const void *bytes, size_t size, balance_t *balance) {
    bool good = true;
    *balance = (balance_t){0};
    pack_reader_t *reader = pack_reader_open(bytes, size);
    bool known = pack_read_array(reader) == BALANCE_ITEMS &&
                 pack_read_integer(reader) == BALANCE_VALUE_VERSION;
    balance->settled.pico = read_within(reader, 0, INT64_MAX, &good);
    balance->doubts.pico = read_within(reader, 0, INT64_MAX, &good);
    balance->reserved.pico = read_within(reader, 0, INT64_MAX, &good);
    balance->attempts = read_within(reader, 0, INT64_MAX, &good);
    balance->answers = read_within(reader, 0, INT64_MAX, &good);
    balance->prompt_tokens = read_within(reader, 0, INT64_MAX, &good);
    balance->cached_tokens = read_within(reader, 0, INT64_MAX, &good);
    balance->completion_tokens = read_within(reader, 0, INT64_MAX, &good);
    balance->reasoning_tokens = read_within(reader, 0, INT64_MAX, &good);
    return pack_reader_close(reader) && known && good;
}

void balance_add(balance_t *sum, const balance_t *part) {
    sum->settled = money_add(sum->settled, part->settled);
    sum->doubts = money_add(sum->doubts, part->doubts);
    sum->reserved = money_add(sum->reserved, part->reserved);
    sum->attempts += part->attempts;
    sum->answers += part->answers;
    sum->prompt_tokens += part->prompt_tokens;
    sum->cached_tokens += part->cached_tokens;
    sum->completion_tokens += part->completion_tokens;
    sum->reasoning_tokens += part->reasoning_tokens;
}

size_t ledger_balance_key(uint8_t key[BALANCE_KEY_SIZE], uint32_t run, int32_t day,
                          job_stage_t stage, const char *model) {
    uint8_t *end = key_put_i32(key_put_u32(key, run), day);
    *end++ = (uint8_t)stage;
    size_t length = strnlen(model, LEDGER_MODEL_SIZE - 1);
    memcpy(end, model, length);
    return BALANCE_KEY_FIXED + length;
}

bool ledger_balance_key_decode(const void *key, size_t size, uint32_t *run, int32_t *day,
                               job_stage_t *stage, char model[LEDGER_MODEL_SIZE]) {
    if (size < BALANCE_KEY_FIXED || size >= BALANCE_KEY_SIZE)
        return false;
    const uint8_t *bytes = key;
    *run = key_get_u32(bytes);
    *day = key_get_i32(bytes + 4);
    *stage = (job_stage_t)bytes[8];
    memcpy(model, bytes + BALANCE_KEY_FIXED, size - BALANCE_KEY_FIXED);
    model[size - BALANCE_KEY_FIXED] = '\0';
    return bytes[8] < JOB_STAGES && strlen(model) == size - BALANCE_KEY_FIXED;
}
