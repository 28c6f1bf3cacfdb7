/* records_set.c - the tables SET_NAMES and SETS.
 *
 * The rows of a content are never changed. When a name moves on to another content, the rows of the
 * old one are removed, unless a run works on it or another name points to it: an import in a
 * hundred goes leaves one list, not a hundred. */
#include <stdlib.h>
#include <string.h>

#include "core/base/memory.h"
#include "core/base/pack.h"
#include "store/env_private.h"
#include "store/key.h"
#include "store/records_private.h"
#include "store/runs.h"

enum {
    SET_VALUE_VERSION = 1,
    SET_ITEMS = 4,
    MEMBER_VALUE_VERSION = 1,
    MEMBER_ITEMS = 3,
    MEMBER_KEY_SIZE = HASH_SIZE + 4,
};

typedef struct {
    hash_t neuron;
    char *id;     /* owned */
    size_t place; /* in the list */
} member_t;

typedef struct {
    member_t *members;
    size_t count;
} members_t;

/* --- values ----------------------------------------------------------------------------------- */

bool records_set_decode(const void *bytes, size_t size, record_set_t *set) {
    pack_reader_t *reader = pack_reader_open(bytes, size);
    bool good =
        pack_read_array(reader) == SET_ITEMS && pack_read_integer(reader) == SET_VALUE_VERSION;
    set->content = pack_read_hash(reader);
    int64_t count = pack_read_integer(reader);
    set->origin = pack_read_text(reader);
    if (!pack_reader_close(reader) || !good || count < 0 || count > UINT32_MAX) {
        records_set_clear(set);
        return false;
    }
    set->count = (uint32_t)count;
    return true;
}

bool records_member_decode(const void *bytes, size_t size, hash_t *neuron, char **id) {
    pack_reader_t *reader = pack_reader_open(bytes, size);
    bool good = pack_read_array(reader) == MEMBER_ITEMS &&
                pack_read_integer(reader) == MEMBER_VALUE_VERSION;
    *neuron = pack_read_hash(reader);
    char *text = pack_read_text(reader);
    good = pack_reader_close(reader) && good && text;
    if (!good || !id) {
        free(text);
        text = NULL;
    }
    if (id)
        *id = text;
    return good;
}

static void member_key(uint8_t key[MEMBER_KEY_SIZE], hash_t content, uint32_t index) {
    memcpy(key, content.bytes, HASH_SIZE);
    key_put_u32(key + HASH_SIZE, index);
}

static bool put_member(store_txn_t *txn, hash_t content, uint32_t index, const member_t *member,
                       error_info_t *error) {
    uint8_t key[MEMBER_KEY_SIZE];
    member_key(key, content, index);
    buffer_t value = BUFFER_EMPTY;
    pack_array(&value, MEMBER_ITEMS);
    pack_integer(&value, MEMBER_VALUE_VERSION);
    pack_hash(&value, member->neuron);
    pack_text(&value, member->id);
    bool good = store_put(txn, TABLE_SETS, key, sizeof key, value.data, value.length, error);
    buffer_free(&value);
    return good;
}

static bool put_name(store_txn_t *txn, const char *name, const record_set_t *set,
                     error_info_t *error) {
    buffer_t value = BUFFER_EMPTY;
    pack_array(&value, SET_ITEMS);
    pack_integer(&value, SET_VALUE_VERSION);
    pack_hash(&value, set->content);
    pack_integer(&value, set->count);
    pack_text(&value, set->origin);
    bool good =
        store_put(txn, TABLE_SET_NAMES, name, strlen(name), value.data, value.length, error);
    buffer_free(&value);
    return good;
}

/* --- lists of members ------------------------------------------------------------------------- */

static void members_free(members_t *list) {
    for (size_t i = 0; i < list->count; i++)
        free(list->members[i].id);
    free(list->members);
    *list = (members_t){0};
}

/* By id, and among the same ids by place. */
static int compare_members(const void *a, const void *b) {
    const member_t *left = *(const member_t *const *)a, *right = *(const member_t *const *)b;
    int order = strcmp(left->id, right->id);
    return order != 0 ? order : (left->place > right->place) - (left->place < right->place);
}

/* Pointers to the members, sorted by id; released with free(). */
static member_t **sorted_by_id(const members_t *list) {
    member_t **order = MEMORY_NEW_ARRAY(list->count + 1, member_t *);
    for (size_t i = 0; i < list->count; i++) {
        list->members[i].place = i;
        order[i] = &list->members[i];
    }
    if (list->count > 0)
        qsort(order, list->count, sizeof *order, compare_members);
    return order;
}

