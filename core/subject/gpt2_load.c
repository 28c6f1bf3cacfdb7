/* gpt2_load.c - from the files of a GPT-2 to checked sizes and weights. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/json.h"
#include "core/base/memory.h"
#include "core/subject/gpt2_private.h"
#include "core/subject/kernels.h"
#include "core/subject/safetensors.h"

#define CONFIG_FILE "config.json"

enum { MAX_CONFIG = 1 << 20, PADDED_EMBEDDINGS = 1024 };

/* --- config.json ---------------------------------------------------------------------------------
 */

static const struct {
    const char *name;
    gpt2_gelu_t gelu;
} activation_functions[] = {
    {"gelu_new", GPT2_GELU_NEW}, /* first of its kind: the name that gpt2_gelu_name() gives */
    {"gelu", GPT2_GELU},          {"gelu_pytorch_tanh", GPT2_GELU_NEW},
    {"gelu_fast", GPT2_GELU_NEW}, {"gelu_python", GPT2_GELU},
};
enum { ACTIVATION_FUNCTIONS = sizeof activation_functions / sizeof activation_functions[0] };

const char *gpt2_gelu_name(gpt2_gelu_t gelu) {
    return gelu == GPT2_GELU_NEW ? "gelu_new" : "gelu";
}

static bool find_gelu(const char *name, gpt2_gelu_t *gelu) {
    for (size_t i = 0; i < ACTIVATION_FUNCTIONS && name; i++)
        if (strcmp(name, activation_functions[i].name) == 0) {
            *gelu = activation_functions[i].gelu;
            return true;
        }
    return false;
}

/* A size; `other` is another name that it goes by, or NULL. `otherwise` if it is absent or null (0:
 * then an error). */
static bool read_size(const json_value_t *config, const char *path, const char *key,
                      const char *other, size_t maximum, size_t otherwise, size_t *size,
                      error_info_t *error) {
    const json_value_t *value = json_get(config, key);
    if (json_is(value, JSON_KIND_NULL) && other)
        value = json_get(config, other);
    int64_t integer = (int64_t)otherwise;
    if ((!json_is(value, JSON_KIND_NULL) && !json_as_integer(value, &integer)) || integer < 1 ||
        (uint64_t)integer > maximum)
        return error_set(error, ERROR_CONFIG, "%s: %s is not an integer from 1 to %zu", path, key,
                         maximum);
    *size = (size_t)integer;
    return true;
}

static bool read_boolean(const json_value_t *config, const char *path, const char *key, bool *flag,
                         error_info_t *error) {
    const json_value_t *value = json_get(config, key);
    return json_is(value, JSON_KIND_NULL) || json_as_boolean(value, flag) ||
           error_set(error, ERROR_CONFIG, "%s: %s is neither true nor false", path, key);
}

static bool read_gelu(const json_value_t *config, const char *path, const char *override,
                      gpt2_gelu_t *gelu, error_info_t *error) {
    if (override)
        return find_gelu(override, gelu) ||
               error_set(error, ERROR_CONFIG, "'%.100s' is no GELU; there are gelu_new and gelu",
                         override);
    const char *name = json_as_string(json_get(config, "activation_function"), NULL);
    return find_gelu(name, gelu) ||
           error_set(error, ERROR_CONFIG,
                     "%s: activation_function is %s%.100s%s, which glia does not compute; it "
                     "computes gelu_new and gelu",
                     path, !name ? "no name" : "'", !name ? "" : name, !name ? "" : "'");
}

static bool read_epsilon(const json_value_t *config, const char *path, double *epsilon,
                         error_info_t *error) {
    const json_value_t *value = json_get(config, "layer_norm_epsilon");
    *epsilon = 1e-5;
    return json_is(value, JSON_KIND_NULL) ||
           (json_as_number(value, epsilon) && *epsilon >= 1e-30 && *epsilon <= 1) ||
           error_set(error, ERROR_CONFIG, "%s: layer_norm_epsilon is not a number from 1e-30 to 1",
                     path);
}

static bool read_sizes(gpt2_t *model, const json_value_t *config, const char *path,
                       error_info_t *error) {
    gpt2_shape_t *shape = &model->shape;
    if (!read_size(config, path, "n_layer", NULL, 1024, 0, &shape->layers, error) ||
        !read_size(config, path, "n_embd", NULL, 1 << 16, 0, &shape->width, error) ||
        !read_size(config, path, "n_head", NULL, 1 << 16, 0, &shape->heads, error) ||
        !read_size(config, path, "n_positions", "n_ctx", 1 << 20, 0, &shape->context, error) ||
        !read_size(config, path, "vocab_size", NULL, 1 << 24, 0, &shape->vocabulary, error) ||
        !read_size(config, path, "n_inner", NULL, 1 << 20, 4 * shape->width, &shape->neurons,
                   error))
        return false;
    return shape->width % shape->heads == 0 ||
           error_set(error, ERROR_CONFIG, "%s: n_head %zu does not divide n_embd %zu", path,
                     shape->heads, shape->width);
}

