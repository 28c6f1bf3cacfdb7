/* record_stage.c - a recording with the real ports. */
#include "tools/cli/record_stage.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "actors/archivist.h"
#include "actors/sweep/selection.h"
#include "core/base/matrix.h"
#include "core/base/memory.h"
#include "core/base/text.h"
#include "core/runtime/loop.h"
#include "tools/cli/command.h"

enum { RECORD_FORM = 2, MOST_WORKERS = 64 };

struct record_subject {
    const settings_t *settings;
    subject_files_t *files;
    gpt2_t *model;
    tokenizer_t *tokenizer;
    excerpts_t excerpts;
    bool *chosen;       /* [layers * neurons] */
    uint32_t **numbers; /* [layers][counts]: the chosen neurons of each layer */
    size_t *counts, total;
    hash_t identity;
    char *about;
};

/* --- the subject ------------------------------------------------------------------------------ */

static bool draw(record_subject_t *subject, error_info_t *error) {
    const subject_settings_t *s = &subject->settings->subject;
    corpus_options_t options = {
        .length = (size_t)s->tokens,
        .count = (uint64_t)s->excerpts,
        .in_order = s->in_order,
        .seed = (uint64_t)subject->settings->seed,
        .text_field = s->text_field,
    };
    return corpus_draw(s->corpus, s->corpus_count, subject->tokenizer, &options, &subject->excerpts,
                       error) ||
           error_prefix(error, "subject.corpus");
}

static bool choose(record_subject_t *subject, error_info_t *error) {
    const subject_settings_t *s = &subject->settings->subject;
    const gpt2_shape_t *shape = gpt2_shape(subject->model);
    subject->chosen = MEMORY_NEW_ARRAY(shape->layers * shape->neurons, bool);
    if (!selection_choose(s->neurons, s->neuron_count, shape->layers, shape->neurons, NULL,
                          (uint64_t)subject->settings->seed, subject->chosen, error))
        return error_prefix(error, "record.neurons");
    subject->numbers = MEMORY_NEW_ARRAY(shape->layers, uint32_t *);
    subject->counts = MEMORY_NEW_ARRAY(shape->layers, size_t);
    for (size_t layer = 0; layer < shape->layers; layer++) {
        subject->numbers[layer] = MEMORY_NEW_ARRAY(shape->neurons, uint32_t);
        for (size_t i = 0; i < shape->neurons; i++)
            if (subject->chosen[layer * shape->neurons + i])
                subject->numbers[layer][subject->counts[layer]++] = (uint32_t)i;
        subject->total += subject->counts[layer];
    }
    return true;
}

static void identify(record_subject_t *subject) {
    const subject_settings_t *s = &subject->settings->subject;
    const gpt2_shape_t *shape = gpt2_shape(subject->model);
    hash_builder_t *builder = hash_builder_create("recording");
    hash_builder_add_integer(builder, RECORD_FORM);
    hash_builder_add_hash(builder, gpt2_identity(subject->model));
    hash_builder_add_hash(builder, tokenizer_identity(subject->tokenizer));
    hash_builder_add_hash(builder, subject->excerpts.identity);
    hash_builder_add_integer(builder, (int64_t)recorder_batch_excerpts(subject->excerpts.length));
    hash_builder_add_integer(builder, s->top);
    hash_builder_add_integer(builder, s->random);
    hash_builder_add_integer(builder, s->band);
    hash_builder_add_integer(builder, s->of_tokens);
    hash_builder_add_integer(builder, subject->settings->seed);
    hash_builder_add_bytes(builder, subject->chosen,
                           shape->layers * shape->neurons * sizeof *subject->chosen);
    subject->identity = hash_builder_finish(builder);
    char excerpts[32], neurons[32];
    subject->about =
        memory_format("%s excerpts of %zu tokens, %s neurons",
                      text_format_count(subject->excerpts.count, excerpts),
                      subject->excerpts.length, text_format_count(subject->total, neurons));
}

static bool check_length(const record_subject_t *subject, error_info_t *error) {
    const settings_t *s = subject->settings;
    size_t context = gpt2_shape(subject->model)->context;
    return (size_t)s->subject.tokens <= context ||
           config_refuse(s->config, "record.tokens", error,
                         "the model's context is %zu tokens; set at most that", context);
}

record_subject_t *record_subject_open(const settings_t *settings, error_info_t *error) {
    if (!settings_need_subject(settings, error))
        return NULL;
    record_subject_t *subject = MEMORY_NEW(record_subject_t);
    subject->settings = settings;
    subject->files = subject_files_open(settings->subject.model, error);
    subject->tokenizer = subject->files ? tokenizer_load(subject->files, error) : NULL;
    subject->model =
        subject->tokenizer ? gpt2_open(subject->files, settings->subject.gelu, error) : NULL;
    if (subject->model &&
        gpt2_check_vocabulary(subject->model, tokenizer_size(subject->tokenizer), error) &&
        check_length(subject, error) && choose(subject, error) && draw(subject, error)) {
        identify(subject);
        return subject;
    }
    record_subject_free(subject);
    return NULL;
}

