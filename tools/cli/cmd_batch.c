/* cmd_batch.c - `glia batch`: a Batch-API file carried out against any endpoint, with all
 * of the promises. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "actors/batch/batch.h"
#include "core/base/json.h"
#include "core/base/memory.h"
#include "tools/cli/carry_out.h"

/* --- the config ------------------------------------------------------------------------------- */

/* Options that make a config of their own: they stand for one endpoint and one model. */
static const char *const own_options[] = {
    "endpoint",          "key-env", "model", "price-in",    "price-out",
    "max-output-tokens", "rpm",     "tpm",   "concurrency",
};
enum { OWN_COUNT = sizeof own_options / sizeof own_options[0], ASSIGNMENTS = 4 };

static bool has_own(const option_list_t *options, const char **first) {
    for (size_t i = 0; i < OWN_COUNT; i++)
        if (option_given(options, own_options[i])) {
            *first = own_options[i];
            return true;
        }
    return false;
}

static void add_text(buffer_t *toml, const char *key, const char *value) {
    if (!value)
        return;
    buffer_append_format(toml, "%s = ", key);
    json_write_text(toml, value); /* JSON's escapes are TOML's */
    buffer_append_char(toml, '\n');
}

/* Numbers are taken as they stand: the config's check names what is wrong with them. */
static void add_number(buffer_t *toml, const char *key, const char *value) {
    if (value)
        buffer_append_format(toml, "%s = %s\n", key, value);
}

static void write_model(const option_list_t *options, buffer_t *toml) {
    buffer_append_text(toml, "[models.");
    json_write_text(toml, option_get(options, "model"));
    buffer_append_text(toml, "]\nendpoints = [\"endpoint\"]\n");
    add_number(toml, "max_output_tokens", option_get(options, "max-output-tokens"));
    add_text(toml, "price.input", option_get(options, "price-in"));
    const char *out = option_get(options, "price-out");
    add_text(toml, "price.output", out || !option_given(options, "price-in") ? out : "0");
}

/* The options as the config that they stand for. */
static bool write_config(const option_list_t *options, buffer_t *toml, error_info_t *error) {
    static const char *const needed[] = {"endpoint", "model", "budget"};
    for (size_t i = 0; i < sizeof needed / sizeof needed[0]; i++)
        if (!option_given(options, needed[i]))
            return error_set(error, ERROR_USAGE,
                             "--%s is missing; give --endpoint, --model and --budget, or --config",
                             needed[i]);
    buffer_append_text(toml, "[endpoints.endpoint]\n");
    add_text(toml, "base_url", option_get(options, "endpoint"));
    add_text(toml, "key_env", option_get(options, "key-env"));
    add_number(toml, "rpm", option_get(options, "rpm"));
    add_number(toml, "tpm", option_get(options, "tpm"));
    add_number(toml, "concurrency", option_get(options, "concurrency"));
    write_model(options, toml);
    return true;
}

static bool read_config(const option_list_t *options, buffer_t *text, char **name,
                        error_info_t *error) {
    const char *own;
    bool has = has_own(options, &own);
    if (!has)
        return command_read_config(options, text, name, error);
    if (option_given(options, "config"))
        return error_set(
            error, ERROR_USAGE,
            "--%s and --config do not go together; say it in the config, or with --set", own);
    *name = memory_copy_string("options");
    return write_config(options, text, error);
}

static char *setting(const char *key, const char *value) {
    return value ? command_assignment(key, value) : NULL;
}

/* Whether the user's own config says where the store is. */
static bool has_store(const option_list_t *options, const buffer_t *text, const char *name) {
    const char *const *set;
    size_t count = option_all(options, "set", &set);
    const char **all = MEMORY_NEW_ARRAY(count + 1, const char *);
    all[0] = "budget.total_usd=1"; /* may be said by --budget */
    for (size_t i = 0; i < count; i++)
        all[i + 1] = set[i];
    settings_t *settings =
        settings_load_batch(buffer_text(text), text->length, name, all, count + 1, true, NULL);
    bool has = settings && !strstr(name, "(shipped)") && config_has(settings->config, "store.path");
    settings_free(settings);
    free(all);
    return has;
}

