/* open.c - what a store of glia is made of: its schema, the way there from older ones, and its
 * tenants. The environment (env.c) knows none of them. */
#include "store/env_private.h"
#include "store/ledger_private.h"
#include "store/request_index.h"

/* Tables that are missing were made before a migration is asked; rows that are there may stay. */
static bool nothing_to_change(store_txn_t *txn, error_info_t *error) {
    (void)txn;
    (void)error;
    return true;
}

static const env_migration_t migrations[] = {
    {1, nothing_to_change}, {2, nothing_to_change}, {3, nothing_to_change}};

static const env_tenant_t *const tenants[] = {&request_index_tenant, &ledger_tenant};

static const env_schema_t schema = {
    .version = SCHEMA_VERSION,
    .migrations = migrations,
    .count = sizeof migrations / sizeof migrations[0],
    .tenants = tenants,
    .tenant_count = sizeof tenants / sizeof tenants[0],
};

store_t *store_open(const char *directory, store_mode_t mode, const store_options_t *options,
                    error_info_t *error) {
    return env_open_schema(directory, mode, options, &schema, error);
}
