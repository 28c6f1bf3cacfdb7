/* bench_weights.c - writes a GPT-2 of any size with random weights, and a tokenizer of as many
 * tokens, for measurements.
 *
 *   build/test/bench/bench_weights DIR SIZE [DTYPE]
 *
 * SIZE: small, medium, large, xl, or LAYERSxWIDTHxHEADS; DTYPE: F32 (default), F16, BF16. DIR must
 * exist. The same SIZE and DTYPE give the same bytes. Weights are uniform with deviation 0.02, as
 * GPT-2's are before training; gains are 1. The tokenizer knows the 256 bytes and no merges; its
 * other tokens are never met in text.
 */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/buffer.h"
#include "core/base/rng.h"
#include "core/base/text.h"

enum { VOCABULARY = 50257, CONTEXT = 1024, BLOCK = 1 << 16, MAX_TENSORS = 16 };

typedef struct {
    unsigned layers, width, heads;
    char dtype[5];
} model_t;

typedef struct {
    const char *name;
    size_t rows, columns; /* columns 0: a vector */
    float center, spread; /* uniform in center +- spread */
} tensor_t;

static void die(const char *what) {
    fprintf(stderr, "bench_weights: %s\n", what);
    exit(1);
}

/* The tensors of one layer, or (layer < 0) of none; returns how many. */
static size_t list_tensors(const model_t *model, int layer, tensor_t tensors[MAX_TENSORS]) {
    const float spread = 0.02F * 1.7320508F;
    size_t width = model->width;
    const tensor_t of_layer[] = {
        {"ln_1.weight", width, 0, 1, 0},
        {"ln_1.bias", width, 0, 0, spread},
        {"attn.c_attn.weight", width, 3 * width, 0, spread},
        {"attn.c_attn.bias", 3 * width, 0, 0, spread},
        {"attn.c_proj.weight", width, width, 0, spread},
        {"attn.c_proj.bias", width, 0, 0, spread},
        {"ln_2.weight", width, 0, 1, 0},
        {"ln_2.bias", width, 0, 0, spread},
        {"mlp.c_fc.weight", width, 4 * width, 0, spread},
        {"mlp.c_fc.bias", 4 * width, 0, 0, spread},
        {"mlp.c_proj.weight", 4 * width, width, 0, spread},
        {"mlp.c_proj.bias", width, 0, 0, spread},
    };
    const tensor_t of_model[] = {
        {"wte.weight", VOCABULARY, width, 0, spread},
        {"wpe.weight", CONTEXT, width, 0, spread},
        {"ln_f.weight", width, 0, 1, 0},
        {"ln_f.bias", width, 0, 0, spread},
    };
    memcpy(tensors, layer < 0 ? of_model : of_layer, layer < 0 ? sizeof of_model : sizeof of_layer);
    return layer < 0 ? sizeof of_model / sizeof of_model[0] : sizeof of_layer / sizeof of_layer[0];
}

static uint16_t half_of(float value) {
    uint16_t sign = value < 0 ? 0x8000 : 0;
    int exponent;
    float size = fabsf(value), fraction = frexpf(size, &exponent);
    if (exponent < -13) /* subnormal */
        return (uint16_t)(sign | (uint16_t)lrintf(size * 0x1p24F));
    return (uint16_t)(sign |
                      (uint16_t)(((exponent + 14) << 10) + (int)lrintf(fraction * 2048) - 1024));
}

static void write_tensor(FILE *out, const model_t *model, const tensor_t *tensor, rng_t *rng) {
    static union {
        float full[BLOCK];
        uint16_t half[BLOCK];
    } block;
    size_t count = tensor->rows * (tensor->columns == 0 ? 1 : tensor->columns);
    bool full = strcmp(model->dtype, "F32") == 0, brain = strcmp(model->dtype, "BF16") == 0;
    for (size_t done = 0; done < count; done += BLOCK) {
        size_t now = count - done < BLOCK ? count - done : BLOCK;
        for (size_t i = 0; i < now; i++) {
            float value = tensor->center +
                          tensor->spread * (float)((int32_t)(rng_next(rng) >> 32)) * 0x1p-31F;
            uint32_t bits;
            memcpy(&bits, &value, sizeof bits);
            if (full)
                block.full[i] = value;
            else
                block.half[i] = brain ? (uint16_t)(bits >> 16) : half_of(value);
        }
        if (fwrite(&block, full ? 4 : 2, now, out) != now)
            die("cannot write");
    }
}

