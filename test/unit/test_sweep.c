/* test_sweep.c - the order of chains, and what job ids depend on. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "actors/sweep/stage.h"
#include "actors/sweep/sweep.h"

static const char config[] =
    "[budget]\ntotal_usd = 1\n"
    "[endpoints.e]\nbase_url = \"http://127.0.0.1:1/v1\"\n"
    "[models.m]\nendpoints = [\"e\"]\nprice = { input = 1, output = 1 }\n"
    "[models.n]\nendpoints = [\"e\"]\nprice = { input = 1, output = 1 }\n"
    "[sets.a]\nsource = \"puzzles:\"\nformats = [\"summary\", \"avhs\"]\nsamples = 3\n"
    "[sets.b]\nsource = \"puzzles:\"\nexplainers = [\"n\", \"m\"]\nformats = [\"original\"]\n"
    "[explain]\nmodels = [\"m\"]\n[simulate]\nmodel = \"m\"\nmode = \"echo\"\n"
    "[adacs]\nmodel = \"n\"\n";

typedef struct {
    settings_t *settings;
    sweep_t *sweep;
} fixture_t;

static struct run_set sets[] = {{"a", {{1}}, 2}, {"b", {{2}}, 3}};
static const run_info_t run = {.name = "r", .set_count = 2, .sets = sets};

static fixture_t open_sweep(const char *assignment) {
    error_info_t error = {0};
    const char *assignments[] = {assignment};
    fixture_t fixture;
    fixture.settings = settings_load(config, strlen(config), "test.toml", assignments,
                                     assignment ? 1 : 0, true, &error);
    if (!fixture.settings)
        fail_msg("%s", error.message);
    fixture.sweep = sweep_create(fixture.settings, &run, &stages_shipped, &error);
    if (!fixture.sweep)
        fail_msg("%s", error.message);
    return fixture;
}

static void close_sweep(fixture_t *fixture) {
    sweep_free(fixture->sweep);
    settings_free(fixture->settings);
}

static void test_chains_come_in_a_fixed_order(void **state) {
    (void)state;
    fixture_t f = open_sweep(NULL);
    /* set a: 2 neurons x 1 explainer x 2 formats x 3 samples; set b: 3 neurons x 2
     * explainers x 1 x 1 */
    assert_int_equal(sweep_chain_count(f.sweep), 12 + 6);
    assert_int_equal(sweep_neuron_count(f.sweep), 5);
    for (uint64_t i = 0; i < 12; i++) {
        chain_t chain = sweep_chain(f.sweep, i);
        assert_int_equal(chain.set, 0);
        assert_int_equal(chain.neuron, i / 6);
        assert_int_equal(chain.format, i / 3 % 2 ? PROMPT_AVHS : PROMPT_SUMMARY);
        assert_int_equal(chain.sample, i % 3);
    }
    for (uint64_t i = 12; i < 18; i++) {
        chain_t chain = sweep_chain(f.sweep, i);
        assert_int_equal(chain.set, 1);
        assert_int_equal(chain.neuron, (i - 12) / 2);
        assert_string_equal(f.settings->models[chain.explainer].name, i % 2 ? "m" : "n");
    }
    close_sweep(&f);
}

/* All ids of a sweep for one neuron and one explanation. */
typedef struct {
    hash_t explain, simulate, score, embed, adacs;
} ids_t;

static ids_t ids_of(const char *assignment, uint64_t number, uint8_t neuron, const char *text) {
    fixture_t f = open_sweep(assignment);
    token_t tokens[] = {{(char[]){"a"}, 1}, {(char[]){" b"}, 2}};
    float activations[] = {0, 1};
    activation_record_t record = {2, tokens, activations};
    chain_t chain = sweep_chain(f.sweep, number);
    hash_t hash = {{neuron}};
    ids_t ids = {
        .explain = sweep_explain_job(f.sweep, &chain, hash),
        .simulate = sweep_simulate_job(f.sweep, text, &record),
        .score = sweep_score_job(f.sweep, text, hash),
        .embed = sweep_embed_job(f.sweep, text),
        .adacs = sweep_adacs_job(f.sweep, text, "truth"),
    };
    close_sweep(&f);
    return ids;
}

