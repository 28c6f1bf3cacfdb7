/* batch.c - the reader of the requests, and the writer that follows it. */
#include "actors/batch/batch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "actors/batch/batch_counts.h"
#include "core/base/line_file.h"
#include "core/base/memory.h"
#include "store/responses.h"

/* In one step, so that read transactions stay short. */
enum { LINES_A_STEP = 20000, WRITTEN_A_STEP = 8 << 20 };
enum { REFUSALS_MOST = 32, STATUS_OK = 200 };
enum { KEPT = 1024 }; /* slots, one a line */
static const size_t BYTES_UNDER_WAY = (size_t)256 << 20, BYTES_KEPT = (size_t)8 << 20;

/* A body that was bought and is still to be written. */
typedef struct {
    uint64_t line;
    buffer_t body; /* empty: a free slot */
} kept_answer_t;

struct batch {
    const settings_t *settings;
    uint32_t run;
    hash_t settings_hash;
    char *in_path, *out_path;
    line_reader_t *in;
    line_adder_t *out;
    batch_counts_t *counts;
    uint64_t kept;    /* lines that the results file had */
    uint64_t next;    /* the line that is read next */
    uint64_t written; /* lines of the results file */
    uint64_t stuck;   /* the first line that ended without being final; UINT64_MAX: none */
    bool at_end;
    size_t under_way_count, under_way_bytes;
    uint64_t *under_way;    /* [under_way_count] of at most run.window: lines, in no order */
    kept_answer_t *answers; /* [KEPT] by line; as many as fit, the others are read from the store */
    size_t answers_bytes;
    uint64_t done, failed, parsed;
    uint64_t refusals;   /* by the endpoint, in this run */
    char refusal[512];   /* the last of them */
    buffer_t body, text; /* of the line that is written, to be used again */
};

/* --- writing ---------------------------------------------------------------------------------- */

/* All lines before this one are final. */
static uint64_t final_until(const batch_t *batch) {
    uint64_t limit = batch->next < batch->stuck ? batch->next : batch->stuck;
    for (size_t i = 0; i < batch->under_way_count; i++)
        if (batch->under_way[i] < limit)
            limit = batch->under_way[i];
    return limit;
}

static void keep_answer(batch_t *batch, batch_line_t *line) {
    kept_answer_t *answer = &batch->answers[line->index % KEPT];
    if (line->answer.length == 0 || answer->body.length > 0 ||
        batch->answers_bytes + line->answer.length > BYTES_KEPT)
        return;
    *answer = (kept_answer_t){line->index, line->answer};
    line->answer = BUFFER_EMPTY;
    batch->answers_bytes += answer->body.length;
}

/* Into batch->body; false: the line was not kept. */
static bool take_answer(batch_t *batch, uint64_t line) {
    kept_answer_t *answer = &batch->answers[line % KEPT];
    if (answer->body.length == 0 || answer->line != line)
        return false;
    batch->answers_bytes -= answer->body.length;
    buffer_free(&batch->body);
    batch->body = answer->body;
    answer->body = BUFFER_EMPTY;
    return true;
}

static bool compose_answer(batch_t *batch, store_txn_t *txn, uint64_t line,
                           const batch_row_t *row) {
    buffer_clear(&batch->body);
    if (!row->response ||
        (!take_answer(batch, line) && !response_get(txn, row->response, &batch->body, NULL, NULL)))
        return false;
    batch_write_answer(row, STATUS_OK, buffer_text(&batch->body), batch->body.length, &batch->text);
    return true;
}

static bool find_failure(const batch_t *batch, store_txn_t *txn, const batch_row_t *row,
                         job_failure_t *failure) {
    if (!journal_failure_get(txn, batch->run, batch_job_id(row->identity, row->sample), failure))
        return false;
    if (failure->terminal)
        return true;
    job_failure_clear(failure);
    return false;
}

static bool compose_failure(batch_t *batch, store_txn_t *txn, const batch_row_t *row) {
    job_failure_t failure;
    if (!find_failure(batch, txn, row, &failure))
        return false;
    const char *code = failure.code && *failure.code ? failure.code : failure.verdict;
    batch_write_failure(row, failure.status, code, failure.message, &batch->text);
    job_failure_clear(&failure);
    return true;
}

/* The results file's line; false: it is not final after all. */
static bool compose(batch_t *batch, store_txn_t *txn, uint64_t line) {
    batch_row_t row;
    buffer_clear(&batch->text);
    if (!batch_line_get(txn, batch->run, line, &row))
        return false;
    return row.done ? compose_answer(batch, txn, line, &row) : compose_failure(batch, txn, &row);
}

static bool write_results(batch_t *batch, store_txn_t *txn, error_info_t *error) {
    uint64_t limit = final_until(batch), line = batch->written;
    while (line < limit && line_adder_pending(batch->out) < WRITTEN_A_STEP) {
        if (!compose(batch, txn, line)) {
            batch->stuck = line;
            break;
        }
        line_adder_add(batch->out, buffer_text(&batch->text), batch->text.length);
        line++;
    }
    if (batch->body.capacity > WRITTEN_A_STEP) {
        buffer_free(&batch->body);
        buffer_free(&batch->text);
    }
    if (!line_adder_flush(batch->out, error))
        return false;
    batch->written = line;
    return true;
}

