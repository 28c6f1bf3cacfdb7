/* options.h - the command line of glia-standin. */
#ifndef GLIA_STANDIN_OPTIONS_H
#define GLIA_STANDIN_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/buffer.h"
#include "core/base/error.h"
#include "core/base/money.h"

enum { OPTIONS_LIST = 64 };

typedef struct {
    const char *items[OPTIONS_LIST];
    size_t count;
} options_list_t;

/* Strings are borrowed from the arguments; NULL where not given. */
typedef struct {
    bool help;
    uint16_t port;
    const char *port_file;
    const char *key;
    int64_t requests_per_minute, tokens_per_minute, concurrency; /* 0: no limit */
    money_t quota;                                               /* zero: no limit */
    const char *latency;
    options_list_t faults;
    uint64_t seed;
    const char *ledger;
    double cached_share;
    options_list_t prices;
    const char *models;
    bool no_echo;
    bool no_logprobs;
    const char *certificate_file;
    const char *key_file;
    bool quit_with_parent;
    bool until_eof;
    int64_t max_seconds;
} standin_options_t;

/* Errors (USAGE). */
bool standin_options_parse(int count, char *const *arguments, standin_options_t *options,
                           error_info_t *error);
void standin_options_help(buffer_t *out);

#endif
