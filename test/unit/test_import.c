/* test_import.c - neurons and explanations from files, directories and an HTTP
 * server into a store. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "core/net/http_server.h"
#include "store/records.h"
#include "test/unit/store_dir.h"
#include "tools/cli/import.h"
#include "tools/cli/options.h"

extern const command_t command_import;

typedef bool import_t(store_t *store, const option_list_t *options, buffer_t *out,
                      error_info_t *error);

/* Runs one import and checks what it says: the result, or (where `message` is not NULL) the
 * error behind it. */
static void import(import_t *kind, store_t *store, const char *result, const char *message,
                   int argc, char **argv) {
    option_list_t options;
    buffer_t out = BUFFER_EMPTY;
    error_info_t error = {0};
    if (!options_parse(&command_import, argc, argv, &options, &error))
        fail_msg("%s", error.message);
    bool good = kind(store, &options, &out, &error);
    if (good == (message != NULL))
        fail_msg("%s: %s", good ? "was taken" : "was refused",
                 good ? buffer_text(&out) : error.message);
    if (message)
        assert_string_equal(error.message, message);
    assert_string_equal(buffer_text(&out), result);
    buffer_free(&out);
    options_clear(&options);
}

#define IMPORT(kind, store, result, message, ...)                                                 \
    import(kind, store, result, message, (int)(sizeof((char *[]){__VA_ARGS__}) / sizeof(char *)), \
           (char *[]){__VA_ARGS__})

static char *write_file(const char *directory, const char *name, const char *text) {
    char *path = memory_format("%s/%s", directory, name);
    buffer_t bytes = BUFFER_EMPTY;
    error_info_t error = {0};
    buffer_append_text(&bytes, text);
    if (!buffer_write_file(&bytes, path, &error))
        fail_msg("%s", error.message);
    buffer_free(&bytes);
    return path;
}

static char *neuron_text(int layer, int index) {
    return memory_format("{\"neuron_id\": {\"layer_index\": %d, \"neuron_index\": %d}, "
                         "\"most_positive_activation_records\": [{\"tokens\": [\"a\", \"b\"], "
                         "\"activations\": [1, NaN]}]}",
                         layer, index);
}

/* NaN above would be refused: a neuron that reads. */
static char *good_neuron_text(int layer, int index) {
    char *text = neuron_text(layer, index);
    memcpy(strstr(text, "NaN"), "0.5", 3);
    return text;
}

static char *write_neuron(const char *directory, int layer, int index) {
    char *folder = memory_format("%s/%d", directory, layer);
    mkdir(folder, 0777);
    char *name = memory_format("%d.json", index), *text = good_neuron_text(layer, index);
    char *path = write_file(folder, name, text);
    free(text);
    free(name);
    free(folder);
    return path;
}

static uint32_t set_count(store_t *store, const char *name) {
    store_txn_t *txn = store_dir_read(store);
    record_set_t set;
    uint32_t count = records_set_find(txn, name, &set) ? set.count : 0;
    records_set_clear(&set);
    store_read_end(txn);
    return count;
}

/* --- explanations ----------------------------------------------------------------------------- */

static void assert_baseline(store_t *store, int32_t layer, int32_t index, const char *text,
                            double score) {
    store_txn_t *txn = store_dir_read(store);
    char *got;
    double got_score;
    assert_true(baseline_get(txn, "nv", layer, index, &got, &got_score));
    assert_string_equal(got, text);
    assert_true(isnan(score) ? isnan(got_score) : got_score == score);
    free(got);
    store_read_end(txn);
}

