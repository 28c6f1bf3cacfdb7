/* Tests of buffer.h: growth, maximum, and files (pipes, directories, durability by rename). */
/* clang-format off */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/buffer.h"
#include "core/base/memory.h"

static void starts_empty(void **state) {
    (void)state;
    buffer_t buffer = BUFFER_EMPTY;
    assert_string_equal(buffer_text(&buffer), "");
    assert_true(buffer_append(&buffer, NULL, 0));
    assert_null(buffer.data);
    char *taken = buffer_take(&buffer);
    assert_string_equal(taken, "");
    free(taken);
    buffer_clear(&buffer);
    buffer_free(&buffer);
    buffer_free(&buffer);
}

static void grows_and_stays_terminated(void **state) {
    (void)state;
    buffer_t buffer = BUFFER_EMPTY;
    for (int i = 0; i < 10000; i++) {
        assert_true(buffer_append_char(&buffer, (char)('a' + i % 26)));
        assert_int_equal(buffer.data[buffer.length], 0);
    }
    assert_int_equal(buffer.length, 10000);
    for (size_t i = 0; i < buffer.length; i++)
        assert_int_equal(buffer.data[i], 'a' + i % 26);
    buffer_clear(&buffer);
    assert_string_equal(buffer_text(&buffer), "");
    assert_true(buffer.capacity > 10000);
    assert_true(buffer_append(&buffer, "a\0b", 3));
    assert_true(buffer_append_text(&buffer, "cd"));
    assert_int_equal(buffer.length, 5);
    char *taken = buffer_take(&buffer);
    assert_memory_equal(taken, "a\0bcd", 6);
    assert_null(buffer.data);
    assert_int_equal(buffer.length, 0);
    free(taken);
}

static void formats_of_every_length(void **state) {
    (void)state;
    for (int length = 0; length < 600; length++) {
        buffer_t buffer = BUFFER_EMPTY;
        assert_true(buffer_append_text(&buffer, "<"));
        assert_true(buffer_append_format(&buffer, "%0*d", length, 0));
        assert_int_equal(buffer.length, 1 + (length == 0 ? 1 : length));
        assert_int_equal(strlen(buffer.data), buffer.length);
        buffer_free(&buffer);
    }
}

static void maximum_is_hard(void **state) {
    (void)state;
    buffer_t buffer = {.maximum = 10};
    assert_true(buffer_append_text(&buffer, "01234567"));
    assert_false(buffer_append_text(&buffer, "abc"));
    assert_string_equal(buffer_text(&buffer), "01234567");
    assert_false(buffer_append_format(&buffer, "%d", 999));
    assert_false(buffer_append_format(&buffer, "%400d", 1));
    assert_string_equal(buffer_text(&buffer), "01234567");
    assert_true(buffer_append_text(&buffer, "89"));
    assert_false(buffer_append_char(&buffer, 'x'));
    assert_true(buffer_append(&buffer, "x", 0));
    assert_string_equal(buffer_text(&buffer), "0123456789");
    assert_true(buffer.capacity <= 64);
    buffer_free(&buffer);
    assert_int_equal(buffer.maximum, 10);
    buffer_t unlimited = BUFFER_EMPTY;
    assert_true(buffer_append_char(&unlimited, 'x'));
    assert_false(buffer_append(&unlimited, "x", SIZE_MAX)); /* the length itself would overflow */
    buffer_free(&unlimited);
}

/* --- files --- */

static char directory[] = "/tmp/glia-test-buffer-XXXXXX";

static char *path_of(const char *name) {
    return memory_format("%s/%s", directory, name);
}

static int make_directory(void **state) {
    (void)state;
    return !mkdtemp(directory) ? -1 : 0;
}

static int remove_directory(void **state) {
    (void)state;
    return rmdir(directory); /* fails if a test, or a temporary file, was left */
}

static void writes_and_reads(void **state) {
    (void)state;
    char *path = path_of("file");
    buffer_t out = BUFFER_EMPTY;
    for (int i = 0; i < 200000; i++)
        buffer_append_char(&out, (char)(i * 7 % 256));
    error_info_t error;
    assert_true(buffer_write_file(&out, path, &error));
    assert_true(buffer_write_file(&out, path, &error));
    buffer_t in = BUFFER_EMPTY;
    buffer_append_text(&in, "is emptied first");
    assert_true(buffer_read_file(&in, path, 200000, &error));
    assert_int_equal(in.length, out.length);
    assert_memory_equal(in.data, out.data, out.length);
    buffer_clear(&out);
    assert_true(buffer_write_file(&out, path, &error));
    assert_true(buffer_read_file(&in, path, 0, &error));
    assert_int_equal(in.length, 0);
    buffer_free(&in);
    buffer_free(&out);
    unlink(path);
    free(path);
}

static void refuses_what_is_too_large(void **state) {
    (void)state;
    char *path = path_of("large");
    buffer_t out = BUFFER_EMPTY;
    buffer_append_text(&out, "0123456789");
    error_info_t error;
    assert_true(buffer_write_file(&out, path, &error));
    buffer_t in = BUFFER_EMPTY;
    assert_true(buffer_read_file(&in, path, 10, &error));
    assert_false(buffer_read_file(&in, path, 9, &error));
    char *expected = memory_format("%s: larger than 9 bytes, the most that is read", path);
    assert_string_equal(error.message, expected);
    assert_int_equal(error.class_, ERROR_CONFIG);
    assert_int_equal(in.length, 0);
    free(expected);
    buffer_t small = {.maximum = 5};
    assert_false(buffer_read_file(&small, path, 9999, &error));
    assert_non_null(strstr(error.message, "larger than 5 bytes"));
    buffer_free(&small);
    buffer_free(&in);
    buffer_free(&out);
    unlink(path);
    free(path);
}

