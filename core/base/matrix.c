/* matrix.c - the wrapper of OpenBLAS, which is loaded when it is first needed: most commands never
 * multiply, and it is the largest of all libraries.
 */
#include "core/base/matrix.h"

#include <cblas.h>
#include <dlfcn.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

enum { BLOCK = 1024 }; /* doubles on the stack a turn */

/* --- the library ------------------------------------------------------------------------------ */

static struct {
    __typeof__(cblas_ddot) *ddot;
    __typeof__(cblas_sgemm) *sgemm;
    __typeof__(openblas_get_corename) *corename;
} blas;
static pthread_once_t once = PTHREAD_ONCE_INIT;

/* Threads of its own, one a processor, would spin while they wait for work; glia has
 * workers. It looks once, when it is loaded; set before there are threads, since setenv must
 * not meet a getenv. */
static __attribute__((constructor)) void keep_openblas_small(void) {
    setenv("OPENBLAS_NUM_THREADS", "1", 1);
}

/* `function`: the address of a pointer to a function. */
static void find(void *library, const char *name, void *function) {
    void *found = library ? dlsym(library, name) : NULL;
    if (!found) {
        fprintf(stderr, "glia: OpenBLAS cannot be used: %s\n", dlerror());
        abort();
    }
    *(void **)function = found;
}

static void load(void) {
    /* for the life of the program */
    void *library = dlopen("libopenblas.so.0", RTLD_NOW | RTLD_LOCAL);
    void (*set_threads)(int);
    find(library, "cblas_ddot", &blas.ddot);
    find(library, "cblas_sgemm", &blas.sgemm);
    find(library, "openblas_get_corename", &blas.corename);
    find(library, "openblas_set_num_threads", &set_threads);
    set_threads(1); /* builds with OpenMP have other ideas */
}

static void must_have_blas(void) {
    pthread_once(&once, load);
}

/* --- what is done with it --------------------------------------------------------------------- */

static void widen(const float *from, double *to, size_t count) {
    for (size_t i = 0; i < count; i++)
        to[i] = (double)from[i];
}

double matrix_cosine(const float *a, const float *b, size_t n) {
    double left[BLOCK], right[BLOCK];
    must_have_blas();
    double product = 0, left_square = 0, right_square = 0;
    for (size_t done = 0; done < n; done += BLOCK) {
        int count = (int)(n - done < BLOCK ? n - done : BLOCK);
        widen(a + done, left, (size_t)count);
        widen(b + done, right, (size_t)count);
        product += blas.ddot(count, left, 1, right, 1);
        left_square += blas.ddot(count, left, 1, left, 1);
        right_square += blas.ddot(count, right, 1, right, 1);
    }
    if (!(left_square > 0) || !(right_square > 0))
        return NAN;
    /* The root of a square is exact, so equal vectors give exactly 1. Squares of floats are 1e-90
     * .. 1e77: the product of two sums of them is in the range of a double. */
    double cosine = product / sqrt(left_square * right_square);
    return cosine > 1 ? 1 : cosine < -1 ? -1 : cosine;
}

void matrix_multiply(size_t m, size_t n, size_t k, float scale, const float *a, size_t lda,
                     const float *b, size_t ldb, bool transposed, bool add, float *c, size_t ldc) {
    must_have_blas();
    blas.sgemm(CblasRowMajor, CblasNoTrans, transposed ? CblasTrans : CblasNoTrans, (int)m, (int)n,
               (int)k, scale, a, (int)lda, b, (int)ldb, add ? 1.0F : 0.0F, c, (int)ldc);
}

const char *matrix_core(void) {
    must_have_blas();
    return blas.corename();
}
