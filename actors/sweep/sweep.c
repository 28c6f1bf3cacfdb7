/* sweep.c - chain numbers to chains, chains to job ids. */
#include "actors/sweep/sweep.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/memory.h"
#include "prompts/explain.h"
#include "prompts/simulate.h"
#include "store/records.h"

/* One set of the sweep; its chains are numbered [first, first + chains). */
typedef struct {
    hash_t content;
    uint32_t neurons;
    uint64_t first, chains;
    size_t formats[PROMPT_FORMAT_COUNT]; /* the formats in use, [format_count] */
    size_t format_count;
} sweep_set_t;

struct sweep {
    const settings_t *settings;
    const struct stage_table *stages;
    sweep_set_t *sets; /* [settings->set_count] */
    uint64_t chains;
    template_t *explain[PROMPT_FORMAT_COUNT];
    hash_t explain_hash[PROMPT_FORMAT_COUNT];
    template_t *simulate;
    hash_t simulate_hash;
};

static bool load_templates(sweep_t *sweep, error_info_t *error) {
    const settings_t *s = sweep->settings;
    for (size_t i = 0; i < s->set_count; i++)
        for (int f = 0; f < PROMPT_FORMAT_COUNT; f++) {
            if (!s->sets[i].formats[f] || sweep->explain[f])
                continue;
            sweep->explain[f] =
                template_load(s->template_directory, prompt_format_name((prompt_format_t)f), error);
            if (!sweep->explain[f])
                return false;
            sweep->explain_hash[f] = template_hash(sweep->explain[f]);
        }
    if (!s->simulate)
        return true;
    sweep->simulate =
        template_load(s->template_directory,
                      s->mode == SIMULATE_ECHO ? "simulate_echo" : "simulate_repeat", error);
    if (sweep->simulate)
        sweep->simulate_hash = template_hash(sweep->simulate);
    return sweep->simulate != NULL;
}

static bool fix_set(sweep_t *sweep, size_t i, const run_info_t *run, error_info_t *error) {
    const set_settings_t *set = &sweep->settings->sets[i];
    sweep_set_t *fixed = &sweep->sets[i];
    const struct run_set *found = NULL;
    for (size_t j = 0; j < run->set_count; j++)
        if (strcmp(run->sets[j].name, set->name) == 0)
            found = &run->sets[j];
    if (!found)
        return error_set(error, ERROR_BUG, "run %s has no set %s", run->name, set->name);
    fixed->content = found->content;
    fixed->neurons = found->count;
    for (size_t f = 0; f < PROMPT_FORMAT_COUNT; f++)
        if (set->formats[f])
            fixed->formats[fixed->format_count++] = f;
    fixed->first = sweep->chains;
    fixed->chains = (uint64_t)fixed->neurons * set->explainer_count * fixed->format_count *
                    (uint64_t)set->samples;
    sweep->chains += fixed->chains;
    return true;
}

/* The identities that the run recorded. */
static bool recall_templates(sweep_t *sweep, const run_info_t *run) {
    for (size_t i = 0; i < run->template_count; i++) {
        prompt_format_t format;
        if (prompt_format_from_name(run->templates[i].name, &format))
            sweep->explain_hash[format] = run->templates[i].identity;
        else
            sweep->simulate_hash = run->templates[i].identity;
    }
    return true;
}

static sweep_t *create(const settings_t *settings, const run_info_t *run,
                       const struct stage_table *stages, bool rendering, error_info_t *error) {
    sweep_t *sweep = MEMORY_NEW(sweep_t);
    sweep->settings = settings;
    sweep->stages = stages;
    sweep->sets = MEMORY_NEW_ARRAY(settings->set_count + 1, sweep_set_t);
    bool ok = rendering ? load_templates(sweep, error) : recall_templates(sweep, run);
    for (size_t i = 0; ok && i < settings->set_count; i++)
        ok = fix_set(sweep, i, run, error);
    if (ok)
        return sweep;
    sweep_free(sweep);
    return NULL;
}

sweep_t *sweep_create(const settings_t *settings, const run_info_t *run,
                      const struct stage_table *stages, error_info_t *error) {
    return create(settings, run, stages, true, error);
}

sweep_t *sweep_create_snapshot(const settings_t *settings, const run_info_t *run,
                               const struct stage_table *stages, error_info_t *error) {
    return create(settings, run, stages, false, error);
}

void sweep_free(sweep_t *sweep) {
    if (!sweep)
        return;
    for (int f = 0; f < PROMPT_FORMAT_COUNT; f++)
        template_free(sweep->explain[f]);
    template_free(sweep->simulate);
    free(sweep->sets);
    free(sweep);
}

const settings_t *sweep_settings(const sweep_t *sweep) {
    return sweep->settings;
}

const struct stage_table *sweep_stages(const sweep_t *sweep) {
    return sweep->stages;
}

const template_t *sweep_explain_template(const sweep_t *sweep, prompt_format_t format) {
    return sweep->explain[format];
}

const template_t *sweep_simulate_template(const sweep_t *sweep) {
    return sweep->simulate;
}

uint64_t sweep_chain_count(const sweep_t *sweep) {
    return sweep->chains;
}

uint64_t sweep_neuron_count(const sweep_t *sweep) {
    uint64_t count = 0;
    for (size_t i = 0; i < sweep->settings->set_count; i++)
        count += sweep->sets[i].neurons;
    return count;
}

