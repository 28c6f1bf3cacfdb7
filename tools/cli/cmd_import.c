/* cmd_import.c - `glia import`: neuron records, puzzles and baseline explanations
 * into the store. */
#include <string.h>

#include "core/base/text.h"
#include "tools/cli/import.h"
#include "tools/cli/output.h"

static const struct kind {
    const char *name;
    bool (*import)(store_t *store, const option_list_t *options, buffer_t *out,
                   error_info_t *error);
} kinds[] = {
    {"neurons", import_neurons},
    {"puzzles", import_puzzles},
    {"explanations", import_explanations},
};
enum { KIND_COUNT = sizeof kinds / sizeof kinds[0] };

static const struct kind *find_kind(const char *name, error_info_t *error) {
    const char *names[KIND_COUNT];
    for (size_t i = 0; i < KIND_COUNT; i++) {
        if (!strcmp(kinds[i].name, name))
            return &kinds[i];
        names[i] = kinds[i].name;
    }
    const char *near = text_closest(name, names, KIND_COUNT);
    error_set(error, ERROR_USAGE, "\"%s\" cannot be imported; %s%s%s", name,
              near ? "did you mean " : "it is one of neurons, puzzles, explanations",
              near ? near : "", near ? "?" : "");
    return NULL;
}

/* What belongs to the other kinds. */
static bool check_options(const struct kind *kind, const option_list_t *options,
                          error_info_t *error) {
    const char *target = kind->import == import_explanations ? "as" : "set";
    const char *stray = NULL;
    if (kind->import != import_explanations && option_given(options, "as"))
        stray = "as";
    if (kind->import != import_neurons && option_given(options, "layers"))
        stray = "layers";
    if (kind->import == import_puzzles && option_given(options, "neurons"))
        stray = "neurons";
    if (stray)
        return error_set(error, ERROR_USAGE, "--%s does not go with `glia import %s`", stray,
                         kind->name);
    return import_target(options, target, error) != NULL;
}

static int run(const option_list_t *options, error_info_t *error) {
    const struct kind *kind = find_kind(options->arguments[0], error);
    if (!kind || !check_options(kind, options, error))
        return error_exit_code(error->class_);
    store_t *store = command_open_store_to_write(options, "import", true, error);
    if (!store)
        return error_exit_code(error->class_);
    buffer_t out = BUFFER_EMPTY;
    bool good = kind->import(store, options, &out, error);
    /* What was imported is said even if something is missing. */
    error_info_t print_error = {0};
    bool printed = output_print(&out, &print_error);
    if (good && !printed)
        *error = print_error;
    buffer_free(&out);
    store_close(store);
    return good && printed ? EXIT_DONE : error_exit_code(error->class_);
}

static const option_t table[] = {
    {"set", 0, "NAME",
     "neurons, puzzles: the set they go into; explanations from a URL: whose neurons", false},
    {"as", 0, "NAME",
     "explanations: the collection they go into (sets.*.baseline of the config names it)", false},
    {"neurons", 'n', "L:N,...",
     "only these; from a URL: what to fetch. @FILE: CSV or JSONL with layer and neuron", false},
    {"layers", 'l', "L,L-M", "only these layers; from a URL: all of their neurons", false},
    {"refresh", 0, NULL, "fetch and read again what is there already", false},
    OPTION_STORE,
    OPTION_CONFIG,
    OPTION_JSON,
    OPTION_HELP,
    {0},
};

const command_t command_import = {
    .name = "import",
    .usage = "neurons|puzzles|explanations FILE|DIRECTORY|URL|run:NAME... --set|--as NAME",
    .summary = "neuron records, puzzles and baseline explanations into the store",
    .details = "glia import neurons FILE|DIRECTORY|URL... --set NAME\n"
               "  Neuron records: files of them (JSON or JSONL), directories of LAYER/NEURON.json, "
               "or the base of a public layout, URL/collated-activations/LAYER/NEURON.json. What "
               "the set has already is not read again from directories and URLs, so that an import "
               "that was cut short goes on; records out of files replace those of the same id. The "
               "config's sets.*.source = \"store:NAME\" works on the set.\n"
               "glia import puzzles FILE --set NAME\n"
               "  The set is what the file holds.\n"
               "glia import explanations FILE|URL|run:NAME... --as NAME\n"
               "  Baselines to compare with: CSV with columns layer, neuron, explanation and score "
               "(in any order, score may be missing), JSONL of the same members or of the public "
               "form, URL/explanations/LAYER/NEURON.jsonl for --set or --neurons, or "
               "run:NAME[/FORMAT], what a run of the store explained (its first explainer and "
               "sample; by original, if no format is given) and scored.",
    .options = table,
    .least_arguments = 2,
    .most_arguments = 100000,
    .run = run,
};
