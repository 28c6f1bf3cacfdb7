/* ledger_check.c - the ledger's equations, computed anew from attempts and from entries.
 *
 * Memory: 9 bytes an attempt and one row for each row of BALANCES. Sums are checked for overflow
 * here, since the values may be anything; money.h would abort. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/memory.h"
#include "core/base/text.h"
#include "store/key.h"
#include "store/ledger_private.h"
#include "store/problems.h"

enum {
    PHASE_NONE,
    PHASE_RESERVED,
    PHASE_SETTLED,
    PHASE_VOID,
    PHASE_DOUBT,
    PHASE_RELEASED,
    PHASE_ILLEGAL
};

/* One row of BALANCES as it should be. */
typedef struct {
    uint8_t key[BALANCE_KEY_SIZE];
    size_t key_size;
    balance_t attempts; /* from ATTEMPTS */
    balance_t entries;  /* from LEDGER; money and number of attempts only */
    bool found;         /* in BALANCES */
} row_t;

typedef struct {
    store_txn_t *txn;
    problems_t problems;
    uint64_t *numbers; /* [count] of all attempts that can be read, ascending */
    uint8_t *phases;   /* [count] what the entries say */
    size_t count;
    row_t *rows; /* sorted by key */
    size_t row_count, row_room;
} check_t;

/* --- sums ------------------------------------------------------------------------------------- */

static bool sum(int64_t *total, int64_t part) {
    return !__builtin_add_overflow(*total, part, total);
}

static bool sum_balance(balance_t *total, const balance_t *part) {
    bool good = sum(&total->settled.pico, part->settled.pico);
    good = sum(&total->doubts.pico, part->doubts.pico) && good;
    good = sum(&total->reserved.pico, part->reserved.pico) && good;
    good = sum(&total->attempts, part->attempts) && good;
    good = sum(&total->answers, part->answers) && good;
    good = sum(&total->prompt_tokens, part->prompt_tokens) && good;
    good = sum(&total->cached_tokens, part->cached_tokens) && good;
    good = sum(&total->completion_tokens, part->completion_tokens) && good;
    return sum(&total->reasoning_tokens, part->reasoning_tokens) && good;
}

static int compare_keys(const void *a, size_t a_size, const void *b, size_t b_size) {
    int order = memcmp(a, b, a_size < b_size ? a_size : b_size);
    return order != 0 ? order : (a_size > b_size) - (a_size < b_size);
}

/* The row of that key, made if `create`; NULL if there is none. Valid until the
 * next one is made. */
static row_t *row_of(check_t *check, const void *key, size_t key_size, bool create) {
    size_t low = 0, high = check->row_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order =
            compare_keys(check->rows[middle].key, check->rows[middle].key_size, key, key_size);
        if (order == 0)
            return &check->rows[middle];
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    if (!create)
        return NULL;
    if (check->row_count == check->row_room) {
        check->row_room = check->row_room == 0 ? 64 : 2 * check->row_room;
        check->rows = memory_resize(check->rows, check->row_room, sizeof *check->rows);
    }
    row_t *row = &check->rows[low];
    memmove(row + 1, row, (check->row_count - low) * sizeof *row);
    check->row_count++;
    *row = (row_t){.key_size = key_size};
    memcpy(row->key, key, key_size);
    return row;
}

static row_t *row_of_attempt(check_t *check, const attempt_t *attempt) {
    uint8_t key[BALANCE_KEY_SIZE];
    size_t size =
        ledger_balance_key(key, attempt->run, attempt->day, attempt->stage, attempt->model);
    return row_of(check, key, size, true);
}

/* --- attempts --------------------------------------------------------------------------------- */

static bool has_number(store_txn_t *txn, store_table_t table, uint64_t number) {
    uint8_t key[8];
    key_put_u64(key, number);
    store_bytes_t value;
    return store_get(txn, table, key, sizeof key, &value);
}

/* False: none of that number, or one that cannot be read (which is reported where
 * attempts are walked). */
static bool get_attempt(check_t *check, uint64_t number, attempt_t *attempt) {
    uint8_t key[8];
    key_put_u64(key, number);
    store_bytes_t value;
    return store_get(check->txn, TABLE_ATTEMPTS, key, sizeof key, &value) &&
           ledger_attempt_decode(value.data, value.size, number, attempt);
}

