/* test_recorder.c - the recorder with its neighbours played by the test: workers and time from a
 * seed, an archivist that only commits and answers, a tiny model. After every message what must
 * hold is looked at. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "actors/recorder/checkpoint.h"
#include "actors/recorder/pass.h"
#include "actors/recorder/recorder.h"
#include "actors/recorder/recorder_progress.h"
#include "core/base/memory.h"
#include "core/base/rng.h"
#include "core/subject/safetensors.h"
#include "store/records.h"
#include "test/rehearsal/world.h"
#include "test/unit/store_dir.h"
#include "test/unit/tiny_tokenizer.h"

#define DATA "test/data/gpt2_reference/new_f32/"

/* Five batches of the first pass and four of the second (NEURON_STATS_SAMPLE excerpts); two groups
 * of excerpts, two of neurons. */
enum {
    EXCERPTS = 1100,
    LENGTH = 2,
    BATCH = 256,
    LAYERS = 3,
    WIDTH = 128,
    CHOSEN = 35,
    BAD_TOKEN = 60
};
/* Records of greatest activation of a neuron, so many that a checkpoint takes several writes. */
enum { MANY = 5000, LONG = 24 };

/* --- the subject ----------------------------------------------------------------------------- */

typedef struct {
    buffer_t config, weights;
    embedded_file_t list[2];
    subject_files_t *files;
    gpt2_t *model;
    tokenizer_t *tokenizer;
    excerpts_t excerpts;
    hash_t undisturbed; /* what a recording leaves in the store */
} subject_t;

/* An excerpt with BAD_TOKEN overflows; no other does. */
static void spoil_token(buffer_t *weights) {
    safetensors_t *tensors =
        safetensors_parse((const uint8_t *)weights->data, weights->length, "weights", NULL);
    const safetensors_tensor_t *tensor = safetensors_find(tensors, "wte.weight");
    size_t width = tensor->shape[1], at = (size_t)(tensor->data - (const uint8_t *)weights->data);
    for (size_t i = 0; i < width; i++) {
        float huge = i % 2 ? 3e38F : 1e38F;
        memcpy(weights->data + at + (BAD_TOKEN * width + i) * sizeof huge, &huge, sizeof huge);
    }
    safetensors_close(tensors);
}

static excerpts_t draw_excerpts(size_t count, size_t length) {
    rng_t rng = rng_create(3);
    uint32_t *tokens = MEMORY_NEW_ARRAY(count * length, uint32_t);
    for (size_t i = 0; i < count * length; i++)
        tokens[i] = (uint32_t)rng_below(&rng, BAD_TOKEN);
    return (excerpts_t){
        .count = count,
        .length = length,
        .tokens = tokens,
        .identity = hash_bytes(tokens, count * length * sizeof *tokens),
    };
}

static subject_t *subject_create(void) {
    static const char *const no_merges[] = {NULL};
    error_info_t error = {0};
    subject_t *subject = MEMORY_NEW(subject_t);
    assert_true(buffer_read_file(&subject->config, DATA "config.json", 0, NULL));
    assert_true(buffer_read_file(&subject->weights, DATA "model.safetensors", 0, NULL));
    spoil_token(&subject->weights);
    subject->list[0] = (embedded_file_t){
        .name = "config.json", .data = subject->config.data, .size = subject->config.length};
    subject->list[1] = (embedded_file_t){.name = "model.safetensors",
                                         .data = subject->weights.data,
                                         .size = subject->weights.length};
    subject->files = subject_files_of(subject->list, 2);
    subject->model = gpt2_load(subject->files, NULL, &error);
    assert_non_null(subject->model);
    subject->tokenizer = tiny_tokenizer(no_merges);
    subject->excerpts = draw_excerpts(EXCERPTS, LENGTH);
    return subject;
}

static void subject_free(subject_t *subject) {
    excerpts_clear(&subject->excerpts);
    tokenizer_free(subject->tokenizer);
    gpt2_free(subject->model);
    subject_files_close(subject->files);
    buffer_free(&subject->config);
    buffer_free(&subject->weights);
    free(subject);
}

