/* test_rehearsal_crash.c - the default sweep, small, with the power gone at every commit in turn: just before it, just
 * after it; and between commits. Resumed from the store alone, its results are those of an undisturbed night. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "test/rehearsal/night.h"

#define FORMATS "[\"original\", \"summary\", \"highlight\", \"highlight_summary\", \"avhs\"]"
enum { NEURONS = 3, SEED = 11 };

typedef struct {
    char *config;
    buffer_t results; /* of the undisturbed night */
    uint64_t commits;
    night_books_t books;
} reference_t;

static night_t *make_night(const reference_t *reference) {
    night_options_t options = {.seed = SEED, .config = reference->config, .slowest_commit = 150000};
    night_t *night = night_create(&options);
    night_add_provider(night, "a", 0, 0);
    return night;
}

static void expect_promises_kept(night_t *night, const char *what, uint64_t number) {
    night_check_end(night);
    if (*night_problems(night))
        fail_msg("%s %llu:\n%s", what, (unsigned long long)number, night_problems(night));
}

static void expect_results(night_t *night, const reference_t *reference, const char *what, uint64_t number) {
    buffer_t results = BUFFER_EMPTY;
    expect_promises_kept(night, what, number);
    night_results(night, &results);
    if (!night_results_within(&results, &reference->results) || results.length != reference->results.length)
        fail_msg("%s %llu: the results are not those of the undisturbed night", what, (unsigned long long)number);
    buffer_free(&results);
}

static int setup(void **state) {
    reference_t *reference = calloc(1, sizeof *reference);
    reference->config = night_config(NEURONS, FORMATS, "echo", false);
    night_t *night = make_night(reference);
    night_start(night, NULL);
    reference->commits = night_commits(night);
    reference->books = night_books(night);
    night_results(night, &reference->results);
    expect_promises_kept(night, "undisturbed night", 0);
    assert_int_equal(night_outcome(night)->end, END_DONE);
    night_free(night);
    *state = reference;
    return 0;
}

static int teardown(void **state) {
    reference_t *reference = *state;
    free(reference->config);
    buffer_free(&reference->results);
    free(reference);
    return 0;
}

/* An honest provider that never fails: its bill is what glia has settled, to the picodollar. */
static void undisturbed_night_costs_what_is_billed(void **state) {
    const reference_t *reference = *state;
    night_t *night = make_night(reference);
    assert_int_equal(night_start(night, NULL), NIGHT_FINISHED);
    night_books_t books = night_books(night);
    assert_int_equal(books.settled.pico, provider_totals(night_providers(night))->bill.pico);
    assert_int_equal(books.doubts.pico, 0);
    assert_int_equal(books.failures, 0);
    assert_int_equal(books.attempts, books.responses);
    assert_int_equal(night_commits(night), reference->commits); /* the same seed, the same night */
    /* Another start finds everything done and asks for nothing. */
    assert_int_equal(night_start(night, NULL), NIGHT_FINISHED);
    assert_int_equal(night_books(night).attempts, books.attempts);
    expect_results(night, reference, "second start", 0);
    night_free(night);
}

static void crash_at_every_commit(const reference_t *reference, bool after) {
    for (uint64_t k = 1; k <= reference->commits; k++) {
        night_t *night = make_night(reference);
        doom_t doom = {.crash_commit = k, .after = after};
        assert_int_equal(night_start(night, &doom), NIGHT_CRASHED);
        night_finish(night, 2);
        expect_results(night, reference, after ? "crash after commit" : "crash before commit", k);
        night_free(night);
    }
}

static void crash_before_every_commit(void **state) {
    crash_at_every_commit(*state, false);
}

static void crash_after_every_commit(void **state) {
    crash_at_every_commit(*state, true);
}

/* The power goes again and again, at times that are no commit's. */
static void crash_between_commits(void **state) {
    const reference_t *reference = *state;
    for (uint64_t n = 1; n <= 40; n++) {
        night_t *night = make_night(reference);
        night_end_t end = NIGHT_CRASHED;
        for (int i = 0; i < 200 && end == NIGHT_CRASHED; i++) {
            doom_t doom = {.crash_in = 1 + world_draw(night_world(night), (int64_t)n * CLOCK_SECOND / 4)};
            end = night_start(night, &doom);
        }
        night_finish(night, 2);
        expect_results(night, reference, "crashes within quarters of a second", n);
        night_free(night);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(undisturbed_night_costs_what_is_billed),
        cmocka_unit_test(crash_before_every_commit),
        cmocka_unit_test(crash_after_every_commit),
        cmocka_unit_test(crash_between_commits),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
