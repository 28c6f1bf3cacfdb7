/* study_make.c - a new study from a run. */
#include "tools/viewer/study_make.h"

#include <stdlib.h>
#include <string.h>

#include "actors/sweep/outcome.h"
#include "core/base/memory.h"
#include "core/base/rng.h"
#include "store/records.h"

/* --- raters ----------------------------------------------------------------------------------- */

static bool add_rater(study_definition_t *definition, const char *code, error_info_t *error) {
    if (!study_code_is_valid(code))
        return error_set(error, ERROR_USAGE,
                         "--raters: \"%s\" is no code; one has 1 to 64 of a-z A-Z 0-9 - _", code);
    for (size_t i = 0; i < definition->rater_count; i++)
        if (strcmp(definition->raters[i], code) == 0)
            return error_set(error, ERROR_USAGE, "--raters: \"%s\" stands there twice", code);
    if (definition->rater_count == STUDY_MOST_RATERS)
        return error_set(error, ERROR_USAGE, "--raters: at most %d", STUDY_MOST_RATERS);
    definition->raters =
        memory_resize(definition->raters, definition->rater_count + 1, sizeof *definition->raters);
    definition->raters[definition->rater_count++] = memory_copy_string(code);
    return true;
}

static bool read_raters(study_definition_t *definition, const char *codes, error_info_t *error) {
    char *text = memory_copy_string(codes);
    bool good = true;
    for (char *code = text; good && code;) {
        char *comma = strchr(code, ',');
        if (comma)
            *comma = '\0';
        good = add_rater(definition, code, error);
        code = comma ? comma + 1 : NULL;
    }
    free(text);
    return good;
}

/* --- neurons ---------------------------------------------------------------------------------- */

typedef struct {
    const view_t *view;
    uint32_t set;
    study_definition_t *definition;
    study_item_t item; /* under way */
    size_t have;       /* texts of it */
    bool any;
    uint32_t number;
    size_t skipped;
} collect_t;

static void drop_item(collect_t *collect) {
    for (size_t i = 0; i < collect->definition->format_count && collect->item.texts; i++)
        free(collect->item.texts[i]);
    free(collect->item.texts);
    free(collect->item.set);
    free(collect->item.id);
    collect->item = (study_item_t){0};
}

/* The neuron is over: it is taken if every format has explained it. */
static void end_item(collect_t *collect) {
    study_definition_t *definition = collect->definition;
    if (collect->any && collect->have == definition->format_count) {
        definition->items =
            memory_resize(definition->items, definition->item_count + 1, sizeof *definition->items);
        definition->items[definition->item_count++] = collect->item;
        collect->item = (study_item_t){0};
    } else if (collect->any) {
        collect->skipped++;
        drop_item(collect);
    }
    collect->any = false;
    collect->have = 0;
}

static void begin_item(collect_t *collect, const outcome_t *outcome) {
    collect->any = true;
    collect->number = outcome->chain.neuron;
    collect->item = (study_item_t){
        .set = memory_copy_string(collect->view->settings->sets[collect->set].name),
        .id = memory_copy_string(outcome->id),
        .layer = outcome->record->layer,
        .index = outcome->record->index,
        .neuron = outcome->neuron,
        .texts = MEMORY_NEW_ARRAY(collect->definition->format_count + 1, char *),
    };
}

static bool take_chain(void *context, store_txn_t *txn, const outcome_t *outcome,
                       error_info_t *error) {
    (void)txn;
    (void)error;
    collect_t *collect = context;
    const set_settings_t *set = &collect->view->settings->sets[collect->set];
    if (outcome->chain.set != collect->set || outcome->chain.sample != 0 ||
        outcome->chain.explainer != set->explainers[0])
        return true;
    if (!collect->any || collect->number != outcome->chain.neuron) {
        end_item(collect);
        begin_item(collect, outcome);
    }
    const char *format = prompt_format_name(outcome->chain.format);
    for (size_t f = 0; outcome->explained == CHAIN_DONE && f < collect->definition->format_count;
         f++)
        if (strcmp(collect->definition->formats[f], format) == 0 && !collect->item.texts[f]) {
            collect->item.texts[f] = memory_copy_string(outcome->explanation->text);
            collect->have++;
        }
    return true;
}