static neuron_stats_t *stats_create(const subject_t *subject, size_t top) {
    static uint32_t numbers[WIDTH];
    for (uint32_t i = 0; i < WIDTH; i++)
        numbers[i] = i;
    const uint32_t *chosen[LAYERS] = {numbers, numbers, numbers};
    size_t counts[LAYERS] = {CHOSEN, 0, CHOSEN};
    return neuron_stats_create(&(neuron_stats_options_t){
        .layers = LAYERS,
        .neurons = WIDTH,
        .counts = counts,
        .chosen = chosen,
        .excerpts = subject->excerpts.count,
        .length = subject->excerpts.length,
        .top = top,
        .random = 2,
        .band = 1,
        .seed = 1,
    });
}

/* --- one process, until the recording ends, is crashed, or is interrupted -------------------- */

typedef struct {
    uint64_t seed;
    size_t workers;                        /* 0: 2 */
    int64_t slowest_work, slowest_write;   /* microseconds; 0: one second */
    int64_t checkpoint;                    /* 0: never */
    uint64_t interrupt_after, crash_after; /* messages of the recorder; 0: never */
    bool terminal;
    size_t top; /* records; 0: 3 */
} how_t;

typedef struct {
    how_t how;
    world_t *world;
    executor_t *workers, *committer;
    scheduler_t *scheduler;
    store_t *store;
    actor_t *archivist, *recorder;
    neuron_stats_t *stats;
    recording_t recording;
    /* seen by the archivist */
    size_t applies, progresses; /* that it has now */
    size_t ticks, most_ticks;   /* that came during one of the applies */
    /* what came of it */
    uint64_t messages;
    bool crashed;            /* what the archivist has then is lost */
    char interrupted_in[32]; /* the state */
    bool ended;
    recorder_end_t end;
    recorder_times_t times;
    error_info_t error;
    buffer_t said;
} rehearsal_t;

static hash_t recording_id(void) {
    return hash_bytes("recording", 9);
}

/* The archivist: one transaction a write, in order; answers when it is committed. */

typedef struct {
    rehearsal_t *rehearsal;
    write_t *write;
} commit_t;

static bool apply_meta(store_txn_t *txn, void *context, error_info_t *error) {
    const write_t *write = context;
    return store_put(txn, TABLE_META, write->key, strlen(write->key), write->result.data,
                     write->result.length, error);
}

static void commit_work(void *context) {
    commit_t *commit = context;
    write_t *write = commit->write;
    if (commit->rehearsal->crashed)
        return;
    if (write->kind == WRITE_APPLY)
        store_dir_write(commit->rehearsal->store, write->apply, write->context);
    else
        store_dir_write(commit->rehearsal->store, apply_meta, write);
}

static void commit_done(void *context) {
    commit_t *commit = context;
    rehearsal_t *rehearsal = commit->rehearsal;
    *(commit->write->kind == WRITE_APPLY ? &rehearsal->applies : &rehearsal->progresses) -= 1;
    actor_tell(commit->write->reply_to, rehearsal->archivist, MSG_WRITTEN, 0, commit->write,
               write_free);
    free(commit);
}

static void archivist_receive(actor_t *self, void *state, actor_message_t *message) {
    (void)self;
    rehearsal_t *rehearsal = state;
    commit_t *commit = MEMORY_NEW(commit_t);
    *commit = (commit_t){.rehearsal = rehearsal, .write = message->payload};
    message->payload = NULL;
    assert_true(commit->write->kind == WRITE_APPLY || commit->write->kind == WRITE_META);
    size_t *held =
        commit->write->kind == WRITE_APPLY ? &rehearsal->applies : &rehearsal->progresses;
    assert_int_equal(++*held, 1);
    executor_submit(rehearsal->committer, commit_work, commit_done, commit);
}

static const actor_definition_t archivist_definition = {
    .name = "archivist",
    .kinds = ACTOR_KIND(MSG_WRITE),
    .mailbox = 2, /* records, and progress */
    .receive = archivist_receive,
};

