/* ledger.h - what the stand-in would have billed, and how every request ended. The
 * caller serializes. */
#ifndef GLIA_STANDIN_LEDGER_H
#define GLIA_STANDIN_LEDGER_H

#include <stddef.h>
#include <stdint.h>

#include "core/base/buffer.h"
#include "core/base/error.h"
#include "core/base/hash.h"
#include "core/base/money.h"
#include "core/llm/wire.h"

typedef struct standin_ledger standin_ledger_t;

/* `path`: JSON lines are appended there; NULL: kept in memory only. Errors (CONFIG):
 * cannot be opened. */
standin_ledger_t *standin_ledger_open(const char *path, error_info_t *error);
void standin_ledger_close(standin_ledger_t *ledger);

/* One billed request. `path` and `outcome` must be string literals; `outcome` is "ok" or the
 * name of a fault. */
typedef struct {
    uint64_t sequence;
    hash_t hash; /* of the request's body */
    const char *model;
    const char *path;
    const char *outcome;
    llm_usage_t usage;
    money_t cost;
} standin_bill_t;

/* Before the answer leaves. Copies. */
void standin_ledger_bill(standin_ledger_t *ledger, const standin_bill_t *bill);
/* When a request, billed or not, is over. `outcome` must be a string literal. */
void standin_ledger_count(standin_ledger_t *ledger, const char *outcome);
money_t standin_ledger_total(const standin_ledger_t *ledger);
/* {"billed": [entries without the first `skip`], "totals": {...}, "outcomes": {...}} */
void standin_ledger_write(const standin_ledger_t *ledger, size_t skip, buffer_t *out);

#endif