static bool cost_is_right(const attempt_t *attempt) {
    switch (attempt->state) {
    case ATTEMPT_SETTLED:
        return attempt->cost.pico <= attempt->worst_case.pico || attempt->over_bound;
    case ATTEMPT_DOUBT: return attempt->cost.pico == attempt->worst_case.pico;
    default: return attempt->cost.pico == 0;
    }
}

static void check_attempt(check_t *check, const attempt_t *attempt) {
    uint64_t number = attempt->number;
    if (!cost_is_right(attempt))
        problems_add(&check->problems,
                     "attempt %" PRIu64 " (%s): cost of %" PRId64
                     " pico does not fit a worst case of %" PRId64,
                     number, attempt_state_name(attempt->state), attempt->cost.pico,
                     attempt->worst_case.pico);
    if (attempt->state == ATTEMPT_RESERVED && attempt->response != 0)
        problems_add(&check->problems, "attempt %" PRIu64 " is open but has response %" PRIu64,
                     number, attempt->response);
    if (has_number(check->txn, TABLE_OPEN, number) != (attempt->state == ATTEMPT_RESERVED))
        problems_add(&check->problems, "attempt %" PRIu64 " is %s but %s in `open`", number,
                     attempt_state_name(attempt->state),
                     attempt->state == ATTEMPT_RESERVED ? "not" : "is");
    if (has_number(check->txn, TABLE_DOUBTS, number) != (attempt->state == ATTEMPT_DOUBT))
        problems_add(&check->problems, "attempt %" PRIu64 " is %s but %s in `doubts`", number,
                     attempt_state_name(attempt->state),
                     attempt->state == ATTEMPT_DOUBT ? "not" : "is");
    balance_t part = ledger_contribution(attempt);
    if (!sum_balance(&row_of_attempt(check, attempt)->attempts, &part))
        problems_add(&check->problems, "attempt %" PRIu64 ": the sum of its balance overflows",
                     number);
}

static void check_attempts(check_t *check) {
    size_t room = (size_t)store_count(check->txn, TABLE_ATTEMPTS);
    check->numbers = MEMORY_NEW_ARRAY(room + 1, uint64_t);
    check->phases = MEMORY_NEW_ARRAY(room + 1, uint8_t);
    uint64_t expected = 1;
    store_walk_t walk = {0};
    while (store_walk_next(check->txn, TABLE_ATTEMPTS, &walk)) {
        if (walk.key.size != 8) {
            problems_add(&check->problems, "table `attempts`: a key of %zu bytes is no number",
                         walk.key.size);
            continue;
        }
        uint64_t number = key_get_u64(walk.key.data);
        if (number != expected)
            problems_add(&check->problems,
                         "attempt %" PRIu64 " follows %" PRIu64 ": some are missing", number,
                         expected - 1);
        expected = number + 1;
        attempt_t attempt;
        if (!ledger_attempt_decode(walk.value.data, walk.value.size, number, &attempt)) {
            problems_add(&check->problems, "attempt %" PRIu64 " cannot be read", number);
            continue;
        }
        if (check->count < room)
            check->numbers[check->count++] = number;
        check_attempt(check, &attempt);
    }
}

/* Every key of OPEN or DOUBTS is an attempt; its state was compared with the attempts. */
static void check_list(check_t *check, store_table_t table, const char *name) {
    store_walk_t walk = {0};
    while (store_walk_next(check->txn, table, &walk)) {
        attempt_t attempt;
        if (walk.key.size != 8 || walk.value.size != 0)
            problems_add(&check->problems, "table `%s`: a row that is no attempt's number", name);
        else if (!get_attempt(check, key_get_u64(walk.key.data), &attempt))
            problems_add(&check->problems, "table `%s`: attempt %" PRIu64 " is not there", name,
                         key_get_u64(walk.key.data));
    }
}

/* --- entries ---------------------------------------------------------------------------------- */

