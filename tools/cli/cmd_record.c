/* cmd_record.c - `glia record`: the first stage of a run, alone. */
#include <string.h>

#include "core/base/json.h"
#include "core/base/numbers.h"
#include "core/base/text.h"
#include "store/recordings.h"
#include "tools/cli/command.h"
#include "tools/cli/output.h"
#include "tools/cli/record_stage.h"

static double seconds(int64_t microseconds) {
    return (double)microseconds / 1e6;
}

static void write_times(const recorder_times_t *times, buffer_t *out) {
    static const char *const passes[] = {"first", "second"};
    buffer_append_text(out, ",\"times\":{");
    for (size_t i = 0; i < 2; i++)
        buffer_append_format(out, "\"%s_pass\":{\"excerpts\":%llu,\"seconds\":%.3f},", passes[i],
                             (unsigned long long)times->excerpts[i], seconds(times->passing[i]));
    buffer_append_format(out,
                         "\"checkpoints\":{\"count\":%llu,\"bytes\":%llu,\"seconds\":%.3f},"
                         "\"storing\":{\"seconds\":%.3f}}",
                         (unsigned long long)times->checkpoints,
                         (unsigned long long)times->checkpoint_bytes, seconds(times->saving),
                         seconds(times->storing));
}

static void say_times(const recorder_times_t *times, buffer_t *out) {
    char first[32], second[32], saving[32], storing[32];
    buffer_append_format(out, "recorded (first pass %s, second %s, checkpoints %s, storing %s)",
                         text_format_duration(seconds(times->passing[0]), first),
                         text_format_duration(seconds(times->passing[1]), second),
                         text_format_duration(seconds(times->saving), saving),
                         text_format_duration(seconds(times->storing), storing));
}

static int say_interrupted(const record_subject_t *subject, const recorder_times_t *times,
                           error_info_t *error) {
    char id[HASH_TEXT_SIZE];
    hash_to_text(record_subject_identity(subject), id);
    buffer_t out = BUFFER_EMPTY;
    buffer_append_format(&out, "{\"recording\":\"%s\",\"interrupted\":true", id);
    write_times(times, &out);
    buffer_append_text(&out, "}\n");
    int code = output_finish(&out, error);
    return code == EXIT_DONE ? EXIT_INTERRUPTED : code;
}

/* times: NULL if nothing was recorded now. */
static int say_done(store_t *store, const record_subject_t *subject, const recorder_times_t *times,
                    bool json, error_info_t *error) {
    store_txn_t *txn = store_read_begin(store, error);
    recording_t recording;
    if (!txn)
        return error_exit_code(error->class_);
    bool done = recording_find_done(txn, record_subject_identity(subject), &recording);
    store_read_end(txn);
    if (!done)
        return command_fail(error, ERROR_BUG, "the recording is not there");
    char id[HASH_TEXT_SIZE], set[HASH_TEXT_SIZE];
    hash_to_text(record_subject_identity(subject), id);
    hash_to_text(recording.set, set);
    buffer_t out = BUFFER_EMPTY;
    if (json) {
        buffer_append_format(
            &out,
            "{\"recording\":\"%s\",\"records\":\"%s\",\"neurons\":%u,\"recorded\":%s,\"core\":", id,
            set, recording.neurons, times ? "true" : "false");
        json_write_text(&out, recording.core);
        if (times)
            write_times(times, &out);
        buffer_append_text(&out, "}\n");
    } else {
        buffer_append_format(&out, "recording %s: %s; ", id, record_subject_about(subject));
        if (times)
            say_times(times, &out);
        else
            buffer_append_text(&out, "the store had the records");
        buffer_append_char(&out, '\n');
    }
    recording_clear(&recording);
    return output_finish(&out, error);
}

static int record(const settings_t *settings, const option_list_t *options, error_info_t *error) {
    uint64_t workers = 0;
    const char *text = option_get(options, "workers");
    if (text && (!number_parse_whole(text, strlen(text), 64, &workers) || workers == 0))
        return command_fail(error, ERROR_USAGE, "--workers %s: it is a number from 1 to 64", text);
    record_subject_t *subject = record_subject_open(settings, error);
    store_t *store = subject ? store_open(settings->store_path, STORE_WRITE, NULL, error) : NULL;
    int code = store ? EXIT_DONE : error_exit_code(error->class_);
    if (store) {
        record_how_t how = {.quiet = option_given(options, "quiet"),
                            .plain = option_given(options, "plain")};
        recorder_times_t times = {0};
        bool recorded;
        how.workers = (unsigned)workers;
        how.times = &times;
        store_set_holder(store, "recording");
        code = record_stage(store, subject, &how, &recorded, error);
        if (code == EXIT_DONE)
            code = say_done(store, subject, recorded ? &times : NULL, option_given(options, "json"),
                            error);
        else if (code == EXIT_INTERRUPTED && option_given(options, "json"))
            code = say_interrupted(subject, &times, error);
    }
    store_close(store);
    record_subject_free(subject);
    return code;
}

static int run(const option_list_t *options, error_info_t *error) {
    settings_t *settings = command_settings(options, true, error);
    int code = settings ? record(settings, options, error) : error_exit_code(error->class_);
    settings_free(settings);
    return code;
}

static const option_t table[] = {
    OPTION_CONFIG,
    OPTION_SET,
    OPTION_STORE,
    {"plain", 0, NULL, "plain lines instead of one that is written over, on a terminal too", false},
    {"workers", 'w', "N", "threads that compute (default: one a processor); the result is the same",
     false},
    {"quiet", 'q', NULL, "show no progress", false},
    OPTION_JSON,
    OPTION_HELP,
    {0},
};

const command_t command_record = {
    .name = "record",
    .usage = "[options]",
    .summary = "run the corpus through the subject model and keep a record of each neuron",
    .details =
        "What [subject] and [record] of the config name; `glia run` does the same first, for sets "
        "whose\n"
        "source is \"record:\". Nothing is done if the store has the records. Progress is saved "
        "every\n"
        "record.checkpoint_minutes and at Ctrl-C: the same command goes on from there, after a "
        "crash too,\n"
        "with the same result to the byte. `glia status` shows how far it is. All excerpts go "
        "through the\n"
        "model once, and up to 1,024 of them again, for random records and those of quantile "
        "bands.\n"
        "A corpus may be files, directories, JSON lines, packed by gzip or zstd, and \"-\", "
        "standard input.\n"
        "--json says what was recorded and how long each part took, also where Ctrl-C ended it.\n\n"
        "Exit codes: 0 done, 2 model, corpus or choice cannot be recorded, 130 interrupted.",
    .options = table,
    .run = run,
};
