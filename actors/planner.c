/* planner.c - chains to jobs, by looking at what the store holds. */
#include "actors/planner.h"

#include <stdlib.h>
#include <string.h>

#include "actors/results.h"
#include "core/base/memory.h"
#include "store/records.h"
#include "store/responses.h"

/* A neuron as its chains see it; shared by the slots of one neuron. */
typedef struct {
    uint32_t set;
    hash_t hash;
    char *id;
    size_t users;
    bool loaded;
    neuron_record_t *record; /* NULL before it is needed, or if the store lacks it */
    split_list_t valid, calibration;
    bool has_baseline; /* looked up */
    char *baseline;
} neuron_view_t;

/* Jobs of one chain that are over. */
typedef struct {
    uint64_t done[STAGE_COUNT], failed[STAGE_COUNT];
} tally_t;

typedef struct {
    bool used, dirty;
    chain_t chain;
    neuron_view_t *view;
    tally_t seen; /* at the last look; part of the counts */
} slot_t;

/* A job under way and the slots that wait for it: a chained hash table. */
typedef struct waiter {
    size_t slot;
    struct waiter *next;
} waiter_t;

typedef struct under_way {
    hash_t job;
    waiter_t *waiters;
    struct under_way *next;
} under_way_t;

enum { BUCKETS = 4096, CHAINS_A_STEP = 20000 };

struct planner {
    const sweep_t *sweep;
    uint32_t run;
    size_t slot_count;
    slot_t *slots;
    size_t used;
    size_t turn; /* slot to look at first */
    uint64_t cursor;
    neuron_view_t *last_view;
    under_way_t *buckets[BUCKETS];
    /* texts that wait for an embeddings request */
    size_t embed_count;
    char **embed_texts; /* [embed_count] of at most embed_most */
    hash_t *embed_keys;
    size_t embed_most;
    planner_counts_t counts;
};

planner_t *planner_create(const sweep_t *sweep, uint32_t run, size_t slots) {
    planner_t *planner = MEMORY_NEW(planner_t);
    planner->sweep = sweep;
    planner->run = run;
    planner->slot_count = slots;
    planner->slots = MEMORY_NEW_ARRAY(slots, slot_t);
    planner->embed_most = 2 * slots + 2;
    planner->embed_texts = MEMORY_NEW_ARRAY(planner->embed_most, char *);
    planner->embed_keys = MEMORY_NEW_ARRAY(planner->embed_most, hash_t);
    return planner;
}

static void view_release(neuron_view_t *view) {
    if (!view || --view->users > 0)
        return;
    neuron_split_free(&view->valid);
    neuron_split_free(&view->calibration);
    neuron_record_free(view->record);
    free(view->id);
    free(view->baseline);
    free(view);
}

void planner_free(planner_t *planner) {
    if (!planner)
        return;
    for (size_t i = 0; i < planner->slot_count; i++)
        if (planner->slots[i].used)
            view_release(planner->slots[i].view);
    view_release(planner->last_view);
    for (size_t i = 0; i < BUCKETS; i++)
        while (planner->buckets[i]) {
            under_way_t *entry = planner->buckets[i];
            planner->buckets[i] = entry->next;
            while (entry->waiters) {
                waiter_t *waiter = entry->waiters;
                entry->waiters = waiter->next;
                free(waiter);
            }
            free(entry);
        }
    for (size_t i = 0; i < planner->embed_count; i++)
        free(planner->embed_texts[i]);
    free(planner->embed_texts);
    free(planner->embed_keys);
    free(planner->slots);
    free(planner);
}

/* --- jobs under way ---------------------------------------------------------------------------------- */

static under_way_t **find_under_way(planner_t *planner, hash_t job) {
    under_way_t **link = &planner->buckets[hash_low64(job) % BUCKETS];
    while (*link && !hash_equal((*link)->job, job))
        link = &(*link)->next;
    return link;
}

