/* test_chain_look.c - drawn journals, in which all who read them have to agree on each job: what a
 * plan counts, what a run then carries out, what report and exports call missing, done or failed,
 * and whether the viewer is done with a neuron.
 *
 * Each job is absent, done, done in an older form, failed for good, for now or in another run; its
 * response is not there, stored, or trimmed. The run is the planner with everybody else played:
 * answers are those of the rehearsals' providers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "actors/sweep/estimate.h"
#include "actors/sweep/outcome.h"
#include "core/base/memory.h"
#include "store/records.h"
#include "store/responses.h"
#include "test/unit/played_run.h"
#include "test/unit/store_dir.h"
#include "tools/report/tally.h"
#include "tools/viewer/index.h"

enum { RUN = 1, OTHER_RUN = 2, JOBS_MOST = 4096, WORLDS = 150 };

static const char CONFIG[] =
    "[budget]\ntotal_usd = 1\n"
    "[endpoints.here]\nbase_url = \"standin:\"\n"
    "[models.chat]\nendpoints = [\"here\"]\nprice = { input = 1, output = 1 }\n"
    "context_tokens = 100000\nmax_output_tokens = 4000\n"
    "[models.embed]\nendpoints = [\"here\"]\nprice = { input = 1, output = 0 }\n"
    "[sets.p]\nsource = \"store:p\"\n"
    "[explain]\nmodels = [\"chat\"]\nformats = [\"original\", \"summary\"]\n"
    "[simulate]\nmodel = \"chat\"\nmode = \"repeat\"\n"
    "[adacs]\nmodel = \"embed\"\nbatch = 1\n";

/* The last one has nothing to score on. */
static const char PUZZLES[] =
    "[{\"name\": \"a\", \"explanation\": \"truth a\", \"false_explanations\": [],  \"sentences\": "
    "[[[\"x\", 1], \"y\"]], \"score_sentences\": [[[\"x\", 1], \"z\"], [\"w\", [\"v\", 3]]]}, "
    "{\"name\": \"b\", \"explanation\": \"truth b\", \"false_explanations\": [],  \"sentences\": "
    "[[[\"m\", 2], \"n\"]], \"score_sentences\": [[[\"u\", 1], \"z\"]]}, {\"name\": \"c\", "
    "\"explanation\": \"truth a\", \"false_explanations\": [],  \"sentences\": [[[\"x\", 1], "
    "\"q\"]]}]";

/* --- a table whose results have an older form ------------------------------------------------- */

/* Marks of results in the form of today; all others are in the older one. */
enum { NEW_DROPPED = 7 };
static const double NEW_VALUE = 0.015625;

static bool decode_explain(const void *bytes, size_t size, stage_result_t *result) {
    explain_result_t explained;
    if (!stage_find(&stages_shipped, STAGE_EXPLAIN)->decode(bytes, size, result) ||
        !explain_result_decode(bytes, size, &explained))
        return false;
    result->version = explained.dropped == NEW_DROPPED ? 2 : 1;
    explain_result_clear(&explained);
    return true;
}

static bool decode_simulate(const void *bytes, size_t size, stage_result_t *result) {
    simulate_result_t simulated;
    if (!stage_find(&stages_shipped, STAGE_SIMULATE)->decode(bytes, size, result) ||
        !simulate_result_decode(bytes, size, &simulated))
        return false;
    result->version = simulated.dropped == NEW_DROPPED ? 2 : 1;
    simulate_result_clear(&simulated);
    return true;
}

static bool decode_score(const void *bytes, size_t size, stage_result_t *result) {
    if (!stage_find(&stages_shipped, STAGE_SCORE)->decode(bytes, size, result))
        return false;
    result->version = result->values[2] == NEW_VALUE ? 2 : 1;
    return true;
}

static bool decode_adacs(const void *bytes, size_t size, stage_result_t *result) {
    if (!stage_find(&stages_shipped, STAGE_ADACS)->decode(bytes, size, result))
        return false;
    result->version = result->values[0] == NEW_VALUE ? 2 : 1;
    return true;
}

