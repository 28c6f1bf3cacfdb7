/* safetensors.c - reading and checking the headers of safetensors files; see safetensors.h
 * for the layout. */
#include "core/subject/safetensors.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/json.h"
#include "core/base/memory.h"
#include "core/subject/kernels.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
               "weights are little-endian in the files and used in place");

#define ONE_FILE   "model.safetensors"
#define INDEX_FILE "model.safetensors.index.json"

enum { LENGTH_SIZE = 8, MAX_SHARDS = 1024 };

struct safetensors {
    safetensors_tensor_t *tensors; /* [count], sorted by name */
    size_t count;
};

/* One file while it is read. */
typedef struct {
    const char *path;    /* for messages */
    const char *file;    /* of subject_files_get() */
    const uint8_t *data; /* [size], behind the header */
    size_t size;
    error_info_t *error;
} reader_t;

static const struct {
    const char *name;
    size_t width; /* bytes an element */
    safetensors_dtype_t dtype;
} dtypes[] = {
    {"F32", 4, SAFETENSORS_F32},       {"F16", 2, SAFETENSORS_F16},
    {"BF16", 2, SAFETENSORS_BF16},     {"F64", 8, SAFETENSORS_OTHER},
    {"I64", 8, SAFETENSORS_OTHER},     {"U64", 8, SAFETENSORS_OTHER},
    {"I32", 4, SAFETENSORS_OTHER},     {"U32", 4, SAFETENSORS_OTHER},
    {"I16", 2, SAFETENSORS_OTHER},     {"U16", 2, SAFETENSORS_OTHER},
    {"I8", 1, SAFETENSORS_OTHER},      {"U8", 1, SAFETENSORS_OTHER},
    {"BOOL", 1, SAFETENSORS_OTHER},    {"C64", 8, SAFETENSORS_OTHER},
    {"F8_E4M3", 1, SAFETENSORS_OTHER}, {"F8_E5M2", 1, SAFETENSORS_OTHER},
};

static int compare_names(const void *a, const void *b) {
    return strcmp(((const safetensors_tensor_t *)a)->name, ((const safetensors_tensor_t *)b)->name);
}

static int compare_data(const void *a, const void *b) {
    const safetensors_tensor_t *left = *(const safetensors_tensor_t *const *)a;
    const safetensors_tensor_t *right = *(const safetensors_tensor_t *const *)b;
    if (left->data != right->data)
        return left->data < right->data ? -1 : 1;
    return (left->size > right->size) - (left->size < right->size); /* empty ones first */
}

/* A name goes into messages and is looked up as a C string. */
static bool check_name(const reader_t *reader, const char *name, size_t length) {
    bool fits = length >= 1 && length <= SAFETENSORS_MAX_NAME;
    for (size_t i = 0; i < length && fits; i++)
        fits = (unsigned char)name[i] > ' ' && name[i] != 0x7f;
    return fits || error_set(reader->error, ERROR_CONFIG,
                             "%s: a tensor's name is empty, longer than %d bytes, or holds a space "
                             "or control character",
                             reader->path, (int)SAFETENSORS_MAX_NAME);
}

static bool read_dtype(const reader_t *reader, safetensors_tensor_t *tensor,
                       const json_value_t *value, size_t *width) {
    const char *name = json_as_string(value, NULL);
    for (size_t i = 0; i < sizeof dtypes / sizeof dtypes[0] && name; i++)
        if (strcmp(name, dtypes[i].name) == 0) {
            tensor->dtype = dtypes[i].dtype;
            strcpy(tensor->dtype_name, name);
            *width = dtypes[i].width;
            return true;
        }
    return error_set(reader->error, ERROR_CONFIG,
                     "%s: tensor '%s' has %s%.40s, not one of F32, F16, BF16, I64, U8, ...",
                     reader->path, tensor->name, !name ? "no dtype" : "dtype ", !name ? "" : name);
}

