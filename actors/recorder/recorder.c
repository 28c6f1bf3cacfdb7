/* recorder.c - the actor: who is at work on a recording, a worker or the archivist, and what comes
 * after. */
#include "actors/recorder/recorder.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

#include "actors/recorder/checkpoint.h"
#include "actors/recorder/forward.h"
#include "actors/recorder/pass.h"
#include "actors/recorder/recorder_progress.h"
#include "actors/recorder/storing.h"
#include "core/base/memory.h"

static const int64_t TICK = CLOCK_SECOND;

/* The state says what is under way between two messages, and alone says what comes after that:
 *
 *   CREATED --- recorder_start() ----------------------------------------------> PASSING
 *
 *   PASSING --- go_on(): a checkpoint is due, or the wish to stop came --------> RESTING
 *   PASSING --- go_on(): all of the first pass is merged ----------------------> SAMPLING
 *   PASSING --- go_on(): all of the second pass is merged ---------------------> STORING_EXCERPTS
 *   PASSING, RESTING --- take_back(): a batch failed --------------------------> FAILING
 *   FAILING --- go_on(): no batch is under way any more -----------------------> FINISHED
 *   SAMPLING --- sampled(): the excerpts of the second pass are drawn ---------> PASSING
 *
 *   RESTING --- go_on(): all that was taken is merged -------------------------> LOOKING
 *   LOOKING --- looked(): here is a group of pieces that changed --------------> SAVING_PIECES
 *   SAVING_PIECES --- pieces_saved(): there may be more -----------------------> LOOKING
 *   SAVING_PIECES --- pieces_saved(): those were all --------------------------> NAMING
 *   NAMING --- saved(): the checkpoint stands ---------------------------------> PASSING
 *   NAMING --- saved(): so does the wish to stop ------------------------------> FINISHED
 *
 *   STORING_EXCERPTS --- excerpts_stored(): there are more --------------------> STORING_EXCERPTS
 *   STORING_EXCERPTS, STORING_RECORDS --- store_neurons(): the next group -----> PACKING
 *   PACKING --- packed() ------------------------------------------------------> STORING_RECORDS
 *   STORING_RECORDS --- store_neurons(): those were all -----------------------> NAMING_SET
 *   STORING_EXCERPTS, STORING_RECORDS --- store_neurons(): the wish to stop ---> FINISHED
 *   NAMING_SET, DROPPING --- drop_further(): pieces may be left ---------------> DROPPING
 *   DROPPING --- drop_further(): none is left ---------------------------------> FINISHED
 *
 * become() is the only one that sets it; `rows` has the same as a table. */
typedef enum {
    CREATED,
    PASSING,          /* batches are taken, computed and merged */
    RESTING,          /* none is taken any more; those under way are merged */
    FAILING,          /* one failed; none is taken any more, those under way come back */
    SAMPLING,         /* a worker fixes the boundaries and draws the excerpts of the second pass */
    LOOKING,          /* a worker looks for pieces that are not as the last checkpoint has them */
    SAVING_PIECES,    /* the archivist has them */
    NAMING,           /* the archivist has the row that makes the checkpoint visible */
    STORING_EXCERPTS, /* the archivist has a group of excerpts */
    PACKING,          /* a worker makes the values of a group of neurons */
    STORING_RECORDS,  /* the archivist has them */
    NAMING_SET,       /* the archivist has the set of the records; an interrupt no longer matters */
    DROPPING,         /* the archivist has pieces of the checkpoint that go */
    FINISHED,
    STATES
} recorder_state_t;

struct recorder;

/* A slot of the pass, as a worker is given it. */
typedef struct {
    struct recorder *recorder;
    slot_t *slot;
    forward_t *forward;
    bool good; /* of the last run; else: */
    error_info_t error;
} slot_work_t;

