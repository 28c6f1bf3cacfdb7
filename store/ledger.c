/* ledger.c - the tables ATTEMPTS, OPEN, DOUBTS, LEDGER and BALANCES: every way in
 * which money moves.
 *
 * Invariants, at every commit (ledger_check.c verifies them):
 *   - each attempt's entries are RESERVE, then at most one of SETTLE, VOID, DOUBT, then
 *     after DOUBT at most one
 * RELEASE;
 *   - OPEN holds exactly the attempts in state RESERVED, DOUBTS exactly those in state DOUBT;
 *   - a row of BALANCES is the sum of what its attempts contribute (contribution() below).
 * What cannot be read here stops the program: to go on with a ledger that is not whole
 * could pass a cap. */
#include "store/ledger.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/memory.h"
#include "store/env_private.h"
#include "store/key.h"
#include "store/ledger_private.h"

/* More than any answer has; keeps sums of what an endpoint claims within their type. */
static const int64_t most_tokens = INT64_C(1000000000000);

/* --- rows ------------------------------------------------------------------------------------- */

static bool put_number(store_txn_t *txn, store_table_t table, uint64_t number,
                       error_info_t *error) {
    uint8_t key[8];
    key_put_u64(key, number);
    return store_put(txn, table, key, sizeof key, "", 0, error);
}

static bool delete_number(store_txn_t *txn, store_table_t table, uint64_t number,
                          error_info_t *error) {
    uint8_t key[8];
    key_put_u64(key, number);
    return store_delete(txn, table, key, sizeof key, error);
}

static bool has_number(store_txn_t *txn, store_table_t table, uint64_t number) {
    uint8_t key[8];
    key_put_u64(key, number);
    store_bytes_t value;
    return store_get(txn, table, key, sizeof key, &value);
}

static bool put_attempt(store_txn_t *txn, const attempt_t *attempt, bool append,
                        error_info_t *error) {
    uint8_t key[8];
    key_put_u64(key, attempt->number);
    buffer_t value = BUFFER_EMPTY;
    ledger_attempt_encode(attempt, &value);
    bool good =
        append ? store_append(txn, TABLE_ATTEMPTS, key, sizeof key, value.data, value.length, error)
               : store_put(txn, TABLE_ATTEMPTS, key, sizeof key, value.data, value.length, error);
    buffer_free(&value);
    return good;
}

static bool put_entry(store_txn_t *txn, ledger_kind_t kind, uint64_t attempt, money_t amount,
                      int64_t utc, const char *reason, error_info_t *error) {
    ledger_entry_t entry = {kind, attempt, amount, utc, (char *)(uintptr_t)reason};
    uint8_t key[8];
    key_put_u64(key, store_last_number(txn, TABLE_LEDGER) + 1);
    buffer_t value = BUFFER_EMPTY;
    ledger_entry_encode(&entry, &value);
    bool good = store_append(txn, TABLE_LEDGER, key, sizeof key, value.data, value.length, error);
    buffer_free(&value);
    return good;
}

bool ledger_attempt_get(store_txn_t *txn, uint64_t number, attempt_t *attempt) {
    uint8_t key[8];
    key_put_u64(key, number);
    store_bytes_t value;
    if (!store_get(txn, TABLE_ATTEMPTS, key, sizeof key, &value)) {
        memset(attempt, 0, sizeof *attempt);
        return false;
    }
    if (!ledger_attempt_decode(value.data, value.size, number, attempt))
        store_damaged(txn, TABLE_ATTEMPTS, "an attempt that cannot be read");
    return true;
}

/* --- balances --------------------------------------------------------------------------------- */

/* What an attempt in its present state adds to the balance of its row. Answers and tokens are those
 * of settled attempts and of doubts that have a response. */
balance_t ledger_contribution(const attempt_t *attempt) {
    balance_t part = {.attempts = 1};
    bool answered = attempt->state == ATTEMPT_SETTLED ||
                    (attempt->state == ATTEMPT_DOUBT && attempt->response != 0);
    if (attempt->state == ATTEMPT_RESERVED)
        part.reserved = attempt->worst_case;
    else if (attempt->state == ATTEMPT_SETTLED)
        part.settled = attempt->cost;
    else if (attempt->state == ATTEMPT_DOUBT)
        part.doubts = attempt->worst_case;
    if (answered) {
        part.answers = 1;
        part.prompt_tokens = attempt->prompt_tokens;
        part.cached_tokens = attempt->cached_tokens;
        part.completion_tokens = attempt->completion_tokens;
        part.reasoning_tokens = attempt->reasoning_tokens;
    }
    return part;
}

