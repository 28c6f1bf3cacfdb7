/* import_run.c - explanations and scores of another run. */
#include "tools/cli/import_run.h"

#include <stdlib.h>
#include <string.h>

#include "actors/sweep/outcome.h"
#include "actors/sweep/snapshot.h"
#include "core/base/memory.h"
#include "tools/cli/command.h"

typedef struct {
    import_run_t *list;
    prompt_format_t format;
    bool any;
    chain_t last; /* of the neuron taken last */
} collect_t;

static bool take_chain(void *context, store_txn_t *txn, const outcome_t *outcome,
                       error_info_t *error) {
    (void)txn;
    (void)error;
    collect_t *collect = context;
    const chain_t *chain = &outcome->chain;
    bool taken =
        collect->any && collect->last.set == chain->set && collect->last.neuron == chain->neuron;
    if (taken || chain->format != collect->format || chain->sample != 0 ||
        outcome->record->source != NEURON_SOURCE_SUBJECT || outcome->explained != CHAIN_DONE)
        return true;
    collect->any = true;
    collect->last = *chain;
    import_run_t *list = collect->list;
    if ((list->count & (list->count - 1)) == 0)
        list->explained = memory_resize(list->explained, list->count ? 2 * list->count : 1,
                                        sizeof *list->explained);
    list->explained[list->count++] =
        (struct import_explained){{outcome->record->layer, outcome->record->index},
                                  memory_copy_string(outcome->explanation->text),
                                  outcome->score.score.correlation};
    return true;
}

/* The format that is asked for, or the one that stands for the run. */
static bool choose_format(const settings_t *settings, const char *name, prompt_format_t *format,
                          error_info_t *error) {
    if (name && !prompt_format_from_name(name, format))
        return error_set(error, ERROR_USAGE, "\"%s\" is no prompt format", name);
    for (int f = PROMPT_FORMAT_COUNT; !name && f-- > 0;)
        for (size_t i = 0; i < settings->set_count; i++)
            if (settings->sets[i].formats[f])
                *format = (prompt_format_t)f;
    return true;
}

static bool collect_run(store_t *store, const run_info_t *run, const settings_t *settings,
                        const char *format, import_run_t *list, error_info_t *error) {
    collect_t collect = {.list = list};
    sweep_t *sweep = choose_format(settings, format, &collect.format, error)
                         ? sweep_create_snapshot(settings, run, &stages_shipped, error)
                         : NULL;
    bool good =
        sweep && outcomes_walk(store, sweep, &(outcomes_t){.run = run->number, .depth = LOOK_ALL},
                               take_chain, &collect, error);
    sweep_free(sweep);
    if (good && list->count == 0)
        good = error_set(error, ERROR_CONFIG,
                         "run %s has no %s explanation of a neuron of a subject model", run->name,
                         prompt_format_name(collect.format));
    return good;
}

bool import_run_collect(store_t *store, const char *what, import_run_t *list, error_info_t *error) {
    *list = (import_run_t){0};
    const char *slash = strrchr(what, '/');
    char *name = memory_copy(what, slash ? (size_t)(slash - what) : strlen(what));
    run_info_t run;
    settings_t *settings;
    bool good = snapshot_find_run(store, name, &run, &settings, error);
    if (good) {
        good = collect_run(store, &run, settings, slash ? slash + 1 : NULL, list, error);
        settings_free(settings);
        run_info_clear(&run);
    }
    free(name);
    return good;
}

void import_run_clear(import_run_t *list) {
    for (size_t i = 0; i < list->count; i++)
        free(list->explained[i].text);
    free(list->explained);
    *list = (import_run_t){0};
}
