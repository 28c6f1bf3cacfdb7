/* fsck.c - reads all tables, one check function each, and what must hold between them.
 * (Money: ledger_check.c.)
 *
 * Nothing here ends the program on a value that cannot be read: values are taken from
 * walks and store_get and decoded with values.h, not through the modules' own readers,
 * which stop at damage. */
#include "store/fsck.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/memory.h"
#include "core/base/pack.h"
#include "store/env_private.h"
#include "store/key.h"
#include "store/problems.h"
#include "store/request_index.h"
#include "store/values.h"

typedef struct {
    store_txn_t *txn;
    problems_t problems;
    uint64_t records;
    uint64_t last_response;
} fsck_t;

/* --- helpers ---------------------------------------------------------------------------------- */

enum { SHOWN_KEY = 2 * 24 + 4 };

/* A key in hex, for people. */
static const char *show(store_bytes_t key, char text[SHOWN_KEY]) {
    const uint8_t *bytes = key.data;
    size_t shown = key.size < 24 ? key.size : 24;
    for (size_t i = 0; i < shown; i++) {
        static const char digits[] = "0123456789abcdef";
        text[2 * i] = digits[bytes[i] >> 4];
        text[2 * i + 1] = digits[bytes[i] & 15];
    }
    memcpy(text + 2 * shown, shown < key.size ? "..." : "", shown < key.size ? 4 : 1);
    return text;
}

static void unreadable(fsck_t *fsck, store_table_t table, store_bytes_t key) {
    char text[SHOWN_KEY];
    problems_add(&fsck->problems, "table `%s`, key %s: cannot be read", store_table_name(table),
                 show(key, text));
}

static void wrong(fsck_t *fsck, store_table_t table, store_bytes_t key, const char *what) {
    char text[SHOWN_KEY];
    problems_add(&fsck->problems, "table `%s`, key %s: %s", store_table_name(table),
                 show(key, text), what);
}

static hash_t hash_of_key(const void *key) {
    hash_t hash;
    memcpy(hash.bytes, key, HASH_SIZE);
    return hash;
}

static bool get_numbered(fsck_t *fsck, store_table_t table, uint64_t number, store_bytes_t *value) {
    uint8_t key[8];
    key_put_u64(key, number);
    return store_get(fsck->txn, table, key, sizeof key, value);
}

static bool get_response(fsck_t *fsck, uint64_t number, response_record_t *record) {
    store_bytes_t value;
    return get_numbered(fsck, TABLE_RESPONSES, number, &value) &&
           response_decode(value.data, value.size, record);
}

static bool has_hash(fsck_t *fsck, store_table_t table, hash_t hash) {
    store_bytes_t value;
    return store_get(fsck->txn, table, hash.bytes, HASH_SIZE, &value);
}

/* --- runs, blobs ------------------------------------------------------------------------------ */

static void check_meta(fsck_t *fsck, store_bytes_t key, store_bytes_t value) {
    static const char *const others[] = {"trial", "progress:", "study",
                                         "answer:"}; /* whose values are not this table's own */
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        size_t length = strlen(others[i]);
        if (key.size >= length && memcmp(key.data, others[i], length) == 0)
            return;
    }
    pack_reader_t *reader = pack_reader_open(value.data, value.size);
    bool good = pack_read_array(reader) == 2;
    pack_read_integer(reader);
    good = good && !pack_reader_failed(reader);
    pack_reader_close(reader);
    if (!good)
        unreadable(fsck, TABLE_META, key);
}

static bool is_number_of(store_bytes_t value, uint32_t number) {
    return value.size == 4 && key_get_u32(value.data) == number;
}

static void check_run(fsck_t *fsck, store_bytes_t key, store_bytes_t value) {
    run_info_t run;
    if (key.size != 4 || !runs_decode(value.data, value.size, key_get_u32(key.data), &run)) {
        unreadable(fsck, TABLE_RUNS, key);
        return;
    }
    store_bytes_t named;
    if (!store_get(fsck->txn, TABLE_RUN_NAMES, run.name, strlen(run.name), &named) ||
        !is_number_of(named, run.number))
        problems_add(&fsck->problems, "run %" PRIu32 " \"%s\" cannot be found by its name",
                     run.number, run.name);
    if (!hash_is_zero(run.snapshot) && !has_hash(fsck, TABLE_BLOBS, run.snapshot))
        problems_add(&fsck->problems, "run %" PRIu32 " \"%s\": its config is not there", run.number,
                     run.name);
    for (size_t i = 0; i < run.template_count; i++)
        if (!has_hash(fsck, TABLE_BLOBS, run.templates[i].hash))
            problems_add(&fsck->problems,
                         "run %" PRIu32 " \"%s\": its template \"%s\" is not there", run.number,
                         run.name, run.templates[i].name);
    run_info_clear(&run);
}