static void write_weights(const char *directory, const model_t *model) {
    buffer_t header = BUFFER_EMPTY, path = BUFFER_EMPTY;
    tensor_t tensors[MAX_TENSORS];
    uint64_t offset = 0, width = strcmp(model->dtype, "F32") == 0 ? 4 : 2;
    for (int layer = -1; layer < (int)model->layers; layer++) {
        size_t count = list_tensors(model, layer, tensors);
        for (size_t i = 0; i < count; i++) {
            const tensor_t *tensor = &tensors[i];
            uint64_t end =
                offset + width * tensor->rows * (tensor->columns == 0 ? 1 : tensor->columns);
            buffer_append_text(&header, header.length == 0 ? "{\"" : ",\"");
            if (layer >= 0)
                buffer_append_format(&header, "h.%d.", layer);
            buffer_append_format(&header, "%s\":{\"dtype\":\"%s\",\"shape\":[%zu", tensor->name,
                                 model->dtype, tensor->rows);
            if (tensor->columns != 0)
                buffer_append_format(&header, ",%zu", tensor->columns);
            buffer_append_format(&header, "],\"data_offsets\":[%" PRIu64 ",%" PRIu64 "]}", offset,
                                 end);
            offset = end;
        }
    }
    buffer_append_text(&header, "}");
    while (header.length % 8 != 0)
        buffer_append_text(&header, " ");
    buffer_append_format(&path, "%s/model.safetensors", directory);
    FILE *out = fopen(buffer_text(&path), "wb");
    uint64_t length = header.length;
    if (!out || fwrite(&length, 8, 1, out) != 1 || fwrite(header.data, header.length, 1, out) != 1)
        die("cannot write model.safetensors");
    rng_t rng = rng_create(1);
    for (int layer = -1; layer < (int)model->layers; layer++) {
        size_t count = list_tensors(model, layer, tensors);
        for (size_t i = 0; i < count; i++)
            write_tensor(out, model, &tensors[i], &rng);
    }
    if (fclose(out) != 0)
        die("cannot write model.safetensors");
    buffer_free(&header);
    buffer_free(&path);
}

static void write_text(const char *directory, const char *name, const buffer_t *text) {
    buffer_t path = BUFFER_EMPTY;
    error_info_t error = {0};
    buffer_append_format(&path, "%s/%s", directory, name);
    if (!buffer_write_file(text, buffer_text(&path), &error))
        die(error.message);
    buffer_free(&path);
}

/* Bytes as GPT-2's vocabularies write them: printable ones of Latin-1 stand for themselves, the
 * others, in order, for the characters from 256 on. */
static void write_tokenizer(const char *directory) {
    buffer_t vocabulary = BUFFER_EMPTY, merges = BUFFER_EMPTY;
    uint32_t next = 256;
    for (uint32_t byte = 0; byte < 256; byte++) {
        bool printable = (byte > 32 && byte < 127) || (byte > 160 && byte != 173);
        char character[4];
        size_t length = text_utf8_encode(printable ? byte : next++, character);
        const char *escape = byte == '"' || byte == '\\' ? "\\" : "";
        buffer_append_format(&vocabulary, "%s\"%s%.*s\":%" PRIu32, byte == 0 ? "{" : ",", escape,
                             (int)length, character, byte);
    }
    for (uint32_t id = 256; id + 1 < VOCABULARY; id++)
        buffer_append_format(&vocabulary, ",\"unused%" PRIu32 "\":%" PRIu32, id, id);
    buffer_append_format(&vocabulary, ",\"<|endoftext|>\":%d}\n", (int)VOCABULARY - 1);
    buffer_append_text(&merges, "#version: 0.2\n");
    write_text(directory, "vocab.json", &vocabulary);
    write_text(directory, "merges.txt", &merges);
    buffer_free(&vocabulary);
    buffer_free(&merges);
}

static void write_config(const char *directory, const model_t *model) {
    buffer_t config = BUFFER_EMPTY;
    buffer_append_format(
        &config,
        "{\"model_type\":\"gpt2\",\"n_layer\":%u,\"n_embd\":%u,\"n_head\":%u,\"n_positions\":%d,"
        "\"vocab_size\":%d,\"activation_function\":\"gelu_new\",\"layer_norm_epsilon\":1e-5}\n",
        model->layers, model->width, model->heads, (int)CONTEXT, (int)VOCABULARY);
    write_text(directory, "config.json", &config);
    buffer_free(&config);
}

static model_t parse_size(const char *text) {
    static const struct {
        const char *name;
        model_t model;
    } sizes[] = {{"small", {12, 768, 12, ""}},
                 {"medium", {24, 1024, 16, ""}},
                 {"large", {36, 1280, 20, ""}},
                 {"xl", {48, 1600, 25, ""}}};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
        if (strcmp(text, sizes[i].name) == 0)
            return sizes[i].model;
    model_t model = {0};
    if (sscanf(text, "%ux%ux%u", &model.layers, &model.width, &model.heads) != 3 ||
        model.heads == 0 || model.layers - 1 > 999 || model.width > 65536 || model.width == 0 ||
        model.width % model.heads != 0)
        die("SIZE is small, medium, large, xl or LAYERSxWIDTHxHEADS");
    return model;
}

int main(int count, char **words) {
    if (count < 3 || count > 4)
        die("usage: bench_weights DIR SIZE [F32|F16|BF16]");
    model_t model = parse_size(words[2]);
    const char *dtype = count > 3 ? words[3] : "F32";
    if (strcmp(dtype, "F32") != 0 && strcmp(dtype, "F16") != 0 && strcmp(dtype, "BF16") != 0)
        die("DTYPE is F32, F16 or BF16");
    strcpy(model.dtype, dtype);
    write_config(words[1], &model);
    write_tokenizer(words[1]);
    write_weights(words[1], &model);
    return 0;
}
