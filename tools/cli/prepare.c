/* prepare.c - the run's row in the store and the records that it works on. */
#include "tools/cli/prepare.h"

#include <stdlib.h>
#include <string.h>

#include "actors/sweep/draw.h"
#include "actors/sweep/recorded_set.h"
#include "core/base/embedded.h"
#include "core/base/memory.h"
#include "core/base/text.h"
#include "core/neuron/neuron_json.h"
#include "prompts/template.h"
#include "store/journal.h"
#include "store/ledger.h"
#include "store/progress.h"
#include "store/records.h"

struct prepare {
    const settings_t *settings;
    neuron_list_t *lists; /* [set_count]; empty for "store:" */
    buffer_t snapshot;
    buffer_t templates[TEMPLATE_LAYOUT_COUNT]; /* [template_count], as the run keeps them */
    hash_t identities[TEMPLATE_LAYOUT_COUNT];
    const char *template_names[TEMPLATE_LAYOUT_COUNT];
    size_t template_count;
    bool allow_unrecorded;
};

static bool load_set(const set_settings_t *set, neuron_list_t *list, error_info_t *error) {
    if (set->recorded || text_starts_with(set->source, "store:"))
        return true;
    embedded_file_t puzzles;
    bool ok = strcmp(set->source, "puzzles:") == 0
                  ? embedded_find("prompts/puzzles.json", &puzzles) &&
                        neuron_json_parse(puzzles.data, puzzles.size, puzzles.name, list, error)
                  : neuron_json_read(set->source, list, error);
    if (!ok)
        return error_prefix(error, "sets.%s.source", set->name);
    if (list->count == 0)
        return error_set(error, ERROR_CONFIG, "sets.%s.source: %s holds no neuron records",
                         set->name, set->source);
    return true;
}

static bool load_templates(prepare_t *prepare, error_info_t *error) {
    const settings_t *s = prepare->settings;
    bool wanted[TEMPLATE_LAYOUT_COUNT] = {false};
    static const char *const simulations[] = {"simulate_echo", "simulate_repeat"};
    for (size_t i = 0; i < s->set_count; i++)
        for (int f = 0; f < PROMPT_FORMAT_COUNT; f++)
            wanted[f] = wanted[f] || s->sets[i].formats[f];
    if (s->simulate)
        wanted[s->mode == SIMULATE_ECHO ? TEMPLATE_SIMULATE_ECHO : TEMPLATE_SIMULATE_REPEAT] = true;
    for (int i = 0; i < TEMPLATE_LAYOUT_COUNT; i++) {
        if (!wanted[i])
            continue;
        const char *name = i < PROMPT_FORMAT_COUNT ? prompt_format_name((prompt_format_t)i)
                                                   : simulations[i - PROMPT_FORMAT_COUNT];
        template_t *template = template_load(s->template_directory, name, error);
        if (!template)
            return false;
        prepare->template_names[prepare->template_count] = name;
        prepare->identities[prepare->template_count] = template_hash(template);
        template_write(template, &prepare->templates[prepare->template_count++]);
        template_free(template);
    }
    return true;
}

/* The set that the source is, before anything is drawn from it. */
static bool fix_source(const prepare_t *prepare, store_txn_t *txn, const set_settings_t *set,
                       const neuron_list_t *list, record_set_t *content, error_info_t *error) {
    if (set->recorded)
        return recorded_set_fix(txn, prepare->settings, set, prepare->allow_unrecorded, content,
                                error);
    if (text_starts_with(set->source, "store:"))
        return records_set_find(txn, set->source + strlen("store:"), content) ||
               error_set(error, ERROR_CONFIG,
                         "sets.%s.source: the store has no set \"%s\"; see `glia import --help`",
                         set->name, set->source + strlen("store:"));
    /* A name that no import can take: users' sets never end in a slash. */
    char *name = memory_format("run/%s/", set->source);
    bool good = records_set_put(txn, name, set->source, list, content, error);
    free(name);
    return good;
}

static bool put_drawn(store_txn_t *txn, const set_settings_t *set, const char *name,
                      const draw_t *drawn, record_set_t *content, error_info_t *error) {
    hash_t *neurons = MEMORY_NEW_ARRAY(drawn->count, hash_t);
    char **ids = MEMORY_NEW_ARRAY(drawn->count, char *);
    for (size_t i = 0; i < drawn->count; i++) {
        neurons[i] = drawn->neurons[i].record;
        ids[i] = memory_format("%d:%d", drawn->neurons[i].layer, drawn->neurons[i].index);
    }
    char *what = draw_describe(set), *origin = memory_format("%s, %s", set->source, what);
    bool good = records_set_put_members(txn, name, origin, neurons, (const char *const *)ids,
                                        drawn->count, content, error);
    for (size_t i = 0; i < drawn->count; i++)
        free(ids[i]);
    free(ids);
    free(neurons);
    free(what);
    free(origin);
    return good;
}

/* What was drawn once for the run stays, whatever is imported later. *content is the source's, and
 * becomes what is drawn from it. */
static bool fix_drawn(store_txn_t *txn, const settings_t *s, const set_settings_t *set,
                      record_set_t *content, error_info_t *error) {
    char *name;
    record_set_t result = {0};
    draw_t drawn = {0};
    bool good = draw_name(set, s->run_name, s->seed, s->subject.recording, &name, error);
    if (good && !records_set_find(txn, name, &result))
        good = draw_set(txn, set, s->seed, content, &drawn, error) &&
               put_drawn(txn, set, name, &drawn, &result, error);
    records_set_clear(content);
    *content = result;
    free(drawn.neurons);
    free(name);
    return good;
}