static void check_run_name(fsck_t *fsck, store_bytes_t key, store_bytes_t value) {
    store_bytes_t row;
    run_info_t run;
    if (value.size != 4 || !store_get(fsck->txn, TABLE_RUNS, value.data, value.size, &row)) {
        wrong(fsck, TABLE_RUN_NAMES, key, "points to no run");
    } else if (runs_decode(row.data, row.size, key_get_u32(value.data), &run)) {
        if (strlen(run.name) != key.size || memcmp(run.name, key.data, key.size) != 0)
            wrong(fsck, TABLE_RUN_NAMES, key, "points to a run of another name");
        run_info_clear(&run);
    }
}

static void check_blob(fsck_t *fsck, store_bytes_t key, store_bytes_t value) {
    buffer_t text = BUFFER_EMPTY;
    if (key.size != HASH_SIZE ||
        !frame_unpack(value.data, value.size, FRAME_PLAIN, BLOB_MAXIMUM, &text))
        unreadable(fsck, TABLE_BLOBS, key);
    else if (!hash_equal(hash_bytes(!text.data ? "" : text.data, text.length),
                         hash_of_key(key.data)))
        wrong(fsck, TABLE_BLOBS, key, "its text has another hash");
    buffer_free(&text);
}

/* --- records ---------------------------------------------------------------------------------- */

static void check_neuron(fsck_t *fsck, store_bytes_t key, store_bytes_t value) {
    neuron_record_t *neuron = NULL;
    hash_t hash;
    if (key.size != HASH_SIZE ||
        !records_neuron_decode(fsck->txn, value.data, value.size, &neuron, &hash))
        unreadable(fsck, TABLE_NEURONS, key);
    else if (!hash_equal(hash, hash_of_key(key.data)))
        wrong(fsck, TABLE_NEURONS, key, "its record has another hash");
    neuron_record_free(neuron);
}

static void check_member(fsck_t *fsck, store_bytes_t key, store_bytes_t value) {
    hash_t neuron;
    if (key.size != HASH_SIZE + 4 || !records_member_decode(value.data, value.size, &neuron, NULL))
        unreadable(fsck, TABLE_SETS, key);
    else if (!has_hash(fsck, TABLE_NEURONS, neuron))
        wrong(fsck, TABLE_SETS, key, "its neuron record is not there");
}

/* Whether all members are there and can be read, so that the hash may be taken with the
 * module's own reader. */
static bool members_readable(fsck_t *fsck, const record_set_t *set) {
    for (uint32_t i = 0; i < set->count; i++) {
        uint8_t key[HASH_SIZE + 4];
        memcpy(key, set->content.bytes, HASH_SIZE);
        key_put_u32(key + HASH_SIZE, i);
        store_bytes_t value;
        hash_t neuron;
        if (!store_get(fsck->txn, TABLE_SETS, key, sizeof key, &value) ||
            !records_member_decode(value.data, value.size, &neuron, NULL))
            return false;
    }
    return true;
}

static void check_set(fsck_t *fsck, store_bytes_t key, store_bytes_t value) {
    record_set_t set = {0};
    hash_t content;
    if (!records_set_decode(value.data, value.size, &set))
        unreadable(fsck, TABLE_SET_NAMES, key);
    else if (!members_readable(fsck, &set))
        wrong(fsck, TABLE_SET_NAMES, key, "a member of this set is missing");
    else if (!records_set_hash(fsck->txn, &set, &content) || !hash_equal(content, set.content))
        wrong(fsck, TABLE_SET_NAMES, key, "its members have another hash");
    records_set_clear(&set);
}

static void check_baseline(fsck_t *fsck, store_bytes_t key, store_bytes_t value) {
    char *explanation;
    double score;
    const uint8_t *bytes = key.data;
    if (key.size < 10 || memchr(bytes, 0, key.size) != bytes + key.size - 9 ||
        !baseline_decode(value.data, value.size, &explanation, &score)) {
        unreadable(fsck, TABLE_BASELINES, key);
        return;
    }
    free(explanation);
}

/* --- jobs ------------------------------------------------------------------------------------- */

static void check_job(fsck_t *fsck, store_bytes_t key, store_bytes_t value) {
    job_entry_t entry;
    if (key.size != HASH_SIZE || !journal_job_decode(value.data, value.size, &entry))
        unreadable(fsck, TABLE_JOBS, key);
}

static void check_failure(fsck_t *fsck, store_bytes_t key, store_bytes_t value) {
    job_failure_t failure;
    if (key.size != 4 + HASH_SIZE ||
        !journal_failure_decode(value.data, value.size, key_get_u32(key.data), &failure)) {
        unreadable(fsck, TABLE_FAILURES, key);
        return;
    }
    job_failure_clear(&failure);
}

