/* import_explanations.c - baseline explanations from CSV, JSONL and the public HTTP layout into a
 * collection of the store. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "core/base/csv.h"
#include "core/base/json.h"
#include "core/base/memory.h"
#include "core/base/numbers.h"
#include "core/base/text.h"
#include "store/records.h"
#include "tools/cli/import.h"
#include "tools/cli/import_run.h"

enum { MAX_EXPLANATION = 64 * 1024 };

typedef struct {
    neuron_name_t name;
    char *text;   /* owned */
    double score; /* NaN: none */
} baseline_t;

typedef struct {
    store_t *store;
    const char *as;
    bool refresh;
    size_t count;
    baseline_t batch[IMPORT_BATCH];
    uint64_t imported, replaced, skipped, empty;
    uint64_t replaced_now; /* by the transaction under way */
    import_missing_t missing;
} import_t;

/* --- into the store --------------------------------------------------------------------------- */

static bool apply_batch(store_txn_t *txn, void *context, error_info_t *error) {
    import_t *import = context;
    import->replaced_now = 0;
    for (size_t i = 0; i < import->count; i++) {
        const baseline_t *baseline = &import->batch[i];
        char *old = NULL;
        double score;
        import->replaced_now +=
            baseline_get(txn, import->as, baseline->name.layer, baseline->name.index, &old, &score);
        free(old);
        if (!baseline_put(txn, import->as, baseline->name.layer, baseline->name.index,
                          baseline->text, baseline->score, error))
            return false;
    }
    return true;
}

static void clear_batch(import_t *import) {
    for (size_t i = 0; i < import->count; i++)
        free(import->batch[i].text);
    import->count = 0;
}

static bool commit_batch(import_t *import, error_info_t *error) {
    if (import->count == 0)
        return true;
    if (!store_write(import->store, apply_batch, import, error))
        return false;
    import->imported += import->count;
    import->replaced += import->replaced_now;
    clear_batch(import);
    return true;
}

static bool is_space(char c) {
    return c == ' ' || (c >= '\t' && c <= '\r');
}

/* White space around an explanation is left out, as it is of those that models return. An empty
 * one is counted. */
static bool add(import_t *import, neuron_name_t name, const char *text, double score,
                error_info_t *error) {
    size_t length = strlen(text);
    while (length > 0 && is_space(text[length - 1]))
        length--;
    while (length > 0 && is_space(*text)) {
        text++;
        length--;
    }
    if (length == 0) {
        import->empty++;
        return true;
    }
    if (length > MAX_EXPLANATION)
        return error_set(error, ERROR_CONFIG, "the explanation of %d:%d has more than %d bytes",
                         name.layer, name.index, MAX_EXPLANATION);
    if (import->count == IMPORT_BATCH && !commit_batch(import, error))
        return false;
    import->batch[import->count++] = (baseline_t){name, memory_copy(text, length), score};
    return true;
}

/* --- CSV -------------------------------------------------------------------------------------- */

enum { COLUMN_LAYER, COLUMN_NEURON, COLUMN_SCORE, COLUMN_EXPLANATION, COLUMNS };
static const char *const column_names[COLUMNS] = {"layer", "neuron", "score", "explanation"};

/* Where each column stands; SIZE_MAX: it is not there. */
static bool read_header(const char *path, size_t count, const char *const *fields,
                        size_t places[COLUMNS], error_info_t *error) {
    for (size_t c = 0; c < COLUMNS; c++) {
        places[c] = SIZE_MAX;
        for (size_t i = 0; i < count; i++)
            if (!strcasecmp(fields[i], column_names[c]))
                places[c] = i;
        if (places[c] == SIZE_MAX && c != COLUMN_SCORE)
            return error_set(error, ERROR_CONFIG,
                             "%s:1: the header has no column \"%s\"; it names layer, neuron, "
                             "explanation and, if there is one, score",
                             path, column_names[c]);
    }
    return true;
}

static bool read_score(const char *text, double *score) {
    *score = NAN;
    return !*text || !strcasecmp(text, "nan") || number_parse(text, score);
}