static void balance_take(balance_t *sum, const balance_t *part) {
    sum->settled = money_subtract(sum->settled, part->settled);
    sum->doubts = money_subtract(sum->doubts, part->doubts);
    sum->reserved = money_subtract(sum->reserved, part->reserved);
    sum->attempts -= part->attempts;
    sum->answers -= part->answers;
    sum->prompt_tokens -= part->prompt_tokens;
    sum->cached_tokens -= part->cached_tokens;
    sum->completion_tokens -= part->completion_tokens;
    sum->reasoning_tokens -= part->reasoning_tokens;
}

static bool not_negative(const balance_t *balance) {
    return money_compare(balance->settled, MONEY_ZERO) >= 0 &&
           money_compare(balance->doubts, MONEY_ZERO) >= 0 &&
           money_compare(balance->reserved, MONEY_ZERO) >= 0 && balance->attempts >= 0 &&
           balance->answers >= 0 && balance->prompt_tokens >= 0 && balance->cached_tokens >= 0 &&
           balance->completion_tokens >= 0 && balance->reasoning_tokens >= 0;
}

/* The row that the write transaction changed last: a commit moves the same one a hundred times.
 * Written when another one is changed, when balances are read, and before the commit. Of the thread
 * that writes alone. */
typedef struct {
    uint8_t key[BALANCE_KEY_SIZE];
    size_t key_size; /* 0: no row */
    balance_t balance;
    bool changed;
} row_t;

static bool row_put(store_txn_t *txn, row_t *row, error_info_t *error) {
    if (!row->changed)
        return true;
    buffer_t bytes = BUFFER_EMPTY;
    ledger_balance_encode(&row->balance, &bytes);
    row->changed = false;
    bool good =
        store_put(txn, TABLE_BALANCES, row->key, row->key_size, bytes.data, bytes.length, error);
    buffer_free(&bytes);
    return good;
}

static void *row_create(void) {
    return MEMORY_NEW(row_t);
}

static void row_forget(void *kept) {
    row_t *row = kept;
    *row = (row_t){0};
}

static bool row_before_commit(store_txn_t *txn, void *kept, error_info_t *error) {
    bool good = row_put(txn, kept, error);
    row_forget(kept);
    return good;
}

const env_tenant_t ledger_tenant = {
    .create = row_create, .forget = row_forget, .before_commit = row_before_commit, .free = free};

/* NULL: the row that was there before could not be written. */
static row_t *row_of(store_txn_t *txn, const attempt_t *attempt, error_info_t *error) {
    uint8_t key[BALANCE_KEY_SIZE];
    size_t size =
        ledger_balance_key(key, attempt->run, attempt->day, attempt->stage, attempt->model);
    row_t *row = env_kept(txn, &ledger_tenant);
    if (row->key_size == size && memcmp(row->key, key, size) == 0)
        return row;
    if (!row_put(txn, row, error))
        return NULL;
    memcpy(row->key, key, size);
    row->key_size = size;
    row->balance = (balance_t){0};
    store_bytes_t value;
    if (store_get(txn, TABLE_BALANCES, key, size, &value) &&
        !ledger_balance_decode(value.data, value.size, &row->balance))
        store_damaged(txn, TABLE_BALANCES, "a balance that cannot be read");
    return row;
}

/* The row loses what `before` (NULL: a new attempt) contributed and gains what `after` does. */
static bool move_balance(store_txn_t *txn, const attempt_t *before, const attempt_t *after,
                         error_info_t *error) {
    row_t *row = row_of(txn, after, error);
    if (!row)
        return false;
    if (before) {
        balance_t part = ledger_contribution(before);
        balance_take(&row->balance, &part);
    }
    balance_t part = ledger_contribution(after);
    balance_add(&row->balance, &part);
    row->changed = true;
    return not_negative(&row->balance) || error_set(error, ERROR_FATAL,
                                                    "ledger: the balance of attempt %" PRIu64
                                                    " would fall below zero; see `glia fsck`",
                                                    after->number);
}

