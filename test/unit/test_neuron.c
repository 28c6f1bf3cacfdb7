/* test_neuron.c - splits, thresholds and maxima of neuron records. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>

#include "core/base/memory.h"
#include "core/neuron/neuron.h"

static record_list_t empty_records(size_t count) {
    return (record_list_t){.count = count, .records = MEMORY_NEW_ARRAY(count, activation_record_t)};
}

static neuron_record_t *neuron_of(neuron_source_t source, size_t top, size_t random) {
    neuron_record_t *neuron = MEMORY_NEW(neuron_record_t);
    *neuron = (neuron_record_t){.source = source, .threshold = NAN};
    neuron->top = empty_records(top);
    neuron->random = empty_records(random);
    return neuron;
}

/* `expected`: indices of top records, then -1 - index of random ones. */
static void assert_split(const neuron_record_t *neuron, split_t split, size_t count,
                         const int *expected) {
    split_list_t list = neuron_split(neuron, split);
    assert_int_equal(list.count, count);
    for (size_t i = 0; i < count; i++) {
        const activation_record_t *record = expected[i] >= 0
                                                ? &neuron->top.records[expected[i]]
                                                : &neuron->random.records[-1 - expected[i]];
        assert_ptr_equal(list.records[i], record);
    }
    neuron_split_free(&list);
    assert_int_equal(list.count, 0);
}

static void splits_of_a_subject_neuron(void **state) {
    (void)state;
    /* only 20 and 15 take part */
    neuron_record_t *neuron = neuron_of(NEURON_SOURCE_SUBJECT, 25, 18);
    assert_split(neuron, SPLIT_TRAIN, 5, (int[]){0, 4, 8, 12, 16});
    assert_split(neuron, SPLIT_CALIBRATION, 10, (int[]){1, 5, 9, 13, 17, -1, -4, -7, -10, -13});
    assert_split(neuron, SPLIT_VALID, 10, (int[]){2, 6, 10, 14, 18, -2, -5, -8, -11, -14});
    assert_split(neuron, SPLIT_TEST, 10, (int[]){3, 7, 11, 15, 19, -3, -6, -9, -12, -15});
    neuron_record_free(neuron);
    neuron = neuron_of(NEURON_SOURCE_SUBJECT, 3, 1); /* what is there is taken */
    assert_split(neuron, SPLIT_TRAIN, 1, (int[]){0});
    assert_split(neuron, SPLIT_CALIBRATION, 2, (int[]){1, -1});
    assert_split(neuron, SPLIT_VALID, 1, (int[]){2});
    assert_split(neuron, SPLIT_TEST, 0, NULL);
    neuron_record_free(neuron);
}

static void splits_of_others(void **state) {
    (void)state;
    for (neuron_source_t source = NEURON_SOURCE_PUZZLE; source <= NEURON_SOURCE_RECORDS; source++) {
        neuron_record_t *neuron = neuron_of(source, 3, 2);
        assert_split(neuron, SPLIT_TRAIN, 3, (int[]){0, 1, 2});
        assert_split(neuron, SPLIT_CALIBRATION, 0, NULL);
        assert_split(neuron, SPLIT_VALID, 2, (int[]){-1, -2});
        assert_split(neuron, SPLIT_TEST, 0, NULL);
        neuron_record_free(neuron);
    }
}

static void thresholds(void **state) {
    (void)state;
    double threshold = 0;
    neuron_record_t *neuron = neuron_of(NEURON_SOURCE_SUBJECT, 0, 0);
    assert_false(neuron_threshold(neuron, &threshold));
    assert_true(isnan(threshold));
    neuron->quantiles[0] = 0.25;
    neuron->quantiles[1] = 1.75;
    neuron->has_quantiles = true;
    assert_true(neuron_threshold(neuron, &threshold));
    assert_true(threshold == 1.75); /* the 0.9 boundary */
    neuron->threshold = 0;
    assert_true(neuron_threshold(neuron, &threshold));
    assert_true(threshold == 0);
    neuron_record_free(neuron);
    neuron = neuron_of(NEURON_SOURCE_PUZZLE, 0, 0);
    assert_true(neuron_threshold(neuron, &threshold));
    assert_true(threshold == 1);
    neuron->source = NEURON_SOURCE_RECORDS;
    assert_true(neuron_threshold(neuron, &threshold));
    assert_true(threshold == 1);
    neuron_record_free(neuron);
}

static void maximum(void **state) {
    (void)state;
    float first[] = {-3, -1.5F}, second[] = {-2};
    const activation_record_t a = {.count = 2, .activations = first},
                              b = {.count = 1, .activations = second};
    const activation_record_t *records[] = {&b, &a};
    split_list_t list = {.count = 2, .records = records};
    assert_true(neuron_max_activation(&list) == -1.5F); /* the largest, even if none is positive */
    second[0] = 7;
    assert_true(neuron_max_activation(&list) == 7);
    list.count = 0;
    assert_true(neuron_max_activation(&list) == 0);
}

static void freeing_nothing(void **state) {
    (void)state;
    neuron_record_free(NULL);
    activation_record_t record = {0};
    activation_record_free(&record);
    split_list_t list = {0};
    neuron_split_free(&list);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(splits_of_a_subject_neuron),
        cmocka_unit_test(splits_of_others),
        cmocka_unit_test(thresholds),
        cmocka_unit_test(maximum),
        cmocka_unit_test(freeing_nothing),
    };
    return cmocka_run_group_tests_name("neuron", tests, NULL, NULL);
}
