/* planner.c - chains to jobs: what chain_look says is absent, and not under way yet. */
#include "actors/planner.h"

#include <stdlib.h>
#include <string.h>

#include "actors/sweep/chain_look.h"
#include "core/base/memory.h"

/* A neuron's view, shared by the slots of its chains. */
typedef struct {
    neuron_view_t neuron;
    size_t users;
} shared_view_t;

/* Jobs of one chain that are over. */
typedef struct {
    uint64_t done[JOB_STAGES], failed[JOB_STAGES];
} tally_t;

typedef struct {
    bool used, dirty;
    chain_t chain;
    shared_view_t *view;
    tally_t seen; /* at the last look; part of the counts */
} slot_t;

/* A text that waits for others to fill a request with. */
typedef struct {
    const stage_t *stage;
    char *text;
    hash_t key;
} waiting_text_t;

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
    look_options_t options;
    chain_look_t look; /* the last one */
    size_t slot_count;
    slot_t *slots;
    size_t used;
    size_t first; /* slot that a step looks at first */
    uint64_t cursor;
    shared_view_t *last_view;
    under_way_t *buckets[BUCKETS];
    size_t text_count, text_most;
    waiting_text_t *texts; /* [text_count] */
    planner_counts_t counts;
    bool *awaits; /* [slot_count] planner_broken's own */
};

planner_t *planner_create(const sweep_t *sweep, uint32_t run, size_t slots) {
    planner_t *planner = MEMORY_NEW(planner_t);
    planner->sweep = sweep;
    planner->options =
        (look_options_t){.sweep = sweep, .run = run, .as_of = LOOK_NOW, .depth = LOOK_NEXT};
    planner->slot_count = slots;
    planner->slots = MEMORY_NEW_ARRAY(slots, slot_t);
    planner->awaits = MEMORY_NEW_ARRAY(slots, bool);
    planner->text_most = 2 * slots + 2;
    planner->texts = MEMORY_NEW_ARRAY(planner->text_most, waiting_text_t);
    return planner;
}

static void view_release(shared_view_t *view) {
    if (!view || --view->users > 0)
        return;
    neuron_view_clear(&view->neuron);
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
    for (size_t i = 0; i < planner->text_count; i++)
        free(planner->texts[i].text);
    free(planner->texts);
    chain_look_clear(&planner->look);
    free(planner->awaits);
    free(planner->slots);
    free(planner);
}

/* --- jobs under way --------------------------------------------------------------------------- */

static under_way_t **find_under_way(planner_t *planner, hash_t job) {
    under_way_t **link = &planner->buckets[hash_low64(job) % BUCKETS];
    while (*link && !hash_equal((*link)->job, job))
        link = &(*link)->next;
    return link;
}

/* Slot `slot` waits for `job`. Returns true if the job was not under way yet (and now is). */
static bool wait_for(planner_t *planner, hash_t job, size_t slot) {
    under_way_t **link = find_under_way(planner, job);
    bool fresh = !*link;
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
    for (size_t i = 0; i < job->text_count; i++)
        end_one(planner, job->keys[i]);
    if (job->text_count == 0)
        end_one(planner, job->id);
}

/* --- one look --------------------------------------------------------------------------------- */

/* The view of a chain's neuron, kept for the chains of the same neuron that follow. NULL: the set
 * has no such neuron.
 */
static shared_view_t *view_of(planner_t *planner, store_txn_t *txn, const chain_t *chain) {
    shared_view_t *view = planner->last_view;
    if (view && neuron_view_is_of(&view->neuron, chain))
        return view;
    view_release(view);
    view = planner->last_view = MEMORY_NEW(shared_view_t);
    view->users = 1;
    if (neuron_view_open(&view->neuron, planner->sweep, txn, chain, NULL))
        return view;
    view_release(view);
    planner->last_view = NULL;
    return NULL;
}

/* Where jobs go that a look finds. */
typedef struct {
    size_t most, found;
    job_t **tail;
    size_t slot; /* that waits for them */
    bool short_of_room;
} finds_t;

