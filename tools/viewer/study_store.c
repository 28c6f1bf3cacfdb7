/* study_store.c - a study in a store of its own. */
#include "tools/viewer/study_store.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/csv.h"
#include "core/base/json.h"
#include "core/base/memory.h"
#include "core/base/pack.h"
#include "store/key.h"
#include "store/records.h"

enum {
    DEFINITION_VERSION = 1,
    DEFINITION_ITEMS = 8,
    ITEM_ITEMS = 6,
    ANSWER_VERSION = 1,
    ANSWER_ITEMS = 4,
    MOST_ITEMS = 100000,
    ANSWER_KEY_SIZE = 15,
};
static const char DEFINITION_KEY[] = "study";

struct study {
    store_t *store;
    study_definition_t definition;
};

/* --- the definition --------------------------------------------------------------------------- */

static void free_texts(char **texts, size_t count) {
    for (size_t i = 0; texts && i < count; i++)
        free(texts[i]);
    free(texts);
}

void study_definition_clear(study_definition_t *definition) {
    for (size_t i = 0; i < definition->item_count; i++) {
        study_item_t *item = &definition->items[i];
        free(item->set);
        free(item->id);
        free_texts(item->texts, definition->format_count);
    }
    free(definition->items);
    free_texts(definition->raters, definition->rater_count);
    free_texts(definition->formats, definition->format_count);
    *definition = (study_definition_t){0};
}

static void pack_texts(buffer_t *out, char *const *texts, size_t count) {
    pack_array(out, count);
    for (size_t i = 0; i < count; i++)
        pack_text(out, texts[i]);
}

static void pack_definition(const study_definition_t *definition, buffer_t *out) {
    pack_array(out, DEFINITION_ITEMS);
    pack_integer(out, DEFINITION_VERSION);
    pack_integer(out, (int64_t)definition->seed);
    pack_number(out, definition->overlap);
    pack_boolean(out, definition->merge);
    pack_texts(out, definition->raters, definition->rater_count);
    pack_texts(out, definition->formats, definition->format_count);
    pack_integer(out, (int64_t)definition->item_count);
    pack_array(out, definition->item_count);
    for (size_t i = 0; i < definition->item_count; i++) {
        const study_item_t *item = &definition->items[i];
        pack_array(out, ITEM_ITEMS);
        pack_text(out, item->set);
        pack_text(out, item->id);
        pack_integer(out, item->layer);
        pack_integer(out, item->index);
        pack_hash(out, item->neuron);
        pack_texts(out, item->texts, definition->format_count);
    }
}

static char **read_texts(pack_reader_t *reader, size_t most, size_t *count) {
    size_t found = pack_read_array(reader);
    char **texts = MEMORY_NEW_ARRAY(most + 1, char *);
    *count = found <= most ? found : 0;
    for (size_t i = 0; i < *count; i++)
        texts[i] = pack_read_text(reader);
    return texts;
}

static bool read_item(pack_reader_t *reader, size_t formats, study_item_t *item) {
    size_t texts;
    bool good = pack_read_array(reader) == ITEM_ITEMS;
    item->set = pack_read_text(reader);
    item->id = pack_read_text(reader);
    item->layer = (int32_t)pack_read_integer(reader);
    item->index = (int32_t)pack_read_integer(reader);
    item->neuron = pack_read_hash(reader);
    item->texts = read_texts(reader, formats, &texts);
    good = good && item->set && item->id && texts == formats;
    for (size_t i = 0; i < texts; i++)
        good = good && item->texts[i];
    return good && !pack_reader_failed(reader);
}

static bool read_definition(const void *bytes, size_t size, study_definition_t *definition) {
    pack_reader_t *reader = pack_reader_open(bytes, size);
    bool good = pack_read_array(reader) == DEFINITION_ITEMS &&
                pack_read_integer(reader) == DEFINITION_VERSION;
    definition->seed = (uint64_t)pack_read_integer(reader);
    definition->overlap = pack_read_number(reader);
    definition->merge = pack_read_boolean(reader);
    definition->raters = read_texts(reader, STUDY_MOST_RATERS, &definition->rater_count);
    definition->formats = read_texts(reader, STUDY_MOST_EXPLANATIONS, &definition->format_count);
    int64_t items = pack_read_integer(reader);
    good = good && items >= 0 && items <= MOST_ITEMS && pack_read_array(reader) == (size_t)items &&
           definition->rater_count > 0 && definition->format_count > 0;
    definition->items = MEMORY_NEW_ARRAY(good ? (size_t)items + 1 : 1, study_item_t);
    for (int64_t i = 0; good && i < items; i++)
        good = read_item(reader, definition->format_count,
                         &definition->items[definition->item_count++]);
    return pack_reader_close(reader) && good;
}