static bool read_config(gpt2_t *model, const json_value_t *config, const char *path,
                        const char *gelu, error_info_t *error) {
    const json_value_t *type = json_get(config, "model_type");
    const char *name = json_as_string(type, NULL);
    if (!json_is(config, JSON_KIND_OBJECT))
        return error_set(error, ERROR_CONFIG, "%s is not a JSON object", path);
    if (!json_is(type, JSON_KIND_NULL) && (!name || strcmp(name, "gpt2") != 0))
        return error_set(error, ERROR_CONFIG,
                         "%s: model_type is '%.100s'; subject models are of type 'gpt2'", path,
                         !name ? "" : name);
    model->scale_by_size = true;
    return read_sizes(model, config, path, error) &&
           read_gelu(config, path, gelu, &model->shape.gelu, error) &&
           read_epsilon(config, path, &model->shape.epsilon, error) &&
           read_boolean(config, path, "scale_attn_weights", &model->scale_by_size, error) &&
           read_boolean(config, path, "scale_attn_by_inverse_layer_idx", &model->scale_by_layer,
                        error);
}

static bool load_config(gpt2_t *model, subject_files_t *files, const char *gelu,
                        error_info_t *error) {
    const uint8_t *bytes;
    size_t length;
    if (!subject_files_need(files, CONFIG_FILE, &bytes, &length, error))
        return false;
    char *path = subject_files_path(files, CONFIG_FILE);
    json_value_t *config = NULL;
    if (length > MAX_CONFIG)
        error_set(error, ERROR_CONFIG, "%s: %zu bytes are over the limit of %d", path, length,
                  (int)MAX_CONFIG);
    else
        config = json_parse((const char *)bytes, length, path, JSON_PLAIN, error);
    bool good = config && read_config(model, config, path, gelu, error);
    json_free(config);
    free(path);
    return good;
}

/* --- weights -------------------------------------------------------------------------------------
 */

typedef enum { NO_SIZE, WIDTH, THREE_WIDTHS, NEURONS, VOCABULARY, CONTEXT } size_name_t;

typedef struct {
    const char *name;          /* "%zu" becomes the layer */
    size_t offset;             /* of the pointer */
    size_name_t rows, columns; /* columns NO_SIZE: a vector [rows] */
    bool not_last;             /* not needed in the last layer */
} weight_t;

#define OF_LAYER(member) offsetof(gpt2_layer_t, member)
static const weight_t layer_weights[] = {
    {"h.%zu.ln_1.weight", OF_LAYER(norm_1_gain), WIDTH, NO_SIZE, false},
    {"h.%zu.ln_1.bias", OF_LAYER(norm_1_bias), WIDTH, NO_SIZE, false},
    {"h.%zu.attn.c_attn.weight", OF_LAYER(attend), WIDTH, THREE_WIDTHS, false},
    {"h.%zu.attn.c_attn.bias", OF_LAYER(attend_bias), THREE_WIDTHS, NO_SIZE, false},
    {"h.%zu.attn.c_proj.weight", OF_LAYER(merge), WIDTH, WIDTH, false},
    {"h.%zu.attn.c_proj.bias", OF_LAYER(merge_bias), WIDTH, NO_SIZE, false},
    {"h.%zu.ln_2.weight", OF_LAYER(norm_2_gain), WIDTH, NO_SIZE, false},
    {"h.%zu.ln_2.bias", OF_LAYER(norm_2_bias), WIDTH, NO_SIZE, false},
    {"h.%zu.mlp.c_fc.weight", OF_LAYER(up), WIDTH, NEURONS, false},
    {"h.%zu.mlp.c_fc.bias", OF_LAYER(up_bias), NEURONS, NO_SIZE, false},
    {"h.%zu.mlp.c_proj.weight", OF_LAYER(down), NEURONS, WIDTH, true},
    {"h.%zu.mlp.c_proj.bias", OF_LAYER(down_bias), WIDTH, NO_SIZE, true},
};
static const weight_t model_weights[] = {
    {"wte.weight", offsetof(gpt2_t, token_embedding), VOCABULARY, WIDTH, false},
    {"wpe.weight", offsetof(gpt2_t, position_embedding), CONTEXT, WIDTH, false},
};
enum {
    LAYER_WEIGHTS = sizeof layer_weights / sizeof layer_weights[0],
    MODEL_WEIGHTS = sizeof model_weights / sizeof model_weights[0]
};

typedef struct {
    gpt2_t *model;
    subject_files_t *files;
    const safetensors_t *tensors;
    hash_builder_t *hash;
    error_info_t *error;
} loader_t;