static void on_message(void *context, const actor_t *actor, int kind) {
    rehearsal_t *rehearsal = context;
    if (actor != rehearsal->recorder)
        return;
    const char *what = actor_broken(actor);
    if (what)
        fail_msg("seed %d, message %d, %s: %s", (int)rehearsal->how.seed, (int)rehearsal->messages,
                 recorder_state_name(actor), what);
    rehearsal->messages++;
    rehearsal->ticks = rehearsal->applies == 0 ? 0 : rehearsal->ticks + (kind == MSG_TICK);
    rehearsal->most_ticks =
        rehearsal->ticks > rehearsal->most_ticks ? rehearsal->ticks : rehearsal->most_ticks;
    if (rehearsal->messages == rehearsal->how.interrupt_after) {
        strcpy(rehearsal->interrupted_in, recorder_state_name(actor));
        recorder_interrupt(rehearsal->recorder);
    }
    if (rehearsal->messages == rehearsal->how.crash_after)
        world_stop(rehearsal->world);
}

static void on_finished(void *context, recorder_end_t end, const error_info_t *error) {
    rehearsal_t *rehearsal = context;
    assert_false(rehearsal->ended);
    rehearsal->ended = true;
    rehearsal->end = end;
    /* a tick that was on its way */
    assert_true(actor_send(rehearsal->recorder, rehearsal->recorder, MSG_TICK, 0, NULL, NULL));
    if (error)
        rehearsal->error = *error;
}

static void say(void *context, const char *text) {
    buffer_append_text(&((rehearsal_t *)context)->said, text);
}

static void find_recording(rehearsal_t *rehearsal, const subject_t *subject) {
    store_txn_t *txn = store_dir_read(rehearsal->store);
    if (!recording_get(txn, recording_id(), &rehearsal->recording))
        rehearsal->recording = (recording_t){
            .core = memory_copy_string("any"),
            .about = memory_copy_string("some excerpts"),
            .layers = LAYERS,
            .width = WIDTH,
            .excerpts = subject->excerpts.identity,
        };
    store_read_end(txn);
}

static void create_recorder(rehearsal_t *rehearsal, const subject_t *subject) {
    const how_t *how = &rehearsal->how;
    recorder_options_t options = {
        .store = rehearsal->store,
        .workers = rehearsal->workers,
        .worker_count = how->workers ? how->workers : 2,
        .archivist = rehearsal->archivist,
        .model = subject->model,
        .tokenizer = subject->tokenizer,
        .excerpts = &subject->excerpts,
        .stats = rehearsal->stats,
        .id = recording_id(),
        .recording = &rehearsal->recording,
        .set_name = "record/test/",
        .origin = "a test",
        .checkpoint = how->checkpoint ? how->checkpoint : INT64_MAX / 2,
        .terminal = how->terminal,
        .quiet = 2 * CLOCK_SECOND,
        .write = say,
        .times = &rehearsal->times,
        .finished = on_finished,
        .context = rehearsal,
    };
    error_info_t error = {0};
    rehearsal->recorder = recorder_create(rehearsal->scheduler, &options, &error);
    if (!rehearsal->recorder)
        fail_msg("%s", error.message);
}

/* What came of it; rehearsal_clear() at the end. */
static rehearsal_t play(const subject_t *subject, store_t *store, how_t how) {
    rehearsal_t rehearsal = {.how = how,
                             .store = store,
                             .world = world_create(how.seed, 0),
                             .stats = stats_create(subject, how.top ? how.top : 3)};
    int64_t work = how.slowest_work ? how.slowest_work : CLOCK_SECOND;
    int64_t write = how.slowest_write ? how.slowest_write : CLOCK_SECOND;
    rehearsal.workers = world_executor_create(rehearsal.world, WORLD_SHUFFLED, work);
    rehearsal.committer = world_executor_create(rehearsal.world, WORLD_FIFO, write);
    rehearsal.scheduler = scheduler_create(world_clock(rehearsal.world));
    scheduler_set_watch(rehearsal.scheduler, on_message, &rehearsal);
    rehearsal.archivist = actor_create(rehearsal.scheduler, &archivist_definition, &rehearsal, 0);
    find_recording(&rehearsal, subject);
    create_recorder(&rehearsal, subject);
    world_end_t end = world_run(rehearsal.world, 5000, INT64_MAX);
    assert_int_equal(end, rehearsal.ended ? WORLD_EMPTY : WORLD_STOPPED);
    rehearsal.crashed = !rehearsal.ended;
    assert_true(!rehearsal.ended || rehearsal.applies + rehearsal.progresses == 0);
    world_executor_free(rehearsal.workers);
    world_executor_free(rehearsal.committer);
    scheduler_free(rehearsal.scheduler);
    neuron_stats_free(rehearsal.stats);
    world_free(rehearsal.world);
    recording_clear(&rehearsal.recording);
    return rehearsal;
}

