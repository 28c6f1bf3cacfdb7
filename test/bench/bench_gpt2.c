/* bench_gpt2.c - tokens a second of the forward pass, beside what sgemm alone would allow
 * at the same shapes.
 *
 *   build/test/bench/bench_gpt2 DIR [WORKERS [EXCERPTS [LENGTH [BATCHES [TURNS]]]]]
 *
 * DIR: a model (bench_weights makes one). Each of WORKERS (2) threads computes BATCHES (3) batches
 * of EXCERPTS (8) excerpts of LENGTH (64) tokens; then it makes only the products with the layers'
 * matrices (attention's are not counted in its favour). In TURNS (3) turns, so that a slow moment
 * hits both; the best of each is printed, as JSON.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

#include "core/base/matrix.h"
#include "core/base/memory.h"
#include "core/base/rng.h"
#include "core/subject/gpt2.h"

typedef struct {
    const gpt2_t *model;
    gpt2_batch_t *batch;
    size_t excerpts, length, batches;
    bool products_only;
    uint32_t *tokens; /* [excerpts][length] */
    /* operands of the products: [n][neurons], [width][neurons] of the largest */
    float *left, *right;
    float *out; /* [n][neurons] */
    double sum; /* of what was computed, so that it is used */
} worker_t;

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

static void visit(void *context, size_t layer, const float *activations) {
    worker_t *worker = context;
    worker->sum += (double)activations[layer];
}

static void products(worker_t *worker) {
    const gpt2_shape_t *shape = gpt2_shape(worker->model);
    size_t n = worker->excerpts * worker->length, d = shape->width, m = shape->neurons;
    for (size_t l = 0; l < shape->layers; l++) {
        /* rows, columns of the matrix */
        const size_t sizes[][2] = {{d, 3 * d}, {d, d}, {d, m}, {m, d}};
        size_t count = l + 1 < shape->layers ? 4 : 3;
        for (size_t i = 0; i < count; i++) {
            size_t rows = sizes[i][0], columns = sizes[i][1];
            matrix_multiply(n, columns, rows, 1, worker->left, rows, worker->right, columns, false,
                            false, worker->out, columns);
        }
    }
}

static void *work(void *context) {
    worker_t *worker = context;
    error_info_t error = {0};
    for (size_t i = 0; i < worker->batches; i++)
        if (worker->products_only)
            products(worker);
        else if (!gpt2_forward(worker->model, worker->batch, worker->tokens, visit, worker, &error))
            abort();
    return NULL;
}

/* Tokens a second of all workers together. */
static double measure(worker_t *workers, size_t count, bool products_only) {
    pthread_t *threads = memory_new(count, sizeof *threads);
    double start = now();
    for (size_t i = 0; i < count; i++) {
        workers[i].products_only = products_only;
        if (pthread_create(&threads[i], NULL, work, &workers[i]) != 0)
            abort();
    }
    for (size_t i = 0; i < count; i++)
        pthread_join(threads[i], NULL);
    double seconds = now() - start;
    free(threads);
    return (double)(count * workers[0].batches * workers[0].excerpts * workers[0].length) / seconds;
}

static float *random_numbers(rng_t *rng, size_t count) {
    float *numbers = memory_new(count, sizeof *numbers);
    for (size_t i = 0; i < count; i++)
        numbers[i] = (float)rng_unit(rng) - 0.5F;
    return numbers;
}

static void prepare(worker_t *worker, const gpt2_t *model, const size_t *numbers, uint64_t seed) {
    const gpt2_shape_t *shape = gpt2_shape(model);
    error_info_t error = {0};
    rng_t rng = rng_create(seed);
    *worker = (worker_t){
        .model = model, .excerpts = numbers[1], .length = numbers[2], .batches = numbers[3]};
    worker->batch = gpt2_batch_create(model, worker->excerpts, worker->length, &error);
    if (!worker->batch) {
        fprintf(stderr, "bench_gpt2: %s\n", error.message);
        exit(1);
    }
    size_t n = worker->excerpts * worker->length,
           widest = shape->neurons > 3 * shape->width ? shape->neurons : 3 * shape->width;
    worker->tokens = memory_new(n, sizeof *worker->tokens);
    for (size_t i = 0; i < n; i++)
        worker->tokens[i] = (uint32_t)rng_below(&rng, shape->vocabulary);
    worker->left = random_numbers(&rng, n * widest);
    worker->right = random_numbers(&rng, shape->width * widest);
    worker->out = memory_new(n * widest, sizeof *worker->out);
}

static void release(worker_t *worker) {
    gpt2_batch_free(worker->batch);
    free(worker->tokens);
    free(worker->left);
    free(worker->right);
    free(worker->out);
}

int main(int count, char **words) {
    size_t numbers[] = {2, 8, 64, 3, 3}; /* workers, excerpts, length, batches, turns */
    if (count < 2 || count > 7) {
        fprintf(stderr, "usage: bench_gpt2 DIR [WORKERS [EXCERPTS [LENGTH [BATCHES [TURNS]]]]]\n");
        return 1;
    }
    for (int i = 2; i < count; i++)
        numbers[i - 2] = strtoull(words[i], NULL, 10);
    error_info_t error = {0};
    subject_files_t *files = subject_files_open(words[1], &error);
    double start = now();
    gpt2_t *model = !files ? NULL : gpt2_load(files, NULL, &error);
    if (!model) {
        fprintf(stderr, "bench_gpt2: %s\n", error.message);
        return 1;
    }
    double load = now() - start, forward = 0, sgemm = 0;
    worker_t *workers = memory_new(numbers[0], sizeof *workers);
    for (size_t i = 0; i < numbers[0]; i++)
        prepare(&workers[i], model, numbers, i);
    for (size_t turn = 0; turn < numbers[4]; turn++) {
        double speed = measure(workers, numbers[0], false),
               alone = measure(workers, numbers[0], true);
        forward = speed > forward ? speed : forward;
        sgemm = alone > sgemm ? alone : sgemm;
    }
    size_t mapped, owned = gpt2_memory(model, &mapped);
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    printf("{\"forward\":%.1f,\"sgemm\":%.1f,\"load_seconds\":%.2f,\"converted_bytes\":%zu,"
           "\"mapped_bytes\":%zu,"
           "\"batch_bytes\":%zu,\"peak_rss_kib\":%ld,\"core\":\"%s\"}\n",
           forward, sgemm, load, owned, mapped, gpt2_batch_memory(workers[0].batch),
           usage.ru_maxrss, matrix_core());
    for (size_t i = 0; i < numbers[0]; i++)
        release(&workers[i]);
    free(workers);
    gpt2_free(model);
    subject_files_close(files);
    return 0;
}
