/* ledger.c - the list of bills, in memory and as lines of a file. */
#include "tools/standin/ledger.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/json.h"
#include "core/base/memory.h"

enum { OUTCOMES = 64 };

struct standin_ledger {
    FILE *file; /* may be NULL */
    standin_bill_t *bills;
    size_t count, capacity;
    char **models; /* every name once; bills point here */
    size_t model_count;
    llm_usage_t usage; /* sums */
    money_t cost;
    struct {
        const char *name;
        uint64_t count;
    } outcomes[OUTCOMES];
    size_t outcome_count;
};

standin_ledger_t *standin_ledger_open(const char *path, error_info_t *error) {
    FILE *file = NULL;
    if (path && !(file = fopen(path, "a"))) {
        error_set(error, ERROR_CONFIG, "cannot write the ledger %s: %s", path, strerror(errno));
        return NULL;
    }
    standin_ledger_t *ledger = MEMORY_NEW(standin_ledger_t);
    ledger->file = file;
    return ledger;
}

void standin_ledger_close(standin_ledger_t *ledger) {
    if (!ledger)
        return;
    if (ledger->file)
        fclose(ledger->file);
    for (size_t i = 0; i < ledger->model_count; i++)
        free(ledger->models[i]);
    free(ledger->models);
    free(ledger->bills);
    free(ledger);
}

static const char *intern_model(standin_ledger_t *ledger, const char *model) {
    for (size_t i = 0; i < ledger->model_count; i++)
        if (strcmp(ledger->models[i], model) == 0)
            return ledger->models[i];
    ledger->models = memory_resize(ledger->models, ledger->model_count + 1, sizeof *ledger->models);
    return ledger->models[ledger->model_count++] = memory_copy_string(model);
}

static void write_bill(const standin_bill_t *bill, buffer_t *out) {
    char hash[HASH_TEXT_SIZE];
    hash_to_text(bill->hash, hash);
    buffer_append_format(out, "{\"sequence\":%llu,\"hash\":\"%s\",\"model\":",
                         (unsigned long long)bill->sequence, hash);
    json_write_text(out, bill->model);
    buffer_append_format(
        out,
        ",\"path\":\"%s\",\"outcome\":\"%s\",\"prompt_tokens\":%lld,\"cached_tokens\":%lld,"
        "\"completion_tokens\":%lld,\"cost_picodollars\":\"%lld\"}",
        bill->path, bill->outcome, (long long)bill->usage.prompt_tokens,
        (long long)bill->usage.cached_tokens, (long long)bill->usage.completion_tokens,
        (long long)bill->cost.pico);
}

void standin_ledger_bill(standin_ledger_t *ledger, const standin_bill_t *bill) {
    if (ledger->count == ledger->capacity) {
        ledger->capacity = ledger->capacity ? 2 * ledger->capacity : 256;
        ledger->bills = memory_resize(ledger->bills, ledger->capacity, sizeof *ledger->bills);
    }
    standin_bill_t *kept = &ledger->bills[ledger->count++];
    *kept = *bill;
    kept->model = intern_model(ledger, bill->model);
    ledger->usage.prompt_tokens += bill->usage.prompt_tokens;
    ledger->usage.cached_tokens += bill->usage.cached_tokens;
    ledger->usage.completion_tokens += bill->usage.completion_tokens;
    ledger->cost = money_add(ledger->cost, bill->cost);
    if (ledger->file) {
        buffer_t line = BUFFER_EMPTY;
        write_bill(kept, &line);
        fprintf(ledger->file, "%s\n", buffer_text(&line));
        fflush(ledger->file);
        buffer_free(&line);
    }
}

void standin_ledger_count(standin_ledger_t *ledger, const char *outcome) {
    size_t i = 0;
    while (i < ledger->outcome_count && strcmp(ledger->outcomes[i].name, outcome) != 0)
        i++;
    if (i == OUTCOMES)
        return;
    if (i == ledger->outcome_count)
        ledger->outcomes[ledger->outcome_count++].name = outcome;
    ledger->outcomes[i].count++;
}

money_t standin_ledger_total(const standin_ledger_t *ledger) {
    return ledger->cost;
}

void standin_ledger_write(const standin_ledger_t *ledger, size_t skip, buffer_t *out) {
    buffer_append_text(out, "{\"billed\":[");
    for (size_t i = skip; i < ledger->count; i++) {
        buffer_append_text(out, i > skip ? "," : "");
        write_bill(&ledger->bills[i], out);
    }
    buffer_append_format(
        out,
        "],\"totals\":{\"requests\":%zu,\"prompt_tokens\":%lld,\"cached_tokens\":%lld,"
        "\"completion_tokens\":%lld,\"cost_picodollars\":\"%lld\"},\"outcomes\":{",
        ledger->count, (long long)ledger->usage.prompt_tokens,
        (long long)ledger->usage.cached_tokens, (long long)ledger->usage.completion_tokens,
        (long long)ledger->cost.pico);
    for (size_t i = 0; i < ledger->outcome_count; i++)
        buffer_append_format(out, "%s\"%s\":%llu", i > 0 ? "," : "", ledger->outcomes[i].name,
                             (unsigned long long)ledger->outcomes[i].count);
    buffer_append_text(out, "}}\n");
}
