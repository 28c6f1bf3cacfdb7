/* test_draw.c - which neurons a set works on. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "actors/sweep/draw.h"
#include "actors/sweep/neuron_names.h"
#include "core/base/memory.h"
#include "test/unit/store_dir.h"

/* Layers 0, 1 and 3 of 50 neurons, scores 0.00 to 0.98; the last of each layer has none. */
static draw_t population(void) {
    draw_t list = {150, MEMORY_NEW_ARRAY(150, drawn_t)};
    static const int32_t layers[] = {3, 0, 1};
    for (int32_t i = 0; i < 150; i++)
        list.neurons[i] = (drawn_t){.layer = layers[i / 50],
                                    .index = i % 50,
                                    .score = i % 50 == 49 ? (double)NAN : ((i * 37) % 50) / 50.0};
    return list;
}

static draw_t choose(select_t select, int64_t count, int64_t per_layer, int64_t seed) {
    set_settings_t set = {
        .name = "s", .select = select, .count = count, .per_layer = per_layer, .threshold = 0.6};
    draw_t all = population(), drawn;
    draw_choose(&set, seed, &all, &drawn);
    free(all.neurons);
    return drawn;
}

static bool has(const draw_t *list, const drawn_t *neuron) {
    for (size_t i = 0; i < list->count; i++)
        if (list->neurons[i].layer == neuron->layer && list->neurons[i].index == neuron->index)
            return true;
    return false;
}

static void draws_of_each_layer(void **state) {
    (void)state;
    draw_t drawn = choose(SELECT_RANDOM, 0, 8, 5), again = choose(SELECT_RANDOM, 0, 8, 5);
    draw_t fewer = choose(SELECT_RANDOM, 0, 3, 5), other = choose(SELECT_RANDOM, 0, 8, 6);
    static const int32_t layers[] = {0, 1, 3};
    size_t shared = 0;
    assert_int_equal(drawn.count, 24);
    for (size_t i = 0; i < 24; i++) {
        assert_int_equal(drawn.neurons[i].layer, layers[i / 8]);
        assert_true(i % 8 == 0 || drawn.neurons[i - 1].index < drawn.neurons[i].index);
        assert_int_equal(again.neurons[i].index, drawn.neurons[i].index);
        shared += has(&other, &drawn.neurons[i]) ? 1 : 0;
    }
    assert_true(shared < 24);
    assert_int_equal(fewer.count, 9);
    for (size_t i = 0; i < fewer.count; i++)
        assert_true(has(&drawn, &fewer.neurons[i]));
    free(drawn.neurons);
    free(again.neurons);
    free(fewer.neurons);
    free(other.neurons);
}

static void draws_evenly(void **state) {
    (void)state;
    size_t counts[50] = {0};
    for (int64_t seed = 0; seed < 1000; seed++) {
        draw_t drawn = choose(SELECT_RANDOM, 0, 10, seed);
        for (size_t i = 0; i < 10; i++)
            counts[drawn.neurons[i].index]++;
        free(drawn.neurons);
    }
    for (size_t i = 0; i < 50; i++)
        assert_in_range(counts[i], 140, 260); /* 200 each, +- 12.6 */
}

static void draws_interpretable_ones(void **state) {
    (void)state;
    draw_t drawn = choose(SELECT_RANDOM_INTERPRETABLE, 0, 50, 1),
           few = choose(SELECT_RANDOM_INTERPRETABLE, 7, 50, 1);
    for (size_t i = 0; i < drawn.count; i++)
        assert_true(drawn.neurons[i].score >= 0.6);
    draw_t all = population();
    size_t wanted = 0;
    for (size_t i = 0; i < all.count; i++)
        wanted += all.neurons[i].score >= 0.6 ? 1 : 0;
    assert_int_equal(drawn.count, wanted);
    assert_int_equal(few.count, 7); /* over all layers */
    free(all.neurons);
    free(drawn.neurons);
    free(few.neurons);
}

static void takes_the_best(void **state) {
    (void)state;
    draw_t top = choose(SELECT_TOP, 4, 0, 1), each = choose(SELECT_TOP_PER_LAYER, 0, 2, 1);
    assert_int_equal(top.count, 4);
    for (size_t i = 1; i < 4; i++)
        assert_true(top.neurons[i - 1].score > top.neurons[i].score ||
                    (top.neurons[i - 1].score == top.neurons[i].score &&
                     top.neurons[i - 1].layer < top.neurons[i].layer));
    assert_int_equal(each.count, 6);
    for (size_t i = 0; i < 6; i += 2)
        assert_true(each.neurons[i].layer == each.neurons[i + 1].layer &&
                    each.neurons[i].score > each.neurons[i + 1].score);
    free(top.neurons);
    free(each.neurons);
    draw_t every = choose(SELECT_TOP, 1000, 0, 1);
    assert_int_equal(every.count, 147); /* those without a score are no candidates */
    free(every.neurons);
}