static void rehearsal_clear(rehearsal_t *rehearsal) {
    buffer_free(&rehearsal->said);
}

/* --- what it leaves -------------------------------------------------------------------------- */

static void add_table(hash_builder_t *builder, store_txn_t *txn, store_table_t table) {
    store_walk_t walk = {0};
    while (store_walk_next(txn, table, &walk)) {
        hash_builder_add_bytes(builder, walk.key.data, walk.key.size);
        hash_builder_add_bytes(builder, walk.value.data, walk.value.size);
    }
    store_walk_end(&walk);
    hash_builder_add_integer(builder, (int64_t)store_count(txn, table));
}

/* Of a recording that is done. */
static hash_t left_in(const subject_t *subject, store_t *store) {
    static const store_table_t tables[] = {TABLE_EXCERPTS, TABLE_NEURONS, TABLE_SETS,
                                           TABLE_SET_NAMES};
    store_txn_t *txn = store_dir_read(store);
    recording_t recording;
    record_set_t set;
    recording_progress_t progress;
    assert_true(recording_get(txn, recording_id(), &recording));
    assert_true(recording.done && recording.neurons == 2 * CHOSEN);
    assert_true(records_set_find(txn, "record/test/", &set));
    assert_true(hash_equal(set.content, recording.set));
    assert_int_equal(store_count(txn, TABLE_PIECES), 0);
    assert_int_equal(store_count(txn, TABLE_EXCERPTS), subject->excerpts.count);
    assert_int_equal(store_count(txn, TABLE_NEURONS), 2 * CHOSEN);
    assert_false(recording_progress_get(txn, &progress));
    hash_builder_t *builder = hash_builder_create("left");
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++)
        add_table(builder, txn, tables[i]);
    store_read_end(txn);
    records_set_clear(&set);
    recording_clear(&recording);
    return hash_builder_finish(builder);
}

/* Plays it out, in a new process: the same is left as of an undisturbed one. */
static void goes_on_to_the_same(const subject_t *subject, store_t *store, how_t how) {
    rehearsal_t rehearsal = play(subject, store, how);
    assert_int_equal(rehearsal.end, RECORDER_DONE);
    hash_t left = left_in(subject, store);
    assert_true(hash_equal(left, subject->undisturbed));
    rehearsal_clear(&rehearsal);
}

static int setup(void **state) {
    *state = subject_create();
    return 0;
}

static int teardown(void **state) {
    subject_free(*state);
    return 0;
}

static store_dir_t *make_store(void) {
    void *fixture;
    store_dir_setup(&fixture);
    return fixture;
}

static void remove_store(store_dir_t *own) {
    void *fixture = own;
    store_dir_teardown(&fixture);
}

/* --- the actor ------------------------------------------------------------------------------- */

static void a_whole_recording(void **state) {
    subject_t *subject = *state;
    store_dir_t *own = make_store();
    rehearsal_t rehearsal = play(subject, own->store, (how_t){.seed = 1, .workers = 1});
    assert_int_equal(rehearsal.end, RECORDER_DONE);
    assert_int_equal(rehearsal.times.excerpts[0], EXCERPTS);
    assert_int_equal(rehearsal.times.excerpts[1], NEURON_STATS_SAMPLE);
    assert_int_equal(rehearsal.times.checkpoints, 0);
    assert_int_equal(rehearsal.times.saving, 0);
    assert_true(rehearsal.times.passing[0] > 0 && rehearsal.times.passing[1] > 0 &&
                rehearsal.times.storing > 0);
    assert_non_null(strstr(buffer_text(&rehearsal.said), "glia: recording, pass 1 of 2: "));
    subject->undisturbed = left_in(subject, own->store);
    rehearsal_clear(&rehearsal);
    remove_store(own);
}

