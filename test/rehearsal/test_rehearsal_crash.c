/* test_rehearsal_crash.c - the default sweep, small, with the power gone at every commit in turn:
 * just before it, just after it; and between commits. Resumed from the store alone, its results are
 * those of an undisturbed rehearsal. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "test/rehearsal/rehearsal.h"

#define FORMATS "[\"original\", \"summary\", \"highlight\", \"highlight_summary\", \"avhs\"]"
enum { NEURONS = 3, SEED = 11 };

typedef struct {
    char *config;
    buffer_t results; /* of the undisturbed rehearsal */
    uint64_t commits;
    rehearsal_books_t books;
} reference_t;

static rehearsal_t *make_night(const reference_t *reference) {
    rehearsal_options_t options = {
        .seed = SEED, .config = reference->config, .slowest_commit = 150000};
    rehearsal_t *rehearsal = rehearsal_create(&options);
    rehearsal_add_provider(rehearsal, "a", 0, 0);
    return rehearsal;
}

static void expect_promises_kept(rehearsal_t *rehearsal, const char *what, uint64_t number) {
    rehearsal_check_end(rehearsal);
    if (*rehearsal_problems(rehearsal))
        fail_msg("%s %llu:\n%s", what, (unsigned long long)number, rehearsal_problems(rehearsal));
}

static void expect_results(rehearsal_t *rehearsal, const reference_t *reference, const char *what,
                           uint64_t number) {
    buffer_t results = BUFFER_EMPTY;
    expect_promises_kept(rehearsal, what, number);
    rehearsal_results(rehearsal, &results);
    if (!rehearsal_results_within(&results, &reference->results) ||
        results.length != reference->results.length)
        fail_msg("%s %llu: the results are not those of the undisturbed rehearsal", what,
                 (unsigned long long)number);
    buffer_free(&results);
}

static int setup(void **state) {
    reference_t *reference = calloc(1, sizeof *reference);
    reference->config = rehearsal_config(NEURONS, FORMATS, "echo", false);
    rehearsal_t *rehearsal = make_night(reference);
    rehearsal_start(rehearsal, NULL);
    reference->commits = rehearsal_commits(rehearsal);
    reference->books = rehearsal_books(rehearsal);
    rehearsal_results(rehearsal, &reference->results);
    expect_promises_kept(rehearsal, "undisturbed rehearsal", 0);
    assert_int_equal(rehearsal_outcome(rehearsal)->end, END_DONE);
    rehearsal_free(rehearsal);
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
static void undisturbed_rehearsal_costs_what_is_billed(void **state) {
    const reference_t *reference = *state;
    rehearsal_t *rehearsal = make_night(reference);
    assert_int_equal(rehearsal_start(rehearsal, NULL), REHEARSAL_FINISHED);
    rehearsal_books_t books = rehearsal_books(rehearsal);
    assert_int_equal(books.settled.pico,
                     provider_totals(rehearsal_providers(rehearsal))->bill.pico);
    assert_int_equal(books.doubts.pico, 0);
    assert_int_equal(books.failures, 0);
    assert_int_equal(books.attempts, books.responses);
    /* the same seed, the same rehearsal */
    assert_int_equal(rehearsal_commits(rehearsal), reference->commits);
    /* Another start finds everything done and asks for nothing. */
    assert_int_equal(rehearsal_start(rehearsal, NULL), REHEARSAL_FINISHED);
    assert_int_equal(rehearsal_books(rehearsal).attempts, books.attempts);
    expect_results(rehearsal, reference, "second start", 0);
    rehearsal_free(rehearsal);
}

static void crash_at_every_commit(const reference_t *reference, bool after) {
    for (uint64_t k = 1; k <= reference->commits; k++) {
        rehearsal_t *rehearsal = make_night(reference);
        doom_t doom = {.crash_commit = k, .after = after};
        assert_int_equal(rehearsal_start(rehearsal, &doom), REHEARSAL_CRASHED);
        rehearsal_finish(rehearsal, 2);
        expect_results(rehearsal, reference, after ? "crash after commit" : "crash before commit",
                       k);
        rehearsal_free(rehearsal);
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
        rehearsal_t *rehearsal = make_night(reference);
        rehearsal_end_t end = REHEARSAL_CRASHED;
        for (int i = 0; i < 200 && end == REHEARSAL_CRASHED; i++) {
            doom_t doom = {.crash_in = 1 + world_draw(rehearsal_world(rehearsal),
                                                      (int64_t)n * CLOCK_SECOND / 4)};
            end = rehearsal_start(rehearsal, &doom);
        }
        rehearsal_finish(rehearsal, 2);
        expect_results(rehearsal, reference, "crashes within quarters of a second", n);
        rehearsal_free(rehearsal);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(undisturbed_rehearsal_costs_what_is_billed),
        cmocka_unit_test(crash_before_every_commit),
        cmocka_unit_test(crash_after_every_commit),
        cmocka_unit_test(crash_between_commits),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