/* --- transitions ------------------------------------------------------------------------------ */

bool ledger_reserve(store_txn_t *txn, attempt_t *attempt, error_info_t *error) {
    if (attempt->state != ATTEMPT_RESERVED || money_compare(attempt->worst_case, MONEY_ZERO) < 0 ||
        attempt->stage >= JOB_STAGES || attempt->input_bound < 0 || attempt->output_maximum < 0 ||
        attempt->rate_charge < 0 || attempt->tries < 0)
        return error_set(error, ERROR_BUG,
                         "ledger_reserve: not a reservation (state %s, worst case %" PRId64
                         " pico)",
                         attempt_state_name(attempt->state), attempt->worst_case.pico);
    attempt->number = store_last_number(txn, TABLE_ATTEMPTS) + 1;
    attempt->finished_utc = 0;
    attempt->cost = MONEY_ZERO;
    attempt->prompt_tokens = attempt->cached_tokens = 0;
    attempt->completion_tokens = attempt->reasoning_tokens = 0;
    attempt->verdict[0] = attempt->code[0] = attempt->message[0] = '\0';
    attempt->status = 0;
    attempt->response = 0;
    attempt->over_bound = false;
    return put_attempt(txn, attempt, true, error) &&
           put_number(txn, TABLE_OPEN, attempt->number, error) &&
           put_entry(txn, LEDGER_RESERVE, attempt->number, attempt->worst_case,
                     attempt->reserved_utc, NULL, error) &&
           move_balance(txn, NULL, attempt, error);
}

/* RESERVED to what `after` says. */
static bool end_attempt(store_txn_t *txn, const attempt_t *before, const attempt_t *after,
                        const char *reason, error_info_t *error) {
    ledger_kind_t kind = after->state == ATTEMPT_SETTLED ? LEDGER_SETTLE
                         : after->state == ATTEMPT_VOID  ? LEDGER_VOID
                                                         : LEDGER_DOUBT;
    money_t amount = kind == LEDGER_SETTLE ? after->cost : after->worst_case;
    return put_attempt(txn, after, false, error) &&
           delete_number(txn, TABLE_OPEN, after->number, error) &&
           (kind != LEDGER_DOUBT || put_number(txn, TABLE_DOUBTS, after->number, error)) &&
           put_entry(txn, kind, after->number, amount, after->finished_utc, reason, error) &&
           move_balance(txn, before, after, error);
}

static int64_t tokens_within(int64_t tokens) {
    return tokens < 0 ? 0 : tokens > most_tokens ? most_tokens : tokens;
}

/* The reservation as it is stored with the end's members of `end`. An endpoint may claim
 * anything: what it says is brought within range, never refused, since with it would go the
 * response that was paid for. */
static attempt_t with_end(const attempt_t *before, const attempt_t *end) {
    attempt_t after = *before;
    after.state = end->state;
    after.finished_utc = end->finished_utc;
    after.cost = end->state == ATTEMPT_SETTLED ? end->cost
                 : end->state == ATTEMPT_DOUBT ? before->worst_case
                                               : MONEY_ZERO;
    after.prompt_tokens = tokens_within(end->prompt_tokens);
    after.cached_tokens = tokens_within(end->cached_tokens);
    after.completion_tokens = tokens_within(end->completion_tokens);
    after.reasoning_tokens = tokens_within(end->reasoning_tokens);
    memcpy(after.verdict, end->verdict, sizeof after.verdict);
    memcpy(after.code, end->code, sizeof after.code);
    memcpy(after.message, end->message, sizeof after.message);
    after.status = end->status;
    after.response = end->response;
    after.over_bound = end->over_bound || money_compare(after.cost, before->worst_case) > 0;
    return after;
}

static bool same_reservation(const attempt_t *a, const attempt_t *b) {
    return a->run == b->run && a->day == b->day && a->stage == b->stage &&
           strcmp(a->model, b->model) == 0 && hash_equal(a->request, b->request) &&
           money_compare(a->worst_case, b->worst_case) == 0;
}

