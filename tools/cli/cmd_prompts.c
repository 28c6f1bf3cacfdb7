/* cmd_prompts.c - `glia prompts`: the exact messages that are sent for a neuron,
 * without sending them. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "actors/sweep/chain_look.h"
#include "core/base/json.h"
#include "core/base/memory.h"
#include "core/base/numbers.h"
#include "core/base/text.h"
#include "core/neuron/neuron_json.h"
#include "prompts/explain.h"
#include "store/records.h"
#include "tools/cli/command.h"
#include "tools/cli/output.h"

/* What a record set without a threshold of its own is marked by: that of puzzles. */
static const double RECORDS_THRESHOLD = 1.0;

typedef struct {
    const template_t *template;
    double threshold; /* --threshold; NaN: the neuron's own */
    bool json;
} print_t;

static bool find_threshold(const print_t *print, const neuron_record_t *neuron, double *threshold,
                           error_info_t *error) {
    *threshold = print->threshold;
    if (!isnan(*threshold) || neuron_threshold(neuron, threshold))
        return true;
    *threshold = RECORDS_THRESHOLD;
    return neuron->source != NEURON_SOURCE_SUBJECT ||
           error_set(error, ERROR_CONFIG,
                     "neuron %s has no quantile boundaries to derive a threshold from; give one "
                     "with --threshold",
                     neuron->id);
}

static void write_json(const char *id, const buffer_t *body, const message_list_t *messages,
                       buffer_t *out) {
    buffer_append_text(out, "{\"id\":");
    json_write_text(out, id);
    buffer_append_text(out, ",\"body\":");
    json_write_string(out, buffer_text(body), body->length);
    buffer_append_text(out, ",\"messages\":[");
    for (size_t i = 0; i < messages->count; i++) {
        const message_t *message = &messages->messages[i];
        buffer_append_text(out, i ? ",{\"role\":" : "{\"role\":");
        json_write_text(out, message->role);
        buffer_append_text(out, ",\"content\":");
        json_write_string(out, message->content, message->length);
        buffer_append_char(out, '}');
    }
    buffer_append_text(out, "]}\n");
}

static void write_text(const char *id, double threshold, const message_list_t *messages,
                       buffer_t *out) {
    buffer_append_text(out, "===== ");
    text_append_visible(out, id, strlen(id));
    buffer_append_text(out, " (threshold ");
    json_write_number(out, threshold);
    buffer_append_text(out, ")\n");
    for (size_t i = 0; i < messages->count; i++) {
        const message_t *message = &messages->messages[i];
        buffer_append_format(out, "----- %s\n", message->role);
        buffer_append(out, message->content, message->length);
        buffer_append_char(out, '\n');
    }
    buffer_append_char(out, '\n');
}

static bool write_prompt(const print_t *print, const neuron_record_t *neuron, size_t dropped,
                         buffer_t *out, error_info_t *error) {
    double threshold;
    if (!find_threshold(print, neuron, &threshold, error))
        return false;
    split_list_t records = neuron_split(neuron, SPLIT_TRAIN);
    buffer_t body = BUFFER_EMPTY;
    message_list_t messages = {0};
    bool good = records.count > 0 ||
                error_set(error, ERROR_CONFIG, "%s has no records to explain from", neuron->id);
    if (good) {
        explain_messages(print->template, &records, threshold, dropped, &messages);
        explain_body(print->template, &records, threshold, &body);
        if (print->json)
            write_json(neuron->id, &body, &messages, out);
        else
            write_text(neuron->id, threshold, &messages, out);
    }
    message_list_clear(&messages);
    buffer_free(&body);
    neuron_split_free(&records);
    return good;
}

/* --- from a file ------------------------------------------------------------------------------ */

static bool from_file(const option_list_t *options, prompt_format_t format, print_t *print,
                      buffer_t *out, error_info_t *error) {
    neuron_list_t list = {0};
    template_t *template =
        template_load(option_get(options, "templates"), prompt_format_name(format), error);
    if (!template)
        return false;
    print->template = template;
    bool good = neuron_json_read(option_get(options, "records"), &list, error);
    for (size_t i = 0; good && i < list.count; i++)
        good = write_prompt(print, list.neurons[i], 0, out, error);
    neuron_list_free(&list);
    template_free(template);
    return good;
}

/* --- from a run ------------------------------------------------------------------------------- */

/* Few-shot examples that were left out of what was sent; 0 if nothing was yet. */
static size_t examples_dropped(const sweep_t *sweep, const run_info_t *run, store_txn_t *txn,
                               const chain_t *chain) {
    look_options_t options = {sweep, run->number, LOOK_NEXT_START, LOOK_NEXT};
    neuron_view_t view;
    chain_look_t look = {0};
    size_t dropped = 0;
    if (neuron_view_open(&view, sweep, txn, chain, NULL)) {
        chain_look(&look, &options, txn, &view, chain);
        dropped =
            look.explained && look.explanation.dropped > 0 ? (size_t)look.explanation.dropped : 0;
    }
    chain_look_clear(&look);
    neuron_view_clear(&view);
    return dropped;
}

