/* bench_statistics.c - what the statistics of a recording cost, without the model.
 *
 *   build/test/bench/bench_statistics [WORKERS [LAYERS [NEURONS [LENGTH [EXCERPTS [ANNOUNCED]]]]]]
 *
 * Each of WORKERS (2) threads makes up activations of batches of 512 tokens in excerpts of LENGTH
 * (64), has all LAYERS (12) x NEURONS (3072) neurons keep what a recording keeps of them (top 20,
 * moments, record maxima; then 20 samples and 5 of each band), and merges in order, as the recorder
 * does. The first pass is timed over EXCERPTS (1024) behind as many that are not, of ANNOUNCED
 * (60000): memory and the sketch of the maxima are as large as for all of them, and top records are
 * found oftener than later on (of 20: 14 in 1024 excerpts, a pass over 60,000 finds 3 in 1024), so
 * it costs no less than all of them would. Making activations up is not counted. Prints seconds of
 * one thread as JSON: of a token in the first pass (visit, merge), of a token in the second, and of
 * fixing the boundaries, once.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "core/base/memory.h"
#include "core/base/rng.h"
#include "core/subject/neuron_stats.h"

enum { BATCH_TOKENS = 512, MANY = 1 << 16 };

typedef struct {
    size_t workers, layers, neurons, length, excerpts, announced;
} plan_t;

typedef struct {
    const plan_t *plan;
    neuron_stats_t *stats;
    const uint32_t *list; /* [count]: the excerpts of this pass */
    size_t count, per_batch;
    pthread_mutex_t lock;
    pthread_cond_t merged;
    size_t next, next_merge;  /* batches */
    double visiting, merging; /* seconds of all threads */
    const float *made_up;     /* [MANY]: values as GELU gives them */
} pass_t;

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

/* Activations of a layer: runs of made-up values from random places on, each token
 * scaled on its own. */
static void make_up(const pass_t *pass, rng_t *rng, float *out, size_t tokens) {
    enum { RUN = 512 };
    size_t count = tokens * pass->plan->neurons;
    for (size_t from = 0; from < count; from += RUN) {
        const float *values = pass->made_up + rng_below(rng, MANY - RUN);
        float scale = 0.5F + (float)rng_unit(rng);
        size_t end = count - from < RUN ? count - from : RUN;
        for (size_t i = 0; i < end; i++)
            out[from + i] = values[i] * scale;
    }
}

static void *work(void *context) {
    pass_t *pass = context;
    const plan_t *plan = pass->plan;
    neuron_stats_batch_t *batch = neuron_stats_batch_create(pass->stats, pass->per_batch);
    float *activations = MEMORY_NEW_ARRAY(pass->per_batch * plan->length * plan->neurons, float);
    double visiting = 0;
    for (;;) {
        pthread_mutex_lock(&pass->lock);
        size_t number = pass->next++, from = number * pass->per_batch;
        pthread_mutex_unlock(&pass->lock);
        if (from >= pass->count)
            break;
        size_t count = pass->count - from < pass->per_batch ? pass->count - from : pass->per_batch;
        rng_t rng = rng_create(number);
        neuron_stats_batch_start(batch, pass->list + from, count);
        for (size_t layer = 0; layer < plan->layers; layer++) {
            make_up(pass, &rng, activations, count * plan->length);
            double start = now();
            neuron_stats_visit(batch, layer, activations);
            visiting += now() - start;
        }
        pthread_mutex_lock(&pass->lock);
        while (pass->next_merge != number)
            pthread_cond_wait(&pass->merged, &pass->lock);
        double start = now();
        neuron_stats_merge(pass->stats, batch);
        pass->merging += now() - start;
        pass->next_merge++;
        pthread_cond_broadcast(&pass->merged);
        pthread_mutex_unlock(&pass->lock);
    }
    pthread_mutex_lock(&pass->lock);
    pass->visiting += visiting;
    pthread_mutex_unlock(&pass->lock);
    neuron_stats_batch_free(batch);
    free(activations);
    return NULL;
}