enum { ROWS = 7 };

typedef struct {
    stage_t copies[ROWS];
    const stage_t *rows[ROWS];
    stage_table_t table;
} table_of_two_forms_t;

static void make_table(table_of_two_forms_t *two) {
    two->table = (stage_table_t){stages_shipped.count, two->rows};
    assert_int_equal(stages_shipped.count, ROWS);
    for (size_t i = 0; i < ROWS; i++) {
        stage_t *stage = &two->copies[i];
        *stage = *stages_shipped.rows[i];
        two->rows[i] = stage;
        stage->version = 2;
        switch (stage->number) {
        case STAGE_EXPLAIN: stage->decode = decode_explain; break;
        case STAGE_SIMULATE: stage->decode = decode_simulate; break;
        case STAGE_SCORE: stage->decode = decode_score; break;
        case STAGE_ADACS: stage->decode = decode_adacs; break;
        default: break;
        }
    }
}

/* --- a world ---------------------------------------------------------------------------------- */

typedef struct {
    rng_t rng;
    table_of_two_forms_t two;
    char *path;
    store_t *store;
    settings_t *settings;
    run_info_t run;
    sweep_t *sweep;
    store_txn_t *txn; /* of the drawing */
    played_run_t played;
} world_t;

static bool put_set(store_txn_t *txn, void *context, error_info_t *error) {
    world_t *world = context;
    neuron_list_t list;
    record_set_t set;
    if (!neuron_json_parse(PUZZLES, strlen(PUZZLES), "puzzles", &list, error) ||
        !records_set_put(txn, "p", "a test", &list, &set, error))
        return false;
    free(world->run.sets[0].name);
    world->run.sets[0] = (struct run_set){memory_copy_string("p"), set.content, set.count};
    neuron_list_free(&list);
    records_set_clear(&set);
    return true;
}

/* --- drawing a journal ------------------------------------------------------------------------ */

typedef enum {
    DRAW_ABSENT,
    DRAW_DONE,
    DRAW_OLDER,
    DRAW_FOR_GOOD,
    DRAW_FOR_NOW,
    DRAW_ELSEWHERE,
    DRAW_STATES
} drawn_t;
typedef enum { RESPONSE_NONE, RESPONSE_WHOLE, RESPONSE_TRIMMED, RESPONSE_STATES } drawn_response_t;

static void put_failure(const world_t *world, const job_t *job, uint32_t run, bool terminal) {
    job_failure_t failure = {.run = run,
                             .stage = job->stage,
                             .terminal = terminal,
                             .verdict = (char[]){"parse"},
                             .message = (char[]){"drawn"}};
    error_info_t error;
    assert_true(journal_put_failed(world->txn, job->id, &failure, &error));
}

static void encode(const job_t *job, bool older, hash_t request, const char *text, size_t tokens,
                   buffer_t *out) {
    double values[8] = {1, 2, 3, 4, 5, 6, 7, 8};
    int64_t dropped = older ? 0 : NEW_DROPPED;
    double value = older ? 0.5 : NEW_VALUE;
    switch (job->stage) {
    case STAGE_EXPLAIN:
        explain_result_encode(&(explain_result_t){.text = (char *)(uintptr_t)text,
                                                  .dropped = dropped,
                                                  .request = request},
                              out);
        break;
    case STAGE_SIMULATE:
        simulate_result_encode(
            &(simulate_result_t){
                .count = tokens, .expected = values, .dropped = dropped, .request = request},
            out);
        break;
    case STAGE_SCORE:
        score_result_encode(
            &(score_result_t){.score = {0.5, 0.25, value}, .records = 2, .tokens = 4}, out);
        break;
    case STAGE_ADACS: adacs_result_encode(value, out); break;
    default: break;
    }
}