static bool read_row(import_t *import, const char *const *fields, const size_t places[COLUMNS],
                     error_info_t *error) {
    const char *layer = fields[places[COLUMN_LAYER]], *neuron = fields[places[COLUMN_NEURON]];
    const char *text = fields[places[COLUMN_EXPLANATION]];
    uint64_t numbers[2];
    double score = NAN;
    if (!*layer && !*neuron) { /* a puzzle's line of `glia export` */
        import->empty++;
        return true;
    }
    if (!number_parse_whole(layer, strlen(layer), INT32_MAX, &numbers[0]) ||
        !number_parse_whole(neuron, strlen(neuron), INT32_MAX, &numbers[1]))
        return error_set(error, ERROR_CONFIG,
                         "layer and neuron must be whole numbers, not \"%.20s\" and \"%.20s\"",
                         layer, neuron);
    if (places[COLUMN_SCORE] != SIZE_MAX && !read_score(fields[places[COLUMN_SCORE]], &score))
        return error_set(error, ERROR_CONFIG,
                         "score \"%.20s\" is no number; leave it empty if there is none",
                         fields[places[COLUMN_SCORE]]);
    return add(import, (neuron_name_t){.layer = (int32_t)numbers[0], .index = (int32_t)numbers[1]},
               text, score, error);
}

static bool read_csv(import_t *import, csv_t *csv, const char *path, error_info_t *error) {
    size_t count, width, places[COLUMNS];
    const char *const *fields;
    csv_result_t result = csv_next(csv, &width, &fields, error);
    if (result == CSV_END)
        return error_set(error, ERROR_CONFIG, "%s: it is empty", path);
    if (result == CSV_ERROR || !read_header(path, width, fields, places, error))
        return false;
    while ((result = csv_next(csv, &count, &fields, error)) == CSV_RECORD) {
        if (count != width)
            return error_set(error, ERROR_CONFIG, "%s:%zu: %zu fields, but the header has %zu",
                             path, csv_line(csv), count, width);
        if (!read_row(import, fields, places, error))
            return error_prefix(error, "%s:%zu", path, csv_line(csv));
    }
    return result == CSV_END;
}

/* --- JSONL ------------------------------------------------------------------------------------ */

static bool read_index(const json_value_t *value, int32_t *index) {
    int64_t integer;
    if (!json_as_integer(value, &integer) || integer < 0 || integer > INT32_MAX)
        return false;
    *index = (int32_t)integer;
    return true;
}

/* Either {layer, neuron, explanation, score} or the public form {neuron_id: {layer_index,
 * neuron_index}, scored_explanations: [{explanation, scored_simulation: {ev_correlation_score}}]},
 * whose first is the one that counts. `expected` not NULL: the neuron that it has to be about. */
static bool read_object(import_t *import, const json_value_t *line, const neuron_name_t *expected,
                        error_info_t *error) {
    const json_value_t *scored = json_get(line, "scored_explanations");
    const json_value_t *id = json_get(line, "neuron_id");
    const json_value_t *first = json_at(scored, 0);
    neuron_name_t name;
    if (!read_index(scored ? json_get(id, "layer_index") : json_get(line, "layer"), &name.layer) ||
        !read_index(scored ? json_get(id, "neuron_index") : json_get(line, "neuron"), &name.index))
        return error_set(error, ERROR_CONFIG, "%s must be whole numbers",
                         scored ? "neuron_id.layer_index and neuron_id.neuron_index"
                                : "layer and neuron");
    if (expected && (expected->layer != name.layer || expected->index != name.index))
        return error_set(error, ERROR_CONFIG, "it is about neuron %d:%d, not %d:%d", name.layer,
                         name.index, expected->layer, expected->index);
    const json_value_t *text = json_get(scored ? first : line, "explanation");
    const json_value_t *score = scored ? json_path(first, "scored_simulation.ev_correlation_score")
                                       : json_get(line, "score");
    double value = NAN;
    size_t length = 0;
    const char *explanation = json_as_string(text, &length);
    if (json_is(text, JSON_KIND_NULL))
        explanation = "";
    else if (!explanation || strlen(explanation) != length)
        return error_set(error, ERROR_CONFIG, "explanation must be a text");
    if (!json_is(score, JSON_KIND_NULL) && !json_as_number(score, &value))
        return error_set(error, ERROR_CONFIG, "score must be a number or null");
    return add(import, name, explanation, isfinite(value) ? value : NAN, error);
}