static void want_text(planner_t *planner, finds_t *finds, const chain_job_t *job) {
    if (!is_under_way(planner, job->id) && planner->text_count >= planner->text_most)
        finds->short_of_room = true;
    else if (wait_for(planner, job->id, finds->slot))
        planner->texts[planner->text_count++] = (waiting_text_t){
            .stage = job->stage, .text = memory_copy_string(job->text), .key = job->id};
}

/* Wants a job: waits for it if it is under way, else emits it. */
static void want(planner_t *planner, finds_t *finds, const chain_job_t *job) {
    if (!is_under_way(planner, job->id) && finds->found >= finds->most) {
        finds->short_of_room = true;
        return;
    }
    if (!wait_for(planner, job->id, finds->slot))
        return;
    *finds->tail = chain_look_job(&planner->look, job, NULL);
    finds->tail = &(*finds->tail)->next;
    finds->found++;
}

static void count(tally_t *tally, const chain_job_t *job) {
    if (!stage_is_counted(job->stage))
        return;
    if (job->state == CHAIN_DONE)
        tally->done[job->stage->number] += job->jobs;
    else if (job->state == CHAIN_FAILED)
        tally->failed[job->stage->number] += job->jobs;
}

/* True: the chain is finished. `finds` NULL: only asks that. */
static bool look_at_chain(planner_t *planner, store_txn_t *txn, const chain_t *chain,
                          shared_view_t *view, finds_t *finds, tally_t *tally) {
    chain_look_t *look = &planner->look;
    chain_look(look, &planner->options, txn, &view->neuron, chain);
    for (size_t i = 0; i < look->count; i++) {
        const chain_job_t *job = &look->jobs[i];
        count(tally, job);
        if (job->state == CHAIN_ABSENT && finds)
            (job->stage->scope == SCOPE_TEXT ? want_text : want)(planner, finds, job);
    }
    return !chain_look_is_open(look);
}

/* Puts what was seen now in the place of what was seen before. */
static void tally_up(planner_t *planner, tally_t *seen, const tally_t *now) {
    for (int stage = 0; stage < JOB_STAGES; stage++) {
        planner->counts.stages[stage].done += now->done[stage] - seen->done[stage];
        planner->counts.stages[stage].failed += now->failed[stage] - seen->failed[stage];
    }
    *seen = *now;
}

static void finish_chain(planner_t *planner, const tally_t *tally) {
    for (int stage = 0; stage < JOB_STAGES; stage++)
        planner->counts.stages[stage].chains += tally->done[stage] + tally->failed[stage] > 0;
    planner->counts.chains_finished++;
}

static void look_at_slot(planner_t *planner, store_txn_t *txn, size_t i, finds_t *finds) {
    slot_t *slot = &planner->slots[i];
    tally_t tally = {0};
    finds->slot = i;
    finds->short_of_room = false;
    bool finished = look_at_chain(planner, txn, &slot->chain, slot->view, finds, &tally);
    slot->dirty = finds->short_of_room;
    tally_up(planner, &slot->seen, &tally);
    if (!finished)
        return;
    finish_chain(planner, &slot->seen);
    view_release(slot->view);
    *slot = (slot_t){0};
    planner->used--;
}

/* Takes chains from the cursor until one is not finished and gets a slot. False: the sweep's end,
 * or enough for one step, so that read transactions stay short. */