/* --- responses -------------------------------------------------------------------------------- */

static void check_request(fsck_t *fsck, store_bytes_t key, store_bytes_t value) {
    response_record_t record;
    if (key.size != HASH_SIZE || value.size != 8)
        unreadable(fsck, TABLE_REQUESTS, key);
    else if (!get_response(fsck, key_get_u64(value.data), &record))
        wrong(fsck, TABLE_REQUESTS, key, "its response is not there");
    else if (!hash_equal(record.request, hash_of_key(key.data)))
        wrong(fsck, TABLE_REQUESTS, key, "its response is that of another request");
}

/* A response came with the end of its attempt, in one transaction; a doubt may have been
 * released since. */
static void check_attempt_of(fsck_t *fsck, uint64_t number, const response_record_t *record) {
    store_bytes_t value;
    attempt_t attempt;
    if (!get_numbered(fsck, TABLE_ATTEMPTS, record->attempt, &value) ||
        !ledger_attempt_decode(value.data, value.size, record->attempt, &attempt))
        problems_add(&fsck->problems, "response %" PRIu64 ": its attempt %" PRIu64 " is not there",
                     number, record->attempt);
    else if (attempt.state != ATTEMPT_SETTLED && attempt.state != ATTEMPT_DOUBT &&
             attempt.state != ATTEMPT_RELEASED)
        problems_add(&fsck->problems, "response %" PRIu64 ": its attempt %" PRIu64 " is %s", number,
                     record->attempt, attempt_state_name(attempt.state));
    else if (!hash_equal(attempt.request, record->request))
        problems_add(&fsck->problems,
                     "response %" PRIu64 ": its attempt %" PRIu64 " made another request", number,
                     record->attempt);
    else if (attempt.response != number)
        problems_add(&fsck->problems,
                     "response %" PRIu64 ": its attempt %" PRIu64 " names response %" PRIu64,
                     number, record->attempt, attempt.response);
}

static void check_response(fsck_t *fsck, store_bytes_t key, store_bytes_t value) {
    response_record_t record;
    if (key.size != 8 || !response_decode(value.data, value.size, &record)) {
        unreadable(fsck, TABLE_RESPONSES, key);
        return;
    }
    uint64_t number = key_get_u64(key.data);
    buffer_t body = BUFFER_EMPTY;
    if (!record.trimmed && !response_unpack(&record, &body))
        problems_add(&fsck->problems, "response %" PRIu64 ": its body cannot be read", number);
    buffer_free(&body);
    if (number <= request_index_bound(record.request, fsck->last_response) &&
        !has_hash(fsck, TABLE_REQUESTS, record.request))
        problems_add(&fsck->problems, "response %" PRIu64 ": its request is not there", number);
    check_attempt_of(fsck, number, &record);
}

/* The other direction; that the attempt can be read, ledger_check has seen. */
static void check_attempt(fsck_t *fsck, store_bytes_t key, store_bytes_t value) {
    attempt_t attempt;
    response_record_t record;
    if (key.size != 8 ||
        !ledger_attempt_decode(value.data, value.size, key_get_u64(key.data), &attempt) ||
        attempt.response == 0)
        return;
    if (!get_response(fsck, attempt.response, &record))
        problems_add(&fsck->problems, "attempt %" PRIu64 ": its response %" PRIu64 " is not there",
                     attempt.number, attempt.response);
    else if (record.attempt != attempt.number)
        problems_add(&fsck->problems,
                     "attempt %" PRIu64 ": its response %" PRIu64 " is that of attempt %" PRIu64,
                     attempt.number, attempt.response, record.attempt);
}

static void check_link(fsck_t *fsck, store_bytes_t key, store_bytes_t value) {
    uint64_t response;
    uint32_t index;
    response_record_t record;
    if (key.size != HASH_SIZE || !embed_link_decode(value.data, value.size, &response, &index))
        unreadable(fsck, TABLE_EMBED_LINKS, key);
    else if (!get_response(fsck, response, &record))
        wrong(fsck, TABLE_EMBED_LINKS, key, "its response is not there");
}

static void check_embedding(fsck_t *fsck, store_bytes_t key, store_bytes_t value) {
    if (key.size != HASH_SIZE || value.size == 0 || value.size % 4 != 0)
        unreadable(fsck, TABLE_EMBEDDINGS, key);
}

/* --- batches ---------------------------------------------------------------------------------- */

