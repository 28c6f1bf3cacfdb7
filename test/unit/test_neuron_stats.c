/* test_neuron_stats.c - what is kept of neurons, against a second count of the plainest kind over
 * the same activations.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/memory.h"
#include "core/base/rng.h"
#include "core/subject/neuron_stats.h"

enum { LAYERS = 3, NEURONS = 70, LENGTH = 6, BATCH = 8, TOP = 5, RANDOM = 4, BAND = 3 };

typedef struct {
    size_t excerpts;
    float *values; /* [layers][excerpts][LENGTH][NEURONS] */
    bool of_tokens;
    bool all;
} world_t;

static float *at(const world_t *world, size_t layer, size_t excerpt, size_t token, size_t neuron) {
    return &world
                ->values[((layer * world->excerpts + excerpt) * LENGTH + token) * NEURONS + neuron];
}

static world_t world_create(size_t excerpts) {
    world_t world = {.excerpts = excerpts,
                     .values = MEMORY_NEW_ARRAY(LAYERS * excerpts * LENGTH * NEURONS, float)};
    rng_t rng = rng_create(7);
    for (size_t l = 0; l < LAYERS; l++)
        for (size_t e = 0; e < excerpts; e++)
            for (size_t t = 0; t < LENGTH; t++)
                for (size_t n = 0; n < NEURONS; n++) {
                    double value = rng_normal(&rng);
                    /* Neuron 2 has few values, so that there are ties; 3 is constant. */
                    *at(&world, l, e, t, n) = n == 2   ? (float)(int)value
                                              : n == 3 ? 0.25f
                                                       : (float)value - 0.3f;
                }
    return world;
}

static const uint32_t some[] = {0, 2, 3, 11, 69};

static neuron_stats_t *create(const world_t *world) {
    static uint32_t every[NEURONS];
    for (uint32_t i = 0; i < NEURONS; i++)
        every[i] = i;
    size_t counts[LAYERS] = {NEURONS, world->all ? NEURONS : 0, world->all ? NEURONS : 5};
    const uint32_t *chosen[LAYERS] = {every, every, world->all ? every : some};
    neuron_stats_options_t options = {.layers = LAYERS,
                                      .neurons = NEURONS,
                                      .counts = counts,
                                      .chosen = chosen,
                                      .excerpts = world->excerpts,
                                      .length = LENGTH,
                                      .top = TOP,
                                      .random = RANDOM,
                                      .band = BAND,
                                      .of_tokens = world->of_tokens,
                                      .seed = 42};
    return neuron_stats_create(&options);
}

static void visit_batch(const world_t *world, neuron_stats_batch_t *batch, const uint32_t *excerpts,
                        size_t count) {
    neuron_stats_batch_start(batch, excerpts, count);
    float *activations = MEMORY_NEW_ARRAY(BATCH * LENGTH * NEURONS, float);
    for (size_t l = 0; l < LAYERS; l++) {
        for (size_t e = 0; e < count; e++)
            memcpy(activations + e * LENGTH * NEURONS, at(world, l, excerpts[e], 0, 0),
                   LENGTH * NEURONS * sizeof(float));
        neuron_stats_visit(batch, l, activations);
    }
    free(activations);
}

/* Goes on from where `stats` is. `swap`: two batches at once, visited in the other order. */
static void pass(const world_t *world, neuron_stats_t *stats, const uint32_t *excerpts,
                 size_t count, size_t stop, bool swap) {
    neuron_stats_batch_t *batches[2] = {neuron_stats_batch_create(stats, BATCH),
                                        neuron_stats_batch_create(stats, BATCH)};
    for (size_t from = neuron_stats_merged(stats); from < count && from < stop;) {
        size_t first = count - from < BATCH ? count - from : BATCH;
        size_t second = !swap || from + first >= stop  ? 0
                        : count - from - first < BATCH ? count - from - first
                                                       : BATCH;
        if (second)
            visit_batch(world, batches[1], excerpts + from + first, second);
        visit_batch(world, batches[0], excerpts + from, first);
        neuron_stats_merge(stats, batches[0]);
        if (second)
            neuron_stats_merge(stats, batches[1]);
        from += first + second;
    }
    neuron_stats_batch_free(batches[0]);
    neuron_stats_batch_free(batches[1]);
}

static void go_over_all(const world_t *world, neuron_stats_t *stats, size_t stop, bool swap) {
    uint32_t *all = MEMORY_NEW_ARRAY(world->excerpts, uint32_t);
    for (size_t i = 0; i < world->excerpts; i++)
        all[i] = (uint32_t)i;
    pass(world, stats, all, world->excerpts, stop, swap);
    free(all);
}

