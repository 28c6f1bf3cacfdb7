/* fuzz_batch_line.c - lines of a Batch-API file. A body that is taken is JSON with an output
 * maximum, and gives the same identity when it is read again as it was sent; JSON text as bytes is
 * walked without its being checked before. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "actors/sweep/batch_line.h"
#include "core/base/json.h"
#include "core/base/json_text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char CONFIG[] =
    "budget.total_usd = 1\n[endpoints.e]\nbase_url = \"http://127.0.0.1:1/v1\"\n[models.m]\n"
    "endpoints = [\"e\"]\nprice = { input = 1, output = 1 }\nmax_output_tokens = 7\n"
    "[models.n]\nendpoints = [\"e\"]\nprice = { input = 1, output = 1 }\nmax_output_tokens = 7\n"
    "lineage = \"m\"\nwire_name = \"m\"\n";

static void require(bool condition) {
    if (!condition)
        abort();
}

static void read_again(const settings_t *settings, const batch_line_t *line) {
    buffer_t text = BUFFER_EMPTY;
    buffer_append_format(&text,
                         "{\"custom_id\":\"\",\"method\":\"POST\",\"url\":\"/v1%s\",\"body\":",
                         llm_request_path(line->kind));
    buffer_append(&text, line->body.data, line->body.length);
    buffer_append_char(&text, '}');
    batch_line_t *again = batch_line_read(settings, text.data, text.length, text.length,
                                          batch_line_raw(text.data, text.length, text.length));
    require(!again->trouble && hash_equal(again->identity, line->identity));
    require(again->output_maximum == line->output_maximum);
    batch_line_free(again);
    buffer_free(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    error_info_t error;
    settings_t *settings =
        settings_load_batch(CONFIG, strlen(CONFIG), "config", NULL, 0, true, &error);
    require(settings != NULL);
    batch_line_t *line = batch_line_read(settings, (const char *)data, size, size,
                                         batch_line_raw((const char *)data, size, size));
    if (!line->trouble)
        read_again(settings, line);
    batch_line_free(line);
    settings_free(settings);
    json_members_t members = json_members((json_span_t){(const char *)data, size});
    while (json_members_next(&members))
        json_key_is(members.key, "model");
    buffer_t compact = BUFFER_EMPTY;
    json_write_compact(&compact, (const char *)data, size);
    require(compact.length <= size);
    buffer_free(&compact);
    return 0;
}