static void explanations_from_csv(void **state) {
    store_dir_t *dir = *state;
    char *files = store_dir_make();
    char *path = write_file(files, "e.csv",
                            "explanation,Score,other,neuron,layer\n"
                            "\" words, of \"\"care\"\" \",0.5,x,286,0\n"
                            "no score,,x,1,47\n"
                            ",0.5,x,2,1\n");
    IMPORT(import_explanations, dir->store,
           "explanations nv: 2 imported, 1 left out (no explanation or no neuron); it holds 2\n",
           NULL, "explanations", path, "--as", "nv");
    assert_baseline(dir->store, 0, 286, "words, of \"care\"", 0.5);
    assert_baseline(dir->store, 47, 1, "no score", NAN);
    IMPORT(import_explanations, dir->store,
           "{\"as\":\"nv\",\"imported\":2,\"replaced\":2,\"skipped\":0,\"empty\":1,\"count\":2}\n",
           NULL, "explanations", path, "--as", "nv", "--json");
    free(path);
    store_dir_remove(files);
}

static void explanations_from_jsonl(void **state) {
    store_dir_t *dir = *state;
    char *files = store_dir_make();
    char *path = write_file(
        files, "e.jsonl",
        "{\"layer\": 3, \"neuron\": 4, \"explanation\": \"plain\", \"score\": null}\n\n"
        "{\"neuron_id\": {\"layer_index\": 5, \"neuron_index\": 6}, \"scored_explanations\": "
        "[{\"explanation\": \" public\", \"scored_simulation\": {\"ev_correlation_score\": 0.25}}, "
        "{\"explanation\": \"second\"}]}\n"
        "{\"neuron_id\": {\"layer_index\": 5, \"neuron_index\": 7}, \"scored_explanations\": "
        "[{\"explanation\": \"nan\", \"scored_simulation\": {\"ev_correlation_score\": NaN}}]}");
    IMPORT(import_explanations, dir->store, "explanations nv: 3 imported; it holds 3\n", NULL,
           "explanations", path, "--as", "nv");
    assert_baseline(dir->store, 3, 4, "plain", NAN);
    assert_baseline(dir->store, 5, 6, "public", 0.25);
    assert_baseline(dir->store, 5, 7, "nan", NAN);
    free(path);
    store_dir_remove(files);
}