static void finish(const world_t *world, neuron_stats_t *stats, size_t stop, bool swap) {
    const uint32_t *sample;
    size_t count;
    neuron_stats_sample(stats, &sample, &count);
    assert_int_equal(count,
                     world->excerpts < NEURON_STATS_SAMPLE ? world->excerpts : NEURON_STATS_SAMPLE);
    pass(world, stats, sample, count, stop, swap);
}

static float maximum(const world_t *world, size_t layer, size_t excerpt, size_t neuron) {
    float most = -INFINITY;
    for (size_t t = 0; t < LENGTH; t++)
        most = fmaxf(most, *at(world, layer, excerpt, t, neuron));
    return most;
}

static void check_top(const world_t *world, const neuron_record_t *neuron,
                      const uint32_t *numbers) {
    size_t layer = (size_t)neuron->layer, index = (size_t)neuron->index;
    assert_int_equal(neuron->top.count, TOP);
    for (size_t i = 0; i < TOP; i++) {
        float own = maximum(world, layer, numbers[i], index);
        size_t better = 0;
        for (size_t e = 0; e < world->excerpts; e++) {
            float other = maximum(world, layer, e, index);
            better += other > own || (other == own && e < numbers[i]);
        }
        assert_int_equal(better, i);
    }
}

static void check_moments(const world_t *world, const neuron_record_t *neuron) {
    double n = (double)(world->excerpts * LENGTH), mean = 0, moments[3] = {0}, above = 0;
    for (size_t e = 0; e < world->excerpts; e++)
        for (size_t t = 0; t < LENGTH; t++) {
            double x = (double)*at(world, (size_t)neuron->layer, e, t, (size_t)neuron->index);
            mean += x / n;
            above += x > 0;
        }
    for (size_t e = 0; e < world->excerpts; e++)
        for (size_t t = 0; t < LENGTH; t++) {
            double d =
                (double)*at(world, (size_t)neuron->layer, e, t, (size_t)neuron->index) - mean;
            for (int i = 0; i < 3; i++)
                moments[i] += pow(d, i + 2) / n;
        }
    assert_true(fabs(neuron->mean - mean) < 1e-12 && fabs(neuron->variance - moments[0]) < 1e-11);
    assert_true(neuron->has_above_zero && neuron->above_zero == above / n);
    if (neuron->index == 3) {
        assert_true(isnan(neuron->skewness) && isnan(neuron->kurtosis));
        return;
    }
    assert_true(fabs(neuron->skewness - moments[1] / pow(moments[0], 1.5)) < 1e-10);
    assert_true(fabs(neuron->kurtosis - moments[2] / (moments[0] * moments[0])) < 1e-10);
}

static void check_lists(const world_t *world, const neuron_record_t *neuron,
                        const uint32_t *numbers) {
    const record_list_t *lists[2 + NEURON_BANDS] = {&neuron->top, &neuron->random};
    for (size_t i = 0; i < NEURON_BANDS; i++)
        lists[2 + i] = &neuron->bands[i];
    size_t number = 0;
    for (size_t l = 0; l < 2 + NEURON_BANDS; l++) {
        size_t start = number;
        for (size_t i = 0; i < lists[l]->count; i++, number++) {
            float most = -INFINITY;
            for (size_t t = 0; t < LENGTH; t++) {
                float value = lists[l]->records[i].activations[t];
                assert_true(value == *at(world, (size_t)neuron->layer, numbers[number], t,
                                         (size_t)neuron->index));
                most = fmaxf(most, value);
            }
            for (size_t j = start; j < number; j++)
                assert_int_not_equal(numbers[j], numbers[number]);
            if (l >= 2 + 1)
                assert_true((double)most > neuron->quantiles[l - 3]);
            if (l >= 2 && l < 2 + NEURON_QUANTILES)
                assert_true((double)most <= neuron->quantiles[l - 2]);
        }
    }
    assert_int_equal(neuron->random.count, RANDOM);
    /* Of neurons whose values are not a few alone, the bands fill up. */
    for (size_t i = 0; neuron->index > 3 && !world->of_tokens && i < NEURON_BANDS - 1; i++)
        assert_int_equal(neuron->bands[i].count, BAND);
}

