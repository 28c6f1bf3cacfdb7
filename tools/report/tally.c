/* tally.c - chains to numbers. */
#include "tools/report/tally.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/embedded.h"
#include "core/base/memory.h"
#include "core/subject/corpus.h"
#include "core/subject/subject_files.h"

typedef struct {
    const sweep_t *sweep;
    tally_list_t *list;
    /* Of the last chain: chains of one neuron follow each other. */
    hash_t neuron;
    bool looked, selective;
    class_choice_t choice;
} collect_t;

static void add(sample_t *sample, size_t neuron, double value) {
    if (sample->count == sample->capacity) {
        sample->capacity = sample->capacity ? 2 * sample->capacity : 64;
        sample->values = memory_resize(sample->values, sample->capacity, sizeof(double));
        sample->neurons = memory_resize(sample->neurons, sample->capacity, sizeof(size_t));
    }
    sample->neurons[sample->count] = neuron;
    sample->values[sample->count++] = value;
}

static void add_point(points_t *points, const point_t *point) {
    if (points->count == points->capacity) {
        points->capacity = points->capacity ? 2 * points->capacity : 64;
        points->points = memory_resize(points->points, points->capacity, sizeof *points->points);
    }
    points->points[points->count++] = *point;
}

/* Counts one result. `value`: what is undefined if it is NaN. */
static void count(progress_t *progress, chain_state_t state, double value) {
    progress->wanted += state != CHAIN_UNWANTED;
    progress->missing += state == CHAIN_ABSENT || state == CHAIN_WAITING;
    progress->failed += state == CHAIN_FAILED;
    progress->undefined += state == CHAIN_DONE && isnan(value);
    progress->done += state == CHAIN_DONE && !isnan(value);
}

static void tally_explanation(tally_t *tally, size_t neuron, const explain_result_t *result) {
    tally->shortened += result->dropped > 0;
    if (result->prompt_tokens < 0) {
        tally->uncounted++;
        return;
    }
    double prompt = (double)result->prompt_tokens;
    add(&tally->prompt_tokens, neuron, prompt);
    if (result->completion_tokens >= 0)
        add(&tally->total_tokens, neuron, prompt + (double)result->completion_tokens);
}

/* Measures behind the first one can be undefined on their own. */
static void tally_measured(tally_measured_t *tally, size_t neuron,
                           const chain_measured_t *measured) {
    count(&tally->progress, measured->state, measured->values[0]);
    for (size_t i = 0; i < STAGE_MEASURES; i++)
        if (!isnan(measured->values[i]))
            add(&tally->samples[i], neuron, measured->values[i]);
}

/* Whether the set was recorded from the shipped subject on its corpus, whose classes are known. */
static bool classes_are_known(const settings_t *settings, size_t set) {
    const subject_settings_t *subject = &settings->subject;
    return settings->sets[set].recorded && subject->model &&
           strcmp(subject->model, SUBJECT_FILES_EMBEDDED) == 0 && subject->corpus_count == 1 &&
           strcmp(subject->corpus[0], CORPUS_EMBEDDED) == 0;
}

static bool load_classes(const settings_t *settings, word_classes_t **classes,
                         error_info_t *error) {
    embedded_file_t file;
    for (size_t s = 0; s < settings->set_count && !*classes; s++) {
        if (!classes_are_known(settings, s))
            continue;
        if (!embedded_find("tools/subject/classes.json", &file))
            return error_set(error, ERROR_BUG, "the program lacks the classes of its corpus");
        *classes = classes_parse(file.data, file.size, error);
        if (!*classes)
            return false;
    }
    return true;
}

static void tally_class(collect_t *collect, tally_t *tally, const outcome_t *outcome) {
    const word_classes_t *classes = collect->list->classes;
    if (!classes || !classes_are_known(sweep_settings(collect->sweep), outcome->chain.set))
        return;
    if (!collect->looked || !hash_equal(collect->neuron, outcome->neuron)) {
        collect->looked = true;
        collect->neuron = outcome->neuron;
        collect->selective = classes_select(classes, outcome->record, &collect->choice);
    }
    class_tally_add(&tally->classes, classes, collect->selective ? &collect->choice : NULL,
                    outcome->explained == CHAIN_DONE ? outcome->explanation->text : NULL);
}

