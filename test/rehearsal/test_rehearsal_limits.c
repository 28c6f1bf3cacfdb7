/* test_rehearsal_limits.c - a provider with strict sliding windows never says 429, and is kept
 * busy all the same. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "test/rehearsal/rehearsal.h"

static rehearsal_t *make_night(char **config, uint64_t seed, int64_t rpm, int64_t tpm) {
    *config = rehearsal_config(
        28, "[\"original\", \"summary\", \"highlight\", \"highlight_summary\", \"avhs\"]", "echo",
        false);
    rehearsal_options_t options = {.seed = seed, .config = *config, .downtime = 1000};
    rehearsal_t *rehearsal = rehearsal_create(&options);
    rehearsal_add_provider(rehearsal, "a", rpm, tpm);
    if (rpm)
        rehearsal_set(rehearsal, "endpoints.a.rpm=%lld", (long long)rpm);
    if (tpm)
        rehearsal_set(rehearsal, "endpoints.a.tpm=%lld", (long long)tpm);
    rehearsal_set(rehearsal, "endpoints.a.concurrency=32");
    return rehearsal;
}

static void end_night(rehearsal_t *rehearsal, char *config) {
    assert_int_equal(provider_totals(rehearsal_providers(rehearsal))->violations, 0);
    if (*rehearsal_problems(rehearsal))
        fail_msg("%s", rehearsal_problems(rehearsal));
    rehearsal_free(rehearsal);
    free(config);
}

/* Ten minutes from the second one on, then Ctrl-C. */
static void run_eleven_minutes(rehearsal_t *rehearsal) {
    doom_t doom = {.interrupt_in = 11 * CLOCK_MINUTE};
    assert_int_equal(rehearsal_start(rehearsal, &doom), REHEARSAL_FINISHED);
    assert_int_equal(rehearsal_outcome(rehearsal)->end, END_INTERRUPTED);
}

static void requests_a_minute(void **state) {
    (void)state;
    char *config;
    enum { RPM = 60 };
    rehearsal_t *rehearsal = make_night(&config, 1, RPM, 0);
    run_eleven_minutes(rehearsal);
    double share = (double)provider_totals(rehearsal_providers(rehearsal))->arrivals / (11.0 * RPM);
    if (share < 0.97)
        fail_msg("only %.1f %% of the allowed requests", 100 * share);
    end_night(rehearsal, config);
}

static void tokens_a_minute(void **state) {
    (void)state;
    char *config;
    enum { TPM = 30000 };
    rehearsal_t *rehearsal = make_night(&config, 2, 0, TPM);
    run_eleven_minutes(rehearsal);
    double share =
        (double)provider_served_tokens(rehearsal_providers(rehearsal), "a") / (11.0 * TPM);
    if (share < 0.97)
        fail_msg("only %.1f %% of the allowed tokens", 100 * share);
    end_night(rehearsal, config);
}

/* No burst at the start: the first second has its share. */
static void no_burst_at_the_start(void **state) {
    (void)state;
    char *config;
    rehearsal_t *rehearsal = make_night(&config, 3, 120, 0);
    doom_t doom = {.crash_in = 5 * CLOCK_SECOND};
    assert_int_equal(rehearsal_start(rehearsal, &doom), REHEARSAL_CRASHED);
    assert_in_range(provider_totals(rehearsal_providers(rehearsal))->arrivals, 5, 11);
    end_night(rehearsal, config);
}

/* Restarts at any moment, by crash or by Ctrl-C: what the window holds is known from the store. */
static void window_survives_restarts(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= 5; seed++) {
        char *config;
        rehearsal_t *rehearsal = make_night(&config, seed, 90, 150000);
        for (int i = 0; i < 60; i++) {
            int64_t in = 1 + world_draw(rehearsal_world(rehearsal), 8 * CLOCK_SECOND);
            doom_t doom = {.crash_in = i % 2 ? in : 0, .interrupt_in = i % 2 ? 0 : in};
            rehearsal_start(rehearsal, &doom);
        }
        end_night(rehearsal, config);
    }
}

/* A minute's requests, UTC steps by an hour, and only then is there a limit: it counts what
 * was sent before. */
static void window_survives_a_step_of_the_clock(void **state) {
    (void)state;
    static const int64_t steps[] = {60 * CLOCK_MINUTE, -60 * CLOCK_MINUTE};
    for (int i = 0; i < 2; i++) {
        char *config;
        rehearsal_t *rehearsal = make_night(&config, 11, 0, 0);
        doom_t doom = {
            .interrupt_in = 5 * CLOCK_SECOND, .step_in = 5 * CLOCK_SECOND - 1, .step_by = steps[i]};
        rehearsal_start(rehearsal, &doom);
        assert_true(provider_totals(rehearsal_providers(rehearsal))->arrivals > 30);
        provider_limit(rehearsal_providers(rehearsal), "a", 30, 0);
        rehearsal_set(rehearsal, "endpoints.a.rpm=30");
        doom = (doom_t){.interrupt_in = 3 * CLOCK_MINUTE};
        rehearsal_start(rehearsal, &doom);
        end_night(rehearsal, config);
    }
}

/* Slow commits stand between the grant of a place and the request. */
static void slow_commits_do_not_pile_up(void **state) {
    (void)state;
    char *config;
    enum { RPM = 240 };
    rehearsal_t *rehearsal = make_night(&config, 4, RPM, 0);
    rehearsal_free(rehearsal);
    rehearsal_options_t options = {.seed = 4, .config = config, .slowest_commit = CLOCK_SECOND};
    rehearsal = rehearsal_create(&options);
    rehearsal_add_provider(rehearsal, "a", RPM, 0);
    rehearsal_set(rehearsal, "endpoints.a.rpm=%d", RPM);
    rehearsal_set(rehearsal, "endpoints.a.concurrency=64");
    doom_t doom = {.interrupt_in = 5 * CLOCK_MINUTE};
    rehearsal_start(rehearsal, &doom);
    end_night(rehearsal, config);
}

/* A limit of the model's own, at an endpoint that serves others too. */
static void limit_of_a_model(void **state) {
    (void)state;
    char *config;
    rehearsal_t *rehearsal = make_night(&config, 5, 0, 0);
    /* chat and probes and embeddings have room above 60 */
    provider_limit(rehearsal_providers(rehearsal), "a", 200, 0);
    rehearsal_set(rehearsal, "models.text.rpm=60");
    rehearsal_set(rehearsal, "models.chat.rpm=60");
    rehearsal_set(rehearsal, "models.embedding.rpm=60");
    run_eleven_minutes(rehearsal);
    end_night(rehearsal, config);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_a_minute),
        cmocka_unit_test(tokens_a_minute),
        cmocka_unit_test(no_burst_at_the_start),
        cmocka_unit_test(window_survives_restarts),
        cmocka_unit_test(window_survives_a_step_of_the_clock),
        cmocka_unit_test(slow_commits_do_not_pile_up),
        cmocka_unit_test(limit_of_a_model),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