/* Puts what was drawn for one job. `text`: the explanation that it has, if it is one. */
static bool draw_job(world_t *world, job_t *job, const char *text, size_t tokens) {
    drawn_t state = (drawn_t)rng_below(&world->rng, DRAW_STATES);
    drawn_response_t stored = (drawn_response_t)rng_below(&world->rng, RESPONSE_STATES);
    const stage_t *stage = stage_find(&world->two.table, job->stage);
    request_t request = {0};
    stage_product_t product = {0};
    error_info_t error;
    buffer_t result = BUFFER_EMPTY;
    if (stage->role != ROLE_NONE && !stage->keeps_vectors && stored != RESPONSE_NONE &&
        played_request(world->sweep, world->txn, job, &request, &product)) {
        uint64_t number = played_response(world->sweep, world->txn, &request);
        if (stored == RESPONSE_TRIMMED)
            assert_true(response_trim(world->txn, number, &error));
    }
    hash_t id =
        hash_is_zero(request.id) ? hash_bytes(job->id.bytes, sizeof job->id.bytes) : request.id;
    bool done = state == DRAW_DONE || state == DRAW_OLDER;
    if (done && stage->keeps_vectors) {
        float vector[8] = {1, 2}; /* as many as the providers give */
        assert_true(embedding_put(world->txn, job->id, vector, 8, &error));
    } else if (done) {
        encode(job, state == DRAW_OLDER, stage->role == ROLE_NONE ? (hash_t){{0}} : id, text,
               tokens, &result);
        assert_true(journal_put_done(world->txn, RUN, job->id, job->stage, result.data,
                                     result.length, &error));
    } else if (state != DRAW_ABSENT) {
        put_failure(world, job, state == DRAW_ELSEWHERE ? OTHER_RUN : RUN, state != DRAW_FOR_NOW);
    }
    buffer_free(&result);
    request_clear(&request);
    stage_product_clear(&product);
    return done;
}

static void draw_text(world_t *world, const chain_t *chain, const char *text) {
    char *texts[1] = {(char *)(uintptr_t)text};
    hash_t key = sweep_embed_job(world->sweep, text);
    job_t job = {.stage = STAGE_EMBED,
                 .chain = *chain,
                 .id = key,
                 .text_count = 1,
                 .texts = texts,
                 .keys = &key};
    draw_job(world, &job, NULL, 0);
}

static void draw_rest(world_t *world, const chain_t *chain, neuron_view_t *view, char *text) {
    size_t records = neuron_view_scored(view, world->txn);
    job_t job = {.chain = *chain, .neuron = view->hash, .explanation = text};
    for (job.record = 0; job.record < records; job.record++) {
        const activation_record_t *record = neuron_view_scored_record(view, job.record);
        job.stage = STAGE_SIMULATE;
        job.id = sweep_simulate_job(world->sweep, text, record);
        draw_job(world, &job, NULL, record->count);
    }
    job.stage = STAGE_SCORE;
    job.id = sweep_score_job(world->sweep, text, view->hash);
    if (records > 0)
        draw_job(world, &job, NULL, 0);
    const char *baseline = neuron_view_baseline(view, world->txn);
    draw_text(world, chain, text);
    draw_text(world, chain, baseline);
    job.stage = STAGE_ADACS;
    job.id = sweep_adacs_job(world->sweep, text, baseline);
    draw_job(world, &job, NULL, 0);
}

static bool draw_journal(store_txn_t *txn, void *context, error_info_t *error) {
    world_t *world = context;
    neuron_view_t view = {0};
    world->txn = txn;
    for (uint64_t i = 0; i < sweep_chain_count(world->sweep); i++) {
        chain_t chain = sweep_chain(world->sweep, i);
        neuron_view_clear(&view);
        assert_true(neuron_view_open(&view, world->sweep, txn, &chain, error));
        char *text = memory_format("says %u %d", chain.neuron, (int)chain.format);
        job_t job = {.stage = STAGE_EXPLAIN, .chain = chain, .neuron = view.hash};
        job.id = sweep_explain_job(world->sweep, &chain, view.hash);
        if (draw_job(world, &job, text, 0))
            draw_rest(world, &chain, &view, text);
        free(text);
    }
    neuron_view_clear(&view);
    return true;
}

