/* api_neuron.c - one neuron: its records, and what became of each of its chains. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "actors/sweep/outcome.h"
#include "core/base/memory.h"
#include "store/ledger.h"
#include "store/records.h"
#include "store/responses.h"
#include "tools/viewer/call.h"

/* --- records ---------------------------------------------------------------------------------- */

/* Where a record stands among those that the score is made from; -1: it is not. */
static int64_t place_among(const split_list_t *list, const activation_record_t *record) {
    for (size_t i = 0; i < list->count; i++)
        if (list->records[i] == record)
            return (int64_t)i;
    return -1;
}

static void write_list(buffer_t *out, const char *name, const record_list_t *list,
                       const split_list_t *train, const split_list_t *valid) {
    if (list->count == 0)
        return;
    field_open(out, NULL, '{');
    field_text(out, "name", name);
    field_open(out, "records", '[');
    for (size_t i = 0; i < list->count; i++) {
        const activation_record_t *record = &list->records[i];
        field_open(out, NULL, '{');
        field_tokens(out, "tokens", record);
        field_activations(out, "activations", record);
        field_boolean(out, "shown", place_among(train, record) >= 0);
        field_count(out, "valid", place_among(valid, record));
        field_close(out, '}');
    }
    field_close(out, ']');
    field_close(out, '}');
}

static void write_records(buffer_t *out, const neuron_record_t *neuron, const split_list_t *valid) {
    static const char *const bands[NEURON_BANDS] = {"band 1: below the 0.5 quantile",
                                                    "band 2: 0.5 to 0.9", "band 3: 0.9 to 0.99",
                                                    "band 4: 0.99 to 0.999", "band 5: above 0.999"};
    bool subject = neuron->source == NEURON_SOURCE_SUBJECT;
    split_list_t train = neuron_split(neuron, SPLIT_TRAIN);
    field_open(out, "groups", '[');
    write_list(out, subject ? "top" : "to explain from", &neuron->top, &train, valid);
    for (size_t i = NEURON_BANDS; i-- > 0;)
        write_list(out, bands[i], &neuron->bands[i], &train, valid);
    write_list(out, subject ? "random" : "to score on", &neuron->random, &train, valid);
    field_close(out, ']');
    neuron_split_free(&train);
}

static void write_statistics(buffer_t *out, const neuron_record_t *neuron) {
    double threshold;
    field_open(out, "quantiles", '[');
    for (size_t i = 0; neuron->has_quantiles && i < NEURON_QUANTILES; i++)
        field_number(out, NULL, neuron->quantiles[i]);
    field_close(out, ']');
    field_number(out, "mean", neuron->mean);
    field_number(out, "variance", neuron->variance);
    field_number(out, "skewness", neuron->skewness);
    field_number(out, "kurtosis", neuron->kurtosis);
    field_number(out, "threshold", neuron_threshold(neuron, &threshold) ? threshold : (double)NAN);
}

/* --- chains ----------------------------------------------------------------------------------- */

/* What an answer cost: 0 where it is not known any more. */
static money_t cost_of(store_txn_t *txn, hash_t request) {
    response_info_t info;
    attempt_t attempt;
    error_info_t error;
    uint64_t response = response_find(txn, request);
    if (response && response_get(txn, response, NULL, &info, &error) &&
        ledger_attempt_get(txn, info.attempt, &attempt))
        return attempt.cost;
    return MONEY_ZERO;
}

typedef struct {
    const view_t *view;
    buffer_t *out, chains;
    bool any; /* the neuron's own part is written */
} write_t;

static void write_simulations(write_t *write, store_txn_t *txn, const outcome_t *outcome) {
    buffer_t *out = &write->chains;
    money_t cost = MONEY_ZERO;
    field_open(out, "simulated", '[');
    for (size_t i = 0; i < outcome->valid->count; i++) {
        simulate_result_t result = {0};
        const chain_job_t *job = outcome_of_record(outcome, STAGE_SIMULATE, i);
        bool done = job && job->state == CHAIN_DONE &&
                    simulate_result_decode(job->bytes.data, job->bytes.size, &result);
        if (!done)
            field_text(out, NULL, NULL);
        else {
            field_open(out, NULL, '[');
            for (size_t k = 0; k < result.count; k++)
                field_number(out, NULL, round(result.expected[k] * 1000) / 1000);
            field_close(out, ']');
            cost = money_add(cost, cost_of(txn, result.request));
        }
        simulate_result_clear(&result);
    }
    field_close(out, ']');
    field_money(out, "simulate_usd", cost);
}