/* --- open, make, close ------------------------------------------------------------------------ */

bool study_exists(const char *directory) {
    char *path = memory_format("%s/data.mdb", directory);
    bool exists = access(path, F_OK) == 0;
    free(path);
    return exists;
}

static bool load_definition(study_t *study, const char *directory, error_info_t *error) {
    store_bytes_t value;
    store_txn_t *txn = store_read_begin(study->store, error);
    if (!txn)
        return false;
    bool found = store_get(txn, TABLE_META, DEFINITION_KEY, strlen(DEFINITION_KEY), &value);
    bool good = found && read_definition(value.data, value.size, &study->definition);
    store_read_end(txn);
    if (!good)
        error_set(error, ERROR_CONFIG,
                  found ? "%s: the study there is damaged" : "%s holds no study", directory);
    return good;
}

study_t *study_open(const char *directory, bool write, error_info_t *error) {
    if (!study_exists(directory)) {
        error_set(error, ERROR_CONFIG,
                  "%s: there is no study; glia viewer --raters CODE,CODE makes one", directory);
        return NULL;
    }
    study_t *study = MEMORY_NEW(study_t);
    study->store = store_open(directory, write ? STORE_WRITE : STORE_READ, NULL, error);
    if (study->store && write)
        store_set_holder(study->store, "viewer");
    if (study->store && load_definition(study, directory, error))
        return study;
    study_close(study);
    return NULL;
}

typedef struct {
    const study_definition_t *definition;
    const neuron_record_t *const *records;
} make_t;

static bool put_study(store_txn_t *txn, void *context, error_info_t *error) {
    const make_t *make = context;
    const study_definition_t *definition = make->definition;
    bool good = true;
    for (size_t i = 0; good && i < definition->item_count; i++)
        good = records_put(txn, make->records[i], &definition->items[i].neuron, error);
    buffer_t value = BUFFER_EMPTY;
    pack_definition(definition, &value);
    good = good && store_put(txn, TABLE_META, DEFINITION_KEY, strlen(DEFINITION_KEY), value.data,
                             value.length, error);
    buffer_free(&value);
    return good;
}

study_t *study_create(const char *directory, const study_definition_t *definition,
                      const neuron_record_t *const *records, error_info_t *error) {
    if (study_exists(directory)) {
        error_set(error, ERROR_CONFIG,
                  "%s: there is a study already; leave out --raters to go on with it", directory);
        return NULL;
    }
    store_t *store = store_open(directory, STORE_WRITE, NULL, error);
    make_t make = {definition, records};
    bool good = store && store_write(store, put_study, &make, error);
    store_close(store);
    return good ? study_open(directory, true, error) : NULL;
}

void study_close(study_t *study) {
    if (!study)
        return;
    store_close(study->store);
    study_definition_clear(&study->definition);
    free(study);
}

const study_definition_t *study_definition(const study_t *study) {
    return &study->definition;
}

bool study_find_rater(const study_t *study, const char *code, size_t *rater) {
    for (*rater = 0; *rater < study->definition.rater_count; ++*rater)
        if (strcmp(study->definition.raters[*rater], code) == 0)
            return true;
    return false;
}

neuron_record_t *study_record(const study_t *study, size_t item, error_info_t *error) {
    store_txn_t *txn = store_read_begin(study->store, error);
    neuron_record_t *record =
        txn ? records_get(txn, study->definition.items[item].neuron, error) : NULL;
    if (txn)
        store_read_end(txn);
    return record;
}

/* --- answers ---------------------------------------------------------------------------------- */

static void answer_key(uint8_t key[ANSWER_KEY_SIZE], size_t rater, size_t item) {
    memcpy(key, "answer:", 7);
    key_put_u32(key_put_u32(key + 7, (uint32_t)rater), (uint32_t)item);
}

static bool read_answer(const study_t *study, const void *bytes, size_t size,
                        study_answer_t *answer) {
    pack_reader_t *reader = pack_reader_open(bytes, size);
    bool good =
        pack_read_array(reader) == ANSWER_ITEMS && pack_read_integer(reader) == ANSWER_VERSION;
    *answer = (study_answer_t){.utc = pack_read_integer(reader)};
    answer->best = (size_t)pack_read_integer(reader);
    answer->count = pack_read_array(reader);
    good = good && answer->count == study->definition.format_count && answer->best < answer->count;
    for (size_t i = 0; good && i < answer->count; i++) {
        answer->ratings[i] = (int)pack_read_integer(reader);
        good = answer->ratings[i] >= 1 && answer->ratings[i] <= STUDY_RATINGS;
    }
    return pack_reader_close(reader) && good;
}

