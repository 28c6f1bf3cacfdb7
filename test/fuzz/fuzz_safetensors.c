/* fuzz_safetensors.c - a safetensors file; then the same bytes as weights of a model, and as an
 * index and its shard. What is accepted is read whole. */
#include <stdlib.h>

#include "core/base/memory.h"
#include "core/subject/gpt2.h"
#include "core/subject/safetensors.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CONFIG                                                                                  \
    "{\"n_layer\":1,\"n_embd\":2,\"n_head\":1,\"n_positions\":1,\"vocab_size\":1,\"activation_" \
    "function\":\"gelu\"}"

static void read_all(const safetensors_t *tensors) {
    for (size_t i = 0; i < safetensors_count(tensors); i++) {
        const safetensors_tensor_t *tensor = safetensors_at(tensors, i);
        if (safetensors_find(tensors, tensor->name) != tensor)
            abort();
        if (tensor->dtype == SAFETENSORS_OTHER)
            continue;
        float *numbers = memory_new(tensor->count + 1, sizeof *numbers);
        safetensors_convert(tensor, numbers);
        free(numbers);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    error_info_t error = {0};
    safetensors_t *tensors = safetensors_parse(data, size, "weights", &error);
    if (tensors)
        read_all(tensors);
    safetensors_close(tensors);

    const char *bytes = size == 0 ? "" : (const char *)data;
    const embedded_file_t list[] = {
        {"config.json", CONFIG, sizeof CONFIG - 1},
        {"model.safetensors", bytes, size},
        {"model.safetensors.index.json", bytes, size},
        {"config.json", bytes, size},
    };
    subject_files_t *files = subject_files_of(list, 2), *shards = subject_files_of(list + 2, 1);
    subject_files_t *config = subject_files_of(list + 3, 1);
    gpt2_free(gpt2_load(files, NULL, &error));
    safetensors_close(safetensors_open(shards, &error));
    gpt2_free(gpt2_load(config, NULL, &error));
    subject_files_close(files);
    subject_files_close(shards);
    subject_files_close(config);
    return 0;
}
