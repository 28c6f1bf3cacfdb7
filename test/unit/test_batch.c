/* test_batch.c - lines of a Batch-API file, and the results file that grows behind them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "actors/batch/batch.h"
#include "actors/batch/batch_counts.h"
#include "actors/sweep/results.h"
#include "store/responses.h"
#include "test/unit/store_dir.h"

static const char CONFIG[] =
    "budget.total_usd = 1\n"
    "run.window = 4\n"
    "[endpoints.e]\nbase_url = \"http://127.0.0.1:1/v1\"\n"
    "[models.plain]\nendpoints = [\"e\"]\nprice = { input = 1, output = 1 }\n"
    "[models.\"short-1.5\"]\nendpoints = [\"e\"]\nprice = { input = 1, output = 1 }\n"
    "max_output_tokens = 7\n"
    "[models.mapped]\nendpoints = [\"e\"]\nprice = { input = 1, output = 1 }\n"
    "max_output_tokens = 9\nwire_name = \"vendor/\\\"x\\\"\"\nlineage = \"short-1.5\"\n"
    "max_tokens_key = \"max_completion_tokens\"\n";

static settings_t *load(const char *assignment) {
    error_info_t error;
    settings_t *settings = settings_load_batch(CONFIG, strlen(CONFIG), "config", &assignment,
                                               assignment ? 1 : 0, true, &error);
    if (!settings)
        fail_msg("%s", error.message);
    return settings;
}

/* --- lines ------------------------------------------------------------------------------------ */

#define CHAT(body) \
    "{\"custom_id\":\"a\",\"method\":\"POST\",\"url\":\"/v1/chat/completions\",\"body\":" body "}"
#define TEXT(body) \
    "{\"custom_id\":\"a\",\"method\":\"POST\",\"url\":\"/v1/completions\",\"body\":" body "}"
#define EMBED(body) \
    "{\"custom_id\":\"a\",\"method\":\"POST\",\"url\":\"/v1/embeddings\",\"body\":" body "}"

static batch_line_t *read_line(const settings_t *settings, const char *text) {
    size_t length = strlen(text);
    return batch_line_read(settings, text, length, length, batch_line_raw(text, length, length));
}

static void test_bodies(void **state) {
    (void)state;
    settings_t *settings = load(NULL);
    const struct {
        const char *line, *body;
        llm_kind_t kind;
        int64_t maximum;
    } rows[] = {
        /* as it stands, whatever stands there */
        {CHAT("{ \"messages\" : [] ,\"max_tokens\":5, \"model\":\"plain\" , "
              "\"x\":1.50,\"y\":\"\\u00e9\"}"),
         "{ \"messages\" : [] ,\"max_tokens\":5, \"model\":\"plain\" , "
         "\"x\":1.50,\"y\":\"\\u00e9\"}",
         LLM_CHAT, 5},
        {CHAT("{\"model\":\"short-1.5\",\"n\":1,\"stream\":false}"),
         "{\"model\":\"short-1.5\",\"n\":1,\"stream\":false,\"max_tokens\":7}", LLM_CHAT, 7},
        {CHAT("{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"}\"}]}]"
              ",\"model\" : \"mapped\" }"),
         "{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"}\"}]}],"
         "\"model\" : \"vendor/\\\"x\\\"\" ,\"max_completion_tokens\":9}",
         LLM_CHAT, 9},
        {TEXT("{\"model\":\"mapped\",\"prompt\":[1,2,3]}"),
         "{\"model\":\"vendor/\\\"x\\\"\",\"prompt\":[1,2,3],\"max_tokens\":9}", LLM_COMPLETION, 9},
        {TEXT("{\"model\":\"plain\",\"max_tokens\":4,\"prompt\":[\"a\",\"b\",\"c\"]}"),
         "{\"model\":\"plain\",\"max_tokens\":4,\"prompt\":[\"a\",\"b\",\"c\"]}", LLM_COMPLETION,
         12},
        {EMBED("{\"model\":\"plain\",\"input\":\"a\"}"), "{\"model\":\"plain\",\"input\":\"a\"}",
         LLM_EMBEDDING, 0},
        {CHAT("{\"model\":\"plain\",\"max_tokens\":4,\"max_completion_tokens\":6}"),
         "{\"model\":\"plain\",\"max_tokens\":4,\"max_completion_tokens\":6}", LLM_CHAT, 6},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        batch_line_t *line = read_line(settings, rows[i].line);
        if (line->trouble)
            fail_msg("row %zu: %s", i, line->trouble);
        assert_string_equal(buffer_text(&line->body), rows[i].body);
        assert_int_equal(line->kind, rows[i].kind);
        assert_int_equal(line->output_maximum, rows[i].maximum);
        assert_string_equal(line->custom_id, "a");
        batch_line_free(line);
    }
    settings_free(settings);
}