static void refuses_explanations(void **state) {
    store_dir_t *dir = *state;
    char *files = store_dir_make();
    static const struct {
        const char *text, *message;
    } cases[] = {
        {"layer,neuron\n1,2\n", ":1: the header has no column \"explanation\"; it names layer, "
                                "neuron, explanation and, if there is one, score"},
        {"layer,neuron,explanation\n1,2\n", ":2: 2 fields, but the header has 3"},
        {"layer,neuron,explanation\n1,2,a\n-1,2,a\n",
         ":3: layer and neuron must be whole numbers, not \"-1\" and \"2\""},
        {"layer,neuron,score,explanation\n1,2,high,a\n",
         ":2: score \"high\" is no number; leave it empty if there is none"},
        {"", ": it is empty"},
        {"{\"layer\": 1}\n", ":1: layer and neuron must be whole numbers"},
        {"{\"layer\": 1, \"neuron\": 2, \"explanation\": 3}\n", ":1: explanation must be a text"},
        {"{\"layer\": 1, \"neuron\": 2, \"explanation\": \"a\", \"score\": \"b\"}\n",
         ":1: score must be a number or null"},
        {"{\"scored_explanations\": []}\n",
         ":1: neuron_id.layer_index and neuron_id.neuron_index must be whole numbers"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *path = write_file(files, "e", cases[i].text),
             *message = memory_format("%s%s", path, cases[i].message);
        IMPORT(import_explanations, dir->store, "", message, "explanations", path, "--as", "nv");
        free(message);
        free(path);
    }
    store_dir_remove(files);
}

/* --- neurons ---------------------------------------------------------------------------------- */

static void neurons_from_a_directory(void **state) {
    store_dir_t *dir = *state;
    char *files = store_dir_make();
    for (int layer = 0; layer < 3; layer++)
        for (int index = 0; index < 12; index++)
            free(write_neuron(files, layer, index));
    IMPORT(import_neurons, dir->store, "set s: 24 imported; it holds 24\n", NULL, "neurons", files,
           "--set", "s", "--layers", "0,2");
    IMPORT(import_neurons, dir->store,
           "set s: 12 imported, 24 skipped (the set has them); it holds 36\n", NULL, "neurons",
           files, "--set", "s");
    IMPORT(import_neurons, dir->store, "set t: 2 imported; it holds 2\n",
           "not there: 1:12, 7:0 (2 in all); the rest was imported", "neurons", files, "--set", "t",
           "--neurons", "2:11,1:12,0:0,7:0");
    store_txn_t *txn = store_dir_read(dir->store);
    record_set_t set;
    hash_t neuron;
    char *id;
    assert_true(records_set_find(txn, "t", &set));
    /* in the order that was asked for */
    assert_true(records_set_member(txn, set.content, 0, &neuron, &id));
    assert_string_equal(id, "2:11");
    free(id);
    records_set_clear(&set);
    store_read_end(txn);
    IMPORT(import_neurons, dir->store, "set u: 12 imported; it holds 12\n",
           "not there: layer 5 (1 in all); the rest was imported", "neurons", files, "--set", "u",
           "--layers", "1,5");
    store_dir_remove(files);
}

static void refuses_neurons(void **state) {
    store_dir_t *dir = *state;
    char *files = store_dir_make();
    char *folder = memory_format("%s/3", files);
    mkdir(folder, 0777);
    char *text = good_neuron_text(3, 5), *path = write_file(folder, "4.json", text);
    char *message = memory_format("%s: it holds 3:5, not neuron 3:4", path);
    IMPORT(import_neurons, dir->store, "", message, "neurons", files, "--set", "s");
    free(message);
    free(path);
    free(text);
    text = neuron_text(3, 4);
    path = write_file(folder, "4.json", text);
    option_list_t options;
    error_info_t error = {0};
    buffer_t out = BUFFER_EMPTY;
    assert_true(options_parse(&command_import, 4, (char *[]){"neurons", files, "--set", "s"},
                              &options, &error));
    /* an activation that is not finite */
    assert_false(import_neurons(dir->store, &options, &out, &error));
    assert_int_equal(strncmp(error.message, path, strlen(path)), 0);
    options_clear(&options);
    assert_int_equal(set_count(dir->store, "s"), 0);
    free(path);
    free(text);
    free(folder);
    store_dir_remove(files);
}

static void replaces_from_files(void **state) {
    store_dir_t *dir = *state;
    char *files = store_dir_make();
    char *path =
        write_file(files, "r.jsonl",
                   "{\"id\": \"a\", \"records\": [{\"tokens\": [\"x\"], \"activations\": [1]}]}\n"
                   "{\"id\": \"b\", \"records\": [{\"tokens\": [\"x\"], \"activations\": [1]}]}\n");
    IMPORT(import_neurons, dir->store, "set s: 4 imported; it holds 2\n", NULL, "neurons", path,
           path, "--set", "s");
    IMPORT(import_puzzles, dir->store, "", "--set NAME is missing: what to call it in the store",
           "puzzles", path);
    free(path);
    store_dir_remove(files);
}

/* --- over HTTP -------------------------------------------------------------------------------- */

typedef struct {
    pthread_mutex_t mutex;
    int requests, busy; /* answers 503 to so many requests, one each of a path that ends in 7 */
    bool forbids;
} service_t;

/* Layer 0 has 70 neurons, and a hole at 5; layer 1 has 3. */
static bool is_there(int layer, int index) {
    return (layer == 0 && index < 70 && index != 5) || (layer == 1 && index < 3);
}

static void answer(void *context, http_server_request_t *request,
                   http_server_response_t *response) {
    service_t *service = context;
    int layer, index;
    char ending[16];
    pthread_mutex_lock(&service->mutex);
    service->requests++;
    bool busy = service->busy > 0 && strstr(request->path, "7.json");
    service->busy -= busy;
    bool forbids = service->forbids && strstr(request->path, "/9.json");
    pthread_mutex_unlock(&service->mutex);
    response->status = busy ? 503 : forbids ? 403 : 404;
    if (busy)
        http_server_add_field(response, "Retry-After", "0");
    if (busy || forbids)
        return;
    char *body = NULL;
    if (sscanf(request->path, "/data/collated-activations/%d/%d%15s", &layer, &index, ending) ==
            3 &&
        is_there(layer, index))
        body = good_neuron_text(layer, index);
    else if (sscanf(request->path, "/data/explanations/%d/%d%15s", &layer, &index, ending) == 3 &&
             index != 1)
        body = memory_format(
            "{\"neuron_id\": {\"layer_index\": %d, \"neuron_index\": %d}, \"scored_explanations\": "
            "[{\"explanation\": \"e%d\", \"scored_simulation\": {\"ev_correlation_score\": 0.5}}]}",
            layer, index, index);
    if (!body)
        return;
    response->status = 200;
    buffer_append_text(&response->body, body);
    free(body);
}

typedef struct {
    store_dir_t *dir;
    service_t service;
    http_server_t *server;
    char *base;
} site_t;

static site_t *open_site(store_dir_t *dir) {
    site_t *site = MEMORY_NEW(site_t);
    error_info_t error = {0};
    site->dir = dir;
    pthread_mutex_init(&site->service.mutex, NULL);
    site->server = http_server_start(
        &(http_server_options_t){.threads = 4, .maximum_body = 1000, .maximum_connections = 64},
        &(http_server_callbacks_t){.handle = answer, .context = &site->service}, &error);
    if (!site->server)
        fail_msg("%s", error.message);
    site->base = memory_format("http://127.0.0.1:%d/data", http_server_port(site->server));
    return site;
}

static void close_site(site_t *site) {
    http_server_stop(site->server, 1000000);
    pthread_mutex_destroy(&site->service.mutex);
    free(site->base);
    free(site);
}

/* Under the lock: an import that failed leaves requests behind, which the server may
 * still be answering. */
static void set_forbids(site_t *site, bool forbids) {
    pthread_mutex_lock(&site->service.mutex);
    site->service.forbids = forbids;
    pthread_mutex_unlock(&site->service.mutex);
}

static int requests_of(site_t *site) {
    pthread_mutex_lock(&site->service.mutex);
    int requests = site->service.requests;
    pthread_mutex_unlock(&site->service.mutex);
    return requests;
}

static void neurons_over_http(void **state) {
    site_t *site = open_site(*state);
    store_t *store = site->dir->store;
    site->service.busy = 2;
    IMPORT(import_neurons, store, "set s: 3 imported; it holds 3\n",
           "not there: 0:5 (1 in all); the rest was imported", "neurons", site->base, "--set", "s",
           "--neurons", "0:7,0:5,1:2,0:0");
    assert_int_equal(requests_of(site), 6); /* two of them again */
    IMPORT(import_neurons, store, "set s: 69 imported, 3 skipped (the set has them); it holds 72\n",
           "not there: neuron 0:5 (1 in all); the rest was imported", "neurons", site->base,
           "--set", "s", "--layers", "0-1");
    int before = requests_of(site);
    IMPORT(import_neurons, store, "set s: 0 imported, 4 skipped (the set has them); it holds 72\n",
           NULL, "neurons", site->base, "--set", "s", "--neurons", "0:7,0:69,1:2,0:0");
    assert_int_equal(requests_of(site), before);
    close_site(site);
}

/* The one that fails comes last, and 8 are fetched at a time: when it is asked for, all but 7
 * others are there. */
static void keeps_what_arrived_before_a_failure(void **state) {
    enum { GOOD = 30, AT_A_TIME = 8 };
    site_t *site = open_site(*state);
    store_t *store = site->dir->store;
    buffer_t list = BUFFER_EMPTY;
    for (int i = 0; i < GOOD; i++)
        buffer_append_format(&list, "0:%d,", 10 + i);
    buffer_append_text(&list, "0:9");
    set_forbids(site, true);
    char *message = memory_format(
        "%s/collated-activations/0/9.json: the server answers with status 403", site->base);
    IMPORT(import_neurons, store, "", message, "neurons", site->base, "--set", "s", "--neurons",
           list.data);
    free(message);
    uint32_t kept = set_count(store, "s");
    assert_in_range(kept, GOOD + 1 - AT_A_TIME, GOOD);
    set_forbids(site, false);
    char *result = memory_format("set s: %u imported, %u skipped (the set has them); it holds %d\n",
                                 GOOD + 1 - kept, kept, GOOD + 1);
    IMPORT(import_neurons, store, result, NULL, "neurons", site->base, "--set", "s", "--neurons",
           list.data);
    free(result);
    buffer_free(&list);
    close_site(site);
}

static void explanations_over_http(void **state) {
    site_t *site = open_site(*state);
    store_t *store = site->dir->store;
    IMPORT(import_neurons, store, "set s: 3 imported; it holds 3\n", NULL, "neurons", site->base,
           "--set", "s", "--neurons", "1:0,1:1,1:2");
    IMPORT(import_explanations, store, "explanations nv: 2 imported; it holds 2\n",
           "not there: 1:1 (1 in all); the rest was imported", "explanations", site->base, "--as",
           "nv", "--set", "s");
    assert_baseline(store, 1, 2, "e2", 0.5);
    IMPORT(import_explanations, store,
           "explanations nv: 0 imported, 1 skipped (the collection has them); it holds 2\n", NULL,
           "explanations", site->base, "--as", "nv", "--neurons", "1:2");
    close_site(site);
}

static void refuses_bases(void **state) {
    store_dir_t *dir = *state;
    IMPORT(import_neurons, dir->store, "", "ftp://x/y: a base URL starts with http:// or https://",
           "neurons", "ftp://x/y", "--set", "s", "--neurons", "1:1");
    IMPORT(import_neurons, dir->store, "",
           "leave user, password, query and fragment out of the base URL: it is kept in the store "
           "as the origin of the set",
           "neurons", "http://me:secret@x/y", "--set", "s", "--neurons", "1:1");
    IMPORT(import_neurons, dir->store, "",
           "say what to fetch from http://x/y: --neurons L:N,... or @list.csv, or --layers 0-3",
           "neurons", "http://x/y", "--set", "s");
    IMPORT(import_neurons, dir->store, "",
           "--set run/x/: names with a slash at the end are glia's own", "neurons", "x", "--set",
           "run/x/");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(explanations_from_csv, store_dir_setup, store_dir_teardown),
        cmocka_unit_test_setup_teardown(explanations_from_jsonl, store_dir_setup,
                                        store_dir_teardown),
        cmocka_unit_test_setup_teardown(refuses_explanations, store_dir_setup, store_dir_teardown),
        cmocka_unit_test_setup_teardown(neurons_from_a_directory, store_dir_setup,
                                        store_dir_teardown),
        cmocka_unit_test_setup_teardown(refuses_neurons, store_dir_setup, store_dir_teardown),
        cmocka_unit_test_setup_teardown(replaces_from_files, store_dir_setup, store_dir_teardown),
        cmocka_unit_test_setup_teardown(neurons_over_http, store_dir_setup, store_dir_teardown),
        cmocka_unit_test_setup_teardown(keeps_what_arrived_before_a_failure, store_dir_setup,
                                        store_dir_teardown),
        cmocka_unit_test_setup_teardown(explanations_over_http, store_dir_setup,
                                        store_dir_teardown),
        cmocka_unit_test_setup_teardown(refuses_bases, store_dir_setup, store_dir_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
