/* cmd_show.c - `glia show`: a neuron's card, read from a run. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "actors/sweep/neuron_names.h"
#include "core/base/memory.h"
#include "core/base/numbers.h"
#include "core/base/text.h"
#include "store/records.h"
#include "tools/cli/card.h"
#include "tools/cli/command.h"
#include "tools/cli/output.h"
#include "tools/viewer/view.h"

enum { TOP_DEFAULT = 3 };

/* --- which neuron ----------------------------------------------------------------------------- */

/* --set as an index in the settings' sets; -1: not given. */
static bool find_set(const view_t *view, const char *name, int64_t *set, error_info_t *error) {
    *set = -1;
    if (!name)
        return true;
    const settings_t *settings = view->settings;
    const char **names = MEMORY_NEW_ARRAY(settings->set_count, const char *);
    for (size_t i = 0; i < settings->set_count; i++) {
        names[i] = settings->sets[i].name;
        if (!strcmp(names[i], name))
            *set = (int64_t)i;
    }
    if (*set < 0) {
        const char *near = text_closest(name, names, settings->set_count);
        error_set(error, ERROR_USAGE, "run %s has no set \"%.100s\"; %s \"%s\"%s", view->run.name,
                  name, near ? "did you mean" : "it has", near ? near : names[0], near ? "?" : "");
    }
    free(names);
    return *set >= 0;
}

/* A neuron of the same layer with the nearest number, else an id that is spelt alike;
 * NULL: there is none. */
static const char *nearest(const char *id, const index_entry_t *entries, size_t count) {
    const char *near = NULL;
    neuron_name_t name;
    int64_t distance = INT64_MAX;
    if (neuron_name_parse(id, strlen(id), &name))
        for (size_t i = 0; i < count; i++) {
            int64_t away = llabs((long long)entries[i].index - name.index);
            if (entries[i].layer != name.layer || away >= distance)
                continue;
            near = entries[i].id;
            distance = away;
        }
    const char **ids = MEMORY_NEW_ARRAY(count, const char *);
    for (size_t i = 0; i < count; i++)
        ids[i] = entries[i].id;
    near = near ? near : text_closest(id, ids, count);
    free(ids);
    return near;
}

/* Ids come from records files: they are printed so that a terminal shows them. */
static void refuse_neuron(const view_t *view, int64_t set, const char *id, error_info_t *error) {
    index_query_t query = {
        .set = set, .layer = -1, .least = NAN, .most = NAN, .format = -1, .count = SIZE_MAX};
    index_page_t page;
    neuron_index_query(view->index, &query, &page);
    const char *near = nearest(id, page.entries, page.count);
    const char *other = near ? near : page.count > 0 ? page.entries[0].id : "";
    buffer_t asked = BUFFER_EMPTY, named = BUFFER_EMPTY, place = BUFFER_EMPTY;
    text_append_visible(&asked, id, strlen(id));
    text_append_visible(&named, other, strlen(other));
    if (set >= 0)
        buffer_append_format(&place, " in set %s", view->settings->sets[set].name);
    if (near)
        error_set(error, ERROR_USAGE,
                  "run %s has no neuron or puzzle \"%.200s\"%s; did you mean \"%.200s\"?",
                  view->run.name, buffer_text(&asked), buffer_text(&place), buffer_text(&named));
    else
        error_set(
            error, ERROR_USAGE,
            "run %s has no neuron or puzzle \"%.200s\"%s; it has %zu, the first is \"%.200s\"",
            view->run.name, buffer_text(&asked), buffer_text(&place), page.count,
            buffer_text(&named));
    buffer_free(&asked);
    buffer_free(&named);
    buffer_free(&place);
    index_page_clear(&page);
}

/* By id; else, as "05:131" is no id, by layer and neuron. */
static bool find_entry(const view_t *view, int64_t set, const char *id, index_entry_t *entry,
                       error_info_t *error) {
    size_t position;
    neuron_name_t name;
    if (neuron_index_find(view->index, set, id, -1, -1, entry, &position))
        return true;
    if (neuron_name_parse(id, strlen(id), &name) &&
        neuron_index_find(view->index, set, NULL, name.layer, name.index, entry, &position))
        return true;
    refuse_neuron(view, set, id, error);
    return false;
}

/* Where else the same name stands: which one is meant is then for --set to say. */
static void name_other_sets(const view_t *view, const index_entry_t *entry, buffer_t *out) {
    index_entry_t other;
    size_t position, found = 0;
    for (size_t i = 0; i < view->settings->set_count; i++) {
        if (i == entry->set ||
            !neuron_index_find(view->index, (int64_t)i, entry->id, -1, -1, &other, &position))
            continue;
        buffer_append_format(
            out, "%s%s", found++ ? ", " : "also in (--set NAME): ", view->settings->sets[i].name);
    }
    if (found)
        buffer_append_text(out, "\n");
}

/* --- what is known of it ---------------------------------------------------------------------- */

typedef struct {
    const view_t *view;
    card_t card;
} gather_t;

