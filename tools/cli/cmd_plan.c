/* cmd_plan.c - `glia plan`: what `run` would do: jobs, tokens, cost, hours at the limits,
 * disk. Sends nothing. */
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "actors/sweep/draw.h"
#include "actors/sweep/estimate.h"
#include "core/base/json.h"
#include "core/base/memory.h"
#include "core/base/text.h"
#include "store/recordings.h"
#include "tools/cli/command.h"
#include "tools/cli/output.h"
#include "tools/cli/prepare.h"
#include "tools/cli/record_stage.h"

typedef struct {
    settings_t *settings;
    sweep_t *sweep;
    estimate_sums_t sums;
    estimate_sums_t retry; /* with --retry-failed; empty where nothing failed for good */
    draw_layers_t *sets;   /* [set_count] */
    prepare_t *prepare;
    record_subject_t *subject; /* NULL: no set is recorded */
    bool recorded;
    run_info_t run;
} plan_t;

/* sets[i] of the settings as it is fixed in the run. */
static void look_at_set(plan_t *plan, store_txn_t *txn, size_t i) {
    const struct run_set *fixed = &plan->run.sets[i];
    draw_layers(txn, &plan->settings->sets[i], fixed->content, fixed->count, &plan->sets[i]);
}

static uint64_t failed_jobs(const plan_t *plan) {
    uint64_t failed = 0;
    for (size_t i = 0; i < JOB_STAGES; i++)
        failed += plan->sums.stages[i].failed;
    return failed;
}

/* What a start would do, and what one with --retry-failed would, where that differs. */
static bool add_up(plan_t *plan, store_txn_t *txn, error_info_t *error) {
    estimate_options_t as_it_is = {.as_of = LOOK_NEXT_START}, again = {.as_of = LOOK_RETRY};
    uint32_t run = plan->run.number;
    return estimate_sweep(plan->sweep, txn, run, &as_it_is, &plan->sums, error) &&
           (failed_jobs(plan) == 0 ||
            estimate_sweep(plan->sweep, txn, run, &again, &plan->retry, error));
}

/* Prepares the run and looks it through. Imagined: nothing of a plan stays. */
static bool apply_plan(store_txn_t *txn, void *context, error_info_t *error) {
    plan_t *plan = context;
    recording_t recording;
    plan->recorded =
        plan->subject && recording_find_done(txn, plan->settings->subject.recording, &recording);
    if (plan->recorded)
        recording_clear(&recording);
    if (!prepare_apply(plan->prepare, txn, (int64_t)time(NULL) * 1000000, &plan->run, error))
        return false;
    plan->sweep = sweep_create(plan->settings, &plan->run, &stages_shipped, error);
    for (size_t i = 0; plan->sweep && i < plan->settings->set_count; i++)
        look_at_set(plan, txn, i);
    return plan->sweep && add_up(plan, txn, error);
}

/* --- what it comes to ------------------------------------------------------------------------- */

static void write_sets(const plan_t *plan, buffer_t *out) {
    for (size_t i = 0; i < plan->settings->set_count; i++) {
        const set_settings_t *set = &plan->settings->sets[i];
        const draw_layers_t *layers = &plan->sets[i];
        char *what = draw_describe(set);
        buffer_append_format(out, "set %s: %u neurons of %s (%s)", set->name, layers->neurons,
                             set->source, what);
        if (layers->last >= 0)
            buffer_append_format(out, ", layers %d-%d", layers->first, layers->last);
        if (layers->lacking)
            buffer_append_format(out, "; NONE of layer %s", layers->lacking);
        if (layers->short_of)
            buffer_append_format(out, "; too few of layer %s", layers->short_of);
        buffer_append_char(out, '\n');
        free(what);
    }
    buffer_append_char(out, '\n');
}

/* What trying again would add. */
static estimate_t retry_cost(const plan_t *plan) {
    if (failed_jobs(plan) == 0)
        return (estimate_t){0};
    estimate_t with = estimate_total(&plan->retry), without = estimate_total(&plan->sums);
    with.requests -= with.requests > without.requests ? without.requests : with.requests;
    with.expected -= without.expected;
    with.worst = money_subtract(with.worst, without.worst);
    return with;
}

static void write_failed(const plan_t *plan, buffer_t *out) {
    uint64_t failed = failed_jobs(plan);
    if (failed == 0)
        return;
    estimate_t more = retry_cost(plan);
    buffer_append_format(out,
                         "%llu jobs failed for good and are left out; `glia run --retry-failed` "
                         "would try them again: %llu requests more, expected $%.4f, worst $%.4f\n",
                         (unsigned long long)failed, (unsigned long long)more.requests,
                         more.expected, money_to_dollars(more.worst));
}