bool ledger_end(store_txn_t *txn, const attempt_t *end, error_info_t *error) {
    attempt_t before;
    if (!ledger_attempt_get(txn, end->number, &before))
        return error_set(error, ERROR_BUG, "ledger_end: there is no attempt %" PRIu64, end->number);
    if (before.state != ATTEMPT_RESERVED || !has_number(txn, TABLE_OPEN, end->number))
        return error_set(error, ERROR_BUG, "ledger_end: attempt %" PRIu64 " is not open but %s",
                         end->number, attempt_state_name(before.state));
    if (end->state != ATTEMPT_SETTLED && end->state != ATTEMPT_VOID && end->state != ATTEMPT_DOUBT)
        return error_set(error, ERROR_BUG, "ledger_end: attempt %" PRIu64 " cannot become %s",
                         end->number, attempt_state_name(end->state));
    if (!same_reservation(&before, end) || money_compare(end->cost, MONEY_ZERO) < 0)
        return error_set(error, ERROR_BUG,
                         "ledger_end: attempt %" PRIu64 " is not the one that was reserved",
                         end->number);
    attempt_t after = with_end(&before, end);
    return end_attempt(txn, &before, &after, NULL, error);
}

/* The numbers of a table, in order, so that it can be changed while they are gone through. */
static uint64_t *numbers_of(store_txn_t *txn, store_table_t table, size_t *count) {
    size_t room = (size_t)store_count(txn, table);
    uint64_t *numbers = MEMORY_NEW_ARRAY(room + 1, uint64_t);
    store_walk_t walk = {0};
    *count = 0;
    while (store_walk_next(txn, table, &walk)) {
        if (walk.key.size != 8 || *count == room)
            store_damaged(txn, table, "a key that is no number");
        numbers[(*count)++] = key_get_u64(walk.key.data);
    }
    return numbers;
}

static void listed_attempt(store_txn_t *txn, store_table_t table, uint64_t number,
                           attempt_state_t state, attempt_t *attempt) {
    if (!ledger_attempt_get(txn, number, attempt) || attempt->state != state)
        store_damaged(txn, table, "an attempt that is not in the state that the table says");
}

bool ledger_recover(store_txn_t *txn, int64_t utc, uint64_t *count, money_t *amount,
                    error_info_t *error) {
    *count = 0;
    *amount = MONEY_ZERO;
    size_t open;
    uint64_t *numbers = numbers_of(txn, TABLE_OPEN, &open);
    bool good = true;
    for (size_t i = 0; good && i < open; i++) {
        attempt_t before;
        listed_attempt(txn, TABLE_OPEN, numbers[i], ATTEMPT_RESERVED, &before);
        attempt_t after = before;
        after.state = ATTEMPT_DOUBT;
        after.finished_utc = utc;
        after.cost = before.worst_case;
        memcpy(after.verdict, "crash", sizeof "crash");
        good = end_attempt(txn, &before, &after, "crash", error);
        *count += 1;
        *amount = money_add(*amount, before.worst_case);
    }
    free(numbers);
    return good;
}

static bool release(store_txn_t *txn, const attempt_t *before, int64_t utc, const char *reason,
                    error_info_t *error) {
    attempt_t after = *before;
    after.state = ATTEMPT_RELEASED;
    after.cost = MONEY_ZERO;
    return put_attempt(txn, &after, false, error) &&
           delete_number(txn, TABLE_DOUBTS, after.number, error) &&
           put_entry(txn, LEDGER_RELEASE, after.number, after.worst_case, utc, reason, error) &&
           move_balance(txn, before, &after, error);
}

static bool release_one(store_txn_t *txn, uint64_t number, int64_t utc, const char *reason,
                        money_t *amount, error_info_t *error) {
    attempt_t before;
    if (!ledger_attempt_get(txn, number, &before))
        return error_set(error, ERROR_USAGE,
                         "there is no attempt %" PRIu64 "; `glia ledger` lists the doubts", number);
    if (before.state != ATTEMPT_DOUBT)
        return error_set(error, ERROR_USAGE,
                         "attempt %" PRIu64 " is no doubt but %s; `glia ledger` lists the doubts",
                         number, attempt_state_name(before.state));
    *amount = before.worst_case;
    return release(txn, &before, utc, reason, error);
}

