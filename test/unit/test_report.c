/* test_report.c - the tables of a run whose every number was worked out by hand, and
 * their five forms. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "actors/sweep/results.h"
#include "core/base/json.h"
#include "core/base/text.h"
#include "store/journal.h"
#include "store/ledger.h"
#include "store/records.h"
#include "test/unit/store_dir.h"
#include "tools/report/render.h"
#include "tools/report/report.h"
#include "tools/report/tables.h"

static const char CONFIG[] =
    "[budget]\ntotal_usd = 1\n"
    "[endpoints.here]\nbase_url = \"standin:\"\n"
    "[models.chat]\nendpoints = [\"here\"]\nprice = { input = 1, output = 1 }\n"
    "[models.embed]\nendpoints = [\"here\"]\nprice = { input = 1, output = 0 }\n"
    "[sets.p]\nsource = \"store:p\"\n"
    "[explain]\nmodels = [\"chat\"]\nformats = [\"original\", \"summary\", \"avhs\"]\n"
    "[simulate]\nmodel = \"chat\"\n"
    "[adacs]\nmodel = \"embed\"\n";

/* Three puzzles; the last has nothing to score on. */
static const char PUZZLES[] =
    "[{\"name\": \"a\", \"explanation\": \"truth a\", \"false_explanations\": [],"
    "  \"sentences\": [[[\"x\", 1], \"y\"]], \"score_sentences\": [[[\"x\", 1], \"z\"]]},"
    " {\"name\": \"b\", \"explanation\": \"truth b\", \"false_explanations\": [],"
    "  \"sentences\": [[[\"x\", 1], \"y\"]], \"score_sentences\": [[[\"u\", 1], \"z\"]]},"
    " {\"name\": \"c\", \"explanation\": \"truth c\", \"false_explanations\": [],"
    "  \"sentences\": [[[\"x\", 1], \"y\"]]}]";

/* What is stored for a chain; NaN: undefined. */
typedef struct {
    const char *id;
    prompt_format_t format;
    int64_t prompt_tokens; /* -1: not counted */
    int64_t dropped;
    bool scored;
    double score;
    bool compared;
    double adacs;
} planted_t;

static const planted_t planted[] = {
    {"a", PROMPT_ORIGINAL, 100, 0, true, 0.5, true, 0.9},
    {"b", PROMPT_ORIGINAL, 200, 1, true, 0.7, true, 0.7},
    {"c", PROMPT_ORIGINAL, 300, 0, false, 0, true, 0.8},
    {"a", PROMPT_SUMMARY, 60, 0, true, 0.2, true, 0.8},
    {"b", PROMPT_SUMMARY, -1, 0, true, NAN, false, 0},
    {"c", PROMPT_SUMMARY, 40, 0, false, 0, true, NAN},
    {"a", PROMPT_AVHS, 150, 0, false, 0, false, 0},
};
enum { PLANTED = sizeof planted / sizeof planted[0] };

typedef struct {
    char *path;
    store_t *store;
    settings_t *settings;
    run_info_t run;
    sweep_t *sweep;
    bool backwards; /* the order in which results are stored */
} world_t;

static bool put_set(store_txn_t *txn, void *context, error_info_t *error) {
    world_t *world = context;
    neuron_list_t list;
    record_set_t set;
    if (!neuron_json_parse(PUZZLES, strlen(PUZZLES), "puzzles", &list, error) ||
        !records_set_put(txn, "p", "a test", &list, &set, error))
        return false;
    world->run.sets[0] = (struct run_set){memory_copy_string("p"), set.content, set.count};
    neuron_list_free(&list);
    records_set_clear(&set);
    return true;
}

static bool put_result(store_txn_t *txn, const world_t *world, hash_t job, job_stage_t stage,
                       buffer_t *result, error_info_t *error) {
    bool good =
        journal_put_done(txn, world->run.number, job, stage, result->data, result->length, error);
    buffer_clear(result);
    return good;
}