void record_subject_free(record_subject_t *subject) {
    if (!subject)
        return;
    for (size_t i = 0; subject->numbers && i < gpt2_shape(subject->model)->layers; i++)
        free(subject->numbers[i]);
    free(subject->numbers);
    free(subject->counts);
    free(subject->chosen);
    free(subject->about);
    excerpts_clear(&subject->excerpts);
    gpt2_free(subject->model);
    tokenizer_free(subject->tokenizer);
    subject_files_close(subject->files);
    free(subject);
}

hash_t record_subject_identity(const record_subject_t *subject) {
    return subject->identity;
}

const char *record_subject_about(const record_subject_t *subject) {
    return subject->about;
}

static neuron_stats_options_t stats_options(const record_subject_t *subject) {
    const subject_settings_t *s = &subject->settings->subject;
    const gpt2_shape_t *shape = gpt2_shape(subject->model);
    return (neuron_stats_options_t){
        .layers = shape->layers,
        .neurons = shape->neurons,
        .counts = subject->counts,
        .chosen = (const uint32_t *const *)subject->numbers,
        .excerpts = subject->excerpts.count,
        .length = subject->excerpts.length,
        .top = (size_t)s->top,
        .random = (size_t)s->random,
        .band = (size_t)s->band,
        .of_tokens = s->of_tokens,
        .seed = (uint64_t)subject->settings->seed,
    };
}

/* --- carrying it out -------------------------------------------------------------------------- */

typedef struct {
    const record_subject_t *subject;
    store_t *store;
    loop_t *loop;
    executor_t *workers, *committer;
    loop_signal_t *signals[2];
    scheduler_t *scheduler;
    actor_t *recorder;
    neuron_stats_t *stats;
    log_t *log;
    recording_t recording;
    char *set_name;
    bool leftovers; /* done, but a crash left pieces of its checkpoint */
    bool quiet, interrupted, ended;
    recorder_end_t end;
    recorder_times_t times;
    error_info_t error;
} recording_stage_t;

static void write_log(void *context, log_level_t level, const char *line) {
    (void)context;
    fprintf(stderr, "glia: %s%s\n", level == LOG_ERROR ? "error: " : "", line);
}

static void write_progress(void *context, const char *text) {
    const recording_stage_t *stage = context;
    if (stage->quiet)
        return;
    fputs(text, stderr);
    fflush(stderr);
}

static void on_finished(void *context, recorder_end_t end, const error_info_t *error) {
    recording_stage_t *stage = context;
    stage->end = end;
    stage->ended = true;
    if (error)
        stage->error = *error;
    loop_stop(stage->loop);
}

static void on_fatal(void *context, const error_info_t *error) {
    on_finished(context, RECORDER_FAILED, error);
}

static void on_signal(void *context, int signal_number) {
    recording_stage_t *stage = context;
    if (stage->interrupted)
        _exit(EXIT_INTERRUPTED);
    stage->interrupted = true;
    fprintf(stderr, "\nglia: %s: saving how far the recording is (again: leave at once)\n",
            signal_number == SIGTERM ? "SIGTERM" : "Ctrl-C");
    recorder_interrupt(stage->recorder);
}

static unsigned processors(void) {
    long count = sysconf(_SC_NPROCESSORS_ONLN);
    return count < 1 ? 1 : count > MOST_WORKERS ? MOST_WORKERS : (unsigned)count;
}

/* What the store has of it, or a fresh one. */
static bool find_recording(recording_stage_t *stage, error_info_t *error) {
    const gpt2_shape_t *shape = gpt2_shape(stage->subject->model);
    store_txn_t *txn = store_read_begin(stage->store, error);
    if (!txn)
        return false;
    recording_t *recording = &stage->recording;
    if (!recording_get(txn, stage->subject->identity, recording))
        *recording = (recording_t){
            .core = memory_copy_string(matrix_core()),
            .about = memory_copy_string(stage->subject->about),
            .layers = (uint32_t)shape->layers,
            .width = (uint32_t)shape->neurons,
            .excerpts = stage->subject->excerpts.identity,
        };
    stage->leftovers = recording->done && recording_has_pieces(txn, stage->subject->identity);
    store_read_end(txn);
    if (!recording->done && strcmp(recording->core, matrix_core()) != 0 &&
        !stage->subject->settings->subject.allow_other_core)
        return error_set(error, ERROR_CONFIG,
                         "the recording was begun with OpenBLAS kernels for %s and this "
                         "processor's are for %s, which round otherwise; go on where it was begun, "
                         "or set record.allow_other_core = true",
                         recording->core, matrix_core());
    return true;
}

