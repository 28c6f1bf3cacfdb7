/* Tests of agreement.h: Krippendorff's own worked example, and what is undefined. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>

#include "core/base/agreement.h"

#define NONE ((double)NAN)

/* Krippendorff 2011, section D: four observers, twelve units, ratings missing. */
static const double example[12][4] = {
    {1, 1, NONE, 1}, {2, 2, 3, 2},    {3, 3, 3, 3},       {3, 3, 3, 3},
    {2, 2, 2, 2},    {1, 2, 3, 4},    {4, 4, 4, 4},       {1, 1, 2, 1},
    {2, 2, 2, 2},    {NONE, 5, 5, 5}, {NONE, NONE, 1, 1}, {NONE, 3, NONE, NONE},
};

static void assert_about(double got, double published) {
    if (!(fabs(got - published) < 5e-4))
        fail_msg("%.6f instead of %.3f", got, published);
}

static void worked_example(void **state) {
    (void)state;
    assert_about(agreement_alpha(&example[0][0], 12, 4, AGREEMENT_NOMINAL), 0.743);
    assert_about(agreement_alpha(&example[0][0], 12, 4, AGREEMENT_ORDINAL), 0.815);
    assert_about(agreement_alpha(&example[0][0], 12, 4, AGREEMENT_INTERVAL), 0.849);
}

static void ends_of_the_scale(void **state) {
    (void)state;
    const double perfect[] = {1, 1, 5, 5, 3, 3}, opposite[] = {1, 5, 5, 1};
    assert_true(agreement_alpha(perfect, 3, 2, AGREEMENT_ORDINAL) == 1);
    assert_true(agreement_alpha(opposite, 2, 2, AGREEMENT_ORDINAL) < 0);
    const double same[] = {2, 2, 2, 2}, alone[] = {1, NONE, NONE, 2};
    assert_true(isnan(agreement_alpha(same, 2, 2, AGREEMENT_ORDINAL)));
    assert_true(isnan(agreement_alpha(alone, 2, 2, AGREEMENT_ORDINAL)));
    assert_true(isnan(agreement_alpha(NULL, 0, 3, AGREEMENT_ORDINAL)));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(worked_example),
        cmocka_unit_test(ends_of_the_scale),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
