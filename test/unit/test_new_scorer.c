/* test_new_scorer.c - a scorer that no reader knows: a row of its own behind those that glia
 * comes with. The planner carries it out, and estimate, report, export, card and viewer tell of
 * it, by the row alone.
 *
 * It asks nobody: the share of an explanation's bytes that are the letter e, and how long it is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "actors/sweep/estimate.h"
#include "actors/sweep/results.h"
#include "core/base/json.h"
#include "core/base/memory.h"
#include "core/base/pack.h"
#include "store/records.h"
#include "test/unit/played_run.h"
#include "test/unit/store_dir.h"
#include "tools/cli/card.h"
#include "tools/cli/export_results.h"
#include "tools/cli/prepare.h"
#include "tools/report/render.h"
#include "tools/report/report.h"
#include "tools/viewer/viewer.h"

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

/* The last one has nothing to score on, and the new scorer wants such records too. */
static const char PUZZLES[] =
    "[{\"name\": \"a\", \"explanation\": \"truth a\", \"false_explanations\": [],  \"sentences\": "
    "[[[\"x\", 1], \"y\"]], \"score_sentences\": [[[\"x\", 1], \"z\"], [\"w\", [\"v\", 3]]]}, "
    "{\"name\": \"b\", \"explanation\": \"truth b\", \"false_explanations\": [],  \"sentences\": "
    "[[[\"m\", 2], \"n\"]], \"score_sentences\": [[[\"u\", 1], \"z\"]]}, {\"name\": \"c\", "
    "\"explanation\": \"truth a\", \"false_explanations\": [],  \"sentences\": [[[\"x\", 1], "
    "\"q\"]]}]";
enum { SCORED = 2, FORMATS = 2 };

/* --- the scorer ------------------------------------------------------------------------------- */

enum { STAGE_ES = STAGE_BATCH + 1, ES_VERSION = 1 };

static double share_of_es(const char *text) {
    size_t count = 0;
    for (const char *at = text; *at; at++)
        count += *at == 'e';
    return (double)count / (double)strlen(text);
}

static stage_built_t build_es(const stage_context_t *context, store_txn_t *txn, job_t *job,
                              request_t *request, stage_product_t *product) {
    (void)request;
    error_info_t error;
    split_list_t valid, calibration;
    neuron_record_t *neuron = records_get(txn, job->neuron, &error);
    assert_non_null(neuron);
    sweep_score_records(context->sweep, neuron, &valid, &calibration);
    pack_array(&product->result, 4);
    pack_integer(&product->result, ES_VERSION);
    pack_number(&product->result, share_of_es(job->explanation));
    pack_number(&product->result, (double)strlen(job->explanation));
    pack_integer(&product->result, (int64_t)valid.count);
    neuron_split_free(&valid);
    neuron_split_free(&calibration);
    neuron_record_free(neuron);
    return STAGE_BUILT_RESULT;
}

static bool decode_es(const void *bytes, size_t size, stage_result_t *result) {
    *result = (stage_result_t){0};
    pack_reader_t *reader = pack_reader_open(bytes, size);
    bool good = reader && pack_read_array(reader) == 4;
    result->version = good ? pack_read_integer(reader) : 0;
    result->values[0] = good ? pack_read_number(reader) : (double)NAN;
    result->values[1] = good ? pack_read_number(reader) : (double)NAN;
    result->counts[0] = good ? pack_read_integer(reader) : 0;
    return pack_reader_close(reader) && good;
}

static hash_t identify_es(const sweep_t *sweep, const stage_subject_t *subject) {
    (void)sweep;
    hash_builder_t *builder = hash_builder_create("es");
    hash_builder_add_hash(builder, subject->neuron);
    hash_builder_add_text(builder, subject->explanation);
    return hash_builder_finish(builder);
}

static bool is_wanted(const settings_t *settings) {
    (void)settings;
    return true;
}

static const stage_telling_t telling = {
    .measures = {{.key = "es", .label = "letters e"},
                 {.key = "bytes", .label = "long", .is_terse = true}},
    .counts = {"es_records"},
    .done = "counted",
    .noun = "counts of e",
    .table = {.key = "es", .title = "The letter e", .note = "its share of an explanation"},
    .average = "The letter e, averaged over neuron sets",
    .plot = {.key = "plot_es", .title = "Distribution of e", .axis = "share of e"},
};

static const stage_t stage_es = {
    .number = STAGE_ES,
    .name = "es",
    .actor = "scorer",
    .scope = SCOPE_CHAIN,
    .role = ROLE_NONE,
    .needs = STAGE_EXPLAIN,
    .about = ABOUT_RECORDS,
    .is_wanted = is_wanted,
    .identify = identify_es,
    .build = build_es,
    .version = ES_VERSION,
    .decode = decode_es,
    .telling = &telling,
};

