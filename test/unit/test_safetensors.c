/* test_safetensors.c - headers that are right, and every way in which they may be wrong; shards;
 * the files of a model.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/buffer.h"
#include "core/base/memory.h"
#include "core/subject/safetensors.h"
#include "test/unit/store_dir.h"

/* A file of that header and so many bytes of data, each its own number. */
static buffer_t make_file(const char *header, size_t data) {
    buffer_t file = BUFFER_EMPTY;
    size_t length = strlen(header);
    for (size_t i = 0; i < 8; i++)
        buffer_append_char(&file, (char)(length >> (8 * i)));
    buffer_append_text(&file, header);
    for (size_t i = 0; i < data; i++)
        buffer_append_char(&file, (char)i);
    return file;
}

static safetensors_t *parse(const char *header, size_t data, buffer_t *file, error_info_t *error) {
    *file = make_file(header, data);
    return safetensors_parse((const uint8_t *)file->data, file->length, "w.safetensors", error);
}

static void tensors_are_found(void **state) {
    (void)state;
    buffer_t file;
    error_info_t error = {0};
    safetensors_t *tensors =
        parse("{\"__metadata__\":{\"format\":\"pt\"},"
              "\"b\":{\"dtype\":\"F32\",\"shape\":[2,1],\"data_offsets\":[4,12]},"
              "\"mask\":{\"dtype\":\"BOOL\",\"shape\":[4],\"data_offsets\":[0,4]},"
              "\"a\":{\"dtype\":\"BF16\",\"shape\":[],\"data_offsets\":[12,14]},"
              "\"empty\":{\"dtype\":\"F16\",\"shape\":[3,0],\"data_offsets\":[12,12]}}   ",
              14, &file, &error);
    if (!tensors)
        fail_msg("%s", error.message);
    assert_int_equal(safetensors_count(tensors), 4);
    assert_string_equal(safetensors_at(tensors, 0)->name, "a");
    assert_null(safetensors_find(tensors, "c"));
    const safetensors_tensor_t *b = safetensors_find(tensors, "b");
    assert_true(b->rank == 2 && b->shape[0] == 2 && b->shape[1] == 1 && b->count == 2 &&
                b->size == 8);
    assert_true(b->data[0] == 4 && b->dtype == SAFETENSORS_F32);
    float numbers[2];
    safetensors_convert(b, numbers);
    assert_memory_equal(numbers, b->data, 8);
    assert_true(safetensors_find(tensors, "a")->count == 1);
    assert_true(safetensors_find(tensors, "mask")->dtype == SAFETENSORS_OTHER);
    assert_true(safetensors_find(tensors, "empty")->count == 0);
    safetensors_convert(safetensors_find(tensors, "empty"), numbers);
    safetensors_close(tensors);
    buffer_free(&file);
}

static void refused_with(const char *header, size_t data, const char *says) {
    buffer_t file;
    error_info_t error = {0};
    assert_null(parse(header, data, &file, &error));
    assert_int_equal(error.class_, ERROR_CONFIG);
    if (!strstr(error.message, says) || !strstr(error.message, "w.safetensors"))
        fail_msg("'%s' does not say '%s' for %s", error.message, says, header);
    buffer_free(&file);
}

#define A_IS(rest) "{\"a\":{\"dtype\":\"F32\"," rest "}}"

