/* fuzz_viewer_gate.c - headers as anybody may send them to the viewer. What is let in must have
 * named this server, and must hold the token. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/memory.h"
#include "tools/viewer/gate.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const gate_t gate = {.address = "127.0.0.1", .port = 8321, .token = "0123456789abcdefX"};
    char *text = memory_copy(data, size), *at = text, *end = text + size;
    const char *fields[8] = {0};
    /* Fields end with a NUL or a newline; an empty one is absent. */
    for (size_t i = 0; i < 8 && at < end; i++) {
        size_t length = strcspn(at, "\n");
        fields[i] = length ? at : NULL;
        at[length] = '\0';
        at += length + 1;
    }
    gate_request_t request = {.method = fields[0] ? fields[0] : "GET",
                              .path = fields[1] ? fields[1] : "/",
                              .host = fields[2],
                              .origin = fields[3],
                              .content_type = fields[4],
                              .query_token = fields[5],
                              .cookie = fields[6],
                              .authorization = fields[7]};
    gate_verdict_t verdict = gate_judge(&gate, &request);
    if (verdict.status == 0) {
        const char *const said[] = {request.query_token, request.cookie, request.authorization};
        int named = 0;
        for (size_t i = 0; i < 3; i++)
            named += said[i] && strstr(said[i], gate.token);
        if (!named || !request.host || !strstr(request.host, ":8321"))
            abort();
    }
    free(text);
    return 0;
}
