/* test_progress.c - what a live run says of itself, and whether one is live. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/pack.h"
#include "store/progress.h"
#include "test/unit/store_dir.h"

/* As it is stored. */
static void pack_progress(buffer_t *out, bool limited, double eta) {
    pack_array(out, 3 + 1 + 8);
    pack_integer(out, 1);
    pack_integer(out, 1234567);
    pack_integer(out, 1);
    pack_array(out, 4);
    pack_text(out, "explain");
    pack_integer(out, 5);
    pack_integer(out, 10);
    pack_integer(out, 1);
    pack_number(out, 2.5);
    pack_number(out, 1000);
    if (limited)
        pack_number(out, 90000);
    else
        pack_text(out, NULL);
    for (int i = 1; i <= 4; i++)
        pack_integer(out, i);
    pack_number(out, eta);
}

static void reads_progress(void **state) {
    (void)state;
    for (int limited = 0; limited < 2; limited++) {
        buffer_t bytes = BUFFER_EMPTY;
        progress_record_t progress;
        pack_progress(&bytes, limited, limited ? 60 : -1);
        assert_true(progress_decode(bytes.data, bytes.length, &progress));
        buffer_t again = BUFFER_EMPTY;
        progress_encode(&progress, &again);
        assert_int_equal(again.length, bytes.length);
        assert_memory_equal(again.data, bytes.data, bytes.length);
        buffer_free(&again);
        assert_int_equal(progress.stage_count, 1);
        assert_string_equal(progress.stages[0].name, "explain");
        assert_int_equal(progress.stages[0].done, 5);
        assert_int_equal(progress.cap.pico, 4);
        assert_true(limited ? progress.token_limit == 90000 : isnan(progress.token_limit));
        assert_true(limited ? progress.eta == 60 : isnan(progress.eta));
        progress_clear(&progress);
        /* cut anywhere, and with something behind it */
        for (size_t length = 0; length < bytes.length; length++)
            assert_false(progress_decode(bytes.data, length, &progress));
        buffer_append_char(&bytes, '\0');
        assert_false(progress_decode(bytes.data, bytes.length, &progress));
        buffer_free(&bytes);
    }
}

static void sees_a_writer(void **state) {
    (void)state;
    char *directory = store_dir_make();
    char holder[PROGRESS_HOLDER_SIZE];
    assert_false(progress_writer_lives(directory, holder));
    store_t *store = store_dir_open(directory, STORE_WRITE);
    store_set_holder(store, "run night");
    assert_true(progress_writer_lives(directory, holder));
    assert_non_null(strstr(holder, ": run night"));
    store_close(store);
    assert_false(progress_writer_lives(directory, holder));
    assert_string_equal(holder, "");
    store_dir_remove(directory);
}

static void tells_crashed_from_running(void **state) {
    (void)state;
    char *directory = store_dir_make();
    char holder[PROGRESS_HOLDER_SIZE];
    run_info_t run = {.name = (char[]){"night"}, .state = RUN_RUNNING};
    assert_string_equal(progress_state_name(directory, &run, holder), "crashed");
    store_t *store = store_dir_open(directory, STORE_WRITE);
    store_set_holder(store, "run night");
    assert_string_equal(progress_state_name(directory, &run, holder), run_state_name(RUN_RUNNING));
    assert_non_null(strstr(holder, "run night"));
    store_set_holder(store, "run other"); /* that one is live, not this */
    assert_string_equal(progress_state_name(directory, &run, holder), "crashed");
    assert_string_equal(holder, "");
    run.state = RUN_DONE;
    assert_string_equal(progress_state_name(directory, &run, holder), run_state_name(RUN_DONE));
    store_close(store);
    store_dir_remove(directory);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_progress),
        cmocka_unit_test(sees_a_writer),
        cmocka_unit_test(tells_crashed_from_running),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