static size_t size_of(const gpt2_shape_t *shape, size_name_t name) {
    switch (name) {
    case WIDTH: return shape->width;
    case THREE_WIDTHS: return 3 * shape->width;
    case NEURONS: return shape->neurons;
    case VOCABULARY: return shape->vocabulary;
    case CONTEXT: return shape->context;
    case NO_SIZE: break;
    }
    return 1;
}

static bool refuse(const loader_t *loader, const safetensors_tensor_t *tensor, const char *what) {
    char *path = subject_files_path(loader->files, tensor->file);
    error_set(loader->error, ERROR_CONFIG, "%s: tensor '%s' %s", path, tensor->name, what);
    free(path);
    return false;
}

static bool check_shape(const loader_t *loader, const safetensors_tensor_t *tensor,
                        const weight_t *weight) {
    size_t rows = size_of(&loader->model->shape, weight->rows);
    size_t columns = size_of(&loader->model->shape, weight->columns),
           rank = weight->columns == NO_SIZE ? 1 : 2;
    if (tensor->rank == rank && tensor->shape[0] == rows &&
        (rank == 1 || tensor->shape[1] == columns))
        return true;
    char wanted[64], what[400];
    snprintf(wanted, sizeof wanted, rank == 1 ? "[%zu]" : "[%zu, %zu]", rows, columns);
    int length = snprintf(what, sizeof what, "has shape [");
    for (size_t i = 0; i < tensor->rank; i++)
        length += snprintf(what + length, sizeof what - (size_t)length, i == 0 ? "%zu" : ", %zu",
                           tensor->shape[i]);
    snprintf(what + length, sizeof what - (size_t)length, "]; " CONFIG_FILE " makes it %s", wanted);
    return refuse(loader, tensor, what);
}

static const safetensors_tensor_t *find_tensor(const loader_t *loader, const char *name) {
    char longer[96];
    snprintf(longer, sizeof longer, "transformer.%s", name);
    const safetensors_tensor_t *tensor = safetensors_find(loader->tensors, name);
    return tensor ? tensor : safetensors_find(loader->tensors, longer);
}

/* Whether all elements are finite, once they are converted. */
static bool converts_finite(const safetensors_tensor_t *tensor) {
    enum { BLOCK = 4096 };
    float block[BLOCK];
    size_t width = tensor->count > 0 ? tensor->size / tensor->count : 0;
    bool finite = true;
    for (size_t from = 0; finite && from < tensor->count; from += BLOCK) {
        safetensors_tensor_t part = *tensor;
        part.count = tensor->count - from < BLOCK ? tensor->count - from : BLOCK;
        part.data += from * width;
        part.size = part.count * width;
        safetensors_convert(&part, block);
        finite = kernel_all_finite(block, part.count);
    }
    return finite;
}

static bool load_weight(loader_t *loader, const weight_t *weight, size_t layer,
                        const float **place) {
    char name[64];
    /* The format is one of the literals above. */
    const char *number = strstr(weight->name, "%zu");
    if (!number)
        snprintf(name, sizeof name, "%s", weight->name);
    else
        snprintf(name, sizeof name, "%.*s%zu%s", (int)(number - weight->name), weight->name, layer,
                 number + 3);
    const safetensors_tensor_t *tensor = find_tensor(loader, name);
    if (!tensor) {
        char *path = subject_files_path(loader->files, "model.safetensors");
        error_set(loader->error, ERROR_CONFIG, "%s has no tensor '%s', nor 'transformer.%s'", path,
                  name, name);
        free(path);
        return false;
    }
    if (tensor->dtype == SAFETENSORS_OTHER)
        return refuse(loader, tensor, "is neither F32, F16 nor BF16");
    if (!check_shape(loader, tensor, weight))
        return false;
    gpt2_t *model = loader->model;
    *place = safetensors_in_place(tensor);
    if (!*place)
        model->pending[model->pending_count++] = (gpt2_pending_t){tensor, place};
    else
        model->mapped_size += tensor->size;
    if (!(*place ? kernel_all_finite(*place, tensor->count) : converts_finite(tensor)))
        return refuse(loader, tensor, "has a weight that is NaN or infinite; the file is broken");
    hash_builder_add_text(loader->hash, name);
    hash_builder_add_text(loader->hash, tensor->dtype_name);
    hash_builder_add_hash(loader->hash, hash_bytes(tensor->data, tensor->size));
    return true;
}

