/* chain_look.c - one look at a chain, row by row. */
#include "actors/sweep/chain_look.h"

#include <math.h>
#include <stdlib.h>

#include "core/base/memory.h"
#include "store/journal.h"
#include "store/responses.h"

enum { TEXTS = 2 }; /* of a chain: the explanation, the baseline */

/* One row during a look. */
typedef struct {
    bool looked;       /* `job` says what the store holds of it */
    chain_job_t job;   /* SCOPE_CHAIN */
    bool is_older;     /* job is DONE in an older form that a local stage may make anew */
    size_t first, end; /* SCOPE_RECORD, SCOPE_TEXT: its entries */
} row_look_t;

typedef struct {
    chain_look_t *look;
    const look_options_t *options;
    const settings_t *settings;
    const stage_table_t *table;
    store_txn_t *txn;
    neuron_view_t *view;
    const char *foreseen;    /* explanation; NULL: none */
    chain_state_t explained; /* state of the stage that needs none */
    row_look_t rows[JOB_STAGES];
} looker_t;

const char *chain_state_name(chain_state_t state) {
    switch (state) {
    case CHAIN_UNWANTED: return "unwanted";
    case CHAIN_ABSENT:
    case CHAIN_WAITING: return "missing";
    case CHAIN_DONE: return "done";
    case CHAIN_FAILED: return "failed";
    }
    return "missing";
}

/* --- what the store says of one job ----------------------------------------------------------- */

static bool is_whole(store_txn_t *txn, hash_t request) {
    response_info_t info;
    uint64_t response = response_find(txn, request);
    return response != 0 && response_get(txn, response, NULL, &info, NULL) && !info.trimmed;
}

static chain_state_t state_of_failure(const looker_t *looker, hash_t id) {
    job_failure_t failure;
    if (looker->options->as_of == LOOK_RETRY ||
        !journal_failure_get(looker->txn, looker->options->run, id, &failure))
        return CHAIN_ABSENT;
    bool stays = failure.terminal || looker->options->as_of == LOOK_NOW;
    job_failure_clear(&failure);
    return stays ? CHAIN_FAILED : CHAIN_ABSENT;
}

static chain_state_t state_of_result(const looker_t *looker, chain_job_t *job, bool *older) {
    const stage_t *stage = job->stage;
    if (!stage->decode)
        return CHAIN_DONE;
    if (!stage->decode(job->bytes.data, job->bytes.size, &job->result))
        return CHAIN_ABSENT;
    if (job->result.version >= stage->version)
        return CHAIN_DONE;
    *older = hash_is_zero(job->result.request);
    return !*older && is_whole(looker->txn, job->result.request) ? CHAIN_ABSENT : CHAIN_DONE;
}

/* `older`: it is done in a form that may be made anew from what it needs. */
static chain_state_t look_up(const looker_t *looker, chain_job_t *job, bool *older) {
    *older = false;
    if (looker->options->as_of == LOOK_EMPTY)
        return CHAIN_ABSENT;
    job_entry_t entry = {0};
    if (job->stage->keeps_vectors && embedding_get(looker->txn, job->id, &job->bytes))
        return CHAIN_DONE;
    entry = journal_get(looker->txn, job->id);
    if (entry.state == JOB_FAILED_RETRYABLE || entry.state == JOB_FAILED_TERMINAL)
        return state_of_failure(looker, job->id);
    if (entry.state == JOB_ABSENT || job->stage->keeps_vectors)
        return CHAIN_ABSENT;
    job->bytes = (store_bytes_t){entry.result, entry.result_size};
    return state_of_result(looker, job, older);
}

/* --- what a chain has ------------------------------------------------------------------------- */

static bool has_what_it_is_about(const looker_t *looker, const stage_t *stage) {
    return (!(stage->about & ABOUT_RECORDS) || neuron_view_scored(looker->view, looker->txn) > 0) &&
           (!(stage->about & ABOUT_BASELINE) || neuron_view_baseline(looker->view, looker->txn));
}

