/* export_records.c - the neurons of a run, a file each. */
#include "tools/cli/export_records.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "actors/sweep/neuron_names.h"
#include "core/base/memory.h"
#include "core/base/text.h"
#include "core/neuron/neuron_json.h"
#include "store/records.h"
#include "tools/cli/output.h"

/* neurons a read transaction, so that a live run's store need not grow for us */
enum { READ_AT_ONCE = 256 };

typedef struct {
    neuron_name_t name;
    const char *set; /* that it is of */
    hash_t record;
} member_t;

typedef struct {
    size_t count, capacity;
    member_t *members; /* [count], owned */
} member_list_t;

/* --- which neurons ---------------------------------------------------------------------------- */

static bool refuse_unnamed(const char *set, const char *id, error_info_t *error) {
    return error_set(error, ERROR_USAGE,
                     "set %s: \"%s\" has no layer and neuron, so no file: choose another set "
                     "(--set NAME), or one file for all (--format jsonl)",
                     set, id);
}

static bool list_set(store_txn_t *txn, const struct run_set *set, member_list_t *list,
                     error_info_t *error) {
    for (uint32_t i = 0; i < set->count; i++) {
        member_t member = {.set = set->name};
        char *id = NULL;
        if (!records_set_member(txn, set->content, i, &member.record, &id))
            return error_set(error, ERROR_FATAL, "set %s lacks its member %u; see `glia fsck`",
                             set->name, i);
        bool good =
            neuron_name_parse(id, strlen(id), &member.name) || refuse_unnamed(set->name, id, error);
        free(id);
        if (!good)
            return false;
        if (list->count == list->capacity) {
            list->capacity = list->capacity ? 2 * list->capacity : 256;
            list->members = memory_resize(list->members, list->capacity, sizeof *list->members);
        }
        list->members[list->count++] = member;
    }
    return true;
}

static int compare_members(const void *a, const void *b) {
    const member_t *x = a, *y = b;
    if (x->name.layer != y->name.layer)
        return x->name.layer < y->name.layer ? -1 : 1;
    return (x->name.index > y->name.index) - (x->name.index < y->name.index);
}

/* Sorts, and leaves each neuron once. */
static bool make_unique(member_list_t *list, error_info_t *error) {
    if (list->count > 1)
        qsort(list->members, list->count, sizeof *list->members, compare_members);
    size_t kept = 0;
    for (size_t i = 0; i < list->count; i++) {
        const member_t *last = kept ? &list->members[kept - 1] : NULL, *member = &list->members[i];
        if (!last || compare_members(last, member) != 0)
            list->members[kept++] = *member;
        else if (!hash_equal(last->record, member->record))
            return error_set(error, ERROR_USAGE,
                             "sets %s and %s have different records of %d:%d; choose one by --set",
                             last->set, member->set, member->name.layer, member->name.index);
    }
    list->count = kept;
    return true;
}

static bool list_members(store_t *store, const run_info_t *run, const char *set,
                         member_list_t *list, error_info_t *error) {
    store_txn_t *txn = store_read_begin(store, error);
    bool good = txn != NULL;
    for (size_t i = 0; good && i < run->set_count; i++)
        if (!set || !strcmp(run->sets[i].name, set))
            good = list_set(txn, &run->sets[i], list, error);
    if (txn)
        store_read_end(txn);
    return good && make_unique(list, error);
}

/* --- their files ------------------------------------------------------------------------------ */

static bool make_directory(const char *path, error_info_t *error) {
    if (mkdir(path, 0777) == 0)
        return true;
    int code = errno;
    struct stat status;
    if (code == EEXIST && stat(path, &status) == 0 && S_ISDIR(status.st_mode))
        return true;
    if (code == EEXIST)
        return error_set(error, ERROR_CONFIG,
                         "%s: it is no directory; --format jsonl writes all records to one file",
                         path);
    return error_set(
        error, code == ENOSPC || code == EDQUOT || code == EIO ? ERROR_RETRYABLE : ERROR_CONFIG,
        "%s: cannot make the directory: %s", path, strerror(code));
}

static bool write_text(const char *directory, neuron_name_t name, buffer_t *text,
                       error_info_t *error) {
    char *path = memory_format("%s/%d/%d.json", directory, name.layer, name.index);
    output_t *output = output_open(path, error);
    free(path);
    if (!output)
        return false;
    bool good = output_write(output, text, error);
    return output_close(output, good, good ? error : NULL) && good;
}

static bool write_member(store_txn_t *txn, const member_t *member, const char *directory,
                         error_info_t *error) {
    neuron_record_t *neuron = records_get(txn, member->record, error);
    if (!neuron)
        return false;
    buffer_t text = BUFFER_EMPTY;
    /* A puzzle may be called "1:2". */
    bool good =
        neuron->source == NEURON_SOURCE_SUBJECT || refuse_unnamed(member->set, neuron->id, error);
    if (good && !(neuron_json_write(neuron, &text) && buffer_append_char(&text, '\n')))
        good =
            error_set(error, ERROR_FATAL, "%s: its record is too large to be written", neuron->id);
    good = good && write_text(directory, member->name, &text, error);
    buffer_free(&text);
    neuron_record_free(neuron);
    return good;
}

static bool write_members(store_t *store, const member_list_t *list, const char *directory,
                          error_info_t *error) {
    bool good = make_directory(directory, error);
    store_txn_t *txn = NULL;
    for (size_t i = 0; good && i < list->count; i++) {
        const member_t *member = &list->members[i];
        if (i == 0 || member->name.layer != list->members[i - 1].name.layer) {
            char *layer = memory_format("%s/%d", directory, member->name.layer);
            good = make_directory(layer, error);
            free(layer);
        }
        if (txn && i % READ_AT_ONCE == 0) {
            store_read_end(txn);
            txn = NULL;
        }
        if (good && !txn)
            txn = store_read_begin(store, error);
        good = good && txn && write_member(txn, member, directory, error);
    }
    if (txn)
        store_read_end(txn);
    return good;
}

bool export_records(store_t *store, const run_info_t *run, const char *set, const char *directory,
                    error_info_t *error) {
    member_list_t list = {0};
    bool good = list_members(store, run, set, &list, error) &&
                write_members(store, &list, directory, error);
    free(list.members);
    return good;
}

bool export_records_as_files(const option_list_t *options) {
    const char *form = option_get(options, "format"), *out = option_get(options, "out");
    if (form)
        return !strcmp(form, "files");
    return out && strcmp(out, "-") != 0 && !text_ends_with(out, ".jsonl");
}
