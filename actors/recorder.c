/* recorder.c - the passes over the excerpts: batches to workers, merges in order. (Checkpoints, records:
 * recorder_store.c.) */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "actors/recorder_private.h"
#include "core/base/memory.h"
#include "core/base/text.h"

static const int64_t TICK = CLOCK_SECOND, TELL_EVERY = 3 * CLOCK_SECOND;

size_t recorder_batch_excerpts(size_t length) {
    return length < RECORDER_BATCH_TOKENS ? RECORDER_BATCH_TOKENS / length : 1;
}

/* --- progress --------------------------------------------------------------------------------------------------- */

/* `about` is borrowed. */
static recording_progress_t look(const recorder_t *recorder) {
    const recorder_options_t *o = &recorder->options;
    clock_port_t *clock = actor_clock(recorder->self);
    recording_progress_t progress = {
        .id = o->id,
        .utc = clock_utc(clock),
        .about = recorder->recording.about,
        .step = recorder->second ? RECORDING_SECOND_PASS : RECORDING_FIRST_PASS,
        .done = recorder->merged,
        .total = recorder->count,
        .eta = (double)NAN,
    };
    if (recorder->state == RECORDER_STORING) {
        progress.step = RECORDING_STORING;
        progress.done = recorder->neurons_stored;
        progress.total = neuron_stats_count(o->stats);
        return progress;
    }
    double span = (double)(clock_now(clock) - recorder->rate_at) / 1e6;
    double rate = span > 0 ? (double)(recorder->merged - recorder->rate_from) / span : 0;
    progress.rate = rate * (double)o->excerpts->length;
    if (rate > 0)
        progress.eta = (double)(progress.total - progress.done) / rate;
    return progress;
}

static void write_line(const recording_progress_t *progress, buffer_t *line) {
    char done[32], of[32], tokens[32], eta[32];
    text_format_count(progress->done, done);
    text_format_count(progress->total, of);
    if (progress->step == RECORDING_STORING)
        buffer_append_format(line, "recording: %s of %s neurons are stored", done, of);
    else
        buffer_append_format(line, "recording, pass %d of 2: %s of %s excerpts  %s tokens/s  ETA %s",
                             progress->step == RECORDING_FIRST_PASS ? 1 : 2, done, of,
                             text_format_count((uint64_t)progress->rate, tokens),
                             isnan(progress->eta) ? "?" : text_format_duration(progress->eta, eta));
}

void recorder_show(recorder_t *recorder, bool last) {
    const recorder_options_t *o = &recorder->options;
    int64_t now = clock_now(actor_clock(recorder->self));
    if (!o->write || (!last && !o->terminal && now - recorder->shown_at < o->quiet))
        return;
    recorder->shown_at = now;
    recording_progress_t progress = look(recorder);
    buffer_t line = BUFFER_EMPTY;
    write_line(&progress, &line);
    char *text = o->terminal ? memory_format("\r\033[K%s%s", buffer_text(&line), last ? "\n" : "")
                             : memory_format("glia: %s\n", buffer_text(&line));
    if (!last || recorder->line_open)
        o->write(o->context, text);
    recorder->line_open = !last;
    free(text);
    buffer_free(&line);
}

/* For `glia status`. */
static void tell(recorder_t *recorder) {
    int64_t now = clock_now(actor_clock(recorder->self));
    if (recorder->telling || recorder->set_named || now - recorder->told_at < TELL_EVERY)
        return;
    recorder->told_at = now;
    recording_progress_t progress = look(recorder);
    write_t *write = write_create(WRITE_META, recorder->self, NULL, NULL);
    write->key = memory_copy_string(RECORDING_PROGRESS_KEY);
    recording_progress_encode(&progress, &write->result);
    recorder->telling = actor_send(recorder->options.archivist, recorder->self, MSG_WRITE, 0, write, write_free);
    if (!recorder->telling)
        write_free(write);
}

void recorder_time(recorder_t *recorder) {
    recorder_times_t *times = recorder->options.times;
    int64_t now = clock_now(actor_clock(recorder->self)), span = now - recorder->timed_at;
    size_t pass = recorder->second;
    recorder->timed_at = now;
    if (recorder->state == RECORDER_PASSING) {
        times->passing[pass] += span;
        times->excerpts[pass] += recorder->passed;
        recorder->passed = 0;
    } else if (recorder->state == RECORDER_SAVING) {
        times->saving += span;
        times->checkpoints++;
    } else {
        times->storing += span;
    }
}

/* --- batches -------------------------------------------------------------------------------------------------- */