static bool start(recording_stage_t *stage, const record_how_t *how, error_info_t *error) {
    const settings_t *s = stage->subject->settings;
    unsigned workers = how->workers ? how->workers : processors();
    gpt2_convert(stage->subject->model);
    stage->loop = loop_create(error);
    stage->workers = stage->loop ? loop_executor_create(stage->loop, workers, error) : NULL;
    stage->committer = stage->workers ? loop_executor_create(stage->loop, 1, error) : NULL;
    if (!stage->committer)
        return false;
    char id[HASH_TEXT_SIZE];
    hash_to_text(stage->subject->identity, id);
    stage->set_name = memory_format("record/%s/", id); /* a name that no import can take */
    neuron_stats_options_t options = stats_options(stage->subject);
    stage->stats = neuron_stats_create(&options);
    stage->scheduler = scheduler_create(loop_clock(stage->loop));
    archivist_options_t archivist = {stage->store, stage->committer, stage->log, s->keep_raw,
                                     s->min_free};
    recorder_options_t recorder = {
        .store = stage->store,
        .workers = stage->workers,
        .worker_count = workers,
        .archivist = archivist_create(stage->scheduler, &archivist, 0, on_fatal, stage),
        .model = stage->subject->model,
        .tokenizer = stage->subject->tokenizer,
        .excerpts = &stage->subject->excerpts,
        .stats = stage->stats,
        .id = stage->subject->identity,
        .recording = &stage->recording,
        .set_name = stage->set_name,
        .origin = s->subject.model,
        .checkpoint = s->subject.checkpoint,
        .terminal = isatty(STDERR_FILENO) && !how->plain,
        .quiet = 30 * CLOCK_SECOND,
        .write = write_progress,
        .times = how->times ? how->times : &stage->times,
        .finished = on_finished,
        .context = stage,
    };
    stage->recorder = recorder_create(stage->scheduler, &recorder, error);
    return stage->recorder != NULL;
}

static int run(recording_stage_t *stage, error_info_t *error) {
    stage->signals[0] = loop_signal_create(stage->loop, SIGINT, on_signal, stage);
    stage->signals[1] = loop_signal_create(stage->loop, SIGTERM, on_signal, stage);
    loop_run(stage->loop);
    if (!stage->ended) {
        error_set(error, ERROR_BUG, "the loop ended before the recording did");
        return EXIT_INTERNAL;
    }
    if (stage->end == RECORDER_FAILED) {
        *error = stage->error;
        return error_exit_code(error->class_);
    }
    if (stage->end == RECORDER_INTERRUPTED)
        fprintf(stderr, "glia: the recording is interrupted; the same command goes on with it\n");
    return stage->end == RECORDER_DONE ? EXIT_DONE : EXIT_INTERRUPTED;
}

static void tear_down(recording_stage_t *stage) {
    for (size_t i = 0; i < 2; i++)
        if (stage->signals[i])
            loop_signal_free(stage->signals[i]);
    if (stage->workers)
        loop_executor_free(stage->workers);
    if (stage->committer)
        loop_executor_free(stage->committer);
    if (stage->scheduler)
        scheduler_free(stage->scheduler);
    neuron_stats_free(stage->stats);
    if (stage->loop)
        loop_free(stage->loop);
    recording_clear(&stage->recording);
    free(stage->set_name);
    log_free(stage->log);
}

static bool apply_drop(store_txn_t *txn, void *context, error_info_t *error) {
    recording_stage_t *stage = context;
    return recording_pieces_drop(txn, stage->subject->identity, 256, &stage->leftovers, error);
}

int record_stage(store_t *store, const record_subject_t *subject, const record_how_t *how,
                 bool *recorded, error_info_t *error) {
    recording_stage_t stage = {.subject = subject, .store = store, .quiet = how->quiet};
    stage.log = log_create(LOG_INFO, write_log, NULL);
    int code = EXIT_DONE;
    *recorded = false;
    if (!find_recording(&stage, error)) {
        code = error_exit_code(error->class_);
    } else if (!stage.recording.done) {
        if (!how->quiet)
            fprintf(stderr, "glia: recording %s: %s\n", subject->settings->subject.model,
                    subject->about);
        code = start(&stage, how, error) ? run(&stage, error) : error_exit_code(error->class_);
        *recorded = code == EXIT_DONE;
    }
    while (code == EXIT_DONE && stage.leftovers)
        if (!store_write(store, apply_drop, &stage, error))
            code = error_exit_code(error->class_);
    tear_down(&stage);
    return code;
}
