/* draw.c - populations, and choosing from them. */
#include "actors/sweep/draw.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "actors/sweep/neuron_names.h"
#include "core/base/hash.h"
#include "core/base/memory.h"
#include "core/base/rng.h"

/* --- choosing --------------------------------------------------------------------------------- */

static int compare_places(const void *a, const void *b) {
    const drawn_t *x = a, *y = b;
    if (x->layer != y->layer)
        return x->layer < y->layer ? -1 : 1;
    return (x->index > y->index) - (x->index < y->index);
}

/* Best first; of equal scores the first place. */
static int compare_scores(const void *a, const void *b) {
    const drawn_t *x = a, *y = b;
    if (x->score != y->score)
        return x->score > y->score ? -1 : 1;
    return compare_places(a, b);
}

static void sort(drawn_t *neurons, size_t count, int (*compare)(const void *, const void *)) {
    if (count > 1)
        qsort(neurons, count, sizeof *neurons, compare);
}

/* Moves `wanted` of `count` neurons (in order of place) to the front, by chance, and sorts them. */
static size_t choose_by_chance(drawn_t *neurons, size_t count, size_t wanted, int64_t seed,
                               int32_t layer) {
    hash_builder_t *builder = hash_builder_create("draw");
    hash_builder_add_integer(builder, seed);
    hash_builder_add_integer(builder, layer);
    rng_t rng = rng_create(hash_low64(hash_builder_finish(builder)));
    wanted = wanted < count ? wanted : count;
    for (size_t i = 0; i < wanted; i++) {
        size_t j = i + rng_below(&rng, count - i);
        drawn_t moved = neurons[i];
        neurons[i] = neurons[j];
        neurons[j] = moved;
    }
    sort(neurons, wanted, compare_places);
    return wanted;
}

static size_t choose_of(const set_settings_t *set, int64_t seed, drawn_t *neurons, size_t count,
                        size_t wanted, int32_t layer) {
    if (set->select == SELECT_RANDOM || set->select == SELECT_RANDOM_INTERPRETABLE)
        return choose_by_chance(neurons, count, wanted, seed, layer);
    sort(neurons, count, compare_scores);
    return wanted < count ? wanted : count;
}

static bool is_candidate(const set_settings_t *set, const drawn_t *neuron) {
    if (set->select == SELECT_RANDOM)
        return true;
    return !isnan(neuron->score) &&
           (set->select != SELECT_RANDOM_INTERPRETABLE || neuron->score >= set->threshold);
}

void draw_choose(const set_settings_t *set, int64_t seed, const draw_t *population, draw_t *drawn) {
    drawn_t *pool = MEMORY_NEW_ARRAY(population->count + 1, drawn_t);
    size_t count = 0, chosen = 0;
    for (size_t i = 0; i < population->count; i++)
        if (is_candidate(set, &population->neurons[i]))
            pool[count++] = population->neurons[i];
    sort(pool, count, compare_places);
    bool by_layer =
        set->select == SELECT_TOP_PER_LAYER || (set->select != SELECT_TOP && set->count == 0);
    if (!by_layer)
        chosen = choose_of(set, seed, pool, count, (size_t)set->count, -1);
    for (size_t first = 0; by_layer && first < count;) {
        size_t past = first;
        int32_t layer = pool[first].layer;
        while (past < count && pool[past].layer == layer)
            past++;
        size_t taken =
            choose_of(set, seed, pool + first, past - first, (size_t)set->per_layer, layer);
        memmove(pool + chosen, pool + first, taken * sizeof *pool);
        chosen += taken;
        first = past;
    }
    *drawn = (draw_t){chosen, pool};
}

/* --- populations ------------------------------------------------------------------------------ */

static void add(draw_t *list, const drawn_t *neuron) {
    if ((list->count & (list->count - 1)) == 0)
        list->neurons =
            memory_resize(list->neurons, list->count ? 2 * list->count : 1, sizeof *list->neurons);
    list->neurons[list->count++] = *neuron;
}

static bool take_baseline(void *context, int32_t layer, int32_t index, const char *explanation,
                          double score) {
    (void)explanation;
    add(context, &(drawn_t){.layer = layer, .index = index, .score = score});
    return true;
}

/* The neurons of a set, in order of place. `scores`: with those of the records' own baselines,
 * which takes reading them. */
