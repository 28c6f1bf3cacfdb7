/* Tests of rng.h: the reference numbers, ranges, uniformity, independence of forks. */
/* clang-format off */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */

#include <math.h>
#include <string.h>

#include "core/base/rng.h"

static void reference_numbers(void **state) {
    (void)state;
    /* first numbers of the authors' xoshiro256starstar.c from this state */
    rng_t rng = {{1, 2, 3, 4}};
    assert_true(rng_next(&rng) == 11520);
    assert_true(rng_next(&rng) == 0);
    assert_true(rng_next(&rng) == 1509978240);
    assert_true(rng_next(&rng) == UINT64_C(1215971899390074240));
    rng = rng_create(0); /* the state is splitmix64's first four numbers from 0 */
    assert_true(rng.state[0] == UINT64_C(0xe220a8397b1dcdaf));
    assert_true(rng.state[1] == UINT64_C(0x6e789e6aa1b965f4));
    assert_true(rng.state[2] == UINT64_C(0x06c45d188009454f));
    assert_true(rng.state[3] == UINT64_C(0xf88bb8a8724c81ec));
    assert_true(rng_next(&rng) == UINT64_C(11091344671253066420));
}

static void below_is_in_range_and_uniform(void **state) {
    (void)state;
    rng_t rng = rng_create(7);
    assert_true(rng_below(&rng, 0) == 0);
    assert_true(rng_below(&rng, 1) == 0);
    size_t seen[6] = {0};
    for (int i = 0; i < 60000; i++) {
        uint64_t value = rng_below(&rng, 6);
        assert_true(value < 6);
        seen[value]++;
    }
    for (size_t i = 0; i < 6; i++)
        assert_in_range(seen[i], 9600, 10400); /* 10000, 4 standard deviations: 365 */
    /* With 3 * 2^62 a remainder without rejection falls in the lowest third half of the time. */
    uint64_t bound = UINT64_C(3) << 62;
    size_t low = 0;
    for (int i = 0; i < 30000; i++) {
        uint64_t value = rng_below(&rng, bound);
        assert_true(value < bound);
        low += value < bound / 3;
    }
    assert_in_range(low, 9600, 10400);
    for (int i = 0; i < 100; i++)
        assert_true(rng_below(&rng, UINT64_MAX) < UINT64_MAX);
}

static void unit_and_normal(void **state) {
    (void)state;
    rng_t rng = rng_create(11);
    double sum = 0;
    double normal_sum = 0;
    double normal_square = 0;
    const int count = 100000;
    for (int i = 0; i < count; i++) {
        double unit = rng_unit(&rng);
        assert_true(unit >= 0 && unit < 1);
        sum += unit;
        double normal = rng_normal(&rng);
        assert_true(isfinite(normal));
        normal_sum += normal;
        normal_square += normal * normal;
    }
    assert_true(fabs(sum / count - 0.5) < 0.005);
    assert_true(fabs(normal_sum / count) < 0.02);
    assert_true(fabs(normal_square / count - 1) < 0.03);
    /* a state whose next number has its highest 53 bits nearly all set */
    rng_t greatest = {{0, UINT64_MAX, 0, 0}};
    assert_true(rng_unit(&greatest) < 1);
}

static void forks_are_independent(void **state) {
    (void)state;
    rng_t a = rng_create(5);
    rng_t b = rng_create(5);
    rng_t first = rng_fork(&a, 0);
    rng_t same = rng_fork(&b, 0);
    assert_true(rng_next(&first) == rng_next(&same));
    rng_next(&b); /* both advanced once before this */
    rng_next(&a);
    assert_memory_equal(&a, &b, sizeof a);
    rng_t c = a;
    rng_t other = rng_fork(&c, 1);
    rng_t zero = rng_fork(&a, 0);
    int equal = 0;
    for (int i = 0; i < 1000; i++)
        equal += rng_next(&other) == rng_next(&zero);
    assert_int_equal(equal, 0);
}

static void shuffles_are_fair_permutations(void **state) {
    (void)state;
    rng_t rng = rng_create(3);
    size_t seen[4][4] = {{0}};
    for (int round = 0; round < 24000; round++) {
        size_t indices[4] = {0, 1, 2, 3};
        rng_shuffle(&rng, indices, 4);
        unsigned mask = 0;
        for (size_t i = 0; i < 4; i++) {
            mask |= 1U << indices[i];
            seen[i][indices[i]]++;
        }
        assert_int_equal(mask, 15);
    }
    for (size_t i = 0; i < 4; i++)
        for (size_t j = 0; j < 4; j++)
            assert_in_range(seen[i][j], 5700, 6300);
    rng_shuffle(&rng, NULL, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reference_numbers),
        cmocka_unit_test(below_is_in_range_and_uniform),
        cmocka_unit_test(unit_and_normal),
        cmocka_unit_test(forks_are_independent),
        cmocka_unit_test(shuffles_are_fair_permutations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