/* Slot `slot` waits for `job`. Returns true if the job was not under way yet (and now is). */
static bool wait_for(planner_t *planner, hash_t job, size_t slot) {
    under_way_t **link = find_under_way(planner, job);
    bool fresh = *link == NULL;
    if (fresh) {
        *link = MEMORY_NEW(under_way_t);
        (*link)->job = job;
    }
    for (waiter_t *waiter = (*link)->waiters; waiter; waiter = waiter->next)
        if (waiter->slot == slot)
            return fresh;
    waiter_t *waiter = MEMORY_NEW(waiter_t);
    *waiter = (waiter_t){slot, (*link)->waiters};
    (*link)->waiters = waiter;
    return fresh;
}

static bool is_under_way(planner_t *planner, hash_t job) {
    return *find_under_way(planner, job) != NULL;
}

static void end_one(planner_t *planner, hash_t job) {
    under_way_t **link = find_under_way(planner, job);
    under_way_t *entry = *link;
    if (!entry)
        return;
    *link = entry->next;
    while (entry->waiters) {
        waiter_t *waiter = entry->waiters;
        entry->waiters = waiter->next;
        if (planner->slots[waiter->slot].used)
            planner->slots[waiter->slot].dirty = true;
        free(waiter);
    }
    free(entry);
}

void planner_job_ended(planner_t *planner, const job_t *job) {
    if (job->stage == STAGE_EMBED)
        for (size_t i = 0; i < job->text_count; i++)
            end_one(planner, job->keys[i]);
    else
        end_one(planner, job->id);
}

/* --- what the store says ------------------------------------------------------------------------------ */

typedef enum { SEEN_ABSENT, SEEN_DONE, SEEN_FAILED } seen_t;

/* A failure counts if it is of this run; what another run gave up on is tried afresh. */
static seen_t look(planner_t *planner, store_txn_t *txn, hash_t job, job_entry_t *entry) {
    *entry = journal_get(txn, job);
    if (entry->state == JOB_DONE)
        return SEEN_DONE;
    job_failure_t failure;
    if (entry->state == JOB_ABSENT || !journal_failure_get(txn, planner->run, job, &failure))
        return SEEN_ABSENT;
    job_failure_clear(&failure);
    return SEEN_FAILED;
}

static void load_view(planner_t *planner, store_txn_t *txn, neuron_view_t *view) {
    if (view->loaded)
        return;
    view->loaded = true;
    view->record = records_get(txn, view->hash, NULL);
    if (view->record)
        sweep_score_records(planner->sweep, view->record, &view->valid, &view->calibration);
}

static const char *view_baseline(planner_t *planner, store_txn_t *txn, const chain_t *chain, neuron_view_t *view) {
    if (!view->has_baseline) {
        load_view(planner, txn, view);
        view->baseline = view->record ? sweep_baseline(planner->sweep, txn, chain, view->hash, view->record) : NULL;
        view->has_baseline = true;
    }
    return view->baseline;
}

static neuron_view_t *view_of(planner_t *planner, store_txn_t *txn, const chain_t *chain) {
    hash_t hash;
    char *id;
    if (!sweep_neuron(planner->sweep, txn, chain, &hash, &id))
        return NULL;
    neuron_view_t *view = planner->last_view;
    /* The same record may stand in two sets with different baselines. */
    if (view && view->set == chain->set && hash_equal(view->hash, hash) && strcmp(view->id, id) == 0) {
        free(id);
    } else {
        view_release(view);
        view = planner->last_view = MEMORY_NEW(neuron_view_t);
        *view = (neuron_view_t){.set = chain->set, .hash = hash, .id = id, .users = 1};
    }
    return view;
}

/* --- one chain -------------------------------------------------------------------------------------- */

/* What a look at a chain brought. */
typedef struct {
    planner_t *planner;
    store_txn_t *txn;
    size_t most, found; /* jobs */
    job_t ***tail;
    size_t slot; /* SIZE_MAX: none yet */
    const chain_t *chain;
    neuron_view_t *view;
    bool waits; /* something of the chain is still to be done */
    bool short_of_room;
    tally_t tally;
} look_t;