static bool find_set(const view_t *view, const char *name, uint32_t *set, error_info_t *error) {
    const settings_t *settings = view->settings;
    for (*set = 0; *set < settings->set_count; ++*set)
        if (!name || strcmp(settings->sets[*set].name, name) == 0)
            return true;
    return error_set(error, ERROR_USAGE, "run %s has no set \"%s\"", view->run.name,
                     name ? name : "");
}

static void take_formats(study_definition_t *definition, const set_settings_t *set) {
    definition->formats = MEMORY_NEW_ARRAY(PROMPT_FORMAT_COUNT, char *);
    for (int f = 0; f < PROMPT_FORMAT_COUNT; f++)
        if (set->formats[f])
            definition->formats[definition->format_count++] =
                memory_copy_string(prompt_format_name((prompt_format_t)f));
}

/* Leaves `most` of the items, drawn with the seed, in the order of the set. */
static void draw_items(study_definition_t *definition, size_t most) {
    size_t count = definition->item_count;
    if (most == 0 || count <= most)
        return;
    size_t *order = MEMORY_NEW_ARRAY(count, size_t);
    bool *taken = MEMORY_NEW_ARRAY(count, bool);
    for (size_t i = 0; i < count; i++)
        order[i] = i;
    rng_t rng = rng_create(definition->seed);
    rng_shuffle(&rng, order, count);
    for (size_t i = 0; i < most; i++)
        taken[order[i]] = true;
    study_definition_t left = {.format_count = definition->format_count};
    left.items = MEMORY_NEW_ARRAY(count, study_item_t);
    size_t kept = 0;
    for (size_t i = 0; i < count; i++)
        if (taken[i])
            definition->items[kept++] = definition->items[i];
        else
            left.items[left.item_count++] = definition->items[i];
    definition->item_count = kept;
    for (size_t i = 0; i < left.item_count; i++) {
        for (size_t f = 0; f < left.format_count; f++)
            free(left.items[i].texts[f]);
        free(left.items[i].texts);
        free(left.items[i].set);
        free(left.items[i].id);
    }
    free(left.items);
    free(order);
    free(taken);
}

static study_t *create(const char *directory, store_t *store, const study_definition_t *definition,
                       error_info_t *error) {
    neuron_record_t **records = MEMORY_NEW_ARRAY(definition->item_count + 1, neuron_record_t *);
    store_txn_t *txn = store_read_begin(store, error);
    bool good = txn != NULL;
    for (size_t i = 0; good && i < definition->item_count; i++) {
        records[i] = records_get(txn, definition->items[i].neuron, error);
        good = records[i] != NULL;
    }
    if (txn)
        store_read_end(txn);
    study_t *study =
        good ? study_create(directory, definition, (const neuron_record_t *const *)records, error)
             : NULL;
    for (size_t i = 0; i < definition->item_count; i++)
        neuron_record_free(records[i]);
    free(records);
    return study;
}

study_t *study_make(const char *directory, store_t *store, const view_t *view,
                    const study_wish_t *wish, size_t *skipped, error_info_t *error) {
    study_definition_t definition = {
        .seed = (uint64_t)view->settings->seed, .overlap = wish->overlap, .merge = wish->merge};
    collect_t collect = {.view = view, .definition = &definition};
    study_t *study = NULL;
    bool good = read_raters(&definition, wish->raters, error) &&
                find_set(view, wish->set, &collect.set, error);
    if (good) {
        take_formats(&definition, &view->settings->sets[collect.set]);
        good = outcomes_walk(store, view->sweep,
                             &(outcomes_t){.run = view->run.number, .depth = LOOK_ALL}, take_chain,
                             &collect, error);
        end_item(&collect);
    }
    if (good && definition.item_count == 0)
        good = error_set(
            error, ERROR_CONFIG,
            "no neuron of set %s has explanations in every format yet; finish the run first",
            view->settings->sets[collect.set].name);
    if (good) {
        draw_items(&definition, wish->neurons);
        study = create(directory, store, &definition, error);
    }
    *skipped = collect.skipped;
    study_definition_clear(&definition);
    return study;
}