/* A row for each stage, the total, a line for each model. */
static void write_work(const plan_t *plan, const estimate_t *total, buffer_t *out) {
    const settings_t *s = plan->settings;
    buffer_append_format(out, "%-10s %10s %10s %10s %10s %14s %12s %12s %12s\n", "stage", "jobs",
                         "done", "failed", "to ask", "input tokens", "output", "expected $",
                         "worst $");
    const stage_table_t *stages = sweep_stages(plan->sweep);
    for (int i = STAGE_EXPLAIN; i < JOB_STAGES; i++) {
        const estimate_t *e = &plan->sums.stages[i];
        if (e->jobs == 0)
            continue;
        buffer_append_format(out, "%-10s %10llu %10llu %10llu %10llu %14.0f %12.0f %12.4f %12.4f\n",
                             stage_name(stages, (job_stage_t)i), (unsigned long long)e->jobs,
                             (unsigned long long)e->done, (unsigned long long)e->failed,
                             (unsigned long long)e->requests, e->input_tokens, e->output_tokens,
                             e->expected, money_to_dollars(e->worst));
    }
    buffer_append_format(out, "%-10s %10s %10s %10s %10llu %14.0f %12.0f %12.4f %12.4f\n\n",
                         "total", "", "", "", (unsigned long long)total->requests,
                         total->input_tokens, total->output_tokens, total->expected,
                         money_to_dollars(total->worst));
    for (size_t m = 0; m < s->model_count; m++)
        if (plan->sums.models[m].requests > 0)
            buffer_append_format(
                out, "model %-24s %10llu requests  expected $%.4f  worst $%.4f%s\n",
                s->models[m].name, (unsigned long long)plan->sums.models[m].requests,
                plan->sums.models[m].expected, money_to_dollars(plan->sums.models[m].worst),
                s->models[m].priced ? "" : "  (unpriced)");
}

static void write_text(const plan_t *plan, buffer_t *out) {
    const settings_t *s = plan->settings;
    char a[32], b[32], money[MONEY_TEXT_SIZE];
    buffer_append_format(out, "run %s: %s explanations of %s neurons\n\n", s->run_name,
                         text_format_count(plan->sums.chains, a),
                         text_format_count(sweep_neuron_count(plan->sweep), b));
    write_sets(plan, out);
    if (plan->subject)
        buffer_append_format(
            out, "recording %s: %s; %s\n\n", s->subject.model, record_subject_about(plan->subject),
            plan->recorded
                ? "the store has the records"
                : "to be done first, so that sets of recorded neurons are left out below");
    estimate_t total = estimate_total(&plan->sums);
    write_work(plan, &total, out);
    const char *slowest;
    double hours = estimate_hours(s, &plan->sums, &slowest);
    if (slowest)
        buffer_append_format(out, "\ntime at the limits: %s (%s)\n",
                             text_format_duration(hours * 3600, a), slowest);
    else
        buffer_append_text(out, "\ntime at the limits: no rpm or tpm is set\n");
    buffer_append_format(out, "disk: about %s\n", text_format_size((uint64_t)total.disk, a));
    money_format(s->cap_total, 2, money);
    buffer_append_format(out, "cap: %s%s\n", money,
                         total.expected > money_to_dollars(s->cap_total)
                             ? "; the run will pause at it before it is done"
                             : "");
    write_failed(plan, out);
    if (plan->sums.dropped)
        buffer_append_format(out, "%llu prompts leave out few-shot examples to fit the context\n",
                             (unsigned long long)plan->sums.dropped);
    if (plan->sums.too_long)
        buffer_append_format(out, "%llu jobs cannot be done, the first: %s\n",
                             (unsigned long long)plan->sums.too_long, plan->sums.first_trouble);
    buffer_append_text(out, "Explanations that do not exist yet are taken as of typical length; "
                            "probes are not counted.\n");
}

static void write_json(const plan_t *plan, buffer_t *out) {
    const settings_t *s = plan->settings;
    const char *slowest;
    buffer_append_text(out, "{\"run\":");
    json_write_text(out, s->run_name);
    if (plan->subject)
        buffer_append_format(out, ",\"recorded\":%s", plan->recorded ? "true" : "false");
    buffer_append_text(out, ",\"sets\":[");
    for (size_t i = 0; i < s->set_count; i++) {
        buffer_append_text(out, i ? ",{\"set\":" : "{\"set\":");
        json_write_text(out, s->sets[i].name);
        buffer_append_format(out, ",\"neurons\":%u,\"lacking_layers\":", plan->sets[i].neurons);
        json_write_text(out, plan->sets[i].lacking);
        buffer_append_text(out, ",\"short_layers\":");
        json_write_text(out, plan->sets[i].short_of);
        buffer_append_char(out, '}');
    }
    buffer_append_format(out, "],\"explanations\":%llu,\"neurons\":%llu,\"stages\":[",
                         (unsigned long long)plan->sums.chains,
                         (unsigned long long)sweep_neuron_count(plan->sweep));
    const stage_table_t *stages = sweep_stages(plan->sweep);
    for (int i = STAGE_EXPLAIN; i < JOB_STAGES; i++) {
        const estimate_t *e = &plan->sums.stages[i];
        if (!stage_find(stages, (job_stage_t)i))
            continue;
        buffer_append_format(
            out,
            "%s{\"stage\":\"%s\",\"jobs\":%llu,\"done\":%llu,\"failed\":%llu,\"stored\":%llu,"
            "\"requests\":%llu,\"input_tokens\":%.0f,"
            "\"output_tokens\":%.0f,\"expected_usd\":%.6f,\"worst_usd\":%.6f}",
            i > STAGE_EXPLAIN ? "," : "", stage_name(stages, (job_stage_t)i),
            (unsigned long long)e->jobs, (unsigned long long)e->done, (unsigned long long)e->failed,
            (unsigned long long)e->stored, (unsigned long long)e->requests, e->input_tokens,
            e->output_tokens, e->expected, money_to_dollars(e->worst));
    }
    estimate_t total = estimate_total(&plan->sums), more = retry_cost(plan);
    buffer_append_format(out,
                         "],\"retry_failed\":{\"jobs\":%llu,\"requests\":%llu,\"expected_usd\":%."
                         "6f,\"worst_usd\":%.6f}",
                         (unsigned long long)failed_jobs(plan), (unsigned long long)more.requests,
                         more.expected, money_to_dollars(more.worst));
    buffer_append_format(out,
                         ",\"expected_usd\":%.6f,\"worst_usd\":%.6f,\"cap_usd\":%.6f,\"hours\":%."
                         "4f,\"disk_bytes\":%."
                         "0f,\"too_long\":%llu,"
                         "\"dropped_examples\":%llu}\n",
                         total.expected, money_to_dollars(total.worst),
                         money_to_dollars(s->cap_total), estimate_hours(s, &plan->sums, &slowest),
                         total.disk, (unsigned long long)plan->sums.too_long,
                         (unsigned long long)plan->sums.dropped);
}