static bool fix_set(const prepare_t *prepare, store_txn_t *txn, const set_settings_t *set,
                    const neuron_list_t *list, struct run_set *fixed, error_info_t *error) {
    record_set_t content = {0};
    bool good = fix_source(prepare, txn, set, list, &content, error) &&
                (set->select == SELECT_ALL || content.count == 0 ||
                 fix_drawn(txn, prepare->settings, set, &content, error));
    if (good) {
        fixed->name = memory_copy_string(set->name);
        fixed->content = content.content;
        fixed->count = set->limit > 0 && set->limit < (int64_t)content.count ? (uint32_t)set->limit
                                                                             : content.count;
    }
    records_set_clear(&content);
    return good;
}

/* What a new start of a run replaces. */
static void forget_start(run_info_t *run) {
    for (size_t i = 0; i < run->set_count; i++)
        free(run->sets[i].name);
    for (size_t i = 0; i < run->template_count; i++)
        free(run->templates[i].name);
    free(run->sets);
    free(run->templates);
    free(run->program);
    free(run->state_note);
    run->state_note = NULL;
    run->set_count = 0;
}

bool prepare_apply(const prepare_t *prepare, store_txn_t *txn, int64_t utc, run_info_t *run,
                   error_info_t *error) {
    const settings_t *s = prepare->settings;
    run_info_clear(run);
    if (!runs_find(txn, s->run_name, run))
        *run = (run_info_t){.name = memory_copy_string(s->run_name), .created_utc = utc};
    else if ((run->set_count == 0) != s->batch)
        return error_set(error, ERROR_CONFIG,
                         "the store has a %s of the name \"%s\"; choose another with --run",
                         s->batch ? "sweep" : "batch", s->run_name);
    forget_start(run);
    run->program = memory_copy_string(GLIA_VERSION);
    run->sets = MEMORY_NEW_ARRAY(s->set_count, struct run_set);
    run->templates = MEMORY_NEW_ARRAY(prepare->template_count + 1, struct run_template);
    run->template_count = 0;
    for (size_t i = 0; i < prepare->template_count; i++) {
        struct run_template *kept = &run->templates[run->template_count++];
        kept->name = memory_copy_string(prepare->template_names[i]);
        kept->identity = prepare->identities[i];
        if (!blob_put(txn, prepare->templates[i].data, prepare->templates[i].length, &kept->hash,
                      error))
            return false;
    }
    for (size_t i = 0; i < s->set_count; i++, run->set_count++)
        if (!fix_set(prepare, txn, &s->sets[i], &prepare->lists[i], &run->sets[i], error))
            return false;
    run->state = RUN_RUNNING;
    run->started_utc = utc;
    run->starts++;
    return blob_put(txn, prepare->snapshot.data, prepare->snapshot.length, &run->snapshot, error) &&
           runs_put(txn, run, error);
}

prepare_t *prepare_create(const settings_t *settings, error_info_t *error) {
    prepare_t *prepare = MEMORY_NEW(prepare_t);
    prepare->settings = settings;
    prepare->lists = MEMORY_NEW_ARRAY(settings->set_count, neuron_list_t);
    bool ok = load_templates(prepare, error);
    for (size_t i = 0; ok && i < settings->set_count; i++)
        ok = load_set(&settings->sets[i], &prepare->lists[i], error);
    if (ok) {
        config_dump(settings->config, &prepare->snapshot);
        return prepare;
    }
    prepare_free(prepare);
    return NULL;
}

void prepare_allow_unrecorded(prepare_t *prepare) {
    prepare->allow_unrecorded = true;
}

void prepare_free(prepare_t *prepare) {
    if (!prepare)
        return;
    for (size_t i = 0; i < prepare->settings->set_count; i++)
        neuron_list_free(&prepare->lists[i]);
    free(prepare->lists);
    for (size_t i = 0; i < prepare->template_count; i++)
        buffer_free(&prepare->templates[i]);
    buffer_free(&prepare->snapshot);
    free(prepare);
}

typedef struct {
    run_info_t *run;
    const buffer_t *progress;
} save_t;

typedef struct {
    const prepare_t *prepare;
    bool retry_failed;
    int64_t utc;
    run_info_t *run;
    prepare_taken_t *taken;
} take_up_t;

static bool apply_take_up(store_txn_t *txn, void *context, error_info_t *error) {
    take_up_t *t = context;
    return ledger_recover(txn, t->utc, &t->taken->recovered, &t->taken->recovered_amount, error) &&
           prepare_apply(t->prepare, txn, t->utc, t->run, error) &&
           journal_forget_failures(txn, t->run->number, t->retry_failed, &t->taken->forgotten,
                                   error);
}

bool prepare_take_up(const settings_t *settings, store_t *store, bool retry_failed, int64_t utc,
                     run_info_t *run, prepare_taken_t *taken, error_info_t *error) {
    prepare_t *prepare = prepare_create(settings, error);
    take_up_t t = {prepare, retry_failed, utc, run, taken};
    bool ok = prepare && store_write(store, apply_take_up, &t, error);
    prepare_free(prepare);
    return ok;
}

static bool save(store_txn_t *txn, void *context, error_info_t *error) {
    save_t *what = context;
    char *key = progress_key(what->run->number);
    bool ok = runs_put(txn, what->run, error) &&
              store_put(txn, TABLE_META, key, strlen(key), what->progress->data,
                        what->progress->length, error);
    free(key);
    return ok;
}

bool prepare_save_run(store_t *store, run_info_t *run, const buffer_t *progress,
                      error_info_t *error) {
    return store_write(store, save, &(save_t){run, progress}, error);
}