static stage_subject_t subject_of(const looker_t *looker, const stage_t *stage) {
    return (stage_subject_t){
        .chain = &looker->look->chain,
        .neuron = looker->view->hash,
        .explanation = looker->look->explanation.text,
        .baseline =
            stage->about & ABOUT_BASELINE ? neuron_view_baseline(looker->view, looker->txn) : NULL,
    };
}

static void add(looker_t *looker, const chain_job_t *job) {
    chain_look_t *look = looker->look;
    if (look->count == look->capacity) {
        look->capacity = look->capacity ? 2 * look->capacity : 16;
        look->jobs = memory_resize(look->jobs, look->capacity, sizeof *look->jobs);
    }
    look->jobs[look->count++] = *job;
}

static row_look_t *row_of(looker_t *looker, const stage_t *stage) {
    return &looker->rows[stage->number];
}

/* --- the chain's own jobs --------------------------------------------------------------------- */

/* The stage that needs none: what it says identifies all that follows. */
static void look_at_first(looker_t *looker, const stage_t *stage) {
    chain_look_t *look = looker->look;
    chain_job_t job = {.stage = stage, .jobs = 1};
    stage_subject_t subject = subject_of(looker, stage);
    bool older;
    job.id = stage->identify(looker->options->sweep, &subject);
    job.state = look_up(looker, &job, &older);
    job.failed_itself = job.state == CHAIN_FAILED;
    look->explained = job.state == CHAIN_DONE &&
                      explain_result_decode(job.bytes.data, job.bytes.size, &look->explanation);
    if (job.state == CHAIN_ABSENT && looker->foreseen) {
        look->explained = true;
        look->explanation.text = memory_copy_string(looker->foreseen);
    }
    looker->explained = job.state;
    add(looker, &job);
}

static void look_at_goal(looker_t *looker, const stage_t *stage) {
    row_look_t *row = row_of(looker, stage);
    chain_job_t *job = &row->job;
    stage_subject_t subject = subject_of(looker, stage);
    *job = (chain_job_t){.stage = stage, .jobs = 1};
    row->looked = true;
    if ((stage->about & ABOUT_BASELINE) && !subject.baseline)
        return; /* UNWANTED */
    if (looker->look->explained) {
        job->id = stage->identify(looker->options->sweep, &subject);
        job->state = look_up(looker, job, &row->is_older);
        job->failed_itself = job->state == CHAIN_FAILED;
        if (job->state == CHAIN_DONE || job->state == CHAIN_FAILED)
            return;
    }
    job->state = has_what_it_is_about(looker, stage) ? CHAIN_ABSENT : CHAIN_UNWANTED;
}

/* What a goal came to, once all that it needs was looked at. */
static void settle_goal(looker_t *looker, const stage_t *stage) {
    row_look_t *row = row_of(looker, stage);
    chain_job_t *job = &row->job;
    bool all = looker->explained == CHAIN_DONE, failed = looker->explained == CHAIN_FAILED;
    const row_look_t *needs = &looker->rows[stage->needs < JOB_STAGES ? stage->needs : 0];
    for (size_t i = needs->first; i < needs->end; i++) {
        chain_state_t state = looker->look->jobs[i].state;
        failed = failed || state == CHAIN_FAILED;
        all = all && state == CHAIN_DONE;
    }
    if (job->state == CHAIN_DONE && row->is_older && all)
        job->state = CHAIN_ABSENT;
    else if (job->state == CHAIN_ABSENT)
        job->state = failed ? CHAIN_FAILED : all ? CHAIN_ABSENT : CHAIN_WAITING;
    add(looker, job);
}

/* --- what they need --------------------------------------------------------------------------- */