/* Results in the form of today. */
static void remake(const job_t *job, buffer_t *result) {
    explain_result_t explained;
    simulate_result_t simulated;
    if (job->stage == STAGE_EXPLAIN &&
        explain_result_decode(result->data, result->length, &explained)) {
        buffer_clear(result);
        explained.dropped = NEW_DROPPED;
        explain_result_encode(&explained, result);
        explain_result_clear(&explained);
    } else if (job->stage == STAGE_SIMULATE &&
               simulate_result_decode(result->data, result->length, &simulated)) {
        buffer_clear(result);
        simulated.dropped = NEW_DROPPED;
        simulate_result_encode(&simulated, result);
        simulate_result_clear(&simulated);
    } else {
        buffer_clear(result);
        encode(job, false, (hash_t){{0}}, NULL, 0, result);
    }
}

static world_t *make_world(uint64_t seed) {
    world_t *world = MEMORY_NEW(world_t);
    error_info_t error = {0};
    world->rng = rng_create(seed);
    make_table(&world->two);
    world->path = store_dir_make();
    world->store = store_dir_open(world->path, STORE_WRITE);
    world->settings = settings_load(CONFIG, strlen(CONFIG), "config", NULL, 0, true, &error);
    if (!world->settings)
        fail_msg("%s", error.message);
    world->run = (run_info_t){.name = memory_copy_string("run"),
                              .number = RUN,
                              .set_count = 1,
                              .sets = MEMORY_NEW(struct run_set)};
    store_dir_write(world->store, put_set, world);
    world->sweep = sweep_create(world->settings, &world->run, &world->two.table, &error);
    if (!world->sweep)
        fail_msg("%s", error.message);
    store_dir_write(world->store, draw_journal, world);
    world->played = (played_run_t){.store = world->store,
                                   .sweep = world->sweep,
                                   .run = RUN,
                                   .rng = &world->rng,
                                   .remake = remake};
    return world;
}

static void free_world(world_t *world) {
    played_run_clear(&world->played);
    sweep_free(world->sweep);
    settings_free(world->settings);
    run_info_clear(&world->run);
    store_close(world->store);
    store_dir_remove(world->path);
    free(world);
}

/* --- the run ---------------------------------------------------------------------------------- */

static uint64_t bought(const world_t *world, job_stage_t stage) {
    uint64_t count = 0;
    for (size_t i = 0; i < world->played.count; i++)
        count += world->played.jobs[i].stage == stage && world->played.jobs[i].bought;
    return count;
}

/* --- what readers said before it -------------------------------------------------------------- */

typedef struct {
    uint64_t chain;
    job_stage_t stage;
    hash_t id;
    chain_state_t state;
    bool failed_itself;
    bool is_older; /* done in an older form, and nobody has to be asked to make it anew */
} said_t;

typedef struct {
    size_t count;
    said_t jobs[JOBS_MOST];
} saying_t;

static bool take_chain(void *context, store_txn_t *txn, const outcome_t *outcome,
                       error_info_t *error) {
    (void)txn;
    (void)error;
    saying_t *saying = context;
    for (size_t i = 0; i < outcome->look->count; i++) {
        const chain_job_t *job = &outcome->look->jobs[i];
        assert_true(saying->count < JOBS_MOST);
        saying->jobs[saying->count++] = (said_t){
            .chain = outcome->number,
            .stage = job->stage->number,
            .id = job->id,
            .state = job->state,
            .failed_itself = job->failed_itself,
            .is_older = job->state == CHAIN_DONE && job->stage->role == ROLE_NONE &&
                        job->result.version == 1,
        };
    }
    return true;
}

static saying_t *ask_outcomes(const world_t *world) {
    saying_t *saying = MEMORY_NEW(saying_t);
    error_info_t error;
    outcomes_t all = {.run = RUN, .depth = LOOK_EACH};
    assert_true(outcomes_walk(world->store, world->sweep, &all, take_chain, saying, &error));
    return saying;
}

static bool is_missing(const said_t *said) {
    return said->state == CHAIN_ABSENT || said->state == CHAIN_WAITING;
}