typedef struct recorder {
    actor_t *self;
    recorder_options_t options;
    recorder_state_t state;
    recording_t recording; /* as the store has it */
    uint32_t *all;         /* [excerpts] 0, 1, ... */
    pass_t pass;
    slot_work_t *slot_works;  /* [pass.slot_count] */
    checkpoint_t *checkpoint; /* LOOKING to NAMING, else NULL */
    storing_t *storing;       /* from STORING_EXCERPTS on, else NULL */
    recorder_progress_t progress;
    clock_timer_t *timer;
    int64_t saved_at;   /* monotonic: the last checkpoint */
    int64_t since;      /* monotonic: up to here time is accounted for */
    error_info_t error; /* FAILING: of the first batch that failed */
    /* No states: the wish to stop comes from outside at any time, and each state heeds it when it
     * can; progress goes to the archivist now and then, and no state waits for it to come back. */
    bool interrupted, telling;
    /* Counted for recorder_broken() alone. */
    size_t works, writes; /* with workers; with the archivist, but for progress */
} recorder_t;

typedef enum { NOTHING, BATCHES, WORK, WRITE } under_way_t;

typedef struct {
    const char *name;
    under_way_t under_way;
    void (*then)(recorder_t *recorder); /* what was under way came back; BATCHES: one of them did */
    unsigned next;                      /* bits of states */
} row_t;
static const row_t rows[STATES];

static int64_t now_of(const recorder_t *recorder) {
    return clock_now(actor_clock(recorder->self));
}

/* The account of the time that a state takes. */
static int64_t *account_of(const recorder_t *recorder) {
    recorder_times_t *times = recorder->options.times;
    if (recorder->state < LOOKING)
        return &times->passing[recorder->pass.second];
    return recorder->state < STORING_EXCERPTS ? &times->saving : &times->storing;
}

static void become(recorder_t *recorder, recorder_state_t state) {
    assert(rows[recorder->state].next >> state & 1);
    int64_t now = now_of(recorder);
    *account_of(recorder) += now - recorder->since;
    recorder->since = now;
    recorder->state = state;
}

/* --- progress -------------------------------------------------------------------------------- */

/* `about` is borrowed. */
static recording_progress_t how_it_stands(const recorder_t *recorder) {
    const recorder_options_t *o = &recorder->options;
    recording_progress_t standing = {
        .id = o->id,
        .utc = clock_utc(actor_clock(recorder->self)),
        .about = recorder->recording.about,
        .step = recorder->pass.second ? RECORDING_SECOND_PASS : RECORDING_FIRST_PASS,
        .done = recorder->pass.merged,
        .total = recorder->pass.count,
        .eta = (double)NAN,
    };
    if (recorder->storing) {
        standing.step = RECORDING_STORING;
        standing.done = storing_neurons_stored(recorder->storing);
        standing.total = neuron_stats_count(o->stats);
    } else {
        recorder_progress_rate(&recorder->progress, now_of(recorder), o->excerpts->length,
                               &standing);
    }
    return standing;
}

static void show(recorder_t *recorder, bool last) {
    recording_progress_t now = how_it_stands(recorder);
    recorder_progress_show(&recorder->progress, now_of(recorder), &now, last);
}

/* For `glia status`. Not once the set is on its way: its write removes what stands there. */
static void tell(recorder_t *recorder) {
    if (recorder->telling || recorder->state >= NAMING_SET ||
        !recorder_progress_tells(&recorder->progress, now_of(recorder)))
        return;
    recording_progress_t now = how_it_stands(recorder);
    write_t *write = write_create(WRITE_META, recorder->self, NULL, NULL);
    write->key = memory_copy_string(RECORDING_PROGRESS_KEY);
    recording_progress_encode(&now, &write->result);
    recorder->telling =
        actor_send(recorder->options.archivist, recorder->self, MSG_WRITE, 0, write, write_free);
    if (!recorder->telling)
        write_free(write);
}

/* --- what is given away ---------------------------------------------------------------------- */

static void batch_done(void *context) {
    slot_work_t *work = context;
    actor_tell(work->recorder->self, work->recorder->self, MSG_WORKED, 0, work, NULL);
}

static void work_done(void *context) {
    recorder_t *recorder = context;
    actor_tell(recorder->self, recorder->self, MSG_WORKED, 0, NULL, NULL);
}

static void submit(recorder_t *recorder, executor_work_t *work, executor_done_t *done,
                   void *context) {
    recorder->works++;
    executor_submit(recorder->options.workers, work, done, context);
}

static void send_write(recorder_t *recorder, store_apply_t *apply, void *context) {
    recorder->writes++;
    write_t *write = write_create(WRITE_APPLY, recorder->self, context, NULL);
    write->apply = apply;
    actor_tell(recorder->options.archivist, recorder->self, MSG_WRITE, 0, write, write_free);
}

