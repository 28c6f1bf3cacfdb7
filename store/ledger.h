/* ledger.h - money: attempts, entries and balances.
 *
 * An attempt is one HTTP exchange for a request. Its life (no other transitions):
 *
 *     RESERVED --answer with usage----------> SETTLED   cost = what usage says
 *        |-----nothing was charged----------> VOID      cost = 0
 *        '-----outcome unknown, crash-------> DOUBT     charged at worst case
 *     DOUBT ---ledger release---------------> RELEASED  cost = 0, with a reason
 *
 * Every step is one entry in LEDGER, and changes the one row of BALANCES of (run, UTC day of the
 * reservation, stage, model). fsck recomputes each balance from the attempts and from the entries;
 * the three agree at every commit.
 */
#ifndef GLIA_STORE_LEDGER_H
#define GLIA_STORE_LEDGER_H

#include "core/base/buffer.h"
#include "core/base/hash.h"
#include "core/base/money.h"
#include "store/env.h"
#include "store/journal.h"

typedef enum {
    ATTEMPT_RESERVED,
    ATTEMPT_SETTLED,
    ATTEMPT_VOID,
    ATTEMPT_DOUBT,
    ATTEMPT_RELEASED
} attempt_state_t;
const char *attempt_state_name(attempt_state_t state);

enum { LEDGER_MODEL_SIZE = 128, LEDGER_CODE_SIZE = 64, LEDGER_MESSAGE_SIZE = 384 };

typedef struct {
    uint64_t number; /* set by ledger_reserve; from 1 */
    attempt_state_t state;
    /* set with the reservation */
    uint32_t run;
    job_stage_t stage;
    int32_t day; /* UTC day of the reservation */
    char model[LEDGER_MODEL_SIZE];
    char endpoint[LEDGER_MODEL_SIZE];
    hash_t request;
    hash_t job;                          /* the (first) job it serves */
    money_t worst_case;                  /* set aside */
    int64_t input_bound, output_maximum; /* tokens behind worst_case */
    int64_t rate_charge;                 /* tokens charged against tokens/min */
    int64_t reserved_utc;                /* microseconds */
    int64_t reserved_now;                /* the same on the monotonic clock of `era`, see clock.h */
    uint32_t era;                        /* 0: not known */
    int32_t tries;                       /* 0 for the first attempt of this request in this run */
    /* set with the end */
    int64_t finished_utc;
    money_t cost; /* SETTLED: what it cost; DOUBT: worst_case; else 0 */
    int64_t prompt_tokens, cached_tokens, completion_tokens, reasoning_tokens;
    char verdict[32]; /* "answer", "timeout", "crash", ... */
    int32_t status;
    char code[LEDGER_CODE_SIZE];
    char message[LEDGER_MESSAGE_SIZE];
    uint64_t response; /* its number, 0: no response stored */
    bool over_bound;   /* usage was above what was set aside */
} attempt_t;

typedef enum {
    LEDGER_RESERVE,
    LEDGER_SETTLE,
    LEDGER_VOID,
    LEDGER_DOUBT,
    LEDGER_RELEASE
} ledger_kind_t;

typedef struct {
    ledger_kind_t kind;
    uint64_t attempt;
    money_t amount; /* RESERVE, VOID, DOUBT, RELEASE: the worst case; SETTLE: the cost */
    int64_t utc;
    char *reason; /* RELEASE: the user's; DOUBT after a crash: "crash"; else NULL. Owned. */
} ledger_entry_t;

typedef struct {
    money_t settled, doubts, reserved;
    int64_t attempts; /* all that were reserved */
    int64_t answers;  /* SETTLED, and DOUBT with a stored response */
    int64_t prompt_tokens, cached_tokens, completion_tokens, reasoning_tokens; /* of the answers */
} balance_t;

/* Assigns attempt->number, clears the end's members, writes attempt, OPEN, entry, balance. state
 * must be RESERVED. */
bool ledger_reserve(store_txn_t *txn, attempt_t *attempt, error_info_t *error);
/* Ends an attempt: `end` is the attempt as reserved with the end's members set and state SETTLED,
 * VOID or DOUBT. An attempt that is not open, or another one than was reserved under this number,
 * is a BUG error. What an endpoint claims is never refused, since with it would go the response: a
 * cost over the worst case sets over_bound, tokens are brought within 0..10^12. The cost of a DOUBT
 * is set to the worst case, that of a VOID to 0. */
bool ledger_end(store_txn_t *txn, const attempt_t *end, error_info_t *error);
/* At start of a writer: every open attempt of any run becomes a DOUBT with verdict "crash". *count
 * and *amount: how many, and their worst cases. */
bool ledger_recover(store_txn_t *txn, int64_t utc, uint64_t *count, money_t *amount,
                    error_info_t *error);
/* Releases one doubt (number) or all of a run (number 0; run 0: of every run). Counts what was
 * released. A number that is no doubt is a USAGE error. */
bool ledger_release(store_txn_t *txn, uint64_t number, uint32_t run, int64_t utc,
                    const char *reason, uint64_t *count, money_t *amount, error_info_t *error);

bool ledger_attempt_get(store_txn_t *txn, uint64_t number, attempt_t *attempt);
/* Walks attempts with reserved_utc >= since, newest first; return false to stop. Attempt numbers
 * are in order of reservation; the walk stops at the first that is older than `since` minus one
 * hour (clocks step). */
typedef bool ledger_attempt_visit_t(void *context, const attempt_t *attempt);
void ledger_attempts_since(store_txn_t *txn, int64_t since, ledger_attempt_visit_t *visit,
                           void *context);
/* Walks OPEN or DOUBTS in order of number. */
void ledger_open_attempts(store_txn_t *txn, ledger_attempt_visit_t *visit, void *context);
void ledger_doubts(store_txn_t *txn, ledger_attempt_visit_t *visit, void *context);

/* Walks LEDGER in order; the callee borrows the entry. */
typedef bool ledger_entry_visit_t(void *context, uint64_t number, const ledger_entry_t *entry);
void ledger_entries(store_txn_t *txn, ledger_entry_visit_t *visit, void *context);

/* Balance rows; run 0: of every run. */
typedef bool ledger_balance_visit_t(void *context, uint32_t run, int32_t day, job_stage_t stage,
                                    const char *model, const balance_t *balance);
void ledger_balances(store_txn_t *txn, uint32_t run, ledger_balance_visit_t *visit, void *context);
void balance_add(balance_t *sum, const balance_t *part);

/* Checks every ledger equation (first comment of ledger.c) and that numbers are without gaps;
 * appends one line a problem to `problems`, returns their number. */
uint64_t ledger_check(store_txn_t *txn, buffer_t *problems);

#endif