/* --- reading ---------------------------------------------------------------------------------- */

static bool is_blank(const line_t *line) {
    for (size_t i = 0; i < line->length; i++)
        if (line->text[i] != ' ' && line->text[i] != '\t' && line->text[i] != '\r')
            return false;
    return line->size == line->length;
}

/* What the store says of a line that it was asked about: final and how, or still to be done. */
typedef enum { LINE_OPEN, LINE_DONE, LINE_FAILED } line_state_t;

static line_state_t state_of(const batch_t *batch, store_txn_t *txn, const batch_row_t *row) {
    job_failure_t failure;
    if (row->done)
        return row->response ? LINE_DONE : LINE_OPEN; /* worked out again, from the stored answer */
    if (!find_failure(batch, txn, row, &failure))
        return LINE_OPEN;
    job_failure_clear(&failure);
    return LINE_FAILED;
}

static batch_line_t *parse(batch_t *batch, const line_t *text, hash_t raw) {
    batch->parsed++;
    return batch_line_read(batch->settings, text->text, text->length, text->size, raw);
}

static void take_up(batch_t *batch, batch_line_t *line, job_t ***tail) {
    job_t *job = MEMORY_NEW(job_t);
    job->id = batch_job_id(line->identity, line->sample);
    job->stage = STAGE_BATCH;
    job->model = line->model;
    job->line = line;
    batch->under_way[batch->under_way_count++] = line->index;
    batch->under_way_bytes += line->size;
    **tail = job;
    *tail = &job->next;
}

static bool refuse_results(const batch_t *batch, uint64_t number, error_info_t *error) {
    return error_set(error, ERROR_CONFIG,
                     "%s: line %llu of %s is not the one that was answered there; name another "
                     "--out, or remove %s (what the store has is not bought again)",
                     batch->out_path, (unsigned long long)number, batch->in_path, batch->out_path);
}

/* A line of the file: passed over if it is final, else a job. False: the results file
 * answers another line. */
static bool look_at_line(batch_t *batch, store_txn_t *txn, const line_t *text, job_t ***tail,
                         size_t *found, error_info_t *error) {
    uint64_t index = batch->next;
    hash_t raw = batch_line_raw(text->text, text->length, text->size);
    batch_row_t row;
    bool known = batch_line_get(txn, batch->run, index, &row) && hash_equal(row.raw, raw);
    if (index < batch->kept && !known)
        return refuse_results(batch, text->number, error);
    bool fresh = known && hash_equal(row.settings, batch->settings_hash);
    batch_line_t *line = fresh ? NULL : parse(batch, text, raw);
    uint64_t sample = batch_counts_meet(batch->counts, fresh ? row.identity : line->identity);
    line_state_t state = LINE_OPEN;
    if (index < batch->kept)
        state = row.done ? LINE_DONE : LINE_FAILED;
    else if (fresh && row.sample == sample)
        state = state_of(batch, txn, &row);
    batch->next++;
    batch->done += state == LINE_DONE;
    batch->failed += state == LINE_FAILED;
    if (state == LINE_OPEN) {
        if (!line)
            line = parse(batch, text, raw);
        line->index = index;
        line->number = text->number;
        line->settings = batch->settings_hash;
        line->sample = sample;
        take_up(batch, line, tail);
        ++*found;
        return true;
    }
    batch_line_free(line);
    return true;
}

static bool read_end(batch_t *batch, error_info_t *error) {
    batch->at_end = true;
    return batch->next >= batch->kept ||
           error_set(error, ERROR_CONFIG,
                     "%s has %llu lines, but %s has only %llu requests; name another --out",
                     batch->out_path, (unsigned long long)batch->kept, batch->in_path,
                     (unsigned long long)batch->next);
}

static bool is_full(const batch_t *batch) {
    return batch->under_way_bytes >= BYTES_UNDER_WAY ||
           batch->under_way_count >= (size_t)batch->settings->window;
}

/* Nothing was answered, and much refused. */
static bool is_hopeless(const batch_t *batch, error_info_t *error) {
    if (batch->done > 0 || batch->refusals < REFUSALS_MOST ||
        (batch->at_end && batch->under_way_count == 0))
        return false;
    error_set(error, ERROR_CONFIG,
              "%llu requests were refused and none was answered, the last one with: %s. Mend what "
              "is wrong and run again with --retry-failed",
              (unsigned long long)batch->refusals, batch->refusal);
    return true;
}