static void finish(recorder_t *recorder, recorder_end_t end, const error_info_t *error) {
    show(recorder, true);
    become(recorder, FINISHED);
    clock_timer_stop(actor_clock(recorder->self), recorder->timer);
    recorder->options.finished(recorder->options.context, end, error);
}

/* --- records --------------------------------------------------------------------------------- */

static void drop_further(recorder_t *recorder) {
    if (storing_has_dropped(recorder->storing)) {
        finish(recorder, RECORDER_DONE, NULL);
        return;
    }
    become(recorder, DROPPING);
    send_write(recorder, storing_drop, recorder->storing);
}

static void pack_work(void *context) {
    const recorder_t *recorder = context;
    storing_pack(recorder->storing);
}

static void store_neurons(recorder_t *recorder) {
    if (recorder->interrupted) {
        finish(recorder, RECORDER_INTERRUPTED, NULL);
    } else if (storing_neurons_left(recorder->storing) > 0) {
        become(recorder, PACKING);
        submit(recorder, pack_work, work_done, recorder);
    } else {
        become(recorder, NAMING_SET);
        send_write(recorder, storing_put_set, recorder->storing);
    }
}

static void packed(recorder_t *recorder) {
    become(recorder, STORING_RECORDS);
    send_write(recorder, storing_put_records, recorder->storing);
}

static void records_stored(recorder_t *recorder) {
    storing_records_stored(recorder->storing);
    store_neurons(recorder);
}

static void store_excerpts(recorder_t *recorder) {
    become(recorder, STORING_EXCERPTS);
    send_write(recorder, storing_put_excerpts, recorder->storing);
}

static void excerpts_stored(recorder_t *recorder) {
    storing_excerpts_stored(recorder->storing);
    if (!recorder->interrupted && storing_excerpts_left(recorder->storing) > 0)
        store_excerpts(recorder);
    else
        store_neurons(recorder);
}

static void store(recorder_t *recorder) {
    const recorder_options_t *o = &recorder->options;
    recorder->storing = storing_create(&(storing_options_t){
        .tokenizer = o->tokenizer,
        .excerpts = o->excerpts,
        .stats = o->stats,
        .id = o->id,
        .recording = &recorder->recording,
        .set_name = o->set_name,
        .origin = o->origin,
    });
    store_excerpts(recorder);
}

/* --- checkpoints ----------------------------------------------------------------------------- */

static void go_on(recorder_t *recorder);

static void look_work(void *context) {
    const recorder_t *recorder = context;
    checkpoint_look(recorder->checkpoint);
}

static void look(recorder_t *recorder) {
    become(recorder, LOOKING);
    submit(recorder, look_work, work_done, recorder);
}

static void save(recorder_t *recorder) {
    recorder->checkpoint =
        checkpoint_create(recorder->options.id, &recorder->recording, recorder->options.stats);
    look(recorder);
}

static void looked(recorder_t *recorder) {
    recorder->options.times->checkpoint_bytes += checkpoint_group_bytes(recorder->checkpoint);
    become(recorder, SAVING_PIECES);
    send_write(recorder, checkpoint_put_group, recorder->checkpoint);
}

static void pieces_saved(recorder_t *recorder) {
    if (checkpoint_has_more(recorder->checkpoint)) {
        look(recorder);
        return;
    }
    become(recorder, NAMING);
    send_write(recorder, checkpoint_put_row, recorder->checkpoint);
}

static void saved(recorder_t *recorder) {
    checkpoint_keep(recorder->checkpoint, &recorder->recording);
    recorder->checkpoint = NULL;
    recorder->options.times->checkpoints++;
    if (recorder->interrupted) {
        finish(recorder, RECORDER_INTERRUPTED, NULL);
        return;
    }
    become(recorder, PASSING);
    recorder->saved_at = now_of(recorder);
    recorder_progress_count(&recorder->progress, recorder->saved_at, recorder->pass.merged);
    go_on(recorder);
}

/* --- passes ---------------------------------------------------------------------------------- */

static void forward_work(void *context) {
    slot_work_t *work = context;
    work->good = forward_run(work->forward, work->slot->excerpts, work->slot->count, &work->error);
}