static bool plant(store_txn_t *txn, const world_t *world, const planted_t *p, error_info_t *error) {
    buffer_t bytes = BUFFER_EMPTY;
    chain_t chain = {.neuron = (uint32_t)(p->id[0] - 'a'), .format = p->format};
    hash_t neuron;
    assert_true(sweep_neuron(world->sweep, txn, &chain, &neuron, NULL));
    char *text = memory_format("says %s %d", p->id, (int)p->format),
         *truth = memory_format("truth %s", p->id);
    explain_result_t explained = {.text = text,
                                  .prompt_tokens = p->prompt_tokens,
                                  .completion_tokens = 10,
                                  .dropped = p->dropped};
    explain_result_encode(&explained, &bytes);
    bool good = put_result(txn, world, sweep_explain_job(world->sweep, &chain, neuron),
                           STAGE_EXPLAIN, &bytes, error);
    if (p->scored) {
        score_result_encode(
            &(score_result_t){.score = {p->score, p->score / 2, NAN}, .records = 1, .tokens = 2},
            &bytes);
        good = good && put_result(txn, world, sweep_score_job(world->sweep, text, neuron),
                                  STAGE_SCORE, &bytes, error);
    }
    if (p->compared) {
        adacs_result_encode(p->adacs, &bytes);
        good = good && put_result(txn, world, sweep_adacs_job(world->sweep, text, truth),
                                  STAGE_ADACS, &bytes, error);
    }
    buffer_free(&bytes);
    free(truth);
    free(text);
    return good;
}

/* The explanation of b in avhs failed for good, that of c for now; a's simulation
 * in avhs for good. */
static bool plant_failures(store_txn_t *txn, const world_t *world, error_info_t *error) {
    chain_t chain = {.neuron = 1, .format = PROMPT_AVHS};
    hash_t neuron;
    job_failure_t failure = {
        .run = world->run.number,
        .stage = STAGE_EXPLAIN,
        .terminal = true,
        .verdict = (char[]){"parse"},
        .label = (char[]){"p/b avhs chat #0"},
        .message = (char[]){
            "<script>alert('|')</script> `x`\tand so on and on and on and on and on and on"}};
    assert_true(sweep_neuron(world->sweep, txn, &chain, &neuron, NULL));
    bool good =
        journal_put_failed(txn, sweep_explain_job(world->sweep, &chain, neuron), &failure, error);
    chain.neuron = 2;
    failure.terminal = false;
    assert_true(sweep_neuron(world->sweep, txn, &chain, &neuron, NULL));
    good = good && journal_put_failed(txn, sweep_explain_job(world->sweep, &chain, neuron),
                                      &failure, error);
    chain.neuron = 0;
    failure.terminal = true;
    failure.stage = STAGE_SIMULATE;
    assert_true(sweep_neuron(world->sweep, txn, &chain, &neuron, NULL));
    neuron_record_t *record = records_get(txn, neuron, error);
    good = good && record &&
           journal_put_failed(
               txn, sweep_simulate_job(world->sweep, "says a 4", &record->random.records[0]),
               &failure, error);
    neuron_record_free(record);
    return good;
}

static bool plant_all(store_txn_t *txn, void *context, error_info_t *error) {
    const world_t *world = context;
    for (size_t i = 0; i < PLANTED; i++)
        if (!plant(txn, world, &planted[world->backwards ? PLANTED - 1 - i : i], error))
            return false;
    return plant_failures(txn, world, error);
}

static bool put_run(store_txn_t *txn, void *context, error_info_t *error) {
    world_t *world = context;
    hash_t snapshot;
    return blob_put(txn, CONFIG, strlen(CONFIG), &snapshot, error) &&
           ((world->run.snapshot = snapshot), true) && runs_put(txn, &world->run, error);
}

/* Each format's results are found by the identity of its template; which one does
 * not matter here. */