static void run(pass_t *pass, const uint32_t *list, size_t count) {
    pthread_t *threads = MEMORY_NEW_ARRAY(pass->plan->workers, pthread_t);
    pass->list = list;
    pass->count = count;
    pass->next = pass->next_merge = 0;
    pass->visiting = pass->merging = 0;
    for (size_t i = 0; i < pass->plan->workers; i++)
        if (pthread_create(&threads[i], NULL, work, pass) != 0)
            abort();
    for (size_t i = 0; i < pass->plan->workers; i++)
        pthread_join(threads[i], NULL);
    free(threads);
}

static neuron_stats_t *create(const plan_t *plan) {
    size_t *counts = MEMORY_NEW_ARRAY(plan->layers, size_t);
    const uint32_t **chosen = MEMORY_NEW_ARRAY(plan->layers, const uint32_t *);
    uint32_t *all = MEMORY_NEW_ARRAY(plan->neurons, uint32_t);
    for (size_t i = 0; i < plan->neurons; i++)
        all[i] = (uint32_t)i;
    for (size_t i = 0; i < plan->layers; i++) {
        counts[i] = plan->neurons;
        chosen[i] = all;
    }
    neuron_stats_options_t options = {.layers = plan->layers,
                                      .neurons = plan->neurons,
                                      .counts = counts,
                                      .chosen = chosen,
                                      .excerpts = plan->announced,
                                      .length = plan->length,
                                      .top = 20,
                                      .random = 20,
                                      .band = 5,
                                      .seed = 1};
    neuron_stats_t *stats = neuron_stats_create(&options);
    free(all);
    free(chosen);
    free(counts);
    return stats;
}

static float *make_values(void) {
    float *values = MEMORY_NEW_ARRAY(MANY, float);
    rng_t rng = rng_create(7);
    for (size_t i = 0; i < MANY; i++) {
        double x = rng_unit(&rng) + rng_unit(&rng) + rng_unit(&rng) + rng_unit(&rng) - 2.5;
        values[i] = (float)(x > 0 ? x : 0.1 * x);
    }
    return values;
}

static int measure(const plan_t *plan) {
    pass_t pass = {.plan = plan, .stats = create(plan), .made_up = make_values()};
    pass.per_batch = plan->length < BATCH_TOKENS ? BATCH_TOKENS / plan->length : 1;
    pthread_mutex_init(&pass.lock, NULL);
    pthread_cond_init(&pass.merged, NULL);
    uint32_t *list = MEMORY_NEW_ARRAY(2 * plan->excerpts, uint32_t);
    for (size_t i = 0; i < 2 * plan->excerpts; i++)
        list[i] = (uint32_t)i;
    run(&pass, list, plan->excerpts);
    run(&pass, list + plan->excerpts, plan->excerpts);
    double tokens = (double)(plan->excerpts * plan->length), visit = pass.visiting / tokens,
           merge = pass.merging / tokens, start = now();
    const uint32_t *sample;
    size_t count;
    neuron_stats_sample(pass.stats, &sample, &count);
    double boundaries = now() - start;
    run(&pass, sample, count);
    printf("{\"visit\":%.3e,\"merge\":%.3e,\"boundaries\":%.2f,\"second\":%.3e,\"second_tokens\":%"
           "zu}\n",
           visit, merge, boundaries,
           (pass.visiting + pass.merging) / (double)(count * plan->length), count * plan->length);
    neuron_stats_free(pass.stats);
    free(list);
    free((void *)(uintptr_t)pass.made_up);
    return 0;
}

int main(int count, char **words) {
    size_t numbers[] = {2, 12, 3072, 64, 1024, 60000};
    if (count > 7) {
        fprintf(stderr, "usage: bench_statistics [WORKERS [LAYERS [NEURONS [LENGTH [EXCERPTS "
                        "[ANNOUNCED]]]]]]\n");
        return 1;
    }
    for (int i = 1; i < count; i++)
        numbers[i - 1] = strtoull(words[i], NULL, 10);
    if (2 * numbers[4] > numbers[5]) {
        fprintf(stderr, "bench_statistics: ANNOUNCED is at least twice EXCERPTS\n");
        return 1;
    }
    plan_t plan = {.workers = numbers[0],
                   .layers = numbers[1],
                   .neurons = numbers[2],
                   .length = numbers[3],
                   .excerpts = numbers[4],
                   .announced = numbers[5]};
    return measure(&plan);
}
