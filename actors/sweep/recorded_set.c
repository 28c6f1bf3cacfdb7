/* recorded_set.c - the neurons that a set takes from a recording. */
#include "actors/sweep/recorded_set.h"

#include <stdio.h>
#include <stdlib.h>

#include "actors/sweep/selection.h"
#include "core/base/memory.h"
#include "store/recordings.h"

/* Of a recording's records, those that the set asks for. */
typedef struct {
    size_t count;
    char **ids;
    hash_t *neurons;
    bool *available; /* [layers * width] */
    size_t *places;  /* [count] in `available` */
} recorded_t;

static void recorded_clear(recorded_t *recorded) {
    for (size_t i = 0; i < recorded->count; i++)
        free(recorded->ids[i]);
    free(recorded->ids);
    free(recorded->neurons);
    free(recorded->available);
    free(recorded->places);
}

static bool load_recorded(store_txn_t *txn, const recording_t *recording, recorded_t *recorded,
                          error_info_t *error) {
    recorded->ids = MEMORY_NEW_ARRAY(recording->neurons, char *);
    recorded->neurons = MEMORY_NEW_ARRAY(recording->neurons, hash_t);
    recorded->places = MEMORY_NEW_ARRAY(recording->neurons, size_t);
    recorded->available = MEMORY_NEW_ARRAY((size_t)recording->layers * recording->width, bool);
    while (recorded->count < recording->neurons) {
        size_t i = recorded->count;
        unsigned layer, index;
        if (!records_set_member(txn, recording->set, (uint32_t)i, &recorded->neurons[i],
                                &recorded->ids[i]))
            return error_set(error, ERROR_FATAL,
                             "the store lacks records of its recording; see `glia fsck`");
        recorded->count++;
        if (sscanf(recorded->ids[i], "%u:%u", &layer, &index) != 2 || layer >= recording->layers ||
            index >= recording->width)
            return error_set(error, ERROR_FATAL,
                             "the store has a recorded neuron \"%s\"; see `glia fsck`",
                             recorded->ids[i]);
        recorded->places[i] = (size_t)layer * recording->width + index;
        recorded->available[recorded->places[i]] = true;
    }
    return true;
}

/* Leaves those that are chosen. */
static void keep_chosen(recorded_t *recorded, const bool *chosen) {
    size_t kept = 0;
    for (size_t i = 0; i < recorded->count; i++) {
        char *id = recorded->ids[i];
        if (!chosen[recorded->places[i]]) {
            free(id);
            continue;
        }
        recorded->neurons[kept] = recorded->neurons[i];
        recorded->ids[kept++] = id;
    }
    recorded->count = kept;
}

static bool choose_recorded(store_txn_t *txn, const settings_t *settings, const set_settings_t *set,
                            const recording_t *recording, record_set_t *content,
                            error_info_t *error) {
    recorded_t recorded = {0};
    bool *chosen = MEMORY_NEW_ARRAY((size_t)recording->layers * recording->width, bool);
    bool ok = load_recorded(txn, recording, &recorded, error);
    if (ok &&
        !selection_choose(set->neurons, set->neuron_count, recording->layers, recording->width,
                          recorded.available, (uint64_t)settings->seed, chosen, error))
        ok = error_prefix(error, "sets.%s.neurons", set->name);
    if (ok) {
        keep_chosen(&recorded, chosen);
        char *name = memory_format("run/record:%s/", set->name);
        ok = records_set_put_members(txn, name, set->source, recorded.neurons,
                                     (const char *const *)recorded.ids, recorded.count, content,
                                     error);
        free(name);
    }
    free(chosen);
    recorded_clear(&recorded);
    return ok;
}

bool recorded_set_fix(store_txn_t *txn, const settings_t *settings, const set_settings_t *set,
                      bool allow_unrecorded, record_set_t *content, error_info_t *error) {
    recording_t recording;
    if (!recording_find_done(txn, settings->subject.recording, &recording))
        return allow_unrecorded ||
               error_set(error, ERROR_CONFIG,
                         "sets.%s.source: nothing is recorded yet; `glia record` does it",
                         set->name);
    bool ok = true;
    if (set->neuron_count)
        ok = choose_recorded(txn, settings, set, &recording, content, error);
    else
        *content = (record_set_t){recording.set, recording.neurons, NULL};
    recording_clear(&recording);
    return ok;
}