static estimate_sums_t ask_plan(const world_t *world, look_as_of_t as_of) {
    error_info_t error;
    estimate_sums_t sums;
    estimate_options_t options = {.as_of = as_of};
    store_txn_t *txn = store_read_begin(world->store, &error);
    assert_true(estimate_sweep(world->sweep, txn, RUN, &options, &sums, &error));
    store_read_end(txn);
    return sums;
}

static neuron_index_t *ask_index(const world_t *world) {
    error_info_t error;
    bool finished;
    neuron_index_t *index = neuron_index_create(world->sweep, RUN, world->store, &error);
    assert_non_null(index);
    assert_true(neuron_index_step(index, world->store, 1000, &finished, &error));
    return index;
}

/* --- they agree ------------------------------------------------------------------------------- */

/* An older result of a local stage may be made anew once the run has bought what it needs
 * for another chain. */
static void compare_with_run(const world_t *world, const saying_t *before) {
    for (size_t i = 0; i < before->count; i++) {
        const said_t *said = &before->jobs[i];
        const played_job_t *carried = played_run_find(&world->played, said->id);
        if (said->state == CHAIN_ABSENT && (!carried || carried->stage != said->stage))
            fail_msg("chain %llu, %s: missing, but the run does not carry it out",
                     (unsigned long long)said->chain, stage_name(&stages_shipped, said->stage));
    }
    for (size_t i = 0; i < world->played.count; i++) {
        bool missing = false, known = false;
        for (size_t k = 0; k < before->count; k++)
            if (hash_equal(before->jobs[k].id, world->played.jobs[i].id)) {
                known = true;
                missing = missing || is_missing(&before->jobs[k]) || before->jobs[k].is_older;
            }
        if (known && !missing)
            fail_msg("%s: the run carries it out, but nobody called it missing",
                     stage_name(&stages_shipped, world->played.jobs[i].stage));
        for (size_t k = 0; k < i; k++)
            assert_false(hash_equal(world->played.jobs[k].id, world->played.jobs[i].id)); /* once */
    }
}

static void nothing_is_missing(const saying_t *after) {
    for (size_t i = 0; i < after->count; i++)
        if (is_missing(&after->jobs[i]))
            fail_msg("chain %llu, %s: still missing after the run",
                     (unsigned long long)after->jobs[i].chain,
                     stage_name(&stages_shipped, after->jobs[i].stage));
}

static void compare_with_plan(const world_t *world, const estimate_sums_t *plan,
                              const saying_t *before) {
    static const job_stage_t asked[] = {STAGE_EXPLAIN, STAGE_SIMULATE, STAGE_EMBED};
    for (size_t i = 0; i < sizeof asked / sizeof asked[0]; i++)
        if (plan->stages[asked[i]].requests != bought(world, asked[i]))
            fail_msg("%s: planned %llu requests, made %llu", stage_name(&stages_shipped, asked[i]),
                     (unsigned long long)plan->stages[asked[i]].requests,
                     (unsigned long long)bought(world, asked[i]));
    uint64_t failed[JOB_STAGES] = {0};
    for (size_t i = 0; i < before->count; i++)
        failed[before->jobs[i].stage] +=
            before->jobs[i].state == CHAIN_FAILED && before->jobs[i].failed_itself;
    assert_int_equal(plan->stages[STAGE_EXPLAIN].failed, failed[STAGE_EXPLAIN]);
    assert_int_equal(plan->stages[STAGE_SIMULATE].failed, failed[STAGE_SIMULATE]);
    assert_int_equal(plan->stages[STAGE_SCORE].failed, failed[STAGE_SCORE]);
    assert_int_equal(plan->stages[STAGE_ADACS].failed, failed[STAGE_ADACS]);
}

