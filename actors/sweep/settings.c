/* settings.c - from a checked config to typed settings: names resolved, prices found, keys read. */
#include "actors/sweep/settings.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/embedded.h"
#include "core/base/memory.h"
#include "core/base/text.h"

enum { KEY_SIZE = 512 };
static const money_t MOST_A_MILLION = {INT64_C(1000) * 1000000000000};

/* The key of a named thing: "models.<name>.<member>". */
static const char *key_of(char key[KEY_SIZE], const char *table, const char *name,
                          const char *member) {
    snprintf(key, KEY_SIZE, "%s.%s%s%s", table, name, *member ? "." : "", member);
    return key;
}

static int64_t seconds(double value) {
    return (int64_t)llround(value * 1e6);
}

/* A space or a control character would end the header that a key is sent in. */
static bool fits_header(const char *key) {
    for (; *key; key++)
        if ((unsigned char)*key <= ' ' || *key == 0x7F)
            return false;
    return true;
}

static bool read_endpoint(settings_t *s, endpoint_settings_t *e, const char *name, bool offline,
                          error_info_t *error) {
    config_t *c = s->config;
    char key[KEY_SIZE];
    e->name = name;
    const char *url = config_string(c, key_of(key, "endpoints", name, "base_url"));
    e->standin = strcmp(url, "standin:") == 0;
    if (!e->standin && !text_starts_with(url, "http://") && !text_starts_with(url, "https://"))
        return config_refuse(
            c, key, error,
            "\"%s\" is no URL; it must start with http:// or https://, or be \"standin:\"", url);
    if (text_ends_with(url, "/") || strchr(url, '@'))
        return config_refuse(c, key, error, "leave out %s",
                             strchr(url, '@') ? "user and password; name a variable with key_env"
                                              : "the slash at the end");
    e->base_url = url;
    e->key_env = config_string(c, key_of(key, "endpoints", name, "key_env"));
    if (e->key_env && !*e->key_env)
        e->key_env = NULL;
    const char *value = e->key_env ? getenv(e->key_env) : NULL;
    if (e->key_env && !offline && (!value || !*value))
        return config_refuse(c, key, error,
                             "the environment variable %s is not set; export it or remove key_env",
                             e->key_env);
    if (value && !fits_header(value))
        return config_refuse(c, key, error,
                             "the value of the environment variable %s holds a space or a control "
                             "character, as no API key does; export it again",
                             e->key_env);
    e->key = memory_copy_string(value);
    e->rpm = config_integer(c, key_of(key, "endpoints", name, "rpm"));
    e->tpm = config_integer(c, key_of(key, "endpoints", name, "tpm"));
    e->charge_bound =
        strcmp(config_string(c, key_of(key, "endpoints", name, "tpm_charge")), "bound") == 0;
    e->concurrency = config_integer(c, key_of(key, "endpoints", name, "concurrency"));
    e->connect_timeout =
        seconds(config_number(c, key_of(key, "endpoints", name, "connect_timeout_s")));
    e->total_timeout = seconds(config_number(c, key_of(key, "endpoints", name, "timeout_s")));
    e->idle_timeout = seconds(config_number(c, key_of(key, "endpoints", name, "idle_timeout_s")));
    e->maximum_body = config_integer(c, key_of(key, "endpoints", name, "max_response_mb")) << 20;
    e->http2 = config_boolean(c, key_of(key, "endpoints", name, "http2"));
    e->ca_file = config_string(c, key_of(key, "endpoints", name, "ca_file"));
    if (e->ca_file && !offline && access(e->ca_file, R_OK) != 0)
        return config_refuse(c, key, error, "%s cannot be read: %s; name a PEM file", e->ca_file,
                             strerror(errno));
    return true;
}

static bool find_name(const char *const *names, size_t count, const char *name, size_t *index) {
    for (*index = 0; *index < count; ++*index)
        if (strcmp(names[*index], name) == 0)
            return true;
    return false;
}