static void test_refusals(void **state) {
    (void)state;
    settings_t *settings = load(NULL);
    const char *rows[][2] = {
        {"", "no JSON"},
        {"{\"custom_id\":", "no JSON"},
        {"[1]", "no JSON object"},
        {"{}", "custom_id"},
        {"{\"custom_id\":7}", "custom_id"},
        {"{\"custom_id\":\"a\"}", "method"},
        {"{\"custom_id\":\"a\",\"method\":\"GET\"}", "method"},
        {"{\"custom_id\":\"a\",\"method\":\"POST\"}", "url"},
        {"{\"custom_id\":\"a\",\"method\":\"POST\",\"url\":\"/v1/images\"}", "/v1/images"},
        {"{\"custom_id\":\"a\",\"method\":\"POST\",\"url\":\"/v1/embeddings\"}", "body"},
        {EMBED("[]"), "body"},
        {EMBED("{}"), "body.model"},
        {EMBED("{\"model\":\"other\"}"), "other"},
        {CHAT("{\"model\":\"plain\"}"), "output maximum"},
        {CHAT("{\"model\":\"plain\",\"max_tokens\":0}"), "max_tokens"},
        {CHAT("{\"model\":\"plain\",\"max_tokens\":null}"), "max_tokens"},
        {CHAT("{\"model\":\"plain\",\"max_tokens\":-1}"), "max_tokens"},
        {CHAT("{\"model\":\"plain\",\"max_tokens\":1.5}"), "max_tokens"},
        {CHAT("{\"model\":\"plain\",\"max_completion_tokens\":\"5\"}"), "max_completion_tokens"},
        {CHAT("{\"model\":\"plain\",\"max_tokens\":5,\"max_tokens\":6}"), "no JSON"},
        {CHAT("{\"model\":\"plain\",\"max_tokens\":5,\"stream\":true}"), "stream"},
        {CHAT("{\"model\":\"plain\",\"max_tokens\":5,\"n\":2}"), "repeat the line"},
        {CHAT("{\"model\":\"plain\",\"max_tokens\":5,\"web_search_options\":{}}"),
         "web_search_options"},
        {TEXT("{\"model\":\"plain\",\"max_tokens\":5,\"best_of\":3}"), "best_of"},
        {TEXT("{\"model\":\"plain\",\"max_tokens\":1000000000,\"prompt\":[\"a\",\"b\"]}"),
         "prompt"},
        {CHAT("{\"model\":\"plain\",\"max_tokens\":5,\"messages\":[{\"content\":\"a\"},{"
              "\"content\":[{\"type\":"
              "\"text\"},"
              "{\"type\":\"image_url\"}]}]}"),
         "messages.1.content.1"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        batch_line_t *line = read_line(settings, rows[i][0]);
        if (!line->trouble || !strstr(line->trouble, rows[i][1]))
            fail_msg("%s: %s", rows[i][0], line->trouble ? line->trouble : "taken");
        assert_int_equal(line->body.length, 0);
        assert_false(hash_is_zero(line->identity));
        batch_line_free(line);
    }
    batch_line_t *cut = batch_line_read(settings, "{", 1, BATCH_LINE_MAXIMUM + 1,
                                        batch_line_raw("{", 1, BATCH_LINE_MAXIMUM + 1));
    assert_non_null(strstr(cut->trouble, "64 MiB"));
    assert_false(hash_equal(cut->raw, batch_line_raw("{", 1, BATCH_LINE_MAXIMUM + 2)));
    batch_line_free(cut);
    settings_free(settings);
}

static hash_t identity(const settings_t *settings, const char *text) {
    batch_line_t *line = read_line(settings, text);
    if (line->trouble)
        fail_msg("%s: %s", text, line->trouble);
    hash_t result = line->identity;
    batch_line_free(line);
    return result;
}

static void test_identity(void **state) {
    (void)state;
    settings_t *settings = load(NULL);
    hash_t asked =
        identity(settings,
                 CHAT("{\"model\":\"short-1.5\",\"temperature\":1,\"messages\":[{\"role\":\"user\","
                      "\"content\":\"\xc3\xa9\"}]}"));
    const char *same[] = {
        CHAT("{\"model\":\"short-1.5\",\"temperature\":1,\"messages\":[{\"role\":\"user\","
             "\"content\":\"\xc3\xa9\"}],"
             "\"max_tokens\":7}"),
        CHAT("{\"max_completion_tokens\":7,\"messages\":[{\"content\":\"\\u00e9\", "
             "\"role\":\"user\"}],\"n\":1,"
             "\"temperature\":1,\"model\":\"mapped\"}"),
        "{\"body\":{\"model\":\"short-1.5\",\"temperature\":1,\"messages\":[{\"role\":\"user\","
        "\"content\":\"\\u00E9\"}"
        "]},"
        "\"url\":\"/v1/chat/completions\",\"method\":\"POST\",\"custom_id\":\"another\"}",
    };
    for (size_t i = 0; i < sizeof same / sizeof same[0]; i++)
        if (!hash_equal(identity(settings, same[i]), asked))
            fail_msg("another identity: %s", same[i]);
    const char *others[] = {
        CHAT("{\"model\":\"plain\",\"max_tokens\":7,\"temperature\":1,\"messages\":[{\"role\":"
             "\"user\",\"content\":"
             "\"\xc3\xa9\"}]}"),
        CHAT("{\"model\":\"short-1.5\",\"temperature\":1,\"messages\":[{\"role\":\"user\","
             "\"content\":\"\xc3\xa9\"}],"
             "\"max_tokens\":8}"),
        CHAT("{\"model\":\"mapped\",\"temperature\":1,\"messages\":[{\"role\":\"user\",\"content\":"
             "\"\xc3\xa9\"}]}"),
        CHAT("{\"model\":\"short-1.5\",\"temperature\":0,\"messages\":[{\"role\":\"user\","
             "\"content\":\"\xc3\xa9\"}]}"),
        CHAT("{\"model\":\"short-1.5\",\"messages\":[{\"role\":\"user\",\"content\":\"\xc3\xa9\"}]"
             "}"),
        TEXT("{\"model\":\"short-1.5\",\"temperature\":1,\"messages\":[{\"role\":\"user\","
             "\"content\":\"\xc3\xa9\"}]}"),
    };
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        if (hash_equal(identity(settings, others[i]), asked))
            fail_msg("the same identity: %s", others[i]);
    assert_false(hash_equal(batch_request_id(asked, 0), batch_request_id(asked, 1)));
    assert_false(hash_equal(batch_request_id(asked, 0), batch_job_id(asked, 0)));
    settings_t *moved = load("models.mapped.max_output_tokens=8");
    assert_false(hash_equal(batch_settings_hash(settings), batch_settings_hash(moved)));
    settings_free(moved);
    moved = load("endpoints.e.concurrency=3");
    assert_true(hash_equal(batch_settings_hash(settings), batch_settings_hash(moved)));
    settings_free(moved);
    settings_free(settings);
}

static void test_output_lines(void **state) {
    (void)state;
    batch_row_t row = {.custom_id = "q\"1", .custom_id_length = 3};
    char id[HASH_TEXT_SIZE];
    hash_to_text(batch_request_id(row.identity, 0), id);
    buffer_t out = BUFFER_EMPTY;
    batch_write_answer(&row, 200, "{ \"a\":\n1 }\n", 11, &out);
    char *wanted = memory_format(
        "{\"id\":\"batch_req_%s\",\"custom_id\":\"q\\\"1\",\"response\":{\"status_code\":200,"
        "\"request_id\":\"req_%s\",\"body\":{\"a\":1}},\"error\":null}",
        id, id);
    assert_string_equal(buffer_text(&out), wanted);
    free(wanted);
    buffer_clear(&out);
    row.custom_id = NULL;
    batch_write_failure(&row, 0, "invalid_line", "no \"JSON\"", &out);
    wanted = memory_format(
        "{\"id\":\"batch_req_%s\",\"custom_id\":null,\"response\":null,\"error\":{\"code\":"
        "\"invalid_line\",\"message\":\"no \\\"JSON\\\"\"}}",
        id);
    assert_string_equal(buffer_text(&out), wanted);
    free(wanted);
    buffer_clear(&out);
    batch_write_failure(&row, 400, "bad", "worse", &out);
    assert_non_null(strstr(buffer_text(&out), "\"status_code\":400"));
    assert_non_null(
        strstr(buffer_text(&out), "\"body\":{\"error\":{\"code\":\"bad\",\"message\":\"worse\"}}"));
    assert_int_equal(strncmp(buffer_text(&out), BATCH_OUTPUT_START, strlen(BATCH_OUTPUT_START)), 0);
    buffer_free(&out);
}

/* In files, in memory, and where files cannot be made. */
static void test_counts(void **state) {
    (void)state;
    char *path = store_dir_make();
    const char *directories[] = {path, NULL, "/nowhere"};
    for (size_t d = 0; d < 3; d++) {
        batch_counts_t *counts = batch_counts_create(directories[d]);
        for (uint64_t round = 0; round < 3; round++)
            for (uint32_t i = 0; i < 20000; i++)
                assert_int_equal(batch_counts_meet(counts, hash_bytes(&i, sizeof i)), round);
        assert_int_equal(batch_counts_meet(counts, (hash_t){{0}}), 0);
        assert_int_equal(batch_counts_meet(counts, (hash_t){{0}}), 1);
        batch_counts_free(counts);
    }
    store_dir_remove(path);
}

/* --- files ------------------------------------------------------------------------------------ */

enum { RUN = 3, JOBS_MOST = 16 };

typedef struct {
    store_dir_t *dir;
    char *in, *out;
    settings_t *settings;
    batch_t *batch;
    job_t *held[JOBS_MOST]; /* under way */
    size_t held_count;
    size_t bought; /* responses */
} world_t;

static int make_world(void **state) {
    world_t *world = MEMORY_NEW(world_t);
    void *dir;
    store_dir_setup(&dir);
    world->dir = dir;
    world->in = memory_format("%s/in.jsonl", world->dir->path);
    world->out = memory_format("%s/out.jsonl", world->dir->path);
    world->settings = load(NULL);
    *state = world;
    return 0;
}

static void leave(world_t *world) {
    for (size_t i = 0; i < world->held_count; i++)
        job_free(world->held[i]);
    world->held_count = 0;
    batch_free(world->batch);
    world->batch = NULL;
}

static int drop_world(void **state) {
    world_t *world = *state;
    leave(world);
    settings_free(world->settings);
    free(world->in);
    free(world->out);
    void *dir = world->dir;
    store_dir_teardown(&dir);
    free(world);
    return 0;
}

static void write_text(const char *path, const char *text, size_t length) {
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, length, file), length);
    assert_int_equal(fclose(file), 0);
}