static void merge_work(void *context) {
    slot_work_t *work = context;
    forward_merge(work->forward);
}

static slot_work_t *work_in(const recorder_t *recorder, slot_t *slot) {
    return &recorder->slot_works[slot - recorder->pass.slots];
}

/* The pass that the statistics are in. */
static void start_pass(recorder_t *recorder) {
    neuron_stats_t *stats = recorder->options.stats;
    const uint32_t *list = recorder->all;
    size_t count = recorder->options.excerpts->count;
    if (neuron_stats_sampling(stats))
        neuron_stats_sample(stats, &list, &count);
    pass_start(&recorder->pass, neuron_stats_sampling(stats), list, count,
               neuron_stats_merged(stats));
    recorder_progress_count(&recorder->progress, now_of(recorder), recorder->pass.merged);
}

static void sample_work(void *context) {
    const recorder_t *recorder = context;
    const uint32_t *list;
    size_t count;
    neuron_stats_sample(recorder->options.stats, &list, &count);
}

static void sample(recorder_t *recorder) {
    become(recorder, SAMPLING);
    submit(recorder, sample_work, work_done, recorder);
}

static void sampled(recorder_t *recorder) {
    start_pass(recorder);
    become(recorder, PASSING);
    go_on(recorder);
}

static bool has_to_rest(const recorder_t *recorder) {
    bool due = now_of(recorder) - recorder->saved_at >= recorder->options.checkpoint;
    return recorder->interrupted || (due && pass_has_more(&recorder->pass));
}

/* As far as it goes without a message. */
static void go_on(recorder_t *recorder) {
    pass_t *pass = &recorder->pass;
    slot_t *slot = pass_take_merge(pass);
    if (slot)
        submit(recorder, merge_work, batch_done, work_in(recorder, slot));
    if (recorder->state == PASSING && has_to_rest(recorder))
        become(recorder, RESTING);
    while (recorder->state == PASSING && (slot = pass_take(pass)))
        submit(recorder, forward_work, batch_done, work_in(recorder, slot));
    if (pass_running(pass) + pass_merging(pass) > 0)
        return;
    if (recorder->state == FAILING)
        finish(recorder, RECORDER_FAILED, &recorder->error);
    else if (recorder->state == RESTING)
        save(recorder);
    else if (pass->second)
        store(recorder);
    else
        sample(recorder);
}

static void take_back(recorder_t *recorder, const slot_work_t *work) {
    if (work->slot->state == SLOT_MERGING) {
        recorder->options.times->excerpts[recorder->pass.second] += work->slot->count;
        pass_merged(&recorder->pass, work->slot);
        return;
    }
    pass_ran(work->slot, work->good);
    if (work->good || recorder->state == FAILING)
        return;
    recorder->error = work->error;
    become(recorder, FAILING);
}

/* --- states ---------------------------------------------------------------------------------- */

#define BIT(state) (1U << (state))

static const row_t rows[STATES] = {
    [CREATED] = {"created", NOTHING, NULL, BIT(PASSING)},
    [PASSING] = {"passing", BATCHES, go_on,
                 BIT(RESTING) | BIT(FAILING) | BIT(SAMPLING) | BIT(STORING_EXCERPTS)},
    [RESTING] = {"resting", BATCHES, go_on, BIT(FAILING) | BIT(LOOKING)},
    [FAILING] = {"failing", BATCHES, go_on, BIT(FINISHED)},
    [SAMPLING] = {"sampling", WORK, sampled, BIT(PASSING)},
    [LOOKING] = {"looking", WORK, looked, BIT(SAVING_PIECES)},
    [SAVING_PIECES] = {"saving pieces", WRITE, pieces_saved, BIT(LOOKING) | BIT(NAMING)},
    [NAMING] = {"naming", WRITE, saved, BIT(PASSING) | BIT(FINISHED)},
    [STORING_EXCERPTS] = {"storing excerpts", WRITE, excerpts_stored,
                          BIT(STORING_EXCERPTS) | BIT(PACKING) | BIT(FINISHED)},
    [PACKING] = {"packing", WORK, packed, BIT(STORING_RECORDS)},
    [STORING_RECORDS] = {"storing records", WRITE, records_stored,
                         BIT(PACKING) | BIT(NAMING_SET) | BIT(FINISHED)},
    [NAMING_SET] = {"naming the set", WRITE, drop_further, BIT(DROPPING)},
    [DROPPING] = {"dropping", WRITE, drop_further, BIT(DROPPING) | BIT(FINISHED)},
    [FINISHED] = {"finished", NOTHING, NULL, 0},
};