/* What the goals say that need the jobs of the stage. */
static void ask_goals(looker_t *looker, const stage_t *stage, bool *awaited, bool *examined) {
    *awaited = false;
    *examined = looker->options->depth == LOOK_EACH;
    for (size_t i = 0; i < looker->table->count; i++) {
        const stage_t *goal = looker->table->rows[i];
        const row_look_t *row = row_of(looker, goal);
        if (goal->needs != stage->number || !row->looked)
            continue;
        *awaited = *awaited || row->job.state == CHAIN_ABSENT;
        *examined = *examined || *awaited || row->is_older;
    }
}

/* The done job that stands for all that it was made from; NULL: none. */
static const chain_job_t *stand_in(looker_t *looker, const stage_t *stage) {
    for (size_t i = 0; i < looker->table->count; i++) {
        const stage_t *goal = looker->table->rows[i];
        const row_look_t *row = row_of(looker, goal);
        if (goal->needs == stage->number && row->looked && row->job.state == CHAIN_DONE)
            return &row->job;
    }
    return NULL;
}

static chain_state_t state_of_unit(looker_t *looker, chain_job_t *job, bool awaited) {
    bool older,
        known = job->stage->scope == SCOPE_TEXT ? job->text != NULL : looker->look->explained;
    if (known) {
        stage_subject_t subject = subject_of(looker, job->stage);
        subject.text = job->text;
        if (job->stage->scope == SCOPE_RECORD)
            subject.record = neuron_view_scored_record(looker->view, job->record);
        job->id = job->stage->identify(looker->options->sweep, &subject);
        chain_state_t state = look_up(looker, job, &older);
        job->failed_itself = state == CHAIN_FAILED;
        if (state != CHAIN_ABSENT)
            return state;
    }
    if (!awaited)
        return CHAIN_UNWANTED;
    if (looker->explained == CHAIN_DONE)
        return CHAIN_ABSENT;
    return looker->explained == CHAIN_FAILED ? CHAIN_FAILED : CHAIN_WAITING;
}

/* The jobs of a stage that others need: one for each record or text. */
static void look_at_units(looker_t *looker, const stage_t *stage) {
    row_look_t *row = row_of(looker, stage);
    bool awaited, examined;
    ask_goals(looker, stage, &awaited, &examined);
    const chain_job_t *done = examined ? NULL : stand_in(looker, stage);
    row->first = row->end = looker->look->count;
    bool texts = stage->scope == SCOPE_TEXT;
    if (done) {
        uint64_t jobs = texts                    ? TEXTS
                        : looker->view->has_read ? neuron_view_scored(looker->view, looker->txn)
                                                 : (uint64_t)done->result.parts;
        add(looker, &(chain_job_t){.stage = stage, .state = CHAIN_DONE, .jobs = jobs});
        return;
    }
    if ((!examined && looker->options->depth == LOOK_NEXT) || !has_what_it_is_about(looker, stage))
        return;
    const char *of[TEXTS] = {looker->look->explanation.text,
                             texts ? neuron_view_baseline(looker->view, looker->txn) : NULL};
    size_t count = texts ? TEXTS : neuron_view_scored(looker->view, looker->txn);
    for (size_t i = 0; i < count; i++) {
        chain_job_t job = {
            .stage = stage, .jobs = 1, .record = texts ? 0 : i, .text = texts ? of[i] : NULL};
        job.state = state_of_unit(looker, &job, awaited);
        add(looker, &job);
    }
    row->end = looker->look->count;
}

/* --- the look --------------------------------------------------------------------------------- */

static bool is_goal(const stage_t *stage) {
    return stage->scope == SCOPE_CHAIN && stage->needs != STAGE_NONE;
}

void chain_look(chain_look_t *look, const look_options_t *options, store_txn_t *txn,
                neuron_view_t *view, const chain_t *chain) {
    chain_look_foreseeing(look, options, txn, view, chain, NULL);
}