static bool read_shape(const reader_t *reader, safetensors_tensor_t *tensor,
                       const json_value_t *shape, size_t width) {
    if (!json_is(shape, JSON_KIND_ARRAY) || json_count(shape) > SAFETENSORS_MAX_RANK)
        return error_set(reader->error, ERROR_CONFIG,
                         "%s: tensor '%s': shape is not a list of at most %d sizes", reader->path,
                         tensor->name, (int)SAFETENSORS_MAX_RANK);
    tensor->rank = json_count(shape);
    tensor->count = 1;
    tensor->size = width;
    bool overflow = false;
    for (size_t i = 0; i < tensor->rank; i++) {
        int64_t size;
        if (!json_as_integer(json_at(shape, i), &size) || size < 0)
            return error_set(reader->error, ERROR_CONFIG,
                             "%s: tensor '%s': size %zu of its shape is not an integer >= 0",
                             reader->path, tensor->name, i);
        tensor->shape[i] = (size_t)size;
        overflow |= __builtin_mul_overflow(tensor->size, (size_t)size, &tensor->size);
        tensor->count *= (size_t)size; /* no more than the product with the width */
    }
    return !overflow || error_set(reader->error, ERROR_CONFIG,
                                  "%s: tensor '%s': the product of its shape is too large",
                                  reader->path, tensor->name);
}

static bool read_offsets(const reader_t *reader, safetensors_tensor_t *tensor,
                         const json_value_t *offsets) {
    int64_t begin, end;
    if (json_count(offsets) != 2 || !json_as_integer(json_at(offsets, 0), &begin) ||
        !json_as_integer(json_at(offsets, 1), &end) || begin < 0 || end < begin)
        return error_set(reader->error, ERROR_CONFIG,
                         "%s: tensor '%s': data_offsets are not two integers 0 <= begin <= end",
                         reader->path, tensor->name);
    if ((uint64_t)end > reader->size)
        return error_set(reader->error, ERROR_CONFIG,
                         "%s: tensor '%s' ends at byte %" PRId64
                         " of the data, which has %zu bytes; the file was cut short "
                         "or its header is wrong; fetch it again",
                         reader->path, tensor->name, end, reader->size);
    if ((uint64_t)(end - begin) != tensor->size)
        return error_set(reader->error, ERROR_CONFIG,
                         "%s: tensor '%s': its shape takes %zu bytes, its data_offsets %" PRId64,
                         reader->path, tensor->name, tensor->size, end - begin);
    tensor->data = reader->data + begin;
    return true;
}

static bool read_tensor(const reader_t *reader, safetensors_tensor_t *tensor,
                        const json_value_t *entry) {
    size_t width = 0;
    if (!json_is(entry, JSON_KIND_OBJECT))
        return error_set(reader->error, ERROR_CONFIG,
                         "%s: tensor '%s' is not described by an object", reader->path,
                         tensor->name);
    return read_dtype(reader, tensor, json_get(entry, "dtype"), &width) &&
           read_shape(reader, tensor, json_get(entry, "shape"), width) &&
           read_offsets(reader, tensor, json_get(entry, "data_offsets"));
}

/* Every byte of the data belongs to exactly one tensor. */
static bool check_cover(const reader_t *reader, const safetensors_t *tensors) {
    const safetensors_tensor_t **order = memory_new(tensors->count + 1, sizeof *order);
    for (size_t i = 0; i < tensors->count; i++)
        order[i] = &tensors->tensors[i];
    qsort(order, tensors->count, sizeof *order, compare_data);
    bool good = true;
    const uint8_t *end = reader->data;
    for (size_t i = 0; i < tensors->count && good; i++) {
        if (order[i]->data < end)
            good = error_set(reader->error, ERROR_CONFIG,
                             "%s: the data of tensor '%s' overlaps that of tensor '%s'",
                             reader->path, order[i]->name, i == 0 ? "" : order[i - 1]->name);
        else if (order[i]->data > end)
            good = error_set(reader->error, ERROR_CONFIG,
                             "%s: no tensor holds the %zu bytes before tensor '%s'", reader->path,
                             (size_t)(order[i]->data - end), order[i]->name);
        end = order[i]->data + order[i]->size;
    }
    if (good && end != reader->data + reader->size)
        good = error_set(reader->error, ERROR_CONFIG,
                         "%s: no tensor holds the last %zu bytes of the file", reader->path,
                         (size_t)(reader->data + reader->size - end));
    free(order);
    return good;
}

static bool read_header(const reader_t *reader, const json_value_t *header,
                        safetensors_t *tensors) {
    if (!json_is(header, JSON_KIND_OBJECT))
        return error_set(reader->error, ERROR_CONFIG, "%s: the header is not an object",
                         reader->path);
    tensors->tensors = memory_new(json_count(header) + 1, sizeof *tensors->tensors);
    json_iterator_t members = json_iterate(header);
    const char *key;
    const json_value_t *value;
    while (json_next(&members, &key, &value)) {
        size_t length;
        const char *name = json_member_name(value, &length);
        if (strcmp(name, "__metadata__") == 0)
            continue;
        if (!check_name(reader, name, length))
            return false;
        safetensors_tensor_t *tensor = &tensors->tensors[tensors->count++];
        tensor->name = memory_copy_string(name);
        tensor->file = memory_copy_string(reader->file);
        if (!read_tensor(reader, tensor, value))
            return false;
    }
    qsort(tensors->tensors, tensors->count, sizeof *tensors->tensors, compare_names);
    return check_cover(reader, tensors);
}

