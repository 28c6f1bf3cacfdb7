/* spend.c - sums of balances, counts of failures. */
#include "tools/report/spend.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/memory.h"

typedef struct {
    unsigned by;
    spend_list_t *list;
} collect_t;

static int compare_rows(const void *a, const void *b) {
    const spend_row_t *x = a, *y = b;
    if (x->run != y->run)
        return x->run < y->run ? -1 : 1;
    if (x->day != y->day)
        return x->day < y->day ? -1 : 1;
    if (x->stage != y->stage)
        return x->stage < y->stage ? -1 : 1;
    return strcmp(x->model, y->model);
}

static bool take_balance(void *context, uint32_t run, int32_t day, job_stage_t stage,
                         const char *model, const balance_t *balance) {
    const collect_t *collect = context;
    spend_list_t *list = collect->list;
    spend_row_t row = {
        .run = collect->by & SPEND_BY_RUN ? run : 0,
        .day = collect->by & SPEND_BY_DAY ? day : 0,
        .stage = collect->by & SPEND_BY_STAGE ? stage : (job_stage_t)0,
    };
    if (collect->by & SPEND_BY_MODEL)
        snprintf(row.model, sizeof row.model, "%s", model);
    size_t i = 0;
    while (i < list->count && compare_rows(&list->rows[i], &row) != 0)
        i++;
    if (i == list->count) {
        list->rows = memory_resize(list->rows, list->count + 1, sizeof *list->rows);
        list->rows[list->count++] = row;
    }
    balance_add(&list->rows[i].balance, balance);
    return true;
}

void spend_collect(store_txn_t *txn, uint32_t run, unsigned by, spend_list_t *list) {
    *list = (spend_list_t){0};
    collect_t collect = {by, list};
    ledger_balances(txn, run, take_balance, &collect);
    if (list->count > 1)
        qsort(list->rows, list->count, sizeof *list->rows, compare_rows);
}

void spend_clear(spend_list_t *list) {
    free(list->rows);
    *list = (spend_list_t){0};
}

balance_t spend_total(const spend_list_t *list) {
    balance_t total = {0};
    for (size_t i = 0; i < list->count; i++)
        balance_add(&total, &list->rows[i].balance);
    return total;
}

/* --- failures --------------------------------------------------------------------------------- */

static int compare_classes(const void *a, const void *b) {
    const failure_class_t *x = a, *y = b;
    if (x->stage != y->stage)
        return x->stage < y->stage ? -1 : 1;
    int verdict = strcmp(x->verdict, y->verdict);
    return verdict ? verdict : (int)y->terminal - (int)x->terminal;
}

static bool take_failure(void *context, hash_t job, const job_failure_t *failure) {
    (void)job;
    failure_list_t *list = context;
    failure_class_t wanted = {
        .stage = failure->stage,
        .terminal = failure->terminal,
        .verdict = failure->verdict ? failure->verdict : "",
    };
    size_t i = 0;
    while (i < list->count && compare_classes(&list->classes[i], &wanted) != 0)
        i++;
    if (i == list->count) {
        wanted.verdict = memory_copy_string(wanted.verdict);
        wanted.label = memory_copy_string(failure->label);
        wanted.message = memory_copy_string(failure->message);
        list->classes = memory_resize(list->classes, list->count + 1, sizeof *list->classes);
        list->classes[list->count++] = wanted;
    }
    list->classes[i].count++;
    *(failure->terminal ? &list->terminal : &list->retryable) += 1;
    return true;
}

void failures_collect(store_txn_t *txn, uint32_t run, failure_list_t *list) {
    *list = (failure_list_t){0};
    journal_failures(txn, run, take_failure, list);
    if (list->count > 1)
        qsort(list->classes, list->count, sizeof *list->classes, compare_classes);
}

void failures_clear(failure_list_t *list) {
    for (size_t i = 0; i < list->count; i++) {
        free(list->classes[i].verdict);
        free(list->classes[i].label);
        free(list->classes[i].message);
    }
    free(list->classes);
    *list = (failure_list_t){0};
}