/* --- a run with it ---------------------------------------------------------------------------- */

typedef struct {
    const stage_t *rows[JOB_STAGES];
    stage_table_t table;
    rng_t rng;
    char *path;
    store_t *store;
    settings_t *settings;
    run_info_t run;
    sweep_t *sweep;
} world_t;

static bool put_set(store_txn_t *txn, void *context, error_info_t *error) {
    (void)context;
    neuron_list_t list;
    record_set_t set;
    assert_true(neuron_json_parse(PUZZLES, strlen(PUZZLES), "puzzles", &list, error));
    assert_true(records_set_put(txn, "p", "a test", &list, &set, error));
    neuron_list_free(&list);
    records_set_clear(&set);
    return true;
}

static int setup(void **state) {
    world_t *world = MEMORY_NEW(world_t);
    error_info_t error = {0};
    prepare_taken_t taken;
    for (size_t i = 0; i < stages_shipped.count; i++)
        world->rows[i] = stages_shipped.rows[i];
    world->rows[stages_shipped.count] = &stage_es;
    world->table = (stage_table_t){stages_shipped.count + 1, world->rows};
    world->rng = rng_create(1);
    world->path = store_dir_make();
    world->store = store_dir_open(world->path, STORE_WRITE);
    store_dir_write(world->store, put_set, NULL);
    world->settings = settings_load(CONFIG, strlen(CONFIG), "config", NULL, 0, true, &error);
    if (!world->settings ||
        !prepare_take_up(world->settings, world->store, false, 1000000, &world->run, &taken,
                         &error) ||
        !(world->sweep = sweep_create(world->settings, &world->run, &world->table, &error)))
        fail_msg("%s", error.message);
    *state = world;
    return 0;
}

static int teardown(void **state) {
    world_t *world = *state;
    sweep_free(world->sweep);
    settings_free(world->settings);
    run_info_clear(&world->run);
    store_close(world->store);
    store_dir_remove(world->path);
    free(world);
    return 0;
}

/* The result is how many jobs of the new stage were carried out. */
static size_t play(world_t *world) {
    played_run_t played = {
        .store = world->store, .sweep = world->sweep, .run = world->run.number, .rng = &world->rng};
    size_t count = 0;
    played_run(&played, false);
    for (size_t i = 0; i < played.count; i++)
        count += played.jobs[i].stage == STAGE_ES;
    played_run_clear(&played);
    return count;
}

/* --- estimate --------------------------------------------------------------------------------- */

static estimate_t estimate(const world_t *world) {
    estimate_options_t options = {.as_of = LOOK_NEXT_START};
    estimate_sums_t sums;
    error_info_t error;
    store_txn_t *txn = store_read_begin(world->store, &error);
    assert_true(estimate_sweep(world->sweep, txn, world->run.number, &options, &sums, &error));
    store_read_end(txn);
    estimate_t of = sums.stages[STAGE_ES];
    estimate_clear(&sums);
    return of;
}

static void is_planned_and_carried_out(void **state) {
    estimate_t before = estimate(*state);
    assert_int_equal(before.jobs, SCORED * FORMATS);
    assert_int_equal(before.done, 0);
    assert_int_equal(before.requests, 0);
    assert_int_equal(play(*state), SCORED * FORMATS);
    assert_int_equal(estimate(*state).done, SCORED * FORMATS);
    assert_int_equal(play(*state), 0);
}

/* --- report ----------------------------------------------------------------------------------- */

static report_t build_report(const world_t *world) {
    report_t report;
    error_info_t error = {0};
    if (!report_build(world->store, &world->run, world->settings, &world->table,
                      &(report_options_t){0}, &report, &error))
        fail_msg("%s", error.message);
    return report;
}

static const table_t *find(const report_t *report, const char *key) {
    for (size_t i = 0; i < report->result_count; i++)
        if (strcmp(report->results[i]->key, key) == 0)
            return report->results[i];
    fail_msg("no table %s", key);
    return NULL;
}

/* Rows of the table that are about the new scorer. */
static size_t rows_about(const table_t *table, size_t column) {
    size_t count = 0;
    for (size_t i = 0; i < table->row_count; i++)
        count += strcmp(table_cell(table, i, column)->text, "letters e") == 0;
    return count;
}