static int compare(const void *a, const void *b) {
    float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

/* Exact here: there are few excerpts. */
static void check_quantiles(const world_t *world, const neuron_record_t *neuron) {
    static const double quantiles[] = {0.5, 0.9, 0.99, 0.999};
    float *maxima = MEMORY_NEW_ARRAY(world->excerpts, float);
    for (size_t e = 0; e < world->excerpts; e++)
        maxima[e] = maximum(world, (size_t)neuron->layer, e, (size_t)neuron->index);
    qsort(maxima, world->excerpts, sizeof *maxima, compare);
    for (size_t i = 0; i < 4; i++)
        assert_true(neuron->quantiles[i] ==
                    (double)maxima[(size_t)ceil(quantiles[i] * (double)world->excerpts) - 1]);
    free(maxima);
}

static void check_all(const world_t *world, bool swap) {
    neuron_stats_t *stats = create(world);
    assert_int_equal(neuron_stats_count(stats), world->all ? LAYERS * NEURONS : NEURONS + 5);
    go_over_all(world, stats, SIZE_MAX, swap);
    finish(world, stats, SIZE_MAX, swap);
    for (size_t i = 0; i < neuron_stats_count(stats); i++) {
        uint32_t *numbers;
        neuron_record_t *neuron = neuron_stats_neuron(stats, i, &numbers);
        if (i >= NEURONS && !world->all) {
            assert_int_equal(neuron->layer, 2);
            assert_int_equal(neuron->index, some[i - NEURONS]);
        }
        check_top(world, neuron, numbers);
        check_moments(world, neuron);
        check_lists(world, neuron, numbers);
        if (!world->of_tokens)
            check_quantiles(world, neuron);
        neuron_record_free(neuron);
        free(numbers);
    }
    neuron_stats_free(stats);
}

static void test_everything(void **state) {
    (void)state;
    world_t world = world_create(1301); /* more than the sample, and no multiple of the batch */
    check_all(&world, false);
    world.all = true;
    check_all(&world, true);
    world.of_tokens = true;
    check_all(&world, false);
    free(world.values);
}

static void same_list(const record_list_t *a, const record_list_t *b) {
    assert_int_equal(a->count, b->count);
    for (size_t i = 0; i < a->count; i++)
        assert_memory_equal(a->records[i].activations, b->records[i].activations,
                            LENGTH * sizeof(float));
}

/* The same records to the byte. (Where in memory they are kept depends on the order of visits.) */
static void same(const neuron_stats_t *a, const neuron_stats_t *b) {
    for (size_t i = 0; i < neuron_stats_count(a); i++) {
        uint32_t *left_numbers, *right_numbers;
        neuron_record_t *left = neuron_stats_neuron(a, i, &left_numbers);
        neuron_record_t *right = neuron_stats_neuron(b, i, &right_numbers);
        size_t count = left->top.count + left->random.count;
        same_list(&left->top, &right->top);
        same_list(&left->random, &right->random);
        for (size_t band = 0; band < NEURON_BANDS; band++) {
            same_list(&left->bands[band], &right->bands[band]);
            count += left->bands[band].count;
        }
        assert_memory_equal(left_numbers, right_numbers, count * sizeof *left_numbers);
        assert_memory_equal(left->quantiles, right->quantiles, sizeof left->quantiles);
        const double moments[][2] = {{left->mean, right->mean},
                                     {left->variance, right->variance},
                                     {left->skewness, right->skewness},
                                     {left->kurtosis, right->kurtosis},
                                     {left->above_zero, right->above_zero}};
        for (size_t m = 0; m < sizeof moments / sizeof moments[0]; m++)
            assert_memory_equal(&moments[m][0], &moments[m][1], sizeof(double));
        neuron_record_free(left);
        neuron_record_free(right);
        free(left_numbers);
        free(right_numbers);
    }
}

static neuron_stats_t *carry_over(const world_t *world, neuron_stats_t *from) {
    neuron_stats_t *to = create(world);
    assert_true(neuron_stats_resume(to, neuron_stats_sampling(from), neuron_stats_merged(from)));
    size_t count, other;
    neuron_stats_piece_t *left = neuron_stats_pieces(from, &count),
                         *right = neuron_stats_pieces(to, &other);
    assert_int_equal(count, other);
    for (size_t i = 0; i < count; i++)
        memcpy(right[i].bytes, left[i].bytes, left[i].size);
    free(left);
    free(right);
    neuron_stats_free(from);
    return to;
}

/* Interrupted in both passes, and visited in another order: the same bytes. */
static void test_resume(void **state) {
    (void)state;
    world_t world = world_create(2500); /* the sketch is not exact any more */
    neuron_stats_t *whole = create(&world), *part = create(&world);
    go_over_all(&world, whole, SIZE_MAX, true);
    go_over_all(&world, part, 1100, false);
    part = carry_over(&world, part);
    go_over_all(&world, part, SIZE_MAX, false);
    finish(&world, whole, SIZE_MAX, true);
    finish(&world, part, 300, false);
    part = carry_over(&world, part);
    finish(&world, part, SIZE_MAX, false);
    same(whole, part);
    assert_false(neuron_stats_resume(part, false, 2501));
    neuron_stats_free(whole);
    neuron_stats_free(part);
    free(world.values);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_everything),
        cmocka_unit_test(test_resume),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
