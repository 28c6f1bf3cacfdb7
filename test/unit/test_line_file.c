/* test_line_file.c - lines out of files, and into them, whole. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/base/buffer.h"
#include "core/base/line_file.h"
#include "test/unit/store_dir.h"

static char *directory;

static int make(void **state) {
    *state = directory = store_dir_make();
    return 0;
}

static int drop(void **state) {
    store_dir_remove(*state);
    return 0;
}

static char *path_of(const char *name) {
    return memory_format("%s/%s", directory, name);
}

static void write_file(const char *path, const char *bytes, size_t length) {
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, length, file), length);
    assert_int_equal(fclose(file), 0);
}

static void expect_file(const char *path, const char *wanted) {
    buffer_t text = BUFFER_EMPTY;
    error_info_t error;
    assert_true(buffer_read_file(&text, path, 0, &error));
    assert_string_equal(buffer_text(&text), wanted);
    buffer_free(&text);
}

static void test_reading(void **state) {
    (void)state;
    char *path = path_of("in");
    error_info_t error;
    const char *text = "one\n\ntwo\r\n12345678\n123456789\nlast\r";
    write_file(path, text, strlen(text));
    line_reader_t *reader = line_reader_open(path, 8, &error);
    assert_non_null(reader);
    assert_true(line_reader_share(reader) == 0);
    const char *wanted[] = {"one", "", "two", "12345678", "12345678", "last"};
    uint64_t sizes[] = {3, 0, 3, 8, 9, 4};
    for (size_t i = 0; i < 6; i++) {
        line_t line;
        assert_int_equal(line_reader_next(reader, &line, &error), LINE_READ);
        assert_int_equal(line.length, strlen(wanted[i]));
        assert_memory_equal(line.text, wanted[i], line.length);
        assert_int_equal(line.size, sizes[i]);
        assert_int_equal(line.number, i + 1);
    }
    line_t line;
    assert_int_equal(line_reader_next(reader, &line, &error), LINE_END);
    assert_int_equal(line_reader_next(reader, &line, &error), LINE_END);
    assert_true(line_reader_share(reader) == 1);
    line_reader_close(reader);
    assert_null(line_reader_open(directory, 8, &error));
    assert_int_equal(error.class_, ERROR_CONFIG);
    free(path);
    path = path_of("missing");
    assert_null(line_reader_open(path, 8, &error));
    assert_non_null(strstr(error.message, path));
    free(path);
}

/* Lines around every chunk's end, some of them much longer than what is kept. */
static void test_long_lines(void **state) {
    (void)state;
    char *path = path_of("long");
    error_info_t error;
    buffer_t text = BUFFER_EMPTY;
    const size_t sizes[] = {262143, 262144, 0, 1, 3000000, 700000, 700001, 5, 2000000};
    enum { LINES = sizeof sizes / sizeof sizes[0], MOST = 700000 };
    for (size_t i = 0; i < LINES; i++) {
        for (size_t j = 0; j < sizes[i]; j++)
            buffer_append_char(&text, (char)('a' + (i + j) % 26));
        if (i + 1 < LINES)
            buffer_append_char(&text, '\n');
    }
    write_file(path, text.data, text.length);
    line_reader_t *reader = line_reader_open(path, MOST, &error);
    for (size_t i = 0; i < LINES; i++) {
        line_t line;
        assert_int_equal(line_reader_next(reader, &line, &error), LINE_READ);
        assert_int_equal(line.size, sizes[i]);
        assert_int_equal(line.length, sizes[i] < MOST ? sizes[i] : MOST);
        for (size_t j = 0; j < line.length; j++)
            if (line.text[j] != (char)('a' + (i + j) % 26))
                fail_msg("line %zu, byte %zu", i, j);
    }
    line_t line;
    assert_int_equal(line_reader_next(reader, &line, &error), LINE_END);
    line_reader_close(reader);
    buffer_free(&text);
    free(path);
}

static void test_adding(void **state) {
    (void)state;
    char *path = path_of("out");
    error_info_t error;
    uint64_t lines;
    line_adder_t *adder = line_adder_open(path, "{\"id", &lines, &error);
    assert_non_null(adder);
    assert_int_equal(lines, 0);
    line_adder_add(adder, "{\"id\":1}", 8);
    line_adder_add(adder, "two", 3);
    assert_int_equal(line_adder_pending(adder), 13);
    expect_file(path, "");
    assert_true(line_adder_flush(adder, &error));
    assert_int_equal(line_adder_pending(adder), 0);
    expect_file(path, "{\"id\":1}\ntwo\n");
    line_adder_add(adder, "dropped", 7);
    line_adder_close(adder);
    expect_file(path, "{\"id\":1}\ntwo\n");
    adder = line_adder_open(path, "{\"id", &lines, &error);
    assert_int_equal(lines, 2);
    line_adder_add(adder, "three", 5);
    assert_true(line_adder_sync(adder, &error));
    expect_file(path, "{\"id\":1}\ntwo\nthree\n");
    assert_true(line_adder_empty(adder, &error));
    line_adder_add(adder, "{\"id\":2}", 8);
    assert_true(line_adder_sync(adder, &error));
    expect_file(path, "{\"id\":2}\n");
    line_adder_close(adder);
    free(path);
}

/* Whatever a crash left of the last line, the file goes on as if it had never been begun. */
static void test_torn_line(void **state) {
    (void)state;
    char *path = path_of("torn");
    error_info_t error;
    uint64_t lines;
    const char *whole = "{\"id\":1}\n{\"id\":2}\n";
    for (size_t length = 0; length <= strlen(whole); length++) {
        write_file(path, whole, length);
        line_adder_t *adder = line_adder_open(path, "{\"id", &lines, &error);
        assert_non_null(adder);
        assert_int_equal(lines, length / 9);
        for (uint64_t line = lines; line < 2; line++)
            line_adder_add(adder, line ? "{\"id\":2}" : "{\"id\":1}", 8);
        assert_true(line_adder_sync(adder, &error));
        line_adder_close(adder);
        expect_file(path, whole);
    }
    /* Also when nothing is added behind it. */
    write_file(path, whole, 12);
    line_adder_t *adder = line_adder_open(path, "{\"id", &lines, &error);
    assert_true(line_adder_sync(adder, &error));
    line_adder_close(adder);
    expect_file(path, "{\"id\":1}\n");
    free(path);
}

static void test_other_files(void **state) {
    (void)state;
    char *path = path_of("letter");
    error_info_t error;
    uint64_t lines;
    write_file(path, "Dear Sir,\nno end", 16);
    assert_null(line_adder_open(path, "{\"id", &lines, &error));
    assert_int_equal(error.class_, ERROR_CONFIG);
    expect_file(path, "Dear Sir,\nno end");
    assert_null(line_adder_open("/dev/null", "{\"id", &lines, &error));
    assert_int_equal(error.class_, ERROR_CONFIG);
    free(path);
    path = path_of("missing/out");
    assert_null(line_adder_open(path, "", &lines, &error));
    assert_int_equal(error.class_, ERROR_CONFIG);
    free(path);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reading),     cmocka_unit_test(test_long_lines),
        cmocka_unit_test(test_adding),      cmocka_unit_test(test_torn_line),
        cmocka_unit_test(test_other_files),
    };
    return cmocka_run_group_tests(tests, make, drop);
}