static safetensors_t *parse(const uint8_t *bytes, size_t length, const char *path, const char *file,
                            error_info_t *error) {
    uint64_t header_length = 0;
    for (size_t i = 0; i < LENGTH_SIZE && length >= LENGTH_SIZE; i++)
        header_length |= (uint64_t)bytes[i] << (8 * i);
    if (header_length > SAFETENSORS_MAX_HEADER) {
        error_set(error, ERROR_CONFIG,
                  "%s is no safetensors file: its header would be %" PRIu64
                  " bytes, over the limit of %d",
                  path, header_length, (int)SAFETENSORS_MAX_HEADER);
        return NULL;
    }
    if (length < LENGTH_SIZE || header_length > length - LENGTH_SIZE) {
        error_set(
            error, ERROR_CONFIG,
            "%s: %zu bytes are too few for its header; the file was cut short; fetch it again",
            path, length);
        return NULL;
    }
    json_value_t *header = json_parse((const char *)bytes + LENGTH_SIZE, (size_t)header_length,
                                      path, JSON_PLAIN, error);
    if (!header)
        return NULL;
    size_t start = LENGTH_SIZE + (size_t)header_length;
    reader_t reader = {
        .path = path, .file = file, .data = bytes + start, .size = length - start, .error = error};
    safetensors_t *tensors = MEMORY_NEW(safetensors_t);
    if (!read_header(&reader, header, tensors)) {
        safetensors_close(tensors);
        tensors = NULL;
    }
    json_free(header);
    return tensors;
}

safetensors_t *safetensors_parse(const uint8_t *bytes, size_t length, const char *name,
                                 error_info_t *error) {
    return parse(bytes, length, name, name, error);
}

static safetensors_t *open_file(subject_files_t *files, const char *file, error_info_t *error) {
    const uint8_t *bytes;
    size_t length;
    if (!subject_files_need(files, file, &bytes, &length, error))
        return NULL;
    char *path = subject_files_path(files, file);
    safetensors_t *tensors = parse(bytes, length, path, file, error);
    free(path);
    return tensors;
}

/* --- shards --------------------------------------------------------------------------------------
 */

typedef struct {
    const char *tensor, *file; /* borrowed from the index */
} index_entry_t;

static int compare_entries(const void *a, const void *b) {
    const index_entry_t *left = a, *right = b;
    int order = strcmp(left->file, right->file);
    return order != 0 ? order : strcmp(left->tensor, right->tensor);
}

/* The entries of the index, sorted by file; *count of them. NULL: error. */
static index_entry_t *read_index(const json_value_t *map, const char *path, size_t *count,
                                 error_info_t *error) {
    if (!json_is(map, JSON_KIND_OBJECT)) {
        error_set(error, ERROR_CONFIG, "%s: there is no object 'weight_map'", path);
        return NULL;
    }
    index_entry_t *entries = memory_new(json_count(map) + 1, sizeof *entries);
    json_iterator_t members = json_iterate(map);
    const json_value_t *value;
    const char *tensor;
    *count = 0;
    while (json_next(&members, &tensor, &value)) {
        const char *file = json_as_string(value, NULL);
        if (!file) {
            error_set(error, ERROR_CONFIG, "%s: weight_map: '%.200s' names no file", path, tensor);
            free(entries);
            return NULL;
        }
        entries[(*count)++] = (index_entry_t){.tensor = tensor, .file = file};
    }
    qsort(entries, *count, sizeof *entries, compare_entries);
    return entries;
}

/* Takes what entries[0..] want of their common file; returns how many that are, 0 on error. */
static size_t take_shard(subject_files_t *files, const index_entry_t *entries, size_t count,
                         safetensors_t *all, error_info_t *error) {
    safetensors_t *shard = open_file(files, entries[0].file, error);
    if (!shard)
        return 0;
    size_t taken = 0;
    for (; taken < count && strcmp(entries[taken].file, entries[0].file) == 0; taken++) {
        safetensors_tensor_t key = {.name = (char *)(uintptr_t)entries[taken].tensor};
        safetensors_tensor_t *tensor =
            bsearch(&key, shard->tensors, shard->count, sizeof key, compare_names);
        if (!tensor) {
            error_set(error, ERROR_CONFIG,
                      "%s: tensor '%.200s' is not there; " INDEX_FILE " says that it is",
                      entries[0].file, entries[taken].tensor);
            taken = 0;
            break;
        }
        all->tensors[all->count] = *tensor;
        all->tensors[all->count].name = memory_copy_string(tensor->name);
        all->tensors[all->count].file = memory_copy_string(tensor->file);
        all->count++;
    }
    safetensors_close(shard);
    return taken;
}