static int next_phase(int phase, ledger_kind_t kind) {
    switch (kind) {
    case LEDGER_RESERVE: return phase == PHASE_NONE ? PHASE_RESERVED : PHASE_ILLEGAL;
    case LEDGER_SETTLE: return phase == PHASE_RESERVED ? PHASE_SETTLED : PHASE_ILLEGAL;
    case LEDGER_VOID: return phase == PHASE_RESERVED ? PHASE_VOID : PHASE_ILLEGAL;
    case LEDGER_DOUBT: return phase == PHASE_RESERVED ? PHASE_DOUBT : PHASE_ILLEGAL;
    case LEDGER_RELEASE: return phase == PHASE_DOUBT ? PHASE_RELEASED : PHASE_ILLEGAL;
    }
    return PHASE_ILLEGAL;
}

static int phase_of_state(attempt_state_t state) {
    switch (state) {
    case ATTEMPT_RESERVED: return PHASE_RESERVED;
    case ATTEMPT_SETTLED: return PHASE_SETTLED;
    case ATTEMPT_VOID: return PHASE_VOID;
    case ATTEMPT_DOUBT: return PHASE_DOUBT;
    case ATTEMPT_RELEASED: return PHASE_RELEASED;
    }
    return PHASE_NONE;
}

static uint8_t *phase_of(check_t *check, uint64_t number) {
    size_t low = 0, high = check->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (check->numbers[middle] < number)
            low = middle + 1;
        else
            high = middle;
    }
    return low < check->count && check->numbers[low] == number ? &check->phases[low] : NULL;
}

/* What an entry does to its balance. */
static balance_t entry_effect(const ledger_entry_t *entry, const attempt_t *attempt) {
    int64_t worst = attempt->worst_case.pico;
    balance_t part = {0};
    switch (entry->kind) {
    case LEDGER_RESERVE:
        part.reserved = entry->amount;
        part.attempts = 1;
        break;
    case LEDGER_SETTLE:
        part.reserved.pico = -worst;
        part.settled = entry->amount;
        break;
    case LEDGER_VOID: part.reserved.pico = -worst; break;
    case LEDGER_DOUBT:
        part.reserved.pico = -worst;
        part.doubts = entry->amount;
        break;
    case LEDGER_RELEASE: part.doubts.pico = -worst; break;
    }
    return part;
}

static void check_entry(check_t *check, uint64_t number, const ledger_entry_t *entry) {
    attempt_t attempt;
    uint8_t *phase = phase_of(check, entry->attempt);
    if (!phase || !get_attempt(check, entry->attempt, &attempt)) {
        problems_add(&check->problems, "entry %" PRIu64 ": attempt %" PRIu64 " is not there",
                     number, entry->attempt);
        return;
    }
    int next = next_phase(*phase, entry->kind);
    if (next == PHASE_ILLEGAL && *phase != PHASE_ILLEGAL)
        problems_add(&check->problems,
                     "entry %" PRIu64 " is no step that attempt %" PRIu64 " could take", number,
                     entry->attempt);
    *phase = (uint8_t)next;
    int64_t expected = entry->kind == LEDGER_SETTLE ? attempt.cost.pico : attempt.worst_case.pico;
    if (entry->amount.pico != expected)
        problems_add(&check->problems,
                     "entry %" PRIu64 ": %" PRId64 " pico, but attempt %" PRIu64 " says %" PRId64,
                     number, entry->amount.pico, entry->attempt, expected);
    balance_t part = entry_effect(entry, &attempt);
    if (!sum_balance(&row_of_attempt(check, &attempt)->entries, &part))
        problems_add(&check->problems, "entry %" PRIu64 ": the sum of its balance overflows",
                     number);
}

static void check_entries(check_t *check) {
    uint64_t expected = 1;
    store_walk_t walk = {0};
    while (store_walk_next(check->txn, TABLE_LEDGER, &walk)) {
        if (walk.key.size != 8) {
            problems_add(&check->problems, "table `ledger`: a key of %zu bytes is no number",
                         walk.key.size);
            continue;
        }
        uint64_t number = key_get_u64(walk.key.data);
        if (number != expected)
            problems_add(&check->problems,
                         "entry %" PRIu64 " follows %" PRIu64 ": some are missing", number,
                         expected - 1);
        expected = number + 1;
        ledger_entry_t entry;
        if (!ledger_entry_decode(walk.value.data, walk.value.size, &entry)) {
            problems_add(&check->problems, "entry %" PRIu64 " cannot be read", number);
            continue;
        }
        check_entry(check, number, &entry);
        free(entry.reason);
    }
    for (size_t i = 0; i < check->count; i++) {
        attempt_t attempt;
        if (get_attempt(check, check->numbers[i], &attempt) && check->phases[i] != PHASE_ILLEGAL &&
            check->phases[i] != phase_of_state(attempt.state))
            problems_add(&check->problems,
                         "attempt %" PRIu64 " is %s, but its entries say otherwise", attempt.number,
                         attempt_state_name(attempt.state));
    }
}

