/* fuzz_corpus_stream.c - a packed file, as bytes. The first says how it is packed and in what steps
 * it is read: what comes out does not depend on the steps. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/buffer.h"
#include "core/subject/corpus_stream.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(int promise) {
    if (!promise)
        abort();
}

enum { MOST = 1 << 22 };

static bool read_all(const char *name, const uint8_t *data, size_t size, size_t step,
                     buffer_t *out) {
    corpus_stream_t *stream = corpus_stream_open_memory(name, data, size);
    char chunk[4096];
    error_info_t error = {0};
    size_t got = 0;
    bool good;
    while ((good = corpus_stream_read(stream, chunk, step, &got, &error)) && got > 0 &&
           out->length < MOST) {
        check(got <= step && corpus_stream_position(stream) <= size);
        buffer_append(out, chunk, got);
    }
    check(good ||
          (error.class_ == ERROR_CONFIG && strstr(error.message, name[0] == '-' ? "-" : name)));
    corpus_stream_close(stream);
    return good;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const char *const names[] = {"a.gz", "a.zst", "-", "a.txt"};
    if (size == 0)
        return 0;
    buffer_t once = BUFFER_EMPTY, again = BUFFER_EMPTY;
    const char *name = names[data[0] % 4];
    bool good = read_all(name, data + 1, size - 1, 4096, &once);
    bool same = read_all(name, data + 1, size - 1, 1 + data[0] / 4U * 31, &again);
    size_t common = once.length < again.length ? once.length : again.length;
    check(once.length >= MOST || good == same);
    check(!good || once.length >= MOST || once.length == again.length);
    check(common == 0 || !memcmp(once.data, again.data, common));
    buffer_free(&once);
    buffer_free(&again);
    return 0;
}