static void the_order_of_workers_changes_nothing(void **state) {
    const subject_t *subject = *state;
    for (uint64_t seed = 1; seed <= 12; seed++) {
        store_dir_t *own = make_store();
        goes_on_to_the_same(subject, own->store, (how_t){.seed = seed, .workers = seed});
        remove_store(own);
    }
}

static void checkpoints_change_nothing(void **state) {
    const subject_t *subject = *state;
    store_dir_t *own = make_store();
    rehearsal_t rehearsal = play(subject, own->store, (how_t){.seed = 2, .checkpoint = 1});
    assert_int_equal(rehearsal.end, RECORDER_DONE);
    /* three slots: behind three batches of each pass, and between */
    assert_int_equal(rehearsal.times.checkpoints, 3);
    assert_true(rehearsal.times.checkpoint_bytes > 0 && rehearsal.times.saving > 0);
    hash_t left = left_in(subject, own->store);
    assert_true(hash_equal(left, subject->undisturbed));
    rehearsal_clear(&rehearsal);
    remove_store(own);
}

/* More than fits into a write: groups of pieces are saved, and dropped in the end. */
static void large_checkpoints_go_in_groups(void **state) {
    subject_t large = *(const subject_t *)*state;
    large.excerpts = draw_excerpts(100, LONG);
    store_dir_t *own = make_store(), *other = make_store();
    rehearsal_t plain = play(&large, own->store, (how_t){.seed = 3, .top = MANY});
    rehearsal_t rehearsal =
        play(&large, other->store, (how_t){.seed = 4, .top = MANY, .checkpoint = 1});
    assert_int_equal(rehearsal.end, RECORDER_DONE);
    assert_true(rehearsal.times.checkpoint_bytes > (16U << 20) * rehearsal.times.checkpoints);
    hash_t left = left_in(&large, own->store), other_left = left_in(&large, other->store);
    assert_true(hash_equal(left, other_left));
    rehearsal_clear(&plain);
    rehearsal_clear(&rehearsal);
    remove_store(own);
    remove_store(other);
    excerpts_clear(&large.excerpts);
}

/* Every state in which an interrupt can come. */
static const char *const states[] = {
    "passing", "resting",          "sampling",        "looking",        "saving pieces", "naming",
    "packing", "storing excerpts", "storing records", "naming the set", "dropping"};
enum { STATES = sizeof states / sizeof *states };

static void note_state(const char *name, bool seen[STATES]) {
    for (size_t i = 0; i < STATES; i++)
        seen[i] = seen[i] || strcmp(states[i], name) == 0;
}

/* The records are all there; or nothing came. */
static bool is_too_late(const char *name) {
    return strcmp(name, "naming the set") == 0 || strcmp(name, "dropping") == 0 ||
           strcmp(name, "finished") == 0 || *name == '\0';
}

/* Behind each message in turn: how the first process ends and the second goes on. */
static void interrupted_anywhere(void **state) {
    const subject_t *subject = *state;
    bool seen[STATES] = {false}, ended = false;
    for (uint64_t n = 1; !ended; n++) {
        store_dir_t *own = make_store();
        how_t how = {.seed = n, .checkpoint = 3 * CLOCK_SECOND, .interrupt_after = n};
        rehearsal_t rehearsal = play(subject, own->store, how);
        bool too_late = is_too_late(rehearsal.interrupted_in);
        assert_int_equal(rehearsal.end, too_late ? RECORDER_DONE : RECORDER_INTERRUPTED);
        note_state(rehearsal.interrupted_in, seen);
        ended = rehearsal.messages < n;
        if (!too_late)
            goes_on_to_the_same(subject, own->store,
                                (how_t){.seed = n, .checkpoint = 3 * CLOCK_SECOND});
        rehearsal_clear(&rehearsal);
        remove_store(own);
    }
    for (size_t i = 0; i < STATES; i++)
        if (!seen[i])
            fail_msg("no interrupt came while it was %s", states[i]);
}