static bool take_chain(void *context, store_txn_t *txn, const outcome_t *outcome,
                       error_info_t *error) {
    (void)txn;
    (void)error;
    gather_t *gather = context;
    bool done = outcome->explained == CHAIN_DONE;
    card_explanation_t *explanation = &gather->card.explanations[gather->card.explanation_count++];
    *explanation = (card_explanation_t){
        .format = prompt_format_name(outcome->chain.format),
        .explainer = gather->view->settings->models[outcome->chain.explainer].name,
        .sample = outcome->chain.sample,
        .explained = outcome->explained,
        .text = done ? memory_copy_string(outcome->explanation->text) : NULL,
    };
    for (size_t m = 0; m < gather->card.measured.count; m++)
        explanation->measured[m] =
            chain_look_measured(outcome->look, gather->card.measured.rows[m]->number);
    return true;
}

/* The record and what it is compared with; owned by the caller. */
static neuron_record_t *load_record(const view_t *view, store_t *store, const index_entry_t *entry,
                                    char **baseline, error_info_t *error) {
    store_txn_t *txn = store_read_begin(store, error);
    if (!txn)
        return NULL;
    neuron_record_t *record = NULL;
    hash_t hash;
    chain_t chain = sweep_chain(view->sweep, entry->first);
    if (sweep_neuron(view->sweep, txn, &chain, &hash, NULL))
        record = records_get(txn, hash, error);
    else
        error_set(error, ERROR_FATAL, "set %s of the run has no neuron number %u; see glia fsck",
                  view->settings->sets[entry->set].name, entry->number);
    if (record)
        *baseline = sweep_baseline(view->sweep, txn, &chain, hash, record);
    store_read_end(txn);
    return record;
}

/* --- the command ------------------------------------------------------------------------------ */

typedef struct {
    const char *id, *set;
    bool json;
    card_options_t card;
} wish_t;

static bool read_wish(const option_list_t *options, wish_t *wish, error_info_t *error) {
    const char *top = option_get(options, "top"), *terminal = getenv("TERM");
    uint64_t most = TOP_DEFAULT;
    if (top && (!number_parse_whole(top, strlen(top), NEURON_MAX_RECORDS, &most) || most == 0))
        return error_set(error, ERROR_USAGE, "--top %s: it is a count from 1 to %d", top,
                         NEURON_MAX_RECORDS);
    *wish = (wish_t){.id = options->arguments[0],
                     .set = option_get(options, "set"),
                     .json = option_given(options, "json")};
    wish->card.most = wish->json && !top ? NEURON_MAX_RECORDS : (size_t)most;
    wish->card.colour =
        isatty(STDOUT_FILENO) && !getenv("NO_COLOR") && terminal && strcmp(terminal, "dumb") != 0;
    return true;
}

static bool show(store_t *store, const view_t *view, const wish_t *wish, error_info_t *error) {
    index_entry_t entry;
    int64_t set;
    if (!view->index)
        return error_set(error, ERROR_USAGE, "run %s is a batch: it has no neurons",
                         view->run.name);
    if (!find_set(view, wish->set, &set, error) || !find_entry(view, set, wish->id, &entry, error))
        return false;
    char *baseline = NULL;
    neuron_record_t *record = load_record(view, store, &entry, &baseline, error);
    if (!record)
        return false;
    gather_t gather = {.view = view};
    gather.card =
        (card_t){.run = view->run.name,
                 .set = view->settings->sets[entry.set].name,
                 .id = entry.id,
                 .record = record,
                 .baseline = baseline,
                 .measured = stages_measured(view->stages),
                 .explanations = MEMORY_NEW_ARRAY(entry.end - entry.first, card_explanation_t)};
    buffer_t out = BUFFER_EMPTY;
    outcomes_t which = {
        .run = view->run.number, .depth = LOOK_ALL, .first = entry.first, .end = entry.end};
    bool good = outcomes_walk(store, view->sweep, &which, take_chain, &gather, error);
    if (good && wish->json) {
        card_write_json(&gather.card, wish->card.most, &out);
    } else if (good) {
        card_write_text(&gather.card, &wish->card, &out);
        if (!wish->set)
            name_other_sets(view, &entry, &out);
    }
    good = good && output_print(&out, error);
    buffer_free(&out);
    card_clear(&gather.card);
    neuron_record_free(record);
    free(baseline);
    return good;
}

static int run(const option_list_t *options, error_info_t *error) {
    wish_t wish;
    if (!read_wish(options, &wish, error))
        return error_exit_code(error->class_);
    store_t *store = command_open_store(options, error);
    if (!store)
        return error_exit_code(error->class_);
    view_t *view = view_load(store, option_get(options, "run"), &stages_shipped, error);
    bool good = view && show(store, view, &wish, error);
    view_release(view);
    store_close(store);
    return good ? EXIT_DONE : error_exit_code(error->class_);
}

static const option_t table[] = {
    {"set", 's', "NAME", "the set of the run to look in (default: the first that has it)", false},
    {"top", 0, "N", "so many excerpts of each group (default 3; with --json all)", false},
    OPTION_RUN,
    OPTION_STORE,
    OPTION_CONFIG,
    OPTION_JSON,
    OPTION_HELP,
    {0},
};

const command_t command_show = {
    .name = "show",
    .usage = "[--set NAME] [--top N] [--run NAME] [--json] L:N | PUZZLE",
    .summary = "a neuron's card: statistics, excerpts, explanations and scores so far; also while "
               "the run is live",
    .details = "On a terminal, tokens are coloured from 0 to the neuron's highest activation "
               "(unless NO_COLOR is set); elsewhere those above its threshold stand in [brackets]. "
               "Newlines, controls and parts of characters are shown as \\n and \\xNN.",
    .options = table,
    .least_arguments = 1,
    .most_arguments = 1,
    .run = run,
};