static void is_reported(void **state) {
    report_t report = build_report(*state);
    assert_non_null(strstr(report.lines[1], "6 of 6 AdaCS values, 4 of 4 counts of e are missing"));
    report_clear(&report);
    play(*state);
    report = build_report(*state);
    const table_t *table = find(&report, "es");
    assert_string_equal(table->title, "The letter e");
    assert_int_equal(table->row_count, FORMATS);
    static const char *const keys[] = {"format", "chains",    "counted", "es",
                                       "bytes",  "undefined", "failed",  "missing"};
    assert_int_equal(table->column_count, 8);
    for (size_t i = 0; i < 8; i++)
        assert_string_equal(table->columns[i].key, keys[i]);
    for (size_t i = 0; i < FORMATS; i++) {
        assert_int_equal(table_cell(table, i, 1)->whole, SCORED);
        assert_int_equal(table_cell(table, i, 2)->whole, SCORED);
        assert_int_equal(table_cell(table, i, 3)->whole, SCORED);
        assert_true(table_cell(table, i, 3)->number > 0 && table_cell(table, i, 3)->number < 1);
    }
    assert_int_equal(rows_about(find(&report, "paired"), 0), FORMATS - 1);
    assert_int_equal(rows_about(find(&report, "ranks"), 2), 1);
    size_t drawings = 0;
    for (size_t i = 0; i < report.plot_count; i++)
        drawings += strcmp(report.plots[i].key, "plot_es") == 0;
    assert_int_equal(drawings, 1);
    report_clear(&report);
}

/* --- export ----------------------------------------------------------------------------------- */

static void export_to(const world_t *world, bool csv, buffer_t *out) {
    error_info_t error = {0};
    char *path = memory_format("%s/scores", world->path);
    export_wish_t wish = {.kind = EXPORT_SCORES, .csv = csv, .path = path};
    assert_true(export_results(world->store, world->sweep, world->run.number, &wish, &error));
    assert_true(buffer_read_file(out, path, 0, &error));
    free(path);
}

static void is_exported(void **state) {
    play(*state);
    buffer_t out = BUFFER_EMPTY;
    export_to(*state, true, &out);
    static const char header[] =
        "set,id,layer,neuron,explainer,format,sample,scored,score,rsquared,absdev,records,"
        "tokens,compared,adacs,explanation,counted,es,bytes,es_records\n";
    assert_int_equal(strncmp(buffer_text(&out), header, strlen(header)), 0);
    buffer_clear(&out);
    export_to(*state, false, &out);
    size_t done = 0;
    for (char *line = strtok((char *)out.data, "\n"); line; line = strtok(NULL, "\n")) {
        json_value_t *row = json_parse(line, strlen(line), "row", JSON_PLAIN, NULL);
        const char *text = json_as_string(json_get(row, "explanation"), NULL);
        bool counted = strcmp(json_as_string(json_get(row, "counted"), NULL), "done") == 0;
        bool scored = strcmp(json_as_string(json_get(row, "id"), NULL), "c") != 0;
        double share, bytes, records;
        assert_int_equal(counted, scored);
        assert_int_equal(json_as_number(json_get(row, "es"), &share), scored);
        done += counted;
        if (counted) {
            assert_true(json_as_number(json_get(row, "bytes"), &bytes) &&
                        bytes == (double)strlen(text));
            assert_true(json_as_number(json_get(row, "es_records"), &records) && records > 0);
            assert_true(share == share_of_es(text));
        }
        json_free(row);
    }
    assert_int_equal(done, SCORED * FORMATS);
    buffer_free(&out);
}

/* --- viewer ----------------------------------------------------------------------------------- */

/* The JSON that the viewer answers with. */
static json_value_t *get(const viewer_t *viewer, const char *path) {
    buffer_t said = BUFFER_EMPTY;
    char some[4096];
    int client = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(viewer_port(viewer))};
    inet_pton(AF_INET, "127.0.0.1", &address.sin_addr);
    assert_int_equal(connect(client, (struct sockaddr *)&address, sizeof address), 0);
    char *asked =
        memory_format("GET %s HTTP/1.0\r\nHost: 127.0.0.1:%u\r\n\r\n", path, viewer_port(viewer));
    assert_int_equal(send(client, asked, strlen(asked), 0), strlen(asked));
    for (ssize_t got; (got = recv(client, some, sizeof some, 0)) > 0;)
        buffer_append(&said, some, (size_t)got);
    close(client);
    free(asked);
    const char *body = strstr(buffer_text(&said), "\r\n\r\n");
    error_info_t error = {0};
    json_value_t *root =
        body ? json_parse(body + 4, strlen(body + 4), path, JSON_PLAIN, &error) : NULL;
    if (!root)
        fail_msg("%s: %s", buffer_text(&said), error.message);
    buffer_free(&said);
    return root;
}

static const char *text_at(const json_value_t *root, const char *path) {
    const char *text = json_as_string(json_path(root, path), NULL);
    return text ? text : "";
}