static job_t *make_job(const look_t *look_at, hash_t id, job_stage_t stage) {
    job_t *job = MEMORY_NEW(job_t);
    job->id = id;
    job->stage = stage;
    job->chain = *look_at->chain;
    job->neuron = look_at->view->hash;
    job->label = sweep_label(look_at->planner->sweep, look_at->chain, look_at->view->id);
    return job;
}

/* Wants job `id`: waits for it if it is under way, else emits it. NULL: nothing to fill in. */
static job_t *want(look_t *look_at, hash_t id, job_stage_t stage) {
    look_at->waits = true;
    if (look_at->slot == SIZE_MAX)
        return NULL; /* the first look at a chain without a slot only asks whether it is finished */
    if (!is_under_way(look_at->planner, id) && look_at->found >= look_at->most) {
        look_at->short_of_room = true;
        return NULL;
    }
    if (!wait_for(look_at->planner, id, look_at->slot))
        return NULL;
    job_t *job = make_job(look_at, id, stage);
    **look_at->tail = job;
    *look_at->tail = &job->next;
    look_at->found++;
    return job;
}

static void want_embedding(look_t *look_at, const char *text, hash_t key) {
    planner_t *planner = look_at->planner;
    look_at->waits = true;
    if (look_at->slot == SIZE_MAX)
        return;
    if (!is_under_way(planner, key) && planner->embed_count >= planner->embed_most) {
        look_at->short_of_room = true;
        return;
    }
    if (!wait_for(planner, key, look_at->slot))
        return;
    planner->embed_texts[planner->embed_count] = memory_copy_string(text);
    planner->embed_keys[planner->embed_count++] = key;
}

static void count(look_t *look_at, job_stage_t stage, seen_t seen, uint64_t number) {
    if (seen == SEEN_DONE)
        look_at->tally.done[stage] += number;
    else if (seen == SEEN_FAILED)
        look_at->tally.failed[stage] += number;
}

/* Simulate and score. */
static void look_at_score(look_t *look_at, const char *explanation) {
    planner_t *planner = look_at->planner;
    hash_t id = sweep_score_job(planner->sweep, explanation, look_at->view->hash);
    job_entry_t entry;
    seen_t seen = look(planner, look_at->txn, id, &entry);
    count(look_at, STAGE_SCORE, seen, 1);
    if (seen == SEEN_DONE) {
        score_result_t result;
        if (score_result_decode(entry.result, entry.result_size, &result))
            count(look_at, STAGE_SIMULATE, SEEN_DONE, (uint64_t)result.records);
    }
    if (seen != SEEN_ABSENT)
        return;
    neuron_view_t *view = look_at->view;
    load_view(planner, look_at->txn, view);
    if (!view->record || view->valid.count == 0)
        return;
    bool missing = false, failed = false;
    for (size_t i = 0; i < view->valid.count + view->calibration.count; i++) {
        const activation_record_t *record =
            i < view->valid.count ? view->valid.records[i] : view->calibration.records[i - view->valid.count];
        hash_t simulation = sweep_simulate_job(planner->sweep, explanation, record);
        seen = look(planner, look_at->txn, simulation, &entry);
        failed = failed || seen == SEEN_FAILED;
        count(look_at, STAGE_SIMULATE, seen, 1);
        if (seen != SEEN_ABSENT)
            continue;
        missing = true;
        job_t *job = want(look_at, simulation, STAGE_SIMULATE);
        if (!job)
            continue;
        job->explanation = memory_copy_string(explanation);
        job->record = i;
        job->model = sweep_settings(planner->sweep)->simulator;
    }
    if (missing)
        return;
    if (failed) {
        count(look_at, STAGE_SCORE, SEEN_FAILED, 1);
        return;
    }
    job_t *job = want(look_at, id, STAGE_SCORE);
    if (job)
        job->explanation = memory_copy_string(explanation);
}

