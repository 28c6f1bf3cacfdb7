/* export_set.c - the neurons of one set as a list. */
#include "tools/cli/export_set.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "actors/sweep/draw.h"
#include "actors/sweep/neuron_names.h"
#include "core/base/csv.h"
#include "core/base/json.h"
#include "core/base/memory.h"
#include "core/base/text.h"
#include "tools/cli/output.h"

typedef struct {
    bool csv;
    const set_settings_t *set;
    buffer_t out;
} list_t;

static void write_csv(list_t *list, const char *id, const neuron_name_t *name,
                      const char *explanation, double score) {
    if (name)
        buffer_append_format(&list->out, "%d,%d,", name->layer, name->index);
    else
        buffer_append_text(&list->out, ",,");
    if (!isnan(score))
        json_write_number(&list->out, score);
    buffer_append_char(&list->out, ',');
    csv_write_text(&list->out, explanation);
    buffer_append_char(&list->out, ',');
    csv_write_text(&list->out, id);
    buffer_append_char(&list->out, '\n');
}

static void write_json(list_t *list, const char *id, const neuron_name_t *name,
                       const char *explanation, double score) {
    if (name)
        buffer_append_format(&list->out, "{\"layer\":%d,\"neuron\":%d,\"score\":", name->layer,
                             name->index);
    else
        buffer_append_text(&list->out, "{\"layer\":null,\"neuron\":null,\"score\":");
    json_write_number(&list->out, score);
    buffer_append_text(&list->out, ",\"explanation\":");
    json_write_text(&list->out, explanation);
    buffer_append_text(&list->out, ",\"id\":");
    json_write_text(&list->out, id);
    buffer_append_text(&list->out, "}\n");
}

/* The baseline is the set's collection's. */
static void write_neuron(list_t *list, store_txn_t *txn, const char *id) {
    neuron_name_t name;
    bool named = neuron_name_parse(id, strlen(id), &name);
    char *explanation = NULL;
    double score = NAN;
    if (!named || !list->set->baseline ||
        !baseline_get(txn, list->set->baseline, name.layer, name.index, &explanation, &score))
        score = NAN;
    (list->csv ? write_csv : write_json)(list, id, named ? &name : NULL, explanation, score);
    free(explanation);
}

static const set_settings_t *find_set(const settings_t *settings, const char *name,
                                      error_info_t *error) {
    for (size_t i = 0; i < settings->set_count; i++)
        if (!strcmp(settings->sets[i].name, name))
            return &settings->sets[i];
    error_set(error, ERROR_USAGE, "there is no set \"%s\"", name);
    return NULL;
}

/* A set of a run, as it was fixed. */
static bool write_fixed(list_t *list, store_txn_t *txn, const run_info_t *run,
                        error_info_t *error) {
    for (size_t s = 0; s < run->set_count; s++)
        for (uint32_t i = 0; !strcmp(run->sets[s].name, list->set->name) && i < run->sets[s].count;
             i++) {
            hash_t neuron;
            char *id = NULL;
            if (!records_set_member(txn, run->sets[s].content, i, &neuron, &id))
                return error_set(error, ERROR_FATAL, "set %s lacks its member %u; see `glia fsck`",
                                 list->set->name, i);
            write_neuron(list, txn, id);
            free(id);
        }
    return true;
}

/* A set of the config, as it would be drawn. */
static bool write_drawn(list_t *list, store_txn_t *txn, int64_t seed, error_info_t *error) {
    const set_settings_t *set = list->set;
    if (set->select == SELECT_ALL)
        return error_set(error, ERROR_USAGE, "sets.%s.select is \"all\": nothing is drawn",
                         set->name);
    if (set->recorded &&
        (set->select == SELECT_RANDOM || (set->select != SELECT_LIST && !set->baseline)))
        return error_set(error, ERROR_USAGE,
                         "sets.%s is drawn from a recording when a run starts; without --draw this "
                         "lists what it drew",
                         set->name);
    record_set_t source = {0};
    bool stored = text_starts_with(set->source, "store:") &&
                  records_set_find(txn, set->source + strlen("store:"), &source);
    draw_t drawn;
    /* Without records the baselines are what there is to draw from. */
    bool records = stored && (set->select == SELECT_RANDOM || !set->baseline);
    bool good = draw_list(txn, set, seed, records ? &source : NULL, &drawn, error);
    for (size_t i = 0; good && i < drawn.count; i++) {
        char *id = memory_format("%d:%d", drawn.neurons[i].layer, drawn.neurons[i].index);
        write_neuron(list, txn, id);
        free(id);
    }
    free(drawn.neurons);
    records_set_clear(&source);
    return good;
}

static bool write_list(list_t *list, store_t *store, const run_info_t *run,
                       const settings_t *settings, const char *name, error_info_t *error) {
    list->set = find_set(settings, name, error);
    store_txn_t *txn = list->set ? store_read_begin(store, error) : NULL;
    if (!txn)
        return false;
    if (list->csv)
        buffer_append_text(&list->out, "layer,neuron,score,explanation,id\n");
    bool good =
        run ? write_fixed(list, txn, run, error) : write_drawn(list, txn, settings->seed, error);
    store_read_end(txn);
    return good;
}

static bool deliver(list_t *list, const char *path, error_info_t *error) {
    output_t *output = output_open(path, error);
    if (!output)
        return false;
    bool good = output_write(output, &list->out, error);
    good = output_close(output, good, good ? error : NULL) && good;
    return good;
}

bool export_set(const option_list_t *options, bool csv, error_info_t *error) {
    list_t list = {.csv = csv};
    const char *name = options->arguments[1];
    bool draw = option_given(options, "draw");
    store_t *store = command_open_store(options, error);
    if (!store)
        return false;
    run_info_t run = {0};
    settings_t *settings = draw ? command_settings(options, true, error) : NULL;
    bool good = draw ? settings != NULL : command_find_run(store, options, &run, &settings, error);
    if (good) {
        good = write_list(&list, store, draw ? NULL : &run, settings, name, error) &&
               deliver(&list, option_get(options, "out"), error);
        settings_free(settings);
        run_info_clear(&run);
    }
    buffer_free(&list.out);
    store_close(store);
    return good;
}