static bool resolve(settings_t *s, const char *key, const char *table, const char *name,
                    size_t *index, error_info_t *error) {
    const char *const *names;
    size_t count = config_names(s->config, table, &names);
    if (find_name(names, count, name, index))
        return true;
    const char *near = text_closest(name, names, count);
    return config_refuse(s->config, key, error, "there is no [%s.\"%s\"]%s%s%s", table, name,
                         near ? "; did you mean \"" : "; add it", near ? near : "",
                         near ? "\"?" : "");
}

static bool resolve_list(settings_t *s, const char *key, const char *table, size_t **indices,
                         size_t *count, error_info_t *error) {
    const char *const *names;
    *count = config_strings(s->config, key, &names);
    *indices = MEMORY_NEW_ARRAY(*count + 1, size_t);
    if (*count == 0)
        return config_refuse(s->config, key, error,
                             "the list is empty; name at least one of [%s.*]", table);
    for (size_t i = 0; i < *count; i++) {
        if (!resolve(s, key, table, names[i], &(*indices)[i], error))
            return false;
        for (size_t j = 0; j < i; j++)
            if ((*indices)[j] == (*indices)[i])
                return config_refuse(s->config, key, error, "\"%s\" stands twice; leave one out",
                                     names[i]);
    }
    return true;
}

static bool price_member(settings_t *s, const char *name, const char *member, money_t *per_token,
                         error_info_t *error) {
    char key[KEY_SIZE];
    money_t million = config_money(s->config, key_of(key, "models", name, member));
    if (money_compare(million, MOST_A_MILLION) > 0)
        return config_refuse(s->config, key, error,
                             "more than $1,000 per million tokens; prices are per million tokens");
    if (million.pico % 1000000)
        return config_refuse(s->config, key, error,
                             "finer than 10^-6 dollars per million tokens; round it up");
    per_token->pico = million.pico / 1000000;
    return true;
}

/* A price of the user's own goes before the shipped one. */
static bool read_price(settings_t *s, model_settings_t *m, const price_list_t *shipped,
                       error_info_t *error) {
    char in[KEY_SIZE], cached[KEY_SIZE], out[KEY_SIZE];
    config_t *c = s->config;
    bool has_in = config_has(c, key_of(in, "models", m->name, "price.input"));
    bool has_cached = config_has(c, key_of(cached, "models", m->name, "price.cached_input"));
    bool has_out = config_has(c, key_of(out, "models", m->name, "price.output"));
    if (!has_in && (has_out || has_cached))
        return config_refuse(c, in, error,
                             "missing, though another price of the model is given; add it");
    if (has_in && !has_out)
        return config_refuse(
            c, out, error,
            "missing, though the input has a price; add it (0 for a model that only embeds)");
    if (!has_in) {
        const char *as_of;
        m->priced = price_list_find(shipped, m->wire_name, &m->price, &as_of);
        return true;
    }
    m->priced = true;
    if (!price_member(s, m->name, "price.input", &m->price.input, error) ||
        !price_member(s, m->name, "price.output", &m->price.output, error) ||
        !price_member(s, m->name, "price.cached_input", &m->price.cached_input, error))
        return false;
    if (!has_cached)
        m->price.cached_input = m->price.input;
    return true;
}

