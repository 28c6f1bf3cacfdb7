/* export_results.c - results of a run as lines: a walk over its chains, each
 * written by its kind. */
#include "tools/cli/export_results.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/csv.h"
#include "core/base/json.h"
#include "core/neuron/neuron_json.h"
#include "tools/cli/output.h"

enum { FLUSH_AT = 1 << 20 };

/* --- rows, as JSON or CSV --------------------------------------------------------------------- */

typedef struct {
    bool csv;
    bool named;     /* CSV: the header is written */
    bool begun;     /* the row has a field */
    buffer_t names; /* CSV: of the first row */
    buffer_t out;
} rows_t;

static void begin_row(rows_t *rows) {
    rows->begun = false;
    if (!rows->csv)
        buffer_append_char(&rows->out, '{');
}

/* Ends the last field and names the next; its value follows. */
static void begin_field(rows_t *rows, const char *name) {
    if (rows->csv && !rows->named)
        buffer_append_format(&rows->names, "%s%s", rows->begun ? "," : "", name);
    if (rows->begun)
        buffer_append_char(&rows->out, ',');
    if (!rows->csv)
        buffer_append_format(&rows->out, "\"%s\":", name);
    rows->begun = true;
}

static void add_bytes(rows_t *rows, const char *name, const char *bytes, size_t length) {
    begin_field(rows, name);
    if (rows->csv)
        csv_write_field(&rows->out, bytes, length);
    else
        json_write_string(&rows->out, bytes, length);
}

static void add_null(rows_t *rows, const char *name) {
    begin_field(rows, name);
    if (!rows->csv)
        buffer_append_text(&rows->out, "null");
}

static void add_text(rows_t *rows, const char *name, const char *text) {
    if (text)
        add_bytes(rows, name, text, strlen(text));
    else
        add_null(rows, name);
}

static void add_integer(rows_t *rows, const char *name, int64_t value) {
    begin_field(rows, name);
    json_write_integer(&rows->out, value);
}

/* A count that was not made is -1. */
static void add_count(rows_t *rows, const char *name, int64_t value) {
    if (value < 0)
        add_null(rows, name);
    else
        add_integer(rows, name, value);
}

static void add_number(rows_t *rows, const char *name, double value) {
    if (isnan(value)) {
        add_null(rows, name);
        return;
    }
    begin_field(rows, name);
    json_write_number(&rows->out, value);
}

static void add_float(rows_t *rows, const char *name, float value) {
    begin_field(rows, name);
    json_write_float(&rows->out, value);
}

static void end_row(rows_t *rows) {
    buffer_append_text(&rows->out, rows->csv ? "\n" : "}\n");
    if (!rows->csv || rows->named)
        return;
    /* The header goes before the first row. */
    buffer_append_char(&rows->names, '\n');
    buffer_append(&rows->names, buffer_text(&rows->out), rows->out.length);
    buffer_free(&rows->out);
    rows->out = rows->names;
    rows->names = BUFFER_EMPTY;
    rows->named = true;
}

/* --- what is exported ------------------------------------------------------------------------- */

typedef struct {
    const settings_t *settings;
    stages_measured_t measured;
    const export_wish_t *wish;
    rows_t rows;
    output_t *output;
    bool any_neuron; /* records: the last neuron that was written */
    uint32_t last_set, last_neuron;
} export_t;

static void add_chain(export_t *export, const outcome_t *outcome) {
    rows_t *rows = &export->rows;
    const chain_t *chain = &outcome->chain;
    add_text(rows, "set", export->settings->sets[chain->set].name);
    add_text(rows, "id", outcome->id);
    add_count(rows, "layer", outcome->record->layer);
    add_count(rows, "neuron", outcome->record->index);
    add_text(rows, "explainer", export->settings->models[chain->explainer].name);
    add_text(rows, "format", prompt_format_name(chain->format));
    add_integer(rows, "sample", chain->sample);
}