/* What the pass and the statistics say of each other; these are a worker's while it merges or
 * samples. */
static const char *pass_and_stats_broken(const recorder_t *recorder) {
    const pass_t *pass = &recorder->pass;
    const neuron_stats_t *stats = recorder->options.stats;
    if (recorder->state == SAMPLING)
        return pass->second || pass->merged < pass->count
                   ? "the second pass is drawn before the first is done"
                   : NULL;
    if (pass_merging(pass) > 0)
        return NULL;
    if (pass->second != neuron_stats_sampling(stats))
        return "the pass is not the one that the statistics are in";
    return pass->merged == neuron_stats_merged(stats) ? NULL
                                                      : "the statistics have merged other excerpts";
}

static const char *storing_broken(const recorder_t *recorder) {
    const storing_t *storing = recorder->storing;
    if (!recorder->pass.second || recorder->pass.merged < recorder->pass.count)
        return "records are stored before both passes are done";
    if (recorder->state == STORING_EXCERPTS)
        return storing_excerpts_left(storing) > 0 ? NULL : "excerpts are stored, and none is left";
    if (recorder->state == FINISHED)
        return NULL; /* an interrupt leaves some of everything */
    if (storing_excerpts_left(storing) > 0)
        return "records are stored before their excerpts";
    bool left = storing_neurons_left(storing) > 0;
    return left == (recorder->state < NAMING_SET) ? NULL : "the set is named too early or too late";
}

static const char *recorder_broken(const void *state) {
    const recorder_t *recorder = state;
    const row_t *row = &rows[recorder->state];
    size_t batches = pass_running(&recorder->pass) + pass_merging(&recorder->pass);
    if (recorder->works != batches + (row->under_way == WORK))
        return "the workers do not have what the state says";
    if ((batches > 0) != (row->under_way == BATCHES))
        return "batches are under way in a state without any, or none in a state with some";
    if (recorder->writes != (row->under_way == WRITE))
        return "the archivist does not have the write that the state says";
    if (recorder->state == PASSING && recorder->interrupted)
        return "batches are taken in spite of an interrupt";
    if ((recorder->checkpoint != NULL) != (recorder->state >= LOOKING && recorder->state <= NAMING))
        return "a checkpoint is there, or not, against the state";
    if (recorder->state == NAMING && checkpoint_has_more(recorder->checkpoint))
        return "a checkpoint is named before its pieces are saved";
    if (!recorder->storing && recorder->state >= STORING_EXCERPTS && recorder->state < FINISHED)
        return "records are stored, and nothing is there to store";
    const char *what = pass_broken(&recorder->pass);
    what = what ? what : pass_and_stats_broken(recorder);
    return what || !recorder->storing ? what : storing_broken(recorder);
}

const char *recorder_state_name(const actor_t *recorder) {
    return rows[((const recorder_t *)actor_state(recorder))->state].name;
}

/* --- messages -------------------------------------------------------------------------------- */

/* work: NULL unless it is of a slot. */
static void on_worked(recorder_t *recorder, const slot_work_t *work) {
    recorder->works--;
    if (work)
        take_back(recorder, work);
    rows[recorder->state].then(recorder);
}

static void on_written(recorder_t *recorder, const write_t *write) {
    if (write->kind == WRITE_META) {
        recorder->telling = false;
        return;
    }
    recorder->writes--;
    rows[recorder->state].then(recorder);
}

static void on_interrupt(recorder_t *recorder) {
    recorder->interrupted = true;
    if (recorder->state == PASSING)
        go_on(recorder);
}

static void on_tick(recorder_t *recorder) {
    if (recorder->state == FINISHED)
        return;
    show(recorder, false);
    tell(recorder);
    clock_timer_start(actor_clock(recorder->self), recorder->timer, now_of(recorder) + TICK);
}