static double number_at(const json_value_t *root, const char *path) {
    double number;
    return json_as_number(json_path(root, path), &number) ? number : (double)NAN;
}

static void compare_chains(const json_value_t *neuron, double means[FORMATS]) {
    const json_value_t *chains = json_get(neuron, "chains");
    assert_int_equal(json_count(chains), FORMATS);
    for (size_t i = 0; i < FORMATS; i++) {
        const json_value_t *chain = json_at(chains, i);
        assert_int_equal(json_count(json_get(chain, "measures")), 1);
        assert_string_equal(text_at(chain, "measures.0.stage"), "es");
        assert_string_equal(text_at(chain, "measures.0.label"), "letters e");
        assert_string_equal(text_at(chain, "measures.0.state"), "done");
        means[i] = number_at(chain, "measures.0.values.es");
        assert_true(means[i] == share_of_es(text_at(chain, "text")));
        assert_true(number_at(chain, "measures.0.values.bytes") ==
                    (double)strlen(text_at(chain, "text")));
        assert_string_equal(text_at(chain, "scored"), "done"); /* as without the new one */
    }
}

static void is_viewed(void **state) {
    world_t *world = *state;
    error_info_t error = {0};
    play(world);
    viewer_options_t options = {
        .stages = &world->table, .store = world->store, .address = "127.0.0.1"};
    viewer_t *viewer = viewer_start(&options, &error);
    if (!viewer)
        fail_msg("%s", error.message);
    while (viewer_refresh(viewer))
        ;
    double means[FORMATS];
    json_value_t *neuron = get(viewer, "/api/neuron?id=a");
    compare_chains(neuron, means);
    json_value_t *list = get(viewer, "/api/neurons?sort=es&descending=1");
    assert_int_equal(json_count(json_get(list, "neurons")), 3);
    assert_string_equal(text_at(list, "neurons.2.id"), "c"); /* it has none */
    const json_value_t *entry =
        json_path(list, strcmp(text_at(list, "neurons.0.id"), "a") ? "neurons.1" : "neurons.0");
    assert_string_equal(text_at(entry, "measures.0.label"), "letters e");
    assert_true(fabs(number_at(entry, "measures.0.values.0") - means[0]) < 1e-5);
    assert_true(fabs(number_at(entry, "measures.0.values.1") - means[1]) < 1e-5);
    json_value_t *compared = get(viewer, "/api/compare");
    assert_true(number_at(compared, "summary.0.measures.0.count") == SCORED);
    assert_true(number_at(compared, "summary.0.measures.0.mean") > 0);
    json_free(neuron);
    json_free(list);
    json_free(compared);
    viewer_stop(viewer);
}

/* --- card ------------------------------------------------------------------------------------- */

static bool take_first(void *context, store_txn_t *txn, const outcome_t *outcome,
                       error_info_t *error) {
    (void)txn;
    (void)error;
    buffer_t *out = context;
    if (outcome->number > 0)
        return true;
    card_explanation_t explanation = {.format = "original",
                                      .explainer = "chat",
                                      .explained = outcome->explained,
                                      .text = outcome->explanation->text};
    card_t card = {.run = "r", .set = "p", .id = outcome->id, .record = outcome->record};
    card.explanations = &explanation;
    card.explanation_count = 1;
    card.measured = stages_measured(sweep_stages(outcome->look->options->sweep));
    for (size_t m = 0; m < card.measured.count; m++)
        explanation.measured[m] = chain_look_measured(outcome->look, card.measured.rows[m]->number);
    card_write_text(&card, &(card_options_t){.most = 1}, out);
    card_write_json(&card, 1, out);
    return true;
}

static void is_on_the_card(void **state) {
    world_t *world = *state;
    error_info_t error;
    buffer_t out = BUFFER_EMPTY;
    outcomes_t all = {.run = world->run.number, .depth = LOOK_ALL};
    play(world);
    assert_true(outcomes_walk(world->store, world->sweep, &all, take_first, &out, &error));
    assert_non_null(strstr(buffer_text(&out), ", letters e 0."));
    assert_non_null(
        strstr(buffer_text(&out),
               "\"measures\":[{\"stage\":\"es\",\"label\":\"letters e\",\"state\":\"done\","
               "\"values\":{\"es\":0."));
    buffer_free(&out);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(is_planned_and_carried_out, setup, teardown),
        cmocka_unit_test_setup_teardown(is_reported, setup, teardown),
        cmocka_unit_test_setup_teardown(is_exported, setup, teardown),
        cmocka_unit_test_setup_teardown(is_viewed, setup, teardown),
        cmocka_unit_test_setup_teardown(is_on_the_card, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
