/* ledger_private.h - what ledger*.c share: the values of ATTEMPTS, LEDGER and
 * BALANCES; see values.h. */
#ifndef GLIA_STORE_LEDGER_PRIVATE_H
#define GLIA_STORE_LEDGER_PRIVATE_H

#include "store/env_private.h"
#include "store/ledger.h"

/* ledger.c: holds back the row of BALANCES that a transaction changed last. */
extern const env_tenant_t ledger_tenant;

enum { BALANCE_KEY_FIXED = 9, BALANCE_KEY_SIZE = BALANCE_KEY_FIXED + LEDGER_MODEL_SIZE };

void ledger_attempt_encode(const attempt_t *attempt, buffer_t *out);
bool ledger_attempt_decode(const void *bytes, size_t size, uint64_t number, attempt_t *attempt);
void ledger_entry_encode(const ledger_entry_t *entry, buffer_t *out);
bool ledger_entry_decode(const void *bytes, size_t size, ledger_entry_t *entry); /* reason owned */
void ledger_balance_encode(const balance_t *balance, buffer_t *out);
bool ledger_balance_decode(const void *bytes, size_t size, balance_t *balance);
/* Returns the size of the key. */
size_t ledger_balance_key(uint8_t key[BALANCE_KEY_SIZE], uint32_t run, int32_t day,
                          job_stage_t stage, const char *model);
bool ledger_balance_key_decode(const void *key, size_t size, uint32_t *run, int32_t *day,
                               job_stage_t *stage, char model[LEDGER_MODEL_SIZE]);

/* What an attempt in its present state adds to the balance of its row. */
balance_t ledger_contribution(const attempt_t *attempt);

#endif