static void wrong_headers(void **state) {
    (void)state;
    refused_with("", 0, "");
    refused_with("[]", 0, "not an object");
    refused_with("{\"a\":1}", 0, "'a'");
    refused_with("{\"a\":{\"shape\":[1],\"data_offsets\":[0,4]}}", 4, "no dtype");
    refused_with("{\"a\":{\"dtype\":\"F33\",\"shape\":[1],\"data_offsets\":[0,4]}}", 4,
                 "dtype F33");
    refused_with(A_IS("\"data_offsets\":[0,4]"), 4, "shape");
    refused_with(A_IS("\"shape\":[-1],\"data_offsets\":[0,4]"), 4, "shape");
    refused_with(A_IS("\"shape\":[1.5],\"data_offsets\":[0,4]"), 4, "shape");
    refused_with(A_IS("\"shape\":[1,1,1,1,1,1,1,1,1],\"data_offsets\":[0,4]"), 4, "shape");
    refused_with(A_IS("\"shape\":[4611686018427387904,4],\"data_offsets\":[0,0]"), 0, "too large");
    refused_with(A_IS("\"shape\":[4294967296,4294967296],\"data_offsets\":[0,0]"), 0, "too large");
    refused_with(A_IS("\"shape\":[1]"), 4, "data_offsets");
    refused_with(A_IS("\"shape\":[1],\"data_offsets\":[0]"), 4, "data_offsets");
    refused_with(A_IS("\"shape\":[1],\"data_offsets\":[4,0]"), 4, "data_offsets");
    refused_with(A_IS("\"shape\":[1],\"data_offsets\":[-4,0]"), 4, "data_offsets");
    refused_with(A_IS("\"shape\":[1],\"data_offsets\":[0,8]"), 8, "takes 4 bytes");
    refused_with(A_IS("\"shape\":[1],\"data_offsets\":[0,4]"), 3, "cut short");
    refused_with(A_IS("\"shape\":[1],\"data_offsets\":[9223372036854775800,9223372036854775804]"),
                 4, "cut short");
    refused_with(A_IS("\"shape\":[1],\"data_offsets\":[4,8]"), 8,
                 "no tensor holds the 4 bytes before tensor 'a'");
    refused_with(A_IS("\"shape\":[1],\"data_offsets\":[0,4]"), 6, "the last 2 bytes");
    refused_with("{\"\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[0,4]}}", 4, "name");
    refused_with("{\"a\\u001b[31m\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[0,4]}}", 4,
                 "name");
    refused_with("{\"a\\u0000\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[0,4]}}", 4,
                 "name");
    refused_with("{\"a\":{\"dtype\":\"I8\",\"shape\":[3],\"data_offsets\":[0,3]},"
                 "\"b\":{\"dtype\":\"I8\",\"shape\":[3],\"data_offsets\":[2,5]}}",
                 5, "tensor 'b' overlaps that of tensor 'a'");
    refused_with("{\"a\":{\"dtype\":\"I8\",\"shape\":[3],\"data_offsets\":[0,3]},"
                 "\"a\":{\"dtype\":\"I8\",\"shape\":[3],\"data_offsets\":[3,6]}}",
                 6, "duplicate");
}

static void wrong_lengths(void **state) {
    (void)state;
    static const uint8_t huge[] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, '{', '}'};
    static const uint8_t over[] = {1, 0, 0x80, 0, 0, 0, 0, 0, '{', '}'},
                         cut[] = {3, 0, 0, 0, 0, 0, 0, 0, '{', '}'};
    error_info_t error = {0};
    assert_null(safetensors_parse(huge, sizeof huge, "w", &error));
    assert_non_null(strstr(error.message, "over the limit"));
    assert_null(safetensors_parse(over, sizeof over, "w", &error));
    assert_non_null(strstr(error.message, "over the limit"));
    assert_null(safetensors_parse(cut, sizeof cut, "w", &error));
    assert_non_null(strstr(error.message, "cut short"));
    for (size_t length = 0; length < 8; length++) {
        assert_null(safetensors_parse(cut, length, "w", &error));
        assert_non_null(strstr(error.message, "cut short"));
    }
}

/* --- shards and files ----------------------------------------------------------------------------
 */

#define INDEX "model.safetensors.index.json"
#define ONE   "{\"a\":{\"dtype\":\"I8\",\"shape\":[2],\"data_offsets\":[0,2]}}"
#define TWO                                                                                   \
    "{\"b\":{\"dtype\":\"I8\",\"shape\":[2],\"data_offsets\":[0,2]},\"c\":{\"dtype\":\"I8\"," \
    "\"shape\":[1],"                                                                          \
    "\"data_offsets\":[2,3]}}"

static safetensors_t *open_shards(const char *index, error_info_t *error) {
    buffer_t one = make_file(ONE, 2), two = make_file(TWO, 3);
    embedded_file_t list[] = {{"1.st", one.data, one.length},
                              {"2.st", two.data, two.length},
                              {INDEX, index, strlen(index)}};
    subject_files_t *files = subject_files_of(list, 3);
    safetensors_t *tensors = safetensors_open(files, error);
    subject_files_close(files);
    buffer_free(&one);
    buffer_free(&two);
    return tensors;
}

