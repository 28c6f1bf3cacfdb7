/* batch_line.h - one line of a Batch-API file: checked, identified, turned into the body
 * that is sent. Pure.
 *
 *   {"custom_id": "...", "method": "POST", "url": "/v1/chat/completions",
 *    "body": {"model": "...", ...}}
 *
 * Taken: chat completions, completions and embeddings. The body is sent as it stands, byte for
 * byte, but for the model's name (models.<name>.wire_name) and an output maximum where it has none
 * (max_output_tokens of the model). Refused, because their worst-case cost cannot be known
 * beforehand or they are no single question: stream, n and best_of above 1, prediction,
 * web_search_options, content parts other than text, no output maximum at all.
 *
 * What is asked (identity): kind, lineage, output maximum, and the other members of the body by
 * value, not by their bytes: neither the order of keys nor whitespace or escapes matter, nor
 * custom_id, the model's name, or whether the output maximum was given or is the model's. The
 * request's identity adds how often the same was asked on earlier lines of the file (sample):
 * repeated lines are samples.
 */
#ifndef GLIA_ACTORS_SWEEP_BATCH_LINE_H
#define GLIA_ACTORS_SWEEP_BATCH_LINE_H

#include "actors/sweep/settings.h"
#include "core/llm/wire.h"
#include "store/batch_lines.h"

enum { BATCH_LINE_MAXIMUM = 64 << 20 }; /* bytes */

typedef struct batch_line {
    /* in the file, from 0, blank lines left out: where its row and its output line stand */
    uint64_t index;
    uint64_t number;                /* in the file, from 1: for people */
    hash_t raw, settings, identity; /* as in batch_row_t */
    uint64_t sample;
    char *custom_id; /* owned; NULL: none */
    size_t custom_id_length;
    size_t size; /* bytes of the line */
    llm_kind_t kind;
    size_t model;
    int64_t output_maximum; /* 0 for embeddings */
    buffer_t body;          /* what is sent; the ticket takes it */
    char *trouble;          /* owned; why the line is refused; NULL: it is fine */
    uint64_t response;      /* the answer, once it is stored; 0: none */
    buffer_t answer;        /* its body, if it was bought just now: need not be read back */
} batch_line_t;

void batch_line_free(batch_line_t *line); /* NULL is fine */

/* Hash of a line's bytes; of one that was cut off, of those that were kept and its size. */
hash_t batch_line_raw(const char *text, size_t length, uint64_t size);
/* Hash of what of the settings has a part in identities and bodies: names,
 * lineages, output maxima. */
hash_t batch_settings_hash(const settings_t *settings);

/* Never NULL: a line that cannot be used has `trouble`, and an identity made of its bytes. `size`:
 * of the whole line, more than `length` if it was too long; `raw`: batch_line_raw of the same.
 * sample, index, number and settings are the caller's to fill in. */
batch_line_t *batch_line_read(const settings_t *settings, const char *text, size_t length,
                              uint64_t size, hash_t raw);

hash_t batch_request_id(hash_t identity, uint64_t sample);
hash_t batch_job_id(hash_t identity, uint64_t sample);

/* Puts the line's row, see batch_lines.h: done if it has a response, else failed. */
bool batch_line_record(const batch_line_t *line, store_txn_t *txn, uint32_t run,
                       error_info_t *error);

/* The lines of the results file, without their ends; appended to `out`.
 *   {"id":"batch_req_<request>","custom_id":"...","response":
 *    {"status_code":200,"request_id":"req_<request>","body":{...}},"error":null}
 *   {"id":...,"custom_id":...,"response":null,"error":{"code":"...","message":"..."}}
 * `body`: the raw answer. After an HTTP answer that was a refusal, `response` has its status and an
 * error object with the provider's code and message. custom_id may be NULL. */
#define BATCH_OUTPUT_START "{\"id\":\"batch_req_"
void batch_write_answer(const batch_row_t *row, int64_t status, const char *body, size_t length,
                        buffer_t *out);
void batch_write_failure(const batch_row_t *row, int status, const char *code, const char *message,
                         buffer_t *out);

#endif