static char *read_text(const char *path) {
    buffer_t text = BUFFER_EMPTY;
    error_info_t error;
    assert_true(buffer_read_file(&text, path, 0, &error));
    return buffer_take(&text);
}

static size_t count_lines(const char *text) {
    size_t count = 0;
    for (; *text; text++)
        count += *text == '\n';
    return count;
}

static void enter(world_t *world, bool anew) {
    error_info_t error;
    batch_options_t options = {
        .settings = world->settings, .run = RUN, .in = world->in, .out = world->out, .anew = anew};
    world->batch = batch_create(&options, &error);
    if (!world->batch)
        fail_msg("%s", error.message);
}

/* One step; what it finds is held. */
static bool step(world_t *world, error_info_t *error) {
    job_source_t source = batch_source(world->batch);
    store_txn_t *txn = store_dir_read(world->dir->store);
    job_t *jobs = NULL;
    bool good =
        source.steps->step(source.state, txn, (size_t)world->settings->window - world->held_count,
                           world->held_count == 0, &jobs, error);
    store_read_end(txn);
    while (jobs) {
        job_t *next = jobs->next;
        assert_true(world->held_count < JOBS_MOST);
        world->held[world->held_count++] = jobs;
        jobs = next;
    }
    return good;
}

static bool put_answer(store_txn_t *txn, void *context, error_info_t *error) {
    const job_t *job = context;
    buffer_t packed = BUFFER_EMPTY;
    char *body = memory_format("{\"said\": \"to %s\", \"sample\": %d}", job->line->custom_id,
                               (int)job->line->sample);
    response_pack(body, strlen(body), &packed);
    assert_true(response_put(txn, batch_request_id(job->line->identity, job->line->sample), 1,
                             &packed, NULL, 0, &job->line->response, error));
    assert_true(batch_line_record(job->line, txn, RUN, error));
    buffer_free(&packed);
    free(body);
    return true;
}