static bool read_model(settings_t *s, model_settings_t *m, const char *name,
                       const price_list_t *shipped, error_info_t *error) {
    config_t *c = s->config;
    char key[KEY_SIZE];
    m->name = name;
    if (!resolve_list(s, key_of(key, "models", name, "endpoints"), "endpoints", &m->endpoints,
                      &m->endpoint_count, error))
        return false;
    bool standin = false;
    for (size_t i = 0; i < m->endpoint_count; i++)
        standin = standin || s->endpoints[m->endpoints[i]].standin;
    const char *wire = config_string(c, key_of(key, "models", name, "wire_name"));
    m->wire_name = wire ? wire : name;
    const char *lineage = config_string(c, key_of(key, "models", name, "lineage"));
    /* The stand-in's answers never mix with a real model's. */
    m->lineage = standin ? memory_format("standin:%s", lineage ? lineage : name)
                         : memory_copy_string(lineage ? lineage : name);
    if (!standin && text_starts_with(m->lineage, "standin:"))
        return config_refuse(
            c, key, error,
            "lineages that start with standin: belong to the stand-in; choose another");
    m->rpm = config_integer(c, key_of(key, "models", name, "rpm"));
    m->tpm = config_integer(c, key_of(key, "models", name, "tpm"));
    m->concurrency = config_integer(c, key_of(key, "models", name, "concurrency"));
    m->context_tokens = config_integer(c, key_of(key, "models", name, "context_tokens"));
    m->max_output_tokens = config_integer(c, key_of(key, "models", name, "max_output_tokens"));
    m->bytes_per_token = config_number(c, key_of(key, "models", name, "bytes_per_token"));
    m->modern_maximum = strcmp(config_string(c, key_of(key, "models", name, "max_tokens_key")),
                               "max_completion_tokens") == 0;
    m->capped = config_has(c, key_of(key, "budget.models", name, ""));
    if (m->capped)
        m->cap = config_money(c, key);
    return read_price(s, m, shipped, error);
}

static void read_formats(settings_t *s, const char *key, bool formats[PROMPT_FORMAT_COUNT]) {
    const char *const *names;
    size_t count = config_strings(s->config, key, &names);
    for (size_t i = 0; i < count; i++) {
        prompt_format_t format;
        if (prompt_format_from_name(names[i], &format))
            formats[format] = true;
    }
}

static select_t select_from_name(const char *name) {
    static const char *const names[] = {"all", "random",        "random_interpretable",
                                        "top", "top_per_layer", "list"};
    size_t i = 0;
    while (strcmp(names[i], name) != 0)
        i++;
    return (select_t)i;
}

/* What of a set's keys says which neurons. */
static bool read_selection(settings_t *s, set_settings_t *set, error_info_t *error) {
    enum { DEFAULT_TOP = 1000 };
    config_t *c = s->config;
    char key[KEY_SIZE];
    set->select = select_from_name(config_string(c, key_of(key, "sets", set->name, "select")));
    set->per_layer = config_integer(c, key_of(key, "sets", set->name, "per_layer"));
    set->threshold = config_number(c, key_of(key, "sets", set->name, "threshold"));
    set->count = config_integer(c, key_of(key, "sets", set->name, "count"));
    bool counts = set->select == SELECT_TOP || set->select == SELECT_RANDOM ||
                  set->select == SELECT_RANDOM_INTERPRETABLE;
    if (set->count > 0 && !counts)
        return config_refuse(
            c, key, error, "it goes with select = \"top\", \"random\" or \"random_interpretable\"");
    if (set->select == SELECT_TOP && set->count == 0)
        set->count = DEFAULT_TOP;
    set->list = config_string(c, key_of(key, "sets", set->name, "list"));
    if (!set->list != (set->select != SELECT_LIST))
        return config_refuse(c, key, error, "it goes with select = \"list\", and that with it");
    return true;
}

static bool read_set(settings_t *s, set_settings_t *set, const char *name, error_info_t *error) {
    config_t *c = s->config;
    char key[KEY_SIZE];
    set->name = name;
    set->source = config_string(c, key_of(key, "sets", name, "source"));
    set->recorded = strcmp(set->source, "record:") == 0;
    set->neuron_count = config_strings(c, key_of(key, "sets", name, "neurons"), &set->neurons);
    if (set->neuron_count && !set->recorded)
        return config_refuse(
            c, key, error,
            "only a set whose source is \"record:\" chooses among neurons; leave it out");
    if (set->recorded && !s->subject.model)
        return config_refuse(c, key_of(key, "sets", name, "source"), error,
                             "nothing is recorded, since there is no subject.model; add [subject]");
    set->baseline = config_string(c, key_of(key, "sets", name, "baseline"));
    set->limit = config_integer(c, key_of(key, "sets", name, "limit"));
    if (!read_selection(s, set, error))
        return false;
    bool own = config_has(c, key_of(key, "sets", name, "formats"));
    read_formats(s, own ? key : "explain.formats", set->formats);
    bool any = false;
    for (int f = 0; f < PROMPT_FORMAT_COUNT; f++)
        any = any || set->formats[f];
    if (!any)
        return config_refuse(c, own ? key : "explain.formats", error,
                             "the list is empty; name at least one prompt format");
    own = config_has(c, key_of(key, "sets", name, "explainers"));
    if (!resolve_list(s, own ? key : "explain.models", "models", &set->explainers,
                      &set->explainer_count, error))
        return false;
    own = config_has(c, key_of(key, "sets", name, "samples"));
    set->samples = config_integer(c, own ? key : "explain.samples");
    return true;
}

