/* test_reporter.c - who is asked, what is shown, and the record that others read. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "actors/reporter.h"
#include "core/base/memory.h"
#include "store/progress.h"
#include "test/unit/actor_fixture.h"

enum { RUN = 7, ASKED = 3 };
static const int64_t FIRST_ASK = CLOCK_SECOND / 5;

typedef struct {
    fixture_t *fixture;
    played_t *asked[ASKED]; /* director, accountant, pool */
    played_t *archivist;
    actor_t *reporter;
    buffer_t shown; /* since it was last looked at */
    facts_t facts;  /* what the three will say */
} scene_t;

static void show(void *context, const char *text) {
    buffer_append_text(context, text);
}

static scene_t *begin(bool terminal, int64_t quiet, bool silent) {
    scene_t *scene = MEMORY_NEW(scene_t);
    fixture_t *fixture = scene->fixture = fixture_create();
    scene->asked[0] = played_create(fixture, "director");
    scene->asked[1] = played_create(fixture, "accountant");
    scene->asked[2] = played_create(fixture, "client_pool");
    scene->archivist = played_create(fixture, "archivist");
    reporter_options_t options = {.stages = &stages_shipped,
                                  .director = scene->asked[0]->actor,
                                  .accountant = scene->asked[1]->actor,
                                  .pool = scene->asked[2]->actor,
                                  .archivist = scene->archivist->actor,
                                  .run = RUN,
                                  .run_name = "night",
                                  .terminal = terminal,
                                  .quiet = quiet,
                                  .write = silent ? NULL : show,
                                  .context = &scene->shown};
    scene->reporter = reporter_create(fixture->scheduler, &options, 0);
    fixture_settle(fixture);
    return scene;
}

static void end(scene_t *scene) {
    fixture_free(scene->fixture);
    buffer_free(&scene->shown);
    free(scene);
}

/* One of the three says its part of scene->facts, and wrong things where it has no part. */
static void say(scene_t *scene, size_t who) {
    facts_t *facts = MEMORY_NEW(facts_t);
    memset(facts, 0x11, sizeof *facts);
    facts->from = 1U << who; /* FACTS_DIRECTOR, FACTS_ACCOUNTANT, FACTS_POOL */
    const facts_t *all = &scene->facts;
    if (who == 0) {
        memcpy(facts->stages, all->stages, sizeof facts->stages);
        facts->total_is_estimate = all->total_is_estimate;
    } else if (who == 1) {
        facts->settled = all->settled;
        facts->doubts = all->doubts;
        facts->reserved = all->reserved;
        facts->cap = all->cap;
    } else {
        unsigned from = facts->from;
        *facts = *all;
        facts->from = from;
        memset(facts->stages, 0x11, sizeof facts->stages);
        facts->settled = facts->doubts = facts->reserved = facts->cap = (money_t){1};
    }
    played_take(scene->asked[who], MSG_ASK);
    played_tell(scene->asked[who], scene->reporter, MSG_FACTS, facts, free);
    fixture_settle(scene->fixture);
}

/* A second goes by, and all three answer. */
static void second(scene_t *scene) {
    fixture_pass(scene->fixture, CLOCK_SECOND);
    for (size_t who = 0; who < ASKED; who++)
        say(scene, who);
}

static void assert_shown(scene_t *scene, const char *text) {
    assert_string_equal(buffer_text(&scene->shown), text);
    buffer_clear(&scene->shown);
}

static facts_t some_facts(void) {
    facts_t facts = {.settled = {INT64_C(1500000000000)},
                     .cap = {INT64_C(20000000000000)},
                     .tokens_per_minute = 1234,
                     .in_flight = 8};
    facts.stages[STAGE_EXPLAIN].done = 95;
    facts.stages[STAGE_EXPLAIN].total = 140;
    return facts;
}

/* --- asking ----------------------------------------------------------------------------------- */

