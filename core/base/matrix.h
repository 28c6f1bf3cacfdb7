/* matrix.h - linear algebra on OpenBLAS; matrix.c is the file that includes cblas.h.
 *
 * The library is loaded at the first call, and computes on the calling thread: threads of its own
 * would fight with the executor's workers. A program that cannot load it says so and aborts.
 *
 * OpenBLAS chooses its kernels by the processor, and sums in another order give other last bits.
 * Results that reach a table are therefore computed in double precision, where that difference is
 * far below any digit that is shown.
 */
#ifndef GLIA_BASE_MATRIX_H
#define GLIA_BASE_MATRIX_H

#include <stdbool.h>
#include <stddef.h>

/* Cosine similarity of two vectors [n]: a.b / (|a| |b|), in [-1, 1]; exactly 1 for equal vectors.
 * NaN if either norm is 0 or a member is not finite. No finite member is too large or too small:
 * sums are of doubles. Thread-safe, does not block. */
double matrix_cosine(const float *a, const float *b, size_t n);

/* C = scale * A op(B) + (add ? C : 0) in single precision: A is [m][k], op(B) [k][n], C [m][n],
 * where B is [k][n], or [n][k] if `transposed`. Rows of A, B and C lie lda, ldb and ldc floats
 * apart (at least their length); C overlaps neither A nor B. Sizes are below 2^31. The same sizes
 * give the same bits with the same kernels (matrix_core()). Thread-safe. */
void matrix_multiply(size_t m, size_t n, size_t k, float scale, const float *a, size_t lda,
                     const float *b, size_t ldb, bool transposed, bool add, float *c, size_t ldc);

/* The name of the kernels that OpenBLAS chose for this processor: "Haswell",
 * "SkylakeX", "Zen", ... */
const char *matrix_core(void);

#endif