void chain_look_foreseeing(chain_look_t *look, const look_options_t *options, store_txn_t *txn,
                           neuron_view_t *view, const chain_t *chain, const char *foreseen) {
    looker_t looker = {.look = look,
                       .options = options,
                       .settings = sweep_settings(options->sweep),
                       .table = sweep_stages(options->sweep),
                       .txn = txn,
                       .view = view,
                       .foreseen = foreseen};
    explain_result_clear(&look->explanation);
    look->options = options;
    look->chain = *chain;
    look->view = view;
    look->count = 0;
    look->explained = false;
    const stage_table_t *table = looker.table;
    for (size_t i = 0; i < table->count; i++)
        if (table->rows[i]->scope == SCOPE_CHAIN && !is_goal(table->rows[i]))
            look_at_first(&looker, table->rows[i]);
    if (options->depth == LOOK_NEXT && !look->explained)
        return;
    for (size_t i = 0; i < table->count; i++)
        if (is_goal(table->rows[i]) && table->rows[i]->is_wanted(looker.settings))
            look_at_goal(&looker, table->rows[i]);
    for (size_t i = 0; i < table->count; i++) {
        const stage_t *stage = table->rows[i];
        if (!stage->is_wanted(looker.settings))
            continue;
        if (stage->scope == SCOPE_RECORD || stage->scope == SCOPE_TEXT)
            look_at_units(&looker, stage);
        else if (is_goal(stage))
            settle_goal(&looker, stage);
    }
}

void chain_look_clear(chain_look_t *look) {
    explain_result_clear(&look->explanation);
    free(look->jobs);
    *look = (chain_look_t){0};
}

const chain_job_t *chain_look_find(const chain_look_t *look, job_stage_t stage) {
    for (size_t i = 0; i < look->count; i++)
        if (look->jobs[i].stage->number == stage)
            return &look->jobs[i];
    return NULL;
}

chain_measured_t chain_look_measured(const chain_look_t *look, job_stage_t stage) {
    const chain_job_t *job = chain_look_find(look, stage);
    const stage_telling_t *done = job && job->state == CHAIN_DONE ? job->stage->telling : NULL;
    chain_measured_t measured = {.state = job ? job->state : CHAIN_UNWANTED};
    for (size_t i = 0; i < STAGE_MEASURES; i++)
        measured.values[i] = done && done->measures[i].key ? job->result.values[i] : (double)NAN;
    for (size_t i = 0; i < STAGE_COUNTS; i++)
        measured.counts[i] = done && done->counts[i] ? job->result.counts[i] : -1;
    return measured;
}

bool chain_look_is_open(const chain_look_t *look) {
    for (size_t i = 0; i < look->count; i++)
        if (look->jobs[i].state == CHAIN_ABSENT || look->jobs[i].state == CHAIN_WAITING)
            return true;
    return false;
}

job_t *chain_look_job(const chain_look_t *look, const chain_job_t *of, const char *explanation) {
    const sweep_t *sweep = look->options->sweep;
    const stage_t *stage = of->stage;
    job_t *job = MEMORY_NEW(job_t);
    job->id = of->id;
    job->stage = stage->number;
    job->chain = look->chain;
    job->neuron = look->view->hash;
    job->label = sweep_label(sweep, &look->chain, look->view->id);
    job->model = stage_model(stage, sweep_settings(sweep), &look->chain);
    job->record = of->record;
    const char *explained = look->explained ? look->explanation.text : explanation;
    if (stage->scope == SCOPE_TEXT) {
        job->text_count = 1;
        job->texts = MEMORY_NEW_ARRAY(1, char *);
        job->keys = MEMORY_NEW_ARRAY(1, hash_t);
        job->texts[0] = memory_copy_string(of->text ? of->text : explained);
        job->keys[0] = of->id;
        return job;
    }
    if (stage->needs != STAGE_NONE)
        job->explanation = memory_copy_string(explained);
    if (stage->about & ABOUT_BASELINE)
        job->baseline = memory_copy_string(look->view->baseline);
    return job;
}