static void write_chain(write_t *write, store_txn_t *txn, const outcome_t *outcome) {
    buffer_t *out = &write->chains;
    bool done = outcome->explained == CHAIN_DONE;
    const stages_measured_t *rows = neuron_index_measured(write->view->index);
    chain_measured_t measured[STAGES_MEASURED];
    for (size_t m = 0; m < rows->count; m++)
        measured[m] = chain_look_measured(outcome->look, rows->rows[m]->number);
    field_open(out, NULL, '{');
    field_integer(out, "number", (int64_t)outcome->number);
    field_text(out, "format", prompt_format_name(outcome->chain.format));
    field_text(out, "explainer", write->view->settings->models[outcome->chain.explainer].name);
    field_integer(out, "sample", outcome->chain.sample);
    field_text(out, "explained", chain_state_name(outcome->explained));
    field_measured_states(out, rows, measured);
    field_text(out, "text", done ? outcome->explanation->text : NULL);
    field_measured_values(out, rows, measured, STAGE_MEASURES);
    field_measures(out, rows, measured);
    if (done) {
        field_count(out, "prompt_tokens", outcome->explanation->prompt_tokens);
        field_count(out, "completion_tokens", outcome->explanation->completion_tokens);
        field_money(out, "explain_usd", cost_of(txn, outcome->explanation->request));
        write_simulations(write, txn, outcome);
    }
    field_close(out, '}');
}

/* NaN: none is known. */
static double baseline_score(const write_t *write, store_txn_t *txn, const outcome_t *outcome) {
    const set_settings_t *set = &write->view->settings->sets[outcome->chain.set];
    const neuron_record_t *record = outcome->record;
    char *text;
    double score;
    if (!set->baseline || record->source != NEURON_SOURCE_SUBJECT ||
        !baseline_get(txn, set->baseline, record->layer, record->index, &text, &score))
        return record->baseline_score;
    free(text);
    return score;
}

static bool take_chain(void *context, store_txn_t *txn, const outcome_t *outcome,
                       error_info_t *error) {
    (void)error;
    write_t *write = context;
    if (!write->any) {
        write_statistics(write->out, outcome->record);
        field_text(write->out, "baseline", outcome->baseline);
        field_number(write->out, "baseline_score", baseline_score(write, txn, outcome));
        write_records(write->out, outcome->record, outcome->valid);
        write->any = true;
    }
    write_chain(write, txn, outcome);
    return true;
}

/* --- the neuron ------------------------------------------------------------------------------- */

static bool find_entry(call_t *call, index_entry_t *entry, size_t *position) {
    int64_t set, layer = -1, neuron = -1;
    const char *id = http_server_query(call->request, "id");
    if (!call->view->index) {
        call_refuse(call, 404, "run %s is a batch: it has no neurons", call->view->run.name);
        return false;
    }
    if (!call_set(call, &set))
        return false;
    call_integer(call, "layer", &layer);
    call_integer(call, "neuron", &neuron);
    if (neuron_index_find(call->view->index, set, id, (int32_t)layer, (int32_t)neuron, entry,
                          position))
        return true;
    if (id)
        call_refuse(call, 404, "run %s has no neuron \"%.200s\"", call->view->run.name, id);
    else
        call_refuse(call, 404, "run %s has no neuron %lld:%lld", call->view->run.name,
                    (long long)layer, (long long)neuron);
    return false;
}

static void write_neighbour(const call_t *call, const char *key, size_t position, buffer_t *out) {
    index_entry_t entry;
    buffer_append_format(out, ",\"%s\":", key);
    if (neuron_index_at(call->view->index, position, &entry)) {
        buffer_append_char(out, ' '); /* no comma before the object */
        api_write_entry(call->view, &entry, out);
    } else {
        buffer_append_text(out, "null");
    }
}

void api_neuron(call_t *call) {
    index_entry_t entry;
    size_t position;
    error_info_t error;
    if (!find_entry(call, &entry, &position))
        return;
    buffer_t *out = &call->response->body;
    write_t write = {.view = call->view, .out = out};
    field_open(out, NULL, '{');
    field_text(out, "run", call->view->run.name);
    field_integer(out, "position", (int64_t)position + 1);
    buffer_append_text(out, ",\"entry\": ");
    api_write_entry(call->view, &entry, out);
    write_neighbour(call, "previous", position ? position - 1 : SIZE_MAX, out);
    write_neighbour(call, "next", position + 1, out);
    outcomes_t which = {
        .run = call->view->run.number, .depth = LOOK_EACH, .first = entry.first, .end = entry.end};
    bool good = outcomes_walk(call->store, call->view->sweep, &which, take_chain, &write, &error);
    buffer_append_text(out, ",\"chains\":[");
    buffer_append(out, buffer_text(&write.chains), write.chains.length);
    field_close(out, ']');
    field_close(out, '}');
    buffer_free(&write.chains);
    if (!good)
        call_refuse(call, 503, "%s", error.message);
}