static bool read_jsonl(import_t *import, const char *text, size_t length, const char *path,
                       const neuron_name_t *expected, error_info_t *error) {
    size_t number = 0;
    for (const char *at = text, *end = text + length; at < end; number++) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        size_t size = newline ? (size_t)(newline - at) : (size_t)(end - at);
        bool blank = true;
        for (size_t i = 0; i < size && blank; i++)
            blank = is_space(at[i]);
        if (!blank) {
            json_value_t *line = json_parse(at, size, "line", JSON_ALLOW_NONFINITE, error);
            bool good = line && (json_is(line, JSON_KIND_OBJECT) ||
                                 error_set(error, ERROR_CONFIG, "a line is an object"));
            good = good && read_object(import, line, expected, error);
            json_free(line);
            if (!good)
                return error_prefix(error, "%s:%zu", path, number + 1);
        }
        at += size + (newline != NULL);
    }
    return true;
}

static bool import_file(import_t *import, const char *path, error_info_t *error) {
    buffer_t text = BUFFER_EMPTY;
    if (!buffer_read_file(&text, path, CSV_MAX_FILE, error))
        return false;
    const char *at = buffer_text(&text);
    bool good;
    if (at[strspn(at, " \t\r\n")] == '{') {
        good = read_jsonl(import, at, text.length, path, NULL, error);
    } else {
        csv_t *csv = csv_open(at, text.length, path);
        good = read_csv(import, csv, path, error);
        csv_close(csv);
    }
    buffer_free(&text);
    return good && commit_batch(import, error);
}

/* --- over HTTP -------------------------------------------------------------------------------- */

/* The neurons of --neurons, or of the set that --set names. */
static bool wanted_names(import_t *import, const option_list_t *options, neuron_name_list_t *list,
                         error_info_t *error) {
    const char *names = option_get(options, "neurons"), *set_name = option_get(options, "set");
    if (!names == !set_name)
        return error_set(error, ERROR_USAGE,
                         "say whose explanations to fetch: --set NAME (all of its neurons) or "
                         "--neurons L:N,...");
    if (names)
        return neuron_names_parse(names, list, error);
    store_txn_t *txn = store_read_begin(import->store, error);
    if (!txn)
        return false;
    record_set_t set;
    *list = (neuron_name_list_t){0};
    bool good = records_set_find(txn, set_name, &set) ||
                error_set(error, ERROR_CONFIG,
                          "the store has no set \"%s\"; import its neurons first", set_name);
    list->names = MEMORY_NEW_ARRAY((size_t)set.count + 1, neuron_name_t);
    for (uint32_t i = 0; good && i < set.count; i++) {
        hash_t neuron;
        char *id = NULL;
        if (records_set_member(txn, set.content, i, &neuron, &id) &&
            neuron_name_parse(id, strlen(id), &list->names[list->count]))
            list->count++;
        free(id);
    }
    records_set_clear(&set);
    store_read_end(txn);
    if (good && list->count == 0)
        good = error_set(error, ERROR_CONFIG, "set %s has no neuron of a subject model", set_name);
    if (!good)
        free(list->names);
    return good;
}

/* Leaves those that the collection has out of the list. */
static bool drop_known(import_t *import, neuron_name_list_t *list, error_info_t *error) {
    store_txn_t *txn = import->refresh ? NULL : store_read_begin(import->store, error);
    if (!txn)
        return import->refresh;
    size_t kept = 0;
    for (size_t i = 0; i < list->count; i++) {
        char *text = NULL;
        double score;
        bool known = baseline_get(txn, import->as, list->names[i].layer, list->names[i].index,
                                  &text, &score);
        free(text);
        import->skipped += known;
        if (!known)
            list->names[kept++] = list->names[i];
    }
    list->count = kept;
    store_read_end(txn);
    return true;
}

typedef struct {
    import_t *import;
    const neuron_name_t *names;
    char *const *urls;
    bool there[IMPORT_BATCH];
} wave_t;

static bool take_explanation(void *context, size_t index, bool found, const buffer_t *body,
                             error_info_t *error) {
    wave_t *wave = context;
    wave->there[index] = found;
    return !found || read_jsonl(wave->import, buffer_text(body), body->length, wave->urls[index],
                                &wave->names[index], error);
}