bool ledger_release(store_txn_t *txn, uint64_t number, uint32_t run, int64_t utc,
                    const char *reason, uint64_t *count, money_t *amount, error_info_t *error) {
    *count = 0;
    *amount = MONEY_ZERO;
    if (number != 0) {
        bool good = release_one(txn, number, utc, reason, amount, error);
        *count = good;
        return good;
    }
    size_t doubts;
    uint64_t *numbers = numbers_of(txn, TABLE_DOUBTS, &doubts);
    bool good = true;
    for (size_t i = 0; good && i < doubts; i++) {
        attempt_t before;
        listed_attempt(txn, TABLE_DOUBTS, numbers[i], ATTEMPT_DOUBT, &before);
        if (run == 0 || before.run == run) {
            good = release(txn, &before, utc, reason, error);
            *count += 1;
            *amount = money_add(*amount, before.worst_case);
        }
    }
    free(numbers);
    return good;
}

/* --- reading ---------------------------------------------------------------------------------- */

void ledger_attempts_since(store_txn_t *txn, int64_t since, ledger_attempt_visit_t *visit,
                           void *context) {
    const int64_t hour = INT64_C(3600000000);
    int64_t oldest = since < INT64_MIN + hour ? INT64_MIN : since - hour;
    store_walk_t walk = {.backward = true};
    while (store_walk_next(txn, TABLE_ATTEMPTS, &walk)) {
        attempt_t attempt;
        if (walk.key.size != 8 || !ledger_attempt_decode(walk.value.data, walk.value.size,
                                                         key_get_u64(walk.key.data), &attempt))
            store_damaged(txn, TABLE_ATTEMPTS, "an attempt that cannot be read");
        if (attempt.reserved_utc < oldest ||
            (attempt.reserved_utc >= since && !visit(context, &attempt))) {
            store_walk_end(&walk);
            return;
        }
    }
}

static void visit_listed(store_txn_t *txn, store_table_t table, attempt_state_t state,
                         ledger_attempt_visit_t *visit, void *context) {
    store_walk_t walk = {0};
    while (store_walk_next(txn, table, &walk)) {
        attempt_t attempt;
        if (walk.key.size != 8)
            store_damaged(txn, table, "a key that is no number");
        listed_attempt(txn, table, key_get_u64(walk.key.data), state, &attempt);
        if (!visit(context, &attempt)) {
            store_walk_end(&walk);
            return;
        }
    }
}

void ledger_open_attempts(store_txn_t *txn, ledger_attempt_visit_t *visit, void *context) {
    visit_listed(txn, TABLE_OPEN, ATTEMPT_RESERVED, visit, context);
}

void ledger_doubts(store_txn_t *txn, ledger_attempt_visit_t *visit, void *context) {
    visit_listed(txn, TABLE_DOUBTS, ATTEMPT_DOUBT, visit, context);
}

void ledger_entries(store_txn_t *txn, ledger_entry_visit_t *visit, void *context) {
    store_walk_t walk = {0};
    while (store_walk_next(txn, TABLE_LEDGER, &walk)) {
        ledger_entry_t entry;
        if (walk.key.size != 8 || !ledger_entry_decode(walk.value.data, walk.value.size, &entry))
            store_damaged(txn, TABLE_LEDGER, "an entry that cannot be read");
        bool go_on = visit(context, key_get_u64(walk.key.data), &entry);
        free(entry.reason);
        if (!go_on) {
            store_walk_end(&walk);
            return;
        }
    }
}

void ledger_balances(store_txn_t *txn, uint32_t run, ledger_balance_visit_t *visit, void *context) {
    uint8_t from[4];
    key_put_u32(from, run);
    store_walk_t walk = {0};
    if (txn->writes)
        /* a failure ends the transaction */
        (void)row_put(txn, env_kept(txn, &ledger_tenant), NULL);
    if (run != 0)
        walk = (store_walk_t){.from = from, .from_size = sizeof from, .prefix_size = sizeof from};
    while (store_walk_next(txn, TABLE_BALANCES, &walk)) {
        uint32_t of_run;
        int32_t day;
        job_stage_t stage;
        char model[LEDGER_MODEL_SIZE];
        balance_t balance;
        if (!ledger_balance_key_decode(walk.key.data, walk.key.size, &of_run, &day, &stage,
                                       model) ||
            !ledger_balance_decode(walk.value.data, walk.value.size, &balance))
            store_damaged(txn, TABLE_BALANCES, "a balance that cannot be read");
        if (!visit(context, of_run, day, stage, model, &balance)) {
            store_walk_end(&walk);
            return;
        }
    }
}