static safetensors_t *open_shards(subject_files_t *files, const index_entry_t *entries,
                                  size_t count, error_info_t *error) {
    safetensors_t *all = MEMORY_NEW(safetensors_t);
    all->tensors = memory_new(count + 1, sizeof *all->tensors);
    size_t shards = 0;
    for (size_t i = 0, taken; i < count; i += taken) {
        bool many = ++shards > MAX_SHARDS;
        if (many)
            error_set(error, ERROR_CONFIG, INDEX_FILE " names over %d files", (int)MAX_SHARDS);
        taken = many ? 0 : take_shard(files, entries + i, count - i, all, error);
        if (taken == 0) {
            safetensors_close(all);
            return NULL;
        }
    }
    qsort(all->tensors, all->count, sizeof *all->tensors, compare_names);
    return all;
}

static safetensors_t *open_index(subject_files_t *files, const uint8_t *bytes, size_t length,
                                 error_info_t *error) {
    char *path = subject_files_path(files, INDEX_FILE);
    json_value_t *index = NULL;
    if (length > SAFETENSORS_MAX_HEADER)
        error_set(error, ERROR_CONFIG, "%s: %zu bytes are over the limit of %d", path, length,
                  (int)SAFETENSORS_MAX_HEADER);
    else
        index = json_parse((const char *)bytes, length, path, JSON_PLAIN, error);
    size_t count;
    index_entry_t *entries =
        !index ? NULL : read_index(json_get(index, "weight_map"), path, &count, error);
    safetensors_t *tensors = !entries ? NULL : open_shards(files, entries, count, error);
    free(entries);
    json_free(index);
    free(path);
    return tensors;
}

safetensors_t *safetensors_open(subject_files_t *files, error_info_t *error) {
    const uint8_t *bytes;
    size_t length;
    error_info_t own; /* the caller may not want one; absent or broken must be told apart */
    error = !error ? &own : error;
    if (subject_files_get(files, ONE_FILE, &bytes, &length, error))
        return open_file(files, ONE_FILE, error);
    if (error->class_ == ERROR_NONE && subject_files_get(files, INDEX_FILE, &bytes, &length, error))
        return open_index(files, bytes, length, error);
    if (error->class_ == ERROR_NONE) {
        char *path = subject_files_path(files, ONE_FILE);
        error_set(error, ERROR_CONFIG,
                  "%s is not there, nor " INDEX_FILE "; convert other formats to safetensors",
                  path);
        free(path);
    }
    return NULL;
}

void safetensors_close(safetensors_t *tensors) {
    if (!tensors)
        return;
    for (size_t i = 0; i < tensors->count; i++) {
        free(tensors->tensors[i].name);
        free(tensors->tensors[i].file);
    }
    free(tensors->tensors);
    free(tensors);
}

size_t safetensors_count(const safetensors_t *tensors) {
    return tensors->count;
}

const safetensors_tensor_t *safetensors_at(const safetensors_t *tensors, size_t index) {
    return &tensors->tensors[index];
}

const safetensors_tensor_t *safetensors_find(const safetensors_t *tensors, const char *name) {
    safetensors_tensor_t key = {.name = (char *)(uintptr_t)name};
    return bsearch(&key, tensors->tensors, tensors->count, sizeof key, compare_names);
}

const float *safetensors_in_place(const safetensors_tensor_t *tensor) {
    bool aligned = (uintptr_t)tensor->data % _Alignof(float) == 0;
    return tensor->dtype == SAFETENSORS_F32 && aligned ? (const float *)(const void *)tensor->data
                                                       : NULL;
}

void safetensors_convert(const safetensors_tensor_t *tensor, float *out) {
    if (tensor->dtype == SAFETENSORS_F16)
        kernel_convert_f16(tensor->data, tensor->count, out);
    else if (tensor->dtype == SAFETENSORS_BF16)
        kernel_convert_bf16(tensor->data, tensor->count, out);
    else if (tensor->size > 0)
        memcpy(out, tensor->data, tensor->size);
}