static bool load_layer(loader_t *loader, size_t index) {
    gpt2_t *model = loader->model;
    gpt2_layer_t *layer = &model->layers[index];
    bool last = index + 1 == model->shape.layers;
    for (size_t i = 0; i < LAYER_WEIGHTS; i++) {
        const weight_t *weight = &layer_weights[i];
        const float **place = (const float **)(void *)((char *)layer + weight->offset);
        if (!(last && weight->not_last) && !load_weight(loader, weight, index, place))
            return false;
    }
    double scale = model->scale_by_size
                       ? 1 / __builtin_sqrt((double)(model->shape.width / model->shape.heads))
                       : 1;
    layer->attention_scale = (float)(model->scale_by_layer ? scale / (double)(index + 1) : scale);
    return true;
}

static bool load_weights(loader_t *loader) {
    gpt2_t *model = loader->model;
    model->layers = MEMORY_NEW_ARRAY(model->shape.layers, gpt2_layer_t);
    size_t most = model->shape.layers * LAYER_WEIGHTS + MODEL_WEIGHTS;
    model->owned = memory_new(most, sizeof *model->owned);
    model->pending = memory_new(most, sizeof *model->pending);
    for (size_t i = 0; i < MODEL_WEIGHTS; i++) {
        const float **place = (const float **)(void *)((char *)model + model_weights[i].offset);
        if (!load_weight(loader, &model_weights[i], 0, place))
            return false;
    }
    for (size_t i = 0; i < model->shape.layers; i++)
        if (!load_layer(loader, i))
            return false;
    return true;
}

/* A file of which every weight was converted is not needed any longer. */
static void release_files(const gpt2_t *model) {
    bool in_place = model->mapped_size > 0;
    for (size_t i = 0; i < safetensors_count(model->tensors) && !in_place; i++)
        subject_files_release(model->files, safetensors_at(model->tensors, i)->file);
}

void gpt2_convert(gpt2_t *model) {
    if (!model->tensors)
        return;
    for (size_t i = 0; i < model->pending_count; i++) {
        const safetensors_tensor_t *tensor = model->pending[i].tensor;
        float *owned = memory_new(tensor->count, sizeof *owned);
        safetensors_convert(tensor, owned);
        model->owned[model->owned_count++] = owned;
        model->owned_size += tensor->count * sizeof *owned;
        *model->pending[i].place = owned;
    }
    release_files(model);
    safetensors_close(model->tensors);
    model->tensors = NULL;
}

static void add_shape(hash_builder_t *hash, const gpt2_t *model) {
    const gpt2_shape_t *shape = &model->shape;
    const size_t sizes[] = {shape->layers,  shape->width,      shape->heads,
                            shape->context, shape->vocabulary, shape->neurons};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
        hash_builder_add_integer(hash, (int64_t)sizes[i]);
    hash_builder_add_number(hash, shape->epsilon);
    hash_builder_add_text(hash, gpt2_gelu_name(shape->gelu));
    hash_builder_add_integer(hash, model->scale_by_size);
    hash_builder_add_integer(hash, model->scale_by_layer);
}

gpt2_t *gpt2_load(subject_files_t *files, const char *gelu, error_info_t *error) {
    gpt2_t *model = gpt2_open(files, gelu, error);
    if (model)
        gpt2_convert(model);
    return model;
}

gpt2_t *gpt2_open(subject_files_t *files, const char *gelu, error_info_t *error) {
    error_info_t own; /* subject_files_get() needs one */
    error = !error ? &own : error;
    gpt2_t *model = MEMORY_NEW(gpt2_t);
    model->files = files;
    model->tensors = load_config(model, files, gelu, error) ? safetensors_open(files, error) : NULL;
    bool good = false;
    if (model->tensors) {
        loader_t loader = {model, files, model->tensors, hash_builder_create("gpt2"), error};
        add_shape(loader.hash, model);
        good = load_weights(&loader);
        model->identity = hash_builder_finish(loader.hash);
    }
    if (!good) {
        gpt2_free(model);
        model = NULL;
    }
    return model;
}

void gpt2_free(gpt2_t *model) {
    if (!model)
        return;
    for (size_t i = 0; i < model->owned_count; i++)
        free(model->owned[i]);
    safetensors_close(model->tensors);
    free(model->pending);
    free(model->owned);
    free(model->layers);
    free(model);
}

const gpt2_shape_t *gpt2_shape(const gpt2_t *model) {
    return &model->shape;
}

hash_t gpt2_identity(const gpt2_t *model) {
    return model->identity;
}

size_t gpt2_memory(const gpt2_t *model, size_t *mapped) {
    if (mapped)
        *mapped = model->mapped_size;
    return model->owned_size;
}

bool gpt2_check_vocabulary(const gpt2_t *model, size_t tokens, error_info_t *error) {
    size_t embeddings = model->shape.vocabulary;
    if (tokens <= embeddings && embeddings - tokens < PADDED_EMBEDDINGS)
        return true;
    return error_set(error, ERROR_CONFIG,
                     "the tokenizer has %zu tokens, the model embeddings for %zu; vocab.json and "
                     "model.safetensors are of different models",
                     tokens, embeddings);
}