static bool put_failure(store_txn_t *txn, void *context, error_info_t *error) {
    const job_t *job = context;
    job_failure_t failure = {.run = RUN,
                             .stage = STAGE_BATCH,
                             .terminal = job->trouble.terminal,
                             .verdict = "invalid_line",
                             .message = "no use",
                             .label = job->label};
    assert_true(journal_put_failed(txn, job->id, &failure, error));
    assert_true(batch_line_record(job->line, txn, RUN, error));
    return true;
}

/* Job `i` of those that are held ends. */
static void end_job(world_t *world, size_t i, job_outcome_t outcome, bool terminal) {
    job_t *job = world->held[i];
    job->outcome = outcome;
    job->trouble.terminal = terminal;
    if (outcome != OUTCOME_HANDED_BACK)
        store_dir_write(world->dir->store, outcome == OUTCOME_DONE ? put_answer : put_failure, job);
    world->bought += outcome == OUTCOME_DONE;
    job_source_t source = batch_source(world->batch);
    source.steps->job_ended(source.state, job);
    job_free(job);
    world->held[i] = world->held[--world->held_count];
}

/* To the end: answers in an order of their own, or refusals. */
static void carry_out(world_t *world, unsigned seed) {
    job_source_t source = batch_source(world->batch);
    error_info_t error;
    while (!source.steps->is_finished(source.state)) {
        if (!source.steps->is_waiting(source.state))
            if (!step(world, &error))
                fail_msg("%s", error.message);
        if (world->held_count > 0) {
            seed = seed * 1103515245 + 12345;
            size_t i = (seed >> 16) % world->held_count;
            bool usable = !world->held[i]->line->trouble;
            end_job(world, i, usable ? OUTCOME_DONE : OUTCOME_FAILED, true);
        }
    }
}