/* --- the store that is planned against -------------------------------------------------------- */

static void remove_store(char *directory) {
    static const char *const files[] = {"data.mdb", "lock.mdb", "holder"};
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        char *path = memory_format("%s/%s", directory, files[i]);
        unlink(path);
        free(path);
    }
    rmdir(directory);
    free(directory);
}

/* The config's store if there is one: to read, since a run may be live in it or its disk read-only.
 * Else an empty one in a temporary directory, so that planning leaves nothing behind. */
static store_t *open_store(const settings_t *settings, char **temporary, error_info_t *error) {
    char *data = memory_format("%s/data.mdb", settings->store_path);
    bool exists = access(data, F_OK) == 0;
    free(data);
    *temporary = NULL;
    if (exists)
        return store_open(settings->store_path, STORE_READ, NULL, error);
    const char *directory = getenv("TMPDIR");
    *temporary = memory_format("%s/glia-plan-XXXXXX", directory && *directory ? directory : "/tmp");
    if (!mkdtemp(*temporary)) {
        error_set(error, ERROR_CONFIG, "cannot make a temporary directory %s", *temporary);
        free(*temporary);
        *temporary = NULL;
        return NULL;
    }
    return store_open(*temporary, STORE_WRITE, &(store_options_t){.no_sync = true}, error);
}

static int run_command(const option_list_t *options, error_info_t *error) {
    plan_t plan = {0};
    char *temporary = NULL;
    buffer_t out = BUFFER_EMPTY;
    plan.settings = command_settings(options, true, error);
    if (plan.settings && settings_records(plan.settings)) {
        plan.subject = record_subject_open(plan.settings, error);
        if (!plan.subject) {
            settings_free(plan.settings);
            return error_exit_code(error->class_);
        }
        plan.settings->subject.recording = record_subject_identity(plan.subject);
    }
    plan.prepare = plan.settings ? prepare_create(plan.settings, error) : NULL;
    if (plan.prepare)
        prepare_allow_unrecorded(plan.prepare);
    store_t *store = plan.prepare ? open_store(plan.settings, &temporary, error) : NULL;
    if (store)
        plan.sets = MEMORY_NEW_ARRAY(plan.settings->set_count + 1, draw_layers_t);
    bool ok = store && store_imagine(store, apply_plan, &plan, error);
    if (ok && option_given(options, "json"))
        write_json(&plan, &out);
    else if (ok)
        write_text(&plan, &out);
    run_info_clear(&plan.run);
    sweep_free(plan.sweep);
    prepare_free(plan.prepare);
    for (size_t i = 0; plan.sets && i < plan.settings->set_count; i++)
        draw_layers_clear(&plan.sets[i]);
    free(plan.sets);
    record_subject_free(plan.subject);
    estimate_clear(&plan.sums);
    estimate_clear(&plan.retry);
    store_close(store);
    if (temporary)
        remove_store(temporary);
    settings_free(plan.settings);
    return ok ? output_finish(&out, error) : error_exit_code(error->class_);
}

static const option_t plan_options[] = {
    OPTION_CONFIG, OPTION_SET,
    OPTION_STORE,  {"run", 0, "NAME", "name of the run (default: run.name of the config)", false},
    OPTION_JSON,   OPTION_HELP,
    {0},
};

const command_t command_plan = {
    .name = "plan",
    .usage = "[options]",
    .summary =
        "what run would do: jobs, tokens, cost, hours at the limits, disk; sends nothing; also "
        "while a run is live",
    .options = plan_options,
    .run = run_command,
};
