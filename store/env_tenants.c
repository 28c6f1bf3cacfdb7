/* env_tenants.c - modules that keep something in memory beside their tables are told what
 * becomes of the store. */
#include <assert.h>

#include "store/env_private.h"

void env_tenants_create(const store_t *store, void *kept[ENV_TENANTS_MAXIMUM]) {
    for (size_t i = 0; i < store->tenant_count; i++)
        kept[i] = store->tenants[i]->create ? store->tenants[i]->create() : NULL;
}

void env_tenants_forget(store_t *store) {
    for (size_t i = 0; i < store->tenant_count; i++)
        if (store->tenants[i]->forget)
            store->tenants[i]->forget(store->kept[i]);
}

bool env_tenants_before_commit(store_txn_t *txn, error_info_t *error) {
    const store_t *store = txn->store;
    for (size_t i = 0; i < store->tenant_count; i++)
        if (store->tenants[i]->before_commit &&
            !store->tenants[i]->before_commit(txn, store->kept[i], error))
            return false;
    return true;
}

void env_tenants_free(const store_t *store, void *kept[ENV_TENANTS_MAXIMUM]) {
    for (size_t i = 0; i < store->tenant_count; i++)
        if (store->tenants[i]->free)
            store->tenants[i]->free(kept[i]);
}

void *env_kept(const store_txn_t *txn, const env_tenant_t *tenant) {
    const store_t *store = txn->store;
    size_t i = 0;
    while (i < store->tenant_count && store->tenants[i] != tenant)
        i++;
    assert(i < store->tenant_count);
    return txn->kept[i];
}