static void test_all_three_are_asked_every_second(void **state) {
    (void)state;
    scene_t *scene = begin(false, 0, false);
    fixture_pass(scene->fixture, FIRST_ASK - 1);
    played_assert(scene->asked[0], "");
    fixture_pass(scene->fixture, 1);
    for (size_t who = 0; who < ASKED; who++)
        played_assert(scene->asked[who], "ASK");
    fixture_pass(scene->fixture, CLOCK_SECOND); /* whether or not they answer */
    for (size_t who = 0; who < ASKED; who++)
        played_assert(scene->asked[who], "ASK ASK");
    end(scene);
}

static void test_nothing_is_shown_before_all_have_answered(void **state) {
    (void)state;
    scene_t *scene = begin(false, 0, false);
    scene->facts = some_facts();
    fixture_pass(scene->fixture, CLOCK_SECOND + FIRST_ASK);
    say(scene, 2);
    say(scene, 0);
    say(scene, 0); /* twice is not for two */
    assert_shown(scene, "");
    say(scene, 1);
    assert_shown(
        scene,
        "explain 95/140 | 0.0 requests/s  1234 tokens/min  8 in flight  ETA ? | spent $1.5000 of "
        "$20.00\n");
    say(scene, 1); /* begins the next round */
    say(scene, 2);
    assert_shown(scene, "");
    end(scene);
}

/* --- showing ---------------------------------------------------------------------------------- */

static void test_a_plain_line_says_what_there_is_to_say(void **state) {
    (void)state;
    scene_t *scene = begin(false, 0, false);
    scene->facts = some_facts();
    facts_t *facts = &scene->facts;
    facts->stages[STAGE_SIMULATE].done = 198;
    facts->stages[STAGE_SIMULATE].total = 292;
    facts->stages[STAGE_SIMULATE].failed = 2;
    facts->total_is_estimate = true;
    facts->token_limit = 90000;
    facts->doubts = (money_t){INT64_C(20000000000)};
    facts->reserved = (money_t){INT64_C(3000000000)};
    facts->retries = 3;
    snprintf(facts->trouble, sizeof facts->trouble, "a is down");
    second(scene);
    assert_shown(scene, "explain 95/140  simulate 198/~292 (2 failed) | 0.0 requests/s  1234 "
                        "tokens/min of 90000  8 in flight  ETA ? | spent $1.5000 of $20.00  in "
                        "doubt $0.0200  reserved $0.0030  3 retries  [a is down]\n");
    end(scene);
}

static void test_plain_lines_keep_quiet_between(void **state) {
    (void)state;
    scene_t *scene = begin(false, 3 * CLOCK_SECOND, false);
    for (int i = 1; i <= 9; i++) {
        second(scene);
        assert_int_equal(scene->shown.length > 0, i % 3 == 0);
        buffer_clear(&scene->shown);
    }
    end(scene);
}

static void test_a_terminal_has_one_block(void **state) {
    (void)state;
    scene_t *scene = begin(true, CLOCK_MINUTE, false);
    scene->facts = some_facts();
    second(scene);
    assert_shown(scene, "\r\x1b[2Kexplain 95/140\n\r\x1b[2K  0.0 requests/s  1234 tokens/min  8 in "
                        "flight  ETA ?\n\r\x1b[2K  spent $1.5000 of $20.00\n");
    second(scene); /* over itself */
    assert_int_equal(strncmp(buffer_text(&scene->shown), "\x1b[3A\r\x1b[2Kexplain", 14), 0);
    end(scene);
}

/* --- rates ------------------------------------------------------------------------------------ */

static void test_rates_are_those_of_the_last_half_minute(void **state) {
    (void)state;
    scene_t *scene = begin(false, 0, false);
    scene->facts = some_facts();
    scene->facts.stages[STAGE_EXPLAIN].done = 0;
    scene->facts.stages[STAGE_EXPLAIN].total = 1000;
    /* 5 answers a second, 2 of them explanations; then 10, and 4 */
    for (int i = 0; i <= 100; i++) {
        second(scene);
        if (i == 10)
            /* ... and 980 at 2 a second */
            assert_non_null(strstr(buffer_text(&scene->shown), "5.0 requests/s"));
        if (i == 10)
            assert_non_null(strstr(buffer_text(&scene->shown), "ETA 8 min 10 s"));
        if (i == 100)
            assert_non_null(strstr(buffer_text(&scene->shown), "10.0 requests/s"));
        if (i == 100)
            assert_non_null(strstr(buffer_text(&scene->shown), "ETA 2 min 55 s")); /* 700 at 4 */
        buffer_clear(&scene->shown);
        scene->facts.answers += i < 50 ? 5 : 10;
        scene->facts.stages[STAGE_EXPLAIN].done += i < 50 ? 2 : 4;
    }
    end(scene);
}