static void forward_work(void *context) {
    slot_t *slot = context;
    const recorder_options_t *o = &slot->recorder->options;
    size_t length = o->excerpts->length;
    memset(slot->tokens, 0, slot->recorder->batch * length * sizeof *slot->tokens);
    for (size_t i = 0; i < slot->count; i++)
        memcpy(slot->tokens + i * length, o->excerpts->tokens + slot->excerpts[i] * length,
               length * sizeof *slot->tokens);
    neuron_stats_batch_start(slot->sums, slot->excerpts, slot->count);
    slot->failed = !gpt2_forward(o->model, slot->work, slot->tokens, neuron_stats_visit, slot->sums, &slot->error);
}

static void merge_work(void *context) {
    slot_t *slot = context;
    neuron_stats_merge(slot->recorder->options.stats, slot->sums);
}

static void slot_done(void *context) {
    slot_t *slot = context;
    actor_tell(slot->recorder->self, slot->recorder->self, MSG_WORKED, 0, slot, NULL);
}

static void hand_out(recorder_t *recorder, slot_t *slot) {
    slot->state = SLOT_RUNNING;
    slot->number = recorder->next_batch++;
    slot->count =
        recorder->count - recorder->next < recorder->batch ? recorder->count - recorder->next : recorder->batch;
    slot->excerpts = recorder->list + recorder->next;
    recorder->next += slot->count;
    executor_submit(recorder->options.workers, forward_work, slot_done, slot);
}

static void merge_next(recorder_t *recorder) {
    for (size_t i = 0; !recorder->merging && i < recorder->slot_count; i++) {
        slot_t *slot = &recorder->slots[i];
        if (slot->state != SLOT_READY || slot->number != recorder->next_merge)
            continue;
        slot->state = SLOT_MERGING;
        recorder->merging = true;
        executor_submit(recorder->options.workers, merge_work, slot_done, slot);
    }
}

static bool is_idle(const recorder_t *recorder) {
    for (size_t i = 0; i < recorder->slot_count; i++)
        if (recorder->slots[i].state != SLOT_FREE)
            return false;
    return true;
}

static void start_rate(recorder_t *recorder) {
    recorder->rate_at = clock_now(actor_clock(recorder->self));
    recorder->rate_from = recorder->merged;
}

/* The list of the pass that the statistics are in. */
static void take_list(recorder_t *recorder) {
    neuron_stats_t *stats = recorder->options.stats;
    recorder->second = neuron_stats_sampling(stats);
    recorder->list = recorder->all;
    recorder->count = recorder->options.excerpts->count;
    if (neuron_stats_sampling(stats))
        neuron_stats_sample(stats, &recorder->list, &recorder->count);
    recorder->next = recorder->merged = neuron_stats_merged(stats);
    recorder->next_batch = recorder->next_merge = 0;
    start_rate(recorder);
}

static void sample_work(void *context) {
    recorder_t *recorder = context;
    const uint32_t *list;
    size_t count;
    neuron_stats_sample(recorder->options.stats, &list, &count);
}

static void sample_done(void *context) {
    recorder_t *recorder = context;
    actor_tell(recorder->self, recorder->self, MSG_WORKED, 0, NULL, NULL);
}

static void end_pass(recorder_t *recorder) {
    recorder_time(recorder);
    if (recorder->second)
        recorder_store(recorder);
    else
        executor_submit(recorder->options.workers, sample_work, sample_done, recorder);
}

static bool is_due(const recorder_t *recorder) {
    return clock_now(actor_clock(recorder->self)) - recorder->saved_at >= recorder->options.checkpoint;
}

static void pass(recorder_t *recorder) {
    merge_next(recorder);
    bool rest = recorder->failed || recorder->interrupted || is_due(recorder);
    for (size_t i = 0; !rest && i < recorder->slot_count && recorder->next < recorder->count; i++)
        if (recorder->slots[i].state == SLOT_FREE)
            hand_out(recorder, &recorder->slots[i]);
    if (!is_idle(recorder))
        return;
    if (recorder->failed)
        recorder_finish(recorder, RECORDER_FAILED, &recorder->error);
    else if (recorder->interrupted || (rest && recorder->next < recorder->count))
        recorder_save(recorder);
    else
        end_pass(recorder);
}

void recorder_saved(recorder_t *recorder) {
    recorder_time(recorder);
    recorder->state = RECORDER_PASSING;
    recorder->saved_at = clock_now(actor_clock(recorder->self));
    if (recorder->interrupted) {
        recorder_finish(recorder, RECORDER_INTERRUPTED, NULL);
        return;
    }
    start_rate(recorder);
    pass(recorder);
}

static void slot_came_back(recorder_t *recorder, slot_t *slot) {
    if (slot->state == SLOT_MERGING) {
        recorder->merging = false;
        recorder->next_merge++;
        recorder->passed += slot->count;
        recorder->merged += slot->count;
        slot->state = SLOT_FREE;
    } else {
        slot->state = slot->failed || recorder->failed ? SLOT_FREE : SLOT_READY;
        if (slot->failed)
            recorder_fail(recorder, &slot->error);
    }
    /* What was ready behind a batch that failed is not merged any more. */
    for (size_t i = 0; recorder->failed && i < recorder->slot_count; i++)
        if (recorder->slots[i].state == SLOT_READY)
            recorder->slots[i].state = SLOT_FREE;
    pass(recorder);
}