/* A cap that lets nothing run is a slip. */
static bool check_cap(settings_t *s, const char *key, error_info_t *error) {
    if (!config_has(s->config, key) || config_money(s->config, key).pico > 0)
        return true;
    return config_refuse(s->config, key, error,
                         "a cap of nothing lets nothing run; set the dollars that may be spent");
}

static bool read_budget(settings_t *s, error_info_t *error) {
    config_t *c = s->config;
    s->cap_total = config_money(c, "budget.total_usd");
    if (!check_cap(s, "budget.total_usd", error) || !check_cap(s, "budget.daily_usd", error) ||
        !check_cap(s, "budget.store_usd", error))
        return false;
    s->has_cap_daily = config_has(c, "budget.daily_usd");
    s->cap_daily = config_money(c, "budget.daily_usd");
    s->has_cap_store = config_has(c, "budget.store_usd");
    s->cap_store = config_money(c, "budget.store_usd");
    s->has_cap_doubts = true;
    s->cap_doubts = config_has(c, "budget.doubts_usd") ? config_money(c, "budget.doubts_usd")
                                                       : (money_t){s->cap_total.pico / 5};
    s->on_daily_cap =
        strcmp(config_string(c, "budget.on_daily_cap"), "wait") == 0 ? DAILY_WAIT : DAILY_PAUSE;
    const char *const *names;
    size_t count = config_names(c, "budget.models", &names), index;
    for (size_t i = 0; i < count; i++) {
        char key[KEY_SIZE];
        if (!resolve(s, key_of(key, "budget.models", names[i], ""), "models", names[i], &index,
                     error) ||
            !check_cap(s, key, error))
            return false;
    }
    return true;
}

static bool read_stages(settings_t *s, error_info_t *error) {
    config_t *c = s->config;
    s->temperature = config_number(c, "explain.temperature");
    s->top_p = config_number(c, "explain.top_p");
    s->explain_output = config_integer(c, "explain.max_output_tokens");
    s->template_directory = config_string(c, "explain.templates");
    const char *simulator = config_string(c, "simulate.model");
    s->simulate = simulator && *simulator;
    if (s->simulate && !resolve(s, "simulate.model", "models", simulator, &s->simulator, error))
        return false;
    s->mode =
        strcmp(config_string(c, "simulate.mode"), "echo") == 0 ? SIMULATE_ECHO : SIMULATE_REPEAT;
    s->simulate_temperature = config_number(c, "simulate.temperature");
    s->top_logprobs = (int)config_integer(c, "simulate.top_logprobs");
    if (s->mode == SIMULATE_ECHO && s->top_logprobs == 0)
        return config_refuse(c, "simulate.top_logprobs", error,
                             "echo reads expected values from logprobs; ask for at least 1");
    const char *calibration = config_string(c, "score.calibration");
    s->calibration = strcmp(calibration, "linear") == 0       ? SCORE_CALIBRATION_LINEAR
                     : strcmp(calibration, "percentile") == 0 ? SCORE_CALIBRATION_PERCENTILE
                                                              : SCORE_CALIBRATION_NONE;
    const char *embedder = config_string(c, "adacs.model");
    s->adacs = embedder && *embedder;
    if (s->adacs && !resolve(s, "adacs.model", "models", embedder, &s->embedder, error))
        return false;
    s->dimensions = config_integer(c, "adacs.dimensions");
    s->embed_batch = config_integer(c, "adacs.batch");
    return true;
}

