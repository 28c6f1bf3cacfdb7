/* matrix.c - the wrapper of OpenBLAS. */
#include "core/base/matrix.h"

#include <cblas.h>
#include <math.h>
#include <stdlib.h>

enum { BLOCK = 1024 }; /* doubles on the stack a turn */

static void widen(const float *from, double *to, size_t count) {
    for (size_t i = 0; i < count; i++)
        to[i] = (double)from[i];
}

double matrix_cosine(const float *a, const float *b, size_t n) {
    double left[BLOCK], right[BLOCK];
    double product = 0, left_square = 0, right_square = 0;
    for (size_t done = 0; done < n; done += BLOCK) {
        int count = (int)(n - done < BLOCK ? n - done : BLOCK);
        widen(a + done, left, (size_t)count);
        widen(b + done, right, (size_t)count);
        product += cblas_ddot(count, left, 1, right, 1);
        left_square += cblas_ddot(count, left, 1, left, 1);
        right_square += cblas_ddot(count, right, 1, right, 1);
    }
    if (!(left_square > 0) || !(right_square > 0))
        return NAN;
    /* The root of a square is exact, so equal vectors give exactly 1. Squares of floats are 1e-90 .. 1e77: the product
     * of two sums of them is in the range of a double. */
    double cosine = product / sqrt(left_square * right_square);
    return cosine > 1 ? 1 : cosine < -1 ? -1 : cosine;
}

/* Before any library is initialised: OpenBLAS starts a thread a processor when it is loaded, and they wait for work by
 * spinning, 25 ms of CPU in every process that never multiplies anything. */
static void keep_openblas_small(void) {
    setenv("OPENBLAS_NUM_THREADS", "1", 1);
}

__attribute__((section(".preinit_array"), used)) static void (*const before_libraries)(void) = keep_openblas_small;

void matrix_single_thread(void) {
    openblas_set_num_threads(1);
}

void matrix_multiply(size_t m, size_t n, size_t k, float scale, const float *a, size_t lda, const float *b, size_t ldb,
                     bool transposed, bool add, float *c, size_t ldc) {
    cblas_sgemm(CblasRowMajor, CblasNoTrans, transposed ? CblasTrans : CblasNoTrans, (int)m, (int)n, (int)k, scale, a,
                (int)lda, b, (int)ldb, add ? 1.0F : 0.0F, c, (int)ldc);
}

const char *matrix_core(void) {
    return openblas_get_corename();
}
