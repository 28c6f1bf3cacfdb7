/* cmd_export.c - `glia export`: what is wanted of a run, a set or a study, in which
 * form, and where to. */
#include <stdlib.h>
#include <string.h>

#include "core/base/memory.h"
#include "core/base/text.h"
#include "tools/cli/command.h"
#include "tools/cli/export_records.h"
#include "tools/cli/export_results.h"
#include "tools/cli/export_set.h"
#include "tools/cli/output.h"
#include "tools/viewer/study_store.h"

static bool find_kind(const char *name, export_kind_t *kind, error_info_t *error) {
    const char *names[EXPORT_KINDS];
    for (size_t i = 0; i < EXPORT_KINDS; i++) {
        names[i] = export_kind_name((export_kind_t)i);
        if (!strcmp(names[i], name)) {
            *kind = (export_kind_t)i;
            return true;
        }
    }
    const char *near = text_closest(name, names, EXPORT_KINDS);
    return error_set(error, ERROR_USAGE, "\"%s\" cannot be exported%s%s%s", name,
                     near ? "; did you mean "
                          : "; it is one of explanations, scores, simulations, records, set, study",
                     near ? near : "", near ? "?" : "");
}

static bool read_form(const option_list_t *options, bool records, bool *csv, error_info_t *error) {
    const char *form = option_get(options, "format");
    *csv = form && !strcmp(form, "csv");
    if (*csv && records)
        return error_set(error, ERROR_USAGE,
                         "records have no CSV form; export them as jsonl or files");
    if (form && !*csv && strcmp(form, "jsonl") != 0 && !(records && !strcmp(form, "files")))
        return error_set(error, ERROR_USAGE, "--format %s: it is jsonl or %s", form,
                         records ? "files" : "csv");
    const char *out = option_get(options, "out");
    if (form && !strcmp(form, "files") && (!out || !strcmp(out, "-")))
        return error_set(error, ERROR_USAGE, "files go to a directory: --out DIR");
    return true;
}

static bool has_set(const settings_t *settings, const run_info_t *run, const char *set,
                    error_info_t *error) {
    for (size_t i = 0; i < settings->set_count; i++)
        if (!set || !strcmp(settings->sets[i].name, set))
            return true;
    return error_set(error, ERROR_USAGE, "run %s has no set \"%s\"", run->name, set);
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
    output_t *output = study && study_export(study, &rows, error)
                           ? output_open(option_get(options, "out"), error)
                           : NULL;
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
    bool csv;
    if (options->argument_count != 2)
        return error_set(error, ERROR_USAGE, "say which set: glia export set NAME");
    return read_form(options, false, &csv, error) && export_set(options, csv, error);
}

static bool export_run(store_t *store, const run_info_t *run, const settings_t *settings,
                       const export_wish_t *wish, const option_list_t *options,
                       error_info_t *error) {
    if (!has_set(settings, run, wish->set, error))
        return false;
    if (wish->kind == EXPORT_RECORDS && export_records_as_files(options))
        return export_records(store, run, wish->set, wish->path, error);
    sweep_t *sweep = sweep_create_snapshot(settings, run, &stages_shipped, error);
    bool good = sweep && export_results(store, sweep, run->number, wish, error);
    sweep_free(sweep);
    return good;
}

static bool carry_out(const option_list_t *options, error_info_t *error) {
    if (!strcmp(options->arguments[0], "set"))
        return export_list(options, error);
    if (options->argument_count != 1 || option_given(options, "draw"))
        return error_set(error, ERROR_USAGE, "%s goes with `glia export set NAME` only",
                         option_given(options, "draw") ? "--draw" : options->arguments[1]);
    if (!strcmp(options->arguments[0], "study"))
        return carry_out_study(options, error);
    export_wish_t wish = {.set = option_get(options, "set"), .path = option_get(options, "out")};
    if (!find_kind(options->arguments[0], &wish.kind, error) ||
        !read_form(options, wish.kind == EXPORT_RECORDS, &wish.csv, error))
        return false;
    store_t *store = command_open_store(options, error);
    if (!store)
        return false;
    run_info_t run;
    settings_t *settings;
    bool good = command_find_run(store, options, &run, &settings, error);
    if (good) {
        good = export_run(store, &run, settings, &wish, options, error);
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
    {"format", 'f', "FORM",
     "jsonl (default) or csv; records: jsonl or files (a file a neuron, in --out DIR)", false},
    {"out", 'o', "FILE",
     "write there instead of to standard output; the file appears when it is complete. Records: a "
     "directory, unless the name ends in .jsonl or --format says jsonl",
     false},
    {"set", 0, "NAME", "only this neuron set of the run", false},
    {"study", 0, "DIR", "study: its directory (default: study in the store's)", false},
    {"draw", 0, NULL,
     "set: what the config would draw now, out of imported baselines if there are no records",
     false},
    OPTION_RUN,
    OPTION_STORE,
    OPTION_CONFIG,
    OPTION_HELP,
    {0},
};

const command_t command_export = {
    .name = "export",
    .usage = "explanations|scores|simulations|records|set NAME|study [--format jsonl|csv|files] "
             "[--out FILE|DIR]",
    .summary =
        "explanations, scores, simulations, records or a neuron set of a run, or a study's ratings",
    .details = "A line each, in the order of the sweep; null (in CSV: nothing) where a value is "
               "undefined or missing. The bytes are the same given the same responses. CSV of "
               "simulations has a line for each token. `set NAME` lists the neurons of a set with "
               "their baselines: sets.*.list and --neurons @FILE take such a list. `records --out "
               "DIR` writes DIR/LAYER/NEURON.json, the layout of the published records, which "
               "`glia import neurons` reads: in a directory that exists files of the same names "
               "are replaced and others stay; a set without layers and neurons (puzzles) is "
               "refused, so name another with --set. `study` writes the ratings that `glia viewer` "
               "collected: CSV with rater, set, layer, neuron, overlap, format, rating and best.",
    .options = table,
    .least_arguments = 1,
    .most_arguments = 2,
    .run = run,
};