chain_t sweep_chain(const sweep_t *sweep, uint64_t number) {
    size_t i = 0;
    while (number >= sweep->sets[i].first + sweep->sets[i].chains)
        i++;
    const sweep_set_t *fixed = &sweep->sets[i];
    const set_settings_t *set = &sweep->settings->sets[i];
    uint64_t rest = number - fixed->first;
    chain_t chain = {.set = (uint32_t)i};
    chain.sample = (uint32_t)(rest % (uint64_t)set->samples);
    rest /= (uint64_t)set->samples;
    chain.format = (prompt_format_t)fixed->formats[rest % fixed->format_count];
    rest /= fixed->format_count;
    chain.explainer = (uint32_t)set->explainers[rest % set->explainer_count];
    chain.neuron = (uint32_t)(rest / set->explainer_count);
    return chain;
}

bool sweep_neuron(const sweep_t *sweep, store_txn_t *txn, const chain_t *chain, hash_t *neuron,
                  char **id) {
    return records_set_member(txn, sweep->sets[chain->set].content, chain->neuron, neuron, id);
}

char *sweep_label(const sweep_t *sweep, const chain_t *chain, const char *neuron_id) {
    const settings_t *s = sweep->settings;
    return memory_format("%s/%s %s %s #%u", s->sets[chain->set].name, neuron_id,
                         prompt_format_name(chain->format), s->models[chain->explainer].name,
                         chain->sample);
}

hash_t sweep_explain_job(const sweep_t *sweep, const chain_t *chain, hash_t neuron) {
    const settings_t *s = sweep->settings;
    const model_settings_t *model = &s->models[chain->explainer];
    hash_builder_t *builder = hash_builder_create("job explain");
    hash_builder_add_integer(builder, EXPLAIN_FORMATTER_VERSION);
    hash_builder_add_hash(builder, neuron);
    hash_builder_add_hash(builder, sweep->explain_hash[chain->format]);
    hash_builder_add_text(builder, model->lineage);
    hash_builder_add_integer(builder, model->context_tokens);
    hash_builder_add_number(builder, model->bytes_per_token);
    hash_builder_add_number(builder, s->temperature);
    hash_builder_add_number(builder, s->top_p);
    hash_builder_add_integer(builder, s->explain_output);
    hash_builder_add_integer(builder, chain->sample);
    return hash_builder_finish(builder);
}

/* What simulate and score jobs have in common: who simulates, and how. */
static void add_simulator(const sweep_t *sweep, hash_builder_t *builder) {
    const settings_t *s = sweep->settings;
    const model_settings_t *model = &s->models[s->simulator];
    hash_builder_add_integer(builder, SIMULATE_FORMATTER_VERSION);
    hash_builder_add_integer(builder, SIMULATE_PARSER_VERSION);
    hash_builder_add_integer(builder, (int64_t)s->mode);
    hash_builder_add_hash(builder, sweep->simulate_hash);
    hash_builder_add_text(builder, model->lineage);
    hash_builder_add_integer(builder, model->context_tokens);
    hash_builder_add_integer(builder, model->max_output_tokens);
    hash_builder_add_number(builder, model->bytes_per_token);
    hash_builder_add_number(builder, s->simulate_temperature);
    hash_builder_add_integer(builder, s->top_logprobs);
}

hash_t sweep_simulate_job(const sweep_t *sweep, const char *explanation,
                          const activation_record_t *record) {
    hash_builder_t *builder = hash_builder_create("job simulate");
    add_simulator(sweep, builder);
    hash_builder_add_text(builder, explanation);
    for (size_t i = 0; i < record->count; i++)
        hash_builder_add_bytes(builder, record->tokens[i].bytes, record->tokens[i].length);
    return hash_builder_finish(builder);
}

hash_t sweep_score_job(const sweep_t *sweep, const char *explanation, hash_t neuron) {
    hash_builder_t *builder = hash_builder_create("job score");
    add_simulator(sweep, builder);
    hash_builder_add_text(builder, explanation);
    hash_builder_add_hash(builder, neuron);
    hash_builder_add_integer(builder, (int64_t)sweep->settings->calibration);
    return hash_builder_finish(builder);
}

hash_t sweep_embed_job(const sweep_t *sweep, const char *text) {
    const settings_t *s = sweep->settings;
    hash_builder_t *builder = hash_builder_create("job embed");
    hash_builder_add_text(builder, s->models[s->embedder].lineage);
    hash_builder_add_integer(builder, s->dimensions);
    hash_builder_add_text(builder, text);
    return hash_builder_finish(builder);
}

hash_t sweep_adacs_job(const sweep_t *sweep, const char *explanation, const char *baseline) {
    hash_builder_t *builder = hash_builder_create("job adacs");
    hash_builder_add_hash(builder, sweep_embed_job(sweep, explanation));
    hash_builder_add_hash(builder, sweep_embed_job(sweep, baseline));
    return hash_builder_finish(builder);
}

char *sweep_baseline(const sweep_t *sweep, store_txn_t *txn, const chain_t *chain,
                     hash_t neuron_hash, const neuron_record_t *neuron) {
    const set_settings_t *set = &sweep->settings->sets[chain->set];
    neuron_record_t *loaded = neuron ? NULL : records_get(txn, neuron_hash, NULL);
    const neuron_record_t *record = neuron ? neuron : loaded;
    char *text = NULL;
    double score;
    if (record && set->baseline && record->source == NEURON_SOURCE_SUBJECT &&
        baseline_get(txn, set->baseline, record->layer, record->index, &text, &score)) {
        /* `text` is ours */
    } else if (record && record->explanation) {
        text = memory_copy_string(record->explanation);
    }
    neuron_record_free(loaded);
    return text;
}

void sweep_score_records(const sweep_t *sweep, const neuron_record_t *neuron, split_list_t *valid,
                         split_list_t *calibration) {
    *valid = neuron_split(neuron, SPLIT_VALID);
    *calibration = (split_list_t){0};
    if (sweep->settings->calibration != SCORE_CALIBRATION_NONE)
        *calibration = neuron_split(neuron, SPLIT_CALIBRATION);
}
