/* restore.c - attempts of before this start, found in the ledger and dated by whichever clock can
 * be trusted. */
#include "actors/pool/restore.h"

#include <string.h>

#include "store/ledger.h"

/* Attempts that began earlier are over, and no window knows them. */
static const int64_t HOUR = 60 * CLOCK_MINUTE;

typedef struct {
    endpoint_t *const *endpoints;
    const settings_t *settings;
    int64_t now, utc;
    uint32_t era;
} restoring_t;

/* How long ago it was reserved: on the monotonic clock if it is the same one, since UTC may have
 * stepped. */
static int64_t begun_ago(const restoring_t *restoring, const attempt_t *attempt) {
    bool same_clock = attempt->era && attempt->era == restoring->era;
    return same_clock ? restoring->now - attempt->reserved_now
                      : restoring->utc - attempt->reserved_utc;
}

/* How long ago it was over, which is the least that it can be since it was sent; just now, if UTC
 * stepped meanwhile. */
static int64_t ended_ago(const restoring_t *restoring, const attempt_t *attempt) {
    int64_t begun = begun_ago(restoring, attempt),
            took = attempt->finished_utc - attempt->reserved_utc;
    return took >= 0 && took < begun ? begun - took : 0;
}

static size_t model_named(const settings_t *settings, const char *name) {
    for (size_t m = 0; m < settings->model_count; m++)
        if (strcmp(settings->models[m].name, name) == 0)
            return m;
    return SIZE_MAX;
}

/* The newest first. False: this one, and so all before it, are too old to matter. */
static bool restore_attempt(void *context, const attempt_t *attempt) {
    const restoring_t *restoring = context;
    const settings_t *settings = restoring->settings;
    int64_t age = ended_ago(restoring, attempt), at = restoring->now - age;
    for (size_t e = 0; age < 2 * CLOCK_MINUTE && e < settings->endpoint_count; e++)
        if (strcmp(settings->endpoints[e].name, attempt->endpoint) == 0)
            endpoint_restore(restoring->endpoints[e], model_named(settings, attempt->model), at,
                             attempt->rate_charge);
    return begun_ago(restoring, attempt) < HOUR;
}

static bool is_paced(const settings_t *settings) {
    bool paced = false;
    for (size_t e = 0; e < settings->endpoint_count; e++)
        paced = paced || settings->endpoints[e].rpm > 0 || settings->endpoints[e].tpm > 0;
    for (size_t m = 0; m < settings->model_count; m++)
        paced = paced || settings->models[m].rpm > 0 || settings->models[m].tpm > 0;
    return paced;
}

bool restore_windows(endpoint_t *const *endpoints, const settings_t *settings, store_t *store,
                     clock_port_t *clock, error_info_t *error) {
    if (!is_paced(settings))
        return true;
    store_txn_t *txn = store_read_begin(store, error);
    if (!txn)
        return false;
    restoring_t restoring = {
        .endpoints = endpoints,
        .settings = settings,
        .now = clock_now(clock),
        .utc = clock_utc(clock),
        .era = clock_era(clock),
    };
    ledger_attempts_since(txn, INT64_MIN, restore_attempt, &restoring);
    store_read_end(txn);
    return true;
}