static bool check_ids(const char *name, const members_t *list, error_info_t *error) {
    member_t **order = sorted_by_id(list);
    bool good = true;
    for (size_t i = 1; good && i < list->count; i++)
        if (strcmp(order[i - 1]->id, order[i]->id) == 0)
            good = error_set(error, ERROR_CONFIG, "set \"%s\": the id \"%s\" stands in it twice",
                             name, order[i]->id);
    free(order);
    return good;
}

/* The records go into NEURONS, their ids and hashes into an empty list. */
static bool members_of(store_txn_t *txn, const char *name, const neuron_list_t *neurons,
                       members_t *list, error_info_t *error) {
    list->members = MEMORY_NEW_ARRAY(neurons->count + 1, member_t);
    for (size_t i = 0; i < neurons->count; i++) {
        member_t *member = &list->members[list->count++];
        member->id = memory_copy_string(!neurons->neurons[i]->id ? "" : neurons->neurons[i]->id);
        if (!records_put(txn, neurons->neurons[i], &member->neuron, error))
            return false;
    }
    return check_ids(name, list, error);
}

static bool members_load(store_txn_t *txn, const record_set_t *set, members_t *list,
                         error_info_t *error) {
    list->members = MEMORY_NEW_ARRAY((size_t)set->count + 1, member_t);
    for (uint32_t i = 0; i < set->count; i++) {
        member_t *member = &list->members[i];
        if (!records_set_member(txn, set->content, i, &member->neuron, &member->id))
            return error_set(error, ERROR_FATAL,
                             "store %s: a set lacks its member %u; see `glia fsck`",
                             txn->store->directory, (unsigned)i);
        list->count++;
    }
    return true;
}

/* Members of `more` replace those of the same id in `list` or go behind them; their
 * ids change hands. */
static void members_merge(members_t *list, members_t *more) {
    member_t **order = sorted_by_id(list);
    size_t old = list->count;
    member_t *merged = MEMORY_NEW_ARRAY(old + more->count + 1, member_t);
    if (old > 0)
        memcpy(merged, list->members, old * sizeof *merged);
    for (size_t i = 0; i < more->count; i++) {
        member_t *member = &more->members[i];
        size_t low = 0, high = old;
        while (low < high) {
            size_t middle = low + (high - low) / 2;
            if (strcmp(order[middle]->id, member->id) < 0)
                low = middle + 1;
            else
                high = middle;
        }
        if (low < old && strcmp(order[low]->id, member->id) == 0) {
            merged[order[low]->place].neuron = member->neuron;
        } else {
            merged[list->count++] = *member;
            member->id = NULL;
        }
    }
    free(order);
    free(list->members);
    list->members = merged;
}

static hash_t content_of(const members_t *list) {
    hash_builder_t *builder = hash_builder_create("record set");
    for (size_t i = 0; i < list->count; i++) {
        hash_builder_add_text(builder, list->members[i].id);
        hash_builder_add_hash(builder, list->members[i].neuron);
    }
    return hash_builder_finish(builder);
}

bool records_set_hash(store_txn_t *txn, const record_set_t *set, hash_t *content) {
    members_t list = {0};
    bool good = members_load(txn, set, &list, NULL);
    if (good)
        *content = content_of(&list);
    members_free(&list);
    return good;
}

/* --- sets ------------------------------------------------------------------------------------- */

typedef struct {
    hash_t content;
    bool used;
} use_t;

static bool run_uses(void *context, const run_info_t *run) {
    use_t *use = context;
    for (size_t i = 0; i < run->set_count; i++)
        use->used = use->used || hash_equal(run->sets[i].content, use->content);
    return !use->used;
}

static bool name_uses(void *context, const char *name, const record_set_t *set) {
    (void)name;
    use_t *use = context;
    use->used = use->used || hash_equal(set->content, use->content);
    return !use->used;
}

static bool drop_unused(store_txn_t *txn, const record_set_t *old, error_info_t *error) {
    use_t use = {old->content, false};
    records_sets(txn, name_uses, &use);
    if (!use.used)
        runs_all(txn, run_uses, &use);
    for (uint32_t i = 0; !use.used && i < old->count; i++) {
        uint8_t key[MEMBER_KEY_SIZE];
        member_key(key, old->content, i);
        if (!store_delete(txn, TABLE_SETS, key, sizeof key, error))
            return false;
    }
    return true;
}

static bool put_members(store_txn_t *txn, hash_t content, const members_t *list,
                        error_info_t *error) {
    hash_t neuron;
    if (records_set_member(txn, content, 0, &neuron, NULL))
        return true; /* all of them are there, since they came in one transaction */
    for (size_t i = 0; i < list->count; i++)
        if (!put_member(txn, content, (uint32_t)i, &list->members[i], error))
            return false;
    return true;
}

