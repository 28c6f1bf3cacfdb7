/* values.h - the decoders of stored values: for the modules they belong to, for fsck and for the fuzzer.
 *
 * Each takes the bytes of a value and returns whether they are one that this program writes; nothing here trusts a
 * byte, and what is borrowed points into the value. After false, what was filled in is not to be used, and nothing is
 * to be freed.
 */
#ifndef GLIA_STORE_VALUES_H
#define GLIA_STORE_VALUES_H

#include "store/batch_lines.h"
#include "store/frame.h"
#include "store/journal.h"
#include "store/ledger.h"
#include "store/recordings.h"
#include "store/records.h"
#include "store/responses.h"
#include "store/runs.h"

/* --- journal.c */
bool journal_job_decode(const void *bytes, size_t size, job_entry_t *entry); /* result borrowed */
/* `run` comes from the key. Owned members: job_failure_clear. */
bool journal_failure_decode(const void *bytes, size_t size, uint32_t run, job_failure_t *failure);

/* --- ledger_values.c: also the encoders, and the keys that ledger_check takes apart */
enum { BALANCE_KEY_FIXED = 9, BALANCE_KEY_SIZE = BALANCE_KEY_FIXED + LEDGER_MODEL_SIZE };

void ledger_attempt_encode(const attempt_t *attempt, buffer_t *out);
bool ledger_attempt_decode(const void *bytes, size_t size, uint64_t number, attempt_t *attempt);
void ledger_entry_encode(const ledger_entry_t *entry, buffer_t *out);
bool ledger_entry_decode(const void *bytes, size_t size, ledger_entry_t *entry); /* reason owned */
void ledger_balance_encode(const balance_t *balance, buffer_t *out);
bool ledger_balance_decode(const void *bytes, size_t size, balance_t *balance);
/* Returns the size of the key. */
size_t ledger_balance_key(uint8_t key[BALANCE_KEY_SIZE], uint32_t run, int32_t day, job_stage_t stage,
                          const char *model);
bool ledger_balance_key_decode(const void *key, size_t size, uint32_t *run, int32_t *day, job_stage_t *stage,
                               char model[LEDGER_MODEL_SIZE]);

/* --- ledger.c: what an attempt in its present state adds to the balance of its row */
balance_t ledger_contribution(const attempt_t *attempt);

/* --- responses.c */
enum { RESPONSE_BODY_MAXIMUM = 1 << 30 };
typedef struct {
    hash_t request;
    uint64_t attempt;
    size_t body_size;
    frame_dictionary_t dictionary;
    bool trimmed;
    const void *frame; /* borrowed */
    size_t frame_size;
} response_record_t;
bool response_decode(const void *bytes, size_t size, response_record_t *record);
/* Appends the body; false if it is trimmed or damaged. */
bool response_unpack(const response_record_t *record, buffer_t *body);
bool embed_link_decode(const void *bytes, size_t size, uint64_t *response, uint32_t *index);

/* --- records.c and records_set.c */
enum { NEURON_MAXIMUM = 1 << 30 };                                          /* bytes of one neuron record's encoding */
bool records_set_decode(const void *bytes, size_t size, record_set_t *set); /* owned: records_set_clear */
/* `id` may be NULL if it is not wanted; else owned. */
bool records_member_decode(const void *bytes, size_t size, hash_t *neuron, char **id);
/* `txn`: where shared excerpts are; NULL: records that share excerpts are checked as far as they go, and are then
 * false. The neuron is owned. */
bool records_neuron_decode(store_txn_t *txn, const void *bytes, size_t size, neuron_record_t **neuron, hash_t *hash);
/* The hash of the set's members as they are stored; false: one is missing. */
bool records_set_hash(store_txn_t *txn, const record_set_t *set, hash_t *content);
bool baseline_decode(const void *bytes, size_t size, char **explanation, double *score); /* owned */

/* --- runs.c */
enum { BLOB_MAXIMUM = 1 << 28 };
bool runs_decode(const void *bytes, size_t size, uint32_t number, run_info_t *run); /* owned: run_info_clear */

/* --- batch_lines.c */
enum { BATCH_LINE_KEY_SIZE = 12 };
bool batch_line_decode(const void *bytes, size_t size, batch_row_t *row); /* custom_id borrowed */

/* --- recordings.c */
enum { PIECE_KEY_SIZE = HASH_SIZE + 5, EXCERPT_KEY_SIZE = HASH_SIZE + 4 };
bool recording_decode(const void *bytes, size_t size, recording_t *recording); /* owned: recording_clear */
bool recording_progress_decode(const void *bytes, size_t size, recording_progress_t *progress); /* owned likewise */
/* tokens: [*count], owned, with their bytes: excerpt_tokens_free. */
bool excerpt_decode(const void *bytes, size_t size, token_t **tokens, size_t *count);
void excerpt_tokens_free(token_t *tokens, size_t count);

#endif