static void export_explanation(export_t *export, store_txn_t *txn, const outcome_t *outcome) {
    (void)txn;
    rows_t *rows = &export->rows;
    const explain_result_t *result = outcome->explanation;
    bool done = outcome->explained == CHAIN_DONE;
    begin_row(rows);
    add_chain(export, outcome);
    add_text(rows, "state", chain_state_name(outcome->explained));
    add_text(rows, "explanation", done ? result->text : NULL);
    add_text(rows, "baseline", outcome->baseline);
    add_count(rows, "prompt_tokens", done ? result->prompt_tokens : -1);
    add_count(rows, "completion_tokens", done ? result->completion_tokens : -1);
    add_count(rows, "examples_dropped", done ? result->dropped : -1);
    end_row(rows);
}

/* The columns of measured rows: those of glia's first scorers, or those of all others. */
static void add_measured(export_t *export, const outcome_t *outcome, bool first_ones) {
    rows_t *rows = &export->rows;
    for (size_t m = 0; m < export->measured.count; m++) {
        const stage_telling_t *telling = export->measured.rows[m]->telling;
        if (telling->has_members != first_ones)
            continue;
        chain_measured_t measured =
            chain_look_measured(outcome->look, export->measured.rows[m]->number);
        add_text(rows, telling->done, chain_state_name(measured.state));
        for (size_t i = 0; i < STAGE_MEASURES && telling->measures[i].key; i++)
            add_number(rows, telling->measures[i].key, measured.values[i]);
        for (size_t i = 0; i < STAGE_COUNTS && telling->counts[i]; i++)
            add_count(rows, telling->counts[i], measured.counts[i]);
    }
}

/* Columns that come later stand behind those that there were before. */
static void export_score(export_t *export, store_txn_t *txn, const outcome_t *outcome) {
    (void)txn;
    begin_row(&export->rows);
    add_chain(export, outcome);
    add_measured(export, outcome, true);
    add_text(&export->rows, "explanation",
             outcome->explained == CHAIN_DONE ? outcome->explanation->text : NULL);
    add_measured(export, outcome, false);
    end_row(&export->rows);
}

/* One record and what was predicted of it (NULL: nothing, so far). */
typedef struct {
    const char *split;
    size_t index;
    const activation_record_t *record;
    chain_state_t state;
    const simulate_result_t *result;
} simulated_t;

static void simulation_as_rows(export_t *export, const outcome_t *outcome,
                               const simulated_t *simulated) {
    rows_t *rows = &export->rows;
    for (size_t i = 0; i < simulated->record->count; i++) {
        begin_row(rows);
        add_chain(export, outcome);
        add_text(rows, "split", simulated->split);
        add_integer(rows, "record", (int64_t)simulated->index);
        add_text(rows, "state", chain_state_name(simulated->state));
        add_integer(rows, "position", (int64_t)i);
        add_bytes(rows, "token", simulated->record->tokens[i].bytes,
                  simulated->record->tokens[i].length);
        add_float(rows, "activation", simulated->record->activations[i]);
        add_number(rows, "expected", simulated->result ? simulated->result->expected[i] : NAN);
        end_row(rows);
    }
}

static void simulation_as_line(export_t *export, const outcome_t *outcome,
                               const simulated_t *simulated) {
    rows_t *rows = &export->rows;
    const activation_record_t *record = simulated->record;
    begin_row(rows);
    add_chain(export, outcome);
    add_text(rows, "split", simulated->split);
    add_integer(rows, "record", (int64_t)simulated->index);
    add_text(rows, "state", chain_state_name(simulated->state));
    add_count(rows, "unseen", simulated->result ? simulated->result->unseen : -1);
    begin_field(rows, "tokens");
    for (size_t i = 0; i < record->count; i++) {
        buffer_append_char(&rows->out, i ? ',' : '[');
        json_write_string(&rows->out, record->tokens[i].bytes, record->tokens[i].length);
    }
    buffer_append_char(&rows->out, ']');
    begin_field(rows, "activations");
    for (size_t i = 0; i < record->count; i++) {
        buffer_append_char(&rows->out, i ? ',' : '[');
        json_write_float(&rows->out, record->activations[i]);
    }
    buffer_append_char(&rows->out, ']');
    begin_field(rows, "expected");
    for (size_t i = 0; simulated->result && i < record->count; i++) {
        buffer_append_char(&rows->out, i ? ',' : '[');
        json_write_number(&rows->out, simulated->result->expected[i]);
    }
    buffer_append_text(&rows->out, simulated->result ? "]" : "null");
    end_row(rows);
}