static void check_batch_line(fsck_t *fsck, store_bytes_t key, store_bytes_t value) {
    batch_row_t row;
    response_record_t record;
    if (key.size != BATCH_LINE_KEY_SIZE || !batch_line_decode(value.data, value.size, &row))
        unreadable(fsck, TABLE_BATCH_LINES, key);
    else if (row.response && !get_response(fsck, row.response, &record))
        wrong(fsck, TABLE_BATCH_LINES, key, "its response is not there");
}

/* --- recordings ------------------------------------------------------------------------------- */

static void check_excerpt(fsck_t *fsck, store_bytes_t key, store_bytes_t value) {
    token_t *tokens;
    size_t count;
    if (key.size != EXCERPT_KEY_SIZE || !excerpt_decode(value.data, value.size, &tokens, &count)) {
        unreadable(fsck, TABLE_EXCERPTS, key);
        return;
    }
    excerpt_tokens_free(tokens, count);
}

/* Of a checkpoint, every piece that it names is there and is the one that was named. */
static void check_recording(fsck_t *fsck, store_bytes_t key, store_bytes_t value) {
    recording_t recording;
    if (key.size != HASH_SIZE || !recording_decode(value.data, value.size, &recording)) {
        unreadable(fsck, TABLE_RECORDINGS, key);
        return;
    }
    for (size_t i = 0; i < recording.piece_count; i++) {
        store_bytes_t bytes;
        if (!recording_piece_get(fsck->txn, hash_of_key(key.data), &recording.pieces[i], &bytes) ||
            !hash_equal(hash_bytes(bytes.data, bytes.size), recording.pieces[i].hash)) {
            wrong(fsck, TABLE_RECORDINGS, key, "a piece of its checkpoint is missing or damaged");
            break;
        }
    }
    uint8_t last[HASH_SIZE + 4];
    store_bytes_t member;
    memcpy(last, recording.set.bytes, HASH_SIZE);
    key_put_u32(last + HASH_SIZE, recording.neurons - 1);
    if (recording.done && !store_get(fsck->txn, TABLE_SETS, last, sizeof last, &member))
        wrong(fsck, TABLE_RECORDINGS, key, "its records are not there");
    recording_clear(&recording);
}

/* Pieces that no checkpoint names are what a crash left of one that was not finished. */
static void check_piece(fsck_t *fsck, store_bytes_t key, store_bytes_t value) {
    (void)value;
    if (key.size != PIECE_KEY_SIZE)
        unreadable(fsck, TABLE_PIECES, key);
}

/* --- all -------------------------------------------------------------------------------------- */

/* NULL: ledger_check reads that table. */
static void (*const checks[TABLE_COUNT])(fsck_t *fsck, store_bytes_t key, store_bytes_t value) = {
    [TABLE_META] = check_meta,          [TABLE_RUNS] = check_run,
    [TABLE_RUN_NAMES] = check_run_name, [TABLE_BLOBS] = check_blob,
    [TABLE_SET_NAMES] = check_set,      [TABLE_SETS] = check_member,
    [TABLE_NEURONS] = check_neuron,     [TABLE_BASELINES] = check_baseline,
    [TABLE_JOBS] = check_job,           [TABLE_FAILURES] = check_failure,
    [TABLE_REQUESTS] = check_request,   [TABLE_RESPONSES] = check_response,
    [TABLE_EMBED_LINKS] = check_link,   [TABLE_EMBEDDINGS] = check_embedding,
    [TABLE_ATTEMPTS] = check_attempt,   [TABLE_BATCH_LINES] = check_batch_line,
    [TABLE_EXCERPTS] = check_excerpt,   [TABLE_RECORDINGS] = check_recording,
    [TABLE_PIECES] = check_piece,
};

static void check_table(fsck_t *fsck, store_table_t table) {
    if (!checks[table]) {
        fsck->records += store_count(fsck->txn, table);
        return;
    }
    store_walk_t walk = {0};
    while (store_walk_next(fsck->txn, table, &walk)) {
        fsck->records++;
        checks[table](fsck, walk.key, walk.value);
    }
}

bool fsck_run(store_t *store, fsck_report_t *report, error_info_t *error) {
    *report = (fsck_report_t){0};
    store_txn_t *txn = store_read_begin(store, error);
    if (!txn)
        return false;
    fsck_t fsck = {.txn = txn, .problems = {0, &report->lines}};
    /* no number is left out, else that is reported */
    fsck.last_response = store_count(txn, TABLE_RESPONSES);
    fsck.problems.count = ledger_check(txn, &report->lines);
    for (int table = 0; table < TABLE_COUNT; table++)
        check_table(&fsck, (store_table_t)table);
    store_read_end(txn);
    report->records = fsck.records;
    report->problems = fsck.problems.count;
    return true;
}

void fsck_report_clear(fsck_report_t *report) {
    buffer_free(&report->lines);
    *report = (fsck_report_t){0};
}