static void test_nothing_left_is_no_time(void **state) {
    (void)state;
    scene_t *scene = begin(false, 0, false);
    scene->facts.stages[STAGE_EXPLAIN].done = 8;
    scene->facts.stages[STAGE_EXPLAIN].failed = 2; /* over is over */
    scene->facts.stages[STAGE_EXPLAIN].total = 10;
    second(scene);
    assert_non_null(strstr(buffer_text(&scene->shown), "ETA 0.0 s"));
    end(scene);
}

/* --- the stored record ------------------------------------------------------------------------ */

static void test_a_record_is_stored_every_few_seconds(void **state) {
    (void)state;
    scene_t *scene = begin(false, CLOCK_MINUTE, true); /* also where nothing is shown */
    scene->facts = some_facts();
    scene->facts.doubts = (money_t){2};
    scene->facts.reserved = (money_t){3};
    for (int i = 1; i <= 2; i++) {
        second(scene);
        played_assert(scene->archivist, "");
        scene->facts.answers += 4;
    }
    second(scene);
    write_t *write = played_take(scene->archivist, MSG_WRITE);
    assert_int_equal(write->kind, WRITE_META);
    assert_string_equal(write->key, "progress:7");
    progress_record_t record;
    assert_true(progress_decode(write->result.data, write->result.length, &record));
    assert_int_equal(record.utc, clock_utc(scene->fixture->clock));
    assert_int_equal(record.stage_count, 4); /* a batch's only where there is one */
    assert_string_equal(record.stages[0].name, "explain");
    assert_int_equal(record.stages[0].done, 95);
    assert_int_equal(record.stages[0].total, 140);
    assert_int_equal(record.settled.pico, scene->facts.settled.pico);
    assert_int_equal(record.doubts.pico, 2);
    assert_int_equal(record.reserved.pico, 3);
    assert_int_equal(record.cap.pico, scene->facts.cap.pico);
    assert_true(record.requests_per_second == 4 && record.tokens_per_minute == 1234);
    assert_true(isnan(record.token_limit) && isnan(record.eta));
    progress_clear(&record);
    for (int i = 0; i < 7; i++)
        second(scene);
    played_assert(scene->archivist, ""); /* the first is not written yet */
    played_tell(scene->archivist, scene->reporter, MSG_WRITTEN, write, write_free);
    scene->facts.stages[STAGE_BATCH].total = 5;
    second(scene);
    write = played_take(scene->archivist, MSG_WRITE);
    assert_true(progress_decode(write->result.data, write->result.length, &record));
    assert_int_equal(record.stage_count, 5);
    progress_clear(&record);
    played_tell(scene->archivist, scene->reporter, MSG_WRITTEN, write, write_free);
    for (int i = 0; i < 2; i++)
        second(scene);
    played_assert(scene->archivist, "");
    second(scene);
    played_assert(scene->archivist, "WRITE");
    end(scene);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_three_are_asked_every_second),
        cmocka_unit_test(test_nothing_is_shown_before_all_have_answered),
        cmocka_unit_test(test_a_plain_line_says_what_there_is_to_say),
        cmocka_unit_test(test_plain_lines_keep_quiet_between),
        cmocka_unit_test(test_a_terminal_has_one_block),
        cmocka_unit_test(test_rates_are_those_of_the_last_half_minute),
        cmocka_unit_test(test_nothing_left_is_no_time),
        cmocka_unit_test(test_a_record_is_stored_every_few_seconds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