/* The first neuron of that id in the run's sets. */
static bool find_neuron(const run_info_t *run, const settings_t *settings, store_txn_t *txn,
                        const char *id, chain_t *chain, hash_t *neuron) {
    for (size_t s = 0; s < settings->set_count; s++)
        for (size_t r = 0; r < run->set_count; r++) {
            if (strcmp(run->sets[r].name, settings->sets[s].name) != 0)
                continue;
            for (uint32_t i = 0; i < run->sets[r].count; i++) {
                char *member = NULL;
                bool same = records_set_member(txn, run->sets[r].content, i, neuron, &member) &&
                            !strcmp(member, id);
                free(member);
                if (!same)
                    continue;
                chain->set = (uint32_t)s;
                chain->neuron = i;
                chain->explainer = (uint32_t)settings->sets[s].explainers[0];
                return true;
            }
        }
    return false;
}

static bool print_from_run(const sweep_t *sweep, const run_info_t *run, store_txn_t *txn,
                           const char *id, prompt_format_t format, print_t *print, buffer_t *out,
                           error_info_t *error) {
    chain_t chain = {.format = format};
    hash_t hash;
    print->template = sweep_explain_template(sweep, format);
    if (!print->template)
        return error_set(error, ERROR_USAGE, "run %s does not use the prompt format %s", run->name,
                         prompt_format_name(format));
    if (!find_neuron(run, sweep_settings(sweep), txn, id, &chain, &hash))
        return error_set(error, ERROR_USAGE, "no set of run %s has a neuron \"%s\"", run->name, id);
    neuron_record_t *neuron = records_get(txn, hash, error);
    bool good = neuron &&
                write_prompt(print, neuron, examples_dropped(sweep, run, txn, &chain), out, error);
    neuron_record_free(neuron);
    return good;
}

static bool from_run(const option_list_t *options, prompt_format_t format, print_t *print,
                     buffer_t *out, error_info_t *error) {
    run_info_t run;
    settings_t *settings;
    store_t *store = command_open_store(options, error);
    if (!store)
        return false;
    bool good = command_find_run(store, options, &run, &settings, error);
    if (good) {
        sweep_t *sweep = sweep_create(settings, &run, &stages_shipped, error);
        store_txn_t *txn = sweep ? store_read_begin(store, error) : NULL;
        good = txn && print_from_run(sweep, &run, txn, option_get(options, "neuron"), format, print,
                                     out, error);
        if (txn)
            store_read_end(txn);
        sweep_free(sweep);
        settings_free(settings);
        run_info_clear(&run);
    }
    store_close(store);
    return good;
}

/* --- the command ------------------------------------------------------------------------------ */

static bool read_format(const char *name, prompt_format_t *format, error_info_t *error) {
    if (!name)
        return error_set(error, ERROR_USAGE,
                         "--prompt FORMAT is missing; a format is one of original, summary, "
                         "highlight, highlight_summary, avhs");
    if (prompt_format_from_name(name, format))
        return true;
    const char *names[PROMPT_FORMAT_COUNT];
    for (int f = 0; f < PROMPT_FORMAT_COUNT; f++)
        names[f] = prompt_format_name((prompt_format_t)f);
    const char *near = text_closest(name, names, PROMPT_FORMAT_COUNT);
    return error_set(error, ERROR_USAGE, "--prompt %s: no such prompt format%s%s%s", name,
                     near ? "; did you mean "
                          : "; it is one of original, summary, highlight, highlight_summary, avhs",
                     near ? near : "", near ? "?" : "");
}

static bool print_prompts(const option_list_t *options, buffer_t *out, error_info_t *error) {
    print_t print = {.threshold = NAN, .json = option_given(options, "json")};
    prompt_format_t format;
    const char *threshold = option_get(options, "threshold");
    bool file = option_given(options, "records");
    if (!read_format(option_get(options, "prompt"), &format, error))
        return false;
    if (threshold && !number_parse(threshold, &print.threshold))
        return error_set(error, ERROR_USAGE, "--threshold %s: not a number", threshold);
    if (file == option_given(options, "neuron"))
        return error_set(error, ERROR_USAGE,
                         file
                             ? "give --records or --neuron, not both"
                             : "--records FILE is missing (or --neuron ID, for a neuron of a run)");
    return (file ? from_file : from_run)(options, format, &print, out, error);
}

static int run(const option_list_t *options, error_info_t *error) {
    buffer_t out = BUFFER_EMPTY;
    if (print_prompts(options, &out, error))
        return output_finish(&out, error);
    buffer_free(&out);
    return error_exit_code(error->class_);
}

static const option_t table[] = {
    {"records", 'r', "FILE", "neuron records, record sets or puzzles: JSON or JSONL", false},
    {"prompt", 'p', "FORMAT", "original, summary, highlight, highlight_summary or avhs", false},
    {"threshold", 't', "X",
     "a token with a greater activation is marked (default: the set's own, else the neuron's 0.9 "
     "quantile boundary, else 1)",
     false},
    {"templates", 0, "DIR",
     "prompt templates that override the shipped ones (as explain.templates)", false},
    {"neuron", 'n', "ID",
     "instead of --records: a neuron of a run, as in \"5:131\" or a puzzle's name", false},
    OPTION_RUN,
    OPTION_STORE,
    OPTION_CONFIG,
    {"json", 0, NULL,
     "print a line {\"id\", \"body\", \"messages\"} for each set; body is its block of records "
     "alone",
     false},
    OPTION_HELP,
    {0},
};

const command_t command_prompts = {
    .name = "prompts",
    .usage = "--records FILE --prompt FORMAT [--threshold X] [--json]",
    .summary = "print the exact messages for a neuron or a records file",
    .details = "Nothing is sent. --records needs neither a store nor a config. Neuron records are "
               "shown by their train split, puzzles and record sets by all of their records.",
    .options = table,
    .run = run,
};