static void record_templates(run_info_t *run) {
    run->template_count = PROMPT_FORMAT_COUNT;
    run->templates = MEMORY_NEW_ARRAY(PROMPT_FORMAT_COUNT, struct run_template);
    for (size_t i = 0; i < PROMPT_FORMAT_COUNT; i++) {
        const char *name = prompt_format_name((prompt_format_t)i);
        hash_t hash = hash_bytes(name, strlen(name));
        run->templates[i] =
            (struct run_template){.name = memory_copy_string(name), .hash = hash, .identity = hash};
    }
}

static world_t *make_world(bool backwards) {
    world_t *world = MEMORY_NEW(world_t);
    error_info_t error = {0};
    world->backwards = backwards;
    world->path = store_dir_make();
    world->store = store_dir_open(world->path, STORE_WRITE);
    world->settings = settings_load(CONFIG, strlen(CONFIG), "config", NULL, 0, true, &error);
    if (!world->settings)
        fail_msg("%s", error.message);
    world->run = (run_info_t){.name = memory_copy_string("night"),
                              .state = RUN_PAUSED,
                              .program = memory_copy_string("test"),
                              .created_utc = 1000000,
                              .starts = 2,
                              .busy = 5000000,
                              .set_count = 1,
                              .sets = MEMORY_NEW(struct run_set)};
    record_templates(&world->run);
    store_dir_write(world->store, put_set, world);
    store_dir_write(world->store, put_run, world);
    world->sweep = sweep_create_snapshot(world->settings, &world->run, &stages_shipped, &error);
    if (!world->sweep)
        fail_msg("%s", error.message);
    store_dir_write(world->store, plant_all, world);
    return world;
}

static void free_world(world_t *world) {
    sweep_free(world->sweep);
    settings_free(world->settings);
    run_info_clear(&world->run);
    store_close(world->store);
    store_dir_remove(world->path);
    free(world);
}

static int setup(void **state) {
    *state = make_world(false);
    return 0;
}

static int teardown(void **state) {
    free_world(*state);
    return 0;
}

static report_t build(const world_t *world) {
    report_t report;
    error_info_t error = {0};
    if (!report_build(world->store, &world->run, world->settings, &stages_shipped,
                      &(report_options_t){0}, &report, &error))
        fail_msg("%s", error.message);
    return report;
}

/* --- numbers ---------------------------------------------------------------------------------- */

static const table_t *find(const report_t *report, const char *key) {
    for (size_t i = 0; i < report->result_count; i++)
        if (strcmp(report->results[i]->key, key) == 0)
            return report->results[i];
    fail_msg("no table %s", key);
    return NULL;
}

static const cell_t *cell(const table_t *table, const char *row, const char *column) {
    for (size_t r = 0; r < table->row_count; r++)
        for (size_t c = 0; c < table->column_count; c++)
            if (strcmp(table_cell(table, r, 0)->text, row) == 0 &&
                strcmp(table->columns[c].key, column) == 0)
                return table_cell(table, r, c);
    fail_msg("no cell %s/%s", row, column);
    return NULL;
}

static void assert_near(double got, double wanted) {
    if (!(fabs(got - wanted) < 1e-12))
        fail_msg("%.17g instead of %.17g", got, wanted);
}

static void counts_tokens(void **state) {
    report_t report = build(*state);
    const table_t *tokens = find(&report, "tokens");
    assert_int_equal(tokens->row_count, 3);
    assert_int_equal(cell(tokens, "original", "chains")->whole, 3);
    assert_int_equal(cell(tokens, "original", "explained")->whole, 3);
    const cell_t *prompt = cell(tokens, "original", "prompt_tokens");
    assert_int_equal(prompt->whole, 3);
    assert_near(prompt->number, 200);
    assert_near(prompt->spread, 100 / sqrt(3));
    assert_near(cell(tokens, "original", "ratio")->number, 1);
    assert_near(cell(tokens, "original", "total_tokens")->number, 210);
    prompt = cell(tokens, "summary", "prompt_tokens"); /* one of three was not counted */
    assert_int_equal(prompt->whole, 2);
    assert_near(prompt->number, 50);
    assert_near(prompt->spread, 10);
    assert_near(cell(tokens, "summary", "ratio")->number, 0.25);
    assert_int_equal(cell(tokens, "avhs", "explained")->whole, 1);
    assert_int_equal(cell(tokens, "avhs", "failed")->whole, 1);
    assert_int_equal(cell(tokens, "avhs", "missing")->whole, 1);
    assert_true(isnan(cell(tokens, "avhs", "prompt_tokens")->spread));
    assert_int_equal(tokens->note_count, 3);
    assert_string_equal(tokens->notes[1], "the API did not count the tokens of 1 answer");
    assert_string_equal(tokens->notes[2],
                        "1 prompt left out few-shot examples to fit the model's context");
    report_clear(&report);
}