/* --- against a store -------------------------------------------------------------------------- */

static bool put_baselines(store_txn_t *txn, void *context, error_info_t *error) {
    (void)context;
    return baseline_put(txn, "b", 0, 7, "seven", 0.5, error) &&
           baseline_put(txn, "b", 2, 1, "one", 0.9, error) &&
           baseline_put(txn, "b", 2, 5, "five", (double)NAN, error) &&
           baseline_put(txn, "bb", 1, 1, "x", 1, error);
}

static void draws_from_a_collection(void **state) {
    (void)state;
    char *path = store_dir_make();
    store_t *store = store_dir_open(path, STORE_WRITE);
    store_dir_write(store, put_baselines, NULL);
    store_txn_t *txn = store_dir_read(store);
    set_settings_t set = {
        .name = "s", .source = "store:n", .baseline = "b", .select = SELECT_TOP, .count = 10};
    draw_t drawn;
    error_info_t error;
    assert_true(draw_list(txn, &set, 1, NULL, &drawn, &error));
    assert_int_equal(drawn.count, 2);
    assert_int_equal(drawn.neurons[0].layer, 2);
    assert_int_equal(drawn.neurons[1].index, 7);
    free(drawn.neurons);
    record_set_t nothing = {.count = 0};
    assert_false(draw_set(txn, &set, 1, &nothing, &drawn, &error));
    assert_string_equal(
        error.message,
        "sets.s: 2 of 2 neurons have no record in store:n (2:1, 0:7); list them with `glia "
        "export set s --draw` and fetch them with `glia import neurons`");
    set.baseline = "none";
    assert_false(draw_list(txn, &set, 1, NULL, &drawn, &error));
    assert_string_equal(
        error.message,
        "sets.s.baseline: the store has no explanations \"none\"; see `glia import --help`");
    store_read_end(txn);
    store_close(store);
    store_dir_remove(path);
}

/* The frozen list of the paper: 20 neurons of each of 48 layers, all with a score at or
 * above the threshold. */
static void reads_the_published_list(void **state) {
    (void)state;
    neuron_name_list_t list;
    if (!neuron_names_parse("@../shared/data/paper/neurons_to_evaluate.csv", &list, NULL)) {
        print_message("../shared/data/paper is not here: skipped\n");
        skip();
    }
    size_t layers[48] = {0};
    assert_int_equal(list.count, 960);
    for (size_t i = 0; i < list.count; i++)
        layers[list.names[i].layer]++;
    for (size_t i = 0; i < 48; i++)
        assert_int_equal(layers[i], 20);
    free(list.names);
    /* The published explanations of the random set lack a layer. */
    assert_true(neuron_names_parse("@../shared/data/paper/random_GPT35_results.csv", &list, NULL));
    memset(layers, 0, sizeof layers);
    for (size_t i = 0; i < list.count; i++)
        layers[list.names[i].layer]++;
    for (size_t i = 0; i < 48; i++)
        assert_true((layers[i] == 0) == (i == 31));
    free(list.names);
}

static void describes(void **state) {
    (void)state;
    static const char *const some[] = {"layer:3", "0:1", "0:2", "0:3"};
    set_settings_t set = {.select = SELECT_TOP, .count = 12};
    static const struct {
        select_t select;
        size_t neurons;
        const char *text;
    } cases[] = {{SELECT_ALL, 0, "all"},
                 {SELECT_ALL, 1, "layer:3"},
                 {SELECT_TOP, 0, "top 12"},
                 {SELECT_TOP, 4, "top 12, of layer:3, 0:1, 0:2 and 1 more"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        set.select = cases[i].select;
        set.neurons = some;
        set.neuron_count = cases[i].neurons;
        char *text = draw_describe(&set);
        assert_string_equal(text, cases[i].text);
        free(text);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(draws_of_each_layer),
        cmocka_unit_test(draws_evenly),
        cmocka_unit_test(draws_interpretable_ones),
        cmocka_unit_test(takes_the_best),
        cmocka_unit_test(draws_from_a_collection),
        cmocka_unit_test(reads_the_published_list),
        cmocka_unit_test(describes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