/* An interrupt in a pass keeps all that was merged. */
static void an_interrupt_saves_what_is_done(void **state) {
    const subject_t *subject = *state;
    store_dir_t *own = make_store();
    rehearsal_t first = play(subject, own->store, (how_t){.seed = 5, .interrupt_after = 8});
    assert_int_equal(first.end, RECORDER_INTERRUPTED);
    assert_int_equal(first.times.checkpoints, 1);
    assert_true(first.times.excerpts[0] >= BATCH && first.times.excerpts[0] < EXCERPTS);
    rehearsal_t second = play(subject, own->store, (how_t){.seed = 6});
    assert_int_equal(second.end, RECORDER_DONE);
    assert_int_equal(first.times.excerpts[0] + second.times.excerpts[0], EXCERPTS);
    rehearsal_clear(&first);
    rehearsal_clear(&second);
    remove_store(own);
}

static void crashed_anywhere(void **state) {
    const subject_t *subject = *state;
    bool ended = false;
    for (uint64_t n = 1; !ended; n += 3) {
        store_dir_t *own = make_store();
        rehearsal_t rehearsal =
            play(subject, own->store,
                 (how_t){.seed = n, .checkpoint = 3 * CLOCK_SECOND, .crash_after = n});
        ended = rehearsal.ended;
        store_txn_t *txn = store_dir_read(own->store);
        recording_t recording;
        bool done = recording_get(txn, recording_id(), &recording) && recording.done;
        store_read_end(txn);
        recording_clear(&recording);
        if (!done) /* else only pieces may be left, which the next start drops */
            goes_on_to_the_same(subject, own->store, (how_t){.seed = n});
        rehearsal_clear(&rehearsal);
        remove_store(own);
    }
}

static void a_batch_that_fails(void **state) {
    const subject_t *subject = *state;
    subject_t bad = *subject;
    bad.excerpts.tokens =
        memory_copy(subject->excerpts.tokens, EXCERPTS * LENGTH * sizeof(uint32_t));
    bad.excerpts.tokens[(2 * BATCH + 7) * LENGTH] = BAD_TOKEN;
    bad.excerpts.tokens[(3 * BATCH + 7) * LENGTH] = BAD_TOKEN;
    for (uint64_t seed = 1; seed <= 12; seed++) {
        store_dir_t *own = make_store();
        rehearsal_t rehearsal =
            play(&bad, own->store,
                 (how_t){.seed = seed, .workers = 1 + seed % 4, .interrupt_after = seed});
        if (rehearsal.end == RECORDER_FAILED) {
            assert_int_equal(rehearsal.error.class_, ERROR_FATAL);
            assert_non_null(strstr(rehearsal.error.message, "layer 0"));
            assert_true(rehearsal.times.excerpts[0] <= 2 * BATCH);
            assert_int_equal(rehearsal.times.checkpoints, 0);
        } else { /* it rested before that batch was taken */
            assert_int_equal(rehearsal.end, RECORDER_INTERRUPTED);
        }
        rehearsal_t again = play(&bad, own->store, (how_t){.seed = seed});
        assert_int_equal(again.end, RECORDER_FAILED);
        rehearsal_clear(&rehearsal);
        rehearsal_clear(&again);
        remove_store(own);
    }
    free(bad.excerpts.tokens);
}

/* Ticks go on meanwhile, and progress waits for its turn: the archivist above holds that. */
static void a_write_that_takes_long(void **state) {
    const subject_t *subject = *state;
    store_dir_t *own = make_store();
    how_t how = {.seed = 9, .checkpoint = 1, .slowest_write = 30 * CLOCK_SECOND, .terminal = true};
    rehearsal_t rehearsal = play(subject, own->store, how);
    assert_int_equal(rehearsal.end, RECORDER_DONE);
    assert_true(rehearsal.most_ticks > 10);
    hash_t left = left_in(subject, own->store);
    assert_true(hash_equal(left, subject->undisturbed));
    const char *said = buffer_text(&rehearsal.said);
    assert_non_null(strstr(said, "\r\033[Krecording, pass 2 of 2: "));
    assert_non_null(strstr(said, "\r\033[Krecording: 70 of 70 neurons are stored\n"));
    assert_ptr_equal(strchr(said, '\n'), said + strlen(said) - 1); /* one line, written over */
    rehearsal_clear(&rehearsal);
    remove_store(own);
}

/* --- a pass ---------------------------------------------------------------------------------- */