static void scores(void **state) {
    report_t report = build(*state);
    const table_t *table = find(&report, "scores");
    assert_int_equal(cell(table, "original", "chains")->whole, 2); /* c has nothing to score on */
    assert_int_equal(cell(table, "original", "scored")->whole, 2);
    assert_near(cell(table, "original", "score")->number, 0.6);
    assert_near(cell(table, "original", "score")->spread, 0.1);
    assert_near(cell(table, "original", "rsquared")->number, 0.3);
    assert_int_equal(cell(table, "original", "absdev")->kind, CELL_NONE);
    assert_int_equal(cell(table, "summary", "scored")->whole, 1);
    assert_int_equal(cell(table, "summary", "undefined")->whole, 1);
    assert_near(cell(table, "summary", "score")->number, 0.2);
    assert_true(isnan(cell(table, "summary", "score")->spread));
    assert_int_equal(cell(table, "avhs", "failed")->whole, 2); /* a's simulation, b's explanation */
    assert_int_equal(cell(table, "avhs", "missing")->whole, 0);
    assert_int_equal(cell(table, "avhs", "score")->kind, CELL_NONE);
    report_clear(&report);
}

static void compares(void **state) {
    report_t report = build(*state);
    const table_t *table = find(&report, "puzzles");
    assert_int_equal(cell(table, "original", "compared")->whole, 3);
    assert_near(cell(table, "original", "adacs")->number, 0.8);
    assert_near(cell(table, "original", "adacs")->spread, 0.1 / sqrt(3));
    assert_int_equal(cell(table, "summary", "compared")->whole, 1);
    assert_int_equal(cell(table, "summary", "undefined")->whole, 1);
    assert_int_equal(cell(table, "summary", "missing")->whole, 1);
    assert_int_equal(cell(table, "avhs", "failed")->whole, 1);
    /* a: not yet compared; c: tried again */
    assert_int_equal(cell(table, "avhs", "missing")->whole, 2);
    report_clear(&report);
}

static void ranks(void **state) {
    report_t report = build(*state);
    const table_t *table = find(&report, "ranks");
    assert_int_equal(table->row_count, 3);
    assert_string_equal(table_cell(table, 0, 2)->text, "score");
    assert_near(cell(table, "p", "original")->number, 1);
    assert_near(cell(table, "p", "summary")->number, 2);
    assert_int_equal(cell(table, "p", "avhs")->kind, CELL_NONE);
    assert_int_equal(cell(table, "p", "highlight")->kind, CELL_NONE);
    /* AdaCS: both 0.8, but for the last bits of a mean of three. */
    double original = table_cell(table, 1, 3)->number, summary = table_cell(table, 1, 4)->number;
    assert_near(original + summary, 3);
    assert_near(cell(table, "mean rank", "original")->number, (1 + original) / 2);
    report_clear(&report);
}