static void recorder_receive(actor_t *self, void *state, actor_message_t *message) {
    (void)self;
    recorder_t *recorder = state;
    switch (message->kind) {
    case MSG_WORKED: on_worked(recorder, message->payload); break;
    case MSG_WRITTEN: on_written(recorder, message->payload); break;
    case MSG_INTERRUPT: on_interrupt(recorder); break;
    case MSG_TICK: on_tick(recorder); break;
    default: break;
    }
}

static void tick_fire(void *context) {
    recorder_t *recorder = context;
    (void)actor_send(recorder->self, recorder->self, MSG_TICK, 0, NULL, NULL);
}

static void recorder_start(actor_t *self, void *state) {
    recorder_t *recorder = state;
    clock_port_t *clock = actor_clock(self);
    recorder->timer = clock_timer_create(clock, tick_fire, recorder);
    recorder->saved_at = recorder->since = recorder->progress.shown_at = clock_now(clock);
    clock_timer_start(clock, recorder->timer, clock_now(clock) + TICK);
    start_pass(recorder);
    become(recorder, PASSING);
    go_on(recorder);
}

static void recorder_free(void *state) {
    recorder_t *recorder = state;
    for (size_t i = 0; i < recorder->pass.slot_count; i++)
        forward_free(recorder->slot_works[i].forward);
    if (recorder->self)
        clock_timer_free(actor_clock(recorder->self), recorder->timer);
    checkpoint_free(recorder->checkpoint);
    storing_free(recorder->storing);
    recording_clear(&recorder->recording);
    pass_clear(&recorder->pass);
    free(recorder->slot_works);
    free(recorder->all);
    free(recorder);
}

static const actor_definition_t recorder_definition = {
    .name = "recorder",
    .kinds = ACTOR_KIND(MSG_WORKED) | ACTOR_KIND(MSG_WRITTEN) | ACTOR_KIND(MSG_INTERRUPT) |
             ACTOR_KIND(MSG_TICK),
    .mailbox = 256,
    .start = recorder_start,
    .receive = recorder_receive,
    .free = recorder_free,
    .broken = recorder_broken,
};

/* --- from outside ---------------------------------------------------------------------------- */

size_t recorder_batch_excerpts(size_t length) {
    return length < RECORDER_BATCH_TOKENS ? RECORDER_BATCH_TOKENS / length : 1;
}

/* One slot more than there are workers, so that none waits for a merge. */
static bool make_slots(recorder_t *recorder, error_info_t *error) {
    const recorder_options_t *o = &recorder->options;
    size_t batch = recorder_batch_excerpts(o->excerpts->length);
    pass_create(&recorder->pass, o->worker_count + 1, batch);
    recorder->slot_works = MEMORY_NEW_ARRAY(o->worker_count + 1, slot_work_t);
    bool good = true;
    for (size_t i = 0; good && i < o->worker_count + 1; i++) {
        forward_t *forward = forward_create(o->model, o->excerpts, o->stats, batch, error);
        recorder->slot_works[i] = (slot_work_t){
            .recorder = recorder, .slot = &recorder->pass.slots[i], .forward = forward};
        good = forward != NULL;
    }
    return good;
}

actor_t *recorder_create(scheduler_t *scheduler, const recorder_options_t *options,
                         error_info_t *error) {
    recorder_t *recorder = MEMORY_NEW(recorder_t);
    recorder->options = *options;
    recorder->progress = (recorder_progress_t){
        .terminal = options->terminal,
        .quiet = options->quiet,
        .write = options->write,
        .context = options->context,
    };
    recorder->all = MEMORY_NEW_ARRAY(options->excerpts->count, uint32_t);
    for (size_t i = 0; i < options->excerpts->count; i++)
        recorder->all[i] = (uint32_t)i;
    checkpoint_copy_recording(&recorder->recording, options->recording);
    if (!checkpoint_load(options->store, options->id, &recorder->recording, options->stats,
                         error) ||
        !make_slots(recorder, error)) {
        recorder_free(recorder);
        return NULL;
    }
    recorder->self = actor_create(scheduler, &recorder_definition, recorder, 0);
    return recorder->self;
}

void recorder_interrupt(actor_t *recorder) {
    (void)actor_send(recorder, NULL, MSG_INTERRUPT, 0, NULL, NULL);
}
