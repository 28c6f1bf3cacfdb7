/* options.c - a table of options, one row each. */
#include "tools/standin/options.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tools/standin/faults.h"

typedef struct {
    const char *name;
    const char *value; /* what the value is called; NULL: a flag */
    const char *help;
    bool (*set)(standin_options_t *options, const char *value);
} row_t;

static bool read_integer(const char *text, int64_t low, int64_t high, int64_t *integer) {
    char *end;
    errno = 0;
    long long read = strtoll(text, &end, 10);
    if (end == text || *end != '\0' || errno != 0 || read < low || read > high)
        return false;
    *integer = read;
    return true;
}

static bool add(options_list_t *list, const char *value) {
    if (list->count == OPTIONS_LIST)
        return false;
    list->items[list->count++] = value;
    return true;
}

static bool set_port(standin_options_t *options, const char *value) {
    int64_t port = 0;
    bool good = read_integer(value, 0, 65535, &port);
    options->port = (uint16_t)port;
    return good;
}

static bool set_seed(standin_options_t *options, const char *value) {
    int64_t seed = 0;
    bool good = read_integer(value, 0, INT64_MAX, &seed);
    options->seed = (uint64_t)seed;
    return good;
}

static bool set_cached_share(standin_options_t *options, const char *value) {
    char *end;
    options->cached_share = strtod(value, &end);
    return end != value && *end == '\0' && options->cached_share >= 0 && options->cached_share <= 1;
}

static bool set_host(standin_options_t *options, const char *value) {
    (void)options;
    return strcmp(value, "127.0.0.1") == 0 || strcmp(value, "localhost") == 0;
}

#define SETTER(name, expression)                                      \
    static bool name(standin_options_t *options, const char *value) { \
        (void)value;                                                  \
        return (expression);                                          \
    }
SETTER(set_help, options->help = true)
SETTER(set_port_file, (options->port_file = value) != NULL)
SETTER(set_key, (options->key = value)[0] != '\0')
SETTER(set_rpm, read_integer(value, 1, 1000000000, &options->requests_per_minute))
SETTER(set_tpm, read_integer(value, 1, 1000000000000, &options->tokens_per_minute))
SETTER(set_concurrency, read_integer(value, 1, 1000000, &options->concurrency))
SETTER(set_quota, money_parse(value, &options->quota))
SETTER(set_latency, (options->latency = value) != NULL)
SETTER(set_fault, add(&options->faults, value))
SETTER(set_ledger, (options->ledger = value) != NULL)
SETTER(set_price, add(&options->prices, value))
SETTER(set_models, (options->models = value) != NULL)
SETTER(set_no_echo, options->no_echo = true)
SETTER(set_no_logprobs, options->no_logprobs = true)
SETTER(set_certificate, (options->certificate_file = value) != NULL)
SETTER(set_key_file, (options->key_file = value) != NULL)
SETTER(set_quit_with_parent, options->quit_with_parent = true)
SETTER(set_until_eof, options->until_eof = true)
SETTER(set_max_seconds, read_integer(value, 1, 1000000000, &options->max_seconds))