static void shares_ranks(void **state) {
    (void)state;
    error_info_t error = {0};
    settings_t *settings = settings_load(CONFIG, strlen(CONFIG), "config", NULL, 0, true, &error);
    double half[] = {0.5}, more[] = {0.75};
    size_t first = 0;
    tally_group_t group = {.explainer = 0};
    for (int f = 0; f < PROMPT_FORMAT_COUNT; f++) {
        tally_measured_t *scores = &group.formats[f].measured[0];
        scores->samples[0] = (sample_t){
            .count = 1, .capacity = 1, .values = f == PROMPT_AVHS ? more : half, .neurons = &first};
        scores->progress.wanted = scores->progress.done = 1;
    }
    report_t report = {0};
    tables_add_results(settings, &(tally_list_t){stages_measured(&stages_shipped), 1, &group, NULL},
                       NULL, &report);
    const table_t *table = find(&report, "ranks");
    assert_near(cell(table, "p", "avhs")->number, 1);
    assert_near(cell(table, "p", "original")->number, 3.5);
    assert_near(cell(table, "p", "highlight_summary")->number, 3.5);
    assert_near(cell(table, "mean rank", "summary")->number, 3.5);
    report_clear(&report);
    settings_free(settings);
}

static void says_what_to_know_first(void **state) {
    report_t report = build(*state);
    assert_int_equal(report.line_count, 2);
    assert_true(report.standin);
    assert_string_equal(report.lines[0],
                        "The answers are the offline stand-in's, not a language model's.");
    assert_string_equal(
        report.lines[1],
        "Unfinished: 1 of 9 explanations, 3 of 9 AdaCS values are missing; `glia run` goes on.");
    report_clear(&report);
}

/* --- forms ------------------------------------------------------------------------------------ */

static void lines_up(void **state) {
    report_t report = build(*state);
    buffer_t out = BUFFER_EMPTY;
    render_text(&report, &out);
    static const char expected[] =
        "Run night (paused)\n"
        "==================\n"
        "The answers are the offline stand-in's, not a language model's.\n"
        "Unfinished: 1 of 9 explanations, 3 of 9 AdaCS values are missing; `glia run` goes on.\n"
        "\n"
        "Tokens per explanation prompt\n"
        "-----------------------------\n"
        "p, explained by chat:\n"
        "format    chains  explained  failed  missing  prompt tokens  ratio   with answer\n"
        "original       3          3       0        0   200.0 ± 57.7  1.000  210.0 ± 57.7\n"
        "summary        3          3       0        0    50.0 ± 10.0  0.250   60.0 ± 10.0\n"
        "avhs           3          1       1        1          150.0  0.750         160.0\n"
        "(mean ± standard error; ratio: prompt tokens to those of original)\n"
        "(the API did not count the tokens of 1 answer)\n"
        "(1 prompt left out few-shot examples to fit the model's context)\n";
    assert_int_equal(strncmp(buffer_text(&out), expected, strlen(expected)), 0);
    buffer_free(&out);
    report_clear(&report);
}

static void fits_a_terminal(void **state) {
    report_t report = build(*state);
    buffer_t out = BUFFER_EMPTY;
    render_text(&report, &out);
    for (const char *at = buffer_text(&out); *at;) {
        char *line = memory_copy(at, strcspn(at, "\n"));
        if (text_display_width(line) > RENDER_WIDTH)
            fail_msg("%zu columns: %s", text_display_width(line), line);
        at += strlen(line) + 1;
        free(line);
    }
    assert_non_null(strstr(buffer_text(&out), "...\n")); /* the example of a failure is cut */
    buffer_free(&out);
    report_clear(&report);
}

static void is_the_same_whatever_the_order(void **state) {
    report_t first = build(*state);
    world_t *world = make_world(true);
    report_t second = build(world);
    static void (*const renders[])(const report_t *, buffer_t *) = {
        render_text, render_markdown, render_csv, render_json, render_html};
    for (size_t i = 0; i < sizeof renders / sizeof *renders; i++) {
        buffer_t a = BUFFER_EMPTY, b = BUFFER_EMPTY;
        renders[i](&first, &a);
        renders[i](&second, &b);
        assert_string_equal(buffer_text(&a), buffer_text(&b));
        buffer_free(&a);
        buffer_free(&b);
    }
    report_clear(&first);
    report_clear(&second);
    free_world(world);
}