/* --- the end ---------------------------------------------------------------------------------------------------- */

void recorder_fail(recorder_t *recorder, const error_info_t *error) {
    if (!recorder->failed)
        recorder->error = *error;
    recorder->failed = true;
}

void recorder_finish(recorder_t *recorder, recorder_end_t end, const error_info_t *error) {
    recorder_show(recorder, true);
    recorder_time(recorder);
    recorder->state = RECORDER_FINISHED;
    clock_timer_stop(actor_clock(recorder->self), recorder->timer);
    recorder->options.finished(recorder->options.context, end, error);
}

/* --- messages --------------------------------------------------------------------------------------------------- */

static void on_worked(recorder_t *recorder, void *context) {
    if (recorder->state != RECORDER_PASSING) {
        recorder_store_worked(recorder, context);
    } else if (context) {
        slot_came_back(recorder, context);
    } else {
        take_list(recorder);
        pass(recorder);
    }
}

static void on_written(recorder_t *recorder, write_t *write) {
    if (write->kind == WRITE_META)
        recorder->telling = false;
    else
        recorder_store_written(recorder, write);
}

static void on_tick(recorder_t *recorder) {
    clock_port_t *clock = actor_clock(recorder->self);
    recorder_show(recorder, false);
    tell(recorder);
    clock_timer_start(clock, recorder->timer, clock_now(clock) + TICK);
}

static void recorder_receive(actor_t *self, void *state, actor_message_t *message) {
    (void)self;
    recorder_t *recorder = state;
    if (recorder->state == RECORDER_FINISHED)
        return;
    switch (message->kind) {
    case MSG_WORKED: {
        void *context = message->payload;
        message->payload = NULL;
        on_worked(recorder, context);
        break;
    }
    case MSG_WRITTEN: on_written(recorder, message->payload); break;
    case MSG_INTERRUPT: recorder->interrupted = true; break;
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
    recorder->saved_at = recorder->shown_at = recorder->timed_at = clock_now(clock);
    clock_timer_start(clock, recorder->timer, clock_now(clock) + TICK);
    take_list(recorder);
    pass(recorder);
}

static void recorder_free(void *state) {
    recorder_t *recorder = state;
    for (size_t i = 0; i < recorder->slot_count; i++) {
        gpt2_batch_free(recorder->slots[i].work);
        neuron_stats_batch_free(recorder->slots[i].sums);
        free(recorder->slots[i].tokens);
    }
    if (recorder->self)
        clock_timer_free(actor_clock(recorder->self), recorder->timer);
    recorder_store_clear(recorder);
    free(recorder->slots);
    free(recorder->all);
    free(recorder);
}

static const actor_definition_t recorder_definition = {
    .name = "recorder",
    .kinds = ACTOR_KIND(MSG_WORKED) | ACTOR_KIND(MSG_WRITTEN) | ACTOR_KIND(MSG_INTERRUPT) | ACTOR_KIND(MSG_TICK),
    .mailbox = 256,
    .start = recorder_start,
    .receive = recorder_receive,
    .free = recorder_free,
};

static bool make_slots(recorder_t *recorder, error_info_t *error) {
    const recorder_options_t *o = &recorder->options;
    recorder->slots = MEMORY_NEW_ARRAY(o->worker_count + 1, slot_t);
    while (recorder->slot_count < o->worker_count + 1) {
        slot_t *slot = &recorder->slots[recorder->slot_count++];
        slot->recorder = recorder;
        slot->tokens = MEMORY_NEW_ARRAY(recorder->batch * o->excerpts->length, uint32_t);
        slot->sums = neuron_stats_batch_create(o->stats, recorder->batch);
        slot->work = gpt2_batch_create(o->model, recorder->batch, o->excerpts->length, error);
        if (!slot->work)
            return false;
    }
    return true;
}

actor_t *recorder_create(scheduler_t *scheduler, const recorder_options_t *options, error_info_t *error) {
    recorder_t *recorder = MEMORY_NEW(recorder_t);
    recorder->options = *options;
    recorder->batch = recorder_batch_excerpts(options->excerpts->length);
    recorder->all = MEMORY_NEW_ARRAY(options->excerpts->count, uint32_t);
    for (size_t i = 0; i < options->excerpts->count; i++)
        recorder->all[i] = (uint32_t)i;
    if (!recorder_load(recorder, error) || !make_slots(recorder, error)) {
        recorder_free(recorder);
        return NULL;
    }
    recorder->self = actor_create(scheduler, &recorder_definition, recorder, 0);
    return recorder->self;
}

void recorder_interrupt(actor_t *recorder) {
    (void)actor_send(recorder, NULL, MSG_INTERRUPT, 0, NULL, NULL);
}