static void look_at_adacs(look_t *look_at, const char *explanation) {
    planner_t *planner = look_at->planner;
    const char *baseline = view_baseline(planner, look_at->txn, look_at->chain, look_at->view);
    if (!baseline)
        return;
    hash_t id = sweep_adacs_job(planner->sweep, explanation, baseline);
    job_entry_t entry;
    seen_t seen = look(planner, look_at->txn, id, &entry);
    count(look_at, STAGE_ADACS, seen, 1);
    if (seen != SEEN_ABSENT)
        return;
    const char *texts[2] = {explanation, baseline};
    bool missing = false;
    for (int i = 0; i < 2; i++) {
        hash_t key = sweep_embed_job(planner->sweep, texts[i]);
        store_bytes_t floats;
        if (embedding_get(look_at->txn, key, &floats))
            continue;
        if (look(planner, look_at->txn, key, &entry) == SEEN_FAILED) {
            count(look_at, STAGE_ADACS, SEEN_FAILED, 1);
            return;
        }
        missing = true;
        want_embedding(look_at, texts[i], key);
    }
    if (missing)
        return;
    job_t *job = want(look_at, id, STAGE_ADACS);
    if (job) {
        job->explanation = memory_copy_string(explanation);
        job->baseline = memory_copy_string(baseline);
    }
}

/* Looks at a chain; true: it is finished. */
static bool look_at_chain(look_t *look_at) {
    planner_t *planner = look_at->planner;
    const settings_t *settings = sweep_settings(planner->sweep);
    hash_t id = sweep_explain_job(planner->sweep, look_at->chain, look_at->view->hash);
    job_entry_t entry;
    explain_result_t explained = {0};
    seen_t seen = look(planner, look_at->txn, id, &entry);
    if (seen == SEEN_DONE && !explain_result_decode(entry.result, entry.result_size, &explained))
        seen = SEEN_ABSENT; /* an older form: derived again, from the stored response */
    if (seen == SEEN_ABSENT) {
        job_t *job = want(look_at, id, STAGE_EXPLAIN);
        if (job)
            job->model = look_at->chain->explainer;
        return false;
    }
    count(look_at, STAGE_EXPLAIN, seen, 1);
    if (seen == SEEN_DONE && settings->simulate)
        look_at_score(look_at, explained.text);
    if (seen == SEEN_DONE && settings->adacs)
        look_at_adacs(look_at, explained.text);
    explain_result_clear(&explained);
    return !look_at->waits;
}

/* Puts what was seen now in the place of what was seen before. */
static void tally_up(planner_t *planner, tally_t *seen, const tally_t *now) {
    for (int stage = 0; stage < STAGE_COUNT; stage++) {
        planner->counts.stages[stage].done += now->done[stage] - seen->done[stage];
        planner->counts.stages[stage].failed += now->failed[stage] - seen->failed[stage];
    }
    *seen = *now;
}

static void finish_chain(planner_t *planner, const tally_t *tally) {
    planner->counts.chains_scored += tally->done[STAGE_SCORE] + tally->failed[STAGE_SCORE] > 0;
    planner->counts.chains_compared += tally->done[STAGE_ADACS] + tally->failed[STAGE_ADACS] > 0;
    planner->counts.chains_finished++;
}

static bool look_at_slot(planner_t *planner, store_txn_t *txn, size_t i, size_t most, size_t *found, job_t ***tail) {
    slot_t *slot = &planner->slots[i];
    look_t look_at = {.planner = planner,
                      .txn = txn,
                      .most = most,
                      .found = *found,
                      .tail = tail,
                      .slot = i,
                      .chain = &slot->chain,
                      .view = slot->view};
    slot->dirty = false;
    bool finished = look_at_chain(&look_at);
    *found = look_at.found;
    slot->dirty = look_at.short_of_room;
    tally_up(planner, &slot->seen, &look_at.tally);
    if (finished) {
        finish_chain(planner, &slot->seen);
        view_release(slot->view);
        *slot = (slot_t){0};
        planner->used--;
    }
    return finished;
}