static void write_requests(world_t *world, size_t count) {
    buffer_t text = BUFFER_EMPTY;
    for (size_t i = 0; i < count; i++)
        if (i % 5 == 3)
            buffer_append_format(&text, "no use %zu\n\r\n", i % 10);
        else
            buffer_append_format(&text, EMBED("{\"model\":\"plain\",\"input\":\"%zu\"}") "\n",
                                 i / 2);
    write_text(world->in, text.data, text.length);
    buffer_free(&text);
}

/* However the answers come, the file is the same; repeated lines are samples. */
static void test_order(void **state) {
    world_t *world = *state;
    write_requests(world, 40);
    enter(world, false);
    carry_out(world, 1);
    leave(world);
    char *first = read_text(world->out);
    assert_int_equal(count_lines(first), 40);
    assert_int_equal(world->bought, 32);
    assert_non_null(strstr(first, "\"sample\":1"));
    for (unsigned seed = 2; seed < 6; seed++) {
        void *other_state;
        make_world(&other_state);
        world_t *other = other_state;
        write_requests(other, 40);
        enter(other, false);
        carry_out(other, seed);
        leave(other);
        char *text = read_text(other->out);
        assert_string_equal(text, first);
        free(text);
        drop_world(&other_state);
    }
    free(first);
}

/* The results file is cut anywhere: what comes of it is what was there, and nothing
 * is bought again. */
static void test_cut_results(void **state) {
    world_t *world = *state;
    write_requests(world, 12);
    enter(world, false);
    carry_out(world, 1);
    leave(world);
    char *whole = read_text(world->out);
    size_t bought = world->bought;
    for (size_t length = 0; length <= strlen(whole); length += 7) {
        write_text(world->out, whole, length);
        enter(world, false);
        carry_out(world, 1);
        assert_int_equal(batch_parsed(world->batch), 0);
        leave(world);
        char *text = read_text(world->out);
        assert_string_equal(text, whole);
        free(text);
    }
    assert_int_equal(world->bought, bought);
    free(whole);
}

