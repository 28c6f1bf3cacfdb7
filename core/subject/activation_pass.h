/* activation_pass.h - one pass over the activations of a layer: power sums, signs
 * and record maxima. */
#ifndef GLIA_SUBJECT_ACTIVATION_PASS_H
#define GLIA_SUBJECT_ACTIVATION_PASS_H

#include <stddef.h>
#include <stdint.h>

enum { ACTIVATION_POWERS = 4 };

/* activations [excerpts * length][neurons], token after token of excerpt after
 * excerpt; for every neuron:
 *   sums[p * stride + neuron]  sum of the (p + 1)-th power, p < ACTIVATION_POWERS, in double, token
 *                              after token
 *   above[neuron]              tokens above zero (excerpts * length < 2^31)
 *   maxima[excerpt * stride + neuron]
 * Overwrites them. The same bits on every processor: sums go down the tokens, never across neurons,
 * and nothing is fused. */
void activation_pass(const float *activations, size_t excerpts, size_t length, size_t neurons,
                     size_t stride, double *sums, int32_t *above, float *maxima);
/* Of these, the maxima alone. */
void activation_maxima(const float *activations, size_t excerpts, size_t length, size_t neurons,
                       size_t stride, float *maxima);

#endif