bool study_answer_get(const study_t *study, size_t rater, size_t item, study_answer_t *answer,
                      error_info_t *error) {
    uint8_t key[ANSWER_KEY_SIZE];
    store_bytes_t value;
    store_txn_t *txn = store_read_begin(study->store, error);
    if (!txn)
        return false;
    answer_key(key, rater, item);
    bool found = store_get(txn, TABLE_META, key, sizeof key, &value) &&
                 read_answer(study, value.data, value.size, answer);
    store_read_end(txn);
    return found;
}

typedef struct {
    size_t rater, item;
    const study_answer_t *answer;
} put_t;

static bool put_answer(store_txn_t *txn, void *context, error_info_t *error) {
    const put_t *put = context;
    uint8_t key[ANSWER_KEY_SIZE];
    buffer_t value = BUFFER_EMPTY;
    answer_key(key, put->rater, put->item);
    pack_array(&value, ANSWER_ITEMS);
    pack_integer(&value, ANSWER_VERSION);
    pack_integer(&value, put->answer->utc);
    pack_integer(&value, (int64_t)put->answer->best);
    pack_array(&value, put->answer->count);
    for (size_t i = 0; i < put->answer->count; i++)
        pack_integer(&value, put->answer->ratings[i]);
    bool good = store_put(txn, TABLE_META, key, sizeof key, value.data, value.length, error);
    buffer_free(&value);
    return good;
}

bool study_answer_put(study_t *study, size_t rater, size_t item, const study_answer_t *answer,
                      error_info_t *error) {
    put_t put = {.rater = rater, .item = item, .answer = answer};
    return store_write(study->store, put_answer, &put, error);
}

/* --- export ----------------------------------------------------------------------------------- */

static void export_answer(const study_t *study, size_t rater, size_t item_number, bool shared,
                          const study_answer_t *answer, buffer_t *out) {
    const study_definition_t *definition = &study->definition;
    const study_item_t *item = &definition->items[item_number];
    size_t groups[STUDY_MOST_EXPLANATIONS], sharers = 0;
    study_group((const char *const *)item->texts, definition->format_count, groups);
    for (size_t f = 0; f < definition->format_count; f++)
        sharers += groups[f] == groups[answer->best];
    for (size_t f = 0; f < definition->format_count; f++) {
        bool best = definition->merge ? groups[f] == groups[answer->best] : f == answer->best;
        csv_write_field(out, definition->raters[rater], strlen(definition->raters[rater]));
        buffer_append_char(out, ',');
        csv_write_field(out, item->set, strlen(item->set));
        if (item->layer >= 0)
            buffer_append_format(out, ",%d,%d,", item->layer, item->index);
        else {
            buffer_append_text(out, ",,");
            csv_write_field(out, item->id, strlen(item->id));
            buffer_append_char(out, ',');
        }
        buffer_append_format(out, "%d,%s,%d,", shared, definition->formats[f], answer->ratings[f]);
        json_write_number(out, !best ? 0 : definition->merge ? 1.0 / (double)sharers : 1);
        buffer_append_char(out, '\n');
    }
}

bool study_export(const study_t *study, buffer_t *out, error_info_t *error) {
    const study_definition_t *definition = &study->definition;
    size_t raters = definition->rater_count, items = definition->item_count;
    /* A neuron is shared if everybody has it: with one rater, or with overlap 1, all are. */
    size_t *dealt = MEMORY_NEW_ARRAY(items + 1, size_t),
           *order = MEMORY_NEW_ARRAY(items + 1, size_t);
    for (size_t r = 0; r < raters; r++) {
        size_t count = study_deal(definition->seed, items, raters, definition->overlap, r, order);
        for (size_t i = 0; i < count; i++)
            dealt[order[i]]++;
    }
    *error = (error_info_t){0};
    buffer_append_text(out, "rater,set,layer,neuron,overlap,format,rating,best\n");
    for (size_t r = 0; r < raters; r++)
        for (size_t i = 0; i < items && error->class_ == ERROR_NONE; i++) {
            study_answer_t answer;
            if (study_answer_get(study, r, i, &answer, error))
                export_answer(study, r, i, dealt[i] == raters, &answer, out);
        }
    free(dealt);
    free(order);
    return error->class_ == ERROR_NONE;
}