/* The name points to the list from now on. */
static bool put_list(store_txn_t *txn, const char *name, const char *origin, const members_t *list,
                     record_set_t *set, error_info_t *error) {
    record_set_t old;
    bool had = records_set_find(txn, name, &old);
    *set = (record_set_t){content_of(list), (uint32_t)list->count, memory_copy_string(origin)};
    bool good = put_members(txn, set->content, list, error) && put_name(txn, name, set, error) &&
                (!had || hash_equal(old.content, set->content) || drop_unused(txn, &old, error));
    records_set_clear(&old);
    if (!good)
        records_set_clear(set);
    return good;
}

static bool check_list(const char *name, size_t count, error_info_t *error) {
    size_t length = strlen(name);
    if (length == 0 || length > KEY_MAXIMUM)
        return error_set(error, ERROR_CONFIG, "set \"%.40s\": a name has 1 to %d bytes", name,
                         KEY_MAXIMUM);
    if (count == 0 || count > UINT32_MAX)
        return error_set(error, ERROR_CONFIG, "set \"%s\": there are no records to put into it",
                         name);
    return true;
}

bool records_set_put(store_txn_t *txn, const char *name, const char *origin,
                     const neuron_list_t *neurons, record_set_t *set, error_info_t *error) {
    members_t list = {0};
    *set = (record_set_t){0};
    bool good = check_list(name, neurons->count, error) &&
                members_of(txn, name, neurons, &list, error) &&
                put_list(txn, name, origin, &list, set, error);
    members_free(&list);
    return good;
}

bool records_set_put_members(store_txn_t *txn, const char *name, const char *origin,
                             const hash_t *neurons, const char *const *ids, size_t count,
                             record_set_t *set, error_info_t *error) {
    members_t list = {MEMORY_NEW_ARRAY(count + 1, member_t), count};
    for (size_t i = 0; i < count; i++)
        list.members[i] = (member_t){.neuron = neurons[i], .id = memory_copy_string(ids[i])};
    *set = (record_set_t){0};
    bool good = check_list(name, count, error) && check_ids(name, &list, error) &&
                put_list(txn, name, origin, &list, set, error);
    members_free(&list);
    return good;
}

bool records_set_merge(store_txn_t *txn, const char *name, const char *origin,
                       const neuron_list_t *neurons, record_set_t *set, error_info_t *error) {
    members_t list = {0}, more = {0};
    record_set_t old = {0};
    *set = (record_set_t){0};
    bool good = check_list(name, neurons->count, error) &&
                members_of(txn, name, neurons, &more, error) &&
                (!records_set_find(txn, name, &old) || members_load(txn, &old, &list, error));
    if (good && list.count + more.count > UINT32_MAX)
        good = error_set(error, ERROR_CONFIG, "set \"%s\" would have too many records", name);
    if (good) {
        members_merge(&list, &more);
        good = put_list(txn, name, origin, &list, set, error);
    }
    records_set_clear(&old);
    members_free(&list);
    members_free(&more);
    return good;
}

bool records_set_find(store_txn_t *txn, const char *name, record_set_t *set) {
    store_bytes_t value;
    *set = (record_set_t){0};
    if (!store_get(txn, TABLE_SET_NAMES, name, strlen(name), &value))
        return false;
    if (!records_set_decode(value.data, value.size, set))
        store_damaged(txn, TABLE_SET_NAMES, "a set that cannot be read");
    return true;
}

void records_set_clear(record_set_t *set) {
    free(set->origin);
    *set = (record_set_t){0};
}

bool records_set_member(store_txn_t *txn, hash_t content, uint32_t index, hash_t *neuron,
                        char **id) {
    uint8_t key[MEMBER_KEY_SIZE];
    member_key(key, content, index);
    store_bytes_t value;
    if (!store_get(txn, TABLE_SETS, key, sizeof key, &value)) {
        if (id)
            *id = NULL;
        *neuron = (hash_t){{0}};
        return false;
    }
    if (!records_member_decode(value.data, value.size, neuron, id))
        store_damaged(txn, TABLE_SETS, "a member that cannot be read");
    return true;
}

void records_sets(store_txn_t *txn, records_set_visit_t *visit, void *context) {
    store_walk_t walk = {0};
    while (store_walk_next(txn, TABLE_SET_NAMES, &walk)) {
        record_set_t set = {0};
        if (!records_set_decode(walk.value.data, walk.value.size, &set))
            store_damaged(txn, TABLE_SET_NAMES, "a set that cannot be read");
        char *name = memory_copy(walk.key.data, walk.key.size);
        bool go_on = visit(context, name, &set);
        free(name);
        records_set_clear(&set);
        if (!go_on) {
            store_walk_end(&walk);
            return;
        }
    }
}