static void compare_with_index(neuron_index_t *index, const saying_t *saying) {
    index_entry_t entry;
    for (size_t i = 0; neuron_index_at(index, i, &entry); i++) {
        bool open = false;
        uint32_t explained = 0, failed = 0;
        for (size_t k = 0; k < saying->count; k++) {
            const said_t *said = &saying->jobs[k];
            if (said->chain < entry.first || said->chain >= entry.end)
                continue;
            open = open || is_missing(said);
            explained += said->stage == STAGE_EXPLAIN && said->state == CHAIN_DONE;
            failed += said->stage == STAGE_EXPLAIN && said->state == CHAIN_FAILED;
        }
        assert_int_equal(entry.settled, !open);
        assert_int_equal(entry.explained, explained);
        assert_int_equal(entry.failed, failed);
    }
}

static void count_said(const saying_t *saying, job_stage_t stage, progress_t *progress) {
    *progress = (progress_t){0};
    for (size_t i = 0; i < saying->count; i++) {
        const said_t *said = &saying->jobs[i];
        if (said->stage != stage || said->state == CHAIN_UNWANTED)
            continue;
        progress->wanted++;
        progress->missing += is_missing(said);
        progress->failed += said->state == CHAIN_FAILED;
        progress->done += said->state == CHAIN_DONE;
    }
}

static void compare_with_report(const world_t *world, const saying_t *saying) {
    error_info_t error;
    tally_list_t tallies;
    progress_t told[1 + STAGES_MEASURED], counted;
    static const job_stage_t stages[3] = {STAGE_EXPLAIN, STAGE_SCORE, STAGE_ADACS};
    assert_true(tally_collect(world->store, world->sweep, RUN, &tallies, &error));
    tally_progress(&tallies, &told[0], &told[1]);
    for (size_t i = 0; i < 3; i++) {
        count_said(saying, stages[i], &counted);
        assert_int_equal(told[i].wanted, counted.wanted);
        assert_int_equal(told[i].missing, counted.missing);
        assert_int_equal(told[i].failed, counted.failed);
        assert_int_equal(told[i].done + told[i].undefined, counted.done);
    }
    tally_clear(&tallies);
}

static void play_world(uint64_t seed, bool retry_failed) {
    world_t *world = make_world(seed);
    saying_t *before = ask_outcomes(world);
    estimate_sums_t plan = ask_plan(world, retry_failed ? LOOK_RETRY : LOOK_NEXT_START);
    neuron_index_t *index = ask_index(world);
    compare_with_index(index, before);
    compare_with_report(world, before);
    neuron_index_free(index);
    played_run(&world->played, retry_failed);
    if (!retry_failed) {
        compare_with_plan(world, &plan, before);
        compare_with_run(world, before);
    } else {
        assert_int_equal(plan.stages[STAGE_EXPLAIN].requests, bought(world, STAGE_EXPLAIN));
        assert_int_equal(plan.stages[STAGE_SIMULATE].requests, bought(world, STAGE_SIMULATE));
        assert_int_equal(plan.stages[STAGE_EMBED].requests, bought(world, STAGE_EMBED));
    }
    /* Older results that may be made anew by now. */
    played_run(&world->played, false);
    saying_t *after = ask_outcomes(world);
    nothing_is_missing(after);
    index = ask_index(world);
    compare_with_index(index, after);
    compare_with_report(world, after);
    neuron_index_free(index);
    estimate_clear(&plan);
    estimate_sums_t rest = ask_plan(world, LOOK_NEXT_START);
    for (size_t i = 0; i < JOB_STAGES; i++)
        assert_int_equal(rest.stages[i].requests, 0);
    estimate_clear(&rest);
    free(before);
    free(after);
    free_world(world);
}

static void play_worlds(bool retry_failed) {
    const char *only = getenv("SEED");
    for (uint64_t seed = 1; seed <= WORLDS; seed++) {
        if (only && strtoull(only, NULL, 10) != seed)
            continue;
        print_message("[ seed %llu ]\n", (unsigned long long)seed);
        play_world(seed, retry_failed);
    }
}

static void test_all_readers_agree_on_each_job(void **state) {
    (void)state;
    play_worlds(false);
}

static void test_retrying_failures_costs_what_was_said(void **state) {
    (void)state;
    play_worlds(true);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_readers_agree_on_each_job),
        cmocka_unit_test(test_retrying_failures_costs_what_was_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
