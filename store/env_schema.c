/* env_schema.c - the version of a store: what META says, refusal of newer stores,
 * migration of older ones. */
#include <inttypes.h>
#include <string.h>

#include "core/base/buffer.h"
#include "core/base/pack.h"
#include "store/env_private.h"

enum { META_VALUE_VERSION = 1 };

#define META_SCHEMA  "schema"
#define META_PROGRAM "program"
#define META_CREATED "created"

static bool meta_put(store_txn_t *txn, const char *key, const char *text, int64_t integer,
                     error_info_t *error) {
    buffer_t value = BUFFER_EMPTY;
    pack_array(&value, 2);
    pack_integer(&value, META_VALUE_VERSION);
    if (text)
        pack_text(&value, text);
    else
        pack_integer(&value, integer);
    bool good = store_put(txn, TABLE_META, key, strlen(key), value.data, value.length, error);
    buffer_free(&value);
    return good;
}

/* 0: none, or not to be read. */
static int meta_schema(store_txn_t *txn) {
    store_bytes_t value;
    if (!store_get(txn, TABLE_META, META_SCHEMA, strlen(META_SCHEMA), &value))
        return 0;
    pack_reader_t *reader = pack_reader_open(value.data, value.size);
    pack_read_array(reader);
    int64_t version = pack_read_integer(reader);
    int64_t schema = pack_read_integer(reader);
    bool good = pack_reader_close(reader) && version == META_VALUE_VERSION && schema >= 1 &&
                schema <= INT32_MAX;
    return good ? (int)schema : 0;
}

static bool open_tables(store_txn_t *txn, bool create, error_info_t *error) {
    for (int table = 0; table < TABLE_COUNT; table++) {
        bool found;
        if (!env_table_open(txn, (store_table_t)table, create, &found, error))
            return false;
        if (!found)
            return error_set(error, ERROR_FATAL,
                             "store %s: table `%s` is missing; restore the store from a copy",
                             txn->store->directory, store_table_name((store_table_t)table));
    }
    return true;
}

static bool migrate_step(store_txn_t *txn, const env_schema_t *schema, int from,
                         error_info_t *error) {
    for (size_t i = 0; i < schema->count; i++)
        if (schema->migrations[i].from == from)
            return schema->migrations[i].migrate(txn, error) ||
                   error_prefix(error, "store %s: migration from schema %d to %d",
                                txn->store->directory, from, from + 1);
    return error_set(error, ERROR_FATAL,
                     "store %s has schema %d, from which this glia knows no way to %d; open it "
                     "with an older glia first",
                     txn->store->directory, from, schema->version);
}

static bool migrate(store_txn_t *txn, const env_schema_t *schema, int from, error_info_t *error) {
    if (!open_tables(txn, true, error))
        return false;
    for (int version = from; version < schema->version; version++)
        if (!migrate_step(txn, schema, version, error))
            return false;
    return meta_put(txn, META_SCHEMA, NULL, schema->version, error) &&
           meta_put(txn, META_PROGRAM, GLIA_VERSION, 0, error);
}

static bool create(store_txn_t *txn, const env_schema_t *schema, int64_t created,
                   error_info_t *error) {
    if (env_table_total(txn) > 0)
        return error_set(error, ERROR_CONFIG,
                         "%s/data.mdb is not a store of glia; name another directory",
                         txn->store->directory);
    if (!txn->writes)
        return error_set(error, ERROR_CONFIG, "no store at %s; `glia run` makes one",
                         txn->store->directory);
    return open_tables(txn, true, error) &&
           meta_put(txn, META_SCHEMA, NULL, schema->version, error) &&
           meta_put(txn, META_PROGRAM, GLIA_VERSION, 0, error) &&
           meta_put(txn, META_CREATED, NULL, created, error);
}

bool env_schema_prepare(store_txn_t *txn, const env_schema_t *schema, int64_t created,
                        error_info_t *error) {
    bool found;
    if (!env_table_open(txn, TABLE_META, false, &found, error))
        return false;
    if (!found)
        return create(txn, schema, created, error);
    const char *directory = txn->store->directory;
    int version = meta_schema(txn);
    if (version == 0)
        return error_set(error, ERROR_FATAL,
                         "store %s does not say which schema it has; restore it from a copy",
                         directory);
    if (version > schema->version)
        return error_set(
            error, ERROR_CONFIG,
            "store %s was written by a newer glia (schema %d, this one knows %d): use that version",
            directory, version, schema->version);
    if (version == schema->version)
        return open_tables(txn, false, error);
    if (!txn->writes)
        return error_set(error, ERROR_CONFIG,
                         "store %s was written by an older glia (schema %d, this one has %d): "
                         "`glia run` migrates it",
                         directory, version, schema->version);
    return migrate(txn, schema, version, error);
}
