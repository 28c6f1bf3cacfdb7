/* spend.h - the ledger's balances, added up the ways people ask for; and failures by class.
 * Reads the store. */
#ifndef GLIA_TOOLS_REPORT_SPEND_H
#define GLIA_TOOLS_REPORT_SPEND_H

#include "store/ledger.h"

enum { SPEND_BY_RUN = 1, SPEND_BY_DAY = 2, SPEND_BY_STAGE = 4, SPEND_BY_MODEL = 8 };

/* One sum. Members that it is not by are 0 or "". */
typedef struct {
    uint32_t run;
    int32_t day;
    job_stage_t stage;
    char model[LEDGER_MODEL_SIZE];
    balance_t balance;
} spend_row_t;

typedef struct {
    size_t count;
    spend_row_t *rows; /* [count], in order of run, day, stage, model; owned */
} spend_list_t;

/* `run` 0: every run's. `by`: SPEND_* flags; 0 gives one row, or none where nothing
 * was ever reserved. */
void spend_collect(store_txn_t *txn, uint32_t run, unsigned by, spend_list_t *list);
void spend_clear(spend_list_t *list);
/* The sum of all rows. */
balance_t spend_total(const spend_list_t *list);

/* Failures of one stage with one verdict. */
typedef struct {
    job_stage_t stage;
    bool terminal;
    char *verdict;
    uint64_t count;
    char *label, *message; /* of the first of them in order of job; `message` may be NULL */
} failure_class_t;

typedef struct {
    size_t count;
    failure_class_t *classes; /* [count], in order of stage, verdict, terminal first; owned */
    uint64_t terminal, retryable;
} failure_list_t;

void failures_collect(store_txn_t *txn, uint32_t run, failure_list_t *list);
void failures_clear(failure_list_t *list);

#endif
