/* scenario_compare.c - the results of a rehearsal against those of undisturbed ones. */
#include <stdlib.h>
#include <string.h>

#include "core/base/hash.h"
#include "core/base/memory.h"
#include "test/rehearsal/scenario_private.h"

/* Results as the set of their lines' hashes. */
typedef struct {
    size_t count;
    uint64_t *lines; /* [count], rising */
} result_set_t;

typedef struct {
    uint64_t shape;
    unsigned explain, simulate;
    result_set_t results;
} fine_rehearsal_t;

struct scenario_cache {
    size_t count;
    fine_rehearsal_t *rehearsals; /* [count] */
};

scenario_cache_t *scenario_cache_create(void) {
    return MEMORY_NEW(scenario_cache_t);
}

void scenario_cache_free(scenario_cache_t *cache) {
    for (size_t i = 0; i < cache->count; i++)
        free(cache->rehearsals[i].results.lines);
    free(cache->rehearsals);
    free(cache);
}

static int order(const void *a, const void *b) {
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* But for probes: those depend on the endpoints. */
static result_set_t results_of(rehearsal_t *rehearsal) {
    buffer_t text = BUFFER_EMPTY;
    rehearsal_results(rehearsal, &text);
    size_t room = 1;
    for (const char *at = buffer_text(&text); (at = strchr(at, '\n')); at++)
        room++;
    result_set_t set = {0, MEMORY_NEW_ARRAY(room, uint64_t)};
    for (const char *line = buffer_text(&text), *end; (end = strchr(line, '\n')); line = end + 1)
        if (strncmp(line, "probe ", 6) != 0)
            set.lines[set.count++] = hash_low64(hash_bytes(line, (size_t)(end - line)));
    qsort(set.lines, set.count, sizeof *set.lines, order);
    buffer_free(&text);
    return set;
}

static bool contains(const result_set_t *set, uint64_t line) {
    return bsearch(&line, set->lines, set->count, sizeof line, order) != NULL;
}

/* What the sweep gives on a fine day. */
static result_set_t fine_results(const sweep_shape_t *shape, unsigned explain, unsigned simulate,
                                 rehearsal_t *told, scenario_cache_t *cache) {
    for (size_t i = 0; i < cache->count; i++) {
        const fine_rehearsal_t *fine = &cache->rehearsals[i];
        if (fine->shape == shape->number && fine->explain == explain && fine->simulate == simulate)
            return fine->results;
    }
    rehearsal_t *rehearsal = rehearsal_create(&(rehearsal_options_t){
        .seed = shape->number ^ 0xF1DE, .config = shape->config, .slowest_commit = 5000});
    rehearsal_add_provider(rehearsal, "a", 0, 0);
    scenario_use_material(shape, rehearsal, explain, simulate);
    rehearsal_finish(rehearsal, 1);
    rehearsal_check_end(rehearsal);
    if (*rehearsal_problems(rehearsal))
        rehearsal_complain(told, "undisturbed: %s", rehearsal_problems(rehearsal));
    cache->rehearsals =
        memory_resize(cache->rehearsals, cache->count + 1, sizeof *cache->rehearsals);
    fine_rehearsal_t *fine = &cache->rehearsals[cache->count++];
    *fine = (fine_rehearsal_t){.shape = shape->number,
                               .explain = explain,
                               .simulate = simulate,
                               .results = results_of(rehearsal)};
    rehearsal_free(rehearsal);
    return fine->results;
}

void scenario_compare(const scenario_t *s, rehearsal_t *rehearsal, scenario_cache_t *cache) {
    result_set_t results = results_of(rehearsal);
    size_t strange = results.count, missing = 0;
    for (size_t i = 0; i < results.count; i++) {
        bool known = false;
        for (unsigned e = 0; e < EDITIONS && !known; e++)
            for (unsigned m = 0; m < EDITIONS && !known; m++) {
                result_set_t fine = {0};
                if (s->used[e][m])
                    fine = fine_results(&s->shape, e, m, rehearsal, cache);
                known = s->used[e][m] && contains(&fine, results.lines[i]);
            }
        strange -= known;
    }
    result_set_t last = fine_results(&s->shape, s->explain, s->simulate, rehearsal, cache);
    for (size_t i = 0; i < last.count; i++)
        missing += !contains(&results, last.lines[i]);
    if (strange > 0)
        rehearsal_complain(rehearsal, "%zu of %zu results are none of an undisturbed rehearsal's",
                           strange, results.count);
    if (missing > 0)
        rehearsal_complain(rehearsal,
                           "%zu of the %zu results of an undisturbed rehearsal are missing",
                           missing, last.count);
    free(results.lines);
}