static void writes_json(void **state) {
    report_t report = build(*state);
    buffer_t out = BUFFER_EMPTY;
    error_info_t error = {0};
    render_json(&report, &out);
    json_value_t *root = json_parse(out.data, out.length, "report", JSON_PLAIN, &error);
    if (!root)
        fail_msg("%s", error.message);
    bool standin = false;
    double number = 0;
    assert_true(json_as_boolean(json_get(root, "standin"), &standin) && standin);
    assert_string_equal(json_as_string(json_path(root, "results.1.key"), NULL), "scores");
    assert_string_equal(json_as_string(json_path(root, "results.1.group.explainer"), NULL), "chat");
    assert_true(json_as_number(json_path(root, "results.1.rows.0.score.mean"), &number));
    assert_near(number, 0.6);
    assert_true(json_is(json_path(root, "results.1.rows.0.absdev"), JSON_KIND_NULL));
    assert_true(json_is(json_path(root, "results.1.rows.1.score.se"), JSON_KIND_NULL));
    assert_non_null(json_path(root, "costs.1.rows.0.starts"));
    json_free(root);
    buffer_free(&out);
    report_clear(&report);
}

static void writes_csv(void **state) {
    report_t report = build(*state);
    buffer_t out = BUFFER_EMPTY;
    const table_t *table = find(&report, "scores");
    render_tables_csv(&table, 1, &out);
    assert_non_null(
        strstr(buffer_text(&out),
               "set,explainer,format,chains,scored,score,score_se,rsquared,rsquared_se,"));
    assert_non_null(strstr(buffer_text(&out), "\np,chat,avhs,2,0,,,,,,,0,2,0\n"));
    buffer_free(&out);
    report_clear(&report);
}

static void shows_hostile_text_as_text(void **state) {
    report_t report = build(*state);
    buffer_t html = BUFFER_EMPTY, markdown = BUFFER_EMPTY;
    render_html(&report, &html);
    assert_null(strstr(buffer_text(&html), "<script"));
    assert_non_null(
        strstr(buffer_text(&html), "&lt;script&gt;alert(&#39;|&#39;)&lt;/script&gt; `x`\\tand"));
    assert_null(strstr(buffer_text(&html), "http://"));
    assert_null(strstr(buffer_text(&html), "https://"));
    render_markdown(&report, &markdown);
    assert_non_null(
        strstr(buffer_text(&markdown), "\\<script\\>alert('\\|')\\</script\\> \\`x\\`"));
    buffer_free(&html);
    buffer_free(&markdown);
    report_clear(&report);
}

static void shows_exact_dollars(void **state) {
    (void)state;
    static const struct {
        int64_t pico;
        const char *text;
    } amounts[] = {{0, "0"},
                   {1, "0.000000000001"},
                   {150000000, "0.00015"},
                   {INT64_C(12000000000000), "12"},
                   {-500000000000, "-0.5"}};
    for (size_t i = 0; i < sizeof amounts / sizeof *amounts; i++) {
        buffer_t out = BUFFER_EMPTY;
        cell_write_dollars((money_t){amounts[i].pico}, &out);
        assert_string_equal(buffer_text(&out), amounts[i].text);
        buffer_free(&out);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(counts_tokens, setup, teardown),
        cmocka_unit_test_setup_teardown(scores, setup, teardown),
        cmocka_unit_test_setup_teardown(compares, setup, teardown),
        cmocka_unit_test_setup_teardown(ranks, setup, teardown),
        cmocka_unit_test(shares_ranks),
        cmocka_unit_test_setup_teardown(says_what_to_know_first, setup, teardown),
        cmocka_unit_test_setup_teardown(lines_up, setup, teardown),
        cmocka_unit_test_setup_teardown(fits_a_terminal, setup, teardown),
        cmocka_unit_test_setup_teardown(is_the_same_whatever_the_order, setup, teardown),
        cmocka_unit_test_setup_teardown(writes_json, setup, teardown),
        cmocka_unit_test_setup_teardown(writes_csv, setup, teardown),
        cmocka_unit_test_setup_teardown(shows_hostile_text_as_text, setup, teardown),
        cmocka_unit_test(shows_exact_dollars),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