static unsigned changed(const ids_t *a, const ids_t *b) {
    return (unsigned)!hash_equal(a->explain, b->explain) |
           (unsigned)!hash_equal(a->simulate, b->simulate) << 1 |
           (unsigned)!hash_equal(a->score, b->score) << 2 |
           (unsigned)!hash_equal(a->embed, b->embed) << 3 |
           (unsigned)!hash_equal(a->adacs, b->adacs) << 4;
}

enum { EXPLAIN = 1, SIMULATE = 2, SCORE = 4, EMBED = 8, ADACS = 16 };

static void test_ids_depend_on_what_determines_the_result(void **state) {
    (void)state;
    static const struct {
        const char *assignment;
        unsigned changes;
    } cases[] = {
        {NULL, 0},
        {"explain.temperature=0.5", EXPLAIN},
        {"explain.top_p=0.5", EXPLAIN},
        {"explain.max_output_tokens=61", EXPLAIN},
        {"models.m.lineage=other", EXPLAIN | SIMULATE | SCORE},
        {"models.n.lineage=other", EMBED | ADACS},
        {"simulate.mode=repeat", SIMULATE | SCORE},
        {"simulate.top_logprobs=5", SIMULATE | SCORE},
        {"simulate.temperature=1.0", SIMULATE | SCORE},
        {"score.calibration=linear", SCORE},
        {"adacs.dimensions=64", EMBED | ADACS},
        /* where, when and for how much is no part of what is asked */
        {"endpoints.e.base_url=\"http://127.0.0.1:2/v1\"", 0},
        {"endpoints.e.rpm=5", 0},
        {"models.m.wire_name=other", 0},
        {"models.m.price.input=3", 0},
        {"budget.total_usd=9", 0},
        {"run.name=other", 0},
        {"adacs.batch=3", 0},
    };
    ids_t base = ids_of(NULL, 0, 1, "t");
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        ids_t ids = ids_of(cases[i].assignment, 0, 1, "t");
        if (changed(&base, &ids) != cases[i].changes)
            fail_msg("%s changes %x, not %x", cases[i].assignment, changed(&base, &ids),
                     cases[i].changes);
    }
    ids_t sample = ids_of(NULL, 1, 1, "t"), format = ids_of(NULL, 3, 1, "t"),
          neuron = ids_of(NULL, 0, 2, "t"), text = ids_of(NULL, 0, 1, "u");
    assert_int_equal(changed(&base, &sample), EXPLAIN);
    assert_int_equal(changed(&base, &format), EXPLAIN);
    assert_int_equal(changed(&base, &neuron), EXPLAIN | SCORE);
    assert_int_equal(changed(&base, &text), SIMULATE | SCORE | EMBED | ADACS);
}

/* What was made with the templates that a run recorded is found again, whatever the
 * template files say now. */
static void test_a_snapshot_finds_what_the_run_made(void **state) {
    (void)state;
    fixture_t f = open_sweep(NULL);
    struct run_template templates[] = {
        {.name = (char[]){"summary"},
         .identity = template_hash(sweep_explain_template(f.sweep, PROMPT_SUMMARY))},
        {.name = (char[]){"simulate_echo"},
         .identity = template_hash(sweep_simulate_template(f.sweep))},
    };
    run_info_t recorded = run;
    recorded.templates = templates;
    recorded.template_count = 2;
    error_info_t error;
    chain_t chain = sweep_chain(f.sweep, 0);
    hash_t neuron = {{1}};
    sweep_t *snapshot = sweep_create_snapshot(f.settings, &recorded, &stages_shipped, &error);
    assert_non_null(snapshot);
    assert_true(hash_equal(sweep_explain_job(snapshot, &chain, neuron),
                           sweep_explain_job(f.sweep, &chain, neuron)));
    assert_true(
        hash_equal(sweep_score_job(snapshot, "t", neuron), sweep_score_job(f.sweep, "t", neuron)));
    sweep_free(snapshot);
    templates[0].identity.bytes[0] ^= 1;
    snapshot = sweep_create_snapshot(f.settings, &recorded, &stages_shipped, &error);
    assert_false(hash_equal(sweep_explain_job(snapshot, &chain, neuron),
                            sweep_explain_job(f.sweep, &chain, neuron)));
    sweep_free(snapshot);
    close_sweep(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_chains_come_in_a_fixed_order),
        cmocka_unit_test(test_ids_depend_on_what_determines_the_result),
        cmocka_unit_test(test_a_snapshot_finds_what_the_run_made),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
