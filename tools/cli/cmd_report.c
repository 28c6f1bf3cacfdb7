/* cmd_report.c - `glia report`: the tables of a run, printed or written as files. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "core/base/memory.h"
#include "core/base/text.h"
#include "tools/cli/command.h"
#include "tools/cli/output.h"
#include "tools/report/plot.h"
#include "tools/report/render.h"
#include "tools/report/report.h"

/* The forms by name. CSV is a file for each key. */
static const struct form {
    const char *name, *file;
    void (*render)(const report_t *report, buffer_t *out);
} forms[] = {
    {"text", "report.txt", render_text},
    {"md", "report.md", render_markdown},
    {"csv", NULL, render_csv},
    {"json", "report.json", render_json},
    {"html", "report.html", render_html},
};
enum { FORM_COUNT = sizeof forms / sizeof forms[0] };

/* NULL: USAGE, there is no such form. */
static const struct form *find_form(const option_list_t *options, error_info_t *error) {
    const char *name = option_get(options, "format");
    if (!name)
        return &forms[0];
    for (size_t i = 0; i < FORM_COUNT; i++)
        if (!strcmp(forms[i].name, name))
            return &forms[i];
    error_set(error, ERROR_USAGE, "--format %s: it is one of text, md, csv, json, html", name);
    return NULL;
}

static bool write_file(const char *directory, const char *name, const buffer_t *text,
                       error_info_t *error) {
    char *path = memory_format("%s/%s", directory, name);
    bool good = buffer_write_file(text, path, error);
    free(path);
    return good;
}

static bool write_csv_files(table_t *const *tables, size_t count, const char *directory,
                            error_info_t *error) {
    const table_t *const *left = (const table_t *const *)tables;
    bool good = true;
    while (good && count > 0) {
        size_t same = render_same_key(left, count);
        buffer_t text = BUFFER_EMPTY;
        char *name = memory_format("%s.csv", left[0]->key);
        render_tables_csv(left, same, &text);
        good = write_file(directory, name, &text, error);
        free(name);
        buffer_free(&text);
        left += same;
        count -= same;
    }
    return good;
}

static bool write_form(const report_t *report, const struct form *form, const char *directory,
                       error_info_t *error) {
    if (!form->file)
        return write_csv_files(report->results, report->result_count, directory, error) &&
               write_csv_files(report->costs, report->cost_count, directory, error);
    buffer_t text = BUFFER_EMPTY;
    form->render(report, &text);
    bool good = write_file(directory, form->file, &text, error);
    buffer_free(&text);
    return good;
}

/* plot_scores-1.svg, plot_scores-2.svg, ... */
static bool write_plots(const report_t *report, const char *directory, error_info_t *error) {
    bool good = true;
    for (size_t i = 0, number = 1; good && i < report->plot_count; i++, number++) {
        const plot_entry_t *plot = &report->plots[i];
        if (i > 0 && strcmp(plot->key, report->plots[i - 1].key) != 0)
            number = 1;
        char *name = memory_format("%s-%zu.svg", plot->key, number);
        buffer_t text = BUFFER_EMPTY;
        plot_write_alone(plot->svg, &text);
        good = write_file(directory, name, &text, error);
        buffer_free(&text);
        free(name);
    }
    return good;
}

/* One form, or all of them and the plots. */
static bool write_files(const report_t *report, const struct form *form, const char *directory,
                        error_info_t *error) {
    if (mkdir(directory, 0777) != 0 && errno != EEXIST)
        return error_set(error, ERROR_CONFIG, "%s: cannot make the directory: %s", directory,
                         strerror(errno));
    bool good = true;
    for (size_t i = 0; good && i < FORM_COUNT; i++)
        if (!form || form == &forms[i])
            good = write_form(report, &forms[i], directory, error);
    return good && (form || write_plots(report, directory, error));
}

static bool deliver(const report_t *report, const option_list_t *options, error_info_t *error) {
    const struct form *form = find_form(options, error);
    if (!form)
        return false;
    if (option_given(options, "json"))
        form = &forms[3];
    const char *directory = option_get(options, "out");
    if (directory)
        return write_files(
            report, option_given(options, "format") || option_given(options, "json") ? form : NULL,
            directory, error);
    buffer_t text = BUFFER_EMPTY;
    form->render(report, &text);
    bool good = output_print(&text, error);
    buffer_free(&text);
    return good;
}

static bool report(const option_list_t *options, error_info_t *error) {
    if (!find_form(options, error))
        return false;
    const char *beside = option_get(options, "beside");
    if (beside && strcmp(beside, "paper") != 0)
        return error_set(error, ERROR_USAGE, "--beside %s: it is paper", beside);
    ratings_t study = {0};
    const char *path = option_get(options, "study");
    if (path && !ratings_read(path, &study, error))
        return false;
    store_t *store = command_open_store(options, error);
    if (!store) {
        ratings_clear(&study);
        return false;
    }
    run_info_t run;
    settings_t *settings;
    bool good = command_find_run(store, options, &run, &settings, error);
    if (good) {
        report_t built;
        good = report_build(store, &run, settings, &stages_shipped,
                            &(report_options_t){path ? &study : NULL, beside != NULL}, &built,
                            error) &&
               deliver(&built, options, error);
        report_clear(&built);
        settings_free(settings);
        run_info_clear(&run);
    }
    store_close(store);
    ratings_clear(&study);
    return good;
}

static int run(const option_list_t *options, error_info_t *error) {
    return report(options, error) ? EXIT_DONE : error_exit_code(error->class_);
}

static const option_t table[] = {
    {"format", 'f', "FORM", "text (default), md, csv, json or html", false},
    {"out", 'o', "DIR",
     "write files there: report.txt, .md, .json, .html, a CSV for each table, an SVG for each "
     "plot; one form with --format",
     false},
    {"beside", 0, "paper",
     "adds the paper's published figures beside the run's, and how the set-ups differ", false},
    {"study", 0, "FILE",
     "ratings of people, a CSV of `glia viewer`: adds the table of the human study", false},
    OPTION_RUN,
    OPTION_STORE,
    OPTION_CONFIG,
    {"json", 0, NULL, "the same as --format json", false},
    OPTION_HELP,
    {0},
};

const command_t command_report = {
    .name = "report",
    .usage =
        "[--run NAME] [--format text|md|csv|json|html] [--out DIR] [--study FILE] [--beside paper]",
    .summary = "the tables of a run",
    .details =
        "Results are the same bytes given the same responses; costs, times and doubts stand in a "
        "section of their own. Works while the run is live, and says how much is missing.",
    .options = table,
    .run = run,
};
