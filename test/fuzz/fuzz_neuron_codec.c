/* fuzz_neuron_codec.c - a stored neuron record as bytes: refused, or exactly what the
 * encoder writes. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/neuron/neuron_codec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(int promise) {
    if (!promise)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    error_info_t error = {0};
    neuron_record_t *neuron = neuron_codec_decode(data, size, &error);
    if (!neuron) {
        check(error.class_ == ERROR_FATAL);
        return 0;
    }
    buffer_t bytes = BUFFER_EMPTY;
    neuron_codec_encode(neuron, &bytes);
    check(bytes.length == size && memcmp(bytes.data, data, size) == 0);
    for (split_t split = SPLIT_TRAIN; split <= SPLIT_TEST; split++) {
        split_list_t list = neuron_split(neuron, split);
        (void)neuron_max_activation(&list);
        neuron_split_free(&list);
    }
    buffer_free(&bytes);
    neuron_record_free(neuron);
    return 0;
}