/* A line that failed for now, or was handed back, holds up the file but not the others. */
static void test_open_lines(void **state) {
    world_t *world = *state;
    write_requests(world, 12);
    enter(world, false);
    error_info_t error;
    assert_true(step(world, &error));
    assert_int_equal(world->held_count, 4);
    end_job(world, 1, OUTCOME_FAILED, false);
    carry_out(world, 1);
    assert_int_equal(batch_written(world->batch), 1);
    facts_t facts = {0};
    job_source_t source = batch_source(world->batch);
    source.steps->fill_facts(source.state, &facts);
    assert_int_equal(facts.stages[STAGE_BATCH].total, 12);
    assert_int_equal(facts.stages[STAGE_BATCH].done, 9);
    assert_int_equal(facts.stages[STAGE_BATCH].failed, 3);
    leave(world);
    size_t bought = world->bought;
    enter(world, false);
    assert_true(step(world, &error));
    assert_int_equal(world->held_count, 1);
    assert_int_equal(world->held[0]->line->index, 1);
    end_job(world, 0, OUTCOME_HANDED_BACK, false);
    carry_out(world, 1);
    assert_int_equal(batch_written(world->batch), 1);
    leave(world);
    enter(world, false);
    carry_out(world, 1);
    assert_int_equal(batch_written(world->batch), 12);
    assert_int_equal(world->bought, bought + 1);
    leave(world);
    char *text = read_text(world->out);
    assert_int_equal(count_lines(text), 12);
    free(text);
}

/* What is written at the end of a run that was stopped. */
static void test_finish(void **state) {
    world_t *world = *state;
    write_requests(world, 3);
    enter(world, false);
    error_info_t error;
    assert_true(step(world, &error));
    end_job(world, 0, OUTCOME_DONE, false);
    store_txn_t *txn = store_dir_read(world->dir->store);
    assert_true(batch_finish(world->batch, txn, &error));
    store_read_end(txn);
    assert_int_equal(batch_written(world->batch), 1);
    leave(world);
    char *text = read_text(world->out);
    assert_int_equal(count_lines(text), 1);
    free(text);
}

/* Steps until the end or an error; everything is refused but line `answered`. */
static bool refuse_all(world_t *world, uint64_t answered, size_t *refused, error_info_t *error) {
    job_source_t source = batch_source(world->batch);
    *refused = 0;
    while (!source.steps->is_finished(source.state)) {
        if (!step(world, error))
            return false;
        while (world->held_count > 0) {
            job_t *job = world->held[0];
            bool asked = !job->line->trouble && job->line->index != answered;
            job->trouble.status = asked ? 404 : 0;
            snprintf(job->trouble.message, sizeof job->trouble.message, "no such model");
            *refused += asked;
            end_job(world, 0, job->line->index == answered ? OUTCOME_DONE : OUTCOME_FAILED, true);
        }
    }
    return true;
}

/* An endpoint that refuses everything is asked a few times; one that answered once may
 * refuse what it likes. */
static void test_refused_by_all(void **state) {
    world_t *world = *state;
    error_info_t error;
    size_t refused;
    write_requests(world, 100);
    enter(world, false);
    assert_false(refuse_all(world, UINT64_MAX, &refused, &error));
    assert_int_equal(error.class_, ERROR_CONFIG);
    assert_non_null(strstr(error.message, "404  no such model"));
    assert_true(refused < 40);
    leave(world);
    enter(world, false);
    assert_true(refuse_all(world, 60, &refused, &error));
    assert_true(refused >= 30);
    leave(world);
}

static void expect_refusal(world_t *world, const char *what) {
    char *before = read_text(world->out);
    error_info_t error;
    enter(world, false);
    bool good = true;
    for (int i = 0; i < 10 && good; i++)
        good = step(world, &error);
    assert_false(good);
    assert_int_equal(error.class_, ERROR_CONFIG);
    if (!strstr(error.message, what))
        fail_msg("%s", error.message);
    leave(world);
    char *after = read_text(world->out);
    assert_string_equal(after, before);
    free(before);
    free(after);
}

