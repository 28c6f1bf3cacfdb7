/* fuzz_store_values.c - the decoders of stored values: the first byte chooses one, the rest is the
 * value. What one accepts must encode to something that it accepts again. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "store/values.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { FRAME_LIMIT = 1 << 20 };

static void require(bool condition) {
    if (!condition)
        abort();
}

static void fuzz_attempt(const uint8_t *data, size_t size) {
    attempt_t attempt, again;
    buffer_t bytes = BUFFER_EMPTY;
    if (ledger_attempt_decode(data, size, 7, &attempt)) {
        ledger_attempt_encode(&attempt, &bytes);
        require(ledger_attempt_decode(bytes.data, bytes.length, 7, &again));
        require(again.cost.pico == attempt.cost.pico && again.state == attempt.state);
        balance_t part = ledger_contribution(&attempt);
        require(part.attempts == 1);
    }
    buffer_free(&bytes);
}

static void fuzz_entry(const uint8_t *data, size_t size) {
    ledger_entry_t entry, again;
    buffer_t bytes = BUFFER_EMPTY;
    if (ledger_entry_decode(data, size, &entry)) {
        ledger_entry_encode(&entry, &bytes);
        require(ledger_entry_decode(bytes.data, bytes.length, &again));
        require(again.amount.pico == entry.amount.pico && again.attempt == entry.attempt);
        free(entry.reason);
        free(again.reason);
    }
    buffer_free(&bytes);
}

static void fuzz_balance(const uint8_t *data, size_t size) {
    balance_t balance;
    uint32_t run;
    int32_t day;
    job_stage_t stage;
    char model[LEDGER_MODEL_SIZE];
    uint8_t key[BALANCE_KEY_SIZE];
    ledger_balance_decode(data, size, &balance);
    if (ledger_balance_key_decode(data, size, &run, &day, &stage, model))
        require(ledger_balance_key(key, run, day, stage, model) == size);
}

static void fuzz_journal(const uint8_t *data, size_t size) {
    job_entry_t entry;
    job_failure_t failure;
    if (journal_job_decode(data, size, &entry))
        require(entry.result_size <= size);
    if (journal_failure_decode(data, size, 1, &failure))
        job_failure_clear(&failure);
}

static void fuzz_response(const uint8_t *data, size_t size) {
    response_record_t record;
    uint64_t response;
    uint32_t index;
    if (response_decode(data, size, &record) && record.body_size <= FRAME_LIMIT) {
        buffer_t body = BUFFER_EMPTY;
        if (response_unpack(&record, &body))
            require(body.length == record.body_size);
        buffer_free(&body);
    }
    embed_link_decode(data, size, &response, &index);
}

static void fuzz_frame(const uint8_t *data, size_t size) {
    for (int dictionary = FRAME_PLAIN; dictionary <= FRAME_RESPONSES; dictionary++) {
        buffer_t body = BUFFER_EMPTY;
        if (frame_unpack(data, size, (frame_dictionary_t)dictionary, FRAME_LIMIT, &body))
            require(body.length <= FRAME_LIMIT);
        buffer_free(&body);
    }
}

static void fuzz_records(const uint8_t *data, size_t size) {
    record_set_t set = {0};
    hash_t hash;
    char *text;
    double score;
    if (records_set_decode(data, size, &set))
        records_set_clear(&set);
    if (records_member_decode(data, size, &hash, &text))
        free(text);
    records_member_decode(data, size, &hash, NULL);
    if (baseline_decode(data, size, &text, &score))
        free(text);
}

static void fuzz_neuron(const uint8_t *data, size_t size) {
    neuron_record_t *neuron;
    hash_t hash;
    size_t content;
    if (frame_content_size(data, size, &content) && content <= FRAME_LIMIT &&
        records_neuron_decode(NULL, data, size, &neuron, &hash))
        neuron_record_free(neuron);
}

static void fuzz_run(const uint8_t *data, size_t size) {
    run_info_t run;
    if (runs_decode(data, size, 1, &run))
        run_info_clear(&run);
}

static void fuzz_batch_line(const uint8_t *data, size_t size) {
    batch_row_t row;
    if (batch_line_decode(data, size, &row))
        require(row.custom_id_length <= size);
}

static void fuzz_recording(const uint8_t *data, size_t size) {
    recording_t recording;
    recording_progress_t progress;
    if (recording_progress_decode(data, size, &progress))
        recording_progress_clear(&progress);
    token_t *tokens;
    size_t count;
    if (recording_decode(data, size, &recording))
        recording_clear(&recording);
    if (excerpt_decode(data, size, &tokens, &count)) {
        require(count <= size);
        excerpt_tokens_free(tokens, count);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static void (*const decoders[])(const uint8_t *data, size_t size) = {
        fuzz_attempt, fuzz_entry,  fuzz_balance, fuzz_journal,    fuzz_response,  fuzz_frame,
        fuzz_records, fuzz_neuron, fuzz_run,     fuzz_batch_line, fuzz_recording,
    };
    if (size > 0)
        decoders[data[0] % (sizeof decoders / sizeof decoders[0])](data + 1, size - 1);
    return 0;
}