/* What the options say apart from endpoint and model, as assignments (owned); NULL: nothing. */
static void make_assignments(const option_list_t *options, bool stored, char *made[ASSIGNMENTS]) {
    const char *out = option_get(options, "out"), *slash = strrchr(out, '/');
    const char *run = option_get(options, "run"), *store = option_get(options, "store");
    char *beside = memory_format("%s.glia", out);
    made[0] = setting("store.path", store ? store : stored ? NULL : beside);
    made[1] = setting("run.name", run ? run : slash ? slash + 1 : out);
    made[2] = setting("budget.total_usd", option_get(options, "budget"));
    made[3] = setting("budget.unpriced", option_given(options, "unpriced") ? "allow" : NULL);
    free(beside);
}

static settings_t *load_text(const option_list_t *options, const buffer_t *text, const char *name,
                             error_info_t *error) {
    char *made[ASSIGNMENTS];
    make_assignments(options, has_store(options, text, name), made);
    const char *const *set;
    size_t set_count = option_all(options, "set", &set), count = 0;
    const char **all = MEMORY_NEW_ARRAY(set_count + ASSIGNMENTS, const char *);
    for (size_t i = 0; i < ASSIGNMENTS; i++)
        if (made[i])
            all[count++] = made[i];
    for (size_t i = 0; i < set_count; i++)
        all[count++] = set[i]; /* the last one wins */
    settings_t *settings =
        settings_load_batch(buffer_text(text), text->length, name, all, count, false, error);
    for (size_t i = 0; i < ASSIGNMENTS; i++)
        free(made[i]);
    free(all);
    return settings;
}

static settings_t *load(const option_list_t *options, error_info_t *error) {
    buffer_t text = BUFFER_EMPTY;
    char *name = NULL;
    bool read = read_config(options, &text, &name, error);
    settings_t *settings = read ? load_text(options, &text, name, error) : NULL;
    free(name);
    buffer_free(&text);
    return settings;
}

/* --- the run ---------------------------------------------------------------------------------- */

typedef struct {
    const char *in, *out;
    bool retry_failed;
    batch_t *batch;
} batch_command_t;

static bool open_batch(void *context, const settings_t *settings, const run_info_t *run,
                       const prepare_taken_t *taken, job_source_t *source, error_info_t *error) {
    batch_command_t *command = context;
    batch_options_t options = {
        .settings = settings,
        .run = run->number,
        .in = command->in,
        .out = command->out,
        .anew = command->retry_failed && taken->forgotten > 0,
        .scratch = settings->store_path,
    };
    command->batch = batch_create(&options, error);
    if (command->batch)
        *source = batch_source(command->batch);
    return command->batch != NULL;
}

static bool close_batch(void *context, store_t *store, error_info_t *error) {
    batch_command_t *command = context;
    store_txn_t *txn = store_read_begin(store, error);
    if (!txn)
        return false;
    bool good = batch_finish(command->batch, txn, error);
    store_read_end(txn);
    if (good)
        fprintf(stderr, "glia: %s has %llu lines (%llu requests read, %llu of them parsed)\n",
                command->out, (unsigned long long)batch_written(command->batch),
                (unsigned long long)batch_read(command->batch),
                (unsigned long long)batch_parsed(command->batch));
    return good;
}

static bool check_paths(const batch_command_t *command, error_info_t *error) {
    struct stat in, out;
    if (!command->in || !command->out)
        return error_set(error, ERROR_USAGE,
                         "name the requests with --in and the results with --out");
    if (stat(command->in, &in) != 0 || stat(command->out, &out) != 0 || in.st_dev != out.st_dev ||
        in.st_ino != out.st_ino)
        return true;
    return error_set(error, ERROR_USAGE,
                     "--in and --out are the same file; name another one for the results");
}

