/* batch_output.c - the lines of a batch's results file, in the Batch output format. */
#include "actors/sweep/batch_line.h"
#include "core/base/json.h"
#include "core/base/json_text.h"

static void write_head(const batch_row_t *row, char id[HASH_TEXT_SIZE], buffer_t *out) {
    hash_to_text(batch_request_id(row->identity, row->sample), id);
    buffer_append_format(out, BATCH_OUTPUT_START "%s\",\"custom_id\":", id);
    if (row->custom_id)
        json_write_string(out, row->custom_id, row->custom_id_length);
    else
        buffer_append_text(out, "null");
}

/* {"code":...,"message":...} */
static void write_error(const char *code, const char *message, buffer_t *out) {
    buffer_append_text(out, "{\"code\":");
    json_write_text(out, code);
    buffer_append_text(out, ",\"message\":");
    json_write_text(out, message);
    buffer_append_text(out, "}");
}

void batch_write_answer(const batch_row_t *row, int64_t status, const char *body, size_t length,
                        buffer_t *out) {
    char id[HASH_TEXT_SIZE];
    write_head(row, id, out);
    buffer_append_format(out,
                         ",\"response\":{\"status_code\":%lld,\"request_id\":\"req_%s\",\"body\":",
                         (long long)status, id);
    json_write_compact(out, body, length);
    buffer_append_text(out, "},\"error\":null}");
}

void batch_write_failure(const batch_row_t *row, int status, const char *code, const char *message,
                         buffer_t *out) {
    char id[HASH_TEXT_SIZE];
    write_head(row, id, out);
    buffer_append_text(out, ",\"response\":");
    if (status > 0) {
        buffer_append_format(
            out, "{\"status_code\":%d,\"request_id\":\"req_%s\",\"body\":{\"error\":", status, id);
        write_error(code, message, out);
        buffer_append_text(out, "}}");
    } else {
        buffer_append_text(out, "null");
    }
    buffer_append_text(out, ",\"error\":");
    write_error(code, message, out);
    buffer_append_text(out, "}");
}