static bool step(void *state, store_txn_t *txn, size_t most, bool idle, job_t **jobs,
                 error_info_t *error) {
    (void)idle;
    batch_t *batch = state;
    while (*jobs)
        jobs = &(*jobs)->next;
    if (is_hopeless(batch, error) || !write_results(batch, txn, error))
        return false;
    size_t found = 0;
    for (size_t looked = 0;
         looked < LINES_A_STEP && found < most && !batch->at_end && !is_full(batch); looked++) {
        line_t line;
        switch (line_reader_next(batch->in, &line, error)) {
        case LINE_ERROR: return false;
        case LINE_END:
            if (!read_end(batch, error))
                return false;
            break;
        case LINE_READ:
            if (!is_blank(&line) && !look_at_line(batch, txn, &line, &jobs, &found, error))
                return false;
            break;
        }
    }
    return true;
}

/* --- the rest of the source ------------------------------------------------------------------- */

static void job_ended(void *state, const job_t *job) {
    batch_t *batch = state;
    batch_line_t *line = job->line;
    keep_answer(batch, line);
    for (size_t i = 0; i < batch->under_way_count; i++)
        if (batch->under_way[i] == line->index) {
            batch->under_way[i] = batch->under_way[--batch->under_way_count];
            batch->under_way_bytes -= line->size;
            break;
        }
    if (job->outcome == OUTCOME_FAILED && job->trouble.terminal && job->trouble.status > 0) {
        batch->refusals++;
        snprintf(batch->refusal, sizeof batch->refusal, "%d %.60s %.400s", job->trouble.status,
                 job->trouble.code, job->trouble.message);
    }
    bool is_final =
        job->outcome == OUTCOME_DONE || (job->outcome == OUTCOME_FAILED && job->trouble.terminal);
    batch->done += job->outcome == OUTCOME_DONE;
    batch->failed += job->outcome == OUTCOME_FAILED;
    if (!is_final && line->index < batch->stuck)
        batch->stuck = line->index;
}

static bool is_behind(const batch_t *batch) {
    return batch->written < final_until(batch);
}

static bool is_waiting(const void *state) {
    const batch_t *batch = state;
    return (batch->at_end || is_full(batch)) && !is_behind(batch);
}

static bool is_finished(const void *state) {
    const batch_t *batch = state;
    return batch->at_end && batch->under_way_count == 0 && !is_behind(batch);
}

static void fill_facts(const void *state, facts_t *facts) {
    const batch_t *batch = state;
    double share = line_reader_share(batch->in);
    facts->stages[STAGE_BATCH].done = batch->done;
    facts->stages[STAGE_BATCH].failed = batch->failed;
    facts->stages[STAGE_BATCH].total = batch->next;
    facts->total_is_estimate = !batch->at_end;
    if (!batch->at_end && share > 0)
        facts->stages[STAGE_BATCH].total = (uint64_t)((double)batch->next / share);
}

static job_t *no_probes(const void *state) {
    (void)state;
    return NULL;
}

static void keep(void *state) {
    (void)state;
}

job_source_t batch_source(batch_t *batch) {
    static const job_source_steps_t steps = {
        .step = step,
        .job_ended = job_ended,
        .is_waiting = is_waiting,
        .is_finished = is_finished,
        .fill_facts = fill_facts,
        .probes = no_probes,
        .free = keep,
    };
    return (job_source_t){&steps, batch};
}

bool batch_finish(batch_t *batch, store_txn_t *txn, error_info_t *error) {
    while (is_behind(batch))
        if (!write_results(batch, txn, error))
            return false;
    return line_adder_sync(batch->out, error);
}

uint64_t batch_written(const batch_t *batch) {
    return batch->written;
}

uint64_t batch_read(const batch_t *batch) {
    return batch->next;
}

uint64_t batch_parsed(const batch_t *batch) {
    return batch->parsed;
}

batch_t *batch_create(const batch_options_t *options, error_info_t *error) {
    batch_t *batch = MEMORY_NEW(batch_t);
    batch->settings = options->settings;
    batch->run = options->run;
    batch->settings_hash = batch_settings_hash(options->settings);
    batch->in_path = memory_copy_string(options->in);
    batch->out_path = memory_copy_string(options->out);
    batch->stuck = UINT64_MAX;
    batch->counts = batch_counts_create(options->scratch);
    batch->under_way = MEMORY_NEW_ARRAY((size_t)options->settings->window, uint64_t);
    batch->answers = MEMORY_NEW_ARRAY(KEPT, kept_answer_t);
    batch->in = line_reader_open(options->in, BATCH_LINE_MAXIMUM, error);
    batch->out =
        batch->in ? line_adder_open(options->out, BATCH_OUTPUT_START, &batch->kept, error) : NULL;
    bool good = batch->out && (!options->anew || line_adder_empty(batch->out, error));
    if (options->anew)
        batch->kept = 0;
    batch->written = batch->kept;
    if (good)
        return batch;
    batch_free(batch);
    return NULL;
}

void batch_free(batch_t *batch) {
    if (!batch)
        return;
    line_reader_close(batch->in);
    line_adder_close(batch->out);
    batch_counts_free(batch->counts);
    buffer_free(&batch->body);
    buffer_free(&batch->text);
    free(batch->under_way);
    for (size_t i = 0; i < KEPT; i++)
        buffer_free(&batch->answers[i].body);
    free(batch->answers);
    free(batch->in_path);
    free(batch->out_path);
    free(batch);
}