static bool take_next(planner_t *planner, store_txn_t *txn, size_t *slot_index) {
    for (int skipped = 0;
         skipped < CHAINS_A_STEP && planner->cursor < sweep_chain_count(planner->sweep);
         skipped++) {
        chain_t chain = sweep_chain(planner->sweep, planner->cursor);
        shared_view_t *view = view_of(planner, txn, &chain);
        planner->cursor++;
        if (!view)
            continue;
        tally_t nothing = {0}, tally = {0};
        if (look_at_chain(planner, txn, &chain, view, NULL, &tally)) {
            tally_up(planner, &nothing, &tally);
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

/* One job for up to `batch` of the texts that wait, all of the first one's stage. */
static job_t *text_job(planner_t *planner, size_t batch) {
    const settings_t *settings = sweep_settings(planner->sweep);
    const stage_t *stage = planner->texts[0].stage;
    job_t *job = MEMORY_NEW(job_t);
    job->stage = stage->number;
    job->model = stage_model(stage, settings, NULL);
    job->texts = MEMORY_NEW_ARRAY(batch, char *);
    job->keys = MEMORY_NEW_ARRAY(batch, hash_t);
    size_t kept = 0;
    for (size_t i = 0; i < planner->text_count; i++) {
        waiting_text_t *text = &planner->texts[i];
        if (text->stage != stage || job->text_count == batch) {
            planner->texts[kept++] = *text;
            continue;
        }
        job->texts[job->text_count] = text->text;
        job->keys[job->text_count++] = text->key;
    }
    planner->text_count = kept;
    job->id = job->keys[0];
    job->label = memory_format("%zu texts", job->text_count);
    return job;
}

size_t planner_step(planner_t *planner, store_txn_t *txn, size_t most, bool idle, job_t **jobs) {
    while (*jobs)
        jobs = &(*jobs)->next;
    finds_t finds = {.most = most, .tail = jobs};
    for (size_t n = 0; n < planner->slot_count && finds.found < most; n++) {
        size_t i = (planner->first + n) % planner->slot_count;
        if (planner->slots[i].used && planner->slots[i].dirty)
            look_at_slot(planner, txn, i, &finds);
    }
    planner->first = (planner->first + 1) % planner->slot_count;
    size_t slot;
    while (finds.found < most && planner->used < planner->slot_count &&
           take_next(planner, txn, &slot))
        look_at_slot(planner, txn, slot, &finds);
    size_t batch = (size_t)sweep_settings(planner->sweep)->embed_batch;
    bool starved = (idle && finds.found == 0) || planner->text_count >= planner->slot_count / 2;
    while (finds.found < most && planner->text_count > 0 &&
           (planner->text_count >= batch || starved)) {
        *finds.tail = text_job(planner, batch);
        finds.tail = &(*finds.tail)->next;
        finds.found++;
    }
    return finds.found;
}

bool planner_is_waiting(const planner_t *planner) {
    for (size_t i = 0; i < planner->slot_count; i++)
        if (planner->slots[i].used && planner->slots[i].dirty)
            return false;
    return planner->used == planner->slot_count ||
           planner->cursor >= sweep_chain_count(planner->sweep);
}

bool planner_is_finished(const planner_t *planner) {
    return planner->used == 0 && planner->cursor >= sweep_chain_count(planner->sweep);
}

const planner_counts_t *planner_counts(const planner_t *planner) {
    return &planner->counts;
}

/* --- what holds between steps ----------------------------------------------------------------- */

/* Marks the slots that some job under way is awaited by. */
static const char *mark_awaiting(const planner_t *planner) {
    memset(planner->awaits, 0, planner->slot_count * sizeof *planner->awaits);
    for (size_t i = 0; i < BUCKETS; i++)
        for (const under_way_t *entry = planner->buckets[i]; entry; entry = entry->next) {
            if (!entry->waiters)
                return "a job is under way, and nobody waits for it";
            for (const waiter_t *waiter = entry->waiters; waiter; waiter = waiter->next)
                planner->awaits[waiter->slot] = true;
        }
    return NULL;
}

const char *planner_broken(const planner_t *planner) {
    size_t used = 0;
    const char *broken = mark_awaiting(planner);
    for (size_t i = 0; i < planner->slot_count; i++) {
        const slot_t *slot = &planner->slots[i];
        used += slot->used;
        if (slot->used && !slot->view)
            broken = "a chain has no neuron";
        if (slot->used && !slot->dirty && !planner->awaits[i])
            broken = "a chain waits for nothing, and is not looked at again";
    }
    if (used != planner->used)
        return "the count of slots is wrong";
    if (planner->text_count > planner->text_most)
        return "more texts wait than there is room for";
    for (size_t i = 0; i < planner->text_count; i++)
        if (!*find_under_way((planner_t *)(uintptr_t)planner, planner->texts[i].key))
            broken = "a text waits, and is not under way";
    return broken;
}
