/* cmd_export.c - `glia export`: explanations, scores, simulations and records of a run, a line each.
 *
 * In the order of the chains, from stored results alone: the same bytes whatever the night was like. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "actors/sweep/outcome.h"
#include "core/base/json.h"
#include "core/base/memory.h"
#include "core/base/text.h"
#include "core/neuron/neuron_json.h"
#include "tools/command.h"
#include "tools/csv.h"
#include "tools/export_records.h"
#include "tools/export_set.h"
#include "tools/output.h"
#include "tools/viewer/study_store.h"

enum { FLUSH_AT = 1 << 20 };

/* --- rows, as JSON or CSV ------------------------------------------------------------------------------ */

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

/* --- what is exported ---------------------------------------------------------------------------------- */

typedef struct {
    const settings_t *settings;
    const sweep_t *sweep;
    uint32_t run;
    const char *set; /* only this one; NULL: all */
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

static void export_score(export_t *export, store_txn_t *txn, const outcome_t *outcome) {
    (void)txn;
    rows_t *rows = &export->rows;
    bool scored = outcome->scored == CHAIN_DONE;
    begin_row(rows);
    add_chain(export, outcome);
    add_text(rows, "scored", chain_state_name(outcome->scored));
    add_number(rows, "score", outcome->score.score.correlation);
    add_number(rows, "rsquared", outcome->score.score.rsquared);
    add_number(rows, "absdev", outcome->score.score.absdev);
    add_count(rows, "records", scored ? outcome->score.records : -1);
    add_count(rows, "tokens", scored ? outcome->score.tokens : -1);
    add_text(rows, "compared", chain_state_name(outcome->compared));
    add_number(rows, "adacs", outcome->adacs);
    add_text(rows, "explanation", outcome->explained == CHAIN_DONE ? outcome->explanation->text : NULL);
    end_row(rows);
}

/* One record and what was predicted of it (NULL: nothing, so far). */
typedef struct {
    const char *split;
    size_t index;
    const activation_record_t *record;
    chain_state_t state;
    const simulate_result_t *result;
} simulated_t;

static void simulation_as_rows(export_t *export, const outcome_t *outcome, const simulated_t *simulated) {
    rows_t *rows = &export->rows;
    for (size_t i = 0; i < simulated->record->count; i++) {
        begin_row(rows);
        add_chain(export, outcome);
        add_text(rows, "split", simulated->split);
        add_integer(rows, "record", (int64_t)simulated->index);
        add_text(rows, "state", chain_state_name(simulated->state));
        add_integer(rows, "position", (int64_t)i);
        add_bytes(rows, "token", simulated->record->tokens[i].bytes, simulated->record->tokens[i].length);
        add_float(rows, "activation", simulated->record->activations[i]);
        add_number(rows, "expected", simulated->result ? simulated->result->expected[i] : NAN);
        end_row(rows);
    }
}

static void simulation_as_line(export_t *export, const outcome_t *outcome, const simulated_t *simulated) {
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
static void export_record(export_t *export, const outcome_t *outcome, size_t place, simulated_t *simulated) {
    simulate_result_t result = {0};
    const chain_job_t *job = outcome_of_record(outcome, STAGE_SIMULATE, place);
    simulated->state = job ? job->state : CHAIN_UNWANTED;
    if (simulated->state == CHAIN_DONE && simulate_result_decode(job->bytes.data, job->bytes.size, &result) &&
        result.count == simulated->record->count)
        simulated->result = &result;
    (export->rows.csv ? simulation_as_rows : simulation_as_line)(export, outcome, simulated);
    simulate_result_clear(&result);
}

static void export_simulations(export_t *export, store_txn_t *txn, const outcome_t *outcome) {
    (void)txn;
    size_t valid = outcome->valid->count;
    for (size_t i = 0; i < valid; i++)
        export_record(export, outcome, i,
                      &(simulated_t){.split = "valid", .index = i, .record = outcome->valid->records[i]});
    for (size_t i = 0; i < outcome->calibration->count; i++)
        export_record(export, outcome, valid + i,
                      &(simulated_t){.split = "calibration", .index = i, .record = outcome->calibration->records[i]});
}

static void export_neuron(export_t *export, store_txn_t *txn, const outcome_t *outcome) {
    (void)txn;
    const chain_t *chain = &outcome->chain;
    if (export->any_neuron && export->last_set == chain->set && export->last_neuron == chain->neuron)
        return;
    export->any_neuron = true;
    export->last_set = chain->set;
    export->last_neuron = chain->neuron;
    neuron_json_write(outcome->record, &export->rows.out);
    buffer_append_char(&export->rows.out, '\n');
}

static const struct kind {
    const char *name;
    void (*write)(export_t *export, store_txn_t *txn, const outcome_t *outcome);
} kinds[] = {
    {"explanations", export_explanation},
    {"scores", export_score},
    {"simulations", export_simulations},
    {"records", export_neuron},
};
enum { KIND_COUNT = sizeof kinds / sizeof kinds[0] };

typedef struct {
    export_t *export;
    const struct kind *kind;
} walk_t;

static bool take_chain(void *context, store_txn_t *txn, const outcome_t *outcome, error_info_t *error) {
    const walk_t *walk = context;
    export_t *export = walk->export;
    if (export->set && strcmp(export->settings->sets[outcome->chain.set].name, export->set) != 0)
        return true;
    walk->kind->write(export, txn, outcome);
    return export->rows.out.length < FLUSH_AT || output_write(export->output, &export->rows.out, error);
}

/* --- the command --------------------------------------------------------------------------------------- */

static const struct kind *find_kind(const char *name, error_info_t *error) {
    const char *names[KIND_COUNT];
    for (size_t i = 0; i < KIND_COUNT; i++) {
        if (!strcmp(kinds[i].name, name))
            return &kinds[i];
        names[i] = kinds[i].name;
    }
    const char *near = text_closest(name, names, KIND_COUNT);
    error_set(error, ERROR_USAGE, "\"%s\" cannot be exported%s%s%s", name,
              near ? "; did you mean " : "; it is one of explanations, scores, simulations, records, set, study",
              near ? near : "", near ? "?" : "");
    return NULL;
}

static bool read_form(const option_list_t *options, const struct kind *kind, bool *csv, error_info_t *error) {
    const char *form = option_get(options, "format");
    *csv = form && !strcmp(form, "csv");
    bool records = kind->write == export_neuron;
    if (*csv && records)
        return error_set(error, ERROR_USAGE, "records have no CSV form; export them as jsonl or files");
    if (form && !*csv && strcmp(form, "jsonl") != 0 && !(records && !strcmp(form, "files")))
        return error_set(error, ERROR_USAGE, "--format %s: it is jsonl or %s", form, records ? "files" : "csv");
    const char *out = option_get(options, "out");
    if (form && !strcmp(form, "files") && (!out || !strcmp(out, "-")))
        return error_set(error, ERROR_USAGE, "files go to a directory: --out DIR");
    return true;
}

static bool has_set(const settings_t *settings, const run_info_t *run, const char *set, error_info_t *error) {
    for (size_t i = 0; i < settings->set_count; i++)
        if (!set || !strcmp(settings->sets[i].name, set))
            return true;
    return error_set(error, ERROR_USAGE, "run %s has no set \"%s\"", run->name, set);
}

static bool export_run(export_t *export, store_t *store, const run_info_t *run, const struct kind *kind,
                       const char *path, error_info_t *error) {
    export->run = run->number;
    sweep_t *sweep = has_set(export->settings, run, export->set, error)
                         ? sweep_create_snapshot(export->settings, run, &stages_shipped, error)
                         : NULL;
    export->sweep = sweep;
    export->output = sweep ? output_open(path, error) : NULL;
    bool good = export->output != NULL;
    if (good) {
        walk_t walk = {export, kind};
        good = outcomes_walk(store, sweep, &(outcomes_t){.run = run->number, .depth = LOOK_EACH}, take_chain, &walk,
                             error) &&
               output_write(export->output, &export->rows.out, error);
        good = output_close(export->output, good, good ? error : NULL) && good;
    }
    buffer_free(&export->rows.out);
    buffer_free(&export->rows.names);
    sweep_free(sweep);
    return good;
}

/* The answers of a blinded study: of --study, else of the one in the store's directory. */
static bool carry_out_study(const option_list_t *options, error_info_t *error) {
    const char *form = option_get(options, "format");
    if (form && strcmp(form, "csv") != 0)
        return error_set(error, ERROR_USAGE, "a study is exported as csv");
    char *directory = memory_copy_string(option_get(options, "study"));
    if (!directory) {
        store_t *store = command_open_store(options, error);
        if (!store)
            return false;
        directory = memory_format("%s/study", store_directory(store));
        store_close(store);
    }
    study_t *study = study_open(directory, false, error);
    buffer_t rows = BUFFER_EMPTY;
    output_t *output =
        study && study_export(study, &rows, error) ? output_open(option_get(options, "out"), error) : NULL;
    bool good = output && output_write(output, &rows, error);
    if (output)
        good = output_close(output, good, good ? error : NULL) && good;
    buffer_free(&rows);
    study_close(study);
    free(directory);
    return good;
}

/* `set` is about a set, not about what became of it. */
static bool export_list(const option_list_t *options, error_info_t *error) {
    static const struct kind list = {"set", NULL};
    bool csv;
    if (options->argument_count != 2)
        return error_set(error, ERROR_USAGE, "say which set: glia export set NAME");
    return read_form(options, &list, &csv, error) && export_set(options, csv, error);
}

static bool export_kind(export_t *export, store_t *store, const run_info_t *run, const struct kind *kind,
                        const option_list_t *options, error_info_t *error) {
    const char *out = option_get(options, "out");
    if (kind->write != export_neuron || !export_records_as_files(options))
        return export_run(export, store, run, kind, out, error);
    return has_set(export->settings, run, export->set, error) && export_records(store, run, export->set, out, error);
}

static bool carry_out(const option_list_t *options, error_info_t *error) {
    if (!strcmp(options->arguments[0], "set"))
        return export_list(options, error);
    if (options->argument_count != 1 || option_given(options, "draw"))
        return error_set(error, ERROR_USAGE, "%s goes with `glia export set NAME` only",
                         option_given(options, "draw") ? "--draw" : options->arguments[1]);
    if (!strcmp(options->arguments[0], "study"))
        return carry_out_study(options, error);
    const struct kind *kind = find_kind(options->arguments[0], error);
    export_t export = {.set = option_get(options, "set")};
    if (!kind || !read_form(options, kind, &export.rows.csv, error))
        return false;
    store_t *store = command_open_store(options, error);
    if (!store)
        return false;
    run_info_t run;
    settings_t *settings;
    bool good = command_find_run(store, options, &run, &settings, error);
    if (good) {
        export.settings = settings;
        good = export_kind(&export, store, &run, kind, options, error);
        settings_free(settings);
        run_info_clear(&run);
    }
    store_close(store);
    return good;
}

static int run(const option_list_t *options, error_info_t *error) {
    return carry_out(options, error) ? EXIT_DONE : error_exit_code(error->class_);
}

static const option_t table[] = {
    {"format", 'f', "FORM", "jsonl (default) or csv; records: jsonl or files (a file a neuron, in --out DIR)", false},
    {"out", 'o', "FILE",
     "write there instead of to standard output; the file appears when it is complete. Records: a directory, "
     "unless the name ends in .jsonl or --format says jsonl",
     false},
    {"set", 0, "NAME", "only this neuron set of the run", false},
    {"study", 0, "DIR", "study: its directory (default: study in the store's)", false},
    {"draw", 0, NULL, "set: what the config would draw now, out of imported baselines if there are no records", false},
    OPTION_RUN,
    OPTION_STORE,
    OPTION_CONFIG,
    OPTION_HELP,
    {0},
};

const command_t command_export = {
    .name = "export",
    .usage = "explanations|scores|simulations|records|set NAME|study [--format jsonl|csv|files] [--out FILE|DIR]",
    .summary = "explanations, scores, simulations, records or a neuron set of a run, or a study's ratings",
    .details =
        "A line each, in the order of the sweep; null (in CSV: nothing) where a value is undefined or missing. The "
        "bytes are the same given the same responses. CSV of simulations has a line for each token. `set NAME` lists "
        "the neurons of a set with their baselines: sets.*.list and --neurons @FILE take such a list. `records --out "
        "DIR` writes DIR/LAYER/NEURON.json, the layout of the published records, which `glia import neurons` reads: in "
        "a directory that exists files of the same names are replaced and others stay; a set without layers and "
        "neurons (puzzles) is refused, so name another with --set. `study` writes the ratings that `glia viewer` "
        "collected: CSV with rater, set, layer, neuron, overlap, format, rating and best.",
    .options = table,
    .least_arguments = 1,
    .most_arguments = 2,
    .run = run,
};
