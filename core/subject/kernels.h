/* kernels.h - the loops of the forward pass that are not matrix products, written so that
 * compilers vectorise them.
 *
 * Every result is the same bits on every x86-64 processor: no fused multiply-add, sums in
 * KERNEL_LANES partial sums whatever the vector width. Matrices are row after row. Nothing
 * blocks; thread-safe.
 */
#ifndef GLIA_SUBJECT_KERNELS_H
#define GLIA_SUBJECT_KERNELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { KERNEL_LANES = 16 };

/* out [rows][columns]: each row of `in`, less its mean, over sqrt(its variance + epsilon), times
 * gain [columns], plus bias [columns]. The variance is the mean square of what is left after the
 * mean; two passes. */
void kernel_layer_norm(const float *in, size_t rows, size_t columns, const float *gain,
                       const float *bias, float epsilon, float *out);
/* out [rows][columns]: each row becomes `row`, or gets it added. */
void kernel_fill_rows(float *out, size_t rows, size_t columns, const float *row);
void kernel_add_rows(float *out, size_t rows, size_t columns, const float *row);
/* out [columns] = a + b */
void kernel_sum(const float *a, const float *b, size_t columns, float *out);
/* In place on [size][size]: row i becomes the softmax of its first i + 1 elements; the
 * others become 0. */
void kernel_causal_softmax(float *scores, size_t size);
/* In place; see gpt2_gelu_t for the formulas. Within 1e-6 relative + 1e-6 absolute of them for
 * every finite float. Returns whether all results are finite. */
bool kernel_gelu_new(float *values, size_t count);
bool kernel_gelu(float *values, size_t count);

/* Little-endian elements of any alignment to float32, exactly; signalling NaNs may become quiet. */
void kernel_convert_f16(const uint8_t *in, size_t count, float *out);
void kernel_convert_bf16(const uint8_t *in, size_t count, float *out);
bool kernel_all_finite(const float *values, size_t count);

#endif