static bool members_of(store_txn_t *txn, const record_set_t *source, bool scores, draw_t *list,
                       error_info_t *error) {
    bool good = true;
    for (uint32_t i = 0; good && i < source->count; i++) {
        drawn_t neuron = {.score = NAN};
        neuron_name_t name;
        char *id = NULL;
        good = records_set_member(txn, source->content, i, &neuron.record, &id);
        neuron_record_t *record = NULL;
        if (good && scores) {
            record = records_get(txn, neuron.record, error);
            good = record != NULL;
        }
        if (good && neuron_name_parse(id, strlen(id), &name)) {
            neuron.layer = name.layer;
            neuron.index = name.index;
            if (record && record->explanation)
                neuron.score = record->baseline_score;
            add(list, &neuron);
        }
        neuron_record_free(record);
        free(id);
    }
    sort(list->neurons, list->count, compare_places);
    return good;
}

static bool read_list(const char *path, draw_t *drawn, error_info_t *error) {
    char *text = memory_format("@%s", path);
    neuron_name_list_t names;
    bool good = neuron_names_parse(text, &names, error);
    for (size_t i = 0; good && i < names.count; i++)
        add(drawn,
            &(drawn_t){.layer = names.names[i].layer, .index = names.names[i].index, .score = NAN});
    if (good)
        free(names.names);
    free(text);
    return good;
}

/* --- what is missing -------------------------------------------------------------------------- */

/* "1:5, 1:7, 2:0, ...": the first of those without a record, and layers that have none at all. */
static bool refuse_missing(const set_settings_t *set, const draw_t *drawn, size_t missing,
                           error_info_t *error) {
    enum { NAMED = 5 };
    buffer_t names = BUFFER_EMPTY;
    size_t named = 0;
    for (size_t i = 0; i < drawn->count && named < NAMED; i++)
        if (hash_is_zero(drawn->neurons[i].record))
            buffer_append_format(&names, "%s%d:%d", named++ ? ", " : "", drawn->neurons[i].layer,
                                 drawn->neurons[i].index);
    const char *more = missing > named ? ", ..." : "";
    if (set->recorded)
        error_set(error, ERROR_CONFIG,
                  "sets.%s: %zu of %zu neurons are not among those recorded (%s%s); name them in "
                  "record.neurons and, if it is there, sets.%s.neurons",
                  set->name, missing, drawn->count, buffer_text(&names), more, set->name);
    else
        error_set(error, ERROR_CONFIG,
                  "sets.%s: %zu of %zu neurons have no record in %s (%s%s); list them with `glia "
                  "export set %s --draw` and fetch them with `glia import neurons`",
                  set->name, missing, drawn->count, set->source, buffer_text(&names), more,
                  set->name);
    buffer_free(&names);
    return false;
}

/* Gives each drawn neuron its record. */
static bool find_records(const set_settings_t *set, const draw_t *members, draw_t *drawn,
                         error_info_t *error) {
    size_t missing = 0;
    for (size_t i = 0; i < drawn->count; i++) {
        const drawn_t *found = members->count
                                   ? bsearch(&drawn->neurons[i], members->neurons, members->count,
                                             sizeof *members->neurons, compare_places)
                                   : NULL;
        if (found)
            drawn->neurons[i].record = found->record;
        else
            missing++;
    }
    return missing == 0 || refuse_missing(set, drawn, missing, error);
}

/* --- all of it -------------------------------------------------------------------------------- */

static bool population_of(store_txn_t *txn, const set_settings_t *set, const draw_t *members,
                          bool records, draw_t *population, error_info_t *error) {
    bool collection = set->baseline && (set->select != SELECT_RANDOM || !records);
    if (collection) {
        baseline_all(txn, set->baseline, take_baseline, population);
        return population->count > 0 || error_set(error, ERROR_CONFIG,
                                                  "sets.%s.baseline: the store has no explanations "
                                                  "\"%s\"; see `glia import --help`",
                                                  set->name, set->baseline);
    }
    for (size_t i = 0; i < members->count; i++)
        add(population, &members->neurons[i]);
    return members->count > 0 ||
           error_set(error, ERROR_CONFIG,
                     "sets.%s: there are neither records in %s nor a baseline to draw from",
                     set->name, set->source);
}