/* Results are never mixed with those of other requests; lines that are added at the end
 * are carried out. */
static void test_other_requests(void **state) {
    world_t *world = *state;
    write_requests(world, 12);
    enter(world, false);
    carry_out(world, 1);
    leave(world);
    size_t bought = world->bought;
    write_requests(world, 7);
    expect_refusal(world, "only 7 requests");
    const char *line = EMBED("{\"model\":\"plain\",\"input\":\"0\"}") "\n";
    write_text(world->in, line, strlen(line));
    expect_refusal(world, "only 1 requests");
    line = EMBED("{\"model\":\"plain\",\"input\":\"other\"}") "\n";
    write_text(world->in, line, strlen(line));
    expect_refusal(world, "line 1 of");
    write_requests(world, 14);
    enter(world, false);
    carry_out(world, 1);
    assert_int_equal(batch_written(world->batch), 14);
    assert_int_equal(world->bought, bought + 1);
    leave(world);
}

/* Other settings make other requests of what is open, and leave alone what is written. */
static void test_other_settings(void **state) {
    world_t *world = *state;
    write_requests(world, 6);
    enter(world, false);
    carry_out(world, 1);
    leave(world);
    settings_free(world->settings);
    world->settings = load("models.plain.lineage=\"another\"");
    write_requests(world, 7);
    size_t bought = world->bought;
    enter(world, false);
    carry_out(world, 1);
    assert_int_equal(batch_parsed(world->batch), 7);
    assert_int_equal(batch_written(world->batch), 7);
    assert_int_equal(world->bought, bought + 1);
    leave(world);
    enter(world, true);
    carry_out(world, 1);
    assert_int_equal(batch_written(world->batch), 7);
    leave(world);
}

typedef struct {
    world_t *world;
    uint32_t first;
} many_t;

enum { MANY = 200000, A_TIME = 20000 };

static bool put_many(store_txn_t *txn, void *context, error_info_t *error) {
    const many_t *many = context;
    for (uint32_t i = many->first; i < many->first + A_TIME; i++) {
        char text[64];
        int length = snprintf(text, sizeof text, "{\"custom_id\":\"%u\"}", i);
        hash_t raw = hash_bytes(text, (size_t)length);
        batch_line_t line = {.index = i,
                             .raw = raw,
                             .identity = raw,
                             .settings = batch_settings_hash(many->world->settings),
                             .custom_id = text + 14,
                             .custom_id_length = 1,
                             .response = 1};
        if (!batch_line_record(&line, txn, RUN, error))
            return false; /* the map grows */
    }
    return true;
}

/* A start on a finished file hashes lines and looks them up. */
static void test_many_finished(void **state) {
    world_t *world = *state;
    buffer_t in = BUFFER_EMPTY, out = BUFFER_EMPTY;
    for (uint32_t i = 0; i < MANY; i++) {
        buffer_append_format(&in, "{\"custom_id\":\"%u\"}\n", i);
        buffer_append_text(&out, BATCH_OUTPUT_START "\"}\n");
        if (i % A_TIME == 0)
            store_dir_write(world->dir->store, put_many, &(many_t){world, i});
    }
    write_text(world->in, in.data, in.length);
    write_text(world->out, out.data, out.length);
    enter(world, false);
    carry_out(world, 1);
    assert_int_equal(world->held_count, 0);
    assert_int_equal(batch_read(world->batch), MANY);
    assert_int_equal(batch_parsed(world->batch), 0);
    assert_int_equal(batch_written(world->batch), MANY);
    leave(world);
    char *text = read_text(world->out);
    assert_string_equal(text, out.data);
    free(text);
    buffer_free(&in);
    buffer_free(&out);
}

#define WORLD(test) cmocka_unit_test_setup_teardown(test, make_world, drop_world)

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bodies),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_identity),
        cmocka_unit_test(test_output_lines),
        cmocka_unit_test(test_counts),
        WORLD(test_order),
        WORLD(test_cut_results),
        WORLD(test_open_lines),
        WORLD(test_finish),
        WORLD(test_refused_by_all),
        WORLD(test_other_requests),
        WORLD(test_other_settings),
        WORLD(test_many_finished),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