static void batches_are_merged_in_order(void **state) {
    (void)state;
    uint32_t list[8] = {0, 1, 2, 3, 4, 5, 6, 7};
    pass_t pass;
    pass_create(&pass, 2, 3);
    pass_start(&pass, false, list, 8, 0);
    slot_t *first = pass_take(&pass), *second = pass_take(&pass);
    assert_int_equal(first->count, 3);
    assert_ptr_equal(second->excerpts, list + 3);
    assert_null(pass_take(&pass)); /* no slot */
    pass_ran(second, true);
    assert_null(pass_take_merge(&pass)); /* the first is not back */
    pass_ran(first, true);
    assert_ptr_equal(pass_take_merge(&pass), first);
    assert_null(pass_take_merge(&pass)); /* one at a time */
    assert_null(pass_broken(&pass));
    pass_merged(&pass, first);
    assert_int_equal(pass.merged, 3);
    assert_ptr_equal(pass_take_merge(&pass), second);
    slot_t *third = pass_take(&pass);
    assert_int_equal(third->count, 2);
    assert_false(pass_has_more(&pass));
    pass_merged(&pass, second);
    assert_null(pass_take(&pass)); /* no excerpt */
    pass_ran(third, false);
    assert_null(pass_take_merge(&pass)); /* it failed */
    assert_null(pass_broken(&pass));
    assert_int_equal(pass_running(&pass) + pass_merging(&pass), 0);
    pass_clear(&pass);
}

static void a_broken_pass_is_seen(void **state) {
    (void)state;
    uint32_t list[8] = {0};
    pass_t pass;
    pass_create(&pass, 2, 3);
    pass_start(&pass, true, list, 8, 2);
    slot_t *first = pass_take(&pass), *second = pass_take(&pass), kept = *second;
    assert_null(pass_broken(&pass));
    second->number = first->number;
    assert_string_equal(pass_broken(&pass), "two slots have one batch");
    *second = kept;
    second->state = SLOT_MERGING;
    assert_string_equal(pass_broken(&pass), "a batch is merged out of order");
    *second = kept;
    second->excerpts++;
    assert_string_equal(pass_broken(&pass), "a batch has the excerpts of another");
    *second = kept;
    second->count--;
    assert_string_equal(pass_broken(&pass), "a batch has another shape");
    *second = kept;
    second->state = SLOT_FREE;
    assert_string_equal(pass_broken(&pass),
                        "excerpts were taken, and are neither merged nor in a slot");
    *second = kept;
    pass.next_merge++;
    assert_string_equal(pass_broken(&pass), "a slot's batch was merged, or never taken");
    pass_clear(&pass);
}

/* --- a checkpoint ---------------------------------------------------------------------------- */

static size_t save(store_t *store, neuron_stats_t *stats, recording_t *last, bool with_row,
                   size_t *groups) {
    checkpoint_t *checkpoint = checkpoint_create(recording_id(), last, stats);
    size_t bytes = 0;
    for (*groups = 0; checkpoint_has_more(checkpoint); ++*groups) {
        checkpoint_look(checkpoint);
        store_dir_write(store, checkpoint_put_group, checkpoint);
        bytes += checkpoint_group_bytes(checkpoint);
    }
    if (with_row) {
        store_dir_write(store, checkpoint_put_row, checkpoint);
        checkpoint_keep(checkpoint, last);
    } else {
        checkpoint_free(checkpoint);
    }
    return bytes;
}

/* The first byte of each piece of what the store has. */
static void holds(const subject_t *subject, store_t *store, const recording_t *recording,
                  unsigned char first, unsigned char others) {
    error_info_t error = {0};
    neuron_stats_t *stats = stats_create(subject, MANY);
    if (!checkpoint_load(store, recording_id(), recording, stats, &error))
        fail_msg("%s", error.message);
    size_t count;
    neuron_stats_piece_t *pieces = neuron_stats_pieces(stats, &count);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(*(unsigned char *)pieces[i].bytes, i == 0 ? first : others);
    free(pieces);
    neuron_stats_free(stats);
}