static void shards(void **state) {
    (void)state;
    error_info_t error = {0};
    safetensors_t *tensors =
        open_shards("{\"weight_map\":{\"c\":\"2.st\",\"a\":\"1.st\"}}", &error);
    if (!tensors)
        fail_msg("%s", error.message);
    assert_int_equal(safetensors_count(tensors), 2);
    assert_string_equal(safetensors_find(tensors, "a")->file, "1.st");
    assert_string_equal(safetensors_find(tensors, "c")->file, "2.st");
    assert_null(safetensors_find(tensors, "b")); /* the index does not list it */
    safetensors_close(tensors);
    static const char *const wrong[][2] = {
        {"", INDEX},
        {"[]", "weight_map"},
        {"{\"weight_map\":[]}", "weight_map"},
        {"{\"weight_map\":{\"a\":1}}", "'a' names no file"},
        {"{\"weight_map\":{\"a\":\"2.st\"}}", "tensor 'a' is not there"},
        {"{\"weight_map\":{\"a\":\"3.st\"}}", "3.st is not there"},
        {"{\"weight_map\":{\"a\":\"../1.st\"}}", "'../1.st' is no name"},
        {"{\"weight_map\":{\"a\":\"1.st\",\"a\":\"2.st\"}}", "a"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        error = (error_info_t){0};
        assert_null(open_shards(wrong[i][0], &error));
        assert_int_equal(error.class_, ERROR_CONFIG);
        if (!strstr(error.message, wrong[i][1]))
            fail_msg("'%s' does not say '%s'", error.message, wrong[i][1]);
    }
    subject_files_t *none = subject_files_of(NULL, 0);
    assert_null(safetensors_open(none, &error));
    assert_non_null(strstr(error.message, "model.safetensors is not there"));
    assert_null(safetensors_open(none, NULL));
    subject_files_close(none);
}

static void write_file(const char *directory, const char *name, const char *text) {
    char *path = memory_format("%s/%s", directory, name);
    buffer_t buffer = BUFFER_EMPTY;
    buffer_append_text(&buffer, text);
    assert_true(buffer_write_file(&buffer, path, NULL));
    buffer_free(&buffer);
    free(path);
}

static void files_of_a_directory(void **state) {
    (void)state;
    char *directory = store_dir_make();
    write_file(directory, "some", "bytes");
    write_file(directory, "empty", "");
    error_info_t error = {0};
    char *path = memory_format("%s/some", directory),
         *pipe_path = memory_format("%s/pipe", directory);
    assert_int_equal(mkfifo(pipe_path, 0600), 0);
    assert_null(subject_files_open(path, &error));
    assert_non_null(strstr(error.message, "not a directory"));
    assert_null(subject_files_open("/nowhere/at/all", &error));
    assert_non_null(strstr(error.message, "/nowhere/at/all"));
    subject_files_t *files = subject_files_open(directory, &error);
    const uint8_t *bytes, *again;
    size_t length;
    assert_true(subject_files_get(files, "some", &bytes, &length, &error));
    assert_true(length == 5 && memcmp(bytes, "bytes", 5) == 0);
    assert_true(subject_files_get(files, "some", &again, &length, &error) && again == bytes);
    assert_true(subject_files_get(files, "empty", &bytes, &length, &error) && length == 0);
    assert_false(subject_files_get(files, "other", &bytes, &length, &error));
    assert_int_equal(error.class_, ERROR_NONE);
    assert_false(subject_files_need(files, "other", &bytes, &length, &error));
    assert_non_null(strstr(error.message, "other is not there"));
    static const char *const wrong[] = {"", ".", "..", "../some", "/etc/passwd", "pipe"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        assert_false(subject_files_get(files, wrong[i], &bytes, &length, &error));
        assert_int_equal(error.class_, ERROR_CONFIG);
    }
    subject_files_release(files, "some");
    subject_files_release(files, "other");
    assert_true(subject_files_get(files, "some", &bytes, &length, &error) &&
                memcmp(bytes, "bytes", 5) == 0);
    subject_files_close(files);
    free(path);
    free(pipe_path);
    store_dir_remove(directory);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tensors_are_found),    cmocka_unit_test(wrong_headers),
        cmocka_unit_test(wrong_lengths),        cmocka_unit_test(shards),
        cmocka_unit_test(files_of_a_directory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