static int run_command(const option_list_t *options, error_info_t *error) {
    batch_command_t command = {.in = option_get(options, "in"),
                               .out = option_get(options, "out"),
                               .retry_failed = option_given(options, "retry-failed")};
    carry_out_options_t how = {
        .retry_failed = command.retry_failed,
        .plain = option_given(options, "plain"),
        .quiet = option_given(options, "quiet"),
        .verbose = option_given(options, "verbose"),
        .see = command.out,
        .open = open_batch,
        .close = close_batch,
        .context = &command,
    };
    settings_t *settings = check_paths(&command, error) ? load(options, error) : NULL;
    int code = settings ? carry_out(&how, settings, error) : error_exit_code(error->class_);
    batch_free(command.batch);
    return code;
}

static const option_t batch_options[] = {
    {"in", 'i', "FILE", "the requests: JSON Lines with custom_id, method, url, body", false},
    {"out", 'o', "FILE", "the results; appended to in the order of the requests", false},
    {"endpoint", 0, "URL",
     "base URL, e.g. https://api.openai.com/v1; \"standin:\" starts the stand-in", false},
    {"key-env", 0, "NAME", "environment variable that holds the API key", false},
    {"model", 0, "NAME", "the model that the lines name", false},
    {"budget", 0, "USD", "cap: settled + doubts + reserved never pass it", false},
    {"price-in", 0, "USD", "price of a million prompt tokens (default: the shipped list price)",
     false},
    {"price-out", 0, "USD", "price of a million completion tokens", false},
    {"unpriced", 0, NULL, "the model costs nothing", false},
    {"max-output-tokens", 0, "N", "output maximum of lines that have none", false},
    {"rpm", 0, "N", "requests a minute", false},
    {"tpm", 0, "N", "tokens a minute", false},
    {"concurrency", 0, "N", "requests in flight at most (default: 16)", false},
    OPTION_CONFIG,
    OPTION_SET,
    {"store", 0, "DIR", "the store (default: store.path of the config, else OUT.glia)", false},
    {"run", 0, "NAME", "name of the run in the store (default: the name of OUT)", false},
    {"retry-failed", 0, NULL,
     "try lines again that failed terminally; OUT is written anew from the store", false},
    {"plain", 0, NULL, "plain lines instead of the live block, on a terminal too", false},
    {"quiet", 'q', NULL, "show no progress", false},
    {"verbose", 'v', NULL, "say why each failed line failed", false},
    OPTION_HELP,
    {0},
};

const command_t command_batch = {
    .name = "batch",
    .usage = "--in FILE --out FILE [options]",
    .summary = "run a Batch-API file (JSON Lines) against any endpoint; run again to go on",
    .details =
        "Takes lines for /v1/chat/completions, /v1/completions and /v1/embeddings, and writes the "
        "Batch output format, a line as soon as it and all before it are final. The same question "
        "on several lines is asked that often: for more samples, repeat the line. Nothing that was "
        "answered is asked again, whatever happens in between.\n"
        "\n"
        "Without a config, --endpoint, --model and --budget are needed. With one (--config, else "
        "./config.toml), its [models.*] are those that lines may name; [sets] and the like are not "
        "needed.\n"
        "\n"
        "A line that cannot be used is named on stderr by its number and gets an error line (code "
        "invalid_line); so does one that the endpoint refuses. One that failed for now is left "
        "open: OUT ends before it, and the next start goes on there.\n"
        "\n"
        "Exit codes: 0 done, 2 the config cannot work, 3 paused at a cap, 4 paused by the world "
        "(quota, credentials, outage, disk) or lines failed for now, 5 done with failed lines, 130 "
        "interrupted. 3, 4 and 130 go on where they stopped when the command is given again.",
    .options = batch_options,
    .run = run_command,
};