static void names_the_path_in_errors(void **state) {
    (void)state;
    error_info_t error;
    buffer_t buffer = BUFFER_EMPTY;
    char *missing = path_of("missing/file");
    char *expected = memory_format("%s: cannot open: No such file or directory", missing);
    assert_false(buffer_read_file(&buffer, missing, 100, &error));
    assert_string_equal(error.message, expected);
    assert_int_equal(error.class_, ERROR_CONFIG);
    free(expected);
    expected = memory_format("%s: cannot write: No such file or directory", missing);
    assert_false(buffer_write_file(&buffer, missing, &error));
    assert_string_equal(error.message, expected);
    assert_int_equal(error.class_, ERROR_CONFIG);
    free(expected);
    expected = memory_format("%s: is a directory; give a file", directory);
    assert_false(buffer_read_file(&buffer, directory, 100, &error));
    assert_string_equal(error.message, expected);
    assert_false(buffer_write_file(&buffer, directory, &error));
    assert_string_equal(error.message, expected);
    free(expected);
    free(missing);
}

static void full_disk_is_retryable(void **state) {
    (void)state;
    error_info_t error;
    buffer_t buffer = BUFFER_EMPTY;
    buffer_append_text(&buffer, "x");
    assert_false(buffer_write_file(&buffer, "/dev/full", &error));
    assert_int_equal(error.class_, ERROR_RETRYABLE);
    assert_string_equal(error.message, "/dev/full: cannot write: No space left on device");
    buffer_free(&buffer);
}

static void *feed_pipe(void *context) {
    FILE *file = fopen(context, "w");
    for (int i = 0; i < 50000; i++)
        fputs("line\n", file);
    fclose(file);
    return NULL;
}

static void reads_pipes(void **state) {
    (void)state;
    char *path = path_of("pipe");
    assert_int_equal(mkfifo(path, 0600), 0);
    pthread_t thread;
    pthread_create(&thread, NULL, feed_pipe, path);
    buffer_t buffer = BUFFER_EMPTY;
    error_info_t error;
    assert_true(buffer_read_file(&buffer, path, 250000, &error));
    pthread_join(thread, NULL);
    assert_int_equal(buffer.length, 250000);
    assert_memory_equal(buffer.data + 249990, "line\nline\n", 10);
    buffer_free(&buffer);
    /* endless: stops at the maximum */
    assert_false(buffer_read_file(&buffer, "/dev/zero", 100000, &error));
    assert_string_equal(error.message,
                        "/dev/zero: larger than 100000 bytes, the most that is read");
    unlink(path);
    free(path);
}

static void keeps_mode_and_links(void **state) {
    (void)state;
    char *path = path_of("target");
    char *link = path_of("link");
    buffer_t buffer = BUFFER_EMPTY;
    error_info_t error;
    buffer_append_text(&buffer, "one");
    assert_true(buffer_write_file(&buffer, path, &error));
    assert_int_equal(chmod(path, 0640), 0);
    assert_int_equal(symlink(path, link), 0);
    buffer_append_text(&buffer, " two");
    assert_true(buffer_write_file(&buffer, link, &error));
    struct stat status;
    assert_int_equal(lstat(link, &status), 0);
    assert_true(S_ISLNK(status.st_mode));
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 07777, 0640);
    assert_int_equal(status.st_size, 7);
    assert_true(buffer_write_file(&buffer, "/dev/null", &error));
    assert_int_equal(stat("/dev/null", &status), 0);
    assert_true(S_ISCHR(status.st_mode)); /* not replaced by a file */
    buffer_free(&buffer);
    unlink(link);
    unlink(path);
    free(link);
    free(path);
}

/* A reader that has the old file open still sees all of it: the new one is another file. */
static void replaces_by_rename(void **state) {
    (void)state;
    char *path = path_of("replaced");
    buffer_t buffer = BUFFER_EMPTY;
    error_info_t error;
    buffer_append_text(&buffer, "old content");
    assert_true(buffer_write_file(&buffer, path, &error));
    FILE *reader = fopen(path, "r");
    buffer_clear(&buffer);
    buffer_append_text(&buffer, "new");
    assert_true(buffer_write_file(&buffer, path, &error));
    char seen[32] = {0};
    assert_int_equal(fread(seen, 1, sizeof seen, reader), 11);
    assert_string_equal(seen, "old content");
    fclose(reader);
    buffer_free(&buffer);
    unlink(path);
    free(path);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(starts_empty),
        cmocka_unit_test(grows_and_stays_terminated),
        cmocka_unit_test(formats_of_every_length),
        cmocka_unit_test(maximum_is_hard),
        cmocka_unit_test(writes_and_reads),
        cmocka_unit_test(refuses_what_is_too_large),
        cmocka_unit_test(names_the_path_in_errors),
        cmocka_unit_test(full_disk_is_retryable),
        cmocka_unit_test(reads_pipes),
        cmocka_unit_test(keeps_mode_and_links),
        cmocka_unit_test(replaces_by_rename),
    };
    return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
