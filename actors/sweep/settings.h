/* settings.h - what a config says, checked and typed. The one place that knows the config's keys.
 *
 * settings_rows() is the table behind the checks, `glia help config` and the README.
 */
#ifndef GLIA_ACTORS_SWEEP_SETTINGS_H
#define GLIA_ACTORS_SWEEP_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/buffer.h"
#include "core/base/config.h"
#include "core/base/error.h"
#include "core/base/hash.h"
#include "core/base/log.h"
#include "core/base/money.h"
#include "core/llm/prices.h"
#include "core/neuron/score.h"
#include "prompts/formats.h"

typedef enum { SIMULATE_ECHO, SIMULATE_REPEAT } simulate_mode_t;
typedef enum { DAILY_PAUSE, DAILY_WAIT } daily_cap_t;
typedef enum { KEEP_ALL, KEEP_EXPLANATIONS } keep_raw_t;

typedef struct {
    const char *name;
    const char *base_url; /* without trailing slash; "standin:" until a stand-in was started */
    bool standin;         /* base_url was "standin:" */
    const char *key_env;  /* name of the environment variable; NULL: no key */
    char *key;            /* its value: a secret; NULL */
    int64_t rpm, tpm;     /* 0: no limit */
    int64_t concurrency;
    /* tpm_charge = "bound": bytes + output maximum, instead of bytes/4 + output maximum */
    bool charge_bound;
    int64_t connect_timeout, total_timeout, idle_timeout; /* microseconds */
    int64_t maximum_body;                                 /* bytes */
    bool http2;
    const char *ca_file; /* NULL: the system's */
} endpoint_settings_t;

typedef struct {
    const char *name;      /* what prices, budgets and reports call it */
    char *lineage;         /* under which its answers are kept */
    const char *wire_name; /* what endpoints call it */
    size_t endpoint_count;
    size_t *endpoints; /* [endpoint_count] indices, in order of preference */
    bool priced;
    price_t price; /* zero if not priced */
    /* of the model at each of its endpoints; 0: no limit of its own */
    int64_t rpm, tpm, concurrency;
    int64_t context_tokens;
    int64_t max_output_tokens; /* 0: not given */
    double bytes_per_token;
    bool modern_maximum;
    bool capped;
    money_t cap; /* budget.models.<name> */
} model_settings_t;

/* Which neurons of its source a set works on (actors/sweep/draw.h). */
typedef enum {
    SELECT_ALL,
    SELECT_RANDOM,
    SELECT_RANDOM_INTERPRETABLE,
    SELECT_TOP,
    SELECT_TOP_PER_LAYER,
    SELECT_LIST
} select_t;

typedef struct {
    const char *name;
    const char *source;  /* "puzzles:" (shipped), "record:", "store:NAME", or a file */
    bool recorded;       /* source is "record:" */
    size_t neuron_count; /* of a recorded set: selection.h; 0: all that are recorded */
    const char *const *neurons;
    const char *baseline; /* name of an imported collection of baseline explanations, or NULL */
    int64_t limit;        /* only the first so many neurons; 0: all */
    select_t select;
    int64_t count;     /* neurons in all; 0: per_layer holds */
    int64_t per_layer; /* neurons of each layer */
    double threshold;  /* RANDOM_INTERPRETABLE: the least score */
    const char *list;  /* LIST: a CSV or JSONL file with layer and neuron; else NULL */
    bool formats[PROMPT_FORMAT_COUNT];
    size_t explainer_count;
    size_t *explainers; /* model indices */
    int64_t samples;
} set_settings_t;

/* [subject] and [record]: what is recorded, and from what. */
typedef struct {
    const char *model; /* directory, or "subject:"; NULL: no subject model */
    const char *gelu;  /* NULL: as the model says */
    size_t corpus_count;
    const char *const *corpus; /* [corpus_count] paths, "-", "corpus:" */
    const char *text_field;
    int64_t excerpts, tokens; /* how many at most, of how many tokens */
    bool in_order;
    size_t neuron_count;
    const char *const *neurons; /* [neuron_count]: selection.h */
    int64_t top, random, band;
    bool of_tokens;
    int64_t checkpoint; /* microseconds between two checkpoints */
    bool allow_other_core;
    hash_t recording; /* once the record stage knows it (tools/cli/record_stage.h); zero before */
} subject_settings_t;

typedef struct {
    config_t *config; /* owns the strings */
    bool batch;       /* of a batch: every model may be asked, there are no sets */
    const char *run_name;
    int64_t seed;
    int64_t window;      /* jobs in flight at most */
    int64_t drain;       /* microseconds that the first Ctrl-C waits for attempts in flight */
    int64_t outage_wait; /* microseconds that an outage of every endpoint is waited out */
    int64_t max_tries;
    const char *store_path;
    keep_raw_t keep_raw;
    int64_t min_free; /* bytes that stay free on the store's disk */
    money_t cap_total;
    bool has_cap_daily, has_cap_store, has_cap_doubts;
    money_t cap_daily, cap_store, cap_doubts;
    daily_cap_t on_daily_cap;
    size_t endpoint_count;
    endpoint_settings_t *endpoints;
    size_t model_count;
    model_settings_t *models;
    size_t set_count;
    set_settings_t *sets;
    subject_settings_t subject;
    /* explain */
    double temperature, top_p;
    int64_t explain_output;
    const char *template_directory; /* NULL: the shipped ones */
    /* simulate */
    bool simulate;
    size_t simulator; /* model index */
    simulate_mode_t mode;
    double simulate_temperature;
    int top_logprobs;
    score_calibration_kind_t calibration;
    /* adacs */
    bool adacs;
    size_t embedder;     /* model index */
    int64_t dimensions;  /* 0: the model's own */
    int64_t embed_batch; /* texts a request at most */
} settings_t;

const config_row_t *settings_rows(size_t *count);

/* Loads and checks. Errors (CONFIG) name file, line, key and fix: unknown model or endpoint names,
 * unset key variables, unpriced models, a cap missing, zero limits. `offline` true: key variables
 * may be unset (plan, report). The caller owns: settings_free. */
settings_t *settings_load(const char *text, size_t length, const char *name,
                          const char *const *assignments, size_t assignment_count, bool offline,
                          error_info_t *error);
/* The same for a batch: [sets] and [explain] are not needed (and not used), each model has
 * to have a price. */
settings_t *settings_load_batch(const char *text, size_t length, const char *name,
                                const char *const *assignments, size_t assignment_count,
                                bool offline, error_info_t *error);
void settings_free(settings_t *settings);
/* For commands that are about the subject model.
 * Error (CONFIG): there is no subject.model. */
bool settings_need_subject(const settings_t *settings, error_info_t *error);
/* Some set's records are recorded. */
bool settings_records(const settings_t *settings);
/* Registers every key with the log. */
void settings_hide_secrets(const settings_t *settings, log_t *log);
/* Models that the sweep, or batch, uses, as a bit for each model (roles: explainer of any set,
 * simulator, embedder). */
bool settings_uses_model(const settings_t *settings, size_t model);

#endif