static bool take_chain(void *context, store_txn_t *txn, const outcome_t *outcome,
                       error_info_t *error) {
    (void)txn;
    (void)error;
    collect_t *collect = context;
    tally_group_t *group = collect->list->groups;
    while (group->set != outcome->chain.set || group->explainer != outcome->chain.explainer)
        group++;
    tally_t *tally = &group->formats[outcome->chain.format];
    size_t neuron = outcome->chain.neuron;
    group->truth = group->truth || outcome->record->source == NEURON_SOURCE_PUZZLE;
    count(&tally->explain, outcome->explained, 0);
    if (outcome->explained == CHAIN_DONE)
        tally_explanation(tally, neuron, outcome->explanation);
    for (size_t i = 0; i < collect->list->measured.count; i++) {
        chain_measured_t measured =
            chain_look_measured(outcome->look, collect->list->measured.rows[i]->number);
        tally_measured(&tally->measured[i], neuron, &measured);
    }
    if (outcome->scored == CHAIN_DONE || outcome->compared == CHAIN_DONE)
        add_point(&tally->points, &(point_t){.layer = outcome->record->layer,
                                             .score = outcome->score.score.correlation,
                                             .adacs = outcome->adacs});
    tally_class(collect, tally, outcome);
    return true;
}

bool tally_collect(store_t *store, const sweep_t *sweep, uint32_t run, tally_list_t *list,
                   error_info_t *error) {
    const settings_t *settings = sweep_settings(sweep);
    *list = (tally_list_t){.measured = stages_measured(sweep_stages(sweep))};
    for (size_t s = 0; s < settings->set_count; s++)
        for (size_t e = 0; e < settings->sets[s].explainer_count; e++) {
            list->groups = memory_resize(list->groups, list->count + 1, sizeof *list->groups);
            list->groups[list->count++] = (tally_group_t){
                .set = (uint32_t)s, .explainer = (uint32_t)settings->sets[s].explainers[e]};
        }
    collect_t collect = {.sweep = sweep, .list = list};
    if (load_classes(settings, &list->classes, error) &&
        outcomes_walk(store, sweep, &(outcomes_t){.run = run, .depth = LOOK_ALL}, take_chain,
                      &collect, error))
        return true;
    tally_clear(list);
    return false;
}

static void clear_sample(sample_t *sample) {
    free(sample->values);
    free(sample->neurons);
}

void tally_clear(tally_list_t *list) {
    for (size_t i = 0; i < list->count; i++)
        for (int f = 0; f < PROMPT_FORMAT_COUNT; f++) {
            tally_t *tally = &list->groups[i].formats[f];
            clear_sample(&tally->prompt_tokens);
            clear_sample(&tally->total_tokens);
            for (size_t m = 0; m < list->measured.count; m++)
                for (size_t s = 0; s < STAGE_MEASURES; s++)
                    clear_sample(&tally->measured[m].samples[s]);
            free(tally->points.points);
            class_tally_clear(&tally->classes);
        }
    classes_free(list->classes);
    free(list->groups);
    *list = (tally_list_t){0};
}

static void add_progress(progress_t *sum, const progress_t *part) {
    sum->wanted += part->wanted;
    sum->done += part->done;
    sum->undefined += part->undefined;
    sum->failed += part->failed;
    sum->missing += part->missing;
}

void tally_progress(const tally_list_t *list, progress_t *explain,
                    progress_t measured[STAGES_MEASURED]) {
    *explain = (progress_t){0};
    for (size_t m = 0; m < STAGES_MEASURED; m++)
        measured[m] = (progress_t){0};
    for (size_t i = 0; i < list->count; i++)
        for (int f = 0; f < PROMPT_FORMAT_COUNT; f++) {
            const tally_t *tally = &list->groups[i].formats[f];
            add_progress(explain, &tally->explain);
            for (size_t m = 0; m < list->measured.count; m++)
                add_progress(&measured[m], &tally->measured[m].progress);
        }
}

const sample_t *tally_sample(const tally_list_t *list, const tally_t *tally, job_stage_t stage) {
    static const sample_t none;
    size_t row = stages_measured_index(&list->measured, stage);
    return row < list->measured.count ? &tally->measured[row].samples[0] : &none;
}