/* `place`: of the record, valid ones first. */
static void export_record(export_t *export, const outcome_t *outcome, size_t place,
                          simulated_t *simulated) {
    simulate_result_t result = {0};
    const chain_job_t *job = outcome_of_record(outcome, STAGE_SIMULATE, place);
    simulated->state = job ? job->state : CHAIN_UNWANTED;
    if (simulated->state == CHAIN_DONE &&
        simulate_result_decode(job->bytes.data, job->bytes.size, &result) &&
        result.count == simulated->record->count)
        simulated->result = &result;
    (export->rows.csv ? simulation_as_rows : simulation_as_line)(export, outcome, simulated);
    simulate_result_clear(&result);
}

static void export_simulations(export_t *export, store_txn_t *txn, const outcome_t *outcome) {
    (void)txn;
    size_t valid = outcome->valid->count;
    for (size_t i = 0; i < valid; i++)
        export_record(
            export, outcome, i,
            &(simulated_t){.split = "valid", .index = i, .record = outcome->valid->records[i]});
    for (size_t i = 0; i < outcome->calibration->count; i++)
        export_record(export, outcome, valid + i,
                      &(simulated_t){.split = "calibration",
                                     .index = i,
                                     .record = outcome->calibration->records[i]});
}

static void export_neuron(export_t *export, store_txn_t *txn, const outcome_t *outcome) {
    (void)txn;
    const chain_t *chain = &outcome->chain;
    if (export->any_neuron && export->last_set == chain->set &&
        export->last_neuron == chain->neuron)
        return;
    export->any_neuron = true;
    export->last_set = chain->set;
    export->last_neuron = chain->neuron;
    neuron_json_write(outcome->record, &export->rows.out);
    buffer_append_char(&export->rows.out, '\n');
}

typedef void write_t(export_t *export, store_txn_t *txn, const outcome_t *outcome);
static write_t *const writers[EXPORT_KINDS] = {export_explanation, export_score, export_simulations,
                                               export_neuron};

const char *export_kind_name(export_kind_t kind) {
    static const char *const names[EXPORT_KINDS] = {"explanations", "scores", "simulations",
                                                    "records"};
    return names[kind];
}

/* --- all of them ------------------------------------------------------------------------------ */

static bool take_chain(void *context, store_txn_t *txn, const outcome_t *outcome,
                       error_info_t *error) {
    export_t *export = context;
    const export_wish_t *wish = export->wish;
    if (wish->set && strcmp(export->settings->sets[outcome->chain.set].name, wish->set) != 0)
        return true;
    writers[wish->kind](export, txn, outcome);
    return export->rows.out.length < FLUSH_AT ||
           output_write(export->output, &export->rows.out, error);
}

bool export_results(store_t *store, const sweep_t *sweep, uint32_t run, const export_wish_t *wish,
                    error_info_t *error) {
    export_t export = {.settings = sweep_settings(sweep),
                       .measured = stages_measured(sweep_stages(sweep)),
                       .wish = wish,
                       .rows.csv = wish->csv,
                       .output = output_open(wish->path, error)};
    bool good = export.output != NULL;
    if (good) {
        outcomes_t all = {.run = run,
                          .depth = wish->kind == EXPORT_SIMULATIONS ? LOOK_EACH : LOOK_ALL};
        good = outcomes_walk(store, sweep, &all, take_chain, &export, error) &&
               output_write(export.output, &export.rows.out, error);
        good = output_close(export.output, good, good ? error : NULL) && good;
    }
    buffer_free(&export.rows.out);
    buffer_free(&export.rows.names);
    return good;
}