static bool check_prices(settings_t *s, error_info_t *error) {
    if (strcmp(config_string(s->config, "budget.unpriced"), "allow") == 0)
        return true;
    for (size_t i = 0; i < s->model_count; i++) {
        char key[KEY_SIZE];
        if (settings_uses_model(s, i) && !s->models[i].priced)
            return config_refuse(
                s->config, key_of(key, "models", s->models[i].name, "price.input"), error,
                "no price is known for this model; set price.input and price.output (dollars per "
                "million tokens), or budget.unpriced = \"allow\"");
    }
    return true;
}

/* Parsing the shipped list takes as long as all the rest of a config: only where a model has no
 * price of its own. *list is NULL where none is needed. */
static bool shipped_prices(const settings_t *s, price_list_t **list, error_info_t *error) {
    const char *const *names;
    char key[KEY_SIZE];
    embedded_file_t file;
    bool needed = false;
    size_t count = config_names(s->config, "models", &names);
    for (size_t i = 0; i < count; i++)
        needed = needed || !config_has(s->config, key_of(key, "models", names[i], "price.input"));
    *list = NULL;
    if (!needed)
        return true;
    if (!embedded_find("core/llm/prices.toml", &file))
        return error_set(error, ERROR_BUG, "the price list is not part of this program");
    *list = price_list_parse(file.data, file.size, file.name, error);
    return *list != NULL;
}

/* What run.sets leaves out is checked like the rest, and is no part of this run. */
static bool keep_chosen_sets(settings_t *s, error_info_t *error) {
    size_t *chosen, count, kept = 0;
    if (s->batch || !config_has(s->config, "run.sets"))
        return true;
    bool ok = resolve_list(s, "run.sets", "sets", &chosen, &count, error);
    for (size_t i = 0; ok && i < s->set_count; i++) {
        bool keep = false;
        for (size_t j = 0; j < count; j++)
            keep = keep || chosen[j] == i;
        if (keep)
            s->sets[kept++] = s->sets[i];
        else
            free(s->sets[i].explainers);
    }
    if (ok)
        s->set_count = kept;
    free(chosen);
    return ok;
}

static bool read_tables(settings_t *s, const char *name, bool offline, error_info_t *error) {
    const char *const *names;
    price_list_t *shipped;
    if (!shipped_prices(s, &shipped, error))
        return false;
    bool ok = true;
    s->endpoint_count = config_names(s->config, "endpoints", &names);
    s->endpoints = MEMORY_NEW_ARRAY(s->endpoint_count + 1, endpoint_settings_t);
    for (size_t i = 0; ok && i < s->endpoint_count; i++)
        ok = read_endpoint(s, &s->endpoints[i], names[i], offline, error);
    s->model_count = config_names(s->config, "models", &names);
    s->models = MEMORY_NEW_ARRAY(s->model_count + 1, model_settings_t);
    for (size_t i = 0; ok && i < s->model_count; i++)
        ok = read_model(s, &s->models[i], names[i], shipped, error);
    price_list_free(shipped);
    s->set_count = s->batch ? 0 : config_names(s->config, "sets", &names);
    s->sets = MEMORY_NEW_ARRAY(s->set_count + 1, set_settings_t);
    for (size_t i = 0; ok && i < s->set_count; i++)
        ok = read_set(s, &s->sets[i], names[i], error);
    if (ok && s->set_count == 0 && !s->batch)
        return error_set(error, ERROR_CONFIG,
                         "%s: no neurons are named; add a table [sets.NAME] with source = "
                         "\"puzzles:\" or a file",
                         name);
    return ok && keep_chosen_sets(s, error);
}