/* --- balances --------------------------------------------------------------------------------- */

static bool same_money(const balance_t *a, const balance_t *b) {
    return a->settled.pico == b->settled.pico && a->doubts.pico == b->doubts.pico &&
           a->reserved.pico == b->reserved.pico && a->attempts == b->attempts;
}

static bool same_counts(const balance_t *a, const balance_t *b) {
    return a->answers == b->answers && a->prompt_tokens == b->prompt_tokens &&
           a->cached_tokens == b->cached_tokens && a->completion_tokens == b->completion_tokens &&
           a->reasoning_tokens == b->reasoning_tokens;
}

static void describe(const row_t *row, char *out, size_t room) {
    uint32_t run = 0;
    int32_t day = 0;
    job_stage_t stage = 0;
    char model[LEDGER_MODEL_SIZE] = "", when[16];
    ledger_balance_key_decode(row->key, row->key_size, &run, &day, &stage, model);
    snprintf(out, room, "balance of run %" PRIu32 ", %s, stage %d, %s", run,
             text_format_day(day, when), stage, model);
}

static void check_row(check_t *check, row_t *row, const balance_t *balance) {
    char name[LEDGER_MODEL_SIZE + 96];
    describe(row, name, sizeof name);
    row->found = true;
    if (!same_money(balance, &row->attempts) || !same_counts(balance, &row->attempts))
        problems_add(&check->problems,
                     "%s: settled %" PRId64 ", doubts %" PRId64 ", reserved %" PRId64
                     " pico, %" PRId64 " attempts; its attempts sum to %" PRId64 ", %" PRId64
                     ", %" PRId64 ", %" PRId64 " (or answers or tokens differ)",
                     name, balance->settled.pico, balance->doubts.pico, balance->reserved.pico,
                     balance->attempts, row->attempts.settled.pico, row->attempts.doubts.pico,
                     row->attempts.reserved.pico, row->attempts.attempts);
    if (!same_money(balance, &row->entries))
        problems_add(
            &check->problems,
            "%s: its entries sum to settled %" PRId64 ", doubts %" PRId64 ", reserved %" PRId64,
            name, row->entries.settled.pico, row->entries.doubts.pico, row->entries.reserved.pico);
}

static void check_balances(check_t *check) {
    store_walk_t walk = {0};
    while (store_walk_next(check->txn, TABLE_BALANCES, &walk)) {
        uint32_t run;
        int32_t day;
        job_stage_t stage;
        char model[LEDGER_MODEL_SIZE];
        balance_t balance;
        if (!ledger_balance_key_decode(walk.key.data, walk.key.size, &run, &day, &stage, model) ||
            !ledger_balance_decode(walk.value.data, walk.value.size, &balance)) {
            problems_add(&check->problems, "table `balances`: a row cannot be read");
            continue;
        }
        row_t *row = row_of(check, walk.key.data, walk.key.size, false);
        if (!row)
            problems_add(&check->problems,
                         "balance of run %" PRIu32 ", stage %d, %s: no attempt has it", run, stage,
                         model);
        else
            check_row(check, row, &balance);
    }
    for (size_t i = 0; i < check->row_count; i++)
        if (!check->rows[i].found) {
            char name[LEDGER_MODEL_SIZE + 96];
            describe(&check->rows[i], name, sizeof name);
            problems_add(&check->problems, "%s is missing", name);
        }
}

uint64_t ledger_check(store_txn_t *txn, buffer_t *problems) {
    check_t check = {.txn = txn, .problems = {0, problems}};
    check_attempts(&check);
    check_list(&check, TABLE_OPEN, "open");
    check_list(&check, TABLE_DOUBTS, "doubts");
    check_entries(&check);
    check_balances(&check);
    free(check.numbers);
    free(check.phases);
    free(check.rows);
    return check.problems.count;
}
