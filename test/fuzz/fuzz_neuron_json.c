/* fuzz_neuron_json.c - a records file as bytes. What is taken is written, read again, and
 * must be the same. */
#include <stdint.h>
#include <stdlib.h>

#include "core/neuron/neuron_codec.h"
#include "core/neuron/neuron_json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(int promise) {
    if (!promise)
        abort();
}

static void check_written(const neuron_record_t *neuron) {
    buffer_t text = BUFFER_EMPTY;
    neuron_list_t again;
    error_info_t error = {0};
    check(neuron_json_write(neuron, &text));
    check(neuron_json_parse(buffer_text(&text), text.length, "written", &again, &error));
    check(again.count == 1);
    if (neuron->source != NEURON_SOURCE_PUZZLE) /* which comes back as a record set */
        check(hash_equal(neuron_codec_hash(neuron), neuron_codec_hash(again.neurons[0])));
    neuron_list_free(&again);
    buffer_free(&text);
}

static void check_codec(const neuron_record_t *neuron) {
    buffer_t bytes = BUFFER_EMPTY;
    neuron_codec_encode(neuron, &bytes);
    neuron_record_t *again = neuron_codec_decode(bytes.data, bytes.length, NULL);
    check(again != NULL);
    neuron_record_free(again);
    buffer_free(&bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    neuron_list_t list;
    error_info_t error = {0};
    if (!neuron_json_parse((const char *)data, size, "fuzz", &list, &error)) {
        check(error.class_ == ERROR_CONFIG && list.count == 0 && !list.neurons);
        return 0;
    }
    check(list.count > 0);
    for (size_t i = 0; i < list.count; i++) {
        check_written(list.neurons[i]);
        check_codec(list.neurons[i]);
    }
    neuron_list_free(&list);
    return 0;
}
