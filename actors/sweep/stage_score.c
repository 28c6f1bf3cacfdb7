/* stage_score.c - a neuron's score: its simulated and its real activations, over all valid
 * records together. */
#include <math.h>
#include <stdlib.h>

#include "actors/sweep/results.h"
#include "actors/sweep/stage.h"
#include "core/base/memory.h"
#include "store/records.h"

typedef struct {
    double *simulated, *real;
    size_t count;
} pairs_t;

static bool add_record(const stage_context_t *context, store_txn_t *txn, const job_t *job,
                       const activation_record_t *record, pairs_t *pairs) {
    job_entry_t entry =
        journal_get(txn, sweep_simulate_job(context->sweep, job->explanation, record));
    simulate_result_t simulation;
    if (entry.state != JOB_DONE ||
        !simulate_result_decode(entry.result, entry.result_size, &simulation))
        return false;
    bool ok = simulation.count == record->count;
    size_t count = pairs->count + (ok ? record->count : 0);
    pairs->simulated = memory_resize(pairs->simulated, count + 1, sizeof(double));
    pairs->real = memory_resize(pairs->real, count + 1, sizeof(double));
    for (size_t i = 0; ok && i < record->count; i++) {
        pairs->simulated[pairs->count] = simulation.expected[i];
        pairs->real[pairs->count++] = record->activations[i];
    }
    simulate_result_clear(&simulation);
    return ok;
}

static bool collect(const stage_context_t *context, store_txn_t *txn, const job_t *job,
                    const split_list_t *records, pairs_t *pairs) {
    for (size_t i = 0; i < records->count; i++)
        if (!add_record(context, txn, job, records->records[i], pairs))
            return false;
    return true;
}

static bool score_pairs(const settings_t *settings, pairs_t *valid, const pairs_t *fit,
                        score_t *score) {
    score_calibration_t calibration;
    *score = (score_t){.correlation = NAN, .rsquared = NAN, .absdev = NAN};
    if (!score_calibration_fit(&calibration, settings->calibration, fit->simulated, fit->real,
                               fit->count))
        return false; /* an undefined calibration makes undefined scores */
    score_calibration_apply(&calibration, valid->simulated, valid->simulated, valid->count);
    *score = score_compute(valid->simulated, valid->real, valid->count);
    score_calibration_clear(&calibration);
    return true;
}

static stage_built_t build(const stage_context_t *context, store_txn_t *txn, job_t *job,
                           request_t *request, stage_product_t *product) {
    (void)request;
    error_info_t error;
    neuron_record_t *neuron = records_get(txn, job->neuron, &error);
    if (!neuron) {
        job_fail(job, true, "records", "%s", error.message);
        return STAGE_BUILT_FAILURE;
    }
    split_list_t valid, calibration;
    sweep_score_records(context->sweep, neuron, &valid, &calibration);
    pairs_t valid_pairs = {0}, fit_pairs = {0};
    bool ok = collect(context, txn, job, &valid, &valid_pairs) &&
              collect(context, txn, job, &calibration, &fit_pairs);
    if (ok) {
        score_result_t result = {.records = (int64_t)valid.count,
                                 .tokens = (int64_t)valid_pairs.count};
        score_pairs(sweep_settings(context->sweep), &valid_pairs, &fit_pairs, &result.score);
        score_result_encode(&result, &product->result);
    } else {
        job_fail(job, false, "store", "a simulation that the score needs is not in the store");
    }
    free(valid_pairs.simulated);
    free(valid_pairs.real);
    free(fit_pairs.simulated);
    free(fit_pairs.real);
    neuron_split_free(&valid);
    neuron_split_free(&calibration);
    neuron_record_free(neuron);
    return ok ? STAGE_BUILT_RESULT : STAGE_BUILT_FAILURE;
}

static bool decode(const void *bytes, size_t size, stage_result_t *result) {
    score_result_t scored;
    *result = (stage_result_t){.version = result_version(bytes, size)};
    if (!score_result_decode(bytes, size, &scored))
        return false;
    result->parts = result->counts[0] = scored.records;
    result->counts[1] = scored.tokens;
    result->values[0] = scored.score.correlation;
    result->values[1] = scored.score.rsquared;
    result->values[2] = scored.score.absdev;
    return true;
}

static hash_t identify(const sweep_t *sweep, const stage_subject_t *subject) {
    return sweep_score_job(sweep, subject->explanation, subject->neuron);
}

static bool is_wanted(const settings_t *settings) {
    return settings->simulate;
}

static const stage_telling_t telling = {
    .measures =
        {
            {.key = "score", .label = "score"},
            {.key = "rsquared", .label = "r-squared", .is_terse = true},
            {.key = "absdev", .label = "abs. dev.", .is_terse = true, .is_aside = true},
        },
    .counts = {"records", "tokens"},
    .done = "scored",
    .has_members = true,
    .noun = "scores",
    .table = {.key = "scores",
              .title = "Scores: simulated against real activations",
              .note = "score: mean correlation ± standard error; undefined: all simulated or all "
                      "real activations are the same; r-squared, abs. dev.: of values, so far "
                      "below 0 where simulations of 0 to 10 are not calibrated to activations"},
    .average = "Scores, averaged over neuron sets",
    .plot = {.key = "plot_scores",
             .title = "Distribution of scores",
             .axis = "score (correlation)"},
};

const stage_t stage_score = {
    .number = STAGE_SCORE,
    .name = "score",
    .actor = "scorer",
    .scope = SCOPE_CHAIN,
    .role = ROLE_NONE,
    .needs = STAGE_SIMULATE,
    .about = ABOUT_RECORDS,
    .is_wanted = is_wanted,
    .identify = identify,
    .build = build,
    .version = SCORE_RESULT_VERSION,
    .decode = decode,
    .telling = &telling,
};