/* Draws, and gives each neuron its record if `find`. */
static bool draw(store_txn_t *txn, const set_settings_t *set, int64_t seed,
                 const record_set_t *source, bool find, draw_t *drawn, error_info_t *error) {
    draw_t members = {0}, population = {0};
    *drawn = (draw_t){0};
    bool scores = !set->baseline && set->select != SELECT_RANDOM && set->select != SELECT_LIST;
    bool good = !source || members_of(txn, source, scores, &members, error);
    if (good && set->select == SELECT_LIST) {
        good = read_list(set->list, drawn, error) || error_prefix(error, "sets.%s.list", set->name);
    } else if (good) {
        good = population_of(txn, set, &members, source != NULL, &population, error);
        if (good)
            draw_choose(set, seed, &population, drawn);
    }
    if (good && drawn->count == 0)
        good = error_set(error, ERROR_CONFIG, "sets.%s: no neuron is %s", set->name,
                         set->select == SELECT_RANDOM_INTERPRETABLE
                             ? "scored at or above the threshold"
                             : "scored; import baselines with scores");
    if (good && find)
        good = find_records(set, &members, drawn, error);
    free(members.neurons);
    free(population.neurons);
    if (!good) {
        free(drawn->neurons);
        *drawn = (draw_t){0};
    }
    return good;
}

bool draw_list(store_txn_t *txn, const set_settings_t *set, int64_t seed,
               const record_set_t *source, draw_t *drawn, error_info_t *error) {
    return draw(txn, set, seed, source, false, drawn, error);
}

bool draw_set(store_txn_t *txn, const set_settings_t *set, int64_t seed, const record_set_t *source,
              draw_t *drawn, error_info_t *error) {
    return draw(txn, set, seed, source, true, drawn, error);
}

/* What is drawn from some of the recorded neurons only; takes `text`. */
static char *of_neurons(const set_settings_t *set, char *text) {
    enum { MOST_NAMED = 3 };
    buffer_t out = BUFFER_EMPTY;
    if (set->select != SELECT_ALL)
        buffer_append_format(&out, "%s, of ", text);
    for (size_t i = 0; i < set->neuron_count && i < MOST_NAMED; i++)
        buffer_append_format(&out, "%s%s", i ? ", " : "", set->neurons[i]);
    if (set->neuron_count > MOST_NAMED)
        buffer_append_format(&out, " and %zu more", set->neuron_count - MOST_NAMED);
    free(text);
    return buffer_take(&out);
}

char *draw_describe(const set_settings_t *set) {
    long long count = set->count, per_layer = set->per_layer;
    char *amount =
        count ? memory_format("%lld in all", count) : memory_format("%lld a layer", per_layer);
    char *text = NULL;
    switch (set->select) {
    case SELECT_ALL: text = memory_copy_string("all"); break;
    case SELECT_RANDOM: text = memory_format("random, %s", amount); break;
    case SELECT_RANDOM_INTERPRETABLE:
        text = memory_format("random of score >= %g, %s", set->threshold, amount);
        break;
    case SELECT_TOP: text = memory_format("top %lld", count); break;
    case SELECT_TOP_PER_LAYER: text = memory_format("top %lld a layer", per_layer); break;
    case SELECT_LIST: text = memory_copy_string("listed"); break;
    }
    free(amount);
    return set->neuron_count > 0 ? of_neurons(set, text) : text;
}

bool draw_name(const set_settings_t *set, const char *run, int64_t seed, hash_t recording,
               char **name, error_info_t *error) {
    draw_t list = {0};
    *name = NULL;
    if (set->select == SELECT_LIST && !read_list(set->list, &list, error))
        return error_prefix(error, "sets.%s.list", set->name);
    hash_builder_t *builder = hash_builder_create("drawn set");
    hash_builder_add_text(builder, run);
    hash_builder_add_text(builder, set->name);
    hash_builder_add_integer(builder, seed);
    hash_builder_add_text(builder, set->source);
    hash_builder_add_text(builder, set->baseline);
    hash_builder_add_integer(builder, (int64_t)set->select);
    hash_builder_add_integer(builder, set->count);
    hash_builder_add_integer(builder, set->per_layer);
    hash_builder_add_number(builder, set->threshold);
    for (size_t i = 0; i < list.count; i++) {
        hash_builder_add_integer(builder, list.neurons[i].layer);
        hash_builder_add_integer(builder, list.neurons[i].index);
    }
    if (set->recorded) {
        hash_builder_add_hash(builder, recording);
        for (size_t i = 0; i < set->neuron_count; i++)
            hash_builder_add_text(builder, set->neurons[i]);
    }
    char hash[HASH_TEXT_SIZE];
    hash_to_text(hash_builder_finish(builder), hash);
    /* A name that no import can take: users' sets never end in a slash. */
    *name = memory_format("draw/%s/", hash);
    free(list.neurons);
    return true;
}