/* Takes chains from the cursor until one is not finished and gets a slot. False: the sweep's end, or enough for
 * one step, so that read transactions stay short. */
static bool take_next(planner_t *planner, store_txn_t *txn, size_t *slot_index) {
    for (int skipped = 0; skipped < CHAINS_A_STEP && planner->cursor < sweep_chain_count(planner->sweep); skipped++) {
        chain_t chain = sweep_chain(planner->sweep, planner->cursor);
        neuron_view_t *view = view_of(planner, txn, &chain);
        planner->cursor++;
        if (!view)
            continue;
        look_t look_at = {.planner = planner, .txn = txn, .slot = SIZE_MAX, .chain = &chain, .view = view};
        if (look_at_chain(&look_at)) {
            tally_t nothing = {0};
            tally_up(planner, &nothing, &look_at.tally);
            finish_chain(planner, &nothing);
            continue;
        }
        size_t i = 0;
        while (planner->slots[i].used)
            i++;
        view->users++;
        planner->slots[i] = (slot_t){.used = true, .dirty = true, .chain = chain, .view = view};
        planner->used++;
        *slot_index = i;
        return true;
    }
    return false;
}

/* One job for up to `batch` of the texts that wait. */
static job_t *embed_job(planner_t *planner) {
    const settings_t *settings = sweep_settings(planner->sweep);
    size_t batch = (size_t)settings->embed_batch;
    size_t taken = planner->embed_count < batch ? planner->embed_count : batch;
    job_t *job = MEMORY_NEW(job_t);
    job->stage = STAGE_EMBED;
    job->model = settings->embedder;
    job->id = planner->embed_keys[0];
    job->label = memory_format("%zu texts", taken);
    job->text_count = taken;
    job->texts = MEMORY_NEW_ARRAY(taken, char *);
    job->keys = MEMORY_NEW_ARRAY(taken, hash_t);
    memcpy(job->texts, planner->embed_texts, taken * sizeof *job->texts);
    memcpy(job->keys, planner->embed_keys, taken * sizeof *job->keys);
    planner->embed_count -= taken;
    memmove(planner->embed_texts, planner->embed_texts + taken, planner->embed_count * sizeof *planner->embed_texts);
    memmove(planner->embed_keys, planner->embed_keys + taken, planner->embed_count * sizeof *planner->embed_keys);
    return job;
}

size_t planner_step(planner_t *planner, store_txn_t *txn, size_t most, bool idle, job_t **jobs) {
    size_t found = 0;
    while (*jobs)
        jobs = &(*jobs)->next;
    job_t **tail = jobs;
    for (size_t n = 0; n < planner->slot_count && found < most; n++) {
        size_t i = (planner->turn + n) % planner->slot_count;
        if (planner->slots[i].used && planner->slots[i].dirty)
            look_at_slot(planner, txn, i, most, &found, &tail);
    }
    planner->turn = (planner->turn + 1) % planner->slot_count;
    size_t slot;
    while (found < most && planner->used < planner->slot_count && take_next(planner, txn, &slot))
        look_at_slot(planner, txn, slot, most, &found, &tail);
    size_t batch = (size_t)sweep_settings(planner->sweep)->embed_batch;
    bool starved = (idle && found == 0) || planner->embed_count >= planner->slot_count / 2;
    while (found < most && planner->embed_count > 0 && (planner->embed_count >= batch || starved)) {
        *tail = embed_job(planner);
        tail = &(*tail)->next;
        found++;
    }
    return found;
}

bool planner_is_waiting(const planner_t *planner) {
    for (size_t i = 0; i < planner->slot_count; i++)
        if (planner->slots[i].used && planner->slots[i].dirty)
            return false;
    return planner->used == planner->slot_count || planner->cursor >= sweep_chain_count(planner->sweep);
}

bool planner_is_finished(const planner_t *planner) {
    return planner->used == 0 && planner->cursor >= sweep_chain_count(planner->sweep);
}

const planner_counts_t *planner_counts(const planner_t *planner) {
    return &planner->counts;
}