static void read_subject(settings_t *s) {
    config_t *c = s->config;
    subject_settings_t *subject = &s->subject;
    subject->model = config_string(c, "subject.model");
    if (subject->model && !*subject->model)
        subject->model = NULL;
    const char *gelu = config_string(c, "subject.activation");
    subject->gelu = strcmp(gelu, "config") ? gelu : NULL;
    subject->corpus_count = config_strings(c, "subject.corpus", &subject->corpus);
    subject->text_field = config_string(c, "subject.text_field");
    subject->excerpts = config_integer(c, "record.excerpts");
    subject->tokens = config_integer(c, "record.tokens");
    subject->in_order = strcmp(config_string(c, "record.order"), "first") == 0;
    subject->neuron_count = config_strings(c, "record.neurons", &subject->neurons);
    subject->top = config_integer(c, "record.top");
    subject->random = config_integer(c, "record.random");
    subject->band = config_integer(c, "record.band");
    subject->of_tokens = strcmp(config_string(c, "record.quantiles"), "tokens") == 0;
    subject->checkpoint = seconds(60 * config_number(c, "record.checkpoint_minutes"));
    subject->allow_other_core = config_boolean(c, "record.allow_other_core");
}

static bool check_run_name(const settings_t *s, error_info_t *error) {
    return (*s->run_name && strlen(s->run_name) < KEY_SIZE) ||
           config_refuse(s->config, "run.name", error, "a name has 1 to %d bytes", KEY_SIZE - 1);
}

static settings_t *read_settings(config_t *config, const char *name, bool batch, bool offline,
                                 error_info_t *error) {
    settings_t *s = MEMORY_NEW(settings_t);
    s->config = config;
    s->batch = batch;
    s->run_name = config_string(config, "run.name");
    s->seed = config_integer(config, "run.seed");
    s->window = config_integer(config, "run.window");
    s->drain = seconds(config_number(config, "run.drain_seconds"));
    s->outage_wait = seconds(60 * config_number(config, "run.outage_wait_minutes"));
    s->max_tries = config_integer(config, "run.max_tries");
    s->store_path = config_string(config, "store.path");
    s->keep_raw =
        strcmp(config_string(config, "store.keep_raw"), "all") == 0 ? KEEP_ALL : KEEP_EXPLANATIONS;
    s->min_free = config_integer(config, "store.min_free_mb") * 1000000;
    read_subject(s);
    if (check_run_name(s, error) && read_tables(s, name, offline, error) &&
        (batch || read_stages(s, error)) && read_budget(s, error) && check_prices(s, error))
        return s;
    settings_free(s);
    return NULL;
}

settings_t *settings_load(const char *text, size_t length, const char *name,
                          const char *const *assignments, size_t assignment_count, bool offline,
                          error_info_t *error) {
    size_t row_count;
    const config_row_t *table = settings_rows(&row_count);
    config_t *config =
        config_load(text, length, name, assignments, assignment_count, table, row_count, error);
    return config ? read_settings(config, name, false, offline, error) : NULL;
}

settings_t *settings_load_batch(const char *text, size_t length, const char *name,
                                const char *const *assignments, size_t assignment_count,
                                bool offline, error_info_t *error) {
    size_t row_count;
    const config_row_t *table = settings_rows(&row_count);
    /* The one key of a sweep that has to be there; a batch does not look at it. */
    const char **all = MEMORY_NEW_ARRAY(assignment_count + 1, const char *);
    all[0] = "explain.models=[]";
    for (size_t i = 0; i < assignment_count; i++)
        all[i + 1] = assignments[i];
    config_t *config =
        config_load(text, length, name, all, assignment_count + 1, table, row_count, error);
    free(all);
    return config ? read_settings(config, name, true, offline, error) : NULL;
}

void settings_free(settings_t *s) {
    if (!s)
        return;
    for (size_t i = 0; s->endpoints && i < s->endpoint_count; i++)
        free(s->endpoints[i].key);
    for (size_t i = 0; s->models && i < s->model_count; i++) {
        free(s->models[i].lineage);
        free(s->models[i].endpoints);
    }
    for (size_t i = 0; s->sets && i < s->set_count; i++)
        free(s->sets[i].explainers);
    free(s->endpoints);
    free(s->models);
    free(s->sets);
    config_free(s->config);
    free(s);
}
