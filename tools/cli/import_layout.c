/* import_layout.c - neuron records over HTTP, from
 * <base>/collated-activations/{layer}/{neuron}.json. */
#include <stdlib.h>
#include <string.h>

#include "core/base/memory.h"
#include "tools/cli/import_set.h"

enum {
    /* neurons of a layer that are asked for at once, where nobody says how many it has */
    PROBE = 64,
    PROBE_TAIL = 8, /* so many absent ones at the end of them are the end of the layer */
};

/* What is fetched together: at most IMPORT_BATCH neurons. */
typedef struct {
    const char *base;
    size_t count;
    neuron_name_t names[IMPORT_BATCH];
    char *urls[IMPORT_BATCH];
    neuron_record_t *neurons[IMPORT_BATCH]; /* NULL: not there */
} wave_t;

static bool take_neuron(void *context, size_t index, bool found, const buffer_t *body,
                        error_info_t *error) {
    wave_t *wave = context;
    neuron_list_t list;
    if (!found)
        return true;
    if (!neuron_json_parse(buffer_text(body), body->length, wave->urls[index], &list, error))
        return false;
    wave->neurons[index] = import_single(&list, wave->names[index], wave->urls[index], error);
    return wave->neurons[index] != NULL;
}

static void wave_clear(wave_t *wave) {
    for (size_t i = 0; i < wave->count; i++) {
        free(wave->urls[i]);
        neuron_record_free(wave->neurons[i]);
        wave->urls[i] = NULL;
        wave->neurons[i] = NULL;
    }
    wave->count = 0;
}

/* Fetches the wave and commits what is there, in the order of the wave. `there` [count]
 * says what that is. */
static bool wave_carry_out(import_t *import, wave_t *wave, bool *there, error_info_t *error) {
    for (size_t i = 0; i < wave->count; i++)
        wave->urls[i] = import_url(wave->base, "collated-activations", wave->names[i], ".json");
    if (!import->fetcher && !(import->fetcher = fetcher_create(error)))
        return false;
    bool good = fetcher_get(import->fetcher, (const char *const *)wave->urls, wave->count,
                            take_neuron, wave, error);
    /* What arrived before a failure is kept all the same: it need not be fetched again. */
    error_info_t ignored;
    for (size_t i = 0; i < wave->count; i++) {
        neuron_record_t *neuron = wave->neurons[i];
        wave->neurons[i] = NULL;
        there[i] = neuron != NULL;
        if (neuron && !import_add_neuron(import, neuron, good ? error : &ignored))
            return false;
    }
    if (!import_commit(import, good ? error : &ignored))
        return false;
    import_show_progress("imported so far: %llu", (unsigned long long)import->imported);
    return good;
}

static bool fetch_names(import_t *import, const char *base, error_info_t *error) {
    wave_t *wave = MEMORY_NEW(wave_t);
    wave->base = base;
    bool good = true, there[IMPORT_BATCH];
    size_t places[IMPORT_BATCH];
    for (size_t i = 0; good && i < import->names.count; i++) {
        if (import_is_known(import, import->names.names[i])) {
            import->found[i] = true;
            import->skipped++;
        } else {
            places[wave->count] = i;
            wave->names[wave->count++] = import->names.names[i];
        }
        if (wave->count == 0 || (wave->count < IMPORT_BATCH && i + 1 < import->names.count))
            continue;
        good = wave_carry_out(import, wave, there, error);
        for (size_t w = 0; good && w < wave->count; w++)
            import->found[places[w]] = import->found[places[w]] || there[w];
        wave_clear(wave);
    }
    wave_clear(wave);
    free(wave);
    return good;
}

/* Asks for neurons of a layer until there are none: nobody says how many it has. */
static bool fetch_layer(import_t *import, const char *base, int32_t layer, error_info_t *error) {
    wave_t *wave = MEMORY_NEW(wave_t);
    wave->base = base;
    bool good = true, any = false, end = false;
    int32_t gap = 0; /* absent ones behind the last that is there */
    for (int32_t first = 0; good && !end; first += PROBE) {
        bool there[PROBE] = {false}, asked[PROBE] = {false}, answers[IMPORT_BATCH];
        for (int32_t i = 0; i < PROBE; i++) {
            neuron_name_t name = {.layer = layer, .index = first + i};
            there[i] = import_is_known(import, name);
            asked[i] = !there[i];
            if (asked[i])
                wave->names[wave->count++] = name;
            else
                import->skipped++;
        }
        good = wave->count == 0 || wave_carry_out(import, wave, answers, error);
        for (int32_t i = 0, next = 0; good && i < PROBE; i++) {
            if (asked[i])
                there[i] = answers[next++];
            /* A hole in a layer is named; the end of it is not. */
            for (int32_t hole = there[i] && any ? gap : 0; hole > 0; hole--)
                import_note_missing(&import->missing, "neuron %d:%d", layer, first + i - hole);
            any = any || there[i];
            gap = there[i] ? 0 : gap + 1;
        }
        end = gap >= PROBE_TAIL;
        wave_clear(wave);
    }
    if (good && !any)
        import_note_missing(&import->missing, "layer %d", layer);
    wave_clear(wave);
    free(wave);
    return good;
}

bool import_base(import_t *import, const char *base, error_info_t *error) {
    if (!import_check_base(base, error))
        return false;
    if (import->names.count > 0)
        return fetch_names(import, base, error);
    if (import->layers.count == 0)
        return error_set(
            error, ERROR_USAGE,
            "say what to fetch from %s: --neurons L:N,... or @list.csv, or --layers 0-3", base);
    bool good = true;
    for (size_t i = 0; good && i < import->layers.count; i++)
        good = fetch_layer(import, base, import->layers.layers[i], error);
    return good;
}