static const row_t rows[] = {
    {"--help", NULL, "this text", set_help},
    {"--port", "N", "port to listen on; 0 (default): any free one", set_port},
    {"--port-file", "FILE", "write the port there once requests are taken", set_port_file},
    {"--host", "ADDRESS", "127.0.0.1, nothing else", set_host},
    {"--key", "KEY", "answer 401 unless 'Authorization: Bearer KEY' is sent", set_key},
    {"--rpm", "N", "requests per minute, over a strict sliding 60 s window", set_rpm},
    {"--tpm", "N", "tokens per minute; a request counts bytes / 4 + output maximum", set_tpm},
    {"--concurrency", "N", "requests at a time", set_concurrency},
    {"--quota", "USD", "answer 429 insufficient_quota once so much has been billed", set_quota},
    {"--latency", "SPEC", "fixed:MS, uniform:LOW,HIGH or lognormal:MEDIAN,SIGMA before an answer",
     set_latency},
    {"--fault", "KIND=P", "something goes wrong with probability P; may be repeated; kinds below",
     set_fault},
    {"--seed", "N", "of faults and latencies; default 0", set_seed},
    {"--ledger", "FILE", "append a JSON line for every billed request", set_ledger},
    {"--cached-share", "F", "0..1 of prompt tokens are billed as cached; default 0",
     set_cached_share},
    {"--price", "M=I,C,O",
     "serve model M at input, cached, output dollars per million; may be repeated", set_price},
    {"--models", "A,B", "serve these models only", set_models},
    {"--no-echo", NULL, "refuse completions with echo, as OpenAI does", set_no_echo},
    {"--no-logprobs", NULL, "leave logprobs out without a word, as some servers do",
     set_no_logprobs},
    {"--tls-cert", "FILE", "serve HTTPS with this PEM certificate", set_certificate},
    {"--tls-key", "FILE", "and this PEM key", set_key_file},
    {"--quit-with-parent", NULL, "stop when the process that started this one ends (Linux)",
     set_quit_with_parent},
    {"--until-eof", NULL, "stop when standard input ends", set_until_eof},
    {"--max-seconds", "N", "stop by itself after N seconds; default 21600", set_max_seconds},
};
enum { ROWS = sizeof rows / sizeof rows[0] };

static const row_t *find_row(const char *argument, size_t length) {
    for (size_t i = 0; i < ROWS; i++)
        if (strlen(rows[i].name) == length && memcmp(rows[i].name, argument, length) == 0)
            return &rows[i];
    return NULL;
}

bool standin_options_parse(int count, char *const *arguments, standin_options_t *options,
                           error_info_t *error) {
    *options = (standin_options_t){.latency = "fixed:0", .max_seconds = 6 * 3600};
    for (int i = 1; i < count; i++) {
        const char *argument = arguments[i];
        size_t length = strcspn(argument, "=");
        const char *value = argument[length] == '=' ? argument + length + 1 : NULL;
        const row_t *row = find_row(argument, length);
        if (!row)
            return error_set(error, ERROR_USAGE,
                             "unknown option %s; glia-standin --help lists them", argument);
        if (!row->value && value)
            return error_set(error, ERROR_USAGE, "%s takes no value", row->name);
        if (row->value && !value) {
            if (i + 1 == count)
                return error_set(error, ERROR_USAGE, "%s needs a value: %s", row->name, row->help);
            value = arguments[++i];
        }
        if (!row->set(options, value))
            return error_set(error, ERROR_USAGE, "%s: '%s' will not do: %s", row->name, value,
                             row->help);
    }
    if ((options->certificate_file == NULL) != (options->key_file == NULL))
        return error_set(error, ERROR_USAGE, "--tls-cert and --tls-key go together; give both");
    return true;
}

void standin_options_help(buffer_t *out) {
    buffer_append_text(
        out, "glia-standin: an OpenAI-compatible LLM server on 127.0.0.1 that needs no network.\n\n"
             "usage: glia-standin [option]...\n\n");
    for (size_t i = 0; i < ROWS; i++)
        buffer_append_format(out, "  %-18s %-8s %s\n", rows[i].name,
                             rows[i].value ? rows[i].value : "", rows[i].help);
    buffer_append_text(out, "\nkinds of faults:\n");
    for (int i = FAULT_NONE + 1; i < FAULT_COUNT; i++)
        buffer_append_format(out, "  %-18s %s\n", standin_fault_name((standin_fault_t)i),
                             standin_fault_help((standin_fault_t)i));
    buffer_append_text(
        out, "\nPOST /v1/chat/completions, /v1/completions, /v1/embeddings; GET /v1/models;\n"
             "GET /_standin/health, /_standin/ledger[?skip=N]; GET and POST /_standin/faults.\n");
}