static bool fetch_wave(import_t *import, fetcher_t *fetcher, const char *base,
                       const neuron_name_t *names, size_t count, error_info_t *error) {
    char *urls[IMPORT_BATCH];
    for (size_t i = 0; i < count; i++)
        urls[i] = import_url(base, "explanations", names[i], ".jsonl");
    wave_t wave = {.import = import, .names = names, .urls = urls};
    bool good =
        fetcher_get(fetcher, (const char *const *)urls, count, take_explanation, &wave, error);
    for (size_t i = 0; i < count; i++) {
        if (good && !wave.there[i])
            import_note_missing(&import->missing, "%d:%d", names[i].layer, names[i].index);
        free(urls[i]);
    }
    /* What arrived before a failure is kept all the same. */
    error_info_t ignored;
    good = commit_batch(import, good ? error : &ignored) && good;
    import_show_progress("imported so far: %llu", (unsigned long long)import->imported);
    return good;
}

static bool import_base(import_t *import, const option_list_t *options, const char *base,
                        error_info_t *error) {
    neuron_name_list_t list;
    if (!import_check_base(base, error) || !wanted_names(import, options, &list, error))
        return false;
    fetcher_t *fetcher = fetcher_create(error);
    bool good = fetcher && drop_known(import, &list, error);
    for (size_t i = 0; good && i < list.count; i += IMPORT_BATCH)
        good = fetch_wave(import, fetcher, base, list.names + i,
                          list.count - i < IMPORT_BATCH ? list.count - i : IMPORT_BATCH, error);
    fetcher_free(fetcher);
    free(list.names);
    return good;
}

/* --- out of a run of the store ---------------------------------------------------------------- */

/* A write cannot wait for the walk's own transaction, so all of it is taken first. */
static bool import_explained(import_t *import, const char *run, error_info_t *error) {
    import_run_t list;
    bool good = import_run_collect(import->store, run, &list, error);
    for (size_t i = 0; good && i < list.count; i++)
        good = add(import, list.explained[i].name, list.explained[i].text, list.explained[i].score,
                   error);
    import_run_clear(&list);
    return good && commit_batch(import, error);
}

/* --- all of it -------------------------------------------------------------------------------- */

static bool write_result(const import_t *import, bool json, buffer_t *out, error_info_t *error) {
    store_txn_t *txn = store_read_begin(import->store, error);
    if (!txn)
        return false;
    unsigned long long count = baseline_count(txn, import->as), imported = import->imported;
    unsigned long long replaced = import->replaced, skipped = import->skipped,
                       empty = import->empty;
    store_read_end(txn);
    if (json) {
        buffer_append_text(out, "{\"as\":");
        json_write_text(out, import->as);
        buffer_append_format(out,
                             ",\"imported\":%llu,\"replaced\":%llu,\"skipped\":%llu,\"empty\":%llu,"
                             "\"count\":%llu}\n",
                             imported, replaced, skipped, empty, count);
        return true;
    }
    buffer_append_format(out, "explanations %s: %llu imported", import->as, imported);
    if (replaced)
        buffer_append_format(out, " (%llu of them in the place of earlier ones)", replaced);
    if (skipped)
        buffer_append_format(out, ", %llu skipped (the collection has them)", skipped);
    if (empty)
        buffer_append_format(out, ", %llu left out (no explanation or no neuron)", empty);
    buffer_append_format(out, "; it holds %llu\n", count);
    return true;
}

bool import_explanations(store_t *store, const option_list_t *options, buffer_t *out,
                         error_info_t *error) {
    import_t *import = MEMORY_NEW(import_t);
    import->store = store;
    import->refresh = option_given(options, "refresh");
    import->as = import_target(options, "as", error);
    bool good = import->as != NULL;
    for (size_t i = 1; good && i < options->argument_count; i++) {
        const char *argument = options->arguments[i];
        if (text_starts_with(argument, "run:"))
            good = import_explained(import, argument + strlen("run:"), error);
        else
            good = import_is_url(argument) ? import_base(import, options, argument, error)
                                           : import_file(import, argument, error);
    }
    good = good && write_result(import, option_given(options, "json"), out, error) &&
           import_check_missing(&import->missing, error);
    clear_batch(import);
    buffer_free(&import->missing.names);
    free(import);
    return good;
}