static void a_checkpoint_is_what_changed(void **state) {
    subject_t large = *(const subject_t *)*state;
    large.excerpts.length = LONG;
    store_dir_t *own = make_store();
    neuron_stats_t *stats = stats_create(&large, MANY);
    recording_t last = {.core = memory_copy_string("any"), .about = memory_copy_string("")};
    size_t count, groups, all = 0;
    neuron_stats_piece_t *pieces = neuron_stats_pieces(stats, &count);
    for (size_t i = 0; i < count; i++) {
        *(unsigned char *)pieces[i].bytes = 1;
        all += pieces[i].size;
    }
    assert_int_equal(save(own->store, stats, &last, true, &groups), all);
    assert_true(groups > 2);
    holds(&large, own->store, &last, 1, 1);
    assert_int_equal(save(own->store, stats, &last, true, &groups), 0);
    *(unsigned char *)pieces[0].bytes = 2;
    assert_int_equal(save(own->store, stats, &last, false, &groups), pieces[0].size);
    holds(&large, own->store, &last, 1, 1); /* until the row is there */
    assert_int_equal(save(own->store, stats, &last, true, &groups), pieces[0].size);
    holds(&large, own->store, &last, 2, 1);
    free(pieces);
    neuron_stats_free(stats);
    recording_clear(&last);
    remove_store(own);
}

static bool spoil_piece(store_txn_t *txn, void *context, error_info_t *error) {
    const recording_piece_t *piece = &((const recording_t *)context)->pieces[1];
    store_bytes_t bytes;
    assert_true(recording_piece_get(txn, recording_id(), piece, &bytes));
    unsigned char *spoilt = memory_copy(bytes.data, bytes.size);
    spoilt[bytes.size - 1] ^= 1;
    bool good = recording_piece_put(txn, recording_id(), piece, spoilt, bytes.size, error);
    free(spoilt);
    return good;
}

static void a_damaged_checkpoint_is_refused(void **state) {
    store_dir_t *own = make_store();
    neuron_stats_t *stats = stats_create(*state, 3);
    recording_t last = {.core = memory_copy_string("any"), .about = memory_copy_string("")};
    size_t groups;
    (void)save(own->store, stats, &last, true, &groups);
    store_dir_write(own->store, spoil_piece, &last);
    error_info_t error = {0};
    assert_false(checkpoint_load(own->store, recording_id(), &last, stats, &error));
    assert_int_equal(error.class_, ERROR_FATAL);
    neuron_stats_free(stats);
    recording_clear(&last);
    remove_store(own);
}

/* --- progress -------------------------------------------------------------------------------- */

static void rate_and_time_left(void **state) {
    (void)state;
    recorder_progress_t progress = {0};
    recording_progress_t standing = {.done = 400, .total = 1000};
    recorder_progress_count(&progress, 10 * CLOCK_SECOND, 400);
    recorder_progress_rate(&progress, 10 * CLOCK_SECOND, 64, &standing);
    assert_true(standing.rate == 0 && isnan(standing.eta));
    standing.done = 600;
    recorder_progress_rate(&progress, 12 * CLOCK_SECOND, 64, &standing);
    assert_true(standing.rate == 6400 && standing.eta == 4);
    assert_true(recorder_progress_tells(&progress, 12 * CLOCK_SECOND));
    assert_false(recorder_progress_tells(&progress, 14 * CLOCK_SECOND));
    assert_true(recorder_progress_tells(&progress, 15 * CLOCK_SECOND));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_whole_recording), /* first: others are held against it */
        cmocka_unit_test(the_order_of_workers_changes_nothing),
        cmocka_unit_test(checkpoints_change_nothing),
        cmocka_unit_test(large_checkpoints_go_in_groups),
        cmocka_unit_test(interrupted_anywhere),
        cmocka_unit_test(an_interrupt_saves_what_is_done),
        cmocka_unit_test(crashed_anywhere),
        cmocka_unit_test(a_batch_that_fails),
        cmocka_unit_test(a_write_that_takes_long),
        cmocka_unit_test(batches_are_merged_in_order),
        cmocka_unit_test(a_broken_pass_is_seen),
        cmocka_unit_test(a_checkpoint_is_what_changed),
        cmocka_unit_test(a_damaged_checkpoint_is_refused),
        cmocka_unit_test(rate_and_time_left),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
